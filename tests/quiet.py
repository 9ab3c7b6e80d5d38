"""A display for tests: it shows nothing and remembers what it was told."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from nnrun.store.run import Run


class Quiet:
    """Remembers notes, warnings and results.

    Args:
        on_steps: Called whenever steps were done.
    """

    def __init__(self, on_steps: Callable[[], None] = lambda: None) -> None:
        self.warnings: list[str] = []
        self.notes: list[str] = []
        self.results: list[dict[str, Any]] = []
        self._on_steps = on_steps

    def notify(self, message: str) -> None:
        self.notes.append(message)

    def warn(self, message: str) -> None:
        self.warnings.append(message)

    def on_start(self, run: Run, facts: dict[str, Any]) -> None: ...
    def on_epoch(self, row: dict[str, Any], position: Any) -> None: ...
    def on_stop(self, position: Any) -> None: ...

    def on_steps(self, epoch: int, done: int, total: int) -> None:
        self._on_steps()

    def on_result(self, run: Run, result: dict[str, Any]) -> None:
        self.results.append(result)
