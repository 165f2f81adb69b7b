"""What a run says of itself: a line of JSON a time, and a picture."""

import json
import time
from pathlib import Path
from typing import Any, Final

from bertbook.pretraining.checkpoint import write_atomically

_EVERY: Final = 20


class RunLog:
    """The metrics of a run, in `metrics.jsonl`, and `loss.png`.

    Args:
        folder: the run's folder.
        step: the steps already done; later records are of a lost future.
        state: `state` as it was then.
        active: False in every process but the first.
    """

    def __init__(
        self,
        folder: Path,
        step: int,
        state: dict[str, Any] | None = None,
        *,
        active: bool = True,
    ) -> None:
        self.file, self.active = folder / "metrics.jsonl", active
        self.loss = float("nan")
        state = state or {"losses": [], "tokens": 0, "seconds": 0.0}
        self._losses: list[float] = list(state["losses"])
        self._tokens: int = state["tokens"]
        self._seconds = self._before = state["seconds"]
        self.records = [
            r for r in read_metrics(self.file) if r["step"] <= step
        ]
        if active and self.file.exists():
            lines = "".join(json.dumps(each) + "\n" for each in self.records)
            write_atomically(self.file, lines.encode())

    @property
    def state(self) -> dict[str, Any]:
        """Return what a resumed run must know to go on counting."""
        return {
            "losses": self._losses,
            "tokens": self._tokens,
            "seconds": round(self._seconds, 1),
        }

    def add(self, step: int, loss: float, tokens: int, begin: float) -> bool:
        """Take in a step; True when a line was due.

        Args:
            step: steps done.
            loss: its loss.
            tokens: real tokens in it.
            begin: when this process began to train, by `perf_counter`.
        """
        self._losses.append(loss)
        self._tokens += tokens
        self._seconds = self._before + time.perf_counter() - begin
        if step % _EVERY:
            return False
        self.loss = sum(self._losses) / len(self._losses)
        self._losses.clear()
        self._write({"step": step, "loss": self.loss})
        return True

    def evaluated(self, step: int, loss: float, accuracy: float) -> None:
        """Note what the held-out text gave, and draw the picture."""
        self._write(
            {
                "step": step,
                "held_out_loss": loss,
                "held_out_accuracy": accuracy,
            }
        )
        if self.active:
            draw(self.records, self.file.with_name("loss.png"))

    def _write(self, record: dict[str, Any]) -> None:
        """Append one line."""
        record["tokens"] = self._tokens
        record["seconds"] = round(self._seconds, 1)
        self.records.append(record)
        if self.active:
            with self.file.open("a", encoding="utf-8") as stream:
                stream.write(json.dumps(record) + "\n")


def read_metrics(file: Path) -> list[dict[str, Any]]:
    """Read the records of a run; a line cut short by a kill is left out."""
    if not file.exists():
        return []
    records = []
    for line in file.read_text(encoding="utf-8").splitlines():
        try:
            records.append(json.loads(line))
        except json.JSONDecodeError:
            continue
    return records


def draw(records: list[dict[str, Any]], file: Path) -> None:
    """Draw the loss against the tokens read."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 3.5), layout="constrained")
    axes = figure.subplots()
    for key, label in (("loss", "training"), ("held_out_loss", "held out")):
        points = [(r["tokens"] / 1e6, r[key]) for r in records if key in r]
        if points:
            axes.plot(*zip(*points, strict=True), label=label)
    axes.set(xlabel="tokens read (millions)", ylabel="loss (nats)")
    axes.legend()
    partial = file.with_name("loss.partial.png")
    figure.savefig(partial, dpi=110)
    partial.replace(file)
