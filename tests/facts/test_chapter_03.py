"""Each entry of book/facts.yml about chapter 03, shown by running it."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

D_MODEL = 512


def count(module: nn.Module) -> int:
    return sum(weight.numel() for weight in module.parameters())


def test_f18():
    """Permute the heads with their matrices, and nothing changes."""
    torch.manual_seed(0)
    layer = nn.MultiheadAttention(12, 3, batch_first=True)
    x = torch.randn(2, 7, 12)
    expected, weights = layer(x, x, x, average_attn_weights=False)
    order = torch.tensor([2, 0, 1])
    with torch.no_grad():
        for part in (layer.in_proj_weight, layer.in_proj_bias):
            heads = part.view(3, 3, 4, *part.shape[1:])
            part.copy_(heads[:, order].reshape(part.shape))
        columns = layer.out_proj.weight.view(12, 3, 4)
        layer.out_proj.weight.copy_(columns[:, order].reshape(12, 12))
    permuted, their_weights = layer(x, x, x, average_attn_weights=False)
    assert torch.allclose(permuted, expected, atol=1e-6)
    assert torch.allclose(their_weights, weights[:, order], atol=1e-6)


def test_f18_no_head_has_a_form_of_its_own():
    layer = nn.MultiheadAttention(D_MODEL, 8)
    shapes = {
        tuple(head.shape)
        for matrix in layer.in_proj_weight.chunk(3)
        for head in matrix.chunk(8)
    }
    assert shapes == {(64, D_MODEL)}


@pytest.mark.parametrize("num_heads", [1, 2, 8, 16])
def test_f19(num_heads):
    """However many heads, the same parameters."""
    layer = nn.MultiheadAttention(D_MODEL, num_heads, bias=False)
    assert layer.in_proj_weight.numel() == 786_432
    assert layer.out_proj.weight.numel() == 262_144
    assert count(layer) == 1_048_576
    assert count(nn.MultiheadAttention(D_MODEL, num_heads)) == 1_050_624


def test_f19_the_work_is_the_same():
    works = set()
    for num_heads in (1, 8):
        x = torch.ones(1, num_heads, 32, D_MODEL // num_heads)
        with FlopCounterMode(display=False) as counter:
            F.softmax(x @ x.mT, dim=-1) @ x
        works.add(counter.get_total_flops())
    assert works == {4 * 32**2 * D_MODEL}
