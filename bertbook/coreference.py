"""Sentences whose last word decides what "it" is, and a model that reads them.

The sentences are generated: each noun pair meets each last word, and half of
the last words fit the first noun, half the second. Noun pairs held out of
training tell whether a model learned words or pairs.
"""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from bertbook.embeddings import TokenEmbedding
from bertbook.masks import causal_mask, combine_masks, padding_mask
from bertbook.positions import SinusoidalPositions
from bertbook.runtime import device, seed_everything
from bertbook.transformer import Encoder, TransformerConfig


class Example(NamedTuple):
    """A sentence in words, and the noun that its "it" stands for."""

    words: tuple[str, ...]
    answer: str


@dataclass(frozen=True, kw_only=True)
class Frame:
    """A sentence with three gaps, and the words that fill them.

    Args:
        pattern: the sentence, with {first}, {second} and {last}.
        firsts: nouns for the first gap.
        seconds: nouns for the second.
        fit_first: last words with which "it" is the first noun.
        fit_second: last words with which "it" is the second.
    """

    pattern: str
    firsts: tuple[str, ...]
    seconds: tuple[str, ...]
    fit_first: tuple[str, ...]
    fit_second: tuple[str, ...]

    def pairs(self) -> list[tuple[str, str]]:
        """Return every pair of two different nouns."""
        pairs = itertools.product(self.firsts, self.seconds)
        return [(first, second) for first, second in pairs if first != second]

    def example(self, first: str, second: str, last: str) -> Example:
        """Fill the three gaps, and say what "it" is."""
        text = self.pattern.format(first=first, second=second, last=last)
        answer = first if last in self.fit_first else second
        return Example(tuple(text.split()), answer)

    def examples(self, pairs: Sequence[tuple[str, str]]) -> list[Example]:
        """Return each of the noun pairs with each last word."""
        lasts = self.fit_first + self.fit_second
        return [self.example(*pair, last) for pair in pairs for last in lasts]

    def split(
        self, held_out: int, generator: torch.Generator
    ) -> tuple[list[Example], list[Example]]:
        """Return sentences to train on, and those of unseen noun pairs.

        Args:
            held_out: how many noun pairs to keep from training.
            generator: decides which.

        Raises:
            ValueError: if no pair or every pair would be held out.
        """
        pairs = self.pairs()
        if not 0 < held_out < len(pairs):
            raise ValueError(
                f"held_out is {held_out}: keep 1 to {len(pairs) - 1} of the"
                f" {len(pairs)} noun pairs from training"
            )
        order = torch.randperm(len(pairs), generator=generator).tolist()
        shuffled = [pairs[place] for place in order]
        seen, unseen = shuffled[held_out:], shuffled[:held_out]
        return self.examples(seen), self.examples(unseen)


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


_THINGS: Final = _words("trophy suitcase box bag vase basket chest lamp")

FRAMES: Final = {
    "street": Frame(
        pattern="the {first} did not cross the {second} because it was too"
        " {last}",
        firsts=_words("animal dog horse cow goat bear fox deer"),
        seconds=_words("street road river bridge field canal valley meadow"),
        fit_first=_words("tired scared weak lazy sick young"),
        fit_second=_words("wide long icy muddy steep busy"),
    ),
    "banana": Frame(
        pattern="the {first} ate the {second} because it was {last}",
        firsts=_words("monkey ape parrot squirrel bat boar rabbit hamster"),
        seconds=_words("banana mango apple pear fig plum melon peach"),
        fit_first=_words("hungry greedy starving bored brave alone"),
        fit_second=_words("ripe soft juicy tasty yellow peeled"),
    ),
    "milk": Frame(
        pattern="the {first} drank the {second} because it was {last}",
        firsts=_words("cat kitten puppy lamb calf piglet mouse hedgehog"),
        seconds=_words("milk cream water juice tea broth soup cocoa"),
        fit_first=_words("hungry thirsty hot exhausted awake ill"),
        fit_second=_words("sweet warm fresh creamy safe clean"),
    ),
    "suitcase": Frame(
        pattern="the {first} did not fit into the {second} because it was too"
        " {last}",
        firsts=_THINGS,
        seconds=_THINGS,
        fit_first=_words("big large wide tall fat thick"),
        fit_second=_words("small little narrow short slim thin"),
    ),
}
"""The sentences of lectures, and Winograd's trophy and suitcase."""

PAD: Final = "[PAD]"


def vocabulary(frames: Sequence[Frame]) -> dict[str, int]:
    """Number every word of some frames; 0 is the padding."""
    words = {
        word
        for frame in frames
        for example in frame.examples(frame.pairs())
        for word in example.words
    }
    return {word: i for i, word in enumerate([PAD, *sorted(words)])}


class Batch(NamedTuple):
    """Sentences as ids, padded to the longest, and where to read them."""

    token_ids: Int[Tensor, "batch seq_len"]
    padding: Bool[Tensor, "batch seq_len"]
    it: Int[Tensor, " batch"]
    last: Int[Tensor, " batch"]
    answers: Int[Tensor, " batch"]

    def rows(self, chosen: Int[Tensor, " chosen"]) -> "Batch":
        """Return the chosen sentences."""
        return Batch(*(tensor[chosen] for tensor in self))

    def to(self, device: torch.device) -> "Batch":
        """Return the same sentences on a device."""
        return Batch(*(tensor.to(device) for tensor in self))


def encode(examples: Sequence[Example], ids: dict[str, int]) -> Batch:
    """Turn sentences into ids.

    Args:
        examples: sentences with an "it" in each.
        ids: the number of each word.

    Raises:
        ValueError: for no sentence, one without "it", or an unknown word.
    """
    if not examples:
        raise ValueError("no sentence to encode: give at least one")
    for words, answer in examples:
        unknown = sorted({*words, answer} - ids.keys())
        if unknown or "it" not in words:
            raise ValueError(
                f"{' '.join(words)!r} has no 'it', or has unknown words"
                f" ({', '.join(unknown) or 'none'}): use the frames' words"
            )
    lengths = torch.tensor([len(words) for words, _ in examples])
    width = int(lengths.max())
    rows = [
        [ids[word] for word in words] + [ids[PAD]] * (width - len(words))
        for words, _ in examples
    ]
    return Batch(
        token_ids=torch.tensor(rows),
        padding=padding_mask(lengths, width),
        it=torch.tensor([words.index("it") for words, _ in examples]),
        last=lengths - 1,
        answers=torch.tensor([ids[answer] for _, answer in examples]),
    )


class ReferenceReader(nn.Module):
    """A small encoder that answers, at one position, which noun is meant.

    Args:
        config: the sizes.
    """

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.embedding = TokenEmbedding(config.vocab_size, config.d_model)
        self.positions = SinusoidalPositions(config.d_model)
        self.encoder = Encoder(config)

    def forward(
        self,
        token_ids: Int[Tensor, "batch seq_len"],
        mask: Bool[Tensor, "batch #query seq_len"],  # noqa: F821
        read_at: Int[Tensor, " batch"],
    ) -> Float[Tensor, "batch vocab_size"]:
        """Return a score for every word, read at one position."""
        x = self.encoder(self.positions(self.embedding(token_ids)), mask)
        rows = torch.arange(len(x), device=x.device)
        return self.embedding.logits(x[rows, read_at][:, None])[:, 0]


def small_config(ids: dict[str, int]) -> TransformerConfig:
    """Return the sizes of this chapter's model: 2 layers of 4 heads."""
    return TransformerConfig(
        vocab_size=len(ids), d_model=32, num_heads=4, d_ff=64, num_layers=2,
        dropout=0.1, max_len=16,
    )  # fmt: skip


Reading = Callable[[Batch], tuple[Tensor, Tensor]]


def read_full(batch: Batch) -> tuple[Tensor, Tensor]:
    """Let every word see the whole sentence, and read at "it"."""
    return batch.padding[:, None], batch.it


def read_causal_at_it(batch: Batch) -> tuple[Tensor, Tensor]:
    """Let every word see those before it, and read at "it"."""
    ids = batch.token_ids
    causal = causal_mask(ids.shape[1], device=ids.device)[None]
    return combine_masks(causal, batch.padding[:, None]), batch.it


def read_causal_at_last(batch: Batch) -> tuple[Tensor, Tensor]:
    """Let every word see those before it, and read at the last one."""
    return read_causal_at_it(batch)[0], batch.last


def train_reader(
    model: ReferenceReader,
    batch: Batch,
    reading: Reading,
    generator: torch.Generator,
    num_steps: int = 300,
    learning_rate: float = 5e-3,
) -> list[float]:
    """Train on draws of 64 sentences, and return the loss of each step.

    The learning rate falls to zero along a straight line.

    Args:
        model: left in evaluation mode.
        batch: all sentences to train on.
        reading: the mask, and where to read.
        generator: decides which sentences are drawn.
        num_steps: number of draws.
        learning_rate: Adam's, at the start.
    """
    model.train()
    optimizer = torch.optim.Adam(model.parameters(), lr=learning_rate)
    losses = []
    for step in range(num_steps):
        optimizer.param_groups[0]["lr"] = learning_rate * (
            1 - step / num_steps
        )
        draw = torch.randint(len(batch.answers), (64,), generator=generator)
        part = batch.rows(draw.to(batch.answers.device))
        loss = F.cross_entropy(
            model(part.token_ids, *reading(part)), part.answers
        )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    model.eval()
    return losses


@torch.no_grad()
def accuracy(model: ReferenceReader, batch: Batch, reading: Reading) -> float:
    """Return the fraction of sentences answered with the right noun."""
    answers = model(batch.token_ids, *reading(batch)).argmax(dim=-1)
    return (answers == batch.answers).float().mean().item()


def train_on(
    names: Sequence[str],
    reading: Reading = read_full,
    *,
    seed: int,
    num_steps: int = 300,
    held_out: int = 16,
) -> tuple[ReferenceReader, dict[str, int], list[list[Example]]]:
    """Train a fresh model on some frames, the same one for the same seed.

    Args:
        names: keys of `FRAMES`.
        reading: the mask, and where to read.
        seed: decides the split, the first weights and the draws.
        num_steps: as in `train_reader`.
        held_out: noun pairs of each frame kept from training.

    Returns:
        The model, the vocabulary, and the unseen sentences of each frame.
    """
    generator = seed_everything(seed)
    frames = [FRAMES[name] for name in names]
    ids = vocabulary(frames)
    splits = [frame.split(held_out, generator) for frame in frames]
    seen = [example for train, _ in splits for example in train]
    model = ReferenceReader(small_config(ids)).to(device)
    batch = encode(seen, ids).to(device)
    train_reader(model, batch, reading, generator, num_steps)
    return model, ids, [unseen for _, unseen in splits]
