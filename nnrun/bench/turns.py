"""The comparison: sides in processes of their own that take turns."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from nnrun.bench.torch_sides import missing_package
from nnrun.bench.work import FIT, FIT_32, LIGHTNING, NNRUN, TORCH, Side, Work
from nnrun.errors import BUG_EXIT_CODE, NnrunError, ResourceError
from nnrun.machine.interpreter import module_command, module_environment

PACE_STEPS = 40
"""Steps in each of the two epochs that tell the pace of ``fit``; the first one compiles."""

EPOCH_SECONDS = 2.5
"""An epoch of ``fit`` is cut to so many seconds."""

ROUND_SECONDS = 4.0
"""So many seconds ``fit`` trains in a round, besides its first epoch."""

MOST_EPOCHS = 100
AGREEMENT_EPOCHS = 2

Notify = Callable[[str], None]


@dataclass
class Process:
    """A side in a process of its own."""

    side: Side
    popen: subprocess.Popen[str]

    @classmethod
    def start(cls, side: Side) -> Process:
        """Start it; it imports TensorFlow while it waits."""
        popen = subprocess.Popen(  # noqa: S603  (this Python, and a module of nnrun)
            module_command("nnrun.bench.worker"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            encoding="utf-8",
            env=module_environment(),
        )
        return cls(side, popen)

    def ask(self, question: dict[str, Any]) -> None:
        """Ask, without waiting for the answer."""
        if self.popen.stdin is None:
            raise ValueError("it was started without an input")
        with contextlib.suppress(BrokenPipeError):  # the missing answer tells
            self.popen.stdin.write(json.dumps(question) + "\n")
            self.popen.stdin.flush()

    def answer(self) -> dict[str, Any]:
        """Wait for the answer.

        Raises:
            NnrunError: What the process said.
            ResourceError: It died.
        """
        if self.popen.stdout is None:
            raise ValueError("it was started without an output")
        line = self.popen.stdout.readline()
        if not line:
            raise ResourceError(f"the process of '{self.side.label}' {_how_it_ended(self.popen.wait())}")
        found: dict[str, Any] = json.loads(line)
        if "failed" in found and found["exit_code"] == BUG_EXIT_CODE:
            raise RuntimeError(f"'{self.side.label}' failed: {found['failed']}")
        if "failed" in found:
            error = NnrunError(found["failed"])
            error.exit_code = found["exit_code"]
            raise error
        return found

    def get(self, question: dict[str, Any]) -> dict[str, Any]:
        """Ask and wait."""
        self.ask(question)
        return self.answer()

    def train(self, work: Work) -> dict[str, Any]:
        """Train once: the fields of a ``Turn``."""
        return self.get({"side": asdict(self.side), "turn": asdict(work)})

    def stop(self) -> None:
        """End it, whatever it does."""
        self.popen.kill()
        self.popen.communicate()


def _how_it_ended(status: int) -> str:
    if status == -getattr(signal, "SIGKILL", 9):
        return "was killed; the machine may be short of memory: use fewer --examples"
    if status < 0:
        return f"was ended by signal {-status}"
    return f"ended with status {status} and said nothing"


@dataclass(frozen=True)
class Wish:
    """What to compare.

    Args:
        config: A specification.
        overrides: ``a.b=VALUE`` and ``~a.b``.
        code: A Python file whose parts it names.
        rounds: How often each side takes its turn.
        epochs: Of a turn; None: by the pace of ``fit``.
        examples: Of an epoch, from the first on; None: by the pace of ``fit``.
    """

    config: Path
    overrides: Sequence[str] = ()
    code: Path | None = None
    rounds: int = 3
    epochs: int | None = None
    examples: int | None = None


@dataclass
class Measured:
    """What was measured.

    Args:
        facts: What was trained, as nnrun's side tells it, with ``trained_examples`` and ``epochs``.
        first_steps: Of each side by its label: seconds from the loaded data to the end of the first step.
        agreement: Of each side the turn without shuffling that is compared.
        rounds: Of each round the turn of each side.
        peaks: Of each round the rate of a matrix product, in floating point operations a second.
        memory: Of each side the most bytes that it held until the end of the first round.
        absent: Why sides do not take part that are installed.
    """

    facts: dict[str, Any]
    first_steps: dict[str, float] = field(default_factory=dict)
    agreement: dict[str, dict[str, Any]] = field(default_factory=dict)
    rounds: list[dict[str, dict[str, Any]]] = field(default_factory=list)
    peaks: list[float] = field(default_factory=list)
    memory: dict[str, int | None] = field(default_factory=dict)
    absent: dict[str, str] = field(default_factory=dict)


def compare(wish: Wish, notify: Notify) -> Measured:
    """Train the same by all sides, in turns.

    Args:
        wish: What to compare.
        notify: Is told what goes on.

    Raises:
        NnrunError: The specification cannot be trained, its data is streamed, or a process died.
    """
    with contextlib.ExitStack() as stack:
        notify("starting: importing TensorFlow, loading the data")
        sides, facts, absent = _start(wish, stack)
        found = Measured(facts, absent=absent)
        everything = Work(facts["examples"], 1, facts["shuffle"], only_first_step=True)
        for one in sides:
            notify(f"first step: {one.side.label}")
            found.first_steps[one.side.label] = one.train(everything)["first_step"]
        work = _size(wish, facts, sides[0], notify)
        facts |= {"trained_examples": work.examples, "epochs": work.epochs}
        for one in sides:
            notify(f"comparing the numbers: {one.side.label}")
            same = replace(work, epochs=AGREEMENT_EPOCHS, shuffle=False)
            found.agreement[one.side.label] = one.train(same)
        for number in range(wish.rounds):
            found.rounds.append({})
            for one in sides:
                notify(f"round {number + 1} of {wish.rounds}: {one.side.label}")
                found.rounds[-1][one.side.label] = one.train(work)
            if not found.memory:  # before the matrix product takes some
                found.memory = {one.side.label: one.get({"memory": True})["memory"] for one in sides}
            found.peaks.append(sides[-1].get({"peak": True})["peak"])
        return found


def _start(wish: Wish, stack: contextlib.ExitStack) -> tuple[list[Process], dict[str, Any], dict[str, str]]:
    """Start a process for each side; ``fit`` is the first, nnrun the last.

    ``fit`` takes part as Keras compiles it, and, where nnrun chooses otherwise, as nnrun compiles it as well. PyTorch
    and Lightning take part where they are installed and the network can be translated; else it is told why not.
    """
    code = str(wish.code) if wish.code else None
    specification = {"config": str(wish.config), "overrides": list(wish.overrides), "code": code}

    def begin(side: Side, begun: dict[str, Any]) -> Process:
        process = Process.start(side)
        stack.callback(process.stop)
        process.ask({"program": side.program, **begun})
        return process

    nnrun, *fits = [begin(side, specification) for side in (NNRUN, FIT, FIT_32)]
    facts = nnrun.answer()
    nnrun.side = replace(NNRUN, jit_compile=facts["jit_compile"])
    jit = facts["jit_compile"]
    if jit != facts["jit_compile_of_keras"]:
        name = "fit XLA" if jit else "fit no XLA"
        same = [
            Side(name, jit_compile=jit),
            Side(f"{name}, 32 steps", jit_compile=jit, steps_per_execution=32),
        ]
        fits += [begin(side, specification) for side in same]
    for process in fits:
        process.answer()
    others, absent = _start_others(nnrun, facts, begin, stack)
    return [*fits, *others, nnrun], facts, absent


def _start_others(
    nnrun: Process, facts: dict[str, Any], begin: Callable[..., Process], stack: contextlib.ExitStack
) -> tuple[list[Process], dict[str, str]]:
    """Start the sides of PyTorch that are installed, with the weights that nnrun begins with."""
    wanted = [side for side in (TORCH, LIGHTNING) if missing_package(side.program) is None]
    if not wanted:
        return [], {}
    folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="nnrun-bench-"))
    arrays = str(Path(folder) / "arrays.npz")
    described = nnrun.get({"describe": arrays})
    if "absent" in described:
        return [], {side.label: described["absent"] for side in wanted}
    started = [begin(side, {**described, "arrays": arrays}) for side in wanted]
    others, absent = [], {}
    for process in started:
        answer = process.answer()
        if "absent" in answer:
            absent[process.side.label] = answer["absent"]
        else:
            facts["versions"] |= answer["versions"]
            others.append(process)
    return others, absent


def _size(wish: Wish, facts: dict[str, Any], fit: Process, notify: Notify) -> Work:
    """How much to train in a turn, so that a round takes seconds: by the pace of ``fit``."""
    batch, count = facts["batch_size"], min(wish.examples or facts["examples"], facts["examples"])
    work = Work(count, wish.epochs or 0, facts["shuffle"])
    if wish.epochs and wish.examples:
        return work
    notify("finding the pace")
    few = min(count, PACE_STEPS * batch)
    pace = fit.train(Work(few, 2, facts["shuffle"]))["seconds"][1] / few  # seconds for an example
    if not wish.examples:
        steps = max(1, int(EPOCH_SECONDS / (pace * batch)))
        work = replace(work, examples=min(count, steps * batch))
    if not wish.epochs:
        epochs = 1 + min(MOST_EPOCHS, max(2, round(ROUND_SECONDS / (pace * work.examples))))
        work = replace(work, epochs=epochs)
    return work
