"""The corpus for pre-training, as documents, and what is held out of it."""

import hashlib
import os
from collections.abc import Iterable, Iterator
from functools import cache
from itertools import groupby
from typing import Final, NamedTuple

from bertbook.corpora.encoders import hub_folder
from bertbook.corpora.library import Document, shakespeare, wikipedia_sample
from bertbook.corpora.sources import HubUnreachable
from bertbook.corpora.texts import sotu
from bertbook.corpora.verses import verse_pairs

HELD_OUT_EVERY: Final = 20
"""One document in so many is held out, in each source."""


class Corpus(NamedTuple):
    """Documents to learn from, and documents to be tested on."""

    train: tuple[Document, ...]
    held_out: tuple[Document, ...]


def addresses() -> tuple[Document, ...]:
    """Return the State of the Union addresses, as documents; see `sotu`.

    Their length is part of the name: two can be of one day.
    """
    return tuple(
        Document(
            "sotu",
            f"{each.date} {each.president}, {len(each.text)} characters",
            each.text,
        )
        for each in sotu()
    )


def bible_books() -> tuple[Document, ...]:
    """Return the World English Bible, a book a document.

    A chapter is a paragraph. Source, licence and citation: see
    `verse_pairs`, of which this is the modern half.
    """
    chapters = (
        ((book, chapter), " ".join(verse.modern for verse in verses))
        for (book, chapter), verses in groupby(
            verse_pairs(), lambda verse: (verse.book, verse.chapter)
        )
    )
    return tuple(
        Document("bible", f"book {book}", "\n\n".join(t for _, t in texts))
        for book, texts in groupby(chapters, lambda entry: entry[0][0])
    )


@cache
def book_corpus() -> Corpus:
    """Return the text that the book's own BERT learns from.

    State of the Union addresses, the World English Bible, Shakespeare's
    plays and a sample of Wikipedia. Sources, licences and citations: see
    `sotu`, `verse_pairs`, `shakespeare` and `wikipedia_sample`.
    Size: 447 documents, 4.0 million words, of which about 5 in 100 are
    held out.

    Returns:
        The documents of both parts, source by source. Which are held out is
        fixed by their names: see `hold_out`.

    Raises:
        MissingData: if a package is missing or changed.
    """
    return hold_out(
        [*addresses(), *bible_books(), *shakespeare(), *wikipedia_sample()]
    )


def hold_out(documents: Iterable[Document]) -> Corpus:
    """Hold whole documents out, one in twenty of each source.

    The documents are sorted by the sha256 of their names, and the first of
    every twenty is held out: no document that is added later moves another
    source's, and no sentence of a held-out text is ever learned from.

    Raises:
        ValueError: if two documents of a source share a name, or there is
            no document.
    """
    documents = list(documents)
    if not documents:
        raise ValueError("no document to hold out from: give at least one")
    chosen = set()
    for source in {each.source for each in documents}:
        names = [d.name for d in documents if d.source == source]
        if len(names) > len(set(names)):
            twice = next(name for name in names if names.count(name) > 1)
            raise ValueError(f"two documents of {source} are named {twice!r}")
        names.sort(key=lambda name: hashlib.sha256(name.encode()).digest())
        chosen |= {(source, name) for name in names[::HELD_OUT_EVERY]}
    held_out = tuple(d for d in documents if (d.source, d.name) in chosen)
    train = tuple(d for d in documents if (d.source, d.name) not in chosen)
    return Corpus(train, held_out)


def wikipedia_stream() -> Iterator[Document]:
    """Yield the articles of the English Wikipedia, at full scale.

    Source: wikimedia/wikipedia, 20231101.en, on the Hub, read as a stream:
    no article is kept. With `BERTBOOK_MIRROR` set, the Parquet files of
    `datasets/wikimedia/wikipedia/20231101.en` in that folder.
    Licence: CC BY-SA 4.0, by the contributors to Wikipedia.
    Size: 6.4 million articles, about 20 GB.
    Citation: Wikimedia Foundation, Wikimedia Downloads,
    https://dumps.wikimedia.org.

    Raises:
        HubUnreachable: if neither mirror nor Hub serves it.
    """
    # Imported here: it takes seconds, and small scale does without.
    from datasets import load_dataset

    name, version = "wikimedia/wikipedia", "20231101.en"
    if "BERTBOOK_MIRROR" in os.environ:
        files = hub_folder(name, "dataset") / version / "*.parquet"
        path, version_or_none, data = "parquet", None, str(files)
    else:
        path, version_or_none, data = name, version, None
    try:
        for row in load_dataset(
            path,
            version_or_none,
            data_files=data,
            split="train",
            streaming=True,
        ):
            yield Document("wikipedia", row["title"], row["text"])
    except Exception as error:  # whatever failed, the ways out are these
        raise HubUnreachable(
            f"{name} could not be read ({type(error).__name__}): connect to"
            " a network, or set BERTBOOK_MIRROR to a folder that holds"
            f" datasets/{name}/{version}/*.parquet, or pre-train on text"
            " files of your own"
        ) from None
