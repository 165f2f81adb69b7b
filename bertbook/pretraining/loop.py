"""The loop: packed rows in, weights out, and nothing lost on the way."""

import math
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any, cast

import torch
import torch.nn.functional as F
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from accelerate.utils import tqdm
from torch import Tensor, nn

from bertbook.bert import BertForMaskedLM
from bertbook.masking import IGNORED
from bertbook.pretraining.batches import Batches, mixed
from bertbook.pretraining.checkpoint import (
    CheckpointError,
    Checkpoints,
    check_folder,
    restore,
    state_of,
)
from bertbook.pretraining.config import PretrainingConfig
from bertbook.pretraining.log import RunLog
from bertbook.pretraining.loss import MaskedLMLoss
from bertbook.pretraining.precision import choose_numbers
from bertbook.pretraining.rows import Rows
from bertbook.pretraining.start import first_model, hash_of_start
from bertbook.pretraining.store import TokenStore
from bertbook.runtime import describe_machine, describe_versions


class NotFinite(ValueError):
    """A loss or a gradient that no later step could repair."""


class Run:
    """One pre-training run, from its settings to its weights.

    Args:
        config: the settings.
        vocabulary: the WordPieces, those of `SPECIAL` among them.
        train: the text to learn from.
        held_out: the text to be tested on.
        folder: where checkpoints, metrics and the picture go.
        resume: whether to go on from the folder's last checkpoint.

    Raises:
        ValueError: if vocabulary, stores and settings do not belong
            together.
        CheckpointError: if the folder holds another run, or none to resume,
            or one that was begun with other settings or texts.
    """

    def __init__(
        self,
        config: PretrainingConfig,
        vocabulary: list[str],
        train: TokenStore,
        held_out: TokenStore,
        folder: Path,
        *,
        resume: bool = False,
    ) -> None:
        for store in (train, held_out):
            store.check_vocabulary(vocabulary)
        if len(vocabulary) != config.vocab_size:
            raise ValueError(
                f"the vocabulary has {len(vocabulary)} entries, vocab_size is"
                f" {config.vocab_size}: they must be the same"
            )
        self.config, self.vocabulary, self.folder = config, vocabulary, folder
        self.checkpoints = Checkpoints(folder)
        check_folder(folder, resume=resume)
        self.batches = Batches(train, config, vocabulary)
        self.held_out = Batches(held_out, config, vocabulary)
        self._prepare(resume)

    def _prepare(self, resume: bool) -> None:
        """Build the model and its optimizer, or bring them back."""
        state: dict[str, Tensor] = {}
        self.step, facts = 0, {}
        if resume:
            self.step, state = self.checkpoints.load(self.config)
            facts = self.checkpoints.latest()["facts"]
            self._check_texts(facts)
            model = self.config.build()
        else:
            model = first_model(self.config, self.vocabulary)
        self._choose_format(facts)
        self.log = RunLog(
            self.folder,
            self.step,
            facts.get("log"),
            active=self.accelerator.is_main_process,
        )
        model.to(self.accelerator.device)
        optimizer = _optimizer(model, self.config)
        if state:
            restore(model, optimizer, state)
        self.plain = model
        loss_of = MaskedLMLoss(
            model, compile=self.config.compile, onednn=self.numbers.onednn
        )
        self.loss_of, self.optimizer = self.accelerator.prepare(
            loss_of, optimizer
        )
        if self.accelerator.scaler and facts.get("scaler"):
            self.accelerator.scaler.load_state_dict(facts["scaler"])

    @property
    def _texts(self) -> list[dict[str, Any]]:
        """Say what the run reads: to learn from, and to be tested on."""
        both = self.batches, self.held_out
        return [asdict(each.sampler.store.record) for each in both]

    def _check_texts(self, facts: dict[str, Any]) -> None:
        """Refuse to go on with other texts, or another vocabulary."""
        if facts.get("texts") != self._texts:
            raise CheckpointError(
                f"the run was begun on other texts, {facts.get('texts')}, and"
                f" these are {self._texts}: give the --data folder it was"
                " begun with, or start another run in a new folder"
            )

    def _choose_format(self, before: dict[str, Any]) -> None:
        """Take format and library as set, as before, or the fastest."""
        self.numbers = numbers = choose_numbers(self.config, before)
        # One process may train several models, each in a format of its own.
        AcceleratorState._reset_state()
        self.accelerator = Accelerator(mixed_precision=numbers.format)
        self.facts: dict[str, Any] = {
            **numbers._asdict(),
            "texts": self._texts,
            "start": before.get("start") or hash_of_start(self.config),
            "machine": describe_machine(),
            "versions": describe_versions(),
        }
        self.accelerator.print(
            f"number format {numbers.format}, products by {numbers.products}:"
            f" {numbers.why}"
        )

    def train(self, until: int | None = None) -> BertForMaskedLM:
        """Take the steps that are left, and return the model.

        Args:
            until: stop before this step, as if the run were killed there;
                None goes to the end.

        Raises:
            NotFinite: if the loss or a gradient is NaN or infinite; the
                checkpoint before it stays.
            CheckpointError: if a checkpoint cannot be written.
        """
        config = self.config
        self.folder.mkdir(parents=True, exist_ok=True)
        end = config.steps if until is None else min(until, config.steps)
        begin = time.perf_counter()
        with tqdm(total=config.steps, initial=self.step, unit="step") as bar:
            while self.step < end:
                loss, tokens = self._update()
                self.step += 1
                bar.update()
                if self.log.add(self.step, loss, tokens, begin):
                    bar.set_postfix(loss=f"{self.log.loss:.3f}")
                last = self.step == config.steps
                if last or self.step % config.evaluate_every == 0:
                    self._report()
                if last or self.step % config.checkpoint_every == 0:
                    self.save()
        return self.plain

    def _update(self) -> tuple[float, int]:
        """Take one step; return the loss and the number of real tokens."""
        config, step = self.config, self.step
        rate = config.learning_rate_at(step)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        rows, labels = self.batches(step)
        chosen = int((labels != IGNORED).sum())
        here = self.accelerator.process_index
        world = self.accelerator.num_processes
        torch.manual_seed(mixed(config.seed, 3, step, here))
        total = torch.zeros((), device=self.accelerator.device)
        for part in range(config.accumulate):
            # The rows of this part that are this process's share.
            take = slice(part * world + here, None, config.accumulate * world)
            loss = self._loss_sum(Rows(*(x[take] for x in rows)), labels[take])
            # Processes average their gradients: world times this is the sum.
            self.accelerator.backward(loss * (world / max(1, chosen)))
            total += loss.detach()
        total = cast(Tensor, self.accelerator.reduce(total))
        loss = total.item() / max(1, chosen)
        self._check_finite("loss", loss)
        length = self.accelerator.clip_grad_norm_(
            self.plain.parameters(), config.clip_norm
        )
        if self.accelerator.scaler is None:  # which leaves such a step out
            length = cast(Tensor, length).item()
            self._check_finite("length of the gradient", length)
        self.optimizer.step()
        self.optimizer.zero_grad()
        return loss, int(rows.real.sum())

    def _loss_sum(self, rows: Rows, labels: Tensor) -> Tensor:
        """Return the summed cross-entropy of the chosen tokens."""
        device = self.accelerator.device
        rows = Rows(*(each.to(device) for each in rows))
        return self.loss_of(rows, labels.to(device))

    def _check_finite(self, name: str, value: float) -> None:
        """Stop at what is no number, before it reaches the weights."""
        if not math.isfinite(value):
            raise NotFinite(
                f"the {name} is {value} at step {self.step + 1}: the weights"
                " of the last checkpoint are untouched. Start again with a"
                " lower learning_rate, a longer warmup, or precision fp32"
            )

    def _report(self) -> None:
        """Look at the held-out text, and draw the curves anew."""
        loss, accuracy = self.evaluate()
        self.log.evaluated(self.step, loss, accuracy)

    @torch.no_grad()
    def evaluate(self) -> tuple[float, float]:
        """Return loss and accuracy on held-out text, always the same text."""
        self.plain.eval()
        device = self.accelerator.device
        total, hits, count = 0.0, 0, 0
        for plain, masked in self.held_out.held_out():
            labels = masked.labels.to(device)
            chosen = labels != IGNORED
            rows = plain._replace(token_ids=masked.token_ids)
            rows = Rows(*(x.to(device) for x in rows))
            with self.accelerator.autocast():
                logits = self.plain(
                    rows.token_ids,
                    mask=rows.mask,
                    position_ids=rows.position_ids,
                    positions=chosen,
                )
            wanted = labels[chosen]
            total += F.cross_entropy(
                logits.float(), wanted, reduction="sum"
            ).item()
            hits += int((logits.argmax(-1) == wanted).sum())
            count += len(wanted)
        self.plain.train()
        return total / count, hits / count

    def save(self) -> None:
        """Write a checkpoint, from the first process alone."""
        if self.accelerator.is_main_process:
            self.checkpoints.save(
                self.step,
                state_of(self.plain, self.optimizer.optimizer),
                self.config,
                self.facts | {"log": self.log.state} | self._scaler(),
            )
        self.accelerator.wait_for_everyone()

    def _scaler(self) -> dict[str, Any]:
        """Return what float16 must remember: how much it scales the loss."""
        scaler = self.accelerator.scaler
        return {} if scaler is None else {"scaler": scaler.state_dict()}


def _optimizer(
    model: nn.Module, config: PretrainingConfig
) -> torch.optim.Optimizer:
    """Return AdamW in one fused kernel, decaying matrices alone."""
    matrices = [p for p in model.parameters() if p.ndim > 1]
    others = [p for p in model.parameters() if p.ndim <= 1]
    return torch.optim.AdamW(
        [
            {"params": matrices, "weight_decay": config.weight_decay},
            {"params": others, "weight_decay": 0.0},
        ],
        lr=config.learning_rate,
        betas=(0.9, config.beta2),
        fused=True,
    )
