"""Shapes in words: what arrives at a layer, and what it wants."""

from __future__ import annotations

from typing import Any

from nnrun.spec.names import shorten


def shape_text(shape: Any) -> str:
    """A shape with its batch dimension: ``(batch, 28, 28)``; several in a list."""
    if isinstance(shape, list) or (shape and isinstance(shape[0], tuple | list)):
        return "[" + ", ".join(shape_text(one) for one in shape) + "]"
    first, *rest = shape
    sizes = ["batch" if first is None else str(first)] + [
        "any" if size is None else shorten(str(size)) for size in rest
    ]
    return f"({', '.join(sizes)})"


def explain_misfit(layer: Any, tensor: Any, reason: str) -> str:
    """Say which shape arrives at a layer, which it wants, and what to put before it.

    Args:
        layer: The Keras layer that refused its input.
        tensor: The ``KerasTensor`` that arrives, or a list of them.
        reason: Keras's message, used where the layer does not declare what it wants.
    """
    if isinstance(tensor, list):
        return f"receives {shape_text([one.shape for one in tensor])}, which does not fit: {reason}"
    arrives = f"receives {shape_text(tensor.shape)}"
    spec = layer.input_spec
    if spec is None or isinstance(spec, list | tuple):
        return f"{arrives}, which does not fit: {reason}"
    rank, found = spec.ndim or spec.min_ndim, len(tensor.shape)
    if rank and found < rank:
        return f"{arrives}, wants {_rank_text(rank)}{_add_axes(tensor.shape, rank)}"
    most = spec.ndim or spec.max_ndim
    if most and found > most:
        return f"{arrives}, wants {_rank_text(most)}; put Flatten or a pooling layer before it"
    for axis, size in (spec.axes or {}).items():
        if size is not None and tensor.shape[axis] not in (size, None):
            return f"{arrives}, wants {size} along axis {axis}"
    if None in tensor.shape[1:] and "None" in reason:
        return f"{arrives}, and needs to know the size that is 'any'; say it in the layer before"
    return f"{arrives}, which does not fit: {reason}"


def _rank_text(rank: int) -> str:
    names = {
        2: "(batch, features)",
        3: "(batch, steps, features)",
        4: "(batch, height, width, channels)",
        5: "(batch, depth, height, width, channels)",
    }
    return names.get(rank, f"{rank} dimensions with the batch")


def _add_axes(shape: tuple[int | None, ...], rank: int) -> str:
    """The Reshape that would add one missing axis of size 1, where that is what is missing."""
    sizes = list(shape[1:])
    if len(shape) != rank - 1 or rank < 3 or None in sizes:
        return ""
    return f"; put `Reshape: {{target_shape: {[*sizes, 1]}}}` before it"
