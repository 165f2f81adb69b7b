"""Say, without running anything, what is not as its source gives it."""

from pathlib import Path

from tools.notebooks.book import Book
from tools.notebooks.cells import Draft, drafts
from tools.notebooks.errors import SourceError
from tools.notebooks.outputs import MOST_BYTES, pictures
from tools.notebooks.plan import in_step
from tools.notebooks.store import edited, load

FOLDERS = {
    "chapters": "chapters",
    "solutions": "solutions",
    "exercises": "solutions",
}


def orphans(book: Book) -> list[str]:
    """Return a message for each notebook that no source gives."""
    return [
        f"{folder}/{path.name} has no source {origin}/{path.stem}.py: "
        "delete it"
        for folder, origin in FOLDERS.items()
        for path in sorted((book.root / folder).glob("*.ipynb"))
        if not (book.root / origin / f"{path.stem}.py").is_file()
    ]


def problems_of(draft: Draft) -> list[str]:
    """Return what is wrong with the file of one notebook."""
    notebook = load(draft.path)
    source = draft.book.relative(draft.source.path)
    if notebook is None:
        return [f"{draft.name} has not been generated from {source}"]
    found = []
    if edited(notebook):
        found.append(f"{draft.name} was changed after it was generated")
    if not in_step(draft, notebook):
        found.append(f"{draft.name} is not what {source} gives")
    large = [len(p) for p in pictures(notebook) if len(p) > MOST_BYTES]
    found += [
        f"{draft.name} holds a picture of {size // 1000} kB; "
        f"at most {MOST_BYTES // 1000}"
        for size in large
    ]
    return found


def check(book: Book, paths: list[Path]) -> list[str]:
    """Return a message for everything that is out of step."""
    found = orphans(book)
    for path in paths:
        try:
            for draft in drafts(book, path):
                found += problems_of(draft)
        except SourceError as problem:
            found.append(str(problem))
    return found
