"""A Transformer that sorts digits, whose blocks may lack a part.

Sorting needs every part of a block: each position has to read all digits, and
to decide which of them belongs in its own place.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from bertbook.blocks import AddAndNorm, EncoderBlock, PreNormAdd
from bertbook.embeddings import TokenEmbedding
from bertbook.positions import SinusoidalPositions
from bertbook.runtime import device
from bertbook.transformer import TransformerConfig

TOY = TransformerConfig(
    vocab_size=10,
    max_len=10,
    d_model=32,
    num_heads=4,
    d_ff=128,
    num_layers=6,
    dropout=0.0,
)
"""The sizes of the sorter: ten digits, six blocks as in the original."""


class AddOnly(AddAndNorm):
    """Leave out the norm: x + f(x)."""

    def __init__(self, config: Any) -> None:
        super().__init__(config)
        self.norm = nn.Identity()


class NormOnly(AddAndNorm):
    """Leave out the residual: norm(f(x))."""

    def forward(
        self,
        x: Float[Tensor, "batch seq_len d_model"],
        sublayer: Callable[[Tensor], Tensor],
    ) -> Float[Tensor, "batch seq_len d_model"]:
        """Normalize what the sub-layer makes of `x`, and drop `x`."""
        return self.norm(self.dropout(sublayer(x)))


class Neither(AddOnly):
    """Leave out both: f(x)."""

    def forward(
        self,
        x: Float[Tensor, "batch seq_len d_model"],
        sublayer: Callable[[Tensor], Tensor],
    ) -> Float[Tensor, "batch seq_len d_model"]:
        """Return what the sub-layer makes of `x`."""
        return self.dropout(sublayer(x))


class AttentionOnly(EncoderBlock):
    """Leave out the feed-forward network, with its residual and norm."""

    def __init__(self, *sizes: Any, **parts: Any) -> None:
        super().__init__(*sizes, **parts)
        del self.feed_forward, self.add_feed_forward

    def forward(
        self,
        x: Float[Tensor, "batch seq_len d_model"],
        mask: Tensor | None = None,
    ) -> Float[Tensor, "batch seq_len d_model"]:
        """Attend, add and normalize."""
        return self.add_attention(x, lambda h: self.attention(h, mask=mask)[0])


def _unbent(x: Tensor) -> Tensor:
    return x


Maker = Callable[[TransformerConfig], EncoderBlock]
PARTS: dict[str, Maker] = {
    "whole block": EncoderBlock,
    "norm first": lambda c: EncoderBlock(c, residual=PreNormAdd),
    "without Add": lambda c: EncoderBlock(c, residual=NormOnly),
    "without Norm": lambda c: EncoderBlock(c, residual=AddOnly),
    "without both": lambda c: EncoderBlock(c, residual=Neither),
    "without FFN": AttentionOnly,
    "without ReLU": lambda c: EncoderBlock(replace(c, activation=_unbent)),
}
"""How to build a block, by what is missing from it."""


class Sorter(nn.Module):
    """Read digits, and write them in order, all at once.

    Args:
        config: the sizes.
        make_block: one of `PARTS`.
    """

    def __init__(self, config: TransformerConfig, make_block: Maker) -> None:
        super().__init__()
        self.embedding = TokenEmbedding(config.vocab_size, config.d_model)
        self.positions = SinusoidalPositions(config.d_model)
        blocks = [make_block(config) for _ in range(config.num_layers)]
        self.blocks = nn.ModuleList(blocks)
        order = type(blocks[-1].add_attention)
        self.after_last = order.after_last(config)
        self.to_digits = nn.Linear(config.d_model, config.vocab_size)

    def forward(
        self, token_ids: Int[Tensor, "batch seq_len"]
    ) -> Float[Tensor, "batch seq_len vocab_size"]:
        """Return a score for each digit in each place."""
        x = self.positions(self.embedding(token_ids))
        for block in self.blocks:
            x = block(x)
        return self.to_digits(self.after_last(x))


def draw_digits(
    num_strings: int, length: int, generator: torch.Generator
) -> Int[Tensor, "num_strings length"]:
    """Draw strings of digits.

    >>> draw_digits(2, 3, torch.Generator().manual_seed(0)).shape
    torch.Size([2, 3])
    """
    drawn = torch.randint(10, (num_strings, length), generator=generator)
    return drawn.to(device)


def sorting_loss(
    model: Sorter, digits: Int[Tensor, "batch seq_len"]
) -> Float[Tensor, ""]:
    """Return the mean surprise at the right digit of each place, in nats."""
    labels = digits.sort(dim=1).values
    return F.cross_entropy(model(digits).flatten(0, 1), labels.flatten())


def train_sorter(
    model: Sorter,
    *,
    num_steps: int,
    batch_size: int,
    generator: torch.Generator,
    learning_rate: float = 1e-3,
    strings: Int[Tensor, "num_strings length"] | None = None,
    after_step: Callable[[int], None] = lambda step: None,
) -> list[float]:
    """Train with Adam, on fresh strings or on the same few again and again.

    Args:
        model: the sorter; it is changed.
        num_steps: number of updates.
        batch_size: strings in each.
        generator: draws the strings.
        learning_rate: Adam's step size, held constant.
        strings: the only strings to train on; None draws fresh ones.
        after_step: called with the number of steps done.

    Returns:
        The loss of each step, in nats per digit.
    """
    model.to(device).train()
    optimizer = torch.optim.Adam(model.parameters(), learning_rate, fused=True)
    losses = []
    for step in range(1, num_steps + 1):
        if strings is None:
            batch = draw_digits(batch_size, TOY.max_len, generator)
        else:
            chosen = torch.randint(
                len(strings), (batch_size,), generator=generator
            )
            batch = strings[chosen.to(device)]
        loss = sorting_loss(model, batch)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
        after_step(step)
    return losses
