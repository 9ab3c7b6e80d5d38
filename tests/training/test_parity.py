"""The numbers are Keras's: without shuffling, a training equals the plain Keras program to the last bit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
import yaml

from nnrun.data.load import Examples
from nnrun.model.build import InputShape, build_model
from nnrun.model.compile import compile_model
from nnrun.model.parts import make_part
from nnrun.spec.schema import Choice, ModelSection, TrainingSection
from nnrun.training.engine import Engine
from nnrun.training.feed import make_feed, target_form
from nnrun.training.loop import Plan, Training

pytestmark = pytest.mark.tensorflow

SEED, EPOCHS = 11, 3


def images(count: int, classes: int = 10) -> Examples:
    """uint8 images of 8 x 8 with classes of very different sizes."""
    random = np.random.default_rng(0)
    shares = np.arange(1, classes + 1) ** 2
    y = random.choice(classes, count, p=shares / shares.sum()).astype("int32")
    return Examples(random.integers(0, 256, (count, 8, 8)).astype("uint8"), y)


def words(count: int) -> Examples:
    random = np.random.default_rng(1)
    return Examples(
        random.integers(0, 50, (count, 12)).astype("int32"), random.integers(0, 2, count).astype("int32")
    )


def numbers(count: int, targets: int = 1) -> Examples:
    random = np.random.default_rng(2)
    x = random.normal(size=(count, 6)).astype("float32")
    return Examples(x, (x @ random.normal(size=(6, targets))).astype("float32"))


def pairs(count: int) -> Examples:
    """Two inputs for each example."""
    random = np.random.default_rng(3)
    x = {name: random.normal(size=(count, 5)).astype("float32") for name in ("left", "right")}
    return Examples(x, (x["left"][:, 0] > x["right"][:, 0]).astype("int32"))


@dataclass(frozen=True)
class Case:
    """One model, as a specification and as a Keras program.

    Args:
        layers: The layers in YAML.
        plain: Makes the same model as a Keras program would, from ``keras`` and an Input for each of the data's inputs.
        optimizer: Makes the program's optimizer.
        training: The training section in YAML, besides the layers.
        data: The examples.
        classes: None for regression.
        precision: The policy of all layers.
        batch_size: 32 leaves a smaller last batch of every data set here, unless it says otherwise.
        callbacks: Makes the program's callbacks.
    """

    layers: str
    plain: Callable[[Any, Any], Any]
    training: str
    optimizer: Callable[[Any], Any]
    loss: Callable[[Any], Any]
    data: Examples = field(default_factory=lambda: images(210))
    classes: int | None = 10
    batch_size: int = 32
    precision: str = "float32"
    callbacks: Callable[[Any], list[Any]] = lambda keras: []


def row(*make: Callable[[Any], Any]) -> Callable[[Any, Any], Any]:
    """A Sequential program of the layers."""
    return lambda keras, inputs: keras.Sequential([*inputs.values(), *(one(keras.layers) for one in make)])


def dense_case(optimizer_yaml: str, optimizer: Callable[[Any], Any]) -> Case:
    """A small classifier, for going through the optimizers."""
    return Case(
        layers="[Flatten, {Dense: {units: 16, activation: relu}}, {Dense: {units: 10, activation: softmax}}]",
        plain=row(
            lambda layers: layers.Flatten(),
            lambda layers: layers.Dense(16, activation="relu"),
            lambda layers: layers.Dense(10, activation="softmax"),
        ),
        training=f"{{loss: sparse_categorical_crossentropy, optimizer: {optimizer_yaml}, metrics: [accuracy]}}",
        optimizer=optimizer,
        loss=lambda keras: "sparse_categorical_crossentropy",
    )


def classifier_case(layers_yaml: str, *make: Callable[[Any], Any], **changes: Any) -> Case:
    """Layers under a softmax of ten, trained with Adam."""
    return Case(
        **{
            "layers": f"[{layers_yaml}, Flatten, {{Dense: {{units: 10, activation: softmax}}}}]",
            "plain": row(
                *make, lambda layers: layers.Flatten(), lambda layers: layers.Dense(10, activation="softmax")
            ),
            "training": "{loss: sparse_categorical_crossentropy, optimizer: adam, metrics: [accuracy]}",
            "optimizer": lambda keras: keras.optimizers.Adam(),
            "loss": lambda keras: "sparse_categorical_crossentropy",
            **changes,
        }
    )


def text_case(layer_yaml: str, make: Callable[[Any], Any]) -> Case:
    """Word indices through an embedding and one layer to a yes or no."""
    return Case(
        layers=f"[{{Embedding: {{input_dim: 50, output_dim: 8}}}}, {layer_yaml}, "
        "{Dense: {units: 1, activation: sigmoid}}]",
        plain=row(
            lambda layers: layers.Embedding(50, 8), make, lambda layers: layers.Dense(1, activation="sigmoid")
        ),
        training="{loss: binary_crossentropy, optimizer: adam, metrics: [accuracy]}",
        optimizer=lambda keras: keras.optimizers.Adam(),
        loss=lambda keras: "binary_crossentropy",
        data=words(150),
        classes=2,
    )


def regression_case(loss_yaml: str, loss: Callable[[Any], Any], targets: int = 1) -> Case:
    """Numbers from numbers."""
    return Case(
        layers=f"[{{Dense: {{units: 8, activation: tanh}}}}, {{Dense: {{units: {targets}}}}}]",
        plain=row(lambda layers: layers.Dense(8, activation="tanh"), lambda layers: layers.Dense(targets)),
        training=f"{{loss: {loss_yaml}, optimizer: adam, metrics: [mean_absolute_error]}}",
        optimizer=lambda keras: keras.optimizers.Adam(),
        loss=loss,
        data=numbers(100, targets),
        classes=None,
    )


def skip_graph(keras: Any, inputs: dict[str, Any]) -> Any:
    (x,) = inputs.values()
    flat, first = keras.layers.Flatten(), keras.layers.Dense(12, activation="relu")
    second, add = keras.layers.Dense(12, activation="relu"), keras.layers.Add()
    out = keras.layers.Dense(10, activation="softmax")
    hidden = first(flat(x))
    return keras.Model(x, out(add([hidden, second(hidden)])))


def two_inputs(keras: Any, inputs: dict[str, Any]) -> Any:
    left, right = keras.layers.Dense(4, activation="relu"), keras.layers.Dense(4, activation="relu")
    join, out = keras.layers.Concatenate(), keras.layers.Dense(1, activation="sigmoid")
    return keras.Model(inputs, out(join([left(inputs["left"]), right(inputs["right"])])))


CASES = {
    "sgd": dense_case("sgd", lambda keras: keras.optimizers.SGD()),
    "sgd_momentum": dense_case(
        "{SGD: {momentum: 0.9, nesterov: true}}",
        lambda keras: keras.optimizers.SGD(momentum=0.9, nesterov=True),
    ),
    "adam": dense_case("adam", lambda keras: keras.optimizers.Adam()),
    "adam_amsgrad_clipped": dense_case(
        "{Adam: {amsgrad: true, clipnorm: 0.5}}",
        lambda keras: keras.optimizers.Adam(amsgrad=True, clipnorm=0.5),
    ),
    "adam_ema": dense_case("{Adam: {use_ema: true}}", lambda keras: keras.optimizers.Adam(use_ema=True)),
    "adamw": dense_case(
        "{AdamW: {weight_decay: 0.01}}", lambda keras: keras.optimizers.AdamW(weight_decay=0.01)
    ),
    "sgd_weight_decay": dense_case(
        "{SGD: {weight_decay: 0.01, global_clipnorm: 0.5}}",
        lambda keras: keras.optimizers.SGD(weight_decay=0.01, global_clipnorm=0.5),
    ),
    "adam_accumulated": dense_case(
        "{Adam: {gradient_accumulation_steps: 3, clipvalue: 0.01}}",
        lambda keras: keras.optimizers.Adam(gradient_accumulation_steps=3, clipvalue=0.01),
    ),
    "adam_loss_scale": dense_case(
        "{Adam: {loss_scale_factor: 8.0}}", lambda keras: keras.optimizers.Adam(loss_scale_factor=8.0)
    ),
    "adamax": dense_case("adamax", lambda keras: keras.optimizers.Adamax()),
    "nadam": dense_case("nadam", lambda keras: keras.optimizers.Nadam()),
    "rmsprop": dense_case("rmsprop", lambda keras: keras.optimizers.RMSprop()),
    "adagrad": dense_case("adagrad", lambda keras: keras.optimizers.Adagrad()),
    "adadelta": dense_case("adadelta", lambda keras: keras.optimizers.Adadelta()),
    "ftrl": dense_case("ftrl", lambda keras: keras.optimizers.Ftrl()),
    "lion": dense_case("lion", lambda keras: keras.optimizers.Lion()),
    "adafactor": dense_case("adafactor", lambda keras: keras.optimizers.Adafactor()),
    "lamb": dense_case("Lamb", lambda keras: keras.optimizers.Lamb()),
    "schedule": classifier_case(
        "Flatten",
        lambda layers: layers.Flatten(),
        training="{loss: sparse_categorical_crossentropy, optimizer: adam, metrics: [accuracy], "
        "learning_rate: {CosineDecay: {initial_learning_rate: 0.01, decay_steps: 15}}}",
        optimizer=lambda keras: keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(0.01, 15)),
    ),
    "dropout": classifier_case("{Dropout: {rate: 0.3}}", lambda layers: layers.Dropout(0.3)),
    "gaussian_noise": classifier_case(
        "{GaussianNoise: {stddev: 0.1}}", lambda layers: layers.GaussianNoise(0.1)
    ),
    "batch_normalization": classifier_case("BatchNormalization", lambda layers: layers.BatchNormalization()),
    "layer_normalization": classifier_case("LayerNormalization", lambda layers: layers.LayerNormalization()),
    "convolution": classifier_case(
        "{Reshape: {target_shape: [8, 8, 1]}}, {Conv2D: {filters: 4, kernel_size: 3, activation: relu}}, MaxPooling2D",
        lambda layers: layers.Reshape((8, 8, 1)),
        lambda layers: layers.Conv2D(4, 3, activation="relu"),
        lambda layers: layers.MaxPooling2D(),
    ),
    "regularized": classifier_case(
        "Flatten, {Dense: {units: 8, kernel_regularizer: {L2: {l2: 0.01}}, kernel_initializer: {HeNormal: {seed: 5}}, "
        "kernel_constraint: {MaxNorm: {max_value: 1.5}}}}",
        lambda layers: layers.Flatten(),
        lambda layers: layers.Dense(
            8,
            kernel_regularizer=keras_part("regularizers", "L2", l2=0.01),
            kernel_initializer=keras_part("initializers", "HeNormal", seed=5),
            kernel_constraint=keras_part("constraints", "MaxNorm", max_value=1.5),
        ),
    ),
    "one_hot": classifier_case(
        "Flatten",
        lambda layers: layers.Flatten(),
        training="{loss: categorical_crossentropy, optimizer: adam, metrics: [accuracy]}",
        loss=lambda keras: "categorical_crossentropy",
    ),
    "label_smoothing": classifier_case(
        "Flatten",
        lambda layers: layers.Flatten(),
        training="{loss: {CategoricalCrossentropy: {label_smoothing: 0.1}}, optimizer: adam, metrics: [accuracy]}",
        loss=lambda keras: keras.losses.CategoricalCrossentropy(label_smoothing=0.1),
    ),
    "hinge": classifier_case(
        "Flatten",
        lambda layers: layers.Flatten(),
        training="{loss: categorical_hinge, optimizer: adam, metrics: [accuracy]}",
        loss=lambda keras: "categorical_hinge",
    ),
    "mean_squared_error": regression_case("mse", lambda keras: "mse"),
    "mean_absolute_error": regression_case("mean_absolute_error", lambda keras: "mean_absolute_error"),
    "huber_two_targets": regression_case(
        "{Huber: {delta: 0.5}}", lambda keras: keras.losses.Huber(delta=0.5), targets=2
    ),
    "log_cosh": regression_case("log_cosh", lambda keras: "log_cosh"),
    "lstm": text_case("{LSTM: {units: 8}}", lambda layers: layers.LSTM(8)),
    "lstm_dropout": text_case("{LSTM: {units: 8, dropout: 0.2}}", lambda layers: layers.LSTM(8, dropout=0.2)),
    "gru": text_case("{GRU: {units: 8}}", lambda layers: layers.GRU(8)),
    "bidirectional": text_case(
        "{Bidirectional: {layer: {LSTM: {units: 4}}}}",
        lambda layers: layers.Bidirectional(layers.LSTM(4)),
    ),
    "embedding_pooled": text_case("GlobalAveragePooling1D", lambda layers: layers.GlobalAveragePooling1D()),
    "skip_graph": Case(
        layers="[Flatten, {Dense: {units: 12, activation: relu, name: first}}, "
        "{Dense: {units: 12, activation: relu, name: second}}, {Add: {inputs: [first, second]}}, "
        "{Dense: {units: 10, activation: softmax}}]",
        plain=skip_graph,
        training="{loss: sparse_categorical_crossentropy, optimizer: adam, metrics: [accuracy]}",
        optimizer=lambda keras: keras.optimizers.Adam(),
        loss=lambda keras: "sparse_categorical_crossentropy",
    ),
    "several_inputs": Case(
        layers="[{Dense: {units: 4, activation: relu, inputs: left, name: a}}, "
        "{Dense: {units: 4, activation: relu, inputs: right, name: b}}, {Concatenate: {inputs: [a, b]}}, "
        "{Dense: {units: 1, activation: sigmoid}}]",
        plain=two_inputs,
        training="{loss: binary_crossentropy, optimizer: adam, metrics: [accuracy]}",
        optimizer=lambda keras: keras.optimizers.Adam(),
        loss=lambda keras: "binary_crossentropy",
        data=pairs(90),
        classes=2,
    ),
    "early_stopping_and_plateau": classifier_case(
        "Flatten",
        lambda layers: layers.Flatten(),
        training="{loss: sparse_categorical_crossentropy, optimizer: adam, metrics: [accuracy], callbacks: ["
        "{EarlyStopping: {monitor: val_loss, patience: 0, min_delta: 0.05, restore_best_weights: true}}, "
        "{ReduceLROnPlateau: {monitor: loss, patience: 0, min_delta: 1.0}}]}",
        callbacks=lambda keras: [
            keras.callbacks.EarlyStopping(patience=0, min_delta=0.05, restore_best_weights=True),
            keras.callbacks.ReduceLROnPlateau(monitor="loss", patience=0, min_delta=1.0),
        ],
    ),
    "mixed_bfloat16": classifier_case(
        "Flatten, {Dense: {units: 16, activation: relu}}, {Dropout: {rate: 0.2}}",
        lambda layers: layers.Flatten(),
        lambda layers: layers.Dense(16, activation="relu"),
        lambda layers: layers.Dropout(0.2),
        precision="mixed_bfloat16",
    ),
    "mixed_bfloat16_convolution": classifier_case(
        "{Reshape: {target_shape: [8, 8, 1]}}, {Conv2D: {filters: 4, kernel_size: 3}}, BatchNormalization",
        lambda layers: layers.Reshape((8, 8, 1)),
        lambda layers: layers.Conv2D(4, 3),
        lambda layers: layers.BatchNormalization(),
        precision="mixed_bfloat16",
    ),
    "mixed_float16": classifier_case(
        "Flatten, {Dense: {units: 16, activation: relu}}",
        lambda layers: layers.Flatten(),
        lambda layers: layers.Dense(16, activation="relu"),
        precision="mixed_float16",
    ),
    "exact_batches": classifier_case("Flatten", lambda layers: layers.Flatten(), batch_size=30),
    "one_batch": classifier_case("Flatten", lambda layers: layers.Flatten(), batch_size=500),
}


def keras_part(package: str, name: str, **arguments: Any) -> Any:
    from nnrun.keras_backend import load_keras

    return getattr(getattr(load_keras(), package), name)(**arguments)


class Rows:
    """Collects the rows of a training."""

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []

    def on_steps(self, epoch: int, done: int, total: int) -> None: ...
    def on_epoch(self, row: dict[str, Any], position: Any) -> None:
        self.rows.append(row)

    def on_stop(self, position: Any) -> None: ...


def program_arrays(case: Case) -> tuple[Any, Any]:
    """The data as a Keras program has it: images as floats in [0, 1], classes one-hot where the loss wants it."""
    x, y = case.data.x, case.data.y
    if not isinstance(x, dict) and x.dtype == np.uint8:
        x = x.astype("float32") / 255
    loss = str(yaml.safe_load(case.training)["loss"]).lower()
    if "categorical" in loss and "sparse" not in loss:
        y = np.eye(case.classes, dtype="float32")[y]
    return x, y


def train_plainly(case: Case, jit_compile: bool) -> tuple[Any, dict[str, list[float]], Any]:
    """The Keras program: weights, history, predictions."""
    from nnrun.keras_backend import load_keras, start_session

    keras = load_keras()
    start_session(SEED)
    x, y = program_arrays(case)
    arrays = x if isinstance(x, dict) else {"input": x}
    inputs = {
        name: keras.Input(array.shape[1:], dtype="int32" if array.dtype == np.int32 else "float32", name=name)
        for name, array in arrays.items()
    }
    keras.config.set_dtype_policy(case.precision)
    model = case.plain(keras, inputs)
    keras.config.set_dtype_policy("float32")
    metrics = yaml.safe_load(case.training)["metrics"]
    model.compile(case.optimizer(keras), case.loss(keras), metrics=metrics, jit_compile=jit_compile)
    history = model.fit(
        x,
        y,
        batch_size=case.batch_size,
        epochs=EPOCHS,
        shuffle=False,
        validation_data=(x, y),
        callbacks=case.callbacks(keras),
        verbose=0,
    ).history
    return model.get_weights(), history, model.predict(x, batch_size=case.batch_size, verbose=0)


def train_from_specification(case: Case, jit_compile: bool) -> tuple[Any, list[dict[str, Any]], Any]:
    """The same by nnrun's building, engine and loop."""
    from nnrun.keras_backend import precision, start_session

    section = TrainingSection.model_validate(yaml.safe_load(case.training))
    layers = [Choice.parse(item) for item in yaml.safe_load(case.layers)]
    arrays = case.data.x if isinstance(case.data.x, dict) else {"input": case.data.x}
    inputs = {
        name: InputShape(array.shape[1:], "int32" if array.dtype == np.int32 else "float32")
        for name, array in arrays.items()
    }
    start_session(SEED)
    with precision(case.precision):
        model = build_model(ModelSection(layers=layers), inputs, lambda *path: None)
    compile_model(model, section, jit_compile=jit_compile, place=lambda *path: None)
    targets = target_form(section.loss.name, case.classes, model.output_shape[-1])
    divisor = 255.0 if not isinstance(case.data.x, dict) and case.data.x.dtype == np.uint8 else None
    engine = Engine(model)
    feed = make_feed(case.data, divisor=divisor, targets=targets, classes=case.classes)
    engine.build(feed, case.batch_size)
    rows = Rows()
    plan = Plan(EPOCHS, case.batch_size, SEED, shuffle=False, monitor="val_loss")
    callbacks = [make_part("callback", choice) for choice in section.callbacks]
    Training(model, engine, feed, feed, plan, callbacks, rows).run()
    (predicted,) = engine.predict(feed, case.batch_size)
    return model.get_weights(), rows.rows, predicted


COMPILED = {
    "adam",
    "adam_ema",
    "sgd_momentum",
    "schedule",
    "batch_normalization",
    "regularized",
    "one_hot",
    "huber_two_targets",
    "lstm",
    "several_inputs",
    "early_stopping_and_plateau",
    "mixed_bfloat16",
    "one_batch",
}
"""The cases that are compiled with XLA by default: that takes seconds each."""

EVERY_WAY = [
    pytest.param(name, jit, id=f"{name}-{'xla' if jit else 'no_xla'}", marks=marks)
    for name in CASES
    for jit in (False, True)
    for marks in ([pytest.mark.slow] if jit and name not in COMPILED else [],)
]


@pytest.mark.parametrize(("name", "jit_compile"), EVERY_WAY)
def test_training_without_shuffling_equals_plain_keras_to_the_last_bit(name: str, jit_compile: bool) -> None:
    case = CASES[name]

    weights, history, predictions = train_plainly(case, jit_compile)
    our_weights, rows, our_predictions = train_from_specification(case, jit_compile)

    assert len(rows) == len(history["loss"])
    differences = {
        key: max(abs(theirs - ours[key]) for theirs, ours in zip(values, rows, strict=True))
        for key, values in history.items()
    }
    differences["weights"] = max(
        float(np.abs(theirs - ours).max()) for theirs, ours in zip(weights, our_weights, strict=True)
    )
    differences["predictions"] = float(np.abs(predictions - our_predictions).max())
    assert differences == dict.fromkeys(differences, 0.0)


def test_parity_covers_at_least_25_models() -> None:
    assert len(CASES) >= 25
