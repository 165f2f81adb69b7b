"""Every page: nothing foreign, nothing broken, for every reader."""

from pathlib import Path

import pytest
import yaml

from tests.site.gates import broken_links, examine
from tools.site import ROOT

pytestmark = pytest.mark.browser


def pages_of(toc: dict) -> list[str]:
    """Return the pages a table of contents names, in its order."""
    entries = [{"file": toc["root"]}]
    waiting = [
        chapter for part in toc["parts"] for chapter in part["chapters"]
    ]
    while waiting:
        entry = waiting.pop(0)
        entries.append(entry)
        waiting[:0] = entry.get("sections", [])
    return [f"{entry['file']}.html" for entry in entries]


TOC = yaml.safe_load((ROOT / "_toc.yml").read_text("utf-8"))
PAGES = [*pages_of(TOC), "search.html", "genindex.html"]


@pytest.mark.parametrize("name", PAGES)
def test_page_from_a_server(browser, address, name):
    assert examine(browser, address, name, whole=True) == []


@pytest.mark.parametrize("name", PAGES)
def test_page_from_disk(browser, folder, name):
    assert examine(browser, folder.as_uri(), name, whole=False) == []


@pytest.mark.parametrize("name", [*PAGES, "index.html"])
def test_links_lead_somewhere(folder, name):
    assert broken_links(folder, name) == []


def test_no_page_is_left_out(folder: Path):
    found = {
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*.html")
        if not path.is_relative_to(folder / "_static")
    }
    assert found == {*PAGES, "index.html"}


def test_first_page_leads_to_the_book(page, folder):
    page.goto((folder / "index.html").as_uri())
    page.wait_for_url("**/book/index.html")
    assert "From Seq2Seq to BERT" in page.title()


def test_pages_describe_themselves(folder):
    for name in PAGES[:-2]:
        text = (folder / name).read_text("utf-8")
        assert '<meta property="og:title"' in text, name
        assert '<meta name="description"' in text, name


def test_archive_holds_the_site(folder):
    from zipfile import ZipFile

    with ZipFile(folder / "bertbook-site.zip") as archive:
        names = set(archive.namelist())
    assert {f"bertbook-site/{name}" for name in PAGES} <= names


def test_dark_pages_print_in_light_colors(page, folder):
    page.emulate_media(color_scheme="dark")
    page.goto((folder / "book" / "setup.html").as_uri())
    page.evaluate("document.documentElement.dataset.theme = 'dark'")
    theme = "document.documentElement.dataset.theme"
    page.evaluate(
        "window.addEventListener('beforeprint',"
        f" () => {{ window.printed = {theme}; }})"
    )
    page.pdf()
    assert page.evaluate("window.printed") == "light"
    assert page.evaluate(theme) == "dark"
