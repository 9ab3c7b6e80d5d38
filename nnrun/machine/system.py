"""What the operating system says of the machine: processor, cores, memory, and the limits of a container."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

FEATURES = {
    "AVX2": ("avx2",),
    "FMA": ("fma",),
    "AVX-512": ("avx512f",),
    "AVX-512 VNNI": ("avx512_vnni",),
    "AMX": ("amx_tile", "amx_bf16", "amx_int8"),
    "NEON": ("asimd",),
    "SVE": ("sve",),
}
"""Of a processor, with the names that Linux has for them; any of several will do."""

GRAPHICS = ("0x03", "0x12")
"""Beginnings of the PCI classes of display controllers and processing accelerators."""

UNLIMITED = 1 << 60
"""Bytes from which on a limit of memory is none: the first version of control groups writes so."""


@dataclass(frozen=True)
class System:
    """The files in which Linux tells about the machine; elsewhere what Python knows.

    Args:
        root: Of the file system.
    """

    root: Path = Path("/")

    def read(self, path: str) -> str:
        """A file's text; empty where there is none."""
        try:
            return (self.root / path).read_text("utf-8", "replace")
        except OSError:
            return ""

    def exists(self, path: str) -> bool:
        """Whether something is there."""
        return (self.root / path).exists()

    def graphics_vendors(self) -> set[str]:
        """The PCI numbers of the makers of display controllers and accelerators, such as ``0x10de`` for NVIDIA."""
        found = set()
        for device in (self.root / "sys/bus/pci/devices").glob("*"):
            kind = self.read(f"sys/bus/pci/devices/{device.name}/class").strip()
            if kind.startswith(GRAPHICS):
                found.add(self.read(f"sys/bus/pci/devices/{device.name}/vendor").strip())
        return found

    def processor(self) -> str:
        """The processor's name."""
        name = self._field("proc/cpuinfo", "model name") or self._field("proc/cpuinfo", "Hardware")
        return name or platform.processor() or platform.machine()

    def features(self) -> list[str]:
        """Those of :data:`FEATURES` that the processor has, as far as the system tells."""
        text = self._field("proc/cpuinfo", "flags") or self._field("proc/cpuinfo", "Features")
        flags = set(text.split())
        return [name for name, any_of in FEATURES.items() if flags & set(any_of)]

    def cores(self) -> int:
        """Logical cores of the machine."""
        return os.cpu_count() or 1

    def usable_cores(self) -> int:
        """Logical cores that this process may run on."""
        try:
            return len(os.sched_getaffinity(0))
        except AttributeError:  # only Linux tells
            return self.cores()

    def quota(self) -> float | None:
        """Cores' worth of time that the control groups allow; None without a limit."""
        found = []
        for folder in self._groups("cpu"):
            limit, _, period = self.read(f"{folder}/cpu.max").partition(" ")
            if not limit:
                limit = self.read(f"{folder}/cpu.cfs_quota_us")
                period = self.read(f"{folder}/cpu.cfs_period_us")
            if limit.strip().isdecimal() and period.strip().isdecimal() and int(period):
                found.append(int(limit) / int(period))
        return min(found, default=None)

    def memory(self) -> int | None:
        """Bytes that are installed."""
        found = self._memory_field("MemTotal")
        if found is None:
            try:
                found = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
            except (AttributeError, ValueError, OSError):
                return None
        return found

    def available_memory(self) -> int | None:
        """Bytes that are free, or would be when they are needed."""
        return self._memory_field("MemAvailable")

    def memory_limit(self) -> int | None:
        """Bytes that the control groups allow; None without a limit."""
        found = []
        for folder in self._groups("memory"):
            text = (self.read(f"{folder}/memory.max") or self.read(f"{folder}/memory.limit_in_bytes")).strip()
            if text.isdecimal() and int(text) < UNLIMITED:
                found.append(int(text))
        return min(found, default=None)

    def _field(self, path: str, name: str) -> str:
        for line in self.read(path).splitlines():
            key, colon, value = line.partition(":")
            if colon and key.strip() == name:
                return value.strip()
        return ""

    def _memory_field(self, name: str) -> int | None:
        number = self._field("proc/meminfo", name).removesuffix("kB").strip()
        return int(number) * 1024 if number.isdecimal() else None

    def _groups(self, controller: str) -> Iterator[str]:
        """The folders of the process's control groups: its own and those above it, in both versions of Linux."""
        for line in self.read("proc/self/cgroup").splitlines():
            _, _, rest = line.partition(":")
            names, _, path = rest.partition(":")
            if names and controller not in names.split(","):
                continue
            mount = "sys/fs/cgroup" if not names else f"sys/fs/cgroup/{controller}"
            own = PurePosixPath("/" + path.strip("/"))
            for group in (own, *own.parents):
                yield f"{mount}{group}".rstrip("/")
        yield "sys/fs/cgroup"  # in a container its own group stands there, whatever it is called outside
        yield f"sys/fs/cgroup/{controller}"


def machine_facts(system: System) -> dict[str, object]:
    """What decides how fast a machine is, in plain values."""
    return {
        "processor": system.processor(),
        "features": system.features(),
        "cores": system.cores(),
        "usable_cores": system.usable_cores(),
        "quota": system.quota(),
        "memory": system.memory(),
        "platform": f"{platform.system()} {platform.machine()}",
    }
