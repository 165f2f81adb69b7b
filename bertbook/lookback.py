"""Naming the symbol that stands three places before a marker.

The answer depends on position and on nothing else: the same symbols in
another order have another answer. A string may be as long as we like, so a
reader trained on short strings can be tried on long ones.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from bertbook.attention import MultiHeadAttention
from bertbook.embeddings import TokenEmbedding
from bertbook.positions import (
    LearnedPositions,
    RelativeAttention,
    RelativeBias,
    RotaryAttention,
    SinusoidalPositions,
)
from bertbook.transformer import Encoder, TransformerConfig

STEPS_BACK = 3
"""How many places before the marker the answer stands."""
NUM_SYMBOLS = 8
"""Symbols have the ids 0 to 7: a guess is right one time in eight."""
MARKER = NUM_SYMBOLS
"""The id of the marker."""
CONFIG = TransformerConfig(
    vocab_size=NUM_SYMBOLS + 1,
    num_layers=1,
    d_model=64,
    num_heads=4,
    d_ff=128,
    dropout=0.0,
    max_len=64,
)
"""The sizes of every reader."""


class MarkedStrings(NamedTuple):
    """Strings of one length, each with one marker and one answer."""

    token_ids: Int[Tensor, "batch seq_len"]
    places: Int[Tensor, " batch"]
    answers: Int[Tensor, " batch"]


def marked_strings(
    num_strings: int, length: int, generator: torch.Generator
) -> MarkedStrings:
    """Draw strings with a marker at any place that has an answer.

    Args:
        num_strings: how many.
        length: their length in symbols, the marker included.
        generator: the source of random numbers.

    Raises:
        ValueError: if no place in a string of that length has an answer.
    """
    if length <= STEPS_BACK:
        raise ValueError(
            f"length is {length}: the answer stands {STEPS_BACK} places"
            f" before the marker, so take {STEPS_BACK + 1} or more"
        )
    token_ids = torch.randint(
        NUM_SYMBOLS, (num_strings, length), generator=generator
    )
    places = torch.randint(
        STEPS_BACK, length, (num_strings,), generator=generator
    )
    rows = torch.arange(num_strings)
    token_ids[rows, places] = MARKER
    answers = token_ids[rows, places - STEPS_BACK]
    return MarkedStrings(token_ids, places, answers)


class Scheme(NamedTuple):
    """How a reader knows positions: what is added, and how it attends."""

    positions: Callable[[TransformerConfig], nn.Module]
    attention: type[MultiHeadAttention]


def _nothing(config: TransformerConfig) -> nn.Module:
    return nn.Identity()


def _sinusoid(config: TransformerConfig) -> nn.Module:
    return SinusoidalPositions(config.d_model)


def _learned(config: TransformerConfig) -> nn.Module:
    return LearnedPositions(config.max_len, config.d_model)


SCHEMES = {
    "none": Scheme(_nothing, MultiHeadAttention),
    "sinusoidal": Scheme(_sinusoid, MultiHeadAttention),
    "learned": Scheme(_learned, MultiHeadAttention),
    "relative": Scheme(_nothing, RelativeAttention),
    "rotary": Scheme(_nothing, RotaryAttention),
}
"""The five ways of the comparison; all else in a reader is the same."""


class MarkerReader(nn.Module):
    """An encoder that answers from the marker's own row.

    Args:
        scheme: a name in `SCHEMES`.
        config: the sizes.
    """

    def __init__(
        self, scheme: str, config: TransformerConfig = CONFIG
    ) -> None:
        super().__init__()
        if scheme not in SCHEMES:
            raise ValueError(
                f"no scheme {scheme!r}: choose one of {', '.join(SCHEMES)}"
            )
        chosen = SCHEMES[scheme]
        self.embedding = TokenEmbedding(config.vocab_size, config.d_model)
        self.positions = chosen.positions(config)
        self.encoder = Encoder(config, chosen.attention)
        self.answer = nn.Linear(config.d_model, NUM_SYMBOLS)

    def forward(
        self,
        token_ids: Int[Tensor, "batch seq_len"],
        places: Int[Tensor, " batch"],
    ) -> Float[Tensor, "batch num_symbols"]:
        """Return a score for each symbol, read at the marker's place."""
        hidden = self.encoder(self.positions(self.embedding(token_ids)))
        rows = torch.arange(len(places), device=places.device)
        return self.answer(hidden[rows, places])


def train_reader(
    model: MarkerReader,
    num_steps: int,
    generator: torch.Generator,
    *,
    batch_size: int = 64,
    max_len: int = 20,
    learning_rate: float = 1e-3,
) -> list[float]:
    """Train on strings up to `max_len`, and return the loss of each step.

    The strings of a batch have one length, drawn anew for each batch.
    """
    here = next(model.parameters()).device
    optimizer = torch.optim.Adam(model.parameters(), lr=learning_rate)
    losses = []
    model.train()
    for _ in range(num_steps):
        length = torch.randint(
            STEPS_BACK + 1, max_len + 1, (), generator=generator
        )
        drawn = marked_strings(batch_size, int(length), generator)
        logits = model(drawn.token_ids.to(here), drawn.places.to(here))
        loss = F.cross_entropy(logits, drawn.answers.to(here))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


@torch.no_grad()
def right_answers(
    model: MarkerReader, strings: MarkedStrings
) -> Float[Tensor, " batch"]:
    """Return 1 for each string whose answer is right, 0 for the others."""
    here = next(model.parameters()).device
    model.eval()
    logits = model(strings.token_ids.to(here), strings.places.to(here))
    return (logits.argmax(-1).cpu() == strings.answers).float()


@torch.no_grad()
def fill_far_buckets(bias: RelativeBias, distance: int) -> None:
    """Give all buckets beyond a distance the numbers of its own bucket.

    Training on short strings leaves the far buckets as they were drawn. This
    puts what was learned for the farthest known distance in their place.

    Args:
        bias: the trained table; it is changed.
        distance: the farthest distance, in tokens, to trust.

    >>> bias = RelativeBias(num_heads=1)
    >>> fill_far_buckets(bias, 15)
    >>> near, far = bias.table.weight[9], bias.table.weight[15]
    >>> torch.equal(near, far)
    True
    """
    half, numbers = bias.num_buckets // 2, bias.table.weight
    last = int(bias.bucket(torch.tensor([-distance])))
    for side in (0, half):
        numbers[side + last + 1 : side + half] = numbers[side + last]
