"""Packed rows: sequences of whole sentences, side by side, no padding.

A row has a fixed width. Sequences fill it one after another, each with its
[CLS], its [SEP] and positions of its own, and attention stays inside each.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Int
from torch import Tensor

from bertbook.pretraining.store import TokenStore
from bertbook.tokenization import CLS, PAD, SEP, SPECIAL_FIRST

_SHORTEST = 8
"""Fewer free places than this at the end of a row stay empty."""


class Rows(NamedTuple):
    """A batch of packed rows.

    Attributes:
        token_ids: the ids; [PAD] where nothing stands.
        position_ids: positions, counted from 0 in each sequence.
        sequence: the number of the sequence in its row, from 1; 0 for
            padding.
    """

    token_ids: Int[Tensor, "rows width"]
    position_ids: Int[Tensor, "rows width"]
    sequence: Int[Tensor, "rows width"]

    @property
    def mask(self) -> Bool[Tensor, "rows width width"] | None:
        """Let each token attend to those of its own sequence.

        None if every row is one sequence: then nothing is to be kept apart,
        and attention without a mask is faster.
        """
        if (self.sequence == 1).all():
            return None
        return self.sequence[:, :, None] == self.sequence[:, None, :]

    @property
    def real(self) -> Bool[Tensor, "rows width"]:
        """Tell tokens from padding."""
        return self.sequence > 0


class RowSampler:
    """Draw packed rows from a store, the same ones for the same numbers.

    An epoch goes through the store once, in an order of its own: places a
    row's length apart, shifted by a random amount and moved to the start of
    the next sentence, if one begins within a row's length. A row starts at
    its place and goes on until it is full. So some of the text is read twice
    in an epoch and some not at all, and the next epoch's shift changes which.

    Args:
        store: the corpus.
        width: token positions in a row.
        seed: of the order, the shifts and the lengths.
        special: the ids of the special tokens.

    Raises:
        ValueError: if the store is too small to fill a row.
    """

    def __init__(
        self,
        store: TokenStore,
        width: int,
        seed: int,
        special: Mapping[str, int] = SPECIAL_FIRST,
    ) -> None:
        if store.record.tokens < width:
            raise ValueError(
                f"the corpus has {store.record.tokens} tokens, and a row"
                f" has {width}: give more text, or a smaller width"
            )
        self.store, self.width, self.seed = store, width, seed
        self.places = store.record.tokens // width
        self._cls, self._sep, self._pad = (
            special[token] for token in (CLS, SEP, PAD)
        )
        self._epoch: tuple[int, np.ndarray, int] | None = None

    def rows(self, first: int, count: int, max_lens: list[int]) -> Rows:
        """Return rows by their numbers, counted on through the epochs.

        Args:
            first: the number of the first row.
            count: how many rows.
            max_lens: the longest sequence, special tokens included; one of
                these is drawn for each row.
        """
        shape = (count, self.width)
        token_ids = np.full(shape, self._pad, np.int64)
        positions, sequence = np.zeros(shape, int), np.zeros(shape, int)
        for row in range(count):
            number = first + row
            draw = np.random.default_rng((self.seed, 1, number))
            limit = max_lens[draw.integers(len(max_lens))]
            start = self._start(number)
            self._fill(
                start, limit, token_ids[row], positions[row], sequence[row]
            )
        return Rows(*map(torch.from_numpy, (token_ids, positions, sequence)))

    def _start(self, number: int) -> int:
        """Return the token with which a row begins."""
        epoch, within = divmod(number, self.places)
        if self._epoch is None or self._epoch[0] != epoch:
            draw = np.random.default_rng((self.seed, 0, epoch))
            order = draw.permutation(self.places)
            self._epoch = epoch, order, int(draw.integers(self.width))
        _, order, shift = self._epoch
        token = int(order[within]) * self.width + shift
        sentences = self.store.sentences[:-1]
        following = int(np.searchsorted(sentences, token))
        begin = int(sentences[min(following, len(sentences) - 1)])
        # Far from every full stop a row begins in the middle of a sentence.
        return begin if abs(begin - token) < self.width else token

    def _fill(
        self,
        token: int,
        limit: int,
        token_ids: np.ndarray,
        positions: np.ndarray,
        sequence: np.ndarray,
    ) -> None:
        """Write sequences into one row until it is full."""
        place, number = 0, 0
        while self.width - place >= _SHORTEST:
            if token >= self.store.record.tokens:
                token = 0
            room = min(limit, self.width - place) - 2
            end = self._end(token, room)
            ids = self.store.tokens[token:end]
            stop = place + len(ids) + 2
            token_ids[place] = self._cls
            token_ids[place + 1 : stop - 1] = ids
            token_ids[stop - 1] = self._sep
            number += 1
            positions[place:stop] = np.arange(stop - place)
            sequence[place:stop] = number
            place, token = stop, end

    def _end(self, token: int, room: int) -> int:
        """Return where a sequence ends that starts at a token.

        It holds as many whole sentences of one document as there is room
        for, or the part of the first that fits.
        """
        sentences, documents = self.store.sentences, self.store.documents
        sentence = int(np.searchsorted(sentences, token, side="right")) - 1
        document = int(np.searchsorted(documents, sentence, side="right"))
        limit = min(token + room, int(sentences[documents[document]]))
        whole = int(np.searchsorted(sentences, limit, side="right")) - 1
        return int(sentences[whole]) if whole > sentence else limit
