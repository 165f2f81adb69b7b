"""`make book`: the site, from the committed notebooks, without torch."""

import argparse
from collections.abc import Sequence

from tools import environment
from tools.stop import Stop


def main(arguments: Sequence[str]) -> int:
    """Build the site; its builder says where it is and how to open it."""
    parser = argparse.ArgumentParser(prog="python -m tools book")
    parser.parse_args(arguments)
    environment.enter("site")
    from tools import site

    try:
        site.build(strict=True)
    except site.SiteError as problem:
        raise Stop(str(problem)) from None
    return 0
