"""Checkpoints are ordered by their numbers, pruned late, and read with care."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nnrun.errors import ResourceError, RunError
from nnrun.store import durable
from nnrun.store.checkpoints import Checkpoints
from nnrun.store.durable import FileSystem

ARRAYS = {"model/0000/kernel": np.arange(6, dtype="float32"), "best/0000/kernel": np.zeros(6, "float32")}


@pytest.fixture
def stored(tmp_path: Path) -> Checkpoints:
    """A folder with the checkpoints 1 and 2."""
    checkpoints = Checkpoints(tmp_path)
    for sequence in (1, 2):
        checkpoints.write(sequence, {"epoch": sequence, "best_epoch": 1}, ARRAYS)
    return checkpoints


def test_newest_is_by_number_whatever_the_clock_says(stored: Checkpoints) -> None:
    os.utime(stored.folder / "000001.npz", (2**31, 2**31))
    os.utime(stored.folder / "000002.npz", (0, 0))

    assert stored.newest().header["sequence"] == 2


def test_numbers_beyond_six_digits_are_still_the_newest(stored: Checkpoints) -> None:
    for sequence in (999_999, 1_000_000, 999_999_999_999, 1_000_000_000_000):
        stored.write(sequence, {"epoch": 3}, ARRAYS)
        assert stored.newest().header["sequence"] == sequence

    assert stored.next_sequence() == 1_000_000_000_001
    assert len(stored.paths()) == 2


def test_number_of_a_damaged_checkpoint_is_never_used_again(stored: Checkpoints) -> None:
    (stored.folder / "000002.npz").write_bytes(b"")

    assert stored.newest().header["sequence"] == 1
    assert stored.next_sequence() == 3


@pytest.mark.parametrize("put", [os.mkdir, os.mkfifo, lambda path: path.symlink_to("000001.npz")])
def test_other_things_with_the_name_of_a_checkpoint_are_passed_over(put: Any, stored: Checkpoints) -> None:
    put(stored.folder / "000007.npz")

    assert stored.newest().header["sequence"] == 2
    assert stored.next_sequence() == 8
    stored.write(8, {"epoch": 3}, ARRAYS)
    assert [path.name for path in stored.paths()] == ["000008.npz", "000002.npz"]


@pytest.mark.parametrize(
    "name", ["٠٠٠٠٠٩.npz", "000009.npz.bak", "00009.npz", ".tmp-1-000009.npz", "x000009.npz"]
)
def test_files_with_other_names_are_no_checkpoints(name: str, stored: Checkpoints) -> None:
    (stored.folder / name).write_bytes((stored.folder / "000001.npz").read_bytes())

    assert [path.name for path in stored.paths()] == ["000002.npz", "000001.npz"]


def test_nothing_is_removed_before_the_new_one_is_safe(
    stored: Checkpoints, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Full(FileSystem):
        def sync_folder(self, folder: Path) -> None:
            raise OSError(5, "Input/output error")

    monkeypatch.setattr(durable, "disk", Full())

    with pytest.raises(ResourceError, match="Input/output error; the disk may be failing"):
        stored.write(3, {"epoch": 3}, ARRAYS)

    assert {"000001.npz", "000002.npz"} <= {path.name for path in stored.paths()}


def test_model_that_was_kept_counts_until_the_training_goes_on(stored: Checkpoints) -> None:
    stored.write_best({"weights": "best", "epoch": 1}, {"model/0000/kernel": np.ones(6, "float32")})
    assert stored.read_model()[1]["model/0000/kernel"].tolist() == [1] * 6

    stored.write(3, {"epoch": 3, "best_epoch": 2}, ARRAYS)

    header, arrays = stored.read_model()
    assert (header["weights"], header["epoch"]) == ("best", 2)
    assert arrays == {"model/0000/kernel": pytest.approx(np.zeros(6))}


def test_kept_model_that_is_damaged_is_not_replaced_by_another(stored: Checkpoints) -> None:
    stored.write_best({"weights": "best", "epoch": 1}, ARRAYS)
    stored.best.write_bytes(stored.best.read_bytes()[:-7])

    with pytest.raises(RunError, match=r"best\.npz is damaged"):
        stored.read_model()


@pytest.mark.parametrize(
    ("header", "missing"),
    [
        ({"weights": "best"}, "epoch"),
        ({"weights": 5, "epoch": 1}, "weights"),
        ({"weights": "best", "epoch": "1"}, "epoch"),
        ({"weights": "best", "epoch": 1, "sequence": []}, "sequence"),
    ],
)
def test_kept_model_with_an_odd_header_is_refused(
    header: dict[str, Any], missing: str, stored: Checkpoints
) -> None:
    stored.write_best(header, ARRAYS)

    with pytest.raises(
        RunError, match=rf"best\.npz is damaged: its header has no {missing} that nnrun wrote"
    ):
        stored.read_model()


def test_newest_checkpoint_with_an_odd_header_gives_no_model(tmp_path: Path) -> None:
    stored = Checkpoints(tmp_path)
    stored.write(1, {"epoch": 3, "best_epoch": None}, ARRAYS)

    with pytest.raises(
        RunError, match=r"000001\.npz is damaged: its header has no best_epoch that nnrun wrote"
    ):
        stored.read_model()


@pytest.mark.parametrize("key", ["epoch", "step", "best_epoch", "rows"])
@pytest.mark.parametrize("value", [None, "1", -1, 1.5, [], True])
def test_checkpoint_with_an_odd_count_gives_way_to_the_one_before(
    key: str, value: object, stored: Checkpoints
) -> None:
    stored.write(3, {"epoch": 3, key: value}, ARRAYS)

    found = stored.newest()

    assert found.header["sequence"] == 2
    assert found.damaged == [
        f"{stored.folder / '000003.npz'} is damaged: its header has no {key} that nnrun wrote"
    ]
