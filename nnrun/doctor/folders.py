"""Findings on folders: whether runs can be written and locked, and how much room there is."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from nnrun.data.blocks import cache_folder
from nnrun.data.lookup import DATA_DIR
from nnrun.doctor.finding import Finding, note, ok, problem
from nnrun.errors import NnrunError
from nnrun.store.durable import TEMPORARY
from nnrun.store.lock import hold, is_held
from nnrun.store.runs import probe_directory

LITTLE_ROOM = 2e9
"""Bytes; a run takes megabytes, a data set up to a gigabyte."""


def folder_findings(runs: Path) -> Iterator[Finding]:
    """Runs, caches and data.

    Args:
        runs: Where runs are kept.
    """
    yield from _runs(runs)
    yield _room("data cache", _keras_home() / "datasets")
    yield _room("copies", cache_folder())  # of large data, for reading it in blocks
    data = os.environ.get(DATA_DIR)
    if data and not Path(data).expanduser().is_dir():
        yield problem(
            "data", f"{DATA_DIR} is {data!r}, which is no folder", f"set it to a folder, or unset {DATA_DIR}"
        )
    elif data:
        count = len(list(Path(data).expanduser().glob("*.npz")))
        yield ok("data", f"{DATA_DIR}={data}, {count} .npz file{'s' if count != 1 else ''}")


def _runs(runs: Path) -> Iterator[Finding]:
    """Write, sync, rename, lock and remove as a training does; nothing is left behind."""
    made = [folder for folder in (runs, *runs.parents) if not folder.exists()]
    try:
        probe_directory(runs)
        works = _lock_works(runs)
    except (NnrunError, OSError) as error:
        yield problem(
            "runs", str(error), "use --runs-dir or NNRUN_RUNS_DIR for a folder that you may write to"
        )
        return
    finally:
        for folder in made:
            with contextlib.suppress(OSError):  # not empty: somebody else writes there
                folder.rmdir()
    room = shutil.disk_usage(_nearest(runs)).free
    words = f"{runs.absolute()} can be written and synced, {room / 1e9:.1f} GB free"
    if not works:
        yield problem(
            "runs",
            f"{words}, but locks do not work there: two trainings could write to one run",
            "use --runs-dir for a folder on a local disk",
        )
    elif room < LITTLE_ROOM:
        yield note("runs", words, "make room, or use --runs-dir on another disk")
    else:
        yield ok("runs", words)


def _lock_works(runs: Path) -> bool:
    """Whether a lock that is held is seen to be held."""
    path = runs / f"{TEMPORARY}lock-{os.getpid()}"
    try:
        with hold(path):
            return is_held(path)
    finally:
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)


def _keras_home() -> Path:
    """Where Keras keeps what it downloads."""
    return Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras")


def _room(subject: str, folder: Path) -> Finding:
    """How much room there is for what is kept in a folder, which need not be there yet."""
    nearest = _nearest(folder)
    try:
        room = shutil.disk_usage(nearest).free
    except OSError as error:
        return note(subject, f"{folder}: {error.strerror}")
    words = f"{folder}, {room / 1e9:.1f} GB free"
    if not os.access(nearest, os.W_OK):
        return note(subject, f"{words}, and it cannot be written: nothing that is downloaded is kept")
    return note(subject, words, "make room") if room < LITTLE_ROOM else ok(subject, words)


def _nearest(folder: Path) -> Path:
    """The folder, or what of the way to it is there."""
    return next(one for one in (folder.absolute(), *folder.absolute().parents) if one.exists())
