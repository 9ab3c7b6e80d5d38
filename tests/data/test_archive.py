"""Reading .npz files that may be truncated, damaged or made by someone else."""

from __future__ import annotations

import io
import re
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nnrun.data.archive import Expected, read_arrays
from nnrun.errors import DataError

IMAGES = {"x": Expected("uint8", (4, 4)), "y": Expected("iu", (), column=True)}


def write(path: Path, **arrays: Any) -> Path:
    np.savez_compressed(path, **arrays)
    return path


def images(count: int = 5) -> dict[str, np.ndarray]:
    x = np.random.default_rng(0).integers(0, 256, (count, 4, 4)).astype(np.uint8)
    return {"x": x, "y": np.arange(count)}


def write_member(path: Path, content: bytes) -> Path:
    """An archive whose x is made of these bytes."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x.npy", content)
    return path


def npy(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, array)
    return buffer.getvalue()


def test_read_arrays_gives_what_was_written(tmp_path: Path) -> None:
    written = images()
    read = read_arrays(write(tmp_path / "a.npz", **written, more=np.zeros(3)), IMAGES)
    assert list(read) == ["x", "y"]
    assert all((read[name] == written[name]).all() for name in read)


@pytest.mark.parametrize("shape", [(5,), (5, 1)])
def test_read_arrays_accepts_a_column_where_it_may(tmp_path: Path, shape: tuple[int, ...]) -> None:
    path = write(tmp_path / "a.npz", x=images()["x"], y=np.arange(5).reshape(shape))
    assert read_arrays(path, IMAGES)["y"].shape == shape


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (
            {"x": np.zeros((5, 4, 3), np.uint8)},
            "x: expected uint8 of shape (n, 4, 4); found uint8 of shape (5, 4, 3)",
        ),
        (
            {"x": np.zeros((5, 4, 4), np.float32)},
            "x: expected uint8 of shape (n, 4, 4); found float32 of shape (5, 4, 4)",
        ),
        (
            {"y": np.zeros((5, 2), int)},
            "y: expected whole numbers of shape (n,) or (n, 1); found int64 of shape (5, 2)",
        ),
        (
            {"y": np.array(list("abcde"))},
            "y: expected whole numbers of shape (n,) or (n, 1); found str32 of shape (5,)",
        ),
        (
            {"y": np.zeros(0, int)},
            "y: expected examples, found none: its shape is (0,)",
        ),
        (
            {"y": np.array(7)},
            "y: expected whole numbers of shape (n,) or (n, 1); found int64 of shape ()",
        ),
        (
            {"x": np.array([[1], [1, 2]], dtype=object)},
            "x: expected uint8 of shape (n, 4, 4), found pickled Python objects, which are not read",
        ),
    ],
)
def test_read_arrays_of_the_wrong_kind_are_refused(
    tmp_path: Path, changed: dict[str, np.ndarray], message: str
) -> None:
    path = write(tmp_path / "a.npz", **(images() | changed))
    with pytest.raises(DataError) as caught:
        read_arrays(path, IMAGES)
    assert str(caught.value) == f"{path}: {message}"


def test_read_arrays_with_one_missing_names_it(tmp_path: Path) -> None:
    path = write(tmp_path / "a.npz", x=images()["x"], z=np.zeros(3))
    with pytest.raises(DataError) as caught:
        read_arrays(path, IMAGES)
    assert str(caught.value) == f"{path}: expected the arrays x, y; y missing, found x, z"


@pytest.mark.parametrize(("value", "found"), [(np.nan, "NaN"), (-np.inf, "infinite")])
def test_read_arrays_with_a_value_that_is_not_finite_names_the_row(
    tmp_path: Path, value: float, found: str
) -> None:
    x = np.zeros((9, 2), np.float32)
    x[6, 1] = value
    path = write(tmp_path / "a.npz", x=x)
    with pytest.raises(DataError, match=rf"x: row 6 holds a value that is .*{found}"):
        read_arrays(path, {"x": Expected("f", (2,))})


@pytest.mark.parametrize("content", [b"", b"not an archive", b"PK\x03\x04" + bytes(60)])
def test_read_arrays_from_no_archive_says_so(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.npz"
    path.write_bytes(content)
    with pytest.raises(DataError, match=f"{re.escape(str(path))}: expected a NumPy .npz archive, found none"):
        read_arrays(path, IMAGES)


def test_read_arrays_from_a_folder_says_why(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read: Is a directory"):
        read_arrays(tmp_path, IMAGES)


def test_read_arrays_from_a_truncated_file_never_succeeds(tmp_path: Path) -> None:
    whole = write(tmp_path / "a.npz", **images(40)).read_bytes()
    path = tmp_path / "b.npz"
    for length in range(0, len(whole), 7):
        path.write_bytes(whole[:length])
        with pytest.raises(DataError, match=re.escape(str(path))):
            read_arrays(path, IMAGES)


def test_read_arrays_with_a_flipped_bit_gives_the_same_or_is_refused(tmp_path: Path) -> None:
    written = images(40)
    whole = write(tmp_path / "a.npz", **written).read_bytes()
    path = tmp_path / "b.npz"
    refused = 0
    for bit in range(0, 8 * len(whole), 11):
        damaged = bytearray(whole)
        damaged[bit // 8] ^= 1 << bit % 8
        path.write_bytes(damaged)
        try:
            read = read_arrays(path, IMAGES)
        except DataError:
            refused += 1
        else:  # the bit stood where it means nothing, such as a time of day
            assert all((read[name] == written[name]).all() for name in read)
    assert refused > 8 * len(whole) / 11 * 0.7


def test_read_arrays_claiming_more_than_they_hold_are_refused_before_reading(tmp_path: Path) -> None:
    header = io.BytesIO()
    claim = {"descr": "|u1", "fortran_order": False, "shape": (10**6, 4, 4)}
    np.lib.format.write_array_header_1_0(header, claim)
    path = write_member(tmp_path / "a.npz", header.getvalue() + bytes(32))
    with pytest.raises(DataError, match=r"shape \(1000000, 4, 4\) needs 16,000,000 bytes; found 32"):
        read_arrays(path, {"x": IMAGES["x"]})


def test_read_arrays_beyond_the_limit_are_refused(tmp_path: Path) -> None:
    header = io.BytesIO()
    claim = {"descr": "|u1", "fortran_order": False, "shape": (10**12, 4, 4)}
    np.lib.format.write_array_header_1_0(header, claim)
    path = write_member(tmp_path / "a.npz", header.getvalue())
    with pytest.raises(DataError, match="16,000,000,000,000 bytes; at most 4,294,967,296 are read"):
        read_arrays(path, {"x": IMAGES["x"]})


@pytest.mark.parametrize("content", [b"", b"\x93NUMPY", b"\x93NUMPY\x02\x00" + b"\xff" * 40, bytes(200)])
def test_read_arrays_with_a_header_without_sense_are_refused(tmp_path: Path, content: bytes) -> None:
    path = write_member(tmp_path / "a.npz", content)
    with pytest.raises(DataError, match="x: cannot be read, the file is damaged"):
        read_arrays(path, {"x": IMAGES["x"]})


def test_read_arrays_with_a_wrong_checksum_are_refused(tmp_path: Path) -> None:
    content = npy(images(40)["x"])
    path = write_member(tmp_path / "a.npz", content)  # stored, not compressed
    damaged = bytearray(path.read_bytes())
    damaged[len(content) // 2] ^= 1
    path.write_bytes(damaged)
    with pytest.raises(DataError, match=r"x: cannot be read, the file is damaged \(Bad CRC-32"):
        read_arrays(path, {"x": IMAGES["x"]})
