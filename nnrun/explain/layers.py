"""What each layer of a specification does to the shape, and where its parameters come from, in words."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

from nnrun.explain.words import ACTIVATIONS, what_it_does
from nnrun.spec.choices import WrittenChoice, read_choice
from nnrun.spec.load import Loaded
from nnrun.spec.outline import ACTIVATION_LAYERS
from nnrun.spec.paper import LayerOnPaper, trace
from nnrun.spec.paper_layers import KEEPING


@dataclass(frozen=True)
class LayerInWords:
    """A layer for a reader.

    Args:
        title: ``Dense (hidden)``.
        change: ``784 values become 512``.
        sentences: What it does.
        parameters: How many.
    """

    title: str
    change: str
    sentences: tuple[str, ...]
    parameters: int


def describe_layers(loaded: Loaded) -> list[LayerInWords]:
    """Describe all layers but Input; Keras is asked for what is not known on paper.

    Raises:
        SpecError: A layer's shape does not fit.
    """
    layers = trace(loaded)
    if any(layer.output is None or layer.parameters is None for layer in layers):
        layers = _asked(loaded, layers)
    return [_describe(layer) for layer in layers]


def _asked(loaded: Loaded, layers: list[LayerOnPaper]) -> list[LayerOnPaper]:
    """The layers with what Keras says of those that are not known on paper."""
    from nnrun.model.summary import build_from_facts

    model = build_from_facts(loaded)
    by_name = {layer.name: layer for layer in model.layers}
    named = {layer.choice.value("name") for layer in layers}
    # Keras numbers the layers of a class as they are made: dense, dense_1, ... dense_10; it lists them otherwise.
    unnamed = sorted(by_name.keys() - named, key=lambda name: (len(name), name))
    found = []
    for layer in layers:
        name = layer.choice.value("name")
        if not isinstance(name, str):
            kin = (one for one in unnamed if type(by_name[one]).__name__ == layer.choice.name)
            name = next(kin, "")
            unnamed = [one for one in unnamed if one != name]
        made = by_name.get(name)
        if made is None or (layer.output is not None and layer.parameters is not None):
            found.append(layer)
            continue
        inputs = made.input if isinstance(made.input, list) else [made.input]
        found.append(
            replace(
                layer,
                inputs=tuple(tuple(tensor.shape[1:]) for tensor in inputs),
                output=tuple(made.output.shape[1:]),
                parameters=made.count_params(),
            )
        )
    return found


def _describe(layer: LayerOnPaper) -> LayerInWords:
    choice = layer.choice
    name = choice.value("name")
    title = f"{choice.name} ({name})" if isinstance(name, str) else choice.name
    arriving = [shape for shape in layer.inputs if shape is not None]
    change = f"{' and '.join(map(_shape, arriving))} {'become' if arriving else ''} {_shape(layer.output)}"
    if choice.name in KEEPING:
        change = f"{_shape(layer.output)}, as they arrive"
    return LayerInWords(title, " ".join(change.split()), tuple(_sentences(layer)), layer.parameters or 0)


def _sentences(layer: LayerOnPaper) -> Iterator[str]:
    yield f"{_deed(layer)}."
    if layer.parameters and layer.formula:
        yield f"{layer.formula} = {layer.parameters:,} parameters{_origin(layer)}."
    elif layer.parameters:
        yield f"{layer.parameters:,} parameters."
    activation = _activation(layer.choice)
    if activation and activation != "linear":
        words = ACTIVATIONS.get(activation) or what_it_does("activation", activation)
        yield f"{activation}: {words}."


def _deed(layer: LayerOnPaper) -> str:
    """What the layer does, in a clause."""
    choice, kind = layer.choice, layer.choice.name
    if kind == "Dense":
        units = choice.value("units")
        width = layer.inputs[0][-1] if layer.inputs and layer.inputs[0] else "all"
        neurons = "1 neuron" if units == 1 else f"{units:,} neurons, each"
        return (
            f"{neurons} with a weight for each of {width:,} values"
            if isinstance(width, int)
            else f"{neurons}"
        )
    if kind.startswith("Conv") and not kind.endswith("Transpose"):
        size = choice.value("kernel_size")
        count = kind[4] if kind[4:5].isdigit() else "2"
        window = " x ".join(map(str, size if isinstance(size, list) else [size] * int(count)))
        return (
            f"{choice.value('filters'):,} filters of {window} slide over it, and each answers at every place"
        )
    if kind.startswith(("MaxPooling", "AveragePooling")):
        word = "largest" if kind.startswith("Max") else "mean"
        return f"keeps the {word} value of each window"
    if kind.startswith("Global"):
        return f"keeps the {'largest' if 'Max' in kind else 'mean'} value of each channel"
    if kind in ("LSTM", "GRU", "SimpleRNN"):
        return f"reads the steps one after the other and remembers {choice.value('units'):,} values"
    if kind == "Dropout":
        rate = choice.value("rate")
        return f"sets {float(rate):.0%} of the values to 0 at random in training; otherwise it does nothing"  # type: ignore[arg-type]
    return what_it_does("layer", kind)


def _origin(layer: LayerOnPaper) -> str:
    """What the terms of the formula are."""
    if layer.choice.name == "Dense":
        return ": weights and biases" if layer.choice.value("use_bias") is not False else ": weights"
    if layer.choice.name == "BatchNormalization" and layer.parameters:
        return f", of which {layer.parameters // 2:,} are learned and the others are measured"
    return ""


def _activation(choice: WrittenChoice) -> str | None:
    if choice.name in ACTIVATION_LAYERS:
        return ACTIVATION_LAYERS[choice.name]
    written = read_choice(choice.arguments.get("activation"), ())
    return written.name if written else None


def _shape(shape: tuple[int, ...] | None) -> str:
    """``784 values``, ``28 x 28``."""
    if shape is None:
        return "?"
    if len(shape) < 2:
        count = math.prod(shape)
        return f"{count:,} value{'' if count == 1 else 's'}"
    return " x ".join("any" if size is None else str(size) for size in shape)
