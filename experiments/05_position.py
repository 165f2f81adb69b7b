"""Train the five readers of chapter 05 on short strings, try them on long.

python experiments/05_position.py            # about 10 minutes on one core

Writes results/05_position.json, a row per setting, scheme and seed. A killed
run goes on where it stopped; `--fresh` starts again.
"""

import argparse
import itertools
import time
from typing import Any

import torch

from bertbook.lookback import (
    SCHEMES,
    MarkerReader,
    fill_far_buckets,
    marked_strings,
    right_answers,
    train_reader,
)
from bertbook.positions import RelativeBias
from bertbook.runtime import resume, seed_everything

STEM = "05_position"
LENGTHS = [10, 15, 20, 25, 30, 40, 50, 60]
NUM_STRINGS = 1_000
SETTINGS: dict[str, dict[str, Any]] = {
    "full": {"num_steps": 1_500, "max_len": 20, "learning_rate": 3e-3},
    "reduced": {"num_steps": 400, "max_len": 20, "learning_rate": 3e-3},
    "mended": {"num_steps": 400, "max_len": 20, "learning_rate": 3e-3},
}
LIVE = ("sinusoidal", "relative", "rotary")
"""The schemes that the notebook trains again, reduced."""
FARTHEST = 15
"""Mended: buckets beyond this distance get the numbers of its bucket."""
Job = tuple[str, str, int]


def measure(model: MarkerReader) -> dict[str, Any]:
    """Return accuracy by length, and at the longest by the marker's place."""
    by_length, by_place = [], []
    for length in LENGTHS:
        drawn = torch.Generator().manual_seed(length)
        strings = marked_strings(NUM_STRINGS, length, drawn)
        right = right_answers(model, strings)
        by_length.append(round(right.mean().item(), 4))
        if length == LENGTHS[-1]:
            decade = strings.places // 10
            by_place = [
                round(right[decade == i].mean().item(), 4)
                for i in range(length // 10)
            ]
    return {
        "lengths": LENGTHS,
        "strings": NUM_STRINGS,
        "accuracy": by_length,
        "accuracy_by_ten_places": by_place,
    }


def run(job: Job) -> dict[str, Any]:
    """Train one reader from one seed, and measure it."""
    setting, scheme, seed = job
    started = time.process_time()
    generator = seed_everything(seed)
    model = MarkerReader(scheme)
    losses = train_reader(model, generator=generator, **SETTINGS[setting])
    if setting == "mended":
        for part in model.modules():
            if isinstance(part, RelativeBias):
                fill_far_buckets(part, FARTHEST)
    return {
        "setting": setting,
        "scheme": scheme,
        "seed": seed,
        "training": SETTINGS[setting],
        "parameters": sum(p.numel() for p in model.parameters()),
        **measure(model),
        "last_100_losses": round(sum(losses[-100:]) / 100, 4),
        "cpu_seconds": round(time.process_time() - started, 1),
    }


def identity(row: dict[str, Any]) -> Job:
    """Return the job a row belongs to."""
    return row["setting"], row["scheme"], row["seed"]


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description="Train chapter 05's readers.")
    parser.add_argument("--seeds", type=int, nargs="+", default=range(5))
    parser.add_argument("--fresh", action="store_true")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    jobs = [
        *itertools.product(["reduced"], LIVE, range(6)),
        *itertools.product(["mended"], ["relative"], range(6)),
        *itertools.product(["full"], SCHEMES, arguments.seeds),
    ]
    resume(
        STEM,
        jobs,
        run,
        identity,
        keep=lambda row: row["training"] == SETTINGS[row["setting"]],
        fresh=arguments.fresh,
    )


if __name__ == "__main__":
    main()
