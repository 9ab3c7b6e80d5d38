"""Several runs on one page: what differs in their settings beside what differs in what came out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nnrun.report.html_reading import Map, Told
from nnrun.report.page import Markup, cell, duration, element, figure, framed_table, section, table
from nnrun.spec.dump import flow
from nnrun.spec.names import shorten
from nnrun.store.query import ABSENT, HARMLESS, differences, short_names
from nnrun.store.runs import FIGURES
from nnrun.store.values import better, map_at, number_of

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
MOST_RUNS = len(LETTERS)
MOST_COLUMNS = 40
LONGEST_VALUE, SHORT_VALUE = 80, 20
LONGEST_FACT = 24
COLOURS = 8

Columns = dict[str, list[Any]]
"""For a path what each run has there."""


def runs_table(runs: Sequence[Told]) -> Markup:
    """The runs and the letters that stand for them."""
    rows = []
    for index, (letter, told) in enumerate(zip(LETTERS, runs, strict=False)):
        record = told.record
        name = element("th", element("span", class_=f"key c{index % COLOURS}"), letter, scope="row")
        seconds = number_of(record.result.get("seconds"))
        time = duration(seconds) if seconds is not None else None
        rows.append([name, record.run.id, record.state, time, ", ".join(record.tags), told.note])
    head = ["", "run", "status", "training time", "tags", "note"]
    return section("Runs", table(f"{len(runs)} runs", head, rows), name="runs")


def differences_table(runs: Sequence[Told]) -> Markup:
    """A row for each run: the settings in which they differ, and beside them what came out."""
    settings, results = _settings(runs), _results(runs)
    short = short_names(settings)
    heads = [*((path, path) for path in results), *((short[path], path) for path in settings)]
    columns = [element("th", name, scope="col", title=path if path != name else None) for name, path in heads]
    groups = [(len(results), "what came out"), (len(settings), "settings that differ")]
    top = [element("th", title, scope="colgroup", colspan=count) for count, title in groups if count]
    body = []
    for index, letter in enumerate(LETTERS[: len(runs)]):
        cells = [_result(path, values, index) for path, values in results.items()]
        cells += [_value(values[index]) for values in settings.values()]
        body.append(element("tr", element("th", letter, scope="row"), *cells))
    head = element(
        "thead",
        element("tr", element("td"), *top),
        element("tr", element("th", "run", scope="col"), *columns),
    )
    remark = None if settings else element("p", "The specifications are the same.")
    made = framed_table("What came out, beside the settings that differ; the best of each score is bold", head,
                        element("tbody", *body), class_="sortable")  # fmt: skip
    return section("Differences", remark, made, *_made_with(runs), name="differences")


def _settings(runs: Sequence[Told]) -> Columns:
    found = differences([told.record.config for told in runs])
    kept = {path: values for path, values in found if path.partition(".")[0] not in HARMLESS}
    return dict(list(kept.items())[:MOST_COLUMNS])


def _results(runs: Sequence[Told]) -> Columns:
    """The scores of all runs, whether they differ or not."""
    plain = [_outcome(told) for told in runs]
    names = dict.fromkeys(name for outcome in plain for name in outcome)
    return {name: [outcome.get(name, ABSENT) for outcome in plain] for name in list(names)[:MOST_COLUMNS]}


def _outcome(told: Told) -> Map:
    result = told.record.result
    test = {f"test {name}": value for name, value in map_at(result, "test").items()}
    best = {name: value for name, value in map_at(result, "best").items() if name not in FIGURES}
    counts = {"best epoch": told.best_epoch, "epochs": told.record.epochs}
    return test | best | {name: value for name, value in counts.items() if value is not None}


def _value(value: Any) -> Markup:
    if value is ABSENT:
        return cell(None)
    if not isinstance(value, str | list | dict):
        return cell(value)
    text = shorten(value if isinstance(value, str) else flow(value), LONGEST_VALUE)
    return element("td", text, class_="value" if len(text) > SHORT_VALUE else None)


def _result(path: str, values: Sequence[Any], index: int) -> Markup:
    """A score; bold where it is the best of all runs."""
    own = number_of(values[index])
    known = [number for value in values if (number := number_of(value)) is not None]
    side = better(path.replace(" ", "_"))
    if own is None or side is None or min(known) == max(known):
        return _value(values[index])
    is_best = own == (min(known) if side == "min" else max(known))
    made = _value(values[index])
    return Markup(made.replace('class="number"', 'class="number best-of"', 1)) if is_best else made


def _made_with(runs: Sequence[Told]) -> list[Markup]:
    """What differs in data, versions and devices."""
    kept = [{key: map_at(told.record.facts, key) for key in ("data", "versions", "devices")} for told in runs]
    found = dict(differences(kept))
    if not found:
        return []
    rows = [
        [path, *(None if value is ABSENT else _fact(value) for value in values)]
        for path, values in found.items()
    ]
    return [table("Data and environments that differ", ["", *LETTERS[: len(runs)]], rows[:MOST_COLUMNS])]


def _fact(value: Any) -> str:
    """A fact in a few characters; of a fingerprint the beginning tells enough."""
    number = number_of(value)
    return f"{number:,.6g}" if number is not None else shorten(figure(value), LONGEST_FACT)
