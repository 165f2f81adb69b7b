# %% [markdown]
# # 02 · Exercises: Attention is arithmetic
#
# Five exercises, each with its own check.
# None needs another, so start where you like.
# Write your code in place of `raise NotImplementedError`, run the cell, then
# run the check below it.
# A check prints one line: *passed*, *wrong* with the reason, or *not
# attempted*.

# %%
import math

import torch
from torch import Tensor

from bertbook.checks import chapter_02 as check

# %% [markdown]
# ## Exercise 02.1 · Fill the table · ●○○ · 10 min
#
# The chapter's table has two scores, 112 and 96, and keys of 64 numbers.
# Fill it for other scores, of as many words as there are.
# Return two lists of the same length: the scaled scores and the weights.
# Three digits after the point are enough.
#
# | | *Thinking* | *Machines* |
# |---|---|---|
# | score, with $d_k = 16$ | 40 | 56 |
# | scaled | ? | ? |
# | weight | ? | ? |

# %% [markdown]
# **Hint 1.** There are two steps between a score and its weight. Do them in
# the chapter's order, and return what stands after each.

# %% [markdown]
# **Hint 2.** Try it on 112 and 96 with $d_k = 64$ first: the chapter has
# every number of that table.


# %%
def fill_table(
    scores: list[float], d_k: int
) -> tuple[list[float], list[float]]:
    """Return the scaled scores and the weights of one query."""
    ### BEGIN SOLUTION
    scaled = [score / math.sqrt(d_k) for score in scores]
    powers = [math.exp(number) for number in scaled]
    weights = [power / sum(powers) for power in powers]
    return scaled, weights
    ### END SOLUTION


# %%
check.fill_table(fill_table)

# %% [markdown]
# ## Exercise 02.2 · Vectors to order · ●●○ · 12 min
#
# The table starts from two dot products. Which vectors have them?
# Write a function that takes any list of scores, positive or negative, and
# returns
#
# - `query`, a tensor of 64 numbers,
# - `keys`, a tensor with one row of 64 numbers for each score,
#
# so that the dot product of the query with each key is the score that was
# ordered. There are many right answers.

# %% [markdown]
# **Hint 1.** Fix the query first. You are free to choose it. Then each key
# has to meet one condition only.

# %% [markdown]
# **Hint 2.** What is the dot product of a vector with a multiple of itself?


# %%
def make_vectors(scores: list[float]) -> tuple[Tensor, Tensor]:
    """Return a query and keys with the given dot products."""
    ### BEGIN SOLUTION
    query = torch.arange(1.0, 65.0)
    column = torch.tensor(scores).unsqueeze(1)
    keys = column * query / (query @ query)
    return query, keys
    ### END SOLUTION


# %%
check.make_vectors(make_vectors)

# %% [markdown]
# ## Exercise 02.3 · Repair the listing · ●●● · 20 min
#
# Here is the chapter's listing again. It has seven defects, and it knows one
# input only.
#
# ```text
# def attention(X in):
#     for i in rang(sequence_lenght):
#         for j in rang(sequence_lenght):
#             relevance[i, j] = scaled_softmax(this query[i] * key[j])
#     for i in rang(sequence_lenght):
#         out[i] = 0
#         for j in rang(sequence_lenght):
#             out[i] = out[i] + relevance[i, j] * value[j]
#     return out
# ```
#
# Repair it, in loops or in matrices, and make it work for two inputs: the
# queries come from `x`, the keys and values from `source`. The two have
# different lengths and may have different widths.
# A vector is multiplied from the left: a query is `x[i] @ w_query`.
# The check compares your output with PyTorch's own attention.

# %% [markdown]
# **Hint 1.** Write the shape of each tensor beside it. Which loop runs over
# the rows of which tensor?

# %% [markdown]
# **Hint 2.** The softmax needs all scores of a query at once. Where in the
# listing are they all there?


# %%
def attention(
    x: Tensor, source: Tensor, w_query: Tensor, w_key: Tensor, w_value: Tensor
) -> Tensor:
    """Return one mixture of the source's values for each row of x."""
    ### BEGIN SOLUTION
    query, key, value = x @ w_query, source @ w_key, source @ w_value
    relevance = torch.zeros(len(x), len(source))
    for i in range(len(x)):
        for j in range(len(source)):
            relevance[i, j] = query[i] @ key[j] / math.sqrt(len(key[j]))
    weights = relevance.softmax(dim=-1)
    out = torch.zeros(len(x), value.shape[1])
    for i in range(len(x)):
        for j in range(len(source)):
            out[i] += weights[i, j] * value[j]
    return out
    ### END SOLUTION


# %%
check.attention(attention)

# %% [markdown]
# ## Exercise 02.4 · Not symmetric · ●●○ · 12 min
#
# “How much the first word looks at the second is how much the second looks
# at the first.” Show with numbers that this is false.
# Return three 2 × 2 matrices: `x` (two words, two numbers each), `w_query`
# and `w_key`. With them,
#
# - the scores $QK^\top$ must not be symmetric, and
# - the weights must not be symmetric either,
#
# each by 0.01 or more.

# %% [markdown]
# **Hint 1.** What is the transpose of $QK^\top$? When are the two equal?

# %% [markdown]
# **Hint 2.** Take a matrix for `x` that leaves the others as they are, and
# look at the product of `w_query` with the transpose of `w_key`.


# %%
def counter_example() -> tuple[Tensor, Tensor, Tensor]:
    """Return x, w_query and w_key, each of them 2 × 2."""
    ### BEGIN SOLUTION
    x = torch.eye(2)
    w_query = torch.eye(2)
    w_key = torch.tensor([[0.0, 3.0], [0.0, 0.0]])
    return x, w_query, w_key
    ### END SOLUTION


# %%
check.counter_example(counter_example)

# %% [markdown]
# ## Exercise 02.5 · Count the scores · ●○○ · 8 min
#
# A model with `num_layers` layers of `num_heads` heads reads `num_tokens`
# tokens. No mask is set.
# How many scores does it compute?

# %% [markdown]
# **Hint 1.** Start with one head of one layer. How large is its grid?

# %% [markdown]
# **Hint 2.** The width of a vector decides what one score costs. Does it
# decide how many there are?


# %%
def count_scores(num_tokens: int, num_heads: int, num_layers: int) -> int:
    """Return the number of scores in one pass over a text."""
    ### BEGIN SOLUTION
    return num_tokens**2 * num_heads * num_layers
    ### END SOLUTION


# %%
check.count_scores(count_scores)

# %%
check.score()
