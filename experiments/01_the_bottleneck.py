"""Train the encoder–decoders of chapter 01, a row per model and seed.

python experiments/01_the_bottleneck.py            # about 15 minutes
python experiments/01_the_bottleneck.py --weights  # about 3 minutes

The first writes results/01_the_bottleneck.json, a row per model and seed,
and goes on where a killed run stopped (`--fresh` starts again). The second
trains the weights that the check of exercise 01.3 decodes with.
"""

import argparse
import itertools
import multiprocessing
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import nn

from bertbook import checks
from bertbook.reversal import reversal_accuracy, train_reversal
from bertbook.runtime import (
    device,
    load_results,
    save_results,
    seed_everything,
)
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
WEIGHTS = Path(checks.__file__).parent / "data" / "reversal.safetensors"
Job = tuple[str, str, int]
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


def run(job: Job) -> dict[str, Any]:
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


def seconds_of(function: Callable[[], Any], repeats: int = 7) -> float:
    """Return the shortest of several runs, in seconds."""
    function()
    times = []
    for _ in range(repeats):
        started = time.perf_counter()
        function()
        if device.type == "cuda":
            torch.cuda.synchronize()
        times.append(time.perf_counter() - started)
    return min(times)


@torch.no_grad()
def time_layers(length: int, d_model: int = 64) -> dict[str, Any]:
    """Time one GRU layer and one attention layer on one sequence."""
    gru = nn.GRU(d_model, d_model, batch_first=True).to(device)
    inputs = torch.randn(1, length, d_model, device=device)
    return {
        "setting": "time",
        "length": length,
        "d_model": d_model,
        "device": torch.cuda.get_device_name()
        if device.type == "cuda"
        else "cpu, one thread",
        "gru_seconds": seconds_of(lambda: gru(inputs)),
        "attention_seconds": seconds_of(
            lambda: F.scaled_dot_product_attention(inputs, inputs, inputs)
        ),
    }


def save_weights() -> None:
    """Train the attention model with a decaying rate, and keep it."""
    generator = seed_everything(0)
    model = AttentionSeq2Seq(Seq2SeqConfig())
    for learning_rate in (3e-3, 1e-3, 3e-4):
        train_reversal(model, 2_500, generator, learning_rate=learning_rate)
    tested = torch.Generator().manual_seed(1)
    print(reversal_accuracy(model, 20, NUM_STRINGS, tested))
    WEIGHTS.parent.mkdir(exist_ok=True)
    save_file(model.state_dict(), WEIGHTS)


def identity(row: dict[str, Any]) -> Job:
    """Return the job a row belongs to."""
    return row["setting"], row["model"], row["seed"]


def finished(jobs: list[Job]) -> list[dict[str, Any]]:
    """Return the rows of an earlier run that these jobs would repeat."""
    try:
        rows = load_results(STEM)["rows"]
    except ValueError:
        return []
    rows = [row for row in rows if row["setting"] in SETTINGS]
    return [
        row
        for row in rows
        if identity(row) in jobs
        and SETTINGS[row["setting"]].items() <= row.items()
    ]


def run_all(jobs: list[Job], rows: list[dict[str, Any]]) -> None:
    """Run the jobs that have no row yet, two at a time, saving each."""
    missing = [job for job in jobs if job not in map(identity, rows)]
    context = multiprocessing.get_context("spawn")
    with context.Pool(2) as pool:
        for row in pool.imap_unordered(run, missing):
            rows.append(row)
            rows.sort(key=lambda row: jobs.index(identity(row)))
            save_results(STEM, rows)
            print(row["setting"], row["model"], row["seed"], row["seconds"])
            print("  ", [f"{x:.3f}" for x in row["exact_match"]], flush=True)


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description="Train chapter 01's models.")
    parser.add_argument("--seeds", type=int, nargs="+", default=range(5))
    parser.add_argument("--fresh", action="store_true")
    parser.add_argument("--weights", action="store_true")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    if arguments.weights:
        save_weights()
        return
    short = list(MODELS)[:2]
    jobs = [
        *itertools.product(["reduced"], short, range(10)),
        *itertools.product(["full"], MODELS, arguments.seeds),
    ]
    rows = [] if arguments.fresh else finished(jobs)
    run_all(jobs, rows)
    times = [time_layers(length) for length in (64, 128, 256, 512, 1024)]
    save_results(STEM, rows + times)


if __name__ == "__main__":
    main()
