"""A model on paper: layers, shapes, parameters and memory, before a single number is made."""

from __future__ import annotations

import math
import os
from typing import Any

import numpy as np

from nnrun.data.load import load_facts
from nnrun.errors import ResourceError
from nnrun.keras_backend import load_keras, start_session
from nnrun.model.build import InputShape, build_model
from nnrun.model.code import run_code
from nnrun.model.compile import check_output, check_training, make_optimizer
from nnrun.model.shapes import shape_text
from nnrun.spec.datasets import DatasetFacts, InputFacts
from nnrun.spec.load import Loaded
from nnrun.spec.names import shorten
from nnrun.spec.output_rules import takes_sequences
from nnrun.spec.schema import Spec, TrainingSection

MOST_BYTES = 10**18
"""Of what is more no float needs to hold the figure."""


def build_from_facts(loaded: Loaded, facts: DatasetFacts | None = None) -> Any:
    """Build a specification's model from what is known about its data, without loading it.

    The variables have shapes but no values, so a model of any size takes a few milliseconds and no memory.

    Args:
        loaded: The specification.
        facts: Of its data; None: found out, for which the user's own files are read.

    Raises:
        SpecError: A layer's shape does not fit, or Keras refuses a value.
        DataError: A file of the user's is not what it should be.
    """
    facts = facts or find_facts(loaded.spec)
    if loaded.code:
        run_code(loaded.code.module)
    start_session(loaded.spec.seed)
    with load_keras().StatelessScope(initialize_variables=False):
        return build_model(loaded.model, input_shapes(facts), loaded.place, pretrained=False)


def find_facts(spec: Spec) -> DatasetFacts:
    """What is known of a specification's data; the user's own files are read for it."""
    return load_facts(
        spec.data,
        losses=spec.training.loss,
        seed=spec.seed,
        validation_split=spec.training.validation_split,
    )


def check_on_paper(loaded: Loaded, facts: DatasetFacts | None = None) -> Any:
    """Build a specification's model as :func:`build_from_facts` does, and hold its output against the targets.

    Raises:
        SpecError: A shape does not fit, that of the output included, or Keras refuses a value of the training's.
    """
    facts = facts or find_facts(loaded.spec)
    model = build_from_facts(loaded, facts)
    of_labels = loaded.spec.data.target == "labels" and not takes_sequences(loaded.spec.training.loss)
    if of_labels and facts.classes is not None:  # a class index for each example
        check_output(model, (), loaded.model, loaded.place)
    check_training(model, loaded.spec.training, loaded.place)
    return model


def input_shapes(facts: DatasetFacts) -> dict[str, InputShape]:
    """What the model receives from a data set."""
    inputs = facts.inputs or {"input": InputFacts(facts.shape, facts.dtype, facts.divisor)}
    return {
        name: InputShape(
            one.shape, "int32" if one.dtype.startswith(("int", "uint")) and one.divisor is None else "float32"
        )
        for name, one in inputs.items()
    }


def summary_lines(model: Any, training: TrainingSection) -> list[str]:
    """Keras's table, and the memory that training takes."""
    lines: list[str] = []
    model.summary(print_fn=lambda text, **_: lines.extend(text.splitlines()))
    memory = describe_model(model, training)["memory"]
    lines.append(
        f" Memory for training: {size_text(memory['parameters'])} parameters, "
        f"{size_text(memory['gradients'])} gradients, {size_text(memory['optimizer'])} {training.optimizer.name}, "
        f"{size_text(memory['activations'])} activations of a batch of {training.batch_size}"
    )
    return lines


def describe_model(model: Any, training: TrainingSection) -> dict[str, Any]:
    """A model in plain values.

    Returns:
        ``layers`` (name, type, shape without values, parameters), ``parameters``, ``trainable``, ``not_trainable``,
        and ``memory`` in bytes: ``parameters``, ``gradients``, ``optimizer``, ``activations`` of one batch.
    """
    layers = [
        {
            "name": layer.name,
            "type": type(layer).__name__,
            "output_shape": shape_text(layer.output.shape),
            "parameters": layer.count_params(),
        }
        for layer in model.layers
    ]
    trainable = _bytes(model.trainable_variables)
    return {
        "layers": layers,
        "parameters": model.count_params(),
        "trainable": _count(model.trainable_variables),
        "not_trainable": model.count_params() - _count(model.trainable_variables),
        "memory": {
            "parameters": _bytes(model.weights),
            "gradients": trainable,
            "optimizer": _optimizer_bytes(model, training),
            "activations": _activation_bytes(model) * training.batch_size,
        },
    }


def layers_of(model: Any) -> list[dict[str, Any]]:
    """The layers of a built Keras model, the input layers included.

    Args:
        model: Sequential or functional.

    Returns:
        ``name``, ``type``, ``output_shape``, ``parameters`` and ``inputs`` (names of layers) of each.
    """
    graph = getattr(model, "_functional", None) or model  # a Sequential model keeps its input layer there
    nodes = {id(node) for depth in graph._nodes_by_depth.values() for node in depth}
    described = []
    for layer in graph.layers:
        own = [
            node for node in layer._inbound_nodes if id(node) in nodes
        ]  # it can be part of other models too
        inputs = [tensor._keras_history.operation.name for node in own for tensor in node.input_tensors]
        outputs = [tensor.shape for node in own[:1] for tensor in node.output_tensors]
        described.append(
            {
                "name": layer.name,
                "type": type(layer).__name__,
                "output_shape": ", ".join(map(shape_text, outputs)),
                "parameters": layer.count_params(),
                "inputs": list(dict.fromkeys(inputs)),
            }
        )
    return described


def refuse_too_large(model: Any, training: TrainingSection) -> None:
    """Refuse a model that the machine's memory cannot hold; TensorFlow would be killed instead of failing.

    Raises:
        ResourceError: Weights, gradients and optimizer alone take more than there is.
    """
    memory = describe_model(model, training)["memory"]
    needed = memory["parameters"] + memory["gradients"] + memory["optimizer"]
    installed = _installed_bytes()
    if installed and needed > installed:
        raise ResourceError(
            f"the model's {shorten(f'{model.count_params():,}')} parameters take {size_text(needed)} with gradients "
            f"and optimizer, this machine has {size_text(installed)}; use fewer units or filters"
        )


def _installed_bytes() -> int | None:
    """The machine's memory, where the system tells."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return None


def size_text(count: float) -> str:
    """Bytes in words: ``1.6 MB``."""
    if count > MOST_BYTES:
        return "more than a million TB"
    if count < 1000:
        return f"{count:.0f} B"
    power = min(4, int(math.log10(count) // 3))
    return f"{count / 1000**power:.1f} {('kB', 'MB', 'GB', 'TB')[power - 1]}"


def _optimizer_bytes(model: Any, training: TrainingSection) -> int:
    """What the optimizer keeps for the model's weights, measured on a small weight of its own."""
    sample = load_keras().Variable(np.zeros((64, 64), "float32"))
    optimizer = make_optimizer(training)
    optimizer.build([sample])
    slots = [
        variable for variable in optimizer.variables if len(variable.shape)
    ]  # no step count, no learning rate
    return _bytes(slots) * _bytes(model.trainable_variables) // _bytes([sample])


def _activation_bytes(model: Any) -> int:
    """Bytes of all layers' outputs for one example, at 4 bytes a number; unknown dimensions count as one."""
    return sum(4 * math.prod(size or 1 for size in layer.output.shape[1:]) for layer in model.layers)


def _count(variables: list[Any]) -> int:
    return sum(math.prod(variable.shape) for variable in variables)


def _bytes(variables: list[Any]) -> int:
    sizes = {"float64": 8, "int64": 8, "float16": 2, "bfloat16": 2, "bool": 1, "int8": 1, "uint8": 1}
    return sum(math.prod(variable.shape) * sizes.get(variable.dtype, 4) for variable in variables)
