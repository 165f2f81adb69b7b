"""The settings of a run: from a TOML file, from flags, checked at once."""

import math
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from bertbook.bert import Bert, BertConfig, BertForMaskedLM, RotaryBert
from bertbook.masking import MaskingConfig
from bertbook.tokenization import MASK, SPECIAL_FIRST

MODELS: Final = MappingProxyType({"bert": Bert, "rotary-bert": RotaryBert})
"""The encoders that can be pre-trained, by the name in the settings."""

MASKINGS: Final = ("tokens", "words", "spans")
PRECISIONS: Final = ("auto", "fp32", "bf16", "fp16")
PRODUCTS: Final = ("auto", "blas", "onednn")
_COUNTS: Final = (
    *("steps", "rows", "width", "accumulate", "checkpoint_every"),
    *("evaluate_every", "held_out_rows"),
)
_CHOICES: Final = MappingProxyType(
    {
        "model": MODELS,
        "masking": MASKINGS,
        "precision": PRECISIONS,
        "products": PRODUCTS,
    }
)


@dataclass(frozen=True, kw_only=True)
class PretrainingConfig:
    """All that decides what a run computes.

    Attributes:
        model: `"bert"`, or `"rotary-bert"`.
        vocab_size: WordPieces, the special ones included.
        num_layers: blocks.
        d_model: width of a token's vector.
        num_heads: heads of each block.
        d_ff: width inside the feed-forward network.
        max_len: the longest sequence the model can read.
        start_from: folder of a pre-trained model of these sizes and this
            vocabulary, whose weights are the first; random ones if empty.
        dropout: probability, in attention and after each sub-layer.
        steps: updates of the weights.
        rows: packed rows in an update, over all processes.
        width: token positions in a row.
        accumulate: parts in which each process computes its rows, to save
            memory.
        stages: sequence lengths, and the step from which on they are drawn:
            `"0:16 1000:16,32 2000:128"`.
        masking: what is chosen: `"tokens"`, whole `"words"`, or `"spans"`.
        select_prob: share of the tokens that is chosen.
        mask_prob: share of those that becomes [MASK].
        random_prob: share of those that becomes a random token.
        learning_rate: the highest.
        warmup: steps over which it rises from 0.
        decay: share of the steps, at the end, over which it falls to 0.
        weight_decay: on matrices; biases and norms have none.
        beta2: how slowly AdamW forgets squared gradients.
        clip_norm: longest gradient.
        precision: `"auto"` measures which number format is fastest here.
        products: the library that multiplies float32 matrices on a
            processor: PyTorch's `"blas"`, or `"onednn"`; `"auto"` measures.
        compile: whether to compile the encoder, which takes a while.
        seed: of weights, order, masks and dropout.
        checkpoint_every: steps between checkpoints.
        evaluate_every: steps between looks at the held-out text.
        held_out_rows: packed rows in such a look.
    """

    model: str = "bert"
    vocab_size: int = 8_192
    num_layers: int = 4
    d_model: int = 256
    num_heads: int = 4
    d_ff: int = 1_024
    max_len: int = 128
    start_from: str = ""
    dropout: float = 0.0
    steps: int = 2_000
    rows: int = 16
    width: int = 128
    accumulate: int = 1
    stages: str = "0:128"
    masking: str = "tokens"
    select_prob: float = 0.15
    mask_prob: float = 0.8
    random_prob: float = 0.1
    learning_rate: float = 1e-3
    warmup: int = 200
    decay: float = 0.3
    weight_decay: float = 0.01
    beta2: float = 0.98
    clip_norm: float = 1.0
    precision: str = "auto"
    products: str = "auto"
    compile: bool = False
    seed: int = 0
    checkpoint_every: int = 200
    evaluate_every: int = 500
    held_out_rows: int = 128

    def __post_init__(self) -> None:
        """Refuse settings with which no run could end well."""
        for name, choices in _CHOICES.items():
            value = getattr(self, name)
            if value not in choices:
                raise ValueError(
                    f"{name} is {value!r}: choose one of {sorted(choices)}"
                )
        for name in _COUNTS:
            if getattr(self, name) < 1:
                raise ValueError(
                    f"{name} is {getattr(self, name)}: it must be at least 1"
                )
        self._check_numbers()
        self._check_lengths()
        self.bert_config()
        self.masking_config()

    def _check_numbers(self) -> None:
        """Hold single settings to what they can be."""
        for name in ("learning_rate", "clip_norm", "warmup"):
            if not 0 < getattr(self, name) < math.inf:
                raise ValueError(
                    f"{name} is {getattr(self, name)}: it must be positive"
                )
        for name in ("weight_decay", "seed"):
            if not 0 <= getattr(self, name) < math.inf:
                raise ValueError(
                    f"{name} is {getattr(self, name)}: it must be 0 or more"
                )
        for name in ("decay", "beta2"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(
                    f"{name} is {getattr(self, name)}: a share from 0 to 1"
                )
        if self.rows % self.accumulate:
            raise ValueError(
                f"{self.rows} rows cannot be cut into {self.accumulate} equal"
                " parts: choose an accumulate that divides rows"
            )

    def _check_lengths(self) -> None:
        """Hold the stages' lengths to the row and to the position table."""
        stages = self.lengths()
        if stages[0][0] != 0:
            raise ValueError(
                f"the first stage begins at step {stages[0][0]}: begin at 0"
            )
        if sorted({begin for begin, _ in stages}) != [b for b, _ in stages]:
            raise ValueError(f"stages {self.stages!r} are not in order")
        lengths = [length for _, each in stages for length in each]
        if min(lengths) < 8:
            raise ValueError(
                f"a stage has sequences of {min(lengths)}: use at least 8"
            )
        for name in ("max_len", "width"):
            if max(lengths) > getattr(self, name):
                raise ValueError(
                    f"a stage has sequences of {max(lengths)} tokens, and"
                    f" {name} is {getattr(self, name)}: raise {name}, or"
                    " shorten the stage"
                )

    def lengths(self) -> list[tuple[int, list[int]]]:
        """Return the stages: each first step, and the lengths from then on."""
        try:
            parts = [stage.split(":") for stage in self.stages.split()]
            stages = [
                (int(begin), [int(length) for length in lengths.split(",")])
                for begin, lengths in parts
            ]
        except ValueError:
            stages = []
        if not stages:
            raise ValueError(
                f"stages is {self.stages!r}: write STEP:LENGTH,LENGTH …, such"
                " as '0:16 1000:32,128'"
            )
        return stages

    def lengths_at(self, step: int) -> list[int]:
        """Return the sequence lengths that are drawn at a step."""
        return [each for begin, each in self.lengths() if begin <= step][-1]

    def bert_config(self) -> BertConfig:
        """Return the sizes of the model."""
        shared = {field.name for field in fields(BertConfig)}
        mine = {k: v for k, v in asdict(self).items() if k in shared}
        return BertConfig(**mine)

    def masking_config(
        self, special: Mapping[str, int] = SPECIAL_FIRST
    ) -> MaskingConfig:
        """Return the collator's settings.

        Args:
            special: the ids of the special tokens.
        """
        return MaskingConfig(
            vocab_size=self.vocab_size,
            mask_id=special[MASK],
            special_ids=special.values(),
            select_prob=self.select_prob,
            mask_prob=self.mask_prob,
            random_prob=self.random_prob,
        )

    def build(self) -> BertForMaskedLM:
        """Return the untrained model."""
        return BertForMaskedLM(MODELS[self.model](self.bert_config()))

    @property
    def decay_from(self) -> int:
        """Return the step at which the learning rate begins to fall."""
        return self.steps - round(self.steps * self.decay)

    def learning_rate_at(self, step: int) -> float:
        """Return the learning rate of a step: up, level, and down to 0.

        Source: Hu et al. (2024), "MiniCPM", §4.2: warm-up, stable, decay.

        >>> config = PretrainingConfig(steps=1000, warmup=10, decay=0.5)
        >>> [config.learning_rate_at(step) for step in (4, 499, 750)]
        [0.0005, 0.001, 0.0005]
        """
        up = min(1.0, (step + 1) / self.warmup)
        last = max(1, self.steps - self.decay_from)
        down = min(1.0, (self.steps - step) / last)
        return self.learning_rate * min(up, down)


def read_config(
    file: Path | None,
    changes: Mapping[str, Any],
    defaults: Mapping[str, Any] = MappingProxyType({}),
) -> PretrainingConfig:
    """Read a TOML file of settings, and change some.

    Args:
        file: keys as in `PretrainingConfig`; None for the defaults.
        changes: settings that replace those of the file.
        defaults: settings that the file replaces.

    Raises:
        ValueError: for a file that is not there or is no TOML, an unknown
            key, a value of the wrong type, or settings that do not fit.
    """
    found: dict[str, Any] = {}
    if file is not None:
        try:
            found = tomllib.loads(file.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise ValueError(f"{file} is no readable TOML: {error}") from None
    types = {
        field.name: field.type if isinstance(field.type, type) else str
        for field in fields(PretrainingConfig)
    }
    for name, value in found.items():
        if name not in types:
            raise ValueError(
                f"{file} sets {name!r}, which is no setting: those are"
                f" {', '.join(types)}"
            )
        wanted = types[name]
        if wanted is float and type(value) is int:
            found[name] = float(value)
        elif type(value) is not wanted:
            raise ValueError(
                f"{file}: {name} is {value!r}, and must be of type"
                f" {wanted.__name__}"
            )
    return PretrainingConfig(**{**defaults, **found, **changes})
