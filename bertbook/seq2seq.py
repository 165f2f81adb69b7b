"""A GRU encoder–decoder, with and without an additive attention read-out."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from bertbook.attention import check_mask
from bertbook.embeddings import check_token_ids
from bertbook.masks import padding_mask


@dataclass(frozen=True, kw_only=True)
class Seq2SeqConfig:
    """The sizes of an encoder–decoder and the longest source it accepts.

    The defaults are those of chapter 01: 14 symbols, `<s>` and `</s>`.

    Attributes:
        vocab_size: number of ids, the special ones included.
        start_id: the id that every target begins with, `<s>`.
        end_id: the id that ends a target, `</s>`.
    """

    vocab_size: int = 16
    d_embedding: int = 32
    d_hidden: int = 64
    d_attention: int = 32
    max_len: int = 64
    start_id: int = 0
    end_id: int = 1

    def __post_init__(self) -> None:
        """Refuse sizes that are not positive, and ids out of range."""
        special = ("start_id", "end_id")
        for name, value in vars(self).items():
            if name not in special and value < 1:
                raise ValueError(f"{name} is {value}: it must be at least 1")
        for name in special:
            if not 0 <= getattr(self, name) < self.vocab_size:
                raise ValueError(
                    f"{name} is {getattr(self, name)}: ids go from 0 to"
                    f" {self.vocab_size - 1}"
                )
        if self.start_id == self.end_id:
            raise ValueError(
                f"start_id and end_id are both {self.end_id}: the model"
                " would end before its first symbol"
            )


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
    check_token_ids(real[None], config.vocab_size)


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
    end = model.config.end_id
    token_ids = source.new_full((len(source), 1), model.config.start_id)
    written = []
    for _ in range(num_steps):
        inputs = model.embedding(token_ids)
        logits, hidden = model.decoder(inputs, hidden, states, mask)
        likeliest = logits.argmax(dim=-1)
        token_ids = likeliest.masked_fill(token_ids == end, end)
        written.append(token_ids)
    return torch.cat(written, dim=1)
