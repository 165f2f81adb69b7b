"""The set-up cell: `setup_cell` copies all that stands below this text."""
# ruff: noqa: D103

# Makes `bertbook` importable, and does nothing where it already is.
import importlib.util
import subprocess
import sys
import tempfile
from pathlib import Path

ARCHIVE = ""
LACKING: dict[str, str] = {}
DATA: dict[str, list[str]] = {}


def find_bertbook() -> None:
    here, kaggle = Path.cwd(), Path("/kaggle/input")
    for folder in (here, *here.parents):
        if (folder / "bertbook" / "__init__.py").is_file():
            sys.path.insert(0, str(folder))
            return
    wheels = [*here.glob("bertbook-*.whl"), *kaggle.rglob("bertbook-*.whl")]
    book = str(max(wheels)) if wheels else ARCHIVE
    if not book:
        raise ModuleNotFoundError(
            "bertbook is not here. Put its wheel (`make wheel` builds it) "
            "beside this notebook or, on Kaggle, into its input; or open "
            "the notebook inside a copy of the book's repository."
        )
    found = importlib.util.find_spec
    lacking = [pin for name, pin in LACKING.items() if not found(name)]
    hashed = [" --hash=sha256:".join([pin, *DATA[pin]]) for pin in DATA]
    pip = [sys.executable, "-m", "pip", "install", "-q", "--no-deps"]
    pip += [f"--find-links={wheel.parent}" for wheel in wheels]
    for pins in filter(None, (lacking, hashed, [book])):
        file = Path(tempfile.mkdtemp()) / "requirements.txt"
        file.write_text("\n".join(pins))
        subprocess.run([*pip, "-r", str(file)], check=True)
    importlib.invalidate_caches()


if not getattr(importlib.util.find_spec("bertbook"), "origin", None):
    find_bertbook()
