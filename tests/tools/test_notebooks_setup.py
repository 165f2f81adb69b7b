"""The set-up cell finds `bertbook` in each place, or says where to put it.

The tests rename the package in the cell, so that what is installed on this
machine does not matter.
"""

import ast
import hashlib
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.tools.small_book import edit, make
from tools.notebooks.book import ROOT, Book
from tools.notebooks.errors import SourceError
from tools.notebooks.setup_cell import TAG, requirements, setup_cell

NAME = "otherbook"
PYPROJECT = """
[build-system]
requires = ["setuptools"]
build-backend = "setuptools.build_meta"
[project]
name = "otherbook"
version = "0.1"
dependencies = ["a-package-that-is-nowhere"]
[tool.setuptools]
packages = ["otherbook"]
"""


def wheel(folder: Path, name: str) -> Path:
    """Write a wheel of one empty module, which asks for the impossible."""
    folder.mkdir(parents=True, exist_ok=True)
    info = f"{name}-0.1.dist-info"
    path = folder / f"{name}-0.1-py3-none-any.whl"
    meta = f"Metadata-Version: 2.1\nName: {name}\nVersion: 0.1\n"
    need = "Requires-Dist: a-package-that-is-nowhere\n"
    tag = "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr(f"{name}/__init__.py", "")
        file.writestr(f"{info}/METADATA", meta + need)
        file.writestr(f"{info}/WHEEL", tag)
        file.writestr(f"{info}/RECORD", "")
    return path


@pytest.fixture
def place(tmp_path):
    """Return a function that runs a set-up cell in an empty folder."""
    here = tmp_path / "kernel" / "chapters"
    here.mkdir(parents=True)

    def run(text, after="", **settings):
        lines = f"import {NAME}\nprint({NAME}.__file__)\n{after}"
        code = text.replace("bertbook", NAME)
        target = str(tmp_path / "installed")
        env = {
            **os.environ,
            "PYTHONPATH": target,
            "PIP_TARGET": target,
            "PIP_NO_INDEX": "1",
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            **settings,
        }
        command = [sys.executable, "-c", f"{code}\n{lines}"]
        return subprocess.run(
            command, cwd=here, env=env, capture_output=True, text=True,
            check=False,
        )  # fmt: skip

    run.here = here
    return run


def cell_of(root: Path) -> str:
    return setup_cell(Book(root), "01_first").text


def test_an_importable_package_is_left_alone(place, tmp_path):
    package = tmp_path / "installed" / NAME
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    done = place(cell_of(make(tmp_path / "book")))

    assert done.stdout.strip() == str(package / "__init__.py")
    assert done.stderr == ""


def test_a_checkout_above_is_found(place, tmp_path):
    package = place.here.parent / NAME
    package.mkdir()
    (package / "__init__.py").touch()
    done = place(cell_of(make(tmp_path / "book")))

    assert done.stdout.strip() == str(package / "__init__.py")
    assert done.stderr == ""


def test_a_wheel_beside_brings_what_is_missing(place, tmp_path):
    wheel(place.here, NAME)
    wheel(place.here, "tiny_lack")
    data = wheel(place.here, "tiny_data").read_bytes()
    book = make(tmp_path / "book")
    digest = hashlib.sha256(data).hexdigest()
    edit(book, "requirements-data.txt", "a" * 64, digest)
    done = place(cell_of(book), after="import tiny_lack, tiny_data")

    assert done.returncode == 0, done.stderr
    assert str(tmp_path / "installed" / NAME) in done.stdout


def test_data_with_another_hash_is_refused(place, tmp_path):
    for name in (NAME, "tiny_lack", "tiny_data"):
        wheel(place.here, name)
    done = place(cell_of(make(tmp_path / "book")))

    assert done.returncode != 0
    assert "THESE PACKAGES DO NOT MATCH THE HASHES" in done.stderr
    assert not (tmp_path / "installed" / NAME).exists()


def test_the_published_archive_is_installed(place, tmp_path):
    book = make(tmp_path / "book")
    published = tmp_path / "org" / "book"
    edit(book, "_config.yml", 'url: ""', f"url: {published.as_uri()}")
    edit(book, "_config.yml", "branch: main", "branch: v1")
    edit(book, "chapters/01_first.yml", "[tiny-data]", "[]")
    (book / "requirements-colab.txt").write_text("pip>=1\n", "utf-8")
    archive = published / "archive" / "v1.zip"
    archive.parent.mkdir(parents=True)
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("book-v1/pyproject.toml", PYPROJECT)
        file.writestr(f"book-v1/{NAME}/__init__.py", "")
    done = place(cell_of(book), PIP_NO_BUILD_ISOLATION="0")

    assert done.returncode == 0, done.stderr
    assert str(tmp_path / "installed" / NAME) in done.stdout


def test_a_folder_of_that_name_is_no_package(place, tmp_path):
    (place.here / NAME).mkdir()
    done = place(cell_of(make(tmp_path / "book")))

    assert f"ModuleNotFoundError: {NAME} is not here" in done.stderr


def test_without_any_of_them_one_message_names_the_ways(place, tmp_path):
    done = place(cell_of(make(tmp_path / "book")))

    *_, last = done.stderr.strip().splitlines()
    assert last == (
        f"ModuleNotFoundError: {NAME} is not here. Put its wheel (`make "
        "wheel` builds it) beside this notebook or, on Kaggle, into its "
        "input; or open the notebook inside a copy of the book's repository."
    )


def test_a_chapter_may_only_name_pinned_data(tmp_path):
    edit(make(tmp_path), "chapters/01_first.yml", "tiny-data", "huge-data")

    with pytest.raises(SourceError, match=r"01_first\.yml:1: .*huge-data"):
        setup_cell(Book(tmp_path), "01_first")


def test_the_cell_is_short_tagged_and_carries_the_pins(tmp_path):
    cell = setup_cell(Book(make(tmp_path)), "01_first")
    tree = ast.parse(cell.text)
    statements = [n for n in ast.walk(tree) if isinstance(n, ast.stmt)]

    assert cell.tags == (TAG,)
    assert '"tiny_lack": "tiny-lack>=0.1",' in cell.text
    assert f'"tiny_data==0.1": [\n        "{"a" * 64}",' in cell.text
    assert len(statements) <= 30
    assert max(map(len, cell.text.splitlines())) <= 79


def test_no_probe_for_a_hosting_service_and_no_dependencies():
    text = (ROOT / "tools/notebooks/setup_template.py").read_text("utf-8")

    assert "google" not in text
    assert '"--no-deps"' in text


@pytest.mark.parametrize("name", ["colab", "data"])
def test_every_line_of_the_real_files_is_understood(name):
    found = requirements(Book(), f"requirements-{name}.txt")

    assert found
    assert all(line[0].isalnum() and "#" not in line for line in found)
    if name == "data":
        assert all("==" in line and "--hash=sha256:" in line for line in found)
