"""Each entry of book/facts.yml about chapter 02, shown by running it."""

import ast
import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F

SCORES = torch.tensor([112.0, 96.0], dtype=torch.float64)


@pytest.fixture
def generator():
    return torch.Generator().manual_seed(2)


def attention(query, key, value):
    """Write eq. 1 of Vaswani et al. (2017) in one line."""
    weights = (query @ key.mT / math.sqrt(key.shape[-1])).softmax(dim=-1)
    return weights @ value


def test_f10(generator):
    """An embedding times a learned matrix gives a query of size d_k."""
    num_tokens, d_model, d_k = 7, 13, 5
    embeddings = torch.randn(num_tokens, d_model, generator=generator)

    dot_products = embeddings @ embeddings.T
    assert dot_products.shape == (num_tokens, num_tokens)
    assert torch.allclose(dot_products, dot_products.T)

    to_query, to_key, to_value = torch.randn(
        3, d_model, d_k, generator=generator
    )
    query, key, value = (
        embeddings @ to_query,
        embeddings @ to_key,
        embeddings @ to_value,
    )
    for projected in (query, key, value):
        assert projected.shape == (num_tokens, d_k)
    assert not torch.allclose(query, key)
    assert attention(query, key, value).shape == (num_tokens, d_k)


def test_f10_the_matrices_are_parameters():
    """PyTorch's own attention learns all three, each d_model × d_model."""
    layer = nn.MultiheadAttention(embed_dim=12, num_heads=3)
    matrices = layer.in_proj_weight.chunk(3)
    assert [tuple(m.shape) for m in matrices] == [(12, 12)] * 3
    assert layer.in_proj_weight.requires_grad


def test_f11():
    """Scores 112 and 96 under √64, and under the wrong √512."""
    right = (SCORES / math.sqrt(64)).softmax(dim=0)
    wrong = (SCORES / math.sqrt(512)).softmax(dim=0)
    assert right.tolist() == pytest.approx([0.88079708, 0.11920292], abs=1e-8)
    assert wrong.tolist() == pytest.approx([0.66976155, 0.33023845], abs=1e-8)


def test_f11_pytorch_divides_by_the_size_of_a_key(generator):
    """Eight heads of 64 make 512: PyTorch takes the root of 64."""
    query, key, value = torch.randn(3, 1, 8, 5, 64, generator=generator)
    theirs = F.scaled_dot_product_attention(query, key, value)
    wrong = F.scaled_dot_product_attention(
        query, key, value, scale=1 / math.sqrt(8 * 64)
    )
    assert torch.allclose(theirs, attention(query, key, value), atol=1e-5)
    assert not torch.allclose(theirs, wrong, atol=1e-2)


def test_f12(generator):
    """Without the transpose: an error, or a wrong answer."""
    query, key, value = torch.randn(3, 7, 5, generator=generator)
    with pytest.raises(RuntimeError, match="cannot be multiplied"):
        query @ key
    assert (query @ key.T).shape == (7, 7)

    query, key, value = torch.randn(3, 5, 5, generator=generator)
    expected = F.scaled_dot_product_attention(query, key, value)
    forgotten = (query @ key / math.sqrt(5)).softmax(dim=-1) @ value
    assert torch.allclose(attention(query, key, value), expected, atol=1e-6)
    assert not torch.allclose(forgotten, expected, atol=1e-2)


# A listing of our own with the seven kinds of defects, numbered as in the
# entry, and the repair of each. Every repair is a list of (wrong, right).
LISTING = """\
for i in rang(sequence_lenght):
    for j in rang(sequence_lenght):
        relevance[i, j] = this query[i] * key[j]
    relevance[i] = scaled_softmax(relevance[i])
for i in rang(sequence_lenght):
    out[i] = 0
    for j in rang(sequence_lenght):
        out[i] = out[i] + relevance[i, j] * value[j]
"""
CREATED = """\
sequence_length, d_k = X.shape[0], W_Q.shape[1]
query = [X[i] * W_Q for i in range(sequence_length)]
key = [X[i] * W_K for i in range(sequence_length)]
value = [X[i] * W_V for i in range(sequence_length)]
relevance = torch.zeros(sequence_length, sequence_length)
out = torch.zeros(sequence_length, W_V.shape[1])
"""
REPAIRS = {
    7: [("this query", "query")],
    1: [("rang(", "range(")],
    2: [("sequence_lenght", "sequence_length")],
    3: [("for i in range", CREATED + "for i in range")],
    4: [
        ("X[i] * W_", "X[i] @ W_"),
        ("query[i] * key[j]", "query[i] @ key[j]"),
    ],
    5: [
        (
            "scaled_softmax(relevance[i])",
            "torch.softmax(relevance[i] / d_k**0.5, dim=-1)",
        )
    ],
    6: [("out[i] = 0", "out[i] = torch.zeros(W_V.shape[1])")],
}


def repaired(*defects):
    """Return the listing with these defects repaired, the others left."""
    listing = LISTING
    for defect in defects:
        for wrong, right in REPAIRS[defect]:
            once = 1 if defect == 3 else -1
            assert wrong in listing, f"repair {defect} finds nothing"
            listing = listing.replace(wrong, right, once)
    return listing


def run(listing, inputs):
    """Run a listing on X, W_Q, W_K and W_V; return its `out`."""
    names = {"torch": torch, **inputs}
    exec(compile(ast.parse(listing), "listing", "exec"), names)
    return names["out"]


@pytest.fixture
def inputs(generator):
    # Five tokens, embeddings of 5 and d_k of 5: only square shapes let the
    # defects 4 and 6 pass without an error and show as wrong numbers.
    tensors = torch.randn(4, 5, 5, generator=generator)
    return dict(zip(["X", "W_Q", "W_K", "W_V"], tensors, strict=True))


def test_f13(inputs):
    """With all seven defects repaired, the listing is eq. 1."""
    expected = F.scaled_dot_product_attention(
        *(inputs["X"] @ inputs[name] for name in ("W_Q", "W_K", "W_V"))
    )
    output = run(repaired(*REPAIRS), inputs)
    assert torch.allclose(output, expected, atol=1e-5)


@pytest.mark.parametrize(
    ("done", "error", "message"),
    [
        ([], SyntaxError, "invalid syntax"),
        ([7], NameError, "rang"),
        ([7, 1], NameError, "sequence_lenght"),
        ([7, 1, 2], NameError, "sequence_length"),
        ([7, 1, 2, 3], RuntimeError, "expand"),
        ([7, 1, 2, 3, 4], NameError, "scaled_softmax"),
    ],
)
def test_f13_each_defect_stops_the_listing(done, error, message, inputs):
    with pytest.raises(error, match=message):
        run(repaired(*done), inputs)


def test_f13_an_unscaled_softmax_gives_other_numbers(inputs):
    right = repaired(*REPAIRS)
    unscaled = right.replace(" / d_k**0.5", "")
    assert unscaled != right
    assert not torch.allclose(
        run(right, inputs), run(unscaled, inputs), atol=1e-3
    )


@pytest.mark.parametrize("repaired_row", [False, True])
def test_f13_a_row_that_starts_as_a_number_is_no_vector(repaired_row, inputs):
    """Collect rows in a list: a row that mixes no value stays a number."""
    listing = repaired(*REPAIRS) if repaired_row else repaired(7, 1, 2, 3, 4)
    start = listing.split("    for j in range(sequence_length):\n")[-2]
    start = start.splitlines()[-1].replace("out[i]", "out")
    row = run(start.strip(), inputs)
    if repaired_row:
        assert torch.stack([row]).shape == (1, 5)
    else:
        with pytest.raises(TypeError, match="expected Tensor"):
            torch.stack([row])


def test_f14(generator):
    """Weights against correlations: symmetry, range, diagonal, centering."""
    tokens = torch.randn(6, 9, generator=generator)
    to_query, to_key = torch.randn(2, 9, 4, generator=generator)
    weights = ((tokens @ to_query) @ (tokens @ to_key).T / 2).softmax(dim=-1)
    correlations = torch.corrcoef(tokens)

    assert not torch.allclose(weights, weights.T, atol=1e-2)
    assert (weights >= 0).all()
    assert torch.allclose(weights.sum(dim=-1), torch.ones(6))

    assert torch.allclose(correlations, correlations.T)
    assert correlations.min() < 0
    assert torch.allclose(correlations.diagonal(), torch.ones(6))
    assert not torch.allclose(correlations.sum(dim=-1), torch.ones(6))

    # Adding a constant to every token leaves correlations as they are.
    moved = tokens + 3
    assert torch.allclose(torch.corrcoef(moved), correlations, atol=1e-4)
    shifted = ((moved @ to_query) @ (moved @ to_key).T / 2).softmax(dim=-1)
    assert not torch.allclose(shifted, weights, atol=1e-2)


def test_f15(generator):
    """A softmax on the output is another function than attention."""
    query, key, value = torch.randn(3, 6, 4, generator=generator)
    expected = F.scaled_dot_product_attention(query, key, value)
    scores = query @ key.T / math.sqrt(4)

    on_scores = scores.softmax(dim=-1) @ value
    on_output = (scores @ value).softmax(dim=-1)
    assert torch.allclose(on_scores, expected, atol=1e-6)
    assert not torch.allclose(on_output, expected, atol=1e-2)
    assert expected.min() < 0 < on_output.min()


def test_f16(generator):
    """Scaling sets the spread; the softmax makes rows sum to one."""
    for d_k in (4, 64, 512):
        query = torch.randn(4000, d_k, generator=generator)
        key = torch.randn(16, d_k, generator=generator)
        raw = query @ key.T
        scaled = raw / math.sqrt(d_k)

        # A standard deviation of √d_k before, of 1 after: 16 keys leave
        # a few percent of sampling error, more for small d_k.
        assert raw.std() == pytest.approx(math.sqrt(d_k), rel=0.25)
        assert scaled.std() == pytest.approx(1, rel=0.25)
        assert scaled[0].sum() != pytest.approx(1, abs=1e-3)
        for scores in (raw, scaled):
            total = scores.softmax(dim=-1).sum(dim=-1)
            assert torch.allclose(total, torch.ones(4000), atol=1e-5)


def test_f16_scaling_keeps_away_from_saturation(generator):
    """The mean largest weight of 16, at d_k = 64, without and with it."""
    query = torch.randn(2000, 1, 64, generator=generator)
    key = torch.randn(2000, 16, 64, generator=generator)
    raw = (query @ key.mT).squeeze(1)
    largest = raw.softmax(dim=-1).amax(dim=-1).mean().item()
    scaled = (raw / 8).softmax(dim=-1).amax(dim=-1).mean().item()
    assert largest == pytest.approx(0.842, abs=0.02)
    assert scaled == pytest.approx(0.248, abs=0.01)


def test_f17(generator):
    """Rows of the weights sum to one; rows of Z sum to anything."""
    weights = (SCORES / 8).softmax(dim=0)
    assert weights.sum().item() == pytest.approx(1)
    unit_vectors = torch.eye(2, dtype=torch.float64)
    assert torch.allclose(weights @ unit_vectors, weights)

    for scale in (1, 100):
        value = scale * torch.randn(6, 4, generator=generator)
        query, key = torch.randn(2, 6, 4, generator=generator)
        output = F.scaled_dot_product_attention(query, key, value)
        sums = output.sum(dim=-1)
        assert (sums - 1).abs().max() > 0.1 * scale
        assert output.min() < 0
        # A mix stays between the smallest and the largest value.
        assert (output <= value.amax(dim=0) + 1e-4).all()
        assert (output >= value.amin(dim=0) - 1e-4).all()
