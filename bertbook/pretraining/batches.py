"""The masked rows of every step, as a function of the step's number."""

from collections.abc import Iterator, Sequence
from typing import Final

import torch
from torch import Tensor

from bertbook.masking import IGNORED, Masked, mask_spans, mask_tokens
from bertbook.pretraining.config import PretrainingConfig
from bertbook.pretraining.rows import Rows, RowSampler
from bertbook.pretraining.store import TokenStore
from bertbook.tokenization import SPECIAL

ROWS_AT_ONCE: Final = 16
"""Rows of held-out text that are read at once; the masks depend on it."""


class Batches:
    """The rows of every step, masked anew each time.

    Args:
        store: the corpus.
        config: the run's settings.
        vocabulary: the WordPieces the store was written with.
    """

    def __init__(
        self,
        store: TokenStore,
        config: PretrainingConfig,
        vocabulary: Sequence[str],
    ) -> None:
        special = {token: vocabulary.index(token) for token in SPECIAL}
        self.config = config
        self.sampler = RowSampler(store, config.width, config.seed, special)
        self.masking = config.masking_config(special)
        self.continues = torch.tensor([t.startswith("##") for t in vocabulary])
        self._special = torch.tensor(list(special.values()))

    def __call__(self, step: int) -> tuple[Rows, Tensor]:
        """Return the packed rows of a step as they are read, and labels."""
        config = self.config
        rows = self.sampler.rows(
            step * config.rows, config.rows, config.lengths_at(step)
        )
        masked = self.mask(rows.token_ids, step)
        return rows._replace(token_ids=masked.token_ids), masked.labels

    def held_out(self) -> Iterator[tuple[Rows, Masked]]:
        """Yield rows to be tested on, always the same, some at a time.

        The longest sequences of the settings, one mask per row.
        """
        count = self.config.held_out_rows
        longest = [max(max(each) for _, each in self.config.lengths())]
        for first in range(0, count, ROWS_AT_ONCE):
            size = min(ROWS_AT_ONCE, count - first)
            rows = self.sampler.rows(first, size, longest)
            yield rows, self.mask(rows.token_ids, first)

    def mask(self, token_ids: Tensor, step: int) -> Masked:
        """Choose and hide tokens, anew at every step.

        A row of special tokens alone, such as [UNK] all along, stays as it
        is, and nothing is asked there.
        """
        asked = ~torch.isin(token_ids, self._special).all(dim=1)
        read, labels = token_ids.clone(), torch.full_like(token_ids, IGNORED)
        if asked.any():
            read[asked], labels[asked] = self._masked(token_ids[asked], step)
        return Masked(read, labels)

    def _masked(self, token_ids: Tensor, step: int) -> Masked:
        """Choose and hide tokens as the settings say."""
        generator = torch.Generator().manual_seed(
            mixed(self.config.seed, 2, step)
        )
        if self.config.masking == "tokens":
            return mask_tokens(token_ids, self.masking, generator)
        return mask_spans(
            token_ids,
            self.masking,
            generator,
            self.continues,
            max_words=3 if self.config.masking == "spans" else 1,
        )


def mixed(*numbers: int) -> int:
    """Make one seed of several numbers."""
    result = 0
    for number in numbers:
        result = (result * 1_000_003 + number) % 2**63
    return result
