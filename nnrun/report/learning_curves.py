"""How a training went: loss and metrics by epoch."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nnrun.report.pictures import BLUE, GREY, RED, WIDTH, add_legend, fit, new_figure, say, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NOT_METRICS = ("epoch", "seconds", "examples_per_second", "learning_rate")
MOST_PANELS = 9
MOST_MARKED = 30
"""Epochs up to which each has a dot."""

LARGEST = 1e100
"""What is beyond says nothing but that the training diverged, and cannot be drawn."""

STEEP = 100
"""A curve whose values differ by so large a factor is drawn on a logarithmic scale."""

Curve = tuple[NDArray[np.float64], NDArray[np.float64]]


@styled()
def draw_learning_curves(
    rows: Sequence[Mapping[str, Any]], *, best_epoch: int | None = None, title: str = "Learning curves"
) -> Figure:
    """Draw loss and metrics, of training against validation, and the learning rate.

    Args:
        rows: The rows of ``metrics.jsonl``. Values that are missing or not finite are left out.
        best_epoch: Is marked.
        title: Stands over it.
    """
    names = _metrics(rows)
    shown = names[:MOST_PANELS]
    columns = 1 if len(shown) < 3 else 2
    lines = max(1, math.ceil(len(shown) / columns))
    rate = _curve(rows, "learning_rate")
    ratios = [1.0] * lines + [0.45] * bool(len(rate[0]))
    figure = new_figure(1.0 + 2.4 * sum(ratios), title=title, has_legend=True)
    grid = figure.add_gridspec(len(ratios), columns, height_ratios=ratios)
    last = max((int(epochs[-1]) for name in names if len(epochs := _known_epochs(rows, name))), default=1)
    for place, name in enumerate(shown):
        line, column = divmod(place, columns)
        wide = place == len(shown) - 1 and column == 0
        axes = figure.add_subplot(grid[line, :] if wide else grid[line, column])
        _draw_metric(axes, rows, name, best_epoch, WIDTH / (1 if wide else columns))
        _set_epochs(axes, last, is_named=not len(rate[0]) and line == lines - 1)
    if not shown:
        say(figure.add_subplot(grid[0, :]), "no epoch was finished")
    if len(rate[0]):
        _draw_rate(figure.add_subplot(grid[-1, :]), rate, last)
    add_legend(figure)
    if len(names) > len(shown):
        figure.supxlabel(f"and {len(names) - len(shown)} metrics more", fontsize=9, color=GREY)
    return figure


def _metrics(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """The names of loss and metrics, in the order in which they appear, the loss first."""
    found = dict.fromkeys(
        name.removeprefix("val_") for row in rows for name in row if name not in NOT_METRICS
    )
    known = [name for name in found if len(_known_epochs(rows, name))]
    return sorted(known, key=lambda name: name != "loss")


def _known_epochs(rows: Sequence[Mapping[str, Any]], name: str) -> NDArray[np.float64]:
    return np.sort(np.concatenate([_curve(rows, prefix + name)[0] for prefix in ("", "val_")]))


def _curve(rows: Sequence[Mapping[str, Any]], name: str) -> Curve:
    """The epochs at which a value is known, and the values."""
    values = np.array([_number(row.get(name)) for row in rows], np.float64)
    epochs = np.array([_number(row.get("epoch", index)) for index, row in enumerate(rows, 1)], np.float64)
    known = np.isfinite(values) & np.isfinite(epochs)
    return epochs[known], values[known]


def _number(value: Any) -> float:
    """A value of a row, NaN where it is none: JSON holds ``"nan"`` and ``"inf"`` as text."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return math.nan
    return float(value) if abs(value) < LARGEST else math.nan


def _draw_metric(
    axes: Axes, rows: Sequence[Mapping[str, Any]], name: str, best_epoch: int | None, width: float
) -> None:
    curves = [("training", BLUE, _curve(rows, name)), ("validation", RED, _curve(rows, f"val_{name}"))]
    for label, colour, (epochs, values) in curves:
        if len(epochs):
            marker = "o" if len(epochs) <= MOST_MARKED else None
            thin = 1.0 if len(epochs) > 1000 else 1.8
            axes.plot(epochs, values, color=colour, label=label, marker=marker, markersize=4, linewidth=thin)
    axes.set_title(fit(name, width - 2.6, 11))
    if _is_steep(np.concatenate([values for _, _, (_, values) in curves])):
        axes.set_yscale("log")
        _name_powers(axes)
    if best_epoch is not None:
        axes.axvline(best_epoch, color=GREY, linestyle="--", linewidth=1, label=f"best epoch: {best_epoch:,}")
        for _, colour, (epochs, values) in curves:
            there = epochs == best_epoch
            axes.plot(epochs[there], values[there], "o", color=colour, markersize=8, markeredgecolor="white")
        epochs, values = next(curve for _, _, curve in reversed(curves) if len(curve[0]))
        for value in values[epochs == best_epoch][:1]:
            axes.set_title(f"best epoch: {value:.4g}", loc="right", fontsize=9, color=GREY)


def _is_steep(values: NDArray[np.float64]) -> bool:
    return bool(values.min() > 0 and values.max() > STEEP * values.min())


def _name_powers(axes: Axes) -> None:
    """Write the numbers of a logarithmic scale as they are, not as formulas."""
    from matplotlib.ticker import FuncFormatter, NullFormatter

    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())


def _set_epochs(axes: Axes, last: int, *, is_named: bool) -> None:
    from matplotlib.ticker import MaxNLocator, StrMethodFormatter

    margin = max(0.5, 0.02 * last)
    axes.set_xlim(1 - margin, last + margin)
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True, min_n_ticks=1))
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    if is_named:
        axes.set_xlabel("epoch")


def _draw_rate(axes: Axes, rate: Curve, last: int) -> None:
    axes.plot(*rate, color=GREY, drawstyle="steps-mid", marker="o" if len(rate[0]) == 1 else None)
    if _is_steep(rate[1]):
        axes.set_yscale("log")
        _name_powers(axes)
    elif rate[1].min() == rate[1].max():
        axes.set_ylim(0, 2 * rate[1].max() or 1)
    axes.set_title("learning rate")
    _set_epochs(axes, last, is_named=True)
