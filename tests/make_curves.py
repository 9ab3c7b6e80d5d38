"""Sample the curves of Keras's activations and schedules into ``nnrun/explain/curves.json``.

    python tests/make_curves.py

``nnrun explain`` draws them without loading TensorFlow. A test holds the file against the installed Keras.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from nnrun.keras_backend import load_keras
from nnrun.model.parts import find_object, make_part
from nnrun.spec import catalog
from nnrun.spec.schema import Choice

FILE = Path(__file__).parents[1] / "nnrun" / "explain" / "curves.json"
POINTS = np.linspace(-5, 5, 101, dtype="float32")
BY_VECTOR = ("softmax", "log_softmax", "sparsemax", "glu")
"""Activations that look at all values at once: there is no curve of one value."""

SCHEDULES: dict[str, dict[str, Any]] = {
    "CosineDecay": {"initial_learning_rate": 0.01, "decay_steps": 1000},
    "CosineDecayRestarts": {"initial_learning_rate": 0.01, "first_decay_steps": 250},
    "ExponentialDecay": {"initial_learning_rate": 0.01, "decay_steps": 200, "decay_rate": 0.5},
    "InverseTimeDecay": {"initial_learning_rate": 0.01, "decay_steps": 100, "decay_rate": 0.5},
    "PiecewiseConstantDecay": {"boundaries": [300, 700], "values": [0.01, 0.005, 0.001]},
    "PolynomialDecay": {"initial_learning_rate": 0.01, "decay_steps": 1000, "end_learning_rate": 0.001},
}
STEPS = range(0, 1010, 10)


def sample() -> dict[str, Any]:
    """The curves, with six significant digits."""
    ops = load_keras().ops
    activations = {}
    for name in catalog.names("activation"):
        part = catalog.find("activation", name)
        if part is not None and part.name == name and name not in BY_VECTOR:
            values = ops.convert_to_numpy(find_object(part)(ops.convert_to_tensor(POINTS)))
            activations[name] = [rounded(value) for value in values]
    schedules = {}
    for name, arguments in SCHEDULES.items():
        schedule = make_part("schedule", Choice(name, arguments))
        rates = [rounded(ops.convert_to_numpy(schedule(step))) for step in STEPS]
        schedules[name] = {"arguments": arguments, "rates": rates}
    return {
        "points": [rounded(point) for point in POINTS],
        "activations": activations,
        "steps": list(STEPS),
        "schedules": schedules,
    }


def rounded(value: Any) -> float:
    return float(f"{float(value):.6g}")


if __name__ == "__main__":
    FILE.write_text(json.dumps(sample(), separators=(",", ":")).replace('],"', '],\n"') + "\n", "utf-8")
    print(f"{FILE}: {FILE.stat().st_size:,} bytes")
