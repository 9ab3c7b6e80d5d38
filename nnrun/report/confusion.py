"""Which classes are taken for which."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnrun.report.answers import Answers
from nnrun.spec.names import shorten

MOST_CLASSES = 20
"""What a terminal can show as a table."""

LONGEST_NAME = 16
SHADES = " ░▒▓█"
ASCII_SHADES = " .:+#"


@dataclass(frozen=True)
class Confusion:
    """How often examples of one class were taken for another one.

    Args:
        counts: int64 of shape (classes, classes): rows are true classes, columns predicted ones.
        class_names: One for each class.
    """

    counts: NDArray[np.int64]
    class_names: tuple[str, ...]

    @cached_property
    def rates(self) -> NDArray[np.float64]:
        """The shares of each true class, of shape (classes, classes); 0 for classes that never occur."""
        support = self.counts.sum(axis=1, keepdims=True)
        shares = np.zeros(self.counts.shape)
        np.divide(self.counts, support, out=shares, where=support != 0)
        return shares

    def plain(self) -> dict[str, Any]:
        """Counts and rates by true class in plain values."""
        return {
            "class_names": list(self.class_names),
            "counts": self.counts.tolist(),
            "rates": self.rates.tolist(),
        }

    def rows(self) -> list[list[Any]]:
        """A table: a header, then the counts of each true class behind its name."""
        header = ["true class", *self.class_names]
        lines = zip(self.class_names, self.counts.tolist(), strict=True)
        return [header, *([name, *counts] for name, counts in lines)]

    def most_frequent(self, count: int = 20) -> list[tuple[int, int, int]]:
        """The confusions that happened most often: true class, predicted class, how often."""
        wrong = self.counts - np.diag(np.diag(self.counts))
        order = np.argsort(-wrong, axis=None, kind="stable")[:count]
        pairs = [divmod(int(place), len(wrong)) for place in order]
        return [(true, said, int(wrong[true, said])) for true, said in pairs if wrong[true, said]]

    def lines(self, width: int = 120, shades: str = SHADES) -> list[str]:
        """The matrix as text; the most frequent confusions where it has more than 20 classes or is too wide.

        Args:
            width: Characters that a line may have.
            shades: Five characters for shares of the true class, from none to all; ``ASCII_SHADES`` where the
                terminal shows nothing else.
        """
        if len(self.class_names) > MOST_CLASSES:
            return self._list()
        matrix = self._matrix(shades)
        return matrix if max(map(len, matrix)) <= width else self._list()

    def _matrix(self, shades: str) -> list[str]:
        names = [shorten(name, LONGEST_NAME) for name in self.class_names]
        margin = max(map(len, names))
        cell = max(len(str(self.counts.max())), len(str(len(names) - 1))) + 1
        columns = "".join(f"{index:>{cell}} " for index in range(len(names)))
        lines = [f"{'true class':<{margin + 4}} predicted class", f"{'':>{margin + 4}}{columns.rstrip()}"]
        levels = np.ceil(self.rates * (len(shades) - 1)).astype(int)  # one wrong of a thousand is shaded too
        for index, name in enumerate(names):
            cells = "".join(
                f"{count:>{cell}}{shades[level]}"
                for count, level in zip(self.counts[index], levels[index], strict=True)
            )
            lines.append(f"{name:<{margin}} {index:>2} {cells}".rstrip())
        return lines

    def _list(self) -> list[str]:
        support = self.counts.sum(axis=1)
        found = self.most_frequent()
        names = {index: shorten(self.class_names[index]) for pair in found for index in pair[:2]}
        width = len(f"{found[0][2]:,}") if found else 0
        return [
            f"{count:>{width},} of {support[true]:,} ({count / support[true]:.1%}) "
            f"{names[true]} taken for {names[said]}"
            for true, said, count in found
        ] or ["no class is taken for another one"]


def confusion_of(answers: Answers) -> Confusion:
    """Count which classes are taken for which."""
    classes = answers.classes
    cells = np.bincount(answers.targets * classes + answers.predicted, minlength=classes**2)
    return Confusion(cells.reshape(classes, classes), answers.class_names)
