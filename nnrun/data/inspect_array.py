"""What stands in arrays: range, mean and histogram, a piece at a time, so that files that are only mapped stay so."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnrun.data.inspect_views import Array, Histogram, bin_edges
from nnrun.data.inspect_words import describe_word_numbers

PIECE = 1 << 22
"""Values that are looked at in one go."""


def describe_array(name: str, blocks: Sequence[NDArray[Any]], vocabulary: int | None = None) -> Array:
    """What stands in the arrays of an input.

    Args:
        name: The input's.
        blocks: Its examples, one block below the other, each of shape (n, ...) with n > 0.
        vocabulary: Where they are word numbers, those lie in [0, vocabulary).
    """
    missing = infinite = count = 0
    total, low, high = 0.0, np.inf, -np.inf
    least: NDArray[Any] | None = None
    most: NDArray[Any] | None = None
    for piece in _pieces(blocks):
        least = piece.min(axis=0) if least is None else np.minimum(least, piece.min(axis=0))
        most = piece.max(axis=0) if most is None else np.maximum(most, piece.max(axis=0))
        finite = _finite(piece)
        if finite.size < piece.size:
            missing += int(np.count_nonzero(np.isnan(piece)))
            infinite += int(np.count_nonzero(np.isinf(piece)))
        if finite.size:
            count += finite.size
            total += float(finite.sum(dtype=np.float64))
            low, high = min(low, float(finite.min())), max(high, float(finite.max()))
    found = Array(
        name,
        values=count + missing + infinite,
        missing=missing,
        infinite=infinite,
        minimum=low if count else None,
        maximum=high if count else None,
        mean=total / count if count else None,
        deviation=None,
        constant=int(np.count_nonzero(least == most)) if sum(map(len, blocks)) > 1 else 0,
        words=describe_word_numbers(np.concatenate(blocks), vocabulary) if vocabulary else None,
    )
    return found if not count else _spread(found, blocks, count, total / count)


def _spread(found: Array, blocks: Sequence[NDArray[Any]], count: int, mean: float) -> Array:
    """The array with its standard deviation and histogram, for which range and mean must be known."""
    low, high = float(found.minimum or 0), float(found.maximum or 0)
    whole = blocks[0].dtype.kind in "iub"
    edges = bin_edges(low, high, count, whole=whole)
    counts, squares = np.zeros(len(edges) - 1, np.int64), 0.0
    for piece in _pieces(blocks):
        finite = _finite(piece)
        if piece.dtype == np.uint8:  # few different values: each is looked at once
            of_value = np.bincount(finite.ravel(), minlength=256)
            counts += np.histogram(np.arange(256), edges, weights=of_value)[0].astype(np.int64)
            squares += float((of_value * (np.arange(256) - mean) ** 2).sum())
        else:
            counts += np.histogram(finite, edges)[0]
            squares += float(((finite.astype(np.float64) - mean) ** 2).sum())
    histogram = Histogram.from_counts(counts, edges, whole=whole)
    return replace(found, deviation=float(np.sqrt(squares / count)), histogram=histogram)


def _pieces(blocks: Sequence[NDArray[Any]]) -> Iterator[NDArray[Any]]:
    for block in blocks:
        size = max(1, PIECE // max(1, block[:1].size))
        for first in range(0, len(block), size):
            yield block[first : first + size]


def _finite(piece: NDArray[Any]) -> NDArray[Any]:
    """The finite values: all of them without a copy, where all are."""
    if piece.dtype.kind != "f":
        return piece
    is_finite = np.isfinite(piece)
    return piece if is_finite.all() else piece[is_finite]
