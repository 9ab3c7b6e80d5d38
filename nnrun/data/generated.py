"""Data sets that are made from their arguments and the seed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnrun.data.examples import Examples
from nnrun.data.random_streams import POINTS, random_stream
from nnrun.spec.inline import class_labels

Arguments = Mapping[str, Any]
Random = np.random.Generator

CENTRE_CANDIDATES = 100
"""For each blob; the more, the farther apart they lie."""


def make_examples(name: str, arguments: Arguments, seed: int) -> Examples:
    """Make a data set.

    Args:
        name: ``xor``, ``inline``, ``celsius``, ``blobs``, ``moons``, ``circles`` or ``spirals``.
        arguments: All of the source's arguments. ``noise`` is the standard deviation of what is added to each
            coordinate; without it the points lie in [-1.5, 1.5].
        seed: The specification's seed.

    Returns:
        x float32 of shape (n, features). y int32 of shape (n,), the classes taking turns and so of equal
        size, give or take one; for celsius float32 of shape (n,), in degrees Fahrenheit.
    """
    if name == "xor":
        return Examples(_float32([[0, 0], [0, 1], [1, 0], [1, 1]]), np.array([0, 1, 1, 0], dtype=np.int32))
    if name == "inline":
        return _inline(arguments)
    if name == "celsius":
        celsius = np.array([-40, -10, 0, 8, 15, 22, 38])
        return Examples(_float32(celsius[:, np.newaxis]), _float32(celsius * 9 / 5 + 32))
    random = random_stream(seed, POINTS)
    y = np.arange(arguments["examples"]) % arguments.get("classes", 2)
    points = _POINTS[name](y, arguments, random)  # (n, features)
    return Examples(
        _float32(points + arguments["noise"] * random.standard_normal(points.shape)), y.astype(np.int32)
    )


def _inline(arguments: Arguments) -> Examples:
    """The examples that stand in the specification."""
    x, y = _float32(arguments["x"]), arguments["y"]
    labels = class_labels(y)
    targets = (
        _float32(y) if labels is None else np.array([labels.index(value) for value in y], dtype=np.int32)
    )
    return Examples(x[:, np.newaxis] if x.ndim == 1 else x, targets)


def _blobs(y: NDArray[Any], arguments: Arguments, random: Random) -> NDArray[Any]:
    """A cloud for each class; each next centre is the candidate that lies farthest from those before."""
    classes, features = arguments["classes"], arguments["features"]
    centres = random.uniform(-1, 1, (1, features))
    while len(centres) < classes:
        candidates = random.uniform(-1, 1, (CENTRE_CANDIDATES, features))
        distances = np.linalg.norm(candidates[:, np.newaxis] - centres, axis=2)  # (candidates, centres)
        centres = np.vstack([centres, candidates[distances.min(axis=1).argmax()]])
    points: NDArray[Any] = centres[y]
    return points


def _moons(y: NDArray[Any], arguments: Arguments, random: Random) -> NDArray[Any]:
    """Two half circles of radius 1, each with an end inside the other."""
    angle = random.uniform(0, np.pi, len(y))
    upper = np.column_stack([np.cos(angle) - 0.5, np.sin(angle) - 0.25])
    return np.where((y == 0)[:, np.newaxis], upper, -upper)


def _circles(y: NDArray[Any], arguments: Arguments, random: Random) -> NDArray[Any]:
    """A circle of radius 1 and one of radius ``factor`` inside it."""
    return _polar(np.where(y == 0, 1, arguments["factor"]), random.uniform(0, 2 * np.pi, len(y)))


def _spirals(y: NDArray[Any], arguments: Arguments, random: Random) -> NDArray[Any]:
    """One arm for each class, from near the centre to radius 1 in ``turns`` turns."""
    radius = random.uniform(0.05, 1, len(y))
    return _polar(radius, 2 * np.pi * (arguments["turns"] * radius + y / arguments["classes"]))


def _polar(radius: NDArray[Any], angle: NDArray[Any]) -> NDArray[Any]:
    return np.column_stack([radius * np.cos(angle), radius * np.sin(angle)])


def _float32(values: Any) -> NDArray[np.float32]:
    return np.asarray(values, dtype=np.float32)


_POINTS: Mapping[str, Callable[[NDArray[Any], Arguments, Random], NDArray[Any]]] = {
    "blobs": _blobs,
    "moons": _moons,
    "circles": _circles,
    "spirals": _spirals,
}
