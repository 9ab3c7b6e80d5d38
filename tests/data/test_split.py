"""Dividing examples into a part to learn from and a part that is held out."""

from __future__ import annotations

import numpy as np
import pytest

from nnrun.data.split import split_indices
from nnrun.errors import DataError


def labels(*counts: int) -> np.ndarray:
    """So many of each class, mixed."""
    y = np.repeat(np.arange(len(counts)), counts).astype(np.int32)
    return np.random.default_rng(5).permutation(y)


def test_split_indices_of_mnist_sizes_hold_out_exactly_a_tenth() -> None:
    y = labels(5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949)
    kept, held = split_indices(y, 0.1, seed=7)
    assert (len(kept), len(held)) == (54_000, 6_000)
    assert np.abs(np.bincount(y[held]) - np.bincount(y) * 0.1).max() < 1


def test_split_indices_are_ascending_and_cover_every_example_once() -> None:
    kept, held = split_indices(labels(30, 20, 10), 0.25, seed=1)
    assert (np.diff(kept) > 0).all() and (np.diff(held) > 0).all()
    assert sorted([*kept, *held]) == list(range(60))


def test_split_indices_depend_on_the_seed_alone() -> None:
    y = labels(50, 50)
    first, again, other = (split_indices(y, 0.2, seed=seed)[1] for seed in (3, 3, 4))
    assert (first == again).all()
    assert (first != other).any()


def test_split_indices_hold_out_by_largest_remainder() -> None:
    y = labels(5, 3, 2)  # shares of four tenths: 2.0, 1.2, 0.8
    _, held = split_indices(y, 0.4, seed=0)
    assert np.bincount(y[held]).tolist() == [2, 1, 1]


@pytest.mark.parametrize("seed", range(5))
def test_split_indices_with_small_classes_keep_one_of_each(seed: int) -> None:
    y = labels(20, 2, 2, 2)
    kept, held = split_indices(y, 0.75, seed=seed)
    assert len(held) == 20
    assert set(y[kept]) == {0, 1, 2, 3}


def test_split_indices_ask_a_class_of_one_last() -> None:
    y = labels(10, 1, 1)
    kept, held = split_indices(y, 0.5, seed=0)
    assert len(held) == 6
    assert np.bincount(y[kept]).tolist() == [4, 1, 1]


def test_split_indices_of_numbers_are_random() -> None:
    y = np.arange(100, dtype=np.float32)
    kept, held = split_indices(y, 0.3, seed=0)
    assert (len(kept), len(held)) == (70, 30)
    assert held.tolist() != list(range(70, 100))
    assert sorted([*kept, *held]) == list(range(100))


def test_split_indices_of_one_class_hold_out_their_share() -> None:
    kept, held = split_indices(labels(10), 0.2, seed=0)
    assert (len(kept), len(held)) == (8, 2)


@pytest.mark.parametrize(
    ("y", "fraction", "message"),
    [
        (labels(4), 0.1, "training.validation_split: 0.1 of 4 examples leaves no held-out example"),
        (labels(1), 0.4, "training.validation_split: 0.4 of 1 examples leaves no held-out example"),
        (labels(1), 0.5, "training.validation_split: 0.5 of 1 examples leaves no training example"),
        (labels(2, 2), 0.9, "training.validation_split: 0.9 of 4 examples leaves no training example"),
        (
            labels(2, 2),
            0.75,
            "training.validation_split: 0.75 of 4 examples leaves a class of two or more "
            "without a training example; hold out fewer",
        ),
    ],
)
def test_split_indices_that_empty_a_part_are_refused(y: np.ndarray, fraction: float, message: str) -> None:
    with pytest.raises(DataError) as caught:
        split_indices(y, fraction, seed=0)
    assert str(caught.value) == message
