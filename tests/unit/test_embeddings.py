"""Lookup by one-hot product, the shared table, and ids out of range."""

import pytest
import torch

from bertbook.embeddings import (
    TokenEmbedding,
    check_token_ids,
    one_hot_lookup,
)


def test_a_one_hot_product_is_a_lookup():
    embedding = TokenEmbedding(37, 13)
    ids = torch.tensor([[5, 0, 36], [5, 5, 1]])
    table = embedding.table.weight
    torch.testing.assert_close(one_hot_lookup(ids, table), table[ids])
    torch.testing.assert_close(embedding(ids), table[ids] * 13**0.5)


def test_one_table_serves_input_and_output():
    embedding = TokenEmbedding(37, 13)
    hidden = torch.randn(2, 7, 13, generator=torch.Generator().manual_seed(0))
    logits = embedding.logits(hidden)
    torch.testing.assert_close(
        logits[1, 6, 36], hidden[1, 6] @ embedding.table.weight[36]
    )
    assert [p.shape for p in embedding.parameters()] == [(37, 13)]
    (logits.sum() + embedding(torch.tensor([[3]])).sum()).backward()
    assert embedding.table.weight.grad is not None


def test_embeddings_start_near_unit_size():
    out = TokenEmbedding(1000, 64)(torch.arange(1000)[None])
    assert out.std().item() == pytest.approx(1.0, abs=0.05)


@pytest.mark.parametrize("token_id", [-1, 9])
def test_an_id_out_of_the_vocabulary_is_named(token_id):
    with pytest.raises(ValueError, match=rf"token id {token_id}.*0 to 8"):
        check_token_ids(torch.tensor([[0, 8], [3, token_id]]), 9)


@pytest.mark.parametrize("shape", [(0, 3), (2, 0)])
def test_an_empty_batch_is_named(shape):
    with pytest.raises(ValueError, match=rf"\({shape[0]}, {shape[1]}\)"):
        check_token_ids(torch.empty(shape, dtype=torch.long), 9)


@pytest.mark.parametrize("sizes", [(0, 4), (4, 0)])
def test_impossible_tables_are_refused(sizes):
    with pytest.raises(ValueError, match="is 0"):
        TokenEmbedding(*sizes)
