"""Put cells into a notebook's JSON, at headings and beside cells."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Cell = dict[str, Any]

_HEADING = re.compile(r"^(#{1,6})\s+(.*?)\s*#*\s*$")
_SCRIPT = re.compile(r"<script>.*?</script>", re.S)
_FENCE = re.compile(r"^\s*(```+|~~~+)")
_NUMBER = re.compile(r"^[\d.]+\s*[·.:)–—-]?\s*")
_LONG_DRAWING = 8


@dataclass(kw_only=True)
class Additions:
    """What one page gets.

    Args:
        under_title: Markdown that stands right below the page's title.
        at_section_end: (heading, Markdown) pairs, in order.
        after_cell: (index of a cell in the file, Markdown) pairs.
        replace_cell: index of a Markdown cell in the file → new text.
        at_end: Markdown that closes the page.
        problems: messages for the author.
        read: files that this page depends on.
    """

    under_title: str = ""
    at_section_end: list[tuple[str, str]] = field(default_factory=list)
    after_cell: list[tuple[int, str]] = field(default_factory=list)
    replace_cell: dict[int, str] = field(default_factory=dict)
    at_end: str = ""
    problems: list[str] = field(default_factory=list)
    read: list[Path] = field(default_factory=list)


def load(text: str) -> dict[str, Any]:
    """Return the notebook with each cell's source as one string."""
    notebook = json.loads(text)
    for cell in notebook["cells"]:
        if isinstance(cell["source"], list):
            cell["source"] = "".join(cell["source"])
    return notebook


def drop_scripts(notebook: dict[str, Any]) -> None:
    """Take the attention map's own script out: the site brings it along."""
    for cell in notebook["cells"]:
        for output in cell.get("outputs", []):
            html = "".join(output.get("data", {}).get("text/html", ""))
            if "<attention-map" in html:
                output["data"]["text/html"] = _SCRIPT.sub("", html)


def fold_drawings(notebook: dict[str, Any]) -> None:
    """Fold the code of a figure that is longer than the text around it."""
    for cell in notebook["cells"]:
        drawn = any(
            "image/png" in output.get("data", {})
            for output in cell.get("outputs", [])
        )
        if drawn and cell["source"].count("\n") >= _LONG_DRAWING:
            cell["metadata"].setdefault("tags", []).append("hide-input")


def dump(notebook: dict[str, Any]) -> str:
    """Return the notebook as JSON text."""
    return json.dumps(notebook, ensure_ascii=False)


def markdown_cell(text: str) -> Cell:
    """Return a Markdown cell whose id comes from its text."""
    return {
        "cell_type": "markdown",
        "id": hashlib.sha256(text.encode()).hexdigest()[:12],
        "metadata": {},
        "source": text,
    }


def heading_of(cell: Cell) -> tuple[int, str] | None:
    """Return (level, text) when a Markdown cell starts with a heading."""
    if cell["cell_type"] != "markdown":
        return None
    found = _HEADING.match(cell["source"].lstrip().split("\n", 1)[0])
    return (len(found[1]), found[2]) if found else None


def plain_heading(text: str) -> str:
    """Return a heading's text without number, marks and case.

    >>> plain_heading("3 · Why *divide* by `d_k`?")
    'why divide by d_k?'
    """
    text = re.sub(r"[*`]", "", text).strip()
    return " ".join((_NUMBER.sub("", text) or text).split()).casefold()


def split_at_headings(cell: Cell) -> list[Cell]:
    """Split a Markdown cell so that each heading starts a cell."""
    if cell["cell_type"] != "markdown":
        return [cell]
    parts: list[list[str]] = [[]]
    fence = ""
    for line in cell["source"].split("\n"):
        mark = _FENCE.match(line)
        if mark and not fence:
            fence = mark[1]
        elif mark and line.strip() == fence:
            fence = ""
        elif not fence and _HEADING.match(line) and any(parts[-1]):
            parts.append([])
        parts[-1].append(line)
    if len(parts) == 1:
        return [cell]
    return [markdown_cell("\n".join(part)) for part in parts]


def section_end(cells: list[Cell], heading: str) -> int | None:
    """Return the index after the last cell of the named section."""
    wanted, level = plain_heading(heading), 0
    for index, cell in enumerate(cells):
        found = heading_of(cell)
        if found and level and found[0] <= level:
            return index
        if found and not level and plain_heading(found[1]) == wanted:
            level = found[0]
    return len(cells) if level else None


def apply(notebook: dict[str, Any], additions: Additions) -> list[str]:
    """Put the additions into the notebook; return what found no place."""
    problems: list[str] = []
    cells: list[Cell] = []
    after: dict[int, list[str]] = {}
    for index, text in additions.after_cell:
        after.setdefault(index, []).append(text)
    for index, cell in enumerate(notebook["cells"]):
        if index in additions.replace_cell:
            cell = cell | {"source": additions.replace_cell[index]}
        cells += split_at_headings(cell)
        cells += [markdown_cell(text) for text in after.get(index, [])]
    for heading, text in additions.at_section_end:
        place = section_end(cells, heading)
        if place is None:
            problems.append(f"no heading {heading!r} on this page")
        else:
            cells.insert(place, markdown_cell(text))
    if additions.under_title:
        cells = _under_title(cells, additions.under_title, problems)
    if additions.at_end:
        cells.append(markdown_cell(additions.at_end))
    notebook["cells"] = cells
    return problems


def _under_title(
    cells: list[Cell], text: str, problems: list[str]
) -> list[Cell]:
    if not cells or (heading_of(cells[0]) or (0, ""))[0] != 1:
        problems.append("the first cell does not start with '# Title'")
        return cells
    title, _, rest = cells[0]["source"].lstrip().partition("\n")
    parts = [title, text] + ([rest] if rest.strip() else [])
    return [*map(markdown_cell, parts), *cells[1:]]
