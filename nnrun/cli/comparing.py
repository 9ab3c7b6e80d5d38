"""The command that holds runs against each other: ``compare``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nnrun.cli.app import command
from nnrun.cli.completion import complete_run
from nnrun.cli.trainings import Json, RunsDir
from nnrun.errors import Problem, SpecError

if TYPE_CHECKING:
    from rich.console import Console

    from nnrun.store.listing import Record

RunNames = Annotated[
    list[str],
    typer.Argument(
        help="Runs: paths, ids, unique prefixes, latest, latest~1, best:METRIC.",
        metavar="RUN",
        autocompletion=complete_run,
    ),
]
Differences = dict[str, list[Any]]
"""For a path what each run has there."""

Row = dict[str, Any]

CURVE_WIDTH = 60
MOST_CURVES = 12
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
CLOCKS = ("seconds", "examples_per_second")
"""What is never the same twice."""

NO_DIFFERENCE = ("format", "sequence", "name", "started", "command", "overrides", "seed", "training", "data")
"""Facts that say nothing that the specification does not say, and the data, which has a table of its own."""


@command(epilog="Example: nnrun compare latest~1 latest")
def compare(runs: RunNames, runs_dir: RunsDir = None, json: Json = False) -> None:
    """Compare runs: the settings, data and versions that differ, what came out, and the curves over each other."""
    from nnrun.cli.console import results
    from nnrun.cli.showing import read_rows
    from nnrun.cli.text_tables import print_plain_json

    records = _find(runs, runs_dir)
    rows = [read_rows(record) for record in records]
    tables = {
        "settings": settings(records),
        "data": facts(records, "data"),
        "facts": facts(records),
        "results": outcomes(records),
    }
    if json:
        print_plain_json(_plain(records, tables, rows))
        return
    console = results()
    _print_head(console, records)
    _print_settings(console, tables["settings"])
    _print_table("data", tables["data"])
    _print_table("made with", tables["facts"])
    if not _say_same(console, rows):
        _print_table("result", tables["results"], marked=True)
    _print_curves(console, rows)


def _find(names: Sequence[str], runs_dir: Any) -> list[Record]:
    from nnrun.store.listing import read_record
    from nnrun.store.runs import find_run, runs_directory

    runs = runs_directory(runs_dir)
    found = {run.path.absolute(): run for run in (find_run(name, runs) for name in names)}
    if len(found) < 2:
        raise SpecError([Problem(f"expected two runs or more to compare, found {len(found)}")])
    if len(found) > len(LETTERS):
        raise SpecError(
            [Problem(f"expected at most {len(LETTERS)} runs, found {len(found)}; nnrun ls lists many")]
        )
    return [read_record(run) for run in found.values()]


def settings(records: Sequence[Record]) -> Differences:
    """What differs in the specifications."""
    from nnrun.store.query import HARMLESS, differences

    found = differences([record.config for record in records])
    return {path: values for path, values in found if path.partition(".")[0] not in HARMLESS}


def facts(records: Sequence[Record], section: str = "") -> Differences:
    """What differs in a section of the facts; without a section, in all that tell something of their own."""
    from nnrun.store.query import differences
    from nnrun.store.values import map_at

    if section:
        return dict(differences([map_at(record.facts, section) for record in records]))
    kept = [
        {key: value for key, value in record.facts.items() if key not in NO_DIFFERENCE} for record in records
    ]
    return dict(differences(kept))


def outcomes(records: Sequence[Record]) -> Differences:
    """What differs in what came out."""
    from nnrun.store.query import differences
    from nnrun.store.runs import FIGURES
    from nnrun.store.values import map_at

    found: list[Row] = []
    for record in records:
        best = map_at(record.result, "best")
        figures = {name: value for name, value in best.items() if name not in FIGURES or name == "epoch"}
        plain: Row = {"best": figures, "test": map_at(record.result, "test")}
        rest = {
            name: record.result[name] for name in ("epochs", "reason", "seconds") if name in record.result
        }
        found.append(plain | rest)
    return dict(differences(found))


def _plain(
    records: Sequence[Record], tables: dict[str, Differences], rows: Sequence[list[Row]]
) -> dict[str, Any]:
    """All of it, for programs; None stands where a run has nothing."""
    from nnrun.store.query import ABSENT

    without: dict[str, Any] = {
        name: {
            path: [None if value is ABSENT else value for value in values] for path, values in table.items()
        }
        for name, table in tables.items()
    }
    return {
        "runs": [{"id": one.run.id, "path": str(one.run.path), "status": one.state} for one in records],
        **without,
        "same_history": _are_same(rows),
        "curves": {name: [[row.get(name) for row in run] for run in rows] for name in metrics(rows)},
    }


def _print_head(console: Console, records: Sequence[Record]) -> None:
    from rich.text import Text

    from nnrun.cli.console import printable
    from nnrun.cli.figures import age
    from nnrun.store.query import COLUMNS

    for letter, record in zip(LETTERS, records, strict=False):
        tags = f", {', '.join(record.tags)}" if record.tags else ""
        said = f"{record.run.path}  {record.state}, {age(COLUMNS['age'](record))}{tags}"
        console.print(Text.assemble((f"{letter}  ", "bold"), printable(said)))
        for problem in record.problems:
            console.print(Text(f"   {printable(problem)}", "red"))


def _print_settings(console: Console, found: Differences) -> None:
    if not found:
        console.print("\nthe specifications are the same", markup=False)
    elif len(found) == 1:
        console.print("\none setting differs", markup=False, style="bold")
    _print_table("setting", found)


def _print_table(title: str, found: Differences, *, marked: bool = False) -> None:
    """Values side by side, a run a column.

    Args:
        title: What they are.
        found: The values.
        marked: Whether the best of each metric gets a mark.
    """
    from rich.text import Text

    from nnrun.cli.console import printable
    from nnrun.cli.text_tables import print_table

    if not found:
        return
    count = len(next(iter(found.values())))
    rows = []
    for path, values in found.items():
        best = _best_of(path, values) if marked else None
        cells = [_cell(path, value, is_best=best is not None and value == best) for value in values]
        rows.append([Text(printable(path)), *cells])
    print_table([title, *LETTERS[:count]], rows)


def _cell(path: str, value: Any, *, is_best: bool) -> Any:
    """A value of a table; a list of layers gets a line for each."""
    from rich.text import Text

    from nnrun.cli.console import printable
    from nnrun.cli.figures import BEST, setting

    if isinstance(value, list) and any(isinstance(item, dict) for item in value):
        return Text("\n".join(setting(item, 60) for item in value))
    text = setting(value, 60)
    return Text(f"{printable(text)} {BEST}", "bold green") if is_best else Text(text)


def _best_of(path: str, values: Sequence[Any]) -> float | None:
    """The best of some values; None where they are no metric of which one knows what is better."""
    from nnrun.cli.figures import finite_numbers
    from nnrun.store.values import better

    side, known = better(path.rpartition(".")[2]), finite_numbers(values)
    if side is None or not known or path.partition(".")[0] not in ("best", "test"):
        return None
    return min(known) if side == "min" else max(known)


def metrics(rows: Sequence[list[Row]]) -> list[str]:
    """The losses and metrics that any of the runs has."""
    from nnrun.store.runs import FIGURES

    names = dict.fromkeys(name for run in rows for row in run[:1] + run[-1:] for name in row)
    return [name for name in names if name not in FIGURES]


def _are_same(rows: Sequence[list[Row]]) -> bool:
    """Whether all epochs of all runs have the same figures, besides the time they took."""
    plain = [[{k: v for k, v in row.items() if k not in CLOCKS} for row in run] for run in rows]
    return bool(plain[0]) and all(run == plain[0] for run in plain)


def _say_same(console: Console, rows: Sequence[list[Row]]) -> bool:
    if _are_same(rows):
        console.print("\nall epochs have the same figures, to the last bit", markup=False)
        return True
    return False


def _print_curves(console: Console, rows: Sequence[list[Row]]) -> None:
    """For each metric the curves of all runs on one scale, under each other: epoch stands over epoch."""
    from rich.text import Text

    from nnrun.cli.console import printable
    from nnrun.cli.figures import Scale, number, setting, sparkline
    from nnrun.store.values import number_of

    longest = max(len(run) for run in rows)
    names = metrics(rows)
    for name in names[:MOST_CURVES]:
        curves = [[row.get(name) for row in run] for run in rows]
        scale = Scale.of([value for curve in curves for value in curve])
        if scale is None:
            continue
        console.print(Text.assemble("\n", (printable(name), "bold"), f"  {scale}; {longest:,} epochs"))
        for letter, curve in zip(LETTERS, curves, strict=False):
            if not curve:
                continue
            width = max(1, round(min(CURVE_WIDTH, longest) * len(curve) / longest))
            last = number_of(curve[-1])
            end = number(last) if last is not None else setting(curve[-1])
            console.print(Text.assemble((f"  {letter} ", "bold"), sparkline(curve, width, scale), f" {end}"))
    if len(names) > MOST_CURVES:
        console.print(f"... {len(names) - MOST_CURVES:,} more metrics", markup=False)
