"""The examination of the machine: each fault is told with what to do, and nothing is left behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from nnrun.doctor.folders import folder_findings
from nnrun.doctor.hardware import hardware_findings
from nnrun.doctor.packages import fits, package_findings
from nnrun.doctor.tensorflow import gpu_finding, tensorflow_findings
from nnrun.doctor.variables import variable_findings
from nnrun.machine.system import System

WORKING: dict[str, Any] = {
    "import_seconds": 3.0,
    "tensorflow": "2.21.0",
    "keras": "3.15.1",
    "cuda_build": True,
    "rocm_build": False,
    "gpus": [],
    "matrix_product_flops": 1e11,
    "copied_bytes_per_second": 1e10,
    "training_steps_per_second": 1000.0,
}


def doctor(*arguments: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "nnrun", "doctor", *arguments],
        cwd=cwd,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.mark.tensorflow
def test_doctor_on_a_machine_that_works_says_so_and_leaves_nothing(tmp_path: Path) -> None:
    done = doctor("--json", cwd=tmp_path, KERAS_BACKEND="torch", NNRUN_RUN_DIR="typo")
    found = json.loads(done.stdout)

    assert (done.returncode, done.stderr) == (0, "")
    assert found["usable"]
    assert {one["state"] for one in found["findings"]} <= {"ok", "note"}
    said = {one["text"] for one in found["findings"]}
    assert "KERAS_BACKEND=torch is set; nnrun uses TensorFlow all the same" in said
    assert any("NNRUN_RUNS_DIR" in text and "NNRUN_RUN_DIR" in text for text in said)
    assert found["tensorflow"]["matrix_product_flops"] > 1e8
    assert found["tensorflow"]["copied_bytes_per_second"] > 1e7
    assert found["tensorflow"]["training_steps_per_second"] > 1
    assert list(tmp_path.iterdir()) == []


BROKEN = {
    "raises": ("raise ImportError('libfaulty.so: cannot open')", "libfaulty.so: cannot open"),
    "dies": ("import os, signal; os.kill(os.getpid(), signal.SIGILL)", "need AVX"),
    "noisy": ("import os; os.write(1, b'noise'); os.write(2, b'noise'); raise OSError('no')", "OSError: no"),
}


@pytest.mark.tensorflow
@pytest.mark.parametrize("name", ["raises", "dies", pytest.param("noisy", marks=pytest.mark.slow)])
def test_doctor_with_a_broken_tensorflow_tells_it_without_a_traceback(name: str, tmp_path: Path) -> None:
    code, expected = BROKEN[name]
    package = tmp_path / "shim" / "tensorflow"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(code)

    done = doctor(cwd=tmp_path, PYTHONPATH=str(tmp_path / "shim"))

    assert done.returncode == 5
    assert done.stderr == ""
    assert "problem  TensorFlow" in done.stdout
    assert expected in done.stdout
    assert "noise" not in done.stdout
    assert "Traceback" not in done.stdout
    assert done.stdout.splitlines()[-1].startswith("nnrun cannot train here: 1 problem")


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (-signal.SIGILL, "instructions that this processor does not have"),
        (-signal.SIGSEGV, "importing it ended the process by signal 11"),
        (3, "importing it ended the process with status 3"),
    ],
)
def test_tensorflow_that_ends_its_process_is_a_problem(status: int, expected: str, tmp_path: Path) -> None:
    (found,) = tensorflow_findings({"failed": "it ended", "status": status}, System(tmp_path), {})

    assert found.state == "problem"
    assert expected in found.text
    assert found.remedy


def test_tensorflow_that_is_imported_but_does_not_train_is_a_problem_of_training(tmp_path: Path) -> None:
    (found,) = tensorflow_findings(WORKING | {"failed": "OSError: no"}, System(tmp_path), {})

    assert (found.state, found.subject) == ("problem", "training")
    assert "a small training fails: OSError: no" in found.text


def test_tensorflow_that_is_not_installed_is_to_be_installed(tmp_path: Path) -> None:
    probe = {"failed": "ModuleNotFoundError: No module named 'tensorflow'", "missing": "tensorflow"}
    (found,) = tensorflow_findings(probe, System(tmp_path), {})

    assert (found.state, found.remedy) == ("problem", "pip install tensorflow")


@pytest.mark.parametrize(
    ("files", "changes", "environment", "expected"),
    [
        ([], {}, {}, "there is none; nnrun trains on the CPU"),
        ([], {"gpus": ["A GPU"]}, {}, "A GPU"),
        (["proc/driver/nvidia/version"], {}, {}, "its devices are not here"),
        (["proc/driver/nvidia/version", "dev/nvidiactl"], {"cuda_build": False}, {}, "for the CPU only"),
        (["proc/driver/nvidia/version", "dev/nvidiactl"], {}, {}, "does not find NVIDIA's libraries"),
        (
            ["proc/driver/nvidia/version", "dev/nvidiactl"],
            {},
            {"CUDA_VISIBLE_DEVICES": "-1"},
            "hidden by CUDA_VISIBLE_DEVICES='-1'",
        ),
        (["dev/dxg"], {"cuda_build": False}, {}, "for the CPU only"),
    ],
)
def test_gpu_that_is_not_seen_is_explained(
    files: list[str], changes: dict[str, Any], environment: dict[str, str], expected: str, tmp_path: Path
) -> None:
    for name in files:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("here")
    found = gpu_finding(WORKING | changes, System(tmp_path), environment, "linux")

    assert expected in found.text
    assert bool(found.remedy) == (found.state == "note")


def test_gpu_without_a_driver_asks_for_one(tmp_path: Path) -> None:
    device = tmp_path / "sys/bus/pci/devices/one"
    device.mkdir(parents=True)
    (device / "class").write_text("0x030000\n")
    (device / "vendor").write_text("0x10de\n")

    found = gpu_finding(WORKING, System(tmp_path), {}, "linux")

    assert found.text == "an NVIDIA GPU is here without a driver"
    assert "pip install 'tensorflow[and-cuda]'" in found.remedy


def test_gpu_on_other_systems_is_explained(tmp_path: Path) -> None:
    assert "WSL2" in gpu_finding(WORKING, System(tmp_path), {}, "win32").remedy
    assert "macOS" in gpu_finding(WORKING, System(tmp_path), {}, "darwin").text


def test_folder_that_can_be_written_is_left_as_it_was(tmp_path: Path) -> None:
    found = [one for one in folder_findings(tmp_path / "a" / "b") if one.subject == "runs"]

    assert [one.state for one in found] == ["ok"]
    assert list(tmp_path.iterdir()) == []


def test_folder_that_cannot_be_written_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")

    (found,) = [one for one in folder_findings(tmp_path / "file" / "runs") if one.subject == "runs"]

    assert found.state == "problem"
    assert "--runs-dir" in found.remedy
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_locks_that_do_not_hold_are_a_problem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nnrun.doctor.folders.is_held", lambda path: False)

    (found,) = [one for one in folder_findings(tmp_path) if one.subject == "runs"]

    assert found.state == "problem"
    assert "locks do not work there" in found.text
    assert list(tmp_path.iterdir()) == []


def test_data_folder_that_is_none_is_a_problem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NNRUN_DATA_DIR", str(tmp_path / "none"))

    (found,) = [one for one in folder_findings(tmp_path) if one.subject == "data"]

    assert found.state == "problem"


def test_variables_that_matter_are_told() -> None:
    found = {
        one.text.partition(" ")[0]: one
        for one in variable_findings(
            {"PYTHONDONTWRITEBYTECODE": "1", "TF_ENABLE_ONEDNN_OPTS": "0", "NNRUN_DATA_DIR": "x", "HOME": "y"}
        )
    }

    assert found["PYTHONDONTWRITEBYTECODE"].remedy == "unset PYTHONDONTWRITEBYTECODE"
    assert found["TF_ENABLE_ONEDNN_OPTS=0:"].state == "note"
    assert found["NNRUN_DATA_DIR=x"].state == "ok"
    assert len(found) == 3


def test_quota_below_the_cores_asks_for_fewer_threads(tmp_path: Path) -> None:
    group = tmp_path / "sys/fs/cgroup"
    group.mkdir(parents=True)
    (group / "cpu.max").write_text("50000 100000")

    found = {one.subject: one for one in hardware_findings(System(tmp_path))}

    assert (found["cores"].state, found["cores"].remedy) == ("note", "set runtime.threads=1")


def test_packages_that_are_missing_or_too_old_are_problems(monkeypatch: pytest.MonkeyPatch) -> None:
    installed = {"keras": "3.0.0", "polars": None}
    monkeypatch.setattr("nnrun.doctor.packages.requirements", lambda: {"keras": ">=3.15.1"})
    monkeypatch.setattr("nnrun.doctor.packages.version", lambda name: installed.get(name, "99.0"))

    found = {one.subject: one for one in package_findings() if one.state == "problem"}

    assert found["keras"].text == "3.0.0 is installed, nnrun needs >=3.15.1"
    assert found["polars"].remedy == "pip install 'polars'"
    assert len(found) == 2


def test_versions_that_nobody_can_compare_fit() -> None:
    assert fits("unknown", ">=1")
    assert fits("1.0", "")
    assert not fits("1.0", ">=2")
