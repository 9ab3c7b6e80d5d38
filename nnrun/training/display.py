"""What shows a training to the user: the protocol, and two that show little."""

from __future__ import annotations

from typing import Any, Protocol

from nnrun.store.run import Run
from nnrun.training.loop import Listener, Position, Row


class Display(Listener, Protocol):
    """What shows an experiment to the user."""

    def notify(self, message: str) -> None:
        """Something that takes long, or that is good to know."""

    def warn(self, message: str) -> None:
        """Something nobody must miss."""

    def on_start(self, run: Run, facts: dict[str, Any]) -> None:
        """The training begins; ``facts`` is what stands in ``run.json``."""

    def on_result(self, run: Run, result: dict[str, Any]) -> None:
        """The training is over; ``result`` is what stands in ``result.json``, or would, had it not been interrupted."""


class Silent(Display):
    """Shows nothing."""

    def notify(self, message: str) -> None:
        pass

    def warn(self, message: str) -> None:
        pass

    def on_start(self, run: Run, facts: dict[str, Any]) -> None:
        pass

    def on_steps(self, epoch: int, done: int, total: int) -> None:
        pass

    def on_epoch(self, row: Row, position: Position) -> None:
        pass

    def on_stop(self, position: Position) -> None:
        pass

    def on_result(self, run: Run, result: dict[str, Any]) -> None:
        pass


class WarningsOnly(Silent):
    """What a worker shows whose chief shows the training.

    Args:
        display: Shows the warnings.
    """

    def __init__(self, display: Display) -> None:
        self._display = display

    def warn(self, message: str) -> None:
        self._display.warn(message)
