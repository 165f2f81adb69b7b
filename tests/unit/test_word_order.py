"""The toy languages: grammar by hand, sampling, and the leak."""

import pytest
import torch

from bertbook import word_order
from bertbook.transformer import Transformer, TransformerConfig
from bertbook.translation import TrainingConfig, train_translator
from bertbook.word_order import (
    WORDS,
    LeakyTransformer,
    Phrase,
    all_pairs,
    decode,
    draw_pairs,
    encode,
    pair_of,
    score,
    to_examples,
)


def make(kind):
    torch.manual_seed(0)
    config = TransformerConfig(
        vocab_size=len(WORDS),
        d_model=28,
        num_heads=2,
        d_ff=37,
        num_layers=1,
        dropout=0.0,
        max_len=16,
    )
    return kind(config).eval()


@pytest.mark.parametrize("plural", [False, True])
def test_the_verb_agrees_with_the_subject_alone(plural):
    one, other = Phrase("kata", "", plural), Phrase("gilo", "tavo", not plural)
    pair = pair_of(one, other, "nido")
    verb = "find" if plural else "finds"
    assert pair.target.split()[2] == verb
    assert pair.source.split()[-1] == "nido"


def test_every_sentence_is_different():
    pairs = all_pairs()
    phrases = 8 * 4 * 2
    assert len(pairs) == phrases * (phrases - 8) * 6 == 21_504
    assert len(set(pairs)) == len({p.source for p in pairs}) == len(pairs)
    assert len({p.target for p in pairs}) == len(pairs)


def test_words_become_ids_and_come_back():
    assert len(set(WORDS)) == len(WORDS)
    for pair in all_pairs()[::501]:
        for text in pair:
            assert decode(encode(text)) == text


def test_test_sentences_are_new():
    train, test = draw_pairs(300, 100, torch.Generator().manual_seed(0))
    assert len(set(train)) == 300
    assert not set(train) & set(test)
    again, _ = draw_pairs(300, 100, torch.Generator().manual_seed(0))
    other, _ = draw_pairs(300, 100, torch.Generator().manual_seed(1))
    assert again == train != other


@pytest.mark.parametrize("sizes", [(0, 5), (5, 0), (21_000, 505)])
def test_too_many_sentences_are_refused(sizes):
    with pytest.raises(ValueError, match="at most 21504"):
        draw_pairs(*sizes, torch.Generator())


def test_the_leak_reads_the_next_word_and_the_mask_does_not():
    examples = to_examples(all_pairs()[:1])
    source = torch.tensor([examples[0].source])
    padding = torch.ones_like(source, dtype=torch.bool)
    target = torch.tensor([[1, *examples[0].target]])
    changed = target.clone()
    changed[0, 4] = 3
    for kind, leaks in ((Transformer, False), (LeakyTransformer, True)):
        model = make(kind)
        before = model(source, padding, target)
        after = model(source, padding, changed)
        moved = (before[0, :4] - after[0, :4]).abs().max().item()
        assert (moved > 1e-3) == leaks


def test_a_leak_is_perfect_in_training_and_fails_alone():
    train, test = draw_pairs(500, 60, torch.Generator().manual_seed(0))
    model = make(LeakyTransformer)
    config = TrainingConfig(num_steps=200, learning_rate=5e-3)
    train_translator(
        model, to_examples(train), config, torch.Generator().manual_seed(0)
    )
    found = score(model, test)
    assert found.teacher_forced > 0.9
    assert found.exact_match < 0.2


def test_a_perfect_translator_scores_one(monkeypatch):
    _, test = draw_pairs(1, 20, torch.Generator().manual_seed(0))
    model = make(Transformer)
    right = [list(e.target) for e in to_examples(test)]
    monkeypatch.setattr(word_order, "translate", lambda *_, **__: right)
    assert score(model, test).exact_match == 1.0
    right[3] = right[3][:-1]
    assert score(model, test).exact_match == 0.95
    assert score(model, test).teacher_forced < 0.5
