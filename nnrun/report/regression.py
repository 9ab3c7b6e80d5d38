"""How far predicted numbers are from the true ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nnrun.errors import DataError
from nnrun.spec.names import shorten

QUANTILES = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0)
LONGEST_NAME = 40

Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Errors:
    """How far off the predictions of one number are. In the unit of the target, where nothing else is said.

    Args:
        name: What is predicted.
        mae: Mean absolute error.
        mse: Mean squared error, in the unit's square.
        rmse: Its root.
        r2: The share of the variance that is explained; None for fewer than two examples. Of constant targets it
            is 1 where all is right, else 0.
        median_absolute_error: Half of the examples are nearer.
        max_error: The largest absolute error.
        mape: Mean absolute error as a share of the target; None where a target is 0.
        residuals: Quantiles of target - prediction, by their names: ``5%``.
    """

    name: str
    mae: float
    mse: float
    rmse: float
    r2: float | None
    median_absolute_error: float
    max_error: float
    mape: float | None
    residuals: dict[str, float]


@dataclass(frozen=True)
class RegressionReport:
    """The errors of all predicted numbers.

    Args:
        examples: How many were predicted.
        columns: The errors of each number.
        mae: The mean over the columns; so are those that follow. ``rmse`` is the mean of the roots.
    """

    examples: int
    columns: tuple[Errors, ...]
    mae: float
    mse: float
    rmse: float
    r2: float | None

    def plain(self) -> dict[str, Any]:
        """All of it in plain values."""
        return asdict(self)

    def rows(self) -> list[dict[str, Any]]:
        """A row for each predicted number; its quantiles are columns: ``residual 5%``."""
        return [
            {key: value for key, value in asdict(errors).items() if key != "residuals"}
            | {f"residual {name}": value for name, value in errors.residuals.items()}
            for errors in self.columns
        ]

    def text(self) -> str:
        """A table with a line for each predicted number."""
        names = [shorten(errors.name, LONGEST_NAME) for errors in self.columns]
        width = max(map(len, names))
        heads = ("MAE", "RMSE", "R2", "median error", "max error", "MAPE")
        lines = [" ".join([" " * width, *(f"{head:>12}" for head in heads)]), ""]
        for name, errors in zip(names, self.columns, strict=True):
            values = (errors.mae, errors.rmse, errors.r2, errors.median_absolute_error, errors.max_error)
            share = f"{errors.mape:.2%}" if errors.mape is not None else "-"
            lines.append(" ".join([f"{name:>{width}}", *map(_cell, values), f"{share:>12}"]))
        if len(names) > 1:
            lines += ["", " ".join([f"{'mean':>{width}}", *map(_cell, (self.mae, self.rmse, self.r2))])]
        return "\n".join(lines) + "\n"


def report_errors(
    targets: ArrayLike, predictions: ArrayLike, names: Sequence[str] | None = None
) -> RegressionReport:
    """Hold predicted numbers against the true ones.

    Args:
        targets: Numbers of shape (n,) or (n, k).
        predictions: As many.
        names: One for each of the k numbers; None: ``target``, or ``target 0``, ``target 1`` ...

    Raises:
        DataError: They do not fit each other, or are not finite.
    """
    true, said = check_numbers(targets, predictions)
    count = true.shape[1]
    if names is None:
        names = ["target"] if count == 1 else [f"target {index}" for index in range(count)]
    if len(names) != count:
        raise DataError(f"names: expected {count}, one for each predicted number; found {len(names)}")
    columns = tuple(_errors(str(name), true[:, index], said[:, index]) for index, name in enumerate(names))
    known = [errors.r2 for errors in columns if errors.r2 is not None]
    mae, mse, rmse = np.mean([(errors.mae, errors.mse, errors.rmse) for errors in columns], axis=0).tolist()
    return RegressionReport(len(true), columns, mae, mse, rmse, float(np.mean(known)) if known else None)


def check_numbers(targets: ArrayLike, predictions: ArrayLike) -> tuple[Numbers, Numbers]:
    """Targets and predictions as float64 of shape (n, k).

    Raises:
        DataError: They do not fit each other, or are not finite.
    """
    pair = []
    for name, values in (("targets", targets), ("predictions", predictions)):
        array = np.asarray(values)
        if array.dtype.kind not in "biuf" or array.ndim not in (1, 2) or 0 in array.shape:
            found = f"{array.dtype} of shape {array.shape}"
            raise DataError(f"{name}: expected numbers of shape (n,) or (n, k), at least one; found {found}")
        array = array.reshape(len(array), -1).astype(np.float64)
        finite = np.isfinite(array).all(axis=1)
        if not finite.all():
            raise DataError(
                f"{name}: expected finite numbers; found NaN or infinity in {int((~finite).sum())} of "
                f"{len(array)} examples, first at example {int(finite.argmin())}"
            )
        pair.append(array)
    true, said = pair
    if true.shape != said.shape:
        raise DataError(f"expected predictions of the targets' shape {true.shape}; found shape {said.shape}")
    return true, said


def _errors(name: str, true: Numbers, said: Numbers) -> Errors:
    residuals = true - said
    distances = np.abs(residuals)
    squared = float(np.mean(residuals**2))
    quantiles = np.quantile(residuals, QUANTILES)
    return Errors(
        name=name,
        mae=float(distances.mean()),
        mse=squared,
        rmse=float(np.sqrt(squared)),
        r2=_r2(true, residuals),
        median_absolute_error=float(np.median(distances)),
        max_error=float(distances.max()),
        mape=float(np.mean(distances / np.abs(true))) if true.all() else None,
        residuals={f"{q:.0%}": float(value) for q, value in zip(QUANTILES, quantiles, strict=True)},
    )


def _r2(true: Numbers, residuals: Numbers) -> float | None:
    if len(true) < 2:
        return None
    if true.min() == true.max():  # the mean of equal numbers can be rounded: their variance is not always 0
        return float(not residuals.any())
    return 1 - float(np.sum(residuals**2) / np.sum((true - true.mean()) ** 2))


def _cell(value: float | None) -> str:
    return f"{'-' if value is None else format(value, '.5g'):>12}"
