"""Tables that do not fit in memory: Parquet files that are read in blocks, and CSV files made into such once."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nnrun.data.files import find_files
from nnrun.data.streaming import BLOCK_ROWS
from nnrun.data.tables import csv_to_parquet, explain_table_error, read_tables_lazily
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
    import polars as pl

    files = find_files(source.path)
    if isinstance(source, CsvSource):
        # A number takes some six characters; what is packed unpacks to about four times its size.
        size = sum(path.stat().st_size * (4 if path.suffix == ".gz" else 1) for path in files)
        return int(size * 4 / 6)
    rows = int(pl.scan_parquet(files, glob=False).select(pl.len()).collect().item())
    return rows * 4 * len(types)


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


def read_block(files: list[Path], types: Mapping[str, Any], index: int, rows: int) -> polars.DataFrame:
    """A block of so many rows, counted over all files."""
    return _read(files, types, index * rows, rows)


def sample_blocks(
    files: list[Path], types: Mapping[str, Any], rows: NDArray[Any], size: int
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
    return pl.concat(frames), np.concatenate(found)


def _read(files: list[Path], types: Mapping[str, Any], first: int, count: int) -> polars.DataFrame:
    import polars as pl

    try:
        return read_tables_lazily(files, types).slice(first, count).collect()
    except (pl.exceptions.PolarsError, OSError) as error:
        raise explain_table_error(error, files[0]) from error
