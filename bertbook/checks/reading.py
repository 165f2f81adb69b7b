"""Read what a learner's function returns, in whatever form it comes."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from bertbook.checks.report import Wrong


def read_numbers(given: Any, name: str) -> Tensor:
    """Return a learner's numbers, tensors, arrays or nested lists in float64.

    Args:
        given: what the learner's function returned.
        name: what it is called in the message.

    Raises:
        Wrong: if it cannot be read, or holds infinity or NaN.

    >>> read_numbers([[1, 2], torch.tensor([3, 4])], "rows").tolist()
    [[1.0, 2.0], [3.0, 4.0]]
    """
    try:
        numbers = _as_tensor(given)
    except (TypeError, ValueError, RuntimeError):
        raise Wrong(
            f"We cannot read {name} as numbers: we got {describe(given)}."
            " Return numbers or tensors of them."
        ) from None
    if not numbers.isfinite().all():
        raise Wrong(
            f"{name} holds a number that is infinite or not a number: look"
            " for a division by zero or a power that is too large."
        )
    return numbers


def read_parts(answer: Any, names: Sequence[str]) -> Sequence[Any]:
    """Take a learner's tuple apart.

    Args:
        answer: what the learner's function returned.
        names: what should be in it, in this order.

    Raises:
        Wrong: if it is no tuple or list of that many things.
    """
    fits = isinstance(answer, tuple | list) and len(answer) == len(names)
    if not fits:
        raise Wrong(
            f"Return {len(names)} things, {', '.join(names)}: we got"
            f" {describe(answer)}."
        )
    return answer


def _as_tensor(given: Any) -> Tensor:
    """Stack nested lists of whatever PyTorch can read."""
    if isinstance(given, list | tuple) and given:
        return torch.stack([_as_tensor(item) for item in given])
    if isinstance(given, Tensor):
        return given.detach().cpu().double()
    return torch.as_tensor(given, dtype=torch.float64)


def describe(answer: Any) -> str:
    """Say in a few words what a learner's function returned.

    >>> describe(torch.zeros(2, 3))
    'a tensor of shape (2, 3)'
    """
    if answer is None:
        return "None (is there a return?)"
    if isinstance(answer, tuple | list):
        return f"a {type(answer).__name__} of {len(answer)}"
    if isinstance(answer, Tensor):
        return f"a tensor of shape {tuple(answer.shape)}"
    return f"{type(answer).__name__}"
