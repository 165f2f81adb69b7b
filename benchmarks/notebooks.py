"""Measure how long each notebook runs, and its peak memory.

`python -m benchmarks.notebooks` runs every chapter and every solution, one
after the other, each in a fresh kernel with one torch thread and no GPU, and
writes the medians to benchmarks/results/notebooks.json. The site and README
read it; no notebook holds a timing.

Seconds count everything a reader waits for: the start of the kernel, the
imports, all cells. Memory is the most that the kernel's process held at once
(resident set, MiB).
"""

import argparse
import json
import statistics
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from nbformat import v4
from tqdm import tqdm

from bertbook.runtime import describe_machine, describe_versions
from tools.notebooks.assemble import assemble
from tools.notebooks.book import ROOT, Book
from tools.notebooks.cells import Draft, drafts
from tools.notebooks.execute import SETTINGS, interruptible, run_one

RESULTS = ROOT / "benchmarks" / "results" / "notebooks.json"
PEAK = """\
import resource
import sys
from pathlib import Path

status = Path("/proc/self/status")
if status.exists():  # Linux: counted from the start of this very program
    text = status.read_text().partition("VmHWM:")[2]
    print(int(text.split()[0]) / 1024)
else:  # macOS counts bytes, other systems kibibytes
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(peak / (2**20 if sys.platform == "darwin" else 2**10))"""


def measure(draft: Draft) -> dict[str, float]:
    """Run a notebook once, without writing it.

    Returns:
        `seconds` from the start of its kernel to the end of its last cell,
        and `peak_mib`.

    Raises:
        SourceError: a cell failed.
    """
    notebook = assemble(draft)
    notebook.cells.append(v4.new_code_cell(PEAK))
    start = time.perf_counter()
    interruptible(run_one(draft, notebook, lambda: None))
    seconds = time.perf_counter() - start
    return {
        "seconds": seconds,
        "peak_mib": float(notebook.cells[-1].outputs[0].text),
    }


def measure_all(book: Book, repeats: int) -> dict[str, dict[str, Any]]:
    """Return the medians for every notebook that runs, by its path.

    Args:
        book: the book.
        repeats: how often each notebook runs.
    """
    chosen = [
        draft
        for path in book.sources()
        for draft in drafts(book, path)
        if draft.runs
    ]
    rows: dict[str, dict[str, Any]] = {}
    with tqdm(total=len(chosen) * repeats, unit="run", leave=False) as bar:
        for draft in chosen:
            runs = []
            for _ in range(repeats):
                runs.append(measure(draft))
                bar.update()
            rows[draft.name.removesuffix(".ipynb")] = summary(runs)
    return rows


def summary(runs: Sequence[dict[str, float]]) -> dict[str, Any]:
    """Return the medians of some runs, and how far their times lie apart.

    >>> summary([{"seconds": s, "peak_mib": 500.26} for s in (9, 7, 8)])
    {'seconds': 8, 'peak_mib': 500.3, 'all_seconds': [7, 8, 9]}
    """
    seconds = sorted(round(run["seconds"], 1) for run in runs)
    peaks = [run["peak_mib"] for run in runs]
    return {
        "seconds": statistics.median(seconds),
        "peak_mib": round(statistics.median(peaks), 1),
        "all_seconds": seconds,
    }


def save(rows: dict[str, dict[str, Any]], repeats: int, path: Path) -> None:
    """Write the measurements with all that is needed to judge them."""
    threads = int(SETTINGS["OMP_NUM_THREADS"])
    record = {
        "command": f"python -m benchmarks.notebooks --repeats {repeats}",
        "machine": describe_machine() | {"threads": threads, "gpu": None},
        "versions": describe_versions(),
        "date": datetime.now(UTC).date().isoformat(),
        "notebooks": rows,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(record, indent=1) + "\n", "utf-8")


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure the book's notebooks and write the results."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.notebooks")
    parser.add_argument("--repeats", type=int, default=3)
    repeats = parser.parse_args(arguments).repeats
    rows = measure_all(Book(), repeats)
    save(rows, repeats, RESULTS)
    for name, row in rows.items():
        print(f"{name}: {row['seconds']} s, {row['peak_mib']} MiB")


if __name__ == "__main__":
    main()
