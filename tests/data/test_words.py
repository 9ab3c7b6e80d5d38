"""Texts as rows of word numbers."""

from __future__ import annotations

import numpy as np
import pytest

from nnrun.data.words import pad_words, shorten_words
from nnrun.errors import DataError
from nnrun.keras_backend import load_keras

TEXTS = [[1, 5, 6, 7], [1], [], [1, 9, 8, 7, 6, 5, 4]]


def test_pad_words_keeps_the_last_and_pads_in_front() -> None:
    assert pad_words(TEXTS, 5).tolist() == [[0, 1, 5, 6, 7], [0, 0, 0, 0, 1], [0] * 5, [8, 7, 6, 5, 4]]


@pytest.mark.tensorflow
@pytest.mark.parametrize("length", [1, 3, 5, 9])
def test_pad_words_equals_keras(length: int) -> None:
    expected = load_keras().utils.pad_sequences(TEXTS, maxlen=length)
    padded = pad_words(TEXTS, length)
    assert padded.dtype == expected.dtype and (padded == expected).all()


@pytest.mark.parametrize("length", [2, 4, 6])
def test_shorten_words_equals_padding_to_the_length(length: int) -> None:
    assert (
        shorten_words(pad_words(TEXTS, 4), length, 100, "x") == pad_words([t[-4:] for t in TEXTS], length)
    ).all()


def test_shorten_words_outside_the_vocabulary_become_unknown() -> None:
    shortened = shorten_words(np.array([[0, 1, 9, 10, 11]]), 5, 10, "x")
    assert shortened.tolist() == [[0, 1, 9, 2, 2]]
    assert shortened.dtype == np.int32


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (
            [[0, 1], [1, 0]],
            "x: expected the padding 0 in front of the words; row 1 has one behind a word",
        ),
        ([[0, -1]], "x: expected word numbers of at least 0; row 0 holds a negative one"),
    ],
)
def test_shorten_words_of_the_wrong_form_are_refused(rows: list[list[int]], message: str) -> None:
    with pytest.raises(DataError) as caught:
        shorten_words(np.array(rows), 2, 10, "x")
    assert str(caught.value) == message
