"""Keras's names and arguments, read from its source: what a specification may say."""

from __future__ import annotations

import importlib.util
import inspect
import subprocess
import sys
from collections.abc import Iterator
from operator import attrgetter
from typing import Any

import pytest

from nnrun.spec import catalog
from nnrun.spec.argument_types import UNKNOWN, Values, accepts, expectation, values_of
from nnrun.spec.catalog import KINDS, PACKAGES, REQUIRED, Kind, Part, SourceText
from nnrun.spec.refusals import REFUSED, RENAMED_ARGUMENTS, REPLACED

LEAST = {
    "layer": 130,
    "activation": 30,
    "initializer": 28,
    "regularizer": 8,
    "constraint": 8,
    "loss": 50,
    "metric": 80,
    "optimizer": 25,
    "schedule": 6,
    "callback": 7,
}


def part(kind: Kind, name: str) -> Part:
    found = catalog.find(kind, name)
    assert found is not None, f"{kind} {name}"
    return found


def every_part() -> Iterator[Part]:
    seen = set()
    for kind in KINDS:
        for name in catalog.names(kind):
            found = part(kind, name)
            if (kind, found.name) not in seen:
                seen.add((kind, found.name))
                yield found


def argument_names(kind: Kind, name: str) -> list[str]:
    return [argument.name for argument in part(kind, name).arguments]


def test_find_dense_gives_its_arguments_in_keras_order() -> None:
    dense = part("layer", "Dense")
    assert (dense.name, dense.module) == ("Dense", "keras.src.layers.core.dense")
    assert [argument.name for argument in dense.arguments][:4] == [
        "units",
        "activation",
        "use_bias",
        "kernel_initializer",
    ]
    assert dense.argument("units") == catalog.Argument(
        "units", REQUIRED, Values("integer", 1.0, optional=False)
    )
    assert dense.argument("kernel_initializer").default == "glorot_uniform"
    assert dense.doc.startswith("Just your regular densely-connected NN layer.")


@pytest.mark.parametrize(
    ("kind", "text", "name", "is_function"),
    [
        ("optimizer", "adam", "Adam", False),
        ("optimizer", "rmsprop", "RMSprop", False),
        ("loss", "mse", "mean_squared_error", True),
        ("loss", "BCE", "binary_crossentropy", True),
        ("loss", "MeanSquaredError", "MeanSquaredError", False),
        ("metric", "mse", "MeanSquaredError", False),
        ("metric", "mean_squared_error", "MeanSquaredError", False),
        ("metric", "acc", "acc", True),
        ("initializer", "he_normal", "HeNormal", False),
        ("initializer", "zero", "Zeros", False),
        ("initializer", "OrthogonalInitializer", "Orthogonal", False),
        ("regularizer", "l2", "L2", False),
        ("constraint", "max_norm", "MaxNorm", False),
        ("activation", "swish", "silu", True),
        ("layer", "MaxPool2D", "MaxPooling2D", False),
        ("layer", "GroupQueryAttention", "GroupQueryAttention", False),
    ],
)
def test_find_alias_gives_the_part_that_keras_means(
    kind: Kind, text: str, name: str, is_function: bool
) -> None:
    found = part(kind, text)
    assert (found.name, found.is_function) == (name, is_function)


@pytest.mark.parametrize("name", ["dens", "Adam", "relu", "", "dense", "Dense "])
def test_find_what_is_no_layer_gives_none(name: str) -> None:
    assert catalog.find("layer", name) is None


@pytest.mark.parametrize(
    ("kind", "name", "argument"),
    [
        ("layer", "Dense", "trainable"),  # of Layer
        ("layer", "Add", "name"),  # no __init__ of its own
        ("layer", "Conv2D", "trainable"),  # of BaseConv, two up
        ("layer", "TimeDistributed", "layer"),
        ("layer", "GaussianDropout", "dtype"),  # base written `layers.Layer`
        ("optimizer", "AdamW", "beta_1"),  # of Adam
        ("optimizer", "Adam", "clipnorm"),
        ("metric", "F1Score", "average"),
        ("callback", "EarlyStopping", "monitor"),
        ("initializer", "HeNormal", "seed"),
    ],
)
def test_find_inherited_argument_is_there(kind: Kind, name: str, argument: str) -> None:
    assert argument in argument_names(kind, name)


@pytest.mark.parametrize(
    ("kind", "name", "argument"),
    [
        ("layer", "AveragePooling1D", "pool_dimensions"),  # the class gives it to its base
        ("layer", "ActivityRegularization", "activity_regularizer"),
        ("layer", "Conv2D", "rank"),
        ("layer", "AdaptiveMaxPooling2D", "args"),
        ("layer", "SpatialDropout1D", "trainable"),  # hands no further arguments on
        ("callback", "ReduceLROnPlateau", "nothing"),  # takes **kwargs and drops them
        ("callback", "ReduceLROnPlateau", "kwargs"),
        ("loss", "mse", "y_true"),
        ("activation", "relu", "x"),
    ],
)
def test_find_argument_that_is_not_the_users_is_not_there(kind: Kind, name: str, argument: str) -> None:
    assert argument not in argument_names(kind, name)


@pytest.mark.parametrize("kind", KINDS)
def test_names_of_each_kind_are_many_and_all_found(kind: Kind) -> None:
    found = catalog.names(kind)
    assert len(found) >= LEAST[kind]
    assert len(found) == len(set(found))
    assert [name for name in found if catalog.find(kind, name) is None] == []


@pytest.mark.parametrize("kind", KINDS)
def test_index_names_are_each_usable_or_refused_with_a_reason(kind: Kind) -> None:
    for name in catalog._index(kind):
        usable, reason = catalog.find(kind, name) is not None, catalog.refusal(kind, name)
        assert usable is (reason is None), name


def test_parts_hide_no_arguments() -> None:
    assert [found.name for found in every_part() if found.accepts_any] == []


def test_layers_all_take_a_name() -> None:
    assert [
        found.name for found in every_part() if found.kind == "layer" and not found.argument("name")
    ] == []


def test_defaults_pass_the_check_of_their_own_argument() -> None:
    checked = 0
    for found in every_part():
        for argument in found.arguments:
            if argument.required or isinstance(argument.default, SourceText):
                continue
            assert accepts(argument.values, argument.default), f"{found.name}.{argument.name}"
            checked += argument.type is not None
    assert checked > 650


@pytest.mark.parametrize(
    ("kind", "name", "argument", "expected"),
    [
        ("layer", "Dense", "units", "a whole number, at least 1"),
        ("layer", "Dense", "use_bias", "true or false"),
        ("layer", "Dense", "name", "text"),
        ("layer", "Dropout", "rate", "a number between 0 and 1"),
        ("layer", "Embedding", "input_dim", "a whole number"),
        ("optimizer", "SGD", "momentum", "a number"),
        ("optimizer", "Adam", "clipnorm", "a number"),
        ("callback", "EarlyStopping", "restore_best_weights", "true or false"),
    ],
)
def test_argument_values_plain_documentation_is_taken_at_its_word(
    kind: Kind, name: str, argument: str, expected: str
) -> None:
    assert expectation(part(kind, name).argument(argument).values) == expected


@pytest.mark.parametrize(
    ("kind", "name", "argument", "value"),
    [
        ("layer", "Conv2D", "kernel_size", [3, 3]),
        ("layer", "Conv2D", "strides", 2),
        ("layer", "Conv2D", "padding", "same"),
        ("layer", "MaxPooling1D", "pool_size", [2]),
        ("layer", "Softmax", "axis", [1, 2]),
        ("layer", "LayerNormalization", "axis", [1, 2]),
        ("layer", "Rescaling", "scale", [0.1, 0.2]),
        ("layer", "RandomRotation", "factor", [-0.2, 0.3]),
        ("layer", "Dense", "name", None),
        ("layer", "BatchNormalization", "momentum", 1),
        ("optimizer", "Adam", "learning_rate", 0.1),
        ("schedule", "ExponentialDecay", "decay_steps", 1e4),
        ("callback", "TensorBoard", "update_freq", "epoch"),
        ("callback", "TensorBoard", "profile_batch", "10, 20"),
        ("callback", "ModelCheckpoint", "save_freq", "epoch"),
        ("callback", "ReduceLROnPlateau", "verbose", True),
        ("callback", "EarlyStopping", "baseline", 0.5),
        ("metric", "AUC", "thresholds", [0.1, 0.5]),
        ("metric", "Precision", "top_k", None),
    ],
)
def test_accepts_value_that_keras_takes_is_never_refused(
    kind: Kind, name: str, argument: str, value: Any
) -> None:
    assert accepts(part(kind, name).argument(argument).values, value)


@pytest.mark.parametrize(
    ("kind", "name", "argument", "value"),
    [
        ("layer", "Dense", "units", "many"),
        ("layer", "Dense", "units", 0),
        ("layer", "Dense", "units", 64.0),
        ("layer", "Dense", "units", [64]),
        ("layer", "Dense", "units", True),
        ("layer", "Dense", "units", None),
        ("layer", "Dense", "use_bias", "no"),
        ("layer", "Dense", "name", 5),
        ("layer", "Dropout", "rate", 1.2),
        ("layer", "Dropout", "rate", "half"),
        ("optimizer", "SGD", "momentum", "high"),
        ("callback", "EarlyStopping", "patience", "long"),
    ],
)
def test_accepts_value_that_cannot_be_meant_is_refused(
    kind: Kind, name: str, argument: str, value: Any
) -> None:
    assert not accepts(part(kind, name).argument(argument).values, value)


@pytest.mark.parametrize(
    ("described", "default", "values"),
    [
        ("Positive integer, the number of them.", REQUIRED, Values("integer", 1.0, optional=False)),
        ("Integer or tuple of 2 integers.", 3, UNKNOWN),
        ("Boolean, whether it does this or that.", True, Values("boolean")),
        ("Boolean or `'auto'`.", True, UNKNOWN),
        ("Float between 0 and 1. Fraction of the units to drop.", 0.5, Values("number", 0.0, 1.0)),
        ("Float between 0 and 1. Anything works in truth.", 0.5, Values("number")),
        ("Float or `None`. A limit.", None, Values("number")),
        ("Integer. 0: quiet, 1: messages.", 0, UNKNOWN),
        ("String, one of `'a'` and `'b'`.", "a", UNKNOWN),
        ("How many of them.", 3, Values("number")),
        ("How many of them, or a list of them.", 3, UNKNOWN),
        ("Integer, says a wrong documentation.", "text", UNKNOWN),
    ],
)
def test_values_of_description_says_no_more_than_is_plain(
    described: str, default: Any, values: Values
) -> None:
    assert values_of("it", default, f"Does it.\n\nArgs:\n    it: {described}\n    other: A list.\n") == values


def test_values_of_undocumented_argument_are_unknown() -> None:
    assert values_of("it", 3, "Does it.\n\nArgs:\n    other: Integer.\n") == UNKNOWN


@pytest.mark.parametrize(
    ("kind", "name", "reason"),
    [
        ("layer", "Lambda", "needs a Python function"),
        ("layer", "TFSMLayer", "loads foreign code"),
        ("layer", "ThresholdedReLU", "write ReLU: {threshold: 1.0}"),
        ("layer", "add", "write Add"),
        ("layer", "Layer", "is a base class"),
        ("layer", "serialize", "serves Keras programs"),
        ("loss", "Loss", "is a base class"),
        ("loss", "circle", "write Circle"),
        ("metric", "mean_metric_wrapper", "needs a Python function"),
        ("metric", "huber", "is a function for Keras programs"),
        ("optimizer", "multioptimizer", "choose one optimizer"),
        ("callback", "LearningRateScheduler", "give training.learning_rate a schedule"),
        ("callback", "BackupAndRestore", "nnrun writes checkpoints itself"),
        ("callback", "RemoteMonitor", "talks to the network"),
    ],
)
def test_refusal_of_what_cannot_be_used_says_why(kind: Kind, name: str, reason: str) -> None:
    assert reason in (catalog.refusal(kind, name) or "")
    assert name not in catalog.names(kind)
    assert catalog.find(kind, name) is None


@pytest.mark.parametrize(
    ("kind", "name"), [("layer", "Dense"), ("layer", "Nonsense"), ("metric", "accuracy")]
)
def test_refusal_of_what_is_not_refused_is_none(kind: Kind, name: str) -> None:
    assert catalog.refusal(kind, name) is None


def test_refusals_name_things_that_keras_has_and_replacements_that_it_has_not() -> None:
    known = {
        name
        for kind in KINDS
        for name in (*catalog._index(kind), *(t for _, t in catalog._index(kind).values()))
    }
    assert set(REFUSED) - known == set()
    assert set(REPLACED) & known == set()


def test_renamed_arguments_lead_to_arguments_that_exist() -> None:
    existing = {argument.name for found in every_part() for argument in found.arguments}
    assert set(RENAMED_ARGUMENTS.values()) - existing == set()


@pytest.mark.parametrize(
    ("kind", "name", "argument", "nested"),
    [
        ("layer", "Dense", "kernel_initializer", "initializer"),
        ("layer", "Dense", "activity_regularizer", "regularizer"),
        ("layer", "Dense", "bias_constraint", "constraint"),
        ("layer", "Dense", "activation", "activation"),
        ("layer", "LSTM", "recurrent_activation", "activation"),
        ("layer", "Dense", "units", None),
        ("layer", "Bidirectional", "layer", "layer"),
        ("layer", "Bidirectional", "backward_layer", "layer"),
        ("layer", "RNN", "cell", "layer"),
        ("layer", "StackedRNNCells", "cells", "layer"),
        ("optimizer", "Adam", "learning_rate", "schedule"),
        ("optimizer", "Adam", "beta_1", None),
        ("callback", "EarlyStopping", "monitor", None),
    ],
)
def test_nested_kind_of_argument(kind: Kind, name: str, argument: str, nested: str | None) -> None:
    assert catalog.nested_kind(part(kind, name), argument) == nested


@pytest.mark.parametrize(
    ("kind", "function", "made"),
    [
        ("activation", "leaky_relu", ("layer", "LeakyReLU")),
        ("activation", "softmax", ("layer", "Softmax")),
        ("activation", "gelu", None),
        ("loss", "mse", ("loss", "MeanSquaredError")),
        ("loss", "kld", ("loss", "KLDivergence")),
        ("loss", "Huber", ("loss", "Huber")),
        ("loss", "crossentropy", None),
        ("metric", "accuracy", None),
        ("metric", "top_k_categorical_accuracy", ("metric", "TopKCategoricalAccuracy")),
    ],
)
def test_class_of_function_is_the_class_that_takes_its_arguments(
    kind: Kind, function: str, made: tuple[str, str] | None
) -> None:
    found = catalog.class_of(part(kind, function))
    assert (found and (found.kind, found.name)) == made


@pytest.mark.parametrize(
    ("name", "kinds"),
    [("relu", ["activation"]), ("Adam", ["optimizer"]), ("CosineDecay", ["schedule"]), ("?", [])],
)
def test_kinds_that_know_a_name(name: str, kinds: list[str]) -> None:
    assert catalog.kinds_that_know(name) == kinds


FRESH = """
import sys, time
start = time.perf_counter()
from nnrun.spec import catalog
assert catalog.find("layer", "Dense").argument("units")
seconds = time.perf_counter() - start
print([name for name in ("keras", "tensorflow", "numpy") if name in sys.modules], seconds)
"""


def test_find_in_a_fresh_process_is_quick_and_imports_no_keras() -> None:
    answers = [
        subprocess.run([sys.executable, "-c", FRESH], capture_output=True, text=True) for _ in range(5)
    ]
    assert [answer.returncode for answer in answers] == [0] * 5, answers[0].stderr
    imported, seconds = zip(*(answer.stdout.rsplit(" ", 1) for answer in answers), strict=True)
    assert set(imported) == {"[]"}
    assert min(map(float, seconds)) < 0.06


SAMPLES: dict[str, Any] = {
    "activation": "relu",
    "attention_axes": 1,
    "bin_boundaries": [0.0, 1.0],
    "boundaries": [10],
    "cell": lambda keras: keras.layers.LSTMCell(2),
    "cells": lambda keras: [keras.layers.LSTMCell(2)],
    "dims": [1],
    "equation": "ab,bc->ac",
    "filename": "log.csv",
    "filepath": "best.keras",
    "layer": lambda keras: keras.layers.LSTM(2),
    "layers": lambda keras: [keras.layers.Dense(2)],
    "max_tokens": 5,
    "name": "it",
    "output_shape": [3],
    "shape": [3],
    "target_shape": [3],
    "values": [0.1, 0.2],
    "value_range": [0, 1],
}
HALVES = (
    "height_factor",
    "width_factor",
    "stddev",
    "precision",
    "recall",
    "sensitivity",
    "specificity",
    "rate",
)
SAMPLES |= {**dict.fromkeys(HALVES, 0.5), "factor": 1, "target_class_ids": [0]}
"""Values for arguments that must be given; 2 for the others."""
NEEDS_MORE = {
    "GroupNormalization": {"groups": 1},
    "CategoryEncoding": {"num_tokens": 3},
    "Discretization": {"bin_boundaries": [0.0, 1.0]},
}
"""Classes that want an argument although it has a default."""


def sample(keras: Any, argument: str) -> Any:
    value = SAMPLES.get(argument, 2)
    return value(keras) if callable(value) else value


def required(keras: Any, found: Part) -> dict[str, Any]:
    values = {
        argument.name: sample(keras, argument.name) for argument in found.arguments if argument.required
    }
    return values | NEEDS_MORE.get(found.name, {})


def real(keras: Any, found: Part) -> Any:
    return getattr(attrgetter(PACKAGES[found.kind])(keras), found.name)


@pytest.fixture(scope="module")
def keras() -> Any:
    from nnrun.keras_backend import load_keras

    return load_keras()


@pytest.mark.slow
@pytest.mark.tensorflow
def test_catalogue_texts_mean_what_keras_takes_them_for(keras: Any) -> None:
    """Every name of the kinds that Keras looks up by text."""
    checked = 0
    for kind in ("activation", "loss", "metric"):
        table = attrgetter(f"src.{PACKAGES[kind]}.ALL_OBJECTS_DICT")(keras)
        for name, thing in table.items():
            found = catalog.find(kind, name)
            checked += 1
            chosen_by_shape = name in catalog.CHOSEN_BY_SHAPE.get(kind, ())
            assert found is None or chosen_by_shape or real(keras, found) is thing, name
            assert found is not None or catalog.refusal(kind, name), name
    for kind in ("initializer", "regularizer", "constraint", "optimizer"):
        table = attrgetter(f"src.{PACKAGES[kind]}.ALL_OBJECTS_DICT")(keras)
        assert {name for name in table if not catalog.refusal(kind, name)} <= set(catalog.names(kind))
        for name in set(table) & set(catalog.names(kind)):
            checked += 1
            assert real(keras, part(kind, name)) is table[name], name
    assert checked > 250


@pytest.mark.slow
@pytest.mark.tensorflow
@pytest.mark.parametrize("kind", KINDS)
def test_catalogue_misses_no_public_class_of_keras(keras: Any, kind: Kind) -> None:
    package = attrgetter(PACKAGES[kind])(keras)
    public = {
        name for name, thing in vars(package).items() if inspect.isclass(thing) or inspect.isfunction(thing)
    }
    unknown = {
        name for name in public if catalog.find(kind, name) is None and catalog.refusal(kind, name) is None
    }
    assert public
    assert unknown == set()


@pytest.mark.slow
@pytest.mark.tensorflow
def test_catalogue_own_arguments_and_defaults_are_those_of_inspect(keras: Any) -> None:
    checked = 0
    for found in every_part():
        if found.name in ("accuracy", "acc", "crossentropy", "ce"):
            continue
        thing = real(keras, found)
        init = thing if found.is_function else thing.__init__
        own = {
            name: parameter
            for name, parameter in inspect.signature(init).parameters.items()
            if parameter.kind not in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL)
            and name not in ("self", *(catalog.GIVEN_BY_KERAS if found.is_function else ()))
        }
        assert [argument.name for argument in found.arguments][: len(own)] == list(own), found.name
        for name, parameter in own.items():
            argument = found.argument(name)
            assert argument is not None
            assert argument.required is (parameter.default is parameter.empty), f"{found.name}.{name}"
            if not argument.required and not isinstance(argument.default, SourceText):
                assert argument.default == parameter.default, f"{found.name}.{name}"
            checked += 1
    assert checked > 1400


def accepts_by_keras(keras: Any, found: Part, arguments: dict[str, Any]) -> str:
    """Empty if Keras makes the part, else what it says."""
    try:
        real(keras, found)(**arguments)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return ""


@pytest.mark.slow
@pytest.mark.tensorflow
@pytest.mark.filterwarnings("ignore")  # of Keras, about defaults that are written out
def test_catalogue_arguments_are_all_taken_by_keras_and_a_wrong_one_is_not(keras: Any) -> None:
    """Inherited arguments too: each is given by keyword with its default."""
    refused, swallowed = [], []
    without_scipy = importlib.util.find_spec("scipy") is None  # with which Keras makes its Fourier windows
    for found in every_part():
        if found.is_function or (without_scipy and found.name.startswith("STFT")):
            continue
        needed = required(keras, found)
        if answer := accepts_by_keras(keras, found, needed):
            refused.append(f"{found.name} {needed}: {answer}")
            continue
        for argument in found.arguments:
            if argument.required or isinstance(argument.default, SourceText) or argument.name in needed:
                continue
            answer = accepts_by_keras(
                keras, found, {**required(keras, found), argument.name: argument.default}
            )
            if answer:
                refused.append(f"{found.name}.{argument.name}: {answer}")
        if not accepts_by_keras(keras, found, {**required(keras, found), "nonsense": 1}):
            swallowed.append(found.name)
    assert refused == []
    assert swallowed == ["ReduceLROnPlateau"]  # they drop what they do not know, unread


@pytest.mark.slow
@pytest.mark.tensorflow
@pytest.mark.filterwarnings("ignore")
def test_catalogue_hidden_arguments_of_bases_are_refused_by_keras(keras: Any) -> None:
    for name, argument in [
        ("AveragePooling1D", "pool_dimensions"),
        ("ActivityRegularization", "activity_regularizer"),
        ("Conv2D", "rank"),
        ("SpatialDropout1D", "trainable"),
    ]:
        found = part("layer", name)
        assert accepts_by_keras(keras, found, {**required(keras, found), argument: None}), (
            f"{name}.{argument}"
        )


@pytest.mark.slow
@pytest.mark.tensorflow
def test_catalogue_names_chosen_by_shape_are_those_of_keras(keras: Any) -> None:
    compile_utils = keras.src.trainers.compile_utils
    rows, indices = keras.ops.ones((4, 3)), keras.ops.ones((4,))
    for name in catalog.CHOSEN_BY_SHAPE["metric"]:
        assert compile_utils.get_metric(name, indices, rows).name == name
    for name in catalog.CHOSEN_BY_SHAPE["loss"]:
        assert compile_utils.get_loss(name, indices, rows).name == name
