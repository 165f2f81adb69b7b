"""Replace an import marked `# @show` by the definitions themselves."""

import ast
import re

from tools.notebooks.library import Library, Module, NoDefinition
from tools.notebooks.scope import Import, Scope, imports_of, render
from tools.notebooks.sources import Cell, Source

MARK = re.compile(r"#\s*@show\b.*$")


def marked_lines(lines: list[str]) -> tuple[int, int] | None:
    """Return the first and last line of the marked import, from 0.

    Raises:
        ValueError: the mark stands twice or not on an import.
    """
    marks = [i for i, line in enumerate(lines) if MARK.search(line)]
    if not marks:
        return None
    if len(marks) > 1:
        raise ValueError("two `# @show` in one cell: give each its own cell")
    start = marks[0]
    for end in range(start, len(lines)):
        try:
            ast.parse("\n".join(lines[start : end + 1]))
        except SyntaxError:
            continue
        return start, end
    raise ValueError("`# @show` does not stand on an import statement")


def asked_names(statement: str) -> tuple[str, list[str]]:
    """Return the module and the names of a marked import.

    Raises:
        ValueError: it is no plain `from bertbook.module import name`.
    """
    body = ast.parse(statement).body
    found = imports_of(body[0]) if len(body) == 1 else []
    names = [each.name for each in found]
    ours = all(each.module.startswith("bertbook.") for each in found)
    if not found or not ours or any(e.alias or not e.name for e in found):
        raise ValueError(
            "`# @show` needs `from bertbook.module import name, …` "
            "without `as`"
        )
    return found[0].module, names


def shown_code(module: Module, names: list[str], scope: Scope) -> str:
    """Return the definitions, and above them the imports they need."""
    ordered = sorted(set(names), key=module.place)
    parts = [module.code(name) for name in ordered]
    own = {Import(module.name, name) for name in ordered}
    needed = {each for part in parts for each in module.needs(part)} - own
    missing = [each for each in needed if not scope.knows(each)]
    for each in [*missing, *own]:
        scope.bind(each)
    return "\n\n\n".join(part for part in [render(missing), *parts] if part)


def expand(source: Source, cell: Cell, library: Library, scope: Scope) -> Cell:
    """Return a code cell with its marked import replaced.

    Raises:
        SourceError: the mark is misplaced, or the library defines no
            such name.
    """
    lines = cell.text.splitlines()
    try:
        place = marked_lines(lines)
        if place is None:
            scope.read(cell.text)
            return cell
        start, end = place
        name, names = asked_names("\n".join(lines[start : end + 1]))
        scope.read("\n".join(lines[:start]))
        code = shown_code(library.module(name), names, scope)
    except (ValueError, NoDefinition) as problem:
        raise source.error(cell, str(problem), near="@show") from None
    scope.read("\n".join(lines[end + 1 :]))
    before, after = ("\n".join(lines[:start]), "\n".join(lines[end + 1 :]))
    parts = [before.rstrip(), code, after.strip("\n")]
    text = "\n\n\n".join(part for part in parts if part)
    return cell.with_text(text, tuple(names))
