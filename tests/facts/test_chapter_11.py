"""Each entry of book/facts.yml about chapter 11, shown by running it."""

from fractions import Fraction

import torch
from transformers import BertConfig, BertModel

from bertbook.bert import SIZES
from bertbook.pairs import FOLLOWS, PairConfig, next_sentence_pairs

BERT_WORDS = 800_000_000 + 2_500_000_000


def share_of_positives(num_sentences: int, num_documents: int) -> float:
    documents = [[[9] * 4] * num_sentences] * num_documents
    config = PairConfig(cls_id=1, sep_id=2, short_seq_prob=0.0)
    pairs = next_sentence_pairs(
        documents, config, torch.Generator().manual_seed(0)
    )
    return sum(pair.label == FOLLOWS for pair in pairs) / len(pairs)


def test_f62():
    """The table of positions has 512 rows, and sequences fill it."""
    assert BertConfig().max_position_embeddings == 512
    assert SIZES["base"].max_len == SIZES["large"].max_len == 512
    documents = [[[9] * 20] * 300] * 2
    config = PairConfig(cls_id=1, sep_id=2)
    pairs = next_sentence_pairs(
        documents, config, torch.Generator().manual_seed(0)
    )
    assert config.max_len == 512
    assert max(len(pair.token_ids) for pair in pairs) == 512


def test_f64():
    """Width of a vector, and maps side by side: read off a real layer."""
    config = BertConfig(num_hidden_layers=2, attn_implementation="eager")
    with torch.device("meta"):
        model = BertModel(config, add_pooling_layer=False)
        ids = torch.zeros(1, 7, dtype=torch.long)
        output = model(ids, output_attentions=True)
    assert output.last_hidden_state.shape == (1, 7, config.hidden_size)
    assert len(output.attentions) == config.num_hidden_layers
    for weights in output.attentions:
        assert weights.shape == (1, config.num_attention_heads, 7, 7)
    assert (config.hidden_size, config.num_attention_heads) == (768, 12)


def test_f65():
    """A Cloud TPU is a board of four chips."""
    boards = {"base": 4, "large": 16}
    chips = {name: 4 * number for name, number in boards.items()}
    assert chips == {"base": 16, "large": 64}
    assert {name: 4 * n for name, n in chips.items()} == {
        "base": 64,  # chip-days
        "large": 256,
    }


def test_f71():
    """Fewer than half are positives, by how much depends on the documents."""
    assert share_of_positives(1, 500) == 0
    assert abs(share_of_positives(2, 4_000) - 1 / 3) < 0.03
    assert abs(share_of_positives(3, 3_000) - 5 / 13) < 0.03
    assert 0.44 < share_of_positives(40, 2_000) < 0.5


def test_f73():
    """131,072 positions in a long batch, 42.6 billion in all batches."""
    assert 256 * 512 == 131_072
    positions = 900_000 * 256 * 128 + 100_000 * 256 * 512
    assert positions == 42_598_400_000
    assert round(positions / BERT_WORDS, 2) == 12.91
    assert 39 < Fraction(256 * 512 * 1_000_000, BERT_WORDS) < 40


def test_f135():
    """Three ablations with three answers, as printed in the papers."""
    bert = {"with": (84.4, 88.4, 86.7, 92.7), "no": (83.9, 84.9, 86.5, 92.6)}
    roberta = {
        "with": (90.4, 78.7, 84.0, 92.9, 64.2),
        "no": (90.6, 79.7, 84.7, 92.7, 65.6),
    }
    albert = {"none": 79.0, "NSP": 79.2, "SOP": 80.1}
    assert all(a > b for a, b in zip(bert["with"], bert["no"], strict=True))
    falls = [a > b for a, b in zip(*roberta.values(), strict=True)]
    assert falls == [False, False, False, True, False]
    assert albert["none"] < albert["NSP"] < albert["SOP"]
    assert round(bert["with"][1] - bert["no"][1], 1) == 3.5
