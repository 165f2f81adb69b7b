"""The loss of masked language modelling, without room for all its scores.

A score for every word of the vocabulary at every hidden token is the largest
tensor of a step. Here a few tokens at a time are scored, and their gradients
taken at once; then the next tokens use the same memory.
"""

import math
from contextlib import nullcontext
from typing import Any, Final, NamedTuple, cast

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from bertbook.bert import BertForMaskedLM
from bertbook.blocks import EncoderBlock
from bertbook.masking import IGNORED
from bertbook.pretraining.products import OneDNN
from bertbook.pretraining.rows import Rows

_SCORES_AT_ONCE: Final = 2**23
"""On a processor: 32 MB in float32. The C library keeps that much at hand and
asks the system anew, which clears every page, for more."""


class MaskedLMLoss(nn.Module):
    """A model that returns its summed loss in place of its scores.

    Args:
        model: what is trained.
        compile: whether to compile the encoder.
        onednn: whether oneDNN shall multiply what is in float32.
    """

    def __init__(
        self,
        model: BertForMaskedLM,
        *,
        compile: bool = False,
        onednn: bool = False,
    ) -> None:
        super().__init__()
        self.model = model
        self.products = OneDNN() if onednn else nullcontext()
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
        chosen, head = labels != IGNORED, self.model.head
        with self.products:
            x = head.features(self._encoded(rows, chosen))
            wanted = labels[chosen]
            return summed_cross_entropy(x, head.table, head.bias, wanted)

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


class _Part(NamedTuple):
    """What a few tokens add to the loss and its gradients.

    Attributes:
        loss: summed over them.
        dx: its slope by each number of their vectors.
        dbias: by each number of the bias.
        dtable: by each number of the table, for the tokens before as well.
    """

    loss: Float[Tensor, ""]
    dx: Float[Tensor, "tokens d_model"]
    dbias: Float[Tensor, " vocab_size"]
    dtable: Float[Tensor, "vocab_size d_model"]


def _part(
    x: Float[Tensor, "tokens d_model"],
    words: Float[Tensor, "vocab_size d_model"],
    bias: Float[Tensor, " vocab_size"],
    true: Int[Tensor, "tokens 1"],
    before: Float[Tensor, "vocab_size d_model"] | None,
) -> _Part:
    """Score a few tokens; the scores become their slope in their place."""
    scores = F.linear(x, words, bias).float()
    wanted = scores.gather(1, true)
    top = scores.amax(1, keepdim=True)
    total = scores.sub_(top).exp_().sum(1, keepdim=True)
    loss = (total.log() + top - wanted).sum()
    # Softmax, less one at the true word.
    scores.div_(total).scatter_add_(1, true, torch.full_like(wanted, -1))
    slope = scores.to(x.dtype)
    if before is None:
        dtable = (slope.t() @ x).float()
    elif before.dtype is slope.dtype:
        dtable = before.addmm_(slope.t(), x)
    else:
        dtable = before.add_(slope.t() @ x)
    return _Part(loss, F.linear(slope, words.t()), scores.sum(0), dtable)


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
        vectors, words, about = (each.to(dtype) for each in (x, table, bias))
        count = 1
        if x.device.type == "cpu":
            scores = len(x) * len(table)
            count = max(1, math.ceil(scores / _SCORES_AT_ONCE))
        parts: list[_Part] = []
        for few, true in zip(
            vectors.chunk(count), labels[:, None].chunk(count), strict=True
        ):
            before = parts[-1].dtable if parts else None
            parts.append(_part(few, words, about, true, before))
        losses, dx, dbias, dtable = zip(*parts, strict=True)
        ctx.save_for_backward(
            torch.cat(dx).to(x.dtype), dtable[-1], torch.stack(dbias).sum(0)
        )
        return torch.stack(losses).sum()

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor | None, ...]:
        """Return the gradients times the slope of what uses the loss."""
        # In place, so that a second pass is refused and not wrong.
        found = (each.mul_(grad_outputs[0]) for each in ctx.saved_tensors)
        return *found, None, None
