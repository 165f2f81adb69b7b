"""Attention: scores, scale, softmax, mixture, and many heads of it.

A mask is Boolean and True means "this query may attend to this key". A query
that may attend to nothing gets zeros, in the weights and in the output.
"""

import math

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn


def scaled_dot_product_attention(
    query: Float[Tensor, "*batch query d_k"],
    key: Float[Tensor, "*batch key d_k"],
    value: Float[Tensor, "*batch key d_v"],
    mask: Tensor | None = None,
    bias: Tensor | None = None,
) -> tuple[
    Float[Tensor, "*batch query d_v"], Float[Tensor, "*batch query key"]
]:
    """Mix the values, each by how well its key answers the query.

    Args:
        query: what each position looks for.
        key: what each position offers to be found by.
        value: what each position passes on.
        mask: Boolean, broadcast to the scores; True = may attend.
        bias: added to the scaled scores, broadcast to them.

    Returns:
        The output, one row per query, and the weights, whose rows sum to 1.

    Raises:
        ValueError: for no query or no key, or a mask or bias that is not
            Boolean, not floating point, or does not fit the scores.

    >>> one = torch.ones(1, 4)
    >>> keys = torch.stack([torch.ones(4), torch.zeros(4)])
    >>> output, weights = scaled_dot_product_attention(one, keys, torch.eye(2))
    >>> weights
    tensor([[0.8808, 0.1192]])

    Source: Vaswani et al. (2017), eq. 1.
    """
    scores = torch.einsum("...qd,...kd->...qk", query, key)
    scores = scores / math.sqrt(query.shape[-1])
    check_mask(scores.shape, mask, bias)
    if bias is not None:
        scores = scores + bias.to(scores.dtype)
    if mask is not None:
        # The lowest finite number, not -inf: softmax over a row of -inf is
        # NaN, and its gradient stays NaN whatever comes after it.
        lowest = torch.finfo(scores.dtype).min
        scores = scores.masked_fill(~mask, lowest)
    weights = scores.softmax(dim=-1)
    if mask is not None:
        weights = weights.masked_fill(~mask, 0.0)
    output = torch.einsum("...qk,...kv->...qv", weights, value)
    return output, weights


def check_mask(
    shape: torch.Size, mask: Tensor | None, bias: Tensor | None = None
) -> None:
    """Check that a mask and a bias fit the scores, by shape and type alone.

    Args:
        shape: the scores' shape, (…, query, key).
        mask: Boolean, broadcastable to the shape, or None.
        bias: floating point, broadcastable to the shape, or None.

    Raises:
        ValueError: if the scores are empty, or one of the two does not fit.
    """
    if 0 in shape[-2:]:
        raise ValueError(
            f"{shape[-2]} queries and {shape[-1]} keys: a sequence is empty,"
            " give at least one of each"
        )
    if mask is not None and mask.dtype != torch.bool:
        raise ValueError(
            f"the mask has dtype {mask.dtype}: make it Boolean,"
            " True = may attend (of ones and zeros: mask.bool())"
        )
    if bias is not None and not bias.dtype.is_floating_point:
        raise ValueError(
            f"the bias has dtype {bias.dtype}: it is added to the scores,"
            " make it floating point"
        )
    for name, given in (("mask", mask), ("bias", bias)):
        if given is not None and not _fits(given.shape, shape):
            raise ValueError(
                f"a {name} of shape {tuple(given.shape)} does not fit scores"
                f" of shape {tuple(shape)}: its last two dimensions are"
                " (query, key), and each may be 1"
            )


def _fits(given: torch.Size, shape: torch.Size) -> bool:
    """Tell whether a shape broadcasts to another without enlarging it."""
    if len(given) > len(shape):
        return False
    pairs = zip(reversed(given), reversed(shape), strict=False)
    return all(size in (1, wanted) for size, wanted in pairs)


def fused_attention(
    query: Float[Tensor, "*batch query d_k"],
    key: Float[Tensor, "*batch key d_k"],
    value: Float[Tensor, "*batch key d_v"],
    mask: Tensor | None = None,
    bias: Tensor | None = None,
    dropout: float = 0.0,
) -> Float[Tensor, "*batch query d_v"]:
    """Give the output of `scaled_dot_product_attention`, without the weights.

    PyTorch's fused kernels never hold all scores at once: memory grows with
    the length, not with its square, as long as no mask or bias of that size
    is passed.

    Args:
        query: as in `scaled_dot_product_attention`.
        key: as there.
        value: as there.
        mask: as there.
        bias: as there.
        dropout: the probability with which a weight is dropped.

    Raises:
        ValueError: as in `scaled_dot_product_attention`.
    """
    shape = torch.Size([*query.shape[:-1], key.shape[-2]])
    check_mask(shape, mask, bias)
    if bias is not None:
        bias = bias.to(query.dtype)
    if mask is None:
        return F.scaled_dot_product_attention(
            query, key, value, bias, dropout_p=dropout
        )
    # Kernels differ on rows in which nothing may be attended: open such a
    # row to every key, then set what comes out of it to zero.
    empty = ~mask.any(dim=-1, keepdim=True)
    allowed = mask | empty
    if bias is not None:
        allowed = bias.masked_fill(~allowed, -math.inf)
    output = F.scaled_dot_product_attention(
        query, key, value, allowed, dropout_p=dropout
    )
    return output.masked_fill(empty, 0.0)


class KeyValueCache:
    """The keys and values that one attention layer need not compute again.

    A decoder that writes token by token keeps one per layer: behind it, a
    new token costs one query, not a pass over all that came before.
    """

    def __init__(self) -> None:
        self.key: Tensor | None = None
        self.value: Tensor | None = None

    def __len__(self) -> int:
        """Return the number of positions held."""
        return 0 if self.key is None else self.key.shape[-2]

    def append(
        self,
        key: Float[Tensor, "batch heads new d_key"],
        value: Float[Tensor, "batch heads new d_value"],
    ) -> None:
        """Hold the keys and values of further positions."""
        if self.key is not None and self.value is not None:
            key = torch.cat([self.key, key], dim=-2)
            value = torch.cat([self.value, value], dim=-2)
        self.key, self.value = key, value


class MultiHeadAttention(nn.Module):
    """Attend several times at once, each head with its own projections.

    Given one input it is self-attention; given a source as well, the queries
    come from the input, the keys and values from the source.

    Args:
        d_model: width of the input and of the output.
        num_heads: number of heads; it divides `d_model`.
        d_source: width of the source, where it differs from `d_model`.
        d_key: width of a head's queries and keys, `d_model / num_heads` by
            default. A head's values always have that default width.
        bias: whether the four projections add a bias (BERT's do).
        dropout: the probability with which a weight is dropped in training.

    Raises:
        ValueError: if a size is not positive, `num_heads` does not divide
            `d_model`, or `dropout` is not a probability below 1.

    Source: Vaswani et al. (2017), §3.2.2.
    """

    def __init__(
        self,
        d_model: int,
        num_heads: int,
        *,
        d_source: int | None = None,
        d_key: int | None = None,
        bias: bool = True,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        sizes = {"d_model": d_model, "num_heads": num_heads}
        sizes |= {"d_source": d_source, "d_key": d_key}
        _check_heads(sizes, dropout)
        d_source = d_source or d_model
        d_key = d_key or d_model // num_heads
        self.num_heads, self.dropout = num_heads, dropout
        self.query = nn.Linear(d_model, num_heads * d_key, bias=bias)
        self.key = nn.Linear(d_source, num_heads * d_key, bias=bias)
        self.value = nn.Linear(d_source, d_model, bias=bias)
        self.output = nn.Linear(d_model, d_model, bias=bias)

    def forward(
        self,
        x: Float[Tensor, "batch query d_model"],
        source: Float[Tensor, "batch key d_source"] | None = None,
        mask: Tensor | None = None,
        bias: Tensor | None = None,
        *,
        cache: KeyValueCache | None = None,
        return_weights: bool = False,
    ) -> tuple[
        Float[Tensor, "batch query d_model"],
        Float[Tensor, "batch heads query key"] | None,
    ]:
        """Attend from `x` to the source, or to `x` itself.

        Args:
            x: what the queries are made of.
            source: what the keys and values are made of; `x` by default.
            mask: Boolean, True = may attend: (batch, query, key), or with
                heads (batch, heads, query, key); each may be 1.
            bias: added to the scores, broadcast to (batch, heads, query,
                key).
            cache: keys and values of earlier calls. Self-attention adds
                those of `x` to them; attention to a source computes them
                once and reads them from then on.
            return_weights: whether to return the weights of every head,
                which costs memory quadratic in the length.

        Returns:
            The output, and the weights or None.

        Raises:
            ValueError: for an empty sequence, or a mask or bias of the wrong
                shape or type.
        """
        if mask is not None:
            mask = _over_heads(mask)
        start = len(cache) if cache is not None and source is None else 0
        query = self._queries(x, start)
        key, value = self._keys_values(x, source, start, cache)
        heads, weights = self._mix(
            query, key, value, mask, bias, return_weights=return_weights
        )
        return self._merge(heads), weights

    def _split(
        self, projected: Float[Tensor, "batch seq_len width"]
    ) -> Float[Tensor, "batch heads seq_len d_head"]:
        """Cut each row into one piece per head."""
        batch, seq_len, width = projected.shape
        d_head = width // self.num_heads
        pieces = projected.view(batch, seq_len, self.num_heads, d_head)
        return pieces.transpose(1, 2)  # (batch, heads, seq_len, d_head)

    def _queries(
        self, x: Float[Tensor, "batch query d_model"], start: int
    ) -> Float[Tensor, "batch heads query d_key"]:
        """Return every head's queries; the first stands at `start`."""
        return self._split(self.query(x))

    def _keys(
        self, source: Float[Tensor, "batch key d_source"], start: int
    ) -> Float[Tensor, "batch heads key d_key"]:
        """Return every head's keys; the first stands at `start`."""
        return self._split(self.key(source))

    def _keys_values(
        self,
        x: Float[Tensor, "batch query d_model"],
        source: Float[Tensor, "batch key d_source"] | None,
        start: int,
        cache: KeyValueCache | None,
    ) -> tuple[
        Float[Tensor, "batch heads all_keys d_key"],
        Float[Tensor, "batch heads all_keys d_value"],
    ]:
        """Return every head's keys and values, those of the cache first."""
        cache = KeyValueCache() if cache is None else cache
        if source is None or not len(cache):
            source = x if source is None else source
            value = self._split(self.value(source))
            cache.append(self._keys(source, start), value)
        assert cache.key is not None
        assert cache.value is not None
        return cache.key, cache.value

    def _mix(
        self,
        query: Float[Tensor, "batch heads query d_key"],
        key: Float[Tensor, "batch heads key d_key"],
        value: Float[Tensor, "batch heads key d_value"],
        mask: Tensor | None,
        bias: Tensor | None = None,
        *,
        return_weights: bool = False,
    ) -> tuple[
        Float[Tensor, "batch heads query d_value"],
        Float[Tensor, "batch heads query key"] | None,
    ]:
        """Attend in every head; the mask has a dimension for the heads."""
        dropout = self.dropout if self.training else 0.0
        if not return_weights:
            mixed = fused_attention(query, key, value, mask, bias, dropout)
            return mixed, None
        mixed, weights = scaled_dot_product_attention(
            query, key, value, mask, bias
        )
        if dropout:
            mixed = F.dropout(weights, dropout) @ value
        return mixed, weights

    def _merge(
        self, heads: Float[Tensor, "batch heads query d_value"]
    ) -> Float[Tensor, "batch query d_model"]:
        """Put the heads side by side and project them."""
        return self.output(heads.transpose(1, 2).flatten(2))


def _over_heads(mask: Tensor) -> Tensor:
    """Give a mask over (batch, query, key) a dimension for the heads."""
    if mask.ndim == 2:
        raise ValueError(
            f"a mask of shape {tuple(mask.shape)} may mean (query, key) or"
            " (batch, key): write mask[None] for the first, mask[:, None]"
            " for the second"
        )
    return mask.unsqueeze(1) if mask.ndim == 3 else mask


def _check_heads(sizes: dict[str, int | None], dropout: float) -> None:
    """Refuse sizes and a dropout that no attention can have."""
    for name, size in sizes.items():
        if size is not None and size < 1:
            raise ValueError(f"{name} is {size}: it must be at least 1")
    d_model, num_heads = sizes["d_model"], sizes["num_heads"]
    if d_model and num_heads and d_model % num_heads:
        raise ValueError(
            f"{num_heads} heads do not divide d_model={d_model}: every head"
            " needs the same whole number of dimensions"
        )
    if not 0.0 <= dropout < 1.0:
        raise ValueError(
            f"dropout is {dropout}: it is a probability from 0 to below 1"
        )
