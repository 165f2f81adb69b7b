"""What is missing on the machine, said in one line."""

import errno
import importlib.util
import shutil
from types import SimpleNamespace

import pytest

from tools import machine, targets
from tools.stop import Stop


@pytest.mark.parametrize("missing", ["venv", "ensurepip"])
def test_python_without_venv(monkeypatch, missing):
    real = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util,
        "find_spec",
        lambda name: None if name == missing else real(name),
    )
    with pytest.raises(Stop, match=rf"no {missing}: .*apt install python3\."):
        machine.require_venv()


def test_python_with_venv():
    machine.require_venv()


def test_full_disk(monkeypatch, tmp_path):
    usage = SimpleNamespace(free=599_999_999)
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage)
    with pytest.raises(Stop, match="599 MB free and 600 MB are needed"):
        machine.require_space(tmp_path, 600)
    usage.free = 600_000_000
    machine.require_space(tmp_path, 600)


@pytest.mark.parametrize(
    ("output", "says"),
    [
        ("OSError: [Errno 28] No space left on device", "disk is full"),
        (
            "WARNING: Retrying (Retry(total=0)) after NewConnectionError(x)\n"
            "ERROR: No matching distribution found for jupyter-book",
            "cannot be reached",
        ),
        ("ERROR: THESE PACKAGES DO NOT MATCH THE HASHES", "not the file"),
        ("SSLError(CERTIFICATE_VERIFY_FAILED)", "PIP_CERT"),
        ("noise\nERROR: ResolutionImpossible: a needs b\n", "a needs b"),
        ("", "without saying why"),
    ],
)
def test_failures_of_pip(output, says):
    message = machine.diagnose(output)
    assert says in message
    assert "\n" not in message


def test_a_disk_that_fills_up_on_the_way(monkeypatch, capsys):
    def fail(name, arguments):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(targets, "run", fail)
    assert targets.main(["book"]) == 1
    assert capsys.readouterr().err == machine.FULL + "\n"
