"""Seeds, claims and results."""

import json
import random
import subprocess
import sys
from typing import ClassVar

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


class Experiment:
    """Four jobs, one row each; it can be killed in the middle."""

    jobs: ClassVar = [("a", 0), ("a", 1), ("b", 0), ("b", 1)]

    def __init__(self, folder, killed_at=None, steps=5):
        self.folder, self.killed_at, self.steps = folder, killed_at, steps
        self.ran = []

    def run(self, job):
        if job == self.killed_at:
            raise KeyboardInterrupt
        self.ran.append(job)
        return {"name": job[0], "seed": job[1], "steps": self.steps}

    def __call__(self, jobs=None, **choices):
        return runtime.resume(
            "99_none",
            jobs or self.jobs,
            self.run,
            lambda row: (row["name"], row["seed"]),
            keep=lambda row: row["steps"] == self.steps,
            folder=self.folder,
            **choices,
        )


def on_file(folder):
    rows = json.loads((folder / "99_none.json").read_text())["rows"]
    return [(row["name"], row["seed"]) for row in rows]


def test_a_killed_experiment_goes_on_where_it_stopped(tmp_path, capsys):
    first = Experiment(tmp_path, killed_at=("b", 0))
    with pytest.raises(KeyboardInterrupt):
        first()
    assert on_file(tmp_path) == first.ran == [("a", 0), ("a", 1)]
    second = Experiment(tmp_path)
    rows = second()
    assert second.ran == [("b", 0), ("b", 1)]
    assert len(rows) == 4
    assert on_file(tmp_path) == Experiment.jobs
    assert "3 of 4: ('b', 0)" in capsys.readouterr().out
    third = Experiment(tmp_path)
    assert third() == rows
    assert third.ran == []


def test_a_fresh_experiment_runs_everything_again(tmp_path):
    Experiment(tmp_path)()
    again = Experiment(tmp_path, killed_at=("a", 1))
    with pytest.raises(KeyboardInterrupt):
        again(fresh=True)
    assert again.ran == on_file(tmp_path) == [("a", 0)]


def test_rows_of_other_settings_are_run_again(tmp_path):
    Experiment(tmp_path, steps=5)()
    longer = Experiment(tmp_path, steps=6)
    assert {row["steps"] for row in longer()} == {6}
    assert longer.ran == Experiment.jobs


def test_rows_stand_in_the_order_of_the_jobs(tmp_path):
    Experiment(tmp_path)([("a", 1), ("b", 1)])
    rows = Experiment(tmp_path)([("b", 0), ("b", 1)])
    assert [(row["name"], row["seed"]) for row in rows] == [
        ("b", 0),
        ("b", 1),
    ]
    assert on_file(tmp_path) == [("b", 0), ("b", 1)]  # no job asks for a 1


def test_a_row_of_another_job_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"row of 3 says it is of 4"):
        runtime.resume(
            "99_none",
            [3],
            lambda job: {"seed": job + 1},
            lambda row: row["seed"],
            folder=tmp_path,
        )
    assert not list(tmp_path.iterdir())
