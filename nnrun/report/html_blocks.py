"""Blocks of a network that are repeated, such as those of a residual network, drawn once."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from nnrun.report.folding import Layer, Run

FEWEST_SAVED = 4
"""Layers that folding has to save, to be worth a mark."""

SAVED_BY_TWO = 6
"""Layers that a block has to have, to be folded where it stands there twice only."""

LONGEST_PATTERN = 12
"""Segments of a block."""

Segment = tuple[int, int]
"""The first layer of a segment, and the one behind its last."""


def fold_blocks(layers: Sequence[Layer]) -> tuple[list[Layer], list[Run]]:
    """Leave out blocks that follow each other and are alike in types, shapes, parameters and connections.

    A network is cut behind each layer that everything after it has to go through; blocks are made of such pieces.

    Args:
        layers: As :func:`nnrun.report.folding.read_layers` gives them.

    Returns:
        The layers that are left, and which of them stand for several.
    """
    segments = _segments(layers)
    signatures = _signatures(layers, segments)
    kept: list[Layer] = []
    runs: list[Run] = []
    renamed: dict[str, str] = {}  # the last layer of what is left out, by that of what is drawn
    place = 0
    while place < len(segments):
        length, times = _longest_run(segments, signatures, place)
        first, end = segments[place][0], segments[place + length - 1][1]
        if times > 1:
            runs.append(Run(len(kept), end - first, times))
            renamed[layers[segments[place + length * times - 1][1] - 1].name] = layers[end - 1].name
        kept += layers[first:end]
        place += length * times
    return [replace(one, inputs=tuple(renamed.get(name, name) for name in one.inputs)) for one in kept], runs


def _segments(layers: Sequence[Layer]) -> list[Segment]:
    """The pieces between layers that all that follows goes through."""
    number = {layer.name: index for index, layer in enumerate(layers)}
    crossed = [0] * (len(layers) + 1)  # how many edges more than at the place before go by
    for end, layer in enumerate(layers):
        for name in layer.inputs:
            start, is_back = number[name], number[name] >= end
            low, high = (end, start) if is_back else (start, end)
            crossed[low + (not is_back)] += 1
            crossed[high] -= 1
    free = [count == 0 for count in itertools.accumulate(crossed)]
    ends = [index + 1 for index in range(len(layers)) if free[index]]
    bounds = [0, *(end for end in ends if end < len(layers)), len(layers)]
    return list(itertools.pairwise(bounds))


def _signatures(layers: Sequence[Layer], segments: Sequence[Segment]) -> list[Any]:
    """What is the same for pieces that look the same; the layer before a piece is its -1."""
    number = {layer.name: index for index, layer in enumerate(layers)}
    return [
        tuple(
            (layer.kind, tuple(number[name] - first for name in layer.inputs)) for layer in layers[first:end]
        )
        for first, end in segments
    ]


def _longest_run(segments: Sequence[Segment], signatures: Sequence[Any], place: int) -> tuple[int, int]:
    """The pieces and the times of the block that begins here and saves most; (1, 1) where none is worth it."""
    best, most = (1, 1), 0
    for length in range(1, LONGEST_PATTERN + 1):
        pattern = signatures[place : place + length]
        times = 1
        while signatures[place + times * length : place + (times + 1) * length] == pattern and pattern:
            times += 1
        if place + length > len(segments):
            break
        size = segments[place + length - 1][1] - segments[place][0]
        saved = size * (times - 1)
        is_worth_it = saved >= FEWEST_SAVED if times > 2 else saved >= SAVED_BY_TWO
        if is_worth_it and saved > most:
            best, most = (length, times), saved
    return best
