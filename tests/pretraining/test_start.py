"""A run can begin with the weights of a model before it."""

import shutil
from pathlib import Path

import pytest
import torch

from bertbook.checkpoints import load_pretrained, save_pretrained
from bertbook.corpora import sha256_of
from bertbook.pretraining.checkpoint import Checkpoints
from bertbook.pretraining.loop import Run
from bertbook.pretraining.prepare import Prepared
from tests.pretraining import toy


@pytest.fixture
def before(texts: Prepared, tmp_path: Path) -> Path:
    """Return the folder of a model that has learned a little."""
    model = Run(toy.CONFIG, *texts, tmp_path / "first").train()
    save_pretrained(model, texts.vocabulary, tmp_path / "before")
    return tmp_path / "before"


def test_a_run_begins_with_the_weights_of_another(
    texts: Prepared, tmp_path: Path, before: Path
) -> None:
    first = Run(toy.CONFIG, *texts, tmp_path / "first", resume=True)
    config = toy.changed(start_from=str(before), dropout=0.0)
    run = Run(config, *texts, tmp_path / "second")
    assert run.evaluate()[0] == pytest.approx(first.evaluate()[0], abs=1e-3)
    read = load_pretrained(before).state_dict()
    for name, weight in run.plain.state_dict().items():
        assert torch.equal(weight, read[name]), name
    assert run.facts["start"] == sha256_of(before / "model.safetensors")


def test_it_is_resumed_without_that_model(
    texts: Prepared, tmp_path: Path, before: Path
) -> None:
    config = toy.changed(start_from=str(before))
    whole = Run(config, *texts, tmp_path / "whole").train()
    Run(config, *texts, tmp_path / "parts").train(until=8)
    start = sha256_of(before / "model.safetensors")
    shutil.rmtree(before)
    parts = Run(config, *texts, tmp_path / "parts", resume=True).train()
    for a, b in zip(whole.parameters(), parts.parameters(), strict=True):
        assert torch.equal(a, b)
    record = Checkpoints(tmp_path / "parts").latest()
    assert record["facts"]["start"] == start


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"d_ff": 64}, "d_ff=32.*ask for a Bert with.*d_ff=64"),
        ({"model": "rotary-bert"}, "holds a Bert .*ask for a RotaryBert"),
        ({"start_from": "none/here"}, "config.json"),
    ],
)
def test_a_model_that_does_not_fit_is_refused(
    texts: Prepared,
    tmp_path: Path,
    before: Path,
    change: dict[str, object],
    message: str,
) -> None:
    config = toy.changed(**{"start_from": str(before)} | change)
    with pytest.raises(ValueError, match=message):
        Run(config, *texts, tmp_path / "second")


def test_a_model_of_another_vocabulary_is_refused(
    texts: Prepared, tmp_path: Path, before: Path
) -> None:
    file = before / "vocab.txt"
    file.write_text(file.read_text().replace("farmer", "fisher"))
    config = toy.changed(start_from=str(before))
    with pytest.raises(ValueError, match="is not the run's: give it as"):
        Run(config, *texts, tmp_path / "second")
