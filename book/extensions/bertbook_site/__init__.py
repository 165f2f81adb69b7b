"""What the site adds to the book's plain notebooks, in memory.

The committed notebooks hold plain Markdown, so that GitHub, Colab and Kaggle
show them well. While Sphinx reads a page, this extension adds what belongs to
the site alone: quiz items, explorables, folded solutions and hints, a line of
measured facts under the title, alternative texts of pictures, links to the
glossary, the appendix made from ``book/facts.yml``. No file is written to the
source tree.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from . import element, facts, glossary, inject, pages, pictures, plans

if TYPE_CHECKING:
    from sphinx.application import Sphinx


def read_source(app: Sphinx, docname: str, source: list[str]) -> None:
    """Rewrite one page's source in memory (Sphinx's source-read event)."""
    root = Path(app.srcdir)
    path = Path(str(app.env.doc2path(docname)))
    if path.suffix == ".md":
        if facts.MARKER in source[0]:
            entries = yaml.safe_load(
                (root / "book" / "facts.yml").read_text("utf-8")
            )
            app.env.note_dependency(str(root / "book" / "facts.yml"))
            source[0] = source[0].replace(facts.MARKER, facts.render(entries))
        return
    if path.suffix == ".ipynb":
        source[0] = read_notebook(app, docname, source[0])


def read_notebook(app: Sphinx, docname: str, text: str) -> str:
    """Return a notebook's JSON text with the site's own parts added."""
    root = Path(app.srcdir)
    notebook = inject.load(text)
    inject.drop_scripts(notebook)
    inject.fold_drawings(notebook)
    pictures.remember(app, docname, notebook["cells"])
    if docname.startswith("chapters/"):
        additions = plans.chapter(root, docname)
    else:
        additions = plans.exercises(
            root, docname, app.config.bertbook_solutions
        )
    problems = inject.apply(notebook, additions)
    for problem in [*additions.problems, *problems]:
        pages.LOGGER.warning(
            problem, location=docname, type="bertbook", subtype="inject"
        )
    for dependency in additions.read:
        app.env.note_dependency(str(dependency))
    return inject.dump(notebook)


def setup(app: Sphinx) -> dict[str, Any]:
    """Connect the events (Sphinx calls this)."""
    app.add_config_value("bertbook_solutions", True, "env", [bool])
    app.add_config_value("bertbook_everyday_words", [], "env", [list])
    element.setup(app)
    app.connect("source-read", read_source)
    app.connect("doctree-read", pictures.describe)
    app.connect("doctree-read", glossary.collect)
    app.connect("doctree-resolved", glossary.link)
    app.connect("builder-inited", pages.drop_thebe, priority=100)
    app.connect("html-page-context", pages.add_context, priority=600)
    app.connect("build-finished", pages.write_index, priority=400)
    return {
        "version": "1",
        "parallel_read_safe": False,
        "parallel_write_safe": True,
    }
