"""The checks of chapter 07: masks, cross-attention, shift, steps, loss."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from bertbook.checks.mask_mistakes import (
    attend,
    crossing_mistake,
    masking_mistake,
    same,
)
from bertbook.checks.report import Wrong, exercise, score_of
from bertbook.masks import causal_mask, padding_mask
from bertbook.transformer import Transformer, TransformerConfig


def _tensor(value: Any, shape: Sequence[int], what: str) -> Tensor:
    """Read a tensor of a given shape, or say what came instead."""
    if not isinstance(value, Tensor):
        raise Wrong(f"{what} is a {type(value).__name__}: return a tensor.")
    if tuple(value.shape) != tuple(shape):
        raise Wrong(
            f"{what} has the shape {tuple(value.shape)}, expected"
            f" {tuple(shape)}."
        )
    return value.detach()


# 07.1


@exercise("07.1", "Mask the scores")
def masked_weights(answer: Any) -> None:
    """Compare weights, then change what is forbidden."""
    draw = torch.Generator().manual_seed(71)
    for size, real in ((7, [5]), (13, [13, 1, 6]), (4, [3, 4])):
        lengths = torch.tensor(real)
        scores = 2 * torch.randn(len(real), size, size, generator=draw)
        allowed = causal_mask(size) & padding_mask(lengths, size)[:, None]
        given = _tensor(
            answer(scores.clone(), lengths.clone()),
            scores.shape,
            f"For scores of shape {tuple(scores.shape)} your result",
        )
        right = scores.masked_fill(~allowed, -math.inf).softmax(-1)
        if not same(given, right):
            raise Wrong(masking_mistake(given, scores, allowed, lengths))
        spoiled = scores.masked_fill(~allowed, 60.0)
        if not same(answer(spoiled, lengths.clone()), right):
            raise Wrong(
                "A forbidden score of 60 changes your weights: it must not"
                " enter the softmax at all."
            )


# 07.2


@exercise("07.2", "Cross-attention")
def cross_attention(answer: Any) -> None:
    """Compare with a reference; equal lengths first, where mix-ups run."""
    draw = torch.Generator().manual_seed(72)
    for target, source, d in ((5, 5, 13), (3, 7, 13), (7, 1, 4), (1, 37, 7)):
        written = torch.randn(target, d, generator=draw)
        memory = torch.randn(source, d, generator=draw)
        weights = torch.randn(3, d, d, generator=draw) / math.sqrt(d)
        w_query, w_key, w_value = weights
        given = answer(written, memory, w_query, w_key, w_value)
        right = attend(written, memory, memory, w_query, w_key, w_value)
        if isinstance(given, Tensor) and given.shape == right.shape:
            if same(given, right):
                continue
            raise Wrong(crossing_mistake(given, written, memory, weights))
        shape = tuple(getattr(given, "shape", ()))
        raise Wrong(
            f"{target} target and {source} source vectors gave a result of"
            f" shape {shape}, expected {tuple(right.shape)}: the output has"
            " one row per query, and the queries come from the decoder."
        )


# 07.3


@exercise("07.3", "Shift right")
def shift_right(answer: Any) -> None:
    """Compare both rows, sentence by sentence."""
    for targets, start, end, pad in (
        ([[7, 8], [9, 10, 11, 12]], 1, 2, 0),
        ([[5]], 3, 4, 6),
        ([[20, 21, 22], [], [23]], 90, 91, 92),
    ):
        given = answer([[*target] for target in targets], start, end, pad)
        if not isinstance(given, tuple | list) or len(given) != 2:
            raise Wrong("Return two lists: inputs, labels.")
        inputs, labels = (
            [[int(i) for i in row] for row in rows] for rows in given
        )
        if {len(inputs), len(labels)} != {len(targets)}:
            raise Wrong(
                f"{len(targets)} targets gave {len(inputs)} rows of inputs and"
                f" {len(labels)} of labels: one row of each per target."
            )
        width = max(map(len, targets)) + 1
        for target, read, said in zip(targets, inputs, labels, strict=True):
            missing = [0] * (width - 1 - len(target))
            right = (
                [start, *target] + [pad for _ in missing],
                [*target, end] + [-100 for _ in missing],
            )
            if (read, said) != right:
                where = f"For the target {target}, padded to {width}: "
                raise Wrong(where + _shift_mistake(read, said, right, pad))


def _shift_mistake(
    read: list[int], said: list[int], right: tuple[list[int], ...], pad: int
) -> str:
    """Name what is wrong with one row of inputs and labels."""
    if read == said or read == right[1]:
        return "the target is not shifted: inputs and labels stand level."
    if read[:1] != right[0][:1]:
        return (
            f"inputs begin with {read[:1]}, the start token {right[0][0]} is"
            " missing."
        )
    if read != right[0]:
        return f"inputs are {read}: the start, the target, then pads ({pad})."
    if [-100 if i == pad else i for i in said] == right[1]:
        return "labels hold pads: the loss would count them. They are −100."
    if len(said) != len(read):
        return f"{len(said)} labels for {len(read)} inputs: one each."
    return f"labels are {said}: the target, the end token, then −100."


# 07.4


@exercise("07.4", "Step by step")
def step_by_step(answer: Any) -> None:
    """Count the calls, and compare with one pass in evaluation mode."""
    draw = torch.Generator().manual_seed(74)
    for batch, source_len, target_len in ((2, 7, 5), (1, 3, 1), (3, 4, 6)):
        model = _trained()
        source = torch.randint(3, 37, (batch, source_len), generator=draw)
        target = torch.randint(3, 37, (batch, target_len), generator=draw)
        padding = torch.ones_like(source, dtype=torch.bool)
        padding[0, 2:] = False
        calls: list[tuple[int, bool]] = []
        hook = model.decoder.register_forward_pre_hook(_noting(calls))
        given = answer(model, source, padding, target)
        hook.remove()
        with torch.no_grad():
            right = model.eval()(source, padding, target)
        _hold_steps(given, right, calls)


def _noting(calls: list[tuple[int, bool]]) -> Callable[..., None]:
    """Return a hook that notes a call's length, and the model's mode."""

    def note(part: nn.Module, given: tuple[Tensor, ...]) -> None:
        calls.append((given[0].shape[1], part.training))

    return note


def _trained() -> Transformer:
    """Return a model in training mode, with much dropout."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(7)
        config = TransformerConfig(
            vocab_size=37,
            d_model=14,
            num_heads=2,
            d_ff=13,
            num_layers=1,
            dropout=0.4,
            max_len=16,
        )
        return Transformer(config).train()


def _hold_steps(
    given: Any, right: Tensor, calls: list[tuple[int, bool]]
) -> None:
    """Check the mode, the calls, the shape and the numbers."""
    if any(training for _, training in calls):
        raise Wrong(
            "Dropout is left on: the model was in training mode while you"
            " called it, so no two calls agree."
        )
    steps = right.shape[1]
    if len(calls) < steps:
        raise Wrong(
            f"The decoder ran {len(calls)} times for a target of {steps}:"
            " run it once for each length, with the first ids only."
        )
    given = _tensor(given, right.shape, f"For a target of {steps} your result")
    if not same(given, right):
        raise Wrong(
            "The logits differ from those of one pass: at step t the model"
            " reads the first t ids, and the last position counts."
        )


# 07.5


@exercise("07.5", "Perplexity by hand")
def perplexity(answer: Any) -> None:
    """Compare with the exact value, with and without pads."""
    draw = torch.Generator().manual_seed(75)
    for labels in ([2, 0, -100], [1], [4, -100, -100, 3, 5], [0, 1, 2, 3]):
        rows = torch.rand(len(labels), 6, generator=draw).double() + 0.05
        rows = rows / rows.sum(-1, keepdim=True)
        chosen = [
            rows[place, label].item()
            for place, label in enumerate(labels)
            if label != -100
        ]
        surprises = [-math.log(p) for p in chosen]
        right = math.exp(sum(surprises) / len(surprises))
        given = float(answer(rows.tolist(), [*labels]))
        if not math.isclose(given, right, rel_tol=1e-4):
            where = f"For labels {labels} you return {given:.4g}: "
            raise Wrong(where + _loss_mistake(given, surprises, rows, labels))


def _loss_mistake(
    given: float, surprises: list[float], rows: Tensor, labels: list[int]
) -> str:
    """Name the mistake that makes this number."""
    total, count = sum(surprises), len(surprises)
    mean, bits = total / count, total / count / math.log(2)
    pads = [i for i, label in enumerate(labels) if label < 0]
    read = [0.0] + [
        -sum(math.log(rows[i, word].item()) for i in pads)
        for word in (0, -1, -100 % 6)
    ]
    with_pads = [math.exp((total + more) / len(labels)) for more in read]
    by_word = sum(map(math.exp, surprises)) / count
    named = {
        "that is the mean loss. Perplexity is e to it.": [mean, bits],
        "the sign is lost: perplexity is at least 1.": [math.exp(-mean)],
        "that is e to the sum: take the mean first.": [math.exp(total)],
        "that is the mean of 1/p: take the mean of −ln p, then exp.": [
            by_word
        ],
        "the base is mixed: e goes with ln.": [2**mean, math.exp(bits)],
        "pads are in the mean: only real positions count.": with_pads
        if pads
        else [],
    }
    for text, values in named.items():
        if any(math.isclose(given, v, rel_tol=1e-4) for v in values):
            return text
    return "take −ln of the right word's probability, the mean, then exp."


score = score_of(__name__)
