"""The code behind the book's targets: `python -m tools` lists them."""
