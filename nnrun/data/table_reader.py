"""CSV and Parquet files as examples."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from nnrun.data.blocks import BlockFile, as_parquet, read_block, sample_blocks, table_bytes
from nnrun.data.columns import At, Columns, choose_columns, polars_types, refuse_mixed
from nnrun.data.files import find_files, identify_files
from nnrun.data.fitting import fit
from nnrun.data.preprocessing import Preprocessing
from nnrun.data.streaming import StreamedBlocks, choose_cache, rows_in_block
from nnrun.data.table_errors import place_of_row
from nnrun.data.tables import read_table, sample_table, scan_table
from nnrun.data.targets import (
    Targets,
    encode_targets,
    fit_targets,
    target_types,
    target_types_of,
    wants_classes,
)
from nnrun.data.transform import Transform
from nnrun.spec.datasets import InputFacts
from nnrun.spec.file_sources import CsvSource, ParquetSource, Paths, TableSource, read_column_kind
from nnrun.spec.names import shorten
from nnrun.spec.schema import Losses

if TYPE_CHECKING:
    import polars


@dataclass(frozen=True)
class TablePart:
    """Rows of some files.

    Args:
        frame: The features.
        y: The targets.
        place: The files' name.
        at: Says where a row stands.
    """

    frame: polars.DataFrame
    y: NDArray[Any]
    place: str
    at: At | None = None


@dataclass(frozen=True)
class BlockPart:
    """Rows that stay in their files.

    Args:
        files: Their Parquet files.
        y: The targets.
        place: The files' name.
        block_rows: Rows that are read at a time.
        at: Says where a row stands.
    """

    files: list[BlockFile]
    y: NDArray[Any]
    place: str
    block_rows: int
    at: At | None = None


class TableReader:
    """Reads the rows of a source and makes them into inputs.

    Args:
        source: The specification's.
        types: The columns to read, each with its polars type.
        targets: What is to be predicted; without classes until the first files are read.
        columns: What the columns are; None where all is fitted already.
        preprocessing: What was fitted, if anything.
    """

    def __init__(
        self,
        source: TableSource,
        types: dict[str, Any],
        targets: Targets,
        columns: Columns | None = None,
        preprocessing: Preprocessing | None = None,
    ) -> None:
        self.source = source
        self.training_files = source.path
        self.name = file_name(source.path)
        self.types = types
        self.targets = targets
        self.columns = columns
        self.preprocessing = preprocessing
        self.notes: list[str] = []
        self.files: list[Path] = []
        self.cache = "memory"
        self._transform: Transform | None = None

    @classmethod
    def look(cls, source: TableSource, losses: Losses) -> TableReader:
        """Decide by a sample what the columns are; ``losses`` tell whether whole numbers are classes."""
        name = file_name(source.path)
        sample = sample_table(source, source.path)
        columns = choose_columns(source, sample, name)
        kinds = {name: read_column_kind(choice) for name, choice in source.columns.items()}
        types = target_types(columns.targets, sample, kinds, losses)
        if not wants_classes(losses):
            at = _places(source, source.path)
            for target in set(columns.targets) - set(kinds):
                refuse_mixed(sample[target], at)
        types = polars_types(columns, sample, types, is_csv=isinstance(source, CsvSource))
        reader = cls(source, types, Targets(columns=columns.targets), columns)
        reader.notes = [f"{shorten(name)} is left out: {why}" for name, why in columns.left_out.items()]
        return reader

    @classmethod
    def restore(cls, source: TableSource, targets: Targets, preprocessing: Preprocessing) -> TableReader:
        """Read new files as those that a run was trained on."""
        reader = cls(source, {}, targets, preprocessing=preprocessing)
        reader.types = reader._feature_types() | target_types_of(targets)
        return reader

    def batches(self, paths: Paths, size: int) -> Iterator[Any]:
        """The inputs of files without targets, ``size`` rows at a time; a single input without its name.

        Raises:
            DataError: A column is missing, or a value is not what it should be.
        """
        first, at = 0, _places(self.source, paths)
        for frame in scan_table(self.source, paths, self._feature_types(), size):
            yield self._apply(frame, None, file_name(paths), at, first)
            first += frame.height

    def decide(self, cache: str) -> str:
        """Where the rows will be kept: what does not fit in memory is read in blocks, CSV from a copy."""
        is_csv = isinstance(self.source, CsvSource)
        if cache == "auto":
            cache = choose_cache(table_bytes(self.source, self.types), in_place=not is_csv)
        self.cache = "disk" if is_csv and cache == "none" else cache
        return self.cache

    def read(self, paths: Paths) -> TablePart | BlockPart:
        """Read the rows of files; the first ones tell the classes."""
        if self.cache != "memory":
            return self._read_blocks(paths)
        frame = read_table(self.source, paths, self.types)
        place = file_name(paths)
        if self.columns is not None and not self.files:
            self.targets = fit_targets(frame, self.columns.targets, place)
        self.files += find_files(paths)
        at = _places(self.source, paths)
        y = encode_targets(self.targets, frame, place, at)
        return TablePart(frame.drop(self.targets.columns), y, place, at)

    def _read_blocks(self, paths: Paths) -> BlockPart:
        """The targets of all rows, and where the rows are."""
        files = as_parquet(self.source, paths, self.types)
        targets = {name: self.types[name] for name in self.targets.columns}
        frame = read_table(ParquetSource(path="?", target="?"), [str(file) for file in files], targets)
        place = file_name(paths)
        if self.columns is not None and not self.files:
            self.targets = fit_targets(frame, self.targets.columns, place)
        self.files += find_files(paths)
        at = _places(self.source, paths)
        y = encode_targets(self.targets, frame, place, at)
        measured = [BlockFile.measure(file) for file in files]
        return BlockPart(measured, y, place, rows_in_block(len(self.types) - len(targets)), at)

    def memory(self, part: TablePart | BlockPart) -> int:
        """The bytes that the inputs of all rows take."""
        return len(part.y) * sum(4 * one.shape[0] for one in self.inputs().values())

    def stream(self, part: BlockPart, rows: NDArray[Any]) -> StreamedBlocks:
        """Rows as inputs that stay in their files."""
        y = part.y if len(rows) == len(part.y) else part.y[rows]  # rows ascend: all of them need no copy
        return StreamedBlocks(self, part, rows, y)

    def block(self, part: BlockPart, index: int) -> dict[str, NDArray[Any]]:
        """The inputs of all rows of a block, by name."""
        frame = read_block(part.files, self._feature_types(), index, part.block_rows)
        return self._transformed(frame, None, part.place, part.at, index * part.block_rows)

    def fit(self, part: TablePart | BlockPart, rows: NDArray[Any]) -> None:
        """Learn means, medians and vocabularies from rows; where they are too many, from blocks spread over all."""
        if self.columns is None:
            raise RuntimeError("what was restored is fitted already")
        if isinstance(part, BlockPart):
            types = {name: self.types[name] for name in self.columns.features}
            frame, rows = sample_blocks(part.files, types, rows, part.block_rows)
        else:
            frame = part.frame
        at = None if isinstance(part, BlockPart) else part.at
        self.preprocessing = fit(frame, rows, self.columns, self.source.inputs, part.place, at)

    def inputs(self) -> dict[str, InputFacts]:
        """The shapes of the inputs."""
        return input_facts(self._fitted())

    def examples(self, part: TablePart, rows: NDArray[Any] | None, *, last: bool = False) -> Any:
        """Rows as inputs; a single input without its name."""
        return self._apply(part.frame, rows, part.place, part.at, 0)

    def fingerprint(self) -> str:
        """A hash over the content of all files; of very large ones over their sizes and ends."""
        return identify_files(self.files)

    def _apply(self, frame: polars.DataFrame, rows: Any, place: str, at: At | None, first: int) -> Any:
        found = self._transformed(frame, rows, place, at, first)
        return found["input"] if list(found) == ["input"] else found

    def _transformed(
        self, frame: polars.DataFrame, rows: Any, place: str, at: At | None, first: int
    ) -> dict[str, NDArray[Any]]:
        if self._transform is None:
            self._transform = Transform.of(self._fitted())
        return self._transform.apply(frame, rows, place, first, at)

    def _feature_types(self) -> dict[str, Any]:
        """The columns that the inputs are made of, each with its polars type; None: as it looks."""
        found = self._fitted().columns()
        if isinstance(self.source, CsvSource):
            return found
        return found | dict.fromkeys(self._fitted().dates, None)  # a Parquet file knows what a date is

    def _fitted(self) -> Preprocessing:
        if self.preprocessing is None:
            raise RuntimeError("fit comes first")
        return self.preprocessing


def _places(source: TableSource, paths: Paths) -> At:
    """Says where a row of files stands."""
    return functools.partial(place_of_row, source, find_files(paths))


def input_facts(preprocessing: Preprocessing) -> dict[str, InputFacts]:
    """The shapes of the inputs that a table is made into."""
    return {
        name: InputFacts(preprocessing.shape(name), preprocessing.dtype(name))
        for name in preprocessing.inputs
    }


def file_name(paths: Paths) -> str:
    """What to call files in messages: the name of the one, or the first and how many more."""
    if isinstance(paths, str):
        return Path(paths).name
    return Path(paths[0]).name + (f" and {len(paths) - 1} more" if len(paths) > 1 else "")
