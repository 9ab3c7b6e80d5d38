"""The state of a training as arrays, and back.

``keras.Model.save_weights`` leaves out the seed generators of Dropout and its kin and all that callbacks remember;
a training that continues without them takes another way. Here every variable is kept, by its place in the model.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnrun.errors import RunError

Arrays = Mapping[str, NDArray[Any]]
PLAIN = (int, float, bool, str, type(None))


def model_arrays(model: Any) -> dict[str, NDArray[Any]]:
    """Weights, moving statistics and seed generators of a model, by position and path."""
    return _arrays("model", model.variables)


def training_arrays(model: Any) -> dict[str, NDArray[Any]]:
    """All variables of a training: the model's, the optimizer's and the metrics'."""
    return (
        model_arrays(model)
        | _arrays("optimizer", model.optimizer.variables)
        | _arrays("metrics", model.metrics_variables)
    )


def assign_model(model: Any, arrays: Arrays, name: str) -> None:
    """Give a model the variables of :func:`model_arrays`; all of them or none.

    Args:
        model: A model built from the same specification.
        arrays: May hold more than the model's variables.
        name: What the arrays come from, for messages.

    Raises:
        RunError: A variable is missing, is not the model's, or has another shape or dtype.
    """
    wanted = _named("model", model.variables)
    found = {key: array for key, array in arrays.items() if key.startswith("model/")}
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


def callback_states(callbacks: Iterable[Any]) -> list[dict[str, Any]]:
    """What callbacks remember, as plain values: ``wait``, ``best``, ``cooldown_counter`` and the like.

    ``monitor_op_is_set`` is kept beside them: Keras sets ``monitor_op`` late and flips the sign of ``min_delta`` when
    it does, so both have to be restored together.
    """
    states = []
    for callback in callbacks:
        values = {key: _plain(value) for key, value in vars(callback).items() if _plain(value) is not _plain}
        values["monitor_op_is_set"] = getattr(callback, "monitor_op", None) is not None
        states.append({"name": type(callback).__name__, "values": values})
    return states


def _plain(value: Any) -> Any:
    """A plain value, NumPy's and TensorFlow's numbers too; this function itself where there is none."""
    if isinstance(value, PLAIN):
        return value
    if getattr(value, "shape", None) == () and hasattr(value, "__array__"):
        return np.asarray(value).item()
    return _plain


def _arrays(group: str, variables: Iterable[Any]) -> dict[str, NDArray[Any]]:
    return {key: np.asarray(variable.numpy()) for key, variable in _named(group, variables).items()}


def _named(group: str, variables: Iterable[Any]) -> dict[str, Any]:
    return {f"{group}/{index:04d}/{variable.path}": variable for index, variable in enumerate(variables)}
