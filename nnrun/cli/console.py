"""What appears on the screen besides a training: error frames, messages, tables.

Results go to standard output, everything else to standard error. Rich honours ``NO_COLOR`` and plain terminals.
"""

from __future__ import annotations

import errno
import json
import os
import select
import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, TextIO

from nnrun.errors import NnrunError, Place, Problem, SpecError
from nnrun.store.durable import finite

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

CONTEXT_LINES = 1
"""Lines of the source that are shown before the one with the problem."""

LONGEST_LINE = 160
"""A source line is cut to this many characters around the problem."""


def messages() -> Console:
    """The console of standard error."""
    return _console(stderr=True)


def results() -> Console:
    """The console of standard output."""
    return _console(stderr=False)


def _console(*, stderr: bool) -> Console:
    from rich.console import Console

    class Enduring(Console):
        """A console that does not end the process when nobody reads it any more: a training goes on."""

        def on_broken_pipe(self) -> None:
            raise BrokenPipeError(errno.EPIPE, "nobody reads the output")

    return Enduring(stderr=stderr, highlight=False, soft_wrap=True)


def print_json(value: Any) -> None:
    """One JSON value as one line on standard output; what cannot be printed is escaped, what is not finite is text."""
    text = json.dumps(finite(value), ensure_ascii=False)
    print("".join(c if c.isprintable() else json.dumps(c)[1:-1] for c in text), flush=True)  # noqa: T201


def print_error(error: NnrunError, closing: str = "Nothing was trained.") -> None:
    """Show an expected error: its problems with their lines, then what it means."""
    console = messages()
    if not isinstance(error, SpecError):
        lines = "\n".join(map(printable, str(error).split("\n")))
        console.print(_line("error: ", lines), soft_wrap=not console.is_terminal)
        return
    for problem in error.problems:
        console.print(problem_text(problem))
    count = len(error.problems)
    where = f" in {printable(error.name)}" if error.name else ""
    console.print(f"{count} problem{'s' if count > 1 else ''}{where}. {closing}".rstrip())


def print_hints(hints: Sequence[Problem], name: str, closing: str = "") -> None:
    """Show advice with its lines; nothing where there is none.

    Args:
        hints: The advice.
        name: What it is on, for the closing line.
        closing: What it means, where it means anything.
    """
    if not hints:
        return
    console = messages()
    for hint in hints:
        console.print(problem_text(hint, "hint: ", "bold yellow"))
    count = f"{len(hints)} hint{'s' if len(hints) > 1 else ''} on {printable(name)}"
    console.print(f"{count}. {closing}".rstrip(), markup=False)


def problem_text(problem: Problem, mark: str = "", style: str = "bold red") -> Text:
    """A problem in one line and, under it, the source with the place marked.

    Args:
        problem: What to show.
        mark: What it begins with, such as ``hint: ``.
        style: Of the mark, and of the marks under the place.
    """
    from rich.text import Text

    text = Text()
    text.append(mark, style)
    if problem.place:
        text.append(f"{printable(str(problem.place))}  ", "bold")
    if problem.path:
        text.append(f"{printable(problem.path)}: ", "cyan")
    text.append(printable(problem.message))
    if problem.place:
        for line_style, line in _frame(problem.place, style):
            text.append(f"\n{line}", line_style)
    return text


def _frame(place: Place, style: str) -> Iterable[tuple[str, str]]:
    """The lines around a place, each with its style, and a row of marks under the last."""
    width = len(str(place.line))
    for number in range(place.line - CONTEXT_LINES, place.line + 1):
        line = place.source.line(number)
        if line is None:
            continue
        start = max(0, place.column - LONGEST_LINE // 2) if len(line) > LONGEST_LINE else 0
        pointer = ">" if number == place.line else " "
        yield "dim", f" {pointer} {number:>{width}} │ {printable(line[start : start + LONGEST_LINE])}"
        if number == place.line:
            marks = max(1, min(place.end_column, len(line) + 1) - place.column)
            indent = " " * (place.column - 1 - start)
            yield style, f"   {'':{width}} │ {indent}{'^' * min(marks, LONGEST_LINE)}"


def printable(text: str) -> str:
    """The text with control and direction-changing characters escaped, so that no file can repaint the screen."""
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode()
        for character in text
    )


def _line(start: str, message: str) -> Text:
    from rich.text import Text

    return Text.assemble((start, "bold red"), message)


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> Any:
    """A plain table, numbers to the right; nothing in it is read as markup."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    made = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for index, column in enumerate(columns):
        made.add_column(Text(column), justify="left" if index == 0 else "right")
    for row in rows:
        made.add_row(*map(Text, row))
    return made


def is_terminal() -> bool:
    """Whether standard error is a terminal that a moving display can be drawn on."""
    return sys.stderr.isatty() and messages().is_terminal


def silence_closed_streams(error: OSError) -> bool:
    """Send what is written to a stream that nobody reads any more to nowhere.

    Args:
        error: What was raised in writing.

    Returns:
        Whether it was because of such a stream.
    """
    if error.errno not in (errno.EPIPE, errno.EIO):
        return False
    for name in ("stdout", "stderr"):
        if _is_closed(getattr(sys, name)):
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115, PTH123  (until the end)
    return True


def _is_closed(stream: TextIO) -> bool:
    """Whether the other end of a stream is gone, as far as the system tells."""
    try:
        poll = select.poll()
        poll.register(stream.fileno(), 0)
        return any(event & (select.POLLERR | select.POLLHUP) for _, event in poll.poll(0))
    except (AttributeError, OSError, ValueError):  # no poll here, or no file behind the stream
        return True
