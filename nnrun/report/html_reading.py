"""What a page tells of a run, read from its directory: all of it may be a stranger's."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nnrun.errors import RunError
from nnrun.store.labels import Labels
from nnrun.store.listing import Record, read_record
from nnrun.store.reading import read_map_or_none
from nnrun.store.run import Run
from nnrun.store.values import brief, count_of, map_at

PARTS = {"test": "test", "validation": "validation", "train": "training"}
"""The folders of ``evaluation/``, and what their examples are called."""

REPORTS = ("report", "confusion", "regression", "points", "samples")
"""The files of an output in such a folder, without ``.json``; of several outputs each has its name before them."""

MOST_OUTPUTS = 12
MOST_FILES = 1_000

Map = dict[str, Any]


@dataclass(frozen=True)
class Evaluated:
    """How the model did on a part.

    Args:
        scores: ``scores.json``.
        outputs: For each output the maps of its reports that are there; one alone has no name.
    """

    scores: Map
    outputs: dict[str, dict[str, Map]]


@dataclass(frozen=True)
class Told:
    """A run as a page tells it.

    Args:
        record: Its small facts.
        rows: Its epochs.
        note: The whole note.
        resumes: When the training went on.
        divergence: Where it was lost; empty where it was not.
        evaluations: For each part that was evaluated what was found.
        layers: Of the model, with all their inputs.
    """

    record: Record
    rows: list[Map]
    note: str
    resumes: list[Map]
    divergence: Map
    evaluations: dict[str, Evaluated]
    layers: list[Map]

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
        maps_in(map_at(run.facts(), "model"), "table"),
    )


def _read_evaluation(run: Run, part: str) -> Evaluated | None:
    folder = run.path / "evaluation" / part
    for inner in (folder.parent, folder):
        if inner.is_symlink():
            raise RunError(f"{inner} is a symbolic link; nnrun does not follow it out of the run")
    if not folder.is_dir():
        return None
    outputs = {}
    for prefix in _outputs_in(folder):
        found = {name: read_map_or_none(folder / f"{prefix}{name}.json") for name in REPORTS}
        outputs[prefix.removesuffix("-")] = {
            name: value for name, value in found.items() if value is not None
        }
    return Evaluated(read_map_or_none(folder / "scores.json") or {}, outputs)


def _outputs_in(folder: Path) -> list[str]:
    """What stands before the names of the files of each output: nothing where there is one."""
    endings = tuple(f"-{name}.json" for name in ("report", "regression"))
    try:
        names = [path.name for path in itertools.islice(folder.iterdir(), MOST_FILES)]
    except OSError as error:
        raise RunError(f"cannot read {folder}: {error.strerror}") from None
    named = sorted(name[: name.rindex("-") + 1] for name in names if name.endswith(endings))
    return named[:MOST_OUTPUTS] or [""]


def maps_in(values: Map, key: str) -> list[Map]:
    """The maps of a list; an empty list where something else is there."""
    value = values.get(key)
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
