"""`make lab` copies what is missing and never touches what is there."""

import subprocess

import pytest

from tools import environment, lab
from tools.stop import Stop


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    exercises = tmp_path / "exercises"
    exercises.mkdir()
    for name in ("00_a.ipynb", "01_b.ipynb"):
        (exercises / name).write_text(f"new {name}")
    monkeypatch.setattr(environment, "ROOT", tmp_path)
    return tmp_path


def test_copies_then_keeps(checkout, capsys):
    assert lab.main(["--no-open"]) == 0
    assert "2 notebooks copied, 0 kept" in capsys.readouterr().out
    mine = checkout / "work" / "00_a.ipynb"
    mine.write_text("my answer")
    (checkout / "exercises" / "00_a.ipynb").write_text("newer")
    (checkout / "exercises" / "02_c.ipynb").write_text("third")
    assert lab.main(["--no-open"]) == 0
    assert "1 notebooks copied, 2 kept" in capsys.readouterr().out
    assert mine.read_text() == "my answer"
    assert (checkout / "work" / "02_c.ipynb").read_text() == "third"


def test_a_broken_link_is_kept_too(checkout):
    work = checkout / "work"
    work.mkdir()
    (work / "00_a.ipynb").symlink_to(checkout / "elsewhere")
    new, kept = lab.copy_new(checkout / "exercises", work)
    assert (new, kept) == (["01_b.ipynb"], ["00_a.ipynb"])
    assert not (checkout / "elsewhere").exists()


def test_nothing_to_copy(checkout):
    with pytest.raises(Stop, match="run `make notebooks`"):
        lab.copy_new(checkout / "chapters", checkout / "work")


def test_opens_on_the_copy(checkout, monkeypatch):
    ran = []
    monkeypatch.setattr(environment, "enter", lambda level: ran.append(level))
    monkeypatch.setattr(
        subprocess,
        "run",
        lambda command, **_: (
            ran.append(command) or subprocess.CompletedProcess(command, 0)
        ),
    )
    assert lab.main([]) == 0
    assert ran[0] == "all"
    assert ran[1][-3:] == ["-m", "jupyterlab", str(checkout / "work")]
