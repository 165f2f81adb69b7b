"""Every committed notebook is what its source gives."""

import pytest

from tools.notebooks.book import Book
from tools.notebooks.check import check, orphans

BOOK = Book()


def test_there_are_sources_and_no_orphans():
    assert BOOK.sources()
    assert orphans(BOOK) == []


@pytest.mark.parametrize("path", BOOK.sources(), ids=lambda p: p.stem)
def test_its_notebooks_are_in_step(path):
    assert [line for line in check(BOOK, [path])] == []
