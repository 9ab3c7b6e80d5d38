"""What is trained, in plain values and arrays from which a process without Keras can train the same."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnrun.keras_backend import load_keras
from nnrun.spec.schema import Choice
from nnrun.training.prepared import Prepared


class NoCounterpartError(Exception):
    """A part of a specification that PyTorch does not have, or not here; says which."""


@dataclass(frozen=True)
class LayerFacts:
    """A layer.

    Args:
        kind: Its class.
        config: Its arguments.
        input_shape: Of one example.
        output_shape: Of one example.
        weights: How many arrays it has.
    """

    kind: str
    config: Mapping[str, Any]
    input_shape: tuple[int, ...]
    output_shape: tuple[int, ...]
    weights: int


@dataclass(frozen=True)
class Network:
    """A chain of layers, and how it learns.

    Args:
        layers: In their order, without the input.
        loss: Its name.
        loss_arguments: What it is given.
        optimizer: Its class.
        optimizer_config: Its arguments.
        metrics: Their names.
        batch_size: Examples in a step.
        divisor: ``x / divisor`` is what the network sees; None: ``x`` itself.
        seed: The specification's.
    """

    layers: Sequence[LayerFacts]
    loss: str
    loss_arguments: Mapping[str, Any]
    optimizer: str
    optimizer_config: Mapping[str, Any]
    metrics: Sequence[str]
    batch_size: int
    divisor: float | None
    seed: int

    def facts(self) -> dict[str, Any]:
        """In values that JSON has."""
        found: dict[str, Any] = json.loads(json.dumps(asdict(self), default=str))
        return found

    @classmethod
    def of(cls, facts: Mapping[str, Any]) -> Network:
        """What :meth:`facts` gave."""
        layers = [
            LayerFacts(
                **{
                    **one,
                    "input_shape": tuple(one["input_shape"]),
                    "output_shape": tuple(one["output_shape"]),
                }
            )
            for one in facts["layers"]
        ]
        return cls(**{**facts, "layers": layers})


def describe(prepared: Prepared) -> Network:
    """What is trained.

    Raises:
        NoCounterpartError: It is nothing that is compared with PyTorch.
    """
    model, spec, data = prepared.model, prepared.spec, prepared.data
    training = spec.training
    layers = _layers(model)
    if not isinstance(training.loss, Choice) or len(model.inputs) != 1 or len(model.outputs) != 1:
        raise NoCounterpartError("the network has several inputs or outputs")
    if not _is_chain(model, layers):
        raise NoCounterpartError("the network is no chain of layers")
    if spec.data.target != "labels":
        raise NoCounterpartError("it learns its own inputs")
    if training.class_weight is not None or data.train.weights is not None:
        raise NoCounterpartError("its examples are weighted")
    if model.dtype_policy.name != "float32":
        raise NoCounterpartError(f"it computes in {model.dtype_policy.name}")
    described = [
        LayerFacts(
            type(layer).__name__,
            layer.get_config(),
            tuple(layer.input.shape[1:]),
            tuple(layer.output.shape[1:]),
            len(layer.weights),
        )
        for layer in layers
    ]
    optimizer, loss = model.optimizer, training.loss
    return Network(
        layers=described,
        loss=loss.name,
        loss_arguments=loss.arguments,
        optimizer=type(optimizer).__name__,
        optimizer_config=optimizer.get_config(),
        metrics=[one.name for one in training.metrics if isinstance(one, Choice)],
        batch_size=training.batch_size,
        divisor=data.facts.divisor,
        seed=spec.seed,
    )


def arrays_of(prepared: Prepared) -> dict[str, NDArray[Any]]:
    """The examples as ``x`` and ``y``, and the weights by ``<layer>/<weight>``, both counted from 0."""
    keras = load_keras()
    part: Any = prepared.data.train  # in memory, with one input
    weights = {
        f"{index}/{number}": np.asarray(keras.ops.convert_to_numpy(weight))
        for index, layer in enumerate(_layers(prepared.model))
        for number, weight in enumerate(layer.weights)
    }
    x = part.x["input"] if isinstance(part.x, dict) else part.x
    return {"x": x, "y": part.y, **weights}


def _layers(model: Any) -> list[Any]:
    return [layer for layer in model.layers if type(layer).__name__ != "InputLayer"]


def _is_chain(model: Any, layers: Sequence[Any]) -> bool:
    """Whether each layer takes what the one before gives."""
    current = model.inputs[0]
    for layer in layers:
        try:
            if layer.input is not current:
                return False
            current = layer.output
        except (AttributeError, ValueError):  # called more than once, or itself a model
            return False
    return current is model.outputs[0]
