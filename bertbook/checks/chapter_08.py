"""The checks of chapter 08: families, a leak test, a saving, an order."""

import copy
import math
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from bertbook.checks.report import Wrong, exercise, score_of
from bertbook.families import BertLike, GptLike
from bertbook.masks import causal_mask
from bertbook.runtime import seed_everything
from bertbook.transformer import TransformerConfig

_GAPS = {("encoder", "masked words")}
_ONWARD = {("decoder", "next word")}
_PERMUTED = {(kind, "next word, any order") for kind in ("decoder", "encoder")}
_WRITTEN = {
    ("encoder-decoder", "masked words"),
    ("encoder-decoder", "restore the text"),
}
MODELS: dict[str, set[tuple[str, str]]] = {
    "ALBERT": _GAPS,
    "BART": _WRITTEN,
    "BERT": _GAPS,
    "ColBERT": {("encoder", "rank passages")},
    "DeBERTa": _GAPS | {("encoder", "spot replaced words")},
    "DistilBERT": _GAPS | {("encoder", "copy a teacher")},
    "ELECTRA": {("encoder", "spot replaced words")},
    "ELMo": {("recurrent", "next word, both directions")},
    "GPT-1": _ONWARD,
    "GPT-2": _ONWARD,
    "GPT-3": _ONWARD,
    "RoBERTa": _GAPS,
    "T5": _WRITTEN,
    "Transformer": {("encoder-decoder", "translate")},
    "XLNet": _PERMUTED,
}
"""What each model may be called. DeBERTa's third version spots words."""

_REASONS = {
    ("ColBERT", "masked words"): (
        "ColBERT is no pre-trained language model: it starts from BERT's"
        " weights, and what it trains is search."
    ),
    ("ELMo", "next word"): (
        "ELMo is not unidirectional: it has two language models, one for"
        " each direction, joined at the end."
    ),
    ("XLNet", "next word"): (
        "XLNet is no plain causal model: the order in which it names words"
        " changes from sentence to sentence."
    ),
    ("XLNet", "masked words"): (
        "XLNet hides no word behind a mark: it permutes the order."
    ),
    ("ELECTRA", "masked words"): (
        "ELECTRA's small generator fills gaps. The part that is kept looks at"
        " each word, and asks whether it was replaced."
    ),
}


def _name_sorting(name: str, given: tuple[str, str]) -> None:
    """Say what is wrong with one model's pair."""
    family, task = given
    families = {one for one, _ in MODELS[name]}
    if family not in families:
        raise Wrong(
            f"{name} is not of the family {family!r}: which stack does it"
            " have, and which mask?"
        )
    raise Wrong(
        _REASONS.get(
            (name, task),
            f"{name}: {task!r} is not the first training task of its paper.",
        )
    )


@exercise("08.1", "Fifteen models")
def sort_models(answer: Any) -> None:
    """Compare each model's family and task with what its paper says."""
    given = answer()
    if not isinstance(given, dict):
        raise Wrong(f"Return a dictionary: we got {type(given).__name__}.")
    missing, strange = MODELS.keys() - given.keys(), given.keys() - MODELS
    if missing or strange:
        raise Wrong(
            f"Fifteen names: missing {sorted(missing) or 'none'}, unknown"
            f" {sorted(map(str, strange)) or 'none'}."
        )
    for name in sorted(MODELS, key=lambda name: name not in dict(_REASONS)):
        pair = given[name]
        if not isinstance(pair, tuple) or len(pair) != 2:
            raise Wrong(f"{name}: give a pair (family, task), not {pair!r}.")
        if pair not in MODELS[name]:
            _name_sorting(name, pair)


_SIZES = TransformerConfig(
    vocab_size=37, d_model=26, num_heads=2, d_ff=13, num_layers=3,
    dropout=0.0, max_len=16,
)  # fmt: skip


def _same(one: Tensor, other: Tensor) -> bool:
    return one.shape == other.shape and torch.allclose(one, other, atol=1e-5)


def _name_states(bert: BertLike, ids: Tensor, given: Tensor) -> None:
    """Name the mask that was used in place of a causal one."""
    causal = causal_mask(ids.shape[1])
    prefixes = [bert(ids[:, :end])[:, -1] for end in range(1, 1 + len(causal))]
    if _same(given, bert(ids)):
        raise Wrong("These are BERT's own states: no mask was used.")
    if _same(given, bert(ids, mask=causal.T[None])):
        raise Wrong(
            "Your mask is upside down: each token sees itself and what comes"
            " *after*. Rows are queries, columns are keys."
        )
    if _same(given, torch.stack(prefixes, dim=1)):
        raise Wrong(
            "You read each beginning with the full mask. The last state knows"
            " nothing later, but the states below it do: a GPT's word 1 never"
            " sees word 2, in no layer."
        )
    raise Wrong(
        "The states are not those of the causal mask. May each token see"
        " itself and all before it, and nothing else?"
    )


@torch.no_grad()
def _hold_states(gpt_states: Any) -> None:
    """Compare with the GPT-like model of the same weights."""
    for batch, length, seed in ((2, 7, 0), (1, 13, 1), (3, 1, 2)):
        generator = seed_everything(seed)
        bert = BertLike(_SIZES).eval()
        gpt = GptLike(_SIZES).eval()
        gpt.load_state_dict(bert.state_dict())
        kept = copy.deepcopy(bert.state_dict())
        ids = torch.randint(37, (batch, length), generator=generator)
        given = gpt_states(bert, ids.clone())
        now = bert.state_dict()
        if any(not torch.equal(kept[name], now[name]) for name in kept):
            raise Wrong(
                "The weights have changed. A GPT needs no other weights, only"
                " another mask."
            )
        if not isinstance(given, Tensor) or given.shape != (batch, length, 26):
            raise Wrong(
                f"For ids of shape ({batch}, {length}) return states of shape"
                f" ({batch}, {length}, 26)."
            )
        if not _same(given, gpt(ids)):
            _name_states(bert, ids, given)


def _planted(
    name: str, source: int, target: int
) -> Callable[[Tensor], Tensor]:
    """Return a causal model in which one later place reaches one state."""

    def states(ids: Tensor) -> Tensor:
        hidden = ids.double().cumsum(dim=1)[..., None].repeat(1, 1, 3)
        if name == "leak" and ids.shape[1] > source:
            hidden[:, target, 1] -= 1e-3 * ids[:, source]
        if name == "rounding":
            hidden[:, target, 2] += 1e-9 * ids[:, source]
        return hidden

    return states


def _ask(leaks: Any, states_of: Callable, ids: Tensor) -> bool:
    """Call the learner's test, and hold it to its form."""
    kept = ids.clone()
    given = leaks(states_of, ids, 37)
    if not torch.equal(ids, kept):
        raise Wrong("`leaks` changes `token_ids`: clone them first.")
    if given not in (True, False):
        raise Wrong(f"`leaks` returns True or False: we got {given!r}.")
    return bool(given)


@torch.no_grad()
def _hold_leaks(leaks: Any) -> None:
    """Try models whose leaks are known, from one place to one other."""
    generator = seed_everything(5)
    ids = torch.randint(37, (2, 6), generator=generator)
    ids[0, 3], ids[1, 5] = 36, 36  # the last id: one more is outside
    ids[:, 1] = 1  # so who sets a place to 1 changes nothing
    bert, gpt = BertLike(_SIZES).eval(), GptLike(_SIZES).eval()
    if not _ask(leaks, bert, ids):
        raise Wrong("`leaks` says False for BERT, which sees everything.")
    if _ask(leaks, gpt, ids):
        raise Wrong(
            "`leaks` says True for a GPT. Only states *before* the changed"
            " place must not move; the place itself and later ones may."
        )
    for source, target in ((5, 4), (5, 0), (1, 0), (3, 1)):
        if not _ask(leaks, _planted("leak", source, target), ids):
            raise Wrong(
                f"`leaks` misses a model in which place {source} reaches state"
                f" {target} alone. Try every place, and look at every state"
                " before it."
            )
    if _ask(leaks, _planted("rounding", 4, 2), ids):
        raise Wrong("Differences below 1e-6 are rounding: take them as equal.")
    if _ask(leaks, bert, ids[:, :1]):
        raise Wrong("One token alone has no later one: nothing can leak.")


@exercise("08.2", "From BERT to GPT")
def bert_to_gpt(gpt_states: Any, leaks: Any) -> None:
    """Compare the states with a GPT's, and try the test on known models."""
    _hold_states(gpt_states)
    _hold_leaks(leaks)


_PRETRAINED = {
    32: [0.5, 0.5, 0.875],  # mean 0.625, which no seed and no median has
    128: [0.75, 0.875, 1.0, 0.875],
    512: [1.0, 1.0, 1.0],
    2048: [0.5, 0.75, 0.5],  # the other arm is as good with fewer
}
_SCRATCH = {
    2048: [0.5, 0.75, 0.75],
    128: [0.625, 0.625, 0.625, 0.625],
    32: [0.5, 0.5, 0.5],
    512: [0.5, 0.5, 0.75],  # falls behind again
    8192: [0.875, 0.875, 0.875],
}
_SAVINGS = {32: 4.0, 128: 64.0, 512: math.inf, 2048: 0.0625}


def _name_saving(given: Any, labels: int) -> None:
    """Say which other number was computed."""
    wanted = _SAVINGS[labels]
    if math.isinf(wanted):
        raise Wrong(
            "The other arm never gets there, so the saving is not known:"
            f" return math.inf, not {given!r}."
        )
    if given == wanted * labels:
        raise Wrong("That is the number of labels: divide by `labels`.")
    if given == wanted * labels - labels:
        raise Wrong("That is a difference: how many *times* as many?")
    if given * wanted == 1:
        raise Wrong("The ratio is upside down: more labels *needed*, above 1.")
    raise Wrong(
        f"At {labels} labels: {given!r}, and it should be {wanted:g}. Compare"
        " means over seeds, *at least* as high, at the fewest labels."
    )


@exercise("08.3", "What is saved?")
def label_saving(answer: Any) -> None:
    """Use made-up curves with dips and ties, then too few seeds."""
    for labels, wanted in _SAVINGS.items():
        given = answer(
            copy.deepcopy(_PRETRAINED), copy.deepcopy(_SCRATCH), labels
        )
        if not isinstance(given, int | float):
            raise Wrong(f"Return a number: we got {given!r}.")
        if given != wanted:
            _name_saving(given, labels)
    for place, seeds, number in (
        (0, 1, 32), (1, 1, 128), (0, 2, 512), (1, 2, 8192), (1, 0, 32),
    ):  # fmt: skip
        arms = copy.deepcopy((_PRETRAINED, _SCRATCH))
        arms[place][number] = arms[place][number][:seeds]
        try:
            given = answer(*arms, 32)
        except ValueError:
            continue
        raise Wrong(
            f"You claim a saving of {given!r} where {number} labels have"
            f" {seeds} seed(s): one seed or two are no measurement. Raise a"
            " ValueError if any list has fewer than three."
        )


ORDER = ["Transformer", "ULMFiT", "ELMo", "GPT-1"]
ORDER += ["BERT", "GPT-2", "XLNet", "T5"]


@exercise("08.4", "Eight papers")
def in_order(answer: Any) -> None:
    """Compare with the dates of the first versions."""
    given = [*answer()]
    if sorted(map(str, given)) != sorted(ORDER):
        raise Wrong(f"Each of the eight names once: we got {given!r}.")
    if given == [*reversed(ORDER)]:
        raise Wrong("The earliest comes first: your list is upside down.")
    if given.index("BERT") < given.index("GPT-1"):
        raise Wrong(
            "BERT did not come before GPT-1: June 2018, then October 2018."
            " BERT's paper compares itself with GPT."
        )
    for before, after in pairwise(ORDER):
        if given.index(before) > given.index(after):
            raise Wrong(
                f"{after} did not come before {before}: look at the first"
                " version on arXiv or on the makers' site."
            )


score = score_of(__name__)
