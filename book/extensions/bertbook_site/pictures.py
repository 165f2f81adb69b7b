"""Give every picture its alternative text, and miss none."""

from __future__ import annotations

import hashlib
from binascii import a2b_base64
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from docutils import nodes
from sphinx.util import logging

if TYPE_CHECKING:
    from sphinx.application import Sphinx

LOGGER = logging.getLogger(__name__)
KEY = "bertbook_alts"
BINARY = ("image/png", "image/jpeg", "image/gif")


def alt_of(output: dict[str, Any], mime: str) -> str:
    """Return the text stored in an output's metadata, or nothing.

    >>> alt_of({"metadata": {"image/png": {"alt": "A line"}}}, "image/png")
    'A line'
    """
    metadata = output.get("metadata", {})
    own = metadata.get(mime, {})
    text = own.get("alt") if isinstance(own, dict) else None
    return str(text or metadata.get("alt") or "")


def remember(app: Sphinx, docname: str, cells: list[dict[str, Any]]) -> None:
    """Note the alternative text of each picture, by the picture's hash."""
    alts: dict[str, str] = {}
    for number, cell in enumerate(cells, start=1):
        for output in cell.get("outputs", []):
            for mime in BINARY:
                if mime not in output.get("data", {}):
                    continue
                content = "".join(output["data"][mime])
                digest = hashlib.sha256(a2b_base64(content)).hexdigest()
                alts[digest] = alt_of(output, mime)
                if not alts[digest]:
                    LOGGER.warning(
                        "cell %d shows a picture without alternative text: "
                        "use plotting.show(figure, alt=…)",
                        number,
                        location=docname,
                    )
    app.env.temp_data[KEY] = alts


def describe(app: Sphinx, doctree: nodes.document) -> None:
    """Write the noted texts into the page's pictures."""
    alts = app.env.temp_data.get(KEY, {})
    for image in doctree.findall(nodes.image):
        name = PurePosixPath(image.get("uri", "")).stem
        if alts.get(name):
            image["alt"] = alts[name]
        elif name not in alts and not image.get("alt"):
            LOGGER.warning(
                "the picture %s has no alternative text",
                image.get("uri"),
                location=image,
            )
