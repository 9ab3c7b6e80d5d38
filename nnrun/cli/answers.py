"""Commands that use what was trained: ``evaluate`` and ``predict``."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nnrun.cli.app import command
from nnrun.cli.trainings import Code, Examples, Json, RunName, RunsDir, choose_display
from nnrun.errors import DataError, Problem, ResourceError, SpecError

if TYPE_CHECKING:
    from nnrun.evaluation import Evaluation

FORMATS = (".csv", ".parquet", ".json", ".jsonl")
"""What predictions can be written as; JSON is one object a line."""

Row = dict[str, Any]


@command(
    "Nothing was evaluated.", epilog="Example: nnrun evaluate latest, or nnrun evaluate latest --data new.csv"
)
def evaluate(
    run: RunName,
    on: Examples = "test",
    data: Annotated[
        list[str] | None,
        typer.Option(help="New files with their targets, instead of the run's own data.", show_default=False),
    ] = None,
    plots: Annotated[
        bool, typer.Option("--plots", help="Draw pictures into the run's plots folder, as PNG and SVG.")
    ] = False,
    code: Code = None,
    runs_dir: RunsDir = None,
    json: Json = False,
) -> None:
    """Score a run's model on the test part of its data, or on new data; in full in its evaluation folder."""
    from nnrun import inference
    from nnrun.cli.console import messages, print_json

    display = choose_display(json=json, quiet=False)
    files = [str(Path(one).absolute()) for one in data] if data else None
    opened, found = inference.evaluate(run, on, display=display, runs_dir=runs_dir, code=code, files=files)
    if json:
        reports = {name: judged.report for name, judged in found.outputs.items()}
        print_json({"run": opened.id, **found.facts, "outputs": reports})
    else:
        _show_evaluation(opened.id, found, f"{on} " if data is None else "")
    if plots:
        written = inference.draw(opened, code, on, display)
        messages().print(f"{len(written)} pictures in {opened.path / 'plots'}", markup=False)


def _show_evaluation(run: str, found: Evaluation, kind: str) -> None:
    """The scores, and for each output its table and its confusion matrix."""
    from nnrun.cli.console import printable, results, table
    from nnrun.cli.wording import number

    facts, screen = found.facts, results()
    model = facts["model"]
    screen.print(
        f"{run} on {facts['examples']:,} {kind}examples of {printable(facts['data'])} "
        f"({model['weights']} weights, epoch {model['epoch']})",
        markup=False,
    )
    screen.print(table(("score", "value"), [(printable(k), number(v)) for k, v in facts["scores"].items()]))
    for name, judged in found.outputs.items():
        if len(found.outputs) > 1:
            screen.print(printable(name), markup=False)
        lines = judged.text.splitlines() if len(judged.text.splitlines()) <= MOST_LINES else []
        if judged.confusion is not None:
            lines = [*lines, "", *judged.confusion.lines(width=screen.width)]
        for line in lines:
            screen.print(printable(line), markup=False, highlight=False, no_wrap=True, overflow="crop")


MOST_LINES = 30
"""Of a table of classes on the screen; a file gets all of it."""


@command(
    "Nothing was predicted.",
    epilog="Example: nnrun predict latest new.csv --output predictions.csv; a - reads the file from standard input",
)
def predict(
    run: RunName,
    files: Annotated[
        list[str] | None,
        typer.Argument(
            help="New files like those that the run was trained on; none: the run's own examples.",
            metavar="[FILE|FOLDER|-]...",
            show_default=False,
        ),
    ] = None,
    on: Examples = "test",
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="Write all of them to this file: .csv, .parquet, .json.",
            show_default=False,
        ),
    ] = None,
    first: Annotated[int, typer.Option(help="How many to show.", min=1)] = 10,
    code: Code = None,
    runs_dir: RunsDir = None,
    json: Json = False,
) -> None:
    """Show what a run's model says of new files, or of the test part of its own data."""
    if output and output.suffix.lower() not in FORMATS and not _is_special(output):
        raise SpecError([Problem(f"--output {output}: expected a name that ends in {', '.join(FORMATS)}")])
    display = choose_display(json=json, quiet=False)
    if files:
        _refuse_overwriting(files, output)
        with tempfile.TemporaryDirectory(prefix="nnrun-stdin-") as folder:
            try:
                chunks = _predict_files(run, _with_input(files, Path(folder)), display, runs_dir, code)
                _show(chunks, output, first, json=json)
            except DataError as error:
                raise DataError(str(error).replace(f"{folder}{os.sep}", "")) from error
        return
    from nnrun import inference

    _, predictions = inference.predict(run, on, display=display, runs_dir=runs_dir, code=code)
    _show(iter([list(predictions.rows())]), output, first, json=json)


def _refuse_overwriting(files: list[str], output: Path | None) -> None:
    """Refuse to write predictions over what they are made from.

    Raises:
        SpecError: The output is one of the files.
    """
    for name in files if output and output.is_file() else []:
        if Path(name).exists() and output and output.samefile(name):
            raise SpecError([Problem(f"--output {output} is the file to predict from; give it another name")])


def _with_input(files: list[str], folder: Path) -> list[str]:
    """The files by their whole paths; standard input as a file of its own."""
    found = []
    for name in files:
        if name == "-":
            path = folder / "standard input"
            with path.open("wb") as file:
                shutil.copyfileobj(sys.stdin.buffer, file)
            found.append(str(path))
        else:
            found.append(str(Path(name).absolute()))
    return found


def _predict_files(
    run: str, files: list[str], display: Any, runs_dir: Path | None, code: Path | None
) -> Iterator[list[Row]]:
    from nnrun import inference

    _, chunks = inference.predict_files(run, files, display=display, runs_dir=runs_dir, code=code)
    for columns in chunks:
        values = [column if isinstance(column, list) else column.tolist() for column in columns.values()]
        yield [dict(zip(columns, row, strict=True)) for row in zip(*values, strict=True)]


def _show(chunks: Iterator[list[Row]], output: Path | None, first: int, *, json: bool) -> None:
    """Write the predictions to a file, print them as JSON, or show the first ones."""
    from nnrun.cli.console import messages, print_json, results

    if output:
        count = write_rows(output, chunks)
        messages().print(f"{count:,} predictions in {output}", markup=False)
        return
    shown: list[Row] = []
    for rows in chunks:
        if json:
            for row in rows:
                print_json(row)
        shown += rows[: first - len(shown)]
        if not json and len(shown) >= first:
            break
    if not json:
        results().print(prediction_table(shown))


def write_rows(path: Path, chunks: Iterable[list[Row]]) -> int:
    """Write rows to a CSV, Parquet or JSON file, chunk by chunk; how many they were.

    A file appears under its name only when it is whole; what is no ordinary file is written in place.

    Raises:
        ResourceError: It cannot be written.
    """
    import polars as pl

    from nnrun.store.durable import explained

    count = 0
    pieces: list[Any] = []
    target = path if _is_special(path) else path.with_name(f".{path.name}-{os.getpid()}")
    with explained(path):
        try:
            with target.open("wb" if target == path else "xb") as file:
                for rows in chunks:
                    frame = pl.DataFrame([_plain(row) for row in rows], infer_schema_length=None)
                    if path.suffix.lower() == ".parquet":
                        pieces.append(frame)
                    elif path.suffix.lower() in (".json", ".jsonl"):
                        frame.write_ndjson(file)
                    else:
                        frame.write_csv(file, include_header=count == 0)
                    count += frame.height
                if pieces:
                    pl.concat(pieces).write_parquet(file)
            if target != path:
                target.replace(path)
        except pl.exceptions.PolarsError as error:
            raise ResourceError(f"{path} cannot be written: {error}") from error
        finally:
            if target != path:
                target.unlink(missing_ok=True)
    return count


def _plain(row: Row) -> Row:
    """Lists as text: a cell of a table holds one value."""
    return {key: str(value) if isinstance(value, list) else value for key, value in row.items()}


def _is_special(path: Path) -> bool:
    """Whether a path is that of a pipe or a device."""
    return path.exists() and not path.is_file()


MOST_COLUMNS = 12
"""Columns of predictions on the screen; a file gets all of them."""


def prediction_table(rows: list[Row]) -> Any:
    """Predictions as a table, of many columns the first ones."""
    from nnrun.cli.console import printable, table
    from nnrun.cli.wording import number

    cells = [
        [number(cell) if isinstance(cell, float) else printable(str(cell)) for cell in row.values()]
        for row in rows
    ]
    columns = [printable(name) for name in rows[0]]
    if len(columns) > MOST_COLUMNS:
        left_out = f"... {len(columns) - MOST_COLUMNS:,} more"
        columns = [*columns[:MOST_COLUMNS], left_out]
        cells = [[*row[:MOST_COLUMNS], "..."] for row in cells]
    return table(columns, cells)
