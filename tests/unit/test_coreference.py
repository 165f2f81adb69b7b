import pytest
import torch

from bertbook.coreference import (
    FRAMES,
    Example,
    ReferenceReader,
    accuracy,
    encode,
    read_causal_at_it,
    read_causal_at_last,
    read_full,
    small_config,
    train_on,
    vocabulary,
)

FRAME = FRAMES["street"]


def test_the_frames_have_the_sizes_they_claim():
    for name, frame in FRAMES.items():
        assert len(frame.firsts) == len(frame.seconds) == 8
        assert len(set(frame.fit_first) | set(frame.fit_second)) == 12
        assert len(frame.pairs()) == (56 if name == "suitcase" else 64)


def test_the_last_word_decides():
    tired = FRAME.example("animal", "street", "tired")
    wide = FRAME.example("animal", "street", "wide")
    assert " ".join(tired.words) == (
        "the animal did not cross the street because it was too tired"
    )
    assert (tired.answer, wide.answer) == ("animal", "street")
    assert tired.words[:-1] == wide.words[:-1]


def test_the_same_words_have_two_answers_in_the_suitcase_frame():
    frame = FRAMES["suitcase"]
    one = frame.example("box", "bag", "big")
    other = frame.example("bag", "box", "big")
    assert sorted(one.words) == sorted(other.words)
    assert (one.answer, other.answer) == ("box", "bag")


def test_no_noun_pair_is_on_both_sides():
    train, test = FRAME.split(16, torch.Generator().manual_seed(3))
    pairs = [
        {(e.words[1], e.words[6]) for e in side} for side in (train, test)
    ]
    assert (len(train), len(test)) == (576, 192)
    assert not pairs[0] & pairs[1]
    assert len(pairs[1]) == 16


@pytest.mark.parametrize("held_out", [0, 64])
def test_a_split_needs_both_sides(held_out):
    with pytest.raises(ValueError, match="keep 1 to 63"):
        FRAME.split(held_out, torch.Generator())


def test_encode_pads_and_points():
    frames = [FRAMES["street"], FRAMES["milk"]]
    ids = vocabulary(frames)
    examples = [
        frames[0].example("animal", "street", "wide"),
        frames[1].example("cat", "milk", "sweet"),
    ]
    batch = encode(examples, ids)
    assert batch.token_ids.shape == (2, 12)
    assert batch.padding.sum(1).tolist() == [12, 9]
    assert batch.it.tolist() == [8, 6]
    assert batch.last.tolist() == [11, 8]
    assert batch.answers.tolist() == [ids["street"], ids["milk"]]
    assert batch.token_ids[1, 9:].tolist() == [0, 0, 0]


@pytest.mark.parametrize(
    ("examples", "message"),
    [
        ([], "no sentence"),
        ([Example(("the", "animal"), "animal")], "no 'it'"),
        ([Example(("it", "purred"), "animal")], "purred"),
    ],
)
def test_encode_refuses(examples, message):
    with pytest.raises(ValueError, match=message):
        encode(examples, vocabulary([FRAME]))


@pytest.fixture
def pair_of_sentences():
    ids = vocabulary([FRAME])
    pair = [FRAME.example("animal", "street", x) for x in ("tired", "wide")]
    torch.manual_seed(0)
    return ReferenceReader(small_config(ids)).eval(), encode(pair, ids)


@pytest.mark.parametrize(
    ("reading", "differs"),
    [
        (read_full, True),
        (read_causal_at_it, False),
        (read_causal_at_last, True),
    ],
)
def test_only_a_causal_read_at_it_cannot_see_the_last_word(
    pair_of_sentences, reading, differs
):
    model, batch = pair_of_sentences
    one, other = model(batch.token_ids, *reading(batch)).detach()
    assert torch.equal(one, other) != differs


def test_padding_changes_nothing(pair_of_sentences):
    ids = vocabulary([FRAMES["milk"], FRAME])
    torch.manual_seed(1)
    model = ReferenceReader(small_config(ids)).eval()
    short = FRAMES["milk"].example("cat", "milk", "sweet")
    long = FRAME.example("animal", "street", "wide")
    alone, both = encode([short], ids), encode([short, long], ids)
    for reading in (read_full, read_causal_at_it, read_causal_at_last):
        expected = model(alone.token_ids, *reading(alone))[0]
        padded = model(both.token_ids, *reading(both))[0]
        assert torch.allclose(padded, expected, atol=1e-5)


def test_training_repeats_and_learns():
    runs = [train_on(["milk"], seed=5, num_steps=60) for _ in range(2)]
    (model, ids, unseen), (again, _, _) = runs
    for one, other in zip(model.parameters(), again.parameters(), strict=True):
        assert torch.equal(one, other)
    assert not model.training
    device = next(model.parameters()).device
    batch = encode(unseen[0], ids).to(device)
    assert accuracy(model, batch, read_full) > 0.4
