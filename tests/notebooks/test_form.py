"""The form that every committed notebook keeps."""

import ast
import json
import re
from pathlib import Path

import nbformat
import pytest

from tools.notebooks.book import Book
from tools.notebooks.cells import drafts
from tools.notebooks.library import Library
from tools.notebooks.plan import code_cells
from tools.notebooks.scope import imports_of_code
from tools.notebooks.sources import read_source
from tools.notebooks.stubs import solution_lines
from tools.notebooks.trim import Documented, documentation

BOOK = Book()
FOLDERS = ("chapters", "solutions", "exercises")
NOTEBOOKS = [
    path
    for folder in FOLDERS
    for path in sorted((BOOK.root / folder).glob("*.ipynb"))
]
SHOWN = sorted(
    {
        (item.module, name)
        for path in BOOK.sources()
        for draft in drafts(BOOK, path)
        for source_cell, cell in zip(
            draft.source.cells, [c for c in draft.cells if c.line], strict=True
        )
        for name in cell.shown
        for item in imports_of_code(source_cell.text)
        if item.name == name
    }
)
LOCAL = re.compile(r"/(home|root|Users|tmp|work)/|0x[0-9a-f]{6,}|[A-Z]:\\")

each_notebook = pytest.mark.parametrize(
    "path", NOTEBOOKS, ids=lambda p: f"{p.parent.name}/{p.stem}"
)


def read(path):
    return nbformat.read(path, as_version=4)


def texts(cell):
    """Yield the plain text of each output of a cell."""
    for output in cell.get("outputs", ()):
        if output.output_type == "stream":
            yield output.text
        elif output.output_type != "error":
            yield output.data.get("text/plain", "")


def lines_without_docstring(node):
    """Return how many lines a function has, docstring not counted."""
    found = documentation(node)
    docstring = found[0] if found else None
    lines = node.end_lineno - node.lineno + 1
    if docstring is not None:
        lines -= docstring.end_lineno - docstring.lineno + 1
    return lines


@each_notebook
def test_it_is_at_most_a_megabyte(path):
    assert path.stat().st_size <= 1_000_000


@each_notebook
def test_it_has_one_title_and_starts_with_it(path):
    cells = read(path).cells
    headings = [
        line
        for cell in cells
        if cell.cell_type == "markdown"
        for line in cell.source.splitlines()
        if line.startswith("# ")
    ]

    assert headings == [cells[0].source.splitlines()[0]]


@pytest.mark.parametrize(
    "path",
    [p for p in NOTEBOOKS if p.parent.name == "chapters"],
    ids=lambda p: p.stem,
)
def test_a_chapter_first_asks_where_it_runs(path):
    first = code_cells(read(path))[0].source
    names = {item.origin for item in imports_of_code(first)}

    assert {
        "bertbook.runtime.SCALE",
        "bertbook.runtime.device",
        "bertbook.runtime.seed_everything",
    } <= names


@each_notebook
def test_its_cells_are_short(path):
    long = [
        (len(cell.source.splitlines()), cell.source.splitlines()[0])
        for cell in code_cells(read(path))
        if len(cell.source.splitlines()) > 30
        and not re.search(r"^class ", cell.source, re.MULTILINE)
        and len(re.findall(r"^def ", cell.source, re.MULTILINE)) < 2
    ]

    assert long == []


@each_notebook
def test_its_outputs_are_short_and_name_no_place(path):
    for cell in read(path).cells:
        for text in texts(cell):
            assert len(text.splitlines()) <= 20, cell.source
            assert not LOCAL.search(text), cell.source


@each_notebook
def test_no_timing_traceback_or_widget_is_stored(path):
    notebook = read(path)

    assert "widgets" not in notebook.metadata
    for cell in notebook.cells:
        assert "execution" not in cell.metadata
        for output in cell.get("outputs", ()):
            assert len(output.get("traceback", [])) <= 1
            assert output.get("name") != "stderr", output.text


@each_notebook
def test_every_picture_has_an_alt_text(path):
    for cell in read(path).cells:
        for output in cell.get("outputs", ()):
            if "image/png" in output.get("data", {}):
                alt = output.metadata.get("image/png", {}).get("alt", "")
                assert len(alt) > 20, cell.source


@each_notebook
def test_its_prose_is_plain_markdown(path):
    for cell in read(path).cells:
        if cell.cell_type == "markdown":
            assert not re.search(r"\{\w+\}`|^:::|^```\{", cell.source)
            assert "@fact" not in cell.source


@pytest.mark.parametrize(
    "path",
    [p for p in NOTEBOOKS if p.parent.name == "exercises"],
    ids=lambda p: p.stem,
)
def test_an_exercise_keeps_nothing_of_its_solution(path):
    source = read_source(BOOK.root / "solutions" / f"{path.stem}.py")
    given, secret = set(), set()
    for cell in source.cells:
        inside = set(solution_lines(cell.text))
        secret |= inside
        given |= {line.strip() for line in cell.text.splitlines()} - inside
    notebook = read(path)
    there = {
        line.strip()
        for cell in notebook.cells
        for line in cell.source.splitlines()
    }

    assert secret
    kept = there & (secret - given)
    assert {line for line in kept if re.search(r"\w", line)} == set()
    assert "SOLUTION" not in json.dumps(notebook)
    for cell in notebook.cells:
        assert not cell.get("outputs")
        assert cell.get("execution_count") is None


@pytest.mark.parametrize(("module", "name"), SHOWN)
def test_a_shown_function_has_at_most_25_lines(module, name):
    for node in Library(BOOK.root).module(module).definitions[name]:
        for each in ast.walk(node):
            if isinstance(each, Documented) and not isinstance(
                each, ast.ClassDef
            ):
                assert lines_without_docstring(each) <= 25, each.name


def test_every_stem_has_its_three_notebooks():
    stems = [
        {path.stem for path in NOTEBOOKS if path.parent.name == folder}
        for folder in FOLDERS
    ]

    assert stems[0]
    assert stems[0] == stems[1] == stems[2]
    assert all(isinstance(path, Path) for path in NOTEBOOKS)
