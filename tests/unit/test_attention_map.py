"""The interactive view: what it refuses, and what it writes."""

import re

import numpy as np
import pytest
import torch

from bertbook.attention_map import attention_map, encode

TOKENS = ["it", "was", "tired"]


def uniform(layers=2, heads=3, query=3, key=3):
    return torch.full((layers, heads, query, key), 1 / key)


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (uniform()[0], r"shape \(3, 3, 3\): four axes"),
        (uniform(query=2), "query axis has 2 places for 3 tokens: it was"),
        (uniform(key=5), "key axis has 5 places for 3 tokens"),
        (uniform(layers=0), "nothing to show"),
        (uniform() * 2, r"\(0, 0, 0\) sums to 2\.0000"),
        (-uniform(), "pass weights, not scores"),
        (uniform() * float("nan"), "finite"),
    ],
)
def test_bad_weights_are_named(weights, message):
    with pytest.raises(ValueError, match=message):
        attention_map(TOKENS, weights)


def test_the_wrong_row_is_named():
    weights = uniform()
    weights[1, 2, 0] = 0.5
    with pytest.raises(ValueError, match=r"= \(1, 2, 0\) sums to 1\.5000"):
        attention_map(TOKENS, weights)


@pytest.mark.parametrize(
    "choice", [{"layer": 2}, {"head": 3}, {"layer": -1}, {"head": -1}]
)
def test_first_layer_and_head_must_exist(choice):
    with pytest.raises(ValueError, match="choose 0 to"):
        attention_map(TOKENS, uniform(), **choice)


def test_row_of_zeros_is_allowed():
    weights = uniform()
    weights[0, 0, 0] = 0
    assert "0.00" in attention_map(TOKENS, weights)._repr_html_()


def test_torch_and_numpy_give_the_same_bytes():
    generator = torch.Generator().manual_seed(0)
    weights = torch.rand(2, 3, 3, 3, generator=generator).softmax(-1)
    from_torch = attention_map(TOKENS, weights)._repr_html_()
    from_numpy = attention_map(TOKENS, weights.numpy())._repr_html_()
    assert from_torch == from_numpy


def test_half_precision_with_gradient_is_shown():
    weights = uniform(layers=1, heads=1).bfloat16().requires_grad_()
    assert repr(attention_map(TOKENS, weights)) == (
        "Attention weights: 1 layer, 1 head, 3 queries, 3 keys"
    )


def test_cross_attention_has_two_sentences():
    keys = ["er", "war", "sehr", "müde"]
    view = attention_map(TOKENS, uniform(key=4), key_tokens=keys)
    assert repr(view) == (
        "Attention weights: 2 layers, 3 heads, 3 queries, 4 keys"
    )
    assert "müde" in view._repr_html_()


def test_tokens_cannot_become_markup():
    tokens = ["<script>", '"', "'&"]
    html = attention_map(tokens, uniform())._repr_html_()
    assert html.count("<script>") == 1
    assert html.count("</script>") == 1
    assert "&lt;script&gt;" in html


def test_html_stands_alone():
    html = attention_map(TOKENS, uniform())._repr_html_()
    assert not re.search(r"(src|href)=", html)
    assert "customElements.define" in html


def test_weights_are_written_to_four_digits():
    weights = np.linspace(0, 1, 4097)
    text = encode(weights)
    alphabet = (
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    )
    read = [
        (64 * alphabet.index(high) + alphabet.index(low)) / 4095
        for high, low in zip(text[::2], text[1::2], strict=True)
    ]
    assert np.abs(np.array(read) - weights).max() <= 1 / 8190 + 1e-12


def test_fallback_table_shows_the_chosen_head():
    weights = uniform()
    weights[1, 2, 0] = torch.tensor([0.07, 0.9, 0.03])
    html = attention_map(TOKENS, weights, layer=1, head=2)._repr_html_()
    table = html[html.index("<table>") : html.index("</table>")]
    assert "layer 1, head 2" in table
    assert (
        "<tr><th>it</th><td>0.07</td><td>0.90</td><td>0.03</td></tr>" in table
    )
