"""The command line: `python -m bertbook.pretraining --help`."""

import argparse
import os
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any, Final

import torch
from accelerate import PartialState

from bertbook.pretraining.config import PretrainingConfig, read_config
from bertbook.pretraining.loop import Run
from bertbook.pretraining.plan import describe
from bertbook.pretraining.precision import choose_precision
from bertbook.pretraining.prepare import prepare

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
    "beta2": 0.999,
}
"""BERT-base as published. Source: Devlin et al. (2019), appendix A.2."""


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
    except KeyboardInterrupt:
        print("stopped: go on with --resume", file=sys.stderr)
        return 130


def _run(given: dict[str, Any], config: PretrainingConfig) -> int:
    """Prepare, plan, train, and write the model."""
    state, folder = PartialState(), given["output"]
    full = given["scale"] == "full"
    corpus = given["corpus"] or ("wikipedia" if full else "book")
    vocab = given["vocab"] or ("bert" if full else "train")
    assert state.device is not None
    with state.main_process_first():
        texts = prepare(
            corpus,
            vocab,
            config.vocab_size,
            given["data"] or folder / "corpus",
        )
    if state.is_main_process:
        chosen, _ = choose_precision(state.device)
        half = config.precision in {"bf16", "fp16"} or (
            config.precision == "auto" and chosen == "bf16"
        )
        dtype = torch.bfloat16 if half else torch.float32
        print(describe(config, texts.train.record, state.device, dtype))
    if given["dry_run"]:
        return 0
    model = Run(config, *texts, folder, resume=given["resume"]).train()
    if state.is_main_process:
        from bertbook.checkpoints import save_pretrained

        save_pretrained(model, texts.vocabulary, folder / "model")
        print(f"the model stands in {folder / 'model'}")
    return 0


def _parser() -> argparse.ArgumentParser:
    """Return the parser, with a flag for each setting."""
    parser = argparse.ArgumentParser(
        prog="python -m bertbook.pretraining",
        description="Pre-train a BERT on text by masked language modelling.",
        epilog="Several processes: accelerate launch --num_processes 2 -m"
        " bertbook.pretraining …",
    )
    _add_places(parser)
    parser.add_argument("--resume", action="store_true")
    parser.add_argument(
        "--dry-run", action="store_true", help="print the plan and stop"
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
    parser.add_argument("--output", type=Path, required=True, metavar="FOLDER")
    parser.add_argument("--config", type=Path, metavar="FILE.toml")
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
    for field in fields(PretrainingConfig):
        name = "--" + field.name.replace("_", "-")
        shown = f"default {field.default}"
        if field.type is bool:
            group.add_argument(
                name, action=argparse.BooleanOptionalAction, help=shown
            )
        else:
            kind = field.type if isinstance(field.type, type) else str
            group.add_argument(name, type=kind, help=shown)


if __name__ == "__main__":
    sys.exit(main())
