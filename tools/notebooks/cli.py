"""The command: `python -m tools notebooks [--check] [--force] [STEM…]`."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from tools.notebooks.book import ROOT, Book
from tools.notebooks.build import build
from tools.notebooks.check import check, orphans


def chosen(book: Book, names: Sequence[str]) -> list[Path]:
    """Return the sources that the arguments name; all without arguments.

    Raises:
        SystemExit: an argument names none.
    """
    found = book.sources()
    picked: list[Path] = []
    for name in names:
        start = str(Path(name).with_suffix(""))
        matches = [
            path
            for path in found
            if path.stem.startswith(start)
            or book.relative(path).as_posix().startswith(start)
        ]
        if not matches:
            stems = ", ".join(sorted({path.stem for path in found}))
            raise SystemExit(f"no source is called {name}; there are {stems}")
        picked += matches
    return list(dict.fromkeys(picked)) if names else found


def parser() -> argparse.ArgumentParser:
    """Return the command line's parser."""
    result = argparse.ArgumentParser(
        prog="python -m tools notebooks",
        description="Generate the notebooks that are out of step.",
    )
    result.add_argument(
        "stem",
        nargs="*",
        help="a source or its beginning: 02, solutions/02",
    )
    add = result.add_argument
    add("--check", action="store_true", help="only say what is out of step")
    add(
        "--force",
        action="store_true",
        help="run again, and overwrite what was changed by hand",
    )
    add(
        "--no-execute",
        dest="execute",
        action="store_false",
        help="bring the text in step; fail where code would have to run",
    )
    add("--jobs", type=int, default=2, help="how many run at once (2)")
    return result


def say(done: str, problems: Sequence[str]) -> int:
    """Print what was done, then what is wrong; return the exit status."""
    if done:
        print(done)
    for problem in problems:
        print(problem, file=sys.stderr)
    return 1 if problems else 0


def main(argv: Sequence[str] | None = None, root: Path = ROOT) -> int:
    """Run the command and return its exit status."""
    asked = parser().parse_args(argv)
    book = Book(root)
    paths = chosen(book, asked.stem)
    if asked.check:
        problems = check(book, paths)
        done = f"{len(paths)} sources: every notebook is in step"
        return say("" if problems else done, problems)
    flags = {"force": asked.force, "execute": asked.execute}
    try:
        outcome = build(book, paths, jobs=asked.jobs, **flags)
    except KeyboardInterrupt:
        print("interrupted: unfinished notebooks are as they were")
        return 130
    names = "".join(f"\n  {name}" for name in sorted(outcome.written))
    done = f"{len(outcome.written)} notebooks changed{names}"
    return say(done, outcome.problems + orphans(book))
