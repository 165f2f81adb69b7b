# %% [markdown]
# # 09 · Exercises: BERT's input and size
#
# Four exercises, each with its own check.
# None needs another, so start where you like.
# Write your code in place of `raise NotImplementedError`, run the cell, then
# run the check below it.
# A check prints one line: *passed*, *wrong* with the reason, or *not
# attempted*.

# %%
from bertbook.checks import chapter_09 as check

# %% [markdown]
# ## Exercise 09.1 · Count a BERT · ●●○ · 15 min
#
# How many parameters has a BERT with `vocab_size` words, `num_layers` layers,
# the hidden size `hidden_size` and `num_heads` heads? It has 512 positions,
# two segments, and a feed-forward network `d_ff` wide inside. (The chapter's
# closed form holds for `d_ff = 4 * hidden_size` alone.) Count all weights,
# biases and norms. With `pooler=True` count the pooler as well. Heads for
# tasks are not counted.
#
# For BERT-base (30,522, 12, 768, 12, 3,072) it is 109,482,240 with the pooler
# and 108,891,648 without.

# %% [markdown]
# **Hint 1.** Three parts: the embeddings with their norm, the layers, the
# pooler. Chapter 06 has the count of a layer, with `d_ff` in it.

# %% [markdown]
# **Hint 2.** One of the arguments changes nothing.


# %%
def count_bert(
    vocab_size: int,
    num_layers: int,
    hidden_size: int,
    num_heads: int,
    d_ff: int,
    pooler: bool,
) -> int:
    """Return the number of parameters."""
    ### BEGIN SOLUTION
    h = hidden_size
    embeddings = (vocab_size + 512 + 2) * h + 2 * h
    layer = 4 * (h * h + h) + 2 * h * d_ff + d_ff + h + 4 * h
    total = embeddings + num_layers * layer
    if pooler:
        total += h * h + h
    return total
    ### END SOLUTION


# %%
check.count_bert(count_bert)

# %% [markdown]
# ## Exercise 09.2 · Three rows of ids · ●○○ · 10 min
#
# You get the tokens of one or two texts and a vocabulary, a dictionary from
# token to id, with `[CLS]` and `[SEP]` among the tokens. Return three lists,
# as BERT reads them: token ids, segment ids, position ids. Without a second
# text, `second` is `None`.
#
# The check starts with *Paris is a beautiful city. I love Paris.* as
# `["paris", "is", "a", "beautiful", "city", "."]` and
# `["i", "love", "paris", "."]`. Write the rows down by hand first.

# %% [markdown]
# **Hint 1.** Write the row of tokens first: where do `[CLS]` and the two
# `[SEP]` stand? Leave the full stops where they are.

# %% [markdown]
# **Hint 2.** To which text does the first `[SEP]` belong? What is the first
# position?


# %%
def three_rows(
    first: list[str], second: list[str] | None, vocabulary: dict[str, int]
) -> tuple[list[int], list[int], list[int]]:
    """Return token ids, segment ids and position ids."""
    ### BEGIN SOLUTION
    tokens = ["[CLS]", *first, "[SEP]"]
    segment_ids = [0] * len(tokens)
    if second is not None:
        tokens += [*second, "[SEP]"]
        segment_ids += [1] * (len(second) + 1)
    token_ids = [vocabulary[token] for token in tokens]
    return token_ids, segment_ids, list(range(len(tokens)))
    ### END SOLUTION


# %%
check.three_rows(three_rows)

# %% [markdown]
# ## Exercise 09.3 · How many gigabytes? · ●○○ · 10 min
#
# How much room do the parameters of a model take? `precision` is `"fp32"` or
# `"fp16"`. Return the number and its unit, `"GB"` or `"GiB"`: you may choose,
# but the two must fit. BERT-base in fp32 is `(0.438, "GB")`, when rounded.
# Do not round.

# %% [markdown]
# **Hint 1.** fp32 has 32 bits. How many bytes are that?

# %% [markdown]
# **Hint 2.** One of the units is a power of 10, the other a power of 2.


# %%
def size_in_memory(parameters: int, precision: str) -> tuple[float, str]:
    """Return how much room a model takes, and the unit."""
    ### BEGIN SOLUTION
    bytes_each = {"fp32": 4, "fp16": 2}
    return parameters * bytes_each[precision] / 10**9, "GB"
    ### END SOLUTION


# %%
check.size_in_memory(size_in_memory)

# %% [markdown]
# ## Exercise 09.4 · What changes in the cased model? · ●●○ · 15 min
#
# The cased BERT-base has a vocabulary of 28,996 instead of 30,522. All else
# is equal. How many parameters does each part gain or lose? Return a
# dictionary with the six parts
#
# `"word"`, `"position"`, `"segment"`, `"layers"`, `"pooler"`, `"heads"`
#
# and for each the new number minus the old, for any two vocabularies and any
# hidden size. `"heads"` are the two of pre-training. The masked-LM head
# shares its large matrix with the word table: count that in `"word"` alone.

# %% [markdown]
# **Hint 1.** In which of the chapter's formulas does $V$ occur?

# %% [markdown]
# **Hint 2.** It occurs twice. The masked-LM head scores every word, and adds
# something to each score.


# %%
def what_changes(
    old_vocab_size: int, new_vocab_size: int, hidden_size: int
) -> dict[str, int]:
    """Return the change of each part's number of parameters."""
    ### BEGIN SOLUTION
    more = new_vocab_size - old_vocab_size
    changes = dict.fromkeys(("position", "segment", "layers", "pooler"), 0)
    return changes | {"word": more * hidden_size, "heads": more}
    ### END SOLUTION


# %%
check.what_changes(what_changes)

# %%
check.score()
