"""The first weights of a run: random, or those of a model before it."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch

from bertbook.bert import BertForMaskedLM
from bertbook.checkpoints import load_pretrained
from bertbook.corpora import sha256_of
from bertbook.pretraining.config import PretrainingConfig
from bertbook.pretraining.prepare import read_vocabulary


def first_model(
    config: PretrainingConfig, vocabulary: Sequence[str]
) -> BertForMaskedLM:
    """Return the model with which a run begins.

    Args:
        config: the run's settings.
        vocabulary: the run's WordPieces, by id.

    Raises:
        ValueError: if the model to start from cannot be read, or has other
            sizes or another vocabulary.
    """
    torch.manual_seed(config.seed)
    model = config.build()
    if config.start_from:
        folder = Path(config.start_from)
        before = load_pretrained(folder, BertForMaskedLM)
        assert isinstance(before, BertForMaskedLM)
        _check_same(folder, before, model)
        if read_vocabulary(folder / "vocab.txt") != list(vocabulary):
            raise ValueError(
                f"the vocabulary of {folder} is not the run's: give it as"
                f" --vocab {folder / 'vocab.txt'}, with a new --data"
            )
        model.load_state_dict(before.state_dict())
    return model


def hash_of_start(config: PretrainingConfig) -> str | None:
    """Return the sha256 of the weights a run starts from, if it does."""
    if not config.start_from:
        return None
    return sha256_of(Path(config.start_from) / "model.safetensors")


def _check_same(
    folder: Path, before: BertForMaskedLM, model: BertForMaskedLM
) -> None:
    """Refuse a model of another kind, or of other sizes."""
    wanted = model.bert.config
    found = replace(before.bert.config, dropout=wanted.dropout)
    if type(before.bert) is not type(model.bert) or found != wanted:
        raise ValueError(
            f"{folder} holds a {type(before.bert).__name__} with {found}, and"
            f" the settings ask for a {type(model.bert).__name__} with"
            f" {wanted}: set model and sizes to those of the folder"
        )
