"""The whole examination."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from nnrun.doctor.finding import Finding
from nnrun.doctor.folders import folder_findings
from nnrun.doctor.hardware import hardware_findings
from nnrun.doctor.packages import package_findings
from nnrun.doctor.tensorflow import Probe, tensorflow_findings
from nnrun.doctor.variables import variable_findings
from nnrun.machine.system import System, machine_facts


class Examination:
    """Looks at everything that a training needs.

    Args:
        runs: Where runs are kept.
        system: The machine.
    """

    def __init__(self, runs: Path, system: System | None = None) -> None:
        self._runs = runs
        self._system = system or System()
        self.facts: dict[str, Any] = {}

    def findings(self) -> Iterator[Finding]:
        """What is found, one after the other; TensorFlow is tried meanwhile, in a process of its own."""
        probe = Probe()
        try:
            yield from package_findings()
            yield from hardware_findings(self._system)
            yield from folder_findings(self._runs)
            yield from variable_findings(os.environ)
            found = probe.result()
        finally:
            probe.stop()
        self.facts = {"machine": machine_facts(self._system), "tensorflow": found}
        yield from tensorflow_findings(found, self._system)
