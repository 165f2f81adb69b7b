"""Which library multiplies float32 matrices on a processor.

PyTorch has two at hand. It asks its BLAS library, which is Intel's MKL in most
builds, and leaves bfloat16 to oneDNN. Where MKL uses half of what another
maker's processor can do, oneDNN is twice as fast in float32 too. Which one
pays is a measurement, never a guess.
"""

from functools import cache
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode


@torch.library.custom_op("bertbook::onednn_product", mutates_args=())
def onednn_product(a: Tensor, b: Tensor, bias: Tensor | None = None) -> Tensor:
    """Return `a @ b.T + bias` in float32; it can be differentiated.

    Args:
        a: a matrix, rows by inner; a transposed view costs no copy.
        b: another, columns by inner.
        bias: a number for each column, or None.
    """
    # What `torch.compile` calls when it gives a product to oneDNN.
    return torch.ops.mkldnn._linear_pointwise(a, b, bias, "none", [], "")


@onednn_product.register_fake
def _shape(a: Tensor, b: Tensor, bias: Tensor | None) -> Tensor:
    """Say what the product looks like, to `torch.compile`."""
    return a.new_empty(a.shape[0], b.shape[0])


def _keep(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    """Keep what the gradients need."""
    ctx.save_for_backward(*inputs[:2])


def _gradients(ctx: Any, slope: Tensor) -> tuple[Tensor | None, ...]:
    """Return the gradients that are asked for."""
    a, b = ctx.saved_tensors
    by_a, by_b, *by_bias = ctx.needs_input_grad  # nothing where it is None
    db = None
    if by_b and b.shape[0] > b.shape[1]:
        # oneDNN is faster where the result has the longer side across.
        db = onednn_product(a.t(), slope.t(), None).t()
    elif by_b:
        db = onednn_product(slope.t(), a.t(), None)
    da = onednn_product(slope, b.t(), None) if by_a else None
    return da, db, slope.sum(0) if any(by_bias) else None


onednn_product.register_autograd(_gradients, setup_context=_keep)


@cache
def has_onednn() -> bool:
    """Return whether oneDNN can multiply here; tried once in a process."""
    one = torch.ones(1, 1)
    try:
        return torch.equal(onednn_product(one, one, one[0]), one + one)
    except (AttributeError, RuntimeError):
        return False  # not built in, not for this processor, or changed


class OneDNN(TorchFunctionMode):
    """Let oneDNN compute `linear`, forward and backward, inside a `with`.

    It takes over float32 on processors alone: autocast's formats are oneDNN's
    already.

    Raises:
        ValueError: if oneDNN cannot multiply here.
    """

    def __init__(self) -> None:
        super().__init__()
        if not has_onednn():
            raise ValueError(
                "this PyTorch's oneDNN cannot multiply here: set products to"
                " 'blas', or to 'auto'"
            )

    def __torch_function__(
        self,
        func: Any,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """Replace one function, and pass on all others."""
        given = kwargs or {}
        if func is F.linear:
            return _linear(*args, **given)
        return func(*args, **given)


def _linear(
    input: Tensor, weight: Tensor, bias: Tensor | None = None
) -> Tensor:
    """Return `F.linear`, by oneDNN if it is for it."""
    plain = (
        input.device.type == "cpu"
        and input.dtype == weight.dtype == torch.float32
        and not torch.is_autocast_enabled("cpu")
        and input.numel() > 0
    )
    if not plain:
        return F.linear(input, weight, bias)
    flat = onednn_product(input.reshape(-1, input.shape[-1]), weight, bias)
    return flat.view(*input.shape[:-1], -1)
