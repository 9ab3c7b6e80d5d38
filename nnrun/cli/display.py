"""A training on the screen: a moving line with Rich, plain lines, JSON lines, or nothing but warnings."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from nnrun.cli.chart import chart, fitting, known_rows, recent
from nnrun.cli.console import messages, print_json, printable, results, silence_closed_streams
from nnrun.cli.figures import duration
from nnrun.cli.pace import Pace
from nnrun.cli.wording import BEST, closing, is_shown, metric_text, opening, stride
from nnrun.store.run import Run

if TYPE_CHECKING:
    from rich.console import OverflowMethod

    from nnrun.training.display import Display

Row = dict[str, Any]

NARROW = 130
"""Columns below which bars and curves are short."""

REDRAW_SECONDS = 0.1

FRAMES = {
    "interrupted": ("interrupted", "yellow"),
    "killed": ("killed", "yellow"),
    "diverged": ("diverged", "red"),
}
"""Title and colour of the closing panel, by the reason why a training ended."""


class Standing(Protocol):
    """What a display wants to know of where the training stands.

    Args:
        best_epoch: The best epoch so far; 0 before the first.
    """

    best_epoch: int


class PlainDisplay:
    """One plain line for each thing that happens.

    Args:
        write: Takes a line without its end.
        write_result: The same for what came out in the end; default: ``write``.
        every_epoch: Show every epoch, however many there are.
    """

    def __init__(
        self,
        write: Callable[[str], None],
        write_result: Callable[[str], None] | None = None,
        *,
        every_epoch: bool = False,
    ) -> None:
        self._write = write
        self._write_result = write_result or write
        self._every_epoch = every_epoch
        self._stride = 1
        self._pace = Pace(1)

    def notify(self, message: str) -> None:
        self._write(printable(message))

    def warn(self, message: str) -> None:
        self._write(f"WARNING: {printable(message)}")

    def on_start(self, run: Run, facts: dict[str, Any]) -> None:
        self._pace = Pace(facts["training"]["epochs"])
        self._stride = 1 if self._every_epoch else stride(self._pace.epochs)
        for line in opening(facts, run):
            self._write(printable(line))

    def on_steps(self, epoch: int, done: int, total: int) -> None:
        pass

    def on_epoch(self, row: Row, position: Standing) -> None:
        self._pace.note(row["seconds"])
        if is_shown(row["epoch"], self._pace.epochs, self._stride):
            self._write(self.epoch_line(row, position))

    def epoch_line(self, row: Row, position: Standing) -> str:
        """An epoch in one line."""
        epoch = row["epoch"]
        width = len(str(self._pace.epochs))
        mark = f"  {BEST} best" if position.best_epoch == epoch else ""
        return (
            f"epoch {epoch:>{width}}/{self._pace.epochs}  {metric_text(row)}  "
            f"lr {row['learning_rate']:.3g}  {row['examples_per_second']:,.0f} examples/s  "
            f"{self._pace.left(epoch, 1.0)} left{mark}"
        )

    def on_stop(self, position: Standing) -> None:
        pass

    def on_result(self, run: Run, result: dict[str, Any]) -> None:
        for name, text in closing(run, result):
            self._write_result(f"{name}: {text}" if name else f"      {text}")


class RichDisplay(PlainDisplay):
    """A line an epoch, with a curve of the last ones, and under them the epoch that is under way, with a bar."""

    def __init__(self) -> None:
        self._console = messages()
        super().__init__(self._print)
        self._live: Any = None
        self._drawn = 0.0
        self._monitor = ""
        self._rows: dict[int, Row] = {}

    def _print(self, line: Any) -> None:
        """A sentence is broken between words; an epoch's line is cut."""
        if isinstance(line, str):
            self._console.print(line, markup=False, soft_wrap=False)
        else:
            overflow: OverflowMethod = "crop" if self._console.options.ascii_only else "ellipsis"
            self._console.print(
                fitting(line, self._console), no_wrap=True, overflow=overflow, soft_wrap=False
            )

    def warn(self, message: str) -> None:
        from rich.panel import Panel
        from rich.text import Text

        self._console.print(Panel(Text(printable(message)), title="warning", border_style="bold yellow"))

    def on_start(self, run: Run, facts: dict[str, Any]) -> None:
        from rich.live import Live

        super().on_start(run, facts)
        self._monitor = facts["training"].get("monitor", "loss")
        self._rows = {row.get("epoch", 0): row for row in known_rows(run)}
        self._live = Live(console=self._console, auto_refresh=False, transient=True)
        self._live.start()

    def on_steps(self, epoch: int, done: int, total: int) -> None:
        left = self._pace.left(epoch, done / total)
        bar = self._bar_width()
        full = int(bar * done / total)
        drawn = [("━" * full, "green"), ("━" * (bar - full), "bright_black")]
        self._draw(self._row(epoch, drawn, f"step {done:,}/{total:,}  {left} left"))

    def on_wait(self, epoch: int, seconds: float) -> None:
        """Nothing is known of the epoch that is under way but how long ago the one before it ended."""
        drawn = [("━" * self._bar_width(), "bright_black")]
        self._draw(self._row(epoch, drawn, f"under way; the last epoch ended {duration(seconds)} ago"))

    def _draw(self, line: Any) -> None:
        now = time.monotonic()
        if now - self._drawn >= REDRAW_SECONDS and self._live:
            self._drawn = now
            self._live.update(fitting(line, self._console), refresh=True)

    def on_epoch(self, row: Row, position: Standing) -> None:
        self._rows[row["epoch"]] = row
        super().on_epoch(row, position)

    def epoch_line(self, row: Row, position: Standing) -> Any:
        epoch, width = row["epoch"], self._bar_width()
        last = [self._rows[one] for one in range(epoch - width + 1, epoch + 1) if one in self._rows]
        curve = [(recent(last, self._monitor, width), "green")]
        text = self._row(epoch, curve, metric_text(row), is_best=position.best_epoch == epoch)
        left = self._pace.left(epoch, 1.0)
        speed = f"{row['examples_per_second']:,.0f}/s"
        text.append(f"  lr {row['learning_rate']:.3g}  {speed}  {left} left", "dim")
        return text

    def _bar_width(self) -> int:
        return 6 if self._console.width < NARROW else 20

    def _row(self, epoch: int, drawn: list[tuple[str, str]], figures: str, *, is_best: bool = False) -> Any:
        from rich.text import Text

        width = len(str(self._pace.epochs))
        star = (f" {BEST} " if is_best else "   ", "bold green")
        return Text.assemble((f"{epoch:>{width}}/{self._pace.epochs} ", "bold"), *drawn, star, figures)

    def on_stop(self, position: Standing) -> None:
        if self._live:
            self._live.stop()
            self._live = None

    def on_result(self, run: Run, result: dict[str, Any]) -> None:
        from rich.console import Group
        from rich.panel import Panel
        from rich.table import Table
        from rich.text import Text

        console = results()
        grid = Table.grid(padding=(0, 2))
        grid.add_column()
        grid.add_column(overflow="fold")  # a path is of use only as a whole
        for name, text in closing(run, result):
            grid.add_row(Text(name, "bold"), fitting(Text(text), console))
        best = (result["best"] or {}).get("epoch", 0)
        curves = chart(known_rows(run), console.width - 4, result["monitor"], best)
        title, style = FRAMES.get(result["reason"], ("done", "green"))
        shown = Group(*(fitting(line, console) for line in curves), grid)
        console.print(Panel(shown, title=title, border_style=style, expand=False))


class JsonDisplay:
    """One JSON object a line on standard output."""

    def notify(self, message: str) -> None:
        print_json({"event": "note", "message": message})

    def warn(self, message: str) -> None:
        print_json({"event": "warning", "message": message})

    def on_start(self, run: Run, facts: dict[str, Any]) -> None:
        print_json({"event": "start", "run": run.id, "path": str(run.path), **facts})

    def on_steps(self, epoch: int, done: int, total: int) -> None:
        pass

    def on_epoch(self, row: Row, position: Standing) -> None:
        print_json({"event": "epoch", **row, "best": position.best_epoch == row["epoch"]})

    def on_stop(self, position: Standing) -> None:
        pass

    def on_result(self, run: Run, result: dict[str, Any]) -> None:
        print_json({"event": "result", "run": run.id, "path": str(run.path), **result})


class QuietDisplay(PlainDisplay):
    """Nothing but warnings; the run's path at the end, for scripts."""

    def __init__(self) -> None:
        super().__init__(messages().print)

    def notify(self, message: str) -> None:
        pass

    def on_start(self, run: Run, facts: dict[str, Any]) -> None:
        pass

    def on_epoch(self, row: Row, position: Standing) -> None:
        pass

    def on_result(self, run: Run, result: dict[str, Any]) -> None:
        results().print(str(run.path), markup=False)


class Logged:
    """Another display, and everything in plain lines in the run's ``train.log`` as well.

    Whoever reads the display may go away (``| head``, a closed terminal): the training goes on, and the log is whole.
    """

    def __init__(self, display: Display) -> None:
        self._display = display
        self._early: list[str] = []
        self._log = PlainDisplay(self._early.append, every_epoch=True)

    def notify(self, message: str) -> None:
        self._show(self._display.notify, message)
        self._log.notify(message)

    def warn(self, message: str) -> None:
        self._show(self._display.warn, message)
        self._log.warn(message)

    def on_start(self, run: Run, facts: dict[str, Any]) -> None:
        self._log = PlainDisplay(run.log, every_epoch=True)
        for line in self._early:
            run.log(line)
        self._show(self._display.on_start, run, facts)
        self._log.on_start(run, facts)

    def on_steps(self, epoch: int, done: int, total: int) -> None:
        self._show(self._display.on_steps, epoch, done, total)

    def on_epoch(self, row: Row, position: Standing) -> None:
        self._show(self._display.on_epoch, row, position)
        self._log.on_epoch(row, position)

    def on_stop(self, position: Standing) -> None:
        self._show(self._display.on_stop, position)

    def on_result(self, run: Run, result: dict[str, Any]) -> None:
        self._log.on_result(run, result)
        self._show(self._display.on_result, run, result)

    def _show(self, show: Callable[..., None], *arguments: Any) -> None:
        try:
            show(*arguments)
        except OSError as error:
            if not silence_closed_streams(error):
                raise
