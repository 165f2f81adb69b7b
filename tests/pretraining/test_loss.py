"""The loss in parts is the loss of all scores at once."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from bertbook.bert import BertForMaskedLM
from bertbook.masking import IGNORED
from bertbook.pretraining import loss
from bertbook.pretraining.batches import Batches
from bertbook.pretraining.loss import MaskedLMLoss, summed_cross_entropy
from bertbook.pretraining.prepare import Prepared
from tests.pretraining import toy

TOKENS, WIDTH, WORDS = 50, 16, 300


def made() -> list[Tensor]:
    """Return vectors, table and bias to be differentiated, and labels."""
    torch.manual_seed(0)
    given = (
        torch.randn(TOKENS, WIDTH),
        torch.randn(WORDS, WIDTH),
        torch.randn(WORDS),
    )
    labels = torch.randint(WORDS, (TOKENS,))
    return [*(each.requires_grad_() for each in given), labels]


def plain(x: Tensor, table: Tensor, bias: Tensor, labels: Tensor) -> Tensor:
    """Return the loss as PyTorch has it."""
    return F.cross_entropy(
        F.linear(x, table, bias).float(), labels, reduction="sum"
    )


@pytest.mark.parametrize("at_once", [WORDS - 1, 7 * WORDS, 10**6])
def test_loss_and_gradients_are_those_of_all_scores(
    monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    monkeypatch.setattr(loss, "_SCORES_AT_ONCE", at_once)
    ours, theirs = made(), made()
    found, wanted = summed_cross_entropy(*ours), plain(*theirs)
    (0.25 * found).backward()
    (0.25 * wanted).backward()
    assert found.item() == pytest.approx(wanted.item(), rel=1e-6)
    for a, b in zip(ours[:3], theirs[:3], strict=True):
        torch.testing.assert_close(a.grad, b.grad, atol=1e-5, rtol=1e-5)


def test_half_precision_differs_by_its_rounding_alone() -> None:
    ours, theirs = made(), made()
    with torch.autocast("cpu", torch.bfloat16):
        found = summed_cross_entropy(*ours)
    wanted = plain(*theirs)
    found.backward()
    wanted.backward()
    assert found.dtype is torch.float32
    assert found.item() != wanted.item()
    assert found.item() == pytest.approx(wanted.item(), rel=1e-2)
    for a, b in zip(ours[:3], theirs[:3], strict=True):
        assert a.grad.dtype is torch.float32
        assert (a.grad - b.grad).norm() < 0.01 * b.grad.norm()


def test_where_nothing_is_asked_nothing_is_learnt() -> None:
    x, table, bias, labels = made()
    found = summed_cross_entropy(x[:0], table, bias, labels[:0])
    found.backward()
    assert found.item() == 0
    assert not table.grad.any()
    assert not bias.grad.any()


def test_a_second_backward_pass_is_refused() -> None:
    found = summed_cross_entropy(*made())
    found.backward(retain_graph=True)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        found.backward()


class Largest(TorchDispatchMode):
    """Note the size of the largest tensor that is made."""

    size = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        """Run an operation, and look at what comes out."""
        made = func(*args, **(kwargs or {}))
        if isinstance(made, Tensor):
            self.size = max(self.size, made.numel())
        return made


def test_the_scores_are_never_all_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(loss, "_SCORES_AT_ONCE", 8 * WORDS)
    sizes = []
    for form in (summed_cross_entropy, plain):
        given = made()
        with Largest() as largest:
            form(*given).backward()
        sizes.append(largest.size)
    assert sizes == [WORDS * WIDTH, WORDS * TOKENS]


def test_a_model_s_loss_is_that_of_its_scores(texts: Prepared) -> None:
    batches = Batches(texts.train, toy.CONFIG, texts.vocabulary)
    rows, labels = batches(0)
    torch.manual_seed(0)
    model: BertForMaskedLM = toy.CONFIG.build().eval()
    chosen = labels != IGNORED
    logits = model(
        rows.token_ids,
        mask=rows.mask,
        position_ids=rows.position_ids,
        positions=chosen,
    )
    wanted = F.cross_entropy(logits, labels[chosen], reduction="sum")
    gradients = torch.autograd.grad(wanted, list(model.parameters()))
    fed = []
    for block in model.bert.encoder.blocks:
        block.feed_forward.register_forward_hook(
            lambda _, given, __: fed.append(given[0].shape[:-1].numel())
        )
    MaskedLMLoss(model)(rows, labels).backward()
    assert fed == [labels.numel(), int(chosen.sum())]
    for (name, parameter), gradient in zip(
        model.named_parameters(), gradients, strict=True
    ):
        torch.testing.assert_close(
            parameter.grad, gradient, atol=1e-4, rtol=1e-4, msg=name
        )
