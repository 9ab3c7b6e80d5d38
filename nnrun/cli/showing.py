"""The command that tells everything about one run: ``show``."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import typer

from nnrun.cli.app import command
from nnrun.cli.trainings import Json, RunName, RunsDir
from nnrun.errors import RunError

if TYPE_CHECKING:
    from rich.text import Text

    from nnrun.store.listing import Record
    from nnrun.store.run import Run

Line = tuple[str, str]
"""A word, and what is to be said of it."""

Rows = Sequence[dict[str, Any]]

CURVE_WIDTH = 40
MOST_METRICS = 16
MOST_FILES = 40
PARTS = (("train", "training"), ("validation", "validation"), ("test", "test"))


@command(epilog="Example: nnrun show latest, or nnrun show best:accuracy")
def show(run: RunName, runs_dir: RunsDir = None, json: Json = False) -> None:
    """Show everything about a run: what was trained on what, how it went, what came out, and how to go on."""
    from nnrun.cli.console import results
    from nnrun.cli.text_tables import print_plain_json
    from nnrun.store.listing import read_record
    from nnrun.store.runs import find_run, runs_directory

    found = find_run(run, runs_directory(runs_dir))
    record = read_record(found)
    rows = read_rows(record)
    if json:
        print_plain_json(_plain(record, rows))
    else:
        console = results()
        for line in [*_head(record), *_facts(record), *_results(record)]:
            console.print(_text(line))
        _print_history(rows)
        for line in _rest(record):
            console.print(_text(line))
    if record.problems:
        raise typer.Exit(RunError.exit_code)


def read_rows(record: Record) -> list[dict[str, Any]]:
    """The epochs of a run; of damaged ones none, which is added to its problems."""
    from nnrun.store.values import brief

    try:
        return [brief(row) for row in record.run.rows()]
    except RunError as error:
        message = str(error)
    except RecursionError:
        message = f"{record.run.path} is damaged: nested too deeply"
    if message not in record.problems:
        record.problems.append(message)
    record.state = "damaged"
    return []


def _text(line: Line) -> Text:
    from rich.text import Text

    from nnrun.cli.console import printable

    word, said = line
    return Text.assemble((f"{word:>10}", "bold red" if word == "damaged" else "bold"), f"  {printable(said)}")


def _head(record: Record) -> Iterator[Line]:
    from nnrun.cli.figures import age
    from nnrun.store.query import COLUMNS

    yield "run", record.run.id
    yield "path", str(record.run.path)
    yield "status", record.state
    for problem in record.problems:
        yield "damaged", problem
    yield "started", f"{record.facts.get('started') or '?'} ({age(COLUMNS['age'](record))})"
    for position, line in enumerate(record.labels.note.splitlines()):
        yield "note" if position == 0 else "", line
    if record.tags:
        yield "tags", ", ".join(record.tags)


def _facts(record: Record) -> Iterator[Line]:
    """What was known before the first step."""
    from nnrun.cli.figures import setting
    from nnrun.store.query import ABSENT, value_at
    from nnrun.store.values import map_at

    def shown(path: str) -> str:
        return setting(value_at(record, path), 60)

    if record.config.get("description"):
        yield "about", str(record.config["description"])
    data = map_at(record.facts, "data")
    counts = [f"{_count(data[part])} {word}" for part, word in PARTS if data.get(part)]
    yield (
        "data",
        f"{shown('run.data.name')}: {' / '.join(counts) or '?'} examples, {shown('data.fingerprint')[:19]}",
    )
    parameters = _count(map_at(record.facts, "model").get("parameters"))
    yield "model", f"{shown('run.model.layers')} layers, {parameters} parameters"
    names = ("optimizer", "learning_rate", "loss", "batch_size")
    texts = [
        f"{name} {shown(f'training.{name}')}"
        for name in names
        if value_at(record, f"training.{name}") is not ABSENT
    ]
    yield "training", ", ".join([*texts, f"seed {shown('seed')}"])
    yield (
        "device",
        ", ".join(f"{name} {setting(value)}" for name, value in map_at(record.facts, "devices").items()),
    )
    yield (
        "versions",
        ", ".join(f"{name} {setting(value)}" for name, value in map_at(record.facts, "versions").items()),
    )
    if map_at(record.facts, "code"):
        yield "code", shown("run.code.file")
    command_line = record.facts.get("command")
    if isinstance(command_line, list):
        yield "command", shlex.join(map(str, command_line))


def _count(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) else "?"


def _results(record: Record) -> Iterator[Line]:
    """How it went and what came out."""
    from nnrun.cli.figures import duration
    from nnrun.store.values import map_at, number_of

    result = record.result
    seconds = number_of(result.get("seconds"))
    took = f", {duration(seconds)}" if seconds is not None else ""
    why = {"callback": ", stopped by a callback"}.get(str(result.get("reason")), "")
    yield (
        "epochs",
        f"{record.epochs if record.epochs is not None else '?'} of {record.planned or '?'}{took}{why}",
    )
    resumes = record.run.resumes() if not record.problems else []
    if resumes:
        yield "resumed", f"{len(resumes)} times, last from epoch {resumes[-1].get('epoch', '?')}"
    for key, word in (("best", f", by {record.monitor}"), ("final", "")):
        row = map_at(result, key)
        if row:
            yield ("last" if key == "final" else key), f"epoch {row.get('epoch', '?')}{word}  {_figures(row)}"
    scores = map_at(result, "test")
    if scores:
        kept = map_at(result, "model")
        yield (
            "test",
            f"{_figures(scores)}  ({kept.get('weights', '?')} weights, epoch {kept.get('epoch', '?')})",
        )
    if record.diverged and not record.finished:
        lost = record.run.divergence() or {}
        yield "lost", f"{lost.get('seen', '?')}, epoch {lost.get('epoch', '?')}"


def _figures(row: dict[str, Any]) -> str:
    from nnrun.cli.figures import number
    from nnrun.store.runs import FIGURES
    from nnrun.store.values import number_of

    known = {name: number_of(value) for name, value in row.items() if name not in FIGURES}
    return "  ".join(f"{name} {number(value)}" for name, value in known.items() if value is not None)


def _print_history(rows: Rows) -> None:
    """The curve of each metric with its first, its best and its last value."""
    from rich.text import Text

    from nnrun.cli.console import printable, results
    from nnrun.cli.figures import Scale, number, sparkline
    from nnrun.cli.text_tables import print_table
    from nnrun.store.runs import FIGURES
    from nnrun.store.values import best_row, number_of

    lines = []
    names = [name for name in dict.fromkeys(name for row in rows for name in row) if name not in FIGURES]
    for name in names[:MOST_METRICS]:
        values = [row.get(name) for row in rows]
        scale = Scale.of(values)
        if scale is None:
            continue
        best = best_row(rows, name)
        ends = [number_of(value) for value in (values[0], values[-1])]
        first, last = ("?" if value is None else number(value) for value in ends)
        top = f"{number(best[name])} (epoch {best.get('epoch', '?')})" if best else ""
        cells = (name, sparkline(values, CURVE_WIDTH, scale), first, top, last)
        lines.append([Text(printable(cell)) for cell in cells])
    if not lines:
        return
    print_table(("metric", f"{len(rows):,} epochs", "first", "best", "last"), lines)
    if len(names) > MOST_METRICS:
        results().print(f"... {len(names) - MOST_METRICS:,} more metrics", markup=False)


def _rest(record: Record) -> Iterator[Line]:
    """What lies in the run, and how to go on."""
    from nnrun.cli.figures import size

    found = files(record.run)
    texts = [f"{name} {size(count)}" for name, count in found.items()]
    more = f" and {len(texts) - MOST_FILES:,} more" if len(texts) > MOST_FILES else ""
    yield "files", ", ".join(texts[:MOST_FILES]) + more
    for position, line in enumerate(next_commands(record)):
        yield "next" if position == 0 else "", line


def files(run: Run) -> dict[str, int]:
    """The files of a run with their sizes in bytes; links are not followed."""
    from nnrun.store.trash import files_in

    return {path.relative_to(run.path).as_posix(): count for path, count in files_in(run.path)}


def next_commands(record: Record) -> list[str]:
    """What can be done with a run."""
    from nnrun.store.values import map_at, number_of

    name = shlex.quote(callable_name(record.run))
    file = map_at(record.facts, "code").get("file")
    code = f" --code {shlex.quote(str(record.run.path / 'code' / file))}" if isinstance(file, str) else ""
    match record.state:
        case "damaged":
            return [f"nnrun rm {name}"]
        case "running":
            return [f"nnrun watch {shlex.quote(record.run.id)}"]
        case "interrupted":
            return [f"nnrun resume {name}{code}"]
        case "diverged":
            rate = number_of(map_at(record.config, "training").get("learning_rate"))
            lower = f" training.learning_rate={rate / 10:g}" if rate else ""
            return [f"nnrun resume {name}{lower}{code}"]
    commands = [f"nnrun {verb} {name}{code}" for verb in ("evaluate", "predict")]
    return [*commands, f"nnrun resume {name} training.epochs={2 * (record.planned or 1)}{code}"]


def callable_name(run: Run) -> str:
    """What the run is found by from here: its id, where that leads to it, else its path."""
    from nnrun.store.runs import runs_directory

    usual = runs_directory(None) / run.id
    return run.id if run.id and usual.absolute() == run.path.absolute() else str(run.path)


def _plain(record: Record, rows: Rows) -> dict[str, Any]:
    """Everything, for programs."""
    from nnrun.store.query import COLUMNS

    return {
        "id": record.run.id,
        "path": str(record.run.path),
        "status": record.state,
        "problems": record.problems,
        "age_seconds": COLUMNS["age"](record),
        "tags": record.tags,
        "note": record.labels.note,
        "config": record.config,
        "facts": record.facts,
        "result": record.result,
        "history": list(rows),
        "files": files(record.run),
        "next": next_commands(record),
    }
