"""Write the cell that makes `bertbook` importable wherever it is opened."""

import re
from pathlib import Path

from tools.notebooks.book import Book
from tools.notebooks.errors import SourceError
from tools.notebooks.sources import Cell

TEMPLATE = Path(__file__).with_name("setup_template.py")
TAG = "hide-cell"


def requirements(book: Book, name: str) -> list[str]:
    """Return a requirements file's entries, each on one line."""
    path = book.root / name
    text = path.read_text("utf-8") if path.exists() else ""
    joined = text.replace("\\\n", " ")
    lines = (re.sub(r"(^|\s)#.*", "", line) for line in joined.splitlines())
    return [" ".join(line.split()) for line in lines if line.strip()]


def project(requirement: str) -> str:
    """Return a requirement's name as package indexes normalize it.

    >>> project("Wadler_Lindig>=0.1")
    'wadler-lindig'
    """
    name = re.split(r"[\s<>=!~;\[]", requirement)[0]
    return re.sub(r"[-_.]+", "-", name).lower()


def lacking(book: Book) -> dict[str, str]:
    """Return what a hosted kernel may lack, by the name it imports as."""
    found = requirements(book, "requirements-colab.txt")
    return {project(each).replace("-", "_"): each for each in found}


def data_pins(book: Book, stem: str) -> dict[str, list[str]]:
    """Return the data packages of a chapter with their hashes.

    Raises:
        SourceError: the chapter names a package that is not pinned.
    """
    pinned = {
        project(line): line
        for line in requirements(book, "requirements-data.txt")
    }
    chosen: dict[str, list[str]] = {}
    for name in book.chapter(stem).get("data") or []:
        if project(name) not in pinned:
            path = book.root / "chapters" / f"{stem}.yml"
            text = f"data: requirements-data.txt does not pin {name}"
            raise SourceError(path, 1, text)
        pin, *hashes = pinned[project(name)].split(" --hash=sha256:")
        chosen[pin] = hashes
    return chosen


def written(name: str, table: dict[str, str] | dict[str, list[str]]) -> str:
    """Return the assignment of a table, laid out as ruff format does."""
    if not table:
        return f"{name} = {{}}"
    rows = []
    for key, value in table.items():
        if isinstance(value, str):
            rows.append(f'    "{key}": "{value}",')
        else:
            hashes = "".join(f'        "{each}",\n' for each in value)
            rows.append(f'    "{key}": [\n{hashes}    ],')
    return "\n".join([f"{name} = {{", *rows, "}"])


def setup_cell(book: Book, stem: str) -> Cell:
    """Return the set-up cell of the notebooks of one stem."""
    _, _, text = TEMPLATE.read_text("utf-8").partition("# ruff: noqa: D103\n")
    url, tag = book.repository
    archive = f"{url}/archive/{tag}.zip" if url else ""
    values = {
        "ARCHIVE": f'ARCHIVE = "{archive}"',
        "LACKING": written("LACKING", lacking(book)),
        "DATA": written("DATA", data_pins(book, stem)),
    }
    lines = [
        values.get(re.split(r"[: ]", line)[0], line)
        for line in text.strip().splitlines()
    ]
    return Cell("code", "\n".join(lines), tags=(TAG,))
