"""Each entry of book/facts.yml about chapter 06, shown by running it."""

import json
from collections import Counter
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from transformers import (
    BertConfig,
    BertModel,
    ResNetConfig,
    ResNetModel,
    ViTConfig,
    ViTModel,
)

ROOT = Path(__file__).resolve().parents[2]
BATCH = torch.tensor(
    [[1.0, 2, 3, 4], [2, 4, 6, 8], [10, 10, 10, 14]], dtype=torch.float64
)


def kinds(model):
    return Counter(type(module).__name__ for module in model.modules())


def batch_norm(batch):
    return F.batch_norm(batch, None, None, training=True)


@pytest.fixture(scope="module")
def tiny_bert():
    config = BertConfig(
        vocab_size=50,
        hidden_size=12,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=20,
    )
    return BertModel(config, add_pooling_layer=False).eval()


def test_f03(tiny_bert):
    """Layers share no weights, and the deepest of our sorters is not best."""
    first, second = tiny_bert.encoder.layer
    own = {id(parameter) for parameter in first.parameters()}
    assert own.isdisjoint(id(parameter) for parameter in second.parameters())

    rows = json.loads((ROOT / "results/06_the_block.json").read_text("utf-8"))
    losses = {}
    for row in rows["rows"]:
        if row["study"] == "depth" and row["block"] == "whole block":
            losses.setdefault(row["layers"], []).append(row["held_out_loss"])
    means = {n: sum(runs) / len(runs) for n, runs in losses.items()}
    assert all(len(runs) >= 3 for runs in losses.values())
    assert means[16] > 3 * means[4]


def test_f04():
    original = nn.Transformer(8, 2, dim_feedforward=8, batch_first=True)
    assert len(original.encoder.layers) == 6
    assert BertConfig().num_hidden_layers == 12


def test_f23(tiny_bert):
    """The word table stands below the blocks, which take vectors only."""
    tables = [
        name
        for name, module in tiny_bert.named_modules()
        if isinstance(module, nn.Embedding)
    ]
    assert tables
    assert all(name.startswith("embeddings.") for name in tables)
    ids = torch.tensor([[1, 2, 3]])
    vectors = tiny_bert.embeddings(ids)
    block = tiny_bert.encoder.layer[0]
    assert block(vectors).shape == vectors.shape == (1, 3, 12)
    with pytest.raises((RuntimeError, IndexError, ValueError)):
        block(ids)


def test_f41():
    """Layer norm keeps the shape, and standardizes each position."""
    hidden = torch.randn(2, 3, 12, generator=torch.Generator().manual_seed(0))
    normed = F.layer_norm(hidden, (12,))
    assert normed.shape == hidden.shape
    assert normed.mean(-1).abs().max() < 1e-6
    resized = F.interpolate(hidden[None], size=(3, 4))
    assert resized.shape[-2:] != hidden.shape[-2:]


def test_f42():
    """Columns have mean 0 after batch norm, rows after layer norm."""
    columns, rows = batch_norm(BATCH), F.layer_norm(BATCH, (4,))
    assert columns.mean(0).abs().max() < 1e-6 < columns.mean(1).abs().max()
    assert rows.mean(1).abs().max() < 1e-6 < rows.mean(0).abs().max()
    assert columns[0].tolist() == pytest.approx(
        [-0.8276, -0.9806, -1.1625, -1.1355], abs=1e-4
    )
    assert rows[2].tolist() == pytest.approx(
        [-0.57735, -0.57735, -0.57735, 1.73205], abs=1e-4
    )


def test_f43():
    """Another sample changes batch norm's result and not layer norm's."""
    other = BATCH.clone()
    other[2] = torch.tensor([5.0, -3, 8, 1])
    assert torch.equal(
        F.layer_norm(BATCH, (4,))[:2], F.layer_norm(other, (4,))[:2]
    )
    gap = (batch_norm(BATCH)[:2] - batch_norm(other)[:2]).abs()
    assert gap.max() > 0.1


def test_f44():
    """A shift of the inputs leaves their covariance as it is."""
    inputs = torch.randn(500, 3, generator=torch.Generator().manual_seed(1))
    shifted = inputs + 3
    assert torch.allclose(torch.cov(inputs.T), torch.cov(shifted.T), atol=1e-4)
    assert (shifted.mean(0) - inputs.mean(0)).min() > 2.9


def test_f45():
    """Batch norm fails on one value per channel, group norm does not."""
    scan = torch.randn(1, 8, 1, 1)
    with pytest.raises(ValueError, match="Expected more than 1 value"):
        nn.BatchNorm2d(8)(scan)
    assert nn.GroupNorm(2, 8)(scan).isfinite().all()


def test_f45_two_samples_leave_a_sign():
    assert torch.allclose(
        batch_norm(BATCH[:2]),
        torch.tensor([[-1.0], [1.0]]).double(),
        atol=1e-4,
    )


def test_f46():
    """The equations are PyTorch's layer with norm_first=False."""
    torch.manual_seed(0)
    layer = nn.TransformerEncoderLayer(
        12, 2, 20, dropout=0.0, batch_first=True
    )
    x = torch.randn(2, 5, 12)
    t1 = layer.self_attn(x, x, x, need_weights=False)[0]
    t3 = layer.norm1(x + t1)
    t4 = layer.linear2(layer.linear1(t3).relu())
    h = layer.norm2(t4 + t3)
    torch.testing.assert_close(layer(x), h, rtol=0, atol=1e-5)
    layer.norm_first = True
    assert (layer(x) - h).abs().max() > 0.1


def test_f47(tiny_bert):
    inside = kinds(tiny_bert.encoder.layer[0])
    assert inside["LayerNorm"] == 2
    assert inside["BertSelfAttention"] == inside["BertIntermediate"] == 1


def test_f48():
    """One feature moves all of its position; ε saves equal features."""
    x = torch.randn(3, 5, generator=torch.Generator().manual_seed(2))
    moved = x.clone()
    moved[0, 0] += 1
    change = (F.layer_norm(moved, (5,)) - F.layer_norm(x, (5,))).abs()
    assert (change[0] > 0).all()
    assert (change[1:] == 0).all()
    equal = torch.full((1, 4), 5.0)
    assert (F.layer_norm(equal, (4,)) == 0).all()
    assert F.layer_norm(equal, (4,), eps=0.0).isnan().all()
    assert nn.LayerNorm(4).weight.shape == nn.LayerNorm(4).bias.shape == (4,)


def test_f125():
    """A vision Transformer has layer norms, a ResNet batch norms."""
    with torch.device("meta"):
        vit = kinds(ViTModel(ViTConfig(num_hidden_layers=2)))
        resnet = kinds(ResNetModel(ResNetConfig(depths=[1, 1, 1, 1])))
    assert vit["LayerNorm"] >= 2 * 2
    assert resnet["BatchNorm2d"] > 10
    assert vit["BatchNorm2d"] == resnet["LayerNorm"] == 0
