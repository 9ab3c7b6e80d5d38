"""The floating point operations of a training step, counted from a model's layers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

TRAINING = 3
"""A training step does three times the arithmetic of the forward pass: the gradients by the inputs and by the weights
each take as much (Kaplan et al., Scaling Laws for Neural Language Models, 2020, section 2.1; the share of the peak
that follows from it is the model FLOPs utilization of Chowdhery et al., PaLM, 2022, section 4.1)."""

NEGLIGIBLE = ("Embedding", "Normalization", "PReLU")
"""Ends of the names of layers whose weights take part in a few operations for each value, if any."""

RECURRENT = ("LSTM", "GRU", "SimpleRNN")

Shape = Sequence[int | None]


@dataclass(frozen=True)
class Arithmetic:
    """The arithmetic of the forward pass for one example.

    Args:
        flops: Multiplications and additions in the layers of which it is known.
        known: The parameters of these layers.
        parameters: All parameters.
    """

    flops: int
    known: int
    parameters: int

    @property
    def share(self) -> float:
        """For how much of the model it is known, by its parameters."""
        return self.known / self.parameters if self.parameters else 0.0

    def facts(self) -> dict[str, Any]:
        return {"forward_flops_per_example": self.flops, "known_share": self.share}


def count_arithmetic(model: Any) -> Arithmetic:
    """Count dense, convolutional and recurrent layers, and attention; the rest has next to no arithmetic.

    Args:
        model: A built ``keras.Sequential`` or functional model.
    """
    flops = 0
    unknown: dict[int, int] = {}
    for layer, inputs, outputs in _calls(model):
        found = _layer_flops(layer, inputs, outputs)
        if found is None:
            unknown[id(layer)] = layer.count_params()
        flops += found or 0
    parameters = model.count_params()
    return Arithmetic(flops, parameters - sum(unknown.values()), parameters)


def _calls(model: Any) -> list[tuple[Any, list[Shape], Shape]]:
    """Each call of a layer, with the shapes of what it takes and gives; models inside of it are laid out."""
    graph = getattr(model, "_functional", None) or model  # a Sequential model keeps its graph there
    found: list[tuple[Any, list[Shape], Shape]] = []
    for nodes in graph._nodes_by_depth.values():
        for node in nodes:
            layer = node.operation
            if hasattr(layer, "_nodes_by_depth") or getattr(layer, "_functional", None):
                found += _calls(layer)
            elif node.input_tensors and hasattr(layer, "count_params"):
                shapes = [tensor.shape for tensor in node.input_tensors]
                found.append((layer, shapes, node.output_tensors[0].shape))
    return found


def _layer_flops(layer: Any, inputs: list[Shape], output: Shape) -> int | None:
    """The operations of a layer's call for one example; None where they are not known."""
    name = type(layer).__name__
    if name == "TimeDistributed":
        inner = _layer_flops(layer.layer, [(None, *inputs[0][2:])], (None, *output[2:]))
        return _product(inner, inputs[0][1])
    if name == "MultiHeadAttention":
        return _attention_flops(layer, inputs)
    wrapped = type(layer.forward_layer).__name__ if name == "Bidirectional" else name
    if wrapped in RECURRENT:
        return _product(2, inputs[0][1], _kernel_size(layer))
    if name.startswith("ConvLSTM") or wrapped != name:
        return None
    if "Conv" in name:
        places = inputs[0][1:-1] if "Transpose" in name else output[1:-1]
        return _product(2, *places, _kernel_size(layer))
    if name == "Dense":
        return _product(2, *output[1:-1], _kernel_size(layer))
    return 0 if not layer.count_params() or name.endswith(NEGLIGIBLE) else None


def _attention_flops(layer: Any, inputs: list[Shape]) -> int | None:
    """Four projections, the scores of all pairs of positions, and the sums that they weight."""
    queries, values = inputs[0][1], inputs[-1][1]
    if len(inputs[0]) != 3 or queries is None or values is None:
        return None
    settings = layer.get_config()
    keys: int = settings["key_dim"]
    width = keys + (settings["value_dim"] or keys)
    pairs = 2 * queries * values * settings["num_heads"] * width
    found: int = pairs + sum(
        2
        * (queries if one.path.rpartition("/")[0].endswith(("query", "attention_output")) else values)
        * math.prod(one.shape)
        for one in layer.weights
        if one.name.endswith("kernel")
    )
    return found


def _kernel_size(layer: Any) -> int:
    """The multiplications of a layer at one place: each weight of its kernels takes part in one."""
    return sum(math.prod(one.shape) for one in layer.weights if one.name.endswith("kernel"))


def _product(*factors: int | None) -> int | None:
    known = [factor for factor in factors if factor is not None]
    return math.prod(known) if len(known) == len(factors) else None
