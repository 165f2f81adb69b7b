"""The lanes of `make test`: what each one runs, and under what settings."""

import sys
from dataclasses import dataclass, field

from tools.browser import MISSING, find_browser

PYTEST = (sys.executable, "-m", "pytest")
CALM = {
    "BERTBOOK_STRICT": "1",
    "HF_HUB_OFFLINE": "1",
    "OMP_NUM_THREADS": "1",
    "TQDM_DISABLE": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "PYDEVD_DISABLE_FILE_VALIDATION": "1",
}
"""Environment of every lane: strict claims, no network, two cores shared."""

NO_GPU = {"CUDA_VISIBLE_DEVICES": ""}
CELL_TIMEOUT = 300
WARM = "import matplotlib.font_manager"
"""Writes matplotlib's font cache; a cell that did it would print about it."""


@dataclass(frozen=True, kw_only=True)
class Lane:
    """One lane: a name to choose it by, and the commands it runs in turn.

    Args:
        name: one word.
        about: what it proves.
        commands: each an argument list; all run, one failure fails the lane.
        streams: whether the output is shown as it comes; otherwise only a
            failure's output is.
        skip: why it cannot run on this machine; empty when it can.
        settings: variables beside CALM.
    """

    name: str
    about: str
    commands: tuple[tuple[str, ...], ...]
    streams: bool = False
    skip: str = ""
    settings: dict[str, str] = field(default_factory=dict)


def tool(*words: str) -> tuple[str, ...]:
    """Return the command that runs a module of this environment."""
    return (sys.executable, "-m", *words)


def nbval(*folders: str) -> tuple[str, ...]:
    """Return the command that re-runs notebooks and compares each output."""
    return (
        *PYTEST,
        "--nbval",
        "--nbval-current-env",
        "--nbval-sanitize-with=tests/notebooks/sanitize.cfg",
        f"--nbval-cell-timeout={CELL_TIMEOUT}",
        "--numprocesses=2",
        "--dist=loadfile",
        "--override-ini=addopts=",  # doctests would import the sources
        *folders,
    )


def all_lanes() -> list[Lane]:
    """Return the lanes in the order they run, cheap ones first."""
    browser = find_browser()
    return [
        Lane(
            name="lint",
            about="ruff on sources and generated notebooks",
            commands=(tool("ruff", "check", "--quiet", "."),),
        ),
        Lane(
            name="format",
            about="ruff format on sources",
            commands=(tool("ruff", "format", "--check", "--quiet", "."),),
        ),
        Lane(
            name="spelling",
            about="codespell",
            commands=(tool("codespell_lib", "."),),
        ),
        Lane(
            name="types",
            about="basedpyright",
            commands=(tool("basedpyright"),),
        ),
        Lane(
            name="step",
            about="every generated file is what its source gives",
            commands=(tool("tools", "notebooks", "--check"),),
        ),
        Lane(
            name="unit",
            about="unit, property and fact tests, exercise gates, doctests",
            commands=(
                (
                    *PYTEST,
                    "--numprocesses=2",
                    "--ignore=tests/site",
                    "tests",
                    "bertbook",
                    "tools",
                ),
            ),
            streams=True,
        ),
        Lane(
            name="notebooks",
            about="nbval runs every notebook again, outputs must repeat",
            commands=(
                (sys.executable, "-c", WARM),
                nbval("chapters", "solutions"),
            ),
            streams=True,
            settings=NO_GPU,
        ),
        Lane(
            name="site",
            about="the site builds without a warning",
            commands=(tool("tools", "book"),),
        ),
        Lane(
            name="browser",
            about=f"every page in {browser or 'a real browser'}",
            commands=((*PYTEST, "--numprocesses=2", "tests/site"),),
            streams=True,
            skip="" if browser else MISSING,
            settings={"CHROMIUM": browser or ""},
        ),
    ]
