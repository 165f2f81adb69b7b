"""Where and how a chapter runs: device, scale, seeds, claims and results.

Importing this module touches no network and no data.
"""

import json
import os
import platform
import random
import shlex
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any, Final, Literal, TypeVar

import numpy as np
import torch

Scale = Literal["small", "full"]
_Job = TypeVar("_Job")

_ROOT: Final = Path(__file__).resolve().parent.parent


def _read_scale() -> Scale:
    scale = os.environ.get("BERTBOOK_SCALE", "small")
    if scale == "small" or scale == "full":
        return scale
    raise ValueError(
        f"BERTBOOK_SCALE is {scale!r}: set it to 'small' (no network, CPU)"
        " or 'full' (GPU, Hugging Face Hub), or unset it"
    )


def _best_device() -> torch.device:
    if torch.cuda.is_available():
        return torch.device("cuda")
    if torch.backends.mps.is_available():
        return torch.device("mps")
    return torch.device("cpu")


SCALE: Final[Scale] = _read_scale()
"""The size at which the cells run: `"small"` (the default) or `"full"`."""

device: Final = _best_device()
"""The fastest device at hand: a CUDA GPU, Apple's GPU, or the CPU."""


def seed_everything(seed: int) -> torch.Generator:
    """Seed Python, NumPy and PyTorch, and return a seeded generator.

    Args:
        seed: a whole number from 0 to 2**32 - 1 (NumPy's range).

    Returns:
        A fresh CPU `torch.Generator` seeded alike, to pass on explicitly.

    Raises:
        ValueError: if the seed is outside that range.

    >>> first = torch.rand(2, generator=seed_everything(1))
    >>> torch.equal(first, torch.rand(2, generator=seed_everything(1)))
    True
    """
    if not 0 <= seed < 2**32:
        raise ValueError(
            f"seed is {seed}: choose a whole number from 0 to {2**32 - 1}"
        )
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002 - libraries still draw from it
    torch.manual_seed(seed)
    torch.backends.cudnn.benchmark = False
    torch.backends.cudnn.deterministic = True
    return torch.Generator().manual_seed(seed)


def claim(value: float, low: float, high: float, text: str) -> None:
    """Print a measured value beside its band, and hold it to the band.

    Under the book's own tests (`BERTBOOK_STRICT=1`) a value outside the band
    is an error. Elsewhere, on another GPU or another PyTorch, both are
    printed and the chapter goes on.

    Args:
        value: what this run measured.
        low: the smallest value expected.
        high: the largest value expected.
        text: what was measured, with its unit.

    Raises:
        ValueError: if the band is empty or not a number: such a claim could
            never hold.
        AssertionError: under `BERTBOOK_STRICT=1`, if the value is outside.

    >>> claim(0.943, 0.90, 0.98, "exact match at length 8")
    exact match at length 8: ≈ 0.943 (expected 0.9 to 0.98)
    """
    if not low <= high:
        raise ValueError(
            f"the band {low} to {high} is empty: give the smaller bound first"
        )
    value = float(value)
    line = f"{text}: ≈ {value:.4g} (expected {low:g} to {high:g})"
    if low <= value <= high:
        print(line)
    elif os.environ.get("BERTBOOK_STRICT") == "1":
        raise AssertionError(line)
    else:
        print(f"{line}. Here it is outside: note your hardware and versions.")


def _results_path(stem: str) -> Path:
    """Find `results/STEM.json` in the checkout, or in the installed wheel."""
    in_checkout = _ROOT / "results" / f"{stem}.json"
    if in_checkout.exists():
        return in_checkout
    return _ROOT / "bertbook" / "results" / f"{stem}.json"


def load_results(stem: str) -> dict[str, Any]:
    """Read a long experiment's committed results.

    Args:
        stem: the chapter's stem, such as `"01_the_bottleneck"`.

    Returns:
        A dictionary with `command`, `machine`, `versions`, `date` and
        `rows`, one row per seed and setting.

    Raises:
        ValueError: if there are no results under that stem.
    """
    path = _results_path(stem)
    if not path.exists():
        raise ValueError(
            f"no results for {stem!r}: run experiments/{stem}.py to make them"
        )
    return json.loads(path.read_text(encoding="utf-8"))


def describe_machine() -> dict[str, Any]:
    """Return the processor, its capability and threads, for a record."""
    name = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                name = line.partition(":")[2].strip()
                break
    return {
        "processor": name,
        "cores": os.cpu_count(),
        "capability": torch.backends.cpu.get_cpu_capability(),
        "threads": torch.get_num_threads(),
        "gpu": torch.cuda.get_device_name()
        if torch.cuda.is_available()
        else None,
    }


def describe_versions() -> dict[str, str]:
    """Return the versions that a result may depend on, for a record."""
    packages = ("torch", "numpy", "transformers", "tokenizers")
    return {"python": platform.python_version()} | {
        package: metadata.version(package) for package in packages
    }


def save_results(
    stem: str, rows: list[dict[str, Any]], *, folder: Path | None = None
) -> Path:
    """Write an experiment's rows with all that is needed to repeat them.

    The file is replaced in one step: a run killed midway leaves the last
    whole file, so a long experiment may call this after every seed.

    Args:
        stem: the chapter's stem, such as `"01_the_bottleneck"`.
        rows: one dictionary per seed and setting.
        folder: where to write; the checkout's `results/` by default.

    Returns:
        The file written.

    Raises:
        ValueError: if there are no rows.
    """
    if not rows:
        raise ValueError(f"no rows to save for {stem!r}: run a seed first")
    folder = folder or _ROOT / "results"
    folder.mkdir(parents=True, exist_ok=True)
    script = Path(sys.argv[0])
    if script.resolve().is_relative_to(_ROOT):
        script = script.resolve().relative_to(_ROOT)
    record = {
        "command": shlex.join(["python", script.as_posix(), *sys.argv[1:]]),
        "machine": describe_machine(),
        "versions": describe_versions(),
        "date": datetime.now(UTC).date().isoformat(),
        "rows": rows,
    }
    path = folder / f"{stem}.json"
    partial = path.with_suffix(".json.partial")
    partial.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    partial.replace(path)
    return path


def _rows_on_file(stem: str, folder: Path | None) -> list[dict[str, Any]]:
    """Return the rows of an earlier run, none if there was none."""
    path = (folder or _ROOT / "results") / f"{stem}.json"
    if not path.exists():
        return []
    return json.loads(path.read_text(encoding="utf-8"))["rows"]


def resume(
    stem: str,
    jobs: Sequence[_Job],
    run: Callable[[_Job], dict[str, Any]],
    identity: Callable[[dict[str, Any]], _Job],
    *,
    keep: Callable[[dict[str, Any]], bool] | None = None,
    fresh: bool = False,
    folder: Path | None = None,
) -> list[dict[str, Any]]:
    """Run an experiment's jobs, each once, however often it is killed.

    Every finished row is saved at once. A later call takes the rows on file
    and runs what is missing.

    Args:
        stem: the chapter's stem.
        jobs: what is to be run, in the order of the rows.
        run: does one job and describes it in a row.
        identity: the job that a row belongs to. A row on file of no job in
            `jobs` is dropped.
        keep: whether a row on file still holds; by default all do.
        fresh: whether to run everything again.
        folder: as in `save_results`.

    Returns:
        One row per job, in the order of the jobs.

    Raises:
        ValueError: if a row that `run` returned belongs to another job.
    """
    rows = [
        row
        for row in ([] if fresh else _rows_on_file(stem, folder))
        if identity(row) in jobs and (keep is None or keep(row))
    ]
    done = [identity(row) for row in rows]
    for job in jobs:
        if job in done:
            continue
        row = run(job)
        if identity(row) != job:
            raise ValueError(f"the row of {job} says it is of {identity(row)}")
        rows.append(row)
        rows.sort(key=lambda row: jobs.index(identity(row)))
        save_results(stem, rows, folder=folder)
        print(f"{len(rows)} of {len(jobs)}:", job, flush=True)
    return rows
