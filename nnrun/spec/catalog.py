"""Keras's names and their arguments, as they stand in the installed Keras.

The names come from Keras's generated index files (``keras/layers/__init__.py`` and its kin) and from the
tables behind ``keras.losses.get`` and its kin, the arguments from the source of the one class that is asked
for. Nothing is imported.
"""

from __future__ import annotations

import functools
import importlib.util
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from nnrun.spec.argument_types import UNKNOWN, PlainType, Values, values_of
from nnrun.spec.catalog_source import (
    REQUIRED,
    Signature,
    SourceText,
    all_arguments,
    imports,
    names_in_tables,
    signature,
)
from nnrun.spec.names import fold, nearest
from nnrun.spec.refusals import NEEDS, REFUSED, REPLACED

__all__ = [
    "KINDS",
    "REQUIRED",
    "Argument",
    "Kind",
    "Part",
    "SourceText",
    "class_of",
    "find",
    "kinds_that_know",
    "names",
    "nearest",
    "nested_kind",
    "refusal",
]

Kind = Literal[
    "layer",
    "activation",
    "initializer",
    "regularizer",
    "constraint",
    "loss",
    "metric",
    "optimizer",
    "schedule",
    "callback",
]
KINDS: tuple[Kind, ...] = get_args(Kind)

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
GIVEN_BY_KERAS = frozenset({"x", "y_true", "y_pred"})
"""Arguments of functions that are called with data: they are not the user's to set."""

CHOSEN_BY_SHAPE: dict[Kind, dict[str, str]] = {
    "metric": dict.fromkeys(("accuracy", "acc"), "Accuracy: binary, categorical or sparse"),
    "loss": dict.fromkeys(("crossentropy", "ce"), "Cross-entropy: binary, categorical or sparse"),
}
"""Texts for which ``Model.compile`` picks a function by the shapes of targets and predictions."""

NESTED: dict[str, Kind] = {
    "initializer": "initializer",
    "regularizer": "regularizer",
    "constraint": "constraint",
    "activation": "activation",
}
"""Last words of the names of arguments that take a part of their own."""

OWN: dict[Kind, dict[str, str]] = {
    "activation": dict.fromkeys(("step", "bipolar_step"), "nnrun.model.steps"),
    "callback": dict.fromkeys(("MlflowCallback", "WandbMetricsLogger"), "nnrun.training.trackers"),
}
"""What nnrun brings beside Keras's parts: name -> module."""

APPLICATIONS = "keras.src.applications"
GIVEN_BY_NNRUN = frozenset({"input_tensor"})
"""An argument of ready networks that takes an object of a Keras program."""

_added: dict[Kind, dict[str, str]] = {}


def set_code(module: str | None, parts: Mapping[Kind, Sequence[str]]) -> None:
    """Put the parts of a user's module beside Keras's, in the place of those of any other such module.

    Args:
        module: As it was added to the sources; None for no such module.
        parts: The names for each kind.
    """
    if not _added and module is None:
        return
    _added.clear()
    _added.update({kind: dict.fromkeys(names, str(module)) for kind, names in parts.items()})
    for function in (_index, find, imports, signature, all_arguments):
        function.cache_clear()


LAYER_ARGUMENTS = frozenset({"layer", "layers", "backward_layer", "cell", "cells"})


@dataclass(frozen=True)
class Argument:
    """An argument of a part.

    Args:
        name: As Keras names it.
        default: A literal, a ``SourceText`` or ``REQUIRED``.
        values: What it takes, where Keras's documentation says it plainly.
    """

    name: str
    default: Any
    values: Values = UNKNOWN

    @property
    def type(self) -> PlainType | None:
        """``integer``, ``number``, ``boolean`` or ``text``; None where it is not plain."""
        return self.values.type

    @property
    def required(self) -> bool:
        return self.default is REQUIRED


@dataclass(frozen=True)
class Part:
    """Something that a specification can name.

    Args:
        kind: What it is.
        name: Keras's public name.
        module: Where its source is.
        arguments: What it takes, its own first.
        accepts_any: It takes further arguments that cannot be seen in the source.
        is_function: A function, not a class; what takes arguments is :func:`class_of` it.
        doc: Keras's docstring.
    """

    kind: Kind
    name: str
    module: str
    arguments: tuple[Argument, ...]
    accepts_any: bool
    is_function: bool
    doc: str

    def argument(self, name: str) -> Argument | None:
        return next((argument for argument in self.arguments if argument.name == name), None)


@functools.cache
def _index(kind: Kind) -> dict[str, tuple[str, str]]:
    """Every name that Keras knows for a kind: name -> (module, name there); refused ones too."""
    package = PACKAGES[kind]
    public = imports(f"keras.{package}")
    sources = imports(f"keras.src.{package}")
    tables = names_in_tables(package)
    added = OWN.get(kind, {}) | _added.get(kind, {})
    return {
        **{name: origin for name, origin in public.items() if origin[0].startswith("keras.src")},
        **{text: sources[name] for text, name in tables.items() if name in sources},
        **(_applications() if kind == "layer" else {}),
        **{name: (module, name) for name, module in added.items()},
    }


def _applications() -> dict[str, tuple[str, str]]:
    """The ready networks of ``keras.applications``, which are used like layers."""
    found = imports("keras.applications")
    return {name: origin for name, origin in found.items() if origin[0].startswith(f"{APPLICATIONS}.")}


def names(kind: Kind) -> list[str]:
    """Everything that may be written for a kind, aliases too; refused names are left out."""
    known = dict.fromkeys((*_index(kind), *CHOSEN_BY_SHAPE.get(kind, ())))
    return [name for name in known if refusal(kind, name) is None]


def refusal(kind: Kind, name: str) -> str | None:
    """Why a name is refused and what to use instead; None where it is not."""
    if name in REPLACED:
        return REPLACED[name]
    if name in CHOSEN_BY_SHAPE.get(kind, ()) or name not in _index(kind):
        return None
    target = _index(kind)[name][1]
    if target in REFUSED:
        return REFUSED[target]
    package = NEEDS.get(target)
    if package and importlib.util.find_spec(package) is None:
        return f"needs {package}, which is not installed; run pip install {package}"
    added = name in OWN.get(kind, ()) or name in _added.get(kind, ())
    if target[0].islower() and not added and name not in names_in_tables(PACKAGES[kind]):
        twin = _class_name(kind, target)
        return "is a function for Keras programs" + (f"; write {twin}" if twin else "")
    return None


@functools.cache
def find(kind: Kind, name: str) -> Part | None:
    """The part that a name stands for.

    Args:
        kind: What is looked for: ``mse`` is a function as a loss and a class as a metric, as in Keras.
        name: A class, a function, or a text that Keras understands: ``Dense``, ``relu``, ``adam``, ``acc``.

    Returns:
        The part with all its arguments; None where there is none, or it is refused.
    """
    if name in CHOSEN_BY_SHAPE.get(kind, ()):
        doc = f"{CHOSEN_BY_SHAPE[kind][name]}, by the shapes of targets and predictions."
        return Part(kind, name, "keras.src.trainers.compile_utils", (), False, True, doc)
    if name not in _index(kind) or refusal(kind, name):
        return None
    module, target = _index(kind)[name]
    own = signature(module, target)
    if own is None:
        return None
    if module.startswith(f"{APPLICATIONS}."):
        return _application(name, module, own)
    taken, unseen = all_arguments(module, target)
    arguments = tuple(
        Argument(argument, found.default, values_of(argument, found.default, found.doc))
        for argument, found in taken.items()
        if not (own.is_function and (argument in GIVEN_BY_KERAS or module in _added.get(kind, {}).values()))
    )
    public = target if target in imports(f"keras.{PACKAGES[kind]}") else name
    return Part(kind, public, module, arguments, unseen, own.is_function, own.doc)


def _application(name: str, module: str, own: Signature) -> Part:
    """A ready network as a layer: its weights have to be said, and it can be kept from learning."""
    arguments = own.arguments | {"weights": REQUIRED, "trainable": True}
    taken = tuple(
        Argument(
            argument, default, values_of(argument, default, own.doc) if argument != "weights" else UNKNOWN
        )
        for argument, default in arguments.items()
        if argument not in GIVEN_BY_NNRUN
    )
    return Part("layer", name, module, taken, False, False, own.doc)


def is_application(name: str) -> bool:
    """Whether a name is that of a ready network of ``keras.applications``."""
    return name in _applications()


def class_of(part: Part) -> Part | None:
    """The class that does what a function does and takes arguments: ``leaky_relu`` -> layer ``LeakyReLU``.

    Returns:
        The part itself if it is a class; None for a function without such a class.
    """
    if not part.is_function:
        return part
    kind: Kind = "layer" if part.kind == "activation" else part.kind
    name = None if part.name in CHOSEN_BY_SHAPE.get(part.kind, ()) else _class_name(kind, part.name)
    return find(kind, name) if name else None


def _class_name(kind: Kind, function: str) -> str | None:
    """The class of the same name as a function, but for case and underscores."""
    for name, (_, target) in _index(kind).items():
        if name == target and name[0].isupper() and fold(name) == fold(function) and name not in REFUSED:
            return name
    return None


def nested_kind(part: Part, argument: str) -> Kind | None:
    """What kind of part an argument takes: ``kernel_initializer`` an initializer; None for plain values."""
    if part.kind == "optimizer":
        return "schedule" if argument == "learning_rate" else None
    if part.kind != "layer":
        return None
    return "layer" if argument in LAYER_ARGUMENTS else NESTED.get(argument.rpartition("_")[2])


def kinds_that_know(name: str) -> list[Kind]:
    """The kinds in which a name may be written: for saying where a misplaced one belongs."""
    return [kind for kind in KINDS if name in _index(kind) and refusal(kind, name) is None]
