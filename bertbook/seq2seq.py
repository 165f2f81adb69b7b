"""A GRU encoder–decoder, with and without an additive attention read-out.

The task throughout is to write a string of symbols backwards. It needs no
data, its length is ours to choose, and the answer is right or wrong.
"""

from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from bertbook.attention import check_mask
from bertbook.masks import padding_mask

START, END = 0, 1
"""The ids of `<s>` and `</s>`; the symbols come after them."""
IGNORED = -100
"""The label of a padded position: it carries no loss."""
ALPHABET = "abcdefghijklmnopqrstuvwxyz"


@dataclass(frozen=True, kw_only=True)
class Seq2SeqConfig:
    """The sizes of an encoder–decoder and the longest source it accepts."""

    num_symbols: int = 14
    d_embedding: int = 32
    d_hidden: int = 64
    d_attention: int = 32
    max_len: int = 64

    def __post_init__(self) -> None:
        """Refuse sizes that are not positive, and too large an alphabet."""
        for name, value in vars(self).items():
            if value < 1:
                raise ValueError(f"{name} is {value}: it must be at least 1")
        if self.num_symbols > len(ALPHABET):
            raise ValueError(
                f"num_symbols is {self.num_symbols}: the alphabet has only"
                f" {len(ALPHABET)} letters"
            )

    @property
    def vocab_size(self) -> int:
        """The symbols, `<s>` and `</s>`."""
        return self.num_symbols + 2


class Batch(NamedTuple):
    """Strings and their reversals, padded to the longest of the batch."""

    source: Int[Tensor, "batch source"]
    lengths: Int[Tensor, " batch"]
    target_inputs: Int[Tensor, "batch target"]
    labels: Int[Tensor, "batch target"]


def check_source(
    source: Int[Tensor, "batch source"],
    lengths: Int[Tensor, " batch"],
    config: Seq2SeqConfig,
) -> None:
    """Check a padded batch before it enters a model.

    Raises:
        ValueError: for an empty sequence, one longer than its row or than
            `config.max_len`, or an id that the vocabulary does not have.
    """
    width = source.shape[1]
    if (short := lengths[lengths < 1]).numel():
        raise ValueError(
            f"a sequence of length {short[0].item()}: give at least one symbol"
        )
    limit = min(width, config.max_len)
    if (long := lengths[lengths > limit]).numel():
        raise ValueError(
            f"a sequence of length {long[0].item()} in a row of {width}:"
            f" the row and max_len={config.max_len} must hold it"
        )
    real = source[padding_mask(lengths, width)]
    if (bad := real[(real < 0) | (real >= config.vocab_size)]).numel():
        raise ValueError(
            f"token id {bad[0].item()} is not in the vocabulary: ids go"
            f" from 0 to {config.vocab_size - 1}"
        )


def encode_strings(
    strings: list[str], config: Seq2SeqConfig
) -> tuple[Int[Tensor, "batch source"], Int[Tensor, " batch"]]:
    """Turn strings into padded ids and their lengths.

    Raises:
        ValueError: for an empty list, an empty or too long string, or a
            letter that is not one of the symbols.

    >>> ids, lengths = encode_strings(["ab", "c"], Seq2SeqConfig())
    >>> ids.tolist(), lengths.tolist()
    ([[2, 3], [4, 1]], [2, 1])
    """
    if not strings:
        raise ValueError("an empty list of strings: give at least one")
    symbols = ALPHABET[: config.num_symbols]
    for string in strings:
        if unknown := set(string) - set(symbols):
            raise ValueError(
                f"{sorted(unknown)} in {string!r}: the symbols are {symbols!r}"
            )
    lengths = torch.tensor([len(string) for string in strings])
    ids = torch.full((len(strings), int(lengths.max())), END)
    for row, string in zip(ids, strings, strict=True):
        row[: len(string)] = torch.tensor(
            [symbols.index(letter) + 2 for letter in string], dtype=torch.long
        )
    check_source(ids, lengths, config)
    return ids, lengths


def decode_ids(token_ids: Int[Tensor, "batch target"]) -> list[str]:
    """Turn rows of ids into strings, each cut at its first `</s>`.

    >>> decode_ids(torch.tensor([[3, 2, 1, 1], [4, 1, 4, 4]]))
    ['ba', 'c']
    """
    strings = []
    for row in token_ids.tolist():
        kept = row[: row.index(END)] if END in row else row
        strings.append(
            "".join("·" if i == START else ALPHABET[i - 2] for i in kept)
        )
    return strings


def reversal_batch(
    source: Int[Tensor, "batch source"], lengths: Int[Tensor, " batch"]
) -> Batch:
    """Set beside each source its reversal, as decoder inputs and labels.

    The decoder reads `<s>` and the reversed string, and must answer the
    reversed string and `</s>`. Labels past the end are `IGNORED`.

    >>> batch = reversal_batch(torch.tensor([[2, 3, 4]]), torch.tensor([3]))
    >>> batch.target_inputs.tolist(), batch.labels.tolist()
    ([[0, 4, 3, 2]], [[4, 3, 2, 1]])
    """
    rows, width = source.shape
    place = lengths[:, None] - 1 - torch.arange(width, device=source.device)
    reversed_ids = source.gather(1, place.clamp(min=0))
    reversed_ids = reversed_ids.masked_fill(place < 0, END)
    edge = source.new_full((rows, 1), START)
    labels = torch.cat([reversed_ids, edge + END], dim=1)
    within = padding_mask(lengths + 1, width + 1)
    return Batch(
        source=source,
        lengths=lengths,
        target_inputs=torch.cat([edge, reversed_ids], dim=1),
        labels=labels.masked_fill(~within, IGNORED),
    )


def random_batch(
    config: Seq2SeqConfig,
    batch_size: int,
    min_len: int,
    max_len: int,
    generator: torch.Generator,
) -> Batch:
    """Draw strings of uniform length and uniform symbols to reverse.

    Args:
        config: the alphabet and the longest source accepted.
        batch_size: how many strings.
        min_len: the shortest length drawn.
        max_len: the longest length drawn, included.
        generator: a CPU generator, so that draws repeat.

    Raises:
        ValueError: if the lengths do not satisfy 1 ≤ min ≤ max ≤ limit.
    """
    if not 1 <= min_len <= max_len <= config.max_len or batch_size < 1:
        raise ValueError(
            f"batch_size={batch_size}, lengths {min_len} to {max_len}: need"
            f" at least one string and 1 <= min <= max <= {config.max_len}"
        )
    lengths = torch.randint(
        min_len, max_len + 1, (batch_size,), generator=generator
    )
    shape = (batch_size, int(lengths.max()))
    source = torch.randint(2, config.vocab_size, shape, generator=generator)
    source = source.masked_fill(~padding_mask(lengths, shape[1]), END)
    return reversal_batch(source, lengths)


def gru_step(
    x: Float[Tensor, "batch d_input"],
    hidden: Float[Tensor, "batch d_hidden"],
    w_input: Float[Tensor, "gates d_input"],
    w_hidden: Float[Tensor, "gates d_hidden"],
    b_input: Float[Tensor, " gates"],
    b_hidden: Float[Tensor, " gates"],
) -> Float[Tensor, "batch d_hidden"]:
    """Mix the old state and a proposal, one gate value per number.

    PyTorch's form: the reset gate acts after the matrix, and the three
    gates (reset, update, proposal) lie under one another in the weights.

    Source: Cho et al. (2014), eqs. 5–8.
    """
    from_x = (x @ w_input.T + b_input).chunk(3, dim=-1)
    from_h = (hidden @ w_hidden.T + b_hidden).chunk(3, dim=-1)
    reset = torch.sigmoid(from_x[0] + from_h[0])
    update = torch.sigmoid(from_x[1] + from_h[1])
    proposal = torch.tanh(from_x[2] + reset * from_h[2])
    return update * hidden + (1 - update) * proposal


def additive_attention(
    query: Float[Tensor, "batch target d_query"],
    keys: Float[Tensor, "batch source d_key"],
    w_query: Float[Tensor, "d_attention d_query"],
    w_key: Float[Tensor, "d_attention d_key"],
    v: Float[Tensor, " d_attention"],
    mask: Tensor,
) -> tuple[
    Float[Tensor, "batch target d_key"], Float[Tensor, "batch target source"]
]:
    """Read a weighted mean of the keys, weighted by a small network.

    Args:
        query: what asks: the decoder's states.
        keys: what is asked and read: the encoder's states.
        w_query: the projection of a query.
        w_key: the projection of a key.
        v: the weight of each of the `d_attention` features in the score.
        mask: Boolean, (batch, source); True = may attend. A row with no
            True gives zeros.

    Returns:
        The mean read for each query, and its weights over the source.

    Raises:
        ValueError: for an empty sequence or a mask that does not fit.

    Source: Bahdanau et al. (2015), eqs. 5–6 and appendix A.1.2.
    """
    asked = (query @ w_query.T)[:, :, None]
    offered = (keys @ w_key.T)[:, None]
    scores = torch.tanh(asked + offered) @ v
    allowed = mask[:, None]
    check_mask(scores.shape, allowed)
    scores = scores.masked_fill(~allowed, torch.finfo(scores.dtype).min)
    weights = scores.softmax(dim=-1).masked_fill(~allowed, 0.0)
    return weights @ keys, weights


class Encoder(nn.Module):
    """Read a sequence with a GRU, one state after each symbol."""

    def __init__(self, config: Seq2SeqConfig) -> None:
        super().__init__()
        width, hidden = config.d_embedding, config.d_hidden
        self.gru = nn.GRU(width, hidden, batch_first=True)

    def forward(
        self,
        inputs: Float[Tensor, "batch source d_embedding"],
        lengths: Int[Tensor, " batch"],
    ) -> tuple[
        Float[Tensor, "batch source d_hidden"], Float[Tensor, "batch d_hidden"]
    ]:
        """Return every state, and the one after the last real symbol."""
        states, _ = self.gru(inputs)
        rows = torch.arange(len(lengths), device=lengths.device)
        return states, states[rows, lengths - 1]


class Decoder(nn.Module):
    """Write from the state it starts in; it reads nothing of the source."""

    def __init__(self, config: Seq2SeqConfig) -> None:
        super().__init__()
        width, hidden = config.d_embedding, config.d_hidden
        self.gru = nn.GRU(width, hidden, batch_first=True)
        self.output = nn.Linear(hidden, config.vocab_size)

    def forward(
        self,
        inputs: Float[Tensor, "batch target d_embedding"],
        hidden: Float[Tensor, "batch d_hidden"],
        states: Float[Tensor, "batch source d_hidden"],
        mask: Bool[Tensor, "batch source"],
    ) -> tuple[
        Float[Tensor, "batch target vocab"], Float[Tensor, "batch d_hidden"]
    ]:
        """Return the logits after each input, and the last state."""
        outputs, final = self.gru(inputs, hidden[None].contiguous())
        return self.output(outputs), final[0]


class AttentionDecoder(nn.Module):
    """Write, and before each symbol look back at all the source's states.

    The score is Bahdanau's; the look comes after the decoder's step, as in
    Luong et al., so that training needs no loop. `v` stays at ones: tanh is
    odd, so the two projections learn its signs.

    Source: Bahdanau et al. (2015), §3.1; Luong et al. (2015), §3, fig. 2.
    """

    def __init__(self, config: Seq2SeqConfig) -> None:
        super().__init__()
        width, hidden = config.d_embedding, config.d_hidden
        self.gru = nn.GRU(width, hidden, batch_first=True)
        self.output = nn.Linear(2 * hidden, config.vocab_size)
        self.w_query = nn.Linear(hidden, config.d_attention, bias=False)
        self.w_key = nn.Linear(hidden, config.d_attention, bias=False)
        self.v: Tensor
        self.register_buffer("v", torch.ones(config.d_attention))

    def forward(
        self,
        inputs: Float[Tensor, "batch target d_embedding"],
        hidden: Float[Tensor, "batch d_hidden"],
        states: Float[Tensor, "batch source d_hidden"],
        mask: Bool[Tensor, "batch source"],
    ) -> tuple[
        Float[Tensor, "batch target vocab"], Float[Tensor, "batch d_hidden"]
    ]:
        """Return the logits after each input, and the last state."""
        outputs, final = self.gru(inputs, hidden[None].contiguous())
        weights = self.w_query.weight, self.w_key.weight, self.v
        read, _ = additive_attention(outputs, states, *weights, mask)
        return self.output(torch.cat([outputs, read], dim=-1)), final[0]


class Seq2Seq(nn.Module):
    """Hand the decoder one vector: the encoder's last state, and no more.

    Source: Sutskever et al. (2014), §2; Cho et al. (2014), §2.2.
    """

    decoder_class: type[nn.Module] = Decoder

    def __init__(self, config: Seq2SeqConfig) -> None:
        super().__init__()
        self.config = config
        self.embedding = nn.Embedding(config.vocab_size, config.d_embedding)
        self.encoder = Encoder(config)
        self.decoder = self.decoder_class(config)

    def forward(
        self,
        source: Int[Tensor, "batch source"],
        lengths: Int[Tensor, " batch"],
        target_inputs: Int[Tensor, "batch target"],
    ) -> Float[Tensor, "batch target vocab"]:
        """Return the logits of each next symbol, given the right ones."""
        states, context = self.encoder(self.embedding(source), lengths)
        mask = padding_mask(lengths, source.shape[1])
        inputs = self.embedding(target_inputs)
        return self.decoder(inputs, context, states, mask)[0]


class AttentionSeq2Seq(Seq2Seq):
    """Hand the decoder the last state, and all the others to look at."""

    decoder_class = AttentionDecoder


@torch.no_grad()
def greedy_decode(
    model: Seq2Seq,
    source: Int[Tensor, "batch source"],
    lengths: Int[Tensor, " batch"],
    num_steps: int,
) -> Int[Tensor, "batch num_steps"]:
    """Write the likeliest symbol, feed it back, and go on.

    After a row's first `</s>` only `</s>` follows.

    Raises:
        ValueError: for an empty or too long sequence or an unknown id.
    """
    check_source(source, lengths, model.config)
    states, hidden = model.encoder(model.embedding(source), lengths)
    mask = padding_mask(lengths, source.shape[1])
    token_ids = source.new_full((len(source), 1), START)
    written = []
    for _ in range(num_steps):
        inputs = model.embedding(token_ids)
        logits, hidden = model.decoder(inputs, hidden, states, mask)
        likeliest = logits.argmax(dim=-1)
        token_ids = likeliest.masked_fill(token_ids == END, END)
        written.append(token_ids)
    return torch.cat(written, dim=1)


class Accuracy(NamedTuple):
    """Shares from 0 to 1 of whole strings and of single symbols."""

    exact_match: float
    token: float


def reversal_accuracy(
    model: Seq2Seq, length: int, num_strings: int, generator: torch.Generator
) -> Accuracy:
    """Measure greedy decoding on random strings of one length.

    A string counts when every symbol and the closing `</s>` are right. The
    token accuracy leaves `</s>` out.
    """
    batch = random_batch(model.config, num_strings, length, length, generator)
    device = next(model.parameters()).device
    source, lengths = batch.source.to(device), batch.lengths.to(device)
    written = greedy_decode(model, source, lengths, length + 1)
    right = (written == batch.labels.to(device)).float()
    return Accuracy(
        exact_match=right.prod(dim=1).mean().item(),
        token=right[:, :-1].mean().item(),
    )


def train_reversal(
    model: Seq2Seq,
    num_steps: int,
    generator: torch.Generator,
    *,
    batch_size: int = 64,
    min_len: int = 4,
    max_len: int = 20,
    learning_rate: float = 3e-3,
    max_norm: float = 1.0,
) -> list[float]:
    """Train on fresh random strings, and return the loss of every step.

    Gradients longer than `max_norm` are cut to it, as Bahdanau et al.
    (2015), appendix B.2, do.
    """
    optimizer = torch.optim.Adam(model.parameters(), lr=learning_rate)
    device = next(model.parameters()).device
    losses = []
    model.train()
    for _ in range(num_steps):
        batch = random_batch(
            model.config, batch_size, min_len, max_len, generator
        )
        source, lengths, inputs, labels = (part.to(device) for part in batch)
        logits = model(source, lengths, inputs)
        loss = F.cross_entropy(
            logits.flatten(0, 1), labels.flatten(), ignore_index=IGNORED
        )
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), max_norm)
        optimizer.step()
        losses.append(loss.item())
    model.eval()
    return losses
