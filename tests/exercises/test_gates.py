"""Hold every exercise of the book to its five gates.

(a) the stub reports "not attempted" and the notebook runs to its end,
(b) the solution passes, without help from the other exercises,
(c) at least two differently written right answers pass,
(d) every planted wrong answer is rejected by a message that names its
    mistake, and so is every automatic change of the solution, unless
    `EQUIVALENT` says why it changes nothing,
(e) nothing of the solution is left in `exercises/`.

`cases/chapter_NN.py` holds RIGHT, WRONG, EQUIVALENT and, where a check
takes long, `SLOW = {exercise: how many automatic changes to sample}`.
"""

from __future__ import annotations

import functools
import importlib
import os
import re
import sys
import types
from collections.abc import Iterator
from typing import Any

import nbformat
import pytest
from chapter_source import (
    BEGIN,
    END,
    ROOT,
    Chapter,
    Exercise,
    TimedOutError,
    code_cells,
    limit,
    load,
    marked_lines,
    read,
    stems,
)
from mutants import Mutant, mutants_of, sample
from nbclient import NotebookClient

SECONDS_PER_MUTANT = 20.0
chapter_of = functools.cache(load)
STEMS = stems()
EXERCISES = [
    pytest.param(stem, name, id=f"{stem[:2]}-{name}")
    for stem in STEMS
    for name in read(stem)[1]
]
each_exercise = pytest.mark.parametrize(("stem", "name"), EXERCISES)
each_chapter = pytest.mark.parametrize("stem", STEMS)


@pytest.fixture(scope="module", autouse=True)
def _as_in_a_notebook() -> Iterator[None]:
    """Import the library afresh, without the shape checks of our tests.

    A learner's notebook runs without them: an answer must be judged there
    by the exercise's own check.
    """
    checked = take_modules()
    finders = [
        finder
        for finder in sys.meta_path
        if type(finder).__module__.startswith("jaxtyping")
    ]
    for finder in finders:
        sys.meta_path.remove(finder)
    yield
    take_modules()
    sys.modules.update(checked)
    sys.meta_path[:0] = finders


def take_modules() -> dict[str, types.ModuleType]:
    """Take the library out of the modules imported so far."""
    names = [name for name in sys.modules if name.split(".")[0] == "bertbook"]
    return {name: sys.modules.pop(name) for name in names}


def notebook_of(stem: str) -> nbformat.NotebookNode:
    path = ROOT / "exercises" / f"{stem}.ipynb"
    return nbformat.read(path, as_version=4)


def test_answers_are_judged_as_in_a_notebook() -> None:
    runtime = importlib.import_module("bertbook.runtime")
    assert not hasattr(runtime.claim, "__wrapped__")


def test_there_are_exercises() -> None:
    assert EXERCISES


@each_chapter
def test_every_check_has_an_exercise_and_cases(stem: str) -> None:
    chapter = chapter_of(stem)
    checks = {
        name
        for name, value in vars(chapter.check).items()
        if hasattr(value, "__wrapped__")
        and not name.startswith("_")
        and value.__module__ == chapter.check.__name__
    }
    assert checks == set(chapter.exercises)
    assert checks == set(chapter.cases.RIGHT) == set(chapter.cases.WRONG)


@each_chapter
@pytest.mark.filterwarnings("ignore")  # the kernel's machinery warns
def test_stubs_report_not_attempted(
    stem: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("PYTHONPATH", os.fspath(ROOT))
    notebook = notebook_of(stem)
    folder = os.fspath(ROOT / "exercises")
    NotebookClient(
        notebook,
        timeout=300,
        kernel_name="python3",
        resources={"metadata": {"path": folder}},
    ).execute()
    printed = "".join(
        output.get("text", "")
        for cell in notebook.cells
        for output in cell.get("outputs", [])
    )
    count = len(chapter_of(stem).exercises)
    assert printed.count(": not attempted") == count
    assert f"0 of {count} passed" in printed


@each_exercise
def test_the_solution_passes_alone(stem: str, name: str) -> None:
    chapter = chapter_of(stem)
    report = chapter.judge(name, *chapter.answers(chapter.exercises[name]))
    assert report.status == "passed", report.message


@each_exercise
def test_other_right_answers_pass(stem: str, name: str) -> None:
    chapter = chapter_of(stem)
    answers = chapter.cases.RIGHT[name]
    assert len(answers) >= 2
    for number, answer in enumerate(answers, start=1):
        report = chapter.judge(name, *arguments(chapter, name, answer))
        assert report.status == "passed", f"RIGHT {number}: {report.message}"


@each_exercise
def test_planted_wrong_answers_are_named(stem: str, name: str) -> None:
    chapter = chapter_of(stem)
    planted = chapter.cases.WRONG[name]
    assert len(planted) >= 2
    for mistake, (answer, pattern) in planted.items():
        report = chapter.judge(name, *arguments(chapter, name, answer))
        assert report.status == "wrong", f"{mistake}: {report.status}"
        assert re.search(pattern, report.message), (
            f"{mistake}: {report.message!r} does not name {pattern!r}"
        )


def arguments(chapter: Chapter, name: str, answer: Any) -> tuple[Any, ...]:
    """A case is the answer, or a tuple where a check takes several."""
    several = len(chapter.exercises[name].arguments) > 1
    return answer if several else (answer,)


@each_exercise
def test_small_changes_of_the_solution_are_rejected(
    stem: str, name: str
) -> None:
    chapter = chapter_of(stem)
    exercise = chapter.exercises[name]
    equivalent = getattr(chapter.cases, "EQUIVALENT", {}).get(name, {})
    changes = changes_of(exercise)
    labels = {mutant.label for _, mutant in changes}
    assert set(equivalent) <= labels, "EQUIVALENT lists unknown changes"
    assert all(equivalent.values()), "EQUIVALENT must say why"
    slow = getattr(chapter.cases, "SLOW", {})
    if name in slow:
        changes = sample(changes, slow[name])
    survivors = {
        mutant.label
        for place, mutant in changes
        if survives(chapter, exercise, place, mutant)
    }
    tried = {mutant.label for _, mutant in changes}
    assert survivors - set(equivalent) == set(), "wrong answers accepted"
    rejected = (set(equivalent) & tried) - survivors
    assert rejected == set(), "listed in EQUIVALENT, yet rejected"


def changes_of(exercise: Exercise) -> list[tuple[int, Mutant]]:
    """Return the changes of an exercise, each with its cell's index."""
    changes = [
        (place, mutant)
        for place, cell in enumerate(exercise.cells)
        for mutant in mutants_of(cell, exercise.marked(cell))
    ]
    assert changes, f"{exercise.name}: nothing to change in its solution"
    return changes


def survives(
    chapter: Chapter, exercise: Exercise, place: int, mutant: Mutant
) -> bool:
    """Tell whether the check passes a changed solution."""
    cells = list(exercise.cells)
    cells[place] = mutant.source
    try:
        with limit(SECONDS_PER_MUTANT):
            answers = chapter.answers(exercise, tuple(cells))
            report = chapter.judge(exercise.name, *answers)
    except TimedOutError:
        return False
    except Exception:  # the learner's own cell shows this error
        return False
    return report.status == "passed"


@each_chapter
def test_nothing_of_the_solution_is_left(stem: str) -> None:
    notebook = notebook_of(stem)
    text = "\n".join(cell.source for cell in notebook.cells)
    assert BEGIN not in text
    assert END not in text
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert not any(cell.outputs for cell in code)
    source = (ROOT / "solutions" / f"{stem}.py").read_text(encoding="utf-8")
    stubs = sum("raise NotImplementedError" in cell.source for cell in code)
    assert stubs == sum(BEGIN in cell for cell in code_cells(source))
    for line in secret_lines(source):
        assert line not in text, f"a line of the solution is left: {line}"


def secret_lines(source: str) -> set[str]:
    """Return the lines that stand only between the markers of a source."""
    cells = code_cells(source)
    marked = [line for cell in cells for _, line in marked_lines(cell)]
    secret = {line.strip() for line in marked}
    for line in marked:
        source = source.replace(line + "\n", "", 1)
    return {line for line in secret if len(line) > 8 and line not in source}
