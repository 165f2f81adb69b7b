"""The builder executes what changed, and nothing else."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from functools import partial

import pytest

from tests.tools.small_book import (
    CHAPTER,
    SOLUTION,
    STEM,
    edit,
    everything,
    make,
    read,
)
from tools.notebooks.book import ROOT
from tools.notebooks.cli import main

ALL = [f"{f}/{STEM}.ipynb" for f in ("chapters", "exercises", "solutions")]


@pytest.fixture(scope="module")
def first_build(tmp_path_factory):
    """Build a small book once."""
    root = make(tmp_path_factory.mktemp("book"))
    assert main([], root) == 0
    return root


@pytest.fixture
def built(tmp_path, first_build):
    """Return the root of a small book whose notebooks are built."""
    return shutil.copytree(first_build, tmp_path / "book")


def changed(capsys):
    """Return the notebooks that the last run says it changed."""
    lines = capsys.readouterr().out.splitlines()
    return [line.strip() for line in lines if line.startswith("  ")]


def never(*_, **__):
    raise AssertionError("nothing should run")


@pytest.fixture
def no_kernel(monkeypatch):
    """Fail where a notebook is executed after all."""
    monkeypatch.setattr("tools.notebooks.build.execute_steps", never)


def outputs(root, name):
    cells = read(root, name).cells
    return "".join(o.text for c in cells for o in c.get("outputs", ()))


def test_a_chapter_is_executed_with_the_shown_code(built):
    notebook = read(built, ALL[0])
    text = "\n".join(cell.source for cell in notebook.cells)

    assert "def double(x: int) -> int:" in text
    assert "@show" not in text
    assert "# why: because" in text
    assert "Args:" not in text
    assert "Source: Euclid (300 BC), book V,\n        definition 2." in text
    assert outputs(built, ALL[0]) == "42\n"
    assert notebook.metadata.language_info == {"name": "python"}
    assert "jupytext" not in notebook.metadata


def test_an_exercise_has_stubs_and_no_outputs(built):
    exercise, solution = read(built, ALL[1]), read(built, ALL[2])

    assert outputs(built, ALL[2]) == "2.0\n"
    assert "x / 2" in str(solution.cells)
    assert "x / 2" not in str(exercise.cells)
    assert (
        "def half(x):\n    # Your code here.\n    raise NotImplementedError"
        in [cell.source for cell in exercise.cells]
    )
    for cell in exercise.cells:
        assert not cell.get("outputs")
        assert cell.get("execution_count") is None


def test_a_second_run_executes_nothing_and_changes_no_byte(built, no_kernel):
    before = everything(built)

    assert main([], built) == 0
    assert everything(built) == before


def test_executing_again_changes_no_byte(built):
    before = everything(built)

    assert main(["--force"], built) == 0
    assert everything(built) == before


def test_cell_ids_come_from_the_content(built):
    twice = "\n# %%\nprint(1)\n\n# %%\nprint(1)\n"
    edit(
        built,
        f"chapters/{STEM}.py",
        "\n# %%\nprint(d",
        f"{twice}\n# %%\nprint(d",
    )
    old = {cell.source: cell.id for cell in read(built, ALL[0]).cells}
    assert main(["chapters"], built) == 0
    cells = read(built, ALL[0]).cells
    new = [cell.id for cell in cells]

    assert all(c.id == old[c.source] for c in cells if c.source in old)
    assert len(set(new)) == len(new)
    assert sum(name.endswith("-2") for name in new) == 1


def test_prose_is_rewritten_without_running(built, no_kernel, capsys):
    edit(built, f"chapters/{STEM}.py", "two?", "two or more?")

    assert main([], built) == 0
    assert changed(capsys) == ALL[:1]
    assert "two or more?" in read(built, ALL[0]).cells[0].source
    assert outputs(built, ALL[0]) == "42\n"


def test_a_new_address_is_written_without_running(built, no_kernel, capsys):
    edit(built, "_config.yml", '""', "https://github.com/ORG/REPO")

    assert main(["--no-execute"], built) == 0
    assert changed(capsys) == ALL
    assert "ORG/REPO" in read(built, ALL[0]).cells[1].source
    assert outputs(built, ALL[0]) == "42\n"


@pytest.mark.parametrize(
    ("name", "old", "new", "result"),
    [
        (f"chapters/{STEM}.py", "double(21)", "double(4)", "8\n"),
        (
            "bertbook/thing.py",
            "return helper(x)",
            "return 10 + helper(x)",
            "52\n",
        ),
        ("bertbook/thing.py", "return x\n", "return x + 1\n", "44\n"),
        ("bertbook/thing.py", "SCALE = 2", "SCALE = 3", "63\n"),
    ],
)
def test_a_change_behind_the_outputs_runs_again(
    built, capsys, name, old, new, result
):
    edit(built, name, old, new)

    assert main(["chapters/01"], built) == 0
    assert changed(capsys) == ALL[:1]
    assert outputs(built, ALL[0]) == result


def test_new_results_run_their_chapter_again(built, capsys):
    (built / "results").mkdir()
    (built / "results" / f"{STEM}.json").write_text("{}", "utf-8")

    assert main(["chapters"], built) == 0
    assert changed(capsys) == ALL[:1]


def test_other_versions_run_it_again(built, capsys, monkeypatch):
    monkeypatch.setattr("tools.notebooks.assemble.WATCHED", ("nbformat",))

    assert main([], built) == 0
    assert changed(capsys) == [ALL[0], ALL[2]]


def test_a_docstring_in_the_library_runs_nothing(built, no_kernel):
    edit(built, "bertbook/thing.py", "Never shown", "Not shown")
    before = everything(built)

    assert main([], built) == 0
    assert everything(built) == before


def test_without_running_old_outputs_stay_known_as_old(built, capsys):
    edit(built, "bertbook/thing.py", "SCALE = 2", "SCALE = 3")
    edit(built, f"chapters/{STEM}.py", "two?", "three?")

    assert main(["--no-execute"], built) == 0
    assert changed(capsys) == ALL[:1]
    assert outputs(built, ALL[0]) == "42\n"
    assert main([], built) == 0
    assert outputs(built, ALL[0]) == "63\n"


def test_without_running_new_code_is_refused(built, capsys):
    edit(built, f"chapters/{STEM}.py", "double(21)", "double(4)")
    before = everything(built)

    assert main(["--no-execute"], built) == 1
    assert "has to run: its code changed" in capsys.readouterr().err
    assert everything(built) == before


@pytest.mark.parametrize("name", ALL)
def test_an_edit_by_hand_is_refused_until_forced(built, capsys, name):
    pristine = everything(built)
    edit(built, name, '"# 01 ·', '"# 01 · My')
    touched = everything(built)

    assert main([], built) == 1
    message = capsys.readouterr().err
    assert f"{name} was changed after it was generated" in message
    assert "--force" in message
    assert everything(built) == touched
    assert main(["--force"], built) == 0
    assert everything(built) == pristine


def test_an_output_edited_by_hand_is_noticed(built):
    edit(built, ALL[0], "42", "43")

    assert main([], built) == 1
    assert main(["--check"], built) == 1


def test_a_cell_that_raises_names_file_line_cell_and_reason(built, capsys):
    before = everything(built)
    edit(built, f"chapters/{STEM}.py", "print(double(21))", "y = 1\ny / 0")

    assert main([], built) == 1
    message = capsys.readouterr().err
    assert f"chapters/{STEM}.py:15: ZeroDivisionError: division" in message
    assert f"this cell failed in {ALL[0]}:" in message
    assert "y = 1\ny / 0" in message
    after = everything(built)
    assert {n: after[n] for n in ALL} == {n: before[n] for n in ALL}


def test_one_failure_does_not_stop_the_others(tmp_path, capsys):
    broken = CHAPTER + "\n# %%\nraise SystemError('stop')\n"
    make(tmp_path, chapter=broken)

    assert main([], tmp_path) == 1
    assert changed(capsys) == ALL[1:]


def test_a_cell_may_raise_where_its_tag_says_so(tmp_path):
    tag = '\n# %% tags=["raises-exception"]\nraise ValueError("as said")\n'
    make(tmp_path, chapter=CHAPTER + tag)

    assert main(["chapters"], tmp_path) == 0
    output = read(tmp_path, ALL[0]).cells[-1].outputs[0]
    assert output.traceback == ["ValueError: as said"]


def test_a_kernel_that_dies_is_an_error(tmp_path, capsys):
    die = CHAPTER + "\n# %%\nimport os\n\nos._exit(9)\n"
    make(tmp_path, chapter=die)

    assert main(["chapters"], tmp_path) == 1
    assert f"{STEM}.py:18: the kernel died" in capsys.readouterr().err


def test_the_kernel_stands_in_the_notebook_folder(tmp_path):
    where = "\n# %%\nfrom pathlib import Path\n\nprint(Path.cwd().name)\n"
    make(tmp_path, chapter=CHAPTER + where)

    assert main(["chapters"], tmp_path) == 0
    assert outputs(tmp_path, ALL[0]).endswith("chapters\n")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("import double", "import doubel", r"defines no doubel; .* double\?"),
        ("bertbook.thing", "bertbook.think", "no module bertbook.think"),
    ],
)
def test_a_definition_that_is_gone_leaves_the_notebook(
    built, capsys, old, new, message
):
    before = everything(built)[ALL[0]]
    edit(built, f"chapters/{STEM}.py", old, new)

    assert main([], built) == 1
    error = capsys.readouterr().err
    assert re.search(rf"01_first\.py:10: .*{message}", error)
    assert everything(built)[ALL[0]] == before


def test_an_interrupted_run_leaves_the_old_notebook(built):
    before = everything(built)
    edit(built, f"chapters/{STEM}.py", "print(double(21))",
         "import time\nfrom pathlib import Path\n\n"
         "Path('started').touch()\ntime.sleep(600)")  # fmt: skip
    code = (
        "import sys; from pathlib import Path; import tools.notebooks.cli;"
        "sys.exit(tools.notebooks.cli.main([], Path(sys.argv[1])))"
    )
    run = subprocess.Popen(
        [sys.executable, "-c", code, str(built)], cwd=ROOT,
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        # A job in a shell's background is started with interrupts ignored.
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
    )  # fmt: skip
    started = built / "chapters/started"
    for _ in range(600):
        if started.exists():
            break
        time.sleep(0.1)
    os.kill(run.pid, signal.SIGINT)
    out, _ = run.communicate(timeout=120)
    started.unlink()
    after = everything(built)

    assert run.returncode == 130
    assert "interrupted" in out
    assert {name: after[name] for name in ALL} == {
        name: before[name] for name in ALL
    }
    assert set(after) == set(before)


def test_a_write_that_fails_leaves_the_old_notebook(built, monkeypatch):
    edit(built, f"chapters/{STEM}.py", "two?", "three?")
    before = everything(built)
    monkeypatch.setattr("pathlib.Path.replace", never)

    with pytest.raises(AssertionError, match="nothing should run"):
        main([], built)
    assert everything(built) == before


def test_an_unknown_stem_is_named(built):
    with pytest.raises(SystemExit, match=r"is called 99; .*01_first"):
        main(["99"], built)


def test_a_solution_that_fails_gives_no_solution_notebook(tmp_path, capsys):
    wrong = SOLUTION.replace("return x / 2", "return x.half")
    make(tmp_path, solution=wrong)

    assert main(["solutions"], tmp_path) == 1
    captured = capsys.readouterr()
    assert ALL[1] in captured.out
    assert ALL[2] not in captured.out
    assert f"solutions/{STEM}.py:16: AttributeError" in captured.err
