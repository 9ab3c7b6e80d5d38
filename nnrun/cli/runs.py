"""The command that lists runs: ``ls``."""

from __future__ import annotations

import csv
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nnrun.cli.app import command
from nnrun.cli.trainings import Json, RunsDir
from nnrun.errors import Problem, SpecError

if TYPE_CHECKING:
    from rich.text import Text

    from nnrun.store.listing import Record

FIRST_ON_TERMINAL = 30
MANY = 200
"""Runs to be read anew, from which on it is said that it takes a while."""

MOST_SETTINGS = 6
"""Settings of a run that a line shows."""

SHOWN = ("id", "status", "age", "epochs", "best", "test", "tags", "differs")
WHEN_ANY = ("best", "test", "tags", "differs")
"""Columns that are left out where no run has them."""

IN_CSV = ("id", "status", "started", "epochs", "planned", "monitor", "best", "test", "tags", "note")
STYLES = {
    "finished": "green",
    "running": "cyan",
    "interrupted": "yellow",
    "diverged": "red",
    "damaged": "bold red",
}
Differing = dict[str, dict[str, Any]]
"""For the id of each run the settings that set it apart from those of its name."""


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


def _print_json(records: Sequence[Record], columns: Sequence[str], differing: Differing) -> None:
    from nnrun.cli.console import print_json

    for record in records:
        differs = differing[record.run.id]
        print_json(
            {name: _value(record, name, differs) for name in columns}
            if columns
            else describe(record, differs)
        )


def _value(record: Record, column: str, differs: dict[str, Any]) -> Any:
    """A value for programs; None where there is none."""
    from nnrun.store.query import ABSENT, value_at

    value = differs if column == "differs" else value_at(record, column)
    if isinstance(value, dict):
        return {key: None if item is ABSENT else item for key, item in value.items()}
    return None if value is ABSENT else value


def describe(record: Record, differs: dict[str, Any]) -> dict[str, Any]:
    """A run in a listing, for programs."""
    from nnrun.store.values import map_at

    return {
        "id": record.run.id,
        "path": str(record.run.path),
        "name": record.name,
        "status": record.state,
        "sequence": record.sequence,
        "started": record.facts.get("started"),
        "epochs": record.epochs,
        "planned": record.planned,
        "monitor": record.monitor,
        "best": map_at(record.result, "best") or None,
        "test": map_at(record.result, "test") or None,
        "seconds": record.result.get("seconds"),
        "differs": _value(record, "differs", differs),
        "tags": record.tags,
        "note": record.labels.note,
        "problems": record.problems,
    }


def _print_csv(records: Sequence[Record], columns: Sequence[str], differing: Differing) -> None:
    """The usual columns and one for each setting that differs, or those that were asked for."""
    from nnrun.cli.console import printable

    settings = dict.fromkeys(path for record in records for path in differing[record.run.id])
    names = list(columns or (*IN_CSV, *settings))
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(map(printable, names))
    for record in records:
        values = (_value(record, name, differing[record.run.id]) for name in names)
        writer.writerow(printable(_csv_text(value)) for value in values)


def _csv_text(value: Any) -> str:
    if isinstance(value, dict):
        return " ".join(f"{key}={_csv_text(item)}" for key, item in value.items())
    if isinstance(value, list):
        return " ".join(map(_csv_text, value))
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)


def _print_table(records: Sequence[Record], columns: Sequence[str], differing: Differing) -> None:
    from nnrun.cli.console import results
    from nnrun.cli.text_tables import print_lines, print_table

    if not records:
        return
    rows = [_cells(record, columns or SHOWN, differing[record.run.id]) for record in records]
    names = list(columns or SHOWN)
    if not columns:
        kept = [
            at for at, name in enumerate(names) if name not in WHEN_ANY or any(row[at].plain for row in rows)
        ]
        names, rows = [names[at] for at in kept], [[row[at] for at in kept] for row in rows]
    show = print_table if results().is_terminal else print_lines
    show(names, rows)


def _cells(record: Record, columns: Sequence[str], differs: dict[str, Any]) -> list[Text]:
    from rich.text import Text

    from nnrun.cli.console import printable

    return [
        Text(printable(_cell(record, name, differs)), STYLES[record.state] if name == "status" else "")
        for name in columns
    ]


def _cell(record: Record, column: str, differs: dict[str, Any]) -> str:
    """A value for people."""
    from nnrun.cli.figures import age, number, setting
    from nnrun.store.query import COLUMNS, short_names, value_at

    match column:
        case "age":
            return age(COLUMNS["age"](record))
        case "epochs":
            return f"{'?' if record.epochs is None else record.epochs}/{record.planned or '?'}"
        case "best":
            return f"{record.monitor} {number(record.best)}" if record.best is not None else ""
        case "test":
            return f"{record.test[0]} {number(record.test[1])}" if record.test else ""
        case "tags":
            return ", ".join(record.tags)
        case "note":
            return record.labels.note
        case "differs" if record.problems:
            return record.problems[0]
        case "differs":
            names = short_names(differs)
            texts = [f"{names[path]}={setting(value, 24)}" for path, value in differs.items()]
            rest = [f"+{len(texts) - MOST_SETTINGS} more"] if len(texts) > MOST_SETTINGS else []
            return " ".join(texts[:MOST_SETTINGS] + rest)
    value = value_at(record, column)
    return value if isinstance(value, str) else setting(value)


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
