"""One writer for a run: a lock that the operating system frees when its holder dies."""

from __future__ import annotations

import contextlib
import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path

from nnrun.errors import RunInUseError

PATIENCE_SECONDS = 0.5
"""How long to try: somebody who only looks at a run's status holds its lock for an instant."""


@contextlib.contextmanager
def hold(path: Path) -> Iterator[None]:
    """Hold the lock of a run while the block runs.

    Args:
        path: The lock's file. Beside it, ``<name>.json`` says who holds it: information only, it decides nothing.

    Raises:
        RunInUseError: Another process holds it.
    """
    from filelock import FileLock, Timeout

    lock = FileLock(path, timeout=PATIENCE_SECONDS)
    try:
        lock.acquire()
    except Timeout:
        raise RunInUseError(
            f"{path.parent} is in use{_holder(path)}; wait for it, or train into a new run"
        ) from None
    try:
        with contextlib.suppress(OSError):
            _holder_file(path).write_text(json.dumps({"pid": os.getpid(), "host": socket.gethostname()}))
        yield
    finally:
        with contextlib.suppress(OSError):
            _holder_file(path).unlink()
        lock.release()


def is_held(path: Path) -> bool:
    """Whether a process holds the lock; creates nothing."""
    from filelock import FileLock, Timeout

    if not path.is_file():
        return False
    try:
        with FileLock(path, timeout=0):
            return False
    except (Timeout, OSError):
        return True


def _holder_file(path: Path) -> Path:
    return path.with_name(path.name + ".json")


def _holder(path: Path) -> str:
    try:
        known = json.loads(_holder_file(path).read_text()[:1000])
        return f" by process {int(known['pid'])} on {str(known['host'])[:100]}"
    except (OSError, ValueError, KeyError, TypeError):
        return ""
