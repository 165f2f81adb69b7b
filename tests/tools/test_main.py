"""`python -m tools` from the bare standard library."""

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tools.__main__ import too_old
from tools.targets import TARGETS

ROOT = Path(__file__).parents[2]
BARE = """
import sys
sys.path.insert(0, {root!r})
sys.argv = ["tools", *{arguments!r}]
import tools.targets
for name in ("book", "check", "lab", "serve", "bench", "wheel", "publish"):
    __import__("tools." + name)
status = tools.targets.main({arguments!r})
folders = ("site-packages", "dist-packages")
foreign = [
    name for name, module in sys.modules.items()
    if any(part in (getattr(module, "__file__", "") or "") for part in folders)
]
assert not foreign, foreign
sys.exit(status)
"""


def bare(*arguments):
    """Run the targets on a Python that sees no installed package."""
    code = BARE.format(root=str(ROOT), arguments=list(arguments))
    return subprocess.run(
        [sys.executable, "-S", "-I", "-c", code],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )


def test_list_needs_no_package():
    done = bare()
    assert done.returncode == 0, done.stderr
    for name in TARGETS:
        assert re.search(rf"^  {name}\b", done.stdout, re.MULTILINE)


def test_unknown_target_lists_the_others():
    done = bare("bok")
    assert done.returncode == 2
    assert "no target 'bok'" in done.stderr
    assert "book" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["test", "lint", "typing"], "no lane typing; there are lint"),
        (["bench", "nothing"], "no benchmark nothing"),
        (["publish", "--url", "nonsense"], "not a repository's address"),
        (
            ["publish", "--url", "https://github.com/a/b", "--tag", "a b"],
            "tag",
        ),
    ],
)
def test_wrong_arguments_end_in_one_line(arguments, says):
    """They are seen before anything is installed."""
    done = bare(*arguments)
    assert done.returncode == 1
    assert says in done.stderr
    assert done.stderr.count("\n") == 1
    assert "Traceback" not in done.stderr


def test_old_python_gets_a_sentence():
    message = too_old((3, 9))
    assert "Python 3.11 or newer" in message
    assert "this is 3.9" in message
    assert too_old((3, 11)) == too_old((3, 14)) == ""


@pytest.mark.parametrize("name", ["__init__", "__main__"])
def test_old_python_can_read_what_tells_it_so(name):
    text = (ROOT / "tools" / f"{name}.py").read_text("utf-8")
    ast.parse(text, feature_version=(3, 7))


def test_commands_work_from_any_folder(tmp_path):
    done = subprocess.run(
        [sys.executable, str(ROOT / "tools" / "__main__.py")],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=False,
    )
    assert "make TARGET" in done.stdout


def test_makefile_only_calls_the_targets():
    text = (ROOT / "Makefile").read_text("utf-8")
    rules = dict(re.findall(r"^(\w+):\n\t(.+)$", text, re.MULTILINE))
    called = {
        name: re.fullmatch(r"@\$\(PYTHON\) -m tools(?: (\w+)(?: .*)?)?", rule)
        for name, rule in rules.items()
    }
    assert all(called.values()), called
    names = {name: match[1] for name, match in called.items() if match}
    assert names == {"help": None} | {name: name for name in TARGETS}
    phony = re.search(r"^\.PHONY: (.*)$", text, re.MULTILINE)
    assert phony
    assert set(phony[1].split()) == set(names)
    assert re.search(r"^[a-z]+:", text, re.MULTILINE)[0] == "help:"
