"""The Transformer block: attention and feed-forward, each added and normed.

Post-norm is the original order, norm(x + f(x)); pre-norm is x + f(norm(x)).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from bertbook.attention import KeyValueCache, MultiHeadAttention


@dataclass(frozen=True, kw_only=True)
class BlockConfig:
    """The sizes of one block; the defaults are those of the original.

    Source: Vaswani et al. (2017), Table 3.
    """

    d_model: int = 512
    num_heads: int = 8
    d_ff: int = 2048
    dropout: float = 0.1
    epsilon: float = 1e-5
    activation: Callable[[Tensor], Tensor] = F.relu

    def __post_init__(self) -> None:
        """Refuse sizes that no block can have."""
        for name in ("d_model", "num_heads", "d_ff", "epsilon"):
            value = getattr(self, name)
            if value <= 0:
                raise ValueError(f"{name} is {value}: it must be positive")
        if self.d_model % self.num_heads:
            raise ValueError(
                f"{self.num_heads} heads do not divide d_model={self.d_model}:"
                " every head needs the same whole number of dimensions"
            )
        if not 0 <= self.dropout < 1:
            raise ValueError(
                f"dropout is {self.dropout}: it is a probability from 0 to"
                " below 1"
            )


class FeedForward(nn.Module):
    """Apply one two-layer network to every position on its own.

    Source: Vaswani et al. (2017), eq. 2.
    """

    def __init__(self, config: BlockConfig) -> None:
        super().__init__()
        self.widen = nn.Linear(config.d_model, config.d_ff)
        self.narrow = nn.Linear(config.d_ff, config.d_model)
        self.activation = config.activation

    def forward(
        self, x: Float[Tensor, "*batch d_model"]
    ) -> Float[Tensor, "*batch d_model"]:
        """Widen, bend, narrow."""
        return self.narrow(self.activation(self.widen(x)))


class AddAndNorm(nn.Module):
    """Wrap a sub-layer in the post-norm order: norm(x + f(x)).

    Source: Vaswani et al. (2017), §3.1.
    """

    def __init__(self, config: BlockConfig) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(config.d_model, eps=config.epsilon)
        self.dropout = nn.Dropout(config.dropout)

    def forward(
        self,
        x: Float[Tensor, "batch seq_len d_model"],
        sublayer: Callable[[Tensor], Tensor],
    ) -> Float[Tensor, "batch seq_len d_model"]:
        """Add what the sub-layer makes of `x` to it, and normalize."""
        return self.norm(x + self.dropout(sublayer(x)))

    @staticmethod
    def after_last(config: BlockConfig) -> nn.Module:
        """Return what follows the last block: nothing, it ends in a norm."""
        return nn.Identity()


class PreNormAdd(AddAndNorm):
    """Wrap a sub-layer in the pre-norm order: x + f(norm(x)).

    Source: Xiong et al. (2020), §3.1.
    """

    def forward(
        self,
        x: Float[Tensor, "batch seq_len d_model"],
        sublayer: Callable[[Tensor], Tensor],
    ) -> Float[Tensor, "batch seq_len d_model"]:
        """Add to `x` what the sub-layer makes of it normalized."""
        return x + self.dropout(sublayer(self.norm(x)))

    @staticmethod
    def after_last(config: BlockConfig) -> nn.Module:
        """Return what follows the last block: a norm, for the plain sum."""
        return nn.LayerNorm(config.d_model, eps=config.epsilon)


class EncoderBlock(nn.Module):
    """Attend, then feed forward, each in its residual connection.

    Args:
        config: the block's sizes.
        attention: a `MultiHeadAttention` or a variant of it.
        residual: the order of norm and sum, `AddAndNorm` or `PreNormAdd`.

    Source: Vaswani et al. (2017), Figure 1, left.
    """

    def __init__(
        self,
        config: BlockConfig,
        attention: type[MultiHeadAttention] = MultiHeadAttention,
        residual: type[AddAndNorm] = AddAndNorm,
    ) -> None:
        super().__init__()
        self.attention = attention(
            config.d_model, config.num_heads, dropout=config.dropout
        )
        self.feed_forward = FeedForward(config)
        self.add_attention = residual(config)
        self.add_feed_forward = residual(config)

    def forward(
        self,
        x: Float[Tensor, "batch seq_len d_model"],
        mask: Tensor | None = None,
    ) -> Float[Tensor, "batch seq_len d_model"]:
        """Return the block's output, of the input's shape.

        Args:
            x: one vector per token.
            mask: Boolean, True = may attend, as in `MultiHeadAttention`.
        """
        x = self.add_attention(x, lambda h: self.attention(h, mask=mask)[0])
        return self.add_feed_forward(x, self.feed_forward)


class BlockCache(NamedTuple):
    """What a decoder block need not compute again for the next token."""

    target: KeyValueCache
    source: KeyValueCache


class DecoderBlock(nn.Module):
    """Attend to what is written, then to the source, then feed forward.

    Args:
        config: the block's sizes.
        attention: as in `EncoderBlock`.
        residual: as in `EncoderBlock`.

    Source: Vaswani et al. (2017), Figure 1, right.
    """

    def __init__(
        self,
        config: BlockConfig,
        attention: type[MultiHeadAttention] = MultiHeadAttention,
        residual: type[AddAndNorm] = AddAndNorm,
    ) -> None:
        super().__init__()
        sizes = config.d_model, config.num_heads
        self.attention = attention(*sizes, dropout=config.dropout)
        self.cross_attention = MultiHeadAttention(
            *sizes, dropout=config.dropout
        )
        self.feed_forward = FeedForward(config)
        self.add_attention = residual(config)
        self.add_cross_attention = residual(config)
        self.add_feed_forward = residual(config)

    def forward(
        self,
        x: Float[Tensor, "batch target d_model"],
        memory: Float[Tensor, "batch source d_model"],
        mask: Tensor | None = None,
        memory_mask: Tensor | None = None,
        cache: BlockCache | None = None,
    ) -> Float[Tensor, "batch target d_model"]:
        """Return the block's output, one vector per target position.

        Args:
            x: the target so far; behind a cache, its newest positions.
            memory: the encoder's output.
            mask: over (batch, target, target): causal, and padding.
            memory_mask: over (batch, target, source); the target may be 1.
            cache: keys and values of earlier calls.
        """
        target, source = cache or (None, None)
        x = self.add_attention(
            x, lambda h: self.attention(h, mask=mask, cache=target)[0]
        )
        x = self.add_cross_attention(
            x,
            lambda h: self.cross_attention(
                h, memory, mask=memory_mask, cache=source
            )[0],
        )
        return self.add_feed_forward(x, self.feed_forward)
