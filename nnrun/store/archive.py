"""Arrays on disk: an ``.npz`` without pickle, with a header in JSON and a SHA-256 for each array."""

from __future__ import annotations

import ast
import hashlib
import io
import json
import math
import re
import struct
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from nnrun.errors import RunError
from nnrun.store.durable import Through, finite, write_file

FORMAT = 1
HEADER = "header.json"
MOST_HEADER = 64 << 20
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

    def fill(file: IO[bytes]) -> None:
        with zipfile.ZipFile(Through(file), "w", zipfile.ZIP_STORED) as archive:  # type: ignore[call-overload]
            archive.writestr(zipfile.ZipInfo(HEADER, FIXED_DATE), json.dumps(content, allow_nan=False))
            for member, array in members.items():
                with archive.open(zipfile.ZipInfo(member, FIXED_DATE), "w", force_zip64=True) as target:
                    np.lib.format.write_array(target, array, allow_pickle=False)

    write_file(path, fill, check=_check)


def _check(path: Path) -> None:
    read_archive(path)


def read_archive(path: Path) -> tuple[dict[str, Any], Arrays]:
    """Read header and arrays; all of them or none.

    Raises:
        RunError: The file is missing, damaged, or made by a newer nnrun.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            return _read(archive, path)
    except FileNotFoundError:
        raise RunError(f"{path} is missing") from None
    except RunError:
        raise
    except (
        OSError,
        ValueError,
        KeyError,
        TypeError,
        SyntaxError,
        zipfile.BadZipFile,
        struct.error,
        EOFError,
        NotImplementedError,
        RuntimeError,
    ) as error:
        raise RunError(f"{path} is damaged: {error}") from error


def _read(archive: zipfile.ZipFile, path: Path) -> tuple[dict[str, Any], Arrays]:
    size = path.stat().st_size
    infos = {info.filename: info for info in archive.infolist()}
    for info in infos.values():
        if info.compress_type != zipfile.ZIP_STORED or info.file_size > size:
            raise RunError(f"{path} is damaged: {info.filename!r} is not as nnrun writes it")
    if HEADER not in infos or infos[HEADER].file_size > MOST_HEADER:
        raise RunError(f"{path} is damaged: it has no header")
    content = json.loads(archive.read(HEADER))
    if content["format"] > FORMAT:
        raise RunError(
            f"{path} was written by a newer nnrun (format {content['format']}, this one reads {FORMAT})"
        )
    listed = content["arrays"]
    if {HEADER, *(entry["member"] for entry in listed)} != set(infos) or len(infos) != len(listed) + 1:
        raise RunError(f"{path} is damaged: its arrays are not those that its header lists")
    arrays = {}
    for entry in listed:
        array = _read_array(archive.read(entry["member"]), entry["dtype"])
        if _digest(array) != entry["sha256"]:
            raise RunError(f"{path} is damaged: {entry['name']} is not what was written")
        arrays[entry["name"]] = array
    return content["header"], arrays


ARRAY_HEADER = re.compile(
    r"\{'descr': '[<>|=][a-zA-Z]\d{1,3}', 'fortran_order': (True|False), 'shape': \((\d+, ?)*\d*\), \}\s*"
)


def _read_array(data: bytes, dtype: str) -> NDArray[Any]:
    """An array from the bytes of an ``.npy`` file, whose header is not trusted."""
    if data[:6] != b"\x93NUMPY" or data[6:8] != b"\x01\x00":
        raise ValueError("not an array")
    (length,) = struct.unpack("<H", data[8:10])
    text = data[10 : 10 + length].decode("latin-1")
    if length > LONGEST_ARRAY_HEADER or not ARRAY_HEADER.fullmatch(text):
        raise ValueError("an array's header is not as NumPy writes it")
    described = ast.literal_eval(text)
    kind = np.dtype(described["descr"])
    if kind.hasobject or math.prod(described["shape"]) * kind.itemsize != len(data) - 10 - length:
        raise ValueError("an array is not as long as its header says")
    array = np.lib.format.read_array(io.BytesIO(data), allow_pickle=False)
    return array if str(array.dtype) == dtype else array.view(_dtype(dtype))


def _bits(array: NDArray[Any]) -> NDArray[Any]:
    """The array, as whole numbers of the same size where NumPy's format does not know its dtype."""
    array = np.asarray(array, order="C")
    return array if array.dtype.isbuiltin == 1 else array.view(f"u{array.dtype.itemsize}")


def _dtype(name: str) -> np.dtype[Any]:
    import ml_dtypes  # comes with TensorFlow

    found: np.dtype[Any] = np.dtype(getattr(ml_dtypes, name))
    return found


def _digest(array: NDArray[Any]) -> str:
    described = f"{array.dtype} {array.shape} ".encode()
    return hashlib.sha256(described + np.ascontiguousarray(_bits(array)).tobytes()).hexdigest()
