"""Callbacks that tell MLflow or Weights & Biases how a training goes, where a specification asks for it.

The classes of these packages begin anew when a training goes on, and count its epochs again. These go on with the same
run there: what a tracker has of an epoch is never sent twice, and what it missed is sent from the run's own rows. Their
packages are imported when the training begins.
"""

from __future__ import annotations

import atexit
import contextlib
import warnings
from abc import abstractmethod
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

from nnrun.errors import NnrunError, ResourceError
from nnrun.keras_backend import load_keras
from nnrun.store.reading import is_own_file
from nnrun.store.run import Run
from nnrun.store.runs import FIGURES
from nnrun.store.values import map_at


class Session(Protocol):
    """An experiment at a tracker.

    Args:
        last: The last epoch that the tracker has.
    """

    last: int

    def log(self, epoch: int, figures: Mapping[str, float]) -> None:
        """Tell the figures of an epoch, counted from 1."""

    def close(self, *, finished: bool) -> None:
        """Tell what is left, and how it ended."""


class Tracker:
    """What the callbacks have in common.

    Args:
        folder: The run's directory. Where it is none, the training is a rehearsal of which nobody is told.
    """

    folder = Path()
    model: Any
    params: Any

    def __new__(cls, *args: Any, **arguments: Any) -> Any:
        """An instance that is a Keras callback too: Keras is loaded now, and not when this file is imported."""
        return object.__new__(type(cls.__name__, (cls, load_keras().callbacks.Callback), {}))

    def __init__(self) -> None:
        super().__init__()
        self._session: Session | None = None

    @abstractmethod
    def begin(self, run: Run, *, anew: bool) -> Session:
        """Begin at the tracker, or go on with what the run was before.

        Args:
            run: The run.
            anew: Not to go on: epochs that the tracker has are trained again with other numbers.
        """

    def on_train_begin(self, logs: Any = None) -> None:
        run = Run(self.folder)
        if not is_own_file(run.path / "run.json"):
            return
        rows = run.rows()
        try:
            self._session = self.begin(run, anew=False)
            if self._session.last > len(rows) and _has_other_numbers(run):
                self._session.close(finished=False)
                self._session = self.begin(run, anew=True)
            for row in rows[self._session.last :]:
                figures = {key: value for key, value in row.items() if key not in FIGURES - {"learning_rate"}}
                self._session.log(row["epoch"], figures)
        except NnrunError:
            raise
        except Exception as error:
            reason = " ".join(str(error).split())[:500] or type(error).__name__
            raise ResourceError(
                f"training.callbacks: {type(self).__name__} cannot begin: {reason}"
            ) from error
        atexit.register(self._end, finished=False)

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        if self._session is None or epoch + 1 <= self._session.last:
            return
        ops = load_keras().ops
        rate = float(ops.convert_to_numpy(self.model.optimizer.learning_rate))
        figures = {"learning_rate": rate, **{key: float(value) for key, value in (logs or {}).items()}}
        with self._forgiven():
            self._session.log(epoch + 1, figures)

    def on_train_end(self, logs: Any = None) -> None:
        done = self._session.last if self._session else 0
        self._end(finished=bool(self.model.stop_training) or done >= self.params["epochs"])

    def _end(self, *, finished: bool) -> None:
        session, self._session = self._session, None
        atexit.unregister(self._end)
        if session is not None:
            with self._forgiven():
                session.close(finished=finished)

    @contextlib.contextmanager
    def _forgiven(self) -> Iterator[None]:
        """A tracker that fails does not end the training; what it misses it gets when the training is resumed."""
        try:
            yield
        except Exception as error:
            self._session = None
            reason = " ".join(str(error).split())[:300]
            warnings.warn(
                f"{type(self).__name__} is told no more: {reason}; the training goes on", stacklevel=2
            )


def _has_other_numbers(run: Run) -> bool:
    """Whether the training goes on so that its epochs get other numbers than they had."""
    resumes = run.resumes()
    last = resumes[-1] if resumes else {}
    return not last.get("exact", True) or "training.learning_rate" in map_at(last, "changed")


class MlflowCallback(Tracker):
    """Tell MLflow how the training goes: every epoch's figures, and the whole specification as parameters.

    Each run of nnrun is one run of MLflow; `nnrun resume` goes on with it. An epoch is a step, counted from 1.

    Args:
        experiment_name: String, the experiment of MLflow, which is made where it is missing. Defaults to `None`, for
            the name of the specification.
        tracking_uri: String, where MLflow keeps its runs: `"sqlite:////data/mlflow.db"`, or the address of a server;
            `{run}` in it stands for the run's directory. Defaults to `None`, for what MLflow itself takes, from
            `$MLFLOW_TRACKING_URI` for instance.
    """

    def __init__(self, experiment_name: str | None = None, tracking_uri: str | None = None) -> None:
        super().__init__()
        self._experiment_name = experiment_name
        self._tracking_uri = tracking_uri

    def begin(self, run: Run, *, anew: bool) -> Session:
        from nnrun.training.mlflow_session import MlflowSession

        return MlflowSession(run, self._experiment_name, self._tracking_uri, anew=anew)


class WandbMetricsLogger(Tracker):
    """Tell Weights & Biases how the training goes: every epoch's figures, and the whole specification.

    Each run of nnrun is one run there; `nnrun resume` goes on with it. An epoch is a step, counted from 1. What the
    package keeps on this machine lies in the run, in `wandb`.

    Args:
        project: String, the project there. Defaults to `None`, for the name of the specification.
        entity: String, the user or the team. Defaults to `None`, for who is logged in.
        mode: String, `"online"`, `"disabled"`, or `"offline"` to send the figures later with `wandb sync`. Defaults to
            `None`, for what `$WANDB_MODE` says, else `"online"`.
    """

    def __init__(
        self, project: str | None = None, entity: str | None = None, mode: str | None = None
    ) -> None:
        super().__init__()
        self._project = project
        self._entity = entity
        self._mode = mode

    def begin(self, run: Run, *, anew: bool) -> Session:
        from nnrun.training.wandb_session import WandbSession

        return WandbSession(run, self._project, self._entity, self._mode, anew=anew)
