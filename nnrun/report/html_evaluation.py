"""How a model did on the examples of a part: by class, what it confuses, or by predicted number."""

from __future__ import annotations

from itertools import chain
from typing import Any

from nnrun.errors import RunError
from nnrun.report.html_reading import PARTS, Map, Told, maps_in
from nnrun.report.page import Markup, element, framed_table, join, section, table
from nnrun.spec.names import shorten
from nnrun.store.values import map_at, number_of

MOST_CLASSES = 40
"""Of more classes than these the most frequent confusions are shown instead of the matrix."""

MOST_ROWS = 1_000
MOST_CONFUSIONS = 20
SHADES = 4
LONGEST_NAME = 40
SHORT = 3
"""Characters of a name that stands upright over its column."""

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
    return [made for part, reports in told.evaluations.items() if (made := _evaluation(part, reports))]


def _evaluation(part: str, reports: dict[str, Map]) -> Markup | None:
    report, confusion, regression = (reports.get(name, {}) for name in ("report", "confusion", "regression"))
    content = [*_on_the_whole(report), *_by_class(report), *_confusion(confusion), *_by_column(regression)]
    if not content:
        return None
    return section(f"On the {PARTS[part]} examples", *content, name=f"evaluation-{part}")


def _on_the_whole(report: Map) -> list[Markup]:
    values = [(title, report.get(name)) for name, title in ON_THE_WHOLE.items()]
    values += [(f"top-{k} accuracy", share) for k, share in map_at(report, "top_k").items() if k != "1"]
    known = [(title, value) for title, value in values if number_of(value) is not None]
    if not known:
        return []
    return [table("Scores on the whole", ["score", "value"], known, class_="figures")]


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
    made = table(
        caption,
        [kind, *known.values()],
        [_score_row(row, known) for row in rows[:MOST_ROWS]],
        sortable=len(rows) > 1,
        class_="figures",
    )
    if closing:
        averages = table("Averages of the classes", ["", *known.values()], [_score_row(row, known) for row in closing],
                         class_="figures")  # fmt: skip
        return join([made, averages])
    return made


def _score_row(row: Map, names: dict[str, str]) -> list[Any]:
    """A name and its figures; what is no number is left out."""
    values = [row.get(name) if number_of(row.get(name)) is not None else None for name in names]
    return [shorten(str(row.get("name", "")), LONGEST_NAME), *values]


def _confusion(confusion: Map) -> list[Markup]:
    if not confusion:
        return []
    names, counts = _read_confusion(confusion)
    if not names:
        return []
    return [_matrix(names, counts) if len(names) <= MOST_CLASSES else _most_frequent(names, counts)]


def _read_confusion(confusion: Map) -> tuple[list[str], list[list[int]]]:
    """The names of the classes and the square of counts.

    Raises:
        RunError: They are something else.
    """
    names, counts = confusion.get("class_names"), confusion.get("counts")
    if isinstance(names, list) and isinstance(counts, list) and len(counts) == len(names):
        rows = [row for row in counts if isinstance(row, list) and len(row) == len(names)]
        if len(rows) == len(names) and all(type(count) is int and count >= 0 for count in chain(*rows)):
            return [shorten(str(name), LONGEST_NAME) for name in names], rows
    raise RunError("confusion.json is damaged: expected class_names, and a square of counts of as many rows")


def _matrix(names: list[str], counts: list[list[int]]) -> Markup:
    is_long = any(len(name) > SHORT for name in names)
    heads = [
        element("th", element("span", name, class_="long" if is_long else None), scope="col")
        for name in names
    ]
    corner = element("td", "true class ↓  predicted →", class_="quiet")
    rows = [
        element("tr", element("th", name, scope="row"), *_cells(name, index, names, counts[index]))
        for index, name in enumerate(names)
    ]
    caption = "Confusion matrix: rows are true classes, columns predicted ones; shaded by the share of the true class"
    return framed_table(
        caption, element("thead", element("tr", corner, *heads)), element("tbody", *rows), class_="confusion"
    )


def _cells(name: str, true: int, names: list[str], counts: list[int]) -> list[Markup]:
    support = sum(counts) or 1
    return [
        element(
            "td",
            f"{count:,}",
            class_=f"{'r' if said == true else 'w'}{_shade(count, support)}" if count else "zero",
            title=f"{name} taken for {names[said]}: {count:,} of {support:,} ({count / support:.1%})"
            if count
            else None,
        )
        for said, count in enumerate(counts)
    ]


def _shade(count: int, support: int) -> int:
    """From 1 to 4: one wrong of a thousand is shaded too."""
    return min(SHADES, 1 + count * SHADES // support)


def _most_frequent(names: list[str], counts: list[list[int]]) -> Markup:
    wrong = [
        (count, true, said)
        for true, row in enumerate(counts)
        for said, count in enumerate(row)
        if count and said != true
    ]
    rows = [
        [names[true], names[said], count, count / sum(counts[true])]
        for count, true, said in sorted(wrong, key=lambda one: (-one[0], *one[1:]))[:MOST_CONFUSIONS]
    ]
    head = ["true class", "taken for", "examples", "share of the true class"]
    return table(f"The most frequent confusions of {len(names):,} classes", head, rows, sortable=True)
