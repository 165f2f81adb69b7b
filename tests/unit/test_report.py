"""Three verdicts, one line each, and a score."""

import pytest

from bertbook.checks.report import Wrong, exercise, score_of


@exercise("99.1", "Double a number")
def double(answer):
    if answer(3) != 6:
        raise Wrong("At 3 the result is off.")


@exercise("99.2", "Halve a number")
def halve(answer):
    if answer(3) != 1.5:
        raise Wrong("At 3 the result is off.")


def unwritten(number):
    raise NotImplementedError


def broken(number):
    return number / 0


@pytest.mark.parametrize(
    ("answer", "status", "line"),
    [
        (lambda n: 2 * n, "passed", "✓ 99.1 Double a number: passed"),
        (lambda n: n, "wrong", "✗ 99.1 Double a number: wrong. At 3 the"),
        (unwritten, "not attempted", "– 99.1 Double a number: not attempted"),
        (broken, "wrong", "raised ZeroDivisionError: division by zero"),
    ],
)
def test_each_verdict_is_one_line(capsys, answer, status, line):
    assert double(answer).status == status
    out = capsys.readouterr().out
    assert line in out
    assert out.count("\n") == 1


def test_the_score_counts_the_last_verdict_of_each_exercise(capsys):
    score = score_of(__name__)
    double(lambda n: 2 * n)
    halve(lambda n: n)
    score()
    assert capsys.readouterr().out.endswith("\n1 of 2 passed\n")
    halve(lambda n: n / 2)
    score()
    assert capsys.readouterr().out.endswith("\n2 of 2 passed\n")
