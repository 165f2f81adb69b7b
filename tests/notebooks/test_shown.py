"""What a notebook shows is what its later cells run.

Each shown definition is broken in a copy of its notebook; that copy must
fail with the break itself. A cell that imports the name from the library
again, or never uses it, would let the copy pass.
"""

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.tools.small_book import CHAPTER, make
from tools.notebooks.book import Book
from tools.notebooks.cells import drafts
from tools.notebooks.execute import kernel_environment

BOOK = Book()
SCRIPT = Path(__file__).with_name("break_shown.py")
BROKEN = "broken on purpose"
RAISE = ast.parse(f"raise SystemError({BROKEN!r})").body

pytestmark = pytest.mark.skipif(
    not hasattr(os, "fork"), reason="this system cannot fork a process"
)


def shows_code(draft):
    """Tell whether a notebook runs and shows a definition."""
    return draft.runs and any(cell.shown for cell in draft.cells)


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


def how_copies_end(draft, folder):
    """Return for each shown definition how its broken notebook ends."""
    cells = [
        {
            "code": cell.text,
            "may_raise": "raises-exception" in cell.tags,
            "broken": {name: breaking(cell.text, name) for name in cell.shown},
        }
        for cell in draft.cells
        if cell.kind == "code"
    ]
    target = folder / "ends.json"
    env = kernel_environment(draft.book.root, str(folder))
    done = subprocess.run(
        [sys.executable, str(SCRIPT), str(target)],
        cwd=draft.path.parent,
        env=env | {"MPLBACKEND": "agg"},
        input=json.dumps(cells),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:] + done.stdout[-2000:]
    return json.loads(target.read_text("utf-8"))


def unused(ends):
    """Return the definitions whose break went unnoticed, and why."""
    return {
        name: end
        for name, end in ends.items()
        if BROKEN not in end and f"'{name}' is not defined" not in end
    }


@pytest.mark.parametrize(
    "draft",
    [
        draft
        for path in BOOK.sources()
        for draft in drafts(BOOK, path)
        if shows_code(draft)
    ],
    ids=lambda draft: draft.name,
)
def test_a_notebook_fails_when_what_it_shows_is_broken(draft, tmp_path):
    ends = how_copies_end(draft, tmp_path)

    assert ends
    assert unused(ends) == {}


def small_draft(root, chapter):
    book = Book(make(root, chapter=chapter))
    return next(d for d in drafts(book, book.sources()[0]))


def test_a_definition_in_use_is_found_broken(tmp_path):
    ends = how_copies_end(small_draft(tmp_path, CHAPTER), tmp_path)

    assert ends == {"double": f"SystemError: {BROKEN}"}
    assert unused(ends) == {}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("print(double(21))", "print(42)"),
        ("print(double", "from bertbook.thing import double\n\nprint(double"),
        (
            "print(double(21))",
            "try:\n    double(1)\nexcept SystemError:\n    1",
        ),
    ],
)
def test_a_definition_not_in_use_is_found_out(tmp_path, old, new):
    draft = small_draft(tmp_path, CHAPTER.replace(old, new))
    ends = how_copies_end(draft, tmp_path)

    assert unused(ends) == {"double": "ran to its end"}


def test_another_failure_does_not_count(tmp_path):
    text = CHAPTER.replace("print(double(21))", "1 / 0")
    draft = small_draft(tmp_path, text)
    ends = how_copies_end(draft, tmp_path)

    assert unused(ends) == {"double": "ZeroDivisionError: division by zero"}


@pytest.mark.parametrize(
    ("name", "use"), [("f", "f(1)"), ("C", "C(1)"), ("D", "D(1)"), ("X", "X")]
)
def test_breaking_breaks_each_kind_of_definition(name, use):
    code = (
        "from dataclasses import dataclass\n\n\ndef f(x):\n    return x\n\n\n"
        "class C:\n    a = 1\n\n\n@dataclass(frozen=True)\nclass D:\n"
        "    a: int\n\n\nX = 1\n"
    )
    exec(f"{code}\n{use.replace('C(1)', 'C()')}", {})
    with pytest.raises((SystemError, NameError)):
        exec(f"{breaking(code, name)}\n{use}", {})
