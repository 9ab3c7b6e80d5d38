"""Runs on disk: a directory each, readable with ``cat``, and nothing else to keep in step with it."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from nnrun.errors import ResourceError, RunError
from nnrun.store import lock
from nnrun.store.durable import (
    TEMPORARY,
    append_line,
    disk,
    explained,
    finite,
    write_bytes,
    write_json,
    write_text,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

FORMAT = 1
LEAST_FREE_BYTES = 16 << 20
MOST_JSON_BYTES = 16 << 20
KEPT_CHECKPOINTS = 2
CHECKPOINT = re.compile(r"(\d{6})\.npz")
NAME = re.compile(r"[a-z0-9][a-z0-9._-]*")
LONGEST_SLUG = 60

Status = Literal["finished", "running", "interrupted"]


@dataclass(frozen=True)
class Run:
    """A run's directory.

    Args:
        path: The directory.
    """

    path: Path

    @property
    def id(self) -> str:
        """The run's name: that of its directory."""
        return self.path.name

    @property
    def config_path(self) -> Path:
        return self.path / "config.yaml"

    @property
    def native_log(self) -> Path:
        return self.path / "tensorflow.log"

    @property
    def checkpoints(self) -> Path:
        return self.path / "checkpoints"

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Be the run's one writer; what a crash left half written is swept away.

        Raises:
            RunInUseError: Another process is.
        """
        for folder in (self.path, self.checkpoints):
            if folder.is_symlink():
                raise RunError(f"{folder} is a symbolic link; nnrun writes only inside the run itself")
        with lock.hold(self.path / "lock"):
            self._cut_torn_row()
            for folder in (self.path, self.checkpoints):
                for leftover in folder.glob(f"{TEMPORARY}*"):
                    disk.remove(leftover)
            yield

    def status(self) -> Status:
        """What became of the run, from what is there: nothing ever says "running" on disk."""
        if (self.path / "result.json").is_file():
            return "finished"
        return "running" if lock.is_held(self.path / "lock") else "interrupted"

    def write_config(self, text: str) -> None:
        """Keep the resolved specification."""
        write_text(self.config_path, text)

    def write_code(self, name: str, text: str) -> None:
        """Keep a copy of the Python file that the run was trained with. Nothing ever runs it from here."""
        folder = self.path / "code"
        with explained(folder):
            folder.mkdir(exist_ok=True)
        write_text(folder / name, text)

    def write_facts(self, facts: Mapping[str, Any]) -> None:
        """Write ``run.json``: everything that was known before the first step."""
        write_json(self.path / "run.json", {"format": FORMAT, **facts})

    def facts(self) -> dict[str, Any]:
        """What stands in ``run.json``.

        Raises:
            RunError: It is missing, damaged, or made by a newer nnrun.
        """
        facts = _read_json(self.path / "run.json")
        if not isinstance(facts.get("format"), int) or facts["format"] > FORMAT:
            raise RunError(
                f"{self.id} was written by a newer nnrun (format {facts.get('format')}, this one reads {FORMAT})"
            )
        return facts

    def append_row(self, row: Mapping[str, Any]) -> None:
        """Add an epoch to ``metrics.jsonl``."""
        append_line(
            self.path / "metrics.jsonl", json.dumps(finite(dict(row)), ensure_ascii=False, allow_nan=False)
        )

    def rows(self) -> list[dict[str, Any]]:
        """The epochs of ``metrics.jsonl``; a last line that a crash cut short is left out.

        Raises:
            RunError: A line before the last is damaged.
        """
        path = self.path / "metrics.jsonl"
        if not path.is_file():
            return []
        lines = path.read_bytes().split(b"\n")
        rows = []
        for number, line in enumerate(lines[:-1], 1):  # what follows the last line end is empty, or cut short
            try:
                rows.append(json.loads(line))
            except (ValueError, RecursionError):
                raise RunError(f"{path}:{number} is damaged") from None
        return rows

    def _cut_torn_row(self) -> None:
        """Remove what a crash left of a row, so that the next one begins on a line of its own."""
        path = self.path / "metrics.jsonl"
        content = path.read_bytes() if path.is_file() and not path.is_symlink() else b""
        if content and not content.endswith(b"\n"):
            write_bytes(path, content[: content.rfind(b"\n") + 1])

    def log(self, line: str) -> None:
        """Add a line to ``train.log``."""
        append_line(self.path / "train.log", line)

    def write_result(self, result: Mapping[str, Any]) -> None:
        """Write ``result.json``, which makes the run a finished one."""
        write_json(self.path / "result.json", dict(result))

    def result(self) -> dict[str, Any] | None:
        """What stands in ``result.json``; None while the run is not finished."""
        path = self.path / "result.json"
        return _read_json(path) if path.is_file() else None

    def write_evaluation(self, part: str, name: str, value: Mapping[str, Any]) -> Path:
        """Write ``evaluation/<part>/<name>`` as JSON and say where."""
        folder = self.path / "evaluation" / part
        with explained(folder):
            folder.mkdir(parents=True, exist_ok=True)
        write_json(folder / name, dict(value))
        return folder / name

    def write_checkpoint(
        self, sequence: int, header: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]
    ) -> None:
        """Write a checkpoint; only then remove all but the two newest.

        Args:
            sequence: Its number; greater is newer, whatever clocks say.
            header: Where the training stands.
            arrays: Every variable.
        """
        from nnrun.store.archive import write_archive

        newest = self.checkpoints / f"{sequence:06d}.npz"
        write_archive(newest, header, arrays)
        for old in [path for path in self.checkpoint_paths() if path != newest][KEPT_CHECKPOINTS - 1 :]:
            with explained(old):
                disk.remove(old)

    def checkpoint_paths(self) -> list[Path]:
        """The checkpoints, newest first by their numbers."""
        found = [path for path in self.checkpoints.glob("*.npz") if CHECKPOINT.fullmatch(path.name)]
        return sorted((path for path in found if not path.is_symlink()), reverse=True)

    def write_best(self, header: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> None:
        """Write the model that counts, without the optimizer."""
        from nnrun.store.archive import write_archive

        write_archive(self.checkpoints / "best.npz", header, arrays)

    def read_best(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """The model that counts: the best one, or else that of the newest checkpoint that is whole.

        Raises:
            RunError: There is none.
        """
        from nnrun.store.archive import read_archive

        best = self.checkpoints / "best.npz"
        damaged: RunError | None = None
        for path in ([best] if best.is_file() and not best.is_symlink() else []) + self.checkpoint_paths():
            try:
                header, arrays = read_archive(path)
            except RunError as error:
                if path == best:
                    raise  # another one would give other scores under the same name
                damaged = damaged or error
                continue
            return {"weights": "last", **header}, arrays
        raise damaged or RunError(
            f"{self.id} holds no weights yet: it was stopped before its first checkpoint"
        )

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
                disk.remove(temporary)


def runs_directory(option: Path | None) -> Path:
    """Where runs are kept: the option, else ``$NNRUN_RUNS_DIR``, else ``runs`` here."""
    return option or Path(os.environ.get("NNRUN_RUNS_DIR") or "runs")


def probe_directory(runs: Path) -> None:
    """Make sure that runs can be written, before anything that takes long.

    Raises:
        ResourceError: They cannot be, or the disk is full.
    """
    with explained(runs):
        runs.mkdir(parents=True, exist_ok=True)
        probe = runs / f"{TEMPORARY}probe-{os.getpid()}"
        write_bytes(probe, b"probe")
        disk.remove(probe)
        free = shutil.disk_usage(runs).free
    if free < LEAST_FREE_BYTES:
        raise ResourceError(
            f"{runs} has {free / 1e6:.0f} MB free; a run needs at least {LEAST_FREE_BYTES >> 20} MiB"
        )


def create_run(runs: Path, name: str, *, now: datetime) -> Run:
    """Claim a new directory: making it is the claim, so two runs of the same second are two.

    Args:
        runs: Where runs are kept.
        name: The experiment's name.
        now: For the directory's name.
    """
    stem = f"{slug(name)}-{now:%Y%m%d-%H%M%S}"
    with explained(runs):
        runs.mkdir(parents=True, exist_ok=True)
        number = 1
        while True:
            path = runs / (stem if number == 1 else f"{stem}-{number}")
            try:
                path.mkdir()
            except FileExistsError:
                number += 1
                continue
            (path / "checkpoints").mkdir()
            return Run(path)


def slug(name: str) -> str:
    """A name as it may stand in a path: a-z, 0-9, dot, underscore and hyphen, at most 60 of them."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    kept = re.sub(r"[^a-z0-9._]+", "-", plain).strip("-._")[:LONGEST_SLUG].rstrip("-._")
    reserved = re.fullmatch(r"con|prn|aux|nul|com\d|lpt\d", kept)
    return f"run-{kept}" if reserved else kept or "run"


def list_runs(runs: Path) -> list[Run]:
    """All runs, oldest first: by the time in their names, then by the number behind it."""
    if not runs.is_dir():
        return []
    found = [Run(path) for path in runs.iterdir() if not path.is_symlink() and (path / "run.json").is_file()]
    return sorted(found, key=_age)


def _age(run: Run) -> tuple[str, int, str]:
    stamp = re.search(r"-(\d{8}-\d{6})(?:-(\d+))?$", run.id)
    return (stamp[1], int(stamp[2] or 1), run.id) if stamp else ("", 0, run.id)


def find_run(reference: str, runs: Path) -> Run:
    """Find a run by its path, its id, a beginning that only it has, or ``latest``.

    Raises:
        RunError: There is none, or there are several.
    """
    for candidate in (Path(reference), *([runs / reference] if NAME.fullmatch(reference) else [])):
        with contextlib.suppress(OSError, ValueError):  # too long, or not a name at all
            if (candidate / "run.json").is_file():
                return Run(candidate)
    known = list_runs(runs)
    if reference == "latest" and known:
        return known[-1]
    matches = [run for run in known if run.id.startswith(reference)] if NAME.fullmatch(reference) else []
    if len(matches) == 1:
        return matches[0]
    if matches:
        listed = ", ".join(run.id for run in matches[-5:])
        raise RunError(f"{len(matches)} runs begin with {reference!r}: {listed}; write more of the id")
    where = (
        f"the newest in {runs} is {known[-1].id}"
        if known
        else f"there are none in {runs}; train one, or name another place with --runs-dir"
    )
    raise RunError(f"no run {reference!r}; {where}")


def _read_json(path: Path) -> dict[str, Any]:
    if path.is_symlink():
        raise RunError(f"{path} is a symbolic link; nnrun does not follow it out of the run")
    try:
        if path.stat().st_size > MOST_JSON_BYTES:
            raise RunError(f"{path} is larger than nnrun writes it")
        value = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise RunError(f"{path} is missing; is {path.parent} a run?") from None
    except (OSError, ValueError, RecursionError) as error:  # nested too deeply to be ours
        raise RunError(f"{path} is damaged: {error}") from None
    if not isinstance(value, dict):
        raise RunError(f"{path} is damaged: it holds no map")
    return value
