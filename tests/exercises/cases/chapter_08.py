"""Right and wrong answers to the exercises of chapter 08."""

import math
import statistics
from collections import defaultdict

import torch


# 08.1
def by_groups():
    groups = {
        ("encoder", "masked words"): "ALBERT BERT DeBERTa DistilBERT RoBERTa",
        ("decoder", "next word"): "GPT-1 GPT-2 GPT-3",
        ("encoder-decoder", "masked words"): "T5 BART",
        ("encoder-decoder", "translate"): "Transformer",
        ("encoder", "rank passages"): "ColBERT",
        ("encoder", "spot replaced words"): "ELECTRA",
        ("recurrent", "next word, both directions"): "ELMo",
        ("encoder", "next word, any order"): "XLNet",
    }
    return {
        name: pair for pair, text in groups.items() for name in text.split()
    }


def by_default():
    models = defaultdict(lambda: ("encoder", "masked words"))
    for name in ("ALBERT", "BERT", "DeBERTa", "RoBERTa"):
        models[name]
    for number in (1, 2, 3):
        models[f"GPT-{number}"] = ("decoder", "next word")
    models["BART"] = models["T5"] = ("encoder-decoder", "restore the text")
    models |= {
        "ColBERT": ("encoder", "rank passages"),
        "DistilBERT": ("encoder", "copy a teacher"),
        "ELECTRA": ("encoder", "spot replaced words"),
        "ELMo": ("recurrent", "next word, both directions"),
        "Transformer": ("encoder-decoder", "translate"),
        "XLNet": ("decoder", "next word, any order"),
    }
    return models


def but(name, family, task):
    return lambda: by_groups() | {name: (family, task)}


def fourteen():
    models = by_groups()
    del models["ColBERT"]
    return models


# 08.2
def with_tril(bert, token_ids):
    length = token_ids.shape[1]
    return bert(token_ids, torch.ones(length, length).tril().bool()[None])


def with_library(bert, token_ids):
    from bertbook.masks import causal_mask

    return bert(token_ids, mask=causal_mask(token_ids.shape[1])[None])


def one_prefix_at_a_time(bert, token_ids):
    """The causal states of each beginning are those of the whole."""
    states = [
        with_tril(bert, token_ids[:, : end + 1])[:, -1]
        for end in range(token_ids.shape[1])
    ]
    return torch.stack(states, dim=1)


def no_mask(bert, token_ids):
    return bert(token_ids)


def upside_down(bert, token_ids):
    length = token_ids.shape[1]
    return bert(token_ids, torch.ones(length, length).triu().bool()[None])


def without_itself(bert, token_ids):
    length = token_ids.shape[1]
    return bert(token_ids, torch.ones(length, length).tril(-1).bool()[None])


def full_prefixes(bert, token_ids):
    states = [
        bert(token_ids[:, : end + 1])[:, -1]
        for end in range(token_ids.shape[1])
    ]
    return torch.stack(states, dim=1)


def other_weights(bert, token_ids):
    with torch.no_grad():
        for weight in bert.parameters():
            weight.mul_(0.5)
    return with_tril(bert, token_ids)


def one_step_back(bert, token_ids):
    length = token_ids.shape[1]
    mask = torch.ones(length, length).tril().triu(-1)
    return bert(token_ids, mask.bool()[None])


def leaks_by_prefix(states_of, token_ids, vocab_size):
    """Compare each beginning, continued in two ways."""
    whole = states_of(token_ids)
    for end in range(1, token_ids.shape[1]):
        other = token_ids.clone()
        other[:, end] = (other[:, end] + vocab_size // 2) % vocab_size
        if not torch.allclose(
            states_of(other)[:, :end], whole[:, :end], rtol=0, atol=1e-6
        ):
            return True
    return False


def leaks_from_the_end(states_of, token_ids, vocab_size):
    moved = []
    for place in reversed(range(token_ids.shape[1])):
        step = torch.zeros_like(token_ids)
        step[:, place] = 1
        changed = (token_ids + step) % vocab_size
        gap = states_of(changed) - states_of(token_ids)
        moved += gap[:, :place].abs().flatten().tolist()
    return max(moved, default=0.0) >= 1e-6


def last_place_only(states_of, token_ids, vocab_size):
    changed = token_ids.clone()
    changed[:, -1] = (changed[:, -1] + 1) % vocab_size
    gap = states_of(changed) - states_of(token_ids)
    return bool((gap[:, :-1].abs() >= 1e-6).any())


def first_state_only(states_of, token_ids, vocab_size):
    for place in range(1, token_ids.shape[1]):
        changed = token_ids.clone()
        changed[:, place] = (changed[:, place] + 1) % vocab_size
        gap = states_of(changed) - states_of(token_ids)
        if (gap[:, 0].abs() >= 1e-6).any():
            return True
    return False


def counts_itself(states_of, token_ids, vocab_size):
    for place in range(token_ids.shape[1]):
        changed = token_ids.clone()
        changed[:, place] = (changed[:, place] + 1) % vocab_size
        gap = states_of(changed) - states_of(token_ids)
        if (gap[:, : place + 1].abs() >= 1e-6).any():
            return True
    return False


def exactly_equal(states_of, token_ids, vocab_size):
    for place in range(token_ids.shape[1]):
        changed = token_ids.clone()
        changed[:, place] = (changed[:, place] + 1) % vocab_size
        gap = states_of(changed) - states_of(token_ids)
        if (gap[:, :place] != 0).any():
            return True
    return False


def outside_the_vocabulary(states_of, token_ids, vocab_size):
    for place in range(token_ids.shape[1]):
        changed = token_ids.clone()
        changed[:, place] += 1
        gap = states_of(changed) - states_of(token_ids)
        if (gap[:, :place].abs() >= 1e-6).any():
            return True
    return False


def in_place(states_of, token_ids, vocab_size):
    before = states_of(token_ids)
    for place in range(token_ids.shape[1]):
        token_ids[:, place] = (token_ids[:, place] + 1) % vocab_size
        gap = states_of(token_ids) - before
        if (gap[:, :place].abs() >= 1e-6).any():
            return True
    return False


# 08.3
def saving_by_numpy(pretrained, scratch, labels):
    import numpy as np

    if min(map(len, [*pretrained.values(), *scratch.values()])) < 3:
        raise ValueError("at least three seeds, please")
    wanted = np.mean(pretrained[labels])
    enough = [n for n, each in scratch.items() if np.mean(each) >= wanted]
    return min(enough, default=math.inf) / labels


def saving_by_statistics(pretrained, scratch, labels):
    from statistics import mean

    if any(len(s) <= 2 for arm in (pretrained, scratch) for s in arm.values()):
        raise ValueError("one seed is no measurement")
    means = sorted((number, mean(each)) for number, each in scratch.items())
    while means:
        number, reached = means.pop(0)
        if reached >= mean(pretrained[labels]):
            return number / labels
    return math.inf


def with_any_seeds(pretrained, scratch, labels):
    def mean(scores):
        return sum(scores) / len(scores) if scores else 0.0

    wanted = mean(pretrained[labels])
    enough = [n for n, each in scratch.items() if mean(each) >= wanted]
    return min(enough, default=math.inf) / labels


def one_arm_checked(pretrained, scratch, labels):
    if min(map(len, pretrained.values())) < 3:
        raise ValueError("seeds")
    return with_any_seeds(pretrained, scratch, labels)


def one_seed_refused(pretrained, scratch, labels):
    if min(map(len, [*pretrained.values(), *scratch.values()])) < 2:
        raise ValueError("one seed")
    return with_any_seeds(pretrained, scratch, labels)


def refuse_few(pretrained, scratch):
    if min(map(len, [*pretrained.values(), *scratch.values()])) < 3:
        raise ValueError("three seeds, at least")


def judged_by(pick):
    """Compare one number of each list of seeds in place of the mean."""

    def answer(pretrained, scratch, labels):
        refuse_few(pretrained, scratch)
        wanted = pick(pretrained[labels])
        enough = [n for n, each in scratch.items() if pick(each) >= wanted]
        return min(enough, default=math.inf) / labels

    return answer


def from_labels_on(pretrained, scratch, labels):
    refuse_few(pretrained, scratch)
    more = {n: each for n, each in scratch.items() if n >= labels}
    return with_any_seeds(pretrained, more, labels)


def last_that_fell_short(pretrained, scratch, labels):
    wanted = sum(pretrained[labels]) / len(pretrained[labels])
    short = [
        n for n, each in scratch.items() if sum(each) / len(each) < wanted
    ]
    more = [n for n in scratch if n > max(short)]
    return min(more, default=math.inf) / labels


def as_written(pretrained, scratch, labels):
    wanted = sum(pretrained[labels]) / len(pretrained[labels])
    for number, each in scratch.items():
        if sum(each) / len(each) >= wanted:
            return number / labels
    return math.inf


def number_of_labels(pretrained, scratch, labels):
    return labels * saving_by_numpy(pretrained, scratch, labels)


def difference(pretrained, scratch, labels):
    return number_of_labels(pretrained, scratch, labels) - labels


def inverse(pretrained, scratch, labels):
    return 1 / saving_by_numpy(pretrained, scratch, labels)


def nothing_found(pretrained, scratch, labels):
    saving = saving_by_numpy(pretrained, scratch, labels)
    return None if math.isinf(saving) else saving


def the_largest_tried(pretrained, scratch, labels):
    return min(
        saving_by_numpy(pretrained, scratch, labels), max(scratch) / labels
    )


# 08.4
EIGHT = ["Transformer", "ULMFiT", "ELMo", "GPT-1"]
EIGHT += ["BERT", "GPT-2", "XLNet", "T5"]


def by_number():
    numbers = {
        "T5": 1910.10683, "XLNet": 1906.08237, "BERT": 1810.04805,
        "ELMo": 1802.05365, "ULMFiT": 1801.06146, "Transformer": 1706.03762,
        "GPT-1": 1806, "GPT-2": 1902,
    }  # fmt: skip
    return [
        name for _, name in sorted((n, name) for name, n in numbers.items())
    ]


def swapped(one, other):
    names = [*EIGHT]
    i, j = names.index(one), names.index(other)
    names[i], names[j] = names[j], names[i]
    return lambda: names


RIGHT = {
    "sort_models": [by_groups, by_default],
    "bert_to_gpt": [
        (with_tril, leaks_by_prefix),
        (with_library, leaks_from_the_end),
        (one_prefix_at_a_time, leaks_by_prefix),
    ],
    "label_saving": [saving_by_numpy, saving_by_statistics],
    "in_order": [by_number, lambda: tuple(EIGHT)],
}

WRONG = {
    "sort_models": {
        "ColBERT a language model": (
            but("ColBERT", "encoder", "masked words"),
            "no pre-trained language model",
        ),
        "ELMo one-directional": (
            but("ELMo", "recurrent", "next word"),
            "not unidirectional",
        ),
        "XLNet plain causal": (
            but("XLNet", "decoder", "next word"),
            "no plain causal",
        ),
        "XLNet with marks": (
            but("XLNet", "encoder", "masked words"),
            "permutes",
        ),
        "ELECTRA fills gaps": (
            but("ELECTRA", "encoder", "masked words"),
            "generator",
        ),
        "T5 an encoder": (but("T5", "encoder", "masked words"), "family"),
        "GPT an encoder": (but("GPT-1", "encoder", "next word"), "family"),
        "GPT with gaps": (but("GPT-3", "decoder", "masked words"), "GPT-3"),
        "fourteen names": (fourteen, r"missing \['ColBERT'\]"),
        "one word": (lambda: by_groups() | {"BERT": "encoder"}, "pair"),
        "a list": (lambda: [*by_groups().items()], "dictionary"),
    },
    "bert_to_gpt": {
        "changes weights": ((other_weights, leaks_by_prefix), "weights have"),
        "no mask": ((no_mask, leaks_by_prefix), "BERT's own"),
        "upside down": ((upside_down, leaks_by_prefix), "upside down"),
        "without itself": ((without_itself, leaks_by_prefix), "itself"),
        "full beginnings": ((full_prefixes, leaks_by_prefix), "beginning"),
        "one step back": ((one_step_back, leaks_by_prefix), "all before"),
        "only the last place": ((with_tril, last_place_only), "misses"),
        "only the first state": ((with_tril, first_state_only), "misses"),
        "the place itself": ((with_tril, counts_itself), "True for a GPT"),
        "bit by bit": ((with_tril, exactly_equal), "rounding|True for a GPT"),
        "an id outside": ((with_tril, outside_the_vocabulary), "IndexError"),
        "spoils the ids": ((with_tril, in_place), "clone"),
        "always safe": ((with_tril, lambda *given: False), "for BERT"),
        "no verdict": ((with_tril, lambda *given: "no"), "True or False"),
    },
    "label_saving": {
        "single seeds": (with_any_seeds, "no measurement"),
        "one arm's seeds": (one_arm_checked, "no measurement"),
        "two seeds": (one_seed_refused, "no measurement"),
        "the best seed": (judged_by(max), "means over seeds"),
        "the first seed": (
            judged_by(lambda each: each[0]),
            "means over seeds",
        ),
        "the last seed": (
            judged_by(lambda each: each[-1]),
            "means over seeds",
        ),
        "the worst seed": (judged_by(min), "means over seeds"),
        "the median": (judged_by(statistics.median), "means over seeds"),
        "only more labels": (from_labels_on, "At 2048 labels.*fewest"),
        "after the dip": (last_that_fell_short, "fewest"),
        "in the order given": (as_written, "fewest"),
        "labels": (number_of_labels, "divide"),
        "a difference": (difference, "difference"),
        "upside down": (inverse, "upside down"),
        "None": (nothing_found, "number"),
        "the largest tried": (the_largest_tried, "math.inf"),
    },
    "in_order": {
        "BERT before GPT-1": (swapped("BERT", "GPT-1"), "June 2018"),
        "ELMo before ULMFiT": (swapped("ELMo", "ULMFiT"), "first version"),
        "T5 before XLNet": (swapped("T5", "XLNet"), "T5 did not"),
        "upside down": (lambda: EIGHT[::-1], "upside down"),
        "by the alphabet": (lambda: sorted(EIGHT), "June 2018"),
        "seven": (lambda: EIGHT[:-1], "eight names"),
    },
}

EQUIVALENT = {
    "bert_to_gpt": {
        "changed[:, place] + 1 → changed[:, place] - 1": (
            "any other id will do"
        ),
        "1 → 2 (3)": "any other id will do",
        "states_of(changed) - before → before - states_of(changed)": (
            "the sizes are the same"
        ),
        "moved[:, :place] >= 1e-06 → moved[:, :place] > 1e-06": (
            "no difference is 1e-6 to the last bit"
        ),
    },
}
