"""A data set on the screen: tables with bars, and under them what is wrong with it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from nnrun.cli.console import messages, printable, results
from nnrun.cli.text_tables import print_table
from nnrun.data.inspect_findings import number, percent
from nnrun.data.inspect_views import Array, Column, Finding, Histogram, Inspection, Target, Words
from nnrun.spec.names import shorten

if TYPE_CHECKING:
    from rich.text import Text

BARS = "▁▂▃▄▅▆▇█"
EIGHTHS = " ▏▎▍▌▋▊▉█"
BAR = 10
"""Cells of the bar of a class."""

MOST_CLASSES = 30
MOST_COLUMNS = 100
LONGEST_NAME = 30
LEVELS = {"error": "bold red", "warning": "bold yellow", "note": "bold cyan"}


def print_inspection(inspection: Inspection, warning: str | None, notes: Sequence[str]) -> None:
    """Print what there is to say of a data set on standard output.

    Args:
        inspection: That.
        warning: What nobody must miss, such as a fallback.
        notes: What the reader noticed.
    """
    if warning:
        messages().print(f"WARNING: {printable(warning)}", markup=False)
    for title, text in _opening(inspection):
        _say(_text((f"{title:<10} ", "bold"), printable(text)))
    _print_target(inspection.target)
    if inspection.columns:
        _print_columns(inspection.columns)
    for array in inspection.arrays:
        _print_array(array)
    for column in inspection.columns:
        if column.words:
            _print_words(column.name, column.words)
    left_out = [f"{shorten(name)} is left out: {why}" for name, why in inspection.left_out.items()]
    for line in dict.fromkeys([*left_out, *notes]):
        _say(_text(("left out  " if line in left_out else "note      ", "bold"), " ", printable(line)))
    _print_findings(inspection.findings)


def _opening(inspection: Inspection) -> Iterator[tuple[str, str]]:
    total = sum(inspection.parts.values())
    yield "data", f"{inspection.name}, {total:,} examples"
    yield "parts", " · ".join(f"{name} {count:,}" for name, count in inspection.parts.items())
    for one in inspection.inputs:
        divided = f", divided by {one.divisor:g}" if one.divisor else ""
        of = f" from {len(one.columns):,} column{'s' * (len(one.columns) > 1)}" if one.columns else ""
        shape = " x ".join(f"{size:,}" for size in one.shape)
        yield "input", f"{shorten(one.name)}: {shape}, {one.dtype}{divided}{of}"
    yield "target", _target(inspection.target)
    if inspection.looked_at:
        yield "looked at", f"{inspection.looked_at:,} of {total:,} examples, as far as values are concerned"


def _target(target: Target) -> str:
    name = ", ".join(shorten(column) for column in target.columns)
    what = f"{len(target.classes):,} classes" if target.classes else "numbers"
    return f"{name}: {what}" if name else what


def _print_target(target: Target) -> None:
    if target.classes:
        _print_classes(target.classes, target)
        return
    _print_columns(target.numbers, is_target=True)


def _print_classes(classes: Sequence[str], target: Target) -> None:
    """A line a class, with a bar for each part; of very many classes the largest and the smallest."""
    parts = list(target.counts)
    order = list(range(len(classes)))
    if len(order) > MOST_CLASSES:
        order.sort(key=lambda index: -target.counts[parts[0]][index])
        _say(
            _text(
                f"the {MOST_CLASSES // 2} largest and the {MOST_CLASSES // 2} smallest of {len(order):,} classes"
            )
        )
        order = order[: MOST_CLASSES // 2] + order[-(MOST_CLASSES // 2) :]
    rows = []
    for index in order:
        row = [_text(printable(shorten(classes[index], LONGEST_NAME)))]
        for name in parts:
            counts = target.counts[name]
            count, total = counts[index], max(1, sum(counts))
            width = len(f"{max(counts):,}")
            row.append(
                _text(
                    f"{count:>{width},} ",
                    (bar(count / max(1, *counts)), "green" if count else ""),
                    (f" {percent(count / total):>6}", "dim"),
                )
            )
        rows.append(row)
    print_table(["class", *parts], rows)


def bar(fraction: float) -> str:
    """A part of a whole as a bar of ten cells, in eighths of a cell; anything at all is seen."""
    eighths = max(round(fraction * BAR * 8), 1 if fraction else 0)
    full, rest = divmod(eighths, 8)
    return ("█" * full + (EIGHTHS[rest] if rest else "")).ljust(BAR)


def spark(histogram: Histogram | None) -> str:
    """A histogram in one line; an empty bin is a space, so that a single value is seen."""
    if histogram is None:
        return ""
    highest = max(histogram.counts)
    return "".join(BARS[min(7, count * 8 // (highest + 1))] if count else " " for count in histogram.counts)


def _print_columns(columns: Sequence[Column], *, is_target: bool = False) -> None:
    shown = columns[:MOST_COLUMNS]
    rows = [_column_row(column, is_target=is_target) for column in shown]
    names = ["target" if is_target else "column", "kind", *([] if is_target else ["width", "missing"])]
    print_table([*names, "distinct", "min", "mean", "max", "values"], rows)
    if not is_target and not all(column.inferred for column in shown):
        _say(_text("* as the specification says; the other kinds are told from the data", style="dim"))
    if len(columns) > len(shown):
        _say(_text(f"and {len(columns) - len(shown):,} columns more; --json shows all", style="dim"))


def _column_row(column: Column, *, is_target: bool) -> list[Text]:
    kind = column.kind + ("" if column.inferred or is_target else "*")
    cells = [_text(printable(shorten(column.name, LONGEST_NAME))), _text(kind, style="dim")]
    if not is_target:
        missing = percent(column.missing / column.rows) if column.missing else "-"
        cells += [_text(f"{column.width:,}"), _text(missing, style="yellow" if column.missing else "dim")]
    cells.append(_text(f"{'' if column.exact else '~'}{column.distinct:,}"))
    if column.mean is not None or column.minimum is not None:
        mean = "" if column.mean is None else number(column.mean)
        cells += [_text(number(column.minimum)), _text(mean), _text(number(column.maximum))]
        return [*cells, _text((spark(column.histogram), "cyan"))]
    top = ", ".join(f"{shorten(value, 18)} {count:,}" for value, count in column.frequent[:3])
    empty = _text("")
    line = f"{shorten(column.frequent[0][0], 40)} ..." if column.words and column.frequent else top
    return [*cells, empty, empty, empty, _text((spark(column.histogram), "cyan"), " ", printable(line))]


def _print_array(array: Array) -> None:
    if array.minimum is None or array.words:
        if array.words:
            _print_words(array.name, array.words)
        return
    constant = f", {array.constant:,} places never change" if array.constant else ""
    _say(
        _text(
            ("values     ", "bold"),
            f"{printable(shorten(array.name))}: {number(array.minimum)} to {number(array.maximum)}, mean "
            f"{number(array.mean)}, standard deviation {number(array.deviation)}{constant}  ",
            (spark(array.histogram), "cyan"),
        )
    )


def _print_words(name: str, words: Words) -> None:
    room = f", room for {words.room:,}" if words.room else ""
    top = ", ".join(f"{shorten(word, 20)} {count:,}" for word, count in words.frequent)
    places = f", room for {words.places:,}" if words.places else ""
    _say(
        _text(
            ("words      ", "bold"),
            printable(
                f"{shorten(name)}: {words.shortest:,} to {words.longest:,} in a text, mean {words.mean:.1f}{room}; "
                f"{words.distinct:,} different{places}; most frequent: {top}"
            ),
        )
    )


def _print_findings(findings: Sequence[Finding]) -> None:
    if not findings:
        _say(_text(("nothing wrong was found", "bold green")))
        return
    _say(_text(""))
    for finding in findings:
        _say(_text((f"{finding.level}: ", LEVELS[finding.level]), (printable(finding.message), "bold")))
        _say(_text(f"    {printable(finding.why)} {printable(finding.advice)}"))
    counts = {level: sum(finding.level == level for finding in findings) for level in LEVELS}
    _say(
        _text(
            "\n"
            + ", ".join(f"{count} {level}{'s' * (count > 1)}" for level, count in counts.items() if count)
        )
    )


def _text(*parts: str | tuple[str, str], style: str = "") -> Text:
    from rich.text import Text

    return Text.assemble(*parts, style=style)


def _say(line: Text) -> None:
    """A line, broken between words on a terminal and nowhere else."""
    console = results()
    console.print(line, soft_wrap=not console.is_terminal)
