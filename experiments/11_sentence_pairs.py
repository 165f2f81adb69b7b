"""Train the pair classifiers of chapter 11, and try each on every task.

python experiments/11_sentence_pairs.py     # about 13 minutes on one core

Writes results/11_sentence_pairs.json, a row per run. A killed run goes on
where it stopped; `--fresh` starts again.
"""

import argparse
import time
from typing import Any

import torch

from bertbook.runtime import resume, seed_everything
from bertbook.stories import (
    TASKS,
    PairClassifier,
    pair_accuracy,
    train_classifier,
)

STEM = "11_sentence_pairs"
SEEDS = range(8)
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


def identity(row: dict[str, Any]) -> Job:
    """Return the job a row belongs to."""
    return row["task"], row["seed"]


def as_set(row: dict[str, Any]) -> bool:
    """Return whether a row was trained as the settings above say."""
    return row["training"] == TRAINING | {"num_steps": NUM_STEPS[row["task"]]}


def main() -> None:
    """Run what is missing."""
    parser = argparse.ArgumentParser(description="Train chapter 11's pairs.")
    parser.add_argument("--fresh", action="store_true")
    fresh: bool = parser.parse_args().fresh
    torch.set_num_threads(1)
    jobs = [(task, seed) for seed in SEEDS for task in NUM_STEPS]
    resume(STEM, jobs, run, identity, keep=as_set, fresh=fresh)


if __name__ == "__main__":
    main()
