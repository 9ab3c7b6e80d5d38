"""Looking at the data of a specification before anything is learned from it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnrun.data.inspect_array import describe_array
from nnrun.data.inspect_copies import find_copies
from nnrun.data.inspect_examples import look_at_copies, look_at_repeats, look_at_target
from nnrun.data.inspect_findings import look_at_arrays, look_at_columns, look_at_scales
from nnrun.data.inspect_open import Opened
from nnrun.data.inspect_repeats import find_repeats, hash_targets
from nnrun.data.inspect_table import count_distinct, describe_columns, describe_numbers
from nnrun.data.inspect_views import Array, Column, Finding, Input, Inspection, Target
from nnrun.spec.file_sources import CategoryColumn, NumberColumn, TextColumn
from nnrun.spec.load import Loaded

SCALING = frozenset(
    {"BatchNormalization", "GroupNormalization", "LayerNormalization", "Normalization", "Rescaling"}
)
"""Layers that bring inputs to one scale."""

LEVELS = ("error", "warning", "note")


def inspect_data(opened: Opened, loaded: Loaded) -> Inspection:
    """Describe the data of a specification and find what is wrong with it, or may be.

    Args:
        opened: The data.
        loaded: The specification, which says what becomes of it.
    """
    counts = np.bincount(opened.part, minlength=len(opened.names)).tolist()
    parts = dict(zip(opened.names, counts, strict=True))
    columns, arrays = _describe(opened)
    target = _describe_target(opened)
    found = _find(opened, loaded, parts, target, columns, arrays)
    return Inspection(
        name=opened.name,
        parts=parts,
        inputs=_inputs(opened, columns),
        target=target,
        columns=columns,
        arrays=arrays,
        left_out=dict(opened.columns.left_out) if opened.columns else {},
        findings=sorted(found, key=lambda finding: LEVELS.index(finding.level)),
        looked_at=opened.looked_at,
    )


def _describe(opened: Opened) -> tuple[list[Column], list[Array]]:
    if opened.rows is not None and opened.columns is not None:
        return describe_columns(opened.rows, opened.columns), []
    names = list(opened.blocks[0])
    return [], [
        describe_array(name, [block[name] for block in opened.blocks], opened.vocabulary) for name in names
    ]


def _describe_target(opened: Opened) -> Target:
    columns, y = opened.targets.columns, opened.y
    if opened.classes is not None:
        of_class = {
            name: np.bincount(y[opened.part == index], minlength=len(opened.classes)).tolist()
            for index, name in enumerate(opened.names)
        }
        return Target(columns, opened.classes, of_class)
    values = y.reshape(len(y), -1)
    names = (
        columns if len(columns) == values.shape[1] else [f"y[{place}]" for place in range(values.shape[1])]
    )
    if not columns and len(names) == 1:
        names = ["y"]
    return Target(columns, numbers=[_describe_number(name, values[:, at]) for at, name in enumerate(names)])


def _describe_number(name: str, values: NDArray[Any]) -> Column:
    import polars as pl

    series = pl.Series(name, np.ascontiguousarray(values))
    facts: dict[str, Any] = describe_numbers(series)
    facts["distinct"], facts["exact"] = count_distinct(series)
    return Column(name, "number", True, 1, len(values), 0, {}, **facts)


def _inputs(opened: Opened, columns: Sequence[Column]) -> list[Input]:
    """What the model is given; of a table, what its columns become side by side."""
    if opened.inputs or opened.columns is None:
        return [Input(name, one.shape, one.dtype, one.divisor) for name, one in opened.inputs.items()]
    kinds = opened.columns.features
    widths = {column.name: column.width for column in columns}
    groups = opened.groups
    if groups is None:
        indices = {name: [name] for name, kind in kinds.items() if _is_index(kind)}
        floats = [name for name in kinds if name not in indices]
        one = not indices or (not floats and len(indices) == 1)
        groups = {"input": list(kinds)} if one else ({"numbers": floats} if floats else {}) | indices
    return [
        Input(
            name.replace("/", "_"),
            (sum(widths[column] for column in members),),
            "int32" if _is_index(kinds[members[0]]) else "float32",
            columns=list(members),
        )
        for name, members in groups.items()
    ]


def _is_index(kind: Any) -> bool:
    if isinstance(kind, CategoryColumn):
        return kind.encode == "index"
    return isinstance(kind, TextColumn) and kind.output_mode == "int"


def _find(
    opened: Opened,
    loaded: Loaded,
    parts: Mapping[str, int],
    target: Target,
    columns: Sequence[Column],
    arrays: Sequence[Array],
) -> Iterator[Finding]:
    training, classes = loaded.spec.training, opened.classes is not None
    yield from look_at_target(target, parts, weighted=training.class_weight is not None)
    if opened.rows is not None:
        yield from look_at_copies(find_copies(opened.rows, columns, opened.y, classes=classes))
    if opened.keys is not None:
        repeats = find_repeats(opened.keys, hash_targets(opened.y), opened.part, opened.names)
        possible = _possible(columns)
        yield from look_at_repeats(repeats, parts, opened.place, classes=classes, possible=possible)
    else:
        yield Finding(
            "not_compared",
            "note",
            f"{len(opened.y):,} pictures were not compared with each other",
            "To read so many files would take long.",
            "Make sure that no picture stands in two parts.",
        )
    yield from look_at_columns(columns, parts)
    yield from look_at_arrays(arrays)
    if not any(layer.name in SCALING for layer in loaded.model.layers):
        yield from look_at_scales(*_unscaled(opened, loaded, columns, arrays))


def _possible(columns: Sequence[Column]) -> float:
    """How many different rows the values of the columns allow; infinite for arrays."""
    if not columns:
        return math.inf
    return math.prod(float(column.distinct + bool(column.missing)) for column in columns)


def _unscaled(
    opened: Opened, loaded: Loaded, columns: Sequence[Column], arrays: Sequence[Array]
) -> tuple[list[Column], list[Array]]:
    """What arrives at the model as it is stored; indices that an Embedding looks up are names and no sizes."""
    looks_up = any(layer.name == "Embedding" for layer in loaded.model.layers)
    embedded = {name for name, one in opened.inputs.items() if looks_up and one.dtype.startswith("int")}
    divided = {name for name, one in opened.inputs.items() if one.divisor is not None}
    kinds = opened.columns.features if opened.columns else {}
    as_stored = [
        one for one in columns if isinstance(kind := kinds[one.name], NumberColumn) and kind.scale == "none"
    ]
    return [] if embedded else as_stored, [one for one in arrays if one.name not in embedded | divided]
