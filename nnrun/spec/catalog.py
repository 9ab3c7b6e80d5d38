"""Keras's names and their arguments, as they stand in the installed Keras.

The names come from Keras's generated index files (``keras/layers/__init__.py`` and its kin), the arguments from the
source of the one class that is asked for. Nothing is imported.
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from typing import Any, Literal, get_args

from nnrun.spec.catalog_source import REQUIRED, all_arguments, imports, module_text, signature
from nnrun.spec.names import nearest
from nnrun.spec.refusals import REFUSED, REPLACED

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

INDEX: dict[Kind, str] = {
    "layer": "keras.layers",
    "activation": "keras.activations",
    "initializer": "keras.initializers",
    "regularizer": "keras.regularizers",
    "constraint": "keras.constraints",
    "loss": "keras.losses",
    "metric": "keras.metrics",
    "optimizer": "keras.optimizers",
    "schedule": "keras.optimizers.schedules",
    "callback": "keras.callbacks",
}
NOT_NAMES = frozenset({"get", "serialize", "deserialize"})
GIVEN_BY_KERAS = frozenset({"x", "y_true", "y_pred", "args"})
"""Arguments of functions that are called with data: they are not the user's to set."""

NESTED = {
    "_initializer": "initializer",
    "_regularizer": "regularizer",
    "_constraint": "constraint",
    "activation": "activation",
}
"""Endings of the names of arguments that take a part of their own."""

CHOSEN_BY_SHAPE: dict[Kind, dict[str, str]] = {
    "metric": {"accuracy": "Accuracy", "acc": "Accuracy", "crossentropy": "CategoricalCrossentropy", "ce": "CategoricalCrossentropy"},
    "loss": {"crossentropy": "CategoricalCrossentropy", "ce": "CategoricalCrossentropy"},
}
"""Names for which ``Model.compile`` picks the binary, categorical or sparse form by the shapes it meets."""

LAYER_ARGUMENTS = frozenset({"layer", "backward_layer", "cell", "cells"})


@dataclass(frozen=True)
class Argument:
    """An argument of a part.

    Args:
        name: As Keras names it.
        default: A literal, the source text of anything else, or ``REQUIRED``.
        type: ``integer``, ``number``, ``boolean`` or ``text`` where Keras's documentation says it plainly, else None.
    """

    name: str
    default: Any
    type: Literal["integer", "number", "boolean", "text"] | None


@dataclass(frozen=True)
class Part:
    """Something that a specification can name.

    Args:
        kind: What it is.
        name: Keras's public name.
        module: Where its source is.
        arguments: What it takes, its own first.
        is_function: A function, not a class.
        doc: Keras's docstring.
    """

    kind: Kind
    name: str
    module: str
    arguments: dict[str, Argument]
    is_function: bool
    doc: str


@functools.cache
def index(kind: Kind) -> dict[str, tuple[str, str]]:
    """Every name that may be written for a kind: name -> (module, name there); refused ones too."""
    found = {
        name: origin
        for name, origin in imports(INDEX[kind]).items()
        if name not in NOT_NAMES and origin[0].startswith("keras.src")
    }
    aliases = _aliases(kind)
    for name, origin in list(found.items()):
        short = _short_name(kind, name)
        if short:
            found.setdefault(short, origin)
    for alias, target in aliases.items():
        if target in found:
            found.setdefault(alias, found[target])
    return found


def _short_name(kind: Kind, name: str) -> str | None:
    """The text under which Keras finds a class as well: ``adam``, ``he_normal``."""
    if not name[0].isupper():
        return None
    if kind == "optimizer":
        return name.lower()
    if kind in ("initializer", "regularizer", "constraint", "metric"):
        return _snake_case(name)
    return None


def _snake_case(name: str) -> str:
    """As ``keras.src.utils.naming.to_snake_case`` does it."""
    name = re.sub(r"\W+", "", name)
    name = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub("([a-z])([A-Z])", r"\1_\2", name).lower()


def _aliases(kind: Kind) -> dict[str, str]:
    """Further names in Keras's own tables: ``mse``, ``acc``, ``swish``."""
    text = module_text(INDEX[kind].replace("keras.", "keras.src.", 1))
    table = text[text.find("ALL_OBJECTS_DICT") :] if "ALL_OBJECTS_DICT" in text else ""
    table = table[: table.find("@keras_export")]
    return {**CHOSEN_BY_SHAPE.get(kind, {}), **dict(re.findall(r'"(\w+)"(?:\]\s*=|:)\s*(\w+)', table))}


def names(kind: Kind) -> list[str]:
    """Everything that may be written for a kind, aliases too; refused names are left out."""
    return [name for name, (_, target) in index(kind).items() if target not in REFUSED and name not in REFUSED]


def refusal(kind: Kind, name: str) -> str | None:
    """Why a name is refused and what to use instead; None where it is not."""
    if name in REPLACED:
        return REPLACED[name]
    target = index(kind).get(name, ("", name))[1]
    return REFUSED.get(name) or (REFUSED.get(target) if name in index(kind) else None)


@functools.cache
def find(kind: Kind, name: str) -> Part | None:
    """The part that a name stands for; None where there is none, or it is refused."""
    if name not in index(kind) or refusal(kind, name):
        return None
    module, target = index(kind)[name]
    own = signature(module, target)
    if own is None:
        return None
    documented = _documented_types(own.doc)
    found = {
        argument: Argument(argument, default, documented.get(argument))
        for argument, default in all_arguments(module, target).items()
        if not (own.is_function and argument in GIVEN_BY_KERAS)
    }
    public = target if target in imports(INDEX[kind]) else name
    return Part(kind, public, module, found, own.is_function, own.doc)


def nested_kind(part: Part, argument: str) -> Kind | None:
    """What kind of part an argument takes: ``kernel_initializer`` an initializer; None for plain values."""
    if part.kind == "optimizer" and argument == "learning_rate":
        return "schedule"
    if part.kind == "layer" and argument in LAYER_ARGUMENTS:
        return "layer"
    if part.kind == "layer":
        for ending, kind in NESTED.items():
            if argument.endswith(ending) or argument == ending.lstrip("_"):
                return kind  # type: ignore[return-value]
    return None


def other_kinds(name: str) -> list[Kind]:
    """The kinds that know a name: for saying where a misplaced one belongs."""
    return [kind for kind in KINDS if name in index(kind) and not refusal(kind, name)]


PLAIN_TYPES: tuple[tuple[str, Literal["integer", "number", "boolean", "text"]], ...] = (
    (r"(positive |non-negative )?(integer|int)\b", "integer"),
    (r"bool(ean)?\b", "boolean"),
    (r"(python |positive |non-negative )?float\b", "number"),
    (r"(string|str)\b", "text"),
)


def _documented_types(doc: str) -> dict[str, Literal["integer", "number", "boolean", "text"]]:
    """Types that the ``Args`` section states plainly; where it leaves a choice, nothing is said."""
    start = doc.find("Args:")
    if start < 0:
        return {}
    found: dict[str, Literal["integer", "number", "boolean", "text"]] = {}
    for name, text in re.findall(r"^    (\w+): ((?:.|\n(?!    \w+:|\w))+)", doc[start:], re.MULTILINE):
        first = re.split(r"\.(?:\s|$)", " ".join(text.split()).lower(), maxsplit=1)[0]
        if re.search(r"\b(or|tuple|list|none|dict|tensor|schedule|callable|optional|instance|if)\b", first):
            continue
        for pattern, kind in PLAIN_TYPES:
            if re.match(pattern, first):
                found[name] = kind
    return found


__all__ = ["REQUIRED", "Argument", "Kind", "Part", "find", "index", "names", "nearest", "nested_kind", "refusal"]
