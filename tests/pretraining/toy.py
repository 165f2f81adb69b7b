"""A corpus of made-up sentences, and a model that learns it in a moment."""

import json
import random
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np

from bertbook.corpora import Document
from bertbook.pretraining.config import PretrainingConfig
from bertbook.pretraining.prepare import Prepared
from bertbook.pretraining.store import (
    TokenStore,
    build_store,
    train_wordpieces,
)

WHO = ["the farmer", "a sailor", "my sister", "the old king", "her teacher"]
DOES = ["sees", "finds", "sells", "paints", "carries", "forgets"]
WHAT = ["a boat", "the red house", "some bread", "two horses", "an empty box"]


def documents(count: int, seed: int = 0) -> Iterator[Document]:
    """Yield documents of five to fifteen sentences."""
    draw = random.Random(seed)
    for number in range(count):
        sentences = (
            f"{draw.choice(WHO)} {draw.choice(DOES)} {draw.choice(WHAT)}."
            for _ in range(draw.randint(5, 15))
        )
        text = " ".join(each.capitalize() for each in sentences)
        yield Document("toy", str(number), text)


def corpus(folder: Path) -> Prepared:
    """Return a vocabulary and two stores."""
    vocabulary = train_wordpieces(documents(200), 120)
    return Prepared(
        vocabulary,
        build_store(documents(200), vocabulary, folder / "train"),
        build_store(documents(40, seed=1), vocabulary, folder / "held_out"),
    )


def repeated(store: TokenStore, times: int, folder: Path) -> TokenStore:
    """Write a store that holds another several times, one after another."""
    record, length = store.record, store.record.tokens
    folder.mkdir()
    for name, size in (("sentences", length), ("documents", record.sentences)):
        begins = np.array(getattr(store, name))[:-1]
        with (folder / f"{name}.bin").open("wb") as file:
            for copy in range(times):
                file.write((begins + copy * size).tobytes())
            file.write(np.int64(times * size).tobytes())
    with (folder / "tokens.bin").open("wb") as file:
        for _ in range(times):
            file.write(store.tokens.tobytes())
    sizes = {
        name: getattr(record, name) * times
        for name in ("tokens", "sentences", "documents", "words")
    }
    text = json.dumps(asdict(record) | sizes)
    (folder / "record.json").write_text(text)
    return TokenStore(folder)


CONFIG = PretrainingConfig(
    vocab_size=120,
    num_layers=2,
    d_model=16,
    num_heads=2,
    d_ff=32,
    max_len=32,
    dropout=0.1,
    steps=40,
    rows=4,
    width=32,
    stages="0:16 20:16,32",
    warmup=5,
    learning_rate=1e-2,
    precision="fp32",
    products="blas",
    checkpoint_every=2,
    evaluate_every=20,
    held_out_rows=8,
)


def changed(**settings: object) -> PretrainingConfig:
    """Return the settings with some others."""
    return replace(CONFIG, **settings)
