"""What a specification comes to, as far as it can be told without the data: layers, wiring, examples, steps."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from nnrun.errors import Place, Problem
from nnrun.spec import catalog
from nnrun.spec.blocks import Reference
from nnrun.spec.choices import WrittenChoice, by_output, read_choice, read_choices
from nnrun.spec.datasets import DatasetFacts, held_out
from nnrun.spec.load import Loaded
from nnrun.spec.node import Node, Path, find, plain
from nnrun.spec.output_rules import known_facts
from nnrun.spec.overrides import COMMAND_LINE
from nnrun.spec.schema import TrainingSection

ARRIVING = -1
"""Stands for the model's input among the layers that come before another one."""

TOY = 100
"""Problems of fewer training examples are demonstrations, such as XOR: usual figures do not hold for them."""

ACTIVATION_LAYERS = {
    "ReLU": "relu",
    "LeakyReLU": "leaky_relu",
    "PReLU": "prelu",
    "ELU": "elu",
    "Softmax": "softmax",
}
"""Layers that do nothing but apply an activation."""

DENSE_OR_CONVOLUTION = frozenset(
    {"Dense", "EinsumDense", "Conv1D", "Conv2D", "Conv3D", "SeparableConv1D", "SeparableConv2D"}
    | {"DepthwiseConv1D", "DepthwiseConv2D", "Conv1DTranspose", "Conv2DTranspose", "Conv3DTranspose"}
)
DROPOUTS = frozenset(
    {"Dropout", "AlphaDropout", "GaussianDropout", "SpatialDropout1D", "SpatialDropout2D", "SpatialDropout3D"}
)
RESHAPES = frozenset({"Reshape", "Flatten", "Permute"})
KEEPS_VALUES = frozenset({"Identity", "ActivityRegularization"}) | RESHAPES | DROPOUTS
"""Layers after which values are what they were, in the range in which they were."""

AVERAGES = frozenset(
    {"GlobalAveragePooling1D", "GlobalAveragePooling2D", "GlobalAveragePooling3D"}
    | {"AveragePooling1D", "AveragePooling2D", "AveragePooling3D"}
)


@dataclass(frozen=True)
class Layer:
    """A layer and what comes before it.

    Args:
        choice: As written.
        index: In the flat list of layers.
        before: The indices of the layers that it takes; ``ARRIVING`` for an input of the model.
    """

    choice: WrittenChoice
    index: int
    before: tuple[int, ...]

    @functools.cached_property
    def kind(self) -> str:
        """Keras's own name, whatever alias is written: ``Conv2D`` for ``Convolution2D``."""
        part = catalog.find("layer", self.choice.name)
        return part.name if part else self.choice.name

    @functools.cached_property
    def activation(self) -> str | None:
        """What the layer's values go through last, by Keras's name; None where it has no activation to choose."""
        if self.kind in ACTIVATION_LAYERS:
            return ACTIVATION_LAYERS[self.kind]
        if self.kind != "Activation" and self.kind not in DENSE_OR_CONVOLUTION:
            return None
        node = self.choice.arguments.get("activation")
        choice = read_choice(node, ())
        if choice is None:
            return "linear" if node is None or node.value is None else None
        part = catalog.find("activation", choice.name)
        return part.name if part else choice.name

    def hint(self, message: str, argument: str = "") -> Problem:
        """Advice on the layer, or on the value of an argument where that is written."""
        if argument in self.choice.arguments:
            return self.choice.problem_in_value(argument, message)
        return self.choice.problem_in_name(message)


@dataclass(frozen=True)
class Ending:
    """What one output of the model ends with.

    Args:
        name: Of the output; empty where it is the only one.
        layer: The last layer that is known to decide the range of the values.
        activation: What they go through last.
        units: How many values there are along the last axis, where that is known.
        passed: The layers after it, which leave the values as they are.
    """

    name: str
    layer: Layer
    activation: str
    units: int | None
    passed: tuple[Layer, ...]


class Outline:
    """A specification with everything that advice looks at.

    Args:
        loaded: A specification without mistakes.
    """

    def __init__(self, loaded: Loaded) -> None:
        self.loaded = loaded
        self.tree = loaded.flat
        self.training: TrainingSection = loaded.spec.training
        self.facts: DatasetFacts | None = known_facts(self.tree)
        self.layers = _read_layers(self.tree)
        self.callbacks = read_choices(self.tree, ("training", "callbacks"))
        self._takers: dict[int, list[Layer]] = {}
        for layer in self.layers:
            for index in dict.fromkeys(layer.before):
                self._takers.setdefault(index, []).append(layer)

    @property
    def examples(self) -> int | None:
        """Examples that are trained on, without those held out for validation; None where that is unknown."""
        if self.facts is None or not self.facts.train:
            return None
        return self.facts.train - held_out(self.facts.train, self.training.validation_split)

    @property
    def is_toy(self) -> bool:
        """Whether there are so few examples that usual figures do not hold."""
        return self.examples is not None and self.examples < TOY

    @property
    def steps(self) -> int | None:
        """Steps in an epoch; None where the number of examples is unknown."""
        return None if self.examples is None else math.ceil(self.examples / self.training.batch_size)

    @property
    def is_validated(self) -> bool:
        """Whether examples are held out to validate on."""
        return self.loaded.spec.is_validated

    def after(self, layer: Layer) -> list[Layer]:
        """The layers that take a layer's values."""
        return self._takers.get(layer.index, [])

    def before(self, layer: Layer) -> Layer | None:
        """The one layer whose values a layer takes; None where there are several, or the model's input."""
        if len(layer.before) != 1 or layer.before[0] == ARRIVING:
            return None
        return self.layers[layer.before[0]]

    def node(self, *path: str | int) -> Node | None:
        """The node at a path, where something is written there."""
        return find(self.tree, path)

    def is_for_this_time(self, *path: str | int) -> bool:
        """Whether a value comes from the command line: it is a trial, not what the experiment should be."""
        place = self.loaded.place(*path)
        return place is not None and place.source.name == COMMAND_LINE

    def hint(self, message: str, *path: str) -> Problem:
        """Advice on a value, shown where it stands, or at its section where it is not written."""
        node = find(self.tree, path)
        place: Place | None = node.place if node else _key_place(self.tree, path[:-1])
        return Problem(message, ".".join(path), place)

    @functools.cached_property
    def endings(self) -> list[Ending]:
        """What each output ends with, where that can be told."""
        found = []
        for name, index in _outputs(self.tree, self.layers):
            ending = self._ending(name, self.layers[index])
            found += [ending] if ending else []
        return found

    def _ending(self, name: str, layer: Layer) -> Ending | None:
        last: Layer | None = None
        activation: str | None = None
        passed: list[Layer] = []
        between: list[Layer] = []
        found: Layer | None = layer
        while found is not None:
            if found.activation not in (None, "linear") and last is None:
                last, activation = found, found.activation
            if found.kind in DENSE_OR_CONVOLUTION:
                name_of_units = "units" if found.kind == "Dense" else "filters"
                units = found.choice.value(name_of_units)
                is_reshaped = any(one.kind in RESHAPES for one in (*passed, *between))
                count = units if isinstance(units, int) and not is_reshaped else None
                return Ending(name, last or found, activation or "linear", count, tuple(passed))
            if found.kind in KEEPS_VALUES:
                (passed if last is None else between).append(found)
            if found.activation is None and found.kind not in KEEPS_VALUES | AVERAGES:
                break
            found = self.before(found)
        return Ending(name, last, activation, None, tuple(passed)) if last and activation else None

    def target(self, output: str) -> Literal["classes", "numbers", "inputs"] | None:
        """What an output learns; None where that is unknown.

        Args:
            output: Its name; empty for the only one.
        """
        written = self.loaded.spec.data.target
        learnt = written if isinstance(written, str) else written.get(output, "labels")
        if learnt == "inputs":
            return "inputs"
        if self.facts is None or learnt != "labels":
            return None
        return "numbers" if self.facts.classes is None else "classes"

    def loss(self, output: str) -> WrittenChoice | None:
        """The loss of an output."""
        path: Path = ("training", "loss")
        if by_output(self.tree, path) is not None:
            path = (*path, output)
        return read_choice(find(self.tree, path), path)

    def metrics(self, output: str) -> list[WrittenChoice]:
        """The metrics of an output."""
        path: Path = ("training", "metrics")
        if by_output(self.tree, path) is not None:
            path = (*path, output)
        return read_choices(self.tree, path)


def _read_layers(tree: Node) -> list[Layer]:
    """The flat list of layers with what each takes."""
    choices = read_choices(tree, ("model", "layers"))
    indices = {name: index for index, one in enumerate(choices) if isinstance(name := one.value("name"), str)}
    layers = []
    for index, choice in enumerate(choices):
        given = choice.value("inputs")
        names = [given] if isinstance(given, str) else given
        if choice.name == "Input":
            before = [ARRIVING]
        elif isinstance(names, list):
            before = [_index(name, indices) for name in names]
        else:
            before = [index - 1]  # the layer above, or the model's input
        layers.append(Layer(choice, index, tuple(before)))
    return layers


def _index(name: str, indices: dict[str, int]) -> int:
    """The index of the layer that a name, or the ``#3`` of a block, stands for."""
    return int(name[1:]) if isinstance(name, Reference) else indices.get(name, ARRIVING)


def _outputs(tree: Node, layers: list[Layer]) -> list[tuple[str, int]]:
    """The outputs by their names, each with the index of its layer; the name of a single one is empty."""
    node = find(tree, ("model", "outputs"))
    names = plain(node) if node is not None else None
    if not isinstance(names, list):
        return [("", len(layers) - 1)]
    indices = {layer.choice.text("name"): layer.index for layer in layers}
    found = [(name, indices[name]) for name in names if name in indices]
    return [("", found[0][1])] if len(names) == 1 and found else found


def _key_place(tree: Node, path: Path) -> Place | None:
    """Where the key of a section stands."""
    node = find(tree, path)
    return (node.key_place or node.place) if node else tree.place


def numbers(value: object) -> Iterator[float]:
    """All numbers in nested lists, truth values among them."""
    if isinstance(value, list):
        for item in value:
            yield from numbers(item)
    elif isinstance(value, int | float):
        yield value
