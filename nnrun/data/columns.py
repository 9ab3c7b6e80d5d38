"""What the columns of a table are: told from a sample, unless the specification says it."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from nnrun.data.files import find_files
from nnrun.data.table_errors import explain_value, place_of_row
from nnrun.data.tables import check_columns
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

At = Callable[[int], str]
"""Says where a row stands: ``houses.csv, row 17 (line 18)``."""

MOST_CATEGORIES = 1000
FEW_CATEGORIES = 20
WORDS_OF_A_TEXT = 4
"""Words that a value has on average, from which on a column holds texts."""

MOSTLY = 0.9
"""The part of a column that must be numbers for the rest to be taken for a mistake."""

IDENTIFIER = re.compile(r"|id|index|idx|row|no|nr|unnamed.*|.*_id|.* id", re.IGNORECASE)


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
        check_columns(place, there, wanted, is_csv=isinstance(source, CsvSource))
    at = functools.partial(place_of_row, source, find_files(source.path))
    left_out = dict.fromkeys(source.ignore, "ignore says so")
    features: dict[str, Section] = {}
    inferred = set()
    for name in named or there:
        if name in targets or name in source.ignore:
            continue
        if name in source.columns:
            features[name] = read_column_kind(source.columns[name])
            continue
        kind = infer_kind(sample[name], place, at=at)
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


def infer_kind(values: polars.Series, place: str, missing: Any = (), at: At | None = None) -> Section | str:
    """What a column is by the look of it, or why it is left out.

    Args:
        values: A sample of it.
        place: What to call the table in messages.
        missing: Texts that stand for nothing.
        at: Says where a row stands.

    Raises:
        DataError: It has no value at all, or a few texts among numbers or dates.
    """
    import polars as pl

    kind, count = values.dtype, values.len() - values.null_count()
    name = shorten(values.name)
    if not count:
        raise DataError(
            f"{place}: column '{name}' has no value in the first {values.len():,} rows; "
            f"write ignore: [{name}], or remove it"
        )
    if kind == pl.Boolean:
        return NumberColumn(scale="none", missing="zero")
    if kind.is_numeric():
        distinct = values.n_unique()
        if kind.is_integer() and distinct == count > FEW_CATEGORIES and IDENTIFIER.fullmatch(values.name):
            return f"it looks like an identifier; to use it write columns: {{{name}: number}}"
        return NumberColumn()
    if kind.is_temporal() and kind != pl.Duration:
        return DateColumn(parts=["hour", "minute"]) if kind == pl.Time else DateColumn()
    if kind != pl.String and kind != pl.Categorical and kind != pl.Enum:
        return f"it holds {kind}, which is neither number, text nor date"
    texts = values.cast(pl.String)
    refuse_mixed(texts, at or functools.partial(_at, place, is_csv=bool(missing)))
    return _infer_text(texts, count)


def _at(place: str, row: int, *, is_csv: bool) -> str:
    return f"{place}, row {row + 1:,}" + (f" (line {row + 2:,})" if is_csv else "")


def refuse_mixed(texts: polars.Series, at: At) -> None:
    """Refuse a column of texts that are nearly all numbers or dates: the others are mistakes.

    Args:
        texts: A sample of it.
        at: Says where a row stands.

    Raises:
        DataError: The first value that is none.
    """
    import polars as pl

    if texts.dtype != pl.String:
        return
    stripped = texts.str.strip_chars().drop_nulls()
    with_comma = stripped.str.contains(r"^[-+]?\d*,\d+$")
    readings = {"f32": stripped.cast(pl.Float64, strict=False).is_not_null(), "date": _are_dates(stripped)}
    for kind, fits in {"with a comma": with_comma, **readings}.items():
        share = float(fits.mean() or 0)  # type: ignore[arg-type]
        if share < MOSTLY or (share == 1 and kind != "with a comma"):
            continue
        wrong = fits if kind == "with a comma" else ~fits
        value = stripped[int(wrong.arg_max() or 0)]
        row = int((texts.str.strip_chars() == value).arg_max() or 0)
        raise DataError(f"{at(row)}, {explain_value(texts.name, value, kind)}")


def _are_dates(texts: polars.Series) -> polars.Series:
    import polars as pl

    try:
        return texts.str.to_datetime(strict=False).is_not_null()
    except pl.exceptions.PolarsError:  # it knows no such way of writing dates
        return texts.is_null()


def _infer_text(values: polars.Series, count: int) -> Section | str:
    distinct = values.n_unique()
    words = values.str.split(" ").list.len().mean()
    if isinstance(words, float) and words >= WORDS_OF_A_TEXT and distinct > FEW_CATEGORIES:
        return TextColumn()
    if distinct <= FEW_CATEGORIES or (distinct <= MOST_CATEGORIES and distinct <= count / 2):
        return CategoryColumn()
    name = shorten(values.name)
    return f"{distinct:,} different texts in {count:,} rows; to use it write columns: {{{name}: text}} or category"


def polars_types(
    columns: Columns, sample: polars.DataFrame, target_types: Mapping[str, Any], *, is_csv: bool
) -> dict[str, Any]:
    """The type in which each column is read; None: as it looks.

    Args:
        columns: What they are.
        sample: The first rows.
        target_types: The types of the targets.
        is_csv: Whether dates are texts, to be read in their format.
    """
    import polars as pl

    found: dict[str, Any] = {}
    schema = sample.schema
    for name, kind in columns.features.items():
        if isinstance(kind, NumberColumn):
            found[name] = pl.Boolean if schema[name] == pl.Boolean else pl.Float32
        elif isinstance(kind, DateColumn):
            found[name] = pl.String if kind.format and is_csv else None
        else:
            found[name] = pl.String
    return found | dict(target_types)
