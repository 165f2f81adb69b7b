"""A toy translation: an invented language, verb last, into English.

Every sentence has a subject, an object and a verb. The invented language
writes subject, object, verb; an adjective follows its noun, and `ne` after
both makes them plural. English writes subject, verb, object, and its verb
agrees with the subject. So words must move, and one word depends on another
that may stand far away.
"""

import itertools
from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from bertbook.blocks import BlockCache
from bertbook.corpora import Pair
from bertbook.transformer import Decoder, Transformer, TransformerConfig
from bertbook.translation import (
    END,
    IGNORED,
    PAD,
    START,
    UNKNOWN,
    UNKNOWN_ID,
    Example,
    Translator,
    collate,
    logits_of,
    translate,
)

NOUNS = {
    "kata": "cat", "hudo": "dog", "pajo": "bird", "bemi": "baker",
    "rela": "queen", "sotu": "monkey", "fani": "farmer", "gilo": "girl",
}  # fmt: skip
ADJECTIVES = {"": "", "miro": "small", "tavo": "old", "zelu": "tired"}
VERBS = {
    "vida": "see", "kero": "love", "poli": "help", "suma": "follow",
    "nido": "find", "lepa": "call",
}  # fmt: skip
PLURAL = "ne"


class Phrase(NamedTuple):
    """A noun with or without an adjective, one or many."""

    noun: str
    adjective: str
    plural: bool

    def invented(self) -> str:
        """Return the phrase in the invented language."""
        mark = PLURAL if self.plural else ""
        return " ".join(filter(None, (self.noun, self.adjective, mark)))

    def english(self) -> str:
        """Return the phrase in English."""
        noun = NOUNS[self.noun] + ("s" if self.plural else "")
        return " ".join(
            filter(None, ("the", ADJECTIVES[self.adjective], noun))
        )


def pair_of(subject: Phrase, object_: Phrase, verb: str) -> Pair:
    """Say one thing in both languages.

    >>> cats, dog = Phrase("kata", "miro", True), Phrase("hudo", "", False)
    >>> pair_of(cats, dog, "vida")
    Pair(source='kata miro ne hudo vida', target='the small cats see the dog')
    >>> pair_of(dog, cats, "vida").target
    'the dog sees the small cats'
    """
    english = VERBS[verb] + ("" if subject.plural else "s")
    return Pair(
        f"{subject.invented()} {object_.invented()} {verb}",
        f"{subject.english()} {english} {object_.english()}",
    )


def all_pairs() -> list[Pair]:
    """Return every sentence of the toy languages, each once."""
    phrases = [
        Phrase(noun, adjective, plural)
        for noun in NOUNS
        for adjective in ADJECTIVES
        for plural in (False, True)
    ]
    return [
        pair_of(subject, object_, verb)
        for subject, object_ in itertools.product(phrases, phrases)
        if subject.noun != object_.noun
        for verb in VERBS
    ]


def draw_pairs(
    num_train: int, num_test: int, generator: torch.Generator
) -> tuple[list[Pair], list[Pair]]:
    """Draw sentences to train on, and other ones to test on.

    Raises:
        ValueError: if there are not so many sentences.
    """
    pairs = all_pairs()
    if min(num_train, num_test) < 1 or num_train + num_test > len(pairs):
        raise ValueError(
            f"{num_train} and {num_test} sentences: draw at least one of"
            f" each, and together at most {len(pairs)}"
        )
    order = torch.randperm(len(pairs), generator=generator).tolist()
    drawn = [pairs[i] for i in order[: num_train + num_test]]
    return drawn[:num_train], drawn[num_train:]


_ENGLISH = sorted({word for pair in all_pairs() for word in pair[1].split()})
WORDS = (
    *(PAD, START, END, UNKNOWN),
    *(*NOUNS, *filter(None, ADJECTIVES), PLURAL, *VERBS),
    *_ENGLISH,
)
"""The vocabulary of both languages; a word's id is its place."""
_IDS = {word: index for index, word in enumerate(WORDS)}


def encode(text: str) -> list[int]:
    """Return the ids of a text's words, `<unk>` for an unknown one.

    >>> decode(encode("the cats see rain"))
    'the cats see <unk>'
    """
    return [_IDS.get(word, UNKNOWN_ID) for word in text.split()]


def decode(ids: Sequence[int]) -> str:
    """Return the words of ids."""
    return " ".join(WORDS[i] for i in ids)


def to_examples(pairs: Sequence[Pair]) -> list[Example]:
    """Return pairs as ids."""
    return [Example(encode(p.source), encode(p.target)) for p in pairs]


class Score(NamedTuple):
    """Shares from 0 to 1, with the right words given and without.

    Attributes:
        teacher_forced: target positions whose likeliest id is right when the
            decoder reads the right target.
        exact_match: sentences written greedily without any mistake.
    """

    teacher_forced: float
    exact_match: float


@torch.no_grad()
def score(model: Translator, pairs: Sequence[Pair]) -> Score:
    """Measure a translator on sentences, in both ways of feeding it."""
    examples = to_examples(pairs)
    device = next(model.parameters()).device
    batch = collate(examples)
    moved = type(batch)(*(part.to(device) for part in batch))
    real = moved.labels != IGNORED
    right = logits_of(model, moved).argmax(dim=-1) == moved.labels
    sources = [example.source for example in examples]
    written = translate(model, sources, max_len=16, use_cache=False)
    exact = [
        list(e.target) == w for e, w in zip(examples, written, strict=True)
    ]
    return Score(
        teacher_forced=right[real].float().mean().item(),
        exact_match=sum(exact) / len(exact),
    )


class LeakyDecoder(Decoder):
    """A decoder whose causal mask was forgotten: it reads the answer."""

    def forward(
        self,
        x: Float[Tensor, "batch target d_model"],
        memory: Float[Tensor, "batch source d_model"],
        memory_mask: Tensor | None = None,
        cache: list[BlockCache] | None = None,
    ) -> Float[Tensor, "batch target d_model"]:
        """Return one vector per position, which knows all later ones."""
        for block in self.blocks:
            x = block(x, memory, None, memory_mask)
        return self.after_last(x)


class LeakyTransformer(Transformer):
    """The Transformer with the forgotten mask: same sizes, same weights."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__(config)
        self.decoder = LeakyDecoder(config)
