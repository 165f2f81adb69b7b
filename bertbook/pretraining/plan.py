"""What a run will cost, told before it starts."""

import torch

from bertbook.bert import BertConfig
from bertbook.pretraining.config import PretrainingConfig
from bertbook.pretraining.precision import (
    Numbers,
    float32_speeds,
    matmul_speed,
)
from bertbook.pretraining.store import StoreRecord

_SHARE, _HALF_SHARE = 0.55, 0.35
"""Share of the matrix-product speed that a step reaches, cautiously: in
float32, and in half precision."""

_BYTES_PER_WEIGHT = 16
"""A weight, its gradient and AdamW's two moments, in float32."""


def step_flops(
    config: BertConfig, tokens: float, pairs: float, selected: float
) -> float:
    """Count the operations of one step: all blocks at all tokens, then scores.

    The loop takes fewer: its last block feeds the chosen tokens alone
    forward. A product of matrices costs two operations for each pair of
    numbers, and the backward pass twice the forward one.

    Args:
        config: the model's sizes.
        tokens: real tokens in the step.
        pairs: pairs of tokens that attend to each other: the sum over the
            sequences of their squared lengths.
        selected: tokens at which a word is guessed.
    """
    d_model = config.d_model
    block = 4 * d_model**2 + 2 * d_model * config.d_ff
    head = d_model**2 + d_model * config.vocab_size
    layers = config.num_layers * (tokens * block + 2 * pairs * d_model)
    return 6 * (layers + selected * head)


def run_flops(config: PretrainingConfig) -> float:
    """Count the operations of a run, as if no row held two sequences."""
    positions = config.rows * config.width
    longest = max(max(each) for _, each in config.lengths())
    return config.steps * step_flops(
        config.bert_config(),
        float(positions),
        float(positions * longest),
        positions * config.select_prob,
    )


def parameter_count(config: PretrainingConfig) -> int:
    """Count the parameters, without memory for them."""
    with torch.device("meta"):
        return sum(p.numel() for p in config.build().parameters())


def describe(
    config: PretrainingConfig,
    record: StoreRecord | None,
    device: torch.device,
    numbers: Numbers,
    processes: int = 1,
) -> str:
    """Say in a few lines what a run will compute and what it needs.

    Args:
        config: the settings.
        record: that of the text to learn from; None before it is prepared.
        device: where it will run.
        numbers: the format and the library of its matrix products.
        processes: how many share the rows, each on such a device.
    """
    positions = config.rows * config.width
    flops = run_flops(config)
    parameters = parameter_count(config)
    # Processes on one processor share its cores.
    devices = 1 if device.type == "cpu" else processes
    speed = _speed(numbers, device) * devices
    total = config.steps * positions
    memory = parameters * _BYTES_PER_WEIGHT + _activations(config) / processes
    corpus, passes = "not prepared yet", ""
    if record is not None:
        corpus = f"{record.words:,} words, {record.tokens:,} tokens"
        passes = f", {total / record.tokens:.1f} passes"
    rows = {
        "model": f"{config.model}, {parameters:,} parameters",
        "corpus": corpus,
        "will read": f"{total:,} token positions{passes}",
        "operations": f"{flops:.3g} FLOP, at most",
        "memory": f"about {memory / 1e9:.1f} GB a process",
        "expected time": f"about {_in_words(flops / speed / 1e9)} on this"
        f" {device.type}, at {speed:.0f} GFLOP/s",
    }
    return "\n".join(f"{name:<14} {text}" for name, text in rows.items())


def _speed(numbers: Numbers, device: torch.device) -> float:
    """Measure what a step will reach on one device, in GFLOP per second."""
    if numbers.format != "no":
        return matmul_speed(torch.bfloat16, device) * _HALF_SHARE
    speeds = float32_speeds(device)
    return speeds.get(numbers.products, speeds["blas"]) * _SHARE


def _activations(config: PretrainingConfig) -> float:
    """Count the bytes that the backward pass needs again, roughly."""
    # Some 16 vectors a layer and token, two of them in the network's width.
    kept = config.rows * config.width / config.accumulate * config.num_layers
    return 4 * kept * (10 * config.d_model + 2 * config.d_ff)


def _in_words(seconds: float) -> str:
    """Write a duration for people."""
    for size, unit in ((86_400, "days"), (3_600, "hours"), (60, "minutes")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} seconds"
