"""A built model's layers in plain values, as the diagram takes them."""

from __future__ import annotations

from typing import Any

from nnrun.model.shapes import shape_text


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
