"""The picture of which classes are taken for which."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from nnrun.report.confusion import Confusion
from nnrun.report.pictures import HEAD, INK, MARGIN, RED, WIDTH, fit, new_figure, say, styled, text_inches

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_CELLS = 20
"""Classes up to which each cell holds its count."""

MOST_NAMES = 40
"""Classes up to which each line has its name; of more the most frequent confusions stand below."""

LARGEST_CELL = 1.25  # inches
LONGEST_NAME = 1.7  # inches
LABEL, BAR = 0.35, 1.0  # inches: for an axis's label, for the bar of colours
LIST = 4.2  # inches: for the most frequent confusions


@styled()
def draw_confusion(confusion: Confusion, title: str = "Confusion matrix") -> Figure:
    """Draw a confusion matrix; of many classes also which are confused most often.

    Args:
        confusion: Colours are shares of the true class, numbers are counts.
        title: Stands over it.
    """
    classes = len(confusion.class_names)
    size = 9 if classes <= MOST_CELLS else 7
    names = [fit(name, LONGEST_NAME, size) for name in confusion.class_names] if classes <= MOST_NAMES else []
    longest = max((text_inches(name, size) for name in names), default=0.3) + 0.1
    left = MARGIN + LABEL + longest
    side = min(WIDTH - left - BAR, LARGEST_CELL * classes)
    is_turned = bool(names) and longest > side / classes
    low = MARGIN + LABEL + (0.75 * longest if is_turned else 0.3)
    below = 0 if names else LIST
    height = HEAD + 0.1 + side + low + below
    figure = new_figure(height, title=title, arranged=False)
    left = max(left, (WIDTH - BAR - side) / 2)
    axes = figure.add_axes((left / WIDTH, (low + below) / height, side / WIDTH, side / height))
    bar = figure.add_axes(((left + side + 0.15) / WIDTH, (low + below) / height, 0.15 / WIDTH, side / height))
    _draw_cells(axes, bar, confusion)
    if names:
        _name_lines(axes, names, size, is_turned=is_turned)
        figure.text(
            (left - longest - 0.2) / WIDTH, (low + side / 2) / height, "true class", rotation=90, va="center"
        )
    else:
        axes.set_ylabel("true class")
        room = figure.add_axes((0.45, 0.6 / height, 0.47, (LIST - 1.0) / height))
        _draw_pairs(room, confusion)
    if classes <= MOST_CELLS:
        _write_counts(axes, confusion, side / classes)
    axes.set_xlabel("predicted class")
    return figure


def _draw_cells(axes: Axes, bar: Axes, confusion: Confusion) -> None:
    from matplotlib.colors import PowerNorm

    norm = PowerNorm(0.5, 0, 1)  # so that rare confusions are seen
    image = axes.imshow(confusion.rates, cmap="Blues", norm=norm, interpolation="nearest", aspect="auto")
    axes.grid(visible=False)
    colours = axes.figure.colorbar(image, cax=bar, ticks=[0, 0.01, 0.05, 0.2, 0.5, 1])
    colours.set_label("share of the true class")
    bar.set_yticklabels(["0", "1 %", "5 %", "20 %", "50 %", "100 %"])
    colours.outline.set_visible(False)


def _name_lines(axes: Axes, names: list[str], size: int, *, is_turned: bool) -> None:
    slanted: dict[str, Any] = {"rotation": 45, "ha": "right", "rotation_mode": "anchor"}
    axes.set_xticks(range(len(names)), names, fontsize=size, **(slanted if is_turned else {}))
    axes.set_yticks(range(len(names)), names, fontsize=size)
    axes.tick_params(length=0)


def _write_counts(axes: Axes, confusion: Confusion, cell: float) -> None:
    """Counts in cells of so many inches, with lines between them."""
    texts = [[_short(count) for count in line] for line in confusion.counts.tolist()]
    longest = max(len(text) for line in texts for text in line)
    size = min(10, 72 * 0.9 * cell / (0.64 * max(longest, 2)))
    for (line, column), rate in np.ndenumerate(confusion.rates):
        faint = "#A8A8A8" if not confusion.counts[line, column] else INK
        colour = "white" if rate > 0.3 else faint
        axes.text(column, line, texts[line][column], ha="center", va="center", color=colour, fontsize=size)
    between = np.arange(len(texts) - 1) + 0.5
    axes.set_xticks(between, minor=True)
    axes.set_yticks(between, minor=True)
    axes.grid(which="minor", color="white", linewidth=1.5)
    axes.tick_params(which="minor", length=0)
    axes.spines[:].set_visible(False)


def _draw_pairs(axes: Axes, confusion: Confusion) -> None:
    pairs = confusion.most_frequent(15)
    if not pairs:
        say(axes, "no class is taken for another one")
        return
    names = {index: fit(confusion.class_names[index], 1.2, 8) for pair in pairs for index in pair[:2]}
    support = confusion.counts.sum(axis=1)
    places = range(len(pairs))
    shares = [count / support[true] for true, _, count in pairs]
    axes.barh(places, shares, color=RED, height=0.7)
    said = [f"{names[true]} taken for {names[said]}" for true, said, _ in pairs]
    axes.set_yticks(places, said, fontsize=8)
    for place, share, (true, _, count) in zip(places, shares, pairs, strict=True):
        axes.text(share, place, f" {count:,} of {support[true]:,}", va="center", fontsize=8)
    axes.invert_yaxis()
    axes.set_xlim(0, 1.35 * max(shares))
    axes.xaxis.set_major_formatter(lambda share, _: f"{share:.0%}")
    axes.grid(visible=False, axis="y")
    axes.set(title="Most frequent confusions", xlabel="share of the true class")


def _short(count: int) -> str:
    """A count in at most five characters: ``980``, ``12.3k``."""
    for size, letter in ((10**9, "G"), (10**6, "M"), (10**4, "k")):
        if count >= size:
            return f"{count / (1000 if letter == 'k' else size):.3g}{letter}"
    return str(count)
