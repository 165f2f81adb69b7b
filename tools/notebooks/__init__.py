"""The notebook builder: percent sources in, executed notebooks out.

Read the modules in the order of the work:

1. `sources` reads a `.py` file into cells that know their line.
2. `library`, `trim` and `scope` know the code of `bertbook`; `show`
   replaces an import marked `# @show` by the definition itself.
3. `facts` expands `@fact F-11`; `setup_cell` and `badges` write the
   cells that stand after the title; `stubs` turns a solution into an
   exercise.
4. `cells` puts them in order, `assemble` makes the notebook, with cell
   ids from content hashes.
5. `store` reads and writes notebook files, and notices hand edits;
   `plan` says which notebooks are out of step, and why.
6. `execute` runs them, two at a time; `outputs` cleans what they leave.
7. `build` and `check` do what `cli` is asked for:
   `python -m tools notebooks [--check] [STEM…]`.
"""

from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the builder's command line and return its exit status."""
    # Imported late: the site reads `facts` where nothing can run notebooks.
    from tools.notebooks.cli import main as run

    return run(arguments)
