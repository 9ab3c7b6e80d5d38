"""The real command in processes of its own, without the seconds that importing TensorFlow takes in each of them.

One process imports TensorFlow, runs nothing in it, and forks for each command; a command gets its own folder, output
and signals, and ends as ``nnrun`` ends. ``python tests/commands.py`` is that process.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

PATIENCE_SECONDS = 60.0


@dataclass(frozen=True)
class Done:
    """How a command ended.

    Args:
        code: Its exit code; minus the number of the signal that ended it.
        output: What it wrote to standard output.
        messages: What it wrote to standard error.
    """

    code: int
    output: str
    messages: str


@dataclass
class Command:
    """A command that runs.

    Args:
        starter: The process that started it.
        process: Its number.
        files: Where its output and its messages go.
    """

    starter: subprocess.Popen[str]
    process: int
    files: tuple[Path, Path]

    def send(self, number: int) -> None:
        os.kill(self.process, number)

    def messages(self) -> str:
        return self.files[1].read_text("utf-8", "replace")

    def await_that(self, holds: Callable[[], bool]) -> None:
        """Wait until something is so."""
        end = time.monotonic() + PATIENCE_SECONDS
        while not holds():
            assert time.monotonic() < end, f"waited in vain: {self.messages()}"
            time.sleep(0.005)

    def end(self) -> Done:
        """Wait for its end."""
        assert self.starter.stdout
        status = int(self.starter.stdout.readline())
        code = os.waitstatus_to_exitcode(status)
        output = "" if self.files[0].is_fifo() else self.files[0].read_text("utf-8", "replace")
        return Done(code, output, self.messages())


class Starter:
    """Starts commands, one at a time.

    Args:
        folder: For what they write to their outputs.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._count = 0
        self._process = subprocess.Popen(
            [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )
        assert self._process.stdout
        assert self._process.stdout.readline() == "ready\n"

    def start(
        self,
        *arguments: str,
        cwd: Path,
        output: Path | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> Command:
        """Start ``nnrun`` with arguments in a folder; ``output`` may be a named pipe that is read."""
        self._count += 1
        files = (output or self._folder / f"{self._count}.out", self._folder / f"{self._count}.err")
        wanted = {
            "arguments": arguments,
            "cwd": str(cwd),
            "files": [str(file) for file in files],
            "environment": dict(environment or {}),
        }
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps(wanted) + "\n")
        return Command(self._process, int(self._process.stdout.readline()), files)

    def run(self, *arguments: str, cwd: Path, environment: Mapping[str, str] | None = None) -> Done:
        """Run ``nnrun`` to its end."""
        return self.start(*arguments, cwd=cwd, environment=environment).end()

    def close(self) -> None:
        self._process.kill()
        self._process.communicate()


def _serve() -> None:
    from nnrun import keras_backend

    keras_backend.load_tensorflow()
    import nnrun.experiment
    import nnrun.training.prepared  # noqa: F401

    print("ready", flush=True)
    for line in sys.stdin:
        wanted = json.loads(line)
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            os.environ.update(wanted["environment"])
            _become(wanted["arguments"], Path(wanted["cwd"]), wanted["files"], writing)
        os.close(writing)
        os.read(reading, 1)  # it has its folder and its outputs
        os.close(reading)
        print(child, flush=True)
        print(os.waitpid(child, 0)[1], flush=True)


def _become(arguments: list[str], cwd: Path, files: list[str], ready: int) -> None:
    """Be the command: its folder, its descriptors, its streams."""
    from nnrun import keras_backend
    from nnrun.cli.app import main

    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.chdir(cwd)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    if any(Path(file).is_fifo() for file in files):
        os.close(ready)  # who started it must read, before it can be opened
    for descriptor, file in enumerate(files, 1):
        os.dup2(os.open(file, os.O_WRONLY | os.O_CREAT, 0o644), descriptor)
    sys.stdout = sys.__stdout__ = os.fdopen(1, "w", encoding="utf-8", closefd=False)
    sys.stderr = sys.__stderr__ = os.fdopen(2, "w", encoding="utf-8", closefd=False, buffering=1)
    keras_backend._terminal = None
    keras_backend.divert_native_noise(None)
    sys.argv = ["nnrun", *arguments]
    code: object = 70
    with contextlib.suppress(OSError):
        os.close(ready)
    try:
        main()
    except SystemExit as end:
        code = end.code
    except BaseException as error:
        print(f"escaped: {error!r}", file=sys.stderr)
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os._exit(code if isinstance(code, int) else 0 if code is None else 1)


if __name__ == "__main__":
    _serve()
