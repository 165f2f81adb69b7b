"""Each entry of book/facts.yml about chapter 04, shown by running it."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from bertbook import corpora
from bertbook.runtime import seed_everything
from bertbook.tokenization import WordPiece
from bertbook.tokenizer_training import train_tokenizer
from bertbook.transformer import Transformer, TransformerConfig

SMALL = TransformerConfig(
    vocab_size=37, d_model=32, num_heads=4, d_ff=48, num_layers=2
)


@pytest.fixture(scope="module")
def minilm():
    return corpora.minilm()


@pytest.fixture(scope="module")
def tokenizer(minilm):
    return minilm[0]


@pytest.fixture
def net():
    seed_everything(4)
    return Transformer(SMALL).eval()


@pytest.fixture(scope="module")
def speeches():
    return corpora.sotu_sentences()[::100]


def test_f20(tokenizer):
    """Look both the words and the claimed ids up."""
    assert tokenizer("Hello World")["input_ids"] == [101, 7592, 2088, 102]
    claimed = tokenizer.convert_ids_to_tokens([1064, 246])
    assert claimed == ["|", "[unused241]"]


def test_f21(tokenizer):
    """Three words give three ids, four give four."""
    claimed = [5, 4000, 10532, 2224]
    short, whole = (
        tokenizer(text, add_special_tokens=False)["input_ids"]
        for text in ("thanks for all", "thanks for all the")
    )
    assert len(short) == 3 != len(claimed)
    assert whole == [4283, 2005, 2035, 1996]


def test_f22(net):
    """One table, trained, shared and scaled."""
    weight = net.embedding.table.weight
    assert weight.requires_grad
    ids, real = torch.tensor([[3, 5, 7]]), torch.ones(1, 3).bool()
    memory = net.encode(ids, real)
    memory.square().sum().backward()
    assert weight.grad is not None
    assert weight.grad[3].any()
    torch.testing.assert_close(net.embedding(ids), math.sqrt(32) * weight[ids])
    hidden = torch.randn(1, 3, 32)
    torch.testing.assert_close(net.embedding.logits(hidden), hidden @ weight.T)


def test_f22_a_step_changes_the_table(net):
    """The optimizer moves the rows that were read."""
    before = net.embedding.table.weight.detach().clone()
    ids, real = torch.tensor([[3, 5, 7]]), torch.ones(1, 3).bool()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    logits = net(ids, real, ids)
    F.cross_entropy(logits[0], ids[0]).backward()
    optimizer.step()
    assert not torch.equal(before, net.embedding.table.weight)


def test_f23(minilm, net):
    """No block holds a table; the one below holds all of them."""
    for blocks in (minilm[1].encoder, net.encoder, net.decoder):
        assert not any(isinstance(m, nn.Embedding) for m in blocks.modules())
    below = minilm[1].embeddings.modules()
    assert sum(isinstance(m, nn.Embedding) for m in below) == 3


@pytest.mark.parametrize("length", [1, 7, 13])
def test_f24_the_width_stays(net, length):
    ids = torch.arange(length)[None]
    assert net.encode(ids, torch.ones(1, length).bool()).shape == (
        1,
        length,
        32,
    )


def test_f24(net):
    """Ten tokens more give ten vectors more, none of them wider."""
    few, many = (
        net.encode(torch.arange(n)[None], torch.ones(1, n).bool())
        for n in (3, 13)
    )
    assert few.shape[1:] == (3, 32)
    assert many.shape[1:] == (13, 32)


def test_f27(net):
    """Change one row of a batch, and the others do not move."""
    ids = torch.randint(0, 37, (5, 7))
    real = torch.ones(5, 7).bool()
    before = net.encode(ids, real)
    changed = ids.clone()
    changed[1] = (changed[1] + 1) % 37
    after = net.encode(changed, real)
    others = [0, 2, 3, 4]
    assert torch.equal(before[others], after[others])
    assert not torch.allclose(before[1], after[1], atol=1e-2)
    alone = net.encode(ids[:1], real[:1])
    torch.testing.assert_close(alone[0], before[0], atol=1e-5, rtol=0)


def test_f28():
    """Batch first, then length, then the embedding's numbers."""
    vectors = nn.Embedding(11, 3)(torch.zeros(5, 4, dtype=torch.long))
    assert vectors.shape == (5, 4, 3)
    assert vectors.numel() == 60


def test_f29(tokenizer):
    """Count single characters, then read some that are not there."""
    singles = [p for p in tokenizer.get_vocab() if len(p) == 1]
    assert len(singles) == 997
    for text in ("\U0001f600", "\U00013000", "good\U0001f600"):
        assert tokenizer.tokenize(text) == ["[UNK]"]


def test_f30(tokenizer):
    """Frequent forms are whole, though the suffixes exist as well."""
    for word in ("playing", "eating", "looking", "played"):
        assert tokenizer.tokenize(word) == [word]
    assert {"play", "##ing", "##ed"} <= tokenizer.get_vocab().keys()


def test_f31(speeches):
    """WordPiece ends in letters or [UNK]; Unigram weighs all cuts."""
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    letters = WordPiece([*special, "a", "b", "##a", "##b"])
    assert letters.tokenize("abba") == ["a", "##b", "##b", "##a"]
    assert letters.tokenize("abca") == ["[UNK]"]
    wordpiece, unigram = (
        train_tokenizer(name, speeches, 400)
        for name in ("wordpiece", "unigram")
    )
    cuts = [
        [t.removeprefix("##") for t in each.encode("the nation").tokens]
        for each in (wordpiece, unigram)
    ]
    assert "".join(cuts[0]) == "".join(cuts[1]) == "thenation"
    differs = sum(
        [t.removeprefix("##") for t in wordpiece.encode(text).tokens]
        != unigram.encode(text).tokens
        for text in speeches[:20]
    )
    assert differs > 10


def test_f37(minilm):
    """The static rows are one row; a random encoder's outputs differ."""
    tokenizer, model = minilm
    batch = tokenizer(
        ["He got bit by Python", "Python is my favorite language"],
        padding=True,
        return_tensors="pt",
    )
    hits = batch["input_ids"] == 18750
    assert hits.sum(1).tolist() == [1, 1]
    table = model.embeddings.word_embeddings
    static = table(batch["input_ids"])[hits]
    assert torch.equal(static[0], static[1])
    seed_everything(0)
    sizes = TransformerConfig(
        vocab_size=30_522, d_model=64, num_heads=4, d_ff=64, num_layers=2
    )
    real = batch["attention_mask"].bool()
    random = Transformer(sizes).eval().encode(batch["input_ids"], real)[hits]
    assert F.cosine_similarity(random[0], random[1], dim=0) < 0.999


def test_f40():
    """Index 5 is entry number six, and picks row number six."""
    one_hot = F.one_hot(torch.tensor(5), 9)
    assert one_hot.tolist().index(1) == 5
    assert one_hot[:5].sum() == 0
    assert one_hot[:6].sum() == 1
    rows = torch.arange(1.0, 10.0)  # row number 1, 2, 3, …
    assert one_hot.float() @ rows == 6


def test_f72(speeches):
    """Bytes know every text, with as many entries before as after."""
    tokenizer = train_tokenizer("bytes", speeches, 300)
    for text in ("\U0001f600", "\U00013000", "  two  blanks"):
        ids = tokenizer.encode(text).ids
        assert tokenizer.decode(ids) == text
        assert max(ids) < 300
    assert tokenizer.token_to_id("[UNK]") is None
    assert tokenizer.get_vocab_size() == 300
