"""What the training runs on: device, threads, determinism, XLA, strategy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from nnrun.errors import ResourceError
from nnrun.keras_backend import load_tensorflow
from nnrun.spec.load import Loaded
from nnrun.spec.paper import trace
from nnrun.spec.schema import RuntimeSection
from nnrun.training.cluster import HOW, find_cluster, meet
from nnrun.training.replicas import Replicas

XLA_WORTHWHILE_STEPS = 1000
"""Fewer steps are over before compiling with XLA (some tenths of a second) has paid for itself."""

WINDOWED = ("Conv", "MaxPooling", "AveragePooling")
"""Parts of the names of layers that slide a window; a ``Global`` pooling has none."""

SMALL_STEP = 1_000_000
"""Multiplications of a step, forward, below which one thread is faster than several."""

BFLOAT16_FLAGS = ("avx512_bf16", "amx_bf16")
"""What a processor says that multiplies in bfloat16."""

RANDOM = ("Dropout", "Noise", "Random")
"""Parts of the names of layers that draw random numbers in every step."""


@dataclass(frozen=True)
class Devices:
    """What was chosen, as it is written into the run.

    Args:
        device: ``cpu`` or ``gpu``.
        threads: Threads for one operation; 0: one per core.
        strategy: ``none``, ``mirrored`` or ``multi_worker``.
        deterministic: Whether every operation gives the same bits every time.
        workers: The processes that train together.
        replicas: The devices that share every step, in all of them.
    """

    device: str
    threads: int
    strategy: str
    deterministic: bool
    workers: int = 1
    replicas: int = 1

    def facts(self) -> dict[str, Any]:
        return asdict(self)


def set_threads(runtime: RuntimeSection, *, is_small: bool = False) -> int:
    """Set the threads for one operation, before anything runs on a device.

    Args:
        runtime: The runtime section.
        is_small: Whether the steps are over before a second thread is of use, see :func:`has_small_steps`.

    Returns:
        How many; 0: one per core.

    Raises:
        ResourceError: Those that were asked for can no longer be set.
    """
    threading = load_tensorflow().config.threading
    wanted = int(is_small) if runtime.threads == "auto" else runtime.threads
    if wanted != threading.get_intra_op_parallelism_threads():
        try:
            threading.set_intra_op_parallelism_threads(wanted)
        except RuntimeError as error:
            if runtime.threads != "auto":
                raise ResourceError(
                    "runtime.threads can be set only once in a process, before anything runs"
                ) from error
    return int(threading.get_intra_op_parallelism_threads())


def has_small_steps(loaded: Loaded) -> bool:
    """Whether a step of a specification multiplies so little that sharing the work costs more than it saves.

    Measured on two cores, one thread against two: 1.2 times the speed for 784-32-10 with batches of 32 (0.8 million
    multiplications forward), 0.75 times for 784-64-10. The bits are the same. Only models are judged whose weights
    each multiply once for every example.
    """
    layers = [layer for layer in trace(loaded) if layer.parameters != 0]
    known = [
        layer.parameters
        for layer in layers
        if layer.choice.name == "Dense" and layer.parameters and len(layer.inputs[0] or ()) == 1
    ]
    if len(known) != len(layers):
        return False
    return sum(known) * loaded.spec.training.batch_size < SMALL_STEP


def prepare_devices(runtime: RuntimeSection) -> tuple[Devices, Replicas]:
    """Set the process up before anything runs on a device.

    Returns:
        What was chosen, and the devices that share every step.

    Raises:
        ResourceError: A GPU is asked for and there is none, the threads can no longer be set, or a worker did not
            come.
    """
    tf = load_tensorflow()
    gpus = tf.config.list_physical_devices("GPU")
    if runtime.device == "gpu" and not gpus:
        raise ResourceError(
            "runtime.device is gpu, but TensorFlow finds no GPU here; install tensorflow[and-cuda] and a driver, "
            "or set runtime.device=cpu"
        )
    device = "gpu" if gpus and runtime.device != "cpu" else "cpu"
    if gpus and device == "cpu":
        tf.config.set_visible_devices([], "GPU")
    if runtime.threads != "auto":
        set_threads(runtime)
    threads = int(tf.config.threading.get_intra_op_parallelism_threads())
    if runtime.deterministic and device == "gpu":
        # On a CPU all operations are deterministic as they are, and this switch would make Keras refuse XLA.
        tf.config.experimental.enable_op_determinism()
    strategy = choose_strategy(runtime, gpus if device == "gpu" else [])
    cluster = find_cluster() if strategy == "multi_worker" else None
    if cluster:
        shared = meet(cluster, runtime.worker_wait_seconds)
    else:
        shared = tf.distribute.MirroredStrategy() if strategy == "mirrored" else tf.distribute.get_strategy()
    replicas = Replicas(shared, cluster)
    workers = len(cluster.workers) if cluster else 1
    return Devices(device, threads, strategy, runtime.deterministic, workers, replicas.count), replicas


def choose_strategy(runtime: RuntimeSection, gpus: Sequence[Any] = ()) -> str:
    """Resolve ``strategy: auto`` by what is there: other workers, several GPUs, or neither.

    Raises:
        ResourceError: Several workers are asked for and nothing names them, or XLA is asked for with several devices.
    """
    cluster = find_cluster()
    chosen = runtime.strategy
    if chosen == "auto":
        chosen = "multi_worker" if cluster else "mirrored" if len(gpus) > 1 else "none"
    if chosen == "multi_worker" and cluster is None:
        raise ResourceError(f"runtime.strategy is multi_worker, and nothing names the workers; {HOW}")
    if chosen != "none" and runtime.jit_compile is True:
        raise ResourceError(
            f"runtime.jit_compile=true compiles the steps of one device, and runtime.strategy is {chosen}; "
            "leave out one of the two"
        )
    return chosen


def choose_jit(runtime: RuntimeSection, model: Any, devices: Devices, steps: int) -> bool:
    """Resolve ``jit_compile: auto`` by a fixed rule, never by a timing: the same specification gives the same bits.

    XLA is used where it is known to pay: on one device, when there are steps enough to earn back the compilation, when
    no layer rules it out, and on a CPU only for models that neither slide windows (measured: up to 100 times slower
    in a loop) nor draw random numbers (a Dropout of 512: 5 times slower).

    Args:
        runtime: The runtime section.
        model: The built model.
        devices: What :func:`prepare_devices` chose.
        steps: Training steps in the whole run.
    """
    if runtime.jit_compile != "auto":
        return runtime.jit_compile
    if devices.strategy != "none" or steps < XLA_WORTHWHILE_STEPS:
        return False
    if devices.device == "gpu" and devices.deterministic:
        return False
    supported = all(layer.supports_jit for layer in model._flatten_layers(include_self=False))
    return supported and not (devices.device == "cpu" and (has_windows(model) or has_random_layers(model)))


def is_helper(runtime: RuntimeSection) -> bool:
    """Whether this process helps another one, which writes the run."""
    cluster = find_cluster()
    return cluster is not None and cluster.index > 0 and choose_strategy(runtime) == "multi_worker"


def choose_precision(asked: str, devices: Devices) -> str:
    """Resolve ``precision: auto`` by what the device is made for: the name of a policy of Keras.

    A GPU of compute capability 8.0 or more and a CPU with instructions for it multiply in bfloat16, a GPU of 7.0 or
    more in float16 (NVIDIA, Training with Mixed Precision; the Keras guide to mixed precision); others in float32.
    """
    if asked != "auto":
        return asked
    if devices.device == "gpu":
        tf = load_tensorflow()
        found = [
            tf.config.experimental.get_device_details(gpu).get("compute_capability", (0, 0))
            for gpu in tf.config.list_physical_devices("GPU")
        ]
        weakest = min(found)
        return "mixed_bfloat16" if weakest >= (8, 0) else "mixed_float16" if weakest >= (7, 0) else "float32"
    return "mixed_bfloat16" if any(flag in cpu_flags() for flag in BFLOAT16_FLAGS) else "float32"


def cpu_flags() -> set[str]:
    """What the processor can do, as Linux names it; empty elsewhere."""
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8", errors="replace").splitlines()
    except OSError:
        return set()
    return set(next((line.split(":")[1].split() for line in lines if line.startswith("flags")), []))


def has_windows(model: Any) -> bool:
    """Whether a model has convolutions or windowed pooling, which XLA computes slowly inside a loop on a CPU."""
    names = [type(layer).__name__ for layer in model._flatten_layers(include_self=False)]
    return any(part in name and not name.startswith("Global") for name in names for part in WINDOWED)


def has_random_layers(model: Any) -> bool:
    """Whether a model draws random numbers in every step, which XLA does slowly on a CPU."""
    return any(
        any(part in type(layer).__name__ for part in RANDOM)
        or getattr(layer, "dropout", 0)
        or getattr(layer, "recurrent_dropout", 0)
        for layer in model._flatten_layers(include_self=False)
    )
