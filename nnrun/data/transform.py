"""Raw columns of a table made into the inputs of a model, by Keras layers in one compiled function."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from nnrun.data.columns import At
from nnrun.data.dates import derive
from nnrun.data.examples import aligned
from nnrun.data.preprocessing import Category, Numbers, Preprocessing, Text
from nnrun.errors import DataError
from nnrun.keras_backend import load_keras, load_tensorflow
from nnrun.spec.file_sources import TextSettings
from nnrun.spec.names import shorten

if TYPE_CHECKING:
    import polars

CHUNK_ROWS = 65_536
"""Rows that are transformed at a time: the memory in between stays small."""

UNKNOWN = "\ue000unknown"
"""Stands for what is in no vocabulary; Keras's own word for it may be a category."""


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
                refuse_infinite(at(row), step.columns[column])
            if step.log and (values <= -1).any():
                row, column = np.argwhere(values <= -1)[0].tolist()
                raise DataError(
                    f"{at(row)}, column '{shorten(step.columns[column])}': there is no log(1 + x) of "
                    f"{values[row, column]:g}; correct it, or train with scale: standardize"
                )
            yield raw, np.ascontiguousarray(values)
        else:
            texts = frame[step.column].cast(pl.String).fill_null("").to_list()
            yield raw, np.asarray(texts, dtype=object)[:, np.newaxis]


def refuse_infinite(where: str, column: str) -> NoReturn:
    """Refuse a value that is no 32-bit number.

    Raises:
        DataError: Its place.
    """
    raise DataError(
        f"{where}, column '{shorten(column)}': the value is infinite, or larger than 3.4e38; correct it, or leave it "
        "empty"
    )


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
        tokens = vectorization(step.settings, vocabulary=step.vocabulary, **idf)(tensor)
        return keras.ops.reshape(tokens, (-1, step.width))  # of a bag Keras tells another shape than it has
    ops = keras.ops
    missing = ops.isnan(tensor)
    filled = ops.where(missing, np.asarray(step.fill, "float32"), tensor)
    if step.log:
        filled = ops.log1p(filled)
    # Not Keras's Normalization: it takes every deviation below 1e-7 for that, and no variance above 3.4e38.
    scaled = (filled - np.asarray(step.mean, "float32")) / np.sqrt(step.variance).astype("float32")
    if not step.flags:
        return scaled
    flags = ops.cast(ops.take(missing, np.asarray(step.flags, "int32"), axis=1), "float32")
    return ops.concatenate([scaled, flags], axis=1)


def vectorization(settings: TextSettings, **vocabulary: Any) -> Any:
    """Keras's layer that makes texts into tokens."""
    return load_keras().layers.TextVectorization(
        max_tokens=settings.max_tokens,
        standardize=None if settings.standardize == "none" else settings.standardize,
        split=settings.split,
        ngrams=settings.ngrams,
        output_mode=settings.output_mode,
        output_sequence_length=settings.sequence_length if settings.output_mode == "int" else None,
        **vocabulary,
    )
