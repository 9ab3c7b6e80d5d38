"""Texts as rows of word numbers of one length."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnrun.errors import DataError

UNKNOWN = 2
"""The number of a word outside the vocabulary; 0 pads and 1 starts a text. These are Keras's."""


def pad_words(texts: Iterable[Sequence[int]], length: int) -> NDArray[np.int32]:
    """Cut and pad texts in front, as ``keras.utils.pad_sequences`` does by default: the last words are kept.

    Args:
        texts: The word numbers of each.
        length: Words in a row.

    Returns:
        int32 of shape (n, length).
    """
    rows = list(texts)
    padded = np.zeros((len(rows), length), dtype=np.int32)
    for row, text in zip(padded, rows, strict=True):
        last = text[-length:]
        row[length - len(last) :] = last
    return padded


def shorten_words(words: NDArray[Any], length: int, vocabulary: int, place: str) -> NDArray[np.int32]:
    """Give padded texts another length and a smaller vocabulary.

    Args:
        words: Whole numbers of shape (n, any), padded in front with 0.
        length: Words in a row; the last ones are kept.
        vocabulary: Numbers from here on become ``UNKNOWN``.
        place: What to call the array in messages.

    Returns:
        int32 of shape (n, length).

    Raises:
        DataError: A number is negative, or the padding does not stand in front.
    """
    negative = np.flatnonzero((words < 0).any(axis=1))
    if len(negative):
        raise DataError(
            f"{place}: expected word numbers of at least 0; row {negative[0]} holds a negative one"
        )
    behind = np.flatnonzero(((words[:, :-1] != 0) & (words[:, 1:] == 0)).any(axis=1))
    if len(behind):
        raise DataError(
            f"{place}: expected the padding 0 in front of the words; row {behind[0]} has one behind a word"
        )
    last = words[:, -length:]
    known = np.where(last < vocabulary, last, UNKNOWN).astype(np.int32)
    return np.pad(known, ((0, 0), (length - known.shape[1], 0)))
