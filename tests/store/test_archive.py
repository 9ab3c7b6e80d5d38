"""Arrays come back to the last bit, or not at all."""

from __future__ import annotations

import json
import random
import zipfile
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from store.hostile_files import overlapping

from nnrun.errors import RunError
from nnrun.store.archive import HEADER, read_archive, write_archive

random_numbers = np.random.default_rng(0)
ARRAYS: dict[str, np.ndarray[Any, Any]] = {
    "model/0000/dense/kernel": random_numbers.normal(size=(7, 5)).astype("float32"),
    "model/0001/seed": np.array([1, 2**63 - 1], "int64"),
    "optimizer/0000/iteration": np.array(41, "int64"),
    "half": random_numbers.normal(size=(3, 2)).astype("float16"),
    "bfloat": random_numbers.normal(size=(4,)).astype(ml_dtypes.bfloat16),
    "double, fortran": np.asfortranarray(random_numbers.normal(size=(3, 4))),
    "truth": np.array([True, False]),
    "empty": np.zeros((0, 3), "float32"),
    "nan payload": np.array([0x7FC00001, 0xFFC12345], "uint32").view("float32"),
    "bytes ü": np.arange(5, dtype="uint8"),
}
DETAILS = {"epoch": 3, "best": float("inf"), "callbacks": [{"name": "EarlyStopping", "wait": 2}]}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A whole archive."""
    write_archive(tmp_path / "000001.npz", DETAILS, ARRAYS)
    return tmp_path / "000001.npz"


def test_arrays_come_back_to_the_last_bit(path: Path) -> None:
    header, arrays = read_archive(path)

    assert header == {**DETAILS, "best": "inf"}
    assert list(arrays) == list(ARRAYS)
    for name, array in ARRAYS.items():
        assert (arrays[name].dtype, arrays[name].shape) == (array.dtype, array.shape)
        assert arrays[name].tobytes() == array.tobytes()


def test_same_arrays_give_the_same_bytes(path: Path, tmp_path: Path) -> None:
    write_archive(tmp_path / "again.npz", DETAILS, ARRAYS)

    assert (tmp_path / "again.npz").read_bytes() == path.read_bytes()


def test_archive_can_be_read_with_numpy_alone(path: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        names = [entry["name"] for entry in json.loads(archive.read(HEADER))["arrays"]]
    with np.load(path, allow_pickle=False) as arrays:
        np.testing.assert_array_equal(arrays[f"a{names.index('half'):05d}"], ARRAYS["half"])


def test_truncation_anywhere_is_detected(path: Path) -> None:
    content = path.read_bytes()
    for end in range(0, len(content), max(1, len(content) // 300)):
        path.write_bytes(content[:end])
        with pytest.raises(RunError):
            read_archive(path)


def test_flipped_bit_never_gives_a_wrong_array(path: Path) -> None:
    content = path.read_bytes()
    chosen = random.Random(0)
    detected = 0
    for _ in range(600):
        damaged = bytearray(content)
        damaged[chosen.randrange(len(content))] ^= 1 << chosen.randrange(8)
        path.write_bytes(damaged)
        try:
            header, arrays = read_archive(path)
        except RunError:
            detected += 1
            continue
        # Some bytes of a zip file say nothing (dates, attributes): then all is as it was.
        assert header == {**DETAILS, "best": "inf"}
        assert all(arrays[name].tobytes() == array.tobytes() for name, array in ARRAYS.items())
    assert detected > 500


def rewrite(path: Path, change: Any, compression: int = zipfile.ZIP_STORED) -> None:
    """Write the archive anew with its members changed."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    change(members)
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, data in members.items():
            archive.writestr(name, data)


def newer(members: dict[str, bytes]) -> None:
    content = json.loads(members[HEADER])
    members[HEADER] = json.dumps(content | {"format": 2}).encode()


def extra(members: dict[str, bytes]) -> None:
    members["a99999.npy"] = members["a00000.npy"]


def missing(members: dict[str, bytes]) -> None:
    del members["a00003.npy"]


def pickled(members: dict[str, bytes]) -> None:
    head = b"{'descr': '|O', 'fortran_order': False, 'shape': (1,), }".ljust(117) + b"\n"
    members["a00000.npy"] = b"\x93NUMPY\x01\x00" + len(head).to_bytes(2, "little") + head + b"cos\nsystem\n."


def huge(members: dict[str, bytes]) -> None:
    head = b"{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999,), }".ljust(117) + b"\n"
    members["a00000.npy"] = b"\x93NUMPY\x01\x00" + len(head).to_bytes(2, "little") + head + b"1234"


def headless(members: dict[str, bytes]) -> None:
    del members[HEADER]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (newer, r"was written by a newer nnrun \(format 2, this one reads 1\)"),
        (extra, "its arrays are not those that its header lists"),
        (missing, "its arrays are not those that its header lists"),
        (pickled, "header is not as NumPy writes it"),
        (huge, "not as long as its header says"),
        (headless, "it has no header"),
    ],
)
def test_archive_that_nnrun_would_not_write_is_refused(change: Any, message: str, path: Path) -> None:
    rewrite(path, change)

    with pytest.raises(RunError, match=message):
        read_archive(path)


def test_compressed_archive_is_refused(path: Path) -> None:
    rewrite(path, lambda members: None, zipfile.ZIP_DEFLATED)

    with pytest.raises(RunError, match="is not as nnrun writes it"):
        read_archive(path)


def test_missing_archive_is_named(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"none\.npz is missing"):
        read_archive(tmp_path / "none.npz")


def test_small_file_of_many_large_arrays_is_refused(tmp_path: Path) -> None:
    overlapping(tmp_path / "x.npz")

    with zipfile.ZipFile(tmp_path / "x.npz") as whole:
        assert sum(info.file_size for info in whole.infolist()) > 25 * (tmp_path / "x.npz").stat().st_size
    with pytest.raises(RunError, match="its members overlap"):
        read_archive(tmp_path / "x.npz")
