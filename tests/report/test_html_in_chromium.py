"""The page of a run in a real browser: it is quiet, asks for nothing, fits a phone, and can be used by everybody."""

from __future__ import annotations

import os
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_runs import make_run
from pages import LAYERS, classifier, make_evaluated_run, regressor, samples_of, write_layers

from nnrun.data.preprocessing import Numbers, Preprocessing, Text
from nnrun.report.html import write_report
from nnrun.spec.file_sources import TextSettings
from nnrun.store.labels import Labels

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
AXE_VERSION = "4.14.1"
NPM_SECONDS = 30
WIDTHS, SCHEMES = (400, 1400), ("light", "dark")


@dataclass
class Opened:
    """A page in the browser.

    Args:
        page: Playwright's.
        messages: What the page wrote to its console.
        requests: What it asked for.
    """

    page: Any
    messages: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """The system's Chromium."""
    playwright = pytest.importorskip("playwright.sync_api", reason="needs the Python package playwright")
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        pytest.skip(f"needs one of {', '.join(BROWSERS)} in PATH")
    with playwright.sync_playwright() as started:
        opened = started.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def axe(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The script of axe-core: the file that NNRUN_AXE names, else from npm, kept in a folder of the user's."""
    if named := os.environ.get("NNRUN_AXE"):
        return Path(named).read_text("utf-8")
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "nnrun-tests"
    kept = folder / f"axe-{AXE_VERSION}.min.js"
    if not kept.is_file():
        npm, made = shutil.which("npm"), tmp_path_factory.mktemp("axe")
        if npm is None:
            pytest.skip("needs axe-core: set NNRUN_AXE to its axe.min.js, or install npm")
        try:
            packed = [npm, "pack", f"axe-core@{AXE_VERSION}", "--silent"]
            subprocess.run(packed, cwd=made, check=True, capture_output=True, timeout=NPM_SECONDS)
        except (subprocess.SubprocessError, OSError) as error:
            pytest.skip(f"needs axe-core, which npm does not give ({error}): set NNRUN_AXE to its axe.min.js")
        with tarfile.open(next(made.glob("*.tgz"))) as archive:
            script = archive.extractfile("package/axe.min.js")
            assert script is not None
            folder.mkdir(parents=True, exist_ok=True)
            kept.write_bytes(script.read())
    return kept.read_text("utf-8")


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Pages of each kind."""
    folder = tmp_path_factory.mktemp("pages")
    random = np.random.default_rng(0)
    long = "a class whose name is as long as a sentence"
    three, two, numbers = classifier(), classifier(names=("no", long)), regressor()
    table = Preprocessing(
        inputs={"input": [Numbers(columns=["length", "a rather long name of a column"], log=False, fill=[0, 0],
                                  flags=[], mean=[5, 1], variance=[1, 1])]}
    )  # fmt: skip
    words = Text(column="t", settings=TextSettings(sequence_length=4), vocabulary=["good", "plot"])
    pictures = random.integers(0, 17, (60, 8, 8)).astype(np.uint8)
    kinds: dict[str, Any] = {
        "pictures": (three, samples_of(three, pictures, divisor=16.0)),
        "table": (two, samples_of(two, random.normal(size=(60, 2)), preprocessing=table)),
        "numbers": (numbers, samples_of(numbers, random.normal(size=(50, 9)))),
        "texts": (two, samples_of(two, random.integers(0, 4, (60, 4)).astype(np.int32),
                                  preprocessing=Preprocessing(inputs={"input": [words]}))),
    }  # fmt: skip
    runs, found = [], {}
    for name, (judged, samples) in kinds.items():
        losses = tuple((1 / np.arange(1, 31)).tolist())
        run = make_evaluated_run(folder, {"out": judged}, {"out": samples}, losses=losses, name=name)
        Labels(["best", "w" * 90], "A note\nof two lines, with a word " + "x" * 90).write(run)
        write_layers(run, LAYERS)
        runs.append(run)
        found[name] = folder / f"{name}.html"
        write_report(run, found[name])
    runs.append(make_run(folder, learning_rate=1.0))
    found["comparison"] = folder / "comparison.html"
    write_report(runs, found["comparison"])
    return found


def opened(browser: Any, path: Path, width: int, scheme: str) -> Opened:
    context = browser.new_context(
        viewport={"width": width, "height": 900}, color_scheme=scheme, bypass_csp=False
    )
    made = Opened(context.new_page())
    made.page.on("console", lambda message: made.messages.append(message.text))
    made.page.on("pageerror", lambda error: made.messages.append(str(error)))
    made.page.on("request", lambda request: made.requests.append(request.url))
    made.page.goto(path.as_uri())
    return made


def check(browser: Any, axe: str, path: Path, width: int, scheme: str) -> None:
    """Hold a page to all that is promised of every page."""
    made = opened(browser, path, width, scheme)
    own = path.as_uri()
    pictures = [url for url in made.requests if url.startswith("data:image/png;base64,")]
    assert [url for url in made.requests if url not in (own, *pictures)] == []
    assert made.messages == []
    sizes = made.page.evaluate("[document.documentElement.scrollWidth, document.documentElement.clientWidth]")
    assert sizes == [width, width]
    assert made.page.evaluate("[...document.images].every((one) => one.complete && one.naturalWidth > 0)")
    made.page.evaluate(f"() => {{ {axe} }}")  # as the developer's tools would, which the page's policy allows
    result = made.page.evaluate("axe.run(document, { resultTypes: ['violations'] })")
    wrong = [
        f"{one['id']}: {one['help']}: {one['nodes'][0]['html'][:200]} ({one['nodes'][0]['failureSummary']})"
        for one in result["violations"]
    ]
    assert wrong == []
    made.page.context.close()


@pytest.mark.parametrize(("width", "scheme"), [(400, "dark"), (1400, "light")])
def test_page_of_pictures_is_quiet_fits_and_is_accessible(
    width: int, scheme: str, browser: Any, axe: str, pages: dict[str, Path]
) -> None:
    check(browser, axe, pages["pictures"], width, scheme)


@pytest.mark.slow
@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("kind", ["pictures", "table", "numbers", "texts", "comparison"])
def test_every_page_is_quiet_fits_and_is_accessible(
    kind: str, width: int, scheme: str, browser: Any, axe: str, pages: dict[str, Path]
) -> None:
    check(browser, axe, pages[kind], width, scheme)


def test_curves_answer_to_pointer_and_keyboard(browser: Any, pages: dict[str, Path]) -> None:
    made = opened(browser, pages["pictures"], 1400, "light")
    page = made.page
    values = page.locator("#curves figure").first.locator(".legend output")
    assert page.locator("#curves .epoch").inner_text() == "30"  # the best one
    assert values.all_inner_texts() == ["0.2000", "0.0333"]

    mark = page.locator("#curves figure svg").first.locator(".mark").last
    drawn = [float(mark.get_attribute(name)) for name in ("cx", "cy")]

    page.locator("#epoch").focus()
    page.keyboard.press("Home")
    assert page.locator("#curves .epoch").inner_text() == "1"
    assert values.all_inner_texts() == ["0.2000", "1.0000"]
    page.keyboard.press("ArrowRight")
    assert values.all_inner_texts() == ["0.2000", "0.5000"]

    page.keyboard.press("End")
    moved = [float(mark.get_attribute(name)) for name in ("cx", "cy")]
    assert moved == pytest.approx(drawn, abs=0.1)  # the script agrees with what was drawn without it

    drawing = page.locator("#curves figure svg").first
    drawing.scroll_into_view_if_needed()
    box = drawing.bounding_box()
    at = box["x"] + box["width"] * (62 + 3 / 29 * 286) / 360  # epoch 4 of 1 to 30
    page.mouse.move(at, box["y"] + box["height"] / 2)
    assert values.all_inner_texts() == ["0.2000", "0.2500"]
    others = page.locator("#curves figure").last.locator(".legend output")
    assert others.all_inner_texts() == ["0.1000"]
    assert abs(float(mark.get_attribute("cx")) - (62 + 3 / 29 * 286)) < 0.1
    assert made.messages == []
    page.context.close()


def test_table_is_sorted_by_keyboard_and_averages_stay(browser: Any, pages: dict[str, Path]) -> None:
    made = opened(browser, pages["pictures"], 1400, "light")
    table = made.page.locator("table.sortable", has_text="Scores by class")
    button = table.locator("thead button", has_text="recall")
    column = table.locator("tbody tr td:nth-child(3)")

    button.focus()
    made.page.keyboard.press("Enter")
    rising = [float(one) for one in column.all_inner_texts()]
    made.page.keyboard.press("Enter")
    falling = [float(one) for one in column.all_inner_texts()]

    assert len(rising) == 3
    assert rising == sorted(rising)
    assert falling == rising[::-1]
    assert table.locator("th[aria-sort]").get_attribute("aria-sort") == "descending"
    assert table.locator("tfoot th").all_inner_texts() == ["macro avg", "weighted avg"]
    made.page.context.close()


def test_confusion_matrix_changes_to_shares(browser: Any, pages: dict[str, Path]) -> None:
    made = opened(browser, pages["pictures"], 1400, "light")
    cell = made.page.locator("table.confusion td.r4, table.confusion td.r3").first
    assert "%" not in cell.inner_text()

    made.page.get_by_label("shares of the true class").press("Space")

    assert cell.inner_text().endswith("%")
    made.page.context.close()


def test_page_is_readable_without_its_script(browser: Any, pages: dict[str, Path]) -> None:
    context = browser.new_context(java_script_enabled=False, viewport={"width": 1400, "height": 900})
    page = context.new_page()
    page.goto(pages["pictures"].as_uri())

    assert page.locator("#curves .slider").is_hidden()
    assert page.locator("#curves .curve").nth(1).is_visible()
    assert page.locator("#model svg.diagram").is_visible()
    assert page.locator("li.sample img").first.is_visible()
    context.close()
