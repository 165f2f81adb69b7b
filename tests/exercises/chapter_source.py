"""Read a chapter's solutions as the gates need them, cell by cell."""

from __future__ import annotations

import ast
import contextlib
import functools
import importlib
import importlib.util
import io
import re
import signal
import sys
import types
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
BEGIN, END = "### BEGIN SOLUTION", "### END SOLUTION"


class TimedOutError(BaseException):
    """Raised inside an answer that runs too long; no check catches it."""


@dataclass(frozen=True, kw_only=True)
class Exercise:
    """One exercise: the cells a learner completes and its check's call."""

    name: str
    cells: tuple[str, ...]
    arguments: tuple[str, ...]

    def marked(self, cell: str) -> set[int]:
        """Return the line numbers between the markers of a cell."""
        return {number for number, _ in marked_lines(cell)}


@dataclass(kw_only=True)
class Chapter:
    """A chapter's solutions, its checks and its planted answers."""

    stem: str
    common: tuple[str, ...]
    exercises: dict[str, Exercise]
    check: Any
    cases: Any

    @functools.cached_property
    def given(self) -> dict[str, Any]:
        """The names defined by the cells that no learner writes."""
        names: dict[str, Any] = {"__name__": "solutions"}
        for cell in self.common:
            run(cell, names)
        return names

    def answers(
        self, exercise: Exercise, cells: tuple[str, ...] | None = None
    ) -> tuple[Any, ...]:
        """Run one exercise's cells alone; return what its check is given."""
        names = dict(self.given)
        for cell in exercise.cells if cells is None else cells:
            run(cell, names)
        return tuple(eval(text, names) for text in exercise.arguments)

    def judge(self, name: str, *answers: Any) -> Any:
        """Call a check as a learner's notebook would; return its report."""
        with quiet():
            return getattr(self.check, name)(*answers)


def stems() -> list[str]:
    """Return the stems of all chapters that have solutions."""
    return sorted(path.stem for path in (ROOT / "solutions").glob("*.py"))


def load(stem: str) -> Chapter:
    """Read `solutions/<stem>.py` and the checks and cases beside it."""
    common, exercises = read(stem)
    number = stem.split("_")[0]
    return Chapter(
        stem=stem,
        common=common,
        exercises=exercises,
        check=importlib.import_module(f"bertbook.checks.chapter_{number}"),
        cases=load_cases(number),
    )


def read(stem: str) -> tuple[tuple[str, ...], dict[str, Exercise]]:
    """Split a source into the cells given and the exercises by name."""
    text = (ROOT / "solutions" / f"{stem}.py").read_text(encoding="utf-8")
    common, exercises, pending = [], {}, []
    for cell in code_cells(text):
        if BEGIN in cell:
            pending.append(cell)
            continue
        for name, arguments in check_calls(cell):
            exercises[name] = Exercise(
                name=name, cells=tuple(pending), arguments=arguments
            )
            pending = []
        common.append(without_checks(cell))
    if pending:
        raise ValueError(f"{stem}: no check follows the cell\n{pending[0]}")
    return tuple(common), exercises


def load_cases(number: str) -> types.ModuleType:
    """Import `cases/chapter_NN.py` from its place."""
    path = Path(__file__).parent / "cases" / f"chapter_{number}.py"
    name = f"exercise_cases_chapter_{number}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None or not path.exists():
        raise ValueError(f"there is no {path.relative_to(ROOT)}: write it")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def code_cells(text: str) -> list[str]:
    r"""Return the code cells of a source in jupytext's percent format.

    >>> code_cells("# %% [markdown]\n# Words.\n# %%\nx = 1\n")
    ['x = 1\n']
    """
    parts = re.split(r"^# %%(.*)\n", text, flags=re.MULTILINE)
    titles, bodies = parts[1::2], parts[2::2]
    return [
        body
        for title, body in zip(titles, bodies, strict=True)
        if "[markdown]" not in title and body.strip()
    ]


def check_calls(cell: str) -> list[tuple[str, tuple[str, ...]]]:
    r"""Return name and arguments of each `check.name(…)` line of a cell.

    >>> check_calls("check.double(double)\ncheck.score()")
    [('double', ('double',))]
    """
    return [
        (name, tuple(map(ast.unparse, call.args)))
        for name, call in map(check_call, ast.parse(cell).body)
        if call is not None and name != "score"
    ]


def check_call(node: ast.stmt) -> tuple[str, ast.Call | None]:
    """Return the name and the call of a line of the form `check.name(…)`."""
    match node:
        case ast.Expr(
            value=ast.Call(
                func=ast.Attribute(value=ast.Name(id="check"), attr=name)
            ) as call
        ):
            return name, call
    return "", None


def without_checks(cell: str) -> str:
    """Return a cell's code without its calls of checks."""
    tree = ast.parse(cell)
    tree.body = [node for node in tree.body if not check_call(node)[0]]
    return ast.unparse(tree)


def marked_lines(cell: str) -> list[tuple[int, str]]:
    """Return number and text of each line between the solution markers."""
    inside, marked = False, []
    for number, line in enumerate(cell.splitlines(), start=1):
        if line.strip() == END:
            inside = False
        if inside:
            marked.append((number, line))
        if line.strip() == BEGIN:
            inside = True
    return marked


def run(cell: str, names: dict[str, Any]) -> None:
    """Execute a cell's code in a namespace, without its output."""
    with quiet():
        exec(compile(cell, "<cell>", "exec"), names)


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Swallow prints, and let warnings warn as they do in a notebook."""
    with (
        contextlib.redirect_stdout(io.StringIO()),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")
        yield


@contextlib.contextmanager
def limit(seconds: float) -> Iterator[None]:
    """Raise `TimedOutError` in the block when it runs longer than this."""
    if not hasattr(signal, "setitimer"):  # Windows has no interval timer
        yield
        return

    def stop(*_: Any) -> None:
        raise TimedOutError

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
