"""Attention: by hand, against PyTorch, by property, by gradient, at fault."""

import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from transformers import BertConfig
from transformers.models.bert.modeling_bert import BertSelfAttention

from bertbook.attention import (
    KeyValueCache,
    MultiHeadAttention,
    check_mask,
    fused_attention,
    scaled_dot_product_attention,
)
from bertbook.masks import as_additive, as_ignored, causal_mask, padding_mask

BATCH, QUERY, KEY, D_KEY, D_VALUE = 3, 7, 13, 37, 5
TOLERANCE = {torch.float64: 1e-12, torch.float32: 1e-5, torch.bfloat16: 2e-2}


def draw(*shape: int, seed: int = 0, dtype=torch.float32) -> Tensor:
    generator = torch.Generator().manual_seed(seed + sum(shape))
    drawn = torch.randn(*shape, generator=generator, dtype=torch.float64)
    return drawn.to(dtype)


def inputs(seed: int = 0, dtype=torch.float32) -> tuple[Tensor, ...]:
    return (
        draw(BATCH, QUERY, D_KEY, seed=seed, dtype=dtype),
        draw(BATCH, KEY, D_KEY, seed=seed, dtype=dtype),
        draw(BATCH, KEY, D_VALUE, seed=seed, dtype=dtype),
    )


def random_mask(*shape: int, seed: int = 0) -> Tensor:
    """A mask with one row closed and every other row open somewhere."""
    mask = draw(*shape, seed=seed) > 0
    mask[..., 0] = True
    mask[..., 2, :] = False
    return mask


# By hand


def test_table_by_hand():
    """Scores 112 and 96 at d_k = 64: the weights are σ(2) and 1 - σ(2)."""
    query = torch.ones(1, 64)
    key = torch.stack([torch.full((64,), 112 / 64), torch.full((64,), 1.5)])
    output, weights = scaled_dot_product_attention(query, key, torch.eye(2))
    assert (query @ key.T).tolist() == [[112, 96]]
    sigma = 1 / (1 + math.exp(-2))
    assert weights.tolist()[0] == pytest.approx([sigma, 1 - sigma], abs=1e-6)
    assert torch.equal(output, weights)


def test_bias_is_added_after_scaling_by_hand():
    query, key = torch.zeros(1, 4), torch.zeros(2, 4)
    bias = torch.tensor([[math.log(3.0), 0.0]])
    _, weights = scaled_dot_product_attention(
        query, key, torch.eye(2), None, bias
    )
    assert weights.tolist()[0] == pytest.approx([0.75, 0.25])


def test_mask_by_hand():
    query, key = torch.zeros(1, 4), torch.zeros(3, 4)
    mask = torch.tensor([[True, False, True]])
    _, weights = scaled_dot_product_attention(query, key, torch.eye(3), mask)
    assert weights.tolist() == [[0.5, 0.0, 0.5]]


# Against PyTorch and Hugging Face


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("biased", [False, True])
def test_equal_to_pytorch(dtype, masked, biased):
    query, key, value = inputs(dtype=dtype)
    mask = random_mask(BATCH, QUERY, KEY) if masked else None
    bias = draw(QUERY, KEY, dtype=dtype) if biased else None
    output, weights = scaled_dot_product_attention(
        query, key, value, mask, bias
    )
    fused = fused_attention(query, key, value, mask, bias)
    both = bias
    if mask is not None:
        closed = as_additive(mask, dtype)
        both = closed if bias is None else bias.masked_fill(~mask, -math.inf)
    expected = F.scaled_dot_product_attention(query, key, value, both)
    if mask is not None:
        expected = expected.masked_fill(~mask.any(-1, keepdim=True), 0.0)
    tolerance = TOLERANCE[dtype]
    assert output.dtype == weights.dtype == fused.dtype == dtype
    assert torch.allclose(output, expected, atol=tolerance)
    assert torch.allclose(fused, expected, atol=tolerance)


def test_boolean_mask_means_the_same_to_pytorch():
    query, key, value = inputs()
    mask = random_mask(BATCH, QUERY, KEY)
    mask[..., 2, 5] = True
    ours, _ = scaled_dot_product_attention(query, key, value, mask)
    theirs = F.scaled_dot_product_attention(query, key, value, mask)
    assert torch.allclose(ours, theirs, atol=1e-6)


def copy_of(theirs: nn.MultiheadAttention, d_source: int | None = None):
    """Our attention with the weights of PyTorch's."""
    ours = MultiHeadAttention(
        theirs.embed_dim, theirs.num_heads, d_source=d_source
    )
    weights = (
        [theirs.q_proj_weight, theirs.k_proj_weight, theirs.v_proj_weight]
        if theirs.in_proj_weight is None
        else theirs.in_proj_weight.chunk(3)
    )
    assert theirs.in_proj_bias is not None
    with torch.no_grad():
        for layer, weight, bias in zip(
            (ours.query, ours.key, ours.value),
            weights,
            theirs.in_proj_bias.chunk(3),
            strict=True,
        ):
            layer.weight.copy_(weight)
            layer.bias.copy_(bias)
        ours.output.load_state_dict(theirs.out_proj.state_dict())
    return ours


def their_attention(**sizes) -> nn.MultiheadAttention:
    torch.manual_seed(0)
    theirs = nn.MultiheadAttention(39, 3, batch_first=True, **sizes)
    nn.init.normal_(theirs.in_proj_bias)
    return theirs.eval()


@pytest.mark.parametrize("masking", ["none", "causal", "padding", "both"])
def test_self_attention_equals_nn_multihead_attention(masking):
    theirs = their_attention()
    ours, x = copy_of(theirs), draw(BATCH, 7, 39)
    padding = padding_mask(torch.tensor([7, 1, 4]), 7)
    causal = causal_mask(7)
    use_causal = masking in ("causal", "both")
    use_padding = masking in ("padding", "both")
    mask = torch.ones(1, 7, 7, dtype=torch.bool)
    mask = mask & causal if use_causal else mask
    mask = mask & padding[:, None] if use_padding else mask
    expected, expected_weights = theirs(
        x, x, x,
        attn_mask=as_ignored(causal) if use_causal else None,
        key_padding_mask=as_ignored(padding) if use_padding else None,
        average_attn_weights=False,
    )  # fmt: skip
    given = None if masking == "none" else mask
    slow, weights = ours(x, mask=given, return_weights=True)
    fast, nothing = ours(x, mask=given)
    assert nothing is None
    assert torch.allclose(slow, expected, atol=1e-6)
    assert torch.allclose(fast, expected, atol=1e-6)
    assert torch.allclose(weights, expected_weights, atol=1e-6)


def test_cross_attention_equals_nn_multihead_attention():
    theirs = their_attention(kdim=11, vdim=11)
    ours = copy_of(theirs, d_source=11)
    x, source = draw(BATCH, 7, 39), draw(BATCH, 13, 11)
    padding = padding_mask(torch.tensor([13, 2, 5]), 13)
    expected, _ = theirs(
        x, source, source, key_padding_mask=as_ignored(padding)
    )
    output, _ = ours(x, source, padding[:, None])
    assert output.shape == (BATCH, 7, 39)
    assert torch.allclose(output, expected, atol=1e-6)


def test_equals_the_self_attention_of_bert():
    config = BertConfig(hidden_size=39, num_attention_heads=3)
    config._attn_implementation = "eager"
    torch.manual_seed(0)
    theirs = BertSelfAttention(config).eval()
    ours = MultiHeadAttention(39, 3)
    ours.load_state_dict(theirs.state_dict(), strict=False)
    nn.init.eye_(ours.output.weight)
    nn.init.zeros_(ours.output.bias)
    x, mask = draw(BATCH, 7, 39), padding_mask(torch.tensor([7, 3, 5]), 7)
    expected, expected_weights = theirs(x, as_additive(mask[:, None, None]))
    output, weights = ours(x, mask=mask[:, None], return_weights=True)
    assert torch.allclose(output, expected, atol=1e-6)
    assert torch.allclose(weights, expected_weights, atol=1e-6)


def test_the_counts_of_the_paper():
    """d = 512: one head or eight, the same 786,432; 1,050,624 in all."""
    for num_heads in (1, 8):
        plain = MultiHeadAttention(512, num_heads, bias=False)
        counts = {n: p.numel() for n, p in plain.named_parameters()}
        assert sum(counts.values()) == 1_048_576
        assert sum(counts.values()) - counts["output.weight"] == 786_432
    full = MultiHeadAttention(512, 8)
    assert sum(p.numel() for p in full.parameters()) == 1_050_624


# Rows in which nothing may be attended


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("biased", [False, True])
def test_closed_rows_give_zeros_and_no_nan(dtype, biased):
    parts = [part.requires_grad_() for part in inputs(dtype=dtype)]
    mask = random_mask(BATCH, QUERY, KEY)
    bias = draw(QUERY, KEY, dtype=dtype) if biased else None
    output, weights = scaled_dot_product_attention(*parts, mask, bias)
    fused = fused_attention(*parts, mask, bias)
    for result in (output, fused, weights):
        assert result[:, 2].eq(0).all()
        assert result.isfinite().all()
        assert result[:, 3].ne(0).any()
        gradients = torch.autograd.grad(
            result.square().sum(), parts[:2], retain_graph=True
        )
        assert all(gradient.isfinite().all() for gradient in gradients)
        assert gradients[0][:, 2].eq(0).all()


def test_a_closed_batch_row_gives_the_output_bias_alone():
    attention = MultiHeadAttention(6, 2)
    x = draw(2, 5, 6)
    mask = padding_mask(torch.tensor([5, 0]), 5)[:, None]
    for ask in (False, True):
        output, _ = attention(x, mask=mask, return_weights=ask)
        assert torch.equal(output[1], attention.output.bias.expand(5, 6))


@pytest.mark.parametrize("shape", [(1, 1, KEY), (QUERY, 1), (BATCH, 1, KEY)])
def test_masks_are_broadcast(shape):
    query, key, value = inputs()
    mask = draw(*shape) > -0.5
    full = mask.expand(BATCH, QUERY, KEY).clone()
    small, _ = scaled_dot_product_attention(query, key, value, mask)
    large, _ = scaled_dot_product_attention(query, key, value, full)
    assert torch.equal(small, large)
    fused = fused_attention(query, key, value, mask)
    assert torch.allclose(fused, large, atol=1e-6)


# Properties


sizes = st.integers(1, 9)


@settings(max_examples=40, deadline=None)
@given(num_queries=sizes, num_keys=sizes, d_key=sizes, seed=st.integers(0, 99))
def test_rows_sum_to_one_and_are_not_negative(
    num_queries, num_keys, d_key, seed
):
    query = 5 * draw(num_queries, d_key, seed=seed)
    key = 5 * draw(num_keys, d_key, seed=seed)
    _, weights = scaled_dot_product_attention(query, key, key)
    assert weights.ge(0).all()
    total = weights.sum(-1)
    assert torch.allclose(total, torch.ones(num_queries), atol=1e-5)


@settings(max_examples=25, deadline=None)
@given(order=st.permutations(range(7)), seed=st.integers(0, 99))
def test_permuted_rows_give_permuted_outputs(order, seed):
    attention, x = MultiHeadAttention(12, 3), draw(2, 7, 12, seed=seed)
    straight, _ = attention(x)
    permuted, _ = attention(x[:, order])
    assert torch.allclose(permuted, straight[:, order], atol=1e-5)


@settings(max_examples=25, deadline=None)
@given(order=st.permutations(range(13)), seed=st.integers(0, 99))
def test_permuted_sources_change_nothing(order, seed):
    attention = MultiHeadAttention(12, 3)
    x, source = draw(2, 7, 12, seed=seed), draw(2, 13, 12, seed=seed)
    straight, _ = attention(x, source)
    permuted, _ = attention(x, source[:, order])
    assert torch.allclose(permuted, straight, atol=1e-5)


@settings(max_examples=25, deadline=None)
@given(length=st.integers(1, 12), seed=st.integers(0, 99))
def test_padding_changes_nothing(length, seed):
    attention, x = MultiHeadAttention(12, 3), draw(1, 13, 12, seed=seed)
    mask = padding_mask(torch.tensor([length]), 13)[:, None]
    short, _ = attention(x[:, :length])
    for ask in (False, True):
        padded, _ = attention(x, mask=mask, return_weights=ask)
        assert torch.allclose(padded[:, :length], short, atol=1e-5)


@settings(max_examples=25, deadline=None)
@given(here=st.integers(0, 11), seed=st.integers(0, 99))
def test_the_future_changes_nothing_under_a_causal_mask(here, seed):
    attention, x = MultiHeadAttention(12, 3), draw(1, 13, 12, seed=seed)
    other = x.clone()
    other[:, here + 1 :] += 1.0
    for ask in (False, True):
        one, _ = attention(x, mask=causal_mask(13)[None], return_weights=ask)
        two, _ = attention(
            other, mask=causal_mask(13)[None], return_weights=ask
        )
        assert torch.equal(one[:, : here + 1], two[:, : here + 1])
        assert not torch.allclose(one[:, here + 1 :], two[:, here + 1 :])


def test_a_changed_token_changes_every_output_without_a_mask():
    attention, x = MultiHeadAttention(12, 3), draw(1, 7, 12)
    other = x.clone()
    other[:, 4] += 1.0
    difference = (attention(x)[0] - attention(other)[0]).abs().amax(-1)
    assert difference.gt(1e-4).all()


def test_separate_key_width_and_source_width():
    attention = MultiHeadAttention(39, 3, d_source=11, d_key=7, bias=False)
    assert attention.query.weight.shape == (21, 39)
    assert attention.key.weight.shape == (21, 11)
    assert attention.value.weight.shape == (39, 11)
    assert all(layer.bias is None for layer in attention.children())
    output, weights = attention(
        draw(2, 7, 39), draw(2, 13, 11), return_weights=True
    )
    assert output.shape == (2, 7, 39)
    assert weights.shape == (2, 3, 7, 13)


@pytest.mark.parametrize("ask", [False, True])
def test_dropout_acts_in_training_alone(ask):
    attention, x = MultiHeadAttention(12, 3, dropout=0.5), draw(1, 7, 12)
    torch.manual_seed(0)
    first, weights = attention(x, return_weights=ask)
    second, _ = attention(x, return_weights=ask)
    assert not torch.allclose(first, second)
    if ask:
        assert torch.allclose(weights.sum(-1), torch.ones(1, 3, 7))
    attention.eval()
    assert torch.equal(attention(x)[0], attention(x)[0])


# Cache


def test_token_by_token_behind_a_cache_equals_one_pass():
    attention, x = MultiHeadAttention(12, 3), draw(2, 7, 12)
    whole, _ = attention(x, mask=causal_mask(7)[None])
    cache = KeyValueCache()
    steps = [attention(x[:, i : i + 1], cache=cache)[0] for i in range(7)]
    assert len(cache) == 7
    assert torch.allclose(torch.cat(steps, 1), whole, atol=1e-6)


def test_a_cached_source_is_projected_once():
    attention = MultiHeadAttention(12, 3)
    x, source = draw(2, 7, 12), draw(2, 13, 12)
    cache = KeyValueCache()
    first, _ = attention(x, source, cache=cache)
    again, _ = attention(x, torch.zeros_like(source), cache=cache)
    assert len(cache) == 13
    assert torch.equal(first, again)


# Gradients


@pytest.mark.parametrize("masked", [False, True])
def test_gradcheck(masked):
    query, key, value = (
        draw(2, n, 3, dtype=torch.float64).requires_grad_() for n in (4, 5, 5)
    )
    mask = random_mask(2, 4, 5) if masked else None
    assert torch.autograd.gradcheck(
        lambda *parts: scaled_dot_product_attention(*parts, mask)[0],
        (query, key, value),
    )
    assert torch.autograd.gradcheck(
        lambda *parts: fused_attention(*parts, mask), (query, key, value)
    )


@pytest.mark.parametrize("ask", [False, True])
def test_every_parameter_gets_a_gradient(ask):
    attention = MultiHeadAttention(12, 3)
    output, _ = attention(draw(2, 7, 12), return_weights=ask)
    output.square().sum().backward()
    for name, parameter in attention.named_parameters():
        assert parameter.grad is not None, name
        # A bias on the keys adds the same to a whole row: softmax drops it.
        if name != "key.bias":
            assert parameter.grad.abs().max() > 1e-6, name


# Failures


def test_heads_must_divide_the_width():
    with pytest.raises(ValueError, match=r"5 heads do not divide d_model=12"):
        MultiHeadAttention(12, 5)


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"d_model": 0, "num_heads": 1}, "d_model is 0"),
        ({"d_model": 8, "num_heads": -2}, "num_heads is -2"),
        ({"d_model": 8, "num_heads": 2, "d_key": 0}, "d_key is 0"),
        ({"d_model": 8, "num_heads": 2, "d_source": -1}, "d_source is -1"),
        ({"d_model": 8, "num_heads": 2, "dropout": 1.0}, r"dropout is 1\.0"),
    ],
)
def test_impossible_sizes(sizes, message):
    with pytest.raises(ValueError, match=message):
        MultiHeadAttention(**sizes)


@pytest.mark.parametrize("ask", [False, True])
@pytest.mark.parametrize(
    ("mask", "message"),
    [
        (torch.ones(1, 7, 7), r"torch\.float32.*Boolean"),
        (torch.ones(1, 7, 7, dtype=torch.long), r"torch\.int64.*Boolean"),
        (torch.ones(3, 7, 7).bool(), r"\(3, 1, 7, 7\).*\(2, 3, 7, 7\)"),
        (torch.ones(2, 7, 6).bool(), r"\(2, 1, 7, 6\).*\(2, 3, 7, 7\)"),
        (torch.ones(2, 7).bool(), r"\(2, 7\) may mean"),
        (torch.ones(1, 2, 3, 7, 7).bool(), r"\(1, 2, 3, 7, 7\)"),
    ],
)
def test_masks_that_do_not_fit(mask, message, ask):
    attention = MultiHeadAttention(12, 3)
    with pytest.raises(ValueError, match=message):
        attention(draw(2, 7, 12), mask=mask, return_weights=ask)


def test_a_bias_that_does_not_fit():
    query, key, value = inputs()
    with pytest.raises(ValueError, match=r"a bias of shape \(7, 7\)"):
        fused_attention(query, key, value, None, torch.zeros(7, 7))
    with pytest.raises(ValueError, match=r"bias has dtype torch\.bool"):
        scaled_dot_product_attention(
            query, key, value, None, torch.ones(7, 13).bool()
        )


@pytest.mark.parametrize("ask", [False, True])
def test_empty_sequences(ask):
    attention = MultiHeadAttention(12, 3)
    with pytest.raises(ValueError, match="0 queries and 0 keys"):
        attention(draw(2, 0, 12), return_weights=ask)
    with pytest.raises(ValueError, match="7 queries and 0 keys"):
        attention(draw(2, 7, 12), draw(2, 0, 12), return_weights=ask)
    with pytest.raises(ValueError, match="0 keys"):
        scaled_dot_product_attention(
            draw(7, 4), draw(0, 4), draw(0, 2)
        )  # fmt: skip


def test_a_mask_never_enlarges_the_scores():
    check_mask(torch.Size([1, 7, 13]), torch.ones(1, 13).bool())
    with pytest.raises(ValueError, match=r"\(2, 1, 7, 13\)"):
        check_mask(torch.Size([1, 7, 13]), torch.ones(2, 1, 7, 13).bool())
