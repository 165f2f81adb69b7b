"""The cells of each notebook that a source gives, before anything runs."""

from dataclasses import dataclass
from pathlib import Path

from tools.notebooks.badges import badges
from tools.notebooks.book import Book
from tools.notebooks.facts import Facts
from tools.notebooks.library import Library
from tools.notebooks.scope import Import, Scope, imports_of_code
from tools.notebooks.setup_cell import setup_cell
from tools.notebooks.show import expand
from tools.notebooks.sources import Cell, Source, read_source
from tools.notebooks.stubs import exercise_cell


@dataclass(frozen=True)
class Draft:
    """What a notebook will hold.

    Args:
        book: the book it belongs to.
        path: the notebook's file.
        source: the source it comes from.
        cells: its cells; generated ones have the line 0.
        runs: whether it is executed (an exercise is not).
    """

    book: Book
    path: Path
    source: Source
    cells: tuple[Cell, ...]
    runs: bool

    @property
    def name(self) -> str:
        """Return the notebook's path in the repository."""
        return self.book.relative(self.path).as_posix()

    def imports(self) -> list[Import]:
        """Return what the source imports, to find the code behind it."""
        code = [c.text for c in self.source.cells if c.kind == "code"]
        return [item for text in code for item in imports_of_code(text)]


def opened(book: Book, name: str, cells: list[Cell]) -> tuple[Cell, ...]:
    """Put badges and the set-up cell behind the title."""
    line = badges(book, name)
    generated = [Cell("markdown", line)] if line else []
    generated.append(setup_cell(book, Path(name).stem))
    return (cells[0], *generated, *cells[1:])


def drafts(book: Book, path: Path) -> list[Draft]:
    """Return the notebooks that a source gives: one, or two for a solution.

    Raises:
        SourceError: the source cannot become a notebook.
    """
    source = read_source(path)
    library, facts, scope = Library(book.root), Facts(book), Scope()
    cells = [
        facts.expand(source, cell)
        if cell.kind == "markdown"
        else expand(source, cell, library, scope)
        for cell in source.cells
    ]
    notebook = path.with_suffix(".ipynb")
    name = book.relative(notebook).as_posix()
    own = Draft(book, notebook, source, opened(book, name, cells), runs=True)
    if path.parent.name != "solutions":
        return [own]
    stubs = [exercise_cell(source, cell) for cell in cells]
    target = book.root / "exercises" / notebook.name
    name = book.relative(target).as_posix()
    cells_there = opened(book, name, stubs)
    return [own, Draft(book, target, source, cells_there, runs=False)]
