"""Which number format is fast here: a measurement, never a guess."""

import time
from functools import cache
from typing import Final, Literal

import torch

Chosen = Literal["no", "bf16", "fp16"]
"""The names that Accelerate has for fp32, bfloat16 and float16."""

_GAIN: Final = 1.3
"""Half precision must be this much faster to be worth its rounding."""


def matmul_speed(
    dtype: torch.dtype, device: torch.device, size: int = 1_024
) -> float:
    """Measure square matrix products, in GFLOP per second, the best of a few.

    On a processor without instructions for a format it takes one product to
    find out: half precision can be a hundred times slower there.
    """
    a = torch.randn(size, size, device=device).to(dtype)
    best, begin = float("inf"), time.perf_counter()
    while time.perf_counter() - begin < 0.05:
        start = time.perf_counter()
        (a @ a).sum().item()
        best = min(best, time.perf_counter() - start)
    return 2 * size**3 / best / 1e9


@cache
def choose_precision(device: torch.device) -> tuple[Chosen, str]:
    """Return the format to train in, and why; measured once in a process.

    float16 is never chosen: bfloat16 has float32's range.
    """
    # A small product first: in software, a large one would take seconds.
    for size in (128, 1_024):
        full = matmul_speed(torch.float32, device, size)
        half = matmul_speed(torch.bfloat16, device, size)
        if half < full / 4:
            break
    measured = f"bf16 runs at {half:.0f} GFLOP/s and fp32 at {full:.0f} here"
    if half > _GAIN * full:
        return "bf16", f"bf16: {measured}"
    return "no", f"fp32: {measured}"
