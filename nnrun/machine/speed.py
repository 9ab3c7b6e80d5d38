"""How fast the machine is: a matrix product, and copying in memory."""

from __future__ import annotations

import time

import numpy as np

from nnrun.keras_backend import load_tensorflow

SIZE = 1536
"""Rows and columns of the matrices: large enough for the best rate, a product takes some hundredths of a second."""

COPIED_BYTES = 64 << 20
"""More than any processor's caches hold."""


def matrix_product_rate(dtype: str, seconds: float = 0.4) -> float:
    """The best rate of a product of two matrices, as TensorFlow computes it here.

    Args:
        dtype: ``float32``, ``bfloat16`` or ``float16``.
        seconds: How long to try.

    Returns:
        Floating point operations in a second: 2 n^3 for a product of n x n matrices.
    """
    tf = load_tensorflow()
    left, right = (tf.cast(tf.random.stateless_uniform((SIZE, SIZE), (7, n)), dtype) for n in (1, 2))
    best, end = float("inf"), time.perf_counter() + seconds
    turns = 0
    while turns < 3 or time.perf_counter() < end:
        started = time.perf_counter()
        tf.linalg.matmul(left, right)[0, 0].numpy()  # reading a value waits for a GPU
        best = min(best, time.perf_counter() - started)
        turns += 1
    return float(2 * SIZE**3 / best)


def copy_rate(seconds: float = 0.3) -> float:
    """The best rate of copying in memory, by one thread.

    Returns:
        Bytes in a second, those read and those written together.
    """
    source = np.ones(COPIED_BYTES, np.uint8)
    target = np.empty_like(source)
    best, end = float("inf"), time.perf_counter() + seconds
    turns = 0
    while turns < 3 or time.perf_counter() < end:
        started = time.perf_counter()
        np.copyto(target, source)
        best = min(best, time.perf_counter() - started)
        turns += 1
    return 2 * COPIED_BYTES / best


def peak_memory() -> int | None:
    """The most bytes of memory that this process held so far; None where the system does not tell."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    import sys

    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return used if sys.platform == "darwin" else used * 1024
