"""Measure time and memory of attention against the length.

`python -m benchmarks.attention_cost` runs one layer's heads over random
vectors, twice: in the naive form, which holds all scores, and through
PyTorch's fused kernel, which never holds them at once. The medians and the
fitted exponents go to results/06_attention_cost.json, where chapter 06 reads
them.

The exponent is the slope of a straight line through the logarithms: doubling
the length multiplies the cost by two to that power.
"""

import os

os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # before torch: no log lines

import argparse
import json
import statistics
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.profiler import ProfilerActivity, profile

from bertbook.attention import fused_attention, scaled_dot_product_attention
from bertbook.runtime import (
    describe_machine,
    describe_versions,
    device,
    seed_everything,
)

RESULTS = Path(__file__).parents[1] / "results" / "06_attention_cost.json"
LENGTHS = {"cpu": (256, 512, 1024, 2048, 4096)}
LONGER = (1024, 2048, 4096, 8192, 16_384)
NUM_HEADS, D_HEAD = 4, 64
FIT_FROM = {"cpu": 512}
PREDICTED = {
    "naive": {"seconds": 2, "peak_bytes": 2},
    "fused": {"seconds": 2, "peak_bytes": 1},
}
FORMS: dict[str, Callable[..., Any]] = {
    "naive": lambda q, k, v: scaled_dot_product_attention(q, k, v)[0],
    "fused": fused_attention,
}


def seconds(function: Callable[[], Any], repeats: int) -> list[float]:
    """Return the times of some calls: of the process, on a GPU of the wall."""
    on_gpu = device.type == "cuda"
    clock = time.perf_counter if on_gpu else time.process_time
    function()
    times = []
    for _ in range(repeats):
        if on_gpu:
            torch.cuda.synchronize()
        start = clock()
        function()
        if on_gpu:
            torch.cuda.synchronize()
        times.append(clock() - start)
    return sorted(times)


def page_faults(function: Callable[[], Any]) -> int | None:
    """Return how many pages of memory a call had to ask the system for."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    function()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    function()
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


def peak_bytes(function: Callable[[], Any]) -> int:
    """Return the most that PyTorch held at once beyond what it held before.

    On the CPU every allocation and release is read from the profiler, those
    inside a kernel included, so the number does not depend on the load.
    """
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        function()
        return torch.cuda.max_memory_allocated() - before
    with profile(
        activities=[ProfilerActivity.CPU], profile_memory=True, acc_events=True
    ) as recorded:
        kept = function()
    # Untyped in PyTorch: what the profiler read, one entry a change.
    found: Any = recorded.profiler
    events = found.kineto_results.events()
    steps = sorted(
        (event.start_ns(), event.nbytes())
        for event in events
        if event.name() == "[memory]"
    )
    del kept
    held = np.cumsum([size for _, size in steps])
    return int(held.max())


@torch.no_grad()
def measure(form: str, length: int, repeats: int) -> dict[str, Any]:
    """Measure one form at one length."""
    generator = torch.Generator().manual_seed(length)
    shape = 3, 1, NUM_HEADS, length, D_HEAD
    inputs = torch.randn(shape, generator=generator).to(device).unbind()

    def call() -> torch.Tensor:
        return FORMS[form](*inputs)

    times = seconds(call, repeats)
    return {
        "form": form,
        "length": length,
        "seconds": statistics.median(times),
        "fastest": times[0],
        "slowest": times[-1],
        "page_faults": page_faults(call),
        "peak_bytes": peak_bytes(call),
    }


def exponent(lengths: list[int], costs: list[float]) -> float:
    """Return the slope of log cost over log length.

    >>> exponent([10, 20, 40], [3.0, 12.0, 48.0])
    2.0
    """
    slope = np.polyfit(np.log(lengths), np.log(costs), 1)[0]
    return round(float(slope), 3)


def fit(rows: list[dict[str, Any]], start: int) -> dict[str, Any]:
    """Return each form's exponents, fitted from a length upward."""
    fitted: dict[str, Any] = {}
    for form in FORMS:
        own = [r for r in rows if r["form"] == form and r["length"] >= start]
        lengths = [row["length"] for row in own]
        fitted[form] = {
            name: exponent(lengths, [row[name] for row in own])
            for name in ("seconds", "peak_bytes")
        }
    return fitted


def record(
    rows: list[dict[str, Any]], repeats: int, busy: list[Any]
) -> dict[str, Any]:
    """Return the measurements with all that is needed to judge them."""
    start = FIT_FROM.get(device.type, LONGER[1])
    return {
        "command": f"python -m benchmarks.attention_cost --repeats {repeats}",
        "machine": describe_machine(),
        "versions": describe_versions(),
        "date": datetime.now(UTC).date().isoformat(),
        "clock": "process CPU time" if device.type == "cpu" else "wall",
        "load_average_before_and_after": busy,
        "layer": {"num_heads": NUM_HEADS, "d_head": D_HEAD, "type": "float32"},
        "repeats": repeats,
        "fitted_from": start,
        "predicted": PREDICTED,
        "exponents": fit(rows, start),
        "rows": rows,
    }


def main(argv: list[str] | None = None) -> None:
    """Measure both forms at every length and write the record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--out", type=Path, default=RESULTS)
    arguments = parser.parse_args(argv)
    torch.set_num_threads(1)
    seed_everything(0)
    load = getattr(os, "getloadavg", tuple)  # Windows has none
    busy, rows = [load()], []
    for length in LENGTHS.get(device.type, LONGER):
        for form in FORMS:
            rows.append(measure(form, length, arguments.repeats))
            print(rows[-1], flush=True)
    found = record(rows, arguments.repeats, [*busy, load()])
    arguments.out.parent.mkdir(exist_ok=True)
    arguments.out.write_text(json.dumps(found, indent=1) + "\n", "utf-8")
    print(found["exponents"])


if __name__ == "__main__":
    main()
