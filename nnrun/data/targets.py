"""What is to be predicted: classes with their names, or numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nnrun.errors import DataError
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
        classes: The classes by their texts, in the order of their indices; None for numbers.
    """

    columns: list[str]
    classes: list[str] | None = None


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
        found[name] = of_class if is_class(name, columns, sample, kinds, losses) else pl.Float32
    return found


def target_types_of(targets: Targets) -> dict[str, Any]:
    """The same for targets that are known."""
    import polars as pl

    return dict.fromkeys(targets.columns, pl.Float32 if targets.classes is None else pl.String)


def is_class(
    name: str, columns: list[str], sample: polars.DataFrame, kinds: dict[str, Section], losses: Losses
) -> bool:
    """Whether a target holds classes: by what the specification says of it, its look, and the loss."""
    import polars as pl

    if len(columns) > 1:
        return False
    if name in kinds:
        return type(kinds[name]).__name__ == "CategoryColumn"
    looks = sample.schema[name]
    if looks.is_numeric():
        values = sample[name].drop_nulls()
        return wants_classes(losses) and (looks.is_integer() or bool((values == values.round()).all()))
    return looks != pl.Null


def fit_targets(frame: polars.DataFrame, columns: list[str], place: str) -> Targets:
    """Learn the classes of a target, or find that it is made of numbers.

    Raises:
        DataError: There is one class only, or so many that the column must be an identifier.
    """

    if frame.schema[columns[0]].is_float():
        return Targets(columns=columns)
    values = frame[columns[0]].drop_nulls()
    classes = sort_classes([str(one) for one in values.unique().to_list()])
    name = shorten(columns[0])
    if len(classes) < 2:
        raise DataError(
            f"{place}: the target '{name}' has the same value in all rows ({shorten(repr(classes[0]))}); "
            "there is nothing to tell apart"
            if classes
            else f"{place}: the target '{name}' has no value in any row"
        )
    if len(classes) > max(MOST_CLASSES_OF_FEW, values.len() / LEAST_EXAMPLES_OF_A_CLASS):
        raise DataError(
            f"{place}: the target '{name}' has {len(classes):,} different values in {values.len():,} rows. Is it an "
            "identifier? For a number to predict use a loss such as mse"
        )
    return Targets(columns=columns, classes=classes)


def sort_classes(texts: list[str]) -> list[str]:
    """Classes in the order of their indices: numbers by value, texts by letter."""
    try:
        return sorted(texts, key=float)
    except ValueError:
        return sorted(texts)


def encode_targets(targets: Targets, frame: polars.DataFrame, place: str) -> NDArray[Any]:
    """The targets as numbers.

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
            row = int(values.is_null().arg_max() or 0)
            raise DataError(
                f"{place}: row {row + 1:,} has no value in the target '{shorten(name)}' "
                f"({values.null_count():,} rows in all); remove them, or fill them in"
            )
    if targets.classes is None:
        y = frame.select(pl.col(targets.columns).cast(pl.Float32)).to_numpy()
        if not np.isfinite(y).all():
            row, column = np.argwhere(~np.isfinite(y))[0].tolist()
            raise DataError(
                f"{place}: row {row + 1:,}: the target '{shorten(targets.columns[column])}' is infinite"
            )
        return np.ascontiguousarray(y[:, 0] if y.shape[1] == 1 else y)
    (name,) = targets.columns
    codes = _codes(frame[name], targets.classes)
    if codes.null_count():
        row = int(codes.is_null().arg_max() or 0)
        found = shorten(repr(frame[name][row]))
        raise DataError(
            f"{place}: row {row + 1:,}: {found} is no class of the target '{shorten(name)}'; "
            f"the classes are {listed([shorten(one) for one in targets.classes])}"
        )
    return codes.to_numpy().astype(np.int32)


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
