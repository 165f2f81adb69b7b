"""`make bench`: the scripts in benchmarks/, which write their own results."""

import argparse
import subprocess
import sys
from collections.abc import Sequence

from tools import environment
from tools.stop import Stop


def main(arguments: Sequence[str]) -> int:
    """Run the named benchmarks, or all; return the first bad status."""
    scripts = sorted((environment.ROOT / "benchmarks").glob("[!_]*.py"))
    names = [script.stem for script in scripts]
    parser = argparse.ArgumentParser(prog="python -m tools bench")
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=", ".join(names)
    )
    wanted = parser.parse_args(arguments).names or names
    unknown = sorted(set(wanted) - set(names))
    if unknown:
        raise Stop(
            f"There is no benchmark {', '.join(unknown)}; there are: "
            f"{', '.join(names) or 'none yet'}."
        )
    environment.enter("all")
    for name in wanted:
        print(f"benchmarks/{name}.py", flush=True)
        command = [sys.executable, "-m", f"benchmarks.{name}"]
        done = subprocess.run(command, cwd=environment.ROOT, check=False)
        if done.returncode:
            return done.returncode
    return 0
