"""A training on the screen: a moving line with Rich, plain lines, JSON lines, or nothing but warnings."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from nnrun.cli.console import messages, print_json, printable, results
from nnrun.experiment import Display
from nnrun.store.run import Run
from nnrun.training.loop import Position, Row

MOST_LINES = 50
"""A run of more epochs shows every second, fifth, tenth ... of them; all are in metrics.jsonl."""

NARROW = 130
"""Columns below which the bar is short."""

REDRAW_SECONDS = 0.1

BEST = "★"


def stride(epochs: int) -> int:
    """Every how manieth epoch gets a line: 1, 2, 5, 10, 20, 50 ..."""
    step, factors = 1, (2, 2.5, 2)
    turn = 0
    while epochs > MOST_LINES * step:
        step = int(step * factors[turn % 3])
        turn += 1
    return step


def number(value: float) -> str:
    """A loss or a metric in a few characters: ``0.0719``, ``12.34``, ``1.2e-05``."""
    if value == 0 or 1e-3 <= abs(value) < 1e4:
        return f"{value:.4f}"
    return f"{value:.3g}"


def duration(seconds: float) -> str:
    """``0:42``, ``1:02:03``; tenths below ten seconds."""
    if seconds < 10:
        return f"{seconds:.1f}s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def opening(facts: dict[str, Any], run: Run) -> list[str]:
    """What is trained on what, in two lines."""
    data, training, devices = facts["data"], facts["training"], facts["devices"]
    parts = [f"{data[part]:,} {word}" for part, word in PARTS if data[part]]
    compiled = "XLA" if training["jit_compile"] else "no XLA"
    return [
        f"{facts['name']}: {data['name']}, {' / '.join(parts)} examples",
        f"{facts['model']['parameters']:,} parameters, {training['steps_per_epoch']:,} steps of "
        f"{training['batch_size']:,} an epoch, {devices['device']}, {compiled}; run {run.path}",
    ]


PARTS = (("train", "training"), ("validation", "validation"), ("test", "test"))
FIGURES = ("epoch", "seconds", "examples_per_second", "learning_rate")


def metric_text(row: Row) -> str:
    """Losses and metrics of a row: ``loss 0.2791  accuracy 0.9187``."""
    return "  ".join(
        f"{printable(name)} {number(value)}" for name, value in row.items() if name not in FIGURES
    )


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
        super().__init__(
            lambda line: self._console.print(line, markup=False, soft_wrap=isinstance(line, str))
        )
        self._live: Any = None
        self._drawn = 0.0

    def warn(self, message: str) -> None:
        from rich.panel import Panel

        self._console.print(Panel(printable(message), title="warning", border_style="bold yellow"))

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
            no_wrap=True,
            overflow="ellipsis",
        )

    def on_stop(self, position: Position) -> None:
        if self._live:
            self._live.stop()
            self._live = None

    def on_result(self, run: Run, result: dict[str, Any]) -> None:
        from rich.panel import Panel
        from rich.table import Table

        grid = Table.grid(padding=(0, 2))
        for name, text in closing(run, result):
            grid.add_row(f"[bold]{name}", text)
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
    """Another display, and everything in plain lines in the run's ``train.log`` as well."""

    def __init__(self, display: Display) -> None:
        self._display = display
        self._early: list[str] = []
        self._log = PlainDisplay(self._early.append, every_epoch=True)

    def notify(self, message: str) -> None:
        self._display.notify(message)
        self._log.notify(message)

    def warn(self, message: str) -> None:
        self._display.warn(message)
        self._log.warn(message)

    def on_start(self, run: Run, facts: dict[str, Any]) -> None:
        self._log = PlainDisplay(run.log, every_epoch=True)
        for line in self._early:
            run.log(line)
        self._display.on_start(run, facts)
        self._log.on_start(run, facts)

    def on_steps(self, epoch: int, done: int, total: int) -> None:
        self._display.on_steps(epoch, done, total)

    def on_epoch(self, row: Row, position: Position) -> None:
        self._display.on_epoch(row, position)
        self._log.on_epoch(row, position)

    def on_stop(self, position: Position) -> None:
        self._display.on_stop(position)

    def on_result(self, run: Run, result: dict[str, Any]) -> None:
        self._log.on_result(run, result)
        self._display.on_result(run, result)


def is_shown(epoch: int, epochs: int, every: int) -> bool:
    """Whether an epoch gets a line of its own."""
    return epoch in (1, epochs) or epoch % every == 0


def closing(run: Run, result: dict[str, Any]) -> list[tuple[str, str]]:
    """What came out, where it is, and what to do next."""
    lines = []
    if result["reason"] == "callback":
        lines.append(("stopped", f"by a callback after epoch {result['epochs']}"))
    if result["reason"] == "interrupted":
        lines.append(
            ("interrupted", f"after {result['epochs']} whole epochs; history, checkpoint and model are kept")
        )
    best, final = result["best"], result["final"]
    if best:
        lines.append(("best", f"epoch {best['epoch']} by {result['monitor']}  {metric_text(best)}"))
    if final and final != best:
        lines.append(("last", f"epoch {final['epoch']}  {metric_text(final)}"))
    if "test" in result:
        scores = "  ".join(f"{printable(name)} {number(value)}" for name, value in result["test"].items())
        lines.append(
            ("test", f"{scores}  ({result['model']['weights']} weights, epoch {result['model']['epoch']})")
        )
    lines.append(("time", duration(result["seconds"])))
    lines.append(("run", str(run.path)))
    lines.append(("next", f"nnrun evaluate {run.id}"))
    lines += [("", f"nnrun {command} {run.id}") for command in ("predict", "summary")]
    return lines
