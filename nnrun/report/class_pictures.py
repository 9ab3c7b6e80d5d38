"""Pictures of how well a classifier does: scores by class, thresholds and calibration."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nnrun.report.answers import Answers
from nnrun.report.calibration import calibration_of
from nnrun.report.classification import ClassReport, Scores
from nnrun.report.pictures import (
    BLUE,
    COLOURS,
    FAINT,
    GREY,
    ORANGE,
    RED,
    add_legend,
    fit,
    new_figure,
    say,
    styled,
)
from nnrun.report.thresholds import precision_recall_curve, roc_curve

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_BARS = 40
MOST_CURVES = 8
MOST_POINTS = 500


@styled()
def draw_class_scores(report: ClassReport, title: str = "Scores by class") -> Figure:
    """Draw the F1 of each class as a bar, the best on top, with precision and recall on it.

    Args:
        report: Of more than 40 classes the worst are drawn.
        title: Stands over it.
    """
    order = sorted(report.classes, key=lambda scores: -scores.f1)
    shown: Sequence[Scores] = order[-MOST_BARS:]
    figure = new_figure(1.7 + 0.26 * len(shown), title=title, has_legend=True)
    axes = figure.add_subplot()
    places = np.arange(len(shown))
    axes.barh(places, [scores.f1 for scores in shown], color="#9CC7E0", height=0.7, label="F1")
    axes.plot(
        [scores.precision for scores in shown], places, "o", color=BLUE, label="precision", markersize=5
    )
    axes.plot([scores.recall for scores in shown], places, "D", color=RED, label="recall", markersize=4.5)
    axes.axvline(report.macro.f1, color=GREY, linestyle="--", linewidth=1, label="mean F1")
    axes.set_yticks(places, [f"{fit(one.name, 2.2, 9)} ({one.support:,})" for one in shown])
    axes.set(xlim=(0, 1.02), ylim=(len(shown) - 0.4, -0.6), xlabel="score (number of examples behind names)")
    axes.grid(visible=False, axis="y")
    if len(order) > len(shown):
        axes.set_title(f"the {len(shown)} worst of {len(order)} classes")
    add_legend(figure)
    return figure


@styled()
def draw_roc(answers: Answers, title: str = "ROC curve") -> Figure:
    """Draw the ROC curve of class 1 of two, or of each class against all others.

    Args:
        answers: Of more than 8 classes those with the smallest areas are in colour.
        title: Stands over it.
    """
    curves = []
    for index in _drawn_classes(answers):
        curve = roc_curve(answers, index)
        if curve:
            curves.append((index, curve.area, curve.false_positive_rate, curve.true_positive_rate))
    figure, axes = _draw_curves(answers, curves, "area", title)
    axes.plot([0, 1], [0, 1], color=GREY, linestyle=":", linewidth=1)
    axes.set(xlabel="false positive rate", ylabel="true positive rate (recall)")
    return figure


@styled()
def draw_precision_recall(answers: Answers, title: str = "Precision-recall curve") -> Figure:
    """Draw the precision-recall curve of class 1 of two, or of each class against all others.

    Args:
        answers: Of more than 8 classes those with the lowest average precision are in colour.
        title: Stands over it.
    """
    curves = []
    for index in _drawn_classes(answers):
        curve = precision_recall_curve(answers, index)
        if curve:
            curves.append((index, curve.average_precision, curve.recall, curve.precision))
    figure, axes = _draw_curves(answers, curves, "average precision", title)
    axes.set(xlabel="recall", ylabel="precision")
    return figure


@styled()
def draw_calibration(answers: Answers, title: str = "Calibration") -> Figure:
    """Draw how often probabilities come true, and how frequent they are.

    Args:
        answers: Of two classes class 1 is drawn, of more the predicted one.
        title: Stands over it.
    """
    found = calibration_of(answers)
    figure = new_figure(6.4, 6.4, title)
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
    filled = np.flatnonzero(found.counts)
    width = found.edges[1]
    above.plot([0, 1], [0, 1], color=GREY, linestyle=":", label="perfect calibration")
    above.bar(
        found.edges[filled], found.observed[filled], width, align="edge", color="#9CC7E0", edgecolor="white"
    )
    above.plot(found.predicted[filled], found.observed[filled], "o-", color=BLUE, label="this model")
    what = f"class {fit(answers.class_names[1], 2, 10)}" if answers.classes == 2 else "predicted class"
    above.set(ylim=(0, 1.02), xlim=(0, 1), ylabel="share that came true")
    above.set_title(f"expected calibration error {found.expected_error:.4f}")
    above.legend(loc="upper left")
    below.bar(
        found.edges[:-1], found.counts / len(answers), width, align="edge", color=ORANGE, edgecolor="white"
    )
    below.yaxis.set_major_formatter(_percent())
    below.set(ylabel="examples", xlabel=f"probability of the {what}")
    return figure


Drawn = tuple[int, float, NDArray[np.float64], NDArray[np.float64]]


def _drawn_classes(answers: Answers) -> Sequence[int]:
    return (1,) if answers.classes == 2 else range(answers.classes)


def _draw_curves(answers: Answers, curves: list[Drawn], measure: str, title: str) -> tuple[Figure, Axes]:
    """Curves from (0, 0) to (1, 1), the worst ones on top and in the legend."""
    figure = new_figure(5.6, title=title)
    axes = figure.add_subplot()
    axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.02), aspect="equal")
    if not curves:
        say(axes, "not defined: there are no examples of both kinds")
        return figure, axes
    worst = sorted(curves, key=lambda drawn: drawn[1])[:MOST_CURVES]
    in_colour = {drawn[0] for drawn in worst}
    for index, _, x, y in curves:
        if index not in in_colour:
            axes.plot(*_thinned(x, y), color=FAINT, linewidth=1)
    for colour, (index, value, x, y) in zip(COLOURS, worst, strict=False):
        name = fit(answers.class_names[index], 1.7, 9)
        axes.plot(*_thinned(x, y), color=colour, label=f"{value:.4f}  {name}")
    heading = measure if len(curves) <= MOST_CURVES else f"{measure}, {len(worst)} worst of {len(curves)}"
    if len(curves) > 1:
        heading += f"\nmean: {np.mean([value for _, value, _, _ in curves]):.4f}"
    axes.legend(title=heading, loc="center left", bbox_to_anchor=(1.02, 0.5), alignment="left")
    return figure, axes


def _thinned(x: NDArray[np.float64], y: NDArray[np.float64]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Points at about equal distances along a curve, as many as can be seen."""
    if len(x) <= MOST_POINTS:
        return x, y
    along = np.append(0, np.cumsum(np.abs(np.diff(x)) + np.abs(np.diff(y))))
    kept = np.unique(np.searchsorted(along, np.linspace(0, along[-1], MOST_POINTS)).clip(0, len(x) - 1))
    return x[kept], y[kept]


def _percent() -> Any:
    from matplotlib.ticker import PercentFormatter

    return PercentFormatter(1, decimals=0, symbol=" %")
