"""Each entry of book/facts.yml about chapter 09, shown by running it."""

import pytest
import torch
from torch import nn
from transformers import BertConfig as TheirConfig
from transformers import BertForPreTraining as TheirPreTraining
from transformers import BertModel

from bertbook import corpora
from bertbook.bert import SIZES, Bert, BertConfig, PooledBert


def count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def on_meta(config: BertConfig) -> PooledBert:
    with torch.device("meta"):
        return PooledBert(Bert(config))


@pytest.fixture(scope="module")
def tokenizer():
    return corpora.minilm()[0]


def test_f63():
    """Two fresh models share a vocabulary and not one word vector."""
    small = TheirConfig(num_hidden_layers=1, hidden_size=24, vocab_size=30_522)
    small.num_attention_heads = 2
    tables = []
    for seed in (0, 1):
        torch.manual_seed(seed)
        theirs = BertModel(small).embeddings.word_embeddings.weight
        ours = Bert(BertConfig(num_layers=1, d_model=24, num_heads=2))
        tables += [theirs.detach(), ours.embeddings.word.weight.detach()]
    for table in tables:
        assert table.requires_grad is False
        assert table[1:].std().item() == pytest.approx(0.02, abs=2e-4)
        assert table[1:].mean().item() == pytest.approx(0, abs=2e-4)
    assert not torch.equal(tables[0], tables[2])
    assert not torch.equal(tables[1], tables[3])


def test_f66(tokenizer):
    """Eleven tokens without full stops, 0 to 10; thirteen with them."""
    bare = tokenizer("Paris is a beautiful city", "I love Paris").input_ids
    assert len(bare) == 11
    real = tokenizer("Paris is a beautiful city.", "I love Paris.").input_ids
    assert len(real) == 13
    tokens = tokenizer.convert_ids_to_tokens(real)
    assert tokens[0] == "[CLS]"
    assert tokens[6:8] == [".", "[SEP]"]
    assert tokens[-2:] == [".", "[SEP]"]
    assert (real[6], real[7]) == (1012, 102)
    with torch.device("meta"):
        model = BertModel(TheirConfig())
    positions = model.embeddings.position_embeddings
    assert positions.num_embeddings == 512
    ids = BertModel(TheirConfig(num_hidden_layers=1)).embeddings.position_ids
    assert ids[0, :11].tolist() == list(range(11))


def test_f69():
    """Base takes 0.44 GB and large 1.34 GB, four bytes a parameter."""
    for name, size in (("base", 0.438), ("large", 1.341)):
        model = on_meta(SIZES[name])
        held = sum(p.numel() * p.element_size() for p in model.parameters())
        assert held / 1e9 == pytest.approx(size, abs=5e-4)
        half = model.half()
        held = sum(p.numel() * p.element_size() for p in half.parameters())
        assert held / 1e9 == pytest.approx(size / 2, abs=5e-4)


def test_f70():
    """The number of parameters does not depend on the data's rows."""
    model = on_meta(SIZES["tiny"])
    before = count(model)
    for shape in ((1, 7), (1_000, 7), (13, 512)):
        ids = torch.zeros(shape, dtype=torch.long, device="meta")
        assert model(ids)[1].shape == (shape[0], 128)
        assert count(model) == before == 4_385_920


def test_f131():
    """The multilingual model has base's layers and a larger word table."""
    base = on_meta(SIZES["base"])
    multilingual = on_meta(BertConfig(vocab_size=119_547))
    assert count(multilingual) == 177_853_440
    assert count(multilingual.bert.encoder) == 85_054_464
    assert count(base.bert.encoder) == 85_054_464
    difference = count(multilingual) - count(base)
    assert difference == (119_547 - 30_522) * 768
    with torch.device("meta"):
        theirs = TheirPreTraining(TheirConfig(vocab_size=119_547))
    assert count(theirs.bert) == 177_853_440
