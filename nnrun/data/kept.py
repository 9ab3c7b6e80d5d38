"""What a run keeps of the way from the user's files to the model's inputs, so that new files go the same way."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, ValidationError, model_validator

from nnrun.data.examples import Examples
from nnrun.data.load import Data
from nnrun.data.own import Reader
from nnrun.data.preprocessing import Preprocessing
from nnrun.data.targets import Targets
from nnrun.errors import RunError
from nnrun.spec.datasets import DatasetFacts, InputFacts
from nnrun.spec.file_checks import check_file_source
from nnrun.spec.file_sources import (
    FILE_SOURCES,
    ImagesSource,
    NpySource,
    NpzSource,
    Paths,
    TableSource,
    TextSource,
    read_file_source,
)
from nnrun.spec.schema import Choice, Section
from nnrun.store.reading import read_own

FILE = "preprocessing.json"
MOST_BYTES = 256 << 20
MOST_NUMBERS = 1 << 28
"""In an example: what is larger is no example, but a mistake, or meant to exhaust the memory."""


class KeptInput(Section):
    """An input of the model."""

    shape: list[Annotated[int, Field(ge=1)]] = Field(max_length=8)
    dtype: Literal["uint8", "int32", "float32"]
    divisor: float | None = Field(default=None, gt=0)

    @model_validator(mode="after")
    def _check(self) -> KeptInput:
        if math.prod(self.shape) > MOST_NUMBERS:
            raise ValueError(
                f"an example of {math.prod(self.shape):,} numbers; expected at most {MOST_NUMBERS:,}"
            )
        return self


class Kept(Section):
    """All that is needed to make new files into inputs and outputs into answers.

    Args:
        format: Of this file.
        source: The kind of files.
        arguments: Of the source, as they were when the run was trained.
        inputs: The model's inputs.
        targets: What it predicts.
        preprocessing: What was learned from the training rows of a table or of texts.
    """

    format: Literal[1] = 1
    source: str
    arguments: dict[str, Any]
    inputs: dict[str, KeptInput] = Field(min_length=1)
    targets: Targets
    preprocessing: Preprocessing | None = None

    @model_validator(mode="after")
    def _check(self) -> Kept:
        if not self.targets.columns:
            raise ValueError("expected targets")
        made = self.preprocessing
        if made is None and self.source in ("csv", "parquet", "text"):
            raise ValueError("it does not say how a table becomes numbers")
        if made is not None:
            found = {name: (list(made.shape(name)), made.dtype(name)) for name in made.inputs}
            if found != {name: (one.shape, one.dtype) for name, one in self.inputs.items()}:
                raise ValueError("what preprocessing makes is not what the model's inputs are")
        return self

    @property
    def choice(self) -> Choice:
        return Choice(self.source, self.arguments)


def keep(choice: Choice, reader: Reader) -> str:
    """What is kept of a source and its reader, as JSON."""
    inputs = {
        name: KeptInput(shape=list(one.shape), dtype=one.dtype, divisor=one.divisor)  # type: ignore[arg-type]
        for name, one in reader.inputs().items()
    }
    kept = Kept(
        source=choice.name,
        arguments=choice.arguments,
        inputs=inputs,
        targets=reader.targets,
        preprocessing=getattr(reader, "preprocessing", None),
    )
    return json.dumps(kept.model_dump(mode="json"), ensure_ascii=False, indent=1) + "\n"


def read_kept(folder: Path) -> Kept:
    """What a run keeps.

    Raises:
        RunError: There is nothing, or it is damaged.
    """
    path = folder / FILE
    try:
        kept = Kept.model_validate_json(read_own(path, MOST_BYTES))
        wrong = [] if kept.source in FILE_SOURCES else [("", "an unknown source")]
        wrong = wrong or check_file_source(kept.choice)
    except FileNotFoundError:
        raise RunError(f"{path} is not there: the run was not trained on files of the user's own") from None
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise RunError(f"{path} is damaged: {where}: {first['msg']}") from None
    if wrong:
        raise RunError(f"{path} is damaged: {wrong[0][0]}: {wrong[0][1]}")
    return kept


def input_facts(kept: Kept) -> dict[str, InputFacts]:
    """The shapes of the inputs."""
    return {name: InputFacts(tuple(one.shape), one.dtype, one.divisor) for name, one in kept.inputs.items()}


def restore_reader(kept: Kept) -> Reader:
    """A reader that makes new files into inputs as those of the run were."""
    source = read_file_source(kept.choice)
    if isinstance(source, ImagesSource):
        from nnrun.data.image_reader import ImageReader

        return ImageReader.restore(source, kept.targets)
    if isinstance(source, NpzSource | NpySource):
        from nnrun.data.array_reader import ArrayReader

        return ArrayReader.restore(source, kept.targets, input_facts(kept))
    if kept.preprocessing is None:
        raise RuntimeError("refused when it was read")
    if isinstance(source, TextSource):
        from nnrun.data.text_reader import restore_texts

        return restore_texts(source, kept.targets, kept.preprocessing)
    if isinstance(source, TableSource):
        from nnrun.data.table_reader import TableReader

        return TableReader.restore(source, kept.targets, kept.preprocessing)
    raise RunError(f"{FILE} is damaged: nnrun reads no {kept.source}")


def data_of_files(kept: Kept, files: Paths) -> Data:
    """New files with their targets as the test part of a data set.

    Raises:
        DataError: A column is missing, or a value or a class is not what it should be.
    """
    reader = restore_reader(kept)
    part = reader.read(files)
    examples = Examples(reader.examples(part, None), part.y)
    return _data(kept, part.place, examples, len(examples))


def data_of_shapes(kept: Kept) -> Data:
    """A data set of one example of zeros, from which a model can be built."""
    inputs = {name: np.zeros((1, *one.shape), one.dtype) for name, one in kept.inputs.items()}
    columns = len(kept.targets.columns)
    y: NDArray[Any] = np.zeros((1, columns) if columns > 1 else 1, np.float32)
    if kept.targets.classes is not None:
        y = np.zeros(1, np.int32)
    return _data(kept, kept.source, Examples(inputs["input"] if list(inputs) == ["input"] else inputs, y), 0)


def _data(kept: Kept, name: str, examples: Examples, count: int) -> Data:
    inputs = input_facts(kept)
    first = next(iter(inputs.values()))
    classes = kept.targets.classes
    facts = DatasetFacts(
        name,
        first.shape,
        first.dtype,
        None if classes is None else len(classes),
        count,
        count,
        first.divisor,
        inputs=inputs,
    )
    names = None if classes is None else tuple(classes)
    return Data(name, facts, examples, None, examples, names, "", {}, None, targets=kept.targets)
