"""Keras's callbacks of a specification, kept inside the run's directory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

from nnrun.errors import Place, Problem, SpecError
from nnrun.model.parts import make_part
from nnrun.spec import catalog
from nnrun.spec.schema import Choice

WRITTEN = ("filepath", "filename", "log_dir")
"""Arguments that name what a callback writes."""


def make_callbacks(choices: Sequence[Choice], folder: Path, place: Callable[..., Place | None]) -> list[Any]:
    """Make the callbacks; what they write lies inside the run.

    Args:
        choices: The specification's callbacks.
        folder: The run's directory, to which the callbacks' paths are relative.
        place: Finds where a value stands, for messages.

    Raises:
        SpecError: A path leads out of the run, or Keras refuses a value.
    """
    problems: list[Problem] = []
    made = []
    for index, choice in enumerate(choices):
        arguments = dict(choice.arguments)
        for name, path in _paths(choice).items():
            if _leads_out(path):
                where = f"training.callbacks[{index}].{choice.name}.{name}"
                message = f"expected a path inside the run, such as logs/{name}; found {path!r}"
                problems.append(
                    Problem(message, where, place("training", "callbacks", index, choice.name, name))
                )
            arguments[name] = str(folder / path)
        if problems:
            continue
        try:
            made.append(make_part("callback", Choice(choice.name, arguments)))
        except Exception as error:
            where = f"training.callbacks[{index}].{choice.name}"
            reason = " ".join(str(error).split())
            problems.append(Problem(reason, where, place("training", "callbacks", index)))
    if problems:
        raise SpecError(problems)
    return made


def _paths(choice: Choice) -> dict[str, str]:
    """The paths that a callback writes to, those it has by default too."""
    part = catalog.find("callback", choice.name)
    defaults = {} if part is None else {argument.name: argument.default for argument in part.arguments}
    values = {name: choice.arguments.get(name, defaults.get(name)) for name in WRITTEN if name in defaults}
    return {name: value for name, value in values.items() if isinstance(value, str)}


def _leads_out(path: str) -> bool:
    """Whether a path is absolute, climbs up, or names a drive, on any system."""
    return any(kind(path).anchor or ".." in kind(path).parts for kind in (PurePosixPath, PureWindowsPath))
