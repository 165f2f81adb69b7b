"""A corpus as token ids on disk, read only where a batch needs it."""

import hashlib
import json
import shutil
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Final

import numpy as np
from tokenizers import BertWordPieceTokenizer

from bertbook.corpora import Document, split_sentences
from bertbook.tokenization import SPECIAL, UNK
from bertbook.tokenizer_training import train_tokenizer

_SENTENCES_AT_ONCE: Final = 4_096


def train_wordpieces(
    documents: Iterable[Document], vocab_size: int
) -> list[str]:
    """Train a WordPiece vocabulary; the special tokens come first.

    Args:
        documents: what to train on.
        vocab_size: entries, those of `SPECIAL` included.

    Raises:
        ValueError: as in `train_tokenizer`.
    """
    room = vocab_size - len(SPECIAL) + 1
    trained = train_tokenizer("wordpiece", (d.text for d in documents), room)
    by_id = sorted(trained.get_vocab().items(), key=lambda entry: entry[1])
    return [*SPECIAL, *(token for token, _ in by_id if token != UNK)]


def digest_of(vocabulary: Sequence[str]) -> str:
    """Return the sha256 of a vocabulary, one token a line."""
    return hashlib.sha256("\n".join(vocabulary).encode()).hexdigest()


@dataclass(frozen=True, kw_only=True)
class StoreRecord:
    """What a store on disk says of itself.

    Attributes:
        vocabulary: the digest of the vocabulary it was written with.
        vocab_size: the number of entries in it.
        tokens: token ids in the store, special ones not among them.
        sentences: sentences they form.
        documents: documents those form.
        words: words separated by blanks, before tokenization.
    """

    vocabulary: str
    vocab_size: int
    tokens: int
    sentences: int
    documents: int
    words: int

    @property
    def dtype(self) -> type:
        """Return the smallest type that holds every id."""
        return np.uint16 if self.vocab_size <= 2**16 else np.uint32


class TokenStore:
    """Token ids, and where each sentence and each document begins.

    The arrays are mapped from the disk: memory does not grow with them.

    Args:
        folder: what `build_store` wrote.

    Raises:
        ValueError: if the folder holds no whole store.
    """

    def __init__(self, folder: Path) -> None:
        record = folder / "record.json"
        if not record.exists():
            raise ValueError(
                f"{folder} holds no whole token store: build it with"
                " build_store"
            )
        self.folder = folder
        self.record = StoreRecord(**json.loads(record.read_text()))
        self.tokens = self._read("tokens", self.record.tokens)
        self.sentences = self._read("sentences", self.record.sentences + 1)
        self.documents = self._read("documents", self.record.documents + 1)

    def _read(self, name: str, length: int) -> np.memmap:
        """Map one array, and refuse one that is cut short."""
        dtype = self.record.dtype if name == "tokens" else np.int64
        file = self.folder / f"{name}.bin"
        wanted = length * np.dtype(dtype).itemsize
        found = file.stat().st_size if file.exists() else 0
        if found != wanted:
            raise ValueError(
                f"{file} has {found} bytes, its record says {wanted}:"
                " delete the folder and build the store again"
            )
        return np.memmap(file, dtype=dtype, mode="r")

    def check_vocabulary(self, vocabulary: Sequence[str]) -> None:
        """Raise ValueError if the store was written with another."""
        if digest_of(vocabulary) != self.record.vocabulary:
            raise ValueError(
                f"the token store {self.folder} was written with another"
                f" vocabulary, of {self.record.vocab_size} entries, and this"
                f" one has {len(vocabulary)}: build the store again"
            )


def build_store(
    documents: Iterable[Document], vocabulary: Sequence[str], folder: Path
) -> TokenStore:
    """Tokenize documents into a new store, a few thousand sentences a time.

    The documents may be a stream: none is held longer than it takes. The
    folder appears when the store is whole, and not before.

    Args:
        documents: the texts.
        vocabulary: WordPieces, `SPECIAL` among them.
        folder: where the store will stand.

    Raises:
        ValueError: if the folder exists, or there is no token to store.
    """
    if folder.exists():
        raise ValueError(f"{folder} exists: delete it, or choose another")
    partial = folder.with_name(folder.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    counts = _write(documents, vocabulary, partial)
    if not counts["tokens"]:
        shutil.rmtree(partial)
        raise ValueError(
            "the corpus holds no word: give at least one document with text"
        )
    record = StoreRecord(
        vocabulary=digest_of(vocabulary), vocab_size=len(vocabulary), **counts
    )
    (partial / "record.json").write_text(json.dumps(asdict(record), indent=1))
    partial.rename(folder)
    return TokenStore(folder)


def _write(
    documents: Iterable[Document], vocabulary: Sequence[str], folder: Path
) -> dict[str, int]:
    """Write the three arrays and return what they hold."""
    dtype = np.uint16 if len(vocabulary) <= 2**16 else np.uint32
    ids = {token: index for index, token in enumerate(vocabulary)}
    tokenizer = BertWordPieceTokenizer(vocab=ids, lowercase=True)
    counts = {"tokens": 0, "sentences": 0, "documents": 0, "words": 0}
    with (
        (folder / "tokens.bin").open("wb") as tokens,
        (folder / "sentences.bin").open("wb") as sentences,
        (folder / "documents.bin").open("wb") as starts,
    ):
        for batch in _batches(_sentences_of(documents), _SENTENCES_AT_ONCE):
            texts = [text for _, text in batch]
            encoded = tokenizer.encode_batch(texts, add_special_tokens=False)
            for (first, text), encoding in zip(batch, encoded, strict=True):
                if first:
                    starts.write(np.int64(counts["sentences"]).tobytes())
                    counts["documents"] += 1
                sentences.write(np.int64(counts["tokens"]).tobytes())
                tokens.write(np.array(encoding.ids, dtype).tobytes())
                counts["sentences"] += 1
                counts["tokens"] += len(encoding.ids)
                counts["words"] += len(text.split())
        sentences.write(np.int64(counts["tokens"]).tobytes())
        starts.write(np.int64(counts["sentences"]).tobytes())
    return counts


def _sentences_of(
    documents: Iterable[Document],
) -> Iterator[tuple[bool, str]]:
    """Yield every sentence, and whether a document begins with it."""
    for document in documents:
        for number, sentence in enumerate(split_sentences(document.text)):
            yield number == 0, sentence


def _batches(
    items: Iterator[tuple[bool, str]], size: int
) -> Iterator[list[tuple[bool, str]]]:
    """Cut a stream into lists."""
    while batch := list(islice(items, size)):
        yield batch
