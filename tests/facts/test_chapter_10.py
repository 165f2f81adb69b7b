"""Each entry of book/facts.yml about chapter 10, shown by running it."""

import torch

from bertbook.bert import Bert, BertConfig, BertForMaskedLM
from bertbook.masking import IGNORED, MaskingConfig, mask_spans, mask_tokens
from bertbook.masks import causal_mask

SIZE = 331
CONFIG = MaskingConfig(vocab_size=SIZE, mask_id=4, special_ids=range(5))


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def zipf_texts(rows: int, width: int) -> torch.Tensor:
    """Draw ids of which the low ones are far more frequent."""
    draw = torch.rand(rows, width, generator=seeded(7))
    return (draw**4 * (SIZE - 5)).long() + 5


def test_f58():
    """Every entry of the vocabulary has a share, and all make one."""
    torch.manual_seed(0)
    model = BertForMaskedLM(
        Bert(BertConfig(num_layers=1, d_model=24, num_heads=2, d_ff=24))
    ).eval()
    token_ids = torch.randint(5, 30_522, (1, 7), generator=seeded(1))
    places = torch.arange(7)[None] == 3
    with torch.no_grad():
        shares = model(token_ids, positions=places).softmax(-1)[0]
    assert shares.shape == (30_522,)
    assert (shares > 0).all()
    assert abs(shares.sum().item() - 1) < 1e-4
    assert shares.topk(3).values.sum() < 0.99


def test_f67():
    """Replacements are as frequent for rare words as for common ones."""
    texts = zipf_texts(2_000, 200)
    masked = mask_tokens(texts, CONFIG, seeded(2))
    chosen = masked.labels != IGNORED
    random = chosen & (masked.token_ids != texts) & (masked.token_ids != 4)
    drawn = torch.bincount(masked.token_ids[random], minlength=SIZE).double()
    text = torch.bincount(texts.flatten(), minlength=SIZE).double()
    expected = drawn.sum() / (SIZE - 1)
    spread = (drawn - expected)[torch.arange(SIZE) != 4] / expected.sqrt()
    assert spread.abs().max() < 5
    assert text.max() > 20 * text.mean()
    assert (drawn[:4] > 0).all()  # the special tokens are drawn as well


def test_f68():
    """Choices of neighbors are independent; in spans they are not."""
    texts = zipf_texts(2_000, 200)
    continues = torch.zeros(SIZE, dtype=torch.bool)
    together = {}
    for name, labels in (
        ("single", mask_tokens(texts, CONFIG, seeded(3)).labels),
        ("spans", mask_spans(texts, CONFIG, seeded(3), continues).labels),
    ):
        chosen = (labels != IGNORED).double()
        both = (chosen[:, 1:] * chosen[:, :-1]).mean()
        together[name] = (both / chosen.mean()).item()
    assert abs(together["single"] - 0.15) < 0.01
    assert together["spans"] > 0.35


def test_f49_the_two_masks_of_chapter_10():
    """[MASK] changes an id; a causal mask changes who reads whom."""
    torch.manual_seed(0)
    sizes = BertConfig(
        vocab_size=SIZE, num_layers=1, d_model=24, num_heads=2, d_ff=24
    )
    model = Bert(sizes).eval()
    ids = torch.tensor([[7, 4, 9, 11]])
    later = torch.tensor([[7, 4, 9, 12]])
    with torch.no_grad():
        open_gap = (model(ids) - model(later))[0, 1].abs().max()
        mask = causal_mask(4)[None]
        closed = model(ids, mask=mask) - model(later, mask=mask)
    assert open_gap > 1e-4
    assert closed[0, :3].abs().max() < 1e-6
