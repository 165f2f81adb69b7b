"""What goes wrong in the exercises of chapter 01, and how it shows."""

import functools
import itertools
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from bertbook.masks import padding_mask
from bertbook.seq2seq import AttentionDecoder, Seq2SeqConfig

LookBack = Callable[[AttentionDecoder, Tensor, Tensor, Tensor], Tensor]
"""A read-out: decoder, its states, the source's states, the mask."""


@functools.cache
def linked(n: int, k: int, growth: int) -> int:
    """Count layers until position n, stepping back, has been seen."""
    seen, gap, layers = {0}, 1, 0
    while n not in seen:
        seen = {
            place + step * gap
            for place in seen
            for step in range(k)
            if place + step * gap <= n
        }
        gap *= growth
        layers += 1
    return layers


Answer = tuple[int, int, Any]
"""A distance n, a width k, and what the learner's function returned."""

_ONE_LAYER = (
    "that one layer computes all positions at once does not mean it links"
    " them: each position reads k neighbors only. Stack layers until the"
    " distance is covered."
)
_BY_WIDTH = (
    "you divide by k. A layer reads k positions, but it had reached one of"
    " them before: how much farther does it reach?"
)
_LINEAR = (
    "this is linear in n, as for convolutions without gaps. The gaps multiply"
    " from layer to layer: how does the reach grow?"
)
_CONVOLUTIONS: dict[Callable[[int, int], int], str] = {
    lambda n, k: 1: _ONE_LAYER,
    lambda n, k: -(-n // k): _BY_WIDTH,
    lambda n, k: n // k: _BY_WIDTH,
    lambda n, k: linked(n, k, k): (
        "this grows like a logarithm. Without gaps every layer reaches the"
        " same number of positions farther."
    ),
    lambda n, k: n // (k - 1): (
        "a stack whose reach falls short of n does not link the positions:"
        " round up."
    ),
    lambda n, k: -(-2 * n // (k - 1)): (
        "your kernels lie around a position. Here they read it and the k - 1"
        " before it, and reach twice as far back."
    ),
    lambda n, k: n: "this is a recurrent layer's path. A layer of width k"
    " reaches farther than the next position.",
}
_DILATED: dict[Callable[[int, int], int], str] = {
    lambda n, k: 1: _ONE_LAYER,
    lambda n, k: -(-n // k): _LINEAR,
    lambda n, k: n // k: _LINEAR,
    lambda n, k: linked(n, k, 1): _LINEAR,
    lambda n, k: n: _LINEAR,
}
_OTHERWISE = {
    "recurrent": "a recurrent layer hands a signal on by one position per"
    " step; count the steps from one position to the other.",
    "attention": "in self-attention each position reads every other one in"
    " the same layer, so nothing grows with n.",
    "convolutions": "draw the stack for a small n. Count how much farther"
    " each layer reaches, and round up when the last one overshoots.",
    "dilated": "the growth may be right, but the count is off. Does the"
    " position itself count? Is n close to a power, and a logarithm rounded?",
}


def path_mistake(name: str, found: list[Answer]) -> str:
    """Find the mistake that explains every path length of one kind."""
    known = {"convolutions": _CONVOLUTIONS, "dilated": _DILATED}
    for formula, reason in known.get(name, {}).items():
        if all(value == formula(n, k) for n, k, value in found):
            return reason
    return _OTHERWISE[name]


def context_mistake(found: dict[int, int], hidden: int, batch: int) -> str:
    """Say what wrong sizes of the context vector are sizes of."""
    known: dict[Callable[[int], int], str] = {
        lambda _: batch: f"{batch} is the batch size, the number of strings"
        " encoded. Look along the other axis.",
        lambda _: batch * hidden: "you count the numbers of all strings"
        " together, not of one.",
        lambda n: n: "this is the length of the string, not the size of its"
        " context vector.",
        lambda n: n * hidden: "you count the encoder's states after every"
        " symbol. What is handed to the decoder is the second thing it"
        " returns.",
        lambda n: batch * n * hidden: "you count the states of the whole"
        " batch, and at all positions.",
        lambda n: batch * n: "you count symbols: strings times positions.",
    }
    for formula, reason in known.items():
        if all(size == formula(n) for n, size in found.items()):
            return reason
    return "measure the second thing the encoder returns, for one string."


def odd_case(
    seed: int, target: int, lengths: list[int], hidden: int
) -> tuple[AttentionDecoder, Tensor, Tensor, Tensor]:
    """Return a random decoder with random inputs, padded to the longest."""
    draw = torch.Generator().manual_seed(seed)
    config = Seq2SeqConfig(d_hidden=hidden, d_attention=hidden // 2)
    decoder = AttentionDecoder(config)
    for part in (decoder.w_query.weight.data, decoder.w_key.weight.data):
        part.copy_(torch.randn(part.shape, generator=draw) / 3)
    decoder.v.copy_(torch.randn(decoder.v.shape, generator=draw))
    shapes = (target, hidden), (max(lengths), hidden)
    outputs, states = (
        torch.randn(len(lengths), *shape, generator=draw) for shape in shapes
    )
    mask = padding_mask(torch.tensor(lengths), max(lengths))
    return decoder, outputs, states, mask


def by_the_formula(
    decoder: AttentionDecoder, outputs: Tensor, states: Tensor, mask: Tensor
) -> Tensor:
    """Read the source one target and one source position at a time."""
    w_query, w_key, v = (
        part.double()
        for part in (decoder.w_query.weight, decoder.w_key.weight, decoder.v)
    )
    result = torch.zeros(outputs.shape, dtype=torch.float64)
    for row, i in itertools.product(*map(range, outputs.shape[:2])):
        keys = states[row][mask[row]].double()
        asked = w_query @ outputs[row, i].double()
        scores = [torch.dot(v, torch.tanh(asked + w_key @ h)) for h in keys]
        shares = torch.stack(scores).exp()
        result[row, i] = (shares[:, None] * keys).sum(0) / shares.sum()
    return result.float()


def same(first: Tensor, second: Tensor) -> bool:
    """Tell whether two read-outs agree to four digits."""
    return torch.allclose(first, second, atol=1e-4)


Finding = Callable[[LookBack, Tensor], str | None]


def look_back_mistake(answer: LookBack) -> str:
    """Find out by experiments what a wrong read-out does."""
    plain = answer(*odd_case(5, 6, [9, 9, 9], 21))
    if not plain.isfinite().all():
        return "some of the means are not numbers: look at scores and mask."
    experiments: list[Finding] = [
        _changes_with_the_future,
        _does_not_average,
        _changes_with_order,
        _changes_with_padding,
        _leaves_a_part_out,
    ]
    for experiment in experiments:
        if reason := experiment(answer, plain):
            return reason
    return (
        "the weights are not those of the formula. Compare term by term:"
        " what is projected, what is added, what goes through tanh, what is"
        " weighed by v."
    )


def _changes_with_the_future(answer: LookBack, plain: Tensor) -> str | None:
    decoder, outputs, states, mask = odd_case(5, 6, [9, 9, 9], 21)
    outputs[:, -1] += 1.0
    moved = answer(decoder, outputs, states, mask)
    if same(moved[:, :-1], plain[:, :-1]):
        return None
    return (
        "a mean changed when only a later decoder state did. Either it"
        " attends over the decoder's own states, future ones included, or its"
        " softmax shares the weights out among target positions: they belong"
        " to the source."
    )


def _changes_with_padding(answer: LookBack, _: Tensor) -> str | None:
    decoder, outputs, states, mask = odd_case(5, 6, [9, 4, 2], 21)
    padded = answer(decoder, outputs, states, mask)
    filled = states.masked_fill(~mask[..., None], 3.0)
    if same(answer(decoder, outputs, filled, mask), padded):
        return None
    return (
        "the means change with what stands at padded positions. They must"
        " get no weight: use the mask on the scores."
    )


def _changes_with_order(answer: LookBack, plain: Tensor) -> str | None:
    decoder, outputs, states, mask = odd_case(5, 6, [9, 9, 9], 21)
    order = torch.tensor([4, 0, 7, 2, 8, 1, 6, 3, 5])
    if same(answer(decoder, outputs, states[:, order], mask), plain):
        return None
    return (
        "the source states in another order give other means. It picks or"
        " copies states of the source by their place; attention finds them"
        " by their content, through the scores."
    )


def _does_not_average(answer: LookBack, _: Tensor) -> str | None:
    decoder, outputs, states, mask = odd_case(5, 6, [9, 4, 2], 21)
    states[..., 0] = 1.0
    ones = answer(decoder, outputs, states, mask)[..., 0]
    if same(ones, torch.ones_like(ones)):
        return None
    return (
        "a source whose states all hold a 1 in one place is not read as 1"
        " there. Either the weights over the real positions do not sum to 1,"
        " or what is averaged is not the source's states."
    )


def _leaves_a_part_out(answer: LookBack, plain: Tensor) -> str | None:
    for name in ("w_query", "w_key", "v"):
        decoder, *given = odd_case(5, 6, [9, 9, 9], 21)
        part = decoder.v if name == "v" else getattr(decoder, name).weight
        part.data.copy_(part.data.roll(1, 0) * 1.5)
        if same(answer(decoder, *given), plain):
            return (
                f"decoder.{name} has no influence on the result. Is it left"
                " out? Or does it add the same number to all scores of a row,"
                " which a softmax does not notice?"
            )
    return None


def crossing_pairs(alignment: list[tuple[int, int]]) -> int:
    """Count by sorting: links by source, then inversions in the target."""
    pairs = itertools.combinations(sorted(alignment), 2)
    return sum(a < c and b > d for (a, b), (c, d) in pairs)


Links = list[tuple[int, int]]

_MOVED = (
    "you count words that moved. Count pairs of links: one word that moves"
    " far crosses many others, and those do not cross each other."
)
_SHARED = (
    "you count pairs that share a word. Two lines from one point do not cross."
)


def _pairs(links: Links) -> list[tuple[int, int]]:
    """Return the steps between each two links, in source and target."""
    pairs = itertools.combinations(sorted(links), 2)
    return [(c - a, d - b) for (a, b), (c, d) in pairs]


def _falls(links: Links) -> int:
    """Count pairs whose target falls, in the order of the list."""
    return sum(b > d for (_, b), (_, d) in itertools.combinations(links, 2))


def _ranks_moved(links: Links) -> int:
    """Count links whose place differs between source and target order."""
    by_source = sorted(links)
    by_target = sorted(links, key=lambda link: (link[1], link[0]))
    return sum(a != b for a, b in zip(by_source, by_target, strict=True))


_CROSSINGS: dict[Callable[[Links], int], str] = {
    lambda links: sum(a != b for a, b in links): _MOVED,
    _ranks_moved: _MOVED,
    lambda links: sum(
        place != target for place, (_, target) in enumerate(sorted(links))
    ): _MOVED,
    lambda links: 2 * crossing_pairs(links): (
        "you count each pair twice, once from either side."
    ),
    lambda links: sum(x * y <= 0 for x, y in _pairs(links)): _SHARED,
    lambda links: sum(x >= 0 >= y for x, y in _pairs(links)): _SHARED,
    lambda links: sum(x > 0 >= y for x, y in _pairs(links)): _SHARED,
    lambda links: _falls(sorted(links, key=lambda link: link[0])): _SHARED,
    lambda links: sum(
        b > d for (_, b), (_, d) in itertools.pairwise(sorted(links))
    ): "you compare neighboring links only. Any two links may cross.",
    lambda links: sum(x * y > 0 for x, y in _pairs(links)): (
        "you count the pairs that keep their order."
    ),
    _falls: "you take the list's order for the order of the source. The links"
    " come in no particular order.",
}


def crossing_mistake(found: list[tuple[Links, Any]]) -> str:
    """Find the mistake that explains every count."""
    for count, reason in _CROSSINGS.items():
        if all(value == count(links) for links, value in found):
            return reason
    return "draw the lines and mark the points where two of them meet."
