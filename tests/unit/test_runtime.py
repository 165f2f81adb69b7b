"""Seeds, claims and results."""

import json
import random
import subprocess
import sys

import numpy as np
import pytest
import torch

from bertbook import runtime


def draw() -> tuple[float, float, float]:
    return random.random(), float(np.random.rand()), torch.rand(()).item()  # noqa: NPY002


def test_a_seed_repeats_every_source_of_chance():
    runtime.seed_everything(1)
    first = draw()
    runtime.seed_everything(1)
    assert draw() == first
    runtime.seed_everything(2)
    second = draw()
    assert all(a != b for a, b in zip(first, second, strict=True))


def test_the_generator_is_its_own():
    generator = runtime.seed_everything(3)
    torch.rand(5)
    first = torch.rand(4, generator=generator)
    assert torch.equal(
        first, torch.rand(4, generator=runtime.seed_everything(3))
    )


@pytest.mark.parametrize("seed", [-1, 2**32])
def test_a_seed_out_of_range_is_named(seed):
    with pytest.raises(ValueError, match=str(seed)):
        runtime.seed_everything(seed)


def test_a_claim_prints_its_value_and_band(capsys):
    runtime.claim(0.5, 0.25, 0.75, "share")
    assert capsys.readouterr().out == "share: ≈ 0.5 (expected 0.25 to 0.75)\n"


@pytest.mark.parametrize("value", [0.2, 0.8, float("nan")])
def test_a_claim_outside_its_band_fails_under_test(value):
    with pytest.raises(AssertionError, match="expected 0\\.25"):
        runtime.claim(value, 0.25, 0.75, "share")


def test_a_claim_outside_its_band_goes_on_elsewhere(monkeypatch, capsys):
    monkeypatch.delenv("BERTBOOK_STRICT")
    runtime.claim(0.2, 0.25, 0.75, "share")
    assert "≈ 0.2" in capsys.readouterr().out


@pytest.mark.parametrize("band", [(1.0, 0.0), (float("nan"), 1.0)])
def test_an_empty_band_is_refused(band):
    with pytest.raises(ValueError, match="band"):
        runtime.claim(0.5, *band, "share")


def test_results_return_as_saved(tmp_path, monkeypatch):
    rows = [{"seed": 0, "accuracy": 0.5}]
    path = runtime.save_results("99_none", rows, folder=tmp_path)
    record = json.loads(path.read_text())
    assert record["rows"] == rows
    assert record["command"].startswith("python ")
    assert record["versions"]["torch"] == torch.__version__
    assert [file.name for file in tmp_path.iterdir()] == ["99_none.json"]


def test_missing_results_name_the_script():
    with pytest.raises(ValueError, match=r"experiments/99_none\.py"):
        runtime.load_results("99_none")
    with pytest.raises(ValueError, match="99_none"):
        runtime.save_results("99_none", [])


@pytest.mark.parametrize(
    ("scale", "expected"), [("full", "full"), ("huge", "BERTBOOK_SCALE")]
)
def test_the_scale_comes_from_the_environment(scale, expected):
    code = "from bertbook.runtime import SCALE; print(SCALE)"
    run = subprocess.run(
        [sys.executable, "-c", code],
        env={"BERTBOOK_SCALE": scale, "PYTHONPATH": str(runtime._ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert expected in run.stdout + run.stderr
