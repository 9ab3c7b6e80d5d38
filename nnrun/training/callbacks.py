"""Keras's callbacks of a specification, kept inside the run's directory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any, Literal

from nnrun.errors import Place, Problem, RunError, SpecError
from nnrun.keras_backend import load_keras
from nnrun.model.parts import make_part
from nnrun.spec import catalog
from nnrun.spec.schema import Choice
from nnrun.store.durable import write_bytes
from nnrun.training.feed import output_names
from nnrun.training.trackers import Tracker

WRITTEN = ("filepath", "filename", "log_dir")
"""Arguments that name what a callback writes."""


def make_callbacks(
    choices: Sequence[Choice], folder: Path, place: Callable[..., Place | None], model: Any = None
) -> list[Any]:
    """Make the callbacks; what they write lies inside the run.

    Args:
        choices: The specification's callbacks.
        folder: The run's directory, to which the callbacks' paths are relative.
        place: Finds where a value stands, for messages.
        model: The compiled and built model, by which a callback learns whether more or less of what it watches is
            better: Keras cannot tell where there are several outputs. None for callbacks that are not used.

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
            elif is_link := next((one for one in _steps(folder, path) if one.is_symlink()), None):
                raise RunError(f"{is_link} is a symbolic link; callbacks write only inside the run itself")
            arguments[name] = str(folder / path)
        if model is not None and "mode" not in arguments and (monitor := _monitor(choice)):
            mode = direction(model, monitor)
            if mode is None:
                where = f"training.callbacks[{index}].{choice.name}"
                problems.append(Problem(_unclear(monitor), where, place("training", "callbacks", index)))
            else:
                arguments["mode"] = mode
        if problems:
            continue
        try:
            callback = make_part("callback", Choice(choice.name, arguments))
            if isinstance(callback, Tracker):
                callback.folder = folder
            made.append(callback)
        except Exception as error:
            where = f"training.callbacks[{index}].{choice.name}"
            reason = " ".join(str(error).split())
            problems.append(Problem(reason, where, place("training", "callbacks", index)))
    if problems:
        raise SpecError(problems)
    return made


def continue_files(callbacks: Sequence[Any], rows: int) -> None:
    """Let callbacks that write a line an epoch go on after the epochs from which a training goes on.

    Args:
        callbacks: Before their ``on_train_begin``.
        rows: The number of these epochs.
    """
    for callback in callbacks:
        if not isinstance(callback, load_keras().callbacks.CSVLogger):
            continue
        path = Path(callback.filename)
        callback.append = True
        if path.is_file() and not path.is_symlink():
            lines = path.read_bytes().splitlines(keepends=True)
            write_bytes(path, b"".join(lines[: rows + 1] if rows else []))  # with the names of the columns


def check_monitor(model: Any, monitor: str, place: Callable[..., Place | None]) -> None:
    """Refuse a value for the best epoch of which nobody knows whether more or less is better.

    Raises:
        SpecError: It is a metric without a direction.
    """
    if direction(model, monitor) is None:
        message = (
            f"Keras does not say whether more or less of '{monitor}' is better; choose loss or another metric"
        )
        raise SpecError([Problem(message, "training.monitor", place("training", "monitor"))])


def direction(model: Any, monitor: str) -> Literal["min", "max"] | None:
    """Whether less or more of a monitored value is better; None where Keras does not say.

    Args:
        model: Compiled, its metrics built.
        monitor: As it is logged: ``val_loss``, ``accuracy``, ``digit_accuracy`` for the output ``digit``.
    """
    name = monitor.removeprefix("val_")
    outputs = output_names(model)
    if name in ("loss", *(f"{output}_loss" for output in outputs)):
        return "min"
    for metric in (inner for group in model.metrics for inner in getattr(group, "metrics", [group])):
        names = (metric.name, *(f"{output}_{metric.name}" for output in outputs))
        if name in names and hasattr(metric, "_direction"):
            return "max" if metric._direction == "up" else "min"
    return None


def _monitor(choice: Choice) -> str | None:
    """What a callback watches; None where it watches nothing."""
    part = catalog.find("callback", choice.name)
    if part is None or not part.argument("mode"):
        return None
    if part.name == "ModelCheckpoint" and not choice.arguments.get("save_best_only"):
        return None
    argument = part.argument("monitor")
    monitor = choice.arguments.get("monitor", argument.default if argument else None)
    return monitor if isinstance(monitor, str) else None


def _unclear(monitor: str) -> str:
    return f"Keras does not say whether more or less of '{monitor}' is better; add mode: max, or mode: min"


def _paths(choice: Choice) -> dict[str, str]:
    """The paths that a callback writes to, those it has by default too."""
    part = catalog.find("callback", choice.name)
    defaults = {} if part is None else {argument.name: argument.default for argument in part.arguments}
    values = {name: choice.arguments.get(name, defaults.get(name)) for name in WRITTEN if name in defaults}
    return {name: value for name, value in values.items() if isinstance(value, str)}


def _steps(folder: Path, path: str) -> list[Path]:
    """All that a path inside a folder goes through."""
    inside = PurePosixPath(path)
    return [folder / part for part in (inside, *inside.parents) if str(part) != "."]


def _leads_out(path: str) -> bool:
    """Whether a path is absolute, climbs up, or names a drive, on any system."""
    return any(kind(path).anchor or ".." in kind(path).parts for kind in (PurePosixPath, PureWindowsPath))
