"""The checkpoints of a run: numbered files, the two newest and the best, each complete or absent."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nnrun.errors import RunError
from nnrun.store.durable import disk, explained
from nnrun.store.reading import is_own_file

if TYPE_CHECKING:
    from numpy.typing import NDArray

KEPT = 2
COUNTS = {"sequence", "epoch", "step", "best_epoch", "rows"}
"""What a header counts."""

FILE = re.compile(r"[0-9]{6,}\.npz")
BEST_GROUP = "best/"
"""Begins the names of the best epoch's arrays in a checkpoint; ``model/`` begins those of the newest step."""


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint that was read whole.

    Args:
        path: Where it is.
        header: Where the training stood, and what callbacks remember.
        arrays: Every variable.
        damaged: What was wrong with newer ones that were passed over.
    """

    path: Path
    header: dict[str, Any]
    arrays: dict[str, NDArray[Any]]
    damaged: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Checkpoints:
    """The folder of a run's checkpoints.

    Args:
        folder: ``checkpoints/`` in the run.
    """

    folder: Path

    @property
    def best(self) -> Path:
        """The file of the model that counts."""
        return self.folder / "best.npz"

    def paths(self) -> list[Path]:
        """The checkpoints, newest first: by their numbers, whatever clocks say."""
        return [path for path in self._names() if is_own_file(path)]

    def _names(self) -> list[Path]:
        """What is called as checkpoints are, newest first; somebody may have put other things than files there."""
        found = [path for path in self.folder.glob("*.npz") if FILE.fullmatch(path.name)]
        return sorted(found, key=_sequence, reverse=True)

    def next_sequence(self) -> int:
        """A number that no checkpoint had yet, damaged ones included."""
        newest = self._names()[:1]
        return _sequence(newest[0]) + 1 if newest else 1

    def write(self, sequence: int, header: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> None:
        """Write a checkpoint; only when it is safe remove all but the two newest.

        Args:
            sequence: Its number; greater is newer.
            header: Where the training stands.
            arrays: Every variable.
        """
        from nnrun.store.archive import write_archive

        newest = self.folder / f"{sequence:06d}.npz"
        write_archive(newest, {"sequence": sequence, **header}, arrays)
        for old in [path for path in self.paths() if path != newest][KEPT - 1 :]:
            with explained(old):
                disk.remove(old)

    def newest(self) -> Checkpoint:
        """The newest checkpoint that is whole.

        Raises:
            RunError: There is none.
        """
        from nnrun.store.archive import read_archive

        damaged: list[str] = []
        for path in self.paths():
            try:
                header, arrays = read_archive(path)
                _expect(path, header, **dict.fromkeys(COUNTS & header.keys(), int))
            except RunError as error:
                damaged.append(str(error))
                continue
            return Checkpoint(path, header, arrays, damaged)
        if damaged:
            raise RunError(f"no checkpoint is whole: {'; '.join(damaged)}")
        run = self.folder.parent.name
        raise RunError(f"{run} was stopped before its first checkpoint; let it go on with nnrun resume {run}")

    def write_best(self, header: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> None:
        """Write the model that counts, without the optimizer."""
        from nnrun.store.archive import write_archive

        newest = self.paths()[:1]
        sequence = _sequence(newest[0]) if newest else 0
        write_archive(self.best, {"sequence": sequence, **header}, arrays)

    def read_model(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """The model that counts, with where it comes from: ``{"weights": "best", "epoch": 7}``.

        It is the kept one; where the training went on since and was cut short, the best of the newest checkpoint.

        Raises:
            RunError: There is none, or the kept one is damaged: another would give other scores under its name.
        """
        from nnrun.store.archive import read_archive

        kept: tuple[dict[str, Any], dict[str, NDArray[Any]]] | None = None
        if is_own_file(self.best):
            kept = read_archive(self.best)
            _expect(self.best, kept[0], sequence=int, weights=str, epoch=int)
            newest = self.paths()[:1]
            if not newest or _sequence(newest[0]) <= kept[0]["sequence"]:
                return kept
        try:
            found = self.newest()
        except RunError:
            if kept:
                return kept
            raise
        best = {
            f"model/{name.removeprefix(BEST_GROUP)}": array
            for name, array in found.arrays.items()
            if name.startswith(BEST_GROUP)
        }
        _expect(found.path, found.header, epoch=int, **({"best_epoch": int} if best else {}))
        header = {**found.header, "weights": "last"}
        if best:
            header |= {"weights": "best", "epoch": found.header["best_epoch"]}
        return header, best or found.arrays


def _expect(path: Path, header: Mapping[str, Any], **kinds: type) -> None:
    """Refuse a header whose values are of other kinds, or counts less than nothing."""
    for key, kind in kinds.items():
        value = header.get(key)
        if type(value) is not kind or (isinstance(value, int) and value < 0):
            raise RunError(f"{path} is damaged: its header has no {key} that nnrun wrote")


def _sequence(path: Path) -> int:
    return int(path.stem)
