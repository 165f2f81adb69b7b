"""What counting reaches: a chosen token guessed from the words before it.

A masked language model has to beat these on the same rows and at the same
positions. The counts see the true tokens to the left of a chosen one, where
the model may see [MASK]; they see nothing to the right.
"""

from typing import Final, NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int, Integer
from torch import Tensor

from bertbook.masking import IGNORED
from bertbook.pretraining.batches import Batches
from bertbook.pretraining.store import TokenStore

NONE: Final = -1
"""Stands in a context where the sequence has not begun yet."""

ORDERS: Final = {"unigram": 1, "bigram": 2, "5-gram": 5}


class Score(NamedTuple):
    """How well something guesses.

    Attributes:
        loss: mean of minus the logarithm of the right token's probability,
            in nats.
        accuracy: share of tokens to which it gives the most.
    """

    loss: float
    accuracy: float


class Chosen(NamedTuple):
    """Tokens to guess, and what stands before them.

    Attributes:
        left: the true tokens before each, the nearest last; `NONE` before
            the sequence begins.
        wanted: the tokens.
    """

    left: Int[np.ndarray, "chosen length"]
    wanted: Int[np.ndarray, " chosen"]


class NGrams:
    """Counts of n tokens in a row, smoothed after Kneser and Ney.

    An n-gram gives the token w after the context h the probability

    p(w | h) = max(c(h w) - D, 0) / c(h) + D t(h) / c(h) · p(w | shorter h),

    where c(h) is the sum of c(h w) over w, and t(h) is the number of w with
    c(h w) > 0. Below the highest order, c(h w) counts the different tokens
    seen before h w; that is none where h w only ever begins a document. The
    discount D is n1 / (n1 + 2 n2), from the n-grams counted once and twice.
    Below the unigram lies the same probability for every token.

    Args:
        tokens: ids, document after document.
        documents: the place at which each document begins.
        vocab_size: ids there are.
        order: n, 1 or more.

    Raises:
        ValueError: if there is no token, or the order is below 1.

    Source: Kneser and Ney (1995); Chen and Goodman (1999), §2.7, for the
    interpolated form.
    """

    def __init__(
        self,
        tokens: Integer[np.ndarray, " tokens"],
        documents: Int[np.ndarray, " documents"],
        vocab_size: int,
        order: int,
    ) -> None:
        if order < 1 or len(tokens) < 1:
            raise ValueError(
                f"order is {order}, with {len(tokens)} tokens: n-grams need"
                " an order of at least 1 and a text"
            )
        self.vocab_size, self.order = vocab_size, order
        self._keys: list[np.ndarray] = []
        self._counts: list[np.ndarray] = []
        starts = np.zeros(len(tokens), dtype=np.int64)
        starts[documents[documents < len(tokens)]] = 1
        self._count(tokens.astype(np.int64), starts.cumsum())
        self._discounts = [_discount(counts) for counts in self._counts]

    def _count(
        self,
        tokens: Int[np.ndarray, " tokens"],
        document: Int[np.ndarray, " tokens"],
    ) -> None:
        """Number the n-grams of each order in the order of their keys.

        The key of an n-gram is the number of its first n - 1 tokens, times
        the size of the vocabulary, plus its last token. So all that follows
        a context stands side by side.
        """
        numbers = np.zeros(len(tokens), dtype=np.int64)  # of the empty one
        for n in range(1, self.order + 1):
            inside = np.ones(len(tokens), dtype=bool)
            before = numbers
            if n > 1:
                inside[1:] = document[1:] == document[:-1]
                inside[0] = False
                before = np.concatenate([[NONE], numbers[:-1]])
            inside &= before != NONE
            keys, first, inverse, counts = np.unique(
                before[inside] * self.vocab_size + tokens[inside],
                return_index=True,
                return_inverse=True,
                return_counts=True,
            )
            if n > 1:  # the order below counts what stands before it
                shorter = numbers[np.flatnonzero(inside)[first]]
                self._counts[-1] = np.bincount(
                    shorter, minlength=len(self._keys[-1])
                )
            numbers = np.full(len(tokens), NONE)
            numbers[inside] = inverse
            self._keys.append(keys)
            self._counts.append(counts)

    def probabilities(
        self, left: Int[np.ndarray, "queries length"]
    ) -> Float[np.ndarray, "queries vocab_size"]:
        """Return the probability of every token after each context.

        Args:
            left: the tokens before, the nearest last, `NONE` where there is
                none. Only the last `order - 1` count.
        """
        guess = np.full((len(left), self.vocab_size), 1 / self.vocab_size)
        for n in range(1, self.order + 1):
            numbers = self._numbers(left[:, left.shape[1] - n + 1 :], n - 1)
            for row in np.flatnonzero(numbers != NONE):
                self._refine(guess[row], int(numbers[row]), n - 1)
        return guess

    def _numbers(
        self, left: Int[np.ndarray, "queries length"], length: int
    ) -> Int[np.ndarray, " queries"]:
        """Return the numbers of contexts, `NONE` for those never seen."""
        numbers = np.zeros(len(left), dtype=np.int64)
        if left.shape[1] < length:
            return numbers + NONE
        for n in range(length):
            known = (numbers != NONE) & (left[:, n] != NONE)
            keys = numbers * self.vocab_size + left[:, n]
            place = np.searchsorted(self._keys[n], keys)
            place = place.clip(max=len(self._keys[n]) - 1)
            known &= self._keys[n][place] == keys
            numbers = np.where(known, place, NONE)
        return numbers

    def _refine(
        self, guess: Float[np.ndarray, " vocab_size"], context: int, n: int
    ) -> None:
        """Mix what was seen after one context into the shorter one's guess."""
        begin, end = np.searchsorted(
            self._keys[n],
            [context * self.vocab_size, (context + 1) * self.vocab_size],
        )
        counts, discount = self._counts[n][begin:end], self._discounts[n]
        total = counts.sum()
        if not total:
            return
        guess *= discount * np.count_nonzero(counts) / total
        tokens = self._keys[n][begin:end] - context * self.vocab_size
        guess[tokens] += np.maximum(counts - discount, 0) / total


def _discount(counts: Int[np.ndarray, " ngrams"]) -> float:
    """Return what is taken from every count; ½ where none can be estimated."""
    once, twice = (counts == 1).sum(), (counts == 2).sum()
    if not once or not twice:
        return 0.5
    return float(once / (once + 2 * twice))


def chosen_tokens(
    token_ids: Int[Tensor, "rows width"],
    labels: Int[Tensor, "rows width"],
    sequence: Int[Tensor, "rows width"],
    length: int = 4,
) -> Chosen:
    """Collect the tokens that carry a label, and the true ones before them.

    Args:
        token_ids: the rows before anything was hidden.
        labels: as `mask_tokens` gives them.
        sequence: the number of the sequence at each place of a row.
        length: tokens of context.

    >>> ids = torch.tensor([[2, 7, 8, 9, 3]])        # [CLS] a b c [SEP]
    >>> labels = torch.tensor([[-100, -100, 8, 9, -100]])
    >>> chosen = chosen_tokens(ids, labels, torch.ones_like(ids), length=2)
    >>> chosen.left.tolist(), chosen.wanted.tolist()
    ([[-1, 7], [7, 8]], [8, 9])
    """
    row, column = (labels != IGNORED).nonzero(as_tuple=True)
    if length == 0:
        empty = np.zeros((len(row), 0), dtype=np.int64)
        return Chosen(empty, labels[row, column].numpy())
    columns = column[:, None] + torch.arange(-length, 0)
    inside = columns >= 1  # place 0 of a row is a [CLS]
    columns = columns.clamp(min=0)
    inside &= sequence[row[:, None], columns] == sequence[row, column][:, None]
    # The first place of a sequence is its [CLS], which no count knows.
    previous = sequence[row[:, None], (columns - 1).clamp(min=0)]
    inside &= previous == sequence[row, column][:, None]
    left = torch.where(inside, token_ids[row[:, None], columns], NONE)
    return Chosen(left.numpy(), labels[row, column].numpy())


def held_out_tokens(held_out: Batches, length: int = 4) -> Chosen:
    """Collect the tokens that `Run.evaluate` asks for, row for row.

    Args:
        held_out: `Run.held_out`.
        length: tokens of context.
    """
    parts = [
        chosen_tokens(rows.token_ids, masked.labels, rows.sequence, length)
        for rows, masked in held_out.held_out()
    ]
    return Chosen(*(np.concatenate(part) for part in zip(*parts, strict=True)))


def score(model: NGrams, chosen: Chosen, at_once: int = 512) -> Score:
    """Let counts guess, and return their loss and accuracy.

    Args:
        model: the counts.
        chosen: what is to be guessed.
        at_once: guesses in memory at a time.

    Raises:
        ValueError: if there is nothing to guess.
    """
    if not len(chosen.wanted):
        raise ValueError("no token was chosen: give more rows")
    loss, hits = 0.0, 0
    for first in range(0, len(chosen.wanted), at_once):
        wanted = chosen.wanted[first : first + at_once]
        guess = model.probabilities(chosen.left[first : first + at_once])
        loss -= float(np.log(guess[np.arange(len(wanted)), wanted]).sum())
        hits += int((guess.argmax(axis=1) == wanted).sum())
    return Score(loss / len(chosen.wanted), hits / len(chosen.wanted))


def baselines(train: TokenStore, chosen: Chosen) -> dict[str, Score]:
    """Return the scores of unigrams, bigrams and 5-grams.

    Args:
        train: the text to count.
        chosen: what is to be guessed, with four tokens before each.
    """
    documents = np.asarray(train.sentences)[np.asarray(train.documents)]
    return {
        name: score(
            NGrams(
                np.asarray(train.tokens),
                documents,
                train.record.vocab_size,
                order,
            ),
            chosen,
        )
        for name, order in ORDERS.items()
    }
