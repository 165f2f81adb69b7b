"""Each entry of book/facts.yml about chapter 05, shown by running it."""

import math

import numpy as np
import pytest
import torch
from transformers import BertConfig, BertModel

from bertbook.positions import LearnedPositions, SinusoidalPositions
from bertbook.runtime import load_results


def table(length, d, n=10_000.0):
    """Write the formula of Vaswani et al. (2017), §3.5, as it stands."""
    rows = np.zeros((length, d))
    for k in range(length):
        for i in range(d // 2):
            angle = k / n ** (2 * i / d)
            rows[k, 2 * i : 2 * i + 2] = math.sin(angle), math.cos(angle)
    return rows


@pytest.fixture(scope="module")
def tiny():
    """Return a BERT with random weights and BERT's 512 positions."""
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=99,
        hidden_size=12,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=24,
    )
    return BertModel(config).eval()


def test_f25(tiny):
    """The parameters are called positional, and none is potential."""
    names = [name for name, _ in tiny.named_parameters()]
    assert [name for name in names if "position" in name]
    assert not [name for name in names if "potential" in name]


def test_f26(tiny):
    """512 tokens pass, 513 do not, and no number is near an overflow."""
    text = torch.zeros(1, 513, dtype=torch.long)
    hidden = tiny(text[:, :512]).last_hidden_state
    assert hidden.abs().max() < 100
    with pytest.raises(RuntimeError, match="513"):
        tiny(text)
    with pytest.raises(IndexError):
        tiny.embeddings.position_embeddings(torch.tensor([512]))


def test_f26_scores_grow_with_the_square():
    query = torch.zeros(1, 74, 4)
    short, long = (query[:, :n] @ query[:, :n].mT for n in (37, 74))
    assert long.numel() == 4 * short.numel()


def test_f32(tiny):
    """BERT's positions are a trained table; the sinusoid has no parameter."""
    with torch.device("meta"):
        base = BertModel(BertConfig())
    weight = base.embeddings.position_embeddings.weight
    assert tuple(weight.shape) == (512, 768)
    assert weight.numel() == 393_216
    assert weight.requires_grad
    assert not list(SinusoidalPositions(768).parameters())
    own = tiny.embeddings.position_embeddings.weight
    assert np.abs(own.detach().numpy() - table(512, 12)).max() > 0.5


def test_f33():
    """The parity is the dimension's: with the position's, rows differ."""
    right = table(4, 4, 100)
    k = np.arange(4)
    assert np.allclose(right[:, 0], np.sin(k))
    assert np.allclose(right[:, 1], np.cos(k))
    by_position = np.where(k % 2 == 0, np.sin(k), np.cos(k))
    assert by_position[1] == pytest.approx(0.54030231, abs=1e-8)
    assert not np.allclose(right[:, 0], by_position)


def test_f34():
    """The same vectors are added whatever the tokens are."""
    add = SinusoidalPositions(12).double()
    one, other = torch.randn(2, 1, 7, 12, dtype=torch.float64)
    added = [(add(x) - x)[0].numpy() for x in (one, other)]
    assert np.allclose(added[0], added[1])
    assert np.allclose(added[0], table(7, 12), atol=1e-6)


def test_f35(tiny):
    """Adding keeps the width; BERT adds, to its own printed sum."""
    x = torch.randn(1, 7, 12)
    for add in (SinusoidalPositions(12), LearnedPositions(13, 12)):
        assert add(x).shape == x.shape
    parts = tiny.embeddings
    token, segment = torch.tensor([[5]]), torch.tensor([[0]])
    total = (
        parts.word_embeddings(token)
        + parts.position_embeddings(segment)
        + parts.token_type_embeddings(segment)
    )
    assert torch.allclose(parts(token), parts.LayerNorm(total), atol=1e-6)


def test_f36():
    """The vectors go on; the trained readers do not, in any seed."""
    assert np.isfinite(table(2_000, 4)).all()
    rows = load_results("05_position")["rows"]
    for scheme in ("sinusoidal", "learned"):
        runs = [
            row
            for row in rows
            if (row["setting"], row["scheme"]) == ("full", scheme)
        ]
        assert len(runs) >= 3
        for row in runs:
            found = dict(zip(row["lengths"], row["accuracy"], strict=True))
            assert found[20] > 0.9
            assert found[60] < found[20] - 0.3


def test_f38():
    """Position 6 is closer to position 0 than position 1 is."""
    rows = table(9, 4, 100)
    products = rows @ rows[0]
    expected = [2, 1.5353, 0.5639, -0.0347, 0.2674, 1.1612, 1.7855, 1.5187]
    assert products[:8] == pytest.approx(expected, abs=5e-5)
    steps = np.linalg.norm(np.diff(rows, axis=0), axis=1)
    assert steps == pytest.approx(0.96404723, abs=5e-9)
    assert 1 / (5 - 1) == 0.25
    assert round(1 / (50 - 1), 4) == 0.0204


def test_f39():
    """The longest wavelength in use stops short of the bound."""
    longest = 2 * math.pi * 10_000 ** (510 / 512)
    assert longest == pytest.approx(60_611.48, abs=5e-3)
    assert 2 * math.pi * 10_000 == pytest.approx(62_831.85, abs=5e-3)
    slowest = table(2, 512)[1, 510]
    assert 2 * math.pi / math.asin(slowest) == pytest.approx(longest)
