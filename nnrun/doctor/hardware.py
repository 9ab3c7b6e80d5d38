"""Findings on the machine: processor, cores, memory."""

from __future__ import annotations

import math
import platform
from collections.abc import Iterator

from nnrun.doctor.finding import Finding, note, ok
from nnrun.machine.system import System

LEAST_MEMORY = 1 << 30
"""Bytes: TensorFlow itself takes about half of it."""


def hardware_findings(system: System) -> Iterator[Finding]:
    """What the system tells of the machine."""
    yield from _processor(system)
    yield from _cores(system)
    yield from _memory(system)


def _processor(system: System) -> Iterator[Finding]:
    features = system.features()
    yield ok("processor", ", ".join([system.processor(), *features]))
    is_x86 = platform.machine().lower() in ("x86_64", "amd64")
    if is_x86 and features and "AVX2" not in features:
        yield note("processor", "it has no AVX2: training is several times slower than on a newer one")


def _cores(system: System) -> Iterator[Finding]:
    cores, usable, quota = system.cores(), system.usable_cores(), system.quota()
    words = f"{cores} core{'s' if cores > 1 else ''}"
    if usable < cores:
        words += f", of which this process may use {usable}"
    if quota is None or quota >= usable:
        yield ok("cores", words)
        return
    threads = max(1, math.ceil(quota))
    yield note(
        "cores",
        f"{words}; a container's limit allows the time of {quota:g}, and TensorFlow starts {usable} threads",
        f"set runtime.threads={threads}",
    )


def _memory(system: System) -> Iterator[Finding]:
    total, available, limit = system.memory(), system.available_memory(), system.memory_limit()
    if total is None:
        yield note("memory", "the system does not tell how much there is")
        return
    words = f"{_gigabytes(total)} in all"
    if available is not None:
        words += f", {_gigabytes(available)} available"
    if limit is not None and limit < total:
        words += f"; a container's limit allows {_gigabytes(limit)}"
    least = min(value for value in (total, available, limit) if value is not None)
    if least < LEAST_MEMORY:
        yield note("memory", words, "end other programs: TensorFlow takes half a gigabyte before any data")
    else:
        yield ok("memory", words)


def _gigabytes(count: int) -> str:
    return f"{count / 1e9:.1f} GB"
