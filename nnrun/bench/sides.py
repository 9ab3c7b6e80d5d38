"""The sides of Keras: one specification trained by plain ``fit`` and by nnrun."""

from __future__ import annotations

import hashlib
import tempfile
import time
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from nnrun.bench.work import Side, Turn, Work
from nnrun.data.load import Data
from nnrun.keras_backend import load_keras, precision, start_session
from nnrun.model.build import build_model
from nnrun.model.code import run_code
from nnrun.model.compile import compile_model
from nnrun.model.summary import input_shapes
from nnrun.spec.load import Loaded
from nnrun.store.runs import FIGURES, create_run
from nnrun.training.devices import choose_precision, prepare_devices
from nnrun.training.display import Silent
from nnrun.training.feed import class_weights, label_arrays, target_forms
from nnrun.training.loop import Position, Row, Training
from nnrun.training.prepared import assemble, plan_of
from nnrun.training.record import Recorder


def train(side: Side, loaded: Loaded, data: Data, work: Work) -> Turn:
    """Train once, from the loaded data on: build, compile, put the data on the device, run the steps.

    There is no validation and there are no callbacks of the specification: it is the training that is timed.
    """
    part = data.train
    if work.examples < len(part):
        part = part.take(np.arange(work.examples))  # type: ignore[union-attr]  # streamed data was refused
    data = replace(data, train=part, validation=None, test=None)
    training = loaded.spec.training.model_copy(
        update={"epochs": work.epochs, "shuffle": work.shuffle, "callbacks": [], "monitor": "loss"}
    )
    loaded = replace(loaded, spec=loaded.spec.model_copy(update={"training": training}))
    clock = _make_clock(only_first_step=work.only_first_step)
    trained = _train_with_nnrun if side.program == "nnrun" else _train_with_fit
    model, logs = trained(side, loaded, data, clock)
    return Turn(
        clock.first_step,
        np.diff(clock.marks).tolist(),
        logs,
        _digest(model),
        bool(model.jit_compile),
        side.steps_per_execution,
    )


def _make_clock(*, only_first_step: bool) -> Any:
    """A Keras callback that notes when epochs end; the same for all sides."""
    keras = load_keras()

    class Clock(keras.callbacks.Callback):  # type: ignore[misc,name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.marks = [time.perf_counter()]
            self.only_first_step = only_first_step
            self.first_step: float | None = None

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            self.marks.append(time.perf_counter())

    class FirstStep(Clock):
        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            self.first_step = time.perf_counter() - self.marks[0]
            self.model.stop_training = True

    return FirstStep() if only_first_step else Clock()


def _train_with_fit(side: Side, loaded: Loaded, data: Data, clock: Any) -> tuple[Any, list[dict[str, float]]]:
    """The plain Keras program: arrays, compile, ``fit``."""
    spec = loaded.spec
    devices, replicas = prepare_devices(spec.runtime)
    if loaded.code:
        run_code(loaded.code.module)
    start_session(spec.seed)
    with replicas.strategy.scope(), precision(choose_precision(spec.training.precision, devices)):
        model = build_model(loaded.model, input_shapes(data.facts), loaded.place)
        compile_model(model, spec.training, jit_compile=bool(side.jit_compile), place=loaded.place)
        model.jit_compile = side.jit_compile  # None: resolved by Keras, as after compile(jit_compile="auto")
    model.steps_per_execution = side.steps_per_execution
    x, y, weights = _arrays(model, loaded, data)
    history = model.fit(
        x,
        y,
        sample_weight=weights,
        batch_size=spec.training.batch_size,
        epochs=spec.training.epochs,
        shuffle=spec.training.shuffle,
        callbacks=[clock],
        verbose=0,
    ).history
    return model, [dict(zip(history, row, strict=True)) for row in zip(*history.values(), strict=True)]


def _arrays(model: Any, loaded: Loaded, data: Data) -> tuple[Any, Any, Any]:
    """What a Keras program gives to ``fit``: scaled inputs, targets, and what each example counts."""
    spec, facts, part = loaded.spec, data.facts, data.train
    columns = data.targets.counts()
    forms = target_forms(model, spec.data.target, spec.training.loss, facts.classes, columns)
    labels = label_arrays(part.y, forms, facts.classes, columns)
    x = _scaled(part, facts.divisor)
    y = [x if form == "inputs" else labels[form] for form in forms]
    weights = part.weights
    if spec.training.class_weight is not None:
        weights = class_weights(part.y, spec.training.class_weight, data.class_names)
    several = len(y) > 1
    return x, y if several else y[0], [weights] * len(y) if several and weights is not None else weights


def _scaled(part: Any, divisor: float | None) -> Any:
    def scale(array: Any) -> Any:
        return array if divisor is None else array.astype("float32") / np.float32(divisor)

    x = part.x
    return {name: scale(array) for name, array in x.items()} if isinstance(x, dict) else scale(x)


class _Noting(Silent):
    """Shows nothing, and keeps the figures of the epochs."""

    def __init__(self) -> None:
        self.rows: list[Row] = []

    def on_epoch(self, row: Row, position: Position) -> None:
        self.rows.append(row)


def _train_with_nnrun(
    side: Side, loaded: Loaded, data: Data, clock: Any
) -> tuple[Any, list[dict[str, float]]]:
    """What ``nnrun train`` does from the loaded data on, with a run directory and its checkpoints."""
    spec = loaded.spec
    runtime = spec.runtime.model_copy(update={"jit_compile": bool(side.jit_compile)})
    prepared = assemble(replace(loaded, spec=spec.model_copy(update={"runtime": runtime})), data)
    noting = _Noting()
    with tempfile.TemporaryDirectory(prefix="nnrun-bench-") as folder:
        run = create_run(Path(folder), spec.name, now=datetime.now())
        recorder = Recorder(
            run,
            prepared.model,
            [],
            noting,
            spec.runtime.checkpoint_seconds,
            is_finite=lambda: prepared.engine.broken_weight() is None,
        )
        Training(
            prepared.model,
            prepared.engine,
            prepared.training_feed(),
            None,
            plan_of(prepared),
            [clock],
            recorder,
            position=recorder.position,
            chunk=1 if clock.only_first_step else None,
        ).run()
    logs = [{name: value for name, value in row.items() if name not in FIGURES} for row in noting.rows]
    return prepared.model, logs


def _digest(model: Any) -> str:
    keras = load_keras()
    found = hashlib.sha256()
    for variable in model.weights:
        found.update(np.ascontiguousarray(keras.ops.convert_to_numpy(variable)).tobytes())
    return found.hexdigest()
