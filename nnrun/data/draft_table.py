"""A specification for the rows of a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from nnrun.data.draft import Draft, Found, NoTarget, heading, path_from
from nnrun.data.draft_columns import Feature, examine, look_of
from nnrun.data.draft_files import Table, open_table, read_column, read_columns
from nnrun.data.draft_lines import Line, entries, indented, items, page
from nnrun.data.draft_network import (
    FEW,
    hidden_layers,
    learned_from,
    output_layers,
    test_line,
    training_section,
)
from nnrun.data.draft_target import Target, check_target, examine_target, gives_away, plausible
from nnrun.data.draft_wiring import first_layers, name_inputs
from nnrun.errors import DataError, Problem
from nnrun.spec.dump import flow
from nnrun.spec.file_sources import CategoryColumn, DateColumn, NumberColumn, TextColumn
from nnrun.spec.names import listed, shorten

if TYPE_CHECKING:
    import polars

MOST_EMBEDDINGS = 20
"""With more columns of many categories or texts a network gets slow and learns little more."""


def draft_table(data: str, target: str | None, file: Path) -> Draft:
    """Write a specification for a CSV or Parquet file, or for all files that a pattern stands for.

    Args:
        data: The file or the pattern.
        target: The column to predict.
        file: Where the specification will be.

    Raises:
        SpecError: There is no such column, or none was given.
        DataError: The table cannot be read, or nothing can be learned from it.
    """
    table = open_table(data, target)
    if target is None:
        raise _no_target(table)
    check_target(target, table.sample.columns, table.place)
    values = read_column(table, target)
    goal = examine_target(values, table.place)
    rows = len(values)
    frame = read_columns(table, rows)
    features = _examine_columns(table, frame, target, goal)
    about = f"{rows:,} rows, {frame.width:,} columns"
    lines = [
        *heading(file, data, f"predicts {shorten(target)}", about),
        Line(""),
        *_data_section(table, path_from(file, data), goal, target, features, rows),
        Line(""),
        *_model_section(goal, features, rows),
        Line(""),
        *training_section(goal.goal, learned_from(rows), validation="split" if rows >= FEW else None),
    ]
    found = [_found(feature) for feature in features]
    order = [target, *(feature.name for feature in features)]
    by_name = dict(zip(order, [_found_target(goal, target, values), *found], strict=True))
    return Draft(page(lines), about, tuple(by_name[name] for name in frame.columns))


def _no_target(table: Table) -> NoTarget:
    found = tuple(
        Found(values.name, str(values.dtype).lower(), look_of(values), values.null_count(), "")
        for values in table.sample.iter_columns()
    )
    likely = plausible(table.sample)
    hint = f"; plausible: {listed(likely)}" if likely else ""
    message = f"which column of {table.place} is to be predicted? Say it with --target COLUMN{hint}"
    return NoTarget(Problem(message), found)


def _examine_columns(table: Table, frame: polars.DataFrame, target: str, goal: Target) -> list[Feature]:
    """What becomes of each column, with those left out that say what is to be predicted."""
    features = [
        examine(frame[name], table.sample[name], table.place, table.missing)
        for name in frame.columns
        if name != target
    ]
    told = {
        feature.name: reason
        for feature in features
        if feature.kind is not None
        and (reason := gives_away(frame[feature.name], frame[target], goal.goal.classes is not None))
    }
    used = [feature.name for feature in features if feature.kind is not None]
    if not used:
        reasons = "; ".join(f"{shorten(one.name)}: {one.reason}" for one in features[:5])
        raise DataError(
            f"{table.place}: no column is left to predict {shorten(target)} from ({reasons or 'there is no other'})"
        )
    if len(told) < len(used):  # the only column that there is may well say it all
        features = [
            replace(one, kind=None, reason=told[one.name], written=None, width=0, indices=0)
            if one.name in told
            else one
            for one in features
        ]
    return _limit_embeddings(features)


def _limit_embeddings(features: list[Feature]) -> list[Feature]:
    """No more Embeddings than a network should have."""
    indices = [feature for feature in features if feature.indices]
    if len(indices) <= MOST_EMBEDDINGS:
        return features
    many = f"one of {len(indices)} columns of many categories or texts: "
    kept = {feature.name for feature in indices[:MOST_EMBEDDINGS]}

    def limit(feature: Feature) -> Feature:
        if not feature.indices or feature.name in kept:
            return feature
        if isinstance(feature.kind, TextColumn):
            arguments = {"max_tokens": 100, "output_mode": "multi_hot"}
            reason = f"{many}only which of the 100 most frequent words it has"
            return replace(
                feature,
                kind=TextColumn.model_validate(arguments),
                written={"text": arguments},
                reason=reason,
                width=100,
                indices=0,
            )
        reason = f"{many}only the 30 most frequent ones get a number each"
        kind = CategoryColumn(max_categories=30)
        return replace(
            feature,
            kind=kind,
            written={"category": {"max_categories": 30}},
            reason=reason,
            width=31,
            indices=0,
        )

    return [limit(feature) for feature in features]


def _data_section(
    table: Table, path: str, goal: Target, target: str, features: Sequence[Feature], rows: int
) -> list[Line]:
    left_out = [feature for feature in features if feature.kind is None]
    written = [feature for feature in features if feature.kind is not None and feature.written is not None]
    used = [feature for feature in features if feature.kind is not None]
    inputs = name_inputs(used)
    source = [
        Line(f"path: {flow(path)}"),
        *(Line(f"{name}: {flow(value)}", why) for name, (value, why) in table.options.items()),
        _target_line(goal, target),
        *items("ignore", [one.name for one in left_out], [one.reason for one in left_out]),
        *entries(
            "columns", {one.name: one.written for one in written}, {one.name: one.reason for one in written}
        ),
        *entries("inputs", inputs or {}, {}),
        test_line(rows),
    ]
    return [Line("data:"), Line("  source:"), Line(f"    {table.kind}:"), *indented(source, 6)]


def _target_line(goal: Target, target: str) -> Line:
    code = f"target: {flow(target)}"
    if not goal.counts:
        return Line(code, f"a number from {goal.values}")
    why = f"{len(goal.counts):,} classes: {goal.values}"
    if goal.whole:
        why += ". Whole numbers of few values are taken for classes; to predict them as a number write loss: mse, "
        why += "metrics: [mae], and Dense: {units: 1} without an activation at the end"
    return Line(code, why)


def _model_section(goal: Target, features: Sequence[Feature], rows: int) -> list[Line]:
    used = [feature for feature in features if feature.kind is not None]
    why = _explain_width(used)
    layers = [
        *first_layers(used, name_inputs(used)),
        *hidden_layers(learned_from(rows)),
        *output_layers(goal.goal),
    ]
    return [Line("model:"), Line("  layers:", why, above=True), *indented(layers, 4)]


def _explain_width(used: Sequence[Feature]) -> str:
    """How many numbers arrive, and how they are made."""
    plain = [feature for feature in used if not feature.indices]
    width = sum(feature.width for feature in plain)
    if not plain:
        return ""
    columns = f"{len(plain):,} columns arrive" if len(plain) > 1 else "1 column arrives"
    why = f"{columns} as {width:,} number{'s' if width > 1 else ''}. Sizes are brought to mean 0 and variance 1."
    if any(isinstance(feature.kind, CategoryColumn) for feature in plain):
        why += " Each category has a number of its own, which is 1 where it is present (one-hot)."
    if any(feature.missing and isinstance(feature.kind, NumberColumn) for feature in plain):
        why += " Where a number is missing, the median takes its place and a flag says so."
    return why


def _found_target(goal: Target, target: str, values: polars.Series) -> Found:
    kind = f"{len(goal.counts):,} classes" if goal.counts else "number"
    return Found(target, kind, goal.values, values.null_count(), "is predicted")


def _found(feature: Feature) -> Found:
    """What is shown of a column."""
    return Found(feature.name, _kind(feature), feature.values, feature.missing, _becomes(feature))


def _kind(feature: Feature) -> str:
    kinds = {NumberColumn: "number", CategoryColumn: "category", DateColumn: "date", TextColumn: "text"}
    return "" if feature.kind is None else kinds[type(feature.kind)]


def _becomes(feature: Feature) -> str:
    kind = feature.kind
    if kind is None:
        return f"left out: {feature.reason}"
    flag = ", and a flag where it is missing" if feature.missing else ""
    match kind:
        case NumberColumn():
            return (
                "log(1 + x), standardized" if kind.scale == "log" else kind.scale.replace("none", "0 or 1")
            ) + flag
        case DateColumn():
            return ", ".join(kind.parts) + flag
        case TextColumn() if feature.indices:
            return f"{kind.sequence_length} words, for an Embedding"
        case CategoryColumn() if feature.indices:
            return "an index, for an Embedding"
    return f"{feature.width:,} numbers of 0 or 1"
