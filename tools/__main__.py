"""The book's targets: `python -m tools TARGET`; alone, it lists them.

Everything up to the creation of `.venv` runs on the standard library alone,
and this file parses on any Python 3.7, so that an old one gets a sentence.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

OLDEST = (3, 11)


def too_old(version: tuple[int, ...]) -> str:
    """Say what is wrong with this version of Python; empty when nothing is."""
    if tuple(version[:2]) >= OLDEST:
        return ""
    have = ".".join(str(part) for part in version[:2])
    need = ".".join(str(part) for part in OLDEST)
    return (
        f"The book needs Python {need} or newer, this is {have}: install one "
        f"(python.org, or your system's packages) and name it, for example "
        f"`make book PYTHON=python3.12`."
    )


def run() -> int:
    """Check the Python, go to the book's root, and run the target."""
    message = too_old(sys.version_info[:2])
    if message:
        sys.stderr.write(message + "\n")
        return 1
    os.chdir(str(Path(__file__).resolve().parent.parent))
    from tools.targets import main

    return main(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(run())
