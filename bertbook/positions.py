"""Where a token stands: sinusoidal, learned, relative and rotary positions.

Absolute positions are vectors added to the token embeddings. Relative and
rotary positions leave the embeddings alone and act inside attention.
"""

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from bertbook.attention import KeyValueCache, MultiHeadAttention


def sinusoidal_positions(
    length: int, d_model: int, base: float = 10_000.0
) -> Float[Tensor, "length d_model"]:
    """Return one vector of sines and cosines per position.

    Entry (k, 2i) is sin(k / base^(2i/d_model)), entry (k, 2i + 1) is the
    cosine of the same angle: the parity is that of the dimension.

    Args:
        length: number of positions, counted from 0.
        d_model: width of a vector; even.
        base: sets the longest wavelength, 2π · base^((d_model-2)/d_model).

    Raises:
        ValueError: if `d_model` is odd or not positive, if `length` is
            negative, or if `base` is not above 1.

    >>> sinusoidal_positions(2, 4, base=100.0)
    tensor([[0.0000, 1.0000, 0.0000, 1.0000],
            [0.8415, 0.5403, 0.0998, 0.9950]])

    Source: Vaswani et al. (2017), §3.5.
    """
    if length < 0:
        raise ValueError(f"length is {length}: it counts positions, from 0 up")
    angles = torch.outer(
        torch.arange(length, dtype=torch.float64), _frequencies(d_model, base)
    )
    table = torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(-2)
    return table.to(torch.get_default_dtype())


def _frequencies(width: int, base: float) -> Float[Tensor, " half"]:
    """Return the radians per position of each pair of dimensions."""
    if width <= 0 or width % 2:
        raise ValueError(
            f"{width} dimensions cannot be paired into sine and cosine:"
            " choose a positive even number"
        )
    if base <= 1:
        raise ValueError(f"base is {base}: choose a number above 1")
    even = torch.arange(0, width, 2, dtype=torch.float64)
    return base ** (-even / width)


class _Sinusoid(nn.Module):
    """Hold a sinusoidal table that grows when a longer input comes."""

    table: Tensor

    def __init__(self, width: int, base: float = 10_000.0) -> None:
        super().__init__()
        self.base = base
        table = sinusoidal_positions(512, width, base)
        self.register_buffer("table", table, persistent=False)

    def rows(
        self, x: Float[Tensor, "*batch seq_len width"], start: int
    ) -> Float[Tensor, "seq_len width"]:
        """Return the vectors of positions `start` on, in the type of `x`."""
        end = start + x.shape[-2]
        if end > len(self.table):
            table = sinusoidal_positions(2 * end, x.shape[-1], self.base)
            self.table = table.to(self.table)
        return self.table[start:end].to(x.dtype)


class SinusoidalPositions(_Sinusoid):
    """Add sinusoidal positions; there is no parameter and no longest input.

    Args:
        d_model: width of the vectors; even.
        base: see `sinusoidal_positions`.

    Source: Vaswani et al. (2017), §3.5.
    """

    def forward(
        self, x: Float[Tensor, "batch seq_len d_model"], start: int = 0
    ) -> Float[Tensor, "batch seq_len d_model"]:
        """Add the vector of each position, the first being `start`."""
        return x + self.rows(x, start)


class LearnedPositions(nn.Module):
    """Add one trained vector per position, up to the end of the table.

    Args:
        max_len: number of rows: the longest input, in tokens.
        d_model: width of the vectors.

    Source: Devlin et al. (2019), §3; Gehring et al. (2017), §3.1.
    """

    def __init__(self, max_len: int, d_model: int) -> None:
        super().__init__()
        if max_len < 1:
            raise ValueError(f"max_len is {max_len}: give at least one row")
        self.table = nn.Embedding(max_len, d_model)
        nn.init.normal_(self.table.weight, std=0.02)

    def forward(
        self, x: Float[Tensor, "batch seq_len d_model"], start: int = 0
    ) -> Float[Tensor, "batch seq_len d_model"]:
        """Add the vector of each position, the first being `start`.

        Raises:
            ValueError: if the input reaches past the table.
        """
        end, max_len = start + x.shape[1], self.table.num_embeddings
        if end > max_len:
            raise ValueError(
                f"the input reaches position {end - 1}, the table ends at"
                f" {max_len - 1}: cut the input to {max_len} tokens, or train"
                " a longer table"
            )
        return x + self.table.weight[start:end].to(x.dtype)


class RelativeBias(nn.Module):
    """Give each head a trained number per distance, added to its scores.

    Near distances have a bucket each, far ones share buckets that grow
    logarithmically, and all beyond `max_distance` share the last.

    Args:
        num_heads: number of heads, each with its own numbers.
        num_buckets: half for keys at or before the query, half for keys
            after it; even.
        max_distance: tokens from which on distances are no longer told apart.

    Source: Raffel et al. (2020), §2.1; Shaw et al. (2018) for the idea.
    """

    def __init__(
        self, num_heads: int, num_buckets: int = 32, max_distance: int = 128
    ) -> None:
        super().__init__()
        if num_buckets < 4 or num_buckets % 4:
            raise ValueError(
                f"num_buckets is {num_buckets}: choose a multiple of 4"
            )
        if max_distance <= num_buckets // 4:
            raise ValueError(
                f"max_distance {max_distance} leaves no room behind the"
                f" {num_buckets // 4} exact buckets: choose a larger one"
            )
        self.num_buckets, self.max_distance = num_buckets, max_distance
        self.table = nn.Embedding(num_buckets, num_heads)
        nn.init.normal_(self.table.weight, std=0.02)

    def bucket(self, distance: Int[Tensor, "*shape"]) -> Int[Tensor, "*shape"]:
        """Return the bucket of each distance, key position minus query's."""
        half = self.num_buckets // 2
        exact = half // 2
        size = distance.abs()
        ratio = (size.clamp(min=1) / exact).log()
        far = exact + (
            ratio / math.log(self.max_distance / exact) * (half - exact)
        ).to(distance.dtype)
        bucket = torch.where(size < exact, size, far.clamp(max=half - 1))
        return bucket + half * (distance > 0).to(distance.dtype)

    def forward(
        self, query_len: int, key_len: int, start: int = 0
    ) -> Float[Tensor, "heads query key"]:
        """Return the bias on all keys of queries from position `start`."""
        here = self.table.weight.device
        query = torch.arange(start, start + query_len, device=here)
        key = torch.arange(key_len, device=here)
        buckets = self.bucket(key[None, :] - query[:, None])
        return self.table(buckets).permute(2, 0, 1)


def rotate(
    x: Float[Tensor, "*batch seq_len d_head"],
    table: Float[Tensor, "seq_len d_head"],
) -> Float[Tensor, "*batch seq_len d_head"]:
    """Turn each pair of dimensions by the angle of its row in the table.

    Args:
        x: queries or keys; dimensions (0, 1), (2, 3), … are the pairs.
        table: `sinusoidal_positions` of the rows: the sine and cosine of
            the angle by which each pair is turned.

    >>> x = torch.tensor([[1.0, 0.0], [1.0, 0.0]])
    >>> rotate(x, sinusoidal_positions(2, 2))
    tensor([[1.0000, 0.0000],
            [0.5403, 0.8415]])

    Source: Su et al. (2021), eq. 34.
    """
    sin, cos = table[..., 0::2], table[..., 1::2]
    even, odd = x[..., 0::2], x[..., 1::2]
    turned = [even * cos - odd * sin, even * sin + odd * cos]
    return torch.stack(turned, dim=-1).flatten(-2)


class RotaryPositions(_Sinusoid):
    """Turn queries and keys so that their products know distances only.

    Args:
        d_head: width of a head's queries and keys; even.
        base: see `sinusoidal_positions`.

    Source: Su et al. (2021), §3.2.
    """

    def forward(
        self, x: Float[Tensor, "*batch seq_len d_head"], start: int = 0
    ) -> Float[Tensor, "*batch seq_len d_head"]:
        """Turn each row by its position, the first being `start`."""
        return rotate(x, self.rows(x, start))


class RotaryAttention(MultiHeadAttention):
    """Self-attention whose queries and keys are turned by their positions.

    Source: Su et al. (2021), §3.2.
    """

    def __init__(
        self, d_model: int, num_heads: int, *, dropout: float = 0.0
    ) -> None:
        super().__init__(d_model, num_heads, dropout=dropout)
        self.turn = RotaryPositions(d_model // num_heads)

    def _queries(
        self, x: Float[Tensor, "batch query d_model"], start: int
    ) -> Float[Tensor, "batch heads query d_head"]:
        return self.turn(super()._queries(x, start), start)

    def _keys(
        self, source: Float[Tensor, "batch key d_model"], start: int
    ) -> Float[Tensor, "batch heads key d_head"]:
        return self.turn(super()._keys(source, start), start)


class RelativeAttention(MultiHeadAttention):
    """Self-attention with a trained number per head and distance.

    Source: Raffel et al. (2020), §2.1.
    """

    def __init__(
        self, d_model: int, num_heads: int, *, dropout: float = 0.0
    ) -> None:
        super().__init__(d_model, num_heads, dropout=dropout)
        self.distance_bias = RelativeBias(num_heads)

    def forward(
        self,
        x: Float[Tensor, "batch query d_model"],
        source: Float[Tensor, "batch key d_model"] | None = None,
        mask: Tensor | None = None,
        bias: Tensor | None = None,
        *,
        cache: KeyValueCache | None = None,
        return_weights: bool = False,
    ) -> tuple[
        Float[Tensor, "batch query d_model"],
        Float[Tensor, "batch heads query key"] | None,
    ]:
        """Attend as `MultiHeadAttention` does, with the distances' bias.

        Raises:
            ValueError: for a source: distances exist within one sequence.
        """
        if source is not None:
            raise ValueError(
                f"a source of shape {tuple(source.shape)}: positions in two"
                " sequences have no distance, use MultiHeadAttention"
            )
        start = len(cache) if cache is not None else 0
        by_distance = self.distance_bias(x.shape[1], start + x.shape[1], start)
        bias = by_distance if bias is None else by_distance + bias
        return super().forward(
            x, mask=mask, bias=bias, cache=cache, return_weights=return_weights
        )
