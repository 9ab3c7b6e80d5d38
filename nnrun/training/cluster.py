"""The processes that train together: which they are, and how they meet."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import re
import signal
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from nnrun.errors import ResourceError
from nnrun.keras_backend import load_tensorflow

SLURM_PORT = 8888
"""The first port that workers of Slurm listen on, as TensorFlow's own resolver has it."""

PROBE_SECONDS = 2.0
RETRY_SECONDS = 0.1

HOW = "TF_CONFIG names the workers; nnrun launch CONFIG --workers N starts some here"


@dataclass(frozen=True)
class Cluster:
    """The processes that train together.

    Args:
        workers: Where each listens, as ``host:port``; the first is the chief, which alone writes the run.
        index: Which of them this process is.
    """

    workers: tuple[str, ...]
    index: int

    def name(self, index: int) -> str:
        """A worker as messages call it."""
        return f"worker {index} ({self.workers[index]})"


def find_cluster(environment: Mapping[str, str] = os.environ) -> Cluster | None:
    """The cluster that this process belongs to, by ``TF_CONFIG`` or by Slurm's variables; None where it is alone.

    Raises:
        ResourceError: The variables say nothing that makes sense.
    """
    if environment.get("TF_CONFIG"):
        found = _read_config(environment["TF_CONFIG"])
    elif int(environment.get("SLURM_STEP_NUM_TASKS") or 1) > 1 and "SLURM_PROCID" in environment:
        found = _ask_slurm()
    else:
        return None
    return found if len(found.workers) > 1 else None


def _read_config(text: str) -> Cluster:
    """What TensorFlow's variable says; a ``chief`` is the first worker."""
    try:
        config = json.loads(text)
        tasks = config["cluster"]
        chiefs, others = list(tasks.get("chief", [])), list(tasks.get("worker", []))
        kind, index = config["task"]["type"], int(config["task"]["index"])
        workers = tuple(str(one) for one in chiefs + others)
        place = index + (len(chiefs) if kind == "worker" else 0)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ResourceError(
            f"TF_CONFIG is not as TensorFlow has it ({type(error).__name__}: {error}); expected "
            '{"cluster": {"worker": ["host:port", ...]}, "task": {"type": "worker", "index": 0}}'
        ) from None
    if kind not in ("chief", "worker") or not 0 <= place < len(workers):
        raise ResourceError(
            f"TF_CONFIG says that this is {kind} {index}, and names {len(workers)} workers; expected chief or worker "
            "and an index below their number"
        )
    return Cluster(workers, place)


def _ask_slurm() -> Cluster:
    """What Slurm's variables say, read by TensorFlow's resolver."""
    tf = load_tensorflow()
    count = int(os.environ["SLURM_STEP_NUM_TASKS"])
    try:
        resolver = tf.distribute.cluster_resolver.SlurmClusterResolver(
            # Without GPUs the resolver would divide by their number; it need not know of them to name the workers.
            {"worker": count},
            port_base=SLURM_PORT,
            gpus_per_node=count,
            gpus_per_task=1,
            auto_set_gpu=False,
        )
        workers = resolver.cluster_spec().as_dict()["worker"]
        return Cluster(tuple(workers), int(resolver.task_id))
    except (RuntimeError, ValueError, KeyError) as error:
        raise ResourceError(f"Slurm's variables do not say who the workers are: {error}; {HOW}") from None


@functools.cache
def meet(cluster: Cluster, seconds: float) -> Any:
    """Wait for the other workers; once in a process, before anything runs on a device.

    Args:
        cluster: Who they are.
        seconds: How long to wait.

    Returns:
        A ``tf.distribute.MultiWorkerMirroredStrategy``.

    Raises:
        ResourceError: Some did not come, or this worker's address cannot be used.
    """
    _wait_for_others(cluster, seconds)
    tf = load_tensorflow()
    resolver = tf.distribute.cluster_resolver.SimpleClusterResolver(
        tf.train.ClusterSpec({"worker": list(cluster.workers)}),
        task_type="worker",
        task_id=cluster.index,
        num_accelerators={"GPU": len(tf.config.list_physical_devices("GPU"))},
        rpc_layer="grpc",
    )
    try:
        with _kept_handler(signal.SIGTERM):
            return tf.distribute.MultiWorkerMirroredStrategy(cluster_resolver=resolver)
    except (tf.errors.OpError, RuntimeError, ValueError) as error:
        raise ResourceError(f"{cluster.name(cluster.index)} cannot join the others: {error}") from error


@contextlib.contextmanager
def _kept_handler(number: int) -> Iterator[None]:
    """Keep a signal's handler: TensorFlow takes SIGTERM for itself, to tell of machines that are taken away."""
    handler = signal.getsignal(number)
    yield
    if threading.current_thread() is threading.main_thread():
        signal.signal(number, handler)


def _wait_for_others(cluster: Cluster, seconds: float) -> None:
    """Return when every worker listens at its address.

    TensorFlow itself waits for ever, and lets no other thread run meanwhile: nobody could say who is missing.
    """
    deadline = time.monotonic() + seconds
    missing = [index for index in range(len(cluster.workers)) if index != cluster.index]
    with _listen(cluster):
        while missing := [index for index in missing if not _answers(cluster.workers[index])]:
            if time.monotonic() > deadline:
                raise ResourceError(
                    f"{', '.join(cluster.name(index) for index in missing)} did not come within {seconds:g} seconds; "
                    "start every worker with the same command, and see that the addresses can be reached from here "
                    "(runtime.worker_wait_seconds says how long to wait)"
                )
            time.sleep(RETRY_SECONDS)


def _listen(cluster: Cluster) -> socket.socket:
    """Show the others that this worker is here, until TensorFlow takes over its port."""
    port = cluster.workers[cluster.index].rpartition(":")[2]
    try:
        return socket.create_server(("", int(port)), backlog=2 * len(cluster.workers))
    except (OSError, ValueError, OverflowError) as error:
        raise ResourceError(
            f"{cluster.name(cluster.index)} cannot listen at its port: {error}; another program may use it"
        ) from error


def _answers(address: str) -> bool:
    host, _, port = address.rpartition(":")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), PROBE_SECONDS):
            return True
    except (OSError, ValueError, OverflowError):
        return False


def explain_loss(cluster: Cluster, error: Exception) -> str:
    """Which worker is gone, as far as an error of TensorFlow says it."""
    tasks = [int(task) for task in re.findall(r"/job:worker/(?:replica:0/)?task:(\d+)", str(error))]
    lost = [cluster.name(task) for task in dict.fromkeys(tasks) if task < len(cluster.workers)]
    others = [name for name in lost if name != cluster.name(cluster.index)]
    return f"{others[0] if others else 'a worker'} is gone"
