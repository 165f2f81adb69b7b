"""Models to and from Hugging Face: the one place that knows its names.

A folder holds `config.json`, `model.safetensors` and the tokenizer's files,
as `transformers` writes and reads them. Nothing here unpickles. `transformers`
itself, which takes seconds to import, is imported only to write.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from bertbook.bert import Bert, PooledBert
from bertbook.checkpoints.names import (
    DERIVED,
    FAMILIES,
    TIED,
    Model,
    class_of,
    kind_of,
    our_sizes,
    renamed,
    their_name,
    their_sizes,
    their_weights,
)
from bertbook.checkpoints.refusals import (
    cast_weight,
    check_tied,
    check_tokens,
    check_vocabulary,
    check_weights,
    present_file,
)

if TYPE_CHECKING:
    from transformers import PreTrainedModel


def to_hugging_face(model: Model) -> "PreTrainedModel":
    """Return the same model as a class of `transformers`.

    A `Bert` becomes a BertModel without pooler, a `PooledBert` one with it,
    and a rotary encoder a RoFormer. The weights are copies.

    Raises:
        ValueError: for a model that `transformers` has no class for.
    """
    import transformers

    family, suffix = class_of(model)
    encoder = model if isinstance(model, Bert) else model.bert
    _, name = FAMILIES[family]
    config = getattr(transformers, f"{name}Config")(
        **their_sizes(encoder.config)
    )
    options = {}
    if suffix == "Model" and family == "bert":
        options["add_pooling_layer"] = isinstance(model, PooledBert)
    with torch.random.fork_rng(devices=[]):
        theirs = getattr(transformers, f"{name}{suffix}")(config, **options)
    given = {
        name if suffix != "Model" else name.removeprefix(f"{family}."): value
        for name, value in their_weights(model, family).items()
    }
    for key, value in theirs.state_dict().items():
        if key == TIED[0][0]:
            given[key] = encoder.embeddings.word.weight
        elif key == TIED[1][0]:
            given[key] = given[TIED[1][1]]
        elif DERIVED.search(key):
            given[key] = value
    theirs.load_state_dict(given)
    return theirs.eval()


def from_hugging_face(
    source: "PreTrainedModel | Path | str", kind: type[Model] | None = None
) -> Model:
    """Return a model of `transformers`, or a folder of one, as ours.

    Args:
        source: a BertModel, BertForMaskedLM, BertForPreTraining or their
            RoFormer counterparts, or a folder that holds one.
        kind: as in `load_pretrained`.

    Raises:
        ValueError: as in `load_pretrained`.
    """
    if isinstance(source, Path | str):
        return load_pretrained(Path(source), kind)
    config = source.config.to_dict() | {
        "architectures": [type(source).__name__]
    }
    return _build(config, source.state_dict(), kind, type(source).__name__)


def load_pretrained(folder: Path, kind: type[Model] | None = None) -> Model:
    """Read a model in Hugging Face's format, in evaluation mode, in float32.

    Args:
        folder: holds `config.json` and `model.safetensors`. If it holds a
            `vocab.txt` as well, its size must be the model's.
        kind: what to build; by default what `config.json` says was saved.
            A kind with fewer heads leaves those of the file out.

    Raises:
        ValueError: for a missing or unreadable file, an architecture that
            is not BERT's, or sizes or weights that do not belong together.
    """
    text = present_file(folder, "config.json").read_text(encoding="utf-8")
    try:
        config = json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"{folder / 'config.json'}: {error}") from None
    path = present_file(folder, "model.safetensors")
    try:
        weights = load_file(path)
    except SafetensorError as error:
        raise ValueError(
            f"{path} cannot be read ({error}): the file is damaged or cut"
            " short, copy it again"
        ) from None
    vocabulary = folder / "vocab.txt"
    if vocabulary.is_file():
        lines = vocabulary.read_text(encoding="utf-8").splitlines()
        check_vocabulary(len(lines), config.get("vocab_size"), str(folder))
    return _build(config, weights, kind, str(folder))


def save_pretrained(
    model: Model,
    vocabulary: Sequence[str],
    folder: Path,
    dtype: torch.dtype = torch.float16,
    *,
    lower_case: bool = True,
) -> None:
    """Write a model and its tokenizer in Hugging Face's format.

    `AutoModelForMaskedLM`, `AutoTokenizer` and `pipeline("fill-mask")` open
    the folder, and so does `load_pretrained`. All of them compute in
    float32, whatever the type in the file.

    Args:
        model: what to save.
        vocabulary: the tokens in the order of their ids.
        folder: made if it is not there; files of the same names go.
        dtype: the type of the weights in the file.
        lower_case: whether the tokenizer lowers letters and strips accents.

    Raises:
        ValueError: if vocabulary and model do not belong together, a token
            is there twice, a special token is missing, or a weight is too
            large for `dtype`.
    """
    encoder = model if isinstance(model, Bert) else model.bert
    check_tokens(vocabulary, encoder.config.vocab_size)
    theirs = to_hugging_face(model)
    weights = {
        name: value.contiguous().clone()
        if name.endswith("embed_positions.weight")  # exact, and derived
        else cast_weight(name, value, dtype)
        for name, value in theirs.state_dict().items()
        if name.endswith("embed_positions.weight") or not DERIVED.search(name)
    }
    folder.mkdir(parents=True, exist_ok=True)
    theirs.config.architectures = [type(theirs).__name__]
    theirs.config.pad_token_id = vocabulary.index("[PAD]")
    theirs.config.save_pretrained(folder)
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    _save_tokenizer(vocabulary, folder, encoder.config.max_len, lower_case)


def _save_tokenizer(
    vocabulary: Sequence[str], folder: Path, max_len: int, lower_case: bool
) -> None:
    """Write the files of a WordPiece tokenizer."""
    from transformers import BertTokenizer

    tokenizer = BertTokenizer(
        vocab={token: row for row, token in enumerate(vocabulary)},
        do_lower_case=lower_case,
        model_max_length=max_len,
    )
    tokenizer.save_pretrained(folder)
    text = "".join(f"{token}\n" for token in vocabulary)
    (folder / "vocab.txt").write_text(text, encoding="utf-8", newline="\n")


def _build(
    config: Mapping[str, Any],
    weights: Mapping[str, Tensor],
    kind: type[Model] | None,
    where: str,
) -> Model:
    """Build a model of the sizes given, and fill it."""
    family, saved = kind_of(config, where)
    sizes = our_sizes(config, where)
    weights = renamed(weights, family)
    check_tied(weights, family, where)
    if kind is None:
        kind = saved
        if kind is PooledBert and f"{family}.pooler.dense.bias" not in weights:
            kind = Bert
    encoder_type, _ = FAMILIES[family]
    with torch.random.fork_rng(devices=[]):
        encoder = encoder_type(sizes)
        model = encoder if issubclass(kind, Bert) else kind(encoder)
    wanted = {
        name: their_name(name, family)
        for name in model.state_dict()
        if name != "head.table"
    }
    check_weights(model, wanted, weights, where)
    filled = {name: weights[theirs] for name, theirs in wanted.items()}
    if "head.table" in model.state_dict():
        filled["head.table"] = filled["bert.embeddings.word.weight"]
    model.load_state_dict(filled)
    return model.eval()


def pretrained_folder(name: str = "book-bert") -> Path:
    """Return the folder of a model that comes with the book.

    Args:
        name: which one.

    Raises:
        ValueError: if no such model is here.

    >>> pretrained_folder("no-bert")
    Traceback (most recent call last):
    ValueError: no model 'no-bert' comes with the book: there is ...
    """
    parent = Path(__file__).resolve().parent.parent / "pretrained"
    if not (parent / name / "config.json").is_file():
        there = sorted(
            file.parent.name for file in parent.glob("*/config.json")
        )
        raise ValueError(
            f"no model {name!r} comes with the book: there is"
            f" {', '.join(there) or 'none'}"
        )
    return parent / name
