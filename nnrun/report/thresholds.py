"""What becomes of a class at every threshold of its probability: the ROC and the precision-recall curve."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnrun.report.answers import Answers

Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class RocCurve:
    """True against false positives, from the highest threshold to the lowest.

    Args:
        false_positive_rate: The share of the other classes that is taken for this one, ascending.
        true_positive_rate: The share of this class that is, ascending.
        thresholds: Descending; the first is infinite: nothing is taken for the class.
        area: Under the curve: how probable it is that one of the class gets more than one of the others.
    """

    false_positive_rate: Numbers
    true_positive_rate: Numbers
    thresholds: Numbers
    area: float

    def plain(self) -> dict[str, Any]:
        """The curve in plain values; the threshold that is infinite is None."""
        return {
            "false_positive_rate": self.false_positive_rate.tolist(),
            "true_positive_rate": self.true_positive_rate.tolist(),
            "thresholds": [None, *self.thresholds[1:].tolist()],
            "area": self.area,
        }


@dataclass(frozen=True)
class PrecisionRecallCurve:
    """Precision against recall, from the lowest threshold to the highest, and the point (0, 1) at the end.

    Args:
        precision: The share of what is taken for the class that is of it.
        recall: The share of the class that is taken for it, descending.
        thresholds: Ascending; one fewer than points.
        average_precision: The mean of the precisions, each weighted by the recall it adds.
    """

    precision: Numbers
    recall: Numbers
    thresholds: Numbers
    average_precision: float

    def plain(self) -> dict[str, Any]:
        """The curve in plain values."""
        return {
            "precision": self.precision.tolist(),
            "recall": self.recall.tolist(),
            "thresholds": self.thresholds.tolist(),
            "average_precision": self.average_precision,
        }


@dataclass(frozen=True)
class _Counts:
    """How many of the class and of the others get at least each threshold, thresholds descending."""

    own: NDArray[np.int64]
    others: NDArray[np.int64]
    thresholds: Numbers


def roc_curve(answers: Answers, of_class: int = 1) -> RocCurve | None:
    """The ROC curve of one class against all others, as scikit-learn computes it.

    Args:
        answers: What the classifier said.
        of_class: The class; 1 is the positive one of two.

    Returns:
        None where the class, or all others, never occur.
    """
    counts = _count(answers, of_class)
    return _roc_curve(counts) if counts.own[-1] and counts.others[-1] else None


def precision_recall_curve(answers: Answers, of_class: int = 1) -> PrecisionRecallCurve | None:
    """The precision-recall curve of one class against all others, as scikit-learn computes it.

    Args:
        answers: What the classifier said.
        of_class: The class; 1 is the positive one of two.

    Returns:
        None where the class never occurs.
    """
    counts = _count(answers, of_class)
    if not counts.own[-1]:
        return None
    precision, recall = counts.own / (counts.own + counts.others), counts.own / counts.own[-1]
    return PrecisionRecallCurve(
        np.append(precision[::-1], 1.0),
        np.append(recall[::-1], 0.0),
        counts.thresholds[::-1],
        _average_precision(counts),
    )


def areas_by_class(answers: Answers) -> list[tuple[float | None, float | None]]:
    """For each class the area under its ROC curve and its average precision; None where it is not defined."""
    areas: list[tuple[float | None, float | None]] = []
    for of_class in range(answers.classes):
        counts = _count(answers, of_class)
        has_both = counts.own[-1] and counts.others[-1]
        roc = _area(counts) if has_both else None
        areas.append((roc, _average_precision(counts) if counts.own[-1] else None))
    return areas


def _count(answers: Answers, of_class: int) -> _Counts:
    scores = answers.probabilities[:, of_class]
    order = np.argsort(
        -scores
    )  # examples of one score are counted together, so that their order says nothing
    scores = scores[order]
    ends = np.append(np.flatnonzero(scores[1:] != scores[:-1]), len(scores) - 1)  # the last one of each score
    own = np.cumsum(answers.targets[order] == of_class)[ends]
    return _Counts(own, ends + 1 - own, scores[ends].astype(np.float64))


def _roc_curve(counts: _Counts) -> RocCurve:
    """Points inside straight stretches are left out; nobody sees them."""
    corners = np.ones(len(counts.own), bool)
    corners[1:-1] = (np.diff(counts.own, 2) != 0) | (np.diff(counts.others, 2) != 0)
    own, others = counts.own[corners], counts.others[corners]
    return RocCurve(
        np.append(0.0, others / others[-1]),
        np.append(0.0, own / own[-1]),
        np.append(np.inf, counts.thresholds[corners]),
        _area(counts),
    )


def _area(counts: _Counts) -> float:
    """Under the ROC curve, by trapezoids; exact in whole numbers up to the last division."""
    own, others = np.append(0, counts.own), np.append(0, counts.others)
    twice = int(np.sum(np.diff(others) * (own[1:] + own[:-1])))
    return twice / (2 * int(own[-1]) * int(others[-1]))


def _average_precision(counts: _Counts) -> float:
    precision = counts.own / (counts.own + counts.others)
    return float(np.sum(np.diff(counts.own, prepend=0) * precision) / counts.own[-1])
