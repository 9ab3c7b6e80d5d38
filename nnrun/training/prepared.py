"""From a specification to a compiled model with its data on the device."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from nnrun.data.examples import Examples, Streamed
from nnrun.data.load import Data, load_data
from nnrun.errors import DataError, Problem, SpecError
from nnrun.keras_backend import precision, start_session
from nnrun.model.build import build_model
from nnrun.model.code import run_code
from nnrun.model.compile import check_output, compile_model
from nnrun.model.reasons import blame_code, reason_of
from nnrun.model.summary import check_on_paper, input_shapes, refuse_too_large
from nnrun.spec.load import Loaded
from nnrun.spec.names import did_you_mean
from nnrun.spec.output_rules import takes_sequences
from nnrun.spec.schema import Spec
from nnrun.spec.source import path_text
from nnrun.training.devices import Devices, choose_jit, choose_precision, prepare_devices
from nnrun.training.engine import Engine
from nnrun.training.feed import Feed, class_weights, make_feed, target_forms
from nnrun.training.loop import Plan
from nnrun.training.replicas import refuse_accumulation
from nnrun.training.stream import make_stream

Part = Literal["train", "validation", "test"]


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

    def examples(self, part: Part) -> Examples | Streamed:
        """The examples of a part.

        Raises:
            DataError: The data has no such part.
        """
        examples: Examples | Streamed | None = getattr(self.data, part)
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
        return feed.weighted(counted)

    def _make_feed(self, examples: Examples | Streamed) -> Feed:
        facts, spec = self.data.facts, self.spec
        columns = self.data.targets.counts()
        forms = target_forms(self.model, spec.data.target, spec.training.loss, facts.classes, columns)
        if isinstance(examples, Examples):
            return make_feed(
                examples, divisor=facts.divisor, targets=forms, classes=facts.classes, columns=columns
            )
        return make_stream(
            examples, divisor=facts.divisor, targets=forms, classes=facts.classes, columns=columns
        )


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
        spec.data,
        losses=spec.training.loss,
        seed=spec.seed,
        validation_split=spec.training.validation_split,
        notify=notify,
    )
    return assemble(loaded, data, pretrained=pretrained)


def assemble(loaded: Loaded, data: Data, *, pretrained: bool = True) -> Prepared:
    """Build and compile the model for data that is there.

    Args:
        loaded: The specification.
        data: Its data, or other examples of the same form.
        pretrained: Whether ready networks read their file of weights.

    Raises:
        SpecError: A layer's shape does not fit, or Keras refuses a value.
    """
    spec = loaded.spec
    devices, replicas = prepare_devices(spec.runtime)
    if data.reader is not None:  # its shapes were not known before
        refuse_too_large(check_on_paper(loaded, data.facts), spec.training)
    if loaded.code:
        run_code(loaded.code.module)
    start_session(spec.seed)
    with (
        replicas.losses(),
        replicas.strategy.scope(),
        precision(choose_precision(spec.training.precision, devices)),
    ):
        shapes = input_shapes(data.facts)
        model = build_model(loaded.model, shapes, loaded.place, pretrained=pretrained)
        if spec.data.target == "labels" and not takes_sequences(spec.training.loss):
            check_output(model, data.train.y.shape[1:], loaded.model, loaded.place)
        steps = math.ceil(len(data.train) / spec.training.batch_size) * spec.training.epochs
        jit = choose_jit(spec.runtime, model, devices, steps)
        compile_model(model, spec.training, jit_compile=jit, place=loaded.place)
        if replicas.count > 1:
            refuse_accumulation(model.optimizer)
    prepared = Prepared(loaded, data, model, Engine(model, replicas), devices)
    try:
        prepared.engine.build(prepared.feed("train"), spec.training.batch_size)
    except Exception as error:
        raise blame_code(error) or find_misfit(prepared) or error from error
    refuse_vectors(prepared)
    return prepared


def refuse_vectors(prepared: Prepared) -> None:
    """Refuse a metric that gives a number for each class: an epoch has one figure for each metric.

    Raises:
        SpecError: A metric is such a one.
    """
    for name, value in prepared.model.get_metrics_result().items():
        if getattr(value, "shape", ()) != ():
            message = f"'{name}' gives {value.shape[0]} values, one for each class; write its class with average: macro"
            raise SpecError(
                [Problem(message, "training.metrics", prepared.loaded.place("training", "metrics"))]
            )


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
            reason = f"does not fit the model's output and the targets: {reason_of(error)}"
            problems.append(Problem(reason, path_text(path), place(*path)))
            if not metrics:  # with this loss no metric can be tried
                break
    return SpecError(problems, str(prepared.loaded.path)) if problems else None


def resolved_spec(prepared: Prepared) -> Spec:
    """The specification with what was chosen for ``auto`` written in."""
    runtime = prepared.spec.runtime.model_copy(
        update={
            "jit_compile": bool(prepared.model.jit_compile),
            "device": prepared.devices.device,
            "strategy": prepared.devices.strategy,
        }
    )
    data = prepared.spec.data.model_copy(update={"cache": prepared.data.cache})
    training = prepared.spec.training.model_copy(update={"precision": prepared.model.dtype_policy.name})
    return prepared.spec.model_copy(update={"runtime": runtime, "data": data, "training": training})


def plan_of(prepared: Prepared) -> Plan:
    """How long and in which order a specification is trained."""
    training = prepared.spec.training
    return Plan(training.epochs, training.batch_size, prepared.spec.seed, training.shuffle, training.monitor)
