"""What can go wrong in a collator, and how a count of tokens shows it."""

import math
from typing import Any

import torch
from torch import Tensor

from bertbook.checks.reading import describe, read_parts
from bertbook.checks.report import Wrong

SIZE = 499
SPECIAL_IDS = [0, 3, 11, 12, 498]
MASK_ID = 12


def texts(generator: torch.Generator) -> Tensor:
    """Draw a million ids: specials, and the low ids far more than others."""
    draw = torch.rand(4_000, 250, generator=generator)
    ids = (draw**3 * 400).long() + 20
    special = torch.randint(len(SPECIAL_IDS), ids.shape, generator=generator)
    chosen = torch.rand(ids.shape, generator=generator) < 0.05
    chosen[:, 0] = True
    return torch.where(chosen, torch.tensor(SPECIAL_IDS)[special], ids)


def collated(answer: Any, ids: Tensor, seed: int) -> tuple[Tensor, Tensor]:
    """Call a learner's collator, and hold its result to its form."""
    generator = torch.Generator().manual_seed(seed)
    given = ids.clone()
    parts = read_parts(
        answer(given, list(SPECIAL_IDS), MASK_ID, SIZE, generator),
        ["what the model reads", "the labels"],
    )
    if not torch.equal(given, ids):
        raise Wrong("You changed token_ids in place: work on a copy.")
    for part, name in zip(parts, ("what is read", "labels"), strict=True):
        if not isinstance(part, Tensor) or part.shape != ids.shape:
            raise Wrong(
                f"Return {name} as a tensor of the shape of token_ids,"
                f" {tuple(ids.shape)}: we got {describe(part)}."
            )
    return parts[0], parts[1]


def hold_labels(ids: Tensor, labels: Tensor) -> None:
    """Labels are the original ids where chosen, and -100 elsewhere."""
    if (labels == ids).all():
        raise Wrong(
            "You give labels on all tokens. Only a chosen token has one; at"
            " all others the label is -100, and carries no loss."
        )
    wrong = (labels != ids) & (labels != -100)
    if wrong.any():
        raise Wrong(
            f"A label is {labels[wrong][0].item()} where the text has the id"
            f" {ids[wrong][0].item()}: a label is the original id, or -100"
            " where nothing was chosen."
        )


def outside(count: float, trials: int, share: float) -> bool:
    """Tell whether a count is 4.5 standard deviations off, or more."""
    return abs(count - trials * share) >= 4.5 * math.sqrt(
        trials * share * (1 - share)
    )


def hold_chosen(ids: Tensor, chosen: Tensor) -> None:
    """15 % of the ordinary tokens, and no special one."""
    special = torch.isin(ids, torch.tensor(SPECIAL_IDS))
    if (chosen & special).any():
        one = ids[chosen & special][0].item()
        raise Wrong(
            f"A special token, id {one}, is chosen: [CLS], [SEP] and the"
            " others in special_ids never are."
        )
    total, found = int((~special).sum()), int(chosen.sum())
    if outside(found, total, 0.15):
        share = found / total
        hint = "the share of the ordinary tokens is 15 %"
        if abs(share - 0.0225) < 2e-3:
            hint = "that is 15 % of 15 %: choose 15 % of the tokens, once"
        raise Wrong(f"You choose {100 * share:.1f} % of the tokens: {hint}.")
    ordinary = (~special).sum(1).double()
    surplus = chosen.sum(1) - 0.15 * ordinary
    spread = (surplus**2).mean() / (ordinary * 0.15 * 0.85).mean()
    if not 0.85 < spread < 1.15:
        raise Wrong(
            "The number of chosen tokens varies between rows by"
            f" {spread.sqrt().item():.2f} times what it should: let each token"
            " have a draw of its own."
        )


def hold_fates(read: Tensor, ids: Tensor) -> None:
    """80 % [MASK], 10 % unchanged, 10 % random, of the chosen tokens."""
    total = len(ids)
    shares = {
        "become [MASK]": ((read == MASK_ID), 0.8 + 0.1 / SIZE),
        "stay as they are": ((read == ids), 0.1 + 0.1 / SIZE),
    }
    for name, (found, share) in shares.items():
        count = int(found.sum())
        if not outside(count, total, share):
            continue
        part = count / total
        hint = f"it should be {100 * share:.0f} %"
        if name == "become [MASK]" and abs(part - 0.15) < 0.01:
            hint = (
                "15 % is the share of the chosen among all tokens; of the"
                " chosen ones, 80 % become [MASK]"
            )
        raise Wrong(f"Of the chosen tokens {100 * part:.1f} % {name}: {hint}.")


def hold_random(drawn: Tensor, ids: Tensor) -> None:
    """Random ids are uniform over the vocabulary, special ones included."""
    if not len(drawn) or drawn.min() < 0 or drawn.max() >= SIZE:
        raise Wrong(
            "A random id lies outside the vocabulary: the ids are 0 to"
            f" vocab_size - 1, here {SIZE - 1}."
        )
    counts = torch.bincount(drawn, minlength=SIZE).double()
    counts[MASK_ID] = counts.sum() / (SIZE - 1)  # cannot be told from [MASK]
    expected = counts.sum() / SIZE
    chi = float(((counts - expected) ** 2 / expected).sum())
    if chi < SIZE + 6 * math.sqrt(2 * SIZE) and counts.min() > 0:
        return
    text = torch.bincount(ids.flatten(), minlength=SIZE).double()
    common = torch.corrcoef(torch.stack([counts, text]))[0, 1]
    if common > 0.5:
        raise Wrong(
            "Your random tokens are those that are frequent in the text: the"
            " exercise asks for uniform draws, not for unigrams."
        )
    missing = (counts == 0).nonzero().flatten().tolist()
    raise Wrong(
        "Your random ids are not uniform over all of the vocabulary: never"
        f" drawn are {missing[:5]}, and others too often or too rarely."
    )
