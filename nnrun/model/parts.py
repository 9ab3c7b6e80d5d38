"""From the one grammar to Keras's objects: ``Dense: {units: 64}`` becomes ``keras.layers.Dense(units=64)``."""

from __future__ import annotations

from operator import attrgetter
from typing import Any

from nnrun.keras_backend import load_keras
from nnrun.spec import catalog
from nnrun.spec.catalog import Kind, Part
from nnrun.spec.schema import Choice

PACKAGES: dict[Kind, str] = {
    "layer": "layers",
    "activation": "activations",
    "initializer": "initializers",
    "regularizer": "regularizers",
    "constraint": "constraints",
    "loss": "losses",
    "metric": "metrics",
    "optimizer": "optimizers",
    "schedule": "optimizers.schedules",
    "callback": "callbacks",
}
NAMED_BY_TEXT = ("activation", "initializer", "regularizer", "constraint", "loss", "metric")
"""Kinds that Keras itself resolves from a name: the text is handed on, as a Keras program would write it."""


def make_part(kind: Kind, choice: Choice) -> Any:
    """Make the Keras object that a choice names.

    Nested choices are made first, in the order in which they are written: Keras draws a seed for every part that has
    none, so the order decides the numbers.

    Args:
        kind: What the choice stands for.
        choice: A name of the catalogue with arguments that were checked against it.

    Returns:
        An instance, or the name itself where there are no arguments and Keras takes names.

    Raises:
        Exception: Whatever Keras raises when it does not like a value.
    """
    if kind in NAMED_BY_TEXT and not choice.arguments:
        return choice.name
    part = catalog.find(kind, choice.name)
    if part is None:
        raise LookupError(f"no {kind} {choice.name!r}")
    if part.is_function:
        part = class_of_function(part)
    thing = attrgetter(PACKAGES[part.kind])(load_keras())
    arguments = {name: make_value(part, name, value) for name, value in choice.arguments.items()}
    return getattr(thing, part.name)(**arguments)


def make_value(part: Part, argument: str, value: Any) -> Any:
    """Make an argument's value: nested parts where the argument takes them, plain values as they are."""
    kind = catalog.nested_kind(part, argument)
    if kind is None:
        return value
    if isinstance(value, list):
        return [make_value(part, argument, item) for item in value]
    if isinstance(value, str | dict):
        return make_part(kind, Choice.parse(value))
    return value


def class_of_function(part: Part) -> Part:
    """The class that does what a function does and takes arguments (``leaky_relu`` -> layer ``LeakyReLU``).

    Keras takes arguments for its functions only through these classes.

    Raises:
        LookupError: There is none.
    """
    kinds: tuple[Kind, ...] = ("layer",) if part.kind == "activation" else (part.kind,)
    wanted = part.name.replace("_", "").lower()
    for kind in kinds:
        for name in catalog.names(kind):
            if name.replace("_", "").lower() == wanted:
                found = catalog.find(kind, name)
                if found is not None and not found.is_function:
                    return found
    raise LookupError(f"{part.name} takes no arguments here; write its name alone")
