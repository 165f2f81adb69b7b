"""`make test`: lanes, their order, and a verdict that cannot be wrong."""

import re
import subprocess
import sys

import pytest

from tools import check, environment, lanes
from tools.check import Result
from tools.lanes import Lane, all_lanes
from tools.stop import Stop

FINE = (sys.executable, "-c", "print('quiet')")
BAD = (sys.executable, "-c", "print('reason'); raise SystemExit(3)")


def lane(*commands, **settings):
    return Lane(name="x", about="y", commands=commands, **settings)


def test_a_passing_lane_says_nothing(capfd):
    assert check.run(lane(FINE), in_ci=True).status == "passed"
    assert capfd.readouterr().out == ""


def test_a_failing_lane_shows_why_and_runs_on(capfd, tmp_path):
    after = tmp_path / "after"
    touch = (sys.executable, "-c", f"open({str(after)!r}, 'w')")
    result = check.run(lane(BAD, touch), in_ci=False)
    assert result.status == "failed"
    assert "reason" in capfd.readouterr().out
    assert after.exists()


def test_lanes_run_strictly_and_read_no_input(capfd):
    code = (
        "import os, sys; assert sys.stdin.read() == '';"
        "print(os.environ['BERTBOOK_STRICT'], os.environ['MARK'])"
    )
    strict = lane(
        (sys.executable, "-c", code), streams=True, settings={"MARK": "m"}
    )
    assert check.run(strict, in_ci=False).status == "passed"
    assert capfd.readouterr().out == "1 m\n"


def test_no_browser_is_skipped_here_and_fails_in_ci():
    missing = lane(BAD, skip="No browser was found")
    assert check.run(missing, in_ci=False).status == "skipped"
    result = check.run(missing, in_ci=True)
    assert result.status == "failed"
    assert "No browser" in check.line(result)


def test_no_browser_skips_one_lane_only(monkeypatch):
    monkeypatch.setattr(lanes, "find_browser", lambda: None)
    skipped = [each for each in all_lanes() if each.skip]
    assert [each.name for each in skipped] == ["browser"]
    assert "apt install chromium" in skipped[0].skip


def test_chosen_lanes_keep_their_order():
    names = [each.name for each in check.chosen(["types", "lint"])]
    assert names == ["lint", "types"]
    assert len(check.chosen([])) == len(all_lanes())
    with pytest.raises(Stop, match="no lane nowhere"):
        check.chosen(["nowhere"])


@pytest.mark.parametrize(
    ("statuses", "status", "closing"),
    [
        (["passed", "passed"], 0, "2 passed"),
        (["passed", "failed", "failed"], 1, "2 failed, 1 passed"),
        (["passed", "skipped"], 0, "1 passed, 1 skipped"),
    ],
)
def test_closing_line_counts_the_lanes(
    capfd, monkeypatch, tmp_path, statuses, status, closing
):
    monkeypatch.setattr(check, "REPORT", tmp_path / "new" / "lanes.json")
    results = [
        Result(f"lane{number}", each, 1.0, "why")
        for number, each in enumerate(statuses)
    ]
    assert check.closing(results) == status
    last = capfd.readouterr().out.strip().splitlines()[-1]
    assert re.fullmatch(rf"=+ {closing} in \d+\.\d\ds =+", last)


def test_main_reports_each_lane_and_fails_with_one(
    capfd, monkeypatch, tmp_path
):
    monkeypatch.setattr(check, "REPORT", tmp_path / "new" / "lanes.json")
    monkeypatch.setattr(environment, "enter", lambda level: None)
    two = [
        Lane(name="good", about="a", commands=(FINE,)),
        Lane(name="poor", about="b", commands=(BAD,)),
    ]
    monkeypatch.setattr(check, "all_lanes", lambda: two)
    assert check.main([]) == 1
    printed = capfd.readouterr().out
    assert "[1/2] good: a" in printed
    assert "passed   good" in printed
    assert "failed   poor" in printed
    assert printed.strip().splitlines()[-1].startswith("=")


def test_notebooks_run_as_a_reader_without_gpu_would_see_them():
    (notebooks,) = check.chosen(["notebooks"])
    command = notebooks.commands[-1]
    assert notebooks.settings["CUDA_VISIBLE_DEVICES"] == ""
    assert lanes.CALM["TQDM_DISABLE"] == "1"
    assert "--nbval" in command
    assert "--nbval-lax" not in command
    assert {"--nbval-current-env", "--dist=loadfile"} < set(command)
    assert command[-2:] == ("chapters", "solutions")


def test_every_lane_is_a_command_that_exists():
    for each in all_lanes():
        assert each.commands
        for command in each.commands:
            if command[1] == "-m":
                found = subprocess.run(
                    [sys.executable, "-c", f"import {command[2]}"],
                    cwd=environment.ROOT,
                    check=False,
                )
                assert found.returncode == 0, command
