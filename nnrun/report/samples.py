"""Pictures of a data set before anything is trained on it: images by class, points, or a panel for each column."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nnrun.data.examples import Examples
from nnrun.data.inspect_open import Opened
from nnrun.data.inspect_views import Inspection
from nnrun.report.column_panels import MOST_PANELS, Panel, draw_panels, panel_by_class, panel_of
from nnrun.report.image_grid import is_image_shape
from nnrun.report.pictures import (
    COLOURS,
    HEAD,
    WIDTH,
    fit,
    new_figure,
    styled,
)

if TYPE_CHECKING:
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
        panels = [panel_by_class(column, values[column.name], y, names) for column in columns[:MOST_PANELS]]
        panels += [panel_of(column) for column in columns[MOST_PANELS:]]  # counted, and not drawn
        return draw_panels(panels, names, title=title)
    panels = [replace(panel_of(column), is_target=True) for column in inspection.target.numbers]
    panels += [panel_of(column) for column in inspection.columns]
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
