"""Advice on what each output ends with, held against its loss, its metrics and what it learns."""

from __future__ import annotations

from collections.abc import Iterator

from nnrun.errors import Problem
from nnrun.spec import catalog
from nnrun.spec.choices import WrittenChoice
from nnrun.spec.names import fold
from nnrun.spec.node import plain
from nnrun.spec.outline import DROPOUTS, Ending, Outline, numbers
from nnrun.spec.output_rules import BINARY, CATEGORICAL, SPARSE

CROSSENTROPY = SPARSE | CATEGORICAL | BINARY
ERRORS = frozenset({"meansquarederror", "meanabsoluteerror", "huber", "logcosh"})
"""Losses that measure how far a number is from the target."""

NUMBERS_ONLY = ERRORS | {"meanabsolutepercentageerror", "meansquaredlogarithmicerror", "poisson"}
HINGES = frozenset({"hinge", "squaredhinge"})
ACCURACIES = frozenset(
    {"accuracy", "acc", "binaryaccuracy", "categoricalaccuracy", "sparsecategoricalaccuracy"}
)
RANGES = {"sigmoid": (0, 1), "hard_sigmoid": (0, 1), "softmax": (0, 1), "tanh": (-1, 1), "softsign": (-1, 1)}
"""The values that an activation can give."""

UNBOUNDED = frozenset({"linear", "relu", "leaky_relu", "elu", "selu", "gelu", "silu", "softplus", "tanh"})
"""Activations whose values are no probabilities."""


def advise_on_output(outline: Outline) -> Iterator[Problem]:
    """What does not belong together at the end of the model."""
    for ending in outline.endings:
        yield from advise_on_dropout(ending)
        yield from advise_on_precision(outline, ending)
        loss = outline.loss(ending.name)
        part = catalog.find("loss", loss.name) if loss else None
        if loss is None or part is None:
            continue
        kind = fold(part.name)
        message = (
            _explain_crossentropy(ending, kind, loss)
            or _explain_range(outline, ending)
            or _explain_saturation(outline, ending, kind, loss)
        )
        if message:
            yield ending.layer.hint(message, "activation")
        yield from advise_on_metrics(outline, ending, kind, loss)
    yield from advise_on_balance(outline)


def advise_on_dropout(ending: Ending) -> Iterator[Problem]:
    """Nothing may drop what the model answers."""
    for layer in ending.passed:
        if layer.kind in DROPOUTS:
            yield layer.hint(
                "drops values of the output itself, so that the loss sees zeros for answers; "
                "put it before the last layer with weights"
            )


def advise_on_precision(outline: Outline, ending: Ending) -> Iterator[Problem]:
    """Probabilities near 0 and 1 need more than the 8 or 11 bits of mixed precision (the Keras guide to it)."""
    if outline.training.precision.startswith("mixed") and "dtype" not in ending.layer.choice.arguments:
        yield ending.layer.hint(
            f"gives its values in 16 bits with precision: {outline.training.precision}, too few for the loss; "
            "write dtype: float32 here"
        )


def _explain_crossentropy(ending: Ending, kind: str, loss: WrittenChoice) -> str | None:
    """Why an activation does not give what a cross-entropy takes, or None."""
    if kind not in CROSSENTROPY or (ending.units == 1 and kind not in BINARY):
        return None  # one unit for several classes is a mistake that is reported as such
    activation, wanted = ending.activation, "sigmoid" if kind in BINARY else "softmax"
    if loss.value("from_logits") is True:
        if activation in ("softmax", "sigmoid"):
            return (
                f"{loss.name} with from_logits applies {wanted} itself, after this {activation}; "
                "leave the activation out, or remove from_logits"
            )
        return None
    if activation in UNBOUNDED:
        given = "without an activation the output gives" if activation == "linear" else f"{activation} gives"
        return (
            f"{given} numbers outside of 0 to 1, and {loss.name} expects probabilities; "
            f"write activation: {wanted}"
        )
    if kind in BINARY and activation == "softmax" and ending.units != 1:
        return (
            f"softmax shares 1 out among the units, and {loss.name} takes each unit as a yes or no of its own; "
            "use sparse_categorical_crossentropy for one class out of several, "
            "or sigmoid for labels that can be true together"
        )
    if kind not in BINARY and activation == "sigmoid":
        return (
            f"sigmoid gives each unit a probability of its own, and {loss.name} expects them to sum to 1; "
            "write activation: softmax"
        )
    return None


def _explain_range(outline: Outline, ending: Ending) -> str | None:
    """Why an activation cannot give the numbers that are to be learnt, or None."""
    if outline.target(ending.name) != "numbers" or ending.activation not in RANGES or outline.facts is None:
        return None
    low, high = RANGES[ending.activation]
    targets = _target_range(outline)
    if targets is None or (low <= targets[0] and targets[1] <= high):
        return None
    return (
        f"{ending.activation} gives numbers from {low} to {high}, and the target of {outline.facts.name} goes "
        "beyond; leave the activation out"
    )


TARGETS = {"celsius": (-40.0, 100.4), "california_housing": (15_000.0, 500_000.0)}
"""About the least and the greatest target of built-in data sets."""


def _target_range(outline: Outline) -> tuple[float, float] | None:
    """The least and the greatest number to be learnt, where they are known."""
    node = outline.node("data", "source", "inline", "y")
    if node is None:
        return TARGETS.get(outline.facts.name) if outline.facts else None
    targets = list(numbers(plain(node)))
    return (min(targets), max(targets)) if targets else None


def _explain_saturation(outline: Outline, ending: Ending, kind: str, loss: WrittenChoice) -> str | None:
    """Why classes are learnt better with another loss, or None."""
    if outline.target(ending.name) != "classes" or ending.activation not in ("softmax", "sigmoid"):
        return None
    if kind in HINGES:
        return (
            f"{loss.name} wants values of both signs, and {ending.activation} gives none below 0; "
            "write activation: tanh"
        )
    if kind not in ERRORS:
        return None
    better = "binary_crossentropy" if ending.units == 1 else "sparse_categorical_crossentropy"
    return (
        f"{loss.name} hardly corrects a {ending.activation} that is sure and wrong, because its gradient vanishes "
        f"there; for classes use {better}"
    )


def advise_on_metrics(outline: Outline, ending: Ending, kind: str, loss: WrittenChoice) -> Iterator[Problem]:
    """Metrics that do not measure what they seem to."""
    target = outline.target(ending.name)
    for metric in outline.metrics(ending.name):
        part = catalog.find("metric", metric.name)
        name = fold(part.name) if part else ""
        if name not in ACCURACIES:
            continue
        if (target == "numbers" and not _may_be_classes(outline)) or (
            target == "inputs" and kind in NUMBERS_ONLY
        ):
            yield metric.problem(
                f"{metric.name} counts answers that are exactly right, and a number is never hit exactly; "
                "use mean_absolute_error"
            )
        elif name == "categoricalaccuracy" and kind in SPARSE:
            yield metric.problem(
                f"{metric.name} expects one-hot labels, and {loss.name} takes class indices; write accuracy"
            )
        elif name == "sparsecategoricalaccuracy" and kind in CATEGORICAL:
            yield metric.problem(
                f"{metric.name} expects class indices, and {loss.name} takes one-hot labels; write accuracy"
            )
        elif name == "binaryaccuracy" and kind in CATEGORICAL:
            yield metric.problem(
                f"{metric.name} counts every unit, and most are rightly near 0 even where the class is wrong; "
                "write accuracy"
            )


def _may_be_classes(outline: Outline) -> bool:
    """Whether the numbers to be learnt are whole, such as -1 and 1, so that they can be hit."""
    node = outline.node("data", "source", "inline", "y")
    return node is not None and all(number == int(number) for number in numbers(plain(node)))


def advise_on_balance(outline: Outline) -> Iterator[Problem]:
    """Losses of different kinds should not be added as they are."""
    kinds = {}
    for ending in outline.endings:
        loss = outline.loss(ending.name)
        part = catalog.find("loss", loss.name) if loss else None
        kinds[ending.name] = fold(part.name) if part else ""
    probabilities = [name for name, kind in kinds.items() if kind in CROSSENTROPY]
    numbers = [name for name, kind in kinds.items() if kind in NUMBERS_ONLY]
    if probabilities and numbers and outline.training.loss_weights is None:
        yield outline.hint(
            f"the losses of {probabilities[0]} and {numbers[0]} are on different scales, and the larger one decides "
            f"what is learnt; weigh them in training.loss_weights: {{{probabilities[0]}: 1, {numbers[0]}: ...}}",
            "training",
            "loss",
        )
