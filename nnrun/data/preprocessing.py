"""How the columns of a table become the inputs of a model: what was learned from training rows, as plain data.

It is kept with the run; the layers of ``transform.py`` are made from it, so that training, evaluation and prediction on
new files go the same way.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field, model_validator

from nnrun.spec.file_sources import DateColumn, TextSettings
from nnrun.spec.schema import Section

LARGEST = float(np.finfo(np.float32).max)
SMALLEST = float(np.finfo(np.float32).tiny) ** 2
"""The least variance of which the root is a 32-bit number."""

Finite = Annotated[float, Field(ge=-LARGEST, le=LARGEST)]
Variance = Annotated[float, Field(ge=SMALLEST, le=LARGEST**2)]


class Numbers(Section):
    """Columns of numbers side by side: filled, perhaps log(1 + x), then ``(x - mean) / sqrt(variance)``.

    Args:
        columns: k of them.
        log: Whether log(1 + x) is taken.
        fill: What stands for a missing value in each.
        flags: Indices of the columns in which values are missing; each gets a column of zeros and ones.
        mean: Is subtracted.
        variance: By its root is divided.
    """

    kind: Literal["numbers"] = "numbers"
    columns: list[str] = Field(min_length=1)
    log: bool
    fill: list[Finite]
    flags: list[int]
    mean: list[Finite]
    variance: list[Variance]

    @model_validator(mode="after")
    def _check(self) -> Numbers:
        count = len(self.columns)
        if not len(self.fill) == len(self.mean) == len(self.variance) == count:
            raise ValueError(f"expected {count:,} values in fill, mean and variance, one for each column")
        if not set(self.flags) <= set(range(count)) or len(set(self.flags)) < len(self.flags):
            raise ValueError(f"expected different flags below {count:,}")
        return self

    @property
    def width(self) -> int:
        return len(self.columns) + len(self.flags)


class Category(Section):
    """A column of categories: one-hot, or the index for an Embedding; the first place is for unknown ones."""

    kind: Literal["category"] = "category"
    column: str
    encode: Literal["one_hot", "index"]
    vocabulary: list[str] = Field(min_length=1)

    @model_validator(mode="after")
    def _check(self) -> Category:
        refuse_copies(self.vocabulary)
        return self

    @property
    def width(self) -> int:
        return 1 if self.encode == "index" else len(self.vocabulary) + 1


class Text(Section):
    """A column of texts as tokens."""

    kind: Literal["text"] = "text"
    column: str
    settings: TextSettings
    vocabulary: list[str] = Field(min_length=1)
    idf: list[Finite] | None = None

    @model_validator(mode="after")
    def _check(self) -> Text:
        refuse_copies(self.vocabulary)
        if {"", "[UNK]"} & set(self.vocabulary):
            raise ValueError("Keras's own words for nothing and for unknown words stand in the vocabulary")
        if len(self.idf or self.vocabulary) != len(self.vocabulary):
            raise ValueError("expected an idf for each word of the vocabulary")
        if (self.idf is None) == (self.settings.output_mode == "tf_idf"):
            raise ValueError("expected an idf where the output_mode is tf_idf, and nowhere else")
        return self

    @property
    def width(self) -> int:
        bag = len(self.vocabulary) + 1
        return self.settings.sequence_length if self.settings.output_mode == "int" else bag


def refuse_copies(words: list[str]) -> None:
    """Refuse a vocabulary in which a word stands twice.

    Raises:
        ValueError: It does.
    """
    if len(set(words)) < len(words):
        raise ValueError("a word stands twice in the vocabulary")


Step = Annotated[Numbers | Category | Text, Field(discriminator="kind")]


def is_index(step: Numbers | Category | Text) -> bool:
    """Whether a step gives whole numbers, which an Embedding takes."""
    if isinstance(step, Category):
        return step.encode == "index"
    return isinstance(step, Text) and step.settings.output_mode == "int"


class Preprocessing(Section):
    """How the columns of a table become the inputs of a model.

    Args:
        inputs: For each input what stands in it, side by side.
        dates: The columns of dates and what becomes of them.
        booleans: The columns that hold truth values.
    """

    inputs: dict[str, Annotated[list[Step], Field(min_length=1)]] = Field(min_length=1)
    dates: dict[str, DateColumn] = Field(default={})
    booleans: list[str] = Field(default=[])

    def shape(self, name: str) -> tuple[int, ...]:
        """The shape of one example in an input."""
        return (sum(step.width for step in self.inputs[name]),)

    def dtype(self, name: str) -> str:
        """``int32`` for indices, else ``float32``."""
        return "int32" if is_index(self.inputs[name][0]) else "float32"

    def columns(self) -> dict[str, Any]:
        """The raw columns that are needed, each with its polars type; None for a date as it is."""
        import polars as pl

        found: dict[str, Any] = {}
        for steps in self.inputs.values():
            for step in steps:
                if isinstance(step, Numbers):
                    found |= dict.fromkeys(step.columns, pl.Float32)
                else:
                    found[step.column] = pl.String
        derived = {part_name(column, part) for column, date in self.dates.items() for part in date.parts}
        found = {name: kind for name, kind in found.items() if name not in derived}
        found |= {name: pl.String if date.format else None for name, date in self.dates.items()}
        return found | {name: pl.Boolean for name in self.booleans if name in found}

    def feature_names(self, name: str) -> list[str]:
        """What each number of an input is called, such as ``age`` or ``city=Bonn``."""
        names: list[str] = []
        for step in self.inputs[name]:
            if isinstance(step, Numbers):
                names += [*step.columns, *(f"{step.columns[flag]} is missing" for flag in step.flags)]
            elif isinstance(step, Category) and step.encode == "one_hot":
                names += [f"{step.column} unknown", *(f"{step.column}={one}" for one in step.vocabulary)]
            else:
                names += [step.column] * step.width
        return names


def part_name(column: str, part: str) -> str:
    """The name of a date's part as a column of numbers."""
    return f"{column}.{part}"
