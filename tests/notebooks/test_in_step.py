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
    not_in_step = [e for e in check(BOOK, [path]) if path.stem in e]

    assert not_in_step == []
