"""BERT: three embeddings, a stack of encoder blocks, and its heads.

Value checks stand in `check_inputs`: a `forward` looks at shapes alone, so
that it neither waits for a GPU nor keeps `torch.compile` from tracing it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from bertbook.attention import MultiHeadAttention
from bertbook.embeddings import check_token_ids
from bertbook.positions import LearnedPositions, RotaryAttention
from bertbook.transformer import Encoder, TransformerConfig


@dataclass(frozen=True, kw_only=True)
class BertConfig(TransformerConfig):
    """The sizes of a BERT; the defaults are those of bert-base-uncased.

    Source: Devlin et al. (2019), §3, and the released `bert_config.json`.
    """

    vocab_size: int = 30_522
    num_layers: int = 12
    d_model: int = 768
    num_heads: int = 12
    d_ff: int = 3072
    max_len: int = 512
    num_segments: int = 2
    epsilon: float = 1e-12
    activation: Callable[[Tensor], Tensor] = F.gelu

    def __post_init__(self) -> None:
        """Refuse sizes that no BERT can have."""
        super().__post_init__()
        if self.num_segments < 1:
            raise ValueError(
                f"num_segments is {self.num_segments}: it must be at least 1"
            )


def sized(num_layers: int, d_model: int) -> BertConfig:
    """Return the released sizes' rule: heads of 64, four times as wide.

    >>> sized(2, 128).num_heads, sized(2, 128).d_ff
    (2, 512)

    Raises:
        ValueError: if `d_model` is not a multiple of 64.

    Source: Turc et al. (2019), §5; Devlin et al. (2019), §3.
    """
    if d_model % 64:
        raise ValueError(
            f"d_model is {d_model}: heads of 64 dimensions need a multiple"
            " of 64; for others write a BertConfig"
        )
    return BertConfig(
        num_layers=num_layers,
        d_model=d_model,
        num_heads=d_model // 64,
        d_ff=4 * d_model,
    )


SIZES: Final = MappingProxyType(
    {
        "tiny": sized(2, 128),
        "mini": sized(4, 256),
        "small": sized(4, 512),
        "medium": sized(8, 512),
        "base": sized(12, 768),
        "large": sized(24, 1024),
    }
)
"""The uncased models that Google released, by name."""


def initialise(module: nn.Module) -> None:
    """Draw every weight of a model anew: N(0, 0.02), and zero biases.

    The paper's code cuts the normal distribution at two standard deviations,
    which leaves 0.0176 of the 0.02. We do not cut it, as `transformers` does
    not: then the number in the paper is the number in the weights.

    Source: Devlin et al. (2019), `initializer_range` of the released code.
    """
    for part in module.modules():
        if isinstance(part, nn.Linear | nn.Embedding):
            nn.init.normal_(part.weight, std=0.02)
        if isinstance(part, nn.LayerNorm):
            nn.init.ones_(part.weight)
        if (
            isinstance(part, nn.Linear | nn.LayerNorm)
            and part.bias is not None
        ):
            nn.init.zeros_(part.bias)


class RotaryEmbeddings(nn.Module):
    """Add what a token is to which segment it stands in; no positions.

    Args:
        config: the sizes.

    Source: Su et al. (2021), §3.2: positions enter inside attention.
    """

    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        self.word = nn.Embedding(config.vocab_size, config.d_model)
        self.segment = nn.Embedding(config.num_segments, config.d_model)
        self.norm = nn.LayerNorm(config.d_model, eps=config.epsilon)
        self.dropout = nn.Dropout(config.dropout)

    def summed(
        self,
        token_ids: Int[Tensor, "batch seq_len"],
        segment_ids: Int[Tensor, "batch seq_len"] | None = None,
        position_ids: Int[Tensor, "batch seq_len"] | None = None,
    ) -> Float[Tensor, "batch seq_len d_model"]:
        """Return the sum of the looked-up rows, before the norm."""
        if segment_ids is None:
            return self.word(token_ids) + self.segment.weight[0]
        return self.word(token_ids) + self.segment(segment_ids)

    def forward(
        self,
        token_ids: Int[Tensor, "batch seq_len"],
        segment_ids: Int[Tensor, "batch seq_len"] | None = None,
        position_ids: Int[Tensor, "batch seq_len"] | None = None,
    ) -> Float[Tensor, "batch seq_len d_model"]:
        """Return the normalized sum of each token's rows.

        Args:
            token_ids: which row of the word table.
            segment_ids: which row of the segment table; 0 by default.
            position_ids: the position of every token; 0, 1, … by default.
        """
        x = self.summed(token_ids, segment_ids, position_ids)
        return self.dropout(self.norm(x))


class BertEmbeddings(RotaryEmbeddings):
    """Add up what a token is, where it stands, and in which segment.

    Args:
        config: the sizes.

    Source: Devlin et al. (2019), §3 and Figure 2.
    """

    def __init__(self, config: BertConfig) -> None:
        super().__init__(config)
        self.position = LearnedPositions(config.max_len, config.d_model)

    def summed(
        self,
        token_ids: Int[Tensor, "batch seq_len"],
        segment_ids: Int[Tensor, "batch seq_len"] | None = None,
        position_ids: Int[Tensor, "batch seq_len"] | None = None,
    ) -> Float[Tensor, "batch seq_len d_model"]:
        """Return the sum of three lookups, before the norm.

        Raises:
            ValueError: if the input is longer than the position table.
        """
        x = super().summed(token_ids, segment_ids)
        if position_ids is None:
            return self.position(x)
        return x + self.position.table(position_ids)


class Bert(nn.Module):
    """Turn token ids into one vector per token, each read in both directions.

    Args:
        config: the sizes.

    Source: Devlin et al. (2019), §3.
    """

    embeddings_type: type[RotaryEmbeddings] = BertEmbeddings
    attention_type: type[MultiHeadAttention] = MultiHeadAttention

    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        self.config = config
        self.embeddings = self.embeddings_type(config)
        self.encoder = Encoder(config, self.attention_type)
        initialise(self)

    def forward(
        self,
        token_ids: Int[Tensor, "batch seq_len"],
        segment_ids: Int[Tensor, "batch seq_len"] | None = None,
        mask: Tensor | None = None,
        position_ids: Int[Tensor, "batch seq_len"] | None = None,
    ) -> Float[Tensor, "batch seq_len d_model"]:
        """Return the last block's vectors.

        Args:
            token_ids: the tokens, [CLS] first.
            segment_ids: 0 for the first text, 1 for the second.
            mask: Boolean, True = may attend: (batch, query, key), each may
                be 1. For padding write `padding_mask(...)[:, None]`.
            position_ids: for rows that hold several sequences, together
                with a mask that keeps these apart.
        """
        x = self.embeddings(token_ids, segment_ids, position_ids)
        return self.encoder(x, mask)


class RotaryBert(Bert):
    """BERT whose attention turns queries and keys by their positions.

    `position_ids` change nothing here: rotary attention knows distances
    only, and within one sequence of a packed row these are what they were.

    Source: Su et al. (2021), §3.2 and §4.2 (RoFormer).
    """

    embeddings_type = RotaryEmbeddings
    attention_type = RotaryAttention


class Pooler(nn.Module):
    """Make one vector of the first token's: a linear layer and a tanh.

    Args:
        config: the sizes.

    Source: Devlin et al. (2019), §3, "C"; the released `modeling.py`.
    """

    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        self.linear = nn.Linear(config.d_model, config.d_model)
        initialise(self)

    def forward(
        self, hidden: Float[Tensor, "batch seq_len d_model"]
    ) -> Float[Tensor, "batch d_model"]:
        """Return one vector per row, each entry between -1 and 1."""
        return self.linear(hidden[:, 0]).tanh()


class PooledBert(nn.Module):
    """BERT with its pooler: what is fine-tuned, and what is counted.

    Args:
        bert: the encoder.
    """

    def __init__(self, bert: Bert) -> None:
        super().__init__()
        self.bert = bert
        self.pooler = Pooler(bert.config)

    def forward(
        self,
        token_ids: Int[Tensor, "batch seq_len"],
        segment_ids: Int[Tensor, "batch seq_len"] | None = None,
        mask: Tensor | None = None,
        position_ids: Int[Tensor, "batch seq_len"] | None = None,
    ) -> tuple[
        Float[Tensor, "batch seq_len d_model"], Float[Tensor, "batch d_model"]
    ]:
        """Return one vector per token, and one per row; as in `Bert`."""
        hidden = self.bert(token_ids, segment_ids, mask, position_ids)
        return hidden, self.pooler(hidden)


class MaskedLMHead(nn.Module):
    """Score every word of the vocabulary, by the word table's own rows.

    Args:
        config: the sizes.
        words: the word table, whose weight the two then share.

    Source: Devlin et al. (2019), §3.1; `get_masked_lm_output` of the code.
    """

    def __init__(self, config: BertConfig, words: nn.Embedding) -> None:
        super().__init__()
        self.transform = nn.Linear(config.d_model, config.d_model)
        self.activation = config.activation
        self.norm = nn.LayerNorm(config.d_model, eps=config.epsilon)
        initialise(self)
        self.table = words.weight
        self.bias = nn.Parameter(torch.zeros(config.vocab_size))

    def forward(
        self, hidden: Float[Tensor, "*batch d_model"]
    ) -> Float[Tensor, "*batch vocab_size"]:
        """Return the score of each word at each position given."""
        return F.linear(self.features(hidden), self.table, self.bias)

    def features(
        self, hidden: Float[Tensor, "*batch d_model"]
    ) -> Float[Tensor, "*batch d_model"]:
        """Return what is compared with the rows of the word table."""
        return self.norm(self.activation(self.transform(hidden)))


class NextSentenceHead(nn.Module):
    """Score whether the second text follows the first (0) or not (1).

    Args:
        config: the sizes.

    Source: Devlin et al. (2019), §3.1; `get_next_sentence_output`.
    """

    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        self.linear = nn.Linear(config.d_model, 2)
        initialise(self)

    def forward(
        self, pooled: Float[Tensor, "batch d_model"]
    ) -> Float[Tensor, "batch 2"]:
        """Return the scores of "is next" and "is not next"."""
        return self.linear(pooled)


class BertForMaskedLM(nn.Module):
    """BERT that guesses the words that were masked.

    Args:
        bert: the encoder, a `Bert` or a `RotaryBert`.

    Source: Devlin et al. (2019), §3.1.
    """

    def __init__(self, bert: Bert) -> None:
        super().__init__()
        self.bert = bert
        self.head = MaskedLMHead(bert.config, bert.embeddings.word)

    def forward(
        self,
        token_ids: Int[Tensor, "batch seq_len"],
        segment_ids: Int[Tensor, "batch seq_len"] | None = None,
        mask: Tensor | None = None,
        position_ids: Int[Tensor, "batch seq_len"] | None = None,
        positions: Bool[Tensor, "batch seq_len"] | None = None,
    ) -> Float[Tensor, "*selected vocab_size"]:
        """Return every word's score, at all positions or at some.

        Args:
            token_ids: as in `Bert`.
            segment_ids: as in `Bert`.
            mask: as in `Bert`.
            position_ids: as in `Bert`.
            positions: True where a guess is wanted; the head then runs
                there alone, and gives one row per True, in reading order.
        """
        hidden = self.bert(token_ids, segment_ids, mask, position_ids)
        return self.head(hidden if positions is None else hidden[positions])


class BertForPreTraining(nn.Module):
    """BERT with both heads it was pre-trained with.

    Args:
        bert: the encoder.

    Source: Devlin et al. (2019), §3.1.
    """

    def __init__(self, bert: Bert) -> None:
        super().__init__()
        self.bert = bert
        self.pooler = Pooler(bert.config)
        self.head = MaskedLMHead(bert.config, bert.embeddings.word)
        self.next_sentence = NextSentenceHead(bert.config)

    def forward(
        self,
        token_ids: Int[Tensor, "batch seq_len"],
        segment_ids: Int[Tensor, "batch seq_len"] | None = None,
        mask: Tensor | None = None,
        position_ids: Int[Tensor, "batch seq_len"] | None = None,
        positions: Bool[Tensor, "batch seq_len"] | None = None,
    ) -> tuple[
        Float[Tensor, "*selected vocab_size"], Float[Tensor, "batch 2"]
    ]:
        """Return the scores of the words, and those of the pair."""
        hidden = self.bert(token_ids, segment_ids, mask, position_ids)
        words = self.head(hidden if positions is None else hidden[positions])
        return words, self.next_sentence(self.pooler(hidden))


def check_inputs(
    config: BertConfig,
    token_ids: Int[Tensor, "batch seq_len"],
    segment_ids: Int[Tensor, "batch seq_len"] | None = None,
) -> None:
    """Check what is about to enter a model, by value.

    Raises:
        ValueError: for an empty input, one longer than `config.max_len`, or
            an id that the word table or the segment table does not have.
    """
    check_token_ids(token_ids, config.vocab_size)
    if token_ids.shape[1] > config.max_len:
        raise ValueError(
            f"the input has {token_ids.shape[1]} tokens, this model reads at"
            f" most {config.max_len}: cut it into pieces"
        )
    if segment_ids is None:
        return
    wrong = segment_ids[
        (segment_ids < 0) | (segment_ids >= config.num_segments)
    ]
    if wrong.numel():
        raise ValueError(
            f"segment id {wrong[0].item()}: this model has"
            f" {config.num_segments} segments, numbered from 0"
        )
