"""What an array of targets stands for: classes by their numbers, texts or one-hot rows, or numbers to predict."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nnrun.data.targets import Targets, encode_targets, fit_targets, wants_classes
from nnrun.errors import DataError
from nnrun.spec.schema import Losses

if TYPE_CHECKING:
    import polars

COLUMN = "y"


def fit_array_targets(y: NDArray[Any], losses: Losses, place: str) -> Targets:
    """Learn the classes of an array, or find that it is made of numbers.

    Texts are classes; whole numbers and one-hot rows are where the loss is one for classes.

    Args:
        y: Of shape (n,) or (n, k).
        losses: Of the training.
        place: What to call the array in messages.

    Raises:
        DataError: It has more dimensions, or one class only.
    """
    y = _column(y, place)
    if y.ndim == 2:
        if y.dtype.kind in "biuf" and wants_classes(losses) and _odd_row(y) is None:
            return Targets(columns=[COLUMN], classes=[str(index) for index in range(y.shape[1])])
        return Targets(columns=[COLUMN])
    if y.dtype.kind in "SU" or (wants_classes(losses) and _are_whole(y)):
        return fit_targets(_texts(y, place), [COLUMN], place)
    return Targets(columns=[COLUMN])


def encode_array(targets: Targets, y: NDArray[Any], place: str) -> NDArray[Any]:
    """The targets as numbers.

    Returns:
        Class indices, int32 of shape (n,); or numbers, float32 of shape (n,) or (n, k).

    Raises:
        DataError: A target is of an unknown class, no one-hot row, or not finite; with its row.
    """
    y = _column(y, place)
    if targets.classes is None:
        return _numbers(y, place)
    if y.ndim == 1:
        return encode_targets(targets, _texts(y, place), place)
    if y.shape[1] != len(targets.classes):
        raise DataError(
            f"{place}: expected one-hot rows of {len(targets.classes)} numbers, found shape {y.shape}"
        )
    row = _odd_row(y)
    if row is not None:
        raise DataError(
            f"{place}: row {row + 1:,} is not one-hot: expected a single 1 among zeros, as in the training part"
        )
    return np.asarray(y.argmax(axis=1), np.int32)


def _column(y: NDArray[Any], place: str) -> NDArray[Any]:
    """Targets of shape (n,) or (n, k); a single column loses its dimension."""
    if y.ndim > 2:
        raise DataError(
            f"{place}: expected targets of shape (n,) or (n, k), found {y.shape}; for a model that gives its own "
            "inputs back use data.target: inputs"
        )
    return y[:, 0] if y.ndim == 2 and y.shape[1] == 1 else y


def _odd_row(y: NDArray[Any]) -> int | None:
    """The first row that is not one-hot; None where all are."""
    ones = y == 1
    odd = (ones.sum(axis=1) != 1) | ~(ones | (y == 0)).all(axis=1)
    return int(odd.argmax()) if odd.any() else None


def _are_whole(y: NDArray[Any]) -> bool:
    return y.dtype.kind in "biu" or (y.dtype.kind == "f" and bool((np.isfinite(y) & (y == y.round())).all()))


def _texts(y: NDArray[Any], place: str) -> polars.DataFrame:
    """Classes by their texts."""
    import polars as pl

    if y.dtype.kind == "S":
        try:
            y = np.char.decode(y, "utf-8")
        except UnicodeDecodeError as error:
            raise DataError(
                f"{place}: a text is not UTF-8 ({error.reason}); save texts as str, not as bytes"
            ) from None
    if y.dtype.kind == "U":
        return pl.DataFrame({COLUMN: pl.Series(y.tolist(), dtype=pl.String)})
    if not _are_whole(y):
        odd = y.astype(np.float64)
        row = int((~np.isfinite(odd) | (odd != odd.round())).argmax())
        raise DataError(f"{place}: row {row + 1:,}: expected a class, found {y[row]:g}")
    whole = y.astype(y.dtype if y.dtype.kind == "u" else np.int64)
    return pl.DataFrame({COLUMN: pl.Series(whole).cast(pl.String)})


def _numbers(y: NDArray[Any], place: str) -> NDArray[np.float32]:
    if y.dtype.kind not in "biuf":
        raise DataError(f"{place}: expected numbers, found {y.dtype}")
    with np.errstate(over="ignore"):
        numbers = np.array(y, np.float32, order="C")
    wrong = ~np.isfinite(numbers).reshape(len(numbers), -1).all(axis=1)
    if wrong.any():
        row = int(wrong.argmax())
        raise DataError(
            f"{place}: row {row + 1:,}: the target is NaN, infinite or too large; correct it, or remove the row"
        )
    return numbers
