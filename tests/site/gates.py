"""What every page must hold; each gate returns the problems it found."""

import re
from dataclasses import dataclass, field
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

from playwright.sync_api import Browser, Page

AXE = Path(__file__).parent / "vendor" / "axe" / "axe.min.js"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
NARROW = {"width": 390, "height": 844}
WIDE = {"width": 1440, "height": 900}
STILL = "*{transition:none!important;animation:none!important}"
_RUN_AXE = """async (rules) => {
  const found = await axe.run(document,
    {runOnly: rules, preload: false, resultTypes: ["violations"]});
  return found.violations.map((one) => one.id + ": "
    + one.nodes.slice(0, 3).map((node) => node.html.slice(0, 160)));
}"""
_PICTURES = """() => [...document.images].flatMap((image) => {
  const name = image.getAttribute("src");
  const missing = image.complete && !image.naturalWidth;
  const mute = image.closest("main") && !(image.alt || "").trim();
  return [...(missing ? [`missing picture ${name}`] : []),
          ...(mute ? [`picture without alternative text ${name}`] : [])];
})"""


@dataclass
class Parsed(HTMLParser):
    """The anchors of a page, and what it links to."""

    ids: set[str] = field(default_factory=set)
    targets: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(
        self, tag: str, attrs: list[tuple[str, str | None]]
    ) -> None:
        found = dict(attrs)
        self.ids |= {
            found[key] or "" for key in ("id", "name") if key in found
        }
        key = {"a": "href", "link": "href"}.get(tag, "src")
        value = found.get(key)
        if value and found.get("rel") != "canonical":
            self.targets.append(value)


@cache
def parse(path: Path) -> Parsed:
    parsed = Parsed()
    parsed.feed(path.read_text("utf-8"))
    return parsed


def broken_links(folder: Path, name: str) -> list[str]:
    """Return the links of a page that lead nowhere inside the site."""
    here = folder / name
    problems = []
    for target in parse(here).targets:
        parts = urlsplit(target)
        if parts.scheme or parts.netloc:
            continue
        path = (here.parent / unquote(parts.path)).resolve()
        other = here if not parts.path else path
        if not other.is_file():
            problems.append(f"broken link {target}")
        elif (
            parts.fragment
            and other.suffix == ".html"
            and unquote(parts.fragment) not in parse(other).ids
        ):
            problems.append(f"broken anchor {target}")
    return problems


def watch(page: Page, home: str) -> list[str]:
    """Collect what a page asks of others and what goes wrong in it."""
    problems: list[str] = []
    own = (home, "data:", "blob:", "about:")

    def on_request(request) -> None:
        if not request.url.startswith(own):
            problems.append(f"foreign request {request.url}")

    def on_console(message) -> None:
        if message.type == "error":
            problems.append(f"console error {message.text}")

    page.on("request", on_request)
    page.on("console", on_console)
    page.on("pageerror", lambda error: problems.append(f"page error {error}"))
    page.on(
        "requestfailed",
        lambda request: problems.append(f"failed request {request.url}"),
    )
    page.route(
        re.compile(rf"^(?!{re.escape(home)}|data:|blob:|about:)"),
        lambda route: route.abort(),
    )
    return problems


def settle(page: Page, url: str) -> None:
    """Open a page and wait until its formulas are set."""
    page.goto(url, wait_until="load")
    page.evaluate(
        "async () => { if (window.MathJax?.startup?.promise)"
        " await MathJax.startup.promise; }"
    )


def accessible(page: Page) -> list[str]:
    """Return axe-core's findings (WCAG A and AA) in light and in dark."""
    if page.evaluate("typeof axe") == "undefined":
        page.evaluate(AXE.read_text("utf-8"))
    page.add_style_tag(content=STILL)
    problems = []
    for theme in ("light", "dark"):
        page.evaluate(
            "(theme) => { document.documentElement.dataset.theme = theme; }",
            theme,
        )
        found = page.evaluate(_RUN_AXE, RULES)
        problems += [f"axe in {theme}: {one}" for one in found]
    return problems


def overflow(page: Page) -> list[str]:
    """Return how far a page is wider than a phone, if it is."""
    page.set_viewport_size(NARROW)
    wide = page.evaluate("document.documentElement.scrollWidth")
    if wide > NARROW["width"]:
        return [f"{wide} px wide on a screen of {NARROW['width']} px"]
    return []


def examine(
    browser: Browser, home: str, name: str, *, whole: bool
) -> list[str]:
    """Return every problem of one page in the browser.

    Args:
        browser: the browser to open it in.
        home: the address under which the site lies, http or file.
        name: the page's path below it.
        whole: also run axe-core and look at it on a phone.
    """
    with browser.new_context(
        viewport=WIDE, reduced_motion="reduce"
    ) as context:
        page = context.new_page()
        page.set_default_timeout(20_000)
        problems = watch(page, home)
        settle(page, f"{home}/{name}")
        problems += page.evaluate(_PICTURES)
        if whole:
            problems += accessible(page)
            problems += overflow(page)
    return problems
