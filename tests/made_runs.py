"""Runs made by hand, through the store: as a training leaves them, but without one."""

from __future__ import annotations

import os
import time
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from nnrun.store.run import Run
from nnrun.store.runs import create_run

CONFIG = """name: {name}
seed: {seed}
tags: [{tags}]
data: {{source: xor}}
model:
  layers:
    - Dense: {{units: {units}, activation: tanh}}
    - Dense: {{units: 1}}
training: {{learning_rate: {learning_rate}, optimizer: {optimizer}, epochs: {epochs}, monitor: {monitor}}}
"""
SETTINGS = {
    "name": "xor",
    "seed": 7,
    "tags": "",
    "units": 8,
    "learning_rate": 0.1,
    "optimizer": "adam",
    "epochs": 3,
    "monitor": "val_loss",
}
LOSSES = (0.9, 0.4, 0.5)


def make_run(
    runs: Path,
    *,
    losses: tuple[Any, ...] = LOSSES,
    finished: bool = True,
    test: dict[str, Any] | None = None,
    age: timedelta = timedelta(hours=3),
    **changes: Any,
) -> Run:
    """A run with a row for each loss.

    Args:
        runs: Where runs are kept.
        losses: The validation losses.
        finished: Whether it has a result.
        test: Its test scores.
        age: How long ago it began.
        changes: Of ``SETTINGS``.
    """
    settings = SETTINGS | changes
    started = datetime.now().astimezone() - age
    run = create_run(runs, settings["name"], now=datetime(2026, 11, 20, 19, 30, 12))
    run.write_config(CONFIG.format(**settings))
    run.write_facts(
        {
            "name": settings["name"],
            "started": started.isoformat(timespec="seconds"),
            "command": ["nnrun", "train", "xor.yaml"],
            "data": {"name": "xor", "fingerprint": "sha256:f52e", "train": 4, "validation": 2, "test": 0},
            "model": {"parameters": 33, "layers": 2},
            "training": {"epochs": settings["epochs"]},
            "devices": {"device": "cpu"},
            "versions": {"keras": "3.15.1"},
        }
    )
    (run.path / "lock").touch()
    rows = [
        {"epoch": epoch, "seconds": 0.1, "learning_rate": 0.1, "loss": 0.2, "val_loss": loss}
        for epoch, loss in enumerate(losses, 1)
    ]
    for row in rows:
        run.append_row(row)
    if finished:
        best = min(rows, key=lambda row: row["val_loss"])
        result = {
            "status": "finished",
            "reason": "epochs",
            "epochs": len(rows),
            "monitor": settings["monitor"],
        }
        more = {"test": test} if test is not None else {}
        model = {"weights": "best", "epoch": best["epoch"]}
        run.write_result(result | {"best": best, "final": rows[-1], "model": model, "seconds": 12.5} | more)
    return run


def settle(runs: Path) -> None:
    """Let all files have been written a minute ago, so that the index keeps them."""
    then = time.time() - 60
    for path in runs.rglob("*"):
        os.utime(path, (then, then), follow_symlinks=False)
