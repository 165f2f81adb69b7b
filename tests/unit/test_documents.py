"""The corpus for pre-training: clean text, whole documents held out."""

import re
from pathlib import Path

import pytest

from bertbook.corpora import (
    Document,
    HubUnreachable,
    book_corpus,
    hold_out,
    wikipedia_stream,
)
from bertbook.corpora.library import (
    _without_markup,
    shakespeare,
    wikipedia_sample,
)


def documents(source: str, count: int) -> list[Document]:
    """Make documents up."""
    return [Document(source, f"{n}", f"text {n}") for n in range(count)]


def test_one_document_in_twenty_of_each_source_is_held_out() -> None:
    parts = hold_out([*documents("a", 40), *documents("b", 21)])
    held = [each.source for each in parts.held_out]
    assert (held.count("a"), held.count("b")) == (2, 2)
    assert len(parts.train) + len(parts.held_out) == 61
    assert not set(parts.train) & set(parts.held_out)


def test_another_source_moves_nothing() -> None:
    alone = hold_out(documents("a", 40))
    both = hold_out([*documents("b", 7), *documents("a", 40)])
    assert [d for d in both.held_out if d.source == "a"] == list(
        alone.held_out
    )


def test_hold_out_refuses_twins_and_nothing() -> None:
    with pytest.raises(ValueError, match="two documents of a are named '3'"):
        hold_out([*documents("a", 5), Document("a", "3", "again")])
    with pytest.raises(ValueError, match="no document to hold out"):
        hold_out([])


def test_the_corpus_is_of_the_size_and_sources_on_record() -> None:
    corpus = book_corpus()
    everything = [*corpus.train, *corpus.held_out]
    assert {d.source for d in everything} == {
        *("sotu", "bible", "shakespeare", "wikipedia"),
    }
    assert (len(corpus.train), len(corpus.held_out)) == (423, 24)
    words = sum(len(re.findall(r"\w+", d.text)) for d in everything)
    assert words >= 4_000_000
    assert "447 documents" in (book_corpus.__doc__ or "")


def test_no_held_out_text_is_learned_from() -> None:
    corpus = book_corpus()
    learned = "\n".join(d.text for d in corpus.train)
    for document in corpus.held_out:
        paragraphs = document.text.split("\n\n")
        longest = max(paragraphs, key=len)
        assert longest not in learned


def test_speeches_have_no_names_and_no_stage_directions() -> None:
    text = {play.name: play.text for play in shakespeare()}["hamlet"]
    assert "To be, or not to be" in text
    for trace in ("\nHAMLET", "**", "_", "Exeunt", "SCENE"):
        assert trace not in text


def test_articles_have_next_to_no_markup() -> None:
    # Wiki markup can be broken; what the parser could not read stays.
    text = "\n".join(article.text for article in wikipedia_sample())
    traces = ("{{", "}}", "[[", "]]", "<ref", "</")
    found = {trace: text.count(trace) for trace in traces}
    assert sum(found.values()) < 20, found
    assert len(text.split()) > 300_000


def test_markup_becomes_sentences() -> None:
    markup = (
        "{{Infobox|a=b}}'''Bert''' is a [[puppet|hand puppet]] on a"
        " show.<ref>A book.</ref> He likes ( , ) pigeons a lot.\n"
        "[[File:bert.png|thumb|Bert sits at home all day long.]]\n"
        "== See also ==\n* [[Ernie]] is his friend and lives with him."
    )
    assert _without_markup(markup) == (
        "Bert is a hand puppet on a show. He likes pigeons a lot."
    )


def test_wikipedia_comes_from_a_mirror(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from datasets import Dataset

    folder = tmp_path / "datasets/wikimedia/wikipedia/20231101.en"
    folder.mkdir(parents=True)
    for part in range(2):
        rows = [
            {"id": str(n), "url": "", "title": f"T{part}{n}", "text": "Words."}
            for n in range(3)
        ]
        Dataset.from_list(rows).to_parquet(folder / f"train-{part}.parquet")
    monkeypatch.setenv("BERTBOOK_MIRROR", str(tmp_path))
    read = list(wikipedia_stream())
    assert [d.name for d in read] == [
        *("T00", "T01", "T02", "T10", "T11", "T12"),
    ]
    assert read[0] == Document("wikipedia", "T00", "Words.")


def test_a_mirror_without_it_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BERTBOOK_MIRROR", str(tmp_path))
    with pytest.raises(HubUnreachable, match="wikimedia/wikipedia"):
        next(wikipedia_stream())
