"""How well a classifier does: by class, on the whole, and what it confuses."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnrun.report.answers import Answers
from nnrun.report.calibration import brier_score, calibration_of, log_loss
from nnrun.report.thresholds import areas_by_class
from nnrun.spec.names import shorten

LONGEST_NAME = 40
MOST_RANKS = 5


@dataclass(frozen=True)
class Scores:
    """Precision, recall and F1 of a class, or averages of them; 0 where they are not defined.

    Args:
        name: The class, ``macro avg`` or ``weighted avg``.
        precision: The share of what is taken for the class that is of it.
        recall: The share of the class that is taken for it.
        f1: Their harmonic mean.
        support: The number of examples of the class.
    """

    name: str
    precision: float
    recall: float
    f1: float
    support: int


@dataclass(frozen=True)
class ClassReport:
    """The scores of all classes.

    Args:
        classes: In the order of their indices.
        accuracy: The share of examples that are right.
        macro: The mean of the classes.
        weighted: The mean of the classes, weighted by their examples.
    """

    classes: tuple[Scores, ...]
    accuracy: float
    macro: Scores
    weighted: Scores

    def plain(self) -> dict[str, Any]:
        """All of it in plain values."""
        return asdict(self)

    def rows(self) -> list[dict[str, Any]]:
        """A row for each class and each average."""
        return [asdict(scores) for scores in (*self.classes, self.macro, self.weighted)]

    def text(self, digits: int = 4) -> str:
        """A table, as scikit-learn's ``classification_report`` lays it out.

        Args:
            digits: Behind the decimal point.
        """
        averages = (self.macro, self.weighted)
        names = [shorten(scores.name, LONGEST_NAME) for scores in self.classes]
        width = max(len(name) for name in [*names, "weighted avg"])
        total = self.macro.support
        lines = [f"{'':>{width}}  {'precision':>9} {'recall':>9} {'f1-score':>9} {'support':>9}", ""]
        lines += [
            _line(name, scores, width, digits) for name, scores in zip(names, self.classes, strict=True)
        ]
        lines += ["", f"{'accuracy':>{width}}  {'':>9} {'':>9} {self.accuracy:>9.{digits}f} {total:>9}"]
        lines += [_line(scores.name, scores, width, digits) for scores in averages]
        return "\n".join(lines) + "\n"


@dataclass(frozen=True)
class Mistake:
    """An example that is wrong.

    Args:
        index: Its number in the part, from 0.
        target: The class it is of.
        predicted: The class it was taken for.
        probability: Of the predicted class.
        probability_of_target: Of its own class.
    """

    index: int
    target: int
    predicted: int
    probability: float
    probability_of_target: float


def report_by_class(answers: Answers) -> ClassReport:
    """Precision, recall and F1 by class, and their averages."""
    classes = answers.classes
    support = np.bincount(answers.targets, minlength=classes)
    taken = np.bincount(answers.predicted, minlength=classes)
    right = np.bincount(answers.targets[answers.targets == answers.predicted], minlength=classes)
    precision, recall = _share(right, taken), _share(right, support)
    f1 = _share(2 * right, taken + support)
    columns = np.stack([precision, recall, f1])  # (3, classes)
    total = int(support.sum())
    return ClassReport(
        tuple(
            _scores(name, columns[:, index], int(support[index]))
            for index, name in enumerate(answers.class_names)
        ),
        float(right.sum() / total),
        _scores("macro avg", columns.mean(axis=1), total),
        _scores("weighted avg", columns @ support / total, total),
    )


def top_k_accuracy(answers: Answers) -> dict[int, float]:
    """The share of examples whose class is among the k most probable ones, for k from 1 to 5.

    Of classes that are equally probable the first counts as the more probable one, as it does for ``predicted``:
    k = 1 gives the accuracy.
    """
    own = answers.given_to_target[:, None]  # (n, 1)
    before = (answers.probabilities > own).sum(axis=1)  # (n,), how many are more probable
    tied = answers.probabilities == own  # (n, classes)
    several = np.flatnonzero(tied.sum(axis=1) > 1)
    earlier = np.arange(answers.classes) < answers.targets[several, None]
    before[several] += (tied[several] & earlier).sum(axis=1)
    return {k: float((before < k).mean()) for k in range(1, min(MOST_RANKS, answers.classes) + 1)}


def confident_mistakes(answers: Answers, count: int = 25) -> list[Mistake]:
    """The mistakes of which the classifier was surest, the surest first.

    Args:
        answers: What it said.
        count: How many there are at most.
    """
    wrong = np.flatnonzero(answers.predicted != answers.targets)
    surest = wrong[np.argsort(-answers.confidence[wrong], kind="stable")][:count]
    return [
        Mistake(
            int(index),
            int(answers.targets[index]),
            int(answers.predicted[index]),
            float(answers.confidence[index]),
            float(answers.given_to_target[index]),
        )
        for index in surest
    ]


def describe_classes(answers: Answers) -> dict[str, Any]:
    """All numbers in plain values, as they are kept in JSON.

    Returns:
        ``examples``, ``accuracy``, ``top_k`` (by k), ``log_loss``, ``brier_score``, ``calibration``, ``macro``,
        ``weighted``, and ``classes``: for each its scores, ``roc_area`` and ``average_precision`` (None where they
        are not defined: the class or its opposite never occurs).
    """
    report = report_by_class(answers).plain()
    areas = areas_by_class(answers)
    report["classes"] = [
        scores | {"roc_area": roc, "average_precision": average}
        for scores, (roc, average) in zip(report["classes"], areas, strict=True)
    ]
    top = {str(k): share for k, share in top_k_accuracy(answers).items()}
    return {
        "examples": len(answers),
        "top_k": top,
        "log_loss": log_loss(answers),
        "brier_score": brier_score(answers),
        "calibration": calibration_of(answers).plain(),
        **report,
    }


def _scores(name: str, values: NDArray[np.float64], support: int) -> Scores:
    precision, recall, f1 = values.tolist()
    return Scores(name, precision, recall, f1, support)


def _share(part: NDArray[np.int64], whole: NDArray[np.int64]) -> NDArray[np.float64]:
    """The quotients; 0 where there is nothing to divide by."""
    return np.divide(part, whole, out=np.zeros(len(part)), where=whole != 0)


def _line(name: str, scores: Scores, width: int, digits: int) -> str:
    values = " ".join(f"{value:>9.{digits}f}" for value in (scores.precision, scores.recall, scores.f1))
    return f"{name:>{width}}  {values} {scores.support:>9}"
