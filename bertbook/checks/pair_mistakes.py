"""What the usual mistakes of chapter 11 compute, with what to say."""

from fractions import Fraction
from functools import cache

from bertbook.checks.report import Wrong

Library = list[list[str]]
Place = tuple[int, int]
"""A document's number, and a sentence's number in it."""


def library_of(sizes: tuple[int, ...]) -> Library:
    """Write documents in which each sentence says where it stands."""
    return [
        [f"document {number}, sentence {place}" for place in range(size)]
        for number, size in enumerate(sizes)
    ]


def hold_pair(a: Place, b: Place, label: int, task: str, size: int) -> None:
    """Say what is wrong with one pair, if its label does not fit it.

    Args:
        a: where the first sentence stands.
        b: where the second one stands.
        label: what the learner says of them.
        task: "NSP" or "SOP".
        size: the number of sentences in the first one's document.

    Raises:
        Wrong: if the task does not make such a pair.
    """
    if label == 0:
        why = _no_positive(a, b)
    elif task == "SOP":
        why = _not_swapped(a, b)
    else:
        why = _not_foreign(a, b, size)
    if why:
        raise Wrong(
            f"{task}, label {label}: the first is (document, sentence) {a},"
            f" the second {b}. {why}"
        )


def _no_positive(a: Place, b: Place) -> str:
    if a[0] != b[0]:
        return (
            "They are of two documents, and 0 is the label of two neighbors:"
            " are your labels the other way round?"
        )
    if b[1] - a[1] == -1:
        return "They stand in the wrong order: that is a negative of SOP."
    neighbors = b[1] - a[1] == 1
    return "" if neighbors else "They are no neighbors: take the next one."


def _not_swapped(a: Place, b: Place) -> str:
    rule = "A negative of SOP holds two neighbors of one document, swapped."
    if a[0] != b[0]:
        return f"{rule} Yours are of two documents: that is a negative of NSP."
    if b[1] - a[1] == 1:
        return f"{rule} Yours stand in order."
    return "" if b[1] - a[1] == -1 else f"{rule} Yours are no neighbors."


def _not_foreign(a: Place, b: Place, size: int) -> str:
    if a[0] == b[0]:
        return "A negative of NSP takes its second from another document."
    if a[1] == size - 1:
        return (
            "The first is the last of its document, which never begins a"
            " positive: the first sentence alone would tell the label."
        )
    return ""


def volume_slips(
    steps: int, batch: int, share: float, short: int, full: int
) -> dict[str, float]:
    """Return what the usual mistakes count, with what to say."""
    n = round(steps * share)
    first, second = n * batch * short, (steps - n) * batch * full
    return {
        "that has all steps at the full length: a part of them is shorter.": (
            steps * batch * full
        ),
        "that has all steps at the short length.": steps * batch * short,
        "that counts the full-length steps alone.": second,
        "that counts the short steps alone.": first,
        "the two shares are swapped.": (steps - n) * batch * short
        + n * batch * full,
        "that takes 128,000 for 256 × 512: it is 131,072.": first
        + (steps - n) * 128_000,
        "that takes 128,000 positions in every batch: 256 × 512 is 131,072,"
        " and most batches are shorter.": steps * 128_000,
        "these are sequences: multiply by their tokens.": steps * batch,
        "the sequences of a batch are not counted.": n * short
        + (steps - n) * full,
        "both phases have all steps.": steps * batch * (short + full),
        "that takes the plain mean of the two lengths: the phases differ in"
        " steps.": steps * batch * (short + full) / 2,
        "the number of short steps is cut off, not rounded: 100 · 0.29 is"
        " 28.999… in floating point.": batch
        * (int(steps * share) * short + (steps - int(steps * share)) * full),
    }


def ratio_slips(
    first: tuple[int, int], second: tuple[int, int]
) -> dict[str, float]:
    """Return what the usual mistakes compare, with what to say."""
    (steps, batch), (others, other_batch) = first, second
    right = steps * batch / (others * other_batch)
    return {
        "that compares steps and forgets the sequences in a step.": (
            steps / others
        ),
        "that compares batches and forgets the steps.": batch / other_batch,
        "that is the second over the first.": 1 / right,
        "that is a difference: how many times as many is a ratio.": (
            steps * batch - others * other_batch
        ),
        "that is the number of sequences of the first alone.": steps * batch,
        "steps and batches are added: they multiply.": (steps + batch)
        / (others + other_batch),
        "the batches are the wrong way up.": steps
        * other_batch
        / (others * batch),
        "that takes 8 K for 8,000: it is 8,192.": right * 8_000 / 8_192,
    }


@cache
def expected(size: int) -> tuple[Fraction, Fraction]:
    """Return the expected positives and pairs of a document."""
    if size == 1:
        return Fraction(0), Fraction(1)
    half, left = Fraction(1, 2), [expected(n) for n in range(1, size)]
    positives = half + half * sum(p for p, _ in left) / len(left)
    return positives, 1 + half * sum(t for _, t in left) / len(left)


@cache
def _mean_of_shares(size: int, before: int = 0) -> float:
    """Return the mean over documents of each one's share of positives."""
    if size == 1:
        return 0.0
    left = [_mean_of_shares(n, before + 1) for n in range(1, size)]
    return 0.5 / (before + 1) + 0.5 * sum(left) / len(left)


def share_slips(size: int) -> dict[str, float]:
    """Return what the usual mistakes make of a size, with what to say."""
    positives, pairs = (float(number) for number in expected(size))
    one_by_one = 1 - 0.5 ** (size - 1)
    return {
        "that is the coin alone. A single sentence has nothing that could"
        " follow it: its pair is always a negative.": 0.5,
        "after a negative you go on behind B's place: what A left over is put"
        " back, and makes pairs of its own.": 0.5 if size > 1 else 0.0,
        "that is the share of negatives.": 1 - positives / pairs,
        "that is the number of positives: divide by the number of pairs.": (
            positives
        ),
        "that is the mean of the documents' own shares: a document with many"
        " pairs counts more. Divide the two expectations.": (
            _mean_of_shares(size)
        ),
        "you have A always take one sentence: it takes 1 to n − 1.": (
            one_by_one / (one_by_one + 1)
        ),
        "that is the share for two sentences.": 1 / 3 if size > 1 else 0.0,
        "that is the number of pairs: divide the positives by it.": pairs,
    }
