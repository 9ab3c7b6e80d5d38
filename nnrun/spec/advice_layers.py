"""Advice on the layers: activations, initializers, dropout, and how they follow each other."""

from __future__ import annotations

from collections.abc import Iterator

from nnrun.errors import Problem
from nnrun.spec import catalog
from nnrun.spec.choices import read_choice
from nnrun.spec.node import Node
from nnrun.spec.outline import DENSE_OR_CONVOLUTION, DROPOUTS, Layer, Outline

SQUASHING = frozenset({"sigmoid", "hard_sigmoid", "tanh", "softsign"})
SIGMOIDS = frozenset({"sigmoid", "hard_sigmoid"})
RECTIFIERS = frozenset({"relu", "leaky_relu", "relu6", "prelu"})
MERGES = frozenset({"Add", "Concatenate", "Average", "Multiply", "Maximum"})

DEEP_SIGMOIDS, DEEP_TANHS, DEEP_RECTIFIERS = 4, 6, 8
"""From so many hidden layers on gradients or signals vanish unless something is done for them."""

MUCH_DROPOUT = 0.7
FEW_IN_A_BATCH = 4


def advise_on_layers(outline: Outline) -> Iterator[Problem]:
    """What could be better among the layers, from input to output."""
    outputs = {ending.layer.index for ending in outline.endings}
    for layer in outline.layers:
        following = outline.after(layer)
        if layer.kind in DENSE_OR_CONVOLUTION and layer.index not in outputs and following:
            yield from advise_on_initializer(layer, _activation(outline, layer))
            yield from advise_on_hidden_softmax(outline, layer)
        yield from advise_on_collapse(outline, layer)
        yield from advise_on_repeated_activation(outline, layer)
        yield from advise_on_dropout(outline, layer)
        yield from advise_on_batch_statistics(outline, layer)
    yield from advise_on_depth(outline)
    yield from advise_on_selu(outline)


def _activation(outline: Outline, layer: Layer) -> str | None:
    """What the values of a layer with weights go through: its own activation, or that of the layer after it."""
    following = outline.after(layer)
    if layer.activation != "linear" or len(following) != 1:
        return layer.activation
    if following[0].kind == "BatchNormalization":
        following = outline.after(following[0])
    return following[0].activation if len(following) == 1 and _is_activation(following[0]) else "linear"


def _is_activation(layer: Layer) -> bool:
    return layer.activation is not None and layer.kind not in DENSE_OR_CONVOLUTION


def advise_on_initializer(layer: Layer, activation: str | None) -> Iterator[Problem]:
    """An initializer that was made for other activations."""
    family = _family(layer.choice.arguments.get("kernel_initializer"))
    if family == "He" and activation in SQUASHING:
        message = f"He's variance makes up for what ReLU cuts off, and {activation} cuts nothing; use glorot_uniform"
        yield layer.hint(message, "kernel_initializer")


def _family(initializer: Node | None) -> str | None:
    """``Glorot``, ``He`` or ``Lecun``; another name as it is; None where nothing is written."""
    choice = read_choice(initializer, ())
    part = catalog.find("initializer", choice.name) if choice else None
    if part is None:
        return None
    return part.name.removesuffix("Normal").removesuffix("Uniform")


def advise_on_hidden_softmax(outline: Outline, layer: Layer) -> Iterator[Problem]:
    """Softmax between layers that follow each other is most often a slip."""
    following = outline.after(layer)
    if (
        layer.kind == "Dense"
        and layer.activation == "softmax"
        and [one.kind for one in following] == ["Dense"]
    ):
        yield layer.hint(
            "softmax in a hidden layer shares 1 out among its units, so that little of what they say gets on; use relu",
            "activation",
        )


def advise_on_collapse(outline: Outline, layer: Layer) -> Iterator[Problem]:
    """Two Dense layers with nothing between them are one."""
    from nnrun.spec.output_rules import learns_inputs

    following = outline.after(layer)
    if len(following) == 1 and following[0].kind in DROPOUTS:
        following = outline.after(following[0])
    if layer.kind != "Dense" or layer.activation != "linear" or [one.kind for one in following] != ["Dense"]:
        return
    units, more = layer.choice.value("units"), following[0].choice.value("units")
    squeezes = isinstance(units, int) and isinstance(more, int) and units < more
    if not squeezes and not learns_inputs(outline.tree):
        yield layer.hint(
            "without an activation this and the next Dense can do no more than one Dense alone; "
            "write an activation such as relu",
            "activation",
        )


def advise_on_repeated_activation(outline: Outline, layer: Layer) -> Iterator[Problem]:
    """One activation straight after another one."""
    before = outline.before(layer)
    if before is None or not _is_activation(layer) or layer.activation == "linear":
        return
    if before.activation not in (None, "linear") and len(outline.after(before)) == 1:
        where = "the layer above" if before.index == layer.index - 1 else "the layer before"
        yield layer.hint(
            f"the values went through {before.activation} in {where} already; keep one of the two"
        )


def advise_on_dropout(outline: Outline, layer: Layer) -> Iterator[Problem]:
    """Dropout of nearly everything, or of a kind that does not go with the activation."""
    if layer.kind not in DROPOUTS:
        return
    rate = layer.choice.value("rate")
    if isinstance(rate, int | float) and MUCH_DROPOUT <= rate < 1:
        yield layer.hint(
            f"drops {rate:.0%} of the values, so that little is left to learn from; 0.2 to 0.5 are usual",
            "rate",
        )
    before = outline.before(layer)
    if layer.kind == "Dropout" and before is not None and before.activation == "selu":
        yield layer.hint(
            "sets values to 0 and so undoes the normalisation that selu keeps up; use AlphaDropout after selu"
        )


def advise_on_batch_statistics(outline: Outline, layer: Layer) -> Iterator[Problem]:
    """Means and variances of a few examples are mostly chance."""
    size = outline.training.batch_size
    if (
        layer.kind != "BatchNormalization"
        or size > FEW_IN_A_BATCH
        or layer.choice.value("trainable") is False
    ):
        return
    if outline.examples is None or outline.examples > size:
        examples = "example" if size == 1 else "examples"
        yield layer.hint(
            f"normalises by the mean and variance of batches of {size} {examples}, which are mostly chance; "
            "use batches of at least 16, or LayerNormalization"
        )


def advise_on_depth(outline: Outline) -> Iterator[Problem]:
    """Deep stacks in which gradients vanish, unless the model has what keeps them up."""
    if any("Norm" in layer.kind or layer.kind in MERGES for layer in outline.layers):
        return
    outputs = {ending.layer.index for ending in outline.endings}
    hidden = [
        (layer, _activation(outline, layer))
        for layer in outline.layers
        if layer.kind in DENSE_OR_CONVOLUTION and layer.index not in outputs
    ]
    squashed = [layer for layer, activation in hidden if activation in SQUASHING]
    sigmoids = [layer for layer, activation in hidden if activation in SIGMOIDS]
    if len(sigmoids) >= DEEP_SIGMOIDS or len(squashed) >= DEEP_TANHS:
        layer = (sigmoids if len(sigmoids) >= DEEP_SIGMOIDS else squashed)[0]
        kind = _activation(outline, layer)
        yield layer.hint(
            f"through {len(squashed)} hidden layers of {kind} gradients vanish, so that the first layers hardly learn; "
            "use relu with he_normal, or fewer layers",
            "activation",
        )
    plain = [
        layer
        for layer, activation in hidden
        if activation in RECTIFIERS
        and _family(layer.choice.arguments.get("kernel_initializer")) in (None, "Glorot")
    ]
    if len(plain) >= DEEP_RECTIFIERS:
        yield plain[0].hint(
            f"with Glorot's variance {_activation(outline, plain[0])} halves the signal's from layer to layer, here "
            f"{len(plain)} times; write kernel_initializer: he_normal, or put BatchNormalization between them",
            "kernel_initializer",
        )


def advise_on_selu(outline: Outline) -> Iterator[Problem]:
    """SELU keeps values normalised only from the variance that it was worked out for."""
    for layer in outline.layers:
        family = _family(layer.choice.arguments.get("kernel_initializer"))
        if layer.kind in DENSE_OR_CONVOLUTION and _activation(outline, layer) == "selu" and family != "Lecun":
            yield layer.hint(
                "selu keeps its values normalised only with LeCun's variance; "
                "write kernel_initializer: lecun_normal",
                "kernel_initializer",
            )
            return
