"""A source opened for looking at it: all its examples, as they are stored, with the part that each belongs to."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nnrun.data.columns import Columns
from nnrun.data.examples import Examples
from nnrun.data.inspect_repeats import Keys, hash_arrays, hash_table
from nnrun.data.inspect_table import Rows
from nnrun.data.load import load_data, make_reader
from nnrun.data.own import divide
from nnrun.data.targets import Targets
from nnrun.errors import DataError
from nnrun.spec.datasets import InputFacts
from nnrun.spec.file_sources import (
    FILE_SOURCES,
    FileSource,
    NumberColumn,
    TextColumn,
    TextSettings,
    read_file_source,
)
from nnrun.spec.load import Loaded

if TYPE_CHECKING:
    from nnrun.data.image_reader import ImagePart, ImageReader

PARTS = ("train", "validation", "test")
MOST_PICTURES = 256
"""Picture files that are decoded, at equal distances."""

MOST_HASHED = 20_000
"""Picture files that are compared with each other; more would take long to read."""

MOST_FEATURES = 64
"""An array of shape (n, features) with at most so many is shown feature by feature."""

Blocks = list[dict[str, NDArray[Any]]]


@dataclass(frozen=True)
class Opened:
    """All examples of a source, one part of the files below the other.

    Args:
        name: What the source is called.
        names: The parts that have examples; the first is learned from.
        part: For each example the index of its part in ``names``, uint8 of shape (n,).
        place: What to call an example, by its index.
        y: Their targets.
        targets: What is to be predicted.
        classes: The names of the classes; None for numbers.
        keys: The same number for the same inputs, of shape (n,); None where they were not compared.
        inputs: What the model is given, where that is known without looking at the columns.
        rows: Those of a table, or of a narrow array.
        columns: What its columns are.
        groups: The inputs of a table with their columns, where the specification names them.
        blocks: The arrays of the inputs, in as many blocks as there are.
        sample: Examples to draw, of arrays.
        vocabulary: Of word numbers.
        looked_at: How many examples are in the blocks, where not all are.
        notes: What the reader noticed.
        warning: What nobody must miss, such as a fallback.
    """

    name: str
    names: list[str]
    part: NDArray[Any]
    place: Callable[[int], str]
    y: NDArray[Any]
    targets: Targets
    classes: list[str] | None
    keys: Keys | None
    inputs: Mapping[str, InputFacts] = field(default_factory=dict)
    rows: Rows | None = None
    columns: Columns | None = None
    groups: Mapping[str, list[str]] | None = None
    blocks: Blocks = field(default_factory=list)
    sample: Examples | None = None
    vocabulary: int | None = None
    looked_at: int | None = None
    notes: Sequence[str] = ()
    warning: str | None = None


def open_source(loaded: Loaded, notify: Callable[[str], None]) -> Opened:
    """Read and divide the source of a specification, and learn nothing from it.

    Args:
        loaded: The specification.
        notify: Is told what takes long.

    Raises:
        DataError: It cannot be had, or a file is not what it should be.
    """
    if loaded.spec.data.source.name in FILE_SOURCES:
        return _open_files(loaded)
    return _open_built_in(loaded, notify)


def _open_built_in(loaded: Loaded, notify: Callable[[str], None]) -> Opened:
    spec = loaded.spec
    data = load_data(
        spec.data,
        losses=spec.training.loss,
        seed=spec.seed,
        validation_split=spec.training.validation_split,
        notify=notify,
    )
    found = {name: getattr(data, name) for name in PARTS}
    parts = {name: part for name, part in found.items() if part is not None and len(part)}
    names, lengths = list(parts), [len(part) for part in parts.values()]
    labels = np.repeat(np.arange(len(parts), dtype=np.uint8), lengths)
    blocks = [_by_name(part.x) for part in parts.values()]
    starts = np.cumsum([0, *lengths])

    def place(index: int) -> str:
        return f"{names[labels[index]]} example {index - starts[labels[index]] + 1:,}"

    facts = data.facts
    classes = None if data.class_names is None else list(data.class_names)
    return Opened(
        name=data.name,
        names=names,
        part=labels,
        place=place,
        y=np.concatenate([part.y for part in parts.values()]),
        targets=Targets(columns=[], classes=classes),
        classes=classes,
        keys=np.concatenate([hash_arrays(part.x) for part in parts.values()]),
        inputs={"input": InputFacts(facts.shape, facts.dtype, facts.divisor)},
        blocks=blocks,
        sample=_sample(blocks[0], parts["train"].y),
        vocabulary=facts.vocabulary,
        warning=data.warning,
        **_as_table(blocks, labels, names, facts.vocabulary),
    )


def _open_files(loaded: Loaded) -> Opened:
    spec = loaded.spec
    source = read_file_source(spec.data.source)
    reader: Any = make_reader(spec.data.source, spec.training.loss)
    whole = reader.read(reader.training_files)
    given: Mapping[str, Any] = {"validation": source.validation, "test": source.test}
    fraction = spec.training.validation_split
    if source.validation is not None and fraction:
        raise DataError(
            "the validation examples have files of their own (data.source.validation); remove training.validation_split"
        )
    own = {name: reader.read(files) for name, files in given.items() if files is not None}
    split = divide(whole, reader.targets, source.held_out_for_test, fraction, spec.seed)
    names = [name for name in PARTS if name in own or len(split[name])]
    first = np.zeros(len(whole.y), np.uint8)
    for name, rows in split.items():
        first[rows] = names.index(name) if len(rows) else 0
    parts = [whole, *own.values()]
    labels = [first, *(np.full(len(part.y), names.index(name), np.uint8) for name, part in own.items())]
    part = np.concatenate(labels)
    starts = np.cumsum([0, *map(len, labels)])

    def place(index: int) -> str:
        block = int(np.searchsorted(starts, index, side="right")) - 1
        return f"row {index - starts[block] + 1:,} of {parts[block].place} ({names[part[index]]})"

    return Opened(
        name=reader.name,
        names=names,
        part=part,
        y=np.concatenate([one.y for one in parts]),
        targets=reader.targets,
        classes=reader.targets.classes,
        notes=reader.notes,
        **({"place": place} | _read_content(reader, source, parts, part, names)),
    )


def _read_content(
    reader: Any, source: FileSource, parts: list[Any], part: NDArray[Any], names: list[str]
) -> dict[str, Any]:
    """The inputs of files, as arguments of :class:`Opened`."""
    import polars as pl

    first = parts[0]
    if hasattr(first, "frame"):
        frame = pl.concat([one.frame for one in parts], how="vertical_relaxed")
        columns = getattr(reader, "columns", None) or _text_columns(source)
        return {
            "rows": Rows(frame, part, names),
            "columns": columns,
            "groups": getattr(source, "inputs", None),
            "keys": hash_table(frame),
        }
    if hasattr(first, "x"):
        blocks = [dict(one.x) for one in parts]
        keys = np.concatenate([hash_arrays(one) for one in blocks])
        learned = np.flatnonzero(part[: len(first.y)] == 0)
        sample = _sample(blocks[0], first.y, learned)
        shared = {"inputs": reader.inputs(), "blocks": blocks, "keys": keys, "sample": sample}
        return shared | _as_table(blocks, part, names, None)
    return _read_pictures(reader, parts, part)


def _text_columns(source: FileSource) -> Columns:
    """The column of a folder of texts."""
    given = source.model_dump(include=set(TextSettings.model_fields))
    return Columns({"text": TextColumn(**given)}, ["class"])


def _read_pictures(reader: ImageReader, parts: list[ImagePart], part: NDArray[Any]) -> dict[str, Any]:
    """Some pictures, decoded; all are compared by their bytes."""
    files = [file for one in parts for file in one.files]
    names = [name for one in parts for name in one.names]
    keys = None
    if len(files) <= MOST_HASHED:
        with ThreadPoolExecutor(4) as threads:
            hashes = threads.map(lambda file: hash(Path(file).read_bytes()), files)
            keys = np.fromiter(hashes, np.int64, len(files)).view(np.uint64)
    learned = np.flatnonzero(part[: len(parts[0].files)] == 0)
    rows = learned[_spread(len(learned), MOST_PICTURES)]
    x = reader.examples(parts[0], rows)
    return {
        "inputs": reader.inputs(),
        "keys": keys,
        "blocks": [{"input": x}],
        "sample": Examples(x, parts[0].y[rows]),
        "looked_at": len(rows) if len(rows) < len(files) else None,
        "place": lambda index: names[index],
    }


def _as_table(blocks: Blocks, part: NDArray[Any], names: list[str], vocabulary: int | None) -> dict[str, Any]:
    """An array of few features as a table of numbers."""
    import polars as pl

    shapes = {name: array.shape for name, array in blocks[0].items()}
    if vocabulary or len(shapes) != 1:
        return {}
    ((name, shape),) = shapes.items()
    if len(shape) > 2 or (len(shape) == 2 and shape[1] > MOST_FEATURES):
        return {}
    x = np.concatenate([block[name].reshape(len(block[name]), -1) for block in blocks])
    frame = pl.DataFrame({f"x[{place}]": np.ascontiguousarray(x[:, place]) for place in range(x.shape[1])})
    kinds = dict.fromkeys(frame.columns, NumberColumn(scale="none"))
    columns = Columns(dict(kinds), [], inferred=frozenset(frame.columns))
    return {"rows": Rows(frame, part, names), "columns": columns}


def _by_name(x: NDArray[Any] | dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    return x if isinstance(x, dict) else {"input": x}


def _sample(block: Mapping[str, NDArray[Any]], y: NDArray[Any], rows: NDArray[Any] | None = None) -> Examples:
    """Training examples to draw, at equal distances; those of the first input."""
    x = next(iter(block.values()))
    rows = np.arange(len(y)) if rows is None else rows
    chosen = rows[_spread(len(rows), 5_000 if x.ndim <= 2 else MOST_PICTURES)]
    return Examples(np.asarray(x[chosen]), y[chosen])


def _spread(count: int, most: int) -> NDArray[np.intp]:
    """At most so many indices at equal distances."""
    return np.linspace(0, count - 1, min(count, most)).round().astype(np.intp)
