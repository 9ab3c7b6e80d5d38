"""A specification in words: the course's numbers, and what stands in the file."""

from __future__ import annotations

from pathlib import Path

import pytest

from nnrun.explain.config import explain_config
from nnrun.spec.load import load_spec


def words(path: Path, *overrides: str) -> str:
    """All that is said of a specification, in one text."""
    sections = explain_config(load_spec(path, overrides))
    return "\n".join(line for section in sections for line in (section.title, *section.lines))


@pytest.mark.parametrize(
    ("name", "said"),
    [
        (
            "mnist_perceptron",
            ["784 x 10 + 10 = 7,850", "10 x 10 + 10 = 110", "7,850 + 110 = 7,960 parameters"],
        ),
        ("mnist_perceptron", ["60,000 / 32 is 1,875 steps an epoch", "9,375 steps in all"]),
        ("mnist_512", ["784 x 512 + 512 = 401,920", "401,920 + 5,130 = 407,050 parameters", "1.63 MB"]),
        ("mnist_512", ["54,000 / 128, rounded up, is 422 steps an epoch; the last one has 112"]),
        ("mnist_512", ["54,000 to learn from, 6,000 to validate on, 10,000 to test with"]),
        ("mnist_cnn", ["28 x 28 x 1 become 26 x 26 x 32", "3 x 3 x 32 x 64 + 64 = 18,496"]),
        ("mnist", ["divided by 255", "EarlyStopping stops when val_loss has not improved for 3 epochs"]),
        ("xor_functional", ["2 values and 1 value become 3 values", "7 parameters"]),
        ("celsius", ["a number to predict", "7 / 7 is 1 step an epoch", "2,000 steps in all"]),
        ("imdb", ["10,000 x 16 = 160,000", "word numbers below 10,000"]),
    ],
)
def test_shipped_configuration_is_explained(name: str, said: list[str], repository: Path) -> None:
    text = words(repository / "configs" / f"{name}.yaml")

    assert [sentence for sentence in said if sentence not in text] == []


def test_thousand_examples_in_batches_of_twenty_are_fifty_steps(tmp_path: Path) -> None:
    path = tmp_path / "fifty.yaml"
    path.write_text(
        "data: {source: {moons: {examples: 1000, test_split: 0}}}\nmodel: {layers: [{Dense: {units: 1}}]}\n"
        "training: {loss: mse, batch_size: 20, epochs: 1}\n"
    )

    assert "1,000 / 20 is 50 steps an epoch" in words(path)


def test_advice_stands_at_the_end(repository: Path) -> None:
    text = words(repository / "configs" / "digits.yaml", "training.learning_rate=5.0")

    assert "learning rate of 5 is high" in text.split("Advice")[1]


@pytest.mark.tensorflow
def test_layer_that_is_not_known_on_paper_is_asked_of_keras(tmp_path: Path) -> None:
    path = tmp_path / "einsum.yaml"
    path.write_text(
        "data: {source: digits}\nmodel: {layers: [Flatten, {EinsumDense: {equation: 'ab,bc->ac', output_shape: 5}}, "
        "{Dense: {units: 10, activation: softmax}}]}\ntraining: {loss: sparse_categorical_crossentropy}\n"
    )
    text = words(path)

    assert "64 values become 5 values" in text
    assert "320 + 60 = 380 parameters" in text
