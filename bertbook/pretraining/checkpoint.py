"""Checkpoints of a run: whole or absent, and never unpickled.

A checkpoint is a safetensors file and its record, a JSON file with the
sha256 and the settings of the run. The record is written after the weights
have reached the disk: a checkpoint without one does not exist.
"""

import errno
import hashlib
import json
import os
from dataclasses import asdict
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, Final

import torch
from safetensors.torch import load, save
from torch import Tensor, nn

from bertbook.pretraining.config import PretrainingConfig

_OURS: Final = (
    *("metrics.jsonl", "loss.png", "loss.partial.png", "corpus"),
    *("step-*.safetensors", "*.partial"),
)
"""What a run may leave in its folder before its first checkpoint."""

_KEYS: Final = {"sha256", "step", "config", "facts"}
_MOMENTS: Final = ("exp_avg", "exp_avg_sq", "step")


class CheckpointError(ValueError):
    """A checkpoint that cannot be written or read, and what to do."""


def write_atomically(file: Path, data: bytes) -> None:
    """Write a file so that it is there whole or not at all.

    Raises:
        CheckpointError: if the disk is full, or may not be written.
    """
    partial = file.with_name(file.name + ".partial")
    try:
        with partial.open("wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        partial.replace(file)
    except OSError as error:
        partial.unlink(missing_ok=True)
        full = error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
        cause = "the disk is full, make room" if full else str(error)
        raise CheckpointError(
            f"{file} could not be written: {cause}. The checkpoint before it"
            " is untouched: go on with --resume"
        ) from None


def state_of(
    model: nn.Module, optimizer: torch.optim.Optimizer
) -> dict[str, Tensor]:
    """Return weights and the optimizer's moments under one set of names."""
    state = {}
    for name, parameter in model.named_parameters():
        state[f"weight/{name}"] = parameter.detach().cpu().contiguous()
        for moment, tensor in optimizer.state[parameter].items():
            state[f"{moment}/{name}"] = tensor.detach().cpu().contiguous()
    return state


def restore(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    state: dict[str, Tensor],
) -> None:
    """Put a state back; the counterpart of `state_of`.

    Raises:
        CheckpointError: if it is the state of another model.
    """
    for name, parameter in model.named_parameters():
        saved = state.get(f"weight/{name}")
        if saved is None or saved.shape != parameter.shape:
            found = None if saved is None else tuple(saved.shape)
            raise CheckpointError(
                f"the checkpoint has {found} for the weight {name} of shape"
                f" {tuple(parameter.shape)}: it belongs to another model"
            )
        with torch.no_grad():
            parameter.copy_(saved)
        optimizer.state[parameter] = {
            moment: state[f"{moment}/{name}"].to(
                parameter.device if moment != "step" else "cpu"
            )
            for moment in _MOMENTS
            if f"{moment}/{name}" in state  # none before the first update
        }


def check_folder(folder: Path, *, resume: bool) -> None:
    """Refuse a folder that holds something else, or nothing to resume.

    Raises:
        CheckpointError: if it does.
    """
    checkpoints = Checkpoints(folder)
    if resume:
        checkpoints.latest()
        return
    if checkpoints.exists:
        raise CheckpointError(
            f"{folder} holds another run: go on with it by --resume, or"
            " choose another folder"
        )
    names = sorted(p.name for p in folder.iterdir()) if folder.exists() else []
    for name in names:
        if not any(fnmatch(name, pattern) for pattern in _OURS):
            raise CheckpointError(
                f"{folder} holds other files, such as {name}: choose an"
                " empty folder"
            )


class Checkpoints:
    """The checkpoints in a run's folder; the last two are kept.

    Args:
        folder: the run's output folder.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def _records(self) -> list[Path]:
        """Return the records of the checkpoints, the oldest first."""
        return sorted(self.folder.glob("step-*.json"))

    @property
    def exists(self) -> bool:
        """Tell whether there is a checkpoint to go on from."""
        return bool(self._records)

    def save(
        self,
        step: int,
        state: dict[str, Tensor],
        config: PretrainingConfig,
        facts: dict[str, Any],
    ) -> None:
        """Write the state after a step, then its record.

        Raises:
            CheckpointError: as in `write_atomically`.
        """
        data = save(state)
        file = self.folder / f"step-{step:08d}.safetensors"
        write_atomically(file, data)
        record = {
            "sha256": hashlib.sha256(data).hexdigest(),
            "step": step,
            "config": asdict(config),
            "facts": facts,
        }
        text = json.dumps(record, indent=1) + "\n"
        write_atomically(file.with_suffix(".json"), text.encode())
        for old in self._records[:-2]:
            old.with_suffix(".safetensors").unlink(missing_ok=True)
            old.unlink()

    def latest(self) -> dict[str, Any]:
        """Read the record of the last checkpoint.

        Raises:
            CheckpointError: if there is none, or it cannot be read.
        """
        if not self.exists:
            raise CheckpointError(
                f"{self.folder} holds no checkpoint to resume: start the run"
                " without --resume"
            )
        file = self._records[-1]
        try:
            record = json.loads(file.read_text(encoding="utf-8"))
            if missing := _KEYS - set(record):
                raise ValueError(f"it lacks {sorted(missing)}")
        except (OSError, ValueError, TypeError) as error:
            raise CheckpointError(
                f"{file} cannot be read ({error}): {self._way_back(file)}"
            ) from None
        return record

    def _way_back(self, damaged: Path) -> str:
        """Say how to go on without the last checkpoint."""
        before = [each.stem for each in self._records if each != damaged]
        if before:
            return f"delete {damaged} to go on from {before[-1]}"
        return "start anew in another folder"

    def load(self, config: PretrainingConfig) -> tuple[int, dict[str, Tensor]]:
        """Read the last checkpoint of a run with these settings.

        Returns:
            The number of steps done, and the state for `restore`.

        Raises:
            CheckpointError: if there is none, it is damaged, or it belongs
                to a run with other settings.
        """
        latest = self.latest()
        _check_same(latest, config)
        record = self._records[-1]
        file = record.with_suffix(".safetensors")
        data = file.read_bytes() if file.exists() else b""
        if hashlib.sha256(data).hexdigest() != latest["sha256"]:
            raise CheckpointError(
                f"{file} is damaged: its sha256 is not the one on record."
                f" To lose no more, {self._way_back(record)}"
            )
        return latest["step"], load(data)


def _check_same(latest: dict[str, Any], config: PretrainingConfig) -> None:
    """Refuse to go on with other settings.

    The number of steps may change as long as the learning rate has not begun
    to fall in either run: up to there the two runs are the same.
    """
    mine = asdict(config)
    other = PretrainingConfig(**latest["config"])
    changed = {
        name: (before, mine[name])
        for name, before in asdict(other).items()
        if before != mine[name]
    }
    rate_falls = min(other.decay_from, config.decay_from)
    if latest["step"] <= rate_falls:
        changed.pop("steps", None)
    if changed:
        listed = ", ".join(
            f"{name} {old!r} → {new!r}" for name, (old, new) in changed.items()
        )
        raise CheckpointError(
            f"the run was begun with other settings ({listed}): resume it"
            " with those, or start another run in a new folder"
        )
