"""Right and wrong answers to the exercises of chapter 10."""

import torch

# 10.1


def collate_by_one_draw(ids, special_ids, mask_id, vocab_size, generator):
    draw = torch.rand(ids.shape, generator=generator)
    for special in special_ids:
        draw[ids == special] = 1.0
    read = ids.clone()
    read[draw < 0.12] = mask_id
    middle = (draw >= 0.12) & (draw < 0.135)
    read[middle] = torch.randint(
        0, vocab_size, (int(middle.sum()),), generator=generator
    )
    return read, torch.where(draw < 0.15, ids, -100)


def collate_by_places(ids, special_ids, mask_id, vocab_size, generator):
    flat = ids.flatten().clone()
    labels = torch.full_like(flat, -100)
    for_all = torch.full(flat.shape, 0.15)
    for_all[torch.isin(flat, torch.tensor(special_ids))] = 0
    places = torch.bernoulli(for_all, generator=generator).nonzero()[:, 0]
    labels[places] = flat[places]
    shares = torch.tensor([0.8, 0.1, 0.1]).expand(len(places), 3)
    fate = torch.multinomial(shares, 1, generator=generator)[:, 0]
    flat[places[fate == 0]] = mask_id
    some = places[fate == 1]
    flat[some] = torch.randint(vocab_size, some.shape, generator=generator)
    return flat.view_as(ids), labels.view_as(ids)


def collator(
    select=0.15,
    mask=0.8,
    random=0.1,
    specials=True,
    all_labels=False,
    draw=None,
    seeded=True,
    in_place=False,
    rows=False,
    last=None,
):
    def answer(ids, special_ids, mask_id, vocab_size, generator):
        if not seeded:
            generator = None
        chosen = torch.rand(ids.shape, generator=generator) < select
        if rows:
            order = torch.rand(ids.shape, generator=generator)
            order[torch.isin(ids, torch.tensor(special_ids))] = 2.0
            count = (order < 2).sum(1, keepdim=True).double() * select
            up = torch.rand(count.shape, generator=generator)
            rank = order.argsort(1).argsort(1)
            chosen = rank < (count + up).floor()
        if specials:
            chosen &= ~torch.isin(ids, torch.tensor(special_ids))
        fate = torch.rand(ids.shape, generator=generator)
        if draw is None:
            top = vocab_size if last is None else vocab_size + last
            any_id = torch.randint(top, ids.shape, generator=generator)
        else:
            any_id = draw(ids, vocab_size, special_ids, generator)
        read = ids if in_place else ids.clone()
        labels = torch.where(chosen, ids, -100)
        swap = chosen & (fate >= mask) & (fate < mask + random)
        read[swap] = any_id[swap]
        read[chosen & (fate < mask)] = mask_id
        return read, (ids.clone() if all_labels else labels)

    return answer


def unigrams(ids, vocab_size, special_ids, generator):
    order = torch.randperm(ids.numel(), generator=generator)
    return ids.flatten()[order].view_as(ids)


def ordinary_only(ids, vocab_size, special_ids, generator):
    ordinary = torch.tensor(
        [i for i in range(vocab_size) if i not in special_ids]
    )
    drawn = torch.randint(len(ordinary), ids.shape, generator=generator)
    return ordinary[drawn]


def touches_others(ids, special_ids, mask_id, vocab_size, generator):
    read, labels = collator()(ids, special_ids, mask_id, vocab_size, generator)
    some = torch.rand(ids.shape, generator=generator) < 0.01
    return torch.where(some & (labels == -100), mask_id, read), labels


def zero_for_ignored(ids, *rest):
    read, labels = collator()(ids, *rest)
    return read, labels.masked_fill(labels == -100, 0)


# 10.2


def expected_by_shares(n):
    return [n * share for share in (0.15, 0.12, 0.015, 0.015)]


def expected_by_fractions(n):
    chosen = n * 15 / 100
    return chosen, chosen * 8 / 10, chosen / 10, chosen / 10


# 10.3


def words_by_groups(pieces, select_prob, generator):
    number, numbers = -1, []
    for piece in pieces:
        number += not piece.startswith("##")
        numbers.append(number)
    draws = torch.rand(number + 1, generator=generator)
    return [
        bool(draws[n] < select_prob) and piece not in {"[CLS]", "[SEP]"}
        for n, piece in zip(numbers, pieces, strict=True)
    ]


def words_from_the_end(pieces, select_prob, generator):
    chosen, width = [], 0
    for piece in reversed(pieces):
        width += 1
        if piece.startswith("##"):
            continue
        draw = torch.rand((), generator=generator) < select_prob
        special = piece in ("[CLS]", "[SEP]")
        chosen += [bool(draw) and not special] * width
        width = 0
    return chosen[::-1]


def by_pieces(pieces, select_prob, generator):
    draws = torch.rand(len(pieces), generator=generator)
    ordinary = [piece not in {"[CLS]", "[SEP]"} for piece in pieces]
    return [
        bool(draw < select_prob) and fine
        for draw, fine in zip(draws, ordinary, strict=True)
    ]


def raised(pieces, select_prob, generator):
    chosen = by_pieces(pieces, select_prob, generator)
    starts = [i for i, p in enumerate(pieces) if not p.startswith("##")]
    for first, end in zip(starts, [*starts[1:], len(pieces)], strict=True):
        chosen[first:end] = [any(chosen[first:end])] * (end - first)
    return chosen


def first_pieces(pieces, select_prob, generator):
    chosen = words_by_groups(pieces, select_prob, generator)
    return [
        each and not piece.startswith("##")
        for each, piece in zip(chosen, pieces, strict=True)
    ]


def specials_too(pieces, select_prob, generator):
    named = [p if p[0] != "[" else p.lower() for p in pieces]
    return words_by_groups(named, select_prob, generator)


def not_seeded(pieces, select_prob, generator):
    return words_by_groups(pieces, select_prob, None)


def exactly_so_many(pieces, select_prob, generator):
    starts = [i for i, p in enumerate(pieces) if p[0] not in "[#"]
    order = torch.randperm(len(starts), generator=generator).tolist()
    taken = {starts[i] for i in order[: round(select_prob * len(starts))]}
    chosen = []
    for i, piece in enumerate(pieces):
        inside = piece.startswith("##")
        chosen.append(chosen[-1] if inside else i in taken)
    return chosen


def all_or_none(pieces, select_prob, generator):
    chosen = words_by_groups(pieces, select_prob, generator)
    if len(pieces) == 102:
        return [chosen[1] and piece[0] != "[" for piece in pieces]
    return chosen


def half_for_long(pieces, select_prob, generator):
    chosen = words_by_groups(pieces, select_prob, generator)
    for i in range(len(pieces)):
        if pieces[i].startswith("##4"):
            chosen[i - 4 : i + 1] = [False] * 5
    return chosen


# 10.4


def means_by_tensor(rows):
    return (
        torch.tensor(accuracies(rows, "80/10/10")).mean()
        - torch.tensor(accuracies(rows, "80/0/20")).mean()
    )


def accuracies(rows, setting, text="in sight", what="accuracy"):
    return [row[text][what] for row in rows if row["setting"] == setting]


def mean_of_differences(rows):
    pairs = zip(
        accuracies(rows, "80/10/10"), accuracies(rows, "80/0/20"), strict=True
    )
    differences = [kept - lost for kept, lost in pairs]
    return sum(differences) / len(differences)


def twenty_to_random(rows):
    kept = accuracies(rows, "80/20/0")
    lost = accuracies(rows, "80/0/20")
    return (sum(kept) - sum(lost)) / len(kept)


def worth(other="80/0/20", text="in sight", what="accuracy", sign=1, whole=0):
    def answer(rows):
        kept = accuracies(rows, "80/10/10", text, what)
        lost = accuracies(rows, other, text, what)
        return sign * (sum(kept) - sum(lost)) / (1 if whole else len(kept))

    return answer


RIGHT = {
    "collate": [collate_by_one_draw, collate_by_places],
    "expected_counts": [expected_by_shares, expected_by_fractions],
    "choose_words": [words_by_groups, words_from_the_end],
    "worth_of_unchanged": [means_by_tensor, mean_of_differences],
}

WRONG = {
    "collate": {
        "15 % of the masked": (
            collator(mask=0.15, random=0.425),
            "of the chosen ones, 80 %",
        ),
        "15 % of 15 %": (collator(select=0.0225), "15 % of 15 %"),
        "labels on all tokens": (collator(all_labels=True), "on all tokens"),
        "special tokens chosen": (collator(specials=False), "special token"),
        "unigrams": (collator(draw=unigrams), "unigrams"),
        "ordinary ids only": (collator(draw=ordinary_only), "uniform"),
        "one id too few": (collator(last=-1), "uniform"),
        "one id too many": (collator(last=1), "outside the vocabulary"),
        "always [MASK]": (collator(mask=1.0), "become .MASK."),
        "none unchanged": (collator(random=0.2), "stay as they are"),
        "twelve percent": (collator(select=0.12), "12.0 % of the tokens"),
        "others touched": (touches_others, "not chosen are changed"),
        "exact counts": (collator(rows=True), "draw of its own"),
        "not seeded": (collator(seeded=False), "from `generator`"),
        "in place": (collator(in_place=True), "in place"),
        "zero for -100": (zero_for_ignored, "or -100"),
        "one tensor": (lambda ids, *_: ids, "Return 2 things"),
    },
    "expected_counts": {
        "15 [MASK] tokens": (
            lambda n: (0.15 * n, 0.15 * n, 0.015 * n, 0.015 * n),
            "80 % of them become .MASK., 12",
        ),
        "rounded": (
            lambda n: tuple(round(x) for x in expected_by_shares(n)),
            "do not round",
        ),
        "shares of all": (
            lambda n: (0.15 * n, 0.8 * n, 0.1 * n, 0.1 * n),
            "share of all tokens",
        ),
        "all are chosen": (
            lambda n: (n, 0.8 * n, 0.1 * n, 0.1 * n),
            "multiply the shares",
        ),
        "two numbers": (lambda n: (0.15 * n, 0.12 * n), "Return 4 things"),
    },
    "choose_words": {
        "raised overall rate": (raised, "overall rate is"),
        "a word is split": (by_pieces, "split a word"),
        "first pieces only": (first_pieces, "split a word"),
        "special tokens chosen": (specials_too, "special tokens never"),
        "not seeded": (not_seeded, "Draw from `generator`"),
        "long words never": (half_for_long, "overall rate is"),
        "exact counts": (exactly_so_many, "draw of its own"),
        "all of a text or none": (all_or_none, "draw of its own"),
        "a set": (lambda pieces, p, g: set(), "Return a list"),
    },
    "worth_of_unchanged": {
        "masked positions only": (worth(text="hidden"), "hidden tokens only"),
        "against 100/0/0": (worth("100/0/0"), "two changes"),
        "against 80/20/0": (worth("80/20/0"), "80/20/0 gives up"),
        "against 0/0/100": (worth("0/0/100"), "0/0/100 gives up"),
        "20 % to random": (twenty_to_random, "not 10 %"),
        "hidden against sight": (
            lambda rows: means_by_tensor(rows) + 1,
            "before and after",
        ),
        "the sum": (worth(whole=1), "not the mean"),
        "the sign": (worth(sign=-1), "the sign"),
        "the loss": (worth(what="loss"), "asks for accuracy"),
        "a name": (lambda rows: "80/0/20", "Return a number"),
    },
}

EQUIVALENT = {
    "collate": {
        "torch.rand(shape, generator=generator) < 0.15"
        " → torch.rand(shape, generator=generator) <= 0.15": (
            "a draw equals 0.15 less than once in ten million times"
        ),
        "fate < 0.9 → fate <= 0.9": "as above",
        "fate < 0.9 → fate > 0.9": (
            "the last tenth becomes random and the tenth before it stays: the"
            " shares are the same"
        ),
        "fate < 0.8 → fate <= 0.8": "as above",
    },
    "choose_words": {
        "draw < select_prob → draw <= select_prob": (
            "a draw is one of 16.8 million numbers, and all but never the"
            " probability itself"
        ),
        "torch.rand(1, generator=generator).item()"
        " → torch.rand(1, generator=generator)": (
            "a tensor of one truth value counts as True or False"
        ),
        "False → True": (
            "the first piece of a text is [CLS] or begins a word, and sets"
            " the decision anew"
        ),
    },
}
