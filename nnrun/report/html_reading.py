"""What a page tells of a run, read from its directory: all of it may be a stranger's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from nnrun.errors import RunError
from nnrun.store.labels import Labels
from nnrun.store.listing import Record, read_record
from nnrun.store.reading import read_map_or_none
from nnrun.store.run import Run
from nnrun.store.values import brief, count_of, map_at

PARTS = {"test": "test", "validation": "validation", "train": "training"}
"""The folders of ``evaluation/``, and what their examples are called."""

REPORTS = ("scores", "report", "confusion", "regression")
"""The files of such a folder, without ``.json``."""

Map = dict[str, Any]


@dataclass(frozen=True)
class Told:
    """A run as a page tells it.

    Args:
        record: Its small facts.
        rows: Its epochs.
        note: The whole note.
        resumes: When the training went on.
        divergence: Where it was lost; empty where it was not.
        evaluations: For each part the maps of its reports that are there.
    """

    record: Record
    rows: list[Map]
    note: str
    resumes: list[Map]
    divergence: Map
    evaluations: dict[str, dict[str, Map]]

    @property
    def best_epoch(self) -> int | None:
        """The epoch with the best value of the monitored metric."""
        return count_of(map_at(self.record.result, "best").get("epoch"))


def read_run(run: Run) -> Told:
    """Read all that a page tells of a run.

    Raises:
        RunError: Something of it is damaged.
    """
    if run.path.is_symlink():
        raise RunError(f"{run.path} is a symbolic link; name the run itself")
    record = read_record(run)
    if record.problems:
        raise RunError("\n".join(record.problems))
    return Told(
        record,
        [brief(row) for row in run.rows()],
        Labels.read(run).note,
        [brief(facts) for facts in run.resumes()],
        brief(run.divergence() or {}),
        {part: found for part in PARTS if (found := _read_evaluation(run, part))},
    )


def _read_evaluation(run: Run, part: str) -> dict[str, Map]:
    folder = run.path / "evaluation" / part
    for inner in (folder.parent, folder):
        if inner.is_symlink():
            raise RunError(f"{inner} is a symbolic link; nnrun does not follow it out of the run")
    found = {name: read_map_or_none(folder / f"{name}.json") for name in REPORTS}
    return {name: value for name, value in found.items() if value is not None}


def maps_in(values: Map, key: str) -> list[Map]:
    """The maps of a list; an empty list where something else is there."""
    value = values.get(key)
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
