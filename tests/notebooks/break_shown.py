"""Run a notebook once, and at each shown definition a broken copy of it.

Reads from standard input a list of cells, each with its `code`, whether it
`may_raise`, and under `broken` its code with one definition broken, by the
definition's name. Writes to the file named on the command line how each of
these copies ended.

The process forks where a definition is shown: the copy runs the broken cell
and those after it until one raises, while the cells before it ran only once
for all copies. So the whole costs about one run of the notebook.
"""

import json
import os
import sys
from pathlib import Path

from IPython.core.interactiveshell import InteractiveShell


def error_of(shell, cell, code):
    """Run a cell and return what it raised, or nothing."""
    result = shell.run_cell(code)
    error = result.error_before_exec or result.error_in_exec
    if error is None or cell["may_raise"]:
        return ""
    return f"{type(error).__name__}: {error}"


def copy_ends(shell, cells, code):
    """Return how a copy ends whose first cell has this code instead."""
    for number, cell in enumerate(cells):
        error = error_of(shell, cell, code if number == 0 else cell["code"])
        if error:
            return error
    return "ran to its end"


def in_a_fork(work):
    """Return a function's text, worked out in a copy of this process."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(writer, work().encode())
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader, encoding="utf-8") as file:
        text = file.read()
    os.waitpid(child, 0)
    return text or "its process died"


def main(target):
    """Run the notebook from standard input and write how its copies end."""
    cells = json.load(sys.stdin)
    ends = {}
    shell = InteractiveShell.instance()
    for number, cell in enumerate(cells):
        for name, code in cell["broken"].items():
            rest = cells[number:]
            ends[name] = in_a_fork(
                lambda c=code, r=rest: copy_ends(shell, r, c)
            )
        error = error_of(shell, cell, cell["code"])
        if error:
            raise SystemExit(f"cell {number} fails unbroken: {error}")
        if not any(each["broken"] for each in cells[number + 1 :]):
            break
    Path(target).write_text(json.dumps(ends), "utf-8")


if __name__ == "__main__":
    main(sys.argv[1])
