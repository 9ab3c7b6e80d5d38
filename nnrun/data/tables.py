"""Rows and columns from CSV and Parquet files, with mistakes named by file, row and column."""

from __future__ import annotations

import csv
import gzip
import itertools
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from nnrun.data.files import find_files
from nnrun.errors import DataError
from nnrun.spec.file_sources import CsvSource, ParquetSource, Paths, TableSource
from nnrun.spec.names import did_you_mean, listed, shorten

if TYPE_CHECKING:
    import polars

SAMPLE_ROWS = 10_000
"""From so many rows the kinds of columns are told."""

MOST_COLUMNS = 20_000
SUFFIXES = {".parquet": "parquet", ".pq": "parquet"}


def sample_table(source: TableSource, paths: Paths) -> polars.DataFrame:
    """The first rows of the first file, in the types that they look like.

    Raises:
        DataError: It cannot be read, or has no rows.
    """
    import polars as pl

    path = find_files(paths)[0]
    try:
        if isinstance(source, CsvSource):
            _check_header(source, path)
            return _read_csv(source, path, None, SAMPLE_ROWS)
        return pl.scan_parquet(path).head(SAMPLE_ROWS).collect()
    except (pl.exceptions.PolarsError, OSError, ValueError) as error:
        raise _explain(error, source, path) from error


def read_table(source: TableSource, paths: Paths, types: Mapping[str, Any]) -> polars.DataFrame:
    """All rows of all files, one after the other.

    Args:
        source: How the files are written.
        paths: Which files.
        types: The columns to read, each with its polars type.

    Raises:
        DataError: A file cannot be read, lacks a column, has no rows, or holds text in a column of numbers.
    """
    import polars as pl

    frames = [_read_file(source, path, types) for path in find_files(paths)]
    frame = pl.concat(frames) if len(frames) > 1 else frames[0]
    return frame if isinstance(source, CsvSource) else _without_nan(frame)


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


def read_tables_lazily(files: list[Path], types: Mapping[str, Any]) -> polars.LazyFrame:
    """The columns of Parquet files, one after the other, before any of them is read."""
    import polars as pl

    lazy = pl.scan_parquet(files, glob=False).select(list(types))
    return lazy.with_columns(
        (pl.col(name).cast(kind).fill_nan(None) if kind.is_float() else pl.col(name).cast(kind))
        for name, kind in types.items()
        if kind is not None
    )


def csv_to_parquet(
    source: CsvSource, path: Path, types: Mapping[str, Any], copy: Path, group_rows: int
) -> None:
    """Write the columns of a CSV file to a Parquet file, a few rows at a time.

    Raises:
        DataError: The file is not what it should be.
    """
    import polars as pl

    check_columns(path, _check_header(source, path), types)
    temporary = copy.with_name(f".{copy.name}-{os.getpid()}")
    try:
        if _is_utf8(source):
            lazy = pl.scan_csv(path, glob=False, **_csv_options(source, types)).select(list(types))
            lazy.sink_parquet(temporary, row_group_size=group_rows, compression="lz4")
        else:
            _read_file(source, path, types).write_parquet(temporary, row_group_size=group_rows)
        temporary.replace(copy)
    except (pl.exceptions.PolarsError, OSError, ValueError) as error:
        raise _explain(error, source, path, types) from error
    finally:
        temporary.unlink(missing_ok=True)


def explain_table_error(error: Exception, path: Path) -> DataError:
    """What is wrong with a Parquet file that polars could not read."""
    return _explain(error, ParquetSource(path=str(path), target="?"), path)


def _scan_file(
    source: TableSource, path: Path, types: Mapping[str, Any], size: int
) -> Iterator[polars.DataFrame]:
    import polars as pl

    if isinstance(source, CsvSource) and not _is_utf8(source):  # polars decodes it as a whole
        whole = _read_file(source, path, types)
        yield from whole.iter_slices(size)
        return
    if isinstance(source, CsvSource):
        check_columns(path, _check_header(source, path), types)
        lazy = pl.scan_csv(path, glob=False, **_csv_options(source, types))
    else:
        lazy = pl.scan_parquet(path, glob=False)
        check_columns(path, lazy.collect_schema().names(), types)
    casts = [pl.col(name).cast(kind) for name, kind in types.items() if kind is not None]
    left: polars.DataFrame | None = None
    try:
        for frame in lazy.select(list(types)).with_columns(casts).collect_batches(chunk_size=size):
            left = frame if left is None else pl.concat([left, frame])
            while left.height >= size:
                yield _without_nan(left[:size])
                left = left[size:]
    except (pl.exceptions.PolarsError, OSError, ValueError) as error:
        raise _explain(error, source, path, types) from error
    if left is not None and left.height:
        yield _without_nan(left)


def _without_nan(frame: polars.DataFrame) -> polars.DataFrame:
    """What is not a number is missing."""
    import polars as pl

    floats = [name for name, kind in frame.schema.items() if kind.is_float()]
    return frame.with_columns(pl.col(floats).fill_nan(None)) if floats else frame


def table_suffix(path: Path) -> str:
    """``parquet`` or ``csv``, by the end of a file's name."""
    return SUFFIXES.get(path.suffix.lower(), "csv")


def place_of_row(source: TableSource, paths: Paths, row: int) -> str:
    """Where a row of all files together stands: ``houses.csv, row 17 (line 18)``."""
    import polars as pl

    for path in find_files(paths):
        if isinstance(source, CsvSource):
            count = _read_csv(source, path, None, None, columns=[0]).height
        else:
            count = int(pl.scan_parquet(path).select(pl.len()).collect().item())
        if row < count:
            line = f" (line {row + 2})" if isinstance(source, CsvSource) else ""
            return f"{path}, row {row + 1:,}{line}"
        row -= count
    return str(paths)


def check_columns(path: Path | str, there: list[str], wanted: Mapping[str, Any] | list[str]) -> None:
    """Refuse a table that lacks a column.

    Raises:
        DataError: The columns that are not there.
    """
    missing = [name for name in wanted if name not in there]
    if missing:
        near = did_you_mean(missing[0], there) or f"; there are {listed([shorten(name) for name in there])}"
        shown = listed([f"'{shorten(name)}'" for name in missing])
        raise DataError(f"{path}: there is no column {shown}{near}")


def _read_file(source: TableSource, path: Path, types: Mapping[str, Any]) -> polars.DataFrame:
    import polars as pl

    try:
        if isinstance(source, CsvSource):
            check_columns(path, _check_header(source, path), types)
            frame = _read_csv(source, path, types, None, columns=list(types))
        else:
            schema = pl.scan_parquet(path).collect_schema()
            check_columns(path, schema.names(), types)
            frame = pl.read_parquet(path, columns=list(types))
            frame = frame.with_columns(
                pl.col(name).cast(kind)
                for name, kind in types.items()
                if kind is not None and schema[name] != kind
            )
    except (pl.exceptions.PolarsError, OSError, ValueError) as error:
        raise _explain(error, source, path, types) from error
    if not frame.height:
        raise DataError(f"{path} has a header and no rows; expected examples")
    return frame.select(list(types))


def _read_csv(
    source: CsvSource,
    path: Path,
    types: Mapping[str, Any] | None,
    rows: int | None,
    *,
    columns: list[Any] | None = None,
) -> polars.DataFrame:
    import polars as pl

    return pl.read_csv(
        path,
        encoding="utf8" if _is_utf8(source) else source.encoding,
        n_rows=rows,
        columns=columns,
        glob=False,
        **_csv_options(source, types),
    )


def _csv_options(source: CsvSource, types: Mapping[str, Any] | None) -> dict[str, Any]:
    return {
        "separator": source.separator,
        "null_values": source.missing,
        "infer_schema_length": SAMPLE_ROWS,
        "try_parse_dates": True,
        "schema_overrides": {name: kind for name, kind in (types or {}).items() if kind is not None},
    }


def _is_utf8(source: CsvSource) -> bool:
    return source.encoding.lower().replace("-", "") == "utf8"


def _check_header(source: CsvSource, path: Path) -> list[str]:
    """The names of a file's columns.

    Raises:
        DataError: There are none, or too many, or one stands twice.
    """
    names = next(_rows(source, path), [])
    if not any(names):
        raise DataError(f"{path}: expected the names of the columns in the first line, found nothing")
    if len(names) > MOST_COLUMNS:
        raise DataError(
            f"{path} has {len(names):,} columns; at most {MOST_COLUMNS:,} are read from a table. "
            "Keep wide data as arrays: source npz or npy"
        )
    twice = [name for name in dict.fromkeys(names) if names.count(name) > 1] if len(names) < 1000 else []
    if twice:
        raise DataError(
            f"{path}: the column '{shorten(twice[0])}' stands twice in the first line; rename one"
        )
    return names


def _rows(source: CsvSource, path: Path) -> Iterator[list[str]]:
    """The rows of a file as texts, the header first: slow, for messages."""
    try:
        with _open(source, path) as file:
            yield from csv.reader(file, delimiter=source.separator)
    except (UnicodeDecodeError, csv.Error, OSError, EOFError, LookupError) as error:
        raise _explain(error, source, path) from error


def _open(source: CsvSource, path: Path) -> IO[str]:
    encoding = "utf-8-sig" if _is_utf8(source) else source.encoding
    with path.open("rb") as file:
        compressed = file.read(2) == b"\x1f\x8b"
    if compressed:
        return gzip.open(path, "rt", encoding=encoding, newline="")
    return path.open(encoding=encoding, newline="")


def _explain(
    error: Exception, source: TableSource, path: Path, types: Mapping[str, Any] | None = None
) -> DataError:
    """What is wrong with a file that polars could not read, with row and column where they can be found."""
    if isinstance(error, DataError):
        return error
    if isinstance(error, LookupError) and "encoding" in str(error):
        return DataError(
            f"{path}: there is no encoding '{getattr(source, 'encoding', '')}'; try latin1 or utf8"
        )
    if isinstance(error, OSError) and error.strerror:
        return DataError(f"{path}: cannot be read: {error.strerror}")
    if isinstance(source, CsvSource):
        found = (
            _find_wrong_bytes(source, path)
            or _find_ragged_row(source, path)
            or _find_text(source, path, types)
        )
        if found:
            return DataError(f"{path}, {found}")
    reason = shorten(str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__, 200)
    kind = "a CSV file" if isinstance(source, CsvSource) else "a Parquet file"
    return DataError(f"{path} cannot be read as {kind}: {reason}")


def _find_wrong_bytes(source: CsvSource, path: Path) -> str | None:
    """The first bytes that are not in the encoding."""
    try:
        with _open(source, path) as file:
            for number in itertools.count(1):
                try:
                    if not file.readline():
                        return None
                except UnicodeDecodeError as error:
                    byte = f"0x{error.object[error.start]:02x}"
                    return (
                        f"line {number} or a little after: the byte {byte} is not {source.encoding}; "
                        "save the file as UTF-8, or say how it is encoded, such as encoding: latin1"
                    )
    except (OSError, EOFError, LookupError) as error:
        return f"cannot be read: {error}"
    return None


def _find_ragged_row(source: CsvSource, path: Path) -> str | None:
    """The first row that has another number of values than the header."""
    rows = _rows(source, path)
    header = next(rows, [])
    for number, row in enumerate(rows, 1):
        if row and len(row) != len(header):
            return (
                f"row {number:,} (line {number + 1}): expected {len(header)} values as in the first line, found "
                f"{len(row)}; look for a missing quote or a {source.separator!r} too many"
            )
    return None


def _find_text(source: CsvSource, path: Path, types: Mapping[str, Any] | None) -> str | None:
    """The first text in a column of numbers."""
    names = [name for name, kind in (types or {}).items() if kind is not None and kind.is_numeric()]
    rows = _rows(source, path)
    header = next(rows, [])
    places = [(header.index(name), name) for name in names if name in header]
    for number, row in enumerate(rows, 1):
        for index, name in places:
            value = row[index] if index < len(row) else ""
            if value not in source.missing and not is_number(value):
                return explain_text(name, number, value, line=True)
    return None


def explain_text(column: str, row: int, value: str, *, line: bool) -> str:
    """What to say of a text among numbers."""
    at = f" (line {row + 1})" if line else ""
    return (
        f"row {row:,}{at}, column '{shorten(column)}': expected a number, found {shorten(repr(value))}; correct it, "
        f"add it to missing, or say columns: {{{shorten(column)}: category}}"
    )


def is_number(text: str) -> bool:
    """Whether a text is a number as polars reads it."""
    try:
        float(text)
    except ValueError:
        return False
    return True
