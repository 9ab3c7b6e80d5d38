"""What a model says of the examples of a part, as rows that people can read."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Predictions:
    """A model's outputs for the examples of a part.

    Args:
        part: Which examples.
        outputs: Of shape (n, ...).
        targets: Class indices of shape (n,), or numbers of shape (n,) or (n, k).
        classes: The number of classes; None for regression.
        class_names: Names of the classes, where the data has them.
    """

    part: str
    outputs: NDArray[Any]
    targets: NDArray[Any]
    classes: int | None
    class_names: tuple[str, ...] | None

    def rows(self) -> Iterator[dict[str, Any]]:
        """One example after the other: its number, its target, and what the model says.

        For classes: ``predicted``, its ``probability`` and whether it is ``right``. Otherwise the outputs.
        """
        flat = self.outputs.reshape(len(self.outputs), -1)  # (n, values)
        for index, (output, target) in enumerate(zip(flat, self.targets, strict=True)):
            if self.classes is None or flat.shape[1] not in (1, self.classes):
                values = {
                    f"output_{i}" if len(output) > 1 else "output": float(x) for i, x in enumerate(output)
                }
                yield {"example": index, "target": np.asarray(target).tolist(), **values}
                continue
            chances = output if len(output) > 1 else np.array([1 - output[0], output[0]])
            predicted = int(chances.argmax())
            yield {
                "example": index,
                "target": self._name(int(target)),
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
