"""From the model section to a Keras model: layers in a row, or a graph."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from nnrun.errors import Place, Problem, SpecError
from nnrun.keras_backend import load_keras
from nnrun.model.networks import WeightsError, make_network
from nnrun.model.parts import make_part
from nnrun.model.reasons import reason_of
from nnrun.model.shapes import explain_misfit, shape_text
from nnrun.spec import catalog
from nnrun.spec.blocks import reference
from nnrun.spec.schema import Choice, ModelSection, describe

PlaceOf = Callable[..., Place | None]
"""Finds where a path of the specification stands in its text: ``place("model", "layers", 1)``."""


@dataclass(frozen=True)
class InputShape:
    """What one input of the model receives.

    Args:
        shape: Of one example, without the batch dimension.
        dtype: ``int32`` for indices, else ``float32``.
    """

    shape: tuple[int, ...]
    dtype: str = "float32"


def build_model(
    section: ModelSection, inputs: Mapping[str, InputShape], place: PlaceOf, *, pretrained: bool = True
) -> Any:
    """Build the Keras model that a specification describes.

    Layers in a row give a ``keras.Sequential``; any ``inputs``, several inputs or named outputs give a functional
    ``keras.Model``. Every layer is made before the first one is built, as in a Keras program, so that seeds are drawn
    in the same order.

    Args:
        section: The model section.
        inputs: The data's inputs by name, in order.
        place: Finds where a layer stands, for messages.
        pretrained: Whether ready networks read their file of weights.

    Returns:
        A built, uncompiled ``keras.Model``.

    Raises:
        SpecError: A value that Keras refuses, or a shape that does not fit, at the layer's line.
    """
    try:
        builder = _Builder(section, inputs, place, pretrained)
        return builder.graph() if builder.is_graph else builder.row()
    except RecursionError:
        message = (
            f"{len(section.layers):,} layers are more than Keras can follow one after the other; use fewer"
        )
        raise SpecError([Problem(message, "model.layers", place("model", "layers"))]) from None


class _Builder:
    """Builds one model; remembers where its layers stand."""

    def __init__(
        self, section: ModelSection, inputs: Mapping[str, InputShape], place: PlaceOf, pretrained: bool
    ) -> None:
        self.section = section
        self.pretrained = pretrained
        self.place = place
        self.keras = load_keras()
        self.inputs = self._make_inputs(inputs)
        self.networks = {
            index for index, choice in enumerate(section.layers) if catalog.is_application(choice.name)
        }
        self.layers = self._make_layers()

    @property
    def is_graph(self) -> bool:
        wired = any("inputs" in choice.arguments for choice in self.section.layers)
        return wired or bool(self.networks) or len(self.inputs) > 1 or self.section.outputs is not None

    def row(self) -> Any:
        """The layers one after the other, as ``keras.Sequential``."""
        (tensor,) = self.inputs.values()
        try:
            model = self.keras.Sequential([tensor, *self.layers.values()])
        except RecursionError:
            raise
        except Exception as error:
            self.keras.utils.clear_session(free_memory=False)  # names begin anew
            self.layers = self._make_layers()  # once more, one at a time, to learn which layer it was
            for index in self.layers:
                tensor = self._call(index, tensor)
            self._refuse(len(self.section.layers) - 1, reason_of(error))
        for index, layer in self.layers.items():
            self._check_output(index, layer.output)
        return model

    def graph(self) -> Any:
        """The layers wired by their ``inputs``, as a functional ``keras.Model``."""
        tensors = dict(self.inputs)
        latest = next(reversed(tensors.values()))
        tensors[reference(-1)] = latest
        for index in range(len(self.section.layers)):
            if self.section.layers[index].name == "Input":
                tensors[reference(index)] = latest
                continue
            sources = self.section.layers[index].arguments.get("inputs")
            if isinstance(sources, str):
                sources = [sources]
            arriving = [tensors[name] for name in sources] if sources else [latest]
            arrived = arriving[0] if len(arriving) == 1 else arriving
            if index in self.networks:
                self.layers[index] = self._make_network(index, arrived)
            latest = self._call(index, arrived)
            tensors[self.layers[index].name] = tensors[reference(index)] = latest
        outputs = [tensors[name] for name in self.section.outputs or []] or [latest]
        given = next(iter(self.inputs.values())) if len(self.inputs) == 1 else self.inputs
        return self.keras.Model(given, outputs[0] if len(outputs) == 1 else outputs)

    def _make_inputs(self, inputs: Mapping[str, InputShape]) -> dict[str, Any]:
        """One ``keras.Input`` for each of the data's inputs, under the names that the specification gives them."""
        declared = {
            index: choice for index, choice in enumerate(self.section.layers) if choice.name == "Input"
        }
        if declared and len(declared) != len(inputs):
            self._refuse(
                next(iter(declared)),
                f"the data has {len(inputs)} input(s), here are {len(declared)} Input layers",
            )
        names = self.section.inputs or list(inputs)
        if len(inputs) > 1:
            return self._make_named_inputs(inputs, declared)
        if len(names) != len(inputs):
            message = f"the data has {len(inputs)} input(s), here are {len(names)} names"
            raise SpecError([Problem(message, "model.inputs", self.place("model", "inputs"))])
        tensors = {}
        for (index, choice), name, facts in zip(
            list(declared.items()) or [(0, Choice(""))] * len(inputs), names, inputs.values(), strict=True
        ):
            self._check_declared(index, choice, facts)
            name = choice.arguments.get("name", name)
            tensors[name] = self.keras.Input(facts.shape, dtype=facts.dtype, name=name)
        return tensors

    def _make_named_inputs(
        self, inputs: Mapping[str, InputShape], declared: Mapping[int, Choice]
    ) -> dict[str, Any]:
        """Of several inputs each has the data's name for it, in whatever order they are written."""
        names = self.section.inputs or list(inputs)
        if set(names) != set(inputs) or len(names) != len(inputs):
            message = f"the data's inputs are {', '.join(inputs)}; name all of them, and no others"
            raise SpecError([Problem(message, "model.inputs", self.place("model", "inputs"))])
        for index, choice in declared.items():
            name = str(choice.arguments.get("name"))
            if name not in inputs:
                self._refuse(index, f"expected the name of one of the data's inputs: {', '.join(inputs)}")
            self._check_declared(index, choice, inputs[name])
        order = [choice.arguments["name"] for choice in declared.values()] or names
        return {
            name: self.keras.Input(inputs[name].shape, dtype=inputs[name].dtype, name=name) for name in order
        }

    def _check_declared(self, index: int, choice: Choice, facts: InputShape) -> None:
        shape = choice.arguments.get("shape")
        if shape is not None and shape != list(facts.shape):
            self._refuse(
                index,
                f"the data's examples have the shape {list(facts.shape)}, not {shape}; "
                "correct it, or leave the Input layer out",
                "shape",
            )

    def _make_layers(self) -> dict[int, Any]:
        """All layers but Input, by their index; no two of one name."""
        made: dict[int, Any] = {}
        for index, choice in enumerate(self.section.layers):
            if choice.name != "Input" and index not in self.networks:
                made[index] = self._make_layer(index, choice)
        taken: dict[str, int | None] = dict.fromkeys(tensor.name for tensor in self.inputs.values())
        for index, layer in made.items():
            if layer.name in taken:
                self._refuse_name(layer.name, index, taken[layer.name])
            taken[layer.name] = index
        return made

    def _refuse_name(self, name: str, index: int, other: int | None) -> NoReturn:
        """Blame the layer that was given the name, not the one that Keras named."""
        if other is not None and "name" not in self.section.layers[index].arguments:
            index, other = other, index
        owner = "the input" if other is None else f"model.layers[{other}]"
        self._refuse(index, f"the name '{name}' is also that of {owner}; choose another", "name")

    def _make_layer(self, index: int, choice: Choice) -> Any:
        arguments = {name: value for name, value in choice.arguments.items() if name != "inputs"}
        try:
            return make_part("layer", Choice(choice.name, arguments))
        except Exception as error:
            culprit = find_culprit(choice, reason_of(error))
            self._refuse(index, _explain_value(choice, culprit, error), *[culprit] if culprit else ())

    def _make_network(self, index: int, tensor: Any) -> Any:
        """A ready network for the shape that arrives: it is made whole, and so not before the shape is known."""
        choice = self.section.layers[index]
        if not hasattr(tensor, "shape") or len(tensor.shape) != 4:
            shapes = shape_text(tensor.shape if hasattr(tensor, "shape") else [one.shape for one in tensor])
            self._refuse(index, f"receives {shapes}, wants (batch, height, width, channels)")
        try:
            network = make_network(choice, tuple(tensor.shape[1:]), pretrained=self.pretrained)
        except WeightsError as error:
            self._refuse(index, reason_of(error), "weights")
        except Exception as error:
            self._refuse(index, reason_of(error))
        taken: dict[str, int | None] = dict.fromkeys(one.name for one in self.inputs.values())
        taken |= {layer.name: other for other, layer in self.layers.items()}
        if network.name in taken:
            self._refuse_name(network.name, index, taken[network.name])
        return network

    def _call(self, index: int, tensor: Any) -> Any:
        layer = self.layers[index]
        wanted = _separate_inputs(layer)
        given = tensor if isinstance(tensor, list) else [tensor]
        if len(wanted) > 1 and len(given) != len(wanted):
            self._refuse(
                index,
                f"takes {len(wanted)} inputs ({', '.join(wanted)}), found {len(given)}; "
                "give it `inputs: [...]` with the name of a layer for each",
            )
        try:
            output = layer(*given) if len(wanted) > 1 else layer(tensor)
        except RecursionError:
            raise
        except Exception as error:
            self._refuse(index, explain_misfit(layer, tensor, reason_of(error)))
        self._check_output(index, output)
        return output

    def _check_output(self, index: int, output: Any) -> None:
        if not self.keras.backend.is_keras_tensor(output):
            self._refuse(index, "gives several outputs, a layer here gives one; leave return_state out")
        if output.shape[0] is not None:
            self._refuse(
                index,
                f"takes the batch for a part of one example and gives {tuple(output.shape)}; "
                "it wants (batch, height, width, channels), put a Reshape before it",
            )

    def _refuse(self, index: int, message: str, *argument: str) -> NoReturn:
        choice = self.section.layers[index]
        path = ".".join([f"model.layers[{index}]", choice.name, *argument])
        place = self.place("model", "layers", index, *((choice.name, *argument) if argument else ()))
        raise SpecError([Problem(message, path, place)])


def _separate_inputs(layer: Any) -> list[str]:
    """The tensors that a layer is called with one after the other, such as ``query`` and ``value``."""
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    parameters = inspect.signature(layer.call).parameters.values()
    return [one.name for one in parameters if one.kind in kinds and one.default is inspect.Parameter.empty]


def find_culprit(choice: Choice, reason: str) -> str | None:
    """The argument that Keras refused: the one that it names, or the one without which the layer can be made.

    Args:
        choice: A layer that cannot be made.
        reason: Keras's message.
    """
    arguments = {name: value for name, value in choice.arguments.items() if name != "inputs"}
    named = [name for name in arguments if re.search(rf"`{name}`|\\b{name}=", reason)]
    if len(named) == 1 or len(arguments) == 1:
        return (named or list(arguments))[0]
    return next((name for name in arguments if _can_be_made_without(choice.name, arguments, name)), None)


def _can_be_made_without(layer: str, arguments: Mapping[str, Any], left_out: str) -> bool:
    try:
        make_part(
            "layer", Choice(layer, {name: value for name, value in arguments.items() if name != left_out})
        )
    except Exception:
        return False
    return True


def _explain_value(choice: Choice, culprit: str | None, error: Exception) -> str:
    """Keras's message; what was found, where Keras stumbled over it without a message of its own."""
    reason = reason_of(error)
    if isinstance(error, ValueError) or culprit is None:
        return reason
    return f"Keras cannot take {describe(choice.arguments[culprit])} here ({reason})"
