"""Cut docstrings to what a chapter shows: first line and sources."""

import ast
import inspect
import re

Documented = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def source_lines(docstring: str) -> list[str]:
    r"""Return the `Source:` lines of a docstring, with their wrapped rest.

    >>> source_lines("Add.\n\nArgs:\n    x: one.\n\nSource: A, eq. 1")
    ['Source: A, eq. 1']
    """
    kept, inside = [], False
    for line in inspect.cleandoc(docstring).splitlines():
        inside = line.startswith(("Source:", "Sources:")) or (
            inside and bool(line.strip()) and not re.match(r"\w+:", line)
        )
        if inside:
            kept.append(line)
    return kept


def short_docstring(docstring: str, indent: str, prefix: str) -> list[str]:
    """Return the lines that stand in place of a docstring."""
    first, *rest = inspect.cleandoc(docstring).splitlines()
    sources = source_lines("\n".join(rest))
    if not sources:
        return [f'{indent}{prefix}"""{first}"""']
    return [
        f'{indent}{prefix}"""{first}',
        "",
        *(f"{indent}{line}".rstrip() for line in sources),
        f'{indent}"""',
    ]


def documentation(node: ast.AST) -> tuple[ast.Expr, str] | None:
    """Return the statement that is a definition's docstring, and its text."""
    if not isinstance(node, Documented | ast.Module) or not node.body:
        return None
    first = node.body[0]
    if not isinstance(first, ast.Expr):
        return None
    value = first.value
    if isinstance(value, ast.Constant) and isinstance(value.value, str):
        return first, value.value
    return None


def without_docstrings(tree: ast.Module) -> ast.Module:
    """Return the tree with every docstring taken out, for hashing."""
    for node in ast.walk(tree):
        if isinstance(node, Documented | ast.Module) and documentation(node):
            node.body = node.body[1:] or [ast.Pass()]
    return tree


def trim(lines: list[str], node: ast.stmt) -> list[str]:
    """Return a definition's lines with its docstrings cut.

    Args:
        lines: the lines of the whole module.
        node: the definition, parsed from these lines.
    """
    decorators = getattr(node, "decorator_list", [])
    start = min([node.lineno, *(each.lineno for each in decorators)])
    assert node.end_lineno is not None
    result = lines[start - 1 : node.end_lineno]
    found = [text for each in ast.walk(node) if (text := documentation(each))]
    for place, value in sorted(found, key=lambda each: -each[0].lineno):
        end = place.end_lineno or place.lineno
        if end == place.lineno:
            continue
        head = lines[place.lineno - 1]
        indent = head[: len(head) - len(head.lstrip())]
        prefix = head.strip()[0] if head.strip()[0] in "rR" else ""
        if not prefix:
            value = value.replace("\\", "\\\\")
        cut = slice(place.lineno - start, end - start + 1)
        result[cut] = short_docstring(value, indent, prefix)
    return result
