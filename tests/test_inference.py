"""What is said of a model is what scikit-learn says of the same predictions, and all of it lies in the run."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from quiet import Quiet
from sklearn import metrics

from nnrun import experiment, inference
from nnrun.store.run import Run

pytestmark = pytest.mark.tensorflow

CONFIGS = Path(__file__).parents[1] / "configs"

TABLE = """
data:
  source: {csv: {path: people.csv, target: [bought, city, age]}}
model:
  layers:
    - Dense: {units: 8, activation: relu, name: hidden}
    - Dense: {units: 1, activation: sigmoid, name: bought, inputs: hidden}
    - Dense: {units: 3, activation: softmax, name: where, inputs: hidden}
    - Dense: {units: 1, name: age, inputs: hidden}
  outputs: [bought, where, age]
training:
  loss: {bought: binary_crossentropy, where: sparse_categorical_crossentropy, age: mse}
  metrics: {bought: [accuracy], where: [accuracy], age: [mae]}
  learning_rate: 0.01
  epochs: 40
"""


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("digits")
    overrides = ["training.epochs=3"]
    return experiment.train(CONFIGS / "digits.yaml", overrides, display=Quiet(), runs_dir=folder)[0]


def test_evaluation_of_classes_equals_that_of_scikit_learn(digits: Run) -> None:
    _, found = inference.evaluate(str(digits.path), display=Quiet())
    _, predictions = inference.predict(str(digits.path), display=Quiet())

    (chances,) = predictions.outputs.values()
    true, said = predictions.targets, chances.argmax(axis=1)
    names = [str(index) for index in range(10)]
    (judged,) = found.outputs.values()
    expected = metrics.classification_report(true, said, target_names=names, digits=4, zero_division=0)
    assert judged.text.split() == expected.split()
    assert judged.confusion is not None
    assert judged.confusion.counts.tolist() == metrics.confusion_matrix(true, said).tolist()
    assert judged.report["log_loss"] == pytest.approx(metrics.log_loss(true, chances), abs=1e-5)
    assert found.facts["scores"]["accuracy"] == pytest.approx(judged.report["accuracy"], abs=1e-6)


def test_evaluation_lies_in_the_run_as_json_text_and_tables(digits: Run) -> None:
    _, found = inference.evaluate(str(digits.path), "validation", display=Quiet())

    folder = digits.path / "evaluation" / "validation"
    (judged,) = found.outputs.values()
    assert json.loads((folder / "scores.json").read_text()) == found.facts
    assert json.loads((folder / "report.json").read_text())["accuracy"] == judged.report["accuracy"]
    assert (folder / "report.txt").read_text() == judged.text
    with (folder / "confusion.csv").open(newline="") as file:
        rows = list(csv.reader(file))
    assert judged.confusion is not None
    assert [list(map(int, row[1:])) for row in rows[1:]] == judged.confusion.counts.tolist()
    with (folder / "mistakes.csv").open(newline="") as file:
        mistakes = list(csv.DictReader(file))
    assert all(row["target"] != row["predicted"] for row in mistakes)
    probabilities = [float(row["probability"]) for row in mistakes]
    assert probabilities == sorted(probabilities, reverse=True)


def test_pictures_lie_in_the_run(digits: Run) -> None:
    written = inference.draw(digits, None, "test", Quiet())

    assert {path.parent for path in written} == {digits.path / "plots"}
    names = {path.name for path in written}
    assert {"learning_curves.png", "confusion.svg", "answers.png", "mistakes.png", "model.svg"} <= names
    assert all(path.stat().st_size > 2000 for path in written)


def test_evaluation_of_numbers_equals_that_of_scikit_learn(tmp_path: Path) -> None:
    run, _ = experiment.train(
        CONFIGS / "tiny" / "celsius.yaml", ["training.epochs=5"], display=Quiet(), runs_dir=tmp_path
    )

    _, found = inference.evaluate(str(run.path), "train", display=Quiet())

    (judged,) = found.outputs.values()
    true, said = judged.known.targets, judged.output[:, 0]
    assert judged.report["mae"] == pytest.approx(metrics.mean_absolute_error(true, said))
    assert judged.report["r2"] == pytest.approx(metrics.r2_score(true, said))
    assert (run.path / "evaluation" / "train" / "regression.json").is_file()


def test_outputs_learn_their_own_columns_classes_beside_numbers(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    rows = []
    for _ in range(300):
        a, b = random.normal(size=2)
        city = ("Bonn", "Köln", "Ulm")[int(np.digitize(b, [-0.4, 0.4]))]
        rows.append([f"{a:.4f}", f"{b:.4f}", int(a > 0), city, f"{3 * a + 1:.4f}"])
    with (tmp_path / "people.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([["a", "b", "bought", "city", "age"], *rows])
    (tmp_path / "spec.yaml").write_text(TABLE, "utf-8")
    overrides = ["data.target={where: city}"]

    run, _ = experiment.train(tmp_path / "spec.yaml", overrides, display=Quiet(), runs_dir=tmp_path / "runs")
    _, found = inference.evaluate(str(run.path), display=Quiet())

    assert found.outputs["bought"].report["accuracy"] > 0.9
    assert found.outputs["where"].known.class_names == ["Bonn", "Köln", "Ulm"]
    assert found.outputs["where"].report["accuracy"] > 0.8
    assert found.outputs["age"].report["r2"] > 0.8
    _, chunks = inference.predict_files(str(run.path), str(tmp_path / "people.csv"), display=Quiet())
    (said,) = chunks
    assert said["where_predicted"][:5] and set(said["where_predicted"]) <= {"Bonn", "Köln", "Ulm"}
    assert np.corrcoef(said["age_age"], [float(row[4]) for row in rows])[0, 1] > 0.9
