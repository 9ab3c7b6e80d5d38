"""A training on the screen: a moving line with Rich, plain lines, JSON lines, or nothing but warnings."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from nnrun.cli.console import messages, print_json, printable, results, silence_closed_streams
from nnrun.cli.wording import BEST, closing, duration, is_shown, metric_text, opening, stride
from nnrun.experiment import Display
from nnrun.store.run import Run
from nnrun.training.loop import Position, Row

NARROW = 130
"""Columns below which the bar is short."""

REDRAW_SECONDS = 0.1


@dataclass
class Pace:
    """How far the training is, and how long it will take.

    Args:
        epochs: All epochs of the run.
    """

    epochs: int
    started: float = field(default_factory=time.monotonic)
    warm: float | None = None

    def left(self, epoch: int, fraction: float) -> str:
        """The time left in words, from the pace since the first epoch: that one includes the compilation."""
        done = epoch - 1 + fraction
        now = time.monotonic()
        if self.warm is None and done >= 1:
            self.warm = now
        if self.warm is not None and done > 1:
            return duration((now - self.warm) / (done - 1) * (self.epochs - done))
        return duration((now - self.started) / done * (self.epochs - done)) if done > 0 else "?"


class PlainDisplay(Display):
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
            self._write(line)

    def on_steps(self, epoch: int, done: int, total: int) -> None:
        pass

    def on_epoch(self, row: Row, position: Position) -> None:
        if is_shown(row["epoch"], self._pace.epochs, self._stride):
            self._write(self.epoch_line(row, position))

    def epoch_line(self, row: Row, position: Position) -> str:
        """An epoch in one line."""
        epoch = row["epoch"]
        width = len(str(self._pace.epochs))
        mark = f"  {BEST} best" if position.best_epoch == epoch else ""
        return (
            f"epoch {epoch:>{width}}/{self._pace.epochs}  {metric_text(row)}  "
            f"lr {row['learning_rate']:.3g}  {row['examples_per_second']:,.0f} examples/s  "
            f"{self._pace.left(epoch, 1.0)} left{mark}"
        )

    def on_stop(self, position: Position) -> None:
        pass

    def on_result(self, run: Run, result: dict[str, Any]) -> None:
        for name, text in closing(run, result):
            self._write_result(f"{name}: {text}" if name else f"      {text}")


class RichDisplay(PlainDisplay):
    """A line an epoch, and under them the epoch that is under way, with a bar."""

    def __init__(self) -> None:
        self._console = messages()
        super().__init__(self._print)
        self._live: Any = None
        self._drawn = 0.0

    def _print(self, line: Any) -> None:
        """A sentence is broken between words; an epoch's line is cut."""
        if isinstance(line, str):
            self._console.print(line, markup=False, soft_wrap=False)
        else:
            self._console.print(line, no_wrap=True, overflow="ellipsis", soft_wrap=False)

    def warn(self, message: str) -> None:
        from rich.panel import Panel
        from rich.text import Text

        self._console.print(Panel(Text(printable(message)), title="warning", border_style="bold yellow"))

    def on_start(self, run: Run, facts: dict[str, Any]) -> None:
        from rich.live import Live

        super().on_start(run, facts)
        self._live = Live(console=self._console, auto_refresh=False, transient=True)
        self._live.start()

    def on_steps(self, epoch: int, done: int, total: int) -> None:
        now = time.monotonic()
        if now - self._drawn < REDRAW_SECONDS or not self._live:
            return
        self._drawn = now
        left = self._pace.left(epoch, done / total)
        self._live.update(
            self._row(epoch, done / total, f"step {done:,}/{total:,}  {left} left"), refresh=True
        )

    def epoch_line(self, row: Row, position: Position) -> Any:
        epoch = row["epoch"]
        text = self._row(epoch, 1.0, metric_text(row), is_best=position.best_epoch == epoch)
        left = self._pace.left(epoch, 1.0)
        speed = f"{row['examples_per_second']:,.0f}/s"
        text.append(f"  lr {row['learning_rate']:.3g}  {speed}  {left} left", "dim")
        return text

    def _row(self, epoch: int, fraction: float, figures: str, *, is_best: bool = False) -> Any:
        from rich.text import Text

        width = len(str(self._pace.epochs))
        bar = 6 if self._console.width < NARROW else 20
        full = int(bar * fraction)
        return Text.assemble(
            (f"{epoch:>{width}}/{self._pace.epochs} ", "bold"),
            ("━" * full, "green"),
            ("━" * (bar - full), "bright_black"),
            (f" {BEST} " if is_best else "   ", "bold green"),
            figures,
        )

    def on_stop(self, position: Position) -> None:
        if self._live:
            self._live.stop()
            self._live = None

    def on_result(self, run: Run, result: dict[str, Any]) -> None:
        from rich.panel import Panel
        from rich.table import Table
        from rich.text import Text

        grid = Table.grid(padding=(0, 2))
        for name, text in closing(run, result):
            grid.add_row(Text(name, "bold"), Text(text))
        title = "done" if result["reason"] != "interrupted" else "interrupted"
        results().print(
            Panel(grid, title=title, border_style="green" if title == "done" else "yellow", expand=False)
        )


class JsonDisplay(Display):
    """One JSON object a line on standard output."""

    def notify(self, message: str) -> None:
        print_json({"event": "note", "message": message})

    def warn(self, message: str) -> None:
        print_json({"event": "warning", "message": message})

    def on_start(self, run: Run, facts: dict[str, Any]) -> None:
        print_json({"event": "start", "run": run.id, "path": str(run.path), **facts})

    def on_steps(self, epoch: int, done: int, total: int) -> None:
        pass

    def on_epoch(self, row: Row, position: Position) -> None:
        print_json({"event": "epoch", **row, "best": position.best_epoch == row["epoch"]})

    def on_stop(self, position: Position) -> None:
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

    def on_epoch(self, row: Row, position: Position) -> None:
        pass

    def on_result(self, run: Run, result: dict[str, Any]) -> None:
        results().print(str(run.path), markup=False)


class Logged(Display):
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

    def on_epoch(self, row: Row, position: Position) -> None:
        self._show(self._display.on_epoch, row, position)
        self._log.on_epoch(row, position)

    def on_stop(self, position: Position) -> None:
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
