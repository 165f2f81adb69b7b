"""A directive that puts any HTML element around Markdown."""

from __future__ import annotations

import json
from html import escape
from typing import TYPE_CHECKING, Any, ClassVar

from docutils import nodes
from sphinx.util.docutils import SphinxDirective

if TYPE_CHECKING:
    from sphinx.application import Sphinx


class element(nodes.General, nodes.Element):
    """An HTML element with its tag and attributes; children are Markdown."""


class ElementDirective(SphinxDirective):
    """``{element} tag {"attribute": "value"}`` around nested Markdown."""

    has_content = True
    required_arguments = 1
    final_argument_whitespace = True
    option_spec: ClassVar[dict[str, Any]] = {}

    def run(self) -> list[nodes.Node]:
        """Return the element's node with its parsed content."""
        tag, _, attributes = self.arguments[0].partition(" ")
        node = element(
            tag=tag, attributes=json.loads(attributes) if attributes else {}
        )
        self.set_source_info(node)
        self.state.nested_parse(self.content, self.content_offset, node)
        return [node]


def fence(
    tag: str, attributes: dict[str, str], content: str, depth: int
) -> str:
    """Return Markdown for one element; ``depth`` colons, more outside.

    >>> print(fence("div", {"class": "note"}, "Text.", 4))
    ::::{element} div {"class": "note"}
    <BLANKLINE>
    Text.
    ::::
    """
    marks = ":" * depth
    head = f"{tag} {json.dumps(attributes)}" if attributes else tag
    return f"{marks}{{element}} {head}\n\n{content}\n{marks}"


def _visit(translator: Any, node: element) -> None:
    attributes = "".join(
        f' {name}="{escape(str(value))}"'
        for name, value in node["attributes"].items()
    )
    translator.body.append(f"<{node['tag']}{attributes}>\n")


def _depart(translator: Any, node: element) -> None:
    translator.body.append(f"</{node['tag']}>\n")


def _pass(translator: Any, node: element) -> None:
    del translator, node


def setup(app: Sphinx) -> None:
    """Register the node and the directive."""
    app.add_node(
        element,
        html=(_visit, _depart),
        latex=(_pass, _pass),
        text=(_pass, _pass),
    )
    app.add_directive("element", ElementDirective)
