"""The command that follows a training from another terminal, or from another machine: ``watch``."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import typer

from nnrun.cli.app import command
from nnrun.cli.trainings import Json, RunName, RunsDir

if TYPE_CHECKING:
    from nnrun.cli.display import JsonDisplay, PlainDisplay
    from nnrun.cli.watched import Watched

POLL_SECONDS = 0.5


@command("", epilog="Example: nnrun watch latest")
def watch(run: RunName, runs_dir: RunsDir = None, json: Json = False) -> None:
    """Follow a training that runs elsewhere: its epochs so far, each new one, and how it ends.

    It only reads the run's files, twice a second, so it works over a shared disk too. A training is running while its
    lock is held; of one on another machine, whose lock may not be seen here, while its files change. Ctrl-C ends the
    watching and leaves the training alone. However the training ended, the exit code is 0.
    """
    from nnrun.cli.console import messages
    from nnrun.cli.watched import Watched
    from nnrun.store.runs import find_run, runs_directory

    watched = Watched(find_run(run, runs_directory(runs_dir)))
    display = _choose_display(json=json)
    try:
        follow(watched, display)
    except KeyboardInterrupt:
        display.on_stop(watched)
        if not json:
            messages().print("watching ended; the training goes on by itself", markup=False)
        raise typer.Exit(130) from None
    finally:
        display.on_stop(watched)


def follow(watched: Watched, display: PlainDisplay | JsonDisplay) -> None:
    """Show a run until its training ends.

    Raises:
        RunError: The run is damaged, or gone.
    """
    facts = watched.facts()
    monitor = facts["training"]["monitor"]
    display.on_start(watched.run, facts)
    shown = 0
    while True:
        life = watched.life()  # before the rows: those of a training that is over are all there
        kept = watched.epochs.read()
        if kept < shown:
            shown = kept
            watched.best_epoch = 0
            for row in watched.epochs.rows[:kept]:
                watched.note_best(row, monitor)
            display.notify(f"the training went on from a checkpoint, after epoch {kept}")
        for row in watched.epochs.rows[shown:]:
            watched.note_best(row, monitor)
            display.on_epoch(row, watched)
        shown = len(watched.epochs.rows)
        if life != "running":
            break
        _wait(watched, display, facts)
    display.on_stop(watched)
    display.on_result(watched.run, watched.result(life, monitor))


def _wait(watched: Watched, display: Any, facts: dict[str, Any]) -> None:
    from nnrun.cli.display import RichDisplay

    watched.run.facts()  # a run that was removed is an error
    if isinstance(display, RichDisplay):
        epoch = min(len(watched.epochs.rows) + 1, facts["training"]["epochs"])
        display.on_wait(epoch, watched.since_last_epoch())
    time.sleep(POLL_SECONDS)


def _choose_display(*, json: bool) -> PlainDisplay | JsonDisplay:
    from nnrun.cli import display
    from nnrun.cli.console import is_terminal, messages, results

    if json:
        return display.JsonDisplay()
    if is_terminal():
        return display.RichDisplay()
    shown, result = messages(), results()
    return display.PlainDisplay(
        lambda line: shown.print(line, markup=False), lambda line: result.print(line, markup=False)
    )
