# %% [markdown]
# # 08 · Exercises: Three families and transfer
#
# Four exercises, each with its own check.
# None needs another, so start where you like.
# Write your code in place of `raise NotImplementedError`, run the cell, then
# run the check below it.
# A check prints one line: *passed*, *wrong* with the reason, or *not
# attempted*.

# %%
import torch

from bertbook.checks import chapter_08 as check

# %% [markdown]
# ## Exercise 08.1 · Fifteen models · ●○○ · 15 min
#
# Sort fifteen models. For each name give a pair of strings: its family, and
# the first training task of its own paper. A model that starts from another's
# weights counts with what is added.
#
# - Families: `"encoder"`, `"decoder"`, `"encoder-decoder"`, `"recurrent"`.
# - Tasks: `"masked words"` (whole spans count as well), `"next word"`,
#   `"next word, both directions"`, `"next word, any order"`, `"restore the
#   text"`, `"spot replaced words"`, `"copy a teacher"`, `"translate"`,
#   `"rank passages"`.
#
# The names: ALBERT, BART, BERT, ColBERT, DeBERTa, DistilBERT, ELECTRA, ELMo,
# GPT-1, GPT-2, GPT-3, RoBERTa, T5, Transformer, XLNet.
#
# Where a name could be two things, the check accepts both. ELECTRA is the
# part that is kept.

# %% [markdown]
# **Hint 1.** Not everything with “BERT” in its name was pre-trained on gaps.
# One of the fifteen starts from a BERT and learns to search.

# %% [markdown]
# **Hint 2.** ELMo's two halves each name the next word. XLNet names the next
# word too, but “next” changes from sentence to sentence.


# %%
def sort_models() -> dict[str, tuple[str, str]]:
    """Return name → (family, first task)."""
    ### BEGIN SOLUTION
    gaps = ("encoder", "masked words")
    onward = ("decoder", "next word")
    return {
        "ALBERT": gaps,
        "BART": ("encoder-decoder", "restore the text"),
        "BERT": gaps,
        "ColBERT": ("encoder", "rank passages"),
        "DeBERTa": gaps,
        "DistilBERT": ("encoder", "copy a teacher"),
        "ELECTRA": ("encoder", "spot replaced words"),
        "ELMo": ("recurrent", "next word, both directions"),
        "GPT-1": onward,
        "GPT-2": onward,
        "GPT-3": onward,
        "RoBERTa": gaps,
        "T5": ("encoder-decoder", "masked words"),
        "Transformer": ("encoder-decoder", "translate"),
        "XLNet": ("decoder", "next word, any order"),
    }
    ### END SOLUTION


# %%
check.sort_models(sort_models)

# %% [markdown]
# ## Exercise 08.2 · From BERT to GPT · ●●○ · 20 min
#
# `bert` is a `BertLike` of the chapter: `bert(token_ids, mask=…)` returns one
# state per token. The mask is Boolean, of shape `(1, query, key)`, and True
# means “may attend”. Write two functions.
#
# `gpt_states(bert, token_ids)` returns the states of the GPT with the same
# weights. Change no weight.
#
# `leaks(states_of, token_ids, vocab_size)` is a test for any model.
# `states_of(token_ids)` returns its states, `(batch, seq_len, width)`. Return
# True if *some* state depends on a *later* token, else False. Change one token
# at a time, to another id of the vocabulary, and leave `token_ids` as it was.
# States that differ by less than `1e-6` are equal.

# %% [markdown]
# **Hint 1.** Row 2 of the mask says what the token at place 2 may see: the
# places 0, 1 and 2 itself.

# %% [markdown]
# **Hint 2.** If the token at place $j$ changes, no state before place $j$ may
# move. Try every place: a model may leak from one place alone.


# %%
def gpt_states(bert, token_ids: torch.Tensor) -> torch.Tensor:
    """Return the states of the GPT with this BERT's weights."""
    ### BEGIN SOLUTION
    length = token_ids.shape[1]
    places = torch.arange(length)
    mask = places[None, :] <= places[:, None]
    return bert(token_ids, mask=mask[None])
    ### END SOLUTION


def leaks(states_of, token_ids: torch.Tensor, vocab_size: int) -> bool:
    """Return whether some state depends on a later token."""
    ### BEGIN SOLUTION
    before = states_of(token_ids)
    for place in range(token_ids.shape[1]):
        changed = token_ids.clone()
        changed[:, place] = (changed[:, place] + 1) % vocab_size
        moved = (states_of(changed) - before).abs()
        if (moved[:, :place] >= 1e-6).any():
            return True
    return False
    ### END SOLUTION


# %%
check.bert_to_gpt(gpt_states, leaks)

# %% [markdown]
# ## Exercise 08.3 · What is saved? · ●●○ · 15 min
#
# Two arms, as in the chapter. Each is a dictionary from a number of labels to
# the list of accuracies, one per seed.
#
# Write `label_saving(pretrained, scratch, labels)`. Let $a$ be the mean
# accuracy of the pre-trained arm at `labels`. Find the *fewest* labels at
# which the mean of the other arm is at least $a$, and return how many times
# as many they are: less than 1, if fewer will do. If it gets there nowhere,
# return `math.inf`.
#
# One seed is no measurement. If *any* list of either arm has fewer than three
# accuracies, raise a `ValueError` that says so.

# %% [markdown]
# **Hint 1.** Sort the numbers of labels: a dictionary may have them in any
# order.

# %% [markdown]
# **Hint 2.** Look at both arms' lists before you compute anything.


# %%
def label_saving(pretrained: dict, scratch: dict, labels: int) -> float:
    """Return how many times as many labels the other arm needs."""
    ### BEGIN SOLUTION
    for arm in (pretrained, scratch):
        for number, scores in arm.items():
            if len(scores) < 3:
                raise ValueError(
                    f"{number} labels have {len(scores)} seed(s): a saving"
                    " needs at least three"
                )
    wanted = sum(pretrained[labels]) / len(pretrained[labels])
    for number in sorted(scratch):
        if sum(scratch[number]) / len(scratch[number]) >= wanted:
            return number / labels
    return float("inf")
    ### END SOLUTION


# %%
check.label_saving(label_saving)

# %% [markdown]
# ## Exercise 08.4 · Eight papers · ●○○ · 10 min
#
# Return these eight names in the order of their first version on arXiv, the
# earliest first: BERT, ELMo, GPT-1, GPT-2, T5, Transformer, ULMFiT, XLNet.
# GPT-1 and GPT-2 are not there: take the day their makers put them on their
# own site.

# %% [markdown]
# **Hint 1.** An arXiv number begins with year and month. GPT-1 and GPT-2 have
# none: they are of June 2018 and of February 2019.

# %% [markdown]
# **Hint 2.** BERT's paper compares itself with ELMo and GPT. XLNet's compares
# itself with BERT.


# %%
def in_order() -> list[str]:
    """Return the eight names, the earliest first."""
    ### BEGIN SOLUTION
    first_version = {
        "BERT": "2018-10", "ELMo": "2018-02", "GPT-1": "2018-06",
        "GPT-2": "2019-02", "T5": "2019-10", "Transformer": "2017-06",
        "ULMFiT": "2018-01", "XLNet": "2019-06",
    }  # fmt: skip
    return sorted(first_version, key=lambda name: first_version[name])
    ### END SOLUTION


# %%
check.in_order(in_order)

# %%
check.score()
