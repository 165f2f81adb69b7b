"""`make serve`: the built site on this machine's own address."""

import argparse
import functools
import http.server
from collections.abc import Sequence

from tools.environment import ROOT
from tools.stop import Stop

HOST = "127.0.0.1"


def main(arguments: Sequence[str]) -> int:
    """Serve `_build/html` until Ctrl+C."""
    parser = argparse.ArgumentParser(prog="python -m tools serve")
    parser.add_argument("--port", type=int, default=8000)
    options = parser.parse_args(arguments)
    site = ROOT / "_build" / "html"
    if not (site / "index.html").is_file():
        raise Stop("The site is not built yet: run `make book` first.")
    handler = functools.partial(
        http.server.SimpleHTTPRequestHandler, directory=str(site)
    )
    try:
        server = http.server.ThreadingHTTPServer((HOST, options.port), handler)
    except (OSError, OverflowError) as problem:
        raise Stop(
            f"Port {options.port} cannot be used ({problem}): choose "
            f"another, `python -m tools serve --port {options.port + 1}`."
        ) from None
    with server:
        print(f"http://{HOST}:{options.port}/ (Ctrl+C ends it)", flush=True)
        server.serve_forever()
    return 0
