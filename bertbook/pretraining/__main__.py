"""The command line: `python -m bertbook.pretraining --help`."""

import argparse
import inspect
import os
import re
import shutil
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any, Final

from accelerate import PartialState
from safetensors import SafetensorError

from bertbook.bert import BertForMaskedLM
from bertbook.pretraining.checkpoint import check_folder
from bertbook.pretraining.config import PretrainingConfig, read_config
from bertbook.pretraining.loop import Run
from bertbook.pretraining.plan import describe
from bertbook.pretraining.precision import choose_numbers
from bertbook.pretraining.prepare import is_prepared, prepare

_FULL: Final[dict[str, Any]] = {
    "vocab_size": 30_522,
    "num_layers": 12,
    "d_model": 768,
    "num_heads": 12,
    "d_ff": 3_072,
    "max_len": 512,
    "dropout": 0.1,
    "steps": 1_000_000,
    "rows": 256,
    "width": 512,
    "stages": "0:128 900000:512",
    "learning_rate": 1e-4,
    "warmup": 10_000,
    "decay": 0.99,
    "beta2": 0.999,
}
"""BERT-base as published, but for three things: masked words alone, no pairs;
256 packed rows of 512 positions throughout, where BERT had 256 sequences of
128 in most steps; a rate of 0 at the end, reached in a straight line as there.
Source: Devlin et al. (2019), appendix A.2."""


def main(arguments: list[str] | None = None) -> int:
    """Run the command; errors end in one line, not in a stack trace."""
    given = vars(_parser().parse_args(arguments))
    names = {field.name for field in fields(PretrainingConfig)}
    flags = {n: given[n] for n in names if given[n] is not None}
    full = given["scale"] == "full"
    try:
        config = read_config(given["config"], flags, _FULL if full else {})
        return _run(given, config)
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except (OSError, SafetensorError) as error:
        print(
            f"error: {error}: make room, or choose another --output. What was"
            " saved is untouched: go on with --resume",
            file=sys.stderr,
        )
        return 2
    except KeyboardInterrupt:
        print("stopped: go on with --resume", file=sys.stderr)
        return 130


def _run(given: dict[str, Any], config: PretrainingConfig) -> int:
    """Plan, prepare, train, and write the model."""
    state, folder = PartialState(), given["output"]
    data = given["data"] or folder / "corpus"
    dry = given["dry_run"]
    if not dry:
        with state.main_process_first():
            check_folder(folder, resume=given["resume"])
    texts = None
    if not dry or is_prepared(data):
        full = given["scale"] == "full"
        corpus = given["corpus"] or ("wikipedia" if full else "book")
        vocab = given["vocab"] or ("bert" if full else "train")
        with state.main_process_first():
            texts = prepare(corpus, vocab, config.vocab_size, data)
    numbers = choose_numbers(config, {})  # one process measures for all
    if state.is_main_process:
        record = texts.train.record if texts else None
        assert state.device is not None
        count = state.num_processes
        print(describe(config, record, state.device, numbers, count))
    if dry:
        return 0
    assert texts is not None
    model = Run(config, *texts, folder, resume=given["resume"]).train()
    if state.is_main_process:
        _write_model(model, texts.vocabulary, folder / "model")
        print(f"the model stands in {folder / 'model'}")
    return 0


def _write_model(
    model: BertForMaskedLM, vocabulary: list[str], folder: Path
) -> None:
    """Write a model so that it is there whole or not at all."""
    from bertbook.checkpoints import save_pretrained

    partial = folder.with_name(folder.name + ".partial")
    for each in (partial, folder):
        shutil.rmtree(each, ignore_errors=True)
    save_pretrained(model, vocabulary, partial)
    partial.rename(folder)


def _parser() -> argparse.ArgumentParser:
    """Return the parser, with a flag for each setting."""
    parser = argparse.ArgumentParser(
        prog="python -m bertbook.pretraining",
        description="Pre-train a BERT on text by masked language modelling.",
        epilog="Several processes: accelerate launch --num_processes 2 -m"
        " bertbook.pretraining …",
    )
    _add_places(parser)
    parser.add_argument(
        "--resume",
        action="store_true",
        help="go on from the last checkpoint in OUTPUT",
    )
    parser.add_argument(
        "--dry-run",
        action="store_true",
        help="print the plan and stop; nothing is written",
    )
    parser.add_argument(
        "--scale",
        choices=("small", "full"),
        default=os.environ.get("BERTBOOK_SCALE", "small"),
        help="full: BERT-base on Wikipedia, from the Hugging Face Hub",
    )
    _add_settings(parser)
    return parser


def _add_places(parser: argparse.ArgumentParser) -> None:
    """Add what is read, and where it is written."""
    parser.add_argument(
        "--output",
        type=Path,
        required=True,
        metavar="FOLDER",
        help="where checkpoints, metrics, the picture and the model go",
    )
    parser.add_argument(
        "--config",
        type=Path,
        metavar="FILE.toml",
        help="settings, a line each: steps = 2000",
    )
    parser.add_argument(
        "--corpus",
        help="'book' (the default), 'wikipedia', or UTF-8 text files with"
        " commas between; an empty line parts documents",
    )
    parser.add_argument(
        "--vocab", help="'train' (the default), 'bert', or a vocab.txt"
    )
    parser.add_argument(
        "--data",
        type=Path,
        metavar="FOLDER",
        help="where vocabulary and tokens are kept; OUTPUT/corpus by default",
    )


def _add_settings(parser: argparse.ArgumentParser) -> None:
    """Add a flag for each setting; what is not given stays None."""
    group = parser.add_argument_group("settings, also keys of the TOML")
    meaning = _explained()
    for field in fields(PretrainingConfig):
        name = "--" + field.name.replace("_", "-")
        shown = f"{meaning[field.name]} Default: {field.default!r}"
        if field.type is bool:
            group.add_argument(
                name, action=argparse.BooleanOptionalAction, help=shown
            )
        else:
            kind = field.type if isinstance(field.type, type) else str
            mark = field.name.upper()
            group.add_argument(name, type=kind, metavar=mark, help=shown)


def _explained() -> dict[str, str]:
    """Read what each setting means off the docstring of the settings."""
    text = inspect.getdoc(PretrainingConfig) or ""
    _, _, attributes = text.partition("Attributes:")
    entries = re.findall(
        r"^    (\w+): (.*?)(?=^    \w+: |\Z)", attributes, re.M | re.S
    )
    return {name: " ".join(meaning.split()) for name, meaning in entries}


if __name__ == "__main__":
    sys.exit(main())
