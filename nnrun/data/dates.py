"""Dates as columns of numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from nnrun.data.columns import At
from nnrun.data.preprocessing import part_name
from nnrun.errors import DataError
from nnrun.spec.file_sources import DateColumn
from nnrun.spec.names import shorten

if TYPE_CHECKING:
    import polars

DATE_PARTS = {
    "year": "year",
    "month": "month",
    "day": "day",
    "weekday": "weekday",
    "dayofyear": "ordinal_day",
    "hour": "hour",
    "minute": "minute",
}
"""What polars calls the parts of a date."""

OF_TIMES = ("hour", "minute")


def derive(
    frame: polars.DataFrame, dates: Mapping[str, DateColumn], place: str, at: At | None = None
) -> polars.DataFrame:
    """The table with the parts of its dates as columns of numbers.

    Raises:
        DataError: A text is no date in the format that was given; or a column holds no dates.
    """
    import polars as pl

    for column, date in dates.items():
        values = frame[column]
        if values.dtype == pl.String:
            values = _parse_dates(values, date, at or (lambda row: f"{place}, row {row + 1:,}"))
        if values.null_count() == values.len():
            values = values.cast(pl.Datetime)
        if not values.dtype.is_temporal() or values.dtype == pl.Duration:
            raise DataError(
                f"{place}: column '{shorten(column)}' holds {values.dtype}, expected dates; say how they are "
                f"written: columns: {{{shorten(column)}: {{date: {{format: '%Y%m%d'}}}}}}"
            )
        if values.dtype == pl.Time and set(date.parts) - set(OF_TIMES):
            raise DataError(
                f"{place}: column '{shorten(column)}' holds times without a date; write columns: "
                f"{{{shorten(column)}: {{date: {{parts: [hour, minute]}}}}}}"
            )
        if values.dtype == pl.Date and set(OF_TIMES) & set(date.parts):
            values = values.cast(pl.Datetime)
        frame = frame.with_columns(
            getattr(values.dt, DATE_PARTS[part])().cast(pl.Float32).alias(part_name(column, part))
            for part in date.parts
        )
    return frame


def _parse_dates(values: polars.Series, date: DateColumn, at: At) -> polars.Series:
    import polars as pl

    try:
        parsed = values.str.to_datetime(date.format, strict=False)
    except pl.exceptions.PolarsError:  # it knows no such way of writing dates
        parsed = pl.Series(values.name, [None] * values.len(), dtype=pl.Datetime)
    wrong = parsed.is_null() & values.is_not_null()
    if wrong.any():
        row = int(wrong.arg_max() or 0)
        wanted = f"a date such as {date.format}" if date.format else "a date"
        remedy = (
            "correct it" if date.format else "correct it, or say how dates are written (format: '%d.%m.%Y')"
        )
        raise DataError(
            f"{at(row)}, column '{shorten(values.name)}': expected {wanted}, found {shorten(repr(values[row]))}; "
            f"{remedy}"
        )
    return parsed
