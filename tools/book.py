"""`make book`: the site, from the committed notebooks, without torch."""

import argparse
import time
from collections.abc import Sequence

from tools import environment


def main(arguments: Sequence[str]) -> int:
    """Build the site; its builder says where it is and how to open it."""
    parser = argparse.ArgumentParser(prog="python -m tools book")
    parser.parse_args(arguments)
    start = time.monotonic()
    environment.enter("site")
    from tools import site

    status = site.build(strict=True)
    if not status:
        print(f"Built in {time.monotonic() - start:.0f} s.")
    return int(status or 0)
