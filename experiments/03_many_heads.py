"""Train the readers of chapter 03, a row per setting and seed.

python experiments/03_many_heads.py    # a few minutes on one core

"street" is the chapter's experiment with more seeds. "suitcase" needs the
order of the nouns: the same words in another order have another answer.
"""

import argparse
import itertools
import time
from typing import Any

import torch

from bertbook.coreference import (
    Reading,
    accuracy,
    encode,
    read_causal_at_it,
    read_causal_at_last,
    read_full,
    train_on,
)
from bertbook.runtime import device, save_results

STEM = "03_many_heads"
READINGS: dict[str, Reading] = {
    "full attention": read_full,
    "causal, read at it": read_causal_at_it,
    "causal, read at the last word": read_causal_at_last,
}
NUM_STEPS = {"street": 300, "suitcase": 1_000}


def run(frame: str, reading: str, seed: int) -> dict[str, Any]:
    """Train one model, and measure it on unseen noun pairs."""
    started = time.perf_counter()
    chosen, steps = READINGS[reading], NUM_STEPS[frame]
    model, ids, unseen = train_on([frame], chosen, seed=seed, num_steps=steps)
    found = accuracy(model, encode(unseen[0], ids).to(device), chosen)
    return {
        "frame": frame,
        "reading": reading,
        "seed": seed,
        "num_steps": steps,
        "sentences": len(unseen[0]),
        "accuracy": round(found, 4),
        "seconds": round(time.perf_counter() - started, 1),
    }


def main() -> None:
    """Run every setting and seed, saving after each."""
    parser = argparse.ArgumentParser(description="Train chapter 03's models.")
    parser.add_argument("--seeds", type=int, nargs="+", default=range(3))
    seeds = parser.parse_args().seeds
    torch.set_num_threads(1)
    rows = []
    for frame, reading in itertools.product(NUM_STEPS, READINGS):
        for seed in seeds:
            rows.append(run(frame, reading, seed))
            save_results(STEM, rows)
            print(rows[-1], flush=True)


if __name__ == "__main__":
    main()
