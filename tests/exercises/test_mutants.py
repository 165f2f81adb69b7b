"""The changes the gates make are the mistakes a learner makes."""

import ast

import pytest
from mutants import mutants_of, sample


def changed(code: str) -> set[str]:
    lines = range(1, code.count("\n") + 2)
    return {mutant.source for mutant in mutants_of(code, lines)}


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("x = a + b", {"x = a - b", "x = a", "x = b"}),
        ("x = -a", {"x = a"}),
        ("x = a / b", {"x = a * b", "x = a", "x = b / a"}),
        ("x = a @ b", {"x = a * b", "x = a", "x = b @ a"}),
        ("x = y.sum(dim=-1)", {"x = y.sum(dim=0)", "x = y.sum(dim=-2)"}),
        ("x = y.transpose(0, 1)", {"x = y", "x = y.transpose(1, 0)"}),
        ("x = y.T", {"x = y"}),
        ("x = sqrt(d)", {"x = d"}),
        ("x = f(a, b)", {"x = f(b, a)"}),
        ("x = f(a, seed=b)", {"x = f(a)"}),
        ("x = a < b", {"x = a <= b", "x = a > b"}),
        ("x = a and b", {"x = a or b", "x = a", "x = b"}),
        ("x = range(n)", {"x = range(n - 1)"}),
        ("x = y[:n]", {"x = y[:]", "x = y[:n - 1]"}),
        ("x = True", {"x = False"}),
        ("x = 'ij,jk->ik'", {"x = 'ij,jk->ki'"}),
        ("x += a", {"x -= a", "x = a", "pass"}),
        ("seed(a)", {"pass"}),
        ("x = {'a', 'b'}", {"x = {'a'}", "x = {'b'}"}),
        ("x = [y for y in z if y]", {"x = [y for y in z]"}),
        ("x = a if b else c", {"x = c if b else a"}),
    ],
)
def test_a_piece_of_code_is_changed(code: str, expected: set[str]) -> None:
    assert expected <= changed(code)


def test_only_the_given_lines_change() -> None:
    code = "a = 1 + b\nc = 2 + d\n"
    for mutant in mutants_of(code, {2}):
        assert mutant.source.splitlines()[0] == "a = 1 + b"


def test_each_mutant_is_new_and_parses() -> None:
    code = "def f(x, d):\n    return (x @ x.T / d ** 0.5).softmax(-1)\n"
    mutants = mutants_of(code, {2})
    sources = [mutant.source for mutant in mutants]
    assert len(set(sources)) == len(sources) > 8
    assert ast.unparse(ast.parse(code)) not in sources
    assert len({mutant.label for mutant in mutants}) == len(mutants)
    for source in sources:
        ast.parse(source)


def test_messages_and_annotations_stay() -> None:
    code = (
        "def f(x: Float[Tensor, 'a'] = y) -> int:\n"
        "    raise ValueError(f'{x + 1}')\n"
    )
    assert changed(code) == set()


def test_the_sample_is_the_same_every_time() -> None:
    mutants = mutants_of("x = a + b * c - d / e", {1})
    assert len(sample(mutants, 4)) == 4
    assert sample(mutants, 4) == sample(mutants, 4)
    assert sample(mutants, 100) == mutants
