"""What a column of the user's table is, and what should become of it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from nnrun.data.columns import infer_kind
from nnrun.data.draft_words import count_texts, measure_texts
from nnrun.errors import DataError
from nnrun.spec.file_sources import CategoryColumn, DateColumn, NumberColumn, TextColumn
from nnrun.spec.names import shorten
from nnrun.spec.schema import Section

if TYPE_CHECKING:
    import polars

SKEWED = 3.0
"""From this skewness on a few values are so large that the others lie close together."""

MANY_CATEGORIES = 30
"""With more, a number for each of them is wasteful."""

ROWS_OF_A_CATEGORY = 5
"""With fewer rows there is hardly anything to learn about one of many categories."""

HARDLY_ANY = 0.01
FEW_VALUES = 5
LARGEST_FLOAT32 = 3.4e38

MOST_WORDS_OF_A_COLUMN = 5_000
DATE_FORMATS = (
    "%d.%m.%Y",
    "%m/%d/%Y",
    "%d/%m/%Y",
    "%Y/%m/%d",
    "%d-%m-%Y",
    "%d.%m.%Y %H:%M",
    "%m/%d/%Y %H:%M",
)
PARTS = {"year": "year", "month": "month", "day": "day", "weekday": "weekday", "hour": "hour"}


@dataclass(frozen=True)
class Feature:
    """A column to predict from.

    Args:
        name: Of the column.
        kind: What it is, with its arguments; None where it is left out.
        reason: Why it is left out, or why more than its kind must be written.
        written: What must stand under ``columns``; None where nnrun finds it by itself.
        values: How its values look.
        missing: How many there are not.
        width: How many numbers it becomes; 0 for an input of its own.
        indices: For an Embedding: how many different indices there are.
    """

    name: str
    kind: Section | None
    reason: str = ""
    written: Any = None
    values: str = ""
    missing: int = 0
    width: int = 0
    indices: int = 0


def examine(values: polars.Series, sample: polars.Series, place: str, missing: Sequence[str]) -> Feature:
    """Decide what becomes of a column.

    Args:
        values: All of them, or as many as were read.
        sample: The first ones, by which its kind is told as in training.
        place: What to call the table in messages.
        missing: Texts that stand for nothing.
    """
    import polars as pl

    blank = Feature(values.name, None, values=look_of(values), missing=values.null_count())
    there = values.drop_nulls()
    if sample.null_count() == sample.len():
        return replace(blank, reason="it has no value" + ("" if there.is_empty() else " in the first rows"))
    if values.dtype.is_nested() or values.dtype in (pl.Duration, pl.Binary, pl.Object):
        return replace(blank, reason=f"it holds {values.dtype}, which is neither number, text nor date")
    if there.n_unique() == 1 and not blank.missing:
        return replace(
            blank, reason=f"all rows have the same value ({shorten(there.head(1).cast(pl.String).item())})"
        )
    if len(there) < max(FEW_VALUES, HARDLY_ANY * values.len()) and blank.missing > len(there):
        return replace(blank, reason=f"only {len(there):,} of {values.len():,} rows have a value")
    try:
        kind = infer_kind(sample, place, missing)
    except DataError as error:
        kind = _of_column(str(error))
    if isinstance(kind, str | CategoryColumn | TextColumn):
        found = _examine_date_texts(there, blank)
        if found:
            return found
    if isinstance(kind, str):
        return replace(blank, reason=_why_left_out(there, kind))
    return _examine_kind(there, kind, blank)


def _examine_kind(there: polars.Series, kind: Section, blank: Feature) -> Feature:
    if isinstance(kind, NumberColumn):
        return _examine_numbers(there, kind, blank)
    if isinstance(kind, DateColumn):
        return _examine_dates(there, kind, blank)
    if isinstance(kind, TextColumn):
        return _examine_texts(there, blank)
    return _examine_categories(there, blank)


def _of_column(message: str) -> str:
    """What is wrong with a column, without its place and without what to do about it."""
    return message.partition("': ")[2].partition(";")[0] or message


def _why_left_out(there: polars.Series, reason: str) -> str:
    """The reason, with what would help where that is known."""
    import polars as pl

    commas = there.head(1000).cast(pl.String).str.contains(r"^\s*-?[\d.]*\d,\d+\s*$").mean()
    if isinstance(commas, float) and commas > 0.5:
        return "its numbers are written with a decimal comma; write them with a point"
    return reason.partition("; to use it")[0]


def look_of(values: polars.Series) -> str:
    """Values in a few words: from the least to the greatest, or the most frequent ones."""
    import polars as pl

    there = values.drop_nulls()
    if there.is_empty():
        return ""
    if values.dtype.is_numeric():
        return f"{_short(there.min())} to {_short(there.max())}"
    if values.dtype.is_temporal():
        return _period(there)
    if values.dtype.is_nested() or values.dtype in (pl.Binary, pl.Object):
        return ""
    counts = count_texts(there).sort(["count", "text"], descending=[True, False])
    shown = [shorten(text, 20) for text in counts["text"].head(4).to_list()]
    return ", ".join(shown[:3]) + (", ..." if len(shown) > 3 else "")


def _period(dates: polars.Series) -> str:
    import polars as pl

    first, last = dates.sort().head(1).cast(pl.String).item(), dates.sort().tail(1).cast(pl.String).item()
    return f"{first} to {last}"


def _short(value: Any) -> str:
    return f"{float(value):.6g}"


def _examine_numbers(there: polars.Series, kind: NumberColumn, blank: Feature) -> Feature:
    import polars as pl

    width = 2 if blank.missing else 1
    plain = replace(blank, kind=kind, width=width)
    if there.dtype == pl.Boolean:
        return plain
    numbers = there.cast(pl.Float64)
    if not numbers.is_finite().all() or numbers.abs().max() > LARGEST_FLOAT32:  # type: ignore[operator]
        return replace(blank, reason="it holds infinite numbers; correct them, or leave them empty")
    skewness, least = numbers.skew(), numbers.min()
    if skewness is None or math.isnan(skewness) or skewness <= SKEWED or least < 0:  # type: ignore[operator]
        return plain
    after = numbers.log1p().skew()
    if after is None or abs(after) > skewness / 2:
        return plain
    median = _short(numbers.median())
    reason = f"half of its values are at most {median}, the largest is {_short(numbers.max())}: "
    reason += "the logarithm brings them together"
    log = NumberColumn(scale="log")
    return replace(plain, kind=log, reason=reason, written={"number": {"scale": "log"}})


def _examine_categories(there: polars.Series, blank: Feature) -> Feature:
    counts = count_texts(there)["count"]
    count = len(counts)
    places = count + (1 if blank.missing else 0)
    if count <= MANY_CATEGORIES:
        return replace(blank, kind=CategoryColumn(), width=places + 1)
    frequent = min(int((counts >= ROWS_OF_A_CATEGORY).sum()) + (1 if blank.missing else 0), 1000)
    if frequent < 2:
        return replace(blank, reason=f"its {count:,} different texts hardly occur twice")
    few = "" if frequent >= places else f"; {frequent:,} of them occur at least {ROWS_OF_A_CATEGORY} times"
    if frequent <= MANY_CATEGORIES:
        arguments: dict[str, Any] = {"max_categories": frequent}
        reason = f"{count:,} categories{few} and get a place, the others share one"
        kind = CategoryColumn(max_categories=frequent)
        return replace(blank, kind=kind, reason=reason, written={"category": arguments}, width=frequent + 1)
    arguments = {"encode": "index", "max_categories": frequent}
    reason = f"{count:,} categories{few}: too many for a number each, so each gets an index and the model learns a "
    reason += "vector for it (Embedding)"
    kind = CategoryColumn(encode="index", max_categories=frequent)
    return replace(blank, kind=kind, reason=reason, written={"category": arguments}, indices=frequent + 1)


def _examine_texts(there: polars.Series, blank: Feature) -> Feature:
    import polars as pl

    sizes = measure_texts(there.cast(pl.String), MOST_WORDS_OF_A_COLUMN)
    reason = f"texts of about {sizes.usual:,} words: the first {sizes.length:,} of each, and the {sizes.tokens - 2:,} "
    reason += "words that occur twice or more"
    kind = TextColumn.model_validate(sizes.arguments)
    return replace(blank, kind=kind, reason=reason, written={"text": sizes.arguments}, indices=sizes.tokens)


def _examine_date_texts(there: polars.Series, blank: Feature) -> Feature | None:
    """Texts that are dates in a format that is not recognised by itself; None where they are none."""
    import polars as pl

    texts = there.cast(pl.String)
    for written in DATE_FORMATS:
        if texts.head(20).str.to_datetime(written, strict=False).null_count():
            continue
        dates = texts.str.to_datetime(written, strict=False)
        if not dates.null_count():
            return _examine_dates(dates, DateColumn(format=written), blank)
    return None


def _examine_dates(there: polars.Series, kind: DateColumn, blank: Feature) -> Feature:
    """The parts of a date that differ."""
    import polars as pl

    if there.dtype == pl.Time:
        return replace(blank, kind=kind, width=len(kind.parts))
    clocked = there.dtype != pl.Date
    parts = [
        part
        for part, name in PARTS.items()
        if (clocked or part != "hour") and getattr(there.dt, name)().n_unique() > 1
    ]
    if not parts:
        return replace(blank, reason="its dates differ in less than an hour")
    arguments: dict[str, Any] = {} if kind.format is None else {"format": kind.format}
    if parts != DateColumn().parts:
        arguments["parts"] = parts
    chosen = DateColumn.model_validate({**arguments, "parts": parts})
    width = len(parts) * (2 if blank.missing else 1)
    found = replace(blank, kind=chosen, width=width, values=_period(there))
    if not arguments:
        return found
    reason = f"dates, written as {kind.format}; " if kind.format else ""
    reason += f"{', '.join(parts)} differ{'s' if len(parts) == 1 else ''} and become{'s' if len(parts) == 1 else ''} "
    reason += "a number" if len(parts) == 1 else "numbers"
    return replace(found, reason=reason, written={"date": arguments})
