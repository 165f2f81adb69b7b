"""Cells become a notebook: ids from content, and nothing that drifts."""

import hashlib
import json
from collections import Counter
from importlib import metadata
from typing import Any

import nbformat
from nbformat import NotebookNode, v4

from tools.notebooks.cells import Draft
from tools.notebooks.library import Library
from tools.notebooks.sources import Cell

WATCHED = ("torch", "transformers", "numpy")


def digest(value: Any) -> str:
    """Return a hash of anything that JSON can hold."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def cell_node(cell: Cell, seen: Counter[str]) -> NotebookNode:
    """Return a notebook cell; equal cells get ids with a counter."""
    name = digest([cell.kind, cell.text])[:12]
    seen[name] += 1
    if seen[name] > 1:
        name = f"{name}-{seen[name]}"
    make = v4.new_code_cell if cell.kind == "code" else v4.new_markdown_cell
    tags = {"tags": list(cell.tags)} if cell.tags else {}
    return make(cell.text, id=name, metadata=tags)


def environment() -> str:
    """Return the versions that decide what a notebook prints."""
    found = []
    for name in WATCHED:
        try:
            version = metadata.version(name)
        except metadata.PackageNotFoundError:
            version = "none"
        found.append(f"{name} {'.'.join(version.split('.')[:2])}")
    return ", ".join(found)


def behind(draft: Draft) -> str:
    """Return a hash of the code and results that stand behind a notebook."""
    code = Library(draft.book.root).fingerprint(draft.imports())
    results = draft.book.root / "results" / f"{draft.path.stem}.json"
    text = results.read_text("utf-8") if results.exists() else ""
    return digest([code, text])


def source_hash(draft: Draft) -> str:
    """Return a hash of every cell before it runs."""
    return digest([[c.kind, c.text, list(c.tags)] for c in draft.cells])


def content_hash(notebook: NotebookNode) -> str:
    """Return a hash of all that a reader sees, outputs included."""
    plain = json.loads(nbformat.writes(notebook))["cells"]
    return digest([{**cell, "id": ""} for cell in plain])


def assemble(draft: Draft) -> NotebookNode:
    """Return the notebook of a draft, without outputs."""
    seen: Counter[str] = Counter()
    notebook = v4.new_notebook(cells=[cell_node(c, seen) for c in draft.cells])
    notebook.metadata = NotebookNode(
        kernelspec=NotebookNode(
            display_name="Python 3", language="python", name="python3"
        ),
        language_info=NotebookNode(name="python"),
    )
    return notebook


def seal(
    draft: Draft, notebook: NotebookNode, ran_before: NotebookNode | None
) -> NotebookNode:
    """Store what the builder needs to know the notebook again.

    Args:
        draft: what the notebook was made from.
        notebook: the finished notebook, changed in place.
        ran_before: the notebook that the outputs were taken from; None
            if it has just run.
    """
    stored = {"source": source_hash(draft), "content": content_hash(notebook)}
    if draft.runs and ran_before is None:
        stored |= {"behind": behind(draft), "environment": environment()}
    elif draft.runs and ran_before is not None:
        old = ran_before.metadata["bertbook"]
        stored |= {key: old[key] for key in ("behind", "environment")}
    notebook.metadata["bertbook"] = NotebookNode(stored)
    nbformat.validate(notebook)
    return notebook
