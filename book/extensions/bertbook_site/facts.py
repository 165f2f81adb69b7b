"""Render Appendix A, what lectures get wrong, from ``book/facts.yml``."""

from __future__ import annotations

from typing import Any

from .element import fence

MARKER = "<!-- facts -->"


def render(entries: list[dict[str, Any]]) -> str:
    """Return MyST Markdown: one section a chapter, one box an entry."""
    chapters = sorted({first_chapter(entry) for entry in entries})
    parts = []
    for chapter in chapters:
        parts.append(f"## Chapter {chapter}")
        parts += [
            render_entry(entry)
            for entry in entries
            if first_chapter(entry) == chapter
        ]
    return "\n\n".join(parts)


def chapters_of(entry: dict[str, Any]) -> list[str]:
    """Return the numbers of the chapters that show an entry."""
    return [str(number) for number in entry.get("chapters", [])]


def first_chapter(entry: dict[str, Any]) -> str:
    """Return the number of the chapter under which an entry stands."""
    return chapters_of(entry)[0]


def render_entry(entry: dict[str, Any]) -> str:
    """Return one entry: the claim, what is so, where it is written."""
    name = str(entry["id"])
    sources = "; ".join(cite(source) for source in entry.get("source", []))
    others = chapters_of(entry)[1:]
    rows = [
        ("The lecture", str(entry["lecture"])),
        ("What is so", str(entry["correct"])),
        ("Source", sources),
        ("Proved by", f"`{entry['test']}`"),
    ]
    if others:
        rows.append(("Also in", "chapter " + ", ".join(others)))
    body = "\n\n".join(
        fence(
            "div",
            {"class": "fact-row"},
            f"**{label}**\n\n{text.strip()}",
            6,
        )
        for label, text in rows
        if text
    )
    kind = str(entry.get("kind", "wrong"))
    heading = f"### {name} · {entry['title']}"
    box = fence("div", {"class": f"fact fact-{kind}"}, body, 8)
    return f"({name.lower()})=\n{heading}\n\n*{kind}*\n\n{box}"


def cite(source: dict[str, Any]) -> str:
    """Return a citation with the place in the source.

    >>> cite({"key": "vaswani2017", "where": "§3.2.1"})
    '{cite:t}`vaswani2017`, §3.2.1'
    """
    text = f"{{cite:t}}`{source['key']}`"
    return text + (f", {source['where']}" if source.get("where") else "")
