"""Stacks of blocks: encoder, decoder, and the two joined to translate."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from bertbook.attention import KeyValueCache, MultiHeadAttention
from bertbook.blocks import (
    AddAndNorm,
    BlockCache,
    BlockConfig,
    DecoderBlock,
    EncoderBlock,
)
from bertbook.embeddings import TokenEmbedding, check_token_ids
from bertbook.masks import causal_mask
from bertbook.positions import SinusoidalPositions


@dataclass(frozen=True, kw_only=True)
class TransformerConfig(BlockConfig):
    """The sizes of a stack; the defaults are those of the original.

    Source: Vaswani et al. (2017), Table 3.
    """

    vocab_size: int = 37_000
    num_layers: int = 6
    max_len: int = 512

    def __post_init__(self) -> None:
        """Refuse sizes that no stack can have."""
        super().__post_init__()
        for name in ("vocab_size", "num_layers", "max_len"):
            value = getattr(self, name)
            if value < 1:
                raise ValueError(f"{name} is {value}: it must be at least 1")


class Encoder(nn.Module):
    """Blocks one after another, each with weights of its own.

    Args:
        config: the sizes.
        attention: as in `EncoderBlock`.
        residual: as in `EncoderBlock`.

    Source: Vaswani et al. (2017), §3.1.
    """

    def __init__(
        self,
        config: TransformerConfig,
        attention: type[MultiHeadAttention] = MultiHeadAttention,
        residual: type[AddAndNorm] = AddAndNorm,
    ) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(
            EncoderBlock(config, attention, residual)
            for _ in range(config.num_layers)
        )
        self.after_last = residual.after_last(config)

    def forward(
        self,
        x: Float[Tensor, "batch seq_len d_model"],
        mask: Tensor | None = None,
    ) -> Float[Tensor, "batch seq_len d_model"]:
        """Return one vector per token, each having read all it may."""
        for block in self.blocks:
            x = block(x, mask)
        return self.after_last(x)


class Decoder(nn.Module):
    """Decoder blocks one after another, each reading the same memory.

    Args:
        config: the sizes.
        attention: as in `DecoderBlock`.
        residual: as in `DecoderBlock`.

    Source: Vaswani et al. (2017), §3.1.
    """

    def __init__(
        self,
        config: TransformerConfig,
        attention: type[MultiHeadAttention] = MultiHeadAttention,
        residual: type[AddAndNorm] = AddAndNorm,
    ) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(
            DecoderBlock(config, attention, residual)
            for _ in range(config.num_layers)
        )
        self.after_last = residual.after_last(config)

    def new_cache(self) -> list[BlockCache]:
        """Return an empty cache for every block."""
        return [
            BlockCache(KeyValueCache(), KeyValueCache()) for _ in self.blocks
        ]

    def forward(
        self,
        x: Float[Tensor, "batch target d_model"],
        memory: Float[Tensor, "batch source d_model"],
        memory_mask: Tensor | None = None,
        cache: list[BlockCache] | None = None,
    ) -> Float[Tensor, "batch target d_model"]:
        """Return one vector per target position, which knows no later one.

        Args:
            x: the target so far; behind a cache, its newest positions.
            memory: the encoder's output.
            memory_mask: over (batch, target, source); the target may be 1.
            cache: one entry per block, from `new_cache`.
        """
        written = len(cache[0].target) if cache else 0
        length = x.shape[1]
        mask = causal_mask(length, written + length, device=x.device)[None]
        caches = cache or [None] * len(self.blocks)
        for block, own in zip(self.blocks, caches, strict=True):
            x = block(x, memory, mask, memory_mask, own)
        return self.after_last(x)


class Transformer(nn.Module):
    """An encoder reads the source, a decoder writes the target.

    Source and target share one vocabulary, and one table serves both
    embeddings and the output layer.

    Args:
        config: the sizes.
        attention: as in `EncoderBlock`.
        residual: as in `EncoderBlock`.

    Source: Vaswani et al. (2017), Figure 1 and §3.4.
    """

    def __init__(
        self,
        config: TransformerConfig,
        attention: type[MultiHeadAttention] = MultiHeadAttention,
        residual: type[AddAndNorm] = AddAndNorm,
    ) -> None:
        super().__init__()
        self.config = config
        self.embedding = TokenEmbedding(config.vocab_size, config.d_model)
        self.positions = SinusoidalPositions(config.d_model)
        self.dropout = nn.Dropout(config.dropout)
        self.encoder = Encoder(config, attention, residual)
        self.decoder = Decoder(config, attention, residual)

    def encode(
        self,
        source_ids: Int[Tensor, "batch source"],
        source_padding: Bool[Tensor, "batch source"],
    ) -> Float[Tensor, "batch source d_model"]:
        """Return one vector per source token.

        Args:
            source_ids: padded token ids.
            source_padding: `padding_mask`: True for a real token.
        """
        x = self.dropout(self.positions(self.embedding(source_ids)))
        return self.encoder(x, source_padding[:, None])

    def decode(
        self,
        target_ids: Int[Tensor, "batch target"],
        memory: Float[Tensor, "batch source d_model"],
        source_padding: Bool[Tensor, "batch source"],
        cache: list[BlockCache] | None = None,
    ) -> Float[Tensor, "batch target vocab_size"]:
        """Return the scores of every next token.

        A pad at the end of a target needs no mask: no earlier position may
        attend to it, and its own label is ignored.

        Args:
            target_ids: the target so far; behind a cache, its newest ids.
            memory: what `encode` returned.
            source_padding: as in `encode`.
            cache: from `decoder.new_cache()`, for decoding step by step.
        """
        start = len(cache[0].target) if cache else 0
        x = self.positions(self.embedding(target_ids), start)
        x = self.decoder(
            self.dropout(x), memory, source_padding[:, None], cache
        )
        return self.embedding.logits(x)

    def forward(
        self,
        source_ids: Int[Tensor, "batch source"],
        source_padding: Bool[Tensor, "batch source"],
        target_ids: Int[Tensor, "batch target"],
    ) -> Float[Tensor, "batch target vocab_size"]:
        """Return the scores of every next token of a known target."""
        memory = self.encode(source_ids, source_padding)
        return self.decode(target_ids, memory, source_padding)


def check_source(
    source_ids: Int[Tensor, "batch source"],
    source_padding: Bool[Tensor, "batch source"],
    config: TransformerConfig,
) -> None:
    """Check a source before it enters a model.

    Raises:
        ValueError: for an empty source, one longer than `config.max_len`,
            an id outside the vocabulary, or a row of padding alone.
    """
    check_token_ids(source_ids, config.vocab_size)
    width = source_ids.shape[1]
    if width > config.max_len:
        raise ValueError(
            f"the source has {width} tokens, max_len is {config.max_len}:"
            " cut it, or build the model with a larger max_len"
        )
    empty = (~source_padding.any(dim=1)).nonzero().flatten().tolist()
    if empty:
        raise ValueError(
            f"rows {empty} of the source are all padding: leave them out"
        )


def _check_decoding(
    config: TransformerConfig, start_id: int, end_id: int, max_len: int
) -> None:
    """Refuse special ids and a length that the model does not have."""
    check_token_ids(torch.tensor([[start_id, end_id]]), config.vocab_size)
    if not 1 <= max_len <= config.max_len:
        raise ValueError(
            f"max_len is {max_len}: this model writes 1 to {config.max_len}"
            " tokens"
        )


@torch.no_grad()
def greedy_decode(
    model: Transformer,
    source_ids: Int[Tensor, "batch source"],
    source_padding: Bool[Tensor, "batch source"],
    *,
    start_id: int,
    end_id: int,
    max_len: int,
    use_cache: bool = True,
) -> Int[Tensor, "batch target"]:
    """Write each target token by token, always the likeliest next.

    Args:
        model: put into evaluation mode for the time of the call.
        source_ids: padded token ids.
        source_padding: True for a real token.
        start_id: the id every target begins with; it is not returned.
        end_id: the id that ends a target; it also fills what follows.
        max_len: the most tokens to write.
        use_cache: whether to keep keys and values from step to step. The
            result is the same, the cost per token is not.

    Returns:
        The ids written, up to the step at which all rows had ended.

    Raises:
        ValueError: if `max_len` is not from 1 to `model.config.max_len`, a
            special id is not in the vocabulary, or for a source that
            `check_source` refuses.

    Source: Vaswani et al. (2017), §3.1, "auto-regressive".
    """
    check_source(source_ids, source_padding, model.config)
    _check_decoding(model.config, start_id, end_id, max_len)
    was_training = model.training
    model.eval()
    written = source_ids.new_full((len(source_ids), 1), start_id)
    ended = written.new_zeros(len(written), dtype=torch.bool)
    memory = model.encode(source_ids, source_padding)
    cache = model.decoder.new_cache() if use_cache else None
    while written.shape[1] <= max_len and not ended.all():
        newest = written[:, -1:] if use_cache else written
        logits = model.decode(newest, memory, source_padding, cache)
        next_id = logits[:, -1].argmax(dim=-1).masked_fill(ended, end_id)
        written = torch.cat([written, next_id[:, None]], dim=1)
        ended |= next_id == end_id
    model.train(was_training)
    return written[:, 1:]
