"""Chapter 00 runs to its end where no connection can be made."""

import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

ROOT = Path(__file__).parents[2]
BLOCK = ROOT / "tests" / "offline"
CHAPTER = ROOT / "chapters" / "00_how_this_book_runs.ipynb"


@pytest.fixture
def run(tmp_path):
    """Run a notebook without a network; tell how it ended and what it tried.

    Nothing tells the libraries that they are offline: HF_HUB_OFFLINE is not
    set, and their caches are empty.
    """
    log = tmp_path / "sockets.log"
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("HF_", "BERTBOOK_", "TRANSFORMERS_"))
    }
    environment = kept | {
        "SOCKET_LOG": str(log),
        "PYTHONPATH": os.pathsep.join([str(BLOCK), str(ROOT)]),
        "HF_HOME": str(tmp_path / "hub"),
        "BERTBOOK_STRICT": "1",
        "CUDA_VISIBLE_DEVICES": "",
        "IPYTHONDIR": str(tmp_path / "ipython"),
        "MPLBACKEND": "agg",
        "OMP_NUM_THREADS": "1",
        "TQDM_DISABLE": "1",
    }

    def start(notebook: Path):
        ended = subprocess.run(
            [sys.executable, str(BLOCK / "run_cells.py"), str(notebook)],
            cwd=notebook.parent,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        tried = log.read_text().splitlines() if log.exists() else []
        return ended, tried

    return start


def test_chapter_00_runs_to_its_end_without_a_network(run):
    cells = nbformat.read(CHAPTER, as_version=4).cells
    count = sum(cell.cell_type == "code" for cell in cells)
    ended, tried = run(CHAPTER)
    assert ended.returncode == 0, ended.stdout[-3000:] + ended.stderr[-3000:]
    assert ended.stdout.endswith(f"{count} cells ran\n")
    assert tried == []


CONNECT = "import socket\nsocket.create_connection(('127.0.0.1', 9))"
HIDDEN = """
import contextlib, urllib.request
with contextlib.suppress(OSError):
    urllib.request.urlopen("http://example.org")
"""
IN_A_CHILD = """
import subprocess, sys
code = "import socket; socket.gethostbyname('example.org')"
subprocess.run([sys.executable, "-c", code])
"""
BY_THE_HUB = """
from bertbook.corpora import HubUnreachable, hub_folder
try:
    hub_folder("google-bert/bert-base-uncased")
except HubUnreachable:
    pass
"""


@pytest.mark.parametrize(
    ("planted", "stops"),
    [
        (CONNECT, True),
        (HIDDEN, False),
        (IN_A_CHILD, False),
        (BY_THE_HUB, False),
    ],
    ids=["open", "hidden", "in a child", "by the hub"],
)
def test_a_planted_connection_is_refused_and_recorded(
    run, tmp_path, planted, stops
):
    path = tmp_path / "planted.ipynb"
    cells = [new_code_cell("1 + 1"), new_code_cell(planted)]
    nbformat.write(new_notebook(cells=cells), path)
    ended, tried = run(path)
    assert tried, "the attempt went unseen"
    assert (ended.returncode != 0) == stops, ended.stderr[-3000:]


def test_a_cell_that_raises_ends_the_run(run, tmp_path):
    path = tmp_path / "planted.ipynb"
    cells = [new_code_cell("raise KeyError('planted')"), new_code_cell("1")]
    nbformat.write(new_notebook(cells=cells), path)
    ended, _ = run(path)
    assert ended.returncode != 0
    assert "cell 1 of planted.ipynb" in ended.stderr
