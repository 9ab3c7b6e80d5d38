"""The command that lists runs: ``ls``."""

from __future__ import annotations

import csv
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nnrun.cli.app import command
from nnrun.cli.listed import Differs, cells, csv_text, describe, plain_value
from nnrun.cli.trainings import Json, RunsDir
from nnrun.errors import Problem, SpecError

if TYPE_CHECKING:
    from rich.text import Text

    from nnrun.store.listing import Record

FIRST_ON_TERMINAL = 30
MANY = 200
"""Runs to be read anew, from which on it is said that it takes a while."""

SHOWN = ("id", "status", "age", "epochs", "best", "test", "tags", "differs")
WHEN_ANY = ("best", "test", "tags", "differs")
"""Columns that are left out where no run has them."""

FIRST_TO_GO = ("tags", "age", "epochs", "test", "best")
"""Columns that a narrow terminal has no room for."""

LEAST_WIDTH = 24
GAP = 3
"""Columns of the terminal for what differs, at least, and between two columns of the table."""

IN_CSV = ("id", "status", "started", "epochs", "planned", "monitor", "best", "test", "tags", "note")


@command(epilog='Example: nnrun ls --where "training.learning_rate<0.01" --sort -test.accuracy')
def ls(
    where: Annotated[
        list[str] | None,
        typer.Option(
            help="Only runs of which this is so; a path or a column, one of < <= > >= = !=, and a value.",
            metavar="CONDITION",
            show_default=False,
        ),
    ] = None,
    sort: Annotated[
        str | None,
        typer.Option(
            help="In the order of a column or a path; -KEY falls.", metavar="KEY", show_default=False
        ),
    ] = None,
    columns: Annotated[
        str | None,
        typer.Option(help="What to show: columns and paths.", metavar="A,B,C", show_default=False),
    ] = None,
    first: Annotated[
        int | None,
        typer.Option(
            help="How many to show; default: 30 on a terminal, else all.", min=1, show_default=False
        ),
    ] = None,
    runs_dir: RunsDir = None,
    json: Json = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="CSV on standard output.")] = False,
) -> None:
    """List runs, newest first, each with what sets it apart from the others of its name.

    Columns: id, status, age, epochs, planned, best, test, tags, note, path, differs. A path leads into the
    specification (training.learning_rate), the result (best.val_loss, test.accuracy) or the facts (versions.keras).
    """
    from nnrun.store.query import Condition, differing_settings, sorted_by
    from nnrun.store.runs import runs_directory

    if json and as_csv:
        raise SpecError([Problem("--json and --csv are two forms of output; choose one")])
    runs = runs_directory(runs_dir)
    conditions = [Condition.parse(text) for text in where or []]
    chosen = _columns(columns)
    records = read_all(runs)
    _refuse_unknown(records, conditions, sort, chosen)
    found = [record for record in records if all(condition.holds(record) for condition in conditions)]
    if sort:
        found = sorted_by(found, sort)
    is_table = not (json or as_csv)
    limit = first or (FIRST_ON_TERMINAL if is_table and sys.stdout.isatty() else None)
    shown = found[:limit]
    differing = differing_settings(shown)
    if json:
        _print_json(shown, chosen, differing)
    elif as_csv:
        _print_csv(shown, chosen, differing)
    else:
        _print_table(shown, chosen, differing)
        _say_rest(runs, len(records), len(found), len(shown))


def read_all(runs: Path) -> list[Record]:
    """All runs of a folder, with a word on the screen while many are read."""
    from nnrun.store.listing import list_records

    return list_records(runs, _progress(runs))


def _progress(runs: Path) -> Callable[[int, int], None]:
    from nnrun.cli.console import messages
    from nnrun.store.index import NAME

    screen = messages()

    def tell(done: int, total: int) -> None:
        if total < MANY:
            return
        if done == 0:
            line = f"reading {total:,} runs that are new or changed; {runs / NAME} will remember them"
            screen.print(line, markup=False)
        elif screen.is_terminal and (done % 50 == 0 or done == total):
            screen.print(f"{done:,} of {total:,}", end="\r" if done < total else "\n", markup=False)

    return tell


def _columns(text: str | None) -> list[str]:
    """The columns that were asked for; none: those that are usual.

    Raises:
        SpecError: There is an empty name among them.
    """
    if text is None:
        return []
    names = [name.strip() for name in text.split(",")]
    if not all(names):
        message = f"expected names with commas between them, such as id,best.loss; found {text!r}"
        raise SpecError([Problem(message, "--columns")])
    return names


def _refuse_unknown(
    records: Sequence[Record], conditions: Sequence[Any], sort: str | None, columns: list[str]
) -> None:
    from nnrun.store.query import refuse_unknown

    asked = [("--where", condition.path) for condition in conditions]
    asked += [("--sort", sort.removeprefix("-"))] if sort else []
    asked += [("--columns", name) for name in columns if name != "differs"]
    refuse_unknown(records, asked)


def _print_json(records: Sequence[Record], columns: Sequence[str], differing: dict[str, Differs]) -> None:
    from nnrun.cli.text_tables import print_plain_json

    for record in records:
        differs = differing[record.run.id]
        print_plain_json(
            {name: plain_value(record, name, differs) for name in columns}
            if columns
            else describe(record, differs)
        )


def _print_csv(records: Sequence[Record], columns: Sequence[str], differing: dict[str, Differs]) -> None:
    """The usual columns and one for each setting that differs, or those that were asked for."""
    from nnrun.cli.console import printable

    settings = dict.fromkeys(path for record in records for path in differing[record.run.id])
    names = list(columns or (*IN_CSV, *settings))
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(map(printable, names))
    for record in records:
        values = (plain_value(record, name, differing[record.run.id]) for name in names)
        writer.writerow(printable(csv_text(value)) for value in values)


def _print_table(records: Sequence[Record], columns: Sequence[str], differing: dict[str, Differs]) -> None:
    from nnrun.cli.console import results
    from nnrun.cli.text_tables import print_lines, print_table

    if not records:
        return
    console = results()
    names = list(columns or SHOWN)
    rows = [cells(record, names, differing[record.run.id]) for record in records]
    if not columns:
        kept = _worth_showing(names, rows, console.width if console.is_terminal else None)
        names, rows = [names[at] for at in kept], [[row[at] for at in kept] for row in rows]
    show = print_table if console.is_terminal else print_lines
    show(names, rows)


def _worth_showing(names: Sequence[str], rows: Sequence[Sequence[Text]], width: int | None) -> list[int]:
    """Which columns to show: none that is empty, and on a narrow terminal those that tell most."""
    texts = {name: [row[at].plain for row in rows] for at, name in enumerate(names)}
    kept = {name: max(map(len, cells)) for name, cells in texts.items() if name not in WHEN_ANY or any(cells)}
    if "differs" in kept:
        kept["differs"] = min(kept["differs"], LEAST_WIDTH)  # it may take several lines
    for name in FIRST_TO_GO:
        if width is not None and sum(kept.values()) + GAP * len(kept) > width:
            kept.pop(name, None)
    return [at for at, name in enumerate(names) if name in kept]


def _say_rest(runs: Path, every: int, found: int, shown: int) -> None:
    from nnrun.cli.console import messages, printable

    place = printable(str(runs))
    if not every:
        line = f"no runs in {place}; train one, or name another place with --runs-dir"
    elif not found:
        line = f"none of the {every:,} runs in {place} is so"
    elif found > shown:
        line = f"... {found - shown:,} more; --first {found} shows all"
    else:
        return
    messages().print(line, markup=False)
