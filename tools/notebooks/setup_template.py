"""The set-up cell: `setup_cell` copies all that stands below this text."""
# ruff: noqa: D103

# Makes `bertbook` importable, and does nothing where it already is.
import importlib
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

ARCHIVE = ""
LACKING: dict[str, str] = {}
DATA: dict[str, list[str]] = {}


def install(*what: str) -> None:
    pip = [sys.executable, "-m", "pip", "install", "-q", "--no-deps"]
    subprocess.run([*pip, *what], check=True)
    importlib.invalidate_caches()


def find_bertbook() -> None:
    here, kaggle = Path.cwd(), Path("/kaggle/input")
    for folder in (here, *here.parents):
        if (folder / "bertbook" / "__init__.py").is_file():
            sys.path.insert(0, str(folder))
            return
    wheels = [*here.glob("bertbook-*.whl"), *kaggle.rglob("bertbook-*.whl")]
    if not wheels and not ARCHIVE:
        raise ModuleNotFoundError(
            "bertbook is not here. Put its wheel (`make wheel` builds it) "
            "beside this notebook or, on Kaggle, into its input; or open "
            "the notebook inside a copy of the book's repository."
        )
    lines = [pin for name, pin in LACKING.items() if not find_spec(name)]
    near = [f"--find-links={wheel.parent}" for wheel in wheels]
    hashed = [" --hash=sha256:".join([p, *DATA[p]]) for p in DATA]
    for pins in filter(None, (lines, hashed)):
        file = Path(tempfile.mkdtemp()) / "requirements.txt"
        file.write_text("\n".join(pins))
        install("-r", str(file), *near)
    install(str(wheels[-1]) if wheels else ARCHIVE)


if not getattr(find_spec("bertbook"), "origin", None):
    find_bertbook()
