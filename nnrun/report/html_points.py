"""What a page draws of an output besides its report: curves over thresholds, and points of predicted numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnrun.report.evaluation import Judged
from nnrun.report.thresholds import precision_recall_curve, roc_curve
from nnrun.spec.names import shorten

MOST_POINTS = 200
"""Of a curve; nobody sees more."""

MOST_DOTS = 400
MOST_COLUMNS = 8
BINS = 24
LONGEST_NAME = 40

Plain = dict[str, Any]


def points_of(judged: Judged) -> Plain:
    """The points of the drawings of an output.

    Returns:
        For two classes ``of`` (the class), ``roc`` and ``precision_recall``, each with its points and its area;
        for numbers ``columns``: for each ``name``, ``target`` and ``predicted`` of at most 400 examples at equal
        distances, and ``residuals`` (target - prediction) of all examples, as ``edges`` and ``counts``.
    """
    if judged.answers is None:
        return {"columns": _columns(judged)}
    answers = judged.answers
    if answers.classes != 2:
        return {}
    found: Plain = {"of": shorten(answers.class_names[1], LONGEST_NAME)}
    if roc := roc_curve(answers):
        points = thin(roc.false_positive_rate, roc.true_positive_rate)
        found["roc"] = {"points": points, "area": roc.area}
    if curve := precision_recall_curve(answers):
        points = thin(curve.recall[::-1], curve.precision[::-1])
        found["precision_recall"] = {"points": points, "area": curve.average_precision}
    return found


def _columns(judged: Judged) -> list[Plain]:
    said = np.asarray(judged.output, np.float64)
    true = np.asarray(judged.known.targets, np.float64).reshape(said.shape)
    names = [one["name"] for one in judged.report["columns"]]
    chosen = np.unique(np.linspace(0, len(said) - 1, min(MOST_DOTS, len(said))).astype(int))
    found = []
    for name, own, of_model in list(zip(names, true.T, said.T, strict=True))[:MOST_COLUMNS]:
        counts, edges = np.histogram(own - of_model, BINS)
        found.append(
            {
                "name": name,
                "target": _figures(own[chosen]),
                "predicted": _figures(of_model[chosen]),
                "residuals": {"edges": _figures(edges), "counts": counts.tolist()},
            }
        )
    return found


def thin(x: NDArray[Any], y: NDArray[Any]) -> list[list[float]]:
    """At most 200 points of a curve, at equal distances among all of them; both ends are kept."""
    chosen = np.unique(np.linspace(0, len(x) - 1, min(MOST_POINTS, len(x))).astype(int))
    return [[round(float(x[one]), 5), round(float(y[one]), 5)] for one in chosen]


def _figures(values: NDArray[Any]) -> list[float]:
    return [float(f"{value:.6g}") for value in values.tolist()]
