"""One figure style: the same colors, panel and alt text in every chapter.

Importing this module applies the style. The colors are Okabe and Ito's eight,
which readers with any common form of color blindness tell apart. Query, key
and value each keep one of them from the first chapter to the last. Figures
bring their own light panel, so they read alike on a light and a dark page.
"""

import base64
import io
from collections.abc import Collection, Sequence
from typing import Any, Final

import matplotlib.pyplot as plt
import numpy as np
from cycler import cycler
from jaxtyping import Shaped
from matplotlib.axes import Axes
from matplotlib.colors import CenteredNorm, Colormap, Normalize, to_rgb
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.lines import Line2D
from matplotlib.patches import FancyBboxPatch
from torch import Tensor

QUERY: Final = "#0072B2"
"""Blue: everything that asks."""

KEY: Final = "#D55E00"
"""Vermilion: everything that is asked."""

VALUE: Final = "#009E73"
"""Green: everything that is read out."""

PURPLE: Final = "#CC79A7"
SKY: Final = "#56B4E9"
ORANGE: Final = "#E69F00"
BLACK: Final = "#000000"

COLORS: Final = (QUERY, KEY, VALUE, PURPLE, SKY, ORANGE, BLACK)
"""The order in which curves take their colors."""

PANEL: Final = "#FBFAF7"
"""The figures' own background."""

INK: Final = "#333333"
"""Text, ticks and axes."""

MAX_BYTES: Final = 100_000
"""The largest picture that goes into a notebook."""

MAP_STEPS: Final = (
    "token embeddings · chapter 04",
    "positions · chapter 05",
    "self-attention · chapters 02 and 03",
    "add and normalize · chapter 06",
    "feed-forward network · chapter 06",
    "masked and cross-attention · chapter 07",
    "linear layer and softmax · chapter 07",
)
"""The seven steps of a Transformer, bottom up: the book's map."""

_SCREEN_DPI: Final = 96
_DASHES: Final = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), "-", "--")

_STYLE: Final[Any] = {
    "figure.figsize": (7.0, 3.6),
    "figure.constrained_layout.use": True,
    "figure.constrained_layout.h_pad": 0.08,
    "figure.constrained_layout.w_pad": 0.08,
    "figure.facecolor": PANEL,
    "savefig.facecolor": PANEL,
    "axes.facecolor": PANEL,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "axes.titlesize": 11,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.prop_cycle": cycler(color=COLORS) + cycler(linestyle=_DASHES),
    "grid.color": "#DDDAD2",
    "grid.linewidth": 0.6,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "font.family": "DejaVu Sans",
    "font.size": 10,
    "legend.frameon": False,
    "lines.linewidth": 1.8,
    "image.cmap": "cividis",
}


def use_style() -> None:
    """Apply the book's figure style; importing this module does it once."""
    plt.rcParams.update(_STYLE)


use_style()


def _as_numpy(values: Shaped[Tensor | np.ndarray, "..."]) -> np.ndarray:
    """Copy a tensor or an array to a float array on the CPU."""
    if isinstance(values, Tensor):
        values = values.detach().cpu().double().numpy()
    return np.asarray(values, dtype=float)


def heatmap(
    matrix: Shaped[Tensor | np.ndarray, "row column"],
    rows: Sequence[str],
    columns: Sequence[str],
    *,
    title: str,
    label: str,
    row_label: str = "query",
    column_label: str = "key",
) -> Figure:
    """Draw one matrix in a figure of its own: rows are queries.

    Args:
        matrix: scores, weights, a Boolean mask or any other numbers.
        rows: what each row stands for, usually the tokens that ask.
        columns: what each column stands for, usually the tokens asked.
        title: what the reader sees, above the picture.
        label: what a color measures, with its unit.
        row_label: the name of the vertical axis.
        column_label: the name of the horizontal axis.

    Returns:
        A figure to hand to `show`.

    Raises:
        ValueError: if the names do not fit the matrix.
    """
    side = 0.34 * max(len(rows), 6) + 1.4
    figure, ax = plt.subplots(figsize=(min(7.0, side + 1.6), min(7.0, side)))
    image = draw_heatmap(ax, matrix, rows, columns, title=title)
    ax.set(xlabel=column_label, ylabel=row_label)
    figure.colorbar(image, ax=ax, label=label)
    return figure


def draw_heatmap(
    ax: Axes,
    matrix: Shaped[Tensor | np.ndarray, "row column"],
    rows: Sequence[str],
    columns: Sequence[str],
    *,
    title: str = "",
    low: float | None = None,
    high: float | None = None,
) -> AxesImage:
    """Draw a matrix into axes at hand, for figures with several panels.

    Numbers that are never negative run from dark blue (zero) to yellow
    (the greatest). Once a number is negative, colors run from purple over
    white at zero to orange. A cell that is infinite or not a number is gray.
    Up to 64 cells also carry their numbers.

    Args:
        ax: where to draw.
        matrix: the numbers.
        rows: what each row stands for.
        columns: what each column stands for.
        title: a heading above this panel.
        low: the number at the low end of the colors; by default zero, or
            the least if that is below zero.
        high: the number at the high end; the greatest by default.

    Returns:
        The image, for a color bar that panels share.

    Raises:
        ValueError: if the names do not fit the matrix.
    """
    numbers = _as_numpy(matrix)
    if numbers.shape != (len(rows), len(columns)):
        raise ValueError(
            f"{len(rows)} row names and {len(columns)} column names do not"
            f" fit a matrix of shape {numbers.shape}: name each row and column"
        )
    finite = np.ma.masked_invalid(numbers)
    norm, colors = _scale_colors(finite, low, high)
    image = ax.imshow(finite, cmap=colors, norm=norm, aspect="auto")
    _name_cells(ax, rows, columns)
    ax.set_title(title)
    ax.grid(visible=False)
    ax.spines[:].set_visible(False)
    if numbers.size <= 64:
        _write_numbers(ax, numbers, image)
    return image


def _name_cells(ax: Axes, rows: Sequence[str], columns: Sequence[str]) -> None:
    """Write the names, turning those below once they would run together."""
    turned = {"rotation": 45, "ha": "right", "rotation_mode": "anchor"}
    long = sum(map(len, columns)) > 40
    ax.set_xticks(range(len(columns)), columns, **(turned if long else {}))
    ax.set_yticks(range(len(rows)), rows)


def _scale_colors(
    finite: np.ma.MaskedArray, low: float | None, high: float | None
) -> tuple[Normalize, Colormap]:
    """Choose one direction of color, or two that meet at zero."""
    shown = finite.compressed() if finite.count() else np.zeros(1)
    low = min(0.0, float(shown.min())) if low is None else low
    high = float(shown.max()) if high is None else high
    if low >= 0:
        norm, name = Normalize(low, high), "cividis"
    else:
        reach = max(abs(low), abs(high))
        norm, name = CenteredNorm(0.0, halfrange=reach), "PuOr_r"
    return norm, plt.get_cmap(name).with_extremes(bad="#BBBBBB")


def _write_numbers(ax: Axes, numbers: np.ndarray, image: AxesImage) -> None:
    """Write each number into its cell, dark on light and light on dark."""
    for (row, column), number in np.ndenumerate(numbers):
        cell = image.to_rgba(np.ma.masked_invalid([number]))[0]
        text = f"{number:.2f}" if np.isfinite(number) else f"{number}"
        ax.text(
            column,
            row,
            text.replace("inf", "∞").replace("-", "−"),
            ha="center",
            va="center",
            fontsize=8,
            color="white" if luminance(cell) < 0.179 else "black",
        )


def luminance(color: Any) -> float:
    """Return how light a color is, from 0 (black) to 1 (white).

    Below 0.179 white text has the greater contrast, above it black text.

    Args:
        color: a color in any of the forms that matplotlib reads.

    Returns:
        The relative luminance.

    >>> luminance("white"), luminance("black")
    (1.0, 0.0)

    Source: Web Content Accessibility Guidelines 2.2, "relative luminance"
    """
    channels = np.array(to_rgb(color))
    low = channels <= 0.04045
    linear = np.where(
        low, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4
    )
    return round(float(linear @ [0.2126, 0.7152, 0.0722]), 6)


def spread(
    ax: Axes,
    x: Sequence[float | int] | Shaped[Tensor | np.ndarray, " point"],
    runs: Sequence[Sequence[float | int]]
    | Shaped[Tensor | np.ndarray, "seed point"],
    *,
    label: str,
    color: str | None = None,
) -> Line2D:
    """Draw the mean over seeds as a line, and least to most as a band.

    Args:
        ax: where to draw.
        x: the positions along the horizontal axis.
        runs: one row of values for each random seed.
        label: the curve's name in the legend.
        color: one of this module's colors; the next in order by default.

    Returns:
        The line of the means.

    Raises:
        ValueError: if the rows are not as long as `x`, or there are none.
    """
    positions = np.asarray(x, dtype=float)
    values = np.asarray(runs, dtype=float)
    if (
        values.ndim != 2
        or values.shape[1:] != positions.shape
        or not len(values)
    ):
        raise ValueError(
            f"runs has the shape {values.shape} and x {positions.shape}:"
            " give one row per seed, each as long as x"
        )
    means = values.mean(axis=0)
    (line,) = ax.plot(
        positions, means, marker="o", ms=4, label=label, color=color
    )
    least, most = values.min(axis=0), values.max(axis=0)
    shade = line.get_color()
    ax.fill_between(positions, least, most, color=shade, alpha=0.2, lw=0)
    return line


def book_map(filled: Collection[int] = ()) -> Figure:
    """Draw the seven steps of a Transformer, the input at the bottom.

    Args:
        filled: the steps, 1 to 7, that the reader has built so far. They are
            drawn in color and with a heavy frame, the others in outline.

    Returns:
        A figure to hand to `show`.

    Raises:
        ValueError: if a step is not from 1 to 7.
    """
    unknown = sorted(set(filled) - set(range(1, len(MAP_STEPS) + 1)))
    if unknown:
        raise ValueError(
            f"the map has no step {unknown}: its steps are 1 to"
            f" {len(MAP_STEPS)}"
        )
    figure, ax = plt.subplots(figsize=(5.5, 4.2))
    ax.set(xlim=(0, 1), ylim=(0.5, len(MAP_STEPS) + 0.5))
    ax.axis("off")
    for step, name in enumerate(MAP_STEPS, start=1):
        built = step in filled
        box = FancyBboxPatch(
            (0.06, step - 0.25),
            0.88,
            0.5,
            boxstyle="round,pad=0,rounding_size=0.03",
            facecolor=SKY if built else PANEL,
            edgecolor=INK,
            linewidth=2.0 if built else 0.8,
        )
        ax.add_patch(box)
        ax.text(0.5, step, f"{step} · {name}", ha="center", va="center")
        if step > 1:
            tail, head = (0.5, step - 0.75), (0.5, step - 0.25)
            arrow = {"arrowstyle": "->", "color": INK}
            ax.annotate("", xy=head, xytext=tail, arrowprops=arrow)
    return figure


def to_png(figure: Figure) -> bytes:
    """Render a figure to the same bytes each time, 100 kB at most.

    It is drawn at one and a half times a screen's dots; a crowded picture
    gets fewer dots until it fits.

    Args:
        figure: the figure, at its own size in inches.

    Returns:
        A PNG file's bytes.

    Raises:
        ValueError: if even the coarsest picture is too large.
    """
    picture = b""
    for dpi in (144, 120, 96, 72):
        file = io.BytesIO()
        figure.savefig(file, dpi=dpi, metadata={"Software": None})
        picture = file.getvalue()
        if len(picture) <= MAX_BYTES:
            return picture
    raise ValueError(
        f"the picture takes {len(picture)} bytes at 72 dots an inch, and"
        f" {MAX_BYTES} are allowed: draw fewer points or a smaller figure"
    )


def show(figure: Figure, *, alt: str) -> None:
    """Display a figure with the text that stands for it, and close it.

    The text goes into the output's metadata, from which the site writes it
    into the page, and is what a reader of plain text sees. Outside a
    notebook nothing is displayed.

    Args:
        figure: the figure to display.
        alt: what is to be seen, in a sentence or two.

    Raises:
        ValueError: if the text is empty.
    """
    if not alt.strip():
        raise ValueError(
            "alt is empty: say in a sentence what is to be seen in the figure"
        )
    from IPython.core.getipython import get_ipython
    from IPython.display import display

    picture = to_png(figure)
    width = round(figure.get_size_inches()[0] * _SCREEN_DPI)
    plt.close(figure)
    if get_ipython() is None:
        return
    encoded = base64.b64encode(picture).decode("ascii")
    described = {"image/png": {"alt": alt, "width": width}}
    data = {"image/png": encoded, "text/plain": alt}
    display(data, metadata=described, raw=True)
