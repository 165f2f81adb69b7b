"""oneDNN's products are PyTorch's, and are taken only where they pay."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from bertbook.masking import IGNORED
from bertbook.pretraining import precision
from bertbook.pretraining.batches import Batches
from bertbook.pretraining.loop import Run
from bertbook.pretraining.loss import MaskedLMLoss
from bertbook.pretraining.precision import choose_numbers, choose_products
from bertbook.pretraining.prepare import Prepared
from bertbook.pretraining.products import OneDNN, has_onednn, onednn_product
from tests.pretraining import toy

needs_onednn = pytest.mark.skipif(
    not has_onednn(), reason="oneDNN cannot multiply here"
)
PROCESSOR = torch.device("cpu")


class Products(TorchDispatchMode):
    """Count the products that oneDNN computes."""

    count = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        """Look at an operation, and run it."""
        self.count += func is torch.ops.bertbook.onednn_product.default
        return func(*args, **(kwargs or {}))


def made(*shape: int, out: int) -> list[Tensor]:
    """Return an input, a weight and a bias to be differentiated."""
    torch.manual_seed(0)
    given = (
        torch.randn(*shape),
        torch.randn(out, shape[-1]),
        torch.randn(out),
    )
    return [each.requires_grad_() for each in given]


@needs_onednn
@pytest.mark.parametrize("out", [8, 48, 100])
@pytest.mark.parametrize("shape", [(5, 48), (3, 7, 48), (48,), (1, 1, 48)])
@pytest.mark.parametrize("bias", [True, False])
def test_linear_and_its_gradients_are_pytorch_s(
    shape: tuple[int, ...], out: int, bias: bool
) -> None:
    ours, theirs = made(*shape, out=out), made(*shape, out=out)
    if not bias:
        ours, theirs = ours[:2], theirs[:2]
    with OneDNN(), Products() as counted:
        found = F.linear(*ours)
        found.square().sum().backward()
    wanted = F.linear(*theirs)
    wanted.square().sum().backward()
    assert counted.count == 3
    torch.testing.assert_close(found, wanted, atol=1e-4, rtol=1e-5)
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a.grad, b.grad, atol=1e-2, rtol=1e-5)


@needs_onednn
def test_only_the_gradients_that_are_asked_for_are_computed() -> None:
    x, weight, bias = (each.detach() for each in made(5, 48, out=8))
    weight.requires_grad_()
    with OneDNN(), Products() as counted:
        F.linear(x, weight, bias).sum().backward()
    assert counted.count == 2


@needs_onednn
def test_a_module_goes_through_it_and_other_functions_do_not() -> None:
    layer, x = torch.nn.Linear(48, 8), torch.randn(5, 48)
    with OneDNN(), Products() as counted:
        found = F.gelu(layer(x))
    assert counted.count == 1
    torch.testing.assert_close(found, F.gelu(layer(x)))
    with Products() as counted:
        layer(x)
    assert counted.count == 0


@needs_onednn
@pytest.mark.parametrize("case", ["autocast", "float64", "empty"])
def test_what_is_not_for_it_stays_with_pytorch(case: str) -> None:
    layer, x = torch.nn.Linear(48, 8), torch.randn(5, 48)
    if case == "float64":
        layer, x = layer.double(), x.double()
    if case == "empty":
        x = x[:0]
    with (
        torch.autocast("cpu", torch.bfloat16, enabled=case == "autocast"),
        Products() as counted,
    ):
        wanted = layer(x)
        with OneDNN():
            found = layer(x)
    assert counted.count == 0
    assert found.dtype is wanted.dtype
    assert torch.equal(found, wanted)


@needs_onednn
def test_the_loss_and_its_gradients_are_the_same(texts: Prepared) -> None:
    rows, labels = Batches(texts.train, toy.CONFIG, texts.vocabulary)(0)
    model = toy.changed(dropout=0.0).build()
    losses, gradients, counts = [], [], []
    for onednn in (False, True):
        loss_of = MaskedLMLoss(model, onednn=onednn)
        with Products() as counted:
            loss = loss_of(rows, labels)
            loss.backward()
        losses.append(loss.item())
        counts.append(counted.count)
        gradients.append([p.grad for p in model.parameters()])
        model.zero_grad()
    # Three for each linear layer; two for the scores, MKL has the third.
    linear = sum(isinstance(m, torch.nn.Linear) for m in model.modules())
    assert counts == [0, 3 * linear + 2]
    assert losses[1] == pytest.approx(losses[0], rel=1e-5)
    for a, b in zip(*gradients, strict=True):
        torch.testing.assert_close(a, b, atol=1e-4, rtol=1e-4)
    assert (labels != IGNORED).any()


@pytest.mark.parametrize(
    ("speeds", "chosen"),
    [
        ({"blas": 180.0, "onednn": 420.0}, "onednn"),
        ({"blas": 180.0, "onednn": 200.0}, "blas"),
        ({"blas": 180.0}, "blas"),
    ],
)
def test_the_other_library_must_pay(
    monkeypatch: pytest.MonkeyPatch, speeds: dict[str, float], chosen: str
) -> None:
    monkeypatch.setattr(precision, "float32_speeds", lambda *_: speeds)
    found, why = choose_products(PROCESSOR)
    assert found == chosen
    assert "blas multiplies fp32 at 180 GFLOP/s" in why


def test_a_choice_is_as_set_or_as_before_or_measured(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(
        precision, "choose_products", lambda _: ("onednn", "measured")
    )
    config = toy.changed(products="auto")
    assert choose_numbers(config, {}).products == "onednn"
    assert choose_numbers(config, {"products": "blas"}).products == "blas"
    config = toy.changed(products="blas")
    numbers = choose_numbers(config, {"products": "onednn"})
    assert numbers == ("no", "blas", "as set; as set")


def no_primitive(*_: object) -> Tensor:
    """Fail as oneDNN does where it has no kernel."""
    raise RuntimeError("could not create a primitive")


def without_kernel(patch: pytest.MonkeyPatch) -> None:
    """Take the kernel away."""
    patch.setattr(torch.ops.mkldnn, "_linear_pointwise", no_primitive)


def without_operator(patch: pytest.MonkeyPatch) -> None:
    """Take away what a build without oneDNN lacks."""
    patch.setattr(torch.ops, "mkldnn", object())


@pytest.mark.parametrize("broken", [without_kernel, without_operator])
def test_where_onednn_cannot_multiply_a_run_does_without(
    monkeypatch: pytest.MonkeyPatch,
    broken: Callable[[pytest.MonkeyPatch], None],
) -> None:
    with monkeypatch.context() as patch:
        broken(patch)
        has_onednn.cache_clear()
        try:
            assert not has_onednn()
            assert list(precision.measure_float32(PROCESSOR, 64)) == ["blas"]
            with pytest.raises(ValueError, match="set products to 'blas'"):
                OneDNN()
        finally:
            has_onednn.cache_clear()


@needs_onednn
def test_a_run_resumes_bit_equal_with_the_library_it_began_with(
    texts: Prepared, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        precision, "choose_products", lambda _: ("onednn", "measured")
    )
    config = toy.changed(products="auto", steps=6)
    whole = Run(config, *texts, tmp_path / "whole").train()
    folder = tmp_path / "stopped"
    Run(config, *texts, folder).train(until=4)
    monkeypatch.setattr(
        precision, "choose_products", lambda _: ("blas", "measured")
    )
    resumed = Run(config, *texts, folder, resume=True)
    assert resumed.step == 4
    assert resumed.facts["products"] == "onednn"
    for a, b in zip(
        whole.state_dict().values(),
        resumed.train().state_dict().values(),
        strict=True,
    ):
        assert torch.equal(a, b)


@needs_onednn
def test_products_of_transposed_views() -> None:
    torch.manual_seed(0)
    a, b = torch.randn(7, 30), torch.randn(7, 11)
    found = onednn_product(a.t(), b.t(), None)
    torch.testing.assert_close(found, a.t() @ b, atol=1e-5, rtol=1e-5)
