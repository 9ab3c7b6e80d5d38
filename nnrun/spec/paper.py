"""A model on paper without Keras: shapes, parameters and where they come from, for the layers in common use.

What is not known here stays unknown, with all that follows from it; nothing is guessed. Keras itself then tells.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from nnrun.spec import catalog
from nnrun.spec.choices import WrittenChoice, read_choice
from nnrun.spec.load import Loaded
from nnrun.spec.outline import ARRIVING, Outline
from nnrun.spec.paper_layers import LAYERS, Arguments, Found, Shape


@dataclass(frozen=True)
class LayerOnPaper:
    """A layer with what arrives and what leaves.

    Args:
        index: In the flat list of layers.
        choice: As written.
        inputs: The shapes that arrive, without the batch dimension; None where one is not known.
        output: The shape that leaves; None where it is not known.
        parameters: How many; None where that is not known.
        formula: Where they come from: ``784 x 512 + 512``; None where there are none.
    """

    index: int
    choice: WrittenChoice
    inputs: tuple[Shape | None, ...]
    output: Shape | None
    parameters: int | None
    formula: str | None


def trace(loaded: Loaded) -> list[LayerOnPaper]:
    """Follow the shapes of a specification's data through its layers.

    Args:
        loaded: A specification without mistakes.

    Returns:
        All layers but ``Input``, in their order.
    """
    outline = Outline(loaded)
    arriving = outline.facts.shape if outline.facts else None
    shapes: dict[int, Shape | None] = {ARRIVING: arriving}
    traced = []
    for layer in outline.layers:
        inputs = tuple(shapes[index] for index in layer.before)
        if layer.kind == "Input":
            shapes[layer.index] = arriving
            continue
        found = find_layer(layer.choice, inputs)
        shapes[layer.index] = found.shape if found else None
        traced.append(
            LayerOnPaper(
                layer.index,
                layer.choice,
                inputs,
                found.shape if found else None,
                found.count if found else None,
                found.formula if found else None,
            )
        )
    return traced


def parameter_count(layers: Sequence[LayerOnPaper]) -> int | None:
    """The parameters of all layers; None as soon as those of one are not known."""
    counts = [layer.parameters for layer in layers]
    return None if None in counts else sum(count for count in counts if count is not None)


def find_layer(choice: WrittenChoice, inputs: Sequence[Shape | None]) -> Found | None:
    """What a layer makes of its inputs; None where that is not known."""
    part = catalog.find("layer", choice.name)
    rule = LAYERS.get(choice.name)
    known = [shape for shape in inputs if shape is not None]
    if part is None or rule is None or not known or len(known) != len(inputs):
        return None
    if choice.value("data_format") not in (None, "channels_last"):
        return None
    try:
        return rule(_Written(choice, part), known)
    except (TypeError, ValueError, IndexError, ZeroDivisionError):  # values that Keras will refuse
        return None


class _Written(Arguments):
    """A layer's arguments as they are written, with Keras's defaults for the others."""

    def __init__(self, choice: WrittenChoice, part: catalog.Part) -> None:
        self._choice = choice
        self._part = part

    def __getitem__(self, name: str) -> Any:
        if name in self._choice.arguments:
            return self._choice.value(name)
        argument = self._part.argument(name)
        return argument.default if argument else None

    def inner(self, name: str, inputs: Sequence[Shape]) -> Found | None:
        node = self._choice.arguments.get(name)
        choice = read_choice(node, (*self._choice.path, self._choice.name, name))
        return find_layer(choice, inputs) if choice else None

    def inner_value(self, name: str, argument: str) -> Any:
        choice = read_choice(self._choice.arguments.get(name), ())
        part = catalog.find("layer", choice.name) if choice else None
        return _Written(choice, part)[argument] if choice and part else None
