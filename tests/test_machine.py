"""What the system's files tell of the machine, in made ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from nnrun.machine.system import System


def system(root: Path, **files: str) -> System:
    """A machine with files; in their names ``__`` stands for ``/``."""
    for name, text in files.items():
        path = root / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return System(root)


CPUINFO = "processor\t: 0\nmodel name\t: A Processor\nflags\t\t: fpu avx avx2 fma avx512f amx_tile\n"


def test_processor_is_named_with_its_features(tmp_path: Path) -> None:
    found = system(tmp_path, proc__cpuinfo=CPUINFO)

    assert found.processor() == "A Processor"
    assert found.features() == ["AVX2", "FMA", "AVX-512", "AMX"]


def test_memory_is_read_in_bytes(tmp_path: Path) -> None:
    found = system(tmp_path, proc__meminfo="MemTotal:       1000 kB\nMemAvailable:    10 kB\n")

    assert (found.memory(), found.available_memory(), found.memory_limit()) == (1_024_000, 10_240, None)


V2 = {"proc__self__cgroup": "0::/box/job\n"}
V1 = {"proc__self__cgroup": "4:memory:/job\n1:cpu,cpuacct:/job\n"}


@pytest.mark.parametrize(
    ("files", "quota"),
    [
        (V2 | {"sys__fs__cgroup__box__job__cpu.max": "150000 100000\n"}, 1.5),
        (V2 | {"sys__fs__cgroup__box__cpu.max": "50000 100000\n"}, 0.5),
        (V2 | {"sys__fs__cgroup__cpu.max": "200000 100000\n"}, 2.0),
        (V2 | {"sys__fs__cgroup__box__job__cpu.max": "max 100000\n"}, None),
        (
            V1
            | {
                "sys__fs__cgroup__cpu__job__cpu.cfs_quota_us": "25000\n",
                "sys__fs__cgroup__cpu__job__cpu.cfs_period_us": "100000\n",
            },
            0.25,
        ),
        (
            V1
            | {
                "sys__fs__cgroup__cpu__job__cpu.cfs_quota_us": "-1\n",
                "sys__fs__cgroup__cpu__job__cpu.cfs_period_us": "100000\n",
            },
            None,
        ),
        ({}, None),
    ],
)
def test_quota_of_a_container_is_found_in_both_versions(
    files: dict[str, str], quota: float | None, tmp_path: Path
) -> None:
    assert system(tmp_path, **files).quota() == quota


@pytest.mark.parametrize(
    ("files", "limit"),
    [
        (V2 | {"sys__fs__cgroup__box__memory.max": "4096\n"}, 4096),
        (V2 | {"sys__fs__cgroup__box__memory.max": "max\n"}, None),
        (V1 | {"sys__fs__cgroup__memory__job__memory.limit_in_bytes": "4096\n"}, 4096),
        (V1 | {"sys__fs__cgroup__memory__job__memory.limit_in_bytes": "9223372036854771712\n"}, None),
    ],
)
def test_limit_of_memory_is_found_in_both_versions(
    files: dict[str, str], limit: int | None, tmp_path: Path
) -> None:
    assert system(tmp_path, **files).memory_limit() == limit


def test_makers_of_graphics_are_told_from_those_of_other_devices(tmp_path: Path) -> None:
    found = system(
        tmp_path,
        **{
            "sys__bus__pci__devices__a__class": "0x030200\n",
            "sys__bus__pci__devices__a__vendor": "0x10de\n",
            "sys__bus__pci__devices__b__class": "0x020000\n",
            "sys__bus__pci__devices__b__vendor": "0x1002\n",
        },
    )

    assert found.graphics_vendors() == {"0x10de"}
