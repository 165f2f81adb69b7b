"""Right and wrong answers to the exercises of chapter 02."""

import math

import numpy as np
import torch
import torch.nn.functional as F


def shares(numbers):
    return torch.as_tensor(numbers, dtype=torch.float64).softmax(0)


# 02.1


def table_in_torch(scores, d_k):
    scaled = torch.tensor(scores) / d_k**0.5
    return scaled, scaled.softmax(dim=0)


def table_rounded(scores, d_k):
    scaled = np.array(scores) / np.sqrt(d_k)
    powers = np.exp(scaled - scaled.max())
    weights = powers / powers.sum()
    return [np.round(scaled, 3), np.round(weights, 3)]


def table_by_sigmoids(scores, d_k):
    scaled = [score * d_k**-0.5 for score in scores]
    weights = [
        1 / sum(math.exp(other - own) for other in scaled) for own in scaled
    ]
    return scaled, weights


def table(change):
    def answer(scores, d_k):
        exact = torch.tensor(scores, dtype=torch.float64)
        scaled, weights = change(exact, d_k)
        return scaled.tolist(), weights.tolist()

    return answer


def divided_by(divisor):
    def change(exact, d_k):
        scaled = exact / divisor(d_k)
        return scaled, scaled.softmax(0)

    return table(change)


# 02.2


def vectors_from_ones(scores):
    keys = torch.tensor(scores)[:, None].expand(-1, 64) / 64
    return torch.ones(64), keys


def vectors_with_one_number(scores):
    query, keys = torch.zeros(64), torch.zeros(len(scores), 64)
    query[5], keys[:, 5] = 2.0, torch.tensor(scores) / 2
    return query, keys


def vectors_as_lists(scores):
    rows = [[score] + [0.0] * 63 for score in scores]
    return [1.0] + [7.0] * 63, rows


def vectors_with_noise(scores):
    query = torch.randn(64, dtype=torch.float64)
    noise = torch.randn(len(scores), 64, dtype=torch.float64)
    missing = torch.tensor(scores, dtype=torch.float64) - noise @ query
    return query, noise + torch.outer(missing, query / (query @ query))


def short_vectors(scores):
    return torch.ones(1), torch.tensor(scores)[:, None]


def as_long_as_the_order(scores):
    size = len(scores)
    return torch.ones(size), torch.diag(torch.tensor(scores))


def in_columns(scores):
    query, keys = vectors_from_ones(scores)
    return query, keys.T


def already_scaled(scores):
    query, keys = vectors_from_ones(scores)
    return query, keys / 8


def unsigned(scores):
    root = torch.tensor(scores).abs().sqrt() / 8
    query = torch.ones(64) * root[0]
    return query, torch.tensor(scores).abs()[:, None] * query / (
        query @ query
    ).clamp_min(1e-6)


def positive_only(scores):
    return vectors_from_ones([abs(score) for score in scores])


def not_normalized(scores):
    query = torch.full((64,), 2.0)
    return query, torch.tensor(scores)[:, None] * query


def first_only(scores):
    query, keys = vectors_from_ones(scores)
    return query, keys[:1].expand(len(scores), 64)


def one_key(scores):
    query, keys = vectors_from_ones(scores)
    return query, keys[0]


# 02.3


def by_sdpa(x, source, w_query, w_key, w_value):
    query, key, value = x @ w_query, source @ w_key, source @ w_value
    return F.scaled_dot_product_attention(query, key, value)


def by_einsum(x, source, w_query, w_key, w_value):
    query = torch.einsum("ni,ik->nk", x, w_query)
    key = torch.einsum("mi,ik->mk", source, w_key)
    scores = torch.einsum("nk,mk->nm", query, key) * key.shape[-1] ** -0.5
    weights = torch.exp(scores - scores.amax(1, keepdim=True))
    weights = weights / weights.sum(1, keepdim=True)
    return torch.einsum("nm,mi,iv->nv", weights, source, w_value)


def by_rows(x, source, w_query, w_key, w_value):
    rows = []
    for word in x:
        keys = [other @ w_key for other in source]
        scores = torch.stack([(word @ w_query * key).sum() for key in keys])
        weights = torch.softmax(scores / math.sqrt(w_key.shape[1]), 0)
        rows.append((weights[:, None] * (source @ w_value)).sum(0))
    return torch.stack(rows)


def by_numpy(*inputs):
    x, source, w_query, w_key, w_value = (part.numpy() for part in inputs)
    scores = x @ w_query @ (source @ w_key).T / np.sqrt(w_key.shape[1])
    powers = np.exp(scores)
    return powers / powers.sum(1, keepdims=True) @ (source @ w_value)


def changed(change):
    """An answer made from the projections, in place of eq. 1."""

    def answer(x, source, w_query, w_key, w_value):
        return change(x @ w_query, source @ w_key, source @ w_value)

    return answer


def weights_of(query, key):
    return (query @ key.T / key.shape[-1] ** 0.5).softmax(-1)


def vectors_in_the_grid(x, source, w_query, w_key, w_value):
    query, key, value = x @ w_query, source @ w_key, source @ w_value
    relevance = torch.zeros(len(x), len(source))
    for i in range(len(x)):
        for j in range(len(source)):
            relevance[i, j] = query[i] * key[j] / math.sqrt(len(key[j]))
    return relevance.softmax(-1) @ value


def softmax_of_one(x, source, w_query, w_key, w_value):
    query, key, value = x @ w_query, source @ w_key, source @ w_value
    out = torch.zeros(len(x), value.shape[1])
    for i in range(len(x)):
        for j in range(len(source)):
            one = (query[i] @ key[j] / math.sqrt(key.shape[1])).reshape(1)
            out[i] += one.softmax(0) * value[j]
    return out


def last_only(x, source, w_query, w_key, w_value):
    query, key, value = x @ w_query, source @ w_key, source @ w_value
    weights = weights_of(query, key)
    out = torch.zeros(len(x), value.shape[1])
    for i in range(len(x)):
        for j in range(len(source)):
            out[i] = weights[i, j] * value[j]
    return out


def only_x(x, source, w_query, w_key, w_value):
    return by_sdpa(x, x, w_query, w_key, w_value)


def source_asks(x, source, w_query, w_key, w_value):
    return by_sdpa(source, x, w_query, w_key, w_value)


def keys_from_x(x, source, w_query, w_key, w_value):
    query, key, value = x @ w_query, x @ w_key, source @ w_value
    return F.scaled_dot_product_attention(query, key, value)


def values_from_x(x, source, w_query, w_key, w_value):
    query, key, value = x @ w_query, source @ w_key, x @ w_value
    return F.scaled_dot_product_attention(query, key, value)


def width_of_the_input(x, source, w_query, w_key, w_value):
    scores = x @ w_query @ (source @ w_key).T / math.sqrt(x.shape[1])
    return scores.softmax(-1) @ (source @ w_value)


def not_transposed(x, source, w_query, w_key, w_value):
    query, key, value = x @ w_query, source @ w_key, source @ w_value
    return (query @ key / math.sqrt(key.shape[1])).softmax(-1) @ value


def swapped_matrices(x, source, w_query, w_key, w_value):
    return by_sdpa(x, source, w_key, w_query, w_value)


# 02.4

EYE = torch.eye(2)
SHIFT = torch.tensor([[0.0, 1.0], [0.0, 0.0]])


def example_with_numbers():
    x = [[1.0, 2.0], [3.0, 0.5]]
    return x, [[1, 0], [0, 0]], [[0, 1], [2, -1]]


def example_in_numpy():
    return np.eye(2), np.array([[0, 2], [0, 0]]), np.eye(2)


# 02.5


def count_by_loops(num_tokens, num_heads, num_layers):
    grid = sum(num_tokens for _ in range(num_tokens))
    return sum(grid * num_heads for _ in range(num_layers))


def count_in_a_tensor(num_tokens, num_heads, num_layers):
    return torch.tensor([num_tokens, num_tokens, num_heads, num_layers]).prod()


RIGHT = {
    "fill_table": [table_in_torch, table_rounded, table_by_sigmoids],
    "make_vectors": [
        vectors_from_ones,
        vectors_with_one_number,
        vectors_as_lists,
        vectors_with_noise,
    ],
    "attention": [by_sdpa, by_einsum, by_rows, by_numpy],
    "counter_example": [
        lambda: (EYE, EYE, SHIFT),
        example_with_numbers,
        example_in_numpy,
    ],
    "count_scores": [
        count_by_loops,
        count_in_a_tensor,
        lambda n, h, layers: float(layers * h * n * n),
    ],
}

WRONG = {
    "fill_table": {
        "divides by d_k": (divided_by(lambda d_k: d_k), "division by d_k"),
        "divides by √d_model": (
            divided_by(lambda d_k: math.sqrt(512)),
            "√512.*embedding",
        ),
        "softmax before scaling": (
            table(lambda s, d: (s / d**0.5, s.softmax(0) / d**0.5)),
            "softmax stands before the scaling",
        ),
        "normalizes by the sum": (
            table(lambda s, d: (s / d**0.5, s / s.sum())),
            "divided by their sum",
        ),
        "normalizes the scaled by the sum": (
            table(lambda s, d: (s / d**0.5, s / d**0.5 / (s / d**0.5).sum())),
            "divided by their sum",
        ),
        "does not scale": (divided_by(lambda d_k: 1), "unscaled"),
        "multiplies": (divided_by(lambda d_k: d_k**-0.5), "multiplied"),
        "wrong sign": (
            table(lambda s, d: (s / d**0.5, (-s / d**0.5).softmax(0))),
            "sign",
        ),
        "powers of two": (
            table(
                lambda s, d: (
                    s / d**0.5,
                    (s / d**0.5 * math.log(2)).softmax(0),
                )
            ),
            "base of the powers",
        ),
        "sorts": (
            lambda scores, d_k: table_in_torch(sorted(scores), d_k),
            "order of what you return",
        ),
        "returns raw scores": (
            table(lambda s, d: (s, (s / d**0.5).softmax(0))),
            "go into the softmax",
        ),
        "no division by the sum": (
            table(lambda s, d: (s / d**0.5, (s / d**0.5).clamp(-9, 9).exp())),
            "sum to",
        ),
        "weights first": (
            table(lambda s, d: ((s / d**0.5).softmax(0), s / d**0.5)),
            "in the other order",
        ),
        "divides by the chapter's 8": (
            divided_by(lambda d_k: 8),
            "where d_k was 64",
        ),
        "two digits": (
            table(
                lambda s, d: (
                    s / d**0.5,
                    (s / d**0.5).softmax(0).round(decimals=2),
                )
            ),
            "two digits",
        ),
        "typed from the table": (
            lambda scores, d_k: ([10.0, 14.0], [0.018, 0.982]),
            "returns the same",
        ),
        "weights alone": (
            lambda scores, d_k: shares(scores) / d_k**0.5,
            "Return 2 things",
        ),
    },
    "make_vectors": {
        "changes d_k to 1": (short_vectors, "64 numbers.*d_k must not"),
        "changes d_k to the number of scores": (
            as_long_as_the_order,
            "d_k must not",
        ),
        "keys in columns": (in_columns, "stand in columns"),
        "scales already": (already_scaled, "eighth"),
        "loses the sign": (positive_only, "negative is positive"),
        "splits roots": (
            unsigned,
            "negative is positive|infinite|was ordered",
        ),
        "forgets the query's length": (not_normalized, "256 times"),
        "first score for all": (first_only, "was ordered"),
        "one key for all": (one_key, "one row for each"),
        "returns nothing": (lambda scores: None, "is there a return"),
    },
    "attention": {
        "element-wise `*` in the loops": (vectors_in_the_grid, "`\\*`"),
        "element-wise `*` of matrices": (
            changed(
                lambda q, k, v: (q * k / k.shape[-1] ** 0.5).softmax(-1) * v
            ),
            "element by element",
        ),
        "element-wise, then values": (
            changed(
                lambda q, k, v: (q * k / k.shape[-1] ** 0.5).softmax(-1) @ v
            ),
            "element by element",
        ),
        "forgets 1/√d_k": (
            changed(lambda q, k, v: (q @ k.T).softmax(-1) @ v),
            "not scaled",
        ),
        "returns the weights": (
            changed(lambda q, k, v: weights_of(q, k)),
            "return the weights",
        ),
        "returns the scores": (
            changed(lambda q, k, v: q @ k.T / k.shape[-1] ** 0.5),
            "return the scores",
        ),
        "divides by d_k": (
            changed(lambda q, k, v: (q @ k.T / k.shape[-1]).softmax(-1) @ v),
            "root is missing",
        ),
        "divides by the root of the width": (width_of_the_input, "width"),
        "softmax over the queries": (
            changed(
                lambda q, k, v: (q @ k.T / k.shape[-1] ** 0.5).softmax(0) @ v
            ),
            "over the queries",
        ),
        "softmax of one score": (softmax_of_one, "single score is 1"),
        "softmax at the end": (
            changed(
                lambda q, k, v: (q @ k.T / k.shape[-1] ** 0.5 @ v).softmax(-1)
            ),
            "at the end",
        ),
        "no softmax": (
            changed(lambda q, k, v: q @ k.T / k.shape[-1] ** 0.5 @ v),
            "no softmax",
        ),
        "keeps the last value": (last_only, "last value"),
        "ignores the source": (only_x, "self-attention"),
        "the source asks": (source_asks, "queries come from source"),
        "keys from x": (keys_from_x, "the keys come from x"),
        "values from x": (values_from_x, "the values come from x"),
        "no transpose": (not_transposed, "row \\d+ is furthest|PyTorch stops"),
        "multiplies by √d_k": (
            changed(
                lambda q, k, v: (q @ k.T * k.shape[-1] ** 0.5).softmax(-1) @ v
            ),
            "have to shrink",
        ),
        "divides by the root of d_v": (
            changed(
                lambda q, k, v: (q @ k.T / v.shape[-1] ** 0.5).softmax(-1) @ v
            ),
            "divided by 2.65",
        ),
        "softmax before scaling": (
            changed(
                lambda q, k, v: (q @ k.T).softmax(-1) / k.shape[-1] ** 0.5 @ v
            ),
            "do not sum to 1",
        ),
        "picks one value": (
            changed(lambda q, k, v: v[(q @ k.T).argmax(-1)]),
            "argmax picks",
        ),
        "a causal mask": (
            changed(
                lambda q, k, v: F.scaled_dot_product_attention(
                    q, k, v, is_causal=True
                )
            ),
            "causal",
        ),
        "the keys ask": (
            changed(lambda q, k, v: weights_of(k, q) @ v),
            "keys ask",
        ),
        "the mean of the values": (
            changed(lambda q, k, v: v.mean(0).expand(len(q), -1)),
            "all weights are equal",
        ),
        "query and key matrices swapped": (
            swapped_matrices,
            "row \\d+ is furthest",
        ),
        "returns nothing": (lambda *inputs: None, "is there a return"),
    },
    "counter_example": {
        "W_Q = W_K": (lambda: (EYE, SHIFT, SHIFT), "W_Q and W_K are equal"),
        "W_Q = W_K, weights not symmetric": (
            lambda: (torch.tensor([[1.0, 2.0], [0.0, 3.0]]), EYE, EYE),
            "equal.*softmax hides it",
        ),
        "W_K a multiple of W_Q": (
            lambda: (EYE, SHIFT + EYE, 3 * (SHIFT + EYE)),
            "scores are symmetric",
        ),
        "no words": (
            lambda: (torch.zeros(2, 2), EYE, SHIFT),
            "scores are symmetric",
        ),
        "too small to see": (
            lambda: (EYE, EYE, SHIFT * 1e-4),
            "0.0001 apart.*larger numbers",
        ),
        "symmetric weights": (
            lambda: (EYE, EYE, torch.tensor([[1.0, 4.0], [2.0, 3.0]])),
            "softmax of both rows",
        ),
        "three words": (
            lambda: (torch.eye(3), torch.eye(3), torch.eye(3)),
            "2 × 2",
        ),
        "two matrices": (lambda: (EYE, SHIFT), "Return 3 things"),
    },
    "count_scores": {
        "N·d": (lambda n, h, layers: n * 64 * h * layers, "N·d"),
        "N·d_model": (lambda n, h, layers: n * 768 * layers, "N·d"),
        "one head": (lambda n, h, layers: n * n * layers, "heads double"),
        "one layer": (lambda n, h, layers: n * n * h, "layers double"),
        "N²·d": (lambda n, h, layers: n * n * 64 * h * layers, "64 times"),
        "pairs once": (
            lambda n, h, layers: n * (n - 1) // 2 * h * layers,
            "half of the grid",
        ),
        "causal": (
            lambda n, h, layers: n * (n + 1) // 2 * h * layers,
            "half of the grid",
        ),
        "not itself": (
            lambda n, h, layers: n * (n - 1) * h * layers,
            "times the scores",
        ),
        "heads squared": (
            lambda n, h, layers: n * n * h * h * layers,
            "heads double",
        ),
        "only BERT's": (lambda n, h, layers: 37_748_736, "doubles|double"),
    },
}

EQUIVALENT = {
    "attention": {
        "query[i] @ key[j] → key[j] @ query[i]": (
            "a dot product is the same both ways round"
        ),
    },
    "counter_example": {
        "torch.tensor([[0.0, 3.0], [0.0, 0.0]]) → [[0.0, 3.0], [0.0, 0.0]]": (
            "the check reads nested lists as well as tensors"
        ),
    },
}
