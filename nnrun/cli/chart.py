"""Curves of a training in characters: the last epochs as small bars, and loss and validation loss as a chart."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from nnrun.cli.console import printable
from nnrun.cli.figures import BARS, BEST, Scale, number, sparkline
from nnrun.errors import NnrunError
from nnrun.store.run import Run
from nnrun.store.values import number_of

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

HEIGHT = 8
"""Rows of the chart, without its axis."""

WIDEST = 64
NARROWEST = 36
"""Columns; where there are fewer, no chart is drawn."""

LEAST_EPOCHS = 3
"""A chart of fewer epochs says no more than their lines."""

STYLES = ("cyan", "magenta")
MARKS = "•○"
"""Of the loss, and of the validation loss."""

PLAIN = str.maketrans(f"{BARS}{MARKS}{BEST}━│└─…", "_.,-=+*#" + "*o" + "*" + "-|+-~")
"""What stands for the characters that an output without Unicode cannot show."""

Curve = Sequence[float | None]
"""A value for each epoch; None where there is none."""


def known_rows(run: Run) -> list[dict[str, Any]]:
    """The epochs of a run; none where they cannot be read: a picture is not worth an error."""
    try:
        return run.rows()
    except NnrunError:
        return []


def fitting(text: Text, console: Console) -> Text:
    """The text in the characters that the console can show."""
    if console.options.ascii_only:
        text.plain = text.plain.translate(PLAIN)
    return text


def recent(rows: Sequence[Mapping[str, Any]], name: str, width: int) -> str:
    """A metric of the last epochs as bars, the newest one to the right.

    Args:
        rows: All epochs so far.
        name: Of the metric.
        width: Characters, each an epoch.
    """
    values = [row.get(name) for row in rows[-width:]]
    scale = Scale.of(values)
    return f"{sparkline(values, width, scale) if scale else '':>{width}}"


def chart(rows: Sequence[Mapping[str, Any]], width: int, monitor: str, best: int = 0) -> list[Text]:
    """Loss and validation loss over the epochs, and the monitored metric under them, where it is another one.

    Args:
        rows: All epochs.
        width: Columns for all of it.
        monitor: The value that says which epoch is best.
        best: That epoch, from 1; 0 for none.

    Returns:
        The lines; none where there are too few epochs or columns, or no finite loss.
    """
    from rich.text import Text

    curves = {name: [number_of(row.get(name)) for row in rows] for name in ("loss", "val_loss")}
    curves = {name: curve for name, curve in curves.items() if any(value is not None for value in curve)}
    scale = Scale.of([value for curve in curves.values() for value in curve])
    if scale is None or len(rows) < LEAST_EPOCHS:
        return []
    margin = max(len(number(scale.low)), len(number(scale.high)))
    columns = min(WIDEST, width - margin - 2)
    if columns < NARROWEST:
        return []
    keys = [(f"{mark} {name}  ", style) for (name, mark, style) in zip(curves, MARKS, STYLES, strict=False)]
    log = "logarithmic" if scale.is_log else ""
    lines = [Text.assemble(" " * (margin + 2), *keys, (log, "dim"))]
    lines += _plot(list(curves.values()), scale, columns, margin)
    lines.append(_axis(len(rows), best if best in range(1, len(rows) + 1) else 0, columns, margin))
    if monitor not in curves:
        lines += _bars(rows, monitor, columns, margin)
    return lines


def _plot(curves: Sequence[Curve], scale: Scale, columns: int, margin: int) -> list[Text]:
    """The curves as points over each other, with the ends of the scale named."""
    from rich.text import Text

    cells = [[(" ", "")] * columns for _ in range(HEIGHT)]
    for curve, mark, style in zip(curves, MARKS, STYLES, strict=False):
        heights = [scale.height(one) if one is not None and math.isfinite(one) else None for one in curve]
        for column in range(columns):
            height = _height_at(heights, column / (columns - 1))
            if height is not None:
                cells[HEIGHT - 1 - round(height * (HEIGHT - 1))][column] = (mark, style)
    labels = {0: number(scale.high), HEIGHT - 1: number(scale.low)}
    return [
        Text.assemble((f"{labels.get(place, ''):>{margin}} │", "dim"), *_joined(row))
        for place, row in enumerate(cells)
    ]


def _joined(cells: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Characters with their styles; neighbours of the same style as one text."""
    groups = itertools.groupby(cells, key=lambda cell: cell[1])
    return [("".join(character for character, _ in group), style) for style, group in groups]


def _height_at(heights: Curve, fraction: float) -> float | None:
    """The height between the first epoch (0) and the last one (1); straight lines join the epochs."""
    position = fraction * (len(heights) - 1)
    before = min(int(position), len(heights) - 2)
    left, right = heights[before], heights[before + 1]
    return None if left is None or right is None else left + (right - left) * (position - before)


def _axis(epochs: int, best: int, columns: int, margin: int) -> Text:
    """The epochs, with the best one marked."""
    from rich.text import Text

    line = list("─" * columns)
    place = round((best - 1) / (epochs - 1) * (columns - 1)) if best else -1
    if best:
        line[place] = BEST
    star = [(character, "bold green" if at == place else "dim") for at, character in enumerate(line)]
    left, right = "1", f"{epochs:,}"
    middle = f"epoch, {BEST} best is {best:,}" if best else "epoch"
    names = f"{left}{middle:^{columns - len(left) - len(right)}}{right}"
    return Text.assemble(
        (f"{'':{margin}} └", "dim"), *_joined(star), "\n", (f"{'':{margin}}  {names}", "dim")
    )


def _bars(rows: Sequence[Mapping[str, Any]], name: str, columns: int, margin: int) -> list[Text]:
    """A metric as bars, epoch under epoch, and its scale."""
    from rich.text import Text

    values = [row.get(name) for row in rows]
    scale = Scale.of(values)
    if scale is None:
        return []
    bars = sparkline(_stretched(values, columns), columns, scale)
    return [Text(f"{'':{margin}}  {bars}"), Text(f"{'':{margin}}  {printable(name)} {scale}", "dim")]


def _stretched(values: Sequence[Any], columns: int) -> list[Any]:
    """At least a value for each column: those of few epochs are repeated."""
    if len(values) >= columns:
        return list(values)
    return [values[round(column / (columns - 1) * (len(values) - 1))] for column in range(columns)]
