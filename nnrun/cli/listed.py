"""A run in a listing: a row of texts for people, values for programs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.text import Text

    from nnrun.store.listing import Record

Differs = dict[str, Any]
"""The settings of a run that set it apart from those of its name."""

MOST_SETTINGS = 6
"""Settings of a run that a line shows."""

STYLES = {
    "finished": "green",
    "running": "cyan",
    "interrupted": "yellow",
    "diverged": "red",
    "damaged": "bold red",
}


def describe(record: Record, differs: Differs) -> dict[str, Any]:
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
        "differs": plain_value(record, "differs", differs),
        "tags": record.tags,
        "note": record.labels.note,
        "problems": record.problems,
    }


def plain_value(record: Record, column: str, differs: Differs) -> Any:
    """A value for programs; None where there is none."""
    from nnrun.store.query import ABSENT, value_at

    value = differs if column == "differs" else value_at(record, column)
    if isinstance(value, dict):
        return {key: None if item is ABSENT else item for key, item in value.items()}
    return None if value is ABSENT else value


def csv_text(value: Any) -> str:
    """A value for a table program: numbers with all digits, lists and maps with spaces between their items."""
    if isinstance(value, dict):
        return " ".join(f"{key}={csv_text(item)}" for key, item in value.items())
    if isinstance(value, list):
        return " ".join(map(csv_text, value))
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)


def cells(record: Record, columns: Sequence[str], differs: Differs) -> list[Text]:
    """A run as a row of a table, for people."""
    from rich.text import Text

    from nnrun.cli.console import printable

    return [
        Text(printable(_cell(record, name, differs)), STYLES[record.state] if name == "status" else "")
        for name in columns
    ]


def _cell(record: Record, column: str, differs: Differs) -> str:
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
