"""From a specification to a run directory and back, in this process."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from quiet import Quiet

from nnrun import experiment, inference
from nnrun.errors import ChangedError, DataError, DivergedError, ResourceError, RunError, SpecError
from nnrun.store.run import Run
from nnrun.store.runs import list_runs
from nnrun.training import prepared

pytestmark = pytest.mark.tensorflow

DIGITS = """
seed: 3
data: {source: digits}
model:
  layers:
    - Flatten
    - Dense: {units: 16, activation: relu}
    - Dense: {units: 10, activation: softmax}
training:
  loss: sparse_categorical_crossentropy
  metrics: [accuracy]
  epochs: 3
  validation_split: 0.1
"""


Train = Callable[..., Run]


@pytest.fixture
def train(tmp_path: Path) -> Train:
    """Train a specification given as text; runs go to ``tmp_path/runs``."""

    def run(text: str = DIGITS, *overrides: str, display: Quiet | None = None, name: str = "spec") -> Run:
        path = tmp_path / f"{name}.yaml"
        path.write_text(text)
        trained, _ = experiment.train(path, overrides, display=display or Quiet(), runs_dir=tmp_path / "runs")
        return trained

    return run


def test_train_leaves_a_directory_that_tells_everything(train: Train) -> None:
    run = train()

    assert sorted(path.name for path in run.path.iterdir()) == [
        "checkpoints",
        "config.yaml",
        "evaluation",
        "lock",
        "metrics.jsonl",
        "model.keras",
        "report.html",
        "result.json",
        "run.json",
        "tensorflow.log",
    ]
    assert sorted(path.name for path in (run.path / "checkpoints").iterdir()) == ["000001.npz", "best.npz"]
    facts = json.loads((run.path / "run.json").read_text())
    assert facts["format"] == 1
    assert facts["data"]["train"] + facts["data"]["validation"] + facts["data"]["test"] == 1797
    assert facts["data"]["fingerprint"].startswith("sha256:")
    assert facts["versions"]["keras"]
    rows = [json.loads(line) for line in (run.path / "metrics.jsonl").read_text().splitlines()]
    assert [row["epoch"] for row in rows] == [1, 2, 3]
    assert {
        "seconds",
        "examples_per_second",
        "learning_rate",
        "loss",
        "accuracy",
        "val_loss",
        "val_accuracy",
    } <= set(rows[0])
    result = json.loads((run.path / "result.json").read_text())
    assert result["status"] == "finished"
    assert result["reason"] == "epochs"
    assert result["best"]["val_loss"] == min(row["val_loss"] for row in rows)
    assert run.status() == "finished"


def test_config_of_a_run_repeats_it_to_the_last_bit(train: Train) -> None:
    first = train(DIGITS, "training.learning_rate=0.01")

    second = train(first.config_path.read_text(), name="again")

    written = yaml.safe_load(first.config_path.read_text())
    assert written["runtime"]["jit_compile"] is False
    assert written["training"]["learning_rate"] == 0.01
    assert weights(first).keys() == weights(second).keys()
    for name, array in weights(first).items():
        np.testing.assert_array_equal(array, weights(second)[name])


def test_another_seed_gives_other_weights(train: Train) -> None:
    first, second = weights(train()), weights(train(DIGITS, "seed=4"))

    assert any((array != second[name]).any() for name, array in first.items())


def weights(run: Run) -> dict[str, Any]:
    return run.checkpoints.read_model()[1]


def test_model_file_is_a_keras_model_with_the_kept_weights(train: Train, tmp_path: Path) -> None:
    from nnrun.keras_backend import load_keras

    run = train()

    model = load_keras().saving.load_model(run.path / "model.keras")
    _, predictions = inference.predict(str(run.path), display=Quiet())
    data = np.load(Path(experiment.__file__).parent / "data" / "embedded" / "digits.npz")
    images = next(array for array in data.values() if array.ndim == 3)
    assert model.count_params() == 64 * 16 + 16 + 16 * 10 + 10
    (said,) = predictions.outputs.values()
    assert said.shape == (359, 10)
    outputs = model.predict(images / np.float32(16), verbose=0)
    found = {row.tobytes() for row in outputs.round(4)}
    assert sum(row.tobytes() in found for row in said.round(4)) > 350


def test_run_without_shuffling_equals_the_plain_keras_program(train: Train) -> None:
    from nnrun.data.load import load_data
    from nnrun.keras_backend import load_keras, start_session
    from nnrun.spec.schema import Choice, DataSection

    run = train(DIGITS, "training.shuffle=false")

    keras = load_keras()
    data = load_data(DataSection(source=Choice("digits")), seed=3, validation_split=0.1, notify=print)
    start_session(3)
    model = keras.Sequential(
        [
            keras.Input((8, 8)),
            keras.layers.Flatten(),
            keras.layers.Dense(16, activation="relu"),
            keras.layers.Dense(10, activation="softmax"),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"], jit_compile=False)
    scaled = {part: getattr(data, part).x.astype("float32") / 16 for part in ("train", "validation")}
    history = model.fit(
        scaled["train"],
        data.train.y,
        epochs=3,
        shuffle=False,
        validation_data=(scaled["validation"], data.validation.y if data.validation else None),
        verbose=0,
    ).history
    for name, values in history.items():
        assert [row[name] for row in run.rows()] == values
    last = experiment_arrays(run)
    for array, variable in zip(last, model.variables, strict=True):
        np.testing.assert_array_equal(array, variable.numpy())


def experiment_arrays(run: Run) -> list[Any]:
    """The model's arrays of the newest checkpoint, in order."""
    from nnrun.store.archive import read_archive

    _, arrays = read_archive(run.checkpoints.paths()[0])
    return [array for name, array in arrays.items() if name.startswith("model/")]


def test_evaluate_gives_the_scores_of_the_training(train: Train) -> None:
    run = train()

    _, report = inference.evaluate(str(run.path), display=Quiet())

    result = run.result()
    assert result is not None
    assert report.facts["scores"] == result["test"]
    assert json.loads((run.path / "evaluation/test/scores.json").read_text()) == report.facts


def test_evaluate_on_validation_gives_the_best_epochs_values(train: Train) -> None:
    run = train()

    _, report = inference.evaluate(str(run.path), "validation", display=Quiet())

    result = run.result()
    assert result is not None
    assert report.facts["scores"]["loss"] == pytest.approx(result["best"]["val_loss"], abs=1e-7)


def test_evaluate_on_a_part_that_the_data_lacks_says_so(train: Train) -> None:
    run = train(DIGITS, "training.validation_split=0")

    with pytest.raises(DataError, match=r"digits has no validation examples; set training.validation_split"):
        inference.evaluate(str(run.path), "validation", display=Quiet())


def test_evaluate_after_the_data_changed_refuses(train: Train) -> None:
    run = train()
    facts = run.facts()
    facts["data"]["fingerprint"] = "sha256:" + "0" * 64
    (run.path / "run.json").write_text(json.dumps(facts))

    with pytest.raises(ChangedError, match=r"the data is not what .* was trained on"):
        inference.evaluate(str(run.path), display=Quiet())


def test_evaluate_of_a_damaged_checkpoint_names_it(train: Train) -> None:
    run = train()
    path = run.path / "checkpoints" / "best.npz"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)

    with pytest.raises(RunError, match=r"best\.npz is damaged"):
        inference.evaluate(str(run.path), display=Quiet())


def test_predict_gives_a_row_for_every_example(train: Train) -> None:
    run = train()

    _, predictions = inference.predict(str(run.path), display=Quiet())

    rows = list(predictions.rows())
    result = run.result()
    assert result is not None
    assert len(rows) == 359
    assert rows[0].keys() == {"example", "target", "predicted", "probability", "right"}
    assert sum(row["right"] for row in rows) / 359 == pytest.approx(result["test"]["accuracy"], abs=1e-6)
    np.testing.assert_allclose(next(iter(predictions.outputs.values())).sum(axis=1), 1, atol=1e-5)
    assert predictions.csv().splitlines()[0] == "example,target,predicted,probability,right"
    assert len(predictions.csv().splitlines()) == 360


def test_two_runs_of_the_same_second_are_two(train: Train, monkeypatch: pytest.MonkeyPatch) -> None:
    class Stopped(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Stopped:
            return cls(2026, 11, 20, 19, 30, 12)

    monkeypatch.setattr(experiment, "datetime", Stopped)

    first, second = train(DIGITS, "training.epochs=1"), train(DIGITS, "training.epochs=1")

    assert (first.id, second.id) == ("spec-20261120-193012", "spec-20261120-193012-2")


def test_interruption_keeps_history_checkpoint_and_model(tmp_path: Path) -> None:
    path = tmp_path / "spec.yaml"
    path.write_text(DIGITS)
    asked = threading.Event()
    seen: list[int] = []

    def count() -> None:
        seen.append(1)
        if len(seen) == 6:
            asked.set()

    run, ending = experiment.train(
        path,
        ["training.epochs=100"],
        display=Quiet(count),
        runs_dir=tmp_path / "runs",
        interrupted=asked.is_set,
    )

    assert ending.reason == "interrupted"
    assert run.status() == "interrupted"
    assert run.result() is None
    assert len(run.rows()) == ending.position.epoch
    assert (run.path / "model.keras").is_file()
    assert len(run.checkpoints.paths()) == 1
    _, report = inference.evaluate(str(run.path), display=Quiet())
    assert report.facts["scores"]["loss"] > 0


def test_divergence_stops_the_run_and_keeps_its_history(train: Train, tmp_path: Path) -> None:
    text = DIGITS.replace("loss: sparse_categorical_crossentropy", "loss: mean_squared_error").replace(
        "activation: softmax", "activation: linear"
    )

    with pytest.raises(DivergedError, match=r"is (nan|inf) in epoch \d+ at a learning rate of 1e\+\d+"):
        train(text, "training.optimizer=sgd", "training.learning_rate=1e20")

    (run,) = list_runs(tmp_path / "runs")
    path = run.path
    assert run.status() == "interrupted"
    assert not (path / "checkpoints" / "best.npz").exists()


@pytest.mark.usefixtures("no_data")
def test_missing_data_without_fallback_says_where_to_put_it(train: Train) -> None:
    with pytest.raises(DataError) as caught:
        train(DIGITS.replace("digits", "mnist"))

    assert "NNRUN_DATA_DIR" in str(caught.value)
    assert "fallback: digits" in str(caught.value)


@pytest.mark.usefixtures("no_data")
def test_missing_data_with_fallback_trains_on_digits_and_warns(train: Train) -> None:
    display = Quiet()

    run = train(DIGITS.replace("{source: digits}", "{source: mnist, fallback: digits}"), display=display)

    (warning,) = display.warnings
    assert "digits" in warning
    assert "mnist" in warning
    assert run.facts()["data"]["name"].startswith("digits (fallback for mnist: ")


def test_shape_that_does_not_fit_is_reported_before_the_data_is_loaded(
    train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        prepared, "load_data", lambda *arguments, **options: pytest.fail("the data was loaded")
    )

    with pytest.raises(SpecError) as caught:
        train(DIGITS.replace("- Flatten", "- Conv2D: {filters: 4, kernel_size: 3}"))

    (problem,) = caught.value.problems
    assert str(problem.place).endswith("spec.yaml:6:7")
    assert problem.path == "model.layers[0].Conv2D"
    assert problem.message.startswith("receives (batch, 8, 8), wants (batch, height, width, channels)")
    assert list((tmp_path / "runs").iterdir()) == []


def test_output_that_does_not_fit_the_targets_is_reported_at_its_layer(train: Train) -> None:
    with pytest.raises(SpecError, match=r"gives \(batch, 8, 10\), but there is one target for each example"):
        train(DIGITS.replace("    - Flatten\n", ""))


def test_model_that_memory_cannot_hold_is_refused(train: Train) -> None:
    with pytest.raises(ResourceError, match=r"parameters take .* TB .* this machine has"):
        train(DIGITS, "model.layers.1.Dense.units=100000000000")


def test_run_in_a_place_that_cannot_be_written_is_refused_before_the_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        prepared, "load_data", lambda *arguments, **options: pytest.fail("the data was loaded")
    )
    path = tmp_path / "spec.yaml"
    path.write_text(DIGITS)
    (tmp_path / "file").write_text("")

    with pytest.raises(ResourceError, match=r"cannot write .*file/runs"):
        experiment.train(path, display=Quiet(), runs_dir=tmp_path / "file" / "runs")


def test_evaluate_of_a_run_that_is_not_there_says_what_is(train: Train, tmp_path: Path) -> None:
    run = train()

    with pytest.raises(RunError, match=rf"no run 'nothing'; the newest in .* is {run.id}"):
        inference.evaluate("nothing", display=Quiet(), runs_dir=tmp_path / "runs")


def test_callbacks_write_inside_the_run(
    train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    run = train(
        DIGITS,
        "training.callbacks=[{CSVLogger: {filename: history.csv}}, "
        "{ModelCheckpoint: {filepath: best.weights.h5, save_weights_only: true, save_best_only: true}}]",
    )

    assert len((run.path / "history.csv").read_text().splitlines()) == 4
    assert (run.path / "best.weights.h5").is_file()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["runs", "spec.yaml"]


@pytest.mark.parametrize("path", ["/tmp/x.csv", "../x.csv", "a/../../x.csv", "C:/x.csv", "..\\\\x.csv"])
def test_callback_that_would_write_outside_the_run_is_refused(
    path: str, train: Train, tmp_path: Path
) -> None:
    with pytest.raises(SpecError, match=r"callbacks\[0\].CSVLogger.filename: expected a path inside the run"):
        train(DIGITS, f"training.callbacks=[{{CSVLogger: {{filename: '{path}'}}}}]")

    assert list((tmp_path / "runs").iterdir()) == []


def test_metric_that_does_not_fit_the_targets_is_reported_at_its_place(train: Train) -> None:
    with pytest.raises(SpecError) as caught:
        train(DIGITS.replace("[accuracy]", "[accuracy, auc]"))

    (problem,) = caught.value.problems
    assert str(problem.place).endswith("spec.yaml:11:23")
    assert problem.path == "training.metrics[1]"
    assert problem.message.startswith("does not fit the model's output and the targets: ")


def test_mirrored_strategy_on_one_device_gives_the_same_numbers(train: Train) -> None:
    plain = train()
    mirrored = train(DIGITS, "runtime.strategy=mirrored")

    for one, other in zip(plain.rows(), mirrored.rows(), strict=True):
        assert one["loss"] == pytest.approx(other["loss"], abs=1e-6)
        assert one["val_accuracy"] == pytest.approx(other["val_accuracy"], abs=1e-6)


def test_run_knows_the_commit_of_its_specification(train: Train, tmp_path: Path) -> None:
    import subprocess

    from nnrun.training.record import git_commit

    assert train().facts()["git"] is None  # pytest's folder is in no repository
    for command in (["init", "-q"], ["commit", "-q", "--allow-empty", "-m", "first"]):
        who = ["-c", "user.name=n", "-c", "user.email=n@example.org"]
        subprocess.run(["git", *who, *command], cwd=tmp_path, check=True)
    commit = git_commit(tmp_path)
    assert commit is not None
    assert len(commit) == 40
    assert train().facts()["git"] == commit


RESTORED = """
seed: 7
data: {source: xor}
model: {layers: [{Dense: {units: 4, activation: tanh}}, {Dense: {units: 1, activation: sigmoid}}]}
training:
  loss: binary_crossentropy
  learning_rate: 0.1
  metrics: [accuracy]
  epochs: 200
  batch_size: 4
  callbacks: [{EarlyStopping: {monitor: accuracy, mode: max, patience: 20, restore_best_weights: true}}]
"""


def test_weights_that_a_callback_put_back_are_called_by_their_epoch(train: Train) -> None:
    run = train(RESTORED)
    rows, result = run.rows(), run.result()

    first = next(row["epoch"] for row in rows if row["accuracy"] == max(row["accuracy"] for row in rows))
    assert result is not None and len(rows) == first + 20
    assert result["model"] == {"weights": "best", "epoch": first}
    scores = inference.evaluate(str(run.path), "train", display=Quiet())[1].facts["scores"]
    assert scores["loss"] == pytest.approx(
        rows[first]["loss"], abs=1e-6
    )  # the next epoch began with these weights


@pytest.mark.parametrize(
    ("text", "judged"),
    [(DIGITS, "test"), (RESTORED, "train"), (RESTORED + "  validation_split: 0.25\n", "validation")],
)
def test_training_is_judged_on_what_comes_nearest_to_a_test(train: Train, text: str, judged: str) -> None:
    run = train(text, "training.epochs=2")

    assert [folder.name for folder in (run.path / "evaluation").iterdir()] == [judged]
    samples = json.loads((run.path / "evaluation" / judged / "samples.json").read_text())
    assert samples
