"""What a name of the vocabulary means: what it does, its formula, its arguments, and where it stands."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from typing import Any

from nnrun.errors import Problem, SpecError
from nnrun.explain.formulas import formula
from nnrun.explain.words import first_telling_sentence, plain_text, what_it_does
from nnrun.spec import catalog
from nnrun.spec.argument_types import EXPECTED
from nnrun.spec.catalog import Argument, Kind, Part
from nnrun.spec.catalog_source import SourceText
from nnrun.spec.check import HOME
from nnrun.spec.docs import argument_docs, description
from nnrun.spec.dump import flow
from nnrun.spec.names import did_you_mean

EXAMPLES: dict[str, Any] = {
    "activation": "relu",
    "axes": 1,
    "boundaries": [1000, 2000],
    "cell": {"LSTMCell": {"units": 32}},
    "cells": [{"LSTMCell": {"units": 32}}, {"LSTMCell": {"units": 16}}],
    "decay_rate": 0.9,
    "decay_steps": 1000,
    "dims": [2, 1],
    "equation": "ab,bc->ac",
    "factor": 0.2,
    "filename": "log.csv",
    "filepath": "best.weights.h5",
    "filters": 32,
    "first_decay_steps": 1000,
    "head_dim": 16,
    "height": 32,
    "height_factor": 0.1,
    "initial_learning_rate": 0.01,
    "input_dim": 10_000,
    "kernel_size": 3,
    "key_dim": 16,
    "layer": {"Dense": {"units": 32}},
    "layers": [{"Rescaling": {"scale": 2.0}}, {"RandomFlip": {"mode": "horizontal"}}],
    "max_number": 10,
    "n": 3,
    "num_bins": 100,
    "num_classes": 10,
    "num_heads": 4,
    "num_key_value_heads": 2,
    "num_query_heads": 4,
    "output_dim": 16,
    "output_shape": 64,
    "output_size": 4,
    "pool_size": 2,
    "precision": 0.5,
    "rate": 0.5,
    "recall": 0.5,
    "scale": 2.0,
    "sensitivity": 0.5,
    "specificity": 0.5,
    "stddev": 0.1,
    "target_class_ids": [1],
    "target_shape": [28, 28, 1],
    "units": 64,
    "values": [0.01, 0.005, 0.001],
    "weights": None,
    "width": 32,
    "width_factor": 0.1,
}
"""A value for each argument that has no default."""

PARTICULAR: dict[str, dict[str, Any]] = {
    "Bidirectional": {"layer": {"LSTM": {"units": 32}}},
    "RandomPosterization": {"factor": 4},
    "IoU": {"num_classes": 2, "target_class_ids": [1]},
}
"""Arguments of parts for which the general value does not do."""

LINES: dict[Kind, str] = {
    "layer": "- {}",
    "activation": "- Dense: {{units: 64, activation: {}}}",
    "initializer": "- Dense: {{units: 64, kernel_initializer: {}}}",
    "regularizer": "- Dense: {{units: 64, kernel_regularizer: {}}}",
    "constraint": "- Dense: {{units: 64, kernel_constraint: {}}}",
    "loss": "loss: {}",
    "metric": "metrics: [{}]",
    "optimizer": "optimizer: {}",
    "schedule": "learning_rate: {{{}}}",
    "callback": "- {}",
}
"""Where a part stands, as a line to copy."""


@dataclass(frozen=True)
class ArgumentInWords:
    """An argument for a reader."""

    name: str
    takes: str
    default: str
    meaning: str


@dataclass(frozen=True)
class PartInWords:
    """A part for a reader.

    Args:
        name: As it is written.
        kind: What it is.
        meaning: What it does.
        formula: On one line; None where there is none.
        arguments: Its own first.
        stands: Where in a specification.
        line: To copy.
        aliases: Other names for the same.
    """

    name: str
    kind: Kind
    meaning: str
    formula: str | None
    arguments: tuple[ArgumentInWords, ...]
    stands: str
    line: str
    aliases: tuple[str, ...]

    def plain(self) -> dict[str, Any]:
        """The same as plain values."""
        return asdict(self)


def explain_name(name: str, kind: Kind | None = None) -> list[PartInWords]:
    """Explain a name; one that several kinds know is explained as each of them.

    Args:
        name: ``Dense``, ``relu``, ``adam``, ``mse``.
        kind: Only as this kind.

    Raises:
        SpecError: No kind knows it, or nnrun refuses it.
    """
    kinds = [kind] if kind else list(catalog.KINDS)
    found = [part for one in kinds if (part := catalog.find(one, name))]
    if found:
        return [_explain(part, name) for part in found]
    reasons = dict.fromkeys(reason for one in kinds if (reason := catalog.refusal(one, name)))
    if reasons:
        raise SpecError([Problem(f"{name} {reason}") for reason in reasons])
    known = [candidate for one in kinds for candidate in catalog.names(one)]
    near = did_you_mean(name, known) or "; try the name of a layer, an activation, a loss or an optimizer"
    raise SpecError([Problem(f"Keras has no '{name}'{near}")])


def _explain(part: Part, name: str) -> PartInWords:
    taker = catalog.class_of(part) or part
    docs = argument_docs(taker)
    return PartInWords(
        name,
        part.kind,
        _meaning(part),
        formula(part),
        tuple(_argument(taker, argument, docs) for argument in taker.arguments),
        HOME[part.kind],
        example_line(part.kind, name),
        tuple(_aliases(part, name)),
    )


def _meaning(part: Part) -> str:
    """Our own words, then Keras's."""
    ours = what_it_does(part.kind, part.name)
    theirs = re.sub(r"[^.\n]*:$", "", plain_text(description(part.doc))).strip()  # what a list would follow
    if not theirs or ours.lower() == theirs.rstrip(".").lower() or theirs.lower().startswith(ours.lower()):
        return theirs or ours
    return f"{ours[:1].upper()}{ours[1:]}.\n\n{theirs}"


def _argument(part: Part, argument: Argument, docs: dict[str, str]) -> ArgumentInWords:
    kind = catalog.nested_kind(part, argument.name)
    takes = kind or (EXPECTED[argument.type] if argument.type else "")
    if argument.required:
        default = "required"
    elif isinstance(argument.default, SourceText):
        default = str(argument.default)
    else:
        default = flow(argument.default)
    meaning = first_telling_sentence(docs.get(argument.name, ""))
    return ArgumentInWords(argument.name, takes, default, meaning)


def _aliases(part: Part, name: str) -> list[str]:
    """Other names under which the same part is known."""
    return [
        other
        for other in catalog.names(part.kind)
        if other != name and (found := catalog.find(part.kind, other)) and found.name == part.name
    ]


def example_line(kind: Kind, name: str) -> str:
    """A line to copy, with values for what has no default."""
    given = example_arguments(kind, name)
    written = f"{name}: {flow(given)}" if given else name
    if given and kind not in ("layer", "callback", "schedule"):
        written = f"{{{written}}}"
    line = LINES[kind].format(written)
    return line if given or kind != "schedule" else f"learning_rate: {name}"


def example_arguments(kind: Kind, name: str) -> dict[str, Any]:
    """A value for each argument of a part that has no default."""
    part = catalog.find(kind, name)
    taker = catalog.class_of(part) if part and not _bare(part) else None
    needed = [one.name for one in taker.arguments if one.required] if taker else []
    return PARTICULAR.get(name) or {argument: EXAMPLES[argument] for argument in needed}


def _bare(part: Part | None) -> bool:
    """Whether a name is a function that is written alone."""
    return part is not None and part.is_function
