"""The index of a folder of runs: a copy of their small facts, so that thousands are listed in a moment.

``runs/.index.jsonl`` decides nothing: a run's entry counts only while the sizes and times of its files are those of
the entry, and where the index is missing, damaged or cannot be written, the runs themselves are read. Sections that
many runs share, such as their model, are written once.
"""

from __future__ import annotations

import contextlib
import json
import os
import stat
import time
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nnrun.errors import ResourceError, RunError
from nnrun.store.durable import write_bytes
from nnrun.store.labels import Labels
from nnrun.store.listing import Record
from nnrun.store.reading import read_own
from nnrun.store.run import Run

FORMAT = 1
NAME = ".index.jsonl"
MOST_BYTES = 1 << 30
FILES = ("run.json", "result.json", "config.yaml", "metrics.jsonl", "labels.json", "diverged.json")
"""The files of a run that an entry is made of; the first one makes a folder a run."""

UNSETTLED_SECONDS = 2.0
"""A file that changed just now may change again within the same tick of the file system's clock."""

Stamp = tuple[int, int]
"""A file's time of change in nanoseconds, and its size."""

Stamps = tuple[Stamp | None, ...]
"""Of each of ``FILES``; None where there is none."""


@dataclass
class Index:
    """What the index of a folder says.

    Args:
        path: Its file.
        entries: For a run's id its stamps and the fields of its record.
    """

    path: Path
    entries: dict[str, tuple[Stamps, dict[str, Any]]] = field(default_factory=dict)

    def record(self, run: Run, stamps: Stamps) -> Record | None:
        """A run's record; None where its files are not those of the entry."""
        known = self.entries.get(run.id)
        return Record(run, **known[1]) if known and known[0] == stamps else None

    def save(self, records: Iterable[Record], stamps: dict[str, Stamps]) -> None:
        """Write the index where it is not what it should be; a folder that may not be written has none."""
        newest = time.time_ns()
        kept = {
            record.run.id: record
            for record in records
            if not record.problems and is_settled(stamps[record.run.id], newest)
        }
        wanted = {name: stamps[name] for name in kept}
        if wanted == {name: entry[0] for name, entry in self.entries.items()}:
            return
        with contextlib.suppress(ResourceError, RecursionError):
            write_bytes(self.path, encode(kept.values(), stamps))


def stamps_of(path: Path) -> Stamps | None:
    """The stamps of a run's files; None where there is no run. Whatever is no ordinary file is never indexed."""
    folder = f"{path}{os.sep}"
    found: list[Stamp | None] = []
    for name in FILES:
        try:
            status = os.lstat(folder + name)
        except OSError:
            if not found:
                return None
            found.append(None)
            continue
        ordinary = stat.S_ISREG(status.st_mode)
        if not ordinary and not found:
            return None
        found.append((status.st_mtime_ns, status.st_size) if ordinary else (-1, -1))
    return tuple(found)


def is_settled(stamps: Stamps, now: int) -> bool:
    """Whether all files are ordinary ones, and none changed just now."""
    return all(
        stamp is None or (stamp[1] >= 0 and abs(now - stamp[0]) > UNSETTLED_SECONDS * 1e9) for stamp in stamps
    )


def load(runs: Path) -> Index:
    """The index of a folder; an empty one where it is missing or damaged."""
    path = runs / NAME
    try:
        return Index(path, decode(read_own(path, MOST_BYTES)))
    except (OSError, RunError, ValueError, TypeError, LookupError, AttributeError, RecursionError):
        return Index(path)


def encode(records: Iterable[Record], stamps: dict[str, Stamps]) -> bytes:
    """A line with the sum of all others, a line for each section that runs share, a line for each run."""
    parts: dict[str, int] = {}
    numbers: dict[int, int] = {}  # by identity: what came from the index is shared already
    lines = []

    def split(values: dict[str, Any]) -> tuple[dict[str, Any], dict[str, int]]:
        sections = {}
        for key, value in values.items():
            if isinstance(value, dict):
                number = numbers.get(id(value))
                if number is None:
                    number = numbers[id(value)] = parts.setdefault(json.dumps(value), len(parts))
                sections[key] = number
        return {key: value for key, value in values.items() if key not in sections}, sections

    for record in records:
        entry = {
            "run": record.run.id,
            "stamps": stamps[record.run.id],
            "facts": split(record.facts),
            "config": split(record.config),
            "result": record.result,
            "labels": record.labels.plain(),
            "finished": record.finished,
            "diverged": record.diverged,
        }
        lines.append(json.dumps(entry))
    body = "".join(f"{line}\n" for line in [*parts, *lines]).encode()
    head = {"format": FORMAT, "crc32": zlib.crc32(body), "parts": len(parts)}
    return json.dumps(head).encode() + b"\n" + body


def decode(data: bytes) -> dict[str, tuple[Stamps, dict[str, Any]]]:
    """What :func:`encode` wrote.

    Raises:
        ValueError: It is something else; so do TypeError, LookupError and AttributeError say.
    """
    first, _, body = data.partition(b"\n")
    head = json.loads(first)
    if head["format"] != FORMAT or head["crc32"] != zlib.crc32(body):
        raise ValueError("not an index that this nnrun wrote whole")
    lines = body.splitlines()
    parts = [json.loads(line) for line in lines[: head["parts"]]]

    def joined(split: list[Any]) -> dict[str, Any]:
        plain, sections = split
        return dict(plain) | {key: parts[number] for key, number in sections.items()}

    entries = {}
    for line in lines[head["parts"] :]:
        entry = json.loads(line)
        stamps = tuple(None if stamp is None else (stamp[0], stamp[1]) for stamp in entry["stamps"])
        fields = {name: joined(entry[name]) for name in ("facts", "config")}
        fields["result"] = dict(entry["result"])
        labels = Labels([str(tag) for tag in entry["labels"]["tags"]], str(entry["labels"]["note"]))
        flags = {name: entry[name] is True for name in ("finished", "diverged")}
        entries[str(entry["run"])] = (stamps, {**fields, "labels": labels, **flags})
    return entries
