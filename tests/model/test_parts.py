"""From names and arguments to Keras's objects."""

from __future__ import annotations

from operator import attrgetter
from typing import Any

import numpy as np
import pytest

from nnrun.keras_backend import load_keras, start_session
from nnrun.model.parts import make_part
from nnrun.spec import catalog
from nnrun.spec.catalog import Kind
from nnrun.spec.schema import Choice

pytestmark = pytest.mark.tensorflow

BARE = [
    (kind, name)
    for kind in catalog.KINDS
    for name in catalog.names(kind)
    if (found := catalog.find(kind, name))
    and not any(argument.required for argument in found.arguments)
    # These want one of two arguments, which Keras itself says best.
    and name not in ("Input", "CategoryEncoding", "Discretization")
]
"""Every name that may stand alone."""


def part(kind: Kind, name: str, **arguments: Any) -> Any:
    return make_part(kind, Choice(name, arguments))


@pytest.mark.parametrize(
    ("kind", "name", "arguments", "package", "expected"),
    [
        ("layer", "Dense", {"units": 3}, "layers", "Dense"),
        ("activation", "leaky_relu", {"negative_slope": 0.3}, "layers", "LeakyReLU"),
        ("activation", "relu", {"max_value": 6.0}, "layers", "ReLU"),
        ("activation", "softmax", {"axis": 1}, "layers", "Softmax"),
        ("initializer", "he_normal", {"seed": 3}, "initializers", "HeNormal"),
        ("initializer", "constant", {"value": 3}, "initializers", "Constant"),
        ("regularizer", "l2", {"l2": 0.1}, "regularizers", "L2"),
        ("regularizer", "l1_l2", {"l1": 0.1}, "regularizers", "L1L2"),
        ("constraint", "max_norm", {"max_value": 2}, "constraints", "MaxNorm"),
        ("loss", "huber", {"reduction": "sum"}, "losses", "Huber"),
        ("loss", "mse", {"name": "error"}, "losses", "MeanSquaredError"),
        ("metric", "AUC", {"num_thresholds": 50}, "metrics", "AUC"),
        ("metric", "mae", {"name": "error"}, "metrics", "MeanAbsoluteError"),
        ("optimizer", "adam", {"beta_1": 0.8}, "optimizers", "Adam"),
        (
            "schedule",
            "CosineDecay",
            {"initial_learning_rate": 0.1, "decay_steps": 9},
            "optimizers.schedules",
            "CosineDecay",
        ),
        ("callback", "EarlyStopping", {"patience": 3}, "callbacks", "EarlyStopping"),
    ],
)
def test_part_with_arguments_is_an_object_of_its_class(
    kind: Kind, name: str, arguments: dict[str, Any], package: str, expected: str
) -> None:
    made = make_part(kind, Choice(name, arguments))

    assert type(made) is getattr(attrgetter(package)(load_keras()), expected)
    for argument, value in arguments.items():
        found = getattr(made, argument, None)
        found = made.get_config()[argument] if found is None else found
        assert found == pytest.approx(value) if isinstance(value, float) else found == value


@pytest.mark.parametrize(
    ("kind", "name"),
    [("loss", "mse"), ("loss", "crossentropy"), ("metric", "acc"), ("metric", "AUC"), ("activation", "relu")],
)
def test_name_alone_is_handed_on_where_keras_names_things_by_it(kind: Kind, name: str) -> None:
    assert part(kind, name) == name


@pytest.mark.parametrize(("kind", "name"), BARE, ids=lambda value: str(value))
def test_every_name_that_may_stand_alone_is_made_by_keras(kind: Kind, name: str) -> None:
    if "stft" in name.lower():
        pytest.importorskip("scipy", reason="Keras makes its Fourier windows with SciPy")
    made = part(kind, name)

    if kind in ("activation", "initializer", "regularizer", "constraint", "loss", "metric"):
        if name in catalog.CHOSEN_BY_SHAPE.get(kind, {}):
            return  # Model.compile picks it by the shapes
        made = attrgetter(catalog.PACKAGES[kind])(load_keras()).get(made)
    assert callable(made) or kind in ("optimizer", "schedule", "callback")
    assert not isinstance(made, type)


def test_names_that_may_stand_alone_are_all_covered() -> None:
    kinds = {kind for kind, _ in BARE}
    assert kinds == set(catalog.KINDS) - {"schedule"}  # all schedules have arguments to give
    assert len(BARE) > 300


@pytest.mark.parametrize("name", ["Constant", "constant"])
def test_constant_without_arguments_is_zero(name: str) -> None:
    layer = part("layer", "Dense", units=2, kernel_initializer=name)
    layer.build((None, 3))

    assert layer.kernel.numpy().tolist() == [[0, 0], [0, 0], [0, 0]]


def test_regularizer_without_arguments_has_its_defaults() -> None:
    layer = part("layer", "Dense", units=1, kernel_regularizer="l1_l2")
    assert type(layer.kernel_regularizer).__name__ == "L1L2"


def test_loss_class_without_arguments_can_be_compiled_and_saved(tmp_path: Any) -> None:
    keras = load_keras()
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, activation="softmax")])
    loss = part("loss", "CategoricalGeneralizedCrossEntropy")

    model.compile("sgd", loss)
    model.train_on_batch(np.ones((2, 4), "float32"), np.array([0, 1]))
    model.save(tmp_path / "model.keras")

    assert type(loss) is keras.losses.CategoricalGeneralizedCrossEntropy


def test_seeds_are_drawn_in_keras_order_whatever_the_order_of_the_names() -> None:
    keras = load_keras()
    start_session(5)
    plain = keras.layers.LSTM(3, recurrent_initializer="he_normal", kernel_initializer="glorot_uniform")
    plain.build((None, 4, 2))
    start_session(5)
    ours = part(
        "layer", "LSTM", units=3, recurrent_initializer="he_normal", kernel_initializer="GlorotUniform"
    )
    ours.build((None, 4, 2))

    for theirs, mine in zip(plain.weights, ours.weights, strict=True):
        assert np.array_equal(theirs.numpy(), mine.numpy())


def test_nested_parts_are_made_to_the_last_level() -> None:
    made = part(
        "layer",
        "Bidirectional",
        layer={"LSTM": {"units": 3, "kernel_regularizer": {"L2": {"l2": 0.5}}, "activation": "relu"}},
        merge_mode="sum",
    )

    inner = made.forward_layer.cell
    assert (type(inner).__name__, inner.units, made.merge_mode) == ("LSTMCell", 3, "sum")
    assert float(inner.kernel_regularizer.l2) == 0.5
    assert inner.activation is load_keras().activations.relu


def test_nested_list_of_parts_is_made_item_by_item() -> None:
    made = part("layer", "StackedRNNCells", cells=[{"GRUCell": {"units": 2}}, {"LSTMCell": {"units": 3}}])
    assert [(type(cell).__name__, cell.units) for cell in made.cells] == [("GRUCell", 2), ("LSTMCell", 3)]


def test_nested_activation_with_arguments_is_a_layer() -> None:
    made = part("layer", "Dense", units=1, activation={"leaky_relu": {"negative_slope": 0.5}})
    assert float(made.activation(np.float32(-4))) == -2.0


def test_optimizer_takes_a_schedule_among_its_arguments() -> None:
    schedule = {"ExponentialDecay": {"initial_learning_rate": 0.5, "decay_steps": 1, "decay_rate": 0.5}}
    made = part("optimizer", "sgd", learning_rate=schedule)
    assert float(made.learning_rate) == 0.5
    assert float(made._learning_rate(2)) == 0.125


def test_value_that_is_no_part_stays_as_it_is() -> None:
    assert part("layer", "Reshape", target_shape=[2, -1]).target_shape == (2, -1)
    assert part("layer", "Dense", units=1, activation=None).activation is load_keras().activations.linear


@pytest.mark.parametrize(
    ("kind", "name", "arguments", "message"),
    [
        ("layer", "Dens", {"units": 1}, "no layer 'Dens'"),
        ("activation", "hard_tanh", {"x": 1}, "hard_tanh takes no arguments; write its name alone"),
    ],
)
def test_part_that_does_not_exist_is_an_error(
    kind: Kind, name: str, arguments: dict[str, Any], message: str
) -> None:
    with pytest.raises(LookupError) as caught:
        make_part(kind, Choice(name, arguments))
    assert str(caught.value) == message
