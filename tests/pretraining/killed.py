"""Kill a run at many random moments, and compare where it ends.

Run by test_loop.py as a process of its own, with one thread, in which
nothing has been computed yet: such a process may be forked.
"""

import json
import os
import random
import signal
import sys
import time
from pathlib import Path

import torch
import torch._dynamo

from bertbook.pretraining.checkpoint import Checkpoints
from bertbook.pretraining.log import draw
from bertbook.pretraining.loop import Run
from tests.pretraining.toy import CONFIG, corpus

KILLS = 20


def life(texts: tuple, folder: Path, seconds: float | None) -> bool:
    """Let a child go on with a run; tell whether it was killed in time."""
    child = os.fork()
    if child == 0:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        resume = Checkpoints(folder).exists
        Run(CONFIG, *texts, folder, resume=resume).train()
        os._exit(0)
    if seconds is not None:
        time.sleep(seconds)
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status)


def main(folder: Path) -> None:
    """Write how many times the run was killed, and how it ended."""
    texts = corpus(folder)
    draw([], folder / "first.png")  # imports what draws, and its fonts
    begin = time.perf_counter()
    life(texts, folder / "straight", None)
    whole = time.perf_counter() - begin
    moment, kills, steps, runs = random.Random(0), 0, [], 0
    while kills < KILLS:
        interrupted = folder / f"killed-{runs}"
        while kills < KILLS and life(
            texts, interrupted, moment.random() * whole
        ):
            kills += 1
            found = Checkpoints(interrupted)
            steps.append(found.latest()["step"] if found.exists else 0)
        if kills < KILLS:
            runs += 1
    life(texts, interrupted, None)
    ends = [
        Checkpoints(each).load(CONFIG)
        for each in (folder / "straight", interrupted)
    ]
    (_, first), (_, second) = ends
    report = {
        "kills": kills,
        "steps": steps,
        "ended": [step for step, _ in ends],
        "equal": first.keys() == second.keys()
        and all(torch.equal(first[name], second[name]) for name in first),
        "same metrics": _losses(folder / "straight") == _losses(interrupted),
    }
    print(json.dumps(report))


def _losses(folder: Path) -> list[tuple[int, float]]:
    """Return the losses a run noted, without the times."""
    lines = (folder / "metrics.jsonl").read_text().splitlines()
    records = map(json.loads, lines)
    return [
        (r["step"], r.get("loss", r.get("held_out_loss"))) for r in records
    ]


if __name__ == "__main__":
    main(Path(sys.argv[1]))
