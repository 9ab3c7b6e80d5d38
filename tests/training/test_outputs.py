"""Several outputs, learning the inputs, weights and blocks: the numbers are plain Keras's to the last bit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nnrun.spec.load import load_spec
from nnrun.spec.rules import measured_values
from nnrun.training.loop import Plan, Training
from nnrun.training.prepared import Prepared, prepare

pytestmark = pytest.mark.tensorflow

SEED, EPOCHS, BATCH = 5, 2, 32
SETTINGS = f"epochs: {EPOCHS}, batch_size: {BATCH}, shuffle: false"


class Rows:
    """Collects the rows of a training."""

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []

    def on_steps(self, epoch: int, done: int, total: int) -> None: ...
    def on_epoch(self, row: dict[str, Any], position: Any) -> None:
        self.rows.append(row)

    def on_stop(self, position: Any) -> None: ...


@dataclass(frozen=True)
class Case:
    """One experiment, as a specification and as a Keras program.

    Args:
        text: The sections data, model and training in YAML; ``SETTINGS`` are added to the training.
        program: Makes the model from ``keras`` and its input, compiles it, and says the arguments of ``fit``.
        weights: What each of the source's training examples counts, for ``data.sample_weight: weights.npy``.
    """

    text: str
    program: Callable[[Any, Any, Prepared], tuple[Any, dict[str, Any]]]
    weights: Any = field(default=None, compare=False)


def prepare_text(folder: Path, text: str, jit_compile: bool, weights: Any = None) -> Prepared:
    if weights is not None:
        np.save(folder / "weights.npy", weights)
    path = folder / "spec.yaml"
    path.write_text(f"seed: {SEED}\nruntime: {{jit_compile: {str(jit_compile).lower()}}}\n{text}", "utf-8")
    return prepare(load_spec(path), lambda message: None)


def train_prepared(prepared: Prepared, callbacks: list[Any] | None = None) -> list[dict[str, Any]]:
    """The rows of a training of all epochs."""
    training, rows = prepared.spec.training, Rows()
    validation = prepared.feed("validation") if prepared.data.validation is not None else None
    plan = Plan(training.epochs, training.batch_size, prepared.spec.seed, training.shuffle, training.monitor)
    feed = prepared.training_feed()
    Training(prepared.model, prepared.engine, feed, validation, plan, callbacks or [], rows).run()
    return rows.rows


def scaled(prepared: Prepared, part: str) -> Any:
    """The images of a part as a Keras program has them."""
    examples, divisor = getattr(prepared.data, part), prepared.data.facts.divisor
    return examples.x.astype("float32") / divisor if divisor else examples.x


def fit(case: Case, prepared: Prepared, jit_compile: bool) -> tuple[Any, dict[str, list[float]], list[Any]]:
    """The Keras program: its model, history and predictions."""
    from nnrun.keras_backend import load_keras, start_session

    keras = load_keras()
    start_session(SEED)
    x = scaled(prepared, "train")
    shape = keras.Input(x.shape[1:], name="input")
    model, arguments = case.program(keras, shape, prepared)
    model.jit_compile = jit_compile
    settings = {"batch_size": BATCH, "epochs": EPOCHS, "shuffle": False, "verbose": 0}
    history = model.fit(x, **settings, **arguments).history
    outputs = model.predict(x, batch_size=BATCH, verbose=0)
    return model, history, outputs if isinstance(outputs, list) else [outputs]


def differences(case: Case, folder: Path, jit_compile: bool) -> dict[str, float]:
    """How far the values of the two differ at most, in history, weights and predictions."""
    prepared = prepare_text(folder, case.text, jit_compile, case.weights)
    rows = train_prepared(prepared)
    predicted = prepared.engine.predict(prepared.feed("train"), BATCH)
    model, history, outputs = fit(case, prepared, jit_compile)

    own = {"epoch", "seconds", "examples_per_second", "learning_rate"}
    assert set(rows[0]) - own == set(history)
    found = {
        key: max(abs(theirs - ours[key]) for theirs, ours in zip(values, rows, strict=True))
        for key, values in history.items()
    }
    for name, theirs, ours in (
        ("weights", model.get_weights(), prepared.model.get_weights()),
        ("predictions", outputs, predicted),
    ):
        found[name] = max(float(np.abs(one - other).max()) for one, other in zip(theirs, ours, strict=True))
    return found


TWO_OUTPUTS = """
data: {source: digits, target: {picture: inputs}}
model:
  layers:
    - Flatten: {name: flat}
    - Dense: {units: 24, activation: relu, name: code}
    - Dense: {units: 10, activation: softmax, name: digit}
    - Dense: {units: 64, activation: sigmoid, inputs: code}
    - Reshape: {target_shape: [8, 8], name: picture}
  outputs: [digit, picture]
"""


def two_outputs(keras: Any, x: Any) -> Any:
    flat, code = keras.layers.Flatten(name="flat"), keras.layers.Dense(24, activation="relu", name="code")
    digit = keras.layers.Dense(10, activation="softmax", name="digit")
    wide, picture = keras.layers.Dense(64, activation="sigmoid"), keras.layers.Reshape((8, 8), name="picture")
    hidden = code(flat(x))
    return keras.Model(x, [digit(hidden), picture(wide(hidden))])


def losses_by_output(keras: Any, x: Any, prepared: Prepared) -> tuple[Any, dict[str, Any]]:
    model = two_outputs(keras, x)
    model.compile(
        keras.optimizers.Adam(),
        {"digit": "sparse_categorical_crossentropy", "picture": keras.losses.Huber(delta=0.5)},
        loss_weights={"digit": 1.0, "picture": 0.25},
        metrics={"digit": ["accuracy"], "picture": ["mae", "MeanSquaredError"]},
    )
    data = prepared.data
    targets = {part: (getattr(data, part).y, scaled(prepared, part)) for part in ("train", "validation")}
    return model, {
        "y": list(targets["train"]),
        "validation_data": (scaled(prepared, "validation"), list(targets["validation"])),
    }


def one_loss_for_all(keras: Any, x: Any, prepared: Prepared) -> tuple[Any, dict[str, Any]]:
    flat = keras.layers.Flatten(name="flat")
    made = [keras.layers.Dense(10, activation="softmax", name=name) for name in ("a", "b")]
    middle = flat(x)
    model = keras.Model(x, [one(middle) for one in made])
    each = {name: ["accuracy", keras.metrics.TopKCategoricalAccuracy(k=2)] for name in ("a", "b")}
    model.compile("sgd", "categorical_crossentropy", metrics=each)
    y = np.eye(10, dtype="float32")[prepared.data.train.y]
    return model, {"y": [y, y]}


def autoencoder(keras: Any, x: Any, prepared: Prepared) -> tuple[Any, dict[str, Any]]:
    layers = keras.layers
    row = [
        layers.Flatten(),
        layers.Dense(16, activation="relu"),
        layers.Dense(64, activation="sigmoid"),
        layers.Reshape((8, 8)),
    ]
    model = keras.Sequential([x, *row])
    model.compile("adam", "binary_crossentropy", metrics=["mse"])
    own = scaled(prepared, "validation")
    return model, {"y": scaled(prepared, "train"), "validation_data": (own, own)}


CLASSIFIER = (
    "model: {layers: [Flatten, {Dense: {units: 12, activation: relu}}, "
    "{Dense: {units: 10, activation: softmax}}]}\n"
)


def classifier(keras: Any, x: Any, loss: str) -> Any:
    row = [
        keras.layers.Flatten(),
        keras.layers.Dense(12, activation="relu"),
        keras.layers.Dense(10, activation="softmax"),
    ]
    model = keras.Sequential([x, *row])
    model.compile("adam", loss, metrics=["accuracy"])
    return model


def classes_given(keras: Any, x: Any, prepared: Prepared) -> tuple[Any, dict[str, Any]]:
    weights = {**dict.fromkeys(range(10), 1.0), 0: 2.5, 3: 0.0, 9: 0.1}
    data = prepared.data
    arguments = {
        "y": data.train.y,
        "class_weight": weights,
        "validation_data": (scaled(prepared, "validation"), data.validation.y if data.validation else None),
    }
    return classifier(keras, x, "sparse_categorical_crossentropy"), arguments


def classes_balanced(keras: Any, x: Any, prepared: Prepared) -> tuple[Any, dict[str, Any]]:
    y = prepared.data.train.y
    weights = {index: len(y) / (10 * count) for index, count in enumerate(np.bincount(y))}
    arguments = {"y": np.eye(10, dtype="float32")[y], "class_weight": weights}
    return classifier(keras, x, "categorical_crossentropy"), arguments


RESIDUAL = f"""
data: {{source: digits}}
training: {{loss: sparse_categorical_crossentropy, optimizer: sgd, metrics: [accuracy], {SETTINGS}}}
model:
"""
RESIDUAL_BLOCKS = (
    RESIDUAL
    + """
  blocks:
    unit:
      defaults: {strides: 1}
      layers:
        - Conv2D: {filters: $filters, kernel_size: 3, strides: $strides, padding: same, use_bias: false}
        - BatchNormalization
        - ReLU
    residual:
      layers:
        - unit: {filters: $filters}
        - Conv2D: {filters: $filters, kernel_size: 3, padding: same, use_bias: false}
        - BatchNormalization: {name: norm}
        - Add: {inputs: [input, norm]}
        - ReLU
    narrower:
      layers:
        - unit: {filters: $filters, strides: 2}
        - Conv2D: {filters: $filters, kernel_size: 3, padding: same, use_bias: false}
        - BatchNormalization: {name: norm}
        - Conv2D: {filters: $filters, kernel_size: 1, strides: 2, inputs: input, name: short}
        - Add: {inputs: [norm, short]}
        - ReLU
  layers:
    - Reshape: {target_shape: [8, 8, 1]}
    - unit: {filters: 4}
    - residual: {filters: 4, repeat: 2}
    - narrower: {filters: 8}
    - residual: {filters: 8}
    - GlobalAveragePooling2D
    - Dense: {units: 10, activation: softmax}
"""
)
RESIDUAL_WRITTEN_OUT = (
    RESIDUAL
    + """
  layers:
    - Reshape: {target_shape: [8, 8, 1]}
    - Conv2D: {filters: 4, kernel_size: 3, padding: same, use_bias: false}
    - BatchNormalization
    - ReLU: {name: start}
    - Conv2D: {filters: 4, kernel_size: 3, padding: same, use_bias: false}
    - BatchNormalization
    - ReLU
    - Conv2D: {filters: 4, kernel_size: 3, padding: same, use_bias: false}
    - BatchNormalization: {name: norm1}
    - Add: {inputs: [start, norm1]}
    - ReLU: {name: end1}
    - Conv2D: {filters: 4, kernel_size: 3, padding: same, use_bias: false}
    - BatchNormalization
    - ReLU
    - Conv2D: {filters: 4, kernel_size: 3, padding: same, use_bias: false}
    - BatchNormalization: {name: norm2}
    - Add: {inputs: [end1, norm2]}
    - ReLU: {name: end2}
    - Conv2D: {filters: 8, kernel_size: 3, strides: 2, padding: same, use_bias: false}
    - BatchNormalization
    - ReLU
    - Conv2D: {filters: 8, kernel_size: 3, padding: same, use_bias: false}
    - BatchNormalization: {name: norm3}
    - Conv2D: {filters: 8, kernel_size: 1, strides: 2, inputs: end2, name: short}
    - Add: {inputs: [norm3, short]}
    - ReLU: {name: end3}
    - Conv2D: {filters: 8, kernel_size: 3, padding: same, use_bias: false}
    - BatchNormalization
    - ReLU
    - Conv2D: {filters: 8, kernel_size: 3, padding: same, use_bias: false}
    - BatchNormalization: {name: norm4}
    - Add: {inputs: [end3, norm4]}
    - ReLU
    - GlobalAveragePooling2D
    - Dense: {units: 10, activation: softmax}
"""
)


def residual(keras: Any, x: Any, prepared: Prepared) -> tuple[Any, dict[str, Any]]:
    layers = keras.layers

    def plain(filters: int, strides: int = 1) -> Any:
        return layers.Conv2D(filters, 3, strides=strides, padding="same", use_bias=False)

    def unit(y: Any, filters: int, strides: int = 1) -> Any:
        convolved = plain(filters, strides)(y)
        return layers.ReLU()(layers.BatchNormalization()(convolved))

    def block(y: Any, filters: int, strides: int = 1) -> Any:
        first = unit(y, filters, strides)
        norm = layers.BatchNormalization()(plain(filters)(first))
        short = y if strides == 1 else layers.Conv2D(filters, 1, strides=strides)(y)
        return layers.ReLU()(layers.Add()([norm, short] if strides > 1 else [y, norm]))

    y = unit(layers.Reshape((8, 8, 1))(x), 4)
    for filters, strides in ((4, 1), (4, 1), (8, 2), (8, 1)):
        y = block(y, filters, strides)
    pooled = layers.GlobalAveragePooling2D()(y)
    model = keras.Model(x, layers.Dense(10, activation="softmax")(pooled))
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model, {"y": prepared.data.train.y}


EXAMPLE_WEIGHTS = np.random.default_rng(4).uniform(0, 3, 1438) * (np.arange(1438) % 7 > 0)


def examples_weighted(keras: Any, x: Any, prepared: Prepared) -> tuple[Any, dict[str, Any]]:
    data, weights = prepared.data, EXAMPLE_WEIGHTS.astype("float32")
    assert data.validation is not None
    held = (scaled(prepared, "validation"), data.validation.y, weights[data.split["validation"]])
    arguments = {"y": data.train.y, "sample_weight": weights[data.split["train"]], "validation_data": held}
    return classifier(keras, x, "sparse_categorical_crossentropy"), arguments


def outputs_weighted(keras: Any, x: Any, prepared: Prepared) -> tuple[Any, dict[str, Any]]:
    flat = keras.layers.Flatten(name="flat")
    made = [keras.layers.Dense(10, activation="softmax", name=name) for name in ("a", "b")]
    middle = flat(x)
    model = keras.Model(x, [one(middle) for one in made])
    losses = {"a": "sparse_categorical_crossentropy", "b": "categorical_crossentropy"}
    model.compile("adam", losses, metrics={"a": [], "b": ["accuracy"]})
    data, weights = prepared.data, EXAMPLE_WEIGHTS.astype("float32")
    assert data.validation is not None

    def targets(y: Any) -> list[Any]:
        return [y, np.eye(10, dtype="float32")[y]]

    train, held = (weights[data.split[part]] for part in ("train", "validation"))
    return model, {
        "y": targets(data.train.y),
        "sample_weight": [train, train],
        "validation_data": (scaled(prepared, "validation"), targets(data.validation.y), [held, held]),
    }


BOTH = (
    "loss: {digit: sparse_categorical_crossentropy, picture: {Huber: {delta: 0.5}}}, "
    "loss_weights: {digit: 1, picture: 0.25}, metrics: {digit: [accuracy], picture: [mae, MeanSquaredError]}, "
    f"optimizer: adam, validation_split: 0.1, {SETTINGS}"
)
SPARSE = f"loss: sparse_categorical_crossentropy, optimizer: adam, metrics: [accuracy], {SETTINGS}"
CASES = {
    "losses_by_output": Case(f"{TWO_OUTPUTS}training: {{{BOTH}}}\n", losses_by_output),
    "one_loss_for_all": Case(
        "data: {source: digits}\n"
        "model:\n"
        "  layers:\n"
        "    - Flatten: {name: flat}\n"
        "    - Dense: {units: 10, activation: softmax, inputs: flat, name: a}\n"
        "    - Dense: {units: 10, activation: softmax, inputs: flat, name: b}\n"
        "  outputs: [a, b]\n"
        "training: {loss: categorical_crossentropy, optimizer: sgd, "
        f"metrics: [accuracy, {{TopKCategoricalAccuracy: {{k: 2}}}}], {SETTINGS}}}\n",
        one_loss_for_all,
    ),
    "autoencoder": Case(
        "data: {source: digits, target: inputs}\n"
        "model: {layers: [Flatten, {Dense: {units: 16, activation: relu}}, "
        "{Dense: {units: 64, activation: sigmoid}}, {Reshape: {target_shape: [8, 8]}}]}\n"
        "training: {loss: binary_crossentropy, optimizer: adam, metrics: [mse], validation_split: 0.2, "
        f"{SETTINGS}}}\n",
        autoencoder,
    ),
    "classes_given": Case(
        f"data: {{source: digits}}\n{CLASSIFIER}training: {{{SPARSE}, validation_split: 0.1, "
        "class_weight: {0: 2.5, 3: 0, 9: 0.1}}\n",
        classes_given,
    ),
    "classes_balanced": Case(
        f"data: {{source: digits}}\n{CLASSIFIER}training: {{loss: categorical_crossentropy, optimizer: adam, "
        f"metrics: [accuracy], class_weight: balanced, {SETTINGS}}}\n",
        classes_balanced,
    ),
    "examples_weighted": Case(
        "data: {source: digits, sample_weight: weights.npy}\n"
        f"{CLASSIFIER}training: {{{SPARSE}, validation_split: 0.25}}\n",
        examples_weighted,
        EXAMPLE_WEIGHTS,
    ),
    "outputs_weighted": Case(
        "data: {source: digits, sample_weight: weights.npy}\n"
        "model:\n"
        "  layers:\n"
        "    - Flatten: {name: flat}\n"
        "    - Dense: {units: 10, activation: softmax, inputs: flat, name: a}\n"
        "    - Dense: {units: 10, activation: softmax, inputs: flat, name: b}\n"
        "  outputs: [a, b]\n"
        "training: {loss: {a: sparse_categorical_crossentropy, b: categorical_crossentropy}, optimizer: adam, "
        f"metrics: {{b: [accuracy]}}, validation_split: 0.1, {SETTINGS}}}\n",
        outputs_weighted,
        EXAMPLE_WEIGHTS,
    ),
    "residual_blocks": Case(RESIDUAL_BLOCKS, residual),
    "residual_written_out": Case(RESIDUAL_WRITTEN_OUT, residual),
}

WITH_XLA = ("losses_by_output", "examples_weighted")
"""Compiling takes long: the other cases are compiled with -m slow."""


@pytest.mark.parametrize("name", CASES)
def test_specification_equals_plain_keras_to_the_last_bit(name: str, tmp_path: Path) -> None:
    found = differences(CASES[name], tmp_path, jit_compile=False)

    assert found == dict.fromkeys(found, 0.0)


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[] if name in WITH_XLA else pytest.mark.slow) for name in CASES]
)
def test_specification_with_xla_equals_plain_keras_to_the_last_bit(name: str, tmp_path: Path) -> None:
    found = differences(CASES[name], tmp_path, jit_compile=True)

    assert found == dict.fromkeys(found, 0.0)


def test_blocks_and_their_layers_written_out_are_one_model(tmp_path: Path) -> None:
    models = [
        prepare_text(tmp_path, text, jit_compile=False).model
        for text in (RESIDUAL_BLOCKS, RESIDUAL_WRITTEN_OUT)
    ]
    first, second = ([type(layer).__name__ for layer in model.layers] for model in models)

    assert first == second
    for one, other in zip(*(model.get_weights() for model in models), strict=True):
        np.testing.assert_array_equal(one, other)


NETWORK = """
data: {{source: {{digits: {{test_split: 0.9}}}}}}
model:
  layers:
    - Reshape: {{target_shape: [8, 8, 1]}}
    - UpSampling2D: {{size: 4, name: large}}
    - Concatenate: {{inputs: [large, large, large]}}
    - MobileNetV2: {{weights: null, alpha: 0.35, include_top: false, pooling: avg, trainable: {trainable}, name: net}}
    - Dense: {{units: 10, activation: softmax, name: head}}
training: {{loss: sparse_categorical_crossentropy, optimizer: adam, metrics: [accuracy], {settings}}}
"""


def mobile(keras: Any, x: Any, prepared: Prepared) -> tuple[Any, dict[str, Any]]:
    layers = keras.layers
    reshape, large, join = layers.Reshape((8, 8, 1)), layers.UpSampling2D(4), layers.Concatenate()
    head = layers.Dense(
        10, activation="softmax"
    )  # nnrun makes a network when it knows what arrives, after the layers
    wide = large(reshape(x))
    joined = join([wide, wide, wide])
    network = keras.applications.MobileNetV2(
        input_shape=(32, 32, 3), weights=None, alpha=0.35, include_top=False, pooling="avg"
    )
    network.trainable = False
    model = keras.Model(x, head(network(joined)))
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model, {"y": prepared.data.train.y}


def test_frozen_network_learns_in_its_head_alone_and_equals_plain_keras(tmp_path: Path) -> None:
    case = Case(NETWORK.format(trainable="false", settings=SETTINGS), mobile)
    prepared = prepare_text(tmp_path, case.text, jit_compile=False)
    before = {one.path: one.numpy() for one in prepared.model.weights}
    rows = train_prepared(prepared)
    model, history, _ = fit(case, prepared, jit_compile=False)

    moved = {one.path for one in prepared.model.weights if (before[one.path] != one.numpy()).any()}
    assert moved == {"head/kernel", "head/bias"}
    assert sum("moving_mean" in path for path in before) > 50
    assert [row["loss"] for row in rows] == history["loss"]
    for one, other in zip(model.get_weights(), prepared.model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.slow
def test_network_that_may_learn_does(tmp_path: Path) -> None:
    prepared = prepare_text(tmp_path, NETWORK.format(trainable="true", settings=SETTINGS), jit_compile=False)
    before = {one.path: one.numpy() for one in prepared.model.weights}
    train_prepared(prepared)

    moved = {one.path for one in prepared.model.weights if (before[one.path] != one.numpy()).any()}
    assert len(moved) > 0.95 * len(before)


OUTPUTS_MEASURED = """
data: {{source: {{digits: {{test_split: 0.9}}}}, target: {{picture: inputs, copy: inputs}}}}
model:
  layers:
    - Flatten: {{name: flat}}
    - Dense: {{units: 10, activation: softmax, name: digit}}
    - Dense: {{units: 64, inputs: flat}}
    - Reshape: {{target_shape: [8, 8], name: picture}}
    - ReLU: {{max_value: 1.0, name: copy}}
  outputs: [{outputs}]
training:
  loss: {{digit: sparse_categorical_crossentropy, picture: mse, copy: mse}}
  metrics: {metrics}
  epochs: 1
  batch_size: 90
  validation_split: {split}
"""
METRICS = (
    "[]",
    "{digit: [accuracy]}",
    "{picture: [mae]}",
    "{picture: [mae], digit: [accuracy, accuracy, SparseCategoricalAccuracy]}",
    "{picture: [MeanSquaredError, {MeanSquaredError: {name: error}}, {MeanSquaredError: {dtype: float32}}]}",
    "{picture: [{RootMeanSquaredError: {dtype: float32}}], digit: [{SparseTopKCategoricalAccuracy: {k: 3}}]}",
    "{picture: [{AUC: {num_thresholds: 5}}, {Precision: {thresholds: 0.5}}], copy: [{AUC: {num_thresholds: 5}}]}",
    "{picture: [{AUC: {num_thresholds: 5}}], copy: [{AUC: {num_thresholds: 5, name: mine}}]}",
    "{copy: [{Recall: {thresholds: 0.5}}, {Recall: {thresholds: 0.6}}], picture: [AUC]}",
)


@pytest.mark.parametrize("split", ["0", "0.5"])
@pytest.mark.parametrize("metrics", METRICS)
@pytest.mark.parametrize("outputs", ["digit, picture, copy", "copy, picture, digit"])
def test_measured_values_are_what_keras_logs(outputs: str, metrics: str, split: str, tmp_path: Path) -> None:
    text = OUTPUTS_MEASURED.format(outputs=outputs, metrics=metrics, split=split)
    prepared = prepare_text(tmp_path, text, jit_compile=False)
    logged = {*prepared.model.get_metrics_result()}
    logged |= {f"val_{name}" for name in logged} if split != "0" else set()

    measured = measured_values(prepared.loaded.flat)
    if metrics.count("AUC") > 1 or "Recall" in metrics:
        assert measured is None  # Keras counts on through all metrics of a class
    else:
        assert measured is not None and sorted(measured) == sorted(logged)


@pytest.mark.parametrize("name", CASES)
def test_measured_values_of_whole_specifications_are_what_keras_logs(name: str, tmp_path: Path) -> None:
    prepared = prepare_text(tmp_path, CASES[name].text, False, CASES[name].weights)
    logged = {*prepared.model.get_metrics_result()}
    if prepared.data.validation is not None:
        logged |= {f"val_{one}" for one in logged}

    assert sorted(measured_values(prepared.loaded.flat) or []) == sorted(logged)


def test_metric_of_all_outputs_that_keras_numbers_is_not_told(tmp_path: Path) -> None:
    text = CASES["one_loss_for_all"].text.replace(
        "TopKCategoricalAccuracy: {k: 2}", "AUC: {num_thresholds: 5}"
    )
    prepared = prepare_text(tmp_path, text, jit_compile=False)

    assert {"a_auc", "b_auc_1"} <= set(prepared.model.get_metrics_result())
    assert measured_values(prepared.loaded.flat) is None
