"""A disk that can lose power: what it may hold after a crash at any moment, and what must be true of a run there.

``Recorder`` writes down every operation of the store while it works on a real folder. ``Disk`` replays them and says
what POSIX allows to be left after a crash: a file's data is safe only after ``fsync`` of the file, its name only after
``fsync`` of its folder, and what is not safe may be there, be lost, be zeros, or be there in part, in any combination.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import IO, Any
from unittest import mock

import numpy as np

from nnrun.errors import ResourceError, RunError
from nnrun.store import checkpoints, durable, run, runs
from nnrun.store.durable import FileSystem
from nnrun.store.run import Run
from nnrun.store.runs import create_run, find_run, list_runs

NOW = datetime(2026, 11, 20, 19, 30, 12)
HOLDERS = (durable, run, runs, checkpoints)
"""The modules that call the disk by its name."""

Tree = dict[str, bytes | None]
"""What lies in a folder: bytes of files, None for folders."""


@dataclass
class Operation:
    """One change that the store asked the system for.

    Args:
        kind: ``make``, ``create``, ``write``, ``sync``, ``replace``, ``remove`` or ``sync_folder``.
        path: Of what, below the root.
        target: Of ``replace``: the new name.
        offset: Of ``write``: where.
        data: Of ``write``: what; of ``sync``: all that the system had of the file.
        promise: What was promised to the user before it.
    """

    kind: str
    path: str
    target: str = ""
    offset: int = 0
    data: bytes = b""
    promise: Promise = field(default_factory=lambda: Promise())


@dataclass(frozen=True)
class Promise:
    """What the store said was done, and what it may have done already.

    Args:
        facts: ``run.json`` was written.
        checkpoint: The number of the last checkpoint whose writing returned.
        result: ``result.json`` is there for certain (True), certainly not (False), or one of the two (None).
        resumes: So many resumes were recorded at least, lost only with power.
    """

    facts: bool = False
    checkpoint: int = 0
    result: bool | None = False


class Recorder(FileSystem):
    """Does what it is asked, and writes it down.

    Args:
        root: The folder in which all happens.
        promise: What was promised before.
    """

    def __init__(self, root: Path, promise: Promise | None = None) -> None:
        self.root = root
        self.promise = promise or Promise()
        self.operations: list[Operation] = []
        self._open: dict[int, str] = {}

    def _note(self, kind: str, path: Path | str, **details: Any) -> None:
        name = path if isinstance(path, str) else str(path.relative_to(self.root))
        self.operations.append(Operation(kind, name, **details, promise=self.promise))

    def open_new(self, path: Path) -> IO[bytes]:
        file = super().open_new(path)
        self._note("create", path)
        self._open[os.fstat(file.fileno()).st_ino] = str(path.relative_to(self.root))
        return file

    def open_append(self, path: Path) -> IO[bytes]:
        existed = path.exists()
        file = super().open_append(path)
        if not existed:
            self._note("create", path)
        self._open[os.fstat(file.fileno()).st_ino] = str(path.relative_to(self.root))
        return file

    def write(self, file: IO[bytes], data: bytes) -> None:
        path = self._open[os.fstat(file.fileno()).st_ino]
        offset = (self.root / path).stat().st_size if file.mode == "ab" else file.tell()
        super().write(file, data)
        self._note("write", path, offset=offset, data=data)

    def replace(self, source: Path, target: Path) -> None:
        super().replace(source, target)
        self._note("replace", source, target=str(target.relative_to(self.root)))

    def remove(self, path: Path) -> None:
        existed = path.exists()
        super().remove(path)
        if existed:
            self._note("remove", path)

    def make_folder(self, folder: Path) -> None:
        super().make_folder(folder)
        self._note("make", folder)

    def fsync(self, descriptor: int) -> None:
        """In the place of ``os.fsync``: what is safe is what the system has now, not what the program thinks it has."""
        status = os.fstat(descriptor)
        path = Path(f"/proc/self/fd/{descriptor}").readlink()
        name = os.path.relpath(path, self.root)
        if stat.S_ISDIR(status.st_mode):
            self._note("sync_folder", name)
            return
        data = path.read_bytes()
        if status.st_ino not in self._open:  # written by a library, by a way of its own
            self._note("create", name)
            self._note("write", name, data=data)
        self._note("sync", name, data=data)


@contextlib.contextmanager
def in_place_of_the_disk(disk: FileSystem) -> Iterator[None]:
    """Let the store write through another disk."""
    with contextlib.ExitStack() as stack:
        for module in HOLDERS:
            stack.enter_context(mock.patch.object(module, "disk", disk))
        if isinstance(disk, Recorder):
            stack.enter_context(mock.patch.object(os, "fsync", disk.fsync))
        yield


@dataclass
class File:
    """A file's data: as programs see it, as it is safe, and what was written since."""

    seen: bytes = b""
    safe: bytes = b""
    unsafe: list[tuple[int, bytes]] = field(default_factory=list)

    def write(self, offset: int, data: bytes) -> None:
        self.seen = _written(self.seen, offset, data)
        self.unsafe.append((offset, data))

    def sync(self, data: bytes) -> None:
        self.safe = self.seen = data
        self.unsafe = []

    def after(self, fate: str) -> bytes:
        """Its data after a crash."""
        if fate == "seen" or not self.unsafe:
            return self.seen
        if fate == "zeros":
            return self.safe[: len(self.seen)].ljust(len(self.seen), b"\0")
        data = self.safe
        for offset, written in self.unsafe[: len(self.unsafe) // 2 if fate == "half" else 0]:
            data = _written(data, offset, written)
        return data


def _written(content: bytes, offset: int, data: bytes) -> bytes:
    return content[:offset].ljust(offset, b"\0") + data + content[offset + len(data) :]


Names = dict[str, int | None]
"""Which file a name leads to; None for a folder."""


class Disk:
    """A disk after some operations.

    Args:
        tree: What it held before them, safely.
    """

    def __init__(self, tree: Tree) -> None:
        self._files: dict[int, File] = {}
        self._numbers = itertools.count(1)
        self._safe: Names = {}
        self._unsafe: list[tuple[str, Names, list[str]]] = []  # folder, names given, names taken
        for path, data in tree.items():
            self._safe[path] = None if data is None else self._new(data)
        self._seen = dict(self._safe)
        self._last: tuple[File, int, bytes] | None = None

    def _new(self, data: bytes = b"") -> int:
        number = next(self._numbers)
        self._files[number] = File(data, data)
        return number

    def apply(self, done: Operation) -> None:
        """Do one operation."""
        self._last = None
        if done.kind == "write":
            file = self._file(done.path)
            self._last = (file, done.offset, done.data)
            file.write(done.offset, done.data)
        elif done.kind == "sync":
            self._file(done.path).sync(done.data)
        elif done.kind == "sync_folder":
            self._sync_folder(done.path)
        elif done.kind == "replace":
            number = self._seen[done.path]
            self._change(done.path, {done.target: number}, [done.path])
        elif done.kind == "remove":
            self._change(done.path, {}, [done.path])
        else:
            self._change(done.path, {done.path: None if done.kind == "make" else self._new()}, [])

    def _file(self, path: str) -> File:
        number = self._seen[path]
        assert number is not None
        return self._files[number]

    def _change(self, path: str, given: Names, taken: list[str]) -> None:
        self._unsafe.append((path.rpartition("/")[0] or ".", given, taken))
        _rename(self._seen, given, taken)

    def _sync_folder(self, folder: str) -> None:
        for _, given, taken in [change for change in self._unsafe if change[0] == folder]:
            _rename(self._safe, given, taken)
        self._unsafe = [change for change in self._unsafe if change[0] != folder]

    def crashes(self) -> Iterator[tuple[str, Tree]]:
        """What the disk may hold after a crash now: what befell it, and its content."""
        yield "killed", self._tree(self._seen, "seen")
        for fate in ("lost", "zeros", "half"):
            yield f"power: data {fate}", self._tree(self._seen, fate)
        count = len(self._unsafe)
        kept = {frozenset(), *(frozenset({one}) for one in range(count))}
        kept |= {frozenset(range(count)) - {one} for one in range(count)}
        for names in sorted(kept - {frozenset(range(count))}, key=sorted):
            for fate in ("seen", "lost", "zeros"):
                yield (
                    f"power: names {sorted(names)} of {count} kept, data {fate}",
                    self._tree(self._some(names), fate),
                )
        if self._last:
            yield from self._torn(*self._last)

    def _torn(self, file: File, offset: int, data: bytes) -> Iterator[tuple[str, Tree]]:
        """The last write done in part."""
        whole = file.seen
        before = file.safe
        for earlier, written in file.unsafe[:-1]:
            before = _written(before, earlier, written)
        for length in (0, len(data) // 2, len(data) - 1):
            file.seen = _written(before, offset, data[:length])
            yield f"killed: {length} of {len(data)} bytes written", self._tree(self._seen, "seen")
            yield f"power: {length} of {len(data)} bytes written, names lost", self._tree(self._safe, "seen")
        file.seen = whole

    def _some(self, kept: frozenset[int]) -> Names:
        names = dict(self._safe)
        for index in sorted(kept):
            _rename(names, *self._unsafe[index][1:])
        return names

    def _tree(self, names: Names, fate: str) -> Tree:
        tree: Tree = {}
        for path in sorted(names):
            parent = path.rpartition("/")[0]
            if parent and parent not in tree:  # its folder was lost, and it with it
                continue
            number = names[path]
            tree[path] = None if number is None else self._files[number].after(fate)
        return tree


def _rename(names: Names, given: Names, taken: list[str]) -> None:
    for path in taken:
        names.pop(path, None)
    names.update(given)


def lay_out(tree: Tree, root: Path) -> None:
    """Put a tree into an empty folder."""
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir(parents=True)
    for path, data in tree.items():
        if data is None:
            (root / path).mkdir()
        else:
            (root / path).write_bytes(data)


def take_in(root: Path) -> Tree:
    """The tree of a folder."""
    found: Tree = {}
    for path in sorted(root.rglob("*")):
        found[str(path.relative_to(root))] = path.read_bytes() if path.is_file() else None
    return found


def row(epoch: int) -> dict[str, Any]:
    """An epoch's figures: the same whoever trains it."""
    return {"epoch": epoch, "loss": 1 / epoch}


def arrays(epoch: int) -> dict[str, np.ndarray[Any, Any]]:
    """All variables after an epoch: the same whoever trains it."""
    return {
        "model/0000/kernel": np.full((3, 5), epoch, "float32"),
        "optimizer/0000/iteration": np.array(epoch),
    }


def train(record: Recorder, epochs: int, name: str = "model") -> Run:
    """What a training asks of the store, from the beginning to the result."""
    made = create_run(record.root / "runs", name, now=NOW)
    with made.lock():
        made.write_config("name: model\n")
        made.write_facts({"name": name})
        promise(record, facts=True)
        train_epochs(record, made, 1, epochs)
    return made


def resume(record: Recorder, opened: Run, epochs: int) -> None:
    """What a resumed training asks of the store."""
    with opened.lock():
        opened.facts()
        stored = opened.checkpoints
        newest = stored.newest() if stored.paths() else None
        done = newest.header["epoch"] if newest else 0
        found = opened.rows()[:done]
        if [dict(one) for one in found] != [row(epoch + 1) for epoch in range(done)]:
            raise AssertionError(f"rows {found} before epoch {done}")
        if opened.result() is not None:
            promise(record, result=None)
            opened.remove_result()
        promise(record, result=False)
        opened.cut_rows(done)
        opened.remove_divergence()
        opened.append_resume({"epoch": done})
        train_epochs(record, opened, done + 1, epochs)


def train_epochs(record: Recorder, opened: Run, first: int, last: int) -> None:
    """Rows and checkpoints; not every epoch ends with a checkpoint, and the last one does."""
    sequence = opened.checkpoints.next_sequence()
    for epoch in range(first, last + 1):
        opened.log(f"epoch {epoch}")
        opened.append_row(row(epoch))
        if epoch % 3 == 2 and epoch != last:
            continue
        opened.sync_rows()
        opened.checkpoints.write(sequence, {"epoch": epoch}, arrays(epoch))
        promise(record, checkpoint=sequence)
        sequence += 1
    opened.checkpoints.write_best({"weights": "best", "epoch": last}, arrays(last))
    opened.write_model(lambda path: path.write_bytes(b"model") and None)
    promise(record, result=None)
    opened.write_result({"epochs": last})
    promise(record, result=True)


def promise(record: Recorder, **done: Any) -> None:
    record.promise = replace(record.promise, **done)


def complaints(root: Path, promised: Promise, epochs: int) -> list[str]:
    """What is wrong with a store after a crash: how it is read, then how a training goes on in it."""
    try:
        found = list_runs(root / "runs")
        if not found:
            return ["the run is lost"] if promised.facts else list(_begin_anew(root))
        opened = find_run("latest", root / "runs")
        return [*_read(opened, promised), *_go_on(root, opened, epochs)]
    except (RunError, ResourceError) as error:
        return [f"refused: {error}"]
    except Exception as error:
        return [f"{type(error).__name__}: {error}"]


def _begin_anew(root: Path) -> Iterator[str]:
    """Before a run has its facts nothing of it is promised; a new one can be made."""
    made = create_run(root / "runs", "model", now=NOW)
    made.write_facts({"name": "model"})
    if find_run("latest", root / "runs") != made:
        yield "a new run is not the latest"


def _read(opened: Run, promised: Promise) -> Iterator[str]:
    opened.facts()
    status = opened.status()
    if promised.result is not None and status != ("finished" if promised.result else "interrupted"):
        yield f"the status is {status}"
    if promised.facts and opened.config_path.read_text() != "name: model\n":
        yield "the specification is lost"
    found = opened.rows()
    if found != [row(epoch + 1) for epoch in range(len(found))]:
        yield "rows are wrong"
    opened.resumes()
    stored = opened.checkpoints
    if not stored.paths():
        if promised.checkpoint:
            yield "all checkpoints are lost"
        return
    newest = stored.newest()
    if newest.damaged:
        yield f"a crash damaged a checkpoint: {newest.damaged}"
    if newest.header["sequence"] < promised.checkpoint:
        yield f"checkpoint {promised.checkpoint} is lost"
    yield from _compare(newest.header, newest.arrays)
    if len(found) < newest.header["epoch"]:
        yield f"{len(found)} rows, and a checkpoint of epoch {newest.header['epoch']}"
    yield from _compare(*stored.read_model())
    result = opened.result()
    if result is not None and len(found) != result["epochs"]:
        yield f"{len(found)} rows, and a result of {result['epochs']}"


def _compare(header: dict[str, Any], found: dict[str, Any]) -> Iterator[str]:
    for name, array in arrays(header["epoch"]).items():
        if name not in found or not np.array_equal(found[name], array):
            yield f"{name} is not as it was after epoch {header['epoch']}"


def _go_on(root: Path, opened: Run, epochs: int) -> Iterator[str]:
    resume(Recorder(root), opened, epochs)
    if opened.status() != "finished" or opened.rows() != [row(epoch + 1) for epoch in range(epochs)]:
        yield "the training does not end as it should"
    if opened.checkpoints.newest().header["epoch"] != epochs:
        yield "the newest checkpoint is not that of the end"
    left = [path.name for path in opened.path.rglob("*") if path.name.startswith(durable.TEMPORARY)]
    if left:
        yield f"left behind: {left}"


@dataclass
class Tally:
    """How many crash states were tried, and which were not as they should be."""

    tried: int = 0
    failures: list[str] = field(default_factory=list)
    _seen: set[tuple[int, Promise]] = field(default_factory=set)

    def crash(
        self,
        before: Tree,
        operations: list[Operation],
        work: Path,
        epochs: int,
        then: Callable[[Tree, Promise], None] = lambda tree, promised: None,
        most: float = float("inf"),
    ) -> None:
        """Try every crash state of a trace that was not tried before.

        Args:
            before: What the disk held.
            operations: What was done on it.
            work: An empty folder.
            epochs: How far the training goes on afterwards.
            then: Gets every state that was tried.
            most: Stop after so many failures.
        """
        disk = Disk(before)
        for index, done in enumerate(operations):
            disk.apply(done)
            following = operations[index + 1].promise if index + 1 < len(operations) else done.promise
            for fate, tree in disk.crashes():
                key = (hash(tuple(sorted((path, data) for path, data in tree.items()))), following)
                if key in self._seen:
                    continue
                self._seen.add(key)
                lay_out(tree, work)
                self.tried += 1
                wrong = complaints(work, following, epochs)
                self.failures += [
                    f"operation {index} ({done.kind} {done.path}), {fate}: {text}" for text in wrong
                ]
                if len(self.failures) >= most:
                    return
                then(tree, following)


def record(root: Path, work: Callable[[Recorder], Any], promised: Promise | None = None) -> Recorder:
    """The trace of some work in a folder."""
    recorder = Recorder(root, promised)
    with in_place_of_the_disk(recorder):
        work(recorder)
    return recorder
