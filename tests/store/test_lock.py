"""One writer for a run, and none that outlives its process."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from nnrun.errors import RunInUseError
from nnrun.store import lock

HOLDER = """
import sys
from pathlib import Path
from nnrun.store import lock
with lock.hold(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "run").mkdir()
    return tmp_path / "run" / "lock"


def start_holder(path: Path) -> subprocess.Popen[str]:
    """A process that holds the lock until it is killed."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout
    assert process.stdout.readline() == "held\n"
    return process


def test_second_holder_is_told_who_the_first_is(path: Path) -> None:
    process = start_holder(path)
    try:
        assert lock.is_held(path)
        with (
            pytest.raises(
                RunInUseError, match=rf"run is in use by process {process.pid} on \S+; wait for it"
            ),
            lock.hold(path),
        ):
            pass
    finally:
        process.kill()
        process.communicate()


def test_killed_holder_frees_the_lock(path: Path) -> None:
    process = start_holder(path)
    process.kill()
    process.communicate()

    assert not lock.is_held(path)
    with lock.hold(path):
        assert lock.is_held(path)
    assert not lock.is_held(path)


def test_looking_at_a_lock_creates_nothing(path: Path) -> None:
    assert not lock.is_held(path)
    assert list(path.parent.iterdir()) == []


def test_wrong_words_about_the_holder_do_no_harm(path: Path) -> None:
    process = start_holder(path)
    try:
        (path.parent / "lock.json").write_text('{"pid": "\\u001b[2J"}')
        with pytest.raises(RunInUseError, match=r"run is in use; wait for it"), lock.hold(path):
            pass
    finally:
        process.kill()
        process.communicate()


def test_somebody_who_looks_does_not_keep_a_writer_out(path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from nnrun.store import lock\n"
        "print('looking', flush=True)\n"
        "while True: lock.is_held(Path(sys.argv[1]))"
    )
    path.touch()
    looker = subprocess.Popen([sys.executable, "-c", program, str(path)], stdout=subprocess.PIPE, text=True)
    try:
        assert looker.stdout
        looker.stdout.readline()
        for _ in range(100):
            with lock.hold(path):
                pass
    finally:
        looker.kill()
        looker.communicate()
