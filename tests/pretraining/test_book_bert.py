"""The model that comes with the book is the one that was measured."""

import hashlib
import json
from pathlib import Path

import pytest
import torch

from bertbook.bert import BertForMaskedLM
from bertbook.checkpoints import load_pretrained, pretrained_folder
from bertbook.corpora import book_corpus
from bertbook.pretraining.config import PretrainingConfig
from bertbook.pretraining.loop import Run
from bertbook.pretraining.minimal_pairs import (
    minimal_pairs,
    preferred,
    pseudo_log_likelihood,
)
from bertbook.pretraining.prepare import read_vocabulary
from bertbook.pretraining.store import build_store
from bertbook.runtime import load_results
from bertbook.tokenization import UNK, WordPiece

FOLDER = pretrained_folder()
ROW = load_results("10_book_bert")["rows"][0]


def test_it_is_small_and_the_one_on_record() -> None:
    data = (FOLDER / "model.safetensors").read_bytes()
    assert hashlib.sha256(data).hexdigest() == ROW["sha256"]
    size = sum(file.stat().st_size for file in FOLDER.iterdir())
    assert size <= 16_000_000
    assert ROW["parameters"] <= 8_000_000


def test_it_guesses_as_well_as_its_card_says(tmp_path: Path) -> None:
    vocabulary = read_vocabulary(FOLDER / "vocab.txt")
    store = build_store(
        book_corpus().held_out, vocabulary, tmp_path / "held_out"
    )
    config = PretrainingConfig(**ROW["config"] | ROW["asked"])
    run = Run(config, vocabulary, store, store, tmp_path / "run")
    run.plain.load_state_dict(load_pretrained(FOLDER).state_dict())
    loss, accuracy = run.evaluate()
    assert config.select_prob == PretrainingConfig.select_prob  # as BERT's
    assert loss == pytest.approx(ROW["held_out"]["loss"], abs=2e-3)
    assert accuracy == pytest.approx(ROW["held_out"]["accuracy"], abs=2e-3)
    card = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert f"| book-bert | {loss:.2f} | {accuracy:.3f} |" in card


def test_it_beats_counting() -> None:
    counted = ROW["baselines"]
    assert set(counted) == {"unigram", "bigram", "5-gram"}
    best = min(each["loss"] for each in counted.values())
    assert ROW["held_out"]["loss"] < best - 0.5


def test_transformers_opens_it_and_fills_a_mask() -> None:
    from transformers import AutoModelForMaskedLM, AutoTokenizer, pipeline

    model = AutoModelForMaskedLM.from_pretrained(FOLDER)
    tokenizer = AutoTokenizer.from_pretrained(FOLDER)
    fill = pipeline("fill-mask", model=model, tokenizer=tokenizer)
    for text, words in ROW["fillings"].items():
        found = [each["token_str"] for each in fill(text, top_k=5)]
        assert found == words


def test_the_pairs_differ_in_one_known_word() -> None:
    tokenizer = WordPiece.from_file(FOLDER / "vocab.txt")
    for pairs in minimal_pairs().values():
        assert len(pairs) == len(set(pairs)) >= 18
        for pair in pairs:
            good, bad = (each.split() for each in pair)
            assert len(good) == len(bad)
            assert sum(a != b for a, b in zip(good, bad, strict=True)) == 1
            assert UNK not in tokenizer.tokenize(" ".join(pair))


@pytest.fixture(scope="module")
def model() -> BertForMaskedLM:
    """Return the model, as the book's chapters read it."""
    loaded = load_pretrained(FOLDER)
    assert isinstance(loaded, BertForMaskedLM)
    return loaded


def test_it_prefers_what_its_card_says(model: BertForMaskedLM) -> None:
    tokenizer = WordPiece.from_file(FOLDER / "vocab.txt")
    for name in ("agreement", "verb form"):
        share = preferred(model, tokenizer, minimal_pairs()[name])
        pairs = ROW["minimal_pairs"][name]["pairs"]
        wanted = ROW["minimal_pairs"][name]["right"]
        assert share == pytest.approx(wanted, abs=1.5 / pairs)


def test_a_sentence_is_scored_word_by_word(model: BertForMaskedLM) -> None:
    tokenizer = WordPiece.from_file(FOLDER / "vocab.txt")
    (score,) = pseudo_log_likelihood(model, tokenizer, ["we go."])
    ids = tokenizer.encode("we go.").token_ids
    total = 0.0
    for place in range(1, len(ids) - 1):
        hidden = torch.tensor([ids])
        hidden[0, place] = tokenizer.token_id("[MASK]")
        logits = model(hidden)[0, place]
        total += logits.log_softmax(-1)[ids[place]].item()
    assert score.item() == pytest.approx(total, abs=1e-4)


def test_its_metrics_end_where_its_card_ends() -> None:
    lines = (FOLDER / "metrics.jsonl").read_text().splitlines()
    last = json.loads(lines[-1])
    assert last["step"] == sum(run["config"]["steps"] for run in ROW["runs"])
    assert last["tokens"] == sum(run["tokens"] for run in ROW["runs"])
