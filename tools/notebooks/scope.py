"""What each name in a notebook stands for, cell after cell.

An origin is a dotted path: `import torch.nn.functional as F` and
`from torch.nn import functional as F` both give F the origin
`torch.nn.functional`. A name the notebook defines itself has the origin
`<notebook>`.
"""

import ast
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

HERE = "<notebook>"


@dataclass(frozen=True, order=True)
class Import:
    """One imported name: `from module import name as alias`.

    Args:
        module: the module's dotted path.
        name: the name taken from it; empty for `import module`.
        alias: the name after `as`; empty where there is none.
    """

    module: str
    name: str = ""
    alias: str = ""

    @property
    def bound(self) -> str:
        """Return the name that the import binds."""
        return self.alias or self.name or self.module.partition(".")[0]

    @property
    def origin(self) -> str:
        """Return the dotted path of what is bound."""
        return f"{self.module}.{self.name}" if self.name else self.module


def imports_of(node: ast.stmt) -> list[Import]:
    """Return the names that an import statement binds."""
    if isinstance(node, ast.Import):
        return [Import(a.name, "", a.asname or "") for a in node.names]
    if isinstance(node, ast.ImportFrom) and node.module != "__future__":
        module = "." * node.level + (node.module or "")
        return [Import(module, a.name, a.asname or "") for a in node.names]
    return []


def defined_by(node: ast.stmt) -> Iterator[str]:
    """Yield the names that a definition or assignment binds."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        yield node.name
        return
    for child in ast.walk(node):
        if isinstance(child, ast.Name) and isinstance(child.ctx, ast.Store):
            yield child.id


def parsed(code: str) -> list[ast.stmt]:
    """Return a cell's statements; none where it cannot be parsed.

    A cell with a syntax error says so itself when it runs.
    """
    plain = [
        "" if line.lstrip().startswith(("%", "!")) else line
        for line in code.splitlines()
    ]
    try:
        return ast.parse("\n".join(plain)).body
    except SyntaxError:
        return []


def imports_of_code(code: str) -> list[Import]:
    """Return what a cell imports, inside functions too."""
    return [
        item
        for statement in parsed(code)
        for node in ast.walk(statement)
        if isinstance(node, ast.stmt)
        for item in imports_of(node)
    ]


class Scope:
    """The top-level names of a notebook so far."""

    def __init__(self) -> None:
        self.origins: dict[str, set[str]] = {}

    def read(self, code: str) -> None:
        """Follow the bindings of a code cell."""
        for node in parsed(code):
            found = imports_of(node)
            for each in found:
                self.bind(each)
            for name in () if found else defined_by(node):
                self.origins[name] = {HERE}

    def bind(self, item: Import) -> None:
        """Note an import; `import a.b` keeps what `import a` bound."""
        root = item.module.partition(".")[0]
        known = self.origins.get(item.bound, set())
        adds = not item.name and not item.alias
        keeps = {o for o in known if adds and o.partition(".")[0] == root}
        self.origins[item.bound] = keeps | {item.origin}

    def knows(self, item: Import) -> bool:
        """Tell whether a name already stands for what the import gives."""
        return item.origin in self.origins.get(item.bound, set())


def sort_key(name: str) -> tuple[int, str, str]:
    """Order imported names as ruff does: constants, classes, the rest."""
    rank = (
        0
        if name.isupper() and len(name) > 1
        else 1
        if name[0].isupper()
        else 2
    )
    return rank, name.lower(), name


def statement(module: str, items: Iterable[Import]) -> str:
    """Return one `from` import, wrapped where it is too long."""
    names = [
        f"{each.name} as {each.alias}" if each.alias else each.name
        for each in sorted(items, key=lambda each: sort_key(each.name))
    ]
    line = f"from {module} import {', '.join(names)}"
    if len(line) <= 79:
        return line
    body = "".join(f"    {name},\n" for name in names)
    return f"from {module} import (\n{body})"


def section(module: str) -> int:
    """Return where an import is sorted: standard library, others, ours."""
    root = module.partition(".")[0]
    if root == "bertbook":
        return 2
    return 0 if root in sys.stdlib_module_names else 1


def render(items: Iterable[Import]) -> str:
    """Return import statements, sorted and grouped as ruff wants them."""
    unique = set(items)
    groups = []
    for number in range(3):
        here = [each for each in unique if section(each.module) == number]
        lines = [
            f"import {each.module}"
            + (f" as {each.alias}" if each.alias else "")
            for each in sorted(here)
            if not each.name
        ]
        for module in sorted({each.module for each in here if each.name}):
            chosen = [e for e in here if e.module == module and e.name]
            lines.append(statement(module, chosen))
        if lines:
            groups.append("\n".join(lines))
    return "\n\n".join(groups)
