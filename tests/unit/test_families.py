"""Three families: which input reaches which state, and where sides meet."""

import pytest
import torch
from torch import nn

from bertbook.coreference import ReferenceReader
from bertbook.families import (
    BertLike,
    ElmoLike,
    GptLike,
    generate,
    interaction,
    reachability,
)
from bertbook.masks import causal_mask
from bertbook.transformer import TransformerConfig

SIZES = TransformerConfig(
    vocab_size=37,
    d_model=26,
    num_heads=2,
    d_ff=13,
    num_layers=3,
    dropout=0.0,
    max_len=16,
)
KINDS = (BertLike, GptLike, ElmoLike)


@pytest.fixture
def vectors():
    return torch.randn(
        1, 7, 26, generator=torch.Generator().manual_seed(0)
    ).double()


def made(kind):
    torch.manual_seed(0)
    return kind(SIZES).double().eval()


def test_each_family_has_its_own_table(vectors):
    lower = torch.ones(7, 7).tril().bool()
    elmo = made(ElmoLike)
    assert torch.equal(reachability(made(GptLike).read, vectors), lower)
    assert reachability(made(BertLike).read, vectors).all()
    assert reachability(elmo.read, vectors).all()
    rightward = reachability(lambda x: elmo.rightward(x)[0], vectors)
    assert torch.equal(rightward, lower)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("batch", "length"), [(1, 1), (5, 13), (2, 7)])
def test_states_have_one_row_per_token(kind, batch, length):
    ids = torch.randint(37, (batch, length))
    assert made(kind)(ids).shape == (batch, length, 26)


def test_one_argument_turns_bert_into_gpt():
    bert, gpt = made(BertLike), made(GptLike)
    gpt.load_state_dict(bert.state_dict())
    ids = torch.randint(37, (3, 11))
    masked = bert(ids, mask=causal_mask(11)[None])
    torch.testing.assert_close(masked, gpt(ids))
    assert not torch.allclose(bert(ids), gpt(ids))


def test_a_gpt_adds_its_own_mask_to_the_one_it_is_given():
    gpt, ids = made(GptLike), torch.randint(37, (1, 5))
    everything = torch.ones(1, 5, 5, dtype=torch.bool)
    torch.testing.assert_close(gpt(ids, everything), gpt(ids))
    no_first = everything.clone()
    no_first[..., 1:, 0] = False
    assert not torch.allclose(gpt(ids, no_first)[:, 1:], gpt(ids)[:, 1:])


def test_bert_like_is_the_reader_of_chapter_03():
    bert, reader = made(BertLike), ReferenceReader(SIZES).double().eval()
    names = {name.replace("encoder.", "blocks.", 1) for name in
             reader.state_dict()}  # fmt: skip
    assert names == {*bert.state_dict()}


def test_the_sides_meet_where_they_should(vectors):
    joint = nn.LSTM(26, 13, 2, bidirectional=True, batch_first=True).double()
    for position in range(1, 6):
        assert interaction(made(ElmoLike).read, vectors, position) < 1e-12
        assert interaction(made(GptLike).read, vectors, position) < 1e-12
        assert interaction(made(BertLike).read, vectors, position) > 1e-6
        assert interaction(lambda x: joint(x)[0], vectors, position) > 1e-6


def test_what_is_left_over_is_the_product_of_both_changes(vectors):
    def product(x):
        return x * x.roll(1, 1) * x.roll(-1, 1)

    left_over = interaction(product, vectors, 3)
    assert left_over == pytest.approx(vectors[0, 3].abs().max().item())


@pytest.mark.parametrize("position", [0, 6, -1, 7])
def test_a_state_without_two_neighbors_is_refused(vectors, position):
    with pytest.raises(ValueError, match="choose 1 to 5"):
        interaction(made(BertLike).read, vectors, position)


def test_what_is_written_is_likeliest_at_each_step():
    gpt, ids = made(GptLike), torch.randint(37, (3, 4))
    written = generate(gpt, ids, 5)
    assert torch.equal(written[:, :4], ids)
    logits = gpt.embedding.logits(gpt(written))
    assert torch.equal(written[:, 4:], logits.argmax(-1)[:, 3:-1])
    with pytest.raises(ValueError, match="token id 37"):
        generate(gpt, torch.tensor([[37]]), 1)


@pytest.mark.parametrize("kind", KINDS)
def test_every_parameter_gets_a_gradient(kind):
    model = made(kind)
    model(torch.randint(37, (2, 5))).square().sum().backward()
    for name, weight in model.named_parameters():
        assert weight.grad is not None, name
        assert weight.grad.abs().sum() > 0, name
