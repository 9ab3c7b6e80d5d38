"""A run of MLflow that belongs to a run of nnrun, and goes on with it."""

from __future__ import annotations

import importlib
import logging
import re
import time
from collections.abc import Mapping
from typing import Any

from nnrun import __version__
from nnrun.errors import RunError
from nnrun.store.durable import write_json
from nnrun.store.listing import read_config
from nnrun.store.query import leaves
from nnrun.store.reading import read_map_or_none
from nnrun.store.run import Run
from nnrun.store.values import brief

FILE = "mlflow.json"
"""Says which run of MLflow a run is."""

LONGEST_PARAMETER = 500
MOST_AT_ONCE = {"params": 100, "metrics": 500}
"""MLflow takes no more in one call: 100 parameters, 1,000 metrics."""

SEND_SECONDS = 1.0
"""Epochs may take milliseconds: MLflow gets them together, at most so often."""

RUN = "{run}"
"""Stands for the run's directory in an address."""


class MlflowSession:
    """A run of MLflow.

    Args:
        run: The run of nnrun.
        experiment_name: Of MLflow; None: the name of the specification.
        tracking_uri: Where MLflow keeps its runs; None: where it does by itself.
        anew: Make another run, whatever there was before.
    """

    def __init__(
        self, run: Run, experiment_name: str | None, tracking_uri: str | None, *, anew: bool
    ) -> None:
        mlflow = importlib.import_module("mlflow")
        for name in ("mlflow", "alembic"):  # they write to the terminal when they make a database
            logging.getLogger(name).setLevel(logging.WARNING)
        if tracking_uri is not None and RUN in tracking_uri:
            inside = run.path / tracking_uri.partition(RUN)[2].lstrip("/")
            if inside.is_symlink():
                raise RunError(f"{inside} is a symbolic link; callbacks write only inside the run itself")
            tracking_uri = tracking_uri.replace(RUN, run.path.absolute().as_posix())
        self._client = mlflow.MlflowClient(tracking_uri=tracking_uri)
        self._waiting: list[Any] = []
        self._sent = time.monotonic()
        self.last = 0
        known = None if anew else (read_map_or_none(run.path / FILE) or {}).get("run_id")
        if isinstance(known, str):
            self._id = known
            self._client.update_run(known, status="RUNNING")
            steps = [metric.step for metric in self._client.get_metric_history(known, "loss")]
            self.last = max(steps, default=0)
        else:
            self._id = self._create(run, experiment_name)

    def _create(self, run: Run, experiment_name: str | None) -> str:
        param = importlib.import_module("mlflow.entities").Param
        config = brief(read_config(run))
        name = experiment_name or str(config.get("name"))
        found = self._client.get_experiment_by_name(name)
        experiment = found.experiment_id if found else self._client.create_experiment(name)
        tags = {"nnrun.run": run.id, "nnrun.version": __version__, "mlflow.source.name": "nnrun"}
        made = str(self._client.create_run(experiment, run_name=run.id, tags=tags).info.run_id)
        write_json(run.path / FILE, {"run_id": made, "experiment": name})
        parameters = [
            param(_mlflow_name(key), str(value)[:LONGEST_PARAMETER]) for key, value in leaves(config)
        ]
        for start in range(0, len(parameters), MOST_AT_ONCE["params"]):
            self._client.log_batch(made, params=parameters[start : start + MOST_AT_ONCE["params"]])
        return made

    def log(self, epoch: int, figures: Mapping[str, float]) -> None:
        metric = importlib.import_module("mlflow.entities").Metric
        now = time.time_ns() // 1_000_000
        self._waiting += [
            metric(_mlflow_name(key), float(value), now, epoch) for key, value in figures.items()
        ]
        self.last = epoch
        if time.monotonic() - self._sent >= SEND_SECONDS or len(self._waiting) > MOST_AT_ONCE["metrics"]:
            self._send()

    def _send(self) -> None:
        waiting, self._waiting = self._waiting, []
        if waiting:
            self._client.log_batch(self._id, metrics=waiting)
        self._sent = time.monotonic()

    def close(self, *, finished: bool) -> None:
        self._send()
        self._client.set_terminated(self._id, "FINISHED" if finished else "KILLED")


def _mlflow_name(name: str) -> str:
    """The name in the characters that MLflow allows."""
    return re.sub(r"[^\w\-. /]", "_", name)[:250]
