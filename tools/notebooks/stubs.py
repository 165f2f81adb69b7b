"""Turn the cells of a solution into those of its exercise."""

import re

from tools.notebooks.sources import Cell, Source

BEGIN = re.compile(r"^(\s*)### BEGIN SOLUTION\s*$")
END = re.compile(r"^(\s*)### END SOLUTION\s*$")
STUB = ("# Your code here.", "raise NotImplementedError")


def stub(text: str) -> str:
    r"""Return code with each marked solution replaced by a stub.

    Raises:
        ValueError: a marker that is left open, nested, alone, at another
            indentation than its partner, or outside a function.

    >>> print(stub("def one():\n    ### BEGIN SOLUTION\n"
    ...            "    return 1\n    ### END SOLUTION"))
    def one():
        # Your code here.
        raise NotImplementedError
    """
    kept: list[str] = []
    indent: str | None = None
    for line in text.splitlines():
        begin, end = BEGIN.match(line), END.match(line)
        if begin:
            if indent is not None:
                raise ValueError("BEGIN SOLUTION inside a solution")
            indent = begin[1]
            if not indent:
                raise ValueError("BEGIN SOLUTION stands outside a function")
            kept += [indent + part for part in STUB]
        elif end:
            if end[1] != indent:
                raise ValueError(
                    "END SOLUTION without a BEGIN SOLUTION at the same "
                    "indentation"
                )
            indent = None
        elif indent is None:
            kept.append(line)
    if indent is not None:
        raise ValueError("BEGIN SOLUTION is never closed by END SOLUTION")
    return "\n".join(kept)


def solution_lines(text: str) -> list[str]:
    """Return the lines that stand between the markers, without indent."""
    found, inside = [], False
    for line in text.splitlines():
        if BEGIN.match(line) or END.match(line):
            inside = bool(BEGIN.match(line))
        elif inside and line.strip():
            found.append(line.strip())
    return found


def exercise_cell(source: Source, cell: Cell) -> Cell:
    """Return a cell as the exercise holds it.

    Raises:
        SourceError: a marker is misplaced, or stands in Markdown.
    """
    if not re.search("(BEGIN|END) SOLUTION", cell.text):
        return cell
    if cell.kind != "code":
        message = "a solution marker stands in a Markdown cell"
        raise source.error(cell, message, near="SOLUTION")
    if not all(
        BEGIN.match(line) or END.match(line)
        for line in cell.text.splitlines()
        if re.search("(BEGIN|END) SOLUTION", line)
    ):
        message = "write the marker alone on its line: `### BEGIN SOLUTION`"
        raise source.error(cell, message, near="SOLUTION")
    try:
        return cell.with_text(stub(cell.text))
    except ValueError as problem:
        raise source.error(cell, str(problem), near="SOLUTION") from None
