"""Read and write notebook files, whole or not at all."""

from pathlib import Path

import nbformat
from nbformat import NotebookNode

from tools.notebooks.assemble import content_hash
from tools.notebooks.errors import SourceError


def load(path: Path) -> NotebookNode | None:
    """Return a notebook, or None where there is none.

    Raises:
        SourceError: the file is no notebook, perhaps after a merge.
    """
    try:
        return nbformat.read(path, as_version=4)
    except FileNotFoundError:
        return None
    except (ValueError, AttributeError, nbformat.ValidationError) as problem:
        reason = f"cannot be read as a notebook, delete it: {problem}"
        raise SourceError(path, 1, reason[:300]) from None


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
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        temporary.write_text(text, "utf-8", newline="\n")
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    return True
