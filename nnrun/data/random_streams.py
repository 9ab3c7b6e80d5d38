"""Random numbers for the data: one stream for each purpose, a function of the seed alone."""

from __future__ import annotations

import numpy as np

# The order of examples in an epoch takes the streams (seed, epoch); these lie beyond every epoch.
SPLIT = 2**63
POINTS = 2**63 + 1


def random_stream(seed: int, purpose: int) -> np.random.Generator:
    """Random numbers that no other purpose shares.

    Args:
        seed: The specification's seed.
        purpose: ``SPLIT`` or ``POINTS``.
    """
    return np.random.Generator(np.random.Philox(key=np.array([seed, purpose], dtype=np.uint64)))
