"""Findings on TensorFlow: whether it can be imported, whether it sees a GPU, how fast it is."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from typing import Any

from nnrun.doctor.finding import Finding, note, ok, problem
from nnrun.machine.interpreter import module_command, module_environment
from nnrun.machine.system import System

PATIENCE_SECONDS = 300
SLOW_IMPORT_SECONDS = 6.0
NVIDIA, AMD = "0x10de", "0x1002"
INSTALL_CUDA = "pip install 'tensorflow[and-cuda]'"


class Probe:
    """The process that tries TensorFlow; it works while other things are looked at."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(  # noqa: S603  (this Python, and a module of nnrun)
            module_command("nnrun.doctor.probe"),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=module_environment(),
        )

    def result(self) -> dict[str, Any]:
        """What it found; ``failed`` says why it found nothing."""
        try:
            said, _ = self._process.communicate(timeout=PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            self.stop()
            return {"failed": f"it did not end within {PATIENCE_SECONDS} seconds"}
        try:
            found: dict[str, Any] = json.loads(said)
        except ValueError:
            return {"failed": "the process that tried it ended", "status": self._process.returncode}
        return found

    def stop(self) -> None:
        """End it, whatever it does."""
        self._process.kill()
        self._process.communicate()


def tensorflow_findings(
    probe: Mapping[str, Any], system: System, environment: Mapping[str, str] = os.environ
) -> Iterator[Finding]:
    """What follows from what a :class:`Probe` found."""
    if "failed" in probe:
        yield _failure(probe)
        return
    seconds = probe["import_seconds"]
    yield ok(
        "TensorFlow", f"{probe['tensorflow']} with Keras {probe['keras']} works, imported in {seconds:.1f} s"
    )
    if seconds > SLOW_IMPORT_SECONDS and not environment.get("PYTHONDONTWRITEBYTECODE"):
        yield note(
            "import",
            f"importing TensorFlow took {seconds:.1f} s, 2 to 4 s are usual",
            "try again: the first import of all compiles its modules; else a slow disk or a busy machine is to blame",
        )
    yield gpu_finding(probe, system, environment)
    yield ok(
        "speed",
        f"matrix product {probe['matrix_product_flops'] / 1e9:,.0f} GFLOP/s in float32, copying in memory "
        f"{probe['copied_bytes_per_second'] / 1e9:.1f} GB/s, {probe['training_steps_per_second']:,.0f} training "
        "steps a second (784-128-10, batches of 32)",
    )


def _failure(probe: Mapping[str, Any]) -> Finding:
    """Why TensorFlow cannot be used."""
    status = probe.get("status")
    if status == -getattr(signal, "SIGILL", 4):
        return problem(
            "TensorFlow",
            "it uses instructions that this processor does not have (its packages need AVX)",
            "use another machine, or a TensorFlow that is compiled for this processor",
        )
    if status is not None:
        ended = f"by signal {-status}" if status < 0 else f"with status {status}"
        return problem(
            "TensorFlow",
            f"importing it ended the process {ended}",
            "pip install --force-reinstall tensorflow",
        )
    if "tensorflow" in probe:
        return problem(
            "training",
            f"TensorFlow {probe['tensorflow']} can be imported, but a small training fails: {probe['failed']}",
            "pip install --force-reinstall nnrun, best in a new virtual environment",
        )
    name = str(probe.get("missing") or "").partition(".")[0]
    if str(probe["failed"]).startswith("ModuleNotFoundError") and name:
        return problem("TensorFlow", f"it cannot be used: {probe['failed']}", f"pip install {name}")
    return problem(
        "TensorFlow",
        f"it cannot be used: {probe['failed']}",
        "pip install --force-reinstall tensorflow keras, best in a new virtual environment",
    )


def gpu_finding(
    probe: Mapping[str, Any], system: System, environment: Mapping[str, str], platform: str = sys.platform
) -> Finding:
    """Whether TensorFlow sees a GPU; where it does not, why, and what to do.

    Args:
        probe: What a :class:`Probe` found.
        system: The machine.
        environment: The process's variables.
        platform: As ``sys.platform`` has it.
    """
    if probe["gpus"]:
        return ok("GPU", ", ".join(probe["gpus"]))
    if platform == "darwin":
        return note("GPU", "TensorFlow's packages for macOS compute on the CPU")
    if platform == "win32":
        return note(
            "GPU",
            "TensorFlow uses no GPU on Windows itself",
            f"in WSL2 (wsl --install) it does: {INSTALL_CUDA} there",
        )
    return _linux_gpu(probe, system, environment)


def _linux_gpu(probe: Mapping[str, Any], system: System, environment: Mapping[str, str]) -> Finding:
    hidden = environment.get("CUDA_VISIBLE_DEVICES")
    has_driver = bool(system.read("proc/driver/nvidia/version")) or system.exists(
        "dev/dxg"
    )  # WSL2 has the latter
    has_device = system.exists("dev/nvidiactl") or system.exists("dev/dxg")
    if has_driver and hidden is not None and (hidden.strip() in ("", "-1") or hidden.startswith("-")):
        return note("GPU", f"it is hidden by CUDA_VISIBLE_DEVICES={hidden!r}", "unset CUDA_VISIBLE_DEVICES")
    if has_driver and not has_device:
        return note(
            "GPU",
            "the machine has an NVIDIA driver, but its devices are not here (a container without them?)",
            "start the container with its GPUs: docker run --gpus all",
        )
    if has_driver and not probe["cuda_build"]:
        return note("GPU", "a driver is here, but this TensorFlow is built for the CPU only", INSTALL_CUDA)
    if has_driver:
        return note(
            "GPU",
            "a driver is here, but TensorFlow does not find NVIDIA's libraries of the versions that it needs",
            f"{INSTALL_CUDA}; if they are here, the driver may be too old: nvidia-smi shows its version",
        )
    vendors = system.graphics_vendors()
    if NVIDIA in vendors:
        return note(
            "GPU",
            "an NVIDIA GPU is here without a driver",
            f"install NVIDIA's driver, then {INSTALL_CUDA}",
        )
    if AMD in vendors and not probe["rocm_build"]:
        return note(
            "GPU",
            "an AMD GPU is here, which this TensorFlow does not use",
            "see AMD's ROCm builds: tensorflow-rocm",
        )
    return ok("GPU", "there is none; nnrun trains on the CPU")
