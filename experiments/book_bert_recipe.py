"""Try the recipe of the book's own BERT: one change at a time, equal work.

python experiments/book_bert_recipe.py --corpus runs/book-bert/corpus

Every candidate gets the operations of 1,000 steps of the first recipe, and is
measured on held-out documents. Takes about 8 minutes a candidate on one CPU
core. Writes results/10_recipes.json; a killed run goes on where it stopped.
"""

import argparse
import tempfile
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch

from bertbook.bert import Bert, BertForMaskedLM, RotaryEmbeddings
from bertbook.blocks import PreNormAdd
from bertbook.masking import IGNORED
from bertbook.positions import RotaryAttention
from bertbook.pretraining.config import PretrainingConfig, read_config
from bertbook.pretraining.loop import Run
from bertbook.pretraining.minimal_pairs import minimal_pairs, preferred
from bertbook.pretraining.plan import parameter_count, run_flops
from bertbook.pretraining.prepare import prepare
from bertbook.runtime import resume
from bertbook.tokenization import WordPiece
from bertbook.transformer import Encoder

STEM = "10_recipes"
RECIPE = Path(__file__).with_name("book_bert.toml")
BUDGET = 1_000
"""Steps of the first recipe; others take as many as cost the same."""
FIRST = "the first recipe"
START: dict[str, Any] = {"select_prob": 0.15}
"""What it had otherwise than the recipe has now, after this search."""
SHORT_FIRST = ((0.0, "16"), (0.12, "16,32"), (0.24, "16,32,64,128"))
"""From which share of the steps on which lengths are drawn."""
CHANGES: dict[str, dict[str, Any]] = {
    FIRST: {},
    "absolute positions": {"model": "bert"},
    "long sequences from the start": {"stages": "0:128"},
    "learning rate 5e-4": {"learning_rate": 5e-4},
    "learning rate 2e-3": {"learning_rate": 2e-3},
    "1,024 tokens a step": {"rows": 8},
    "4,096 tokens a step": {"rows": 32},
    "30 % chosen": {"select_prob": 0.3},
    "40 % chosen": {"select_prob": 0.4},
    "4 layers, 320 wide": {
        "num_layers": 4, "d_model": 320, "num_heads": 5, "d_ff": 1_280,
    },
    "norm before": {},
    "vocabulary 4,096": {"vocab_size": 4_096},
}  # fmt: skip
Job = tuple[str, int]
"""A change, and the seed."""

AGAIN: tuple[Job, ...] = ((FIRST, 1), (FIRST, 2), ("30 % chosen", 1))
"""What is run from more seeds than one."""


class PreNormBert(Bert):
    """A rotary BERT that normalizes before each sub-layer."""

    embeddings_type = RotaryEmbeddings

    def __init__(self, config: Any) -> None:
        super().__init__(config)
        self.encoder = Encoder(config, RotaryAttention, PreNormAdd)
        for name, part in self.encoder.named_parameters():
            if name.endswith("weight") and part.ndim > 1:
                torch.nn.init.normal_(part, std=0.02)
            elif name.endswith("bias"):
                torch.nn.init.zeros_(part)


class PreNormConfig(PretrainingConfig):
    """Settings of a run that builds a `PreNormBert`."""

    def build(self) -> BertForMaskedLM:
        """Return the untrained model."""
        return BertForMaskedLM(PreNormBert(self.bert_config()))


def settings_of(job: Job) -> PretrainingConfig:
    """Return the settings of a job: the change, and the steps it can afford.

    Warm-up and stages are the first's, at the same shares of the steps.
    """
    change, seed = job
    recipe = START | {"seed": seed, "checkpoint_every": 100_000}
    full = read_config(RECIPE, recipe | {"stages": "0:128", "steps": BUDGET})
    kind = PreNormConfig if change == "norm before" else PretrainingConfig
    chosen: dict[str, Any] = asdict(full) | CHANGES[change]
    one = run_flops(kind(**{**chosen, "steps": 1}))
    steps = round(run_flops(full) / one)
    chosen |= {"steps": steps, "warmup": steps // 12, "evaluate_every": steps}
    if "stages" not in CHANGES[change]:
        stages = (f"{round(at * steps)}:{each}" for at, each in SHORT_FIRST)
        chosen["stages"] = " ".join(stages)
    return kind(**chosen)


def measure_of(config: PretrainingConfig) -> PretrainingConfig:
    """Return how a candidate is measured: all are asked in the same way."""
    return replace(
        config,
        held_out_rows=256,
        select_prob=PretrainingConfig.select_prob,
        masking="tokens",
        stages=f"0:{config.width}",
    )


def loss_per_word(run: Run, folder: Path) -> float:
    """Return the nats that a hidden whole word costs, in all its pieces.

    Unlike the loss of a piece, it can be compared between vocabularies.
    """
    whole = replace(run.config, masking="words")
    stores = run.batches.sampler.store, run.held_out.sampler.store
    other = Run(whole, run.vocabulary, *stores, folder)
    other.plain.load_state_dict(run.plain.state_dict())
    words, pieces = 0, 0
    for _, masked in other.held_out.held_out():
        chosen = masked.labels[masked.labels != IGNORED]
        pieces += len(chosen)
        words += int((~other.held_out.continues[chosen]).sum())
    return other.evaluate()[0] * pieces / words


def run_job(job: Job, corpus: Path) -> dict[str, Any]:
    """Train one candidate, and measure it."""
    started = time.process_time()
    config = settings_of(job)
    own = config.vocab_size != read_config(RECIPE, {}).vocab_size
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        texts = prepare(
            "book",
            "train",
            config.vocab_size,
            place / "corpus" if own else corpus,
        )
        run = Run(config, *texts, place / "run")
        model = run.train().eval()
        asked = Run(measure_of(config), *texts, place / "asked")
        asked.plain.load_state_dict(model.state_dict())
        loss, accuracy = asked.evaluate()
        word = loss_per_word(asked, place / "words")
        (place / "vocab.txt").write_text("\n".join(texts.vocabulary) + "\n")
        tokenizer = WordPiece.from_file(place / "vocab.txt")
    pairs = {
        name: round(preferred(model, tokenizer, each), 3)
        for name, each in minimal_pairs().items()
    }
    return {
        "change": job[0],
        "seed": job[1],
        "settings": asdict(config),
        "format": run.facts["format"],
        "parameters": parameter_count(config),
        "flops": run_flops(config),
        "tokens": run.log.records[-1]["tokens"],
        "loss": round(loss, 4),
        "accuracy": round(accuracy, 4),
        "loss_per_word": round(word, 4),
        "minimal_pairs": pairs,
        "cpu_seconds": round(time.process_time() - started, 1),
    }


def identity(row: dict[str, Any]) -> Job:
    """Return the job a row belongs to."""
    return row["change"], row["seed"]


def main() -> None:
    """Run the candidates that are missing."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--fresh", action="store_true")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    jobs: list[Job] = [(change, 0) for change in CHANGES] + [*AGAIN]
    resume(
        STEM,
        jobs,
        lambda job: run_job(job, arguments.corpus),
        identity,
        keep=lambda row: row["settings"] == asdict(settings_of(identity(row))),
        fresh=arguments.fresh,
    )


if __name__ == "__main__":
    main()
