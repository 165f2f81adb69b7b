"""The stacks: against PyTorch, by property, with and without a cache."""

import pytest
import torch

from bertbook.attention import MultiHeadAttention
from bertbook.blocks import AddAndNorm, PreNormAdd
from bertbook.masks import as_ignored, causal_mask, padding_mask
from bertbook.positions import RelativeAttention, RotaryAttention
from bertbook.transformer import (
    Transformer,
    TransformerConfig,
    check_source,
    greedy_decode,
)
from tests.unit.torch_twins import copy_transformer, draw, torch_stacks

CONFIG = TransformerConfig(
    vocab_size=37,
    d_model=28,
    num_heads=2,
    d_ff=13,
    num_layers=3,
    dropout=0.1,
    max_len=19,
)
VARIANTS = pytest.mark.parametrize(
    "attention", [MultiHeadAttention, RotaryAttention, RelativeAttention]
)
ORDERS = pytest.mark.parametrize("residual", [AddAndNorm, PreNormAdd])
START, END = 1, 2


def make(attention=MultiHeadAttention, residual=AddAndNorm) -> Transformer:
    torch.manual_seed(0)
    return Transformer(CONFIG, attention, residual).eval()


def ids(*shape: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(3, 37, shape, generator=generator)


LENGTHS = torch.tensor([13, 7, 1])
SOURCE, TARGET = ids(3, 13), ids(3, 7, seed=1)
PADDING = padding_mask(LENGTHS, 13)


@ORDERS
def test_the_stacks_equal_pytorchs(residual):
    ours = make(residual=residual)
    theirs = torch_stacks(CONFIG, residual).eval()
    copy_transformer(ours, theirs)
    x, y = draw(3, 13, 28), draw(3, 7, 28)
    expected = theirs(
        x,
        y,
        tgt_mask=as_ignored(causal_mask(7)),
        src_key_padding_mask=as_ignored(PADDING),
        memory_key_padding_mask=as_ignored(PADDING),
    )
    memory = ours.encoder(x, PADDING[:, None])
    got = ours.decoder(y, memory, PADDING[:, None])
    torch.testing.assert_close(got, expected, rtol=0, atol=1e-5)


def test_the_original_sizes_have_the_known_count():
    with torch.device("meta"):
        ours = Transformer(TransformerConfig())
        theirs = torch_stacks(TransformerConfig(), PreNormAdd)

    def count(module):
        return sum(p.numel() for p in module.parameters())

    final_norms = 2 * 2 * 512
    assert count(theirs) == 44_140_544
    assert count(ours) - 37_000 * 512 == 44_140_544 - final_norms


@VARIANTS
def test_padding_changes_nothing(attention):
    model = make(attention)
    logits = model(SOURCE, PADDING, TARGET)
    for row, length in enumerate(LENGTHS.tolist()):
        alone = SOURCE[row : row + 1, :length]
        everything = torch.ones(1, length, dtype=torch.bool)
        one = model(alone, everything, TARGET[row : row + 1])
        torch.testing.assert_close(logits[row], one[0], rtol=0, atol=1e-5)


@VARIANTS
def test_the_future_changes_nothing(attention):
    model = make(attention)
    before = model(SOURCE, PADDING, TARGET)
    changed = TARGET.clone()
    changed[:, 4] = 3 + (TARGET[:, 4] - 2) % 34
    after = model(SOURCE, PADDING, changed)
    torch.testing.assert_close(after[:, :4], before[:, :4], rtol=0, atol=1e-6)
    assert not torch.allclose(after[:, 4:], before[:, 4:], atol=1e-3)


@VARIANTS
def test_swapped_tokens_change_something(attention):
    model = make(attention)
    swapped = SOURCE.clone()
    swapped[0, :2] = SOURCE[0, :2].flip(0)
    assert not torch.allclose(
        model(SOURCE, PADDING, TARGET)[0],
        model(swapped, PADDING, TARGET)[0],
        atol=1e-3,
    )


@VARIANTS
@ORDERS
def test_every_parameter_gets_gradient(attention, residual):
    model = make(attention, residual).train()
    logits = model(SOURCE, PADDING, TARGET)
    logits.logsumexp(-1).mean().backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name


@VARIANTS
@ORDERS
def test_one_pass_equals_step_by_step(attention, residual):
    model = make(attention, residual)
    memory = model.encode(SOURCE, PADDING)
    whole = model.decode(TARGET, memory, PADDING)
    cache = model.decoder.new_cache()
    steps = [
        model.decode(TARGET[:, i : i + 1], memory, PADDING, cache)
        for i in range(TARGET.shape[1])
    ]
    torch.testing.assert_close(
        torch.cat(steps, dim=1), whole, rtol=0, atol=1e-5
    )
    cache = model.decoder.new_cache()
    chunks = [
        model.decode(part, memory, PADDING, cache)
        for part in (TARGET[:, :3], TARGET[:, 3:])
    ]
    torch.testing.assert_close(torch.cat(chunks, 1), whole, rtol=0, atol=1e-5)


def decode(model, **options):
    return greedy_decode(
        model, SOURCE, PADDING, start_id=START, end_id=END, **options
    )


@VARIANTS
def test_the_cache_changes_no_word(attention):
    model = make(attention)
    assert torch.equal(
        decode(model, max_len=17),
        decode(model, max_len=17, use_cache=False),
    )


def test_greedy_decoding_takes_the_likeliest_at_every_step():
    model = make()
    written = decode(model, max_len=11)
    start = torch.full((3, 1), START)
    inputs = torch.cat([start, written[:, :-1]], dim=1)
    likeliest = model(SOURCE, PADDING, inputs).argmax(-1)
    for row in range(3):
        ends = (written[row] == END).nonzero()
        stop = ends[0].item() + 1 if len(ends) else written.shape[1]
        assert torch.equal(written[row, :stop], likeliest[row, :stop])
        assert (written[row, stop:] == END).all()


def test_decoding_stops_when_all_rows_have_ended():
    model = make()
    with torch.no_grad():  # every hidden state now points to the end
        model.decoder.blocks[-1].add_feed_forward.norm.weight.zero_()
        bias = model.decoder.blocks[-1].add_feed_forward.norm.bias
        bias.copy_(100 * model.embedding.table.weight[END])
    assert decode(model, max_len=17).tolist() == [[END]] * 3


def test_decoding_leaves_the_mode_as_it_was():
    model = make().train()
    first = decode(model, max_len=5)
    assert model.training
    assert torch.equal(first, decode(model, max_len=5))


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"max_len": 20}, "max_len is 20: this model writes 1 to 19"),
        ({"max_len": 0}, "max_len is 0"),
        ({"max_len": 5, "start_id": 37}, "token id 37"),
        ({"max_len": 5, "end_id": -1}, "token id -1"),
    ],
)
def test_impossible_decoding_is_named(options, named):
    arguments = {"start_id": START, "end_id": END} | options
    with pytest.raises(ValueError, match=named):
        greedy_decode(make(), SOURCE, PADDING, **arguments)


@pytest.mark.parametrize(
    ("source", "lengths", "named"),
    [
        (ids(2, 13), [13, 0], r"rows \[1\] of the source are all padding"),
        (ids(2, 20), [20, 20], "20 tokens, max_len is 19"),
        (ids(2, 13) + 10, [13, 13], "is not in the vocabulary"),
        (ids(2, 0), [0, 0], "hold no token"),
    ],
)
def test_an_impossible_source_is_named(source, lengths, named):
    padding = torch.arange(source.shape[1]) < torch.tensor(lengths)[:, None]
    with pytest.raises(ValueError, match=named):
        check_source(source, padding, CONFIG)


@pytest.mark.parametrize("name", ["vocab_size", "num_layers", "max_len"])
def test_impossible_sizes_are_named(name):
    with pytest.raises(ValueError, match=f"{name} is 0"):
        TransformerConfig(**{name: 0})


def test_relative_attention_has_one_sequence():
    attention = RelativeAttention(8, 2)
    with pytest.raises(ValueError, match=r"\(1, 5, 8\).*no distance"):
        attention(draw(1, 3, 8), draw(1, 5, 8))
