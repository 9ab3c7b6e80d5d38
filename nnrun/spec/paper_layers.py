"""What layers make of shapes, and how many parameters they have: a small function for each family."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Shape = tuple[int, ...]
"""Of one example, without the batch dimension."""


@dataclass(frozen=True)
class Found:
    """What a layer makes of its inputs.

    Args:
        shape: What leaves it.
        formula: A sum of products that gives its parameters: ``784 x 512 + 512``; None where it has none.
        count: Its parameters.
    """

    shape: Shape
    formula: str | None = None
    count: int = 0


class Arguments(ABC):
    """A layer's arguments with their defaults."""

    @abstractmethod
    def __getitem__(self, name: str) -> Any:
        """The value of an argument; None where the layer has no such argument."""

    @abstractmethod
    def inner(self, name: str, inputs: Sequence[Shape]) -> Found | None:
        """What the layer that is an argument makes of inputs; None where that is not known."""

    @abstractmethod
    def inner_value(self, name: str, argument: str) -> Any:
        """The value of an argument of the layer that is an argument."""


Rule = Callable[[Arguments, Sequence[Shape]], Found | None]


def with_parameters(shape: Shape, *terms: Sequence[int]) -> Found:
    """A layer whose parameters are a sum of products; products of nothing are left out."""
    kept = [term for term in terms if term]
    formula = " + ".join(" x ".join(f"{factor:,}" for factor in term) for term in kept)
    return Found(shape, formula or None, sum(math.prod(term) for term in kept))


def keep(arguments: Arguments, inputs: Sequence[Shape]) -> Found:
    return Found(inputs[0])


def flatten(arguments: Arguments, inputs: Sequence[Shape]) -> Found:
    return Found((math.prod(inputs[0]),))


def reshape(arguments: Arguments, inputs: Sequence[Shape]) -> Found | None:
    target = list(arguments["target_shape"])
    whole = math.prod(inputs[0])
    if -1 in target:
        target[target.index(-1)] = whole // -math.prod(target)
    return Found(tuple(target)) if math.prod(target) == whole else None


def permute(arguments: Arguments, inputs: Sequence[Shape]) -> Found:
    return Found(tuple(inputs[0][place - 1] for place in arguments["dims"]))


def repeat_vector(arguments: Arguments, inputs: Sequence[Shape]) -> Found:
    return Found((arguments["n"], *inputs[0]))


def dense(arguments: Arguments, inputs: Sequence[Shape]) -> Found:
    *rest, width = inputs[0]
    units = arguments["units"]
    return with_parameters((*rest, units), (width, units), _bias(arguments, units))


def embedding(arguments: Arguments, inputs: Sequence[Shape]) -> Found:
    size = (arguments["input_dim"], arguments["output_dim"])
    return with_parameters((*inputs[0], size[1]), size)


def prelu(arguments: Arguments, inputs: Sequence[Shape]) -> Found:
    shared = arguments["shared_axes"] or []
    slopes = [1 if axis in shared else size for axis, size in enumerate(inputs[0], 1)]
    return with_parameters(inputs[0], slopes)


def convolution(arguments: Arguments, inputs: Sequence[Shape]) -> Found:
    sizes, channels, kernel = _window(arguments, inputs[0], "kernel_size")
    filters, groups = arguments["filters"], arguments["groups"] or 1
    shape = (*_slide(arguments, sizes, kernel), filters)
    return with_parameters(shape, (*kernel, channels // groups, filters), _bias(arguments, filters))


def depthwise_convolution(arguments: Arguments, inputs: Sequence[Shape]) -> Found:
    sizes, channels, kernel = _window(arguments, inputs[0], "kernel_size")
    multiplier = arguments["depth_multiplier"]
    shape = (*_slide(arguments, sizes, kernel), channels * multiplier)
    return with_parameters(shape, (*kernel, channels, multiplier), _bias(arguments, channels * multiplier))


def separable_convolution(arguments: Arguments, inputs: Sequence[Shape]) -> Found:
    sizes, channels, kernel = _window(arguments, inputs[0], "kernel_size")
    multiplier, filters = arguments["depth_multiplier"], arguments["filters"]
    shape = (*_slide(arguments, sizes, kernel), filters)
    depthwise, pointwise = (*kernel, channels, multiplier), (channels * multiplier, filters)
    return with_parameters(shape, depthwise, pointwise, _bias(arguments, filters))


def transposed_convolution(arguments: Arguments, inputs: Sequence[Shape]) -> Found | None:
    sizes, channels, kernel = _window(arguments, inputs[0], "kernel_size")
    strides = _each(arguments["strides"], len(sizes))
    if arguments["output_padding"] is not None or set(_each(arguments["dilation_rate"], len(sizes))) != {1}:
        return None
    extra = [
        0 if arguments["padding"] == "same" else max(k - s, 0) for k, s in zip(kernel, strides, strict=True)
    ]
    filters = arguments["filters"]
    shape = (*(n * s + e for n, s, e in zip(sizes, strides, extra, strict=True)), filters)
    return with_parameters(shape, (*kernel, filters, channels), _bias(arguments, filters))


def pooling(arguments: Arguments, inputs: Sequence[Shape]) -> Found:
    sizes, channels, window = _window(arguments, inputs[0], "pool_size")
    return Found((*_slide(arguments, sizes, window, default_stride=window), channels))


def global_pooling(arguments: Arguments, inputs: Sequence[Shape]) -> Found:
    *sizes, channels = inputs[0]
    return Found((*(1 for _ in sizes if arguments["keepdims"]), channels))


def up_sampling(arguments: Arguments, inputs: Sequence[Shape]) -> Found:
    *sizes, channels = inputs[0]
    factors = _each(arguments["size"], len(sizes))
    return Found((*(n * factor for n, factor in zip(sizes, factors, strict=True)), channels))


def padding(sign: int, argument: str) -> Rule:
    """Zero padding (1) or cropping (-1)."""

    def rule(arguments: Arguments, inputs: Sequence[Shape]) -> Found:
        *sizes, channels = inputs[0]
        value = arguments[argument]
        pairs = _each(value, len(sizes)) if len(sizes) > 1 or isinstance(value, int) else (tuple(value),)
        added = [sum(pair) if isinstance(pair, list | tuple) else 2 * pair for pair in pairs]
        return Found((*(n + sign * more for n, more in zip(sizes, added, strict=True)), channels))

    return rule


def recurrent(gates: int) -> Rule:
    """SimpleRNN (1 gate), GRU (3) and LSTM (4)."""

    def rule(arguments: Arguments, inputs: Sequence[Shape]) -> Found | None:
        steps, width = inputs[0]
        units = arguments["units"]
        if arguments["return_state"]:
            return None
        biases = 2 if gates == 3 and arguments["reset_after"] else 1
        each = f"({width:,} + {units:,}) x {units:,}"
        count = (width + units) * units
        if arguments["use_bias"]:
            each += f" + {units:,}" if biases == 1 else f" + 2 x {units:,}"
            count += biases * units
        shape = (steps, units) if arguments["return_sequences"] else (units,)
        return Found(shape, each if gates == 1 else f"{gates} x ({each})", gates * count)

    return rule


def bidirectional(arguments: Arguments, inputs: Sequence[Shape]) -> Found | None:
    inner = arguments.inner("layer", inputs)
    if inner is None or arguments["backward_layer"] is not None or arguments["merge_mode"] is None:
        return None
    *rest, units = inner.shape
    width = 2 * units if arguments["merge_mode"] == "concat" else units
    return Found((*rest, width), f"2 x ({inner.formula})", 2 * inner.count)


def time_distributed(arguments: Arguments, inputs: Sequence[Shape]) -> Found | None:
    inner = arguments.inner("layer", [inputs[0][1:]])
    return Found((inputs[0][0], *inner.shape), inner.formula, inner.count) if inner else None


def batch_normalization(arguments: Arguments, inputs: Sequence[Shape]) -> Found | None:
    if arguments["axis"] not in (-1, len(inputs[0])):
        return None
    vectors = 2 + bool(arguments["scale"]) + bool(arguments["center"])
    return with_parameters(inputs[0], (vectors, inputs[0][-1]))


def other_normalization(arguments: Arguments, inputs: Sequence[Shape]) -> Found | None:
    if arguments["axis"] not in (-1, [-1], len(inputs[0])) or arguments["rms_scaling"]:
        return None
    vectors = bool(arguments["scale"]) + bool(arguments["center"])
    return with_parameters(inputs[0], (vectors, inputs[0][-1]) if vectors else ())


def merge(arguments: Arguments, inputs: Sequence[Shape]) -> Found | None:
    return Found(inputs[0]) if len(set(inputs)) == 1 else None


def concatenate(arguments: Arguments, inputs: Sequence[Shape]) -> Found | None:
    axis = arguments["axis"]
    place = axis - 1 if axis > 0 else len(inputs[0]) + axis
    if axis == 0 or len({(*shape[:place], *shape[place + 1 :]) for shape in inputs}) != 1:
        return None
    whole = sum(shape[place] for shape in inputs)
    return Found((*inputs[0][:place], whole, *inputs[0][place + 1 :]))


def attention(arguments: Arguments, inputs: Sequence[Shape]) -> Found | None:
    heads, key = arguments["num_heads"], arguments["key_dim"]
    value = arguments["value_dim"] or key
    widths = [shape[-1] for shape in inputs]
    if len(set(widths)) != 1 or value != key or arguments["output_shape"] is not None:
        return None
    width = widths[0]
    if not arguments["use_bias"]:
        return with_parameters(inputs[0], (3, width, heads, key), (heads, key, width))
    return with_parameters(inputs[0], (3, width, heads, key), (3, heads, key), (heads, key, width), (width,))


def _bias(arguments: Arguments, count: int) -> tuple[int, ...]:
    return (count,) if arguments["use_bias"] else ()


def _each(value: Any, count: int) -> tuple[Any, ...]:
    """A value for each dimension: a number stands for all of them."""
    found = tuple(value) if isinstance(value, list | tuple) else (value,) * count
    if len(found) != count:
        raise ValueError(f"expected {count} values, found {len(found)}")
    return found


def _window(arguments: Arguments, shape: Shape, argument: str) -> tuple[Shape, int, Shape]:
    *sizes, channels = shape
    return tuple(sizes), channels, _each(arguments[argument], len(sizes))


def _slide(
    arguments: Arguments, sizes: Shape, window: Shape, *, default_stride: Shape | None = None
) -> list[int]:
    """How many places a window has along each dimension."""
    written = arguments["strides"]
    strides = default_stride if written is None and default_stride else _each(written or 1, len(sizes))
    dilation = _each(arguments["dilation_rate"] or 1, len(sizes))
    counts = []
    for size, width, stride, spread in zip(sizes, window, strides, dilation, strict=True):
        reach = spread * (width - 1) + 1
        free = size - 1 if arguments["padding"] in ("same", "causal") else size - reach
        if free < 0:
            raise ValueError("the window is larger than what it slides over")
        counts.append(free // stride + 1)
    return counts


def _names(*patterns: str, dimensions: Sequence[int] = (1, 2, 3)) -> list[str]:
    return [f"{pattern}{count}D" for pattern in patterns for count in dimensions]


KEEPING = (
    *("Activation", "ReLU", "LeakyReLU", "ELU", "Softmax", "Identity", "Masking", "Rescaling"),
    *(
        "Dropout",
        "AlphaDropout",
        "GaussianDropout",
        "SpatialDropout1D",
        "SpatialDropout2D",
        "SpatialDropout3D",
    ),
    *("GaussianNoise", "ActivityRegularization", "UnitNormalization", "RandomFlip", "RandomRotation"),
    *("RandomTranslation", "RandomZoom", "RandomContrast", "RandomBrightness", "RandomShear"),
)
"""Layers that leave the shape as it is and have no parameters."""

LAYERS: Mapping[str, Rule] = {
    **dict.fromkeys(KEEPING, keep),
    **dict.fromkeys(("Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum"), merge),
    **dict.fromkeys(_names("Conv"), convolution),
    **dict.fromkeys(_names("DepthwiseConv", dimensions=(1, 2)), depthwise_convolution),
    **dict.fromkeys(_names("SeparableConv", dimensions=(1, 2)), separable_convolution),
    **{f"Conv{count}DTranspose": transposed_convolution for count in (1, 2, 3)},
    **dict.fromkeys(_names("MaxPooling", "AveragePooling"), pooling),
    **dict.fromkeys(_names("GlobalMaxPooling", "GlobalAveragePooling"), global_pooling),
    **dict.fromkeys(_names("UpSampling"), up_sampling),
    **dict.fromkeys(_names("ZeroPadding"), padding(1, "padding")),
    **dict.fromkeys(_names("Cropping"), padding(-1, "cropping")),
    "Flatten": flatten,
    "Reshape": reshape,
    "Permute": permute,
    "RepeatVector": repeat_vector,
    "Dense": dense,
    "Embedding": embedding,
    "PReLU": prelu,
    "SimpleRNN": recurrent(1),
    "GRU": recurrent(3),
    "LSTM": recurrent(4),
    "Bidirectional": bidirectional,
    "TimeDistributed": time_distributed,
    "BatchNormalization": batch_normalization,
    "LayerNormalization": other_normalization,
    "GroupNormalization": other_normalization,
    "Concatenate": concatenate,
    "MultiHeadAttention": attention,
}
"""By Keras's name."""
