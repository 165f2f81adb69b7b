"""Masks built in the page: equal to Python's, and moved by the keyboard."""

import pytest
import torch

from bertbook.masks import (
    as_ignored,
    causal_mask,
    combine_masks,
    cross_mask,
    padding_mask,
)
from tests.site.gates import accessible, settle, watch
from tests.site.test_elements import page_with
from tools.site import ROOT

pytestmark = pytest.mark.browser
TAG = "<mask-builder></mask-builder>"


def element(page, folder, tag=TAG):
    """Open a page with the element, and return its line of live text."""
    script = (ROOT / "book/static/explorables.bundle.js").read_text("utf-8")
    settle(page, page_with(folder, f"{tag}<script>{script}</script>"))
    return page.locator("mask-builder [aria-live=polite]")


def shown(page) -> list[list[int]]:
    """Return the table as the page shows it."""
    return [
        [int(cell.inner_text()) for cell in row.locator("td").all()]
        for row in page.locator("mask-builder tbody tr").all()
    ]


@pytest.mark.parametrize(
    ("source", "target"),
    [((3, 4), (3, 3)), ((7, 13), (2, 7)), ((1, 1), (1, 2))],
)
def test_masks_agree_with_python(page, serve, source, target):
    rows = {"source": source, "target": target}
    real = {
        name: padding_mask(torch.tensor([length]), width)
        for name, (length, width) in rows.items()
    }
    with serve(ROOT / "explorables") as home:
        page.goto(f"{home}/math.js")
        found = page.evaluate(
            "async ([s, t]) => (await import('/math.js')).masks(s, t)",
            [real["source"][0].tolist(), real["target"][0].tolist()],
        )
    width = target[1]
    decoder = combine_masks(causal_mask(width)[None], real["target"][:, None])
    assert found == {
        "encoder": real["source"].expand(source[1], -1).tolist(),
        "decoder": decoder[0].tolist(),
        "cross": cross_mask(real["target"], real["source"])[0].tolist(),
    }


def test_it_shows_the_chapters_three_masks(page, tmp_path):
    element(page, tmp_path)
    assert shown(page) == [[1, 1, 1, 0]] * 4
    page.get_by_role("button", name="decoder").click()
    assert shown(page) == causal_mask(3).int().tolist()
    page.get_by_role("button", name="cross").click()
    assert shown(page) == [[1, 1, 1, 0]] * 3
    page.get_by_label("True means").check()
    kept = padding_mask(torch.tensor([3]), 4).expand(3, 4)
    assert shown(page) == as_ignored(kept).int().tolist()


def test_cells_by_keyboard(page, tmp_path):
    problems = watch(page, "file:")
    live = element(page, tmp_path)
    assert "“You” may ask “You”. It may ask 3 of 4." in live.inner_text()
    page.get_by_role("button", name="decoder").press("Enter")
    page.get_by_role("button", name="<s> may ask <s>").focus()
    page.keyboard.press("ArrowUp")  # there is no row above
    page.keyboard.press("ArrowRight")
    live.filter(has_text="may not ask “De”: that word comes later").wait_for()
    page.keyboard.press("ArrowDown")
    live.filter(has_text="“De” may ask “De”. It may ask 2 of 3.").wait_for()
    assert live.inner_text().endswith("Written as in this book: 1 1 0.")
    assert page.locator("mask-builder td button[tabindex='0']").count() == 1
    assert problems == []


def test_other_words(page, tmp_path):
    live = element(page, tmp_path)
    page.get_by_label("Target").fill("<s> I am [PAD]")
    page.get_by_role("button", name="cross").click()
    assert shown(page) == [[1, 1, 1, 0]] * 3 + [[0] * 4]
    page.get_by_role("button", name="[PAD] may not ask You").click()
    live.filter(has_text="is a pad: it asks nothing").wait_for()
    page.get_by_role("button", name="decoder").click()
    assert shown(page)[3] == [1, 1, 1, 0]
    page.get_by_label("Target").fill("")
    assert shown(page) == [[0]]
    page.get_by_label("Target").fill("a b c d e f g h i j")
    assert len(shown(page)) == 8


def test_words_cannot_become_markup(page, tmp_path):
    element(page, tmp_path)
    page.get_by_label("Source").fill("<img/src=x> <b>")
    assert page.locator("mask-builder img, mask-builder td b").count() == 0
    assert page.get_by_role("columnheader", name="<b>").is_visible()


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_is_accessible_and_fits(page, tmp_path, width, scheme):
    page.set_viewport_size({"width": width, "height": 900})
    page.emulate_media(color_scheme=scheme)
    element(page, tmp_path)
    page.get_by_role("button", name="cross").click()
    assert accessible(page) == []
    wide = "document.documentElement.scrollWidth > innerWidth"
    assert not page.evaluate(wide)


def test_it_stays_small():
    size = (ROOT / "explorables/mask-builder.js").stat().st_size
    assert size < 7_500
