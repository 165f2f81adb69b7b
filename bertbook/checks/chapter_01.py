"""The checks of chapter 01: paths, context vectors, attention, crossings."""

import itertools
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from bertbook.checks.bottleneck_mistakes import (
    LookBack,
    by_the_formula,
    context_mistake,
    crossing_mistake,
    crossing_pairs,
    linked,
    look_back_mistake,
    odd_case,
    path_mistake,
    same,
)
from bertbook.checks.report import Wrong, exercise, score_of
from bertbook.reversal import random_batch
from bertbook.seq2seq import (
    AttentionDecoder,
    AttentionSeq2Seq,
    Seq2Seq,
    Seq2SeqConfig,
    greedy_decode,
)

WEIGHTS = Path(__file__).parent / "data" / "reversal.safetensors"
"""Made by `python experiments/01_the_bottleneck.py --weights`."""


def _expected_paths(n: int, k: int) -> dict[str, int]:
    return {
        "recurrent": n,
        "convolutions": linked(n, k, 1),
        "dilated": linked(n, k, k),
        "attention": 1,
    }


def _paths_to_try() -> list[tuple[int, int]]:
    """Return small, special and random pairs of n and k."""
    draw = random.Random(1)
    special = [(1, 2), (1, 5), (5, 3), (6, 3), (12, 4), (13, 4)]
    powers = [(k**e + off, k) for k, e in ((2, 6), (3, 4), (5, 3), (6, 3))
              for off in (-2, -1, 0, 1)]  # fmt: skip
    chance = [(draw.randint(2, 400), draw.randint(2, 9)) for _ in range(20)]
    return special + powers + chance


@exercise("01.1", "How long is the path?")
def path_lengths(answer: Callable[[int, int], dict[str, int]]) -> None:
    """Compare four path lengths with counts, one layer after another."""
    found = {(n, k): answer(n, k) for n, k in _paths_to_try()}
    kinds = _expected_paths(1, 2)
    for value in found.values():
        if not isinstance(value, dict) or set(value) != set(kinds):
            raise Wrong(
                f"Return a dictionary with exactly the keys {list(kinds)}."
            )
    for name in kinds:
        for (n, k), value in found.items():
            if value[name] != _expected_paths(n, k)[name]:
                values = [(*pair, each[name]) for pair, each in found.items()]
                raise Wrong(
                    f"{name} at n = {n}, k = {k}: {value[name]} is not it;"
                    f" {path_mistake(name, values)}"
                )


class _GrowingEncoder(nn.Module):
    """Hand on every state, one after another: a context that grows."""

    def __init__(self, encoder: nn.Module) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, inputs: Tensor, lengths: Tensor) -> Any:
        states, _ = self.encoder(inputs, lengths)
        return states, states.flatten(1)


def _measured(
    answer: Callable[..., dict[int, int]], model: Seq2Seq, lengths: list[int]
) -> tuple[dict[int, int], int]:
    """Return the learner's sizes, and how many strings were encoded."""
    batches: list[int] = []
    model.encoder.register_forward_pre_hook(
        lambda _, given: batches.append(len(given[0]))
    )
    found = answer(model, lengths)
    if not isinstance(found, dict) or sorted(found) != sorted(lengths):
        raise Wrong(
            f"For the lengths {lengths} return a dictionary with exactly"
            " these keys."
        )
    return found, batches[0] if batches else 1


def _compare_contexts(
    answer: Callable[..., dict[int, int]], model: Seq2Seq, grows: bool
) -> None:
    """Hold the measured sizes to those of one model."""
    lengths, hidden = [11, 6, 17, 29], model.config.d_hidden
    found, batch = _measured(answer, model, lengths)
    for length in lengths:
        if found[length] == (length * hidden if grows else hidden):
            continue
        if grows:
            raise Wrong(
                f"Given a model whose context grows with the string, you"
                f" report {found[length]} at length {length}. Do not take the"
                " size from the configuration or from a single length:"
                " measure the context of one string at every length."
            )
        raise Wrong(
            f"At length {length} you measure {found[length]}: "
            + context_mistake(found, hidden, batch)
        )


@exercise("01.2", "Does the context vector grow?")
def context_sizes(answer: Callable[..., dict[int, int]]) -> None:
    """Measure on models of odd sizes, one of which has a growing context."""
    for hidden in (37, 13):
        config = Seq2SeqConfig(vocab_size=9, d_embedding=6, d_hidden=hidden)
        _compare_contexts(answer, Seq2Seq(config), grows=False)
    growing = Seq2Seq(Seq2SeqConfig(d_embedding=6, d_hidden=23))
    growing.add_module("encoder", _GrowingEncoder(growing.encoder))
    _compare_contexts(answer, growing, grows=True)


def exact_match_at_20(answer: LookBack) -> float:
    """Decode strings of length 20 with a trained decoder that looks back."""

    class Looking(AttentionDecoder):
        def forward(
            self, inputs: Tensor, hidden: Tensor, states: Tensor, mask: Tensor
        ) -> tuple[Tensor, Tensor]:
            outputs, final = self.gru(inputs, hidden[None].contiguous())
            read = answer(self, outputs, states, mask)
            return self.output(torch.cat([outputs, read], dim=-1)), final[0]

    class Model(AttentionSeq2Seq):
        decoder_class = Looking

    model = Model(Seq2SeqConfig())
    model.load_state_dict(load_file(WEIGHTS))
    draw = torch.Generator().manual_seed(20)
    batch = random_batch(model.config, 128, 20, 20, draw)
    padding = batch.source.new_full((128, 4), 7)
    source = torch.cat([batch.source, padding], dim=1)
    written = greedy_decode(model, source, batch.lengths, 21)
    return (written == batch.labels).all(dim=1).float().mean().item()


@exercise("01.3", "Let the decoder look back")
@torch.no_grad()
def look_back(answer: LookBack) -> None:
    """Compare with the formula, then decode strings of length 20."""
    for seed, (target, lengths, hidden) in enumerate(
        [(5, [7, 7, 7], 13), (1, [13, 4], 37), (11, [1, 6, 2, 9], 7)]
    ):
        given = odd_case(seed, target, lengths, hidden)
        found = answer(*given)
        shape = tuple(given[1].shape)
        if not isinstance(found, Tensor) or tuple(found.shape) != shape:
            what = getattr(found, "shape", type(found).__name__)
            raise Wrong(
                f"For {shape[0]} strings, {shape[1]} decoder states and"
                f" d_hidden = {shape[2]}, return one tensor of shape {shape};"
                f" yours: {tuple(what) if isinstance(what, tuple) else what}."
            )
        if not same(found, by_the_formula(*given)):
            raise Wrong(
                f"With source lengths {lengths} your means differ from the"
                f" formula's: {look_back_mistake(answer)}"
            )
    if (share := exact_match_at_20(answer)) <= 0.9:
        raise Wrong(
            f"The trained decoder gets {share:.3f} of the strings of length"
            " 20 right with it. On small cases it agrees with the formula:"
            " is something kept from an earlier call?"
        )


def _alignments() -> list[list[tuple[int, int]]]:
    """Return alignments from small to random, with shared words and gaps."""
    draw = random.Random(4)
    fixed = [
        [(0, 0), (1, 1), (2, 3)],
        [(0, 5), (1, 0), (2, 1), (3, 2), (4, 3), (5, 4)],
        [(0, 0), (1, 1), (2, 3), (3, 2), (4, 6), (5, 7), (6, 4), (7, 5)],
        [(5, 0), (0, 1), (3, 8), (2, 4)],
        [(0, 0), (0, 1), (1, 0), (1, 1), (4, 2), (2, 2)],
        [],
        [(3, 1)],
    ]
    grid = list(itertools.product(range(9), range(11)))
    return fixed + [draw.sample(grid, size) for size in (5, 9, 14, 20)]


@exercise("01.4", "Crossings in an alignment")
def crossings(answer: Callable[[list[tuple[int, int]]], int]) -> None:
    """Compare the count on fixed and random alignments."""
    found = [(links, answer(list(links))) for links in _alignments()]
    for links, count in found:
        if isinstance(count, bool) or count != crossing_pairs(links):
            raise Wrong(
                f"For the links {links} you count {count}:"
                f" {crossing_mistake(found)}"
            )


score = score_of(__name__)
