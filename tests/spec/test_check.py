"""What is right stays silent; the problems of wrong specifications stand in tests/specs/bad."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from nnrun.errors import Source
from nnrun.spec.check import check_tree
from nnrun.spec.node import Node
from nnrun.spec.output_rules import last_output
from nnrun.spec.rules import measured_values
from nnrun.spec.source import parse_yaml

REPOSITORY = Path(__file__).parents[2]
CONFIGURATIONS = sorted((REPOSITORY / "configs").rglob("*.yaml"))


def tree(text: str) -> Node:
    return parse_yaml(Source("spec.yaml", text))


def problems(text: str) -> list[str]:
    return [str(problem).removeprefix("spec.yaml:") for problem in check_tree(tree(text))]


def specification(
    layers: str = "[Flatten, {Dense: {units: 10, activation: softmax}}]",
    training: str = "",
    *,
    source: str = "mnist",
    loss: str = "sparse_categorical_crossentropy",
    model: str = "",
) -> str:
    return (
        f"data: {{source: {source}}}\n"
        f"model: {{layers: {layers}{model}}}\n"
        f"training: {{loss: {loss}{training and ', ' + training}}}\n"
    )


def test_configurations_are_found() -> None:
    assert len(CONFIGURATIONS) >= 12


@pytest.mark.parametrize("path", CONFIGURATIONS, ids=lambda path: path.stem)
def test_configuration_has_no_problems(path: Path) -> None:
    assert problems(path.read_text("utf-8")) == []


@pytest.mark.parametrize(
    "layers",
    [
        "[Flatten, {Dense: {units: 10}}, Softmax]",
        "[Flatten, {Dense: {units: 10}}, {Activation: {activation: softmax}}]",
        "[{Input: {shape: [28, 28], name: picture}}, Flatten, {Dense: {units: 12}}]",
        "[Flatten, {Dense: {units: 10, activation: {leaky_relu: {negative_slope: 0.1}}}}]",
        "[Flatten, {Dense: {units: 10, kernel_initializer: {VarianceScaling: {scale: 2, mode: fan_in}}}}]",
        "[Flatten, {Dense: {units: 10, kernel_regularizer: {L1L2: {l1: 1e-5}}, bias_regularizer: l2}}]",
        "[Flatten, {Dense: {units: 10, kernel_constraint: {MaxNorm: {max_value: 3, axis: [0]}}}}]",
        "[Flatten, {Dense: {units: 10, trainable: false, dtype: float32, name: last}}]",
        "[Flatten, {Dense: {units: 10, activation: null, kernel_regularizer: null}}]",
        "[{Bidirectional: {layer: {LSTM: {units: 4}}, merge_mode: sum}}, {Dense: {units: 10}}]",
        "[{Bidirectional: {layer: {GRU: {units: 4}}, backward_layer: {GRU: {units: 4}}}}]",
        "[{TimeDistributed: {layer: {Dense: {units: 3, activation: relu}}}}, Flatten, {Dense: {units: 10}}]",
        "[{RNN: {cell: [{LSTMCell: {units: 4}}, {GRUCell: {units: 4}}]}}, {Dense: {units: 10}}]",
        "[{RNN: {cell: {StackedRNNCells: {cells: [{LSTMCell: {units: 4}}]}}}}, {Dense: {units: 10}}]",
        "[{Reshape: {target_shape: [28, 28, 1]}}, {Conv2D: {filters: 8, kernel_size: [3, 3]}}, "
        "{MaxPool2D: {pool_size: 2}}, GlobalAvgPool2D, {Dense: {units: 10}}]",
        "[{Flatten: {name: flat}}, {Dense: {units: 4, name: a}}, "
        "{Dense: {units: 4, name: b, inputs: [flat]}}, "
        "{Concatenate: {inputs: [a, b, flat]}}, {Dense: {units: 10}}]",
        "[{Flatten: {inputs: input}}, {Dense: {units: 10}}]",
        "[{SpectralNormalization: {layer: {Dense: {units: 10}}}}]",
        "[Flatten, {Dense: {units: 1, activation: sigmoid}}, {Dense: {units: 10}}, {Dropout: {rate: 0.5}}]",
    ],
)
def test_layers_that_keras_takes_have_no_problems(layers: str) -> None:
    assert problems(specification(layers)) == []


@pytest.mark.parametrize(
    "training",
    [
        "optimizer: sgd",
        "optimizer: Adam",
        "optimizer: {SGD: {learning_rate: 0.1, momentum: 0.9, nesterov: true}}",
        "optimizer: {AdamW: {weight_decay: 1e-4, clipnorm: 1.0, beta_1: 0.8}}",
        "optimizer: {adam: {learning_rate: {CosineDecay: {initial_learning_rate: 0.1, decay_steps: 1e3}}}}",
        "optimizer: adam, learning_rate: 1e-3",
        "learning_rate: {PiecewiseConstantDecay: {boundaries: [100, 200], values: [0.1, 0.01, 0.001]}}",
        "learning_rate: {InverseTimeDecay: {initial_learning_rate: 0.1, decay_steps: 10, decay_rate: 0.5}}",
        "metrics: [accuracy, acc, mse, {TopKCategoricalAccuracy: {k: 3, name: top}}, AUC, {F1Score: {}}]",
        "callbacks: [{EarlyStopping: {monitor: loss}}, TerminateOnNaN, {CSVLogger: {filename: log.csv}}]",
        "callbacks: [EarlyStopping], validation_split: 0.1",
        "callbacks: [ReduceLROnPlateau], validation_split: 0.1",
        "callbacks: [{ModelCheckpoint: {filepath: last.keras}}]",  # watches nothing
        "callbacks: [{ModelCheckpoint: {filepath: b.keras, monitor: acc}}], metrics: [acc]",
        "callbacks: [{ReduceLROnPlateau: {monitor: loss}}, {EarlyStopping: {monitor: learning_rate}}]",
        "monitor: val_accuracy, metrics: [accuracy], validation_split: 0.2",
        "monitor: top, metrics: [{SparseTopKCategoricalAccuracy: {k: 3, name: top}}]",
        "monitor: sparse_top_k_categorical_accuracy, metrics: [{SparseTopKCategoricalAccuracy: {k: 3}}]",
        "monitor: auto",
    ],
)
def test_training_that_keras_takes_has_no_problems(training: str) -> None:
    assert problems(specification(training=training)) == []


@pytest.mark.parametrize(
    ("source", "loss", "layers"),
    [
        ("mnist", "categorical_crossentropy", "[{Dense: {units: 10}}]"),
        ("mnist", "crossentropy", "[{Dense: {units: 10}}]"),
        ("mnist", "mse", "[{Dense: {units: 10}}]"),
        (
            "mnist",
            "{CategoricalCrossentropy: {label_smoothing: 0.1, from_logits: true}}",
            "[{Dense: {units: 10}}]",
        ),
        ("mnist", "{mse: {reduction: sum}}", "[{Dense: {units: 10}}]"),
        ("mnist", "sparse_categorical_crossentropy", "[{Conv2D: {filters: 3, kernel_size: 3}}]"),
        ("mnist", "categorical_crossentropy", "[{Dense: {units: 5}}, {Reshape: {target_shape: [10]}}]"),
        (
            "mnist",
            "categorical_crossentropy",
            "[{Dense: {units: 5, name: a}}, {Add: {inputs: [a, a]}}, Softmax]",
        ),
        ("xor", "binary_crossentropy", "[{Dense: {units: 1, activation: sigmoid}}]"),
        ("xor", "binary_crossentropy", "[{Dense: {units: 2, activation: softmax}}]"),
        ("xor", "mse", "[{Dense: {units: 1, activation: tanh}}]"),
        ("moons", "hinge", "[{Dense: {units: 1, activation: tanh}}]"),
        ("celsius", "mae", "[{Dense: {units: 1}}]"),
        ("california_housing", "{Huber: {delta: 2}}", "[{Dense: {units: 1}}]"),
        ("{blobs: {classes: 4}}", "sparse_categorical_crossentropy", "[{Dense: {units: 4}}]"),
        ("{imdb: {num_words: 500, maxlen: 20}}", "bce", "[{Dense: {units: 1, activation: sigmoid}}]"),
    ],
)
def test_loss_that_can_learn_has_no_problems(source: str, loss: str, layers: str) -> None:
    assert problems(specification(layers, source=source, loss=loss)) == []


@pytest.mark.parametrize(
    "model",
    [", outputs: [a, b]", ", inputs: [picture]", ", inputs: null, outputs: null"],
)
def test_graph_with_named_ends_has_no_problems(model: str) -> None:
    layers = "[{Flatten: {name: flat}}, {Dense: {units: 10, name: a}}, {Dense: {units: 10, name: b}}]"
    assert problems(specification(layers, model=model)) == []


def test_input_layer_that_bears_the_name_of_an_input_has_no_problems() -> None:
    layers = (
        "[{Input: {name: picture, shape: [28, 28]}}, {Flatten: {inputs: [picture]}}, {Dense: {units: 10}}]"
    )
    assert problems(specification(layers, model=", inputs: [picture]")) == []


@pytest.mark.parametrize(
    "text",
    [
        "seed: 1",
        "data: 3\nmodel: text\ntraining: [1]",
        "data: {source: 3, fallback: [digits]}\nmodel: {layers: {Dense: {units: 3}}}\ntraining: {loss: null}",
        "data:\nmodel: {layers: 3, inputs: 3, outputs: {a: 1}}\ntraining: {metrics: 3, callbacks: accuracy}",
        "model: {layers: [3, null, [Dense], {}, {a: 1, b: 2}, {Dense: 3}, true]}",
        "training: {optimizer: [adam], learning_rate: true, monitor: 3, validation_split: much}",
        "training: {metrics: [3], callbacks: [EarlyStopping]}",  # what is measured cannot be told
    ],
)
def test_tree_that_the_schema_refuses_is_left_to_it(text: str) -> None:
    assert problems(text) == []


def test_problem_in_a_name_marks_the_name_and_in_a_value_the_value() -> None:
    found = check_tree(tree(specification("[{Dense: {unit: 3, activation: rulu}}, Flaten]")))
    marked = [
        problem.place.source.line(problem.place.line)[problem.place.column - 1 : problem.place.end_column - 1]
        for problem in found
    ]
    assert marked == ["unit", "rulu", "Flaten"]


def test_wrong_choice_is_reported_once_and_left_out_of_the_rules() -> None:
    text = specification("[{Dens: {units: 3}}]", "metrics: [acuracy], callbacks: [EarlyStopping]", loss="mes")
    assert [line.split("  ")[1].split(":")[0] for line in problems(text)] == [
        "model.layers[0]",
        "training.loss",
        "training.metrics[0]",
    ]


@pytest.mark.parametrize(
    ("layers", "found"),
    [
        ("[{Dense: {units: 3}}]", (3, None)),
        ("[{Dense: {units: 3, activation: relu}}]", (3, "relu")),
        ("[{Dense: {units: 3}}, Softmax]", (3, "softmax")),
        ("[{Dense: {units: 3, activation: relu}}, {Activation: {activation: tanh}}]", (3, "tanh")),
        ("[{Dense: {units: 3}}, {Softmax: {axis: 1}}]", None),
        ("[{Dense: {units: 3}}, Flatten]", None),
        ("[{Dense: {units: many}}]", None),
        ("[{Dense: {units: true}}]", None),
        ("[{Dense: {}}]", None),
        ("[]", None),
    ],
)
def test_last_output_is_seen_through_activations_or_unsure(layers: str, found: Any) -> None:
    output = last_output(tree(specification(layers)))
    assert (output and (output.units, output.activation)) == found


def test_many_mistakes_are_found_in_a_time_that_grows_with_their_number() -> None:
    layers = ", ".join(
        f"{{Dense: {{units: 3, activaton{number}: relu}}}}, Dens{number}" for number in range(200)
    )
    assert len(problems(specification(f"[{layers}]"))) == 400


FRESH = """
import sys, time
from nnrun.errors import Source
from nnrun.spec.check import check_tree
from nnrun.spec.source import parse_yaml
text = open(sys.argv[1], encoding="utf-8").read()
start = time.perf_counter()
assert check_tree(parse_yaml(Source("mnist.yaml", text))) == []
seconds = time.perf_counter() - start
print([name for name in ("keras", "tensorflow", "numpy") if name in sys.modules], seconds)
"""


def test_check_of_mnist_in_a_fresh_process_is_quick_and_imports_no_keras() -> None:
    arguments = [sys.executable, "-c", FRESH, str(REPOSITORY / "configs" / "mnist.yaml")]
    answers = [subprocess.run(arguments, capture_output=True, text=True) for _ in range(5)]
    assert [answer.returncode for answer in answers] == [0] * 5, answers[0].stderr
    imported, seconds = zip(*(answer.stdout.rsplit(" ", 1) for answer in answers), strict=True)
    assert set(imported) == {"[]"}
    assert min(map(float, seconds)) < 0.08


@pytest.mark.slow
@pytest.mark.tensorflow
@pytest.mark.filterwarnings("ignore")  # of metrics that are not meant for these targets
@pytest.mark.parametrize(
    "metrics",
    [
        "[]",
        "[accuracy, acc, Accuracy, mse, MSE, mean_squared_error]",
        "[acc, acc, acc]",
        "[AUC]",
        "[{AUC: {num_thresholds: 10}}]",
        "[{AUC: {num_thresholds: 10, name: area}}, {MeanAbsoluteError: {dtype: float32}}]",
        "[{top_k_categorical_accuracy: {k: 2}}, {F1Score: {average: macro}}, TopKCategoricalAccuracy]",
        "[{mse: {name: a}}, {mae: {name: a}}, {RootMeanSquaredError: {name: a}}]",
    ],
)
@pytest.mark.parametrize("validation", ["", ", validation_split: 0.5"])
def test_measured_values_are_those_that_keras_logs(metrics: str, validation: str) -> None:
    from nnrun.keras_backend import load_keras, start_session
    from nnrun.model.parts import make_part
    from nnrun.spec.schema import Choice
    from nnrun.spec.source import plain

    keras = load_keras()
    start_session(0)
    written = tree(specification(training=f"metrics: {metrics}{validation}", loss="categorical_crossentropy"))
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, activation="softmax")])
    choices = [Choice.parse(metric) for metric in plain(written)["training"]["metrics"]]
    made = [make_part("metric", choice) for choice in choices]
    model.compile(loss="categorical_crossentropy", metrics=made)
    rows, targets = keras.ops.ones((4, 4)), keras.ops.one_hot(keras.ops.array([0, 1, 2, 0]), 3)
    held_out = (rows, targets) if validation else None
    history = model.fit(rows, targets, validation_data=held_out, verbose=0).history
    assert sorted(history) == sorted(measured_values(written) or [])
