"""What a classifier says of examples whose classes are known, checked once for all that is computed from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nnrun.errors import DataError

ROUNDING = 1e-3
"""How far outside of 0 to 1 a probability of low precision may lie."""


@dataclass(frozen=True)
class Answers:
    """A classifier's probabilities for examples whose classes are known; made by :func:`check_answers`.

    Args:
        targets: Class indices, int64 of shape (n,).
        probabilities: Floats of shape (n, classes), in [0, 1].
        class_names: One for each class.
    """

    targets: NDArray[np.int64]
    probabilities: NDArray[np.floating[Any]]
    class_names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.targets)

    @property
    def classes(self) -> int:
        """The number of classes."""
        return len(self.class_names)

    @cached_property
    def predicted(self) -> NDArray[np.int64]:
        """The most probable classes, int64 of shape (n,); the first of those that are equally probable."""
        classes: NDArray[np.int64] = self.probabilities.argmax(axis=1)
        return classes

    @cached_property
    def confidence(self) -> NDArray[np.floating[Any]]:
        """The probabilities of the predicted classes, of shape (n,)."""
        return self._of(self.predicted)

    @cached_property
    def given_to_target(self) -> NDArray[np.floating[Any]]:
        """The probabilities of the true classes, of shape (n,)."""
        return self._of(self.targets)

    def _of(self, classes: NDArray[np.int64]) -> NDArray[np.floating[Any]]:
        picked: NDArray[np.floating[Any]] = self.probabilities[np.arange(len(self)), classes]
        return picked


def check_answers(
    targets: ArrayLike, probabilities: ArrayLike, class_names: Sequence[str] | None = None
) -> Answers:
    """Check a classifier's outputs and put them into one form.

    Args:
        targets: Class indices of shape (n,) or (n, 1).
        probabilities: Of shape (n, classes); or (n,) or (n, 1): the probabilities of class 1 of two.
        class_names: One for each class; None: their indices.

    Raises:
        DataError: They do not fit each other, or hold something else than indices and probabilities.
    """
    known, said = np.asarray(targets), np.asarray(probabilities)
    if known.ndim == 2 and known.shape[1] == 1:
        known = known[:, 0]
    if said.ndim == 2 and said.shape[1] == 1:
        said = said[:, 0]
    _refuse(_problems_of_form(known, said))
    if said.dtype.kind != "f":
        said = said.astype(np.float64)
    _refuse(_problems_of_values(known, said))
    if said.ndim == 1:
        said = np.column_stack([1 - said, said])
    if said.min() < 0 or said.max() > 1:
        said = said.clip(0, 1)
    names = tuple(map(str, range(said.shape[1]) if class_names is None else class_names))
    if len(names) != said.shape[1]:
        _refuse([f"class names: expected {said.shape[1]}, one for each class; found {len(names)}"])
    return Answers(known.astype(np.int64), said, names)


def probabilities_of_logits(outputs: ArrayLike) -> NDArray[np.floating[Any]]:
    """The probabilities that a model without a last activation stands for (``from_logits: true``).

    Args:
        outputs: Of shape (n, classes), for which this is softmax; or (n,) or (n, 1), for which it is sigmoid.

    Returns:
        float64 of the same shape.
    """
    logits = np.asarray(outputs, np.float64)
    if logits.ndim == 2 and logits.shape[1] > 1:
        powers = np.exp(logits - logits.max(axis=1, keepdims=True))
        shares: NDArray[np.floating[Any]] = powers / powers.sum(axis=1, keepdims=True)
        return shares
    halves: NDArray[np.floating[Any]] = 0.5 * (1 + np.tanh(0.5 * logits))  # sigmoid, without overflow
    return halves


def _problems_of_form(targets: NDArray[Any], probabilities: NDArray[Any]) -> list[str]:
    problems = []
    if targets.ndim != 1 or targets.dtype.kind not in "biuf":
        problems.append(f"targets: expected class indices of shape (n,); found {_described(targets)}")
    if probabilities.ndim not in (1, 2) or probabilities.dtype.kind not in "biuf" or 0 in probabilities.shape:
        found = _described(probabilities)
        problems.append(f"probabilities: expected at least one example, of shape (n, classes); found {found}")
    if not problems and len(targets) != len(probabilities):
        problems.append(
            f"expected as many probabilities as targets; found {len(probabilities)} for {len(targets)}"
        )
    return problems


def _problems_of_values(targets: NDArray[Any], probabilities: NDArray[np.floating[Any]]) -> list[str]:
    problems = []
    classes = probabilities.shape[1] if probabilities.ndim == 2 else 2
    with np.errstate(invalid="ignore"):
        wrong = ~((targets >= 0) & (targets < classes) & (targets == np.floor(targets)))
    if wrong.any():
        first = int(wrong.argmax())
        problems.append(
            f"targets: expected class indices from 0 to {classes - 1}; "
            f"found {targets[first].item()} at example {first}"
        )
    if not np.isfinite(probabilities).all():
        first = int(np.argmin(np.isfinite(probabilities).reshape(len(probabilities), -1).all(axis=1)))
        count = int((~np.isfinite(probabilities)).sum())
        problems.append(
            f"probabilities: {count} are not finite, first at example {first}; "
            "a weight may be NaN: predict with an earlier checkpoint"
        )
    elif probabilities.min() < -ROUNDING or probabilities.max() > 1 + ROUNDING:
        problems.append(
            f"probabilities: expected values from 0 to 1; found {probabilities.min():.4g} to "
            f"{probabilities.max():.4g}; give outputs without a last activation (logits) to softmax or sigmoid first"
        )
    return problems


def _described(array: NDArray[Any]) -> str:
    return f"{array.dtype} of shape {array.shape}"


def _refuse(problems: list[str]) -> None:
    if problems:
        raise DataError("\n".join(problems))
