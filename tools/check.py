"""`make test`: runs the lanes one after the other and gives the verdict."""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from tools import environment
from tools.lanes import CALM, PYTEST, Lane, all_lanes
from tools.stop import Stop

REPORT = environment.ROOT / "_build" / "lanes.json"
VERDICT = "tests/lanes/verdict.py"


@dataclass(frozen=True)
class Result:
    """How one lane ended: "passed", "failed" or "skipped"."""

    name: str
    status: str
    seconds: float
    note: str = ""


def main(arguments: Sequence[str]) -> int:
    """Install what is missing and run the lanes, all or the named ones.

    The report of the lanes is itself read by a last run of pytest, one test
    a lane, so that the closing line counts the lanes that failed.
    """
    parser = argparse.ArgumentParser(prog="python -m tools test")
    parser.add_argument("lanes", nargs="*", metavar="LANE")
    wanted = parser.parse_args(arguments).lanes
    lanes = chosen(wanted)
    environment.enter("all")
    in_ci = bool(os.environ.get("CI"))
    results = []
    for number, lane in enumerate(lanes, 1):
        print(f"\n[{number}/{len(lanes)}] {lane.name}: {lane.about}")
        results.append(run(lane, in_ci=in_ci))
        print(line(results[-1]), flush=True)
    print("\n" + "\n".join(line(result) for result in results), flush=True)
    return closing(results)


def chosen(names: Sequence[str]) -> list[Lane]:
    """Return the lanes of these names, in their own order; all for none."""
    lanes = all_lanes()
    unknown = sorted(set(names) - {lane.name for lane in lanes})
    if unknown:
        known = ", ".join(lane.name for lane in lanes)
        raise Stop(
            f"There is no lane {', '.join(unknown)}; there are {known}."
        )
    return [lane for lane in lanes if not names or lane.name in names]


def run(lane: Lane, *, in_ci: bool) -> Result:
    """Run a lane's commands and say how it ended.

    Args:
        lane: the lane.
        in_ci: whether a lane that cannot run counts as failed.
    """
    if lane.skip:
        return Result(
            lane.name, "failed" if in_ci else "skipped", 0, lane.skip
        )
    start = time.monotonic()
    settings = {**os.environ, **CALM, **lane.settings}
    failed = False
    for command in lane.commands:
        failed |= not succeeds(command, settings, streams=lane.streams)
    status = "failed" if failed else "passed"
    return Result(lane.name, status, time.monotonic() - start)


def succeeds(
    command: Sequence[str], settings: dict[str, str], *, streams: bool
) -> bool:
    """Run one command; show its output as it comes, or when it failed."""
    sys.stdout.flush()
    done = subprocess.run(
        command,
        cwd=environment.ROOT,
        env=settings,
        check=False,
        stdin=subprocess.DEVNULL,
        stdout=None if streams else subprocess.PIPE,
        stderr=None if streams else subprocess.STDOUT,
        text=True,
    )
    if done.returncode and done.stdout:
        print(done.stdout.rstrip())
    return done.returncode == 0


def line(result: Result) -> str:
    """Return a lane's line in the verdict.

    >>> line(Result("types", "passed", 12.3))
    'passed   types         12 s'
    """
    text = f"{result.status:<8} {result.name:<10} {result.seconds:5.0f} s"
    return f"{text}  {result.note}".rstrip()


def closing(results: Sequence[Result]) -> int:
    """Print the closing line over all lanes; return the exit status."""
    REPORT.parent.mkdir(exist_ok=True)
    rows = [asdict(result) for result in results]
    REPORT.write_text(json.dumps(rows, indent=1), encoding="utf-8")
    command = [*PYTEST, "--no-header", "--override-ini=addopts="]
    command += ["-p", "no:cacheprovider", "-p", "no:xdist", VERDICT]
    settings = {**os.environ, "BERTBOOK_LANES": str(REPORT)}
    done = subprocess.run(
        command, cwd=environment.ROOT, env=settings, check=False
    )
    bad = [result for result in results if result.status == "failed"]
    return 1 if bad or done.returncode else 0
