"""Trackers are told each epoch once, whatever becomes of the training; the real packages where they are installed."""

from __future__ import annotations

import importlib.util
import json
import os
import struct
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from nnrun.errors import ResourceError, SpecError
from nnrun.spec import catalog
from nnrun.spec.load import load_spec
from nnrun.store.run import Run

SPEC = """
name: told
data: {source: xor}
model: {layers: [Dense: {units: 2, activation: tanh}, Dense: {units: 1, activation: sigmoid}]}
training: {loss: binary_crossentropy, learning_rate: 0.1, epochs: 6, callbacks: [CALLBACK]}
"""
KILLED_AFTER = 4
PROGRAM = """
import os, sys
from pathlib import Path
from quiet import Quiet
from nnrun import experiment

class Killed(Quiet):
    def on_epoch(self, row, position):
        if row["epoch"] == int(sys.argv[3]):
            import time; time.sleep(float(sys.argv[4]))
            os._exit(9)

experiment.train(Path(sys.argv[1]), display=Killed(), runs_dir=Path(sys.argv[2]))
"""
RESUME = """
import sys
from pathlib import Path
from quiet import Quiet
from nnrun import experiment

experiment.resume("latest", sys.argv[2:], display=Quiet(), runs_dir=Path(sys.argv[1]))
"""
needs_mlflow = pytest.mark.skipif(
    importlib.util.find_spec("mlflow") is None, reason="MLflow is not installed: pip install mlflow"
)
needs_wandb = pytest.mark.skipif(
    importlib.util.find_spec("wandb") is None, reason="Weights & Biases is not installed: pip install wandb"
)


@pytest.fixture
def missing(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No tracker is installed."""
    find = importlib.util.find_spec

    def without(name: str, package: str | None = None) -> Any:
        return None if name in ("mlflow", "wandb") else find(name, package)

    catalog.find.cache_clear()
    monkeypatch.setattr(importlib.util, "find_spec", without)
    yield
    catalog.find.cache_clear()


def write_spec(folder: Path, callback: str) -> Path:
    path = folder / "told.yaml"
    path.write_text(SPEC.replace("CALLBACK", callback), "utf-8")
    return path


@pytest.mark.usefixtures("missing")
@pytest.mark.parametrize(("name", "package"), [("MlflowCallback", "mlflow"), ("WandbMetricsLogger", "wandb")])
def test_package_that_is_not_installed_is_named_at_its_place(name: str, package: str, tmp_path: Path) -> None:
    with pytest.raises(SpecError) as raised:
        load_spec(write_spec(tmp_path, f"{{{name}: {{}}}}"))

    (problem,) = raised.value.problems
    assert problem.path == "training.callbacks[0]"
    assert problem.place is not None
    assert problem.place.line == 5
    assert problem.message == f"{name} needs {package}, which is not installed; run pip install {package}"
    assert name not in catalog.names("callback")


@pytest.mark.parametrize(("written", "name"), [("MLflow", "MlflowCallback"), ("WandB", "WandbMetricsLogger")])
def test_short_name_leads_to_the_right_one(written: str, name: str, tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=f"{written} is called {name}"):
        load_spec(write_spec(tmp_path, written))


class Told:
    """A session that remembers what it was told; it can fail."""

    def __init__(self, last: int = 0, *, fails: bool = False) -> None:
        self.last = last
        self.fails = fails
        self.epochs: dict[int, Mapping[str, float]] = {}
        self.ended: list[bool] = []

    def log(self, epoch: int, figures: Mapping[str, float]) -> None:
        if self.fails:
            raise OSError("the line is dead")
        assert epoch not in self.epochs
        self.epochs[epoch] = figures
        self.last = epoch

    def close(self, *, finished: bool) -> None:
        self.ended.append(finished)


def make_tracker(folder: Path, *sessions: Told) -> Any:
    """A tracker whose sessions are given; ``begun`` tells whether each began anew."""
    from nnrun.training.trackers import Tracker

    class Remembering(Tracker):
        def begin(self, run: Run, *, anew: bool) -> Told:
            self.begun.append(anew)
            return sessions[len(self.begun) - 1]

    tracker: Any = Remembering()
    tracker.begun = []
    tracker.folder = folder
    tracker.params = {"epochs": 4}
    tracker.set_model(SimpleNamespace(optimizer=SimpleNamespace(learning_rate=0.5), stop_training=False))
    return tracker


def make_run(folder: Path, *epochs: int, resumed: dict[str, Any] | None = None) -> Run:
    run = Run(folder)
    run.write_facts({})
    for epoch in epochs:
        row = {
            "epoch": epoch,
            "seconds": 1.0,
            "examples_per_second": 2.0,
            "learning_rate": 0.5,
            "loss": 1 / epoch,
        }
        run.append_row(row)
    if resumed is not None:
        run.append_resume(resumed)
    return run


@pytest.mark.tensorflow
def test_each_epoch_is_told_once_with_the_rate_it_had(tmp_path: Path) -> None:
    make_run(tmp_path)
    tracker = make_tracker(tmp_path, session := Told())

    tracker.on_train_begin()
    for epoch in range(4):
        tracker.on_epoch_end(epoch, {"loss": 1.0} if epoch else {"loss": 2.0, "learning_rate": 0.25})
    tracker.on_train_end()

    assert session.epochs[1] == {"learning_rate": 0.25, "loss": 2.0}
    assert session.epochs[4] == {"learning_rate": 0.5, "loss": 1.0}
    assert session.ended == [True]


@pytest.mark.tensorflow
def test_epochs_that_a_tracker_missed_come_from_the_rows_and_those_it_has_are_left_out(
    tmp_path: Path,
) -> None:
    make_run(tmp_path, 1, 2)
    missed = make_tracker(tmp_path, behind := Told(1))
    again = make_tracker(tmp_path, ahead := Told(3))

    for tracker in (missed, again):
        tracker.on_train_begin()
        tracker.on_epoch_end(2, {"loss": 0.25})
    again.on_train_end()

    assert behind.epochs == {2: {"learning_rate": 0.5, "loss": 0.5}, 3: {"learning_rate": 0.5, "loss": 0.25}}
    assert (ahead.epochs, again.begun, ahead.ended) == ({}, [False], [False])  # 3 of 4 epochs
    missed.on_train_end()


@pytest.mark.tensorflow
@pytest.mark.parametrize(
    "resumed", [{"exact": False}, {"exact": True, "changed": {"training.learning_rate": ["1", "0.1"]}}]
)
def test_epochs_that_get_other_numbers_begin_another_run_there(
    resumed: dict[str, Any], tmp_path: Path
) -> None:
    make_run(tmp_path, 1, resumed=resumed)
    tracker = make_tracker(tmp_path, lost := Told(3), fresh := Told())

    tracker.on_train_begin()
    tracker.on_epoch_end(1, {"loss": 0.1})
    tracker.on_train_end()

    assert tracker.begun == [False, True]
    assert (lost.epochs, lost.ended) == ({}, [False])
    assert list(fresh.epochs) == [1, 2]


@pytest.mark.tensorflow
def test_tracker_that_fails_ends_no_training(tmp_path: Path) -> None:
    make_run(tmp_path)
    tracker = make_tracker(tmp_path, session := Told(fails=True))
    tracker.on_train_begin()

    with pytest.warns(
        UserWarning, match="Remembering is told no more: the line is dead; the training goes on"
    ):
        tracker.on_epoch_end(0, {"loss": 1.0})
    tracker.on_epoch_end(1, {"loss": 1.0})
    tracker.on_train_end()

    assert session.epochs == {}


@pytest.mark.tensorflow
def test_tracker_that_cannot_begin_is_an_error(tmp_path: Path) -> None:
    make_run(tmp_path, 1)

    with pytest.raises(
        ResourceError, match=r"training\.callbacks: Remembering cannot begin: the line is dead"
    ):
        make_tracker(tmp_path, Told(fails=True)).on_train_begin()


@pytest.mark.tensorflow
def test_rehearsal_is_told_to_nobody(tmp_path: Path) -> None:
    tracker = make_tracker(tmp_path)

    tracker.on_train_begin()
    tracker.on_epoch_end(0, {"loss": 1.0})
    tracker.on_train_end()

    assert tracker.begun == []


def run_apart(program: str, *arguments: object, home: Path, code: int = 0) -> None:
    """Run a program in a process of its own, whose packages find no settings of the user's."""
    environment = os.environ | {
        "HOME": str(home),
        "PYTHONPATH": str(Path(__file__).parents[1]),
        "WANDB_MODE": "offline",
        "MLFLOW_DISABLE_TELEMETRY": "true",
    }
    done = subprocess.run(
        [sys.executable, "-c", program, *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=home,
        env=environment,
    )
    assert done.returncode == code, done.stderr


def kill_and_resume(folder: Path, callback: str, *overrides: str, pause: float = 0.0) -> Run:
    """A training that is killed after some epochs, before any checkpoint, and resumed."""
    runs = folder / "runs"
    run_apart(PROGRAM, write_spec(folder, callback), runs, KILLED_AFTER, pause, home=folder, code=9)
    run_apart(RESUME, runs, *overrides, home=folder)
    (path,) = (path for path in runs.iterdir() if path.is_dir())
    return Run(path)


@needs_mlflow
@pytest.mark.filterwarnings("ignore")  # of packages that MLflow brings along
@pytest.mark.slow
@pytest.mark.tensorflow
@pytest.mark.parametrize("place", ["sqlite:///{run}/mlflow.db", "sqlite:///OUTSIDE/mlflow.db"])
def test_mlflow_has_each_epoch_once_after_a_kill(place: str, tmp_path: Path) -> None:
    uri = place.replace("OUTSIDE", str(tmp_path))
    run = kill_and_resume(tmp_path, f'MlflowCallback: {{tracking_uri: "{uri}"}}')

    from mlflow import MlflowClient

    client = MlflowClient(uri.replace("{run}", str(run.path)))
    (experiment,) = client.search_experiments(filter_string="name = 'told'")
    (told,) = client.search_runs([experiment.experiment_id])
    history = client.get_metric_history(told.info.run_id, "loss")
    assert [metric.step for metric in history] == [1, 2, 3, 4, 5, 6]
    assert [metric.value for metric in history] == [row["loss"] for row in run.rows()]
    assert (told.info.run_name, told.info.status) == (run.id, "FINISHED")
    assert told.data.params["training.epochs"] == "6"
    assert json.loads((run.path / "mlflow.json").read_text())["run_id"] == told.info.run_id


def wandb_records(data: bytes) -> Iterator[bytes]:
    """The records of a file of W&B's: a head of 7 bytes, then LevelDB's log in blocks of 32 KiB."""
    position, whole = 7, b""
    while position + 7 <= len(data):
        if 32768 - position % 32768 < 7:
            position += 32768 - position % 32768
        length, kind = struct.unpack("<HB", data[position + 4 : position + 7])
        whole += data[position + 7 : position + 7 + length]
        position += 7 + length
        if kind in (1, 4):  # a whole record, or the end of one
            yield whole
            whole = b""


def wandb_rows(path: Path) -> list[dict[str, float]]:
    """The history in a file that W&B keeps offline."""
    from wandb.proto.wandb_internal_pb2 import Record

    rows = []
    for data in wandb_records(path.read_bytes()):
        history = Record.FromString(data).history
        if history.item:
            named = {(item.nested_key or [item.key])[0]: item.value_json for item in history.item}
            rows.append(
                {key: json.loads(value) for key, value in named.items()} | {"_step": history.step.num}
            )
    return rows


@needs_wandb
@pytest.mark.slow
@pytest.mark.tensorflow
def test_wandb_has_each_epoch_once_after_a_kill(tmp_path: Path) -> None:
    run = kill_and_resume(tmp_path, "WandbMetricsLogger: {mode: offline}", pause=1.0)

    known = json.loads((run.path / "wandb.json").read_text())
    (part,) = run.path.glob("wandb/offline-run-*")  # the one of the process that was killed is gone
    assert part.name == known["part"]
    rows = wandb_rows(part / f"run-{known['id']}.wandb")
    assert [row["epoch"] for row in rows] == [1, 2, 3, 4, 5, 6]
    assert [row["_step"] for row in rows] == [1, 2, 3, 4, 5, 6]
    assert [row["loss"] for row in rows] == [row["loss"] for row in run.rows()]
    assert not list(tmp_path.glob("wandb*"))  # all of it lies in the run


@needs_wandb
@pytest.mark.slow
@pytest.mark.tensorflow
def test_wandb_without_a_key_says_how_to_log_in(tmp_path: Path) -> None:
    program = PROGRAM.replace(
        "experiment.train", "import os; os.environ.pop('WANDB_API_KEY', None); experiment.train"
    )
    with pytest.raises(AssertionError, match=r"WandbMetricsLogger cannot begin: .*wandb login"):
        run_apart(
            program,
            write_spec(tmp_path, "WandbMetricsLogger: {mode: online}"),
            tmp_path / "runs",
            9,
            0,
            home=tmp_path,
        )
