"""Show real attention weights in a notebook: layers, heads, rows.

The view is one custom element, the same as the site's. Its script travels
inside the output, so it also works in Colab's sandboxed frame and without a
network. Where no script runs (GitHub), a table of one head stands instead.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from importlib.resources import files

import numpy as np
import torch
from jaxtyping import Float

__all__ = ["AttentionMap", "attention_map"]

_LEVELS = 4095  # 12 bits: two characters a weight
_ALPHABET = np.array(
    list("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
)
_ROW_TOLERANCE = 1e-2  # bfloat16 rows miss 1 by a little


@dataclass(frozen=True, kw_only=True, eq=False)
class AttentionMap:
    """Checked weights with their tokens; a notebook shows them."""

    queries: tuple[str, ...]
    keys: tuple[str, ...]
    weights: np.ndarray
    layer: int
    head: int
    label: str

    def __repr__(self) -> str:
        names = ("layer", "head", "query", "key")
        parts = [
            f"{size} {_plural(name, size)}"
            for name, size in zip(names, self.weights.shape, strict=True)
        ]
        return f"{self.label}: {', '.join(parts)}"

    def _repr_html_(self) -> str:
        """Return the element, its fallback and its script as HTML."""
        layers, heads = self.weights.shape[:2]
        attributes = {
            "label": self.label,
            "tokens": _json(self.queries),
            "keys": _json(self.keys) if self.keys != self.queries else "",
            "layers": str(layers),
            "heads": str(heads),
            "layer": str(self.layer),
            "head": str(self.head),
            "weights": encode(self.weights),
        }
        written = " ".join(
            f'{name}="{escape(value)}"'
            for name, value in attributes.items()
            if value
        )
        return (
            f"<attention-map {written}>{self._table()}</attention-map>\n"
            f"<script>{script()}</script>"
        )

    def _table(self) -> str:
        """Return one head's weights as an HTML table."""
        head = "".join(f"<th>{escape(key)}</th>" for key in self.keys)
        body = "".join(
            f"<tr><th>{escape(query)}</th>"
            + "".join(f"<td>{weight:.2f}</td>" for weight in row)
            + "</tr>"
            for query, row in zip(
                self.queries, self.weights[self.layer, self.head], strict=True
            )
        )
        caption = f"{self.label}: layer {self.layer}, head {self.head}"
        return (
            f"<table><caption>{escape(caption)}</caption>"
            f"<thead><tr><td></td>{head}</tr></thead>"
            f"<tbody>{body}</tbody></table>"
        )


def attention_map(
    tokens: Sequence[str],
    weights: Float[torch.Tensor, "..."] | Float[np.ndarray, "..."],
    *,
    key_tokens: Sequence[str] | None = None,
    layer: int = 0,
    head: int = 0,
    label: str = "Attention weights",
) -> AttentionMap:
    """Return an interactive view of attention weights.

    From transformers' output: ``torch.stack(output.attentions)[:, 0]`` gives
    the layers and heads of the first sentence of a batch.

    Args:
        tokens: the queries' tokens, one for each row.
        weights: [layers, heads, query, key]; each row sums to 1, or holds
            zeros only where nothing may be attended.
        key_tokens: the keys' tokens in cross-attention; ``tokens`` if absent.
        layer: the layer shown first, counted from 0.
        head: the head shown first, counted from 0.
        label: what the view is called.

    Returns:
        An object that a notebook shows as the view, and that prints as text.

    Raises:
        ValueError: a shape, an index or a row's sum is wrong.

    >>> view = attention_map(["it", "ran"], np.full((1, 1, 2, 2), 0.5))
    >>> print(view)
    Attention weights: 1 layer, 1 head, 2 queries, 2 keys
    """
    values = _as_array(weights)
    queries, keys = tuple(tokens), tuple(key_tokens or tokens)
    _check_shape(values, queries, keys)
    _check_rows(values)
    for name, index, size in (
        ("layer", layer, values.shape[0]),
        ("head", head, values.shape[1]),
    ):
        if not 0 <= index < size:
            raise ValueError(f"{name} is {index}: choose 0 to {size - 1}")
    return AttentionMap(
        queries=queries,
        keys=keys,
        weights=values,
        layer=layer,
        head=head,
        label=label,
    )


def encode(weights: np.ndarray) -> str:
    """Write weights from 0 to 1 with two characters each.

    The error is at most 1 / 8190.

    >>> encode(np.array([0.0, 1.0]))
    'AA__'
    """
    levels = np.rint(np.clip(weights, 0, 1) * _LEVELS).astype(int).ravel()
    pairs = np.stack([_ALPHABET[levels // 64], _ALPHABET[levels % 64]], axis=1)
    return "".join(pairs.ravel().tolist())


def script() -> str:
    """Return the element's JavaScript, bundled with the package."""
    path = files("bertbook") / "attention_map.js"
    return path.read_text("utf-8").strip()


def _as_array(weights: torch.Tensor | np.ndarray) -> np.ndarray:
    if isinstance(weights, torch.Tensor):
        weights = weights.detach().cpu().float().numpy()
    return np.asarray(weights, dtype=np.float64)


def _check_shape(
    weights: np.ndarray, queries: Sequence[str], keys: Sequence[str]
) -> None:
    if weights.ndim != 4:
        raise ValueError(
            f"weights have shape {weights.shape}: four axes are needed, "
            "layers, heads, query, key"
        )
    if 0 in weights.shape:
        raise ValueError(
            f"weights have shape {weights.shape}: nothing to show"
        )
    for name, size, tokens in (
        ("query", weights.shape[2], queries),
        ("key", weights.shape[3], keys),
    ):
        if size != len(tokens):
            raise ValueError(
                f"the {name} axis has {size} places for {len(tokens)} tokens: "
                f"{' '.join(map(str, tokens))}"
            )


def _check_rows(weights: np.ndarray) -> None:
    if not np.isfinite(weights).all() or weights.min() < 0:
        raise ValueError(
            "weights must be finite and not negative, from "
            f"{weights.min()} to {weights.max()} found: pass weights, "
            "not scores"
        )
    sums = weights.sum(-1)
    wrong = (np.abs(sums - 1) > _ROW_TOLERANCE) & (sums != 0)
    if wrong.any():
        place = tuple(int(index) for index in np.argwhere(wrong)[0])
        raise ValueError(
            f"the row at layer, head, query = {place} sums to "
            f"{sums[place]:.4f}: a row of weights sums to 1"
        )


def _json(tokens: Sequence[str]) -> str:
    return json.dumps(list(tokens), ensure_ascii=False)


def _plural(word: str, count: int) -> str:
    if count == 1:
        return word
    return "queries" if word == "query" else f"{word}s"
