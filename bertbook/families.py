"""Small models of three families, and a picture of which input reaches what.

`BertLike` and `GptLike` are one stack of blocks under two masks. `ElmoLike`
is two recurrent networks that never meet.
"""

from collections.abc import Callable

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from bertbook.embeddings import TokenEmbedding, check_token_ids
from bertbook.masks import causal_mask
from bertbook.positions import SinusoidalPositions
from bertbook.transformer import Encoder, TransformerConfig


class BertLike(nn.Module):
    """Embeddings, encoder blocks, and the table once more as output.

    Without a mask every position reads every other.

    Args:
        config: the sizes.
    """

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.config = config
        self.embedding = TokenEmbedding(config.vocab_size, config.d_model)
        self.positions = SinusoidalPositions(config.d_model)
        self.blocks = Encoder(config)

    def read(
        self,
        vectors: Float[Tensor, "batch seq_len d_model"],
        mask: Tensor | None = None,
    ) -> Float[Tensor, "batch seq_len d_model"]:
        """Return one state per position, from the words' own vectors.

        Args:
            vectors: one per token, as the table has them.
            mask: Boolean, True = may attend, (batch, query, key).
        """
        return self.blocks(self.positions(vectors), mask)

    def forward(
        self,
        token_ids: Int[Tensor, "batch seq_len"],
        mask: Tensor | None = None,
    ) -> Float[Tensor, "batch seq_len d_model"]:
        """Return one state per token."""
        return self.read(self.embedding(token_ids), mask)


class GptLike(BertLike):
    """The same blocks, in which no position reads a later one."""

    def read(
        self,
        vectors: Float[Tensor, "batch seq_len d_model"],
        mask: Tensor | None = None,
    ) -> Float[Tensor, "batch seq_len d_model"]:
        """Return one state per position, blind to what comes after."""
        causal = causal_mask(vectors.shape[1], device=vectors.device)[None]
        return super().read(vectors, causal if mask is None else mask & causal)


class ElmoLike(nn.Module):
    """Two stacks of LSTMs, one for each direction, joined at the very end.

    This is not `nn.LSTM(bidirectional=True)` with several layers: there the
    second layer reads both directions of the first.

    Args:
        config: the sizes; each direction has half of `d_model`.

    Source: Peters et al. (2018), §3.1.
    """

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.config = config
        self.embedding = TokenEmbedding(config.vocab_size, config.d_model)
        sizes = config.d_model, config.d_model // 2, config.num_layers
        self.rightward = nn.LSTM(*sizes, batch_first=True)
        self.leftward = nn.LSTM(*sizes, batch_first=True)

    def read(
        self, vectors: Float[Tensor, "batch seq_len d_model"]
    ) -> Float[Tensor, "batch seq_len d_model"]:
        """Return both directions' states, side by side."""
        forward, _ = self.rightward(vectors)
        backward, _ = self.leftward(vectors.flip(1))
        return torch.cat([forward, backward.flip(1)], dim=-1)

    def forward(
        self, token_ids: Int[Tensor, "batch seq_len"]
    ) -> Float[Tensor, "batch seq_len d_model"]:
        """Return one state per token."""
        return self.read(self.embedding(token_ids))


Reader = Callable[[Tensor], Tensor]
"""From vectors to states, both (1, seq_len, width)."""


def reachability(
    read: Reader, vectors: Float[Tensor, "1 seq_len d_model"]
) -> Bool[Tensor, "seq_len seq_len"]:
    """Find which input vectors each state depends on, by autograd.

    Row i, column j is True if some number of state i has a derivative by
    some number of vector j that is not zero. Use double precision: a small
    derivative must not be rounded to zero.

    Args:
        read: a function of the vectors alone, in evaluation mode.
        vectors: one per token.

    >>> reachability(lambda x: x.cumsum(1), torch.ones(1, 3, 2)).int().tolist()
    [[1, 0, 0], [1, 1, 0], [1, 1, 1]]
    """
    jacobian = torch.autograd.functional.jacobian(read, vectors)
    assert isinstance(jacobian, Tensor)
    return (jacobian[0, :, :, 0] != 0).any(dim=1).any(dim=-1)


@torch.no_grad()
def interaction(
    read: Reader,
    vectors: Float[Tensor, "1 seq_len d_model"],
    position: int,
) -> float:
    """Measure how far left and right words act *together* on one state.

    Change the left neighbor, the right neighbor, and both. If each half of
    the state knows one side only, the change by both is the sum of the two
    changes, number by number, and the answer is 0.

    Args:
        read: as for `reachability`.
        vectors: one per token.
        position: the state that is looked at, with a neighbor on each side.

    Returns:
        The largest number left over, of those in the state.

    Raises:
        ValueError: if the position has no neighbor on one side.
    """
    length = vectors.shape[1]
    if not 0 < position < length - 1:
        raise ValueError(
            f"position {position} of {length} has no neighbor on one side:"
            f" choose 1 to {length - 2}"
        )
    states = []
    for left, right in ((1, 1), (1, 0), (0, 1), (0, 0)):
        changed = vectors.clone()
        changed[:, position - 1] += left
        changed[:, position + 1] -= right
        states.append(read(changed)[0, position])
    both, left_only, right_only, neither = states
    rest = (both - left_only) - (right_only - neither)
    return rest.abs().max().item()


@torch.no_grad()
def generate(
    model: BertLike, token_ids: Int[Tensor, "batch seq_len"], num_tokens: int
) -> Int[Tensor, "batch written"]:
    """Append the likeliest next token, again and again.

    Args:
        model: in evaluation mode.
        token_ids: what is written so far.
        num_tokens: how many tokens to append.

    Raises:
        ValueError: for ids that the model does not have.
    """
    check_token_ids(token_ids, model.config.vocab_size)
    for _ in range(num_tokens):
        logits = model.embedding.logits(model(token_ids)[:, -1:])
        token_ids = torch.cat([token_ids, logits.argmax(-1)], dim=1)
    return token_ids
