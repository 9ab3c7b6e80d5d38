"""A chain of Keras layers as a PyTorch module, as a PyTorch program would have it, with the same weights.

What has no exact counterpart here is refused by name: a comparison of different networks would say nothing.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from nnrun.bench.description import LayerFacts, Network, NoCounterpartError
from nnrun.spec.names import fold

Layout = Literal["channels_last", "channels_first"]

UNIMPORTANT = ("name", "trainable", "dtype", "data_format", "seed", "unit_forget_bias", "renorm_momentum")
"""Arguments of layers that say nothing of what a built layer computes; initializers are others."""

NOTHING: tuple[object, ...] = (None, False, 0, 1, [1], [1, 1], "linear")
"""Values of arguments that leave a layer as it is."""


@dataclass(frozen=True)
class Program:
    """What a PyTorch program trains.

    Args:
        module: Gives logits where the loss takes them.
        loss: From outputs and targets to the mean loss.
        optimizer: From parameters to a ``torch.optim.Optimizer``.
        kind: Of targets: class indices, 0 and 1, or numbers.
        with_accuracy: Whether the accuracy is counted.
    """

    module: Any
    loss: Callable[[Any, Any], Any]
    optimizer: Callable[[Any], Any]
    kind: Literal["classes", "binary", "numbers"]
    with_accuracy: bool

    def targets(self, y: NDArray[Any], outputs: int) -> NDArray[Any]:
        """Targets as the loss takes them.

        Raises:
            NoCounterpartError: Classes are compared with several numbers.
        """
        if self.kind == "classes":
            return y.astype(np.int64)
        if y.size != len(y) * outputs:
            raise NoCounterpartError(
                "classes as targets of another loss than cross-entropy have no counterpart here"
            )
        return y.astype(np.float32).reshape(len(y), outputs)

    def correct(self, outputs: Any, targets: Any) -> Any:
        """How many outputs of a batch are right."""
        found = outputs.argmax(1) if self.kind == "classes" else (outputs > 0).to(targets.dtype)
        return (found == targets).sum()


def make_program(network: Network, arrays: Mapping[str, NDArray[Any]]) -> Program:
    """Translate a network.

    Args:
        network: As Keras has built it.
        arrays: The weights by ``<layer>/<weight>``, both counted from 0.

    Raises:
        NoCounterpartError: A part of it cannot be translated.
    """
    torch = importlib.import_module("torch")
    kind, takes_logits, loss = _loss(torch, network)
    parts: list[Any] = []
    layout: Layout = "channels_last"
    for index, layer in enumerate(network.layers):
        is_last = index == len(network.layers) - 1
        own = [arrays[f"{index}/{number}"] for number in range(layer.weights)]
        wanted = _layout(layer, layout)
        if wanted != layout:
            parts.append(_turn(torch, len(layer.input_shape), wanted))
            layout = wanted
        made, activation = _translate(torch, layer, own)
        parts.append(made)
        if activation == "softmax" and layout == "channels_first":
            raise NoCounterpartError(f"{layer.kind} with the activation softmax has no counterpart here")
        if activation != "linear" and not (is_last and takes_logits):
            parts.append(_activation(torch, activation))
        if len(layer.output_shape) < 2:
            layout = "channels_last"
    module = torch.nn.Sequential(*parts)
    with_accuracy = "accuracy" in network.metrics and kind != "numbers"
    return Program(module, loss, _optimizer(torch, network), kind, with_accuracy)


def _layout(layer: LayerFacts, current: Layout) -> Layout:
    """How a layer takes its inputs: PyTorch's convolutions and poolings have the channels first."""
    if layer.kind in ("Dropout", "Activation", "ReLU"):
        return current
    spatial = layer.kind.startswith(("Conv", "MaxPooling", "AveragePooling", "Global", "BatchNormalization"))
    return "channels_first" if spatial and len(layer.input_shape) > 1 else "channels_last"


def _turn(torch: Any, rank: int, wanted: Layout) -> Any:
    """A module that moves the channels of examples of a rank; nothing is copied."""
    order = (0, rank, *range(1, rank)) if wanted == "channels_first" else (0, *range(2, rank + 1), 1)
    return _function(torch, lambda x: x.permute(order))


def _function(torch: Any, call: Callable[[Any], Any]) -> Any:
    class Function(torch.nn.Module):  # type: ignore[misc]
        def forward(self, x: Any) -> Any:
            return call(x)

    return Function()


def _translate(torch: Any, layer: LayerFacts, weights: Sequence[NDArray[Any]]) -> tuple[Any, Any]:
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

    activation = "linear" if "activation" not in layer.config else take("activation")
    if layer.kind == "LSTM":
        activation = "linear"  # its own
    made = make(torch, layer, take, [torch.tensor(weight) for weight in weights])
    for name, value in layer.config.items():
        is_unimportant = name in UNIMPORTANT or name.endswith("initializer") or name in used
        if not is_unimportant and value not in NOTHING:
            raise NoCounterpartError(f"{layer.kind} with {name}={value} has no counterpart here")
    return made, activation


def _activation(torch: Any, name: Any) -> Any:
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


Take = Callable[[str], Any]


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
    return (
        torch.nn.Unflatten(1, layer.output_shape) if len(layer.input_shape) == 1 else _reshaping(torch, layer)
    )


def _reshaping(torch: Any, layer: LayerFacts) -> Any:
    return _function(torch, lambda x: x.reshape(-1, *layer.output_shape))


def _relu(torch: Any, layer: LayerFacts, take: Take, weights: list[Any]) -> Any:
    return torch.nn.ReLU()


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
    "ReLU": _relu,
}


def _loss(torch: Any, network: Network) -> tuple[Any, bool, Callable[[Any, Any], Any]]:
    """The kind of the targets, whether the loss takes logits, and the loss."""
    name, arguments = fold(network.loss), dict(network.loss_arguments)
    from_logits = bool(arguments.pop("from_logits", False))
    last = network.layers[-1].config.get("activation") if network.layers else None
    if len(network.layers[-1].output_shape) != 1:
        raise NoCounterpartError("outputs that are no row of numbers have no counterpart here")
    if arguments:
        raise NoCounterpartError(
            f"the loss {network.loss} with {', '.join(arguments)} has no counterpart here"
        )
    if name in ("sparsecategoricalcrossentropy", "categoricalcrossentropy") and (
        from_logits or last == "softmax"
    ):
        return "classes", not from_logits, torch.nn.CrossEntropyLoss()
    if name == "binarycrossentropy" and (from_logits or last == "sigmoid"):
        return "binary", not from_logits, torch.nn.BCEWithLogitsLoss()
    if name in ("meansquarederror", "mse"):
        return "numbers", False, torch.nn.MSELoss()
    if name in ("meanabsoluteerror", "mae"):
        return "numbers", False, torch.nn.L1Loss()
    raise NoCounterpartError(f"the loss {network.loss} after the activation {last} has no counterpart here")


def _optimizer(torch: Any, network: Network) -> Callable[[Any], Any]:
    config, optim = dict(network.optimizer_config), torch.optim
    rate, name = config.pop("learning_rate"), fold(network.optimizer)
    config.pop("name", None)
    if not isinstance(rate, float):
        raise NoCounterpartError("a learning rate that changes has no counterpart here")
    known: dict[str, tuple[Any, dict[str, Any]]] = {
        "sgd": (
            optim.SGD,
            {"momentum": config.pop("momentum", 0.0), "nesterov": config.pop("nesterov", False)},
        )
    }
    if name in ("adam", "adamw"):
        betas = (config.pop("beta_1"), config.pop("beta_2"))
        known["adam"] = optim.Adam, {"betas": betas, "eps": config.pop("epsilon")}
        if name == "adamw":
            known["adamw"] = optim.AdamW, known["adam"][1] | {"weight_decay": config.pop("weight_decay")}
    if name == "rmsprop":
        known["rmsprop"] = (
            optim.RMSprop,
            {
                "alpha": config.pop("rho"),
                "eps": config.pop("epsilon"),
                "momentum": known["sgd"][1]["momentum"],
            },
        )
    unused = [key for key, value in config.items() if value not in NOTHING and key != "ema_momentum"]
    if name not in known or unused:
        words = f" with {', '.join(unused)}" if unused else ""
        raise NoCounterpartError(f"the optimizer {network.optimizer}{words} has no counterpart here")
    kind, arguments = known[name]
    return lambda parameters: kind(parameters, lr=rate, **arguments)
