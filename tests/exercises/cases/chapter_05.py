"""Right and wrong answers to the exercises of chapter 05."""

import itertools
import math

import numpy as np
import torch

# 05.1


def matrix_in_torch(length, d, n):
    speeds = n ** (-torch.arange(0, d, 2) / d)
    angles = torch.arange(length)[:, None] * speeds
    return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(1)


def matrix_in_numpy(length, d, n):
    table = np.zeros((length, d))
    angles = np.outer(np.arange(length), n ** (-np.arange(0, d, 2) / d))
    table[:, 0::2], table[:, 1::2] = np.sin(angles), np.cos(angles)
    return table


def matrix_of_lists(length, d, n):
    return [
        [
            math.sin(k / n ** ((i - i % 2) / d) + math.pi / 2 * (i % 2))
            for i in range(d)
        ]
        for k in range(length)
    ]


def matrix_by_rotation(length, d, n):
    row = torch.tensor([0.0, 1.0] * (d // 2), dtype=torch.float64)
    rows = []
    for _ in range(length):
        rows.append(row)
        row = torch.tensor(rotation(d, n), dtype=torch.float64) @ row
    return torch.stack(rows)


def rotation(d, n):
    matrix = np.zeros((d, d))
    for i in range(0, d, 2):
        w = n ** (-i / d)
        matrix[i : i + 2, i : i + 2] = [
            [math.cos(w), math.sin(w)],
            [-math.sin(w), math.cos(w)],
        ]
    return matrix


def layout(entry):
    """A matrix from a formula of one entry."""

    def answer(length, d, n):
        return [[entry(k, i, d, n) for i in range(d)] for k in range(length)]

    return answer


def wave(angle, even):
    return math.sin(angle) if even else math.cos(angle)


# 05.2


def by_loops(table):
    rows = table.tolist()
    lengths = [sum(x * x for x in row) for row in rows]
    steps = [math.dist(a, b) for a, b in itertools.pairwise(rows)]
    half = len(rows[0]) / 2
    return (
        all(abs(length - half) < 1e-3 for length in lengths),
        max(steps) - min(steps) < 1e-3,
    )


def by_allclose(table):
    lengths = torch.einsum("kd,kd->k", table, table)
    steps = table.diff(dim=0).square().sum(1).sqrt()
    expected = torch.full_like(lengths, table.shape[1] / 2)
    return [
        torch.allclose(lengths, expected, atol=1e-3),
        torch.allclose(steps, steps[:1].expand_as(steps), atol=1e-3),
    ]


def by_gram(table):
    gram = table @ table.T
    squares = gram.diagonal()
    steps = squares[1:] + squares[:-1] - 2 * gram.diagonal(1)
    return (
        np.allclose(squares, table.shape[1] / 2, atol=1e-3),
        np.ptp(steps.clamp_min(0).sqrt().numpy()) < 1e-3,
    )


def one_pair(table):
    first = (table[1] - table[0]).norm()
    second = (table[2] - table[1]).norm()
    return by_loops(table)[0], bool((first - second).abs() < 1e-3)


def one_row(table):
    length = table[0].square().sum()
    return bool((length - table.shape[1] / 2).abs() < 1e-3), by_loops(table)[1]


def ends_only(table):
    first, last = (table[1] - table[0]).norm(), (table[-1] - table[-2]).norm()
    return by_loops(table)[0], bool((first - last).abs() < 1e-3)


def averages(table):
    lengths = table.square().sum(1)
    steps = table.diff(dim=0).norm(dim=1)
    return (
        bool((lengths.mean() - table.shape[1] / 2).abs() < 1e-3),
        bool((steps.mean() - steps[0]).abs() < 1e-3),
    )


def lengths_and_mean_step(table):
    return by_loops(table)[0], averages(table)[1]


def equal_lengths(table):
    lengths = table.square().sum(1)
    return bool(lengths.max() - lengths.min() < 1e-3), by_loops(table)[1]


def not_squared(table):
    lengths = table.norm(dim=1)
    half = table.shape[1] / 2
    return bool((lengths - half).abs().max() < 1e-3), by_loops(table)[1]


# 05.3


def products_of(length, d, n):
    table = np.array(matrix_in_numpy(length, d, n))
    return table @ table[0]


def count_with_numpy(length, d, n):
    products = products_of(length, d, n)
    return int(np.triu(products[None] > products[:, None], 1).sum())


def count_with_torch(length, d, n):
    products = torch.tensor(products_of(length, d, n))
    near, far = torch.combinations(torch.arange(length)).T
    return (products[far] > products[near]).sum()


def count_by_list(length, d, n):
    products = products_of(length, d, n).tolist()
    return len(
        [
            1
            for near in range(1, length)
            for far in range(near + 1, length)
            if products[far] > products[near]
        ]
    )


def count_falls(length, d, n):
    products = products_of(length, d, n)
    return int(np.triu(products[None] < products[:, None], 1).sum())


def count_rises(length, d, n):
    return int((np.diff(products_of(length, d, n)) > 0).sum())


def count_twice(length, d, n):
    return 2 * count_with_numpy(length, d, n)


def count_pairs(length, d, n):
    return length * (length - 1) // 2


def count_above_the_first_step(length, d, n):
    products = products_of(length, d, n)
    return int((products[2:] > products[1]).sum()) if length > 1 else 0


# 05.4


def matrix_by_blocks(d, n):
    blocks = []
    for i in range(d // 2):
        w = torch.tensor(n ** (-2 * i / d), dtype=torch.float64)
        blocks.append(
            torch.stack([w.cos(), w.sin(), -w.sin(), w.cos()]).view(2, 2)
        )
    return torch.block_diag(*blocks)


def matrix_as_exponential(d, n):
    generator = torch.zeros(d, d, dtype=torch.float64)
    for i in range(0, d, 2):
        generator[i, i + 1] = n ** (-i / d)
    return torch.linalg.matrix_exp(generator - generator.T)


def fitted_to_the_first(d, n):
    table = torch.tensor(matrix_in_numpy(2, d, n))
    return torch.outer(table[1], table[0]) / (table[0] @ table[0])


def fitted_to_the_third(d, n):
    table = torch.tensor(matrix_in_numpy(5, d, n))
    return torch.outer(table[4], table[3]) / (table[3] @ table[3])


def stretched(d, n):
    table = torch.tensor(matrix_in_numpy(8, d, n))
    return torch.diag(table[7] / table[6])


def for_halves(d, n):
    order = [*range(0, d, 2), *range(1, d, 2)]
    return rotation(d, n)[order][:, order]


def one_speed(d, n):
    return torch.block_diag(*[torch.tensor(rotation(2, n))] * (d // 2))


def signs_lost(d, n):
    return np.abs(rotation(d, n))


RIGHT = {
    "position_matrix": [
        matrix_in_torch,
        matrix_in_numpy,
        matrix_of_lists,
        matrix_by_rotation,
    ],
    "lengths_and_steps": [by_loops, by_allclose, by_gram],
    "count_reversals": [count_with_numpy, count_with_torch, count_by_list],
    "step_matrix": [
        matrix_by_blocks,
        rotation,
        matrix_as_exponential,
    ],
    "longest_input": [
        lambda rows, texts: [rows, rows - texts - 1],
        lambda rows, texts: torch.tensor([rows, rows - texts - 1]).tolist(),
        lambda rows, texts: (
            len(range(rows)),
            rows - len(["[CLS]"] + ["[SEP]"] * texts),
        ),
    ],
}

WRONG = {
    "position_matrix": {
        "exponent i/d": (
            layout(lambda k, i, d, n: wave(k / n ** (i / d), i % 2 == 0)),
            "i/d for.*share one",
        ),
        "parity by position": (
            layout(
                lambda k, i, d, n: wave(k / n ** ((i - i % 2) / d), k % 2 == 0)
            ),
            "turns over the positions.*dimension",
        ),
        "first position = 1": (
            lambda length, d, n: matrix_in_numpy(length + 1, d, n)[1:],
            "first position is 1.*from 0",
        ),
        "sin-half and cos-half": (
            lambda length, d, n: np.concatenate(
                [
                    matrix_in_numpy(length, d, n)[:, 0::2],
                    matrix_in_numpy(length, d, n)[:, 1::2],
                ],
                axis=1,
            ),
            "all sines come first",
        ),
        "exponent 2i/d over dimensions": (
            layout(
                lambda k, i, d, n: wave(
                    k / n ** (2 * (i - i % 2) / d), i % 2 == 0
                )
            ),
            "counts pairs",
        ),
        "cosine first": (
            layout(
                lambda k, i, d, n: wave(k / n ** ((i - i % 2) / d), i % 2 == 1)
            ),
            "changed places",
        ),
        "multiplies": (
            layout(
                lambda k, i, d, n: wave(k * n ** ((i - i % 2) / d), i % 2 == 0)
            ),
            "faster.*sign of the exponent",
        ),
        "ignores n": (
            lambda length, d, n: matrix_in_numpy(length, d, 10_000),
            "n = 10,000, whatever",
        ),
        "degrees": (
            layout(
                lambda k, i, d, n: wave(
                    math.radians(k / n ** ((i - i % 2) / d)), i % 2 == 0
                )
            ),
            "degrees",
        ),
        "columns for positions": (
            lambda length, d, n: matrix_in_numpy(length, d, n).T,
            "share one|shape|entry",
        ),
        "typed from the chapter": (
            lambda length, d, n: matrix_in_numpy(4, 4, 100),
            "shape \\(4, 4\\)",
        ),
        "all sines": (
            layout(lambda k, i, d, n: math.sin(k / n ** ((i - i % 2) / d))),
            "entry at position 0, dimension 1|entry at position",
        ),
        "returns nothing": (lambda length, d, n: None, "is there a return"),
    },
    "lengths_and_steps": {
        "checks one pair of steps": (one_pair, "one pair or an average"),
        "checks one row": (one_row, "one row, one pair or an average"),
        "first and last step": (ends_only, "one pair or an average"),
        "averages": (averages, "two rows are wrong.*an average is not enough"),
        "the mean step": (
            lengths_and_mean_step,
            "two steps are wrong.*an average is not enough",
        ),
        "always yes": (lambda table: (True, True), "not enough"),
        "always no": (lambda table: (False, False), "it holds"),
        "lengths equal to each other": (equal_lengths, "with d/2"),
        "length instead of its square": (not_squared, "squared lengths"),
        "answers in the other order": (
            lambda table: by_loops(table)[::-1],
            "True for every length|False for every|True for every step",
        ),
        "one answer": (lambda table: all(by_loops(table)), "Return 2 things"),
        "an answer for each row": (
            lambda table: (table.square().sum(1) > 0, True),
            "one True or False",
        ),
    },
    "count_reversals": {
        "yes, it always falls": (
            lambda length, d, n: 0,
            "p₀·p₁ and p₀·p₆",
        ),
        "counts the falls": (count_falls, "comparison round"),
        "neighbors only": (count_rises, "neighbors only"),
        "each pair twice": (count_twice, "twice"),
        "all pairs": (count_pairs, "every pair"),
        "near is always 1": (count_above_the_first_step, "list"),
        "only the chapter's": (lambda length, d, n: 14, "your count is 14"),
        "returns nothing": (lambda length, d, n: None, "is there a return"),
        "a list of pairs": (
            lambda length, d, n: [(1, 6), (2, 5)],
            "Return one number",
        ),
    },
    "step_matrix": {
        "R depends on k, fitted to 0": (
            fitted_to_the_first,
            "takes p_0 to p_1, but not.*depends on k",
        ),
        "R depends on k, fitted to 3": (
            fitted_to_the_third,
            "takes p_3 to p_4, but not.*depends on k",
        ),
        "a factor for each entry": (stretched, "p_6 to p_7.*depends on k"),
        "turned the other way": (
            lambda d, n: rotation(d, n).T,
            "the one before",
        ),
        "for the layout in halves": (for_halves, "all sines before"),
        "one speed for all pairs": (one_speed, "own speed"),
        "signs lost": (signs_lost, "a sign is not"),
        "no step": (lambda d, n: np.eye(d), "changes nothing"),
        "two steps": (
            lambda d, n: rotation(d, n) @ rotation(d, n),
            "addition formulas",
        ),
        "only two by two": (
            lambda d, n: rotation(2, n),
            "takes 4 numbers to 4",
        ),
    },
    "longest_input": {
        "514": (lambda rows, texts: (rows + 2, rows), "514.*RoBERTa"),
        "unlimited": (
            lambda rows, texts: (math.inf, math.inf),
            "no row in the|without a row",
        ),
        "unlimited, as a word": (
            lambda rows, texts: ("unlimited", "unlimited"),
            "without a row",
        ),
        "513": (lambda rows, texts: (rows + 1, rows), "has no row"),
        "511": (
            lambda rows, texts: (rows - 1, rows - 2 - texts),
            "count from 0",
        ),
        "510 tokens": (
            lambda rows, texts: (rows - 2, rows - 2),
            "every row",
        ),
        "no special tokens": (
            lambda rows, texts: (rows, rows),
            "tokens too",
        ),
        "two special tokens": (
            lambda rows, texts: (rows, rows - 2),
            "every text ends",
        ),
        "two for each text": (
            lambda rows, texts: (rows, rows - 2 * texts),
            "keeps? 4|count the special",
        ),
        "BERT's alone": (lambda rows, texts: (512, 511 - texts), "row"),
        "one number": (lambda rows, texts: rows, "Return 2 things"),
    },
}

EQUIVALENT = {
    "lengths_and_steps": {
        "table[1:] - table[:-1] → table[:-1] - table[1:]": (
            "a step is as long there as back"
        ),
        "lengths - table.shape[1] / 2 → table.shape[1] / 2 - lengths": (
            "its size is taken next"
        ),
        "(lengths - table.shape[1] / 2).abs().max() < 0.001 →"
        " (lengths - table.shape[1] / 2).abs().max() <= 0.001": (
            "no table differs by exactly the tolerance"
        ),
        "steps.max() - steps.min() < 0.001 →"
        " steps.max() - steps.min() <= 0.001": (
            "no table differs by exactly the tolerance"
        ),
        "bool(same_length) → same_length": (
            "the check reads a tensor with one Boolean as well"
        ),
        "bool(same_step) → same_step": (
            "the check reads a tensor with one Boolean as well"
        ),
    },
    "count_reversals": {
        "products[far] > products[near] → products[far] >= products[near]": (
            "no two positions tie"
        ),
    },
}
