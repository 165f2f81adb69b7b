"""What a run leaves is cleaned: pictures, errors, timings."""

import base64
import io

from nbformat import v4
from PIL import Image, PngImagePlugin

from tools.notebooks.outputs import clean, pictures


def png(color, **text):
    info = PngImagePlugin.PngInfo()
    for name, value in text.items():
        info.add_text(name, value)
    file = io.BytesIO()
    level = 9 if text else 1
    image = Image.new("RGB", (20, 20), color)
    image.save(file, "png", pnginfo=info, compress_level=level)
    return file.getvalue()


def notebook(*pngs):
    outputs = [
        v4.new_output(
            "display_data",
            {"image/png": base64.b64encode(data).decode()},
            metadata={"image/png": {"alt": "a square"}},
        )
        for data in pngs
    ]
    return v4.new_notebook(cells=[v4.new_code_cell("", outputs=outputs)])


def test_a_picture_that_looks_the_same_keeps_its_bytes():
    before = notebook(png("red"), png("blue"))
    new = notebook(png("blue", Software="other"), png("green"))
    assert pictures(new)[0] != pictures(before)[1]
    clean(new, before)

    assert pictures(new)[0] == pictures(before)[1]
    assert pictures(new)[1] != pictures(before)[0]


def test_the_name_of_the_software_is_taken_out():
    new = notebook(png("red", Software="Matplotlib 3.10"))
    clean(new, None)

    assert b"Matplotlib" not in pictures(new)[0]
    assert Image.open(io.BytesIO(pictures(new)[0])).getpixel((3, 3)) == (
        255, 0, 0,
    )  # fmt: skip


def test_alt_texts_stay_and_timings_go():
    new = notebook(png("red"))
    new.cells[0].metadata["execution"] = {"iopub.execute_input": "2026"}
    clean(new, None)

    (output,) = new.cells[0].outputs
    assert output.metadata == {"image/png": {"alt": "a square"}}
    assert new.cells[0].metadata == {}


def test_an_expected_error_keeps_one_line_and_no_path():
    error = v4.new_output(
        "error", ename="ValueError", evalue="no", traceback=["/home/me/x.py"]
    )
    cell = v4.new_code_cell("", outputs=[error])
    clean(v4.new_notebook(cells=[cell]), None)

    assert cell.outputs[0].traceback == ["ValueError: no"]
