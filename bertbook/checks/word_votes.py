"""Pairs of sentences, and what a bag of words can answer of them."""

import re
from collections import Counter
from typing import Any

from bertbook.checks.report import Wrong

Pair = tuple[str, str, str, str]
"""A sentence, the noun its "it" stands for, a second sentence, its noun."""


def words_of(text: str) -> list[str]:
    """Return a sentence's words in lower case.

    >>> words_of("It was too big.")
    ['it', 'was', 'too', 'big']
    """
    return re.findall(r"[\w'’-]+", text.lower())


def read_pairs(answer: Any) -> list[Pair]:
    """Call the learner's function, and check the form.

    Raises:
        Wrong: if they are not ten, of four strings each.
    """
    pairs = [tuple(pair) for pair in answer()]
    for place, pair in enumerate(pairs, start=1):
        if len(pair) != 4 or not all(isinstance(x, str) for x in pair):
            raise Wrong(
                f"Pair {place} is not four strings: sentence, noun,"
                " sentence, noun."
            )
    if len(pairs) != 10:
        raise Wrong(f"There are {len(pairs)} pairs: write ten.")
    return pairs


def differing_words(place: int, pair: Pair) -> tuple[str, str]:
    """Return the one word in which a pair's sentences differ, in each.

    Raises:
        Wrong: if they do not differ in exactly one word.

    >>> differing_words(1, ("It was big.", "box", "It was small.", "bag"))
    ('big', 'small')
    """
    one, other = words_of(pair[0]), words_of(pair[2])
    if len(one) != len(other):
        raise Wrong(
            f"Pair {place}: its sentences have {len(one)} and {len(other)}"
            " words. Exactly one word may differ."
        )
    differ = [(a, b) for a, b in zip(one, other, strict=True) if a != b]
    if len(differ) != 1:
        raise Wrong(
            f"Pair {place}: {len(differ)} words differ. Exactly one must."
        )
    return differ[0]


def _examples(pairs: list[Pair]) -> list[tuple[int, set[str], int]]:
    """Return pair, words and vote (+1: the noun named first) of each."""
    rows = []
    for place, (one, noun, other, second) in enumerate(pairs):
        for text, answer, rest in ((one, noun, second), (other, second, noun)):
            words = words_of(text)
            first = words.index(answer.lower()) < words.index(rest.lower())
            rows.append((place, set(words), 1 if first else -1))
    return rows


def bag_of_words_probe(pairs: list[Pair]) -> tuple[float, str]:
    """Vote by words that occur in two pairs: the fraction right, and one.

    Returns:
        The fraction of sentences right, half a point for a tie, and the word
        with the clearest vote.
    """
    rows = _examples(pairs)
    seen: Counter = Counter()
    votes: Counter = Counter()
    for word in {word for _, words, _ in rows for word in words}:
        seen[word] = len({place for place, words, _ in rows if word in words})
        votes[word] = sum(vote for _, words, vote in rows if word in words)
    right = 0.0
    for _, words, vote in rows:
        total = sum(votes[word] for word in words if seen[word] > 1)
        right += 0.5 if total == 0 else float(total * vote > 0)
    shared = [word for word in sorted(votes) if seen[word] > 1]
    clearest = max(shared, key=lambda word: abs(votes[word]), default="")
    return right / len(rows), clearest
