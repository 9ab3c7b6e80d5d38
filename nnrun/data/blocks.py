"""Tables that do not fit in memory: Parquet files that are read in blocks, and CSV files made into such once."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nnrun.data.files import find_files
from nnrun.data.streaming import BLOCK_ROWS
from nnrun.data.tables import count_rows, csv_to_parquet, read_rows_of
from nnrun.errors import DataError
from nnrun.spec.file_sources import CsvSource, Paths, TableSource
from nnrun.store.durable import make_folders

if TYPE_CHECKING:
    import polars

CACHE_DIR = "NNRUN_CACHE_DIR"
SAMPLED_ROWS = 1_000_000
"""So many rows, at most, tell means and vocabularies of a table that does not fit in memory."""

SAMPLED_VALUES = 20_000_000
"""Numbers that are looked at for it, at most: of a wide table fewer rows."""


def table_bytes(source: TableSource, types: Mapping[str, Any]) -> int:
    """The memory that the rows of the training files take as float32, estimated without reading them."""
    files = find_files(source.path)
    if isinstance(source, CsvSource):
        # A number takes some six characters; what is packed unpacks to about four times its size.
        size = sum(path.stat().st_size * (4 if path.suffix == ".gz" else 1) for path in files)
        return int(size * 4 / 6)
    return sum(map(count_rows, files)) * 4 * len(types)


def as_parquet(source: TableSource, paths: Paths, types: Mapping[str, Any]) -> list[Path]:
    """Files as Parquet: themselves, or a copy in the cache folder, which is made where it is missing.

    Raises:
        DataError: A file is not what it should be.
        ResourceError: The disk does not allow it.
    """
    files = find_files(paths)
    if not isinstance(source, CsvSource):
        return files
    folder = cache_folder() / "tables"
    make_folders(folder)
    found = []
    for path in files:
        facts = path.stat()
        options = (
            source.separator,
            source.decimal,
            source.encoding,
            source.missing,
            {name: str(t) for name, t in types.items()},
        )
        key = f"{path.resolve()}\n{facts.st_size}\n{facts.st_mtime_ns}\n{options}"
        copy = folder / f"{hashlib.sha256(key.encode()).hexdigest()[:32]}.parquet"
        if not copy.exists():
            csv_to_parquet(source, path, types, copy, BLOCK_ROWS)
        found.append(copy)
    return found


def cache_folder() -> Path:
    """Where copies are kept: ``$NNRUN_CACHE_DIR``, else ``~/.cache/nnrun``."""
    return Path(os.environ.get(CACHE_DIR) or Path.home() / ".cache" / "nnrun")


@dataclass(frozen=True)
class BlockFile:
    """A Parquet file whose rows are read in blocks.

    Args:
        path: Where it is.
        rows: How many it holds.
        stamp: What changes when it changes.
    """

    path: Path
    rows: int
    stamp: tuple[int, ...]

    @classmethod
    def measure(cls, path: Path) -> BlockFile:
        """Look at a file.

        Raises:
            DataError: It cannot be read.
        """
        return cls(path, count_rows(path), _stamp(path))


def _stamp(path: Path) -> tuple[int, ...]:
    facts = path.stat()
    return facts.st_size, facts.st_mtime_ns, facts.st_ino


def read_block(
    files: Sequence[BlockFile], types: Mapping[str, Any], index: int, size: int
) -> polars.DataFrame:
    """A block of so many rows, counted over all files.

    Raises:
        DataError: A file cannot be read, or is not what it was when it was measured.
    """
    import polars as pl

    first, last = index * size, (index + 1) * size
    frames = []
    for file in files:
        if first < file.rows and last > 0:
            begin = max(0, first)
            _refuse_changed(file)
            frames.append(read_rows_of(file.path, types, begin, min(last, file.rows) - begin))
            _refuse_changed(file)
        first, last = first - file.rows, last - file.rows
    return pl.concat(frames, how="vertical_relaxed")


def _refuse_changed(file: BlockFile) -> None:
    try:
        changed = _stamp(file.path) != file.stamp
    except OSError as error:
        raise DataError(f"{file.path} is gone while it is in use: {error.strerror}") from error
    if changed:
        raise DataError(
            f"{file.path} was changed while it was in use; put it back as it was, then the run can be resumed"
        )


def sample_blocks(
    files: Sequence[BlockFile], types: Mapping[str, Any], rows: NDArray[Any], size: int
) -> tuple[polars.DataFrame, NDArray[Any]]:
    """Blocks spread evenly over a table.

    Args:
        files: Of the table.
        types: The columns to read.
        rows: The training rows of the whole table, ascending.
        size: Rows in a block.

    Returns:
        The blocks as one table, and the training rows among its rows.
    """
    import polars as pl

    count = int(rows[-1]) // size + 1
    most = min(SAMPLED_ROWS, SAMPLED_VALUES // max(1, len(types)))
    wanted = min(count, max(1, most // size))
    chosen = np.unique(np.linspace(0, count - 1, wanted).round().astype(np.int64))
    frames, found, before = [], [], 0
    for index in chosen.tolist():
        frame = read_block(files, types, index, size)
        begin, end = np.searchsorted(rows, [index * size, (index + 1) * size])
        found.append(rows[begin:end] - index * size + before)
        frames.append(frame)
        before += frame.height
    return pl.concat(frames, how="vertical_relaxed"), np.concatenate(found)
