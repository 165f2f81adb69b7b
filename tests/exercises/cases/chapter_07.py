"""Right and wrong answers to the exercises of chapter 07."""

import math

import torch
import torch.nn.functional as F

INFINITE = -math.inf


# 07.1


def weights_by_tril(scores, lengths):
    size = scores.shape[1]
    open_ = torch.ones(len(scores), size, size).tril().bool()
    for row, length in enumerate(lengths):
        open_[row, :, length:] = False
    bias = torch.zeros_like(scores)
    bias[~open_] = INFINITE
    return F.softmax(scores + bias, dim=2)


def weights_by_loops(scores, lengths):
    weights = torch.zeros_like(scores)
    for b, length in enumerate(lengths.tolist()):
        for i in range(scores.shape[1]):
            end = min(i + 1, length)
            weights[b, i, :end] = scores[b, i, :end].softmax(0)
    return weights


def weights_from(change):
    def answer(scores, lengths):
        size = scores.shape[-1]
        causal = torch.ones(size, size).tril().bool()[None]
        real = (torch.arange(size) < lengths[:, None])[:, None]
        return change(scores, causal, real)

    return answer


def fill(scores, allowed):
    return scores.masked_fill(~allowed, -1e30).softmax(-1)


def no_diagonal(scores, causal, real):
    strict = causal & ~torch.eye(causal.shape[-1]).bool()
    return scores.masked_fill(~(strict & real), INFINITE).softmax(-1)


def rows_of_pads(closed):
    def change(scores, causal, real):
        allowed = causal & real & real.mT
        weights = scores.masked_fill(~allowed, closed).softmax(-1)
        return weights if closed == INFINITE else weights * allowed

    return change


# 07.2


def cross_by_pytorch(written, memory, w_query, w_key, w_value):
    parts = written @ w_query, memory @ w_key, memory @ w_value
    return F.scaled_dot_product_attention(*(p[None] for p in parts))[0]


def cross_by_loops(written, memory, w_query, w_key, w_value):
    rows = []
    for word in written:
        keys = memory @ w_key
        scores = keys @ (word @ w_query) * len(word) ** -0.5
        powers = (scores - scores.max()).exp()
        rows.append((powers / powers.sum()) @ (memory @ w_value))
    return torch.stack(rows)


def cross_of(choose, scale=math.sqrt, dim=-1):
    def answer(written, memory, w_query, w_key, w_value):
        asks, offers, gives = choose(written, memory)
        query, key, value = asks @ w_query, offers @ w_key, gives @ w_value
        scores = query @ key.T / scale(key.shape[-1])
        return scores.softmax(dim) @ value

    return answer


# 07.3


def shift_by_cutting(targets, start_id, end_id, pad_id):
    width = max(map(len, targets)) + 2
    inputs, labels = [], []
    for target in targets:
        whole = [start_id, *target, end_id]
        read = whole[:-1] + [pad_id] * (width - len(whole))
        said = whole[1:] + [-100] * (width - len(whole))
        inputs.append(read)
        labels.append(said)
    return inputs, labels


def shift_in_torch(targets, start_id, end_id, pad_id):
    size = (len(targets), max(map(len, targets)) + 1)
    inputs = torch.full(size, pad_id)
    labels = torch.full(size, -100)
    for row, target in enumerate(targets):
        inputs[row, 0] = start_id
        inputs[row, 1 : len(target) + 1] = torch.tensor(target).long()
        labels[row, : len(target)] = torch.tensor(target).long()
        labels[row, len(target)] = end_id
    return inputs, labels


def not_shifted(targets, start_id, end_id, pad_id):
    inputs, _ = shift_by_cutting(targets, start_id, end_id, pad_id)
    return inputs, inputs


def no_start(targets, start_id, end_id, pad_id):
    _, labels = shift_by_cutting(targets, start_id, end_id, pad_id)
    width = len(labels[0])
    inputs = [t + [pad_id] * (width - len(t)) for t in targets]
    return inputs, labels


def loss_on_pads(targets, start_id, end_id, pad_id):
    inputs, labels = shift_by_cutting(targets, start_id, end_id, pad_id)
    return inputs, [
        [pad_id if i == -100 else i for i in row] for row in labels
    ]


def no_end(targets, start_id, end_id, pad_id):
    inputs, _ = shift_by_cutting(targets, start_id, end_id, pad_id)
    width = len(inputs[0])
    return inputs, [t + [-100] * (width - len(t)) for t in targets]


def one_row(targets, start_id, end_id, pad_id):
    return tuple(
        rows[:1]
        for rows in shift_by_cutting(targets, start_id, end_id, pad_id)
    )


# 07.4


def steps_by_decode(model, source_ids, source_padding, target_ids):
    model.train(False)
    with torch.no_grad():
        memory = model.encode(source_ids, source_padding)
        width = target_ids.shape[1]
        return torch.cat(
            [
                model.decode(target_ids[:, : i + 1], memory, source_padding)[
                    :, -1:
                ]
                for i in range(width)
            ],
            dim=1,
        )


def steps_with_cache(model, source_ids, source_padding, target_ids):
    model.eval()
    memory = model.encode(source_ids, source_padding)
    cache = model.decoder.new_cache()
    steps = []
    for column in target_ids.T:
        logits = model.decode(column[:, None], memory, source_padding, cache)
        steps.append(logits)
    return torch.cat(steps, 1)


def dropout_on(model, source_ids, source_padding, target_ids):
    steps = [
        model(source_ids, source_padding, target_ids[:, : i + 1])[:, -1]
        for i in range(target_ids.shape[1])
    ]
    return torch.stack(steps, 1)


def one_pass(model, source_ids, source_padding, target_ids):
    return model.eval()(source_ids, source_padding, target_ids)


def first_position(model, source_ids, source_padding, target_ids):
    model.eval()
    steps = [
        model(source_ids, source_padding, target_ids[:, : i + 1])[:, 0]
        for i in range(target_ids.shape[1])
    ]
    return torch.stack(steps, 1)


# 07.5


def perplexity_by_product(probabilities, labels):
    product, count = 1.0, 0
    for row, label in zip(probabilities, labels, strict=True):
        if label >= 0:
            product, count = product * row[label], count + 1
    return product ** (-1 / count)


def perplexity_in_torch(probabilities, labels):
    logs = torch.tensor(probabilities, dtype=torch.float64).log()
    return F.nll_loss(logs, torch.tensor(labels), ignore_index=-100).exp()


def perplexity_from(change):
    def answer(probabilities, labels):
        surprises = [
            -math.log(row[label])
            for row, label in zip(probabilities, labels, strict=True)
            if label != -100
        ]
        return change(surprises, len(labels))

    return answer


def clamped(probabilities, labels):
    rows = zip(probabilities, labels, strict=True)
    surprises = [-math.log(row[max(label, 0)]) for row, label in rows]
    return math.exp(sum(surprises) / len(surprises))


RIGHT = {
    "masked_weights": [weights_by_tril, weights_by_loops],
    "cross_attention": [cross_by_pytorch, cross_by_loops],
    "shift_right": [shift_by_cutting, shift_in_torch],
    "step_by_step": [steps_by_decode, steps_with_cache],
    "perplexity": [perplexity_by_product, perplexity_in_torch],
}
WRONG = {
    "masked_weights": {
        "masks the diagonal": (weights_from(no_diagonal), "diagonal"),
        "masks after the softmax": (
            weights_from(lambda s, c, r: s.softmax(-1) * (c & r)),
            "after the softmax",
        ),
        "multiplies scores by 0": (
            weights_from(lambda s, c, r: (s * (c & r)).softmax(-1)),
            "multiplied forbidden scores by 0",
        ),
        "inverts the convention": (
            weights_from(lambda s, c, r: fill(s, ~(c & r))),
            "inverted",
        ),
        "forgets the padding": (
            weights_from(lambda s, c, r: fill(s, c)),
            "padding is not masked",
        ),
        "forgets causality": (
            weights_from(lambda s, c, r: fill(s, r)),
            "causal mask is missing",
        ),
        "turns the staircase over": (
            weights_from(lambda s, c, r: fill(s, c.mT & r)),
            "upside down",
        ),
        "closes the rows of pads": (
            weights_from(rows_of_pads(INFINITE)),
            "Only the rows of pads",
        ),
        "empties the rows of pads": (
            weights_from(rows_of_pads(-1e30)),
            "Only the rows of pads",
        ),
    },
    "cross_attention": {
        "query from the encoder": (
            cross_of(lambda y, x: (x, x, x)),
            "query comes from the encoder",
        ),
        "roles swapped": (cross_of(lambda y, x: (x, y, y)), "swapped"),
        "key from the decoder": (
            cross_of(lambda y, x: (y, y, x)),
            "key comes from the decoder",
        ),
        "query and key exchanged": (
            cross_of(lambda y, x: (x, y, x)),
            "Query and key are exchanged",
        ),
        "only the values from the decoder": (
            cross_of(lambda y, x: (x, x, y)),
            "Only the decoder asks",
        ),
        "self-attention": (cross_of(lambda y, x: (y, y, y)), "self-attention"),
        "value from the decoder": (
            cross_of(lambda y, x: (y, x, y)),
            "value comes from the decoder",
        ),
        "no scale": (
            cross_of(lambda y, x: (y, x, x), lambda d: 1),
            "scale √d is missing",
        ),
        "divides by d": (
            cross_of(lambda y, x: (y, x, x), lambda d: d),
            "divided by d",
        ),
        "softmax over queries": (
            cross_of(lambda y, x: (y, x, x), dim=0),
            "over the queries",
        ),
    },
    "shift_right": {
        "target unshifted": (not_shifted, "not shifted"),
        "start token missing": (no_start, "start token 1 is missing"),
        "loss on pads": (loss_on_pads, "labels hold pads"),
        "end token missing": (no_end, "the end token"),
        "one row for all": (one_row, "one row of each per target"),
    },
    "step_by_step": {
        "dropout left on": (dropout_on, "Dropout is left on"),
        "one pass": (one_pass, "ran 1 times"),
        "takes the first position": (first_position, "last position counts"),
    },
    "perplexity": {
        "mean over pads": (
            perplexity_from(lambda s, n: math.exp(sum(s) / n)),
            "pads are in the mean",
        ),
        "pads read as word 0": (clamped, "pads are in the mean"),
        "mean loss": (
            perplexity_from(lambda s, n: sum(s) / len(s)),
            "that is the mean loss",
        ),
        "sum, no mean": (
            perplexity_from(lambda s, n: math.exp(sum(s))),
            "e to the sum",
        ),
        "mean of 1/p": (
            perplexity_from(lambda s, n: sum(map(math.exp, s)) / len(s)),
            "mean of 1/p",
        ),
        "sign lost": (
            perplexity_from(lambda s, n: math.exp(-sum(s) / len(s))),
            "sign is lost",
        ),
        "base mixed": (
            perplexity_from(lambda s, n: 2 ** (sum(s) / len(s))),
            "base is mixed",
        ),
    },
}
_SAME_LENGTH = "both lists have one entry for each position"
EQUIVALENT = {
    "perplexity": {
        "True → False": _SAME_LENGTH,
        "zip(probabilities, labels, strict=True) → zip(probabilities, labels)":
            _SAME_LENGTH,
    }
}  # fmt: skip
SLOW = {"step_by_step": 6}
