"""Right and wrong answers to the exercises of chapter 00."""

import importlib.metadata
import random
import statistics

import numpy as np
import torch
import transformers

from bertbook import runtime
from bertbook.runtime import seed_everything


def versions_from_packages() -> str:
    where = "cpu"
    if torch.backends.mps.is_available():
        where = "mps"
    if torch.cuda.is_available():
        where = "cuda"
    version = importlib.metadata.version
    return (
        f"torch = {version('torch')}, transformers = "
        f"{version('transformers')}, device = {where}"
    )


def lines_from_the_runtime() -> str:
    versions = runtime.describe_versions()
    return "\n".join(
        [
            f"transformers={versions['transformers']}",
            f"torch={versions['torch']}",
            f"device={runtime.device}",
        ]
    )


def asks_the_accelerator() -> str:
    found = torch.accelerator.current_accelerator()
    where = f"{found.type}:0" if found else "cpu"
    return (
        f"device={where} torch={torch.version.__version__} "
        f"transformers={transformers.__version__}"
    )


TYPED = (
    f"device=cpu torch={torch.__version__} "
    f"transformers={transformers.__version__}"
)


def line(device="cpu", torch_version=None, transformers_version=None):
    return (
        f"device={device} torch={torch_version or torch.__version__} "
        f"transformers={transformers_version or transformers.__version__}"
    )


ONCE = torch.device("cuda" if torch.cuda.is_available() else "cpu")


def sees_only_the_gpu() -> str:
    return line("cuda")


def calls_it_gpu() -> str:
    return line("gpu" if torch.cuda.is_available() else "cpu")


def both_devices() -> str:
    return line("cpu") + " device=cuda"


def printed() -> None:
    print(TYPED)


def seeds_each_library(seed, build, train):
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002
    torch.manual_seed(seed)
    return train(build())


def seeds_twice(seed, build, train):
    seed_everything(seed)
    model = build()
    seed_everything(seed + 1)
    return train(model)


def in_a_fork(seed, build, train):
    with torch.random.fork_rng():
        seed_everything(seed)
        return train(build())


def seeds_python_only(seed, build, train):
    random.seed(seed)
    return train(build())


def seeds_after_the_model(seed, build, train):
    model = build()
    seed_everything(seed)
    return train(model)


def seeds_torch_only(seed, build, train):
    torch.manual_seed(seed)
    return train(build())


def forgets_numpy(seed, build, train):
    random.seed(seed)
    torch.manual_seed(seed)
    return train(build())


def forgets_the_training(seed, build, train):
    torch.manual_seed(seed)
    random.seed(seed)
    model = build()
    torch.seed()
    return train(model)


def always_seeds_zero(seed, build, train):
    seed_everything(0)
    return train(build())


def odd_or_even(seed, build, train):
    seed_everything(seed % 2)
    return train(build())


def half_fixed(seed, build, train):
    seed_everything(seed)
    random.seed(7)
    return train(build())


REMEMBERED: dict = {}


def remembers(seed, build, train):
    if seed not in REMEMBERED:
        REMEMBERED[seed] = train(build())
    return REMEMBERED[seed]


def swallows_the_result(seed, build, train):
    seed_everything(seed)
    train(build())


def compares_with_the_first(results, texts):
    return [
        name
        for name, result in results.items()
        if all(result(text) == result(texts[0]) for text in texts[1:])
    ]


def compares_extremes(results, texts):
    quoted = set()
    for name, result in results.items():
        numbers = [result(text) for text in texts]
        if min(numbers) == max(numbers):
            quoted.add(name)
    return frozenset(quoted)


def with_numpy_spread(results, texts):
    return {
        name: 1
        for name in results
        if np.ptp([float(results[name](text)) for text in texts]) == 0
    }.keys()


def all_computed(results, texts):
    return set()


def all_quoted(results, texts):
    return set(results)


def computed_ones(results, texts):
    return set(results) - compares_extremes(results, texts)


def two_texts(results, texts):
    return {
        name
        for name, result in results.items()
        if result(texts[0]) == result(texts[1])
    }


def first_and_last(results, texts):
    return {
        name
        for name, result in results.items()
        if result(texts[0]) == result(texts[-1])
    }


def own_texts(results, texts):
    own = ["a", "Who counts the words?"]
    return {
        name
        for name, result in results.items()
        if len({result(text) for text in own}) == 1
    }


def names_typed_in(results, texts):
    return {"exact match", "mean word length"}


def fractions_look_quoted(results, texts):
    return {
        name
        for name, result in results.items()
        if not float(result(texts[0])).is_integer()
    }


def reads_the_code(results, texts):
    """Take a function that never names its text for a quoted one."""
    return {
        name
        for name, result in results.items()
        if len(result.__code__.co_code)
        <= len((lambda text: 1.0).__code__.co_code)
    }


def misses_one(results, texts):
    return {sorted(compares_extremes(results, texts))[0]}


def gives_numbers(results, texts):
    return {result(texts[0]) for result in results.values()}


def with_statistics(values):
    spread = statistics.stdev(values)
    return statistics.mean(values) - 3 * spread, (
        statistics.mean(values) + 3 * spread
    )


def with_numpy(values):
    if len(values) < 2:
        raise ValueError("one value has no spread")
    middle, spread = np.mean(values), np.std(values, ddof=1)
    return np.array([middle - 3 * spread, middle + 3 * spread])


def with_torch(values):
    numbers = torch.tensor(values)
    if numbers.numel() < 2:
        raise ValueError("one value has no spread")
    return tuple(numbers.mean() + 3 * numbers.std() * torch.tensor([-1, 1]))


def times(factor):
    """Return a band of that many sample standard deviations each way."""

    def around(values):
        half = factor * statistics.stdev(values)
        return statistics.mean(values) - half, statistics.mean(values) + half

    return around


def population(values):
    half = 3 * statistics.pstdev(values)
    return statistics.mean(values) - half, statistics.mean(values) + half


def standard_error(values):
    return times(3 / len(values) ** 0.5)(values)


def around_the_median(values):
    middle, spread = statistics.median(values), statistics.stdev(values)
    return middle - 3 * spread, middle + 3 * spread


def one_value_is_nan(values):
    if len(values) == 1:
        return float("nan"), float("nan")
    return with_statistics(values)


def nothing_is_a_point(values):
    return with_statistics(values) if values else (0.0, 0.0)


def one_value_is_a_point(values):
    return (values * 2)[:2] if len(values) == 1 else with_statistics(values)


def never_counts(values):
    mean = sum(values) / len(values)
    squares = sum((value - mean) ** 2 for value in values)
    half = 3 * (squares / (len(values) - 1)) ** 0.5
    return mean - half, mean + half


def never_counts_none(values):
    if len(values) == 1:
        raise ValueError("one value has no spread")
    return never_counts(values)


def asserts_the_count(values):
    assert len(values) >= 2
    return with_statistics(values)


RIGHT = {
    "environment_line": [
        versions_from_packages,
        lines_from_the_runtime,
        asks_the_accelerator,
    ],
    "run_with_seed": [seeds_each_library, seeds_twice, in_a_fork],
    "find_quoted": [
        compares_with_the_first,
        compares_extremes,
        with_numpy_spread,
    ],
    "band": [with_statistics, with_numpy, with_torch],
}

WRONG = {
    "environment_line": {
        "a device read once": (
            lambda: line(ONCE.type),
            "does not follow the machine",
        ),
        "a tensor's default device": (
            lambda: line(str(torch.zeros(1).device)),
            "as on a cuda run",
        ),
        "a hard-coded line": (lambda: TYPED, "typed in"),
        "an old version": (
            lambda: line(torch_version="1.13.1"),
            r"torch=1\.13\.1 is not the version",
        ),
        "transformers typed in": (
            lambda: line(transformers_version="5.0.0"),
            r"transformers=5\.0\.0 is not",
        ),
        "cpu on a GPU run": (line, "on a cuda run.* device=cpu"),
        "cuda on a CPU run": (sees_only_the_gpu, "on a cpu run"),
        "gpu for cuda": (calls_it_gpu, "device=gpu names no device"),
        "both devices": (both_devices, "2 pairs `device=…`"),
        "True for the device": (
            lambda: line(str(torch.cuda.is_available())),
            "names no device",
        ),
        "printed, not returned": (printed, "do not print"),
        "the line, not the function": (TYPED, "without parentheses"),
        "no transformers": (
            lambda: f"device=cpu torch={torch.__version__}",
            "0 pairs `transformers=…`",
        ),
    },
    "run_with_seed": {
        "seeds only Python's random": (
            seeds_python_only,
            "PyTorch was not seeded.*Python's `random.seed` does not",
        ),
        "seeds after model creation": (
            seeds_after_the_model,
            "after the model was created",
        ),
        "seeds only torch": (seeds_torch_only, "Python's `random`"),
        "forgets NumPy": (forgets_numpy, "with NumPy"),
        "loses the seed before training": (
            forgets_the_training,
            "PyTorch was not seeded",
        ),
        "always the seed 0": (always_seeds_zero, "no fixed number"),
        "odd or even": (odd_or_even, "Seeds 1 and 3 give the same"),
        "a fixed seed for random": (half_fixed, "from Python's `random`"),
        "remembers the first run": (remembers, "never called `train`"),
        "swallows the result": (swallows_the_result, "Return what `train"),
        "another model": (
            lambda seed, build, train: train(torch.nn.Linear(5, 3)),
            r"the model that `build\(\)` returned",
        ),
    },
    "find_quoted": {
        "all computed": (all_computed, "all five computed"),
        "all quoted": (all_quoted, "computed result quoted"),
        "the computed ones": (computed_ones, "Turn the condition"),
        "the first two texts only": (two_texts, "over every text"),
        "the first and the last text": (first_and_last, "over every text"),
        "texts of its own": (own_texts, "over every text"),
        "names typed in": (names_typed_in, "names are typed in"),
        "decides by the fraction": (
            fractions_look_quoted,
            "miss|typed|quoted",
        ),
        "reads the code": (reads_the_code, "miss a quoted"),
        "stops at one": (misses_one, "miss a quoted"),
        "numbers for names": (gives_numbers, "not a name"),
        "one name as a string": (lambda results, texts: "words", "set"),
        "returns nothing": (lambda results, texts: None, "NoneType"),
    },
    "band": {
        "infinite": (
            lambda values: (-float("inf"), float("inf")),
            "cannot fail",
        ),
        "zero to one": (lambda values: (0.0, 1.0), "cannot fail"),
        "a thousand each way": (lambda values: (-1e3, 1e3), "cannot fail"),
        "ten deviations": (times(10), "cannot fail"),
        "population deviation": (population, "not by n"),
        "standard error": (standard_error, "√n"),
        "one deviation": (times(1), "three standard deviations each way"),
        "two deviations": (times(2), "three standard deviations each way"),
        "three in all": (times(1.5), "not three in all"),
        "smallest and largest": (
            lambda values: (min(values), max(values)),
            "smallest and the largest",
        ),
        "high before low": (times(-3), "smaller first"),
        "the first value alone": (
            lambda values: (values[0] - 0.01, values[0] + 0.01),
            "middle must be",
        ),
        "around the median": (around_the_median, "middle must be"),
        "a NaN for one value": (one_value_is_nan, "show no spread"),
        "a point for one value": (one_value_is_a_point, "show no spread"),
        "a point for no value": (nothing_is_a_point, r"For \[\] your"),
        "the number of values never looked at": (
            never_counts,
            r"For \[0\.943\] your function raises ZeroDivisionError",
        ),
        "no value never thought of": (
            never_counts_none,
            r"For \[\] your function raises ZeroDivisionError",
        ),
        "an assert for the count": (
            asserts_the_count,
            "raises AssertionError.* raise a ValueError",
        ),
        "one number": (statistics.mean, "two numbers"),
    },
}

EQUIVALENT = {
    "band": {"value - mean → mean - value": "the distance is squared"},
}
