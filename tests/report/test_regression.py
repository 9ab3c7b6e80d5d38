"""The numbers about predicted numbers are scikit-learn's."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn import metrics

from nnrun.errors import DataError
from nnrun.report.regression import report_errors

Array = NDArray[Any]


def case(seed: int, columns: int | None, dtype: str = "float64") -> tuple[Array, Array]:
    generator = np.random.default_rng(seed)
    shape = (300,) if columns is None else (300, columns)
    targets = generator.normal(50, 10, shape)
    return targets.astype(dtype), (targets + generator.normal(1, 3, shape)).astype(dtype)


CASES = {
    "one number": case(0, None),
    "one column": case(1, 1),
    "three columns": case(2, 3),
    "float32": case(3, 2, "float32"),
    "whole numbers": (np.arange(1, 40), np.arange(1, 40)[::-1].copy()),
    "perfect": (np.arange(1.0, 9.0), np.arange(1.0, 9.0)),
    "constant": (np.full(9, 3.0), np.arange(9.0)),
    "constant and right": (np.full(9, 3.0), np.full(9, 3.0)),
}
each_case = pytest.mark.parametrize("pair", CASES.values(), ids=list(CASES))


@each_case
def test_errors_are_those_of_scikit_learn(pair: tuple[Array, Array]) -> None:
    report = report_errors(*pair)
    targets, predictions = (array.astype(float).reshape(len(array), -1) for array in pair)

    for index, errors in enumerate(report.columns):
        true, said = targets[:, index], predictions[:, index]
        assert errors.mae == pytest.approx(metrics.mean_absolute_error(true, said))
        assert errors.mse == pytest.approx(metrics.mean_squared_error(true, said))
        assert errors.rmse == pytest.approx(metrics.root_mean_squared_error(true, said))
        assert errors.r2 == pytest.approx(metrics.r2_score(true, said))
        assert errors.median_absolute_error == pytest.approx(metrics.median_absolute_error(true, said))
        assert errors.max_error == pytest.approx(metrics.max_error(true, said))
        assert errors.mape == pytest.approx(metrics.mean_absolute_percentage_error(true, said))


@each_case
def test_means_over_the_columns_are_those_of_scikit_learn(pair: tuple[Array, Array]) -> None:
    report = report_errors(*pair)
    targets, predictions = (array.astype(float) for array in pair)

    assert report.examples == len(targets)
    assert report.mae == pytest.approx(metrics.mean_absolute_error(targets, predictions))
    assert report.mse == pytest.approx(metrics.mean_squared_error(targets, predictions))
    assert report.rmse == pytest.approx(metrics.root_mean_squared_error(targets, predictions))
    assert report.r2 == pytest.approx(metrics.r2_score(targets, predictions))


def test_residual_quantiles_are_of_target_minus_prediction() -> None:
    (errors,) = report_errors(np.arange(101.0) + 5, np.zeros(101)).columns

    assert errors.residuals == {
        "0%": 5,
        "5%": 10,
        "25%": 30,
        "50%": 55,
        "75%": 80,
        "95%": 100,
        "100%": 105,
    }


def test_share_of_a_target_that_is_zero_is_not_defined() -> None:
    assert report_errors([0.0, 1.0], [1.0, 1.0]).columns[0].mape is None


def test_explained_variance_of_one_example_is_not_defined() -> None:
    report = report_errors([1.0], [2.0])

    assert report.columns[0].r2 is None and report.r2 is None


def test_constant_targets_whose_mean_is_rounded_are_constant() -> None:
    assert report_errors(np.full(3, 0.1), np.full(3, 0.2)).r2 == 0


def test_report_is_json_and_has_a_row_for_each_column() -> None:
    report = report_errors(*case(2, 3), names=["x", "y", "z"])

    assert [column["name"] for column in json.loads(json.dumps(report.plain()))["columns"]] == ["x", "y", "z"]
    assert [row["name"] for row in report.rows()] == ["x", "y", "z"]
    assert report.rows()[0]["residual 50%"] == report.columns[0].residuals["50%"]


def test_report_text_has_a_line_for_each_column_and_their_mean() -> None:
    text = report_errors([[1.0, 0.0], [3.0, 2.0]], [[2.0, 0.0], [3.0, 2.0]], ["width\n", "height"]).text()

    assert text.splitlines() == [
        "                 MAE         RMSE           R2 median error    max error         MAPE",
        "",
        r"width\n          0.5      0.70711          0.5          0.5            1       50.00%",
        " height            0            0            1            0            0            -",
        "",
        "   mean         0.25      0.35355         0.75",
    ]


@pytest.mark.parametrize(
    ("targets", "predictions", "names", "message"),
    [
        (
            [1.0, np.nan],
            [1.0, 2.0],
            None,
            "targets: expected finite numbers; found NaN or infinity in 1 of 2",
        ),
        ([1.0, 2.0], [1.0, np.inf], None, "first at example 1"),
        ([1.0, 2.0], [1.0], None, "expected predictions of the targets' shape (2, 1); found shape (1, 1)"),
        ([], [], None, "at least one; found float64 of shape (0,)"),
        ([["a"]], [[1]], None, "targets: expected numbers"),
        (np.zeros((2, 3, 4)), np.zeros((2, 3, 4)), None, "found float64 of shape (2, 3, 4)"),
        ([1.0], [2.0], ["a", "b"], "names: expected 1, one for each predicted number; found 2"),
    ],
)
def test_numbers_of_the_wrong_kind_are_refused(
    targets: Any, predictions: Any, names: Any, message: str
) -> None:
    with pytest.raises(DataError) as error:
        report_errors(targets, predictions, names)

    assert message in str(error.value)
