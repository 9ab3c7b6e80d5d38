"""A panel for each column of a data set: its histogram or its most frequent values, divided by class."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nnrun.data.inspect_views import Column, Histogram
from nnrun.report.pictures import BLUE, COLOURS, GREY, ORANGE, RED, add_legend, fit, new_figure, say, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PANELS = 3
MOST_PANELS = 60


@dataclass(frozen=True)
class Panel:
    """What is drawn of a column.

    Args:
        name: The column's.
        histogram: Of its values; None where it has categories, or nothing finite.
        bars: The most frequent values with their counts, a list with one for each class in ``by_class``.
        by_class: For each class the counts of the bins.
        label: What the values are.
        said: A remark in grey.
        warning: A remark in red.
        is_target: Whether it is what is to be predicted.
    """

    name: str
    histogram: Histogram | None = None
    bars: Mapping[str, list[float]] = field(default_factory=dict)
    by_class: Sequence[NDArray[Any]] = ()
    label: str = ""
    said: str = ""
    warning: str = ""
    is_target: bool = False


def panel_of(column: Column) -> Panel:
    """What is drawn of a column."""
    missing = f"{100 * column.missing / column.rows:.3g} % missing" if column.missing else ""
    if column.kind == "category":
        bars = {value: [float(count)] for value, count in column.frequent}
        return Panel(column.name, bars=bars, said=_more(column), warning=missing)
    if column.words:
        return Panel(column.name, column.words.lengths, label="words in a text", warning=missing)
    said = ""
    if column.mean is not None and column.deviation is not None:
        said = f"mean {_short(column.mean)}, std {_short(column.deviation)}"
    if column.kind == "date":
        said = f"{str(column.minimum)[:10]} to {str(column.maximum)[:10]}"
    return Panel(column.name, column.histogram, label=column.kind, said=said, warning=missing)


def _more(column: Column) -> str:
    """How many categories are not drawn."""
    more = column.distinct - len(column.frequent)
    return f"{more:,} more" if more else ""


def _short(value: float, _: object = None) -> str:
    """A number in a few characters: 0.57, 1,250, 35k."""
    if abs(value) < 10_000:
        return f"{value:,.3g}" if abs(value) < 1000 else f"{value:,.0f}"
    from matplotlib.ticker import EngFormatter

    return EngFormatter(sep="").format_eng(float(f"{value:.3g}"))


def panel_by_class(column: Column, values: Any, y: NDArray[Any], names: Sequence[str]) -> Panel:
    """A panel whose bars are divided by class."""
    import polars as pl

    panel = panel_of(column)
    if column.kind == "category":
        texts = values.cast(pl.String).to_numpy()
        bars = {
            value: [float(np.count_nonzero((texts == value) & (y == index))) for index in range(len(names))]
            for value in panel.bars
        }
        return replace(panel, bars=bars)
    if column.kind not in ("number", "boolean") or panel.histogram is None:
        return panel
    numbers = values.cast(pl.Float64).to_numpy()
    edges = _edges(panel.histogram)
    with np.errstate(invalid="ignore"):
        by_class = [np.histogram(numbers[y == index], edges)[0] for index in range(len(names))]
    return replace(panel, by_class=by_class)


def _edges(histogram: Histogram) -> NDArray[np.float64]:
    return np.linspace(histogram.low, histogram.high, len(histogram.counts) + 1)


@styled()
def draw_panels(panels: Sequence[Panel], names: Sequence[str] = (), title: str = "Columns") -> Figure:
    """Draw a panel for each column: a histogram, or bars of the most frequent values.

    Args:
        panels: At most 60 are drawn.
        names: Of the classes by which they are divided, if they are.
        title: Stands over it.
    """
    shown = panels[:MOST_PANELS]
    if len(panels) > len(shown):
        title += f" (the first {len(shown)} of {len(panels):,} columns)"
    lines = max(1, math.ceil(len(shown) / PANELS))
    figure = new_figure(0.8 + 1.75 * lines, title=title, has_legend=bool(names))
    grid = figure.subplots(lines, PANELS, squeeze=False).ravel()
    for axes in grid[len(shown) :]:
        axes.set_axis_off()
    if not shown:
        say(grid[1], "there is nothing to draw")
    for axes, panel in zip(grid, shown, strict=False):
        _draw_panel(axes, panel, names)
    add_legend(figure)
    return figure


def _draw_panel(axes: Axes, panel: Panel, names: Sequence[str]) -> None:
    name = fit(panel.name, 1.4, 9) + (" (target)" if panel.is_target else "")
    axes.set_title(name, fontsize=9, weight="bold")
    axes.tick_params(labelsize=8)
    axes.grid(visible=False)
    if panel.bars:
        _draw_bars(axes, panel, names)
    elif panel.histogram is None:
        say(axes, "no values")
    else:
        _draw_histogram(axes, panel, panel.histogram, names)
    said, colour = (panel.warning, RED) if panel.warning or not panel.bars else (panel.said, GREY)
    axes.text(1, 1.02, said, ha="right", va="bottom", fontsize=7.5, color=colour, transform=axes.transAxes)


def _draw_histogram(axes: Axes, panel: Panel, histogram: Histogram, names: Sequence[str]) -> None:
    edges = _edges(histogram)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    counts = panel.by_class or [np.array(histogram.counts)]
    below = np.zeros(len(edges) - 1)
    for index, own in enumerate(counts):
        colour = COLOURS[index] if panel.by_class else ORANGE if panel.is_target else BLUE
        name = fit(names[index], 1.3, 9) if panel.by_class else None
        axes.bar(edges[:-1], own, np.diff(edges), below, align="edge", color=colour, alpha=0.85, label=name)
        below = below + np.asarray(own)
    axes.set_ylim(0, 1.25 * max(1, below.max()))
    if histogram.whole and len(histogram.counts) < 4:
        axes.set_xticks((edges[:-1] + edges[1:]) / 2)
    else:
        axes.locator_params(axis="x", nbins=5, integer=histogram.whole)
    axes.text(
        0.99, 0.99, panel.said, ha="right", va="top", fontsize=7.5, color=GREY, transform=axes.transAxes
    )
    if panel.label == "date":
        axes.set_xticks([])
    else:
        axes.xaxis.set_major_formatter(_short)
    axes.set_xlabel(panel.label if panel.label == "words in a text" else "", fontsize=8)


def _draw_bars(axes: Axes, panel: Panel, names: Sequence[str]) -> None:
    places = range(len(panel.bars))
    values = np.array(list(panel.bars.values()))  # (values, classes)
    before = np.zeros(len(panel.bars))
    for index in range(values.shape[1]):
        by_class = values.shape[1] > 1
        name = fit(names[index], 1.3, 9) if by_class else None
        colour = COLOURS[index] if by_class else BLUE
        axes.barh(places, values[:, index], 0.75, before, color=colour, alpha=0.85, label=name)
        before = before + values[:, index]
    axes.set_yticks(places, [fit(value, 0.8, 8) for value in panel.bars])
    axes.set_ylim(max(4, len(panel.bars)) - 0.4, -0.6)
    axes.set_xticks([])
    axes.spines["bottom"].set_visible(False)
