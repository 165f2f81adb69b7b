# %% [markdown]
# # 10 · Exercises: Masked language modeling
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

from bertbook.checks import chapter_10 as check

# %% [markdown]
# ## Exercise 10.1 · The collator · ●●○ · 20 min
#
# Write the collator of BERT. Choose each token with probability 15 %, by a
# draw of its own, but never a special one. Of the chosen tokens,
#
# - 80 % become `mask_id`,
# - 10 % become a random id, uniform over all `vocab_size` ids,
# - 10 % stay as they are.
#
# Return two tensors of the shape of `token_ids`: what the model reads, and
# the labels: the original id at the chosen places, −100 elsewhere. Take all
# draws from `generator`. The check counts over a million tokens.

# %% [markdown]
# **Hint 1.** One tensor of draws decides who is chosen, a second one what
# becomes of the chosen. `torch.rand(shape, generator=generator)` draws.

# %% [markdown]
# **Hint 2.** `torch.isin` finds the special tokens. `torch.where` puts one
# of two tensors in each place.


# %%
def collate(
    token_ids: Tensor,
    special_ids: list[int],
    mask_id: int,
    vocab_size: int,
    generator: torch.Generator,
) -> tuple[Tensor, Tensor]:
    """Return what the model reads, and the labels."""
    ### BEGIN SOLUTION
    shape = token_ids.shape
    special = torch.isin(token_ids, torch.tensor(special_ids))
    chosen = torch.rand(shape, generator=generator) < 0.15
    chosen = chosen & ~special
    fate = torch.rand(shape, generator=generator)
    any_id = torch.randint(vocab_size, shape, generator=generator)
    read = torch.where(chosen & (fate < 0.9), any_id, token_ids)
    read = read.masked_fill(chosen & (fate < 0.8), mask_id)
    labels = token_ids.masked_fill(~chosen, -100)
    return read, labels
    ### END SOLUTION


# %%
check.collate(collate)

# %% [markdown]
# ## Exercise 10.2 · What to expect · ●○○ · 10 min
#
# A text has `num_tokens` tokens, none of them special. With the same shares,
# how many are expected to be chosen, to become `[MASK]`, to become random,
# and to stay although chosen? Return four numbers, in this order. By hand
# first, for 100 and for 512.

# %% [markdown]
# **Hint 1.** The first number is no whole number for 512: expected counts
# need not be.

# %% [markdown]
# **Hint 2.** 80 % of what?


# %%
def expected_counts(num_tokens: int) -> tuple[float, float, float, float]:
    """Return how many are chosen, [MASK], random, and unchanged."""
    ### BEGIN SOLUTION
    chosen = 0.15 * num_tokens
    return chosen, 0.8 * chosen, 0.1 * chosen, 0.1 * chosen
    ### END SOLUTION


# %%
check.expected_counts(expected_counts)

# %% [markdown]
# ## Exercise 10.3 · Whole words · ●●○ · 20 min
#
# Choose whole words: all pieces of a word together, or none. `pieces` is one
# text as a list of WordPieces; a piece that begins with `##` belongs to the
# word before it. `[CLS]` and `[SEP]` are never chosen. Each word is chosen
# with probability `select_prob`, by one draw for the whole word, so that the
# share of chosen *tokens* stays `select_prob`. Return a list of True and
# False, one for each piece.

# %% [markdown]
# **Hint 1.** Go through the pieces in order. When does a new draw take place?

# %% [markdown]
# **Hint 2.** `torch.rand(1, generator=generator).item()` is one draw. A piece
# that begins with `##` takes over what was decided before it.


# %%
def choose_words(
    pieces: list[str], select_prob: float, generator: torch.Generator
) -> list[bool]:
    """Return for each piece whether it is chosen."""
    ### BEGIN SOLUTION
    chosen = []
    now = False
    for piece in pieces:
        if piece in ("[CLS]", "[SEP]"):
            now = False
        elif not piece.startswith("##"):
            draw = torch.rand(1, generator=generator).item()
            now = draw < select_prob
        chosen.append(now)
    return chosen
    ### END SOLUTION


# %%
check.choose_words(choose_words)

# %% [markdown]
# ## Exercise 10.4 · Why keep 10 %? · ●●○ · 15 min
#
# What are the unchanged 10 % good for? Choose the ablation that shows it.
# `rows` are results as in the chapter, one dictionary for each training run:
# `setting` (the shares of `[MASK]`, unchanged and random, such as
# `"80/10/10"`), `seed`, and two measurements of the same tokens: `hidden`,
# all behind `[MASK]`, and `in sight`, the text as it is, which is what a
# fine-tuned model reads. Each measurement holds `loss` and `accuracy`.
#
# Return one number: how much accuracy is lost, on average over the seeds,
# when the unchanged 10 % are given to the random tokens and all else stays.
# Choose the measurement, too: which one asks for what unchanged tokens train?

# %% [markdown]
# **Hint 1.** The share of `[MASK]` stays at 80 %. Write down the three shares
# before and after the 10 % change hands.

# %% [markdown]
# **Hint 2.** Behind a `[MASK]` every model has to guess. In which measurement
# can it use the token itself?


# %%
def worth_of_unchanged(rows: list[dict]) -> float:
    """Return the mean accuracy lost without unchanged tokens."""
    ### BEGIN SOLUTION
    means = []
    for setting in ("80/10/10", "80/0/20"):
        runs = [row for row in rows if row["setting"] == setting]
        total = sum(row["in sight"]["accuracy"] for row in runs)
        means.append(total / len(runs))
    return means[0] - means[1]
    ### END SOLUTION


# %%
check.worth_of_unchanged(worth_of_unchanged)

# %%
check.score()
