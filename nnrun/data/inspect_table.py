"""What stands in the columns of a table: counts, ranges, histograms, and what they become."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nnrun.data.columns import FEW_CATEGORIES, IDENTIFIER, Columns
from nnrun.data.inspect_views import Column, Histogram
from nnrun.data.inspect_words import describe_texts
from nnrun.spec.file_sources import CategoryColumn, DateColumn, NumberColumn, TextColumn
from nnrun.spec.schema import Section

if TYPE_CHECKING:
    import polars

EXACT_ROWS = 200_000
"""Up to so many rows different values are counted; of more their number is estimated first."""

EXACT_DISTINCT = 1_000
"""Up to so many different values are counted in any case, and how often each occurs."""

QUARTILE_ROWS = 100_000
"""From so many rows, at equal distances, the quartiles are taken."""

FAR = 10.0
"""Interquartile ranges beyond the quartiles from which on a value is an outlier."""

MOST_FREQUENT = 5
MOSTLY_DIFFERENT = 0.95
"""The part of an identifier's values that differ: some rows may stand twice."""


@dataclass(frozen=True)
class Rows:
    """The features of all parts, one below the other.

    Args:
        frame: The columns in the types in which they are read.
        part: For each row the index of its part in ``names``, uint8 of shape (n,).
        names: Of the parts; the first is learned from.
    """

    frame: polars.DataFrame
    part: NDArray[Any]
    names: list[str]

    def learned(self, name: str) -> polars.Series:
        """The training rows of a column."""
        return self.frame[name].filter(self.part == 0)


def describe_columns(rows: Rows, columns: Columns) -> list[Column]:
    """What stands in each feature of a table.

    Args:
        rows: All of them.
        columns: What they are.
    """
    found = []
    for name, kind in columns.features.items():
        column = describe_column(rows, name, kind, inferred=name in columns.inferred)
        found.append(replace(column, names_rows=_names_rows(column, rows.frame[name])))
    return found


def describe_column(rows: Rows, name: str, kind: Section, *, inferred: bool) -> Column:
    """What stands in one column."""
    import polars as pl

    values = rows.frame[name]
    if values.dtype.is_float():
        values = values.fill_nan(None)
    shared = _shared(rows, values, inferred=inferred)
    flags = 2 if shared["missing_by_part"].get(rows.names[0]) else 1
    if isinstance(kind, NumberColumn):
        word = "boolean" if values.dtype == pl.Boolean else "number"
        return Column(kind=word, width=flags, **shared, **describe_numbers(values))
    if isinstance(kind, DateColumn):
        return Column(
            kind="date", width=flags * len(kind.parts), **shared, **_describe_dates(values, kind.format)
        )
    if isinstance(kind, CategoryColumn):
        known = rows.learned(name).fill_null("").n_unique() if kind.encode == "one_hot" else 0
        width = 1 + min(known, kind.max_categories)
        return Column(kind="category", width=width, **shared, **_count(values))
    if isinstance(kind, TextColumn):
        words = describe_texts(rows.learned(name), kind)
        width = words.room or 1 + min(words.distinct, words.places or 0)
        counted = _count(values) | {"histogram": words.lengths}
        return Column(kind="text", width=width, words=words, **shared, **counted)
    raise TypeError(f"no kind of column {kind!r}")


def _shared(rows: Rows, values: polars.Series, *, inferred: bool) -> dict[str, Any]:
    """What there is to say of any column."""
    missing = values.null_count()
    by_part: dict[str, int] = {}
    if missing:
        counts = np.bincount(rows.part[values.is_null().to_numpy()], minlength=len(rows.names))
        by_part = dict(zip(rows.names, counts.tolist(), strict=True))
    distinct, exact = count_distinct(values.drop_nulls())
    return {
        "name": values.name,
        "inferred": inferred,
        "rows": values.len(),
        "missing": missing,
        "missing_by_part": by_part,
        "distinct": distinct,
        "exact": exact,
    }


def count_distinct(values: polars.Series) -> tuple[int, bool]:
    """How many different values there are, and whether that is exact: of many rows it is estimated first."""
    if values.len() > EXACT_ROWS:
        about: int = values.approx_n_unique()  # type: ignore[assignment]
        may_name_rows = about > 0.9 * values.len() and _is_whole(values)
        if about > EXACT_DISTINCT and not may_name_rows:
            return about, False
    return values.n_unique(), True


def _is_whole(values: polars.Series) -> bool:
    """Whether the first values are whole numbers, or no numbers at all."""
    return not values.dtype.is_float() or bool((values[:1000] % 1 == 0).all())


def describe_numbers(values: polars.Series) -> dict[str, Any]:
    """Range, mean, outliers and histogram of numbers, as arguments of :class:`Column`."""
    import polars as pl

    single = values.dtype == pl.Float32
    numbers = values.drop_nulls().cast(pl.Float64).to_numpy()
    is_finite = np.isfinite(numbers)
    finite = numbers if is_finite.all() else numbers[is_finite]
    found: dict[str, Any] = {"infinite": len(numbers) - len(finite)}
    if not len(finite):
        return found
    lower, middle, upper = np.quantile(finite[:: -(-len(finite) // QUARTILE_ROWS)], (0.25, 0.5, 0.75))
    reach = FAR * (upper - lower)
    found |= {
        "minimum": plain(finite.min(), single=single),
        "maximum": plain(finite.max(), single=single),
        "mean": float(finite.mean()),
        "deviation": float(finite.std()),
        "histogram": Histogram.of(finite),
    }
    if reach:
        found["outliers"] = int(np.count_nonzero((finite < lower - reach) | (finite > upper + reach)))
    else:
        found["share"] = float(np.mean(finite == middle))
    return found


def plain(value: Any, *, single: bool) -> float:
    """A value as it was written: 5.1, where float32 holds 5.099999904."""
    return float(f"{value:.7g}") if single else float(value)


def _describe_dates(values: polars.Series, format: str | None) -> dict[str, Any]:
    """First, last and histogram of dates."""
    import polars as pl

    dates = values
    if values.dtype == pl.String:
        dates = values.str.to_datetime(format, strict=False)
    invalid = dates.null_count() - values.null_count()
    dates = dates.drop_nulls()
    if not dates.len() or not dates.dtype.is_temporal():
        return {"invalid": invalid}
    return {
        "invalid": invalid,
        "minimum": str(dates.min()),
        "maximum": str(dates.max()),
        "histogram": Histogram.of(dates.to_physical().cast(pl.Float64).to_numpy()),
    }


def _count(values: polars.Series) -> dict[str, Any]:
    """The most frequent values, and the histogram of how often they occur."""
    import polars as pl

    there = values.drop_nulls().cast(pl.String).alias("value")
    if not there.len():
        return {}
    counts = there.value_counts().sort(["count", "value"], descending=[True, False])
    top = [(str(value), int(count)) for value, count in counts.head(MOST_FREQUENT).iter_rows()]
    bars = counts["count"].head(FEW_CATEGORIES).to_list()
    return {
        "frequent": top,
        "share": top[0][1] / there.len(),
        "histogram": Histogram(bars, -0.5, len(bars) - 0.5, whole=True),
    }


def _names_rows(column: Column, values: polars.Series) -> bool:
    """Whether a column names its rows: its values differ, and are whole numbers without gaps or called so."""
    count = column.rows - column.missing
    if not column.exact or count <= FEW_CATEGORIES:
        return False
    if column.kind == "category":
        return column.distinct > count / 2
    if (
        column.kind != "number"
        or column.distinct < MOSTLY_DIFFERENT * count
        or not _is_whole(values.drop_nulls())
    ):
        return False
    low, high = column.minimum, column.maximum
    dense = isinstance(low, float) and isinstance(high, float) and high - low < 1.1 * count
    return dense or IDENTIFIER.fullmatch(column.name) is not None
