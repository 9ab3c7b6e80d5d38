"""The curves of activations and schedules, in characters and as a picture."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nnrun.errors import Problem, ResourceError, SpecError
from nnrun.spec import catalog
from nnrun.spec.catalog import Kind
from nnrun.spec.schema import Choice
from nnrun.store.durable import explained

FILE = Path(__file__).with_name("curves.json")
"""Sampled from Keras by ``tests/make_curves.py``."""

WIDTH, HEIGHT = 61, 11
PICTURES = (".png", ".svg", ".pdf")


@dataclass(frozen=True)
class Curve:
    """A function of one number at some points.

    Args:
        title: What it is.
        x: The points, ascending.
        y: The values.
        x_name: What the points are: ``x``, ``step``.
        y_name: What the values are.
    """

    title: str
    x: list[float]
    y: list[float]
    x_name: str
    y_name: str


def find_curve(kind: Kind, name: str, arguments: dict[str, Any] | None = None) -> Curve | None:
    """The curve of an activation or a schedule; None where there is none.

    Args:
        kind: What the name stands for.
        name: As it is written.
        arguments: Of a schedule, whose curve Keras then computes; None: those of an example.
    """
    part = catalog.find(kind, name)
    if part is None or kind not in ("activation", "schedule"):
        return None
    if arguments or not part.module.startswith(("keras.", "nnrun.")):
        return _computed(kind, Choice(name, arguments or {}))
    known = json.loads(FILE.read_text("utf-8"))
    if kind == "activation" and part.name in known["activations"]:
        return Curve(part.name, known["points"], known["activations"][part.name], "x", f"{part.name}(x)")
    if kind == "schedule" and part.name in known["schedules"]:
        found = known["schedules"][part.name]
        written = ", ".join(f"{key}: {value}" for key, value in found["arguments"].items())
        return Curve(f"{part.name}: {{{written}}}", known["steps"], found["rates"], "step", "learning rate")
    return None


def _computed(kind: Kind, choice: Choice) -> Curve:
    """What Keras computes; a part of the user's file runs here."""
    import numpy as np

    from nnrun.keras_backend import load_keras
    from nnrun.model.parts import make_part

    ops = load_keras().ops
    made = make_part(kind, choice)
    if kind == "activation":
        x = np.linspace(-5, 5, 101, dtype="float32")
        y = ops.convert_to_numpy(made(ops.convert_to_tensor(x)))
        return Curve(choice.name, x.tolist(), np.asarray(y).tolist(), "x", f"{choice.name}(x)")
    last = next((value for key, value in choice.arguments.items() if "steps" in key), 1000)
    x = np.linspace(0, 1.25 * float(last), 101).round()
    rates = [float(ops.convert_to_numpy(made(step))) for step in x]
    return Curve(str(choice.name), x.tolist(), rates, "step", "learning rate")


def draw(curve: Curve, mark: str = "•") -> list[str]:
    """A curve in characters, with the ends of both axes named.

    Args:
        curve: What to draw.
        mark: A point of it; a star where the terminal cannot show dots.
    """
    low, high = min(curve.y), max(curve.y)
    span = (high - low) or 1.0
    rows = [[" "] * WIDTH for _ in range(HEIGHT)]
    for x, y in zip(curve.x, curve.y, strict=True):
        column = round((x - curve.x[0]) / ((curve.x[-1] - curve.x[0]) or 1) * (WIDTH - 1))
        rows[HEIGHT - 1 - round((y - low) / span * (HEIGHT - 1))][column] = mark
    labels = {0: f"{high:.4g}", HEIGHT - 1: f"{low:.4g}"}
    margin = max(map(len, labels.values()))
    lines = [
        f"{labels.get(number, ''):>{margin}} |{''.join(row).rstrip()}" for number, row in enumerate(rows)
    ]
    left, right = f"{curve.x[0]:g}", f"{curve.x[-1]:g}"
    axis = f"{left}{curve.x_name:^{WIDTH - len(left) - len(right)}}{right}"
    return [*lines, f"{'':>{margin}} +{'-' * WIDTH}", f"{'':>{margin}}  {axis}"]


def plot(curve: Curve, path: Path) -> None:
    """Draw a curve into a picture.

    Raises:
        SpecError: The file's ending is not that of a picture.
        ResourceError: matplotlib is not installed, or the file cannot be written.
    """
    if path.suffix.lower() not in PICTURES:
        message = f"--plot: expected a file that ends in {', '.join(PICTURES)}; found {path.name}"
        raise SpecError([Problem(message)])
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise ResourceError("--plot draws with matplotlib; install it: pip install matplotlib") from None
    figure = Figure(figsize=(6, 4), layout="constrained")
    axes = figure.add_subplot()
    axes.axhline(0, color="0.8", linewidth=0.8)
    axes.plot(curve.x, curve.y)
    axes.set(title=curve.title, xlabel=curve.x_name, ylabel=curve.y_name)
    axes.grid(alpha=0.3)
    with explained(path):
        figure.savefig(path, dpi=150)
