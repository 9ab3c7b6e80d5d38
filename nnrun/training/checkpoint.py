"""The state of a training as arrays and plain values, and back.

``keras.Model.save_weights`` leaves out the seed generators of Dropout and its kin and all that callbacks remember;
a training that continues without them takes another way. Here every variable is kept, by its place in the model, and
with it what callbacks and random generators remember.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnrun.errors import RunError
from nnrun.keras_backend import load_keras

Arrays = Mapping[str, NDArray[Any]]
NUMBERS = (bool, int, float, type(None))
OF_FILES = ("append", "append_header", "csv_file", "writer", "keys")
"""What CSVLogger remembers of its file, which is looked at again when a training goes on."""


def model_arrays(model: Any, group: str = "model") -> dict[str, NDArray[Any]]:
    """Weights, moving statistics and seed generators of a model, by position and path."""
    return _arrays(group, model.variables)


def training_arrays(model: Any) -> dict[str, NDArray[Any]]:
    """All variables of a training: the model's, the optimizer's and the metrics'."""
    return {key: np.asarray(variable.numpy()) for key, variable in _training_variables(model).items()}


def assign_model(model: Any, arrays: Arrays, name: str) -> None:
    """Give a model the variables of :func:`model_arrays`; all of them or none.

    Args:
        model: A model built from the same specification.
        arrays: May hold more than the model's variables.
        name: What the arrays come from, for messages.

    Raises:
        RunError: A variable is missing, is not the model's, or has another shape or dtype.
    """
    _assign(_named("model", model.variables), arrays, name)


def assign_training(model: Any, arrays: Arrays, name: str) -> None:
    """Give a compiled and built model all the variables of :func:`training_arrays`; all of them or none.

    Raises:
        RunError: As :func:`assign_model`.
    """
    _assign(_training_variables(model), arrays, name)


def _training_variables(model: Any) -> dict[str, Any]:
    return (
        _named("model", model.variables)
        | _named("optimizer", model.optimizer.variables)
        | _named("metrics", model.metrics_variables)
    )


def _assign(wanted: Mapping[str, Any], arrays: Arrays, name: str) -> None:
    groups = {key.partition("/")[0] for key in wanted} | {"model"}
    found = {key: array for key, array in arrays.items() if key.partition("/")[0] in groups}
    for key in [*wanted, *found]:
        if key not in found or key not in wanted:
            where = "is not in it" if key not in found else "is not in the model"
            raise RunError(f"{name} does not belong to this model: {key} {where}")
        if found[key].shape != tuple(wanted[key].shape) or str(found[key].dtype) != wanted[key].dtype:
            raise RunError(
                f"{name} does not belong to this model: {key} is {found[key].dtype} {found[key].shape}, "
                f"the model wants {wanted[key].dtype} {tuple(wanted[key].shape)}"
            )
    for key, variable in wanted.items():
        variable.assign(found[key])


def callback_states(callbacks: Iterable[Any]) -> tuple[list[dict[str, Any]], dict[str, NDArray[Any]]]:
    """What callbacks remember: ``wait``, ``best``, ``cooldown_counter``, ``best_weights`` and the like.

    Texts are left out: a path is the specification's to say, not a checkpoint's. ``monitor_op_is_set`` is kept beside
    the values: Keras sets ``monitor_op`` late and flips the sign of ``min_delta`` when it does, so both have to be
    restored together.

    Returns:
        For each callback its ``name`` and ``values`` (numbers in :func:`encode`'s form); and the arrays among them,
        as ``callback/<index>/<attribute>`` or, for lists of arrays, ``.../<position>``.
    """
    states: list[dict[str, Any]] = []
    arrays: dict[str, NDArray[Any]] = {}
    for index, callback in enumerate(callbacks):
        values: dict[str, Any] = {}
        lengths: dict[str, int] = {}
        for key, value in vars(callback).items():
            if key in OF_FILES:
                continue
            number = _number(value)
            if number is not _number:
                values[key] = encode(number)
            elif (listed := _array_list(value)) is not None:
                lengths[key] = len(listed)
                arrays |= {f"callback/{index}/{key}/{place}": array for place, array in enumerate(listed)}
        set_late = getattr(callback, "monitor_op", None) is not None
        states.append(
            {
                "name": type(callback).__name__,
                "values": values,
                "lists": lengths,
                "monitor_op_is_set": set_late,
            }
        )
    return states, arrays


def restore_callbacks(
    callbacks: Sequence[Any], states: Sequence[Mapping[str, Any]], arrays: Arrays, name: str
) -> None:
    """Give callbacks back what they remembered; after their ``on_train_begin``, which resets them.

    Raises:
        RunError: These are other callbacks.
    """
    kinds = [type(callback).__name__ for callback in callbacks]
    if kinds != [state["name"] for state in states]:
        raise RunError(f"{name} does not belong to these callbacks: {', '.join(kinds) or 'none'}")
    for index, (callback, state) in enumerate(zip(callbacks, states, strict=True)):
        if state["monitor_op_is_set"]:
            callback._set_monitor_op()  # before min_delta, whose sign it flips and which is kept flipped
        for key, value in state["values"].items():
            if key in vars(callback):
                setattr(callback, key, decode(value))
        for key, count in state["lists"].items():
            if key in vars(callback):
                setattr(callback, key, [arrays[f"callback/{index}/{key}/{place}"] for place in range(count)])


def random_states() -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """The states of Python's, NumPy's and Keras's global generators: code of the user's may draw from them."""
    version, words, gauss = random.getstate()
    _, keys, position, has_gauss, cached = np.random.get_state(legacy=True)
    arrays = {"random/python": np.array(words, np.uint32), "random/numpy": np.asarray(keys, np.uint32)}
    generator = _global_generator()
    if generator is not None:
        arrays["random/keras"] = np.asarray(generator.state.numpy())
    facts = {
        "python": [version, encode(gauss)],
        "numpy": [int(position), int(has_gauss), encode(float(cached))],
    }
    return facts, arrays


def restore_random(facts: Mapping[str, Any], arrays: Arrays) -> None:
    """Set the global generators to the states of :func:`random_states`."""
    version, gauss = facts["python"]
    random.setstate((version, tuple(int(word) for word in arrays["random/python"]), decode(gauss)))
    position, has_gauss, cached = facts["numpy"]
    np.random.set_state(("MT19937", arrays["random/numpy"], position, has_gauss, decode(cached)))
    if "random/keras" in arrays:
        load_keras().src.random.seed_generator.global_seed_generator().state.assign(arrays["random/keras"])


def _global_generator() -> Any:
    """Keras's generator for unseeded calls; None where nothing was drawn from it."""
    keras = load_keras()
    return keras.src.backend.common.global_state.get_global_attribute("global_seed_generator")


def encode(value: float | bool | None) -> Any:
    """A number for JSON: floats by all their bits, NaN and infinities too."""
    return {"float": value.hex()} if isinstance(value, float) else value


def decode(value: Any) -> Any:
    """The number that :func:`encode` made JSON of."""
    return float.fromhex(value["float"]) if isinstance(value, dict) else value


def _number(value: Any) -> Any:
    """A plain number, NumPy's and TensorFlow's scalars too; this function itself where there is none."""
    if isinstance(value, NUMBERS):
        return value
    if getattr(value, "shape", None) == () and hasattr(value, "__array__"):
        item = np.asarray(value).item()
        return item if isinstance(item, NUMBERS) else _number
    return _number


def _array_list(value: Any) -> list[NDArray[Any]] | None:
    """The arrays of a list of arrays, such as the best weights; None for anything else."""
    if not isinstance(value, list) or not value or not all(hasattr(item, "__array__") for item in value):
        return None
    arrays = [np.asarray(item) for item in value]
    return None if any(array.dtype.hasobject for array in arrays) else arrays


def _arrays(group: str, variables: Iterable[Any]) -> dict[str, NDArray[Any]]:
    return {key: np.asarray(variable.numpy()) for key, variable in _named(group, variables).items()}


def _named(group: str, variables: Iterable[Any]) -> dict[str, Any]:
    return {f"{group}/{index:04d}/{variable.path}": variable for index, variable in enumerate(variables)}
