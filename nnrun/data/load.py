"""From a data section to examples, found, divided and identified."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnrun.data.builtin import find_dataset
from nnrun.data.examples import Examples
from nnrun.data.fingerprint import fingerprint
from nnrun.data.split import split_indices
from nnrun.data.weights import load_weights
from nnrun.spec.datasets import DatasetFacts
from nnrun.spec.schema import DataSection

__all__ = ["Data", "Examples", "load_data"]


@dataclass(frozen=True)
class Data:
    """A data set, loaded and divided.

    Args:
        name: What to show: ``mnist``, or ``digits (fallback for mnist: <reason>)``.
        facts: Of what was really loaded; ``facts.train`` counts the validation part too.
        train: What the weights are learned from.
        validation: What tells the best epoch; None without ``training.validation_split``.
        test: What nothing is learned from; None where the source has none.
        class_names: One for each class; None for regression.
        fingerprint: ``sha256:<hex>`` of the content, before the validation part is taken from it.
        split: ``train`` and ``validation``: ascending indices (int64) into the source's training part.
        warning: What nobody must miss, such as a fallback.
    """

    name: str
    facts: DatasetFacts
    train: Examples
    validation: Examples | None
    test: Examples | None
    class_names: tuple[str, ...] | None
    fingerprint: str
    split: dict[str, NDArray[Any]]
    warning: str | None


def load_data(
    section: DataSection, *, seed: int, validation_split: float, notify: Callable[[str], None]
) -> Data:
    """Load what a data section names and take the validation part from its training part.

    Args:
        section: Checked: its source and arguments are among the built-in ones.
        seed: Of generated examples and of the division.
        validation_split: The part of the training examples to hold out, in [0, 1); see ``split_indices``.
        notify: Is told what takes long, a download above all.

    Raises:
        DataError: The source cannot be had, its file is not what it should be, or a part would be empty.
    """
    found = find_dataset(section, seed=seed, notify=notify)
    dataset = found.dataset
    if section.sample_weight is not None:
        weights = load_weights(Path(section.sample_weight), len(dataset.train))
        dataset = replace(dataset, train=replace(dataset.train, weights=weights))
    split = _split(dataset.train, validation_split, seed)
    divided = len(split["validation"]) > 0
    return Data(
        name=found.name,
        facts=dataset.facts,
        train=dataset.train.take(split["train"]) if divided else dataset.train,
        validation=dataset.train.take(split["validation"]) if divided else None,
        test=dataset.test,
        class_names=dataset.class_names,
        fingerprint=fingerprint(dataset),
        split=split,
        warning=found.warning,
    )


def _split(examples: Examples, validation_split: float, seed: int) -> dict[str, NDArray[Any]]:
    if not validation_split:
        return {"train": np.arange(len(examples)), "validation": np.arange(0)}
    train, validation = split_indices(examples.y, validation_split, seed=seed)
    return {"train": train, "validation": validation}
