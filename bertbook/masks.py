"""Masks: Boolean tensors that say which query may attend to which key.

One convention throughout: True = may attend. It is that of Hugging Face and
of `F.scaled_dot_product_attention`. PyTorch's `nn.MultiheadAttention` and
`nn.Transformer` read a Boolean mask the other way round: see `as_ignored`.
"""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor


def padding_mask(
    lengths: Int[Tensor, " batch"], width: int
) -> Bool[Tensor, "batch {width}"]:
    """Mark the real tokens of sequences padded to one width.

    As a mask on attention write `padding_mask(...)[:, None]`: the same keys
    are open to every query of a sequence.

    Args:
        lengths: number of real tokens in each row; a row of 0 is all padding.
        width: number of positions in a row.

    Raises:
        ValueError: if `width` is not positive.

    >>> padding_mask(torch.tensor([1, 3]), 3).int().tolist()
    [[1, 0, 0], [1, 1, 1]]
    """
    if width < 1:
        raise ValueError(f"width is {width}: a row has at least one position")
    return torch.arange(width, device=lengths.device) < lengths[:, None]


def causal_mask(
    query_len: int,
    key_len: int | None = None,
    *,
    device: torch.device | str | None = None,
) -> Bool[Tensor, "{query_len} key"]:
    """Let each position attend to itself and to those before it.

    Args:
        query_len: number of queries.
        key_len: number of keys, `query_len` by default. With more keys than
            queries, as behind a cache, the queries are the last positions.
        device: where the mask lives.

    Raises:
        ValueError: for no query, or fewer keys than queries.

    >>> causal_mask(3).int().tolist()
    [[1, 0, 0], [1, 1, 0], [1, 1, 1]]
    >>> causal_mask(2, 4).int().tolist()
    [[1, 1, 1, 0], [1, 1, 1, 1]]
    """
    key_len = query_len if key_len is None else key_len
    if query_len < 1:
        raise ValueError(f"query_len is {query_len}: give at least one query")
    if key_len < query_len:
        raise ValueError(
            f"{key_len} keys for {query_len} queries: the queries are the"
            " last positions, so there are at least as many keys"
        )
    full = torch.ones(query_len, key_len, dtype=torch.bool, device=device)
    return full.tril(key_len - query_len)


def cross_mask(
    query_padding: Bool[Tensor, "batch query"],
    key_padding: Bool[Tensor, "batch key"],
) -> Bool[Tensor, "batch query key"]:
    """Let the real tokens of one sequence attend to those of another.

    The row of a padded query is all False: attention gives it zeros.

    Args:
        query_padding: `padding_mask` of the sequence that asks.
        key_padding: `padding_mask` of the sequence that answers.

    >>> asks = torch.tensor([[True, False]])
    >>> answers = torch.tensor([[True, True, False]])
    >>> cross_mask(asks, answers).int().tolist()
    [[[1, 1, 0], [0, 0, 0]]]
    """
    return query_padding[:, :, None] & key_padding[:, None, :]


def combine_masks(*masks: Bool[Tensor, "..."]) -> Bool[Tensor, "..."]:
    """Allow what every mask allows; the masks are broadcast to each other.

    Raises:
        ValueError: for no mask, or shapes that do not broadcast.

    >>> last_is_padding = padding_mask(torch.tensor([2]), 3)[:, None]
    >>> combine_masks(causal_mask(3), last_is_padding).int().tolist()
    [[[1, 0, 0], [1, 1, 0], [1, 1, 0]]]
    """
    if not masks:
        raise ValueError("no mask to combine: give at least one")
    shapes = [tuple(mask.shape) for mask in masks]
    try:
        shape = torch.broadcast_shapes(*shapes)
    except RuntimeError as error:
        raise ValueError(
            f"masks of shapes {shapes} do not broadcast: the last two"
            " dimensions are (query, key), and each may be 1"
        ) from error
    combined = torch.ones(shape, dtype=torch.bool, device=masks[0].device)
    for mask in masks:
        combined = combined & mask
    return combined


def as_ignored(mask: Bool[Tensor, "*shape"]) -> Bool[Tensor, "*shape"]:
    """Turn a mask into one in which True = ignore.

    It is what `nn.MultiheadAttention` takes as `attn_mask` and as
    `key_padding_mask`, and the layers of `nn.Transformer` likewise.

    >>> as_ignored(torch.tensor([True, True, False]))
    tensor([False, False,  True])
    """
    return ~mask


def as_additive(
    mask: Bool[Tensor, "*shape"], dtype: torch.dtype = torch.float32
) -> Float[Tensor, "*shape"]:
    """Turn a mask into numbers to add to the scores: 0, or the lowest.

    It is the form that reaches the attention modules of `transformers`.

    Args:
        mask: True = may attend.
        dtype: the type of the scores.

    >>> as_additive(torch.tensor([True, False]))
    tensor([ 0.0000e+00, -3.4028e+38])
    """
    zeros = torch.zeros(mask.shape, dtype=dtype, device=mask.device)
    return zeros.masked_fill(~mask, torch.finfo(dtype).min)
