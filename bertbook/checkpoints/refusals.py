"""What a checkpoint is refused for: each with the values that clash."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import torch
from torch import Tensor, nn

from bertbook.checkpoints.names import DERIVED, TIED

SPECIAL_TOKENS: Final = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")


def check_tied(weights: Mapping[str, Tensor], family: str, where: str) -> None:
    """Refuse an output layer with a table of its own."""
    for copy, name in TIED:
        original = name.replace("embeddings.", f"{family}.embeddings.", 1)
        if not {copy, original} <= set(weights):
            continue
        if not torch.equal(weights[copy], weights[original]):
            raise ValueError(
                f"{where}: {copy} differs from {original}, and this BERT has"
                " one table for both"
            )


def check_weights(
    model: nn.Module,
    wanted: Mapping[str, str],
    weights: Mapping[str, Tensor],
    where: str,
) -> None:
    """Refuse weights that are missing, of another shape, or not BERT's."""
    name = type(model).__name__
    missing = [theirs for theirs in wanted.values() if theirs not in weights]
    if missing:
        raise ValueError(
            f"{where} lacks {len(missing)} of the weights of a {name}, among"
            f" them {missing[0]}: it was saved as another kind of model"
        )
    sizes = model.state_dict()
    for ours, theirs in wanted.items():
        found, asked = tuple(weights[theirs].shape), tuple(sizes[ours].shape)
        if found != asked:
            raise ValueError(
                f"{where}: {theirs} has the shape {found}, and config.json"
                f" asks for {asked}: the two do not belong together"
            )
    known = set(wanted.values())
    for theirs in weights:
        head = theirs.startswith("cls.") or ".pooler." in theirs
        if not (theirs in known or head or DERIVED.search(theirs)):
            raise ValueError(
                f"{where} holds {theirs}, which no {name} of these sizes has:"
                " config.json belongs to another model"
            )


def check_vocabulary(found: int, rows: int | None, where: str) -> None:
    """Refuse a vocabulary and a word table of different sizes."""
    if found != rows:
        raise ValueError(
            f"the vocabulary of {where} has {found} tokens, and the model has"
            f" vocab_size = {rows}: the two do not belong together"
        )


def check_tokens(vocabulary: Sequence[str], rows: int) -> None:
    """Refuse a vocabulary that the model or the tokenizer cannot use."""
    check_vocabulary(len(vocabulary), rows, "this call")
    if len(set(vocabulary)) < len(vocabulary):
        twice = next(t for t in vocabulary if vocabulary.count(t) > 1)
        raise ValueError(f"the vocabulary has the token {twice!r} twice")
    missing = [t for t in SPECIAL_TOKENS if t not in set(vocabulary)]
    if missing:
        raise ValueError(f"the vocabulary lacks the special tokens {missing}")


def present_file(folder: Path, name: str) -> Path:
    """Return a file's path, if the file is there."""
    if not (folder / name).is_file():
        raise ValueError(
            f"{folder} has no {name}: give a folder in Hugging Face's format,"
            " with config.json and model.safetensors"
        )
    return folder / name


def cast_weight(name: str, value: Tensor, dtype: torch.dtype) -> Tensor:
    """Return a copy in another type, if every number fits into it."""
    cast = value.detach().to(dtype, copy=True).contiguous()
    if not cast.isfinite().all():
        raise ValueError(
            f"{name} holds a number that {dtype} cannot hold: save as"
            " torch.float32"
        )
    return cast
