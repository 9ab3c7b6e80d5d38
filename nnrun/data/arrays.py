"""Arrays from .npz and .npy files of the user's own: looked at before they are read, and never unpickled."""

from __future__ import annotations

import math
import os
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from nnrun.data.examples import aligned
from nnrun.errors import DataError, ResourceError
from nnrun.spec.names import did_you_mean, shorten

MOST_LISTED = 8
PICKLES = (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")
CHUNK_BYTES = 4 << 20
"""So much is converted at a time: the memory in between stays small."""

NUMBERS = "biufc"
"""Kinds of dtypes whose bytes are read as they are."""

DAMAGE = (zipfile.BadZipFile, zlib.error, EOFError, ValueError, RuntimeError, KeyError, NotImplementedError)
"""What zipfile, zlib and NumPy raise on bytes that make no sense."""

KINDS = {
    "O": "Python objects, which are not read",
    "V": "rows with named fields",
    "c": "complex numbers",
    "M": "dates",
    "m": "spans of time",
    "S": "texts",
    "U": "texts",
}


@dataclass(frozen=True)
class Header:
    """What an array says of itself.

    Args:
        shape: Of all of it.
        dtype: Of its values.
        is_fortran: Whether the first index runs fastest in the file.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    is_fortran: bool = False

    @property
    def bytes(self) -> int:
        return math.prod(self.shape) * self.dtype.itemsize

    def __str__(self) -> str:
        kind = "objects" if self.dtype.hasobject else shorten(str(self.dtype))
        return f"{kind} of shape {self.shape}"


def read_member(path: Path, name: str) -> NDArray[Any]:
    """Read an array from an archive.

    Args:
        path: An .npz file.
        name: The array's.

    Raises:
        DataError: The file is no archive or is damaged, or has no such array, or its values are no numbers or texts.
        ResourceError: The array is larger than the machine's memory.
    """
    place = f"{path}: {shorten(name)}"
    with _opened(path) as archive:
        if f"{name}.npy" not in archive.namelist():
            names = [one.removesuffix(".npy") for one in archive.namelist()]
            near = did_you_mean(name, names) if names else ""
            raise DataError(
                f"{path}: there is no array '{shorten(name)}'{near}; there are {_describe(archive, names)}"
            )
        with _damage_told(place):
            info = archive.getinfo(f"{name}.npy")
            with archive.open(info) as stream:
                header = _read_header(stream)
                check_header(header, info.file_size - stream.tell(), place)
            _refuse_too_large(header, place)
            with archive.open(info) as stream:
                if header.dtype.kind in NUMBERS:
                    return _read_numbers(stream)
                return np.asarray(np.lib.format.read_array(stream, allow_pickle=False))


def _read_numbers(stream: IO[bytes]) -> NDArray[Any]:
    """An array, in memory that TensorFlow can take over without a copy."""
    header = _read_header(stream)
    if header.is_fortran:
        values: NDArray[Any] = np.empty(header.shape[::-1], header.dtype)
        _fill(stream, values)
        return values.T
    values = aligned(header.shape, header.dtype)
    _fill(stream, values)
    return values


def _fill(stream: IO[bytes], values: NDArray[Any]) -> None:
    """Read an array's values, piece by piece."""
    memory = values.reshape(-1).view(np.uint8)
    for begin in range(0, len(memory), CHUNK_BYTES):
        end = min(begin + CHUNK_BYTES, len(memory))
        piece = stream.read(end - begin)
        if len(piece) != end - begin:
            raise EOFError("it ends too early")
        memory[begin:end] = np.frombuffer(piece, np.uint8)


def map_file(path: Path) -> NDArray[Any]:
    """Open an array in a file of its own; its values are read when they are looked at.

    Args:
        path: An .npy file.

    Raises:
        DataError: It is no such file, is cut off, or its values are no numbers or texts.
    """
    try:
        with path.open("rb") as stream:
            if stream.peek(4).startswith(b"PK\x03\x04"):
                raise DataError(f"{path} is an archive of several arrays; use the source npz")
            with _damage_told(str(path)):
                header = _read_header(stream)
            check_header(header, path.stat().st_size - stream.tell(), str(path))
        return np.asanyarray(np.load(path, mmap_mode="r", allow_pickle=False))
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error


def check_header(header: Header, size: int, place: str) -> None:
    """Hold what an array says of itself against the bytes that are there.

    Raises:
        DataError: It is of a kind that is not read, has no values, or more or fewer bytes than it says.
    """
    if header.dtype.hasobject or header.dtype.kind in "OVcMm":
        raise DataError(
            f"{place}: expected numbers, found {KINDS['O' if header.dtype.hasobject else header.dtype.kind]} ({header})"
        )
    if not header.shape:
        raise DataError(f"{place}: expected an array with a row for each example, found a single value")
    if 0 in header.shape:
        raise DataError(f"{place}: expected examples, found none: its shape is {header.shape}")
    if header.bytes != size:
        raise DataError(
            f"{place}: its shape {header.shape} takes {header.bytes:,} bytes, found {size:,}; the file is cut off"
            " or damaged"
        )


@dataclass(frozen=True)
class Form:
    """How the values of an array are kept in memory.

    Args:
        dtype: ``uint8``, ``int32`` or ``float32``.
        divide: Divide by it now, where not all inputs are divided by the same number later; None: as they are.
    """

    dtype: str
    divide: float | None = None


def copy_rows(
    array: NDArray[Any], rows: NDArray[Any] | None, form: Form, place: str, *, in_place: bool = False
) -> NDArray[Any]:
    """Rows of an array in the form in which they are kept; copied once, and only where that is needed.

    Args:
        array: Of shape (n, ...), perhaps in a file.
        rows: Which, int64 of shape (m,); None for all.
        form: What becomes of them.
        place: What to call the array in messages.
        in_place: Whether the array may be overwritten; its rows are ascending then, and move to its beginning.

    Raises:
        DataError: A value is NaN or infinite or too large for the dtype, with its row.
    """
    count = len(array) if rows is None else len(rows)
    dtype = np.dtype(form.dtype)
    is_ready = form.divide is None and array.dtype == dtype and not isinstance(array, np.memmap)
    as_it_is = rows is None and is_ready
    if as_it_is or (in_place and is_ready and array.flags.c_contiguous):
        found = array[:count]
    else:
        found = aligned((count, *array.shape[1:]), dtype)
    step = max(1, CHUNK_BYTES // max(1, array.nbytes // len(array)))
    for begin in range(0, count, step):
        end = min(begin + step, count)
        chunk = array[begin:end] if rows is None else array[rows[begin:end]]
        with np.errstate(over="ignore"):
            values = chunk.astype(dtype, copy=False)
        wrong = _wrong_rows(chunk, values)
        if len(wrong):
            row = begin + int(wrong[0]) if rows is None else int(rows[begin + wrong[0]])
            raise DataError(f"{place}: row {row + 1:,} {_explain_row(array[row], dtype)}")
        if not as_it_is:
            found[begin:end] = values if form.divide is None else values / dtype.type(form.divide)
    return found


def _wrong_rows(chunk: NDArray[Any], values: NDArray[Any]) -> NDArray[Any]:
    """Indices of the rows in which a value was lost."""
    if values.dtype.kind == "f":
        wrong = ~np.isfinite(values)
    elif chunk.dtype != values.dtype:
        wrong = chunk != values
    else:
        return np.zeros(0, np.int64)
    return np.flatnonzero(wrong.reshape(len(wrong), -1).any(axis=1))


def _explain_row(row: NDArray[Any], dtype: np.dtype[Any]) -> str:
    if row.dtype.kind == "f" and not np.isfinite(row).all():
        return "holds a value that is NaN or infinite; correct it, or remove the row"
    worst = np.abs(row.astype(np.float64)).max()
    return f"holds {worst:g}, which is too large for {dtype}; scale the values before they are saved"


@contextmanager
def _opened(path: Path) -> Iterator[zipfile.ZipFile]:
    try:
        with path.open("rb") as file:
            first = file.read(8)
        if first.startswith(b"\x93NUMPY"):
            raise DataError(f"{path} is a single array (.npy), no archive; use the source npy")
        if first.startswith(PICKLES):
            raise DataError(f"{path} holds pickled Python objects, which are not read; save it with np.savez")
        with zipfile.ZipFile(path) as archive:
            yield archive
    except zipfile.BadZipFile as error:
        raise DataError(
            f"{path}: expected a NumPy archive (.npz); the file is none, or is damaged or cut off"
        ) from error
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error


@contextmanager
def _damage_told(place: str) -> Iterator[None]:
    try:
        yield
    except DAMAGE as error:
        raise DataError(
            f"{place}: cannot be read, the file is damaged ({shorten(str(error), 100)})"
        ) from error
    except MemoryError as error:
        raise ResourceError(f"{place}: there is not enough memory for it") from error


def _read_header(stream: IO[bytes]) -> Header:
    version = np.lib.format.read_magic(stream)
    if version != (1, 0):  # others are for headers beyond 64 kB, which no plain array has
        raise ValueError(f"array format {version[0]}.{version[1]}, expected 1.0")
    shape, is_fortran, dtype = np.lib.format.read_array_header_1_0(stream)
    return Header(shape, dtype, is_fortran)


def _refuse_too_large(header: Header, place: str) -> None:
    """Refuse what the memory cannot hold: a small archive can claim to unpack to very much."""
    try:
        installed = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return
    if header.bytes > installed:
        raise ResourceError(
            f"{place} takes {header.bytes:,} bytes, this machine has {installed:,}; save it as .npy and use the "
            "source npy, which reads a file piece by piece"
        )


def _describe(archive: zipfile.ZipFile, names: list[str]) -> str:
    """What is in an archive: names, dtypes and shapes."""
    shown = []
    for name in names[:MOST_LISTED]:
        try:
            with archive.open(f"{name}.npy") as stream:
                shown.append(f"{shorten(name)} ({_read_header(stream)})")
        except (*DAMAGE, OSError):
            shown.append(f"{shorten(name)} (no array)")
    more = ["..."] if len(names) > MOST_LISTED else []
    return ", ".join(shown + more) or "none"
