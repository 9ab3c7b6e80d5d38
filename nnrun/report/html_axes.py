"""Axes of the drawings of a page: from values to places on the paper, and the lines and numbers beside them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from nnrun.report.page import Markup, element

WIDTH, HEIGHT = 360, 220
LEFT, RIGHT, TOP, BOTTOM = 62, 12, 12, 28
"""The margins around the curves, for the numbers of the axes."""

STEEP = 100
"""A curve whose values differ by so large a factor is drawn on a logarithmic scale."""


@dataclass(frozen=True)
class Axis:
    """From the values of an axis to places on the paper.

    Args:
        low: The least value.
        high: The greatest value; greater than ``low``.
        is_log: Whether equal steps are equal factors.
    """

    low: float
    high: float
    is_log: bool = False

    @classmethod
    def around(cls, values: Sequence[float]) -> Axis:
        """The axis on which the values fit, with some air."""
        low, high = min(values), max(values)
        if low > 0 and high > STEEP * low:
            return cls(low / 1.2, high * 1.2, is_log=True)
        return cls.linear(values)

    @classmethod
    def linear(cls, values: Sequence[float]) -> Axis:
        """The axis on which the values fit, equal steps at equal distances."""
        low, high = min(values), max(values)
        margin = 0.05 * (high - low) or abs(high) * 0.1 or 0.5
        return cls(0.0 if 0 <= low <= margin else low - margin, high + margin)

    def share(self, value: float) -> float:
        """0 for the least value, 1 for the greatest one."""
        if self.is_log:
            return math.log(value / self.low) / math.log(self.high / self.low)
        return (value - self.low) / (self.high - self.low)

    def ticks(self, count: int = 4) -> list[float]:
        """Round values that lie on it."""
        if self.is_log:
            powers = range(math.ceil(math.log10(self.low)), math.floor(math.log10(self.high)) + 1)
            return [10.0**power for power in powers[:: max(1, math.ceil(len(powers) / 6))]]
        rough = (self.high - self.low) / count
        power = 10.0 ** math.floor(math.log10(rough))
        step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough)
        first, last = math.ceil(self.low / step), math.floor(self.high / step)
        return [index * step for index in range(first, last + 1)]


def grid(across: Axis, up: Axis, *, is_whole: bool = False) -> list[Markup]:
    """The lines and the numbers of the axes.

    Args:
        across: Of the values from left to right.
        up: Of the values from below.
        is_whole: Whether only whole numbers stand across, such as epochs.
    """
    parts = []
    for tick in up.ticks(5):
        y = y_of(up, tick)
        parts.append(line("grid", LEFT, y, WIDTH - RIGHT, y))
        parts.append(element("text", f"{tick:.6g}", x=LEFT - 8, y=f"{y + 4:.1f}", text_anchor="end"))
    for tick in across.ticks(5):
        if not is_whole or tick == int(tick):
            text = f"{int(tick):,}" if is_whole else f"{tick:.6g}"
            x = f"{x_of(across, tick):.1f}"
            parts.append(element("text", text, x=x, y=HEIGHT - 8, text_anchor="middle"))
    return [*parts, line("axis", LEFT, HEIGHT - BOTTOM, WIDTH - RIGHT, HEIGHT - BOTTOM)]


def line(kind: str, x1: float, y1: float, x2: float, y2: float) -> Markup:
    """A straight line; ``kind`` is what the stylesheet knows it by."""
    places = {"x1": x1, "y1": y1, "x2": x2, "y2": y2}
    return element("line", class_=kind, **{name: f"{value:.1f}" for name, value in places.items()})


def x_of(across: Axis, value: float) -> float:
    """Where a value stands from the left."""
    return LEFT + across.share(value) * (WIDTH - LEFT - RIGHT)


def y_of(up: Axis, value: float) -> float:
    """Where a value stands from the top."""
    return HEIGHT - BOTTOM - up.share(value) * (HEIGHT - TOP - BOTTOM)
