"""A run, or several, as one web page: a file that needs nothing else, and asks no network for anything."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

from nnrun import __version__
from nnrun.errors import RunError
from nnrun.report.html_comparison import LETTERS, MOST_RUNS, differences_table, runs_table
from nnrun.report.html_configuration import configuration
from nnrun.report.html_curves import draw_curves
from nnrun.report.html_evaluation import evaluations
from nnrun.report.html_reading import Map, Told, read_run
from nnrun.report.html_sections import environment, epochs_table, examples_of, model, summary
from nnrun.report.page import Markup, element, figure, join, section
from nnrun.store.durable import write_text
from nnrun.store.run import Run
from nnrun.store.values import map_at

FILE = "report.html"
NAMES = {
    "summary": "Summary",
    "runs": "Runs",
    "differences": "Differences",
    "curves": "Learning curves",
    "evaluation-test": "Test",
    "evaluation-validation": "Validation",
    "evaluation-train": "Training",
    "model": "Model",
    "configuration": "Configuration",
    "environment": "Environment",
}
"""The sections, and what the links to them say."""


def write_report(runs: Run | Sequence[Run], path: Path) -> None:
    """Write the page of a run, or of several.

    Args:
        runs: The run, or runs.
        path: The file; one that is there is replaced.

    Raises:
        RunError: A run is damaged.
        ResourceError: The file cannot be written.
    """
    write_text(path, render([runs] if isinstance(runs, Run) else runs))


def render(runs: Sequence[Run]) -> str:
    """The page of a run; of several runs their differences and their curves over each other.

    Args:
        runs: From 1 to 26.

    Returns:
        A whole HTML document.

    Raises:
        RunError: A run is damaged, or there are too many.
    """
    if not 1 <= len(runs) <= MOST_RUNS:
        raise RunError(f"expected 1 to {MOST_RUNS} runs on a page, found {len(runs)}; nnrun ls lists many")
    try:
        told = [read_run(run) for run in runs]
        return _run_page(told[0]) if len(told) == 1 else _comparison_page(told)
    except RecursionError:
        raise RunError(f"{', '.join(run.id for run in runs)}: damaged, it is nested too deeply") from None


def _run_page(told: Told) -> str:
    record = told.record
    badges = [
        element("span", record.state, class_=f"badge {record.state}"),
        *(element("span", tag, class_="badge") for tag in record.tags),
    ]
    description = record.config.get("description")
    header = [
        element("h1", record.name or record.run.id),
        element("p", element("code", record.run.id), class_="quiet"),
        element("p", *badges),
        _data_line(map_at(record.facts, "data")),
        element("p", str(description)) if description else None,
        element("p", told.note, class_="note") if told.note else None,
    ]
    curves = draw_curves([(record.run.id, told.rows, told.best_epoch)])
    parts = [
        summary(told),
        section("Learning curves", curves, epochs_table(told), name="curves") if curves else None,
        *evaluations(told),
        model(told),
        configuration(told),
        environment(told),
    ]
    return _document(f"{record.run.id} ({record.state})", header, parts)


def _data_line(data: Map) -> Markup | None:
    """What it was trained on."""
    if not data.get("name"):
        return None
    counted = examples_of(data)
    return element(
        "p", "Data: ", element("strong", figure(data["name"])), f", {counted}" if counted else None
    )


def _comparison_page(runs: Sequence[Told]) -> str:
    title = f"Comparison of {len(runs)} runs"
    named = [
        (letter, told.rows, told.best_epoch) for letter, told in zip(LETTERS, runs, strict=False)
    ]  # fmt: skip
    curves = draw_curves(named)
    parts = [
        runs_table(runs),
        differences_table(runs),
        section("Learning curves", curves, name="curves") if curves else None,
    ]
    return _document(title, [element("h1", title)], parts)


def _document(title: str, header: Sequence[Markup | None], parts: Sequence[Markup | None]) -> str:
    """A document of sections; nothing in it but its own style and script may load or run."""
    style, script = _asset("page.css"), _asset("page.js")
    policy = (
        f"default-src 'none'; style-src '{_digest(style)}'; script-src '{_digest(script)}'; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=policy),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("meta", name="referrer", content="no-referrer"),
        element("title", title),
        element("style", style),
    )
    made = [part for part in parts if part is not None]
    links = [
        element("li", element("a", said, href=f"#{name}"))
        for name, said in NAMES.items()
        if any(part.startswith(f'<section id="{name}"') for part in made)
    ]
    body = element(
        "body",
        element("a", "To the content", href="#content", class_="skip"),
        element("header", *header),
        element("nav", element("ul", *links), aria_label="Sections"),
        element("main", join(made), id="content"),
        element(
            "footer",
            f"Made by nnrun {__version__}. This page is whole: it asks no network for anything.",
        ),
        element("script", script),
    )
    return f"<!doctype html>\n{element('html', head, body, lang='en')}\n"


def _asset(name: str) -> Markup:
    """The style or the script, which nnrun brings along."""
    return Markup(files("nnrun.report").joinpath(name).read_text("utf-8"))


def _digest(text: str) -> str:
    """What a policy of content knows a style or a script by."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
