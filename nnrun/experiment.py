"""The story of an experiment: train, evaluate, predict. Read this first."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, Protocol

from nnrun.data.load import Data, Examples, load_data
from nnrun.errors import ChangedError, DataError, DivergedError, Problem, SpecError
from nnrun.keras_backend import divert_native_noise, load_tensorflow, start_session
from nnrun.model.build import InputShape, build_model
from nnrun.model.compile import check_output, compile_model
from nnrun.model.summary import check_on_paper, refuse_too_large
from nnrun.spec.load import Loaded, dump_spec, load_spec
from nnrun.spec.names import did_you_mean
from nnrun.spec.schema import Spec
from nnrun.spec.source import path_text
from nnrun.store.run import Run, create_run, find_run, probe_directory, runs_directory
from nnrun.training.callbacks import check_monitor, make_callbacks
from nnrun.training.checkpoint import assign_model
from nnrun.training.devices import Devices, choose_jit, prepare_devices
from nnrun.training.engine import Engine
from nnrun.training.feed import Feed, class_weights, make_feed, output_names, target_forms
from nnrun.training.loop import Ending, Listener, Plan, Training
from nnrun.training.predictions import Predictions
from nnrun.training.record import Recorder, facts_of, result_of

Part = Literal["train", "validation", "test"]


class Display(Listener, Protocol):
    """What shows an experiment to the user."""

    def notify(self, message: str) -> None:
        """Something that takes long, or that is good to know."""

    def warn(self, message: str) -> None:
        """Something nobody must miss."""

    def on_start(self, run: Run, facts: dict[str, Any]) -> None:
        """The training begins; ``facts`` is what stands in ``run.json``."""

    def on_result(self, run: Run, result: dict[str, Any]) -> None:
        """The training is over; ``result`` is what stands in ``result.json``, or would, had it not been interrupted."""


@dataclass
class Prepared:
    """A specification turned into a compiled model with its data on the device."""

    loaded: Loaded
    data: Data
    model: Any
    engine: Engine
    devices: Devices
    feeds: dict[str, Feed] = field(default_factory=dict)

    @property
    def spec(self) -> Spec:
        return self.loaded.spec

    def feed(self, part: Part) -> Feed:
        """The examples of a part on the device, put there once."""
        if part not in self.feeds:
            self.feeds[part] = self._make_feed(self.examples(part))
        return self.feeds[part]

    def examples(self, part: Part) -> Examples:
        """The examples of a part.

        Raises:
            DataError: The data has no such part.
        """
        examples: Examples | None = getattr(self.data, part)
        if examples is None:
            hint = "; set training.validation_split and train again" if part == "validation" else ""
            raise DataError(f"{self.data.name} has no {part} examples{hint}")
        return examples

    def training_feed(self) -> Feed:
        """The training examples with the weights of their classes.

        Raises:
            SpecError: A weight is given for a class that the data does not have.
        """
        feed, weights = self.feed("train"), self.spec.training.class_weight
        if weights is None:
            return feed
        try:
            counted = class_weights(self.data.train.y, weights, self.data.class_names)
        except KeyError as error:
            name = str(error.args[0])
            near = did_you_mean(name, self.data.class_names or ()) or f"; there are {self.data.facts.classes}"
            path = ("training", "class_weight", name)
            message = f"{self.data.name} has no class '{name}'{near}"
            raise SpecError([Problem(message, path_text(path), self.loaded.place(*path))]) from None
        return replace(feed, weights=load_tensorflow().constant(counted))

    def _make_feed(self, examples: Examples) -> Feed:
        facts, spec = self.data.facts, self.spec
        forms = target_forms(self.model, spec.data.target, spec.training.loss, facts.classes)
        return make_feed(examples, divisor=facts.divisor, targets=forms, classes=facts.classes)


def prepare(loaded: Loaded, notify: Callable[[str], None], *, pretrained: bool = True) -> Prepared:
    """Load the data, build and compile the model.

    Args:
        loaded: The specification.
        notify: Is told what takes long.
        pretrained: Whether ready networks read their file of weights.

    Raises:
        DataError: The data cannot be had.
        SpecError: A layer's shape does not fit, or Keras refuses a value.
    """
    spec = loaded.spec
    data = load_data(
        spec.data, seed=spec.seed, validation_split=spec.training.validation_split, notify=notify
    )
    devices, strategy = prepare_devices(spec.runtime)
    start_session(spec.seed)
    with strategy.scope():
        shapes = input_shapes(data.train, data.facts.divisor)
        model = build_model(loaded.model, shapes, loaded.place, pretrained=pretrained)
        if spec.data.target == "labels":
            check_output(model, data.train.y.shape[1:], loaded.model, loaded.place)
        steps = math.ceil(len(data.train) / spec.training.batch_size) * spec.training.epochs
        jit = choose_jit(spec.runtime, model, devices, steps)
        compile_model(model, spec.training, jit_compile=jit, place=loaded.place)
    prepared = Prepared(loaded, data, model, Engine(model, strategy), devices)
    try:
        prepared.engine.build(prepared.feed("train"), spec.training.batch_size)
    except Exception as error:
        raise find_misfit(prepared) or error from error
    return prepared


def find_misfit(prepared: Prepared) -> SpecError | None:
    """Which of loss and metrics cannot take the model's output and the targets; None where each alone can."""
    training, place = prepared.spec.training, prepared.loaded.place
    candidates: list[tuple[tuple[str | int, ...], Any]] = [(("training", "loss"), [])]
    by_output = training.metrics if isinstance(training.metrics, dict) else {"": training.metrics}
    for output, choices in by_output.items():
        path: tuple[str | int, ...] = ("training", "metrics", *([output] if output else []))
        candidates += [
            ((*path, index), {output: [choice]} if output else [choice])
            for index, choice in enumerate(choices)
        ]
    problems = []
    for path, metrics in candidates:
        alone = training.model_copy(update={"metrics": metrics})
        compile_model(prepared.model, alone, jit_compile=False, place=place)
        try:
            prepared.engine.build(prepared.feed("train"), training.batch_size)
        except Exception as error:
            reason = f"does not fit the model's output and the targets: {' '.join(str(error).split())}"
            problems.append(Problem(reason, path_text(path), place(*path)))
    return SpecError(problems, str(prepared.loaded.path)) if problems else None


def input_shapes(examples: Examples, divisor: float | None) -> dict[str, InputShape]:
    """What the model's inputs receive; one unnamed array is called ``input``."""
    arrays = examples.x if isinstance(examples.x, dict) else {"input": examples.x}
    return {
        name: InputShape(
            array.shape[1:], "int32" if array.dtype.kind in "iu" and divisor is None else "float32"
        )
        for name, array in arrays.items()
    }


def train(
    path: Path,
    overrides: Sequence[str] = (),
    *,
    display: Display,
    runs_dir: Path | None = None,
    code: Path | None = None,
    command: Sequence[str] = (),
    interrupted: Callable[[], bool] = lambda: False,
) -> tuple[Run, Ending]:
    """Train what a specification describes and leave a run directory.

    Args:
        path: The specification.
        overrides: ``a.b=VALUE`` and ``~a.b``.
        display: Shows it to the user.
        runs_dir: Where runs are kept; default ``$NNRUN_RUNS_DIR`` or ``runs``.
        code: A Python file whose classes and functions the specification may name.
        command: The command line, for the record.
        interrupted: True as soon as the training should stop.

    Returns:
        The run, and how the training ended. An interrupted run has no result and can be continued.

    Raises:
        NnrunError: See ``errors.py``.
    """
    loaded = load_spec(path, overrides, code)
    runs = runs_directory(runs_dir)
    probe_directory(runs)
    rehearse(loaded)
    prepared = prepare(loaded, display.notify)
    refuse_unclear_monitors(prepared)
    if prepared.data.warning:
        display.warn(prepared.data.warning)
    run = create_run(runs, loaded.spec.name, now=datetime.now())
    divert_native_noise(run.native_log)
    with run.lock():
        facts = facts_of(
            loaded.spec,
            prepared.data,
            prepared.model,
            prepared.devices,
            folder=path.parent,
            overrides=overrides,
            command=command,
        )
        run.write_config(dump_spec(resolved_spec(prepared)))
        if loaded.code:
            run.write_code(loaded.code.path.name, loaded.code.text)
            facts["code"] = {"file": loaded.code.path.name, "sha256": loaded.code.sha256}
        run.write_facts(facts)
        display.on_start(run, facts)
        ending = run_training(prepared, run, display, interrupted)
    return run, ending


def rehearse(loaded: Loaded) -> None:
    """Build on paper what the training needs, before the data is loaded: that may take long.

    Raises:
        SpecError: A layer's shape does not fit, Keras refuses a value, or a callback would write outside the run.
        ResourceError: The machine's memory cannot hold the model.
    """
    training = loaded.spec.training
    refuse_too_large(check_on_paper(loaded), training)
    make_callbacks(training.callbacks, Path(), loaded.place)


def refuse_unclear_monitors(prepared: Prepared) -> None:
    """Refuse to watch a value of which nobody knows whether more or less is better.

    Raises:
        SpecError: The monitor of the best epoch or of a callback is such a value.
    """
    training, place = prepared.spec.training, prepared.loaded.place
    check_monitor(prepared.model, training.monitor, place)
    make_callbacks(training.callbacks, Path(), place, prepared.model)


def run_training(prepared: Prepared, run: Run, display: Display, interrupted: Callable[[], bool]) -> Ending:
    """Train, keep the best model, score it on the test part, write the result."""
    started = time.monotonic()
    spec = prepared.spec
    training = spec.training
    callbacks = make_callbacks(training.callbacks, run.path, prepared.loaded.place, prepared.model)
    recorder = Recorder(run, prepared.model, callbacks, display)
    plan = Plan(training.epochs, training.batch_size, spec.seed, training.shuffle, training.monitor)
    validation = prepared.feed("validation") if prepared.data.validation is not None else None
    task = Training(
        prepared.model,
        prepared.engine,
        prepared.training_feed(),
        validation,
        plan,
        callbacks,
        recorder,
        interrupted,
    )
    try:
        ending = task.run()
    except DivergedError as error:
        raise DivergedError(f"{error}. The history is in {run.path}") from None
    finally:
        display.on_stop(task.position)
    kept = recorder.keep(best=validation is not None)
    seconds = time.monotonic() - started
    result = result_of(ending, recorder.rows, monitor=training.monitor, kept=kept, seconds=seconds)
    if prepared.data.test is not None:
        result["test"] = prepared.engine.evaluate(prepared.feed("test"), training.batch_size)
    if ending.reason != "interrupted":
        run.write_result(result)
    display.on_result(run, result)
    return ending


def evaluate(
    reference: str,
    part: Part = "test",
    *,
    display: Display,
    runs_dir: Path | None = None,
    code: Path | None = None,
) -> tuple[Run, dict[str, Any]]:
    """Score a run's model on a part of its data.

    Args:
        reference: A run: path, id, unique prefix or ``latest``.
        part: Which examples.
        display: Shows it to the user.
        runs_dir: Where runs are kept.
        code: The Python file that the run was trained with, if any.

    Returns:
        The run, and ``{"part", "examples", "model", "scores"}``, also written to ``evaluation/<part>/scores.json``.
    """
    run, prepared, kept = reopen(reference, display, runs_dir, code)
    feed = prepared.feed(part)
    scores = prepared.engine.evaluate(feed, prepared.spec.training.batch_size)
    report = {
        "part": part,
        "examples": feed.count,
        "data": prepared.data.name,
        "model": kept,
        "scores": scores,
    }
    run.write_evaluation(part, "scores.json", report)
    return run, report


def predict(
    reference: str,
    part: Part = "test",
    *,
    display: Display,
    runs_dir: Path | None = None,
    code: Path | None = None,
) -> tuple[Run, Predictions]:
    """The outputs of a run's model for a part of its data."""
    run, prepared, _ = reopen(reference, display, runs_dir, code)
    outputs = prepared.engine.predict(prepared.feed(part), prepared.spec.training.batch_size)
    by_name = dict(zip(output_names(prepared.model), outputs, strict=True))
    data = prepared.data
    return run, Predictions(part, by_name, prepared.examples(part).y, data.facts.classes, data.class_names)


def reopen(
    reference: str, display: Display, runs_dir: Path | None, code: Path | None
) -> tuple[Run, Prepared, dict[str, Any]]:
    """Rebuild a run's model from its configuration and give it the weights that were kept.

    Raises:
        RunError: There is no such run, or it holds no weights, or they are damaged.
        SpecError: It was trained with a Python file, and none is given.
        ChangedError: The data, or the Python file, is not what the run was trained with.
    """
    run = find_run(reference, runs_directory(runs_dir))
    recorded = run.facts()["data"]
    divert_native_noise(run.native_log)
    prepared = prepare(reload_spec(run, code), display.notify, pretrained=False)
    if prepared.data.fingerprint != recorded["fingerprint"]:
        raise ChangedError(
            f"the data is not what {run.id} was trained on: "
            f"then {recorded['name']} ({recorded['fingerprint'][:19]}...), "
            f"now {prepared.data.name} ({prepared.data.fingerprint[:19]}...); "
            "put the same file back, or point NNRUN_DATA_DIR to where it is"
        )
    header, arrays = run.read_best()
    assign_model(prepared.model, arrays, f"the checkpoint of {run.id}")
    return run, prepared, {"weights": header["weights"], "epoch": header["epoch"]}


def reload_spec(run: Run, code: Path | None) -> Loaded:
    """A run's specification, with the Python file that it was trained with.

    A copy of the file lies in the run. It is not run from there by itself: the run may be a stranger's.
    """
    recorded = run.facts().get("code")
    if recorded and code is None:
        message = (
            f"{run.id} was trained with --code {recorded['file']}; give the file again, or look at the copy "
            f"and give that: --code {run.path / 'code' / recorded['file']}"
        )
        raise SpecError([Problem(message)])
    loaded = load_spec(run.config_path, (), code)
    if recorded and loaded.code and loaded.code.sha256 != recorded["sha256"]:
        raise ChangedError(
            f"{code} is not the file that {run.id} was trained with (SHA-256 {loaded.code.sha256[:12]}..., then "
            f"{recorded['sha256'][:12]}...); a copy of that one is {run.path / 'code' / recorded['file']}"
        )
    return loaded


def resolved_spec(prepared: Prepared) -> Spec:
    """The specification with what was chosen for ``auto`` written in."""
    runtime = prepared.spec.runtime.model_copy(
        update={"jit_compile": bool(prepared.model.jit_compile), "device": prepared.devices.device}
    )
    return prepared.spec.model_copy(update={"runtime": runtime})
