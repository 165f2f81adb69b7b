"""`make wheel`: the library as one file, for hosted notebooks and schools."""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tools import environment
from tools.stop import Stop

PARTS = ("bertbook", "results", "pyproject.toml", "README.md", "LICENSE")
TIMESTAMP = "1767225600"
"""The date in the wheel's entries (2026-01-01): the same files, same bytes."""


def main(arguments: Sequence[str]) -> int:
    """Build the wheel into dist/."""
    parser = argparse.ArgumentParser(prog="python -m tools wheel")
    parser.parse_args(arguments)
    environment.enter("site")
    wheel = build(environment.ROOT, environment.ROOT / "dist")
    print(f"{wheel} ({wheel.stat().st_size / 1e6:.1f} MB)")
    return 0


def build(root: Path, target: Path) -> Path:
    """Build the wheel of the library at `root` into `target`.

    The work happens on a copy: an old build folder would otherwise put
    files into the wheel that the checkout no longer has.

    Raises:
        Stop: the build failed; the message ends with its last line.
    """
    target.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        copy = Path(scratch) / "source"
        copy_parts(root, copy)
        made = Path(scratch) / "made"
        command = [sys.executable, "-m", "pip", "wheel", "--no-deps"]
        command += ["--no-build-isolation", "--no-index"]
        command += ["--disable-pip-version-check", "-w", str(made), str(copy)]
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "SOURCE_DATE_EPOCH": TIMESTAMP},
        )
        wheels = sorted(made.glob("bertbook-*.whl"))
        if done.returncode or not wheels:
            words = (done.stdout + done.stderr).strip().splitlines()
            raise Stop("The wheel could not be built: " + words[-1].strip())
        for old in target.glob("bertbook-*.whl"):
            old.unlink()
        return Path(shutil.copy(wheels[0], target / wheels[0].name))


def copy_parts(root: Path, copy: Path) -> None:
    """Copy what a wheel is made from, without caches."""
    ignore = shutil.ignore_patterns("__pycache__", "*.pyc")
    copy.mkdir()
    for name in PARTS:
        part = root / name
        if part.is_dir():
            shutil.copytree(part, copy / name, ignore=ignore)
        elif part.is_file():
            shutil.copy(part, copy / name)
