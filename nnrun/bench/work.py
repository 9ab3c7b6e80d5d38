"""What a side is, what it does in a turn, and what comes of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Trainer = Literal["fit", "nnrun", "torch", "lightning"]


@dataclass(frozen=True)
class Side:
    """One way to train.

    Args:
        label: What it is called in the table.
        program: Keras's ``fit``, nnrun's engine, a PyTorch loop or a Lightning Trainer.
        steps_per_execution: Of ``fit``.
        jit_compile: Whether the steps are compiled with XLA; None: Keras decides.
    """

    label: str
    program: Trainer = "fit"
    steps_per_execution: int = 1
    jit_compile: bool | None = None


@dataclass(frozen=True)
class Work:
    """What a side does in one turn.

    Args:
        examples: How many, from the first on.
        epochs: Passes over them.
        shuffle: Whether in a new order every epoch; the sides draw other orders.
        only_first_step: Stop after the first step.
    """

    examples: int
    epochs: int
    shuffle: bool
    only_first_step: bool = False


@dataclass(frozen=True)
class Turn:
    """What came of a turn.

    Args:
        first_step: Seconds from the loaded data to the end of the first step; only where nothing else was done.
        seconds: Of each epoch; the first one begins with the loaded data, so it builds and compiles too.
        logs: Losses and metrics of each epoch.
        weights: SHA-256 of all the model's variables; empty where they are no Keras variables.
        jit_compile: Whether the steps were compiled with XLA.
        steps_per_execution: Of ``fit``.
    """

    first_step: float | None
    seconds: list[float]
    logs: list[dict[str, float]]
    weights: str
    jit_compile: bool
    steps_per_execution: int


FIT = Side("fit")
FIT_32 = Side("fit, 32 steps", steps_per_execution=32)
NNRUN = Side("nnrun", "nnrun")
TORCH = Side("PyTorch", "torch")
LIGHTNING = Side("Lightning", "lightning")
