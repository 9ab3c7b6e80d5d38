"""What the training runs on: device, threads, determinism, XLA, strategy."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from nnrun.errors import ResourceError
from nnrun.keras_backend import load_tensorflow
from nnrun.spec.schema import RuntimeSection

XLA_WORTHWHILE_STEPS = 1000
"""Fewer steps are over before compiling with XLA (some tenths of a second) has paid for itself."""

SLOW_IN_XLA_LOOP = ("Conv", "Pooling")
"""Parts of the names of layers that XLA makes many times slower on a CPU when they run inside a loop."""


@dataclass(frozen=True)
class Devices:
    """What was chosen, as it is written into the run.

    Args:
        device: ``cpu`` or ``gpu``.
        threads: Threads for one operation; 0: one per core.
        strategy: ``none`` or ``mirrored``.
        deterministic: Whether every operation gives the same bits every time.
    """

    device: str
    threads: int
    strategy: str
    deterministic: bool

    def facts(self) -> dict[str, Any]:
        return asdict(self)


def prepare_devices(runtime: RuntimeSection) -> tuple[Devices, Any]:
    """Set the process up before anything runs on a device.

    Returns:
        What was chosen, and the ``tf.distribute.Strategy``.

    Raises:
        ResourceError: A GPU is asked for and there is none, or the threads can no longer be set.
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
    threads = 0 if runtime.threads == "auto" else runtime.threads
    if threads != tf.config.threading.get_intra_op_parallelism_threads():
        try:
            tf.config.threading.set_intra_op_parallelism_threads(threads)
        except RuntimeError as error:
            raise ResourceError("runtime.threads can be set only once in a process, before anything runs") from error
    if runtime.deterministic and device == "gpu":
        # On a CPU all operations are deterministic as they are, and this switch would make Keras refuse XLA.
        tf.config.experimental.enable_op_determinism()
    strategy = tf.distribute.MirroredStrategy() if runtime.strategy == "mirrored" else tf.distribute.get_strategy()
    return Devices(device, threads, runtime.strategy, runtime.deterministic), strategy


def choose_jit(runtime: RuntimeSection, model: Any, devices: Devices, steps: int) -> bool:
    """Resolve ``jit_compile: auto`` by a fixed rule, never by a timing: the same specification gives the same bits.

    XLA is used where it is known to pay: on one device, for models without convolutions or pooling on a CPU (measured:
    up to 100 times slower), when there are steps enough to earn back the compilation, and when no layer rules it out.

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
    return supported and not (devices.device == "cpu" and is_slow_in_xla_loop(model))


def is_slow_in_xla_loop(model: Any) -> bool:
    """Whether a model has layers that XLA should not compile inside a loop on a CPU."""
    names = [type(layer).__name__ for layer in model._flatten_layers(include_self=False)]
    return any(part in name for name in names for part in SLOW_IN_XLA_LOOP)
