# %% [markdown]
# # 01 · Exercises: The bottleneck
#
# Four exercises, each with its own check.
# None needs another, so start where you like.
# Write your code in place of `raise NotImplementedError`, run the cell, then
# run the check below it.
# A check prints one line: *passed*, *wrong* with the reason, or *not
# attempted*.

# %%
import torch
from torch import Tensor

from bertbook.checks import chapter_01 as check
from bertbook.reversal import random_batch
from bertbook.seq2seq import AttentionDecoder, Seq2Seq, Seq2SeqConfig

# %% [markdown]
# ## Exercise 01.1 · How long is the path? · ●○○ · 12 min
#
# Two positions are $n$ places apart, $n \geq 1$.
# Write a function that returns how many steps or layers a signal needs from
# one to the other, in four kinds of layers:
#
# - `"recurrent"`: a recurrent layer,
# - `"convolutions"`: a stack of convolutions of width $k \geq 2$, where each
#   position reads itself and the $k - 1$ positions before it,
# - `"dilated"`: the same stack, with the gaps multiplied by $k$ from layer to
#   layer: $1, k, k^2, \dots$,
# - `"attention"`: self-attention.
#
# The check asks for exact whole numbers, for random and for special $n$ and
# $k$.

# %% [markdown]
# **Hint 1.** Draw the convolutions for $k = 3$. How far back does the top
# position see after one layer? After two?

# %% [markdown]
# **Hint 2.** How many positions does the dilated stack see after one, two and
# three layers? Logarithms of exact powers come out a little wrong in
# floating point; counting with whole numbers does not.


# %%
def path_lengths(n: int, k: int) -> dict[str, int]:
    """Return the path length over a distance n, with kernels of width k."""
    ### BEGIN SOLUTION
    return {
        "recurrent": n,
        "convolutions": -(-n // (k - 1)),
        "dilated": sum(k**layer <= n for layer in range(n)),
        "attention": 1,
    }
    ### END SOLUTION


# %%
check.path_lengths(path_lengths)

# %% [markdown]
# ## Exercise 01.2 · Does the context vector grow? · ●○○ · 10 min
#
# You are given an encoder–decoder and some lengths.
# For each length, encode strings of that length, and measure how many numbers
# the context vector of *one* string has.
# Return a dictionary from length to that number.
#
# `draw(model, length)` gives five random strings and their lengths.
# The encoder takes embedded symbols and lengths, and returns two things:
# look at the shapes of both.
# The check will also hand you a model whose context *does* grow. Your
# function must notice.


# %%
def draw(model: Seq2Seq, length: int) -> tuple[Tensor, Tensor]:
    """Return five random strings of one length, and their lengths."""
    generator = torch.Generator().manual_seed(length)
    batch = random_batch(model.config, 5, length, length, generator)
    return batch.source, batch.lengths


# %% [markdown]
# **Hint 1.** `model.embedding(source)` embeds the symbols, and
# `model.encoder(vectors, lengths)` returns the states and the context.

# %% [markdown]
# **Hint 2.** Five strings have five context vectors. Which axis counts the
# strings?


# %%
def context_sizes(model: Seq2Seq, lengths: list[int]) -> dict[int, int]:
    """Measure the size of one string's context vector at each length."""
    ### BEGIN SOLUTION
    sizes = {}
    for length in lengths:
        source, source_lengths = draw(model, length)
        _, context = model.encoder(model.embedding(source), source_lengths)
        sizes[length] = context[0].numel()
    return sizes
    ### END SOLUTION


# %%
check.context_sizes(context_sizes)

# %% [markdown]
# ## Exercise 01.3 · Let the decoder look back · ●●○ · 20 min
#
# Here is a decoder that has the parts for attention and does not use them.
# In place of what it should read from the source, it puts zeros.


# %%
def blind(
    decoder: AttentionDecoder, outputs: Tensor, states: Tensor, mask: Tensor
) -> Tensor:
    """Read nothing: zeros in the shape of what should be read."""
    return torch.zeros_like(outputs)


decoder = AttentionDecoder(Seq2SeqConfig())
print("w_query:", tuple(decoder.w_query.weight.shape))
print("w_key:  ", tuple(decoder.w_key.weight.shape))
print("v:      ", tuple(decoder.v.shape))

# %% [markdown]
# Write the function that takes its place:
#
# $$
# e_{ij} = v^\top \tanh(W_q s_i + W_k h_j), \qquad
# \alpha_{ij} = \frac{e^{e_{ij}}}{\sum_m e^{e_{im}}}, \qquad
# c_i = \sum_j \alpha_{ij} h_j
# $$
#
# - `outputs` are the decoder's states $s_i$, (batch, target, d_hidden),
# - `states` are the encoder's states $h_j$, (batch, source, d_hidden),
# - `mask` is Boolean, (batch, source), True = a real symbol,
# - `decoder.w_query` and `decoder.w_key` are linear layers, `decoder.v` is a
#   vector.
#
# Return the means $c_i$, (batch, target, d_hidden).
# Every row of the mask has at least one True.
# The check compares your function with the formula, on odd sizes and padded
# batches. Then it puts it into a decoder that was trained beforehand, and
# asks for an exact match above 0.9 at length 20.

# %% [markdown]
# **Hint 1.** There is one score for each pair of a target and a source
# position. Which shape has the tensor of all
# $\tanh(W_q s_i + W_k h_j)$? Insert an axis into each projection so that
# adding them makes that shape.

# %% [markdown]
# **Hint 2.** Which score makes a softmax give weight 0? Put it where the mask
# is False. And over which axis must the weights sum to 1?


# %%
def look_back(
    decoder: AttentionDecoder, outputs: Tensor, states: Tensor, mask: Tensor
) -> Tensor:
    """Read a weighted mean of the source for every decoder state."""
    ### BEGIN SOLUTION
    asked = decoder.w_query(outputs)[:, :, None]
    offered = decoder.w_key(states)[:, None]
    scores = torch.tanh(asked + offered) @ decoder.v
    scores = scores.masked_fill(~mask[:, None], -torch.inf)
    return scores.softmax(dim=-1) @ states
    ### END SOLUTION


# %%
check.look_back(look_back)

# %% [markdown]
# ## Exercise 01.4 · Crossings in an alignment · ●●○ · 12 min
#
# An **alignment** is a list of links: pairs of a source position and a target
# position.
# A word may have several links, or none. The list is in no particular order.
# Two links cross when one has the smaller source position and the other the
# smaller target position.
# Count the pairs of links that cross.
#
# *Je suis étudiant* → *I am a student* has the links (0, 0), (1, 1), (2, 3):
# no crossing.

# %% [markdown]
# **Hint 1.** Draw the two sentences as two rows, and the links as lines. Do
# two lines that start at the same word cross?

# %% [markdown]
# **Hint 2.** Take each pair of links once. Compare the sign of the step from
# one to the other in the source with the sign of the step in the target.


# %%
def crossings(alignment: list[tuple[int, int]]) -> int:
    """Count the pairs of links that cross."""
    ### BEGIN SOLUTION
    return sum(
        (first[0] - second[0]) * (first[1] - second[1]) < 0
        for place, first in enumerate(alignment)
        for second in alignment[:place]
    )
    ### END SOLUTION


# %%
check.crossings(crossings)

# %% [markdown]
# ## Score

# %%
check.score()
