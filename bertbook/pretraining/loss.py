"""The loss of masked language modelling, without room for all its scores.

A score for every word of the vocabulary at every hidden token is the largest
tensor of a step. Here a few tokens at a time are scored, and their gradients
taken at once; then the next tokens use the same memory.
"""

from typing import Any, Final, cast

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from bertbook.bert import BertForMaskedLM
from bertbook.blocks import EncoderBlock
from bertbook.masking import IGNORED
from bertbook.pretraining.rows import Rows

_SCORES_AT_ONCE: Final = 2**23
"""On a processor: 32 MB in float32. The C library keeps that much at hand and
asks the system anew, which clears every page, for more."""


class MaskedLMLoss(nn.Module):
    """A model that returns its summed loss in place of its scores.

    Args:
        model: what is trained.
        compile: whether to compile the encoder.
    """

    def __init__(
        self, model: BertForMaskedLM, *, compile: bool = False
    ) -> None:
        super().__init__()
        self.model = model
        if compile:
            self._encoded = torch.compile(self._encoded)

    def forward(
        self, rows: Rows, labels: Int[Tensor, "rows width"]
    ) -> Float[Tensor, ""]:
        """Return the cross-entropy, summed over the chosen tokens, in nats.

        Args:
            rows: packed rows, as the model shall read them.
            labels: the true tokens; `IGNORED` where none is asked.
        """
        chosen = labels != IGNORED
        head = self.model.head
        x = head.features(self._encoded(rows, chosen))
        return summed_cross_entropy(x, head.table, head.bias, labels[chosen])

    def _encoded(
        self, rows: Rows, chosen: Bool[Tensor, "rows width"]
    ) -> Float[Tensor, "tokens d_model"]:
        """Return the encoder's vectors for the chosen tokens.

        All tokens are attended to. But in the last block nothing reads what
        the feed-forward network would make of the others.
        """
        bert, mask = self.model.bert, rows.mask
        x = bert.embeddings(rows.token_ids, position_ids=rows.position_ids)
        *before, last = cast(list[EncoderBlock], list(bert.encoder.blocks))
        for block in before:
            x = block(x, mask)
        x = last.add_attention(x, lambda h: last.attention(h, mask=mask)[0])
        x = last.add_feed_forward(x[chosen][None], last.feed_forward)[0]
        return bert.encoder.after_last(x)


def summed_cross_entropy(
    x: Float[Tensor, "tokens d_model"],
    table: Float[Tensor, "vocab_size d_model"],
    bias: Float[Tensor, " vocab_size"],
    labels: Int[Tensor, " tokens"],
) -> Float[Tensor, ""]:
    """Return `cross_entropy(linear(x, table, bias), labels)`, summed.

    Products of matrices are in autocast's format where that is on, all else
    is in float32. It can be differentiated once.

    Args:
        x: a vector for each token.
        table: a vector for each word of the vocabulary.
        bias: a number for each word.
        labels: the true words.
    """
    kind = x.device.type
    half = torch.is_autocast_enabled(kind)
    dtype = torch.get_autocast_dtype(kind) if half else x.dtype
    with torch.autocast(kind, enabled=False):
        loss = _SummedCrossEntropy.apply(x, table, bias, labels, dtype)
    assert isinstance(loss, Tensor)
    return loss


def _loss_and_slope(
    scores: Float[Tensor, "tokens vocab_size"], true: Int[Tensor, "tokens 1"]
) -> tuple[Float[Tensor, ""], Float[Tensor, "tokens vocab_size"]]:
    """Return the summed loss and its slope by each score, in their place."""
    wanted = scores.gather(1, true)
    top = scores.amax(1, keepdim=True)
    total = scores.sub_(top).exp_().sum(1, keepdim=True)
    loss = (total.log() + top - wanted).sum()
    # Softmax, less one at the true word.
    slope = scores.div_(total)
    return loss, slope.scatter_add_(1, true, torch.full_like(wanted, -1))


class _SummedCrossEntropy(torch.autograd.Function):
    """Take the gradients in the forward pass, where the scores are."""

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        table: Tensor,
        bias: Tensor,
        labels: Tensor,
        dtype: torch.dtype,
    ) -> Tensor:
        """Return the loss; keep the gradients for a loss with slope 1."""
        words = table.to(dtype)
        loss = torch.zeros((), device=x.device)
        dx = torch.empty_like(x)
        dtable, dbias = None, torch.zeros_like(bias)
        all_of_them = max(1, len(x))
        step = all_of_them
        if x.device.type == "cpu":
            step = max(1, _SCORES_AT_ONCE // len(table))
        for first in range(0, all_of_them, step):
            here = slice(first, first + step)
            vectors = x[here].to(dtype)
            scores = F.linear(vectors, words).float().add_(bias)
            part, slope = _loss_and_slope(scores, labels[here, None])
            loss += part
            dbias += slope.sum(0)
            slope = slope.to(dtype)
            dx[here] = slope @ words
            found = slope.t() @ vectors
            dtable = found.float() if dtable is None else dtable.add_(found)
        ctx.save_for_backward(dx, dtable, dbias)
        return loss

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor | None, ...]:
        """Return the gradients times the slope of what uses the loss."""
        # In place, so that a second pass is refused and not wrong.
        found = (each.mul_(grad_outputs[0]) for each in ctx.saved_tensors)
        return *found, None, None
