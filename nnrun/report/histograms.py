"""How weights or activations are spread, layer by layer."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nnrun.report.pictures import BLUE, GREY, RED, fit, new_figure, say, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLUMNS = 3
MOST_PANELS = 60
BINS = 50


@styled()
def draw_histograms(arrays: Mapping[str, NDArray[Any]], what: str = "weights", title: str = "") -> Figure:
    """Draw a histogram of each array.

    Args:
        arrays: By name, in the order in which they are drawn, at most 60. Values that are not finite are counted.
        what: What the values are, for the axis.
        title: Stands over it; empty: what the values are.
    """
    shown = list(arrays.items())[:MOST_PANELS]
    title = title or f"{what.capitalize()} by layer"
    if len(arrays) > len(shown):
        title += f" (the first {len(shown)} of {len(arrays)})"
    lines = max(1, math.ceil(len(shown) / COLUMNS))
    figure = new_figure(0.7 + 1.75 * lines, title=title)
    panels = figure.subplots(lines, COLUMNS, squeeze=False).ravel()
    for axes in panels[len(shown) :]:
        axes.set_axis_off()
    for axes, (name, array) in zip(panels, shown, strict=False):
        _draw_histogram(axes, name, array)
    for axes in panels[max(0, len(shown) - COLUMNS) : len(shown)]:
        axes.set_xlabel(what)
    if not shown:
        say(panels[1], f"there are no {what}")
    return figure


def _draw_histogram(axes: Axes, name: str, array: NDArray[Any]) -> None:
    values = np.asarray(array, np.float64).ravel()
    finite = values[np.isfinite(values)]
    axes.set_title(fit(name, 2.2, 9), fontsize=9)
    axes.grid(visible=False, axis="x")
    axes.tick_params(labelsize=8)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    if not len(finite):
        axes.set_xticks([])
        axes.text(0.5, 0.5, "no finite values", ha="center", color=RED, fontsize=9, transform=axes.transAxes)
        return
    counts, edges = np.histogram(finite, BINS)
    axes.stairs(counts, edges, fill=True, color=BLUE, alpha=0.75)
    axes.set_ylim(0, 1.3 * counts.max())
    axes.locator_params(axis="x", nbins=4)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:.3g}")
    lost = len(values) - len(finite)
    said = f"mean {finite.mean():.2g}, std {finite.std():.2g}"
    said += f"\n{lost:,} of {len(values):,} not finite" if lost else ""
    axes.text(
        0.99,
        0.98,
        said,
        ha="right",
        va="top",
        fontsize=7.5,
        color=RED if lost else GREY,
        transform=axes.transAxes,
    )
