"""Signals and closed pipes: a training stops when it is asked to and keeps what it learned, or it goes on."""

from __future__ import annotations

import itertools
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from commands import Command, Starter

from nnrun.store.run import Run
from nnrun.store.runs import find_run, list_runs
from nnrun.training.loop import CHUNK_SECONDS
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
  metrics: [accuracy]
  batch_size: 16
  validation_split: 0.2
"""
ENDLESS = "training.epochs=1000000"

SLOW_STEPS = """
import time
import keras

class SlowSteps(keras.callbacks.Callback):
    def on_train_batch_end(self, batch, logs=None):
        time.sleep(5)
"""


@pytest.fixture(scope="module")
def starter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Starter]:
    made = Starter(tmp_path_factory.mktemp("outputs"))
    yield made
    made.close()


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "small.yaml").write_text(SMALL)
    return tmp_path


def run_of(place: Path) -> Run | None:
    found = list_runs(place / "runs")
    return found[-1] if found else None


def await_epochs(command: Command, place: Path, count: int = 2) -> Run:
    """Wait until some epochs are done."""
    command.await_that(lambda: (run := run_of(place)) is not None and len(run.rows()) >= count)
    run = run_of(place)
    assert run
    return run


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_first_signal_ends_the_chunk_keeps_it_and_says_how_to_go_on(
    number: signal.Signals, code: int, starter: Starter, place: Path
) -> None:
    command = starter.start("train", "small.yaml", ENDLESS, cwd=place)
    run = await_epochs(command, place)

    began = time.monotonic()
    command.send(number)
    done = command.end()
    took = time.monotonic() - began

    assert done.code == code, done
    assert took < CHUNK_SECONDS + 1
    assert "stopping after this step; once more stops at once" in done.messages
    assert f"nnrun resume {run.id}" in done.output + done.messages
    assert "Traceback" not in done.messages
    assert run.status() == "interrupted"
    newest = run.checkpoints.newest()
    assert newest.header["epoch"] == len(run.rows())


def test_training_that_was_stopped_goes_on_to_the_bits_of_one_that_was_not(
    starter: Starter, place: Path
) -> None:
    command = starter.start("train", "small.yaml", "training.epochs=150", cwd=place)
    run = await_epochs(command, place)
    command.send(signal.SIGTERM)
    assert command.end().code == 143
    stopped = run.checkpoints.newest().header
    assert 0 < stopped["epoch"] < 150

    resumed = starter.run("resume", run.id, cwd=place)
    assert resumed.code == 0, resumed.messages
    assert f"going on after {stopped['epoch']} epochs" in resumed.messages
    (place / "other").mkdir()
    assert (
        starter.run("train", "small.yaml", "training.epochs=150", "--runs-dir", "other", cwd=place).code == 0
    )

    whole, again = _state(find_run("latest", place / "other")), _state(run)
    assert _differences(whole, again) == []


def test_second_signal_ends_it_at_once(starter: Starter, place: Path) -> None:
    (place / "slow.py").write_text(SLOW_STEPS)
    options = ("--code", "slow.py", "training.callbacks=[SlowSteps]")
    command = starter.start("train", "small.yaml", ENDLESS, *options, cwd=place)
    command.await_that(lambda: run_of(place) is not None)
    time.sleep(1)  # into the first step, which takes five seconds

    command.send(signal.SIGINT)
    command.await_that(lambda: "once more stops at once" in command.messages())
    began = time.monotonic()
    command.send(signal.SIGINT)
    done = command.end()

    assert time.monotonic() - began < 0.3
    assert done.code == -signal.SIGINT
    assert "Traceback" not in done.messages


def test_hang_up_does_not_end_it(starter: Starter, place: Path) -> None:
    command = starter.start("train", "small.yaml", "training.epochs=300", cwd=place)
    run = await_epochs(command, place)
    command.send(signal.SIGHUP)

    assert command.end().code == 0
    assert run.status() == "finished"
    assert len(run.rows()) == 300


@pytest.mark.parametrize("option", ["--json", "--quiet", None])
def test_reader_that_goes_away_does_not_end_it(option: str | None, starter: Starter, place: Path) -> None:
    pipe = place / "pipe"
    os.mkfifo(pipe)
    options = [option] if option else []
    command = starter.start("train", "small.yaml", "training.epochs=300", *options, cwd=place, output=pipe)
    if option == "--quiet":  # says one line, at the end: nobody is there for it
        os.close(os.open(pipe, os.O_RDONLY))
    else:
        with pipe.open() as reader:
            line = reader.readline()
        assert line if option is None else json.loads(line)

    done = command.end()

    run = run_of(place)
    assert run
    assert done.code == 0, done.messages
    assert run.result()["epochs"] == 300  # type: ignore[index]
    assert len(run.rows()) == 300
    assert "epoch 300/300" in (run.path / "train.log").read_text()


@pytest.mark.skipif(not shutil.which("head"), reason="needs head")
@pytest.mark.parametrize("options", ["--json", "2>&1"])
def test_real_command_into_head_is_finished(options: str, place: Path) -> None:
    nnrun = f"{sys.executable} -m nnrun"
    shell = f"{nnrun} train small.yaml training.epochs=20 {options} | head -1"
    done = subprocess.run(
        ["sh", "-c", shell], cwd=place, capture_output=True, text=True, timeout=60, check=False
    )

    run = run_of(place)
    assert run
    run_of_it = run.path / "result.json"
    for _ in range(1000):  # head ends before the training
        if run_of_it.is_file():
            break
        time.sleep(0.02)
    assert run_of_it.is_file(), done
    assert "Traceback" not in done.stderr


def start_really(place: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "nnrun", "train", "small.yaml", ENDLESS],
        cwd=place,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_real_command_that_is_stopped_before_it_trains_says_nothing_wrong(place: Path) -> None:
    process = start_really(place)
    time.sleep(1)
    process.send_signal(signal.SIGINT)
    output, messages = process.communicate(timeout=30)

    assert process.returncode == 130, messages
    assert "Traceback" not in output + messages


@pytest.mark.slow
def test_signals_at_any_time_leave_a_run_that_goes_on(
    starter: Starter, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    chosen = random.Random(1)
    failures, took = [], []
    for case, number in itertools.product(range(30), (signal.SIGINT, signal.SIGTERM)):
        shutil.rmtree(place / "runs", ignore_errors=True)
        command = starter.start("train", "small.yaml", ENDLESS, cwd=place)
        time.sleep(chosen.random() * 2.5)
        began = time.monotonic()
        command.send(number)
        done = command.end()
        took.append(time.monotonic() - began)
        run = run_of(place)
        codes = (128 + number, *([] if run else [-number]))  # before it listens, the system ends it
        if done.code not in codes or "Traceback" in done.messages or "escaped" in done.messages:
            failures.append(f"{case}: {done}")
        elif run and starter.run("resume", run.id, f"training.epochs={len(run.rows()) + 2}", cwd=place).code:
            failures.append(f"{case}: does not go on")
    with capsys.disabled():
        print(f"\n{len(took)} signals sent, {len(failures)} failures; {max(took):.2f} s at most")
    assert failures == []


@pytest.mark.slow
def test_real_command_that_is_stopped_at_any_time_says_nothing_wrong(place: Path) -> None:
    for tenths in range(1, 45, 2):
        process = start_really(place)
        time.sleep(tenths / 10)
        process.send_signal(signal.SIGINT)
        output, messages = process.communicate(timeout=30)
        assert process.returncode in (130, -signal.SIGINT), (tenths, messages)
        assert "Traceback" not in output + messages, (tenths, messages)
