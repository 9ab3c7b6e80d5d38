"""Runs with a user's Python file: the same numbers as a Keras program, a copy in the run, and no run without it."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from quiet import Quiet
from typer.testing import CliRunner

from nnrun import experiment, inference
from nnrun.cli.app import app
from nnrun.errors import ChangedError, SpecError
from nnrun.spec.code import use_code
from nnrun.store.run import Run

pytestmark = pytest.mark.tensorflow

COMMANDS = {"evaluate": inference.evaluate, "predict": inference.predict, "resume": experiment.resume}

PARTS = """
import keras
from keras import ops


def soft(x):
    return x * ops.sigmoid(1.5 * x)


def brier(y_true, y_pred):
    return ops.sum(ops.square(y_true - y_pred), axis=-1)


class Scaled(keras.layers.Layer):
    def __init__(self, factor, **kwargs):
        super().__init__(**kwargs)
        self.factor = factor

    def build(self, input_shape):
        self.gain = self.add_weight(shape=input_shape[-1:], initializer="ones", name="gain")

    def call(self, x):
        return x * self.gain * self.factor

    def get_config(self):
        return super().get_config() | {"factor": self.factor}


class Slow(keras.optimizers.SGD):
    pass


class Falling(keras.optimizers.schedules.LearningRateSchedule):
    def __init__(self, start):
        self.start = start

    def __call__(self, step):
        return self.start / (1.0 + 0.1 * ops.cast(step, "float32"))

    def get_config(self):
        return {"start": self.start}


class Stop(keras.callbacks.Callback):
    def __init__(self, after):
        super().__init__()
        self.after = after

    def on_epoch_end(self, epoch, logs=None):
        self.model.stop_training = epoch + 1 >= self.after
"""
SPEC = """
seed: 2
data: {source: {digits: {test_split: 0.5}}}
model:
  layers:
    - Flatten
    - Scaled: {factor: 0.5}
    - Dense: {units: 16, activation: soft}
    - Dense: {units: 10, activation: softmax}
training:
  loss: brier
  optimizer: Slow
  learning_rate: {Falling: {start: 0.2}}
  metrics: [brier, accuracy]
  callbacks: [{Stop: {after: 2}}]
  epochs: 5
  shuffle: false
"""


@pytest.fixture(autouse=True)
def without_code() -> Iterator[None]:
    yield
    use_code(None)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "parts.py").write_text(PARTS)
    (tmp_path / "spec.yaml").write_text(SPEC)
    return tmp_path


def train(folder: Path) -> Run:
    code, runs = folder / "parts.py", folder / "runs"
    return experiment.train(folder / "spec.yaml", display=Quiet(), runs_dir=runs, code=code)[0]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run that no test changes."""
    folder = tmp_path_factory.mktemp("code")
    (folder / "parts.py").write_text(PARTS)
    (folder / "spec.yaml").write_text(SPEC)
    run = train(folder)
    use_code(None)
    return run


def the_code(run: Run) -> Path:
    return run.path / "code" / "parts.py"


def test_run_with_code_equals_the_plain_keras_program(trained: Run) -> None:
    from nnrun.data.load import load_data
    from nnrun.keras_backend import load_keras, start_session
    from nnrun.spec.schema import Choice, DataSection

    keras = load_keras()
    names: dict[str, Any] = {}
    exec(compile(PARTS, "program", "exec"), names)
    section = DataSection(source=Choice("digits", {"test_split": 0.5}))
    data = load_data(section, seed=2, validation_split=0, notify=print)
    start_session(2)
    model = keras.Sequential(
        [
            keras.Input((8, 8)),
            keras.layers.Flatten(),
            names["Scaled"](0.5),
            keras.layers.Dense(16, activation=names["soft"]),
            keras.layers.Dense(10, activation="softmax"),
        ]
    )
    model.compile(names["Slow"](names["Falling"](0.2)), names["brier"], metrics=[names["brier"], "accuracy"])
    y = np.eye(10, dtype="float32")[data.train.y]
    x = np.asarray(data.train.x, "float32") / 16
    history = model.fit(x, y, epochs=2, shuffle=False, verbose=0).history

    rows = trained.rows()
    assert [row["epoch"] for row in rows] == [1, 2]  # the callback stopped it
    for name in ("loss", "brier", "accuracy"):
        assert [row[name] for row in rows] == history[name]
    for ours, theirs in zip(trained.checkpoints.read_model()[1].values(), model.get_weights(), strict=False):
        np.testing.assert_array_equal(ours, theirs)


def test_copy_and_hash_of_the_file_lie_in_the_run(trained: Run) -> None:
    assert [path.name for path in (trained.path / "code").iterdir()] == ["parts.py"]
    assert the_code(trained).read_text() == PARTS
    facts = json.loads((trained.path / "run.json").read_text())
    assert facts["code"] == {"file": "parts.py", "sha256": hashlib.sha256(PARTS.encode()).hexdigest()}


def test_train_evaluate_and_predict_agree(trained: Run) -> None:
    code = the_code(trained)
    result = trained.result()
    scores = inference.evaluate(str(trained.path), display=Quiet(), code=code)[1].facts["scores"]
    predictions = inference.predict(str(trained.path), display=Quiet(), code=code)[1]

    assert result is not None and scores == result["test"]
    right = [row["right"] for row in predictions.rows()]
    assert sum(right) / len(right) == pytest.approx(scores["accuracy"], abs=1e-6)


@pytest.mark.parametrize("command", COMMANDS)
def test_run_does_not_go_without_its_file(command: str, trained: Run) -> None:
    with pytest.raises(SpecError) as caught:
        COMMANDS[command](str(trained.path), display=Quiet())

    assert str(caught.value) == (
        f"{trained.id} was trained with --code parts.py; give the file again, or look at the copy "
        f"and give that: --code {the_code(trained)}"
    )


@pytest.mark.parametrize("command", COMMANDS)
def test_changed_file_is_refused(command: str, trained: Run, tmp_path: Path) -> None:
    changed = tmp_path / "parts.py"
    changed.write_text(PARTS.replace("1.5", "1.6"))
    with pytest.raises(ChangedError) as caught:
        COMMANDS[command](str(trained.path), display=Quiet(), code=changed)

    assert str(caught.value).startswith(
        f"{changed} is not the file that {trained.id} was trained with (SHA-256 "
    )


def test_changed_copy_in_the_run_is_refused(folder: Path) -> None:
    run = train(folder)
    the_code(run).write_text(PARTS + "# more\n")

    with pytest.raises(ChangedError):
        inference.evaluate(str(run.path), display=Quiet(), code=the_code(run))
    assert inference.evaluate(str(run.path), display=Quiet(), code=folder / "parts.py")


def test_training_goes_on_with_the_file_to_the_same_weights(folder: Path) -> None:
    (folder / "spec.yaml").write_text(SPEC.replace("callbacks: [{Stop: {after: 2}}]", "callbacks: []"))
    code, runs = folder / "parts.py", folder / "runs"
    whole, _ = experiment.train(folder / "spec.yaml", display=Quiet(), runs_dir=runs, code=code)
    part, _ = experiment.train(
        folder / "spec.yaml", ["training.epochs=2"], display=Quiet(), runs_dir=runs, code=code
    )
    experiment.resume(str(part.path), ["training.epochs=5"], display=Quiet(), code=code)

    first, second = (run.checkpoints.read_model()[1] for run in (whole, part))
    assert first.keys() == second.keys()
    for name, array in first.items():
        np.testing.assert_array_equal(array, second[name])


def test_model_file_loads_in_keras_with_the_parts_of_the_file(trained: Run) -> None:
    program = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "import keras, numpy, parts\n"
        "known = {name: getattr(parts, name) for name in ('soft', 'brier', 'Scaled', 'Slow', 'Falling')}\n"
        "model = keras.saving.load_model(sys.argv[2], custom_objects=known)\n"
        "print(model.count_params(), model.loss.__name__, type(model.optimizer).__name__)\n"
    )
    arguments = [str(the_code(trained).parent), str(trained.path / "model.keras")]
    done = subprocess.run(
        [sys.executable, "-B", "-c", program, *arguments], capture_output=True, text=True, check=False
    )

    assert done.stdout.split() == ["1274", "brier", "Slow"], done.stderr[-2000:]


def run_command(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, list(arguments))
    return result.exit_code, result.output


def test_commands_take_the_file(folder: Path) -> None:
    spec, code = str(folder / "spec.yaml"), str(folder / "parts.py")

    assert run_command("validate", spec, "--code", code) == (0, f"{spec}: valid\n")
    assert run_command("config", spec, "--code", code)[0] == 0
    assert run_command("summary", spec, "--code", code)[0] == 0
    assert run_command("explain", spec, "--code", code)[0] == 0
    exit_code, output = run_command("validate", spec)
    assert exit_code == 2 and "no layer 'Scaled'" in output


def test_validate_runs_nothing_of_the_file_and_writes_nothing(folder: Path) -> None:
    marker = folder / "marker"
    with (folder / "parts.py").open("a") as file:
        file.write(f"\nopen({str(marker)!r}, 'w')\n")
    before = sorted(path.name for path in folder.rglob("*"))
    command = [sys.executable, "-m", "nnrun", "validate", "spec.yaml", "--code", "parts.py"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stdout) == (0, "spec.yaml: valid\n")
    assert sorted(path.name for path in folder.rglob("*")) == before


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ("raise ValueError('never')\n", "cannot be run: ValueError: never"),
        ("import sys\nsys.exit(0)\n", "cannot be run: SystemExit: 0"),
        ("def broken(:\n", "no Python: invalid syntax"),
        ("class Stop(keras.callbacks.Callback):\n    def __init__(self, after): super().__init__()\n"
         "    def on_epoch_end(self, epoch, logs=None): raise OSError('full')\n", "raised OSError: full"),
        ("def brier(y_true, y_pred): return y_pred / nothing\n",
         "raised NameError: name 'nothing' is not defined"),
    ],
    ids=["raises", "exits", "syntax", "callback", "loss"],
)  # fmt: skip
def test_mistake_in_the_file_is_shown_at_its_line_and_is_no_bug_of_nnrun(
    more: str, message: str, folder: Path
) -> None:
    path = folder / "parts.py"
    path.write_text(PARTS + more)
    line = (PARTS + more).count("\n")
    exit_code, output = run_command(
        "train", str(folder / "spec.yaml"), "--code", str(path), "--runs-dir", str(folder / "runs"), "--quiet"
    )

    assert exit_code == 2
    assert f"{path}:{line}:" in output.replace("\n", "") and message in output
    assert "Traceback" not in output and "bug in nnrun" not in output


@pytest.mark.parametrize("command", ["train", "validate", "config", "summary", "explain"])
def test_missing_file_is_refused_by_every_command(command: str, folder: Path) -> None:
    exit_code, output = run_command(command, str(folder / "spec.yaml"), "--code", str(folder / "none.py"))

    assert exit_code == 2
    assert "--code: no such file; give the path of a Python file" in " ".join(output.split())


def test_exit_codes_of_a_run_without_its_file_and_with_another(trained: Run, tmp_path: Path) -> None:
    other = tmp_path / "parts.py"
    other.write_text(PARTS + "# changed\n")

    assert run_command("evaluate", str(trained.path))[0] == 2
    assert run_command("evaluate", str(trained.path), "--code", str(other))[0] == 8
    assert run_command("evaluate", str(trained.path), "--code", str(the_code(trained)))[0] == 0
