"""From a data section to examples, found, divided and identified."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnrun.data.builtin import find_dataset
from nnrun.data.examples import Examples, Streamed
from nnrun.data.fingerprint import fingerprint
from nnrun.data.own import Reader, load_own, look
from nnrun.data.split import split_indices
from nnrun.data.targets import Targets
from nnrun.data.weights import load_weights
from nnrun.spec.datasets import DatasetFacts, dataset_facts
from nnrun.spec.file_sources import (
    FILE_SOURCES,
    ImagesSource,
    NpySource,
    NpzSource,
    TableSource,
    TextSource,
    read_file_source,
)
from nnrun.spec.schema import Choice, DataSection, Losses

__all__ = ["Data", "Examples", "load_data"]

OF_NUMBERS = Choice("mean_squared_error")


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
        split: ``train`` and ``validation``: ascending indices into the source's training part.
        warning: What nobody must miss, such as a fallback.
        reader: What read the user's own files; None for the built-in sources.
        notes: What is good to know, such as columns that are left out.
        cache: Where the examples are kept: ``memory``, ``disk`` or ``none``.
        targets: What the columns of files are that are to be predicted.
    """

    name: str
    facts: DatasetFacts
    train: Examples | Streamed
    validation: Examples | Streamed | None
    test: Examples | Streamed | None
    class_names: tuple[str, ...] | None
    fingerprint: str
    split: dict[str, NDArray[Any]]
    warning: str | None
    reader: Reader | None = None
    notes: tuple[str, ...] = ()
    cache: str = "memory"
    targets: Targets = Targets(columns=["target"])  # noqa: RUF009  (it never changes)


def load_data(
    section: DataSection,
    *,
    losses: Losses = OF_NUMBERS,
    seed: int,
    validation_split: float,
    notify: Callable[[str], None],
) -> Data:
    """Load what a data section names and take the validation part from its training part.

    Args:
        section: Checked: its source and arguments are known.
        losses: The training's; they tell whether whole numbers in a file are classes.
        seed: Of generated examples and of the division.
        validation_split: The part of the training examples to hold out, in [0, 1); see ``split_indices``.
        notify: Is told what takes long, a download above all.

    Raises:
        DataError: The source cannot be had, its file is not what it should be, or a part would be empty.
    """
    if section.source.name in FILE_SOURCES:
        return _load_files(section, losses, seed, validation_split, notify)
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


def _load_files(
    section: DataSection,
    losses: Losses,
    seed: int,
    validation_split: float,
    notify: Callable[[str], None],
) -> Data:
    """The user's own files."""
    source = read_file_source(section.source)
    reader = make_reader(section.source, losses)
    own = load_own(
        reader,
        source,
        cache=section.cache,
        seed=seed,
        validation_split=validation_split,
        notify=notify,
    )
    train = own.train
    if section.sample_weight is not None:
        rows = own.split["train"]
        weights = load_weights(Path(section.sample_weight), sum(map(len, own.split.values())))
        train = replace(train, weights=weights[rows])  # type: ignore[type-var]  # dataclasses, all of them
    classes = reader.targets.classes
    return Data(
        name=reader.name,
        facts=own.facts,
        train=train,
        validation=own.validation,
        test=own.test,
        class_names=None if classes is None else tuple(classes),
        fingerprint=reader.fingerprint(),
        split=own.split,
        warning=None,
        reader=reader,
        notes=tuple(own.notes),
        cache=own.cache,
        targets=reader.targets,
    )


def load_facts(section: DataSection, *, losses: Losses, seed: int, validation_split: float) -> DatasetFacts:
    """What is known of a source's examples; the user's own files are read, and not made into inputs.

    Raises:
        DataError: A file is not what it should be.
    """
    if section.source.name not in FILE_SOURCES:
        return dataset_facts(section.source)
    reader = make_reader(section.source, losses)
    source = read_file_source(section.source)
    return look(reader, source, seed=seed, validation_split=validation_split)


def make_reader(choice: Choice, losses: Losses) -> Reader:
    """What reads the files of a source."""
    source = read_file_source(choice)
    if isinstance(source, TableSource):
        from nnrun.data.table_reader import TableReader

        return TableReader.look(source, losses)
    if isinstance(source, ImagesSource):
        from nnrun.data.image_reader import ImageReader

        return ImageReader(source, losses)
    if isinstance(source, TextSource):
        from nnrun.data.text_reader import look_at_texts

        return look_at_texts(source, losses)
    if isinstance(source, NpzSource | NpySource):
        from nnrun.data.array_reader import ArrayReader

        return ArrayReader(source, losses)
    raise NotImplementedError(choice.name)


def _split(examples: Examples, validation_split: float, seed: int) -> dict[str, NDArray[Any]]:
    if not validation_split:
        return {"train": np.arange(len(examples)), "validation": np.arange(0)}
    train, validation = split_indices(examples.y, validation_split, seed=seed)
    return {"train": train, "validation": validation}
