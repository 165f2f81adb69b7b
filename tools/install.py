"""Runs pip, one line of progress instead of its hundred."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from tools.machine import diagnose
from tools.stop import Stop

EVERY = 25
"""Where lines cannot be rewritten, one is printed for so many packages."""

QUIET = (
    "--no-input",
    "--disable-pip-version-check",
    "--progress-bar=off",
    "--no-warn-script-location",
)


def pip_install(
    python: Path, arguments: Sequence[str], log: Path, doing: str
) -> None:
    """Install into the environment of `python`, showing what pip is at.

    Args:
        python: the environment's interpreter.
        arguments: what follows `pip install`.
        log: where pip's own words go, for a failure that needs reading.
        doing: what the line of progress says first.

    Raises:
        Stop: pip failed; the message is the likely cause in one line.
    """
    command = [str(python), "-m", "pip", "install", *QUIET, *arguments]
    environment = {**os.environ, "PIP_USER": "0", "PYTHONUNBUFFERED": "1"}
    start = time.monotonic()
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        text=True,
        errors="replace",
        env=environment,
    ) as process:
        assert process.stdout is not None
        seen = follow(process.stdout, doing, print_line())
    output = "".join(seen)
    log.write_text(output, encoding="utf-8")
    seconds = time.monotonic() - start
    if process.returncode:
        finish(f"  {doing}: failed after {seconds:.0f} s")
        raise Stop(f"{diagnose(output)} (pip's own words: {log})")
    finish(f"  {doing}: done in {seconds:.0f} s")


def follow(
    lines: Iterable[str], doing: str, show: Callable[[str, int], None]
) -> list[str]:
    """Read pip's lines to the end, turning them into progress.

    Returns: all lines, as they were.
    """
    seen: list[str] = []
    packages = 0
    for line in lines:
        seen.append(line)
        words = line.split()
        if line.startswith("Collecting") and len(words) > 1:
            packages += 1
            show(f"  {doing}: {packages} packages, {words[1]}", packages)
        elif line.startswith("Installing collected"):
            show(f"  {doing}: writing {packages} packages", 0)
        elif words[:1] == ["Downloading"] and is_large(line):
            name = words[1].rsplit("/", 1)[-1]
            size = " ".join(words[2:])
            show(f"  {doing}: downloading {name} {size}", 0)
    return seen


def is_large(line: str) -> bool:
    """Tell whether pip names a size of 50 MB or more on this line.

    >>> is_large("  Downloading torch-2.13.0-cp311.whl (191.8 MB)")
    True
    >>> is_large("  Downloading six-1.17.0.whl (11 kB)")
    False
    """
    _, _, size = line.rpartition("(")
    number, _, unit = size.strip().rstrip(")").partition(" ")
    try:
        return unit == "GB" or (unit == "MB" and float(number) >= 50)
    except ValueError:
        return False


def print_line() -> Callable[[str, int], None]:
    """Return what shows a line: rewritten on a terminal, else now and then."""
    if sys.stdout.isatty():
        return lambda text, _: print(
            f"\r\033[K{text[:78]}", end="", flush=True
        )

    def sparse(text: str, count: int) -> None:
        if count % EVERY == 0:
            print(text, flush=True)

    return sparse


def finish(text: str) -> None:
    """Print the last line over the line of progress, if there was one."""
    print(f"\r\033[K{text}" if sys.stdout.isatty() else text, flush=True)
