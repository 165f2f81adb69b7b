"""From texts to a vocabulary and two stores: to learn from, to be tested on.

Beside the book's own corpus, any UTF-8 text file will do: an empty line
parts documents, as in BERT's released code.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from bertbook.corpora import (
    HELD_OUT_EVERY,
    Document,
    book_corpus,
    hub_folder,
    sha256_of,
    wikipedia_stream,
)
from bertbook.pretraining.checkpoint import write_atomically
from bertbook.pretraining.store import (
    TokenStore,
    build_store,
    train_wordpieces,
)
from bertbook.tokenization import SPECIAL

CORPORA: Final = frozenset({"book", "wikipedia"})
"""Corpora that have a name; others are text files."""

VOCABULARIES: Final = frozenset({"train", "bert"})
"""Vocabularies that have a name; others are files."""

PARTS: Final = ("train", "held_out")
"""The stores in a prepared folder."""

SOURCE: Final = "source.json"

VOCABULARY_CHARACTERS: Final = 100_000_000
"""A vocabulary is trained on this much of a corpus at most."""

Stream = Callable[[], Iterator[Document]]


class Prepared(NamedTuple):
    """What a run reads.

    Attributes:
        vocabulary: WordPieces, the special ones among them.
        train: the text to learn from.
        held_out: the text to be tested on.
    """

    vocabulary: list[str]
    train: TokenStore
    held_out: TokenStore


def read_texts(files: Sequence[Path]) -> Iterator[Document]:
    """Yield the documents of text files, one at a time.

    Raises:
        ValueError: for a file that is missing, empty, binary, or not UTF-8.
    """
    for file in files:
        _check_text(file)
        number, lines = 0, []
        with file.open(encoding="utf-8") as stream:
            for line in _decoded(file, stream):
                if line.strip():
                    lines.append(line)
                elif lines:
                    yield Document(str(file), str(number), "".join(lines))
                    number, lines = number + 1, []
        if lines:
            yield Document(str(file), str(number), "".join(lines))


def _check_text(file: Path) -> None:
    """Refuse a file that holds no text."""
    if not file.is_file():
        raise ValueError(f"{file} is no file: give text files, or 'book'")
    with file.open("rb") as stream:
        head = stream.read(65_536)
    if not head.strip():
        raise ValueError(f"{file} is empty: give a file with text")
    if b"\0" in head:
        raise ValueError(
            f"{file} is binary, or text in UTF-16: give plain text in UTF-8"
            " (iconv -f UTF-16 -t UTF-8 converts)"
        )


def _decoded(file: Path, stream: Iterable[str]) -> Iterator[str]:
    """Yield the lines, and say which file is in another encoding."""
    try:
        yield from stream
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{file} is not UTF-8: byte {error.object[error.start]:#04x}"
            f" cannot be read ({error.reason}). Convert it, from Latin-1 for"
            " example: iconv -f LATIN1 -t UTF-8"
        ) from None


def is_held_out(document: Document) -> bool:
    """Tell whether a document of a stream is held out, by its text's hash.

    About one in twenty is. The same text is always on the same side, so
    that a document which stands twice in a corpus is not on both.
    """
    digest = hashlib.sha256(document.text.encode()).digest()
    return int.from_bytes(digest[:8]) % HELD_OUT_EVERY == 0


def corpus_streams(corpus: str) -> tuple[Stream, Stream]:
    """Return what yields the documents to learn from, and those held out.

    Args:
        corpus: `"book"`, `"wikipedia"`, or text files with commas between.
    """
    if corpus == "book":
        parts = book_corpus()
        return lambda: iter(parts.train), lambda: iter(parts.held_out)
    files = [Path(name) for name in corpus.split(",")]

    def everything() -> Iterator[Document]:
        if corpus == "wikipedia":
            return wikipedia_stream()
        return read_texts(files)

    return (
        lambda: (d for d in everything() if not is_held_out(d)),
        lambda: (d for d in everything() if is_held_out(d)),
    )


def prepare(
    corpus: str, vocab: str, vocab_size: int, folder: Path
) -> Prepared:
    """Make the vocabulary and the stores, or find them as they were made.

    Beside them stands `source.json`, which says what they were made from.

    Args:
        corpus: as in `corpus_streams`.
        vocab: `"train"` to train WordPieces on the corpus, `"bert"` for
            those of bert-base-uncased, or a file with one token a line.
        vocab_size: the number of entries wanted.
        folder: where all of it is kept.

    Raises:
        ValueError: for a corpus or vocabulary that cannot be used, or a
            folder that was made from another corpus or vocabulary.
    """
    file = folder / "vocab.txt"
    _check_source(folder, corpus, vocab)
    if not is_prepared(folder):
        _make(corpus, vocab, vocab_size, folder)
    vocabulary = _sized(read_vocabulary(file), vocab_size, file)
    stores = [TokenStore(folder / name) for name in PARTS]
    for store in stores:
        store.check_vocabulary(vocabulary)
    return Prepared(vocabulary, *stores)


def _make(corpus: str, vocab: str, vocab_size: int, folder: Path) -> None:
    """Write what is missing in a folder."""
    file = folder / "vocab.txt"
    streams = _filled(corpus_streams(corpus))
    vocabulary = (
        read_vocabulary(file)
        if file.exists()
        else _vocabulary(vocab, vocab_size, streams[0])
    )
    name = file if file.exists() else f"the vocabulary {vocab!r}"
    _sized(vocabulary, vocab_size, name)
    folder.mkdir(parents=True, exist_ok=True)
    source = json.dumps(_source(corpus, vocab), indent=1) + "\n"
    write_atomically(folder / SOURCE, source.encode())
    write_atomically(file, ("\n".join(vocabulary) + "\n").encode())
    for part, documents in zip(PARTS, streams, strict=True):
        if not (folder / part).exists():
            build_store(documents(), vocabulary, folder / part)


def _filled(streams: tuple[Stream, Stream]) -> tuple[Stream, Stream]:
    """Return streams that both have a document."""
    purposes = "learn from", "test on"
    for stream, purpose in zip(streams, purposes, strict=True):
        if next(stream(), None) is None:
            raise ValueError(
                f"the corpus has no document to {purpose}: give more than a"
                " few, with an empty line between them"
            )
    return streams


def is_prepared(folder: Path) -> bool:
    """Tell whether vocabulary and stores stand in a folder, whole."""
    names = ("vocab.txt", *PARTS)
    return all((folder / name).exists() for name in names)


def _source(corpus: str, vocab: str) -> dict[str, Any]:
    """Say what a folder is made from: names, and the hashes of files."""
    named = {corpus} & CORPORA or set(corpus.split(","))
    files = sorted((named | {vocab}) - CORPORA - VOCABULARIES)
    hashes = {
        name: sha256_of(Path(name)) if Path(name).is_file() else None
        for name in files
    }
    return {"corpus": corpus, "vocab": vocab, "files": hashes}


def _check_source(folder: Path, corpus: str, vocab: str) -> None:
    """Refuse a folder that was made from something else."""
    file = folder / SOURCE
    if not file.exists():
        if (folder / "vocab.txt").exists():
            raise ValueError(
                f"{folder} holds a vocabulary and no {SOURCE} that says what"
                " it was made from: delete it, or choose another --data"
            )
        return
    before = json.loads(file.read_text(encoding="utf-8"))
    now = _source(corpus, vocab)
    for name, found in now["files"].items():
        if found is None:  # moved since: what was made of it will do
            now["files"][name] = before["files"].get(name)
    if before != now:
        raise ValueError(
            f"{folder} was made from {before}, and asked for is {now}: choose"
            " another --data, or delete it"
        )


def _sized(
    vocabulary: list[str], vocab_size: int, name: Path | str
) -> list[str]:
    """Return a vocabulary that has the wanted size."""
    if len(vocabulary) != vocab_size:
        raise ValueError(
            f"{name} has {len(vocabulary)} entries, and vocab_size is"
            f" {vocab_size}: set vocab_size to {len(vocabulary)}, or choose"
            " another vocabulary or folder"
        )
    return vocabulary


def _vocabulary(vocab: str, vocab_size: int, documents: Stream) -> list[str]:
    """Train a vocabulary, or read one."""
    if vocab == "train":
        return train_wordpieces(_sample(documents()), vocab_size)
    if vocab == "bert":
        folder = hub_folder("google-bert/bert-base-uncased")
        return read_vocabulary(folder / "vocab.txt")
    return read_vocabulary(Path(vocab))


def _sample(documents: Iterator[Document]) -> Iterator[Document]:
    """Yield the first documents, until there is text enough."""
    characters = 0
    for document in documents:
        yield document
        characters += len(document.text)
        if characters > VOCABULARY_CHARACTERS:
            return


def read_vocabulary(file: Path) -> list[str]:
    """Read a vocabulary, one token a line.

    Raises:
        ValueError: for a file that is not there, a token that stands twice,
            or a special token that is missing.
    """
    try:
        tokens = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(
            f"{file} is no readable vocabulary: {error}"
        ) from None
    if len(set(tokens)) < len(tokens):
        twice = next(token for token in tokens if tokens.count(token) > 1)
        raise ValueError(f"{file} holds the token {twice!r} twice")
    missing = [token for token in SPECIAL if token not in tokens]
    if missing:
        raise ValueError(
            f"{file} lacks the special tokens {missing}: add them"
        )
    return tokens
