"""The sorter of chapter 06, and blocks with a part missing."""

from dataclasses import replace

import pytest
import torch

from bertbook.ablation import (
    PARTS,
    TOY,
    Sorter,
    draw_digits,
    sorting_loss,
    train_sorter,
)
from bertbook.runtime import device

SMALL = replace(TOY, d_model=12, num_heads=2, d_ff=20, num_layers=2)


def sorter(part):
    torch.manual_seed(0)
    return Sorter(SMALL, PARTS[part]).to(device)


def digits(seed=0, length=7):
    return draw_digits(5, length, torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("part", PARTS)
def test_every_parameter_gets_a_gradient(part):
    model = sorter(part)
    sorting_loss(model, digits()).backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name


@pytest.mark.parametrize("part", PARTS)
def test_what_is_missing_is_missing(part):
    x = torch.randn(2, 7, 12).to(device)
    with torch.no_grad():
        whole, other = sorter("whole block"), sorter(part)
        gap = (whole.blocks[0](x) - other.blocks[0](x)).abs().max()
    assert (gap == 0) == (part == "whole block")


def test_without_add_and_norm_a_block_is_its_sublayers():
    block = sorter("without both").blocks[0]
    x = torch.randn(2, 7, 12).to(device)
    expected = block.feed_forward(block.attention(x)[0])
    torch.testing.assert_close(block(x), expected)


def test_without_norm_sums_stay_sums():
    block = sorter("without Norm").blocks[0]
    x = torch.randn(2, 7, 12).to(device)
    middle = x + block.attention(x)[0]
    expected = middle + block.feed_forward(middle)
    torch.testing.assert_close(block(x), expected)


def test_without_relu_the_network_is_linear():
    network = sorter("without ReLU").blocks[0].feed_forward
    x, y = torch.randn(2, 3, 12).to(device)
    bent = network(x + y) + network(torch.zeros_like(x))
    torch.testing.assert_close(bent, network(x) + network(y))


def test_only_norm_first_ends_in_a_norm_of_its_own():
    def norms(part):
        modules = sorter(part).modules()
        return sum(isinstance(m, torch.nn.LayerNorm) for m in modules)

    assert norms("whole block") == 4
    assert norms("norm first") == 5
    assert norms("without Norm") == 0


def test_the_loss_of_a_known_answer():
    model = sorter("whole block")
    with torch.no_grad():
        model.to_digits.weight.zero_()
        model.to_digits.bias.zero_()
    loss = sorting_loss(model, digits())
    torch.testing.assert_close(loss.item(), torch.tensor(10.0).log().item())


def test_training_lowers_the_loss_and_repeats():
    runs = []
    for _ in range(2):
        model, seen = sorter("whole block"), []
        losses = train_sorter(
            model,
            num_steps=60,
            learning_rate=3e-3,
            batch_size=16,
            generator=torch.Generator().manual_seed(1),
            after_step=seen.append,
        )
        assert seen == list(range(1, 61))
        runs.append(losses)
    assert runs[0] == pytest.approx(runs[1], rel=1e-4)
    assert runs[0][-1] < runs[0][0] - 0.15


def test_few_strings_are_the_only_ones_seen():
    model, seen = sorter("whole block"), []
    model.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    few = digits(length=10)
    train_sorter(
        model,
        num_steps=3,
        batch_size=8,
        generator=torch.Generator().manual_seed(1),
        strings=few,
    )
    allowed = {tuple(row) for row in few.tolist()}
    assert {tuple(row) for batch in seen for row in batch.tolist()} <= allowed
