"""The interactive parts: by keyboard, by touch, and equal to Python."""

import math
import random

import numpy as np
import pytest

from bertbook.attention_map import attention_map, encode
from tests.site.gates import AXE, accessible, settle, watch
from tools.site import ROOT

pytestmark = pytest.mark.browser

TOKENS = ["the", "animal", "slept", "it", "was", "tired"]


def example_map(**choices):
    """Return two layers of three heads; 'it' looks at 'animal' in 1, 2."""
    weights = np.full((2, 3, 6, 6), 1 / 6)
    weights[1, 2, 3] = [0.05, 0.62, 0.05, 0.2, 0.05, 0.03]
    return attention_map(TOKENS, weights, **choices)


def page_with(folder, body: str) -> str:
    text = (
        "<!doctype html><html lang='en'><head><meta charset='utf-8'>"
        f"<title>Test</title></head><body><main><h1>Test</h1>{body}</main>"
        "</body></html>"
    )
    (folder / "page.html").write_text(text, "utf-8")
    return (folder / "page.html").as_uri()


def first_page_with(folder, text: str) -> str:
    for path in sorted((folder / "chapters").glob("*.html")):
        if text in path.read_text("utf-8"):
            return path.relative_to(folder).as_posix()
    return pytest.fail(f"no chapter shows {text}")


def softmax(values):
    top = max(values)
    powers = [math.exp(value - top) for value in values]
    return [power / sum(powers) for power in powers]


@pytest.mark.parametrize("size", [1, 7, 13, 37])
def test_softmax_agrees_with_python(page, serve, size):
    draw = random.Random(size)
    values = [draw.uniform(-900, 900) for _ in range(size)]
    values += [draw.gauss(0, 1) for _ in range(size)]
    with serve(ROOT / "explorables") as home:
        page.goto(f"{home}/math.js")
        found = page.evaluate(
            "async (values) => (await import('/math.js')).softmax(values)",
            values,
        )
    assert found == pytest.approx(softmax(values), abs=1e-6)


@pytest.mark.parametrize("copies", [1, 4, 64])
def test_attend_agrees_with_python(page, serve, copies):
    draw = random.Random(copies)
    query = [draw.gauss(0, 1) for _ in range(2)]
    keys = [[draw.gauss(0, 1) for _ in range(2)] for _ in range(3)]
    scores = [
        copies * sum(q * k for q, k in zip(query, key, strict=True))
        for key in keys
    ]
    scaled = [score / math.sqrt(2 * copies) for score in scores]
    with serve(ROOT / "explorables") as home:
        page.goto(f"{home}/math.js")
        found = page.evaluate(
            "async ([q, k, n]) => (await import('/math.js')).attend(q, k, n)",
            [query, keys, copies],
        )
    assert found["size"] == 2 * copies
    assert found["scores"] == pytest.approx(scores, abs=1e-6)
    assert found["scaled"] == pytest.approx(scaled, abs=1e-6)
    assert found["weights"] == pytest.approx(softmax(scaled), abs=1e-6)
    assert found["raw"] == pytest.approx(softmax(scores), abs=1e-6)


def test_weights_survive_their_writing(page, serve):
    weights = np.random.default_rng(0).random(37 * 13)
    with serve(ROOT / "explorables") as home:
        page.goto(f"{home}/math.js")
        found = page.evaluate(
            "async (text) => "
            "(await import('/attention-map.js')).decodeWeights(text)",
            encode(weights),
        )
    assert found == pytest.approx(weights.tolist(), abs=1 / 8190 + 1e-9)


def test_attention_map_by_keyboard(page, tmp_path):
    problems = watch(page, "file:")
    settle(page, page_with(tmp_path, example_map()._repr_html_()))
    page.get_by_label("Layer").focus()
    page.keyboard.press("ArrowDown")
    page.get_by_label("Head").focus()
    page.keyboard.press("End")
    for _ in range(3):
        page.keyboard.press("Tab")
    for _ in range(3):
        page.keyboard.press("ArrowDown")
    live = page.locator("attention-map [aria-live=polite]")
    expected = "“it” attends most to “animal” 0.62, then to “it” 0.20 and"
    live.filter(has_text=expected).wait_for()
    page.get_by_role("button", name="Lines").press("Enter")
    assert page.locator("attention-map line.on").count() == 6
    assert expected in live.inner_text()
    page.keyboard.press("Tab")
    page.keyboard.press("End")
    live.filter(has_text="“tired” attends most to").wait_for()
    assert problems == []


@pytest.mark.parametrize("view", ["Matrix", "Lines"])
def test_attention_map_is_accessible(page, tmp_path, view):
    settle(page, page_with(tmp_path, example_map()._repr_html_()))
    page.get_by_role("button", name=view).click()
    assert AXE.exists()
    assert accessible(page) == []


def test_attention_map_in_a_sandboxed_frame(page, tmp_path):
    from html import escape

    inner = escape(example_map(layer=1, head=2)._repr_html_())
    frame = f'<iframe title="x" sandbox="allow-scripts" srcdoc="{inner}">'
    settle(page, page_with(tmp_path, frame + "</iframe>"))
    inside = page.frame_locator("iframe")
    inside.get_by_role("button", name="it", exact=True).click()
    inside.get_by_text("“it” attends most to “animal” 0.62").wait_for()


def test_attention_map_without_scripts(browser, tmp_path):
    with browser.new_context(java_script_enabled=False) as context:
        page = context.new_page()
        html = example_map(layer=1, head=2)._repr_html_()
        page.goto(page_with(tmp_path, html))
        assert page.get_by_role("cell", name="0.62").is_visible()
        assert "layer 1, head 2" in page.locator("caption").inner_text()


def test_query_and_keys_by_keyboard_and_pointer(page, tmp_path, folder):
    script = (folder / "_static" / "explorables.bundle.js").read_text("utf-8")
    body = f"<qk-explorer></qk-explorer><script>{script}</script>"
    problems = watch(page, "file:")
    settle(page, page_with(tmp_path, body))
    query = page.get_by_role("button", name="query q")
    before = query.get_attribute("aria-label")
    query.press("ArrowLeft")
    page.get_by_role("button", name="query q at 1.1, 1.1").wait_for()
    live = page.locator("qk-explorer [aria-live=polite]")
    page.get_by_label("dₖ").select_option("128")
    live.filter(has_text="dₖ = 128").wait_for()
    box = query.bounding_box()
    page.mouse.move(box["x"] + 8, box["y"] + 8)
    page.mouse.down()
    page.mouse.move(box["x"] + 8, box["y"] + 60)
    page.mouse.up()
    assert query.get_attribute("aria-label") != before
    assert accessible(page) == []
    assert problems == []


def test_quiz_by_keyboard(page, address, folder):
    name = first_page_with(folder, "<quiz-item")
    settle(page, f"{address}/{name}")
    quiz = page.locator("quiz-item").first
    right = quiz.locator(".quiz-option[data-correct=true] input")
    wrong = quiz.locator(".quiz-option[data-correct=false] input").first
    for choice, verdict in ((wrong, "Not this one"), (right, "Right")):
        choice.focus()
        page.keyboard.press("Space")
        page.keyboard.press("Enter")
        feedback = quiz.locator(".quiz-feedback")
        feedback.filter(has_text=verdict).wait_for()
        assert len(feedback.inner_text()) > len(verdict) + 5
    assert accessible(page) == []
    page.reload(wait_until="load")
    quiz.locator(".verdict.right").wait_for()
    assert right.is_checked()


def test_progress_is_ticked_saved_and_forgotten(page, address, folder):
    name = first_page_with(folder, "<reading-progress")
    settle(page, f"{address}/{name}")
    page.get_by_label("I have read this chapter").check()
    tick = page.locator(".bd-sidebar-primary .tick")
    assert tick.count() == 1
    with page.expect_download() as download:
        page.get_by_role("button", name="Save to a file").click()
    kept = download.value.path()
    page.on("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="Forget all").click()
    tick.wait_for(state="detached")
    page.locator("reading-progress input[type=file]").set_input_files(
        {
            "name": "progress.json",
            "mimeType": "application/json",
            "buffer": kept.read_bytes(),
        }
    )
    tick.wait_for()
    assert page.get_by_label("I have read this chapter").is_checked()


@pytest.mark.parametrize("place", ["server", "disk"])
def test_search_finds_a_word(page, address, folder, place):
    home = address if place == "server" else folder.as_uri()
    problems = watch(page, home)
    settle(page, f"{home}/book/index.html")
    page.wait_for_load_state("networkidle")  # nothing is cut off by leaving
    page.keyboard.press("Control+k")
    page.keyboard.type("attention")
    page.keyboard.press("Enter")
    page.wait_for_url("**/search.html?q=attention*")
    hit = page.locator("#search-results li a").first
    hit.wait_for()
    page.wait_for_load_state("networkidle")  # the excerpts have come
    hit.click()
    page.wait_for_url(lambda url: "search.html" not in url)
    assert "attention" in page.locator("main").inner_text().casefold()
    assert problems == []


def test_glossary_term_shows_its_card(page, address, folder):
    name = first_page_with(folder, "term-link")
    settle(page, f"{address}/{name}")
    link = page.locator("a.term-link").first
    link.focus()
    card = page.locator(".tippy-box")
    card.wait_for()
    assert len(card.inner_text()) > 20
    page.set_viewport_size({"width": 1280, "height": 900})
    link.click()
    page.wait_for_url("**/book/glossary.html#term-*")


def test_glossary_works_without_its_script(browser, folder, address):
    name = first_page_with(folder, "term-link")
    with browser.new_context() as context:
        page = context.new_page()
        problems: list[str] = []
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.route("**/tippy-bundle*", lambda route: route.abort())
        settle(page, f"{address}/{name}")
        title = page.locator("a.term-link").first.get_attribute("title")
        assert title
        assert problems == []
