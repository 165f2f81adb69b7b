"""Clean what a run leaves: no timings, no tracebacks, steady pictures."""

import base64
import io
import struct

from nbformat import NotebookNode

PNG = b"\x89PNG\r\n\x1a\n"
MOST_BYTES = 100_000


def chunks(data: bytes) -> list[tuple[bytes, bytes]]:
    """Return a PNG's chunks: the name, and all its bytes."""
    found, place = [], len(PNG)
    while place < len(data):
        (length,) = struct.unpack(">I", data[place : place + 4])
        end = place + 12 + length
        found.append((data[place + 4 : place + 8], data[place:end]))
        place = end
    return found


def without_text(data: bytes) -> bytes:
    """Return a PNG without its comments, which name matplotlib's version."""
    kept = [
        body for name, body in chunks(data) if name not in (b"tEXt", b"tIME")
    ]
    return PNG + b"".join(kept)


def pictures(notebook: NotebookNode | None) -> list[bytes]:
    """Return the PNGs of a notebook's outputs."""
    if notebook is None:
        return []
    return [
        base64.b64decode(output.data["image/png"])
        for cell in notebook.cells
        for output in cell.get("outputs", ())
        if "image/png" in output.get("data", {})
    ]


def pixels(data: bytes) -> tuple[tuple[int, int], bytes]:
    """Return a picture's size and what is to be seen in it."""
    from PIL import Image

    with Image.open(io.BytesIO(data)) as image:
        return image.size, image.convert("RGBA").tobytes()


def steady(new: bytes, old: list[bytes]) -> bytes:
    """Return the old bytes of a picture that looks exactly the same."""
    if new in old:
        return new
    wanted = pixels(new)
    return next((each for each in old if pixels(each) == wanted), new)


def clean_output(output: NotebookNode, old: list[bytes]) -> None:
    """Clean one output in place."""
    if output.output_type == "error":
        output.traceback = [f"{output.ename}: {output.evalue}"]
    data = output.get("data", {})
    if "image/png" in data:
        new = without_text(base64.b64decode(data["image/png"]))
        data["image/png"] = base64.b64encode(steady(new, old)).decode() + "\n"


def clean(notebook: NotebookNode, before: NotebookNode | None) -> None:
    """Clean a notebook that has just run.

    Args:
        notebook: changed in place.
        before: the notebook as it was; its pictures keep their bytes.
    """
    old = pictures(before)
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        for output in cell.get("outputs", ()):
            clean_output(output, old)
    notebook.metadata.pop("widgets", None)
