"""What the columns of a table are: told from a sample, unless the specification says it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from nnrun.data.tables import check_columns, explain_text, is_number
from nnrun.errors import DataError
from nnrun.spec.file_sources import (
    CategoryColumn,
    CsvSource,
    DateColumn,
    NumberColumn,
    TableSource,
    TextColumn,
    read_column_kind,
)
from nnrun.spec.names import shorten
from nnrun.spec.schema import Section

if TYPE_CHECKING:
    import polars

MOST_CATEGORIES = 1000
FEW_CATEGORIES = 20
WORDS_OF_A_TEXT = 4
"""Words that a value has on average, from which on a column holds texts."""

MOSTLY = 0.9
"""The part of a column that must be numbers for the rest to be taken for a mistake."""

IDENTIFIER = re.compile(r"|id|index|idx|row|no|nr|unnamed.*|.*_id|.* id", re.IGNORECASE)
EXACT_IN_FLOAT32 = 2**24


@dataclass(frozen=True)
class Columns:
    """What is read of a table.

    Args:
        features: What each column to predict from is, in their order.
        targets: The columns to predict.
        left_out: Columns that are not used, each with the reason.
        inferred: Those of the features whose kind was told from the sample.
    """

    features: dict[str, Section]
    targets: list[str]
    left_out: dict[str, str] = field(default_factory=dict)
    inferred: frozenset[str] = frozenset()


def choose_columns(source: TableSource, sample: polars.DataFrame, place: str) -> Columns:
    """Decide what each column of a table is.

    Args:
        source: What the specification says of them.
        sample: The first rows, in the types that they look like.
        place: What to call the table in messages.

    Raises:
        DataError: A column that the specification names is not there, or none is left to predict from.
    """
    there = sample.columns
    targets = [source.target] if isinstance(source.target, str) else list(source.target)
    named = source.features
    if source.inputs is not None:
        named = [column for columns in source.inputs.values() for column in columns]
    for wanted in (targets, named or [], source.ignore, list(source.columns)):
        check_columns(place, there, wanted)
    left_out = dict.fromkeys(source.ignore, "ignore says so")
    features: dict[str, Section] = {}
    inferred = set()
    for name in named or there:
        if name in targets or name in source.ignore:
            continue
        if name in source.columns:
            features[name] = read_column_kind(source.columns[name])
            continue
        kind = infer_kind(
            sample[name], place, missing=source.missing if isinstance(source, CsvSource) else ()
        )
        if isinstance(kind, str) and named is None:
            left_out[name] = kind
        elif isinstance(kind, str):
            raise DataError(f"{place}: column '{shorten(name)}': {kind}")
        else:
            features[name] = kind
            inferred.add(name)
    if not features:
        reasons = "; ".join(f"{shorten(name)}: {reason}" for name, reason in list(left_out.items())[:5])
        raise DataError(
            f"{place}: no column is left to predict {targets[0]} from ({reasons or 'there is no other'})"
        )
    return Columns(features, targets, left_out, frozenset(inferred))


def infer_kind(values: polars.Series, place: str, missing: Any = ()) -> Section | str:
    """What a column is by the look of it, or why it is left out.

    Args:
        values: A sample of it.
        place: What to call the table in messages.
        missing: Texts that stand for nothing.

    Raises:
        DataError: It has no value at all, or a few texts among numbers.
    """
    import polars as pl

    kind, count = values.dtype, values.len() - values.null_count()
    if not count:
        raise DataError(
            f"{place}: column '{shorten(values.name)}' has no value in the first {values.len():,} rows; "
            f"write ignore: [{shorten(values.name)}], or remove it"
        )
    if kind == pl.Boolean:
        return NumberColumn(scale="none", missing="zero")
    if kind.is_numeric():
        distinct = values.n_unique()
        if kind.is_integer() and distinct == count > FEW_CATEGORIES and IDENTIFIER.fullmatch(values.name):
            return f"it looks like an identifier; to use it write columns: {{{shorten(values.name)}: number}}"
        return NumberColumn()
    if kind.is_temporal():
        return DateColumn(parts=["hour", "minute"]) if kind == pl.Time else DateColumn()
    if kind != pl.String and kind != pl.Categorical and kind != pl.Enum:
        return f"it holds {kind}, which is neither number, text nor date"
    return _infer_text(values.cast(pl.String), count, place, missing)


def _infer_text(values: polars.Series, count: int, place: str, missing: Any) -> Section | str:
    import polars as pl

    numbers = values.cast(pl.Float64, strict=False)
    if MOSTLY * count <= numbers.len() - numbers.null_count() < count:
        row = next(
            i for i, one in enumerate(values) if one is not None and not is_number(one) and one not in missing
        )
        raise DataError(f"{place}, {explain_text(values.name, row + 1, values[row], line=bool(missing))}")
    distinct = values.n_unique()
    words = values.str.split(" ").list.len().mean()
    if isinstance(words, float) and words >= WORDS_OF_A_TEXT and distinct > FEW_CATEGORIES:
        return TextColumn()
    if distinct <= FEW_CATEGORIES or (distinct <= MOST_CATEGORIES and distinct <= count / 2):
        return CategoryColumn()
    name = shorten(values.name)
    return f"{distinct:,} different texts in {count:,} rows; to use it write columns: {{{name}: text}} or category"


def polars_types(
    columns: Columns, sample: polars.DataFrame, target_types: Mapping[str, Any]
) -> dict[str, Any]:
    """The type in which each column is read: the smallest that loses nothing.

    Args:
        columns: What they are.
        sample: The first rows.
        target_types: The types of the targets.
    """
    import polars as pl

    found: dict[str, Any] = {}
    schema = sample.schema  # made anew at every look
    for name, kind in columns.features.items():
        looks = schema[name]
        if isinstance(kind, NumberColumn):
            found[name] = pl.Boolean if looks == pl.Boolean else _float_type(sample[name])
        elif isinstance(kind, DateColumn):
            found[name] = pl.String if kind.format and not looks.is_temporal() else None
        else:
            found[name] = pl.String
    return found | dict(target_types)


def _float_type(values: polars.Series) -> Any:
    import polars as pl

    large = values.dtype.is_integer() and bool((values.cast(pl.Float64).abs() > EXACT_IN_FLOAT32).any())
    return pl.Float64 if large else pl.Float32
