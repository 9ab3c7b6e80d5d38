"""The state of a training as arrays, and back: everything, or nothing."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from nnrun.errors import RunError
from nnrun.keras_backend import load_keras, start_session
from nnrun.training.checkpoint import assign_model, callback_states, decode, model_arrays, training_arrays

pytestmark = pytest.mark.tensorflow


def make_model(seed: int = 0) -> Any:
    """A model with weights, moving statistics and a seed generator."""
    keras = load_keras()
    start_session(seed)
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((4,)),
            layers.Dense(3),
            layers.BatchNormalization(),
            layers.Dropout(0.5),
            layers.Dense(2),
        ]
    )
    model.compile("adam", "mse", metrics=["mae"])
    model.train_on_batch(np.ones((3, 4), "float32"), np.zeros((3, 2), "float32"))
    return model


def values(model: Any) -> list[Any]:
    return [variable.numpy().tolist() for variable in model.variables]


def test_model_arrays_hold_weights_statistics_and_seed_generators() -> None:
    model = make_model()
    arrays = model_arrays(model)

    assert [key.split("/", 2)[2] for key in arrays] == [
        "sequential/dense/kernel",
        "sequential/dense/bias",
        "sequential/batch_normalization/gamma",
        "sequential/batch_normalization/beta",
        "sequential/batch_normalization/moving_mean",
        "sequential/batch_normalization/moving_variance",
        "seed_generator/seed_generator_state",
        "sequential/dense_1/kernel",
        "sequential/dense_1/bias",
    ]
    assert next(iter(arrays)) == "model/0000/sequential/dense/kernel"
    state = arrays["model/0006/seed_generator/seed_generator_state"]
    assert (state.dtype, state.shape) == (np.int64, (2,))
    assert state[1] > 0  # it has moved on: one batch was drawn


def test_model_arrays_are_copies() -> None:
    model = make_model()
    arrays = model_arrays(model)
    kept = {key: array.copy() for key, array in arrays.items()}

    model.train_on_batch(np.ones((3, 4), "float32"), np.zeros((3, 2), "float32"))

    assert all(np.array_equal(arrays[key], kept[key]) for key in kept)


def test_training_arrays_hold_optimizer_and_metrics_too() -> None:
    model = make_model()
    arrays = training_arrays(model)
    groups = [key.split("/")[0] for key in arrays]

    assert groups.count("model") == len(model.variables)
    assert groups.count("optimizer") == len(model.optimizer.variables) >= 2 + 2 * 6
    assert groups.count("metrics") == len(model.metrics_variables) > 0
    assert [int(array) for key, array in arrays.items() if key.endswith("iteration")] == [1]


def test_assigned_model_goes_on_with_the_same_bits() -> None:
    model, other = make_model(), make_model(seed=5)
    assert values(model) != values(other)

    assign_model(other, training_arrays(model), "a checkpoint")

    assert values(other) == values(model)
    x = np.ones((8, 4), "float32")
    assert np.array_equal(np.asarray(model(x, training=True)), np.asarray(other(x, training=True)))


KERNEL = "model/0007/sequential/dense_1/kernel"
FOREIGN = "a checkpoint does not belong to this model: "


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({KERNEL: None}, f"{KERNEL} is not in it"),
        ({"model/0009/x": np.zeros(2)}, "model/0009/x is not in the model"),
        (
            {KERNEL: np.zeros((2, 3), "float32")},
            f"{KERNEL} is float32 (2, 3), the model wants float32 (3, 2)",
        ),
        (
            {KERNEL: np.zeros((3, 2), "float64")},
            f"{KERNEL} is float64 (3, 2), the model wants float32 (3, 2)",
        ),
    ],
    ids=["missing", "extra", "shape", "dtype"],
)
def test_arrays_of_another_model_are_refused_and_none_is_assigned(
    change: dict[str, Any], message: str
) -> None:
    model, other = make_model(), make_model(seed=5)
    arrays = model_arrays(model) | change
    before = values(other)

    with pytest.raises(RunError) as caught:
        assign_model(
            other, {key: array for key, array in arrays.items() if array is not None}, "a checkpoint"
        )

    assert str(caught.value) == FOREIGN + message
    assert values(other) == before


def test_callback_states_are_plain_values_with_the_late_set_sign() -> None:
    keras = load_keras()
    stopping = keras.callbacks.EarlyStopping(monitor="loss", patience=2, min_delta=0.25)
    plateau = keras.callbacks.ReduceLROnPlateau(monitor="loss")
    stopping.set_model(make_model())
    stopping.on_train_begin()
    stopping.on_epoch_end(0, {"loss": np.float32(0.5)})
    stopping.on_epoch_end(1, {"loss": np.float32(0.75)})

    (first, second), arrays = callback_states([stopping, plateau])

    assert (first["name"], second["name"]) == ("EarlyStopping", "ReduceLROnPlateau")
    kept = {name: decode(value) for name, value in first["values"].items()}
    assert (kept["wait"], kept["best"], kept["patience"], kept["min_delta"]) == (1, 0.5, 2, -0.25)
    assert (first["monitor_op_is_set"], second["monitor_op_is_set"]) == (True, False)
    assert first["values"]["best"] == {"float": "0x1.0000000000000p-1"}
    assert arrays == {}
