"""The benchmark of attention's cost: its bytes, its slope, its record."""

import json

import pytest
import torch

from benchmarks import attention_cost
from bertbook.runtime import device


def test_the_slope_of_known_powers():
    lengths = [10, 20, 40, 80]
    for power in (1, 2, 3):
        costs = [5.0 * n**power for n in lengths]
        assert attention_cost.exponent(lengths, costs) == pytest.approx(power)


@pytest.mark.skipif(device.type != "cpu", reason="counts the CPU's allocator")
def test_every_byte_of_an_allocation_is_counted():
    size = 4 * 1000

    def two_at_once():
        first = torch.empty(1000)
        second = torch.empty(1000)
        return first, second

    def one_after_another():
        first = torch.empty(1000)
        del first
        return torch.empty(1000)

    assert attention_cost.peak_bytes(two_at_once) == 2 * size
    assert attention_cost.peak_bytes(one_after_another) == size


def test_a_run_writes_what_is_needed_to_judge_it(tmp_path, monkeypatch):
    monkeypatch.setattr(attention_cost, "LENGTHS", {"cpu": (64, 128, 256)})
    monkeypatch.setattr(attention_cost, "FIT_FROM", {"cpu": 64})
    out = tmp_path / "cost.json"
    attention_cost.main(["--repeats", "1", "--out", str(out)])
    found = json.loads(out.read_text("utf-8"))
    assert {row["form"] for row in found["rows"]} == {"naive", "fused"}
    assert found["machine"]["threads"] == 1
    assert len(found["load_average_before_and_after"]) == 2
    assert found["exponents"]["naive"]["peak_bytes"] > 1.5
    assert found["exponents"]["fused"]["peak_bytes"] < 1.5
