"""Decide what the site adds to a chapter and to a page of exercises."""

from __future__ import annotations

import json
import re
from html import escape
from pathlib import Path
from typing import Any

import yaml

from . import inject
from .badges import badge_line
from .element import fence
from .inject import Additions

STUB = "raise NotImplementedError"
_EXERCISE = re.compile(r"Exercise\s+(\d+\.\d+)")
_MARKER = re.compile(
    r"^\s*### (BEGIN|END) (SOLUTION|HIDDEN TESTS)\s*$\n?", re.M
)


def plan_file(root: Path, stem: str) -> Path | None:
    """Return the YAML file beside a chapter, by stem or by number."""
    for name in (stem, stem[:2]):
        path = root / "chapters" / f"{name}.yml"
        if path.exists():
            return path
    return None


def read_plan(root: Path, stem: str) -> dict[str, Any]:
    """Return what the chapter's YAML file says, or nothing."""
    path = plan_file(root, stem)
    if path is None:
        return {}
    return yaml.safe_load(path.read_text("utf-8")) or {}


def chapter(root: Path, docname: str) -> Additions:
    """Plan a chapter: badge line, explorables, quiz, progress."""
    stem = docname.split("/")[-1]
    additions = Additions(under_title=badge_line(root, docname))
    path = plan_file(root, stem)
    if path:
        additions.read.append(path)
    plan = read_plan(root, stem)
    for explorable in plan.get("explorables", []):
        additions.at_section_end.append(
            (explorable["after"], explorable_markdown(explorable))
        )
    quizzes = plan.get("quiz", [])
    for number, quiz in enumerate(quizzes, start=1):
        key = f"{stem}-{number}"
        additions.problems += quiz_problems(quiz, number)
        additions.at_section_end.append(
            (quiz["after"], quiz_markdown(quiz, key))
        )
    additions.at_end = fence(
        "reading-progress",
        {"page": stem, "questions": str(len(quizzes))},
        "",
        5,
    )
    return additions


def quiz_problems(quiz: dict[str, Any], number: int) -> list[str]:
    """Return what is wrong with one question of a plan."""
    options = quiz.get("options", [])
    right = [option for option in options if option.get("correct")]
    problems = []
    if len(right) != 1:
        problems.append(
            f"quiz question {number} has {len(right)} correct options: "
            "mark exactly one with 'correct: true'"
        )
    problems += [
        f"quiz question {number}: option {option.get('text')!r} "
        "has no 'explain'"
        for option in options
        if not option.get("explain")
    ]
    return problems


def quiz_markdown(quiz: dict[str, Any], key: str) -> str:
    """Return MyST Markdown for one question; it also works unscripted."""
    options = [
        fence(
            "div",
            {
                "class": "quiz-option",
                "data-correct": str(bool(option.get("correct"))).lower(),
            },
            str(option["text"]).strip()
            + "\n\n<details class='quiz-why'><summary>Check</summary>\n\n"
            + str(option.get("explain", "")).strip()
            + "\n\n</details>",
            7,
        )
        for option in quiz.get("options", [])
    ]
    question = fence(
        "div", {"class": "quiz-question"}, str(quiz["question"]).strip(), 7
    )
    body = "\n\n".join([question, *options])
    return fence("quiz-item", {"key": key}, body, 9)


def explorable_markdown(explorable: dict[str, Any]) -> str:
    """Return MyST Markdown for an interactive element with its fallback."""
    attributes = {
        name: value if isinstance(value, str) else json_text(value)
        for name, value in explorable.get("attrs", {}).items()
    }
    fallback = str(explorable.get("fallback", "")).strip()
    return fence(explorable["element"], attributes, fallback, 9)


def json_text(value: Any) -> str:
    """Return a YAML value as the JSON text an attribute carries."""
    return json.dumps(value, ensure_ascii=False)


def exercises(root: Path, docname: str, solutions: bool = True) -> Additions:
    """Plan a page of exercises: folded hints and folded solutions."""
    stem = docname.split("/")[-1]
    additions = Additions(under_title=badge_line(root, docname))
    path = root / "exercises" / f"{stem}.ipynb"
    cells = inject.load(path.read_text("utf-8"))["cells"]
    for index, cell in enumerate(cells):
        hint = re.match(r"\s*\*\*(Hint \d+)\.?\*\*\s*", cell["source"])
        if cell["cell_type"] == "markdown" and hint:
            additions.replace_cell[index] = folded(
                hint[1], cell["source"][hint.end() :], "hint"
            )
    if not solutions:
        return additions
    solution = root / "solutions" / f"{stem}.ipynb"
    if not solution.exists():
        additions.problems.append(f"no solutions/{stem}.ipynb to fold in")
        return additions
    additions.read.append(solution)
    solved = code_by_exercise(
        inject.load(solution.read_text("utf-8"))["cells"]
    )
    for number, places in code_by_exercise(cells).items():
        _fold_solutions(number, places, solved.get(number, []), additions)
    return additions


def code_by_exercise(
    cells: list[inject.Cell],
) -> dict[str, list[tuple[int, str]]]:
    """Return exercise number → its code cells as (index, source)."""
    found: dict[str, list[tuple[int, str]]] = {}
    number = ""
    for index, cell in enumerate(cells):
        title = re.search(r"^#+\s.*", cell["source"], re.M)
        if cell["cell_type"] == "markdown" and title:
            match = _EXERCISE.search(title[0])
            number = match[1] if match else ""
        elif cell["cell_type"] == "code" and number:
            found.setdefault(number, []).append((index, cell["source"]))
    return found


def _fold_solutions(
    number: str,
    stubs: list[tuple[int, str]],
    solved: list[tuple[int, str]],
    additions: Additions,
) -> None:
    for place, (index, source) in enumerate(stubs):
        if STUB not in source:
            continue
        if place >= len(solved):
            additions.problems.append(
                f"exercise {number}: no solution cell for its stub"
            )
            continue
        code = _MARKER.sub("", solved[place][1]).strip("\n")
        following = stubs[place + 1 : place + 2]
        if following and "check." in following[0][1]:
            index = following[0][0]
        body = f"```python\n{code}\n```"
        additions.after_cell.append(
            (index, folded("Show one solution", body, "solution"))
        )


def folded(summary: str, body: str, kind: str) -> str:
    """Return Markdown inside a closed ``<details>``."""
    return (
        f'<details class="fold {kind}"><summary>{escape(summary)}</summary>'
        f"\n\n{body.strip()}\n\n</details>"
    )
