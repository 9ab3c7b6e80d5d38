"""What the data room deals in: examples with their targets."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from nnrun.spec.datasets import DatasetFacts, InputFacts

ALIGNMENT = 64
"""Bytes; TensorFlow copies what does not begin at a multiple of it."""


@dataclass(frozen=True)
class Examples:
    """Examples with their targets.

    Args:
        x: Of shape (n, ...) in the dtype it is stored in, or a dict of such arrays by input name.
        y: Class indices, int32 of shape (n,); or numbers, float32 of shape (n,) or (n, k).
        weights: What each example counts, float32 of shape (n,); None where all count the same.
    """

    x: NDArray[Any] | dict[str, NDArray[Any]]
    y: NDArray[Any]
    weights: NDArray[Any] | None = None

    def __len__(self) -> int:
        return len(self.y)

    def take(self, indices: NDArray[Any]) -> Examples:
        """The examples at ``indices``, in that order."""
        weights = None if self.weights is None else self.weights[indices]
        if isinstance(self.x, dict):
            x = {name: array[indices] for name, array in self.x.items()}
            return Examples(x, self.y[indices], weights)
        return Examples(self.x[indices], self.y[indices], weights)


class Streamed(Protocol):
    """Examples that stay in their files; their targets are in memory."""

    @property
    def y(self) -> NDArray[Any]:
        """As those of :class:`Examples`."""

    @property
    def weights(self) -> NDArray[Any] | None:
        """What each example counts, float32 of shape (n,); None where all count the same."""

    @property
    def inputs(self) -> Mapping[str, InputFacts]:
        """The inputs by name; a single one called ``input`` comes without its name."""

    def __len__(self) -> int:
        """The number of examples."""

    def order(self, *, seed: int, epoch: int, shuffle: bool) -> NDArray[np.int32]:
        """The order of the examples in an epoch, a function of seed and epoch alone: one that the files can follow."""

    def windows(self, rows: NDArray[Any], size: int) -> Iterator[NDArray[Any] | dict[str, NDArray[Any]]]:
        """The inputs of examples in the order of ``rows``, ``size`` at a time.

        Raises:
            DataError: A file is not what it was when it was looked at first.
        """


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


def aligned(shape: tuple[int, ...], dtype: Any) -> NDArray[Any]:
    """An empty array that TensorFlow can take over without a copy: it begins at a multiple of 64 bytes."""
    size = math.prod(shape) * np.dtype(dtype).itemsize
    memory: NDArray[Any] = np.empty(size + ALIGNMENT, np.uint8)
    first = -memory.ctypes.data % ALIGNMENT
    inside: NDArray[Any] = memory[first : first + size].view(dtype)
    return inside.reshape(shape)
