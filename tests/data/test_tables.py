"""CSV and Parquet files read as they are meant, and what is wrong with one named by file, row, column and remedy."""

from __future__ import annotations

import csv
import datetime
import gzip
import io
import time
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from nnrun.data import csv_rows, tables
from nnrun.data.load import load_data
from nnrun.data.table_errors import place_of_row
from nnrun.data.tables import read_table, sample_table, scan_table
from nnrun.errors import DataError
from nnrun.spec.file_sources import CsvSource, ParquetSource
from nnrun.spec.schema import Choice, DataSection

TYPES = {"a": pl.Float32, "c": pl.String, "y": pl.Int64}
ROWS = [(index + 0.5, "uvw"[index % 3], index % 2) for index in range(12)]


def text_of(rows: Any = ROWS, header: str = "a,c,y", separator: str = ",", end: str = "\n") -> str:
    lines = [header.replace(",", separator), *(separator.join(map(str, row)) for row in rows)]
    return end.join(lines) + end


def write(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def source_of(path: Path, **arguments: Any) -> CsvSource:
    return CsvSource(path=str(path), target="y", **arguments)


def load(path: Path, loss: str = "sparse_categorical_crossentropy", **arguments: Any) -> Any:
    kind = "parquet" if path.suffix == ".parquet" else "csv"
    section = DataSection(source=Choice(kind, {"path": str(path), "target": "y", **arguments}))
    return load_data(section, losses=Choice(loss), seed=1, validation_split=0, notify=lambda _: None)


def refusal(path: Path, **arguments: Any) -> str:
    start = time.perf_counter()
    with pytest.raises(DataError) as caught:
        load(path, **arguments)
    assert time.perf_counter() - start < 5
    assert caught.value.exit_code == 3
    return str(caught.value).replace(f"{path.parent}/", "")


WRITTEN: dict[str, tuple[str | bytes, dict[str, Any]]] = {
    "plain": (text_of(), {}),
    "no line end": (text_of().rstrip("\n"), {}),
    "byte order mark": (text_of().encode("utf-8-sig"), {}),
    "carriage returns": (text_of(end="\r\n"), {}),
    "semicolons": (text_of(separator=";"), {"separator": ";"}),
    "tabs": (text_of(separator="\t"), {"separator": "\t"}),
    "decimal commas": (text_of(separator=";").replace(".", ","), {"separator": ";", "decimal": ","}),
    "packed": (gzip.compress(text_of().encode()), {}),
    "utf16": (text_of().encode("utf-16"), {"encoding": "utf16"}),
    "latin1": (text_of().encode(), {"encoding": "latin1"}),
    "latin1 packed": (gzip.compress(text_of().encode()), {"encoding": "latin1"}),
    "everything in quotes": (
        text_of([[f'"{value}"' for value in row] for row in ROWS], header='"a","c","y"'),
        {},
    ),
    "spaces behind commas": (text_of([(a, c, f" {y}") for a, c, y in ROWS], header="a, c, y"), {}),
    "blank lines": (text_of().replace("\n", "\n\n"), {}),
    "blank lines with carriage returns": (text_of(end="\r\n").replace("\r\n", "\r\n\r\n"), {}),
    "blank lines in utf16": (text_of().replace("\n", "\n\n").encode("utf-16"), {"encoding": "utf16"}),
    "columns in another order": (text_of([(y, c, a) for a, c, y in ROWS], header="y,c,a"), {}),
    "columns more": (text_of([(9, *row, "x") for row in ROWS], header="z,a,c,y,w"), {}),
}


@pytest.mark.parametrize("case", WRITTEN)
def test_csv_file_is_read_however_it_is_written(case: str, tmp_path: Path) -> None:
    content, arguments = WRITTEN[case]
    path = write(tmp_path / "t.csv", content)
    source = source_of(path, **arguments)

    sample = sample_table(source, str(path))
    whole = read_table(source, str(path), TYPES)
    slices = list(scan_table(source, str(path), TYPES, 5))

    assert whole.rows() == ROWS
    assert whole.schema == pl.Schema(TYPES)
    assert [frame.height for frame in slices] == [5, 5, 2]
    assert pl.concat(slices).rows() == ROWS
    assert sample.select("a", "c", "y").rows() == ROWS
    assert sample.schema["a"].is_float()
    assert sample.schema["y"].is_integer()


def test_quotes_and_line_ends_in_cells_are_read_as_the_csv_module_reads_them(tmp_path: Path) -> None:
    cells = ['a "b"', "c,d", "e\nf", "g\r\nh", '""', " i ", "ü"]
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(
        [['x "y", z', "y"], *([cell, index] for index, cell in enumerate(cells))]
    )
    path = write(tmp_path / "t.csv", text.getvalue())

    found = read_table(source_of(path), str(path), {'x "y", z': pl.String, "y": pl.Int64})

    assert found['x "y", z'].to_list() == cells
    assert place_of_row(source_of(path), [path], 3) == "t.csv, row 4 (line 6)"


def test_missing_values_are_nothing_also_behind_a_space_and_as_nan(tmp_path: Path) -> None:
    path = write(tmp_path / "t.csv", "a,c,y\n,,0\nNA, ?,1\nnan,NULL,2\n1,x,3\n")

    found = read_table(source_of(path), str(path), TYPES)
    own = read_table(source_of(path, missing=["x"]), str(path), {"c": pl.String})

    assert found["a"].to_list() == [None, None, None, 1.0]
    assert found["c"].to_list() == [None, None, None, "x"]
    assert own["c"].to_list()[1:] == [" ?", "NULL", None]


def test_several_files_stand_one_after_the_other(tmp_path: Path) -> None:
    first, second = tmp_path / "1.csv", tmp_path / "2.csv"
    write(first, text_of(ROWS[:5]))
    write(second, text_of([(c, y, a) for a, c, y in ROWS[5:]], header="c,y,a"))
    paths = [str(first), str(second)]

    assert read_table(source_of(first), paths, TYPES).rows() == ROWS
    slices = [frame.rows() for frame in scan_table(source_of(first), paths, TYPES, 3)]
    assert [row for rows in slices for row in rows] == ROWS
    assert place_of_row(source_of(first), [first, second], 6) == "2.csv, row 2 (line 3)"


def test_dates_in_one_file_and_texts_in_another_are_refused(tmp_path: Path) -> None:
    write(tmp_path / "1.csv", text_of([("2021-01-01", 0), ("2021-02-01", 1)] * 5, header="d,y"))
    write(tmp_path / "2.csv", text_of([("2021-03-01", 0), ("soon", 1)] * 5, header="d,y"))

    assert refusal(tmp_path / "*.csv") == (
        "2.csv, row 2 (line 3), column 'd': expected a date, found 'soon'; correct it, or say how dates are written "
        "(format: '%d.%m.%Y')"
    )


def test_columns_that_do_not_go_together_are_refused(tmp_path: Path) -> None:
    times = pl.Series("d", [datetime.datetime(2021, 1, 1)])
    for number, zone in enumerate(["UTC", "Europe/Berlin"], 1):
        frame = pl.DataFrame([times.dt.replace_time_zone(zone), pl.Series("y", [0])])
        frame.write_parquet(tmp_path / f"{number}.parquet")
    source = ParquetSource(path="?", target="y")

    with pytest.raises(
        DataError, match=r"2.parquet: column 'd' holds Datetime.*Berlin.*, and Datetime.*UTC.* in 1"
    ):
        read_table(source, str(tmp_path / "*.parquet"), {"d": None})


def test_places_count_rows_without_blank_lines_and_lines_with_them(tmp_path: Path) -> None:
    path = write(tmp_path / "t.csv", "a,y\n\n1,0\n\n\nx,1\n" + "2,0\n" * 20)

    assert refusal(path) == (
        "t.csv, row 2 (line 6), column 'a': expected a number, found 'x'; correct it, add it to missing, "
        "or say columns: {a: category}"
    )


def many(value: object, row: int, count: int = 12_000, column: int = 0) -> str:
    """A long file with one odd value."""
    rows: list[list[object]] = [[index * 0.5, index % 7, "ab"[index % 2]] for index in range(count)]
    rows[row][column] = value
    return text_of(rows, header="a,b,y")


NOT_A_NUMBER = "expected a number, found 'x'; correct it, add it to missing, or say columns: {a: category}"
WIDE = ",".join(f"c{index}" for index in range(50_000)) + ",y\n" + ",".join(["1"] * 50_001) + "\n"

BAD: dict[str, tuple[str | bytes, dict[str, Any], str]] = {
    "no target": (text_of(header="a,c,z"), {}, "t.csv: there is no column 'y'; there are a, c, z"),
    "no feature": (text_of(), {"features": ["aa"]}, "t.csv: there is no column 'aa'; did you mean 'a'?"),
    "no ignored": (text_of(), {"ignore": ["cc"]}, "t.csv: there is no column 'cc'; did you mean 'c'?"),
    "no kind": (text_of(), {"columns": {"q": "number"}}, "t.csv: there is no column 'q'; there are a, c, y"),
    "no input": (text_of(), {"inputs": {"x": ["q"]}}, "t.csv: there is no column 'q'; there are a, c, y"),
    "text early": (many("x", 16), {}, f"t.csv, row 17 (line 18), column 'a': {NOT_A_NUMBER}"),
    "text late": (many("x", 11_000), {}, f"t.csv, row 11,001 (line 11,002), column 'a': {NOT_A_NUMBER}"),
    "text among numbers as said": (
        many("x", 16),
        {"columns": {"a": "number"}},
        f"t.csv, row 17 (line 18), column 'a': {NOT_A_NUMBER}",
    ),
    "too many values": (
        "a,y\n1,0\n1,0,5\n",
        {},
        "t.csv, row 2 (line 3): expected 2 values as in the first line, found 3; look for a missing quote, or a ',' "
        "too many or too few",
    ),
    "too many values late": (
        many("1,1", 11_000),
        {},
        "t.csv, row 11,001 (line 11,002): expected 3 values as in the first line, found 4; look for a missing quote, "
        "or a ',' too many or too few",
    ),
    "too few values": (
        "a,b,y\n1,2,0\n1,0\n1,2,1\n",
        {},
        "t.csv, row 2 (line 3): expected 3 values as in the first line, found 2; look for a missing quote, or a ',' "
        "too many or too few",
    ),
    "too few values late": (
        many("1,2,a\n3,4\n5", 11_000),
        {},
        "t.csv, row 11,002 (line 11,003): expected 3 values as in the first line, found 2; look for a missing quote, "
        "or a ',' too many or too few",
    ),
    "open quote": (
        'a,c,y\n1,u,0\n2,"u,1\n3,v,0\n',
        {},
        "t.csv, row 2 (line 3): expected 3 values as in the first line, found 2; look for a missing quote, or a ',' "
        "too many or too few",
    ),
    "quote in a value": (
        text_of([(a, f'5" {c}', y) for a, c, y in ROWS]),
        {},
        "t.csv cannot be read as a CSV file: a quote stands in the middle of a value; write it twice, and the whole "
        "value in quotes",
    ),
    "latin1": (
        "c,y\nKoln,0\nKöln,1\n".encode("latin1"),
        {},
        "t.csv, line 3: the byte 0xf6 is not utf8; save the file as UTF-8, or say how it is encoded, such as "
        "encoding: latin1",
    ),
    "latin1 late": (
        many("ö", 11_000).encode("latin1"),
        {},
        "t.csv, line 11,002: the byte 0xf6 is not utf8; save the file as UTF-8, or say how it is encoded, such as "
        "encoding: latin1",
    ),
    "not ascii": (
        "c,y\nKöln,1\n",
        {"encoding": "ascii"},
        "t.csv, line 2: the byte 0xc3 is not ascii; save the file as UTF-8, or say how it is encoded, such as "
        "encoding: latin1",
    ),
    "utf16": (
        text_of().encode("utf-16"),
        {},
        "t.csv is not UTF-8, it begins like UTF-16; write encoding: utf16",
    ),
    "empty": (b"", {}, "t.csv is empty: there is not a single byte in it"),
    "line end": ("\n", {}, "t.csv: expected the names of the columns in the first line, found nothing"),
    "header": ("a,y\n", {}, "t.csv has a header and no rows; expected examples"),
    "header and blank lines": ("a,y\n\n\n", {}, "t.csv has a header and no rows; expected examples"),
    "one row": (
        "a,y\n1,u\n",
        {},
        "t.csv: the target 'y' has the same value in all rows ('u'); there is nothing to tell apart",
    ),
    "one column": ("y\n0\n1\n", {}, "t.csv: no column is left to predict y from (there is no other)"),
    "zero bytes": (b"\0" * 100, {}, "t.csv holds zero bytes; expected text"),
    "noise": (
        np.random.default_rng(0).bytes(10_000),
        {},
        "t.csv holds zero bytes; expected text",
    ),
    "Parquet": (
        b"PAR1....",
        {},
        "t.csv is a Parquet file; write the source parquet instead of csv",
    ),
    "Excel": (b"PK\3\4....", {}, "t.csv is a zip archive, as Excel writes them; save the table as CSV"),
    "Macintosh": (
        text_of(end="\r"),
        {},
        "t.csv ends its lines with carriage returns alone; save it with line feeds (Unix or Windows)",
    ),
    "name twice": ("a,a,y\n1,2,0\n", {}, "t.csv: the column 'a' stands twice in the first line; rename one"),
    "no names": (
        ",,y\n1,2,0\n",
        {},
        "t.csv: a column without a name stands twice in the first line; rename one",
    ),
    "semicolons": (
        text_of(separator=";"),
        {},
        "t.csv: there is no column 'y'; all of the first line is one column: write separator: ';'",
    ),
    "tabs": (
        text_of(separator="\t"),
        {},
        "t.csv: there is no column 'y'; all of the first line is one column: write separator: '\\t'",
    ),
    "decimal commas": (
        text_of(separator=";").replace(".", ","),
        {"separator": ";"},
        "t.csv, row 1 (line 2), column 'a': expected a number, found '0,5'; for decimal commas write decimal: ','; "
        "to leave it as text, say columns: {a: category}",
    ),
    "points of thousands": (
        "a;y\n1.234,5;0\n" + "1,5;1\n2,5;0\n" * 20,
        {"separator": ";", "decimal": ","},
        "t.csv, row 1 (line 2), column 'a': expected a number, found '1.234.5'; correct it, add it to missing, or "
        "say columns: {a: category}",
    ),
    "wide": (
        WIDE,
        {},
        "t.csv has 50,001 columns; at most 20,000 are read from a table. Keep wide data as arrays: source npz or npy",
    ),
    "cut gz": (
        gzip.compress(many(1, 1).encode())[:-300],
        {},
        "t.csv cannot be read: Compressed file ended before the end-of-stream marker was reached",
    ),
    "huge whole number": (
        many(2**70, 11_000, column=1),
        {"target": "b", "ignore": ["y"]},
        f"t.csv, row 11,001 (line 11,002), column 'b': expected a whole number, found '{2**70}'; correct it, add it to "
        "missing, or say columns: {b: category}",
    ),
    "truth value": (
        text_of([["true", 0], ["false", 1]] * 6_000 + [["maybe", 1]], header="a,y"),
        {},
        "t.csv, row 12,001 (line 12,002), column 'a': expected true or false, found 'maybe'; correct it, add it to "
        "missing, or say columns: {a: category}",
    ),
    "date late": (
        text_of([["2021-01-02", 0], ["2021-02-03", 1]] * 6_000 + [["2021-02-30", 1]], header="a,y"),
        {},
        "t.csv, row 12,001 (line 12,002), column 'a': expected a date, found '2021-02-30'; correct it, add it to "
        "missing, or say columns: {a: category}",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_csv_file_is_refused_with_place_and_remedy(case: str, tmp_path: Path) -> None:
    content, arguments, expected = BAD[case]
    columns = {name: Choice(kind) for name, kind in arguments.get("columns", {}).items()}
    given = arguments | ({"columns": columns} if columns else {})

    assert refusal(write(tmp_path / "t.csv", content), **given) == expected


def test_file_that_is_not_there_a_folder_and_a_pattern_are_refused(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    write(tmp_path / "folder" / "a.csv", text_of())

    assert refusal(tmp_path / "no.csv") == "no.csv does not exist; correct its path"
    assert refusal(tmp_path / "*.csv") == "*.csv: no file fits this pattern"
    assert refusal(tmp_path / "folder") == (
        "folder is a folder; expected a file; write 'folder/*.csv' for the files in it"
    )


def test_second_file_is_held_to_the_same_as_the_first(tmp_path: Path) -> None:
    write(tmp_path / "1.csv", text_of())
    write(tmp_path / "2.csv", text_of([*ROWS, ("x", "u", 0)]))

    assert refusal(tmp_path / "*.csv").startswith("2.csv, row 13 (line 14), column 'a': expected a number")


@pytest.mark.tensorflow
def test_wide_table_is_read_in_seconds(tmp_path: Path) -> None:
    names = [f"c{index}" for index in range(csv_rows.MOST_COLUMNS - 1)]
    rows = np.random.default_rng(0).integers(0, 9, (20, len(names))).tolist()
    text = text_of([[*row, index % 2] for index, row in enumerate(rows)], header=",".join([*names, "y"]))
    start = time.perf_counter()

    data = load(write(tmp_path / "t.csv", text))

    assert data.facts.shape == (len(names),)
    assert time.perf_counter() - start < 20


def test_rows_are_checked_alike_by_bytes_and_by_the_csv_module(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    random = np.random.default_rng(3)
    monkeypatch.setattr(csv_rows, "CHUNK_BYTES", 64)
    pieces = ["1", "x", '"a,b"', '"c\nd"', '"e ""f"""', ""]
    ragged = 0
    for number in range(150):
        rows = []
        for _ in range(random.integers(1, 30)):
            width = 3 if random.random() > 0.02 else int(random.integers(1, 6))
            cells = [pieces[random.integers(0, len(pieces))] for _ in range(width)]
            rows.append("" if random.random() < 0.1 else ",".join(cells))
        text = ("\r\n" if number % 2 else "\n").join(["a,b,c", *rows]) + ("\n" if number % 3 else "")
        path = write(tmp_path / f"{number}.csv", text)
        source = source_of(path)
        try:
            exact = csv_rows._find_exactly(source, path, 3, None)
        except DataError as error:
            ragged += 1
            with pytest.raises(DataError) as caught:
                csv_rows.find_blank_rows(source, path)
            assert str(caught.value) == str(error)
            continue
        assert csv_rows.find_blank_rows(source, path) == exact
        with path.open("rb") as file:
            assert csv_rows._find_quickly(file, ord(","), 3, None) == exact
        expected = [row for row in list(csv.reader(io.StringIO(text, newline="")))[1:] if row]
        if expected:
            frame = read_table(source_of(path, missing=[]), str(path), dict.fromkeys("abc", pl.String))
            found = [[cell or "" for cell in row] for row in frame.rows()]
            assert found == expected
    assert 10 < ragged < 100


def test_line_without_end_is_no_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_rows, "MOST_LINE", 1_000)

    assert refusal(write(tmp_path / "t.csv", "a" * 2_000)) == (
        "t.csv has a line of 1,000 characters; is it a CSV file?"
    )


def parquet(path: Path, **columns: Any) -> Path:
    count = 40
    base = {"a": [float(index) for index in range(count)], "y": ["ab"[index % 2] for index in range(count)]}
    pl.DataFrame(base | columns).write_parquet(path / "t.parquet", row_group_size=7)
    return path / "t.parquet"


DAYS = [datetime.date(2021, 1, 1 + index % 28) for index in range(40)]

LEFT_OUT: dict[str, tuple[Any, str]] = {
    "list": (
        [[index] for index in range(40)],
        "it holds List(Int64), which is neither number, text nor date",
    ),
    "struct": (
        [{"z": index} for index in range(40)],
        "it holds Struct({'z': Int64}), which is neither number, text nor date",
    ),
    "bytes": ([b"x"] * 40, "it holds Binary, which is neither number, text nor date"),
    "duration": (
        [datetime.timedelta(hours=index) for index in range(40)],
        "it holds Duration(time_unit='us'), which is neither number, text nor date",
    ),
}


@pytest.mark.tensorflow
@pytest.mark.parametrize("case", LEFT_OUT)
def test_parquet_column_of_no_use_is_left_out_and_refused_where_it_is_wanted(
    case: str, tmp_path: Path
) -> None:
    values, reason = LEFT_OUT[case]
    path = parquet(tmp_path, c=values)

    assert load(path).notes == (f"c is left out: {reason}",)
    message = refusal(path, columns={"c": Choice("number")})
    assert message.startswith("t.parquet: column 'c' holds ")
    assert message.endswith(", expected numbers, texts or dates; leave it out, or make another column of it")


@pytest.mark.tensorflow
@pytest.mark.parametrize(
    ("values", "kind", "width"),
    [
        (pl.Series([f"{index}.25" for index in range(40)]).cast(pl.Decimal(10, 2)), None, 1),
        (pl.Series([f"k{index % 3}" for index in range(40)], dtype=pl.Categorical), None, 4),
        (pl.Series([f"k{index % 3}" for index in range(40)], dtype=pl.Enum(["k0", "k1", "k2"])), None, 4),
        (pl.Series(DAYS), None, 4),
        (pl.Series(DAYS).cast(pl.Datetime).dt.replace_time_zone("Europe/Berlin"), None, 4),
        (pl.Series([str(index) for index in range(40)]), "number", 1),
        (pl.Series([10**30 + index for index in range(40)], dtype=pl.Int128), None, 1),
        (pl.Series([2**64 - 1 - index for index in range(40)], dtype=pl.UInt64), None, 1),
        (pl.Series([index % 2 == 0 for index in range(40)]), None, 1),
        (pl.Series([float("nan") if index % 3 else index for index in range(40)], dtype=pl.Float64), None, 2),
    ],
    ids=lambda value: str(value.dtype) if isinstance(value, pl.Series) else None,
)
def test_parquet_types_become_numbers(values: Any, kind: str | None, width: int, tmp_path: Path) -> None:
    data = load(parquet(tmp_path, c=values), **({"columns": {"c": Choice(kind)}} if kind else {}))

    assert data.train.x.shape == (32, 1 + width)
    assert np.isfinite(data.train.x).all()


BAD_PARQUET: dict[str, tuple[Any, dict[str, Any], str]] = {
    "text": (
        [str(index) if index != 33 else "x" for index in range(40)],
        {"columns": {"c": Choice("number")}},
        "t.parquet, row 34, column 'c': expected a number, found 'x'; correct it, or say columns: {c: category}",
    ),
    "categories": (
        pl.Series(["k"] * 40, dtype=pl.Categorical),
        {"columns": {"c": Choice("number")}},
        "t.parquet: column 'c' holds Categorical, expected numbers; leave it out, or make another column of it",
    ),
    "nothing": (
        [None] * 40,
        {},
        "t.parquet: column 'c' has no value in the first 40 rows; write ignore: [c], or remove it",
    ),
    "list as target": (
        [[1]] * 40,
        {"target": "c"},
        "t.parquet: column 'c' holds List(Int64), expected numbers, texts or dates; leave it out, or make another "
        "column of it",
    ),
}


@pytest.mark.parametrize("case", BAD_PARQUET)
def test_bad_parquet_column_is_refused_with_its_place(case: str, tmp_path: Path) -> None:
    values, arguments, expected = BAD_PARQUET[case]

    assert refusal(parquet(tmp_path, c=values), **arguments) == expected


def test_bad_parquet_file_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "t.parquet", text_of())
    assert refusal(path) == (
        "t.parquet is no Parquet file; is it a CSV file? Then write the source csv instead of parquet"
    )
    good = parquet(tmp_path).read_bytes()
    write(path, good[: len(good) // 2])
    assert refusal(path).startswith("t.parquet cannot be read: the Parquet file is damaged (")
    pl.DataFrame({"a": [], "y": []}).write_parquet(path)
    assert refusal(path) == "t.parquet has a header and no rows; expected examples"


@pytest.mark.filterwarnings("ignore:CSV malformed")
def test_damaged_files_are_refused_or_read_and_nothing_else(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    random = np.random.default_rng(5)
    good = {
        "t.csv": text_of([(a, f'"{c}\n{c}"', y) for a, c, y in ROWS]).encode(),
        "t.csv.gz": gzip.compress(text_of().encode()),
        "t.parquet": parquet(tmp_path, c=["u", "v"] * 20).read_bytes(),
    }
    refused = 0
    for number in range(240):
        name = list(good)[number % 3]
        damaged = bytearray(good[name])
        for place in random.integers(0, len(damaged), 1 + number % 4):
            damaged[place] = [34, 44, 10, 13, 0, 255, 65, 195][random.integers(0, 8)]
        path = write(
            tmp_path / name, bytes(damaged[: None if number % 5 else random.integers(1, len(damaged))])
        )
        source = ParquetSource(path=str(path), target="y") if name.endswith("t") else source_of(path)
        for read in (
            lambda s, p: sample_table(s, p),
            lambda s, p: read_table(s, p, {"a": pl.Float32, "c": pl.String}),
            lambda s, p: list(scan_table(s, p, {"a": pl.Float32, "c": pl.String}, 7)),
        ):
            try:
                read(source, str(path))
            except DataError:
                refused += 1
    assert refused > 240
    capfd.readouterr()  # polars tells of its own what it thinks of it


def test_csv_copy_as_parquet_is_the_table(tmp_path: Path) -> None:
    path = write(tmp_path / "t.csv", text_of().replace("\n", "\n\n"))
    tables.csv_to_parquet(source_of(path), path, TYPES, tmp_path / "copy.parquet", 5)

    assert pl.read_parquet(tmp_path / "copy.parquet").rows() == ROWS
    assert tables.count_rows(tmp_path / "copy.parquet") == len(ROWS)
    rows = tables.read_rows_of(tmp_path / "copy.parquet", {"y": pl.Float32, "c": pl.String}, 3, 6).rows()
    assert rows == [(y, c) for _, c, y in ROWS[3:9]]
    write(path, text_of([*ROWS, ("x", "u", 1)]))
    with pytest.raises(DataError, match="row 13 "):
        tables.csv_to_parquet(source_of(path), path, TYPES, tmp_path / "bad.parquet", 5)
    assert sorted(one.name for one in tmp_path.iterdir()) == ["copy.parquet", "t.csv"]
