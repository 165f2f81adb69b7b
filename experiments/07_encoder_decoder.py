"""Train the translators of chapter 07, a row per model and seed.

nice -n 10 python experiments/07_encoder_decoder.py    # 20 minutes, one core

Three settings: `toy`, the word-order task that the chapter runs again live;
`sweep`, shorter runs that choose a learning rate for each model by its loss
on the dev verses; `verses`, King James to modern English. Each finished run
is saved to results/07_encoder_decoder.json, and a killed run goes on from
there (`--fresh` starts again).
"""

import argparse
import itertools
import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from functools import cache
from typing import Any

import sacrebleu
import torch
from tokenizers import Tokenizer

from bertbook import corpora, word_order
from bertbook.attention import MultiHeadAttention
from bertbook.blocks import PreNormAdd
from bertbook.corpora import Pair, Splits
from bertbook.runtime import resume, seed_everything
from bertbook.seq2seq import AttentionSeq2Seq, Seq2Seq, Seq2SeqConfig
from bertbook.transformer import Transformer, TransformerConfig
from bertbook.translation import (
    END_ID,
    START_ID,
    Example,
    TrainingConfig,
    Translator,
    add_dropout,
    collate,
    train_translator,
    train_vocabulary,
    translate,
    translation_loss,
)

STEM = "07_encoder_decoder"
VOCAB_SIZE, MAX_LEN = 2_000, 96
TRAINING = TrainingConfig(num_steps=1_500, batch_size=32, half=True)
DROPOUT = 0.1
SWEEP_STEPS, SWEEP_SEED = 600, 100
RATES = (5e-4, 1e-3, 2e-3, 4e-3, 8e-3)
TOY = TrainingConfig(num_steps=400, batch_size=64, learning_rate=3e-3)
TOY_PAIRS = (4_000, 500)
EDGES = (5, 8, 11, 14, 17, 20)
"""Bins of the source's length: up to 5 words, 6 to 8, and so on."""
SAMPLES = (3, 200, 400, 600, 800)
MODELS = ("Transformer", "GRU", "GRU with attention")
TOYS = ("Transformer", "Transformer, leaking mask")
Job = tuple[str, str, int, float]
"""A setting, a model, a seed, and the highest learning rate."""
COPY: Job = ("copy", "the source", 0, 0.0)


def build(name: str) -> Translator:
    """Return an untrained model: 0.92 million parameters, and dropout."""
    if name == "Transformer":
        config = TransformerConfig(
            vocab_size=VOCAB_SIZE,
            d_model=128,
            num_heads=4,
            d_ff=256,
            num_layers=2,
            dropout=DROPOUT,
            max_len=MAX_LEN,
        )
        return Transformer(config, MultiHeadAttention, PreNormAdd)
    plain = name == "GRU"
    kind = Seq2Seq if plain else AttentionSeq2Seq
    model = kind(
        Seq2SeqConfig(
            vocab_size=VOCAB_SIZE,
            d_embedding=128,
            d_hidden=173 if plain else 118,
            d_attention=64,
            max_len=MAX_LEN,
            start_id=START_ID,
            end_id=END_ID,
        )
    )
    add_dropout(model, DROPOUT)
    return model


def build_toy(name: str) -> Transformer:
    """Return an untrained toy Transformer, with or without the leak."""
    config = TransformerConfig(
        vocab_size=len(word_order.WORDS),
        d_model=32,
        num_heads=4,
        d_ff=64,
        num_layers=1,
        dropout=0.0,
        max_len=16,
    )
    leaking = name != "Transformer"
    return (word_order.LeakyTransformer if leaking else Transformer)(config)


def bleu_chrf(
    outputs: Sequence[str], pairs: Sequence[Pair]
) -> dict[str, float]:
    """Return corpus BLEU and chrF, both from 0 to 100."""
    references = [[pair.target for pair in pairs]]
    return {
        "bleu": sacrebleu.corpus_bleu(outputs, references).score,
        "chrf": sacrebleu.corpus_chrf(outputs, references).score,
    }


def by_length(
    outputs: Sequence[str], pairs: Sequence[Pair]
) -> dict[str, list[float]]:
    """Return the same scores for each bin of source lengths."""
    found: dict[str, list[float]] = {"bleu": [], "chrf": [], "verses": []}
    for low, high in itertools.pairwise((0, *EDGES)):
        chosen = [
            (output, pair)
            for output, pair in zip(outputs, pairs, strict=True)
            if low < len(pair.source.split()) <= high
        ]
        part = bleu_chrf([o for o, _ in chosen], [p for _, p in chosen])
        found["bleu"].append(part["bleu"])
        found["chrf"].append(part["chrf"])
        found["verses"].append(len(chosen))
    return found


@cache
def prepare() -> tuple[Splits, Tokenizer, list[Example]]:
    """Return the pairs, the subwords of the training pairs, and their ids."""
    splits = corpora.translation_splits()
    texts = (text for pair in splits.train for text in pair)
    tokenizer = train_vocabulary(texts, VOCAB_SIZE)
    return splits, tokenizer, encode(tokenizer, splits.train)


def encode(tokenizer: Tokenizer, pairs: Sequence[Pair]) -> list[Example]:
    """Return the ids of some pairs."""
    return [
        Example(tokenizer.encode(p.source).ids, tokenizer.encode(p.target).ids)
        for p in pairs
    ]


@torch.no_grad()
def held_out_loss(model: Translator, examples: list[Example]) -> float:
    """Return the mean cross-entropy of a real target position."""
    total, positions = 0.0, 0
    ordered = sorted(examples, key=lambda e: len(e.source))
    for start in range(0, len(ordered), 64):
        part = ordered[start : start + 64]
        count = sum(len(example.target) + 1 for example in part)
        total += count * translation_loss(model, collate(part)).item()
        positions += count
    return total / positions


def write(
    model: Translator, tokenizer: Tokenizer, pairs: Sequence[Pair]
) -> list[str]:
    """Translate the sources of some pairs."""
    sources = [tokenizer.encode(pair.source).ids for pair in pairs]
    written = translate(model, sources, max_len=64)
    return [tokenizer.decode(ids) for ids in written]


def training_of(job: Job) -> TrainingConfig:
    """Return how a job trains."""
    setting, _, _, rate = job
    if setting == "toy":
        return TOY
    steps = SWEEP_STEPS if setting == "sweep" else TRAINING.num_steps
    return replace(TRAINING, num_steps=steps, learning_rate=rate)


def run_verses(job: Job) -> dict[str, Any]:
    """Train one model on the verses and measure it; a sweep is shorter."""
    setting, name, seed, _ = job
    splits, tokenizer, examples = prepare()
    training = training_of(job)
    generator = seed_everything(seed)
    model = build(name)
    losses = train_translator(model, examples, training, generator)
    held_out = splits.dev if setting == "sweep" else splits.test
    outputs = write(model, tokenizer, held_out)
    dev = encode(tokenizer, splits.dev)
    row = {
        "parameters": sum(p.numel() for p in model.parameters()),
        "training": asdict(training),
        "dropout": DROPOUT,
        "pairs": [len(part) for part in splits],
        "losses": [
            sum(losses[i : i + 100]) / 100 for i in range(0, len(losses), 100)
        ],
        "dev_loss": held_out_loss(model, dev),
        **bleu_chrf(outputs, held_out),
    }
    if setting == "verses":
        row["by_length"] = by_length(outputs, held_out)
        row["samples"] = [[*held_out[i], outputs[i]] for i in SAMPLES]
    return row


def run_toy(job: Job) -> dict[str, Any]:
    """Train one toy Transformer and measure it in both ways."""
    _, name, seed, _ = job
    generator = seed_everything(seed)
    train, test = word_order.draw_pairs(*TOY_PAIRS, generator)
    model = build_toy(name)
    examples = word_order.to_examples(train)
    losses = train_translator(model, examples, TOY, generator)
    found = word_order.score(model, test)
    return {
        "parameters": sum(p.numel() for p in model.parameters()),
        "training": asdict(TOY),
        "last_loss": sum(losses[-20:]) / 20,
        **found._asdict(),
    }


def run_copy() -> dict[str, Any]:
    """Score the baseline that hands the source back unchanged."""
    pairs = corpora.translation_splits().test
    outputs = [pair.source for pair in pairs]
    lengths = by_length(outputs, pairs)
    return {"edges": EDGES, **bleu_chrf(outputs, pairs), "by_length": lengths}


def run(job: Job) -> dict[str, Any]:
    """Do one job and describe it in a row."""
    started = time.process_time()
    if job == COPY:
        row = run_copy()
    else:
        row = run_toy(job) if job[0] == "toy" else run_verses(job)
    names = ("setting", "model", "seed", "rate")
    seconds = round(time.process_time() - started, 1)
    return dict(zip(names, job, strict=True)) | row | {"cpu_seconds": seconds}


def identity(row: dict[str, Any]) -> Job:
    """Return the job a row belongs to."""
    return row["setting"], row["model"], row["seed"], row["rate"]


def best_rate(rows: list[dict[str, Any]], name: str) -> float:
    """Return the rate with which the sweep's dev loss was lowest."""
    swept = [
        row
        for row in rows
        if (row["setting"], row.get("model")) == ("sweep", name)
    ]
    return min(swept, key=lambda row: row["dev_loss"])["rate"]


def holds(row: dict[str, Any]) -> bool:
    """Tell whether a row was trained with the settings above."""
    job = identity(row)
    return job == COPY or row["training"] == asdict(training_of(job))


def main() -> None:
    """Run what has no row yet."""
    parser = argparse.ArgumentParser(description="Train the translators.")
    parser.add_argument("--fresh", action="store_true")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    toys = itertools.product(["toy"], TOYS, range(10), [TOY.learning_rate])
    sweep = itertools.product(["sweep"], MODELS, [SWEEP_SEED], RATES)
    jobs: list[Job] = [COPY, *toys, *sweep]
    chosen = {"run": run, "identity": identity, "keep": holds}
    rows = resume(STEM, jobs, **chosen, fresh=arguments.fresh)
    rates = {name: best_rate(rows, name) for name in MODELS}
    jobs += [("verses", n, s, rates[n]) for s in range(3) for n in MODELS]
    resume(STEM, jobs, **chosen)


if __name__ == "__main__":
    main()
