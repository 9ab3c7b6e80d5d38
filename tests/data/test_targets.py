"""Classes and numbers to predict: told apart, ordered, encoded, refused."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import polars as pl
import pytest
from pydantic import ValidationError

from nnrun.data.targets import (
    Targets,
    encode_targets,
    fit_targets,
    refuse_constants,
    refuse_lonely_classes,
    sort_classes,
    target_types,
    target_types_of,
)
from nnrun.errors import DataError
from nnrun.spec.file_sources import CategoryColumn, NumberColumn
from nnrun.spec.schema import Choice

CLASSES, NUMBERS = Choice("sparse_categorical_crossentropy"), Choice("mean_squared_error")


def read_as(values: Any, loss: Choice, kinds: Any = None) -> Any:
    return target_types(["y"], pl.DataFrame({"y": values}), kinds or {}, loss)["y"]


@pytest.mark.parametrize(
    ("values", "loss", "kind"),
    [
        ([0, 1], CLASSES, pl.Int64),
        ([0, 1], NUMBERS, pl.Float32),
        ([0.0, 1.0], CLASSES, pl.String),
        ([0.5, 1.0], CLASSES, pl.Float32),
        (["a", "b"], CLASSES, pl.String),
        (["a", "b"], NUMBERS, pl.String),
        ([True, False], CLASSES, pl.String),
    ],
)
def test_target_is_read_as_its_look_and_the_loss_say(values: Any, loss: Choice, kind: Any) -> None:
    assert read_as(values, loss) == kind


def test_target_is_read_as_the_specification_says() -> None:
    assert read_as([1, 2], NUMBERS, {"y": CategoryColumn()}) == pl.String
    assert read_as([1, 2], CLASSES, {"y": NumberColumn()}) == pl.Float32


@pytest.mark.parametrize(
    ("texts", "ordered"),
    [
        (["10", "9", "-1"], ["-1", "9", "10"]),
        (["1.5", "1e1", "2"], ["1.5", "2", "1e1"]),
        (["b", "a", "B"], ["B", "a", "b"]),
        (["10", "9", "x"], ["10", "9", "x"]),
    ],
)
def test_classes_are_ordered_as_numbers_where_they_are_numbers(texts: list[str], ordered: list[str]) -> None:
    assert sort_classes(texts) == ordered


@pytest.mark.parametrize("kind", [pl.Int64, pl.String])
def test_classes_are_encoded_by_their_order(kind: Any) -> None:
    values = pl.Series("y", [10, 9, 9, -1]).cast(kind)

    targets = fit_targets(values.to_frame(), ["y"], "t")

    assert targets.classes == ["-1", "9", "10"]
    encoded = encode_targets(targets, values.to_frame(), "t")
    assert encoded.dtype == np.int32
    assert encoded.tolist() == [2, 1, 1, 0]


def test_classes_of_new_rows_are_those_of_the_training_in_any_order_and_number() -> None:
    targets = Targets(columns=["y"], classes=["a", "b", "c"])

    assert encode_targets(targets, pl.DataFrame({"y": ["c", "a"]}), "t").tolist() == [2, 0]
    with pytest.raises(DataError) as caught:
        encode_targets(targets, pl.DataFrame({"y": ["c", "d"]}), "t.csv")
    assert str(caught.value) == "t.csv: row 2: 'd' is no class of the target 'y'; the classes are a, b, c"


@pytest.mark.parametrize(
    ("classes", "kind"),
    [
        (["-1", "9", "10"], pl.Int64),
        (["01", "1"], pl.String),
        (["1", "2", "x"], pl.String),
        (["1.0", "2.0"], pl.String),
    ],
)
def test_known_classes_are_read_as_they_were(classes: list[str], kind: Any) -> None:
    assert target_types_of(Targets(columns=["y"], classes=classes)) == {"y": kind}


def test_numbers_are_encoded_side_by_side() -> None:
    frame = pl.DataFrame({"y": [1.0, 2.0], "z": [3.0, 4.0]}, schema={"y": pl.Float32, "z": pl.Float32})

    one, two = fit_targets(frame, ["y"], "t"), fit_targets(frame, ["z", "y"], "t")

    assert one.classes is None
    assert encode_targets(one, frame, "t").tolist() == [1.0, 2.0]
    assert encode_targets(two, frame, "t").tolist() == [[3.0, 1.0], [4.0, 2.0]]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([1.0, None, 2.0], "t.csv: row 2 has no value in the target 'y'; remove it, or fill it in"),
        (
            [float("nan"), None, 2.0],
            "t.csv: row 1 has no value in the target 'y' (2 rows in all); remove it, or",
        ),
        ([1.0, float("inf")], "t.csv: row 2: the target 'y' is infinite, or larger than 3.4e38"),
        ([1.0, 1e39], "t.csv: row 2: the target 'y' is infinite, or larger than 3.4e38"),
    ],
)
def test_number_that_is_none_is_refused_with_its_row(values: Any, expected: str) -> None:
    with pytest.raises(DataError) as caught:
        encode_targets(Targets(columns=["y"]), pl.DataFrame({"y": values}), "t.csv")
    assert str(caught.value).startswith(expected)


def test_places_of_rows_come_from_who_knows_them() -> None:
    with pytest.raises(DataError, match=r"^there, at 1 has no value"):
        encode_targets(
            Targets(columns=["y"]), pl.DataFrame({"y": [1.0, None]}), "t", lambda row: f"there, at {row}"
        )


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["u"] * 9, "t: the target 'y' has the same value in all rows ('u'); there is nothing to tell apart"),
        (pl.Series([None] * 9, dtype=pl.String), "t: the target 'y' has no value in any row"),
        (
            [f"u{index}" for index in range(101)],
            "t: the target 'y' has 101 different values in 101 rows. Is it an identifier? For a number to predict use "
            "a loss such as mse",
        ),
    ],
)
def test_target_without_classes_is_refused(values: Any, expected: str) -> None:
    with pytest.raises(DataError) as caught:
        fit_targets(pl.DataFrame({"y": values}), ["y"], "t")
    assert str(caught.value) == expected


def test_ten_million_classes_are_refused_in_no_time() -> None:
    frame = pl.DataFrame({"y": np.arange(10_000_000)})
    start = time.perf_counter()

    with pytest.raises(DataError, match="10,000,000 different values"):
        fit_targets(frame, ["y"], "t")

    assert time.perf_counter() - start < 2


def test_class_of_one_example_is_refused_with_its_row() -> None:
    targets = Targets(columns=["y"], classes=["a", "b", "c", "d"])
    with pytest.raises(DataError) as caught:
        refuse_lonely_classes(np.array([0, 0, 1, 3]), targets, "t.csv")
    assert str(caught.value) == (
        "t.csv: the class 'b' has one example only, row 3 (and 1 classes more); it cannot be both learned from and "
        "tested: add examples, or remove the row"
    )
    refuse_lonely_classes(np.array([0, 0, 1, 1]), targets, "t.csv")
    refuse_lonely_classes(np.array([0.5, 1.5]), Targets(columns=["y"]), "t.csv")


def test_constant_numbers_are_refused_each_by_its_column() -> None:
    targets = Targets(columns=["y", "z"])
    with pytest.raises(
        DataError, match=r"t: the target 'z' is the same in all rows \(2\); there is nothing to learn"
    ):
        refuse_constants(np.array([[1.0, 2.0], [3.0, 2.0]]), targets, "t")
    refuse_constants(np.array([[1.0, 2.0]]), targets, "t")
    refuse_constants(np.array([0, 0]), Targets(columns=["y"], classes=["a", "b"]), "t")


@pytest.mark.parametrize(
    "kept",
    [
        {"columns": ["y"], "classes": []},
        {"columns": ["y"], "classes": ["a", "a"]},
        {"columns": ["y", "y"]},
        {"columns": ["y", "z"], "classes": ["a", "b"]},
        {"columns": ["y", "z"], "by_column": {"w": ["a", "b"]}},
    ],
)
def test_targets_that_contradict_themselves_are_none(kept: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Targets.model_validate(kept)
