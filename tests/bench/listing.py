"""How long `nnrun ls` takes with thousands of runs, and how much memory: ``python tests/bench/listing.py [COUNT]``.

One real run is trained and its small files are copied, with other settings and scores in each copy. Then the command
itself is timed, in processes of its own: without an index, with one, and with one after a single run has changed.
"""

from __future__ import annotations

import json
import os
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from nnrun.store.listing import list_records

REPOSITORY = Path(__file__).parents[2]
UNFINISHED = 20
"""Every how manieth copy has no result."""

WARM = 5
"""How often the warm command is timed."""


def train_one(runs: Path) -> Path:
    """A real run."""
    command = [
        sys.executable,
        "-m",
        "nnrun",
        "train",
        "configs/tiny/xor.yaml",
        "training.epochs=20",
        "--quiet",
    ]
    done = subprocess.run(
        [*command, "--runs-dir", str(runs)], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    return Path(done.stdout.strip())


def copy_runs(original: Path, runs: Path, count: int) -> None:
    """Copies of a run's small files that differ as the runs of a search do."""
    chance = random.Random(7)
    config, facts, result = (
        (original / name).read_text("utf-8") for name in ("config.yaml", "run.json", "result.json")
    )
    rows = (original / "metrics.jsonl").read_bytes()
    for number in range(1, count + 1):
        folder = runs / f"search-20260101-{number:06d}"
        folder.mkdir(parents=True)
        rate, units, loss = chance.choice((0.1, 0.01, 0.001)), chance.choice((4, 8, 16)), chance.random()
        text = config.replace("learning_rate: 0.1", f"learning_rate: {rate}").replace(
            "units: 8", f"units: {units}"
        )
        (folder / "config.yaml").write_text(text.replace("seed: 7", f"seed: {number}"), "utf-8")
        (folder / "run.json").write_text(json.dumps(json.loads(facts) | {"sequence": number, "seed": number}))
        (folder / "metrics.jsonl").write_bytes(rows)
        (folder / "lock").touch()
        if number % UNFINISHED:
            found = json.loads(result)
            found["best"]["loss"] = loss
            found["test"] = {"loss": loss, "accuracy": 1 - loss}
            (folder / "result.json").write_text(json.dumps(found))
    settled = time.time() - 60
    for path in runs.rglob("*"):
        os.utime(path, (settled, settled))


def timed(*arguments: str) -> tuple[float, float]:
    """Seconds and megabytes of a command in a process of its own."""
    started = time.perf_counter()
    child = subprocess.Popen(
        [sys.executable, "-m", "nnrun", "ls", *arguments],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    _, status, used = os.wait4(child.pid, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    return time.perf_counter() - started, used.ru_maxrss / 1000


def report(what: str, measured: list[tuple[float, float]]) -> None:
    """The median of the seconds and the greatest size."""
    seconds = sorted(pair[0] for pair in measured)[len(measured) // 2]
    print(f"{what:50} {seconds:6.2f} s {max(pair[1] for pair in measured):6.0f} MB", flush=True)


def main(count: int) -> None:
    """Make the runs and time the commands."""
    folder = Path(tempfile.mkdtemp(prefix="nnrun-listing-"))
    try:
        runs = folder / "runs"
        copy_runs(train_one(folder / "one"), runs, count)
        here = ("--runs-dir", str(runs))
        report(f"{count:,} runs, no index", [timed("--first", "30", *here)])
        report("with the index: --first 30", [timed("--first", "30", *here) for _ in range(WARM)])
        report("with the index: all", [timed(*here) for _ in range(WARM)])
        report("with the index: --json", [timed("--json", *here) for _ in range(WARM)])
        asked = ("--where", "training.learning_rate<0.05", "--sort", "-test.accuracy", "--first", "30")
        report("with the index: --where ... --sort ...", [timed(*asked, *here) for _ in range(WARM)])
        (runs / "search-20260101-000001" / "labels.json").write_text(
            '{"format": 1, "tags": ["x"], "note": ""}'
        )
        report("with the index: one run has changed", [timed("--first", "30", *here)])
        print(
            f"the index has {(runs / '.index.jsonl').stat().st_size / 1e6:.1f} MB; {len(list_records(runs)):,} runs"
        )
        print(f"this machine: {os.cpu_count()} cores, {resource.getpagesize()} bytes a page")
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5000)
