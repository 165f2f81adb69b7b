"""`--check` runs nothing and names every file that is out of step."""

import base64
import doctest
import importlib
import pkgutil
from pathlib import Path

import pytest
from nbformat import v4

import tools.notebooks
from tests.tools.small_book import STEM, edit, everything, make, write
from tools.notebooks.assemble import assemble, seal
from tools.notebooks.book import Book
from tools.notebooks.cells import drafts
from tools.notebooks.cli import main
from tools.notebooks.plan import step
from tools.notebooks.store import save


@pytest.fixture
def built(tmp_path):
    """Return a small book whose notebooks are written but never ran."""
    book = Book(make(tmp_path))
    for path in book.sources():
        for draft in drafts(book, path):
            save(seal(draft, assemble(draft), None), draft.path)
    return tmp_path


def check(root, capsys):
    status = main(["--check"], root)
    lines = capsys.readouterr().err.splitlines()
    assert status == (1 if lines else 0)
    return lines


def test_a_book_in_step_passes(built, capsys):
    before = everything(built)

    assert check(built, capsys) == []
    assert everything(built) == before


@pytest.mark.parametrize(
    ("name", "old", "new", "stale"),
    [
        (f"chapters/{STEM}.py", "two?", "three?", ["chapters"]),
        (f"chapters/{STEM}.py", "(21)", "(22)", ["chapters"]),
        ("bertbook/thing.py", "because", "therefore", ["chapters"]),
        ("book/facts.yml", "What a double", "What a pair", ["chapters"]),
        (f"solutions/{STEM}.py", "x / 2", "x * 0.5", ["solutions"]),
        (f"solutions/{STEM}.py", "1 min", "2 min", ["solutions", "exercises"]),
        (
            "requirements-data.txt", "a" * 64, "b" * 64,
            ["chapters", "solutions", "exercises"],
        ),
    ],
)  # fmt: skip
def test_a_changed_source_is_named(built, capsys, name, old, new, stale):
    edit(built, name, old, new)
    source = {"exercises": "solutions"}

    assert check(built, capsys) == [
        f"{folder}/{STEM}.ipynb is not what "
        f"{source.get(folder, folder)}/{STEM}.py gives"
        for folder in stale
    ]


def test_the_library_behind_a_notebook_is_no_matter_of_step(built, capsys):
    edit(built, "bertbook/thing.py", "return x\n", "return x + 0\n")

    assert check(built, capsys) == []


@pytest.mark.parametrize("folder", ["chapters", "solutions", "exercises"])
def test_a_notebook_edited_by_hand_is_named(built, capsys, folder):
    edit(built, f"{folder}/{STEM}.ipynb", "# 01 ·", "# 01 · My")

    assert check(built, capsys)[0] == (
        f"{folder}/{STEM}.ipynb was changed after it was generated"
    )


@pytest.mark.parametrize("folder", ["chapters", "solutions", "exercises"])
def test_a_notebook_that_is_not_there_is_named(built, capsys, folder):
    (built / folder / f"{STEM}.ipynb").unlink()

    (line,) = check(built, capsys)
    assert line.startswith(f"{folder}/{STEM}.ipynb has not been generated")


def test_a_notebook_without_a_source_is_named(built, capsys):
    write(built, "exercises/77_gone.ipynb", "{}")

    assert check(built, capsys) == [
        "exercises/77_gone.ipynb has no source solutions/77_gone.py: delete it"
    ]


def test_a_notebook_with_merge_marks_is_named(built, capsys):
    edit(built, f"chapters/{STEM}.ipynb", "{", "<<<<<<< ours\n{")

    (line,) = check(built, capsys)
    assert f"{STEM}.ipynb:1: cannot be read as a notebook" in line


def test_a_large_picture_is_named(built, capsys):
    book = Book(built)
    (draft,) = drafts(book, book.sources()[0])
    notebook = step(draft).before
    data = {"image/png": base64.b64encode(bytes(120_000)).decode()}
    notebook.cells[-1].outputs = [v4.new_output("display_data", data)]
    save(seal(draft, notebook, None), draft.path)

    assert check(built, capsys) == [
        f"chapters/{STEM}.ipynb holds a picture of 120 kB; at most 100"
    ]


@pytest.mark.parametrize(
    "name",
    [each.name for each in pkgutil.iter_modules(tools.notebooks.__path__)],
)
def test_modules_are_short_and_their_examples_true(name):
    if name == "setup_template":
        return  # a text to copy: importing it would run it
    module = importlib.import_module(f"tools.notebooks.{name}")
    text = Path(module.__file__).read_text("utf-8")

    assert len(text.splitlines()) < 200
    assert doctest.testmod(module).failed == 0
