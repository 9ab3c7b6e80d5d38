"""In which order the examples come in an epoch: a function of seed and epoch alone."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def example_order(count: int, *, seed: int, epoch: int, shuffle: bool) -> NDArray[np.int32]:
    """The order of examples that can be had one by one.

    Args:
        count: Number of examples.
        seed: The specification's seed.
        epoch: Counted from 0.
        shuffle: False keeps the data's own order.

    Returns:
        int32 of shape (count,).
    """
    if not shuffle:
        return np.arange(count, dtype=np.int32)
    return _generator(seed, epoch).permutation(count).astype(np.int32)


def block_order(
    bounds: NDArray[np.int64], pool: int, *, seed: int, epoch: int, shuffle: bool
) -> NDArray[np.int32]:
    """The order of examples that lie in blocks, each of which is read as a whole.

    Blocks come in a random order, a pool of them is open at a time, and its examples are shuffled among each other.

    Args:
        bounds: Where the blocks begin and the last one ends, of shape (blocks + 1,).
        pool: Blocks in a pool.
        seed: The specification's seed.
        epoch: Counted from 0.
        shuffle: False keeps the data's own order.

    Returns:
        int32 of shape (n,).
    """
    if not shuffle:
        return np.arange(bounds[-1], dtype=np.int32)
    generator = _generator(seed, epoch)
    blocks = generator.permutation(len(bounds) - 1)
    found = np.empty(bounds[-1], np.int32)
    filled = 0
    for begin in range(0, len(blocks), pool):
        members = [np.arange(bounds[one], bounds[one + 1]) for one in blocks[begin : begin + pool]]
        rows = generator.permutation(np.concatenate(members))
        found[filled : filled + len(rows)] = rows
        filled += len(rows)
    return found


def _generator(seed: int, epoch: int) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(key=[seed, epoch]))
