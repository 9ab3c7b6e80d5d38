"""What does not fit in memory is read in blocks: to the same numbers, in an order that the blocks can follow."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from nnrun.data import blocks, streaming
from nnrun.data.blocks import BlockFile, read_block, sample_blocks
from nnrun.data.load import Data, load_data
from nnrun.data.order import block_order, example_order
from nnrun.data.streaming import StreamedBlocks, as_whole, choose_cache, rows_in_block
from nnrun.errors import DataError
from nnrun.spec.schema import Choice, DataSection

COUNT, BLOCK = 1003, 100
RANDOM = np.random.default_rng(0)
FRAME = pl.DataFrame(
    {
        "a": [
            None if index % 17 == 0 else float(value) for index, value in enumerate(RANDOM.normal(size=COUNT))
        ],
        "b": RANDOM.integers(0, 50, COUNT),
        "c": [f"k{index % 5}" if index % 11 else None for index in range(COUNT)],
        "d": [datetime.date(2021, 1 + index % 12, 1 + index % 28) for index in range(COUNT)],
        "t": [" ".join(f"w{word}" for word in RANDOM.integers(0, 30, 6)) for _ in range(COUNT)],
        "y": RANDOM.integers(0, 3, COUNT),
    },
    schema_overrides={"a": pl.Float32},
)


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nnrun.data.table_reader.rows_in_block", lambda columns: BLOCK)


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The table as one CSV file and as three Parquet files with several row groups."""
    folder = tmp_path_factory.mktemp("tables")
    FRAME.write_csv(folder / "t.csv")
    FRAME[:400].write_parquet(folder / "1.parquet", row_group_size=90)
    FRAME[400:417].write_parquet(folder / "2.parquet")
    FRAME[417:].write_parquet(folder / "3.parquet", row_group_size=128)
    return folder


def load(folder: Path, kind: str, cache: str, seed: int = 1, **arguments: Any) -> Data:
    path = str(folder / ("t.csv" if kind == "csv" else "*.parquet"))
    columns = {"t": Choice("text", {"output_mode": "multi_hot", "max_tokens": 20})}
    return load_data(
        DataSection(
            source=Choice(kind, {"path": path, "target": "y", "columns": columns} | arguments), cache=cache
        ),
        losses=Choice("sparse_categorical_crossentropy"),
        seed=seed,
        validation_split=0.1,
        notify=lambda _: None,
    )


@pytest.mark.tensorflow
@pytest.mark.parametrize(("kind", "cache"), [("csv", "disk"), ("csv", "none"), ("parquet", "none")])
def test_streamed_table_is_the_one_in_memory(
    kind: str, cache: str, tables: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, small_blocks: None
) -> None:
    monkeypatch.setenv(blocks.CACHE_DIR, str(tmp_path))
    whole, streamed = load(tables, kind, "memory"), load(tables, kind, cache)

    assert streamed.cache == ("disk" if kind == "csv" else "none")
    assert streamed.reader.preprocessing == whole.reader.preprocessing  # type: ignore[union-attr]
    assert streamed.facts == whole.facts
    assert streamed.class_names == whole.class_names
    assert streamed.fingerprint == whole.fingerprint
    for name, rows in whole.split.items():
        part, expected = getattr(streamed, name), getattr(whole, name)
        assert isinstance(part, StreamedBlocks)
        assert np.array_equal(streamed.split[name], rows)
        assert np.array_equal(as_whole(part).x, expected.x)
        assert np.array_equal(part.y, expected.y)


@pytest.mark.tensorflow
def test_windows_give_any_rows_in_any_order(tables: Path, small_blocks: None) -> None:
    whole, streamed = load(tables, "parquet", "memory"), load(tables, "parquet", "none")
    rows = np.random.default_rng(2).permutation(len(whole.train))[:300]

    for size in (1, 7, 300, 1000):
        windows = list(streamed.train.windows(rows, size))  # type: ignore[union-attr]
        assert all(len(window) == size for window in windows[:-1])
        assert np.array_equal(np.concatenate(windows), whole.train.x[rows])  # type: ignore[index, union-attr]


@pytest.mark.tensorflow
def test_several_inputs_are_streamed_by_name(tables: Path, small_blocks: None) -> None:
    columns = {"c": Choice("category", {"encode": "index"})}
    whole, streamed = (
        load(tables, "parquet", cache, columns=columns, features=["a", "c"]) for cache in ("memory", "none")
    )
    (window,) = streamed.train.windows(np.arange(250), 250)  # type: ignore[union-attr]

    assert set(window) == {"numbers", "c"}
    for name, values in window.items():
        assert values.dtype == whole.train.x[name].dtype  # type: ignore[union-attr]
        assert np.array_equal(values, whole.train.x[name][:250])  # type: ignore[union-attr]


@pytest.mark.tensorflow
def test_few_blocks_are_read_and_none_twice_in_an_epoch(
    tables: Path, monkeypatch: pytest.MonkeyPatch, small_blocks: None
) -> None:
    streamed = load(tables, "parquet", "none").train
    read: list[int] = []
    block = streamed.reader.block  # type: ignore[union-attr]
    monkeypatch.setattr(
        streamed.reader,
        "block",
        lambda part, index: read.append(index) or block(part, index),  # type: ignore[union-attr, func-returns-value]
    )

    for shuffle in (False, True):
        order = streamed.order(seed=1, epoch=0, shuffle=shuffle)  # type: ignore[union-attr]
        for _ in streamed.windows(order, 16):  # type: ignore[union-attr]
            pass
        assert sorted(read) == list(range(11))
        read.clear()


def test_wide_tables_have_small_blocks() -> None:
    assert rows_in_block(0) == rows_in_block(4) == streaming.BLOCK_ROWS
    assert rows_in_block(1_000) == 4_000
    assert rows_in_block(1_000_000) == 256


def test_examples_stay_where_they_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streaming, "available_bytes", lambda: 1_000)

    assert [choose_cache(size, in_place=True) for size in (400, 401)] == ["memory", "none"]
    assert [choose_cache(size, in_place=False) for size in (400, 401)] == ["memory", "disk"]


@pytest.mark.tensorflow
def test_auto_decides_by_the_memory(tables: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(blocks.CACHE_DIR, str(tmp_path))
    assert load(tables, "csv", "auto").cache == "memory"
    monkeypatch.setattr(streaming, "available_bytes", lambda: 1_000)
    assert load(tables, "csv", "auto").cache == "disk"
    assert load(tables, "parquet", "auto").cache == "none"


@pytest.mark.tensorflow
def test_copy_of_a_csv_file_is_made_once_and_anew_when_it_changes(
    tables: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(blocks.CACHE_DIR, str(tmp_path / "cache"))
    (tmp_path / "t.csv").write_bytes((tables / "t.csv").read_bytes())

    def copies() -> dict[str, int]:
        load(tmp_path, "csv", "disk")
        return {path.name: path.stat().st_mtime_ns for path in (tmp_path / "cache" / "tables").iterdir()}

    first = copies()
    assert copies() == first
    FRAME[:-1].write_csv(tmp_path / "t.csv")
    assert len(copies()) == 2
    load(tmp_path, "csv", "disk", missing=["k1"])
    assert len(copies()) == 3


@pytest.fixture
def files(tables: Path) -> list[BlockFile]:
    return [BlockFile.measure(path) for path in sorted(tables.glob("*.parquet"))]


@pytest.mark.parametrize("size", [1, 17, 100, 400, 417, 5_000])
def test_blocks_are_the_table(size: int, files: list[BlockFile]) -> None:
    types = {"b": pl.Float32, "c": pl.String}
    indices = range(0, COUNT, size) if size > 1 else [0, 399, 400, 416, 417, 1002]

    for index in [begin // size for begin in indices]:
        expected = FRAME.select(pl.col("b").cast(pl.Float32), "c")[index * size : (index + 1) * size]
        assert read_block(files, types, index, size).equals(expected)


def test_sample_of_all_blocks_is_the_table(files: list[BlockFile]) -> None:
    rows = np.flatnonzero(np.arange(COUNT) % 3)
    frame, found = sample_blocks(files, {"b": None}, rows, BLOCK)

    assert frame["b"].to_list() == FRAME["b"].to_list()
    assert np.array_equal(found, rows)


def test_sample_of_some_blocks_is_spread_over_the_table(
    files: list[BlockFile], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blocks, "SAMPLED_ROWS", 3 * BLOCK)
    rows = np.flatnonzero(np.arange(COUNT) % 3)

    frame, found = sample_blocks(files, {"b": None}, rows, BLOCK)

    expected = [row for row in rows.tolist() if row // BLOCK in (0, 5, 10)]
    assert frame[found]["b"].to_list() == FRAME["b"].gather(expected).to_list()


CHANGES = {
    "cut": lambda path: path.write_bytes(path.read_bytes()[:1000]),
    "shorter": lambda path: pl.read_parquet(path)[:-50].write_parquet(path),
    "another column": lambda path: pl.read_parquet(path).drop("b").write_parquet(path),
    "other values": lambda path: pl.read_parquet(path).with_columns(pl.col("b") + 1).write_parquet(path),
    "gone": lambda path: path.unlink(),
}


@pytest.mark.parametrize("change", CHANGES)
def test_file_that_changes_while_it_is_in_use_is_refused(change: str, tables: Path, tmp_path: Path) -> None:
    path = tmp_path / "3.parquet"
    path.write_bytes((tables / "3.parquet").read_bytes())
    measured = [BlockFile.measure(path)]
    read_block(measured, {"b": pl.Float32}, 2, BLOCK)

    CHANGES[change](path)

    what = (
        "is gone while it is in use: No such file or directory"
        if change == "gone"
        else "was changed while it was in use; put it back as it was, then the run can be resumed"
    )
    with pytest.raises(DataError) as caught:
        read_block(measured, {"b": pl.Float32}, 2, BLOCK)
    assert str(caught.value) == f"{path} {what}"


BOUNDS = np.array([0, 10, 10, 37, 40, 90, 103])


@pytest.mark.parametrize("pool", [1, 2, 4, 100])
def test_order_of_blocks_is_a_permutation_and_a_function_of_seed_and_epoch(pool: int) -> None:
    def order(seed: int, epoch: int) -> list[int]:
        return block_order(BOUNDS, pool, seed=seed, epoch=epoch, shuffle=True).tolist()

    assert sorted(order(1, 0)) == list(range(103))
    assert order(1, 0) == order(1, 0)
    assert len({tuple(order(seed, epoch)) for seed in (1, 2) for epoch in (0, 1, 2)}) == 6
    assert block_order(BOUNDS, pool, seed=1, epoch=0, shuffle=False).tolist() == list(range(103))


def test_order_opens_a_pool_of_blocks_at_a_time() -> None:
    bounds = np.arange(0, 1001, 50)
    order = block_order(bounds, 4, seed=1, epoch=0, shuffle=True)

    pools = [set((order[begin : begin + 200] // 50).tolist()) for begin in range(0, 1000, 200)]
    assert [len(pool) for pool in pools] == [4] * 5
    assert set.union(*pools) == set(range(20))
    assert len(set(order[:50] // 50)) == 4  # rows of all four, not one block after the other


def test_order_in_memory_is_a_permutation_and_a_function_of_seed_and_epoch() -> None:
    orders = {
        tuple(example_order(50, seed=seed, epoch=epoch, shuffle=True).tolist())
        for seed in (1, 2)
        for epoch in (0, 1)
        for _ in range(2)
    }
    assert len(orders) == 4
    assert all(sorted(order) == list(range(50)) for order in orders)
    assert example_order(50, seed=1, epoch=9, shuffle=False).tolist() == list(range(50))


@pytest.mark.tensorflow
def test_infinite_value_is_named_by_its_row_of_all_files(tmp_path: Path, small_blocks: None) -> None:
    values = [float(index) for index in range(250)]
    labels = ["a", "b"] * 125
    pl.DataFrame({"x": values, "y": labels}).write_parquet(tmp_path / "1.parquet")
    values[170] = float("inf")
    pl.DataFrame({"x": values, "y": labels}).write_parquet(tmp_path / "2.parquet")
    source = Choice(
        "parquet", {"path": str(tmp_path / "1.parquet"), "target": "y", "test": str(tmp_path / "2.parquet")}
    )
    data = load_data(
        DataSection(source=source, cache="none"),
        losses=Choice("binary_crossentropy"),
        seed=1,
        validation_split=0,
        notify=lambda _: None,
    )

    with pytest.raises(DataError, match=r"^2.parquet, row 171, column 'x': the value is infinite"):
        as_whole(data.test)  # type: ignore[arg-type]
