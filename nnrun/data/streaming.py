"""Examples that stay in their files, because all of them would not fit in memory."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from nnrun.data.examples import Examples, Streamed
from nnrun.data.order import block_order, example_order
from nnrun.spec.datasets import InputFacts

Cache = Literal["memory", "disk", "none"]

SHARE = 0.4
"""Of the memory that is free examples may take so much: the model, TensorFlow and copies want some too."""

BLOCK_ROWS = 65_536
"""Rows of a table that are read at a time, at most."""

BLOCK_VALUES = 4_000_000
"""Numbers that are read at a time, about: of a wide table fewer rows."""

POOL_BLOCKS = 4
"""Blocks whose rows are shuffled among each other."""


def choose_cache(size: int, *, in_place: bool) -> Cache:
    """Where examples are kept that take so many bytes.

    Args:
        size: In memory.
        in_place: Whether they can be read from their files in any order; else they are written to disk once.
    """
    if size <= SHARE * available_bytes():
        return "memory"
    return "none" if in_place else "disk"


def rows_in_block(columns: int) -> int:
    """The rows of a block of a table with so many columns."""
    return max(256, min(BLOCK_ROWS, BLOCK_VALUES // max(1, columns)))


def available_bytes() -> int:
    """The memory that is free, where the system tells; else half of what is installed."""
    try:
        with Path("/proc/meminfo").open(encoding="ascii") as file:
            for line in file:
                if line.startswith("MemAvailable:"):
                    return int(line.split()[1]) * 1024
    except OSError:
        pass
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2
    except (AttributeError, ValueError, OSError):
        return 4 << 30


def as_whole(examples: Examples | Streamed) -> Examples:
    """All of the examples in memory."""
    if isinstance(examples, Examples):
        return examples
    count = len(examples)
    (x,) = examples.windows(np.arange(count), max(1, count))
    return Examples(x, examples.y, examples.weights)


@dataclass
class StreamedItems:
    """Examples that can be had one by one, such as pictures.

    Args:
        reader: Reads them.
        part: What they are part of.
        rows: Which of it, int64 of shape (n,).
        y: Their targets.
        weights: What each of them counts, if not all the same.
    """

    reader: Any
    part: Any
    rows: NDArray[Any]
    y: NDArray[Any]
    weights: NDArray[Any] | None = None

    @property
    def inputs(self) -> Mapping[str, InputFacts]:
        """The inputs by name."""
        return self.reader.inputs()  # type: ignore[no-any-return]

    def __len__(self) -> int:
        return len(self.y)

    def order(self, *, seed: int, epoch: int, shuffle: bool) -> NDArray[np.int32]:
        """Any order will do: that of examples in memory."""
        return example_order(len(self), seed=seed, epoch=epoch, shuffle=shuffle)

    def windows(self, rows: NDArray[Any], size: int) -> Iterator[Any]:
        """The inputs of examples in the order of ``rows``, ``size`` at a time."""
        for begin in range(0, len(rows), size):
            yield self.reader.examples(self.part, self.rows[rows[begin : begin + size]])


@dataclass
class StreamedBlocks(StreamedItems):
    """Examples that are read in blocks of ``part.block_rows`` rows, such as the rows of a table.

    ``reader.block(part, index)`` gives the inputs of all rows of a block.
    """

    def order(self, *, seed: int, epoch: int, shuffle: bool) -> NDArray[np.int32]:
        """An order in which only a few blocks are needed at a time."""
        size = self.part.block_rows
        last = 0 if not len(self.rows) else int(self.rows[-1]) // size
        bounds = np.searchsorted(self.rows, np.arange(last + 2) * size)
        return block_order(bounds, POOL_BLOCKS, seed=seed, epoch=epoch, shuffle=shuffle)

    def windows(self, rows: NDArray[Any], size: int) -> Iterator[Any]:
        """The inputs of examples in the order of ``rows``, ``size`` at a time."""
        blocks: dict[int, Any] = {}
        for begin in range(0, len(rows), size):
            wanted = self.rows[rows[begin : begin + size]]
            homes = wanted // self.part.block_rows
            needed = np.unique(homes).tolist()
            for home in needed:
                blocks[home] = blocks.pop(home, None) or self.reader.block(self.part, home)
            for home in list(blocks)[: max(0, len(blocks) - max(POOL_BLOCKS, len(needed)))]:
                del blocks[home]  # those that were not needed for longest
            yield self._gather(blocks, wanted, homes)

    def _gather(self, blocks: Mapping[int, Any], wanted: NDArray[Any], homes: NDArray[Any]) -> Any:
        found = {name: np.empty((len(wanted), *one.shape), one.dtype) for name, one in self.inputs.items()}
        for home in np.unique(homes).tolist():
            here = homes == home
            for name, values in blocks[home].items():
                found[name][here] = values[wanted[here] - home * self.part.block_rows]
        return found["input"] if list(found) == ["input"] else found
