"""Fine-tune an encoder on a few labeled sentences, pre-trained or not.

The loop is the least that will do: a whole one, with checkpoints and
metrics, comes with a later chapter.
"""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from bertbook import corpora
from bertbook.corpora import Review
from bertbook.runtime import device

if TYPE_CHECKING:
    from transformers import BertModel, PreTrainedTokenizerBase

MAX_PIECES: Final = 32
"""Sentences are cut to so many word pieces, special ones included."""

NUM_EPOCHS: Final = {32: 8, 128: 3, 512: 1}
"""How often each labeled sentence is seen, by the number of labels."""


class Encoded(NamedTuple):
    """Sentences as ids, padded to the longest, and their labels."""

    token_ids: Int[Tensor, "batch seq_len"]
    padding: Bool[Tensor, "batch seq_len"]
    labels: Int[Tensor, " batch"]

    def rows(self, chosen: Int[Tensor, " chosen"]) -> "Encoded":
        """Return the chosen sentences, padded no longer than they need."""
        width = int(self.padding[chosen].sum(dim=1).max())
        ids, padding = self.token_ids[chosen], self.padding[chosen]
        return Encoded(ids[:, :width], padding[:, :width], self.labels[chosen])


def encode(
    reviews: Sequence[Review], tokenizer: "PreTrainedTokenizerBase"
) -> Encoded:
    """Turn reviews into ids on the book's device, cut to `MAX_PIECES`.

    Raises:
        ValueError: for no review.
    """
    if not reviews:
        raise ValueError("no review to encode: give at least one")
    batch = tokenizer(
        [review.text for review in reviews],
        max_length=MAX_PIECES,
        truncation=True,
        padding=True,
        return_tensors="pt",
    )
    labels = torch.tensor([review.label for review in reviews])
    padding = batch["attention_mask"].bool()
    return Encoded(
        batch["input_ids"].to(device), padding.to(device), labels.to(device)
    )


def draw_labeled(
    reviews: Sequence[Review], num_labels: int, generator: torch.Generator
) -> list[Review]:
    """Draw reviews to learn from, half of them praise.

    Raises:
        ValueError: if the number is odd, or there are too few of a label.
    """
    drawn = []
    for label in (0, 1):
        pool = [review for review in reviews if review.label == label]
        if num_labels % 2 or num_labels > 2 * len(pool):
            raise ValueError(
                f"num_labels is {num_labels}: choose an even number up to"
                f" twice the {len(pool)} reviews with label {label}"
            )
        order = torch.randperm(len(pool), generator=generator)
        drawn += [pool[place] for place in order[: num_labels // 2].tolist()]
    return drawn


class SentenceClassifier(nn.Module):
    """An encoder, the mean of its vectors, and one linear layer.

    Args:
        encoder: a `BertModel` of transformers.
        num_classes: how many labels there are.
    """

    def __init__(self, encoder: "BertModel", num_classes: int = 2) -> None:
        super().__init__()
        self.encoder = encoder
        self.dropout = nn.Dropout(0.1)
        self.head = nn.Linear(encoder.config.hidden_size, num_classes)

    def forward(
        self,
        token_ids: Int[Tensor, "batch seq_len"],
        padding: Bool[Tensor, "batch seq_len"],
    ) -> Float[Tensor, "batch num_classes"]:
        """Return a score for each label; pads take no part."""
        output = self.encoder(token_ids, attention_mask=padding.long())
        real = padding[..., None].to(output[0].dtype)
        mean = (output[0] * real).sum(dim=1) / real.sum(dim=1)
        return self.head(self.dropout(mean))


def new_classifier(
    pretrained: bool,
) -> tuple["PreTrainedTokenizerBase", SentenceClassifier]:
    """Return a tokenizer and a classifier on `corpora.encoder()`.

    Args:
        pretrained: keep the published weights; else draw new ones for the
            same architecture, as BERT does before its pre-training.
    """
    tokenizer, encoder = corpora.encoder("sdpa")
    if not pretrained:
        encoder = type(encoder)(encoder.config)
    return tokenizer, SentenceClassifier(encoder).to(device)


def rise_and_fall(
    optimizer: torch.optim.Optimizer, num_steps: int
) -> torch.optim.lr_scheduler.LambdaLR:
    """Let the learning rate rise for a tenth of the steps, then fall to zero.

    Both along a straight line.
    """
    warm = max(1, num_steps // 10)
    return torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min((step + 1) / warm, 1 - step / num_steps)
    )


def fine_tune(
    model: SentenceClassifier,
    data: Encoded,
    *,
    learning_rate: float,
    num_epochs: int,
    generator: torch.Generator,
    batch_size: int = 16,
) -> list[float]:
    """Train all weights with AdamW, and return the loss of each step.

    The learning rate goes as in `rise_and_fall`.

    Args:
        model: left in evaluation mode.
        data: the labeled sentences.
        learning_rate: the highest.
        num_epochs: how often each sentence is seen.
        generator: decides the order.
        batch_size: sentences per step.
    """
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=learning_rate, fused=True
    )
    num_steps = num_epochs * math.ceil(len(data.labels) / batch_size)
    schedule = rise_and_fall(optimizer, num_steps)
    losses = []
    model.train()
    for _ in range(num_epochs):
        order = torch.randperm(len(data.labels), generator=generator)
        for chosen in order.to(device).split(batch_size):
            ids, padding, labels = data.rows(chosen)
            loss = F.cross_entropy(model(ids, padding), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            losses.append(loss.item())
    model.eval()
    return losses


@torch.no_grad()
def accuracy(model: SentenceClassifier, data: Encoded) -> float:
    """Return the fraction of sentences with the right label.

    Sentences of like length go together, so that few pads are computed.
    """
    right = 0
    for chosen in data.padding.sum(dim=1).argsort().split(64):
        ids, padding, labels = data.rows(chosen)
        right += int((model(ids, padding).argmax(-1) == labels).sum())
    return right / len(data.labels)


def training_flops(encoder: "BertModel", num_pieces: int) -> int:
    """Estimate the floating-point operations of training on some pieces.

    Each weight of the blocks is multiplied and added once on the way
    forward and twice on the way back: 6 operations for each piece. Tables
    are looked up, and what attention compares is left out.

    Args:
        encoder: its blocks are counted.
        num_pieces: word pieces seen, each as often as it was seen.
    """
    blocks: nn.Module = encoder.encoder
    return 6 * num_pieces * sum(w.numel() for w in blocks.parameters())
