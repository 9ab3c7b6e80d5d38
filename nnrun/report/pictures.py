"""What all pictures share: one look, plain text, and files that are the same bytes every time."""

from __future__ import annotations

import contextlib
import io
import unicodedata
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nnrun.errors import Problem, SpecError
from nnrun.spec.names import shorten
from nnrun.store.durable import make_folders, write_bytes

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BLUE, ORANGE, GREEN, RED = "#0072B2", "#E69F00", "#009E73", "#D55E00"
PURPLE, SKY, YELLOW, GREY = "#CC79A7", "#56B4E9", "#F0E442", "#7A7A7A"
COLOURS = (BLUE, ORANGE, GREEN, PURPLE, RED, SKY, YELLOW, "#000000")
"""Colours that the colour-blind can tell apart (Okabe and Ito 2008)."""

INK, FAINT = "#222222", "#D9D9D9"
WIDTH = 8.0  # inches: at 800 pixels 10 points are 14 pixels high
MARGIN, HEAD, LEGEND = 0.1, 0.5, 0.25  # inches: around a picture, for its title, for its legend
DPI = 150
MOST_PIXELS = 1 << 15
"""Of a side; matplotlib draws at most twice as many, and few viewers show more."""

ENDINGS = (".png", ".svg")
FALLBACK_FONTS = (
    "Noto Sans CJK SC",
    "Noto Sans CJK JP",
    "Noto Sans Arabic",
    "Noto Sans Devanagari",
    "Noto Sans",
    "WenQuanYi Micro Hei",
    "PingFang SC",
    "Microsoft YaHei",
    "Arial Unicode MS",
)
"""For letters that matplotlib's own font does not have, where they are installed."""

STYLE: Any = {
    "axes.axisbelow": True,
    "axes.edgecolor": "#9A9A9A",
    "axes.grid": True,
    "axes.labelcolor": INK,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 11,
    "figure.titlesize": 13,
    "font.size": 10,
    "grid.color": "#E6E6E6",
    "grid.linewidth": 0.8,
    "legend.fontsize": 9,
    "legend.frameon": False,
    "lines.linewidth": 1.8,
    "svg.fonttype": "none",
    "svg.hashsalt": "nnrun",
    "text.color": INK,
    "text.parse_math": False,
    "xtick.color": "#555555",
    "xtick.labelsize": 9,
    "ytick.color": "#555555",
    "ytick.labelsize": 9,
}


@contextlib.contextmanager
def styled() -> Iterator[None]:
    """Draw in nnrun's look, whatever the user's settings of matplotlib; a decorator too."""
    import matplotlib
    from matplotlib import font_manager

    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(STYLE)
        known = set(font_manager.get_font_names())
        matplotlib.rcParams["font.family"] = ["DejaVu Sans", *(f for f in FALLBACK_FONTS if f in known)]
        yield


def new_figure(
    height: float, width: float = WIDTH, title: str = "", *, arranged: bool = True, has_legend: bool = False
) -> Figure:
    """An empty picture with a title.

    Args:
        height: In inches.
        width: In inches.
        title: Stands over it.
        arranged: Whether matplotlib arranges what is in it, below the title.
        has_legend: Whether room is left for :func:`add_legend`.
    """
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    engine = None
    if arranged:
        left, low, top = MARGIN / width, MARGIN / height, (HEAD + LEGEND * has_legend) / height
        engine = ConstrainedLayoutEngine(rect=(left, low, 1 - 2 * left, 1 - low - top))
    figure = Figure(figsize=(width, height), layout=engine)
    text = fit(title, width - 2 * MARGIN, 13)
    place = (MARGIN + 0.05) / width, 1 - 0.12 / height
    figure.text(*place, text, va="top", weight="bold", fontsize=13).set_in_layout(False)
    return figure


def add_legend(figure: Figure) -> None:
    """One legend for all that is drawn, below the title; what several panels share is named once."""
    handles = {
        str(label): handle
        for axes in figure.axes
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)
    }
    if handles:
        width, height = figure.get_size_inches()
        place = MARGIN / width, 1 - (HEAD - 0.1) / height
        legend = figure.legend(
            handles.values(), handles.keys(), loc="upper left", bbox_to_anchor=place, ncols=len(handles)
        )
        legend.set_in_layout(False)


def picture_bytes(figure: Figure, kind: str = "png") -> bytes:
    """A picture as the content of a file: the same figure gives the same bytes.

    Args:
        figure: What to write.
        kind: ``png`` or ``svg``.
    """
    dpi = min(DPI, MOST_PIXELS / max(figure.get_size_inches()))
    written = io.BytesIO()
    metadata: dict[str, Any] = {"Software": None} if kind == "png" else {"Date": None, "Creator": None}
    with styled(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*missing from font", category=UserWarning)
        _arrange(figure)
        figure.savefig(written, format=kind, dpi=dpi, metadata=metadata)
    return written.getvalue()


def _arrange(figure: Figure) -> None:
    """Give all axes their places, without the last digits, in which matplotlib's solver differs by chance."""
    if figure.get_layout_engine() is None:
        return
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    for axes in figure.axes:
        left, low, width, height = axes.get_position(original=True).bounds
        axes.set_position((round(left, 9), round(low, 9), round(width, 9), round(height, 9)))


def save(figure: Figure, path: Path) -> None:
    """Write a picture into a file, whole or not at all; folders that are missing are made.

    Args:
        figure: What to write.
        path: Ends in ``.png`` or ``.svg``.

    Raises:
        SpecError: The file's ending is another one.
        ResourceError: The file cannot be written.
    """
    kind = path.suffix.lower()
    if kind not in ENDINGS:
        found = shorten(path.name)
        raise SpecError([Problem(f"expected a file that ends in {' or '.join(ENDINGS)}; found {found}")])
    content = picture_bytes(figure, kind[1:])
    make_folders(path.parent)
    write_bytes(path, content)


def fit(text: str, inches: float, points: float) -> str:
    """A text on one line that is about as wide as there is room; three dots stand for the middle of a longer one.

    Args:
        text: Anybody's.
        inches: The room.
        points: The size of the letters.
    """
    line = shorten(text, 10_000)
    if text_inches(line, points) <= inches:
        return line
    kept = len(line) - 1
    while kept > 2 and text_inches(_cut(line, kept), points) > inches:
        kept -= 1
    return _cut(line, kept)


def text_inches(text: str, points: float) -> float:
    """About how wide a line is; an estimate, because measuring needs a font that has all letters."""
    widths = (1.0 if unicodedata.east_asian_width(letter) in "WF" else 0.62 for letter in text)
    return sum(widths) * points / 72


def _cut(line: str, kept: int) -> str:
    """The beginning and the end of a line: names often differ only there."""
    start = (kept + 1) // 2
    return f"{line[:start]}...{line[len(line) - kept + start :]}"


def say(axes: Axes, text: str) -> None:
    """Write a sentence where there is nothing to draw."""
    axes.set_axis_off()
    axes.text(0.5, 0.5, text, ha="center", va="center", color=GREY, transform=axes.transAxes)
