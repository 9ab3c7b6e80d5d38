"""How large a network should be for so many examples, and how it is trained."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from nnrun.data.draft_lines import Line
from nnrun.spec.datasets import held_out
from nnrun.spec.dump import flow

FEW = 20
"""With fewer examples none can be spared for a test or a validation."""

HELD_OUT = 0.2

EXACT = 1e15
"""Up to here whole numbers are written as such."""

MEDIUM = 64
"""Units of a layer from which on a network is not small."""

RARE = 0.2
"""A class with less than this part of the most frequent one's examples is rare."""


@dataclass(frozen=True)
class Size:
    """What goes well with a number of training examples.

    Args:
        below: The number of examples up to which it holds.
        units: Of the hidden layers.
        dropout: After the first of them.
        learning_rate: Adam's.
        batch_size: Examples in a step.
        epochs: At most.
        patience: Epochs without improvement before the training ends.
    """

    below: float
    units: tuple[int, ...]
    dropout: float
    learning_rate: float
    batch_size: int
    epochs: int
    patience: int


SIZES = (
    Size(50, (8,), 0, 0.01, 8, 200, 30),
    Size(800, (32, 16), 0.3, 0.005, 16, 200, 30),
    Size(20_000, (64, 32), 0.2, 0.002, 32, 100, 12),
    Size(100_000, (128, 64), 0.1, 0.001, 128, 50, 8),
    Size(400_000, (256, 128), 0.1, 0.001, 512, 40, 5),
    Size(float("inf"), (256, 128), 0.1, 0.001, 1024, 30, 4),
)
"""The second one was measured on iris, wine, breast_cancer and diabetes, 15 divisions each: half the units, or less
dropout or patience, tested worse on one of them at least; linear models test the same on the three with classes."""


@dataclass(frozen=True)
class Goal:
    """What is to be predicted.

    Args:
        name: Its column.
        classes: The number of classes; None for a number.
        mean: Of a number.
        deviation: Its standard deviation.
        balanced: Whether no class is much rarer than another.
        numbers: How many numbers, where there are no classes.
    """

    name: str
    classes: int | None
    mean: float = 0.0
    deviation: float = 1.0
    balanced: bool = True
    numbers: int = 1


def is_balanced(counts: Sequence[int]) -> bool:
    """Whether no class has far fewer examples than another one."""
    return min(counts) >= RARE * max(counts)


def size_for(examples: int) -> Size:
    """What goes well with so many examples to learn from."""
    return next(size for size in SIZES if examples < size.below)


def learned_from(examples: int) -> int:
    """How many of all examples weights are learned from: those held out for test and validation are not."""
    if examples < FEW:
        return examples
    rest = examples - held_out(examples, HELD_OUT)
    return rest - held_out(rest, HELD_OUT)


def test_line(examples: int) -> Line:
    """How many examples are held out for the test."""
    if examples < FEW:
        why = f"{examples} examples are too few to hold any out; how good the model is remains unknown"
        return Line("test_split: 0", why)
    held = held_out(examples, HELD_OUT)
    return Line(f"test_split: {HELD_OUT}", f"{held:,} examples to test with; nothing is learned from them")


def hidden_layers(examples: int) -> list[Line]:
    """The Dense layers between input and output."""
    size = size_for(examples)
    enough = "a small network" if size.units[0] < MEDIUM else "a network of this size"
    reason = (
        f"{examples:,} example{'s' if examples > 1 else ''} to learn from: enough for {enough}; a larger one "
    )
    reason += (
        "would learn them by heart. relu lets it bend what it learns; he_normal is the start that suits relu."
    )
    lines = []
    for index, units in enumerate(size.units):
        code = f"- Dense: {{units: {units}, activation: relu, kernel_initializer: he_normal}}"
        lines.append(Line(code, "" if index else reason, above=True))
        if not index and size.dropout:
            why = "leaves out some values at random while training, against learning by heart"
            lines.append(Line(f"- Dropout: {{rate: {size.dropout}}}", why))
    return lines


def output_layers(goal: Goal) -> list[Line]:
    """The last layer, and what brings a number to its scale."""
    if goal.classes is None:
        deviation, mean = (_number(value, goal.deviation) for value in (goal.deviation, goal.mean))
        what = "one number" if goal.numbers == 1 else f"{goal.numbers:,} numbers"
        return [
            Line(f"- Dense: {{units: {goal.numbers}}}", f"{what}, which may be anything: no activation"),
            Line(
                f"- Rescaling: {{scale: {deviation}, offset: {mean}}}",
                f"The mean of {goal.name} is {mean}, its standard deviation {deviation}. "
                "The layers above give numbers around 0 of size 1, which are learned best; this one makes them "
                "into numbers of that scale.",
                above=True,
            ),
        ]
    if goal.classes == 2:
        why = "two classes: one number from 0 to 1, the probability of the second one"
        return [Line("- Dense: {units: 1, activation: sigmoid}", why)]
    why = "one unit for each class; softmax makes them probabilities"
    return [Line(f"- Dense: {{units: {goal.classes}, activation: softmax}}", why)]


def training_section(
    goal: Goal, examples: int, *, validation: Literal["split", "files"] | None, size: Size | None = None
) -> list[Line]:
    """The section ``training``.

    Args:
        goal: What is to be predicted.
        examples: To learn from.
        validation: Whether examples are held out to validate on, or have files of their own.
        size: What to train with; None: what goes well with so many examples.
    """
    size = size or size_for(examples)
    lines = [
        Line("training:"),
        *_loss(goal),
        Line("  optimizer: adam", "adapts its steps to each weight; seldom a bad choice"),
        Line(f"  learning_rate: {size.learning_rate}", "larger is faster, too large jumps about"),
        Line(f"  epochs: {size.epochs}", "passes over the examples" + (", at most" if validation else "")),
        Line(f"  batch_size: {size.batch_size}", _steps(examples, size.batch_size)),
    ]
    if validation == "split":
        lines.append(
            Line(f"  validation_split: {HELD_OUT}", "of the training examples; they tell when to stop")
        )
    if validation:
        why = f"Ends the training when the validation examples got no better for {size.patience} epochs, and takes "
        why += "the weights of the best one: going on would only learn the training examples by heart."
        arguments = f"{{monitor: val_loss, patience: {size.patience}, restore_best_weights: true}}"
        lines += [Line("  callbacks:"), Line(f"    - EarlyStopping: {arguments}", why, above=True)]
    return lines


def _steps(examples: int, batch_size: int) -> str:
    steps = -(-examples // batch_size)
    return f"examples in a step: {steps:,} step{'s' if steps > 1 else ''} an epoch"


def _loss(goal: Goal) -> list[Line]:
    if goal.classes is None:
        return [
            Line("  loss: mse", "mean squared error, for numbers"),
            Line(
                "  metrics: [mae, R2Score]",
                "the mean error; R2: 1 is perfect, 0 as good as the mean",
            ),
        ]
    loss = "binary_crossentropy" if goal.classes == 2 else "sparse_categorical_crossentropy"
    metrics: Sequence[str] = ["accuracy"]
    why = "the part that is right"
    if goal.classes == 2 and not goal.balanced:
        metrics, why = ["accuracy", "AUC"], "the part that is right; how well the classes are ordered"
    lines = [
        Line(
            f"  loss: {loss}",
            "for two classes" if goal.classes == 2 else "for one class out of several",
        ),
        Line(f"  metrics: [{', '.join(metrics)}]", why),
    ]
    if not goal.balanced:
        reason = (
            "The rarest class has less than a fifth of the examples of the most frequent one; its examples "
        )
        reason += "count more, so that it is not passed over. Remove the line to count all examples the same."
        lines.append(Line("  class_weight: balanced", reason, above=True))
    return lines


def _number(value: float, precision: float) -> str:
    """A number as exact as a scale needs: three digits of what is given as the precision."""
    digits = 2 - math.floor(math.log10(precision))
    rounded = round(value, digits)
    return flow(int(rounded) if rounded.is_integer() and abs(rounded) < EXACT else rounded)
