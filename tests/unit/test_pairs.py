"""Samplers of segment pairs: definition, balance, and their quirks."""

import math

import pytest
import torch

from bertbook.checks.pair_mistakes import expected
from bertbook.pairs import (
    DOES_NOT,
    FOLLOWS,
    PairConfig,
    join_pair,
    next_sentence_pairs,
    sentence_order_pairs,
    truncate_pair,
)

CLS, SEP = 1, 2
ROOMY = PairConfig(cls_id=CLS, sep_id=SEP, max_len=512)
TIGHT = PairConfig(cls_id=CLS, sep_id=SEP, max_len=37)
SAMPLERS = {"NSP": next_sentence_pairs, "SOP": sentence_order_pairs}
each_sampler = pytest.mark.parametrize(
    "sample", SAMPLERS.values(), ids=SAMPLERS
)
each_config = pytest.mark.parametrize(
    "config",
    [
        ROOMY,
        TIGHT,
        PairConfig(cls_id=CLS, sep_id=SEP, max_len=5, short_seq_prob=0.5),
        PairConfig(cls_id=CLS, sep_id=SEP, max_len=64, short_seq_prob=1.0),
    ],
    ids=["roomy", "tight", "five", "short"],
)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def library(sizes: list[int], seed: int = 0) -> list[list[list[int]]]:
    """Write documents of so many sentences; no id stands in two places."""
    lengths = torch.randint(1, 14, (sum(sizes),), generator=seeded(seed))
    following, parts = iter(lengths.tolist()), []
    first_id = 10
    for size in sizes:
        document = []
        for _ in range(size):
            length = next(following)
            document.append(list(range(first_id, first_id + length)))
            first_id += length
        parts.append(document)
    return parts


MIXED = library([1, 2, 3, 5, 8, 13, 21, 34, 55] * 6)


@each_config
@each_sampler
def test_the_form_of_a_sequence(sample, config) -> None:
    pairs = sample(MIXED, config, seeded())
    assert len(pairs) > 20
    for pair in pairs:
        ids, segments = pair.token_ids, pair.segment_ids
        assert len(ids) == len(segments) <= config.max_len
        first_end = ids.index(SEP)
        assert (ids[0], ids[-1], ids.count(SEP)) == (CLS, SEP, 2)
        assert segments == [0] * (first_end + 1) + [1] * (
            len(ids) - first_end - 1
        )
        assert 1 < first_end < len(ids) - 2  # A and B hold a token


@each_config
def test_what_follows_is_adjacent_and_nothing_else_is(config) -> None:
    labels = []
    for pair in next_sentence_pairs(MIXED, config, seeded(1)):
        a, b = pair.first, pair.second
        same = a.document == b.document
        assert (pair.label == FOLLOWS) == same
        assert not same or a.stop == b.start
        labels.append(pair.label)
    # With 5 ids a chunk may be one sentence throughout: all are negatives.
    assert set(labels) >= {DOES_NOT}
    assert config.max_len == 5 or FOLLOWS in labels


@each_config
def test_order_pairs_are_neighbors_of_one_document(config) -> None:
    labels = set()
    for pair in sentence_order_pairs(MIXED, config, seeded(1)):
        a, b = pair.first, pair.second
        assert a.document == b.document
        if pair.label == FOLLOWS:
            assert a.stop == b.start
        else:
            assert b.stop == a.start
        labels.add(pair.label)
    assert labels == {FOLLOWS, DOES_NOT}


@each_config
@each_sampler
def test_a_segment_holds_what_its_origin_says(sample, config) -> None:
    for pair in sample(MIXED, config, seeded(2)):
        cut = pair.token_ids.index(SEP)
        for ids, (document, start, stop) in (
            (pair.token_ids[1:cut], pair.first),
            (pair.token_ids[cut + 1 : -1], pair.second),
        ):
            source = [i for s in MIXED[document][start:stop] for i in s]
            place = source.index(ids[0])
            assert source[place : place + len(ids)] == ids


@each_sampler
def test_a_generator_repeats_the_pairs(sample) -> None:
    first, again, other = (sample(MIXED, TIGHT, seeded(s)) for s in (3, 3, 4))
    assert first == again != other


@each_sampler
def test_balance(sample) -> None:
    """Long documents: half of the pairs follow, up to a binomial band."""
    documents = library([2_000] * 10)
    labels = [pair.label for pair in sample(documents, TIGHT, seeded())]
    share, n = labels.count(FOLLOWS) / len(labels), len(labels)
    band = 4.5 * 0.5 / math.sqrt(n)
    # NSP: a chunk of one sentence is rare here, and always a negative.
    assert 0.5 - band - 0.02 * (sample is next_sentence_pairs) < share
    assert share < 0.5 + band


def test_a_lone_sentence_is_always_a_negative() -> None:
    documents = library([1] * 400)
    pairs = next_sentence_pairs(documents, ROOMY, seeded())
    assert len(pairs) == 400
    assert {pair.label for pair in pairs} == {DOES_NOT}
    with pytest.raises(ValueError, match="there is no order to predict"):
        sentence_order_pairs(documents, ROOMY, seeded())


def test_two_sentences_give_a_third_of_positives() -> None:
    """Follows: one pair. Else: the second is put back, and is alone."""
    config = PairConfig(cls_id=CLS, sep_id=SEP, short_seq_prob=0.0)
    pairs = next_sentence_pairs(library([2] * 6_000), config, seeded())
    follows = sum(pair.label == FOLLOWS for pair in pairs)
    assert abs(follows - 3_000) < 4.5 * math.sqrt(6_000 / 4)
    assert len(pairs) == 6_000 + (6_000 - follows)
    assert abs(follows / len(pairs) - 1 / 3) < 0.02


@pytest.mark.parametrize("size", [3, 7, 20])
def test_the_share_of_positives_is_what_the_exercise_computes(size) -> None:
    config = PairConfig(cls_id=CLS, sep_id=SEP, short_seq_prob=0.0)
    documents = [[[9]] * size] * 2_000
    labels = [
        p.label for p in next_sentence_pairs(documents, config, seeded())
    ]
    positives, pairs = expected(size)
    share = labels.count(FOLLOWS) / len(labels)
    assert abs(share - float(positives / pairs)) < 0.02
    assert abs(len(labels) / 2_000 - float(pairs)) < 0.1


@each_config
def test_every_sentence_of_a_document_is_used(config) -> None:
    used = [set() for _ in MIXED]
    for pair in next_sentence_pairs(MIXED, config, seeded(5)):
        document, start, stop = pair.first
        used[document] |= set(range(start, stop))
        if pair.label == FOLLOWS:
            used[document] |= set(range(*pair.second[1:]))
    assert used == [set(range(len(document))) for document in MIXED]


def test_negatives_come_from_all_other_documents() -> None:
    documents = library([30] * 5)
    pairs = [
        pair
        for seed in range(40)
        for pair in next_sentence_pairs(documents, TIGHT, seeded(seed))
        if pair.label == DOES_NOT
    ]
    seen = {(p.first.document, p.second.document) for p in pairs}
    assert seen == {(a, b) for a in range(5) for b in range(5) if a != b}
    starts = [p.second.start for p in pairs]
    assert {0, 29} <= set(starts)
    assert abs(sum(starts) / len(starts) - 14.5) < 1


def test_full_and_short_sequences() -> None:
    documents = library([3_000] * 4)
    lengths = {}
    for prob in (0.0, 1.0):
        config = PairConfig(
            cls_id=CLS, sep_id=SEP, max_len=128, short_seq_prob=prob
        )
        pairs = next_sentence_pairs(documents, config, seeded(7))
        lengths[prob] = [len(pair.token_ids) for pair in pairs]
    full = sum(length == 128 for length in lengths[0.0]) / len(lengths[0.0])
    assert full > 0.9
    assert len(set(lengths[1.0])) > len(set(lengths[0.0]))
    assert sum(lengths[1.0]) / len(lengths[1.0]) < 110


def test_truncation_takes_from_the_longer_by_a_coin() -> None:
    first, second = list(range(100)), list(range(200, 230))
    fronts = 0
    for seed in range(300):
        a, b = truncate_pair(first, second, 40, seeded(seed))
        assert (len(a), len(b)) == (20, 20)
        assert a == list(range(a[0], a[0] + 20))
        assert b == list(range(b[0], b[0] + 20))
        fronts += a[0]
    # 80 tokens fall off A, half of them in front.
    assert abs(fronts / 300 - 40) < 4.5 * math.sqrt(20 / 300)


def test_truncation_by_hand() -> None:
    a, b = truncate_pair([1, 2], [3, 4], 3, seeded())
    assert a == [1, 2]
    assert b in ([3], [4])
    assert truncate_pair([1], [2], 2, seeded()) == ([1], [2])


def test_the_longest_sequence_of_bert_is_512() -> None:
    documents = library([400] * 3)
    pairs = next_sentence_pairs(documents, ROOMY, seeded())
    assert max(len(pair.token_ids) for pair in pairs) == 512


def test_a_pair_by_hand() -> None:
    ids, segments = join_pair([7], [8, 9], TIGHT)
    assert ids == [CLS, 7, SEP, 8, 9, SEP]
    assert segments == [0, 0, 0, 1, 1, 1]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"max_len": 4}, "max_len is 4: .* takes at least 5"),
        ({"short_seq_prob": 1.5}, "short_seq_prob is 1.5"),
        ({"negative_prob": -0.5}, "negative_prob is -0.5"),
        ({"negative_prob": math.nan}, "negative_prob is nan"),
    ],
)
def test_settings_that_cannot_be(change, message) -> None:
    with pytest.raises(ValueError, match=message):
        PairConfig(cls_id=CLS, sep_id=SEP, **change)


@each_sampler
@pytest.mark.parametrize(
    ("documents", "message"),
    [
        ([], "no document: give at least one"),
        ([[[5]], []], "document 1 has no sentence"),
        ([[[5], []], [[6]]], "sentence 1 of document 0 is empty"),
    ],
)
def test_documents_that_cannot_be_cut(sample, documents, message) -> None:
    with pytest.raises(ValueError, match=message):
        sample(documents, ROOMY, seeded())


def test_one_document_has_no_other() -> None:
    with pytest.raises(ValueError, match="1 document: negatives come from"):
        next_sentence_pairs([[[5], [6]]], ROOMY, seeded())
