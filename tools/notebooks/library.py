"""Read `bertbook`'s modules as text, without importing them."""

import ast
import builtins
import difflib
import hashlib
import symtable
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from tools.notebooks.scope import Import, defined_by, imports_of
from tools.notebooks.trim import trim, without_docstrings


class NoDefinition(LookupError):
    """A name that a module does not define."""


def statements(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Yield a module's statements, also those under `if` and `try`."""
    for node in body:
        if isinstance(node, ast.If | ast.Try):
            yield from statements(node.body)
        else:
            yield node


def used_names(code: str) -> set[str]:
    r"""Return the global names that a definition's code refers to.

    >>> sorted(used_names("def f(x: Tensor):\n    y = x\n    return g(y)"))
    ['Tensor', 'g']
    """
    names: set[str] = set()
    top = symtable.symtable(code, "<shown>", "exec")
    own = {each.get_name() for each in top.get_symbols() if each.is_assigned()}
    tables = [top]
    while tables:
        table = tables.pop()
        tables += table.get_children()
        for each in table.get_symbols():
            if each.is_global() or (table is top and each.is_referenced()):
                names.add(each.get_name())
    return names - own - set(dir(builtins))


@dataclass(frozen=True)
class Module:
    """One module of the library.

    Args:
        name: its dotted name.
        path: its file.
    """

    name: str
    path: Path

    @cached_property
    def text(self) -> str:
        """Return the file's text."""
        return self.path.read_text("utf-8")

    @cached_property
    def tree(self) -> ast.Module:
        """Return the parsed file."""
        return ast.parse(self.text)

    @cached_property
    def imports(self) -> list[Import]:
        """Return what the module imports at its top level."""
        return [i for s in statements(self.tree.body) for i in imports_of(s)]

    @cached_property
    def definitions(self) -> dict[str, list[ast.stmt]]:
        """Return each defined name with the statements that define it."""
        found: dict[str, list[ast.stmt]] = {}
        for node in statements(self.tree.body):
            if not imports_of(node):
                for name in defined_by(node):
                    found.setdefault(name, []).append(node)
        return found

    def place(self, name: str) -> int:
        """Return the line where a name is defined.

        Raises:
            NoDefinition: the module does not define it.
        """
        if name in self.definitions:
            return self.definitions[name][0].lineno
        for each in self.imports:
            if each.bound == name:
                raise NoDefinition(
                    f"{self.name} only imports {name}: show it from "
                    f"{each.module}"
                )
        close = difflib.get_close_matches(name, self.definitions, n=1)
        hint = f"; did you mean {close[0]}?" if close else ""
        raise NoDefinition(f"{self.name} defines no {name}{hint}")

    def code(self, name: str) -> str:
        """Return a definition as a chapter shows it."""
        lines = self.text.splitlines()
        parts = [trim(lines, node) for node in self.definitions[name]]
        return "\n\n\n".join("\n".join(part) for part in parts)

    def needs(self, code: str) -> list[Import]:
        """Return the imports with which a definition's code can run."""
        used = used_names(code)
        own = [Import(self.name, name) for name in used & {*self.definitions}]
        return own + [each for each in self.imports if each.bound in used]


@dataclass(frozen=True)
class Library:
    """The package, found by the folder that holds it."""

    root: Path

    def module(self, name: str) -> Module:
        """Return a module by its dotted name.

        Raises:
            NoDefinition: there is no such file.
        """
        base = self.root.joinpath(*name.split("."))
        for path in (base.with_suffix(".py"), base / "__init__.py"):
            if path.is_file():
                return Module(name, path)
        raise NoDefinition(f"there is no module {name}")

    def reached_from(self, imports: list[Import]) -> dict[str, Module]:
        """Return every module that these imports load, by name."""
        found: dict[str, Module] = {}
        waiting = list(imports)
        while waiting:
            item = waiting.pop()
            for name in {item.module, item.origin}:
                if name.partition(".")[0] != "bertbook" or name in found:
                    continue
                try:
                    found[name] = self.module(name)
                except NoDefinition:
                    continue  # a name inside a module
                waiting += found[name].imports
        return found

    def fingerprint(self, imports: list[Import]) -> str:
        """Return a hash of the code behind imports, docstrings apart.

        A file beside a module with its stem (`attention_map.js`) counts.
        """
        digest = hashlib.sha256()
        for name, module in sorted(self.reached_from(imports).items()):
            code = ast.unparse(without_docstrings(ast.parse(module.text)))
            digest.update(f"{name}\n{code}\n".encode())
            beside = module.path.parent.glob(f"{module.path.stem}.*")
            for path in sorted(set(beside) - {module.path}):
                digest.update(path.read_bytes())
        return digest.hexdigest()
