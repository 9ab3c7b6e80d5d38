"""What a training leaves on disk: facts before it, rows and checkpoints while it goes on, the result after it."""

from __future__ import annotations

import importlib.metadata
import math
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from nnrun import __version__
from nnrun.data.load import Data
from nnrun.errors import RunError
from nnrun.model.summary import layers_of
from nnrun.spec.schema import Spec
from nnrun.store.run import Run
from nnrun.training.checkpoint import (
    assign_model,
    callback_states,
    encode,
    model_arrays,
    random_states,
    training_arrays,
)
from nnrun.training.devices import Devices
from nnrun.training.loop import Ending, Listener, Position, Row

SHARE = 40
"""A checkpoint is followed by at least so many times its own duration of training: it costs a fortieth at most."""


@dataclass
class Recorder:
    """Writes the run while it is trained, and passes on what it is told.

    Args:
        run: Where to write.
        model: The model that is trained.
        callbacks: Its Keras callbacks, whose memory is part of a checkpoint.
        listener: Is told what the recorder is told.
        interval: Seconds from one checkpoint to the next, at least.
        position: Where the training stands; it moves with the training.
        rows: The epochs so far.
        keeps_best: Whether the best epoch's model counts, not the last one's: where there is validation.
        best: The arrays of the best epoch so far.
        earlier: Seconds of training before this process.
        is_finite: Whether all weights are finite; a state that is lost is never written.
        agree: Makes one decision of those of several processes: to read variables they must meet.
    """

    run: Run
    model: Any
    callbacks: list[Any]
    listener: Listener
    interval: float
    keeps_best: bool = False
    position: Position = field(default_factory=Position)
    rows: list[Row] = field(default_factory=list)
    best: dict[str, NDArray[Any]] | None = None
    earlier: float = 0.0
    is_finite: Callable[[], bool] = lambda: True
    agree: Callable[[bool], bool] = bool
    started: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        self.best = self.best if self.keeps_best else None
        self._written = time.monotonic()
        self._took = 0.0
        self._sequence = self.run.checkpoints.next_sequence()

    @property
    def seconds(self) -> float:
        """How long the run has been trained, in this process and before."""
        return self.earlier + time.monotonic() - self.started

    def on_steps(self, epoch: int, done: int, total: int) -> None:
        if done < total and self._is_due():
            self._checkpoint()
        self.listener.on_steps(epoch, done, total)

    def on_epoch(self, row: Row, position: Position) -> None:
        self.rows.append(row)
        self.run.append_row(row)
        if self.keeps_best and position.best_epoch == row["epoch"]:
            self.best = model_arrays(self.model, "best")
        if self._is_due():
            self._checkpoint()
        self.listener.on_epoch(row, position)

    def on_stop(self, position: Position) -> None:
        self._checkpoint()

    def keep(self) -> dict[str, Any]:
        """Leave the model that counts: the best epoch's, or the last one's where nothing was validated.

        Returns:
            What was kept: ``{"weights": "best", "epoch": 7}``.
        """
        if self.best is not None:
            arrays = {name.replace("best/", "model/", 1): array for name, array in self.best.items()}
            assign_model(self.model, arrays, "the best epoch's weights")
        restored = next((epoch for one in self.callbacks if (epoch := restored_epoch(one))), None)
        kept = {
            "weights": "best" if self.best or restored else "last",
            "epoch": self.position.best_epoch if self.best else restored or self.position.epoch,
        }
        self.run.checkpoints.write_best(kept, model_arrays(self.model))
        self.run.write_model(self.model.save)
        return kept

    def _is_due(self) -> bool:
        """Whether a checkpoint may be written; with an interval of 0 as often as possible, whatever it costs."""
        due = self.interval == 0 or time.monotonic() - self._written >= max(self.interval, SHARE * self._took)
        return self.agree(due)

    def _checkpoint(self) -> None:
        """Write everything from which the training can go on; nothing where the weights are lost."""
        began = time.monotonic()
        if not self.is_finite():
            return
        self.write(self.position, training_arrays(self.model), self.callbacks)
        self._written = time.monotonic()
        self._took = self._written - began

    def write(self, position: Position, variables: dict[str, NDArray[Any]], callbacks: list[Any]) -> None:
        """Write a checkpoint.

        Args:
            position: Where the training stood.
            variables: All variables there.
            callbacks: As they were there.
        """
        states, remembered = callback_states(callbacks)
        random, generators = random_states()
        header = {
            "epoch": position.epoch,
            "step": position.step,
            "best_epoch": position.best_epoch,
            "best_value": encode(position.best_value),
            "rows": position.epoch,
            "callbacks": states,
            "random": random,
            "stopped": bool(self.model.stop_training),
            "seconds": round(self.seconds, 3),
        }
        self.run.sync_rows()  # first: the checkpoint counts on them
        self.run.checkpoints.write(
            self._sequence, header, variables | remembered | generators | (self.best or {})
        )
        self._sequence += 1


def restored_epoch(callback: Any) -> int | None:
    """The epoch (from 1) whose weights a callback put back when the training ended; None where it put none back."""
    given_back = getattr(callback, "restore_best_weights", False) and getattr(callback, "best_weights", None)
    return int(callback.best_epoch) + 1 if given_back else None


def result_of(
    ending: Ending, rows: Sequence[Row], *, monitor: str, kept: dict[str, Any], seconds: float
) -> dict[str, Any]:
    """What ``result.json`` holds, but for the test scores.

    Args:
        ending: How the training ended.
        rows: Its epochs.
        monitor: The value that says which epoch is best.
        kept: What :meth:`Recorder.keep` kept.
        seconds: How long it took.
    """
    best = ending.position.best_epoch
    return {
        "status": "finished",
        "reason": ending.reason,
        "epochs": ending.position.epoch,
        "monitor": monitor,
        "best": rows[best - 1] if best else None,
        "final": rows[-1] if rows else None,
        "model": kept,
        "seconds": round(seconds, 3),
    }


def facts_of(
    spec: Spec,
    data: Data,
    model: Any,
    devices: Devices,
    *,
    folder: Path,
    overrides: Sequence[str],
    command: Sequence[str],
) -> dict[str, Any]:
    """What ``run.json`` holds: everything that is known before the first step."""
    return {
        "name": spec.name,
        "started": datetime.now().astimezone().isoformat(timespec="seconds"),
        "command": list(command),
        "overrides": list(overrides),
        "seed": spec.seed,
        "data": {
            "name": data.name,
            "fingerprint": data.fingerprint,
            "train": len(data.train),
            "validation": len(data.validation) if data.validation is not None else 0,
            "test": len(data.test) if data.test is not None else 0,
            "classes": data.facts.classes,
            "divisor": data.facts.divisor,
        },
        "model": {
            "parameters": model.count_params(),
            "layers": len(spec.model.layers),
            "table": layers_of(model),
        },
        "training": {
            "epochs": spec.training.epochs,
            "batch_size": spec.training.batch_size,
            "steps_per_epoch": math.ceil(len(data.train) / spec.training.batch_size),
            "monitor": spec.training.monitor,
            "jit_compile": bool(model.jit_compile),
        },
        "devices": devices.facts(),
        "versions": versions(),
        "git": git_commit(folder),
    }


def read_facts(run: Run) -> dict[str, Any]:
    """What :func:`facts_of` wrote into ``run.json``.

    Raises:
        RunError: Something that nnrun writes is missing, or is not of its kind.
    """
    facts = run.facts()
    for section in ("data", "model", "training", "devices", "versions"):
        if not isinstance(facts.get(section), dict):
            raise RunError(f"{run.path / 'run.json'} is damaged: '{section}' is not as nnrun writes it")
    needed = [("data", "name", str), ("data", "fingerprint", str), ("model", "parameters", int)]
    needed += [("training", name, int) for name in ("epochs", "batch_size", "steps_per_epoch")]
    needed += [("training", "jit_compile", bool), ("devices", "device", str)]
    needed += [("data", part, int) for part in ("train", "validation", "test")]
    for section, name, kind in needed:
        if not isinstance(facts[section].get(name), kind):
            raise RunError(
                f"{run.path / 'run.json'} is damaged: '{section}.{name}' is not as nnrun writes it"
            )
    return facts


def git_commit(folder: Path) -> str | None:
    """The commit that is checked out where the specification lies; None outside of git."""
    git = shutil.which("git")
    if git is None:
        return None
    asked = [git, "-C", str(folder), "rev-parse", "--verify", "--quiet", "HEAD"]
    try:
        done = subprocess.run(asked, capture_output=True, text=True, timeout=5, check=False)  # noqa: S603
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() or None


def versions() -> dict[str, str]:
    """The versions that decide the bits."""
    packages = {name: importlib.metadata.version(name) for name in ("tensorflow", "keras", "numpy")}
    return {
        "nnrun": __version__,
        "python": platform.python_version(),
        **packages,
        "platform": f"{sys.platform} {platform.machine()}",
    }
