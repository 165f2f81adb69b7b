"""Run notebooks, two at a time, each in the folder where it lies."""

import asyncio
import os
import re
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from subprocess import DEVNULL
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

from nbclient import NotebookClient
from nbclient.exceptions import (
    CellExecutionError,
    CellTimeoutError,
    DeadKernelError,
)
from nbformat import NotebookNode

from tools.notebooks.cells import Draft
from tools.notebooks.errors import SourceError

Result = TypeVar("Result")
SECONDS_A_CELL = 900
SETTINGS = {
    "CUDA_VISIBLE_DEVICES": "",
    "TQDM_DISABLE": "1",
    "BERTBOOK_STRICT": "1",
    "HF_HUB_OFFLINE": "1",
    "OMP_NUM_THREADS": "1",
    "PYTHONHASHSEED": "0",
    "PYDEVD_DISABLE_FILE_VALIDATION": "1",
}
COLOR = re.compile(r"\x1b\[[0-9;]*m")


def kernel_environment(root: Path, profile: str) -> dict[str, str]:
    """Return the environment of a kernel: the same on every machine.

    Args:
        root: the folder whose `bertbook` the notebook imports.
        profile: an empty folder in place of the user's IPython settings.
    """
    steady = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("BERTBOOK_") and name != "MPLBACKEND"
    }
    paths = {"PYTHONPATH": str(root), "IPYTHONDIR": profile}
    return {**steady, **SETTINGS, **paths}


def failure(draft: Draft, index: int, problem: Exception) -> SourceError:
    """Return an error that names source, line, cell and exception."""
    cell = draft.cells[index]
    what = "this cell" if cell.line else "the generated set-up cell"
    detail = "\n".join(f"    {line}" for line in cell.text.splitlines())
    if isinstance(problem, CellExecutionError):
        reason = f"{problem.ename}: {problem.evalue}"
        _, _, detail = COLOR.sub("", problem.traceback).partition("\n")
    elif isinstance(problem, CellTimeoutError):
        reason = f"still running after {SECONDS_A_CELL} s"
    else:
        reason = f"the kernel died ({problem})"
    message = f"{reason}\n{what} failed in {draft.name}:\n{detail.strip()}"
    return SourceError(draft.source.path, max(cell.line, 1), message)


async def run_one(
    draft: Draft, notebook: NotebookNode, progress: Callable[[], Any]
) -> None:
    """Execute a notebook in place.

    Args:
        draft: what the notebook was made from.
        notebook: the notebook, changed in place.
        progress: called after each code cell.

    Raises:
        SourceError: a cell raised, took too long or killed its kernel.
    """
    place = 0

    def note(cell_index: int, **_: Any) -> None:
        nonlocal place
        place = cell_index

    client = NotebookClient(
        notebook,
        timeout=SECONDS_A_CELL,
        kernel_name="python3",
        extra_arguments=["--log-level=ERROR"],
        record_timing=False,
        coalesce_streams=True,
        resources={"metadata": {"path": str(draft.path.parent)}},
        on_cell_execute=note,
        on_cell_executed=lambda **_: progress(),
    )
    draft.path.parent.mkdir(parents=True, exist_ok=True)
    metadata = notebook.metadata.copy()
    with TemporaryDirectory() as profile:
        env = kernel_environment(draft.book.root, profile)
        try:
            await client.async_execute(env=env, stderr=DEVNULL)
        except (
            CellExecutionError,
            CellTimeoutError,
            DeadKernelError,
        ) as problem:
            raise failure(draft, place, problem) from None
    notebook.metadata = metadata


async def run_all(
    work: list[tuple[Draft, NotebookNode]],
    jobs: int,
    progress: Callable[[], Any],
    done: Callable[[Draft, NotebookNode], Any],
) -> list[SourceError]:
    """Execute notebooks, a few at a time, and collect what failed.

    Args:
        work: drafts with the notebooks to execute.
        jobs: how many kernels run at once.
        progress: called after each code cell.
        done: called with each notebook that ran to its end.
    """
    places = asyncio.Semaphore(jobs)

    async def one(draft: Draft, notebook: NotebookNode) -> SourceError | None:
        async with places:
            try:
                await run_one(draft, notebook, progress)
            except SourceError as problem:
                return problem
            done(draft, notebook)
            return None

    found = await asyncio.gather(*(one(*each) for each in work))
    return [problem for problem in found if problem]


def interruptible(coroutine: Coroutine[Any, Any, Result]) -> Result:
    """Run a coroutine to its end; Ctrl-C ends its kernels too.

    nbclient takes over the main thread's signals, each kernel from the one
    before it. In another thread it leaves them alone; a cancelled task then
    shuts its kernel down.
    """
    started: list[tuple[asyncio.AbstractEventLoop, asyncio.Task[Any]]] = []

    async def noted() -> Result:
        task = asyncio.current_task()
        assert task is not None
        started.append((asyncio.get_running_loop(), task))
        return await coroutine

    with ThreadPoolExecutor(1) as thread:
        future = thread.submit(asyncio.run, noted())
        try:
            return future.result()
        except KeyboardInterrupt:
            # A task can miss a cancellation that comes with a result.
            while not future.done():
                for loop, task in started:
                    loop.call_soon_threadsafe(task.cancel)
                wait([future], timeout=20)
            raise
