"""Guessing by counts: against sums by hand, and on the rows of a run."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch

from bertbook.corpora import Document
from bertbook.masking import IGNORED
from bertbook.pretraining import baselines, loop
from bertbook.pretraining.baselines import (
    NONE,
    Chosen,
    NGrams,
    chosen_tokens,
    held_out_tokens,
    score,
)
from bertbook.pretraining.config import PretrainingConfig
from bertbook.pretraining.store import build_store, train_wordpieces

A, B, C, D = range(4)
START = np.array([0])


def counted(tokens: list[int], order: int, documents=START) -> NGrams:
    ids = np.array(tokens, dtype=np.int64)
    return NGrams(ids, np.array(documents), 4, order)


def after(model: NGrams, *left: int) -> list[float]:
    contexts = np.array([left], dtype=np.int64).reshape(1, len(left))
    return model.probabilities(contexts)[0].tolist()


def test_unigrams_by_hand() -> None:
    # A three times, B twice, C once: n1 = 1, n2 = 1, so D = 1 / 3.
    # Three kinds were seen, so 3 · 1/3 of 6 is shared among the 4 tokens.
    model = counted([A, B, A, C, A, B], order=1)
    share = 3 * (1 / 3) / 6 / 4
    taken = [(3 - 1 / 3) / 6, (2 - 1 / 3) / 6, (1 - 1 / 3) / 6, 0]
    assert after(model) == pytest.approx([p + share for p in taken])


def test_bigrams_by_hand() -> None:
    # Bigrams: AB twice, BA, AC, CA once. n1 = 3, n2 = 1: D = 3 / 5.
    # One level down a token counts as often as it has different tokens
    # before it: A after B and C: 2; B after A: 1; C after A: 1.
    # There n1 = 2 and n2 = 1: D = 2 / 4.
    model = counted([A, B, A, C, A, B], order=2)
    lower = [
        (2 - 0.5) / 4 + 3 * 0.5 / 4 / 4,
        (1 - 0.5) / 4 + 3 * 0.5 / 4 / 4,
        (1 - 0.5) / 4 + 3 * 0.5 / 4 / 4,
        3 * 0.5 / 4 / 4,
    ]
    assert sum(lower) == pytest.approx(1)
    assert after(model, NONE) == pytest.approx(lower)
    rest = 2 * 0.6 / 3  # after A: two kinds, three in all
    expected = [rest * p for p in lower]
    expected[B] += (2 - 0.6) / 3
    expected[C] += (1 - 0.6) / 3
    assert after(model, A) == pytest.approx(expected)
    assert after(model, D) == pytest.approx(lower)  # never seen before


def test_a_document_does_not_run_into_the_next() -> None:
    joined = counted([A, A, B, B], order=2)
    parted = counted([A, A, B, B], order=2, documents=np.array([0, 2]))
    assert after(joined, A)[B] > after(parted, A)[B]
    assert after(parted, A)[B] < after(parted, A)[A]
    assert len(parted._keys[1]) == 2
    assert len(joined._keys[1]) == 3


@pytest.mark.parametrize("order", [1, 2, 3, 5])
def test_probabilities_sum_to_one_and_are_positive(order) -> None:
    generator = np.random.default_rng(order)
    tokens = generator.integers(0, 13, 400)
    model = NGrams(tokens, np.array([0, 150]), 17, order)
    left = generator.integers(-1, 17, (37, 4))
    given = model.probabilities(left)
    assert given.shape == (37, 17)
    assert given.min() > 0
    np.testing.assert_allclose(given.sum(axis=1), 1)


def test_what_only_begins_documents_counts_nothing() -> None:
    # Three documents: B C D, A B D, C B D. A, BC, AB and CB stand at their
    # beginnings alone, so nothing was ever seen before them.
    # Unigrams: B after A and C: 2; C after B: 1; D after B and C: 2; D = 1/5.
    # Bigrams: BD after A and C: 2; CD after B: 1; D = 1/3.
    model = counted([B, C, D, A, B, D, C, B, D], 3, documents=[0, 3, 6])
    share = 3 * (1 / 5) / 5 / 4
    lower = [share, 1.8 / 5 + share, 0.8 / 5 + share, 1.8 / 5 + share]
    assert after(model, NONE) == pytest.approx(lower)
    expected = [1 / 3 / 2 * p for p in lower]  # after B: one kind, two in all
    expected[D] += (2 - 1 / 3) / 2
    assert sum(expected) == pytest.approx(1)
    assert after(model, B) == pytest.approx(expected)
    assert after(model, A) == pytest.approx(lower)  # nothing to go by
    chosen = Chosen(np.array([[B]]), np.array([C]))
    assert score(model, chosen).loss == pytest.approx(-math.log(expected[C]))


@pytest.mark.parametrize("order", [1, 2, 3, 5])
def test_short_documents_keep_probabilities_positive(order) -> None:
    generator = np.random.default_rng(order)
    tokens = generator.integers(0, 13, 400)
    model = NGrams(tokens, np.arange(0, 400, 5), 17, order)
    given = model.probabilities(generator.integers(-1, 17, (200, 4)))
    assert given.min() > 0
    np.testing.assert_allclose(given.sum(axis=1), 1)


def test_longer_contexts_know_a_text_better() -> None:
    tokens = np.array([A, B, C, D, A, C, B, D] * 20)
    places = np.arange(4, len(tokens))
    left = np.stack([tokens[places - back] for back in (4, 3, 2, 1)], axis=1)
    chosen = Chosen(left, tokens[places])
    losses = [score(NGrams(tokens, START, 4, n), chosen) for n in (1, 2, 5)]
    assert losses[0].loss > losses[1].loss > losses[2].loss
    assert losses[2].accuracy == 1


def test_a_score_by_hand() -> None:
    model = counted([A, B, A, C, A, B], order=1)
    chosen = Chosen(np.zeros((3, 4), dtype=int), np.array([A, B, A]))
    p, q = after(model)[A], after(model)[B]
    given = score(model, chosen, at_once=2)
    assert given.loss == pytest.approx(-(2 * math.log(p) + math.log(q)) / 3)
    assert given.accuracy == pytest.approx(2 / 3)


def test_a_context_ends_where_its_sequence_begins() -> None:
    ids = torch.tensor([[2, 10, 11, 3, 2, 12, 13, 14, 3, 0]])
    sequence = torch.tensor([[1, 1, 1, 1, 2, 2, 2, 2, 2, 0]])
    labels = torch.full_like(ids, IGNORED)
    for place in (1, 2, 5, 7):
        labels[0, place] = ids[0, place]
    left, wanted = chosen_tokens(ids, labels, sequence, length=3)
    assert wanted.tolist() == [10, 11, 12, 14]
    assert left.tolist() == [
        [NONE, NONE, NONE],
        [NONE, NONE, 10],
        [NONE, NONE, NONE],
        [NONE, 12, 13],
    ]


def test_nothing_to_count_or_to_guess_is_refused() -> None:
    with pytest.raises(ValueError, match="order of at least 1"):
        counted([A], order=0)
    with pytest.raises(ValueError, match="a text"):
        counted([], order=2)
    nothing = Chosen(np.zeros((0, 4), dtype=int), np.zeros(0, dtype=int))
    with pytest.raises(ValueError, match="no token was chosen"):
        score(counted([A, B], order=1), nothing)


def test_the_tokens_are_those_that_a_run_evaluates(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "the cat sat on the mat. the dog ran to the man. " * 40
    documents = [Document("made up", "one", text)]
    vocabulary = train_wordpieces(documents, 40)
    store = build_store(documents, vocabulary, tmp_path / "store")
    config = PretrainingConfig(
        vocab_size=len(vocabulary), num_layers=1, d_model=8, num_heads=1,
        d_ff=8, max_len=16, width=32, rows=16, stages="0:8 5:16", steps=9,
        precision="fp32",
    )  # fmt: skip
    run = loop.Run(config, vocabulary, store, store, tmp_path / "run")
    asked = []
    entropy = loop.F.cross_entropy

    def recording(logits, wanted, **options):
        asked.append(wanted)
        return entropy(logits, wanted, **options)

    monkeypatch.setattr(loop.F, "cross_entropy", recording)
    run.evaluate()
    chosen = held_out_tokens(run.held_out)
    assert chosen.wanted.tolist() == torch.cat(asked).tolist()
    scores = baselines.baselines(store, chosen)
    assert scores["5-gram"].loss < scores["bigram"].loss
    assert scores["bigram"].loss < scores["unigram"].loss
