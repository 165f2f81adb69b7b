"""Masked language modelling: which tokens are hidden, and behind what.

A masked language model reads a text of which a part was chosen, and must
name the chosen tokens. Of those, most are replaced by [MASK], some by a
random token, and some are left as they are. The functions differ in how they
choose; what becomes of the chosen tokens is the same in all of them.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from bertbook.embeddings import check_token_ids

IGNORED: Final = -100
"""The label of a token that was not chosen: it carries no loss."""


@dataclass(frozen=True, kw_only=True)
class MaskingConfig:
    """What is masked, how much of it, and behind what.

    Attributes:
        vocab_size: random tokens are drawn from all of these ids alike, the
            special ones included, as the released code does.
        mask_id: the id of [MASK].
        special_ids: ids that are never chosen, such as [CLS], [SEP] and
            [PAD]. The id of [MASK] is one of them without being named.
        select_prob: share of the other tokens that is chosen.
        mask_prob: share of the chosen tokens that turns into [MASK].
        random_prob: share of the chosen tokens that turns into a random
            token. The rest stays as it is.

    Source: Devlin et al. (2019), §3.1, "Task #1", and appendix A.1.
    """

    vocab_size: int
    mask_id: int
    special_ids: Iterable[int]
    select_prob: float = 0.15
    mask_prob: float = 0.8
    random_prob: float = 0.1

    def __post_init__(self) -> None:
        """Refuse ids outside the vocabulary and shares outside 0 to 1."""
        for name in ("select_prob", "mask_prob", "random_prob"):
            value = getattr(self, name)
            if not 0 <= value <= 1:
                raise ValueError(f"{name} is {value}: it lies from 0 to 1")
        if self.select_prob == 0:
            raise ValueError("select_prob is 0: there would be no label")
        if self.mask_prob + self.random_prob > 1 + 1e-9:
            raise ValueError(
                f"mask_prob={self.mask_prob} and random_prob="
                f"{self.random_prob} add up to more than 1"
            )
        ids = sorted({self.mask_id, *self.special_ids})
        object.__setattr__(self, "special_ids", tuple(ids))
        if ids[0] < 0 or ids[-1] >= self.vocab_size:
            raise ValueError(
                f"special ids {ids}: those of a vocabulary of"
                f" {self.vocab_size} are 0 to {self.vocab_size - 1}"
            )
        if len(ids) >= self.vocab_size:
            raise ValueError("every id is special: nothing could be chosen")


class Masked(NamedTuple):
    """A batch to read, and what the model is to say of it.

    Attributes:
        token_ids: the ids, with the chosen ones replaced.
        labels: the original id where a token was chosen, else `IGNORED`.
    """

    token_ids: Int[Tensor, "batch seq_len"]
    labels: Int[Tensor, "batch seq_len"]


@lru_cache(maxsize=32)
def _ordinary(
    config: MaskingConfig, device: torch.device
) -> Bool[Tensor, " vocab_size"]:
    """Return a table that is True for every id that may be chosen."""
    table = torch.ones(config.vocab_size, dtype=torch.bool)
    table[list(config.special_ids)] = False
    return table.to(device)


def maskable(
    token_ids: Int[Tensor, "batch seq_len"], config: MaskingConfig
) -> Bool[Tensor, "batch seq_len"]:
    """Tell the tokens that may be chosen from the special ones.

    Raises:
        ValueError: for an empty batch, an id outside the vocabulary, or a
            row in which every token is special.
    """
    check_token_ids(token_ids, config.vocab_size)
    ordinary = _ordinary(config, token_ids.device)[token_ids]
    empty = ~ordinary.any(dim=1)
    if empty.any():
        raise ValueError(
            f"rows {empty.nonzero().flatten().tolist()[:8]} hold special"
            " tokens alone: there is nothing to mask, leave them out"
        )
    return ordinary


def _uniform(
    shape: Sequence[int], like: Tensor, generator: torch.Generator
) -> Float[Tensor, "..."]:
    """Draw numbers from 0 to 1 where the generator lives, and move them."""
    drawn = torch.rand(shape, generator=generator, device=generator.device)
    return drawn.to(like.device)


def replace_chosen(
    token_ids: Int[Tensor, "batch seq_len"],
    chosen: Bool[Tensor, "batch seq_len"],
    config: MaskingConfig,
    generator: torch.Generator,
) -> Masked:
    """Replace the chosen tokens, each by a draw of its own, and label them.

    Args:
        token_ids: the ids of a text.
        chosen: the tokens to predict.
        config: the shares; 80 % [MASK], 10 % random, 10 % unchanged.
        generator: the source of the draws.
    """
    draw = _uniform(token_ids.shape, token_ids, generator)
    any_id = torch.randint(
        config.vocab_size,
        token_ids.shape,
        generator=generator,
        device=generator.device,
        dtype=token_ids.dtype,
    ).to(token_ids.device)
    either = config.mask_prob + config.random_prob
    read = torch.where(chosen & (draw < either), any_id, token_ids)
    read = read.masked_fill(chosen & (draw < config.mask_prob), config.mask_id)
    return Masked(read, token_ids.masked_fill(~chosen, IGNORED))


def mask_tokens(
    token_ids: Int[Tensor, "batch seq_len"],
    config: MaskingConfig,
    generator: torch.Generator,
) -> Masked:
    """Choose each token with one probability, independent of the others.

    A row has 15 % of its tokens chosen on average; a short one may have none.
    Called anew in every epoch this is dynamic masking.

    Args:
        token_ids: the ids of a text.
        config: what is masked, and how.
        generator: the source of all draws: the same state, the same masks.

    Raises:
        ValueError: as `maskable`.

    >>> config = MaskingConfig(vocab_size=9, mask_id=4, special_ids=(0, 2, 3))
    >>> row = torch.tensor([[2, 5, 6, 7, 8, 5, 6, 3, 0]])
    >>> masked = mask_tokens(row, config, torch.Generator().manual_seed(4))
    >>> masked.token_ids.tolist()[0]
    [2, 5, 4, 7, 4, 4, 6, 3, 0]
    >>> masked.labels.tolist()[0]
    [-100, -100, 6, -100, 8, 5, -100, -100, -100]
    """
    draw = _uniform(token_ids.shape, token_ids, generator)
    chosen = maskable(token_ids, config) & (draw < config.select_prob)
    return replace_chosen(token_ids, chosen, config, generator)


def mask_exactly(
    token_ids: Int[Tensor, "batch seq_len"],
    config: MaskingConfig,
    generator: torch.Generator,
    *,
    lengths: Int[Tensor, " batch"] | None = None,
    max_chosen: int | None = None,
) -> Masked:
    """Choose a fixed number of tokens in each row, as Google's code does.

    The number is 15 % of the row's length, [CLS] and [SEP] counted, rounded,
    and at least 1. So the special tokens add to the share of the others.

    Args:
        token_ids: the ids of a text.
        config: what is masked, and how.
        generator: the source of all draws.
        lengths: number of tokens of each row before its padding; by default
            the whole row.
        max_chosen: the most per row; 20 for 128 tokens in the released code.

    Raises:
        ValueError: as `maskable`, or for a `max_chosen` below 1.

    Source: google-research/bert, create_pretraining_data.py,
    create_masked_lm_predictions.
    """
    if max_chosen is not None and max_chosen < 1:
        raise ValueError(f"max_chosen is {max_chosen}: choose at least 1")
    ordinary = maskable(token_ids, config)
    if lengths is None:
        lengths = torch.full((len(ordinary),), ordinary.shape[1])
    share = lengths.double() * config.select_prob
    count = share.round().clamp(min=1, max=max_chosen).to(token_ids.device)
    draw = _uniform(token_ids.shape, token_ids, generator)
    rank = draw.masked_fill(~ordinary, 2.0).argsort(dim=1).argsort(dim=1)
    chosen = ordinary & (rank < count[:, None])
    return replace_chosen(token_ids, chosen, config, generator)


def mask_whole_words(
    token_ids: Int[Tensor, "batch seq_len"],
    config: MaskingConfig,
    generator: torch.Generator,
    continues: Bool[Tensor, " vocab_size"],
) -> Masked:
    """Choose each word with one probability, and with it all its pieces.

    Every piece draws for itself whether it becomes [MASK], a random token,
    or stays.

    Args:
        token_ids: the ids of a text.
        config: what is masked, and how.
        generator: the source of all draws.
        continues: True for the ids that go on inside a word, `##` pieces.

    Raises:
        ValueError: as `maskable`, or for a table of the wrong size.

    Source: google-research/bert, README.md, "Whole Word Masking Models".
    """
    return mask_spans(token_ids, config, generator, continues, max_words=1)


def mask_spans(
    token_ids: Int[Tensor, "batch seq_len"],
    config: MaskingConfig,
    generator: torch.Generator,
    continues: Bool[Tensor, " vocab_size"],
    *,
    max_words: int = 3,
) -> Masked:
    """Choose spans of one to three words, n of them with weight 1/n.

    Spans may meet or overlap. They begin just often enough for each token to
    be chosen with `select_prob`. What falls on a special token is lost.

    Args:
        token_ids: the ids of a text.
        config: what is masked, and how.
        generator: the source of all draws.
        continues: True for the ids that go on inside a word. A table of
            False makes every token a word.
        max_words: the most words in a span.

    Raises:
        ValueError: as `maskable`, for a table of the wrong size, or for
            spans without a word.

    Source: Lan et al. (2020), §4.1, for the lengths.
    """
    if continues.shape != (config.vocab_size,) or max_words < 1:
        raise ValueError(
            f"a table of {tuple(continues.shape)} ids and spans of"
            f" {max_words} words: the table needs {config.vocab_size} ids,"
            " and a span a word"
        )
    ordinary = maskable(token_ids, config)
    words = word_numbers(token_ids, ordinary, continues)
    at_least = span_lengths(max_words).flip(0).cumsum(0).flip(0).tolist()
    start_prob = _start_prob(config.select_prob, tuple(at_least))
    # A span begins before the row, too, so that its first words are not
    # chosen less often than the others.
    rows, width = token_ids.shape
    draw = _uniform((rows, width + max_words), token_ids, generator)
    covered = torch.zeros_like(draw[:, : width + 1], dtype=torch.bool)
    for back, share in enumerate(at_least):
        place = slice(max_words - 1 - back, max_words + width - back)
        covered |= draw[:, place] < start_prob * share
    chosen = ordinary & covered.gather(1, words)
    return replace_chosen(token_ids, chosen, config, generator)


def word_numbers(
    token_ids: Int[Tensor, "batch seq_len"],
    ordinary: Bool[Tensor, "batch seq_len"],
    continues: Bool[Tensor, " vocab_size"],
) -> Int[Tensor, "batch seq_len"]:
    """Number the words of each row from 0; a special token is one of them.

    A word begins at a piece that does not go on, at the front of a row, and
    behind a special token: a text may be cut inside a word.

    >>> ids = torch.tensor([[0, 2, 1, 2, 2]])    # [CLS] ##b a ##b ##b
    >>> continues = torch.tensor([False, False, True])
    >>> word_numbers(ids, ids != 0, continues).tolist()
    [[0, 1, 2, 2, 2]]
    """
    inside = continues.to(token_ids.device)[token_ids] & ordinary
    inside[:, 1:] &= ordinary[:, :-1]
    inside[:, 0] = False
    return (~inside).cumsum(dim=1) - 1


def span_lengths(max_words: int) -> Float[Tensor, " {max_words}"]:
    """Return the probabilities of spans of 1, 2, … words.

    >>> (span_lengths(3) * 11).round().int().tolist()
    [6, 3, 2]
    """
    weights = 1 / torch.arange(1, max_words + 1, dtype=torch.float64)
    return weights / weights.sum()


@lru_cache(maxsize=32)
def _start_prob(select_prob: float, at_least: tuple[float, ...]) -> float:
    """Find how often a span must begin to reach a share, by bisection.

    A word is missed if no span begins there, none of two or more words one
    word before, and so on.
    """
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        missed = math.prod(1 - middle * share for share in at_least)
        if 1 - missed < select_prob:
            low = middle
        else:
            high = middle
    return high


def mask_static(
    token_ids: Int[Tensor, "batch seq_len"],
    config: MaskingConfig,
    row_numbers: Sequence[int],
    seed: int,
    copy: int = 0,
) -> Masked:
    """Give each row of a data set the same mask whenever it is read.

    Args:
        token_ids: the ids of a text.
        config: what is masked, and how.
        row_numbers: the place of each row in the data set.
        seed: the seed of the data set.
        copy: which of several masks. The data of BERT hold ten copies of
            each sequence, so that in 40 epochs each mask is seen four times.

    Raises:
        ValueError: as `maskable`, or unless there is one number per row.

    Source: Liu et al. (2019), §4.1.
    """
    if len(row_numbers) != len(token_ids):
        raise ValueError(
            f"{len(row_numbers)} numbers for {len(token_ids)} rows"
        )
    maskable(token_ids, config)  # check the whole batch first
    masked = []
    for number, row in zip(row_numbers, token_ids, strict=True):
        state = np.random.SeedSequence((seed, number, copy)).generate_state(2)
        own_seed = int(state[0]) << 31 ^ int(state[1])
        own = torch.Generator().manual_seed(own_seed)
        masked.append(mask_tokens(row[None], config, own))
    return Masked(*(torch.cat(part) for part in zip(*masked, strict=True)))
