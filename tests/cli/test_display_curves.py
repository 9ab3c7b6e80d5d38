"""Curves on the screen: the last epochs beside each, the chart at the end, and what stands where there is no room."""

from __future__ import annotations

import io
import json
import math
import types
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from rich.text import Text

from nnrun.cli import display, notebook
from nnrun.cli.chart import chart, fitting, recent
from nnrun.cli.pace import Pace
from nnrun.cli.wording import closing, written
from nnrun.store.run import Run

CLOCKS = {"seconds": 0.1, "examples_per_second": 40.0, "learning_rate": 0.1}


def made_rows(epochs: int, **more: float) -> list[dict[str, Any]]:
    """Rows whose loss falls from 1 to 0 while the validation loss rises from 0 to 1."""
    last = epochs - 1
    return [
        {"epoch": place + 1, **CLOCKS, "loss": 1 - place / last, "val_loss": place / last} | more
        for place in range(epochs)
    ]


def result_of(rows: list[dict[str, Any]], **changes: Any) -> dict[str, Any]:
    found = {
        "reason": "epochs",
        "epochs": len(rows),
        "monitor": "val_loss",
        "best": rows[0],
        "final": rows[-1],
    }
    return found | {"seconds": 1.0} | changes


def made_run(folder: Path, rows: list[dict[str, Any]]) -> Run:
    folder.mkdir(exist_ok=True)
    run = Run(folder)
    for row in rows:
        run.append_row(row)
    return run


def drawn(rows: list[dict[str, Any]], width: int = 80, monitor: str = "val_loss", best: int = 1) -> list[str]:
    return "\n".join(line.plain for line in chart(rows, width, monitor, best)).splitlines()


def test_chart_draws_both_losses_with_their_axes_and_the_best_epoch() -> None:
    assert drawn(made_rows(15), 44, best=8) == [
        "        • loss  ○ val_loss  ",
        "1.0000 │•••                              ○○○",
        "       │   •••••                    ○○○○○   ",
        "       │        •••••          ○○○○○        ",
        "       │             •••••○○○○○             ",
        "       │             ○○○○○•••••             ",
        "       │        ○○○○○          •••••        ",
        "       │   ○○○○○                    •••••   ",
        "0.0000 │○○○                              •••",
        "       └──────────────────★─────────────────",
        "        1       epoch, ★ best is 8        15",
    ]


@pytest.mark.parametrize("width", [50, 80, 120, 300])
@pytest.mark.parametrize("epochs", [3, 40, 5000])
def test_chart_fits_any_width(width: int, epochs: int) -> None:
    lines = drawn(made_rows(epochs, accuracy=0.5), width, "accuracy", epochs)

    assert len(lines) == 13
    assert max(map(len, lines[:-1])) <= min(width, 80)
    assert lines[-1].endswith("accuracy 0.5000 to 0.5000")


def test_far_losses_are_drawn_on_a_logarithmic_scale() -> None:
    rows = [{"epoch": epoch, "loss": 10.0**-epoch} for epoch in range(1, 9)]

    lines = drawn(rows, 80, "loss", 8)

    assert lines[0].endswith("logarithmic")
    assert [line.count("•") for line in lines[1:9]] == [5, 9, 9, 9, 9, 9, 9, 5]  # equal factors, equal steps


@pytest.mark.parametrize(
    ("rows", "width"),
    [
        (made_rows(2), 80),
        ([], 80),
        (made_rows(40), 30),
        ([{"epoch": epoch, "accuracy": 0.5} for epoch in range(9)], 80),
        ([{"epoch": epoch, "loss": math.nan} for epoch in range(9)], 80),
    ],
)
def test_no_chart_where_it_would_say_nothing(rows: list[dict[str, Any]], width: int) -> None:
    assert chart(rows, width, "val_loss", 1) == []


@pytest.mark.parametrize("best", [0, -3, 99])
def test_no_star_for_an_epoch_that_is_not_there(best: int) -> None:
    assert "★" not in "".join(drawn(made_rows(5), best=best))


def test_gaps_stay_open_in_the_chart() -> None:
    rows = made_rows(41)
    for row in rows[10:31]:
        row["val_loss"] = math.inf

    columns = [sum(line[8 + at : 9 + at] == "○" for line in drawn(rows)[1:9]) for at in range(60)]

    assert (columns[2], columns[30], columns[58]) == (1, 0, 1)


def test_last_epochs_are_bars_with_the_newest_to_the_right() -> None:
    rows = made_rows(8)

    assert recent(rows, "val_loss", 4) == "▁▃▆█"
    assert recent(rows[:2], "val_loss", 4) == "  ▁█"
    assert recent(rows, "unknown", 4) == "    "


@pytest.fixture
def consoles(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Make all output go to one console of the given encoding; returns what was written."""

    def make(encoding: str, width: int = 80) -> Any:
        raw = io.BytesIO()
        file = io.TextIOWrapper(raw, encoding, errors="strict", write_through=True)
        console = Console(
            file=file, width=width, force_terminal=True, color_system=None, legacy_windows=False
        )
        monkeypatch.setattr(display, "messages", lambda: console)
        monkeypatch.setattr(display, "results", lambda: console)
        return lambda: raw.getvalue().decode(encoding)

    return make


@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_closing_panel_shows_the_chart_in_any_encoding(encoding: str, consoles: Any, tmp_path: Path) -> None:
    shown = consoles(encoding)
    run = made_run(tmp_path / "xor", made_rows(15))

    display.RichDisplay().on_result(run, result_of(made_rows(15)))

    lines = shown().splitlines()
    assert max(map(len, lines)) <= 80
    legend, axis = ("• loss  ○ val_loss", "└★──") if encoding == "utf-8" else ("* loss  o val_loss", "+*--")
    assert legend in lines[1]
    assert any(axis in line for line in lines)
    assert any("nnrun evaluate" in line for line in lines)


def test_epoch_lines_carry_the_curve_in_ascii_too(consoles: Any, tmp_path: Path) -> None:
    shown = consoles("ascii")
    facts = {
        "name": "xor",
        "data": {"name": "xor", "train": 4, "validation": 0, "test": 0},
        "model": {"parameters": 3},
        "training": {
            "epochs": 3,
            "batch_size": 4,
            "steps_per_epoch": 1,
            "jit_compile": False,
            "monitor": "loss",
        },
        "devices": {"device": "cpu"},
    }
    screen = display.RichDisplay()
    screen.on_start(Run(tmp_path), facts)
    for row in made_rows(3):
        screen.on_epoch(row, types.SimpleNamespace(best_epoch=row["epoch"]))
    screen.on_wait(3, 75.0)
    screen.on_stop(types.SimpleNamespace(best_epoch=3))

    assert "3/3    #=_ * loss 0.0000" in shown()
    assert "under way; the last epoch ended 1:15 ago" in shown()


def test_resumed_training_shows_the_curve_of_the_epochs_before(consoles: Any, tmp_path: Path) -> None:
    shown = consoles("utf-8")
    rows = made_rows(7)
    run = made_run(tmp_path, rows[:6])
    facts = {"training": {"epochs": 7, "monitor": "val_loss", "batch_size": 4, "steps_per_epoch": 1}}
    facts["training"]["jit_compile"] = True
    others = {"name": "xor", "data": dict.fromkeys(("train", "validation", "test"), 1) | {"name": "xor"}}
    screen = display.RichDisplay()
    screen.on_start(run, facts | others | {"model": {"parameters": 3}, "devices": {"device": "cpu"}})

    screen.on_epoch(rows[6], types.SimpleNamespace(best_epoch=1))
    screen.on_stop(types.SimpleNamespace(best_epoch=1))

    assert "7/7 ▁▂▄▅▇█   loss 0.0000" in shown()


def test_text_keeps_its_styles_when_it_is_made_to_fit() -> None:
    console = Console(file=io.TextIOWrapper(io.BytesIO(), "ascii"))
    text = Text.assemble(("★", "bold"), " ▁█")

    fitted = fitting(text, console)

    assert fitted.plain == "* _#"
    assert [(span.start, span.end, span.style) for span in fitted.spans] == [(0, 1, "bold")]


def test_time_left_follows_the_epochs_after_the_first() -> None:
    pace = Pace(10)

    pace.note(60.0)  # with the compilation
    assert pace.left(1, 1.0) == "9:00"
    pace.note(2.0)
    pace.note(4.0)

    assert pace.left(3, 1.0) == "0:21"
    assert pace.left(4, 0.5) == "0:20"
    assert pace.left(10, 1.0) == "0.0s"


def test_time_left_of_a_resumed_training_counts_its_own_epochs() -> None:
    pace = Pace(40)

    pace.note(20.0)

    assert pace.left(21, 1.0) == "6:20"  # nineteen more of twenty seconds


def test_closing_names_what_was_written_for_other_programs(tmp_path: Path) -> None:
    run = made_run(tmp_path / "my run", [])
    for name in (
        "report.html",
        "logs/train/events.out.tfevents.1.v2",
        "logs/validation/events.out.tfevents.2.v2",
    ):
        (run.path / name).parent.mkdir(parents=True, exist_ok=True)
        (run.path / name).write_text("")
    (run.path / "mlflow.json").write_text(json.dumps({"run_id": "ab12", "experiment": "xor"}))
    (run.path / "wandb.json").write_text(json.dumps({"id": "cd34", "part": "offline-run-1-cd34"}))

    assert list(written(run)) == [
        ("run", str(run.path)),
        ("report", str(run.path / "report.html")),
        ("tensorboard", f"tensorboard --logdir '{run.path / 'logs'}'"),
        ("mlflow", "run ab12 of the experiment xor"),
        ("wandb", f"wandb sync '{run.path / 'wandb' / 'offline-run-1-cd34'}'"),
    ]
    (run.path / "wandb.json").write_text(json.dumps({"id": "cd34", "url": "https://wandb.ai/x"}))
    assert list(written(run))[-1] == ("wandb", "https://wandb.ai/x")


def test_events_in_the_run_itself_are_found_there(tmp_path: Path) -> None:
    run = made_run(tmp_path / "xor", [])
    (run.path / "events.out.tfevents.1.v2").write_text("")

    assert list(written(run))[-1] == ("tensorboard", f"tensorboard --logdir {run.path}")


def test_closing_lines_cannot_repaint_the_screen(tmp_path: Path) -> None:
    run = made_run(tmp_path / "xor", [])
    (run.path / "mlflow.json").write_text(json.dumps({"run_id": "\x1b[2J", "experiment": "\u202e"}))

    text = "".join(text for _, text in closing(run, result_of(made_rows(3), monitor="\x1b[1m")))

    assert "\x1b" not in text
    assert "\u202e" not in text
    assert "\\x1b[2J" in text


def test_next_commands_find_a_run_that_is_kept_elsewhere(tmp_path: Path) -> None:
    run = made_run(tmp_path / "my run", [])

    assert closing(run, result_of(made_rows(3)))[-1] == ("", f"nnrun evaluate '{run.path}'")


class Output:
    """Stands for the output of a notebook's cell: its states, one after the other."""

    def __init__(self) -> None:
        self.states: list[str] = []
        self.shown = 0

    def display(self, data: dict[str, str], **options: Any) -> Output:
        assert options == {"raw": True, "display_id": True}
        self.shown += 1
        self.states.append(data["text/plain"])
        return self

    def update(self, data: dict[str, str], *, raw: bool) -> None:
        self.states.append(data["text/plain"])


def test_notebook_has_one_output_that_is_not_drawn_for_every_step(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    output, rows = Output(), made_rows(2000)
    monkeypatch.setattr(notebook.importlib, "import_module", lambda name: output)
    run = made_run(tmp_path / "xor", rows)
    shown = notebook.NotebookDisplay()
    training = {"epochs": 2000, "batch_size": 4, "steps_per_epoch": 1, "jit_compile": False}
    data = {"name": "xor", "train": 4, "validation": 0, "test": 0}
    shown.on_start(
        run,
        {
            "name": "xor",
            "data": data,
            "model": {"parameters": 3},
            "training": training,
            "devices": {"device": "cpu"},
        },
    )
    for row in rows:
        shown.on_steps(row["epoch"], 1, 1)
        shown.on_epoch(row, types.SimpleNamespace(best_epoch=1))
    shown.on_stop(types.SimpleNamespace(best_epoch=1))
    shown.on_result(run, result_of(rows))

    assert output.shown == 1
    assert len(output.states) < 100
    lines = output.states[-1].splitlines()
    assert len(lines) < 80
    assert any(line.startswith("epoch 2000/2000  loss 0.0000") for line in lines)
    assert any("★ best is 1 " in line for line in lines)


def test_process_without_a_kernel_is_no_notebook() -> None:
    assert not notebook.in_notebook()
