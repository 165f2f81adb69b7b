"""The checks of chapter 09: count, ids, gigabytes, another vocabulary."""

from typing import Any

import numpy as np
from torch import Tensor

from bertbook.checks.input_mistakes import (
    UNITS,
    VOCABULARY,
    Sizes,
    count_slips,
    hold_ids,
    hold_positions,
    hold_segments,
    size_slips,
)
from bertbook.checks.reading import describe, read_parts
from bertbook.checks.report import Wrong, exercise, score_of


def _whole(given: Any, what: str) -> int | float:
    """Return a learner's number, or say what came instead."""
    one_number = isinstance(given, Tensor) and given.numel() == 1
    if one_number or isinstance(given, np.generic):
        given = given.item()
    if not isinstance(given, int | float) or isinstance(given, bool):
        raise Wrong(f"Return a number for {what}: we got {describe(given)}.")
    return given


# 09.1


@exercise("09.1", "Count a BERT")
def count_bert(answer: Any) -> None:
    """Compare with the formula for many sizes, and for several heads."""
    seen = {
        _whole(answer(30_522, 12, 768, heads, 3072, True), "a count")
        for heads in (1, 4, 12, 24)
    }
    if len(seen) > 1:
        raise Wrong(
            "With 1, 4, 12 and 24 heads you count different numbers: heads"
            " cut the rows of the same matrices, their number A changes no"
            " size."
        )
    cases = [
        (30_522, 12, 768, 12, 3072),
        (30_522, 2, 128, 2, 512),
        (119_547, 12, 768, 12, 3072),
        (30_522, 12, 768, 12, 2048),
    ]
    cases += [(37, 3, 26, 2, 41), (1_000, 1, 7, 1, 13)]
    cases += [(30_522, 24, 1024, 16, 4096)]
    for vocab, layers, h, heads, d_ff in cases:
        for pooler in (True, False):
            asked = answer(vocab, layers, h, heads, d_ff, pooler)
            sizes = Sizes(vocab, layers, h, d_ff, pooler)
            _hold_count(_whole(asked, "a count"), sizes, heads)


def _hold_count(given: int | float, sizes: Sizes, heads: int) -> None:
    """Compare one count, and name the mistake if it differs."""
    right = sizes.counted()
    if given == right:
        return
    where = (
        f"For V = {sizes.vocab:,}, L = {sizes.layers}, H = {sizes.h},"
        f" A = {heads}, d_ff = {sizes.d_ff} and pooler={sizes.pooler} you"
        f" count {given:,}"
    )
    for message, slip in count_slips(sizes).items():
        if given == slip:
            raise Wrong(f"{where}: {message}")
    away = "too many" if given > right else "missing"
    raise Wrong(
        f"{where}: {abs(given - right):,} {away}. Compare with the chapter's"
        " table, one line at a time."
    )


# 09.2

PARIS = (
    ["paris", "is", "a", "beautiful", "city", "."],
    ["i", "love", "paris", "."],
)
PAIRS: list[tuple[list[str], list[str] | None]] = [
    PARIS,
    (["my", "dog", "is", "cute"], ["he", "likes", "play", "##ing"]),
    (["i", "love", "paris"], None),
    (["city"], ["is", "beautiful", ".", "i", "love", "."]),
    ([".", "."], None),
]
ROWS = ("the token ids", "the segment ids", "the position ids")


def _three(first: list[str], second: list[str] | None) -> list[list[int]]:
    """Write the three rows in the plainest way."""
    tokens = ["[CLS]", *first, "[SEP]"]
    segments = [0] * len(tokens)
    if second is not None:
        tokens += [*second, "[SEP]"]
        segments += [1] * (len(second) + 1)
    ids = [VOCABULARY[token] for token in tokens]
    return [ids, segments, list(range(len(tokens)))]


@exercise("09.2", "Three rows of ids")
def three_rows(answer: Any) -> None:
    """Compare the rows of pairs and of single texts."""
    for first, second in PAIRS:
        copy = None if second is None else list(second)
        given = answer(list(first), copy, dict(VOCABULARY))
        rows = [_read_row(row) for row in read_parts(given, ROWS)]
        expected = _three(first, second)
        if rows == expected:
            continue
        texts = (first, second or [])
        where = "For " + " | ".join(" ".join(t) for t in texts if t)
        hold_ids(where, rows[0], expected[0])
        hold_segments(where, rows[1], expected[1])
        hold_positions(where, rows[2], expected[2])


def _read_row(row: Any) -> list[Any]:
    """Return a list for a list, a tuple, a range or a tensor."""
    if isinstance(row, Tensor):
        row = row.tolist()
    if not isinstance(row, list | tuple | range):
        raise Wrong(f"Each row is a list of ids: we got {describe(row)}.")
    return list(row)


# 09.3


@exercise("09.3", "How many gigabytes?")
def size_in_memory(answer: Any) -> None:
    """Compare in the unit the answer names, for both precisions."""
    for parameters in (109_482_240, 335_141_888, 4_385_920, 7):
        for precision, each in (("fp32", 4), ("fp16", 2)):
            given = read_parts(
                answer(parameters, precision), ("the number", "the unit")
            )
            size, unit = _whole(given[0], "the size"), given[1]
            if unit not in UNITS:
                raise Wrong(f"The unit is {unit!r}: name it, GB or GiB.")
            _hold_size(size, unit, parameters, each, precision)


def _hold_size(
    size: int | float, unit: str, parameters: int, each: int, precision: str
) -> None:
    """Compare one size, and name the mistake if it differs."""
    right = parameters * each / UNITS[unit]
    if _near(size, right):
        return
    where = (
        f"For {parameters:,} parameters in {precision} you return"
        f" {size:.6g} {unit}"
    )
    for message, slip in size_slips(right, unit, each).items():
        if _near(size, slip):
            raise Wrong(f"{where}{message}")
    raise Wrong(
        f"{where}: multiply by the bytes of one parameter, then divide by the"
        " bytes of one unit."
    )


def _near(size: float, number: float) -> bool:
    """Tell whether two sizes differ by no more than rounding does."""
    return abs(size - number) <= 1e-6 * number


# 09.4

PARTS = ("word", "position", "segment", "layers", "pooler", "heads")


@exercise("09.4", "What changes in the cased model?")
def what_changes(answer: Any) -> None:
    """Compare each part's change, for larger and smaller vocabularies."""
    cases = [(30_522, 28_996, 768), (30_522, 119_547, 768), (37, 13, 7)]
    cases += [(30_522, 28_996, 1024), (100, 100, 5)]
    for old, new, h in cases:
        given = answer(old, new, h)
        if not isinstance(given, dict) or set(given) != set(PARTS):
            names = ", ".join(PARTS)
            raise Wrong(
                f"Return a dictionary with {names}: we got {describe(given)}"
                + (
                    f" with {sorted(given)}."
                    if isinstance(given, dict)
                    else "."
                )
            )
        where = f"From {old:,} to {new:,} words with H = {h}"
        for part in PARTS:
            _hold_change(_whole(given[part], part), part, old, new, h, where)


def _hold_change(
    given: int | float, part: str, old: int, new: int, h: int, where: str
) -> None:
    """Compare the change of one part, and name the mistake."""
    more = new - old
    right = {"word": more * h, "heads": more}.get(part, 0)
    if given == right:
        return
    where = f"{where}, you let {part} change by {given:,}"
    if given == -right:
        raise Wrong(f"{where}: the sign is turned round, take new minus old.")
    if part == "word":
        raise Wrong(f"{where}: each word has a row of H numbers.")
    if part == "heads" and given == more * h + more:
        raise Wrong(
            f"{where}: the matrix is the word table's, and counted there."
        )
    if part == "heads":
        raise Wrong(
            f"{where}: the masked-LM head has one bias per word, and no other"
            " size in the heads depends on V."
        )
    raise Wrong(
        f"{where}: no size in {part} depends on the vocabulary. The same"
        f" {'vectors' if part in ('layers', 'pooler') else 'rows'} serve any"
        " of them."
    )


score = score_of(__name__)
