"""Dividing examples into a part to learn from and a part that is held out."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnrun.data.random_streams import SPLIT, random_stream
from nnrun.errors import DataError
from nnrun.spec.datasets import held_out


def split_indices(
    y: NDArray[Any], fraction: float, *, seed: int, setting: str = "training.validation_split"
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Divide examples at random, as a function of seed and targets alone.

    Exactly ``fraction`` of the examples, halves rounded up, is held out: 6,000 of 60,000 for 0.1. Whole
    numbers in ``y`` are classes, and the division is stratified: each class gives its share, the places left
    over by rounding down go to the classes with the largest remainders, and a class of two or more examples
    always keeps one to learn from. Other targets are divided without regard to their values.

    Args:
        y: Class indices of shape (n,), or numbers of shape (n,) or (n, k).
        fraction: Of the examples to hold out, in (0, 1).
        seed: The specification's seed.
        setting: What the fraction is called in messages.

    Returns:
        The indices to learn from and those held out; each ascending, so the data's own order is kept.

    Raises:
        DataError: A part would be empty, or a class would have nothing to learn from.
    """
    count = len(y)
    held = held_out(count, fraction)
    if not 0 < held < count:
        part = "held-out" if held == 0 else "training"
        raise DataError(f"{setting}: {fraction:g} of {count:,} examples leaves no {part} example")
    random = random_stream(seed, SPLIT)
    if y.dtype.kind in "iu":
        chosen = _choose_by_class(y, held, random, f"{setting}: {fraction:g} of {count:,} examples")
    else:
        chosen = random.permutation(count)[:held]
    is_held = np.zeros(count, dtype=bool)
    is_held[chosen] = True
    return np.flatnonzero(~is_held), np.flatnonzero(is_held)


def _choose_by_class(
    y: NDArray[Any], held: int, random: np.random.Generator, described: str
) -> NDArray[np.int64]:
    classes, counts = np.unique(y, return_counts=True)
    if held > np.maximum(counts - 1, 1).sum():
        raise DataError(
            f"{described} leaves a class of two or more without a training example; hold out fewer"
        )
    allotted = _allot(counts.tolist(), held)
    chosen = [
        random.permutation(np.flatnonzero(y == label))[:places]
        for label, places in zip(classes, allotted, strict=True)
    ]
    return np.concatenate(chosen)


def _allot(counts: list[int], held: int) -> list[int]:
    """How many of each class are held out: proportional, by largest remainder, never all of two or more."""
    total = sum(counts)
    most = [max(count - 1, 1) for count in counts]
    allotted = [min(count * held // total, limit) for count, limit in zip(counts, most, strict=True)]
    # A class of one is asked last: in the held-out part nothing is learned from it.
    order = sorted(range(len(counts)), key=lambda c: (counts[c] == 1, -(counts[c] * held % total), c))
    missing = held - sum(allotted)
    while missing:
        for c in order:
            if missing and allotted[c] < most[c]:
                allotted[c] += 1
                missing -= 1
    return allotted
