"""Every shipped configuration is what its first lines say."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from quiet import Quiet

from nnrun import experiment, inference
from nnrun.spec.load import load_spec
from nnrun.store.run import Run

CONFIGS = Path(__file__).parents[1] / "configs"
FILES = sorted(CONFIGS.rglob("*.yaml"))


def relative(path: Path) -> str:
    return str(path.relative_to(CONFIGS.parent))


def train(name: str, runs: Path, *overrides: str) -> Run:
    run, _ = experiment.train(CONFIGS / f"{name}.yaml", overrides, display=Quiet(), runs_dir=runs)
    return run


def result(run: Run) -> dict[str, dict[str, float]]:
    found: dict[str, dict[str, float]] = json.loads((run.path / "result.json").read_text())
    return found


def test_configurations_are_all_here() -> None:
    assert len(FILES) >= 14
    assert len(list((CONFIGS / "tiny").glob("*.yaml"))) >= 4


@pytest.mark.parametrize("path", FILES, ids=relative)
def test_configuration_opens_with_its_command_score_and_time(path: Path) -> None:
    first = path.read_text("utf-8").splitlines()[0]

    assert first.startswith(f"# nnrun train {relative(path)} ")
    assert "," in first


@pytest.mark.parametrize("path", FILES, ids=relative)
def test_configuration_is_valid(path: Path) -> None:
    load_spec(path)


@pytest.mark.tensorflow
@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("mnist_perceptron", 7_960),
        ("mnist_512", 407_050),
        ("mnist", 407_050),
        ("mnist_cnn", 34_826),
        ("digits", 9_610),
        ("celsius", 2),
        ("xor", 17),
        ("xor_functional", 7),
        ("imdb", 160_289),
    ],
)
def test_configuration_has_its_parameters(name: str, parameters: int) -> None:
    from nnrun.model.summary import build_from_facts

    assert build_from_facts(load_spec(CONFIGS / f"{name}.yaml")).count_params() == parameters


@pytest.mark.tensorflow
@pytest.mark.parametrize(
    ("name", "least"),
    [
        ("digits", 0.96),
        ("tiny/digits_cnn", 0.9),
        ("tiny/moons", 0.9),
        ("tiny/spirals_graph", 0.7),
    ],
)
def test_configuration_reaches_its_test_accuracy(name: str, least: float, tmp_path: Path) -> None:
    assert result(train(name, tmp_path))["test"]["accuracy"] >= least


@pytest.mark.tensorflow
@pytest.mark.parametrize("name", ["xor", "xor_functional", "tiny/xor"])
def test_exclusive_or_is_learned_in_all_four_cases(name: str, tmp_path: Path) -> None:
    run = train(name, tmp_path)

    _, predictions = inference.predict(str(run.path), "train", display=Quiet())

    assert [row["right"] for row in predictions.rows()] == [True] * 4


@pytest.mark.tensorflow
def test_celsius_is_learned_within_half_a_degree(tmp_path: Path) -> None:
    run = train("celsius", tmp_path)

    _, predictions = inference.predict(str(run.path), "train", display=Quiet())

    errors = [abs(row["output"] - row["target"]) for row in predictions.rows()]
    assert len(errors) == 7
    assert max(errors) < 0.5


@pytest.mark.tensorflow
def test_tiny_celsius_learns(tmp_path: Path) -> None:
    rows = train("tiny/celsius", tmp_path).rows()

    assert rows[-1]["loss"] < rows[0]["loss"] / 2


@pytest.mark.tensorflow
@pytest.mark.usefixtures("real_mnist")
def test_mnist_perceptron_gives_the_textbook_figures(tmp_path: Path) -> None:
    run = train("mnist_perceptron", tmp_path)

    assert run.facts()["training"]["steps_per_epoch"] == 1_875
    assert 0.82 <= run.rows()[4]["accuracy"] <= 0.88
    assert 0.82 <= result(run)["test"]["accuracy"] <= 0.89


@pytest.mark.tensorflow
@pytest.mark.usefixtures("real_mnist")
def test_mnist_512_gives_the_textbook_figures(tmp_path: Path) -> None:
    run = train("mnist_512", tmp_path)

    facts = run.facts()
    assert [facts["data"][part] for part in ("train", "validation", "test")] == [54_000, 6_000, 10_000]
    assert facts["training"]["steps_per_epoch"] == 422
    assert 0.86 <= result(run)["test"]["accuracy"] <= 0.89


@pytest.mark.slow
@pytest.mark.tensorflow
@pytest.mark.usefixtures("real_mnist")
@pytest.mark.parametrize(("name", "least"), [("mnist", 0.975), ("mnist_cnn", 0.985), ("fashion_mnist", 0.87)])
def test_configuration_reaches_its_accuracy_on_the_real_images(
    name: str, least: float, tmp_path: Path
) -> None:
    assert result(train(name, tmp_path))["test"]["accuracy"] >= least
