"""Position vectors by hand, and the properties each scheme promises."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers.models.roformer.modeling_roformer import (
    RoFormerSelfAttention,
    RoFormerSinusoidalPositionalEmbedding,
)
from transformers.models.t5.modeling_t5 import T5Attention

from bertbook.positions import (
    LearnedPositions,
    RelativeBias,
    RotaryPositions,
    SinusoidalPositions,
    sinusoidal_positions,
)

I_AM_A_ROBOT = torch.tensor(
    [
        [0.0, 1.0, 0.0, 1.0],
        [0.84147098, 0.54030231, 0.09983342, 0.99500417],
        [0.90929743, -0.41614684, 0.19866933, 0.98006658],
        [0.14112001, -0.9899925, 0.29552021, 0.95533649],
    ]
)


def test_the_four_by_four_matrix():
    table = sinusoidal_positions(4, 4, base=100.0)
    torch.testing.assert_close(table, I_AM_A_ROBOT, rtol=0, atol=1e-7)


@given(
    length=st.integers(1, 40), half=st.integers(1, 9), base=st.floats(2, 1e5)
)
def test_every_entry_is_its_formula(length, half, base):
    table = sinusoidal_positions(length, 2 * half, base)
    k, i = length - 1, half - 1
    angle = k / base ** (2 * i / (2 * half))
    assert table[k, 2 * i].item() == pytest.approx(math.sin(angle), abs=1e-6)
    assert table[k, 2 * i + 1].item() == pytest.approx(
        math.cos(angle), abs=1e-6
    )


def test_norms_and_neighbor_distances_are_equal():
    table = sinusoidal_positions(37, 26, base=100.0)
    norms = table.square().sum(-1)
    torch.testing.assert_close(norms, torch.full((37,), 13.0))
    steps = table.diff(dim=0).norm(dim=-1)
    torch.testing.assert_close(steps, steps[:1].expand(36))


@pytest.mark.parametrize(
    ("arguments", "named"),
    [((4, 7), "7"), ((4, 0), "0"), ((-1, 4), "-1"), ((4, 4, 1.0), "1.0")],
)
def test_impossible_tables_are_refused(arguments, named):
    with pytest.raises(ValueError, match=named):
        sinusoidal_positions(*arguments)


def test_the_sinusoid_has_no_longest_input():
    add = SinusoidalPositions(6)
    x = torch.zeros(1, 700, 6)
    torch.testing.assert_close(add(x)[0], sinusoidal_positions(700, 6))
    torch.testing.assert_close(add(x[:, :3], start=690), add(x)[:, 690:693])
    assert not list(add.parameters())


def test_a_learned_table_ends():
    add = LearnedPositions(13, 4)
    x = torch.zeros(2, 13, 4)
    torch.testing.assert_close(add(x)[1], add.table.weight)
    with pytest.raises(ValueError, match="position 13, the table ends at 12"):
        add(torch.zeros(1, 14, 4))
    with pytest.raises(ValueError, match="ends at 12"):
        add(torch.zeros(1, 1, 4), start=13)
    with pytest.raises(ValueError, match="max_len is 0"):
        LearnedPositions(0, 4)


def test_relative_buckets_equal_t5s():
    distance = torch.arange(-300, 301)
    ours = RelativeBias(3).bucket(distance)
    theirs = T5Attention._relative_position_bucket(distance)
    assert torch.equal(ours, theirs)


def test_a_relative_bias_knows_distances_only():
    bias = RelativeBias(3)(13, 13)
    for shift in range(-12, 13):
        diagonal = bias.diagonal(shift, dim1=1, dim2=2)
        torch.testing.assert_close(
            diagonal, diagonal[:, :1].expand_as(diagonal)
        )
    assert bias[:, 0, 1].ne(bias[:, 1, 0]).all()
    part = RelativeBias(3)
    torch.testing.assert_close(part(2, 13, start=5), part(13, 13)[:, 5:7])


@pytest.mark.parametrize("arguments", [(3, 6), (3, 32, 8)])
def test_impossible_buckets_are_refused(arguments):
    with pytest.raises(ValueError, match=str(arguments[-1])):
        RelativeBias(*arguments)


def test_rotation_equals_roformers():
    torch.manual_seed(0)
    x = torch.randn(2, 3, 7, 8)
    table = RoFormerSinusoidalPositionalEmbedding(16, 8)
    table.weight.data.copy_(table.create_weight())
    angles = table(x.shape[:1] + x.shape[2:3])[None, None]
    theirs, _ = RoFormerSelfAttention.apply_rotary_position_embeddings(
        angles, x, x
    )
    torch.testing.assert_close(RotaryPositions(8)(x), theirs)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("start", [0, 13])
def test_rotated_scores_know_distances_only(dtype, start):
    torch.manual_seed(0)
    query, key = torch.randn(2, 1, 8, dtype=dtype).expand(2, 37, 8)
    turn = RotaryPositions(8)
    scores = turn(query, start) @ turn(key, start).T
    for shift in (-5, 0, 1, 30):
        diagonal = scores.diagonal(shift)
        torch.testing.assert_close(diagonal, diagonal[:1].expand_as(diagonal))
    torch.testing.assert_close(
        turn(query, start).norm(dim=-1), query.norm(dim=-1)
    )
