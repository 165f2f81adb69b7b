"""Train the small BERTs of chapter 10: four kinds of positions, five masks.

python experiments/10_masked_language_modelling.py   # about 40 minutes

Writes results/10_masked_language_modelling.json (positions) and
results/10_masking.json, a row per run. A killed run goes on where it stopped;
`--fresh` starts again, `--study positions` runs one study alone.
"""

import argparse
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F

from bertbook import corpora
from bertbook.bert import Bert, BertForMaskedLM, RotaryEmbeddings
from bertbook.masking import IGNORED
from bertbook.positions import RelativeAttention, RelativeBias
from bertbook.pretraining.baselines import baselines, held_out_tokens
from bertbook.pretraining.batches import Batches
from bertbook.pretraining.config import PretrainingConfig
from bertbook.pretraining.loop import Run
from bertbook.pretraining.rows import Rows
from bertbook.pretraining.store import (
    TokenStore,
    build_store,
    train_wordpieces,
)
from bertbook.runtime import resume

STEMS = {
    "positions": "10_masked_language_modelling",
    "masking": "10_masking",
}
SINCE = 1960
VOCAB_SIZE = 2_048
SHARED: Any = {
    "vocab_size": VOCAB_SIZE,
    "num_layers": 2,
    "d_model": 128,
    "num_heads": 2,
    "d_ff": 512,
    "max_len": 64,
    "width": 64,
    "rows": 8,
    "learning_rate": 1e-3,
    "warmup": 100,
    "decay": 0.2,
    "stages": "0:64",
    "checkpoint_every": 100_000,
}
SHORT_FIRST = "0:8 600:8,16 900:16,32,64"
POSITIONS: dict[str, dict[str, Any]] = {
    "absolute": {},
    "absolute, short first": {"stages": SHORT_FIRST},
    "relative": {},
    "rotary": {"model": "rotary-bert"},
}
RECIPES = ("100/0/0", "80/20/0", "80/10/10", "80/0/20", "0/0/100")
"""Shares of the chosen tokens: [MASK], unchanged, random, as in the paper."""
STEPS = {"positions": 4_500, "masking": 3_000}
SEEDS = range(3)
Job = tuple[str, str, int]
"""The study, the setting, and the seed."""


class RelativeBert(Bert):
    """BERT that knows distances by a bias, and has no position table."""

    embeddings_type = RotaryEmbeddings
    attention_type = RelativeAttention


class RelativeConfig(PretrainingConfig):
    """Settings of a run that builds a `RelativeBert`."""

    def build(self) -> BertForMaskedLM:
        """Return the untrained model."""
        return BertForMaskedLM(RelativeBert(self.bert_config()))


def prepare(folder: Path) -> tuple[list[str], TokenStore, TokenStore]:
    """Make the vocabulary and the stores of the speeches since 1960."""
    speeches = [
        corpora.Document("sotu", f"{number}: {a.date}", a.text)
        for number, a in enumerate(corpora.sotu())
        if a.year >= SINCE
    ]
    parts = corpora.hold_out(speeches)
    vocabulary = train_wordpieces(parts.train, VOCAB_SIZE)
    return (
        vocabulary,
        build_store(parts.train, vocabulary, folder / "train"),
        build_store(parts.held_out, vocabulary, folder / "held_out"),
    )


def settings_of(job: Job) -> PretrainingConfig:
    """Return the settings of a job."""
    study, setting, seed = job
    steps = STEPS[study]
    chosen: Any = SHARED | {
        "steps": steps,
        "evaluate_every": 100,
        "seed": seed,
    }
    if study == "positions":
        chosen |= POSITIONS[setting]
        kind = RelativeConfig if setting == "relative" else PretrainingConfig
        return kind(**chosen)
    mask, _, random = (int(share) / 100 for share in setting.split("/"))
    chosen |= {"model": "rotary-bert", "evaluate_every": steps}
    chosen |= {"mask_prob": mask, "random_prob": random}
    return PretrainingConfig(**chosen)


@torch.no_grad()
def read_as(run: Run, kind: str) -> dict[str, float]:
    """Ask for the same held-out tokens, hidden behind [MASK] or in sight."""
    recipe: Any = SHARED | {"mask_prob": 1.0, "random_prob": 0.0}
    config = PretrainingConfig(**recipe)
    store = run.held_out.sampler.store
    batches = Batches(store, config, run.vocabulary)
    run.plain.eval()
    loss, hits, count = 0.0, 0, 0
    for first in range(0, 128, 16):
        rows = batches.sampler.rows(first, 16, [64])
        masked = batches.mask(rows.token_ids, first)
        chosen = masked.labels != IGNORED
        if kind == "hidden":
            rows = rows._replace(token_ids=masked.token_ids)
        logits = guess(run, rows, chosen)
        wanted = masked.labels[chosen]
        loss += F.cross_entropy(logits, wanted, reduction="sum").item()
        hits += int((logits.argmax(-1) == wanted).sum())
        count += len(wanted)
    run.plain.train()
    return {"loss": round(loss / count, 4), "accuracy": round(hits / count, 4)}


def guess(run: Run, rows: Rows, chosen: torch.Tensor) -> torch.Tensor:
    """Return the model's scores at the chosen places."""
    return run.plain(
        rows.token_ids,
        mask=rows.mask,
        position_ids=rows.position_ids,
        positions=chosen,
    ).float()


def largest_bias(run: Run) -> float:
    """Return the largest number that a relative bias has come to."""
    tables = [
        module.table.weight.max().item()
        for module in run.plain.modules()
        if isinstance(module, RelativeBias)
    ]
    return round(max(tables), 4)


def run_job(
    job: Job, prepared: tuple[list[str], TokenStore, TokenStore]
) -> dict[str, Any]:
    """Train one model from one seed, and measure it."""
    study, setting, seed = job
    started = time.process_time()
    config = settings_of(job)
    with tempfile.TemporaryDirectory() as folder:
        run = Run(config, *prepared, Path(folder) / "run")
        run.train()
    looks = [r for r in run.log.records if "held_out_loss" in r]
    row: dict[str, Any] = {
        "study": study,
        "setting": setting,
        "seed": seed,
        "settings": asdict(config),
        "class": type(run.plain.bert).__name__,
        "format": run.facts["format"],
        "curve": {
            "tokens": [r["tokens"] for r in looks],
            "loss": [round(r["held_out_loss"], 4) for r in looks],
            "accuracy": [round(r["held_out_accuracy"], 4) for r in looks],
        },
    }
    if study == "masking":
        row |= {kind: read_as(run, kind) for kind in ("hidden", "in sight")}
    else:
        counted = baselines(prepared[1], held_out_tokens(run.held_out))
        row["baselines"] = {k: v._asdict() for k, v in counted.items()}
    if setting == "relative":
        row["largest_bias"] = largest_bias(run)
    row["cpu_seconds"] = round(time.process_time() - started, 1)
    return row


def identity(row: dict[str, Any]) -> Job:
    """Return the job a row belongs to."""
    return row["study"], row["setting"], row["seed"]


def jobs_of(study: str, seeds: Sequence[int]) -> list[Job]:
    """List the jobs of a study, seed by seed."""
    settings = POSITIONS if study == "positions" else RECIPES
    return [(study, setting, seed) for seed in seeds for setting in settings]


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description="Train chapter 10's BERTs.")
    parser.add_argument("--seeds", type=int, nargs="+", default=SEEDS)
    parser.add_argument("--study", choices=STEMS, action="append")
    parser.add_argument("--fresh", action="store_true")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        prepared = prepare(Path(folder))
        for study in arguments.study or STEMS:
            resume(
                STEMS[study],
                jobs_of(study, arguments.seeds),
                lambda job: run_job(job, prepared),
                identity,
                keep=lambda row: (
                    row["settings"] == asdict(settings_of(identity(row)))
                ),
                fresh=arguments.fresh,
            )


if __name__ == "__main__":
    main()
