"""Damage to a checkpoint is always found, and a training goes on from the one before."""

from __future__ import annotations

import itertools
import json
import random
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np
import pytest

from nnrun.errors import ResourceError, RunError
from nnrun.store import archive, durable
from nnrun.store.archive import HEADER, read_archive, write_archive
from nnrun.store.checkpoints import Checkpoints
from nnrun.store.durable import FileSystem

random_numbers = np.random.default_rng(5)
DETAILS = {
    "epoch": 12,
    "step": 3,
    "best_epoch": 11,
    "best_value": {"float": (0.1).hex()},
    "callbacks": [{"name": "EarlyStopping", "values": {"wait": 2}, "lists": {}, "monitor_op_is_set": True}],
    "seconds": 1.25,
}
ARRAYS: dict[str, np.ndarray[Any, Any]] = {
    "model/0000/dense/kernel": random_numbers.normal(size=(9, 8)).astype("float32"),
    "model/0001/dense/bias": np.zeros(8, "float32"),
    "model/0002/dense_1/kernel": random_numbers.normal(size=(9, 8)).astype("float32"),
    "model/0003/dropout/seed": np.array([7, 2**40], "int64"),
    "optimizer/0000/iteration": np.array(1200, "int64"),
    "random/python": random_numbers.integers(0, 2**32, 625, dtype="uint32"),
}


@pytest.fixture(scope="module")
def content(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The bytes of a whole archive."""
    path = tmp_path_factory.mktemp("whole") / "000001.npz"
    write_archive(path, DETAILS, ARRAYS)
    return path.read_bytes()


def members(content: bytes, path: Path) -> dict[str, bytes]:
    path.write_bytes(content)
    with zipfile.ZipFile(path) as whole:
        return {name: whole.read(name) for name in whole.namelist()}


def packed(parts: dict[str, bytes], path: Path) -> bytes:
    """A zip file of members, with the right checksums."""
    with zipfile.ZipFile(path, "w") as made:
        for name, data in parts.items():
            made.writestr(zipfile.ZipInfo(name, archive.FIXED_DATE), data)
    return path.read_bytes()


def flipped(content: bytes, chosen: random.Random) -> Iterator[bytes]:
    while True:
        damaged = bytearray(content)
        damaged[chosen.randrange(len(content))] ^= 1 << chosen.randrange(8)
        yield bytes(damaged)


def truncated(content: bytes, chosen: random.Random) -> Iterator[bytes]:
    for _ in itertools.count():
        yield content[: chosen.randrange(len(content))]


def zeroed(content: bytes, chosen: random.Random) -> Iterator[bytes]:
    """A block of zeros, as a lost page or sector leaves it."""
    while True:
        length = chosen.choice([1, 16, 512, 4096])
        start = chosen.randrange(len(content))
        end = min(start + length, len(content))
        yield content[:start] + bytes(end - start) + content[end:]


def scrambled(content: bytes, chosen: random.Random) -> Iterator[bytes]:
    """Two blocks of the file in each other's place."""
    while True:
        length = chosen.choice([8, 64, 512])
        one, other = sorted(chosen.sample(range(len(content) // length), 2))
        blocks = [content[start : start + length] for start in range(0, len(content), length)]
        blocks[one], blocks[other] = blocks[other], blocks[one]
        yield b"".join(blocks)


def repeated(content: bytes, chosen: random.Random) -> Iterator[bytes]:
    """Something inserted, or taken out."""
    while True:
        start = chosen.randrange(len(content))
        if chosen.random() < 0.5:
            yield content[:start] + chosen.randbytes(chosen.choice([1, 4, 100])) + content[start:]
        else:
            yield content[:start] + content[start + chosen.choice([1, 4, 100]) :]


DAMAGES = {flipped: 3000, truncated: 800, zeroed: 800, scrambled: 400, repeated: 400}


def swapped_members(content: bytes, path: Path) -> Iterator[bytes]:
    """Each two members in each other's place, in zip files that are whole."""
    parts = members(content, path)
    for one, other in itertools.combinations(parts, 2):
        if parts[one] != parts[other]:
            yield packed(parts | {one: parts[other], other: parts[one]}, path)


def edited_headers(content: bytes, path: Path) -> Iterator[bytes]:
    """Each value of the header changed, and each key taken out, in zip files that are whole."""
    parts = members(content, path)

    def changed(value: Any) -> Any:
        if isinstance(value, bool):
            return not value
        return (
            value + 1 if isinstance(value, int | float) else f"{value}x" if isinstance(value, str) else None
        )

    def visit(value: Any) -> Iterator[Any]:
        """The value with one thing in it changed."""
        if isinstance(value, dict):
            for key, inner in value.items():
                yield {name: item for name, item in value.items() if name != key}
                for other in visit(inner):
                    yield {**value, key: other}
        elif isinstance(value, list):
            for index, inner in enumerate(value):
                yield value[:index] + value[index + 1 :]
                for other in visit(inner):
                    yield [*value[:index], other, *value[index + 1 :]]
        else:
            yield changed(value)

    for edited in visit(json.loads(parts[HEADER])):
        yield packed(parts | {HEADER: json.dumps(edited).encode()}, path)


def undetected(content: bytes, path: Path, cases: Iterator[bytes]) -> tuple[int, int, list[bytes]]:
    """Read damaged archives.

    Returns:
        How many were damaged; how many read as if they were not, with every bit as it was; and those that read wrong.
    """
    path.write_bytes(content)
    header = read_archive(path)[0]
    tried = harmless = 0
    wrong = []
    for damaged in cases:
        if damaged == content:
            continue
        tried += 1
        path.write_bytes(damaged)
        try:
            found, arrays = read_archive(path)
        except RunError:
            continue
        same = list(arrays) == list(ARRAYS) and all(
            arrays[name].dtype == array.dtype
            and arrays[name].shape == array.shape
            and arrays[name].tobytes() == array.tobytes()
            for name, array in ARRAYS.items()
        )
        if found == header and same:
            harmless += 1
        else:
            wrong.append(damaged)
    return tried, harmless, wrong


def all_damages(content: bytes, path: Path) -> Iterator[bytes]:
    for seed, (damage, count) in enumerate(DAMAGES.items()):
        yield from itertools.islice(damage(content, random.Random(seed)), count)
    yield from swapped_members(content, path.with_name("swapped"))
    yield from edited_headers(content, path.with_name("edited"))


def test_damage_of_any_kind_is_found(
    content: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tried, harmless, wrong = undetected(content, tmp_path / "x.npz", all_damages(content, tmp_path / "x.npz"))

    with capsys.disabled():
        print(
            f"\n{tried:,} damaged archives tried, {len(wrong)} failures; {harmless} held the same to the last bit"
        )
    assert wrong == []
    assert tried >= 5_000
    assert harmless < tried / 10


def forget(name: str, value: Any) -> Callable[[pytest.MonkeyPatch], None]:
    def plant(patch: pytest.MonkeyPatch) -> None:
        patch.setattr(archive, name, value)

    plant.__name__ = f"forget{name}"
    return plant


@pytest.mark.parametrize(
    "plant",
    [
        forget("_digest", lambda array: ""),
        forget("_header_digest", lambda content: ""),
    ],
    ids=lambda plant: plant.__name__,
)
def test_planted_mistake_is_found_by_damage(
    plant: Callable[[pytest.MonkeyPatch], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(monkeypatch)
    path = tmp_path / "x.npz"
    write_archive(path, DETAILS, ARRAYS)
    content = path.read_bytes()

    assert undetected(content, path, all_damages(content, path))[2]


class Corrupting(FileSystem):
    """Writes one byte of one of the writes wrong, and says nothing.

    Args:
        which: The number of the write.
    """

    def __init__(self, which: int) -> None:
        self._left = which

    def write(self, file: IO[bytes], data: bytes) -> None:
        self._left -= 1
        super().write(file, bytes([data[0] ^ 1]) + data[1:] if self._left == 0 and data else data)


def test_write_that_goes_wrong_in_silence_is_never_taken_for_a_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored = Checkpoints(tmp_path)
    stored.write(1, DETAILS, ARRAYS)
    found = 0
    for which in range(1, 40):
        with monkeypatch.context() as patch:
            patch.setattr(durable, "disk", Corrupting(which))
            try:
                stored.write(2, DETAILS, ARRAYS)
            except ResourceError as error:
                assert "right after it was written; the disk or the memory is failing" in str(error)
                found += 1
        newest = stored.newest()
        assert newest.damaged == []
        assert all(newest.arrays[name].tobytes() == array.tobytes() for name, array in ARRAYS.items())
        stored.folder.joinpath("000002.npz").unlink(missing_ok=True)
        assert [path.name for path in tmp_path.iterdir()] == ["000001.npz"]
    assert found >= 20


def test_planted_mistake_of_not_reading_back_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive, "_check", lambda path: None)
    monkeypatch.setattr(durable, "disk", Corrupting(5))
    stored = Checkpoints(tmp_path)

    stored.write(1, DETAILS, ARRAYS)

    with pytest.raises(RunError, match="no checkpoint is whole"):
        stored.newest()


def test_damaged_newest_checkpoints_give_way_to_the_one_before_and_are_named(tmp_path: Path) -> None:
    stored = Checkpoints(tmp_path)
    for sequence in (1, 2):
        stored.write(sequence, {"epoch": sequence}, ARRAYS)
    newest, before = stored.paths()
    whole = newest.read_bytes()
    chosen = random.Random(3)
    for damage in (flipped, truncated, zeroed):
        for damaged in itertools.islice(damage(whole, chosen), 100):
            newest.write_bytes(damaged)
            found = stored.newest()
            if found.path == newest:  # a byte that says nothing
                assert all(found.arrays[name].tobytes() == array.tobytes() for name, array in ARRAYS.items())
                continue
            assert (found.path, found.header["epoch"]) == (before, 1)
            (told,) = found.damaged
            assert told.startswith(f"{newest} is damaged: ")
    before.write_bytes(b"")
    newest.write_bytes(b"")
    with pytest.raises(
        RunError, match=r"no checkpoint is whole: .*000002\.npz is damaged.*000001\.npz is damaged"
    ):
        stored.newest()


def test_digest_of_the_header_is_of_what_was_written(tmp_path: Path) -> None:
    path = tmp_path / "x.npz"
    write_archive(path, {"nan": float("nan"), "ü": "\udcff", "big": 10**30, "float": 0.1}, {})

    assert read_archive(path)[0] == {"nan": "nan", "ü": "\udcff", "big": 10**30, "float": 0.1}
