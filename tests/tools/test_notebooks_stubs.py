"""A solution becomes an exercise."""

import pytest

from tests.tools.small_book import STEM
from tools.notebooks.errors import SourceError
from tools.notebooks.sources import Cell, Source
from tools.notebooks.stubs import exercise_cell, solution_lines, stub

SOLVED = """\
def half(x):
    y = 1
    if x:
        ### BEGIN SOLUTION
        z = 2  # secret
        return x / z
        ### END SOLUTION
    return y"""

STUB = """\
def half(x):
    y = 1
    if x:
        # Your code here.
        raise NotImplementedError
    return y"""

OPEN = "def f():\n    ### BEGIN SOLUTION\n    return 1"


def test_the_marked_part_becomes_a_stub_at_its_indentation():
    assert stub(SOLVED) == STUB


def test_two_parts_of_a_cell_are_both_replaced():
    assert stub(f"{SOLVED}\n\n\n{SOLVED}") == f"{STUB}\n\n\n{STUB}"


def test_solution_lines_are_those_between_the_markers():
    assert solution_lines(SOLVED) == ["z = 2  # secret", "return x / z"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (OPEN, "never closed"),
        (f"{OPEN}\n{OPEN[9:]}", "inside a solution"),
        ("def f():\n    ### END SOLUTION", "without a BEGIN"),
        (f"{OPEN}\n  ### END SOLUTION", "same indentation"),
        ("### BEGIN SOLUTION\nx = 1\n### END SOLUTION", "outside a function"),
        ("def f():\n    x = 1  ### BEGIN SOLUTION", "alone on its line"),
        ("def f():\n    # BEGIN SOLUTION", "alone on its line"),
    ],
)
def test_a_misplaced_marker_names_file_and_line(tmp_path, text, message):
    path = tmp_path / f"{STEM}.py"
    path.write_text(f"# %%\n{text}\n", encoding="utf-8")

    with pytest.raises(SourceError, match=message) as caught:
        exercise_cell(Source(path, ()), Cell("code", text, 1))

    assert str(caught.value).startswith(f"{path}:")
    assert caught.value.line >= 2


def test_a_marker_in_markdown_is_refused(tmp_path):
    path = tmp_path / f"{STEM}.py"
    path.write_text("# %% [markdown]\n# ### BEGIN SOLUTION\n", "utf-8")
    cell = Cell("markdown", "### BEGIN SOLUTION", 1)

    with pytest.raises(SourceError, match=r"py:2: .*Markdown cell"):
        exercise_cell(Source(path, ()), cell)
