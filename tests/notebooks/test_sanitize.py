"""The sanitizer masks measured numbers, and nothing else."""

import re
from pathlib import Path

import pytest
from nbval.plugin import get_sanitize_patterns

FILE = Path(__file__).with_name("sanitize.cfg")


def sanitized(text):
    for pattern, replacement in get_sanitize_patterns(FILE.read_text("utf-8")):
        text = re.sub(pattern, replacement, text)
    return text


@pytest.mark.parametrize(
    "number",
    ["0.943", "-0.5", "+12", "−3.25", "1e-9", "2.5E+10", "7", "1,234.5", ".5"],
)
def test_a_number_after_the_sign_is_masked(number):
    text = f"loss: ≈ {number} (expected 0.90 to 0.98)"

    assert sanitized(text) == "loss: ≈ NUMBER (expected 0.90 to 0.98)"


@pytest.mark.parametrize(
    "text",
    [
        "≈ inf",
        "≈ nan",
        "≈ -inf",
        "0.943",
        "≈0.943",
        "≈  0.943",
        "= 0.943 ≈",
        "≈ seven",
        "≈ tensor(0.9)",
        "~ 0.943",
    ],
)
def test_everything_else_is_compared(text):
    assert sanitized(text) == text


def test_only_the_first_number_after_each_sign_is_masked():
    text = "≈ 0.5 ± 0.1, 3 of ≈ 5%; 1.0"

    assert sanitized(text) == "≈ NUMBER ± 0.1, 3 of ≈ NUMBER%; 1.0"


def test_a_sentence_goes_on_after_its_number():
    assert sanitized("≈ 3, and ≈ 4. End") == "≈ NUMBER, and ≈ NUMBER. End"


def test_the_file_holds_one_plain_pattern():
    text = FILE.read_bytes().split(b"\n\n", 1)[1]

    assert len(get_sanitize_patterns(text.decode())) == 1
    assert text.isascii()
