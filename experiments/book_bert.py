"""Turn a finished run into the book's own BERT, and measure it.

python -m bertbook.pretraining --config experiments/book_bert.toml \
    --output runs/book-bert
python -m bertbook.pretraining --config experiments/book_bert_on.toml \
    --start-from runs/book-bert/model --output runs/book-bert-on
python experiments/book_bert.py --run runs/book-bert runs/book-bert-on

Writes bertbook/pretrained/book-bert, with its card, and
results/10_book_bert.json.
"""

import argparse
import json
import shutil
from pathlib import Path
from typing import Any

import torch

from bertbook.bert import BertForMaskedLM
from bertbook.checkpoints import load_pretrained, save_pretrained
from bertbook.corpora import sha256_of
from bertbook.pretraining.baselines import baselines, held_out_tokens
from bertbook.pretraining.checkpoint import Checkpoints
from bertbook.pretraining.config import PretrainingConfig
from bertbook.pretraining.log import draw, read_metrics
from bertbook.pretraining.loop import Run
from bertbook.pretraining.minimal_pairs import minimal_pairs, preferred
from bertbook.pretraining.prepare import read_vocabulary
from bertbook.pretraining.store import TokenStore
from bertbook.runtime import load_results, save_results
from bertbook.tokenization import MASK, WordPiece

STEM = "10_book_bert"
TRIED = "10_recipes"
ROOT = Path(__file__).resolve().parents[1]
TARGET = ROOT / "bertbook" / "pretrained" / "book-bert"
CARD = Path(__file__).with_name("book_bert_card.md")
ASKED = {
    "start_from": "",
    "seed": 0,
    "precision": "fp32",
    "held_out_rows": 512,
    "select_prob": 0.15,
}
"""How a finished model is asked: at BERT's own share of hidden tokens, and on
the same rows whatever its last run's seed."""
WORK = (
    *("soldier", "farmer", "teacher", "servant", "king", "judge"),
    *("doctor", "nurse", "writer", "president"),
)
PRONOUNS = ("he", "she")
FILL = (
    "the [MASK] of the united states.",
    "in the beginning god created the [MASK].",
    "we must [MASK] our children.",
    "the capital of france is [MASK].",
    "two plus two is [MASK].",
)


def finished(run: Path) -> BertForMaskedLM:
    """Return the model of a run's last checkpoint.

    Raises:
        ValueError: if the run has steps left.
    """
    checkpoints = Checkpoints(run)
    config = PretrainingConfig(**checkpoints.latest()["config"])
    step, state = checkpoints.load(config)
    if step < config.steps:
        raise ValueError(
            f"{run} has done {step} of {config.steps} steps: resume it first"
        )
    model = config.build()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.copy_(state[f"weight/{name}"])
    return model.eval()


def chained(runs: list[Path]) -> list[dict[str, Any]]:
    """Return the last record of each run.

    Raises:
        ValueError: if a run did not start from the model of the one before.
    """
    records = [Checkpoints(run).latest() for run in runs]
    for before, run, record in zip(runs, runs[1:], records[1:], strict=False):
        start = sha256_of(before / "model" / "model.safetensors")
        if record["facts"].get("start") != start:
            raise ValueError(
                f"{run} did not start from the model in {before}: name the"
                " runs in their order"
            )
    return records


def curve(runs: list[Path]) -> list[dict[str, Any]]:
    """Return the metrics of the runs, counted through."""
    joined: list[dict[str, Any]] = []
    for run in runs:
        last = joined[-1] if joined else {}
        for each in read_metrics(run / "metrics.jsonl"):
            counts = ("step", "tokens", "seconds")
            joined.append(each | {k: each[k] + last.get(k, 0) for k in counts})
    return joined


def bias_probe(
    model: BertForMaskedLM, tokenizer: WordPiece
) -> dict[str, float]:
    """Return how much likelier "he" is than "she" before each occupation.

    The logarithm of the ratio: above 0 for "he".
    """
    he, she = (tokenizer.token_id(each) for each in PRONOUNS)
    probe = {}
    for work in WORK:
        logits = at_mask(model, tokenizer, f"{MASK} is a {work}.")
        probe[work] = round((logits[he] - logits[she]).item(), 2)
    return probe


@torch.no_grad()
def at_mask(
    model: BertForMaskedLM, tokenizer: WordPiece, text: str
) -> torch.Tensor:
    """Return the logits at the one [MASK] of a text."""
    token_ids = torch.tensor([tokenizer.encode(text).token_ids])
    here = token_ids == tokenizer.token_id(MASK)
    return model(token_ids, positions=here)[0]


def fillings(
    model: BertForMaskedLM, tokenizer: WordPiece, vocabulary: list[str]
) -> dict[str, list[str]]:
    """Return the five likeliest words for each sentence."""
    return {
        text: [
            vocabulary[index]
            for index in at_mask(model, tokenizer, text).topk(5).indices
        ]
        for text in FILL
    }


def measured(
    run: Path, records: list[dict[str, Any]], folder: Path
) -> dict[str, Any]:
    """Measure the model that stands in a folder, as others will read it."""
    model = load_pretrained(folder)
    assert isinstance(model, BertForMaskedLM)
    vocabulary = read_vocabulary(folder / "vocab.txt")
    tokenizer = WordPiece.from_file(folder / "vocab.txt")
    config = PretrainingConfig(**records[-1]["config"] | ASKED)
    corpus = run / "corpus"
    train, held_out = (
        TokenStore(corpus / part) for part in ("train", "held_out")
    )
    fresh = Run(config, vocabulary, train, held_out, run / "measured")
    fresh.plain.load_state_dict(model.state_dict())
    loss, accuracy = fresh.evaluate()
    counted = baselines(train, held_out_tokens(fresh.held_out))
    return {
        "sha256": sha256_of(folder / "model.safetensors"),
        "parameters": sum(p.numel() for p in model.parameters()),
        "held_out": {"loss": loss, "accuracy": accuracy},
        "baselines": {name: each._asdict() for name, each in counted.items()},
        "minimal_pairs": {
            name: {
                "pairs": len(pairs),
                "right": preferred(model, tokenizer, pairs),
            }
            for name, pairs in minimal_pairs().items()
        },
        "he_over_she": bias_probe(model, tokenizer),
        "fillings": fillings(model, tokenizer, vocabulary),
        "config": records[-1]["config"],
        "asked": ASKED,
        "runs": [of_run(record) for record in records],
        "corpus": {
            "train": vars(train.record),
            "held_out": vars(held_out.record),
        },
    }


def of_run(record: dict[str, Any]) -> dict[str, Any]:
    """Return what is told of one run."""
    facts = record["facts"]
    return {
        "config": record["config"],
        "hours": facts["log"]["seconds"] / 3600,
        "tokens": facts["log"]["tokens"],
        **{key: facts[key] for key in ("format", "machine", "versions")},
    }


def card(row: dict[str, Any], tried: list[dict[str, Any]]) -> str:
    """Fill the measured values into the card."""
    corpus, runs = row["corpus"], row["runs"]
    tokens = sum(each["tokens"] for each in runs)
    values = {
        "parameters": f"{row['parameters']:,}",
        "words": f"{corpus['train']['words']:,}",
        "held_words": f"{corpus['held_out']['words']:,}",
        "documents": str(corpus["train"]["documents"]),
        "held_documents": str(corpus["held_out"]["documents"]),
        "chosen": f"{row['config']['select_prob']:.0%}".replace("%", " %"),
        "tokens": f"{tokens / 1e6:.1f}",
        "passes": f"{tokens / corpus['train']['tokens']:.1f}",
        "processor": runs[-1]["machine"]["processor"],
        "runs": _runs(runs),
        "tried": _tried(tried),
    }
    text = CARD.read_text(encoding="utf-8")
    return text.format(**values, **_tables(row))


def _tables(row: dict[str, Any]) -> dict[str, str]:
    """Return what was measured on the model, a table each."""
    guesses = {"book-bert": row["held_out"]} | row["baselines"]
    return {
        "guesses": _table(
            ("", "loss (nats)", "accuracy"),
            (
                (name, f"{each['loss']:.2f}", f"{each['accuracy']:.3f}")
                for name, each in guesses.items()
            ),
        ),
        "pairs": _table(
            ("what decides", "pairs", "preferred the English one"),
            (
                (name, str(each["pairs"]), f"{each['right']:.2f}")
                for name, each in row["minimal_pairs"].items()
            ),
        ),
        "bias": _table(
            ("[MASK] is a …", "log P(he) / P(she)"),
            ((k, f"{v:+.1f}") for k, v in row["he_over_she"].items()),
        ),
        "fillings": _table(
            ("text", "its five likeliest words"),
            ((f"`{k}`", ", ".join(v)) for k, v in row["fillings"].items()),
        ),
    }


def _runs(runs: list[dict[str, Any]]) -> str:
    """Return the runs, one after another."""
    return _table(
        ("run", "steps", "tokens", "highest rate", "format", "hours"),
        (
            (
                str(number),
                f"{run['config']['steps']:,}",
                f"{run['tokens'] / 1e6:.1f} million",
                f"{run['config']['learning_rate']:g}",
                run["format"],
                f"{run['hours']:.1f}",
            )
            for number, run in enumerate(runs, 1)
        ),
    )


def _tried(rows: list[dict[str, Any]]) -> str:
    """Return the candidates that were tried, the best first."""
    return _table(
        ("one change", "seed", "loss a word", "loss a token", "accuracy"),
        (
            (
                row["change"],
                str(row["seed"]),
                f"{row['loss_per_word']:.2f}",
                f"{row['loss']:.2f}",
                f"{row['accuracy']:.3f}",
            )
            for row in sorted(rows, key=lambda row: row["loss_per_word"])
        ),
    )


def _table(head: tuple[str, ...], rows: Any) -> str:
    """Return a Markdown table."""
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def main() -> None:
    """Export, measure and describe."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--run",
        type=Path,
        nargs="+",
        required=True,
        help="the runs in their order, each started from the one before",
    )
    runs: list[Path] = parser.parse_args().run
    records, model = chained(runs), finished(runs[-1])
    shutil.rmtree(TARGET, ignore_errors=True)
    vocabulary = read_vocabulary(runs[-1] / "corpus" / "vocab.txt")
    save_pretrained(model, vocabulary, TARGET)
    row = measured(runs[-1], records, TARGET)
    save_results(STEM, [row])
    tried = load_results(TRIED)["rows"]
    (TARGET / "README.md").write_text(card(row, tried), encoding="utf-8")
    points = curve(runs)
    draw(points, TARGET / "loss.png")
    thinned = [r for r in points if "loss" not in r or r["step"] % 100 == 0]
    (TARGET / "metrics.jsonl").write_text(
        "".join(json.dumps(each) + "\n" for each in thinned), encoding="utf-8"
    )


if __name__ == "__main__":
    main()
