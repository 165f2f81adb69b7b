# %% [markdown]
# # 07 · Exercises: Encoder, decoder, masks
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

from bertbook.checks import chapter_07 as check

# %% [markdown]
# ## Exercise 07.1 · Mask the scores · ●●○ · 15 min
#
# A decoder has computed its scores, (batch, query, key), for sentences that
# were padded at the end. `lengths` holds the number of real words of each.
# Return the attention weights. Query $i$ may attend to key $j$ if
#
# - $j$ is not later than $i$, and
# - $j$ is a real word of its sentence.
#
# Each row of weights sums to 1. The check changes forbidden scores: no
# weight may notice.

# %% [markdown]
# **Hint 1.** Build one Boolean table for the first condition and one for the
# second. Broadcasting combines (query, key) with (batch, 1, key).

# %% [markdown]
# **Hint 2.** Which number must a score be, before the softmax, so that its
# weight is 0?


# %%
def masked_weights(scores: Tensor, lengths: Tensor) -> Tensor:
    """Return causal, padding-proof attention weights."""
    ### BEGIN SOLUTION
    _, _, size = scores.shape
    place = torch.arange(size)
    causal = place[None, :] <= place[:, None]
    real = place < lengths[:, None]
    allowed = causal & real[:, None, :]
    return scores.masked_fill(~allowed, -math.inf).softmax(dim=-1)
    ### END SOLUTION


# %%
check.masked_weights(masked_weights)

# %% [markdown]
# ## Exercise 07.2 · Cross-attention · ●●○ · 15 min
#
# `written` holds the decoder's vectors, (target, d). `memory` holds the
# encoder's, (source, d). The three matrices are (d, d).
# Write the decoder's cross-attention with one head: project, score, scale,
# softmax, mix. Return the output.

# %% [markdown]
# **Hint 1.** How many rows must the output have, and who asks the
# questions?

# %% [markdown]
# **Hint 2.** The scores are a table of target × source.


# %%
def cross_attention(
    written: Tensor,
    memory: Tensor,
    w_query: Tensor,
    w_key: Tensor,
    w_value: Tensor,
) -> Tensor:
    """Let each written word read the source."""
    ### BEGIN SOLUTION
    query = written @ w_query
    key = memory @ w_key
    value = memory @ w_value
    scores = query @ key.T / math.sqrt(key.shape[-1])
    return scores.softmax(dim=-1) @ value
    ### END SOLUTION


# %%
check.cross_attention(cross_attention)

# %% [markdown]
# ## Exercise 07.3 · Shift right · ●○○ · 12 min
#
# `targets` is a list of sentences, each a list of ids without special ones.
# Return two lists of rows, all of one width:
#
# - `inputs`: what the decoder reads, padded with `pad_id`,
# - `labels`: what it must answer, padded with −100, which the loss ignores.

# %% [markdown]
# **Hint 1.** For the sentence 7, 8 the decoder reads three ids and answers
# three.

# %% [markdown]
# **Hint 2.** At each place the label is the next place's input. What stands
# first in one row, and last in the other?


# %%
def shift_right(
    targets: list[list[int]], start_id: int, end_id: int, pad_id: int
) -> tuple[list[list[int]], list[list[int]]]:
    """Return the decoder's inputs and its labels."""
    ### BEGIN SOLUTION
    width = max(len(target) for target in targets) + 1
    inputs, labels = [], []
    for target in targets:
        missing = width - 1 - len(target)
        inputs.append([start_id, *target] + [pad_id] * missing)
        labels.append([*target, end_id] + [-100] * missing)
    return inputs, labels
    ### END SOLUTION


# %%
check.shift_right(shift_right)

# %% [markdown]
# ## Exercise 07.4 · Step by step · ●●○ · 15 min
#
# `model(source_ids, source_padding, target_ids)` returns the logits of every
# next token, (batch, target, vocab). Get the same logits step by step: call
# the model once for each length of the target, 1, 2, …, with the first ids
# only, and keep the logits of the last position.
# The model comes to you fresh from training, and the check compares with one
# pass over the whole target, as the model answers when it is used.

# %% [markdown]
# **Hint 1.** A list of tensors of (batch, vocab) becomes one with
# `torch.stack`. Which dimension is the new one?

# %% [markdown]
# **Hint 2.** A model in training mode does something at random. Which method
# turns that off?


# %%
def step_by_step(
    model: torch.nn.Module,
    source_ids: Tensor,
    source_padding: Tensor,
    target_ids: Tensor,
) -> Tensor:
    """Return the logits that prefixes of the target give."""
    ### BEGIN SOLUTION
    model.eval()
    steps = []
    for length in range(1, target_ids.shape[1] + 1):
        logits = model(source_ids, source_padding, target_ids[:, :length])
        steps.append(logits[:, -1])
    return torch.stack(steps, dim=1)
    ### END SOLUTION


# %%
check.step_by_step(step_by_step)

# %% [markdown]
# ## Exercise 07.5 · Perplexity by hand · ●○○ · 10 min
#
# `probabilities` has one row for each position: a probability for every word
# of the vocabulary. `labels` has the right word's id, or −100 at a pad.
# Return the perplexity: $e$ to the mean of $-\ln p$.

# %% [markdown]
# **Hint 1.** How many positions does the mean count?

# %% [markdown]
# **Hint 2.** If every real position gives its word a quarter, the perplexity
# is 4, however many pads there are.


# %%
def perplexity(probabilities: list[list[float]], labels: list[int]) -> float:
    """Return how many equal choices the model hesitates between."""
    ### BEGIN SOLUTION
    surprises = [
        -math.log(row[label])
        for row, label in zip(probabilities, labels, strict=True)
        if label != -100
    ]
    return math.exp(sum(surprises) / len(surprises))
    ### END SOLUTION


# %%
check.perplexity(perplexity)

# %%
check.score()
