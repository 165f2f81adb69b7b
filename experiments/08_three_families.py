"""The runs of chapter 08: label-efficiency curves, and halves that meet late.

python experiments/08_three_families.py      # about 30 minutes on one core

First each arm's setting is chosen: 128 labels, seed 100, the best accuracy
on every third sentence of the dev part. Then the curves, seeds 0 to 4, on
every third sentence of the test part. "random, longer" sees each sentence
four times as often as the other two encoders: a control, for one may say that
random weights need more steps. Writes results/08_three_families.json, a row
per run. A killed run goes on where it stopped; `--fresh` starts again.

The study "halves" asks an ELMo-like reader who "it" is, seeds 0 to 2: once
its halves meet in a sum of scores, once in a layer with a bend.
"""

import argparse
import time
from statistics import mean
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bertbook import coreference, corpora
from bertbook.families import ElmoLike
from bertbook.runtime import load_results, save_results, seed_everything
from bertbook.transfer import (
    NUM_EPOCHS,
    Encoded,
    accuracy,
    draw_labeled,
    encode,
    fine_tune,
    new_classifier,
)
from bertbook.transformer import TransformerConfig

STEM = "08_three_families"
RATES = [3e-5, 1e-4, 3e-4, 1e-3]
SETTINGS = {
    "pre-trained": RATES,
    "random weights": RATES,
    "random, longer": RATES,
    "bag of words": [1e-4, 1e-3, 1e-2],
}
"""The learning rates tried; for the bag of words, the weight decays."""
LONGER = 4
"""How many times as often the control sees each sentence."""
TUNING = {"labels": 128, "seeds": (100,)}
MORE_LABELS = [2048]
"""More labels than an encoder gets: a bag of words costs next to nothing."""
HALVES = {"street": 300, "suitcase": 1_000}
"""The steps of training on each kind of sentence, as in chapter 03."""
SPLITS = corpora.sentiment_splits()


def bag(data: Encoded, columns: torch.Tensor) -> torch.Tensor:
    """Count each sentence's pieces; those that have no column are lost."""
    width = int(columns.max()) + 1
    counts = torch.zeros(len(data.labels), width + 1)
    places = columns[data.token_ids].where(data.padding, -1) % (width + 1)
    return counts.scatter_add_(1, places, data.padding.float())[:, :width]


def count_words(data: Encoded, test: Encoded, weight_decay: float) -> float:
    """Train a linear layer on counts, and return its accuracy."""
    size = int(max(data.token_ids.max(), test.token_ids.max())) + 1
    known = data.token_ids[data.padding].unique()
    columns = torch.full((size,), -1)
    columns[known] = torch.arange(len(known))
    layer = nn.Linear(len(known), 2)
    nn.init.zeros_(layer.weight)
    optimizer = torch.optim.Adam(layer.parameters(), lr=0.01)
    x = bag(data, columns)
    for _ in range(100):
        loss = F.cross_entropy(layer(x), data.labels)
        loss = loss + weight_decay * layer.weight.square().sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    answers = layer(bag(test, columns)).argmax(-1)
    return (answers == test.labels).float().mean().item()


class ElmoReader(nn.Module):
    """An ELMo-like model that answers, at one position, which noun is meant.

    Args:
        config: the sizes of chapter 03's reader.
        join: what makes one vector of both directions' states.
    """

    def __init__(self, config: TransformerConfig, join: nn.Module) -> None:
        super().__init__()
        self.body, self.join = ElmoLike(config), join

    def forward(
        self, token_ids: Tensor, mask: Tensor, read_at: Tensor
    ) -> Tensor:
        """Return a score for every word; an LSTM needs no mask."""
        states = self.body(token_ids)[torch.arange(len(read_at)), read_at]
        return self.body.embedding.logits(self.join(states)[:, None])[:, 0]


def elmo_reader(config: TransformerConfig, join: str) -> Any:
    """Return a reader whose two halves meet as `join` says.

    It is called as chapter 03's readers are, and is none of them.
    """
    width = config.d_model
    joins = {
        "sum of scores": nn.Identity(),
        "layer on top": nn.Sequential(
            nn.Linear(width, 64), nn.GELU(), nn.Linear(64, width)
        ),
    }
    return ElmoReader(config, joins[join])


def read_halves(frame: str, join: str, seed: int) -> dict[str, Any]:
    """Train an ELMo-like reader on chapter 03's sentences."""
    started = time.process_time()
    generator = seed_everything(seed)
    chosen = coreference.FRAMES[frame]
    ids = coreference.vocabulary([chosen])
    seen, unseen = (
        coreference.encode(examples, ids)
        for examples in chosen.split(16, generator)
    )
    model = elmo_reader(coreference.small_config(ids), join)
    steps = HALVES[frame]
    coreference.train_reader(
        model, seen, coreference.read_full, generator, steps
    )
    known, found = (
        coreference.accuracy(model, batch, coreference.read_full)
        for batch in (seen, unseen)
    )
    row: dict[str, Any] = {"study": "halves", "arm": join, "frame": frame}
    row |= {"labels": len(seen.answers), "seed": seed, "setting": steps}
    row |= {"held_out": len(unseen.answers), "accuracy": round(found, 4)}
    row |= {"accuracy_on_seen": round(known, 4)}
    return row | {"cpu_seconds": round(time.process_time() - started, 1)}


def run(
    study: str, arm: str, labels: int, seed: int, setting: float
) -> dict[str, Any]:
    """Train one model from one seed, and measure it."""
    started = time.process_time()
    generator = seed_everything(seed)
    tuning = study == "tuning"
    held_out = SPLITS.dev[::3] if tuning else SPLITS.test[::3]
    drawn = draw_labeled(SPLITS.train, labels, generator)
    tokenizer, model = new_classifier(arm == "pre-trained")
    data, test = encode(drawn, tokenizer), encode(held_out, tokenizer)
    row: dict[str, Any] = {"study": study, "arm": arm, "labels": labels}
    row |= {"seed": seed, "setting": setting, "held_out": len(held_out)}
    pieces = int(data.padding.sum())
    if arm == "bag of words":
        found = count_words(data, test, setting)
    else:
        longer = LONGER if arm == "random, longer" else 1
        epochs = NUM_EPOCHS[labels] * longer
        losses = fine_tune(
            model, data, learning_rate=setting, num_epochs=epochs,
            generator=generator,
        )  # fmt: skip
        found = accuracy(model, test)
        row |= {"epochs": epochs, "pieces_seen": pieces * epochs}
        row |= {"last_8_losses": round(mean(losses[-8:]), 4)}
    row |= {"accuracy": round(found, 4)}
    return row | {"cpu_seconds": round(time.process_time() - started, 1)}


class Record:
    """The rows so far, kept in the file of results."""

    def __init__(self, fresh: bool) -> None:
        try:
            self.rows = [] if fresh else load_results(STEM)["rows"]
        except ValueError:
            self.rows = []

    def find(self, **wanted: Any) -> dict[str, Any] | None:
        """Return the row with these entries, if there is one."""
        for row in self.rows:
            if wanted.items() <= row.items():
                return row
        return None

    def add(self, row: dict[str, Any]) -> dict[str, Any]:
        """Write a new row."""
        self.rows.append(row)
        save_results(STEM, self.rows)
        print(*row.values(), flush=True)
        return row

    def drop_stale(self, chosen: dict[str, float]) -> None:
        """Forget the curves of settings that another one has replaced."""
        self.rows = [
            row
            for row in self.rows
            if row["study"] != "curve" or row["setting"] == chosen[row["arm"]]
        ]
        save_results(STEM, self.rows)

    def get(self, *job: Any) -> dict[str, Any]:
        """Return a job's row, running it unless it is there."""
        names = ("study", "arm", "labels", "seed", "setting")
        found = self.find(**dict(zip(names, job, strict=True)))
        return found or self.add(run(*job))


def choose(record: Record) -> dict[str, float]:
    """Return each arm's setting: the one that did best on the dev part."""
    chosen = {}
    for arm, settings in SETTINGS.items():
        found = {
            setting: mean(
                record.get("tuning", arm, TUNING["labels"], seed, setting)[
                    "accuracy"
                ]
                for seed in TUNING["seeds"]
            )
            for setting in settings
        }
        chosen[arm] = max(found, key=lambda setting: found[setting])
    return chosen


def main() -> None:
    """Choose the settings, measure the curves, then the halves."""
    parser = argparse.ArgumentParser(description="Chapter 08's runs.")
    parser.add_argument("--seeds", type=int, nargs="+", default=range(5))
    parser.add_argument("--fresh", action="store_true")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    record = Record(arguments.fresh)
    chosen = choose(record)
    record.drop_stale(chosen)
    for seed in arguments.seeds:
        for arm, setting in chosen.items():
            more = MORE_LABELS if arm == "bag of words" else []
            for labels in [*NUM_EPOCHS, *more]:
                record.get("curve", arm, labels, seed, setting)
    for frame in HALVES:
        for join in ("sum of scores", "layer on top"):
            for seed in (0, 1, 2):
                if not record.find(frame=frame, arm=join, seed=seed):
                    record.add(read_halves(frame, join, seed))


if __name__ == "__main__":
    main()
