# %% [markdown]
# # 11 · Exercises: Sentence pairs and the pre-training procedure
#
# Four exercises, each with its own check.
# None needs another, so start where you like.
# Write your code in place of `raise NotImplementedError`, run the cell, then
# run the check below it.
# A check prints one line: *passed*, *wrong* with the reason, or *not
# attempted*.

# %%
from collections.abc import Sequence

import torch

from bertbook.checks import chapter_11 as check

# %% [markdown]
# ## Exercise 11.1 · Two samplers · ●●○ · 20 min
#
# `documents` is a list of documents, each a list of at least two sentences.
# Draw one pair of sentences for the task `"NSP"` or `"SOP"`, and return
# `(first, second, label)`. The label is 0 or 1, each with probability 1/2.
#
# - Label 0, both tasks: two neighbors of one document, in their order.
# - Label 1, NSP: the first as before; the second is any sentence of any
#   *other* document.
# - Label 1, SOP: two neighbors of one document, swapped.
#
# The last sentence of a document has no neighbor behind it, so it is never
# the first of a pair in order. For NSP keep to that in negatives, too. Every
# other sentence of every document must have a chance. All draws come from
# `generator`: the same state, the same pair.

# %% [markdown]
# **Hint 1.** `int(torch.randint(low, high, (1,), generator=generator))` draws
# a number from `low` to `high - 1`.

# %% [markdown]
# **Hint 2.** To draw another document than number `n`, go on from `n` by a
# step of 1 to `len(documents) - 1`, around the end.


# %%
def sample_pair(
    documents: Sequence[Sequence[str]], task: str, generator: torch.Generator
) -> tuple[str, str, int]:
    """Return two sentences and 0 if the second follows the first, else 1."""

    ### BEGIN SOLUTION
    def draw(low: int, high: int) -> int:
        return int(torch.randint(low, high, (1,), generator=generator))

    number = draw(0, len(documents))
    document = documents[number]
    place = draw(0, len(document) - 1)
    first, second = document[place], document[place + 1]
    label = draw(0, 2)
    if label == 1 and task == "SOP":
        first, second = second, first
    elif label == 1:
        step = draw(1, len(documents))
        other = documents[(number + step) % len(documents)]
        second = other[draw(0, len(other))]
    return first, second, label
    ### END SOLUTION


# %%
check.sample_pair(sample_pair)

# %% [markdown]
# ## Exercise 11.2 · What BERT saw · ●○○ · 10 min
#
# A training has `num_steps` steps of `batch_size` sequences. In a share
# `short_share` of the steps the sequences are `short_len` tokens long, in
# the others `full_len`. How many positions does the model see?
# With BERT's numbers (1,000,000 steps, 256 sequences, 0.9, 128, 512) this is
# the 42.6 billion of the chapter. Steps are whole: round the number of short
# ones. Return a whole number.

# %% [markdown]
# **Hint 1.** Count the two phases one after the other: steps × sequences ×
# tokens.

# %% [markdown]
# **Hint 2.** Nothing here is rounded to thousands: 256 × 512 is 131,072.


# %%
def positions_seen(
    num_steps: int,
    batch_size: int,
    short_share: float,
    short_len: int,
    full_len: int,
) -> int:
    """Return the number of positions in all sequences of a training."""
    ### BEGIN SOLUTION
    short_steps = round(num_steps * short_share)
    full_steps = num_steps - short_steps
    return batch_size * (short_steps * short_len + full_steps * full_len)
    ### END SOLUTION


# %%
check.positions_seen(positions_seen)

# %% [markdown]
# ## Exercise 11.3 · How much more · ●○○ · 5 min
#
# Two trainings, each given as `(steps, batch_size)`. How many times as many
# sequences as the second did the first see? RoBERTa took 500,000 steps of
# 8,192 sequences, BERT 1,000,000 steps of 256. Compute that answer in your
# head before you write the function.

# %% [markdown]
# **Hint 1.** What does one step see?

# %% [markdown]
# **Hint 2.** Half the steps, and how many times the batch?


# %%
def times_as_many(first: tuple[int, int], second: tuple[int, int]) -> float:
    """Return the ratio of the numbers of sequences seen."""
    ### BEGIN SOLUTION
    steps, batch_size = first
    other_steps, other_batch_size = second
    return steps * batch_size / (other_steps * other_batch_size)
    ### END SOLUTION


# %%
check.times_as_many(times_as_many)

# %% [markdown]
# ## Exercise 11.4 · Fewer than half · ●●● · 30 min
#
# The released sampler, on a corpus of documents with `num_sentences`
# sentences each, all so short that a whole document fits into one sequence.
# Compute the share of positives among all its pairs: the expected number of
# positives of a document, divided by the expected number of its pairs.
#
# What happens to $n$ sentences:
#
# - $n = 1$: one negative pair.
# - $n \geq 2$: A takes the first $c$ of them, $c$ from 1 to $n - 1$, each
#   equally likely. With probability 1/2 the other $n - c$ become B: one
#   positive pair, and the document is used up. Else B comes from elsewhere:
#   one negative pair, the $n - c$ sentences are put back, and all begins
#   anew with them.

# %% [markdown]
# **Hint 1.** Let $p(n)$ be the expected number of positives and $t(n)$ that
# of pairs. Write each with the help of smaller $n$.

# %% [markdown]
# **Hint 2.** By hand: $p(2) = 1/2$ and $t(2) = 1 + 1/2$. The share is 1/3.


# %%
def positive_share(num_sentences: int) -> float:
    """Return expected positives over expected pairs."""
    ### BEGIN SOLUTION
    positives, pairs = [0.0], [1.0]  # of a single sentence
    for size in range(2, num_sentences + 1):
        left = size - 1  # put back are 1 to size - 1 sentences
        positives.append(0.5 + 0.5 * sum(positives) / left)
        pairs.append(1 + 0.5 * sum(pairs) / left)
    return positives[-1] / pairs[-1]
    ### END SOLUTION


# %%
check.positive_share(positive_share)

# %%
check.score()
