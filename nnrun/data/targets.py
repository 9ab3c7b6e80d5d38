"""What is to be predicted: classes with their names, or numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from nnrun.errors import DataError
from nnrun.spec.file_sources import CategoryColumn
from nnrun.spec.names import fold, listed, shorten
from nnrun.spec.schema import Choice, Losses, Section

if TYPE_CHECKING:
    import polars

MOST_CLASSES_OF_FEW = 100
"""So many classes are believed whatever the number of examples."""

LEAST_EXAMPLES_OF_A_CLASS = 3
"""On average; with fewer the target is taken for an identifier."""


class Targets(Section):
    """What is to be predicted.

    Args:
        columns: Its columns.
        classes: The classes by their texts, in the order of their indices; None for numbers, and for several columns.
        by_column: Of several columns those that hold classes, with their classes.
    """

    columns: list[str]
    classes: list[str] | None = Field(default=None, min_length=1)
    by_column: dict[str, list[str]] = Field(default={})

    @model_validator(mode="after")
    def _check(self) -> Targets:
        if len(set(self.columns)) < len(self.columns) or len(set(self.classes or ())) < len(
            self.classes or ()
        ):
            raise ValueError("a column or a class stands twice")
        if (self.classes and len(self.columns) > 1) or not set(self.by_column) <= set(self.columns):
            raise ValueError("expected classes of one column, or by_column for columns of several")
        return self

    def counts(self) -> dict[str, int | None]:
        """Of several columns the number of classes of each, None for numbers; empty for one column."""
        if len(self.columns) < 2:
            return {}
        return {name: len(self.by_column[name]) if name in self.by_column else None for name in self.columns}


def wants_classes(losses: Losses) -> bool:
    """Whether a loss is one for classes: then whole numbers are classes and no amounts."""
    chosen = [losses] if isinstance(losses, Choice) else list(losses.values())
    return all("crossentropy" in fold(one.name) or fold(one.name) in ("circle", "ctc") for one in chosen)


def target_types(
    columns: list[str], sample: polars.DataFrame, kinds: dict[str, Section], losses: Losses
) -> Any:
    """The polars type in which each target column is read."""
    import polars as pl

    found = {}
    for name in columns:
        looks = sample.schema[name]
        of_class = pl.Int64 if looks.is_integer() and name not in kinds else pl.String
        of_number = pl.Boolean if looks == pl.Boolean else pl.Float32
        found[name] = of_class if is_class(name, columns, sample, kinds, losses) else of_number
    return found


def target_types_of(targets: Targets) -> dict[str, Any]:
    """The same for targets that are known."""
    import polars as pl

    if targets.classes is not None:
        whole = all(one.lstrip("-").isdecimal() and str(int(one)) == one for one in targets.classes)
        return dict.fromkeys(targets.columns, pl.Int64 if whole else pl.String)
    return {name: pl.String if name in targets.by_column else pl.Float32 for name in targets.columns}


def is_class(
    name: str, columns: list[str], sample: polars.DataFrame, kinds: dict[str, Section], losses: Losses
) -> bool:
    """Whether a target holds classes: by what the specification says of it, its look, and the loss."""
    import polars as pl

    if name in kinds:
        return isinstance(kinds[name], CategoryColumn)
    looks = sample.schema[name]
    if len(columns) > 1:  # one loss for all of them is for several labels of 0 and 1, or for several amounts
        if looks.is_numeric() or looks == pl.Boolean:
            return isinstance(losses, dict) and name in losses and wants_classes(losses[name])
        return looks != pl.Null
    if looks.is_numeric():
        values = sample[name].drop_nulls()
        return wants_classes(losses) and (looks.is_integer() or bool((values == values.round()).all()))
    return looks != pl.Null


def fit_targets(frame: polars.DataFrame, columns: list[str], place: str) -> Targets:
    """Learn the classes of a target, or find that it is made of numbers.

    Raises:
        DataError: There is one class only, or so many that the column must be an identifier.
    """
    import polars as pl

    numbers = [name for name in columns if frame.schema[name].is_float() or frame.schema[name] == pl.Boolean]
    found = {name: find_classes(frame[name], place) for name in columns if name not in numbers}
    if len(columns) > 1:
        return Targets(columns=columns, by_column=found)
    return Targets(columns=columns, classes=found.get(columns[0]))


def find_classes(column: polars.Series, place: str) -> list[str]:
    """The classes in a column.

    Raises:
        DataError: There is one class only, or so many that the column must be an identifier.
    """
    values = column.drop_nulls()
    name, distinct = shorten(column.name), values.n_unique()
    if distinct < 2:
        raise DataError(
            f"{place}: the target '{name}' has the same value in all rows ({shorten(repr(str(values[0])))}); "
            "there is nothing to tell apart"
            if distinct
            else f"{place}: the target '{name}' has no value in any row"
        )
    if distinct > max(MOST_CLASSES_OF_FEW, values.len() / LEAST_EXAMPLES_OF_A_CLASS):
        raise DataError(
            f"{place}: the target '{name}' has {distinct:,} different values in {values.len():,} rows. Is it an "
            "identifier? For a number to predict use a loss such as mse"
        )
    return sort_classes([str(one) for one in values.unique().to_list()])


def refuse_constants(y: NDArray[Any], targets: Targets, place: str) -> None:
    """Refuse numbers to predict that are always the same.

    Raises:
        DataError: The column.
    """
    if targets.classes is not None or len(y) < 2:
        return
    for index, values in enumerate(y.reshape(len(y), -1).T):
        if (values == values[0]).all():
            name = shorten(targets.columns[index % len(targets.columns)])
            raise DataError(
                f"{place}: the target '{name}' is the same in all rows ({values[0]:g}); there is nothing to learn"
            )


def sort_classes(texts: list[str]) -> list[str]:
    """Classes in the order of their indices: numbers by value, texts by letter."""
    try:
        return sorted(texts, key=float)
    except ValueError:
        return sorted(texts)


def encode_targets(
    targets: Targets, frame: polars.DataFrame, place: str, at: Callable[[int], str] | None = None
) -> NDArray[Any]:
    """The targets as numbers.

    Args:
        targets: What they are.
        frame: Their columns.
        place: What to call the table in messages.
        at: Says where a row stands.

    Returns:
        Class indices, int32 of shape (n,); or numbers, float32 of shape (n,), or (n, k) for several columns.

    Raises:
        DataError: A target is missing, infinite, or of an unknown class; with its row.
    """
    import polars as pl

    for name in targets.columns:
        values = frame[name]
        if values.dtype.is_float():
            values = values.fill_nan(None)
        if values.null_count():
            where = _where(int(values.is_null().arg_max() or 0), place, at)
            rows = values.null_count()
            more = f" ({rows:,} rows in all)" if rows > 1 else ""
            raise DataError(
                f"{where} has no value in the target '{shorten(name)}'{more}; remove it, or fill it in"
            )
    if targets.classes is None:
        columns = [
            _indices(frame[name], targets.by_column[name], place, at)
            if name in targets.by_column
            else frame[name]
            for name in targets.columns
        ]
        y = pl.DataFrame(columns).select(pl.all().cast(pl.Float32)).to_numpy()
        if not np.isfinite(y).all():
            row, column = np.argwhere(~np.isfinite(y))[0].tolist()
            name = shorten(targets.columns[column])
            raise DataError(
                f"{_where(row, place, at)}: the target '{name}' is infinite, or larger than 3.4e38"
            )
        return np.ascontiguousarray(y[:, 0] if y.shape[1] == 1 else y)
    return _indices(frame[targets.columns[0]], targets.classes, place, at).to_numpy().astype(np.int32)


def _indices(
    values: polars.Series, classes: list[str], place: str, at: Callable[[int], str] | None
) -> polars.Series:
    """The index of each value among the classes.

    Raises:
        DataError: A value is none of them; with its row.
    """
    codes = _codes(values, classes)
    if codes.null_count():
        row = int(codes.is_null().arg_max() or 0)
        raise DataError(
            f"{_where(row, place, at)}: {shorten(repr(values[row]))} is no class of the target "
            f"'{shorten(values.name)}'; the classes are {listed([shorten(one) for one in classes])}"
        )
    return codes


def _where(row: int, place: str, at: Callable[[int], str] | None) -> str:
    return at(row) if at else f"{place}: row {row + 1:,}"


def _codes(values: polars.Series, classes: list[str]) -> polars.Series:
    """The index of each value among the classes; missing where it is none of them."""
    import polars as pl

    if values.dtype.is_integer():
        known: list[Any] = [int(one) for one in classes if one.lstrip("-").isdecimal()]
        indices = [index for index, one in enumerate(classes) if one.lstrip("-").isdecimal()]
        return values.replace_strict(known, indices, default=None, return_dtype=pl.Int32)
    return values.cast(pl.String).replace_strict(
        classes, list(range(len(classes))), default=None, return_dtype=pl.Int32
    )


def refuse_lonely_classes(y: NDArray[Any], targets: Targets, place: str) -> None:
    """Refuse a class of one example where some are held out: it cannot be both learned from and tested.

    Raises:
        DataError: Its row.
    """
    if targets.classes is None:
        return
    counts = np.bincount(y, minlength=len(targets.classes))
    lonely = np.flatnonzero(counts == 1)
    if len(lonely):
        row = int(np.flatnonzero(y == lonely[0])[0])
        more = f" (and {len(lonely) - 1} classes more)" if len(lonely) > 1 else ""
        raise DataError(
            f"{place}: the class {shorten(repr(targets.classes[lonely[0]]))} has one example only, row {row + 1:,}"
            f"{more}; it cannot be both learned from and tested: add examples, or remove the row"
        )
