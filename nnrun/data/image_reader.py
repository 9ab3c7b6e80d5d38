"""Pictures as examples: from a folder with a folder for each class, or from a table of paths and labels."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnrun.data.files import find_files, hash_files, hash_listing
from nnrun.data.images import OTHER_SUFFIXES, SUFFIXES, ImageSettings, check_pictures, decode_pictures
from nnrun.data.labelled_files import (
    fit_classes,
    has_suffix,
    is_folder,
    list_class_folders,
    list_files,
    refuse_new_classes,
    table_source,
)
from nnrun.data.streaming import StreamedItems
from nnrun.data.table_reader import file_name
from nnrun.data.tables import check_columns, read_table, sample_table
from nnrun.data.targets import Targets, encode_targets, fit_targets, target_types, target_types_of
from nnrun.errors import DataError
from nnrun.spec.datasets import InputFacts
from nnrun.spec.file_sources import ImagesSource, Paths
from nnrun.spec.names import shorten
from nnrun.spec.schema import Losses

MOST_HASHED = 20_000
"""Beyond so many pictures names and sizes identify them: to read all of them twice would take long."""


@dataclass(frozen=True)
class ImagePart:
    """Pictures that are not decoded yet.

    Args:
        files: Their paths.
        names: The same as the folder or the table has them.
        y: Their targets.
        place: What to call them in messages.
    """

    files: list[str]
    names: list[str]
    y: NDArray[Any]
    place: str


class ImageReader:
    """Finds pictures with their labels and decodes them to one size.

    Args:
        source: The specification's.
        losses: Tell whether whole numbers in a table are classes; None where the targets are known.
        targets: What is predicted, where that is known already.
    """

    def __init__(self, source: ImagesSource, losses: Losses | None, targets: Targets | None = None) -> None:
        self.source = source
        self.losses = losses
        self.settings = ImageSettings.of(source)
        self.training_files = source.path
        self.name = file_name(source.path)
        self.targets = targets or Targets(columns=[source.target or "class"])
        self.notes: list[str] = []
        self.parts: list[ImagePart] = []
        self._is_fitted = targets is not None

    @classmethod
    def restore(cls, source: ImagesSource, targets: Targets) -> ImageReader:
        """Read new files as those that a run was trained on."""
        return cls(source, None, targets)

    def read(self, paths: Paths) -> ImagePart:
        """Find the pictures of folders or tables and look at their headers; the first ones tell the classes."""
        part = self._read_folders(paths) if is_folder(paths) else self._read_tables(paths)
        self._is_fitted = True
        check_pictures(part.files, self.settings.channels)
        self.parts.append(part)
        return part

    def fit(self, part: ImagePart, rows: NDArray[Any]) -> None:
        """Nothing is learned from pictures."""

    def inputs(self) -> dict[str, InputFacts]:
        """One input: uint8 of shape (height, width, channels), divided by 255."""
        return {"input": InputFacts(self.settings.shape, "uint8", 255.0)}

    def examples(
        self, part: ImagePart, rows: NDArray[Any] | None, *, last: bool = False
    ) -> NDArray[np.uint8]:
        """Pictures, decoded: uint8 of shape (n, height, width, channels)."""
        files = part.files if rows is None else [part.files[row] for row in rows]
        return decode_pictures(files, self.settings)

    def batches(self, paths: Paths, size: int) -> Iterator[NDArray[np.uint8]]:
        """Pictures without labels, ``size`` at a time: files, or all in a folder by their names."""
        files = [path for found in find_files(paths, folders=True) for path in list_files(found, SUFFIXES)]
        check_pictures(files, self.settings.channels)
        for first in range(0, len(files), size):
            yield decode_pictures(files[first : first + size], self.settings)

    def memory(self, part: ImagePart) -> int:
        """The bytes that the pictures take when they are decoded."""
        return self.settings.bytes(len(part.files))

    def decide(self, cache: str) -> str:
        """Shows when the first files are read."""
        return cache

    def stream(self, part: ImagePart, rows: NDArray[Any]) -> StreamedItems:
        """Rows as inputs that stay in their files."""
        return StreamedItems(self, part, rows, part.y[rows])

    def fingerprint(self) -> str:
        """A hash over all pictures and their targets; of very many over their names and sizes."""
        files = [path for part in self.parts for path in part.files]
        if len(files) > MOST_HASHED:
            names = (name for part in self.parts for name in part.names)
            content = hash_listing(zip(names, map(os.path.getsize, files), strict=True))
        else:
            content = hash_files(map(Path, files))
        digest = hashlib.sha256(f"{content}\n{self.targets.classes}\n".encode())
        for part in self.parts:
            digest.update(part.y.tobytes())
        return f"sha256:{digest.hexdigest()}"

    def _read_folders(self, paths: Paths) -> ImagePart:
        import polars as pl

        place = file_name(paths)
        files: list[str] = []
        names: list[str] = []
        classes: list[str] = []
        for folder in find_files(paths, folders=True):
            found = list_class_folders(folder, SUFFIXES, "pictures")
            _refuse_other_pictures(folder, found.skipped)
            self.notes += found.note(folder, "picture")
            files += found.files
            names += [os.path.relpath(path, folder) for path in found.files]
            classes += found.classes
        if not self._is_fitted:
            self.targets = fit_classes(classes, place)
        refuse_new_classes(classes, self.targets, place)
        frame = pl.DataFrame({self.targets.columns[0]: pl.Series(classes, dtype=pl.String)})
        return ImagePart(files, names, encode_targets(self.targets, frame, place), place)

    def _read_tables(self, paths: Paths) -> ImagePart:
        parts = [self._read_table(path) for path in find_files(paths)]
        files = [path for part in parts for path in part.files]
        names = [name for part in parts for name in part.names]
        return ImagePart(files, names, np.concatenate([part.y for part in parts]), file_name(paths))

    def _read_table(self, path: Path) -> ImagePart:
        """The pictures that a table names; their paths are relative to its folder."""
        import polars as pl

        image, target = self.source.image or "image", self.source.target or "target"
        source = table_source(str(path), target=target)
        if self._is_fitted:
            types = target_types_of(self.targets.model_copy(update={"columns": [target]}))
        else:
            sample = sample_table(source, source.path)
            check_columns(path, sample.columns, [image, target])
            types = target_types([target], sample, {}, self.losses or {})
        frame = read_table(source, source.path, {image: pl.String} | types)
        if not self._is_fitted:
            self.targets = fit_targets(frame, [target], path.name)
            self._is_fitted = True
        if frame[image].null_count():
            row = int(frame[image].is_null().arg_max() or 0)
            raise DataError(f"{path}: row {row + 1:,} has no picture in the column '{shorten(image)}'")
        names = frame[image].to_list()
        files = [str(path.parent / name) for name in names]
        known = self.targets.model_copy(update={"columns": [target]})
        return ImagePart(files, names, encode_targets(known, frame, path.name), path.name)


def _refuse_other_pictures(folder: Path, skipped: list[str]) -> None:
    """Refuse pictures that TensorFlow does not decode.

    Raises:
        DataError: The first of them, and how many there are.
    """
    others = [name for name in skipped if has_suffix(name, OTHER_SUFFIXES)]
    if others:
        more = f" (and {len(others) - 1:,} more)" if len(others) > 1 else ""
        raise DataError(
            f"{folder / shorten(others[0], 200)}{more}: TensorFlow does not read pictures of this kind; "
            "convert them to PNG or JPEG, or remove them"
        )
