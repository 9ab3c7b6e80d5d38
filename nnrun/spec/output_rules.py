"""The last layer against the loss and the data: what can never learn."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nnrun.errors import Problem
from nnrun.spec import catalog
from nnrun.spec.choices import WrittenChoice, read_choice, read_choices, read_losses
from nnrun.spec.names import fold
from nnrun.spec.node import leaves
from nnrun.spec.schema import Choice, Losses
from nnrun.spec.source import Node, find, plain

if TYPE_CHECKING:
    from nnrun.spec.datasets import DatasetFacts

SPARSE = frozenset({"sparsecategoricalcrossentropy"})
CATEGORICAL = frozenset(
    {"categoricalcrossentropy", "categoricalfocalcrossentropy", "categoricalgeneralizedcrossentropy"}
)
BINARY = frozenset({"binarycrossentropy", "binaryfocalcrossentropy"})


@dataclass(frozen=True)
class Output:
    """What the model ends with.

    Args:
        dense: The last layer with weights, a Dense.
        units: How many it has.
        activation: What its values go through last; None where that is unsure.
    """

    dense: WrittenChoice
    units: int
    activation: str | None


def check_output(tree: Node) -> Iterator[Problem]:
    """The last layer against the loss and the data."""
    losses = read_losses(tree)
    loss = losses[0] if len(losses) == 1 else None
    part = catalog.find("loss", loss.name) if loss else None
    facts = known_facts(tree)
    output = last_output(tree)
    if loss is None or part is None or learns_inputs(tree):
        return
    kind = fold(part.name)
    if facts and facts.classes is None and kind in SPARSE | CATEGORICAL | BINARY:
        yield loss.problem(
            f"{loss.name} is for classes, and the target of {facts.name} is a number; use mean_squared_error"
        )
    elif output and (message := _explain_output(output, kind, loss.name, facts)):
        yield output.dense.problem_in_value("units", message)


def takes_sequences(losses: Losses) -> bool:
    """Whether a loss holds a sequence of outputs against each target, as CTC does."""
    return isinstance(losses, Choice) and fold(losses.name) == "ctc"


def learns_inputs(tree: Node) -> bool:
    """Whether an output of the model is held against the inputs instead of the labels."""
    target = find(tree, ("data", "target"))
    return target is not None and "inputs" in (target.value, *(leaf.value for _, leaf in leaves(target)))


def _explain_output(output: Output, kind: str, loss: str, facts: DatasetFacts | None) -> str | None:
    """Why the output cannot be held against the loss, or None."""
    units, classes = output.units, facts.classes if facts else None
    if units == 1 and output.activation == "softmax":
        return "softmax over 1 unit is always 1; use sigmoid for two classes, or one unit for each class"
    if units == 1 and kind in SPARSE | CATEGORICAL:
        wanted = f"units: {classes}" if classes and classes > 2 else "binary_crossentropy with sigmoid"
        return f"1 unit cannot tell classes apart with {loss}; use {wanted}"
    if facts is None or classes is None:
        return None
    if units == 1 and kind in BINARY and classes > 2:
        return (
            f"1 unit tells two classes apart, {facts.name} has {classes}; use units: {classes} with softmax"
        )
    if (kind in SPARSE and units < classes) or (kind in CATEGORICAL and units != classes):
        return f"{facts.name} has {classes} classes, one unit for each: expected {classes}, found {units}"
    return None


def known_facts(tree: Node) -> DatasetFacts | None:
    """What is known of the data; None where the source is wrong or its facts are not known beforehand."""
    from nnrun.spec.datasets import check_dataset, dataset_facts
    from nnrun.spec.file_sources import FILE_SOURCES

    source = read_choice(find(tree, ("data", "source")), ("data", "source"))
    if source is None or source.name in FILE_SOURCES:
        return None
    choice = Choice(source.name, {name: plain(node) for name, node in source.arguments.items()})
    return None if check_dataset(choice) else dataset_facts(choice)


def last_output(tree: Node) -> Output | None:
    """The Dense that the model ends with, seen through the activations after it; None if unsure."""
    layers = _output_layers(tree)
    activation: str | None = None
    for layer in reversed(layers):
        following = _activation(layer)
        if layer.name == "Dense":
            units = layer.value("units")
            if not isinstance(units, int) or isinstance(units, bool) or units < 1:
                return None
            return Output(layer, units, activation or following)
        if following is None or "inputs" in layer.arguments:
            return None
        activation = activation or following
    return None


def _output_layers(tree: Node) -> list[WrittenChoice]:
    """The layers up to the one output; none where there are several or one cannot be read."""
    section = find(tree, ("model", "layers"))
    layers = read_choices(tree, ("model", "layers"))
    if section is None or not isinstance(section.value, list) or len(layers) != len(section.value):
        return []
    outputs = find(tree, ("model", "outputs"))
    if outputs is None or outputs.value is None:
        return layers
    names = plain(outputs)
    if not isinstance(names, list) or len(names) != 1:
        return []
    ends = [index for index, layer in enumerate(layers) if layer.value("name") == names[0]]
    return layers[: ends[0] + 1] if len(ends) == 1 else []


def _activation(layer: WrittenChoice) -> str | None:
    """What a layer that keeps shapes does to its values, such as ``softmax``; None for other layers."""
    if layer.name == "Dense":
        return _name(layer.arguments.get("activation"))
    if layer.name == "Activation":
        return _name(layer.arguments.get("activation"))
    if layer.name == "Softmax" and "axis" not in layer.arguments:
        return "softmax"
    if layer.name in ("ReLU", "LeakyReLU", "ELU"):
        return fold(layer.name)
    return None


def _name(node: Node | None) -> str | None:
    choice = read_choice(node, ())
    return choice.name if choice and "axis" not in choice.arguments else None
