"""The sides of PyTorch and Lightning: the same network, found by its losses; and what has no counterpart."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nnrun.bench.description import LayerFacts, Network, NoCounterpartError, describe
from nnrun.bench.torch_network import make_program
from nnrun.bench.torch_sides import missing_package
from nnrun.bench.turns import Process
from nnrun.bench.work import LIGHTNING, NNRUN, TORCH, Side, Work
from nnrun.spec.load import load_spec
from nnrun.training.prepared import prepare

needs_torch = pytest.mark.skipif(missing_package("torch") is not None, reason="PyTorch is not installed")

CLASSES = "sparse_categorical_crossentropy"
CONVOLUTIONS = """[{Reshape: {target_shape: [8, 8, 1]}},
  {Conv2D: {filters: 4, kernel_size: 3, padding: same, activation: relu}}, BatchNormalization, MaxPooling2D,
  {Conv2D: {filters: 6, kernel_size: [2, 3], strides: 2}}, {Activation: {activation: tanh}}, Flatten,
  {Dense: {units: 10, activation: softmax}}]"""
POOLED = """[{Reshape: {target_shape: [16, 4]}}, {Conv1D: {filters: 5, kernel_size: 3, dilation_rate: 2}},
  {AveragePooling1D: {pool_size: 2}}, {Dense: {units: 7, activation: gelu}}, GlobalMaxPooling1D,
  {Dense: {units: 10, activation: softmax}}]"""
RECURRENT = """[{Embedding: {input_dim: 17, output_dim: 3}}, {LSTM: {units: 5, return_sequences: true}},
  {LSTM: {units: 4}}, BatchNormalization, {Dense: {units: 10, activation: softmax}}]"""
GRAPH = """[{Flatten: {name: flat}}, {Dense: {name: a, units: 4}}, {Dense: {name: b, units: 4, inputs: flat}},
  {Add: {inputs: [a, b]}}, {Dense: {units: 10, activation: softmax}}]"""
LOGITS = f"{{{CLASSES}: {{from_logits: true}}}}"
SIMPLE = "[Flatten, {Dense: {units: 10, activation: softmax}}]"


def specification(
    folder: Path, layers: str, loss: str = CLASSES, source: str = "digits", **training: Any
) -> Path:
    path = folder / "compared.yaml"
    rest = {"optimizer": "sgd", "learning_rate": 0.05, "batch_size": 50} | training
    lines = [f"  {name}: {value}" for name, value in rest.items()]
    data, model = f"data: {{source: {source}}}", f"model: {{layers: {layers}}}"
    path.write_text("\n".join([data, model, "training:", f"  loss: {loss}", *lines]))
    return path


@contextlib.contextmanager
def begun(side: Side, question: dict[str, Any]) -> Iterator[tuple[Process, dict[str, Any]]]:
    process = Process.start(side)
    try:
        yield process, process.get({"program": side.program, **question})
    finally:
        process.stop()


@needs_torch
@pytest.mark.tensorflow
@pytest.mark.parametrize("side", [TORCH, LIGHTNING], ids=lambda side: side.label)
@pytest.mark.parametrize(
    ("layers", "loss", "source", "training"),
    [
        (CONVOLUTIONS, CLASSES, "digits", {"metrics": "[accuracy]"}),
        (POOLED, CLASSES, "digits", {"optimizer": "{SGD: {momentum: 0.9, nesterov: true}}"}),
        (RECURRENT, CLASSES, "lines", {"metrics": "[accuracy]"}),
        (
            "[{Dense: {units: 6, activation: silu}}, {Dense: {units: 1}}]",
            "mse",
            "celsius",
            {"learning_rate": 1e-4},
        ),
        ("[{Dense: {units: 6}}, {Dense: {units: 1, activation: sigmoid}}]", "binary_crossentropy", "xor", {}),
        (
            "[Flatten, {Dense: {units: 10}}]",
            LOGITS,
            "digits",
            {"optimizer": "rmsprop", "learning_rate": 0.001},
        ),
    ],
    ids=["convolutions", "pooled", "recurrent", "numbers", "binary", "logits"],
)
def test_same_network_has_the_same_losses(
    layers: str, loss: str, source: str, training: dict[str, Any], side: Side, tmp_path: Path
) -> None:
    if missing_package(side.program) is not None:
        pytest.skip(f"{side.label} is not installed")
    if source == "lines":
        random = np.random.default_rng(1)
        np.savez(tmp_path / "lines.npz", x=random.integers(0, 17, (210, 9)), y=np.arange(210) % 10)
        source = f"{{npz: {{path: {tmp_path / 'lines.npz'}, x: x, y: y}}}}"
    path = specification(tmp_path, layers, loss, source, **training)
    arrays = str(tmp_path / "arrays.npz")
    question: dict[str, Any] = {"config": str(path), "overrides": [], "code": None}

    with begun(NNRUN, question) as (nnrun, facts):
        described = nnrun.get({"describe": arrays})
        work = Work(facts["examples"], 2, shuffle=False)
        nnrun.side = dataclasses.replace(NNRUN, jit_compile=False)
        ours = nnrun.train(work)["logs"]
    with begun(side, {**described, "arrays": arrays}) as (other, answer):
        theirs = other.train(work)["logs"]

    assert "torch" in answer["versions"]
    close = 1e-3 if "rmsprop" in training.values() else 1e-5  # it adds its epsilon elsewhere
    assert losses(theirs) == pytest.approx(losses(ours), rel=close)
    if "metrics" in training:
        assert losses(theirs, "accuracy") == pytest.approx(losses(ours, "accuracy"), abs=1e-6)


def losses(logs: list[dict[str, float]], name: str = "loss") -> list[float]:
    return [row[name] for row in logs]


def dense(**config: Any) -> LayerFacts:
    return LayerFacts(
        "Dense", {"units": 3, "use_bias": True, "activation": "softmax", **config}, (4,), (3,), 2
    )


def network(*layers: LayerFacts, loss: str = CLASSES, optimizer: str = "SGD", **options: Any) -> Network:
    settings = {"learning_rate": 0.1, "momentum": 0.0, "nesterov": False} | options
    return Network(layers, loss, {}, optimizer, settings, [], 32, None, 0)


ARRAYS = {"0/0": np.zeros((4, 3), "float32"), "0/1": np.zeros(3, "float32")}


@needs_torch
@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        (
            network(LayerFacts("Spline", {}, (4,), (4,), 0), dense()),
            "the layer Spline has no counterpart here",
        ),
        (network(dense(kernel_regularizer={"L2": 0.1})), "Dense with kernel_regularizer"),
        (network(dense(trainable=False)), "the layer Dense does not learn"),
        (network(dense(mask_zero=True)), "Dense with mask_zero=True"),
        (network(dense(), use_ema=True), "the optimizer SGD with use_ema"),
        (
            network(dense(activation="mish")),
            "the loss sparse_categorical_crossentropy after the activation mish",
        ),
        (network(dense(), loss="hinge"), "the loss hinge"),
        (network(dataclasses.replace(dense(), output_shape=(2, 3))), "outputs that are no row of numbers"),
        (network(dense(), optimizer="Lion"), "the optimizer Lion has no counterpart"),
        (network(dense(), clipnorm=1.5), "the optimizer SGD with clipnorm"),
        (network(dense(), learning_rate={"CosineDecay": 1}), "a learning rate that changes"),
    ],
)
def test_part_without_a_counterpart_is_named(wanted: Network, message: str) -> None:
    with pytest.raises(NoCounterpartError, match=message):
        make_program(Network.of(wanted.facts()), ARRAYS)


@needs_torch
def test_softmax_over_channels_that_come_first_is_refused() -> None:
    config = {
        "filters": 2,
        "kernel_size": [2],
        "strides": [1],
        "padding": "valid",
        "dilation_rate": [1],
        "groups": 1,
    }
    convolution = LayerFacts(
        "Conv1D", config | {"activation": "softmax", "use_bias": False}, (4, 2), (3, 2), 1
    )

    with pytest.raises(NoCounterpartError, match="Conv1D with the activation softmax"):
        make_program(network(convolution, dense()), {"0/0": np.zeros((2, 2, 2), "float32")})


@needs_torch
def test_classes_as_targets_of_several_numbers_are_refused() -> None:
    program = make_program(network(dense(), loss="mse"), ARRAYS)

    assert program.targets(np.array([[1, 2, 0]]), 3).tolist() == [[1, 2, 0]]
    with pytest.raises(NoCounterpartError, match="another loss than cross-entropy"):
        program.targets(np.array([1, 2, 0]), 3)


@pytest.mark.tensorflow
@pytest.mark.parametrize(
    ("layers", "training", "message"),
    [
        (SIMPLE, {"class_weight": "balanced"}, "examples are weighted"),
        (SIMPLE, {"precision": "mixed_bfloat16"}, "it computes in mixed_bfloat16"),
        (GRAPH, {}, "no chain of layers"),
    ],
    ids=["weights", "precision", "graph"],
)
def test_training_that_is_not_compared_says_why(
    layers: str, training: dict[str, Any], message: str, tmp_path: Path
) -> None:
    prepared = prepare(load_spec(specification(tmp_path, layers, **training)), print)

    with pytest.raises(NoCounterpartError, match=message):
        describe(prepared)


@pytest.mark.tensorflow
def test_description_survives_json(tmp_path: Path) -> None:
    prepared = prepare(load_spec(specification(tmp_path, CONVOLUTIONS)), print)

    found = describe(prepared)

    assert Network.of(found.facts()) == Network.of(Network.of(found.facts()).facts())
    assert [layer.kind for layer in found.layers][:3] == ["Reshape", "Conv2D", "BatchNormalization"]
    assert [layer.weights for layer in found.layers] == [0, 2, 4, 0, 2, 0, 0, 2]
    assert found.layers[-1].output_shape == (10,)
    assert (found.loss, found.optimizer, found.batch_size, found.divisor) == (CLASSES, "SGD", 50, 16.0)
