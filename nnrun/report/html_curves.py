"""Learning curves as SVG that the page's script lets answer to pointer and keyboard."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from nnrun.report.html_axes import BOTTOM, HEIGHT, TOP, WIDTH, Axis, grid, line, x_of, y_of
from nnrun.report.page import NOTHING, Markup, element, figure
from nnrun.store.runs import FIGURES
from nnrun.store.values import number_of

Rows = Sequence[dict[str, Any]]

COLOURS = 8
MOST_PANELS = 16
MOST_POINTS = 20_000
"""Points of all curves of a page: they are most of its bytes."""

LEAST_ROWS, MOST_ROWS = 60, 1_000
"""Epochs of one run that are drawn."""

LARGEST = 1e100
"""What is beyond says nothing but that the training diverged."""

LAST_EPOCH = 1e12


@dataclass(frozen=True)
class Curve:
    """One line of a panel.

    Args:
        label: What the legend calls it.
        run: The number of its run on this page.
        colour: The number of its colour.
        values: One for each epoch of the run that is drawn; None where it is not known.
    """

    label: str
    run: int
    colour: int
    values: tuple[float | None, ...]


def draw_curves(runs: Sequence[tuple[str, Rows, int | None]]) -> Markup | None:
    """Draw the learning curves of one run, training against validation, or of several over each other.

    Args:
        runs: For each its name, the rows of its ``metrics.jsonl``, and its best epoch.

    Returns:
        A panel for each loss and metric, and one for the learning rate; None where there is nothing to draw.
    """
    groups = _groups([rows for _, rows, _ in runs])
    shown = dict(list(groups.items())[:MOST_PANELS])
    if not shown:
        return None
    count = len(runs) * sum(map(len, shown.values()))
    most = max(LEAST_ROWS, min(MOST_ROWS, MOST_POINTS // count))
    names = [name for group in shown.values() for name in group]
    kept = [thin_out(rows, names, most) for _, rows, _ in runs]
    epochs = [[epoch_of(row, index) for index, row in enumerate(rows, 1)] for rows in kept]
    known = [epoch for run in epochs for epoch in run]
    best = [epoch for _, _, epoch in runs]
    panels = [
        _panel(title, _curves(group, [name for name, _, _ in runs], kept), epochs, best)
        for title, group in shown.items()
    ]
    slider = _slider(min(known), max(known), next((one for one in best if one is not None), max(known)))
    remarks = [*_thinned(runs, kept), *_left_out(list(groups)[MOST_PANELS:])]
    return element(
        "div",
        slider,
        element("div", *panels, class_="panels"),
        *remarks,
        class_="curves",
        data_epochs=_json(epochs),
    )


def _groups(runs: Sequence[Rows]) -> dict[str, list[str]]:
    """The panels, the losses first and the learning rate last: for each the values that are its curves."""
    names = dict.fromkeys(name for rows in runs for row in rows for name in row)
    drawn = [
        name for name in names if any(plottable(row.get(name)) is not None for rows in runs for row in rows)
    ]
    metrics = [name for name in drawn if name not in FIGURES]
    found: dict[str, list[str]] = {}
    for name in metrics:
        found.setdefault(name.removeprefix("val_") if len(runs) == 1 else name, []).append(name)
    ordered = sorted(found, key=lambda title: title.removeprefix("val_") != "loss")
    rate = {"learning rate": ["learning_rate"]} if "learning_rate" in drawn else {}
    return {title: found[title] for title in ordered} | rate


def _curves(group: Sequence[str], labels: Sequence[str], runs: Sequence[Rows]) -> list[Curve]:
    several = len(runs) > 1
    made = []
    for run, rows in enumerate(runs):
        for name in group:
            kind = "validation" if name.startswith("val_") else "training"
            colour = run % COLOURS if several else int(kind == "validation")
            label = labels[run] if several else kind if name not in FIGURES else name.replace("_", " ")
            values = tuple(plottable(row.get(name)) for row in rows)
            if any(value is not None for value in values):
                made.append(Curve(label, run, colour, values))
    return made


def plottable(value: Any) -> float | None:
    """A value that can be drawn; None where it is missing, not finite, or beyond all measure."""
    number = number_of(value)
    return float(f"{number:.6g}") if number is not None and abs(number) < LARGEST else None


def epoch_of(row: dict[str, Any], index: int) -> int:
    """The epoch of a row; its place in the file where it does not say."""
    epoch = number_of(row.get("epoch"))
    return int(epoch) if epoch is not None and 0 <= epoch < LAST_EPOCH else index


def thin_out(rows: Rows, names: Sequence[str], most: int) -> Rows:
    """The first and the last row, and of each stretch those with the least and the greatest value of each curve.

    Args:
        rows: All rows.
        names: The values that are drawn.
        most: Rows that are about to be kept.
    """
    if len(rows) <= most:
        return rows
    stretches = max(1, most // (2 * len(names)))
    kept = {0, len(rows) - 1}
    for stretch in range(stretches):
        places = range(len(rows) * stretch // stretches, len(rows) * (stretch + 1) // stretches)
        for name in names:
            known = [
                (value, place) for place in places if (value := plottable(rows[place].get(name))) is not None
            ]
            kept |= {min(known)[1], max(known)[1]} if known else set()
    return [rows[place] for place in sorted(kept)]


def _panel(title: str, curves: list[Curve], epochs: list[list[int]], best: list[int | None]) -> Markup:
    """A metric: its name, a legend that has the values, and the curves."""
    known = [value for curve in curves for value in curve.values if value is not None]
    first, last = min(map(min, filter(None, epochs))), max(map(max, filter(None, epochs)))
    across, up = Axis(first, max(last, first + 1)), Axis.around(known)
    marks = [_mark(curve, epochs[curve.run], best[curve.run], across, up) for curve in curves]
    single = best[0] if len(best) == 1 else None
    drawing = element(
        "svg",
        *grid(across, up, is_whole=True),
        line("best", x_of(across, single), TOP, x_of(across, single), HEIGHT - BOTTOM) if single is not None else None,
        *(element("path", class_=f"curve c{curve.colour}", d=_path(curve, epochs[curve.run], across, up))
          for curve in curves),
        *marks,
        viewBox=f"0 0 {WIDTH} {HEIGHT}",
        role="img",
        aria_label=_in_words(title, curves),
    )  # fmt: skip
    legend = [
        element(
            "li", element("span", class_=f"key c{curve.colour}"), f"{curve.label} ", element("output", value)
        )
        for curve, value in zip(curves, _values_at(curves, epochs, best), strict=True)
    ]
    scale = "logarithmic scale" if up.is_log else ""
    plain = {
        "x": [across.low, across.high],
        "y": [up.low, up.high, up.is_log],
        "curves": [[curve.run, curve.values] for curve in curves],
    }
    caption = element("figcaption", element("h3", title), element("span", scale, class_="quiet"))
    return element(
        "figure", caption, element("ul", *legend, class_="legend"), drawing, data_panel=_json(plain)
    )


def _values_at(curves: Iterable[Curve], epochs: list[list[int]], best: list[int | None]) -> list[str]:
    """The values of the best epoch, else of the last one."""
    texts = []
    for curve in curves:
        own, epoch = epochs[curve.run], best[curve.run]
        value = curve.values[own.index(epoch) if epoch in own else -1]
        texts.append(NOTHING if value is None else figure(value))
    return texts


def _path(curve: Curve, epochs: Sequence[int], across: Axis, up: Axis) -> str:
    """Lines between neighbours; a value without neighbours is a line of no length, which round ends make a dot."""
    steps, is_open = [], False
    for epoch, value in zip(epochs, curve.values, strict=True):
        if value is not None:
            place = f"{x_of(across, epoch):.1f} {y_of(up, value):.1f}"
            steps.append(f"L{place}" if is_open else f"M{place}h0")
        is_open = value is not None
    return "".join(steps)


def _mark(curve: Curve, epochs: Sequence[int], best: int | None, across: Axis, up: Axis) -> Markup:
    """The dot that shows an epoch on a curve: at first the best one."""
    value = curve.values[epochs.index(best)] if best in epochs else None
    if best is None or value is None:
        return element("circle", class_=f"mark c{curve.colour}", r=4.5, visibility="hidden")
    place = {"cx": f"{x_of(across, best):.1f}", "cy": f"{y_of(up, value):.1f}"}
    return element("circle", class_=f"mark c{curve.colour}", r=4.5, **place)


def _in_words(title: str, curves: Iterable[Curve]) -> str:
    """What can be seen, for those who cannot see it."""
    said = []
    for curve in curves:
        known = [value for value in curve.values if value is not None]
        said.append(f"{curve.label} from {figure(known[0])} to {figure(known[-1])}")
    return f"{title} by epoch: {'; '.join(said)}"


def _slider(first: int, last: int, epoch: int) -> Markup:
    """What the keyboard moves through the epochs; of no use, and hidden, without the script."""
    label = element("label", "Epoch ", element("output", f"{epoch:,}", class_="epoch"), for_="epoch")
    slider = element("input", type="range", id="epoch", min=first, max=last, value=epoch, step=1)
    return element("div", label, slider, class_="slider", hidden=True)


def _thinned(runs: Sequence[tuple[str, Rows, int | None]], kept: Sequence[Rows]) -> list[Markup]:
    return [
        element(
            "p",
            f"{name}: {len(drawn):,} of {len(rows):,} epochs are drawn, the extremes among them.",
            class_="quiet",
        )
        for (name, rows, _), drawn in zip(runs, kept, strict=True)
        if len(drawn) < len(rows)
    ]


def _left_out(names: Sequence[str]) -> list[Markup]:
    return [element("p", f"Not drawn: {', '.join(names[:40])}.", class_="quiet")] if names else []


def _json(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), allow_nan=False)
