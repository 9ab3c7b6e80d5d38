"""Finding the step at which a training was lost, and what was lost first.

A training looks at its numbers once an epoch. When they are no longer finite, it is run again from the last state that
was written, first by chunks and then by steps, until the numbers break: the same bits break at the same step.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnrun.keras_backend import load_keras
from nnrun.training.checkpoint import assign_training, training_arrays
from nnrun.training.engine import Engine
from nnrun.training.feed import Feed, index_matrix
from nnrun.training.loop import Plan, Position, Row, Training

COARSE_STEPS = 64


@dataclass(frozen=True)
class Divergence:
    """Where a training was lost.

    Args:
        epoch: Counted from 1.
        step: In this epoch, counted from 1.
        learning_rate: At this step.
        culprit: What was not finite first, in words.
    """

    epoch: int
    step: int
    learning_rate: float
    culprit: str

    def facts(self) -> dict[str, Any]:
        """The same as plain values."""
        return asdict(self)

    def __str__(self) -> str:
        return (
            f"it happened at step {self.step:,} of epoch {self.epoch}, at a learning rate of "
            f"{self.learning_rate:g}: {self.culprit}"
        )


class _Lost(Exception):
    """The numbers are not finite any more."""


@dataclass
class _Watch:
    """A listener that keeps the last good state and stops at the first bad one."""

    model: Any
    engine: Engine
    position: Position
    good: Position
    arrays: dict[str, NDArray[Any]]

    def on_steps(self, epoch: int, done: int, total: int) -> None:
        finite = all(math.isfinite(value) for value in self.engine.metrics().values())
        if not finite or self.engine.broken_weight():
            raise _Lost
        if done < total:  # at the end of an epoch the callbacks are still to come
            self.good, self.arrays = replace(self.position), training_arrays(self.model)

    def on_epoch(self, row: Row, position: Position) -> None:
        self.good, self.arrays = replace(position), training_arrays(self.model)

    def on_stop(self, position: Position) -> None:
        pass


def locate(
    model: Any,
    engine: Engine,
    feeds: tuple[Feed, Feed | None],
    plan: Plan,
    begin: Position,
    restore: Callable[[], None],
    callbacks: list[Any],
) -> Divergence | None:
    """Find the step at which a training is lost.

    Args:
        model: Compiled and built, its variables as before the first step.
        engine: Its compiled steps.
        feeds: Training and validation examples.
        plan: How it is trained.
        begin: Where to begin.
        restore: Sets variables and callbacks to what they were there.
        callbacks: Its Keras callbacks.

    Returns:
        None where it does not happen again.
    """
    chunk = COARSE_STEPS
    while True:
        position = replace(begin)
        watch = _Watch(model, engine, position, replace(begin), {})
        task = Training(
            model, engine, *feeds, plan, callbacks, watch, position=position, restore=restore, chunk=chunk
        )
        try:
            task.run()
        except _Lost:
            pass
        except Exception:  # of the loop itself, at the end of the epoch: its numbers are lost there
            if not watch.arrays and chunk > 1:
                return None
        else:
            return None
        arrays = watch.arrays
        if chunk > 1:
            begin, chunk = watch.good, 1
            restore = _restorer(model, arrays, restore) if arrays else restore
            continue
        if not arrays:
            restore()
            arrays = training_arrays(model)
        assign_training(model, arrays, "the state before the step")
        return _describe(model, feeds[0], plan, watch.good)


def _restorer(model: Any, arrays: dict[str, NDArray[Any]], restore: Callable[[], None]) -> Callable[[], None]:
    """Sets callbacks as ``restore`` does, and variables to arrays of a later step."""

    def restore_later() -> None:
        restore()
        assign_training(model, arrays, "the state before the step")

    return restore_later


def _describe(model: Any, feed: Feed, plan: Plan, good: Position) -> Divergence:
    """What breaks in the step after a good state, which the model holds."""
    rate = float(load_keras().ops.convert_to_numpy(model.optimizer.learning_rate))
    order = feed.order(seed=plan.seed, epoch=good.epoch, shuffle=plan.shuffle)
    rows = [row for matrix in index_matrix(order, plan.batch_size) for row in matrix]
    batch = feed.pick(rows[min(good.step, len(rows) - 1)])
    return Divergence(good.epoch + 1, good.step + 1, rate, _culprit(model, batch))


def _culprit(model: Any, batch: tuple[Any, ...]) -> str:
    """The first layer whose output for a batch is not finite, or what follows the layers."""
    keras = load_keras()
    layers = [layer for layer in model.layers if not isinstance(layer, keras.layers.InputLayer)]
    probe = keras.Model(model.inputs, [layer.output for layer in layers])
    outputs = probe(batch[0], training=True)
    for layer, output in zip(layers, outputs if isinstance(outputs, list) else [outputs], strict=True):
        if not np.isfinite(np.asarray(keras.ops.convert_to_numpy(output), np.float64)).all():
            return f"the first output that is not finite is that of the layer {layer.name}"
    y_pred = model(batch[0], training=True)
    loss = model.compute_loss(batch[0], batch[1], y_pred, *batch[2:])
    if not math.isfinite(float(keras.ops.convert_to_numpy(loss))):
        return "all layers give finite outputs, the loss of them is not finite"
    return "outputs and loss are finite, the step along the gradient leads out of the numbers"
