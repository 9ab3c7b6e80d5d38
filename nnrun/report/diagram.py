"""The picture of a model: its layers as boxes, from the input at the top to the output."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from nnrun.report.folding import Layer, Run, fold, read_layers
from nnrun.report.layout import Layout, lay_out
from nnrun.report.pictures import GREY, HEAD, INK, WIDTH, fit, new_figure, styled, text_inches

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

KINDS = {
    "#DDDDDD": ("input",),
    "#BBD9EE": ("dense", "einsum", "embedding"),
    "#BFE5D5": ("conv",),
    "#F9DFA8": ("pool", "upsampling", "padding", "cropping", "flatten", "reshape", "permute", "repeat"),
    "#EBD3E2": ("normalization", "dropout", "regularization", "noise", "rescaling"),
    "#F3C5A5": ("add", "concatenate", "multiply", "subtract", "average", "maximum", "minimum", "dot"),
    "#CFC8EA": ("lstm", "gru", "rnn", "attention", "bidirectional", "timedistributed"),
}
"""The colours of boxes, by words in the types of layers; the first that fits."""

OTHER = "#F2F2F2"
MOST_ROOMY = 24
"""Ranks up to which a box has two lines; above it has one."""

NARROWEST, WIDEST = 1.6, 3.1  # inches: of a box of two lines
LANE, GAP = 0.28, 0.25  # inches
TOP = 0.35  # inches: above the first box
CAPTION = "type and name of each layer, its output shape and its number of parameters"


@styled()
def draw_diagram(layers: Sequence[Mapping[str, Any]], title: str = "Model") -> Figure:
    """Draw a model's layers with their types, names, shapes and parameters, and how they are connected.

    What is repeated in a row is drawn once, in a frame that says how often it is there.

    Args:
        layers: ``name``, ``type``, ``output_shape`` (a text, or a list with None for what is not known),
            ``parameters`` and ``inputs`` (names of layers) of each.
        title: Stands over it, with the number of layers and parameters.

    Raises:
        DataError: There are no layers, two have one name, or an input has the name of none.
    """
    known = read_layers(layers)
    drawn, runs = fold(known)
    number = {layer.name: index for index, layer in enumerate(drawn)}
    arrows = [(number[name], index) for index, layer in enumerate(drawn) for name in layer.inputs]
    forward = list(dict.fromkeys((min(pair), max(pair)) for pair in arrows if pair[0] != pair[1]))
    sizes = _Sizes(drawn, forward)
    layout = sizes.layout
    width = max(WIDTH, sizes.width + (2.0 if runs else 0.4))
    height = HEAD + TOP + len(layout.ranks) * sizes.pitch + 0.1
    total = sum(layer.parameters for layer in known)
    said = f"{title}: {len(known):,} layers, {total:,} parameters"
    figure = new_figure(height, width, said, arranged=False)
    axes = figure.add_axes((0, 0, 1, (height - HEAD) / height), frameon=False)
    axes.set(xlim=(0, width), ylim=(height - HEAD, 0))
    axes.set_axis_off()
    axes.text(0.15, 0.08, CAPTION, fontsize=8.5, color=GREY, va="center")
    left = (width - sizes.width) / 2
    _draw_runs(axes, runs, sizes, left)
    backward = {(min(pair), max(pair)) for pair in arrows if pair[0] > pair[1]}
    for pair in forward:
        _draw_edge(axes, layout.paths[pair], sizes, left, is_back=pair in backward)
    for index, layer in enumerate(drawn):
        _draw_box(axes, layer, left + layout.x[index], sizes.y(index), sizes)
    return figure


class _Sizes:
    """How large boxes are and where they stand, in inches.

    Args:
        layers: What is drawn.
        edges: From upper to lower layers.
    """

    def __init__(self, layers: list[Layer], edges: list[tuple[int, int]]) -> None:
        self.layout: Layout = lay_out(len(layers), edges, 1, 1, 1)
        widest = max(sum(point < len(layers) for point in rank) for rank in self.layout.ranks)
        self.is_roomy = len(self.layout.ranks) <= MOST_ROOMY or widest > 2  # boxes of one line are wide
        lines = [_lines(layer, is_roomy=self.is_roomy) for layer in layers]
        longest = max(text_inches(line, self.points) for pair in lines for line in pair) + 0.3
        most = WIDEST if self.is_roomy else 1.8 * WIDEST
        self.box_width = min(max(NARROWEST, longest), most)
        self.box_height = 0.5 if self.is_roomy else 0.26
        self.pitch = self.box_height + (0.3 if self.is_roomy else 0.18)
        self.layout = lay_out(len(layers), edges, self.box_width, GAP, LANE)
        of_boxes = self.layout.x[: len(layers)]
        self.layout.x -= min(self.layout.x.min(), of_boxes.min() - self.box_width / 2)
        self.width = max(float(self.layout.x.max()), float(of_boxes.max()) + self.box_width / 2)

    @property
    def points(self) -> float:
        """The size of letters."""
        return 8.5 if self.is_roomy else 7.5

    def y(self, point: int) -> float:
        """The middle of a point, from the top of the drawing."""
        return TOP + self.layout.rank_of[point] * self.pitch + self.box_height / 2


def _lines(layer: Layer, *, is_roomy: bool) -> tuple[str, ...]:
    counted = f"{layer.output_shape}   {layer.parameters:,}" if layer.parameters else layer.output_shape
    named = f"{layer.type}   {layer.name}"
    return (named, counted) if is_roomy else (f"{named}   {counted}",)


def _draw_box(axes: Axes, layer: Layer, x: float, y: float, sizes: _Sizes) -> None:
    from matplotlib.patches import FancyBboxPatch

    corner = x - sizes.box_width / 2, y - sizes.box_height / 2
    style = "round,pad=0,rounding_size=0.06"
    colour = _colour(layer.type)
    axes.add_patch(
        FancyBboxPatch(
            corner,
            sizes.box_width,
            sizes.box_height,
            style,
            facecolor=colour,
            edgecolor="#8A8A8A",
            linewidth=0.8,
        )
    )
    room = sizes.box_width - 0.16
    lines = _lines(layer, is_roomy=sizes.is_roomy)
    heights = (y - 0.105, y + 0.125) if sizes.is_roomy else (y + 0.01,)
    for line, at, weight in zip(lines, heights, ("semibold", "normal"), strict=False):
        text = fit(line, room, sizes.points)
        is_first = sizes.is_roomy and weight == "semibold"
        axes.text(
            x,
            at,
            text,
            ha="center",
            va="center",
            fontsize=sizes.points,
            color=INK if is_first or not sizes.is_roomy else "#444444",
        )


def _colour(kind: str) -> str:
    word = kind.lower()
    return next((colour for colour, words in KINDS.items() if any(one in word for one in words)), OTHER)


def _draw_edge(axes: Axes, path: list[int], sizes: _Sizes, left: float, *, is_back: bool) -> None:
    """A line through the points of a path, straight beside boxes and bent between ranks, with an arrow's head."""
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path

    half = sizes.box_height / 2
    vertices: list[tuple[float, float]] = []
    codes: list[np.uint8] = []
    for upper, lower in itertools.pairwise(path):
        start = left + sizes.layout.x[upper], sizes.y(upper) + half
        end = left + sizes.layout.x[lower], sizes.y(lower) - half
        middle = (start[1] + end[1]) / 2
        vertices += [start, (start[0], middle), (end[0], middle), end]
        codes += [Path.LINETO if codes else Path.MOVETO, Path.CURVE4, Path.CURVE4, Path.CURVE4]
    axes.add_patch(PathPatch(Path(vertices, codes), fill=False, edgecolor="#6A6A6A", linewidth=1.1))
    tip, turned = (vertices[0], -1) if is_back else (vertices[-1], 1)
    head = [(tip[0] - 0.045, tip[1] - 0.085 * turned), (tip[0] + 0.045, tip[1] - 0.085 * turned), tip]
    axes.fill(*zip(*head, strict=True), color="#6A6A6A", linewidth=0)


def _draw_runs(axes: Axes, runs: list[Run], sizes: _Sizes, left: float) -> None:
    """A frame around what is repeated."""
    from matplotlib.patches import FancyBboxPatch

    half = sizes.box_height / 2
    for run in runs:
        last = run.first + run.length - 1
        x = left + sizes.layout.x[run.first] - sizes.box_width / 2 - 0.09
        top, bottom = sizes.y(run.first) - half - 0.06, sizes.y(last) + half + 0.06
        width = sizes.box_width + 0.18
        style = "round,pad=0,rounding_size=0.08"
        axes.add_patch(
            FancyBboxPatch(
                (x, top), width, bottom - top, style, fill=False, edgecolor=GREY, linestyle="--", linewidth=1
            )
        )
        axes.text(
            x + width + 0.06, (top + bottom) / 2, f"{run.times:,} times", va="center", fontsize=9, color=GREY
        )
