"""Tables and JSON of what strangers may have written: nothing is read as markup, and nothing repaints the screen."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import OverflowMethod
    from rich.text import Text

WIDE = 10_000
"""Columns of an output that is no terminal: nothing is cut for a file or a pipe."""

WHOLE = ("id", "differs")
"""Columns that a narrow terminal does not cut."""


def print_lines(names: Sequence[str], rows: Sequence[Sequence[Text]]) -> None:
    """Print a table as plain lines for a pipe or a file: nothing is cut, and thousands of rows take no time.

    Args:
        names: Of the columns.
        rows: A text for each column, already printable.
    """
    import typer
    from rich.cells import cell_len

    from nnrun.cli.console import printable

    lines = [[printable(name) for name in names], *([cell.plain for cell in row] for row in rows)]
    widths = [max(map(cell_len, column)) for column in zip(*lines, strict=True)]
    padded = (
        "  ".join(cell + " " * (width - cell_len(cell)) for cell, width in zip(line, widths, strict=True))
        for line in lines
    )
    typer.echo("\n".join(line.rstrip() for line in padded))


def print_table(names: Sequence[str], rows: Sequence[Sequence[Text]]) -> None:
    """Print a table on standard output.

    Args:
        names: Of the columns.
        rows: A text for each column, already printable.
    """
    from rich import box
    from rich.table import Table
    from rich.text import Text

    from nnrun.cli.console import printable, results

    made = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in names:
        overflow: OverflowMethod = "fold" if name in WHOLE else "ellipsis"
        made.add_column(Text(printable(name)), no_wrap=name != "differs", overflow=overflow)
    for row in rows:
        made.add_row(*row)
    console = results()
    if not console.is_terminal:
        console.width = WIDE
    console.print(made, soft_wrap=False)


def print_plain_json(value: Any) -> None:
    """A value as a line of JSON; what cannot be printed is escaped in it, and what is not finite is text."""
    import typer

    from nnrun.store.durable import finite

    text = json.dumps(finite(value), ensure_ascii=False)
    typer.echo("".join(one if one.isprintable() else json.dumps(one)[1:-1] for one in text))
