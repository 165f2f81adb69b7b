"""Figures: names that fit, colors that differ, small files, and alt text."""

import base64
import inspect
import io
import itertools
import os
import subprocess
import sys

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
from matplotlib.colors import to_rgb

from bertbook import plotting

WORDS = ["the", "cat", "sat"]

# How two forms of color blindness mix the linear red, green and blue
# (Viénot, Brettel and Mollon, 1999).
BLINDNESS = {
    "none": np.eye(3),
    "protan": [[0.112, 0.888, 0], [0.112, 0.888, 0], [0.004, -0.004, 1]],
    "deutan": [[0.292, 0.708, 0], [0.292, 0.708, 0], [-0.022, 0.022, 1]],
}


@pytest.fixture(autouse=True)
def _no_open_figures():
    plt.switch_backend("agg")
    yield
    plt.close("all")


@pytest.fixture
def notebook():
    """Act as if the test ran in a notebook, whose outputs are captured."""
    yield InteractiveShell.instance()
    InteractiveShell.clear_instance()


def heat(matrix, **options):
    named = {"title": "Weights", "label": "weight"} | options
    rows, columns = matrix.shape
    return plotting.heatmap(
        matrix,
        list(map(str, range(rows))),
        list(map(str, range(columns))),
        **named,
    )


@pytest.mark.parametrize("blindness", BLINDNESS)
@pytest.mark.parametrize(
    ("one", "other"),
    list(
        itertools.combinations(
            (plotting.QUERY, plotting.KEY, plotting.VALUE), 2
        )
    ),
)
def test_query_key_and_value_differ_to_every_eye(blindness, one, other):
    def seen(color):
        channels = np.array(to_rgb(color)) ** 2.2
        mixed = np.clip(np.array(BLINDNESS[blindness]) @ channels, 0, 1)
        return mixed ** (1 / 2.2)

    assert np.linalg.norm(seen(one) - seen(other)) > 0.25


@pytest.mark.parametrize(
    "color", [plotting.QUERY, plotting.KEY, plotting.VALUE, plotting.INK]
)
def test_lines_and_text_stand_out_from_the_panel(color):
    panel, ink = map(plotting.luminance, (plotting.PANEL, color))
    assert (panel + 0.05) / (ink + 0.05) >= 3


def test_heatmap_names_rows_columns_axes_and_colors():
    figure = plotting.heatmap(
        torch.eye(3), WORDS, ["a", "b", "c"], title="Eye", label="weight"
    )
    ax, bar = figure.axes
    assert [tick.get_text() for tick in ax.get_yticklabels()] == WORDS
    assert [t.get_text() for t in ax.get_xticklabels()] == ["a", "b", "c"]
    assert (ax.get_ylabel(), ax.get_xlabel()) == ("query", "key")
    assert bar.get_ylabel() == "weight"
    assert ax.get_title() == "Eye"


def test_heatmap_puts_each_number_in_its_row_and_column():
    figure = heat(torch.tensor([[0.1, 0.2, 0.7], [0.5, 0.0, -0.5]]))
    cells = {
        (int(text.get_position()[1]), int(text.get_position()[0])): (
            text.get_text()
        )
        for text in figure.axes[0].texts
    }
    assert cells[0, 2] == "0.70"
    assert cells[1, 2] == "−0.50"
    assert len(cells) == 6


def test_heatmap_writes_no_numbers_into_a_large_matrix():
    assert not heat(torch.rand(9, 13)).axes[0].texts


def test_heatmap_text_can_be_read_on_its_cell():
    figure = heat(torch.linspace(0, 1, 64).reshape(8, 8))
    image = figure.axes[0].images[0]
    for text, value in zip(
        figure.axes[0].texts, np.linspace(0, 1, 64), strict=True
    ):
        cell = plotting.luminance(image.cmap(image.norm(value)))
        ink = plotting.luminance(text.get_color())
        light, dark = max(cell, ink), min(cell, ink)
        assert (light + 0.05) / (dark + 0.05) >= 4.5


def test_heatmap_of_signed_numbers_has_zero_in_the_middle():
    image = heat(torch.tensor([[-1.0, 3.0]])).axes[0].images[0]
    assert image.norm(0.0) == pytest.approx(0.5)
    assert image.norm(3.0) == pytest.approx(1.0)


def test_heatmap_of_weights_starts_at_zero():
    assert heat(torch.tensor([[0.4, 0.6]])).axes[0].images[0].norm(0.0) == 0


def test_heatmap_takes_masks_and_cells_that_are_not_finite():
    figure = heat(torch.ones(2, 2, dtype=torch.bool).tril())
    assert figure.axes[0].texts[1].get_text() == "0.00"
    texts = heat(torch.tensor([[-torch.inf, torch.nan]])).axes[0].texts
    assert [text.get_text() for text in texts] == ["−∞", "nan"]


def test_heatmap_refuses_names_that_do_not_fit():
    with pytest.raises(
        ValueError, match=r"3 row names and 3 column.*\(2, 3\)"
    ):
        plotting.heatmap(
            torch.rand(2, 3), WORDS, WORDS, title="t", label="weight"
        )


def test_spread_draws_the_mean_and_the_whole_band():
    _, ax = plt.subplots()
    line = plotting.spread(
        ax, [1, 2], [[0.0, 1.0], [1.0, 1.0], [0.5, 4.0]], label="GRU"
    )
    assert np.asarray(line.get_ydata()) == pytest.approx([0.5, 2.0])
    band = ax.collections[0].get_paths()[0].vertices
    assert set(map(tuple, band)) >= {(1, 0), (1, 1), (2, 1), (2, 4)}
    assert line.get_label() == "GRU"


def test_spread_gives_the_next_curve_another_color_and_dash():
    _, ax = plt.subplots()
    runs = torch.rand(3, 5)
    one, two = (
        plotting.spread(ax, torch.arange(5), runs, label=name) for name in "ab"
    )
    assert one.get_color() == plotting.QUERY
    assert two.get_color() == plotting.KEY
    assert one.get_linestyle() != two.get_linestyle()
    chosen = plotting.spread(ax, range(5), runs, label="c", color="#000000")
    assert chosen.get_color() == "#000000"


@pytest.mark.parametrize("shape", [(3, 4), (0, 5), (5,)])
def test_spread_refuses_rows_of_another_length(shape):
    _, ax = plt.subplots()
    with pytest.raises(ValueError, match="one row per seed"):
        inspect.unwrap(plotting.spread)(
            ax, range(5), np.zeros(shape), label="a"
        )


def frames(figure):
    """Tell which of the map's boxes are drawn as built, from the bottom."""
    boxes = sorted(figure.axes[0].patches, key=lambda box: box.get_y())
    return [
        to_rgb(box.get_facecolor()) == to_rgb(plotting.SKY) for box in boxes
    ]


def test_the_map_shows_what_has_been_built():
    assert len(plotting.MAP_STEPS) == 7
    assert frames(plotting.book_map()) == [False] * 7
    built = frames(plotting.book_map(filled={3, 7}))
    assert built == [False, False, True, False, False, False, True]


def test_the_map_has_no_other_steps():
    with pytest.raises(ValueError, match=r"no step \[0, 8\].*1 to 7"):
        plotting.book_map(filled=[8, 3, 0])


def test_a_picture_has_the_same_bytes_in_another_process():
    code = (
        "import hashlib, torch; from bertbook import plotting as p;"
        "f = p.heatmap(torch.eye(2), 'ab', 'ab', title='t', label='l');"
        "print(hashlib.sha256(p.to_png(f)).hexdigest())"
    )
    environment = os.environ | {"MPLBACKEND": "agg", "PYTHONHASHSEED": "0"}
    digests = {
        subprocess.run(
            [sys.executable, "-c", code],
            env=environment | {"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in "12"
    }
    assert len(digests) == 1


def test_a_picture_holds_no_version():
    assert b"Matplotlib" not in plotting.to_png(heat(torch.eye(3)))


def noise(inches):
    figure, ax = plt.subplots(figsize=(inches, inches))
    ax.imshow(np.random.default_rng(0).random((700, 700)))
    return figure


def test_a_crowded_picture_gets_fewer_dots():
    assert len(plotting.to_png(noise(2.5))) <= plotting.MAX_BYTES


def test_a_picture_that_cannot_be_made_small_is_refused():
    with pytest.raises(ValueError, match=r"\d+ bytes.*100000 are allowed"):
        plotting.to_png(noise(9))


def test_show_stores_the_alt_text_and_prints_nothing(notebook):
    figure = heat(torch.eye(3))
    with capture_output() as captured:
        plotting.show(figure, alt="A diagonal of ones.")
    (output,) = captured.outputs
    assert output.metadata["image/png"]["alt"] == "A diagonal of ones."
    assert output.data["text/plain"] == "A diagonal of ones."
    picture = base64.b64decode(output.data["image/png"])
    assert plt.imread(io.BytesIO(picture)).ndim == 3
    assert captured.stdout == captured.stderr == ""
    assert plt.get_fignums() == []


def test_show_outside_a_notebook_is_silent(capsys):
    plotting.show(heat(torch.eye(3)), alt="A diagonal of ones.")
    assert capsys.readouterr() == ("", "")
    assert plt.get_fignums() == []


@pytest.mark.parametrize("alt", ["", " \n"])
def test_show_refuses_a_figure_without_words(alt):
    with pytest.raises(ValueError, match="alt is empty"):
        plotting.show(heat(torch.eye(3)), alt=alt)
