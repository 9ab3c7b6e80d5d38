"""Running the Python file that the user names with ``--code``: the only door for code."""

from __future__ import annotations

import inspect
import sys
from types import ModuleType

from nnrun.errors import Place, Problem, Source, SpecError
from nnrun.keras_backend import load_keras
from nnrun.model.reasons import line_in, message_of
from nnrun.spec.code import SOURCES

MODULE = "nnrun_code"
"""What the file's module is called, whatever the file is: ``keras.py`` must not pass for Keras."""

_modules: dict[str, ModuleType] = {}


def run_code(module: str) -> ModuleType:
    """Run a file that was read by ``spec/code.py``, once, and let Keras find its parts by their names.

    What runs is the text that was read and hashed, whatever became of the file since.

    Args:
        module: Its name in the catalogue.

    Raises:
        SpecError: The file raised an exception, at its line.
    """
    load_keras()
    if module not in _modules:
        _modules[module] = _run(SOURCES[module])
    _register(_modules[module])
    return _modules[module]


def _run(source: Source) -> ModuleType:
    made = ModuleType(MODULE)
    made.__file__ = source.name
    sys.modules[MODULE] = made  # dataclasses look there
    try:
        exec(compile(source.text, source.name, "exec"), made.__dict__)  # noqa: S102  (the user's own file, by their wish)
    except (Exception, SystemExit) as error:
        place = line_in(error, source) or Place(source, 1, 1, 2)
        message = f"cannot be run: {type(error).__name__}: {message_of(error)}"
        raise SpecError([Problem(message, place=place)], source.name) from error
    return made


def _register(module: ModuleType) -> None:
    """Let Keras find the parts: in copies of layers, and, by ``custom_objects``, in the saved model.

    A part that the file registers itself keeps the name that it got there.
    """
    saving = load_keras().saving
    for value in vars(module).values():
        named = inspect.isfunction(value) or (inspect.isclass(value) and hasattr(value, "get_config"))
        if named and value.__module__ == MODULE and saving.get_registered_name(value) == value.__name__:
            saving.get_custom_objects()[value.__name__] = value
