"""Which format and which library are fast here: a measurement, no guess."""

import time
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, Final, Literal, NamedTuple, cast

import torch
from accelerate import PartialState
from accelerate.utils import broadcast_object_list
from torch import Tensor

from bertbook.pretraining.config import PretrainingConfig
from bertbook.pretraining.products import has_onednn, onednn_product

Chosen = Literal["no", "bf16", "fp16"]
"""The names that Accelerate has for fp32, bfloat16 and float16."""

_FORMATS: Final[dict[str, Chosen]] = {
    "fp32": "no",
    "bf16": "bf16",
    "fp16": "fp16",
}

_GAIN: Final = 1.3
"""What is not usual must be this much faster to be worth it: half precision
for its rounding, another library for what it costs beside the product."""


def matmul_speed(
    dtype: torch.dtype,
    device: torch.device,
    size: int = 1_024,
    product: Callable[[Tensor, Tensor], Tensor] = torch.matmul,
) -> float:
    """Measure square matrix products, in GFLOP per second, the best of a few.

    On a processor without instructions for a format it takes one product to
    find out: half precision can be a hundred times slower there.

    Args:
        dtype: the number format.
        device: where to multiply.
        size: rows and columns.
        product: what multiplies.
    """
    a = torch.randn(size, size, device=device).to(dtype)
    best, begin = float("inf"), time.perf_counter()
    while time.perf_counter() - begin < 0.05:
        start = time.perf_counter()
        product(a, a).sum().item()
        best = min(best, time.perf_counter() - start)
    return 2 * size**3 / best / 1e9


def measure_float32(
    device: torch.device, size: int = 1_024
) -> dict[str, float]:
    """Measure each library that can multiply float32, in GFLOP per second."""
    speeds = {"blas": matmul_speed(torch.float32, device, size)}
    if device.type == "cpu" and has_onednn():
        speeds["onednn"] = matmul_speed(
            torch.float32,
            device,
            size,
            lambda a, b: onednn_product(a, b, None),
        )
    return speeds


float32_speeds = cache(measure_float32)
"""The same, measured once in a process."""


@cache
def choose_precision(device: torch.device) -> tuple[Chosen, str]:
    """Return the format to train in, and why; measured once in a process.

    float16 is never chosen: bfloat16 has float32's range.
    """
    # A small product first: in software, a large one would take seconds.
    for size in (128, 1_024):
        full = max(float32_speeds(device, size).values())
        half = matmul_speed(torch.bfloat16, device, size)
        if half < full / 4:
            break
    measured = f"bf16 runs at {half:.0f} GFLOP/s and fp32 at {full:.0f} here"
    return "bf16" if half > _GAIN * full else "no", measured


def choose_products(device: torch.device) -> tuple[str, str]:
    """Return the library for products in float32, and why."""
    speeds = float32_speeds(device)
    measured = " and ".join(
        f"{name} multiplies fp32 at {speed:.0f} GFLOP/s"
        for name, speed in speeds.items()
    )
    pays = speeds.get("onednn", 0) > _GAIN * speeds["blas"]
    return "onednn" if pays else "blas", measured


class Numbers(NamedTuple):
    """How a run computes.

    Attributes:
        format: what Accelerate calls the number format.
        products: the library that multiplies what is in float32.
        why: a measurement, or who decided.
    """

    format: str
    products: str
    why: str

    @property
    def onednn(self) -> bool:
        """Return whether oneDNN shall multiply what is in float32."""
        return self.products == "onednn"


def choose_numbers(
    config: PretrainingConfig, before: Mapping[str, Any]
) -> Numbers:
    """Choose format and library: as set, as a run began, or the fastest.

    Args:
        config: the settings.
        before: what the checkpoint of a run has on record; empty at first.
    """
    set_format = _FORMATS.get(config.precision)
    chosen, why = _choose(set_format, before.get("format"), choose_precision)
    set_library = None if config.products == "auto" else config.products
    library, reason = _choose(
        set_library, before.get("products"), choose_products
    )
    return Numbers(chosen, library, f"{why}; {reason}")


def _choose(
    setting: str | None,
    before: str | None,
    measure: Callable[[torch.device], tuple[str, str]],
) -> tuple[str, str]:
    """Return a choice and why."""
    if setting is not None:
        return setting, "as set"
    if before is not None:
        return before, "as the run began"
    # The first process measures for all, or they might differ.
    state = PartialState()
    assert state.device is not None
    found = [measure(state.device) if state.is_main_process else None]
    return cast(tuple[str, str], broadcast_object_list(found)[0])
