"""BERT by property: shapes, padding, packing, gradients, counts."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from bertbook.bert import (
    SIZES,
    Bert,
    BertConfig,
    BertForMaskedLM,
    BertForPreTraining,
    PooledBert,
    RotaryBert,
    check_inputs,
    initialise,
    sized,
)
from bertbook.masks import padding_mask

ROOT = Path(__file__).resolve().parents[2]
CONFIG = BertConfig(
    vocab_size=37,
    d_model=28,
    num_heads=2,
    d_ff=13,
    num_layers=3,
    max_len=19,
)
LENGTHS = torch.tensor([13, 7, 1])
PADDING = padding_mask(LENGTHS, 13)
KINDS = pytest.mark.parametrize("kind", [Bert, RotaryBert])
DTYPES = pytest.mark.parametrize(
    "dtype", [torch.float32, torch.float64, torch.bfloat16]
)


def ids(*shape: int, below: int = 37, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(below, shape, generator=generator)


TOKENS = ids(3, 13)
SEGMENTS = (torch.arange(13) > 4).long().expand(3, 13).contiguous()


def make(kind=Bert, scale: float = 10.0) -> Bert:
    """Return a model whose weights are large enough to tell inputs apart."""
    torch.manual_seed(0)
    model = kind(CONFIG).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim == 2:
                parameter.mul_(scale)
    return model


def close(got, expected, atol: float = 1e-5) -> None:
    torch.testing.assert_close(got, expected, rtol=0, atol=atol)


@KINDS
@DTYPES
def test_there_is_one_vector_per_token_of_the_models_type(kind, dtype):
    hidden = make(kind).to(dtype)(TOKENS, SEGMENTS, PADDING[:, None])
    assert hidden.shape == (3, 13, 28)
    assert hidden.dtype == dtype
    assert hidden.isfinite().all()


@KINDS
def test_types_agree(kind):
    model = BertForMaskedLM(make(kind, scale=1.0))
    single = model(TOKENS, SEGMENTS, PADDING[:, None])
    double = model.double()(TOKENS, SEGMENTS, PADDING[:, None])
    close(single.double(), double)
    half = model.bfloat16()(TOKENS, SEGMENTS, PADDING[:, None])
    close(half.double(), double, atol=0.02)


@KINDS
def test_padding_changes_nothing(kind):
    model = BertForPreTraining(make(kind)).eval()
    words, pair = model(TOKENS, SEGMENTS, PADDING[:, None])
    for row, length in enumerate(LENGTHS.tolist()):
        one = slice(row, row + 1)
        alone = model(TOKENS[one, :length], SEGMENTS[one, :length])
        close(words[one, :length], alone[0])
        close(pair[one], alone[1])


@KINDS
def test_what_stands_under_the_padding_changes_nothing(kind):
    model = make(kind)
    other = torch.where(PADDING, TOKENS, (TOKENS + 1) % 37)
    before = model(TOKENS, mask=PADDING[:, None])
    after = model(other, mask=PADDING[:, None])
    close(after[PADDING], before[PADDING], atol=0)


@KINDS
def test_every_token_reads_both_directions(kind):
    model = make(kind)
    before = model(TOKENS)
    for place in (0, 6, 12):
        changed = TOKENS.clone()
        changed[:, place] = (changed[:, place] + 1) % 37
        moved = (model(changed) - before).abs().amax(-1)
        assert (moved > 1e-4).all()


@KINDS
def test_order_matters(kind):
    model, tokens = make(kind), torch.arange(13)[None]
    swapped = tokens.clone()
    swapped[0, 3:5] = tokens[0, 3:5].flip(0)
    assert (model(swapped)[0, 0] - model(tokens)[0, 0]).abs().max() > 1e-3


@KINDS
def test_segments_matter_and_are_0_by_default(kind):
    model = make(kind)
    close(model(TOKENS, torch.zeros_like(TOKENS)), model(TOKENS))
    changed = (model(TOKENS, SEGMENTS) - model(TOKENS)).abs().amax(-1)
    assert (changed > 1e-4).all()


def test_positions_matter_and_are_counted_from_0_by_default():
    model = make()
    counted = torch.arange(13).expand(3, 13)
    close(model(TOKENS, position_ids=counted), model(TOKENS), atol=1e-6)
    shifted = model(TOKENS, position_ids=counted + 5)
    assert ((shifted - model(TOKENS)).abs().amax(-1) > 1e-4).all()


def test_a_rotary_model_knows_distances_only():
    model = make(RotaryBert)
    together = torch.cat([ids(1, 7, seed=1), TOKENS[:1, :7]], dim=1)
    apart = torch.block_diag(torch.ones(7, 7), torch.ones(7, 7)).bool()[None]
    close(model(together, mask=apart)[:, 7:], model(TOKENS[:1, :7]))
    assert not any("position" in n for n, _ in model.named_parameters())


@KINDS
def test_a_packed_row_equals_its_sequences(kind):
    model = BertForMaskedLM(make(kind)).eval()
    lengths = [7, 13, 1, 5]  # 26 tokens, more than max_len
    pieces = [ids(1, n, seed=n) for n in lengths]
    segments = [ids(1, n, below=2, seed=n) for n in lengths]
    number = torch.arange(4).repeat_interleave(torch.tensor(lengths))[None]
    restarted = torch.cat([torch.arange(n) for n in lengths])[None]
    packed = model(
        torch.cat(pieces, 1),
        torch.cat(segments, 1),
        number[:, :, None] == number[:, None, :],
        restarted,
    )
    alone = [model(*pair) for pair in zip(pieces, segments, strict=True)]
    close(packed, torch.cat(alone, 1))


@KINDS
def test_chosen_positions_are_those_of_all_logits(kind):
    model = BertForPreTraining(make(kind)).eval()
    chosen = ids(3, 13, below=2, seed=3).bool()
    every, pair = model(TOKENS, SEGMENTS, PADDING[:, None])
    some, same = model(TOKENS, SEGMENTS, PADDING[:, None], positions=chosen)
    assert some.shape == (chosen.sum(), 37)
    close(some, every[chosen])
    close(same, pair, atol=0)
    none = model(TOKENS, positions=torch.zeros_like(chosen))[0]
    assert none.shape == (0, 37)


@KINDS
def test_every_parameter_gets_gradient(kind):
    torch.manual_seed(0)
    model = BertForPreTraining(kind(CONFIG))
    words, pair = model(TOKENS, SEGMENTS, PADDING[:, None])
    (
        words[PADDING].logsumexp(-1).mean() + pair.logsumexp(-1).mean()
    ).backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        # A key's bias adds one number to all scores of a query: no effect.
        assert parameter.grad.any() or name.endswith("key.bias"), name


def test_dropout_is_on_weights_and_residuals_and_off_in_evaluation():
    model = make().train()
    assert not torch.equal(model(TOKENS), model(TOKENS))
    block = model.encoder.blocks[0]
    assert block.attention.dropout == 0.1
    assert block.add_attention.dropout.p == 0.1
    assert block.add_feed_forward.dropout.p == 0.1
    assert model.embeddings.dropout.p == 0.1
    model.eval()
    assert torch.equal(model(TOKENS), model(TOKENS))


def test_the_head_shares_the_word_table():
    model = BertForMaskedLM(Bert(CONFIG))
    table = model.bert.embeddings.word.weight
    assert model.head.table is table
    own = sum(p.numel() for p in model.head.parameters()) - table.numel()
    assert own == 28 * 28 + 28 + 2 * 28 + 37
    hidden = torch.randn(5, 28, generator=torch.Generator().manual_seed(0))
    before = model.head(hidden)
    with torch.no_grad():
        table[3] *= 2.0
    moved = (model.head(hidden) - before).abs().amax(0) > 1e-4
    assert moved.nonzero().flatten().tolist() == [3]


def test_the_pooler_reads_the_first_token():
    model = PooledBert(make()).eval()
    hidden, pooled = model(TOKENS, SEGMENTS, PADDING[:, None])
    by_hand = hidden[:, 0] @ model.pooler.linear.weight.T
    close(pooled, (by_hand + model.pooler.linear.bias).tanh())


def test_weights_are_drawn_with_the_papers_deviation():
    torch.manual_seed(0)
    model = BertForPreTraining(Bert(sized(2, 128)))
    for name, parameter in model.named_parameters():
        if name.endswith("bias"):
            assert not parameter.any(), name
        elif "norm" in name:
            assert (parameter == 1).all(), name
        elif parameter.numel() > 10_000:
            assert abs(parameter.std().item() - 0.02) < 5e-4, name
            assert abs(parameter.mean().item()) < 5e-4, name


def test_initialise_reaches_every_part():
    model = nn.Sequential(nn.Linear(7, 13), nn.LayerNorm(13))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.fill_(9.0)
    initialise(model)
    assert model[0].weight.abs().max() < 0.2
    assert not model[0].bias.any()
    assert (model[1].weight == 1).all()
    assert not model[1].bias.any()


KNOWN = {  # with pooler, without, with both pre-training heads
    "tiny": (4_385_920, 4_369_408, 4_433_468),
    "mini": (11_170_560, 11_104_768, 11_267_900),
    "small": (28_763_648, 28_500_992, 29_058_876),
    "medium": (41_373_184, 41_110_528, 41_668_412),
    "base": (109_482_240, 108_891_648, 110_106_428),
    "large": (335_141_888, 334_092_288, 336_226_108),
}
GRID = {  # number of layers: counts at widths 128, 256, 512 and 768
    2: (4_385_920, 9_591_040, 22_458_880, 38_603_520),
    4: (4_782_464, 11_170_560, 28_763_648, 52_779_264),
    6: (5_179_008, 12_750_080, 35_068_416, 66_955_008),
    8: (5_575_552, 14_329_600, 41_373_184, 81_130_752),
    10: (5_972_096, 15_909_120, 47_677_952, 95_306_496),
    12: (6_368_640, 17_488_640, 53_982_720, 109_482_240),
}


def count(model: nn.Module) -> int:
    return sum(p.numel() for p in model.parameters())


@pytest.mark.parametrize("name", KNOWN)
def test_the_released_sizes_have_the_known_counts(name):
    with torch.device("meta"):
        bert = Bert(SIZES[name])
        counts = count(PooledBert(bert)), count(bert)
        assert (*counts, count(BertForPreTraining(bert))) == KNOWN[name]


def test_the_grid_of_24_has_the_known_counts():
    for layers, row in GRID.items():
        for width, known in zip((128, 256, 512, 768), row, strict=True):
            with torch.device("meta"):
                model = PooledBert(Bert(sized(layers, width)))
            assert count(model) == known


@pytest.mark.parametrize(
    ("vocab_size", "known"), [(28_996, 108_310_272), (119_547, 177_853_440)]
)
def test_another_vocabulary_changes_the_word_table_alone(vocab_size, known):
    with torch.device("meta"):
        model = PooledBert(Bert(BertConfig(vocab_size=vocab_size)))
    assert count(model) == known
    assert known - KNOWN["base"][0] == (vocab_size - 30_522) * 768


COMPILE = """
import sys, torch
from bertbook import bert
config = bert.BertConfig(vocab_size=37, d_model=28, num_heads=2, d_ff=13)
model = getattr(bert, sys.argv[1])(config).eval()
ids, mask = torch.arange(26).view(2, 13), torch.ones(2, 1, 13).bool()
whole = torch.compile(model, backend="eager", fullgraph=True)
assert torch.equal(whole(ids, ids % 2, mask), model(ids, ids % 2, mask))
"""


@KINDS
def test_the_compiler_traces_the_forward_pass_whole(kind):
    # In a process of its own: the tracer cannot read the checks of shapes
    # that stand around every function in these tests.
    command = [sys.executable, "-c", COMPILE, kind.__name__]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr


def test_an_input_past_the_table_is_named():
    with pytest.raises(ValueError, match=r"position 19, .* 18.*19 tokens"):
        make()(ids(1, 20))
    assert make(RotaryBert)(ids(1, 20)).shape == (1, 20, 28)


@pytest.mark.parametrize(
    ("tokens", "segments", "named"),
    [
        (ids(2, 20), None, "20 tokens.*at most 19"),
        (ids(2, 7) + 36, None, "is not in the vocabulary"),
        (ids(2, 7), ids(2, 7) + 2, "segment id .*2 segments"),
        (ids(2, 7), ids(2, 7) - 50, "segment id -.*2 segments"),
        (ids(2, 0), None, "hold no token"),
    ],
)
def test_a_wrong_input_is_named(tokens, segments, named):
    with pytest.raises(ValueError, match=named):
        check_inputs(CONFIG, tokens, segments)


def test_a_right_input_passes():
    check_inputs(CONFIG, TOKENS)
    check_inputs(CONFIG, TOKENS, SEGMENTS)


def test_impossible_sizes_are_named():
    with pytest.raises(ValueError, match="num_segments is 0"):
        BertConfig(num_segments=0)
    with pytest.raises(ValueError, match="12 heads do not divide d_model=100"):
        BertConfig(d_model=100)
    with pytest.raises(ValueError, match="d_model is 100: heads of 64"):
        sized(2, 100)
