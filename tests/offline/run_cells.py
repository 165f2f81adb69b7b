"""Run a notebook's code cells in one namespace, without a kernel.

A kernel talks through sockets; this does not. The first error ends the run,
unless the cell is tagged `raises-exception`.
"""

import sys
from pathlib import Path

import nbformat
from IPython.core.history import HistoryManager
from IPython.core.interactiveshell import InteractiveShell


def run_cells(path: Path) -> int:
    """Run the cells from top to bottom and return how many ran."""
    notebook = nbformat.read(path, as_version=4)
    HistoryManager.enabled = False
    shell = InteractiveShell.instance()
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    for number, cell in enumerate(cells, start=1):
        result = shell.run_cell(cell.source)
        expected = "raises-exception" in cell.metadata.get("tags", [])
        if result.success == expected:
            sys.exit(f"cell {number} of {path.name} did not end as it should")
    return len(cells)


if __name__ == "__main__":
    print(f"{run_cells(Path(sys.argv[1]))} cells ran")
