"""What a run keeps of its files may be damaged or a stranger's: nothing of it is believed that cannot be so."""

from __future__ import annotations

import copy
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from nnrun.data import kept
from nnrun.data.kept import data_of_shapes, keep, read_kept, restore_reader
from nnrun.data.load import load_data
from nnrun.errors import DataError, RunError
from nnrun.spec.schema import Choice, DataSection

pytestmark = pytest.mark.tensorflow

RANDOM = np.random.default_rng(0)
COUNT = 80
FRAME = pl.DataFrame(
    {
        "a": RANDOM.normal(size=COUNT),
        "b": [True, False, None, True] * 20,
        "c": [f"k{index % 5}" for index in range(COUNT)],
        "d": [f"2021-{1 + index % 12:02d}-{1 + index % 28:02d}" for index in range(COUNT)],
        "t": [" ".join(f"w{word}" for word in RANDOM.integers(0, 30, 6)) for _ in range(COUNT)],
        "y": RANDOM.integers(0, 3, COUNT),
    }
)
COLUMNS = {
    "t": {"text": {"output_mode": "tf_idf", "max_tokens": 20}},
    "c": {"category": {"encode": "index"}},
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a table and what was kept of it."""
    folder = tmp_path_factory.mktemp("run")
    FRAME.write_csv(folder / "t.csv")
    source = Choice("csv", {"path": str(folder / "t.csv"), "target": "y", "columns": COLUMNS})
    data = load_data(
        DataSection(source=source),
        losses=Choice("sparse_categorical_crossentropy"),
        seed=1,
        validation_split=0,
        notify=lambda _: None,
    )
    assert data.reader is not None
    (folder / "good.json").write_text(keep(source, data.reader))
    return folder


@pytest.fixture
def good(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "good.json").read_text())
    return found


def read(folder: Path, content: Any) -> Any:
    (folder / kept.FILE).write_text(content if isinstance(content, str) else json.dumps(content))
    return read_kept(folder)


def test_what_is_kept_makes_the_same_inputs(folder: Path, good: dict[str, Any]) -> None:
    reader = restore_reader(read(folder, good))
    part = reader.read(str(folder / "t.csv"))
    fresh = restore_reader(read(folder, good)).examples(part, None)
    (streamed,) = reader.batches(str(folder / "t.csv"), 1000)

    assert part.y.tolist() == FRAME["y"].to_list()
    assert set(fresh) == {"numbers", "c"}  # type: ignore[arg-type]
    for name in fresh:
        assert np.array_equal(fresh[name], streamed[name])  # type: ignore[index, call-overload]
    assert fresh["c"][:5, 0].tolist() == [1, 2, 3, 4, 5]  # type: ignore[index, call-overload]


def test_keeping_again_keeps_the_same(folder: Path, good: dict[str, Any]) -> None:
    found = read(folder, good)

    assert json.loads(keep(found.choice, restore_reader(found))) == good


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    if isinstance(value, dict):
        for key in value:
            yield from places(value[key], (*path, key))
    elif isinstance(value, list):
        for index in range(min(2, len(value))):
            yield from places(value[index], (*path, index))


GONE = object()
STRANGE = [
    GONE,
    None,
    [],
    {},
    "",
    "x",
    -1,
    0,
    10**12,
    1e308,
    float("nan"),
    [-1],
    [10**12],
    True,
    [[1]],
    {"x": 1},
]


def changed(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    if not path:
        return new
    value = copy.deepcopy(value)
    inner = value
    for key in path[:-1]:
        inner = inner[key]
    if new is GONE:
        del inner[path[-1]]
    else:
        inner[path[-1]] = new
    return value


def test_strange_content_is_refused_or_harmless(folder: Path, good: dict[str, Any]) -> None:
    """Each value of the file is replaced by all kinds of others."""
    refused = harmless = 0
    start = time.perf_counter()
    for path in places(good):
        for new in STRANGE if path else STRANGE[1:]:
            try:
                found = read(folder, changed(good, path, new))
                reader = restore_reader(found)
                data_of_shapes(found)
            except RunError as error:
                assert error.exit_code == 4
                assert str(error).startswith(f"{folder / kept.FILE} is damaged: ")
                refused += 1
                continue
            harmless += 1
            try:
                for _ in reader.batches(str(folder / "t.csv"), 1000) if harmless % 5 == 0 else ():
                    pass
            except DataError:
                pass  # it names columns that the table does not have
    assert refused > 700
    assert 0 < harmless < 150
    assert time.perf_counter() - start < 30


DAMAGED: dict[str, tuple[tuple[Any, ...], Any, str]] = {
    "source": (("source",), "tar", ": an unknown source"),
    "huge input": (
        ("inputs", "c", "shape"),
        [10**6, 10**6],
        "inputs.c: Value error, an example of 1,000,000,000,000 numbers; expected at most 268,435,456",
    ),
    "other input": (
        ("inputs", "numbers", "shape"),
        [3],
        ": Value error, what preprocessing makes is not what the model's inputs are",
    ),
    "column": (
        ("preprocessing", "inputs", "numbers", 0, "numbers", "mean"),
        [0.0],
        "preprocessing.inputs.numbers.0.numbers: Value error, expected 6 values in fill, mean and variance, one for "
        "each column",
    ),
    "argument": (
        ("arguments", "separator"),
        ";;",
        "separator: expected text of at most 1 characters; found ';;' (text)",
    ),
    "preprocessing": (("preprocessing",), None, ": Value error, it does not say how a table becomes numbers"),
    "format": (("format",), 2, "format: Input should be 1"),
}


@pytest.mark.parametrize("case", DAMAGED)
def test_damage_is_named(case: str, folder: Path, good: dict[str, Any]) -> None:
    path, new, expected = DAMAGED[case]
    plain = tuple(key for index, key in enumerate(path) if key != "numbers" or path[index - 1] != 0)
    with pytest.raises(RunError) as caught:
        read(folder, changed(good, plain, new))
    assert str(caught.value) == f"{folder / kept.FILE} is damaged: {expected}"


@pytest.mark.parametrize("content", ["", "{", "[]", "null", "[" * 100_000, '"x"'])
def test_what_is_no_json_is_damaged(content: str, folder: Path) -> None:
    with pytest.raises(RunError, match="is damaged: "):
        read(folder, content)


def test_file_that_is_none_is_refused(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(RunError, match="is not there: the run was not trained on files of the user's own"):
        read_kept(tmp_path)
    (tmp_path / kept.FILE).symlink_to(folder / "good.json")
    with pytest.raises(RunError, match="is a symbolic link"):
        read_kept(tmp_path)
    (tmp_path / kept.FILE).unlink()
    (tmp_path / kept.FILE).mkdir()
    with pytest.raises(RunError, match="Is a directory"):
        read_kept(tmp_path)
    monkeypatch.setattr(kept, "MOST_BYTES", 100)
    with pytest.raises(RunError, match="is larger than nnrun writes it"):
        read(folder, " " * 101)


def test_new_files_need_the_columns_and_nothing_else(
    folder: Path, good: dict[str, Any], tmp_path: Path
) -> None:
    reader = restore_reader(read(folder, good))
    (expected,) = reader.batches(str(folder / "t.csv"), 1000)
    FRAME.select(pl.lit("extra").alias("z"), "t", "d", "c", "b", "a").write_csv(tmp_path / "n.csv")

    (found,) = reader.batches(str(tmp_path / "n.csv"), 1000)

    assert all(np.array_equal(found[name], expected[name]) for name in expected)  # type: ignore[index, call-overload]
    FRAME.drop("c", "y").write_csv(tmp_path / "n.csv")
    with pytest.raises(DataError, match=r"n.csv: there is no column 'c'; there are a, b, d, t"):
        list(reader.batches(str(tmp_path / "n.csv"), 1000))


@pytest.mark.parametrize(
    ("column", "value", "expected"),
    [
        (
            "a",
            "x",
            "row 3 (line 4), column 'a': expected a number, found 'x'; correct it, add it to missing, or say ",
        ),
        (
            "b",
            "1",
            "row 3 (line 4), column 'b': expected true or false, found '1'; correct it, add it to missing, or ",
        ),
        (
            "d",
            "soon",
            "row 3 (line 4), column 'd': expected a date, found 'soon'; correct it, or say how dates are ",
        ),
        (
            "a",
            "inf",
            "row 3 (line 4), column 'a': the value is infinite, or larger than 3.4e38; correct it, or leave ",
        ),
    ],
)
def test_new_value_that_cannot_be_is_refused_with_its_place(
    column: str, value: str, expected: str, folder: Path, good: dict[str, Any], tmp_path: Path
) -> None:
    rows = [dict(zip(FRAME.columns, map(str, row), strict=True)) for row in FRAME.fill_null(True).rows()]
    rows[2][column] = value
    lines = [",".join(FRAME.columns), *(",".join(row.values()).replace("True", "true") for row in rows)]
    (tmp_path / "n.csv").write_text("\n".join(lines).replace("False", "false") + "\n")

    with pytest.raises(DataError) as caught:
        list(restore_reader(read(folder, good)).batches(str(tmp_path / "n.csv"), 7))
    assert str(caught.value).removeprefix(f"{tmp_path}/").startswith(f"n.csv, {expected}")


def test_missing_and_unknown_values_are_no_mistake(
    folder: Path, good: dict[str, Any], tmp_path: Path
) -> None:
    (tmp_path / "n.csv").write_text("a,b,c,d,t\n,,,,\n1,true,new,2030-01-01,never seen\n")

    (found,) = restore_reader(read(folder, good)).batches(str(tmp_path / "n.csv"), 7)

    assert found["c"][:, 0].tolist() == [0, 0]  # type: ignore[index, call-overload]
    assert np.isfinite(found["numbers"]).all()  # type: ignore[index, call-overload]
