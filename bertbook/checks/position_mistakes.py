"""Name the mistake behind a wrong table of positions or a wrong step."""

import torch
from torch import Tensor

CLOSE = 1e-3
"""Answers may be in single precision and in any order of operations."""


def same_numbers(one: Tensor, other: Tensor) -> bool:
    """Tell whether two tensors have one shape and nearly equal entries."""
    return one.shape == other.shape and torch.allclose(
        one, other, rtol=0, atol=CLOSE
    )


def sinusoid(length: int, d: int, n: float) -> Tensor:
    """Return the sinusoidal matrix in float64, by its formula."""
    k, i = _grid(length, d)
    return _waves(k / n ** ((i - i % 2) / d), i % 2 == 0)


def _grid(length: int, d: int) -> tuple[Tensor, Tensor]:
    """Return positions as a column and dimensions as a row."""
    position = torch.arange(length, dtype=torch.float64)[:, None]
    return position, torch.arange(d, dtype=torch.float64)[None, :]


def _waves(angles: Tensor, sines: Tensor) -> Tensor:
    return torch.where(sines, angles.sin(), angles.cos())


def _wrong_angles(length: int, d: int, n: float) -> dict[str, Tensor]:
    """Return tables with wrong angles, each with what to look at."""
    k, i = _grid(length, d)
    pair, even = i - i % 2, i % 2 == 0
    right = k / n ** (pair / d)
    angles = {
        "each dimension has an angle of its own: your exponent is i/d for"
        " every dimension i, and the two of a pair share one.": (
            k / n ** (i / d)
        ),
        "the exponent is twice what it should be: the i of 2i/d counts pairs,"
        " not dimensions.": k / n ** (2 * pair / d),
        "your first position is 1: positions count from 0, so the first row"
        " is 0, 1, 0, 1, …": (k + 1) / n ** (pair / d),
        "your waves become faster with the dimension: look at the sign of"
        " the exponent.": k * n ** (pair / d),
        "your matrix is that of n = 10,000, whatever n is given.": (
            k / 10_000 ** (pair / d)
        ),
        "the angles are read as degrees: sine and cosine want radians.": (
            right.deg2rad()
        ),
    }
    return {message: _waves(angle, even) for message, angle in angles.items()}


def _wrong_order(length: int, d: int, n: float) -> dict[str, Tensor]:
    """Return tables with sines and cosines at wrong places."""
    k, i = _grid(length, d)
    right, even = k / n ** ((i - i % 2) / d), i % 2 == 0
    by_halves = k / n ** (2 * (i % (d // 2)) / d)
    return {
        "sine and cosine take turns over the positions: the parity is that of"
        " the dimension, within each row.": _waves(right, k % 2 == 0),
        "all sines come first and all cosines after them: that layout is in"
        " use elsewhere, here they take turns.": _waves(by_halves, i < d // 2),
        "sine and cosine have changed places: even dimensions have the"
        " sine.": _waves(right, ~even),
    }


def name_layout(found: Tensor, length: int, d: int, n: float) -> str:
    """Say which slip gives this matrix."""
    expected = sinusoid(length, d, n)
    if found.shape != expected.shape:
        turned = found.ndim == 2 and same_numbers(found.T, expected)
        advice = " Yours is turned on its side." if turned else ""
        return (
            f"the matrix has the shape {tuple(found.shape)}: one row for each"
            f" position and one column for each dimension.{advice}"
        )
    sizes = length, d, n
    known = _wrong_angles(*sizes) | _wrong_order(*sizes)
    for message, table in known.items():
        if same_numbers(found, table):
            return message
    k, i = divmod(int((found - expected).abs().argmax()), d)
    return (
        f"the entry at position {k}, dimension {i} is {found[k, i]:.4f}, and"
        f" it should be {expected[k, i]:.4f}: compute that angle by hand."
    )


def takes_on(matrix: Tensor, table: Tensor) -> bool:
    """Tell whether the matrix takes every row of a table to the next."""
    return same_numbers(table[:-1] @ matrix.T, table[1:])


def _right_step(table: Tensor) -> Tensor:
    """Read the step off row 1, which holds its sines and cosines."""
    blocks = [
        torch.stack([cos, sin, -sin, cos]).view(2, 2)
        for sin, cos in table[1].view(-1, 2)
    ]
    return torch.block_diag(*blocks)


def name_matrix(found: Tensor, table: Tensor) -> str:
    """Say what the matrix does instead."""
    halves = torch.cat([table[:, 0::2], table[:, 1::2]], dim=1)
    if takes_on(found, table.flip(0)):
        return (
            "the matrix takes each row to the one before it: turn the other"
            " way. (As a column, p is multiplied from the left.)"
        )
    if same_numbers(found, torch.eye(len(found), dtype=torch.float64)):
        return "the matrix changes nothing: a step turns each pair."
    if takes_on(found, halves):
        return (
            "the matrix fits a table with all sines before all cosines: here"
            " they take turns."
        )
    if same_numbers(found.abs(), _right_step(table).abs()):
        return (
            "the sizes of all numbers are right, and a sign is not: look at"
            " the addition formula of the cosine."
        )
    return _name_rows(found, table)


def _name_rows(found: Tensor, table: Tensor) -> str:
    """Say which rows or pairs the matrix serves."""
    errors = (table[:-1] @ found.T - table[1:]).abs().amax(dim=1)
    right = (errors < CLOSE).nonzero().flatten().tolist()
    worst = int(errors.argmax())
    if right:
        return (
            f"the matrix takes p_{right[0]} to p_{right[0] + 1}, but not"
            f" p_{worst} to p_{worst + 1}: it depends on k. Find one that"
            " holds for every k."
        )
    pair = _right_step(table)[:2, :2]
    if len(found) > 2 and same_numbers(found[:2, :2], pair):
        return (
            "the first pair turns as it should, another one does not: each"
            " pair has its own speed, and no pair meets another."
        )
    return (
        f"R p₀ differs from p₁ by {errors[0]:.2g}: write the addition"
        " formulas for sin(k + 1) and cos(k + 1), and read off the signs."
    )
