"""What is learned from training rows equals NumPy's figures, knows nothing of other rows, and is applied as it says."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from pydantic import ValidationError

from nnrun.data.columns import Columns
from nnrun.data.fitting import fit
from nnrun.data.load import Data, load_data
from nnrun.data.preprocessing import Category, Numbers, Preprocessing, Text
from nnrun.data.transform import Transform
from nnrun.errors import DataError
from nnrun.spec.file_sources import (
    CategoryColumn,
    DateColumn,
    NumberColumn,
    TextColumn,
)
from nnrun.spec.schema import Choice, DataSection

pytestmark = pytest.mark.tensorflow

RANDOM = np.random.default_rng(7)
COUNT = 200
VALUES = RANDOM.normal(3, 2, COUNT).astype(np.float32)
GAPS = np.where(np.arange(COUNT) % 7 == 3, np.nan, VALUES)


def fitted(values: Any, kind: Any, rows: Any = None, name: str = "c") -> tuple[Preprocessing, Any]:
    """What is learned of a column, and what it becomes."""
    frame = pl.DataFrame({name: values})
    rows = np.arange(frame.height) if rows is None else rows
    made = fit(frame, rows, Columns({name: kind}, ["y"]), None, "t.csv")
    return made, Transform.of(made).apply(frame, None, "t.csv")["input"]


def filled(values: np.ndarray, how: str) -> np.ndarray:
    fill = {"median": np.nanmedian(values), "mean": np.nanmean(values), "zero": 0.0}[how]
    return np.where(np.isnan(values), np.float32(fill), values).astype(np.float64)


@pytest.mark.parametrize("missing", ["median", "mean", "zero"])
@pytest.mark.parametrize("scale", ["standardize", "min_max", "log", "none"])
@pytest.mark.parametrize("values", [VALUES, GAPS], ids=["whole", "with gaps"])
def test_numbers_are_scaled_and_filled_as_numpy_would(values: np.ndarray, scale: str, missing: str) -> None:
    values = np.abs(values).astype(np.float64)
    x = filled(values, missing)
    x = np.log1p(x) if scale == "log" else x
    if scale in ("standardize", "log"):
        x = (x - x.mean()) / x.std()
    elif scale == "min_max":
        x = (x - x.min()) / (x.max() - x.min())
    has_gaps = np.isnan(values).any()

    made, found = fitted(
        pl.Series(values, dtype=pl.Float32).fill_nan(None), NumberColumn(scale=scale, missing=missing)
    )

    assert found.dtype == np.float32
    assert made.feature_names("input") == ["c", *(["c is missing"] if has_gaps else [])]
    np.testing.assert_allclose(found[:, 0], x, atol=2e-6)
    if has_gaps:
        assert found[:, 1].tolist() == np.isnan(values).astype(float).tolist()
    else:
        assert found.shape == (COUNT, 1)


@pytest.mark.parametrize("factor", [1e-30, 1e-12, 1e12, 1e30])
@pytest.mark.parametrize("scale", ["standardize", "min_max"])
def test_numbers_of_any_size_are_scaled(scale: str, factor: float) -> None:
    _, found = fitted(
        pl.Series(VALUES.astype(np.float64) * factor, dtype=pl.Float32), NumberColumn(scale=scale)
    )
    _, expected = fitted(pl.Series(VALUES), NumberColumn(scale=scale))

    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize("value", [0.0, 0.1, 1e30, -7.3])
@pytest.mark.parametrize("scale", ["standardize", "min_max"])
def test_number_that_is_always_the_same_becomes_zero(scale: str, value: float) -> None:
    _, found = fitted(pl.Series([value] * 1001, dtype=pl.Float32), NumberColumn(scale=scale))

    assert not found.any()


def test_truth_values_become_zero_and_one() -> None:
    made, found = fitted([True, False, None, True], NumberColumn(scale="none", missing="zero"))

    assert made.booleans == ["c"]
    assert found.tolist() == [[1, 0], [0, 0], [0, 1], [1, 0]]
    assert made.columns() == {"c": pl.Boolean}


@pytest.mark.parametrize(
    ("values", "kind", "expected"),
    [
        (
            [1.0, -1.0, 2.0],
            NumberColumn(scale="log"),
            "t.csv: column 'c' has values of -1 and less, of which there is no log(1 + x); use scale: standardize",
        ),
        (
            [1.0, float("inf"), 2.0],
            NumberColumn(),
            "t.csv, row 2, column 'c': the value is infinite, or larger than 3.4e38; correct it, or leave it empty",
        ),
        (
            [3e38, -3e38, 2.0],
            NumberColumn(),
            "t.csv: column 'c' goes from -3e+38 to 3e+38, which is too far for 32-bit numbers; give it in another unit",
        ),
        (
            ["a", "b", "c"],
            NumberColumn(),
            "t.csv: column 'c' holds String, expected numbers; say what it is: columns: {c: category}",
        ),
        (
            pl.Series([None] * 3, dtype=pl.Float32),
            NumberColumn(),
            "t.csv: column 'c' has no value in the training rows; write ignore: [c]",
        ),
        (
            ["!", "?", "..."],
            TextColumn(),
            "t.csv: column 'c' holds no words; write ignore: [c]",
        ),
        (
            [1, 2, 3],
            DateColumn(),
            "t.csv: column 'c' holds Int64, expected dates; say how they are written: columns: "
            "{c: {date: {format: '%Y%m%d'}}}",
        ),
        (
            [datetime.time(1), datetime.time(2)],
            DateColumn(),
            "t.csv: column 'c' holds times without a date; write columns: {c: {date: {parts: [hour, minute]}}}",
        ),
        (
            ["01.02.2021", "30.02.2021"],
            DateColumn(format="%d.%m.%Y"),
            "t.csv, row 2, column 'c': expected a date such as %d.%m.%Y, found '30.02.2021'; correct it",
        ),
        (
            ["2021-01-01", "01/02/2021"],
            DateColumn(),
            "t.csv, row 2, column 'c': expected a date, found '01/02/2021'; correct it, or say how dates are written "
            "(format: '%d.%m.%Y')",
        ),
    ],
)
def test_column_that_cannot_be_learned_from_is_refused(values: Any, kind: Any, expected: str) -> None:
    with pytest.raises(DataError) as caught:
        fitted(values, kind)
    assert str(caught.value) == expected


@pytest.mark.parametrize(
    ("scale", "value", "expected"),
    [
        ("log", -1.0, "there is no log(1 + x) of -1; correct it, or train with scale: standardize"),
        (
            "standardize",
            float("inf"),
            "the value is infinite, or larger than 3.4e38; correct it, or leave it empty",
        ),
    ],
)
def test_new_value_that_gives_no_number_is_refused_with_its_row(
    scale: str, value: float, expected: str
) -> None:
    made, _ = fitted([1.0, 2.0, 3.0], NumberColumn(scale=scale))
    frame = pl.DataFrame({"c": [1.0, 2.0, value]})

    with pytest.raises(DataError) as caught:
        Transform.of(made).apply(frame, None, "new.csv", first=100)
    assert str(caught.value) == f"new.csv, row 103, column 'c': {expected}"


def test_categories_have_a_place_each_and_unknown_ones_the_first() -> None:
    values = ["b", "a", None, "b", "c", "\ue000unknown", "[UNK]"]
    made, found = fitted(values, CategoryColumn(), rows=np.arange(5))

    assert made.feature_names("input") == ["c unknown", "c=", "c=a", "c=b", "c=c"]
    assert found.tolist() == np.eye(5)[[3, 2, 1, 3, 4, 0, 0]].tolist()


def test_categories_as_indices_have_the_same_places() -> None:
    made, found = fitted(["b", "a", None, "b", "z"], CategoryColumn(encode="index"), rows=np.arange(4))

    assert made.shape("input") == (1,)
    assert found.dtype == np.int32
    assert found.tolist() == [[3], [2], [1], [3], [0]]


def test_only_the_most_frequent_categories_get_a_place() -> None:
    values = ["d"] * 3 + ["a"] * 2 + ["b"] * 2 + ["c"]

    made, found = fitted(values, CategoryColumn(max_categories=2, encode="index"))

    assert made.inputs["input"][0].vocabulary == [
        "a",
        "d",
    ]  # of those as frequent as each other the first by letter
    assert found[:, 0].tolist() == [2, 2, 2, 1, 1, 0, 0, 0]


def test_dates_become_the_parts_that_python_says() -> None:
    days = [datetime.datetime(2020, 1, 1, 5, 7) + datetime.timedelta(hours=37 * index) for index in range(50)]
    parts = ["year", "month", "day", "weekday", "hour", "minute", "dayofyear"]
    expected = np.array(
        [[d.year, d.month, d.day, d.isoweekday(), d.hour, d.minute, d.timetuple().tm_yday] for d in days]
    )

    made, found = fitted(days, DateColumn(parts=parts))

    assert made.feature_names("input") == [f"c.{part}" for part in parts]
    deviation = expected.std(axis=0)
    scaled = (expected - expected.mean(axis=0)) / np.where(deviation == 0, 1, deviation)
    np.testing.assert_allclose(found, scaled, atol=1e-5)


@pytest.mark.parametrize(
    ("text", "form"),
    [("%d.%m.%Y", "%d.%m.%Y"), ("%Y-%m-%d", None), ("%m/%d/%Y", "%m/%d/%Y"), ("%Y%m%d", "%Y%m%d")],
)
def test_dates_are_read_in_their_format(text: str, form: str | None) -> None:
    days = [datetime.date(2020, 1, 1) + datetime.timedelta(days=index) for index in range(90)]

    _, found = fitted([day.strftime(text) for day in days], DateColumn(format=form))
    _, expected = fitted(days, DateColumn())

    assert np.array_equal(found, expected)


def test_missing_date_has_missing_parts() -> None:
    made, found = fitted(
        [datetime.date(2020, 1, 1), None, datetime.date(2021, 1, 1)], DateColumn(parts=["year"])
    )

    assert made.feature_names("input") == ["c.year", "c.year is missing"]
    np.testing.assert_allclose(found, [[-np.sqrt(1.5), 0], [0, 1], [np.sqrt(1.5), 0]], atol=1e-3)


TEXTS = ["The cat sat.", "the CAT ran", "a dog ran!", "the dog", None, "cat cat"]


def test_texts_become_rows_of_tokens_by_frequency() -> None:
    made, found = fitted(TEXTS, TextColumn(sequence_length=4, max_tokens=4), rows=np.arange(4))

    vocabulary = made.inputs["input"][0].vocabulary
    assert vocabulary[0] == "the"
    assert len(vocabulary) == 2  # and two places for nothing and for unknown words
    places = {word: index for index, word in enumerate(vocabulary, 2)}
    for text, row in zip(TEXTS, found, strict=True):
        words = (text or "").lower().strip(".!").split()
        expected = [places.get(word.strip(".!"), 1) for word in words]
        assert row.tolist() == (expected + [0] * 4)[:4]


@pytest.mark.parametrize("mode", ["multi_hot", "count", "tf_idf"])
def test_texts_become_bags_of_words(mode: str) -> None:
    texts = ["a b", "b c", "c c c", "b"]
    made, found = fitted([*texts, "z b"], TextColumn(output_mode=mode), rows=np.arange(4))

    words = made.inputs["input"][0].vocabulary
    assert sorted(words) == ["a", "b", "c"]
    counts = np.array([[text.split().count(word) for word in words] for text in [*texts, "z b"]])
    documents = np.array([sum(word in text.split() for text in texts) for word in words])
    expected = {
        "count": counts,
        "multi_hot": counts > 0,
        "tf_idf": counts * np.log(1 + 4 / (1 + documents)),
    }[mode]
    np.testing.assert_allclose(found[:, 1:], expected, rtol=1e-5)
    assert (found[:4, 0] == 0).all()
    assert found[4, 0] > 0  # z is unknown


def test_neighbours_are_tokens_where_they_are_asked_for() -> None:
    made, _ = fitted(["a b c"], TextColumn(output_mode="count", ngrams=2))
    letters, _ = fitted(["ab"], TextColumn(output_mode="count", split="character"))
    upper, _ = fitted(["A, a"], TextColumn(output_mode="count", standardize="none"))

    assert sorted(made.inputs["input"][0].vocabulary) == ["a", "a b", "b", "b c", "c"]
    assert sorted(letters.inputs["input"][0].vocabulary) == ["a", "b"]
    assert sorted(upper.inputs["input"][0].vocabulary) == ["A,", "a"]


MIXED = pl.DataFrame(
    {
        "n": [1.0, 2.0, 3.0, 4.0],
        "c": ["u", "v", "u", "v"],
        "l": [0.0, 1.0, 2.0, 3.0],
        "t": ["one two", "two", "one", "three"],
        "m": [None, 5.0, 6.0, 7.0],
    }
)
KINDS: dict[str, Any] = {
    "n": NumberColumn(scale="none"),
    "c": CategoryColumn(),
    "l": NumberColumn(scale="log"),
    "t": TextColumn(output_mode="multi_hot"),
    "m": NumberColumn(scale="none"),
}


def test_columns_side_by_side_have_their_names() -> None:
    made = fit(MIXED, np.arange(4), Columns(KINDS, ["y"]), None, "t")
    found = Transform.of(made).apply(MIXED, None, "t")["input"]

    names = made.feature_names("input")
    assert names == ["n", "m", "m is missing", "l", "c unknown", "c=u", "c=v", *["t"] * 4]
    assert found.shape == (4, len(names))
    assert found[:, 0].tolist() == [1, 2, 3, 4]
    assert found[:, 1].tolist() == [6, 5, 6, 7]
    assert found[:, 2].tolist() == [1, 0, 0, 0]
    assert found[:, 5].tolist() == [1, 0, 1, 0]
    np.testing.assert_allclose(found[:, 3].mean(), 0, atol=1e-6)


def test_indices_get_inputs_of_their_own() -> None:
    kinds = KINDS | {"c": CategoryColumn(encode="index"), "t": TextColumn(sequence_length=3)}
    made = fit(MIXED, np.arange(4), Columns(kinds, ["y"]), None, "t")
    found = Transform.of(made).apply(MIXED, np.array([3, 0]), "t")

    assert {name: array.dtype.name for name, array in found.items()} == {
        "numbers": "float32",
        "c": "int32",
        "t": "int32",
    }
    assert found["c"].tolist() == [[2], [1]]
    assert found["t"].shape == (2, 3)
    assert found["numbers"][:, 0].tolist() == [4, 1]


def test_inputs_hold_the_columns_that_are_named() -> None:
    groups = {"left": ["c", "n"], "right": ["m", "l"]}
    made = fit(MIXED, np.arange(4), Columns(KINDS, ["y"]), groups, "t")

    assert made.feature_names("left") == ["n", "c unknown", "c=u", "c=v"]
    assert made.feature_names("right") == ["m", "m is missing", "l"]


@pytest.mark.parametrize(
    ("kinds", "groups", "expected"),
    [
        (
            {"c": CategoryColumn(encode="index"), "n": NumberColumn()},
            {"x": ["c", "n"]},
            "t: the input 'x' holds numbers and indices; give the column 'c' an input of its own, for an Embedding",
        ),
        (
            {"numbers": CategoryColumn(encode="index"), "n": NumberColumn()},
            None,
            "t: two inputs of the model would be called 'numbers', one of them by the column 'numbers'; name them "
            "yourself: inputs: {NAME: [numbers], ...}",
        ),
        (
            {"a/b": CategoryColumn(encode="index"), "a#b": CategoryColumn(encode="index")},
            None,
            "t: two inputs of the model would be called 'a_b', one of them by the column 'a#b'; name them yourself: "
            "inputs: {NAME: [a#b], ...}",
        ),
        (
            {"d": DateColumn(parts=["day"]), "d.day": NumberColumn()},
            None,
            "t: there is a column 'd.day', and a part of the date 'd' is called so too; write ignore: [d.day], or "
            "rename one",
        ),
    ],
)
def test_columns_that_would_get_lost_are_refused(kinds: Any, groups: Any, expected: str) -> None:
    frame = pl.DataFrame(
        {
            "numbers": ["u", "v"],
            "n": [1.0, 2.0],
            "a/b": ["u", "v"],
            "a#b": ["u", "v"],
            "c": ["u", "v"],
            "d": [datetime.date(2021, 1, 1)] * 2,
            "d.day": [1.0, 2.0],
        }
    )
    with pytest.raises(DataError) as caught:
        fit(frame, np.arange(2), Columns(kinds, ["y"]), groups, "t")
    assert str(caught.value) == expected


def test_rows_are_transformed_alike_in_any_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    made = fit(MIXED, np.arange(4), Columns(KINDS, ["y"]), None, "t")
    frame = pl.concat([MIXED] * 50)
    rows = RANDOM.permutation(frame.height)
    whole = Transform.of(made).apply(frame, None, "t")["input"]

    monkeypatch.setattr("nnrun.data.transform.CHUNK_ROWS", 7)

    assert np.array_equal(Transform.of(made).apply(frame, None, "t")["input"], whole)
    assert np.array_equal(Transform.of(made).apply(frame, rows, "t")["input"], whole[rows])


def test_what_was_learned_survives_json() -> None:
    made = fit(MIXED, np.arange(4), Columns(KINDS, ["y"]), None, "t")
    again = Preprocessing.model_validate_json(made.model_dump_json())

    assert again == made
    expected = Transform.of(made).apply(MIXED, None, "t")["input"]
    assert np.array_equal(Transform.of(again).apply(MIXED, None, "t")["input"], expected)


NUMBERS = {"columns": ["a"], "log": False, "fill": [0.0], "flags": [], "mean": [0.0], "variance": [1.0]}
TEXT = {"column": "t", "settings": {}, "vocabulary": ["a"]}


@pytest.mark.parametrize(
    ("section", "good", "changes"),
    [
        (Numbers, NUMBERS, {"columns": []}),
        (Numbers, NUMBERS, {"columns": ["a", "b"]}),
        (Numbers, NUMBERS, {"fill": [float("nan")]}),
        (Numbers, NUMBERS, {"fill": [1e39]}),
        (Numbers, NUMBERS, {"mean": []}),
        (Numbers, NUMBERS, {"variance": [0.0]}),
        (Numbers, NUMBERS, {"variance": [1e300]}),
        (Numbers, NUMBERS, {"flags": [1]}),
        (Numbers, NUMBERS, {"flags": [-1]}),
        (Numbers, NUMBERS, {"flags": [0, 0]}),
        (Category, {"column": "c", "encode": "index", "vocabulary": ["a"]}, {"vocabulary": []}),
        (Category, {"column": "c", "encode": "index", "vocabulary": ["a"]}, {"vocabulary": ["a", "a"]}),
        (Text, TEXT, {"vocabulary": []}),
        (Text, TEXT, {"vocabulary": ["[UNK]", "a"]}),
        (Text, TEXT, {"idf": [1.0]}),
        (Text, TEXT, {"settings": {"output_mode": "tf_idf"}}),
        (Text, TEXT, {"settings": {"output_mode": "tf_idf"}, "idf": [1.0, 2.0]}),
        (Preprocessing, {"inputs": {"input": [NUMBERS | {"kind": "numbers"}]}}, {"inputs": {}}),
        (Preprocessing, {"inputs": {"input": [NUMBERS | {"kind": "numbers"}]}}, {"inputs": {"input": []}}),
    ],
)
def test_what_contradicts_itself_is_believed_by_nobody(section: Any, good: Any, changes: Any) -> None:
    section.model_validate(good)
    with pytest.raises(ValidationError):
        section.model_validate(good | changes)


PLANTED = {"scale": 1e6, "city": "Atlantis", "gap": None, "note": "planted words", "code": "77"}
"""What stands in held-out rows alone."""


def table_of(planted: Any) -> pl.DataFrame:
    rows = range(120)
    return pl.DataFrame(
        {
            "scale": [PLANTED["scale"] if row in planted else row % 10 for row in rows],
            "city": [PLANTED["city"] if row in planted else "uvw"[row % 3] for row in rows],
            "gap": [None if row in planted else row % 10 * 0.5 for row in rows],
            "note": [PLANTED["note"] if row in planted else f"w{row % 5} and so on" for row in rows],
            "code": [PLANTED["code"] if row in planted else str(row % 4) for row in rows],
            "day": [datetime.date(2999 if row in planted else 2020, 1, row % 9 + 1) for row in rows],
            "y": [["k", "l"][row % 2] for row in rows],
        },
        schema_overrides={"scale": pl.Float32, "gap": pl.Float32},
        strict=False,
    )


def load_planted(path: Path, planted: Any, cache: str = "memory") -> Data:
    table_of(planted).write_parquet(path)
    columns = {
        "note": Choice("text", {"output_mode": "tf_idf"}),
        "code": Choice("category"),
        "city": Choice("category"),
    }
    source = Choice("parquet", {"path": str(path), "target": "y", "test_split": 0.2, "columns": columns})
    return load_data(
        DataSection(source=source, cache=cache),
        losses=Choice("binary_crossentropy"),
        seed=3,
        validation_split=0.2,
        notify=lambda _: None,
    )


@pytest.mark.parametrize("part", ["test", "validation"])
def test_nothing_is_learned_from_held_out_rows(part: str, tmp_path: Path) -> None:
    clean = load_planted(tmp_path / "t.parquet", ())
    held, learned = clean.split[part].tolist(), clean.split["train"].tolist()

    planted = load_planted(tmp_path / "t.parquet", held)
    elsewhere = load_planted(tmp_path / "t.parquet", learned[:20])

    made, found, other = (data.reader.preprocessing for data in (clean, planted, elsewhere))  # type: ignore[union-attr]
    assert {name: rows.tolist() for name, rows in planted.split.items()} == {
        name: rows.tolist() for name, rows in clean.split.items()
    }
    assert found == made
    assert other != made
    assert np.array_equal(planted.train.x, clean.train.x)  # type: ignore[union-attr]
    assert not np.array_equal(getattr(planted, part).x, getattr(clean, part).x)


@pytest.mark.parametrize("planted_in", ["scale", "city", "gap", "note", "code", "day"])
def test_each_planted_thing_would_be_seen_if_it_were_learned(planted_in: str, tmp_path: Path) -> None:
    """The test above can fail: what is planted in training rows changes what is learned of each column."""
    frame = table_of(range(10))
    clean = table_of(())
    kinds: dict[str, Any] = {
        "scale": NumberColumn(),
        "city": CategoryColumn(),
        "gap": NumberColumn(),
        "note": TextColumn(output_mode="tf_idf"),
        "code": CategoryColumn(),
        "day": DateColumn(),
    }
    columns = Columns({planted_in: kinds[planted_in]}, ["y"])

    assert fit(frame, np.arange(120), columns, None, "t") != fit(clean, np.arange(120), columns, None, "t")
    assert fit(frame, np.arange(10, 120), columns, None, "t") == fit(
        clean, np.arange(10, 120), columns, None, "t"
    )
