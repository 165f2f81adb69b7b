"""Translation: pairs of id lists, batches shifted right, training, writing.

Two models answer here, through one pair of functions: the `Transformer` and
the recurrent `Seq2Seq` of chapter 01.
"""

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from torch import Tensor, nn

from bertbook import seq2seq, transformer
from bertbook.masks import padding_mask
from bertbook.seq2seq import Seq2Seq
from bertbook.transformer import Transformer

IGNORED = -100
"""The label of a padded position: it carries no loss."""
PAD, START, END, UNKNOWN = "<pad>", "<s>", "</s>", "<unk>"
PAD_ID, START_ID, END_ID, UNKNOWN_ID = range(4)
Ids = Sequence[int]
Translator = Transformer | Seq2Seq


def train_vocabulary(texts: Iterable[str], vocab_size: int) -> Tokenizer:
    """Learn one subword vocabulary by byte-pair encoding, shared by both.

    Words are cut at spaces and punctuation; a space is kept as `▁`, so that
    decoding is exact. Ids 0 to 3 are `<pad>`, `<s>`, `</s>` and `<unk>`.

    Args:
        texts: the training text of both languages, and nothing held out.
        vocab_size: number of ids, the four special ones included.

    Raises:
        ValueError: if the size leaves no room for a subword.

    Source: Sennrich et al. (2016), §3.2; Vaswani et al. (2017), §5.1.
    """
    special = [PAD, START, END, UNKNOWN]
    if vocab_size <= len(special):
        raise ValueError(
            f"vocab_size is {vocab_size}: {len(special)} ids are special,"
            " leave room for words"
        )
    tokenizer = Tokenizer(models.BPE(unk_token=UNKNOWN))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(  # pyright: ignore
        [pre_tokenizers.Metaspace(), pre_tokenizers.Punctuation()]
    )
    tokenizer.decoder = decoders.Metaspace()  # pyright: ignore
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size, special_tokens=special, show_progress=False
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


class Example(NamedTuple):
    """A source and its target as ids, without special ones."""

    source: Ids
    target: Ids


class Batch(NamedTuple):
    """What a translator reads, and what it must answer."""

    source_ids: Int[Tensor, "batch source"]
    source_padding: Bool[Tensor, "batch source"]
    target_inputs: Int[Tensor, "batch target"]
    labels: Int[Tensor, "batch target"]


def pad(rows: Sequence[Ids], filler: int) -> Int[Tensor, "batch width"]:
    """Fill rows up to the longest.

    >>> pad([[5, 6], [7]], 0).tolist()
    [[5, 6], [7, 0]]
    """
    width = max(map(len, rows))
    padded = torch.full((len(rows), width), filler)
    for row, ids in zip(padded, rows, strict=True):
        row[: len(ids)] = torch.tensor(ids, dtype=torch.long)
    return padded


def collate(examples: Sequence[Example]) -> Batch:
    """Shift right: the decoder reads `<s>` y and must answer y `</s>`.

    Raises:
        ValueError: for no example, or one with an empty source.

    >>> batch = collate([Example([5, 6, 7], [8, 9])])
    >>> batch.target_inputs.tolist(), batch.labels.tolist()
    ([[1, 8, 9]], [[8, 9, 2]])
    """
    if not examples or not all(example.source for example in examples):
        raise ValueError(
            f"{len(examples)} examples, and each needs a source of at least"
            " one id"
        )
    source_ids = pad([example.source for example in examples], PAD_ID)
    lengths = torch.tensor([len(example.source) for example in examples])
    return Batch(
        source_ids=source_ids,
        source_padding=padding_mask(lengths, source_ids.shape[1]),
        target_inputs=pad([[START_ID, *e.target] for e in examples], PAD_ID),
        labels=pad([[*e.target, END_ID] for e in examples], IGNORED),
    )


def batches(
    examples: Sequence[Example], batch_size: int, generator: torch.Generator
) -> Iterator[Batch]:
    """Draw batches for ever, each of about one length.

    Each round shuffles all examples, sorts within pools of 50 batches by
    length, so that little is padding, and shuffles the batches.
    """
    pool = 50 * batch_size
    while True:
        order = torch.randperm(len(examples), generator=generator).tolist()
        ready = []
        for start in range(0, len(order), pool):
            chosen = [examples[i] for i in order[start : start + pool]]
            chosen.sort(key=lambda e: (len(e.source), len(e.target)))
            ready += [
                chosen[i : i + batch_size]
                for i in range(0, len(chosen), batch_size)
            ]
        for i in torch.randperm(len(ready), generator=generator).tolist():
            yield collate(ready[i])


def logits_of(
    model: Translator, batch: Batch
) -> Float[Tensor, "batch target vocab_size"]:
    """Return the scores of every next token, given the right ones."""
    source, padding, inputs, _ = batch
    if isinstance(model, Transformer):
        return model(source, padding, inputs)
    return model(source, padding.sum(dim=1), inputs)


def translation_loss(
    model: Translator, batch: Batch, smoothing: float = 0.0
) -> Float[Tensor, ""]:
    """Return the mean cross-entropy over the real target positions.

    Args:
        model: the translator.
        batch: from `collate`.
        smoothing: the share of each label given to all ids alike.

    Source: Vaswani et al. (2017), §5.4, for the smoothing.
    """
    device = next(model.parameters()).device
    batch = Batch(*(part.to(device) for part in batch))
    logits = logits_of(model, batch)
    return F.cross_entropy(
        logits.flatten(0, 1).float(),
        batch.labels.flatten(),
        ignore_index=IGNORED,
        label_smoothing=smoothing,
    )


def add_dropout(model: Seq2Seq, probability: float) -> None:
    """Let a recurrent translator forget inputs and outputs in training.

    Zeros are drawn behind the embedding and before the output layer, and
    never between one step and the next.

    Args:
        model: changed in place.
        probability: the chance that a number is dropped.

    Source: Zaremba et al. (2014), §3.1.
    """
    embedding, output = model.embedding, model.decoder.get_submodule("output")
    drop = nn.Dropout(probability).train(model.training)
    model.embedding = nn.Sequential(embedding, drop)  # pyright: ignore
    model.decoder.output = nn.Sequential(drop, output)


@dataclass(frozen=True, kw_only=True)
class TrainingConfig:
    """How long, how fast and in which precision to train.

    Attributes:
        num_steps: number of updates.
        batch_size: pairs in an update.
        learning_rate: the highest, reached after the warm-up; from there it
            falls in a straight line to zero.
        warmup_prob: the share of the steps that warm up.
        smoothing: as in `translation_loss`.
        max_norm: longer gradients are cut to it.
        half: whether products are computed in bfloat16.
    """

    num_steps: int = 400
    batch_size: int = 64
    learning_rate: float = 1e-3
    warmup_prob: float = 0.1
    smoothing: float = 0.0
    max_norm: float = 1.0
    half: bool = False

    def share(self, step: int) -> float:
        """Return the share of the highest learning rate at a step."""
        warmup = max(1, round(self.warmup_prob * self.num_steps))
        if step < warmup:
            return (step + 1) / warmup
        return (self.num_steps - step) / max(1, self.num_steps - warmup)


def train_translator(
    model: Translator,
    examples: Sequence[Example],
    config: TrainingConfig,
    generator: torch.Generator,
) -> list[float]:
    """Train with teacher forcing, and return the loss of every step."""
    optimizer = torch.optim.Adam(
        model.parameters(), config.learning_rate, (0.9, 0.98), fused=True
    )
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, config.share)
    drawn = batches(examples, config.batch_size, generator)
    losses = []
    model.train()
    for _ in range(config.num_steps):
        with _precision(model, half=config.half):
            loss = translation_loss(model, next(drawn), config.smoothing)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), config.max_norm)
        optimizer.step()
        schedule.step()
        losses.append(loss.item())
    model.eval()
    return losses


def _precision(
    model: nn.Module, *, half: bool
) -> contextlib.AbstractContextManager:
    """Compute products in bfloat16, or leave the precision as it is."""
    if not half:
        return contextlib.nullcontext()
    kind = next(model.parameters()).device.type
    return torch.autocast(kind, dtype=torch.bfloat16)


def translate(
    model: Translator,
    sources: Sequence[Ids],
    *,
    max_len: int,
    batch_size: int = 128,
    use_cache: bool = True,
) -> list[list[int]]:
    """Write a target for each source, greedily, always the likeliest next.

    Args:
        model: put into evaluation mode for the time of the call.
        sources: ids without special ones.
        max_len: the most ids to write for a source.
        batch_size: sources written side by side; similar lengths go
            together.
        use_cache: as in `transformer.greedy_decode`; a recurrent model
            needs no cache.

    Returns:
        The ids written, without `</s>` and what follows it.

    Raises:
        ValueError: for an empty source, or a length the model cannot write.
    """
    was_training = model.training
    model.eval()
    device = next(model.parameters()).device
    order = sorted(range(len(sources)), key=lambda i: len(sources[i]))
    written: list[list[int]] = [[]] * len(sources)
    for start in range(0, len(order), batch_size):
        chosen = order[start : start + batch_size]
        batch = collate([Example(sources[i], []) for i in chosen])
        rows = _write(
            model,
            batch.source_ids.to(device),
            batch.source_padding.to(device),
            max_len,
            use_cache=use_cache,
        )
        for i, row in zip(chosen, rows.tolist(), strict=True):
            written[i] = row[: row.index(END_ID)] if END_ID in row else row
    model.train(was_training)
    return written


def _write(
    model: Translator,
    source_ids: Int[Tensor, "batch source"],
    source_padding: Bool[Tensor, "batch source"],
    max_len: int,
    *,
    use_cache: bool,
) -> Int[Tensor, "batch target"]:
    """Decode one batch with the model's own greedy decoder."""
    if isinstance(model, Transformer):
        return transformer.greedy_decode(
            model,
            source_ids,
            source_padding,
            start_id=START_ID,
            end_id=END_ID,
            max_len=max_len,
            use_cache=use_cache,
        )
    lengths = source_padding.sum(dim=1)
    return seq2seq.greedy_decode(model, source_ids, lengths, max_len)
