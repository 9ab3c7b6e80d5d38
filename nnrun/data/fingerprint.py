"""What identifies a data set: a hash of its content."""

from __future__ import annotations

import hashlib

import numpy as np

from nnrun.data.examples import Dataset, Examples


def fingerprint(dataset: Dataset) -> str:
    """A SHA-256 over the names, dtypes, shapes and bytes of all arrays of the training and the test part.

    Returns:
        ``sha256:`` and 64 hexadecimal digits.
    """
    digest = hashlib.sha256()
    for part, examples in (("train", dataset.train), ("test", dataset.test)):
        for name, array in _arrays(examples):
            values = np.ascontiguousarray(array)
            digest.update(f"{part}.{name} {values.dtype.str} {values.shape}\n".encode())
            digest.update(values.reshape(-1).view(np.uint8).data)
    return f"sha256:{digest.hexdigest()}"


def _arrays(examples: Examples | None) -> list[tuple[str, np.ndarray]]:
    if examples is None:
        return []
    arrays = examples.x if isinstance(examples.x, dict) else {"": examples.x}
    found = [(f"x.{name}" if name else "x", array) for name, array in sorted(arrays.items())]
    weights = [] if examples.weights is None else [("weights", examples.weights)]
    return [*found, ("y", examples.y), *weights]
