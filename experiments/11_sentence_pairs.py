"""Train the pair classifiers of chapter 11, and try each on every task.

python experiments/11_sentence_pairs.py     # about 7 minutes on one core

Writes results/11_sentence_pairs.json, a row per run. A killed run goes on
where it stopped; `--fresh` starts again.
"""

import argparse
import time
from typing import Any

import torch

from bertbook.runtime import load_results, save_results, seed_everything
from bertbook.stories import (
    TASKS,
    PairClassifier,
    pair_accuracy,
    train_classifier,
)

STEM = "11_sentence_pairs"
SEEDS = range(4)
NUM_STEPS = {"NSP": 3_000, "SOP": 1_000, "NSP, any stage": 3_000}
TRAINING: dict[str, Any] = {"batch_size": 64, "learning_rate": 1e-3}
NUM_TEST_PAIRS = 4_000
EVERY = 200
Job = tuple[str, int]
"""The task trained on, and the seed."""


def tested(model: PairClassifier, num_pairs: int) -> dict[str, float]:
    """Return the accuracy on each task, on pairs no seed trains on."""
    model.eval()
    found = {
        task: pair_accuracy(
            model, task, num_pairs, torch.Generator().manual_seed(10_000)
        )
        for task in TASKS
    }
    model.train()
    return {task: round(share, 4) for task, share in found.items()}


def run(job: Job) -> dict[str, Any]:
    """Train one classifier from one seed, and test it."""
    task, seed = job
    started = time.process_time()
    generator = seed_everything(seed)
    model = PairClassifier()
    curve: list[dict[str, Any]] = []

    def note(step: int) -> None:
        if step % EVERY == 0:
            curve.append({"step": step} | tested(model, 500))

    num_steps = NUM_STEPS[task]
    losses = train_classifier(
        model, task, num_steps, generator, after_step=note, **TRAINING
    )
    return {
        "task": task,
        "seed": seed,
        "training": TRAINING | {"num_steps": num_steps},
        "tests": tested(model, NUM_TEST_PAIRS),
        "last_50_losses": round(sum(losses[-50:]) / 50, 4),
        "parameters": sum(p.numel() for p in model.parameters()),
        "curve": curve,
        "cpu_seconds": round(time.process_time() - started, 1),
    }


def finished(jobs: list[Job]) -> list[dict[str, Any]]:
    """Return the rows of an earlier run that these jobs would repeat."""
    try:
        rows = load_results(STEM)["rows"]
    except ValueError:
        return []
    return [
        row
        for row in rows
        if (row["task"], row["seed"]) in jobs
        and row["training"] == TRAINING | {"num_steps": NUM_STEPS[row["task"]]}
    ]


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description="Train chapter 11's pairs.")
    parser.add_argument("--seeds", type=int, nargs="+", default=SEEDS)
    parser.add_argument("--fresh", action="store_true")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    jobs: list[Job] = [
        (task, seed) for seed in arguments.seeds for task in NUM_STEPS
    ]
    rows = [] if arguments.fresh else finished(jobs)
    for job in jobs:
        if any((row["task"], row["seed"]) == job for row in rows):
            continue
        row = run(job)
        rows.append(row)
        rows.sort(key=lambda row: jobs.index((row["task"], row["seed"])))
        save_results(STEM, rows)
        print(*job, row["cpu_seconds"], row["tests"], flush=True)


if __name__ == "__main__":
    main()
