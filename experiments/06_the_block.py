"""Train the sorters of chapter 06: a part missing, other depths, few strings.

python experiments/06_the_block.py            # about 10 minutes on one core

Writes results/06_the_block.json, a row per run. A killed run goes on where
it stopped; `--fresh` starts again.
"""

import argparse
import time
from dataclasses import replace
from typing import Any

import torch

from bertbook.ablation import (
    PARTS,
    TOY,
    Sorter,
    draw_digits,
    sorting_loss,
    train_sorter,
)
from bertbook.runtime import resume, seed_everything

STEM = "06_the_block"
TRAINING: dict[str, Any] = {
    "num_steps": 500,
    "batch_size": 32,
    "learning_rate": 1e-3,
}
REMOVED = [
    "whole block",
    "norm first",
    "without Add",
    "without Norm",
    "without FFN",
    "without ReLU",
]
DEPTHS = [1, 2, 4, 8, 16]
OTHER_ORDERS = ["norm first", "without Norm"]
NUM_HELD_OUT = 512
NUM_FEW = 64
EVERY = 25
Job = tuple[str, str, int, int]
"""What is studied, the block, the number of layers, the seed."""


@torch.no_grad()
def held_out(model: Sorter) -> dict[str, float]:
    """Return loss and accuracy on strings that no seed trains on."""
    digits = draw_digits(
        NUM_HELD_OUT, TOY.max_len, torch.Generator().manual_seed(10_000)
    )
    right = model(digits).argmax(-1) == digits.sort(dim=1).values
    return {
        "held_out_loss": round(sorting_loss(model, digits).item(), 4),
        "held_out_accuracy": round(right.float().mean().item(), 4),
    }


def run(job: Job) -> dict[str, Any]:
    """Train one sorter from one seed, and measure it."""
    study, block, num_layers, seed = job
    started = time.process_time()
    generator = seed_everything(seed)
    model = Sorter(replace(TOY, num_layers=num_layers), PARTS[block])
    few = draw_digits(NUM_FEW, TOY.max_len, generator)
    curve: list[dict[str, float]] = []

    def note(step: int) -> None:
        if step % EVERY == 0:
            with torch.no_grad():
                trained = round(sorting_loss(model, few).item(), 4)
            found = {"step": step, "training_loss": trained}
            curve.append(found | held_out(model))

    extra: dict[str, Any] = {}
    if study == "few strings":
        extra = {"strings": few, "after_step": note}
    losses = train_sorter(model, generator=generator, **TRAINING, **extra)
    row: dict[str, Any] = {
        "study": study,
        "block": block,
        "layers": num_layers,
        "seed": seed,
    }
    row |= {"training": TRAINING, **held_out(model)}
    row |= {"parameters": sum(p.numel() for p in model.parameters())}
    row |= {"last_50_losses": round(sum(losses[-50:]) / 50, 4)}
    row |= {"cpu_seconds": round(time.process_time() - started, 1)}
    return row | ({"curve": curve} if curve else {})


def identity(row: dict[str, Any]) -> Job:
    """Return the job a row belongs to."""
    return row["study"], row["block"], row["layers"], row["seed"]


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description="Train chapter 06's sorters.")
    parser.add_argument("--seeds", type=int, nargs="+", default=range(3))
    parser.add_argument("--fresh", action="store_true")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    layers, seeds = [TOY.num_layers], arguments.seeds
    chosen: list[tuple[str, list[str], list[int]]] = [
        ("removed", REMOVED, layers),
        ("few strings", ["whole block"], layers),
        ("depth", ["whole block"], DEPTHS),
        ("depth", OTHER_ORDERS, DEPTHS[-1:]),
    ]
    jobs: list[Job] = [
        (study, block, num_layers, seed)
        for study, blocks, depths in chosen
        for block in blocks
        for num_layers in depths
        for seed in seeds
    ]
    resume(
        STEM,
        jobs,
        run,
        identity,
        keep=lambda row: row["training"] == TRAINING,
        fresh=arguments.fresh,
    )


if __name__ == "__main__":
    main()
