# %% [markdown]
# # 03 · Exercises: Who is “it”? Many heads
#
# Four exercises, each with its own check.
# None needs another, so start where you like.
# Write your code in place of `raise NotImplementedError`, run the cell, then
# run the check below it.
# A check prints one line: *passed*, *wrong* with the reason, or *not
# attempted*.

# %%
import torch

from bertbook.checks import chapter_03 as check

# %% [markdown]
# ## Exercise 03.1 · Split and count · ●○○ · 12 min
#
# A matrix $W^Q$ of $512 \times 512$ holds the queries of 8 heads.
# Write two functions.
#
# `split_heads(weight, num_heads)` takes a matrix of `d_model` rows and
# `d_model` columns, and returns the heads' own matrices as one tensor of
# shape `(num_heads, d_model, d_head)`. The columns of head 0 come first:
# `x @ weight` must be all `x @ split[i]`, side by side.
#
# `count_parameters(d_model, num_heads)` returns two whole numbers: how many
# parameters $W^Q, W^K, W^V$ of all heads have, and how many the layer has
# with $W^O$. No biases. Build the counts from the heads' own shapes.

# %% [markdown]
# **Hint 1.** A head's matrix has `d_model` rows and `d_model / num_heads`
# columns. `view` can cut an axis in two, and cannot change the order of axes.

# %% [markdown]
# **Hint 2.** There are three matrices for each head, and one $W^O$ for all.


# %%
def split_heads(weight: torch.Tensor, num_heads: int) -> torch.Tensor:
    """Return the heads' matrices, (num_heads, d_model, d_head)."""
    ### BEGIN SOLUTION
    rows, columns = weight.shape
    pieces = weight.reshape(rows, num_heads, columns // num_heads)
    return pieces.transpose(0, 1)
    ### END SOLUTION


def count_parameters(d_model: int, num_heads: int) -> tuple[int, int]:
    """Return the parameters of W^Q, W^K, W^V, and of the whole layer."""
    ### BEGIN SOLUTION
    per_head = d_model * (d_model // num_heads)
    projections = 3 * num_heads * per_head
    return projections, projections + d_model * d_model
    ### END SOLUTION


# %%
check.split_and_count(split_heads, count_parameters)

# %% [markdown]
# ## Exercise 03.2 · Which head is missed? · ●●○ · 15 min
#
# A model is given as a function: `accuracy(removed)` takes a set of pairs
# `(layer, head)` and returns the accuracy without these heads.
# `accuracy(set())` is that of the whole model.
# `weights` has the shape `(layers, heads, query, key)`, averaged over many
# sentences.
#
# Write a function that removes each head *alone*, and returns the list of all
# pairs `(layer, head)`, ranked by accuracy lost: the head that is missed most
# comes first. Heads that cost the same may come in any order.

# %% [markdown]
# **Hint 1.** `weights` tells how many layers and heads there are. Do you need
# more of it?

# %% [markdown]
# **Hint 2.** The accuracy lost is that of the whole model less that without
# the head. It can be negative.


# %%
def rank_heads(accuracy, weights: torch.Tensor) -> list[tuple[int, int]]:
    """Return every (layer, head), the one missed most first."""
    ### BEGIN SOLUTION
    layers, heads = weights.shape[:2]
    lost = {
        (layer, head): accuracy(set()) - accuracy({(layer, head)})
        for layer in range(layers)
        for head in range(heads)
    }
    return sorted(lost, key=lambda pair: -lost[pair])
    ### END SOLUTION


# %%
check.rank_heads(rank_heads)

# %% [markdown]
# ## Exercise 03.3 · Ten minimal pairs · ●●○ · 25 min
#
# Write ten minimal pairs of your own. Each is a tuple of four strings: a
# sentence, the noun that its *it* stands for, a second sentence, and the noun
# there. A noun is one word.
#
# ```text
# ("The trophy did not fit into the suitcase because it was too big.",
#  "trophy",
#  "The trophy did not fit into the suitcase because it was too small.",
#  "suitcase")
# ```
#
# The check cannot know English. It holds what can be held:
#
# - the two sentences differ in exactly one word, and the nouns differ,
# - both nouns stand before *it* in both sentences, and neither is the word
#   that differs,
# - no pair comes twice, with the same nouns and the same words,
# - a probe that counts words stays at 0.5. It votes for “the noun named
#   first” or “the noun named second” by the words that occur in at least two
#   of your pairs.
#
# None of the chapter's four examples may be used. Whether a reader would
# agree with your nouns, ask a reader.

# %% [markdown]
# **Hint 1.** If *big* means the first noun in two of your pairs, then the
# word *big* is enough, and nobody has to read the nouns. How can *big* mean
# the second noun?

# %% [markdown]
# **Hint 2.** Use other words that differ in each pair, or let a word stand as
# often for the first noun as for the second.


# %%
def minimal_pairs() -> list[tuple[str, str, str, str]]:
    """Return ten pairs: sentence, its noun, sentence, its noun."""
    ### BEGIN SOLUTION
    gaps = {
        "The ball broke the window as it was {}.": "ball heavy window thin",
        "The truck passed the bus as it was {}.": "truck fast bus slow",
        "The key stuck in the lock as it was {}.": "key bent lock frozen",
        "The hat hid the face because it was {}.": "hat wide face narrow",
        "The rope held the boat until it was {}.": "rope torn boat towed",
        "The dog chased the rabbit until it was {}.": "dog bored rabbit gone",
        "The lamp lit the room until it was {}.": "lamp broken room sunny",
        "The knife cut the rope as it was {}.": "knife sharp rope frayed",
        "The bird left the tree after it was {}.": "bird fed tree felled",
        "The spider ate the fly for it was {}.": "spider hungry fly careless",
    }
    pairs = []
    for sentence, words in gaps.items():
        first, one, second, other = words.split()
        texts = sentence.format(one), sentence.format(other)
        pairs.append((texts[0], first, texts[1], second))
    return pairs
    ### END SOLUTION


# %%
check.minimal_pairs(minimal_pairs)

# %% [markdown]
# ## Exercise 03.4 · Is the largest weight a cause? · ●●● · 20 min
#
# `answer(words)` is a model: it takes a list of words and returns a noun.
# `swaps` is a dictionary from a place in the sentence to a list of other
# words that could stand there. `weights` is the row of *it*: one number for
# each word.
#
# Write a function that returns the set of places at which *some* swap changes
# the answer. Change one place at a time. Places that are not in `swaps` are
# not tried. Leave `words` as they were.

# %% [markdown]
# **Hint 1.** Does a large weight change the answer? You have the model: ask
# it.

# %% [markdown]
# **Hint 2.** Copy the list before you change a place, or the changes pile up.


# %%
def causes(answer, words: list[str], swaps: dict, weights) -> set[int]:
    """Return the places where another word changes the answer."""
    ### BEGIN SOLUTION
    before = answer(words)
    found = set()
    for place, others in swaps.items():
        for other in others:
            changed = [*words]
            changed[place] = other
            if answer(changed) != before:
                found.add(place)
    return found
    ### END SOLUTION


# %%
check.causes(causes)

# %%
check.score()
