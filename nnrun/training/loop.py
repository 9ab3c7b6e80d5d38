"""Epochs and callbacks: Keras's ``fit``, with many steps between two looks at Python."""

from __future__ import annotations

import math
import operator
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from nnrun.errors import DivergedError
from nnrun.keras_backend import load_keras
from nnrun.training.callbacks import direction
from nnrun.training.engine import Engine, Seen
from nnrun.training.feed import Feed, Steps, index_matrix

HOOKED_STEPS = 32
"""Steps in a chunk when a callback wants to be called within an epoch: a fixed number, so that no timing decides."""

CHUNK_SECONDS = 0.15
"""How long a chunk should take otherwise: the display moves and a signal is answered several times a second."""

BATCH_HOOKS = ("on_batch_begin", "on_batch_end", "on_train_batch_begin", "on_train_batch_end")

Row = dict[str, Any]
"""An epoch's figures: ``epoch`` (from 1), ``seconds``, ``examples_per_second``, ``learning_rate``, loss and metrics."""


@dataclass(frozen=True)
class Plan:
    """How long and in which order to train.

    Args:
        epochs: Passes over the training examples.
        batch_size: Examples in a step.
        seed: For the order of the examples.
        shuffle: False keeps the data's order.
        monitor: The value that says which epoch is best.
    """

    epochs: int
    batch_size: int
    seed: int
    shuffle: bool
    monitor: str


@dataclass
class Position:
    """Where the training stands.

    Args:
        epoch: Whole epochs done.
        step: Steps done in the epoch after them.
        best_epoch: The best epoch so far, counted from 1; 0 before the first.
        best_value: The monitored value of that epoch.
    """

    epoch: int = 0
    step: int = 0
    best_epoch: int = 0
    best_value: float | None = None


class Listener(Protocol):
    """Is told how the training goes."""

    def on_steps(self, epoch: int, done: int, total: int) -> None:
        """``done`` of ``total`` steps of an epoch (from 1) are done."""

    def on_epoch(self, row: Row, position: Position) -> None:
        """An epoch is done; it is the best so far where ``position.best_epoch == row["epoch"]``."""

    def on_stop(self, position: Position) -> None:
        """No more steps will be run; Keras's last touches (averaged or restored weights) are still to come."""


@dataclass(frozen=True)
class Ending:
    """How a training ended.

    Args:
        reason: ``epochs`` (all done), ``callback`` (one asked to stop) or ``interrupted``.
        position: Where it stands.
    """

    reason: str
    position: Position


@dataclass
class Training:
    """One training of a compiled model, epoch after epoch.

    Args:
        model: The compiled model.
        engine: Its compiled steps.
        train: The training examples.
        validation: The validation examples, if any.
        plan: How long and in which order.
        callbacks: Keras callbacks.
        listener: Is told how it goes.
        interrupted: True as soon as the training should stop after the steps that are under way.
        position: Where to begin; it moves with the training.
        restore: Sets variables and callbacks to what they were at that position; called after the callbacks'
            ``on_train_begin``, which resets them.
        chunk: Steps between two looks at Python; None: by their pace.
    """

    model: Any
    engine: Engine
    train: Feed
    validation: Feed | None
    plan: Plan
    callbacks: list[Any]
    listener: Listener
    interrupted: Callable[[], bool] = lambda: False
    position: Position = field(default_factory=Position)
    restore: Callable[[], None] = lambda: None
    chunk: int | None = None

    def run(self) -> Ending:
        """Train to the end, or until a callback or a signal stops it.

        Raises:
            DivergedError: The loss, a metric or a weight is not finite after an epoch.
        """
        keras = load_keras()
        hooks = keras.callbacks.CallbackList(
            self.callbacks,
            add_history=True,
            model=self.model,
            epochs=self.plan.epochs,
            steps=math.ceil(self.train.count / self.plan.batch_size),
            verbose=0,
        )
        self._hooks = hooks
        self._has_batch_hooks = any(_has_batch_hooks(callback) for callback in self.callbacks)
        self._is_better = operator.lt if direction(self.model, self.plan.monitor) == "min" else operator.gt
        self._chunk = 0
        steps = self.engine.training(self.train)
        self.model.stop_training = False
        hooks.on_train_begin()
        self.restore()
        logs: dict[str, float] = {}
        while self.position.epoch < self.plan.epochs and not self.model.stop_training:
            finished = self._epoch(steps)
            if finished is None:
                break
            logs = finished
        self.listener.on_stop(self.position)
        if self.plan.epochs > 0:
            self.model.optimizer.finalize_variable_values(self.model.trainable_weights)
        hooks.on_train_end(logs)
        return Ending(self._reason(), self.position)

    def _epoch(self, steps: Steps) -> dict[str, float] | None:
        """One epoch; None when a signal cut it short."""
        started = time.perf_counter()
        epoch = self.position.epoch
        if self.position.step == 0:
            self.engine.reset_metrics()
            self._hooks.on_epoch_begin(epoch)
        begun = self.position.step
        if not self._steps_of_epoch(steps):
            return None
        seen = self.engine.look()
        logs, rate = dict(seen.metrics), seen.learning_rate
        trained = time.perf_counter() - started
        if self.validation is not None:
            logs |= self._validate(self.validation)
        self._refuse_divergence(logs, seen)
        self._hooks.on_epoch_end(epoch, logs)
        self.model.stop_training = self.engine.replicas.any(self.model.stop_training)
        self.position.epoch, self.position.step = epoch + 1, 0
        self._note_best(logs)
        row = {
            "epoch": epoch + 1,
            "seconds": round(time.perf_counter() - started, 6),
            "examples_per_second": round((self.train.count - begun * self.plan.batch_size) / trained, 1),
            "learning_rate": rate,
        }
        self.listener.on_epoch(
            row | {key: value for key, value in logs.items() if key not in row}, self.position
        )
        return logs

    def _steps_of_epoch(self, steps: Steps) -> bool:
        """All steps of the epoch, chunk by chunk; False when a signal cut it short."""
        plan, position, replicas = self.plan, self.position, self.engine.replicas
        order = self.train.order(seed=plan.seed, epoch=position.epoch, shuffle=plan.shuffle)
        matrices = index_matrix(order, plan.batch_size, least=self.engine.replicas.count)
        total = sum(len(matrix) for matrix in matrices)
        begin, done = position.step, 0
        for matrix in filter(len, matrices):  # without a last step of another size, where there is none
            table = self.train.table(matrix)
            first = min(max(begin - done, 0), len(matrix))
            done += first
            while first < len(matrix):
                if replicas.any(self.interrupted()):
                    return False
                count = min(replicas.chief(self._chunk_size()), len(matrix) - first)
                self._run_chunk(steps, table, first, count, done)
                first += count
                done += count
                position.step = done
                self.listener.on_steps(position.epoch + 1, done, total)
                if self.model.stop_training:
                    return True
        return True

    def _run_chunk(self, steps: Steps, table: Any, first: int, count: int, done: int) -> None:
        if self._has_batch_hooks:
            self._hooks.on_train_batch_begin(done)
            steps(table, first, count)
            self._hooks.on_train_batch_end(done + count - 1, self.engine.metrics())
            return
        started = time.perf_counter()
        steps(table, first, count)
        self.engine.wait()
        seconds = time.perf_counter() - started
        wanted = int(count * CHUNK_SECONDS / max(seconds, 1e-6))
        # Eightfold at most: one quick chunk may be luck. The first one includes the compilation and is followed by few.
        self._chunk = max(1, min(wanted, 8 * count))

    def _chunk_size(self) -> int:
        if self.chunk:
            return self.chunk
        return HOOKED_STEPS if self._has_batch_hooks else self._chunk or HOOKED_STEPS

    def _validate(self, validation: Feed) -> dict[str, float]:
        self._hooks.on_test_begin()
        logs = self.engine.evaluate(validation, self.plan.batch_size)
        self._hooks.on_test_end(logs)
        return {f"val_{name}": value for name, value in logs.items()}

    def _note_best(self, logs: dict[str, float]) -> None:
        value = logs[self.plan.monitor]
        if self.position.best_value is None or self._is_better(value, self.position.best_value):
            self.position.best_epoch, self.position.best_value = self.position.epoch, value

    def _refuse_divergence(self, logs: dict[str, float], seen: Seen) -> None:
        broken = [f"{name} is {value}" for name, value in logs.items() if not math.isfinite(value)]
        # The loss of an epoch is from before its last step: the weights can already be lost.
        if not broken and not seen.is_finite:
            broken = [f"the weight {self.engine.broken_weight()} is not finite"]
        if broken:
            raise DivergedError(
                f"{broken[0]} in epoch {self.position.epoch + 1} at a learning rate of {seen.learning_rate:g}"
            )

    def _reason(self) -> str:
        if self.position.epoch >= self.plan.epochs:
            return "epochs"
        return "callback" if self.model.stop_training else "interrupted"


def _has_batch_hooks(callback: Any) -> bool:
    base = load_keras().callbacks.Callback
    return any(getattr(type(callback), hook) is not getattr(base, hook) for hook in BATCH_HOOKS)
