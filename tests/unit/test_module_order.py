"""The library's order and its sizes, read from the sources.

A module imports only what stands in a row above its own, or to its left.
Whoever adds a module gives it a place in `ORDER`.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import bertbook

LIBRARY = Path(bertbook.__file__).parent
MAX_MODULE = 300
MAX_FUNCTION = 30

ORDER = [
    name
    for row in (
        "runtime plotting corpora",
        "attention heads masks",
        "embeddings seq2seq reversal",
        "tokenization tokenizer_training positions",
        "blocks transformer",
        "coreference translation word_order lookback ablation",
        "families transfer",
        "bert roberta albert electra deberta",
        "masking pairs stories metrics",
        "checkpoints",
        "pretraining finetuning",
        "similarity summarization prompting predict",
        "attention_map checks",
    )
    for name in row.split()
]


def module_of(path: Path, library: Path) -> str:
    """Name the module or the sub-package that a file belongs to."""
    return path.relative_to(library).parts[0].removesuffix(".py")


def imported(tree: ast.AST) -> Iterator[str]:
    """Yield the modules of the library that a source imports anywhere."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "write imports from the top: bertbook.x"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            top, _, rest = name.partition(".")
            if top == "bertbook" and rest:
                yield rest.split(".")[0]


def out_of_order(library: Path) -> list[str]:
    """List each import of a module that stands below or has no place."""
    wrong = []
    for path in sorted(library.rglob("*.py")):
        module = module_of(path, library)
        if module == "__init__":
            continue
        if module not in ORDER:
            wrong.append(f"{module} has no place in ORDER")
            continue
        for other in imported(ast.parse(path.read_text(encoding="utf-8"))):
            if other == module:
                continue
            if other not in ORDER[: ORDER.index(module)]:
                wrong.append(f"{module} imports {other}")
    return wrong


def length(node: ast.AST, last: int) -> int:
    """Count lines up to the last, without docstrings."""
    first = getattr(node, "lineno", 1)
    docstrings = sum(
        inner.end_lineno - inner.lineno + 1
        for inner in ast.walk(node)
        if isinstance(inner, ast.Expr)
        and isinstance(inner.value, ast.Constant)
        and isinstance(inner.value.value, str)
    )
    return last - first + 1 - docstrings


def too_long(library: Path) -> list[str]:
    """List modules and functions that are longer than the book allows."""
    wrong = []
    for path in sorted(library.rglob("*.py")):
        source = path.read_text(encoding="utf-8")
        tree = ast.parse(source)
        lines = length(tree, len(source.splitlines()))
        if lines > MAX_MODULE:
            wrong.append(f"{path.name}: {lines} lines")
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = length(node, node.end_lineno)
                if lines > MAX_FUNCTION:
                    wrong.append(f"{path.name}, {node.name}: {lines} lines")
    return wrong


def test_modules_import_only_what_stands_before_them():
    assert out_of_order(LIBRARY) == []


def test_no_module_and_no_function_is_too_long():
    assert too_long(LIBRARY) == []


@pytest.mark.parametrize(
    ("name", "source", "wrong"),
    [
        ("corpora", "from bertbook.tokenization import PAD", "tokenization"),
        ("corpora", "from bertbook import runtime, blocks", "blocks"),
        ("masks", "def f():\n    import bertbook.seq2seq", "seq2seq"),
        ("attention", "import torch\nimport bertbook.masks", "masks"),
        ("masks", "from bertbook.attention import x", None),
        ("checks/chapter_00", "from bertbook.checks.report import x", None),
        ("checks/chapter_00", "from bertbook import attention_map", None),
    ],
)
def test_a_planted_import_is_found(tmp_path, name, source, wrong):
    path = tmp_path / f"{name}.py"
    path.parent.mkdir(exist_ok=True)
    path.write_text(source)
    expected = [] if wrong is None else [f"{name} imports {wrong}"]
    assert out_of_order(tmp_path) == expected


def test_a_module_without_a_place_is_found(tmp_path):
    (tmp_path / "stray.py").write_text("")
    assert out_of_order(tmp_path) == ["stray has no place in ORDER"]


def test_lines_are_counted_without_docstrings(tmp_path):
    path = tmp_path / "masks.py"
    body = "    x = 1\n"
    docstring = '    """One\n\n    two."""\n'
    path.write_text("def f():\n" + docstring + body * (MAX_FUNCTION - 1))
    assert too_long(tmp_path) == []
    path.write_text("def f():\n" + docstring + body * MAX_FUNCTION)
    assert too_long(tmp_path) == ["masks.py, f: 31 lines"]
    path.write_text('"""Doc."""\n' + "x = 1\n" * MAX_MODULE)
    assert too_long(tmp_path) == []
    path.write_text("x = 1\n" * (MAX_MODULE + 1))
    assert too_long(tmp_path) == ["masks.py: 301 lines"]
