"""The stripes of the sinusoid: equal to Python, and moved by the keyboard."""

import pytest

from bertbook.positions import sinusoidal_positions
from tests.site.gates import accessible, settle, watch
from tests.site.test_elements import page_with
from tools.site import ROOT

pytestmark = pytest.mark.browser


def element(page, folder, tag="<pos-encoding></pos-encoding>"):
    """Open a page with the element, and return its line of live text."""
    script = (ROOT / "book/static/explorables.bundle.js").read_text("utf-8")
    settle(page, page_with(folder, f"{tag}<script>{script}</script>"))
    return page.locator("pos-encoding [aria-live=polite]")


@pytest.mark.parametrize(
    "sizes", [(4, 4, 100), (50, 128, 10_000), (7, 26, 37)]
)
def test_positions_agree_with_python(page, serve, sizes):
    length, d, n = sizes
    with serve(ROOT / "explorables") as home:
        page.goto(f"{home}/math.js")
        found = page.evaluate(
            "async (sizes) => (await import('/math.js')).positions(...sizes)",
            list(sizes),
        )
    expected = sinusoidal_positions(length, d, float(n)).tolist()
    assert len(found) == length
    for row, wanted in zip(found, expected, strict=True):
        assert row == pytest.approx(wanted, abs=1e-6)


def test_sliders_by_keyboard(page, tmp_path):
    problems = watch(page, "file:")
    live = element(page, tmp_path)
    live.filter(has_text="d = 4, n = 100: most similar to").wait_for()
    assert "position 6, dot product 1.786 of 2." in live.inner_text()
    assert "neighbor 1 has 1.535" in live.inner_text()
    page.get_by_label("Compare with position").press("ArrowRight")
    live.filter(has_text="most similar to position 1 is").wait_for()
    page.get_by_label("Width d").press("End")
    live.filter(has_text="d = 128").wait_for()
    page.get_by_label("n", exact=True).press("End")
    live.filter(has_text="n = 100,000").wait_for()
    assert "of 64." in live.inner_text()
    assert page.locator("pos-encoding canvas").get_attribute("width") == "128"
    assert problems == []


def test_it_starts_where_it_is_told(page, tmp_path):
    tag = "<pos-encoding d='2' n='10' position='49'></pos-encoding>"
    live = element(page, tmp_path, tag)
    live.filter(
        has_text="d = 2, n = 10: most similar to position 49"
    ).wait_for()
    assert "position 5," in live.inner_text()


@pytest.mark.parametrize("width", [390, 1280])
def test_it_is_accessible_and_fits(page, tmp_path, width):
    page.set_viewport_size({"width": width, "height": 900})
    element(page, tmp_path)
    assert accessible(page) == []
    wide = "document.documentElement.scrollWidth > innerWidth"
    assert not page.evaluate(wide)


def test_it_stays_small():
    size = (ROOT / "explorables/pos-encoding.js").stat().st_size
    assert size < 6_000
