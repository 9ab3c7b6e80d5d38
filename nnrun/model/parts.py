"""From the one grammar to Keras's objects: ``Dense: {units: 64}`` becomes ``keras.layers.Dense(units=64)``."""

from __future__ import annotations

import importlib
from operator import attrgetter
from typing import Any

from nnrun.keras_backend import load_keras
from nnrun.model.code import run_code
from nnrun.spec import catalog
from nnrun.spec.catalog import Kind, Part
from nnrun.spec.code import CODE
from nnrun.spec.schema import Choice

NAMED_BY_TEXT = ("activation", "loss", "metric")
"""Kinds whose functions Keras finds by their text, which is also what the history calls a metric."""

MADE_BY_KERAS = ("initializer", "regularizer", "constraint")
"""Kinds that Keras makes from their class where it wants them: an initializer draws its seed at that moment."""


def make_part(kind: Kind, choice: Choice) -> Any:
    """Make the Keras object that a choice names.

    Nested choices with arguments are made first, in the order in which they are written: Keras draws a seed for every
    part that has none, so the order decides the numbers.

    Args:
        kind: What the choice stands for.
        choice: A name of the catalogue with arguments that were checked against it.

    Returns:
        An instance; where there are no arguments, what a Keras program would hand on in its place and Keras makes
        into one: the name of a function or a metric, the class of an initializer, a regularizer or a constraint.

    Raises:
        Exception: Whatever Keras raises when it does not like a value.
    """
    part = catalog.find(kind, choice.name)
    if part is None:
        raise LookupError(f"no {kind} {choice.name!r}")
    bare = not choice.arguments
    if bare and kind in NAMED_BY_TEXT and is_keras(part) and (part.is_function or kind == "metric"):
        return choice.name
    if bare and part.is_function and not is_keras(part):
        return find_object(part)
    maker = catalog.class_of(part)
    if maker is None:
        raise LookupError(f"{part.name} takes no arguments; write its name alone")
    thing = find_object(maker)
    if not choice.arguments and kind in MADE_BY_KERAS:
        return thing
    return thing(**{name: make_value(maker, name, value) for name, value in choice.arguments.items()})


def is_keras(part: Part) -> bool:
    """Whether a part is one of Keras's own."""
    return part.module.startswith("keras.")


def find_object(part: Part) -> Any:
    """The class or function that a part stands for."""
    if is_keras(part):
        package = "applications" if catalog.is_application(part.name) else catalog.PACKAGES[part.kind]
        return getattr(attrgetter(package)(load_keras()), part.name)
    if part.module.startswith(CODE):
        return getattr(run_code(part.module), part.name)
    return getattr(importlib.import_module(part.module), part.name)


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
