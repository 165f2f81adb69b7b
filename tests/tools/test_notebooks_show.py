"""`# @show` puts a definition in the place of its import."""

import pytest

from tests.tools.small_book import make
from tools.notebooks.errors import SourceError
from tools.notebooks.library import Library
from tools.notebooks.scope import Import, Scope, render
from tools.notebooks.show import expand
from tools.notebooks.sources import Cell, Source

MODULE = '''
"""A module with all that can be shown."""

import functools
import math
import os.path
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from bertbook.runtime import SCALE

if TYPE_CHECKING:
    from pathlib import Path

EPSILON: Final = 1e-9  # the smallest
LEFT, RIGHT = 1, 2


def helper() -> float:
    return EPSILON


@functools.cache
def decorated(math: int) -> "np.ndarray":
    r"""Return \\nu.

    With more that is cut.
    """
    # a local called math hides the module
    return np.array(math)


class Base:
    """Hold x.

    Source: A (2001), eq. 1
    Source: B (2002)

    Args:
        x: something.
    """

    def __init__(self, x: float = EPSILON) -> None:
        """Store x.

        And some more.
        """
        self.x = x

    def sine(self) -> float:
        """Return a sine, and say so in one line."""
        return math.sin(self.x) + helper()


@dataclass(frozen=True)
class Derived(Base):
    size: int = len(SCALE)

    def call(self, function: Callable[[], "Path"]) -> object:
        return [os.path.join(str(each), "") for each in (function(),)]
'''


@pytest.fixture
def show(tmp_path):
    make(tmp_path)
    (tmp_path / "bertbook/all.py").write_text(MODULE, encoding="utf-8")
    path = tmp_path / "chapters/01_first.py"
    scope = Scope()

    def run(code):
        path.write_text(f"# %%\n{code}\n", encoding="utf-8")
        source = Source(path, ())
        cell = Cell("code", code, 1)
        return expand(source, cell, Library(tmp_path), scope)

    return run


def test_a_function_brings_its_decorator_imports_and_first_line(show):
    cell = show("from bertbook.all import decorated  # @show")

    assert cell.shown == ("decorated",)
    assert (
        cell.text
        == '''\
import functools

import numpy as np


@functools.cache
def decorated(math: int) -> "np.ndarray":
    r"""Return \\nu."""
    # a local called math hides the module
    return np.array(math)'''
    )


def test_a_class_keeps_sources_and_cuts_every_docstring(show):
    text = show("from bertbook.all import Base  # @show").text

    assert (
        text
        == '''\
import math

from bertbook.all import EPSILON, helper


class Base:
    """Hold x.

    Source: A (2001), eq. 1
    Source: B (2002)
    """

    def __init__(self, x: float = EPSILON) -> None:
        """Store x."""
        self.x = x

    def sine(self) -> float:
        """Return a sine, and say so in one line."""
        return math.sin(self.x) + helper()'''
    )


def test_a_constant_keeps_its_comment(show):
    text = show("from bertbook.all import EPSILON  # @show").text

    assert text == (
        "from typing import Final\n\n\nEPSILON: Final = 1e-9  # the smallest"
    )


def test_one_of_two_names_bound_together_is_shown_whole(show):
    text = show("from bertbook.all import RIGHT  # @show").text

    assert text == "LEFT, RIGHT = 1, 2"


def test_definitions_stand_in_the_order_of_their_module(show):
    text = show("from bertbook.all import Derived, Base  # @show").text

    assert text.index("class Base") < text.index("class Derived")
    assert "import os.path\n" in text
    assert "from bertbook.runtime import SCALE" in text
    assert "from collections.abc import Callable" in text
    assert "import Base" not in text


def test_what_the_notebook_imported_is_not_imported_again(show):
    show("import math\nfrom bertbook.all import EPSILON")
    text = show("from bertbook.all import Base  # @show").text

    assert text.startswith("from bertbook.all import helper\n")


def test_what_was_shown_is_not_imported(show):
    show("from bertbook.all import EPSILON, helper  # @show")
    text = show("from bertbook.all import Base  # @show").text

    assert text.startswith("import math\n\n\nclass Base")


def test_a_name_the_notebook_gave_another_meaning_is_imported(show):
    show("def helper():\n    return 1\n\n\nmath = 3")
    text = show("from bertbook.all import Base  # @show").text

    assert "import math\n" in text
    assert "import EPSILON, helper\n" in text


def test_code_around_the_mark_stays(show):
    text = show(
        "x = 1\nfrom bertbook.all import (  # @show\n    RIGHT,\n)\n\ny = 2"
    ).text

    assert text == "x = 1\n\n\nLEFT, RIGHT = 1, 2\n\n\ny = 2"


def test_shown_code_runs(show, monkeypatch, tmp_path):
    code = show("from bertbook.all import EPSILON, Base, helper  # @show")
    space = {}
    exec(code.text, space)

    assert space["Base"]().sine() == pytest.approx(2e-9)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("from bertbook.all import Basis  # @show", "did you mean Base"),
        ("from bertbook.all import zebra  # @show", "defines no zebra"),
        ("from bertbook.all import SCALE  # @show", "show it from bertbook.r"),
        ("from bertbook.gone import x  # @show", "no module bertbook.gone"),
        ("from bertbook.all import Base as B  # @show", "without `as`"),
        ("import bertbook.all  # @show", "without `as`"),
        ("from os import path  # @show", "without `as`"),
        ("x = 1  # @show", "without `as`"),
        ("from bertbook.all import (  # @show", "not stand on an import"),
        (
            "from bertbook.all import RIGHT  # @show\n"
            "from bertbook.all import LEFT  # @show",
            "two `# @show`",
        ),
    ],
)
def test_a_bad_mark_names_file_and_line(show, line, message):
    with pytest.raises(SourceError, match=message) as caught:
        show(f"x = 1\n{line}")

    assert (caught.value.path.name, caught.value.line) == ("01_first.py", 3)


def test_imports_are_grouped_and_sorted():
    items = [
        Import("torch.nn", "functional", "F"),
        Import("torch", "Tensor"),
        Import("torch", "nn"),
        Import("numpy", "", "np"),
        Import("bertbook.masks", "causal_mask"),
        Import("math"),
        Import("collections", "Counter"),
    ]

    assert render(items) == (
        "import math\nfrom collections import Counter\n\n"
        "import numpy as np\nfrom torch import Tensor, nn\n"
        "from torch.nn import functional as F\n\n"
        "from bertbook.masks import causal_mask"
    )


def test_a_submodule_import_keeps_its_parent():
    scope = Scope()
    scope.read("import torch\nimport torch.utils.data")

    assert scope.knows(Import("torch"))
    assert scope.knows(Import("torch.utils.data"))
    assert not scope.knows(Import("torch.nn"))


def test_magics_and_broken_cells_do_not_stop_the_reading():
    scope = Scope()
    scope.read("%matplotlib inline\n!ls\nimport math")
    scope.read("def (:")

    assert scope.knows(Import("math"))
