"""Streamed trainings: the same weights as in memory, bit for bit after a kill, and an end in time when a file fails."""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from killing import verify_apart
from quiet import Quiet

from nnrun import experiment, inference
from nnrun.data import blocks
from nnrun.errors import DataError
from nnrun.store.run import Run
from nnrun.training import stream
from nnrun.training.stream import ahead
from nnrun.verification import Kill

COUNT, BLOCK = 607, 64
RANDOM = np.random.default_rng(1)
FRAME = pl.DataFrame(
    {
        "a": RANDOM.normal(size=COUNT),
        "b": [None if index % 9 == 0 else f"k{index % 4}" for index in range(COUNT)],
        "y": RANDOM.integers(0, 3, COUNT),
    }
)

SPEC = """
data:
  source: {{{kind}: {{path: {path}, target: y}}}}
  cache: {cache}
model:
  layers:
    - Dense: {{units: 6, activation: relu}}
    - Dropout: {{rate: 0.2}}
    - Dense: {{units: 3, activation: softmax}}
training:
  loss: sparse_categorical_crossentropy
  metrics: [accuracy]
  epochs: 2
  batch_size: 16
  validation_split: 0.1
  shuffle: {shuffle}
seed: 5
"""


def make_small(patch: pytest.MonkeyPatch) -> None:
    """Blocks and windows of which a small table has several."""
    patch.setattr("nnrun.data.table_reader.rows_in_block", lambda columns: BLOCK)
    patch.setattr(stream, "WINDOW_BYTES", 16 * 6 * 4 * 3)  # three steps


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    make_small(monkeypatch)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    FRAME.write_csv(tmp_path / "t.csv")
    FRAME[:250].write_parquet(tmp_path / "1.parquet", row_group_size=90)
    FRAME[250:].write_parquet(tmp_path / "2.parquet")
    monkeypatch.setenv(blocks.CACHE_DIR, str(tmp_path / "cache"))
    return tmp_path


def write_spec(folder: Path, kind: str, cache: str, *, shuffle: bool) -> Path:
    path = "t.csv" if kind == "csv" else "'*.parquet'"
    text = SPEC.format(kind=kind, path=path, cache=cache, shuffle=str(shuffle).lower())
    (folder / "x.yaml").write_text(text)
    return folder / "x.yaml"


def train(folder: Path, kind: str, cache: str, *, shuffle: bool = False, display: Any = None) -> Run:
    spec = write_spec(folder, kind, cache, shuffle=shuffle)
    return experiment.train(spec, display=display or Quiet(), runs_dir=folder / "runs")[0]


def weights_of(run: Run) -> dict[str, Any]:
    return run.checkpoints.read_model()[1]


def assert_same(run: Run, other: Run) -> None:
    found, expected = weights_of(run), weights_of(other)
    assert found.keys() == expected.keys()
    for name, array in found.items():
        assert np.array_equal(array, expected[name]), name
    assert run.result()["test"] == other.result()["test"]  # type: ignore[index]
    assert [row["val_loss"] for row in run.rows()] == [row["val_loss"] for row in other.rows()]
    assert (run.path / "preprocessing.json").read_text() == (other.path / "preprocessing.json").read_text()


@pytest.mark.tensorflow
def test_streamed_training_gives_the_weights_of_the_one_in_memory(folder: Path, small: None) -> None:
    for kind, cache in (("csv", "disk"), ("parquet", "none")):
        streamed, whole = train(folder, kind, cache), train(folder, kind, "memory")

        assert_same(streamed, whole)
        assert "cache: " + cache in streamed.config_path.read_text()
        predicted, expected = (
            inference.predict(str(run.path), display=Quiet())[1].outputs for run in (streamed, whole)
        )
        for name, values in expected.items():
            assert np.array_equal(predicted[name], values)


@pytest.mark.tensorflow
def test_streamed_training_does_not_depend_on_the_size_of_windows(
    folder: Path, small: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = train(folder, "parquet", "none", shuffle=True)
    monkeypatch.setattr(stream, "WINDOW_BYTES", 1)
    assert_same(train(folder, "parquet", "none", shuffle=True), first)
    monkeypatch.setattr(stream, "WINDOW_BYTES", 1 << 30)
    assert_same(train(folder, "parquet", "none", shuffle=True), first)


def middle(steps: int) -> Sequence[Kill]:
    """Inside of the first window, at a border, and inside of one in the second epoch."""
    return [Kill(2), Kill(6, "replace"), Kill(steps // 2 + 5)]


@pytest.mark.tensorflow
def test_streamed_training_goes_on_to_the_same_bits(folder: Path) -> None:
    spec = write_spec(folder, "csv", "disk", shuffle=True)

    found = verify_apart(spec, middle, plant=make_small)

    assert [differences for _, differences in found] == [()] * 3  # type: ignore[str-unpack]
    assert list((folder / "cache" / "tables").iterdir())


def in_the_middle(steps: int) -> Sequence[Kill]:
    return [Kill(8)]


def shuffle_blocks_anew(patch: pytest.MonkeyPatch) -> None:
    """The order of the blocks depends on the process."""
    import os

    from nnrun.data import streaming

    make_small(patch)
    order = streaming.block_order

    def by_process(*arguments: Any, seed: int, **options: Any) -> Any:
        return order(*arguments, seed=seed + os.getpid() % 1000, **options)

    patch.setattr(streaming, "block_order", by_process)


@pytest.mark.tensorflow
def test_order_that_depends_on_the_process_is_found(folder: Path) -> None:
    spec = write_spec(folder, "parquet", "none", shuffle=True)

    ((_, differences),) = verify_apart(spec, in_the_middle, plant=shuffle_blocks_anew)  # type: ignore[misc]
    assert differences


class Spoiler(Quiet):
    """Does something to a file after the first epoch."""

    def __init__(self, spoil: Any) -> None:
        super().__init__()
        self._spoil = spoil

    def on_epoch(self, row: dict[str, Any], position: Any) -> None:
        if position.epoch == 1:
            self._spoil()


@pytest.mark.tensorflow
@pytest.mark.parametrize("how", ["cut", "gone"])
def test_file_that_fails_in_a_training_ends_it_in_time(how: str, folder: Path, small: None) -> None:
    path = folder / "2.parquet"
    content = path.read_bytes()
    spoil = path.unlink if how == "gone" else lambda: path.write_bytes(content[:500])
    before = threading.active_count()
    start = time.perf_counter()

    with pytest.raises(DataError, match=r"2\.parquet (is gone|was changed) while it"):
        train(folder, "parquet", "none", shuffle=True, display=Spoiler(spoil))

    assert time.perf_counter() - start < 20
    assert threading.active_count() <= before + 1
    (run,) = [
        Run(one) for one in (folder / "runs").iterdir() if one.is_dir() and not one.name.startswith(".")
    ]
    path.write_bytes(content)
    resumed, ending = experiment.resume(str(run.path), display=Quiet())
    assert ending.reason == "epochs"
    shutil.move(folder / "runs", folder / "others")
    assert_same(Run(folder / "others" / resumed.id), train(folder, "parquet", "none", shuffle=True))


def test_ahead_gives_all_values_and_then_the_error() -> None:
    def values() -> Iterator[int]:
        yield from (1, 2, 3)
        raise DataError("no more")

    found = []
    with pytest.raises(DataError, match="no more"):
        for value in ahead(values()):
            found.append(value)
    assert found == [1, 2, 3]
    assert list(ahead(iter([]))) == []


def test_ahead_reads_few_values_and_ends_its_thread_when_it_is_let_go() -> None:
    made: list[int] = []
    before = threading.active_count()
    values = ahead(made.append(number) or number for number in range(1, 1000))  # type: ignore[func-returns-value]

    assert next(values) == 1
    time.sleep(0.1)
    assert 1 <= len(made) <= 1 + stream.AHEAD
    del values
    assert threading.active_count() == before


def test_process_ends_while_something_is_read_ahead() -> None:
    program = (
        "import itertools, time\n"
        "from nnrun.training.stream import ahead\n"
        "values = ahead(time.sleep(0.05) or one for one in itertools.count(1))\n"
        "next(values)\n"
        "raise KeyboardInterrupt\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=30)

    assert done.returncode != 0
    assert done.stderr.rstrip().endswith("KeyboardInterrupt")
