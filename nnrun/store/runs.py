"""The directory of all runs: making, listing and finding them."""

from __future__ import annotations

import atexit
import contextlib
import functools
import os
import re
import shutil
import tempfile
import unicodedata
from datetime import datetime
from pathlib import Path

from nnrun.errors import ResourceError, RunError
from nnrun.spec.names import listed
from nnrun.store.durable import TEMPORARY, disk, explained, make_folders, write_bytes, write_text
from nnrun.store.reading import is_own_file, read_own
from nnrun.store.run import NAME, Run

LEAST_FREE_BYTES = 16 << 20
LONGEST_SLUG = 60
MOST_COUNTER_BYTES = 20
LATEST = re.compile(r"latest(?:~([0-9]{1,9}))?")
BEST = "best:"
FIGURES = frozenset({"epoch", "seconds", "examples_per_second", "learning_rate"})
"""What a row of an epoch has besides losses and metrics."""

COUNTER_PATIENCE_SECONDS = 30.0
"""How long to wait for others who are making runs; each takes milliseconds."""


def runs_directory(option: Path | None) -> Path:
    """Where runs are kept: the option, else ``$NNRUN_RUNS_DIR``, else ``runs`` here."""
    return option or Path(os.environ.get("NNRUN_RUNS_DIR") or "runs")


def probe_directory(runs: Path) -> None:
    """Make sure that runs can be written, before anything that takes long.

    Raises:
        ResourceError: They cannot be, or the disk is full.
    """
    make_folders(runs)
    with explained(runs):
        probe = runs / f"{TEMPORARY}probe-{os.getpid()}"
        write_bytes(probe, b"probe")
        disk.remove(probe)
        free = shutil.disk_usage(runs).free
    if free < LEAST_FREE_BYTES:
        raise ResourceError(
            f"{runs} has {free / 1e6:.0f} MB free; a run needs at least {LEAST_FREE_BYTES >> 20} MiB"
        )


def create_run(runs: Path, name: str, *, now: datetime) -> Run:
    """Claim a new directory: making it is the claim, so two runs of the same second are two.

    Args:
        runs: Where runs are kept.
        name: The experiment's name.
        now: For the directory's name.
    """
    stem = f"{slug(name)}-{now:%Y%m%d-%H%M%S}"
    make_folders(runs)
    with explained(runs):
        number = 1
        while True:
            path = runs / (stem if number == 1 else f"{stem}-{number}")
            try:
                disk.make_folder(path)
            except FileExistsError:
                number += 1
                continue
            disk.sync_folder(runs)
            make_folders(path / "checkpoints")
            return Run(path, _next_sequence(runs))


@functools.cache
def scratch() -> Path:
    """A folder for runs that nobody keeps; it goes with the process."""
    folder = tempfile.TemporaryDirectory(prefix="nnrun-worker-")
    atexit.register(folder.cleanup)
    return Path(folder.name)


def _next_sequence(runs: Path) -> int:
    """The number of a new run: runs are ordered by it, because a clock can be set back.

    It is counted in ``runs/.sequence``; where that is lost, it goes on from the greatest number of all runs.
    """
    from filelock import FileLock

    counter = runs / ".sequence"
    with explained(counter), FileLock(runs / ".sequence.lock", timeout=COUNTER_PATIENCE_SECONDS):
        try:
            last = _number(read_own(counter, MOST_COUNTER_BYTES))
        except (OSError, RunError, ValueError):
            last = max((_sequence(run) for run in _found(runs)), default=0)
        write_text(counter, f"{last + 1}\n")
        return last + 1


def _number(text: bytes) -> int:
    if not text.strip().isdigit():
        raise ValueError("not a number of a run")
    return int(text)


def slug(name: str) -> str:
    """A name as it may stand in a path: a-z, 0-9, dot, underscore and hyphen, at most 60 of them."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    kept = re.sub(r"[^a-z0-9._]+", "-", plain).strip("-._")[:LONGEST_SLUG].rstrip("-._")
    reserved = re.fullmatch(r"con|prn|aux|nul|com\d|lpt\d", kept)
    return f"run-{kept}" if reserved else kept or "run"


def list_runs(runs: Path) -> list[Run]:
    """All runs, oldest first: by the number that each got when it was made, never by a clock."""
    return sorted(_found(runs), key=lambda run: (_sequence(run), run.id))


def _found(runs: Path) -> list[Run]:
    try:
        if not runs.is_dir():
            return []
        found = sorted(runs.iterdir())
    except OSError as error:
        raise RunError(f"cannot read {runs}: {error.strerror}") from None
    return [Run(path) for path in found if not path.is_symlink() and is_own_file(path / "run.json")]


def _sequence(run: Run) -> int:
    """A run's number; 0 where it cannot be read."""
    try:
        number = run.facts().get("sequence")
    except RunError:
        return 0
    return number if isinstance(number, int) else 0


def find_run(reference: str, runs: Path) -> Run:
    """Find a run by its path, its id, a beginning that only it has, or by what it is.

    Args:
        reference: That, or ``latest``, ``latest~1`` (the one before), ``best:METRIC``.
        runs: Where runs are kept.

    Raises:
        RunError: There is none, or there are several.
    """
    for candidate in (Path(reference), *([runs / reference] if NAME.fullmatch(reference) else [])):
        with contextlib.suppress(OSError, ValueError):  # too long, or not a name at all
            if (candidate / "run.json").is_file():
                return Run(candidate)
    if reference.startswith(BEST):
        return _best_run(reference.removeprefix(BEST), runs)
    known = list_runs(runs)
    newest = LATEST.fullmatch(reference)
    back = int(newest[1] or 0) if newest else 0
    if newest and back < len(known):
        return known[-1 - back]
    matches = [run for run in known if run.id.startswith(reference)] if NAME.fullmatch(reference) else []
    if len(matches) == 1:
        return matches[0]
    if matches:
        listed = ", ".join(run.id for run in matches[-5:])
        raise RunError(f"{len(matches)} runs begin with {reference!r}: {listed}; write more of the id")
    if newest and known:
        raise RunError(f"no run {reference!r}; {runs} has {len(known)}, the first is latest~{len(known) - 1}")
    where = (
        f"the newest in {runs} is {known[-1].id}"
        if known
        else f"there are none in {runs}; train one, or name another place with --runs-dir"
    )
    raise RunError(f"no run {reference!r}; {where}")


def _best_run(metric: str, runs: Path) -> Run:
    """The finished run with the best test score; where none has one, with the best epoch. Of equals the newest.

    Raises:
        RunError: No finished run has the metric, or nobody knows whether more or less of it is better.
    """
    from nnrun.store.listing import list_records
    from nnrun.store.values import better, map_at, number_of

    finished = [record for record in list_records(runs) if record.state == "finished"]
    for place in ("test", "best"):
        values = [(number_of(map_at(record.result, place).get(metric)), record.run) for record in finished]
        known = [(value, run) for value, run in values if value is not None and value == value]
        side = better(metric)
        if known and side is None:
            raise RunError(
                f"nobody knows whether more or less of {metric!r} is better; sort the runs by it and name one: "
                f"nnrun ls --sort={place}.{metric}"
            )
        if known:
            return (min if side == "min" else max)(known, key=lambda pair: pair[0])[1]
    metrics = sorted({str(name) for record in finished for name in map_at(record.result, "final")} - FIGURES)
    has = f"they have {listed(metrics)}" if metrics else f"there is no finished run in {runs}"
    raise RunError(f"no finished run has the metric {metric!r}; {has}")
