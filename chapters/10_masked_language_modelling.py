# %% [markdown]
# # 10 · Masked language modeling
#
# **How does a model learn a language from text that nobody labeled?**

# %% [markdown]
# After this chapter you will be able to
#
# - choose and hide tokens as BERT's pre-training does, and test that it was
#   done right,
# - write the loss by hand, on the chosen tokens only,
# - tell a token `[MASK]` from an attention mask, and BERT from CBOW,
# - train a small BERT from nothing, and hold it to baselines that count,
# - read a learning curve that stands still, and the table of an ablation.
#
# **Needs:** chapters 04, 05 and 09.
# **Reading time:** 60 minutes. **Run time on a GPU:** not yet measured.

# %% tags=["nbval-ignore-output"]
from bertbook.runtime import SCALE, claim, device, seed_everything

print(f"device {device}, scale {SCALE}")

# %%
import itertools
import math
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import torch
import torch.nn.functional as F
from torch import nn

from bertbook import corpora, plotting
from bertbook.bert import Bert, BertConfig, BertForMaskedLM
from bertbook.checkpoints import load_pretrained, pretrained_folder
from bertbook.runtime import load_results
from bertbook.tokenization import SPECIAL, WordPiece

# %% [markdown]
# ## A gap, and a guess
#
# *The cat sat on the …* You read on without seeing the word. To fill the gap
# you use what stands around it: grammar, meaning, what you know of cats.
# Wilson Taylor made a test of this in 1953, the *cloze procedure*: take every
# n-th word out of a text, and count how many of them readers put back.
#
# BERT is trained on this test and nothing but text is needed: whoever takes a
# word out knows the answer. Some tokens are *chosen*. Most of the chosen ones
# are replaced by a special token, `[MASK]`. The model reads the result and
# must name each chosen token. This is **masked language modeling** (MLM).
#
# > **The paper of this chapter** is again J. Devlin et al. (2019), *BERT*,
# > [arXiv:1810.04805](https://arxiv.org/abs/1810.04805), here §3.1, "Task
# > #1", and appendices A.1 and C.2.

# %% [markdown]
# ## One sentence in one picture
#
# What prepares such a batch is called a *collator*. We send one sentence
# through it, with the vocabulary of the book's own BERT, the model that comes
# with the book. Three things can happen to a chosen token, two of them
# seldom: we draw until each has happened once. Only at the orange tokens is
# there a loss.

# %%
from bertbook.masking import IGNORED, MaskingConfig, mask_tokens

FOLDER = pretrained_folder("book-bert")
tokenizer = WordPiece.from_file(FOLDER / "vocab.txt", max_len=128)
SPECIAL_IDS = [tokenizer.token_id(token) for token in SPECIAL]
MASK = tokenizer.token_id("[MASK]")
config = MaskingConfig(
    vocab_size=len(tokenizer), mask_id=MASK, special_ids=SPECIAL_IDS
)
SENTENCE = (
    "The people of this country want peace, and they know that peace must"
    " be made by all of us together."
)
token_ids = torch.tensor([tokenizer.encode(SENTENCE).token_ids])


# %%
def outcomes(token_ids, masked):
    """Return, for each token, what has become of it."""
    chosen = masked.labels != IGNORED
    hidden = chosen & (masked.token_ids == MASK)
    kept = chosen & (masked.token_ids == token_ids)
    names = ["not chosen", "[MASK]", "random", "unchanged"]
    kinds = chosen.long() * 2 - hidden.long() + kept.long()
    return [[names[kind] for kind in row] for row in kinds.tolist()]


for seed in itertools.count():  # until all three kinds are there
    drawn = torch.Generator().manual_seed(seed)
    masked = mask_tokens(token_ids, config, drawn)
    fate = outcomes(token_ids, masked)[0]
    if {"[MASK]", "random", "unchanged"} <= set(fate):
        break
print(", ".join(each for each in fate if each != "not chosen"))

# %%
before, read = (
    [tokenizer.vocabulary[i] for i in row[0].tolist()]
    for row in (token_ids, masked.token_ids)
)
wide = len(before)
lit = [i for i in range(wide) if fate[i] != "not chosen"]
figure, ax = plt.subplots(figsize=(7.6, 4.4))
ax.set(xlim=(-0.4, 3.6), ylim=(wide - 0.4, -1.4))
ax.axis("off")
columns = {"text": 0, "what BERT reads": 1.2, "label": 2.4, "outcome": 3}
for title, place in columns.items():
    ax.text(place, -1, title, weight="bold")
for row in range(wide):
    chosen = row in lit
    label = before[row] if chosen else str(IGNORED)
    color = plotting.ORANGE if chosen else plotting.PANEL
    for column, text in enumerate([before[row], read[row], label]):
        box = {"boxstyle": "round,pad=0.15", "fc": color, "ec": "none"}
        ax.text(column * 1.2, row, text, size=7.5, va="center", bbox=box)
    if chosen:
        ax.text(3, row, fate[row], size=7.5, va="center")
plotting.show(
    figure,
    alt="Four columns: the tokens of a sentence, what BERT reads, the labels,"
    f" and what became of the chosen tokens. {len(lit)} of {wide} rows are"
    " lit: one reads [MASK], one a random token, one is unchanged, and their"
    " label is the original token. In every other row the label is −100."
    " [CLS] and [SEP] are never lit.",
)

# %%
assert masked.labels[0, lit].tolist() == token_ids[0, lit].tolist()
assert (masked.labels[0] != IGNORED).sum() == len(lit) == 3
assert before[0] == "[CLS]"
assert 0 not in lit
assert wide - 1 not in lit

# %% [markdown]
# ## The loss, by hand
#
# The model gives each token of the vocabulary a probability, at each place.
# Call $C$ the set of chosen places, $x_i$ the true token there, and
# $\tilde{x}$ the text as it is read. The loss is the mean of $-\ln p$ over
# the chosen places, the cross-entropy of chapter 07. It is measured in *nats*,
# the unit that goes with the natural logarithm:
#
# $$L = -\frac{1}{|C|} \sum_{i \in C} \ln p(x_i \mid \tilde{x}) .$$
#
# BERT adds a second loss, a binary cross-entropy on the vector of `[CLS]`, and
# trains on the sum of the two: that is chapter 11's. For three chosen tokens
# whose true words get the probabilities 0.5, 0.25 and 0.8:
# $-\ln 0.5 = 0.6931$, $-\ln 0.25 = 1.3863$, $-\ln 0.8 = 0.2231$. Their mean
# is 0.7675.

# %%
by_hand = [-math.log(p) for p in (0.5, 0.25, 0.8)]
print([round(each, 4) for each in by_hand], round(sum(by_hand) / 3, 4))
assert round(sum(by_hand) / 3, 4) == 0.7675

# Five places, four tokens in the vocabulary, places 0 and 3 not chosen.
probabilities = torch.full((1, 5, 4), 0.25)
probabilities[0, 1] = torch.tensor([0.5, 0.3, 0.1, 0.1])
probabilities[0, 4] = torch.tensor([0.1, 0.05, 0.05, 0.8])
labels = torch.tensor([[IGNORED, 0, 2, IGNORED, 3]])
loss = F.cross_entropy(probabilities.log().flatten(0, 1), labels.flatten())
print(round(loss.item(), 4))
assert abs(loss.item() - sum(by_hand) / 3) < 1e-6
assert nn.CrossEntropyLoss().ignore_index == IGNORED == -100

# %% [markdown]
# The label −100 means: not chosen. PyTorch's `cross_entropy` leaves such
# places out by default (`ignore_index=-100`), and Hugging Face's models rely
# on it. The exponential of the loss is the *perplexity*: $e^{0.7675} = 2.15$.
# The model was as unsure as if it had to choose among 2.15 tokens.

# %%
assert round(math.exp(sum(by_hand) / 3), 2) == 2.15

# %% [markdown]
# ## Eight words, three of them chosen
#
# An example of the textbook by Jurafsky and Martin (Figure 11.4): of *So long
# and thanks for all the fish*, three words are chosen. *long* and *thanks*
# become `[MASK]`, *the* becomes *apricot*. The other five are left alone.
# 8 = 3 + 5. We check with gradients who has a part in what: the score at a
# place, and the vector that goes in there.

# %%
WORDS = ["so", "long", "and", "thanks", "for", "all", "the", "fish"]
VOCABULARY = [*SPECIAL, *sorted({*WORDS, "apricot"})]
ids = torch.tensor([[VOCABULARY.index(word) for word in WORDS]])
labels = torch.full_like(ids, IGNORED)
hidden = ids.clone()
for place, replacement in ((1, "[MASK]"), (3, "[MASK]"), (6, "apricot")):
    labels[0, place] = ids[0, place]
    hidden[0, place] = VOCABULARY.index(replacement)
print(" ".join(VOCABULARY[i] for i in hidden[0].tolist()))
counts = int((labels != IGNORED).sum()), int((labels == IGNORED).sum())
print(counts)
assert counts == (3, 5)

# %%
seed_everything(0)
TINY = BertConfig(
    vocab_size=len(VOCABULARY), num_layers=2, d_model=16, num_heads=2,
    d_ff=32, max_len=8, dropout=0.0,
)  # fmt: skip
tiny = BertForMaskedLM(Bert(TINY)).eval()
entering = []
watch = tiny.bert.embeddings.register_forward_hook(
    lambda module, given, out: entering.append(out) or out.retain_grad()
)
logits = tiny(hidden)
logits.retain_grad()
watch.remove()
loss = F.cross_entropy(logits.flatten(0, 1), labels.flatten())
loss.backward()
at_scores = logits.grad[0].abs().sum(-1)
at_inputs = entering[0].grad[0].abs().sum(-1)
for name, sizes in (("loss at", at_scores), ("read from", at_inputs)):
    found = [w for w, g in zip(WORDS, sizes, strict=True) if g > 0]
    print(f"{name}:", *found)
assert (at_scores > 0).tolist() == (labels[0] != IGNORED).tolist()
assert (at_inputs > 1e-9).all()

# %% [markdown]
# The loss reads the scores at three places. All eight vectors have a part in
# them, through attention. The *labels* of the other five places do not matter:
# any labels there, weighted with 0, give the same loss. In a plain mean over
# all eight places they would change it.

# %%
chosen = labels != IGNORED
drawn = torch.Generator().manual_seed(1)
anything = torch.randint(len(VOCABULARY), labels.shape, generator=drawn)
anything[chosen] = labels[chosen]
with torch.no_grad():
    each = F.cross_entropy(tiny(hidden)[0], anything[0], reduction="none")
    weighted = (each * chosen[0]).sum() / chosen.sum()
    gathered = F.cross_entropy(tiny(hidden, positions=chosen), labels[chosen])
assert (anything != ids).sum() >= 4
assert abs(weighted - loss) < 1e-6
assert abs(gathered - loss) < 1e-6
assert abs(each.mean() - loss) > 5e-4  # all eight places: another loss

# %% [markdown]
# `gathered` is how our model computes it: the vectors of the chosen places
# are picked out first, and the scores of the vocabulary are computed there
# only. With 15 % chosen this saves 85 % of the product with the word table.
# Hugging Face's model, with the same weights, agrees:

# %%
from bertbook.checkpoints import to_hugging_face

theirs = to_hugging_face(tiny)
with torch.no_grad():
    their_loss = theirs(hidden, labels=labels).loss
assert abs(their_loss - loss) < 1e-6
print(type(theirs).__name__, "gives the same loss")

# %% [markdown]
# ## What becomes of a chosen token
#
# 15 % of the tokens are chosen, each by a draw of its own; the special tokens
# never. A second draw decides what is read in place of a chosen one:
#
# - `[MASK]` with 80 %, that is 12 % of all tokens,
# - a random token with 10 %, 1.5 % of all,
# - the token itself with 10 %, 1.5 % of all.
#
# Naively, token by token:


# %%
def mask_by_loops(token_ids, config, generator):
    read, labels = [], []
    for token in token_ids:
        draw = torch.rand(2, generator=generator)
        if token in config.special_ids or draw[0] >= config.select_prob:
            read.append(token)
            labels.append(IGNORED)
            continue
        labels.append(token)
        if draw[1] < config.mask_prob:
            read.append(config.mask_id)
        elif draw[1] < config.mask_prob + config.random_prob:
            size = (1,)
            any_id = torch.randint(
                config.vocab_size, size, generator=generator
            )
            read.append(int(any_id))
        else:
            read.append(token)
    return read, labels


drawn = torch.Generator().manual_seed(0)
read, labels = mask_by_loops(list(range(5, 405)), config, drawn)
print(sum(label != IGNORED for label in labels), "of 400 chosen")
assert 30 < sum(label != IGNORED for label in labels) < 90

# %% [markdown]
# The library's form, for whole batches at once:

# %%
from bertbook.masking import replace_chosen  # @show

# %%
from bertbook.masking import mask_tokens  # @show

# %% [markdown]
# Is it right? We count over a million tokens. If each is chosen with
# probability $p$, the count of $n$ has mean $np$ and standard deviation
# $\sqrt{np(1-p)}$. We allow four of these. A random token can be the old one
# or `[MASK]` by chance, once in 8,192 each: far too rarely to matter here.

# %%
N = 1_000_000
low = len(SPECIAL_IDS)
drawn = torch.Generator().manual_seed(1)
many = torch.randint(low, len(tokenizer), (1_000, 1_000), generator=drawn)
masked = mask_tokens(many, config, drawn)
chosen = masked.labels != IGNORED
is_mask = chosen & (masked.token_ids == MASK)
same = chosen & (masked.token_ids == many)
SHARES = {
    "chosen": (chosen, 0.15),
    "[MASK]": (is_mask, 0.12),
    "unchanged": (same, 0.015),
    "random": (chosen & ~is_mask & ~same, 0.015),
}
for name, (found, share) in SHARES.items():
    count = int(found.sum())
    deviation = math.sqrt(N * share * (1 - share))
    print(f"{name:<10} {count:>7,} of {N:,}, expected {N * share:,.0f}")
    assert abs(count - N * share) < 4 * deviation

# %% [markdown]
# Why not `[MASK]` always? Because no text to which the model is later applied
# contains a `[MASK]`. With random and unchanged tokens among the chosen ones,
# the model can never be sure that a visible token is right, and has to keep a
# judgment of *every* token ready. The ablation below tests that in small.

# %% [markdown]
# ## Exactly 15, or 15 on average?
#
# "Of 100 words, 15 are masked" is true of one program. Google's code chooses
# exactly `round(0.15 · length)` tokens of a row, at least 1. Hugging Face's
# collator and ours draw for each token: 15 on average, with a standard
# deviation of $\sqrt{100 \cdot 0.15 \cdot 0.85} = 3.57$. And of 15 chosen
# tokens only 12 are expected to become `[MASK]`; 1.5 become random, 1.5 stay.

# %%
from bertbook.masking import mask_exactly

rows = many[:, :100].repeat(10, 1)
drawn = torch.Generator().manual_seed(2)
exact = mask_exactly(rows, config, drawn)
free = mask_tokens(rows, config, drawn)
exact_count, free_count = (
    (each.labels != IGNORED).sum(1).double() for each in (exact, free)
)
print("exactly:", sorted(set(exact_count.int().tolist())))
claim(free_count.mean(), 14.85, 15.15, "by draws: mean")
claim(free_count.std(), 3.45, 3.7, "by draws: standard deviation")
seen = (exact.token_ids == MASK).sum(1).double()
claim(seen.mean(), 11.9, 12.1, "of exactly 15, [MASK]")
assert set(exact_count.tolist()) == {15.0}
assert round(math.sqrt(100 * 0.15 * 0.85), 2) == 3.57

# %% [markdown]
# The released settings also cap the number at 20 for each row of 128 tokens.
# Of 512 tokens 15 % would be 77; with the cap of 20 it would be 3.9 %.

# %%
for length, cap in ((128, 20), (512, None), (512, 20)):
    row = many[:1, :length]
    found = mask_exactly(row, config, drawn, max_chosen=cap).labels
    print(length, cap, int((found != IGNORED).sum()))
assert [round(0.15 * n) for n in (128, 512)] == [19, 77]
assert round(100 * 20 / 512, 1) == 3.9

# %% [markdown]
# ## Whole words
#
# A word can be several pieces. If `##mon` alone is hidden in *phil ##am
# ##mon*, the neighbors give it away. **Whole-word masking** chooses all
# pieces of a word or none; the share of chosen *tokens* stays 15 %.

# %%
from bertbook.masking import mask_whole_words

minilm_tokenizer, _ = corpora.minilm()
NAMES = minilm_tokenizer.convert_ids_to_tokens(range(30_522))
text = "the man jumped up, put his basket on philammon's head"
pieces = minilm_tokenizer(text, return_tensors="pt").input_ids
print(*(NAMES[i] for i in pieces[0, 1:-1].tolist()))
continues = torch.tensor([name.startswith("##") for name in NAMES])
uncased = MaskingConfig(
    vocab_size=30_522, mask_id=103, special_ids=[0, 101, 102]
)
word = pieces[0].tolist().index(NAMES.index("phil"))
assert continues[pieces[0, word + 1 : word + 3]].all()

# %%
drawn = torch.Generator().manual_seed(0)
copies = pieces.repeat(20_000, 1)
whole = mask_whole_words(copies, uncased, drawn, continues)
single = mask_tokens(copies, uncased, drawn)
for name, given in (("whole words", whole), ("single tokens", single)):
    picked = (given.labels[:, word : word + 3] != IGNORED).sum(1)
    shares = torch.bincount(picked, minlength=4) / len(picked)
    print(f"{name:<14}", ", ".join(f"≈ {s:.3f}" for s in shares.tolist()))
    rate = (given.labels[:, 1:-1] != IGNORED).double().mean()
    claim(rate, 0.148, 0.152, "share of tokens chosen")
picked = (whole.labels[:, word : word + 3] != IGNORED).sum(1)
assert set(picked.tolist()) == {0, 3}

# %% [markdown]
# The four numbers are the shares of texts in which 0, 1, 2 or 3 of the three
# pieces are chosen. Whole words: none or all. In 2019 Google released two more
# BERT-large models, uncased and cased, that were trained so, with no other
# change. Uncased: SQuAD 1.1 F1/EM from 91.0/84.3 to 92.8/86.7, MNLI from 86.05
# to 87.07 ([README](https://github.com/google-research/bert)). How much to
# hide was asked later: Wettig et al. (2023) find that 40 % serves a large
# model better than 15 %, under a fixed budget of training.

# %% [markdown]
# ## Is this CBOW?
#
# CBOW, of chapter 04, also fills a gap: it predicts a word from the *mean* of
# its neighbors' vectors. A mean has no order. What stands left and what
# stands right of the gap, what is near and what is far, is gone.
#
# **Prediction.** Take texts of two different symbols and, behind them, a gap
# that repeats the first. CBOW cannot know which came first: its loss stays at
# $\ln 2 = 0.693$ or above. A small BERT gets near 0.


# %%
class CBOW(nn.Module):
    def __init__(self, vocab_size, d_model):
        super().__init__()
        self.table = nn.Embedding(vocab_size, d_model)
        self.scores = nn.Linear(d_model, vocab_size)

    def forward(self, token_ids):
        return self.scores(self.table(token_ids[:, 1:3]).mean(1))


class Reader(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.model = BertForMaskedLM(Bert(config))

    def forward(self, token_ids):
        return self.model(token_ids)[:, 3]


def order_texts(count, generator):
    pairs = torch.rand(count, 16, generator=generator).argsort(1)[:, :2] + 5
    frame = torch.full((count, 1), 2), torch.full((count, 1), 4)
    return torch.cat([frame[0], pairs, frame[1]], dim=1), pairs[:, 0]


# %%
ORDER = BertConfig(
    vocab_size=21, num_layers=1, d_model=32, num_heads=2, d_ff=64,
    max_len=4, dropout=0.0,
)  # fmt: skip


def learn_order(model, generator, steps=400):
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3)
    for _ in range(steps):
        texts, answers = order_texts(128, generator)
        loss = F.cross_entropy(model(texts), answers)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    texts, answers = order_texts(2_000, torch.Generator().manual_seed(99))
    with torch.no_grad():
        return F.cross_entropy(model(texts), answers).item()


found = {"CBOW": [], "BERT": []}
for seed in range(3):
    drawn = seed_everything(seed)
    for name, model in (("CBOW", CBOW(21, 32)), ("BERT", Reader(ORDER))):
        found[name].append(learn_order(model, drawn))
for name, losses in found.items():
    print(name, ", ".join(f"≈ {loss:.3f}" for loss in losses))
claim(min(found["CBOW"]), 0.69, 0.80, "CBOW, best of three seeds, nats")
claim(max(found["BERT"]), 0.0, 0.1, "BERT, worst of three seeds, nats")

# %% [markdown]
# So the likeness holds for the task and ends at the model: both fill a gap
# from both sides, but CBOW averages and BERT attends, with positions. Clark et
# al. (2020, §4) draw the line from CBOW on to ELECTRA, chapter 19.
#
# *Order* is what the toy tests and nothing else. On real text CBOW learns
# useful word vectors; that is what it is for.

# %% [markdown]
# ## The yardsticks
#
# A masked language model has to beat what can be had by counting. We count
# three ways, in the training text:
#
# - *unigrams*: how often each token occurs, whatever stands around it,
# - *bigrams*: how often it follows the token before it,
# - *5-grams*: how often it follows the last four, with shorter contexts
#   mixed in where these are rare (Kneser and Ney, 1995).
#
# They see the *true* tokens to the left, even where BERT reads `[MASK]`, and
# nothing to the right.
#
# Our text: the State of the Union addresses since 1960, 62 of them to learn
# from and 4 held out, cut into 2,048 WordPieces.

# %%
from bertbook.pretraining.store import build_store, train_wordpieces

speeches = [
    corpora.Document("sotu", f"{number}: {each.date}", each.text)
    for number, each in enumerate(corpora.sotu())
    if each.year >= 1960
]
parts = corpora.hold_out(speeches)
vocabulary = train_wordpieces(parts.train, 2_048)
folder = Path(tempfile.mkdtemp())
train_store, held_out_store = (
    build_store(documents, vocabulary, folder / name)
    for name, documents in zip(parts._fields, parts, strict=True)
)
sizes = [s.record.documents for s in (train_store, held_out_store)]
print(sizes, f"documents, {train_store.record.tokens:,} tokens to learn from")
assert sizes == [62, 4]

# %% [markdown]
# Rows are *packed*: a row of 64 places holds several sequences side by side,
# each with its own `[CLS]` and `[SEP]`. Attention stays inside each. Nothing
# is wasted on padding.

# %%
from bertbook.pretraining.baselines import baselines, chosen_tokens
from bertbook.pretraining.rows import RowSampler

WIDTH = 64
masking = MaskingConfig(
    vocab_size=2_048, mask_id=SPECIAL.index("[MASK]"), special_ids=range(5)
)
sampler = RowSampler(train_store, WIDTH, seed=0)
test_rows = RowSampler(held_out_store, WIDTH, seed=0).rows(0, 128, [WIDTH])
drawn = torch.Generator().manual_seed(0)
test_masked = mask_tokens(test_rows.token_ids, masking, drawn)
to_guess = chosen_tokens(
    test_rows.token_ids, test_masked.labels, test_rows.sequence
)
counted = baselines(train_store, to_guess)
for name, (loss, accuracy) in counted.items():
    print(f"{name:<8} loss ≈ {loss:.3f}, perplexity ≈ {math.exp(loss):.0f},"
          f" accuracy ≈ {accuracy:.3f}")  # fmt: skip
claim(counted["unigram"].loss, 6.1, 6.4, "unigrams, nats")
claim(counted["bigram"].loss, 4.2, 4.6, "bigrams, nats")
claim(counted["5-gram"].loss, 3.5, 4.1, "5-grams, nats")

# %% [markdown]
# Guessing by frequency alone is right in about 4 of 100 cases. The token
# before tells much more, 17 of 100, the last four more still, 30 of 100: this
# is repetitive text. A model that reads both sides should in the end do
# better than all of them.

# %%
hits = [round(100 * each.accuracy) for each in counted.values()]
print(hits)
assert list(counted) == ["unigram", "bigram", "5-gram"]
assert all(abs(a - b) <= 1 for a, b in zip(hits, (4, 17, 30), strict=True))

# %% [markdown]
# ## A miniature, trained here
#
# **Prediction.** In some seconds of training a BERT of two layers gets clearly
# below the unigrams' loss, and not near the 5-grams'.
#
# We train on sequences of 8 tokens at first, and on up to 64 at the end: why,
# the experiment on a curve that stands still tells. The batches are masked
# anew each time. That is *dynamic* masking (Liu et al., 2019, §4.1). BERT's
# data were masked beforehand, in ten copies, each of them seen four times.


# %%
def guesses(model, rows, masked):
    chosen = masked.labels != IGNORED
    logits = model(
        masked.token_ids,
        mask=rows.mask,
        position_ids=rows.position_ids,
        positions=chosen,
    )
    return logits, masked.labels[chosen]


@torch.no_grad()
def evaluate(model):
    logits, wanted = guesses(model, test_rows, test_masked)
    hits = (logits.argmax(-1) == wanted).double().mean()
    return F.cross_entropy(logits, wanted).item(), hits.item()


# %%
STEPS, SHORT, ROWS, RATE = 1_000, 600, 8, 2e-3


def learn_masked(model, generator):
    curve = []
    optimizer = torch.optim.AdamW(model.parameters(), RATE, (0.9, 0.98))
    for step in range(STEPS):
        factor = min((step + 1) / 100, (STEPS - step) / (0.4 * STEPS), 1)
        optimizer.param_groups[0]["lr"] = RATE * factor
        lengths = [8] if step < SHORT else [8, 16, 32, 64]
        rows = sampler.rows(step * ROWS, ROWS, lengths)
        masked = mask_tokens(rows.token_ids, masking, generator)
        loss = F.cross_entropy(*guesses(model, rows, masked))
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        if (step + 1) % 200 == 0:
            curve.append((step + 1, *evaluate(model)))
    return curve


# %%
drawn = seed_everything(0)
SMALL = BertConfig(
    vocab_size=2_048, num_layers=2, d_model=64, num_heads=1, d_ff=256,
    max_len=WIDTH, dropout=0.0,
)  # fmt: skip
miniature = BertForMaskedLM(Bert(SMALL))
curve = learn_masked(miniature, drawn)
for step, loss, accuracy in curve:
    print(f"{step:>5} steps: ≈ {loss:.3f} nats, perplexity"
          f" ≈ {math.exp(loss):.0f}, accuracy ≈ {accuracy:.3f}")  # fmt: skip

# %%
_, mini_loss, mini_accuracy = curve[-1]
claim(mini_loss, 5.7, 6.1, "the miniature's held-out loss, nats")
gain = counted["unigram"].loss - mini_loss
claim(gain, 0.15, 0.5, "below the unigrams, nats")
times = mini_accuracy / counted["unigram"].accuracy
claim(times, 1.5, 3.5, "times the unigrams' accuracy")
assert mini_loss > counted["bigram"].loss + 1
assert STEPS * ROWS * WIDTH == 512_000
assert train_store.record.tokens == 697_916

# %% [markdown]
# It has learned more than frequencies, and far less than a table of pairs. But
# it read at most 512,000 tokens, and the counts saw all 697,916. The next
# sections show what more text buys, and what else it takes.

# %% [markdown]
# ## The book's own BERT
#
# The same loop, longer: `book-bert` has 6 layers, 256 dimensions, rotary
# positions and 8,192 WordPieces. It read 3.7 million words of speeches, the
# Bible, Shakespeare and Wikipedia, nearly twelve times over. It was trained
# before, by `python -m bertbook.pretraining`, in two runs: the second began
# with the weights of the first. Its folder holds the curve, and its card says
# all about it. To what we wrote above, that loop adds what a run of hours
# needs: text on disk, the number format in which the device is fastest, a log,
# and checkpoints. A run that is killed goes on with the same bits. The
# yardsticks are counted on the same text, and scored on the same held-out
# rows, with 15 % of the tokens chosen.

# %%
from bertbook.pretraining.log import read_metrics

record = load_results("10_book_bert")["rows"][0]
reached = record["baselines"] | {"book-bert": record["held_out"]}
for name, found in reached.items():
    print(f"{name:<9} loss {found['loss']:.3f},"
          f" perplexity {math.exp(found['loss']):>5.1f},"
          f" accuracy {found['accuracy']:.3f}")  # fmt: skip
text = record["corpus"]["train"]
assert round(text["words"] / 1e6, 1) == 3.7
read = sum(run["tokens"] for run in record["runs"])
assert 11.5 < read / text["tokens"] < 12
assert record["config"]["select_prob"] == 0.3
assert record["asked"]["select_prob"] == 0.15
assert round(math.exp(reached["book-bert"]["loss"]), 1) == 16.3
assert 110 < math.exp(reached["5-gram"]["loss"]) < 112
assert round(reached["book-bert"]["accuracy"], 2) == 0.47

# %% [markdown]
# In training 30 % of its tokens were chosen, twice as many as BERT's; the
# section "What was tried" tells why. Its curves are losses at that share.
# They lie higher than the table above: with more tokens hidden, less is left
# to guess them from. The counts do not mind, since they see the true tokens.
# The second run looks at other held-out rows than the first, and at harder
# ones: its upper curve cannot be set beside the one before.

# %%
metrics = read_metrics(FOLDER / "metrics.jsonl")
figure, ax = plt.subplots(figsize=(6.6, 3.6))
for key, label in (("loss", "training"), ("held_out_loss", "held out")):
    points = [(m["tokens"] / 1e6, m[key]) for m in metrics if key in m]
    ax.plot(*zip(*points, strict=True), label=label)
end = metrics[-1]["tokens"] / 1e6
for name, found in record["baselines"].items():
    ax.axhline(found["loss"], color=plotting.INK, lw=0.8, ls=":")
    ax.text(end, found["loss"] + 0.06, f"{name}s", size=8, ha="right")
ax.set(xlabel="tokens read, millions", ylabel="loss, nats", ylim=(2.8, 8))
ax.legend(loc="upper center", ncols=2)
plotting.show(
    figure,
    alt="The loss of book-bert against the tokens it has read, up to 57"
    " million, in training and on held-out text. Both fall steeply at first,"
    " then slowly, and a little faster again before the first run ends at 36"
    " million, near 3.3. There both jump up, and fall again, to 3.0 in"
    " training and 3.35 on the second run's held-out rows. Dotted lines mark"
    " the unigrams at 6.6, the bigrams at 5.1 and the 5-grams at 4.7; the"
    " curves cross all three within 4 million.",
)

# %%
crossed = {
    name: next(m["tokens"] for m in metrics
               if m.get("held_out_loss", 99) < found["loss"])
    for name, found in record["baselines"].items()
}  # fmt: skip
assert crossed["unigram"] <= crossed["bigram"] <= crossed["5-gram"] < 4e6
assert 36 < record["runs"][0]["tokens"] / 1e6 < 37
final = {k: next(m[k] for m in metrics[::-1] if k in m)
         for k in ("loss", "held_out_loss")}  # fmt: skip
assert 2.9 < final["loss"] < 3.1
assert round(final["held_out_loss"], 2) == 3.35

# %% [markdown]
# It names 47 tokens of 100, from what stands around them, where the best
# count names 24. The perplexity is 16.3 instead of the 5-grams' 111. It
# hardly stopped at the unigrams' loss, near which our miniature still is. The
# experiment on a curve that stands still tells why.
#
# The loss depends on vocabulary and text: our miniature's numbers, with 2,048
# pieces and speeches only, cannot be set beside these. Each model is compared
# with counts on its own rows.

# %% [markdown]
# ### What a step costs
#
# Five things make the loop fast, and none of them changes the loss. It
# computes the vocabulary's scores only where a token is guessed, and there
# alone the last block feeds forward. It scores a few of these tokens at a
# time and takes their gradients at once, so that the largest tensor of a step
# is never there as a whole. It packs several sequences into a row, each blind
# to the others, where a batch is usually padded to its longest. Its optimizer
# updates all weights in one call. And it measures who multiplies: in float32
# PyTorch asks a library that may leave half of a processor idle, and has
# another on board, oneDNN, which it uses for bfloat16.
#
# `python -m benchmarks.pretraining` measures a step beside one of Hugging
# Face's `BertForMaskedLM`, with the same weights on the same text, after a
# test that the losses are equal. *Usual* is that model as most people write
# it, in float32 with dropout; *fastest* is without, with fused attention and
# optimizer, in bfloat16 where ours is. Only real tokens count, no padding.
#
# There are two kinds of batch. *Full* rows hold 128 tokens each: nothing is
# padded, and packing wins nothing. *Packed* ones hold sequences of whole
# sentences, up to 128 tokens each. Hugging Face's model pads them to the
# longest, ours has them side by side.
#
# The last two columns are a second run, with `--keep-memory`. The C library
# of Linux hands large blocks of memory back to the system and has new ones
# cleared, at every step. Two environment variables make it keep them.

# %%
speeds = [
    load_results(f"10_pretraining_speed{suffix}")
    for suffix in ("", "_keep_memory")
]
speed = speeds[0]
print(speed["machine"]["processor"], speed["machine"]["threads"], "threads")


def steps_of(measured, batch, size, kind):
    return {
        row["form"]: row for row in measured["rows"]
        if (row["batch"], row["vocab_size"], row["format"])
        == (batch, size, kind)
    }  # fmt: skip


def times(rows, form, other):
    return rows[form]["times_faster"] / rows[other]["times_faster"]


# %%
USUAL, FASTEST = "transformers, as usual", "transformers, fastest"
print(" " * 26 + "times usual, fastest    memory kept")
gains, gains_kept = {}, {}
for setting in itertools.product(
    ("full", "packed"), (8_192, 30_522), ("fp32", "bf16")
):
    batch, size, kind = setting
    line = f"{batch:<7} {size:>10,}  {kind:<6}"
    for measured, found in zip(speeds, (gains, gains_kept), strict=True):
        rows = steps_of(measured, *setting)
        found[setting] = times(rows, "ours", FASTEST)
        line += f" {times(rows, 'ours', USUAL):>9.1f} {found[setting]:>6.1f}"
    print(line)
for found, low, high in ((gains, 1.7, 15), (gains_kept, 1.3, 8)):
    assert low < min(found.values()) <= max(found.values()) < high
assert all(gains[setting] > gains_kept[setting] for setting in gains)

# %% [markdown]
# Beside its fastest form ours is two to three times as fast with full rows
# and 8,192 WordPieces, about four times with packed ones, almost eight with
# BERT's 30,522, and twelve with both. The larger the vocabulary, the more
# there is to save. A part of that is the price of memory: where it is kept,
# the other forms gain more than ours, and the lead is between 1.5 and 7 times.
#
# How much of it is oneDNN's? That is a switch, which works in Hugging Face's
# model as well. In float32, for the two runs:

# %%
print(speed["products"])
print("\ntimes ours without it, fastest with it    memory kept")
of_pytorch, of_onednn = [], []
for batch, size in itertools.product(("full", "packed"), (8_192, 30_522)):
    line = f"{batch:<7} {size:>7,}"
    for measured in speeds:
        rows = steps_of(measured, batch, size, "fp32")
        alone = times(rows, "ours", "ours, without oneDNN")
        both = times(rows, "ours", f"{FASTEST}, oneDNN")
        assert 1.3 < alone < 1.8
        assert 1.3 < both < 12
        line += f"{alone:>12.1f} {both:>6.1f}"
        of_onednn.append(rows["ours"]["share_of_fastest_fp32_peak"])
        without = rows["ours, without oneDNN"]
        of_pytorch.append(without["share_of_fp32_peak"])
    print(line)
print("share of the speed of a large product, PyTorch's without oneDNN:"
      f" {min(of_pytorch):.2f} to {max(of_pytorch):.2f}")  # fmt: skip
print(f"oneDNN's with it: {min(of_onednn):.2f} to {max(of_onednn):.2f}")
assert min(of_pytorch) > 0.8
assert 0.45 < min(of_onednn) <= max(of_onednn) < 0.7

# %% [markdown]
# The switch makes our step about one and a half times as fast on this
# processor. Where Hugging Face's model has it too, ours stays 1.5 to 9 times
# as fast. Without it, a step runs at over eight tenths of the speed of
# PyTorch's large products; all that is not a product costs the rest. With it,
# products take half as long, and the rest weighs twice.
#
# The share counts the operations of the whole model, as is usual, although
# ours leaves a tenth of them out in its last block.

# %% [markdown]
# ## Fill the gaps
#
# The pre-trained model answers cloze questions. Two ways to ask: our own
# code, and the `fill-mask` pipeline of Hugging Face on the same folder. The
# answers must be the same.

# %%
book_bert = load_pretrained(FOLDER)


@torch.no_grad()
def fill(text, count=5):
    token_ids = torch.tensor([tokenizer.encode(text).token_ids])
    logits = book_bert(token_ids, positions=token_ids == MASK)
    return logits.softmax(-1)[0].topk(count)


def told(text, count=5):
    top = fill(text, count)
    return [
        (tokenizer.vocabulary[i], p)
        for i, p in zip(top.indices.tolist(), top.values.tolist(), strict=True)
    ]


# %% tags=["nbval-ignore-output"]
from transformers import AutoModelForMaskedLM, AutoTokenizer, pipeline
from transformers.utils import logging

logging.set_verbosity_error()
logging.disable_progress_bar()
theirs = pipeline(
    "fill-mask",
    model=AutoModelForMaskedLM.from_pretrained(FOLDER),
    tokenizer=AutoTokenizer.from_pretrained(FOLDER),
    device="cpu",
)

# %%
SENTENCES = [
    "How are [MASK] doing today?",
    "The people of the United [MASK] of America.",
    "My fellow [MASK], tonight I report to you.",
    "So long and [MASK] for all the fish.",
    "Paris is a beautiful [MASK].",
    "I love [MASK].",
    "The capital of France is [MASK].",
]
for text in SENTENCES:
    ours, given = told(text), theirs(text, top_k=5)
    for (_, p), their in zip(ours, given, strict=True):
        assert abs(p - their["score"]) < 1e-4
    assert {w for w, _ in ours} == {t["token_str"] for t in given}
print(len(SENTENCES), "sentences: our code = the pipeline")

# %%
best = {text: told(text, 4) for text in SENTENCES}
for text, top in best.items():
    print(text, *(f"{word} ≈ {p:.2f}" for word, p in top), sep=" | ")

# %%
first = [top[0] for top in best.values()]
assert [word for word, _ in first[:3]] == ["you", "states", "americans"]
assert [word for word, _ in first[4:6]] == ["man", "you"]
claim(first[1][1], 0.9, 0.995, "United [MASK] of America: states")
claim(first[4][1], 0.02, 0.12, "a beautiful [MASK]: man")
fish = dict(told(SENTENCES[3], len(tokenizer)))
claim(fish["thanks"], 0.0, 0.005, "So long and [MASK]: thanks")
assert "paris" not in dict(told(SENTENCES[6], 20))

# %% [markdown]
# What it read often, it knows: *United States*, *my fellow Americans*, *you*
# in a greeting. It knows which kind of word fits: nouns after *a beautiful*,
# none with much confidence. It does not know that Paris is the capital of
# France: *paris* is not among its first twenty guesses. Nor does it expect
# *thanks* for all the fish. It has 6.9 million weights, BERT-base 110
# million; it read 3.7 million words, BERT 3.3 billion. It knows grammar and
# idiom of its sources and few facts.
#
# **Grammar.** Of two sentences that differ in one word, which does it prefer?
# We hide each token in turn, guess it from all the others, and add up the
# logarithms: the *pseudo-log-likelihood* of Salazar et al. (2020).

# %%
from bertbook.pretraining.minimal_pairs import pseudo_log_likelihood

PAIRS = [
    ("the king is in the city.", "the king are in the city."),
    ("the king of the women is in the city.",
     "the king of the women are in the city."),
    ("he has written it.", "he has write it."),
]  # fmt: skip
ahead = []
for pair in PAIRS:
    right, wrong = pseudo_log_likelihood(book_bert, tokenizer, pair).tolist()
    ahead.append(right - wrong)
    print(f"{pair[0]:<38} ahead by ≈ {right - wrong:.1f} nats")
for name, found in record["minimal_pairs"].items():
    print(f"{name:<28} {found['right']:.2f} of {found['pairs']}")
assert min(ahead[0], ahead[2]) > 2
assert 0 < ahead[1] < 1
assert round(record["minimal_pairs"]["reflexive"]["right"] * 6) == 5
shares = {k: v["right"] for k, v in record["minimal_pairs"].items()}
assert min(shares, key=shares.get) == "agreement past another noun"

# %% [markdown]
# In 138 pairs of our own it is always right where the two words stand side by
# side. With *himself*, *herself*, *themselves* it is right in five of six
# pairs, past another noun in four of five; there our second pair was close.
# Guessing would give one half.
#
# **He or she?** We ask for both in front of ten occupations, and print the
# logarithm of the ratio of their probabilities; 0 would be no preference. As a
# control we ask without an occupation.

# %%
ratios = {}
for work, recorded in record["he_over_she"].items():
    shares = dict(told(f"[MASK] is a {work}.", len(tokenizer)))
    ratios[work] = math.log(shares["he"] / shares["she"])
    assert abs(ratios[work] - recorded) < 0.05
print(", ".join(f"{work} ≈ {r:.1f}" for work, r in ratios.items()))
plain = dict(told("[MASK] is here.", len(tokenizer)))
without = math.log(plain["he"] / plain["she"])
print(f"without an occupation ≈ {without:.1f}")
claim(math.exp(without), 3.7, 4.4, "without an occupation: he, times she")
claim(math.exp(ratios["judge"]), 36, 42, "a judge: he, times she")
claim(math.exp(-ratios["doctor"]), 1.2, 1.4, "a doctor: she, times he")
assert [work for work, ratio in ratios.items() if ratio < 0] == ["doctor"]
less = [work for work, ratio in ratios.items() if ratio < without - 0.5]
assert less == ["doctor", "nurse"]
assert sum(p["pairs"] for p in record["minimal_pairs"].values()) == 138

# %% [markdown]
# *He* leads without an occupation as well, four to one, so only what goes
# beyond that is about the work. A judge is *he* some forty times as often as
# *she*. The nurse is *he* less often than somebody without an occupation, and
# the doctor is *she*. That is one pattern of sentence, in one model: another
# seed may order the ten otherwise. Do not let such a model decide about
# people.

# %% [markdown]
# ## Experiment: a curve that stands still
#
# Small BERTs have a trap. The loss falls fast to that of the unigrams, and
# stays near it for a long time: the model knows how often words occur and has
# not found out that neighbors matter. What gets it off this **plateau**? Our
# guess: to use a neighbor, attention must find it, and with positions that are
# learned vectors it must first learn that 17 and 18 are next to each other,
# for each pair of positions anew.
#
# Two layers of 128 dimensions, the speeches from above, 512 tokens a step for
# 4,500 steps, three seeds:
#
# - *absolute*: BERT's position table, sequences of 64 tokens,
# - *absolute, short first*: the same, but sequences of 8 for 600 steps,
#   then 8 and 16, from step 900 on 16 to 64,
# - *relative*: no table, a trained bias per distance instead (chapter 05), 64
#   tokens,
# - *rotary*: no table, queries and keys turned by their positions (chapter
#   05), 64 tokens.
#
# **Prediction.** Short sequences first end below absolute, relative below
# that, rotary lowest.
#
# We wrote this before a first run of 1,500 steps, which ended while most
# models still sat on the plateau. Then we raised the steps to 4,500, for all
# settings alike, and ran everything again.

# %%
positions = load_results("10_masked_language_modelling")["rows"]
SCHEMES = ["absolute", "absolute, short first", "relative", "rotary"]
losses = {
    name: torch.tensor(
        [r["curve"]["loss"] for r in positions if r["setting"] == name]
    )
    for name in SCHEMES
}
tokens = torch.tensor(positions[0]["curve"]["tokens"]) / 1e6
for name, runs in losses.items():
    assert len(runs) >= 3
    mean, spread = runs[:, -1].mean(), runs[:, -1].std()
    print(f"{name:<22} {mean:.2f} ± {spread:.2f} nats")

# Each seed has held-out rows of its own, and so has what was counted.
counts = {
    count: torch.tensor([
        r["baselines"][count]["loss"]
        for r in positions if r["setting"] == "rotary"
    ])
    for count in ("unigram", "bigram", "5-gram")
}  # fmt: skip
for count, found in counts.items():
    print(f"{count:<22} {found.mean():.2f} ± {found.std():.2f} nats")

# %%
figure, ax = plt.subplots(figsize=(6.8, 3.8))
for name, runs in losses.items():
    line = plotting.spread(ax, tokens, runs, label=name)
    line.set_marker("")
for name, found in counts.items():
    ax.axhline(found.mean(), color=plotting.INK, lw=0.8, ls=":")
    side = 1.95 if name == "unigram" else 0.02  # where no curve is
    ax.text(side, found.mean() + 0.05, f"{name}s", size=8)
ax.set(xlabel="tokens read, millions", ylabel="held-out loss, nats")
ax.set_ylim(3.4, 7.4)
ax.legend(ncols=2, loc="upper right")
plotting.show(
    figure,
    alt="Held-out loss against tokens read, up to 2.3 million, for four"
    " models, mean and range of three seeds, with lines for the mean of the"
    " unigrams at 6.27, of the bigrams at 4.40 and of the 5-grams at 3.77."
    " Absolute positions and the relative bias creep down from 6.3 together"
    " and end at 5.6 and 5.8. With short sequences first the curve starts"
    " above them, crosses them near half a million tokens and falls steadily"
    " to 4.1, below the bigrams. Rotary positions leave first and end at 3.7,"
    " level with the 5-grams.",
)

# %%
ends = {name: runs[:, -1] for name, runs in losses.items()}
claim(ends["absolute"].mean(), 5.5, 5.7, "absolute, end")
claim(ends["absolute, short first"].mean(), 3.9, 4.1, "short first, end")
claim(ends["relative"].mean(), 5.45, 5.9, "relative, end")
claim(ends["rotary"].mean(), 3.6, 3.8, "rotary, end")
levels = [round(found.mean().item(), 2) for found in counts.values()]
assert levels == [6.27, 4.40, 3.77]
unigram, bigram, five = counts.values()  # one for each seed
for name in ("absolute", "relative"):
    stuck = losses[name][:, 9:]
    assert (stuck < unigram[:, None]).all()
    assert (stuck > bigram[:, None] + 1).all()
assert (ends["absolute, short first"] < bigram).all()
assert ends["rotary"].max() < ends["absolute, short first"].min()
over_five = [round(each, 2) for each in (ends["rotary"] - five).tolist()]
print("rotary, less the 5-grams of its seed:", over_five)
assert sorted(over_five) == [-0.2, -0.02, 0.08]
left = {name: (runs.mean(0) < 5.5).tolist() for name, runs in losses.items()}
for name, low, high in (("rotary", 0.2, 0.5), (SCHEMES[1], 0.7, 1.0)):
    first = tokens[left[name].index(True)]
    claim(first, low, high, f"{name}: below 5.5 after, millions")
above = losses[SCHEMES[1]].mean(0) > losses["absolute"].mean(0)
claim(tokens[above].max(), 0.4, 0.6, "short first: above until, millions")

# %%
assert ends["relative"].mean() > ends["absolute"].mean()
largest = torch.tensor(
    [r["largest_bias"] for r in positions if r["setting"] == "relative"]
)
tops = [round(each, 1) for each in largest.tolist()]
print("largest bias of each relative model:", tops)
assert sorted(tops) == [0.4, 0.5, 0.7]
assert 1.9 < largest.max().exp() < 2.1
assert 54 < math.exp(4) < 55
assert 18_000 < 42.6e9 / (tokens[-1].item() * 1e6) < 20_000

# %% [markdown]
# The plateau is a slow slope here, under the unigrams' loss and more than a
# nat above the bigrams'. Absolute positions are still on it when the budget is
# spent. Short sequences, with the same table and about as many tokens, get the
# model off it. Three things are easier there, and we did not separate them:
# with 8 places there are few pairs of places to learn, each is met far more
# often, and attention has fewer keys to choose from. Rotary positions need no
# such help: a distance is the same wherever it occurs. They leave first and
# end lowest, level with the 5-grams on the same rows: 0.08 above them from one
# seed, 0.20 below from another, and in between from the third.
#
# The relative bias refutes our prediction: it ends where absolute positions
# end, or above. It knows the distances and hardly uses them. Its numbers begin
# near 0, and after 4,500 steps the largest in each model is 0.4, 0.5 and 0.7.
# A score higher by 0.7 makes a weight twice as large, among 64 keys; to prefer
# one of them clearly takes 4 or so, $e^4 = 55$. Why the numbers grow so slowly
# we did not test. So to know the distance is not enough: our guess above is at
# best half the story.
#
# BERT itself was trained on 128 tokens for nine tenths of its steps, and on
# 512 for the rest. The paper gives the cost of attention as the reason
# (A.2). That shorter sequences also make learning easier is what we see here.
#
# What this does not show: small models, 2.3 million tokens, one vocabulary,
# one learning rate for all; a bias with a higher rate of its own may do
# better. Nor does it say that absolute positions stay on the plateau for
# ever: BERT learned with them, from 42.6 billion tokens (chapter 11), nearly
# twenty thousand times as many.

# %% [markdown]
# ## One line changed
#
# We train the miniature again, from the same seed on the same batches, with
# one class in place of another: `RotaryBert` has no position table and turns
# queries and keys.
#
# **Prediction.** The change that helped above helps here, too.

# %%
from bertbook.bert import RotaryBert

drawn = seed_everything(0)
turned = BertForMaskedLM(RotaryBert(SMALL))
for step, loss, accuracy in learn_masked(turned, drawn):
    print(f"{step:>5} steps: ≈ {loss:.3f} nats, perplexity"
          f" ≈ {math.exp(loss):.0f}, accuracy ≈ {accuracy:.3f}")  # fmt: skip
claim(mini_loss - loss, 0.4, 1.0, "below the first miniature, nats")
claim(accuracy / mini_accuracy, 1.5, 3.0, "times its accuracy")

# %% [markdown]
# It does, in this one run; the three seeds are those above. The loss falls
# when sequences of up to 64 tokens begin, after step 600. Before, it was
# trained on 8 and measured on 64.

# %% [markdown]
# ## What was tried for the book's own BERT
#
# So the book's own BERT has rotary positions, though BERT itself had a table.
# Is that so at its size, too, and what else could be otherwise? To a first
# recipe, with BERT's 15 % chosen, we changed one thing at a time. Every
# candidate got the floating-point operations of 1,000 steps of that recipe,
# about a thirtieth of the final runs: what costs less a step gets more. *Loss*
# and *right* (accuracy) are those of the held-out tokens; *per word* is the
# loss of a whole hidden word in all its pieces, which can be compared between
# vocabularies; *pairs* is the mean share of minimal pairs, over their kinds.

# %%
tried = load_results("10_recipes")["rows"]
runs_of = {}
for row in tried:
    row["pairs"] = sum(row["minimal_pairs"].values()) / 5
    runs_of.setdefault(row["change"], []).append(row)
MEASURES = ["loss", "accuracy", "loss_per_word", "pairs"]
table = {
    change: [sum(r[what] for r in rows) / len(rows) for what in MEASURES]
    for change, rows in runs_of.items()
}
print(f"{'':<31}runs   M tokens    loss  right  per word  pairs")
for change in sorted(table, key=lambda name: table[name][2]):
    loss, right, word, pairs = table[change]
    read = runs_of[change][0]["tokens"] / 1e6
    print(f"{change:<31}{len(runs_of[change]):>4}{read:>11.2f}"
          f"{loss:>8.3f}{right:>7.3f}{word:>10.3f}{pairs:>7.2f}")  # fmt: skip

# %%
work = [row["flops"] for row in tried]
assert max(work) / min(work) < 1.005
for change, rows in runs_of.items():
    found = [row["loss_per_word"] for row in rows]
    if len(rows) > 1:
        print(f"{change}, {len(rows)} seeds:"
              f" per word {min(found):.3f} to {max(found):.3f}")  # fmt: skip
behind = {c: table[c][2] - table["the first recipe"][2] for c in table}
claim(behind["absolute positions"], 0.7, 1.5, "absolute behind, per word")
claim(behind["learning rate 2e-3"], 0.2, 0.6, "twice the rate, per word")
claim(behind["30 % chosen"], -0.5, -0.15, "30 % chosen, per word")
level = {c for c in table if abs(behind[c]) < 0.15} - {"the first recipe"}
print("level with the first recipe:", ", ".join(sorted(level)))
assert {"long sequences from the start", "norm before"} <= level
assert {"1,024 tokens a step", "4,096 tokens a step"} <= level
ahead = {c for c in behind if behind[c] < -0.15}
assert ahead == {"30 % chosen", "40 % chosen"}
words = {c: [r["loss_per_word"] for r in runs_of[c]] for c in runs_of}
assert max(words["30 % chosen"]) < min(words["the first recipe"])
between = table["30 % chosen"][2] - table["40 % chosen"][2]
seeds_apart = max(words["30 % chosen"]) - min(words["30 % chosen"])
assert abs(between - seeds_apart) < 0.05

# %% [markdown]
# All rows cost the same operations, and all were asked for 15 % of the
# held-out tokens. Where a candidate was run from several seeds, the row is
# their mean, and the range under the table is what chance alone does: other
# weights, other batches, other tokens asked. A difference that is not larger
# says nothing, and a row of one run has no range. So most rows say the same:
# batch, depth and the place of the norm matter little here. With rotary
# positions it does not even matter whether short sequences come first; with a
# table it did, above.
#
# Three changes do harm. A learning rate twice as high is one. A vocabulary of
# half the size is another, as far as *per word* can tell: it cuts more words,
# and pieces of a word that are hidden together are guessed without each
# other. The third is BERT's own table of positions: about a nat behind at
# equal work, although short sequences came first. That is why the book ships
# the rotary model. The Hugging Face class that opens it is
# `RoFormerForMaskedLM`; in all else it is BERT.
#
# One change helps: more tokens chosen, 30 or 40 % instead of 15. Each step
# then asks two or three times as many questions of nearly the same text.
# Wettig et al. (2023) found 40 % better than 15 for large models. The book's
# BERT has 30 %. Its first run began before 40 % was tried, and the two are
# about as far apart as two seeds are.
#
# What this does not show: how it ends. What leads or is level after a small
# part of the run need not be so at its end.

# %% [markdown]
# ## Experiment: what should stand in place of a chosen token?
#
# Devlin et al. varied the shares (Table 8). In their notation, `[MASK]` /
# unchanged / random:
#
# | shares | MNLI, fine-tuned | NER, fine-tuned | NER, features only |
# |---|---|---|---|
# | 80/10/10 | 84.2 | 95.4 | 94.9 |
# | 100/0/0 | 84.3 | 94.9 | 94.0 |
# | 80/0/20 | 84.1 | 95.2 | 94.6 |
# | 80/20/0 | 84.4 | 95.2 | 94.7 |
# | 0/20/80 | 83.7 | 94.8 | 94.6 |
# | 0/0/100 | 83.6 | 94.9 | 94.6 |
#
# On NER the settings differ by 0.6 points where all weights are fine-tuned, by
# 0.9 where BERT's vectors are used as they are. On MNLI those without `[MASK]`
# are behind. We repeat all but 0/20/80 in small: the rotary model from above,
# 3,000 steps, three seeds, five settings. Afterwards each model
# names the *same* held-out tokens twice: *hidden*, all of them behind
# `[MASK]`, and *in sight*, in the text as it is. The second is what a
# fine-tuned model will read.
#
# **Prediction.** Hidden tokens: always `[MASK]` does as well as any. Tokens
# in sight: it fails, since it never had to say anything about them. 80/0/20
# fails too: where it was asked about a visible token, that token was always
# wrong. Only settings with unchanged tokens name what they see.
#
# Here, too, a first run was shorter, 800 steps, and most models had hardly
# left the plateau. The prediction is older than both runs.

# %%
masks = load_results("10_masking")["rows"]
SETTINGS = ["100/0/0", "80/20/0", "80/10/10", "80/0/20", "0/0/100"]


def measured(setting, text, what="accuracy"):
    runs = [r[text][what] for r in masks if r["setting"] == setting]
    assert len(runs) >= 3
    return torch.tensor(runs)


for setting in SETTINGS:
    cells = [
        f"{text} {found.mean():.3f} ± {found.std():.3f}"
        for text in ("hidden", "in sight")
        for found in [measured(setting, text)]
    ]
    print(f"{setting:<9}", "   ".join(cells))

# %%
in_sight = {s: measured(s, "in sight") for s in SETTINGS}
hidden_ones = {s: measured(s, "hidden") for s in SETTINGS}
WITHOUT = ["100/0/0", "80/0/20", "0/0/100"]  # nothing is left unchanged
claim(in_sight["80/20/0"].min(), 0.99, 1.0, "80/20/0, in sight, least")
claim(in_sight["80/10/10"].min(), 0.85, 0.95, "80/10/10, in sight, least")
claim(in_sight["80/10/10"].max(), 0.85, 0.95, "80/10/10, in sight, most")
rest = torch.cat([in_sight[setting] for setting in WITHOUT])
claim(rest.max(), 0.1, 0.2, "without unchanged tokens, in sight, most")
assert rest.max() < 1 / 6
most = max(runs.max().item() for runs in hidden_ones.values())
assert round(most, 2) == 0.24
for setting in WITHOUT:
    for kept in ("80/20/0", "80/10/10"):
        assert hidden_ones[setting].max() < hidden_ones[kept].min()
ahead = hidden_ones["80/10/10"].mean() - hidden_ones["100/0/0"].mean()
claim(ahead, 0.04, 0.1, "80/10/10 ahead of 100/0/0, hidden")
late = []
for setting in SETTINGS:
    *others, last = sorted(measured(setting, "hidden", "loss").tolist())
    print(f"{setting:<9} hidden, loss {last:.2f}, the others"
          f" {others[0]:.2f} and {others[1]:.2f}")  # fmt: skip
    if last > max(others) + 0.4:
        late.append(setting)
        assert unigram.mean() - last < last - bigram.mean()
assert late == ["80/0/20", "0/0/100"]

# %%
figure, ax = plt.subplots(figsize=(6.6, 3.2))
for place, (text, color) in enumerate(
    (("hidden", plotting.QUERY), ("in sight", plotting.ORANGE))
):
    for row, setting in enumerate(SETTINGS):
        runs = measured(setting, text)
        spots = [row + 0.24 * place - 0.12] * len(runs)
        ax.scatter(spots, runs, color=color, label=text if not row else None)
ax.set_xticks(range(len(SETTINGS)), SETTINGS)
ax.set(
    xlabel="chosen tokens: [MASK] / unchanged / random, %",
    ylabel="held-out accuracy", ylim=(-0.03, 1.03),
)  # fmt: skip
ax.legend(loc="upper right")
plotting.show(
    figure,
    alt="Accuracy of five settings, three dots each, on hidden tokens and on"
    " tokens in sight. Hidden: all low, at most 0.24. In sight: 1 for 80/20/0,"
    " 0.9 for 80/10/10, and below 0.2 for 100/0/0, 80/0/20 and 0/0/100.",
)

# %% [markdown]
# The unchanged tokens decide whether a model can say what it sees. 80/20/0
# copies: a visible token, where asked, was always right. 80/10/10 is right
# nine times in ten: half of the visible tokens it was asked about were wrong,
# so it holds each against its surroundings, and doubts some. Whether
# fine-tuning gains by that we did not measure. The three settings without
# unchanged tokens name a visible token less often than one in six. Whoever
# looks at hidden tokens only sees none of this.
#
# With the hidden tokens our prediction is refuted at this size: both settings
# with unchanged tokens are ahead of always `[MASK]`, and of the others. Are
# they an easy first lesson, from which a small model gets going? Of 80/0/20
# and of 0/0/100, one model in three is more than 0.4 nats behind the other two
# after 3,000 steps, still nearer to the unigrams' loss than to the bigrams'.
# We did not test why.
#
# What this does not show: how it ends after a million steps, and what is left
# of it after fine-tuning. There the paper's table is the evidence, and its
# differences are below one point.

# %% [markdown]
# ## What lectures get wrong
#
# @fact F-49

# %%
from bertbook.masks import causal_mask

causal = causal_mask(4)  # True: may attend
scores = torch.zeros(4, 4).masked_fill(~causal, float("-inf"))
print(scores.softmax(-1).tolist()[1])
assert scores.softmax(-1)[1].tolist() == [0.5, 0.5, 0, 0]
reads = torch.tensor([tokenizer.encode("we [MASK] peace").token_ids])
assert MASK in reads  # a token of the text, and all may attend to all:
seen = book_bert.bert(reads)[0, 1], book_bert.bert(reads[:, :3])[0, 1]
assert not torch.allclose(*seen, atol=1e-3)  # the future is read

# %% [markdown]
# @fact F-58

# %%
text = "How are [MASK] doing today?"
everything = dict(told(text, len(tokenizer)))
three = {word: everything[word] for word in ("you", "they", "your")}
print(", ".join(f"{word} ≈ {p:.3f}" for word, p in three.items()))
claim(sum(three.values()), 0.2, 0.95, "the three together")
claim(sum(everything.values()), 0.999, 1.001, "all 8,192 together")
assert len(everything) == len(tokenizer) == 8_192
assert max(three, key=three.get) == "you"

# %% [markdown]
# @fact F-67

# %%
drawn = torch.Generator().manual_seed(3)
always = MaskingConfig(
    vocab_size=2_048, mask_id=4, special_ids=range(5), mask_prob=0.0,
    random_prob=1.0,
)  # fmt: skip
real = torch.from_numpy(train_store.tokens[:600_000].astype(int)).view(600, -1)
masked = mask_tokens(real, always, drawn)
replaced = masked.token_ids[masked.labels != IGNORED]
in_text = torch.bincount(real.flatten(), minlength=2_048) / real.numel()
in_place = torch.bincount(replaced, minlength=2_048) / len(replaced)
claim(in_text.max() * 2_048, 60, 150, "commonest token: times the average")
claim(in_place.max() * 2_048, 1, 2, "commonest replacement: times the average")
assert in_place[:5].min() > 0  # [PAD] and the other special ones, too
assert in_text[:5].sum() < 0.001

# %%
figure, ax = plt.subplots(figsize=(6.4, 3.0))
order = in_text.argsort(descending=True)[:200]
ax.plot(in_text[order] * 2_048, label="in the text: unigrams")
ax.plot(in_place[order] * 2_048, label="random replacements")
ax.set(
    yscale="log", xlabel="rank of the token in the text, commonest first",
    ylabel="share, times the average",
)  # fmt: skip
ax.legend()
plotting.show(
    figure,
    alt="Shares of the 200 commonest tokens, logarithmic. In the text they"
    " fall from about eighty times the average to below two. Among the random"
    " replacements the same tokens all lie near 1: the draws are uniform.",
)
shown = in_place[order] * 2_048
assert in_text[order[-1]] * 2_048 < 2
assert 0.4 < shown.min() < shown.max() < 1.7

# %% [markdown]
# @fact F-68

# %%
from bertbook.masking import mask_spans

flat = many[:, :128]
no_words = torch.zeros(len(tokenizer), dtype=torch.bool)
drawn = torch.Generator().manual_seed(4)
runs = {}
for name, given in (
    ("single positions", mask_tokens(flat, config, drawn)),
    ("spans of 1 to 3", mask_spans(flat, config, drawn, no_words)),
):
    chosen = (given.labels != IGNORED).long()
    starts = (chosen[:, 1:] > chosen[:, :-1]).sum() + chosen[:, 0].sum()
    runs[name] = chosen.sum() / starts
claim(runs["single positions"], 1.14, 1.21, "length of a run, positions")
claim(runs["spans of 1 to 3"], 1.6, 2.0, "length of a run, spans")
assert abs(1 / (1 - 0.15) - runs["single positions"]) < 0.03

# %% [markdown]
# Single positions meet by chance: a run goes on with probability 0.15, so its
# mean length is $1 / (1 - 0.15) = 1.18$. Spans are another choice, made by
# SpanBERT, T5 and, with up to three words, by ALBERT.

# %% [markdown]
# ## Exercises
#
# [Exercises 10](../exercises/10_masked_language_modelling.ipynb), about 65
# minutes:
#
# 1. write the collator,
# 2. say what to expect,
# 3. choose whole words,
# 4. say what the unchanged 10 % are good for.

# %% [markdown]
# ## Summary
#
# - 15 % of the tokens are chosen; of these 80 % are read as `[MASK]`, 10 % as
#   a random token, 10 % as they are. The loss is the mean of $-\ln p$ over
#   the chosen ones; all tokens feed attention.
# - `[MASK]` is a token of the text. An attention mask changes no token: it
#   says which scores count.
# - A masked language model has to beat counting: unigrams, bigrams, 5-grams,
#   on the same rows.
# - Small BERTs stand still near the unigrams' loss. Short sequences first, or
#   rotary positions, get them going. A trained bias per distance did not.
# - Without unchanged tokens a model seldom names what it sees.
#
# **Next.** Chapter 11 adds BERT's second task, pairs of segments, and counts
# how much text pre-training took.

# %% [markdown]
# ## Sources
#
# - J. Devlin et al. (2019), *BERT*, §3.1 (masked LM), A.1 and A.2 (procedure),
#   C.2 and Table 8 (shares).
#   [arXiv:1810.04805](https://arxiv.org/abs/1810.04805)
# - Google Research (2018), [BERT's code and
#   README](https://github.com/google-research/bert):
#   `create_pretraining_data.py`, "Whole Word Masking Models".
# - W. L. Taylor (1953), *"Cloze Procedure": A New Tool for Measuring
#   Readability*, Journalism Quarterly 30(4).
# - R. Kneser, H. Ney (1995), *Improved Backing-off for M-gram Language
#   Modeling*, ICASSP; S. F. Chen, J. Goodman (1999), *An Empirical Study of
#   Smoothing Techniques*, §2.7.
# - J. Salazar et al. (2020), *Masked Language Model Scoring*, eq. 1.
#   [arXiv:1910.14659](https://arxiv.org/abs/1910.14659)
# - J. Su et al. (2021), *RoFormer*, §3 (rotary positions).
#   [arXiv:2104.09864](https://arxiv.org/abs/2104.09864)
# - Y. Liu et al. (2019), *RoBERTa*, §4.1 (dynamic masking).
#   [arXiv:1907.11692](https://arxiv.org/abs/1907.11692)
# - D. Jurafsky, J. H. Martin, [*Speech and Language
#   Processing*](https://web.stanford.edu/~jurafsky/slp3/), chapter 11 of the
#   draft of 2024: Figure 11.4. Other drafts count differently.
# - K. Clark et al. (2020), *ELECTRA*, §4 (CBOW).
#   [arXiv:2003.10555](https://arxiv.org/abs/2003.10555)
# - A. Wettig et al. (2023), *Should You Mask 15% in Masked Language
#   Modeling?*, [arXiv:2202.08005](https://arxiv.org/abs/2202.08005).
# - M. Joshi et al. (2020), *SpanBERT*, §3.1 (spans).
#   [arXiv:1907.10529](https://arxiv.org/abs/1907.10529)
# - C. Raffel et al. (2020), *Exploring the Limits of Transfer Learning with a
#   Unified Text-to-Text Transformer*, §3.1.4 (spans of T5).
#   [arXiv:1910.10683](https://arxiv.org/abs/1910.10683)
# - Z. Lan et al. (2020), *ALBERT*, §4.1 (up to three words).
#   [arXiv:1909.11942](https://arxiv.org/abs/1909.11942)
