"""The checks of chapter 00: where we run, repeating, quoting, claiming."""

import itertools
import math
import random
import re
import statistics
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import torch
import transformers

from bertbook import runtime
from bertbook.checks.laboratory import (
    Laboratory,
    Run,
    compare_same_seed,
    compare_two_seeds,
)
from bertbook.checks.pretend import pretend_device, pretend_version
from bertbook.checks.report import Wrong, exercise, score_of

_LIBRARIES = {"torch": torch, "transformers": transformers}


def _public(version: str) -> str:
    """Cut the build's label from a version: `2.13.0+cpu` is 2.13.0."""
    return version.partition("+")[0]


def _read_line(answer: Any) -> dict[str, str]:
    """Call the learner's function and parse its `name=value` pairs."""
    if not callable(answer):
        raise Wrong(
            "The check needs your function itself: give its name without"
            " parentheses, so that we can call it more than once."
        )
    line = answer()
    if not isinstance(line, str):
        raise Wrong(
            f"Your function returns {type(line).__name__}, not a string:"
            " return the line, do not print it."
        )
    pairs = re.findall(r"(\w+)\s*=\s*([^\s,;]+)", line)
    for name in ("device", *_LIBRARIES):
        found = [value for key, value in pairs if key == name]
        if len(found) != 1:
            raise Wrong(
                f"We read {len(found)} pairs `{name}=…` in {line!r}: write"
                f" exactly one, with no blank inside the value."
            )
    return dict(pairs)


def _read_device(answer: Any) -> str:
    """Return the reported device's kind: `cuda:0` is cuda."""
    reported = _read_line(answer)["device"]
    kind = reported.partition(":")[0]
    if kind not in ("cpu", "cuda", "mps"):
        raise Wrong(
            f"device={reported} names no device: PyTorch's names are cpu,"
            " cuda and mps."
        )
    return kind


def _hold_device(answer: Any) -> None:
    """Compare the reported device with the real and with pretended ones."""
    kind = _read_device(answer)
    for pretended in ("cuda", "cpu"):
        with pretend_device(answer, pretended):
            seen = _read_device(answer)
        if seen != pretended:
            raise Wrong(
                f"We called your function as on a {pretended} run, and it"
                f" says device={seen}: it does not follow the machine. Ask"
                " at each call, inside the function."
            )
    if kind != runtime.device.type:
        raise Wrong(
            f"device={kind} is not where this book runs its cells here:"
            " compare with `bertbook.runtime`."
        )


@exercise("00.1", "Say where you run")
def environment_line(answer: Any) -> None:
    """Parse the line and compare it with the running process."""
    reported = _read_line(answer)
    for name, library in _LIBRARIES.items():
        if _public(reported[name]) != _public(library.__version__):
            raise Wrong(
                f"{name}={reported[name]} is not the version this process"
                " has loaded: ask the library itself."
            )
        with pretend_version(library, "97.5.3"):
            again = _read_line(answer)[name]
        if again != "97.5.3":
            raise Wrong(
                f"We called your function under another version of {name},"
                f" and it still says {again}: typed in or read once, it is"
                " right on one machine. Read it at each call."
            )
    _hold_device(answer)


def _one_run(answer: Any, seed: int) -> Run:
    """Run the learner's function after spoiling every random state."""
    random.seed()
    np.random.seed()  # noqa: NPY002
    torch.seed()
    laboratory = Laboratory()
    result = answer(seed, laboratory.build, laboratory.train)
    if laboratory.run is None:
        raise Wrong(
            "Your function never called `train`: every run must build its"
            " model anew and train it."
        )
    if result is not laboratory.result:
        raise Wrong("Return what `train(model)` returns, unchanged.")
    return laboratory.run


@exercise("00.2", "Make two runs equal")
def run_with_seed(answer: Any) -> None:
    """Compare runs with one seed, and with two, source by source."""
    runs = {}
    for seed in (1, 2, 3, 20, 333):
        runs[seed] = _one_run(answer, seed)
        compare_same_seed(runs[seed], _one_run(answer, seed))
    for one, two in itertools.combinations(runs, 2):
        compare_two_seeds(runs, one, two)


Result = Callable[[str], float]

_FIVE: dict[str, Result] = {
    "words": lambda text: len(text.split()),
    "exact match": lambda text: 0.943,
    "longest word": lambda text: max(map(len, text.split())),
    "mean word length": lambda text: 4.79 + 0.0 * len(text),
    "question marks": lambda text: text.count("?"),
}
_FIVE_QUOTED = {"exact match", "mean word length"}
_TEXTS = (
    "We read a table before we trust it.",
    "A small model learns a short rule.",
    "Every number here has a source.",
    "The seed is part of the result.",
)
_OTHERS: dict[str, Result] = {
    "words": lambda text: 12.0,
    "exact match": lambda text: 0.5 * text.count("seed"),
    "longest word": lambda text: round(0.25 + 0.125, 3),
    "mean word length": lambda text: sum(map(str.isalpha, text)),
    "question marks": lambda text: 1.0 if "?" in text else 0.0,
}
_OTHERS_QUOTED = {"words", "longest word"}


def _names(answer: Any, results: dict, texts: list) -> set[str]:
    """Call the learner's function and return the names it gives."""
    given = answer(dict(results), list(texts))
    if isinstance(given, str) or not isinstance(given, Iterable):
        raise Wrong(
            f"Your function returns {type(given).__name__}: return a set"
            " of names, such as {'words', 'longest word'}."
        )
    names = set(given)
    if not names <= set(results):
        strange = sorted(map(repr, names - set(results)))
        raise Wrong(
            f"{strange[0]} is not a name in `results`: return names, not"
            " numbers."
        )
    return names


def _compare_names(names: set, quoted: set, results: dict) -> None:
    """Say in which direction the names differ from the quoted ones."""
    if names == set(results) - quoted:
        raise Wrong(
            "You return the computed results: the question is which were"
            " quoted. Turn the condition around."
        )
    if not names:
        raise Wrong(
            "You call all five computed, but some give the same number"
            " whatever the text: a computed result follows its input."
        )
    if names - quoted:
        raise Wrong(
            "You call a computed result quoted. Two texts may agree by"
            " chance: compare the numbers over every text."
        )
    if quoted - names:
        raise Wrong(
            "You miss a quoted result: some other name gives one number for"
            " every text, however it is written."
        )


@exercise("00.3", "Quoted or computed?")
def find_quoted(answer: Any) -> None:
    """Try the five results, five others, and the odd text in each place."""
    for place in range(len(_TEXTS) + 1):
        texts = [*_TEXTS]
        texts.insert(place, "Is that so?")
        names = _names(answer, _FIVE, texts)
        _compare_names(names, _FIVE_QUOTED, _FIVE)
        names = _names(answer, _OTHERS, texts)
        if names == _FIVE_QUOTED:
            raise Wrong(
                "We put five other functions under the same names, and your"
                " answer stays: the names are typed in. Call the functions."
            )
        _compare_names(names, _OTHERS_QUOTED, _OTHERS)


def _read_band(answer: Any, values: list[float]) -> tuple[float, float]:
    """Call the learner's function and return its two bounds."""
    band = answer(list(values))
    try:
        low, high = map(float, band)
    except (TypeError, ValueError):
        raise Wrong(
            f"Return two numbers, low and high: we got {band!r}."
        ) from None
    return low, high


def _explain_band(values: list[float], low: float, high: float) -> None:
    """Name the usual ways to a band that is not the one asked for."""
    mean, count = statistics.fmean(values), len(values)
    half, wanted = (high - low) / 2, 3 * statistics.stdev(values)
    at_mean = math.isclose(low + high, 2 * mean, abs_tol=1e-3 * wanted)
    if low > high:
        raise Wrong("Your low is above your high: give the smaller first.")
    if not at_mean and (low, high) == (min(values), max(values)):
        raise Wrong(
            "You give the smallest and the largest value seen: the next"
            " seed falls outside often. Use mean and spread."
        )
    for factor, reason in (
        (math.sqrt((count - 1) / count), "divide by n − 1, not by n"),
        (1 / math.sqrt(count), "we ask for the spread, not for its /√n"),
        (1 / 3, "go three standard deviations each way"),
        (2 / 3, "go three standard deviations each way"),
        (1 / 2, "three each way, not three in all"),
    ):
        if at_mean and math.isclose(half, factor * wanted, rel_tol=1e-3):
            raise Wrong(f"Your band for {values} is too narrow: {reason}.")
    if half > 1.5 * wanted:
        raise Wrong(
            f"Your band for {values} is {low:g} to {high:g}, far wider than"
            " the values' spread: a band that cannot fail claims nothing."
        )
    raise Wrong(
        f"Your band for {values} is {low:g} to {high:g}: its middle must be"
        " the mean, its half width three standard deviations."
    )


def _hold_refusal(answer: Any, values: list[float]) -> None:
    """Check that too few values are refused with a `ValueError`."""
    try:
        low, high = _read_band(answer, values)
    except ValueError:
        return
    except (ArithmeticError, AssertionError, IndexError) as error:
        raise Wrong(
            f"For {values} your function raises {type(error).__name__}: look"
            " at the number of values first, and raise a ValueError."
        ) from None
    raise Wrong(
        f"For {values} your band is {low:g} to {high:g}: fewer than two"
        " values show no spread. Raise a ValueError that says so."
    )


@exercise("00.4", "A claim that can fail")
def band(answer: Any) -> None:
    """Compare with mean ± 3 sample standard deviations at odd sizes."""
    draw = random.Random(0)
    for count in (5, 2, 3, 7, 13):
        for center, spread in ((0.9, 0.01), (40.0, 5.0), (-2.0, 0.3)):
            values = [
                round(draw.gauss(center, spread), 4) for _ in range(count)
            ]
            low, high = _read_band(answer, values)
            half = 3 * statistics.stdev(values)
            mean = statistics.fmean(values)
            error = max(abs(low - mean + half), abs(high - mean - half))
            if not error <= 1e-3 * half:
                _explain_band(values, low, high)
    _hold_refusal(answer, [0.943])
    _hold_refusal(answer, [])


score = score_of(__name__)
