"""`@fact F-01` becomes a box in plain Markdown."""

import pytest

from tests.tools.small_book import edit, make
from tools.notebooks.book import Book
from tools.notebooks.cells import drafts
from tools.notebooks.errors import SourceError
from tools.notebooks.facts import Facts

BOX = r"""> **F-01 · What a double is** (wrong)
>
> **A lecture says:** A double is $\frac{x}{2}$.
>
> **What is so:** A double is $2x$.
>
> **Source:** [Euclid (1482)](https://example.org/elements), book V; """


def test_a_box_holds_claim_correction_and_source(tmp_path):
    box = Facts(Book(make(tmp_path))).box("F-01")

    assert box == BOX + "One et al. (2017)"


def test_a_published_slip_is_not_blamed_on_lectures(tmp_path):
    edit(make(tmp_path), "book/facts.yml", "kind: wrong", "kind: published")

    assert "**The published text says:**" in Facts(Book(tmp_path)).box("F-01")


def test_the_line_is_expanded_where_it_stands(tmp_path):
    book = Book(make(tmp_path))
    (draft,) = drafts(book, book.sources()[0])

    assert [cell.text for cell in draft.cells if BOX in cell.text]


@pytest.mark.parametrize(
    ("name", "old", "new", "message"),
    [
        (
            "chapters/01_first.py",
            "F-01",
            "F-99",
            "facts.yml has no entry F-99",
        ),
        ("book/facts.yml", "key: trio", "key: duo", "no entry duo"),
    ],
)
def test_a_missing_entry_names_file_and_line(
    tmp_path, name, old, new, message
):
    edit(make(tmp_path), name, old, new)
    book = Book(tmp_path)

    with pytest.raises(SourceError, match=rf"01_first\.py:13: .*{message}"):
        drafts(book, book.sources()[0])
