"""Percent sources become cells that know their line."""

import pytest

from tests.tools.small_book import CHAPTER, STEM, write
from tools.notebooks.errors import SourceError
from tools.notebooks.sources import read_source


def source(tmp_path, text, name=f"chapters/{STEM}.py"):
    return read_source(write(tmp_path, name, text))


def test_cells_know_their_kind_text_and_line(tmp_path):
    found = source(tmp_path, CHAPTER).cells

    assert [cell.kind for cell in found] == [
        "markdown", "code", "code", "markdown", "code",
    ]  # fmt: skip
    assert found[0].text.startswith("# 01 · A first chapter\n\nIs $\\sqrt{4}")
    assert [cell.line for cell in found] == [1, 6, 9, 12, 15]


def test_tags_are_kept_and_cell_titles_dropped(tmp_path):
    text = CHAPTER + '\n# %% a note tags=["nbval-ignore-output"]\n1\n'

    assert source(tmp_path, text).cells[-1].tags == ("nbval-ignore-output",)


def test_markdown_in_a_raw_string_keeps_its_backslashes(tmp_path):
    text = CHAPTER + '\n# %% [markdown]\nr"""\n$\\nu$ and $\\tau$\n"""\n'

    assert source(tmp_path, text).cells[-1].text == r"$\nu$ and $\tau$"


@pytest.mark.parametrize(
    "first",
    [
        "# %% [markdown]\n# No number here",
        "# %% [markdown]\n# # 02 · Another chapter's number",
        "# %% [markdown]\n# ## 01 · Too low a heading",
        "# %%\n# # 01 · In a code cell",
    ],
)
def test_a_source_without_a_title_is_refused(tmp_path, first):
    with pytest.raises(SourceError, match=r"01_first\.py:1: no title.*# 01 ·"):
        source(tmp_path, first + "\n\n# %%\nx = 1\n")


@pytest.mark.parametrize("text", ["", "x = 1\n", "import os\n" + CHAPTER])
def test_text_before_the_first_cell_is_refused(tmp_path, text):
    with pytest.raises(SourceError, match="nothing before it"):
        source(tmp_path, text)
