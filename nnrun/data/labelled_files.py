"""Files with labels: a folder with a folder for each class, or a table that names them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nnrun.data.files import find_files
from nnrun.data.tables import table_suffix
from nnrun.data.targets import Targets, sort_classes
from nnrun.errors import DataError
from nnrun.spec.file_sources import CsvSource, ParquetSource, Paths, TableSource
from nnrun.spec.names import listed, shorten

MOST_FILES = 10_000_000
"""More are a mistake, such as the root of a disk."""

TABLES = (".csv", ".tsv", ".txt", ".gz", ".parquet", ".pq")
"""Ends of the names of tables."""


@dataclass(frozen=True)
class Listing:
    """The files of a folder by their classes.

    Args:
        files: Their paths, in a fixed order.
        classes: The class of each: the name of its folder.
        skipped: Files of other kinds, relative to the folder.
    """

    files: list[str]
    classes: list[str]
    skipped: list[str]

    def note(self, folder: Path, kind: str) -> list[str]:
        """What to say of files that are skipped; nothing where there are none."""
        if not self.skipped:
            return []
        such = f" (such as {shorten(self.skipped[0])})"
        verb = "file is" if len(self.skipped) == 1 else "files are"
        return [
            f"{len(self.skipped):,} {verb} left out of {shorten(folder.name)}: no {kind} of a class{such}"
        ]


def list_class_folders(folder: Path, suffixes: Sequence[str], kind: str) -> Listing:
    """The files in the class folders of a folder, also in folders within them; hidden ones do not count.

    Args:
        folder: Has a folder for each class.
        suffixes: Ends of the names of files that count, in small letters.
        kind: What they are, in the plural.

    Raises:
        DataError: There is no class folder, or one without such a file.
    """
    names = _visible(folder)
    classes = sort_classes([name for name in names if (folder / name).is_dir()])
    beside = [name for name in names if name not in set(classes)]
    if not classes:
        raise DataError(_explain_flat(folder, beside, suffixes, kind))
    found = Listing([], [], beside)
    for name in classes:
        _check_name(folder, name)
        fitting = []
        for path in _walk(folder / name):
            if has_suffix(path, suffixes):
                fitting.append(path)
            else:
                found.skipped.append(os.path.relpath(path, folder))
        if not fitting:
            raise DataError(
                f"{folder / name}: there are no {kind} ({', '.join(suffixes)}) in the folder of this class; "
                "add some, or remove the folder"
            )
        found.files.extend(fitting)
        found.classes.extend([name] * len(fitting))
    return found


def has_suffix(name: str, suffixes: Sequence[str]) -> bool:
    """Whether a file's name ends in one of the suffixes, in small or capital letters."""
    return name.lower().endswith(tuple(suffixes))


def list_files(path: Path, suffixes: Sequence[str]) -> list[str]:
    """A file itself, or those of a folder and the folders within it that end in one of the suffixes.

    Raises:
        DataError: There are none.
    """
    if not path.is_dir():
        return [str(path)]
    found = [one for one in _walk(path) if has_suffix(one, suffixes)]
    if not found:
        raise DataError(f"{path}: there is no file that ends in {', '.join(suffixes)}")
    return found


def is_folder(paths: Paths) -> bool:
    """Whether paths are folders of classes; else they are tables.

    Raises:
        DataError: They are neither, or some of both.
    """
    found = find_files(paths, folders=True)
    folders = [path for path in found if path.is_dir()]
    if folders and len(folders) < len(found):
        other = next(path for path in found if path not in folders)
        raise DataError(f"{folders[0]} is a folder and {other} is a file; name either folders or tables")
    for path in found:
        if not folders and path.suffix.lower() not in TABLES:
            raise DataError(
                f"{path}: expected a folder with a folder for each class, or a table (.csv, .tsv, .parquet); "
                f"found a file that ends in '{shorten(path.suffix)}'"
            )
    return bool(folders)


def table_source(paths: Paths, **arguments: Any) -> TableSource:
    """A table as a source of its own; what ends in .tsv has tabs between its values."""
    first = Path(paths if isinstance(paths, str) else paths[0])
    if table_suffix(first) == "parquet":
        return ParquetSource(path=paths, **arguments)
    separator = "\t" if ".tsv" in [suffix.lower() for suffix in first.suffixes] else ","
    return CsvSource(path=paths, separator=separator, **arguments)


def fit_classes(classes: Sequence[str], folder: str) -> Targets:
    """The classes that folders stand for.

    Raises:
        DataError: There is one only.
    """
    names = sort_classes(list(dict.fromkeys(classes)))
    if len(names) < 2:
        raise DataError(
            f"{folder} has one class folder only ('{shorten(names[0])}'); with one class there is nothing to tell apart"
        )
    return Targets(columns=["class"], classes=names)


def refuse_new_classes(classes: Sequence[str], targets: Targets, folder: str) -> None:
    """Refuse class folders that the training folder does not have.

    Raises:
        DataError: Their names.
    """
    known = targets.classes or []
    new = [name for name in dict.fromkeys(classes) if name not in set(known)]
    if new:
        which = f"the class '{shorten(new[0])}' is" if len(new) == 1 else f"the classes {listed(new)} are"
        raise DataError(f"{folder}: {which} not among those of the training part: {listed(known)}")


def _visible(folder: Path) -> list[str]:
    try:
        return sorted(name for name in os.listdir(folder) if not name.startswith("."))  # noqa: PTH208
    except OSError as error:
        raise DataError(f"{folder}: cannot be read: {error.strerror or error}") from error


def _identity(folder: Path) -> tuple[int, int]:
    status = folder.stat()
    return status.st_dev, status.st_ino


def _walk(folder: Path) -> list[str]:
    """All files below a folder by their names; a link back to a folder above them, or seen already, is left out."""
    found, waiting, seen = [], [folder], {_identity(folder.parent)}
    while waiting:
        current = waiting.pop()
        if _identity(current) in seen:
            continue
        seen.add(_identity(current))
        for name in _visible(current):
            path = current / name
            if os.path.isdir(path):  # noqa: PTH112  (Path.is_dir raises on a link to itself)
                waiting.append(path)
            else:
                found.append(str(path))
        if len(found) > MOST_FILES:
            raise DataError(f"{folder} holds more than {MOST_FILES:,} files")
    return sorted(found)


def _check_name(folder: Path, name: str) -> None:
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        raise DataError(
            f"{folder}: the folder '{shorten(name)}' has a name that is not UTF-8; rename it"
        ) from None


def _explain_flat(folder: Path, names: list[str], suffixes: Sequence[str], kind: str) -> str:
    fitting = [name for name in names if has_suffix(name, suffixes)]
    if fitting:
        return (
            f"{folder}: the {kind} lie in the folder itself (such as {shorten(fitting[0])}); put each into a folder "
            "that is named after its class, or give a table with paths and labels"
        )
    content = f"found {listed(names)}" if names else "found nothing"
    return f"{folder}: expected a folder for each class with {kind} ({', '.join(suffixes)}) in it; {content}"
