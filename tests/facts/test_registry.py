"""book/facts.yml keeps its form, and every entry has what it promises."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest
import yaml
from pybtex.database import parse_file

ROOT = Path(__file__).resolve().parents[2]
ENTRIES = yaml.safe_load((ROOT / "book/facts.yml").read_text("utf-8"))
BY_ID = {entry["id"]: entry for entry in ENTRIES}
FIELDS = {"id", "chapters", "title", "kind"}
FIELDS |= {"lecture", "correct", "source", "test"}
KINDS = {"wrong", "imprecise", "garbled", "outdated", "published"}
OWED = {
    "01": {"F-01", "F-05", "F-06", "F-07"},
    "02": {f"F-{number}" for number in range(10, 18)},
    "04": {f"F-{number}" for number in (20, 21, 22, 23, 24, 27, 28, 29)}
    | {"F-30", "F-31", "F-37", "F-40", "F-72"},
    "06": {"F-03", "F-04", "F-23", "F-26", "F-125"}
    | {f"F-{number}" for number in range(41, 49)},
    "07": {
        f"F-{number:02}"
        for number in (2, 8, 9, 49, 50, 51, 52, 53, 54, 55, 57, 96, 128)
    },
    "08": {"F-37", "F-61", "F-84", "F-96", "F-119"},
    "09": {f"F-{number}" for number in (32, 63, 64, 65, 66, 69, 70, 131)},
    "10": {"F-49", "F-58", "F-67", "F-68"},
    "11": {"F-62", "F-64", "F-65", "F-71", "F-73", "F-135"},
}
"""What the chapters that stand owe their readers: none may be dropped."""

every_entry = pytest.mark.parametrize("entry", ENTRIES, ids=list(BY_ID))


@cache
def sources():
    """Return the text of every chapter's source, by its number."""
    return {
        path.name[:2]: path.read_text("utf-8")
        for path in sorted((ROOT / "chapters").glob("[0-9][0-9]_*.py"))
    }


@cache
def references():
    return parse_file(str(ROOT / "book/references.bib")).entries


def boxes(text):
    """Return the facts a source shows, in order: lines `# @fact F-11`."""
    return re.findall(r"^# @fact (\S+)[ \t]*$", text, re.MULTILINE)


def test_ids_are_unique_and_in_order():
    ids = [entry["id"] for entry in ENTRIES]
    assert len(ids) == len(set(ids))
    assert all(re.fullmatch(r"F-\d{2,3}", each) for each in ids)
    assert ids == sorted(ids, key=lambda each: int(each[2:]))


@every_entry
def test_an_entry_has_all_fields_and_no_other(entry):
    assert set(entry) == FIELDS
    assert entry["kind"] in KINDS
    assert entry["chapters"], "an entry belongs to a chapter or an appendix"
    for name in ("title", "lecture", "correct"):
        assert entry[name] == entry[name].strip() != ""
    assert entry["lecture"].endswith("."), "a claim is a sentence"
    assert entry["correct"].endswith("."), "a correction is a sentence"


@every_entry
def test_an_entry_names_its_source_and_the_place_in_it(entry):
    assert entry["source"]
    for source in entry["source"]:
        assert set(source) == {"key", "where"}
        assert source["key"] in references()
        assert source["where"].strip()


@every_entry
def test_the_test_of_an_entry_exists(entry):
    path, _, name = entry["test"].partition("::")
    assert name == f"test_f{entry['id'][2:]}"
    assert Path(path).parent.as_posix() == "tests/facts"
    tree = ast.parse((ROOT / path).read_text("utf-8"))
    found = {
        node.name: node
        for node in tree.body
        if isinstance(node, ast.FunctionDef)
    }
    assert name in found, f"{path} has no {name}"
    checks = [
        node for node in ast.walk(found[name]) if isinstance(node, ast.Assert)
    ]
    assert checks, f"{name} asserts nothing"


@every_entry
def test_every_chapter_an_entry_names_can_exist(entry):
    for chapter in entry["chapters"]:
        assert re.fullmatch(r"[01]\d|20|[A-D]", chapter)
        if chapter.isdigit() and chapter <= max(sources(), default=""):
            assert chapter in sources(), f"there is no chapter {chapter}"


@pytest.mark.parametrize("chapter", sorted(OWED))
def test_no_entry_of_a_chapter_is_dropped(chapter):
    kept = {e["id"] for e in ENTRIES if chapter in e["chapters"]}
    assert OWED[chapter] <= kept


@pytest.mark.parametrize("chapter", sorted(sources()))
def test_a_chapter_shows_each_of_its_entries_once(chapter):
    assigned = [e["id"] for e in ENTRIES if chapter in e["chapters"]]
    shown = sorted(boxes(sources()[chapter]), key=lambda each: int(each[2:]))
    assert shown == assigned


@pytest.mark.parametrize("chapter", sorted(sources()))
def test_a_runnable_check_follows_each_box(chapter):
    """Between a box and the next one, or the end, stands code."""
    cells = re.split(r"^# %%", sources()[chapter], flags=re.MULTILINE)
    waiting = ""
    for cell in cells[1:]:
        if "[markdown]" not in cell.splitlines()[0]:
            waiting = ""
        for fact in boxes(cell):
            assert not waiting, f"no code cell after {waiting}"
            waiting = fact
    assert not waiting, f"no code cell after {waiting}"


def test_no_reference_is_incomplete():
    for key, entry in references().items():
        assert entry.persons.get("author"), f"{key} has no author"
        assert entry.fields.get("title"), f"{key} has no title"
        if "eprint" in entry.fields:
            address = f"https://arxiv.org/abs/{entry.fields['eprint']}"
            assert entry.fields["url"] == address


def test_an_arxiv_number_agrees_with_the_year():
    """A paper is never published before its number was given out."""
    for key, entry in references().items():
        number = re.fullmatch(
            r"(\d\d)\d\d\.\d+", entry.fields.get("eprint", "")
        )
        if number:
            year = int(entry.fields["year"])
            given = 2000 + int(number[1])
            assert given <= year <= given + 3, key


def test_references_are_in_order():
    keys = list(references())
    assert keys == sorted(keys)
