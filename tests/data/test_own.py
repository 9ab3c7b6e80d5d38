"""The user's own files divided into what is learned from and what is held out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from nnrun.data.load import Data, load_data, load_facts
from nnrun.data.own import divide
from nnrun.data.table_reader import BlockPart
from nnrun.data.targets import Targets
from nnrun.errors import DataError
from nnrun.spec.schema import Choice, DataSection

pytestmark = pytest.mark.tensorflow

COUNT = 101
FRAME = pl.DataFrame(
    {
        "x": [index * 0.5 for index in range(COUNT)],
        "y": [["a", "b", "b"][index % 3] for index in range(COUNT)],
    }
)
LOSS = Choice("sparse_categorical_crossentropy")


def load(
    path: Path, loss: Choice = LOSS, seed: int = 1, validation_split: float = 0, **arguments: Any
) -> Data:
    source = Choice("csv", {"path": str(path / "t.csv"), "target": "y", **arguments})
    return load_data(
        DataSection(source=source),
        losses=loss,
        seed=seed,
        validation_split=validation_split,
        notify=pytest.fail,
    )


@pytest.fixture
def table(tmp_path: Path) -> Path:
    FRAME.write_csv(tmp_path / "t.csv")
    return tmp_path


def part_of(y: Any) -> BlockPart:
    return BlockPart([], np.asarray(y), "t.csv", 1)


@pytest.mark.parametrize("test_split", [0, 0.2, 0.37])
@pytest.mark.parametrize("validation_split", [0, 0.1, 0.5])
def test_each_row_is_in_one_part(test_split: float, validation_split: float) -> None:
    y = np.arange(COUNT) % 3
    targets = Targets(columns=["y"], classes=["a", "b", "c"])

    split = divide(part_of(y), targets, test_split, validation_split, seed=4)

    assert sorted(np.concatenate(list(split.values())).tolist()) == list(range(COUNT))
    for rows in split.values():
        assert (np.diff(rows) > 0).all()
    held = round(COUNT * test_split)
    assert len(split["test"]) == held
    assert abs(len(split["validation"]) - (COUNT - held) * validation_split) <= 0.5
    for rows in split.values():
        shares = np.bincount(y[rows], minlength=3)
        assert shares.max() - shares.min() <= 2


def test_division_is_a_function_of_the_seed() -> None:
    targets = Targets(columns=["y"])
    y = np.linspace(0, 1, COUNT, dtype=np.float32)

    first, again, other = (divide(part_of(y), targets, 0.2, 0.1, seed=seed) for seed in (1, 1, 2))

    assert all(np.array_equal(first[name], again[name]) for name in first)
    assert not np.array_equal(first["test"], other["test"])


def test_test_part_does_not_depend_on_the_validation_part() -> None:
    targets, y = Targets(columns=["y"], classes=["a", "b"]), np.arange(COUNT) % 2

    without, with_one = (divide(part_of(y), targets, 0.2, share, seed=1) for share in (0, 0.3))

    assert np.array_equal(without["test"], with_one["test"])


def test_examples_are_the_rows_of_the_split(table: Path) -> None:
    data = load(table, validation_split=0.25)

    raw = FRAME["x"].to_numpy()
    learned = raw[data.split["train"]]
    labels = np.array(["ab".index(one) for one in FRAME["y"]])
    for name, rows in data.split.items():
        part = getattr(data, name)
        np.testing.assert_allclose(part.x[:, 0], (raw[rows] - learned.mean()) / learned.std(), atol=1e-5)
        assert part.y.tolist() == labels[rows].tolist()
    assert data.class_names == ("a", "b")
    assert (data.facts.train, data.facts.test) == (81, 20)


def test_parts_with_files_of_their_own_are_all_of_them(table: Path) -> None:
    FRAME[:10].reverse().write_csv(table / "v.csv")
    FRAME[90:].select("y", "x").write_csv(table / "e.csv")

    data = load(table, validation=str(table / "v.csv"), test=str(table / "e.csv"))

    assert [len(part) for part in (data.train, data.validation, data.test)] == [101, 10, 11]  # type: ignore[arg-type]
    assert (data.facts.train, data.facts.test) == (101, 11)
    assert np.array_equal(data.validation.x, data.train.x[:10][::-1])  # type: ignore[union-attr]
    assert np.array_equal(data.test.x, data.train.x[90:])  # type: ignore[union-attr]
    assert data.test.y.tolist() == data.train.y[90:].tolist()  # type: ignore[union-attr]


def test_class_that_only_a_held_out_file_has_is_refused(table: Path) -> None:
    (table / "e.csv").write_text("y,x\na,1\nz,2\n")

    with pytest.raises(DataError) as caught:
        load(table, test=str(table / "e.csv"))
    assert (
        str(caught.value) == "e.csv, row 2 (line 3): 'z' is no class of the target 'y'; the classes are a, b"
    )


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"test_split": 0.999}, "test_split: 0.999 of 101 examples leaves no training example"),
        ({"test_split": 0.001}, "test_split: 0.001 of 101 examples leaves no held-out example"),
        (
            {"validation_split": 0.999},
            "training.validation_split: 0.999 of 81 examples leaves no training example",
        ),
    ],
)
def test_part_without_examples_is_refused(arguments: dict[str, Any], expected: str, table: Path) -> None:
    with pytest.raises(DataError) as caught:
        load(table, **arguments)
    assert str(caught.value) == expected


def test_class_of_one_example_needs_no_division(table: Path) -> None:
    (table / "t.csv").write_text("x,y\n1,a\n2,a\n3,b\n")

    with pytest.raises(
        DataError, match=r"t.csv: the class 'b' has one example only, row 3; it cannot be both"
    ):
        load(table)
    assert len(load(table, test_split=0).train) == 3


def test_constant_number_to_predict_is_refused(table: Path) -> None:
    FRAME.with_columns(pl.lit(2.5).alias("y")).write_csv(table / "t.csv")

    with pytest.raises(DataError, match=r"t.csv: the target 'y' is the same in all rows \(2.5\)"):
        load(table, Choice("mse"))


def test_facts_are_those_of_the_examples(table: Path) -> None:
    section = DataSection(source=Choice("csv", {"path": str(table / "t.csv"), "target": "y"}))

    found = load_facts(section, losses=LOSS, seed=1, validation_split=0.1)

    assert found == load(table, validation_split=0.1).facts


def test_fingerprint_tells_the_content_and_not_the_name(table: Path) -> None:
    first = load(table).fingerprint
    (table / "t.csv").rename(table / "u.csv")
    FRAME.write_csv(table / "t.csv")
    again = load(table).fingerprint
    FRAME[:-1].write_csv(table / "t.csv")

    assert first == again != load(table).fingerprint


def test_left_out_columns_are_told(table: Path) -> None:
    FRAME.with_row_index("id").write_csv(table / "t.csv")

    assert load(table).notes == (
        "id is left out: it looks like an identifier; to use it write columns: {id: number}",
    )
