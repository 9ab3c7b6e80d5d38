"""Advice on how the model is trained: learning rate, epochs, batches, callbacks."""

from __future__ import annotations

from collections.abc import Iterator

from nnrun.errors import Place, Problem
from nnrun.spec import catalog
from nnrun.spec.choices import WrittenChoice, read_choice, whereabouts
from nnrun.spec.node import Node, Path, path_text
from nnrun.spec.outline import Outline

USUAL_RATES = {
    "Adam": (1e-5, 0.01),
    "AdamW": (1e-5, 0.01),
    "Nadam": (1e-5, 0.01),
    "Adamax": (1e-5, 0.01),
    "RMSprop": (1e-5, 0.01),
    "Lamb": (1e-5, 0.01),
    "ScheduleFreeAdamW": (1e-4, 0.01),
    "SGD": (1e-4, 0.5),
    "Adagrad": (0.01, 1.0),
    "Adadelta": (0.1, 1.0),
    "Ftrl": (0.01, 1.0),
    "Adafactor": (1e-4, 0.05),
    "Muon": (1e-4, 0.05),
    "Lion": (1e-6, 0.001),
}
"""Between which learning rates an optimizer usually learns.

Lion: a third to a tenth of Adam's (Chen et al. 2023). Adadelta: 1.0 in the paper (Zeiler 2012). Adagrad and Ftrl
divide by the sum of all gradients so far, and need more than Adam; Keras's default of 0.001 is little for the three.
"""

FAR = 3
"""How many times outside of the usual range a learning rate is worth a word."""

FEW_STEPS = 100
"""In fewer steps a network hardly learns, beyond toy problems."""

FEW_STEPS_AN_EPOCH = 10
MANY = 1_000
"""From here on examples, or epochs, are many."""

UNSEEN_EPOCHS = 20
"""From here on overfitting should be watched."""


def advise_on_training(outline: Outline) -> Iterator[Problem]:
    """What could be better in the section ``training``."""
    yield from advise_on_rate(outline)
    yield from advise_on_batches(outline)
    yield from advise_on_epochs(outline)
    yield from advise_on_validation(outline)
    yield from advise_on_patience(outline)
    yield from advise_on_stopping(outline)
    yield from advise_on_checkpoints(outline)


def advise_on_rate(outline: Outline) -> Iterator[Problem]:
    """A learning rate far from what is usual for the optimizer; toy problems rightly use larger ones."""
    optimizer = catalog.find("optimizer", outline.training.optimizer.name)
    found = _rate(outline)
    if optimizer is None or optimizer.name not in USUAL_RATES or found is None:
        return
    rate, path, place = found
    low, high = USUAL_RATES[optimizer.name]
    usual = f"{_decimal(low)} to {_decimal(high)} are usual for {optimizer.name}"
    if rate > high * FAR and not outline.is_toy:
        message = f"a learning rate of {_decimal(rate)} is high, so that the loss may jump about or diverge; {usual}"
        yield Problem(message, path_text(path), place)
    elif rate < low / FAR:
        default = "" if path[-1] in RATES else ", the default,"
        message = (
            f"a learning rate of {_decimal(rate)}{default} is low, so that the weights hardly move; {usual}"
        )
        yield Problem(message, path_text(path), place)


RATES = ("learning_rate", "warmup_target", "initial_learning_rate")
"""Where the highest learning rate may be written; the first is a schedule's name as well."""


def _rate(outline: Outline) -> tuple[float, Path, Place | None] | None:
    """The highest learning rate with its place: as written, the schedule's, or the optimizer's default."""
    optimizer = outline.training.optimizer.name
    for path in (("training", "learning_rate"), ("training", "optimizer", optimizer, "learning_rate")):
        node = outline.node(*path)
        if node is not None and node.value is not None:
            return _written_rate(node, path)
    default = outline.training.learning_rate
    place = outline.loaded.place("training", "optimizer")
    return (default, ("training", "optimizer"), place) if isinstance(default, float) else None


def _written_rate(node: Node, path: Path) -> tuple[float, Path, Place | None] | None:
    if _is_number(node.value):
        return node.value, path, node.place  # type: ignore[return-value]  # it is a number
    schedule = read_choice(node, path)
    for name in RATES[1:] if schedule else ():
        inner = schedule.arguments.get(name) if schedule else None
        if inner is not None and _is_number(inner.value):
            return inner.value, (*path, schedule.name, name), inner.place  # type: ignore[return-value, union-attr]
    return None


def _decimal(value: float) -> str:
    """A number without an exponent: ``0.00001``, ``1``."""
    return f"{value:.12f}".rstrip("0").removesuffix(".") if value >= 1e-9 else f"{value:g}"


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def advise_on_batches(outline: Outline) -> Iterator[Problem]:
    """Batches so large that the weights are hardly ever changed."""
    examples, steps, training = outline.examples, outline.steps, outline.training
    written = outline.node("training", "batch_size") is not None
    if examples is None or steps is None or training.epochs == 0:
        return
    if written and training.batch_size > examples:
        yield outline.hint(
            f"there are {examples:,} training examples, so that every batch is all of them; "
            f"write at most {examples:,}",
            "training",
            "batch_size",
        )
    elif steps < FEW_STEPS_AN_EPOCH and examples >= MANY and steps * training.epochs < 5 * FEW_STEPS:
        yield outline.hint(
            f"{examples:,} examples in batches of {training.batch_size:,} are "
            f"{_count(steps, 'step')} an epoch, so that the weights change only "
            f"{steps * training.epochs} times in all; use batches of 32 to 256",
            "training",
            "batch_size",
        )


def _count(number: int, word: str) -> str:
    """``1 step``, ``2 steps``."""
    return f"{number:,} {word}" + ("" if number == 1 else "s")


def advise_on_epochs(outline: Outline) -> Iterator[Problem]:
    """Too few epochs to learn in, or so many that nothing new is learnt."""
    examples, steps, epochs = outline.examples, outline.steps, outline.training.epochs
    if examples is None or steps is None or outline.is_toy or outline.is_for_this_time("training", "epochs"):
        return
    if epochs == 1:
        yield outline.hint(
            "in one epoch the model sees each example once, which is seldom enough; 10 to 50 epochs are usual",
            "training",
            "epochs",
        )
    elif 0 < steps * epochs < FEW_STEPS and examples < MANY:
        yield outline.hint(
            f"{epochs} epochs of {_count(steps, 'step')} change the weights only {steps * epochs} times; "
            "train for more epochs, or use smaller batches",
            "training",
            "epochs",
        )
    elif epochs > MANY and examples > MANY and not _of_kind(outline, "EarlyStopping"):
        yield outline.hint(
            f"{epochs:,} epochs on {examples:,} examples mostly learn them by heart; 10 to 50 are usual, "
            "and EarlyStopping ends the training when it gets no better",
            "training",
            "epochs",
        )


def advise_on_validation(outline: Outline) -> Iterator[Problem]:
    """A long training that nobody can see overfit, or whose best epoch is the one that fits its examples best."""
    examples, training = outline.examples, outline.training
    if outline.is_validated:
        if not training.monitor.startswith("val_"):
            yield outline.hint(
                f"chooses the best epoch by {training.monitor} of the examples that it learns from, which "
                f"overfitting improves; watch val_{training.monitor}",
                "training",
                "monitor",
            )
    elif examples is not None and examples >= MANY and training.epochs >= UNSEEN_EPOCHS:
        yield outline.hint(
            f"{training.epochs:,} epochs without validation may overfit unseen; "
            "hold examples out with training.validation_split: 0.1",
            "training",
            "epochs",
        )


def advise_on_patience(outline: Outline) -> Iterator[Problem]:
    """Callbacks that wait longer than the training lasts."""
    epochs = outline.training.epochs
    if epochs == 0 or outline.is_for_this_time("training", "epochs"):
        return
    for callback in _of_kind(outline, "EarlyStopping", "ReduceLROnPlateau"):
        start = callback.value("start_from_epoch") or 0
        patience = _patience(callback)
        if isinstance(start, int) and patience + start >= epochs:
            acts = "stops" if callback.name == "EarlyStopping" else "reduces the learning rate"
            message = f"never {acts}, because it waits {patience + start} of {_count(epochs, 'epoch')}; "
            remedy = "lower the patience, or train longer"
            yield _hint_on(callback, "patience", message + remedy)


def advise_on_stopping(outline: Outline) -> Iterator[Problem]:
    """Early stopping by what it learns from, and a learning rate that is reduced too late for it."""
    for stopping in _of_kind(outline, "EarlyStopping"):
        monitor = stopping.value("monitor") or "val_loss"
        if isinstance(monitor, str) and not monitor.startswith("val_") and not outline.is_toy:
            remedy = f"monitor val_{monitor}" + ("" if outline.is_validated else ", with a validation_split")
            message = (
                f"{monitor} is measured on the examples that are learnt from, which overfitting improves"
            )
            yield _hint_on(stopping, "monitor", f"{message}; {remedy}")
        for plateau in _of_kind(outline, "ReduceLROnPlateau"):
            same = (plateau.value("monitor") or "val_loss") == monitor
            if same and _patience(plateau) >= _patience(stopping):
                where = whereabouts(stopping.place, plateau.place)
                yield _hint_on(
                    plateau,
                    "patience",
                    f"waits {_patience(plateau)} epochs, and EarlyStopping ({where}) ends the training after "
                    f"{_patience(stopping)}; give it less patience than that",
                )


def advise_on_checkpoints(outline: Outline) -> Iterator[Problem]:
    """A copy of what every run keeps."""
    for callback in _of_kind(outline, "ModelCheckpoint"):
        monitor = callback.value("monitor") or "val_loss"
        same = callback.value("save_best_only") is True and monitor == outline.training.monitor
        if same and outline.is_validated:
            yield callback.problem_in_name(
                f"is not needed: every run keeps the weights of its best epoch by {monitor} itself; remove it"
            )


def _of_kind(outline: Outline, *names: str) -> list[WrittenChoice]:
    """The callbacks of these names."""
    return [callback for callback in outline.callbacks if callback.name in names]


def _patience(callback: WrittenChoice) -> int:
    """How many epochs without improvement a callback waits for."""
    written = callback.value("patience")
    if isinstance(written, int):
        return written
    return 0 if callback.name == "EarlyStopping" else 10


def _hint_on(callback: WrittenChoice, argument: str, message: str) -> Problem:
    """Advice on an argument of a callback, or on the callback where the argument is not written."""
    if argument in callback.arguments:
        return callback.problem_in_value(argument, message)
    return callback.problem_in_name(message)
