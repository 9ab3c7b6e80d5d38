"""From the columns of a table to the inputs of a model: fitted on training rows, applied by Keras layers.

What was learned (means, medians, vocabularies) is plain data that is kept with the run; the layers are made from it,
so that training, evaluation and prediction on new files go the same way.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal, NoReturn

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from nnrun.data.columns import At, Columns
from nnrun.data.examples import aligned
from nnrun.errors import DataError
from nnrun.keras_backend import load_keras, load_tensorflow
from nnrun.spec.file_sources import CategoryColumn, DateColumn, NumberColumn, TextColumn, TextSettings
from nnrun.spec.names import shorten
from nnrun.spec.schema import Section

if TYPE_CHECKING:
    import polars

CHUNK_ROWS = 65_536
"""Rows that are transformed at a time: the memory in between stays small."""

UNKNOWN = "\ue000unknown"
"""Stands for what is in no vocabulary; Keras's own word for it may be a category."""


class Numbers(Section):
    """Columns of numbers side by side: filled, perhaps log(1 + x), then ``(x - mean) / sqrt(variance)``.

    Args:
        columns: k of them.
        log: Whether log(1 + x) is taken.
        fill: What stands for a missing value in each.
        flags: Indices of the columns in which values are missing; each gets a column of zeros and ones.
        mean: Is subtracted.
        variance: By its root is divided.
    """

    kind: Literal["numbers"] = "numbers"
    columns: list[str]
    log: bool
    fill: list[float]
    flags: list[int]
    mean: list[float]
    variance: list[float]

    @property
    def width(self) -> int:
        return len(self.columns) + len(self.flags)


class Category(Section):
    """A column of categories: one-hot, or the index for an Embedding; the first place is for unknown ones."""

    kind: Literal["category"] = "category"
    column: str
    encode: Literal["one_hot", "index"]
    vocabulary: list[str]

    @property
    def width(self) -> int:
        return 1 if self.encode == "index" else len(self.vocabulary) + 1


class Text(Section):
    """A column of texts as tokens."""

    kind: Literal["text"] = "text"
    column: str
    settings: TextSettings
    vocabulary: list[str]
    idf: list[float] | None = None

    @property
    def width(self) -> int:
        bag = len(self.vocabulary) + 1
        return self.settings.sequence_length if self.settings.output_mode == "int" else bag


Step = Annotated[Numbers | Category | Text, Field(discriminator="kind")]


def is_index(step: Numbers | Category | Text) -> bool:
    """Whether a step gives whole numbers, which an Embedding takes."""
    if isinstance(step, Category):
        return step.encode == "index"
    return isinstance(step, Text) and step.settings.output_mode == "int"


class Preprocessing(Section):
    """How the columns of a table become the inputs of a model.

    Args:
        inputs: For each input what stands in it, side by side.
        dates: The columns of dates and what becomes of them.
        booleans: The columns that hold truth values.
    """

    inputs: dict[str, list[Step]]
    dates: dict[str, DateColumn] = Field(default={})
    booleans: list[str] = Field(default=[])

    def shape(self, name: str) -> tuple[int, ...]:
        """The shape of one example in an input."""
        return (sum(step.width for step in self.inputs[name]),)

    def dtype(self, name: str) -> str:
        """``int32`` for indices, else ``float32``."""
        return "int32" if is_index(self.inputs[name][0]) else "float32"

    def columns(self) -> dict[str, Any]:
        """The raw columns that are needed, each with its polars type; None for a date as it is."""
        import polars as pl

        found: dict[str, Any] = {}
        for steps in self.inputs.values():
            for step in steps:
                if isinstance(step, Numbers):
                    found |= dict.fromkeys(step.columns, pl.Float32)
                else:
                    found[step.column] = pl.String
        derived = {part_name(column, part) for column, date in self.dates.items() for part in date.parts}
        found = {name: kind for name, kind in found.items() if name not in derived}
        found |= {name: pl.String if date.format else None for name, date in self.dates.items()}
        return found | {name: pl.Boolean for name in self.booleans if name in found}

    def feature_names(self, name: str) -> list[str]:
        """What each number of an input is called, such as ``age`` or ``city=Bonn``."""
        names: list[str] = []
        for step in self.inputs[name]:
            if isinstance(step, Numbers):
                names += [*step.columns, *(f"{step.columns[flag]} is missing" for flag in step.flags)]
            elif isinstance(step, Category) and step.encode == "one_hot":
                names += [f"{step.column} unknown", *(f"{step.column}={one}" for one in step.vocabulary)]
            else:
                names += [step.column] * step.width
        return names


def part_name(column: str, part: str) -> str:
    """The name of a date's part as a column of numbers."""
    return f"{column}.{part}"


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
            _refuse_infinite(at(row) if at else f"{place}, row {row + 1:,}", values.name)
        return _fit_numbers(learned, kind, place)
    texts = learned.cast(pl.String)
    if isinstance(kind, CategoryColumn):
        counts = texts.fill_null("").value_counts(sort=False)
        counts = counts.sort(["count", values.name], descending=[True, False]).head(kind.max_categories)
        return Category(
            column=values.name, encode=kind.encode, vocabulary=sorted(counts[values.name].to_list())
        )
    if isinstance(kind, TextColumn):
        return _fit_text(texts.fill_null(""), kind)
    raise TypeError(f"no kind of column {kind!r}")


def _refuse_infinite(where: str, column: str) -> NoReturn:
    raise DataError(
        f"{where}, column '{shorten(column)}': the value is infinite, or larger than 3.4e38; correct it, or leave it "
        "empty"
    )


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
    mean, variance = 0.0, 1.0
    if kind.scale in ("standardize", "log"):
        mean, variance = float(numbers.mean()), float(numbers.var(ddof=0) or 0)  # type: ignore[arg-type]
    elif kind.scale == "min_max":
        low, high = float(numbers.min()), float(numbers.max())  # type: ignore[arg-type]
        mean, variance = low, (high - low) ** 2
    return Numbers(
        columns=[values.name],
        log=kind.scale == "log",
        fill=[fill],
        flags=[0] if missing else [],
        mean=[mean],
        variance=[variance or 1.0],  # a column that is always the same
    )


def _fit_text(texts: polars.Series, kind: TextColumn) -> Text:
    settings = TextSettings(**{name: getattr(kind, name) for name in TextSettings.model_fields})
    layer = _vectorization(settings)
    layer.adapt(np.asarray(texts.to_list(), dtype=object))
    vocabulary = layer.get_vocabulary(include_special_tokens=False)
    idf = None
    if settings.output_mode == "tf_idf":
        idf = [float(one) for one in np.asarray(layer._lookup_layer.idf_weights)[1:][: len(vocabulary)]]
    return Text(column=texts.name, settings=settings, vocabulary=[str(one) for one in vocabulary], idf=idf)


def _vectorization(settings: TextSettings, **vocabulary: Any) -> Any:
    return load_keras().layers.TextVectorization(
        max_tokens=settings.max_tokens,
        standardize=None if settings.standardize == "none" else settings.standardize,
        split=settings.split,
        ngrams=settings.ngrams,
        output_mode=settings.output_mode,
        output_sequence_length=settings.sequence_length if settings.output_mode == "int" else None,
        **vocabulary,
    )


@dataclass(frozen=True)
class Transform:
    """Preprocessing as Keras layers in one compiled function.

    Args:
        preprocessing: What was fitted.
        function: From raw columns to inputs.
    """

    preprocessing: Preprocessing
    function: Any

    @classmethod
    def of(cls, preprocessing: Preprocessing) -> Transform:
        """Make the layers."""
        tf = load_tensorflow()
        model = build(preprocessing)
        return cls(preprocessing, tf.function(model, autograph=False, reduce_retracing=True))

    def apply(
        self,
        frame: polars.DataFrame,
        rows: NDArray[Any] | None,
        place: str,
        first: int = 0,
        at: At | None = None,
    ) -> dict[str, NDArray[Any]]:
        """Transform rows of a table.

        Args:
            frame: The raw columns.
            rows: Which, in their order; None for all.
            place: What to call the table in messages.
            first: The number of the table's first row, for messages.
            at: Says where a row stands.

        Returns:
            For each input an array of shape (n, width).

        Raises:
            DataError: A number is infinite; with its row and column.
        """
        count = frame.height if rows is None else len(rows)
        shapes = {name: self.preprocessing.shape(name) for name in self.preprocessing.inputs}
        where = at or (lambda row: f"{place}, row {row + 1:,}")
        found = {name: aligned((count, *shapes[name]), self.preprocessing.dtype(name)) for name in shapes}
        for begin in range(0, count, CHUNK_ROWS):
            end = min(begin + CHUNK_ROWS, count)
            part = frame[begin:end] if rows is None else frame[rows[begin:end]]
            numbers = np.arange(begin, end) if rows is None else rows[begin:end]
            for name, values in self._chunk(part, numbers + first, place, where).items():
                found[name][begin:end] = values
        return found

    def _chunk(self, frame: polars.DataFrame, numbers: NDArray[Any], place: str, at: At) -> dict[str, Any]:
        frame = derive(frame, self.preprocessing.dates, place, lambda row: at(int(numbers[row])))
        raw = dict(raw_arrays(self.preprocessing, frame, lambda row: at(int(numbers[row]))))
        tf = load_tensorflow()
        given = self.function({name: tf.constant(array) for name, array in raw.items()})
        return {name: tensor.numpy() for name, tensor in given.items()}


def raw_arrays(
    preprocessing: Preprocessing, frame: polars.DataFrame, at: At
) -> Iterator[tuple[str, NDArray[Any]]]:
    """What the layers are given: numbers as float32 of shape (n, k), NaN where missing; texts of shape (n, 1)."""
    import polars as pl

    for index, step in enumerate(itertools.chain(*preprocessing.inputs.values())):
        raw = f"raw_{index}"
        if isinstance(step, Numbers):
            values = frame.select(pl.col(step.columns).cast(pl.Float32)).to_numpy(order="c")
            if np.isinf(values).any():
                row, column = np.argwhere(np.isinf(values))[0].tolist()
                _refuse_infinite(at(row), step.columns[column])
            yield raw, np.ascontiguousarray(values)
        else:
            texts = frame[step.column].cast(pl.String).fill_null("").to_list()
            yield raw, np.asarray(texts, dtype=object)[:, np.newaxis]


def build(preprocessing: Preprocessing) -> Any:
    """The layers as one Keras model from raw columns to inputs."""
    keras = load_keras()
    raw: dict[str, Any] = {}
    given: dict[str, Any] = {}
    for name, steps in preprocessing.inputs.items():
        parts = []
        for step in steps:
            numbers = isinstance(step, Numbers)
            tensor = keras.Input(
                (len(step.columns) if isinstance(step, Numbers) else 1,),
                dtype="float32" if numbers else "string",
                name=f"raw_{len(raw)}",
            )
            raw[tensor.name] = tensor
            parts.append(_layers(step, tensor))
        joined = keras.ops.concatenate(parts, axis=1) if len(parts) > 1 else parts[0]
        given[name] = keras.ops.cast(joined, preprocessing.dtype(name))
    return keras.Model(raw, given)


def _layers(step: Numbers | Category | Text, tensor: Any) -> Any:
    keras = load_keras()
    if isinstance(step, Category):
        lookup = keras.layers.StringLookup(
            vocabulary=step.vocabulary,
            output_mode="one_hot" if step.encode == "one_hot" else "int",
            oov_token=UNKNOWN,
        )
        return lookup(tensor)
    if isinstance(step, Text):
        idf = {} if step.idf is None else {"idf_weights": step.idf}
        tokens = _vectorization(step.settings, vocabulary=step.vocabulary, **idf)(tensor)
        return keras.ops.reshape(tokens, (-1, step.width))  # of a bag Keras tells another shape than it has
    ops = keras.ops
    missing = ops.isnan(tensor)
    filled = ops.where(missing, np.asarray(step.fill, "float32"), tensor)
    if step.log:
        filled = ops.log1p(filled)
    scaled = keras.layers.Normalization(axis=-1, mean=step.mean, variance=step.variance)(filled)
    if not step.flags:
        return scaled
    flags = ops.cast(ops.take(missing, np.asarray(step.flags, "int32"), axis=1), "float32")
    return ops.concatenate([scaled, flags], axis=1)
