"""The bundled scripts are what their sources give."""

import re

import pytest

from tools import bundle


def write(folder, **modules):
    for name, text in modules.items():
        (folder / f"{name}.js").write_text(text, "utf-8")
    return folder


def test_committed_bundles_are_in_step():
    assert bundle.stale() == []


def test_bundles_hold_no_address_and_no_module_syntax():
    for path in bundle.BUNDLES:
        text = path.read_text("utf-8")
        addresses = set(re.findall(r"https?://[^\"'\s)]+", text))
        assert addresses <= {"http://www.w3.org/2000/svg"}
        assert not re.search(r"^(import|export)\b", text, re.M)
        assert "</script" not in text


def test_attention_map_stays_small():
    size = len(bundle.bundle("attention-map.js").encode())
    assert size < 10_000, f"{size} bytes travel in every output"


def test_modules_stand_after_what_they_import(tmp_path):
    write(
        tmp_path,
        one='import { two } from "./two.js";\nexport const one = two + 1;\n',
        two="/** Doc. */\nexport const two = 2;\n",
    )
    text = bundle.bundle("one.js", tmp_path)
    assert text.index("const two = 2;") < text.index("const one = two + 1;")
    assert "export" not in text
    assert "Doc." not in text


def test_same_name_twice_is_refused(tmp_path):
    write(
        tmp_path,
        one='import "./two.js";\nconst name = 1;\n',
        two="function name() {}\n",
    )
    with pytest.raises(bundle.BundleError, match=r"name stands in two\.js"):
        bundle.bundle("one.js", tmp_path)


def test_circle_is_refused(tmp_path):
    write(tmp_path, one='import "./two.js";\n', two='import "./one.js";\n')
    with pytest.raises(bundle.BundleError, match="import circle"):
        bundle.bundle("one.js", tmp_path)


def test_unknown_syntax_is_refused(tmp_path):
    write(tmp_path, one="export default 3;\n")
    with pytest.raises(bundle.BundleError, match="export default 3"):
        bundle.bundle("one.js", tmp_path)
