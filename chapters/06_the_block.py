# %% [markdown]
# # 06 · The block
#
# **What stands around attention in a Transformer, and what is each part
# for?**

# %% [markdown]
# After this chapter you will be able to
#
# - assemble a Transformer block from attention, feed-forward network,
#   residual connections and layer norm,
# - normalize a vector by hand, and tell layer norm from batch norm,
# - count the parameters of any block to the last one,
# - say what post-norm and pre-norm do to the gradient,
# - name what grows with the length of a text, and how fast.
#
# **Needs:** chapters 02, 03 and 05, and the chain rule for derivatives.
# **Reading time:** 60 minutes. **Run time on a GPU:** not yet measured.

# %% tags=["nbval-ignore-output"]
from bertbook.runtime import SCALE, claim, device, seed_everything

print(f"device {device}, scale {SCALE}")

# %%
import itertools
import math
from collections import Counter
from dataclasses import replace

import matplotlib.pyplot as plt
import torch
import torch.nn.functional as F
from torch import nn

from bertbook import corpora, plotting
from bertbook.attention import MultiHeadAttention
from bertbook.runtime import load_results

# %% [markdown]
# ## Steps 4 and 5 of 7
#
# This chapter fills in two steps of the book's map: *add and normalize*, and
# the *feed-forward network*. With the steps from earlier chapters, the
# encoder is then whole.

# %%
plotting.show(
    plotting.book_map(filled={1, 2, 3, 4, 5}),
    alt="The book's map, seven boxes from bottom to top. The lower five are"
    " filled in, from token embeddings to the feed-forward network. Masked"
    " attention and the last linear layer are outlines.",
)

# %% [markdown]
# ## One block in one picture
#
# A **block** (or layer) takes one vector per token and returns one vector
# per token, of the same size. It has two **sub-layers**: attention, and a
# **feed-forward network** (FFN). A **residual connection** leads around each
# of them, and a **layer norm** (LN) follows each sum.
# The numbers are those of BERT-base: width $d = 768$, a batch of 2 texts of
# 7 tokens. At the right stands what each box has to learn. We ask the modules
# themselves for these counts and shapes.

# %%
from bertbook.blocks import BlockConfig, EncoderBlock, PreNormAdd

BERT_BASE = BlockConfig(
    d_model=768, num_heads=12, d_ff=3072, epsilon=1e-12, activation=F.gelu
)


def count(module):
    return sum(parameter.numel() for parameter in module.parameters())


with torch.device("meta"):  # shapes without numbers: nothing is computed
    bert_block = EncoderBlock(BERT_BASE)
    tokens = torch.empty(2, 7, 768)
    wide = bert_block.feed_forward.widen(tokens)
    assert bert_block(tokens).shape == tokens.shape

# %%
shape = " × ".join(map(str, tokens.shape))
wide_shape = " × ".join(map(str, wide.shape))
BOXES = [
    ("X", shape, None),
    ("self-attention, 12 heads", shape, bert_block.attention),
    ("add", shape, None),
    ("layer norm", shape, bert_block.add_attention),
    ("feed-forward", f"{wide_shape} inside", bert_block.feed_forward),
    ("add", shape, None),
    ("layer norm", shape, bert_block.add_feed_forward),
]
counts = [count(module) if module else 0 for _, _, module in BOXES]
print(counts, sum(counts))
assert counts == [0, 2_362_368, 0, 1_536, 4_722_432, 0, 1_536]
assert sum(counts) == count(bert_block) == 7_087_872

# %%
figure, ax = plt.subplots(figsize=(6.6, 4.8))
ax.set(xlim=(0, 2.6), ylim=(-0.5, 7.4))
ax.axis("off")
arrow = {"arrowstyle": "->", "color": plotting.INK}
for level, (name, size, module) in enumerate(BOXES):
    color = plotting.SKY if module else plotting.PANEL
    frame = {"boxstyle": "round", "fc": color, "ec": plotting.INK}
    ax.text(0.95, level, name, ha="center", va="center", bbox=frame)
    ax.text(1.6, level + 0.5, size, va="center", size=8)
    if module:
        ax.text(1.6, level, f"{counts[level]:,} parameters", va="center")
    ax.annotate(
        "", (0.95, level + 0.75), (0.95, level + 0.25), arrowprops=arrow
    )
ax.text(0.95, 7.05, "H", ha="center", va="center")
for start in (0.5, 3.5):  # around each sub-layer
    end = start + 1.5
    ax.plot([0.95, 0.2, 0.2], [start, start, end], "-", color=plotting.VALUE)
    ax.annotate("", (0.82, end), (0.2, end), arrowprops=arrow)
    ax.text(0.14, start + 0.75, "residual", rotation=90, va="center",
            ha="right", color=plotting.VALUE)  # fmt: skip
plotting.show(
    figure,
    alt="One block, from X at the bottom to H at the top: self-attention with"
    " 2,362,368 parameters, add, layer norm with 1,536, feed-forward with"
    " 4,722,432, add, layer norm with 1,536. Every arrow carries 2 × 7 × 768"
    " numbers; inside the feed-forward network there are 2 × 7 × 3072. A line"
    " leads around each of the two sub-layers into the sum.",
)

# %% [markdown]
# Three of the four kinds of box are new. We build them one at a time: the sum,
# the norm, the feed-forward network. Then we put the block together, hold it
# to PyTorch's and Hugging Face's, and take it apart again to see what each
# part is good for.

# %% [markdown]
# ## Add: the residual connection
#
# A sub-layer computes $f(x)$. A **residual connection** adds the input to
# it: $y = x + f(x)$. The sub-layer need not repeat what is there. It learns
# what to *change*.
#
# Why does it help training? Follow the gradient through a stack of $L$
# layers. Without residuals, $x_{l} = f_l(x_{l-1})$. By the chain rule,
#
# $$\frac{\partial x_L}{\partial x_0} = J_L J_{L-1} \cdots J_1 ,$$
#
# where $J_l$ is the matrix of derivatives of $f_l$, its Jacobian. If each
# factor shrinks vectors by half, the product of 24 of them shrinks them to
# $2^{-24}$. With residuals each factor is $I + J_l$, and
#
# $$\frac{\partial x_L}{\partial x_0} = (I + J_L) \cdots (I + J_1)
# = I + \sum_l J_l + \sum_{l > m} J_l J_m + \dots$$
#
# The first term is $I$: one path on which the gradient arrives untouched,
# whatever the layers do. For numbers instead of matrices, let each $f_l$
# multiply by 0.5, by 0.1 or by −0.5:

# %%
for slope in (0.5, 0.1, -0.5):
    print(f"{slope}: without {slope**24:.3g}, with {(1 + slope) ** 24:.4g}")
assert 0.5**24 < 6e-8
assert 0.1**24 < 1e-23
assert 9 < 1.1**24 < 10
assert round(1.5**24) == 16_834  # a new trouble
assert (1 - 0.5) ** 24 == 0.5**24  # and no guarantee

# %% [markdown]
# The 16,834 shows the price: sums pile up. The vectors grow from layer to
# layer, and the gradients with them. That is what the norm is for.
# The last line shows that a sum is no guarantee. A layer that takes away half
# of its input leaves half of it. Whether real layers do that, we measure
# below.

# %% [markdown]
# ## Norm: by hand
#
# **Layer norm** takes the numbers of *one* vector, subtracts their mean $\mu$
# and divides by their standard deviation $\sigma$:
#
# $$\mu = \frac{1}{d} \sum_{i=1}^{d} x_i, \qquad
# \sigma^2 = \frac{1}{d} \sum_{i=1}^{d} (x_i - \mu)^2, \qquad
# \hat{x}_i = \frac{x_i - \mu}{\sqrt{\sigma^2 + \varepsilon}}, \qquad
# y_i = \gamma_i \hat{x}_i + \beta_i .$$
#
# $\varepsilon$ is a small number, $10^{-5}$ in PyTorch, $10^{-12}$ in BERT.
# $\gamma$ (the *scale*) and $\beta$ (the *shift*) are learned, one of each
# per feature. They start as 1 and 0.
#
# For $x = [1, 2, 3, 4]$: the mean is 2.5, the deviations are −1.5, −0.5,
# 0.5, 1.5, their squares 2.25, 0.25, 0.25, 2.25, and the mean of the squares
# is 1.25. Its root is 1.1180. So the first number becomes
# $-1.5 / 1.1180 = -1.3416$.


# %%
def layer_norm_by_loops(x, gamma, beta, epsilon=1e-5):
    mean = sum(x) / len(x)
    variance = sum((number - mean) ** 2 for number in x) / len(x)
    root = math.sqrt(variance + epsilon)
    return [
        g * (number - mean) / root + b
        for number, g, b in zip(x, gamma, beta, strict=True)
    ]


ones, zeros = [1.0] * 4, [0.0] * 4
by_hand = layer_norm_by_loops([1, 2, 3, 4], ones, zeros, epsilon=0)
print([round(number, 4) for number in by_hand])
assert [round(n, 4) for n in by_hand] == [-1.3416, -0.4472, 0.4472, 1.3416]

# %% [markdown]
# The divisor is $d$, not $d - 1$. With $d - 1$, the *sample* standard
# deviation, we would get ±1.1619 and ±0.3873. `torch.std` computes that one
# by default: a common slip.

# %%
x = torch.tensor([1.0, 2.0, 3.0, 4.0], dtype=torch.float64)
slip = (x - x.mean()) / x.std()
print([round(number, 4) for number in slip.tolist()])
assert [round(n, 4) for n in slip.tolist()] == [
    -1.1619,
    -0.3873,
    0.3873,
    1.1619,
]
right = (x - x.mean()) / x.std(correction=0)
assert torch.allclose(right, torch.tensor(by_hand).double(), atol=1e-7)

# %% [markdown]
# The same for whole batches, in one line, beside PyTorch's `nn.LayerNorm` and
# the norm of a real BERT-like model with its trained $\gamma$ and $\beta$.


# %%
def layer_norm(x, gamma, beta, epsilon=1e-5):
    variance = x.var(dim=-1, keepdim=True, correction=0)
    centered = x - x.mean(dim=-1, keepdim=True)
    return gamma * centered / torch.sqrt(variance + epsilon) + beta


tokenizer, minilm = corpora.minilm()
minilm = minilm.cpu()  # small: the comparison needs no GPU
theirs = minilm.encoder.layer[0].attention.output.LayerNorm
draw = {"generator": seed_everything(0)}
hidden = torch.randn(2, 7, 384, **draw)
assert isinstance(theirs, nn.LayerNorm)
assert theirs.eps == 1e-12
ours = layer_norm(hidden, theirs.weight, theirs.bias, theirs.eps)
assert (ours - theirs(hidden)).abs().max() < 1e-5

plain = nn.LayerNorm(384)
assert torch.equal(plain.weight, torch.ones(384))
assert torch.equal(plain.bias, torch.zeros(384))
assert (layer_norm(hidden, 1, 0) - plain(hidden)).abs().max() < 1e-5
assert count(nn.LayerNorm(768)) == 2 * 768 == 1_536
print("loops = one line = nn.LayerNorm = Hugging Face's")

# %% [markdown]
# Two parameters per feature: 1,536 for $d = 768$. $\gamma$ and $\beta$ give
# each feature a spread and a center of its own. They cannot bring back what
# the norm took from a vector, since they are the same for all vectors:
# $[1, 2, 3, 4]$ and its double have one result, whatever $\gamma$ and $\beta$
# are. In the trained model they have moved:

# %%
scale, shift = torch.tensor([3.0, -1, 0.5, 2]), torch.tensor([1.0, 0, -2, 5])
two_rows = torch.tensor([[1.0, 2, 3, 4], [2, 4, 6, 8]])
once, twice = layer_norm(two_rows, scale, shift, epsilon=0)
assert torch.allclose(once, twice, atol=1e-5)

gamma, beta = theirs.weight.detach(), theirs.bias.detach()
claim(gamma.mean(), 0.5, 0.65, "mean of γ in MiniLM's first norm")
claim(gamma.std(), 0.05, 0.2, "spread of γ")
claim(beta.std(), 0.1, 0.3, "spread of β")
assert not torch.allclose(gamma, torch.ones(384), atol=0.05)

# %% [markdown]
# ## Rows and columns: layer norm and batch norm
#
# **Batch norm** (BN) came first. It also subtracts a mean and divides by a
# standard deviation, but over other numbers. Write a batch as a matrix, a row
# for each sample, a column for each feature:
#
# - batch norm takes a **column**: one feature over all samples of the batch,
# - layer norm takes a **row**: all features of one sample.
#
# In a Transformer a row is one token of one text.

# %%
batch = torch.tensor(
    [[1.0, 2, 3, 4], [2, 4, 6, 8], [10, 10, 10, 14]], dtype=torch.float64
)
by_row = layer_norm(batch, 1, 0, epsilon=0)
by_column = layer_norm(batch.T, 1, 0, epsilon=0).T
ROWS = [
    [-1.3416, -0.4472, 0.4472, 1.3416],
    [-1.3416, -0.4472, 0.4472, 1.3416],
    [-0.57735, -0.57735, -0.57735, 1.73205],
]
COLUMNS = [
    [-0.8276, -0.9806, -1.1625, -1.1355],
    [-0.5793, -0.3922, -0.1162, -0.1622],
    [1.4069, 1.3728, 1.2787, 1.2978],
]
assert torch.allclose(by_row, torch.tensor(ROWS).double(), atol=1e-4)
assert torch.allclose(by_column, torch.tensor(COLUMNS).double(), atol=1e-4)
assert torch.allclose(
    F.batch_norm(batch, None, None, training=True), by_column, atol=1e-4
)
assert torch.allclose(F.layer_norm(batch, (4,)), by_row, atol=1e-4)

# %%
figure, panels = plt.subplots(1, 3, figsize=(7.6, 2.6))
samples, features = ["a", "b", "c"], ["1", "2", "3", "4"]
for panel, matrix, title in zip(
    panels,
    (batch, by_row, by_column),
    ("the batch", "layer norm: rows", "batch norm: columns"),
    strict=True,
):
    plotting.draw_heatmap(panel, matrix, samples, features, title=title)
    panel.set(xlabel="feature", ylabel="sample")
plotting.show(
    figure,
    alt="Three grids of 3 samples by 4 features. The batch has rows 1 2 3 4,"
    " 2 4 6 8 and 10 10 10 14. After layer norm the first two rows are equal,"
    " −1.34 to 1.34. After batch norm each column has mean 0: the third row is"
    " positive, the others negative.",
)

# %% [markdown]
# Samples a and b differ by a factor of 2. Layer norm makes them equal: the
# length of a vector is gone. Batch norm keeps them apart.
#
# A column needs other samples. What if there are none, or one?

# %%
batch_norm = nn.BatchNorm1d(4, eps=1e-12, affine=False).double()
try:
    batch_norm(batch[:1])
except ValueError as error:
    message = str(error)
    print("ValueError:", message)
else:
    raise AssertionError("batch norm accepted a batch of one")
assert "Expected more than 1 value per channel" in message
two = batch_norm(batch[:2]).round(decimals=6)
print(two.tolist())
assert two.tolist() == [[-1.0] * 4, [1.0] * 4]

# %% [markdown]
# With one sample there is nothing to compare, and training stops. With two,
# each column becomes −1 and 1, whatever the numbers were: all that is left of
# a feature is which of the two samples had more of it.
#
# That is so in training. Batch norm also keeps running averages of the means
# and variances that it meets. In use it takes those, and one sample is enough.
# Layer norm has no such second way to work. It gives each row the same result
# in a batch of one, two or a thousand, in training and in use.

# %%
in_use = batch_norm.eval()
assert torch.allclose(in_use(batch)[:1], in_use(batch[:1]))
alone = [F.layer_norm(row[None], (4,)) for row in batch]
assert torch.equal(torch.cat(alone), F.layer_norm(batch, (4,)))

# %% [markdown]
# > **Reading: why does normalizing help?** Ioffe and Szegedy (2015) proposed
# > batch norm against *internal covariate shift*: while lower layers learn,
# > the inputs of the upper ones keep changing their distribution. Santurkar
# > et al. (2018) tested the hypothesis. They *added* shifting noise after
# > batch norm, and training was as fast as before. Their explanation: the
# > norm makes the loss smoother, so that larger steps are safe. For layer
# > norm in Transformers, Xiong et al. (2020) look at gradients, as we do
# > below. That normalizing helps is agreed; why it does is still studied.

# %% [markdown]
# ## The feed-forward network
#
# Two linear layers with a bend between them, the same for every position:
#
# $$\mathrm{FFN}(x) = \max(0,\; x W_1 + b_1)\, W_2 + b_2 .$$
#
# The first widens a vector from $d$ to $d_\mathrm{ff}$ numbers ($4d$ in most
# models), the second brings it back. The bend is ReLU in the original, GELU
# in BERT. Without it, two linear layers would be one linear layer.

# %%
from bertbook.blocks import FeedForward  # @show

# %% [markdown]
# **Positions do not meet here.** Each position goes through the same network
# on its own, so all of them can be computed at once. Three ways to see it.
#
# *One:* permute the positions, and the results are permuted.

# %%
SMALL = BlockConfig(d_model=26, num_heads=2, d_ff=37, dropout=0.0)
seed_everything(1)
network = FeedForward(SMALL).eval()
draw = {"generator": seed_everything(1)}
x = torch.randn(1, 5, 26, **draw)
order = torch.tensor([4, 0, 3, 1, 2])
gap = network(x[:, order]) - network(x)[:, order]
assert gap.abs().max() < 1e-6
one_by_one = torch.stack([network(x[:, i]) for i in range(5)], dim=1)
assert (one_by_one - network(x)).abs().max() < 1e-6

# %% [markdown]
# *Two:* each of its linear layers is a convolution of width 1. A convolution
# that reads no neighbor does the same at each place.

# %%
channels = x.transpose(1, 2)  # (batch, channels, positions)
widened = F.conv1d(
    channels, network.widen.weight[..., None], network.widen.bias
)
narrowed = F.conv1d(
    widened.relu(), network.narrow.weight[..., None], network.narrow.bias
)
assert (narrowed.transpose(1, 2) - network(x)).abs().max() < 1e-6

# %% [markdown]
# *Three:* the derivatives. How much does output $i$ change when input $j$
# does? We compute the whole Jacobian and take the largest entry of each
# block of 26 × 26. For the FFN all blocks off the diagonal are exactly zero.
# For attention none is: there the paths of two words meet.


# %%
def reach(function, x):
    jacobian = torch.autograd.functional.jacobian(function, x)
    return jacobian[0, :, :, 0].abs().amax(dim=(1, 3))


seed_everything(1)
attention = MultiHeadAttention(26, 2).eval()
through_network = reach(network, x)
through_attention = reach(lambda h: attention(h)[0], x)
off_diagonal = ~torch.eye(5, dtype=torch.bool)
assert (through_network[off_diagonal] == 0).all()
assert (through_network.diagonal() > 0).all()
assert (through_attention > 1e-4).all()

# %%
figure, panels = plt.subplots(1, 2, figsize=(7.0, 3.0))
places = [str(i) for i in range(5)]
for panel, matrix, title in (
    (panels[0], through_network, "feed-forward network"),
    (panels[1], through_attention, "self-attention"),
):
    plotting.draw_heatmap(panel, matrix, places, places, title=title)
    panel.set(xlabel="input position", ylabel="output position")
plotting.show(
    figure,
    alt="Largest derivative of each output position with respect to each input"
    " position. Feed-forward network: only the diagonal is not zero."
    " Self-attention: no entry is zero.",
)

# %% [markdown]
# So a block has a division of labor. Attention moves information between
# positions. The FFN works on what each position has collected. It is the same
# at every position of a layer, and different in every layer.

# %% [markdown]
# ## The block as six equations
#
# Textbooks write the block as six lines:
#
# $$\begin{aligned}
# T^1 &= \mathrm{SelfAttention}(X) & T^2 &= X + T^1 &
# T^3 &= \mathrm{LayerNorm}(T^2) \\
# T^4 &= \mathrm{FFN}(T^3) & T^5 &= T^4 + T^3 &
# H &= \mathrm{LayerNorm}(T^5)
# \end{aligned}$$
#
# Here they are as code, line by line, without a library of ours around them.


# %%
class BlockOfEquations(nn.Module):
    def __init__(self, d_model, num_heads, d_ff):
        super().__init__()
        self.self_attention = MultiHeadAttention(d_model, num_heads)
        self.widen = nn.Linear(d_model, d_ff)
        self.narrow = nn.Linear(d_ff, d_model)
        self.norm_1 = nn.LayerNorm(d_model)
        self.norm_2 = nn.LayerNorm(d_model)

    def ffn(self, x):
        return self.narrow(self.widen(x).relu())

    def forward(self, x):
        t1 = self.self_attention(x)[0]
        t2 = x + t1
        t3 = self.norm_1(t2)
        t4 = self.ffn(t3)
        t5 = t4 + t3
        return self.norm_2(t5)


# %% [markdown]
# The order matters: the sum comes first, then the norm. This is **post-norm**,
# the order of the original. Many newer models use **pre-norm**: the norm
# stands *inside* the residual, $x + f(\mathrm{LayerNorm}(x))$, and one more
# norm follows the last block.
# In the library the two orders are two small classes, and the block takes
# either. It also has dropout, on the weights of attention and on what a
# sub-layer adds.

# %%
from bertbook.blocks import AddAndNorm  # @show

# %%
from bertbook.blocks import PreNormAdd  # @show

# %%
from bertbook.blocks import EncoderBlock  # @show

# %% [markdown]
# ## The same block, three times
#
# We copy one set of weights into the equations, into our library's block and
# into `nn.TransformerEncoderLayer`, and compare. Twice, since PyTorch's layer
# has two ways to compute: a fast path for use without gradients, and the plain
# one for training. Dropout is set to 0.


# %%
def pairs(ours, theirs):
    """Yield our modules beside PyTorch's, attention's four apart."""
    yield ours.attention.output, theirs.self_attn.out_proj
    yield ours.feed_forward.widen, theirs.linear1
    yield ours.feed_forward.narrow, theirs.linear2
    yield ours.add_attention.norm, theirs.norm1
    yield ours.add_feed_forward.norm, theirs.norm2


def copy_to_torch(ours, theirs):
    parts = ours.attention.query, ours.attention.key, ours.attention.value
    stacked = theirs.self_attn
    stacked.in_proj_weight.data = torch.cat([part.weight for part in parts])
    stacked.in_proj_bias.data = torch.cat([part.bias for part in parts])
    for mine, other in pairs(ours, theirs):
        other.load_state_dict(mine.state_dict())


# %%
draw = {"generator": seed_everything(2)}
x = torch.randn(3, 13, 26, **draw)
for residual in (AddAndNorm, PreNormAdd):
    block = EncoderBlock(SMALL, residual=residual)
    layer = nn.TransformerEncoderLayer(
        26, 2, 37, dropout=0.0, batch_first=True,
        norm_first=residual is PreNormAdd,
    )  # fmt: skip
    copy_to_torch(block, layer)
    for training in (False, True):
        block.train(training), layer.train(training)
        with torch.set_grad_enabled(training):
            gap = (block(x) - layer(x)).abs().max()
        assert gap < 1e-5
print("ours = PyTorch's, post-norm and pre-norm, eval and train")

# %%
post = EncoderBlock(SMALL)
equations = BlockOfEquations(26, 2, 37)
equations.self_attention.load_state_dict(post.attention.state_dict())
for mine, other in (
    (post.feed_forward.widen, equations.widen),
    (post.feed_forward.narrow, equations.narrow),
    (post.add_attention.norm, equations.norm_1),
    (post.add_feed_forward.norm, equations.norm_2),
):
    other.load_state_dict(mine.state_dict())
assert (post(x) - equations(x)).abs().max() < 1e-5
pre = EncoderBlock(SMALL, residual=PreNormAdd)
pre.load_state_dict(post.state_dict())  # the same weights, another function
assert (pre(x) - equations(x)).abs().max() > 0.1
with_dropout = EncoderBlock(replace(SMALL, dropout=0.5))
assert not torch.equal(with_dropout(x), with_dropout(x))
assert torch.equal(with_dropout.eval()(x), with_dropout(x))

# %% [markdown]
# And against BERT. Hugging Face's `BertLayer` has the same parts under other
# names, GELU for ReLU, and $\varepsilon = 10^{-12}$. We take one from the
# trained MiniLM, with its weights.

# %%
from bertbook.transformer import TransformerConfig

NAMES = {
    "attention.query": "attention.self.query",
    "attention.key": "attention.self.key",
    "attention.value": "attention.self.value",
    "attention.output": "attention.output.dense",
    "add_attention.norm": "attention.output.LayerNorm",
    "feed_forward.widen": "intermediate.dense",
    "feed_forward.narrow": "output.dense",
    "add_feed_forward.norm": "output.LayerNorm",
}
config = BlockConfig(
    d_model=384, num_heads=12, d_ff=1536, epsilon=1e-12, activation=F.gelu
)
mine, bert_layer = EncoderBlock(config).eval(), minilm.encoder.layer[2].eval()
for name, other in NAMES.items():
    state = bert_layer.get_submodule(other).state_dict()
    mine.get_submodule(name).load_state_dict(state)
assert count(mine) == count(bert_layer)
draw = {"generator": seed_everything(3)}
hidden = torch.randn(2, 13, 384, **draw)
gap = (mine(hidden) - bert_layer(hidden)).abs().max()
assert gap < 1e-5
relu = EncoderBlock(replace(config, activation=F.relu)).eval()
relu.load_state_dict(mine.state_dict())
assert (relu(hidden) - bert_layer(hidden)).abs().max() > 1e-3  # GELU matters
print("ours = Hugging Face's BertLayer, with its trained weights")

# %% [markdown]
# ## Count it
#
# A block of width $d$ with a feed-forward width $d_\mathrm{ff}$ has
#
# | part | weights | biases, $\gamma$, $\beta$ |
# |---|---|---|
# | attention: $W^Q, W^K, W^V, W^O$ | $4 d^2$ | $4 d$ |
# | its norm | – | $2 d$ |
# | feed-forward network | $2 d\, d_\mathrm{ff}$ | $d_\mathrm{ff} + d$ |
# | its norm | – | $2 d$ |
#
# The number of heads plays no part (chapter 03). With $d_\mathrm{ff} = 4d$
# the weights alone are $12 d^2$. For BERT-base that rule of thumb is 9,984
# short.

# %%
attention_and_norm = count(bert_block.attention) + 2 * 768
network_and_norm = count(bert_block.feed_forward) + 2 * 768
assert attention_and_norm == 4 * 768**2 + 6 * 768 == 2_363_904
assert network_and_norm == 2 * 768 * 3072 + 3072 + 3 * 768 == 4_723_968
assert attention_and_norm + network_and_norm == 7_087_872
naive = 12 * 768**2
assert naive == 7_077_888
print(f"{attention_and_norm:,} + {network_and_norm:,} = 7,087,872")
print(f"12 d² = {naive:,}, short by {7_087_872 - naive:,}")
assert 7_087_872 - naive == 9_984
share = count(bert_block.feed_forward) / 7_087_872
assert round(share, 3) == 0.666
print(f"the feed-forward network's share: {share:.3f}")

# %% [markdown]
# ## A stack of blocks
#
# An **encoder** is some number of blocks, one after another. All have the
# same shape, and each has weights of its own. $N$ is a *hyper-parameter*: it
# is chosen before training and stays as it is. The original has $N = 6$,
# $d = 512$, $d_\mathrm{ff} = 2048$ and 8 heads.

# %%
from bertbook.transformer import Encoder  # @show

# %%
base = TransformerConfig()  # the defaults are the original's
assert (base.num_layers, base.d_model, base.d_ff, base.num_heads) == (
    6, 512, 2048, 8,
)  # fmt: skip
with torch.device("meta"):
    encoder = Encoder(base)
    before_norm = Encoder(base, residual=PreNormAdd)
sizes = [count(block) for block in encoder.blocks]
assert sizes == [3_152_384] * 6
weights = {id(p) for block in encoder.blocks for p in block.parameters()}
assert len(weights) == 6 * len(list(encoder.blocks[0].parameters()))  # no loop
assert count(encoder) == 6 * 3_152_384 == 18_914_304
assert count(before_norm) - count(encoder) == 2 * 512  # the last norm
print(f"6 × {sizes[0]:,} = {count(encoder):,}")

# %% [markdown]
# Our encoder equals PyTorch's stack of the same layers, and a post-norm stack
# ends in the norm of its last block.

# %%
tiny = TransformerConfig(
    d_model=26, num_heads=2, d_ff=37, dropout=0.0, num_layers=3
)
for residual in (AddAndNorm, PreNormAdd):
    stack = Encoder(tiny, residual=residual).eval()
    layers = []
    for block in stack.blocks:
        layer = nn.TransformerEncoderLayer(
            26, 2, 37, dropout=0.0, batch_first=True,
            norm_first=residual is PreNormAdd,
        )  # fmt: skip
        copy_to_torch(block, layer.eval())
        layers.append(layer)
    last = nn.LayerNorm(26) if residual is PreNormAdd else nn.Identity()
    assert (stack(x) - last(nn.Sequential(*layers)(x))).abs().max() < 1e-5

# %% [markdown]
# Where do the words become vectors? We ask a real model for its parts. There
# is one table of token embeddings, below the first block. A block takes
# vectors and returns vectors: no block knows any word.

# %%
tables = [
    (name, tuple(module.weight.shape))
    for name, module in minilm.named_modules()
    if isinstance(module, nn.Embedding)
]
for name, size in tables:
    print(name, size)
assert all(name.startswith("embeddings.") for name, _ in tables)
words = [size for name, size in tables if "word" in name]
assert words == [(30_522, 384)]
blocks = minilm.encoder.layer
kinds = Counter(type(m).__name__ for m in blocks.modules())
assert kinds["Embedding"] == 0
print(len(blocks), "blocks, none with a table of words")
assert len({count(block) for block in blocks}) == 1

# %% [markdown]
# ### The whole original, counted
#
# Chapter 07 joins an encoder and a decoder. Its parameters we can count now,
# on the meta device, where tensors have shapes and no memory. The rule for
# the paper's model: one table of 37,000 rows serves both embeddings and the
# output (§3.4), the sine table is not learned, the FFN has biases (eq. 2),
# and the four projections of attention are plain matrices $W$ (§3.2.2). Our
# layers, like PyTorch's and BERT's, give these a bias. So we count all but
# the biases of attention.

# %%
from bertbook.transformer import Transformer

PROJECTIONS = ("query", "key", "value", "output")


def count_as_published(model):
    """Count every parameter but the biases of attention's projections."""
    total = 0
    for name, parameter in model.named_parameters():
        *_, module, kind = name.split(".")
        if not (module in PROJECTIONS and kind == "bias"):
            total += parameter.numel()
    return total


big = TransformerConfig(d_model=1024, num_heads=16, d_ff=4096)
with torch.device("meta"):
    published = [count_as_published(Transformer(c)) for c in (base, big)]
    torchs = count(nn.Transformer(512, 8, 6, 6, 2048, batch_first=True))
print([f"{total:,}" for total in published], f"{torchs:,}")
assert published == [63_045_632, 214_171_648]
assert torchs == 44_140_544

# %% [markdown]
# The paper's Table 3 gives 65 and 213 million, so our rule is close and
# not the authors' exact one. They give their vocabulary as “about 37000”.
# `nn.Transformer` has no embeddings, biases in attention, and a norm after
# each stack:

# %%
without_table = published[0] - 37_000 * 512
attention_biases = (6 + 2 * 6) * 4 * 512  # 6 attentions below, 12 above
assert without_table + attention_biases + 2 * 2 * 512 == torchs

# %% [markdown]
# ## Experiment: the gradient at depth 24
#
# BERT-large has 24 blocks. What reaches the first one on the way back? We
# need a task: **sort ten digits**. The model reads ten digits at once and
# writes, in each place, which digit stands there in sorted order. Every
# position has to look at all others, and has to decide.
# `bertbook.ablation` has the task, and the kinds of block to compare. *Whole
# block* is post-norm, *norm first* is pre-norm. The others lack a part:
# *without Add* is $\mathrm{norm}(f(x))$, *without Norm* is $x + f(x)$,
# *without both* is $f(x)$.
#
# **Prediction.** Without sums, the gradient at block 1 is the product of 24
# Jacobians, so it is smaller by many orders of magnitude than at block 24.
# With sums and norms it stays within a factor of 10. With sums alone it
# grows.
#
# We set the weight matrices much as `nn.Transformer` does (Xavier: uniform,
# with a spread meant to keep the size of vectors), take one batch and compute
# in double precision. For each block's last weight matrix we measure the norm
# of its gradient. Here *norm* means length, the root of the sum of squares;
# it is no layer norm. Five seeds, before any training.

# %%
from bertbook.ablation import PARTS, TOY, Sorter, draw_digits, sorting_loss

SEEDS = range(5)


def gradient_norms(part, num_layers, seed):
    draw = seed_everything(seed)
    model = Sorter(replace(TOY, num_layers=num_layers), PARTS[part])
    for weight in model.blocks.parameters():
        if weight.dim() > 1:
            nn.init.xavier_uniform_(weight)
    digits = draw_digits(32, TOY.max_len, draw).cpu()
    sorting_loss(model.double(), digits).backward()
    layers = [block.feed_forward.narrow.weight for block in model.blocks]
    return [layer.grad.norm().item() for layer in layers]


# %%
ORDERS = [
    "whole block",
    "norm first",
    "without Add",
    "without Norm",
    "without both",
]
found = {
    part: torch.tensor([gradient_norms(part, 24, seed) for seed in SEEDS])
    for part in ORDERS
}
figure, ax = plt.subplots(figsize=(7.0, 3.8))
for part, runs in found.items():
    plotting.spread(ax, range(1, 25), runs, label=part)
ax.set(yscale="log", xlabel="block", ylabel="norm of the gradient")
ax.legend(loc="center left", bbox_to_anchor=(1, 0.5))
plotting.show(
    figure,
    alt="Norm of the gradient against the block, 1 to 24, on a logarithmic"
    " axis, mean and range of five seeds. Whole block and norm first are"
    " nearly level. Without both the curve falls by five orders of magnitude"
    " towards block 1. Without norm it rises to about ten billion. Without"
    " Add it lies near the level ones and spreads widely.",
)

# %%
ratios = {part: runs[:, 0] / runs[:, -1] for part, runs in found.items()}
for part, seeds in ratios.items():
    print(
        f"{part:<13} block 1 over block 24: "
        + ", ".join(f"≈ {ratio:.2g}" for ratio in seeds.tolist())
    )
assert (ratios["without both"] < 1e-4).all()
assert (ratios["without Norm"] > 100).all()
for part in ("whole block", "norm first"):
    assert ((ratios[part] > 0.1) & (ratios[part] < 10)).all()
weaker = ratios["whole block"].mean() / ratios["without both"].mean()
claim(weaker.log10(), 4, 6.5, "powers of ten that Add and Norm bring block 1")
largest = found["without Norm"][:, 0].mean().log10()
claim(largest, 9, 11, "without Norm, power of ten at block 1")
apart = {part: runs.max() / runs.min() for part, runs in ratios.items()}
assert apart["without Add"] > 2 * apart["whole block"]

# %% [markdown]
# The prediction holds for all but one curve. Without Add the gradient is a
# product of Jacobians too, and yet it does not vanish: the norm after each
# layer scales the vectors up again, and the gradient with them. The seeds lie
# far apart there. What is lost shows in training, below.
#
# What this does not show: it is the state before training, for one width and
# one way to set the weights.

# %% [markdown]
# ## Post-norm and pre-norm
#
# Both kept the gradient level. So why did many later models move the norm?
# Xiong et al. (2020) look at the *last* block, and at deeper and deeper
# stacks. Post-norm: the norm comes last, so the output has the same size at
# any depth, and the gradient at the last block does not shrink with depth.
# Pre-norm: vectors add up to a sum whose size grows like $\sqrt{L}$, and the
# last norm divides by it. **Prediction:** with pre-norm the gradient at the
# last block falls like $1 / \sqrt{L}$, an exponent of −0.5; with post-norm it
# does not fall.

# %%
DEPTHS = [2, 4, 8, 16, 32]
at_last = {
    part: torch.tensor(
        [[gradient_norms(part, n, s)[-1] for n in DEPTHS] for s in SEEDS]
    )
    for part in ("whole block", "norm first")
}
log_depth = torch.tensor(DEPTHS).log()
slopes = {
    part: torch.linalg.lstsq(
        torch.stack([log_depth, torch.ones(5)], dim=1), runs.mean(0).log()
    ).solution[0]
    for part, runs in at_last.items()
}
claim(slopes["whole block"], -0.1, 0.5, "exponent over depth, post-norm")
claim(slopes["norm first"], -0.7, -0.2, "exponent over depth, pre-norm")

# %%
figure, ax = plt.subplots(figsize=(6.0, 3.2))
for part, name in (("whole block", "post-norm"), ("norm first", "pre-norm")):
    plotting.spread(ax, DEPTHS, at_last[part], label=name)
ax.set(
    xscale="log", yscale="log", xlabel="number of blocks",
    ylabel="gradient norm, last block",
)  # fmt: skip
ax.set_xticks(DEPTHS, [str(n) for n in DEPTHS])
ax.minorticks_off()
ax.legend()
plotting.show(
    figure,
    alt="Norm of the gradient at the last block against the number of blocks,"
    " 2 to 32, both axes logarithmic. Post-norm stays level or rises a"
    " little, pre-norm falls steadily.",
)

# %% [markdown]
# The signs are as predicted, the size is not quite: for pre-norm the fall is
# slower than $1 / \sqrt{L}$. The argument is about wide layers that all add
# vectors of equal size. Ours are 32 wide, and the embeddings are part of the
# sum too. Which of the two slows the fall we did not test.
#
# Xiong et al. argue that a large gradient at the last blocks makes large steps
# dangerous early in training. Post-norm models are usually trained with a
# *warm-up*, a learning rate that starts near zero. Pre-norm models often get
# by without one. BERT is post-norm, with warm-up. GPT-2 moved the norm to the
# input of each sub-layer (Radford et al. 2019, §2.3), and most large models
# since then are pre-norm.
# What this does not show is which one ends better when both are trained with
# care.

# %% [markdown]
# ## Experiment: take one part away
#
# Six blocks, as in the original. We train the sorter for 500 steps with Adam,
# three seeds each, and take its loss on 512 strings that it has not seen.
# The runs are made by `experiments/06_the_block.py`.
#
# **Prediction.** Each part is needed: every removal makes the loss at least
# twice as large.
#
# A yardstick: a model that ignores its input and knows only the place can
# still guess, since the first place often holds a 0. Its loss is the entropy
# of the digit in each place.

# %%
digits = draw_digits(200_000, 10, torch.Generator().manual_seed(0)).cpu()
in_place = F.one_hot(digits.sort(dim=1).values, 10).double().mean(0)
place_only = -(in_place * in_place.clamp(min=1e-12).log()).sum(-1).mean()
claim(place_only, 1.51, 1.54, "loss of knowing the place only, nats")
assert place_only < math.log(10)

# %%
record = load_results("06_the_block")
rows = record["rows"]


def measured(study, part, layers=6, name="held_out_loss"):
    chosen = [
        row[name]
        for row in rows
        if (row["study"], row["block"], row["layers"]) == (study, part, layers)
    ]
    assert len(chosen) >= 3
    return torch.tensor(chosen)


REMOVED = ["whole block", "norm first", "without Add"]
REMOVED += ["without Norm", "without FFN", "without ReLU"]
removed = {part: measured("removed", part) for part in REMOVED}
for part, runs in removed.items():
    print(f"{part:<13}", ", ".join(f"≈ {run:.3f}" for run in runs.tolist()))
whole = removed["whole block"]
for part in ("without Norm", "without FFN", "without ReLU"):
    times = removed[part].mean() / whole.mean()
    print(f"{part:<13} {times:.1f} times the loss of the whole block")
    assert 2.5 < times < 5.5
    assert removed[part].min() > whole.max()
    right = measured("removed", part, name="held_out_accuracy")
    assert right.min() > 0.97  # of the digits in place
assert removed["without Add"].min() > 1.9 > place_only

# %%
figure, ax = plt.subplots(figsize=(7.0, 3.0))
for place, runs in enumerate(removed.values()):
    ax.scatter([place] * len(runs), runs, color=plotting.QUERY, zorder=3)
ax.axhline(place_only, color=plotting.INK, lw=1)
ax.text(4.4, place_only * 0.72, "place only", size=8)
ax.set_xticks(range(len(removed)), [p.replace(" ", "\n", 1) for p in removed])
ax.set(yscale="log", ylabel="held-out loss, nats")
plotting.show(
    figure,
    alt="Held-out loss of six kinds of block, three dots each, on a"
    " logarithmic axis, with a line where only the place is known. Whole"
    " block and norm first lie lowest, near 0.01 to 0.02. Without norm,"
    " feed-forward network or ReLU lie higher, up to 0.09. Without Add lies"
    " above the line, near 2.1.",
)

# %% [markdown]
# The prediction holds on average, and the sizes differ. *Norm first* lacks
# nothing and is level with the whole block. Without Add hardly anything is
# learned: near 2.1 nats, the model does worse than one that knows the place
# only. Where does it lose the place? We send texts through fresh stacks, and
# ask how much of the vectors' squared size sets the positions of a text apart.


# %%
@torch.no_grad()
def differing(part):
    draw = seed_everything(0)
    model = Sorter(TOY, PARTS[part]).double()
    x = model.positions(model.embedding(draw_digits(64, 10, draw).cpu()))
    for block in model.blocks:
        x = block(x)
    differences = x - x.mean(dim=1, keepdim=True)
    return (differences.square().sum() / x.square().sum()).item()


claim(differing("whole block"), 0.3, 0.7, "share that differs, whole block")
assert differing("without Add") < 1e-20  # zero, but for rounding

# %% [markdown]
# Attention with fresh weights takes nearly the mean of all positions. Six
# times in a row without residuals, and all ten positions hold the same vector.
#
# Without the norm, the FFN or the ReLU, the loss is about three to five times
# that of the whole block, on average. The sorter still sorts: it gets more
# than 97 of 100 digits right. So these are not parts without which nothing
# works. PyTorch's own fresh weights, with which these runs start, are smaller
# than those of the gradient experiment. With them six blocks can do without a
# norm.

# %%
seed_everything(0)
for weight in Sorter(TOY, PARTS["whole block"]).blocks.parameters():
    if weight.dim() > 1:
        own = weight.std()
        assert nn.init.xavier_uniform_(weight).std() > own

# %% [markdown]
# What this does not show: one task, one width, 500 steps, three seeds, and no
# setting tuned for each variant. *Without FFN* also has fewer parameters, so
# size and kind of the change are mixed there. *Without ReLU* has as many.

# %% [markdown]
# ## Experiment: more blocks, same budget
#
# **Prediction.** If depth always helped, the loss would fall from 1 block to
# 16. We predict that it does not: the deepest post-norm stack, trained for the
# same 500 steps without warm-up, ends worse than a shallower one.

# %%
STACKS = [1, 2, 4, 8, 16]
by_depth = torch.stack(
    [measured("depth", "whole block", n)[:3] for n in STACKS], dim=1
)
for n, runs in zip(STACKS, by_depth.T, strict=True):
    size = measured("depth", "whole block", n, "parameters")[0].item()
    losses = ", ".join(f"≈ {run:.3f}" for run in runs.tolist())
    print(f"{n:>2} blocks, {size:>7,} parameters: {losses}")
means = by_depth.mean(0)
assert means[0] > means[1] > means[2]  # depth helps …
assert means[4] > 3 * means[2]  # … and then it does not
deepest = by_depth[:, -1]
assert 30 < deepest.max() / deepest.min() < 35
assert deepest.min() < by_depth[:, 2].mean() < deepest.median() / 5

# %%
figure, ax = plt.subplots(figsize=(6.0, 3.0))
plotting.spread(ax, STACKS, by_depth, label="post-norm, 500 steps")
ax.set(
    xscale="log", yscale="log", xlabel="number of blocks",
    ylabel="held-out loss, nats",
)  # fmt: skip
ax.set_xticks(STACKS, [str(n) for n in STACKS])
ax.minorticks_off()
ax.legend()
plotting.show(
    figure,
    alt="Held-out loss after 500 steps against the number of blocks, 1 to 16,"
    " mean and range of three seeds. It falls from about 0.1 at one block to"
    " about 0.02 at four and eight. At sixteen the mean rises tenfold, and the"
    " seeds lie far apart.",
)

# %% [markdown]
# The mean does what we predicted, the seeds tell more. From 1 block to 4 the
# loss falls, from 4 to 8 it stays. At 16 it is worse on average and differs
# by a factor of about 30 between seeds: one run is nearly as good as the best
# of all, two are not. But we took the held-out loss once, after the last step.
# The training loss, averaged over the last 50 steps, is a steadier measure.
# Its strings are fresh at each step, so it too is a loss on new strings:

# %%
late = {
    n: measured("depth", "whole block", n, "last_50_losses") for n in STACKS
}
for n, runs in late.items():
    print(
        f"{n:>2} blocks:", ", ".join(f"≈ {run:.3f}" for run in runs.tolist())
    )
assert late[1].mean() > late[2].mean() > late[4].mean()
assert late[16].median() > late[4].max()  # two of three
assert 2 < late[16].mean() / late[4].mean() < 3
assert means[4] > 10 * means[2]
assert deepest[0] > 5 * late[16][0]  # it ended at a bad moment

# %% [markdown]
# From 1 block to 4 the loss falls here too, and two of the three deepest runs
# are worse than any with 4 blocks. But on this measure 16 blocks have between
# two and three times the loss of 4, no longer more than ten times. The worst
# run averaged less than a fifth of its final loss over its last 50 steps: its
# loss still jumps.
#
# Is it post-norm's fault? The same 16 blocks with pre-norm, and without any
# norm. First the held-out loss, then the training loss:

# %%
with_four = {"held_out_loss": means[2], "last_50_losses": late[4].mean()}
for part in ("norm first", "without Norm"):
    for name, four in with_four.items():
        runs = measured("depth", part, 16, name)
        print(part, ", ".join(f"≈ {run:.3f}" for run in runs.tolist()))
        assert runs.mean() > 1.5 * four

# %% [markdown]
# They lie in the same range: with three seeds we cannot tell the three
# apart. On average none reaches what 4 blocks reach.
# What this does not show: that 16 blocks are worse in themselves. With more
# steps and a tuned learning rate they may well win. Depth is a setting that
# has to fit the others; it is no dial that raises accuracy.

# %% [markdown]
# ## What attention buys
#
# Four advantages are named again and again: it is parallel, it links distant
# words, it has capacity, it takes inputs of any length. Each needs a plot or
# it is only a word. Beside the block we put a recurrent layer, an LSTM, of
# the same width.
#
# *Parallel*: we count the matrix products that a plain program calls, one
# after another; attention's fused kernel counts as one.
# *Long range*: we compute how strongly the last output depends on the first
# input. *Capacity* we saw above: from 1 block to 4 the parameters grow and the
# held-out loss falls. *Any length*: the same weights take 4 tokens or 256.

# %%
from torch.utils._python_dispatch import TorchDispatchMode

PRODUCTS = {"mm", "addmm", "bmm", "_scaled_dot_product_flash_attention"}


class ProductCounter(TorchDispatchMode):
    """Count the matrix products that run inside."""

    total = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        name = function.overloadpacket.__name__
        self.total += name.removesuffix("_for_cpu") in PRODUCTS
        return function(*args, **(kwargs or {}))


@torch.no_grad()
def products(model, length):
    with ProductCounter() as counter:
        model(torch.zeros(1, length, 32))
    return counter.total


# %%
class StepByStep(nn.LSTM):
    """An LSTM in plain steps: each needs the one before."""

    def forward(self, x):
        hidden = cell = x.new_zeros(len(x), self.hidden_size)
        outputs = []
        for step in x.unbind(1):
            gates = F.linear(step, self.weight_ih_l0, self.bias_ih_l0)
            gates = gates + F.linear(
                hidden, self.weight_hh_l0, self.bias_hh_l0
            )
            i, f, g, o = gates.chunk(4, dim=-1)
            cell = f.sigmoid() * cell + i.sigmoid() * g.tanh()
            hidden = o.sigmoid() * cell.tanh()
            outputs.append(hidden)
        return torch.stack(outputs, dim=1)


# %%
WIDTH_32 = BlockConfig(d_model=32, num_heads=4, d_ff=128, dropout=0.0)
LENGTHS = [4, 16, 64, 256]
seed_everything(4)
a_block, an_lstm = EncoderBlock(WIDTH_32), StepByStep(32, 32)
reference = nn.LSTM(32, 32, batch_first=True)
reference.load_state_dict(an_lstm.state_dict())
probe = torch.randn(2, 7, 32)
assert (an_lstm(probe) - reference(probe)[0]).abs().max() < 1e-5
calls = {
    name: [products(model, n) for n in LENGTHS]
    for name, model in (("block", a_block), ("LSTM", an_lstm))
}
print(calls)
assert calls["block"] == [7] * len(LENGTHS)
assert calls["LSTM"] == [2 * n for n in LENGTHS]


# %%
def memory_of_first(model, length, seed):
    draw = seed_everything(seed)
    model = model().double()  # small numbers: single precision ends at 1e-45
    x = torch.randn(1, length, 32, generator=draw).double().requires_grad_()
    out = model(x)[0, -1]
    direction = torch.randn(32, generator=draw).double()
    (gradient,) = torch.autograd.grad((out * direction).sum(), x)
    sizes = gradient[0].norm(dim=-1)
    return (sizes[0] / sizes[-1]).item()


MODELS = {
    "block": lambda: EncoderBlock(WIDTH_32),
    "LSTM": lambda: StepByStep(32, 32),
}
reaches = {
    name: torch.tensor(
        [[memory_of_first(make, n, s) for n in LENGTHS] for s in SEEDS],
        dtype=torch.float64,
    )
    for name, make in MODELS.items()
}
claim(reaches["block"][:, -1].log10().mean(), -4, -1, "log10 at 256, block")
claim(reaches["LSTM"][:, 2].log10().mean(), -20, -10, "log10 at 64, LSTM")
claim(reaches["LSTM"][:, -1].log10().mean(), -65, -50, "log10 at 256, LSTM")

# %%
figure, panels = plt.subplots(1, 2, figsize=(7.4, 3.0))
for name in ("block", "LSTM"):
    panels[0].plot(LENGTHS, calls[name], marker="o", label=name)
    plotting.spread(panels[1], LENGTHS, reaches[name], label=name)
panels[0].set(title="matrix products called", ylabel="products")
panels[1].set(title="gradient, first token over last", ylabel="ratio")
for panel in panels:
    panel.set(xscale="log", yscale="log", xlabel="length, tokens")
    panel.set_xticks(LENGTHS, [str(n) for n in LENGTHS])
    panel.legend()
plotting.show(
    figure,
    alt="Two plots against the length, 4 to 256 tokens. Left, matrix products"
    " called: 7 at all lengths for the block, 8 to 512 for the LSTM. Right,"
    " how strongly the last output depends on the first input: it falls slowly"
    " for the block, and below 10 to the power of −50 for the LSTM.",
)

# %% [markdown]
# Not every product has to wait for the one before. The block's query, key and
# value can be computed side by side. So can half of the LSTM's products, those
# of its inputs. The other half cannot: each of the $n$ needs the state before.
#
# On the right the block's curve falls as well: with $n$ keys and no training,
# each gets about $1/n$ of the weight. That is dilution, not distance: the
# first token is as close as any other. And these are fresh weights. Training
# can teach an LSTM to keep what it needs; chapter 01 trained its relative, the
# GRU.

# %% [markdown]
# ## What attention costs
#
# Four limits are named as often: the cost, inefficiency on long texts,
# overfitting, and settings that have to be tuned.
#
# **Cost.** Attention compares all pairs of tokens: $n^2$ scores per head. The
# naive form keeps them. PyTorch's fused kernel computes them piece by piece
# and keeps none, so its *memory* grows with $n$, while its *time* still
# grows with $n^2$. **Prediction:** exponents of 2 and 2 for the naive form's
# time and memory, 2 and 1 for the fused one.
#
# First the memory that can be counted exactly: the bytes that PyTorch keeps
# from the forward pass until the backward pass needs them.

# %%
from bertbook.attention import fused_attention, scaled_dot_product_attention


def kept_bytes(attend, length):
    held = {}

    def note(tensor):
        storage = tensor.untyped_storage()
        held[storage.data_ptr()] = storage.nbytes()
        return tensor

    inputs = torch.zeros(3, 1, 4, length, 64, requires_grad=True).unbind()
    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        output = attend(*inputs)
    assert output.shape == (1, 4, length, 64)
    return sum(held.values())


FORMS = {
    "naive": lambda q, k, v: scaled_dot_product_attention(q, k, v)[0],
    "fused": fused_attention,
}
LONG = [256, 512, 1024, 2048]

# %%
kept = {
    name: [kept_bytes(form, n) for n in LONG] for name, form in FORMS.items()
}
for name, sizes in kept.items():
    print(name, [f"{size:,}" for size in sizes])
growth = kept["naive"][-1] / kept["naive"][-2]
scores = [4 * 4 * n * n for n in LONG]  # 4 heads, 4 bytes each
assert all(a >= b for a, b in zip(kept["naive"], scores, strict=True))
assert 3.5 < growth < 4
assert kept["fused"][-1] <= 8 * kept["fused"][0] + 100_000
print(f"twice the length: {growth:.2f} times the bytes kept")

# %% [markdown]
# Then time and peak memory, as measured by `benchmarks/attention_cost.py`. We
# plot each cost as a multiple of what the shortest text costs, and no seconds,
# which belong to a machine. (`results/06_attention_cost.json` has the seconds,
# the machine, and how busy it was.) The exponents are fitted from 512 tokens
# up.

# %%
cost = load_results("06_attention_cost")
assert cost["fitted_from"] == 512
figure, panels = plt.subplots(1, 2, figsize=(7.4, 3.2))
for panel, name in zip(panels, ("seconds", "peak_bytes"), strict=True):
    for form in FORMS:
        own = [row for row in cost["rows"] if row["form"] == form]
        lengths = [row["length"] for row in own]
        times = [row[name] / own[0][name] for row in own]
        fitted = cost["exponents"][form][name]
        panel.plot(lengths, times, marker="o", label=f"{form}: {fitted:.2f}")
    panel.set(
        xscale="log", yscale="log", xlabel="length, tokens",
        ylabel="times the shortest",
    )  # fmt: skip
    panel.set_xticks(lengths, [str(n) for n in lengths], size=8)
    panel.minorticks_off()
    panel.legend(title="exponent")
panels[0].set_title("time")
panels[1].set_title("peak memory")
plotting.show(
    figure,
    alt="Time and peak memory of attention against the length, as multiples of"
    " the shortest, both axes logarithmic, naive and fused form. In time the"
    " fused form rises with a slope near 2 and the naive one more steeply. In"
    " memory the naive form rises with a slope near 2 and the fused one with a"
    " slope near 1.",
)

# %%
for form in FORMS:
    for name in ("seconds", "peak_bytes"):
        expected = cost["predicted"][form][name]
        value = cost["exponents"][form][name]
        text = f"exponent, {form}, {name}, predicted {expected}"
        above = 0.75 if (form, name) == ("naive", "seconds") else 0.25
        claim(value, expected - 0.25, expected + above, text)

# %% [markdown]
# The bytes follow the prediction closely, and so does the fused form's time.
# The naive form's time does not: its exponent is too high. Its curve has a
# kink. We look at what one doubling costs, place by place, and at the *page
# faults* of a call: how often it had to ask the system for a page of memory.

# %%
naive_rows = [row for row in cost["rows"] if row["form"] == "naive"]
doublings = {
    b["length"]: b["seconds"] / a["seconds"]
    for a, b in itertools.pairwise(naive_rows)
}
for row in naive_rows[1:]:
    n = row["length"]
    print(f"{n:>4}: time ≈ {doublings[n]:.1f}, faults ≈ {row['page_faults']}")
claim(doublings[1024], 3, 6.5, "doubling to 1024, predicted 4")
claim(doublings[4096], 3, 5.5, "doubling to 4096, predicted 4")
assert doublings[2048] > 6

# %% [markdown]
# At the end of the curve twice the length costs between four and five times
# the time, near the prediction. Just before the kink it costs a little more;
# we suppose that there the scores outgrow the processor's cache. Between
# 1,024 and 2,048 tokens the scores of four heads pass from 16 to 64 MiB. A
# block of memory that large goes back to the system after each call and has
# to be fetched again, page by page. The square is the cost of the arithmetic;
# a real program also pays for its memory.
# These are times on a CPU. On a GPU: not yet measured.

# %% [markdown]
# **Inefficiency**, then, has a precise meaning: twice the text, four times
# the comparisons, fused or not. For short texts the projections and the FFN
# cost more than the comparisons: $12 n d^2$ multiplications against
# $2 n^2 d$. They are equal at $n = 6d$.

# %%
d = 768
for n in (128, 512, 6 * d):
    share = 2 * n * n * d / (12 * n * d * d + 2 * n * n * d)
    print(f"{n:>5} tokens: comparing takes {share:.3f} of the products")
assert 2 * (6 * d) ** 2 * d == 12 * (6 * d) * d * d

# %% [markdown]
# **Overfitting.** The sorter once more, but with only 64 strings to learn
# from, shown again and again. **Prediction:** it learns them by heart. Its
# loss on new strings falls at first, then rises.

# %%
few = [row["curve"] for row in rows if row["study"] == "few strings"]
assert len(few) >= 3
steps = [point["step"] for point in few[0]]
seen = torch.tensor([[p["training_loss"] for p in curve] for curve in few])
new = torch.tensor([[p["held_out_loss"] for p in curve] for curve in few])
claim(seen[:, -1].mean(), 0, 0.1, "loss on the 64 strings, after 500 steps")
lowest = new.min(dim=1).values
claim(lowest.mean(), 0.5, 0.7, "lowest loss on new strings")
claim(new[:, -1].mean(), 0.7, 1.0, "loss on new strings at the end")
assert (new[:, -1] > 1.1 * lowest).all()
assert whole.max() < 0.0205

# %%
figure, ax = plt.subplots(figsize=(6.4, 3.2))
plotting.spread(ax, steps, seen, label="the 64 strings")
plotting.spread(ax, steps, new, label="new strings")
ax.set(xlabel="step", ylabel="loss, nats")
ax.legend()
plotting.show(
    figure,
    alt="Loss against the training step, 25 to 500, mean and range of three"
    " seeds. On the 64 training strings it falls to nearly zero. On new"
    " strings it falls at first, then rises.",
)

# %% [markdown]
# With fresh strings at each step the same model came to 0.020 and below in
# the same 500 steps (*whole block* above). Here the cure is more data:
# that is where pre-training (chapter 10) will come from.
#
# **Settings to tune.** We met some: the number of blocks, the place of the
# norm, the learning rate that goes with them. The depth experiment shows that
# they cannot be chosen one by one. Chapter 12 tunes some of them with care.

# %% [markdown]
# ## Transformer and LSTM side by side
#
# One layer of each, of width 512, on $n$ tokens. The last two lines are
# measured above, at width 32.

# %%
with torch.device("meta"):
    lstm_count = count(nn.LSTM(512, 512))
assert lstm_count == 8 * 512**2 + 8 * 512 == 2_101_248
at_64 = [reaches[name][:, 2].log10().mean() for name in ("block", "LSTM")]
one_block = f"{count(encoder.blocks[0]):,}"
called = [str(calls[name][-1]) for name in ("block", "LSTM")]
TABLE = [
    ("parameters", one_block, f"{lstm_count:,}"),
    ("products, n tokens", "12nd² + 2n²d", "8nd²"),
    ("steps between two tokens", "1", "up to n"),
    ("kept in memory, naive", "n² and n", "n"),
    ("needs positions added", "yes", "no"),
    ("products called, n = 256", *called),
    ("log10 of reach at n = 64", *(f"≈ {a:.1f}" for a in at_64)),
]
print(f"{'':<28}{'Transformer':<16}LSTM")
for name, block_cell, lstm_cell in TABLE:
    print(f"{name:<28}{block_cell:<16}{lstm_cell}")
assert at_64[0] > at_64[1] + 5

# %% [markdown]
# The LSTM's column has the smaller numbers where cost is concerned: fewer
# parameters, no $n^2$. The Transformer wins where waiting is concerned: on
# hardware that does thousands of things at once, products that need not wait
# can run side by side.

# %% [markdown]
# ## What lectures get wrong
#
# Thirteen statements from lectures, each with what is so and a cell that
# shows it.

# %% [markdown]
# @fact F-03

# %%
first, second = encoder.blocks[0], encoder.blocks[1]
assert first.feed_forward.widen.weight is not second.feed_forward.widen.weight
print(f"4 blocks: ≈ {means[2]:.3f}, 16 blocks: ≈ {means[4]:.3f}")
assert means[4] > 3 * means[2]

# %% [markdown]
# @fact F-04

# %%
from transformers import BertConfig

original = nn.Transformer(8, 2, dim_feedforward=8, batch_first=True)
assert len(original.encoder.layers) == len(original.decoder.layers) == 6
assert BertConfig().num_hidden_layers == 12  # BERT-base; BERT-large has 24
assert len(minilm.encoder.layer) == 6
print("original 6, BERT-base", BertConfig().num_hidden_layers)

# %% [markdown]
# @fact F-23

# %%
ids = torch.tensor([[101, 7592, 102]])
vectors = minilm.embeddings(ids)
assert vectors.shape == (1, 3, 384)
first_block = minilm.encoder.layer[0]
assert first_block(vectors).shape == vectors.shape  # vectors in, vectors out
try:
    first_block(ids)
except (RuntimeError, IndexError, ValueError) as error:
    print("the first block, given ids:", type(error).__name__)
else:
    raise AssertionError("a block accepted token ids")

# %% [markdown]
# @fact F-26

# %%
rows_of_table = minilm.embeddings.position_embeddings.weight.shape[0]
assert rows_of_table == 512
with torch.no_grad():
    minilm(torch.full((1, 512), 7592))
complaints = []
for call, argument in (
    (minilm.embeddings.position_embeddings, torch.tensor([512])),
    (minilm, torch.full((1, 513), 7592)),
):
    try:
        call(argument)
    except (IndexError, RuntimeError) as error:
        complaints.append(type(error).__name__)
print("row 513 of the table, 513 tokens:", complaints)
assert complaints == ["IndexError", "RuntimeError"]
scores_bytes = 12 * 4 * 512**2  # one layer of BERT-base, one text
assert scores_bytes == 12_582_912
assert 4 * scores_bytes == 12 * 4 * 1024**2

# %% [markdown]
# @fact F-41

# %%
draw = {"generator": seed_everything(5)}
picture = torch.rand(3, 8, 6, **draw)
gray = picture.mean(0, keepdim=True)
resized = F.interpolate(gray[None], size=(3, 4))[0]
assert resized.shape == (1, 3, 4)  # 4:3 and gray: another picture
normed = F.layer_norm(vectors.detach(), (384,))
assert normed.shape == vectors.shape  # the same shape, standardized
assert normed.mean(-1).abs().max() < 1e-5
print("resizing changes the shape; layer norm does not")

# %% [markdown]
# @fact F-42

# %%
assert by_column.mean(dim=0).abs().max() < 1e-12  # each column: mean 0
assert by_column.mean(dim=1).abs().max() > 0.5
assert by_row.mean(dim=1).abs().max() < 1e-12  # each row: mean 0
assert by_row.mean(dim=0).abs().max() > 0.2
print("batch norm: columns. layer norm: rows")

# %% [markdown]
# @fact F-43

# %%
other = batch.clone()
other[2] = 100.0 * other[2] + torch.arange(4)  # another third sample
layers = F.layer_norm(batch, (4,)), F.layer_norm(other, (4,))
batches = [F.batch_norm(b, None, None, training=True) for b in (batch, other)]
assert torch.equal(layers[0][0], layers[1][0])  # row 1 does not notice
assert (batches[0][0] - batches[1][0]).abs().max() > 0.1  # here it does
assert not issubclass(nn.BatchNorm1d, nn.LayerNorm)
print("change one sample: batch norm changes the others, layer norm does not")

# %% [markdown]
# @fact F-44

# %%
draw = {"generator": seed_everything(6)}
inputs = torch.randn(1_000, 3, **draw, dtype=torch.float64)
shifted = inputs + 3.0
assert torch.allclose(torch.cov(inputs.T), torch.cov(shifted.T))
assert (shifted.mean(0) - inputs.mean(0)).min() > 2.9
print("the inputs have shifted, their covariance has not")

# %% [markdown]
# @fact F-45

# %%
scan = torch.randn(1, 8, 1, 1, **draw)  # one large picture, pooled
try:
    nn.BatchNorm2d(8)(scan)
except ValueError:
    print("batch norm: ValueError for a batch of one")
else:
    raise AssertionError("batch norm accepted one value per channel")
grouped = nn.GroupNorm(2, 8)(scan)
assert grouped.isfinite().all()
assert grouped.view(2, 4).mean(-1).abs().max() < 1e-5

# %% [markdown]
# @fact F-46

# %%
assert (post(x) - equations(x)).abs().max() < 1e-5  # T¹ … H is post-norm
assert (pre(x) - equations(x)).abs().max() > 0.1  # pre-norm is not
shrinks = at_last["norm first"][:, -1] / at_last["norm first"][:, 0]
keeps = at_last["whole block"][:, -1] / at_last["whole block"][:, 0]
claim(shrinks.mean(), 0.15, 0.6, "pre-norm, last gradient, 32 over 2 blocks")
claim(keeps.mean(), 0.8, 5, "post-norm, the same")

# %% [markdown]
# @fact F-47

# %%
inside = Counter(type(m).__name__ for m in bert_block.modules())
assert inside["LayerNorm"] == 2
assert inside["AddAndNorm"] == 2
assert inside["MultiHeadAttention"] == inside["FeedForward"] == 1
print("2 sub-layers, 2 sums, 2 norms")

# %% [markdown]
# @fact F-48

# %%
moved = x.clone()
moved[0, 0, 0] += 1.0  # one feature of one position
change = (F.layer_norm(moved, (26,)) - F.layer_norm(x, (26,))).abs()
assert (change[0, 0] > 0).all()  # all features of that position
assert (change[0, 1:] == 0).all()  # and no other position
constant = torch.full((1, 4), 5.0)
without = (constant - constant.mean()) / constant.std(correction=0)
assert without.isnan().all()  # 0 / 0
assert (F.layer_norm(constant, (4,)) == 0).all()  # ε under the root
# ε shows where the variance is as small as ε: here ±1.34 is no longer reached
tiny_row = torch.tensor([[1.0, 2.0, 3.0, 4.0]]) * 1e-3
small = F.layer_norm(tiny_row, (4,))[0]
print([round(n, 4) for n in small.tolist()])
assert small.abs().max() < 0.45

# %% [markdown]
# @fact F-125

# %%
from transformers import ResNetConfig, ResNetModel, ViTConfig, ViTModel

with torch.device("meta"):
    vision_transformer = ViTModel(ViTConfig(num_hidden_layers=2))
    convolutional = ResNetModel(ResNetConfig(depths=[1, 1, 1, 1]))
for model in (vision_transformer, convolutional):
    names = Counter(type(m).__name__ for m in model.modules())
    norms = {name: n for name, n in names.items() if "Norm" in name}
    print(type(model).__name__, norms)
vit = Counter(type(m).__name__ for m in vision_transformer.modules())
resnet = Counter(type(m).__name__ for m in convolutional.modules())
assert vit["LayerNorm"] >= 5
assert vit["BatchNorm2d"] == resnet["LayerNorm"] == 0
assert resnet["BatchNorm2d"] > 10

# %% [markdown]
# ## Exercises
#
# [Exercises 06](../exercises/06_the_block.ipynb), about 60 minutes:
#
# 1. normalize a vector and a batch,
# 2. count a layer of any size,
# 3. turn the six equations into code,
# 4. test whether a function keeps positions apart.

# %% [markdown]
# ## Summary
#
# - A block is attention and a feed-forward network, each with a sum around it
#   and a norm: $H = \mathrm{LN}(T^3 + \mathrm{FFN}(T^3))$ with
#   $T^3 = \mathrm{LN}(X + \mathrm{SelfAttention}(X))$.
# - The sum gives the gradient a path of its own, the norm keeps sums from
#   piling up. Layer norm looks at one position's features and at nothing else.
# - The FFN works on each position alone. Attention is where positions meet.
# - A BERT-base block has 7,087,872 parameters, two thirds of them in the FFN.
# - Twice the text costs attention four times the comparisons, and four times
#   the memory where the scores are kept.
#
# **Next.** The encoder is whole. Chapter 07 adds the decoder and the masks,
# and translates.

# %% [markdown]
# ## Sources
#
# - A. Vaswani et al. (2017), *Attention Is All You Need*: §3.1 (post-norm,
#   $N = 6$), §3.3 and eq. 2 (the FFN, and its reading as two convolutions of
#   width 1), §4 and Table 1 (cost), Table 3 (sizes).
#   [arXiv:1706.03762](https://arxiv.org/abs/1706.03762)
# - J. L. Ba, J. R. Kiros, G. E. Hinton (2016), *Layer Normalization*: §3,
#   eq. 3.
#   [arXiv:1607.06450](https://arxiv.org/abs/1607.06450)
# - S. Ioffe, C. Szegedy (2015), *Batch Normalization*: §3, Algorithm 1.
#   [arXiv:1502.03167](https://arxiv.org/abs/1502.03167)
# - Y. Wu, K. He (2018), *Group Normalization*: §1 (small batches).
#   [arXiv:1803.08494](https://arxiv.org/abs/1803.08494)
# - S. Santurkar et al. (2018), *How Does Batch Normalization Help
#   Optimization?*: §2 (the noise experiment).
#   [arXiv:1805.11604](https://arxiv.org/abs/1805.11604)
# - R. Xiong et al. (2020), *On Layer Normalization in the Transformer
#   Architecture*: §3 (gradients of post-norm and pre-norm).
#   [arXiv:2002.04745](https://arxiv.org/abs/2002.04745)
# - K. He, X. Zhang, S. Ren, J. Sun (2016), *Deep Residual Learning for Image
#   Recognition*, [arXiv:1512.03385](https://arxiv.org/abs/1512.03385): §3.
# - A. Radford et al. (2019), *Language Models are Unsupervised Multitask
#   Learners*: §2.3 (the norm moved).
# - J. Devlin et al. (2019), *BERT*: §3 (12 and 24 layers), appendix A.2
#   (warm-up).
#   [arXiv:1810.04805](https://arxiv.org/abs/1810.04805)
