"""The marker task: its strings, its readers, and what they can know."""

import pytest
import torch

from bertbook.lookback import (
    CONFIG,
    MARKER,
    NUM_SYMBOLS,
    SCHEMES,
    STEPS_BACK,
    MarkerReader,
    fill_far_buckets,
    marked_strings,
    right_answers,
    train_reader,
)
from bertbook.positions import RelativeBias

each_scheme = pytest.mark.parametrize("scheme", list(SCHEMES))


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("length", [STEPS_BACK + 1, 7, 13, 37])
def test_the_answer_stands_three_places_before_the_marker(length):
    strings = marked_strings(50, length, generator())
    assert strings.token_ids.shape == (50, length)
    for ids, place, answer in zip(*strings, strict=True):
        assert (ids == MARKER).nonzero().flatten().tolist() == [place]
        assert ids[place - STEPS_BACK] == answer
        assert 0 <= answer < NUM_SYMBOLS


def test_every_place_with_an_answer_is_drawn():
    places = marked_strings(500, 7, generator()).places
    assert places.unique().tolist() == [3, 4, 5, 6]


def test_a_string_without_room_is_refused():
    with pytest.raises(ValueError, match="length is 3"):
        marked_strings(2, 3, generator())


def test_an_unknown_scheme_is_refused():
    with pytest.raises(ValueError, match="no scheme 'cosine'"):
        MarkerReader("cosine")


@each_scheme
def test_every_parameter_gets_gradient(scheme):
    torch.manual_seed(0)
    model = MarkerReader(scheme)
    strings = marked_strings(13, CONFIG.max_len, generator())
    model(strings.token_ids, strings.places).square().sum().backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        if "key.bias" not in name:  # it moves all scores of a row alike
            assert parameter.grad.abs().sum() > 0, name


@each_scheme
def test_only_a_reader_with_positions_sees_an_order(scheme):
    torch.manual_seed(0)
    model = MarkerReader(scheme).eval()
    ids = torch.tensor([[0, 1, 2, 3, MARKER]])
    place = torch.tensor([4])
    with torch.no_grad():
        straight = model(ids, place)
        swapped = model(ids[:, [1, 0, 3, 2, 4]], place)
    same = torch.allclose(straight, swapped, atol=1e-5)
    assert same == (scheme == "none")


def test_training_teaches_and_repeats():
    losses = []
    for _ in range(2):
        torch.manual_seed(0)
        model = MarkerReader("rotary")
        losses.append(train_reader(model, 60, generator(), learning_rate=3e-3))
    assert losses[0] == losses[1]
    assert losses[0][-1] < 0.5 < 1.8 < losses[0][0]
    strings = marked_strings(200, 10, generator(1))
    right = right_answers(model, strings)
    assert set(right.tolist()) <= {0.0, 1.0}
    assert right.mean() > 0.9


def test_far_buckets_are_filled_and_near_ones_stay():
    torch.manual_seed(0)
    bias = RelativeBias(3)
    before = bias(40, 40).detach().clone()
    fill_far_buckets(bias, 15)
    after = bias(40, 40).detach()
    distance = (torch.arange(40)[None] - torch.arange(40)[:, None]).abs()
    near = distance <= 15
    assert torch.equal(before[:, near], after[:, near])
    for corner, known in (((0, 39), (0, 15)), ((39, 0), (15, 0))):
        assert torch.equal(after[:, *corner], before[:, *known])
