"""The drawings of an output: what becomes of a class at every threshold, whether probabilities hold, and how far
numbers are off.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

from nnrun.report.html_axes import BOTTOM, HEIGHT, WIDTH, Axis, grid, line, x_of, y_of
from nnrun.report.html_reading import Map, maps_in
from nnrun.report.page import Markup, element, figure
from nnrun.spec.names import shorten
from nnrun.store.values import map_at, number_of

Point = tuple[float, float]

SHARES = Axis(0.0, 1.0)
LARGEST_DOT = 9.0
MOST_POINTS = 1_000
MOST_COLUMNS = 8
LONGEST_NAME = 40
LARGEST = 1e100


def draw_charts(reports: Map) -> list[Markup]:
    """What there is to draw of an output.

    Args:
        reports: Its reports by name: ``report``, ``points``.

    Returns:
        A panel for each drawing.
    """
    points, report = map_at(reports, "points"), map_at(reports, "report")
    panels = [*_calibration(map_at(report, "calibration")), *_thresholds(points)]
    for column in maps_in(points, "columns")[:MOST_COLUMNS]:
        panels += [*_agreement(column), *_residuals(column)]
    return panels


def _thresholds(points: Map) -> Iterator[Markup]:
    """The ROC curve and the precision-recall curve of the second of two classes."""
    of_class = shorten(str(points.get("of", "")), LONGEST_NAME)
    drawn = (
        ("roc", "ROC curve", "true positive rate", "false positive rate", "area under it"),
        ("precision_recall", "Precision and recall", "precision", "recall", "average precision"),
    )
    for name, title, up, across, said in drawn:
        places, area = _pairs(map_at(points, name).get("points")), number_of(map_at(points, name).get("area"))
        if not places or area is None:
            continue
        chance = line("best", x_of(SHARES, 0), y_of(SHARES, 0), x_of(SHARES, 1), y_of(SHARES, 1))
        drawing = [chance if name == "roc" else None, _curve(places, SHARES, SHARES)]
        words = f"up: {up}; across: {across}, for the class {of_class}"
        yield _panel(title, f"{said} {figure(area)}", words, [*grid(SHARES, SHARES), *drawing])


def _calibration(calibration: Map) -> Iterator[Markup]:
    """Probabilities against how often they came true; a dot's area is the share of the examples."""
    bins = []
    for one in maps_in(calibration, "bins")[:MOST_POINTS]:
        values = [number_of(one.get(name)) for name in ("predicted", "observed", "examples")]
        if all(value is not None and 0 <= value < LARGEST for value in values):
            bins.append([value or 0.0 for value in values])
    total, error = sum(count for _, _, count in bins), number_of(calibration.get("expected_error"))
    if not total or error is None:
        return
    dots = [
        _dot((said, true), SHARES, SHARES, max(2.5, LARGEST_DOT * math.sqrt(count / total)))
        for said, true, count in bins
        if said <= 1 and true <= 1
    ]
    ideal = line("best", x_of(SHARES, 0), y_of(SHARES, 0), x_of(SHARES, 1), y_of(SHARES, 1))
    joined = _curve([(said, true) for said, true, _ in bins if said <= 1 and true <= 1], SHARES, SHARES)
    words = "up: how often it came true; across: the probability; on the dashed line both agree"
    drawing = [*grid(SHARES, SHARES), ideal, joined, *dots]
    yield _panel("Calibration", f"expected error {figure(error)}", words, drawing)


def _agreement(column: Map) -> Iterator[Markup]:
    """Predicted numbers against true ones."""
    targets, predicted = _numbers(column.get("target")), _numbers(column.get("predicted"))
    places = list(zip(targets, predicted, strict=False))
    if not places or len(targets) != len(predicted):
        return
    across, up = Axis.linear(targets), Axis.linear([*targets, *predicted])
    low, high = max(across.low, up.low), min(across.high, up.high)
    ideal = line("best", x_of(across, low), y_of(up, low), x_of(across, high), y_of(up, high))
    dots = [_dot(place, across, up, 3.0) for place in places]
    name = shorten(str(column.get("name", "")), LONGEST_NAME)
    words = "up: predicted; across: true; on the dashed line both agree"
    yield _panel(f"{name}: predicted and true", f"{len(places):,} examples", words,
                 [*grid(across, up), ideal, *dots])  # fmt: skip


def _residuals(column: Map) -> Iterator[Markup]:
    """How often the truth is how far above the prediction."""
    kept = map_at(column, "residuals")
    edges, counts = _numbers(kept.get("edges")), _numbers(kept.get("counts"))
    if len(edges) != len(counts) + 1 or not counts or edges != sorted(set(edges)) or max(counts) <= 0:
        return
    across, up = Axis(edges[0], edges[-1]), Axis(0.0, 1.05 * max(counts))
    bars = []
    for left, right, count in zip(edges, edges[1:], counts, strict=False):
        top, x = y_of(up, max(count, 0)), x_of(across, left)
        width = max(x_of(across, right) - x - 1, 0.5)
        height = HEIGHT - BOTTOM - top
        places = {"x": x, "y": top, "width": width, "height": height}
        bars.append(element("rect", class_="bar", **{key: f"{value:.1f}" for key, value in places.items()}))
    zero = line("best", x_of(across, 0), y_of(up, up.high), x_of(across, 0), y_of(up, 0))
    name = shorten(str(column.get("name", "")), LONGEST_NAME)
    drawing = [*grid(across, up), *bars, zero if across.low <= 0 <= across.high else None]
    words = "up: examples; across: true minus predicted"
    yield _panel(f"{name}: residuals", f"{sum(counts):,.0f} examples", words, drawing)


def _panel(title: str, said: str, words: str, drawing: Sequence[Markup | None]) -> Markup:
    caption = element("figcaption", element("h3", title), element("span", said, class_="said"))
    under = element("p", words, class_="quiet axes")
    label = f"{title}: {said}; {words}"
    paper = element("svg", *drawing, viewBox=f"0 0 {WIDTH} {HEIGHT}", role="img", aria_label=label)
    return element("figure", caption, paper, under)


def _curve(places: Sequence[Point], across: Axis, up: Axis) -> Markup:
    steps = (f"{x_of(across, x):.1f} {y_of(up, y):.1f}" for x, y in places)
    return element("path", class_="curve c0", d="M" + "L".join(steps))


def _dot(place: Point, across: Axis, up: Axis, radius: float) -> Markup:
    x, y = x_of(across, place[0]), y_of(up, place[1])
    return element("circle", class_="dot", cx=f"{x:.1f}", cy=f"{y:.1f}", r=f"{radius:.1f}")


def _numbers(values: Any) -> list[float]:
    """The numbers of a list; an empty one where there is something else in it."""
    if not isinstance(values, list) or len(values) > MOST_POINTS:
        return []
    known = [number for value in values if (number := number_of(value)) is not None and abs(number) < LARGEST]
    return known if len(known) == len(values) else []


def _pairs(values: Any) -> list[Point]:
    """Points between 0 and 1; an empty list where there is something else in it."""
    if not isinstance(values, list) or len(values) > MOST_POINTS:
        return []
    found = [numbers for value in values if len(numbers := _numbers(value)) == 2]
    inside = [(x, y) for x, y in found if 0 <= x <= 1 and 0 <= y <= 1]
    return inside if len(inside) == len(values) else []
