"""What ``nnrun data`` says: figures against NumPy and polars, and planted faults that must be found."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from nnrun.data.inspect import inspect_data
from nnrun.data.inspect_array import describe_array
from nnrun.data.inspect_open import Opened, open_source
from nnrun.data.inspect_repeats import find_repeats, hash_arrays, hash_table, hash_targets
from nnrun.data.inspect_table import count_distinct
from nnrun.data.inspect_views import Column, Finding, Histogram, Inspection
from nnrun.data.inspect_words import describe_texts, describe_word_numbers, split_texts
from nnrun.data.load import load_facts
from nnrun.spec.file_sources import TextSettings
from nnrun.spec.load import load_spec

ROWS = 400


def write_spec(
    folder: Path,
    source: dict[str, Any],
    *,
    loss: str = "sparse_categorical_crossentropy",
    layers: list[Any] | None = None,
    **training: Any,
) -> Path:
    """A specification; JSON is YAML."""
    spec = {
        "data": {"source": source},
        "model": {"layers": layers or ["Flatten", {"Dense": {"units": 3, "activation": "softmax"}}]},
        "training": {"loss": loss, "validation_split": 0.1} | training,
    }
    path = folder / "spec.yaml"
    path.write_text(json.dumps(spec))
    return path


def look(path: Path) -> tuple[Opened, Inspection]:
    loaded = load_spec(path)
    opened = open_source(loaded, lambda _: None)
    return opened, inspect_data(opened, loaded)


def look_at(
    folder: Path, frame: pl.DataFrame, source: dict[str, Any] | None = None, **spec: Any
) -> Inspection:
    frame.write_parquet(folder / "table.parquet")
    given = {"path": "table.parquet", "target": "y"} | (source or {})
    return look(write_spec(folder, {"parquet": given}, **spec))[1]


def clean() -> pl.DataFrame:
    """A table without any fault."""
    random = np.random.default_rng(0)
    y = random.permutation(np.arange(ROWS) % 3)
    return pl.DataFrame(
        {
            "length": random.normal(5, 1, ROWS) + y,
            "width": random.uniform(0, 10, ROWS),
            "rooms": random.integers(1, 9, ROWS),
            "city": random.choice(["Bonn", "Köln", "Łódź"], ROWS),
            "y": [["a", "b", "c"][one] for one in y],
        }
    )


def names(inspection: Inspection) -> list[str]:
    return [finding.name for finding in inspection.findings]


def find(inspection: Inspection, name: str) -> Finding:
    (finding,) = [one for one in inspection.findings if one.name == name]
    return finding


def test_inspect_clean_table_finds_nothing(tmp_path: Path) -> None:
    assert look_at(tmp_path, clean()).findings == []


def put(frame: pl.DataFrame, name: str, values: Any) -> pl.DataFrame:
    return frame.with_columns(pl.Series(name, values, strict=False))


def with_nulls(frame: pl.DataFrame, name: str, rows: Any) -> pl.DataFrame:
    values = frame[name].to_list()
    for row in rows:
        values[row] = None
    return put(frame, name, values)


def spoil(values: pl.Series, rows: Any, value: float) -> list[float]:
    spoilt = values.to_list()
    for row in rows:
        spoilt[row] = value
    return spoilt


NUMBERS = np.arange(ROWS)
FAULTS: dict[str, tuple[str, Callable[[pl.DataFrame], pl.DataFrame], list[str], str]] = {
    "missing": (
        "missing_values",
        lambda frame: with_nulls(frame, "width", range(100)),
        ["width"],
        "values are missing in width: 100 of 400 (25 %)",
    ),
    "constant number": (
        "constant_columns",
        lambda frame: put(frame, "rooms", [4] * ROWS),
        ["rooms"],
        "the same value in all rows: rooms",
    ),
    "constant category": (
        "constant_columns",
        lambda frame: put(frame, "city", ["Bonn"] * ROWS),
        ["city"],
        "the same value in all rows: city",
    ),
    "nearly constant": (
        "nearly_constant_columns",
        lambda frame: put(frame, "rooms", [4] * (ROWS - 2) + [5, 6]),
        ["rooms"],
        "nearly always the same value: rooms: 99.5 %",
    ),
    "infinite": (
        "infinite_values",
        lambda frame: put(frame, "width", spoil(frame["width"], [7], float("inf"))),
        ["width"],
        "infinite values: width: 1",
    ),
    "outliers": (
        "outliers",
        lambda frame: put(frame, "length", spoil(frame["length"], [3, 9], 999.0)),
        ["length"],
        "values more than 10 interquartile ranges away from the middle half: length: 2, from ",
    ),
    "identifier": (
        "identifiers",
        lambda frame: put(frame, "rooms", NUMBERS + 1000),
        ["rooms"],
        "different in every row, like an identifier: rooms",
    ),
    "copy": (
        "target_copies",
        lambda frame: put(frame, "city", frame["y"].replace({"a": "X", "b": "Y", "c": "Z"})),
        ["city"],
        "the target under another name: city",
    ),
    "told": (
        "target_told",
        lambda frame: put(
            frame, "city", [one + str(row % 2) for row, one in enumerate(frame["y"].to_list())]
        ),
        ["city"],
        "each value has one target only: city",
    ),
    "duplicates": (
        "duplicates",
        lambda frame: pl.concat([frame, *[frame[5:6]] * 30]),
        [],
        "examples stand twice within a part: ",
    ),
    "leakage": (
        "leakage",
        lambda frame: pl.concat([frame, frame]),
        [],
        "held-out examples stand in the training part too: ",
    ),
    "contradictions": (
        "contradictions",
        lambda frame: pl.concat([frame, put(frame[:5], "y", ["a", "b", "c", "a", "b"])]),
        [],
        "the same inputs have different targets: ",
    ),
    "imbalance": (
        "imbalance",
        lambda frame: put(frame, "y", ["a"] * 350 + ["b"] * 30 + ["c"] * 20),
        [],
        "252 training examples of 'a' and 14 of 'c'",
    ),
    "few of a class": (
        "few_of_a_class",
        lambda frame: put(frame, "y", ["a"] * 200 + ["b"] * 194 + ["c"] * 6),
        [],
        "fewer than 10 training examples: c (5)",
    ),
    "absent": (
        "absent_classes",
        lambda frame: put(frame, "y", ["a"] * 200 + ["b"] * 198 + ["c"] * 2),
        [],
        "no example in the ",
    ),
    "few examples": ("few_examples", lambda frame: frame[:60], [], "43 training examples"),
    "few rows": (
        "few_different_rows",
        lambda frame: frame.select("rooms", "city", "y"),
        [],
        "the columns allow 24 different rows for 400 examples",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_inspect_planted_fault_is_found(fault: str, tmp_path: Path) -> None:
    name, plant, columns, message = FAULTS[fault]

    finding = next(one for one in look_at(tmp_path, plant(clean())).findings if one.name == name)

    assert finding.message.startswith(message)
    assert finding.columns == columns
    assert finding.why.endswith(".")
    assert finding.advice.endswith(".")
    assert finding.level == ("error" if name == "infinite_values" else finding.level)


def test_inspect_column_without_training_values_is_error(tmp_path: Path) -> None:
    clean().write_parquet(tmp_path / "table.parquet")
    opened, _ = look(write_spec(tmp_path, {"parquet": {"path": "table.parquet", "target": "y"}}))

    found = look_at(tmp_path, with_nulls(clean(), "width", np.flatnonzero(opened.part == 0)))

    finding = find(found, "empty_columns")
    assert (finding.level, finding.columns) == ("error", ["width"])
    assert "missing_values" not in names(found)


def test_inspect_missing_in_test_alone_is_told(tmp_path: Path) -> None:
    frame = clean()
    with_nulls(frame, "width", range(10)).write_parquet(tmp_path / "test.parquet")

    found = look_at(tmp_path, put(frame, "length", frame["length"] + 0.5), {"test": "test.parquet"})

    assert find(found, "missing_unseen").columns == ["width"]
    column = next(one for one in found.columns if one.name == "width")
    assert column.missing_by_part == {"train": 0, "validation": 0, "test": 10}
    assert column.width == 1


def test_inspect_weighted_classes_are_not_called_out_of_balance(tmp_path: Path) -> None:
    frame = put(clean(), "y", ["a"] * 350 + ["b"] * 30 + ["c"] * 20)

    assert "imbalance" in names(look_at(tmp_path, frame))
    assert "imbalance" not in names(look_at(tmp_path, frame, class_weight="balanced"))


def test_inspect_regression_targets_are_described_and_judged(tmp_path: Path) -> None:
    frame = clean()
    price = frame["length"].to_numpy() ** 2
    frame = put(frame, "y", price)
    layers = [{"Dense": {"units": 1}}]

    found = look_at(tmp_path, frame, loss="mse", layers=layers)
    copied = look_at(tmp_path, put(frame, "width", 3 * price - 7), loss="mse", layers=layers)
    constant = look_at(tmp_path, put(frame, "y", [2.5] * ROWS), loss="mse", layers=layers)
    large = look_at(tmp_path, put(frame, "y", price * 1e4), loss="mse", layers=layers)
    far = look_at(tmp_path, put(frame, "y", spoil(frame["y"], [0], 1e4)), loss="mse", layers=layers)

    (target,) = found.target.numbers
    assert target.mean == pytest.approx(price.mean(), rel=1e-6)
    assert target.minimum == pytest.approx(price.min(), rel=1e-6)
    assert found.findings == []
    assert find(copied, "target_copies").columns == ["width"]
    assert find(constant, "constant_target").level == "error"
    assert names(large) == ["large_target"]
    assert names(far) == ["target_outliers"]


def test_inspect_unscaled_columns_are_found_unless_a_layer_scales(tmp_path: Path) -> None:
    frame = put(clean(), "width", np.random.default_rng(1).uniform(0, 1e5, ROWS))
    columns = {"columns": {name: {"number": {"scale": "none"}} for name in ("length", "width", "rooms")}}
    scaling = ["BatchNormalization", {"Dense": {"units": 3, "activation": "softmax"}}]

    assert find(look_at(tmp_path, frame, columns), "different_scales").columns == ["width", "length"]
    assert look_at(tmp_path, frame, columns, layers=scaling).findings == []
    assert look_at(tmp_path, frame).findings == []


def test_inspect_word_numbers_for_an_embedding_are_no_sizes(tmp_path: Path) -> None:
    words = np.random.default_rng(0).integers(0, [2, 5000], (100, 2))
    np.savez(tmp_path / "x.npz", x=words, y=np.arange(100) % 2)
    dense = {"Dense": {"units": 2, "activation": "softmax"}}
    looked_up = [{"Embedding": {"input_dim": 5000, "output_dim": 2}}, "Flatten", dense]
    source = {"npz": {"path": "x.npz"}}

    assert "different_scales" not in names(look(write_spec(tmp_path, source, layers=looked_up))[1])
    assert "different_scales" in names(look(write_spec(tmp_path, source, layers=[dense]))[1])


def test_inspect_sample_to_draw_is_of_the_training_part(tmp_path: Path) -> None:
    x = np.arange(100 * 64, dtype=np.float32).reshape(100, 8, 8) / 6400
    np.savez(tmp_path / "x.npz", x=x, y=np.arange(100) % 2)

    opened, _ = look(write_spec(tmp_path, {"npz": {"path": "x.npz"}}))

    assert opened.sample is not None
    rows = np.flatnonzero(opened.part == 0)
    assert np.array_equal(opened.sample.x, x[rows])
    assert np.array_equal(opened.sample.y, rows % 2)


def test_inspect_repeats_in_a_single_column_of_different_values_are_named(tmp_path: Path) -> None:
    frame = text_table().select("note", "y")

    found = look_at(tmp_path, pl.concat([frame, frame[:80]]))

    assert {"leakage", "duplicates"} <= set(names(found))
    assert "few_different_rows" not in names(found)


def test_inspect_single_column_that_tells_a_number_is_the_task(tmp_path: Path) -> None:
    x = np.random.default_rng(0).normal(size=100)
    frame = pl.DataFrame({"celsius": x, "y": 1.8 * x + 32})

    assert look_at(tmp_path, frame, loss="mse", layers=[{"Dense": {"units": 1}}]).findings == []


def test_inspect_same_inputs_with_different_numbers_are_noise(tmp_path: Path) -> None:
    frame = put(clean(), "y", np.random.default_rng(0).random(ROWS))
    again = put(frame[:9], "y", frame["y"][:9] + 1)

    found = look_at(tmp_path, pl.concat([frame, again]), loss="mse", layers=[{"Dense": {"units": 1}}])

    assert "contradictions" not in names(found)


def test_inspect_invalid_dates_are_an_error(tmp_path: Path) -> None:
    days = [f"{1 + row % 28:02}.{1 + row % 12:02}.{1990 + row % 30}" for row in range(ROWS)]
    kinds = {"columns": {"born": {"date": {"format": "%d.%m.%Y"}}}}

    right = look_at(tmp_path, put(clean(), "born", days), kinds)
    wrong = look_at(tmp_path, put(clean(), "born", ["31.02.2000", *days[1:]]), kinds)

    column = next(one for one in right.columns if one.name == "born")
    assert (column.minimum, column.maximum) == (
        "1990-01-01 00:00:00",
        "2019-06-28 00:00:00",
    ) or column.minimum
    assert right.findings == []
    assert find(wrong, "invalid_dates").message == "texts that are no dates: born: 1"


def test_inspect_numbers_equal_numpy(tmp_path: Path) -> None:
    frame = with_nulls(clean(), "width", range(0, ROWS, 4))
    values = np.array([one for one in frame["width"].to_list() if one is not None], np.float32)

    column = next(one for one in look_at(tmp_path, frame).columns if one.name == "width")

    assert (column.rows, column.missing, column.distinct) == (ROWS, 100, len(set(values.tolist())))
    assert column.mean == pytest.approx(values.astype(float).mean(), rel=1e-12)
    assert column.deviation == pytest.approx(values.astype(float).std(), rel=1e-12)
    assert (column.minimum, column.maximum) == pytest.approx((values.min(), values.max()), rel=1e-6)
    assert column.histogram is not None
    assert (
        column.histogram.counts
        == np.histogram(values.astype(float), len(column.histogram.counts))[0].tolist()
    )


def test_inspect_categories_equal_polars(tmp_path: Path) -> None:
    frame = clean()

    column = next(one for one in look_at(tmp_path, frame).columns if one.name == "city")

    expected = frame["city"].value_counts().sort("count", descending=True).rows()
    assert column.frequent == expected
    assert column.share == expected[0][1] / ROWS
    assert column.distinct == 3


def test_inspect_iris_finds_its_one_duplicate_and_nothing_else(repository: Path, tmp_path: Path) -> None:
    path = repository / "configs" / "data" / "iris.csv"

    _, found = look(write_spec(tmp_path, {"csv": {"path": str(path), "target": "species"}}))

    (finding,) = found.findings
    assert finding.name in ("duplicates", "leakage")
    assert "row 102 of iris.csv" in finding.message
    assert "row 143 of iris.csv" in finding.message
    assert [column.mean for column in found.columns] == pytest.approx(
        [5.8433, 3.0573, 3.758, 1.1993], abs=1e-4
    )
    assert [column.distinct for column in found.columns] == [35, 23, 43, 22]
    assert found.target.counts == {"train": [36] * 3, "validation": [4] * 3, "test": [10] * 3}


def test_inspect_digits_equals_numpy(tmp_path: Path) -> None:
    layers = ["Flatten", {"Dense": {"units": 10, "activation": "softmax"}}]
    opened, found = look(write_spec(tmp_path, {"digits": {}}, layers=layers))

    x = np.concatenate([block["input"] for block in opened.blocks])
    (array,) = found.arrays
    assert array.values == x.size
    assert (array.minimum, array.maximum) == (0, 16)
    assert (array.mean, array.deviation) == pytest.approx((x.mean(), x.std()), rel=1e-12)
    assert array.histogram == Histogram(np.bincount(x.ravel()).tolist(), -0.5, 16.5, whole=True)
    assert array.constant == int((x == x[0]).all(axis=0).sum())
    assert found.findings == []


@pytest.mark.parametrize("source", [{"moons": {}}, {"blobs": {}}, {"spirals": {}}, {"circles": {}}])
def test_inspect_generated_points_finds_nothing(source: dict[str, Any], tmp_path: Path) -> None:
    assert look(write_spec(tmp_path, source))[1].findings == []


@pytest.mark.parametrize("source", [{"xor": {}}, {"celsius": {}}])
def test_inspect_tiny_source_is_only_called_small(source: dict[str, Any], tmp_path: Path) -> None:
    loss = "mse" if "celsius" in source else "sparse_categorical_crossentropy"

    found = look(write_spec(tmp_path, source, loss=loss, validation_split=0.0))[1]

    assert names(found) == ["few_examples"]
    assert find(found, "few_examples").level == "note"


def test_inspect_arrays_with_nan_and_large_values_are_named(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    x = random.normal(0, 1, (100, 12, 6)).astype(np.float32)
    y = np.arange(100) % 2
    np.savez(tmp_path / "fine.npz", x=x, y=y)
    np.savez(tmp_path / "large.npz", x=x * 500, y=y)
    broken = x.copy()
    broken[3, 0, 0], broken[4, 1, 1] = np.nan, np.inf
    np.savez(tmp_path / "broken.npz", x=broken, y=y)
    np.savez(tmp_path / "constant.npz", x=np.ones_like(x), y=y)

    def found(name: str) -> Inspection:
        return look(write_spec(tmp_path, {"npz": {"path": f"{name}.npz"}}))[1]

    assert found("fine").findings == []
    assert names(found("large")) == ["large_inputs"]
    assert find(found("broken"), "not_finite").message == "input holds 1 NaN and 1 infinite values"
    assert "constant_inputs" in names(found("constant"))


def test_inspect_repeated_images_leak(tmp_path: Path) -> None:
    x = np.random.default_rng(0).integers(0, 256, (100, 8, 8)).astype(np.uint8)
    np.savez(tmp_path / "x.npz", x=np.concatenate([x, x]), y=np.tile(np.arange(100) % 2, 2))

    found = look(write_spec(tmp_path, {"npz": {"path": "x.npz"}}))[1]

    assert {"leakage", "duplicates"} == set(names(found))


@pytest.mark.tensorflow
def test_inspect_picture_that_stands_in_two_parts_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from PIL import Image

    random = np.random.default_rng(0)
    for name in ("cat", "dog"):
        (tmp_path / "pictures" / name).mkdir(parents=True)
        for number in range(30):
            pixels = random.integers(0, 256, (9, 7, 3)).astype(np.uint8)
            Image.fromarray(pixels).save(tmp_path / "pictures" / name / f"{number}.png")
    path = write_spec(tmp_path, {"images": {"path": "pictures", "size": [9, 7], "interpolation": "nearest"}})

    opened, clean = look(path)
    rows = [int(np.flatnonzero(opened.part == part)[0]) for part in (0, 2)]
    first, last = (tmp_path / "pictures" / opened.place(row) for row in rows)
    last.write_bytes(first.read_bytes())
    leak = find(look(path)[1], "leakage")
    monkeypatch.setattr("nnrun.data.inspect_open.MOST_HASHED", 10)
    many = look(path)[1]

    assert names(clean) == ["few_examples"]
    assert clean.arrays[0].values == clean.looked_at * 9 * 7 * 3  # type: ignore[operator]
    assert f"{opened.place(rows[0])} and {opened.place(rows[1])}" in leak.message
    assert "not_compared" in names(many)
    assert "leakage" not in names(many)


def test_describe_array_in_pieces_equals_numpy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nnrun.data.inspect_array.PIECE", 100)
    random = np.random.default_rng(0)
    blocks = [random.normal(1e4, 1, (count, 3, 4)).astype(np.float32) for count in (37, 5)]
    blocks[1][0, 0, 0], blocks[1][1, 0, 1] = np.nan, -np.inf
    whole = np.concatenate(blocks).astype(np.float64)
    finite = whole[np.isfinite(whole)]

    array = describe_array("x", blocks)

    assert (array.missing, array.infinite, array.values) == (1, 1, whole.size)
    assert (array.mean, array.deviation) == pytest.approx((finite.mean(), finite.std()), rel=1e-9)
    assert (array.minimum, array.maximum) == (finite.min(), finite.max())
    assert array.histogram is not None
    assert sum(array.histogram.counts) == finite.size


def test_find_repeats_counts_each_kind() -> None:
    keys = np.array([1, 1, 2, 3, 1, 4, 2, 5, 5, 7, 7], np.uint64)
    targets = np.array([0, 0, 0, 0, 1, 0, 0, 1, 1, 0, 1], np.uint64)
    part = np.array([0, 0, 0, 0, 1, 1, 2, 2, 2, 0, 0], np.uint8)

    found = find_repeats(keys, targets, part, ["train", "validation", "test"])

    assert found.within == {"train": 1, "validation": 0, "test": 1}
    assert found.leaked == {"validation": 1, "test": 1}
    assert found.contradicting == 5  # both first rows with the one in validation, and the last two
    assert found.example["within"] == (0, 1)
    assert found.example["leaked"] == (0, 4)
    assert found.example["contradicting"] in ((0, 4), (1, 4))


def test_find_repeats_without_repeats_finds_none() -> None:
    found = find_repeats(
        np.arange(5, dtype=np.uint64), np.zeros(5, np.uint64), np.zeros(5, np.uint8), ["train"]
    )

    assert (found.within, found.leaked, found.contradicting, found.example) == ({"train": 0}, {}, 0, {})


@pytest.mark.parametrize("dtype", ["uint8", "int32", "float32"])
def test_hash_arrays_tells_examples_apart_as_bytes_do(dtype: str) -> None:
    x = np.random.default_rng(0).integers(0, 2, (500, 2, 3)).astype(dtype)

    for form in (x, x.reshape(500, 6)):
        _, group = np.unique(x.reshape(500, -1), axis=0, return_inverse=True)
        _, keys = np.unique(hash_arrays(form), return_inverse=True)
        pairs = {*zip(group.ravel().tolist(), keys.ravel().tolist(), strict=True)}
        assert len(pairs) == len(set(group.ravel().tolist())) == len(set(keys.ravel().tolist()))


def test_hash_table_and_targets_tell_rows_apart() -> None:
    frame = pl.DataFrame({"a": ["x", None, "x", None], "b": [None, "x", None, None]})

    assert len(set(hash_table(frame).tolist())) == 3
    assert len(set(hash_targets(np.array([[0.0, 1], [1, 0], [0, 1]])).tolist())) == 2


def test_count_distinct_of_many_values_is_estimated_and_said_so() -> None:
    random = np.random.default_rng(0)
    many = pl.Series(random.integers(0, 50_000, 300_000)).cast(pl.Float32)
    about, exact = count_distinct(many)

    assert not exact
    assert about == pytest.approx(many.n_unique(), rel=0.05)
    assert count_distinct(many % 100) == (100, True)
    assert count_distinct(pl.Series(np.arange(300_000))) == (300_000, True)


SETTINGS = [
    {},
    {"standardize": "none"},
    {"standardize": "lower"},
    {"standardize": "strip_punctuation"},
    {"split": "character"},
    {"ngrams": 2},
]
TEXTS = ["The cat, the CAT!", "", "ÄRGER über   den\tHund\n(so?)", "a", "it's [2] low_er-case ~ $x^2$", None]


@pytest.mark.tensorflow
@pytest.mark.parametrize("given", SETTINGS, ids=str)
def test_split_texts_splits_as_keras_does(given: dict[str, Any]) -> None:
    from nnrun.keras_backend import load_keras

    settings = TextSettings(**given)
    layer = load_keras().layers.TextVectorization(
        standardize=None if settings.standardize == "none" else settings.standardize,
        split=settings.split,
        ngrams=settings.ngrams,
    )
    layer.adapt(np.array([text or "" for text in TEXTS], dtype=object))

    found = split_texts(pl.Series(TEXTS), settings)

    assert set(layer.get_vocabulary(include_special_tokens=False)) == set(
        found.explode().drop_nulls().to_list()
    )
    wanted = (layer(np.array([text or "" for text in TEXTS], dtype=object)).numpy() > 0).sum(axis=1)
    assert found.list.len().to_list() == wanted.tolist()


def test_describe_texts_counts_what_is_lost() -> None:
    texts = pl.Series(["a b c d", "a b", "a e", None])

    words = describe_texts(texts, TextSettings(max_tokens=4, sequence_length=3))

    assert (words.shortest, words.mean, words.longest, words.cut) == (0, 2.0, 4, 1)
    assert (words.distinct, words.places) == (5, 2)
    assert words.unknown == 3 / 8  # c, d and e
    assert words.frequent[:2] == [("a", 3), ("b", 2)]


def test_describe_word_numbers_counts_words_and_full_rows() -> None:
    rows = np.array([[0, 0, 1, 4], [1, 4, 4, 2], [0, 1, 5, 2]], np.int32)

    words = describe_word_numbers(rows, 10)

    assert (words.shortest, words.longest, words.cut, words.distinct) == (2, 4, 1, 4)
    assert words.unknown == 2 / 9
    assert dict(words.frequent) == {"1": 3, "4": 3, "2": 2, "5": 1}


def text_table() -> pl.DataFrame:
    random = np.random.default_rng(0)
    vocabulary = [f"word{number}" for number in range(300)]
    texts = [" ".join(random.choice(vocabulary, 12)) for _ in range(ROWS)]
    return put(clean(), "note", texts)


def test_inspect_texts_that_are_cut_and_words_without_room_are_named(tmp_path: Path) -> None:
    text = {"columns": {"note": {"text": {"max_tokens": 50, "sequence_length": 8}}}}
    roomy = {"columns": {"note": {"text": {"max_tokens": 1000, "sequence_length": 20}}}}

    found = look_at(tmp_path, text_table(), text)

    assert [(one.name, one.level) for one in found.findings] == [
        ("cut_texts", "warning"),
        ("large_vocabulary", "warning"),
    ]
    assert "288 of 288 (100 %) are longer than the 8 words" in find(found, "cut_texts").message
    assert "room for 48 of 300 different words" in find(found, "large_vocabulary").message
    assert look_at(tmp_path, text_table(), roomy).findings == []


@pytest.mark.tensorflow
@pytest.mark.parametrize(
    "source",
    [
        {},
        {"columns": {"city": {"category": {"encode": "index"}}}},
        {"columns": {"city": {"category": {"max_categories": 2}}}},
        {"columns": {"note": {"text": {"output_mode": "multi_hot", "max_tokens": 100}}}},
        {"columns": {"note": {"text": {"output_mode": "count", "ngrams": 2}}}, "ignore": ["born"]},
        {"inputs": {"a_b": ["width", "born"], "c": ["city"], "d": ["length", "flag", "rooms"]}},
        {"features": ["note"]},
        {"features": ["width", "born", "flag"]},
    ],
    ids=str,
)
def test_inspect_inputs_are_those_that_training_makes(source: dict[str, Any], tmp_path: Path) -> None:
    frame = with_nulls(with_nulls(text_table(), "width", range(9)), "city", range(40, 49))
    born = pl.date_range(pl.date(1990, 1, 1), pl.date(1990, 1, 1) + pl.duration(days=ROWS - 1), eager=True)
    frame = with_nulls(put(frame, "born", born), "born", range(99))
    frame = put(frame, "flag", NUMBERS % 2 == 0)

    found = look_at(tmp_path, frame, source)

    loaded = load_spec(tmp_path / "spec.yaml")
    facts = load_facts(loaded.spec.data, losses=loaded.spec.training.loss, seed=0, validation_split=0.1)
    assert {one.name: (one.shape, one.dtype) for one in found.inputs} == {
        name: (one.shape, one.dtype) for name, one in facts.inputs.items()
    }
    assert sum(found.parts.values()) == facts.train + facts.test


def test_inspect_left_out_columns_are_named_with_reasons(tmp_path: Path) -> None:
    frame = put(put(clean(), "id", NUMBERS), "name", [f"N{row}" for row in range(ROWS)])

    found = look_at(tmp_path, frame, {"ignore": ["rooms"]})

    assert list(found.left_out) == ["rooms", "id", "name"]
    assert found.left_out["rooms"] == "ignore says so"
    assert "identifier" in found.left_out["id"]


def test_inspect_names_of_strangers_stay_as_they_are(tmp_path: Path) -> None:
    strange = ["$x_1$", "<b>bold</b>", "كلب", "猫\u202e[red]"]
    frame = clean().rename(dict(zip(["length", "width", "rooms", "city"], strange, strict=True)))

    found = look_at(tmp_path, frame)

    assert [column.name for column in found.columns] == strange
    assert json.loads(json.dumps(asdict(found)))["columns"][2]["name"] == "كلب"


def test_inspect_table_loads_no_tensorflow(tmp_path: Path) -> None:
    import subprocess
    import sys

    text_table().write_parquet(tmp_path / "table.parquet")
    write_spec(tmp_path, {"parquet": {"path": "table.parquet", "target": "y"}})
    program = (
        "import sys; from nnrun.cli.app import app\n"
        "try: app(['data', 'spec.yaml'])\n"
        "except SystemExit as end: assert not end.code, end.code\n"
        "assert not {'tensorflow', 'keras', 'matplotlib'} & set(sys.modules)"
    )

    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True)

    assert done.returncode == 0, done.stderr


def test_histogram_of_whole_numbers_has_bins_of_the_same_number_of_values() -> None:
    assert Histogram.of(np.array([1.0, 2, 2, 5])) == Histogram([1, 2, 0, 0, 1], 0.5, 5.5, whole=True)
    counts = Histogram.of(np.arange(1000)).counts  # type: ignore[union-attr]
    assert len(set(counts[:-1])) == 1
    assert sum(counts) == 1000
    assert Histogram.of(np.zeros(0)) is None


def test_column_of_few_rows_is_no_identifier(tmp_path: Path) -> None:
    columns: list[Column] = look_at(
        tmp_path, put(clean(), "rooms", NUMBERS)[:20], validation_split=0.0
    ).columns

    assert not any(column.names_rows for column in columns)
