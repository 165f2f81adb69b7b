"""Hugging Face's names of weights, sizes and classes, beside ours."""

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

import torch.nn.functional as F
from torch import Tensor

from bertbook.bert import (
    Bert,
    BertConfig,
    BertForMaskedLM,
    BertForPreTraining,
    PooledBert,
    RotaryBert,
)

Model = Bert | PooledBert | BertForMaskedLM | BertForPreTraining

SIZE_NAMES: Final = MappingProxyType(
    {
        "vocab_size": "vocab_size",
        "num_layers": "num_hidden_layers",
        "d_model": "hidden_size",
        "num_heads": "num_attention_heads",
        "d_ff": "intermediate_size",
        "max_len": "max_position_embeddings",
        "num_segments": "type_vocab_size",
        "epsilon": "layer_norm_eps",
        "dropout": "hidden_dropout_prob",
    }
)
"""Our names of a model's sizes, and those of `config.json`."""

ACTIVATIONS: Final[Mapping[str, Callable[[Tensor], Tensor]]] = (
    MappingProxyType({"gelu": F.gelu, "relu": F.relu})
)
FAMILIES: Final = MappingProxyType(
    {"bert": (Bert, "Bert"), "roformer": (RotaryBert, "RoFormer")}
)
KINDS: Final[Mapping[str, type[Model]]] = MappingProxyType(
    {
        "Model": PooledBert,
        "ForMaskedLM": BertForMaskedLM,
        "ForPreTraining": BertForPreTraining,
    }
)
NAMES: Final = (  # our names, and what stands there in theirs
    ("embeddings.word.", "embeddings.word_embeddings."),
    ("embeddings.segment.", "embeddings.token_type_embeddings."),
    ("embeddings.position.table.", "embeddings.position_embeddings."),
    ("embeddings.norm.", "embeddings.LayerNorm."),
    ("encoder.blocks.", "encoder.layer."),
    (".attention.query.", ".attention.self.query."),
    (".attention.key.", ".attention.self.key."),
    (".attention.value.", ".attention.self.value."),
    (".attention.output.", ".attention.output.dense."),
    (".add_attention.norm.", ".attention.output.LayerNorm."),
    (".feed_forward.widen.", ".intermediate.dense."),
    (".feed_forward.narrow.", ".output.dense."),
    (".add_feed_forward.norm.", ".output.LayerNorm."),
    ("pooler.linear.", "pooler.dense."),
    ("head.transform.", "cls.predictions.transform.dense."),
    ("head.norm.", "cls.predictions.transform.LayerNorm."),
    ("head.bias", "cls.predictions.bias"),
    ("next_sentence.linear.", "cls.seq_relationship."),
)
DERIVED: Final = re.compile(  # found in some files, learned in none
    r"embeddings\.position_ids$|embed_positions\.weight$"
    r"|predictions\.decoder\.(weight|bias)$"
)
TIED: Final = (  # a copy in some files, and what it is a copy of
    ("cls.predictions.decoder.weight", "embeddings.word_embeddings.weight"),
    ("cls.predictions.decoder.bias", "cls.predictions.bias"),
)


def class_of(model: Model) -> tuple[str, str]:
    """Return a model's family, and what its class is for."""
    encoder = model if isinstance(model, Bert) else model.bert
    family = "roformer" if isinstance(encoder, RotaryBert) else "bert"
    suffix = "Model"
    for name, kind in KINDS.items():
        if isinstance(model, kind):
            suffix = name
    pooled = isinstance(model, PooledBert | BertForPreTraining)
    if family == "roformer" and pooled:
        raise ValueError(
            f"a {type(model).__name__} of a RotaryBert has a pooler, and"
            " transformers has no RoFormer with one: save its .bert"
        )
    return family, suffix


def kind_of(config: Mapping[str, Any], where: str) -> tuple[str, type[Model]]:
    """Return the family and the kind that a `config.json` names."""
    known = [
        f"{name}{suffix}" for _, name in FAMILIES.values() for suffix in KINDS
    ]
    known.remove("RoFormerForPreTraining")
    architecture = (config.get("architectures") or ["no architecture"])[0]
    if architecture not in known:
        raise ValueError(
            f"the config of {where} names {architecture}: the models that can"
            f" be read are {', '.join(known)}"
        )
    family = "roformer" if architecture.startswith("RoFormer") else "bert"
    suffix = architecture.removeprefix(FAMILIES[family][1])
    return family, KINDS[suffix]


def their_sizes(config: BertConfig) -> dict[str, Any]:
    """Return the entries of `config.json` for our sizes."""
    names = {function: name for name, function in ACTIVATIONS.items()}
    if config.activation not in names:
        raise ValueError(
            f"the activation {config.activation} has no name in config.json"
            f" here: the names are {sorted(ACTIVATIONS)}"
        )
    sizes = {
        theirs: getattr(config, ours) for ours, theirs in SIZE_NAMES.items()
    }
    return sizes | {
        "attention_probs_dropout_prob": config.dropout,
        "hidden_act": names[config.activation],
        "pad_token_id": None,
        "dtype": "float32",
    }


def our_sizes(config: Mapping[str, Any], where: str) -> BertConfig:
    """Return our sizes for the entries of a `config.json`."""
    missing = [name for name in SIZE_NAMES.values() if name not in config]
    if missing:
        raise ValueError(f"the config of {where} lacks {missing}")
    fixed = {
        "hidden_act": (*ACTIVATIONS,),
        "attention_probs_dropout_prob": (config["hidden_dropout_prob"],),
        "position_embedding_type": ("absolute",),
        "embedding_size": (config["hidden_size"], None),
        "rotary_value": (False,),
        "is_decoder": (False,),
        "tie_word_embeddings": (True,),
    }
    for name, allowed in fixed.items():
        value = config.get(name, allowed[0])
        if value not in allowed:
            choice = " or ".join(repr(each) for each in allowed)
            raise ValueError(
                f"the config of {where} has {name} = {value!r}: this BERT"
                f" can be built with {choice} only"
            )
    sizes = {ours: config[theirs] for ours, theirs in SIZE_NAMES.items()}
    activation = ACTIVATIONS[config.get("hidden_act", "gelu")]
    return BertConfig(**sizes, activation=activation)


def their_name(name: str, family: str) -> str:
    """Return what one of our weights is called in a model with heads.

    >>> their_name("bert.encoder.blocks.0.attention.query.weight", "bert")
    'bert.encoder.layer.0.attention.self.query.weight'
    """
    name = name.removeprefix("bert.")
    for ours, theirs in NAMES:
        name = name.replace(ours, theirs)
    return name if name.startswith("cls.") else f"{family}.{name}"


def their_weights(model: Model, family: str) -> dict[str, Tensor]:
    """Return our weights under the names of a model with heads."""
    return {
        their_name(name, family): value.detach()
        for name, value in model.state_dict().items()
        if name != "head.table"
    }


def renamed(weights: Mapping[str, Tensor], family: str) -> dict[str, Tensor]:
    """Return a file's weights under the names of a model with heads."""
    prefix = f"{family}."
    headless = not any(name.startswith(prefix) for name in weights)
    renamed = {}
    for name, value in weights.items():
        if headless and not name.startswith("cls."):
            name = prefix + name
        # Files converted from the first release keep its names of the norms.
        name = re.sub(r"LayerNorm\.gamma$", "LayerNorm.weight", name)
        renamed[re.sub(r"LayerNorm\.beta$", "LayerNorm.bias", name)] = value
    return renamed
