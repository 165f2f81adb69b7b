"""Make wrong answers out of a right one, one small change at a time.

`mutants_of` takes the source of a solution and the lines that a learner has
to write. Every mutant differs from it in one place: a sign, a dropped term
or division, an axis off by one, two swapped arguments, a flipped comparison.
A check that lets one pass accepts a wrong answer.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import TypeVar

BINARY_SWAPS = {
    ast.Add: [ast.Sub],
    ast.Sub: [ast.Add],
    ast.Mult: [ast.Div],
    ast.Div: [ast.Mult],
    ast.MatMult: [ast.Mult],
    ast.FloorDiv: [ast.Div],
}
DROPS_LEFT = (ast.Add, ast.Sub, ast.Mult)
COMPARISONS = {
    ast.Lt: [ast.LtE, ast.Gt],
    ast.LtE: [ast.Lt, ast.GtE],
    ast.Gt: [ast.GtE, ast.Lt],
    ast.GtE: [ast.Gt, ast.LtE],
    ast.Eq: [ast.NotEq],
    ast.NotEq: [ast.Eq],
    ast.In: [ast.NotIn],
    ast.NotIn: [ast.In],
    ast.Is: [ast.IsNot],
    ast.IsNot: [ast.Is],
}
TRANSPOSING = {"transpose", "permute", "swapaxes", "t", "flip", "unsqueeze"}


@dataclass(frozen=True, kw_only=True)
class Mutant:
    """A changed source and what was changed, as `before → after`."""

    label: str
    source: str


def mutants_of(source: str, lines: Collection[int]) -> list[Mutant]:
    """Return every one-place change of `source` on the given lines.

    Args:
        source: Python code that parses.
        lines: 1-based line numbers that may change.
    """
    tree = ast.parse(source)
    original = ast.unparse(tree)
    seen = {original}
    labels: dict[str, int] = {}
    mutants = []
    for node, put in _slots(tree):
        if _line(node) not in lines:
            continue
        for changed in _changes(node):
            put(changed)
            text = ast.unparse(ast.fix_missing_locations(tree))
            put(node)
            if text in seen or not _parses(text):
                continue
            seen.add(text)
            label = f"{_short(node)} → {_short(changed)}"
            labels[label] = labels.get(label, 0) + 1
            if labels[label] > 1:
                label += f" ({labels[label]})"
            mutants.append(Mutant(label=label, source=text))
    return mutants


Item = TypeVar("Item")


def sample(items: list[Item], count: int) -> list[Item]:
    """Return `count` items at even distances, the same ones every time."""
    if count >= len(items):
        return items
    return [items[i * len(items) // count] for i in range(count)]


def _line(node: ast.AST) -> int:
    if isinstance(node, ast.comprehension):
        return node.target.lineno
    return getattr(node, "lineno", 0)


def _parses(text: str) -> bool:
    try:
        ast.parse(text)
    except SyntaxError:
        return False
    return True


def _short(node: ast.AST) -> str:
    return " ".join(ast.unparse(node).split())


def _slots(
    parent: ast.AST,
) -> Iterator[tuple[ast.AST, Callable[[ast.AST], None]]]:
    """Yield each node below `parent` with a function that replaces it."""
    for field, value in list(ast.iter_fields(parent)):
        if field in ("annotation", "returns", "decorator_list"):
            continue
        if isinstance(value, ast.AST):
            yield from _slot(value, _setter(parent, field))
        elif isinstance(value, list):
            for index, item in enumerate(value):
                if isinstance(item, ast.AST):
                    yield from _slot(item, _item_setter(value, index))


def _slot(
    node: ast.AST, put: Callable[[ast.AST], None]
) -> Iterator[tuple[ast.AST, Callable[[ast.AST], None]]]:
    if isinstance(node, ast.Raise | ast.JoinedStr):
        return  # the wording of a message is not the answer
    yield node, put
    if not isinstance(node, ast.UnaryOp) or _integer(node) is None:
        yield from _slots(node)


def _setter(parent: ast.AST, field: str) -> Callable[[ast.AST], None]:
    return lambda node: setattr(parent, field, node)


def _item_setter(values: list, index: int) -> Callable[[ast.AST], None]:
    return lambda node: values.__setitem__(index, node)


def _integer(node: ast.AST) -> int | None:
    """Return the value of an integer literal, or None."""
    if isinstance(node, ast.Constant) and type(node.value) is int:
        return node.value
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        value = _integer(node.operand)
        return None if value is None else -value
    return None


def _changes(node: ast.AST) -> Iterator[ast.AST]:
    number = _integer(node)
    if number is not None:
        yield ast.parse(str(number + 1), mode="eval").body
        yield ast.parse(str(number - 1), mode="eval").body
        return
    for kind, change in CHANGES.items():
        if isinstance(node, kind):
            yield from change(node)


def _constant(node: ast.Constant) -> Iterator[ast.AST]:
    if isinstance(node.value, bool):
        yield ast.Constant(value=not node.value)
    elif isinstance(node.value, str) and "->" in node.value:
        head, result = node.value.split("->")
        if len(result) > 1:  # einsum: the last two axes change places
            swapped = result[:-2] + result[-1] + result[-2]
            yield ast.Constant(value=f"{head}->{swapped}")


def _unary(node: ast.UnaryOp) -> Iterator[ast.AST]:
    yield node.operand


def _binary(node: ast.BinOp) -> Iterator[ast.AST]:
    for operator in BINARY_SWAPS.get(type(node.op), []):
        yield ast.BinOp(left=node.left, op=operator(), right=node.right)
    yield node.left
    if isinstance(node.op, DROPS_LEFT):
        yield node.right
    if isinstance(node.op, ast.MatMult | ast.Sub | ast.Div | ast.Pow):
        yield ast.BinOp(left=node.right, op=node.op, right=node.left)


def _augmented(node: ast.AugAssign) -> Iterator[ast.AST]:
    for operator in BINARY_SWAPS.get(type(node.op), []):
        yield ast.AugAssign(
            target=node.target, op=operator(), value=node.value
        )
    yield ast.Assign(targets=[node.target], value=node.value, lineno=0)
    yield ast.Pass()


def _statement(node: ast.Expr) -> Iterator[ast.AST]:
    if isinstance(node.value, ast.Call):
        yield ast.Pass()


def _compare(node: ast.Compare) -> Iterator[ast.AST]:
    for index, old in enumerate(node.ops):
        for operator in COMPARISONS[type(old)]:
            ops = [*node.ops[:index], operator(), *node.ops[index + 1 :]]
            yield ast.Compare(node.left, ops, node.comparators)


def _boolean(node: ast.BoolOp) -> Iterator[ast.AST]:
    other = ast.Or() if isinstance(node.op, ast.And) else ast.And()
    yield ast.BoolOp(op=other, values=node.values)
    yield from node.values


def _call(node: ast.Call) -> Iterator[ast.AST]:
    args = node.args
    for index in range(len(args) - 1):
        swapped = [*args]
        swapped[index : index + 2] = [args[index + 1], args[index]]
        yield ast.Call(node.func, swapped, node.keywords)
    for index in range(len(node.keywords)):
        kept = [*node.keywords[:index], *node.keywords[index + 1 :]]
        yield ast.Call(node.func, args, kept)
    yield from _dropped_call(node)
    if isinstance(node.func, ast.Name) and node.func.id == "range":
        shorter = ast.BinOp(args[-1], ast.Sub(), ast.Constant(value=1))
        yield ast.Call(node.func, [*args[:-1], shorter], node.keywords)


def _dropped_call(node: ast.Call) -> Iterator[ast.AST]:
    """Leave `f` out of `f(x)`, and a transposition out of `x.t()`."""
    if isinstance(node.func, ast.Attribute) and (
        node.func.attr in TRANSPOSING or not node.args
    ):
        yield node.func.value
    elif len(node.args) == 1 and not isinstance(node.args[0], ast.Starred):
        yield node.args[0]


def _attribute(node: ast.Attribute) -> Iterator[ast.AST]:
    if node.attr in ("T", "mT"):
        yield node.value


def _slice(node: ast.Slice) -> Iterator[ast.AST]:
    """Leave out a bound, or move one that is not a literal by one."""
    for name in ("lower", "upper"):
        bound = getattr(node, name)
        if bound is None:
            continue
        yield _with_bound(node, name, None)
        if _integer(bound) is None:
            less = ast.BinOp(bound, ast.Sub(), ast.Constant(value=1))
            yield _with_bound(node, name, less)


def _with_bound(
    node: ast.Slice, name: str, bound: ast.expr | None
) -> ast.Slice:
    changed = ast.Slice(node.lower, node.upper, node.step)
    setattr(changed, name, bound)
    return changed


def _elements(node: ast.List | ast.Set) -> Iterator[ast.AST]:
    if len(node.elts) < 2 or isinstance(getattr(node, "ctx", None), ast.Store):
        return
    for index in range(len(node.elts)):
        kept = [*node.elts[:index], *node.elts[index + 1 :]]
        yield type(node)(elts=kept)


def _entries(node: ast.Dict) -> Iterator[ast.AST]:
    for i in range(len(node.keys)):
        yield ast.Dict(
            keys=[*node.keys[:i], *node.keys[i + 1 :]],
            values=[*node.values[:i], *node.values[i + 1 :]],
        )


def _comprehension(node: ast.comprehension) -> Iterator[ast.AST]:
    if node.ifs:
        yield ast.comprehension(node.target, node.iter, [], node.is_async)


def _choice(node: ast.IfExp) -> Iterator[ast.AST]:
    yield ast.IfExp(node.test, node.orelse, node.body)


CHANGES: dict[type, Callable] = {
    ast.Constant: _constant,
    ast.UnaryOp: _unary,
    ast.BinOp: _binary,
    ast.AugAssign: _augmented,
    ast.Expr: _statement,
    ast.Compare: _compare,
    ast.BoolOp: _boolean,
    ast.Call: _call,
    ast.Attribute: _attribute,
    ast.Slice: _slice,
    ast.List: _elements,
    ast.Set: _elements,
    ast.Dict: _entries,
    ast.comprehension: _comprehension,
    ast.IfExp: _choice,
}
