"""WordPiece as BERT uses it: text → words → pieces → ids, and back.

Only the use of a finished vocabulary stands here. It does what the uncased
tokenizer of BERT does, rule by rule.
"""

import json
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final, NamedTuple

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from bertbook.masks import padding_mask

PAD: Final = "[PAD]"
UNK: Final = "[UNK]"
CLS: Final = "[CLS]"
SEP: Final = "[SEP]"
MASK: Final = "[MASK]"

SPECIAL: Final = (PAD, UNK, CLS, SEP, MASK)
"""The tokens that stand for no text; BERT's vocabulary holds all five."""

SPECIAL_FIRST: Final = MappingProxyType(
    {token: index for index, token in enumerate(SPECIAL)}
)
"""Their ids in a vocabulary that begins with them, such as the book's."""

MAX_WORD: Final = 100
"""Characters of the longest word that is looked up at all."""

_SPECIAL: Final = re.compile("(" + "|".join(map(re.escape, SPECIAL)) + ")")

# The blocks of Chinese, Japanese and Korean ideographs.
_IDEOGRAPHS: Final = (
    (0x3400, 0x4DBF),
    (0x4E00, 0x9FFF),
    (0xF900, 0xFAFF),
    (0x20000, 0x2A6DF),
    (0x2A700, 0x2B73F),
    (0x2B740, 0x2B81F),
    (0x2B820, 0x2CEAF),
    (0x2F800, 0x2FA1F),
)


def normalize(text: str) -> str:
    r"""Clean a text, part its ideographs, strip accents, and lower its case.

    Control characters vanish, all white space becomes blanks. Letters are
    lowered one by one, so that a Greek sigma is the same everywhere.

    Args:
        text: any text.

    Returns:
        The text as the vocabulary's words are written.

    >>> normalize("Ça va,\tZoë?")
    'ca va, zoe?'

    Source: google-research/bert, tokenization.py, BasicTokenizer
    """
    cleaned = "".join(map(_clean, text))
    letters = unicodedata.normalize("NFD", cleaned)
    return "".join(
        letter.lower()
        for letter in letters
        if unicodedata.category(letter) != "Mn"
    )


def _clean(character: str) -> str:
    """Replace one character by what the tokenizer reads in its place."""
    if character in "\t\n\r":
        return " "
    if character in "\0\ufffd":
        return ""
    if unicodedata.category(character) in {"Cc", "Cf", "Cs", "Co"}:
        return ""
    if character.isspace():
        return " "
    code = ord(character)
    if any(first <= code <= last for first, last in _IDEOGRAPHS):
        return f" {character} "
    return character


def split_words(text: str) -> list[str]:
    """Split normalized text at blanks, and around each punctuation mark.

    Args:
        text: the output of `normalize`.

    Returns:
        Words and single marks, in order.

    >>> split_words("it's 5% off.")
    ['it', "'", 's', '5', '%', 'off', '.']
    """
    parted = "".join(f" {c} " if _is_punctuation(c) else c for c in text)
    return parted.split()


def _is_punctuation(character: str) -> bool:
    """Tell marks from letters; ASCII signs such as `$` count as marks."""
    if character.isascii():
        return character.isprintable() and not (
            character.isalnum() or character == " "
        )
    return unicodedata.category(character).startswith("P")


class Encoded(NamedTuple):
    """One text, or a pair, as ids.

    Attributes:
        token_ids: the ids, from [CLS] to the last [SEP].
        segment_ids: 0 up to the first [SEP], 1 for the second text.
    """

    token_ids: list[int]
    segment_ids: list[int]


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Texts padded to the longest among them.

    Attributes:
        token_ids: the ids; `[PAD]` behind the shorter texts.
        segment_ids: 0 or 1; 0 at padding.
        mask: True at real tokens, as attention reads it.
    """

    token_ids: Int[Tensor, "batch seq"]
    segment_ids: Int[Tensor, "batch seq"]
    mask: Bool[Tensor, "batch seq"]


class WordPiece:
    """BERT's uncased tokenizer over a given vocabulary.

    Args:
        vocabulary: the pieces in the order of their ids. A piece that goes
            on inside a word starts with `##`.
        max_len: the most ids in a sequence; the size of the model's table
            of positions.

    Raises:
        ValueError: if the vocabulary is empty, repeats a piece or lacks one
            of the special tokens, or if `max_len` has no room for those.

    >>> pieces = [*SPECIAL, "un", "##aff", "##able", "!"]
    >>> tokenizer = WordPiece(pieces)
    >>> tokenizer.tokenize("Unaffable!")
    ['un', '##aff', '##able', '!']
    >>> tokenizer.encode("Unaffable!").token_ids
    [2, 5, 6, 7, 8, 3]

    Source: Devlin et al. (2019), section 3; google-research/bert,
    tokenization.py, WordpieceTokenizer
    """

    def __init__(self, vocabulary: Sequence[str], max_len: int = 512):
        self.vocabulary = tuple(vocabulary)
        self.max_len = max_len
        self._ids = {piece: i for i, piece in enumerate(self.vocabulary)}
        self._check()
        self._longest = max(map(len, self.vocabulary))

    def _check(self) -> None:
        if not self.vocabulary:
            raise ValueError(
                "the vocabulary is empty: give the pieces in order of id"
            )
        if len(self._ids) < len(self.vocabulary):
            twice = [
                piece
                for i, piece in enumerate(self.vocabulary)
                if self._ids[piece] != i
            ]
            raise ValueError(
                f"the vocabulary repeats {twice[:5]}: give each piece once"
            )
        missing = [token for token in SPECIAL if token not in self._ids]
        if missing:
            raise ValueError(
                f"the vocabulary lacks the special tokens {missing}: add them"
            )
        if self.max_len < 3:
            raise ValueError(
                f"max_len is {self.max_len}: [CLS], [SEP] and one piece need 3"
            )

    @classmethod
    def from_file(cls, path: Path, max_len: int = 512) -> "WordPiece":
        """Read a vocabulary from `vocab.txt` or from `tokenizer.json`.

        Args:
            path: a text file with a piece a line, or a JSON file as Hugging
                Face's tokenizers write it.
            max_len: as for the class.

        Raises:
            ValueError: if the JSON file holds no WordPiece model, if its ids
                leave gaps, or for the class's own reasons.
        """
        text = path.read_text(encoding="utf-8")
        if path.suffix != ".json":
            lines = text.removesuffix("\n").split("\n") if text else []
            return cls(lines, max_len)
        model = json.loads(text).get("model", {})
        if model.get("type") != "WordPiece":
            raise ValueError(
                f"{path} holds a {model.get('type')!r} model: give the file"
                " of a WordPiece tokenizer"
            )
        pieces = sorted(model["vocab"], key=model["vocab"].__getitem__)
        if [model["vocab"][piece] for piece in pieces] != [
            *range(len(pieces))
        ]:
            raise ValueError(
                f"the ids in {path} do not run from 0 to {len(pieces) - 1}:"
                " number the pieces without gaps"
            )
        return cls(pieces, max_len)

    def __len__(self) -> int:
        """Return the number of pieces."""
        return len(self.vocabulary)

    def token_id(self, token: str) -> int:
        """Return the id of one piece or special token.

        Raises:
            ValueError: if the vocabulary does not hold it.
        """
        if token not in self._ids:
            raise ValueError(
                f"{token!r} is not among the vocabulary's {len(self)} pieces:"
                f" tokenize the text first; special tokens are {SPECIAL}"
            )
        return self._ids[token]

    def tokenize(self, text: str) -> list[str]:
        """Split a text into pieces, without [CLS] and [SEP].

        A special token written out in the text, such as [MASK], is kept.

        Args:
            text: any text.

        Returns:
            Pieces of the vocabulary, in order.
        """
        pieces = []
        for part in _SPECIAL.split(text):
            if part in SPECIAL:
                pieces.append(part)
                continue
            for word in split_words(normalize(part)):
                pieces.extend(self.split_word(word))
        return pieces

    def split_word(self, word: str) -> list[str]:
        """Take the longest piece that fits, again and again.

        A word is unknown as a whole when any part of it is, or when it has
        more than 100 characters.

        Args:
            word: one word of `split_words`.

        Returns:
            The word's pieces, or [UNK] alone.
        """
        if len(word) > MAX_WORD:
            return [UNK]
        pieces = []
        start = 0
        while start < len(word):
            piece = next(self._candidates(word, start), None)
            if piece is None:
                return [UNK]
            pieces.append(piece)
            start += len(piece) - (2 if start else 0)
        return pieces

    def _candidates(self, word: str, start: int) -> Iterator[str]:
        """Yield the known pieces that begin at `start`, longest first."""
        prefix = "##" if start else ""
        for end in range(min(len(word), start + self._longest), start, -1):
            piece = prefix + word[start:end]
            if piece in self._ids:
                yield piece

    def encode(
        self, text: str, pair: str | None = None, *, truncate: bool = False
    ) -> Encoded:
        """Turn a text into `[CLS] text [SEP]`, or add a pair and its [SEP].

        Args:
            text: the first text.
            pair: the second text, if there are two.
            truncate: cut the end of the longer text until both fit.

        Returns:
            The token ids and the segment ids.

        Raises:
            ValueError: if the sequence is longer than `max_len`.
        """
        first = self.tokenize(text)
        second = None if pair is None else self.tokenize(pair)
        if truncate:
            first, second = self._cut(first, second)
        tokens = [CLS, *first, SEP]
        segment_ids = [0] * len(tokens)
        if second is not None:
            tokens += [*second, SEP]
            segment_ids += [1] * (len(second) + 1)
        if len(tokens) > self.max_len:
            raise ValueError(
                f"the sequence has {len(tokens)} tokens and max_len is"
                f" {self.max_len}: shorten the text or pass truncate=True"
            )
        return Encoded([self._ids[token] for token in tokens], segment_ids)

    def _cut(
        self, first: list[str], second: list[str] | None
    ) -> tuple[list[str], list[str] | None]:
        """Cut the longer text, and both once they are equally long."""
        if second is None:
            return first[: self.max_len - 2], None
        room = self.max_len - 3
        if len(first) + len(second) <= room:
            return first, second
        short = min(len(first), len(second), room // 2)
        if len(first) > len(second):
            return first[: room - short], second[:short]
        return first[:short], second[: room - short]

    def decode(
        self, token_ids: Sequence[int], *, keep_special: bool = False
    ) -> str:
        """Join the pieces of ids into words parted by blanks.

        Case, accents and the spacing around marks are not recovered.

        Args:
            token_ids: ids of this vocabulary.
            keep_special: also write [CLS], [SEP] and the others.

        Returns:
            The text.

        Raises:
            ValueError: if an id is out of the vocabulary.
        """
        for place, token_id in enumerate(token_ids):
            if not 0 <= token_id < len(self):
                raise ValueError(
                    f"token id {token_id} at position {place} is out of the"
                    f" vocabulary: ids run from 0 to {len(self) - 1}"
                )
        pieces = (self.vocabulary[token_id] for token_id in token_ids)
        kept = [p for p in pieces if keep_special or p not in SPECIAL]
        return " ".join(kept).replace(" ##", "")

    def batch(
        self,
        texts: Sequence[str],
        pairs: Sequence[str] | None = None,
        *,
        truncate: bool = False,
    ) -> Batch:
        """Encode texts, or pairs of texts, into padded tensors.

        Args:
            texts: the first texts; at least one.
            pairs: the second texts, one for each first.
            truncate: as for `encode`.

        Raises:
            ValueError: if there are no texts, if the pairs are fewer or
                more than the texts, or if a sequence is too long.
        """
        if not texts:
            raise ValueError("there are no texts: give at least one")
        seconds = [None] * len(texts) if pairs is None else pairs
        if len(seconds) != len(texts):
            raise ValueError(
                f"{len(texts)} texts and {len(seconds)} pairs: give each text"
                " one second text"
            )
        rows = [
            self.encode(text, pair, truncate=truncate)
            for text, pair in zip(texts, seconds, strict=True)
        ]
        lengths = [len(row.token_ids) for row in rows]
        width = max(lengths)
        ids = [row.token_ids for row in rows]
        segments = [row.segment_ids for row in rows]
        return Batch(
            token_ids=_pad(ids, width, self.token_id(PAD)),
            segment_ids=_pad(segments, width, 0),
            mask=padding_mask(torch.tensor(lengths), width),
        )


def _pad(
    rows: list[list[int]], width: int, filler: int
) -> Int[Tensor, "batch {width}"]:
    """Fill each row up to one width."""
    return torch.tensor([r + [filler] * (width - len(r)) for r in rows])
