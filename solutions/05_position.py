# %% [markdown]
# # 05 · Exercises: Where am I? Position
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

from bertbook.checks import chapter_05 as check

# %% [markdown]
# ## Exercise 05.1 · The matrix · ●○○ · 15 min
#
# Build the sinusoidal matrix for any number of positions, any even width `d`
# and any `n`. Row $k$ belongs to position $k$, the first position is 0, and
# sines and cosines take turns within a row.
#
# For `position_matrix(4, 4, 100)` the second row is
# 0.8415, 0.5403, 0.0998, 0.9950.

# %% [markdown]
# **Hint 1.** Write down which dimensions share an angle. How many different
# angles does one row have?

# %% [markdown]
# **Hint 2.** Two loops are fine: one over the positions, one over the pairs
# of dimensions.


# %%
def position_matrix(length: int, d: int, n: float) -> Tensor:
    """Return a matrix with one row of d numbers per position."""
    ### BEGIN SOLUTION
    table = torch.zeros(length, d)
    for k in range(length):
        for i in range(0, d, 2):
            angle = k / n ** (i / d)
            table[k, i] = math.sin(angle)
            table[k, i + 1] = math.cos(angle)
    return table
    ### END SOLUTION


# %%
check.position_matrix(position_matrix)

# %% [markdown]
# ## Exercise 05.2 · Every row, every step · ●●○ · 15 min
#
# The chapter says that all rows of the sinusoidal matrix have the same
# length, and all its steps too. Write the test that would notice if one row
# did not. It takes a table with any number of rows (three or more), a tensor
# with `d` columns, and returns two answers, True or False:
#
# - does *every* row have the squared length $d/2$?
# - are *all* distances between neighboring rows equal?
#
# Call numbers equal that differ by less than 0.001. The check tries your test
# on tables that are right and on tables in which a single row is wrong.

# %% [markdown]
# **Hint 1.** A table of 7 rows has 7 lengths and 6 steps. How many of them
# does your test look at?

# %% [markdown]
# **Hint 2.** `table[1:] - table[:-1]` holds all the steps at once.


# %%
def lengths_and_steps(table: Tensor) -> tuple[bool, bool]:
    """Say whether all rows are d/2 long, squared, and all steps equal."""
    ### BEGIN SOLUTION
    lengths = table.square().sum(dim=1)
    steps = (table[1:] - table[:-1]).norm(dim=1)
    same_length = (lengths - table.shape[1] / 2).abs().max() < 1e-3
    same_step = steps.max() - steps.min() < 1e-3
    return bool(same_length), bool(same_step)
    ### END SOLUTION


# %%
check.lengths_and_steps(lengths_and_steps)

# %% [markdown]
# ## Exercise 05.3 · Does similarity always fall? · ●●○ · 15 min
#
# Take positions 1, 2, 3, … up to `length - 1`, and compare each with position
# 0 by the dot product. If similarity always fell, a farther position would
# never have the greater product.
# Count the pairs of positions `near < far` for which
# $p_0 \cdot p_{far} > p_0 \cdot p_{near}$.
# Zero means: yes, it always falls. Is it zero for `length = 9`, `d = 4`,
# `n = 100`?

# %% [markdown]
# **Hint 1.** The chapter has the nine products of that case. Count on paper
# first.

# %% [markdown]
# **Hint 2.** The dot product of two rows is a sum of cosines, one for each
# pair of dimensions.


# %%
def count_reversals(length: int, d: int, n: float) -> int:
    """Count the pairs whose farther position is the more similar one."""
    ### BEGIN SOLUTION
    products = [
        sum(math.cos(k / n ** (i / d)) for i in range(0, d, 2))
        for k in range(length)
    ]
    count = 0
    for far in range(length):
        for near in range(far):
            if products[far] > products[near]:
                count += 1
    return count
    ### END SOLUTION


# %%
check.count_reversals(count_reversals)

# %% [markdown]
# ## Exercise 05.4 · One matrix for every step · ●●● · 15 min
#
# Find the matrix $R$ of size $d \times d$ with $p_{k+1} = R\,p_k$, where
# $p_k$ is a column. It must be the same for all $k$.

# %% [markdown]
# **Hint 1.** Begin with $d = 2$. Write $\sin(k + 1)$ and $\cos(k + 1)$ by the
# addition formulas, and read off four numbers.

# %% [markdown]
# **Hint 2.** For a larger $d$, no pair of dimensions meets another pair. What
# does the matrix hold between them?


# %%
def step_matrix(d: int, n: float) -> Tensor:
    """Return the matrix that takes each row of the table to the next."""
    ### BEGIN SOLUTION
    matrix = torch.zeros(d, d)
    for i in range(0, d, 2):
        speed = n ** (-i / d)
        matrix[i, i] = matrix[i + 1, i + 1] = math.cos(speed)
        matrix[i, i + 1] = math.sin(speed)
        matrix[i + 1, i] = -math.sin(speed)
    return matrix
    ### END SOLUTION


# %%
check.step_matrix(step_matrix)

# %% [markdown]
# ## Exercise 05.5 · How long can BERT read? · ●○○ · 5 min
#
# A model of BERT's kind has a learned table with `num_rows` rows, one for
# each position from 0 on. Its input begins with `[CLS]`, and each text in it
# ends with `[SEP]`.
# Return two whole numbers: how many tokens the longest input has, and how
# many of them are left for the words of `num_texts` texts.
# For BERT itself, `num_rows` is 512.

# %% [markdown]
# **Hint 1.** Write the input of two texts as a line of tokens, with the
# special ones in their places.

# %% [markdown]
# **Hint 2.** What did the chapter's small BERT do at 513 tokens?


# %%
def longest_input(num_rows: int, num_texts: int) -> tuple[int, int]:
    """Return the most tokens, and how many of them belong to the texts."""
    ### BEGIN SOLUTION
    special = 1 + num_texts
    return num_rows, num_rows - special
    ### END SOLUTION


# %%
check.longest_input(longest_input)

# %%
check.score()
