# %% [markdown]
# # 05 · Where am I? Position
#
# **Attention compares all words at once. How does it know which came
# first?**

# %% [markdown]
# After this chapter you will be able to
#
# - show that attention alone cannot tell one word order from another,
# - build the sinusoidal matrix number by number, and test its properties,
# - contrast it with a learned table, and say where such a table ends,
# - build relative and rotary positions, in which only the distance counts,
# - say what each of them does beyond the lengths of its training.
#
# **Needs:** chapters 02, 03 and 04, sine and cosine.
# **Reading time:** 60 minutes. **Run time on a GPU:** not yet measured.

# %% tags=["nbval-ignore-output"]
from bertbook.runtime import SCALE, claim, device, seed_everything

print(f"device {device}, scale {SCALE}")

# %%
import math
import statistics

import matplotlib.pyplot as plt
import numpy as np
import torch
from torch import nn

from bertbook import corpora, plotting
from bertbook.runtime import load_results

# %% [markdown]
# ## Step 2 of 7
#
# This chapter fills in the second step of the book's map: what is added to
# the token embeddings of chapter 04 before attention sees them.

# %%
plotting.show(
    plotting.book_map(filled={1, 2, 3}),
    alt="The book's map, seven boxes from bottom to top. Token embeddings,"
    " positions and self-attention are filled in; the other four are"
    " outlines.",
)

# %% [markdown]
# ## The picture of this chapter
#
# One vector per position. On the left a small case, four positions and four
# numbers each, small enough to compute by hand. On the right the same recipe
# for 50 positions and 128 numbers.
# Look at one column of the right picture, from top to bottom. Each column is
# a wave. On the left side of the picture the waves are short, on the right
# side so long that 50 positions see a small piece of one.


# %%
def positions_in_numpy(length, width, n=10_000):
    """The listing of many slides, in six lines of NumPy."""
    table = np.zeros((length, width))
    for k in range(length):
        for i in range(width // 2):
            angle = k / n ** (2 * i / width)
            table[k, 2 * i] = np.sin(angle)
            table[k, 2 * i + 1] = np.cos(angle)
    return table


small = positions_in_numpy(4, 4, n=100)
large = positions_in_numpy(50, 128)
assert small.shape == (4, 4)
assert large.shape == (50, 128)

# %%
WORDS = ["I", "am", "a", "robot"]
figure, panels = plt.subplots(1, 2, figsize=(7.4, 3.4), width_ratios=[1, 1.35])
rows = [f"{k} {word}" for k, word in enumerate(WORDS)]
plotting.draw_heatmap(
    panels[0], small, rows, list("0123"), title="4 positions, n = 100",
    low=-1, high=1,
)  # fmt: skip
image = panels[1].imshow(
    large, cmap="PuOr_r", vmin=-1, vmax=1, aspect="auto", interpolation="none"
)
panels[1].set_title("50 positions, n = 10,000")
panels[1].grid(visible=False)
for panel in panels:
    panel.set(xlabel="dimension", ylabel="position")
figure.colorbar(image, ax=panels[1], label="value")
plotting.show(
    figure,
    alt="Left, a grid of 4 by 4 numbers for the words I am a robot; its first"
    " row is 0, 1, 0, 1. Right, 50 rows and 128 columns of colored stripes:"
    " fast waves at the left edge, slower ones to the right, and nearly"
    " constant columns in the right half.",
)

# %% [markdown]
# ## Order matters, and attention does not see it
#
# *The cat chases the dog* and *the dog chases the cat* have the same words.
# Only their order tells who runs away.
#
# Chapter 02 showed that permuted rows go through attention as permuted rows.
# Here is the same for a whole encoder: attention, feed-forward layers, norms,
# two blocks of them (chapter 06 builds it). A model with this property is
# called **permutation-equivariant**: permute what goes in, and what comes out
# is permuted and otherwise the same. (It holds where every token may read
# every other, as in BERT. A causal mask, chapter 03, breaks it.)
#
# We compute in double precision, so that rounding is near $10^{-16}$.
# The input is an [N × d] matrix $X$, a row for each token. The token's own
# vector and its position's vector are computed separately, then added.

# %%
from bertbook.embeddings import TokenEmbedding
from bertbook.positions import SinusoidalPositions
from bertbook.transformer import Encoder, TransformerConfig

VOCABULARY = {"the": 0, "cat": 1, "chases": 2, "dog": 3}
SIZES = TransformerConfig(
    vocab_size=4, d_model=32, num_heads=4, d_ff=64, num_layers=2, dropout=0.0
)


def ids_of(sentence):
    return torch.tensor([[VOCABULARY[word] for word in sentence.split()]])


cat_first = ids_of("the cat chases the dog")
dog_first = ids_of("the dog chases the cat")
order = [0, 4, 2, 3, 1]
assert torch.equal(cat_first[:, order], dog_first)


# %%
def order_gap(seed, positions):
    """The largest differences: token by token, and between the means."""
    seed_everything(seed)
    embed = TokenEmbedding(4, 32).double()
    encoder = Encoder(SIZES).double().eval()
    with torch.no_grad():
        x, y = embed(cat_first), embed(dog_first)
        assert x.shape == y.shape == (1, 5, 32)  # [N × d], in a batch of 1
        one, other = encoder(positions(x)), encoder(positions(y))
    tokens = (one[:, order] - other).abs().max().item()
    means = (one.mean(1) - other.mean(1)).abs().max().item()
    return tokens, means


SEEDS = (0, 1, 2, 3, 4)
without = [order_gap(seed, nn.Identity()) for seed in SEEDS]
added = [order_gap(seed, SinusoidalPositions(32).double()) for seed in SEEDS]
assert max(max(gaps) for gaps in without) < 1e-14
print("without positions: below 1e-14, token by token and in the mean")

# %%
bands = (("tokens", 0, 0.7, 1.4), ("mean", 1, 0.03, 0.07))
for name, place, low, high in bands:
    gaps = [pair[place] for pair in added]
    text = f"with positions, {name}, smallest of 5 seeds"
    claim(min(gaps), low, high, text)

# %% [markdown]
# Without positions, the two sentences are the *same* to the encoder, up to
# the last bits of the numbers. No training could separate them. With
# positions they differ, before any training. And a causal mask alone is
# enough to tell them apart: the first word then reads one word, the last one
# reads five.

# %%
causal = torch.ones(1, 5, 5, dtype=torch.bool).tril()


def causal_gap(seed):
    seed_everything(seed)
    embed = TokenEmbedding(4, 32).double()
    encoder = Encoder(SIZES).double().eval()
    with torch.no_grad():
        one = encoder(embed(cat_first), causal)
        other = encoder(embed(dog_first), causal)
    return (one.mean(1) - other.mean(1)).abs().max().item()


smallest = min(causal_gap(seed) for seed in SEEDS)
claim(smallest, 0.1, 0.4, "causal mask, no positions, smallest of 5 seeds")

# %% [markdown]
# Is this so in a real encoder? MiniLM, which has no such mask, adds a learned
# vector per position. We may give every token position 0. Then the same
# vector is added to all tokens, and nothing tells their order.

# %%
tokenizer, model = corpora.minilm()
PAIR = ["the cat chases the dog", "the dog chases the cat"]
batch = tokenizer(PAIR, return_tensors="pt").to(device)


def mean_gap(**choice):
    with torch.no_grad():
        hidden = model(**batch, **choice).last_hidden_state
    one, other = hidden.mean(dim=1)
    return ((one - other).norm() / one.norm()).item()


everywhere_zero = torch.zeros_like(batch["input_ids"])
assert mean_gap(position_ids=everywhere_zero) < 1e-4
claim(mean_gap(), 0.12, 0.21, "MiniLM, gap relative to the mean's length")
print("all at position 0: the gap is rounding")

# %% [markdown]
# A common claim goes further: without positions a model would produce word
# salad, or hallucinate; with them it translates as well as a web service.
# The part we can compute is this: an encoder without positions sees a **bag
# of words**, and a bag has no order to get right or wrong. An encoder writes
# no text, so it writes no word salad either. And a made-up fact is no fault
# of order: its words come in perfect order.
#
# ## Two schemes that fail
#
# We want to turn a position $k$ into numbers. Two ideas come first.
#
# 1. **The raw index**: add $k$ itself. Token 500 then gets 500 added, beside
#    embeddings whose entries are near 1. Nothing bounds it.
# 2. **The scaled index**: add $k / (L-1)$, for a text of $L$ tokens. It stays
#    between 0 and 1. But one step is $1/(L-1)$: 0.25 in a text of 5 tokens,
#    0.0204 in one of 50. The number 0.25 means “the next word” in the first
#    text and “about twelve words on” in the second.


# %%
def raw_index(length):
    return torch.arange(length).double()[:, None]


def scaled_index(length):
    return raw_index(length) / (length - 1)


steps = {L: scaled_index(L).diff(dim=0)[0].item() for L in (5, 50)}
print({L: round(step, 4) for L, step in steps.items()})
assert steps[5] == 0.25
assert round(steps[50], 4) == 0.0204
assert raw_index(501).max() == 500

# %%
figure, panels = plt.subplots(1, 2, figsize=(7.0, 2.8))
for length, mark in ((5, "o"), (50, ".")):
    for panel, scheme in zip(panels, (raw_index, scaled_index), strict=True):
        numbers = scheme(length)[:, 0]
        panel.plot(numbers, mark, ls="-", lw=0.8, label=f"L = {length}")
for panel, title in zip(panels, ("raw index", "scaled index"), strict=True):
    panel.set(xlabel="position", ylabel="number added", title=title)
    panel.legend()
plotting.show(
    figure,
    alt="Left, the raw index: both texts lie on one line that grows to 49."
    " Right, the scaled index: both texts end at 1, the one with 5 tokens in"
    " steps of 0.25, the one with 50 tokens in steps of 0.02.",
)

# %% [markdown]
# A single number is also thin. Embeddings have hundreds of entries, so a
# position may have hundreds as well: *one vector per position*, in a matrix
# with one row per position.
#
# ## What we ask of a scheme
#
# Four properties are usually asked for:
#
# - *unique*: no two positions have the same vector,
# - *consistent*: a step of one has the same length everywhere, in short
#   and in long texts,
# - *bounded*: there is a vector for any position, however far, and its
#   entries stay small,
# - *deterministic*: it is computed, not drawn or trained.
#
# We test them on four schemes. A learned table is one row of free numbers per
# position, 512 rows as in BERT; it starts random, and we take it as it
# starts. A pass here is a pass at the sizes we try: 64 numbers, texts of 5,
# 50 and 600 tokens.

# %%
from bertbook.positions import LearnedPositions  # @show


# %%
def learned(length, seed=0):
    seed_everything(seed)
    table = LearnedPositions(512, 64)
    return table(torch.zeros(1, length, 64))[0].detach().double()


def sinusoid(length):
    return torch.tensor(positions_in_numpy(length, 64))


# %%
def unique(scheme):
    far = torch.cdist(scheme(50), scheme(50)) + torch.eye(50)
    return bool(far.min() > 1e-3)


def consistent(scheme):
    steps = [scheme(length).diff(dim=0).norm(dim=1) for length in (5, 50)]
    steps = torch.cat(steps)
    return bool((steps - steps[0]).abs().max() < 1e-9)


def bounded(scheme):
    try:
        return bool(scheme(600).abs().max() <= 1)
    except ValueError:
        return False  # the table ends


def deterministic(scheme):
    if scheme is learned:
        return torch.equal(learned(50, seed=0), learned(50, seed=1))
    return torch.equal(scheme(50), scheme(50))


# %%
PROPERTIES = (unique, consistent, bounded, deterministic)
passed = {
    scheme.__name__: [check(scheme) for check in PROPERTIES]
    for scheme in (sinusoid, learned, raw_index, scaled_index)
}
print(f"{'':13}", *(f"{check.__name__:>13}" for check in PROPERTIES))
for name, verdicts in passed.items():
    words = ["yes" if verdict else "no" for verdict in verdicts]
    print(f"{name:13}", *(f"{word:>13}" for word in words))
assert passed == {
    "sinusoid": [True, True, True, True],
    "learned": [True, False, False, False],
    "raw_index": [True, True, False, True],
    "scaled_index": [True, False, True, True],
}

# %% [markdown]
# The sinusoid has all four. That is a statement about *vectors*, not about
# models: BERT uses the learned table, which fails three of them, and works.
# The experiment below tests models.
#
# ## Sines and cosines, by hand
#
# Take pairs of dimensions. Pair $i$ has dimensions $2i$ and $2i+1$ and turns
# at its own speed $\omega_i$, in radians per position:
#
# $$p_k[2i] = \sin(\omega_i k), \qquad p_k[2i+1] = \cos(\omega_i k), \qquad
#   \omega_i = n^{-2i/d} .$$
#
# $d$ is the width of a vector. The number $n$ is ours to choose; the paper
# takes 10,000. Think of $d/2$ clock hands. The first is fast, each further
# one slower, and the position is the time they show.
#
# By hand, for $d = 4$ and $n = 100$: the speeds are $100^0 = 1$ and
# $100^{-2/4} = 1/10$. The word *am* has position 1:
#
# | dimension | 0 | 1 | 2 | 3 |
# |---|---|---|---|---|
# | formula | $\sin 1$ | $\cos 1$ | $\sin 0.1$ | $\cos 0.1$ |
# | value | 0.84147098 | 0.54030231 | 0.09983342 | 0.99500417 |
#
# Positions count from 0, so the first row is $\sin 0, \cos 0, \sin 0,
# \cos 0$: 0, 1, 0, 1. Here is all of *I am a robot*, to eight digits.

# %%
I_AM_A_ROBOT = [
    [0.00000000, 1.00000000, 0.00000000, 1.00000000],
    [0.84147098, 0.54030231, 0.09983342, 0.99500417],
    [0.90929743, -0.41614684, 0.19866933, 0.98006658],
    [0.14112001, -0.98999250, 0.29552021, 0.95533649],
]
assert np.abs(small - I_AM_A_ROBOT).max() <= 5e-9
for word, row in zip(WORDS, small, strict=True):
    print(f"{word:6}", *(f"{number:12.8f}" for number in row))

# %% [markdown]
# No word went into it. *You were one robot* would get the same matrix: the
# rows depend on the position alone. A longer text has further rows, and the
# first ones stay. Five words of a greeting:

# %%
five = positions_in_numpy(5, 4, n=100)
assert np.array_equal(five[:4], small)
print("row 4:", five[4].round(8).tolist())
LAST = [-0.7568025, -0.65364362, 0.38941834, 0.92106099]
assert np.abs(five[4] - LAST).max() <= 5e-9

# %% [markdown]
# ## Four wrong layouts
#
# The formula is short, and four slips are common.


# %%
def exponent_i(k, i, d, n):  # i/d: the pair's second half turns on its own
    angle = k / n ** (i / d)
    return math.sin(angle) if i % 2 == 0 else math.cos(angle)


def parity_of_position(k, i, d, n):  # even positions sine, odd ones cosine
    angle = k / n ** (2 * (i // 2) / d)
    return math.sin(angle) if k % 2 == 0 else math.cos(angle)


def from_one(k, i, d, n):  # the first position is 1
    angle = (k + 1) / n ** (2 * (i // 2) / d)
    return math.sin(angle) if i % 2 == 0 else math.cos(angle)


def halves(k, i, d, n):  # all sines, then all cosines
    angle = k / n ** (2 * (i % (d // 2)) / d)
    return math.sin(angle) if i < d // 2 else math.cos(angle)


# %%
ROW_OF_POSITION_1 = {
    exponent_i: [0.84147098, 0.95041528, 0.09983342, 0.99950004],
    parity_of_position: [0.54030231, 0.54030231, 0.99500417, 0.99500417],
    from_one: [0.90929743, -0.41614684, 0.19866933, 0.98006658],
    halves: [0.84147098, 0.09983342, 0.54030231, 0.99500417],
}
wrong = {
    layout: np.array([[layout(k, i, 4, 100) for i in range(4)]
                      for k in range(4)])
    for layout in ROW_OF_POSITION_1
}  # fmt: skip
print(f"{'right':19}", small[1].round(8).tolist())
for layout, row in ROW_OF_POSITION_1.items():
    print(f"{layout.__name__:19}", row)
    assert np.abs(wrong[layout][1] - row).max() <= 5e-9
    assert np.abs(wrong[layout] - small).max() > 0.1

# %%
assert np.allclose(wrong[from_one][:3], small[1:])  # one row ahead
assert np.allclose(wrong[halves][:, [0, 2, 1, 3]], small)  # same columns
assert np.ptp(wrong[parity_of_position][0]) == 0  # row 0 is all zeros

# %% [markdown]
# The last one is no mistake in itself. It has the same columns in another
# order, and the authors' own program uses this layout (tensor2tensor,
# `get_timing_signal_1d`; its speeds differ a little, see below). A model does
# not care, since the next matrix can be permuted in the same way. But a
# matrix that is to equal ours must be laid out like ours.
#
# ## The library's version
#
# The same formula without loops, and in one call.

# %%
from bertbook.positions import sinusoidal_positions  # @show

# %%
torch.set_default_dtype(torch.float64)
table = sinusoidal_positions(4, 4, base=100.0)
wide = sinusoidal_positions(50, 128)
torch.set_default_dtype(torch.float32)
assert np.abs(table.numpy() - I_AM_A_ROBOT).max() <= 5e-9
assert np.abs(wide.numpy() - large).max() < 1e-12
try:
    sinusoidal_positions(4, 7)
except ValueError as error:
    print(error)

# %% [markdown]
# PyTorch has no such function. We use its complex numbers instead: the pair
# (sin, cos) of an angle is the imaginary and the real part of
# $e^{\mathrm{i}\omega k}$. Hugging Face's RoFormer, a model of this chapter's
# second half, has a table of its own, in the halves layout.

# %%
from transformers.models.roformer.modeling_roformer import (
    RoFormerSinusoidalPositionalEmbedding,
)

speeds = 10_000 ** (-torch.arange(0, 128, 2, dtype=torch.float64) / 128)
angles = torch.arange(50).double()[:, None] * speeds
turned = torch.polar(torch.ones_like(angles), angles)
by_pytorch = torch.stack([turned.imag, turned.real], dim=-1).flatten(1)
assert (wide - by_pytorch).abs().max() < 1e-12

theirs = RoFormerSinusoidalPositionalEmbedding(50, 128).create_weight()
ours = torch.cat([wide[:, 0::2], wide[:, 1::2]], dim=1)
assert (ours - theirs).abs().max() < 1e-6
print("hand = library = PyTorch = Hugging Face")

# %% [markdown]
# ## What n does: wavelengths
#
# Pair $i$ repeats after $2\pi / \omega_i = 2\pi n^{2i/d}$ positions, its
# **wavelength**. With $n = 100$ and $d = 4$ the two wavelengths are $2\pi$
# and $20\pi$. The paper says that the wavelengths run from $2\pi$ to
# $10000 \cdot 2\pi$. By its formula the upper end is a bound: the last pair of
# $d = 512$ has the exponent 510/512, and stops short of it. (The authors'
# program divides by $d/2 - 1 = 255$ where the formula has $d/2 = 256$. There
# the last exponent is 1, and the bound is reached.)


# %%
def wavelengths(d, n):
    return 2 * math.pi * n ** (np.arange(0, d, 2) / d)


assert np.allclose(wavelengths(4, 100), [2 * math.pi, 20 * math.pi])
longest = wavelengths(512, 10_000)[-1]
print(f"{longest:,.2f} of at most {2 * math.pi * 10_000:,.2f} positions")
assert round(longest, 2) == 60_611.48
assert round(2 * math.pi * 10_000, 2) == 62_831.85
other_n = positions_in_numpy(2, 4, n=10_000)[1].round(8)
assert other_n.tolist() == [0.84147098, 0.54030231, 0.00999983, 0.99995]

# %%
figure, ax = plt.subplots(figsize=(6.4, 3.0))
for n in (100, 10_000, 1_000_000):
    ax.plot(range(256), wavelengths(512, n), label=f"n = {n:,}")
ax.set(
    xlabel="pair of dimensions, d = 512",
    ylabel="wavelength, in positions",
    yscale="log",
)
ax.legend()
plotting.show(
    figure,
    alt="Wavelength against the pair of dimensions, on a logarithmic axis:"
    " three straight lines that start at 6.3 and end near 600, 60 thousand"
    " and 6 million positions, for n of 100, 10 thousand and 1 million.",
)

# %% [markdown]
# ## Same length, same step
#
# **Every vector has the same length.** Each pair is a sine and a cosine of
# one angle, and $\sin^2 + \cos^2 = 1$. There are $d/2$ pairs, so
# $\lVert p_k \rVert^2 = d/2$: 2 for $d = 4$, and 256 for $d = 512$.
#
# **Every step has the same length.** The dot product of two rows is
#
# $$p_j \cdot p_k = \sum_i \bigl(\sin\omega_i j \sin\omega_i k
#   + \cos\omega_i j \cos\omega_i k\bigr) = \sum_i \cos \omega_i (j - k) .$$
#
# Only the difference $j - k$ is left. So the distance of two rows, with
# $\lVert p_j - p_k \rVert^2 = d - 2\, p_j \cdot p_k$, depends on it alone.

# %%
robot = torch.tensor(positions_in_numpy(40, 4, n=100))
assert (robot.square().sum(1) - 2).abs().max() < 1e-12
wide = torch.tensor(positions_in_numpy(40, 512))
assert (wide.square().sum(1) - 256).abs().max() < 1e-9

for distance, length in ((1, 0.96404723), (2, 1.69474497)):
    lengths = (robot[distance:] - robot[:-distance]).norm(dim=1)
    print(f"distance {distance}: {lengths[0]:.8f} everywhere")
    assert (lengths - length).abs().max() <= 5e-9

# %% [markdown]
# ## A step is a rotation
#
# Why is every step the same? Because a step turns each clock hand by its own
# angle, whatever time it shows. The addition formulas say it for one pair:
#
# $$\begin{pmatrix} \sin\omega(k+1) \\ \cos\omega(k+1) \end{pmatrix} =
# \begin{pmatrix} \cos\omega & \sin\omega \\ -\sin\omega & \cos\omega
# \end{pmatrix}
# \begin{pmatrix} \sin\omega k \\ \cos\omega k \end{pmatrix} .$$
#
# One such block for each pair, along the diagonal of a matrix $R$:
# $p_{k+1} = R\, p_k$, with the same $R$ for all $k$. Its powers reach every
# other distance: $p_{k+m} = R^m p_k$. The paper hoped that a model could
# learn to attend by distance because of this.


# %%
def step_matrix(d, n):
    blocks = []
    for i in range(d // 2):
        w = n ** (-2 * i / d)
        block = [[math.cos(w), math.sin(w)], [-math.sin(w), math.cos(w)]]
        blocks.append(torch.tensor(block, dtype=torch.float64))
    return torch.block_diag(*blocks)


R = step_matrix(4, 100)
assert (robot[1:] - robot[:-1] @ R.T).abs().max() < 1e-12
seven = torch.linalg.matrix_power(R, 7)
assert (robot[7:] - robot[:-7] @ seven.T).abs().max() < 1e-12
assert torch.allclose(R @ R.T, torch.eye(4).double())  # a rotation
print("one matrix takes every row to the next")

# %% [markdown]
# ## Near is not the same as similar
#
# Equal steps suggest that similarity falls with distance. It does not have
# to. Here is $p_0 \cdot p_k$ for $d = 4$ and $n = 100$.

# %%
similar = (robot @ robot[0])[:9]
print([round(number, 4) for number in similar.tolist()])
EXPECTED = [2, 1.5353, 0.5639, -0.0347, 0.2674, 1.1612, 1.7855, 1.5187, 0.5512]
assert (similar - torch.tensor(EXPECTED)).abs().max() <= 5e-5
assert similar[6] > similar[1]

# %% [markdown]
# Position 6 is more similar to position 0 than position 1 is: the fast pair
# has come round. With 512 dimensions most pairs are slow, and the picture is
# calmer: similarity falls for 43 steps, and only then begins to go up and
# down.

# %%
figure, ax = plt.subplots(figsize=(6.4, 3.0))
narrow = torch.tensor(positions_in_numpy(120, 4, n=100))
wide = torch.tensor(positions_in_numpy(120, 512))
for table, name in ((narrow, "d = 4, n = 100"), (wide, "d = 512, n = 10,000")):
    ax.plot(table @ table[0] / (table[0] @ table[0]), label=name)
ax.set(xlabel="distance k, in positions", ylabel="p₀·pₖ / p₀·p₀")
ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2)
plotting.show(
    figure,
    alt="Similarity with position 0 against distance. With 4 dimensions the"
    " curve falls, rises again to 0.9 at distance 6, and goes on like a wave."
    " With 512 dimensions it falls to 0.7 within ten positions and then"
    " slowly, to 0.44 at distance 100, with small ripples.",
)
rises = (wide @ wide[0]).diff() > 0
assert not rises[:43].any()
assert rises[43]
print("d = 512: the first rise is from distance 43 to 44")

# %% [markdown]
# ## Add or concatenate?
#
# We have a token's vector $x$ and a position's vector $p$. Some slides
# *concatenate* them, and put one behind the other. The Transformer *adds*
# them, so both have the same width.
#
# The two are closely related. A matrix that multiplies the concatenation
# falls into two parts, $[x; p]\,W = x W_x + p W_p$. Adding first gives
# $(x + p)\,W = xW + pW$. So adding is concatenation with $W_x = W_p$: half
# the parameters, and token and position share the room. And where the whole
# model keeps the double width, each matrix is twice as high and twice as
# wide: four times the parameters, as the last lines print.

# %%
draw = {"generator": seed_everything(0), "dtype": torch.float64}
x, p = torch.randn(2, 7, 6, **draw)
W = torch.randn(12, 6, **draw)
both = torch.cat([x, p], dim=1) @ W
assert torch.allclose(both, x @ W[:6] + p @ W[6:])
tied = torch.cat([W[:6], W[:6]])
assert torch.allclose(torch.cat([x, p], 1) @ tied, (x + p) @ W[:6])


def projection_weights(width):
    return 3 * width * width  # queries, keys and values, as wide as the input


print(f"added, width 512:          {projection_weights(512):,}")
print(f"concatenated, width 1,024: {projection_weights(1024):,}")
assert projection_weights(512) == 786_432
assert projection_weights(1024) == 3_145_728

# %%
figure, ax = plt.subplots(figsize=(7.0, 2.7))
ax.set(xlim=(-0.9, 4), ylim=(-0.7, 2.5))
ax.axis("off")
for column, word in enumerate(WORDS):
    boxes = (
        (0, f"position {column}", plotting.ORANGE),
        (1, word, plotting.SKY),
        (2, f"x{'₀₁₂₃'[column]} + p{'₀₁₂₃'[column]}", plotting.PANEL),
    )
    for level, text, color in boxes:
        frame = {"boxstyle": "round", "fc": color, "ec": plotting.INK}
        ax.text(column + 0.3, level, text, ha="center", bbox=frame)
    ax.text(column + 0.3, 0.52, "+", ha="center")
    ax.annotate("", (column + 0.3, 1.85), (column + 0.3, 1.35),
                arrowprops={"arrowstyle": "->"})  # fmt: skip
ax.text(-0.85, 1, "token\nembedding", va="center")
ax.text(-0.85, 2, "input X\n[4 × d]", va="center")
ax.text(-0.85, 0, "position\nvector", va="center")
plotting.show(
    figure,
    alt="Four columns, one for each word of I am a robot. At the bottom the"
    " positions 0 to 3, above them the words, a plus between each pair, and"
    " on top the sum of the two vectors: the input, one row per word.",
)

# %% [markdown]
# ## BERT's learned table
#
# BERT has no sine and no cosine. It has a second embedding table: one row of
# free numbers per position, trained like the table of the words. That is the
# `LearnedPositions` shown above.
# We build an empty BERT-base, without memory for its weights, and look.

# %%
from transformers import BertConfig, BertModel

with torch.device("meta"):
    bert = BertModel(BertConfig())
table = bert.embeddings.position_embeddings.weight
assert tuple(table.shape) == (512, 768)
assert table.numel() == 393_216
assert table.requires_grad
print(f"BERT-base: {tuple(table.shape)}, {table.numel():,} parameters")

ours = LearnedPositions(512, 768)
assert sum(p.numel() for p in ours.parameters()) == 393_216
assert not list(SinusoidalPositions(768).parameters())

# %% [markdown]
# The table has rows 0 to 511. What does a text of 513 tokens do? We ask three
# times: the table itself, a small BERT, and our class.

# %%
seed_everything(0)
tiny = BertModel(
    BertConfig(
        vocab_size=99, hidden_size=12, num_hidden_layers=1,
        num_attention_heads=2, intermediate_size=24,
    )
).eval()  # fmt: skip
text = torch.zeros(1, 513, dtype=torch.long)
assert tiny(text[:, :512]).last_hidden_state.shape == (1, 512, 12)
rows = tiny.embeddings.position_embeddings
calls = {
    "row 512 of the table": lambda: rows(torch.tensor([512])),
    "BERT, 513 tokens": lambda: tiny(text),
    "ours, 513 tokens": lambda: ours(torch.zeros(1, 513, 768)),
}
for name, call in calls.items():
    try:
        call()
    except (IndexError, RuntimeError, ValueError) as error:
        print(f"{name}: {type(error).__name__}: {str(error)[:60]}…")
    else:
        raise AssertionError(f"{name} was accepted")

# %% [markdown]
# MiniLM was trained with such a table. Its rows are not random any more:
# training has made neighbors similar. (In the original BERT-base we cannot
# look here: its weights are no part of the small scale.)

# %%
trained = model.embeddings.position_embeddings.weight.detach().cpu()
cosines = torch.cosine_similarity(trained[:-1], trained[1:]).mean()
far = torch.cosine_similarity(trained[:-99], trained[99:]).mean()
assert tuple(trained.shape) == (512, 384)
claim(cosines, 0.8, 0.9, "MiniLM, mean cosine of neighboring rows")
claim(far, 0.1, 0.2, "rows at distance 99")

# %% [markdown]
# ## How long can a text be?
#
# Two limits, and both are real.
#
# 1. **The table.** BERT has 512 rows, and two of them go to the special
#    tokens `[CLS]` and `[SEP]` of chapter 04. That leaves 510 pieces of text.
# 2. **The scores.** Each head compares all with all: $N^2$ scores. BERT-base
#    has 12 heads in 12 layers.

# %%
for length in (512, 2_048, 8_192, 32_768):
    scores = length**2 * 12 * 12
    size = scores * 4 / 2**30
    print(f"N = {length:6,}: {scores:15,} scores, {size:8.1f} GiB")
assert 512**2 * 144 == 37_748_736

# %% [markdown]
# The gigabytes are those of 32-bit scores, if all are kept for training.
# Sixty-four times the length costs 4,096 times the scores. (A fused kernel,
# as in chapter 02, need not keep them; it still computes them.)
#
# ## Only the distance: relative positions
#
# *Two words back* means the same at the start and at the end of a text. What
# if we tell attention the *distance* and nothing else?
#
# Nothing is added to the embeddings. Each head gets a small table with one
# trained number per distance, and adds it to its scores: the `bias` that the
# function of chapter 02 already takes. T5 does this. (All its layers share
# one table; in our class each layer has its own.)
#
# By hand: four tokens, all with the same query and key, so that their scores
# are equal. The head has learned to look one place back: a 2 for the distance
# −1, zero for all others. (The distance is the key's position minus the
# query's.)

# %%
position = torch.arange(4)
distance = position[None, :] - position[:, None]
print(distance.tolist())
bias = torch.where(distance == -1, 2.0, 0.0)
weights = bias.softmax(dim=-1)
print([[round(weight, 3) for weight in row] for row in weights.tolist()])
back = math.exp(2) / (math.exp(2) + 3)
assert abs(weights[2, 1].item() - back) < 1e-6
assert abs(weights[3, 2].item() - back) < 1e-6
assert weights[0].tolist() == [0.25] * 4  # nothing stands before the first

# %% [markdown]
# The table would need a row for every distance there can be. T5 spares most
# of them. Near distances have a row each, far ones share: the ranges, called
# **buckets**, grow with the logarithm of the distance. The last one has no
# end: distances beyond 128 belong to it, whatever they are. Half of the 32
# buckets are for keys at or before the query, half for keys after it. In
# loops:


# %%
def bucket_by_hand(distance, num_buckets=32, max_distance=128):
    half = num_buckets // 2
    exact = half // 2
    size = abs(distance)
    if size < exact:
        bucket = size
    else:
        share = math.log(size / exact) / math.log(max_distance / exact)
        bucket = min(exact + int(share * (half - exact)), half - 1)
    return bucket + half if distance > 0 else bucket


assert [bucket_by_hand(-k) for k in range(9)] == [*range(8), 8]
first = {}
for size in range(200):
    first.setdefault(bucket_by_hand(-size), size)
starts = list(first.values())
print("a bucket starts at distance", starts)
assert starts[-1] == 91  # 91, 128 and 199 share the last
assert bucket_by_hand(-10_000) == bucket_by_hand(-91) == 15

# %% [markdown]
# The library's class computes all pairs at once and holds the trained
# numbers.

# %%
from bertbook.positions import RelativeBias  # @show

# %%
seed_everything(0)
relative = RelativeBias(num_heads=3)
span = range(-300, 301)
by_hand = [bucket_by_hand(number) for number in span]
assert relative.bucket(torch.tensor(span)).tolist() == by_hand
assert relative.table.weight.numel() == 32 * 3  # for every length

bias = relative(37, 37)
for shift in range(-36, 37):  # a diagonal is a distance
    diagonal = bias.diagonal(shift, dim1=1, dim2=2)
    assert torch.equal(diagonal, diagonal[:, :1].expand_as(diagonal))
print("one number per head on each of the", 2 * 37 - 1, "diagonals")

# %% [markdown]
# And the check with others' code: T5's own attention, with the same weights.
# T5 leaves out the division by $\sqrt{d_k}$ and all biases of its linear
# layers. So we multiply our query matrix by $\sqrt{d_k}$, and set our biases
# to zero.

# %%
from transformers import T5Config
from transformers.models.t5.modeling_t5 import T5Attention

from bertbook.positions import RelativeAttention

seed_everything(1)
config = T5Config(d_model=24, d_kv=8, num_heads=3, dropout_rate=0.0)
config._attn_implementation = "eager"
t5 = T5Attention(config, has_relative_attention_bias=True).eval()
ours = RelativeAttention(24, 3).eval()
ours.distance_bias = relative
names = {"query": "q", "key": "k", "value": "v", "output": "o"}
with torch.no_grad():
    relative.table.weight.copy_(t5.relative_attention_bias.weight)
    for name, theirs in names.items():
        layer, factor = getattr(ours, name), 8**0.5 if theirs == "q" else 1
        layer.weight.copy_(getattr(t5, theirs).weight * factor)
        layer.bias.zero_()

# %%
words = torch.randn(2, 37, 24, generator=seed_everything(2))
with torch.no_grad():
    assert torch.equal(relative(37, 37), t5.compute_bias(37, 37)[0])
    difference = (ours(words)[0] - t5(words)[0]).abs().max()
assert difference < 1e-5
print("library = T5's own attention, to within 1e-5")

# %% [markdown]
# ## Only the distance, by rotation: rotary positions
#
# There is a way to the same end without any new parameter. Turn each query
# and each key by an angle that grows with its position. In their dot product
# only the *difference* of the angles is left.
#
# By hand, with two numbers: the query at position $s$ and the key at position
# $t$ are both $(1, 0)$, and a step turns by 1 radian. The query becomes
# $(\cos s, \sin s)$, the key $(\cos t, \sin t)$, and
#
# $$\cos s \cos t + \sin s \sin t = \cos(s - t) .$$


# %%
def turn_pair(pair, angle):
    a, b = pair
    cos, sin = math.cos(angle), math.sin(angle)
    return (a * cos - b * sin, a * sin + b * cos)


for s, t in ((2, 0), (7, 5), (102, 100)):
    query, key = turn_pair((1, 0), s), turn_pair((1, 0), t)
    score = query[0] * key[0] + query[1] * key[1]
    print(f"query at {s:3}, key at {t:3}: {score:.8f}")
    assert abs(score - math.cos(2)) < 1e-12

# %% [markdown]
# In general: write $T_s$ for the turn by $s$ steps. Turns in the same plane
# add up, and the transpose turns back: $T_s^\top T_t = T_{t-s}$. So
#
# $$(T_s q) \cdot (T_t k) = q^\top T_s^\top T_t\, k = q^\top T_{t-s}\, k .$$
#
# Longer queries are cut into pairs, and each pair has a speed of its own: the
# $\omega_i$ of the sinusoid. At position $s$, pair $i$ turns by $\omega_i s$.
# The sines and cosines of these angles stand in row $s$ of
# `sinusoidal_positions`. (A pair of that table has the sine first, so its own
# step matrix $R$ turns the other way.) In loops:


# %%
def rotate_by_hand(x, n=10_000):
    turned = []
    for k, row in enumerate(x.tolist()):
        out = []
        for i in range(len(row) // 2):
            angle = k * n ** (-2 * i / len(row))
            out += turn_pair(row[2 * i : 2 * i + 2], angle)
        turned.append(out)
    return torch.tensor(turned, dtype=torch.float64)


# %%
from bertbook.positions import rotate  # @show

# %%
draw = {"generator": seed_everything(3), "dtype": torch.float64}
x = torch.randn(37, 8, **draw)
speeds = 10_000 ** (-torch.arange(0, 8, 2, dtype=torch.float64) / 8)
angles = torch.arange(37).double()[:, None] * speeds
table = torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(1)
assert torch.allclose(table.float(), sinusoidal_positions(37, 8))
ours = rotate(x, table)
assert (ours - rotate_by_hand(x)).abs().max() < 1e-12

complex_turn = torch.polar(torch.ones_like(angles), angles)
pairs = torch.view_as_complex(x.reshape(37, 4, 2)) * complex_turn
by_pytorch = torch.view_as_real(pairs).flatten(1)
assert (ours - by_pytorch).abs().max() < 1e-12
assert torch.allclose(ours.norm(dim=1), x.norm(dim=1))  # lengths are kept
print("hand = library = PyTorch's complex numbers")

# %% [markdown]
# The property, on random queries and keys: put one query and one key at every
# place, and look along the diagonals.

# %%
query, key = torch.randn(2, 1, 8, **draw).expand(2, 37, 8)
scores = rotate(query, table) @ rotate(key, table).T
for shift in range(-36, 37):
    diagonal = scores.diagonal(shift)
    assert (diagonal - diagonal[0]).abs().max() < 1e-12
assert (scores[0] - scores[0, 0]).abs().max() > 0.1  # but it does matter
print("37 × 37 scores, one number for each of the 73 distances")

# %% [markdown]
# In a layer, the turn comes between the projections and the scores. Values
# are not turned.

# %%
from bertbook.positions import RotaryAttention  # @show

# %%
from transformers import RoFormerConfig
from transformers.models.roformer.modeling_roformer import (
    RoFormerSelfAttention,
)

seed_everything(4)
config = RoFormerConfig(hidden_size=24, num_attention_heads=3)
config._attn_implementation = "eager"
roformer = RoFormerSelfAttention(config).eval()
ours = RotaryAttention(24, 3).eval()
for name in ("query", "key", "value"):
    getattr(ours, name).load_state_dict(getattr(roformer, name).state_dict())
angles = RoFormerSinusoidalPositionalEmbedding(37, 8).create_weight()
with torch.no_grad():
    ours.output.weight.copy_(torch.eye(24))  # theirs stands elsewhere
    ours.output.bias.zero_()
    theirs = roformer(words, sinusoidal_pos=angles[None, None])[0]
    difference = (ours(words)[0] - theirs).abs().max()
assert difference < 1e-5
print("library = RoFormer's own attention, to within 1e-5")

# %% [markdown]
# ## Experiment: longer than in training
#
# The sinusoid has a vector for position 10,000. Does a model trained on short
# texts know what to do with it?
#
# **The task.** A string of random symbols from eight letters, and somewhere
# in it a marker. Name the symbol that stands three places *before* the
# marker. The answer depends on position and on nothing else, and a blind
# guess is right one time in eight.

# %%
from bertbook.lookback import marked_strings  # @show

# %%
example = marked_strings(3, 12, seed_everything(0))
for ids, place, answer in zip(*example, strict=True):
    symbols = ["abcdefgh*"[i] for i in ids]
    print("".join(symbols), "→", "abcdefgh"[answer])
    assert symbols[place] == "*"
    assert symbols[place - 3] == "abcdefgh"[answer]

# %% [markdown]
# **The readers.** Five encoders, alike in all but their positions: none,
# sinusoidal, learned, relative, rotary. Each has one block of 4 heads and
# width 64, and answers from the row of the marker. The learned table has 64
# rows, so that no test length is refused; strings of at most 20 symbols train
# the first 20 of them.

# %%
from bertbook.lookback import MarkerReader  # @show

# %%
from bertbook import lookback

KINDS = list(lookback.SCHEMES)
for scheme in KINDS:
    reader = MarkerReader(scheme)
    print(f"{scheme:11}", sum(p.numel() for p in reader.parameters()))
assert KINDS == ["none", "sinusoidal", "learned", "relative", "rotary"]

# %% [markdown]
# **The training.** 1,500 batches of 64 strings, with 4 to 20 symbols. Then
# 1,000 strings of each of eight lengths, from 10 to 60. Five seeds for each
# reader, fixed beforehand.
#
# **Prediction.** We wrote it down before any run. A trial with another seed
# (100) then fixed the number of batches, the learning rate and the single
# block. It already hinted at where the prediction fails; we leave it as it
# was.
#
# - *None* guesses, within training and beyond: a little better than one in
#   eight, since the answer is a symbol that occurs in the string.
# - *Learned* falls to guessing where the marker stands on row 20 or later:
#   those rows have never been trained.
# - *Sinusoidal* falls as well. Its vectors beyond 20 are no noise, but the
#   model has never seen them.
# - *Relative* holds. The distance −3 has a bucket of its own and means the
#   same everywhere.
# - *Rotary* holds less well. The angle of −3 is known, those of distances
#   beyond 20 are new, and they may draw weight away.

# %%
record = load_results("05_position")
LENGTHS = record["rows"][0]["lengths"]


def rows_of(setting, scheme):
    names = (setting, scheme)
    return [
        row
        for row in record["rows"]
        if (row["setting"], row["scheme"]) == names
    ]


def accuracy_of(scheme, setting="full", key="accuracy"):
    return np.array([row[key] for row in rows_of(setting, scheme)])


assert all(len(rows_of("full", scheme)) == 5 for scheme in KINDS)
print(rows_of("full", "none")[0]["training"])

# %%
figure, panels = plt.subplots(1, 2, figsize=(7.6, 3.5), sharey=True)
decades = np.arange(5, 60, 10)
for scheme in KINDS:
    runs = accuracy_of(scheme)
    plotting.spread(panels[0], LENGTHS, runs, label=scheme)
    runs = accuracy_of(scheme, key="accuracy_by_ten_places")
    plotting.spread(panels[1], decades, runs, label=scheme)
for panel, left in zip(panels, (10, 0), strict=True):
    panel.axvspan(left, 20, color="#EFEBDD", zorder=0)
    panel.axhline(1 / 8, color=plotting.INK, lw=0.8, ls=":")
panels[0].set(xlabel="length of the string", ylabel="share of right answers")
panels[1].set(xlabel="place of the marker, strings of 60")
panels[0].set(ylim=(0, 1.05), xticks=[10, 20, 30, 40, 50, 60])
drawn = panels[0].get_legend_handles_labels()
figure.legend(*drawn, loc="outside upper center", ncols=5, fontsize=8)
plotting.show(
    figure,
    alt="Left, share of right answers against length. All but none are near 1"
    " up to length 20. At 60 rotary has 0.69, relative 0.63, sinusoidal 0.45,"
    " learned 0.39, none 0.20. Right, strings of 60 by the marker's place:"
    " learned and sinusoidal fall from above 0.87 to below 0.35 at place 20,"
    " learned to one in eight; relative stays between 0.5 and 0.7; rotary"
    " falls from 0.96 to 0.63 at place 20, and to 0.52 at the end.",
)

# %%
print("length     ", *(f"{length:5}" for length in LENGTHS))
for scheme in KINDS:
    runs = accuracy_of(scheme)
    print(f"{scheme:11}", *(f"{mean:5.2f}" for mean in runs.mean(axis=0)))
    deviation = runs.std(axis=0, ddof=1)
    print(f"{'  ±':11}", *(f"{number:5.2f}" for number in deviation))

# %% [markdown]
# The table has the mean over five seeds, and the standard deviation between
# them. In the figure a line is the mean, a band goes from the lowest seed to
# the highest, and the dotted line is a blind guess, 1/8. The left panel has
# the marker at any place. The right one has strings of 60 only, by the place
# of the marker. The shaded strip marks what training has seen.
#
# One more number to compare with: how often is it right to name the symbol
# that occurs most often in the string? A bag of words allows nothing better.


# %%
def most_frequent_is_right(length):
    drawn = torch.Generator().manual_seed(length)
    strings = marked_strings(1_000, length, drawn)
    counts = nn.functional.one_hot(strings.token_ids)[:, :, :8].sum(dim=1)
    named = counts.numpy().argmax(axis=1)
    return (named == strings.answers.numpy()).mean()


claim(most_frequent_is_right(10), 0.27, 0.37, "most frequent, length 10")
claim(most_frequent_is_right(60), 0.16, 0.26, "most frequent, length 60")

# %%
means = {name: accuracy_of(name).mean(axis=0) for name in KINDS}
places = {
    name: accuracy_of(name, key="accuracy_by_ten_places").mean(axis=0)
    for name in KINDS
}
at_60 = {name: round(float(mean[-1]), 2) for name, mean in means.items()}
print(at_60)
assert at_60 == {
    "none": 0.20, "sinusoidal": 0.45, "learned": 0.39, "relative": 0.63,
    "rotary": 0.69,
}  # fmt: skip
print("ten places each:")
for name in KINDS:
    print(f"{name:11}", *(f"{share:5.2f}" for share in places[name]))
seeds = sorted(accuracy_of("rotary")[:, -1].round(2).tolist())
print("rotary, five seeds at 60   ", seeds)

# %%
assert (seeds[0], seeds[-1]) == (0.56, 0.92)
assert all(
    means[name][LENGTHS.index(20)] > 0.95 for name in means.keys() - {"none"}
)
assert means["none"].max() < 0.35
assert (places["learned"][:2] > 0.9).all()
assert (abs(places["learned"][2:] - 1 / 8) < 0.05).all()
assert (places["sinusoidal"][2:] < 0.35).all()
assert (accuracy_of("rotary")[:, -1] < 0.95).all()
assert all(mean[-1] < mean[LENGTHS.index(20)] for mean in means.values())
ends = {name: accuracy_of(name)[:, -1] for name in KINDS}
assert min(*ends["relative"], *ends["rotary"]) > 0.55
assert max(*ends["sinusoidal"], *ends["learned"]) < 0.5
up_to_40 = slice(LENGTHS.index(25), LENGTHS.index(40) + 1)
assert (means["relative"][up_to_40] > means["rotary"][up_to_40]).all()
assert (accuracy_of("relative")[:, -1] < 0.7).all()

# %% [markdown]
# **What came out.**
#
# - *None* guesses as well as a bag of words allows: 0.31 at length 10 and
#   0.20 at 60, near what the most frequent symbol gives. In short strings
#   that is more than the “little better” we had predicted.
# - *Learned* is as predicted: 0.95 and more where the marker stands on a
#   trained row, near one in eight beyond.
# - *Sinusoidal* falls too: 0.87 and more on the first 20 places, 0.18 to 0.32
#   beyond. A vector for every position was not enough.
# - *Relative* does not hold. Our prediction was wrong. It falls to 0.63 at
#   length 60, on early and on late places.
# - *Rotary* has the highest mean at length 60, 0.69, and its seeds differ
#   most: from 0.56 to 0.92. The relative ones lie within that range, so these
#   five seeds do not say which of the two is better there. Up to length 40
#   the relative reader is ahead on average.
#
# So both kinds that know distances do better at length 60 than both kinds
# that know places, in every seed. And none of the five reads strings of 60 as
# well as strings of 20.
#
# ### Why did relative positions fall?
#
# We look inside, with a reduced run: 400 batches in place of 1,500. Beforehand
# we ran it with six seeds for three of the readers. The live run repeats seed
# 0. It should end within four standard deviations of the mean of the six.
# (The band of the rotary reader is wide: its seeds differ.)

# %%
from bertbook.lookback import fill_far_buckets, right_answers, train_reader


def band(setting, scheme, length):
    runs = accuracy_of(scheme, setting)[:, LENGTHS.index(length)].tolist()
    mean, reach = statistics.mean(runs), 4 * statistics.stdev(runs)
    reach = max(reach, 0.01)
    return round(max(mean - reach, 0), 3), round(min(mean + reach, 1), 3)


def accuracy(reader, length):
    drawn = torch.Generator().manual_seed(length)
    strings = marked_strings(1_000, length, drawn)
    return right_answers(reader, strings).mean().item()


settings = rows_of("reduced", "relative")[0]["training"]
assert len(rows_of("reduced", "relative")) == 6
print(settings)

# %%
live = {}
for scheme in ("sinusoidal", "relative", "rotary"):
    generator = seed_everything(0)
    live[scheme] = MarkerReader(scheme).to(device)
    train_reader(live[scheme], generator=generator, **settings)
    for length in (20, 60):
        text = f"{scheme}, right at length {length}"
        found = accuracy(live[scheme], length)
        claim(found, *band("reduced", scheme, length), text)

# %% [markdown]
# Here are the numbers that the relative reader adds to its scores, averaged
# over its four heads, for keys at the marker and before it. Each line holds
# up to the next.

# %%
attention = live["relative"].encoder.blocks[0].attention
numbers = attention.distance_bias.table.weight.detach().mean(dim=1).cpu()
for start, number in zip(starts, numbers[:16], strict=True):
    print(f"from distance {start:2} ≈ {number:.2f}")
claim(numbers[3], 0.5, 1.2, "distance 3, the answer")
claim(numbers[4:10].max(), -0.9, -0.3, "highest of distances 4 to 15")
claim(numbers[11:16].abs().max(), 0.0, 0.1, "largest beyond 22, either sign")

# %% [markdown]
# Training has pushed the wrong distances down. But the strings ended at 20:
# the buckets from distance 23 on have never been used, and stand where they
# started, near zero, *above* the wrong distances that were seen. In long
# strings there are many such keys, and they draw weight away from the answer.
#
# If this is a cause, then it must help to put known numbers there. We take
# those of distances 12 to 15, and write them into all buckets farther out, on
# both sides: the unused ones, and the one from 16 to 22, which training has
# met least often. No training is done.

# %%
before = accuracy(live["relative"], 60)
fill_far_buckets(attention.distance_bias, 15)
after = accuracy(live["relative"], 60)
claim(after, *band("mended", "relative", 60), "filled, right at length 60")
claim(after - before, 0.1, 0.4, "gain at length 60")

gains = accuracy_of("relative", "mended") - accuracy_of("relative", "reduced")
print("six seeds, gain at 60:", [f"{g:.2f}" for g in gains[:, -1]])
assert (gains[:, -1] > 0.1).all()

# %% [markdown]
# It helps in all six seeds, and it does not repair everything. A second cause
# is likely. A softmax shares out one unit of weight. Sixty keys, each with a
# little, leave less for the right one than twenty keys do. We measure it in
# the mended reader: the weight on the answer, in the head that gives it most.


# %%
def weight_on_answer(length):
    strings = marked_strings(
        500, length, torch.Generator().manual_seed(length)
    )
    embedded = live["relative"].embedding(strings.token_ids.to(device))
    with torch.no_grad():
        _, weights = attention(embedded, return_weights=True)
    rows, places = torch.arange(500), strings.places
    return weights[rows, :, places, places - 3].mean(dim=0).max()


claim(weight_on_answer(20), 0.15, 0.45, "weight on the answer, length 20")
claim(weight_on_answer(60), 0.04, 0.14, "weight on the answer, length 60")

# %% [markdown]
# The weight falls to less than half. That this costs answers is plausible; we
# did not test it.
#
# **What this does not show.** It is one small task, one block, short
# training, five seeds. In other tasks and at other sizes the order may be
# another one.
# The answer always stands near the marker: nothing here needs a word from far
# away. And training can be changed as well. A random start for each string,
# say, would train the rows that were never used here.

# %% [markdown]
# ## Positions and how soon a small BERT learns
#
# A look ahead. Chapter 10 trains small BERTs to fill gaps in text. There no
# test is longer than training, and positions make a difference all the same:
# a model with a learned table stays, for a long time, not far from what the
# frequencies of words tell it. Each dot is a model, after the same number of
# steps, from one random seed:

# %%
small_berts = load_results("10_masked_language_modelling")["rows"]
by_kind = {}
for row in small_berts:
    ended = row["curve"]["loss"][-1]
    by_kind.setdefault(row["setting"], []).append(ended)
frequencies = small_berts[0]["baselines"]["unigram"]["loss"]
for kind, ends in by_kind.items():
    print(f"{kind:<22}", ", ".join(f"≈ {end:.2f}" for end in sorted(ends)))
    assert len(ends) == 3
assert {row["settings"]["steps"] for row in small_berts} == {4_500}
assert {row["settings"]["num_layers"] for row in small_berts} == {2}
assert min(by_kind["absolute"]) > frequencies - 1
assert max(by_kind["absolute, short first"]) < min(by_kind["absolute"]) - 1
assert max(by_kind["rotary"]) < min(by_kind["absolute, short first"])

# %%
figure, ax = plt.subplots(figsize=(6.4, 2.6))
for place, ends in enumerate(by_kind.values()):
    ax.scatter(ends, [place] * len(ends), color=plotting.QUERY, zorder=3)
ax.axvline(frequencies, color=plotting.INK, ls=":")
ax.text(frequencies - 0.04, 1.5, "frequencies", rotation=90, ha="right",
        va="center", size=9)  # fmt: skip
ax.set_yticks(range(len(by_kind)), by_kind)
ax.set(xlabel="held-out loss, nats (less is better)", xlim=(3.4, 6.5))
ax.invert_yaxis()
plotting.show(
    figure,
    alt="Held-out loss of small BERTs, three dots a row. Absolute and relative"
    " lie between 5.5 and 5.8, next to a line at 6.2 for word frequencies."
    " Absolute positions with short sequences first lie near 4.0, rotary ones"
    " near 3.7.",
)

# %% [markdown]
# Rotary positions end lowest. A table catches up a long way where short
# sequences come first, of 8 tokens at the start. We had guessed why: with a
# table, a model must learn of every pair of rows anew that one stands next to
# the other. But a trained bias knows distances, too, and did not help within
# this budget. So the guess is at best half the story; chapter 10 looks
# further.
#
# These are two layers, 4,500 steps and three seeds. Because of such runs the
# book's own BERT, which you will meet in chapter 10, has rotary positions.
# BERT itself had a table, and trained on shorter sequences first: 128 tokens
# for nine tenths of its steps, 512 for the rest.

# %% [markdown]
# ## What lectures get wrong
#
# Nine statements from lectures, each with what is so and a cell that shows
# it.

# %% [markdown]
# @fact F-25

# %%
names = [name for name, _ in bert.named_parameters()]
print([name for name in names if "position" in name])
assert "embeddings.position_embeddings.weight" in names
assert not any("potential" in name for name in names)

# %% [markdown]
# @fact F-26

# %%
full = tokenizer(
    "the cat chases the dog " * 200, truncation=True, max_length=512,
    return_tensors="pt",
)["input_ids"].to(device)  # fmt: skip
heads = model.encoder.layer[0].attention.self
with torch.no_grad():
    hidden = model.embeddings(full)
    scores = heads.query(hidden) @ heads.key(hidden).mT  # all heads at once
    fewer = heads.query(hidden[:, :256]) @ heads.key(hidden[:, :256]).mT
claim(scores.abs().max(), 600, 720, "largest score of 512 tokens")
print(f"largest number in 32 bits: {torch.finfo(torch.float32).max:.1e}")
assert scores.numel() == 4 * fewer.numel()  # twice the length

# %%
try:
    tiny.embeddings.position_embeddings(torch.tensor([512]))
except IndexError as error:
    print("position 512:", error)
else:
    raise AssertionError("a 513th row was found")

# %% [markdown]
# @fact F-32

# %%
table = tiny.embeddings.position_embeddings.weight
assert table.requires_grad
seven = torch.zeros(1, 7, dtype=torch.long)
tiny(seven).last_hidden_state.square().sum().backward()
assert table.grad is not None
moved = table.grad.abs().sum(dim=1) > 0
print("a text of 7 tokens trains rows", moved.nonzero().flatten().tolist())
assert moved.tolist() == [True] * 7 + [False] * 505
assert (table - sinusoidal_positions(512, 12)).abs().max() > 0.5

# %% [markdown]
# @fact F-33

# %%
for k in range(4):  # odd and even positions alike
    assert np.allclose(small[k, 0::2], np.sin([k, k / 10]))
    assert np.allclose(small[k, 1::2], np.cos([k, k / 10]))
assert np.abs(wrong[parity_of_position] - small).max() > 0.5
print("every row: sine, cosine, sine, cosine")

# %% [markdown]
# @fact F-34

# %%
add_positions = SinusoidalPositions(32)
one, other = torch.randn(2, 1, 4, 32, generator=seed_everything(5))
matrices = [add_positions(x) - x for x in (one, other)]
assert torch.allclose(matrices[0], matrices[1], atol=1e-6)
assert torch.allclose(matrices[0][0], sinusoidal_positions(4, 32), atol=1e-6)
assert not torch.allclose(one, other)
print("two texts, one matrix")

# %% [markdown]
# @fact F-35

# %%
assert add_positions(one).shape == one.shape
inner = tiny.embeddings
parts = inner.word_embeddings, inner.position_embeddings
assert {part.embedding_dim for part in parts} == {12}
with torch.no_grad():
    total = sum(part(torch.tensor([5])) for part in parts)
    total = total + inner.token_type_embeddings(torch.tensor([0]))
    there = inner(
        torch.tensor([[7, 8, 9, 10, 11, 5]]),
        position_ids=torch.tensor([[0, 1, 2, 3, 4, 5]]),
    )
assert torch.allclose(inner.LayerNorm(total), there[0, 5:], atol=1e-6)
print("BERT: token + position + segment, all of width 12, then a norm")

# %% [markdown]
# @fact F-36
#
# The vectors are there; the models are another matter. These are the
# experiment's numbers for the two kinds of positions that are added, at the
# longest length of training and at three times that.

# %%
for scheme in ("sinusoidal", "learned"):
    runs = accuracy_of(scheme)
    inside, outside = runs[:, LENGTHS.index(20)], runs[:, LENGTHS.index(60)]
    print(f"{scheme}: {inside.mean():.2f} at 20, {outside.mean():.2f} at 60")
    assert (outside < inside - 0.2).all()
assert torch.isfinite(sinusoidal_positions(5_000, 64)).all()

# %% [markdown]
# @fact F-38

# %%
assert round(float(small[0] @ small[1]), 3) == 1.535
sixth = positions_in_numpy(7, 4, n=100)[6]
print(f"p₀·p₁ = {small[0] @ small[1]:.3f}, p₀·p₆ = {small[0] @ sixth:.3f}")
assert round(float(small[0] @ sixth), 3) == 1.786
assert (1 / (5 - 1), round(1 / (50 - 1), 4)) == (0.25, 0.0204)

# %% [markdown]
# @fact F-39

# %%
exponents = [2 * i / 512 for i in range(256)]
longest = 2 * math.pi * 10_000 ** exponents[-1]
print(f"the last exponent is {exponents[-1]}, the wavelength {longest:,.0f}")
assert exponents[-1] == 510 / 512
assert round(longest) == 60_611 < round(2 * math.pi * 10_000) == 62_832

# %% [markdown]
# ## Exercises
#
# [Exercises 05](../exercises/05_position.ipynb), about 65 minutes:
#
# 1. build the matrix for any length, width and n,
# 2. measure lengths and steps, and say whether all are equal,
# 3. count where a farther position is more similar,
# 4. build the rotation that takes each row to the next,
# 5. say how much text fits into BERT.

# %% [markdown]
# ## Summary
#
# - An encoder without positions sees a bag of words, exactly.
# - The sinusoid gives each position a vector by clock hands of many speeds:
#   length $\sqrt{d/2}$, equal steps, one rotation from each row to the next.
# - Equal steps are not falling similarity: $p_0 \cdot p_6 > p_0 \cdot p_1$.
# - BERT has a learned table of 512 rows, and nothing beyond.
# - Relative and rotary positions make the scores depend on distance alone.
#   In our task they lose least at three times the length of training, and
#   they do lose.
#
# **Next.** Attention and positions now have to become a network that can be
# stacked. Chapter 06 puts a block around them.

# %% [markdown]
# ## Sources
#
# - A. Vaswani et al. (2017), *Attention Is All You Need*: §3.5 (the formula,
#   the wavelengths, the linear step, the hope to extrapolate), Table 3 row E
#   (learned positions give nearly the same quality).
#   [arXiv:1706.03762](https://arxiv.org/abs/1706.03762)
# - J. Gehring et al. (2017), *Convolutional Sequence to Sequence Learning*,
#   §3.1: a learned vector per position.
#   [arXiv:1705.03122](https://arxiv.org/abs/1705.03122)
# - J. Devlin et al. (2019), *BERT*, §3 and Figure 2 (the sum of three
#   embeddings), appendix A.2 (512 tokens; 128 for nine tenths of the steps).
#   [arXiv:1810.04805](https://arxiv.org/abs/1810.04805)
# - P. Shaw, J. Uszkoreit, A. Vaswani (2018), *Self-Attention with Relative
#   Position Representations*.
#   [arXiv:1803.02155](https://arxiv.org/abs/1803.02155)
# - C. Raffel et al. (2020), *Exploring the Limits of Transfer Learning with a
#   Unified Text-to-Text Transformer*, §2.1: a number per bucket of distances.
#   [arXiv:1910.10683](https://arxiv.org/abs/1910.10683)
# - J. Su et al. (2021), *RoFormer: Enhanced Transformer with Rotary Position
#   Embedding*, §3.2, eq. 34.
#   [arXiv:2104.09864](https://arxiv.org/abs/2104.09864)
# - O. Press, N. A. Smith, M. Lewis (2022), *Train Short, Test Long*, Figure 1.
#   [arXiv:2108.12409](https://arxiv.org/abs/2108.12409)
