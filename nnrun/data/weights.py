"""Weights of examples, from a NumPy file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnrun.errors import DataError
from nnrun.spec.names import shorten


def load_weights(path: Path, count: int) -> NDArray[np.float32]:
    """Read what each training example counts.

    Args:
        path: A ``.npy`` file of ``count`` numbers, none of them negative.
        count: The training examples of the source, before a validation part is taken from them.

    Returns:
        float32 of shape (count,).

    Raises:
        DataError: There is no such file, or it is not of this form.
    """
    wanted = f"expected {count:,} numbers, one for each training example (numpy.save)"
    try:
        # Mapped, not read: an array that is too large is refused by its header alone.
        found: Any = np.load(path, mmap_mode="r", allow_pickle=False)
    except FileNotFoundError:
        raise DataError(f"data.sample_weight: there is no file {path}; {wanted}") from None
    except (
        Exception
    ) as error:  # NumPy reads headers with Python's own parser, and lets all its errors through
        reason = shorten(" ".join(str(error).split()), 200)
        raise DataError(
            f"data.sample_weight: {path} cannot be read as an array ({reason}); {wanted}"
        ) from None
    if not isinstance(found, np.ndarray):
        found.close()
        raise DataError(f"data.sample_weight: {path} holds an archive; {wanted}")
    if found.shape != (count,) or found.dtype.kind not in "fiub":
        raise DataError(f"data.sample_weight: {path} holds {found.dtype} {found.shape}; {wanted}")
    with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite
        weights = np.array(found, dtype=np.float32)  # a copy, whatever becomes of the file
    if not np.isfinite(weights).all() or (found < 0).any() or not weights.any():
        raise DataError(
            f"data.sample_weight: {path} holds numbers that are no weights: negative, not finite or all 0"
        )
    return weights
