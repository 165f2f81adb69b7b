"""Name the mistake behind wrong weights or a wrong output, if known."""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

CLOSE = 2e-3
"""Three digits after the point are asked for; half a digit and some room."""


def name_weights(weights: Tensor, scores: Tensor, d_k: int) -> str:
    """Say which mistake gives these weights."""
    root = math.sqrt(d_k)
    known = {
        "the weights are those of a division by d_k itself: the variance of"
        " a score is d_k, its spread is another number.": (scores / d_k),
        "the weights are those of a division by √512, the root of the"
        " embedding's size: look up which size stands under the root.": (
            scores / math.sqrt(512)
        ),
        "the weights are those of unscaled scores: the table has a line"
        " between the score and the softmax.": scores,
        "the weights are those of scores that were multiplied: scaling"
        " brings them closer together.": scores * root,
        "the weights are those of scaling twice.": scores / d_k / root,
        "the weights are those of a division by 8: that was the divisor of"
        " the chapter's table, where d_k was 64.": scores / 8,
        "the larger score has the smaller weight: look at the sign in the"
        " exponent, and at the order of what you return.": -scores / root,
    }
    for message, inputs in known.items():
        if same_numbers(weights, inputs.softmax(0)):
            return message
    return _name_shares(weights, scores, root)


def _name_shares(weights: Tensor, scores: Tensor, root: float) -> str:
    """Say which mistake gives these weights, where no softmax does."""
    if any(
        same_numbers(weights, numbers / numbers.sum())
        for numbers in (scores, scores / root, scores.abs())
    ):
        return (
            "the weights are the scores divided by their sum: normalizing by"
            " the sum is not softmax, something comes before it."
        )
    if same_numbers(weights, scores.softmax(0) / root):
        return (
            "the softmax stands before the scaling: the weights are scaled"
            " instead of the scores, and no longer sum to 1."
        )
    right = (scores / root).softmax(0)
    if torch.allclose(weights, right, rtol=0, atol=0.0055):
        return "the weights are right to two digits only: give three."
    total = weights.sum().item()
    if abs(total - 1) > 0.01:
        return (
            f"your weights sum to {total:.3g}: what does a softmax divide by?"
        )
    if same_numbers(weights.sort().values, right.sort().values):
        return "the weights are right but in another order than the scores."
    return (
        "the weights sum to 1 but are not those of eq. 1: check the divisor"
        " and the base of the powers, which is e."
    )


def same_numbers(one: Tensor, other: Tensor) -> bool:
    """Tell whether numbers agree to three digits after the point."""
    return torch.allclose(one, other, rtol=0, atol=CLOSE)


def reference(
    x: Tensor, source: Tensor, *matrices: Tensor, scale: float | None = None
) -> Tensor:
    """Compute attention with PyTorch's own function, in float64."""
    to_query, to_key, to_value = (matrix.double() for matrix in matrices)
    x, source = x.double(), source.double()
    return F.scaled_dot_product_attention(
        x @ to_query, source @ to_key, source @ to_value, scale=scale
    )


def name_mistake(
    output: Tensor, expected: Tensor, inputs: list[Tensor]
) -> str:
    """Say which mistake gives this output."""
    for message, other in _mistakes(inputs):
        if output.shape == other.shape and torch.allclose(
            output, other, rtol=1e-3, atol=1e-4
        ):
            return message
    if output.shape != expected.shape:
        return (
            f"the output has the shape {tuple(output.shape)}: one row for"
            " each row of x, as wide as a value."
        )
    if behind := _name_weights_behind(output, inputs):
        return behind
    row = int((output - expected).abs().amax(-1).argmax())
    return (
        f"row {row} is furthest from PyTorch's, by"
        f" {(output - expected).abs().max():.2g}: compute that row's scores,"
        " weights and mixture by hand, and compare each."
    )


def _name_weights_behind(output: Tensor, inputs: list[Tensor]) -> str:
    """Compute the weights that give this output, and say what they are.

    It takes as many keys as a value has numbers: then the matrix of the
    values can be inverted. Otherwise there is nothing to say.
    """
    x, source, to_query, to_key, to_value = (p.double() for p in inputs)
    value = source @ to_value
    if value.shape[0] != value.shape[1] or value.det().abs() < 1e-3:
        return ""
    weights = output @ value.inverse()
    total = weights.sum(-1)
    if (total - 1).abs().max() > 0.01:
        return (
            "the weights behind your output do not sum to 1: row 0 has"
            f" {total[0]:.3g}."
        )
    if weights.max() > 0.999 and weights.sort().values[:, :-1].max() < 1e-3:
        return "one value is picked in each row: softmax mixes, argmax picks."
    if weights.triu(1).abs().max() < 1e-3:
        return "a causal mask is set: here every query meets every key."
    if weights.std(-1).max() < 1e-3:
        return "all weights are equal: the scores play no part in them."
    return _name_divisor(weights, x @ to_query @ (source @ to_key).T)


def _name_divisor(weights: Tensor, scores: Tensor) -> str:
    """Find the number by which these scores were divided, if one was."""
    powers = weights.clamp_min(1e-12).log()
    powers, scores = (p - p.mean(-1, keepdim=True) for p in (powers, scores))
    slope = (powers * scores).sum() / scores.square().sum()
    if (powers - slope * scores).abs().max() > 0.01:
        return ""
    return (
        f"the weights are those of scores divided by {1 / slope:.3g}: which"
        " size of these does the divisor come from?"
    )


def _mistakes(inputs: list[Tensor]) -> list[tuple[str, Tensor]]:
    """Return what known mistakes give, each with what to look at."""
    x, source, *matrices = (part.double() for part in inputs)
    to_query, to_key, to_value = matrices
    query, key, value = x @ to_query, source @ to_key, source @ to_value
    return (
        _wrong_scale(query, key, value, x.shape[1])
        + _wrong_softmax(query, key, value)
        + _swapped(x, source, matrices)
        + _elementwise(query, key, value)
    )


def _wrong_scale(
    query: Tensor, key: Tensor, value: Tensor, width: int
) -> list[tuple[str, Tensor]]:
    """Return what other divisors than the root of d_k give."""
    scores, d_k = query @ key.T, key.shape[-1]
    divisors = {
        "the scores are not scaled: the factor 1/√d_k was hidden in the"
        " listing's undefined function.": 1.0,
        "the scores are divided by d_k: the root is missing.": d_k,
        "the scores are divided by the root of the input's width, not of"
        " d_k, the size of a key.": math.sqrt(width),
        "the scores are multiplied by √d_k: they have to shrink.": (
            1 / math.sqrt(d_k)
        ),
    }
    return [
        (message, (scores / divisor).softmax(-1) @ value)
        for message, divisor in divisors.items()
    ]


def _wrong_softmax(
    query: Tensor, key: Tensor, value: Tensor
) -> list[tuple[str, Tensor]]:
    """Return what comes out if softmax or mixture go wrong."""
    scaled = query @ key.T / math.sqrt(key.shape[-1])
    weights = scaled.softmax(-1)
    outputs = {
        "you return the weights: they still have to mix the values.": weights,
        "you return the scores: neither softmax nor values are in it.": scaled,
        "the softmax runs over the queries (the columns): the weights of one"
        " query must sum to 1.": scaled.softmax(0) @ value,
        "there is no softmax: scaled scores mix the values directly.": (
            scaled @ value
        ),
        "the softmax of a single score is 1: it needs all scores of a query"
        " at once.": torch.ones_like(scaled) @ value,
        "the softmax stands at the end: it belongs before the values.": (
            (scaled @ value).softmax(-1)
        ),
        "only the last value of each row is left: the sum over the keys"
        " starts anew each time.": weights[:, -1:] * value[-1],
    }
    if len(query) == len(key):
        outputs |= {
            "the keys ask and the queries answer: a row of weights belongs to"
            " a query.": scaled.T.softmax(-1) @ value,
        }
    return list(outputs.items())


def _swapped(
    x: Tensor, source: Tensor, matrices: Sequence[Tensor]
) -> list[tuple[str, Tensor]]:
    """Return what attention from the wrong input gives."""
    found: list[tuple[str, Tensor]] = []
    if x.shape[1] != source.shape[1]:
        return found
    if len(x) == len(source):
        found += _half_swapped(x, source, matrices)
    found.append(
        (
            "keys and values come from x: here source answers, this is"
            " self-attention.",
            reference(x, x, *matrices),
        )
    )
    found.append(
        (
            "the queries come from source: x asks, and the output is as long"
            " as x.",
            reference(source, x, *matrices),
        )
    )
    return found


def _half_swapped(
    x: Tensor, source: Tensor, matrices: Sequence[Tensor]
) -> list[tuple[str, Tensor]]:
    """Return what comes out if keys and values have different inputs."""
    to_query, to_key, to_value = matrices
    mix = F.scaled_dot_product_attention
    query, message = x @ to_query, "come from x: here source answers."
    return [
        (f"the keys {message}", mix(query, x @ to_key, source @ to_value)),
        (f"the values {message}", mix(query, source @ to_key, x @ to_value)),
    ]


def _elementwise(
    query: Tensor, key: Tensor, value: Tensor
) -> list[tuple[str, Tensor]]:
    """Return what `*` gives in the place of a product of matrices."""
    if not query.shape == key.shape == value.shape:
        return []
    root = math.sqrt(key.shape[-1])
    scaled, each = query * key / root, query[:, None] * key / root
    message = (
        "`*` multiplies query and key element by element: a score is their"
        " dot product, a single number for each pair."
    )
    outputs = [
        scaled.softmax(-1) * value,
        (each.softmax(1) * value).sum(1),
        (each.softmax(-1) * value).sum(1),
    ]
    return [(message, output) for output in outputs]


def asymmetry(matrix: Tensor) -> float:
    """Return how far two cells across the diagonal are apart."""
    return (matrix[0, 1] - matrix[1, 0]).abs().item()


def name_symmetry(
    w_query: Tensor, w_key: Tensor, scores: Tensor, weights: Tensor
) -> str:
    """Say why the scores come out symmetric."""
    if torch.allclose(w_query, w_key):
        hidden = (
            " The softmax hides it, since each row is divided by its own sum."
            if asymmetry(weights) >= 0.01
            else ""
        )
        return (
            "W_Q and W_K are equal, so every query is its own key and the"
            f" scores are symmetric.{hidden} Choose two different matrices."
        )
    if (apart := asymmetry(scores)) > 1e-6:
        return (
            f"The two scores across the diagonal are {apart:.1g} apart, less"
            " than 0.01: take larger numbers."
        )
    return (
        "The scores are symmetric: the first word's query meets the second"
        " word's key with the same result as the other way round. Compute"
        " these two numbers by hand."
    )
