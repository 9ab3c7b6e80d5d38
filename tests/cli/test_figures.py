"""Values in a few characters."""

from __future__ import annotations

from typing import Any

import pytest

from nnrun.cli import wording
from nnrun.cli.figures import Scale, age, duration, number, setting, size, sparkline
from nnrun.store.query import ABSENT


@pytest.mark.parametrize("value", [0, 0.0719, 12.34, 1.2e-5, -3.0, 9999.9, 1e4, 1e300])
def test_numbers_are_written_as_everywhere(value: float) -> None:
    assert number(value) == wording.number(value)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "just now"),
        (59, "just now"),
        (60, "1 min ago"),
        (3 * 3600 + 100, "3 h ago"),
        (86400 * 2, "2 d ago"),
        (86400 * 800, "2 y ago"),
        (-100, "in the future"),
        (None, "?"),
    ],
)
def test_age_is_told_in_one_unit(seconds: float | None, text: str) -> None:
    assert age(seconds) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (21437, "21.4 kB"),
        (5e9, "5.0 GB"),
        (1e18, "1000000.0 TB"),
    ],
)
def test_size_is_told_in_one_unit(count: float, text: str) -> None:
    assert size(count) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.5, "0.5s"), (42, "0:42"), (3723, "1:02:03"), (float("nan"), "nans"), (-5, "-5.0s")],
)
def test_duration_is_told_as_a_clock(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, "true"),
        (None, "null"),
        (ABSENT, "-"),
        (0.001, "0.001"),
        (1e-05, "1e-05"),
        (10**400, "1" + "0" * 36 + "..."),
        ("a\x1b[2J", r"a\x1b[2J"),
        ([1, [2, 3]], "[1, [2, 3]]"),
        ({"SGD": {"momentum": 0.9, "nesterov": True}}, "SGD: {momentum: 0.9, nesterov: true}"),
        ("x" * 50, "x" * 37 + "..."),
    ],
)
def test_setting_is_written_on_one_line(value: Any, text: str) -> None:
    assert setting(value) == text


def curve(values: list[Any], width: int = 40) -> str:
    scale = Scale.of(values)
    assert scale
    return sparkline(values, width, scale)


def test_curve_goes_from_the_lowest_bar_to_the_highest() -> None:
    assert curve([0, 1, 2, 3, 4, 5, 6, 7]) == "▁▂▃▄▅▆▇█"
    assert curve([5, 5]) == "▁▁"
    assert curve([-1e308, 1e308]) == "▁█"


def test_curve_of_a_loss_over_orders_of_magnitude_is_logarithmic() -> None:
    assert curve([1000, 100, 10, 1]) == "█▆▃▁"
    assert curve([0, 1, 1000]) == "▁▁█"  # zero has no logarithm
    assert str(Scale.of([1000, 1])) == "1.0000 to 1000.0000, logarithmic"
    assert curve([5e-324, 1e308]) == "▁█"


def test_value_that_is_no_finite_number_is_marked() -> None:
    assert curve([0, "nan", None, float("inf"), True, 10**400, 1]) == "▁xxxxx█"
    assert Scale.of(["nan", None]) is None


@pytest.mark.parametrize("count", [1, 7, 39, 40, 41, 1000])
def test_curve_of_many_epochs_fits_the_width_and_counts_every_epoch(count: int) -> None:
    assert len(curve(list(range(count)))) == min(count, 40)
    assert curve([0] * (count - 1) + [1], 40).count("▁") >= min(count, 40) - 1
    assert curve(["nan", *range(count)], 5).startswith("x")
