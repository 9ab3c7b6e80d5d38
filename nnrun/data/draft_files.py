"""How the user's table is written, and what is in it."""

from __future__ import annotations

import codecs
import csv
import gzip
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, cast

from nnrun.data.columns import MOSTLY
from nnrun.data.files import find_files
from nnrun.data.tables import read_table, sample_table, table_suffix
from nnrun.errors import DataError
from nnrun.spec.file_sources import CsvSource, ParquetSource, TableSource
from nnrun.spec.names import shorten

if TYPE_CHECKING:
    import polars

MOST_VALUES = 50_000_000
"""Rows times columns: of larger tables only the first rows of the first file are looked at."""

LOOKED_AT_BYTES = 64 * 2**20
SEPARATORS = ",;\t|"
"""What may stand between two values; the first one where nothing tells."""

MOST_ODD_TEXTS = 5
"""So many different texts among numbers are taken for words that stand for nothing."""

Options = dict[str, tuple[Any, str]]
"""Arguments of a source that must be written, each with the reason."""


@dataclass(frozen=True)
class Table:
    """A table that was looked at.

    Args:
        place: What to call it.
        kind: ``csv`` or ``parquet``.
        options: How it is written, where that is not as usual.
        source: How it is read.
        sample: The first rows.
    """

    place: str
    kind: str
    options: Options
    source: TableSource
    sample: polars.DataFrame

    @property
    def missing(self) -> list[str]:
        """Texts that stand for nothing."""
        return self.source.missing if isinstance(self.source, CsvSource) else []


def open_table(data: str, target: str | None) -> Table:
    """Find out how a table is written and read its first rows.

    Args:
        data: A CSV or Parquet file, or a pattern.
        target: The column to predict; in it no text stands for nothing.

    Raises:
        DataError: There is no such file, or it cannot be read.
    """
    files = find_files(data)
    kind = table_suffix(files[0])
    options = _describe_csv(files[0]) if kind == "csv" else {}
    source = _source(kind, data, options)
    sample = sample_table(source, data)
    odd = _odd_texts(sample, target) if isinstance(source, CsvSource) else []
    if odd and isinstance(source, CsvSource):
        shown = ", ".join(f"'{shorten(text)}'" for text in odd)
        why = f"texts that stand for a missing value; {shown} stood among the numbers of a column"
        options["missing"] = ([*source.missing, *odd], why)
        source = _source(kind, data, options)
        sample = sample_table(source, data)
    return Table(Path(data).name, kind, options, source, sample)


def read_column(table: Table, name: str) -> polars.Series:
    """All values of a column."""
    return read_table(table.source, table.source.path, {name: _read_as(table.sample[name])})[name]


def read_columns(table: Table, rows: int) -> polars.DataFrame:
    """All rows of a table, unless they are so many that the first ones must do; without what cannot be used."""
    types = {values.name: _read_as(values) for values in table.sample.iter_columns()}
    if rows * len(types) > MOST_VALUES:
        return table.sample
    return read_table(table.source, table.source.path, types)


def _source(kind: str, data: str, options: Options) -> TableSource:
    arguments = {name: value for name, (value, _) in options.items()}
    section = CsvSource if kind == "csv" else ParquetSource
    return section(path=data, target="?", **arguments)


def _read_as(values: polars.Series) -> Any:
    """The type in which a column is read: numbers may have a fraction further down."""
    import polars as pl

    if values.dtype.is_numeric():
        return pl.Float64
    if values.dtype == pl.Null:
        return pl.String
    return values.dtype if values.dtype in (pl.Boolean, pl.String) else None


def _describe_csv(path: Path) -> Options:
    """Encoding and separator, where they are not as usual.

    Raises:
        DataError: It is no text.
    """
    options: Options = {}
    try:
        with path.open("rb") as file:
            compressed = file.read(2) == b"\x1f\x8b"
        with gzip.open(path) if compressed else path.open("rb") as file:
            beginning = cast(IO[bytes], file).read(LOOKED_AT_BYTES)
    except (OSError, EOFError) as error:
        raise DataError(f"{path}: cannot be read: {error}") from error
    encoding = _encoding(beginning)
    if encoding is None:
        raise DataError(f"{path} is no text; expected a CSV or Parquet file")
    if encoding != "utf8":
        options["encoding"] = (encoding, "the file is not encoded in UTF-8")
    separator = _separator(codecs.decode(beginning[: 2**16], encoding, "replace"))
    if separator != SEPARATORS[0]:
        options["separator"] = (separator, "stands between two values")
    return options


def _encoding(beginning: bytes) -> str | None:
    if beginning.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf16"
    if b"\0" in beginning:
        return None
    try:
        codecs.getincrementaldecoder("utf8")().decode(beginning)
    except UnicodeDecodeError:
        return "latin1"
    return "utf8"


def _separator(text: str) -> str:
    """The character that divides the first lines into the most columns, as many in each."""
    lines = text.lstrip("\ufeff").splitlines()[:-1][:20] or [text]

    def columns(separator: str) -> int:
        try:
            widths = {len(row) for row in csv.reader(lines, delimiter=separator) if row}
        except csv.Error:
            return 0
        return min(widths, default=0) if len(widths) == 1 else 0

    best = max(SEPARATORS, key=columns)
    return best if columns(best) > 1 else SEPARATORS[0]


def _odd_texts(sample: polars.DataFrame, target: str | None) -> list[str]:
    """Texts that stand among the numbers of a column, where they are few and always the same."""
    import polars as pl

    odd: dict[str, None] = {}
    for values in sample.iter_columns():
        if values.dtype != pl.String or values.name == target:
            continue
        there = values.drop_nulls()
        is_numeric = there.cast(pl.Float64, strict=False).is_not_null()
        texts = there.filter(~is_numeric).unique().sort().to_list()
        if 0 < len(texts) <= MOST_ODD_TEXTS and is_numeric.mean() >= MOSTLY:  # type: ignore[operator]
            odd |= dict.fromkeys(texts)
    return list(odd)
