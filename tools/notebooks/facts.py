"""Expand `@fact F-11`: a lecture's claim, what is so, and the source."""

import re
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from tools.notebooks.book import Book
from tools.notebooks.sources import Cell, Source

MARK = re.compile(r"^@fact\s+(\S+)\s*$")
LEAD = {"published": "The published text says"}


def surnames(people: list[Any]) -> str:
    """Return the authors as a sentence names them."""
    names = [
        " ".join([*each.prelast_names, *each.last_names]) for each in people
    ]
    if len(names) > 2:
        return f"{names[0]} et al."
    return " and ".join(names)


@dataclass(frozen=True)
class Facts:
    """The register of what lectures get wrong, and its references."""

    book: Book = field(default_factory=Book)

    @cached_property
    def entries(self) -> dict[str, dict[str, Any]]:
        """Return the entries of `book/facts.yml` by their id."""
        found = self.book.read_yaml("book/facts.yml") or []
        return {entry["id"]: entry for entry in found}

    @cached_property
    def references(self) -> dict[str, Any]:
        """Return the entries of `book/references.bib` by their key."""
        from pybtex.database import parse_file

        path = self.book.root / "book/references.bib"
        return dict(parse_file(str(path)).entries) if path.exists() else {}

    def cite(self, key: str) -> str:
        """Return a reference as prose names it: `Vaswani et al. (2017)`.

        Raises:
            KeyError: references.bib does not hold the key.
        """
        if key not in self.references:
            raise KeyError(f"book/references.bib has no entry {key}")
        entry = self.references[key]
        people = entry.persons.get("author") or entry.persons.get("editor")
        label = f"{surnames(people)} ({entry.fields['year']})"
        url = entry.fields.get("url")
        return f"[{label}]({url})" if url else label

    def box(self, name: str) -> str:
        """Return an entry as a Markdown block quote.

        Raises:
            KeyError: there is no such entry, or no such reference.
        """
        if name not in self.entries:
            raise KeyError(f"book/facts.yml has no entry {name}")
        entry = self.entries[name]
        lead = LEAD.get(entry["kind"], "A lecture says")
        sources = "; ".join(
            ", ".join(
                part for part in [self.cite(s["key"]), s.get("where")] if part
            )
            for s in entry["source"]
        )
        parts = [
            f"**{name} · {entry['title']}** ({entry['kind']})",
            f"**{lead}:** {entry['lecture'].strip()}",
            f"**What is so:** {entry['correct'].strip()}",
            f"**Source:** {sources}",
        ]
        lines = "\n\n".join(parts).splitlines()
        return "\n".join(f"> {line}".rstrip() for line in lines)

    def expand(self, source: Source, cell: Cell) -> Cell:
        """Return a Markdown cell with its `@fact` lines expanded.

        Raises:
            SourceError: the entry or its reference is missing.
        """
        lines = cell.text.splitlines()
        for number, line in enumerate(lines):
            match = MARK.match(line)
            if match is None:
                continue
            try:
                lines[number] = self.box(match[1])
            except KeyError as problem:
                near = line.strip()
                raise source.error(cell, problem.args[0], near) from None
        return cell.with_text("\n".join(lines))
