"""Means, medians and vocabularies: what is learned from the training rows of a table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nnrun.data.columns import At, Columns
from nnrun.data.dates import derive
from nnrun.data.preprocessing import (
    LARGEST,
    SMALLEST,
    Category,
    Numbers,
    Preprocessing,
    Text,
    is_index,
    part_name,
)
from nnrun.data.transform import refuse_infinite, vectorization
from nnrun.errors import DataError
from nnrun.spec.file_sources import CategoryColumn, DateColumn, NumberColumn, TextColumn, TextSettings
from nnrun.spec.names import shorten
from nnrun.spec.schema import Section

if TYPE_CHECKING:
    import polars


def fit(
    frame: polars.DataFrame,
    rows: NDArray[Any],
    columns: Columns,
    groups: Mapping[str, list[str]] | None,
    place: str,
    at: At | None = None,
) -> Preprocessing:
    """Learn means, medians and vocabularies from the training rows alone.

    Args:
        frame: All rows of the training files.
        rows: Those to learn from, int64 of shape (n,).
        columns: What the columns are.
        groups: The inputs of the model with their columns; None: as few as their kinds allow.
        place: What to call the table in messages.
        at: Says where a row stands.

    Raises:
        DataError: A column has no value in these rows, or cannot be transformed as asked for.
    """
    import polars as pl

    dates = {name: kind for name, kind in columns.features.items() if isinstance(kind, DateColumn)}
    booleans = [
        name for name, kind in frame.schema.items() if kind == pl.Boolean and name in columns.features
    ]
    frame = derive(frame, dates, place, at)
    kinds: dict[str, Section] = {}
    for name, kind in columns.features.items():
        if isinstance(kind, DateColumn):
            parts = dict.fromkeys((part_name(name, part) for part in kind.parts), NumberColumn())
            _refuse_taken(name, [part for part in parts if part in columns.features], place)
            kinds |= parts
        else:
            kinds[name] = kind
    fitted = {name: _fit_column(frame[name], rows, kind, place, at) for name, kind in kinds.items()}
    if groups is None:
        grouped = _group(fitted, place)
    else:
        grouped = {
            name: [
                fitted[column]
                for given in members
                for column in (
                    [part_name(given, part) for part in dates[given].parts] if given in dates else [given]
                )
            ]
            for name, members in groups.items()
        }
    inputs = {_input_name(name): _join(name, steps, place) for name, steps in grouped.items()}
    return Preprocessing(inputs=inputs, dates=dates, booleans=booleans)


def _refuse_taken(date: str, taken: list[str], place: str) -> None:
    if taken:
        raise DataError(
            f"{place}: there is a column '{shorten(taken[0])}', and a part of the date '{shorten(date)}' is called so "
            f"too; write ignore: [{shorten(taken[0])}], or rename one"
        )


def _group(
    fitted: Mapping[str, Numbers | Category | Text], place: str
) -> dict[str, list[Numbers | Category | Text]]:
    """One input for all that gives floating-point numbers, one for each column of indices.

    Raises:
        DataError: Two of them would have the same name.
    """
    floats = [step for step in fitted.values() if not is_index(step)]
    indices = {name: [step] for name, step in fitted.items() if is_index(step)}
    if not indices:
        return {"input": floats}
    if not floats and len(indices) == 1:
        return {"input": next(iter(indices.values()))}
    names = [*(["numbers"] if floats else []), *map(_input_name, indices)]
    for column, name in zip(reversed(indices), reversed(names), strict=False):
        if names.count(name) > 1:
            raise DataError(
                f"{place}: two inputs of the model would be called '{shorten(name)}', one of them by the column "
                f"'{shorten(column)}'; name them yourself: inputs: {{NAME: [{shorten(column)}], ...}}"
            )
    return ({"numbers": floats} if floats else {}) | indices


def _input_name(column: str) -> str:
    """A column's name as Keras takes it for an input; ``#`` would stand for the number of a layer."""
    return column.replace("/", "_").replace("#", "_")


def _join(name: str, steps: list[Numbers | Category | Text], place: str) -> list[Numbers | Category | Text]:
    """The steps of an input, with the numbers side by side in one.

    Raises:
        DataError: Indices stand beside floating-point numbers, or beside a text.
    """
    if len({is_index(step) for step in steps}) > 1 or (
        len(steps) > 1 and any(isinstance(step, Text) and is_index(step) for step in steps)
    ):
        odd = next(step for step in steps if is_index(step))
        raise DataError(
            f"{place}: the input '{shorten(name)}' holds numbers and indices; give the column "
            f"'{shorten(getattr(odd, 'column', ''))}' an input of its own, for an Embedding"
        )
    joined: list[Numbers | Category | Text] = []
    for log in (False, True):
        numbers = [step for step in steps if isinstance(step, Numbers) and step.log == log]
        if numbers:
            joined.append(_side_by_side(numbers))
    return joined + [step for step in steps if not isinstance(step, Numbers)]


def _side_by_side(steps: list[Numbers]) -> Numbers:
    def chain(name: str) -> list[Any]:
        return [value for step in steps for value in getattr(step, name)]

    flags = [index for index, step in enumerate(steps) if step.flags]
    return Numbers(
        columns=chain("columns"),
        log=steps[0].log,
        fill=chain("fill"),
        flags=flags,
        mean=chain("mean"),
        variance=chain("variance"),
    )


def _fit_column(
    values: polars.Series, rows: NDArray[Any], kind: Section, place: str, at: At | None
) -> Numbers | Category | Text:
    import polars as pl

    learned = values.gather(rows)
    if learned.null_count() == learned.len():
        raise DataError(
            f"{place}: column '{shorten(values.name)}' has no value in the training rows; "
            f"write ignore: [{shorten(values.name)}]"
        )
    if isinstance(kind, NumberColumn):
        if learned.dtype.is_float() and learned.is_infinite().any():
            row = int(rows[int(learned.is_infinite().arg_max() or 0)])
            refuse_infinite(at(row) if at else f"{place}, row {row + 1:,}", values.name)
        return _fit_numbers(learned, kind, place)
    texts = learned.cast(pl.String)
    if isinstance(kind, CategoryColumn):
        counts = texts.fill_null("").value_counts(sort=False)
        counts = counts.sort(["count", values.name], descending=[True, False]).head(kind.max_categories)
        return Category(
            column=values.name, encode=kind.encode, vocabulary=sorted(counts[values.name].to_list())
        )
    if isinstance(kind, TextColumn):
        return _fit_text(texts.fill_null(""), kind, place)
    raise TypeError(f"no kind of column {kind!r}")


def _fit_numbers(values: polars.Series, kind: NumberColumn, place: str) -> Numbers:
    import polars as pl

    if not (values.dtype.is_numeric() or values.dtype == pl.Boolean):
        raise DataError(
            f"{place}: column '{shorten(values.name)}' holds {values.dtype}, expected numbers; say what it is: "
            f"columns: {{{shorten(values.name)}: category}}"
        )
    missing = values.null_count()
    numbers = values.cast(pl.Float64).drop_nulls()
    fill = {"median": numbers.median, "mean": numbers.mean, "zero": lambda: 0.0}[kind.missing]()  # type: ignore[no-untyped-call]
    # As the layers will have it: in float32.
    fill = float(np.float32(fill))  # type: ignore[arg-type]
    if missing:
        numbers = numbers.extend_constant(fill, missing)
    if kind.scale == "log":
        if numbers.min() <= -1:  # type: ignore[operator]
            raise DataError(
                f"{place}: column '{shorten(values.name)}' has values of -1 and less, of which there is no "
                "log(1 + x); use scale: standardize"
            )
        numbers = numbers.log1p()
    low, high = float(numbers.min()), float(numbers.max())  # type: ignore[arg-type]
    if high - low > LARGEST:
        raise DataError(
            f"{place}: column '{shorten(values.name)}' goes from {low:g} to {high:g}, which is too far for 32-bit "
            "numbers; give it in another unit"
        )
    mean, variance = 0.0, 1.0
    if low == high and kind.scale != "none":  # always the same, whatever rounding makes of the variance
        mean = low
    elif kind.scale in ("standardize", "log"):
        mean, variance = float(numbers.mean()), float(numbers.var(ddof=0) or 0)  # type: ignore[arg-type]
    elif kind.scale == "min_max":
        mean, variance = low, (high - low) ** 2
    return Numbers(
        columns=[values.name],
        log=kind.scale == "log",
        fill=[fill],
        flags=[0] if missing else [],
        mean=[mean],
        variance=[max(variance, SMALLEST)],
    )


def _fit_text(texts: polars.Series, kind: TextColumn, place: str) -> Text:
    settings = TextSettings(**{name: getattr(kind, name) for name in TextSettings.model_fields})
    layer = vectorization(settings)
    layer.adapt(np.asarray(texts.to_list(), dtype=object))
    vocabulary = layer.get_vocabulary(include_special_tokens=False)
    if not vocabulary:
        raise DataError(
            f"{place}: column '{shorten(texts.name)}' holds no words; write ignore: [{shorten(texts.name)}]"
        )
    idf = None
    if settings.output_mode == "tf_idf":
        idf = [float(one) for one in np.asarray(layer._lookup_layer.idf_weights)[1:][: len(vocabulary)]]
    return Text(column=texts.name, settings=settings, vocabulary=[str(one) for one in vocabulary], idf=idf)
