"""The block against PyTorch's, its counts, and what may reach what."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from bertbook.blocks import (
    AddAndNorm,
    BlockConfig,
    DecoderBlock,
    EncoderBlock,
    FeedForward,
    PreNormAdd,
)
from bertbook.masks import as_ignored, causal_mask, padding_mask
from tests.unit.torch_twins import (
    copy_decoder_block,
    copy_encoder_block,
    draw,
    torch_sizes,
)

CONFIG = BlockConfig(d_model=26, num_heads=2, d_ff=37, dropout=0.0)
ORDERS = pytest.mark.parametrize("residual", [AddAndNorm, PreNormAdd])


@ORDERS
@pytest.mark.parametrize("training", [True, False])
def test_the_encoder_block_equals_pytorchs(residual, training):
    ours = EncoderBlock(CONFIG, residual=residual).train(training)
    theirs = nn.TransformerEncoderLayer(**torch_sizes(CONFIG, residual))
    copy_encoder_block(ours, theirs.train(training))
    x, mask = draw(3, 13, 26), padding_mask(torch.tensor([13, 7, 1]), 13)
    expected = theirs(x, src_key_padding_mask=as_ignored(mask))
    torch.testing.assert_close(
        ours(x, mask[:, None])[mask], expected[mask], rtol=0, atol=1e-5
    )


@ORDERS
@pytest.mark.parametrize("training", [True, False])
def test_the_decoder_block_equals_pytorchs(residual, training):
    ours = DecoderBlock(CONFIG, residual=residual).train(training)
    theirs = nn.TransformerDecoderLayer(**torch_sizes(CONFIG, residual))
    copy_decoder_block(ours, theirs.train(training))
    x, memory = draw(3, 7, 26), draw(3, 13, 26)
    causal = causal_mask(7)
    padding = padding_mask(torch.tensor([13, 5, 1]), 13)
    expected = theirs(
        x,
        memory,
        tgt_mask=as_ignored(causal),
        memory_key_padding_mask=as_ignored(padding),
    )
    got = ours(x, memory, causal[None], padding[:, None])
    torch.testing.assert_close(got, expected, rtol=0, atol=1e-5)


def test_the_gradients_equal_pytorchs():
    ours = EncoderBlock(CONFIG)
    theirs = nn.TransformerEncoderLayer(**torch_sizes(CONFIG, AddAndNorm))
    copy_encoder_block(ours, theirs)
    x = draw(2, 7, 26)
    ours(x).square().mean().backward()
    theirs(x).square().mean().backward()
    torch.testing.assert_close(
        ours.feed_forward.widen.weight.grad, theirs.linear1.weight.grad
    )
    for parameter in ours.parameters():
        assert parameter.grad is not None
        assert parameter.grad.isfinite().all()


def test_dropout_acts_in_training_only():
    block = EncoderBlock(
        BlockConfig(d_model=26, num_heads=2, d_ff=37, dropout=0.5)
    )
    x = draw(2, 7, 26)
    assert not torch.equal(block(x), block(x))
    block.eval()
    assert torch.equal(block(x), block(x))


def test_a_base_layer_has_the_published_count():
    with torch.device("meta"):
        block = EncoderBlock(BlockConfig(d_model=768, num_heads=12, d_ff=3072))
    count = sum(p.numel() for p in block.parameters())
    assert count == 7_087_872
    attention = sum(
        p.numel()
        for part in (block.attention, block.add_attention)
        for p in part.parameters()
    )
    assert (attention, count - attention) == (2_363_904, 4_723_968)


def test_feed_forward_keeps_positions_apart_and_attention_does_not():
    block = EncoderBlock(CONFIG)
    x = draw(1, 5, 26)

    def reach(function):
        jacobian = torch.autograd.functional.jacobian(function, x)
        return jacobian[0, 1, :, 0, 0].abs().max().item()

    assert reach(block.feed_forward) == 0.0
    assert reach(block) > 1e-4


def test_feed_forward_is_a_convolution_of_width_one():
    layer = FeedForward(CONFIG)
    x = draw(2, 7, 26)
    channels = x.transpose(1, 2)
    widened = F.conv1d(
        channels, layer.widen.weight[..., None], layer.widen.bias
    )
    narrowed = F.conv1d(
        widened.relu(), layer.narrow.weight[..., None], layer.narrow.bias
    )
    torch.testing.assert_close(layer(x), narrowed.transpose(1, 2))


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_other_types_go_through(dtype):
    block = DecoderBlock(CONFIG).to(dtype)
    x, memory = draw(2, 7, 26).to(dtype), draw(2, 3, 26).to(dtype)
    out = block(x, memory, causal_mask(7)[None])
    assert out.dtype == dtype
    assert out.isfinite().all()


@pytest.mark.parametrize(
    ("sizes", "named"),
    [
        ({"num_heads": 5}, "5 heads do not divide d_model=512"),
        ({"d_ff": 0}, "d_ff is 0"),
        ({"dropout": 1.0}, r"dropout is 1\.0"),
        ({"epsilon": -1e-5}, "epsilon is -1e-05"),
    ],
)
def test_impossible_sizes_are_named(sizes, named):
    with pytest.raises(ValueError, match=named):
        BlockConfig(**sizes)
