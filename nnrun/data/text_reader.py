"""Texts as examples: from a folder with a folder of .txt files for each class, or from a column of a table."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from nnrun.data.columns import Columns
from nnrun.data.examples import Streamed
from nnrun.data.files import find_files, hash_files
from nnrun.data.fitting import fit
from nnrun.data.labelled_files import (
    fit_classes,
    is_folder,
    list_class_folders,
    list_files,
    refuse_new_classes,
    table_source,
)
from nnrun.data.preprocessing import Preprocessing
from nnrun.data.table_reader import TablePart, TableReader, file_name, input_facts
from nnrun.data.targets import Targets, encode_targets
from nnrun.data.transform import Transform
from nnrun.errors import DataError
from nnrun.spec.datasets import InputFacts
from nnrun.spec.file_sources import Paths, TableSource, TextColumn, TextSettings, TextSource
from nnrun.spec.schema import Choice, Losses

if TYPE_CHECKING:
    import polars

SUFFIXES = (".txt",)
COLUMN = "text"
MOST_BYTES = 100_000_000
"""A text of more is a mistake: a whole collection in one file."""


def look_at_texts(source: TextSource, losses: Losses) -> TextReader | TableReader:
    """What reads the texts of a source: a table's column is one of its columns like any other."""
    if is_folder(source.path):
        return TextReader(source)
    return TableReader.look(text_table(source), losses)


def restore_texts(
    source: TextSource, targets: Targets, preprocessing: Preprocessing
) -> TextReader | TableReader:
    """What reads new texts as those that a run was trained on."""
    if source.column is None:
        return TextReader(source, targets, preprocessing)
    return TableReader.restore(text_table(source), targets, preprocessing)


def text_table(source: TextSource) -> TableSource:
    """A table with a column of texts as a source of its own.

    Raises:
        DataError: The specification does not say which column.
    """
    if source.column is None or source.target is None:
        place = file_name(source.path)
        raise DataError(
            f"{place}: which columns of the table hold the texts and what is to be predicted? Write column: NAME and "
            "target: NAME under data.source.text"
        )
    given = source.model_dump(include=set(TextSettings.model_fields))
    columns = {source.column: Choice("text", given)}
    return table_source(source.path, target=source.target, features=[source.column], columns=columns)


class TextReader:
    """Reads the .txt files of class folders and makes them into tokens.

    Args:
        source: The specification's.
        targets: What is predicted, where that is known already.
        preprocessing: What was fitted, if anything.
    """

    def __init__(
        self, source: TextSource, targets: Targets | None = None, preprocessing: Preprocessing | None = None
    ) -> None:
        self.source = source
        self.training_files = source.path
        self.name = file_name(source.path)
        self.targets = targets or Targets(columns=["class"])
        self.preprocessing = preprocessing
        self.notes: list[str] = []
        self.files: list[str] = []
        self._labels = hashlib.sha256()
        self._transform: Transform | None = None

    def read(self, paths: Paths) -> TablePart:
        """Read the texts of folders; the first ones tell the classes."""
        import polars as pl

        place = file_name(paths)
        if not is_folder(paths):
            raise DataError(
                f"{place}: expected a folder as for training, with a folder of texts for each class"
            )
        files: list[str] = []
        classes: list[str] = []
        for folder in find_files(paths, folders=True):
            found = list_class_folders(folder, SUFFIXES, "texts")
            self.notes += found.note(folder, "text")
            files += found.files
            classes += found.classes
        if self.targets.classes is None:
            self.targets = fit_classes(classes, place)
        refuse_new_classes(classes, self.targets, place)
        labels = pl.DataFrame({self.targets.columns[0]: pl.Series(classes, dtype=pl.String)})
        y = encode_targets(self.targets, labels, place)
        self.files += files
        self._labels.update(f"{self.targets.classes}{y.tolist()}".encode())
        return TablePart(read_texts(files), y, place)

    def fit(self, part: TablePart, rows: NDArray[Any]) -> None:
        """Learn the vocabulary from rows."""
        given = self.source.model_dump(include=set(TextSettings.model_fields))
        columns = Columns({COLUMN: TextColumn(**given)}, self.targets.columns)
        self.preprocessing = fit(part.frame, rows, columns, None, part.place)

    def inputs(self) -> dict[str, InputFacts]:
        """One input: token numbers, or a bag of words."""
        return input_facts(self._fitted())

    def examples(self, part: TablePart, rows: NDArray[Any] | None, *, last: bool = False) -> NDArray[Any]:
        """Texts as int32 of shape (n, sequence_length), or float32 of shape (n, size of the vocabulary)."""
        if self._transform is None:
            self._transform = Transform.of(self._fitted())
        return self._transform.apply(part.frame, rows, part.place)["input"]

    def batches(self, paths: Paths, size: int) -> Iterator[NDArray[Any]]:
        """Texts without labels, ``size`` at a time: files, or all in a folder by their names."""
        import numpy as np

        files = [path for found in find_files(paths, folders=True) for path in list_files(found, SUFFIXES)]
        for first in range(0, len(files), size):
            frame = read_texts(files[first : first + size])
            yield self.examples(TablePart(frame, np.zeros(frame.height), file_name(paths)), None)

    def decide(self, cache: str) -> str:
        """Texts are short: they are kept in memory."""
        return "memory"

    def memory(self, part: TablePart) -> int:
        """The bytes that the inputs of all texts take."""
        return 4 * len(part.y) * self.inputs()["input"].shape[0]

    def stream(self, part: TablePart, rows: NDArray[Any]) -> Streamed:
        """Texts in files of their own are not streamed."""
        raise NotImplementedError

    def fingerprint(self) -> str:
        """A hash over all texts and their classes."""
        content = hash_files(map(Path, self.files))
        return f"sha256:{hashlib.sha256(content.encode() + self._labels.digest()).hexdigest()}"

    def _fitted(self) -> Preprocessing:
        if self.preprocessing is None:
            raise RuntimeError("fit comes first")
        return self.preprocessing


def read_texts(files: Sequence[str]) -> polars.DataFrame:
    """The texts of files in one column.

    Raises:
        DataError: A file cannot be read, is very large, or is not UTF-8; with the first wrong byte.
    """
    import polars as pl

    return pl.DataFrame({COLUMN: pl.Series([_read_text(Path(path)) for path in files], dtype=pl.String)})


def _read_text(path: Path) -> str:
    try:
        if not path.is_file():
            raise DataError(f"{path}: expected a text; it is no regular file, or a link to nothing")
        if (size := path.stat().st_size) > MOST_BYTES:
            raise DataError(
                f"{path} has {size:,} bytes; expected one text in a file, of at most {MOST_BYTES:,} bytes"
            )
        return path.read_bytes().decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path}: byte {error.start + 1:,} of the file, 0x{error.object[error.start]:02x}, is not UTF-8; save the "
            "text as UTF-8"
        ) from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error
