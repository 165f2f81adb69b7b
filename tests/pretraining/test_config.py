"""Settings are checked before anything is computed."""

from pathlib import Path

import pytest

from bertbook.pretraining.config import PretrainingConfig, read_config
from bertbook.pretraining.plan import parameter_count, step_flops
from tests.pretraining import toy


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"model": "gpt"}, "'gpt': choose one of"),
        ({"masking": "all"}, "'all': choose one of"),
        ({"precision": "fp8"}, "'fp8'"),
        ({"steps": 0}, "steps is 0"),
        ({"rows": -1}, "rows is -1"),
        ({"learning_rate": 0.0}, "learning_rate is 0.0"),
        ({"learning_rate": float("nan")}, "learning_rate is nan"),
        ({"learning_rate": float("inf")}, "learning_rate is inf"),
        ({"decay": 1.5}, r"decay is 1\.5"),
        ({"beta2": 1.5}, r"beta2 is 1\.5"),
        ({"weight_decay": -1.0}, r"weight_decay is -1\.0"),
        ({"seed": -1}, "seed is -1"),
        ({"accumulate": 3}, "4 rows cannot be cut into 3"),
        ({"stages": "0:64"}, "64 tokens, and max_len is 32"),
        ({"stages": "0:33", "max_len": 64}, "33 tokens, and width is 32"),
        ({"stages": "5:16"}, "begins at step 5"),
        ({"stages": "0:16 9:8 9:16"}, "not in order"),
        ({"stages": "0:4"}, "sequences of 4"),
        ({"stages": "short first"}, "write STEP:LENGTH"),
        ({"num_heads": 3}, "3 heads do not divide"),
        ({"select_prob": 0.0}, "select_prob is 0"),
        ({"mask_prob": 0.95}, "add up to more than 1"),
    ],
)
def test_settings_that_cannot_be_are_refused(
    settings: dict, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        toy.changed(**settings)


def test_a_file_is_read_and_flags_go_before_it(tmp_path: Path) -> None:
    file = tmp_path / "run.toml"
    file.write_text('steps = 7\nlearning_rate = 1\nmodel = "rotary-bert"\n')
    config = read_config(file, {"steps": 9}, {"rows": 2, "steps": 1})
    assert (config.steps, config.rows) == (9, 2)
    assert config.learning_rate == 1.0
    assert config.model == "rotary-bert"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("stepz = 3", "'stepz', which is no setting: .*steps"),
        ('steps = "3"', "steps is '3', and must be of type int"),
        ("compile = 1", "compile is 1, and must be of type bool"),
        ("steps = ", "no readable TOML"),
    ],
)
def test_a_file_with_mistakes_is_refused(
    tmp_path: Path, text: str, message: str
) -> None:
    (tmp_path / "run.toml").write_text(text)
    with pytest.raises(ValueError, match=message):
        read_config(tmp_path / "run.toml", {})


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"none\.toml is no readable TOML"):
        read_config(tmp_path / "none.toml", {})


@pytest.mark.parametrize("name", ["book_bert", "book_bert_on"])
def test_the_book_s_own_settings_are_valid(name: str) -> None:
    root = Path(__file__).parents[2]
    config = read_config(root / "experiments" / f"{name}.toml", {})
    assert parameter_count(config) <= 8_000_000


def test_the_rate_rises_stays_and_falls() -> None:
    config = toy.changed(steps=100, warmup=10, decay=0.4)
    rates = [config.learning_rate_at(step) for step in range(100)]
    assert rates[:10] == sorted(rates[:10])
    assert set(rates[9:61]) == {0.01}
    assert rates[60:] == sorted(rates[60:], reverse=True)
    assert rates[-1] == pytest.approx(0.01 / 40)


def test_the_operations_are_those_counted_by_hand() -> None:
    config = PretrainingConfig(
        vocab_size=10, num_layers=1, d_model=2, num_heads=1, d_ff=3
    ).bert_config()
    # Per token 4 products of 2 by 2, and of 2 by 3 and back; scores and
    # mixture of 5 pairs; a transform and a guess among 10 words.
    forward = 2 * (7 * (4 * 4 + 2 * 6) + 2 * 5 * 2 + 1 * (4 + 20))
    assert step_flops(config, 7.0, 5.0, 1.0) == 3 * forward
