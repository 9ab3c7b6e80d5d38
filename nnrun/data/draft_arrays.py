"""A specification for the arrays of an .npz file, by their names, shapes and types."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnrun.data.array_targets import fit_array_targets
from nnrun.data.arrays import read_member
from nnrun.data.draft import Draft, Found, NoTarget, heading, path_from
from nnrun.data.draft_lines import Line, indented, page
from nnrun.data.draft_network import (
    FEW,
    Goal,
    Size,
    hidden_layers,
    is_balanced,
    learned_from,
    output_layers,
    size_for,
    test_line,
    training_section,
)
from nnrun.data.draft_pictures import picture_layers, picture_size
from nnrun.data.draft_target import examine_target
from nnrun.data.draft_words import LONGEST_WORD_VECTOR, embedding_size
from nnrun.errors import DataError, Problem, SpecError
from nnrun.spec.dump import flow
from nnrun.spec.names import did_you_mean, listed, shorten
from nnrun.spec.schema import Choice

INPUTS = ("x", "x_train", "train_x", "images", "train_images", "data", "features", "inputs", "texts")
TARGETS = ("y", "y_train", "train_y", "labels", "train_labels", "label", "targets", "target", "classes")
"""What arrays of examples and of targets are usually called, in small letters."""

CHANNELS = (1, 3, 4)
BYTE = 255
SMALLEST_PICTURE = 8
SHORTEST_SEQUENCE = 8
"""Steps; a shorter one is a few numbers."""


@dataclass(frozen=True)
class Names:
    """The arrays of an archive that are used.

    Args:
        x: The examples.
        y: Their targets.
        test: The same for the test, where there are such arrays.
    """

    x: str
    y: str
    test: tuple[str, str] | None


@dataclass(frozen=True)
class Entrance:
    """How the examples enter the network.

    Args:
        settings: Of the source.
        layers: Up to the output.
        size: What to train with.
    """

    settings: list[Line]
    layers: list[Line]
    size: Size


def draft_arrays(data: str, target: str | None, file: Path) -> Draft:
    """Write a specification for an archive of arrays.

    Args:
        data: The .npz file.
        target: The array to predict; None: by its name.
        file: Where the specification will be.

    Raises:
        SpecError: It cannot be told which array is what.
        DataError: The archive is damaged, or its arrays do not go together.
    """
    path = Path(data)
    names = _choose(path, target)
    x, y = read_member(path, names.x), read_member(path, names.y)
    if len(x) != len(y):
        raise DataError(
            f"{path.name}: {shorten(names.x)} has {len(x):,} rows and {shorten(names.y)} has {len(y):,}"
        )
    goal, values = _examine(y, names.y, path.name)
    count = len(x)
    learned = learned_from(count) if names.test is None else count - round(0.2 * count)
    entrance = _enter(x, learned)
    about = f"{count:,} examples of shape {' x '.join(map(str, x.shape[1:])) or '1'}"
    why = values if goal.classes is None else f"{goal.classes:,} classes: {values}"
    settings = [
        Line(f"path: {flow(path_from(file, data))}"),
        Line(f"x: {flow(names.x)}", f"{about}, {x.dtype}"),
        Line(f"y: {flow(names.y)}", why),
        *entrance.settings,
        test_line(count)
        if names.test is None
        else Line(
            f"test: {{x: {flow(names.test[0])}, y: {flow(names.test[1])}}}", "nothing is learned from these"
        ),
    ]
    lines = [
        *heading(file, data, f"predicts {shorten(names.y)}", about),
        Line(""),
        *[Line("data:"), Line("  source:"), Line("    npz:"), *indented(settings, 6)],
        Line(""),
        *[Line("model:"), Line("  layers:"), *indented([*entrance.layers, *output_layers(goal)], 4)],
        Line(""),
        *training_section(goal, learned, validation="split" if count >= FEW else None, size=entrance.size),
    ]
    becomes = {names.x: "what is learned from", names.y: "is predicted"}
    becomes |= dict.fromkeys(names.test or (), "is tested with")
    found = tuple(Found(name, "array", "", 0, becomes.get(name, "left out")) for name in _members(path))
    return Draft(page(lines), about, found)


def _members(path: Path) -> list[str]:
    """The names of the arrays."""
    if not zipfile.is_zipfile(path):
        read_member(path, INPUTS[0])  # says what the file is instead
    with zipfile.ZipFile(path) as archive:
        return [name.removesuffix(".npy") for name in archive.namelist() if name.endswith(".npy")]


def _choose(path: Path, target: str | None) -> Names:
    there = _members(path)
    if target is not None and target not in there:
        near = did_you_mean(target, there) or f"; there are {listed(there)}"
        raise SpecError([Problem(f"--target: {path.name} has no array '{shorten(target)}'{near}")])
    y = target or _first(there, TARGETS)
    if y is None:
        found = tuple(Found(name, "array", "", 0, "") for name in there)
        message = f"which array of {path.name} is to be predicted? Say it with --target NAME"
        raise NoTarget(Problem(message), found)
    others = [name for name in there if name != y]
    x = _first(others, INPUTS) or (others[0] if len(others) == 1 else None)
    if x is None:
        message = f"--from: {path.name}: which array holds the examples? Call it x; there are {listed(there)}"
        raise SpecError([Problem(message)])
    test = (x.replace("train", "test"), y.replace("train", "test"))
    return Names(x, y, test if "train" in x and "train" in y and set(test) <= set(there) else None)


def _first(there: list[str], usual: tuple[str, ...]) -> str | None:
    return min(
        (name for name in there if name.lower() in usual),
        key=lambda name: usual.index(name.lower()),
        default=None,
    )


def _examine(y: NDArray[Any], name: str, place: str) -> tuple[Goal, str]:
    """What is to be predicted, and how it looks."""
    import polars as pl

    if y.ndim == 2 and y.shape[1] > 1:
        targets = fit_array_targets(y, Choice("sparse_categorical_crossentropy"), place)
        if targets.classes is not None:
            counts = [int(one) for one in y.sum(axis=0)]
            return Goal(shorten(name), len(counts), balanced=is_balanced(counts)), "one-hot rows"
        goal = Goal(shorten(name), None, float(y.mean()), float(y.std()) or 1.0, numbers=y.shape[1])
        return goal, f"{y.shape[1]:,} numbers from {y.min():.6g} to {y.max():.6g}"
    flat = y.reshape(len(y), -1)[:, 0]
    if flat.dtype.kind == "S":
        flat = np.char.decode(flat, "utf-8", "replace")
    series = pl.Series(name, flat.tolist() if flat.dtype.kind == "U" else flat)
    found = examine_target(series, place)
    return found.goal, found.values if found.counts else f"a number from {found.values}"


def _enter(x: NDArray[Any], learned: int) -> Entrance:
    """The layers for examples of a shape."""
    shape, size = x.shape[1:], size_for(learned)
    if x.dtype.kind not in "biuf":
        raise DataError(f"expected examples of numbers, found {x.dtype}")
    low, high = float(x.min()), float(x.max())
    if _are_pictures(shape, x.dtype, low, high):
        scale = BYTE if high > BYTE / 2 else high
        why = "x is divided by it: numbers from 0 to 1 are learned best"
        settings = [] if x.dtype == np.uint8 or high <= 1 else [Line(f"scale: {flow(scale)}", why)]
        return Entrance(settings, picture_layers(shape, learned), picture_size(learned))
    if (
        len(shape) == 1
        and shape[0] >= SHORTEST_SEQUENCE
        and x.dtype.kind in "iu"
        and low >= 0
        and high > BYTE
    ):
        return Entrance([], _words(int(high) + 1), replace(size, units=size.units[:1]))
    layers = []
    if x.dtype != np.uint8:
        why = "brings each number to mean 0 and variance 1, so that none counts more because it is large"
        layers.append(Line("- BatchNormalization", why, above=True))
    if len(shape) == 2 and shape[0] >= SHORTEST_SEQUENCE:
        return Entrance([], [*layers, *_sequence()], replace(size, batch_size=max(32, size.batch_size)))
    if len(shape) > 1:
        layers.append(Line("- Flatten", "all numbers of an example in one row"))
    return Entrance([], [*layers, *hidden_layers(learned)], size)


def _are_pictures(shape: tuple[int, ...], dtype: np.dtype[Any], low: float, high: float) -> bool:
    """Whether the examples look like pixels: height, width, and perhaps channels, in a range of pixels."""
    if len(shape) not in (2, 3) or min(shape[:2]) < SMALLEST_PICTURE or low < 0 or high > BYTE:
        return False
    if len(shape) == 3:
        return shape[2] in CHANNELS
    return dtype == np.uint8 or shape[0] == shape[1]


def _words(vocabulary: int) -> list[Line]:
    size = embedding_size(vocabulary, LONGEST_WORD_VECTOR)
    why = f"whole numbers up to {vocabulary - 1:,} look like numbers of words: each gets a vector, which is learned"
    return [
        Line(f"- Embedding: {{input_dim: {vocabulary}, output_dim: {size}}}", why, above=True),
        Line("- GlobalAveragePooling1D", "the mean of the words' vectors"),
        Line("- Dense: {units: 16, activation: relu}"),
        Line("- Dropout: {rate: 0.3}", "leaves out some at random, against learning by heart"),
    ]


def _sequence() -> list[Line]:
    why = "Finds short patterns anywhere in the sequence; the second one finds longer ones made of them."
    return [
        Line("- Conv1D: {filters: 32, kernel_size: 5, padding: same, activation: relu}", why, above=True),
        Line("- MaxPooling1D", "halves the length: the stronger of two counts"),
        Line("- Conv1D: {filters: 64, kernel_size: 5, padding: same, activation: relu}"),
        Line("- GlobalAveragePooling1D", "how strongly each pattern is there, wherever it is"),
        Line("- Dropout: {rate: 0.2}", "leaves out some at random, against learning by heart"),
    ]
