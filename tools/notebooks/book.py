"""Where the book's files lie, so that tests can build a small one."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Book:
    """A folder laid out like this repository."""

    root: Path = ROOT

    def sources(self) -> list[Path]:
        """Return every notebook source, chapters first."""
        return [
            path
            for folder in ("chapters", "solutions")
            for path in sorted((self.root / folder).glob("[0-9]*.py"))
        ]

    def relative(self, path: Path) -> Path:
        """Return a path as a person at the root would type it."""
        return path.relative_to(self.root)

    def read_yaml(self, name: str) -> Any:
        """Return a YAML file's content, or None where there is none."""
        path = self.root / name
        return (
            yaml.safe_load(path.read_text("utf-8")) if path.exists() else None
        )

    @cached_property
    def repository(self) -> tuple[str, str]:
        """Return the published address and its tag, empty before that."""
        settings = self.read_yaml("_config.yml") or {}
        repository = settings.get("repository") or {}
        url = (repository.get("url") or "").rstrip("/")
        return url, str(repository.get("branch") or "main") if url else ""

    def chapter(self, stem: str) -> dict[str, Any]:
        """Return what stands in `chapters/STEM.yml`."""
        return self.read_yaml(f"chapters/{stem}.yml") or {}
