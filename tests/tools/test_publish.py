"""`make publish`: both states, in a copy of the book."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tools import publish
from tools.stop import Stop

ROOT = Path(__file__).parents[2]
URL = "https://github.com/our-org/our.book_1"
PARTS = (
    "_config.yml",
    "benchmarks",
    "bertbook",
    "book",
    "chapters",
    "exercises",
    "pyproject.toml",
    "requirements-colab.txt",
    "requirements-data.txt",
    "requirements.txt",
    "constraints.txt",
    "results",
    "solutions",
    "tools",
)
CALL = """
import sys
from tools import publish
publish.require_in_step()
root, remake = publish.environment.ROOT, publish.remake_notebooks
publish.publish(root, *sys.argv[1:], remake)
"""


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """A copy of what publishing reads and writes."""
    target = tmp_path_factory.mktemp("checkout")
    ignore = shutil.ignore_patterns("__pycache__", ".ipynb_checkpoints")
    for name in PARTS:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, target / name, ignore=ignore)
        elif (ROOT / name).is_file():
            shutil.copy(ROOT / name, target / name)
    return target


def call(copy, url, tag):
    return subprocess.run(
        [sys.executable, "-c", CALL, url, tag],
        cwd=copy,
        capture_output=True,
        text=True,
        check=False,
    )


def run(copy, url, tag):
    done = call(copy, url, tag)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def notebooks(copy):
    found = [
        path
        for folder in ("chapters", "exercises", "solutions")
        for path in sorted((copy / folder).glob("*.ipynb"))
    ]
    assert found
    return found


def code_and_outputs(path):
    """Return the cells that run, without the set-up cell (the first)."""
    cells = json.loads(path.read_text("utf-8"))["cells"]
    return [cell for cell in cells if cell["cell_type"] == "code"][1:]


def test_both_states(copy):
    before = {path: path.read_bytes() for path in notebooks(copy)}
    outputs = {path: code_and_outputs(path) for path in before}
    assert not any(b"colab.research" in text for text in before.values())

    assert f"{URL} at v1.2" in run(copy, URL, "v1.2")
    for path in notebooks(copy):
        text = path.read_text("utf-8")
        place = f"our-org/our.book_1/blob/v1.2/{path.relative_to(copy)}"
        assert f"colab.research.google.com/github/{place}" in text
        assert f"kernels/welcome?src=https://github.com/{place}" in text
        assert f"{URL}/archive/v1.2.zip" in text
        assert code_and_outputs(path) == outputs[path]
    settings = yaml.safe_load((copy / "_config.yml").read_text("utf-8"))
    assert settings["repository"]["url"] == URL
    assert settings["repository"]["branch"] == "v1.2"

    run(copy, "", "main")
    assert {path: path.read_bytes() for path in notebooks(copy)} == before


def test_a_notebook_out_of_step_changes_nothing(copy):
    config = (copy / "_config.yml").read_bytes()
    source = next(iter(sorted((copy / "chapters").glob("[0-9]*.py"))))
    before = source.read_text("utf-8")
    states = {path: path.read_bytes() for path in notebooks(copy)}
    source.write_text(before + "\n# %%\nprint(1)\n", "utf-8")
    try:
        done = call(copy, URL, "v1.2")
    finally:
        source.write_text(before, "utf-8")
    assert done.returncode == 1
    assert "run `make notebooks` first" in done.stderr
    assert (copy / "_config.yml").read_bytes() == config
    assert {path: path.read_bytes() for path in notebooks(copy)} == states


def test_the_book_here_is_not_published():
    settings = yaml.safe_load((ROOT / "_config.yml").read_text("utf-8"))
    assert settings["repository"]["url"] == ""


@pytest.mark.parametrize(
    "url",
    [
        "",
        "our-org/our-book",
        "http://github.com/a/b",
        "https://github.com/a",
        "https://github.com/a/b/tree/main",
        "https://github.com/-a/b",
        "https://gitlab.com/a/b",
        "https://github.com.evil.example/a/b",
        "https://github.com/a/b?x=1",
        'https://github.com/a/b"',
        "https://github.com/a/b c",
        "git@github.com:a/b.git",
    ],
)
def test_malformed_addresses_are_refused(url):
    with pytest.raises(Stop, match=r"must read https://github\.com/ORG/REPO"):
        publish.checked_address(url)


@pytest.mark.parametrize("tail", ["", "/", ".git"])
def test_usual_spellings_are_one_address(tail):
    assert publish.checked_address(URL + tail) == URL


def test_tags():
    assert publish.checked_tag(None).startswith("v0.")
    assert publish.checked_tag("v1.0-rc.1") == "v1.0-rc.1"
    for tag in ("", "a b", "-x", "a..b", "v1\n"):
        with pytest.raises(Stop, match="not a tag"):
            publish.checked_tag(tag)


def test_only_the_two_values_change():
    before = (ROOT / "_config.yml").read_text("utf-8")
    after = publish.with_repository(before, URL, "v2")
    changed = [
        new
        for old, new in zip(
            before.splitlines(), after.splitlines(), strict=True
        )
        if old != new
    ]
    assert [line.split(":")[0].strip() for line in changed] == [
        "url",
        "branch",
    ]
    assert publish.with_repository(after, "", "main") == (
        publish.with_repository(before, "", "main")
    )


def test_settings_without_the_block_are_named():
    with pytest.raises(Stop, match="no `url:` under `repository:`"):
        publish.with_repository("title: x\nurl: elsewhere\n", URL, "v1")


def test_a_failed_remake_restores_the_settings(tmp_path):
    config = tmp_path / "_config.yml"
    text = 'repository:\n  url: ""\n  branch: main\n'
    config.write_text(text)

    def fail():
        assert URL in config.read_text()
        raise Stop("no")

    with pytest.raises(Stop):
        publish.publish(tmp_path, URL, "v1", fail)
    assert config.read_text() == text
