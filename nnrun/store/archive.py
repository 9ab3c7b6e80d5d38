"""Arrays on disk: an ``.npz`` without pickle, with a header in JSON and a SHA-256 for each array."""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
import struct
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any, Literal

import numpy as np
from numpy.typing import NDArray

from nnrun.errors import ResourceError, RunError
from nnrun.store.durable import Through, finite, write_file
from nnrun.store.reading import open_own

FORMAT = 1
HEADER = "header.json"
MOST_HEADER = 16 << 20
LONGEST_ARRAY_HEADER = 10_000
FIXED_DATE = (1980, 1, 1, 0, 0, 0)  # no clock decides the bytes

Arrays = dict[str, NDArray[Any]]


def write_archive(path: Path, header: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write arrays durably; the file is read back and compared before it takes its name.

    Args:
        path: The file.
        header: Plain values.
        arrays: By any name, ``model/0000/dense/kernel`` say; dtypes that NumPy has no format for (bfloat16) are
            stored as their bits.

    Raises:
        ResourceError: The disk does not allow it.
    """
    members = {f"a{index:05d}.npy": _bits(array) for index, array in enumerate(arrays.values())}
    listed = [
        {"name": name, "dtype": str(array.dtype), "sha256": _digest(array), "member": member}
        for (name, array), member in zip(arrays.items(), members, strict=True)
    ]
    content = {"format": FORMAT, "header": finite(dict(header)), "arrays": listed}
    content["sha256"] = _header_digest(content)

    def fill(file: IO[bytes]) -> None:
        with zipfile.ZipFile(Through(file), "w", zipfile.ZIP_STORED) as archive:  # type: ignore[call-overload]
            archive.writestr(zipfile.ZipInfo(HEADER, FIXED_DATE), json.dumps(content, allow_nan=False))
            for member, array in members.items():
                with archive.open(zipfile.ZipInfo(member, FIXED_DATE), "w", force_zip64=True) as target:
                    np.lib.format.write_array(target, array, allow_pickle=False)

    write_file(path, fill, check=_check)


def _check(path: Path) -> None:
    try:
        read_archive(path)
    except RunError as error:
        raise ResourceError(
            f"{error}, right after it was written; the disk or the memory is failing"
        ) from error


def read_archive(path: Path) -> tuple[dict[str, Any], Arrays]:
    """Read header and arrays; all of them or none.

    Raises:
        RunError: The file is missing, damaged, or made by a newer nnrun.
    """
    try:
        with open_own(path) as file, zipfile.ZipFile(file) as archive:
            return _read(archive, path, os.fstat(file.fileno()).st_size)
    except FileNotFoundError:
        raise RunError(f"{path} is missing") from None
    except RunError:
        raise
    except (
        OSError,
        ValueError,
        LookupError,
        TypeError,
        AttributeError,
        ArithmeticError,
        zipfile.BadZipFile,
        struct.error,
        EOFError,
        RuntimeError,  # nested too deeply, encrypted, compressed in another way
    ) as error:
        raise RunError(f"{path} is damaged: {error}") from error


def _read(archive: zipfile.ZipFile, path: Path, size: int) -> tuple[dict[str, Any], Arrays]:
    infos = {info.filename: info for info in archive.infolist()}
    for info in archive.infolist():
        if info.compress_type != zipfile.ZIP_STORED or info.file_size != info.compress_size:
            raise RunError(f"{path} is damaged: {info.filename!r} is not as nnrun writes it")
    if sum(info.file_size for info in archive.infolist()) > size or len(infos) != len(archive.infolist()):
        raise RunError(f"{path} is damaged: its members overlap")
    if HEADER not in infos or infos[HEADER].file_size > MOST_HEADER:
        raise RunError(f"{path} is damaged: it has no header")
    header, listed = _read_header(archive.read(HEADER), path)
    if {HEADER, *(entry["member"] for entry in listed)} != set(infos) or len(infos) != len(listed) + 1:
        raise RunError(f"{path} is damaged: its arrays are not those that its header lists")
    arrays: Arrays = {}
    for entry in listed:
        array = _read_array(archive.read(entry["member"]), entry["dtype"])
        if _digest(array) != entry["sha256"] or entry["name"] in arrays:
            raise RunError(f"{path} is damaged: {entry['name']} is not what was written")
        arrays[entry["name"]] = array
    return header, arrays


def _read_header(data: bytes, path: Path) -> tuple[dict[str, Any], list[dict[str, str]]]:
    """The header and what it lists of the arrays."""
    content = json.loads(data)
    if content["format"] > FORMAT:
        raise RunError(
            f"{path} was written by a newer nnrun (format {content['format']}, this one reads {FORMAT})"
        )
    header, listed = content["header"], content["arrays"]
    if not isinstance(header, dict) or not isinstance(listed, list):
        raise ValueError("its header is not as nnrun writes it")
    if not all(isinstance(entry[key], str) for entry in listed for key in LISTED):
        raise ValueError("its header is not as nnrun writes it")
    if content.get("sha256") != _header_digest(content):
        raise ValueError("its header is not what was written")
    return header, listed


LISTED = ("name", "dtype", "sha256", "member")
ARRAY_HEADER = re.compile(
    r"\{'descr': '([<>|=][a-zA-Z]\d{1,3})', 'fortran_order': (True|False), "
    r"'shape': \(((?:\d{1,19}, ?)*(?:\d{1,19})?)\), \}\s*"
)


def _read_array(data: bytes, dtype: str) -> NDArray[Any]:
    """An array from the bytes of an ``.npy`` file, whose header is not trusted."""
    if data[:6] != b"\x93NUMPY" or data[6:8] != b"\x01\x00":
        raise ValueError("not an array")
    (length,) = struct.unpack("<H", data[8:10])
    text = data[10 : 10 + length].decode("latin-1")
    described = ARRAY_HEADER.fullmatch(text) if length <= LONGEST_ARRAY_HEADER else None
    if not described:
        raise ValueError("an array's header is not as NumPy writes it")
    kind, shape = np.dtype(described[1]), tuple(int(size) for size in re.findall(r"\d+", described[3]))
    if kind.hasobject or not kind.itemsize or math.prod(shape) * kind.itemsize != len(data) - 10 - length:
        raise ValueError("an array is not as long as its header says")
    order: Literal["C", "F"] = "F" if described[2] == "True" else "C"
    array = np.frombuffer(data, kind, offset=10 + length).reshape(shape, order=order).copy(order)
    return array if str(array.dtype) == dtype else array.view(_dtype(dtype))


def _bits(array: NDArray[Any]) -> NDArray[Any]:
    """The array, as whole numbers of the same size where NumPy's format does not know its dtype."""
    array = np.asarray(array, order="C")
    return array if array.dtype.isbuiltin == 1 else array.view(f"u{array.dtype.itemsize}")


def _dtype(name: str) -> np.dtype[Any]:
    import ml_dtypes  # comes with TensorFlow

    found: np.dtype[Any] = np.dtype(getattr(ml_dtypes, name))
    return found


def _header_digest(content: Mapping[str, Any]) -> str:
    text = json.dumps([content["header"], content["arrays"]], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _digest(array: NDArray[Any]) -> str:
    described = f"{array.dtype} {array.shape} ".encode()
    return hashlib.sha256(described + np.ascontiguousarray(_bits(array)).tobytes()).hexdigest()
