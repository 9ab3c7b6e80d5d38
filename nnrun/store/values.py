"""Values that a stranger may have written: shortened, and of the kind that is needed or absent."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any, Literal

LONGEST_TEXT = 1000
"""Characters of a text; a longer one is shortened, and so is a list of numbers (the specification may hold data)."""

LONGEST_LIST = 200
SHOWN_OF_LONG = 60

LESS = {
    "loss",
    "error",
    "crossentropy",
    "divergence",
    "hinge",
    "poisson",
    "logcosh",
    "mse",
    "mae",
    "mape",
    "msle",
    "rmse",
}
MORE = {
    "accuracy",
    "acc",
    "auc",
    "precision",
    "recall",
    "sensitivity",
    "specificity",
    "score",
    "u",
    "iou",
    "correlation",
    "similarity",
}
"""Words in the names of metrics, Keras's and common ones, by which less or more of them is better."""


def brief(value: Any) -> Any:
    """The value with long texts and long lists of plain values shortened, told apart by their SHA-256."""
    if isinstance(value, dict):
        return {brief(key): brief(item) for key, item in value.items()}
    if isinstance(value, list):
        if any(isinstance(item, dict) for item in value):
            return [brief(item) for item in value]
        text = json.dumps(value)
        return value if len(text) <= LONGEST_LIST else _shortened(text, f"{len(value):,} items")
    if isinstance(value, str):
        text = value if value.isascii() else value.encode(errors="backslashreplace").decode()
        return text if len(text) <= LONGEST_TEXT else _shortened(text, f"{len(text):,} characters")
    return value


def _shortened(text: str, size: str) -> str:
    digest = hashlib.sha256(text.encode()).hexdigest()[:8]
    return f"{text[:SHOWN_OF_LONG]}... ({size}, {digest})"


def map_at(values: dict[str, Any], key: str) -> dict[str, Any]:
    """The map under a key; an empty one where something else is there."""
    value = values.get(key)
    return value if isinstance(value, dict) else {}


def number_of(value: Any) -> float | None:
    """The value where it is a number that can be reckoned with."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value)
    except OverflowError:
        return None


def count_of(value: Any) -> int | None:
    """The value where it is a whole number."""
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def best_row(rows: Sequence[dict[str, Any]], monitor: str) -> dict[str, Any] | None:
    """The row with the best value; None where nobody knows what is better."""
    side = better(monitor)
    known = [row for row in rows if number_of(row.get(monitor)) is not None]
    if side is None or not known:
        return None
    return (min if side == "min" else max)(known, key=lambda row: row[monitor])


def better(metric: str) -> Literal["min", "max"] | None:
    """Whether less or more of a metric is better, by its name; the last word that tells decides."""
    for word in reversed(metric.lower().split("_")):
        plain = word.rstrip("0123456789")
        if plain in LESS:
            return "min"
        if plain in MORE:
            return "max"
    return None
