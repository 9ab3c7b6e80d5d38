"""What a course on neural networks computes, with the course's numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from quiet import Quiet

from nnrun import experiment, inference
from nnrun.model.summary import build_from_facts
from nnrun.spec import catalog
from nnrun.spec.load import load_spec
from nnrun.store.run import Run

pytestmark = pytest.mark.tensorflow
CONFIGS = Path(__file__).parents[1] / "configs"
COURSE = CONFIGS / "course"


def train(path: Path, folder: Path, *overrides: str) -> Run:
    return experiment.train(path, overrides, display=Quiet(), runs_dir=folder)[0]


def outputs(run: Run) -> dict[str, Any]:
    """What the model says of its training examples, by output."""
    return inference.predict(str(run.path), "train", display=Quiet())[1].outputs


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("mnist_perceptron", [7850, 110]),
        ("mnist_512", [401_920, 5130]),
        ("course/small_networks", [15, 16]),
        ("course/hundred_inputs", [6464, 130]),
        ("course/twelve_inputs", [416, 1056]),
    ],
)
def test_networks_have_the_parameters_of_the_course(name: str, parameters: list[int]) -> None:
    model = build_from_facts(load_spec(CONFIGS / f"{name}.yaml"))

    assert [layer.count_params() for layer in model.layers if layer.count_params()] == parameters


def test_flatten_of_twelve_by_twelve_has_the_shapes_of_the_course(tmp_path: Path) -> None:
    path = tmp_path / "flat.yaml"
    path.write_text(
        "data: {source: {blobs: {features: 144, classes: 2}}}\nmodel: {layers: [{Reshape: {target_shape: [12, 12]}}, "
        "Flatten, {Dense: {units: 64, activation: relu}}, {Dense: {units: 1, activation: sigmoid}}]}\n"
        "training: {loss: binary_crossentropy}\n"
    )
    model = build_from_facts(load_spec(path))

    assert [layer.output.shape[1:] for layer in model.layers] == [(12, 12), (144,), (64,), (1,)]
    assert model.count_params() == 144 * 64 + 64 + 64 + 1


def test_forward_pass_with_fixed_weights_gives_the_numbers_of_the_course(tmp_path: Path) -> None:
    said = outputs(train(COURSE / "forward_pass.yaml", tmp_path))

    np.testing.assert_allclose(said["hidden"], [[0.9526, 0.9526]], atol=5e-5)
    np.testing.assert_allclose(said["output"], [[0.7216]], atol=5e-5)


def test_neuron_with_bias_four_gives_sigmoid_of_seven(tmp_path: Path) -> None:
    (said,) = outputs(train(COURSE / "forward_bias.yaml", tmp_path)).values()

    assert said.item() == pytest.approx(0.999, abs=5e-4)


def test_mean_squared_error_of_the_course_is_three(tmp_path: Path) -> None:
    run = train(COURSE / "mean_squared_error.yaml", tmp_path)

    assert inference.evaluate(str(run.path), "train", display=Quiet())[1].facts["scores"]["loss"] == 3


@pytest.mark.parametrize(
    ("targets", "learned"), [([0, 0, 0, 1], True), ([0, 1, 1, 1], True), ([0, 1, 1, 0], False)]
)
def test_perceptron_learns_and_and_or_but_not_xor(targets: list[int], learned: bool, tmp_path: Path) -> None:
    epochs = "training.epochs=20" if learned else "training.epochs=200"
    run = train(COURSE / "perceptron.yaml", tmp_path, f"data.source.inline.y={targets}", epochs)
    (said,) = outputs(run).values()

    assert (said[:, 0].tolist() == targets) == learned


def test_perceptron_weights_move_by_rosenblatts_rule(tmp_path: Path) -> None:
    overrides = ("training.epochs=1", "training.shuffle=false")
    run = train(COURSE / "perceptron.yaml", tmp_path, *overrides)
    weights, bias = np.zeros(2), 0.0
    for x, target in (((0, 0), 0), ((0, 1), 0), ((1, 0), 0), ((1, 1), 1)):
        error = target - float(weights @ x + bias >= 0)
        weights, bias = weights + error * np.array(x), bias + error

    kernel, offset = (array for name, array in run.checkpoints.read_model()[1].items() if "dense" in name)
    assert (kernel.ravel().tolist(), offset.item()) == (weights.tolist(), bias)


def test_bipolar_perceptron_learns_and(tmp_path: Path) -> None:
    (said,) = outputs(train(COURSE / "bipolar_perceptron.yaml", tmp_path)).values()

    assert said[:, 0].tolist() == [-1, -1, -1, 1]


@pytest.mark.parametrize("name", ["xor", "xor_functional"])
def test_networks_with_a_hidden_layer_learn_xor(name: str, tmp_path: Path) -> None:
    (said,) = outputs(train(CONFIGS / f"{name}.yaml", tmp_path)).values()

    assert (said[:, 0] > 0.5).tolist() == [False, True, True, False]


def test_single_neuron_cannot_learn_xor(tmp_path: Path) -> None:
    layers = "model.layers=[{Dense: {units: 1, activation: sigmoid}}]"
    (said,) = outputs(train(CONFIGS / "xor.yaml", tmp_path, layers)).values()

    assert (said[:, 0] > 0.5).tolist() != [False, True, True, False]


def test_celsius_becomes_fahrenheit_within_half_a_degree(tmp_path: Path) -> None:
    run = train(CONFIGS / "celsius.yaml", tmp_path)
    kernel, bias = (
        array.item() for name, array in run.checkpoints.read_model()[1].items() if "dense" in name
    )

    assert abs(100 * kernel + bias - 212) < 0.5
    assert (kernel, bias) == (pytest.approx(1.8, abs=0.01), pytest.approx(32, abs=0.3))


def test_dense_takes_all_its_arguments(tmp_path: Path) -> None:
    layer = load_spec(COURSE / "dense.yaml").spec.model.layers[1]
    taken = [argument.name for argument in catalog.find("layer", "Dense").arguments][:10]  # type: ignore[union-attr]

    assert list(layer.arguments) == taken
    assert (train(COURSE / "dense.yaml", tmp_path).result() or {})["test"]["accuracy"] > 0.9


def test_activation_of_the_course_comes_in_by_code(tmp_path: Path) -> None:
    code, path = tmp_path / "rising.py", tmp_path / "rising.yaml"
    code.write_text("import keras\n\n\ndef falling(x):\n    return 1 / (1 + keras.ops.exp(x))\n")
    path.write_text(
        "data: {source: {inline: {x: [0, 1], y: [0, 1]}}}\n"
        "model: {layers: [{Activation: {activation: falling}}]}\ntraining: {loss: mse, epochs: 0}\n"
    )
    run, _ = experiment.train(path, display=Quiet(), runs_dir=tmp_path, code=code)
    (said,) = inference.predict(str(run.path), "train", display=Quiet(), code=code)[1].outputs.values()

    np.testing.assert_allclose(said[:, 0], [0.5, 1 / (1 + np.e)], rtol=1e-6)


@pytest.mark.usefixtures("real_mnist")
@pytest.mark.slow
def test_mnist_perceptron_has_the_steps_and_scores_of_the_course(tmp_path: Path) -> None:
    run = train(CONFIGS / "mnist_perceptron.yaml", tmp_path)
    result = run.result() or {}

    assert run.facts()["training"]["steps_per_epoch"] == 1875
    assert 0.82 <= result["final"]["accuracy"] <= 0.88


VOCABULARY = {
    "layer": (
        "Input Dense Activation Flatten ReLU Softmax LeakyReLU PReLU ELU Conv1D Conv2D Conv3D MaxPooling2D "
        "AveragePooling2D GlobalMaxPooling2D GlobalAveragePooling2D Dropout SpatialDropout1D SpatialDropout2D "
        "ActivityRegularization BatchNormalization LayerNormalization UnitNormalization Concatenate Average Maximum "
        "Minimum Add Subtract Multiply Dot"
    ),
    "activation": "relu sigmoid tanh softmax linear gelu selu leaky_relu step bipolar_step",
    "initializer": "glorot_uniform glorot_normal he_uniform he_normal random_uniform",
    "loss": (
        "binary_crossentropy categorical_crossentropy sparse_categorical_crossentropy mean_squared_error "
        "mean_absolute_error mean_absolute_percentage_error"
    ),
    "optimizer": "adadelta adagrad adam adamax ftrl nadam rmsprop sgd Adadelta Adagrad Adam Adamax Ftrl Nadam RMSprop",
    "callback": "ModelCheckpoint EarlyStopping",
}


@pytest.mark.parametrize("kind", VOCABULARY)
def test_vocabulary_of_the_course_is_known(kind: catalog.Kind) -> None:
    assert [name for name in VOCABULARY[kind].split() if catalog.find(kind, name) is None] == []


@pytest.mark.parametrize(
    ("kind", "name", "instead"),
    [("layer", "ThresholdedReLU", "ReLU: {threshold: 1.0}"), ("activation", "leaky", "leaky_relu"),
     ("initializer", "xavier", "glorot_uniform")],
)  # fmt: skip
def test_older_name_says_what_replaces_it(kind: catalog.Kind, name: str, instead: str) -> None:
    assert instead in (catalog.refusal(kind, name) or "")
