"""Pictures of a data set before anything is trained on it: images by class, points, or a panel for each column."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nnrun.data.examples import Examples
from nnrun.data.inspect_open import Opened
from nnrun.data.inspect_views import Column, Histogram, Inspection
from nnrun.report.image_grid import is_image_shape
from nnrun.report.pictures import (
    BLUE,
    COLOURS,
    GREY,
    HEAD,
    ORANGE,
    RED,
    WIDTH,
    add_legend,
    fit,
    new_figure,
    say,
    styled,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ACROSS = 10
"""Images in a line."""

MOST_LINES = 12
"""Up to so many classes get a line each; of more, each image has its class under it."""

LINES = 6
"""Of such a grid, unless there are more classes than images in them."""

LEAST_SIDE, MOST_STRETCHED = 4, 4
"""Pixels of an image's side, and how many times as long as the other a side may be."""

SIDE = 0.66  # inches: of an image
NAMES = 1.2  # inches: for the names of classes beside them
CAPTION = 0.24  # inches: under an image

PANELS = 3
MOST_PANELS = 60
MOST_COLOURS = 6
"""Up to so many classes are told apart by colours in the panels of columns."""

MOST_ROWS = 100_000
"""Rows of a table that are drawn by class; of more, as many at equal distances."""

MARKERS = "osD^vPX*"
MOST_DOTS = 2_000


def draw_data(opened: Opened, inspection: Inspection) -> Figure:
    """Draw what fits the data: images by class, points in the plane by class, or a panel for each column.

    Args:
        opened: The examples.
        inspection: What is known of them.
    """
    title, names = inspection.name, opened.classes
    sample = opened.sample
    shape = np.asarray(sample.x).shape[1:] if sample is not None else ()
    if sample is not None and _is_image(shape):
        divisor = next(iter(opened.inputs.values())).divisor if opened.inputs else None
        return draw_images(sample, names, divisor=divisor, title=title)
    if sample is not None and names is not None and shape == (2,):
        return draw_points(sample, names, title=title)
    if opened.rows is not None and names is not None and len(names) <= MOST_COLOURS:
        step = -(-len(opened.y) // MOST_ROWS)
        values = {name: opened.rows.frame[name][::step] for name in opened.rows.frame.columns}
        y, columns = opened.y[::step], inspection.columns
        panels = [_panel_by_class(column, values[column.name], y, names) for column in columns]
        return draw_panels(panels, names, title=title)
    panels = [replace(_panel(column), is_target=True) for column in inspection.target.numbers]
    panels += [_panel(column) for column in inspection.columns]
    for array in inspection.arrays:
        panels.append(Panel(array.name, array.histogram, label="value"))
        if array.words:
            panels.append(Panel(array.name, array.words.lengths, label="words in a text"))
    return draw_panels(panels, title=title)


@styled()
def draw_images(
    sample: Examples, names: Sequence[str] | None, *, divisor: float | None = None, title: str = "Samples"
) -> Figure:
    """Draw images: a line for each of up to 12 classes, else a grid with the label under each.

    Args:
        sample: Of shape (n, height, width), (n, height, width, 1) or (n, height, width, 3), with their labels.
        names: Of the classes; None where the labels are numbers.
        divisor: ``x / divisor`` lies in [0, 1]; None: the values are stretched to it if they do not.
        title: Stands over it.
    """
    pixels = _scaled(np.asarray(sample.x), divisor)
    if names is not None and len(names) <= MOST_LINES:
        return _draw_lines(pixels, sample.y, names, title)
    chosen = _one_of_each(sample.y) if names is not None else np.arange(len(pixels))
    chosen = chosen[: ACROSS * (MOST_LINES if names is not None and len(names) > ACROSS * LINES else LINES)]
    lines, side = max(1, math.ceil(len(chosen) / ACROSS)), (WIDTH - 0.2) / ACROSS
    figure = new_figure(HEAD + lines * (side + CAPTION) + 0.1, title=title, arranged=False)
    height = figure.get_figheight()
    for place, index in enumerate(chosen):
        line, across = divmod(place, ACROSS)
        x, y = 0.1 + across * side, height - HEAD - line * (side + CAPTION) - side
        _draw_image(figure, pixels[index], (x, y), side - 0.06)
        label = _label(sample.y[index], names)
        middle = (x + side / 2 - 0.03) / WIDTH
        figure.text(middle, (y - 0.05) / height, fit(label, side, 7.5), ha="center", va="top", fontsize=7.5)
    return figure


def _draw_lines(pixels: NDArray[Any], labels: NDArray[Any], names: Sequence[str], title: str) -> Figure:
    step = SIDE + 0.04
    width = NAMES + ACROSS * step + 0.2
    figure = new_figure(HEAD + len(names) * step + 0.1, width, title, arranged=False)
    height = figure.get_figheight()
    for line, name in enumerate(names):
        y = height - HEAD - (line + 1) * step
        figure.text(
            (NAMES - 0.05) / width,
            (y + SIDE / 2) / height,
            fit(name, NAMES - 0.15, 10),
            ha="right",
            va="center",
        )
        for across, index in enumerate(np.flatnonzero(labels == line)[:ACROSS]):
            _draw_image(figure, pixels[index], (NAMES + 0.05 + across * step, y), SIDE)
    return figure


def _draw_image(figure: Figure, pixels: NDArray[Any], place: tuple[float, float], side: float) -> None:
    """An image at a place in inches from the lower left corner."""
    width, height = figure.get_size_inches()
    axes = figure.add_axes((place[0] / width, place[1] / height, side / width, side / height))
    axes.set_axis_off()
    axes.imshow(pixels, cmap="gray", vmin=0, vmax=1, interpolation="nearest")


def _is_image(shape: tuple[int, ...]) -> bool:
    return (
        is_image_shape(shape)
        and min(shape[:2]) >= LEAST_SIDE
        and max(shape[:2]) <= MOST_STRETCHED * min(shape[:2])
    )


def _scaled(x: NDArray[Any], divisor: float | None) -> NDArray[Any]:
    """Values in [0, 1], in a form that is drawn."""
    pixels: NDArray[Any] = np.nan_to_num(x.astype(np.float32) / (divisor or 1), posinf=0, neginf=0)
    low, high = float(pixels.min()), float(pixels.max())
    if low < 0 or high > 1:
        pixels = (pixels - low) / ((high - low) or 1)
    return pixels[..., 0] if pixels.ndim == 4 and pixels.shape[3] == 1 else pixels


def _one_of_each(labels: NDArray[Any]) -> NDArray[Any]:
    """The first example of each class, then the others as they come."""
    first = np.unique(labels, return_index=True)[1]
    return np.concatenate([first, np.setdiff1d(np.arange(len(labels)), first)])


def _label(target: Any, names: Sequence[str] | None) -> str:
    if names is not None:
        return names[int(target)]
    return ", ".join(f"{value:.3g}" for value in np.ravel(target)[:3])


@styled()
def draw_points(sample: Examples, names: Sequence[str], title: str = "Samples") -> Figure:
    """Draw points in the plane, each class in its colour and shape.

    Args:
        sample: Points of shape (n, 2); of more than 2,000 as many at equal distances are drawn.
        names: Of the classes.
        title: Stands over it.
    """
    points, labels = np.asarray(sample.x, np.float64), sample.y
    step = -(-len(points) // MOST_DOTS)
    points, labels = points[::step], labels[::step]
    figure = new_figure(5.6, 7.0, title)
    axes = figure.add_subplot()
    for index, name in enumerate(names):
        own = points[labels == index]
        axes.scatter(
            own[:, 0],
            own[:, 1],
            s=26 if len(points) <= 500 else 14,
            color=COLOURS[index % len(COLOURS)],
            marker=MARKERS[index % len(MARKERS)],
            edgecolor="white",
            linewidth=0.4,
            label=fit(name, 1.3, 9),
        )
    axes.set(xlabel="x[0]", ylabel="x[1]")
    axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5))
    return figure


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


def _panel(column: Column) -> Panel:
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

    return EngFormatter(sep="").format_eng(value)


def _panel_by_class(column: Column, values: Any, y: NDArray[Any], names: Sequence[str]) -> Panel:
    """A panel whose bars are divided by class."""
    import polars as pl

    panel = _panel(column)
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
