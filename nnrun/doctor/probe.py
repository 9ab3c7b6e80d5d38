"""What TensorFlow does here, in a process of its own: a broken one can end it, but not ``nnrun doctor``.

It writes one line of JSON: what was found, or ``{"failed": ...}``.
"""

from __future__ import annotations

import json
import time
import traceback
from typing import Any

import numpy as np

from nnrun.keras_backend import divert_native_noise, load_keras, load_tensorflow
from nnrun.machine.interpreter import take_output
from nnrun.machine.speed import copy_rate, matrix_product_rate

EXAMPLES, BATCH_SIZE = 2048, 32
WARM_STEPS, TIMED_STEPS = 16, 64


def import_tensorflow() -> dict[str, Any]:
    """Import TensorFlow and see its devices."""
    started = time.perf_counter()
    tf = load_tensorflow()
    seconds = time.perf_counter() - started
    return {
        "import_seconds": round(seconds, 2),
        "tensorflow": tf.__version__,
        "keras": load_keras().__version__,
        "cuda_build": bool(tf.sysconfig.get_build_info().get("is_cuda_build")),
        "rocm_build": bool(tf.sysconfig.get_build_info().get("is_rocm_build")),
        "gpus": [_gpu_name(tf, gpu) for gpu in tf.config.list_physical_devices("GPU")],
    }


def measure() -> dict[str, Any]:
    """How fast it is, found in about two seconds."""
    return {
        "matrix_product_flops": matrix_product_rate("float32"),
        "copied_bytes_per_second": copy_rate(),
        "training_steps_per_second": training_rate(),
    }


def _gpu_name(tf: Any, gpu: Any) -> str:
    return str(tf.config.experimental.get_device_details(gpu).get("device_name", gpu.name))


def training_rate(seconds: float = 0.4) -> float:
    """Training steps in a second of a network of 784-128-10 neurons with Adam, batches of 32."""
    from nnrun.data.examples import Examples
    from nnrun.training.engine import Engine
    from nnrun.training.feed import make_feed

    keras, random = load_keras(), np.random.default_rng(0)
    model = keras.Sequential(
        [
            keras.Input((784,)),
            keras.layers.Dense(128, "relu"),
            keras.layers.Dense(10, "softmax"),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy", jit_compile=False)
    x = random.random((EXAMPLES, 784), "float32")
    y = random.integers(0, 10, EXAMPLES).astype("int32")
    feed = make_feed(Examples(x, y), divisor=None, targets="indices", classes=10)
    engine = Engine(model)
    engine.build(feed, BATCH_SIZE)
    steps = engine.training(feed)
    order = np.arange(EXAMPLES, dtype=np.int32).reshape(-1, BATCH_SIZE)
    steps(order, 0, WARM_STEPS)
    engine.wait()
    done, started = 0, time.perf_counter()
    while time.perf_counter() - started < seconds:
        steps(order, 0, TIMED_STEPS)
        engine.wait()
        done += TIMED_STEPS
    return done / (time.perf_counter() - started)


def main() -> None:
    """Write what was found."""
    answers = take_output()
    divert_native_noise(None)
    found: dict[str, Any] = {}
    try:
        found |= import_tensorflow()
        found |= measure()
    except BaseException as error:
        last = traceback.format_exception_only(error)[-1].strip()
        found |= {"failed": last, "missing": getattr(error, "name", None) or ""}
    answers.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
