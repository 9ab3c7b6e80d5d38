"""The user's own files as examples: read, divided, and made into the model's inputs by what the training part says."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from nnrun.data.examples import Examples, Streamed
from nnrun.data.split import split_indices
from nnrun.data.streaming import choose_cache
from nnrun.data.targets import Targets, refuse_constants, refuse_lonely_classes
from nnrun.spec.datasets import DatasetFacts, InputFacts
from nnrun.spec.file_sources import FileSource

Inputs = NDArray[Any] | dict[str, NDArray[Any]]


class Part(Protocol):
    """Raw examples of some files."""

    @property
    def y(self) -> NDArray[Any]:
        """Their targets: class indices of shape (n,), or numbers of shape (n,) or (n, k)."""

    @property
    def place(self) -> str:
        """What to call them in messages."""


class Reader(Protocol):
    """Reads one kind of files and makes them into inputs."""

    name: str
    targets: Targets
    notes: list[str]
    training_files: Any

    def read(self, paths: Any) -> Any:
        """The raw examples of files."""

    def fit(self, part: Any, rows: NDArray[Any]) -> None:
        """Learn from rows of the training part what the inputs need."""

    def inputs(self) -> dict[str, InputFacts]:
        """The inputs by name, after :meth:`fit`."""

    def examples(self, part: Any, rows: NDArray[Any] | None, *, last: bool = False) -> Inputs:
        """Rows as inputs; the last that are asked of a part may be made in its own memory."""

    def batches(self, paths: Any, size: int) -> Iterator[Inputs]:
        """The inputs of new files without targets, ``size`` examples at a time."""

    def decide(self, cache: str) -> str:
        """Where the examples will be kept, where that must be known before they are read; else ``auto``."""

    def memory(self, part: Any) -> int:
        """The bytes that the inputs of a part take in memory."""

    def stream(self, part: Any, rows: NDArray[Any]) -> Streamed:
        """Rows as inputs that stay in their files."""

    def fingerprint(self) -> str:
        """What identifies all the files."""


@dataclass(frozen=True)
class Own:
    """The user's own files, loaded.

    Args:
        reader: What read them; it reads new files in the same way.
        facts: Their shapes and counts.
        train: What is learned from.
        validation: What tells the best epoch, if any.
        test: What nothing is learned from, if any.
        split: ``train``, ``validation`` and ``test``: ascending rows of the training files.
        cache: Where the examples are kept: ``memory``, ``disk`` or ``none``.
        notes: What is good to know, such as columns that are left out.
    """

    reader: Reader
    facts: DatasetFacts
    train: Examples | Streamed
    validation: Examples | Streamed | None
    test: Examples | Streamed | None
    split: dict[str, NDArray[Any]]
    cache: str
    notes: list[str] = field(default_factory=list)


def load_own(
    reader: Reader,
    source: FileSource,
    *,
    cache: str,
    seed: int,
    validation_split: float,
    notify: Callable[[str], None],
) -> Own:
    """Read the files of a source and divide them.

    Args:
        reader: For this kind of files.
        source: Which files, and how much to hold out.
        cache: Where to keep the examples; ``auto`` by their size.
        seed: Of the division.
        validation_split: The part of the training examples to hold out, in [0, 1).
        notify: Is told what takes long.

    Raises:
        DataError: A file is not what it should be, or a part would be empty.
    """
    cache = reader.decide(cache)
    whole, own, split = _open(reader, source, seed, validation_split)
    refuse_constants(whole.y, reader.targets, whole.place)
    if cache == "auto":
        cache = choose_cache(reader.memory(whole), in_place=True)
    if cache != "memory":
        notify("the examples are read from their files as they are needed")
    held = {
        name: _take(reader, whole, rows, cache) if len(rows) else None
        for name, rows in split.items()
        if name != "train"
    }
    held |= {name: _take(reader, part, np.arange(len(part.y)), cache) for name, part in own.items()}
    train = _take(reader, whole, split["train"], cache, last=True)
    counts = {name: len(part) if part else 0 for name, part in held.items()} | {"train": len(train)}
    facts = _facts(reader, counts, has_files="validation" in own)
    return Own(reader, facts, train, held["validation"], held["test"], split, cache, list(reader.notes))


def _take(
    reader: Reader, part: Any, rows: NDArray[Any], cache: str, *, last: bool = False
) -> Examples | Streamed:
    """Rows of a part as examples, perhaps the last that are taken from it."""
    if cache != "memory":
        return reader.stream(part, rows)
    whole = len(rows) == len(part.y)
    return Examples(reader.examples(part, None if whole else rows, last=last), part.y[rows])


def look(reader: Reader, source: FileSource, *, seed: int, validation_split: float) -> DatasetFacts:
    """What is known of the examples, without making them into inputs."""
    reader.decide("auto")
    _, own, split = _open(reader, source, seed, validation_split)
    counts = {name: len(rows) for name, rows in split.items()} | {
        name: len(part.y) for name, part in own.items()
    }
    return _facts(reader, counts, has_files="validation" in own)


def _open(
    reader: Reader, source: FileSource, seed: int, validation_split: float
) -> tuple[Any, dict[str, Any], dict[str, NDArray[Any]]]:
    """The raw examples of the training files, those of the parts with files of their own, and the division."""
    whole = reader.read(reader.training_files)
    parts: Mapping[str, Any] = {"validation": source.validation, "test": source.test}
    own = {name: reader.read(files) for name, files in parts.items() if files is not None}
    split = divide(whole, reader.targets, source.held_out_for_test, validation_split, seed)
    reader.fit(whole, split["train"])
    return whole, own, split


def _facts(reader: Reader, counts: Mapping[str, int], *, has_files: bool) -> DatasetFacts:
    inputs = reader.inputs()
    first = next(iter(inputs.values()))
    classes = None if reader.targets.classes is None else len(reader.targets.classes)
    train = counts["train"] + (0 if has_files else counts["validation"])
    return DatasetFacts(
        reader.name, first.shape, first.dtype, classes, train, counts["test"], first.divisor, inputs=inputs
    )


def divide(
    part: Part, targets: Targets, test_split: float, validation_split: float, seed: int
) -> dict[str, NDArray[Any]]:
    """The rows to learn from and those held out; each ascending.

    Raises:
        DataError: A part would be empty, or a class has a single example.
    """
    rows = np.arange(len(part.y))
    if test_split or validation_split:
        refuse_lonely_classes(part.y, targets, part.place)
    held: dict[str, NDArray[Any]] = {"test": rows[:0], "validation": rows[:0]}
    for name, fraction, setting in (
        ("test", test_split, "test_split"),
        ("validation", validation_split, "training.validation_split"),
    ):
        if fraction:
            learned, chosen = split_indices(part.y[rows], fraction, seed=seed, setting=setting)
            rows, held[name] = rows[learned], rows[chosen]
    small = np.int32 if len(part.y) < 2**31 else np.int64  # there can be a billion of them
    return {name: found.astype(small) for name, found in ({"train": rows} | held).items()}
