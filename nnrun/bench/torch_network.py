"""A chain of Keras layers and how it learns, as a PyTorch program would have it."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from nnrun.bench.description import Network, NoCounterpartError
from nnrun.bench.torch_layers import Layout, activation, is_nothing, layout_of, translate, turn
from nnrun.spec.names import fold


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
        wanted = layout_of(layer, layout)
        if wanted != layout:
            parts.append(turn(torch, len(layer.input_shape), wanted))
            layout = wanted
        made, after = translate(torch, layer, own)
        parts.append(made)
        if after == "softmax" and layout == "channels_first":
            raise NoCounterpartError(f"{layer.kind} with the activation softmax has no counterpart here")
        if after != "linear" and not (is_last and takes_logits):
            parts.append(activation(torch, after))
        if len(layer.output_shape) < 2:
            layout = "channels_last"
    module = torch.nn.Sequential(*parts)
    with_accuracy = "accuracy" in network.metrics and kind != "numbers"
    return Program(module, loss, _optimizer(torch, network), kind, with_accuracy)


def _loss(torch: Any, network: Network) -> tuple[Any, bool, Callable[[Any, Any], Any]]:
    """The kind of the targets, whether the loss takes logits, and the loss."""
    name, arguments = fold(network.loss), dict(network.loss_arguments)
    from_logits = bool(arguments.pop("from_logits", False))
    last = network.layers[-1].config.get("activation")
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
    """From parameters to their optimizer."""
    config, optim = dict(network.optimizer_config), torch.optim
    take = config.pop
    rate = take("learning_rate")
    if not isinstance(rate, float):
        raise NoCounterpartError("a learning rate that changes has no counterpart here")
    for unimportant in ("name", "ema_momentum"):
        take(unimportant, None)
    arguments: dict[str, Any] = {}
    match fold(network.optimizer):
        case "sgd":
            kind = optim.SGD
            arguments = {"momentum": take("momentum"), "nesterov": take("nesterov")}
        case "adam" | "adamw" as name:
            kind = optim.Adam if name == "adam" else optim.AdamW
            arguments = {"betas": (take("beta_1"), take("beta_2")), "eps": take("epsilon")}
            if name == "adamw":
                arguments["weight_decay"] = take("weight_decay")
        case "rmsprop":
            kind = optim.RMSprop
            arguments = {"alpha": take("rho"), "eps": take("epsilon"), "momentum": take("momentum")}
        case _:
            raise NoCounterpartError(f"the optimizer {network.optimizer} has no counterpart here")
    if left := [key for key, value in config.items() if not is_nothing(value)]:
        raise NoCounterpartError(
            f"the optimizer {network.optimizer} with {', '.join(left)} has no counterpart here"
        )
    return lambda parameters: kind(parameters, lr=rate, **arguments)
