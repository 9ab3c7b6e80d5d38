"""Proof that a training can be killed anywhere and goes on to the same bits: on the user's own model."""

from __future__ import annotations

import functools
import hashlib
import os
import signal
import tempfile
import traceback
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from nnrun import experiment
from nnrun.errors import NnrunError, ResourceError
from nnrun.keras_backend import load_keras
from nnrun.store.archive import read_archive
from nnrun.store.durable import FileSystem
from nnrun.store.run import Run
from nnrun.store.runs import list_runs
from nnrun.training.display import Silent

CLOCKED = ("seconds", "examples_per_second")
"""Columns of a row that tell how long it took."""

CHUNKS = 4
"""Chunks of an epoch: it can be killed between two of them."""


@dataclass(frozen=True)
class Kill:
    """Where a training is killed.

    Args:
        step: After so many steps of the whole training.
        before: The kind of file operation, as ``store/durable.py`` names them, before the next of which it dies;
            empty: at once.
    """

    step: int
    before: str = ""

    def __str__(self) -> str:
        at = f", before the next file operation '{self.before}'" if self.before else ""
        return f"after step {self.step:,}{at}"


OPERATIONS = ("", "replace", "write", "sync_folder", "sync", "open_new", "remove", "open_append")
"""Where to die in turn: at once, and at each kind of file operation."""


def spread(kills: int, steps: int) -> list[Kill]:
    """So many kills, evenly over so many steps."""
    places = [max(1, (number + 1) * steps // (kills + 1)) for number in range(kills)]
    return [Kill(step, OPERATIONS[number % len(OPERATIONS)]) for number, step in enumerate(places)]


@dataclass(frozen=True)
class Case:
    """One training that was killed and resumed.

    Args:
        kill: Where.
        differences: What is not as in the uninterrupted training; empty where all bits are the same.
    """

    kill: Kill
    differences: tuple[str, ...]


class _Killed(Silent):
    """A display that shows nothing, and kills the process where it should die."""

    def __init__(self, kill: Kill | None = None, steps_per_epoch: int = 1) -> None:
        self._kill = kill
        self._steps_per_epoch = steps_per_epoch

    def on_steps(self, epoch: int, done: int, total: int) -> None:
        kill = self._kill
        if kill is None or (epoch - 1) * self._steps_per_epoch + done < kill.step:
            return
        if not kill.before:
            os.kill(os.getpid(), signal.SIGKILL)
        setattr(FileSystem, kill.before, _die)  # in this process, which will die of it


def _die(*_: Any) -> NoReturn:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("unreachable")


def verify_resume(
    config: Path,
    overrides: Sequence[str] = (),
    *,
    kills: Callable[[int], Sequence[Kill]],
    code: Path | None = None,
) -> Iterator[Case]:
    """Train once without interruption, and several times killed and resumed; compare all of it.

    Every training runs in a process of its own. Checkpoints are written as often as possible, so that every kill is
    followed by another state to go on from.

    Args:
        config: A specification.
        overrides: ``a.b=VALUE`` and ``~a.b``.
        kills: Where to kill a training of so many steps.
        code: A Python file whose parts the specification names.

    Yields:
        A case for each kill, as soon as it was compared.

    Raises:
        NnrunError: The specification cannot be trained at all.
        ResourceError: The system has no ``fork``.
    """
    if not hasattr(os, "fork"):
        raise ResourceError("verify-resume starts its trainings by fork, which this system does not have")
    load_keras()
    with tempfile.TemporaryDirectory(prefix="nnrun-verify-") as folder:
        whole = _train(Path(folder) / "whole", config, overrides, code, Silent(), None)
        expected = _state(whole)
        steps = whole.facts()["training"]["steps_per_epoch"]
        total = steps * len(whole.rows())
        often = [*overrides, "runtime.checkpoint_seconds=0"]
        for number, kill in enumerate(kills(total)):
            runs = Path(folder) / f"killed-{number}"
            silent = _Killed(kill, steps)
            killed = _train(runs, config, often, code, silent, max(1, steps // CHUNKS), dies=True)
            _in_child(functools.partial(experiment.resume, str(killed.path), display=Silent(), code=code))
            yield Case(kill, tuple(_differences(expected, _state(killed))))


def _train(
    runs: Path,
    config: Path,
    overrides: Sequence[str],
    code: Path | None,
    display: Silent,
    chunk: int | None,
    *,
    dies: bool = False,
) -> Run:
    def train() -> None:
        experiment.train(config, overrides, display=display, runs_dir=runs, code=code, chunk=chunk)

    status = _in_child(train)
    if dies and status != signal.SIGKILL:
        raise ResourceError(f"the training should have been killed, and ended with status {status}")
    return list_runs(runs)[-1]


def _in_child(work: Callable[[], Any]) -> int:
    """Do work in a process of its own; what an expected error says there is raised here.

    Returns:
        0, or the signal that killed it.
    """
    reading, writing = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # threads of TensorFlow: nothing ran on them yet
        child = os.fork()
    if child == 0:
        os.close(reading)
        _report(work, writing)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        said = pipe.read().decode()
    status = os.waitpid(child, 0)[1]
    if os.WIFSIGNALED(status):
        return os.WTERMSIG(status)
    if status:
        failure = NnrunError(said.partition("\n")[2])
        failure.exit_code = int(said.partition("\n")[0] or 70)
        raise failure
    return 0


def _report(work: Callable[[], Any], pipe: int) -> NoReturn:
    try:
        work()
    except NnrunError as error:
        os.write(pipe, f"{error.exit_code}\n{error}".encode())
        os._exit(1)
    except BaseException:
        os.write(pipe, f"70\n{traceback.format_exc()}".encode())
        os._exit(1)
    os._exit(0)


def _state(run: Run) -> dict[str, Any]:
    """All that a training leaves: each variable, row and score by its name."""
    header, arrays = read_archive(run.checkpoints.paths()[0])
    _, kept = read_archive(run.checkpoints.best)
    found: dict[str, Any] = {f"checkpoint {name}": _digest(array) for name, array in arrays.items()}
    found |= {f"kept {name}": _digest(array) for name, array in kept.items()}
    found |= {f"state {key}": value for key, value in header.items() if key not in ("sequence", "seconds")}
    for number, row in enumerate(run.rows(), 1):
        found[f"row {number}"] = {key: value for key, value in row.items() if key not in CLOCKED}
    result = run.result() or {}
    return found | {f"result {key}": result.get(key) for key in ("reason", "epochs", "model", "test")}


def _digest(array: Any) -> str:
    return hashlib.sha256(array.tobytes()).hexdigest()


def _differences(expected: dict[str, Any], found: dict[str, Any]) -> list[str]:
    return [name for name in dict.fromkeys([*expected, *found]) if expected.get(name) != found.get(name)]
