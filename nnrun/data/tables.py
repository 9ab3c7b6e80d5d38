"""Rows and columns from CSV and Parquet files, with mistakes named by file, row and column."""

from __future__ import annotations

import io
import os
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nnrun.data.csv_rows import explained, find_blank_rows, guess_separator, is_utf8, open_text, read_header
from nnrun.data.files import find_files
from nnrun.data.table_errors import explain_error
from nnrun.errors import DataError
from nnrun.spec.file_sources import CsvSource, ParquetSource, Paths, TableSource
from nnrun.spec.names import did_you_mean, listed, shorten

if TYPE_CHECKING:
    import polars

SAMPLE_ROWS = 10_000
"""From so many rows the kinds of columns are told."""

SUFFIXES = {".parquet": "parquet", ".pq": "parquet"}

ROW = "\ue000row"
"""A column that no file has."""


def sample_table(source: TableSource, paths: Paths) -> polars.DataFrame:
    """The first rows of the first file, in the types that they look like.

    Raises:
        DataError: It cannot be read, or has no rows.
    """
    import polars as pl

    path = find_files(paths)[0]
    try:
        if isinstance(source, CsvSource):
            lazy = _scan_csv(source, path, None, SAMPLE_ROWS).head(SAMPLE_ROWS)
            with warnings.catch_warnings(action="ignore"):  # who reads all rows will hear of it
                sample = _recognize(lazy.collect(), source)
        else:
            sample = pl.scan_parquet(path, glob=False).head(SAMPLE_ROWS).collect()
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError, ValueError) as error:
        raise explain_error(error, source, path) from error
    _refuse_nothing(sample, path)
    return sample


def read_table(source: TableSource, paths: Paths, types: Mapping[str, Any]) -> polars.DataFrame:
    """All rows of all files, one after the other.

    Args:
        source: How the files are written.
        paths: Which files.
        types: The columns to read, each with its polars type; None: as it looks.

    Raises:
        DataError: A file cannot be read, lacks a column, has no rows, or holds text in a column of numbers.
    """
    files = find_files(paths)
    return _one_after_the_other([_read_file(source, path, types) for path in files], files)


def scan_table(
    source: TableSource, paths: Paths, types: Mapping[str, Any], size: int
) -> Iterator[polars.DataFrame]:
    """The rows of files, ``size`` at a time and never all at once; those of several files one after the other.

    Raises:
        DataError: As :func:`read_table`.
    """
    for path in find_files(paths):
        rows = 0
        for frame in _scan_file(source, path, types, size):
            rows += frame.height
            yield frame
        if not rows:
            raise DataError(f"{path} has a header and no rows; expected examples")


def read_rows_of(path: Path, types: Mapping[str, Any], first: int, count: int) -> polars.DataFrame:
    """Some rows of a Parquet file.

    Raises:
        DataError: It cannot be read, or lacks a column.
    """
    import polars as pl

    source = ParquetSource(path=str(path), target="?")
    try:
        return _scan(source, path, types).slice(first, count).collect()
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError, ValueError) as error:
        raise explain_error(error, source, path, types) from error


def count_rows(path: Path) -> int:
    """The number of rows of a Parquet file.

    Raises:
        DataError: It cannot be read.
    """
    import polars as pl

    try:
        return int(pl.scan_parquet(path, glob=False).select(pl.len()).collect().item())
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError, ValueError) as error:
        raise explain_error(error, ParquetSource(path=str(path), target="?"), path) from error


def csv_to_parquet(
    source: CsvSource, path: Path, types: Mapping[str, Any], copy: Path, group_rows: int
) -> None:
    """Write the columns of a CSV file to a Parquet file, a few rows at a time.

    Raises:
        DataError: The file is not what it should be.
    """
    import polars as pl

    temporary = copy.with_name(f".{copy.name}-{os.getpid()}")
    try:
        lazy = _scan_csv(source, path, types)
        lazy.sink_parquet(temporary, row_group_size=group_rows, compression="lz4")
        temporary.replace(copy)
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError, ValueError) as error:
        raise explain_error(error, source, path, types) from error
    finally:
        temporary.unlink(missing_ok=True)


def table_suffix(path: Path) -> str:
    """``parquet`` or ``csv``, by the end of a file's name."""
    return SUFFIXES.get(path.suffix.lower(), "csv")


def check_columns(
    path: Path | str, there: list[str], wanted: Mapping[str, Any] | list[str], *, is_csv: bool = False
) -> None:
    """Refuse a table that lacks a column.

    Raises:
        DataError: The columns that are not there.
    """
    known = set(there)
    missing = [name for name in wanted if name not in known]
    if missing:
        near = did_you_mean(missing[0], there) or f"; there are {listed([shorten(name) for name in there])}"
        near = (guess_separator(there) if is_csv else "") or near
        shown = listed([f"'{shorten(name)}'" for name in missing])
        raise DataError(f"{path}: there is no column {shown}{near}")


def _scan_file(
    source: TableSource, path: Path, types: Mapping[str, Any], size: int
) -> Iterator[polars.DataFrame]:
    import polars as pl

    left: polars.DataFrame | None = None
    try:
        for frame in _scan(source, path, types).collect_batches(chunk_size=size):
            left = frame if left is None else pl.concat([left, frame])
            while left.height >= size:
                yield left[:size]
                left = left[size:]
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError, ValueError) as error:
        raise explain_error(error, source, path, types) from error
    if left is not None and left.height:
        yield left


def _read_file(source: TableSource, path: Path, types: Mapping[str, Any]) -> polars.DataFrame:
    import polars as pl

    try:
        frame = _scan(source, path, types).collect()
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError, ValueError) as error:
        raise explain_error(error, source, path, types) from error
    _refuse_nothing(frame, path)
    return frame


def _refuse_nothing(frame: polars.DataFrame, path: Path) -> None:
    if not frame.height:
        raise DataError(f"{path} has a header and no rows; expected examples")


def _one_after_the_other(frames: list[polars.DataFrame], files: list[Path]) -> polars.DataFrame:
    """The rows of all files.

    Raises:
        DataError: A column holds dates in one of them and something else in another.
    """
    import polars as pl

    try:
        return pl.concat(frames, how="vertical_relaxed") if len(frames) > 1 else frames[0]
    except pl.exceptions.PolarsError as error:
        first = frames[0].schema
        for frame, path in zip(frames, files, strict=True):
            for name, kind in frame.schema.items():
                if kind != first[name]:
                    message = f"column '{shorten(name)}' holds {kind}, and {first[name]} in {files[0].name}"
                    raise DataError(f"{path}: {message}") from error
        raise


def _scan(source: TableSource, path: Path, types: Mapping[str, Any]) -> polars.LazyFrame:
    """Columns of a file, before any of them is read.

    Raises:
        DataError: One of them is not there, or holds lists.
    """
    import polars as pl

    if isinstance(source, CsvSource):
        return _scan_csv(source, path, types)
    lazy = pl.scan_parquet(path, glob=False)
    schema = lazy.collect_schema()
    check_columns(path, schema.names(), types)
    for name in types:
        kind = schema[name]
        coded = kind in (pl.Categorical, pl.Enum) and types[name] is not None and types[name].is_numeric()
        if kind.is_nested() or coded or kind in (pl.Binary, pl.Object, pl.Duration):
            wanted = "numbers" if coded else "numbers, texts or dates"
            raise DataError(
                f"{path}: column '{shorten(name)}' holds {kind}, expected {wanted}; leave it out, or make another "
                "column of it"
            )
    return _typed(lazy, types)


def _typed(lazy: polars.LazyFrame, types: Mapping[str, Any]) -> polars.LazyFrame:
    """The columns in their types; what is not a number is missing."""
    import polars as pl

    casts = [
        pl.col(name).cast(kind).fill_nan(None) if kind.is_float() else pl.col(name).cast(kind)
        for name, kind in types.items()
        if kind is not None
    ]
    return lazy.select(list(types)).with_columns(casts)


def _scan_csv(
    source: CsvSource, path: Path, types: Mapping[str, Any] | None, rows: int | None = None
) -> polars.LazyFrame:
    """Columns of a CSV file, before any of them is read.

    Args:
        source: How it is written.
        path: The file.
        types: The columns with their types; None: all, as they look.
        rows: So many will do; what does not fit their types is missing then.
    """
    import polars as pl

    names = read_header(source, path)
    if types is not None:
        check_columns(path, names, types, is_csv=True)
    blanks = find_blank_rows(source, path, rows)
    lazy = pl.scan_csv(
        path if is_utf8(source) else _in_utf8(source, path),
        new_columns=names,
        separator=source.separator,
        decimal_comma=source.decimal == ",",
        null_values=source.missing + [f" {text}" for text in source.missing],
        infer_schema_length=SAMPLE_ROWS,
        try_parse_dates=True,
        schema_overrides={name: kind for name, kind in (types or {}).items() if kind is not None},
        ignore_errors=rows is not None,
        n_rows=None if rows is None else rows + len(blanks),
        glob=False,
    )
    if blanks:
        lazy = lazy.with_row_index(ROW).filter(~pl.col(ROW).is_in(blanks)).drop(ROW)
    return lazy if types is None else _typed(lazy, types)


def _in_utf8(source: CsvSource, path: Path) -> io.BytesIO:
    """The whole of a file in the encoding that polars takes."""
    with explained(source, path), open_text(source, path) as file:
        return io.BytesIO(file.read().encode())


def _recognize(sample: polars.DataFrame, source: CsvSource) -> polars.DataFrame:
    """The sample with numbers and dates as such where they stand in quotes or between spaces."""
    import polars as pl

    for name, kind in sample.schema.items():
        texts = sample[name]
        if kind != pl.String or texts.null_count() == texts.len():
            continue
        texts = texts.str.strip_chars()
        if source.decimal == ",":
            texts = texts.str.replace(",", ".", literal=True)
        for better in (pl.Int64, pl.Float64):
            found = texts.cast(better, strict=False)
            if found.null_count() == texts.null_count():
                texts = found
                break
        if source.decimal == "," or texts.dtype != pl.String:
            sample = sample.with_columns(texts)
    return sample
