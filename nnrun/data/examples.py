"""What the data room deals in: examples with their targets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from nnrun.spec.datasets import DatasetFacts


@dataclass(frozen=True)
class Examples:
    """Examples with their targets.

    Args:
        x: Of shape (n, ...) in the dtype it is stored in, or a dict of such arrays by input name.
        y: Class indices, int32 of shape (n,); or numbers, float32 of shape (n,) or (n, k).
    """

    x: NDArray[Any] | dict[str, NDArray[Any]]
    y: NDArray[Any]

    def __len__(self) -> int:
        return len(self.y)

    def take(self, indices: NDArray[Any]) -> Examples:
        """The examples at ``indices``, in that order."""
        if isinstance(self.x, dict):
            return Examples({name: array[indices] for name, array in self.x.items()}, self.y[indices])
        return Examples(self.x[indices], self.y[indices])


@dataclass(frozen=True)
class Dataset:
    """A source, loaded and not yet split for validation.

    Args:
        facts: Of what was really loaded.
        train: The training part.
        test: The test part, where there is one.
        class_names: One for each class; None for regression.
    """

    facts: DatasetFacts
    train: Examples
    test: Examples | None
    class_names: tuple[str, ...] | None
