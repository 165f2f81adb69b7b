"""Token ids in, vectors out: the table, its scale, and the segments."""

import math

import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn


def one_hot_lookup(
    token_ids: Int[Tensor, "*batch seq_len"],
    table: Float[Tensor, "vocab_size d_model"],
) -> Float[Tensor, "*batch seq_len d_model"]:
    """Look rows up the long way: a one-hot matrix times the table.

    The result is that of indexing, at `vocab_size` times the work.

    >>> import torch
    >>> table = torch.tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    >>> one_hot_lookup(torch.tensor([2, 0]), table)
    tensor([[5., 6.],
            [1., 2.]])

    Source: Jurafsky and Martin, Speech and Language Processing, ch. 10.
    """
    return F.one_hot(token_ids, len(table)).to(table.dtype) @ table


class TokenEmbedding(nn.Module):
    """Look up one trained vector per token id, times √d_model.

    Vaswani et al. share this table with the output layer: `logits` turns
    hidden states into scores over the vocabulary by the same rows.

    Args:
        vocab_size: number of rows.
        d_model: width of a vector.

    Source: Vaswani et al. (2017), §3.4.
    """

    def __init__(self, vocab_size: int, d_model: int) -> None:
        super().__init__()
        for name, value in (("vocab_size", vocab_size), ("d_model", d_model)):
            if value < 1:
                raise ValueError(f"{name} is {value}: it must be at least 1")
        self.scale = math.sqrt(d_model)
        self.table = nn.Embedding(vocab_size, d_model)
        nn.init.normal_(self.table.weight, std=1 / self.scale)

    def forward(
        self, token_ids: Int[Tensor, "batch seq_len"]
    ) -> Float[Tensor, "batch seq_len d_model"]:
        """Return the scaled row of each id."""
        return self.table(token_ids) * self.scale

    def logits(
        self, hidden: Float[Tensor, "batch seq_len d_model"]
    ) -> Float[Tensor, "batch seq_len vocab_size"]:
        """Return each row's dot product with each hidden state."""
        return hidden @ self.table.weight.T


def check_token_ids(
    token_ids: Int[Tensor, "batch seq_len"], vocab_size: int
) -> None:
    """Check ids before they enter a model.

    Raises:
        ValueError: for an empty batch or row, or an id that the vocabulary
            does not have.

    >>> import torch
    >>> check_token_ids(torch.tensor([[3, 9]]), vocab_size=9)
    Traceback (most recent call last):
    ValueError: token id 9 is not in the vocabulary: ids go from 0 to 8
    """
    if not token_ids.numel():
        raise ValueError(
            f"token ids of shape {tuple(token_ids.shape)} hold no token: give"
            " at least one sequence with at least one token"
        )
    outside = token_ids[(token_ids < 0) | (token_ids >= vocab_size)]
    if outside.numel():
        raise ValueError(
            f"token id {outside[0].item()} is not in the vocabulary: ids go"
            f" from 0 to {vocab_size - 1}"
        )
