"""The diagram of a model on a page: its layers as boxes from the input down to the output, and how they are joined."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

from nnrun.errors import DataError
from nnrun.report.diagram import KINDS
from nnrun.report.folding import Layer, Run, read_layers
from nnrun.report.html_blocks import fold_blocks
from nnrun.report.html_reading import Map
from nnrun.report.layout import Layout, lay_out
from nnrun.report.page import Markup, element
from nnrun.report.pictures import fit, text_inches
from nnrun.spec.names import shorten
from nnrun.store.values import count_of

MOST_LAYERS = 2_000
MOST_DRAWN = 150
LONGEST_NAME = 60
POINTS = 9.0
"""The size of letters; 12 pixels of the screen."""

PIXELS = 96  # in an inch
NARROWEST, WIDEST = 150.0, 300.0
HEIGHT, PITCH = 44.0, 70.0
GAP, LANE, MARGIN = 22.0, 26.0, 14.0
TIMES_WIDTH = 76.0
"""Room at the right for how often a block is there."""


def draw_diagram(layers: Sequence[Map]) -> Markup | None:
    """Draw the layers of a model.

    Args:
        layers: As ``layers_of`` describes them; they may be damaged.

    Returns:
        An SVG element of its natural size; None where there is nothing to draw, or too much.
    """
    try:
        known = read_layers([_plain(layer) for layer in layers[:MOST_LAYERS]])
    except DataError:  # it is not as nnrun writes it; the table has what there is
        return None
    drawn, runs = fold_blocks(known)
    return _Drawing(drawn, runs).draw(known) if len(drawn) <= MOST_DRAWN else None


def _plain(layer: Map) -> Map:
    inputs = layer.get("inputs")
    if not isinstance(inputs, list):
        raise DataError("a layer does not say what it takes")
    return {
        "name": str(layer.get("name", "")),
        "type": shorten(str(layer.get("type", "")), LONGEST_NAME),
        "output_shape": shorten(str(layer.get("output_shape", "")), LONGEST_NAME),
        "parameters": count_of(layer.get("parameters")) or 0,
        "inputs": [str(name) for name in inputs],
    }


class _Drawing:
    """Boxes and where they stand, in pixels.

    Args:
        layers: What is drawn.
        runs: Which of them stand for several.
    """

    def __init__(self, layers: list[Layer], runs: list[Run]) -> None:
        self.layers, self.runs = layers, runs
        number = {layer.name: index for index, layer in enumerate(layers)}
        pairs = [(number[name], index) for index, layer in enumerate(layers) for name in layer.inputs]
        self.backward = {(end, start) for start, end in pairs if start > end}
        self.edges = list(dict.fromkeys((min(pair), max(pair)) for pair in pairs if pair[0] != pair[1]))
        longest = max(text_inches(line, POINTS) for layer in layers for line in _lines(layer)) * PIXELS
        self.box = min(max(NARROWEST, longest + 24), WIDEST)
        self.layout: Layout = lay_out(len(layers), self.edges, self.box, GAP, LANE)
        boxes = self.layout.x[: len(layers)]
        self.layout.x -= min(float(self.layout.x.min()), float(boxes.min()) - self.box / 2) - MARGIN
        right = max(float(self.layout.x.max()), float(boxes.max()) + self.box / 2)
        self.width = right + MARGIN + (TIMES_WIDTH if runs else 0)
        self.height = len(self.layout.ranks) * PITCH - (PITCH - HEIGHT) + 2 * MARGIN

    def draw(self, known: Sequence[Layer]) -> Markup:
        words = f"the model's {len(known):,} layers from input to output; the table has the same in words"
        return element(
            "svg",
            *(self._run(run) for run in self.runs),
            *(part for pair in self.edges for part in self._edge(pair)),
            *(part for index, layer in enumerate(self.layers) for part in self._box(index, layer)),
            viewBox=f"0 0 {self.width:.0f} {self.height:.0f}",
            width=f"{self.width:.0f}",
            height=f"{self.height:.0f}",
            role="img",
            aria_label=words,
            class_="diagram",
        )

    def _y(self, point: int) -> float:
        """The middle of a point."""
        return MARGIN + self.layout.rank_of[point] * PITCH + HEIGHT / 2

    def _box(self, index: int, layer: Layer) -> Iterator[Markup]:
        x, y = float(self.layout.x[index]), self._y(index)
        corner = {"x": f"{x - self.box / 2:.1f}", "y": f"{y - HEIGHT / 2:.1f}"}
        yield element(
            "rect", class_=f"box {_kind(layer.type)}", **corner, width=f"{self.box:.1f}", height=HEIGHT, rx=7
        )
        named, counted = _lines(layer)
        room = (self.box - 16) / PIXELS
        if text_inches(named, POINTS) <= room:
            first = [element("tspan", layer.type, class_="type"), f" {shorten(layer.name, LONGEST_NAME)}"]
        else:
            first = [element("tspan", fit(layer.type, room, POINTS), class_="type")]
        yield element("text", *first, x=f"{x:.1f}", y=f"{y - 4:.1f}")
        yield element("text", fit(counted, room, POINTS), x=f"{x:.1f}", y=f"{y + 13:.1f}", class_="shape")

    def _edge(self, pair: tuple[int, int]) -> Iterator[Markup]:
        """A line from a layer to one that takes it, straight beside boxes and bent between ranks, with a head."""
        path = self.layout.paths[pair]
        steps: list[str] = []
        for upper, lower in itertools.pairwise(path):
            start, end = self._place(upper, 1), self._place(lower, -1)
            middle = (start[1] + end[1]) / 2
            steps.append(f"{'L' if steps else 'M'}{start[0]:.1f} {start[1]:.1f}")
            steps.append(f"C{start[0]:.1f} {middle:.1f} {end[0]:.1f} {middle:.1f} {end[0]:.1f} {end[1]:.1f}")
        yield element("path", class_="edge", d="".join(steps))
        is_back = pair in self.backward
        x, y = self._place(path[0], 1) if is_back else self._place(path[-1], -1)
        back = 7 if is_back else -7
        yield element("path", class_="head", d=f"M{x:.1f} {y:.1f}l-4 {back}h8z")

    def _place(self, point: int, side: int) -> tuple[float, float]:
        """The lower (1) or upper (-1) end of a point on an edge's way."""
        return float(self.layout.x[point]), self._y(point) + side * HEIGHT / 2

    def _run(self, run: Run) -> Markup:
        """A frame around a block that is there several times, and how often."""
        inside = range(run.first, run.first + run.length)
        ranks = {self.layout.rank_of[index] for index in inside}
        ways = [path for pair, path in self.layout.paths.items() if set(pair) & set(inside)]
        bends = [point for path in ways for point in path[1:-1] if self.layout.rank_of[point] in ranks]
        x = [float(self.layout.x[point]) for point in bends]
        boxes = [float(self.layout.x[index]) for index in inside]
        left = min([*x, min(boxes) - self.box / 2]) - 8
        right = max([*x, max(boxes) + self.box / 2]) + 8
        top, bottom = min(map(self._y, inside)) - HEIGHT / 2 - 8, max(map(self._y, inside)) + HEIGHT / 2 + 8
        sizes = {"x": left, "y": top, "width": right - left, "height": bottom - top}
        frame = element(
            "rect", class_="block", rx=10, **{key: f"{value:.1f}" for key, value in sizes.items()}
        )
        words = element(
            "text", f"{run.times:,} times", x=f"{right + 8:.1f}", y=f"{(top + bottom) / 2 + 4:.1f}"
        )
        return element("g", frame, words)


def _lines(layer: Layer) -> tuple[str, str]:
    counted = f"{layer.output_shape}  ·  {layer.parameters:,}" if layer.parameters else layer.output_shape
    return f"{layer.type} {shorten(layer.name, LONGEST_NAME)}", counted


def _kind(name: str) -> str:
    """What the stylesheet knows a layer's kind by: ``k0`` for inputs, ``k1`` for dense layers and so on."""
    word = name.lower()
    kinds = (place for place, words in enumerate(KINDS.values()) if any(one in word for one in words))
    return f"k{next(kinds, len(KINDS))}"
