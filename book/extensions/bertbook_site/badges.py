"""The line of facts under a page's title."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from .element import fence

RESULTS = Path("benchmarks") / "results" / "notebooks.json"


def measured(root: Path, docname: str) -> dict[str, Any]:
    """Return what was measured for a notebook, empty when nothing was."""
    path = root / RESULTS
    if not path.exists():
        return {}
    rows = json.loads(path.read_text("utf-8")).get("notebooks", {})
    return rows.get(docname) or rows.get(f"{docname}.ipynb") or {}


def duration(seconds: float) -> str:
    """Return a run time as a reader says it.

    >>> duration(12.3), duration(95)
    ('12 s', '1.6 min')
    """
    if seconds < 60:
        return f"{max(1, round(seconds))} s"
    return f"{seconds / 60:.1f} min"


def cost(row: dict[str, Any]) -> str:
    """Return the run time and memory of one measured notebook.

    >>> cost({"seconds": 41.2, "peak_mib": 812})
    'Runs in 41 s on two CPU cores, 812 MiB of memory'
    >>> cost({})
    'Run time and memory: not yet measured'
    """
    if "seconds" not in row:
        return "Run time and memory: not yet measured"
    text = f"Runs in {duration(row['seconds'])} on two CPU cores"
    if "peak_mib" in row:
        text += f", {round(row['peak_mib'])} MiB of memory"
    return text


def badge_line(root: Path, docname: str) -> str:
    """Return Markdown for the line under the title of a notebook's page."""
    folder, stem = docname.split("/")
    other = "exercises" if folder == "chapters" else "chapters"
    word = {"exercises": "Exercises", "chapters": "Chapter"}[other]
    items = []
    if folder == "chapters":
        items.append(cost(measured(root, docname)))
    if (root / other / f"{stem}.ipynb").exists():
        items.append(f"[{word}](../{other}/{stem}.ipynb)")
    items.append(f"{{download}}`Notebook (.ipynb) <{stem}.ipynb>`")
    lines = "\n".join(f"- {item}" for item in items)
    return fence("div", {"class": "page-facts"}, lines, 5)
