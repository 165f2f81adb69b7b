"""The builder of the site: only when needed, and loud when it fails."""

import shutil

import pytest

from tools import site


@pytest.fixture
def book(tmp_path):
    """A book of one page with the real settings that matter here."""
    (tmp_path / "_config.yml").write_text(
        "title: Small\nonly_build_toc_files: true\n"
        "execute: {execute_notebooks: 'off'}\n",
        "utf-8",
    )
    (tmp_path / "_toc.yml").write_text("format: jb-book\nroot: index\n")
    (tmp_path / "index.md").write_text("# Small\n\nText.\n", "utf-8")
    (tmp_path / "book").mkdir()
    return tmp_path


def test_builds_once_then_only_after_a_change(book, monkeypatch, capsys):
    html = site.build(strict=True, root=book)
    assert (html / "index.html").exists()
    assert (html / site.ARCHIVE).exists()
    assert "index.html" in capsys.readouterr().out

    def forbidden(strict, root):
        raise AssertionError("built again")

    monkeypatch.setattr(site, "_run_sphinx", forbidden)
    site.build(strict=True, root=book)
    assert "up to date" in capsys.readouterr().out
    (book / "book" / "new.md").write_text("# New\n", "utf-8")
    with pytest.raises(AssertionError, match="built again"):
        site.build(strict=True, root=book)


def test_a_warning_fails_the_strict_build_only(book):
    (book / "index.md").write_text("# Small\n\n[x](nowhere.md)\n", "utf-8")
    with pytest.raises(site.SiteError, match=r"index\.md:3.*nowhere\.md"):
        site.build(strict=True, root=book)
    assert not (book / "_build" / "site.json").exists()
    assert (site.build(strict=False, root=book) / "index.html").exists()


def test_missing_tools_say_how_to_get_them(book, monkeypatch):
    monkeypatch.setattr(site, "PACKAGES", ("no-such-package",))
    with pytest.raises(site.SiteError, match=r"requirements-site\.txt"):
        site.build(strict=True, root=book)


def test_every_input_counts(book):
    before = site.fingerprint(True, book)
    assert site.fingerprint(False, book) != before
    (book / "chapters").mkdir()
    shutil.copy(book / "index.md", book / "chapters" / "notes.txt")
    assert site.fingerprint(True, book) == before
    (book / "chapters" / "00_a.yml").write_text("quiz: []\n", "utf-8")
    assert site.fingerprint(True, book) != before
