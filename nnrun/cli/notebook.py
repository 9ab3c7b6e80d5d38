"""A training in a notebook: one output, which changes in its place."""

from __future__ import annotations

import importlib
import sys
import time
from typing import Any

from nnrun.cli.chart import chart, known_rows
from nnrun.cli.display import REDRAW_SECONDS, PlainDisplay, Standing
from nnrun.store.run import Run

COLUMNS = 80


def in_notebook() -> bool:
    """Whether this process is the kernel of a notebook."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return hasattr(shell, "kernel")


class NotebookDisplay(PlainDisplay):
    """The lines of a plain display in one output, and under them the step that is under way.

    The output is text: it looks the same in every kind of notebook, and the file keeps its last state.
    """

    def __init__(self) -> None:
        super().__init__(self._add)
        self._lines: list[str] = []
        self._output: Any = None
        self._drawn = 0.0

    def _add(self, line: str) -> None:
        self._lines.append(line)
        self._draw()

    def _draw(self, under_way: str = "", *, at_once: bool = False) -> None:
        now = time.monotonic()
        if now - self._drawn < REDRAW_SECONDS and self._output and not at_once:
            return
        self._drawn = now
        text = {"text/plain": "\n".join([*self._lines, under_way] if under_way else self._lines)}
        if self._output is None:
            show = importlib.import_module("IPython.display").display
            self._output = show(text, raw=True, display_id=True)
        else:
            self._output.update(text, raw=True)

    def on_steps(self, epoch: int, done: int, total: int) -> None:
        left = self._pace.left(epoch, done / total)
        self._draw(f"epoch {epoch}/{self._pace.epochs}  step {done:,}/{total:,}  {left} left")

    def on_stop(self, position: Standing) -> None:
        self._draw(at_once=True)

    def on_result(self, run: Run, result: dict[str, Any]) -> None:
        best = (result["best"] or {}).get("epoch", 0)
        curves = chart(known_rows(run), COLUMNS, result["monitor"], best)
        self._lines += ["", *(line.plain for line in curves), ""]
        super().on_result(run, result)
        self._draw(at_once=True)
