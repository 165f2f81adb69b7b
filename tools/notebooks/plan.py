"""Say which notebooks are out of step with their sources, and why."""

from dataclasses import dataclass, replace
from enum import Enum

from nbformat import NotebookNode

from tools.notebooks.assemble import (
    assemble,
    behind,
    environment,
    source_hash,
)
from tools.notebooks.cells import Draft
from tools.notebooks.setup_cell import TAG
from tools.notebooks.store import edited, load, stored


class State(Enum):
    """Why a notebook has to be written, if it has to."""

    FRESH = "in step"
    ABSENT = "there is none yet"
    TEXT = "its text changed"
    CODE = "its code changed"
    BEHIND = "the library or the results behind it changed"
    MACHINE = "it ran with other versions"
    FORCED = "it was asked for"


RUN = {*State} - {State.FRESH, State.TEXT}


@dataclass(frozen=True)
class Step:
    """A notebook, what is there already, and what is to be done.

    Args:
        draft: what the notebook will hold.
        before: the notebook as it lies there.
        state: why it has to be written.
        by_hand: whether writing it would lose somebody's work.
    """

    draft: Draft
    before: NotebookNode | None
    state: State
    by_hand: bool

    @property
    def executes(self) -> bool:
        """Tell whether the notebook has to run."""
        return self.draft.runs and self.state in RUN

    def forced(self) -> "Step":
        """Return the step for a notebook that is made again anyhow."""
        return replace(self, state=State.FORCED)


def code_cells(notebook: NotebookNode) -> list[NotebookNode]:
    """Return the code cells that can print: not the set-up cell."""
    return [
        cell
        for cell in notebook.cells
        if cell.cell_type == "code"
        and TAG not in cell.metadata.get("tags", ())
    ]


def content(cells: list[NotebookNode]) -> list[tuple[str, str, list[str]]]:
    """Return what the source says about cells."""
    return [
        (each.cell_type, each.source, list(each.metadata.get("tags", ())))
        for each in cells
    ]


def in_step(draft: Draft, notebook: NotebookNode) -> bool:
    """Tell whether a notebook holds just the cells of its draft."""
    same = content(assemble(draft).cells) == content(notebook.cells)
    return same and stored(notebook, "source") == source_hash(draft)


def state_of(draft: Draft, before: NotebookNode | None) -> State:
    """Return why a draft has to be written."""
    if before is None:
        return State.ABSENT
    now = assemble(draft)
    if content(code_cells(now)) != content(code_cells(before)):
        return State.CODE
    if draft.runs and stored(before, "behind") != behind(draft):
        return State.BEHIND
    if draft.runs and stored(before, "environment") != environment():
        return State.MACHINE
    return State.FRESH if in_step(draft, before) else State.TEXT


def step(draft: Draft) -> Step:
    """Return what is to be done for a draft."""
    before = load(draft.path)
    return Step(draft, before, state_of(draft, before), edited(before))


def keep_outputs(notebook: NotebookNode, before: NotebookNode) -> None:
    """Take over the outputs of a notebook whose code did not change."""
    for new, old in zip(code_cells(notebook), code_cells(before), strict=True):
        new.outputs = old.outputs
        new.execution_count = old.execution_count
    for cell in notebook.cells:
        if TAG in cell.metadata.get("tags", ()):
            cell.execution_count = 1
