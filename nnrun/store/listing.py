"""Many runs at a glance: the small facts of each, read from its files, or from the index where those are the same."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from nnrun.errors import NnrunError, RunError
from nnrun.store.labels import Labels
from nnrun.store.reading import is_own_file
from nnrun.store.run import Run
from nnrun.store.values import best_row, brief, count_of, map_at, number_of

State = Literal["finished", "running", "interrupted", "diverged", "damaged"]


@dataclass(slots=True)
class Record:
    """What a listing knows of a run. Everything in the maps may be a stranger's: of any kind, and absent.

    Args:
        run: The run.
        facts: What stands in ``run.json``.
        config: The resolved specification.
        result: What stands in ``result.json``; of an unfinished run its epochs, its best and its last one so far.
        labels: Tags and note.
        finished: Whether there is a result.
        diverged: Whether the training was lost.
        problems: What is damaged.
        state: What became of the run.
    """

    run: Run
    facts: dict[str, Any] = field(default_factory=dict)
    config: dict[str, Any] = field(default_factory=dict)
    result: dict[str, Any] = field(default_factory=dict)
    labels: Labels = field(default_factory=Labels)
    finished: bool = False
    diverged: bool = False
    problems: list[str] = field(default_factory=list)
    state: State = "interrupted"

    @property
    def name(self) -> str:
        """The experiment's name."""
        return str(self.config.get("name") or self.facts.get("name") or "")

    @property
    def sequence(self) -> int:
        """The run's number; greater is newer."""
        number = self.facts.get("sequence")
        return number if isinstance(number, int) else 0

    @property
    def started(self) -> datetime | None:
        """When the training began, with its time zone."""
        try:
            return datetime.fromisoformat(str(self.facts.get("started"))).astimezone()
        except (ValueError, OverflowError, OSError):
            return None

    @property
    def monitor(self) -> str:
        """The value that says which epoch is best."""
        return str(self.result.get("monitor") or map_at(self.config, "training").get("monitor") or "")

    @property
    def epochs(self) -> int | None:
        """Whole epochs that were done."""
        return count_of(self.result.get("epochs"))

    @property
    def planned(self) -> int | None:
        """Epochs that were to be done."""
        asked = map_at(self.config, "training").get("epochs")
        return count_of(asked if asked is not None else map_at(self.facts, "training").get("epochs"))

    @property
    def best(self) -> float | None:
        """The best value of the monitored metric."""
        return number_of(map_at(self.result, "best").get(self.monitor))

    @property
    def test(self) -> tuple[str, float] | None:
        """The test score that says most: of the monitored metric, else of the first metric, else the loss."""
        scores = map_at(self.result, "test")
        watched = self.monitor.removeprefix("val_")
        names = [watched] if watched != "loss" else []
        for name in (*names, *(name for name in scores if not name.endswith("loss")), *scores):
            value = number_of(scores.get(name))
            if value is not None:
                return name, value
        return None

    @property
    def tags(self) -> list[str]:
        """The words to find it by: those of the specification, then those that were added."""
        own = self.config.get("tags")
        return list(dict.fromkeys([*map(str, own if isinstance(own, list) else []), *self.labels.tags]))


def read_record(run: Run) -> Record:
    """Read a run's small files; what is damaged is left out and told in ``problems``."""
    record = Record(run, finished=is_own_file(run.path / "result.json"))

    def attempt(read: Callable[[], Any], otherwise: Any) -> Any:
        try:
            return brief(read())
        except NnrunError as error:
            record.problems.append(brief(str(error).splitlines()[0]))
        except RecursionError:
            record.problems.append(f"{run.path} is damaged: nested too deeply")
        return otherwise

    record.facts = attempt(run.facts, {})
    record.config = attempt(lambda: read_config(run), {})
    record.diverged = attempt(run.divergence, None) is not None
    record.labels = Labels(**attempt(lambda: Labels.read(run).plain(), {}))
    read = run.result if record.finished else lambda: progress_of(run, record.monitor)
    record.result = attempt(read, None) or {}
    record.state = state_of(record)
    return record


def state_of(record: Record) -> State:
    """What became of a run; only an unfinished one is asked whether its lock is held."""
    if record.problems:
        return "damaged"
    if record.finished:
        return "finished"
    status = record.run.status()
    return "diverged" if status == "interrupted" and record.diverged else status


def read_config(run: Run) -> dict[str, Any]:
    """A run's resolved specification as plain values, unchecked.

    Raises:
        NnrunError: It is missing, or is no map.
    """
    from nnrun.spec.source import (
        parse_yaml,
        plain,
        read_source,
    )  # takes a tenth of a second: only where needed

    config = plain(parse_yaml(read_source(run.config_path)))
    if not isinstance(config, dict):
        raise RunError(f"{run.config_path} is damaged: it holds no map")
    return config


def progress_of(run: Run, monitor: str) -> dict[str, Any]:
    """What ``result.json`` of an unfinished run would hold so far."""
    rows = run.rows()
    return {
        "epochs": len(rows),
        "monitor": monitor,
        "best": best_row(rows, monitor),
        "final": rows[-1] if rows else None,
    }


def list_records(runs: Path, on_read: Callable[[int, int], None] = lambda done, total: None) -> list[Record]:
    """All runs of a folder, newest first: by the number that each got when it was made, never by a clock.

    Args:
        runs: Where runs are kept.
        on_read: Is told how many of how many runs that the index does not know are read.

    Raises:
        RunError: The folder cannot be read.
    """
    from nnrun.store import index

    known = index.load(runs)
    found: list[Record] = []
    stamps: dict[str, index.Stamps] = {}
    unread: list[tuple[int, Run]] = []
    for run in folders(runs):
        stamp = index.stamps_of(run.path)
        if stamp is None:
            continue
        stamps[run.id] = stamp
        record = known.record(run, stamp)
        if record is None:
            unread.append((len(found), run))
        else:
            record.state = state_of(record)
        found.append(record or Record(run))
    for done, (place, run) in enumerate(unread):
        on_read(done, len(unread))
        found[place] = read_record(run)
    if unread:
        on_read(len(unread), len(unread))
    known.save(found, stamps)
    return sorted(found, key=lambda record: (record.sequence, record.run.id), reverse=True)


def folders(runs: Path) -> Iterable[Run]:
    """The folders that may be runs; links are not followed.

    Raises:
        RunError: The folder cannot be read.
    """
    try:
        with os.scandir(runs) as entries:
            names = sorted(
                one.name for one in entries if not one.name.startswith(".") and not one.is_symlink()
            )
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise RunError(f"cannot read {runs}: {error.strerror}") from None
    return [Run(runs / name) for name in names]
