"""Power cuts, kills and failing disks at every operation of a run: nothing that was promised is lost.

The tests print how many states were tried. ``-m slow`` crashes each recovery of many more states.
"""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

import pytest
from store.crash_model import (
    Promise,
    Tally,
    Tree,
    complaints,
    in_place_of_the_disk,
    lay_out,
    record,
    resume,
    take_in,
    train,
)

from nnrun.errors import ResourceError
from nnrun.store import archive, checkpoints, durable, reading, run
from nnrun.store.checkpoints import Checkpoints
from nnrun.store.durable import FileSystem
from nnrun.store.run import Run
from nnrun.store.runs import find_run

pytestmark = pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="the trace needs /proc")

MEMORY = Path("/dev/shm")
EPOCHS = 4


@pytest.fixture
def root() -> Iterator[Path]:
    """A folder in memory: thousands of states are laid out in it."""
    folder = Path(tempfile.mkdtemp(dir=MEMORY if MEMORY.is_dir() else None))
    yield folder
    shutil.rmtree(folder)


def story(root: Path, name: str) -> tuple[Tree, Any]:
    """What was on the disk before a trace, and the trace."""
    place = root / name
    place.mkdir()
    if name == "begun":
        return {}, record(place, lambda recorder: train(recorder, 4))
    if name == "continued":  # killed, on the way
        first = record(place, lambda recorder: train(recorder, 4))
        tally = Tally()
        states: list[tuple[Tree, Promise]] = []
        tally.crash({}, first.operations, root / "work", EPOCHS, then=lambda *state: states.append(state))
        before, promised = states[len(states) * 2 // 3]
    else:  # finished, and more epochs are asked for
        first = record(place, lambda recorder: train(recorder, 3))
        before, promised = take_in(place), first.promise
    return before, record_recovery(before, promised, place)


def record_recovery(before: Tree, promised: Promise, place: Path) -> Any:
    """The trace of a training that goes on."""
    lay_out(before, place)
    opened = find_run("latest", place / "runs")
    return record(place, lambda recorder: resume(recorder, opened, EPOCHS), promised)


def crash_twice(root: Path, bases: int) -> Tally:
    """Crash everywhere, and in the recovery from so many of the crashes everywhere again."""
    tally = Tally()
    states: list[tuple[Tree, Promise]] = []
    for name in ("begun", "continued", "finished"):
        before, recorder = story(root, name)
        tally.crash(
            before, recorder.operations, root / "work", EPOCHS, then=lambda *state: states.append(state)
        )
    recoverable = [state for state in states if state[1].facts]
    for before, promised in recoverable[:: max(1, len(recoverable) // bases)]:
        recovery = record_recovery(before, promised, root / "recovery")
        tally.crash(before, recovery.operations, root / "work", EPOCHS)
    return tally


def report(capsys: pytest.CaptureFixture[str], line: str) -> None:
    with capsys.disabled():
        print(f"\n{line}")


def test_run_survives_crashes_everywhere_and_crashes_of_its_recovery(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tally = crash_twice(root, bases=36)

    report(capsys, f"{tally.tried:,} crash states tried, {len(tally.failures):,} failures")
    assert tally.failures == []
    assert tally.tried >= 10_000


@pytest.mark.slow
def test_run_survives_crashes_of_the_recoveries_of_many_crashes(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tally = crash_twice(root, bases=400)

    report(capsys, f"{tally.tried:,} crash states tried, {len(tally.failures):,} failures")
    assert tally.failures == []


OPERATIONS = ("open_new", "open_append", "write", "sync", "replace", "sync_folder", "remove", "make_folder")
ERRORS = (errno.ENOSPC, errno.EIO, errno.EACCES, errno.EROFS)
REMEDIES = {
    errno.ENOSPC: "Make room, or use --runs-dir on another disk",
    errno.EIO: "copy the run to another one",
    errno.EACCES: "choose a folder that you may write to with --runs-dir",
    errno.EROFS: "choose a folder that you may write to with --runs-dir",
}


class Failing(FileSystem):
    """Fails at one call, or from there on; a write that fails has written half.

    Args:
        root: As a recorder's.
        first: The call that fails, counted from 1.
        number: The error.
        for_good: Whether all the calls after it fail as well.
    """

    def __init__(self, root: Path, first: int, number: int, *, for_good: bool) -> None:
        self.root = root
        self.promise = Promise()
        self.calls = 0
        self.failed = False
        for name in OPERATIONS:
            setattr(self, name, self._watched(name, first, number, for_good=for_good))

    def _watched(self, name: str, first: int, number: int, *, for_good: bool) -> Callable[..., Any]:
        real = getattr(FileSystem, name)

        def watched(*arguments: Any) -> Any:
            self.calls += 1
            if self.calls == first or (for_good and self.calls > first):
                self.failed = True
                if name == "write":
                    file, data = arguments
                    file.write(data[: len(data) // 2])
                raise OSError(number, os.strerror(number))
            return real(self, *arguments)

        return watched


def fail(root: Path, first: int, number: int, *, for_good: bool) -> tuple[int, list[str]]:
    """Train on a failing disk.

    Returns:
        The number of calls, and what is wrong: with what the user is told, and with the run when the disk is well.
    """
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir()
    failing = Failing(root, first, number, for_good=for_good)
    wrong: list[str] = []
    try:
        with in_place_of_the_disk(failing):
            train(failing, 3)  # type: ignore[arg-type]
    except ResourceError as error:
        if REMEDIES[number] not in str(error) or "cannot write" not in str(error):
            wrong.append(f"does not say what to do: {error}")
    except Exception as error:
        wrong.append(f"{type(error).__name__}: {error}")
    else:
        if for_good and failing.failed and failing.promise.result is not True:
            wrong.append("says that it is done")
    left = [path.name for path in root.rglob(f"{durable.TEMPORARY}*")]
    if left and not for_good:
        wrong.append(f"left behind: {left}")
    wrong += complaints(root, failing.promise, EPOCHS)
    how = f"{os.strerror(number)} at call {first}{' and after' if for_good else ''}"
    return failing.calls, [f"{how}: {text}" for text in wrong]


def test_disk_that_fails_at_any_call_never_costs_a_checkpoint(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    calls, _ = fail(root / "none", 0, errno.EIO, for_good=False)

    tried, failures = 0, []
    for number in ERRORS:
        for for_good in (False, True):
            for first in range(1, calls + 1):
                tried += 1
                failures += fail(root / "failing", first, number, for_good=for_good)[1]

    report(capsys, f"{tried:,} failing disks tried ({calls} calls), {len(failures):,} failures")
    assert failures == []
    assert tried >= 800


def drop_the_sync_of_files(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(FileSystem, "sync", lambda self, file: file.flush())


def sync_before_the_flush(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(FileSystem, "sync", lambda self, file: os.fsync(file.fileno()))


def drop_the_sync_of_folders(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(FileSystem, "sync_folder", lambda self, folder: None)


def write_in_place(patch: pytest.MonkeyPatch) -> None:
    def write(path: Path, fill: Callable[[IO[bytes]], None], check: Any = None) -> None:
        durable.disk.remove(path)
        with durable.disk.open_new(path) as file:
            fill(file)
            durable.disk.sync(file)
        durable.disk.sync_folder(path.parent)

    patch.setattr(durable, "write_file", write)
    patch.setattr(archive, "write_file", write)


def rename_before_the_sync(patch: pytest.MonkeyPatch) -> None:
    def write(path: Path, fill: Callable[[IO[bytes]], None], check: Any = None) -> None:
        temporary = path.with_name(f"{durable.TEMPORARY}{path.name}")
        with durable.disk.open_new(temporary) as file:
            fill(file)
            file.flush()
            durable.disk.replace(temporary, path)
            durable.disk.sync(file)
        durable.disk.sync_folder(path.parent)

    patch.setattr(durable, "write_file", write)
    patch.setattr(archive, "write_file", write)


def prune_before_the_new_one_is_there(patch: pytest.MonkeyPatch) -> None:
    write = Checkpoints.write

    def early(self: Checkpoints, *arguments: Any) -> None:
        for old in self.paths():
            checkpoints.disk.remove(old)
        write(self, *arguments)

    patch.setattr(Checkpoints, "write", early)


def drop_the_sync_of_rows(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Run, "sync_rows", lambda self: None)


def drop_the_sync_of_the_name_of_the_rows(patch: pytest.MonkeyPatch) -> None:
    def sync(self: Run) -> None:
        with run.disk.open_append(self.path / "metrics.jsonl") as file:
            run.disk.sync(file)

    patch.setattr(Run, "sync_rows", sync)


def drop_the_sync_of_new_folders(patch: pytest.MonkeyPatch) -> None:
    sync = FileSystem.sync_folder

    def partly(self: FileSystem, folder: Path) -> None:
        if folder.name != "runs":
            sync(self, folder)

    patch.setattr(FileSystem, "sync_folder", partly)


def leave_half_a_line(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(run, "_cut_torn_line", lambda path: None)


def take_zeros_for_rows(patch: pytest.MonkeyPatch) -> None:
    def lines(path: Path, most: int) -> Any:
        yield from reading.read_own(path, most).split(b"\n")

    patch.setattr(run, "whole_lines", lines)


def list_what_is_being_written(patch: pytest.MonkeyPatch) -> None:
    def paths(self: Checkpoints) -> list[Path]:
        found = sorted(self.folder.glob("*0*.npz"), key=lambda path: path.name[-10:], reverse=True)
        return [path for path in found if path != self.best]

    patch.setattr(Checkpoints, "paths", paths)


def sweep_nothing(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(run, "TEMPORARY", "nothing is called like this")


def keep_the_result_of_a_run_that_goes_on(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Run, "remove_result", lambda self: None)


def drop_the_sync_of_the_removed_result(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Run, "remove_result", lambda self: run.disk.remove(self.path / "result.json"))


PLANTED = [
    drop_the_sync_of_files,
    sync_before_the_flush,
    drop_the_sync_of_folders,
    write_in_place,
    rename_before_the_sync,
    prune_before_the_new_one_is_there,
    drop_the_sync_of_rows,
    drop_the_sync_of_the_name_of_the_rows,
    drop_the_sync_of_new_folders,
    leave_half_a_line,
    take_zeros_for_rows,
    list_what_is_being_written,
    sweep_nothing,
    keep_the_result_of_a_run_that_goes_on,
    drop_the_sync_of_the_removed_result,
]


@pytest.mark.parametrize("plant", PLANTED, ids=lambda plant: plant.__name__)
def test_planted_mistake_is_found_by_a_crash(
    plant: Callable[[pytest.MonkeyPatch], None], root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(monkeypatch)

    tally = Tally()
    for name in ("begun", "finished"):
        if not tally.failures:
            before, recorder = story(root, name)
            tally.crash(before, recorder.operations, root / "work", EPOCHS, most=1)

    assert tally.failures
