"""One writer for a run: a lock that the operating system frees when its holder dies."""

from __future__ import annotations

import contextlib
import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path

from nnrun.errors import RunError, RunInUseError
from nnrun.store.durable import FileSystem, explained
from nnrun.store.reading import is_own_file, read_own

PATIENCE_SECONDS = 0.5
"""How long to try: somebody who only looks at a run's status holds its lock for an instant."""

MOST_HOLDER_BYTES = 1000


@contextlib.contextmanager
def hold(path: Path) -> Iterator[None]:
    """Hold the lock of a run while the block runs.

    Args:
        path: The lock's file. Beside it, ``<name>.json`` says who holds it: information only, it decides nothing.

    Raises:
        RunInUseError: Another process holds it.
        RunError: Something else than an ordinary file is in its place.
        ResourceError: It cannot be written.
    """
    from filelock import FileLock, Timeout

    if path.is_symlink() or (path.exists() and not is_own_file(path)):
        raise RunError(f"{path} is no ordinary file; remove it")
    lock = FileLock(path, timeout=PATIENCE_SECONDS)
    with explained(path):
        try:
            lock.acquire()
        except Timeout:
            raise RunInUseError(
                f"{path.parent} is in use{_holder(path)}; wait for it, or train into a new run"
            ) from None
    try:
        with contextlib.suppress(OSError):
            _holder_file(path).unlink(missing_ok=True)  # never written through: it may be a link to elsewhere
            with FileSystem().open_new(_holder_file(path)) as file:
                file.write(json.dumps({"pid": os.getpid(), "host": socket.gethostname()}).encode())
        yield
    finally:
        with contextlib.suppress(OSError):
            _holder_file(path).unlink()
        lock.release()


def is_held(path: Path) -> bool:
    """Whether a process holds the lock; creates nothing. One that may not be opened is held by nobody known."""
    from filelock import FileLock, Timeout

    if not is_own_file(path):
        return False
    try:
        with FileLock(path, timeout=0):
            return False
    except Timeout:
        return True
    except OSError:
        return False


def _holder_file(path: Path) -> Path:
    return path.with_name(path.name + ".json")


def _holder(path: Path) -> str:
    try:
        known = json.loads(read_own(_holder_file(path), MOST_HOLDER_BYTES))
        return f" by process {known['pid']:d} on {known['host']!s:.100}"
    except (OSError, RunError, ValueError, KeyError, TypeError, RecursionError):
        return ""
