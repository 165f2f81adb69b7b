"""Bundle the explorables' modules into the classic scripts pages load.

A page opened from a USB stick may not load ES modules, so the sources in
``explorables/`` become one plain script. Run ``python -m tools.bundle`` after
a change; ``--check`` only says whether the scripts are in step.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SOURCES = ROOT / "explorables"
BUNDLES = {
    ROOT / "book" / "static" / "explorables.bundle.js": "all.js",
    ROOT / "bertbook" / "attention_map.js": "attention-map.js",
}
_IMPORT = re.compile(
    r"^import\s+(?:\{[^}]*\}\s+from\s+)?[\"']\./([\w-]+\.js)[\"'];?[ \t]*\n",
    re.M,
)
_EXPORT = re.compile(
    r"^export\s+(?=(?:async\s+)?(?:const|function|class)\b)", re.M
)
_NAME = re.compile(r"^(?:async\s+)?(?:const|let|function|class)\s+(\w+)", re.M)
_DOC = re.compile(r"^[ \t]*/\*\*.*?\*/[ \t]*\n", re.M | re.S)
_COMMENT = re.compile(r"^[ \t]*//.*\n", re.M)


class BundleError(ValueError):
    """A source that this small bundler cannot put together."""


def in_order(entry: str, sources: Path = SOURCES) -> list[str]:
    """Return the modules an entry needs, each after what it imports."""
    done: list[str] = []

    def visit(name: str, above: tuple[str, ...]) -> None:
        if name in above:
            raise BundleError(f"import circle: {' → '.join((*above, name))}")
        if name in done:
            return
        text = (sources / name).read_text("utf-8")
        for imported in _IMPORT.findall(text):
            visit(imported, (*above, name))
        done.append(name)

    visit(entry, ())
    return done


def strip_module(text: str, name: str) -> str:
    """Return a module's code without imports, exports and comments."""
    code = _EXPORT.sub("", _IMPORT.sub("", text))
    left = re.search(r"^\s*(?:import|export)\b.*$", code, re.M)
    if left:
        raise BundleError(f"{name}: cannot bundle {left[0].strip()!r}")
    code = _COMMENT.sub("", _DOC.sub("", code))
    lines = [line.strip() for line in code.splitlines()]
    return "\n".join(line for line in lines if line)


def bundle(entry: str, sources: Path = SOURCES) -> str:
    """Return one classic script for an entry module."""
    parts: list[str] = []
    owners: dict[str, str] = {}
    for name in in_order(entry, sources):
        text = (sources / name).read_text("utf-8")
        for found in _NAME.findall(_EXPORT.sub("", text)):
            if found in owners:
                raise BundleError(
                    f"{found} stands in {owners[found]} and in {name}: "
                    "names at the top of a module must differ"
                )
            owners[found] = name
        parts.append(strip_module(text, name))
    body = "\n".join(parts)
    head = "/* Made by tools/bundle.py from explorables/. MIT. */"
    return f'{head}\n(()=>{{"use strict";\n{body}\n}})();\n'


def stale() -> list[Path]:
    """Return the bundles that are not what their sources give."""
    return [
        path
        for path, entry in BUNDLES.items()
        if not path.exists() or path.read_text("utf-8") != bundle(entry)
    ]


def main(arguments: list[str]) -> int:
    """Write the bundles, or with ``--check`` compare them."""
    if "--check" in arguments:
        for path in stale():
            print(
                f"{path.relative_to(ROOT)} is not in step: "
                "run python -m tools.bundle"
            )
        return 1 if stale() else 0
    for path, entry in BUNDLES.items():
        path.write_text(bundle(entry), "utf-8")
        print(f"{path.relative_to(ROOT)}: {path.stat().st_size} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
