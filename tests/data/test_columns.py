"""What columns are by the look of them, and by the specification."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from nnrun.data.columns import Columns, choose_columns, infer_kind
from nnrun.data.tables import sample_table
from nnrun.errors import DataError
from nnrun.spec.file_sources import (
    CategoryColumn,
    CsvSource,
    DateColumn,
    NumberColumn,
    TextColumn,
)
from nnrun.spec.schema import Choice

COUNT = 60

LOOKS: dict[str, tuple[list[Any], Any]] = {
    "numbers": ([index * 0.5 for index in range(COUNT)], NumberColumn()),
    "few whole numbers": ([index % 3 for index in range(COUNT)], NumberColumn()),
    "truth values": (
        ["true" if index % 2 else "false" for index in range(COUNT)],
        NumberColumn(scale="none", missing="zero"),
    ),
    "dates": ([f"2021-03-{index % 28 + 1:02d}" for index in range(COUNT)], DateColumn()),
    "German dates": ([f"{index % 28 + 1:02d}.03.2021" for index in range(COUNT)], DateColumn()),
    "times": ([f"{index % 24:02d}:30:00" for index in range(COUNT)], DateColumn(parts=["hour", "minute"])),
    "moments": ([f"2021-03-04 {index % 24:02d}:30:00" for index in range(COUNT)], DateColumn()),
    "categories": ([f"k{index % 7}" for index in range(COUNT)], CategoryColumn()),
    "categories of several words": (
        [f"this is the kind {index % 7}" for index in range(COUNT)],
        CategoryColumn(),
    ),
    "texts": ([f"word {index} and some more" for index in range(COUNT)], TextColumn()),
    "names": (
        [f"name {index}" for index in range(COUNT)],
        "60 different texts in 60 rows; to use it write columns: {c: text} or category",
    ),
    "numbers with gaps": ([index * 0.5 if index % 5 else "" for index in range(COUNT)], NumberColumn()),
    "quoted numbers": ([f'"{index}"' for index in range(COUNT)], NumberColumn()),
    "numbers behind spaces": ([f"  {index}.5" for index in range(COUNT)], NumberColumn()),
}


def sample_of(path: Path, values: list[Any], name: str = "c") -> pl.DataFrame:
    path.write_text(
        "\n".join([f"{name},y", *(f"{value},{index % 2}" for index, value in enumerate(values))]) + "\n"
    )
    return sample_table(CsvSource(path=str(path), target="y"), str(path))


@pytest.mark.parametrize("case", LOOKS)
def test_column_is_what_it_looks_like(case: str, tmp_path: Path) -> None:
    values, expected = LOOKS[case]

    assert infer_kind(sample_of(tmp_path / "t.csv", values)["c"], "t.csv") == expected


@pytest.mark.parametrize("name", ["id", "ID", "user_id", "Unnamed: 0", "index", "no"])
def test_whole_numbers_that_are_all_different_under_such_a_name_are_an_identifier(
    name: str, tmp_path: Path
) -> None:
    kind = infer_kind(sample_of(tmp_path / "t.csv", list(range(COUNT)), name)[name], "t.csv")

    assert kind == f"it looks like an identifier; to use it write columns: {{{name}: number}}"
    assert infer_kind(sample_of(tmp_path / "t.csv", list(range(COUNT)), "size")["size"], "") == NumberColumn()
    repeated = [index // 2 for index in range(COUNT)]
    assert infer_kind(sample_of(tmp_path / "t.csv", repeated, name)[name], "") == NumberColumn()


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (
            [index if index != 7 else "?!" for index in range(COUNT)],
            "t.csv, row 8 (line 9), column 'c': expected a number, found '?!'; correct it, add it to missing, or say "
            "columns: {c: category}",
        ),
        (
            [f"2021-03-{index % 28 + 1:02d}" if index != 9 else "2021-02-30" for index in range(COUNT)],
            "t.csv, row 10 (line 11), column 'c': expected a date, found '2021-02-30'; correct it, add it to missing, "
            "or say columns: {c: category}",
        ),
        (
            [""] * COUNT,
            "t.csv: column 'c' has no value in the first 60 rows; write ignore: [c], or remove it",
        ),
    ],
)
def test_column_that_is_nearly_something_is_refused(values: list[Any], expected: str, tmp_path: Path) -> None:
    source = CsvSource(path=str(tmp_path / "t.csv"), target="y")
    with pytest.raises(DataError) as caught:
        choose_columns(source, sample_of(tmp_path / "t.csv", values), "t.csv")
    assert str(caught.value) == expected


def test_column_with_a_tenth_of_words_is_no_mistake(tmp_path: Path) -> None:
    values = [index % 5 if index % 8 else "none at all" for index in range(COUNT)]

    assert infer_kind(sample_of(tmp_path / "t.csv", values)["c"], "t.csv") == CategoryColumn()


FRAME = pl.DataFrame(
    {
        "b": [0.5, 1.5] * 20,
        "id": range(40),
        "a": ["u", "v"] * 20,
        "y": ["k", "l"] * 20,
        "z": [index * 0.5 for index in range(40)],
    }
)


def chosen(path: Path, **arguments: Any) -> Columns:
    FRAME.write_csv(path / "t.csv")
    source = CsvSource(path=str(path / "t.csv"), **({"target": "y"} | arguments))
    return choose_columns(source, FRAME, "t.csv")


def test_columns_keep_the_order_of_the_file(tmp_path: Path) -> None:
    columns = chosen(tmp_path)

    assert list(columns.features) == ["b", "a", "z"]
    assert columns.targets == ["y"]
    assert columns.inferred == {"b", "a", "z"}
    assert columns.left_out == {"id": "it looks like an identifier; to use it write columns: {id: number}"}


def test_columns_that_are_named_come_in_that_order(tmp_path: Path) -> None:
    assert list(chosen(tmp_path, features=["z", "b"]).features) == ["z", "b"]
    assert list(chosen(tmp_path, inputs={"one": ["z"], "two": ["a", "b"]}).features) == ["z", "a", "b"]


def test_columns_are_what_the_specification_says(tmp_path: Path) -> None:
    columns = chosen(
        tmp_path, columns={"b": Choice("category"), "id": Choice("number", {"scale": "none"})}, ignore=["z"]
    )

    assert columns.features == {
        "b": CategoryColumn(),
        "id": NumberColumn(scale="none"),
        "a": CategoryColumn(),
    }
    assert columns.left_out == {"z": "ignore says so"}
    assert columns.inferred == {"a"}


def test_several_targets_are_no_features(tmp_path: Path) -> None:
    columns = chosen(tmp_path, target=["z", "b"])

    assert columns.targets == ["z", "b"]
    assert list(columns.features) == ["a", "y"]


def test_identifier_that_is_named_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"t.csv: column 'id': it looks like an identifier; to use it write"):
        chosen(tmp_path, features=["id", "b"])


def test_nothing_to_predict_from_is_refused_with_the_reasons(tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        chosen(tmp_path, ignore=["a", "b", "z"])
    assert str(caught.value) == (
        "t.csv: no column is left to predict y from (a: ignore says so; b: ignore says so; z: ignore says so; "
        "id: it looks like an identifier; to use it write columns: {id: number})"
    )
