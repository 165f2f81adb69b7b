"""The encoder–decoder: its parts by hand, its padding, its failures."""

import math

import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence

from bertbook.masks import padding_mask
from bertbook.reversal import (
    END,
    START,
    decode_ids,
    encode_strings,
    random_batch,
    reversal_batch,
)
from bertbook.seq2seq import (
    AttentionSeq2Seq,
    Seq2Seq,
    Seq2SeqConfig,
    additive_attention,
    check_source,
    greedy_decode,
    gru_step,
)

MODELS = [Seq2Seq, AttentionSeq2Seq]
ODD = Seq2SeqConfig(vocab_size=15, d_embedding=7, d_hidden=37, d_attention=11)
each_model = pytest.mark.parametrize("build", MODELS)


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)


def strings_of(*lengths: int, seed: int = 0, config: Seq2SeqConfig = ODD):
    """One row of random symbols per length, padded with `</s>`."""
    width = max(lengths)
    generator = torch.Generator().manual_seed(seed)
    shape = (len(lengths), width)
    ids = torch.randint(2, config.vocab_size, shape, generator=generator)
    sizes = torch.tensor(lengths)
    return ids.masked_fill(~padding_mask(sizes, width), END), sizes


def encode(model: Seq2Seq, source: torch.Tensor, lengths: torch.Tensor):
    """The encoder's states, and its context vectors."""
    return model.encoder(model.embedding(source), lengths)


def parameters_of(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


class TestSizes:
    def test_without_attention(self) -> None:
        model = Seq2Seq(Seq2SeqConfig())
        embedding, gru = 16 * 32, 3 * 64 * (32 + 64) + 6 * 64
        assert embedding + 2 * gru + (64 + 1) * 16 == 39_184
        assert parameters_of(model) == 39_184

    def test_attention_adds_two_projections_and_a_wider_output(self) -> None:
        model = AttentionSeq2Seq(Seq2SeqConfig())
        assert 2 * 64 * 32 + 64 * 16 == 5_120
        assert parameters_of(model) == 39_184 + 5_120 == 44_304

    @each_model
    def test_the_context_does_not_grow(self, build) -> None:
        model = build(ODD)
        for length in (1, 13, 64):
            states, context = encode(model, *strings_of(length))
            assert states.shape == (1, length, 37)
            assert context.shape == (1, 37)


class TestGru:
    def test_a_step_by_hand(self) -> None:
        one = torch.ones(1, 1)
        weights = torch.tensor([[0.0], [math.log(3.0)], [1.0]])
        zero = torch.zeros(3)
        new = gru_step(one, 2 * one, weights, torch.zeros(3, 1), zero, zero)
        # update gate: sigmoid(ln 3) = 3/4; proposal: tanh(1)
        assert new.item() == pytest.approx(0.75 * 2 + 0.25 * math.tanh(1.0))

    def test_the_reset_gate_is_inside_the_proposal(self) -> None:
        weights = torch.tensor([[0.0], [-50.0], [0.0]])
        hidden = torch.full((1, 1), 0.5)
        from_h = torch.tensor([[0.0], [0.0], [3.0]])
        zero = torch.zeros(3)
        new = gru_step(torch.ones(1, 1), hidden, weights, from_h, zero, zero)
        # reset: sigmoid(0) = 1/2; update: 0; proposal: tanh(1/2 · 3 · 1/2)
        assert new.item() == pytest.approx(math.tanh(0.75))

    def test_steps_make_the_encoder(self) -> None:
        model = Seq2Seq(ODD)
        source, lengths = strings_of(13, 7, 1)
        states, context = encode(model, source, lengths)
        inputs, hidden = model.embedding(source), torch.zeros(3, 37)
        for step in range(13):
            hidden = gru_step(
                inputs[:, step], hidden, *model.encoder.gru.all_weights[0]
            )
            assert torch.allclose(states[:, step], hidden, atol=1e-6)
        assert torch.equal(context[1], states[1, 6])

    def test_packing_gives_the_same_context(self) -> None:
        model = Seq2Seq(ODD)
        source, lengths = strings_of(7, 13, 1)
        packed = pack_padded_sequence(
            model.embedding(source),
            lengths,
            batch_first=True,
            enforce_sorted=False,
        )
        _, final = model.encoder.gru(packed)
        _, context = encode(model, source, lengths)
        assert torch.allclose(context, final[0], atol=1e-6)


class TestAdditiveAttention:
    def test_by_hand(self) -> None:
        query = torch.tensor([[[1.0]]])
        keys = torch.tensor([[[0.0], [1.0], [9.0]]])
        one = torch.ones(1, 1)
        mask = torch.tensor([[True, True, False]])
        read, weights = additive_attention(
            query, keys, one, one, torch.tensor([2.0]), mask
        )
        # scores 2·tanh(1 + 0) = 1.523188 and 2·tanh(1 + 1) = 1.928055
        second = 1 / (1 + math.exp(2 * (math.tanh(1.0) - math.tanh(2.0))))
        assert second == pytest.approx(0.599857, abs=1e-6)
        assert weights[0, 0].tolist() == pytest.approx([1 - second, second, 0])
        assert read.item() == pytest.approx(second)

    def test_each_place_by_a_loop(self) -> None:
        query, keys = torch.randn(3, 5, 7), torch.randn(3, 13, 11)
        w_query, w_key, v = (
            torch.randn(2, 7),
            torch.randn(2, 11),
            torch.randn(2),
        )
        lengths = torch.tensor([13, 6, 1])
        read, weights = additive_attention(
            query, keys, w_query, w_key, v, padding_mask(lengths, 13)
        )
        for row, length in enumerate(lengths.tolist()):
            for asker in range(5):
                scores = [
                    sum(
                        v[i]
                        * torch.tanh(
                            w_query[i] @ query[row, asker]
                            + w_key[i] @ keys[row, place]
                        )
                        for i in range(2)
                    )
                    for place in range(length)
                ]
                expected = torch.softmax(torch.stack(scores), dim=0)
                got = weights[row, asker]
                assert torch.allclose(got[:length], expected, atol=1e-6)
                assert torch.equal(got[length:], torch.zeros(13 - length))
                mixed = expected @ keys[row, :length]
                assert torch.allclose(read[row, asker], mixed, atol=1e-5)

    def test_a_row_that_may_attend_nowhere_gives_zeros(self) -> None:
        keys = torch.randn(2, 3, 4, requires_grad=True)
        mask = torch.tensor([[False] * 3, [True] * 3])
        read, weights = additive_attention(
            torch.randn(2, 1, 4), keys, torch.randn(5, 4), torch.randn(5, 4),
            torch.randn(5), mask,
        )  # fmt: skip
        assert torch.equal(read[0], torch.zeros(1, 4))
        assert torch.equal(weights[0], torch.zeros(1, 3))
        read.sum().backward()
        assert keys.grad is not None
        assert keys.grad.isfinite().all()

    def test_the_order_of_the_keys_does_not_matter(self) -> None:
        query, keys = torch.randn(1, 3, 37), torch.randn(1, 7, 37)
        weights = torch.randn(5, 37), torch.randn(5, 37), torch.randn(5)
        mask = torch.ones(1, 7, dtype=torch.bool)
        read, seen = additive_attention(query, keys, *weights, mask)
        order = torch.randperm(7)
        moved = additive_attention(query, keys[:, order], *weights, mask)
        assert torch.allclose(read, moved[0], atol=1e-5)
        assert torch.allclose(seen[..., order], moved[1], atol=1e-6)

    @pytest.mark.parametrize(
        ("mask", "message"),
        [
            (torch.ones(2, 3), "dtype torch.float32"),
            (torch.ones(2, 4, dtype=torch.bool), r"shape \(2, 1, 4\)"),
        ],
    )
    def test_a_mask_that_does_not_fit(self, mask, message) -> None:
        query, keys, w = torch.ones(2, 1, 4), torch.ones(2, 3, 4), torch.eye(4)
        with pytest.raises(ValueError, match=message):
            additive_attention(query, keys, w, w, torch.ones(4), mask)


class TestProperties:
    @each_model
    def test_padding_changes_nothing(self, build) -> None:
        model = build(ODD)
        source, lengths = strings_of(7)
        inputs = reversal_batch(source, lengths).target_inputs
        alone = model(source, lengths, inputs)
        for filler in (START, END, 5):
            wider = torch.cat([source, source.new_full((1, 6), filler)], 1)
            padded = model(wider, lengths, inputs)
            assert torch.allclose(padded, alone, atol=1e-6)
            written = greedy_decode(model, wider, lengths, 9)
            expected = greedy_decode(model, source, lengths, 9)
            assert torch.equal(written, expected)

    @each_model
    def test_the_neighbours_change_nothing(self, build) -> None:
        model = build(ODD)
        source, lengths = strings_of(3, 13, 5)
        inputs = reversal_batch(source, lengths).target_inputs
        together = model(source, lengths, inputs)
        alone = model(source[:1, :3], lengths[:1], inputs[:1, :4])
        assert torch.allclose(together[:1, :4], alone, atol=1e-6)

    @each_model
    def test_the_future_changes_nothing(self, build) -> None:
        model = build(ODD)
        source, lengths = strings_of(7)
        inputs = reversal_batch(source, lengths).target_inputs
        changed = inputs.clone()
        changed[:, 4:] = 2
        before, after = (
            model(source, lengths, ids) for ids in (inputs, changed)
        )
        assert torch.allclose(before[:, :4], after[:, :4], atol=1e-6)
        assert not torch.allclose(before[:, 4:], after[:, 4:], atol=1e-6)

    @each_model
    def test_swapped_symbols_change_something(self, build) -> None:
        model = build(ODD)
        source, lengths = encode_strings(["abcdefg", "bacdefg"], ODD)
        _, context = encode(model, source, lengths)
        assert not torch.allclose(context[0], context[1], atol=1e-6)

    @each_model
    def test_every_parameter_gets_a_gradient(self, build) -> None:
        model = build(ODD)
        batch = random_batch(ODD, 37, 2, 9, torch.Generator().manual_seed(0))
        logits = model(batch.source, batch.lengths, batch.target_inputs)
        nn.functional.cross_entropy(
            logits.flatten(0, 1), batch.labels.flatten()
        ).backward()
        for name, parameter in model.named_parameters():
            assert parameter.grad is not None, name
            assert parameter.grad.abs().sum() > 0, name

    @each_model
    def test_stepping_equals_running_whole(self, build) -> None:
        model = build(ODD)
        source, lengths = strings_of(7, 13)
        inputs = reversal_batch(source, lengths).target_inputs
        whole = model(source, lengths, inputs)
        states, hidden = encode(model, source, lengths)
        mask = padding_mask(lengths, 13)
        for step in range(inputs.shape[1]):
            column = inputs[:, step : step + 1]
            logits, hidden = model.decoder(
                model.embedding(column), hidden, states, mask
            )
            assert torch.allclose(logits[:, 0], whole[:, step], atol=1e-5)


class TestStrings:
    def test_strings_come_back(self) -> None:
        strings = ["a", "abcm", "mmm"]
        assert decode_ids(encode_strings(strings, ODD)[0]) == strings


class TestDecoding:
    def test_only_the_end_follows_the_end(self) -> None:
        model = Seq2Seq(ODD)
        with torch.no_grad():
            model.decoder.output.bias[END] = 100.0
        written = greedy_decode(model, *strings_of(5, 3), 4)
        assert written.tolist() == [[END] * 4] * 2

    def test_it_goes_on_only_until_the_end(self) -> None:
        model = AttentionSeq2Seq(ODD)
        source, lengths = strings_of(*range(1, 14))
        for row in greedy_decode(model, source, lengths, 37).tolist():
            assert END not in row or set(row[row.index(END) :]) == {END}


class TestFailures:
    @pytest.mark.parametrize(
        ("sizes", "message"),
        [
            ({"d_hidden": 0}, "d_hidden is 0"),
            ({"max_len": -1}, "max_len is -1"),
            ({"vocab_size": 0}, "vocab_size is 0"),
            ({"start_id": 16}, "start_id is 16: ids go from 0 to 15"),
            ({"end_id": -1}, "end_id is -1"),
            ({"end_id": 0}, "both 0"),
        ],
    )
    def test_sizes_that_cannot_be(self, sizes, message) -> None:
        with pytest.raises(ValueError, match=message):
            Seq2SeqConfig(**sizes)

    @pytest.mark.parametrize(
        ("strings", "message"),
        [
            ([], "empty list"),
            (["ab", ""], "length 0"),
            (["", ""], "length 0"),
            (["axé"], r"\['x', 'é'\] in 'axé'"),
            (["a" * 65], "length 65.* max_len=64"),
        ],
    )
    def test_strings_that_cannot_be_read(self, strings, message) -> None:
        with pytest.raises(ValueError, match=message):
            encode_strings(strings, ODD)

    @pytest.mark.parametrize(
        ("ids", "length", "message"),
        [
            ([2, 3], 0, "length 0"),
            ([2, 3], 3, "length 3 in a row of 2"),
            ([2, 15], 2, "token id 15 .* 0 to 14"),
            ([-1, 2], 2, "token id -1"),
        ],
    )
    def test_batches_that_cannot_be_read(self, ids, length, message) -> None:
        source, lengths = torch.tensor([ids]), torch.tensor([length])
        with pytest.raises(ValueError, match=message):
            check_source(source, lengths, ODD)
        with pytest.raises(ValueError, match=message):
            greedy_decode(Seq2Seq(ODD), source, lengths, 3)

    def test_an_id_behind_the_end_is_padding(self) -> None:
        source = torch.tensor([[2, 3, 99]])
        check_source(source, torch.tensor([2]), ODD)


class TestAnotherVocabulary:
    @each_model
    def test_start_and_end_may_stand_anywhere(self, build) -> None:
        config = Seq2SeqConfig(
            vocab_size=4_001, start_id=4_000, end_id=37, d_hidden=7
        )
        model = build(config)
        source = torch.tensor([[0, 1, 3_999], [5, 37, 0]])
        lengths = torch.tensor([3, 1])
        with torch.no_grad():
            model.decoder.output.bias[37] = 100.0
        written = greedy_decode(model, source, lengths, 5)
        assert written.tolist() == [[37] * 5] * 2
        with torch.no_grad():
            model.decoder.output.bias[37] = -100.0
        first = model(source, lengths, torch.full((2, 1), 4_000))
        written = greedy_decode(model, source, lengths, 1)
        assert torch.equal(written, first.argmax(-1))
