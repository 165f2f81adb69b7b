"""The checks of chapter 06: norm, count, six equations, Jacobian."""

from typing import Any

import torch
from torch import Tensor, nn

from bertbook.checks.block_mistakes import (
    Function,
    block_slips,
    count_slips,
    norm_slips,
    normed,
)
from bertbook.checks.reading import describe, read_numbers
from bertbook.checks.report import Wrong, exercise, score_of

# 06.1

TABLE = [[1.0, 2, 3, 4], [2, 4, 6, 8], [10, 10, 10, 14]]


@exercise("06.1", "Normalize")
def layer_norm(answer: Any) -> None:
    """Compare vectors and batches with exact results, near zero too."""
    generator = torch.Generator().manual_seed(1)
    draw = {"generator": generator, "dtype": torch.float64}
    table = torch.tensor(TABLE, dtype=torch.float64)
    cases = [(table[0], 1e-12), (table, 1e-12), (table[:1], 1e-12)]
    cases += [(torch.randn(7, 13, **draw) * 3 + 2, 1e-5)]
    cases += [(table * 1e-3, 1e-5), (table[0] * 1e-2, 1e-3)]
    for x, epsilon in cases:
        _hold_norm(answer, x, epsilon)
    equal = torch.full((2, 5), 3.0, dtype=torch.float64)
    given = answer(equal.clone(), 1e-5)
    rows = given if isinstance(given, list | tuple) else [given]
    if any(torch.as_tensor(row).isnan().any() for row in rows):
        raise Wrong(
            "For a row of equal numbers you return NaN, 0 divided by 0: ε is"
            " missing under the root."
        )
    _hold_norm(answer, equal, 1e-5)


def _hold_norm(answer: Any, x: Tensor, epsilon: float) -> None:
    """Compare one result, and name the mistake if it differs."""
    where = f"For x of shape {tuple(x.shape)} and ε = {epsilon:g}"
    given = read_numbers(answer(x.clone(), epsilon), "the result")
    expected = normed(x, epsilon)
    if given.shape != expected.shape:
        raise Wrong(
            f"{where}, the result has the shape {tuple(given.shape)}: one"
            " number comes out for each that goes in."
        )
    if torch.allclose(given, expected, rtol=1e-4, atol=1e-5):
        return
    for message, slip in norm_slips(x, epsilon).items():
        if torch.allclose(given, slip, rtol=1e-4, atol=1e-5):
            raise Wrong(f"{where}, {message}")
    first = given.flatten()[0].item()
    raise Wrong(
        f"{where}, your first number is {first:.4f} and should be"
        f" {expected.flatten()[0].item():.4f}: subtract the row's mean, then"
        " divide by the root of its variance."
    )


# 06.2


@exercise("06.2", "Count a layer")
def count_layer(answer: Any) -> None:
    """Compare with formula and module for many sizes."""
    for h, i in ((768, 3072), (7, 13), (37, 5), (12, 12), (1024, 4096)):
        given = answer(h, i)
        if isinstance(given, Tensor):
            given = given.item()
        if not isinstance(given, int | float):
            raise Wrong(f"Return a number: we got {describe(given)}.")
        right = 4 * h * h + 2 * h * i + 9 * h + i
        if given == right:
            continue
        where = f"For H = {h} and I = {i} you count {given:,}"
        for message, slip in count_slips(h, i).items():
            if given == slip:
                raise Wrong(f"{where}: {message}")
        if given == 12 * h * h:
            raise Wrong(
                f"{where}: biases and layer norms are missing, and I is taken"
                " to be 4 H."
            )
        away = "too many" if given > right else "missing"
        raise Wrong(
            f"{where}: {abs(given - right):,} {away}. Compare with the"
            " chapter's table, one line at a time."
        )


# 06.3


def _parts(
    d_model: int, heads: int, seed: int
) -> tuple[nn.TransformerEncoderLayer, list[Function]]:
    """Build PyTorch's layer with norms that differ, and its four parts."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        layer = nn.TransformerEncoderLayer(
            d_model, heads, 2 * d_model + 1, dropout=0.0, batch_first=True
        ).double()
        for norm in (layer.norm1, layer.norm2):
            nn.init.uniform_(norm.weight, 0.5, 2.0)
            nn.init.uniform_(norm.bias, -1.0, 1.0)

    def attend(h: Tensor) -> Tensor:
        return layer.self_attn(h, h, h, need_weights=False)[0]

    def feed(h: Tensor) -> Tensor:
        return layer.linear2(layer.linear1(h).relu())

    return layer, [attend, feed, layer.norm1, layer.norm2]


@exercise("06.3", "Six equations")
def block(answer: Any) -> None:
    """Compare with nn.TransformerEncoderLayer, in odd sizes."""
    for seed, (batch, length, width, heads) in enumerate(
        ((2, 7, 26, 2), (1, 13, 6, 3), (3, 1, 37, 1))
    ):
        layer, parts = _parts(width, heads, seed)
        drawn = torch.Generator().manual_seed(seed)
        x = torch.randn(
            batch, length, width, generator=drawn, dtype=torch.float64
        )
        with torch.no_grad():
            given = read_numbers(answer(x.clone(), *parts), "H")
            expected = layer(x)
            _hold_block(given, expected, block_slips(x, parts))


def _hold_block(
    given: Tensor, expected: Tensor, others: dict[str, Tensor]
) -> None:
    """Compare one output, and name the mistake if it differs."""
    where = f"For X of shape {tuple(expected.shape)}"
    if given.shape != expected.shape:
        raise Wrong(
            f"{where}, H has the shape {tuple(given.shape)}: a block keeps it."
        )
    if torch.allclose(given, expected, rtol=0, atol=1e-5):
        return
    for message, other in others.items():
        if torch.allclose(given, other, rtol=0, atol=1e-5):
            raise Wrong(f"{where}, {message}")
    raise Wrong(
        f"{where}, H differs from PyTorch's by up to"
        f" {(given - expected).abs().max().item():.2g}: compute T¹ to T⁵ in"
        " order, and check which T each line takes."
    )


# 06.4


def _previous(x: Tensor) -> Tensor:
    """Return each position's neighbor to the left; the first has none."""
    return torch.cat([torch.zeros_like(x[:, :1]), x[:, :-1]], dim=1)


def _canceling(x: Tensor) -> Tensor:
    """Add and subtract the neighbor in two features: the sum is zero."""
    signs = torch.zeros(x.shape[-1], dtype=x.dtype)
    signs[0], signs[1] = 1.0, -1.0
    return x + _previous(x)[..., :1] * signs


def _last_feature(x: Tensor) -> Tensor:
    """Let positions meet in one feature only."""
    chosen = torch.zeros(x.shape[-1], dtype=x.dtype)
    chosen[-1] = 1.0
    return x.sin() + _previous(x) * chosen


def _second_text_only(x: Tensor) -> Tensor:
    """Let positions meet where a text starts with a positive number."""
    return x + x[:, :1, :1].relu() * _previous(x)


def _functions(width: int) -> list[tuple[str, bool, Function]]:
    """Return functions, whether they keep positions apart, and names."""
    _, (attend, feed, norm, _) = _parts(width, 1, 4)
    return [
        ("a feed-forward network", True, feed),
        ("self-attention", False, attend),
        ("layer norm", True, norm),
        ("a function that changes nothing", True, lambda x: 1.0 * x),
        ("a norm over the positions", False, lambda x: normed(x, 1e-5, 1)),
        (
            "a sum of each position and the one before it, where only earlier"
            " inputs reach an output",
            False,
            lambda x: x + _previous(x),
        ),
        (
            "a sum of each position and the one after it, where only later"
            " inputs reach an output",
            False,
            lambda x: x + _previous(x.flip(1)).flip(1),
        ),
        (
            "a function with a negative derivative between positions",
            False,
            lambda x: x - 0.5 * _previous(x),
        ),
        ("a function whose derivatives cancel", False, _canceling),
        ("a function that meets in the last feature", False, _last_feature),
        ("a weak meeting, of 1e-6", False, lambda x: x + 1e-6 * _previous(x)),
        ("a squared FFN", True, lambda x: feed(x).square() * 100.0),
    ]


@exercise("06.4", "Do positions meet?")
def keeps_positions_apart(answer: Any) -> None:
    """Try the learner's test on functions of both kinds, with batches."""
    drawn = torch.Generator().manual_seed(5)
    draw = {"generator": drawn, "dtype": torch.float64}
    for batch in (1, 3):
        x = torch.randn(batch, 5, 4, **draw)
        for name, apart, function in _functions(4):
            _hold_verdict(answer, function, x, apart, name)
    x = torch.randn(2, 5, 4, **draw)
    x[:, 0, 0] = torch.tensor([-1.0, 1.0], dtype=torch.float64)
    text = "a function that lets positions meet in the second text only"
    _hold_verdict(answer, _second_text_only, x, False, text)


def _hold_verdict(
    answer: Any, function: Function, x: Tensor, apart: bool, name: str
) -> None:
    """Compare one verdict, and say which function it missed."""
    given = answer(function, x.clone())
    if isinstance(given, Tensor) and given.numel() == 1:
        given = given.item()
    if not isinstance(given, bool):
        raise Wrong(f"Return True or False: we got {describe(given)}.")
    if given == apart:
        return
    batch = x.shape[0]
    texts = "one text" if batch == 1 else f"{batch} texts"
    if batch > 1:
        advice = (
            "the Jacobian of a batch also has blocks between different texts."
            " They are zero for all our functions. Test each text by itself,"
            " and all of them."
        )
    elif apart:
        advice = (
            "the derivatives of a position with respect to itself are allowed."
        )
    else:
        advice = (
            "look at all pairs of different positions, at all features, and"
            " at the size of a derivative, not its sign."
        )
    raise Wrong(f"For {texts} and {name} you return {given}: {advice}")


score = score_of(__name__)
