"""What every page carries around its text: cards, launch links, footer."""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sphinx.util import logging

from . import plans

if TYPE_CHECKING:
    from docutils import nodes
    from sphinx.application import Sphinx

LOGGER = logging.getLogger(__name__)
ARCHIVE = "bertbook-site.zip"
# What Sphinx writes around a bibliography is no valid list for WAI-ARIA.
ROLES = {
    ' role="doc-biblioentry"': "",
    '<div role="list" class="citation-list">': '<div class="citation-list">',
}
INDEX = """<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <meta http-equiv="refresh" content="0; url={target}">
    <title>{title}</title>
  </head>
  <body><main>
    <h1>{title}</h1>
    <p><a href="{target}">Open the book</a></p>
  </main></body>
</html>
"""


def drop_thebe(app: Sphinx) -> None:
    """Disconnect sphinx-thebe, whose script would come from another host."""
    app.registry.css_files[:] = [
        entry for entry in app.registry.css_files if "thebe" not in entry[0]
    ]
    for listeners in app.events.listeners.values():
        listeners[:] = [
            listener
            for listener in listeners
            if listener.handler.__module__ != "sphinx_thebe"
        ]


def add_context(
    app: Sphinx,
    pagename: str,
    templatename: str,
    context: dict[str, Any],
    doctree: nodes.document | None,
) -> None:
    """Fill what the theme's templates show (html-page-context)."""
    del templatename
    for old, new in ROLES.items():
        context["body"] = context.get("body", "").replace(old, new)
    context["metatags"] = context.get("metatags", "") + card(
        app, pagename, context, doctree
    )
    context["theme_extra_footer"] = footer(context["pathto"])
    buttons = launch_buttons(
        app.config.html_theme_options, pagename, notebook_of(app, pagename)
    )
    context.setdefault("header_buttons", [])[:0] = buttons


def notebook_of(app: Sphinx, pagename: str) -> str:
    """Return the page's notebook, relative to the repository, or nothing."""
    if pagename not in app.env.all_docs:
        return ""
    path = Path(str(app.env.doc2path(pagename, base=False)))
    return path.as_posix() if path.suffix == ".ipynb" else ""


def launch_buttons(
    options: dict[str, Any], pagename: str, notebook: str
) -> list[dict[str, Any]]:
    """Return links to hosted kernels, none while no address is set.

    >>> launch_buttons({"repository_url": ""}, "chapters/02", "02.ipynb")
    []
    """
    url = str(options.get("repository_url") or "").rstrip("/")
    if not url or not notebook:
        return []
    tag = options.get("repository_branch") or "main"
    source = f"{url}/blob/{tag}/{notebook}"
    name = source.removeprefix("https://github.com/")
    colab = f"https://colab.research.google.com/github/{name}"
    kaggle = f"https://kaggle.com/kernels/welcome?src={source}"
    rows = [
        ("Colab", colab, "fab fa-google"),
        ("Kaggle", kaggle, "fab fa-kaggle"),
    ]
    return [
        {
            "type": "group",
            "tooltip": "Run this page on a hosted kernel",
            "icon": "fas fa-rocket",
            "label": "launch-buttons",
            "buttons": [
                {
                    "type": "link",
                    "url": address,
                    "text": f"Open in {text}",
                    "icon": icon,
                    "tooltip": f"Run this page on {text}",
                    "label": f"launch-{text.lower()}",
                }
                for text, address, icon in rows
            ],
        }
    ]


def card(
    app: Sphinx,
    pagename: str,
    context: dict[str, Any],
    doctree: nodes.document | None,
) -> str:
    """Return the page's description and Open Graph tags."""
    if doctree is None:
        return ""
    title = str(context.get("pagetitle") or context.get("title") or "")
    text = description(app, pagename, doctree)
    base = str(app.config.html_baseurl or "").rstrip("/")
    tags = {
        "og:title": title,
        "og:type": "article",
        "og:site_name": app.config.html_title,
        "og:description": text,
        "og:image": f"{base}/_static/card.png" if base else "",
        "og:url": f"{base}/{pagename}.html" if base else "",
    }
    lines = [f'<meta name="description" content="{escape(text)}" />']
    lines += [
        f'<meta property="{name}" content="{escape(value)}" />'
        for name, value in tags.items()
        if value
    ]
    return "\n" + "\n".join(lines)


def description(app: Sphinx, pagename: str, doctree: nodes.document) -> str:
    """Return one sentence about a page: the plan's, or its first text."""
    from docutils import nodes

    folder, _, stem = pagename.partition("/")
    if folder == "chapters":
        plan = plans.read_plan(Path(app.srcdir), stem)
        if plan.get("description"):
            return " ".join(str(plan["description"]).split())
    for paragraph in doctree.findall(nodes.paragraph):
        text = " ".join(paragraph.astext().split())
        if len(text) > 40 and "not yet measured" not in text:
            return text if len(text) <= 200 else text[:197] + "…"
    return str(app.config.html_title)


def footer(pathto: Any) -> str:
    """Return the footer's line: licences and the whole site as one file."""
    archive = pathto(ARCHIVE, 1)
    return (
        "<p>Prose and figures: CC BY 4.0. Code: MIT. "
        '<span class="site-archive">'
        f'<a href="{archive}" download>The whole site as one file</a>, '
        "to read without a network.</span> "
        "This site sets no cookie and asks no other host for anything.</p>"
    )


def write_index(app: Sphinx, exception: Exception | None) -> None:
    """Write the page that leads from the site's root to the book."""
    if exception is not None or app.builder.name != "html":
        return
    target = f"{app.config.root_doc}.html"
    title = escape(app.config.html_title)
    Path(app.outdir, "index.html").write_text(
        INDEX.format(target=target, title=title), "utf-8"
    )
