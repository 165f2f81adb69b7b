"""Percent sources: one `.py` file becomes cells that know their line."""

import re
from dataclasses import dataclass, field, replace
from pathlib import Path

from tools.notebooks.errors import SourceError

MARKER = re.compile(r"^\s*#\s*%%(%*\s.*|\s*)$")
TITLE = re.compile(r"# (\d\d) · \S")


@dataclass(frozen=True)
class Cell:
    """One cell on its way into a notebook.

    Args:
        kind: "code" or "markdown".
        text: what the cell holds.
        line: the line of its marker in the source; 0 if generated.
        tags: the notebook tags of the cell.
        shown: the library definitions that stand in it.
    """

    kind: str
    text: str
    line: int = 0
    tags: tuple[str, ...] = ()
    shown: tuple[str, ...] = field(default=(), compare=False)

    def with_text(self, text: str, shown: tuple[str, ...] = ()) -> "Cell":
        """Return the cell with another text."""
        return replace(self, text=text, shown=shown or self.shown)


@dataclass(frozen=True)
class Source:
    """A source file and its cells."""

    path: Path
    cells: tuple[Cell, ...]

    def error(self, cell: Cell, message: str, near: str = "") -> SourceError:
        """Return an error that points at a cell, or at a text inside it."""
        lines = self.path.read_text("utf-8").splitlines()
        for number in range(max(cell.line, 1), len(lines) + 1):
            if near and near in lines[number - 1]:
                return SourceError(self.path, number, message)
        return SourceError(self.path, max(cell.line, 1), message)


def read_source(path: Path) -> Source:
    """Read a percent source.

    Raises:
        SourceError: no title, text before the first cell, or markers
            that jupytext reads differently.
    """
    # Imported late: the site knows cells but has no jupytext.
    import jupytext

    text = path.read_text("utf-8")
    markers = [
        number
        for number, line in enumerate(text.splitlines(), start=1)
        if MARKER.match(line)
    ]
    found = jupytext.reads(text, fmt="py:percent").cells
    if not markers or len(markers) != len(found):
        raise SourceError(
            path,
            markers[0] if markers else 1,
            f"{len(markers)} cell markers but {len(found)} cells: start the "
            "file with `# %% [markdown]`, nothing before it",
        )
    cells = tuple(
        Cell(
            cell.cell_type,
            cell.source.strip("\n"),
            line,
            tuple(cell.metadata.get("tags", ())),
        )
        for cell, line in zip(found, markers, strict=True)
    )
    check_title(path, cells[0])
    return Source(path, cells)


def check_title(path: Path, first: Cell) -> None:
    """Raise a SourceError unless the first cell titles the notebook."""
    number = path.stem[:2]
    match = TITLE.match(first.text) if first.kind == "markdown" else None
    if match is None or match[1] != number:
        raise SourceError(
            path,
            first.line,
            "no title: the first cell must be Markdown and start with "
            f"`# {number} · Title`",
        )
