"""Translation: the shift, the pads, the schedule, both kinds of model."""

import math

import pytest
import torch
import torch.nn.functional as F

from bertbook import corpora, seq2seq, transformer, translation
from bertbook.seq2seq import AttentionSeq2Seq, Seq2Seq, Seq2SeqConfig
from bertbook.transformer import Transformer, TransformerConfig
from bertbook.translation import (
    END_ID,
    IGNORED,
    PAD_ID,
    START_ID,
    UNKNOWN_ID,
    Example,
    TrainingConfig,
    add_dropout,
    batches,
    collate,
    logits_of,
    train_translator,
    train_vocabulary,
    translate,
    translation_loss,
)

EXAMPLES = [
    Example([5, 6, 7, 8, 9], [10, 11]),
    Example([12], [13, 14, 15, 16]),
    Example([7, 7], []),
]
each_model = pytest.mark.parametrize(
    "kind", [Transformer, Seq2Seq, AttentionSeq2Seq]
)


def make(kind):
    torch.manual_seed(0)
    if kind is Transformer:
        config = TransformerConfig(
            vocab_size=37,
            d_model=14,
            num_heads=7,
            d_ff=13,
            num_layers=1,
            max_len=19,
        )
        return kind(config).eval()
    config = Seq2SeqConfig(
        vocab_size=37,
        d_embedding=7,
        d_hidden=13,
        max_len=19,
        start_id=START_ID,
        end_id=END_ID,
    )
    return kind(config).eval()


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def tokenizer():
    train = corpora.translation_splits().train[:400]
    return train_vocabulary((t for pair in train for t in pair), 500)


class TestVocabulary:
    def test_it_has_the_size_and_the_special_ids_asked_for(self, tokenizer):
        assert tokenizer.get_vocab_size() == 500
        special = [tokenizer.id_to_token(i) for i in range(4)]
        assert special == ["<pad>", "<s>", "</s>", "<unk>"]

    def test_text_comes_back_whole(self, tokenizer):
        for pair in corpora.translation_splits().test[::7]:
            ids = tokenizer.encode(pair.source).ids
            assert tokenizer.decode(ids) == pair.source
            assert not {PAD_ID, START_ID, END_ID} & set(ids)

    def test_a_letter_never_seen_is_unknown(self, tokenizer):
        assert UNKNOWN_ID in tokenizer.encode("a ж").ids

    def test_no_room_for_a_word(self):
        with pytest.raises(ValueError, match="vocab_size is 4"):
            train_vocabulary(["a"], 4)


class TestCollate:
    def test_the_decoder_reads_one_place_behind(self):
        batch = collate(EXAMPLES)
        assert batch.target_inputs.tolist() == [
            [START_ID, 10, 11, PAD_ID, PAD_ID],
            [START_ID, 13, 14, 15, 16],
            [START_ID, PAD_ID, PAD_ID, PAD_ID, PAD_ID],
        ]
        assert batch.labels.tolist() == [
            [10, 11, END_ID, IGNORED, IGNORED],
            [13, 14, 15, 16, END_ID],
            [END_ID, IGNORED, IGNORED, IGNORED, IGNORED],
        ]
        assert batch.source_padding.sum(1).tolist() == [5, 1, 2]

    @pytest.mark.parametrize("bad", [[], [Example([], [5])]])
    def test_what_cannot_be_a_batch(self, bad):
        with pytest.raises(ValueError, match="a source of at least one id"):
            collate(bad)

    def test_a_round_uses_every_example_once(self):
        examples = [Example([i], [i]) for i in range(5, 36)]
        drawn = batches(examples, 7, seeded())
        for _ in range(2):
            ids = [i for _ in range(5) for i in next(drawn).source_ids[:, 0]]
            assert sorted(map(int, ids)) == list(range(5, 36))


@each_model
def test_pads_carry_no_loss(kind):
    model = make(kind)
    batch = collate(EXAMPLES)
    real = batch.labels != IGNORED
    probs = F.log_softmax(logits_of(model, batch), dim=-1)
    taken = probs[real].gather(1, batch.labels[real][:, None])
    by_hand = -taken.mean()
    assert torch.allclose(translation_loss(model, batch), by_hand, atol=1e-6)
    inputs = batch.target_inputs.masked_fill(~real, 20)
    changed = batch._replace(target_inputs=inputs)
    assert torch.allclose(translation_loss(model, changed), by_hand, atol=1e-6)


@each_model
def test_a_row_alone_has_the_logits_it_has_in_a_batch(kind):
    model = make(kind)
    together = logits_of(model, collate(EXAMPLES))
    for row, example in enumerate(EXAMPLES):
        alone = logits_of(model, collate([example]))[0]
        torch.testing.assert_close(
            together[row, : len(alone)], alone, rtol=0, atol=1e-5
        )


def test_the_rate_rises_and_then_falls_to_zero():
    config = TrainingConfig(num_steps=100, warmup_prob=0.1)
    shares = [config.share(step) for step in range(100)]
    assert shares[0] == pytest.approx(0.1)
    assert shares[9] == shares[10] == 1.0
    assert shares[55] == pytest.approx(0.5)
    assert shares[99] == pytest.approx(1 / 90)


@each_model
def test_training_learns_a_batch_by_heart(kind):
    model = make(kind)
    config = TrainingConfig(num_steps=120, batch_size=3, learning_rate=2e-2)
    losses = train_translator(model, EXAMPLES, config, seeded())
    assert losses[0] > 2.0
    assert losses[-1] < 0.3
    sources = [example.source for example in EXAMPLES]
    written = translate(model, sources, max_len=9)
    assert written == [list(example.target) for example in EXAMPLES]


def test_the_same_seed_gives_the_same_run():
    config = TrainingConfig(num_steps=4, batch_size=2)
    first, second = (
        train_translator(make(Transformer), EXAMPLES, config, seeded(3))
        for _ in range(2)
    )
    assert first == second
    assert len(set(first)) == 4


def test_products_in_half_precision_stay_close():
    half = TrainingConfig(num_steps=2, batch_size=3, half=True)
    whole = TrainingConfig(num_steps=2, batch_size=3)
    one = train_translator(make(Seq2Seq), EXAMPLES, half, seeded())
    other = train_translator(make(Seq2Seq), EXAMPLES, whole, seeded())
    assert one == pytest.approx(other, rel=0.02)
    assert one != other


@pytest.mark.parametrize("kind", [Seq2Seq, AttentionSeq2Seq])
def test_dropout_acts_in_training_alone(kind):
    model, batch = make(kind), collate(EXAMPLES)
    before = logits_of(model, batch)
    size = sum(p.numel() for p in model.parameters())
    add_dropout(model, 0.5)
    assert torch.equal(logits_of(model, batch), before)
    assert sum(p.numel() for p in model.parameters()) == size
    model.train()
    torch.manual_seed(1)
    noisy = logits_of(model, batch)
    torch.manual_seed(1)
    assert torch.equal(logits_of(model, batch), noisy)
    assert not torch.allclose(noisy, before, atol=0.01)


def test_dropout_never_stands_between_two_steps():
    model = make(Seq2Seq)
    add_dropout(model, 1.0 - 1e-9)  # all that it touches becomes zero
    model.train()
    source, lengths = torch.tensor([[5, 6, 7]]), torch.tensor([3])
    states, _ = model.encoder(model.embedding(source), lengths)
    zeros = torch.zeros(1, 3, 7)
    assert torch.equal(states, model.encoder(zeros, lengths)[0])
    assert states.abs().min() > 0


@each_model
def test_writing_is_done_without_dropout_and_leaves_the_mode(kind):
    model = make(kind)
    if kind is not Transformer:
        add_dropout(model, 0.5)
    model.train()
    once, again = (translate(model, [[5, 6]], max_len=9) for _ in range(2))
    assert once == again == translate(model.eval(), [[5, 6]], max_len=9)
    model.train()
    translate(model, [[5]], max_len=1)
    assert model.training


def test_smoothing_gives_every_id_a_share():
    model, batch = make(Seq2Seq), collate(EXAMPLES)
    plain = translation_loss(model, batch)
    uniform = translation_loss(model, batch, smoothing=1.0)
    mixed = translation_loss(model, batch, smoothing=0.25)
    expected = 0.75 * plain.item() + 0.25 * uniform.item()
    assert math.isclose(mixed.item(), expected, rel_tol=1e-5)


@each_model
def test_sources_come_back_in_their_own_order(kind):
    model = make(kind)
    sources = [[5] * n for n in (7, 1, 13, 3, 1)]
    together = translate(model, sources, max_len=5, batch_size=2)
    alone = [translate(model, [s], max_len=5)[0] for s in sources]
    assert together == alone


@each_model
@pytest.mark.parametrize(
    ("sources", "named"),
    [
        ([[5], []], "a source of at least one id"),
        ([[5] * 20], "20"),
        ([[37]], "token id 37 is not in the vocabulary"),
    ],
)
def test_sources_that_cannot_be_read(kind, sources, named):
    with pytest.raises(ValueError, match=named):
        translate(make(kind), sources, max_len=5)


def test_a_row_of_padding_alone_is_refused():
    padding = torch.tensor([[True, True], [False, False]])
    with pytest.raises(ValueError, match=r"rows \[1\].*all padding"):
        transformer.greedy_decode(
            make(Transformer),
            torch.full((2, 2), 5),
            padding,
            start_id=START_ID,
            end_id=END_ID,
            max_len=3,
        )
    with pytest.raises(ValueError, match="length 0"):
        seq2seq.greedy_decode(
            make(Seq2Seq), torch.full((2, 2), 5), padding.sum(1), 3
        )


@pytest.mark.parametrize("max_len", [0, 20])
def test_decoding_past_the_limit_is_refused(max_len):
    with pytest.raises(ValueError, match="writes 1 to 19"):
        translate(make(Transformer), [[5]], max_len=max_len)


def test_the_module_reads_ids_from_one_place():
    assert (PAD_ID, START_ID, END_ID, UNKNOWN_ID) == (0, 1, 2, 3)
    assert translation.IGNORED == -100
