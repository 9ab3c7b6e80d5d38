"""What a training looks like: whole lines compared, on terminals of a given width."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from nnrun.cli import display, wording
from nnrun.store.run import Run
from nnrun.training.loop import Position

FACTS = {
    "name": "mnist",
    "data": {"name": "mnist", "train": 54_000, "validation": 6_000, "test": 10_000},
    "model": {"parameters": 407_050},
    "training": {"epochs": 3, "batch_size": 128, "steps_per_epoch": 422, "jit_compile": True},
    "devices": {"device": "cpu"},
}
ROW = {
    "epoch": 2,
    "seconds": 0.5,
    "examples_per_second": 108_000.0,
    "learning_rate": 0.001,
    "loss": 0.2791,
    "accuracy": 0.9187,
    "val_loss": 0.14,
    "val_accuracy": 0.96,
}
RESULT = {
    "status": "finished",
    "reason": "callback",
    "epochs": 5,
    "monitor": "val_loss",
    "best": ROW,
    "final": ROW | {"epoch": 5, "val_loss": 0.2},
    "model": {"weights": "best", "epoch": 2},
    "seconds": 75.2,
    "test": {"loss": 0.15, "accuracy": 0.95},
}
RUN = Run(Path("runs/mnist-20261120-193012"))


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Make all output go to one console of the given width; returns what was written."""

    def make(width: int, *, terminal: bool = True) -> io.StringIO:
        text = io.StringIO()
        console = Console(
            file=text,
            width=width,
            force_terminal=terminal,
            color_system=None,
            highlight=False,
            legacy_windows=False,
        )
        monkeypatch.setattr(display, "messages", lambda: console)
        monkeypatch.setattr(display, "results", lambda: console)
        return text

    return make


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.07194, "0.0719"), (12.345, "12.3450"), (0.0, "0.0000"), (1.234e-5, "1.23e-05"), (3.5e28, "3.5e+28")],
)
def test_number_is_short(value: float, text: str) -> None:
    assert wording.number(value) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.04, "0.0s"), (9.94, "9.9s"), (42, "0:42"), (75.2, "1:15"), (3723, "1:02:03")]
)
def test_duration_is_short(seconds: float, text: str) -> None:
    assert wording.duration(seconds) == text


@pytest.mark.parametrize(
    ("epochs", "every"), [(1, 1), (50, 1), (51, 2), (100, 2), (200, 5), (500, 10), (2000, 50), (10_000, 200)]
)
def test_long_runs_show_every_so_manieth_epoch(epochs: int, every: int) -> None:
    assert wording.stride(epochs) == every


def test_plain_display_writes_whole_lines() -> None:
    lines: list[str] = []
    shown = display.PlainDisplay(lines.append)

    shown.on_start(RUN, FACTS)
    shown.on_epoch(ROW, Position(epoch=2, best_epoch=2))
    shown.on_result(RUN, RESULT)

    speed = lines.pop(2)
    assert speed.startswith(
        "epoch 2/3  loss 0.2791  accuracy 0.9187  val_loss 0.1400  val_accuracy 0.9600  lr 0.001  108,000 examples/s  "
    )
    assert speed.endswith(" left  ★ best")
    assert lines == [
        "mnist: mnist, 54,000 training / 6,000 validation / 10,000 test examples",
        f"407,050 parameters, 422 steps of 128 an epoch, cpu, XLA; run {RUN.path}",
        "stopped: by a callback after epoch 5",
        "best: epoch 2 by val_loss  loss 0.2791  accuracy 0.9187  val_loss 0.1400  val_accuracy 0.9600",
        "last: epoch 5  loss 0.2791  accuracy 0.9187  val_loss 0.2000  val_accuracy 0.9600",
        "test: loss 0.1500  accuracy 0.9500  (best weights, epoch 2)",
        "time: 1:15",
        f"run: {RUN.path}",
        "next: nnrun show mnist-20261120-193012",
        "      nnrun evaluate mnist-20261120-193012",
    ]


@pytest.mark.parametrize("width", [60, 80, 124, 200])
def test_an_epoch_is_one_line_at_any_width(width: int, screen: Any) -> None:
    text = screen(width)
    shown = display.RichDisplay()
    shown.on_start(RUN, FACTS)
    shown.on_stop(Position())
    text.truncate(0)
    text.seek(0)

    shown.on_epoch(ROW, Position(epoch=2, best_epoch=2))

    (line,) = text.getvalue().splitlines()
    assert line.startswith("2/3 " + " " * (19 if width > 130 else 5) + "▁ ")
    assert "★ loss 0.2791" in line
    assert len(line) <= width


def test_warning_stands_in_a_panel(screen: Any) -> None:
    text = screen(60)

    display.RichDisplay().warn("mnist is not here")

    assert "warning" in text.getvalue()
    assert "│ mnist is not here" in text.getvalue()


def test_names_from_files_cannot_repaint_the_screen(screen: Any) -> None:
    text = screen(100)

    display.RichDisplay().notify("data\x1b[2J\u202eset [bold]x[/bold]")

    assert text.getvalue() == "data\\x1b[2J\\u202eset [bold]x[/bold]\n"


def test_display_can_be_stopped_twice_and_without_a_start(screen: Any) -> None:
    screen(80)
    shown = display.RichDisplay()

    shown.on_stop(Position())
    shown.on_start(RUN, FACTS)
    shown.on_steps(1, 1, 10)
    shown.on_stop(Position())
    shown.on_stop(Position())
