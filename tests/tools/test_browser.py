"""Which browser the site's tests drive."""

import shutil

from tools import browser


def test_the_named_one_comes_first(monkeypatch, tmp_path):
    program = tmp_path / "my-chrome"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.setenv("CHROMIUM", str(program))
    assert browser.find_browser() == str(program)


def test_a_named_one_that_is_not_there_is_no_other(monkeypatch, tmp_path):
    monkeypatch.setenv("CHROMIUM", str(tmp_path / "nowhere"))
    assert browser.find_browser() is None


def test_path_then_usual_places(monkeypatch, tmp_path):
    monkeypatch.delenv("CHROMIUM", raising=False)
    monkeypatch.setattr(
        shutil, "which", lambda name: f"/x/{name}" if "goog" in name else None
    )
    assert browser.find_browser() == "/x/google-chrome"
    monkeypatch.setattr(shutil, "which", lambda name: None)
    place = tmp_path / "chrome"
    monkeypatch.setattr(browser, "PLACES", (str(place),))
    assert browser.find_browser() is None
    place.write_text("")
    assert browser.find_browser() == str(place)
