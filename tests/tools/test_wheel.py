"""The wheel: pure Python, whole, and usable far from the checkout."""

import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tools.stop import Stop
from tools.wheel import build

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    return build(ROOT, tmp_path_factory.mktemp("dist"))


def test_it_holds_the_library_and_the_results(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    for path in (ROOT / "bertbook").rglob("*"):
        if path.is_file() and path.suffix != ".pyc":
            assert path.relative_to(ROOT).as_posix() in names
    for path in (ROOT / "results").glob("*.json"):
        assert f"bertbook/results/{path.name}" in names
    assert not [
        name
        for name in names
        if not re.match(r"bertbook(/|-[\d.]+\.dist-info/)", name)
    ]


def test_it_runs_on_every_system(wheel):
    assert wheel.name.endswith("-py3-none-any.whl")
    assert wheel.stat().st_size < 20_000_000


def test_the_same_files_give_the_same_bytes(wheel, tmp_path):
    assert build(ROOT, tmp_path).read_bytes() == wheel.read_bytes()


def test_an_older_wheel_makes_room(wheel, tmp_path):
    (tmp_path / "bertbook-0.0.1-py3-none-any.whl").write_text("old")
    (tmp_path / "notes.txt").write_text("mine")
    build(ROOT, tmp_path)
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {wheel.name, "notes.txt"}


def test_it_works_far_from_the_checkout(wheel, tmp_path):
    code = (
        "import bertbook, bertbook.attention;"
        "from bertbook.runtime import load_results;"
        "print(bertbook.__file__);"
        "print(len(load_results('01_the_bottleneck')))"
    )
    pip = [sys.executable, "-m", "pip", "install", "-q", "--no-deps"]
    pip += ["--no-index", "--disable-pip-version-check"]
    target = tmp_path / "packages"
    subprocess.run([*pip, "--target", str(target), str(wheel)], check=True)
    start = f"import sys; sys.path.insert(0, {str(target)!r});"
    done = subprocess.run(
        [sys.executable, "-I", "-c", start + code],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    where, rows = done.stdout.splitlines()
    assert where.startswith(str(target))
    assert int(rows) > 0


def test_a_failed_build_is_one_line(tmp_path):
    (tmp_path / "pyproject.toml").write_text("[project\n")
    with pytest.raises(Stop, match="could not be built") as caught:
        build(tmp_path, tmp_path / "dist")
    assert "\n" not in str(caught.value)
