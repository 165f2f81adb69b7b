"""What a notebook shows is what its later cells run.

Each shown definition is broken in a copy of its notebook; that copy must
fail with the break itself. A cell that imports the name from the library
again, or never uses it, would let the copy pass.
"""

import ast
from dataclasses import dataclass, replace

import pytest

from tools.notebooks.assemble import assemble
from tools.notebooks.book import Book
from tools.notebooks.cells import Draft, drafts
from tools.notebooks.errors import SourceError
from tools.notebooks.execute import interruptible, run_one
from tools.notebooks.sources import Cell

BOOK = Book()
BROKEN = "this definition was broken on purpose"
RAISE = ast.parse(f"raise SystemError({BROKEN!r})").body


@dataclass(frozen=True)
class Shown:
    """A definition that a notebook shows."""

    draft: Draft
    cell: Cell
    name: str

    def __str__(self):
        path = self.draft.path
        return f"{path.parent.name}-{path.stem[:2]}-{self.name}"


SHOWN = [
    Shown(draft, cell, name)
    for path in BOOK.sources()
    for draft in drafts(BOOK, path)
    if draft.runs
    for cell in draft.cells
    for name in cell.shown
]


def breaking(code, name):
    """Return a cell's code in which a definition no longer works.

    A function and a class raise when called; any other name is deleted.
    """
    tree = ast.parse(code)
    for node in tree.body:
        if getattr(node, "name", None) != name:
            continue
        if isinstance(node, ast.FunctionDef):
            node.body = RAISE
            return ast.unparse(tree)
        return (
            f"{ast.unparse(tree)}\n\n\ndef broken(*_, **__):\n"
            f"    {ast.unparse(RAISE)}\n\n\n{name}.__init__ = broken\n"
        )
    return f"{ast.unparse(tree)}\ndel {name}\n"


def run(draft):
    interruptible(run_one(draft, assemble(draft), lambda: None))


@pytest.mark.parametrize("shown", SHOWN, ids=str)
def test_a_notebook_fails_when_what_it_shows_is_broken(shown):
    broken = shown.cell.with_text(breaking(shown.cell.text, shown.name))
    cells = tuple(
        broken if each is shown.cell else each for each in shown.draft.cells
    )
    with pytest.raises(SourceError) as caught:
        run(replace(shown.draft, cells=cells))
    message = str(caught.value)

    assert BROKEN in message or f"'{shown.name}' is not defined" in message


def test_something_is_shown():
    assert SHOWN


@pytest.mark.parametrize(
    "after",
    ["print(f(1))", "print(C(1))", "print(X)"],
)
def test_breaking_breaks_what_is_used(after):
    code = "def f(x):\n    return x\n\n\nclass C:\n    a = 1\n\n\nX = 1\n"
    name = after[6]
    with pytest.raises((SystemError, NameError)):
        exec(f"{breaking(code, name)}\n{after}", {})


def test_breaking_spares_what_is_not_used():
    exec(breaking("def f(x):\n    return x\n\n\nX = 1\n", "f") + "\nX", {})
