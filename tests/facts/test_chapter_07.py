"""Each entry of book/facts.yml about chapter 07, shown by running it."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from bertbook import corpora, word_order
from bertbook.masks import causal_mask, padding_mask
from bertbook.transformer import Transformer, TransformerConfig, greedy_decode

CONFIG = TransformerConfig(
    vocab_size=37,
    d_model=14,
    num_heads=2,
    d_ff=13,
    num_layers=2,
    max_len=19,
)
PADDING = torch.ones(1, 7, dtype=torch.bool)


def ids(length, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(3, 37, (1, length), generator=generator)


@pytest.fixture
def model():
    torch.manual_seed(0)
    return Transformer(CONFIG).eval()


def write(model, max_len=9):
    return greedy_decode(
        model, ids(7), PADDING, start_id=1, end_id=2, max_len=max_len
    )


def test_f02(model):
    """One pass in training, one for each token written."""
    passes = []
    model.decoder.register_forward_hook(lambda *_: passes.append(1))
    assert model(ids(7), PADDING, ids(5, 1)).shape == (1, 5, 37)
    assert len(passes) == 1
    written = write(model)
    assert len(passes) - 1 == written.shape[1] > 1


def test_f08(model):
    """The encoder returns one vector per token; weights are inside."""
    states = model.encode(ids(7), PADDING)
    assert states.shape == (1, 7, 14)
    _, weights = model.encoder.blocks[0].attention(states, return_weights=True)
    assert weights.shape == (1, 2, 7, 7)


def test_f09(model):
    """Output of the target's length, conditioned on the source."""
    begun = torch.tensor([[1, 5, 9]])
    one = model(ids(7), PADDING, begun)
    other = model(ids(7, 1), PADDING, begun)
    assert one.shape == (1, 3, 37)
    assert not torch.allclose(one, other, atol=1e-3)


def test_f49(model):
    """The causal mask acts on scores, [MASK] is an input token."""
    scores = torch.randn(4, 4)
    weights = scores.masked_fill(~causal_mask(4), -torch.inf).softmax(-1)
    assert (weights.triu(1) == 0).all()
    target = ids(4)
    before = target.clone()
    model(ids(7), PADDING, target)
    assert torch.equal(target, before)
    tokenizer, _ = corpora.minilm()
    assert tokenizer.mask_token_id == 103


def test_f50(model):
    """The output has the length of what the decoder brings."""
    cross = model.decoder.blocks[0].cross_attention
    decoder_side, encoder_side = torch.randn(1, 3, 14), torch.randn(1, 5, 14)
    output, weights = cross(decoder_side, encoder_side, return_weights=True)
    assert output.shape == (1, 3, 14)
    assert weights.shape == (1, 2, 3, 5)


def test_f51(model):
    """Cross-attention reads what self-attention returned."""
    block = model.decoder.blocks[0]
    seen, order = [], []
    block.attention.register_forward_hook(lambda *_: order.append("self"))
    block.cross_attention.register_forward_pre_hook(
        lambda _, given: (order.append("cross"), seen.append(given[0]))[0]
    )
    x, memory = torch.randn(1, 3, 14), torch.randn(1, 5, 14)
    block(x, memory, causal_mask(3)[None])
    with torch.no_grad():
        block.attention.output.bias += torch.arange(14.0)
    block(x, memory, causal_mask(3)[None])
    assert order == ["self", "cross"] * 2
    assert not torch.allclose(seen[0], seen[1], atol=1e-3)


def test_f52(model):
    """The decoder reads the start token and its own words."""
    read = []
    model.embedding.register_forward_pre_hook(
        lambda _, given: read.append(given[0])
    )
    written = write(model)
    fed = torch.cat(read[1:], dim=1)
    assert fed[0, 0] == 1
    assert torch.equal(fed[:, 1:], written[:, :-1])


def test_f53(model):
    """A GRU is causal by structure, attention only by its mask."""
    x = torch.randn(1, 6, 7)
    late = x.clone()
    late[:, 4] += 1
    gru = nn.GRU(7, 13, batch_first=True)
    assert torch.equal(gru(x)[0][:, :4], gru(late)[0][:, :4])
    for causal, same in ((True, True), (False, False)):
        one, two = (
            F.scaled_dot_product_attention(y, y, y, is_causal=causal)[:, :4]
            for y in (x, late)
        )
        assert torch.allclose(one, two, atol=1e-6) == same
    leaky = word_order.LeakyTransformer(CONFIG).eval()
    target, changed = ids(5, 1), ids(5, 1)
    changed[0, 4] = 3 + (changed[0, 4] - 2) % 34
    one = leaky(ids(7), PADDING, target)[:, :4]
    assert not torch.allclose(one, leaky(ids(7), PADDING, changed)[:, :4])


def test_f54(model):
    """One model reads any length without a pad."""
    for length in (1, 7, 13):
        everything = torch.ones(1, length, dtype=torch.bool)
        states = model.encode(ids(length), everything)
        assert states.shape == (1, length, 14)


def test_f55():
    """A masked pad has the weight 0, however high its score."""
    scores = torch.tensor([1.0, 2.0, 1e9])
    mask = padding_mask(torch.tensor([2]), 3)[0]
    weights = scores.masked_fill(~mask, -torch.inf).softmax(0)
    assert weights[2] == 0
    assert weights.sum() == 1


def test_f57():
    """One tensor, two meanings."""
    x, mask = torch.randn(1, 4, 8), torch.tensor([[True, True, True, False]])
    sdpa = F.scaled_dot_product_attention(
        x, x, torch.eye(4)[None], attn_mask=mask[:, None]
    )
    assert (sdpa[..., 3] == 0).all()
    attention = nn.MultiheadAttention(8, 2, batch_first=True)
    _, weights = attention(x, x, x, key_padding_mask=mask)
    assert (weights[..., :3] == 0).all()
    _, weights = attention(x, x, x, key_padding_mask=~mask)
    assert (weights[..., 3] == 0).all()


def test_f96():
    """In the toy translation the halves read disjoint vocabularies."""
    pairs = word_order.all_pairs()
    source = {word for pair in pairs for word in pair.source.split()}
    target = {word for pair in pairs for word in pair.target.split()}
    assert not source & target
    assert (len(source), len(target)) == (18, 32)


def test_f128():
    """The loss is one number, smaller when the right word gains."""
    logits = torch.randn(5, 37, requires_grad=True)
    labels = torch.tensor([3, 4, 5, 6, 7])
    loss = F.cross_entropy(logits, labels)
    assert loss.shape == ()
    by_hand = -logits.softmax(-1)[range(5), labels].log().mean()
    torch.testing.assert_close(loss, by_hand)
    (gradient,) = torch.autograd.grad(loss, logits)
    after = (logits - gradient).softmax(-1)[range(5), labels]
    assert (after > logits.softmax(-1)[range(5), labels]).all()
