"""Name the mistakes that learners make when they test for two senses."""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

CLOSE = 1e-4


def share_right(
    snake: Tensor,
    code: Tensor,
    *,
    centered: str = "all",
    measure: str = "cosine",
    itself: bool = False,
) -> float:
    """Return the share of vectors whose neighbor has the same sense.

    Args:
        snake: vectors of one sense, a row each.
        code: vectors of the other.
        centered: subtract the mean of `"all"`, of `"each"` sense, or of
            `"none"`.
        measure: `"cosine"`, `"dot"`, `"distance"` or `"farthest"`.
        itself: let a vector be its own neighbor.

    >>> one, other = torch.eye(4).split(2)
    >>> share_right(one + 9 * one.sum(0), other + 9 * other.sum(0))
    1.0
    """
    parts = [snake.double(), code.double()]
    if centered == "each":
        parts = [part - part.mean(0) for part in parts]
    vectors = torch.cat(parts)
    if centered == "all":
        vectors = vectors - vectors.mean(0)
    if measure == "distance":
        near = -torch.cdist(vectors, vectors)
    else:
        if measure != "dot":
            vectors = F.normalize(vectors, dim=1)
        near = vectors @ vectors.T
        near = -near if measure == "farthest" else near
    if not itself:
        near.fill_diagonal_(-torch.inf)
    is_snake = torch.arange(len(vectors)) < len(snake)
    return (is_snake[near.argmax(1)] == is_snake).double().mean().item()


_MISTAKES: tuple[tuple[dict[str, Any], str], ...] = (
    ({"measure": "farthest"}, "you take the smallest cosine."),
    (
        {"centered": "each"},
        "each sense lost its own mean, and with it what tells them apart:"
        " subtract one mean of all vectors.",
    ),
    ({"centered": "none"}, "the common mean was not subtracted."),
    (
        {"measure": "dot"},
        "dot products grow with a vector's length: divide by the lengths.",
    ),
    (
        {"measure": "distance"},
        "you take the nearest by distance: the largest cosine is asked for.",
    ),
)


def name_accuracy(
    given: Sequence[float], cases: Sequence[tuple[Tensor, Tensor]]
) -> str:
    """Find the mistake that explains the shares of all cases."""
    right = [share_right(snake, code) for snake, code in cases]
    sizes = [(len(snake), len(code)) for snake, code in cases]

    def same(other: Sequence[float]) -> bool:
        pairs = zip(given, other, strict=True)
        return all(abs(one - two) < CLOSE for one, two in pairs)

    for options, message in _MISTAKES:
        if same([share_right(*case, **options) for case in cases]):
            return message
    if same([1 - share for share in right]):
        return "you count the neighbors of the other sense."
    scaled = zip(right, sizes, strict=True)
    if same([share * (one + two) / one for share, (one, two) in scaled]):
        return "divide by the number of all vectors, of both senses."
    if not all(0 <= share <= 1 for share in given):
        return "a share lies between 0 and 1: divide by the number of vectors."
    return (
        "it is another share than the neighbors have. Print the cosines of the"
        " centered vectors, and look for the largest in each row."
    )
