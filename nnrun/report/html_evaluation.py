"""How a model did on the examples of a part: by class, what it confuses, or by predicted number."""

from __future__ import annotations

from typing import Any

from nnrun.report.html_charts import draw_charts
from nnrun.report.html_confusion import draw_confusion
from nnrun.report.html_reading import PARTS, Evaluated, Map, Told, maps_in
from nnrun.report.html_samples import draw_samples
from nnrun.report.page import Markup, element, figure, section, table
from nnrun.spec.names import shorten
from nnrun.store.values import map_at, number_of

MOST_ROWS = 1_000
LONGEST_NAME = 40

BY_CLASS = {
    "precision": "precision",
    "recall": "recall",
    "f1": "F1",
    "support": "examples",
    "roc_area": "area under ROC",
    "average_precision": "average precision",
}
BY_COLUMN = {
    "mae": "MAE",
    "rmse": "RMSE",
    "r2": "R²",
    "median_absolute_error": "median absolute error",
    "max_error": "largest error",
    "mape": "MAPE",
}
ON_THE_WHOLE = {
    "accuracy": "accuracy",
    "log_loss": "log loss",
    "brier_score": "Brier score",
    "examples": "examples",
}


def evaluations(told: Told) -> list[Markup]:
    """A section for each part that was evaluated in full."""
    return [made for part, found in told.evaluations.items() if (made := _evaluation(part, found))]


def _evaluation(part: str, found: Evaluated) -> Markup | None:
    content: list[Markup] = []
    for name, reports in found.outputs.items():
        shown = _output(reports, PARTS[part])
        if name and shown:
            shown = [element("h3", "Output ", shorten(name, LONGEST_NAME), class_="output"), *shown]
        content += shown
    if not content:
        return None
    return section(f"On the {PARTS[part]} examples", *content, name=f"evaluation-{part}")


def _output(reports: dict[str, Map], part: str) -> list[Markup]:
    """What there is to say of an output: on the whole, of single examples, by class or number, and in drawings."""
    report, confusion, regression = (reports.get(name, {}) for name in ("report", "confusion", "regression"))
    matrix, charts = draw_confusion(confusion), draw_charts(reports)
    if len(charts) == 1:  # one drawing has room beside the matrix
        tables = [_beside(*matrix, *charts), *_by_class(report)]
    else:
        panels = element("div", *charts, class_="panels charts") if charts else None
        tables = [_beside(*matrix, *_by_class(report)), panels]
    return [
        *_on_the_whole(report),
        *_by_column(regression),
        *draw_samples(reports.get("samples", {}), part),
        *(made for made in tables if made),
    ]


def _beside(*parts: Markup) -> Markup | None:
    """Parts side by side where the screen is wide enough."""
    return element("div", *parts, class_="beside") if parts else None


def _on_the_whole(report: Map) -> list[Markup]:
    values = [(title, report.get(name)) for name, title in ON_THE_WHOLE.items()]
    values += [(f"top-{k} accuracy", share) for k, share in map_at(report, "top_k").items() if k != "1"]
    known = [(title, value) for title, value in values if number_of(value) is not None]
    if not known:
        return []
    shown = [element("div", element("dt", title), element("dd", figure(value))) for title, value in known]
    return [element("dl", *shown, class_="strip")]


def _by_class(report: Map) -> list[Markup]:
    classes = maps_in(report, "classes")
    if not classes:
        return []
    averages = [map_at(report, name) for name in ("macro", "weighted")]
    return [_scores("Scores by class", "class", BY_CLASS, classes, [one for one in averages if one])]


def _by_column(regression: Map) -> list[Markup]:
    columns = maps_in(regression, "columns")
    return [_scores("Errors by predicted number", "number", BY_COLUMN, columns, [])] if columns else []


def _scores(caption: str, kind: str, names: dict[str, str], rows: list[Map], closing: list[Map]) -> Markup:
    """A table with a row for each class or column; averages stay at its end when it is sorted."""
    known = {name: title for name, title in names.items() if any(name in row for row in rows)}
    if len(rows) > MOST_ROWS:
        caption += f" (the first {MOST_ROWS:,} of {len(rows):,})"
    return table(
        caption,
        [kind, *known.values()],
        [_score_row(row, known) for row in rows[:MOST_ROWS]],
        foot=[_score_row(row, known) for row in closing],
        sortable=len(rows) > 1,
    )


def _score_row(row: Map, names: dict[str, str]) -> list[Any]:
    """A name and its figures; what is no number is left out."""
    values = [row.get(name) if number_of(row.get(name)) is not None else None for name in names]
    return [shorten(str(row.get("name", "")), LONGEST_NAME), *values]
