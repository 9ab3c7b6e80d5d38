"""The files that a data source names: found, in a fixed order, and identified."""

from __future__ import annotations

import glob
import hashlib
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from nnrun.errors import DataError
from nnrun.spec.file_sources import Paths
from nnrun.spec.files import is_pattern

MOST_HASHED_BYTES = 2 << 30
"""What is larger would take longer to read than a user waits."""

END_BYTES = 1 << 20
"""Of each end of a large file; a Parquet file tells at its end what is in it."""


def find_files(paths: Paths, *, folders: bool = False) -> list[Path]:
    """The files that paths and patterns stand for; those of a pattern by name.

    Args:
        paths: One or several.
        folders: Whether a folder will do.

    Raises:
        DataError: One is not there, or is a folder.
    """
    found: list[Path] = []
    for text in [paths] if isinstance(paths, str) else paths:
        matches = sorted(map(Path, glob.glob(text))) if is_pattern(text) else [Path(text)]  # noqa: PTH207
        if not matches:
            raise DataError(f"{text}: no file fits this pattern")
        found += matches
    for path in found:
        if not path.exists():
            raise DataError(f"{path} does not exist; correct its path")
        if path.is_dir() and not folders:
            inside = sorted(one.name for one in path.iterdir())[:3]
            hint = f"; write '{path}/*{Path(inside[0]).suffix}' for the files in it" if inside else ""
            raise DataError(f"{path} is a folder; expected a file{hint}")
        if not path.is_dir() and path.is_file() and path.stat().st_size == 0:
            raise DataError(f"{path} is empty: there is not a single byte in it")
    return found


def hash_files(files: Iterable[Path]) -> str:
    """A SHA-256 over the content of files, one after the other; their names do not count.

    Returns:
        ``sha256:`` and 64 hexadecimal digits.
    """
    digest = hashlib.sha256()
    with ThreadPoolExecutor(2) as threads:  # hashlib lets other threads run
        for one in threads.map(_hash_file, files):
            digest.update(one)
    return f"sha256:{digest.hexdigest()}"


def _hash_file(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").digest()
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error


def hash_listing(files: Iterable[tuple[str, int]]) -> str:
    """A SHA-256 over names and sizes, for data too large to be read only to be identified."""
    digest = hashlib.sha256()
    for name, size in files:
        digest.update(f"{name}\0{size}\n".encode("utf-8", "surrogateescape"))
    return f"sha256:{digest.hexdigest()}"


def identify_files(files: Iterable[Path]) -> str:
    """What identifies files: their content; of more than ``MOST_HASHED_BYTES`` their sizes and both ends of each.

    Returns:
        ``sha256:`` and 64 hexadecimal digits.
    """
    found = list(files)
    if sum(path.stat().st_size for path in found) <= MOST_HASHED_BYTES:
        return hash_files(found)
    digest = hashlib.sha256()
    for path in found:
        size = path.stat().st_size
        digest.update(f"{size}\n".encode())
        with path.open("rb") as file:
            digest.update(file.read(END_BYTES))
            file.seek(max(0, size - END_BYTES))
            digest.update(file.read())
    return f"sha256:{digest.hexdigest()}"
