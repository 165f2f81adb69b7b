# %% [markdown]
# # 02 · Attention is arithmetic
#
# **What does a model compute when one word “looks at” another?**

# %% [markdown]
# After this chapter you will be able to
#
# - compute scores, scale them, take a softmax and mix the values by hand,
# - derive the divisor $\sqrt{d_k}$, and show what goes wrong without it,
# - write attention as one line of matrix products,
# - find the defects of a published listing, and repair it.
#
# **Needs:** chapter 01, matrix products, the exponential function and
# derivatives. **Reading time:** 50 minutes.
# **Run time on a GPU:** not yet measured.

# %% tags=["nbval-ignore-output"]
from bertbook.runtime import SCALE, claim, device, seed_everything

print(f"device {device}, scale {SCALE}")

# %%
import math
import time
from datetime import date

import matplotlib.pyplot as plt
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from bertbook import corpora, plotting
from bertbook.attention import check_mask

# %% [markdown]
# ## The paper
#
# > **The paper of this chapter.** A. Vaswani, N. Shazeer, N. Parmar,
# > J. Uszkoreit, L. Jones, A. N. Gomez, Ł. Kaiser and I. Polosukhin:
# > *Attention Is All You Need*. NIPS 2017,
# > [arXiv:1706.03762](https://arxiv.org/abs/1706.03762).
# > First version (v1) 12 June 2017, fifth version (v5) 6 December 2017.
#
# Many slides show the front page with the stamp “6 Dec 2017”.
# That is the fifth version. The idea was public half a year earlier.

# %%
first, fifth = date(2017, 6, 12), date(2017, 12, 6)
assert (fifth - first).days == 177
print((fifth - first).days, "days from v1 to v5")

# %% [markdown]
# ## Step 3 of 7
#
# The book's map has seven steps. Each is a function that some chapter fills
# in. This chapter and chapter 03 fill in the third one.

# %%
plotting.show(
    plotting.book_map(filled={3}),
    alt="The book's map, seven boxes from bottom to top. The third,"
    " self-attention, is filled in; the other six are outlines.",
)

# %% [markdown]
# The whole machine of the paper has two stacks, an encoder and a decoder.
# We draw it from two lists, so that the picture has names we can check.
# The colored boxes are attention. There are three, and all three are the
# function of this chapter. The boxes marked “N times” form a layer, and the
# layers are stacked; the other boxes come once. Chapter 06 adds the parts
# that we leave out here. The right-hand stack comes in chapter 07.

# %%
ENCODER = ["embeddings", "self-attention", "feed-forward"]
DECODER = [
    "embeddings", "masked self-attention", "cross-attention",
    "feed-forward", "linear + softmax",
]  # fmt: skip
names = [name for name in ENCODER + DECODER if "attention" in name]
assert len(names) == 3

# %%
figure, ax = plt.subplots(figsize=(6.4, 3.6))
ax.set(xlim=(0, 2), ylim=(-0.6, 5.2))
ax.axis("off")
for column, stack in enumerate((ENCODER, DECODER)):
    for level, name in enumerate(stack):
        color = plotting.SKY if "attention" in name else plotting.PANEL
        frame = {"boxstyle": "round", "fc": color, "ec": plotting.INK}
        place = (column + 0.5, level)
        ax.text(*place, name, ha="center", va="center", bbox=frame)
        if level:
            ax.annotate(
                "", (place[0], level - 0.3), (place[0], level - 0.7),
                arrowprops={"arrowstyle": "->"},
            )  # fmt: skip
ax.annotate("", (1.24, 2), (0.72, 2), arrowprops={"arrowstyle": "->"})
ax.text(0.5, 2.5, "encoder\n(two upper boxes: N times)", ha="center")
ax.text(1.5, 4.5, "decoder\n(three middle boxes: N times)", ha="center")
plotting.show(
    figure,
    alt="Two stacks of boxes. Encoder: embeddings, self-attention,"
    " feed-forward; the upper two N times. Decoder: embeddings, masked"
    " self-attention, cross-attention, feed-forward, linear and softmax; the"
    " middle three N times. An arrow leads from the encoder's top to"
    " cross-attention. The three attentions are colored.",
)

# %% [markdown]
# ## The whole idea in one picture
#
# Two words, *Thinking* and *Machines*. We ask: how much of each word goes
# into the new vector of *Thinking*?
# Follow the numbers from left to right.

# %%
scores = torch.tensor([112.0, 96.0], dtype=torch.float64)
scaled = scores / math.sqrt(64)
weights = scaled.softmax(dim=0)
flow = [
    ("score", scores, ".0f"),
    ("÷ √64", scaled, ".0f"),
    ("softmax", weights, ".2f"),
]

# %%
figure, ax = plt.subplots(figsize=(7.0, 2.4))
ax.set(xlim=(-0.1, 4.3), ylim=(-0.4, 1.8))
ax.axis("off")
arrow = {"arrowstyle": "->", "color": plotting.INK}
middle = {"ha": "center", "va": "center", "size": 13}
for row, (word, key) in enumerate([("Machines", "k₂"), ("Thinking", "k₁")]):
    ax.text(0, row, f"{word}\n{key}", color=plotting.KEY, va="center")
    for place, (name, numbers, form) in enumerate(flow, start=1):
        ax.text(place, 1.6, name, ha="center", color=plotting.INK)
        ax.text(place, row, f"{numbers[1 - row]:{form}}", **middle)
        end = (place + 0.7, row) if place < 3 else (3.6, 0.4 + 0.3 * row)
        ax.annotate("", end, (place + 0.25, row), arrowprops=arrow)
ax.text(4, 1.6, "mix", ha="center", color=plotting.INK)
mixture = f"z₁ = {weights[0]:.2f} v₁\n+ {weights[1]:.2f} v₂"
ax.text(4.05, 0.55, mixture, color=plotting.VALUE, **middle)
plotting.show(
    figure,
    alt="Two rows of numbers flow to the right. Thinking: score 112, divided"
    " by root 64 it is 14, after softmax 0.88. Machines: 96, 12, 0.12. Both"
    " arrows end in z = 0.88 times v1 plus 0.12 times v2.",
)

# %% [markdown]
# That is all of attention: **score, scale, softmax, mix**.
# The rest of the chapter asks why each of the four is there.

# %% [markdown]
# ## Two words by hand
#
# Each word comes in as a vector, its **embedding**: $x_1$ for *Thinking*,
# $x_2$ for *Machines*. Chapter 04 trains such vectors. Here we choose them,
# with 512 numbers each, so that we can follow every product.
# Three matrices turn an embedding into three vectors of 64 numbers:
#
# - the **query** $q = xW^Q$: what this word looks for,
# - the **key** $k = xW^K$: what this word offers to be found by,
# - the **value** $v = xW^V$: what this word passes on.
#
# In a model the three matrices are learned. We set them by hand.
# $q_1$ has 64 ones. $k_1$ has 56 twos, then 8 zeros. $k_2$ has 16 zeros,
# then 48 twos. So we can count: $q_1 \cdot k_1 = 56 \cdot 2 = 112$ and
# $q_1 \cdot k_2 = 48 \cdot 2 = 96$.

# %%
x = torch.eye(2, 512, dtype=torch.float64)  # one 1 in each: it picks a row
w_query, w_key, w_value = torch.zeros(3, 512, 64, dtype=torch.float64)
w_query[0], w_query[1, 16:] = 1, 1
w_key[0, :56], w_key[1, 16:] = 2, 2
w_value[0, 0], w_value[1, 1] = 1, 1

query, key, value = x @ w_query, x @ w_key, x @ w_value
assert query.shape == key.shape == value.shape == (2, 64)
assert query[0].tolist() == [1] * 64
assert key[0].tolist() == [2] * 56 + [0] * 8
assert key[1].tolist() == [0] * 16 + [2] * 48

# %% [markdown]
# A **score** is the dot product of a query with a key.
# One matrix product gives all four scores: each row is a query, each column
# a key.

# %%
scores = query @ key.T
print(scores.tolist())
assert scores.tolist() == [[112, 96], [80, 96]]

# %% [markdown]
# Then we divide by $\sqrt{d_k}$. The size of a key is $d_k = 64$, so the
# divisor is 8. (The next but one section says why.)

# %%
d_k = key.shape[-1]
scaled = scores / math.sqrt(d_k)
print(scaled.tolist())
assert scaled[0].tolist() == [14, 12]

# %% [markdown]
# The **softmax** turns a row of numbers into shares. It raises $e$ to each
# number and divides by the sum:
# $e^{14} / (e^{14} + e^{12})$ and $e^{12} / (e^{14} + e^{12})$.
# We may divide both by $e^{14}$: the first share is $1 / (1 + e^{-2})$.
# Only the *difference* of the scores matters.
# The shares are the **weights** (or attention weights).

# %%
weights = scaled.softmax(dim=-1)
print([round(weight, 8) for weight in weights[0].tolist()])
assert abs(weights[0, 0].item() - 1 / (1 + math.exp(-2))) < 1e-12
assert [round(w, 8) for w in weights[0].tolist()] == [0.88079708, 0.11920292]

# %% [markdown]
# The new vector of *Thinking* is a mixture of the values,
# $z_1 = 0.88\,v_1 + 0.12\,v_2$. Our values are unit vectors: $v_1$ has its
# 1 in the first place, $v_2$ in the second. So we can read the weights off
# the result.

# %%
z = weights @ value
print([round(number, 4) for number in z[0, :3].tolist()])
assert torch.allclose(z[:, :2], weights, atol=1e-12)
assert z.shape == (2, 64)

# %% [markdown]
# Here is the whole table, with every line asserted above.
#
# | line | *Thinking* | *Machines* |
# |---|---|---|
# | embedding, 512 numbers | $x_1$ | $x_2$ |
# | query, 64 | $q_1$ | $q_2$ |
# | key, 64 | $k_1$ | $k_2$ |
# | value, 64 | $v_1$ | $v_2$ |
# | score of $q_1$ with | 112 | 96 |
# | divided by 8 | 14 | 12 |
# | softmax | 0.88 | 0.12 |
# | softmax × value | 0.88 $v_1$ | 0.12 $v_2$ |
# | sum of these | $z_1$ | $z_2$, from its own row |
#
# Queries, keys and values all come from the same words: this is
# **self-attention**. Another name for it is **intra-attention**.
#
# One more number for later. The surprise at a share $p$ is $-\ln p$.
# Chapter 07 builds its loss from it.

# %%
surprise = -math.log(weights[0, 0])
print(round(surprise, 8))
assert round(surprise, 8) == 0.12692801

# %% [markdown]
# **Why two inputs?** A question from the room: which of the two is *the*
# input, *Thinking* or *Machines*? Both. They are two rows of one matrix, and
# each row asks with its own query. The order of the rows carries no meaning
# here: swap the words, and the results are swapped and otherwise the same.
# (Chapter 05 adds what tells first from second.)


# %%
def attend_by_hand(x):
    query, key, value = x @ w_query, x @ w_key, x @ w_value
    weights = (query @ key.T / math.sqrt(key.shape[-1])).softmax(dim=-1)
    return weights @ value


assert torch.allclose(attend_by_hand(x), z, atol=1e-12)
swapped = attend_by_hand(x[[1, 0]])
assert torch.allclose(swapped, z[[1, 0]], atol=1e-12)
print("swapped words give swapped results")

# %% [markdown]
# ## A soft dictionary
#
# A Python dictionary has keys and values. We look up a query. If a key is
# *equal* to it, we get its value. Otherwise we get an error.

# %%
capitals = {"France": "Paris", "Japan": "Tokyo", "Peru": "Lima"}
assert capitals["Japan"] == "Tokyo"
assert "Jappan" not in capitals

# %% [markdown]
# A search engine is kinder. A search query need not be equal to a page's
# title. Each page gets a **similarity score**, and the best come first.
# Attention goes one step further: it returns no list, but a *mixture* of all
# values, each with a weight that grows with its score. It is a
# **soft lookup**. In the older literature on translation the weights are
# called **alignment weights**, because they align a word with the words that
# it translates.
#
# How soft? Divide the scores by a number $T$ before the softmax.
# A large $T$ flattens the weights, a small one sharpens them. By a loan from
# physics, $T$ is called the **temperature**.


# %%
def soft_lookup(scores, values, temperature):
    weights = (scores / temperature).softmax(dim=0)
    return weights, weights @ values


pages = torch.tensor([112.0, 96.0, 104.0], dtype=torch.float64)
for temperature in (10_000, 64, 8, 1, 0.1):
    weights, _ = soft_lookup(pages, torch.eye(3).double(), temperature)
    print(f"T = {temperature:<6}", [round(w, 4) for w in weights.tolist()])

# %% [markdown]
# As $T$ goes to 0, the weights go to a vector with a single 1, a **one-hot**
# vector, and the soft lookup becomes a hard one. As $T$ grows, every page
# gets the same share.

# %%
values = torch.tensor([10.0, 20.0, 30.0], dtype=torch.float64)
hard, found = soft_lookup(pages, values, 0.01)
assert hard.tolist() == [1.0, 0.0, 0.0]
assert found == values[pages.argmax()] == 10.0
flat, average = soft_lookup(pages, values, 1e9)
assert torch.allclose(flat, torch.full((3,), 1 / 3, dtype=torch.float64))
assert abs(average - values.mean()) < 1e-6

# %% [markdown]
# ## Why divide by $\sqrt{d_k}$?
#
# The divisor in our table is a temperature. Why 8, of all numbers?
#
# Take a query and a key whose $d_k$ numbers are drawn independently, each
# with mean 0 and variance 1. Their dot product is a sum of $d_k$ terms:
#
# $$q \cdot k = \sum_{i=1}^{d_k} q_i k_i .$$
#
# 1. Each term has mean $\mathrm{E}[q_i]\,\mathrm{E}[k_i] = 0$.
# 2. Each has variance $\mathrm{E}[q_i^2]\,\mathrm{E}[k_i^2] = 1 \cdot 1 = 1$.
# 3. Variances of independent terms add up. So the score has variance $d_k$.
# 4. Its standard deviation is $\sqrt{d_k}$: 8 when $d_k = 64$.
#
# Divide by $\sqrt{d_k}$, and the scores spread by about 1, whatever $d_k$
# is. We draw 20,000 pairs of each size, with three seeds, and compare.

# %%
SIZES = (1, 4, 16, 64, 256, 512)


def score_spreads(seed):
    draw = {"generator": seed_everything(seed)}
    pairs = [torch.randn(2, 20_000, size, **draw) for size in SIZES]
    return torch.stack([(q * k).sum(-1).std() for q, k in pairs])


spreads = torch.stack([score_spreads(seed) for seed in (0, 1, 2)])
for size, runs in zip(SIZES, spreads.T, strict=True):
    root = math.sqrt(size)
    text = f"spread of q·k at d_k = {size}, theory {root:.4g}"
    claim(runs.mean().item(), 0.97 * root, 1.03 * root, text)
assert ((spreads / torch.tensor(SIZES).sqrt() - 1).abs() < 0.04).all()

# %% [markdown]
# Other divisors give other weights, on the same scores. The root of 512 is
# one that stands on slides.
#
# | divisor | what goes in | weights |
# |---|---|---|
# | 8, the root of 64 | 14, 12 | 0.881, 0.119 |
# | 1, no scaling | 112, 96 | 0.9999999, 0.0000001 |
# | 64, without the root | 1.75, 1.5 | 0.562, 0.438 |
# | $\sqrt{512} = 22.6$, the embedding's size | 4.95, 4.24 | 0.670, 0.330 |
# | the sum, without any softmax | 112, 96 | 0.538, 0.462 |

# %%
scores = torch.tensor([112.0, 96.0], dtype=torch.float64)
EXPECTED = {
    8: (0.88079708, 0.11920292),
    1: (0.99999989, 1.1253516e-7),
    64: (0.5621765, 0.4378235),
    math.sqrt(512): (0.66976155, 0.33023845),
}
for divisor, expected in EXPECTED.items():
    got = (scores / divisor).softmax(dim=0).tolist()
    assert all(abs(a - b) < 1e-8 for a, b in zip(got, expected, strict=True))
    assert abs(sum(got) - 1) < 1e-12
by_sum = (scores / scores.sum()).tolist()
assert abs(sum(by_sum) - 1) < 1e-12
assert [round(share, 8) for share in by_sum] == [0.53846154, 0.46153846]
assert [round(s / math.sqrt(512), 7) for s in (112, 96)] == [
    4.9497475,
    4.2426407,
]

# %% [markdown]
# All five rows sum to 1. Shares alone do not tell a right divisor from a
# wrong one. Dividing by the sum also fails for negative scores, which are
# as common as positive ones.

# %%
mixed = torch.tensor([3.0, -1.0])
print(
    (mixed / mixed.sum()).tolist(),
    [round(w, 3) for w in mixed.softmax(0).tolist()],
)
assert (mixed / mixed.sum()).tolist() == [1.5, -0.5]

# %% [markdown]
# ## From two loops to one line
#
# The first version is for reading. One query at a time, one key at a time,
# plain Python numbers.


# %%
def attend_by_loops(query, key, value):
    output = []
    for q in query:
        scores = []
        for k in key:
            product = sum(a * b for a, b in zip(q, k, strict=True))
            scores.append(product / math.sqrt(len(k)))
        powers = [math.exp(score - max(scores)) for score in scores]
        weights = [power / sum(powers) for power in powers]
        columns = zip(*value, strict=True)
        output.append(
            [
                sum(w * v for w, v in zip(weights, c, strict=True))
                for c in columns
            ]
        )
    return output


by_loops = attend_by_loops(query.tolist(), key.tolist(), value.tolist())
by_loops = torch.tensor(by_loops, dtype=torch.float64)
assert torch.allclose(by_loops, z, atol=1e-12)

# %% [markdown]
# No query waits for another: the loops are for exposition only.
# Put the queries into the rows of a matrix $Q$, the keys into $K$, the values
# into $V$, and all scores are one product, $QK^\top$. The transpose is
# needed: row $i$ of $Q$ must meet row $j$ of $K$.
#
# $$\mathrm{Attention}(Q, K, V) =
#   \mathrm{softmax}\!\left(\frac{QK^\top}{\sqrt{d_k}}\right) V$$
#
# This is equation 1 of the paper, and one line of code.


# %%
def attend_by_matrices(query, key, value):
    return (query @ key.T / math.sqrt(key.shape[-1])).softmax(-1) @ value


generator = seed_everything(0)
query, key, value = torch.randn(3, 48, 64, generator=generator).double()
fast = attend_by_matrices(query, key, value)
slow = attend_by_loops(query.tolist(), key.tolist(), value.tolist())
slow = torch.tensor(slow, dtype=torch.float64)
assert (fast - slow).abs().max() < 1e-12

# %% [markdown]
# The same numbers, and now the clock. We compare 48 tokens on this device's
# processor. The ratio depends on the machine, so the band is wide.


# %%
def seconds(function, *inputs, repeats=3):
    runs = []
    for _ in range(repeats):
        start = time.perf_counter()
        function(*inputs)
        runs.append(time.perf_counter() - start)
    return min(runs)


lists = query.tolist(), key.tolist(), value.tolist()
ratio = seconds(attend_by_loops, *lists) / seconds(
    attend_by_matrices, query, key, value, repeats=20
)
claim(ratio, 20, 100_000, "times faster: matrices against loops")

# %% [markdown]
# ## The library's function
#
# This is what the later chapters use. It says the same with `einsum`, where
# each axis has a letter: `qd,kd->qk` multiplies along `d` and keeps `q` and
# `k`. The three dots stand for further axes, such as a batch or heads.
#
# `Float[Tensor, "*batch query d_k"]` states a tensor's shape, axis by axis;
# `*batch` stands for any number of further axes.
# `check_mask` compares shapes and types, and says in words what does not fit.
# Two things are new. A **mask** is a Boolean tensor that says which query
# may attend to which key: True = may attend. A query that may attend to
# nothing gets zeros. A **bias** is added to the scaled scores: chapter 05
# needs it for relative positions.

# %%
from bertbook.attention import scaled_dot_product_attention  # @show

# %% [markdown]
# The hand-made table again, now through the library.

# %%
query, key, value = x @ w_query, x @ w_key, x @ w_value
output, weights = scaled_dot_product_attention(query, key, value)
assert torch.allclose(output, z, atol=1e-12)
assert abs(weights[0, 0].item() - 1 / (1 + math.exp(-2))) < 1e-12
print([round(weight, 4) for weight in weights[0].tolist()])

# %% [markdown]
# What the mask does: with *Machines* closed, *Thinking* keeps itself alone.
# The second row may attend to nothing, and is zero. A softmax over nothing
# would be 0/0.

# %%
mask = torch.tensor([[True, False], [False, False]])
output, weights = scaled_dot_product_attention(query, key, value, mask)
print(weights.tolist())
assert weights.tolist() == [[1.0, 0.0], [0.0, 0.0]]
assert output[1].abs().sum() == 0
assert torch.equal(output[0], value[0])

# %% [markdown]
# ## Five steps, one diagram
#
# The paper draws this function as five boxes. We name the five steps in
# code, run them, and draw the picture from the same list.

# %%
STEPS = [
    ("MatMul", "scores", lambda t: t["query"] @ t["key"].mT),
    ("Scale", "scaled", lambda t: t["scores"] / t["key"].shape[-1] ** 0.5),
    (
        "Mask (opt.)",
        "masked",
        lambda t: t["scaled"].masked_fill(~t["mask"], -math.inf),
    ),
    ("SoftMax", "weights", lambda t: t["masked"].softmax(dim=-1)),
    ("MatMul", "output", lambda t: t["weights"] @ t["value"]),
]
draw = {"generator": seed_everything(1)}
tensors = {
    "query": torch.randn(7, 64, **draw),
    "key": torch.randn(13, 64, **draw),
    "value": torch.randn(13, 37, **draw),
    "mask": (torch.rand(7, 13, **draw) < 0.8).index_fill(
        1, torch.tensor([0]), True
    ),
}
for _, result, function in STEPS:
    tensors[result] = function(tensors)
shapes = [tuple(tensors[result].shape) for _, result, _ in STEPS]
assert shapes == [(7, 13)] * 4 + [(7, 37)]
inputs = [tensors[name] for name in ("query", "key", "value", "mask")]
output, weights = scaled_dot_product_attention(*inputs)
assert torch.allclose(tensors["output"], output, atol=1e-6)
assert torch.allclose(tensors["weights"], weights, atol=1e-6)

# %%
figure, ax = plt.subplots(figsize=(6.0, 4.2))
ax.set(xlim=(0, 3), ylim=(-1.3, 4.7))
ax.axis("off")
frame = {"boxstyle": "round", "fc": plotting.PANEL, "ec": plotting.INK}
for level, (name, result, _) in enumerate(STEPS):
    ax.text(1, level, name, ha="center", va="center", bbox=frame)
    rows, columns = tensors[result].shape
    ax.text(1.55, level, f"→ {result}, {rows} × {columns}", va="center")
    if level:
        ax.annotate("", (1, level - 0.3), (1, level - 0.7), arrowprops=arrow)
sources = [("Q", 0.8, 0, plotting.QUERY), ("K", 1.2, 0, plotting.KEY)]
sources += [("V", 0.3, 4, plotting.VALUE)]
for name, left, level, color in sources:
    end = (left if level == 0 else 0.72, level if level else -0.3)
    ax.annotate(
        name, end, (left, -1.0), ha="center", color=color, weight="bold",
        arrowprops={"arrowstyle": "->", "color": color},
    )  # fmt: skip
plotting.show(
    figure,
    alt="Five boxes from bottom to top: MatMul, Scale, Mask (optional),"
    " SoftMax, MatMul. Q and K enter the lowest box, V the highest. Beside"
    " each box stands the shape of its result: 7 × 13 four times, then"
    " 7 × 37.",
)

# %% [markdown]
# ## Four ways, one result
#
# The table by hand and the library agree, we saw. But one mind can make the
# same mistake twice. So we hold the library to code that others wrote:
# PyTorch's fused function, and the self-attention module of BERT in Hugging
# Face's `transformers`, with the same matrices. Unequal sizes, 7 queries and
# 13 keys, would expose swapped axes.

# %%
draw = {"generator": seed_everything(2)}
query, key = torch.randn(5, 7, 64, **draw), torch.randn(5, 13, 64, **draw)
value = torch.randn(5, 13, 37, **draw)
ours, _ = scaled_dot_product_attention(query, key, value)
theirs = F.scaled_dot_product_attention(query, key, value)
difference = (ours - theirs).abs().max().item()
assert difference < 1e-6
print("library = PyTorch, to within 1e-6")

# %%
from transformers import BertConfig
from transformers.models.bert.modeling_bert import BertSelfAttention

seed_everything(3)
config = BertConfig(hidden_size=64, num_attention_heads=1)
config._attn_implementation = "eager"
bert = BertSelfAttention(config).eval()
words = torch.randn(1, 7, 64, generator=seed_everything(4))
with torch.no_grad():
    theirs, their_weights = bert(words)
    query, key, value = bert.query(words), bert.key(words), bert.value(words)
    ours, our_weights = scaled_dot_product_attention(query, key, value)
assert (ours - theirs).abs().max() <= 1e-6
assert (our_weights - their_weights[:, 0]).abs().max() <= 1e-6
print("library = BERT's own module, to within 1e-6")

# %% [markdown]
# ## One function, two calls
#
# In self-attention all three come from one input. In general they need not.
# In **cross-attention** the queries come from one sequence, $x$, and keys and
# values from another, the source $y$. It is one function, called in two
# ways: `attend(x, x)` and `attend(x, y)`.
# The output is as long as the sequence that *asks*.

# %%
draw = {"generator": seed_everything(5)}
w_q, w_k, w_v = torch.randn(3, 13, 5, **draw)


def attend(x, source):
    return scaled_dot_product_attention(x @ w_q, source @ w_k, source @ w_v)


x, y = torch.randn(7, 13, **draw), torch.randn(4, 13, **draw)
for asks, answers in ((x, x), (x, y), (y, x)):
    output, weights = attend(asks, answers)
    print(tuple(weights.shape), "weights →", tuple(output.shape), "output")
    assert weights.shape == (len(asks), len(answers))
    assert output.shape == (len(asks), 5)

# %% [markdown]
# What happens when rows change places? Permute the rows of $x$, and the
# outputs are permuted in the same way. Permute the rows of the source, and
# nothing changes: a mixture does not know an order.

# %%
order = [3, 0, 6, 2, 5, 1, 4]
straight, _ = attend(x, x)
assert torch.allclose(
    attend(x[order], x[order])[0], straight[order], atol=1e-5
)
over_y, _ = attend(x, y)
assert torch.allclose(attend(x, y[[2, 0, 3, 1]])[0], over_y, atol=1e-5)

# %% [markdown]
# ## A sentence of 26 tokens
#
# The paper's Figure 3 follows one word through a real sentence. We split it
# on blanks, take the full stop as a token of its own, and count from 0.

# %%
SENTENCE = (
    "It is in this spirit that a majority of American governments have"
    " passed new laws since 2009 making the registration or voting process"
    " more difficult."
)
words = [*SENTENCE.removesuffix(".").split(), "."]
assert len(words) == 26
assert words.index("making") == 17
assert words.index("difficult") == 24
print(len(words), "tokens:", 17, words[17], "·", 24, words[24])

# %% [markdown]
# Every word asks every word: a grid of 26 × 26 weights. The cell in row 17
# and column 24 says how much of *difficult* goes into *making*.
#
# Now with a real encoder, MiniLM of chapter 00. It has 6 layers of 12
# **heads**, both counted from 0: each head is the function above with
# matrices of its own, learned from text (chapter 03 is about heads, and
# trains some). Its tokenizer adds `[CLS]` and `[SEP]` at the ends, so every
# index moves by one.

# %%
tokenizer, model = corpora.minilm()
encoded = tokenizer(SENTENCE, return_tensors="pt").to(device)
tokens = tokenizer.convert_ids_to_tokens(encoded["input_ids"][0])
with torch.no_grad():
    seen = model(**encoded, output_attentions=True, output_hidden_states=True)
real = torch.stack(seen.attentions)[:, 0].cpu()
assert real.shape == (6, 12, 28, 28)
making, difficult = tokens.index("making"), tokens.index("difficult")
assert (making, difficult) == (18, 25)
assert torch.allclose(real.sum(-1), torch.ones(6, 12, 28), atol=1e-5)

# %% [markdown]
# Is it our arithmetic that runs in there? We take the queries, keys and
# values of the first layer, cut them into 12 heads, and compute the weights
# ourselves.

# %%
inner = model.encoder.layer[0].attention.self
below = seen.hidden_states[0]
with torch.no_grad():
    parts = [layer(below) for layer in (inner.query, inner.key, inner.value)]
heads = [part.view(1, 28, 12, 32).transpose(1, 2) for part in parts]
_, weights = scaled_dot_product_attention(*heads)
difference = (weights[0].cpu() - real[0]).abs().max().item()
assert difference < 1e-5
print("our weights = MiniLM's own, first layer, all 12 heads")

# %% [markdown]
# Which head ties *making* to *difficult* most? We search all 72. A search
# finds the largest of 72 numbers, so the mean stands beside it, and so does
# the weight that every token would get if all got the same, 1/28 ≈ 0.036.

# %%
pair = real[:, :, making, difficult]
layer, head = divmod(int(pair.argmax()), 12)
assert (layer, head) == (5, 9)
claim(pair.max().item(), 0.46, 0.50, "weight of difficult for making, at most")
claim(pair.mean().item(), 0.05, 0.07, "the same, mean of 72 heads")
first = int((real[:, :, making].argmax(-1) == difficult).sum())
print(first, "of 72 heads give difficult the largest weight of the row")
assert first == 8
assert int(real[layer, head, making].argmax()) == difficult
more = real[layer, head, making, tokens.index("more")]
claim(more, 0.16, 0.20, "weight of more for making, same head")

# %%
plotting.show(
    plotting.heatmap(
        real[layer, head], tokens, tokens,
        title=f"MiniLM, layer {layer}, head {head}", label="weight",
    ),
    alt="A grid of 28 by 28 attention weights, rows are queries, columns"
    " keys. In the row of making the brightest cell is the column of"
    " difficult, about 0.48; more has about 0.18. The column of difficult is"
    " bright in many rows: is, in and spirit give it even more.",
)  # fmt: skip

# %% [markdown]
# The same weights to explore: choose a layer and a head, then a row.

# %% tags=["nbval-ignore-output"]
from bertbook.attention_map import attention_map

attention_map(
    tokens, real, layer=layer, head=head, label="MiniLM reads a sentence"
)

# %% [markdown]
# Now look at the column of *difficult* in the picture, not at one cell. Three
# other words, *is*, *in* and *spirit*, give it even more than *making* does.
# No other column gets more weight in this head. So much for “*making* found
# its *difficult*”: we had searched for that cell, and forgot its neighbors.
# Over all heads, about two fifths of the weight go to `[CLS]`, which is no
# word of the sentence. A map shows where a mixture comes from. It does not
# show what the model does with it. For small models, chapter 03 finds out by
# removing heads.

# %%
column = real[layer, head, :, difficult]
others = [tokens[i] for i in torch.nonzero(column > column[making])]
print("more than making:", others)
assert others == ["is", "in", "spirit"]
assert int(real[layer, head].mean(0).argmax()) == difficult
claim(column.mean(), 0.19, 0.22, "mean weight of difficult in this head")
claim(real[..., 0].mean(), 0.35, 0.43, "mean given to [CLS], all heads")

# %% [markdown]
# ## Every pair: the cost
#
# Every query meets every key: $N$ tokens give $N^2$ scores, in each head of
# each layer. BERT-base has 12 layers of 12 heads and reads 512 tokens.

# %%
num_tokens, num_heads, num_layers = 512, 12, 12
num_scores = num_tokens**2 * num_heads * num_layers
num_bytes = 4 * num_scores
print(f"{num_scores:,} scores, {num_bytes / 2**20:.0f} MiB at 4 bytes each")
assert num_scores == 37_748_736
assert num_bytes == 144 * 2**20

# %% [markdown]
# That is for one text. A model that only reads can drop the scores of a layer
# once they are used. Training keeps them all, to compute derivatives.
# Twice the length is four times the scores. Fused kernels, such as PyTorch's,
# can compute the scores piece by piece and never hold them all: that saves
# the memory, not the arithmetic.

# %%
lengths = torch.arange(64, 2049, 64)
mebibytes = 4 * lengths**2 * 144 / 2**20
assert mebibytes[lengths == 1024] == 4 * mebibytes[lengths == 512] == 576
assert mebibytes[-1] == 2304
figure, ax = plt.subplots()
ax.plot(lengths, mebibytes, label="scores, $N^2$")
ax.plot(lengths, 4 * lengths * 768 * 12 / 2**20, label="hidden vectors, $N$")
ax.set(xlabel="tokens N", ylabel="memory, MiB (float32)")
ax.set_title("BERT-base, one text: what grows with the length")
ax.legend()
plotting.show(
    figure,
    alt="Memory against the number of tokens. The scores' curve is a parabola:"
    " 144 MiB at 512 tokens, 576 at 1,024, 2,304 at 2,048. The hidden vectors"
    " are a nearly flat line.",
)

# %% [markdown]
# ## Experiment: saturation
#
# A softmax is **saturated** when one weight is near 1 and the rest near 0.
# Why is that bad? Look at the derivative. With $p = \mathrm{softmax}(s)$,
#
# $$\frac{\partial p_i}{\partial s_j} = p_i(\delta_{ij} - p_j),
#   \qquad \mathrm{trace} = \sum_i p_i (1 - p_i),$$
#
# where $\delta_{ij}$ is 1 if $i = j$ and 0 otherwise. The matrix of these
# derivatives is the **Jacobian**; its **trace** is the sum of its diagonal.
# If one $p_i$ is 1, the trace is 0, and so is every derivative: queries and
# keys learn nothing from this row. (The value that was picked still does.)
# PyTorch agrees on the formula.

# %%
row = torch.tensor([2.0, -1.0, 0.5], dtype=torch.float64)
jacobian = torch.autograd.functional.jacobian(lambda s: s.softmax(0), row)
p = row.softmax(0)
assert abs(jacobian.trace() - (p * (1 - p)).sum()) < 1e-12
assert torch.allclose(jacobian, p.diag() - torch.outer(p, p))

# %% [markdown]
# **The recipe.** 2,000 random queries, each with 16 random keys of its own,
# all numbers drawn from a normal distribution. Sizes $d_k$ = 4, 64, 512,
# drawn in this order from one generator. Seeds 0, 1 and 2, chosen
# beforehand. Of each row of weights we take the largest, the trace, and the
# **entropy** $-\sum_i p_i \ln p_i$: 0 for a one-hot row, $\ln 16 = 2.773$
# for 16 equal weights.
#
# **The prediction.** Unscaled scores spread by $\sqrt{d_k}$. So the largest
# weight of a row should grow with $d_k$: above 0.8 at 64, above 0.9 at 512.
# Scaled, it should stay where it is, between 0.2 and 0.3, for every size.
# The trace should fall below 0.1 at 512 without scaling, and stay above 0.8
# with it.


# %%
def measure(scores):
    p = scores.softmax(dim=-1)
    trace = (p * (1 - p)).sum(-1)
    entropy = torch.special.entr(p).sum(-1)
    stuck = (trace < 0.01).float()
    rows = (p.amax(-1), entropy, trace, stuck)
    return torch.stack([row.mean() for row in rows])


def run_seed(seed):
    draw = {"generator": seed_everything(seed)}
    table = []
    for size in (4, 64, 512):
        query = torch.randn(2000, size, **draw)
        keys = torch.randn(2000, 16, size, **draw)
        scores = torch.einsum("qd,qkd->qk", query, keys)
        both = measure(scores), measure(scores / math.sqrt(size))
        table.append(torch.stack(both))
    return torch.stack(table)  # (d_k, raw or scaled, measure)


runs = torch.stack([run_seed(seed) for seed in (0, 1, 2)])
assert runs.shape == (3, 3, 2, 4)

# %%
mean = runs.mean(0)
reach = (runs - mean).abs().amax(0)
print("mean of three seeds ± the largest distance of a seed from it")
for i, size in enumerate((4, 64, 512)):
    for j, kind in enumerate(("raw", "scaled")):
        cells = [
            f"{name} ≈ {mean[i, j, m]:.3f} ± ≈ {reach[i, j, m]:.3f}"
            for m, name in enumerate(("weight", "entropy", "trace"))
        ]
        print(f"d_k = {size}, {kind}: {cells[0]}")
        print("   ", *cells[1:])
assert (reach[..., 0] < 0.02).all()

# %% [markdown]
# Did the prediction hold? Seed 0 first, with bands from an earlier run of the
# same recipe; then the prediction, over all seeds.

# %%
once = runs[0]
for i, size in enumerate((4, 64, 512)):
    raw, scaled = once[i]
    low, high = [(0.42, 0.43), (0.83, 0.85), (0.94, 0.955)][i]
    claim(raw[0], low, high, f"largest weight, raw, d_k = {size}")
    claim(scaled[0], 0.23, 0.255, f"largest weight, scaled, d_k = {size}")
    low, high = [(0.70, 0.715), (0.218, 0.228), (0.072, 0.079)][i]
    claim(raw[2], low, high, f"trace, raw, d_k = {size}")
    claim(scaled[2], 0.86, 0.875, f"trace, scaled, d_k = {size}")
assert (runs[:, 1, 0, 0] > 0.8).all()
assert (runs[:, 2, 0, 0] > 0.9).all()
assert ((runs[:, :, 1, 0] > 0.2) & (runs[:, :, 1, 0] < 0.3)).all()
assert (runs[:, 2, 0, 2] < 0.1).all()
assert (runs[:, :, 1, 2] > 0.8).all()

# %%
claim(once[0, 0, 1], 1.75, 1.78, "entropy, raw, d_k = 4")
claim(once[1, 0, 1], 0.40, 0.43, "entropy, raw, d_k = 64")
claim(once[2, 0, 1], 0.12, 0.14, "entropy, raw, d_k = 512")
claim(once[:, 1, 1].mean(), 2.34, 2.39, "entropy, scaled, mean of the sizes")
print(f"entropy of 16 equal weights: {math.log(16):.3f}")
assert round(math.log(16), 3) == 2.773

# %%
figure, panels = plt.subplots(1, 2)
names = ("mean largest weight", "mean trace of the Jacobian")
for panel, index, name in zip(panels, (0, 2), names, strict=True):
    for kind, label in enumerate(("raw", "scaled")):
        plotting.spread(
            panel, (4, 64, 512), runs[:, :, kind, index], label=label
        )
    panel.set(xscale="log", ylim=(0, 1), xlabel="$d_k$", ylabel=name)
    panel.set_xticks((4, 64, 512), ("4", "64", "512"), minor=False)
panels[0].legend()
plotting.show(
    figure,
    alt="Two panels against d_k = 4, 64, 512. Left: the mean largest weight"
    " rises from 0.43 to 0.95 without scaling and stays near 0.24 with it."
    " Right: the trace falls from 0.71 to 0.08 without scaling and stays near"
    " 0.87 with it.",
)

# %% [markdown]
# **What it does not show.** These vectors are random. A trained model can
# make its queries and keys longer, and saturate a scaled softmax if that
# pays. And the trace is taken at the numbers that *enter* the softmax. By
# the chain rule, the scaled version multiplies every derivative by a further
# $1/\sqrt{d_k}$: at $d_k = 64$ that turns 0.866 into 0.108, less than the raw
# mean of 0.223! But this factor is the same for all rows, and a larger
# learning rate undoes it. What no learning rate undoes is a row that is
# stuck. So we count the rows whose trace is below 0.01.

# %%
claim(once[1, 1, 2] / 8, 0.10, 0.115, "mean trace at q·k itself, scaled, 64")
for i, size in enumerate((4, 64, 512)):
    text = f"share of stuck rows, raw, d_k = {size}"
    claim(
        runs[:, i, 0, 3].mean(),
        *[(0, 0.01), (0.2, 0.28), (0.6, 0.68)][i],
        text,
    )
assert (runs[:, :, 1, 3] == 0).all()
print("stuck rows with scaling: 0 of 18,000")

# %% [markdown]
# And in a trained model? MiniLM's heads have $d_k = 32$. We take the scores
# of all its heads on our sentence, as they are and with the division undone.

# %%
spread_in, largest = [], []
for level, block in enumerate(model.encoder.layer):
    inner, below = block.attention.self, seen.hidden_states[level]
    with torch.no_grad():
        q, k = (
            layer(below).view(1, 28, 12, 32).transpose(1, 2)
            for layer in (inner.query, inner.key)
        )
    raw = q @ k.mT
    spread_in.append((raw / math.sqrt(32)).std(-1).mean(-1))
    largest.append(raw.softmax(-1).amax(-1).mean())
of_heads = torch.cat(spread_in)  # (layer, head)
assert of_heads.shape == (6, 12)
claim(of_heads.mean(), 1.55, 1.78, "spread of scaled scores, mean of 72 heads")
claim(of_heads.min(), 0.4, 0.65, "the same, head with the least")
claim(of_heads.max(), 10.5, 12.2, "the same, head with the most")
claim(real.amax(-1).mean(), 0.42, 0.50, "mean largest weight, scaled")
claim(torch.stack(largest).mean(), 0.85, 0.95, "the same, division undone")

# %% [markdown]
# The division sets the spread to 1 for random vectors only. In the trained
# heads it lies between about 0.5 and 11. The last line is not a model that
# anyone trained: without the division it would have learned other matrices.

# %% [markdown]
# ## What lectures get wrong
#
# Eight statements from lectures, each with what is so and a cell that shows
# it.

# %% [markdown]
# @fact F-10

# %%
draw = {"generator": seed_everything(6)}
embeddings = torch.randn(7, 512, **draw)
by_itself = embeddings @ embeddings.T
assert by_itself.shape == (7, 7)  # a dot product of embeddings: numbers
w_query, w_key, w_value = torch.randn(3, 512, 64, **draw) / math.sqrt(512)
query, key, value = (embeddings @ w for w in (w_query, w_key, w_value))
assert query.shape == key.shape == value.shape == (7, 64)  # vectors
assert not torch.allclose(query, key)
print("7 embeddings × a matrix of 512 × 64 → 7 vectors of 64")

# %% [markdown]
# @fact F-11

# %%
scores = torch.tensor([112.0, 96.0], dtype=torch.float64)
by_key = (scores / math.sqrt(64)).softmax(0)[0].item()
by_embedding = (scores / math.sqrt(512)).softmax(0)[0].item()
print(f"√64: {by_key:.3f}, √512: {by_embedding:.3f}")
assert (round(by_key, 3), round(by_embedding, 3)) == (0.881, 0.670)

# %% [markdown]
# @fact F-12

# %%
assert (query @ key.T).shape == (7, 7)
try:
    query @ key
except RuntimeError as error:
    print(type(error).__name__, "for 7 × 64 times 7 × 64")
else:
    raise AssertionError("the product without the transpose was accepted")
square_query, square_key = query[:, :7], key[:, :7]
assert not torch.allclose(
    square_query @ square_key, square_query @ square_key.T
)

# %% [markdown]
# @fact F-13
#
# Here is such a listing. We wrote it, with all seven defects in it.

# %%
LISTING = """
def attention(X in):
    for i in rang(sequence_lenght):
        for j in rang(sequence_lenght):
            relevance[i, j] = scaled_softmax(this query[i] * key[j])
    for i in rang(sequence_lenght):
        out[i] = 0
        for j in rang(sequence_lenght):
            out[i] = out[i] + relevance[i, j] * value[j]
    return out
"""

# %% [markdown]
# A **bug hunt**: run it, read the complaint, repair one defect, run again.
# Every repair is a piece of text and what replaces it. The names are those of
# the box above.

# %%
CREATE = """
    query, key, value = x_in @ w_query, x_in @ w_key, x_in @ w_value
    relevance = torch.zeros(len(x_in), len(x_in))
    out = torch.zeros(len(x_in))
    for i in range(len(x_in)):
        for j"""
SCALED = "query[i] * key[j] / math.sqrt(len(key[j]))"
ROWS = """
    weights = relevance.softmax(dim=-1)
    for i in range(len(x_in)):
        out[i] ="""
WIDE, ROW = "zeros(value.shape)", " = torch.zeros(value.shape[1])\n"
REPAIRS = [
    ("broken names", {"X in": "x_in", "this query": "query"}),
    ("`rang`", {"rang": "range"}),
    ("the misspelled length", {"sequence_lenght": "len(x_in)"}),
    ("the hidden scaling", {"scaled_softmax(query[i] * key[j])": SCALED}),
    (
        "names never created",
        {"\n    for i in range(len(x_in)):\n        for j": CREATE},
    ),
    ("element-wise `*`", {"query[i] * key[j]": "query[i] @ key[j]"}),
    ("a number for a vector", {"zeros(len(x_in))": WIDE, " = 0\n": ROW}),
]

# %% [markdown]
# The hidden `scaled_softmax` stood in the wrong place as well. It saw one
# score at a time, and the softmax of a single number is 1. So its repair has
# two parts: the scaling stays with the score, the softmax moves to the row.

# %%
assert torch.tensor([112.0]).softmax(0).item() == 1.0
softmax_per_row = {
    "\n    for i in range(len(x_in)):\n        out[i] =": ROWS,
    "relevance[i, j] * value": "weights[i, j] * value",
}
draw = {"generator": seed_everything(7)}
x_in = torch.randn(7, 13, **draw)
w_query, w_key = torch.randn(2, 13, 5, **draw)
w_value = torch.randn(13, 3, **draw)


def complaint(listing):
    names = {"math": math, "torch": torch, "w_query": w_query}
    names |= {"w_key": w_key, "w_value": w_value}
    try:
        exec(listing, names)
        return names["attention"](x_in)
    except Exception as error:
        return type(error).__name__


# %%
listing, complaints = LISTING, []
for defect, changes in REPAIRS:
    complaints.append(complaint(listing))
    print(f"{complaints[-1]:<12} ← {defect}")
    for old, new in changes.items():
        assert old in listing
        listing = listing.replace(old, new)
expected = ["SyntaxError", *["NameError"] * 4, *["RuntimeError"] * 2]
assert complaints == expected

# %% [markdown]
# No complaint is left. That does not make it right: the softmax over the row
# is still missing. So we compare, before that last change and after it.

# %%
projected = x_in @ w_query, x_in @ w_key, x_in @ w_value
reference = F.scaled_dot_product_attention(*projected)
silent = complaint(listing)  # runs, and is wrong
assert (silent - reference).abs().max() > 1
for old, new in softmax_per_row.items():
    assert old in listing
    listing = listing.replace(old, new)
print(listing.strip())
repaired = complaint(listing)
assert (repaired - reference).abs().max() < 1e-5
assert torch.allclose(
    repaired, scaled_dot_product_attention(*projected)[0], atol=1e-5
)

# %% [markdown]
# The listing still has no mask, no batch, no heads, and no output matrix
# $W^O$. Chapter 03 adds heads and $W^O$, chapter 07 the masks.

# %% [markdown]
# @fact F-14

# %%
draw = {"generator": seed_everything(8)}
x = torch.randn(6, 13, **draw)
w_q, w_k, w_v = torch.randn(3, 13, 13, **draw) / math.sqrt(13)
_, weights = attend(x, x)
correlation = torch.corrcoef(x)
assert torch.allclose(correlation, correlation.T, atol=1e-6)
assert torch.allclose(correlation.diagonal(), torch.ones(6))
assert correlation.min() < 0
assert (weights >= 0).all()
assert torch.allclose(weights.sum(-1), torch.ones(6))
assert (weights - weights.T).abs().max() > 0.1
assert (weights.diagonal() < 0.9).all()
# Nothing is centered: a constant added to all words changes the weights.
assert torch.allclose(torch.corrcoef(x + 3), correlation, atol=1e-4)
assert (attend(x + 3, x + 3)[1] - weights).abs().max() > 0.1

# %%
figure, panels = plt.subplots(1, 2, figsize=(7.0, 3.2))
labels = [str(i) for i in range(6)]
for panel, matrix, title in (
    (panels[0], weights, "attention weights"),
    (panels[1], correlation, "correlation of the rows"),
):
    plotting.draw_heatmap(panel, matrix, labels, labels, title=title)
    panel.set(xlabel="key, token number", ylabel="query, token number")
plotting.show(
    figure,
    alt="Two grids of 6 by 6 numbers. Left, attention weights: none negative,"
    " not symmetric. Right, correlations: symmetric, ones on the diagonal,"
    " some negative.",
)

# %% [markdown]
# “Best buddies” is a friendlier picture, and fails in the same place:
# friends are mutual, attention is not. Here is a real pair. In MiniLM's head
# from above, *making* gives *difficult* its largest weight, and gets little
# back.

# %%
there = real[layer, head, making, difficult]
back = real[layer, head, difficult, making]
claim(there, 0.46, 0.50, "making → difficult")
claim(back, 0.0, 0.05, "difficult → making")
assert there > 10 * back

# %% [markdown]
# @fact F-15

# %%
output, weights = scaled_dot_product_attention(*projected)
late = (projected[0] @ projected[1].T / math.sqrt(5)) @ projected[2]
late = late.softmax(dim=-1)
assert (late >= 0).all()
assert (output < 0).any()
assert not torch.allclose(late, reference, atol=0.1)
print("softmax at the end gives another result, with no negative number")

# %% [markdown]
# @fact F-16

# %%
draw = {"generator": seed_everything(0)}
scores = torch.randn(500, 64, **draw) @ torch.randn(16, 64, **draw).T
for numbers, spread in ((scores, 8), (scores / 8, 1)):
    claim(numbers.std(), 0.85 * spread, 1.15 * spread, "spread of the scores")
    assert (numbers.sum(-1) - 1).abs().mean() > 0.5  # not normalized
    total = numbers.softmax(-1).sum(-1)
    assert torch.allclose(total, torch.ones(500), atol=1e-5)  # normalized

# %% [markdown]
# @fact F-17

# %%
assert torch.allclose(weights.sum(-1), torch.ones(7), atol=1e-6)
sums = output.sum(-1)
print("sums of the rows of Z:", [round(total, 1) for total in sums.tolist()])
assert ((sums - 1).abs() > 0.1).any()
twice, _ = scaled_dot_product_attention(*projected[:2], 2 * projected[2])
assert torch.allclose(twice, 2 * output)  # so no sum is fixed

# %% [markdown]
# ## Exercises
#
# [Exercises 02](../exercises/02_attention_arithmetic.ipynb), about 60
# minutes:
#
# 1. fill the table for new scores,
# 2. build vectors with given dot products,
# 3. repair the listing, for two inputs,
# 4. show that attention is not symmetric,
# 5. count the scores.

# %% [markdown]
# ## Summary
#
# - Attention is score, scale, softmax, mix: 112, 96 → 14, 12 → 0.88, 0.12
#   → $z$.
# - Queries, keys and values are embeddings times three learned matrices.
# - A score of $d_k$ random products spreads by $\sqrt{d_k}$. Dividing by it
#   keeps the softmax of such scores away from saturation.
# - The weights of a row sum to 1; the matrix need not be symmetric. The
#   output is a mixture of values, and its rows have no fixed sum.
# - All pairs are compared at once, at a price: $N^2$ scores per head.
#
# **Next.** One such function gives one view of a sentence. Chapter 03 runs
# many side by side, and asks who *it* is.

# %% [markdown]
# ## Sources
#
# - A. Vaswani et al. (2017), *Attention Is All You Need*: eq. 1 and §3.2.1
#   (scaled dot product; footnote 4 gives the variance), §3.2.2 ($d_k$ = 64),
#   Figure 2 (the five boxes), §2 (intra-attention), Figure 3 (the sentence
#   of 26 tokens).
# - M.-T. Luong, H. Pham, C. D. Manning (2015), *Effective Approaches to
#   Attention-based Neural Machine Translation*, §3.1: the dot product as a
#   score, unscaled.
# - D. Bahdanau, K. Cho, Y. Bengio (2015), *Neural Machine Translation by
#   Jointly Learning to Align and Translate*, §3.1, eq. 5 and 6: weights by
#   softmax, output as a mixture.
# - W. Wang et al. (2020), *MiniLM: Deep Self-Attention Distillation for
#   Task-Agnostic Compression of Pre-Trained Transformers*, and N. Reimers and
#   I. Gurevych (2019), *Sentence-BERT*: the real encoder, all-MiniLM-L6-v2.
