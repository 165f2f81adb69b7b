"""The gates close: a lax check, a stuck answer and a left line are seen."""

import contextlib
import time
import types

import pytest
from chapter_source import (
    Chapter,
    Exercise,
    TimedOutError,
    check_calls,
    code_cells,
    limit,
    marked_lines,
    without_checks,
)
from test_gates import changes_of, secret_lines, survives

from bertbook.checks.report import Wrong, exercise

CELL = (
    "def double(number):\n"
    "    ### BEGIN SOLUTION\n"
    "    return 2 * number\n"
    "    ### END SOLUTION\n"
)
EXERCISE = Exercise(name="double", cells=(CELL,), arguments=("double",))


@exercise("99.1", "Double a number, held at 4")
def strict(answer):
    if answer(4) != 8:
        raise Wrong("At 4 it is off.")


@exercise("99.2", "Double a number, held at 0")
def lax(answer):
    if answer(0) != 0:
        raise Wrong("At 0 it is off.")


def survivors_of(check) -> set[str]:
    chapter = Chapter(
        stem="99_toy",
        common=(),
        exercises={"double": EXERCISE},
        check=types.SimpleNamespace(double=check),
        cases=types.SimpleNamespace(),
    )
    return {
        mutant.label
        for place, mutant in changes_of(EXERCISE)
        if survives(chapter, EXERCISE, place, mutant)
    }


def test_a_strict_check_lets_no_change_pass() -> None:
    assert survivors_of(strict) == set()


def test_a_lax_check_is_caught() -> None:
    assert "2 → 3" in survivors_of(lax)


def test_an_answer_that_hangs_is_cut_off() -> None:
    def hang() -> None:
        with limit(0.05):
            while True:
                with contextlib.suppress(Exception):  # as a check does
                    time.sleep(0.001)

    with pytest.raises(TimedOutError):
        hang()


def test_a_limit_that_is_kept_leaves_no_alarm() -> None:
    with limit(0.05):
        pass
    time.sleep(0.1)


def test_cells_marks_and_checks_are_read() -> None:
    text = (
        f"# %% [markdown]\n# # Title\n# %%\n{CELL}# %%\ncheck.double(double)\n"
    )
    cells = code_cells(text)
    assert len(cells) == 2
    assert marked_lines(cells[0]) == [(3, "    return 2 * number")]
    assert check_calls(cells[1]) == [("double", ("double",))]
    assert without_checks("x = 1\ncheck.double(x)") == "x = 1"


def test_a_line_of_the_solution_is_secret_unless_it_is_shown() -> None:
    source = f"# %%\n{CELL}"
    assert secret_lines(source) == {"return 2 * number"}
    shown = source + "# %%\ndef other(number):\n    return 2 * number\n"
    assert secret_lines(shown) == set()
