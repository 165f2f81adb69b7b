"""Train the encoder–decoders of chapter 01, a row per model and seed.

python experiments/01_the_bottleneck.py

About 12 minutes on two cores. A run that is killed keeps its finished rows
in results/01_the_bottleneck.json; a new run starts again.
"""

import argparse
import multiprocessing
import time
from typing import Any

import torch
from torch import nn

from bertbook.reversal import reversal_accuracy, train_reversal
from bertbook.runtime import save_results, seed_everything
from bertbook.seq2seq import (
    AttentionDecoder,
    AttentionSeq2Seq,
    Seq2Seq,
    Seq2SeqConfig,
)

STEM = "01_the_bottleneck"
NUM_STRINGS = 512
FULL: dict[str, Any] = {
    "training": {
        "num_steps": 4_000,
        "batch_size": 64,
        "min_len": 4,
        "max_len": 20,
        "learning_rate": 3e-3,
    },
    "lengths": [4, 8, 12, 16, 20, 24, 30],
}
REDUCED: dict[str, Any] = {
    "training": {
        "num_steps": 800,
        "batch_size": 64,
        "min_len": 2,
        "max_len": 10,
        "learning_rate": 3e-3,
    },
    "lengths": [2, 4, 6, 8, 10, 12],
}
SETTINGS = {"full": FULL, "reduced": REDUCED}


class LearnedScoreDecoder(AttentionDecoder):
    """The attention decoder with `v` learned, as Bahdanau et al. do."""

    def __init__(self, config: Seq2SeqConfig) -> None:
        super().__init__(config)
        ones = self.v
        del self.v
        self.v = nn.Parameter(ones)


class LearnedScoreSeq2Seq(Seq2Seq):
    """The attention model with 32 parameters more."""

    decoder_class = LearnedScoreDecoder


MODELS: dict[str, type[Seq2Seq]] = {
    "no attention": Seq2Seq,
    "attention": AttentionSeq2Seq,
    "attention, v learned": LearnedScoreSeq2Seq,
}


def run(job: tuple[str, str, int]) -> dict[str, Any]:
    """Train one model from one seed, and measure it at every length."""
    setting, name, seed = job
    torch.set_num_threads(1)
    started = time.perf_counter()
    chosen = SETTINGS[setting]
    generator = seed_everything(seed)
    model = MODELS[name](Seq2SeqConfig())
    losses = train_reversal(model, generator=generator, **chosen["training"])
    measured = {
        length: reversal_accuracy(
            model, length, NUM_STRINGS, torch.Generator().manual_seed(length)
        )
        for length in chosen["lengths"]
    }
    return {
        "setting": setting,
        "model": name,
        "seed": seed,
        "parameters": sum(p.numel() for p in model.parameters()),
        **chosen,
        "strings": NUM_STRINGS,
        "exact_match": [found.exact_match for found in measured.values()],
        "token_accuracy": [found.token for found in measured.values()],
        "last_100_losses": sum(losses[-100:]) / len(losses[-100:]),
        "seconds": round(time.perf_counter() - started, 1),
    }


def main() -> None:
    """Run every setting, model and seed, two at a time."""
    parser = argparse.ArgumentParser(description="Train chapter 01's models.")
    parser.add_argument("--seeds", type=int, nargs="+", default=range(5))
    parser.add_argument(
        "--reduced-seeds", type=int, nargs="+", default=range(10)
    )
    parser.add_argument("--processes", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    jobs = [
        ("reduced", name, seed)
        for seed in arguments.reduced_seeds
        for name in ("no attention", "attention")
    ] + [("full", name, seed) for seed in arguments.seeds for name in MODELS]
    rows: list[dict[str, Any]] = []
    context = multiprocessing.get_context("spawn")
    with context.Pool(arguments.processes) as pool:
        for row in pool.imap_unordered(run, jobs):
            rows.append(row)
            order = {job: place for place, job in enumerate(jobs)}
            rows.sort(key=lambda r: order[r["setting"], r["model"], r["seed"]])
            save_results(STEM, rows)
            print(row["setting"], row["model"], row["seed"], row["seconds"])
            print("  ", [f"{x:.3f}" for x in row["exact_match"]], flush=True)


if __name__ == "__main__":
    main()
