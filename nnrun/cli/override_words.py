"""The words that may follow in an override, by what is written in the specification and what may be.

``training.`` is followed by the keys of that section, ``model.layers.1.`` by the name of the layer, that by its
arguments; after ``=`` stand the names or values that the place takes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

from nnrun.spec import catalog
from nnrun.spec.catalog import Argument, Part
from nnrun.spec.datasets import dataset_names, dataset_ranges
from nnrun.spec.docs import argument_docs, quoted_words, summary
from nnrun.spec.file_sources import FILE_SOURCES
from nnrun.spec.json_schema import KIND_OF_KEY, Choosable
from nnrun.spec.node import Node, child, plain
from nnrun.spec.positions import below, members, origin, section_of
from nnrun.spec.schema import Spec

Word = tuple[str, str]

MOST_EXPLAINED = 60
"""More words than this come without their meanings, which take time to find."""

PLAIN_TEXT = re.compile(r"[\w.+-]+")
"""A value that neither YAML nor a shell needs quotes for."""


@dataclass(frozen=True)
class Spot:
    """A place in a specification.

    Args:
        node: What is written there.
        annotation: The schema's type, in sections.
        kind: What is chosen there, or in each item of a list.
        taker: The part, or the data source, whose arguments stand there.
        argument: Which of them stands there.
        texts: What Keras names as its values.
        help: What the place means.
    """

    node: Node | None
    annotation: Any = None
    kind: Choosable | None = None
    taker: Part | str | None = None
    argument: Argument | None = None
    texts: tuple[str, ...] = ()
    help: str = ""

    @property
    def chosen(self) -> str | None:
        """The name that is chosen there."""
        value = self.node.value if self.node else None
        if isinstance(value, dict) and len(value) == 1:
            return next(iter(value))
        return value if isinstance(value, str) else None


def override_words(tree: Node | None, incomplete: str) -> list[Word]:
    """Completions of a whole override.

    Args:
        tree: The specification; None where it cannot be read.
        incomplete: What is written so far.
    """
    path, equals, value = incomplete.partition("=")
    if equals:
        return [(f"{path}={word}", meaning) for word, meaning in value_words(tree, path, value)]
    removing = "~" if incomplete.startswith("~") else ""
    start, dot, last = path.removeprefix("~").rpartition(".")
    spot = _spot_at(tree, start)
    steps = [
        (step, inner)
        for step, inner in (_below(spot) if spot else ())
        if step.startswith(last) and (inner.node is not None or not removing)
    ]
    found: list[Word] = []
    for step, inner in steps:
        endings = _endings(step, inner, removing)
        wanted = endings if len(steps) == 1 or step == last else endings[:1]
        found += [(f"{removing}{start}{dot}{step}{ending}", inner.help) for ending in wanted]
    if len(found) == 1:  # say what may follow, so that the shell adds no space
        ((word, _),) = found
        if word.endswith("."):
            return override_words(tree, word)
        if word.endswith("="):
            return [*found, *override_words(tree, word)]
    return found


def _endings(step: str, spot: Spot, removing: str) -> list[str]:
    """How a path may go on behind a step, the likeliest first: further down, or with a value."""
    further = any(inner.node is not None or not removing for _, inner in _below(spot))
    if removing:
        return ["", "."] if further else [""]
    if section_of(spot.annotation) or spot.taker:
        return ["."] if further else []
    if not further:
        return ["="]
    is_list = spot.node is not None and isinstance(spot.node.value, list)
    return [".", "="] if is_list or step.isdigit() else ["=", "."]


def value_words(tree: Node | None, path: str, incomplete: str) -> list[Word]:
    """Completions of the value at a path: what stands there now, and what else may."""
    spot = _spot_at(tree, path)
    if spot is None:
        return []
    words = dict.fromkeys(word for word in _values(spot) if word.startswith(incomplete))
    kind = spot.kind
    if kind is None or kind == "data_source" or len(words) > MOST_EXPLAINED:
        return [(word, "") for word in words]
    parts = {word: catalog.find(kind, word) for word in words}
    return [(word, summary(part.doc) if part else "") for word, part in parts.items()]


def _spot_at(tree: Node | None, path: str) -> Spot | None:
    """The place that a path leads to; the whole specification for an empty one."""
    spot: Spot | None = Spot(tree, Spec)
    for step in path.split(".") if path else ():
        spot = next((inner for name, inner in _below(spot) if name == step), None) if spot else None
    return spot


def _below(spot: Spot) -> Iterator[tuple[str, Spot]]:
    """The places one step further, by their steps."""
    section = section_of(spot.annotation)
    value = spot.node.value if spot.node else None
    if section:
        for key, field in section.model_fields.items():
            inner = child(spot.node, key) if spot.node else None
            yield key, Spot(inner, field.annotation, KIND_OF_KEY.get(key), help=field.description or "")
    elif spot.taker is not None:
        yield from _arguments(spot)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            at_index = Spot(item, below(spot.annotation, index), spot.kind)
            yield str(index), replace(at_index, help=at_index.chosen or "")
    elif spot.kind and spot.chosen and not _is_by_output(spot):
        taker: Part | str | None = spot.chosen
        if spot.kind != "data_source":
            part = catalog.find(spot.kind, spot.chosen)
            taker = catalog.class_of(part) if part else None
        if taker is not None:
            yield spot.chosen, Spot(child(spot.node, spot.chosen) if spot.node else None, taker=taker)
    elif isinstance(value, dict):  # by the names of outputs, blocks or classes
        for key, item in value.items():
            yield key, Spot(item, below(spot.annotation, key), spot.kind)


def _is_by_output(spot: Spot) -> bool:
    """Whether a map of one key belongs to an output: a list of metrics stands below it, no arguments."""
    value = spot.node.value if spot.node else None
    return isinstance(value, dict) and any(isinstance(item.value, list) for item in value.values())


def _arguments(spot: Spot) -> Iterator[tuple[str, Spot]]:
    """The arguments of what is chosen."""

    def written(name: str) -> Node | None:
        return child(spot.node, name) if spot.node else None

    if isinstance(spot.taker, str):
        if spot.taker in dataset_names():
            for name, limits in dataset_ranges(spot.taker).items():
                texts = limits.get("enum") or [str(limits.get("default", ""))]
                yield name, Spot(written(name), texts=tuple(filter(None, texts)))
        elif spot.taker in FILE_SOURCES:
            for name, field in FILE_SOURCES[spot.taker].model_fields.items():
                yield name, Spot(written(name), field.annotation, help=field.description or "")
        return
    if spot.taker is None:
        return
    docs = argument_docs(spot.taker)
    for argument in spot.taker.arguments:
        kind = catalog.nested_kind(spot.taker, argument.name)
        doc = docs.get(argument.name, "")
        texts = () if kind or argument.type else tuple(quoted_words(doc))
        yield (
            argument.name,
            Spot(written(argument.name), kind=kind, argument=argument, texts=texts, help=summary(doc)),
        )


def _values(spot: Spot) -> Iterator[str]:
    """What may be written at a place, what stands there now first."""
    now = plain(spot.node) if spot.node else None
    if isinstance(now, bool | int | float) or (isinstance(now, str) and PLAIN_TEXT.fullmatch(now)):
        yield _yaml(now)
    if spot.argument and isinstance(spot.argument.default, bool | int | float | str):
        yield _yaml(spot.argument.default)
    if spot.argument and spot.argument.type == "boolean":
        yield from ("true", "false")
    for member in members(spot.annotation):
        if member is bool:
            yield from ("true", "false")
        elif origin(member) is Literal:
            yield from map(_yaml, get_args(member))
    yield from spot.texts
    if spot.kind == "data_source":
        yield from dataset_names()
        yield from FILE_SOURCES
    elif spot.kind and not isinstance(now, list):
        yield from catalog.names(spot.kind)


def _yaml(value: bool | int | float | str) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
