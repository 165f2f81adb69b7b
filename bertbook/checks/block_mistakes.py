"""What the usual mistakes of chapter 06 compute, with what to say."""

from collections.abc import Callable

from torch import Tensor

Function = Callable[[Tensor], Tensor]


def normed(x: Tensor, epsilon: float, dim: int = -1) -> Tensor:
    """Normalize in the plainest way."""
    variance = x.var(dim=dim, keepdim=True, correction=0)
    return (x - x.mean(dim=dim, keepdim=True)) / (variance + epsilon).sqrt()


def norm_slips(x: Tensor, epsilon: float) -> dict[str, Tensor]:
    """Return what the usual mistakes make of x, with what to say."""
    centered = x - x.mean(dim=-1, keepdim=True)
    variance = x.var(dim=-1, keepdim=True, correction=0)
    squares = centered.square().sum(dim=-1, keepdim=True)
    sample = squares / (x.shape[-1] - 1)
    return {
        "the variance is that of a sample, divided by d − 1: divide the"
        " squares by the number of features.": centered
        / (sample + epsilon).sqrt(),
        "the mean and the variance are taken over the batch, down each"
        " column: that is batch norm. Take them along each row.": normed(
            x, epsilon, dim=0
        ),
        "the batch has one mean for all its numbers: each row has its own.": (
            x - x.mean()
        )
        / (x.var(correction=0) + epsilon).sqrt(),
        "ε is added to the standard deviation: it belongs to the variance,"
        " under the root.": centered / (variance.sqrt() + epsilon),
        "ε is missing under the root.": centered / variance.sqrt(),
        "ε is fixed: use the argument.": centered / (variance + 1e-5).sqrt(),
        "the deviations are divided by the variance: the root is missing.": (
            centered / (variance + epsilon)
        ),
        "the squares are summed: the variance is their mean.": centered
        / (squares + epsilon).sqrt(),
        "the mean is subtracted and nothing is divided.": centered,
        "the mean is not subtracted from the result.": x
        / (variance + epsilon).sqrt(),
    }


def count_slips(h: int, i: int) -> dict[str, int]:
    """Return the usual wrong counts, with what to say."""
    weights = 4 * h * h + 2 * h * i
    biases, norms = 4 * h + i + h, 4 * h
    return {
        "biases and layer norms are missing: 12 H² is a rule of thumb. Every"
        " matrix has a bias, every norm a scale and a shift.": weights,
        "4 H are missing, as many as two layer norms have, and as many as the"
        " biases of attention's four matrices: which of them did you leave"
        " out?": weights + biases,
        "the biases are missing: each of the six matrices adds one.": weights
        + norms,
        "only one layer norm is counted: attention and the feed-forward"
        " network have one each.": weights + biases + norms // 2,
        "a norm has two numbers per feature, a scale and a shift: you counted"
        " one.": weights + biases + 2 * h,
        "the feed-forward network's biases are missing, I and H.": weights
        + 4 * h
        + norms,
        "attention has four matrices: W^O is missing.": weights
        - h * h
        - h
        + biases
        + norms,
        "both biases of the feed-forward network have the same length: the"
        " first is as long as I.": weights + 4 * h + 2 * h + norms,
        "I is taken to be 4 H: use the argument.": 12 * h * h + 13 * h,
    }


def block_slips(x: Tensor, parts: list[Function]) -> dict[str, Tensor]:
    """Return what the usual mistakes compute, with what to say."""
    return _sum_slips(x, parts) | _place_slips(x, parts)


def _sum_slips(x: Tensor, parts: list[Function]) -> dict[str, Tensor]:
    """Return the outputs of blocks whose sums are not the right ones."""
    attend, feed, one, two = parts
    t1 = attend(x)
    t4 = feed(one(x + t1))
    after = one(t1) + x
    return {
        "the residual is added after the norm: add first, then normalize.": (
            two(feed(after)) + after
        ),
        "the first sum is missing: T² is X + T¹.": two(
            feed(one(t1)) + one(t1)
        ),
        "the second sum is missing: T⁵ is T⁴ + T³.": two(t4),
        "both sums are missing: X and T³ have to be added.": two(
            feed(one(t1))
        ),
        "the second sum adds X: look at the fifth equation.": two(t4 + x),
        "the second sum adds T¹: look at the fifth equation.": two(t4 + t1),
        "the second sum adds T²: look at the fifth equation.": two(
            t4 + x + t1
        ),
    }


def _place_slips(x: Tensor, parts: list[Function]) -> dict[str, Tensor]:
    """Return the outputs of blocks whose norms stand in other places."""
    attend, feed, one, two = parts
    t2 = x + attend(x)
    t3 = one(t2)
    t4 = feed(t3)
    before = x + attend(one(x))
    return {
        "that is pre-norm: the norms stand before the parts. In the equations"
        " the sum comes first, then the norm.": before + feed(two(before)),
        "norm_1 stands in both places: the last norm has weights of its"
        " own.": one(t4 + t3),
        "norm_2 stands in both places.": two(feed(two(t2)) + two(t2)),
        "the two norms are swapped.": one(feed(two(t2)) + two(t2)),
        "the last norm is missing: you return T⁵.": t4 + t3,
        "the first norm is missing.": two(feed(t2) + t2),
        "the feed-forward network is missing: you return T³.": t3,
        "the feed-forward network sees T²: the norm comes before it.": two(
            feed(t2) + t3
        ),
    }
