"""Run the builder: `python -m tools.notebooks`."""

from tools.notebooks.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
