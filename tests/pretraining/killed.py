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
import traceback
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
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        try:
            resume = Checkpoints(folder).exists
            Run(CONFIG, *texts, folder, resume=resume).train()
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    if seconds is not None:
        time.sleep(seconds)
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    if not os.WIFSIGNALED(status) and os.WEXITSTATUS(status):
        raise RuntimeError(f"the run in {folder} failed, see above")
    return os.WIFSIGNALED(status)


def main(folder: Path) -> None:
    """Write how often each run was killed, and how all of them ended."""
    texts = corpus(folder)
    draw([], folder / "first.png")  # imports what draws, and its fonts
    begin = time.perf_counter()
    life(texts, folder / "straight", None)
    whole = time.perf_counter() - begin
    moment, steps = random.Random(0), []
    kills: list[int] = []
    while sum(kills) < KILLS:
        kills.append(0)
        interrupted = folder / f"killed-{len(kills)}"
        # Lives of a third of a run at most: several kills before its end.
        while life(texts, interrupted, moment.random() * whole / 3):
            kills[-1] += 1
            found = Checkpoints(interrupted)
            steps.append(found.latest()["step"] if found.exists else 0)
    runs = [folder / f"killed-{n + 1}" for n in range(len(kills))]
    first_step, first = Checkpoints(folder / "straight").load(CONFIG)
    ends = [Checkpoints(each).load(CONFIG) for each in runs]
    report = {
        "kills": kills,
        "steps": steps,
        "ended": [first_step, *(step for step, _ in ends)],
        "equal": all(
            first.keys() == other.keys()
            and all(torch.equal(first[name], other[name]) for name in first)
            for _, other in ends
        ),
        "same metrics": all(
            _losses(folder / "straight") == _losses(each) for each in runs
        ),
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
