"""Layers that a diagram draws: in an order in which inputs come first, with repeated runs drawn once."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from nnrun.errors import DataError
from nnrun.model.shapes import shape_text

FEWEST_TIMES = 3
FEWEST_SAVED = 4
"""Layers that folding has to save, to be worth a mark."""

LONGEST_RUN = 12


@dataclass(frozen=True)
class Layer:
    """A layer of a diagram.

    Args:
        name: Its name, unlike all others.
        type: Its class.
        output_shape: As it is written.
        parameters: Their number.
        inputs: The names of the layers that it takes.
    """

    name: str
    type: str
    output_shape: str
    parameters: int
    inputs: tuple[str, ...]

    @property
    def kind(self) -> tuple[str, str, int]:
        """What layers have in common that look the same."""
        return self.type, self.output_shape, self.parameters


@dataclass(frozen=True)
class Run:
    """Layers one after the other that are repeated.

    Args:
        first: The number of the first layer that is drawn.
        length: How many are drawn.
        times: How often they stand there.
    """

    first: int
    length: int
    times: int


def read_layers(plain: Sequence[Mapping[str, Any]]) -> list[Layer]:
    """Layers from plain values, each behind its inputs as far as they form no circle.

    Args:
        plain: ``name``, ``type``, ``output_shape``, ``parameters`` and ``inputs`` of each layer. A shape is a text,
            or a list with None for dimensions that are not known.

    Raises:
        DataError: There are none, two have one name, or an input has the name of none.
    """
    layers = {
        str(one["name"]): Layer(
            str(one["name"]),
            str(one["type"]),
            _shape_text(one["output_shape"]),
            int(one["parameters"]),
            tuple(dict.fromkeys(map(str, one["inputs"]))),
        )
        for one in plain
    }
    if not layers or len(layers) < len(plain):
        raise DataError(
            f"expected layers of different names; found {len(layers)} names of {len(plain)} layers"
        )
    for layer in layers.values():
        for name in layer.inputs:
            if name not in layers:
                raise DataError(f"layer {layer.name}: there is no layer {name}, which it takes as its input")
    return _sorted(layers)


def fold(layers: list[Layer]) -> tuple[list[Layer], list[Run]]:
    """Leave out what is repeated: runs that follow each other directly, alike in type, shape and parameters.

    Args:
        layers: As :func:`read_layers` gives them.

    Returns:
        The layers that are left, and which of them stand for several.
    """
    follows = _followers(layers)
    kept: list[Layer] = []
    runs: list[Run] = []
    renamed: dict[str, str] = {}  # what is left out, by what stands at its end
    place = 0
    while place < len(layers):
        length, times = _longest_run(layers, follows, place)
        if times:
            runs.append(Run(len(kept), length, times))
            renamed[layers[place + length * times - 1].name] = layers[place + length - 1].name
        kept += layers[place : place + (length if times else 1)]
        place += length * times if times else 1
    return [
        replace(layer, inputs=tuple(renamed.get(name, name) for name in layer.inputs)) for layer in kept
    ], runs


def _sorted(layers: dict[str, Layer]) -> list[Layer]:
    """As they come, but behind their inputs; of a circle the first one stands before its input."""
    done: dict[str, Layer] = {}
    waiting = dict(layers)
    while waiting:
        ready = (name for name, layer in waiting.items() if all(one in done for one in layer.inputs))
        begun = (name for name, layer in waiting.items() if any(one in done for one in layer.inputs))
        chosen = next(itertools.chain(ready, begun, waiting))
        done[chosen] = waiting.pop(chosen)
    return list(done.values())


def _followers(layers: list[Layer]) -> list[bool]:
    """Whether each layer takes the one before it and nothing else, and that one goes nowhere else."""
    users: dict[str, int] = {}
    for layer in layers:
        for name in layer.inputs:
            users[name] = users.get(name, 0) + 1
    return [False] + [
        layer.inputs == (before.name,) and users[before.name] == 1
        for before, layer in itertools.pairwise(layers)
    ]


def _longest_run(layers: list[Layer], follows: list[bool], first: int) -> tuple[int, int]:
    """The length and the times of the run that starts here and saves most; (0, 0) where none is worth it."""
    best, saved = (0, 0), FEWEST_SAVED - 1
    for length in range(1, LONGEST_RUN + 1):
        end = first + length
        while (
            end < len(layers)
            and all(follows[first + 1 : first + length])
            and follows[end]
            and layers[end].kind == layers[end - length].kind
        ):
            end += 1
        times = (end - first) // length
        if times >= FEWEST_TIMES and length * (times - 1) > saved:
            best, saved = (length, times), length * (times - 1)
    return best


def _shape_text(shape: Any) -> str:
    return shape_text(tuple(shape)) if isinstance(shape, list | tuple) and shape else str(shape)
