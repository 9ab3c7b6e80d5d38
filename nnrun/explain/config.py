"""A specification in words: the data, each layer with its shapes and parameters, the steps, and advice."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from nnrun.explain.layers import LayerInWords, describe_layers
from nnrun.explain.words import what_it_does
from nnrun.spec.datasets import DatasetFacts, dataset_facts, held_out
from nnrun.spec.file_sources import FILE_SOURCES
from nnrun.spec.load import Loaded
from nnrun.spec.schema import Choice, Spec, TrainingSection


@dataclass(frozen=True)
class Section:
    """A heading and what stands under it; lines that begin with spaces belong to the one above.

    Args:
        title: The heading.
        lines: Sentences.
    """

    title: str
    lines: tuple[str, ...]


def explain_config(loaded: Loaded) -> list[Section]:
    """Explain a specification. TensorFlow is loaded only for layers whose shapes are not known otherwise.

    Args:
        loaded: A specification without mistakes.

    Raises:
        SpecError: A layer's shape does not fit.
    """
    facts = _facts(loaded)
    layers = describe_layers(loaded)
    sections = [
        Section("Data", tuple(_data(loaded, facts))),
        Section("Model", tuple(_model(layers))),
        Section("Steps", tuple(_steps(loaded.spec.training, facts))),
        Section("Learning", tuple(_learning(loaded.spec))),
        Section("Advice", tuple(_advice(loaded))),
    ]
    return [section for section in sections if section.lines]


def _facts(loaded: Loaded) -> DatasetFacts:
    """What is known of the data; the user's own files are read for it."""
    if loaded.spec.data.source.name not in FILE_SOURCES:
        return dataset_facts(loaded.spec.data.source)
    from nnrun.model.summary import find_facts

    return find_facts(loaded.spec)


def _data(loaded: Loaded, facts: DatasetFacts) -> Iterator[str]:
    training, data = loaded.spec.training, loaded.spec.data
    validation = held_out(facts.train, training.validation_split)
    shape = " x ".join(map(str, facts.shape))
    kind = "a number to predict" if facts.classes is None else f"{facts.classes} classes"
    yield f"{facts.name}: each example is {shape} {_values(facts)}, with {kind}."
    parts = [f"{facts.train - validation:,} to learn from"]
    parts += [f"{validation:,} to validate on"] if validation else []
    parts += [f"{facts.test:,} to test with, which nothing is learned from"] if facts.test else []
    yield f"{facts.train + facts.test:,} examples: {', '.join(parts)}."
    if facts.divisor:
        yield f"Values from 0 to {facts.divisor:g} are divided by {facts.divisor:g}, so that they lie between 0 and 1."
    if data.target != "labels":
        learnt = (
            data.target
            if isinstance(data.target, str)
            else ", ".join(f"{k}: {v}" for k, v in data.target.items())
        )
        yield f"What the model learns to give: {learnt}. An output that learns the inputs is an autoencoder's."


def _values(facts: DatasetFacts) -> str:
    if facts.vocabulary:
        return f"word numbers below {facts.vocabulary:,}"
    return "pixels" if facts.dtype == "uint8" else "numbers" if math.prod(facts.shape) > 1 else "number"


def _model(layers: list[LayerInWords]) -> Iterator[str]:
    for number, layer in enumerate(layers, 1):
        yield f"{number}. {layer.title}: {layer.change}"
        for sentence in layer.sentences:
            yield f"   {sentence}"
    total = sum(layer.parameters for layer in layers)
    counted = [f"{layer.parameters:,}" for layer in layers if layer.parameters]
    added = f"{' + '.join(counted)} = " if 1 < len(counted) <= 12 else ""
    yield f"In all {added}{total:,} parameters, {_memory(4 * total)} as float32."


def _memory(count: float) -> str:
    for unit in ("B", "kB", "MB"):
        if count < 1000:
            return f"{count:.0f} B" if unit == "B" else f"{count:.2f} {unit}"
        count /= 1000
    return f"{count:.2f} GB"


def _steps(training: TrainingSection, facts: DatasetFacts) -> Iterator[str]:
    examples = facts.train - held_out(facts.train, training.validation_split)
    steps = math.ceil(examples / training.batch_size)
    last = examples - (steps - 1) * training.batch_size
    yield f"An epoch is one pass over all {examples:,} training examples, {training.batch_size:,} in a step."
    smaller = f"; the last one has {last:,}" if last != min(training.batch_size, examples) else ""
    rounded = ", rounded up," if examples % training.batch_size else ""
    yield f"{examples:,} / {training.batch_size:,}{rounded} is {_plural(steps, 'step')} an epoch{smaller}."
    yield f"{_plural(training.epochs, 'epoch')}: {_plural(steps * training.epochs, 'step')} in all."
    if training.shuffle and examples > 1:
        yield "The order of the examples is new in every epoch, and the same whenever the seed is."


def _plural(count: int, word: str) -> str:
    return f"{count:,} {word}{'' if count == 1 else 's'}"


def _learning(spec: Spec) -> Iterator[str]:
    training = spec.training
    losses = {"": training.loss} if isinstance(training.loss, Choice) else training.loss
    for output, loss in losses.items():
        of = f" of {output}" if output else ""
        weight = (training.loss_weights or {}).get(output, 1)
        counted = f" It counts {weight:g} times." if weight != 1 else ""
        yield f"The loss{of}, {_named(loss)}: {what_it_does('loss', loss.name)}.{counted}"
    yield f"The optimizer, {_named(training.optimizer)}: {what_it_does('optimizer', training.optimizer.name)}."
    yield _learning_rate(training)
    metrics = {"": training.metrics} if isinstance(training.metrics, list) else training.metrics
    for output, choices in metrics.items():
        for metric in choices:
            of = f" for {output}" if output else ""
            yield f"Shown beside it{of}: {_named(metric)}, {what_it_does('metric', metric.name)}."
    for callback in training.callbacks:
        yield _callback(callback)
    if training.class_weight == "balanced":
        yield "Rare classes count more: each class counts the same in all."
    kept = f"the epoch with the best {training.monitor}" if spec.is_validated else "the last epoch"
    yield f"The model that is kept is that of {kept}."


def _named(choice: Choice) -> str:
    arguments = ", ".join(f"{name} {value}" for name, value in choice.arguments.items())
    return f"{choice.name} ({arguments})" if arguments else choice.name


def _learning_rate(training: TrainingSection) -> str:
    rate = training.learning_rate
    if isinstance(rate, Choice):
        return f"The learning rate follows {_named(rate)}: {what_it_does('schedule', rate.name)}."
    if rate is None:
        return "The learning rate is the optimizer's own."
    return (
        f"The learning rate is {rate:g}: too high and the loss jumps or grows, too low and it hardly moves."
    )


def _callback(choice: Choice) -> str:
    arguments: dict[str, Any] = {"monitor": "val_loss", "patience": 0, **choice.arguments}
    watched = arguments["monitor"]
    if choice.name == "EarlyStopping":
        back = (
            " and goes back to the best epoch's weights"
            if choice.arguments.get("restore_best_weights")
            else ""
        )
        after = _plural(max(1, int(arguments["patience"])), "epoch")
        return f"EarlyStopping stops when {watched} has not improved for {after}{back}."
    if choice.name == "ReduceLROnPlateau":
        factor, patience = choice.arguments.get("factor", 0.1), choice.arguments.get("patience", 10)
        after = _plural(max(1, int(patience)), "epoch")
        when = f"when {watched} has not improved for {after}"
        return f"ReduceLROnPlateau multiplies the learning rate by {factor:g} {when}."
    return f"{_named(choice)}: {what_it_does('callback', choice.name)}."


def _advice(loaded: Loaded) -> Iterator[str]:
    from nnrun.spec.advice import advise

    for hint in advise(loaded):
        where = f"{hint.place}  " if hint.place else ""
        yield f"{where}{hint.path}: {hint.message}."
