"""`make lab`: the exercises in JupyterLab, on a copy that stays yours."""

import argparse
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from tools import environment
from tools.stop import Stop


def main(arguments: Sequence[str]) -> int:
    """Copy what is missing in work/, then open JupyterLab on it."""
    parser = argparse.ArgumentParser(prog="python -m tools lab")
    parser.add_argument(
        "--no-open", action="store_true", help="copy, and open nothing"
    )
    options = parser.parse_args(arguments)
    work = environment.ROOT / "work"
    if not options.no_open:
        environment.enter("all")
    new, kept = copy_new(environment.ROOT / "exercises", work)
    print(f"{work}: {len(new)} notebooks copied, {len(kept)} kept as they are")
    if options.no_open:
        return 0
    print("Opening JupyterLab. Ctrl+C here closes it.", flush=True)
    command = [sys.executable, "-m", "jupyterlab", str(work)]
    return subprocess.run(command, cwd=work, check=False).returncode


def copy_new(exercises: Path, work: Path) -> tuple[list[str], list[str]]:
    """Copy the exercises that work/ does not hold yet.

    Returns: the names copied, and the names left alone.

    Raises:
        Stop: there are no exercises to copy.
    """
    sources = sorted(exercises.glob("*.ipynb"))
    if not sources:
        raise Stop(
            f"There are no notebooks in {exercises}: run `make notebooks`."
        )
    work.mkdir(exist_ok=True)
    new: list[str] = []
    kept: list[str] = []
    for source in sources:
        written = write_once(work / source.name, source.read_bytes())
        (new if written else kept).append(source.name)
    return new, kept


def write_once(path: Path, content: bytes) -> bool:
    """Write a file that is not there yet; never touch one that is."""
    try:
        with path.open("xb") as file:
            file.write(content)
    except FileExistsError:
        return False
    return True
