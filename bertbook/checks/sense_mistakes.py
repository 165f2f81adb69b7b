"""Name the mistakes that learners make when they test for two senses."""

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


def name_accuracy(given: float, name: str, snake: Tensor, code: Tensor) -> str:
    """Say how a wrong share came about."""
    right = share_right(snake, code)

    def same(other: float) -> bool:
        return abs(given - other) < CLOSE

    if same(1.0) and name == "an untrained encoder":
        return (
            "a test that an encoder with random weights passes proves nothing."
            " Its cosines are below 1 too, about 0.9. And take care that no"
            " vector counts as its own neighbor."
        )
    mistakes = (
        (1 - right, {}, "you count the neighbors of the other sense."),
        (None, {"measure": "farthest"}, "you take the smallest cosine."),
        (None, {"centered": "each"},
         "each sense lost its own mean, and with it what tells them apart:"
         " subtract one mean of all vectors."),
        (None, {"centered": "none"}, "the common mean was not subtracted."),
        (None, {"measure": "dot"},
         "dot products grow with a vector's length: divide by the lengths."),
        (None, {"measure": "distance"},
         "you take the nearest by distance: the largest cosine is asked for."),
    )  # fmt: skip
    for value, options, message in mistakes:
        if same(
            share_right(snake, code, **options) if value is None else value
        ):
            return message
    if same(1.0):
        return "take care that no vector counts as its own neighbor."
    if not 0 <= given <= 1:
        return "a share lies between 0 and 1: divide by the number of vectors."
    if same(right * (len(snake) + len(code)) / len(snake)):
        return "divide by the number of all vectors, of both senses."
    return (
        "it is another share than the neighbors have. Print the cosines of the"
        " centered vectors, and look for the largest in each row."
    )
