"""Pictures of how far predicted numbers are from the true ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from nnrun.report.pictures import BLUE, GREY, INK, ORANGE, new_figure, styled
from nnrun.report.regression import Numbers, check_numbers, report_errors

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_DOTS = 3000
"""Examples up to which each is a dot; of more the colour says how many there are."""


@styled()
def draw_predictions_against_targets(
    targets: ArrayLike, predictions: ArrayLike, title: str = "Predicted against true"
) -> Figure:
    """Draw each prediction against its target; what is right lies on the diagonal.

    Args:
        targets: Numbers of shape (n,), or one column of them.
        predictions: As many.
        title: Stands over it.

    Raises:
        DataError: They do not fit each other, or are not finite.
    """
    true, said = (array.ravel() for array in check_numbers(targets, predictions))
    (errors,) = report_errors(true, said).columns
    figure = new_figure(6.4, 6.4, title)
    axes = figure.add_subplot()
    low, high = min(true.min(), said.min()), max(true.max(), said.max())
    margin = 0.03 * (high - low) or 1.0
    limits = (low - margin, high + margin)
    _draw_dots(axes, true, said, (*limits, *limits))
    axes.plot(limits, limits, color=INK, linestyle="--", linewidth=1)
    axes.set(xlim=limits, ylim=limits, aspect="equal", xlabel="true", ylabel="predicted")
    explained = "" if errors.r2 is None else f", R2 {errors.r2:.4f}"
    axes.set_title(f"mean absolute error {errors.mae:.4g}{explained}")
    return figure


@styled()
def draw_residuals(targets: ArrayLike, predictions: ArrayLike, title: str = "Residuals") -> Figure:
    """Draw how the residuals (true - predicted) lie, and how they depend on the prediction.

    Args:
        targets: Numbers of shape (n,), or one column of them.
        predictions: As many.
        title: Stands over it.

    Raises:
        DataError: They do not fit each other, or are not finite.
    """
    true, said = (array.ravel() for array in check_numbers(targets, predictions))
    residuals = true - said
    figure = new_figure(4.2, title=title)
    left, right = figure.subplots(1, 2, sharey=True, width_ratios=[2.2, 1])
    reach = 1.08 * float(np.abs(residuals).max()) or 1.0
    margin = 0.03 * float(np.ptp(said)) or 1.0
    _draw_dots(left, said, residuals, (said.min() - margin, said.max() + margin, -reach, reach))
    left.axhline(0, color=INK, linestyle="--", linewidth=1)
    left.set(xlabel="predicted", ylabel="true - predicted", ylim=(-reach, reach))
    right.hist(residuals, bins=np.linspace(-reach, reach, 42), orientation="horizontal", color="#9CC7E0")
    right.axhline(0, color=INK, linestyle="--", linewidth=1)
    middle = float(np.median(residuals))
    right.axhline(middle, color=ORANGE, linewidth=1.5, label=f"median {middle:.3g}")
    right.set(xlabel="examples")
    right.legend(loc="upper right")
    return figure


def _draw_dots(axes: Axes, x: Numbers, y: Numbers, extent: tuple[float, float, float, float]) -> None:
    if len(x) <= MOST_DOTS:
        size = 26 if len(x) < 200 else 12
        axes.scatter(x, y, s=size, color=BLUE, alpha=0.55, linewidth=0, rasterized=len(x) > 500)
        return
    cells = axes.hexbin(x, y, gridsize=60, bins="log", mincnt=1, cmap="Blues", extent=extent, linewidths=0.2)
    cells.set_clim(0.3, None)  # a single example is seen too
    bar = axes.figure.colorbar(cells, ax=axes, fraction=0.04, pad=0.02, format=lambda count, _: f"{count:g}")
    bar.set_label("examples")
    bar.outline.set_edgecolor(GREY)
