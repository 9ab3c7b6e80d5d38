"""Layers of Keras as modules of PyTorch, with the same weights.

What has no exact counterpart here is refused by name: a comparison of different networks would say nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

from numpy.typing import NDArray

from nnrun.bench.description import LayerFacts, NoCounterpartError

Layout = Literal["channels_last", "channels_first"]
Take = Callable[[str], Any]

UNIMPORTANT = ("name", "trainable", "dtype", "data_format", "seed", "unit_forget_bias", "renorm_momentum")
"""Arguments of layers that say nothing of what a built layer computes; initializers are others."""


def is_nothing(value: object) -> bool:
    """Whether an argument leaves a layer or an optimizer as it is; ``True`` never does, though it equals 1."""
    return (
        value is None or value is False or value == "linear" or (not isinstance(value, bool) and value == 0)
    )


def layout_of(layer: LayerFacts, current: Layout) -> Layout:
    """How a layer takes its inputs: PyTorch's convolutions and poolings have the channels first."""
    if layer.kind in ("Dropout", "Activation", "ReLU"):
        return current
    spatial = layer.kind.startswith(("Conv", "MaxPooling", "AveragePooling", "Global", "BatchNormalization"))
    return "channels_first" if spatial and len(layer.input_shape) > 1 else "channels_last"


def turn(torch: Any, rank: int, wanted: Layout) -> Any:
    """A module that moves the channels of examples of a rank; nothing is copied."""
    order = (0, rank, *range(1, rank)) if wanted == "channels_first" else (0, *range(2, rank + 1), 1)
    return _function(torch, lambda x: x.permute(order))


def _function(torch: Any, call: Callable[[Any], Any]) -> Any:
    class Function(torch.nn.Module):  # type: ignore[misc]
        def forward(self, x: Any) -> Any:
            return call(x)

    return Function()


def translate(torch: Any, layer: LayerFacts, weights: Sequence[NDArray[Any]]) -> tuple[Any, Any]:
    """A layer as a module without its activation, and the activation."""
    make = LAYERS.get(layer.kind)
    if make is None:
        raise NoCounterpartError(f"the layer {layer.kind} has no counterpart here")
    if not layer.config.get("trainable", True):
        raise NoCounterpartError(f"the layer {layer.kind} does not learn")
    used: set[str] = set()

    def take(name: str) -> Any:
        used.add(name)
        return layer.config[name]

    has_own = "activation" in layer.config and layer.kind != "LSTM"  # that of an LSTM is within it
    after = take("activation") if has_own else "linear"
    made = make(torch, layer, take, [torch.tensor(weight) for weight in weights])
    for name, value in layer.config.items():
        is_unimportant = name in UNIMPORTANT or name.endswith("initializer") or name in used
        if not is_unimportant and not is_nothing(value):
            raise NoCounterpartError(f"{layer.kind} with {name}={value} has no counterpart here")
    return made, after


def activation(torch: Any, name: Any) -> Any:
    nn = torch.nn
    known = {
        "relu": nn.ReLU,
        "sigmoid": nn.Sigmoid,
        "tanh": nn.Tanh,
        "softmax": lambda: nn.Softmax(-1),
        "elu": nn.ELU,
        "selu": nn.SELU,
        "gelu": nn.GELU,
        "silu": nn.SiLU,
        "swish": nn.SiLU,
        "softplus": nn.Softplus,
        "softsign": nn.Softsign,
        "linear": nn.Identity,
    }
    if not isinstance(name, str) or name not in known:
        raise NoCounterpartError(f"the activation {name} has no counterpart here")
    return known[name]()


def _set(parameter: Any, value: Any) -> None:
    if parameter.shape != value.shape:
        raise ValueError(f"a weight of shape {tuple(parameter.shape)} cannot be {tuple(value.shape)}")
    parameter.data = value.contiguous()


def _dense(torch: Any, layer: LayerFacts, take: Take, weights: list[Any]) -> Any:
    made = torch.nn.Linear(layer.input_shape[-1], take("units"), bias=take("use_bias"))
    _set(made.weight, weights[0].T)
    if made.bias is not None:
        _set(made.bias, weights[1])
    return made


def _convolution(torch: Any, layer: LayerFacts, take: Take, weights: list[Any]) -> Any:
    dimensions = len(layer.input_shape) - 1
    kind = torch.nn.Conv1d if dimensions == 1 else torch.nn.Conv2d
    strides, padding = tuple(take("strides")), take("padding")
    if padding not in ("valid", "same") or (padding == "same" and set(strides) != {1}):
        raise NoCounterpartError(
            f"{layer.kind} with padding={padding} and strides={strides} has no counterpart here"
        )
    made = kind(
        layer.input_shape[-1],
        take("filters"),
        tuple(take("kernel_size")),
        stride=strides,
        padding=padding,
        dilation=tuple(take("dilation_rate")),
        groups=take("groups"),
        bias=take("use_bias"),
    )
    _set(made.weight, weights[0].permute(dimensions + 1, dimensions, *range(dimensions)))
    if made.bias is not None:
        _set(made.bias, weights[1])
    return made


def _pooling(torch: Any, layer: LayerFacts, take: Take, weights: list[Any]) -> Any:
    if take("padding") != "valid":
        raise NoCounterpartError(f"{layer.kind} with padding=same has no counterpart here")
    kind = "MaxPool" if layer.kind.startswith("Max") else "AvgPool"
    pool = getattr(torch.nn, f"{kind}{len(layer.input_shape) - 1}d")
    return pool(tuple(take("pool_size")), stride=tuple(take("strides")))


def _global_pooling(torch: Any, layer: LayerFacts, take: Take, weights: list[Any]) -> Any:
    axes = tuple(range(2, len(layer.input_shape) + 1))
    if "Average" in layer.kind:
        return _function(torch, lambda x: x.mean(axes))
    return _function(torch, lambda x: x.amax(axes))


def _normalization(torch: Any, layer: LayerFacts, take: Take, weights: list[Any]) -> Any:
    rank = len(layer.input_shape)
    if take("axis") not in (-1, rank) or not (take("center") and take("scale")) or rank > 3:
        raise NoCounterpartError(
            "BatchNormalization of another axis or without its weights has no counterpart here"
        )
    kind = torch.nn.BatchNorm2d if rank == 3 else torch.nn.BatchNorm1d
    made = kind(layer.input_shape[-1], eps=take("epsilon"), momentum=1 - take("momentum"))
    for old, new in zip((made.weight, made.bias, made.running_mean, made.running_var), weights, strict=True):
        _set(old, new)
    return made


def _embedding(torch: Any, layer: LayerFacts, take: Take, weights: list[Any]) -> Any:
    made = torch.nn.Embedding(take("input_dim"), take("output_dim"))
    _set(made.weight, weights[0])
    return made


def _lstm(torch: Any, layer: LayerFacts, take: Take, weights: list[Any]) -> Any:
    if (take("activation"), take("recurrent_activation"), take("use_bias")) != ("tanh", "sigmoid", True):
        raise NoCounterpartError("an LSTM with other activations than its own has no counterpart here")
    core = torch.nn.LSTM(layer.input_shape[-1], take("units"), batch_first=True)
    # The gates are in the same order. Of PyTorch's two biases Keras has one.
    _set(core.weight_ih_l0, weights[0].T)
    _set(core.weight_hh_l0, weights[1].T)
    _set(core.bias_ih_l0, weights[2])
    _set(core.bias_hh_l0, torch.zeros_like(weights[2]))
    core.bias_hh_l0.requires_grad = False
    all_steps = take("return_sequences")

    class Lstm(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.core = core

        def forward(self, x: Any) -> Any:
            outputs = self.core(x)[0]
            return outputs if all_steps else outputs[:, -1]

    return Lstm()


def _reshape(torch: Any, layer: LayerFacts, take: Take, weights: list[Any]) -> Any:
    take("target_shape")
    return _function(torch, lambda x: x.reshape(-1, *layer.output_shape))


LAYERS: Mapping[str, Callable[[Any, LayerFacts, Take, list[Any]], Any]] = {
    "Dense": _dense,
    "Conv1D": _convolution,
    "Conv2D": _convolution,
    **{f"{kind}Pooling{rank}D": _pooling for kind in ("Max", "Average") for rank in (1, 2)},
    **{f"Global{kind}Pooling{rank}D": _global_pooling for kind in ("Max", "Average") for rank in (1, 2)},
    "BatchNormalization": _normalization,
    "Embedding": _embedding,
    "LSTM": _lstm,
    "Flatten": lambda torch, layer, take, weights: torch.nn.Flatten(),
    "Reshape": _reshape,
    "Dropout": lambda torch, layer, take, weights: torch.nn.Dropout(take("rate")),
    "Activation": lambda torch, layer, take, weights: torch.nn.Identity(),
    "ReLU": lambda torch, layer, take, weights: torch.nn.ReLU(),
}
