"""The pages of real trainings: the examples are those of the data, and the answers those of the model."""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pages import read_page
from PIL import Image
from quiet import Quiet

from nnrun import experiment, inference
from nnrun.store.run import Run

pytestmark = pytest.mark.tensorflow


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("runs")


def train(specification: Path, runs: Path, *overrides: str) -> Run:
    return experiment.train(specification, overrides, display=Quiet(), runs_dir=runs)[0]


@pytest.fixture(scope="module")
def digits(runs: Path) -> Run:
    repository = Path(__file__).parents[2]
    return train(repository / "configs/digits.yaml", runs, "training.epochs=2")


def samples(run: Run) -> list[dict[str, Any]]:
    kept = json.loads((run.path / "evaluation/test/samples.json").read_text())
    return [*kept["spread"], *kept["worst"]]


def decoded(picture: str) -> Any:
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(picture))))


def test_samples_are_the_test_part_with_the_models_answers(digits: Run) -> None:
    _, prepared, _ = inference.reopen(str(digits.path), Quiet(), None, None)
    (chances,) = prepared.engine.predict(prepared.feed("test"), prepared.spec.training.batch_size)
    test = prepared.examples("test")

    found = samples(digits)

    assert len(found) == 24
    for sample in found:
        index = sample["example"]
        assert sample["target"] == test.y[index]
        assert sample["predicted"] == chances[index].argmax()
        for of_class, chance in sample["probabilities"]:
            assert chance == pytest.approx(chances[index, of_class], abs=1e-6)
        pixels = decoded(sample["inputs"]["input"]["picture"])
        np.testing.assert_array_equal(pixels, np.rint(test.x[index] / 16 * 255))  # type: ignore[union-attr, index]
    assert all(sample["target"] != sample["predicted"] for sample in found[12:])


def test_page_of_a_training_has_all_its_parts(digits: Run) -> None:
    page = read_page((digits.path / "report.html").read_text())

    assert len(page.all("li", "sample")) == 24
    boxes = [one.text for one in page.all("svg", "diagram")[0].all("text")][::2]
    assert boxes == ["InputLayer input", "Flatten flatten", "Dense dense", "Dropout dropout", "Dense dense_1"]
    assert len(page.all("svg", "diagram")[0].all("path", "edge")) == 4
    result = digits.result()
    assert result
    card = page.all("dl", "cards")[0].all("div")[0]
    assert card.all("dt")[0].text == "test accuracy"
    assert card.all("dd")[0].text.startswith(f"{result['test']['accuracy']:.4f}")


def test_rows_of_a_file_are_shown_as_they_stand_in_it(repository: Path, runs: Path) -> None:
    run = train(repository / "configs/own/iris.yaml", runs, "training.epochs=1")
    lines = (repository / "configs/data/iris.csv").read_text().splitlines()
    header, *rows = (line.split(",") for line in lines)
    known = {(*(float(value) for value in row[:4]), row[4]) for row in rows}

    classes = json.loads((run.path / "evaluation/test/samples.json").read_text())["classes"]
    for sample in samples(run):
        values = dict(sample["inputs"]["input"]["values"])
        assert list(values) == header[:4]
        assert (*values.values(), classes[sample["target"]]) in known


@pytest.mark.slow
def test_autoencoder_shows_pictures_and_what_it_makes_of_them(repository: Path, runs: Path) -> None:
    run = train(repository / "configs/examples/conv_autoencoder.yaml", runs, "training.epochs=1")
    _, prepared, _ = inference.reopen(str(run.path), Quiet(), None, None)
    (said,) = prepared.engine.predict(prepared.feed("test"), prepared.spec.training.batch_size)

    copies = json.loads((run.path / "evaluation/test/samples.json").read_text())["copies"]

    assert [one["example"] for one in copies] == np.linspace(0, 358, 12).astype(int).tolist()
    test = prepared.examples("test")
    for one in copies:
        given = test.x[one["example"]]  # type: ignore[union-attr, index]
        np.testing.assert_array_equal(decoded(one["given"]), np.rint(given / 16 * 255))
        expected = said[one["example"]] * 255
        assert np.abs(decoded(one["said"]).astype(float) - expected).max() < 0.51
    page = read_page((run.path / "report.html").read_text())
    assert len(page.all("ul", "copies")[0].all("img")) == 24
