"""Weights of examples, from a NumPy file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnrun.errors import DataError


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
        found: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
    except FileNotFoundError:
        raise DataError(f"data.sample_weight: there is no file {path}; {wanted}") from None
    except (OSError, ValueError, EOFError) as error:
        reason = " ".join(str(error).split())
        raise DataError(
            f"data.sample_weight: {path} cannot be read as an array ({reason}); {wanted}"
        ) from None
    if not isinstance(found, np.ndarray) or found.shape != (count,) or found.dtype.kind not in "fiub":
        shape = f"{found.dtype} {found.shape}" if isinstance(found, np.ndarray) else "an archive"
        raise DataError(f"data.sample_weight: {path} holds {shape}; {wanted}")
    weights = np.asarray(found, dtype=np.float32)
    if not np.isfinite(weights).all() or (weights < 0).any() or not weights.any():
        raise DataError(
            f"data.sample_weight: {path} holds numbers that are no weights: negative, NaN or all 0"
        )
    return weights
