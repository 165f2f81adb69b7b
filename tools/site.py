"""Build the site with Jupyter Book, and only when something changed."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
import sys
import time
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
ARCHIVE = "bertbook-site.zip"
INPUTS = (
    "_config.yml",
    "_toc.yml",
    "LICENSE",
    "benchmarks/results/notebooks.json",
    "book/**/*",
    "chapters/*.ipynb",
    "chapters/*.yml",
    "exercises/*.ipynb",
    "solutions/*.ipynb",
    "tools/site.py",
)
PACKAGES = (
    "jupyter-book",
    "sphinx",
    "sphinx-book-theme",
    "pydata-sphinx-theme",
    "myst-nb",
    "myst-parser",
    "sphinxcontrib-bibtex",
)
_STEP = re.compile(r"(reading sources|writing output)\.\.\. \[\s*(\d+)%\]")
_COLOR = re.compile(r"\x1b\[[0-9;]*m")
_TROUBLE = re.compile(r"WARNING|ERROR|CRITICAL|Traceback|[Ee]xception|Error:")


class SiteError(RuntimeError):
    """The site could not be built; the message says why."""


def python(root: Path = ROOT) -> str:
    """Return the book's own Python where there is one, else this one."""
    for name in ("bin/python", "Scripts/python.exe"):
        path = root / ".venv" / name
        if path.exists():
            return str(path)
    return sys.executable


def input_files(root: Path = ROOT) -> list[Path]:
    """Return every file the site is made from, in a fixed order."""
    found = {
        path
        for pattern in INPUTS
        for path in root.glob(pattern)
        if path.is_file() and "__pycache__" not in path.parts
    }
    return sorted(found)


def fingerprint(strict: bool, root: Path = ROOT) -> str:
    """Return a hash of the inputs, the tools' versions and the mode."""
    digest = hashlib.sha256(f"strict={strict}\n".encode())
    code = (
        "import importlib.metadata as m, sys\n"
        "for name in sys.argv[1:]: print(name, m.version(name))"
    )
    versions = subprocess.run(
        [python(root), "-c", code, *PACKAGES],
        capture_output=True,
        text=True,
        check=False,
    )
    if versions.returncode:
        raise SiteError(
            "the site's tools are not installed: run `make book`, or "
            f"{python(root)} -m pip install -r requirements-site.txt "
            "-c constraints.txt"
        )
    digest.update(versions.stdout.encode())
    for path in input_files(root):
        name = path.relative_to(root).as_posix()
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        digest.update(f"{name} {content}\n".encode())
    return digest.hexdigest()


def build(strict: bool = True, root: Path = ROOT) -> Path:
    """Build the site where it is not up to date.

    Args:
        strict: make every warning an error, as the tests do.
        root: the book's folder.

    Returns:
        The folder that holds the site.

    Raises:
        SiteError: the tools are missing, or the build failed or warned.
    """
    html, stamp = root / "_build" / "html", root / "_build" / "site.json"
    mark = fingerprint(strict, root)
    if _stamped(stamp) == mark and (html / "index.html").exists():
        print("The site is up to date.")
        _tell(html)
        return html
    stamp.unlink(missing_ok=True)
    for folder in (html, root / "_build" / ".doctrees"):
        shutil.rmtree(folder, ignore_errors=True)
    start = time.monotonic()
    troubles = _run_sphinx(strict, root)
    if troubles:
        raise SiteError("the site was not built:\n" + "\n".join(troubles))
    _archive(html)
    stamp.write_text(json.dumps({"fingerprint": mark}) + "\n", "utf-8")
    print(f"The site was built in {time.monotonic() - start:.0f} s.")
    _tell(html)
    return html


def _stamped(stamp: Path) -> str:
    try:
        return str(json.loads(stamp.read_text("utf-8"))["fingerprint"])
    except (OSError, ValueError, KeyError):
        return ""


def _run_sphinx(strict: bool, root: Path) -> list[str]:
    """Run Jupyter Book, show how far it is, return what went wrong."""
    start = "from jupyter_book.cli.main import main; main()"
    command = [python(root), "-c", start, "build", ".", "--all"]
    command += ["-W", "-n", "--keep-going"] if strict else []
    log: list[str] = []
    with subprocess.Popen(
        command,
        cwd=root,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        errors="replace",
    ) as process:
        for raw in process.stdout or ():
            for line in re.split(r"[\r\n]+", _COLOR.sub("", raw)):
                log += [line.rstrip()] if line.strip() else []
                _show_step(line)
        code = process.wait()
    if sys.stdout.isatty():
        print("\r" + " " * 30 + "\r", end="")
    (root / "_build").mkdir(exist_ok=True)
    (root / "_build" / "site.log").write_text("\n".join(log), "utf-8")
    warned = [line for line in log if _TROUBLE.search(line)]
    if not code:
        print("\n".join(warned), end="\n" if warned else "")
        return []
    return [*(warned or log[-20:]), "The whole log: _build/site.log"]


def _show_step(line: str) -> None:
    step = _STEP.search(line)
    if step and sys.stdout.isatty():
        print(f"\r{step[1]}: {step[2]:>3} %", end="", flush=True)


def _archive(html: Path) -> None:
    """Write the whole site into one file beside its pages."""
    target = html / ARCHIVE
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, True, 6) as file:
        for path in sorted(html.rglob("*")):
            if path.is_file() and path != target:
                name = Path("bertbook-site") / path.relative_to(html)
                file.write(path, name.as_posix())


def _tell(html: Path) -> None:
    print(f"Open {html / 'index.html'} in a browser (a double click will do),")
    print("or run `make serve`.")
