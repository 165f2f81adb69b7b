"""Writing strings backwards: batches, training and accuracy.

The task needs no data, its length is ours to choose, and an answer is right
or wrong. Its first output symbol is the last one read, so the start is easy;
the end of the output is the start of the input.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from bertbook.masks import padding_mask
from bertbook.seq2seq import (
    Seq2Seq,
    Seq2SeqConfig,
    check_source,
    greedy_decode,
)

ALPHABET = "abcdefghijklmnopqrstuvwxyz"
START, END = 0, 1
"""The ids of `<s>` and `</s>`, those of `Seq2SeqConfig`'s defaults; the
symbols come after them."""
IGNORED = -100
"""The label of a padded position: it carries no loss."""


def symbols_of(config: Seq2SeqConfig) -> str:
    """Return the letters that a vocabulary holds beside `<s>` and `</s>`.

    Raises:
        ValueError: if the vocabulary is larger than the alphabet, or its
            special ids are not this module's.

    >>> symbols_of(Seq2SeqConfig())
    'abcdefghijklmn'
    """
    if (config.start_id, config.end_id) != (START, END):
        raise ValueError(
            f"start_id={config.start_id} and end_id={config.end_id}: strings"
            f" are encoded with {START} and {END}"
        )
    if config.vocab_size > len(ALPHABET) + 2:
        raise ValueError(
            f"vocab_size is {config.vocab_size}: the alphabet has only"
            f" {len(ALPHABET)} letters, and two ids are special"
        )
    return ALPHABET[: config.vocab_size - 2]


def encode_strings(
    strings: list[str], config: Seq2SeqConfig
) -> tuple[Int[Tensor, "batch source"], Int[Tensor, " batch"]]:
    """Turn strings into padded ids and their lengths.

    Raises:
        ValueError: for an empty list, an empty or too long string, or a
            letter that is not one of the symbols.

    >>> ids, lengths = encode_strings(["ab", "c"], Seq2SeqConfig())
    >>> ids.tolist(), lengths.tolist()
    ([[2, 3], [4, 1]], [2, 1])
    """
    if not strings:
        raise ValueError("an empty list of strings: give at least one")
    symbols = symbols_of(config)
    for string in strings:
        if unknown := set(string) - set(symbols):
            raise ValueError(
                f"{sorted(unknown)} in {string!r}: the symbols are {symbols!r}"
            )
    lengths = torch.tensor([len(string) for string in strings])
    ids = torch.full((len(strings), int(lengths.max())), END)
    for row, string in zip(ids, strings, strict=True):
        row[: len(string)] = torch.tensor(
            [symbols.index(letter) + 2 for letter in string], dtype=torch.long
        )
    check_source(ids, lengths, config)
    return ids, lengths


def decode_ids(token_ids: Int[Tensor, "batch target"]) -> list[str]:
    """Turn rows of ids into strings, each cut at its first `</s>`.

    >>> decode_ids(torch.tensor([[3, 2, 1, 1], [4, 1, 4, 4]]))
    ['ba', 'c']
    """
    strings = []
    for row in token_ids.tolist():
        kept = row[: row.index(END)] if END in row else row
        strings.append(
            "".join("·" if i == START else ALPHABET[i - 2] for i in kept)
        )
    return strings


class Batch(NamedTuple):
    """Strings and their reversals, padded to the longest of the batch."""

    source: Int[Tensor, "batch source"]
    lengths: Int[Tensor, " batch"]
    target_inputs: Int[Tensor, "batch target"]
    labels: Int[Tensor, "batch target"]


def reversal_batch(
    source: Int[Tensor, "batch source"], lengths: Int[Tensor, " batch"]
) -> Batch:
    """Set beside each source its reversal, as decoder inputs and labels.

    The decoder reads `<s>` and the reversed string, and must answer the
    reversed string and `</s>`. Labels past the end are `IGNORED`.

    >>> batch = reversal_batch(torch.tensor([[2, 3, 4]]), torch.tensor([3]))
    >>> batch.target_inputs.tolist(), batch.labels.tolist()
    ([[0, 4, 3, 2]], [[4, 3, 2, 1]])
    """
    rows, width = source.shape
    place = lengths[:, None] - 1 - torch.arange(width, device=source.device)
    reversed_ids = source.gather(1, place.clamp(min=0))
    reversed_ids = reversed_ids.masked_fill(place < 0, END)
    edge = source.new_full((rows, 1), START)
    labels = torch.cat([reversed_ids, edge + END], dim=1)
    within = padding_mask(lengths + 1, width + 1)
    return Batch(
        source=source,
        lengths=lengths,
        target_inputs=torch.cat([edge, reversed_ids], dim=1),
        labels=labels.masked_fill(~within, IGNORED),
    )


def random_batch(
    config: Seq2SeqConfig,
    batch_size: int,
    min_len: int,
    max_len: int,
    generator: torch.Generator,
) -> Batch:
    """Draw strings of uniform length and uniform symbols to reverse.

    Args:
        config: the alphabet and the longest source accepted.
        batch_size: how many strings.
        min_len: the shortest length drawn.
        max_len: the longest length drawn, included.
        generator: a CPU generator, so that draws repeat.

    Raises:
        ValueError: if the lengths do not satisfy 1 ≤ min ≤ max ≤ limit.
    """
    if not 1 <= min_len <= max_len <= config.max_len or batch_size < 1:
        raise ValueError(
            f"batch_size={batch_size}, lengths {min_len} to {max_len}: need"
            f" at least one string and 1 <= min <= max <= {config.max_len}"
        )
    lengths = torch.randint(
        min_len, max_len + 1, (batch_size,), generator=generator
    )
    shape = (batch_size, int(lengths.max()))
    source = torch.randint(2, config.vocab_size, shape, generator=generator)
    source = source.masked_fill(~padding_mask(lengths, shape[1]), END)
    return reversal_batch(source, lengths)


class Accuracy(NamedTuple):
    """Shares from 0 to 1 of whole strings and of single symbols."""

    exact_match: float
    token: float


def reversal_accuracy(
    model: Seq2Seq, length: int, num_strings: int, generator: torch.Generator
) -> Accuracy:
    """Measure greedy decoding on random strings of one length.

    A string counts when every symbol and the closing `</s>` are right. The
    token accuracy leaves `</s>` out.
    """
    batch = random_batch(model.config, num_strings, length, length, generator)
    device = next(model.parameters()).device
    source, lengths = batch.source.to(device), batch.lengths.to(device)
    written = greedy_decode(model, source, lengths, length + 1)
    right = (written == batch.labels.to(device)).float()
    return Accuracy(
        exact_match=right.prod(dim=1).mean().item(),
        token=right[:, :-1].mean().item(),
    )


def reversal_loss(model: Seq2Seq, batch: Batch) -> Float[Tensor, ""]:
    """Return the mean cross-entropy over the real positions of a batch."""
    device = next(model.parameters()).device
    source, lengths, inputs, labels = (part.to(device) for part in batch)
    logits = model(source, lengths, inputs)
    return F.cross_entropy(
        logits.flatten(0, 1), labels.flatten(), ignore_index=IGNORED
    )


def train_reversal(
    model: Seq2Seq,
    num_steps: int,
    generator: torch.Generator,
    *,
    batch_size: int = 64,
    min_len: int = 4,
    max_len: int = 20,
    learning_rate: float = 3e-3,
    max_norm: float = 1.0,
) -> list[float]:
    """Train on fresh random strings, and return the loss of every step.

    Gradients longer than `max_norm` are cut to it, as Bahdanau et al.
    (2015), appendix B.2, do.
    """
    optimizer = torch.optim.Adam(model.parameters(), lr=learning_rate)
    losses = []
    model.train()
    for _ in range(num_steps):
        batch = random_batch(
            model.config, batch_size, min_len, max_len, generator
        )
        loss = reversal_loss(model, batch)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), max_norm)
        optimizer.step()
        losses.append(loss.item())
    model.eval()
    return losses
