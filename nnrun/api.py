"""nnrun from Python: train a specification, open a run, and look at it."""

from __future__ import annotations

import importlib
import json
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnrun import experiment, inference
from nnrun.store.run import Run
from nnrun.store.runs import find_run, runs_directory
from nnrun.training.display import Display

Overrides = Mapping[str, Any] | Sequence[str]


def train(
    config: str | Path,
    overrides: Overrides = (),
    *,
    runs_dir: str | Path | None = None,
    code: str | Path | None = None,
    quiet: bool = False,
) -> OpenedRun:
    """Train what a specification describes, as ``nnrun train`` does.

    Args:
        config: A YAML file.
        overrides: ``{"training.epochs": 50}``, or as on the command line: ``["training.epochs=50"]``.
        runs_dir: Where runs are kept; default ``$NNRUN_RUNS_DIR`` or ``runs``.
        code: A Python file whose classes and functions the specification may name.
        quiet: Show only warnings, and the run's path.

    Returns:
        The run. As the last line of a notebook's cell it shows its report.

    Raises:
        NnrunError: See ``nnrun.errors``; the message says what to do.
    """
    run, _ = experiment.train(
        Path(config),
        as_texts(overrides),
        display=_choose_display(quiet=quiet),
        runs_dir=None if runs_dir is None else Path(runs_dir),
        code=None if code is None else Path(code),
        command=["nnrun.train", str(config)],
    )
    return OpenedRun(run, None if code is None else Path(code))


def _choose_display(*, quiet: bool) -> Display:
    """One output that changes in its place in a notebook, and elsewhere what ``nnrun train`` shows."""
    importlib.import_module("nnrun.cli.app")  # first: the files of the commands need it whole
    from nnrun.cli.display import Logged
    from nnrun.cli.notebook import NotebookDisplay, in_notebook
    from nnrun.cli.trainings import choose_display

    if in_notebook() and not quiet:
        return Logged(NotebookDisplay())
    return choose_display(json=False, quiet=quiet)


def open_run(
    reference: str | Path = "latest", *, runs_dir: str | Path | None = None, code: str | Path | None = None
) -> OpenedRun:
    """Open a run.

    Args:
        reference: Its path, id, the beginning of its id, ``latest``, ``latest~1`` or ``best:METRIC``.
        runs_dir: Where runs are kept; default ``$NNRUN_RUNS_DIR`` or ``runs``.
        code: The Python file that it was trained with, if any.

    Raises:
        RunError: There is no such run.
    """
    folder = runs_directory(None if runs_dir is None else Path(runs_dir))
    return OpenedRun(find_run(str(reference), folder), None if code is None else Path(code))


def as_texts(overrides: Overrides) -> list[str]:
    """Overrides as they are written on the command line; None removes a value."""
    if not isinstance(overrides, Mapping):
        return list(overrides)
    return [
        f"~{key}" if value is None else f"{key}={json.dumps(value, ensure_ascii=False)}"
        for key, value in overrides.items()
    ]


class OpenedRun:
    """A run, to be looked at from Python.

    Args:
        run: Its directory.
        code: The Python file that it was trained with, if any.
    """

    def __init__(self, run: Run, code: Path | None = None) -> None:
        self._run = run
        self._code = code

    def __repr__(self) -> str:
        return f"<nnrun run {self.id}: {self.status}>"

    @property
    def id(self) -> str:
        """Its name."""
        return self._run.id

    @property
    def path(self) -> Path:
        """Its directory."""
        return self._run.path

    @property
    def status(self) -> str:
        """``finished``, ``running`` or ``interrupted``."""
        return self._run.status()

    @cached_property
    def config(self) -> dict[str, Any]:
        """The resolved specification, every default written."""
        return experiment.reload_spec(self._run, self._code).spec.plain()

    @property
    def history(self) -> dict[str, NDArray[Any]]:
        """The columns of ``metrics.jsonl``: an array with a value for each epoch, by name."""
        rows = self._run.rows()
        names = dict.fromkeys(name for row in rows for name in row)
        return {name: np.array([_number(row.get(name)) for row in rows]) for name in names}

    @property
    def scores(self) -> dict[str, float]:
        """Loss and metrics on the test part; empty where there is none, or the run is not finished."""
        return dict((self._run.result() or {}).get("test") or {})

    def model(self) -> Any:
        """The Keras model with the weights that were kept, built anew; its data is read for it."""
        display = _choose_display(quiet=True)
        return inference.reopen(str(self.path), display, self.path.parent, self._code)[1].model

    def predict(self, *files: str | Path) -> Iterator[dict[str, Any]]:
        """What it says of new files, chunk by chunk: columns by name, as ``nnrun predict`` writes them."""
        return inference.predict_files(
            str(self.path),
            [str(Path(one).absolute()) for one in files],
            display=_choose_display(quiet=True),
            runs_dir=self.path.parent,
            code=self._code,
        )[1]

    def _repr_html_(self) -> str:
        """Its report, for notebooks: in a frame of its own, so that neither changes the other."""
        from html import escape

        from nnrun.report.html import render

        page = escape(render([self._run]), quote=True)
        return f'<iframe srcdoc="{page}" sandbox="allow-scripts" style="width:100%;height:720px;border:0"></iframe>'


def _number(value: Any) -> float:
    """A value of a row; what is missing is not a number."""
    return float("nan") if value is None else float(value)
