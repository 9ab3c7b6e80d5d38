"""Train neural networks that are described in a YAML file.

import nnrun

run = nnrun.train("configs/xor.yaml", {"training.epochs": 50})
nnrun.open_run("latest").history["loss"]
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nnrun.api import OpenedRun, open_run, train

__version__ = "0.1.0"
__all__ = ["OpenedRun", "__version__", "open_run", "train"]


def __getattr__(name: str) -> Any:
    """What trains is imported when it is asked for: ``import nnrun`` takes no time."""
    if name in __all__:
        from nnrun import api

        return getattr(api, name)
    raise AttributeError(f"module 'nnrun' has no attribute {name!r}")
