"""What is wrong with a table that polars could not read, with its file, row and column where they can be found."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nnrun.data.csv_rows import find_wrong_bytes, read_rows, refuse_ragged_rows
from nnrun.errors import DataError
from nnrun.spec.file_sources import CsvSource, TableSource
from nnrun.spec.names import shorten

UNREAD = re.compile(
    r"could not parse `(.*)` as dtype `(\w+).*?` at column '.*' \(column number (\d+)\)", re.S
)
UNCAST = re.compile(r"conversion from `.*?` to `(\w+).*?` failed in column '(.*?)' for ", re.S)
"""How polars says that a value is not of the type that it should be, in CSV and in Parquet files."""


def explain_error(
    error: BaseException, source: TableSource, path: Path, types: Mapping[str, Any] | None = None
) -> DataError:
    """What is wrong with a file.

    Args:
        error: What was raised in reading it.
        source: How the file is written.
        path: The file.
        types: The columns that were read, each with its polars type.
    """
    if isinstance(error, DataError):
        return error
    if isinstance(error, OSError) and error.strerror:
        return DataError(f"{path} cannot be read: {error.strerror}")
    text = str(error).strip()
    reason = shorten(text.splitlines()[0] if text else type(error).__name__, 200)
    if not isinstance(source, CsvSource):
        return DataError(f"{path}{_find_uncast(path, text, types) or _explain_parquet(path, reason)}")
    if "utf-8" in text:
        return DataError(f"{path}{find_wrong_bytes(source, path)}")
    if "more fields" in text:
        refuse_ragged_rows(source, path)
        reason = "a row has more values than the first line has names; look for a quote that is not closed"
    if "malformed" in text:
        reason = "a quote stands in the middle of a value; write it twice, and the whole value in quotes"
    return DataError(_find_unread(source, path, text) or f"{path} cannot be read as a CSV file: {reason}")


def explain_value(column: str, value: str, kind: str) -> str:
    """What to say of a value that is not of its column's kind (a polars type such as ``f32``)."""
    wanted = (
        "true or false" if kind.startswith("bool") else "a date" if kind.startswith("date") else "a number"
    )
    if kind.startswith(("i", "u")):
        wanted = "a whole number"
    name = shorten(column)
    remedy = f"correct it, add it to missing, or say columns: {{{name}: category}}"
    if re.fullmatch(r"\s*[-+]?\d*,\d+\s*", value):
        remedy = "for decimal commas write decimal: ','; to leave it as text, " + remedy.rpartition("or ")[2]
    return f"column '{name}': expected {wanted}, found {shorten(repr(value))}; {remedy}"


def place_of_row(source: TableSource, files: list[Path], row: int) -> str:
    """Where a row of all files together (from 0) stands: ``houses.csv, row 17 (line 18)``."""
    import polars as pl

    for path in files:
        if isinstance(source, CsvSource):
            there = ((line, values) for line, values in read_rows(source, path) if values)
            for number, (line, _) in enumerate(itertools.islice(there, 1, None), 1):
                if row == 0:
                    return f"{path.name}, row {number:,} (line {line:,})"
                row -= 1
            continue
        count = int(pl.scan_parquet(path, glob=False).select(pl.len()).collect().item())
        if row < count:
            return f"{path.name}, row {row + 1:,}"
        row -= count
    raise IndexError(row)


def _find_unread(source: CsvSource, path: Path, text: str) -> str | None:
    """The first row with a value that polars names."""
    found = UNREAD.search(text)
    if not found:
        return None
    value = found[1].strip().removeprefix('"').removesuffix('"').replace('""', '"')
    column, header, number = int(found[3]) - 1, [], 0
    for line, row in read_rows(source, path):
        if line == 1:
            header = row
        elif row:
            number += 1
            if len(row) > column and row[column].strip() == value.strip():
                what = explain_value(header[column].strip(), row[column], found[2])
                return f"{path}, row {number:,} (line {line:,}), {what}"
    return None


def _find_uncast(path: Path, text: str, types: Mapping[str, Any] | None) -> str | None:
    """The first row with a value that is not of the type that its column should have."""
    import polars as pl

    found = UNCAST.search(text)
    if not found or not types or types.get(found[2]) is None:
        return None
    name = found[2]
    values = pl.read_parquet(path, columns=[name], glob=False)[name]
    wrong = values.cast(types[name], strict=False).is_null() & values.is_not_null()
    if not wrong.any():
        return None
    row = int(wrong.arg_max() or 0)
    what = explain_value(name, str(values[row]), found[1]).replace("add it to missing, ", "")
    return f", row {row + 1:,}, {what}"


def _explain_parquet(path: Path, reason: str) -> str:
    with path.open("rb") as file:
        is_parquet = file.read(4) == b"PAR1"
    if is_parquet:
        return f" cannot be read: the Parquet file is damaged ({reason})"
    return " is no Parquet file; is it a CSV file? Then write the source csv instead of parquet"
