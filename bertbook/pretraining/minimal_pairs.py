"""Minimal pairs: of two sentences that differ in one word, one is English.

A masked language model prefers a sentence to another if it gives its words
more probability, each hidden in turn and read off from all the others.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from typing import Final, NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from bertbook.bert import BertForMaskedLM
from bertbook.tokenization import MASK, WordPiece


class MinimalPair(NamedTuple):
    """Two sentences, one of which is English.

    Attributes:
        good: the one that is.
        bad: the one that is not.
    """

    good: str
    bad: str


_ONE: Final[tuple[str, ...]] = (
    "king",
    "man",
    "woman",
    "child",
    "soldier",
    "nation",
)
_MANY: Final[tuple[str, ...]] = (
    "kings",
    "men",
    "women",
    "children",
    "soldiers",
    "nations",
)
_VERBS: Final[tuple[tuple[str, str], ...]] = (
    ("is", "are"),
    ("was", "were"),
    ("has", "have"),
)
_AFTER: Final = {
    "is": "in the city",
    "was": "in the city",
    "has": "been in the city",
}


def _agreement(between: str) -> Iterator[MinimalPair]:
    """Yield subjects with a verb of their number, and of the other."""
    for (one, many), (single, plural) in product(
        zip(_ONE, _MANY, strict=True), _VERBS
    ):
        rest = _AFTER[single]
        for subject, right, wrong in (
            (one, single, plural),
            (many, plural, single),
        ):
            front = f"the {subject}{between}"
            yield MinimalPair(
                f"{front} {right} {rest}.", f"{front} {wrong} {rest}."
            )


def _attracted() -> Iterator[MinimalPair]:
    """Yield subjects with a noun of the other number before the verb."""
    size = len(_ONE)
    for pair in _agreement(" of the SLOT"):
        subject = pair.good.split()[1]
        # Of the other number, and the next word: twice the same is odd.
        mine, others = (_ONE, _MANY) if subject in _ONE else (_MANY, _ONE)
        other = others[(mine.index(subject) + 1) % size]
        yield MinimalPair(*(each.replace("SLOT", other) for each in pair))


def _determiners() -> Iterator[MinimalPair]:
    """Yield this and that with one thing, these and those with several."""
    nouns = [("book", "books"), ("house", "houses"), ("law", "laws")]
    nouns += [("day", "days"), ("war", "wars"), ("word", "words")]
    for (one, many), (near, far) in product(
        nouns, (("this", "these"), ("that", "those"))
    ):
        yield MinimalPair(
            f"i have seen {near} {one}.", f"i have seen {far} {one}."
        )
        yield MinimalPair(
            f"i have seen {far} {many}.", f"i have seen {near} {many}."
        )


def _reflexives() -> Iterator[MinimalPair]:
    """Yield himself, herself and themselves with who they mean."""
    subjects = {
        "himself": ("the king", "the man", "my father", "his brother"),
        "herself": ("the queen", "the woman", "my mother", "his sister"),
        "themselves": ("the men", "the women", "the people", "they"),
    }
    for right, whose in subjects.items():
        for subject, wrong in product(whose, subjects):
            if wrong != right:
                front = f"{subject} could not see"
                yield MinimalPair(f"{front} {right}.", f"{front} {wrong}.")


def _verb_forms() -> Iterator[MinimalPair]:
    """Yield the form of a verb that its helper asks for."""
    verbs = [("do", "done"), ("give", "given"), ("take", "taken")]
    verbs += [("see", "seen"), ("speak", "spoken"), ("write", "written")]
    for plain, participle in verbs:
        for helper, right, wrong in (
            ("will", plain, participle),
            ("has", participle, plain),
            ("must", plain, participle),
        ):
            front = f"he {helper}"
            yield MinimalPair(f"{front} {right} it.", f"{front} {wrong} it.")


def minimal_pairs() -> Mapping[str, Sequence[MinimalPair]]:
    """Return the pairs, by what they ask for; we wrote them.

    Source: Warstadt et al. (2020), BLiMP, for the idea and the names.
    """
    return {
        "agreement": tuple(_agreement("")),
        "agreement past another noun": tuple(_attracted()),
        "determiner and noun": tuple(_determiners()),
        "reflexive": tuple(_reflexives()),
        "verb form": tuple(_verb_forms()),
    }


@torch.no_grad()
def pseudo_log_likelihood(
    model: BertForMaskedLM, tokenizer: WordPiece, sentences: Sequence[str]
) -> Float[Tensor, " sentences"]:
    """Return the sum over its tokens of each one's log-probability.

    Each token is hidden in turn and guessed from all the others.

    Args:
        model: in evaluation mode.
        tokenizer: its vocabulary.
        sentences: what to score.

    Source: Salazar et al. (2020), eq. 1.
    """
    device = next(model.parameters()).device
    mask_id = tokenizer.token_id(MASK)
    scores = []
    for sentence in sentences:
        token_ids = torch.tensor(tokenizer.encode(sentence).token_ids)
        scores.append(_score(model, token_ids.to(device), mask_id))
    return torch.stack(scores).cpu()


def _score(
    model: BertForMaskedLM, token_ids: Int[Tensor, " seq_len"], mask_id: int
) -> Float[Tensor, ""]:
    """Hide each token between [CLS] and [SEP], one a row."""
    places = torch.arange(1, len(token_ids) - 1, device=token_ids.device)
    rows = token_ids.repeat(len(places), 1)
    here = torch.zeros_like(rows, dtype=torch.bool)
    here[torch.arange(len(places)), places] = True
    logits = model(rows.masked_fill(here, mask_id), positions=here)
    logs = logits.float().log_softmax(dim=-1)
    return logs.gather(1, token_ids[places][:, None]).sum()


def preferred(
    model: BertForMaskedLM,
    tokenizer: WordPiece,
    pairs: Sequence[MinimalPair],
) -> float:
    """Return the share of pairs whose good sentence scores higher.

    Guessing gives 0.5.
    """
    good, bad = (
        pseudo_log_likelihood(model, tokenizer, sentences)
        for sentences in zip(*pairs, strict=True)
    )
    return (good > bad).double().mean().item()
