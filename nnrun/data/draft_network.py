"""How large a network should be for so many examples, and how it is trained."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from nnrun.data.draft_lines import Line
from nnrun.spec.datasets import held_out
from nnrun.spec.dump import flow

FEW = 20
"""With fewer examples none can be spared for a test or a validation."""

HELD_OUT = 0.2


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
    Size(800, (16, 8), 0.1, 0.005, 16, 200, 20),
    Size(20_000, (64, 32), 0.2, 0.002, 32, 100, 12),
    Size(100_000, (128, 64), 0.1, 0.001, 128, 50, 8),
    Size(400_000, (256, 128), 0.1, 0.001, 512, 40, 5),
    Size(float("inf"), (256, 128), 0.1, 0.001, 1024, 30, 4),
)


@dataclass(frozen=True)
class Goal:
    """What is to be predicted.

    Args:
        name: Its column.
        classes: The number of classes; None for a number.
        mean: Of a number.
        deviation: Its standard deviation.
        balanced: Whether no class is much rarer than another.
    """

    name: str
    classes: int | None
    mean: float = 0.0
    deviation: float = 1.0
    balanced: bool = True


def size_for(examples: int) -> Size:
    """What goes well with so many examples to learn from."""
    return next(size for size in SIZES if examples < size.below)


def learned_from(examples: int) -> int:
    """How many of all examples weights are learned from: those held out for test and validation are not."""
    if examples < FEW:
        return examples
    rest = examples - held_out(examples, HELD_OUT)
    return rest - held_out(rest, HELD_OUT)


def hidden_layers(examples: int) -> list[Line]:
    """The Dense layers between input and output."""
    size = size_for(examples)
    kind = "a small network" if len(size.units) == 1 or size.units[0] < 64 else "a network of this size"
    reason = (
        f"{examples:,} examples to learn from: {kind} has enough to learn from them, and a larger one would"
    )
    reason += (
        " learn them by heart. relu lets it bend what it learns; he_normal is the start that suits relu."
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
        return [
            Line("- Dense: {units: 1}", "one number, which may be anything: no activation"),
            Line(
                f"- Rescaling: {{scale: {_number(goal.deviation)}, offset: {_number(goal.mean)}}}",
                f"The mean of {goal.name} is {_number(goal.mean)}, its standard deviation {_number(goal.deviation)}. "
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


def training_section(goal: Goal, examples: int, size: Size | None = None) -> list[Line]:
    """The section ``training``.

    Args:
        goal: What is to be predicted.
        examples: All there are, those for test and validation too.
        size: What to train with; None: what goes well with so many examples.
    """
    size = size or size_for(learned_from(examples))
    validated = examples >= FEW
    lines = [
        Line("training:"),
        *_loss(goal),
        Line("  optimizer: adam", "adapts its steps to each weight; seldom a bad choice"),
        Line(f"  learning_rate: {size.learning_rate}", "larger is faster, too large jumps about"),
        Line(f"  epochs: {size.epochs}", "at most" if validated else "passes over the examples"),
        Line(f"  batch_size: {size.batch_size}", _steps(learned_from(examples), size.batch_size)),
    ]
    if not validated:
        return lines
    return [
        *lines,
        Line(f"  validation_split: {HELD_OUT}", "of the training examples; they tell when to stop"),
        Line("  callbacks:"),
        Line(
            f"    - EarlyStopping: {{monitor: val_loss, patience: {size.patience}, restore_best_weights: true}}",
            f"Ends the training when the validation examples got no better for {size.patience} epochs, and takes "
            "the weights of the best one: going on would only learn the training examples by heart.",
            above=True,
        ),
    ]


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


def _number(value: float) -> str:
    """Four digits are enough for a scale."""
    return flow(float(f"{value:.4g}"))
