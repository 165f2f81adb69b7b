"""A bag of words as a probe: what can be answered by counting words alone."""

import re
from collections import Counter

Pair = tuple[str, str, str, str]
"""A sentence, the noun its "it" stands for, a second sentence, its noun."""


def words_of(text: str) -> list[str]:
    """Return a sentence's words in lower case.

    >>> words_of("It was too big.")
    ['it', 'was', 'too', 'big']
    """
    return re.findall(r"[\w'’-]+", text.lower())


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
