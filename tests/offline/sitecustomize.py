"""Refuse and record every connection, in this Python and in its children.

Python runs this file at its start when its folder is on PYTHONPATH. It acts
only where SOCKET_LOG names a file; each attempt becomes a line there, so that
one which a library hides behind `except OSError` is seen all the same.
"""

import os
import sys
from pathlib import Path
from typing import Any

NETWORK = {
    "socket.connect": 1,
    "socket.sendto": 1,
    "socket.getaddrinfo": 0,
    "socket.gethostbyname": 0,
    "socket.gethostbyaddr": 0,
}
"""Events that reach for a network, and where the address stands in each."""


def refuse(event: str, values: tuple[Any, ...]) -> None:
    """Refuse an address; a path is no network but a socket in a folder."""
    if event not in NETWORK:
        return
    address = values[NETWORK[event]]
    if event in {"socket.connect", "socket.sendto"} and isinstance(
        address, str | bytes
    ):
        return
    with Path(os.environ["SOCKET_LOG"]).open("a", encoding="utf-8") as log:
        log.write(f"{event} {address!r}\n")
    raise OSError(101, f"refused: {event} {address!r}")


if "SOCKET_LOG" in os.environ:
    sys.addaudithook(refuse)
