"""Right and wrong answers to the exercises of chapter 11."""

import random
from fractions import Fraction
from functools import cache
from itertools import pairwise

import torch

# 11.1


def dice(generator):
    return lambda n: int(torch.randint(n, (1,), generator=generator))


def pair_by_lists(documents, task, generator):
    """List every neighbor of a drawn document, and every foreign sentence."""
    roll = dice(generator)
    chosen = documents[roll(len(documents))]
    neighbors = list(pairwise(chosen))
    pair = neighbors[roll(len(neighbors))]
    if roll(2) == 0:
        return (*pair, 0)
    if task == "SOP":
        return (*pair[::-1], 1)
    foreign = [s for d in documents if d is not chosen for s in d]
    return pair[0], foreign[roll(len(foreign))], 1


def pair_by_rejection(documents, task, generator):
    """Draw until the other document is another one."""
    flat = [
        (d, p)
        for d, each in enumerate(documents)
        for p in range(len(each) - 1)
    ]
    order = torch.randperm(len(flat), generator=generator)
    d, p = flat[order[0]]
    label = bool(torch.rand(1, generator=generator) < 0.5)
    a, b = (d, p), (d, p + 1)
    if label and task == "SOP":
        a, b = b, a
    while label and task == "NSP" and b[0] == d:
        other = dice(generator)(len(documents))
        b = other, dice(generator)(len(documents[other]))
    return [documents[a[0]][a[1]], documents[b[0]][b[1]], torch.tensor(label)]


def sampler(
    *,
    positive=lambda doc, place, roll: (doc[place], doc[place + 1]),
    nsp=None,
    sop=lambda docs, n, place, roll: (docs[n][place + 1], docs[n][place]),
    heads=lambda roll: roll(2),
    flip=False,
    last=1,
    documents_used=lambda docs, roll: roll(len(docs)),
):
    def foreign(docs, n, place, roll):
        other = docs[(n + 1 + roll(len(docs) - 1)) % len(docs)]
        return docs[n][place], other[roll(len(other))]

    nsp = nsp or foreign

    def answer(documents, task, generator):
        roll = dice(generator)
        n = documents_used(documents, roll)
        place = roll(len(documents[n]) - last)
        label = heads(roll)
        if label == 0:
            pair = positive(documents[n], place, roll)
        else:
            make = sop if task == "SOP" else nsp
            pair = make(documents, n, place, roll)
        return (*pair, 1 - label if flip else label)

    return answer


def far_ahead(doc, place, roll):
    return doc[place], doc[place + 1 + roll(len(doc) - place - 1)]


def anywhere_else(docs, n, place, roll):
    other = docs[(n + 1 + roll(len(docs) - 1)) % len(docs)]
    return docs[n][place], other[roll(len(other))]


def same_document(docs, n, place, roll):
    return docs[n][place], docs[n][roll(len(docs[n]))]


def last_may_begin(docs, n, place, roll):
    other = docs[(n + 1 + roll(len(docs) - 1)) % len(docs)]
    return docs[n][roll(len(docs[n]))], other[roll(len(other))]


def next_document_only(docs, n, place, roll):
    other = docs[(n + 1) % len(docs)]
    return docs[n][place], other[roll(len(other))]


def never_the_first(docs, n, place, roll):
    other = docs[(n + 1 + roll(len(docs) - 1)) % len(docs)]
    return docs[n][place], other[1 + roll(len(other) - 1)]


def from_the_global_source(documents, task, generator):
    own = torch.Generator().manual_seed(random.randrange(10**9))
    return pair_by_lists(documents, task, own)


def label_from_the_global_source(documents, task, generator):
    draw = sampler(heads=lambda roll: int(torch.rand(1) < 0.5))
    return draw(documents, task, generator)


def in_turn(documents, task, generator):
    in_turn.label ^= 1
    draw = sampler(heads=lambda roll: in_turn.label)
    return draw(documents, task, generator)


in_turn.label = 0


# 11.2 and 11.3


def seen_by_loop(num_steps, batch_size, short_share, short_len, full_len):
    short = round(num_steps * short_share)
    lengths = ((short, short_len), (num_steps - short, full_len))
    total = 0
    for steps, length in lengths:
        total += steps * batch_size * length
    return total


def seen_by_mean(num_steps, batch_size, short_share, short_len, full_len):
    mean = full_len - short_share * (full_len - short_len)
    return torch.tensor(round(num_steps * batch_size * mean))


def phases(use):
    def answer(steps, batch, share, short, full):
        n = round(steps * share)
        return use(steps, batch, short, full, n)

    return answer


# 11.4


@cache
def by_recursion(size):
    if size == 1:
        return Fraction(0), Fraction(1)
    parts = [by_recursion(size - cut) for cut in range(1, size)]
    positives = Fraction(1, 2) * (1 + sum(p for p, _ in parts) / len(parts))
    pairs = 1 + sum(t for _, t in parts) / len(parts) / 2
    return positives, pairs


def exact_share(num_sentences):
    positives, pairs = by_recursion(num_sentences)
    return positives / pairs


def share_by_product(num_sentences):
    """A document has one negative on average: the share is p / (1 + p)."""
    chance, total = 0.0, 0.0
    for size in range(2, num_sentences + 1):
        chance = 0.5 + 0.5 * total / (size - 1)
        total += chance
    return chance / (1 + chance)


def share_by_simulation(num_sentences):
    source = random.Random(num_sentences)
    positives = pairs = 0
    for _ in range(120_000):
        left = num_sentences
        while left:
            pairs += 1
            if left == 1:
                break
            cut = source.randint(1, left - 1)
            if source.random() < 0.5:
                positives += 1
                break
            left -= cut
    return positives / pairs


@cache
def mean_share(size, before=0):
    if size == 1:
        return 0.0
    rest = [mean_share(n, before + 1) for n in range(1, size)]
    return 0.5 / (before + 1) + 0.5 * sum(rest) / len(rest)


RIGHT = {
    "sample_pair": [pair_by_lists, pair_by_rejection],
    "positions_seen": [seen_by_loop, seen_by_mean],
    "times_as_many": [
        lambda a, b: (a[0] / b[0]) * (a[1] / b[1]),
        lambda a, b: Fraction(a[0] * a[1], b[0] * b[1]),
    ],
    "positive_share": [exact_share, share_by_product, share_by_simulation],
}

WRONG = {
    "sample_pair": {
        "SOP negatives from other documents": (
            sampler(sop=anywhere_else),
            "negative of NSP",
        ),
        "NSP positives from non-adjacent sentences": (
            sampler(positive=far_ahead),
            "no neighbors",
        ),
        "positives backwards": (
            sampler(positive=lambda d, p, r: (d[p + 1], d[p])),
            "wrong order",
        ),
        "labels the other way round": (
            sampler(flip=True),
            "other way round|from another document",
        ),
        "NSP negatives from the same document": (
            sampler(nsp=same_document),
            "from another document",
        ),
        "the last sentence begins a negative": (
            sampler(nsp=last_may_begin),
            "never begins a positive",
        ),
        "SOP negatives in order": (
            sampler(sop=lambda d, n, p, r: (d[n][p], d[n][p + 1])),
            "stand in order",
        ),
        "SOP negatives far apart": (
            sampler(sop=lambda d, n, p, r: (d[n][-1], d[n][0])),
            "no neighbors",
        ),
        "only positives": (sampler(heads=lambda roll: 0), "fair coin"),
        "two of three positives": (
            sampler(heads=lambda roll: int(roll(3) == 0)),
            "fair coin",
        ),
        "the first document only": (
            sampler(documents_used=lambda docs, roll: 0),
            "no pair begins",
        ),
        "the last place never": (
            sampler(positive=lambda d, p, r: (d[0], d[1])),
            "no pair begins",
        ),
        "the next document only": (
            sampler(nsp=next_document_only),
            "never meets|is never",
        ),
        "never a first sentence": (
            sampler(nsp=never_the_first),
            "second sentence is never",
        ),
        "another source": (from_the_global_source, "generator=generator"),
        "another source for the label": (
            label_from_the_global_source,
            "generator=generator",
        ),
        "labels in turn": (in_turn, "generator=generator"),
        "numbers for sentences": (
            lambda d, t, g: (0, 1, 0),
            "no sentence of the documents",
        ),
        "a label 2": (lambda d, t, g: (d[0][0], d[0][1], 2), "label is 2"),
        "no label": (lambda d, t, g: (d[0][0], d[0][1]), "Return 3 things"),
    },
    "positions_seen": {
        "131 B (all at 512)": (
            phases(lambda s, b, short, full, n: s * b * full),
            "full length",
        ),
        "128,000 per batch": (
            phases(lambda s, b, short, full, n: s * 128_000),
            "131,072",
        ),
        "128,000 per long batch": (
            phases(
                lambda s, b, short, full, n: n * b * short + (s - n) * 128_000
            ),
            "131,072",
        ),
        "all short": (
            phases(lambda s, b, short, full, n: s * b * short),
            "short length",
        ),
        "shares swapped": (
            phases(
                lambda s, b, short, full, n: b * ((s - n) * short + n * full)
            ),
            "swapped",
        ),
        "no batch": (
            phases(lambda s, b, short, full, n: n * short + (s - n) * full),
            "sequences of a batch",
        ),
        "sequences": (
            phases(lambda s, b, short, full, n: s * b),
            "multiply by their tokens",
        ),
        "long steps only": (
            phases(lambda s, b, short, full, n: (s - n) * b * full),
            "full-length steps alone",
        ),
        "short steps only": (
            phases(lambda s, b, short, full, n: n * b * short),
            "short steps alone",
        ),
        "plain mean": (
            phases(lambda s, b, short, full, n: s * b * (short + full) / 2),
            "plain mean",
        ),
        "cut off": (
            lambda s, b, share, short, full: (
                b * (int(s * share) * short + (s - int(s * share)) * full)
            ),
            "not rounded",
        ),
        "BERT for all": (lambda *training: 42_598_400_000, "right number"),
        "text": (lambda *training: "42.6 B", "Return a number"),
    },
    "times_as_many": {
        "0.5× (steps only)": (lambda a, b: a[0] / b[0], "compares steps"),
        "32× (batch only)": (lambda a, b: a[1] / b[1], "compares batches"),
        "the inverse": (
            lambda a, b: b[0] * b[1] / (a[0] * a[1]),
            "second over the first",
        ),
        "a difference": (
            lambda a, b: a[0] * a[1] - b[0] * b[1],
            "difference",
        ),
        "a sum": (lambda a, b: sum(a) / sum(b), "added"),
        "batches upside down": (
            lambda a, b: a[0] * b[1] / (b[0] * a[1]),
            "wrong way up",
        ),
        "8 K is 8,000": (
            lambda a, b: a[0] * 8_000 / (b[0] * b[1]),
            "8,192",
        ),
        "first alone": (lambda a, b: a[0] * a[1], "first alone"),
        "16 for all": (lambda a, b: 16.0, "divide the sequences"),
        "nothing": (lambda a, b: None, "Return a number"),
    },
    "positive_share": {
        "exactly 0.5 for one-segment documents": (
            lambda n: 0.5,
            "always a negative",
        ),
        "0.5 for one sentence, else right": (
            lambda n: 0.5 if n == 1 else exact_share(n),
            "always a negative",
        ),
        "nothing is put back": (
            lambda n: 0.5 if n > 1 else 0.0,
            "put back",
        ),
        "a third for all": (
            lambda n: 1 / 3 if n > 1 else 0.0,
            "for two sentences",
        ),
        "negatives": (lambda n: 1 - exact_share(n), "share of negatives"),
        "positives alone": (
            lambda n: float(by_recursion(n)[0]),
            "divide by the number of pairs",
        ),
        "pairs alone": (
            lambda n: float(by_recursion(n)[1]),
            "divide the positives",
        ),
        "mean of shares": (mean_share, "documents' own shares"),
        "one sentence at a time": (
            lambda n: (1 - 0.5 ** (n - 1)) / (2 - 0.5 ** (n - 1)),
            "1 to n − 1",
        ),
        "one sentence less": (
            lambda n: exact_share(max(1, n - 1)),
            "p\\(n\\)/t\\(n\\)",
        ),
        "nothing": (lambda n: None, "Return a number"),
        "not a number": (lambda n: float("nan"), "always a negative"),
    },
}

AROUND = "index −1 is the last one: all still have a chance, as is asked"

EQUIVALENT = {
    "sample_pair": {
        "0 → -1": AROUND,
        "0 → -1 (4)": AROUND,
        "number + step → number - step": "steps go around the end both ways",
        "int(torch.randint(low, high, (1,), generator=generator)) →"
        " torch.randint(low, high, (1,), generator=generator)": (
            "a tensor of one number indexes a list, and is a label"
        ),
    },
    "positions_seen": {
        "round(num_steps * short_share) → num_steps * short_share": (
            "the same number, but for the last bits of a float"
        ),
    },
}
