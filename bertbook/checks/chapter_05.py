"""The checks of chapter 05: the matrix, its properties, and its limits."""

import math
import random
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from bertbook.checks.position_mistakes import (
    name_layout,
    name_matrix,
    same_numbers,
    sinusoid,
    takes_on,
)
from bertbook.checks.reading import describe, read_numbers, read_parts
from bertbook.checks.report import Wrong, exercise, score_of

# 05.1


@exercise("05.1", "The matrix")
def position_matrix(answer: Callable[[int, int, float], Any]) -> None:
    """Compare 16 entries, then matrices of random sizes."""
    draw = random.Random(5)
    cases: list[tuple[int, int, float]] = [(5, 6, 37), (4, 4, 100)]
    for _ in range(6):
        sizes = draw.randint(1, 40), 2 * draw.randint(1, 20)
        cases.append((*sizes, draw.choice([10, 37, 100, 1_000, 10_000])))
    for length, d, n in cases:
        where = f"For length {length}, d = {d} and n = {n}"
        found = read_numbers(answer(length, d, n), "the matrix")
        expected = sinusoid(length, d, n)
        if not same_numbers(found, expected):
            raise Wrong(f"{where}, {name_layout(found, length, d, n)}")


# 05.2


def _tables() -> list[tuple[str, Tensor, bool, bool]]:
    """Return tables, each with what is the matter and the two answers."""
    whole = sinusoid(9, 6, 100.0)
    cases = [
        ("the sinusoidal matrix", sinusoid(4, 4, 100.0), True, True),
        ("another sinusoidal matrix", whole, True, True),
        ("three rows of width 2", sinusoid(3, 2, 100.0), True, True),
    ]
    for row in (0, 4, 8):
        longer = whole.clone()
        longer[row] *= 1.05
        text = f"a table in which only row {row} of 0 to 8 is too long"
        cases.append((text, longer, False, False))
    for row in (1, 4, 8):
        swapped = whole.clone()
        swapped[row] = whole[row].roll(2)  # its length stays
        text = f"a table in which only row {row} of 0 to 8 is at a wrong place"
        cases.append((text, swapped, True, False))
    line = torch.arange(7.0).double()[:, None] * torch.tensor([[3.0, 4.0]])
    cases.append(("rows on a line, in equal steps", line, False, True))
    scaled = ("a table of half the size", whole / 2, False, True)
    return [*cases, scaled, *_right_on_average()]


def _right_on_average() -> list[tuple[str, Tensor, bool, bool]]:
    """Return tables with two faults that cancel in the mean."""
    rows = sinusoid(9, 6, 100.0)
    rows[2] *= math.sqrt(1.2)
    rows[6] *= math.sqrt(0.8)
    chords = torch.tensor([0.0, 1.0, 1.4, 0.6, 1.0], dtype=torch.float64)
    angles = (2 * (chords / 2).asin()).cumsum(0)
    circle = torch.stack([angles.sin(), angles.cos()], dim=1)
    text = "a table in which only two {} are wrong, a long and a short one"
    return [
        (text.format("rows"), rows, False, False),
        (text.format("steps"), circle, True, False),
    ]


@exercise("05.2", "Every row, every step")
def lengths_and_steps(answer: Callable[[Tensor], Any]) -> None:
    """Try the learner's test on tables that are right and wrong."""
    names = ("every length", "every step")
    for text, table, *truth in _tables():
        given = read_parts(answer(table.float()), names)
        for name, verdict, right in zip(names, given, truth, strict=True):
            said = _read_verdict(verdict, name)
            if said != right:
                raise Wrong(_name_verdict(name, text, right=right))


def _read_verdict(verdict: Any, name: str) -> bool:
    number = read_numbers(verdict, f"the answer for {name}")
    if number.numel() != 1:
        raise Wrong(
            f"The answer for {name} is {describe(verdict)}: return one True"
            " or False for the whole table."
        )
    return bool(number.item())


def _name_verdict(name: str, text: str, *, right: bool) -> str:
    """Say what the learner's test overlooked, or saw wrongly."""
    if right:
        return (
            f"For {text}, your test says False for {name}, and it holds:"
            " squared lengths are compared with d/2, steps with each other."
        )
    if "only" in text:
        return (
            f"For {text}, your test says True for {name}: one row, one pair or"
            " an average is not enough, compare all of them."
        )
    return (
        f"For {text}, your test says True for {name}: compare the squared"
        " length of each row with d/2."
    )


# 05.3


@exercise("05.3", "Does similarity always fall?")
def count_reversals(answer: Callable[[int, int, float], Any]) -> None:
    """Compare counts; a difference below 1e-5 may count either way."""
    cases: list[tuple[int, int, float]] = [(9, 4, 100), (4, 4, 100)]
    cases += [(7, 4, 100), (30, 4, 100), (13, 2, 10), (25, 8, 1_000)]
    cases += [(40, 64, 10_000), (2, 6, 100), (1, 4, 100)]
    for length, d, n in cases:
        given = answer(length, d, n)
        count = read_numbers(given, "the count")
        if count.numel() != 1:
            raise Wrong(f"Return one number: we got {describe(given)}.")
        least, most = (
            _reversals(length, d, n, margin) for margin in (1e-5, -1e-5)
        )
        if not least <= count.item() <= most:
            where = f"For length {length}, d = {d} and n = {n}"
            raise Wrong(f"{where}, {_name_count(count.item(), length, d, n)}")


def _reversals(length: int, d: int, n: float, margin: float) -> int:
    """Count the pairs near < far that differ by more than the margin."""
    table = sinusoid(length, d, n)
    products = table @ table[0]
    gains = products[None, :] - products[:, None]
    return int((gains.triu(1) > margin).triu(1).sum())


def _name_count(count: float, length: int, d: int, n: float) -> str:
    """Say which mistake gives this count."""
    table = sinusoid(length, d, n)
    products = table @ table[0]
    right = _reversals(length, d, n, 0.0)
    pairs = length * (length - 1) // 2
    rises = int((products.diff() > 0).sum())
    known = {
        0: "you find no such pair, so similarity would always fall: compute"
        " p₀·p₁ and p₀·p₆ for d = 4 and n = 100, and compare.",
        pairs - right: "you count the pairs in which the nearer position is"
        " the more similar one: turn the comparison round.",
        pairs: "you count every pair: compare the two products first.",
        2 * right: "you count each pair twice: near is smaller than far.",
        rises: "you compare neighbors only: far may be any position after"
        " near.",
    }
    if count in known and count != right:
        return known[int(count)]
    return (
        f"your count is {count:g}, ours another: write down the products"
        " p₀·p₀, p₀·p₁, … first, then count pairs of positions from that"
        " list."
    )


# 05.4


@exercise("05.4", "One matrix for every step")
def step_matrix(answer: Callable[[int, float], Any]) -> None:
    """Multiply rows of tables by the matrix, for many positions."""
    cases: list[tuple[int, float]] = [(2, 100), (4, 100), (6, 1_000)]
    for d, n in [*cases, (14, 10_000), (26, 37)]:
        found = read_numbers(answer(d, n), "the matrix")
        where = f"For d = {d} and n = {n}"
        if found.shape != (d, d):
            raise Wrong(
                f"{where}, the matrix has the shape {tuple(found.shape)}: it"
                f" takes {d} numbers to {d} numbers."
            )
        table = sinusoid(60, d, n)
        if not takes_on(found, table):
            raise Wrong(f"{where}, {name_matrix(found, table)}")


# 05.5


@exercise("05.5", "How long can BERT read?")
def longest_input(answer: Callable[[int, int], Any]) -> None:
    """Compare both numbers for BERT's table and for others."""
    draw = random.Random(6)
    cases = [(512, 1), (512, 2)]
    cases += [(draw.randint(16, 9_999), draw.randint(1, 4)) for _ in range(6)]
    for num_rows, num_texts in cases:
        given = read_parts(answer(num_rows, num_texts), ("tokens", "left"))
        tokens, left = (_read_length(part) for part in given)
        where = f"With {num_rows} rows and {num_texts} texts"
        if tokens != num_rows:
            raise Wrong(f"{where}, {_name_length(tokens, num_rows)}")
        if left != num_rows - 1 - num_texts:
            raise Wrong(f"{where}, {_name_left(num_rows - left, num_texts)}")


def _read_length(given: Any) -> float:
    if given is None or isinstance(given, str) or given == math.inf:
        raise Wrong(
            "You say that there is no limit: a position without a row in the"
            " table has no vector, and the model stops."
        )
    number = read_numbers(given, "a length")
    if number.numel() != 1:
        raise Wrong(f"Return two numbers: one of them is {describe(given)}.")
    return number.item()


def _name_length(tokens: float, num_rows: int) -> str:
    """Say what is wrong with the number of tokens."""
    if tokens == num_rows + 2:
        return (
            "you add two: [CLS] and [SEP] take positions of their own, and"
            " stand within the table. (514 is the size of RoBERTa's table,"
            " whose first two rows belong to no word.)"
        )
    if tokens > num_rows:
        return (
            f"you allow {tokens:g} tokens: the last of them has no row in the"
            " table."
        )
    if tokens == num_rows - 1:
        return (
            f"you allow {tokens:g} tokens: positions count from 0, so the"
            " last row belongs to the last token."
        )
    return (
        f"you allow {tokens:g} tokens: every row of the table may be used, by"
        " special tokens as well."
    )


def _name_left(special: float, num_texts: int) -> str:
    """Say what is wrong with the room that is left for the texts."""
    if special == 0:
        return "[CLS] and [SEP] are tokens too: they need positions."
    if special == 2 and num_texts != 1:
        return "you leave out two tokens: every text ends with a [SEP]."
    return (
        f"you keep {special:g} tokens back: write the line from [CLS] to the"
        " last [SEP], and count the special ones."
    )


score = score_of(__name__)
