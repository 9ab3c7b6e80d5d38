"""The examples are short, and they train."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from quiet import Quiet

from nnrun import experiment

EXAMPLES = sorted((Path(__file__).parents[1] / "configs" / "examples").glob("*.yaml"))
MOST_LINES = 60


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_example_fits_on_a_screen(path: Path) -> None:
    assert len(path.read_text("utf-8").splitlines()) < MOST_LINES


def test_examples_show_what_keras_shows() -> None:
    names = "mlp convnet lstm_text lstm autoencoder resnet transformer several_outputs ready_network"

    assert {path.stem for path in EXAMPLES} >= set(names.split())


@pytest.mark.tensorflow
@pytest.mark.parametrize(
    ("name", "overrides", "score", "bar"),
    [
        ("autoencoder", [], "loss", 0.012),
        ("conv_autoencoder", ["training.epochs=6"], "loss", 0.045),
        ("lstm", ["training.epochs=6"], "accuracy", 0.8),
        ("resnet", ["training.epochs=5"], "accuracy", 0.9),
        ("transformer", ["training.epochs=6"], "accuracy", 0.9),
        ("several_outputs", [], "digit_accuracy", 0.93),
        pytest.param("ready_network", [], "accuracy", 0.7, marks=pytest.mark.slow),
        pytest.param("mlp", ["data.source=digits", "~data.fallback"], "accuracy", 0.95),
        pytest.param("convnet", ["training.epochs=3"], "accuracy", 0.97, marks=pytest.mark.slow),
    ],
)
def test_example_learns(
    name: str, overrides: list[str], score: str, bar: float, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    if name == "convnet":
        request.getfixturevalue("real_mnist")
    path = next(path for path in EXAMPLES if path.stem == name)
    run, _ = experiment.train(path, overrides, display=Quiet(), runs_dir=tmp_path)
    result: dict[str, Any] = run.result() or {}

    assert result["test"][score] < bar if score == "loss" else result["test"][score] > bar
