"""Measure what one more token costs, with and without a KV cache.

`python -m benchmarks.decoding` gives an untrained Transformer a target of
some length and times the step to the next token, twice: behind a cache, and
by running the decoder over all that is written again. The shortest times go
to results/07_decoding.json, which chapter 07 plots, with the largest
difference between the two sets of logits.
"""

import argparse
import time
from collections.abc import Callable
from typing import Any

import torch

from bertbook.blocks import BlockCache
from bertbook.runtime import device, save_results, seed_everything
from bertbook.transformer import Transformer, TransformerConfig

LENGTHS = (16, 32, 64, 128, 256, 512)
SIZES: dict[str, Any] = {
    "d_model": 128,
    "num_heads": 4,
    "d_ff": 512,
    "num_layers": 3,
}
SOURCE_LEN = 32


def seconds(function: Callable[[], Any], repeats: int) -> float:
    """Return the shortest of several calls, in seconds of CPU (GPU: wall)."""
    on_gpu = device.type == "cuda"
    clock = time.perf_counter if on_gpu else time.process_time
    times = []
    for _ in range(repeats + 2):
        start = clock()
        function()
        if on_gpu:
            torch.cuda.synchronize()
        times.append(clock() - start)
    return min(times[2:])


def cut(cache: list[BlockCache], length: int) -> None:
    """Forget what a cache holds past a length of the target."""
    for block in cache:
        target = block.target
        assert target.key is not None
        assert target.value is not None
        target.key = target.key[..., :length, :]
        target.value = target.value[..., :length, :]


@torch.no_grad()
def measure(model: Transformer, length: int, repeats: int) -> dict[str, Any]:
    """Time the step that writes token `length`, both ways."""
    generator = torch.Generator().manual_seed(length)
    draw = {"generator": generator, "high": model.config.vocab_size}
    source = torch.randint(size=(1, SOURCE_LEN), **draw).to(device)
    target = torch.randint(size=(1, length), **draw).to(device)
    padding = torch.ones_like(source, dtype=torch.bool)
    memory = model.encode(source, padding)
    cache = model.decoder.new_cache()
    model.decode(target[:, :-1], memory, padding, cache)

    def behind_cache() -> torch.Tensor:
        cut(cache, length - 1)
        return model.decode(target[:, -1:], memory, padding, cache)

    def all_again() -> torch.Tensor:
        return model.decode(target, memory, padding)

    difference = (behind_cache()[:, -1] - all_again()[:, -1]).abs().max()
    return {
        "setting": "one token",
        **SIZES,
        "source_length": SOURCE_LEN,
        "clock": "wall" if device.type == "cuda" else "CPU time",
        "length": length,
        "cached_seconds": seconds(behind_cache, repeats),
        "uncached_seconds": seconds(all_again, repeats),
        "largest_difference": difference.item(),
    }


def main(argv: list[str] | None = None) -> None:
    """Measure every length and write the record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=40)
    arguments = parser.parse_args(argv)
    torch.set_num_threads(1)
    seed_everything(0)
    config = TransformerConfig(vocab_size=2_000, max_len=max(LENGTHS), **SIZES)
    model = Transformer(config).to(device).eval()
    rows = [measure(model, n, arguments.repeats) for n in LENGTHS]
    save_results("07_decoding", rows)
    for row in rows:
        print(row)


if __name__ == "__main__":
    main()
