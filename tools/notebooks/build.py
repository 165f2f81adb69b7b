"""Bring notebooks in step with their sources."""

from dataclasses import dataclass, field
from pathlib import Path

from nbformat import NotebookNode
from tqdm import tqdm

from tools.notebooks.assemble import assemble, seal
from tools.notebooks.book import Book
from tools.notebooks.cells import Draft, drafts
from tools.notebooks.errors import SourceError
from tools.notebooks.execute import interruptible, run_all
from tools.notebooks.outputs import clean
from tools.notebooks.plan import State, Step, keep_outputs, step
from tools.notebooks.store import save

BY_HAND = (
    "was changed after it was generated: move the change to {source}, then "
    "run again with --force to overwrite it"
)


@dataclass
class Outcome:
    """What a build did.

    Args:
        written: the notebooks that changed.
        problems: a message for each notebook that could not be built.
    """

    written: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def steps_of(book: Book, paths: list[Path], outcome: Outcome) -> list[Step]:
    """Return a step for each notebook; a bad source becomes a problem."""
    steps = []
    for path in paths:
        try:
            steps += [step(draft) for draft in drafts(book, path)]
        except SourceError as problem:
            outcome.problems.append(str(problem))
    return steps


def write(
    one: Step, notebook: NotebookNode, outcome: Outcome, *, ran: bool
) -> None:
    """Seal and save a notebook, and note it where its file changed."""
    ran_before = None if ran else one.before
    if save(seal(one.draft, notebook, ran_before), one.draft.path):
        outcome.written.append(one.draft.name)


def refused(one: Step, execute: bool, force: bool) -> str:
    """Return why a notebook must not be written, or nothing."""
    if one.by_hand and not force:
        source = one.draft.book.relative(one.draft.source.path)
        return f"{one.draft.name} {BY_HAND.format(source=source)}"
    must_run = one.state in (State.ABSENT, State.CODE) or one.by_hand
    if one.draft.runs and not execute and must_run:
        return f"{one.draft.name} has to run: {one.state.value}"
    return ""


def write_text(one: Step, outcome: Outcome) -> None:
    """Write a notebook that need not run; outputs stay as they are."""
    notebook = assemble(one.draft)
    if one.draft.runs and one.before is not None:
        keep_outputs(notebook, one.before)
    write(one, notebook, outcome, ran=False)


def execute_steps(steps: list[Step], jobs: int, outcome: Outcome) -> None:
    """Run the notebooks of some steps and save each that succeeds."""
    by_path = {each.draft.path: each for each in steps}
    work = [(each.draft, assemble(each.draft)) for each in steps]
    cells = sum(c.cell_type == "code" for _, nb in work for c in nb.cells)

    def done(draft: Draft, notebook: NotebookNode) -> None:
        clean(notebook, by_path[draft.path].before)
        write(by_path[draft.path], notebook, outcome, ran=True)

    with tqdm(total=cells, unit="cell", desc="notebooks", leave=False) as bar:
        found = interruptible(run_all(work, jobs, bar.update, done))
    outcome.problems += map(str, found)


def build(
    book: Book,
    paths: list[Path],
    *,
    force: bool = False,
    execute: bool = True,
    jobs: int = 2,
) -> Outcome:
    """Generate what is out of step, and execute what has to run.

    Args:
        book: the book.
        paths: the sources to look at.
        force: run them all, and overwrite what was changed by hand.
        execute: without it, only text is brought in step.
        jobs: how many notebooks run at once.
    """
    outcome = Outcome()
    waiting = []
    for one in steps_of(book, paths, outcome):
        reason = refused(one, execute, force)
        if reason:
            outcome.problems.append(reason)
        elif execute and one.draft.runs and (one.executes or force):
            waiting.append(one.forced())
        elif one.state is not State.FRESH or one.by_hand:
            write_text(one, outcome)
    if waiting:
        execute_steps(waiting, jobs, outcome)
    return outcome
