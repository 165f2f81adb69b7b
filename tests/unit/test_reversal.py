"""Strings and their reversals: batches, training, accuracy."""

import pytest
import torch

from bertbook import reversal
from bertbook.reversal import (
    END,
    IGNORED,
    START,
    decode_ids,
    encode_strings,
    random_batch,
    reversal_accuracy,
    reversal_batch,
    reversal_loss,
    train_reversal,
)
from bertbook.seq2seq import (
    AttentionSeq2Seq,
    Seq2Seq,
    Seq2SeqConfig,
    greedy_decode,
)

ODD = Seq2SeqConfig(vocab_size=15, d_embedding=7, d_hidden=37, d_attention=11)
each_model = pytest.mark.parametrize("build", [Seq2Seq, AttentionSeq2Seq])


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)


def test_a_reversal_by_hand() -> None:
    source, lengths = encode_strings(["abc", "d"], ODD)
    batch = reversal_batch(source, lengths)
    assert batch.target_inputs.tolist() == [
        [START, 4, 3, 2],
        [START, 5, END, END],
    ]
    assert batch.labels.tolist() == [
        [4, 3, 2, END],
        [5, END, IGNORED, IGNORED],
    ]


def test_lengths_and_symbols_cover_their_range() -> None:
    generator = torch.Generator().manual_seed(0)
    batch = random_batch(ODD, 2_000, 4, 7, generator)
    assert set(batch.lengths.tolist()) == {4, 5, 6, 7}
    assert batch.source[:, :4].unique().tolist() == list(range(2, 15))
    for row, length in zip(batch.labels, batch.lengths, strict=True):
        assert (row != IGNORED).sum() == length + 1
        assert row[length] == END


def test_a_generator_repeats_a_batch() -> None:
    first, second, other = (
        random_batch(ODD, 3, 1, 9, torch.Generator().manual_seed(seed))
        for seed in (1, 1, 2)
    )
    assert torch.equal(first.source, second.source)
    assert not torch.equal(first.lengths, other.lengths) or (
        not torch.equal(first.source, other.source)
    )


@pytest.mark.parametrize(
    ("count", "low", "high"), [(0, 1, 2), (1, 0, 2), (1, 3, 2), (1, 2, 65)]
)
def test_batches_that_cannot_be_drawn(count, low, high) -> None:
    with pytest.raises(ValueError, match=f"lengths {low} to {high}"):
        random_batch(ODD, count, low, high, torch.Generator())


@each_model
def test_training_teaches_it_to_reverse(build) -> None:
    config = Seq2SeqConfig(vocab_size=5)
    model = build(config)
    generator = torch.Generator().manual_seed(0)
    before = reversal_accuracy(model, 3, 99, generator)
    losses = train_reversal(model, 150, generator, min_len=1, max_len=4)
    after = reversal_accuracy(model, 3, 99, generator)
    assert len(losses) == 150
    assert sum(losses[-10:]) < sum(losses[:10]) / 2
    assert before.exact_match < 0.2 < 0.9 < after.exact_match
    assert after.token >= after.exact_match
    source, lengths = encode_strings(["abc", "bb"], config)
    written = decode_ids(greedy_decode(model, source, lengths, 4))
    assert written == ["cba", "bb"]


def test_a_seed_repeats_a_training() -> None:
    losses = []
    for _ in range(2):
        torch.manual_seed(3)
        model = AttentionSeq2Seq(ODD)
        generator = torch.Generator().manual_seed(3)
        losses.append(train_reversal(model, 3, generator, batch_size=5))
    assert losses[0] == losses[1]


@each_model
def test_padding_carries_no_loss(build) -> None:
    model = build(ODD)
    source, lengths = encode_strings(["abcdefg", "hi"], ODD)
    both = reversal_loss(model, reversal_batch(source, lengths))
    alone = [
        reversal_loss(model, reversal_batch(*encode_strings([text], ODD)))
        for text in ("abcdefg", "hi")
    ]
    mean = (8 * alone[0] + 3 * alone[1]) / 11
    assert torch.allclose(both, mean, atol=1e-6)


def test_a_string_counts_only_with_its_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A decoder that never stops is right in each symbol, in no string."""
    model = Seq2Seq(ODD)

    def measured(answers: torch.Tensor) -> tuple[float, float]:
        monkeypatch.setattr(reversal, "greedy_decode", lambda *_: answers)
        generator = torch.Generator().manual_seed(1)
        return reversal_accuracy(model, 3, 8, generator)

    drawn = random_batch(ODD, 8, 3, 3, torch.Generator().manual_seed(1))
    assert measured(drawn.labels) == (1.0, 1.0)
    assert measured(drawn.labels.masked_fill(drawn.labels == END, 2)) == (0, 1)
    one_wrong = drawn.labels.clone()
    one_wrong[:2, 1] = END
    assert measured(one_wrong) == (0.75, pytest.approx(22 / 24))


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"vocab_size": 29}, "vocab_size is 29.* 26 letters"),
        ({"start_id": 2}, "start_id=2 and end_id=1"),
        ({"end_id": 5}, "start_id=0 and end_id=5"),
    ],
)
def test_vocabularies_that_hold_no_letters(sizes, message) -> None:
    with pytest.raises(ValueError, match=message):
        encode_strings(["ab"], Seq2SeqConfig(**sizes))
