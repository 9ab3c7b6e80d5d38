"""``nnrun resume``: to the same bits, or not without saying what is not as it was."""

from __future__ import annotations

import json
import os
import shutil
import typing
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from commands import Done, Starter

from nnrun.errors import ChangedError, SpecError
from nnrun.experiment import refuse_changes, reload_spec
from nnrun.spec.changes import HARMLESS, changes
from nnrun.spec.schema import Section, Spec
from nnrun.store.archive import read_archive, write_archive
from nnrun.store.run import Run
from nnrun.store.runs import find_run, list_runs
from nnrun.verification import _differences, _state

pytestmark = [
    pytest.mark.tensorflow,
    pytest.mark.skipif(not hasattr(os, "fork"), reason="the commands are started by fork"),
]

SMALL = """
name: small
seed: 3
data: {source: {digits: {test_split: 0.9}}}
model:
  layers:
    - Flatten
    - Dense: {units: 8, activation: relu}
    - Dropout: {rate: 0.3}
    - Dense: {units: 10, activation: softmax}
training:
  loss: sparse_categorical_crossentropy
  learning_rate: 0.01
  metrics: [accuracy]
  epochs: 3
  batch_size: 16
  validation_split: 0.2
runtime: {checkpoint_seconds: 0}
"""
MORE = "training.epochs=5"


@pytest.fixture(scope="module")
def starter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Starter]:
    made = Starter(tmp_path_factory.mktemp("outputs"))
    yield made
    made.close()


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, starter: Starter) -> Path:
    """A folder with a finished run of three epochs, and one of five epochs without interruption beside it."""
    place = tmp_path_factory.mktemp("trained")
    (place / "small.yaml").write_text(SMALL)
    for arguments in ((), (MORE, "--runs-dir", "whole")):
        assert starter.run("train", "small.yaml", *arguments, cwd=place).code == 0
    return place


@pytest.fixture
def place(trained: Path, tmp_path: Path) -> Path:
    """A copy of it, to be changed."""
    return Path(shutil.copytree(trained, tmp_path / "place"))


@pytest.fixture
def run(place: Path) -> Run:
    return find_run("latest", place / "runs")


def assert_the_bits_of_an_uninterrupted_run(run: Run, place: Path) -> None:
    whole = find_run("latest", place / "whole")
    assert _differences(_state(whole), _state(run)) == []


def edit(path: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    value = json.loads(path.read_text())
    change(value)
    path.write_text(json.dumps(value))


def assert_refused(done: Done, code: int, *words: str) -> None:
    assert (done.code, done.output) == (code, ""), done
    for word in words:
        assert word in " ".join(done.messages.split())
    assert "Traceback" not in done.messages


def test_finished_run_says_so(starter: Starter, place: Path, run: Run) -> None:
    before = _state(run)

    done = starter.run("resume", "latest", cwd=place)

    assert done.code == 0
    assert f"{run.id} is finished: all 3 epochs are trained; add some with training.epochs=6" in done.messages
    assert _state(run) == before


def test_more_epochs_are_the_bits_of_an_uninterrupted_run(starter: Starter, place: Path, run: Run) -> None:
    done = starter.run("resume", "latest", MORE, cwd=place)

    assert done.code == 0, done.messages
    assert_the_bits_of_an_uninterrupted_run(run, place)
    (resumed,) = run.resumes()
    assert (resumed["exact"], resumed["epoch"], resumed["step"]) == (True, 3, 0)
    assert resumed["changed"] == {"training.epochs": ["3", "5"]}


def test_train_with_resume_is_the_same(starter: Starter, place: Path, run: Run) -> None:
    done = starter.run("train", "small.yaml", MORE, "--resume", "latest", cwd=place)

    assert done.code == 0, done.messages
    assert_the_bits_of_an_uninterrupted_run(run, place)
    assert len(list_runs(place / "runs")) == 1


def test_damaged_newest_checkpoint_gives_way_to_the_one_before(
    starter: Starter, place: Path, run: Run
) -> None:
    newest = run.checkpoints.paths()[0]
    newest.write_bytes(newest.read_bytes()[:-100])

    done = starter.run("resume", "latest", MORE, cwd=place)

    assert done.code == 0, done.messages
    assert f"{newest.name} is damaged" in done.messages
    assert "the one before is used" in done.messages
    assert_the_bits_of_an_uninterrupted_run(run, place)


def test_other_versions_are_told_and_recorded(starter: Starter, place: Path, run: Run) -> None:
    edit(run.path / "run.json", lambda facts: facts["versions"].update(keras="3.99.0"))

    done = starter.run("resume", "latest", MORE, cwd=place)

    assert done.code == 0, done.messages
    assert "not bit-exact from here on: the run was trained with keras 3.99.0, here it is" in done.messages
    assert [resumed["exact"] for resumed in run.resumes()] == [False]


def test_changed_batch_size_is_refused_with_a_table(starter: Starter, place: Path) -> None:
    done = starter.run("resume", "latest", "training.batch_size=8", "training.shuffle=false", cwd=place)

    table = ("training.batch_size: was 16, is 8", "training.shuffle: was True, is False")
    assert_refused(
        done, 8, "was trained with another specification:", *table, "train a new run for anything else"
    )


def test_changed_configuration_is_refused(starter: Starter, place: Path) -> None:
    (place / "small.yaml").write_text(SMALL.replace("units: 8", "units: 9"))

    done = starter.run("train", "small.yaml", "--resume", "latest", cwd=place)

    assert_refused(done, 8, "units: was 8, is 9")


def test_fewer_epochs_are_refused(starter: Starter, place: Path) -> None:
    done = starter.run("resume", "latest", "training.epochs=2", cwd=place)

    assert_refused(done, 8, "3 epochs were trained already; ask for more of them")


def test_run_without_a_whole_checkpoint_is_refused(starter: Starter, place: Path, run: Run) -> None:
    for path in run.checkpoints.paths():
        path.write_bytes(path.read_bytes()[:1000])

    done = starter.run("resume", "latest", MORE, cwd=place)

    names = [path.name for path in run.checkpoints.paths()]
    assert_refused(done, 4, "no checkpoint is whole", *(f"{name} is damaged" for name in names))


def test_run_of_a_newer_nnrun_is_refused(starter: Starter, place: Path, run: Run) -> None:
    edit(run.path / "run.json", lambda facts: facts.update(format=2))

    done = starter.run("resume", "latest", MORE, cwd=place)

    assert_refused(done, 4, "was written by a newer nnrun (format 2, this one reads 1)")


def test_run_that_is_not_there_is_refused(starter: Starter, place: Path) -> None:
    assert_refused(
        starter.run("resume", "other", cwd=place), 4, "no run 'other'; the newest in runs is small-"
    )


def test_run_that_is_in_use_is_refused(starter: Starter, place: Path, run: Run) -> None:
    with run.lock():
        done = starter.run("resume", "latest", MORE, cwd=place)

    assert_refused(done, 7, f"is in use by process {os.getpid()} on")


def put_mnist(folder: Path, last: int) -> None:
    """A file as that of MNIST, small; one picture's last dot as it is told."""
    numbers = np.random.default_rng(0)
    pictures = numbers.integers(0, 256, (120, 28, 28), dtype="uint8")
    labels = np.arange(120, dtype="uint8") % 10
    pictures[-1, -1, -1] = last
    np.savez(
        folder / "mnist.npz",
        x_train=pictures[:100],
        y_train=labels[:100],
        x_test=pictures[100:],
        y_test=labels[100:],
    )


def test_changed_data_is_refused_by_its_name(starter: Starter, tmp_path: Path) -> None:
    there = {"NNRUN_DATA_DIR": str(tmp_path)}
    (tmp_path / "small.yaml").write_text(
        SMALL.replace("{source: {digits: {test_split: 0.9}}}", "{source: mnist}")
    )
    put_mnist(tmp_path, 0)
    assert (done := starter.run("train", "small.yaml", cwd=tmp_path, environment=there)).code == 0, (
        done.messages
    )
    put_mnist(tmp_path, 1)

    done = starter.run("resume", "latest", MORE, cwd=tmp_path, environment=there)

    assert_refused(
        done, 8, "the data is not what small-", "was trained on: then mnist", "put the same file back"
    )


def assert_finite_checkpoints(run: Run) -> None:
    for path in run.checkpoints.paths():
        assert all(
            np.isfinite(array).all() for array in read_archive(path)[1].values() if array.dtype.kind == "f"
        )


def test_training_that_is_lost_says_where_and_goes_on_with_another_rate(
    starter: Starter, place: Path
) -> None:
    rate = "training.learning_rate=1e30"
    done = starter.run("train", "small.yaml", rate, "training.batch_size=1", cwd=place)
    run = find_run("latest", place / "runs")
    told = (
        "in epoch 1 at a learning rate of 1e+30",
        "it happened at step",
        "of epoch 1",
        "dense",
        "nnrun resume",
    )
    assert_refused(done, 6, *told)
    assert run.result() is None
    assert_finite_checkpoints(run)

    assert_refused(starter.run("resume", run.id, cwd=place), 6, "and the same would happen again")
    assert starter.run("resume", run.id, "training.learning_rate=0.01", cwd=place).code == 0

    assert run.divergence() is None
    assert run.status() == "finished"


def test_training_that_is_lost_late_keeps_the_last_good_checkpoint(starter: Starter, place: Path) -> None:
    schedule = "{PiecewiseConstantDecay: {boundaries: [300], values: [0.01, 1.0e+30]}}"
    options = (f"training.learning_rate={schedule}", "training.batch_size=1")
    done = starter.run("train", "small.yaml", *options, cwd=place)
    run = find_run("latest", place / "runs")

    assert_refused(done, 6, "of epoch 3", "The last checkpoint is of epoch 2")
    assert run.checkpoints.newest().header["epoch"] == 2
    assert_finite_checkpoints(run)
    assert len(run.rows()) == 2


# What somebody may have put in the place of a value.
ODD = [None, "x", [], {}, -1, 1.5, {"a": "b"}]


@pytest.mark.parametrize(
    "key",
    [
        "epoch",
        *(
            pytest.param(name, marks=pytest.mark.slow)
            for name in ("step", "best_epoch", "best_value", "seconds", "stopped", "callbacks", "random")
        ),
    ],
)
def test_checkpoint_with_an_odd_header_is_refused(key: str, starter: Starter, place: Path, run: Run) -> None:
    wrong = []
    for value in ODD:
        for path in run.checkpoints.paths():
            header, arrays = read_archive(path)
            write_archive(path, header | {key: value}, arrays)
        again = Path(shutil.copytree(place, place.parent / "again"))
        done = starter.run("resume", "latest", MORE, cwd=again)
        shutil.rmtree(again)
        if done.code not in (0, 4, 8):
            wrong.append((value, done.code, done.messages))
    assert wrong == []


@pytest.mark.slow
@pytest.mark.parametrize("key", ["data", "versions", "devices", "training", "code", "model"])
def test_run_with_odd_facts_is_refused(key: str, starter: Starter, place: Path, run: Run) -> None:
    whole = json.loads((run.path / "run.json").read_text())
    wrong = []
    for value in [*ODD, "gone"]:
        facts = {**whole, key: value}
        if value == "gone":
            facts.pop(key)
        (run.path / "run.json").write_text(json.dumps(facts))
        again = Path(shutil.copytree(place, place.parent / "again"))
        done = starter.run("resume", "latest", MORE, cwd=again)
        shutil.rmtree(again)
        if done.code not in (0, 2, 4, 8):
            wrong.append((value, done.code, done.messages))
    assert wrong == []


CHANGED = {
    "name": "name=other",
    "description": "description=words",
    "tags": "tags=[a, b]",
    "seed": "seed=4",
    "data.source": "data.source=digits",
    "data.fallback": "data.fallback=digits",
    "data.target": "data.target=inputs",
    "data.cache": "data.cache=none",
    "data.sample_weight": "data.sample_weight=small.yaml",
    "model.blocks": "model.blocks={b: {layers: [Flatten]}}",
    "model.layers": "model.layers.1.Dense.units=9",
    "model.inputs": "model.inputs=[input]",
    "model.outputs": "model.outputs=[dense_1]",
    "training.loss": "training.loss=mse",
    "training.loss_weights": "training.loss_weights={dense_1: 2}",
    "training.optimizer": "training.optimizer=sgd",
    "training.learning_rate": "training.learning_rate=0.02",
    "training.metrics": "training.metrics=[]",
    "training.class_weight": "training.class_weight=balanced",
    "training.epochs": MORE,
    "training.batch_size": "training.batch_size=17",
    "training.shuffle": "training.shuffle=false",
    "training.validation_split": "training.validation_split=0.3",
    "training.monitor": "training.monitor=loss",
    "training.callbacks": "training.callbacks=[TerminateOnNaN]",
    "training.precision": "training.precision=mixed_bfloat16",
    "runtime.device": "runtime.device=gpu",
    "runtime.strategy": "runtime.strategy=mirrored",
    "runtime.worker_wait_seconds": "runtime.worker_wait_seconds=9",
    "runtime.threads": "runtime.threads=1",
    "runtime.deterministic": "runtime.deterministic=false",
    "runtime.checkpoint_seconds": "runtime.checkpoint_seconds=9",
    "runtime.jit_compile": "runtime.jit_compile=true",
}
"""A change of each key of the schema."""

TOLD = ("runtime.threads", "runtime.strategy")
"""What was ``auto`` when the run was made: what it is now is told, and the run is marked as not bit-exact."""


def keys(section: type[Section], prefix: str = "") -> Iterator[str]:
    for name, info in section.model_fields.items():
        kind = info.annotation
        if isinstance(kind, type) and issubclass(kind, Section):
            yield from keys(kind, f"{prefix}{name}.")
        else:
            yield prefix + name


def test_every_key_of_the_schema_is_changed_once() -> None:
    assert list(CHANGED) == list(keys(Spec))
    assert set(HARMLESS) <= set(CHANGED)
    assert typing.get_args(Spec.model_fields["seed"].annotation) == ()


@pytest.mark.parametrize("key", CHANGED)
def test_changed_key_is_harmless_or_refused(key: str, run: Run) -> None:
    try:
        now = reload_spec(run, None, [CHANGED[key]]).spec
    except SpecError:
        assert key not in (*HARMLESS, *TOLD)  # it does not even fit the rest: refused
        return
    found = changes(reload_spec(run, None).spec, now)

    if key in HARMLESS:
        assert [change.path.startswith(key) for change in found] == [True] * len(found) != []
        refuse_changes(run, found)
    elif key in TOLD:
        refuse_changes(run, found)
    else:
        with pytest.raises(ChangedError, match=rf"  {key}\S*: was .*, is "):
            refuse_changes(run, found)


def test_other_number_of_threads_is_told(starter: Starter, place: Path, run: Run) -> None:
    done = starter.run("resume", "latest", MORE, "runtime.threads=2", cwd=place)

    assert done.code == 0, done.messages
    assert "not bit-exact from here on: the run was trained with threads 1, here it is 2" in done.messages
    assert [resumed["exact"] for resumed in run.resumes()] == [False]


@pytest.mark.parametrize("way", ["resume", "train"])
def test_choice_that_was_made_for_auto_stays(way: str, starter: Starter, tmp_path: Path) -> None:
    """A thousand steps are worth a compilation by XLA, and nine are not: a run keeps to what it began with."""
    without_chance = SMALL.replace("    - Dropout: {rate: 0.3}\n", "")
    (tmp_path / "small.yaml").write_text(without_chance)
    assert starter.run("train", "small.yaml", "training.epochs=1", cwd=tmp_path).code == 0
    more = "training.epochs=120"
    if way == "resume":
        done = starter.run("resume", "latest", more, "runtime.jit_compile=auto", cwd=tmp_path)
    else:
        done = starter.run("train", "small.yaml", more, "--resume", "latest", cwd=tmp_path)

    assert done.code == 0, done.messages
    assert "no XLA" in done.messages
    assert "jit_compile: false" in find_run("latest", tmp_path / "runs").config_path.read_text()
