"""Link the first use of a glossary term on a page, with a hover card.

The card's text stands in the link's title, so that it is there without any
script; ``site.js`` turns it into a card that the keyboard reaches too.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from docutils import nodes
from sphinx import addnodes

if TYPE_CHECKING:
    from sphinx.application import Sphinx

MOST_LINKS = 40
_NO_LINK_INSIDE = (
    nodes.title,
    nodes.reference,
    nodes.literal,
    nodes.literal_block,
    nodes.math,
    nodes.math_block,
    nodes.raw,
    nodes.caption,
    nodes.term,
    addnodes.pending_xref,
    addnodes.download_reference,
)
Terms = dict[str, tuple[str, str, str, str]]


def terms_of(app: Sphinx) -> Terms:
    """Return term in small letters → (document, anchor, card, term)."""
    if not hasattr(app.env, "bertbook_terms"):
        app.env.bertbook_terms = {}  # type: ignore[attr-defined]
    return app.env.bertbook_terms  # type: ignore[attr-defined]


def collect(app: Sphinx, doctree: nodes.document) -> None:
    """Note the terms that a page with a glossary defines."""
    terms, docname = terms_of(app), app.env.docname
    for key in [key for key, entry in terms.items() if entry[0] == docname]:
        del terms[key]
    for glossary in doctree.findall(addnodes.glossary):
        for item in glossary.findall(nodes.definition_list_item):
            definition = next(item.findall(nodes.definition), None)
            card = first_paragraph(definition)
            for term in item.findall(nodes.term):
                text = term.astext()
                if card and term["ids"]:
                    entry = (docname, term["ids"][0], card, text)
                    terms[text.casefold()] = entry


def first_paragraph(definition: nodes.Node | None) -> str:
    """Return the first paragraph's text on one line."""
    if definition is None:
        return ""
    paragraph = next(definition.findall(nodes.paragraph), None)
    return " ".join(paragraph.astext().split()) if paragraph else ""


def pattern_of(terms: Terms) -> re.Pattern[str] | None:
    """Return one pattern for all terms and their plurals, longest first."""
    if not terms:
        return None
    words = "|".join(re.escape(t) for t in sorted(terms, key=len)[::-1])
    return re.compile(rf"(?<![\w-])({words})(s?)(?![\w-])", re.IGNORECASE)


def is_introduced(text: nodes.Node) -> bool:
    """Say whether a text is set off, as a term is where it first stands."""
    return isinstance(text.parent, (nodes.emphasis, nodes.strong))


def link(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Link the first use of each term on a chapter or exercise page."""
    terms = terms_of(app)
    pattern = pattern_of(terms)
    if pattern is None or not docname.startswith(("chapters/", "exercises/")):
        return
    used: set[str] = set()
    for paragraph in list(doctree.findall(nodes.paragraph)):
        for text in list(paragraph.findall(nodes.Text)):
            if len(used) >= MOST_LINKS:
                return
            if not _inside_excluded(text):
                _link_text(app, docname, text, pattern, terms, used)


def _inside_excluded(text: nodes.Node) -> bool:
    node = text.parent
    while node is not None:
        if isinstance(node, _NO_LINK_INSIDE):
            return True
        if "quiz-item" in str(getattr(node, "attributes", {}).get("tag")):
            return True
        node = node.parent
    return False


def _link_text(
    app: Sphinx,
    docname: str,
    text: nodes.Text,
    pattern: re.Pattern[str],
    terms: Terms,
    used: set[str],
) -> None:
    pieces: list[nodes.Node] = []
    place, content = 0, text.astext()
    everyday = app.config.bertbook_everyday_words
    for found in pattern.finditer(content):
        key = found[1].casefold()
        if key in used or (key in everyday and not is_introduced(text)):
            continue
        used.add(key)
        target, anchor, card, _ = terms[key]
        uri = app.builder.get_relative_uri(docname, target)  # type: ignore
        pieces += [
            nodes.Text(content[place : found.start()]),
            nodes.reference(
                "",
                found[0],
                internal=True,
                refuri=f"{uri}#{anchor}",
                reftitle=card,
                classes=["term-link"],
            ),
        ]
        place = found.end()
    if pieces:
        pieces.append(nodes.Text(content[place:]))
        text.parent.replace(text, pieces)
