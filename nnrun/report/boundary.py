"""Where a classifier of two numbers draws the line."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nnrun.errors import DataError
from nnrun.report.answers import Answers, check_answers
from nnrun.report.pictures import BLUE, COLOURS, INK, ORANGE, fit, new_figure, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MARKERS = "osD^vPX*"
MOST_DOTS = 2000
MOST_NAMED = 16
PALEST = 0.5
"""How much of a class's colour the ground has where the classifier is sure."""

Grid = tuple[NDArray[Any], NDArray[Any]]


@styled()
def draw_boundary(
    predict: Callable[[NDArray[np.float32]], ArrayLike],
    points: ArrayLike,
    labels: ArrayLike,
    class_names: Sequence[str] | None = None,
    *,
    resolution: int = 200,
    title: str = "Decision boundary",
) -> Figure:
    """Draw what a classifier says of each place in the plane, and the examples.

    Args:
        predict: Takes float32 of shape (n, 2), gives probabilities of shape (n, classes), (n,) or (n, 1).
        points: The examples, of shape (n, 2). Of more than 2,000 the first are drawn.
        labels: Their classes, of shape (n,).
        class_names: One for each class; None: their indices.
        resolution: Places to ask for, along each side.
        title: Stands over it.

    Raises:
        DataError: The points are not pairs of finite numbers, or do not fit the labels or the predictions.
    """
    drawn, known = np.asarray(points, np.float64)[:MOST_DOTS], np.asarray(labels).ravel()
    if drawn.ndim != 2 or drawn.shape[1] != 2 or not len(drawn) or not np.isfinite(drawn).all():
        raise DataError(f"expected points of two finite numbers each; found shape {np.shape(points)}")
    if len(known) != len(np.asarray(points)):
        raise DataError(f"expected a label for each of {len(np.asarray(points))} points; found {len(known)}")
    sides = [_side(drawn[:, axis], resolution) for axis in (0, 1)]
    across, up = np.meshgrid(*sides)  # each (resolution, resolution)
    asked = np.column_stack([across.ravel(), up.ravel()]).astype(np.float32)
    said = check_answers(np.zeros(len(asked), int), predict(asked), class_names)
    colours = _colours(said.classes)
    figure = new_figure(5.8, 7.0, title)
    axes = figure.add_subplot()
    _draw_ground(axes, said, (across, up), colours)
    _draw_points(axes, drawn, known[:MOST_DOTS], said.class_names, colours)
    axes.set(xlabel="input 1", ylabel="input 2")
    axes.grid(visible=False)
    return figure


def _side(values: NDArray[np.float64], resolution: int) -> NDArray[np.float64]:
    margin = 0.08 * float(np.ptp(values)) or 1.0
    return np.linspace(values.min() - margin, values.max() + margin, resolution)


def _colours(classes: int) -> NDArray[np.float64]:
    """A colour for each class, of shape (classes, 3)."""
    from matplotlib.colors import to_rgb

    chosen = (BLUE, ORANGE) if classes == 2 else COLOURS
    return np.array([to_rgb(chosen[index % len(chosen)]) for index in range(classes)])


def _draw_ground(axes: Axes, said: Answers, grid: Grid, colours: NDArray[np.float64]) -> None:
    """The classes' colours, mixed as their probabilities are, and a line where the most probable one changes."""
    across, up = grid
    shares = said.probabilities / said.probabilities.sum(axis=1, keepdims=True).clip(1e-9)
    mixed = 1 - PALEST * (1 - shares @ colours)  # (places, 3)
    extent = (across[0, 0], across[0, -1], up[0, 0], up[-1, 0])
    axes.imshow(mixed.reshape(*up.shape, 3).clip(0, 1), origin="lower", extent=extent, aspect="auto")
    for of_class in np.unique(said.predicted)[1:] if said.classes == 2 else np.unique(said.predicted):
        others = np.delete(said.probabilities, of_class, axis=1).max(axis=1)
        ahead = (said.probabilities[:, of_class] - others).reshape(up.shape)
        if ahead.min() < 0 < ahead.max():
            axes.contour(across, up, ahead, levels=[0], colors=[INK], linewidths=1, alpha=0.6)


def _draw_points(
    axes: Axes,
    points: NDArray[np.float64],
    labels: NDArray[Any],
    names: tuple[str, ...],
    colours: NDArray[np.float64],
) -> None:
    size = 34 if len(points) <= 400 else 22
    for of_class, name in enumerate(names):
        own = points[labels == of_class]
        axes.scatter(
            own[:, 0],
            own[:, 1],
            s=size,
            color=colours[of_class],
            marker=MARKERS[of_class % len(MARKERS)],
            edgecolor="white",
            linewidth=0.5,
            label=fit(name, 1.3, 9) if of_class < MOST_NAMED else None,
        )
    axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5))
