"""Reading ``.npz`` files that may be truncated, damaged or made by someone else.

Nothing is unpickled, and nothing is read before its header says that it is what is expected.
"""

from __future__ import annotations

import math
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from nnrun.errors import DataError

MOST_BYTES = 4 * 2**30
"""No array of a built-in source comes near 4 GiB; a small archive can claim to unpack to more."""

KINDS = {"iu": "whole numbers", "f": "floating-point numbers", "iuf": "numbers"}


# What zipfile, zlib and NumPy raise on bytes that make no sense.
_DAMAGE = (zipfile.BadZipFile, zlib.error, EOFError, ValueError, OSError, RuntimeError, KeyError)


@dataclass(frozen=True)
class Expected:
    """What an array must be.

    Args:
        dtype: A dtype, or one of ``KINDS``.
        shape: Of one example; None is any length.
        column: Whether one more dimension of length 1 will do, as Keras has it for some targets.
    """

    dtype: str
    shape: tuple[int | None, ...]
    column: bool = False

    def fits(self, dtype: np.dtype[Any], shape: tuple[int, ...]) -> bool:
        """Whether an array of this dtype and shape will do."""
        right_dtype = dtype.kind in self.dtype if self.dtype in KINDS else dtype.name == self.dtype
        return right_dtype and any(
            len(shape) == len(wanted) and all(b in (a, None) for a, b in zip(shape, wanted, strict=True))
            for wanted in self._shapes()
        )

    def __str__(self) -> str:
        shapes = [str(shape).replace("None", "n", 1).replace("None", "length") for shape in self._shapes()]
        return f"{KINDS.get(self.dtype, self.dtype)} of shape {' or '.join(shapes)}"

    def _shapes(self) -> list[tuple[int | None, ...]]:
        shape = (None, *self.shape)
        return [shape, (*shape, 1)] if self.column else [shape]


def member_names(path: Path) -> set[str]:
    """The names of the arrays in an archive.

    Raises:
        DataError: It cannot be opened or is no archive.
    """
    with _open(path) as archive:
        return {name.removesuffix(".npy") for name in archive.namelist()}


def read_arrays(path: Path, expected: Mapping[str, Expected]) -> dict[str, NDArray[Any]]:
    """Read arrays from an archive.

    Args:
        path: An ``.npz`` file.
        expected: The arrays to read, by name; others in the file are left alone.

    Raises:
        DataError: The file is no archive or is damaged, or an array is missing, empty or of the wrong kind.
    """
    with _open(path) as archive:
        present = [name.removesuffix(".npy") for name in archive.namelist()]
        missing = [name for name in expected if name not in present]
        if missing:
            raise DataError(
                f"{path}: expected the arrays {', '.join(expected)}; {', '.join(missing)} missing, "
                f"found {', '.join(present) or 'none'}"
            )
        return {name: _read_array(archive, path, name, wanted) for name, wanted in expected.items()}


def _open(path: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(path)
    except zipfile.BadZipFile as error:
        raise DataError(
            f"{path}: expected a NumPy .npz archive, found none; the file is damaged or cut off"
        ) from error
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error


def _read_array(archive: zipfile.ZipFile, path: Path, name: str, expected: Expected) -> NDArray[Any]:
    place = f"{path}: {name}"
    try:
        info = archive.getinfo(f"{name}.npy")
        with archive.open(info) as stream:
            _check_header(stream, info.file_size, place, expected)
        with archive.open(info) as stream:
            array = np.lib.format.read_array(stream, allow_pickle=False)
    except _DAMAGE as error:
        raise DataError(f"{place}: cannot be read, the file is damaged ({error})") from error
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        row = int(np.argwhere(~np.isfinite(array))[0][0])
        raise DataError(f"{place}: row {row} holds a value that is NaN or infinite")
    return array


def _check_header(stream: IO[bytes], size: int, place: str, expected: Expected) -> None:
    """Hold what an array says of itself against what is expected, before reading it."""
    version = np.lib.format.read_magic(stream)
    if version != (1, 0):  # others are for headers beyond 64 kB, which no plain array has
        raise ValueError(f"array format {version[0]}.{version[1]}, expected 1.0")
    shape, _, dtype = np.lib.format.read_array_header_1_0(stream)
    if dtype.hasobject:
        raise DataError(f"{place}: expected {expected}, found pickled Python objects, which are not read")
    if not expected.fits(dtype, shape):
        raise DataError(f"{place}: expected {expected}; found {dtype.name} of shape {shape}")
    if shape[0] == 0:
        raise DataError(f"{place}: expected examples, found none: its shape is {shape}")
    length = math.prod(shape) * dtype.itemsize
    if length > MOST_BYTES:
        raise DataError(f"{place}: {length:,} bytes; at most {MOST_BYTES:,} are read")
    if length != size - stream.tell():
        raise DataError(f"{place}: shape {shape} needs {length:,} bytes; found {size - stream.tell():,}")
