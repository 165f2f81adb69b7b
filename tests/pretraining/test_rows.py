"""The store and the packed rows: nothing lost, nothing mixed."""

import copy
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch

from bertbook.bert import BertConfig, BertForMaskedLM
from bertbook.corpora import Document
from bertbook.pretraining.prepare import Prepared
from bertbook.pretraining.rows import RowSampler
from bertbook.pretraining.store import (
    TokenStore,
    build_store,
    train_wordpieces,
)
from bertbook.tokenization import SPECIAL, WordPiece
from tests.pretraining import toy

CLS, SEP, PAD = 2, 3, 0


def sequences(sampler: RowSampler, count: int, lengths: list[int]) -> list:
    """Return the ids of every sequence of some rows."""
    rows = sampler.rows(0, count, lengths)
    return [
        row[numbers == number].tolist()
        for row, numbers in zip(rows.token_ids, rows.sequence, strict=True)
        for number in range(1, int(numbers.max()) + 1)
    ]


def test_the_vocabulary_begins_with_the_special_tokens() -> None:
    vocabulary = train_wordpieces(toy.documents(50), 100)
    assert vocabulary[:5] == ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    assert len(vocabulary) == len(set(vocabulary)) == 100


def test_the_store_holds_what_our_word_piece_gives(texts: Prepared) -> None:
    ours = WordPiece(texts.vocabulary)
    wanted = [
        ours.token_id(piece)
        for document in toy.documents(200)
        for piece in ours.tokenize(document.text)
    ]
    assert texts.train.tokens.tolist() == wanted
    record = texts.train.record
    assert record.tokens == len(wanted)
    assert record.documents == 200
    assert texts.train.documents[-1] == record.sentences


def test_the_store_counts_words_and_sentences(tmp_path: Path) -> None:
    documents = [Document("a", "1", "One two. Three!"), Document("a", "2", "")]
    vocabulary = train_wordpieces(toy.documents(50), 100)
    record = build_store(documents, vocabulary, tmp_path / "s").record
    assert (record.words, record.sentences, record.documents) == (3, 2, 1)


def test_a_store_without_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no word"):
        build_store([Document("a", "1", " ")], SPECIAL, tmp_path / "s")
    assert not list(tmp_path.iterdir())


def test_a_store_cut_short_is_refused(texts: Prepared, tmp_path: Path) -> None:
    store = build_store(toy.documents(9), texts.vocabulary, tmp_path / "s")
    file = store.folder / "tokens.bin"
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(ValueError, match="its record says"):
        TokenStore(store.folder)
    (store.folder / "record.json").unlink()
    with pytest.raises(ValueError, match="no whole token store"):
        TokenStore(store.folder)


def test_every_sequence_is_text_of_one_document(texts: Prepared) -> None:
    store = texts.train
    bounds = store.sentences[store.documents]
    pieces = [store.tokens[a:b].tolist() for a, b in pairwise(bounds)]
    joined = [" ".join(map(str, each)) + " " for each in pieces]
    for ids in sequences(RowSampler(store, 32, seed=3), 50, [16, 32]):
        assert ids[0] == CLS
        assert ids[-1] == SEP
        inside = " ".join(map(str, ids[1:-1])) + " "
        assert any(inside in document for document in joined)


def test_no_sequence_is_longer_than_its_stage(texts: Prepared) -> None:
    found = sequences(RowSampler(texts.train, 32, seed=0), 80, [9, 16])
    lengths = {len(ids) for ids in found}
    assert max(lengths) == 16
    assert min(lengths) >= 3


def test_rows_are_full_but_for_a_few_places(texts: Prepared) -> None:
    rows = RowSampler(texts.train, 64, seed=0).rows(0, 100, [64])
    assert rows.real.float().mean() > 0.93
    assert ((rows.token_ids == PAD) == ~rows.real).all()


def test_positions_begin_anew_in_each_sequence(texts: Prepared) -> None:
    rows = RowSampler(texts.train, 32, seed=0).rows(0, 20, [12])
    starts = rows.token_ids == CLS
    assert (rows.position_ids[starts] == 0).all()
    assert rows.position_ids.max() == 11
    inside = rows.sequence[:, 1:] == rows.sequence[:, :-1]
    step = rows.position_ids[:, 1:] - rows.position_ids[:, :-1]
    assert (step[inside & rows.real[:, 1:]] == 1).all()


def test_a_row_depends_on_its_number_alone(texts: Prepared) -> None:
    together = RowSampler(texts.train, 32, seed=5).rows(0, 400, [8, 32])
    late = RowSampler(texts.train, 32, seed=5).rows(390, 10, [8, 32])
    other = RowSampler(texts.train, 32, seed=6).rows(390, 10, [8, 32])
    assert torch.equal(together.token_ids[390:], late.token_ids)
    assert not torch.equal(other.token_ids, late.token_ids)


def share_read(store: TokenStore, epochs: int) -> float:
    """Return the share of a corpus that rows of some epochs hold.

    Each token of it is a number of its own, so that we know it again.
    """
    numbered = copy.copy(store)
    numbered.tokens = np.arange(5, store.record.tokens + 5)
    sampler = RowSampler(numbered, 32, seed=0)
    rows = sampler.rows(0, epochs * sampler.places, [32])
    seen = rows.token_ids.unique()
    return int((seen >= 5).sum()) / store.record.tokens


def test_epochs_read_the_whole_text(texts: Prepared) -> None:
    first = share_read(texts.train, 1)
    assert 0.8 < first < 0.99
    assert share_read(texts.train, 10) > 0.99


def test_text_without_full_stops_is_read_to_its_end(
    texts: Prepared, tmp_path: Path
) -> None:
    low = [
        d._replace(text=d.text.lower().replace(".", ""))
        for d in toy.documents(100)
    ]
    store = build_store(low, texts.vocabulary, tmp_path / "low")
    assert store.record.sentences == store.record.documents
    # Least often the ends of documents, from where the next one is near.
    assert share_read(store, 10) > 0.85


def test_a_packed_row_gives_what_its_sequences_give(texts: Prepared) -> None:
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=120, num_layers=2, d_model=24, num_heads=3, d_ff=37
    )
    model = BertForMaskedLM(toy.CONFIG.build().bert.__class__(config)).eval()
    rows = RowSampler(texts.train, 48, seed=0).rows(0, 3, [9, 16])
    packed = model(
        rows.token_ids, mask=rows.mask, position_ids=rows.position_ids
    )
    for row in range(3):
        for number in range(1, int(rows.sequence[row].max()) + 1):
            here = rows.sequence[row] == number
            alone = model(rows.token_ids[row, here][None])
            torch.testing.assert_close(
                packed[row, here], alone[0], atol=1e-5, rtol=1e-5
            )


def test_a_corpus_shorter_than_a_row_is_refused(
    texts: Prepared, tmp_path: Path
) -> None:
    store = build_store(toy.documents(1), texts.vocabulary, tmp_path / "s")
    with pytest.raises(ValueError, match="a row has 4096"):
        RowSampler(store, 4096, seed=0)
