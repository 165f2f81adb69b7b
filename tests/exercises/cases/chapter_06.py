"""Right and wrong answers to the exercises of chapter 06."""

import math

import torch
import torch.nn.functional as F

JACOBIAN = torch.autograd.functional.jacobian

# 06.1


def norm_of_pytorch(x, epsilon=1e-5):
    return F.layer_norm(x, x.shape[-1:], eps=epsilon)


def norm_by_loops(x, epsilon=1e-5):
    if x.dim() > 1:
        return torch.stack([norm_by_loops(row, epsilon) for row in x])
    numbers = x.tolist()
    mean = sum(numbers) / len(numbers)
    variance = sum((n - mean) ** 2 for n in numbers) / len(numbers)
    root = math.sqrt(variance + epsilon)
    return torch.tensor([(n - mean) / root for n in numbers])


def norm_by_moments(x, epsilon=1e-5):
    mean = x.mean(-1, keepdim=True)
    spread = (x.square().mean(-1, keepdim=True) - mean**2).clamp(min=0)
    return (x - mean) * torch.rsqrt(spread + epsilon)


def norm_by_rows(x, epsilon=1e-5):
    if x.dim() == 1:
        return norm_of_pytorch(x, epsilon)
    return [norm_of_pytorch(row, epsilon) for row in x]


def parts(x):
    centered = x - x.mean(-1, keepdim=True)
    return centered, centered.square().mean(-1, keepdim=True)


def over_the_batch(x, epsilon):
    if x.dim() == 1:
        return norm_of_pytorch(x, epsilon)
    return norm_of_pytorch(x.T, epsilon).T


def sample_std(x, epsilon):
    variance = x.var(-1, keepdim=True)
    return parts(x)[0] / torch.sqrt(variance + epsilon)


def whole_batch(x, epsilon):
    return (x - x.mean()) / torch.sqrt(x.var(correction=0) + epsilon)


# 06.2


def count_by_modules(hidden_size, intermediate_size):
    with torch.device("meta"):
        layer = torch.nn.TransformerEncoderLayer(
            hidden_size, 1, intermediate_size
        )
    return sum(p.numel() for p in layer.parameters())


def count_in_one_line(h, i):
    return 4 * h**2 + 2 * h * i + 9 * h + i


# 06.3


def block_in_two_lines(x, attend, feed, one, two):
    h = one(x + attend(x))
    return two(h + feed(h))


def block_in_place(x, attend, feed, one, two):
    x = one(attend(x).add(x))
    x = x.add(feed(x))
    return two(x)


def pre_norm(x, attend, feed, one, two):
    x = x + attend(one(x))
    return x + feed(two(x))


def residual_after_norm(x, attend, feed, one, two):
    x = x + one(attend(x))
    return x + two(feed(x))


# 06.4


def apart_by_permuting_dimensions(function, x):
    apart = True
    for text in x:
        grid = JACOBIAN(function, text[None]).squeeze(0).squeeze(2)
        grid = grid.permute(0, 2, 1, 3).flatten(2).abs().amax(-1)
        outside = ~torch.eye(len(grid), dtype=torch.bool)
        apart = apart and bool((grid[outside] < 1e-9).all())
    return apart


def apart_by_gradients(function, x):
    for text in x:
        for place in range(len(text)):
            for feature in range(text.shape[1]):
                given = text[None].clone().requires_grad_()
                out = function(given)[0, place, feature]
                (gradient,) = torch.autograd.grad(out, given)
                gradient[0, place] = 0
                if gradient.abs().max() > 1e-9:
                    return False
    return True


def judged(reduce):
    def answer(function, x):
        for text in x:
            grid = JACOBIAN(function, text[None])[0, :, :, 0]
            if reduce(grid) > 1e-9:
                return False
        return True

    return answer


def off_diagonal(grid):
    return grid - grid.diag().diag()


def between_texts(function, x):
    grid = JACOBIAN(function, x)
    reach = grid[0, :, :, -1].abs().amax(dim=(1, 3))
    return bool(off_diagonal(reach).max() <= 1e-9)


def first_text_only(function, x):
    reach = JACOBIAN(function, x)[0, :, :, 0].abs().amax(dim=(1, 3))
    return bool(off_diagonal(reach).max() <= 1e-9)


def mixes_the_batch(function, x):
    flat = JACOBIAN(function, x).abs().amax(dim=(0, 2, 3, 5))
    return bool(flat.max() <= 1e-9)


RIGHT = {
    "layer_norm": [
        norm_of_pytorch,
        norm_by_loops,
        norm_by_moments,
        norm_by_rows,
    ],
    "count_layer": [count_by_modules, count_in_one_line],
    "block": [block_in_two_lines, block_in_place],
    "keeps_positions_apart": [
        apart_by_permuting_dimensions,
        apart_by_gradients,
    ],
}

WRONG = {
    "layer_norm": {
        "sample std (−1.1619)": (sample_std, "d − 1"),
        "batch axis (−0.8276)": (over_the_batch, "down each column"),
        "missing ε": (
            lambda x, e: parts(x)[0] / parts(x)[1].sqrt(),
            "ε is missing",
        ),
        "ε outside the root": (
            lambda x, e: parts(x)[0] / (parts(x)[1].sqrt() + e),
            "under the root",
        ),
        "ε fixed": (lambda x, e: norm_of_pytorch(x), "ε is fixed"),
        "one mean for all": (whole_batch, "one mean for all"),
        "no root": (
            lambda x, e: parts(x)[0] / (parts(x)[1] + e),
            "root is missing",
        ),
        "no division": (lambda x, e: parts(x)[0], "nothing is divided"),
        "no mean": (
            lambda x, e: x / (parts(x)[1] + e).sqrt(),
            "mean is not subtracted",
        ),
        "sum of squares": (
            lambda x, e: parts(x)[0] / (parts(x)[1] * x.shape[-1] + e).sqrt(),
            "squares are summed",
        ),
        "one number": (lambda x, e: x.mean(-1), "one number comes out"),
        "returns nothing": (lambda x, e: None, "is there a return"),
    },
    "count_layer": {
        "12 H²": (lambda h, i: 12 * h * h, "layer norms are missing"),
        "weights only (7,077,888)": (
            lambda h, i: 4 * h * h + 2 * h * i,
            "biases and layer norms are missing",
        ),
        "no norms": (
            lambda h, i: 4 * h * h + 2 * h * i + 5 * h + i,
            "4 H are missing",
        ),
        "one norm": (
            lambda h, i: 4 * h * h + 2 * h * i + 7 * h + i,
            "one layer norm",
        ),
        "no biases": (
            lambda h, i: 4 * h * h + 2 * h * i + 4 * h,
            "the biases are missing",
        ),
        "no biases in attention": (
            lambda h, i: 4 * h * h + 2 * h * i + i + h + 4 * h,
            "4 H are missing",
        ),
        "no biases in the network": (
            lambda h, i: 4 * h * h + 2 * h * i + 8 * h,
            "network's biases",
        ),
        "no output matrix": (
            lambda h, i: 3 * h * h + 2 * h * i + 8 * h + i,
            "W\\^O",
        ),
        "I is 4 H": (lambda h, i: 12 * h * h + 13 * h, "use the argument"),
        "a third norm": (
            lambda h, i: 4 * h * h + 2 * h * i + 11 * h + i,
            "too many",
        ),
        "BERT-base for all": (lambda h, i: 7_087_872, "too many"),
        "text": (lambda h, i: "7,087,872", "Return a number"),
    },
    "block": {
        "pre-LN": (pre_norm, "pre-norm"),
        "residual after norm": (residual_after_norm, "after the norm"),
        "no first sum": (
            lambda x, a, f, n, m: m(f(n(a(x))) + n(a(x))),
            "first sum",
        ),
        "no second sum": (
            lambda x, a, f, n, m: m(f(n(x + a(x)))),
            "second sum is missing",
        ),
        "no sums": (lambda x, a, f, n, m: m(f(n(a(x)))), "both sums"),
        "adds X twice": (
            lambda x, a, f, n, m: m(f(n(x + a(x))) + x),
            "second sum adds X",
        ),
        "adds T²": (
            lambda x, a, f, n, m: m(f(n(x + a(x))) + x + a(x)),
            "second sum adds T²",
        ),
        "one norm for both": (
            lambda x, a, f, n, m: n(f(n(x + a(x))) + n(x + a(x))),
            "norm_1 stands in both",
        ),
        "norms swapped": (
            lambda x, a, f, n, m: n(f(m(x + a(x))) + m(x + a(x))),
            "swapped",
        ),
        "no last norm": (
            lambda x, a, f, n, m: f(n(x + a(x))) + n(x + a(x)),
            "last norm is missing",
        ),
        "no network": (lambda x, a, f, n, m: n(x + a(x)), "you return T³"),
        "one position": (lambda x, a, f, n, m: x[0], "keeps it"),
    },
    "keeps_positions_apart": {
        "between two texts": (between_texts, "between different texts"),
        "first text only": (first_text_only, "all of them"),
        "mixes the batch": (mixes_the_batch, "with respect to itself"),
        "always": (lambda function, x: True, "all pairs"),
        "never": (lambda function, x: False, "itself"),
        "signed": (
            judged(lambda g: off_diagonal(g.amax(dim=(1, 3))).max()),
            "not its sign",
        ),
        "sum": (
            judged(lambda g: off_diagonal(g.sum(dim=(1, 3))).abs().max()),
            "all features",
        ),
        "first feature": (
            judged(lambda g: off_diagonal(g[:, 0, :, 0].abs()).max()),
            "all features",
        ),
        "earlier only": (
            judged(lambda g: g.abs().amax(dim=(1, 3)).tril(-1).max()),
            "all pairs",
        ),
        "features for positions": (
            judged(lambda g: off_diagonal(g.abs().amax(dim=(0, 2))).max()),
            "itself|all pairs",
        ),
        "returns the matrix": (
            lambda function, x: JACOBIAN(function, x),
            "True or False",
        ),
    },
}

BOTH = "(reach - reach.diag().diag()).max()"
ONE_TEXT = "one text at a time: its first is its last"

EQUIVALENT = {
    "keeps_positions_apart": {
        "0 → -1": ONE_TEXT,
        "0 → -1 (2)": ONE_TEXT,
        f"{BOTH} > 1e-09 → {BOTH} >= 1e-09": "no derivative is exactly 1e-9",
    },
}
