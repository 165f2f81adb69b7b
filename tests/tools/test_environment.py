"""`.venv`: made once, filled once, and never again while nothing changed."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tools import environment
from tools.stop import Stop
from tools.torch_choice import constraints_text, installed_torch, torch_notice

ROOT = Path(__file__).parents[2]
FILES = (
    "requirements.txt",
    "requirements-site.txt",
    "requirements-data.txt",
    "constraints.txt",
)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A real `.venv` that holds pip alone, beside the requirement files."""
    root = tmp_path_factory.mktemp("checkout")
    for name in FILES:
        shutil.copy(ROOT / name, root / name)
    environment.create(root)
    return root


@pytest.fixture
def checkout(made, monkeypatch):
    """The same, without stamps; what pip is asked to install is recorded."""
    for stamp in environment.folder(made).glob("*.stamp"):
        stamp.unlink()
    asked = []
    monkeypatch.setattr(
        environment,
        "pip_install",
        lambda python, arguments, log, doing: asked.append(arguments),
    )
    return made, asked


def test_second_call_installs_nothing(checkout, capsys):
    root, asked = checkout
    assert environment.ensure("site", root)
    assert len(asked) == 1
    capsys.readouterr()
    assert not environment.ensure("site", root)
    assert len(asked) == 1
    assert capsys.readouterr().out == ""


def test_site_level_knows_no_torch(checkout):
    root, asked = checkout
    environment.ensure("site", root)
    (arguments,) = asked
    files = [word for word in arguments if word.endswith("requirements.txt")]
    assert not files
    assert str(root / "requirements-site.txt") in arguments
    wanted = (ROOT / "requirements-site.txt").read_text("utf-8")
    assert not [
        line for line in wanted.splitlines() if line.startswith(("torch", "-"))
    ]


def test_all_covers_site_and_installs_data_by_hash(checkout):
    root, asked = checkout
    environment.ensure("all", root)
    everything, data = asked
    assert str(root / "requirements.txt") in everything
    assert {"--no-deps", "--require-hashes"} < set(data)
    assert not environment.ensure("site", root)
    assert len(asked) == 2


@pytest.mark.parametrize("name", FILES)
def test_a_changed_file_installs_again(checkout, name):
    root, asked = checkout
    environment.ensure("all", root)
    before = (root / name).read_text("utf-8")
    (root / name).write_text(before + "# changed\n", "utf-8")
    try:
        asked.clear()
        assert environment.ensure("all", root)
        assert asked
    finally:
        (root / name).write_text(before, "utf-8")


def test_another_python_installs_again(checkout):
    root, _ = checkout
    before = environment.digest("site", root)
    settings = environment.folder(root) / "pyvenv.cfg"
    text = settings.read_text("utf-8")
    settings.write_text(text.replace("version = 3.", "version = 4."), "utf-8")
    try:
        assert environment.digest("site", root) != before
    finally:
        settings.write_text(text, "utf-8")


def test_interrupted_installation_is_taken_up_again(checkout, monkeypatch):
    root, _ = checkout

    def interrupted(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(environment, "pip_install", interrupted)
        with pytest.raises(KeyboardInterrupt):
            environment.ensure("site", root)
    assert environment.ensure("site", root)


def test_too_small_disk_stops_before_pip(checkout, monkeypatch):
    root, asked = checkout
    monkeypatch.setattr(environment, "SPACE", {"site": 10**12, "all": 1})
    with pytest.raises(Stop, match="needed"):
        environment.ensure("site", root)
    assert not asked


def test_every_python_of_it_finds_the_library(checkout):
    root, _ = checkout
    environment.ensure("site", root)
    found = subprocess.run(
        [environment.interpreter(root), "-c", "import sys; print(sys.path)"],
        capture_output=True,
        text=True,
        cwd="/",
        check=True,
    )
    assert repr(str(root)) in found.stdout


def test_interpreter_that_does_not_start_is_not_used(tmp_path):
    python = tmp_path / "python"
    assert not environment.works(python)
    python.write_text("no program")
    python.chmod(0o755)
    assert not environment.works(python)
    assert environment.works(Path(sys.executable))


def test_the_environment_does_not_remove_itself(monkeypatch):
    monkeypatch.setattr(environment, "is_inside", lambda root: True)
    with pytest.raises(Stop, match="deactivate"):
        environment.create(ROOT)


def test_enter_runs_the_same_command_inside(monkeypatch):
    ran = []
    monkeypatch.setattr(environment, "ensure", lambda level: True)
    monkeypatch.setattr(environment, "is_inside", lambda: False)
    monkeypatch.setattr(sys, "argv", ["tools", "book", "-x"])
    monkeypatch.setattr(
        subprocess,
        "run",
        lambda command, **_: (
            ran.append(command) or subprocess.CompletedProcess(command, 7)
        ),
    )
    with pytest.raises(SystemExit) as caught:
        environment.enter("site")
    assert caught.value.code == 7
    assert ran[0][1:] == ["-m", "tools", "book", "-x"]
    assert ".venv" in ran[0][0]


@pytest.mark.parametrize("version", ["2.11.0", "2.12.1+cu129", "2.13.0+cpu"])
def test_accepted_torch_stays(version, tmp_path):
    (tmp_path / f"torch-{version}.dist-info").mkdir()
    assert installed_torch(tmp_path) == version
    pins = (ROOT / "constraints.txt").read_text("utf-8")
    text = constraints_text(pins, version)
    assert f"\ntorch=={version}\n" in text
    assert text.count("\ntorch==") == 1
    assert "nvidia" not in text
    assert "triton" not in text
    assert "stays" in torch_notice(version, text)


@pytest.mark.parametrize("version", ["", "2.9.1", "2.14.0", "2.13.0a1"])
def test_any_other_torch_gives_way(version):
    pins = (ROOT / "constraints.txt").read_text("utf-8")
    assert constraints_text(pins, version) == pins
    notice = torch_notice(version, pins)
    assert "PyTorch 2.13.0" in notice
    assert "GB" in notice
    assert version in notice


def test_environment_without_torch(tmp_path):
    (tmp_path / "torchvision-0.1.dist-info").mkdir()
    assert installed_torch(tmp_path) == ""
