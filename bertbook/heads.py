"""Look into a trained model: read its attention weights, remove its heads.

Both work on any model built from `MultiHeadAttention`, and leave it as it
was. Layers are counted from 0, in the order in which the model holds them.
"""

from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from torch import Tensor, nn

from bertbook.attention import MultiHeadAttention


def attention_layers(model: nn.Module) -> list[MultiHeadAttention]:
    """Return a model's attention layers, the first one first.

    Raises:
        ValueError: if the model has none.
    """
    layers = [m for m in model.modules() if isinstance(m, MultiHeadAttention)]
    if not layers:
        raise ValueError(
            f"{type(model).__name__} holds no MultiHeadAttention: give a"
            " model that attends"
        )
    return layers


@contextmanager
def recorded_weights(model: nn.Module) -> Iterator[list[Tensor]]:
    """Collect the weights of every attention layer while the model runs.

    Each run appends one tensor (batch, heads, query, key) per layer.

    >>> import torch
    >>> layer = MultiHeadAttention(8, 2)
    >>> with recorded_weights(layer) as weights:
    ...     output, _ = layer(torch.ones(1, 3, 8))
    >>> weights[0].shape
    torch.Size([1, 2, 3, 3])

    Raises:
        ValueError: if the model does not attend.
    """
    weights: list[Tensor] = []

    def ask(layer: nn.Module, args: Any, kwargs: dict) -> tuple[Any, dict]:
        return args, kwargs | {"return_weights": True}

    def keep(layer: nn.Module, args: Any, result: Any) -> None:
        weights.append(result[1].detach())

    with ExitStack() as stack:
        for layer in attention_layers(model):
            before = layer.register_forward_pre_hook(ask, with_kwargs=True)
            stack.callback(before.remove)
            stack.callback(layer.register_forward_hook(keep).remove)
        yield weights


@contextmanager
def heads_removed(
    model: nn.Module, removed: Collection[tuple[int, int]]
) -> Iterator[None]:
    """Put zeros in place of some heads' results, before W^O reads them.

    Args:
        model: any model that attends.
        removed: pairs (layer, head), counted from 0.

    Raises:
        ValueError: for a layer or a head that the model does not have.

    Source: Michel et al. (2019), §2.3.
    """
    layers = attention_layers(model)
    for level, head in removed:
        if not (0 <= level < len(layers)):
            raise ValueError(f"layer {level}: there are {len(layers)} layers")
        if not (0 <= head < layers[level].num_heads):
            raise ValueError(
                f"head {head}: layer {level} has {layers[level].num_heads}"
            )
    with ExitStack() as stack:
        for level, layer in enumerate(layers):
            heads = [head for place, head in removed if place == level]
            hook = _silence(heads, layer.num_heads)
            stack.callback(layer.output.register_forward_pre_hook(hook).remove)
        yield


def _silence(heads: Collection[int], num_heads: int) -> Any:
    """Return a hook that sets these heads' columns to zero."""

    def hook(layer: nn.Module, args: tuple[Tensor]) -> tuple[Tensor]:
        pieces = args[0].unflatten(-1, (num_heads, -1)).clone()
        for head in heads:
            pieces[..., head, :] = 0.0
        return (pieces.flatten(-2),)

    return hook
