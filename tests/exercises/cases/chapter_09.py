"""Right and wrong answers to the exercises of chapter 09."""

import numpy as np
import torch
from torch import nn

# 09.1


def count_by_modules(vocab_size, num_layers, h, num_heads, d_ff, pooler):
    with torch.device("meta"):
        parts = [nn.Embedding(n, h) for n in (vocab_size, 512, 2)]
        parts.append(nn.LayerNorm(h))
        parts += [
            nn.TransformerEncoderLayer(h, 1, d_ff) for _ in range(num_layers)
        ]
        if pooler:
            parts.append(nn.Linear(h, h))
    return sum(p.numel() for part in parts for p in part.parameters())


def count_in_one_line(v, n, h, a, f, pooler):
    layers = n * (h * (4 * h + 9) + f * (2 * h + 1))
    return h * (v + 516 + bool(pooler) * (h + 1)) + layers


def count_as_tensor(*sizes):
    return torch.tensor(count_in_one_line(*sizes))


def count_with_numpy(*sizes):
    return np.int64(count_in_one_line(*sizes))


def off(change, only=None):
    """Return an answer that is off by `change(v, n, h, a, f)`."""

    def answer(v, n, h, a, f, pooler):
        right = count_in_one_line(v, n, h, a, f, pooler)
        if only is not None and pooler is not only:
            return right
        return right + change(v, n, h, a, f)

    return answer


# 09.2


def rows_by_appending(first, second, vocabulary):
    ids, segments = [vocabulary["[CLS]"]], [0]
    for segment, text in enumerate((first, second)):
        for token in [] if text is None else [*text, "[SEP]"]:
            ids.append(vocabulary[token])
            segments.append(segment)
    return ids, segments, [place for place, _ in enumerate(ids)]


def rows_as_tensors(first, second, vocabulary):
    texts = [["[CLS]", *first, "[SEP]"]]
    texts += [] if second is None else [[*second, "[SEP]"]]
    ids = [vocabulary[token] for text in texts for token in text]
    lengths = torch.tensor([len(text) for text in texts])
    segments = torch.arange(len(texts)).repeat_interleave(lengths)
    return torch.tensor(ids), segments, torch.arange(len(ids))


def changed(change):
    """Return an answer whose right rows are changed."""

    def answer(first, second, vocabulary):
        rows = rows_by_appending(first, second, vocabulary)
        return change(*rows, first, second, vocabulary)

    return answer


def without_stops(first, second, vocabulary):
    texts = [
        None if text is None else [t for t in text if t != "."]
        for text in (first, second)
    ]
    return rows_by_appending(*texts, vocabulary)


def stop_for_sep(first, second, vocabulary):
    ids, *others = rows_by_appending(first, second, vocabulary)
    stop, sep = vocabulary["."], vocabulary["[SEP]"]
    return [stop if i == sep else i for i in ids], *others


def first_sep_in_b(ids, segments, positions, first, second, vocabulary):
    if second is not None:
        segments[len(first) + 1] = 1
    return ids, segments, positions


def restarted(ids, segments, positions, first, second, vocabulary):
    start = len(first) + 2
    return ids, segments, [p if p < start else p - start for p in positions]


# 09.3


def gibibytes(parameters, precision):
    return parameters * int(precision[2:]) / 8 / 1024**3, "GiB"


def gigabytes_from_bits(parameters, precision):
    return [parameters * int(precision.removeprefix("fp")) / 8e9, "GB"]


def sized(number, unit="GB"):
    def answer(parameters, precision):
        each = 4 if precision == "fp32" else 2
        return number(parameters, each), unit

    return answer


# 09.4


def changes_by_counting(old, new, h):
    def parts(v):
        return {
            "word": v * h,
            "position": 512 * h,
            "segment": 2 * h,
            "layers": 12 * (12 * h * h + 13 * h) + 2 * h,
            "pooler": h * h + h,
            "heads": h * h + h + 2 * h + v + 2 * h + 2,
        }

    before, after = parts(old), parts(new)
    return {name: after[name] - before[name] for name in before}


def changes_written_out(old, new, h):
    return {
        "word": (new - old) * h,
        "heads": new - old,
        "position": 0,
        "segment": 0,
        "layers": 0,
        "pooler": 0,
    }


def but(**wrong):
    """Return the right changes, with some of them wrong."""

    def answer(old, new, h):
        changes = {n: change(old, new, h) for n, change in wrong.items()}
        return changes_written_out(old, new, h) | changes

    return answer


RIGHT = {
    "count_bert": [
        count_by_modules,
        count_in_one_line,
        count_as_tensor,
        count_with_numpy,
    ],
    "three_rows": [rows_by_appending, rows_as_tensors],
    "size_in_memory": [gibibytes, gigabytes_from_bits],
    "what_changes": [changes_by_counting, changes_written_out],
}

WRONG = {
    "count_bert": {
        "12 H² per layer without biases": (
            off(lambda v, n, h, a, f: -(9 * h + f) * n),
            "12 H² per layer",
        ),
        "no pooler when asked": (
            off(lambda v, n, h, a, f: -h * h - h, only=True),
            "pooler is missing",
        ),
        "A affects the count": (
            off(lambda v, n, h, a, f: (a - h // 64) * h * (h >= 64)),
            "heads",
        ),
        "A affects attention": (
            off(lambda v, n, h, a, f: 3 * n * h * h * (a - 1)),
            "number A changes no",
        ),
        "heads of 64": (
            off(lambda v, n, h, a, f: 4 * n * h * (64 * a - h)),
            "number A changes no",
        ),
        "12 H² per layer for any d_ff": (
            off(
                lambda v, n, h, a, f: n * (8 * h * h - f * (2 * h + 1) - 9 * h)
            ),
            "12 H² per layer",
        ),
        "4 H for d_ff": (
            off(lambda v, n, h, a, f: n * (2 * h + 1) * (4 * h - f)),
            "count for d_ff = 4 H",
        ),
        "one matrix of the network": (
            off(lambda v, n, h, a, f: -n * h * f),
            "two matrices",
        ),
        "a bias of H where d_ff is right": (
            off(lambda v, n, h, a, f: n * (h - f)),
            "different lengths",
        ),
        "pooler always": (
            off(lambda v, n, h, a, f: h * h + h, only=False),
            "pooler is counted",
        ),
        "pooler without bias": (
            off(lambda v, n, h, a, f: -h, only=True),
            "pooler's bias",
        ),
        "no biases": (
            off(lambda v, n, h, a, f: -(5 * h + f) * n),
            "biases of the layers",
        ),
        "no norms": (off(lambda v, n, h, a, f: -4 * h * n), "norms"),
        "one norm a layer": (
            off(lambda v, n, h, a, f: -2 * h * n),
            "one norm|nor",
        ),
        "no norm of the sum": (
            off(lambda v, n, h, a, f: -2 * h),
            "norm *after the embeddings",
        ),
        "no positions": (off(lambda v, n, h, a, f: -512 * h), "positions"),
        "no words": (off(lambda v, n, h, a, f: -v * h), "word table"),
        "one layer short": (
            off(lambda v, n, h, a, f: -h * (4 * h + 9) - f * (2 * h + 1)),
            "one layer",
        ),
        "text": (lambda *sizes: "109,482,240", "Return a number"),
        "base for all": (lambda *sizes: 109_482_240, "you count"),
    },
    "three_rows": {
        "10 positions": (
            changed(lambda i, s, p, *_: (i, s, p[1:])),
            "the first one 0",
        ),
        "positions from 1": (
            changed(lambda i, s, p, *_: (i, s, [n + 1 for n in p])),
            "position table is 0",
        ),
        "segment 1 for the first [SEP]": (
            changed(first_sep_in_b),
            "belongs to it",
        ),
        "[SEP] for the full stop": (without_stops, "two tokens"),
        "full stop for [SEP]": (stop_for_sep, "two tokens"),
        "positions start again": (changed(restarted), "start again"),
        "no [CLS]": (
            changed(lambda i, s, p, *_: (i[1:], s[1:], p[:-1])),
            r"start with \[CLS\]",
        ),
        "no last [SEP]": (
            changed(lambda i, s, p, *_: (i[:-1], s[:-1], p[:-1])),
            r"one ends each text",
        ),
        "second text always": (
            lambda f, s, v: rows_by_appending(f, s or [], v),
            "one ends each text",
        ),
        "all in segment A": (
            changed(lambda i, s, p, *_: (i, [0] * len(i), p)),
            "should be 1",
        ),
        "segments from 1": (
            changed(lambda i, s, p, *_: (i, [n + 1 for n in s], p)),
            "should be 0",
        ),
        "segments of words only": (
            changed(lambda i, s, p, *_: (i, s[1:], p)),
            "special tokens have one too",
        ),
        "one text in segment 1": (
            changed(lambda i, s, p, f, b, v: (i, s if b else [1] * len(s), p)),
            "one text",
        ),
        "positions backwards": (
            changed(lambda i, s, p, *_: (i, s, [n or 99 for n in p])),
            "one by one",
        ),
        "tokens": (
            lambda f, s, v: (["[CLS]", *f, "[SEP]", *(s or [])], [], []),
            "look the tokens up",
        ),
        "two rows": (
            changed(lambda i, s, p, *_: (i, s)),
            "Return 3 things",
        ),
        "no lists": (lambda f, s, v: (1, 2, 3), "list of ids"),
    },
    "size_in_memory": {
        "GiB called GB": (
            sized(lambda n, b: n * b / 2**30),
            "that is the number of GiB",
        ),
        "GB called GiB": (
            sized(lambda n, b: n * b / 1e9, "GiB"),
            "that is the number of GB",
        ),
        "no unit": (sized(lambda n, b: n * b / 1e9, ""), "name it"),
        "number only": (lambda n, p: 4 * n / 1e9, "Return 2 things"),
        "fp32 for both": (
            sized(lambda n, b: 4 * n / 1e9),
            "takes 2 bytes here, not twice",
        ),
        "fp16 for both": (
            sized(lambda n, b: 2 * n / 1e9),
            "takes 4 bytes here, not half",
        ),
        "bits": (sized(lambda n, b: 8 * b * n / 1e9), "bits"),
        "one byte": (sized(lambda n, b: n / 1e9), "more than one byte"),
        "bytes": (sized(lambda n, b: n * b), "number of bytes"),
        "rounded": (sized(lambda n, b: round(n * b / 1e9, 3)), "not round"),
        "megabytes": (sized(lambda n, b: n * b / 1e6), "one unit"),
        "text": (sized(lambda n, b: f"{n * b / 1e9}"), "Return a number"),
    },
    "what_changes": {
        "layers change": (
            but(layers=lambda o, n, h: 12 * (n - o) * h),
            "no size in layers",
        ),
        "layers change by a ratio": (
            but(layers=lambda o, n, h: 85_054_464 * n // o - 85_054_464),
            "no size in layers",
        ),
        "positions change": (
            but(position=lambda o, n, h: n - o),
            "no size in position",
        ),
        "segments change": (
            but(segment=lambda o, n, h: 2 * (n - o)),
            "no size in segment",
        ),
        "pooler changes": (
            but(pooler=lambda o, n, h: n - o),
            "no size in pooler",
        ),
        "head unchanged": (but(heads=lambda o, n, h: 0), "bias per word"),
        "head counted with its matrix": (
            but(heads=lambda o, n, h: (n - o) * (h + 1)),
            "counted there",
        ),
        "rows instead of numbers": (
            but(word=lambda o, n, h: n - o),
            "row of H numbers",
        ),
        "old minus new": (
            lambda o, n, h: changes_written_out(n, o, h),
            "new minus old",
        ),
        "768 for all": (
            but(word=lambda o, n, h: (n - o) * 768),
            "row of H numbers",
        ),
        "a part is missing": (
            lambda o, n, h: {"word": (n - o) * h},
            "Return a dictionary",
        ),
        "the sum": (lambda o, n, h: (n - o) * (h + 1), "Return a dictionary"),
        "text": (but(word=lambda o, n, h: "fewer"), "Return a number"),
    },
}

EQUIVALENT = {
    "three_rows": {
        "list(range(len(tokens))) → range(len(tokens))": (
            "a range holds the same ids in the same order"
        ),
    },
}
