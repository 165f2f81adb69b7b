"""How a check speaks: one line, one of three verdicts, never an exception."""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

Status = Literal["passed", "wrong", "not attempted"]

_SIGNS: dict[Status, str] = {"passed": "✓", "wrong": "✗", "not attempted": "–"}


class Wrong(Exception):
    """Raised by a check to say what is wrong and where to look."""


@dataclass(frozen=True, kw_only=True)
class Report:
    """A check's verdict on one exercise."""

    number: str
    title: str
    status: Status
    message: str = ""

    def __str__(self) -> str:
        """Return the line the learner reads."""
        line = f"{_SIGNS[self.status]} {self.number} {self.title}: "
        return line + (
            f"{self.status}. {self.message}" if self.message else self.status
        )

    # A check stands last in its cell: the printed line is enough.
    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        return {}


@dataclass(frozen=True)
class _Exercise:
    number: str
    title: str


_exercises: dict[str, dict[str, _Exercise]] = {}
_reports: dict[str, dict[str, Report]] = {}


def _judge(
    check: Callable[..., None], answers: tuple[Any, ...]
) -> tuple[Status, str]:
    """Run a check, and turn whatever it raises into a verdict."""
    try:
        check(*answers)
    except NotImplementedError:
        return "not attempted", ""
    except Wrong as verdict:
        return "wrong", str(verdict)
    except Exception as error:
        return "wrong", (
            f"Your answer raised {type(error).__name__}: {error}. Call it"
            " yourself in a cell of its own to see where."
        )
    return "passed", ""


def exercise(
    number: str, title: str
) -> Callable[[Callable[..., None]], Callable[..., Report]]:
    """Turn a function that raises `Wrong` into a check.

    The check prints one line and returns a `Report`. It never raises, so a
    notebook goes on whatever the learner wrote. `NotImplementedError` means
    "not attempted".

    Args:
        number: chapter and place, such as `"02.1"`.
        title: the exercise's title, as the learner reads it.

    >>> @exercise("00.0", "Double a number")
    ... def double(answer):
    ...     if answer(4) != 8:
    ...         raise Wrong("At 4 your function is off: check the factor.")
    >>> _ = double(lambda number: number + 2)
    ✗ 00.0 Double a number: wrong. At 4 your function is off: check the factor.
    >>> _ = double(lambda number: 2 * number)
    ✓ 00.0 Double a number: passed
    """

    def decorate(check: Callable[..., None]) -> Callable[..., Report]:
        of_chapter = _exercises.setdefault(check.__module__, {})
        of_chapter[check.__name__] = _Exercise(number, title)

        @functools.wraps(check)
        def run(*answers: Any) -> Report:
            status, message = _judge(check, answers)
            report = Report(
                number=number, title=title, status=status, message=message
            )
            _reports.setdefault(check.__module__, {})[number] = report
            print(report)
            return report

        return run

    return decorate


def score_of(module: str) -> Callable[[], None]:
    """Return the function that prints a chapter's score.

    Args:
        module: the check module's `__name__`.
    """

    def score() -> None:
        """Print how many of the chapter's exercises pass."""
        exercises = _exercises.get(module, {}).values()
        reports = _reports.get(module, {})
        passed = sum(
            exercise.number in reports
            and reports[exercise.number].status == "passed"
            for exercise in exercises
        )
        print(f"{passed} of {len(exercises)} passed")

    return score
