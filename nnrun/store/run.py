"""Runs on disk: a directory each, readable with ``cat``, and nothing else to keep in step with it."""

from __future__ import annotations

import contextlib
import itertools
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from nnrun.errors import RunError
from nnrun.store import lock
from nnrun.store.checkpoints import Checkpoints
from nnrun.store.durable import (
    TEMPORARY,
    append_line,
    disk,
    explained,
    finite,
    make_folders,
    write_bytes,
    write_json,
    write_text,
)
from nnrun.store.reading import is_own_file, map_of, read_map, read_map_or_none, read_own, whole_lines

FORMAT = 1
MOST_ROWS_BYTES = 256 << 20
MAPS: dict[str, tuple[str, ...]] = {
    "data": ("name", "fingerprint"),
    "training": (),
    "versions": (),
    "devices": (),
    "code": ("file", "sha256"),
}
"""The maps of ``run.json``, and the texts in them that nnrun goes by."""

APPENDED = ("metrics.jsonl", "resumes.jsonl")
"""Files of lines, of which a crash can leave half a line."""

NAME = re.compile(r"[a-z0-9][a-z0-9._-]*")

Status = Literal["finished", "running", "interrupted"]


@dataclass(frozen=True)
class Run:
    """A run's directory.

    Args:
        path: The directory.
        sequence: The number of a run that is being made; greater is newer, whatever clocks say.
    """

    path: Path
    sequence: int = field(default=0, compare=False)

    @property
    def id(self) -> str:
        """The run's name: that of its directory."""
        return self.path.name

    @property
    def config_path(self) -> Path:
        """The resolved specification.

        Raises:
            RunError: Something else than an ordinary file is in its place.
        """
        path = self.path / "config.yaml"
        if path.is_symlink() or (path.exists() and not is_own_file(path)):
            raise RunError(f"{path} is no ordinary file; nnrun reads nothing else of a run")
        return path

    @property
    def native_log(self) -> Path:
        return self.path / "tensorflow.log"

    @property
    def checkpoints(self) -> Checkpoints:
        return Checkpoints(self.path / "checkpoints")

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Be the run's one writer; what a crash left half written is swept away.

        Raises:
            RunInUseError: Another process is.
        """
        for folder in (self.path, self.checkpoints.folder):
            if folder.is_symlink():
                raise RunError(f"{folder} is a symbolic link; nnrun writes only inside the run itself")
        with lock.hold(self.path / "lock"):
            for name in APPENDED:
                _cut_torn_line(self.path / name)
            for folder in (self.path, self.checkpoints.folder):
                for leftover in folder.glob(f"{TEMPORARY}*"):
                    with contextlib.suppress(OSError):  # what cannot be removed is garbage all the same
                        disk.remove(leftover)
            yield

    def status(self) -> Status:
        """What became of the run, from what is there: nothing ever says "running" on disk."""
        if is_own_file(self.path / "result.json"):
            return "finished"
        return "running" if lock.is_held(self.path / "lock") else "interrupted"

    def write_config(self, text: str) -> None:
        """Keep the resolved specification."""
        write_text(self.path / "config.yaml", text)

    def write_preprocessing(self, text: str) -> None:
        """Keep how the user's files became the model's inputs."""
        write_text(self.path / "preprocessing.json", text)

    def write_code(self, name: str, text: str) -> None:
        """Keep a copy of the Python file that the run was trained with. Nothing ever runs it from here."""
        write_text(self.folder("code") / name, text)

    def write_facts(self, facts: Mapping[str, Any]) -> None:
        """Write ``run.json``: everything that was known before the first step."""
        write_json(self.path / "run.json", {"format": FORMAT, "sequence": self.sequence, **facts})

    def facts(self) -> dict[str, Any]:
        """What stands in ``run.json``.

        Raises:
            RunError: It is missing, damaged, or made by a newer nnrun.
        """
        facts = read_map(self.path / "run.json")
        if not isinstance(facts.get("format"), int) or facts["format"] > FORMAT:
            raise RunError(
                f"{self.id} was written by a newer nnrun (format {facts.get('format')}, this one reads {FORMAT})"
            )
        for key, inner in MAPS.items():
            value = facts.get(key, dict.fromkeys(inner, ""))
            if not isinstance(value, dict) or not all(isinstance(value.get(name), str) for name in inner):
                raise RunError(f"{self.path / 'run.json'} is damaged: its {key} is not what nnrun wrote")
        return facts

    def append_row(self, row: Mapping[str, Any]) -> None:
        """Add an epoch to ``metrics.jsonl``."""
        append_line(
            self.path / "metrics.jsonl", json.dumps(finite(dict(row)), ensure_ascii=False, allow_nan=False)
        )

    def rows(self) -> list[dict[str, Any]]:
        """The epochs of ``metrics.jsonl``; what a crash left of a line at its end is left out.

        Raises:
            RunError: A line is damaged.
        """
        path = self.path / "metrics.jsonl"
        rows = []
        for number, line in enumerate(_lines(path), 1):
            row = map_of(line)
            if row is None:
                raise RunError(f"{path}:{number} is damaged")
            rows.append(row)
        return rows

    def sync_rows(self) -> None:
        """Make the rows safe from a power cut, before a checkpoint counts on them: the file, and that it is there."""
        path = self.path / "metrics.jsonl"
        if is_own_file(path):
            with explained(path):
                with disk.open_append(path) as file:
                    disk.sync(file)
                disk.sync_folder(self.path)

    def cut_rows(self, count: int) -> list[dict[str, Any]]:
        """Keep the first rows only: those of the checkpoint from which the training goes on.

        Returns:
            The rows that are left.

        Raises:
            RunError: There are fewer.
        """
        rows = self.rows()
        if len(rows) < count:
            raise RunError(
                f"{self.path / 'metrics.jsonl'} has {len(rows)} epochs, its checkpoint is {count} epochs old; "
                "put the file back as it was"
            )
        if len(rows) > count:
            path = self.path / "metrics.jsonl"
            kept = itertools.islice(_lines(path), count)
            write_bytes(path, b"".join(line + b"\n" for line in kept))
        return rows[:count]

    def append_resume(self, facts: Mapping[str, Any]) -> None:
        """Record in ``resumes.jsonl`` that the training went on, from where and with what."""
        append_line(self.path / "resumes.jsonl", json.dumps(finite(dict(facts)), ensure_ascii=False))

    def resumes(self) -> list[dict[str, Any]]:
        """What :meth:`append_resume` recorded, up to a line that is damaged."""
        found = []
        for line in _lines(self.path / "resumes.jsonl"):
            facts = map_of(line)
            if facts is None:
                break
            found.append(facts)
        return found

    def write_divergence(self, facts: Mapping[str, Any]) -> None:
        """Write ``diverged.json``: where the training was lost."""
        write_json(self.path / "diverged.json", dict(facts))

    def divergence(self) -> dict[str, Any] | None:
        """What stands in ``diverged.json``; None where the training was not lost."""
        return read_map_or_none(self.path / "diverged.json")

    def remove_divergence(self) -> None:
        """Forget that the training was lost: it goes on with another learning rate."""
        with explained(self.path / "diverged.json"):
            disk.remove(self.path / "diverged.json")
            disk.sync_folder(self.path)

    def remove_result(self) -> None:
        """Make a finished run an unfinished one, which goes on."""
        with explained(self.path / "result.json"):
            disk.remove(self.path / "result.json")
            disk.sync_folder(self.path)

    def log(self, line: str) -> None:
        """Add a line to ``train.log``."""
        append_line(self.path / "train.log", line)

    def write_result(self, result: Mapping[str, Any]) -> None:
        """Write ``result.json``, which makes the run a finished one."""
        write_json(self.path / "result.json", dict(result))

    def result(self) -> dict[str, Any] | None:
        """What stands in ``result.json``; None while the run is not finished."""
        return read_map_or_none(self.path / "result.json")

    def write_evaluation(self, part: str, name: str, value: Mapping[str, Any]) -> Path:
        """Write ``evaluation/<part>/<name>`` as JSON and say where."""
        folder = self.folder("evaluation", part)
        write_json(folder / name, dict(value))
        return folder / name

    def write_evaluation_text(self, part: str, name: str, text: str) -> None:
        """Write ``evaluation/<part>/<name>`` as text."""
        write_text(self.folder("evaluation", part) / name, text)

    def write_model(self, save: Callable[[Path], None]) -> None:
        """Replace ``model.keras`` by what ``save`` writes.

        Args:
            save: ``keras.Model.save``; it gets a temporary path that ends in ``.keras``.
        """
        temporary = self.path / f"{TEMPORARY}model.keras"
        with explained(self.path / "model.keras"):
            try:
                save(temporary)
                with temporary.open("rb+") as file:
                    disk.sync(file)
                disk.replace(temporary, self.path / "model.keras")
                disk.sync_folder(self.path)
            finally:
                with contextlib.suppress(OSError):
                    disk.remove(temporary)

    def folder(self, *names: str) -> Path:
        """A folder in the run, made where it is missing."""
        folder = self.path.joinpath(*names)
        for inner in (self.path / names[0], folder):
            if inner.is_symlink():
                raise RunError(f"{inner} is a symbolic link; nnrun writes only inside the run itself")
        make_folders(folder)
        return folder


def _lines(path: Path) -> Iterator[bytes]:
    """The whole lines of a file; none where there is no file."""
    with contextlib.suppress(FileNotFoundError):
        yield from whole_lines(path, MOST_ROWS_BYTES)


def _cut_torn_line(path: Path) -> None:
    """Remove what a crash left of a line, so that the next one begins on a line of its own."""
    length = sum(len(line) + 1 for line in _lines(path))
    if path.exists() and path.stat().st_size > length:
        write_bytes(path, read_own(path, MOST_ROWS_BYTES)[:length])
