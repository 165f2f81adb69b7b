"""One line of progress instead of pip's hundred."""

import subprocess
import sys
from pathlib import Path

import pytest

from tools.install import follow, pip_install, print_line
from tools.stop import Stop


def test_progress_counts_packages_and_names_large_files():
    shown = []
    lines = [
        "Collecting six==1.0 (from -r x)\n",
        "  Downloading six-1.0.whl (11 kB)\n",
        "Collecting torch\n",
        "  Downloading https://host/torch-2.13.0.whl (800.1 MB)\n",
        "Installing collected packages: six, torch\n",
    ]
    seen = follow(lines, "tools", lambda text, count: shown.append(text))
    assert seen == lines
    assert shown == [
        "  tools: 1 packages, six==1.0",
        "  tools: 2 packages, torch",
        "  tools: downloading torch-2.13.0.whl (800.1 MB)",
        "  tools: writing 2 packages",
    ]


def test_a_log_file_gets_few_lines(capsys):
    show = print_line()
    for count in range(1, 51):
        show(f"line {count}", count)
    assert capsys.readouterr().out == "line 25\nline 50\n"


def test_failure_is_one_line_and_leaves_the_log(tmp_path):
    log = tmp_path / "pip.log"
    wanted = ["--no-index", "no-such-package-of-the-book"]
    with pytest.raises(Stop) as caught:
        pip_install(Path(sys.executable), wanted, log, "nothing")
    assert "No matching distribution" in str(caught.value)
    assert str(log) in str(caught.value)
    assert "no-such-package-of-the-book" in log.read_text("utf-8")


def test_no_network_is_named(tmp_path):
    log = tmp_path / "pip.log"
    wanted = ["--index-url", "http://127.0.0.1:9/simple", "--retries", "1"]
    with pytest.raises(Stop, match="cannot be reached"):
        pip_install(Path(sys.executable), [*wanted, "six-x"], log, "nothing")


def test_pip_never_waits_for_an_answer(monkeypatch, tmp_path):
    calls = {}

    class Process:
        returncode = 0
        stdout = ()

        def __init__(self, command, **settings):
            calls.update(settings, command=command)

        def __enter__(self):
            return self

        def __exit__(self, *_):
            return None

    monkeypatch.setattr(subprocess, "Popen", Process)
    pip_install(Path("python"), ["six"], tmp_path / "log", "x")
    assert calls["stdin"] == subprocess.DEVNULL
    assert "--no-input" in calls["command"]
    assert calls["env"]["PIP_USER"] == "0"
