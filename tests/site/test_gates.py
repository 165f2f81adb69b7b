"""The gates fail when a fault is planted in a copy of a page."""

import shutil

import pytest

from tests.site.gates import broken_links, examine

pytestmark = pytest.mark.browser

PAGE = "book/setup.html"
FAULTS = {
    "foreign script": (
        '<script src="https://example.org/a.js"></script>',
        "foreign request https://example.org/a.js",
    ),
    "foreign font": (
        "<style>@font-face{font-family:x;src:url(https://example.org/a.woff)}"
        "body{font-family:x!important}</style>",
        "foreign request https://example.org/a.woff",
    ),
    "console error": (
        "<script>console.error('planted')</script>",
        "console error planted",
    ),
    "page error": (
        "<script>throw new Error('planted')</script>",
        "page error planted",
    ),
    "missing picture": (
        '<img src="nowhere.png" alt="A picture">',
        "missing picture nowhere.png",
    ),
    "missing alternative text": (
        '<img src="../_static/logo.svg">',
        "picture without alternative text ../_static/logo.svg",
    ),
    "low contrast": (
        '<p style="color:#bbb;background:#ccc">Hard to read</p>',
        "axe in light: color-contrast",
    ),
    "a field without a name": ("<input>", "axe in dark: label"),
    "wide": (
        '<div style="width:900px">Wide</div>',
        "px wide on a screen of 390 px",
    ),
}


@pytest.fixture(scope="module")
def copy(folder, tmp_path_factory):
    target = tmp_path_factory.mktemp("planted") / "html"
    shutil.copytree(folder, target)
    return target


def plant(copy, fault: str, label: str) -> str:
    text = (copy / PAGE).read_text("utf-8")
    name = f"book/{label.replace(' ', '-')}.html"
    assert "</article>" in text
    faulty = text.replace("</article>", f"{fault}</article>", 1)
    (copy / name).write_text(faulty, "utf-8")
    return name


@pytest.mark.parametrize("label", FAULTS)
def test_planted_fault_is_found(browser, serve, copy, label):
    fault, expected = FAULTS[label]
    name = plant(copy, fault, label)
    with serve(copy) as home:
        problems = examine(browser, home, name, whole=True)
    assert any(expected in problem for problem in problems), problems


@pytest.mark.parametrize("label", ["foreign script", "missing picture"])
def test_planted_fault_is_found_on_disk(browser, copy, label):
    fault, expected = FAULTS[label]
    name = plant(copy, fault, f"disk {label}")
    problems = examine(browser, copy.as_uri(), name, whole=False)
    assert any(expected in problem for problem in problems), problems


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ('<a href="nowhere.html">x</a>', "broken link nowhere.html"),
        ('<a href="#nowhere">x</a>', "broken anchor #nowhere"),
        ('<a href="index.html#no">x</a>', "broken anchor index.html#no"),
        ('<img src="no.png" alt="x">', "broken link no.png"),
    ],
)
def test_broken_link_is_found(copy, fault, expected):
    name = plant(copy, fault, expected.replace("/", ""))
    assert expected in broken_links(copy, name)
    assert broken_links(copy, PAGE) == []
