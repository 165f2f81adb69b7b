"""The benchmark runs every notebook and writes none."""

import doctest
import json

from benchmarks import notebooks
from tests.tools.small_book import CHAPTER, STEM, everything, make
from tools.notebooks.book import Book


def test_seconds_and_memory_are_those_of_the_kernel(tmp_path):
    heavy = "\n# %%\nimport time\n\nkept = b'1' * 300_000_000\ntime.sleep(1)\n"
    make(tmp_path, chapter=CHAPTER + heavy)
    before = everything(tmp_path)
    rows = notebooks.measure_all(Book(tmp_path), 1)

    assert list(rows) == [f"chapters/{STEM}", f"solutions/{STEM}"]
    chapter, solution = rows.values()
    assert chapter["seconds"] >= 1
    assert chapter["peak_mib"] - solution["peak_mib"] > 250
    assert solution["peak_mib"] > 20
    assert everything(tmp_path) == before


def test_the_record_says_where_it_was_measured(tmp_path):
    path = tmp_path / "results" / "notebooks.json"
    rows = {"chapters/01_first": {"seconds": 1.0, "peak_mib": 50.0}}
    notebooks.save(rows, 3, path)
    record = json.loads(path.read_text("utf-8"))

    assert record["notebooks"] == rows
    assert record["machine"]["cores"] >= 1
    assert record["machine"]["threads"] == 1
    assert "torch" in record["versions"]
    assert "--repeats 3" in record["command"]


def test_its_example_is_true():
    assert doctest.testmod(notebooks).failed == 0


def test_the_committed_record_covers_the_notebooks_that_run():
    record = json.loads(notebooks.RESULTS.read_text("utf-8"))
    stems = {
        path.relative_to(Book().root).with_suffix("").as_posix()
        for path in Book().sources()
    }

    assert set(record["notebooks"]) == stems
    assert all(row["seconds"] > 0 for row in record["notebooks"].values())
