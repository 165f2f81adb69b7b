"""Mistakes in masking and in cross-attention, and the words for them."""

import math
from typing import Final

import torch
from torch import Tensor

from bertbook.masks import causal_mask, padding_mask

CLOSE: Final = 1e-5


def same(one: Tensor, other: Tensor) -> bool:
    """Tell whether two results agree."""
    return torch.allclose(one.float(), other.float(), rtol=0, atol=CLOSE)


def masking_mistake(
    given: Tensor, scores: Tensor, allowed: Tensor, lengths: Tensor
) -> str:
    """Name the mistake that makes these weights."""
    strict = allowed & ~torch.eye(scores.shape[-1], dtype=torch.bool)
    rows = strict.any(-1, keepdim=True)
    without = (_masked(scores, strict) * rows, (given * rows).nan_to_num())
    if same(*without):
        return (
            "The diagonal is masked: a word may attend to itself (j is not"
            " later than i when j = i)."
        )
    for text, mistake in _masking_table(scores, allowed, lengths).items():
        if same(given, mistake):
            return text
    asking = padding_mask(lengths, scores.shape[-1])[..., None]
    right = _masked(scores, allowed) * asking
    if same((given * asking).nan_to_num(), right):
        return (
            "Only the rows of pads are off. Padding closes keys, the columns;"
            " a pad's own row is not closed, and it sums to 1 as well."
        )
    if given.isnan().any():
        return (
            "There are NaNs: in some row every key is forbidden. Word 0 may"
            " always attend to itself."
        )
    return (
        "The weights are off. Compare yours with a softmax over the allowed"
        " scores alone, for a sentence of 3 words padded to 4."
    )


def _masked(scores: Tensor, allowed: Tensor) -> Tensor:
    """Return the weights that a Boolean table leaves."""
    return scores.masked_fill(~allowed, -1e30).softmax(-1)


def _masking_table(
    scores: Tensor, allowed: Tensor, lengths: Tensor
) -> dict[str, Tensor]:
    """Return the weights that each known mistake makes."""
    size = scores.shape[-1]
    causal = causal_mask(size)[None]
    real = padding_mask(lengths, size)[:, None]
    columns = scores.masked_fill(~allowed, -1e30).softmax(-2)
    return {
        "The convention is inverted: your weights are on what is"
        " forbidden.": _masked(scores, ~allowed),
        "You multiplied forbidden scores by 0. A score of 0 is an ordinary"
        " score: it needs −∞.": (scores * allowed).softmax(-1),
        "You masked after the softmax: the rows no longer sum to 1. Mask the"
        " scores, then take the softmax.": scores.softmax(-1) * allowed,
        "The padding is not masked: keys past the length are open.": _masked(
            scores, causal
        ),
        "The causal mask is missing: later keys are open.": _masked(
            scores, real
        ),
        "The staircase is upside down: each word sees itself and the"
        " future.": _masked(scores, causal.mT & real),
        "You took the softmax over the queries: a row sums to 1.": columns,
    }


def attend(
    asks: Tensor,
    offers: Tensor,
    gives: Tensor,
    w_query: Tensor,
    w_key: Tensor,
    w_value: Tensor,
    scale: float = 0.5,
) -> Tensor:
    """Attend with query, key and value from three sources."""
    query, key, value = asks @ w_query, offers @ w_key, gives @ w_value
    scores = query @ key.T / key.shape[-1] ** scale
    return scores.softmax(-1) @ value


# Whose vectors make query, key and value: y the decoder's, x the encoder's.
_MIXED: Final = {
    "yyx": "The key comes from the decoder: keys are made of `memory`.",
    "yyy": "Key and value come from the decoder: that is self-attention.",
    "yxy": "The value comes from the decoder: values are made of `memory`.",
    "xxx": "The query comes from the encoder: the decoder asks, so w_query"
    " multiplies `written`.",
    "xyy": "The roles are swapped: the decoder asks, the encoder answers.",
    "xyx": "Query and key are exchanged: w_query multiplies `written`, w_key"
    " multiplies `memory`.",
    "xxy": "Only the decoder asks: queries are made of `written`, values of"
    " `memory`.",
}


def crossing_mistake(
    given: Tensor, written: Tensor, memory: Tensor, weights: Tensor
) -> str:
    """Name the mistake that makes this output."""
    w_q, w_k, w_v = weights
    if len(written) == len(memory):
        of = {"y": written, "x": memory}
        for sides, text in _MIXED.items():
            asks, offers, gives = (of[side] for side in sides)
            if same(given, attend(asks, offers, gives, w_q, w_k, w_v)):
                return text
    right = (written, memory, memory)
    scores = (written @ w_q) @ (memory @ w_k).T / math.sqrt(len(w_q))
    value = memory @ w_v
    named = {
        "The scale √d is missing.": attend(*right, *weights, scale=0.0),
        "You divided by d: the scale is its root.": attend(
            *right, *weights, scale=1.0
        ),
        "The softmax runs over the queries: a row of weights, over the"
        " source, sums to 1.": scores.softmax(0) @ value,
        "The softmax is missing.": scores @ value,
        "Two matrices are exchanged: w_query makes queries, w_key makes"
        " keys.": attend(*right, w_k, w_q, w_v),
        "Two matrices are exchanged: w_key makes keys, w_value makes"
        " values.": attend(*right, w_q, w_v, w_k),
    }
    found = [text for text, made in named.items() if same(given, made)]
    return (found or [_OTHER])[0]


_OTHER: Final = (
    "The output has the right shape and other numbers: project, score"
    " every target against every source, scale, softmax, mix."
)
