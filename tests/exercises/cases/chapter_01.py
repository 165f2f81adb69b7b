"""Right and wrong answers to the exercises of chapter 01."""

import itertools
import math

import numpy as np
import torch

from bertbook.reversal import random_batch
from bertbook.seq2seq import additive_attention

# 01.1 ----------------------------------------------------------------------


def paths(recurrent=None, convolutions=None, dilated=None, attention=None):
    """Build an answer that is right except for the parts given."""

    def answer(n: int, k: int) -> dict[str, int]:
        power = 0
        while k**power <= n:
            power += 1
        right = {
            "recurrent": n,
            "convolutions": (n + k - 2) // (k - 1),
            "dilated": power,
            "attention": 1,
        }
        given = {
            "recurrent": recurrent,
            "convolutions": convolutions,
            "dilated": dilated,
            "attention": attention,
        }
        changed = {name: f(n, k) for name, f in given.items() if f}
        return right | changed

    return answer


def paths_with_rounded_logarithm(n, k):
    guess = round(math.log(n + 1, k))
    exact = next(e for e in (guess - 1, guess, guess + 1) if k**e >= n + 1)
    return {
        "recurrent": n,
        "convolutions": math.ceil(n / (k - 1)),
        "dilated": exact,
        "attention": 1,
    }


def paths_by_reach(n, k):
    def layers(gap_growth):
        reach, gap, count = 0, 1, 0
        while reach < n:
            reach, gap, count = (
                reach + (k - 1) * gap,
                gap * gap_growth,
                count + 1,
            )
        return count

    stack, dilated = layers(1), layers(k)
    values = (1, dilated, stack, n)
    names = ("attention", "dilated", "convolutions", "recurrent")
    return dict(zip(names, values, strict=True))


# 01.2 ----------------------------------------------------------------------


def encoded(model, length, count=3):
    generator = torch.Generator().manual_seed(7)
    batch = random_batch(model.config, count, length, length, generator)
    return model.encoder(model.embedding(batch.source), batch.lengths)


def sizes(measure):
    def answer(model, lengths):
        return {n: measure(model, n, *encoded(model, n)) for n in lengths}

    return answer


def sizes_one_string_at_a_time(model, lengths):
    found = {}
    for length in lengths:
        source = torch.full((1, length), 2)
        vectors = model.embedding(source)
        result = model.encoder(vectors, torch.tensor([length]))
        found[length] = len(result[1].flatten().tolist())
    return found


def size_of_the_first_only(model, lengths):
    size = encoded(model, lengths[0])[1].shape[1]
    return dict.fromkeys(lengths, size)


# 01.3 ----------------------------------------------------------------------


def scores_of(decoder, outputs, states):
    asked = decoder.w_query(outputs)[:, :, None]
    return torch.tanh(asked + decoder.w_key(states)[:, None]) @ decoder.v


def masked(scores, mask):
    return scores.masked_fill(~mask[:, None], -1e9)


def look_with_the_library(decoder, outputs, states, mask):
    weights = decoder.w_query.weight, decoder.w_key.weight, decoder.v
    return additive_attention(outputs, states, *weights, mask)[0]


def look_with_einsum(decoder, outputs, states, mask):
    q = torch.einsum("bth,ah->bta", outputs, decoder.w_query.weight)
    k = torch.einsum("bsh,ah->bsa", states, decoder.w_key.weight)
    sums = q.unsqueeze(2) + k.unsqueeze(1)
    scores = torch.einsum("btsa,a->bts", sums.tanh(), decoder.v)
    shares = scores.exp() * mask.unsqueeze(1)
    shares = shares / shares.sum(dim=2, keepdim=True)
    return torch.einsum("bts,bsh->bth", shares, states)


def look_in_loops(decoder, outputs, states, mask):
    rows = []
    for output, state, real in zip(outputs, states, mask, strict=True):
        state, row = state[real], []
        for one in output:
            sums = decoder.w_query(one) + decoder.w_key(state)
            share = (torch.tanh(sums) * decoder.v).sum(-1).softmax(0)
            row.append((share[:, None] * state).sum(0))
        rows.append(torch.stack(row))
    return torch.stack(rows)


def look_at_padding(decoder, outputs, states, mask):
    return scores_of(decoder, outputs, states).softmax(-1) @ states


def look_with_zeros_before_softmax(decoder, outputs, states, mask):
    scores = scores_of(decoder, outputs, states) * mask[:, None]
    return scores.softmax(-1) @ states


def look_with_mask_after_softmax(decoder, outputs, states, mask):
    weights = scores_of(decoder, outputs, states).softmax(-1)
    return (weights * mask[:, None]) @ states


def look_with_mask_upside_down(decoder, outputs, states, mask):
    scores = scores_of(decoder, outputs, states)
    return scores.masked_fill(mask[:, None], -1e9).softmax(-1) @ states


def look_at_the_decoder(decoder, outputs, states, mask):
    return scores_of(decoder, outputs, outputs).softmax(-1) @ outputs


def look_at_the_last_decoder_state(decoder, outputs, states, mask):
    last = outputs[:, -1:].expand_as(outputs)
    return masked(scores_of(decoder, last, states), mask).softmax(-1) @ states


def look_at_the_decoders_past(decoder, outputs, states, mask):
    scores = scores_of(decoder, outputs, outputs)
    past = torch.ones(scores.shape[1:]).tril().bool()
    return scores.masked_fill(~past, -1e9).softmax(-1) @ outputs


def look_scaled(decoder, outputs, states, mask):
    scores = scores_of(decoder, outputs, states) / outputs.shape[-1] ** 0.5
    return masked(scores, mask).softmax(-1) @ states


def look_with_shared_weights(decoder, outputs, states, mask):
    return (
        masked(scores_of(decoder, outputs, states), mask).softmax(1) @ states
    )


def look_by_place(decoder, outputs, states, mask):
    steps = torch.arange(outputs.shape[1])
    place = (mask.sum(1)[:, None] - 1 - steps).clamp(min=0)
    return states[torch.arange(len(states))[:, None], place]


def look_at_the_last(decoder, outputs, states, mask):
    rows = torch.arange(len(states))
    return states[rows, mask.sum(1) - 1][:, None].expand_as(outputs)


def look_at_everything_alike(decoder, outputs, states, mask):
    share = mask / mask.sum(1, keepdim=True)
    return (share[:, None] @ states).expand_as(outputs)


def look_without_softmax(decoder, outputs, states, mask):
    return (scores_of(decoder, outputs, states) * mask[:, None]) @ states


def look_at_the_best_only(decoder, outputs, states, mask):
    best = masked(scores_of(decoder, outputs, states), mask).argmax(-1)
    return states[torch.arange(len(states))[:, None], best]


def look_without_v(decoder, outputs, states, mask):
    asked = decoder.w_query(outputs)[:, :, None]
    sums = torch.tanh(asked + decoder.w_key(states)[:, None])
    return masked(sums.sum(-1), mask).softmax(-1) @ states


def look_without_tanh(decoder, outputs, states, mask):
    asked = decoder.w_query(outputs)[:, :, None]
    sums = asked + decoder.w_key(states)[:, None]
    return masked(sums @ decoder.v, mask).softmax(-1) @ states


def look_with_a_product(decoder, outputs, states, mask):
    scores = decoder.w_query(outputs) @ decoder.w_key(states).mT
    return masked(scores, mask).softmax(-1) @ states


def look_with_names_swapped(decoder, outputs, states, mask):
    asked = decoder.w_key(outputs)[:, :, None]
    sums = torch.tanh(asked + decoder.w_query(states)[:, None])
    return masked(sums @ decoder.v, mask).softmax(-1) @ states


def look_and_return_weights(decoder, outputs, states, mask):
    return masked(scores_of(decoder, outputs, states), mask).softmax(-1)


# 01.4 ----------------------------------------------------------------------


def crossings_by_sorting(alignment):
    count = 0
    links = sorted(alignment)
    for place, (source, target) in enumerate(links):
        for other_source, other_target in links[place + 1 :]:
            count += source < other_source and target > other_target
    return count


def crossings_with_numpy(alignment):
    links = np.array(alignment).reshape(-1, 2)
    steps = np.sign(links[:, None] - links[None])
    return int((steps.prod(-1) == -1).sum() // 2)


def crossings_without_sorting(alignment):
    pairs = itertools.combinations(alignment, 2)
    return sum(b > d for (_, b), (_, d) in pairs)


def crossings_of_positions(alignment):
    targets = [target for _, target in sorted(alignment)]
    return sum(place != target for place, target in enumerate(targets))


def crossings_with_bubbles(alignment):
    links = sorted(alignment)
    return sum(b > d for (_, b), (_, d) in itertools.pairwise(links))


def crossings_at_least(alignment):
    return sum(
        (a - c) * (b - d) <= 0
        for (a, b), (c, d) in itertools.combinations(alignment, 2)
    )


def crossings_sorted_by_source(alignment):
    links = sorted(alignment, key=lambda link: link[0])
    pairs = itertools.combinations(links, 2)
    return sum(b > d for (_, b), (_, d) in pairs)


def crossings_twice(alignment):
    return sum(
        (a < c and b > d) or (a > c and b < d)
        for (a, b), (c, d) in itertools.product(alignment, repeat=2)
    )


def crossings_in_order(alignment):
    pairs = itertools.combinations(alignment, 2)
    return sum((a - c) * (b - d) > 0 for (a, b), (c, d) in pairs)


RIGHT = {
    "path_lengths": [paths(), paths_with_rounded_logarithm, paths_by_reach],
    "context_sizes": [
        sizes(lambda model, n, states, context: context.shape[-1]),
        sizes_one_string_at_a_time,
    ],
    "look_back": [look_with_the_library, look_with_einsum, look_in_loops],
    "crossings": [crossings_by_sorting, crossings_with_numpy],
}

WRONG = {
    "path_lengths": {
        "n over k for dilated stacks": (
            paths(dilated=lambda n, k: -(-n // k)),
            "dilated.* linear in n",
        ),
        "n for attention": (
            paths(attention=lambda n, k: n),
            "attention.* nothing grows",
        ),
        "1 for convolutions": (
            paths(convolutions=lambda n, k: 1),
            "convolutions.* one layer.* does not mean it links",
        ),
        "1 for dilated stacks": (
            paths(dilated=lambda n, k: 1),
            "dilated.* does not mean it links",
        ),
        "n over k for convolutions": (
            paths(convolutions=lambda n, k: math.ceil(n / k)),
            "convolutions.* divide by k",
        ),
        "kernels around a position": (
            paths(convolutions=lambda n, k: math.ceil(2 * n / (k - 1))),
            "convolutions.* twice as far back",
        ),
        "a logarithm for convolutions": (
            paths(convolutions=lambda n, k: paths()(n, k)["dilated"]),
            "convolutions.* like a logarithm",
        ),
        "rounded down": (
            paths(convolutions=lambda n, k: n // (k - 1)),
            "convolutions.* round up",
        ),
        "the position itself forgotten": (
            paths(dilated=lambda n, k: max(1, math.ceil(math.log(n, k)))),
            "dilated.* the count is off",
        ),
        "a logarithm in floating point": (
            paths(
                dilated=lambda n, k: math.ceil(math.log(n + 1) / math.log(k))
            ),
            "dilated.* logarithm rounded",
        ),
        "positions instead of steps": (
            paths(recurrent=lambda n, k: n + 1),
            "recurrent.* count the steps",
        ),
        "1 for a recurrent layer": (
            paths(recurrent=lambda n, k: 1),
            "recurrent.* one position per step",
        ),
        "a list": (lambda n, k: [n, n, n, 1], "dictionary .* keys"),
    },
    "context_sizes": {
        "the batch size": (
            sizes(lambda model, n, states, context: len(context)),
            "batch size",
        ),
        "the whole batch": (
            sizes(lambda model, n, states, context: context.numel()),
            "all strings together",
        ),
        "the states": (
            sizes(lambda model, n, states, context: states[0].numel()),
            "states after every symbol",
        ),
        "the states of the whole batch": (
            sizes(lambda model, n, states, context: states.numel()),
            "states of the whole batch",
        ),
        "the length": (
            sizes(lambda model, n, states, context: n),
            "length of the string",
        ),
        "the configuration": (
            sizes(lambda model, n, states, context: model.config.d_hidden),
            "configuration",
        ),
        "one length for all": (size_of_the_first_only, "every length"),
        "a list of sizes": (
            lambda model, lengths: [model.config.d_hidden] * len(lengths),
            "dictionary",
        ),
    },
    "look_back": {
        "attends over padded positions": (look_at_padding, "padded"),
        "a score of 0 for padding": (look_with_zeros_before_softmax, "padded"),
        "attends over decoder states": (
            look_at_the_decoder,
            "decoder's own states, future ones",
        ),
        "asks with a future decoder state": (
            look_at_the_last_decoder_state,
            "only a later decoder state did",
        ),
        "copies the source": (
            look_by_place,
            "copies states .* by their place",
        ),
        "copies the source with its padding": (
            lambda decoder, outputs, states, mask: states.flip(1)[
                :, : outputs.shape[1]
            ],
            "by their place",
        ),
        "scores divided as in chapter 02": (
            look_scaled,
            "not those of the formula",
        ),
        "the decoder's past": (look_at_the_decoders_past, "not the source's"),
        "the last source state": (look_at_the_last, "by their place"),
        "the mask after the softmax": (
            look_with_mask_after_softmax,
            "do not sum to 1",
        ),
        "the mask upside down": (look_with_mask_upside_down, "padded"),
        "softmax over the targets": (
            look_with_shared_weights,
            "among target positions",
        ),
        "the same weight everywhere": (
            look_at_everything_alike,
            "w_query has no influence",
        ),
        "no softmax": (look_without_softmax, "sum to 1"),
        "the best state only": (
            look_at_the_best_only,
            "not those of the form",
        ),
        "v left out": (look_without_v, "decoder.v has no influence"),
        "tanh left out": (look_without_tanh, "w_query has no influence"),
        "a product of query and key": (
            look_with_a_product,
            "decoder.v has no influence",
        ),
        "query and key swapped": (
            look_with_names_swapped,
            "what is projected",
        ),
        "the weights returned": (look_and_return_weights, "shape"),
        "zeros": (
            lambda decoder, outputs, states, mask: outputs * 0,
            "sum to 1",
        ),
    },
    "crossings": {
        "counts moved words": (
            lambda links: sum(a != b for a, b in links),
            "words that moved",
        ),
        "counts moved places in the target": (
            crossings_of_positions,
            "words that moved",
        ),
        "counts each pair twice": (crossings_twice, "twice"),
        "lines from one word": (crossings_at_least, "share a word"),
        "sorted by the source alone": (
            crossings_sorted_by_source,
            "share a word",
        ),
        "neighboring links only": (crossings_with_bubbles, "neighboring"),
        "pairs in order": (crossings_in_order, "keep their order"),
        "the list's order": (crossings_without_sorting, "order of the source"),
        "a Boolean": (
            lambda links: crossings_by_sorting(links) > 0,
            "draw the lines",
        ),
        "none": (lambda links: 0, "draw the lines"),
        "all pairs": (
            lambda links: math.comb(len(links), 2),
            "draw the lines",
        ),
    },
}

EQUIVALENT = {
    "context_sizes": {
        "0 → 1": "all strings of the batch have contexts of one size",
        "0 → -1": "all strings of the batch have contexts of one size",
    },
}
