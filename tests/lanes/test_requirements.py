"""The requirement files say what is used, all of it, and nothing else."""

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
FILES = (
    "requirements.txt",
    "requirements-site.txt",
    "requirements-data.txt",
    "requirements-colab.txt",
    "constraints.txt",
)
IMPLIED = {
    "cycler": "matplotlib",
    "docutils": "jupyter-book",
    "huggingface-hub": "transformers",
    "pillow": "matplotlib",
    "pybtex": "sphinxcontrib-bibtex",
    "sphinx": "jupyter-book",
    "tokenizers": "transformers",
}
"""Imported, but part of what another package promises to bring."""


def lines(name):
    text = (ROOT / name).read_text("utf-8").replace("\\\n", " ")
    found = (re.sub(r"(^|\s)#.*", "", line) for line in text.splitlines())
    return [line.strip() for line in found if line.strip()]


def names(name):
    return {
        canonicalize_name(Requirement(line.split(" --")[0]).name)
        for line in lines(name)
        if not line.startswith("-")
    }


def declared():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    return [Requirement(each) for each in project["project"]["dependencies"]]


def imported(folder):
    """Return the packages that the modules of a folder import."""
    roots = set()
    for path in (ROOT / folder).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                roots |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level:
                roots.add((node.module or "").split(".")[0])
    owners = packages_distributions()
    return {
        canonicalize_name(owner)
        for root in roots - {*sys.stdlib_module_names, "bertbook"}
        for owner in owners.get(root, [root])
    }


def test_library_declares_what_it_and_its_chapters_import():
    used = {
        IMPLIED.get(each, each)
        for folder in ("bertbook", "chapters", "solutions")
        for each in imported(folder)
    }
    assert {canonicalize_name(each.name) for each in declared()} == used


@pytest.mark.parametrize(
    "folder", ["tools", "tests", "book", "benchmarks", "experiments"]
)
def test_what_surrounds_the_library_is_required(folder):
    wanted = names("requirements.txt") | names("requirements-site.txt")
    used = {IMPLIED.get(each, each) for each in imported(folder)}
    own = {
        canonicalize_name(path.stem)
        for place in ("tests", "book/extensions")
        for path in (ROOT / place).rglob("*")
    }
    assert used - own - {"tools", "tests", "benchmarks"} <= wanted


def test_requirements_repeat_the_library_s_bounds():
    bounds = {
        Requirement(line).name: Requirement(line).specifier
        for line in lines("requirements.txt")
        if not line.startswith("-")
    }
    for each in declared():
        assert bounds[each.name] == each.specifier, each.name


def test_every_requirement_has_a_tested_version():
    pinned = names("constraints.txt")
    for name in ("requirements.txt", "requirements-site.txt"):
        assert names(name) <= pinned


def test_constraints_are_exact():
    for line in lines("constraints.txt"):
        assert re.fullmatch(
            r"[\w.-]+==[\w.]+( ; python_full_version .*)?", line
        )
    assert "torch==2.13.0" in lines("constraints.txt")


def test_the_site_is_built_without_torch():
    heavy = {"torch", "transformers", "numpy", "jupyterlab", "nbval"}
    assert not names("requirements-site.txt") & heavy
    assert "-r requirements-site.txt" in lines("requirements.txt")


@pytest.mark.parametrize("name", FILES)
def test_no_file_names_an_index_or_a_local_path(name):
    text = (ROOT / name).read_text("utf-8")
    assert not re.search(r"://|--(extra-)?index|--find-links|@ |\+cpu", text)
    for line in lines(name):
        assert not line.startswith(("/", "-f", "-e", "-i"))
