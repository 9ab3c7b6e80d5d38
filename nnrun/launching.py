"""Several workers of one training on this machine: started together, and ended together."""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from types import FrameType
from typing import IO, Any

from nnrun.errors import ResourceError

GRACE_SECONDS = 30.0
"""How long the others may take to end by themselves when one has ended; losing a worker ends them in a second."""

POLL_SECONDS = 0.05
LAST_LINES = 5
STOPPED = (130, 143)
"""Exit codes of a training that a signal stopped in an orderly way."""

PARENT_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG of Linux's prctl


@dataclass
class Worker:
    """A process that trains with others.

    Args:
        index: Which of them; 0 is the chief, whose output is the training's.
        process: The process.
        said: What a helper printed; None for the chief.
    """

    index: int
    process: subprocess.Popen[bytes]
    said: IO[bytes] | None

    def last_words(self) -> str:
        """The last lines that a helper printed."""
        if self.said is None:
            return ""
        self.said.seek(0)
        lines = self.said.read().decode("utf-8", "replace").strip().splitlines()
        return "\n".join(lines[-LAST_LINES:])


def launch(arguments: Sequence[str], workers: int, tell: Callable[[str], None]) -> int:
    """Run a command of nnrun in several processes that train together.

    Args:
        arguments: ``train CONFIG ...`` or ``resume RUN ...``.
        workers: How many processes.
        tell: Is told which helper ended, and what it printed last, when one fails.

    Returns:
        The chief's exit code, or that of a helper that failed where the chief did not.
    """
    addresses = [f"127.0.0.1:{port}" for port in _free_ports(workers)]
    with contextlib.ExitStack() as stack:
        team = [_start(arguments, addresses, index, stack) for index in range(workers)]
        stack.enter_context(_forwarded_signals(team[0].process))
        stack.callback(_end, team)
        first = _wait_for_any(team)
        deadline = time.monotonic() + GRACE_SECONDS
        while any(one.process.poll() is None for one in team) and time.monotonic() < deadline:
            time.sleep(POLL_SECONDS)
        if first is not None and first.index and first.process.returncode not in STOPPED:
            tell(f"worker {first.index} {_how(first.process.returncode)}{_quoted(first.last_words())}")
        codes = [one.process.poll() for one in team]
    failed = [code for code in codes if code != 0]
    return _exit_code(failed[0]) if failed else 0


def _start(
    arguments: Sequence[str], addresses: Sequence[str], index: int, stack: contextlib.ExitStack
) -> Worker:
    config = {"cluster": {"worker": list(addresses)}, "task": {"type": "worker", "index": index}}
    share = max(1, (os.cpu_count() or 1) // len(addresses))
    environment = {
        "TF_NUM_INTRAOP_THREADS": str(share),  # of each: together they have what one would have alone
        **os.environ,
        "TF_CONFIG": json.dumps(config),
    }
    said = stack.enter_context(tempfile.TemporaryFile()) if index else None  # noqa: SIM115
    process = subprocess.Popen(  # noqa: S603
        [sys.executable, "-m", "nnrun", *arguments],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=said,
        stderr=said,
        preexec_fn=_stop_with_the_parent,
        process_group=0,  # Ctrl-C comes by way of this process: once for all, not once for each
    )
    return Worker(index, process, said)


def _stop_with_the_parent() -> None:
    """Ask the system for a SIGTERM when the launching process is killed: nobody else would stop this one."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PARENT_DEATH_SIGNAL, signal.SIGTERM)


def _wait_for_any(team: Sequence[Worker]) -> Worker | None:
    """The first worker that fails; None where all end well."""
    while True:
        codes = [one.process.poll() for one in team]
        failed = [one for one, code in zip(team, codes, strict=True) if code]
        if failed:
            return failed[0]
        if None not in codes:
            return None
        time.sleep(POLL_SECONDS)


def _end(team: Sequence[Worker]) -> None:
    for one in team:
        if one.process.poll() is None:
            one.process.kill()
        one.process.wait()


@contextlib.contextmanager
def _forwarded_signals(chief: subprocess.Popen[bytes]) -> Iterator[None]:
    """Hand signals on to the chief, which stops all workers at the same step."""

    def forward(number: int, frame: FrameType | None) -> None:
        if chief.poll() is None:
            chief.send_signal(number)

    before: dict[int, Any] = {
        number: signal.signal(number, forward) for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _free_ports(count: int) -> list[int]:
    """Ports that nobody listens at now."""
    try:
        with contextlib.ExitStack() as stack:
            servers = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
            return [int(server.getsockname()[1]) for server in servers]
    except OSError as error:
        raise ResourceError(f"no free ports for {count} workers: {error}") from error


def _how(code: int | None) -> str:
    if code is not None and code < 0:
        return f"was killed by signal {-code}"
    return f"ended with exit code {code}"


def _quoted(text: str) -> str:
    return f"; it said last:\n{text}" if text else ""


def _exit_code(code: int | None) -> int:
    """An exit code for this process; that of a killed one is as shells have it."""
    if code is None:
        return ResourceError.exit_code
    return 128 - code if code < 0 else code
