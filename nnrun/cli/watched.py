"""A run that somebody else trains, read from its files again and again: its epochs as they come, and how it ended."""

from __future__ import annotations

import contextlib
import math
import socket
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from nnrun.errors import RunError
from nnrun.store.listing import Record, read_config
from nnrun.store.lock import is_held
from nnrun.store.reading import map_of, open_own, read_own
from nnrun.store.run import MOST_ROWS_BYTES, Run
from nnrun.store.runs import FIGURES
from nnrun.store.values import better, count_of, map_at, number_of

Row = dict[str, Any]
Life = Literal["running", "finished", "interrupted", "killed", "diverged"]

QUIET_SECONDS = 120.0
"""How long a run on another machine may write nothing before it is taken for killed, at least."""

QUIET_EPOCHS = 5
"""The same as epochs of the slowest so far."""

CLOSING_SECONDS = 10.0
"""How long after its result a run's writer is waited for."""

MOST_HOLDER_BYTES = 1000
MOST = 1 << 53
"""What is counted is less than this."""

FACTS: tuple[tuple[str, str, type], ...] = (
    ("data", "name", str),
    *(("data", part, int) for part in ("train", "validation", "test")),
    ("model", "parameters", int),
    *(("training", name, int) for name in ("epochs", "batch_size", "steps_per_epoch")),
    ("training", "monitor", str),
    ("training", "jit_compile", bool),
    ("devices", "device", str),
)
"""What the opening lines say: section, name, kind."""


@dataclass
class Epochs:
    """The rows of ``metrics.jsonl``, read as they are added; a line without its end is not there yet.

    A training that goes on from a checkpoint cuts the rows after it away. Then the last line that was read is no
    longer where it was, and all is read again.

    Args:
        path: The file, which may be missing.
        rows: What was read so far.
    """

    path: Path
    rows: list[Row] = field(default_factory=list)
    _end: int = 0
    _last: bytes = b""

    def read(self) -> int:
        """Read what is new.

        Returns:
            How many of the first rows are still what they were.

        Raises:
            RunError: A line is damaged, or the file is none of nnrun's.
        """
        known = self.rows
        with contextlib.suppress(OSError), open_own(self.path, MOST_ROWS_BYTES) as file:
            # An OSError: not there yet, or just replaced on a shared disk. The next look will find it.
            file.seek(max(0, self._end - len(self._last)))
            if file.read(len(self._last)) != self._last:
                self.rows, self._end, self._last = [], 0, b""
                file.seek(0)
            for line in file:
                if b"\0" in line or not line.endswith(b"\n"):
                    break
                number = len(self.rows) + 1
                self.rows.append(checked_row(map_of(line), f"{self.path}:{number}", number))
                self._end, self._last = self._end + len(line), line
        if self.rows is known:
            return len(known)
        same = (before == now for before, now in zip(known, self.rows, strict=False))
        return next(
            (place for place, is_same in enumerate(same) if not is_same), min(len(known), len(self.rows))
        )


def checked_row(row: Row | None, name: str, epoch: int | None = None) -> Row:
    """A row whose values are numbers, as nnrun writes them.

    Args:
        row: As it was read; None where it could not be.
        name: What it comes from, for the message.
        epoch: Whose row it should be; None for any.

    Raises:
        RunError: It is damaged.
    """
    figures = {key: _figure(value) for key, value in (row or {}).items()}
    is_whole = figures.keys() >= FIGURES and None not in figures.values()
    if not is_whole or count_of(figures["epoch"]) is None or epoch not in (None, figures["epoch"]):
        raise RunError(f"{name} is damaged: it holds no figures of an epoch")
    return figures


def _figure(value: Any) -> Any:
    """A number; the texts that stand for what is not finite become it again; None for anything else."""
    if value in ("nan", "inf", "-inf"):
        return float(value)
    return value if number_of(value) is not None else None


@dataclass
class Watched:
    """A run that is watched.

    Args:
        run: The run.
        epochs: Its rows.
        best_epoch: The best so far, as far as the monitored metric's name tells; 0 for none.
    """

    run: Run
    epochs: Epochs = field(init=False)
    best_epoch: int = 0

    def __post_init__(self) -> None:
        self.epochs = Epochs(self.run.path / "metrics.jsonl")
        self._stamp: Any = None
        self._changed = time.monotonic()

    def facts(self) -> dict[str, Any]:
        """What was known before the first step; the epochs to be trained may have become more since.

        Raises:
            RunError: ``run.json`` or the specification is damaged.
        """
        facts = self.run.facts()
        now = map_at(read_config(self.run), "training")
        training = facts["training"] | {name: now[name] for name in ("epochs", "monitor") if name in now}
        facts |= {"name": str(facts.get("name")), "training": training}
        for section, name, kind in FACTS:
            value: Any = map_at(facts, section).get(name)
            is_count = kind is not int or (count_of(value) is not None and 0 <= value < MOST)
            if not isinstance(value, kind) or not is_count:
                raise RunError(f"{self.run.path} is damaged: {section}.{name} is {value!r:.100}")
        return facts

    def note_best(self, row: Row, monitor: str) -> None:
        """Remember an epoch that is better than those before it."""
        value, side = number_of(row.get(monitor)), better(monitor)
        if value is None or side is None:
            return
        best = self.epochs.rows[self.best_epoch - 1].get(monitor) if self.best_epoch else None
        if best is None or (value < best if side == "min" else value > best):
            self.best_epoch = int(row["epoch"])

    def life(self) -> Life:
        """Whether the run is being trained, or how it ended.

        The lock decides where its holder would be seen: it is held, or its holder is on this machine, or nobody left
        a name beside it. A holder on another machine may not be seen on a shared disk; then a run that still writes
        is running, and one that has written nothing for :data:`QUIET_SECONDS` and for :data:`QUIET_EPOCHS` epochs
        was killed.
        """
        status = self.run.status()
        if status == "finished" and self._is_closing():
            return "running"
        if status != "interrupted":
            return status
        if self.run.divergence() is not None:
            return "diverged"
        host = self._holder()
        if host is None:
            return "interrupted"
        if host == socket.gethostname():
            return "killed"
        return "running" if self._quiet() < self._patience() else "killed"

    def _is_closing(self) -> bool:
        """Whether the training has its result and its writer is still there: the report comes after the result."""
        age = time.time() - _stamp(self.run.path / "result.json")[0]
        return 0 <= age < CLOSING_SECONDS and is_held(self.run.path / "lock")

    def since_last_epoch(self) -> float:
        """Seconds since the last row was written, by the disk's clock."""
        with contextlib.suppress(OSError):
            return max(0.0, time.time() - self.epochs.path.stat().st_mtime)
        return time.monotonic() - self._changed

    def _holder(self) -> str | None:
        """The machine of whoever trains, or was killed while training; None where nobody does."""
        try:
            known = map_of(read_own(self.run.path / "lock.json", MOST_HOLDER_BYTES))
        except (OSError, RunError):
            return None
        return str((known or {}).get("host", ""))

    def _quiet(self) -> float:
        """Seconds since something in the run changed; at the first look by the files' times, then as it was seen."""
        stamp = [
            _stamp(self.run.path / name) for name in ("metrics.jsonl", "checkpoints", "train.log", "run.json")
        ]
        now = time.monotonic()
        if self._stamp is None:
            self._changed = now - max(0.0, time.time() - max(time for time, _ in stamp))
        elif stamp != self._stamp:
            self._changed = now
        self._stamp = stamp
        return now - self._changed

    def _patience(self) -> float:
        slowest = max((row["seconds"] for row in self.epochs.rows), default=0.0)
        return max(QUIET_SECONDS, QUIET_EPOCHS * slowest)

    def result(self, life: Life, monitor: str) -> dict[str, Any]:
        """What ``result.json`` holds, or would hold, had the training come to its end.

        Raises:
            RunError: It is damaged.
        """
        from nnrun.cli.showing import next_commands

        rows = self.epochs.rows
        if life == "finished":
            return checked_result(self.run)
        record = Record(self.run, facts=self.run.facts(), config=read_config(self.run))
        record.state = "diverged" if life == "diverged" else "interrupted"
        found = {
            "reason": life,
            "epochs": len(rows),
            "monitor": monitor,
            "best": rows[self.best_epoch - 1] if self.best_epoch else None,
            "final": rows[-1] if rows else None,
            "seconds": math.fsum(row["seconds"] for row in rows),
            "next": next_commands(record),
        }
        return found | (
            {"lost": str((self.run.divergence() or {}).get("seen"))} if life == "diverged" else {}
        )


def checked_result(run: Run) -> dict[str, Any]:
    """What stands in ``result.json``, of the kinds that nnrun writes.

    Raises:
        RunError: It is damaged.
    """
    name = str(run.path / "result.json")
    result = run.result() or {}
    rows = {
        key: checked_row(map_at(result, key), name) if result.get(key) is not None else None
        for key in ("best", "final")
    }
    kept, scores = (
        map_at(result, "model"),
        {key: _figure(value) for key, value in map_at(result, "test").items()},
    )
    is_whole = (
        all(isinstance(result.get(key), str) for key in ("reason", "monitor"))
        and count_of(result.get("epochs")) is not None
        and number_of(result.get("seconds")) is not None
        and None not in scores.values()
        and isinstance(kept.get("weights"), str)
        and count_of(kept.get("epoch")) is not None
    )
    if not is_whole:
        raise RunError(f"{name} is damaged: it is not what nnrun writes")
    return result | rows | ({"test": scores} if "test" in result else {})


def _stamp(path: Path) -> tuple[float, int]:
    with contextlib.suppress(OSError):
        status = path.lstat()
        return status.st_mtime, status.st_size
    return 0.0, 0
