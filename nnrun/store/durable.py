"""Writing that survives a crash: a file is either the old one or the new one, never half of it."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import secrets
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from nnrun.errors import ResourceError

TEMPORARY = ".tmp-"
"""Beginning of the names of files that are being written; what a crash leaves of them is garbage."""


NOT_FOR_FOLDERS = (errno.EINVAL, errno.EBADF, errno.ENOTSUP)
"""What network file systems answer that sync no folders: nothing is wrong with the disk."""


class FileSystem:
    """The operations that writing is made of: one seam, so that a test can make any of them fail."""

    def open_new(self, path: Path) -> IO[bytes]:
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
        return os.fdopen(os.open(path, flags, 0o644), "w+b")

    def open_append(self, path: Path) -> IO[bytes]:
        if path.is_fifo():
            raise OSError(errno.EPIPE, "it is a pipe")
        flags = (
            os.O_WRONLY | os.O_CREAT | os.O_APPEND | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
        )
        return os.fdopen(os.open(path, flags | getattr(os, "O_NONBLOCK", 0), 0o644), "ab")

    def write(self, file: IO[bytes], data: bytes) -> None:
        file.write(data)

    def sync(self, file: IO[bytes]) -> None:
        file.flush()
        os.fsync(file.fileno())

    def replace(self, source: Path, target: Path) -> None:
        source.replace(target)

    def make_folder(self, folder: Path) -> None:
        folder.mkdir()

    def sync_folder(self, folder: Path) -> None:
        if os.name == "nt":  # Windows cannot open folders, and makes renames durable by itself
            return
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        except OSError as error:
            if error.errno not in NOT_FOR_FOLDERS:
                raise
        finally:
            os.close(descriptor)

    def remove(self, path: Path) -> None:
        path.unlink(missing_ok=True)


disk = FileSystem()
"""What all writing goes through."""


class Through:
    """A file for a library to write to, whose every write goes through ``disk``.

    Args:
        file: Open for writing.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def write(self, data: bytes) -> int:
        disk.write(self._file, bytes(data))
        return len(data)

    def flush(self) -> None:
        self._file.flush()

    def tell(self) -> int:
        return self._file.tell()

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        return self._file.seek(offset, whence)

    def seekable(self) -> bool:
        return True


def write_file(
    path: Path, fill: Callable[[IO[bytes]], None], check: Callable[[Path], None] | None = None
) -> None:
    """Replace a file by a new one, or leave it as it was.

    The new one is written beside it, synced, read back, and renamed over it; then the folder is synced. After a
    failed sync nothing is tried again on the same file: the system may have thrown its pages away.

    Args:
        path: The file.
        fill: Writes the content.
        check: Reads the written file back and raises if it is not what it should be.

    Raises:
        ResourceError: The disk, or a permission, does not allow it.
    """
    temporary = path.with_name(f"{TEMPORARY}{secrets.token_hex(4)}-{path.name}")
    with explained(path):
        try:
            with disk.open_new(temporary) as file:
                fill(file)
                disk.sync(file)
            if check:
                check(temporary)
            disk.replace(temporary, path)
        except BaseException:
            with contextlib.suppress(OSError):
                disk.remove(temporary)
            raise
        disk.sync_folder(path.parent)


def make_folders(path: Path) -> None:
    """Make a folder and those above it that are missing, so that a power cut does not take them with all they hold."""
    with explained(path):
        missing = [folder for folder in (path, *path.parents) if not folder.exists()]
        for folder in reversed(missing):
            with contextlib.suppress(FileExistsError):  # somebody else was quicker
                disk.make_folder(folder)
            disk.sync_folder(folder.parent)


def write_bytes(path: Path, data: bytes) -> None:
    """Replace a file's content."""
    write_file(path, lambda file: disk.write(file, data))


def write_text(path: Path, text: str) -> None:
    """Replace a file's content by UTF-8 text; what is not Unicode (odd file names) is escaped."""
    write_bytes(path, text.encode(errors="backslashreplace"))


def write_json(path: Path, value: Any) -> None:
    """Replace a file's content by JSON that people can read; numbers that are not finite become text."""
    write_text(path, json.dumps(finite(value), indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def append_line(path: Path, text: str) -> None:
    """Add a line to a file and hand it to the operating system: it survives the process, not a power cut."""
    with explained(path), disk.open_append(path) as file:
        disk.write(file, text.encode(errors="backslashreplace") + b"\n")


def finite(value: Any) -> Any:
    """The value with NaN and infinities as text (``"nan"``, ``"inf"``): JSON has no numbers for them."""
    if isinstance(value, dict):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    if isinstance(value, float) and value - value != 0:
        return str(value)
    return value


@contextlib.contextmanager
def explained(path: Path) -> Any:
    """Turn an ``OSError`` into a :class:`ResourceError` that says what could not be written, and what to do."""
    try:
        yield
    except OSError as error:
        raise ResourceError(_explain(path, error)) from error


def _explain(path: Path, error: OSError) -> str:
    start = f"cannot write {path}: {error.strerror or error}"
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        with contextlib.suppress(OSError):
            free = shutil.disk_usage(path.parent).free
            return (
                f"{start}; {free / 1e6:.0f} MB are free there. Make room, or use --runs-dir on another disk"
            )
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return f"{start}; choose a folder that you may write to with --runs-dir"
    if error.errno == errno.ELOOP:
        return f"{start}: it is a symbolic link"
    if error.errno == errno.EIO:
        return f"{start}; the disk may be failing: copy the run to another one, and go on there"
    return start
