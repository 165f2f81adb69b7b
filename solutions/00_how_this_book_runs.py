# %% [markdown]
# # 00 · Exercises: How this book runs
#
# Four exercises, each with its own check.
# None needs another, so start where you like.
# Write your code in place of `raise NotImplementedError`, run the cell, then
# run the check below it.
# A check prints one line: *passed*, *wrong* with the reason, or *not
# attempted*.

# %%
import random

import numpy as np
import torch
import transformers

from bertbook.checks import chapter_00 as check
from bertbook.runtime import device, seed_everything

# %% [markdown]
# ## Exercise 00.1 · Say where you run · ●○○ · 8 min
#
# A number without its machine cannot be repeated.
# Write a function that returns one line of three pairs, separated by blanks:
#
# ```text
# device=… torch=… transformers=…
# ```
#
# `device` is one of PyTorch's names: `cpu`, `cuda` or `mps`.
# The other two are the versions this process has loaded.
# The check reads your line. Then it calls your function again under other
# versions and on a pretended device, and your line must follow.

# %% [markdown]
# **Hint 1.** A library knows its own version.
# The name you look for begins and ends with two underscores.

# %% [markdown]
# **Hint 2.** The book's `device` is imported above.
# You may also ask PyTorch whether a GPU is available.
# Ask inside the function: what you read outside is read once.


# %%
def environment_line() -> str:
    """Return device and versions of this process as one line."""
    ### BEGIN SOLUTION
    pairs = {
        "device": device.type,
        "torch": torch.__version__,
        "transformers": transformers.__version__,
    }
    return " ".join(f"{name}={value}" for name, value in pairs.items())
    ### END SOLUTION


# %%
check.environment_line(environment_line)

# %% [markdown]
# ## Exercise 00.2 · Make two runs equal · ●○○ · 8 min
#
# A training run draws random numbers in many places.
# Here `build` creates a model, and `train` shuffles the examples, adds noise
# and drops some inputs.
# Read both, and note which library draws each number.


# %%
def build() -> torch.nn.Linear:
    """Create a small model: its first weights are random."""
    return torch.nn.Linear(5, 1)


def train(model: torch.nn.Linear) -> torch.Tensor:
    """Return the model's outputs on shuffled, noisy, thinned inputs."""
    rows = random.sample(range(8), 8)
    inputs = torch.tensor(rows).float().unsqueeze(1).repeat(1, 5)
    inputs += torch.tensor(np.random.rand(8, 1)).float()  # noqa: NPY002
    return model(torch.nn.functional.dropout(inputs, 0.5)).squeeze(1)


# %% [markdown]
# Write a function that builds the model, trains it, and returns what `train`
# returns.
# Called twice with one seed, it must give equal results to the last bit,
# whatever ran before.
# Called with another seed, it must draw other numbers from every library.

# %% [markdown]
# **Hint 1.** Three libraries draw here, and each keeps its own random state.
# The chapter has a function that sets all three.

# %% [markdown]
# **Hint 2.** The first weights are drawn when the model is created.
# What must have happened before that moment?


# %%
def run_with_seed(seed: int, build, train) -> torch.Tensor:
    """Build and train once, repeatably."""
    ### BEGIN SOLUTION
    seed_everything(seed)
    model = build()
    return train(model)
    ### END SOLUTION


# %%
check.run_with_seed(run_with_seed)

# %% [markdown]
# ## Exercise 00.3 · Quoted or computed? · ●●○ · 12 min
#
# Five results, each a function from a text to a number.
# Some compute their number. The others were copied from somewhere, and
# return it whatever the text says.

# %%
published = {"mean word length": 4.79}
results = {
    "words": lambda text: len(text.split()),
    "exact match": lambda text: 0.943,
    "longest word": lambda text: max(len(word) for word in text.split()),
    "mean word length": lambda text: published["mean word length"],
    "question marks": lambda text: text.count("?"),
}
texts = [
    "We read a table before we trust it.",
    "A small model learns a short rule.",
    "Is every number here computed?",
]
{name: [result(text) for text in texts] for name, result in results.items()}

# %% [markdown]
# Write a function that takes any such `results` and `texts`, and returns the
# set of names that were quoted.
# Decide by running the results, not by their names: the check brings its own.
# Call a result quoted if it gives the same number for every text.

# %% [markdown]
# **Hint 1.** A computed number may agree on two texts by chance.
# Look at the row of *question marks* above.

# %% [markdown]
# **Hint 2.** Collect each result's numbers over all texts.
# How many different numbers does a quoted result give?


# %%
def find_quoted(results: dict, texts: list[str]) -> set[str]:
    """Return the names of the results that ignore the text."""
    ### BEGIN SOLUTION
    return {
        name
        for name, result in results.items()
        if len({result(text) for text in texts}) == 1
    }
    ### END SOLUTION


# %%
check.find_quoted(find_quoted)

# %% [markdown]
# ## Exercise 00.4 · A claim that can fail · ●●○ · 12 min
#
# We measured one number with several seeds.
# We want to claim in which band the next seed will fall.
# A band from minus to plus infinity is always right, and says nothing.
# A band that holds one value only, such as 0.943 to 0.943, is nearly always
# wrong.
#
# Write a function that returns `(low, high)`: the mean of the values, minus
# and plus three *sample* standard deviations.
# With $n$ values, the sample standard deviation divides the sum of squared
# distances from the mean by $n - 1$.
# One value shows no spread, and no value has no mean: raise a `ValueError`
# for fewer than two.

# %% [markdown]
# **Hint 1.** Python's `statistics` and NumPy both have what you need.
# They differ in what they divide by when you say nothing.

# %% [markdown]
# **Hint 2.** Try your function on `[1.0, 3.0]`.
# The mean is 2, the sample variance is 2 as well.


# %%
def band(values: list[float]) -> tuple[float, float]:
    """Return the band of mean ± three sample standard deviations."""
    ### BEGIN SOLUTION
    if len(values) < 2:
        raise ValueError(f"values has length {len(values)}: run two seeds")
    mean = sum(values) / len(values)
    squares = sum((value - mean) ** 2 for value in values)
    spread = (squares / (len(values) - 1)) ** 0.5
    return mean - 3 * spread, mean + 3 * spread
    ### END SOLUTION


# %%
check.band(band)

# %%
check.score()
