"""The checks of chapter 03: counting, ablation, minimal pairs, causes."""

from collections.abc import Callable
from numbers import Integral
from typing import Any

import torch

from bertbook.checks.report import Wrong, exercise, score_of
from bertbook.checks.word_votes import (
    Pair,
    bag_of_words_probe,
    differing_words,
    read_pairs,
    words_of,
)
from bertbook.coreference import FRAMES
from bertbook.runtime import seed_everything


def _hold_split(split: Any, d_model: int, num_heads: int) -> None:
    """Compare the pieces with columns of the product."""
    draw = seed_everything(d_model)
    weight = torch.randn(d_model, d_model, generator=draw)
    x = torch.randn(5, d_model, generator=draw)
    kept = weight.clone()
    pieces = split(weight, num_heads)
    if not torch.equal(kept, weight):
        raise Wrong("Your function changes the matrix it is given: copy it.")
    wanted = (num_heads, d_model, d_model // num_heads)
    if not isinstance(pieces, torch.Tensor) or pieces.shape != wanted:
        got = getattr(pieces, "shape", type(pieces).__name__)
        shape = tuple(got) if isinstance(got, torch.Size) else got
        raise Wrong(
            f"{num_heads} heads of {d_model}: the pieces are {shape}, and"
            f" {wanted} is asked for."
        )
    columns = (x @ weight).chunk(num_heads, dim=1)
    for head, column in enumerate(columns):
        if not torch.allclose(x @ pieces[head], column, atol=1e-4):
            raise Wrong(
                f"x @ split[{head}] is not piece {head} of x @ weight: a"
                " head takes neighboring *columns*, with all rows. `view`"
                " alone mixes rows and columns."
            )


def _hold_projections(
    projections: Any, d_model: int, num_heads: int, case: str
) -> None:
    """Name the usual mistakes in counting W^Q, W^K and W^V."""
    three, square = 3 * d_model**2, d_model**2
    if num_heads > 1 and projections == num_heads * three:
        raise Wrong(
            f"{case}: {projections:,} is {num_heads} full-width layers. A"
            " head is only d_model / num_heads wide."
        )
    parts = (square, square // num_heads, three // num_heads)
    if projections != three and projections in parts:
        raise Wrong(
            f"{case}: {projections:,} leaves something out. There are three"
            " matrices for *each* head."
        )
    if projections != three:
        raise Wrong(
            f"{case}: {projections:,} for W^Q, W^K, W^V is wrong. Count one"
            " head's matrix first, without biases."
        )


def _hold_counts(count: Any, d_model: int, num_heads: int) -> None:
    """Compare the two counts, and name the usual mistakes."""
    answer = count(d_model, num_heads)
    try:
        projections, total = answer
    except (TypeError, ValueError):
        raise Wrong(
            f"Return two numbers, without and with W^O: we got {answer!r}."
        ) from None
    case = f"d_model={d_model} in {num_heads} heads"
    _hold_projections(projections, d_model, num_heads, case)
    three, square = 3 * d_model**2, d_model**2
    if total == projections:
        raise Wrong(f"{case}: the total forgets W^O.")
    if num_heads > 1 and total == three + square // num_heads:
        raise Wrong(f"{case}: W^O reads all heads, not one of them.")
    if total == three + square + 4 * d_model:
        raise Wrong(f"{case}: the total counts biases; we ask for none.")
    if total != three + square:
        raise Wrong(f"{case}: {total:,} is not the sum with one W^O.")
    for number in (projections, total):
        if not isinstance(number, Integral):
            raise Wrong(f"{case}: {number!r} is no whole number: use //.")


@exercise("03.1", "Split and count")
def split_and_count(split: Any, count: Any) -> None:
    """Try both functions on several sizes, odd ones among them."""
    for d_model, num_heads in ((512, 8), (39, 3), (12, 1), (35, 5)):
        _hold_split(split, d_model, num_heads)
        _hold_counts(count, d_model, num_heads)


def _model(
    lost: torch.Tensor, calls: list[frozenset]
) -> Callable[[Any], float]:
    """Return a model whose heads cost so much, and help each other."""

    def accuracy(removed: Any) -> float:
        heads = frozenset((int(a), int(b)) for a, b in removed)
        calls.append(heads)
        cost = sum(float(lost[head]) for head in heads)
        # Together two heads cost more in another order than alone.
        for layer, head in heads if len(heads) > 1 else ():
            cost += 0.5 / (2 + 7 * layer + 3 * head)
        return 0.9 - cost

    return accuracy


def _name_ranking(
    ranked: list, best: list, by_weight: list, calls: list
) -> None:
    """Say which other ranking was given."""
    if ranked == best[::-1]:
        raise Wrong("Your list is upside down: the head missed most first.")
    if ranked in (by_weight, by_weight[::-1]):
        raise Wrong(
            "You rank by attention weight. A sure head may be useless: remove"
            " it, and see what is lost."
        )
    if any(len(call) > 1 for call in calls):
        raise Wrong(
            "You removed several heads at once. Then they stand in for each"
            " other, or fail together: remove each alone."
        )
    if not any(calls):
        raise Wrong(
            "You never called `accuracy` with a head removed: the ranking"
            " must come from what is lost."
        )
    raise Wrong(
        "The order is not that of the accuracy lost. A head whose removal"
        " *helps* has a negative loss and comes last."
    )


@exercise("03.2", "Which head is missed?")
def rank_heads(answer: Any) -> None:
    """Make up models in which weights and losses disagree."""
    for layers, heads, seed in ((2, 4, 0), (3, 5, 1), (1, 7, 2)):
        draw = seed_everything(seed)
        order = torch.randperm(layers * heads, generator=draw).view(
            layers, heads
        )
        lost = (order - 2) / 100
        weights = torch.rand(layers, heads, 6, 6, generator=draw).softmax(-1)
        calls: list[frozenset] = []
        ranked = answer(_model(lost, calls), weights)
        pairs = [(i, j) for i in range(layers) for j in range(heads)]
        try:
            ranked = [(int(i), int(j)) for i, j in ranked]
        except (TypeError, ValueError):
            raise Wrong(
                f"Return a list of pairs (layer, head): we got {ranked!r}."
            ) from None
        if sorted(ranked) != pairs:
            raise Wrong(
                f"{layers} layers of {heads} heads have {len(pairs)} pairs,"
                f" each once: your list has {len(ranked)} entries,"
                f" {len(set(ranked) & set(pairs))} of them right."
            )
        best = sorted(pairs, key=lambda pair: -float(lost[pair]))
        sure = weights.amax(-1).mean(-1)
        mean = sorted(pairs, key=lambda pair: -float(sure[pair]))
        if ranked != best:
            _name_ranking(ranked, best, mean, calls)


def _changed(place: int, pair: Pair) -> tuple[str, str]:
    """Return the two words that differ, and hold the pair to its form."""
    one, other = words_of(pair[0]), words_of(pair[2])
    differ = differing_words(place, pair)
    nouns = pair[1].lower(), pair[3].lower()
    if nouns[0] == nouns[1]:
        raise Wrong(f"Pair {place}: the label does not flip.")
    if set(differ) & set(nouns):
        raise Wrong(
            f"Pair {place}: the word that differs is one of the nouns, so"
            " the answer can be read off the noun alone."
        )
    for words in (one, other):
        before = words[: words.index("it")] if "it" in words else []
        if not set(nouns) <= set(before):
            raise Wrong(
                f"Pair {place}: both nouns, one word each, must stand before"
                " *it* in both sentences."
            )
    return differ


def _of_chapter(differ: tuple[str, str], nouns: set[str]) -> bool:
    """Tell whether a pair is one of the chapter's four, in any order."""
    return any(
        nouns == set(frame.pairs()[0])
        and set(differ) <= {*frame.fit_first, *frame.fit_second}
        for frame in FRAMES.values()
    )


@exercise("03.3", "Ten minimal pairs")
def minimal_pairs(answer: Any) -> None:
    """Hold ten pairs to their form, and let a bag of words try them."""
    pairs = read_pairs(answer)
    met: set[frozenset[str]] = set()
    for place, pair in enumerate(pairs, start=1):
        differ = _changed(place, pair)
        nouns = {pair[1].lower(), pair[3].lower()}
        key = frozenset((*differ, *nouns))
        if key in met:
            raise Wrong(f"Pair {place} repeats an earlier one: same words.")
        met.add(key)
        if _of_chapter(differ, nouns):
            raise Wrong(f"Pair {place} is the chapter's: write your own.")
    right, word = bag_of_words_probe(pairs)
    if right > 0.5:
        raise Wrong(
            f"A bag of words answers {right:.2f} of your sentences, where 0.5"
            f" is chance: {word!r} gives it away. Let it stand as often for"
            " the first noun as for the second, or use other words."
        )


def _by_word(words: list[str]) -> str:
    return "street" if words[4] == "wide" else "animal"


def _by_two(words: list[str]) -> str:
    kinds = {"wide": "street", "long": "street", "sad": "animal"}
    return words[0] if words[3] == "it" and words[4] in kinds else "nobody"


def _by_pair(words: list[str]) -> str:
    changes = sum(word in ("dog", "road") for word in words)
    return "both" if changes > 1 else "street" if words[4] == "sad" else "one"


_MODELS: list[tuple[Callable, set[int]]] = [
    (_by_word, {4}),
    (_by_two, {0, 4}),
    (lambda words: "animal", set()),
    (lambda words: "moon" in words, {2}),
    (_by_pair, {4}),
]


def _name_causes(given: set, wanted: set, peak: int, heavy: set) -> None:
    """Say what a wrong set of places looks like."""
    if given in ({peak}, heavy):
        raise Wrong(
            "You read the causes off the heat map: a large weight need not"
            " change the answer. Swap the word, and ask the model."
        )
    if wanted - given:
        raise Wrong(
            "You miss a place where a swap changes the answer. Try *every*"
            " word that `swaps` offers there, at any weight."
        )
    raise Wrong(
        "You name a place where no single swap changes the answer. Change"
        " one place at a time, and start each time from the same words."
    )


@exercise("03.4", "Is the largest weight a cause?")
def causes(answer: Any) -> None:
    """Try made-up models whose causes are known, under several weights."""
    swaps = {
        0: ["dog"], 1: ["road"], 2: ["house", "moon", "sea"],
        4: ["long", "sad", "tall"],
    }  # fmt: skip
    for model, wanted in _MODELS:
        for peak in (1, 2, 3, 0):
            weights = torch.full((5,), 0.1)
            weights[peak] = 0.6
            words = ["animal", "street", "sun", "it", "wide"]
            kept = [*words]
            options = {place: [*others] for place, others in swaps.items()}
            given = answer(model, words, options, weights)
            if words != kept:
                raise Wrong("Your function changes `words`: copy the list.")
            try:
                given = {int(place) for place in given}
            except (TypeError, ValueError):
                raise Wrong(
                    f"Return a set of places: we got {given!r}."
                ) from None
            if given != wanted:
                heavy = {place for place in swaps if weights[place] > 0.2}
                _name_causes(given, wanted, peak, heavy)


score = score_of(__name__)
