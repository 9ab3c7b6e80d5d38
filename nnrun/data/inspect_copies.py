"""Columns that give the target away."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnrun.data.inspect_table import EXACT_DISTINCT, Rows
from nnrun.data.inspect_views import Column

LEAST_ROWS = 20
"""With fewer rows a column fits the target by chance."""

ROWS_OF_A_VALUE = 10
"""So many rows a value has on average, from which on it is no chance that all of them have one target."""

LINEAR = 1 - 1e-9
"""A correlation from which on two columns of numbers are the same but for scale and shift."""

MOSTLY_THERE = 0.5


def find_copies(rows: Rows, columns: Sequence[Column], y: NDArray[Any], *, classes: bool) -> dict[str, str]:
    """Columns from which the target can be read off.

    Args:
        rows: Of all parts.
        columns: What is known of them.
        y: The targets: class indices of shape (n,), or numbers of shape (n,) or (n, k).
        classes: Whether they are classes.

    Returns:
        For each such column ``copy``: the target under other names, or ``tells``: each of its values has one target.
    """
    if len(y) < LEAST_ROWS or len(columns) < 2:  # a single column is all that there is to learn from
        return {}
    found = {}
    for column in columns:
        if column.missing > MOSTLY_THERE * column.rows or column.distinct < 2:
            continue
        verdict = _compare_classes(rows, column, y) if classes else _compare_numbers(rows, column, y)
        if verdict:
            found[column.name] = verdict
    return found


def _compare_classes(rows: Rows, column: Column, y: NDArray[Any]) -> str | None:
    import polars as pl

    there = column.rows - column.missing
    if column.distinct > min(EXACT_DISTINCT, there / ROWS_OF_A_VALUE):
        return None
    pairs = pl.DataFrame([rows.frame[column.name].alias("value"), pl.Series("target", y)]).drop_nulls("value")
    if pairs.n_unique() > column.distinct:
        return None
    return "copy" if pairs["target"].n_unique() == column.distinct else "tells"


def _compare_numbers(rows: Rows, column: Column, y: NDArray[Any]) -> str | None:
    import polars as pl

    if column.kind not in ("number", "boolean") or column.infinite or not column.deviation:
        return None
    values = rows.frame[column.name].cast(pl.Float64).to_numpy()
    there = np.isfinite(values)
    values = values[there] - column.mean
    for target in y[there].reshape(len(values), -1).T.astype(np.float64):
        centred = target - target.mean()
        size = float(np.sqrt((values**2).sum() * (centred**2).sum()))
        if size and abs(float((values * centred).sum())) > LINEAR * size:
            return "copy"
    return None
