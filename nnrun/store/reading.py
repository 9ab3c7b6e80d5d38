"""Reading the files of a run, which may be a stranger's: ordinary files of a bounded size, and nothing else."""

from __future__ import annotations

import errno
import json
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from nnrun.errors import RunError

MOST_JSON_BYTES = 16 << 20

MOST_LINE_BYTES = 1 << 20
"""Of a line that is added to a file; a longer one is none of nnrun's."""


def is_own_file(path: Path) -> bool:
    """Whether an ordinary file is there: no link, no pipe, no device."""
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except (OSError, ValueError):
        return False


def open_own(path: Path, most: int | None = None) -> IO[bytes]:
    """Open an ordinary file of a run for reading. No pipe or device can make it wait, no link leads out.

    Args:
        path: The file.
        most: Bytes that it may have.

    Raises:
        FileNotFoundError: It is not there.
        RunError: It is something else, or larger, or cannot be read.
    """
    flags = (
        os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    )
    try:
        file = os.fdopen(os.open(path, flags), "rb")
    except FileNotFoundError:
        raise
    except (OSError, ValueError) as error:
        if getattr(error, "errno", None) == errno.ELOOP or path.is_symlink():
            raise RunError(f"{path} is a symbolic link; nnrun does not follow it out of the run") from None
        raise RunError(f"cannot read {path}: {getattr(error, 'strerror', None) or error}") from None
    status = os.fstat(file.fileno())
    if stat.S_ISREG(status.st_mode) and (most is None or status.st_size <= most):
        return file
    file.close()
    if stat.S_ISREG(status.st_mode):
        raise RunError(f"{path} is larger than nnrun writes it")
    raise RunError(f"{path} is damaged: it is no ordinary file")


def read_own(path: Path, most: int) -> bytes:
    """The content of an ordinary file of a run; raises as :func:`open_own` does."""
    with open_own(path, most) as file:
        return file.read(most)


def whole_lines(path: Path, most: int) -> Iterator[bytes]:
    """The lines of a file to which lines are added, without what a crash can leave behind them.

    That is a line without its end, and zeros: some file systems have them where data was not synced before a power
    cut. Whatever follows zeros was not synced either. JSON has no zeros.
    """
    with open_own(path, most) as file:
        while line := file.readline(MOST_LINE_BYTES):
            if b"\0" in line or not line.endswith(b"\n"):
                return
            yield line[:-1]


def map_of(line: bytes) -> dict[str, Any] | None:
    """The map in a line of JSON; None where it holds something else."""
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def read_map(path: Path) -> dict[str, Any]:
    """A map from a file of JSON.

    Raises:
        RunError: The file is missing, damaged, or no ordinary file.
    """
    try:
        value = json.loads(read_own(path, MOST_JSON_BYTES))
    except FileNotFoundError:
        raise RunError(f"{path} is missing; is {path.parent} a run?") from None
    except (ValueError, RecursionError) as error:  # nested too deeply to be ours
        raise RunError(f"{path} is damaged: {error}") from None
    if not isinstance(value, dict):
        raise RunError(f"{path} is damaged: it holds no map")
    return value


def read_map_or_none(path: Path) -> dict[str, Any] | None:
    """A map from a file of JSON; None where there is no file."""
    return read_map(path) if path.exists() or path.is_symlink() else None
