"""Read and write notebook files, whole or not at all."""

import os
from pathlib import Path
from tempfile import NamedTemporaryFile

import nbformat
from nbformat import NotebookNode

from tools.notebooks.assemble import content_hash


def load(path: Path) -> NotebookNode | None:
    """Return a notebook, or None where there is no readable one."""
    try:
        return nbformat.read(path, as_version=4)
    except FileNotFoundError:
        return None


def stored(notebook: NotebookNode | None, key: str) -> str:
    """Return what the builder stored in a notebook under a key."""
    if notebook is None:
        return ""
    return notebook.metadata.get("bertbook", {}).get(key, "")


def edited(notebook: NotebookNode | None) -> bool:
    """Tell whether anything changed a notebook after it was generated."""
    if notebook is None:
        return False
    return stored(notebook, "content") != content_hash(notebook)


def save(notebook: NotebookNode, path: Path) -> bool:
    """Write a notebook, unless the file holds it already.

    The text goes to a file beside it that then takes its place, so an
    interrupted run leaves the old notebook.

    Returns:
        Whether the file changed.
    """
    text = nbformat.writes(notebook) + "\n"
    if path.exists() and path.read_text("utf-8") == text:
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    with NamedTemporaryFile(
        "w", encoding="utf-8", newline="\n", dir=path.parent,
        prefix=".", suffix=".tmp", delete=False,
    ) as file:  # fmt: skip
        file.write(text)
    temporary = Path(file.name)
    try:
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    return True


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
