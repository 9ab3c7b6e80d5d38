"""Many processes at once: one of them writes to a run, each makes a run of its own, and none is ever in the way."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

import pytest

from nnrun.store import lock, runs
from nnrun.store.durable import FileSystem
from nnrun.store.run import Run
from nnrun.store.runs import create_run, find_run, list_runs

PROCESSES = 8
ROUNDS = 100
EACH = 25

WORKER = """
import sys
from pathlib import Path
from nnrun.errors import RunInUseError
from nnrun.store import lock
from nnrun.store.run import Run

lock.PATIENCE_SECONDS = 0.0
run = Run(Path(sys.argv[1]))
print("ready", flush=True)
for line in sys.stdin:
    try:
        with run.lock():
            run.append_row({"epoch": int(line)})
            print("won", flush=True)
            sys.stdin.readline()  # hold it until all the others have tried
    except RunInUseError:
        print("in use", flush=True)
        sys.stdin.readline()
    print("done", flush=True)
"""


@contextlib.contextmanager
def workers(program: str, *arguments: str, count: int = PROCESSES) -> Iterator[list[subprocess.Popen[str]]]:
    """Processes that run a program, and are ready."""
    started = [
        subprocess.Popen(
            [sys.executable, "-c", program, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
        )
        for _ in range(count)
    ]
    try:
        assert ask(started, None) == ["ready"] * count
        yield started
    finally:
        for process in started:
            process.kill()
            process.communicate()


def ask(processes: list[subprocess.Popen[str]], line: str | None) -> list[str]:
    """Tell all of them something, then hear what each says."""
    for process in processes:
        if line is not None and process.stdin:
            process.stdin.write(f"{line}\n")
            process.stdin.flush()
    return [process.stdout.readline().strip() if process.stdout else "" for process in processes]


def make_run(folder: Path) -> Run:
    made = create_run(folder, "run", now=datetime(2026, 1, 1))
    made.write_facts({})
    return made


def compete(run: Run, program: str = WORKER) -> list[int]:
    """How many won in each round."""
    with workers(program, str(run.path)) as processes:
        won = []
        for number in range(1, ROUNDS + 1):
            answers = ask(processes, str(number))
            assert set(answers) <= {"won", "in use"}
            won.append(answers.count("won"))
            ask(processes, "release")
    return won


def test_one_of_eight_processes_writes_to_a_run_each_time(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = make_run(tmp_path)

    won = compete(run)

    with capsys.disabled():
        print(f"\n{PROCESSES * ROUNDS} starts on one run tried, {sum(count != 1 for count in won)} failures")
    assert won == [1] * ROUNDS
    assert [row["epoch"] for row in run.rows()] == list(range(1, ROUNDS + 1))
    assert run.status() == "interrupted"


def test_planted_mistake_of_a_lock_that_is_only_a_file_is_found(tmp_path: Path) -> None:
    broken = (
        "import contextlib, time\n@contextlib.contextmanager\ndef hold(path):\n"
        "    if path.exists(): raise RunInUseError('in use')\n"
        "    time.sleep(0.01); path.touch()\n    try: yield\n    finally: path.unlink(missing_ok=True)\n"
    )
    program = WORKER.replace("run = Run(", f"{broken}lock.hold = hold\nrun = Run(")

    with pytest.raises(AssertionError):  # two of them won, or a row is lost, or one died of the other
        assert compete(make_run(tmp_path), program) == [1] * ROUNDS


HOLDER = """
import os, sys, time
from pathlib import Path
from nnrun.store.run import Run

run = Run(Path(sys.argv[1]))
with run.lock():  # everything is imported
    pass
print("ready", flush=True)
for line in sys.stdin:
    child = os.fork()
    if child == 0:
        with run.lock():
            run.append_row({"epoch": int(line)})
            print(os.getpid(), flush=True)
            time.sleep(60)
    os.waitpid(child, 0)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the holders are started by fork")
def test_killed_holder_never_keeps_the_next_one_out(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    with workers(HOLDER, str(run.path), count=1) as processes:
        for number in range(1, ROUNDS + 1):
            (holder,) = ask(processes, str(number))
            assert run.status() == "running"
            os.kill(int(holder), signal.SIGKILL)
    with run.lock():
        assert len(run.rows()) == ROUNDS


MAKER = """
import sys
from datetime import datetime
from pathlib import Path
from nnrun.store.runs import create_run
print("ready", flush=True)
sys.stdin.readline()
for _ in range(int(sys.argv[2])):
    made = create_run(Path(sys.argv[1]), "run", now=datetime(2026, 1, 1))
    made.write_facts({"name": "run"})
    print(made.id, made.sequence, flush=True)
print("done", flush=True)
"""


def make_at_once(folder: Path, program: str = MAKER) -> list[list[tuple[str, int]]]:
    """The runs that each of eight processes made, in order."""
    made: list[list[tuple[str, int]]] = [[] for _ in range(PROCESSES)]
    with workers(program, str(folder), str(EACH)) as processes:
        answers = ask(processes, "go")
        for _ in range(EACH):
            for own, answer in zip(made, answers, strict=True):
                name, number = answer.split()
                own.append((name, int(number)))
            answers = ask(processes, None)
    return made


def test_runs_made_at_once_are_distinct_and_numbered_in_order(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = make_at_once(tmp_path)

    names = [name for own in made for name, _ in own]
    numbers = [number for own in made for _, number in own]
    with capsys.disabled():
        print(
            f"\n{len(names)} runs made at once by {PROCESSES} processes, {len(names) - len(set(names))} failures"
        )
    assert len(names) == len(set(names)) == EACH * PROCESSES
    assert sorted(numbers) == list(range(1, len(names) + 1))
    assert all(own == sorted(own, key=lambda one: one[1]) for own in made)
    by_number = [name for name, _ in sorted((one for own in made for one in own), key=lambda one: one[1])]
    assert [run.id for run in list_runs(tmp_path)] == by_number


@pytest.mark.parametrize("mistake", ["the folder is not claimed", "the number is not locked"])
def test_planted_mistake_in_making_runs_is_found(mistake: str, tmp_path: Path) -> None:
    planted = {
        "the folder is not claimed": "from nnrun.store import durable\n"
        "durable.FileSystem.make_folder = lambda self, folder: folder.mkdir(exist_ok=True)\n",
        "the number is not locked": "import contextlib, filelock\n"
        "filelock.FileLock = lambda *arguments, **options: contextlib.nullcontext()\n",
    }
    made = make_at_once(tmp_path, MAKER.replace('print("ready"', planted[mistake] + 'print("ready"', 1))
    names = [name for own in made for name, _ in own]
    numbers = [number for own in made for _, number in own]
    assert len(set(names)) < len(names) or len(set(numbers)) < len(numbers)


CLOCKS = [
    datetime(2026, 1, 1),
    datetime(2025, 1, 1),
    datetime(1970, 1, 1),
    datetime(2106, 2, 7),
    datetime(2026, 1, 1),
]


def test_latest_is_the_last_that_was_made_whatever_the_clock_says(tmp_path: Path) -> None:
    made = []
    for now in CLOCKS:
        made.append(create_run(tmp_path, "run", now=now))
        made[-1].write_facts({})
        os.utime(made[-1].path / "run.json", (now.timestamp(), now.timestamp()))
        os.utime(made[-1].path, (now.timestamp(), now.timestamp()))
        assert find_run("latest", tmp_path) == made[-1]
    assert list_runs(tmp_path) == made


def by_time_of_change(run: Run) -> int:
    return (run.path / "run.json").stat().st_mtime_ns


def by_name(run: Run) -> int:
    return int("".join(filter(str.isdigit, run.id))[:14])


@pytest.mark.parametrize("order", [by_time_of_change, by_name], ids=lambda order: order.__name__)
def test_planted_mistake_of_ordering_by_a_clock_is_found(
    order: Callable[[Run], int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runs, "_sequence", order)

    with pytest.raises(AssertionError):
        test_latest_is_the_last_that_was_made_whatever_the_clock_says(tmp_path)


def test_note_beside_a_lock_is_never_written_through_a_link(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    outside = tmp_path / "outside"
    outside.write_text("mine")
    (run.path / "lock.json").symlink_to(outside)

    with run.lock():
        assert f'"pid": {os.getpid()}' in (run.path / "lock.json").read_text()

    assert outside.read_text() == "mine"
    assert not (run.path / "lock.json").exists()


def test_file_is_only_made_anew(tmp_path: Path) -> None:
    (tmp_path / "there").write_text("mine")

    with pytest.raises(FileExistsError):
        FileSystem().open_new(tmp_path / "there")

    assert (tmp_path / "there").read_text() == "mine"


def test_lock_that_may_not_be_opened_is_held_by_nobody_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_run(tmp_path)
    (run.path / "lock").touch()

    def refuse(*arguments: object, **options: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("filelock.FileLock.acquire", refuse)

    assert not lock.is_held(run.path / "lock")
