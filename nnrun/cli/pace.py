"""How long a training will take, by the epochs so far."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from nnrun.cli.figures import duration


@dataclass
class Pace:
    """How long the training will take.

    Args:
        epochs: All epochs of the run.
        started: When it was begun to look.
    """

    epochs: int
    started: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        self._first = 0.0
        self._later = 0.0
        self._count = 0

    def note(self, seconds: float) -> None:
        """Remember how long an epoch took; the first one includes the compilation, and counts only while alone."""
        self._count += 1
        if self._count == 1:
            self._first = seconds
        else:
            self._later += seconds

    def left(self, epoch: int, fraction: float) -> str:
        """The time left in words when so much of an epoch is done."""
        ahead = self.epochs - epoch + 1 - fraction
        if self._count:
            seconds = self._later / (self._count - 1) if self._count > 1 else self._first
            return duration(seconds * ahead)
        return duration((time.monotonic() - self.started) / fraction * ahead) if fraction > 0 else "?"
