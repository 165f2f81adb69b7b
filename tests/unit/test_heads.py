import pytest
import torch
from torch import nn

from bertbook.attention import MultiHeadAttention
from bertbook.heads import attention_layers, heads_removed, recorded_weights
from bertbook.transformer import Encoder, TransformerConfig

CONFIG = TransformerConfig(
    vocab_size=5, d_model=12, num_heads=3, d_ff=7, num_layers=2, dropout=0.0
)


@pytest.fixture
def encoder():
    torch.manual_seed(0)
    return Encoder(CONFIG).eval()


@pytest.fixture
def x():
    return torch.randn(2, 7, 12, generator=torch.Generator().manual_seed(1))


def test_recorded_weights_are_those_of_each_layer(encoder, x):
    with recorded_weights(encoder) as weights:
        recorded = encoder(x)
    first = encoder.blocks[0].attention(x, return_weights=True)[1]
    assert [w.shape for w in weights] == [(2, 3, 7, 7)] * 2
    assert torch.equal(weights[0], first)
    assert torch.allclose(recorded, encoder(x), atol=1e-6)


def test_recording_ends_with_the_block(encoder, x):
    with recorded_weights(encoder) as weights:
        pass
    encoder(x)
    assert weights == []


def test_recording_ends_after_an_error(encoder):
    with pytest.raises(RuntimeError), recorded_weights(encoder):
        raise RuntimeError
    layers = attention_layers(encoder)
    assert not any(layer._forward_pre_hooks for layer in layers)
    assert not any(layer._forward_hooks for layer in layers)


def test_a_removed_head_is_a_zero_before_the_output_matrix(x):
    torch.manual_seed(2)
    layer = MultiHeadAttention(12, 3)
    with heads_removed(layer, {(0, 1)}):
        without, _ = layer(x)
    with torch.no_grad():
        layer.output.weight[:, 4:8] = 0.0
    assert torch.allclose(without, layer(x)[0], atol=1e-6)


def test_all_heads_removed_leave_the_bias(x):
    layer = MultiHeadAttention(12, 3)
    with heads_removed(layer, [(0, 0), (0, 1), (0, 2)]):
        without, _ = layer(x)
    assert torch.allclose(without, layer.output.bias.expand_as(without))


def test_heads_come_back(encoder, x):
    before = encoder(x)
    with heads_removed(encoder, {(1, 2)}):
        assert not torch.allclose(encoder(x), before)
    assert torch.equal(encoder(x), before)
    with heads_removed(encoder, ()):
        assert torch.equal(encoder(x), before)


def test_both_work_together(encoder, x):
    with heads_removed(encoder, {(0, 0)}), recorded_weights(encoder) as seen:
        encoder(x)
    assert len(seen) == 2


@pytest.mark.parametrize(
    ("removed", "message"), [((2, 0), "layer 2"), ((0, 3), "head 3")]
)
def test_an_unknown_head_is_refused(encoder, removed, message):
    with pytest.raises(ValueError, match=message):
        heads_removed(encoder, {removed}).__enter__()


def test_a_model_without_attention_is_refused():
    with pytest.raises(ValueError, match="holds no MultiHeadAttention"):
        attention_layers(nn.Linear(2, 2))
