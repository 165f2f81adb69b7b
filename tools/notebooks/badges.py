"""The line of badges under a notebook's title, once there is an address."""

from tools.notebooks.book import Book

COLAB = "https://colab.research.google.com/github/"
KAGGLE = "https://kaggle.com/kernels/welcome?src="


def badge(picture: str, text: str, address: str) -> str:
    """Return a linked picture; its text stands where it cannot load."""
    image = f"![{text}](../book/static/badges/{picture}.svg)"
    return f"[{image}]({address})"


def badges(book: Book, name: str) -> str:
    """Return the badges of a notebook, pinned to the published tag.

    Args:
        book: the book, with its repository's address.
        name: the notebook's path in the repository.

    Returns:
        One line of Markdown; empty while the address is empty.
    """
    url, tag = book.repository
    if not url:
        return ""
    blob = f"{url}/blob/{tag}/{name}"
    short = blob.removeprefix("https://github.com/")
    raw = f"{url}/raw/{tag}/{name}"
    return " ".join(
        [
            badge("colab", "Open in Colab", COLAB + short),
            badge("kaggle", "Open in Kaggle", KAGGLE + blob),
            badge("download", "Download notebook", raw),
        ]
    )
