"""Badges stand under the title once the book has an address."""

from tests.tools.small_book import STEM, edit, make
from tools.notebooks.badges import badges
from tools.notebooks.book import Book
from tools.notebooks.cells import drafts


def test_without_an_address_there_is_no_badge(tmp_path):
    book = Book(make(tmp_path))
    (draft,) = drafts(book, book.sources()[0])

    assert badges(book, "chapters/01_first.ipynb") == ""
    assert "http" not in draft.cells[1].text
    assert 'ARCHIVE = ""' in draft.cells[1].text


def test_with_an_address_every_notebook_links_to_itself(tmp_path):
    edit(make(tmp_path), "_config.yml", '""', "https://github.com/ORG/REPO/")
    edit(tmp_path, "_config.yml", "main", "v1.2")
    book = Book(tmp_path)

    for draft in [
        each for path in book.sources() for each in drafts(book, path)
    ]:
        folder = draft.path.parent.name
        line, setup = draft.cells[1].text, draft.cells[2].text
        blob = f"ORG/REPO/blob/v1.2/{folder}/{STEM}.ipynb"
        raw = f"ORG/REPO/raw/v1.2/{folder}/{STEM}.ipynb"
        assert f"(https://colab.research.google.com/github/{blob})" in line
        assert (
            "(https://kaggle.com/kernels/welcome?src=https://github.com/"
            f"{blob})"
        ) in line
        assert f"(https://github.com/{raw})" in line
        assert 'ARCHIVE = "https://github.com/ORG/REPO/archive/v1.2.zip"' in (
            setup
        )
