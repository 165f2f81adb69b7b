"""Masking: what is chosen, how often, and what becomes of it."""

import math

import pytest
import torch

from bertbook.masking import (
    IGNORED,
    MaskingConfig,
    mask_exactly,
    mask_spans,
    mask_static,
    mask_tokens,
    mask_whole_words,
    maskable,
    span_lengths,
    word_numbers,
)

PAD, UNK, CLS, SEP, MASK = range(5)
SIZE = 1_009
CONFIG = MaskingConfig(
    vocab_size=SIZE, mask_id=MASK, special_ids=(PAD, CLS, SEP)
)
CONTINUES = torch.arange(SIZE) >= 700
"""In these tests the last 309 ids go on inside a word."""


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def texts(rows: int, width: int, seed: int = 0) -> torch.Tensor:
    """Draw rows `[CLS] … [SEP]` of ordinary ids, not of [UNK] either."""
    ids = torch.randint(5, SIZE, (rows, width), generator=seeded(seed))
    ids[:, 0], ids[:, -1] = CLS, SEP
    return ids


WAYS = {
    "tokens": mask_tokens,
    "exactly": mask_exactly,
    "words": lambda ids, config, g: mask_whole_words(
        ids, config, g, CONTINUES
    ),
    "spans": lambda ids, config, g: mask_spans(ids, config, g, CONTINUES),
    "static": lambda ids, config, g: mask_static(
        ids, config, range(len(ids)), g.initial_seed()
    ),
}
each_way = pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)


def within(count: float, trials: int, prob: float, spread: float = 1) -> bool:
    """Tell whether a count lies within 4.5 standard deviations."""
    sigma = math.sqrt(trials * prob * (1 - prob))
    return abs(count - trials * prob) < 4.5 * sigma * spread


@each_way
def test_a_label_stands_where_a_token_was_chosen_and_nowhere_else(way) -> None:
    ids = texts(37, 129)
    read, labels = way(ids, CONFIG, seeded(1))
    chosen = labels != IGNORED
    assert chosen.any()
    assert torch.equal(labels[chosen], ids[chosen])
    assert torch.equal(read[~chosen], ids[~chosen])
    assert (read != ids).any()
    assert read.dtype == labels.dtype == ids.dtype


@each_way
def test_special_tokens_are_never_chosen(way) -> None:
    ids = texts(61, 33)
    ids[:, 20:] = PAD
    ids[:, 19] = SEP
    ids[::2, 4] = MASK
    special = torch.isin(ids, torch.tensor([PAD, CLS, SEP, MASK]))
    for seed in range(5):
        read, labels = way(ids, CONFIG, seeded(seed))
        assert (labels[special] == IGNORED).all()
        assert torch.equal(read[special], ids[special])


@each_way
def test_a_generator_repeats_a_mask(way) -> None:
    ids = texts(7, 37)
    first, again, other = (way(ids, CONFIG, seeded(s)) for s in (3, 3, 4))
    assert torch.equal(first.token_ids, again.token_ids)
    assert torch.equal(first.labels, again.labels)
    assert not torch.equal(first.labels, other.labels)


@each_way
def test_the_input_is_left_as_it_was(way) -> None:
    ids = texts(7, 37)
    before = ids.clone()
    way(ids, CONFIG, seeded(0))
    assert torch.equal(ids, before)


def test_twelve_percent_and_twice_one_and_a_half() -> None:
    """A million tokens: 15 % chosen; 80, 10 and 10 % of them."""
    ids = torch.randint(5, SIZE, (1_000, 1_000), generator=seeded(0))
    read, labels = mask_tokens(ids, CONFIG, seeded(1))
    chosen = labels != IGNORED
    n = ids.numel()
    hidden = (read == MASK) & chosen
    same = (read == ids) & chosen
    other = chosen & ~hidden & ~same
    assert within(chosen.sum().item(), n, 0.15)
    # A random token is the old one, or [MASK], once in 1,009 draws each.
    assert within(hidden.sum().item(), n, 0.12 + 0.015 / SIZE)
    assert within(same.sum().item(), n, 0.015 + 0.015 / SIZE)
    assert within(other.sum().item(), n, 0.015 - 2 * 0.015 / SIZE)


@pytest.mark.parametrize(
    ("mask_prob", "random_prob"),
    [(1.0, 0.0), (0.0, 1.0), (0.0, 0.0), (0.8, 0.2), (0.3, 0.3)],
)
def test_other_shares(mask_prob, random_prob) -> None:
    config = MaskingConfig(
        vocab_size=SIZE,
        mask_id=MASK,
        special_ids=(PAD, CLS, SEP),
        select_prob=0.4,
        mask_prob=mask_prob,
        random_prob=random_prob,
    )
    ids = torch.randint(5, SIZE, (300, 301), generator=seeded(0))
    read, labels = mask_tokens(ids, config, seeded(1))
    chosen = labels != IGNORED
    n = int(chosen.sum())
    assert within(n, ids.numel(), 0.4)
    hidden = ((read == MASK) & chosen).sum().item()
    same = ((read == ids) & chosen).sum().item()
    kept = 1 - mask_prob - random_prob
    if random_prob == 0:
        assert (hidden, same) == (n * mask_prob, n * kept)
        return
    assert within(hidden, n, mask_prob + random_prob / SIZE)
    assert within(same, n, kept + random_prob / SIZE)


def test_random_tokens_are_uniform_and_not_as_frequent_as_in_text() -> None:
    """χ² over all ids: it fits the uniform law, and no unigram one."""
    config = MaskingConfig(
        vocab_size=SIZE,
        mask_id=MASK,
        special_ids=(PAD, CLS, SEP),
        select_prob=1.0,
        mask_prob=0.0,
        random_prob=1.0,
    )
    zipf = 1 / torch.arange(1, SIZE - 4, dtype=torch.float64)
    words = 5 + torch.multinomial(
        zipf, 500_000, replacement=True, generator=seeded(0)
    )
    ids = words.view(500, 1_000)
    drawn = mask_tokens(ids, config, seeded(1)).token_ids.flatten()
    seen = torch.bincount(drawn, minlength=SIZE).double()
    uniform = torch.full((SIZE,), ids.numel() / SIZE, dtype=torch.float64)
    chi_square = ((seen - uniform) ** 2 / uniform).sum().item()
    freedom = SIZE - 1
    assert abs(chi_square - freedom) < 4.5 * math.sqrt(2 * freedom)
    assert (seen[:5] > 0).all()  # special ids are drawn, too
    unigram = torch.bincount(words, minlength=SIZE).double()[5:]
    from_text = ((seen[5:] - unigram) ** 2 / unigram.clamp(min=1)).sum()
    assert from_text > 100 * freedom


@pytest.mark.parametrize(
    ("width", "count"), [(3, 1), (7, 1), (13, 2), (37, 6), (128, 19)]
)
def test_exactly_as_many_as_the_released_code(width, count) -> None:
    """max(1, round(0.15 · tokens)), [CLS] and [SEP] among the tokens."""
    ids = texts(23, width)
    labels = mask_exactly(ids, CONFIG, seeded(0)).labels
    assert ((labels != IGNORED).sum(dim=1) == count).all()


def test_padding_is_not_counted_and_counts_are_capped() -> None:
    ids = texts(3, 128)
    lengths = torch.tensor([128, 64, 5])
    for row, length in zip(ids, lengths, strict=True):
        row[length - 1] = SEP
        row[length:] = PAD
    labels = mask_exactly(ids, CONFIG, seeded(0), lengths=lengths).labels
    assert (labels != IGNORED).sum(dim=1).tolist() == [19, 10, 1]
    labels = mask_exactly(
        ids, CONFIG, seeded(0), lengths=lengths, max_chosen=8
    ).labels
    assert (labels != IGNORED).sum(dim=1).tolist() == [8, 8, 1]


def test_more_asked_for_than_a_row_holds() -> None:
    ids = torch.full((1, 40), PAD)
    ids[0, :3] = torch.tensor([CLS, 9, SEP])
    labels = mask_exactly(ids, CONFIG, seeded(0)).labels
    assert labels[0].tolist() == [IGNORED, 9] + [IGNORED] * 38


def test_exact_choice_is_fair_to_every_place() -> None:
    ids = texts(20_000, 12)
    chosen = mask_exactly(ids, CONFIG, seeded(0)).labels != IGNORED
    assert (chosen[:, [0, -1]] == 0).all()
    for count in chosen[:, 1:-1].sum(dim=0).tolist():
        assert within(count, 20_000, 2 / 10)


def test_short_rows_may_have_no_label() -> None:
    labels = mask_tokens(texts(50_000, 5), CONFIG, seeded(0)).labels
    none = (labels == IGNORED).all(dim=1).sum().item()
    assert within(none, 50_000, 0.85**3)


def test_a_word_is_chosen_whole_at_the_same_rate() -> None:
    ids = texts(2_000, 131)
    labels = mask_whole_words(ids, CONFIG, seeded(2), CONTINUES).labels
    chosen = labels != IGNORED
    words = word_numbers(ids, maskable(ids, CONFIG), CONTINUES)
    for row, numbers in zip(chosen[:200], words, strict=False):
        picked = set(numbers[row].tolist())
        assert all(row[numbers == number].all() for number in picked)
    # Pieces of a word go together, so the count spreads more: here the mean
    # of squared lengths over the mean length is below 2.
    n = int(maskable(ids, CONFIG).sum())
    assert within(chosen.sum().item(), n, 0.15, spread=1.4)
    assert not within(chosen.sum().item(), n, 0.16, spread=1.4)


def test_pieces_of_one_word_are_replaced_one_by_one() -> None:
    ids = torch.full((4_000, 4), 800)
    ids[:, 0] = 5  # each row is one word of four pieces
    read, labels = mask_whole_words(ids, CONFIG, seeded(0), CONTINUES)
    whole = labels[:, 0] != IGNORED
    assert torch.equal(whole[:, None].expand(-1, 4), labels != IGNORED)
    hidden = (read[whole] == MASK).sum(dim=1)
    for count, prob in ((4, 0.8**4), (3, 4 * 0.8**3 * 0.2)):
        assert within((hidden == count).sum().item(), len(hidden), prob)


def test_words_by_hand() -> None:
    ids = torch.tensor([[CLS, 700, 9, 701, 702, SEP, 703, 8, PAD]])
    numbers = word_numbers(ids, maskable(ids, CONFIG), CONTINUES)
    assert numbers.tolist() == [[0, 1, 2, 2, 2, 3, 4, 5, 6]]


@pytest.mark.parametrize("max_words", [1, 2, 3, 5])
def test_spans_keep_the_rate_at_every_place(max_words) -> None:
    ids = texts(8_000, 21)
    labels = mask_spans(
        ids, CONFIG, seeded(5), torch.zeros(SIZE).bool(), max_words=max_words
    ).labels
    for count in (labels != IGNORED)[:, 1:-1].sum(dim=0).tolist():
        assert within(count, 8_000, 0.15)


def test_spans_have_the_lengths_of_albert() -> None:
    """At a rate so low that spans hardly meet, their lengths show."""
    sparse = MaskingConfig(
        vocab_size=SIZE, mask_id=MASK, special_ids=(PAD,), select_prob=0.001
    )
    ids = torch.randint(5, SIZE, (2_000, 1_000), generator=seeded(0))
    chosen = (
        mask_spans(ids, sparse, seeded(1), torch.zeros(SIZE).bool()).labels
        != IGNORED
    )
    flat = torch.cat([chosen, torch.zeros(2_000, 1).bool()], 1).flatten()
    places = flat.nonzero().flatten()
    starts = torch.cat([torch.tensor([True]), places.diff() > 1])
    runs = torch.bincount(starts.cumsum(0))[1:]
    assert torch.allclose(
        span_lengths(3) * 11, torch.tensor([6.0, 3, 2]).double()
    )
    for length, prob in enumerate([6 / 11, 3 / 11, 2 / 11], start=1):
        share = (runs == length).double().mean().item()
        assert abs(share - prob) < 0.05


def test_spans_of_words_hold_whole_words() -> None:
    ids = texts(50, 99)
    chosen = mask_spans(ids, CONFIG, seeded(1), CONTINUES).labels != IGNORED
    words = word_numbers(ids, maskable(ids, CONFIG), CONTINUES)
    for row, numbers in zip(chosen, words, strict=True):
        picked = set(numbers[row].tolist())
        assert all(row[numbers == number].all() for number in picked)


def test_static_masks_stay_and_dynamic_ones_change() -> None:
    ids = texts(9, 65)
    whole = mask_static(ids, CONFIG, range(9), seed=1)
    order = [4, 0, 8]
    again = mask_static(ids[order], CONFIG, order, seed=1)
    assert torch.equal(whole.token_ids[order], again.token_ids)
    assert torch.equal(whole.labels[order], again.labels)
    copy = mask_static(ids, CONFIG, range(9), seed=1, copy=1)
    assert not torch.equal(whole.labels, copy.labels)
    other = mask_static(ids, CONFIG, range(9), seed=2)
    assert not torch.equal(whole.labels, other.labels)
    generator = seeded(1)
    epochs = [mask_tokens(ids, CONFIG, generator).labels for _ in range(2)]
    assert not torch.equal(*epochs)
    same_row = mask_static(ids[[0, 0]], CONFIG, [0, 1], seed=1).labels
    assert not torch.equal(same_row[0], same_row[1])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"select_prob": 0.0}, "select_prob is 0: there would be no label"),
        ({"select_prob": 15.0}, "select_prob is 15.0: it lies from 0 to 1"),
        ({"mask_prob": -0.1}, r"mask_prob is -0\.1"),
        ({"random_prob": math.nan}, "random_prob is nan"),
        ({"mask_prob": 0.95}, "add up to more than 1"),
        ({"mask_id": SIZE}, "special ids .* those of a vocabulary of 1009"),
        ({"special_ids": (-1,)}, r"special ids \[-1, 4\]"),
        ({"special_ids": range(SIZE)}, "every id is special"),
    ],
)
def test_settings_that_cannot_be(change, message) -> None:
    settings = {"vocab_size": SIZE, "mask_id": MASK, "special_ids": (PAD,)}
    with pytest.raises(ValueError, match=message):
        MaskingConfig(**{**settings, **change})


@each_way
@pytest.mark.parametrize(
    ("ids", "message"),
    [
        ([[7, 8], [CLS, SEP]], r"rows \[1\] hold special tokens alone"),
        ([[7, SIZE]], "token id 1009 is not in the vocabulary"),
        ([[7, IGNORED]], "token id -100 is not in the vocabulary"),
    ],
)
def test_texts_that_cannot_be_masked(way, ids, message) -> None:
    with pytest.raises(ValueError, match=message):
        way(torch.tensor(ids), CONFIG, seeded(0))


def test_other_arguments_that_cannot_be() -> None:
    ids = texts(2, 9)
    with pytest.raises(ValueError, match="hold no token"):
        mask_tokens(ids[:0], CONFIG, seeded(0))
    with pytest.raises(ValueError, match="choose at least 1"):
        mask_exactly(ids, CONFIG, seeded(0), max_chosen=0)
    with pytest.raises(ValueError, match="the table needs 1009 ids"):
        mask_whole_words(ids, CONFIG, seeded(0), CONTINUES[:-1])
    with pytest.raises(ValueError, match="spans of 0 words"):
        mask_spans(ids, CONFIG, seeded(0), CONTINUES, max_words=0)
    with pytest.raises(ValueError, match="3 numbers for 2 rows"):
        mask_static(ids, CONFIG, range(3), seed=0)


def test_special_ids_in_any_collection() -> None:
    settings = {"vocab_size": SIZE, "mask_id": MASK}
    made = [
        MaskingConfig(special_ids=ids, **settings)
        for ids in ([SEP, PAD], (PAD, SEP, PAD), frozenset({PAD, SEP}))
    ]
    assert made[0] == made[1] == made[2]
