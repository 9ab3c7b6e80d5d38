"""Listing many runs: what is known of each, what is damaged, and an index that never says anything else."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from made_runs import make_run, settle

from nnrun.errors import ResourceError, RunError
from nnrun.store import index, listing
from nnrun.store.labels import Labels
from nnrun.store.listing import Record, list_records, read_record
from nnrun.store.values import better, brief


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    return tmp_path / "runs"


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The ids of the runs whose files are read."""
    found: list[str] = []

    def noting(run: Any) -> Record:
        found.append(run.id)
        return read_record(run)

    monkeypatch.setattr(listing, "read_record", noting)
    return found


def ids(records: list[Record]) -> list[str]:
    return [record.run.id for record in records]


def test_runs_are_listed_newest_first_whatever_their_names(runs: Path) -> None:
    made = [make_run(runs, name=name) for name in ("b", "c", "a")]

    assert ids(list_records(runs)) == [made[2].id, made[1].id, made[0].id]
    assert ids(list_records(runs)) == [made[2].id, made[1].id, made[0].id]


def test_facts_of_a_finished_run_are_known(runs: Path) -> None:
    run = make_run(runs, test={"loss": 0.3, "accuracy": 0.75}, tags="paper")
    Labels(["baseline", "paper"], "note").write(run)

    (record,) = list_records(runs)

    assert (record.name, record.state, record.epochs, record.planned) == ("xor", "finished", 3, 3)
    assert (record.monitor, record.best, record.test) == ("val_loss", 0.4, ("accuracy", 0.75))
    assert (record.tags, record.labels.note) == (["paper", "baseline"], "note")


def test_unfinished_run_tells_its_best_epoch_so_far(runs: Path) -> None:
    make_run(runs, finished=False, losses=(0.9, 0.3, 0.8), epochs=10)

    (record,) = list_records(runs)

    assert (record.state, record.epochs, record.planned, record.best) == ("interrupted", 3, 10, 0.3)
    assert record.result["final"]["val_loss"] == 0.8


def test_state_follows_the_lock_and_what_is_there(runs: Path) -> None:
    lost, held, _ = (make_run(runs, finished=finished) for finished in (False, False, True))
    lost.write_divergence({"seen": "loss is nan"})
    settle(runs)

    for _ in range(2):  # read, then from the index
        with held.lock():
            settle(runs)
            assert [record.state for record in list_records(runs)] == ["finished", "running", "diverged"]
    assert [record.state for record in list_records(runs)] == ["finished", "interrupted", "diverged"]


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("run.json", b"{", "run.json is damaged"),
        ("run.json", b'{"format": 99}', "was written by a newer nnrun"),
        ("result.json", b"[]", "result.json is damaged: it holds no map"),
        ("result.json", b'{"a":' * 990 + b"1" + b"}" * 990, "is damaged"),
        ("config.yaml", b"a: [", "config.yaml:1:"),
        ("config.yaml", b"- a", "config.yaml is damaged: it holds no map"),
        ("config.yaml", None, "config.yaml does not exist"),
        ("labels.json", b'{"format": 1}', "labels.json is damaged"),
        ("diverged.json", b"x", "diverged.json is damaged"),
    ],
)
def test_damaged_run_is_listed_as_damaged_among_the_others(
    name: str, content: bytes | None, said: str, runs: Path
) -> None:
    first, bad, last = (make_run(runs) for _ in range(3))
    if content is None:
        (bad.path / name).unlink()
    else:
        (bad.path / name).write_bytes(content)
    settle(runs)

    for _ in range(2):
        found = {record.run.id: record for record in list_records(runs)}
        assert {run.id: found[run.id].state for run in (first, bad, last)} == {
            first.id: "finished",
            bad.id: "damaged",
            last.id: "finished",
        }
        assert said in found[bad.id].problems[0]


def test_damaged_rows_of_an_unfinished_run_are_told(runs: Path) -> None:
    run = make_run(runs, finished=False)
    (run.path / "metrics.jsonl").write_bytes(b"no json\n")

    (record,) = list_records(runs)

    assert (record.state, record.epochs) == ("damaged", None)
    assert "metrics.jsonl:1 is damaged" in record.problems[0]


def test_links_in_the_folder_of_runs_are_not_followed(runs: Path, tmp_path: Path) -> None:
    outside = make_run(tmp_path / "outside")
    make_run(runs)
    (runs / "link").symlink_to(outside.path)
    (runs / "inner").mkdir()
    (runs / "inner" / "run.json").symlink_to(outside.path / "run.json")

    assert len(list_records(runs)) == 1


def test_folder_that_is_not_there_has_no_runs_and_gets_no_index(runs: Path) -> None:
    assert list_records(runs) == []
    assert not runs.exists()


def test_folder_that_may_not_be_read_is_named(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "scandir", refuse)

    with pytest.raises(RunError, match=f"cannot read {runs}: Permission denied"):
        list_records(runs)


def test_second_listing_reads_no_run_and_says_the_same(runs: Path, read: list[str]) -> None:
    for test in (None, {"accuracy": 0.5}):
        Labels(["tag"], "note").write(make_run(runs, test=test))
    make_run(runs, finished=False)
    settle(runs)

    first = list_records(runs)
    assert len(read) == 3
    read.clear()
    second = list_records(runs)

    assert read == []
    assert second == first


@pytest.mark.parametrize(
    "name", ["run.json", "result.json", "config.yaml", "metrics.jsonl", "labels.json", "diverged.json"]
)
@pytest.mark.parametrize("how", ["content", "time", "gone"])
def test_run_of_which_a_file_changed_is_read_again(name: str, how: str, runs: Path, read: list[str]) -> None:
    run, _ = make_run(runs), make_run(runs)
    Labels(["tag"]).write(run)
    run.write_divergence({"seen": "x"})
    settle(runs)
    list_records(runs)
    read.clear()
    path = run.path / name
    before = path.stat()

    if how == "content":
        path.write_bytes(path.read_bytes() + b"\n")
        os.utime(path, ns=(before.st_mtime_ns, before.st_mtime_ns))
    elif how == "time":
        os.utime(path, ns=(before.st_mtime_ns, before.st_mtime_ns + 1))
    else:
        path.unlink()
    list_records(runs)

    assert read == ([run.id] if (name, how) != ("run.json", "gone") else [])


def test_result_of_a_run_that_finished_since_is_seen(runs: Path) -> None:
    run = make_run(runs, finished=False)
    settle(runs)
    assert list_records(runs)[0].state == "interrupted"

    run.write_result({"epochs": 3, "monitor": "val_loss", "best": {"val_loss": 0.1}})

    (record,) = list_records(runs)
    assert (record.state, record.best) == ("finished", 0.1)


def test_run_that_changed_just_now_is_not_indexed(runs: Path, read: list[str]) -> None:
    make_run(runs)

    list_records(runs)
    list_records(runs)

    assert len(read) == 2  # the clock of a file system can be too coarse to tell a second change


def test_run_that_is_gone_leaves_the_index(runs: Path) -> None:
    run, _ = make_run(runs), make_run(runs)
    settle(runs)
    list_records(runs)
    assert f'"{run.id}"' in (runs / index.NAME).read_text()

    shutil.rmtree(run.path)
    list_records(runs)

    assert f'"{run.id}"' not in (runs / index.NAME).read_text()


def signed(body: bytes, **head: Any) -> bytes:
    """An index with a right sum."""
    return json.dumps({"format": 1, "crc32": zlib.crc32(body), "parts": 0, **head}).encode() + b"\n" + body


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: b"",
        lambda data: data[:-20],
        lambda data: data.replace(b"0.4", b"0.1"),
        lambda data: data.replace(b'"format": 1', b'"format": 2', 1),
        lambda data: b"\0" * len(data),
        lambda data: b"[" * 100_000,
        lambda data: signed(b"[]\n"),
        lambda data: signed(b'{"run": "x"}\n'),
        lambda data: signed(b"no json\n"),
        lambda data: signed(b"{}\n", parts="x"),
        lambda data: data + b"more\n",
    ],
)
def test_damaged_index_is_ignored_and_made_anew(
    damage: Callable[[bytes], bytes], runs: Path, read: list[str]
) -> None:
    make_run(runs)
    settle(runs)
    expected = list_records(runs)
    whole = (runs / index.NAME).read_bytes()
    assert damage(whole) != whole
    (runs / index.NAME).write_bytes(damage(whole))
    read.clear()

    assert list_records(runs) == expected
    assert len(read) == 1
    assert (runs / index.NAME).read_bytes() == whole


@pytest.mark.parametrize("target", ["/dev/zero", "elsewhere"])
def test_index_that_is_a_link_is_replaced_and_nothing_is_written_behind_it(
    target: str, runs: Path, tmp_path: Path
) -> None:
    make_run(runs)
    settle(runs)
    (runs / index.NAME).symlink_to(target)

    assert len(list_records(runs)) == 1

    assert not (runs / index.NAME).is_symlink()
    assert not (runs / "elsewhere").exists()


def test_index_that_cannot_be_written_costs_nothing_but_time(
    runs: Path, monkeypatch: pytest.MonkeyPatch, read: list[str]
) -> None:
    make_run(runs)
    settle(runs)

    def full(path: Path, data: bytes) -> None:
        raise ResourceError("the disk is full")

    monkeypatch.setattr(index, "write_bytes", full)

    assert len(list_records(runs)) == len(list_records(runs)) == 1
    assert len(read) == 2


def test_index_is_not_written_where_nothing_changed(runs: Path) -> None:
    make_run(runs)
    settle(runs)
    list_records(runs)
    before = (runs / index.NAME).stat()

    list_records(runs)

    assert (runs / index.NAME).stat().st_ino == before.st_ino


def test_sections_that_runs_share_are_kept_once(runs: Path) -> None:
    for rate in (0.1, 0.01, 0.001):
        make_run(runs, learning_rate=rate)
    settle(runs)
    list_records(runs)

    first, *others = list_records(runs)

    assert (runs / index.NAME).read_text().count("tanh") == 1
    assert all(other.config["model"] is first.config["model"] for other in others)
    assert [one.config["training"]["learning_rate"] for one in (first, *others)] == [0.001, 0.01, 0.1]


def test_folder_that_was_copied_lists_the_same(runs: Path, tmp_path: Path) -> None:
    make_run(runs, test={"accuracy": 0.5})
    make_run(runs)
    settle(runs)
    expected = ids(list_records(runs))

    shutil.copytree(runs, tmp_path / "copy")  # with its index, and the times of the files

    found = list_records(tmp_path / "copy")
    assert ids(found) == expected
    assert {record.run.path.parent for record in found} == {tmp_path / "copy"}
    assert [record.state for record in found] == ["finished", "finished"]


def test_reading_of_many_is_told(runs: Path) -> None:
    for _ in range(3):
        make_run(runs)
    settle(runs)
    told: list[tuple[int, int]] = []

    list_records(runs, lambda done, total: told.append((done, total)))
    list_records(runs, lambda done, total: told.append((-1, total)))

    assert told == [(0, 3), (1, 3), (2, 3), (3, 3)]


PROGRAM = """
import sys
opened = []
sys.addaudithook(lambda event, arguments: opened.append(str(arguments[0])) if event == "open" else None)
{use}
heavy = {{"tensorflow", "keras", "numpy", {more} "yaml", "polars", "matplotlib"}} & set(sys.modules)
print("\\nloaded", *sorted(heavy))
print("read", *sorted({{name for name in opened if name.startswith(sys.argv[1])}}))
"""
LIBRARY = """
from pathlib import Path
from nnrun.store.listing import list_records
print(*(record.state for record in list_records(Path(sys.argv[1]))))
"""
COMMAND = """
from nnrun.cli.app import app
try:
    app(["ls", "--runs-dir", sys.argv[1]])
except SystemExit as ended:
    assert not ended.code, ended.code
"""


@pytest.mark.parametrize(
    ("use", "more"),
    [(LIBRARY, '"pydantic",'), (COMMAND, "")],  # Typer itself loads pydantic
    ids=["library", "command"],
)
def test_listing_from_the_index_opens_the_index_alone_and_loads_nothing_heavy(
    use: str, more: str, runs: Path
) -> None:
    for rate in range(40):
        make_run(runs, learning_rate=rate)
    settle(runs)
    list_records(runs)
    program = PROGRAM.format(use=use, more=more)

    done = subprocess.run([sys.executable, "-c", program, str(runs)], capture_output=True, text=True)

    assert done.returncode == 0, done.stderr
    *_, loaded, opened = done.stdout.splitlines()
    assert loaded == "loaded"
    assert opened == f"read {runs / index.NAME}"
    assert done.stdout.count("finished") == 40


@pytest.mark.parametrize(
    ("metric", "side"),
    [
        ("val_loss", "min"),
        ("digit_loss", "min"),
        ("accuracy_loss", "min"),
        ("loss_accuracy", "max"),
        ("accuracy_1", "max"),
        ("mae", "min"),
        ("false_positives", None),
        ("", None),
        ("\x1b[2J", None),
    ],
)
def test_side_of_a_metric_is_told_by_its_name(metric: str, side: str | None) -> None:
    assert better(metric) == side


@pytest.mark.tensorflow
def test_side_of_a_metric_is_the_one_that_keras_gives_it() -> None:
    from nnrun.keras_backend import load_keras

    keras = load_keras()
    given = {
        "IoU": {"num_classes": 2, "target_class_ids": [0]},
        "OneHotIoU": {"num_classes": 2, "target_class_ids": [0]},
        "MeanIoU": {"num_classes": 2},
        "OneHotMeanIoU": {"num_classes": 2},
        "SensitivityAtSpecificity": {"specificity": 0.5},
        "SpecificityAtSensitivity": {"sensitivity": 0.5},
        "PrecisionAtRecall": {"recall": 0.5},
        "RecallAtPrecision": {"precision": 0.5},
    }
    compared = 0
    for name, kind in vars(keras.metrics).items():
        if isinstance(kind, type) and name not in ("Metric", "MeanMetricWrapper"):
            metric = kind(**given.get(name, {}))
            side = {"up": "max", "down": "min", None: None}[getattr(metric, "_direction", None)]
            assert better(metric.name) == better(f"val_{metric.name}") == side, name
            compared += 1
    assert compared > 30


def test_long_data_in_a_specification_is_shortened_and_still_told_apart() -> None:
    long = [list(range(100)), list(range(100))]
    other = [list(range(100)), [*range(99), 5]]

    kept = brief({"x": long})["x"]

    assert len(kept) < 100
    assert kept == brief(long)
    assert kept != brief(other)
    assert brief("x" * 1000) == "x" * 1000
    assert len(brief("x" * 1001)) < 100
    assert brief([{"a": [1, 2]}]) == [{"a": [1, 2]}]
    assert brief("\udc80") == "\\udc80"
