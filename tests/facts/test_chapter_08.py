"""Each entry of book/facts.yml about chapter 08, shown by running it.

F-37 and F-96 belong to earlier chapters as well, and are tested there.
"""

import re
from pathlib import Path

import torch
from torch import nn

from bertbook.families import BertLike, ElmoLike, interaction, reachability
from bertbook.transformer import TransformerConfig

ROOT = Path(__file__).resolve().parents[2]
SIZES = TransformerConfig(
    vocab_size=37,
    d_model=26,
    num_heads=2,
    d_ff=13,
    num_layers=3,
    dropout=0.0,
    max_len=16,
)


def test_f61():
    """The chapter's table has GPT-1 before BERT, and one family of GPTs."""
    source = (ROOT / "chapters/08_three_families.py").read_text("utf-8")
    rows = re.findall(
        r'\("([\w-]+)", date\((\d+), (\d+), (\d+)\), "([\w–-]+)', source
    )
    days = {name: tuple(map(int, day)) for name, *day, _ in rows}
    family = {name: kind for name, *_, kind in rows}
    assert days["GPT-1"] == (2018, 6, 11)
    assert days["Transformer"] < days["GPT-1"] < days["BERT"]
    assert {
        family[name] for name in ("GPT-1", "GPT-2", "GPT-3", "ChatGPT")
    } == {"decoder-only"}
    assert family["BERT"] == "encoder-only"


def test_f84():
    """Everything is reached; the two sides never act together."""
    torch.manual_seed(0)
    x = torch.randn(1, 7, 26, dtype=torch.float64)
    elmo = ElmoLike(SIZES).double().eval()
    assert reachability(elmo.read, x).all()
    right = reachability(lambda v: elmo.rightward(v)[0], x)
    assert torch.equal(right, torch.ones(7, 7).tril().bool())
    derivatives = torch.autograd.functional.jacobian(elmo.read, x)
    knows = (derivatives[0, 3, :, 0] != 0).any(-1)  # number of state 3, word
    assert knows.any(0).all()
    assert not (knows[:, :3].any(1) & knows[:, 4:].any(1)).any()
    bert = BertLike(SIZES).double().eval()
    for position in range(1, 6):
        assert interaction(elmo.read, x, position) < 1e-12
        assert interaction(bert.read, x, position) > 1e-6


def test_f119():
    """A ported fit is the same fit; a start from weights is another one."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(30, 3, generator=generator, dtype=torch.float64)
    y = x @ torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64)
    y = y + 0.1 * torch.randn(30, generator=generator, dtype=torch.float64)
    one = torch.linalg.solve(x.T @ x, x.T @ y)
    ported = torch.linalg.lstsq(x, y).solution
    torch.testing.assert_close(one, ported)

    def loss_after_one_step(start):
        layer = nn.Linear(3, 1, bias=False).double()
        layer.weight.data = start[None].clone()
        loss = (layer(x[:4])[:, 0] - y[:4]).square().mean()
        loss.backward()
        layer.weight.data -= 0.1 * layer.weight.grad
        return (layer(x)[:, 0] - y).square().mean().item()

    near = torch.tensor([0.9, -1.8, 0.4], dtype=torch.float64)
    assert loss_after_one_step(near) < loss_after_one_step(0 * near) / 3
