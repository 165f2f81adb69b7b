"""Masks: by hand, in both of PyTorch's conventions, at fault."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from bertbook.masks import (
    as_additive,
    as_ignored,
    causal_mask,
    combine_masks,
    cross_mask,
    padding_mask,
)


def test_padding_by_hand():
    mask = padding_mask(torch.tensor([3, 0, 4]), 4)
    assert mask.dtype == torch.bool
    assert mask.int().tolist() == [[1, 1, 1, 0], [0, 0, 0, 0], [1, 1, 1, 1]]


def test_staircase_has_ten_ones():
    mask = causal_mask(4)
    assert mask.sum() == 10
    assert torch.equal(mask, torch.ones(4, 4).tril().bool())


@pytest.mark.parametrize(("query_len", "key_len"), [(1, 1), (1, 7), (5, 13)])
def test_cached_rows_are_the_last_rows_of_the_staircase(query_len, key_len):
    rows = causal_mask(query_len, key_len)
    assert torch.equal(rows, causal_mask(key_len)[-query_len:])


def test_cross_is_an_outer_product():
    asks = padding_mask(torch.tensor([2, 3]), 3)
    answers = padding_mask(torch.tensor([5, 1]), 7)
    mask = cross_mask(asks, answers)
    assert mask.shape == (2, 3, 7)
    for batch in range(2):
        for query in range(3):
            for key in range(7):
                both = asks[batch, query] and answers[batch, key]
                assert mask[batch, query, key] == both


def test_combining_is_and():
    padding = padding_mask(torch.tensor([2, 3]), 3)[:, None]
    mask = combine_masks(causal_mask(3), padding)
    assert mask.shape == (2, 3, 3)
    assert mask[0].int().tolist() == [[1, 0, 0], [1, 1, 0], [1, 1, 0]]
    assert torch.equal(mask[1], causal_mask(3))
    assert torch.equal(combine_masks(padding), padding)


def test_pytorch_reads_masks_in_two_ways():
    """One pad, two conventions, and weight exactly 0 in both."""
    torch.manual_seed(0)
    padding = padding_mask(torch.tensor([3]), 4)
    x, attention = torch.randn(1, 4, 8), nn.MultiheadAttention(8, 1)
    _, weights = attention(
        *[x.transpose(0, 1)] * 3, key_padding_mask=as_ignored(padding)
    )
    assert weights[0, :, 3].eq(0).all()
    assert weights[0, :, :3].ne(0).all()
    mixed = F.scaled_dot_product_attention(
        x, x, torch.eye(4)[None], padding[:, None]
    )
    assert mixed[0, :, 3].eq(0).all()
    assert mixed[0, :, :3].ne(0).all()


@pytest.mark.parametrize(
    "dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16]
)
def test_additive_masks_are_finite_and_close_completely(dtype):
    added = as_additive(torch.tensor([True, False]), dtype)
    assert added.dtype == dtype
    assert added.isfinite().all()
    scores = torch.tensor([-100.0, 100.0], dtype=dtype)
    assert (scores + added).softmax(-1).tolist() == [1.0, 0.0]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: padding_mask(torch.tensor([1]), 0), "width is 0"),
        (lambda: causal_mask(0), "query_len is 0"),
        (lambda: causal_mask(5, 3), "3 keys for 5 queries"),
        (lambda: combine_masks(), "no mask"),
        (
            lambda: combine_masks(causal_mask(3), causal_mask(4)),
            r"\(3, 3\), \(4, 4\)",
        ),
    ],
)
def test_impossible_masks(call, message):
    with pytest.raises(ValueError, match=message):
        call()
