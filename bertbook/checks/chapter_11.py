"""The checks of chapter 11: samplers, volume, ratio, share of positives."""

import random
from typing import Any

import numpy as np
import torch
from torch import Tensor

from bertbook.checks.pair_mistakes import (
    Library,
    Place,
    expected,
    hold_pair,
    library_of,
    ratio_slips,
    share_slips,
    volume_slips,
)
from bertbook.checks.reading import describe, read_parts
from bertbook.checks.report import Wrong, exercise, score_of


def _number(given: Any) -> float:
    """Read one number in whatever form it comes."""
    if isinstance(given, Tensor) and given.numel() == 1:
        given = given.item()
    try:
        return float(given)
    except (TypeError, ValueError):
        raise Wrong(f"Return a number: we got {describe(given)}.") from None


# 11.1

Drawn = tuple[Place, Place, int]
NUM_DRAWS = 3_000


def _draw(
    answer: Any, documents: Library, task: str, generator: torch.Generator
) -> Drawn:
    """Draw one pair, and find where its sentences stand."""
    copies = [list(document) for document in documents]
    names = ("the first sentence", "the second", "the label")
    parts = read_parts(answer(copies, task, generator), names)
    places = []
    for name, sentence in zip(names, parts[:2], strict=False):
        found = [
            (number, document.index(sentence))
            for number, document in enumerate(documents)
            if sentence in document
        ]
        if not found:
            raise Wrong(
                f"{task}: {name} is {str(sentence)[:40]!r}, which is no"
                " sentence of the documents."
            )
        places.append(found[0])
    label = _number(parts[2])
    if label not in (0, 1):
        raise Wrong(f"{task}: the label is {label:g}. Labels are 0 and 1.")
    return places[0], places[1], int(label)


def _hold_source(answer: Any, documents: Library, task: str) -> None:
    """Hold the draws to the generator, and to nothing else."""
    runs = []
    for other in (1, 2):
        random.seed(other)
        np.random.seed(other)  # noqa: NPY002 - a learner may draw from it
        torch.manual_seed(other)
        generator = torch.Generator().manual_seed(7)
        runs.append(
            [_draw(answer, documents, task, generator) for _ in range(31)]
        )
    if runs[0] != runs[1]:
        raise Wrong(
            f"{task}: with the same generator the pairs differ. Give"
            " `generator=generator` to every draw, and keep nothing between"
            " calls."
        )


def _hold_reach(drawn: list[Drawn], task: str, documents: Library) -> None:
    """See that a pair of each label may begin anywhere but at an end."""
    firsts = {
        (number, place)
        for number, document in enumerate(documents)
        for place in range(len(document) - 1)
    }
    for label in (0, 1):
        pairs = [(a, b) for a, b, own in drawn if own == label]
        turned = task == "SOP" and label == 1
        seen = {b if turned else a for a, b in pairs}
        if missing := sorted(firsts - seen):
            raise Wrong(
                f"{task}, label {label}: in {NUM_DRAWS:,} draws no pair begins"
                f" at (document, sentence) {missing[0]}. Look at the ends of"
                " your ranges."
            )


def _hold_foreign(drawn: list[Drawn], documents: Library) -> None:
    """See that a negative of NSP may end anywhere in any other document."""
    foreign = [(a, b) for a, b, label in drawn if label == 1]
    numbers = range(len(documents))
    places = {
        (n, place) for n in numbers for place in range(len(documents[n]))
    }
    if missing := sorted(places - {b for _, b in foreign}):
        raise Wrong(
            f"NSP, label 1: in {NUM_DRAWS:,} draws the second sentence is"
            f" never (document, sentence) {missing[0]}. Any sentence of"
            " another document may come."
        )
    met = {(a[0], b[0]) for a, b in foreign}
    wanted = {(m, n) for m in numbers for n in numbers if m != n}
    if missing := sorted(wanted - met):
        raise Wrong(
            f"NSP, label 1: document {missing[0][0]} never meets document"
            f" {missing[0][1]}. Every other document has a chance."
        )


@exercise("11.1", "Two samplers")
def sample_pair(answer: Any) -> None:
    """Draw thousands of pairs: definition, balance, reach, repetition."""
    for sizes in ((2, 5, 3, 4), (3, 2)):
        documents = library_of(sizes)
        for task in ("NSP", "SOP"):
            generator = torch.Generator().manual_seed(len(sizes))
            drawn = []
            for _ in range(NUM_DRAWS):
                a, b, label = _draw(answer, documents, task, generator)
                hold_pair(a, b, label, task, sizes[a[0]])
                drawn.append((a, b, label))
            share = sum(label for *_, label in drawn) / NUM_DRAWS
            if abs(share - 0.5) > 0.045:
                raise Wrong(
                    f"{task}: {share:.2f} of {NUM_DRAWS:,} labels are 1:"
                    " half of them should be. Toss a fair coin."
                )
            _hold_source(answer, documents, task)
            _hold_reach(drawn, task, documents)
            if task == "NSP":
                _hold_foreign(drawn, documents)


# 11.2

TRAININGS = [
    (1_000_000, 256, 0.9, 128, 512),
    (1_000, 7, 0.25, 13, 37),
    (100, 3, 0.29, 8, 64),
    (50, 2, 0.0, 128, 512),
    (60, 5, 1.0, 128, 512),
]


@exercise("11.2", "What BERT saw")
def positions_seen(answer: Any) -> None:
    """Compare with the count for BERT and for odd sizes."""
    for training in TRAININGS:
        steps, batch, share, short, full = training
        given = _number(answer(*training))
        n = round(steps * share)
        right = batch * (n * short + (steps - n) * full)
        if abs(given - right) <= 1e-9 * right:
            continue
        where = f"For {training} you count {given:,.0f}"
        for message, slip in volume_slips(*training).items():
            if abs(given - slip) <= 1e-9 * abs(slip):
                raise Wrong(f"{where}: {message}")
        raise Wrong(
            f"{where}, {given / right:.4f} of the right number: add steps ×"
            " sequences × tokens of the two phases."
        )


# 11.3

RATIOS = [
    ((500_000, 8_192), (1_000_000, 256)),
    ((31_000, 8_192), (1_000_000, 256)),
    ((7, 13), (37, 5)),
    ((2, 3), (5, 7)),
]


@exercise("11.3", "How much more")
def times_as_many(answer: Any) -> None:
    """Compare with the ratio for four pairs of trainings."""
    for first, second in RATIOS:
        given = _number(answer(first, second))
        right = first[0] * first[1] / (second[0] * second[1])
        if abs(given - right) <= 1e-9 * right:
            continue
        where = f"For {first} and {second} you return {given:g}"
        for message, slip in ratio_slips(first, second).items():
            if abs(given - slip) <= 1e-9 * abs(slip):
                raise Wrong(f"{where}: {message}")
        raise Wrong(
            f"{where}: divide the sequences of the first by those of the"
            " second."
        )


# 11.4


SENTENCES = (1, 2, 3, 4, 6, 9, 15, 40)


@exercise("11.4", "Fewer than half")
def positive_share(answer: Any) -> None:
    """Compare with exact fractions; a long simulation is close enough."""
    given = {size: _number(answer(size)) for size in SENTENCES}
    right = {
        size: float(p / t) for size in SENTENCES for p, t in [expected(size)]
    }
    wrong = [n for n in SENTENCES if not abs(given[n] - right[n]) <= 0.004]
    if not wrong:
        return
    first = wrong[0]
    where = f"For {first} sentence{'s' * (first > 1)} you return"
    where += f" {given[first]:.4g}"
    slips = {size: share_slips(size) for size in SENTENCES}
    for message in slips[1]:
        if all(abs(given[n] - slips[n][message]) <= 0.003 for n in SENTENCES):
            raise Wrong(f"{where}: {message}")
    if first == 1:
        raise Wrong(
            f"{where}: a single sentence has nothing that could follow it."
            " Its pair is always a negative."
        )
    raise Wrong(
        f"{where}: write p(n) and t(n) with those of 1 to n − 1 sentences,"
        " each weighed by 1/(n − 1). The share is p(n)/t(n)."
    )


score = score_of(__name__)
