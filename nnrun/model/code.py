"""Running the Python file that the user names with ``--code``: the only door for code."""

from __future__ import annotations

import inspect
import traceback
from types import ModuleType
from typing import Any

from nnrun.errors import Place, Problem, Source, SpecError
from nnrun.keras_backend import load_keras
from nnrun.spec.catalog_source import ADDED

PACKAGE = "nnrun_code"
"""Under which Keras knows the parts when it saves a model."""

_modules: dict[str, ModuleType] = {}


def run_code(module: str) -> ModuleType:
    """Run a file that was read by ``spec/code.py``, once, and register its parts with Keras.

    What runs is the text that was read and hashed, whatever became of the file since.

    Args:
        module: Its name in the catalogue.

    Raises:
        SpecError: The file raised an exception, at its line.
    """
    if module in _modules:
        return _modules[module]
    load_keras()
    name = module.split(":")[1]
    made = ModuleType(name.removesuffix(".py"))
    made.__file__ = name
    source = Source(name, ADDED[module])
    try:
        exec(compile(source.text, name, "exec"), made.__dict__)  # noqa: S102  (the user's own file, by their wish)
    except Exception as error:
        lines = [
            frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == name
        ]
        place = Place(source, (lines or [1])[-1] or 1, 1, 2)
        reason = f"{type(error).__name__}: {error}"
        raise SpecError([Problem(f"cannot be run: {reason}", place=place)], name) from error
    for value in list(vars(made).values()):
        _register(made, value)
    _modules[module] = made
    return made


def _register(module: ModuleType, value: Any) -> None:
    """Let Keras write the part into a saved model by its name; one that the file registers itself stays so."""
    saving = load_keras().saving
    named = inspect.isfunction(value) or (inspect.isclass(value) and hasattr(value, "get_config"))
    if (
        not named
        or value.__module__ != module.__name__
        or saving.get_registered_name(value) != value.__name__
    ):
        return
    saving.register_keras_serializable(PACKAGE)(value)
