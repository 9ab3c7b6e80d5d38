"""From a data section to the examples: find them, split them, identify them."""

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


@dataclass(frozen=True)
class Data:
    """A data set, loaded and split.

    Args:
        name: What to show: ``mnist``, or ``digits (fallback for mnist: <reason>)``.
        facts: Of what was really loaded; ``facts.train`` counts the validation part too.
        train: What the weights are learned from.
        validation: What tells the best epoch; None without ``training.validation_split``.
        test: What nothing is learned from; None where the source has none.
        class_names: One for each class; None for regression.
        fingerprint: ``sha256:<hex>`` of the content before the split.
        split: The indices (int64, ascending) of ``train`` and ``validation`` in the source's training part.
        warning: What nobody must miss, such as a fallback.
    """

    name: str
    facts: DatasetFacts
    train: Examples
    validation: Examples | None
    test: Examples | None
    class_names: tuple[str, ...] | None
    fingerprint: str
    split: dict[str, NDArray[Any]]
    warning: str | None
