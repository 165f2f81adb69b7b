"""The checks of chapter 10: collator, counts, whole words, an ablation."""

import math
from typing import Any

import torch
from torch import Tensor

from bertbook.checks.collator_mistakes import (
    MASK_ID,
    collated,
    hold_chosen,
    hold_fates,
    hold_labels,
    hold_random,
    outside,
    texts,
)
from bertbook.checks.reading import describe, read_parts
from bertbook.checks.report import Wrong, exercise, score_of

Rows = list[dict[str, Any]]

# 10.1


@exercise("10.1", "The collator")
def collate(answer: Any) -> None:
    """Count over a million tokens, each share in its binomial band."""
    ids = texts(torch.Generator().manual_seed(5))
    read, labels = collated(answer, ids, 1)
    again = collated(answer, ids, 1)
    if not (torch.equal(again[0], read) and torch.equal(again[1], labels)):
        raise Wrong(
            "Two calls with equally seeded generators differ: take all draws"
            " from `generator`."
        )
    hold_labels(ids, labels)
    chosen = labels != -100
    hold_chosen(ids, chosen)
    if not torch.equal(read[~chosen], ids[~chosen]):
        raise Wrong(
            "Tokens that were not chosen are changed in what the model reads:"
            " replace the chosen ones only."
        )
    hold_fates(read[chosen], ids[chosen])
    changed = (read != ids) & (read != MASK_ID)
    hold_random(read[changed], ids)


# 10.2


@exercise("10.2", "What to expect")
def expected_counts(answer: Any) -> None:
    """Compare for 100, 512 and odd numbers of tokens."""
    names = ["chosen", "[MASK]", "random", "unchanged"]
    for n in (100, 512, 7, 1):
        given = [float(x) for x in read_parts(answer(n), names)]
        right = [0.15 * n, 0.12 * n, 0.015 * n, 0.015 * n]
        for name, number, expected in zip(names, given, right, strict=True):
            if math.isclose(number, expected, rel_tol=1e-9):
                continue
            where = f"Of {n} tokens you expect {number:g} {name}"
            hint = "multiply the shares: 15 %, then 80, 10 and 10 % of those"
            if name == "[MASK]" and math.isclose(number, 0.15 * n):
                hint = (
                    "that is the number of chosen tokens; 80 % of them become"
                    f" [MASK], {0.12 * n:g}"
                )
            elif number in {round(expected), math.floor(expected)}:
                hint = "an expected count need not be whole: do not round"
            elif name != "chosen" and math.isclose(number, expected / 0.15):
                hint = "that is a share of all tokens, not of the chosen ones"
            raise Wrong(f"{where}: {hint}.")


# 10.3

_LENGTHS = (1, 1, 2, 1, 3, 1, 5, 2)


def _pieces(words: int) -> list[str]:
    """Write a text of words of one to five pieces."""
    pieces = ["[CLS]"]
    for number in range(words):
        length = _LENGTHS[number % len(_LENGTHS)]
        pieces += [f"w{number}"] + [f"##{i}" for i in range(1, length)]
        if number % 50 == 49:
            pieces.append("[SEP]")
    return [*pieces, "[SEP]"]


@exercise("10.3", "Whole words")
def choose_words(answer: Any) -> None:
    """Try long texts with short and long words, and several shares."""
    for share, words in ((0.15, 16_000), (0.4, 4_000), (1.0, 40), (0.0, 40)):
        pieces = _pieces(words)
        generator = torch.Generator().manual_seed(words)
        given = answer(list(pieces), share, generator)
        if not isinstance(given, list) or len(given) != len(pieces):
            raise Wrong(
                f"Return a list of {len(pieces)} True or False, one a piece:"
                f" we got {describe(given)}."
            )
        _hold_words(pieces, [bool(each) for each in given], share)
    generator = torch.Generator().manual_seed(3)
    first, second = (answer(_pieces(90), 0.5, generator) for _ in range(2))
    generator.manual_seed(3)
    if first != answer(_pieces(90), 0.5, generator) or first == second:
        raise Wrong("Draw from `generator`, anew for each word and call.")
    _hold_spread(answer, generator)


def _hold_spread(answer: Any, generator: torch.Generator) -> None:
    """Hold the number of chosen words to the variance of single draws."""
    pieces = ["[CLS]", *(f"w{number}" for number in range(100)), "[SEP]"]
    counts = torch.tensor(
        [float(sum(answer(list(pieces), 0.15, generator))) for _ in range(300)]
    )
    spread = float(counts.var()) / (100 * 0.15 * 0.85)
    if not 0.6 < spread < 1.6:  # it is known to 8 %
        raise Wrong(
            "The number of chosen words varies from text to text"
            f" {spread**0.5:.2f} times as much as it should: give each word"
            " a draw of its own."
        )


def _hold_words(pieces: list[str], chosen: list[bool], share: float) -> None:
    """Hold one choice to whole words, no specials, and its share."""
    words: list[list[bool]] = []
    for piece, each in zip(pieces, chosen, strict=True):
        if piece in {"[CLS]", "[SEP]"}:
            if each:
                raise Wrong(f"{piece} is chosen: special tokens never are.")
        elif piece.startswith("##"):
            words[-1].append(each)
        else:
            words.append([each])
    if any(len(set(word)) > 1 for word in words):
        raise Wrong(
            "You split a word: of some words only a part of the pieces is"
            " chosen. One decision holds for all pieces of a word."
        )
    for name, some in (
        ("words", words),
        ("long words", [w for w in words if len(w) > 2]),
        ("words of one piece", [w for w in words if len(w) == 1]),
    ):
        found = sum(word[0] for word in some)
        if found != len(some) * share and outside(found, len(some), share):
            raise Wrong(
                f"With select_prob = {share} you choose"
                f" {100 * found / len(some):.1f} % of the {name}: the overall"
                " rate is raised or lowered. One draw for each word, however"
                " many pieces it has."
            )


# 10.4


def _made_up(seed: int, runs: int) -> Rows:
    """Make up results of five settings, in no order."""
    draw = torch.Generator().manual_seed(seed)

    def numbers() -> dict[str, float]:
        loss, accuracy = torch.rand(2, generator=draw).tolist()
        return {"loss": 1 + 5 * loss, "accuracy": accuracy}

    settings = ("100/0/0", "80/0/20", "80/20/0", "0/0/100", "80/10/10")
    return [
        {"setting": s, "seed": i, "hidden": numbers(), "in sight": numbers()}
        for i in range(runs)
        for s in settings
    ]


def _mean(rows: Rows, setting: str, text: str, what: str) -> float:
    """Return the mean of a measurement over the seeds."""
    found = [r[text][what] for r in rows if r["setting"] == setting]
    return sum(found) / len(found)


def _differences(rows: Rows) -> dict[str, float]:
    """Return wrong answers under the message each deserves."""

    def lost(
        other: str, text: str = "in sight", what: str = "accuracy"
    ) -> float:
        return _mean(rows, "80/10/10", text, what) - _mean(
            rows, other, text, what
        )

    return {
        "you look at hidden tokens only. Behind [MASK] a model cannot show"
        " whether it says what it sees.": lost("80/0/20", "hidden"),
        "100/0/0 gives up the random tokens, too: two changes at once.": lost(
            "100/0/0"
        ),
        "80/20/0 gives up the random tokens, and keeps more unchanged.": lost(
            "80/20/0"
        ),
        "0/0/100 gives up [MASK] as well.": lost("0/0/100"),
        "80/20/0 against 80/0/20 moves 20 % to the random tokens, not"
        " 10 %.": lost("80/0/20") - lost("80/20/0"),
        "that is the sum over the seeds, not the mean.": lost("80/0/20")
        * (len(rows) / 5),
        "the sign: what is lost is positive when the setting with unchanged"
        " tokens does better.": -lost("80/0/20"),
        "that is the difference of the losses: the exercise asks for"
        " accuracy.": lost("80/0/20", what="loss"),
    }


@exercise("10.4", "Why keep 10 %?")
def worth_of_unchanged(answer: Any) -> None:
    """Compare on made-up results with 2, 3 and 5 seeds."""
    for seed, runs in ((1, 3), (2, 5), (3, 2)):
        rows = _made_up(seed, runs)
        given = answer(rows)
        if not isinstance(given, int | float | Tensor):
            raise Wrong(f"Return a number: we got {describe(given)}.")
        right = _mean(rows, "80/10/10", "in sight", "accuracy") - _mean(
            rows, "80/0/20", "in sight", "accuracy"
        )
        if math.isclose(float(given), right, abs_tol=1e-6):
            continue
        for message, slip in _differences(rows).items():
            if math.isclose(float(given), slip, abs_tol=1e-6):
                raise Wrong(f"For made-up results of {runs} seeds, {message}")
        raise Wrong(
            f"For made-up results of {runs} seeds you return"
            f" {float(given):.4f}: write down the three shares before and"
            " after the unchanged 10 % go to the random tokens, and measure"
            " where the token itself is in sight."
        )


score = score_of(__name__)
