"""Data sets that are made from their arguments and the seed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from nnrun.data.examples import Examples
from nnrun.data.generated import make_examples
from nnrun.spec.datasets import complete_arguments
from nnrun.spec.schema import Choice

POINTS = ["blobs", "moons", "circles", "spirals"]


def make(name: str, seed: int = 7, **arguments: Any) -> Examples:
    return make_examples(name, complete_arguments(Choice(name, arguments)), seed)


def test_xor_is_the_truth_table() -> None:
    examples = make("xor")
    assert examples.x.tolist() == [[0, 0], [0, 1], [1, 0], [1, 1]]
    assert examples.y.tolist() == [0, 1, 1, 0]
    assert (examples.x.dtype, examples.y.dtype) == (np.float32, np.int32)


def test_celsius_gives_fahrenheit() -> None:
    examples = make("celsius")
    assert examples.x[:, 0].tolist() == [-40, -10, 0, 8, 15, 22, 38]
    expected = np.array([-40, 14, 32, 46.4, 59, 71.6, 100.4], dtype=np.float32)
    assert (examples.y == expected).all()


@pytest.mark.parametrize("name", POINTS)
def test_points_depend_on_the_seed_alone(name: str) -> None:
    assert (make(name).x == make(name).x).all()
    assert (make(name).x != make(name, seed=8).x).any()


@pytest.mark.parametrize("name", POINTS)
def test_points_have_classes_of_equal_size_in_float32(name: str) -> None:
    examples = make(name, examples=101)
    counts = np.bincount(examples.y)
    assert counts.max() - counts.min() <= 1
    assert examples.x.shape == (101, 2)
    assert (examples.x.dtype, examples.y.dtype) == (np.float32, np.int32)


def test_blobs_without_noise_are_their_centres() -> None:
    examples = make("blobs", classes=5, features=3, noise=0)
    centres = np.unique(examples.x, axis=0)
    assert centres.shape == (5, 3)
    gaps = [np.linalg.norm(a - b) for i, a in enumerate(centres) for b in centres[:i]]
    assert min(gaps) > 1  # of a cube with edges of 2


def test_moons_without_noise_are_half_circles() -> None:
    examples = make("moons", noise=0)
    upper, lower = examples.x[examples.y == 0], examples.x[examples.y == 1]
    centre = np.array([0.5, 0.25])
    assert np.allclose(np.linalg.norm(upper + centre, axis=1), 1, atol=1e-5)
    assert np.allclose(np.linalg.norm(lower - centre, axis=1), 1, atol=1e-5)
    assert upper[:, 1].min() >= -0.25 and lower[:, 1].max() <= 0.25


def test_circles_without_noise_have_their_radii() -> None:
    examples = make("circles", noise=0, factor=0.3)
    radii = np.linalg.norm(examples.x, axis=1)
    assert np.allclose(radii, np.where(examples.y == 0, 1, 0.3), atol=1e-6)


def test_spirals_without_noise_turn_with_the_radius() -> None:
    examples = make("spirals", noise=0, classes=3, turns=2.0)
    radii = np.linalg.norm(examples.x, axis=1)
    expected = 2 * np.pi * (2 * radii + examples.y / 3)
    angles = np.arctan2(examples.x[:, 1], examples.x[:, 0])
    assert np.allclose(np.cos(angles - expected), 1, atol=1e-4)
    assert radii.min() + 1e-6 >= 0.05 and radii.max() <= 1


def test_noise_spreads_points_by_its_standard_deviation() -> None:
    arguments = {"examples": 20_000, "classes": 2}
    offsets = make("blobs", noise=0.5, **arguments).x - make("blobs", noise=0, **arguments).x
    assert offsets.std() == pytest.approx(0.5, rel=0.02)
