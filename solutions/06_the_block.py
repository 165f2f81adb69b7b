# %% [markdown]
# # 06 · Exercises: The block
#
# Four exercises, each with its own check.
# None needs another, so start where you like.
# Write your code in place of `raise NotImplementedError`, run the cell, then
# run the check below it.
# A check prints one line: *passed*, *wrong* with the reason, or *not
# attempted*.

# %%
from collections.abc import Callable

import torch
from torch import Tensor

from bertbook.checks import chapter_06 as check

# %% [markdown]
# ## Exercise 06.1 · Normalize · ●○○ · 10 min
#
# Write layer norm, without $\gamma$ and $\beta$, for a vector and for a
# batch with one vector in each row. Compute first by hand what comes out for
# `[1, 2, 3, 4]`, and for
#
# | | feature 1 | 2 | 3 | 4 |
# |---|---|---|---|---|
# | sample a | 1 | 2 | 3 | 4 |
# | sample b | 2 | 4 | 6 | 8 |
# | sample c | 10 | 10 | 10 | 14 |
#
# `epsilon` is added to the variance, under the root. A row of equal numbers
# becomes zeros.

# %% [markdown]
# **Hint 1.** Which numbers share a mean: those of one row, or those of one
# column?

# %% [markdown]
# **Hint 2.** The variance is the *mean* of the squared deviations. Look up
# what `torch.var` divides by.


# %%
def layer_norm(x: Tensor, epsilon: float = 1e-5) -> Tensor:
    """Return each vector of x with mean 0 and variance 1."""
    ### BEGIN SOLUTION
    centered = x - x.mean(dim=-1, keepdim=True)
    variance = (centered**2).mean(dim=-1, keepdim=True)
    return centered / torch.sqrt(variance + epsilon)
    ### END SOLUTION


# %%
check.layer_norm(layer_norm)

# %% [markdown]
# ## Exercise 06.2 · Count a layer · ●○○ · 10 min
#
# How many parameters has one layer of BERT, of hidden size $H$
# (`hidden_size`) and with $I$ numbers inside the feed-forward network
# (`intermediate_size`)? Count every weight, every bias, and both layer
# norms. For BERT-base, with $H = 768$ and $I = 3072$, it is 7,087,872.

# %% [markdown]
# **Hint 1.** Write one line per matrix: four in attention, two in the
# feed-forward network. Each has a bias as long as its output.

# %% [markdown]
# **Hint 2.** How many layer norms has a layer, and what does one learn per
# feature?


# %%
def count_layer(hidden_size: int, intermediate_size: int) -> int:
    """Return the number of parameters of one encoder layer."""
    ### BEGIN SOLUTION
    h, i = hidden_size, intermediate_size
    attention = 4 * (h * h + h)
    network = h * i + i + i * h + h
    norms = 2 * 2 * h
    return attention + network + norms
    ### END SOLUTION


# %%
check.count_layer(count_layer)

# %% [markdown]
# ## Exercise 06.3 · Six equations · ●●○ · 15 min
#
# Turn the equations into code:
#
# $$\begin{aligned}
# T^1 &= \mathrm{SelfAttention}(X) & T^2 &= X + T^1 &
# T^3 &= \mathrm{LayerNorm}(T^2) \\
# T^4 &= \mathrm{FFN}(T^3) & T^5 &= T^4 + T^3 &
# H &= \mathrm{LayerNorm}(T^5)
# \end{aligned}$$
#
# You get the four parts as functions of one tensor. The two norms have
# weights of their own: `norm_1` stands in the third equation, `norm_2` in the
# last. The check builds the parts from `nn.TransformerEncoderLayer` and
# compares your $H$ with that layer's output.

# %% [markdown]
# **Hint 1.** One line per equation. Keep each $T$ under a name of its own.

# %% [markdown]
# **Hint 2.** Which $T$ is added in the fifth equation?


# %%
def block(
    x: Tensor,
    self_attention: Callable[[Tensor], Tensor],
    ffn: Callable[[Tensor], Tensor],
    norm_1: Callable[[Tensor], Tensor],
    norm_2: Callable[[Tensor], Tensor],
) -> Tensor:
    """Return H for the input X."""
    ### BEGIN SOLUTION
    t1 = self_attention(x)
    t2 = x + t1
    t3 = norm_1(t2)
    t4 = ffn(t3)
    t5 = t4 + t3
    return norm_2(t5)
    ### END SOLUTION


# %%
check.block(block)

# %% [markdown]
# ## Exercise 06.4 · Do positions meet? · ●●● · 20 min
#
# A function takes a tensor of shape (batch, positions, features) and returns
# one of the same shape. Write a test that answers `True` if it keeps
# positions apart (the output at a position depends on the input at that same
# position only), and `False` if they meet.
# Use the Jacobian of the function at `x`. `x` may hold several texts. The
# functions here treat each text by itself, as layer norm does and batch norm
# does not.
# Meeting of *features* is allowed, that is what an FFN is for. So is
# everything else that happens within a position. Take numbers below $10^{-9}$
# for zero.

# %% [markdown]
# **Hint 1.** `torch.autograd.functional.jacobian(function, x)` has the shape
# of the output followed by the shape of the input: six dimensions. Which two
# are positions?

# %% [markdown]
# **Hint 2.** Give the function one text at a time: with a batch, the
# derivatives between different texts are zeros here and say nothing. Then
# look at
# the entries with different positions only. One of them that is not zero is
# enough.


# %%
def keeps_positions_apart(
    function: Callable[[Tensor], Tensor], x: Tensor
) -> bool:
    """Tell whether no output position depends on another input position."""
    ### BEGIN SOLUTION
    for text in x:
        jacobian = torch.autograd.functional.jacobian(function, text[None])
        reach = jacobian[0, :, :, 0].abs().amax(dim=(1, 3))
        if (reach - reach.diag().diag()).max() > 1e-9:
            return False
    return True
    ### END SOLUTION


# %%
check.keeps_positions_apart(keeps_positions_apart)

# %%
check.score()
