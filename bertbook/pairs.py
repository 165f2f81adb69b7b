"""Pairs of segments: next sentence prediction and sentence order prediction.

A document is a list of sentences, a sentence a list of token ids. A sampler
cuts documents into chunks that fill a sequence, and each chunk into segments
A and B. Next sentence prediction (NSP) replaces B by text from another
document in about half of the pairs; sentence order prediction (SOP) swaps A
and B instead.

The labels are those of the released code and of Hugging Face: 0 where B
follows A, 1 where it does not.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, TypeAlias

import torch

Sentence: TypeAlias = Sequence[int]
SentencesOf: TypeAlias = Sequence[Sentence]

FOLLOWS: Final = 0
"""The label of a pair whose B follows its A ("IsNext")."""
DOES_NOT: Final = 1
"""The label of the other pairs ("NotNext", or swapped)."""


@dataclass(frozen=True, kw_only=True)
class PairConfig:
    """How documents are cut into pairs.

    Attributes:
        cls_id: the id of [CLS].
        sep_id: the id of [SEP].
        max_len: the most ids in a sequence, [CLS] and both [SEP] included.
        short_seq_prob: share of the documents cut into chunks of a random,
            smaller length.
        negative_prob: share of negatives wherever the sampler may choose.

    Source: Devlin et al. (2019), appendix A.2; google-research/bert,
    create_pretraining_data.py, for `short_seq_prob`.
    """

    cls_id: int
    sep_id: int
    max_len: int = 512
    short_seq_prob: float = 0.1
    negative_prob: float = 0.5

    def __post_init__(self) -> None:
        """Refuse a sequence without room for two words, and other shares."""
        if self.max_len < 5:
            raise ValueError(
                f"max_len is {self.max_len}: [CLS] A [SEP] B [SEP] takes at"
                " least 5"
            )
        for name in ("short_seq_prob", "negative_prob"):
            value = getattr(self, name)
            if not 0 <= value <= 1:
                raise ValueError(f"{name} is {value}: it lies from 0 to 1")

    @property
    def num_text_tokens(self) -> int:
        """The most ids of A and B together."""
        return self.max_len - 3


class Origin(NamedTuple):
    """Where a segment was taken from, before it was truncated.

    Attributes:
        document: the document's number.
        start: its first sentence.
        stop: the sentence behind its last one.
    """

    document: int
    start: int
    stop: int


class SentencePair(NamedTuple):
    """One sequence `[CLS] A [SEP] B [SEP]`.

    Attributes:
        token_ids: the ids.
        segment_ids: 0 up to the first [SEP], 1 behind it.
        label: `FOLLOWS` or `DOES_NOT`.
        first: where A comes from.
        second: where B comes from.
    """

    token_ids: list[int]
    segment_ids: list[int]
    label: int
    first: Origin
    second: Origin


class _Dice:
    """Whole numbers and coins from a generator."""

    def __init__(self, generator: torch.Generator) -> None:
        self.generator = generator

    def number(self, low: int, high: int) -> int:
        """Draw from low to high, both included."""
        drawn = torch.randint(low, high + 1, (1,), generator=self.generator)
        return int(drawn)

    def coin(self, prob: float) -> bool:
        return bool(torch.rand(1, generator=self.generator) < prob)


def truncate_pair(
    first: Sentence,
    second: Sentence,
    max_tokens: int,
    generator: torch.Generator,
) -> tuple[list[int], list[int]]:
    """Take tokens off the longer segment until both fit together.

    Each token comes off the front or the end, by a coin. Of two equally long
    segments the second loses.

    Args:
        first: the ids of A.
        second: the ids of B.
        max_tokens: the most that may be left, at least 2.
        generator: the source of the coins.

    >>> generator = torch.Generator().manual_seed(0)
    >>> truncate_pair([1, 2, 3, 4, 5], [6, 7], 5, generator)
    ([2, 3, 4], [6, 7])

    Source: google-research/bert, create_pretraining_data.py,
    truncate_seq_pair.
    """
    excess = len(first) + len(second) - max_tokens
    if excess <= 0:
        return list(first), list(second)
    bounds = [[0, len(first)], [0, len(second)]]
    at_front = torch.rand(excess, generator=generator) < 0.5
    for front in at_front.tolist():
        lengths = [stop - start for start, stop in bounds]
        longer = bounds[0] if lengths[0] > lengths[1] else bounds[1]
        if front:
            longer[0] += 1
        else:
            longer[1] -= 1
    (a, b), (c, d) = bounds
    return list(first[a:b]), list(second[c:d])


def join_pair(
    first: Sentence, second: Sentence, config: PairConfig
) -> tuple[list[int], list[int]]:
    """Return token ids and segment ids of `[CLS] A [SEP] B [SEP]`.

    >>> join_pair([7, 8], [9], PairConfig(cls_id=2, sep_id=3))
    ([2, 7, 8, 3, 9, 3], [0, 0, 0, 0, 1, 1])
    """
    token_ids = [config.cls_id, *first, config.sep_id, *second, config.sep_id]
    return token_ids, [0] * (len(first) + 2) + [1] * (len(second) + 1)


def next_sentence_pairs(
    documents: Sequence[SentencesOf],
    config: PairConfig,
    generator: torch.Generator,
) -> list[SentencePair]:
    """Sample pairs for NSP from each document once, as Google's code does.

    A chunk of a single sentence has nothing to follow it: its pair is always
    a negative. After a negative, the sentences that would have followed are
    put back and begin the next chunk. So there are fewer positives than
    `1 - negative_prob` says; how many fewer depends on the documents.

    Args:
        documents: at least two, none of them empty.
        config: lengths and shares.
        generator: the source of all draws.

    Returns:
        The pairs in the order of the documents: shuffle them.

    Raises:
        ValueError: for fewer than two documents, or an empty document or
            sentence. (The released code goes on with one document, and takes
            negatives from the document itself.)

    Source: google-research/bert, create_pretraining_data.py,
    create_instances_from_document.
    """
    _check_documents(documents)
    if len(documents) < 2:
        raise ValueError(
            f"{len(documents)} document: negatives come from another one,"
            " give at least two"
        )
    return [
        pair
        for number in range(len(documents))
        for pair in pairs_of_document(documents, number, config, generator)
    ]


def pairs_of_document(
    documents: Sequence[SentencesOf],
    number: int,
    config: PairConfig,
    generator: torch.Generator,
) -> Iterator[SentencePair]:
    """Yield the pairs of one document; the others lend their sentences.

    Args:
        documents: as in `next_sentence_pairs`.
        number: which of them.
        config: lengths and shares.
        generator: the source of all draws.
    """
    document, dice = documents[number], _Dice(generator)
    target, start = _target_length(config, dice), 0
    while start < len(document):
        stop = _chunk_end(document, start, target)
        alone = stop - start == 1
        cut = stop if alone else dice.number(start + 1, stop - 1)
        first = Origin(number, start, cut)
        if alone or dice.coin(config.negative_prob):
            needed = target - sum(map(len, document[start:cut]))
            second = _elsewhere(documents, number, needed, dice)
            label, start = DOES_NOT, cut  # what follows the cut is put back
        else:
            second = Origin(number, cut, stop)
            label, start = FOLLOWS, stop
        yield _pair(documents, first, second, label, config, generator)


def sentence_order_pairs(
    documents: Sequence[SentencesOf],
    config: PairConfig,
    generator: torch.Generator,
) -> list[SentencePair]:
    """Sample pairs for SOP: neighbors in order, or the same two swapped.

    A chunk of a single sentence yields no pair. (The code released with
    ALBERT gives it a B from another document, a negative as in NSP.)

    Args:
        documents: none of them empty.
        config: lengths and shares.
        generator: the source of all draws.

    Returns:
        The pairs in the order of the documents: shuffle them.

    Raises:
        ValueError: for an empty document or sentence, or if no document has
            two sentences.

    Source: Lan et al. (2020), §3.1.
    """
    _check_documents(documents)
    if max(map(len, documents)) < 2:
        raise ValueError(
            "no document has two sentences: there is no order to predict"
        )
    pairs, dice = [], _Dice(generator)
    for number, document in enumerate(documents):
        target, stop = _target_length(config, dice), 0
        while stop < len(document):
            start, stop = stop, _chunk_end(document, stop, target)
            if stop - start == 1:
                continue
            cut = dice.number(start + 1, stop - 1)
            a, b = Origin(number, start, cut), Origin(number, cut, stop)
            label = FOLLOWS
            if dice.coin(config.negative_prob):
                a, b, label = b, a, DOES_NOT
            pairs.append(_pair(documents, a, b, label, config, generator))
    return pairs


def _check_documents(documents: Sequence[SentencesOf]) -> None:
    if not documents:
        raise ValueError("no document: give at least one")
    for number, document in enumerate(documents):
        if not document:
            raise ValueError(f"document {number} has no sentence: drop it")
        for place, sentence in enumerate(document):
            if not sentence:
                raise ValueError(
                    f"sentence {place} of document {number} is empty: drop it"
                )


def _target_length(config: PairConfig, dice: _Dice) -> int:
    """Draw how long the chunks of a document are: as a rule, full."""
    if dice.coin(config.short_seq_prob):
        return dice.number(2, config.num_text_tokens)
    return config.num_text_tokens


def _chunk_end(document: SentencesOf, start: int, target: int) -> int:
    """Return the place behind the sentence that reaches the target."""
    length = 0
    for stop in range(start, len(document)):
        length += len(document[stop])
        if length >= target:
            return stop + 1
    return len(document)


def _elsewhere(
    documents: Sequence[SentencesOf], number: int, needed: int, dice: _Dice
) -> Origin:
    """Draw another document, a place in it, and as much as is needed."""
    other = dice.number(0, len(documents) - 2)
    other += other >= number
    start = dice.number(0, len(documents[other]) - 1)
    return Origin(other, start, _chunk_end(documents[other], start, needed))


def _pair(
    documents: Sequence[SentencesOf],
    first: Origin,
    second: Origin,
    label: int,
    config: PairConfig,
    generator: torch.Generator,
) -> SentencePair:
    a, b = (
        [i for sentence in documents[d][start:stop] for i in sentence]
        for d, start, stop in (first, second)
    )
    a, b = truncate_pair(a, b, config.num_text_tokens, generator)
    return SentencePair(*join_pair(a, b, config), label, first, second)
