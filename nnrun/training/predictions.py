"""What a model says of the examples of a part, as rows that people can read."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnrun.data.targets import Targets


@dataclass(frozen=True)
class Predictions:
    """A model's outputs for the examples of a part.

    Args:
        part: Which examples.
        outputs: By the name of the output, each of shape (n, ...).
        targets: Class indices of shape (n,), or numbers of shape (n,) or (n, k).
        classes: The number of classes; None for regression.
        class_names: Names of the classes, where the data has them.
        copies: The names of outputs that learn the inputs and say nothing of classes.
    """

    part: str
    outputs: dict[str, NDArray[Any]]
    targets: NDArray[Any]
    classes: int | None
    class_names: tuple[str, ...] | None
    copies: frozenset[str] = frozenset()

    def rows(self) -> Iterator[dict[str, Any]]:
        """One example after the other: its number, its target, and what the model says.

        For classes: ``predicted``, its ``probability`` and whether it is ``right``. Otherwise the outputs. With
        several outputs their names stand before all that.
        """
        flat = {name: output.reshape(len(output), -1) for name, output in self.outputs.items()}  # (n, values)
        for index, target in enumerate(self.targets):
            known = np.asarray(target).tolist()
            row = {"example": index, "target": known if self.classes is None else self._name(int(target))}
            for name, values in flat.items():
                said = self._said(values[index], target, is_copy=name in self.copies)
                row |= {f"{name}_{key}": value for key, value in said.items()} if len(flat) > 1 else said
            yield row

    def _said(self, output: NDArray[Any], target: Any, *, is_copy: bool) -> dict[str, Any]:
        """What one output says of one example."""
        if is_copy or self.classes is None or len(output) not in (1, self.classes):
            return {f"output_{i}" if len(output) > 1 else "output": float(x) for i, x in enumerate(output)}
        chances = output if len(output) > 1 else np.array([1 - output[0], output[0]])
        predicted = int(chances.argmax())
        return {
            "predicted": self._name(predicted),
            "probability": float(chances[predicted]),
            "right": predicted == int(target),
        }

    def csv(self) -> str:
        """All rows as comma-separated values with a header."""
        text = io.StringIO()
        writer: csv.DictWriter[str] | None = None
        for row in self.rows():
            if writer is None:
                writer = csv.DictWriter(text, list(row))
                writer.writeheader()
            writer.writerow(row)
        return text.getvalue()

    def _name(self, index: int) -> str | int:
        return self.class_names[index] if self.class_names else index


def answers(
    outputs: dict[str, NDArray[Any]], targets: Targets, learnt: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """What a model says of new examples, as columns.

    Args:
        outputs: By the name of the output, each of shape (n, ...).
        targets: What it learned to predict.
        learnt: Which of several target columns an output learned.

    Returns:
        For classes ``predicted``, its ``probability`` and one column for each class; for numbers a column for each
        target. With several outputs their names stand before all that.
    """
    columns: dict[str, Any] = {}
    for name, output in outputs.items():
        values = output.reshape(len(output), -1)  # (n, values)
        column = (learnt or {}).get(name, "")
        if column in targets.columns:
            said = _classes(values, targets.by_column.get(column)) or _numbers(values, [column])
        else:
            said = _classes(values, targets.classes) or _numbers(values, targets.columns)
        columns |= {f"{name}_{key}": value for key, value in said.items()} if len(outputs) > 1 else said
    return columns


def _classes(values: NDArray[Any], classes: list[str] | None) -> dict[str, Any]:
    if (
        classes is None
        or values.shape[1] not in (1, len(classes))
        or (values.shape[1] == 1 and len(classes) != 2)
    ):
        return {}
    chances = values if values.shape[1] > 1 else np.concatenate([1 - values, values], axis=1)
    chosen = chances.argmax(axis=1)
    return {
        "predicted": [classes[index] for index in chosen],
        "probability": chances[np.arange(len(chances)), chosen],
        **{f"P({name})": chances[:, index] for index, name in enumerate(classes)},
    }


def _numbers(values: NDArray[Any], targets: list[str]) -> dict[str, Any]:
    names = targets if len(targets) == values.shape[1] else [f"output_{i}" for i in range(values.shape[1])]
    return {name: values[:, index] for index, name in enumerate(names)}
