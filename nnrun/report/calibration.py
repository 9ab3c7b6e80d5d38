"""Whether probabilities are what they say they are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnrun.report.answers import Answers

BINS = 10


@dataclass(frozen=True)
class Calibration:
    """Probabilities in bins of equal width, against how often they came true.

    Of two classes it is about the probability of class 1; of more about that of the predicted class.

    Args:
        edges: Of the bins, of shape (bins + 1,), from 0 to 1. A bin holds its upper edge.
        counts: Examples in each bin.
        predicted: The mean probability in each bin; NaN in empty ones.
        observed: The share that came true in each bin; NaN in empty ones.
        expected_error: The mean distance between the two, weighted by the examples (ECE, Guo et al. 2017).
        largest_error: The largest distance between the two.
    """

    edges: NDArray[np.float64]
    counts: NDArray[np.int64]
    predicted: NDArray[np.float64]
    observed: NDArray[np.float64]
    expected_error: float
    largest_error: float

    def rows(self) -> list[dict[str, Any]]:
        """A row for each bin that is not empty."""
        return [
            {
                "from": float(self.edges[index]),
                "to": float(self.edges[index + 1]),
                "examples": int(self.counts[index]),
                "predicted": float(self.predicted[index]),
                "observed": float(self.observed[index]),
            }
            for index in np.flatnonzero(self.counts)
        ]

    def plain(self) -> dict[str, Any]:
        """All of it in plain values."""
        return {
            "expected_error": self.expected_error,
            "largest_error": self.largest_error,
            "bins": self.rows(),
        }


def calibration_of(answers: Answers, bins: int = BINS) -> Calibration:
    """Hold probabilities against what came true.

    Args:
        answers: What the classifier said.
        bins: Their number.
    """
    if answers.classes == 2:
        said, came_true = answers.probabilities[:, 1], answers.targets == 1
    else:
        said, came_true = answers.confidence, answers.predicted == answers.targets
    edges = np.linspace(0, 1, bins + 1)
    places = np.searchsorted(edges[1:-1], said)  # (n,), the bin of each example
    counts = np.bincount(places, minlength=bins)
    sums = np.bincount(places, said, bins), np.bincount(places, came_true, bins)
    empty = np.full(bins, np.nan)
    predicted, observed = (np.divide(one, counts, out=empty.copy(), where=counts != 0) for one in sums)
    distances = np.nan_to_num(np.abs(predicted - observed))
    expected = float(distances @ counts / len(answers))
    return Calibration(edges, counts, predicted, observed, expected, float(distances.max()))


def brier_score(answers: Answers) -> float:
    """The mean squared distance between probabilities and truth: 0 is best.

    Of two classes that of class 1, from 0 to 1; of more the sum over the classes, from 0 to 2.
    """
    if answers.classes == 2:
        return float(np.mean((answers.probabilities[:, 1] - (answers.targets == 1)) ** 2, dtype=np.float64))
    squares = np.einsum("nc,nc->n", answers.probabilities, answers.probabilities).astype(np.float64)
    own = answers.given_to_target.astype(np.float64)
    return float(np.mean(squares - 2 * own + 1))


def log_loss(answers: Answers) -> float:
    """The mean of -log(probability of the true class).

    Probabilities of 0 count as the smallest step of their precision, as in scikit-learn.
    """
    own = answers.given_to_target
    smallest = np.finfo(own.dtype).eps
    return float(-np.log(own.clip(smallest, 1 - smallest).astype(np.float64)).mean())
