"""Values in a few characters: numbers, settings, ages, sizes, and curves as bars of text."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from nnrun.cli.console import printable
from nnrun.store.query import ABSENT
from nnrun.store.values import number_of

BARS = "▁▂▃▄▅▆▇█"
GAP = "x"
"""Stands in a curve where a value is not finite or missing."""

BEST = "★"
LOG_FROM = 100
"""A positive curve whose highest value is more than so many times its lowest is drawn on a logarithmic scale."""

LONGEST_SETTING = 40
UNITS = ("B", "kB", "MB", "GB", "TB")
AGES = ((86400 * 365, "y"), (86400, "d"), (3600, "h"), (60, "min"))


def number(value: float) -> str:
    """A loss or a metric in a few characters: ``0.0719``, ``12.34``, ``1.2e-05``."""
    if value == 0 or 1e-3 <= abs(value) < 1e4:
        return f"{value:.4f}"
    return f"{value:.3g}"


def duration(seconds: float) -> str:
    """``0:42``, ``1:02:03``; tenths below ten seconds."""
    if not 10 <= seconds < 1e12:
        return f"{seconds:.1f}s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def age(seconds: float | None) -> str:
    """``3 h ago``."""
    if seconds is None:
        return "?"
    for unit, name in AGES:
        if seconds >= unit:
            return f"{seconds / unit:,.0f} {name} ago"
    return "in the future" if seconds < -1 else "just now"


def size(count: float) -> str:
    """``21.4 kB``."""
    power = min(len(UNITS) - 1, int(math.log(max(count, 1), 1000)))
    return f"{count:.0f} B" if power == 0 else f"{count / 1000**power:.1f} {UNITS[power]}"


def setting(value: Any, longest: int = LONGEST_SETTING) -> str:
    """A value of a specification on one line, as it is written there but for quotes."""
    text = printable(_setting(value))
    return text if len(text) <= longest else text[: longest - 3] + "..."


def _setting(value: Any) -> str:
    match value:
        case dict():
            inner = ", ".join(f"{key}: {_setting(item)}" for key, item in value.items())
            return inner if len(value) == 1 else f"{{{inner}}}"
        case list():
            return f"[{', '.join(map(_setting, value))}]"
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case float():
            return f"{value:.6g}"
    return "-" if value is ABSENT else str(value)


@dataclass(frozen=True)
class Scale:
    """What the lowest and the highest bar of a curve stand for.

    Args:
        low: The value of the lowest bar.
        high: The value of the highest one.
        is_log: Whether equal steps up are equal factors; so for losses that fall by orders of magnitude.
    """

    low: float
    high: float
    is_log: bool = False

    @classmethod
    def of(cls, values: Sequence[Any]) -> Scale | None:
        """The scale on which all values fit; None where none of them is a finite number."""
        known = finite_numbers(values)
        if not known:
            return None
        low, high = min(known), max(known)
        return cls(low, high, is_log=low > 0 and high / low > LOG_FROM)

    def height(self, value: float) -> float:
        """From 0, the lowest bar, to 1."""
        if self.high <= self.low:
            return 0.0
        if self.is_log:
            return (math.log(value) - math.log(self.low)) / (math.log(self.high) - math.log(self.low))
        return (value / 2 - self.low / 2) / (self.high / 2 - self.low / 2)  # halves: no overflow

    def __str__(self) -> str:
        return f"{number(self.low)} to {number(self.high)}{', logarithmic' if self.is_log else ''}"


def sparkline(values: Sequence[Any], width: int, scale: Scale) -> str:
    """Values as bars of eight heights.

    Args:
        values: One for each epoch; what is no finite number becomes an ``x``.
        width: Characters at most; of more epochs each bar is the mean of several.
        scale: Of the bars.
    """
    return "".join(_bar(group, scale) for group in _groups(values, width))


def _groups(values: Sequence[Any], width: int) -> list[Sequence[Any]]:
    """The values in at most ``width`` stretches whose lengths differ by one at most."""
    count = min(len(values), width)
    edges = [len(values) * index // count for index in range(count + 1)] if count else []
    return [values[start:end] for start, end in itertools.pairwise(edges)]


def _bar(values: Sequence[Any], scale: Scale) -> str:
    known = finite_numbers(values)
    if len(known) < len(values):
        return GAP
    height = sum(map(scale.height, known)) / len(known)
    return BARS[max(0, min(len(BARS) - 1, int(height * len(BARS))))]


def finite_numbers(values: Sequence[Any]) -> list[float]:
    """The values that are finite numbers."""
    numbers = (number_of(value) for value in values)
    return [value for value in numbers if value is not None and math.isfinite(value)]
