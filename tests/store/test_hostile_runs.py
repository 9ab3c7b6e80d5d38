"""A run that a stranger made is refused or read, and neither runs code, nor waits, nor writes outside of itself.

All cases are tried in one process of limited memory, which an audit hook watches: everything that nnrun reads of runs
is read, and what a training that goes on writes is written.
"""

from __future__ import annotations

import collections
import contextlib
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from store.hostile_files import ARRAYS, HEADER_FIELDS, ODD_TEXTS, cases, whole_run

from nnrun.errors import NnrunError
from nnrun.store.run import Run
from nnrun.store.runs import create_run, find_run, list_runs

SECONDS = 1.0
MEMORY_BYTES = 1500 << 20
LEAST = 1000


READERS: dict[str, Callable[[Run], Any]] = {
    "facts": Run.facts,
    "configuration": lambda run: run.config_path,
    "status": Run.status,
    "rows": Run.rows,
    "resumes": Run.resumes,
    "result": Run.result,
    "divergence": Run.divergence,
    "newest": lambda run: run.checkpoints.newest(),
    "model": lambda run: run.checkpoints.read_model(),
}


def use(runs: Path) -> Iterator[tuple[str, Callable[[], Any]]]:
    """All that is done with a run, reading first."""
    yield "list", lambda: list_runs(runs)
    yield "latest", lambda: find_run("latest", runs)
    for path in sorted(path for path in runs.iterdir() if not path.name.startswith(".seq")):
        opened = Run(path)
        yield "find", lambda path=path: find_run(path.name, runs)
        for name, read in READERS.items():
            yield name, lambda read=read, opened=opened: read(opened)
        yield "go on", lambda opened=opened: go_on(opened)
        yield "evaluation", lambda opened=opened: opened.write_evaluation("test", "scores.json", {})
        yield "code", lambda opened=opened: opened.write_code("code.py", "x = 1\n")
    yield "new run", lambda: create_run(runs, "run", now=datetime(2026, 1, 1))


def go_on(opened: Run) -> None:
    """What a training that goes on asks of the store, each thing whatever becomes of the others."""
    with opened.lock():
        steps: list[Callable[[], Any]] = [
            lambda: opened.cut_rows(1),
            opened.remove_result,
            opened.remove_divergence,
            lambda: opened.append_resume({"epoch": 1}),
            lambda: opened.append_row({"epoch": 2}),
            lambda: opened.log("line"),
            opened.sync_rows,
            lambda: opened.checkpoints.write(opened.checkpoints.next_sequence(), HEADER_FIELDS, ARRAYS),
            lambda: opened.checkpoints.write_best(HEADER_FIELDS, ARRAYS),
            lambda: opened.write_config("name: run\n"),
            lambda: opened.write_model(lambda path: path.write_bytes(b"model") and None),
            lambda: opened.write_divergence({}),
            lambda: opened.write_result({"epochs": 2}),
        ]
        for step in steps:
            with contextlib.suppress(NnrunError):
                step()


FORBIDDEN = (
    "exec", "compile", "import", "pickle.find_class", "marshal.loads", "os.system", "os.exec", "os.fork",
    "os.posix_spawn",    "subprocess.Popen", "socket.connect", "ctypes.dlopen", "shutil.rmtree",
)  # fmt: skip
CHANGING = (
    "os.remove",
    "os.rename",
    "os.mkdir",
    "os.rmdir",
    "os.truncate",
    "os.symlink",
    "os.link",
    "os.chmod",
)


class Watch:
    """Sees what the interpreter does, while it is asked to look.

    Args:
        runs: The folder in which all that is written must lie.
    """

    def __init__(self, runs: Path) -> None:
        self.runs = str(runs)
        self.seen: list[str] = []
        self.looking = False
        sys.addaudithook(self._hook)

    def _hook(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self.looking:
            return
        if event in FORBIDDEN:
            self.seen.append(f"{event} {str(arguments)[:80]}")
        elif event == "open":
            path, _, flags = arguments
            writes = flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND)
            if writes and not isinstance(path, int):
                self._check(event, path)
        elif event in CHANGING:
            self._check(event, arguments[0])

    def _check(self, event: str, path: Any) -> None:
        folder = str(Path(os.fsdecode(path)).parent.resolve())
        if f"{folder}/".startswith(f"{self.runs}/") or path == self.runs:
            return
        self.seen.append(f"{event} {os.fsdecode(path)!r} in {folder}")


class TookTooLong(BaseException):
    """More than a second."""


def _too_long(*_: Any) -> None:
    raise TookTooLong


def try_all(root: Path) -> dict[str, Any]:
    """Try every case; in a process of its own."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    signal.signal(signal.SIGALRM, _too_long)
    warnings.simplefilter("ignore")
    root = root.resolve()
    runs, template, outside = root / "runs", root / "template", root / "outside.txt"
    (root / "outside").mkdir()
    whole_run(template)
    for text in ODD_TEXTS:  # everything that is imported is imported now
        with contextlib.suppress(ValueError, RecursionError):
            json.loads(text)
    np.dtype(ml_dtypes.bfloat16)
    for _, action in use(template):
        with contextlib.suppress(NnrunError):
            action()
    shutil.rmtree(template)
    whole_run(template)
    watch = Watch(runs)
    failures, ends = [], collections.Counter[str]()
    tried = 0
    for name, build in cases():
        shutil.rmtree(runs, ignore_errors=True)
        shutil.copytree(template, runs)
        outside.write_bytes(b"untouched")
        build(next(path for path in runs.iterdir() if path.is_dir()))
        tried += 1
        for what, action in list(use(runs)):
            outcome = attempt(action, watch)
            ends[outcome.partition(":")[0]] += 1
            if not outcome.startswith(("read", "refused")):
                failures.append(f"{name}, {what}: {outcome}")
            failures += [f"{name}, {what}: {event}" for event in watch.seen]
            watch.seen.clear()
        if outside.read_bytes() != b"untouched" or list((root / "outside").iterdir()):
            failures.append(f"{name}: something was written outside of the runs")
            shutil.rmtree(root / "outside")
            (root / "outside").mkdir()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"tried": tried, "failures": failures, "ends": ends, "peak": peak}


def attempt(action: Callable[[], Any], watch: Watch) -> str:
    """Do one thing with a run and say how it ended."""
    began = time.process_time()  # of this process alone: others may keep the machine busy
    try:
        signal.setitimer(signal.ITIMER_REAL, 5 * SECONDS)
        watch.looking = True
        action()
    except NnrunError as error:
        outcome = f"refused: {error}"
    except TookTooLong:
        outcome = "waited"
    except BaseException as error:
        outcome = f"{type(error).__name__}: {error}"
    else:
        outcome = "read"
    finally:
        watch.looking = False
        signal.setitimer(signal.ITIMER_REAL, 0)
    took = time.process_time() - began
    return outcome if took < SECONDS else f"took {took:.1f} s: {outcome}"


def test_no_run_of_a_stranger_does_harm(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as folder:
        done = subprocess.run(
            [sys.executable, __file__, folder],
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
            env={**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[1]), *sys.path])},
        )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)

    with capsys.disabled():
        print(
            f"\n{found['tried']:,} hostile runs tried, {len(found['failures'])} failures; "
            f"{found['peak']:.0f} MB at most"
        )
    assert found["failures"] == []
    assert found["tried"] >= LEAST
    assert not Path("/tmp/nnrun-was-here").exists()
    assert found["ends"]["refused"] > 300


if __name__ == "__main__":
    print(json.dumps(try_all(Path(sys.argv[1]))))
