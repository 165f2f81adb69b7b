"""Film reviews: counted, split, mirrored; no sentence of theirs is here."""

import json
from collections import Counter

import pytest

from bertbook import corpora
from bertbook.corpora import Review

COLUMNS = {"text": "A made-up sentence.", "label": 1, "label_text": "positive"}


def key(review: Review) -> str:
    return "".join(filter(str.isalnum, review.text.lower()))


def test_every_sentence_is_there_once_and_half_are_praise():
    reviews = corpora.review_sentences()
    assert len(reviews) == 8_530
    assert Counter(review.label for review in reviews) == {0: 4265, 1: 4265}
    assert len({review.text for review in reviews}) == 8_530
    assert all(review.text.strip() for review in reviews)
    assert sum(len(review.text.split()) for review in reviews) == 179_069


def test_the_parts_are_whole_disjoint_and_balanced():
    splits = corpora.sentiment_splits()
    assert [len(part) for part in splits] == [6402, 1101, 1027]
    assert {*splits.train, *splits.dev, *splits.test} == {
        *corpora.review_sentences()
    }
    train, dev, test = ({key(review) for review in part} for part in splits)
    assert not train & dev
    assert not train & test
    assert not dev & test
    for part in splits:
        share = sum(review.label for review in part) / len(part)
        assert 0.47 < share < 0.53


def test_the_part_of_a_sentence_depends_on_its_letters_alone():
    reviews = tuple(Review(f"Sentence number {i}.", i % 2) for i in range(80))
    whole = corpora.split_by_text(reviews)
    half = corpora.split_by_text(reviews[::2])
    loud = corpora.split_by_text(
        tuple(Review(r.text.upper() + " !", r.label) for r in reviews)
    )
    for part, of_half, of_loud in zip(whole, half, loud, strict=True):
        assert {*of_half} <= {*part}
        assert [key(r) for r in part] == [key(r) for r in of_loud]


@pytest.mark.parametrize(
    "loader", [corpora.review_sentences, corpora.sentiment_splits]
)
def test_loaders_state_source_licence_size_and_citation(loader):
    for fact in ("Source:", "Licence:", "Size:", "Citation:"):
        assert fact in loader.__doc__


@pytest.fixture
def mirror(tmp_path, monkeypatch):
    """A mirror with a few rows of SST-2, in the layout that the Hub has."""
    folder = tmp_path / "datasets" / "SetFit" / "sst2"
    folder.mkdir(parents=True)
    for count, name in enumerate(("train", "dev", "test"), start=2):
        rows = [
            json.dumps(COLUMNS | {"label": i % 2}) + "\n" for i in range(count)
        ]
        (folder / f"{name}.jsonl").write_text("".join(rows), encoding="utf-8")
    monkeypatch.setenv("BERTBOOK_MIRROR", str(tmp_path))
    monkeypatch.setattr(corpora.reviews, "SCALE", "full")
    return folder


def test_at_full_scale_sst2_comes_from_the_mirror(mirror):
    splits = corpora.sentiment_splits()
    assert [len(part) for part in splits] == [2, 3, 4]
    assert splits.dev[1] == ("A made-up sentence.", 1)


def test_a_line_separator_inside_a_sentence_ends_no_line(mirror):
    text = "One line\u2028and no other."
    row = json.dumps(COLUMNS | {"text": text}, ensure_ascii=False)
    (mirror / "dev.jsonl").write_text(row + "\n", encoding="utf-8")
    assert [r.text for r in corpora.sentiment_splits().dev] == [text]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ('{"sentence": "x", "label": 1}\n', "KeyError"),
        ("not json\n", "JSONDecodeError"),
        ('{"text": "x", "label": -1}\n', "labels -1"),
        (None, "FileNotFoundError"),
    ],
)
def test_a_file_that_is_another_one_is_refused(mirror, content, reason):
    file = mirror / "test.jsonl"
    file.unlink() if content is None else file.write_text(content)
    with pytest.raises(
        corpora.DataError, match=rf"test\.jsonl is not .*{reason}"
    ):
        corpora.sentiment_splits()


def test_without_the_data_set_nothing_else_is_used(mirror):
    for file in mirror.iterdir():
        file.unlink()
    mirror.rmdir()
    with pytest.raises(corpora.HubUnreachable, match="dataset SetFit/sst2"):
        corpora.sentiment_splits()
