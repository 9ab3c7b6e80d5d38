"""The user's own files as sources: their arguments and the kinds of columns, as pydantic models."""

from __future__ import annotations

import types
from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field

from nnrun.spec.schema import Choice, Chosen, Section

Paths = str | Annotated[list[str], Field(min_length=1)]

SCALES = Literal["standardize", "min_max", "log", "none"]
PARTS = Literal["year", "month", "day", "weekday", "hour", "minute", "dayofyear"]


class NumberColumn(Section):
    """A column of numbers."""

    scale: SCALES = Field(
        default="standardize",
        description="standardize: to mean 0 and variance 1; min_max: to [0, 1]; log: log(1 + x), then standardized.",
    )
    missing: Literal["median", "mean", "zero"] = Field(
        default="median", description="What takes the place of a missing value; a flag beside it says so."
    )


class CategoryColumn(Section):
    """A column of categories: texts, or numbers that stand for something."""

    encode: Literal["one_hot", "index"] = Field(
        default="one_hot",
        description="one_hot: a number for each category; index: its index, for an Embedding layer. Unknown values get "
        "the first place.",
    )
    max_categories: int = Field(
        default=1000, ge=1, le=1_000_000, description="Only the most frequent ones get a place of their own."
    )


class DateColumn(Section):
    """A column of dates or times."""

    parts: list[PARTS] = Field(
        default=["year", "month", "day", "weekday"], min_length=1, description="What becomes a number."
    )
    format: str | None = Field(default=None, description="How it is written, such as %d.%m.%Y.")


class TextSettings(Section):
    """How a text becomes numbers, in the words of Keras's TextVectorization."""

    max_tokens: int = Field(default=20_000, ge=2, le=10_000_000, description="Size of the vocabulary.")
    sequence_length: int = Field(
        default=200,
        ge=1,
        le=100_000,
        description="Tokens in a row; longer texts are cut, shorter ones padded.",
    )
    output_mode: Literal["int", "multi_hot", "count", "tf_idf"] = Field(
        default="int", description="int: a row of token numbers for an Embedding; the others: a bag of words."
    )
    ngrams: Annotated[int, Field(ge=1, le=10)] | None = Field(
        default=None, description="Sequences of up to so many words are tokens too."
    )
    standardize: Literal["lower_and_strip_punctuation", "lower", "strip_punctuation", "none"] = Field(
        default="lower_and_strip_punctuation", description="What is done to a text before it is split."
    )
    split: Literal["whitespace", "character"] = Field(default="whitespace", description="Where it is split.")


class TextColumn(TextSettings):
    """A column of texts."""


COLUMN_KINDS: Mapping[str, type[Section]] = types.MappingProxyType(
    {"number": NumberColumn, "category": CategoryColumn, "date": DateColumn, "text": TextColumn}
)
"""What a column can be."""

Split = Annotated[float, Field(ge=0, lt=1)]


class FileSource(Section):
    """What all kinds of files have in common."""

    test: Paths | None = Field(default=None, description="Files with the test examples.")
    validation: Paths | None = Field(default=None, description="Files with the validation examples.")
    test_split: Split | None = Field(
        default=None,
        description="The part of the examples held out for the test; default: 0.2, or 0 with test files.",
    )

    @property
    def held_out_for_test(self) -> float:
        """The part of the examples that is taken for the test."""
        return (0.0 if self.test else 0.2) if self.test_split is None else self.test_split


class TableSource(FileSource):
    """Rows and columns."""

    path: Paths = Field(description="A file, a list of files, or a pattern such as 'data/*.csv'.")
    target: Annotated[str, Field(min_length=1)] | Annotated[list[str], Field(min_length=1)] = Field(
        description="The column to predict, or a list of them."
    )
    features: list[str] | None = Field(
        default=None, description="The columns to predict from; default: all others."
    )
    ignore: list[str] = Field(default=[], description="Columns to leave out.")
    columns: dict[str, Chosen] = Field(
        default={}, description="What a column is, where it should not be what it looks like."
    )
    inputs: dict[str, Annotated[list[str], Field(min_length=1)]] | None = Field(
        default=None, description="Inputs of the model by name, each with its columns; default: one input."
    )


class CsvSource(TableSource):
    """Comma-separated values, also compressed (.gz)."""

    separator: Annotated[str, Field(min_length=1, max_length=1)] = Field(
        default=",", description="What stands between two values."
    )
    decimal: Literal[".", ","] = Field(
        default=".", description="What stands before the fraction of a number."
    )
    encoding: str = Field(default="utf8", description="How the text is encoded, such as latin1.")
    missing: list[str] = Field(
        default=["", "NA", "N/A", "NaN", "nan", "null", "NULL", "None", "?"],
        description="Texts that stand for a missing value.",
    )


class ParquetSource(TableSource):
    """Apache Parquet files."""


class TextSource(TextSettings, FileSource):
    """Texts: a folder with a folder of .txt files for each class, or a column of a table."""

    path: Paths = Field(description="A folder, or a CSV or Parquet file.")
    column: str | None = Field(default=None, description="The table's column with the texts.")
    target: str | None = Field(default=None, description="The table's column to predict.")


class ImagesSource(FileSource):
    """Pictures: a folder with a folder for each class, or a table of paths and labels."""

    path: Paths = Field(description="A folder, or a CSV or Parquet file with paths and labels.")
    size: Annotated[list[Annotated[int, Field(ge=1, le=4096)]], Field(min_length=2, max_length=2)] = Field(
        description="[height, width] to which all are resized.", examples=[[64, 64]]
    )
    color_mode: Literal["rgb", "grayscale"] = Field(default="rgb", description="3 channels, or 1.")
    interpolation: Literal["bilinear", "nearest", "bicubic", "area"] = Field(
        default="bilinear", description="How they are resized."
    )
    crop_to_aspect_ratio: bool = Field(
        default=False, description="Cut what stands over, instead of distorting the picture."
    )
    image: str | None = Field(default=None, description="The table's column with the paths of the pictures.")
    target: str | None = Field(default=None, description="The table's column to predict.")
    augment: list[Chosen] = Field(
        default=[],
        description="Keras's augmentation layers, which act in training only.",
        examples=["[RandomFlip]"],
    )


class Arrays(Section):
    """The arrays of a part of the examples."""

    x: str | dict[str, str] = Field(
        description="The array of the examples, or one for each input of the model."
    )
    y: str = Field(description="The array of the targets.")


class ArraySource(FileSource):
    """What NumPy's two kinds of files have in common."""

    scale: float | None = Field(
        default=None, gt=0, description="x is divided by it; default: 255 for bytes (uint8), else 1."
    )


class NpzSource(ArraySource):
    """Arrays in one NumPy archive."""

    path: str = Field(description="An .npz file.")
    x: str | dict[str, str] = Field(
        default="x", description="The array of the examples, or one for each input of the model."
    )
    y: str = Field(default="y", description="The array of the targets.")
    test: str | Arrays | None = Field(  # type: ignore[assignment]
        default=None,
        description="Another .npz file with the test examples, or {x: NAME, y: NAME} for arrays of the same one.",
    )
    validation: str | Arrays | None = Field(  # type: ignore[assignment]
        default=None, description="The same for validation."
    )


class NpySource(ArraySource):
    """Arrays in NumPy files."""

    x: str | dict[str, str] = Field(description="The .npy file of the examples, or one for each input.")
    y: str = Field(description="The .npy file of the targets.")
    test: Arrays | None = Field(  # type: ignore[assignment]
        default=None, description="{x: FILE, y: FILE} for the test."
    )
    validation: Arrays | None = Field(  # type: ignore[assignment]
        default=None, description="The same for validation."
    )


FILE_SOURCES: Mapping[str, type[FileSource]] = types.MappingProxyType(
    {
        "csv": CsvSource,
        "parquet": ParquetSource,
        "images": ImagesSource,
        "text": TextSource,
        "npz": NpzSource,
        "npy": NpySource,
    }
)
"""The kinds of files, by their names in a specification."""

PATH_ARGUMENTS = {"npy": ("x", "y", "test", "validation")}
"""Arguments that are paths, where they are not these three."""


def path_arguments(name: str) -> tuple[str, ...]:
    """The arguments of a source that are paths of files."""
    return PATH_ARGUMENTS.get(name, ("path", "test", "validation")) if name in FILE_SOURCES else ()


def read_file_source(choice: Choice) -> FileSource:
    """The arguments of a source of files, which ``check_file_source`` accepts."""
    return FILE_SOURCES[choice.name].model_validate(choice.arguments)


def read_column_kind(choice: Choice) -> Section:
    """The arguments of a column's kind."""
    return COLUMN_KINDS[choice.name].model_validate(choice.arguments)
