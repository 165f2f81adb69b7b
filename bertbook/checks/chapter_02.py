"""The checks of chapter 02: table, vectors, listing, symmetry, count."""

import math
import random
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from bertbook.checks.attention_mistakes import (
    CLOSE,
    asymmetry,
    name_mistake,
    name_symmetry,
    name_weights,
    reference,
)
from bertbook.checks.reading import describe, read_numbers, read_parts
from bertbook.checks.report import Wrong, exercise, score_of

# 02.1


@exercise("02.1", "Fill the table")
def fill_table(answer: Any) -> None:
    """Compare scaled scores and weights with exact ones, on many tables."""
    draw = random.Random(2)
    # Near scores first: where one weight is nearly 1, mistakes look alike.
    tables = [([3.0, 5.0], 16), ([40.0, 56.0], 16), ([112.0, 96.0], 64)]
    for d_k in (7, 13, 37, 100):
        spread = [draw.uniform(-3, 3) for _ in range(draw.randint(2, 5))]
        tables.append(([number * math.sqrt(d_k) for number in spread], d_k))
    first = read_parts(answer([3.0, 5.0], 16), ("scaled", "weights"))
    if str(first) == str(answer([56.0, 40.0], 16)):
        raise Wrong(
            "Your function returns the same for 3, 5 as for 56, 40: compute"
            " with its arguments, so that it fills any table."
        )
    for scores, d_k in tables:
        _hold_table(answer, scores, d_k)


def _hold_table(answer: Any, scores: list[float], d_k: int) -> None:
    """Compare one table with the learner's."""
    exact = torch.tensor(scores, dtype=torch.float64)
    given = read_parts(answer([*scores], d_k), ("scaled", "weights"))
    scaled = read_numbers(given[0], "scaled")
    weights = read_numbers(given[1], "weights")
    where = f"For {_rounded(scores)} with d_k = {d_k}"
    for name, numbers in (("scaled", scaled), ("weights", weights)):
        if numbers.shape != exact.shape:
            raise Wrong(
                f"{where}, {name} has the shape {tuple(numbers.shape)}:"
                f" return one number for each of the {len(scores)} scores."
            )
    right = exact / math.sqrt(d_k)
    pair = torch.stack([weights, scaled])
    turned = torch.stack([right, right.softmax(0)])
    if torch.allclose(pair, turned, rtol=1e-4, atol=CLOSE):
        raise Wrong(
            f"{where}, the two lists stand in the other order: return the"
            " scaled scores first, then the weights."
        )
    if not torch.allclose(weights, right.softmax(0), rtol=0, atol=CLOSE):
        raise Wrong(f"{where}, {name_weights(weights, exact, d_k)}")
    if not torch.allclose(scaled, right, rtol=1e-4, atol=CLOSE):
        raise Wrong(
            f"{where}, the weights are right and the scaled scores are not:"
            " return the numbers that go into the softmax."
        )


def _rounded(numbers: Sequence[float]) -> str:
    return "scores " + ", ".join(f"{number:.4g}" for number in numbers)


# 02.2


@exercise("02.2", "Vectors to order")
def make_vectors(answer: Any) -> None:
    """Multiply the vectors, for orders of several lengths and signs."""
    draw = random.Random(3)
    orders = [[112.0, 96.0], [-5.0, 0.0, 7.5], [0.0, 3.0]]
    for length in (1, 5, 13, 64, 70):
        orders.append([draw.uniform(-120, 120) for _ in range(length)])
    for scores in orders:
        _hold_vectors(answer, scores)


def _hold_vectors(answer: Any, scores: list[float]) -> None:
    """Check sizes first, then the dot products of one order."""
    given = read_parts(answer([*scores]), ("query", "keys"))
    query, keys = (
        read_numbers(given[0], "query"),
        read_numbers(given[1], "keys"),
    )
    where = f"For {len(scores)} ordered scores"
    query = query.reshape(64) if query.shape == (1, 64) else query
    if query.shape != (64,) or keys.shape[-1:] != (64,):
        turned = keys.shape == (64, len(scores)) and query.shape == (64,)
        advice = (
            "keys stand in rows, one for each score: yours stand in columns."
            if turned
            else "a query and a key have 64 numbers each. The order fixes"
            " their products, and d_k must not change with it."
        )
        raise Wrong(
            f"{where}, query has the shape {tuple(query.shape)} and keys"
            f" {tuple(keys.shape)}: {advice}"
        )
    if keys.shape != (len(scores), 64):
        raise Wrong(
            f"{where}, keys has the shape {tuple(keys.shape)}: return one row"
            " for each score."
        )
    wanted, got = torch.tensor(scores).double(), keys @ query
    if not torch.allclose(got, wanted, rtol=1e-4, atol=1e-3):
        raise Wrong(f"{where}, {_name_products(got, wanted)}")


def _name_products(got: Tensor, wanted: Tensor) -> str:
    """Say how the products differ from the order."""

    def same(other: Tensor) -> bool:
        return torch.allclose(got, other, rtol=1e-4, atol=1e-3)

    if same(wanted / 8):
        return (
            "the dot products are an eighth of the order: the scores are"
            " ordered before the scaling."
        )
    if same(wanted.abs()):
        return (
            "a dot product that should be negative is positive: look at the"
            " sign."
        )
    if not got.any():
        return "every dot product is 0: a vector of zeros meets no order."
    ratio = got / wanted.where(wanted != 0, torch.ones_like(wanted))
    ratio = ratio[wanted != 0]
    if len(ratio) > 1 and torch.allclose(ratio, ratio[0], rtol=1e-3):
        return (
            f"every dot product is {ratio[0]:.3g} times the order: the"
            " length of the query plays a part."
        )
    place = int((got - wanted).abs().argmax())
    return (
        f"score {wanted[place]:.4g} was ordered at place {place} and"
        f" {got[place]:.4g} came: multiply your query with that key by hand."
    )


# 02.3


def _case(sizes: tuple[int, ...], generator: torch.Generator) -> list[Tensor]:
    """Draw inputs and matrices of (n, m, width, its width, d_k, d_v)."""
    num_queries, num_keys, width, other_width, d_k, d_v = sizes
    shapes = [
        (num_queries, width), (num_keys, other_width),
        (width, d_k), (other_width, d_k), (other_width, d_v),
    ]  # fmt: skip
    drawn = [torch.randn(shape, generator=generator) for shape in shapes]
    return [*drawn[:2], *(part / width**0.5 * 2 for part in drawn[2:])]


@exercise("02.3", "Repair the listing")
def attention(answer: Any) -> None:
    """Compare with PyTorch's attention on random inputs of odd sizes."""
    generator = torch.Generator().manual_seed(4)
    # As many keys as a value has numbers: there the weights behind an output
    # can be computed, and a mistake in them named.
    for sizes in (
        (7, 7, 13, 13, 5, 7), (5, 5, 9, 9, 4, 4), (7, 13, 11, 11, 5, 3),
        (13, 7, 5, 9, 37, 2), (1, 6, 4, 4, 3, 6), (4, 1, 4, 3, 5, 2),
    ):  # fmt: skip
        _hold_attention(answer, _case(sizes, generator))


def _hold_attention(answer: Any, inputs: list[Tensor]) -> None:
    """Compare one output, and name the mistake if it differs."""
    x, source, *matrices = inputs
    where = (
        f"For x {tuple(x.shape)} and source {tuple(source.shape)}, d_k ="
        f" {matrices[0].shape[1]}, d_v = {matrices[2].shape[1]}"
    )
    try:
        given = answer(*(part.clone() for part in inputs))
    except NotImplementedError:
        raise
    except (RuntimeError, IndexError) as error:
        raise Wrong(
            f"{where}, PyTorch stops: {_first_line(error)}. Compare the"
            " shapes. `*` multiplies element by element and makes no dot"
            " product; x and source may differ in length and width."
        ) from None
    expected = reference(x, source, *matrices)
    output = read_numbers(given, "the output")
    if output.shape == expected.shape and torch.allclose(
        output, expected, rtol=1e-3, atol=1e-4
    ):
        return
    raise Wrong(f"{where}, {name_mistake(output, expected, inputs)}")


def _first_line(error: Exception) -> str:
    lines = str(error).splitlines() or [type(error).__name__]
    return lines[0].rstrip(". ")


# 02.4


@exercise("02.4", "Not symmetric")
def counter_example(answer: Any) -> None:
    """Compute scores and weights from the three matrices."""
    names = ("x", "w_query", "w_key")
    given = read_parts(answer() if callable(answer) else answer, names)
    matrices = []
    for name, part in zip(names, given, strict=True):
        matrix = read_numbers(part, name)
        if matrix.shape != (2, 2):
            raise Wrong(
                f"{name} has the shape {tuple(matrix.shape)}: two words of"
                " two numbers are enough, so every matrix is 2 × 2."
            )
        matrices.append(matrix)
    x, w_query, w_key = matrices
    scores = x @ w_query @ (x @ w_key).T
    weights = (scores / math.sqrt(2)).softmax(-1)
    if asymmetry(scores) < 0.01:
        raise Wrong(name_symmetry(w_query, w_key, scores, weights))
    if asymmetry(weights) < 0.01:
        raise Wrong(
            "The scores are not symmetric, but the two weights across the"
            " diagonal are nearly equal: change one number, and compute the"
            " softmax of both rows."
        )


# 02.5


@exercise("02.5", "Count the scores")
def count_scores(answer: Callable[[int, int, int], Any]) -> None:
    """Compare the counts for many sizes, BERT-base among them."""
    draw = random.Random(5)
    sizes = [(512, 12, 12), (7, 3, 2), (13, 1, 5), (37, 5, 1), (1, 2, 3)]
    sizes += [
        (draw.randint(2, 999), draw.randint(1, 32), draw.randint(1, 48))
        for _ in range(8)
    ]
    for num_tokens, num_heads, num_layers in sizes:
        given = answer(num_tokens, num_heads, num_layers)
        count = read_numbers(given, "the count")
        if count.numel() != 1:
            raise Wrong(f"Return one number: we got {describe(given)}.")
        if count.item() != num_tokens * num_tokens * num_heads * num_layers:
            where = (
                f"For {num_tokens} tokens, {num_heads} heads and"
                f" {num_layers} layers"
            )
            raise Wrong(f"{where}, {_name_count(answer)}")


def _name_count(answer: Callable[[int, int, int], Any]) -> str:
    """Find out what the count depends on by doubling one size at a time."""
    base = float(answer(64, 6, 5))
    if base <= 0:
        return "your count is not positive."
    sizes = {
        "tokens": (128, 6, 5),
        "heads": (64, 12, 5),
        "layers": (64, 6, 10),
    }
    times = {name: float(answer(*size)) / base for name, size in sizes.items()}
    if abs(times["tokens"] - 2) < 0.1:
        return (
            "your count only doubles when the tokens double, as N·d does:"
            " who is compared with whom?"
        )
    for name, wanted in (("tokens", 4), ("heads", 2), ("layers", 2)):
        if abs(times[name] - wanted) > 0.05 * wanted:
            return (
                f"your count grows {times[name]:.3g} times when the {name}"
                " double: how large is a grid, and how many are there?"
            )
    share = base / (64 * 64 * 6 * 5)
    if 0.4 < share < 0.6:
        return (
            "you count about half of the grid: without a mask every token"
            " asks every token, itself and those after it as well."
        )
    at = "at 64 tokens, 6 heads and 5 layers your count is"
    return f"{at} {share:.3g} times the scores: draw a grid of 2 tokens."


score = score_of(__name__)
