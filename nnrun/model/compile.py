"""From the training section to a compiled Keras model: losses, metrics, optimizer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from nnrun.errors import Problem, SpecError
from nnrun.model.build import PlaceOf
from nnrun.model.parts import make_part
from nnrun.model.reasons import reason_of
from nnrun.model.shapes import shape_text
from nnrun.spec.schema import Choice, Losses, ModelSection, TrainingSection
from nnrun.spec.source import path_text


def compile_model(model: Any, section: TrainingSection, *, jit_compile: bool, place: PlaceOf) -> None:
    """Give the model its loss, optimizer and metrics.

    Args:
        model: What :func:`build_model` made.
        section: The training section.
        jit_compile: Whether its steps are compiled with XLA.
        place: Finds where a value stands, for messages.

    Raises:
        SpecError: A value that Keras refuses.
    """
    model.compile(
        optimizer=_make_at(place, ("training", "optimizer"), make_optimizer, section),
        loss=_make_losses(section.loss, place),
        loss_weights=section.loss_weights,
        metrics=_make_metrics(model, section.metrics, place),
        jit_compile=jit_compile,
    )


def _make_losses(losses: Losses, place: PlaceOf) -> Any:
    """The loss, or one for each output by its name."""
    if isinstance(losses, Choice):
        return _make_at(place, ("training", "loss"), make_part, "loss", losses)
    return {
        name: _make_at(place, ("training", "loss", name), make_part, "loss", choice)
        for name, choice in losses.items()
    }


def _make_metrics(model: Any, metrics: list[Choice] | dict[str, list[Choice]], place: PlaceOf) -> Any:
    """The metrics; for several outputs by their names: metrics have a memory, so each output gets its own."""
    path = ("training", "metrics")
    if isinstance(metrics, dict):
        return {name: _make_list(choices, (*path, name), place) for name, choices in metrics.items()}
    if len(model.outputs) > 1:
        return {name: _make_list(metrics, path, place) for name in model.output_names}
    return _make_list(metrics, path, place)


def _make_list(choices: list[Choice], path: tuple[str, ...], place: PlaceOf) -> list[Any]:
    return [
        _make_at(place, (*path, index), make_part, "metric", choice) for index, choice in enumerate(choices)
    ]


def check_training(model: Any, section: TrainingSection, place: PlaceOf) -> None:
    """Make losses, metrics and the optimizer of a model, to learn whether Keras takes their values.

    Raises:
        SpecError: A value that Keras refuses.
    """
    _make_losses(section.loss, place)
    _make_metrics(model, section.metrics, place)
    _make_at(place, ("training", "optimizer"), make_optimizer, section)


def make_optimizer(section: TrainingSection) -> Any:
    """The optimizer with the learning rate that stands beside it."""
    rate = section.learning_rate
    if rate is None:
        return make_part("optimizer", section.optimizer)
    value = make_part("schedule", rate) if isinstance(rate, Choice) else rate
    return make_part(
        "optimizer", Choice(section.optimizer.name, section.optimizer.arguments | {"learning_rate": value})
    )


def check_output(model: Any, targets: tuple[int, ...], section: ModelSection, place: PlaceOf) -> None:
    """Refuse a model whose output cannot be held against the targets.

    Args:
        model: A model with one output.
        targets: The shape of one target: ``()`` for a class index or a number, ``(classes,)`` for one-hot.
        section: The model section, for the place of the last layer.
        place: Finds where a layer stands.

    Raises:
        SpecError: The output has more dimensions than a row of numbers for each example.
    """
    shape = model.output_shape
    if not isinstance(shape, tuple) or len(shape) <= max(2, 1 + len(targets)):
        return
    index = len(section.layers) - 1
    name = section.layers[index].name
    message = (
        f"gives {shape_text(shape)}, but there is one target for each example; "
        "put Flatten (or a pooling layer) before it, so that it gives (batch, values)"
    )
    raise SpecError([Problem(message, f"model.layers[{index}].{name}", place("model", "layers", index))])


def _make_at(place: PlaceOf, path: tuple[str | int, ...], make: Callable[..., Any], *arguments: Any) -> Any:
    try:
        return make(*arguments)
    except Exception as error:
        raise SpecError([Problem(reason_of(error), path_text(path), place(*path))]) from error
