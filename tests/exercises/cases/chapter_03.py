"""Right and wrong answers to the exercises of chapter 03."""

import itertools

import numpy as np
import torch


# 03.1
def split_by_chunks(weight, num_heads):
    return torch.stack(weight.chunk(num_heads, dim=1))


def split_by_einsum(weight, num_heads):
    pieces = weight.view(len(weight), num_heads, -1)
    return torch.einsum("dhk->hdk", pieces).clone()


def split_by_slices(weight, num_heads):
    width = weight.shape[1] // num_heads
    return torch.stack(
        [weight[:, i * width : (i + 1) * width] for i in range(num_heads)]
    )


def count_closed(d_model, num_heads):
    return 3 * d_model**2, 4 * d_model**2


def count_by_tensors(d_model, num_heads):
    one = torch.empty(d_model, d_model // num_heads).numel()
    three = sum(one for _ in range(3 * num_heads))
    return three, three + num_heads * (d_model // num_heads) * d_model


def count_with_numpy(d_model, num_heads):
    three = np.prod([3, num_heads, d_model, d_model // num_heads])
    return three, three + np.square(d_model)


def view_alone(weight, num_heads):
    return weight.reshape(num_heads, len(weight), -1)


def rows_for_columns(weight, num_heads):
    return torch.stack(weight.T.chunk(num_heads, dim=1))


def every_eighth_column(weight, num_heads):
    return torch.stack([weight[:, i::num_heads] for i in range(num_heads)])


def eight_full_heads(d_model, num_heads):
    three = num_heads * 3 * d_model**2
    return three, three + d_model**2


def no_output_matrix(d_model, num_heads):
    return 3 * d_model**2, 3 * d_model**2


def queries_only(d_model, num_heads):
    return d_model**2, 2 * d_model**2


def narrow_output(d_model, num_heads):
    return 3 * d_model**2, 3 * d_model**2 + d_model**2 // num_heads


def with_biases(d_model, num_heads):
    return 3 * d_model**2, 4 * d_model**2 + 4 * d_model


def as_floats(d_model, num_heads):
    return 3 * num_heads * d_model * (d_model / num_heads), 4.0 * d_model**2


# 03.2
def all_pairs(weights):
    layers, heads = weights.shape[:2]
    return list(itertools.product(range(layers), range(heads)))


def by_remaining(accuracy, weights):
    return sorted(all_pairs(weights), key=lambda pair: accuracy([pair]))


def by_tensor(accuracy, weights):
    pairs = all_pairs(weights)
    whole = accuracy(frozenset())
    lost = torch.tensor([whole - accuracy({pair}) for pair in pairs])
    return [pairs[i] for i in lost.argsort(descending=True)]


def by_weight(accuracy, weights):
    sure = weights.amax(-1).mean(-1)
    return sorted(all_pairs(weights), key=lambda pair: -float(sure[pair]))


def upside_down(accuracy, weights):
    return by_remaining(accuracy, weights)[::-1]


def by_absolute_loss(accuracy, weights):
    whole = accuracy(set())
    return sorted(
        all_pairs(weights), key=lambda pair: -abs(whole - accuracy({pair}))
    )


def keep_only(accuracy, weights):
    pairs = set(all_pairs(weights))
    return sorted(pairs, key=lambda pair: -accuracy(pairs - {pair}))


def greedily(accuracy, weights):
    removed = []
    pairs = all_pairs(weights)
    while pairs:
        best = min(pairs, key=lambda pair: accuracy({*removed, pair}))
        pairs.remove(best)
        removed.append(best)
    return removed


def swapped_axes(accuracy, weights):
    return [(head, layer) for layer, head in by_remaining(accuracy, weights)]


def the_best_alone(accuracy, weights):
    return by_remaining(accuracy, weights)[:1]


def no_ranking(accuracy, weights):
    return all_pairs(weights)


# 03.3
FRAME = "The {} stood beside the {} because it was {}."


def pairs_of(rows, frame=FRAME):
    pairs = []
    for first, second, one, other in rows:
        texts = [frame.format(first, second, word) for word in (one, other)]
        pairs.append((texts[0], first, texts[1], second))
    return pairs


NOUNS = ["cup", "plate", "fork", "spoon", "jar"]
NOUNS += ["lid", "pan", "stove", "oven", "sink"]
WORDS = [
    f"{a}{b}" for a in ("plain", "fancy", "round", "flat") for b in "abcde"
]


CHAPTERS = [("animal", "street", "tired", "wide")]


def fresh_words():
    return pairs_of(
        (NOUNS[i], NOUNS[i - 1], WORDS[2 * i], WORDS[2 * i + 1])
        for i in range(10)
    )


def balanced_words():
    rows = [(NOUNS[i], NOUNS[i - 1], "big", "small") for i in range(5)]
    rows += [(NOUNS[i], NOUNS[i - 1], "small", "big") for i in range(5, 10)]
    return pairs_of(rows)


def with_a_noun_of_the_chapter():
    rows = [("cat", "milk", "late", "spilled")]
    return pairs_of(rows) + fresh_words()[1:]


def second_noun_first():
    return [(c, d, a, b) for a, b, c, d in fresh_words()]


def always_big():
    return pairs_of(
        (NOUNS[i], NOUNS[i - 1], "big", "small") for i in range(10)
    )


def mostly_big():
    rows = [(NOUNS[i], NOUNS[i - 1], "big", "small") for i in range(6)]
    rows += [(NOUNS[i], NOUNS[i - 1], "small", "big") for i in range(6, 10)]
    return pairs_of(rows)


def noun_alone():
    return [
        (
            f"The {NOUNS[i]} fell on the floor because it was old.",
            NOUNS[i],
            f"The {NOUNS[i - 1]} fell on the floor because it was old.",
            NOUNS[i - 1],
        )
        for i in range(10)
    ]


def changed(place, entry, value):
    pairs = [list(pair) for pair in fresh_words()]
    pairs[place][entry] = value
    return [tuple(pair) for pair in pairs]


# 03.4
def try_all(answer, words, swaps, weights):
    before = answer(list(words))
    return {
        place
        for place, others in swaps.items()
        if any(
            answer([*words[:place], other, *words[place + 1 :]]) != before
            for other in others
        )
    }


def try_answers(answer, words, swaps, weights):
    found = set()
    for place in swaps:
        answers = {answer(list(words))}
        for other in swaps[place]:
            trial = list(words)
            trial[place] = other
            answers.add(answer(trial))
        if len(answers) > 1:
            found |= {place}
    return found


def largest(answer, words, swaps, weights):
    return {int(torch.as_tensor(weights).argmax())}


def above_threshold(answer, words, swaps, weights):
    return {place for place in swaps if weights[place] > 0.2}


def swap_the_largest(answer, words, swaps, weights):
    place = int(torch.as_tensor(weights).argmax())
    found = try_all(answer, words, swaps, weights)
    return found & {place}


def first_option(answer, words, swaps, weights):
    swaps = {place: others[:1] for place, others in swaps.items()}
    return try_all(answer, words, swaps, weights)


def piles_up(answer, words, swaps, weights):
    before, trial, found = answer(list(words)), list(words), set()
    for place, others in swaps.items():
        for other in others:
            trial[place] = other
            if answer(trial) != before:
                found.add(place)
    return found


def spoils_the_words(answer, words, swaps, weights):
    before, found = answer(list(words)), set()
    for place, others in swaps.items():
        for other in others:
            words[place] = other
            if answer(words) != before:
                found.add(place)
    return found


def everything(answer, words, swaps, weights):
    return set(swaps)


RIGHT = {
    "split_and_count": [
        (split_by_chunks, count_closed),
        (split_by_einsum, count_by_tensors),
        (split_by_slices, count_with_numpy),
    ],
    "rank_heads": [by_remaining, by_tensor],
    "minimal_pairs": [
        fresh_words,
        balanced_words,
        second_noun_first,
        with_a_noun_of_the_chapter,
    ],
    "causes": [try_all, try_answers],
}

WRONG = {
    "split_and_count": {
        "8 × 786,432": (
            (split_by_chunks, eight_full_heads),
            "full-width layers",
        ),
        "forgets W^O": ((split_by_chunks, no_output_matrix), r"forgets W\^O"),
        "queries only": ((split_by_chunks, queries_only), "three matrices"),
        "one head's W^O": ((split_by_chunks, narrow_output), "all heads"),
        "with biases": ((split_by_chunks, with_biases), "biases"),
        "floats": ((split_by_chunks, as_floats), "whole number"),
        "view alone": ((view_alone, count_closed), "neighboring"),
        "rows": ((rows_for_columns, count_closed), "columns"),
        "every eighth": ((every_eighth_column, count_closed), "neighboring"),
        "one number": (
            (split_by_chunks, lambda d_model, num_heads: 4 * d_model**2),
            "two numbers",
        ),
    },
    "rank_heads": {
        "by attention weight": (by_weight, "attention weight"),
        "upside down": (upside_down, "upside down"),
        "absolute loss": (by_absolute_loss, "negative loss"),
        "all but one removed": (keep_only, "remove each alone"),
        "greedily": (greedily, "remove each alone|helps"),
        "head before layer": (swapped_axes, "of them right"),
        "one head only": (the_best_alone, "1 entries"),
        "as they come": (no_ranking, "never called"),
    },
    "minimal_pairs": {
        "solvable from the noun": (noun_alone, "noun alone"),
        "one word gives it away": (always_big, "bag of words"),
        "six to four": (mostly_big, "bag of words"),
        "nine pairs": (lambda: fresh_words()[:9], "There are 9"),
        "no flip": (lambda: changed(3, 3, NOUNS[3]), "does not flip"),
        "two words differ": (
            lambda: changed(4, 0, FRAME.format("jar", "spoon", "a b")),
            "Pair 5: its sentences have 11 and 10 words",
        ),
        "another word order": (
            lambda: changed(4, 0, FRAME.format("spoon", "jar", "roundd")),
            "Pair 5: 3 words differ",
        ),
        "the same sentence": (
            lambda: changed(4, 0, fresh_words()[4][2]),
            "Pair 5: 0 words differ",
        ),
        "a noun after it": (
            lambda: changed(0, 1, "plaina"),
            "one of the nouns",
        ),
        "a noun from nowhere": (
            lambda: changed(0, 1, "teapot"),
            "before \\*it\\*",
        ),
        "twice": (lambda: fresh_words()[:9] + fresh_words()[:1], "repeats"),
        "the chapter's": (
            lambda: (
                pairs_of([("trophy", "suitcase", "big", "small")])
                + fresh_words()[:9]
            ),
            "the chapter's",
        ),
        "the chapter's, the other way": (
            lambda: (
                [(c, d, a, b) for a, b, c, d in pairs_of(CHAPTERS)]
                + fresh_words()[:9]
            ),
            "the chapter's",
        ),
        "three strings": (
            lambda: [pair[:3] for pair in fresh_words()],
            "four strings",
        ),
    },
    "causes": {
        "the heat map alone": (largest, "heat map"),
        "a threshold": (above_threshold, "heat map"),
        "swaps the largest only": (swap_the_largest, "miss a place"),
        "first option only": (first_option, "every"),
        "changes pile up": (piles_up, "one place at a time"),
        "spoils the words": (spoils_the_words, "copy the list"),
        "every place": (everything, "no single swap"),
        "nothing": (lambda *given: set(), "miss a place"),
        "a number": (lambda *given: 4, "set of places"),
    },
}

EQUIVALENT = {
    "split_and_count": {
        "pieces.transpose(0, 1) → pieces.transpose(1, 0)": (
            "a transposition names its two axes in any order"
        ),
    },
}
