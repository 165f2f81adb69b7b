# %% [markdown]
# # 04 · Exercises: Words in, vectors out
#
# Five exercises, each with its own check.
# None needs another, so start where you like.
# Write your code in place of `raise NotImplementedError`, run the cell, then
# run the check below it.
# A check prints one line: *passed*, *wrong* with the reason, or *not
# attempted*.

# %%
from collections import Counter
from itertools import pairwise

import torch
from torch import Tensor

from bertbook.checks import chapter_04 as check
from bertbook.tokenization import WordPiece

# %% [markdown]
# ## Exercise 04.1 · The longest match · ●●○ · 15 min
#
# Cut one word as BERT does. The vocabulary is a set of pieces. A piece that
# goes on inside a word starts with `##`.
#
# - Take the longest piece that begins the word, then the longest `##` piece
#   that goes on, until the word is used up.
# - If nothing fits at some place, the whole word is `["[UNK]"]`.
#
# All words have at most 100 letters. The check compares with Hugging Face's
# tokenizer on 500 words.

# %% [markdown]
# **Hint 1.** Keep one number: where the next piece starts. When do you need
# the `##`?

# %% [markdown]
# **Hint 2.** For a fixed start, try the ends from the last letter backwards.
# The first hit is the longest.


# %%
def cut_word(word: str, vocabulary: set[str]) -> list[str]:
    """Return the pieces of a word, or [UNK] alone."""
    ### BEGIN SOLUTION
    pieces, start = [], 0
    while start < len(word):
        prefix = "##" if start else ""
        ends = range(len(word), start, -1)
        fits = [end for end in ends if prefix + word[start:end] in vocabulary]
        if not fits:
            return ["[UNK]"]
        pieces.append(prefix + word[start : fits[0]])
        start = fits[0]
    return pieces
    ### END SOLUTION


# %%
check.cut_word(cut_word)

# %% [markdown]
# ## Exercise 04.2 · The first merges · ●●● · 20 min
#
# Train BPE by hand, in code. The text has words parted by single blanks.
# Return the first `num_merges` merges as a list of pairs, such as
# `[("u", "n"), ("r", "un")]`.
#
# - Start from single letters.
# - Count every pair of neighbors inside a word, in every word of the text.
#   In *aaa* the pair (a, a) stands twice.
# - Merge the most frequent pair everywhere, from left to right in each word,
#   and count again.
#
# In the check's texts no two pairs are tied for the first place, and there
# are always enough pairs.

# %% [markdown]
# **Hint 1.** The text `sun sun run` has the pair (u, n) three times. How often
# has it the pair (n, s)?

# %% [markdown]
# **Hint 2.** Keep a list of pieces for each word of the text. After each
# merge, build the lists anew. Join whole pieces only: the pair (u, n) is not
# in the pieces `bu` `n`.


# %%
def first_merges(text: str, num_merges: int) -> list[tuple[str, str]]:
    """Return the pairs that BPE merges, in order."""
    ### BEGIN SOLUTION
    words = [[*word] for word in text.split()]
    merges = []
    for _ in range(num_merges):
        pairs = Counter(p for pieces in words for p in pairwise(pieces))
        best = pairs.most_common(1)[0][0]
        merges.append(best)
        merged = []
        for pieces in words:
            done: list[str] = []
            rest = list(pieces)
            while rest:
                if tuple(rest[:2]) == best:
                    done.append(rest.pop(0) + rest.pop(0))
                else:
                    done.append(rest.pop(0))
            merged.append(done)
        words = merged
    return merges
    ### END SOLUTION


# %%
check.first_merges(first_merges)

# %% [markdown]
# ## Exercise 04.3 · A product that looks up · ●○○ · 10 min
#
# Return two tensors:
#
# - the one-hot matrix of the ids, one row of $|V|$ numbers for each token,
#   in floating point,
# - its product with the table, one row of $d$ numbers for each token.
#
# Ids count from 0, so id 5 has its 1 at index 5, the sixth place.
# Write the ones yourself, without `F.one_hot`.

# %% [markdown]
# **Hint 1.** Make a matrix of zeros first. How many rows and columns has it?

# %% [markdown]
# **Hint 2.** Row `i` gets a 1 in the column that the token's id names.


# %%
def look_up(token_ids: Tensor, table: Tensor) -> tuple[Tensor, Tensor]:
    """Return the one-hot matrix and its product with the table."""
    ### BEGIN SOLUTION
    one_hot = torch.zeros(len(token_ids), len(table))
    for row, token_id in enumerate(token_ids):
        one_hot[row, token_id] = 1
    return one_hot, one_hot @ table
    ### END SOLUTION


# %%
check.look_up(look_up)

# %% [markdown]
# ## Exercise 04.4 · Why *playing* stays whole · ●●○ · 12 min
#
# With BERT's vocabulary, `let us start pretraining the model` becomes
# `let us start pre ##train ##ing the model`. Which single entry keeps
# *playing* from becoming `play ##ing`?
#
# Write a function that takes a lowercase word and the list of entries, and
# returns two lists of pieces:
#
# - the word's pieces with this vocabulary,
# - its pieces if the word itself were no entry, and all others stayed.
#
# You may use `WordPiece` of this book. It takes a list of entries and has a
# method `split_word`. It wants the five special tokens in the list, as
# `bertbook.tokenization.SPECIAL` names them.

# %% [markdown]
# **Hint 1.** For *pretraining* the two lists are equal. Why?

# %% [markdown]
# **Hint 2.** Do not cut the word by your knowledge of English. Build a second
# vocabulary, and let the rule cut.


# %%
def explain(word: str, entries: list[str]) -> tuple[list[str], list[str]]:
    """Return the pieces, and those without the word's own entry."""
    ### BEGIN SOLUTION
    with_word = WordPiece(entries)
    without = WordPiece([entry for entry in entries if entry != word])
    return with_word.split_word(word), without.split_word(word)
    ### END SOLUTION


# %%
check.explain(explain)

# %% [markdown]
# ## Exercise 04.5 · Contextuality, properly · ●●● · 20 min
#
# “The two vectors of *python* have a cosine below 1, so the encoder tells the
# senses apart.” An encoder with random weights passes that test as well.
# Write a better one.
#
# `snake` and `code` hold the vectors of the word in sentences of the first
# and of the second sense, a row each. Return a number from 0 to 1:
# the share of all these vectors whose nearest neighbor has the same sense.
#
# - First subtract the mean of all vectors together.
# - The nearest neighbor is the *other* vector with the largest cosine.
#
# The check tries your test on MiniLM, on an untrained encoder, and on random
# vectors.

# %% [markdown]
# **Hint 1.** Stack the two tensors, and remember which rows are whose.

# %% [markdown]
# **Hint 2.** Every vector has cosine 1 with itself. Take the diagonal out
# before you look for the largest.


# %%
def sense_accuracy(snake: Tensor, code: Tensor) -> float:
    """Return the share of vectors whose neighbor has the same sense."""
    ### BEGIN SOLUTION
    vectors = torch.cat([snake, code])
    vectors = vectors - vectors.mean(0)
    unit = vectors / vectors.norm(dim=1, keepdim=True)
    cosines = unit @ unit.T
    cosines.fill_diagonal_(-2)
    is_snake = torch.arange(len(vectors)) < len(snake)
    same = is_snake[cosines.argmax(1)] == is_snake
    return same.float().mean().item()
    ### END SOLUTION


# %%
check.sense_accuracy(sense_accuracy)

# %%
check.score()
