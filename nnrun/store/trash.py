"""Removing runs: into the trash first, from which they can be taken back, and for good only from there."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from nnrun.errors import RunError, RunInUseError
from nnrun.store import lock
from nnrun.store.durable import disk, explained, make_folders
from nnrun.store.reading import is_own_file
from nnrun.store.run import Run

NAME = ".trash"
TAKEN = (errno.ENOTEMPTY, errno.EEXIST)


def trash_of(runs: Path) -> Path:
    """The trash of a folder of runs.

    Raises:
        RunError: A link to elsewhere is in its place.
    """
    trash = runs / NAME
    if trash.is_symlink():
        raise RunError(f"{trash} is a symbolic link; nnrun removes nothing behind it: remove the link")
    return trash


def refuse_to_remove(runs: Iterable[Run]) -> None:
    """Refuse what may not be removed.

    Raises:
        RunInUseError: Another process writes to one of them; all such are named.
        RunError: One of them is a link, or lies in the trash already.
    """
    used = []
    for run in runs:
        path = _absolute(run)
        if path.is_symlink():
            raise RunError(f"{run.path} is a symbolic link; remove the link itself with rm")
        if path.parent.name == NAME:
            raise RunError(
                f"{run.path} is in the trash already; nnrun rm --empty-trash deletes what is there"
            )
        if lock.is_held(path / "lock"):
            used.append(path.name)
    if used:
        raise RunInUseError(f"{', '.join(used)}: another process is writing there; wait for it, or stop it")


def move_to_trash(run: Run) -> Path:
    """Move a run into the trash of the folder that it lies in.

    Returns:
        Where it is now. Names do not collide: a second one of the same name gets ``-2``.

    Raises:
        RunInUseError: Another process writes to it.
        ResourceError: It cannot be moved.
    """
    path = _absolute(run)
    trash = trash_of(path.parent)
    make_folders(trash)
    with _unused(path), explained(path):
        target = _rename(path, trash)
        with contextlib.suppress(OSError):
            disk.remove(target / "lock.json")  # says who holds the lock: nobody any more
        disk.sync_folder(path.parent)
        disk.sync_folder(trash)
    return target


def _absolute(run: Run) -> Path:
    """The run's path with a name at its end, whatever it was called by; a link at its end stays one."""
    return Path(os.path.abspath(run.path))  # noqa: PTH100  (resolve would follow the link)


@contextlib.contextmanager
def _unused(path: Path) -> Iterator[None]:
    """Hold a run's lock while it is moved; where something else is in the lock's place nobody can hold it."""
    if is_own_file(path / "lock"):
        with lock.hold(path / "lock"):
            yield
    else:
        yield


def _rename(path: Path, trash: Path) -> Path:
    number = 1
    while True:
        target = trash / (path.name if number == 1 else f"{path.name}-{number}")
        number += 1
        if os.path.lexists(target):
            continue
        try:
            disk.replace(path, target)
        except OSError as error:
            if error.errno not in TAKEN:
                raise
            continue
        return target


def in_trash(runs: Path) -> list[Path]:
    """What lies in the trash of a folder of runs."""
    trash = trash_of(runs)
    try:
        return sorted(trash.iterdir()) if trash.is_dir() else []
    except OSError as error:
        raise RunError(f"cannot read {trash}: {error.strerror}") from None


def delete(paths: Sequence[Path]) -> None:
    """Delete folders and files of the trash for good. Links in them are removed, what they lead to is not.

    Raises:
        ResourceError: Something cannot be deleted.
    """
    for path in paths:
        with explained(path):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                disk.remove(path)


def files_in(folder: Path) -> Iterator[tuple[Path, int]]:
    """The files in a folder and the folders in it, with their sizes in bytes; links are not followed."""
    with contextlib.suppress(OSError):
        for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
            if entry.is_dir(follow_symlinks=False):
                yield from files_in(Path(entry.path))
            else:
                yield Path(entry.path), entry.stat(follow_symlinks=False).st_size
