"""A training that goes on from a checkpoint, or begins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from numpy.typing import NDArray

from nnrun.errors import ChangedError, RunError
from nnrun.spec.changes import Change
from nnrun.store.checkpoints import Checkpoint
from nnrun.store.run import Run
from nnrun.training.checkpoint import assign_training, decode, restore_callbacks, restore_random
from nnrun.training.loop import Position, Row


@dataclass
class Resumed:
    """What a training goes on from.

    Args:
        checkpoint: The newest that is whole; None where the training begins.
        rows: The epochs before it.
        result: The result of a run that was finished.
        learning_rate: Takes the place of the checkpoint's, after a training was lost.
    """

    checkpoint: Checkpoint | None = None
    rows: list[Row] = field(default_factory=list)
    result: dict[str, Any] | None = None
    learning_rate: float | None = None

    @classmethod
    def find(cls, run: Run) -> Resumed:
        """Read where a run stands. One that was stopped before its first checkpoint begins anew: to the same bits.

        Raises:
            RunError: There are checkpoints, and none is whole.
        """
        checkpoint = run.checkpoints.newest() if run.checkpoints.paths() else None
        rows = run.rows()[: checkpoint.header["epoch"]] if checkpoint else []
        found = cls(checkpoint, rows, run.result())
        try:
            found.position, found.seconds, bool(found.is_stopped)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            where = checkpoint.path if checkpoint else run.path
            raise RunError(f"{where} is not a checkpoint of this nnrun: {error!r}") from error
        return found

    @property
    def is_stopped(self) -> bool:
        """Whether a callback had stopped the training."""
        return bool(self.checkpoint is not None and self.checkpoint.header["stopped"])

    @property
    def position(self) -> Position:
        """Where the training stood."""
        if self.checkpoint is None:
            return Position()
        header = self.checkpoint.header
        best = decode(header["best_value"])
        if best is not None and not isinstance(best, float):
            raise TypeError(f"the best value is {best!r}")
        return Position(header["epoch"], header["step"], header["best_epoch"], best)

    @property
    def best(self) -> dict[str, NDArray[Any]] | None:
        """The arrays of the best epoch."""
        arrays = self.checkpoint.arrays if self.checkpoint else {}
        return {name: array for name, array in arrays.items() if name.startswith("best/")} or None

    @property
    def seconds(self) -> float:
        """How long the run was trained before."""
        return float(self.checkpoint.header["seconds"]) if self.checkpoint else 0.0

    def is_finished(self, epochs: int) -> bool:
        """Whether nothing is left to train.

        Raises:
            ChangedError: Fewer epochs are asked for than were trained.
        """
        position = self.position
        if position.epoch > epochs or (position.epoch == epochs and position.step):
            raise ChangedError(f"{position.epoch} epochs were trained already; ask for more of them")
        return self.result is not None and (self.is_stopped or position.epoch >= epochs)

    def why_finished(self) -> str:
        """Why nothing is left to train, and what to do."""
        epochs = self.position.epoch
        if self.is_stopped:
            return f"a callback stopped it after epoch {epochs}; train a new run for another outcome"
        return f"all {epochs} epochs are trained; add some with training.epochs={2 * epochs}"

    def notes(
        self, facts: Mapping[str, Any], versions: Mapping[str, str], devices: Mapping[str, Any]
    ) -> list[str]:
        """What the user must know of the checkpoint and of what differs here."""
        damaged = self.checkpoint.damaged if self.checkpoint else []
        notes = [f"{text}; the one before is used" for text in damaged]
        differs = self._differences(facts, versions, devices)
        if differs:
            notes.append(f"not bit-exact from here on: the run was trained with {', '.join(differs)}")
        return notes

    def _differences(
        self, facts: Mapping[str, Any], versions: Mapping[str, str], devices: Mapping[str, Any]
    ) -> list[str]:
        found = []
        for before, now in ((facts.get("versions", {}), versions), (facts.get("devices", {}), devices)):
            found += [
                f"{name} {before[name]}, here it is {now.get(name)}"
                for name in before
                if name != "nnrun" and before[name] != now.get(name)
            ]
        return found

    def begin(
        self,
        run: Run,
        changed: Sequence[Change],
        facts: Mapping[str, Any],
        versions: Mapping[str, str],
        devices: Mapping[str, Any],
    ) -> None:
        """Make the run what it was at the checkpoint, and record that it goes on."""
        position = self.position
        if self.result is not None:
            run.remove_result()  # first: a run with too few rows must not look finished
        run.cut_rows(position.epoch)
        run.remove_divergence()
        run.append_resume(
            {
                "time": datetime.now().astimezone().isoformat(timespec="seconds"),
                "checkpoint": self.checkpoint.path.name if self.checkpoint else None,
                "epoch": position.epoch,
                "step": position.step,
                "changed": {one.path: [str(one.before), str(one.now)] for one in changed},
                "exact": not self._differences(facts, versions, devices),
                "versions": dict(versions),
            }
        )

    def opening(self) -> str:
        """From where the training goes on, in words."""
        position = self.position
        if self.checkpoint is None:
            return "no checkpoint was written yet; the training begins anew, to the same weights"
        step = f" and {position.step:,} steps" if position.step else ""
        return f"going on after {position.epoch} epochs{step}, from {self.checkpoint.path.name}"

    def restore(self, model: Any, callbacks: list[Any]) -> None:
        """Set variables, callbacks and random generators to what they were.

        Args:
            model: Compiled and built.
            callbacks: After their ``on_train_begin``.

        Raises:
            RunError: The checkpoint is of another model or of other callbacks.
        """
        if self.checkpoint is None:
            return
        header, arrays, name = self.checkpoint.header, self.checkpoint.arrays, str(self.checkpoint.path)
        try:
            assign_training(model, arrays, name)
            restore_callbacks(callbacks, header["callbacks"], arrays, name)
            restore_random(header["random"], arrays)
            model.stop_training = bool(header["stopped"])
            if self.learning_rate is not None:
                model.optimizer.learning_rate = self.learning_rate
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise RunError(f"{name} is not a checkpoint of this nnrun: {error!r}") from error
