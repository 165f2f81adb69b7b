"""The one error a reader of the builder's output has to understand."""

from pathlib import Path


class SourceError(Exception):
    """A source that cannot become a notebook, and where to look.

    Args:
        path: the file to open.
        line: the line to go to, counted from 1.
        message: what is wrong, and what to do.
    """

    def __init__(self, path: Path, line: int, message: str) -> None:
        self.path, self.line, self.message = path, line, message
        super().__init__(f"{path}:{line}: {message}")
