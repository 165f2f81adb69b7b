"""A book of one chapter, small enough to build in a test."""

import textwrap
from pathlib import Path

import nbformat

STEM = "01_first"

CHAPTER = """
# %% [markdown]
# # 01 · A first chapter
#
# Is $\\sqrt{4}$ two?

# %%
from bertbook.runtime import SCALE

# %%
from bertbook.thing import double  # @show

# %% [markdown]
# @fact F-01

# %%
print(double(21))
"""

SOLUTION = """
# %% [markdown]
# # 01 · Exercises

# %%
from bertbook.runtime import SCALE

# %% [markdown]
# ## Exercise 01.1 · Half · ●○○ · 1 min

# %%
def half(x):
    ### BEGIN SOLUTION
    return x / 2
    ### END SOLUTION

# %%
try:
    print(half(4))
except NotImplementedError:
    print("not attempted")
"""

THING = '''
"""A module."""

import math
from math import floor

SCALE = 2  # a constant


def helper(x: int) -> int:
    """Return x."""
    return x


def double(x: int) -> int:
    """Return twice x.

    Args:
        x: a number.

    Source: Euclid (300 BC), book V,
        definition 2.
    """
    # why: because
    return helper(x) * SCALE + floor(math.pi - 3)


class Unused:
    """Never shown."""
'''

FACTS = r"""
- id: F-01
  chapters: ["01"]
  title: What a double is
  kind: wrong
  lecture: A double is $\frac{x}{2}$.
  correct: A double is $2x$.
  source:
    - {key: euclid, where: "book V"}
    - {key: trio}
  test: tests/facts/test_chapter_01.py::test_f01
"""

REFERENCES = """
@book{euclid, author = {Euclid, E.}, title = {Elements}, year = {1482},
  url = {https://example.org/elements}}
@article{trio, author = {One, A. and Two, B. and Three, C.},
  title = {T}, year = {2017}}
"""

FILES = {
    "_config.yml": 'repository:\n  url: ""\n  branch: main\n',
    "requirements-colab.txt": "# what is missing\ntiny-lack>=0.1  # why\n",
    "requirements-data.txt": "tiny_data==0.1 \\\n    --hash=sha256:"
    + "a" * 64,
    "book/facts.yml": FACTS,
    "book/references.bib": REFERENCES,
    "bertbook/__init__.py": "",
    "bertbook/runtime.py": 'SCALE = "small"\n',
    "bertbook/thing.py": THING,
    "chapters/01_first.yml": "description: one\ndata: [tiny-data]\n",
    f"chapters/{STEM}.py": CHAPTER,
    f"solutions/{STEM}.py": SOLUTION,
}


def write(root: Path, name: str, text: str) -> Path:
    """Write a file of the small book."""
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(textwrap.dedent(text).lstrip("\n"), encoding="utf-8")
    return path


def make(root: Path, **changed: str) -> Path:
    """Write the small book, `chapter` or `solution` replaced."""
    files = dict(FILES)
    for kind, text in changed.items():
        files[f"{kind}s/{STEM}.py"] = text
    for name, text in files.items():
        write(root, name, text)
    return root


def edit(root: Path, name: str, old: str, new: str) -> None:
    """Replace a text that must be there."""
    path = root / name
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def read(root: Path, name: str) -> nbformat.NotebookNode:
    """Read one of its notebooks."""
    return nbformat.read(root / name, as_version=4)


def everything(root: Path) -> dict[str, bytes]:
    """Return the bytes of every file of its three notebook folders."""
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for folder in ("chapters", "solutions", "exercises")
        for path in sorted((root / folder).rglob("*"))
        if path.is_file()
    }
