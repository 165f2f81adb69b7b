"""Each entry of book/facts.yml about chapter 01, shown by running it."""

import math
from itertools import pairwise

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

D_MODEL = 12
BATCH_SIZE = 3


@pytest.fixture
def generator():
    return torch.Generator().manual_seed(1)


def transformer():
    """Return a small encoder and decoder of PyTorch's, in eval mode."""
    torch.manual_seed(1)
    options = {"dim_feedforward": 24, "dropout": 0.0, "batch_first": True}
    layer = nn.TransformerEncoderLayer(D_MODEL, 3, **options)
    encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
    decoder = nn.TransformerDecoderLayer(D_MODEL, 3, **options)
    return encoder.eval(), decoder.eval()


@pytest.mark.parametrize("length", [1, 5, 13])
def test_f01_an_encoder_returns_a_vector_per_token(length, generator):
    encoder, _ = transformer()
    recurrent = nn.GRU(D_MODEL, D_MODEL, batch_first=True)
    inputs = torch.randn(BATCH_SIZE, length, D_MODEL, generator=generator)

    assert encoder(inputs).shape == (BATCH_SIZE, length, D_MODEL)
    _, last_state = recurrent(inputs)
    assert last_state.shape == (1, BATCH_SIZE, D_MODEL)


def test_f01(generator):
    """The decoder reads every encoder vector, and not only the last."""
    encoder, decoder = transformer()
    inputs = torch.randn(BATCH_SIZE, 7, D_MODEL, generator=generator)
    memory = encoder(inputs).detach().requires_grad_()
    start = torch.randn(BATCH_SIZE, 1, D_MODEL, generator=generator)

    # A random direction: LayerNorm makes the plain sum of outputs constant.
    output = decoder(start, memory)
    direction = torch.randn(output.shape, generator=generator)
    (output * direction).sum().backward()

    assert memory.grad is not None
    reach = memory.grad.norm(dim=-1)
    assert reach.shape == (BATCH_SIZE, 7)
    assert (reach > 1e-6).all()


def layers_to_link(distance, width, dilation):
    """Count causal convolutions until `distance` back has an influence.

    `dilation(layer)` is the spacing of that layer's kernel. Influence is
    read off the gradient: all weights are positive, so nothing cancels.
    """
    signal = torch.ones(1, 1, distance + 1, requires_grad=True)
    kernel = torch.full((1, 1, width), 1.0 / width)
    output, count = signal, 0
    while True:
        spacing = dilation(count)
        padded = F.pad(output, (spacing * (width - 1), 0))
        output = F.conv1d(padded, kernel, dilation=spacing)
        count += 1
        (gradient,) = torch.autograd.grad(
            output[0, 0, -1], signal, retain_graph=True
        )
        if gradient[0, 0, 0] > 0:
            return count


@pytest.mark.parametrize("width", [2, 3, 5])
def test_f05_stacked_convolutions_need_layers_in_proportion(width):
    for distance in (4, 8, 16, 32):
        layers = layers_to_link(distance, width, lambda _: 1)
        assert layers == math.ceil(distance / (width - 1))


@pytest.mark.parametrize("width", [2, 3])
def test_f05_dilated_convolutions_need_logarithmically_many(width):
    for distance in (1, 5, 8, 26, 31, 80):
        layers = layers_to_link(distance, width, lambda i: width**i)
        assert layers == math.ceil(math.log(distance + 1, width) - 1e-9)


def test_f05():
    """Linking twice as far doubles the layers, never a layer's work."""

    def operations_of_a_layer(length):
        layer = nn.Conv1d(8, 8, kernel_size=3, padding=1)
        with FlopCounterMode(display=False) as counter:
            layer(torch.ones(1, 8, length))
        return counter.get_total_flops() / length

    assert layers_to_link(40, 3, lambda _: 1) == 20
    assert layers_to_link(80, 3, lambda _: 1) == 40
    assert operations_of_a_layer(40) == operations_of_a_layer(80) > 0


def attention_operations(length, d_model):
    """Count the floating-point operations of one self-attention."""
    tokens = torch.ones(length, d_model)
    with FlopCounterMode(display=False) as counter:
        scores = tokens @ tokens.T / math.sqrt(d_model)
        scores.softmax(dim=-1) @ tokens
    return counter.get_total_flops()


def test_f06(generator):
    """One layer links any two positions, and still costs n² d."""
    for distance in (1, 9, 99):
        tokens = torch.randn(distance + 1, 8, generator=generator)
        tokens.requires_grad_()
        output = (tokens @ tokens.T).softmax(dim=-1) @ tokens
        (gradient,) = torch.autograd.grad(output[-1].sum(), tokens)
        assert gradient[0].norm() > 0, "one layer must reach every distance"

    for length in (16, 32, 64):
        for d_model in (8, 24):
            # Two products of n × d by d × n, a multiply and an add each.
            expected = 2 * 2 * length**2 * d_model
            assert attention_operations(length, d_model) == expected


def test_f06_one_head_blurs_what_two_heads_tell_apart():
    """An average of two positions cannot say which held what."""
    dog_bites_man = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    man_bites_dog = dog_bites_man.flip(0)

    one_head = torch.tensor([[0.5, 0.5]])
    assert torch.equal(one_head @ dog_bites_man, one_head @ man_bites_dog)

    two_heads = torch.eye(2)
    outputs = [
        (two_heads @ sentence).flatten()
        for sentence in (dog_bites_man, man_bites_dog)
    ]
    assert not torch.equal(*outputs)


def test_f07(generator):
    """Memory grows with the square of the length; no number overflows."""
    largest = torch.finfo(torch.float32).max
    sizes = []
    for length in (128, 256, 512, 1024):
        query, key = torch.randn(2, length, 64, generator=generator)
        scores = query @ key.T / 8
        assert scores.isfinite().all()
        assert scores.abs().max() < 100 < largest
        sizes.append(scores.numel() * scores.element_size())

    assert sizes[-1] == 4 * 1024**2
    assert all(long == 4 * short for short, long in pairwise(sizes))


def test_f07_a_slow_recurrence_stays_in_range(generator):
    """A thousand steps one after another: slow, and bounded by 1."""
    recurrent = nn.GRU(8, 8, batch_first=True)
    inputs = 10 * torch.randn(1, 1000, 8, generator=generator)
    with torch.no_grad():
        states, _ = recurrent(inputs)
    assert states.abs().max() <= 1


def test_f07_overflow_is_a_matter_of_the_format():
    """One tiny, instant sum overflows in 16 bits and fits in 32."""
    for dtype, fits in ((torch.float16, False), (torch.float32, True)):
        score = torch.tensor(12.0, dtype=dtype)
        assert score.exp().isfinite().item() is fits
        # The softmax subtracts the largest score first: no overflow at all.
        weights = torch.stack([score, score - 2]).softmax(dim=0)
        assert weights.isfinite().all()
