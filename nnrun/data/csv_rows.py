"""CSV files as text: their header and their rows, and whether each row has a value for every column."""

from __future__ import annotations

import codecs
import contextlib
import csv
import functools
import gzip
import io
import itertools
import zlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, cast

import numpy as np

from nnrun.errors import DataError
from nnrun.spec.file_sources import CsvSource
from nnrun.spec.names import shorten

MOST_COLUMNS = 20_000
CHUNK_BYTES = 4 << 20
MOST_LINE = 256 << 20
"""Characters; what is longer is no line of a table."""

MAGIC = {
    b"PAR1": "is a Parquet file; write the source parquet instead of csv",
    b"PK\x03\x04": "is a zip archive, as Excel writes them; save the table as CSV",
    b"\xd0\xcf\x11\xe0": "is a file of an old Excel; save the table as CSV",
}
"""How files begin that are taken for CSV files."""


def read_header(source: CsvSource, path: Path) -> list[str]:
    """The names of a file's columns, without spaces around them.

    Raises:
        DataError: There are none, or too many, or one stands twice; or the file is no text.
    """
    _refuse_binary(source, path)
    names = [name.strip() for _, row in itertools.islice(read_rows(source, path), 1) for name in row]
    if not any(names):
        raise DataError(f"{path}: expected the names of the columns in the first line, found nothing")
    if len(names) > MOST_COLUMNS:
        raise DataError(
            f"{path} has {len(names):,} columns; at most {MOST_COLUMNS:,} are read from a table. "
            "Keep wide data as arrays: source npz or npy"
        )
    twice = next((name for name, count in Counter(names).items() if count > 1), None)
    if twice is not None:
        what = f"the column '{shorten(twice)}'" if twice else "a column without a name"
        raise DataError(f"{path}: {what} stands twice in the first line; rename one")
    return names


def guess_separator(names: list[str]) -> str:
    """A hint where all names of a header stand in one column; empty where they do not."""
    found = next((one for one in ";\t|" if len(names) == 1 and one in names[0]), None)
    return f"; all of the first line is one column: write separator: {found!r}" if found else ""


def find_blank_rows(source: CsvSource, path: Path, most: int | None = None) -> list[int]:
    """Which rows are blank lines, which polars would take for rows without values.

    Args:
        source: How the file is written.
        path: The file.
        most: So many rows are looked at; None: all.

    Raises:
        DataError: A row has more or fewer values than the header, which polars would fill up silently.
    """
    facts = path.stat()
    return _find_blank_rows(
        path, source.separator, source.encoding, most, (facts.st_size, facts.st_mtime_ns, facts.st_ino)
    )


@functools.lru_cache(maxsize=64)
def _find_blank_rows(path: Path, separator: str, encoding: str, most: int | None, _: Any) -> list[int]:
    source = CsvSource(path=str(path), target="?", separator=separator, encoding=encoding)
    names = read_header(source, path)
    width, found = len(names), None
    if "16" not in encoding and "32" not in encoding:  # a byte is a separator where it looks like one
        if most is None and _are_rows_full(path, names, separator):
            return []
        with explained(source, path), _open_bytes(path) as file:
            found = _find_quickly(file, ord(separator), width, most)
    return _find_exactly(source, path, width, most) if found is None else found


def _are_rows_full(path: Path, names: list[str], separator: str) -> bool:
    """Whether polars finds no row with too many values, and a value at the end of each: then none has too few."""
    import polars as pl

    lazy = pl.scan_csv(
        path, new_columns=names, separator=separator, infer_schema=False, encoding="utf8-lossy", glob=False
    )
    try:  # of all columns: where it reads a few only, it does not look for more
        return not lazy.select(pl.all().null_count()).collect(engine="streaming").row(0)[-1]
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError):
        return False  # the others find out what is wrong


def _find_quickly(file: IO[bytes], separator: int, width: int, most: int | None) -> list[int] | None:
    """The same by counting separators outside of quotes; None where something looks wrong."""
    blanks: list[int] = []
    row, left = -1, b""  # the header is row -1
    while True:
        chunk = file.read(CHUNK_BYTES)
        data = np.frombuffer(left + (chunk or b"\n" * bool(left)), np.uint8)
        outside = np.cumsum(data == ord('"'), dtype=np.uint8) & 1 == 0  # a doubled quote counts twice
        ends = np.flatnonzero((data == ord("\n")) & outside)
        counts = np.diff(np.searchsorted(np.flatnonzero((data == separator) & outside), ends), prepend=0)
        lengths = np.diff(ends, prepend=-1) - 1
        is_blank = (lengths == 0) | (lengths == 1) & (data[ends - 1] == ord("\r"))
        if (counts[~is_blank] != width - 1).any():
            return None
        blanks += (np.flatnonzero(is_blank) + row).tolist()
        row += len(ends)
        left = data[ends[-1] + 1 :].tobytes() if len(ends) else data.tobytes()
        if not chunk or (most is not None and row > most):
            return None if left and not chunk else [one for one in blanks if one >= 0]
        if len(left) > MOST_LINE:
            return None


def refuse_ragged_rows(source: CsvSource, path: Path) -> None:
    """Say which row has more or fewer values than the header, if any.

    Raises:
        DataError: Its line.
    """
    _find_exactly(source, path, len(read_header(source, path)), None)


def _find_exactly(source: CsvSource, path: Path, width: int, most: int | None) -> list[int]:
    blanks: list[int] = []
    number = 0
    for index, (line, row) in enumerate(itertools.islice(read_rows(source, path), 1, None)):
        if most is not None and number > most:
            break
        if not row:
            blanks.append(index)
            continue
        number += 1
        if len(row) != width:
            raise DataError(
                f"{path}, row {number:,} (line {line:,}): expected {width:,} values as in the first line, found "
                f"{len(row):,}; look for a missing quote, or a {source.separator!r} too many or too few"
            )
    return blanks


def read_rows(source: CsvSource, path: Path) -> Iterator[tuple[int, list[str]]]:
    """The rows as texts, each with its line, the header first and blank lines as they are: slow, for messages.

    Raises:
        DataError: The file is not encoded as it should be, or damaged.
    """
    csv.field_size_limit(MOST_LINE)
    with explained(source, path), open_text(source, path) as file:
        reader = csv.reader(_lines(file, path), delimiter=source.separator)
        line = 1
        for row in reader:
            yield line, row
            line = reader.line_num + 1


def _lines(file: IO[str], path: Path) -> Iterator[str]:
    while text := file.readline(MOST_LINE):
        if len(text) == MOST_LINE:
            raise DataError(f"{path} has a line of {MOST_LINE:,} characters; is it a CSV file?")
        yield text


@contextlib.contextmanager
def explained(source: CsvSource, path: Path) -> Iterator[None]:
    """Within it, what goes wrong in reading a text is said with its place.

    Raises:
        DataError: It cannot be read, is not encoded as it should be, or is no CSV file.
    """
    try:
        yield
    except UnicodeError as error:
        raise DataError(f"{path}{find_wrong_bytes(source, path)}") from error
    except LookupError as error:
        encoding = shorten(source.encoding)
        raise DataError(f"{path}: there is no encoding '{encoding}'; try utf8, latin1 or cp1252") from error
    except csv.Error as error:
        raise DataError(f"{path} cannot be read as a CSV file: {error}") from error
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or error
        raise DataError(f"{path} cannot be read: {reason}") from error


def find_wrong_bytes(source: CsvSource, path: Path) -> str:
    """Where a text is not encoded as it should be, and what to do."""
    with _open_bytes(path) as file:
        beginning = file.read(2)
        if beginning in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
            return " is not UTF-8, it begins like UTF-16; write encoding: utf16"
        file.seek(0)
        for number, line in enumerate(file, 1):
            try:
                line.decode(source.encoding)
            except UnicodeDecodeError as error:
                return (
                    f", line {number:,}: the byte 0x{line[error.start]:02x} is not {shorten(source.encoding)}; "
                    "save the file as UTF-8, or say how it is encoded, such as encoding: latin1"
                )
    return f" is not encoded as {shorten(source.encoding)}; say how, such as encoding: latin1"


def open_text(source: CsvSource, path: Path) -> IO[str]:
    """Open a file as text, unpacked where it is packed, without a mark of the byte order."""
    encoding = "utf-8-sig" if is_utf8(source) else source.encoding
    return io.TextIOWrapper(cast(Any, _open_bytes(path)), encoding=encoding, newline="")


def is_utf8(source: CsvSource) -> bool:
    """Whether a file is encoded as polars takes it."""
    return source.encoding.lower().replace("-", "").replace("_", "") == "utf8"


def _open_bytes(path: Path) -> IO[bytes]:
    with path.open("rb") as file:
        compressed = file.read(2) == b"\x1f\x8b"
    return cast(IO[bytes], gzip.open(path)) if compressed else path.open("rb")


def _refuse_binary(source: CsvSource, path: Path) -> None:
    with explained(source, path), _open_bytes(path) as file:
        beginning = file.read(4096)
    what = next((what for magic, what in MAGIC.items() if beginning.startswith(magic)), None)
    if what is None and is_utf8(source) and beginning[:2] not in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        what = "holds zero bytes; expected text" if b"\0" in beginning else None
        if b"\r" in beginning and b"\n" not in beginning and len(beginning.split(b"\r")) > 2:
            what = "ends its lines with carriage returns alone; save it with line feeds (Unix or Windows)"
    if what:
        raise DataError(f"{path} {what}")
