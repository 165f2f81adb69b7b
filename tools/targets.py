"""The list of targets, and the way from a name to its code."""

import errno
import importlib
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from tools import environment
from tools.machine import FULL
from tools.stop import Stop


@dataclass(frozen=True, kw_only=True)
class Target:
    """One target: what the list says, and the module whose `main` runs it.

    Args:
        about: one line for the list.
        module: its `main(arguments)` returns the exit status.
        needs: what must stand in `.venv` before that module is imported:
            "site", "all", or nothing. A module that reads its arguments
            first enters the environment by itself.
    """

    about: str
    module: str
    needs: environment.Level | None = None


TARGETS = {
    "book": Target(
        about="build the site into _build/html (no torch)",
        module="tools.book",
    ),
    "test": Target(
        about="install the rest, prove everything", module="tools.check"
    ),
    "lab": Target(
        about="open the exercises in JupyterLab, on your copy in work/",
        module="tools.lab",
    ),
    "serve": Target(
        about="serve the built site on this machine",
        module="tools.serve",
    ),
    "notebooks": Target(
        about="make the notebooks from their sources (--check, --force, STEM)",
        module="tools.notebooks.cli",
        needs="all",
    ),
    "bench": Target(
        about="measure the notebooks' minutes and memory into benchmarks/",
        module="tools.bench",
    ),
    "wheel": Target(
        about="build the library's wheel into dist/",
        module="tools.wheel",
    ),
    "publish": Target(
        about="set the repository's address: URL=https://github.com/ORG/REPO",
        module="tools.publish",
    ),
}


def listing() -> str:
    """Return the targets, one a line."""
    lines = ["make TARGET, or where there is no make: python -m tools TARGET"]
    width = max(len(name) for name in TARGETS)
    for name, target in TARGETS.items():
        lines.append(f"  {name:<{width}}  {target.about}")
    return "\n".join(lines)


def main(arguments: Sequence[str]) -> int:
    """Run the target that the arguments name; return the exit status."""
    if not arguments or arguments[0] in ("help", "-h", "--help"):
        print(listing())
        return 0
    name, *rest = arguments
    if name not in TARGETS:
        print(f"There is no target {name!r}.\n{listing()}", file=sys.stderr)
        return 2
    try:
        return run(name, rest)
    except Stop as problem:
        print(problem, file=sys.stderr)
        return 1
    except OSError as problem:
        if problem.errno != errno.ENOSPC:
            raise
        print(FULL, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nStopped. Run the command again to go on.", file=sys.stderr)
        return 130


def run(name: str, arguments: list[str]) -> int:
    """Enter the environment the target needs, and call its `main`."""
    target = TARGETS[name]
    if target.needs is not None:
        environment.enter(target.needs)
    module = importlib.import_module(target.module)
    return int(module.main(arguments) or 0)
