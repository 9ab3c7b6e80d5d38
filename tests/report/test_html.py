"""The page of a run: all of it, its numbers, in one file, and nothing of a stranger's but as text."""

from __future__ import annotations

import base64
import hashlib
import itertools
import json
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_runs import make_run
from pages import (
    LAYERS,
    Element,
    classifier,
    make_evaluated_run,
    no_waiting,
    read_page,
    regressor,
    samples_of,
    write_layers,
)

from nnrun.errors import RunError
from nnrun.report.html import render, write_report
from nnrun.report.html_charts import draw_charts
from nnrun.report.html_confusion import draw_confusion
from nnrun.report.html_curves import MOST_POINTS, thin_out
from nnrun.report.page import Markup, duration, element, escaped, figure, table
from nnrun.store.labels import Labels
from nnrun.store.run import Run

HOSTILE = "<script>alert(1)</script>'\"&\x1b[2J\u202eexe.\x00</title></style>"
SHOWN = "<script>alert(1)</script>'\"&\\x1b[2J\\u202eexe.\\x00</title></style>"


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    no_waiting(monkeypatch)


def page_of(*runs: Run) -> Element:
    return read_page(render(runs))


def section(page: Element, name: str) -> Element:
    return next(one for one in page.all("section") if one.attributes["id"] == name)


def table_of(page: Element, caption: str) -> Element:
    return next(one for one in page.all("table") if one.all("caption")[0].text.startswith(caption))


def full_run(runs: Path, **settings: Any) -> Run:
    """A run with everything: pictures, layers, a note, tags."""
    judged = classifier()
    images = np.random.default_rng(1).integers(0, 17, (60, 8, 8)).astype(np.uint8)
    run = make_evaluated_run(
        runs, {"out": judged}, {"out": samples_of(judged, images, divisor=16.0)}, **settings
    )
    write_layers(run, LAYERS)
    return run


def test_page_has_all_its_sections_in_order_and_links_to_each(tmp_path: Path) -> None:
    page = page_of(full_run(tmp_path))

    names = [one.attributes["id"] for one in page.all("section")]
    assert names == ["summary", "curves", "evaluation-test", "model", "configuration", "environment"]
    assert [one.attributes["href"] for one in page.all("nav")[0].all("a")] == [f"#{name}" for name in names]


def test_headings_go_down_one_level_at_a_time(tmp_path: Path) -> None:
    page = page_of(full_run(tmp_path))

    levels = [int(one.tag[1]) for one in page if re.fullmatch("h[1-6]", one.tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))


def test_page_loads_nothing_from_anywhere(tmp_path: Path) -> None:
    text = render([full_run(tmp_path)])

    addresses = [
        value
        for one in read_page(text)
        for name, value in one.attributes.items()
        if name in ("src", "href", "srcset", "action", "poster", "data")
    ]
    assert addresses
    assert all((value or "").startswith(("#", "data:image/png;base64,")) for value in addresses)
    assert set(re.findall(r"https?://[^\s\"']+", text)) == {
        "http://www.w3.org/2000/svg"
    }  # a name, no address
    assert "@import" not in text
    assert "url(" not in text


def test_policy_knows_style_and_script_and_allows_nothing_else(tmp_path: Path) -> None:
    page = page_of(full_run(tmp_path))

    policy = next(
        one.attributes["content"] or "" for one in page.all("meta") if "http-equiv" in one.attributes
    )
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    for tag in ("style", "script"):
        (made,) = page.all(tag)
        digest = base64.b64encode(hashlib.sha256(made.text.encode()).digest()).decode()
        assert rules[f"{tag}-src"] == f"'sha256-{digest}'"
    assert rules["default-src"] == "'none'"
    assert rules["img-src"] == "data:"
    assert not [
        one for one in page if any(name == "style" or name.startswith("on") for name in one.attributes)
    ]


def test_hostile_names_are_text_wherever_they_stand(tmp_path: Path) -> None:
    judged = classifier(names=(HOSTILE, "dog", "owl"))
    values = samples_of(judged, {HOSTILE: np.ones((60, 2), np.float32)})
    run = make_evaluated_run(tmp_path, {"out": judged}, {"out": values})
    Labels([HOSTILE], HOSTILE).write(run)
    facts = run.facts()
    facts["data"] |= {"name": HOSTILE}
    facts |= {
        "command": ["nnrun", HOSTILE],
        "git": HOSTILE,
        "versions": {HOSTILE: HOSTILE},
        "started": HOSTILE,
    }
    facts["devices"] |= {"device": HOSTILE}
    facts["code"] = {"file": HOSTILE, "sha256": HOSTILE}
    run.write_facts(facts)
    write_layers(run, [LAYERS[0] | {"name": HOSTILE, "type": HOSTILE, "output_shape": HOSTILE}])
    run.append_row({"epoch": 4, HOSTILE: 0.5, "val_loss": 0.3})
    run.append_resume({HOSTILE: HOSTILE})

    text = render([run])
    page = read_page(text)

    assert "\x1b" not in text
    assert "\u202e" not in text
    assert "\0" not in text
    assert len(page.all("script")) == len(page.all("style")) == len(page.all("title")) == 1
    for name in ("curves", "evaluation-test", "model", "environment"):
        assert SHOWN[:20] in section(page, name).text, name
    assert page.all("header")[0].text.count(SHOWN) == 3  # tag, data, note


@pytest.mark.parametrize("text", [HOSTILE, "\u2066a", "\N{ZERO WIDTH SPACE}", "a\rb", "\x9b31m", "\ud800"])
def test_escaped_text_has_no_character_that_acts(text: str) -> None:
    made = escaped(text)

    assert not set(made) & set("<>\"'")
    assert all(one.isprintable() or one == "\n" for one in made)


def test_element_takes_markup_as_it_is_and_text_escaped() -> None:
    assert element("p", Markup("<b>x</b>"), "<b>", None, 3, title="\"'") == (
        '<p title="&quot;&#x27;"><b>x</b>&lt;b&gt;3</p>'
    )
    assert element("input", disabled=True, hidden=False, class_="a") == '<input disabled class="a">'


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.0, "0.0000"),
        (0.07194, "0.0719"),
        (99.99, "99.9900"),
        (3083.4375, "3083.44"),
        (12345.6, "1.23e+04"),
        (-0.0001, "-0.0001"),
        (1.2345e-5, "1.23e-05"),
        (9610, "9,610"),
        (True, "true"),
        (None, "\N{EN DASH}"),
        ([1, 2], "[1, 2]"),
    ],
)
def test_figure_is_a_value_in_a_few_characters(value: Any, shown: str) -> None:
    assert figure(value) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"), [(0.4213, "0.421 s"), (59.9, "59.9 s"), (125, "2 min 5 s"), (3725, "1 h 2 min")]
)
def test_duration_has_its_unit(seconds: float, shown: str) -> None:
    assert duration(seconds) == shown


def test_table_aligns_columns_of_numbers_with_what_is_missing() -> None:
    made = read_page(
        table("t", ["", "a", "b"], [["x", 1.5, "word"], ["y", None, None]], foot=[["z", 2, "w"]])
    )

    assert [one.classes for one in made.all("th") if one.attributes["scope"] == "col"] == [["number"], []]
    assert [one.classes for one in made.all("td")] == [[], ["number"], [], ["number"], [], ["number"], []]
    assert made.all("td", "number")[0].attributes["data-value"] == "1.5"
    assert [row[0] for row in made.all("tfoot")[0].rows()] == ["z"]


def test_scores_by_class_are_those_of_the_report(tmp_path: Path) -> None:
    run = full_run(tmp_path)
    report = json.loads((run.path / "evaluation/test/report.json").read_text())

    found = table_of(page_of(run), "Scores by class")

    names = ("precision", "recall", "f1", "support", "roc_area", "average_precision")
    for row, expected in zip(found.all("tbody")[0].all("tr"), report["classes"], strict=True):
        assert row.all("th")[0].text == expected["name"]
        values = [float(one.attributes["data-value"] or "nan") for one in row.all("td")]
        assert values == [expected[name] for name in names]
    averages = [row.all("th")[0].text for row in found.all("tfoot")[0].all("tr")]
    assert averages == ["macro avg", "weighted avg"]


def test_scores_on_the_whole_are_those_of_the_report(tmp_path: Path) -> None:
    run = full_run(tmp_path)
    report = json.loads((run.path / "evaluation/test/report.json").read_text())

    shown = page_of(run).all("dl", "strip")[0]

    names = [one.text for one in shown.all("dt")]
    assert dict(zip(names, (one.text for one in shown.all("dd")), strict=True)) == {
        "accuracy": figure(report["accuracy"]),
        "log loss": figure(report["log_loss"]),
        "Brier score": figure(report["brier_score"]),
        "examples": "60",
        "top-2 accuracy": figure(report["top_k"]["2"]),
        "top-3 accuracy": figure(report["top_k"]["3"]),
    }


def test_confusion_matrix_has_counts_and_shares(tmp_path: Path) -> None:
    run = full_run(tmp_path)
    kept = json.loads((run.path / "evaluation/test/confusion.json").read_text())

    found = page_of(run).all("table", "confusion")[0]

    for row, counts, rates in zip(
        found.all("tbody")[0].all("tr"), kept["counts"], kept["rates"], strict=True
    ):
        for cell, count, rate in zip(row.all("td"), counts, rates, strict=True):
            spans = [one.text for one in cell.all("span")]
            share = "100%" if rate == 1 else f"{rate:.1%}"
            assert spans == ([f"{count:,}", share] if count else [])
            assert count or cell.text == "0"
    right = [row.all("td")[index] for index, row in enumerate(found.all("tbody")[0].all("tr"))]
    assert all(re.fullmatch("r[1-4]", cell.attributes["class"] or "") for cell in right)


@pytest.mark.parametrize(
    ("wrong", "shades"),
    [(1, ["r4", "w1"]), (20, ["r4", "w2"]), (100, ["r4", "w3"]), (300, ["r3", "w4"]), (900, ["r1", "w4"])],
)
def test_confusion_tells_small_shares_of_mistakes_apart(wrong: int, shades: list[str]) -> None:
    kept = {"class_names": ["a", "b"], "counts": [[1_000 - wrong, wrong], [0, 5]]}

    cells = read_page("".join(draw_confusion(kept))).all("tbody")[0].all("td")

    assert [one.attributes["class"] for one in cells] == [*shades, "zero", "r4"]


def test_confusion_of_many_classes_is_a_list_of_the_most_frequent(tmp_path: Path) -> None:
    names = tuple(f"class {index}" for index in range(41))
    page = page_of(make_evaluated_run(tmp_path, {"out": classifier(500, names)}))

    assert not page.all("table", "confusion")
    shown = table_of(page, "The most frequent confusions of 41 classes").all("tbody")[0].rows()
    counts = [int(row[2]) for row in shown]
    assert counts == sorted(counts, reverse=True)
    assert len(shown) == 20


def test_curves_have_every_value_and_mark_the_best_epoch(tmp_path: Path) -> None:
    run = make_run(tmp_path, losses=(0.9, 0.4, 0.5))

    curves = section(page_of(run), "curves")

    assert json.loads(curves.all("div", "curves")[0].attributes["data-epochs"] or "") == [[1, 2, 3]]
    panels = {one.all("h3")[0].text: one for one in curves.all("figure")}
    assert list(panels) == ["loss", "learning rate"]
    plain = json.loads(panels["loss"].attributes["data-panel"] or "")
    assert plain["curves"] == [[0, [0.2, 0.2, 0.2]], [0, [0.9, 0.4, 0.5]]]
    assert [one.text for one in panels["loss"].all("output")] == ["0.2000", "0.4000"]  # of epoch 2
    assert len(panels["loss"].all("line", "best")) == 1
    slider = next(one for one in curves.all("input") if one.attributes.get("type") == "range")
    assert [slider.attributes[name] for name in ("min", "max", "value")] == ["1", "3", "2"]


def test_thinned_curves_keep_their_ends_and_extremes() -> None:
    values = np.random.default_rng(3).normal(size=5_000).tolist()
    rows = [{"epoch": index, "loss": value} for index, value in enumerate(values, 1)]

    kept = thin_out(rows, ["loss"], 400)

    shown = [row["loss"] for row in kept]
    assert len(kept) <= 402
    assert {min(values), max(values), values[0], values[-1]} <= set(shown)
    assert [row["epoch"] for row in kept] == sorted(row["epoch"] for row in kept)


def test_configuration_marks_what_differs_and_knows_the_optimizers_rate(tmp_path: Path) -> None:
    changed, same = make_run(tmp_path), make_run(tmp_path, learning_rate=0.001, name="same")

    rows = [
        {row[0]: row[1:] for row in section(page_of(run), "configuration").rows()} for run in (changed, same)
    ]

    assert rows[0]["training.learning_rate (differs)"] == ["0.1", "0.001"]
    assert rows[1]["training.learning_rate"] == ["0.001", "0.001"]
    assert rows[0]["seed (differs)"] == ["7", "0"]
    assert rows[0]["training.optimizer"] == ["adam", "adam"]


def test_environment_says_how_to_reproduce(tmp_path: Path) -> None:
    found = section(page_of(make_run(tmp_path)), "environment")

    assert found.all("pre")[0].text == "pip install keras==3.15.1\nnnrun train config.yaml"
    assert "nnrun train xor.yaml" in found.text
    assert "sha256:f52e" in found.text


def test_charts_of_two_classes_are_roc_precision_and_calibration(tmp_path: Path) -> None:
    run = make_evaluated_run(tmp_path, {"out": classifier(names=("no", "yes"))})
    report = json.loads((run.path / "evaluation/test/report.json").read_text())

    panels = {one.all("h3")[0].text: one for one in section(page_of(run), "evaluation-test").all("figure")}

    assert list(panels) == ["Calibration", "ROC curve", "Precision and recall"]
    yes = report["classes"][1]
    assert panels["ROC curve"].all("span", "said")[0].text == f"area under it {figure(yes['roc_area'])}"
    said = panels["Precision and recall"].all("span", "said")[0].text
    assert said == f"average precision {figure(yes['average_precision'])}"
    dots = panels["Calibration"].all("circle")
    assert len(dots) == len(report["calibration"]["bins"])
    path = panels["ROC curve"].all("path")[0].attributes["d"] or ""
    assert path.startswith("M62.0 192.0")  # no positives at all
    assert path.endswith("L348.0 12.0")  # everything


def test_charts_of_numbers_are_agreement_and_residuals(tmp_path: Path) -> None:
    run = make_evaluated_run(tmp_path, {"out": regressor()})

    found = section(page_of(run), "evaluation-test")

    panels = {one.all("h3")[0].text: one for one in found.all("figure")}
    assert list(panels) == ["price: predicted and true", "price: residuals"]
    assert len(panels["price: predicted and true"].all("circle")) == 50
    assert len(panels["price: residuals"].all("rect", "bar")) == 24
    report = json.loads((run.path / "evaluation/test/regression.json").read_text())
    (row,) = table_of(found, "Errors by predicted number").all("tbody")[0].all("tr")
    values = [float(one.attributes["data-value"] or "nan") for one in row.all("td")]
    names = ("mae", "rmse", "r2", "median_absolute_error", "max_error", "mape")
    assert values == [report["columns"][0][name] for name in names]


@pytest.mark.parametrize(
    "points",
    [
        {"of": "a", "roc": {"points": [[0, 0], [2, 2]], "area": 0.5}},
        {"of": "a", "roc": {"points": [[0, 0], [1, 1]]}},
        {"of": "a", "precision_recall": {"points": [[0, 1, 2]], "area": 0.5}},
        {"columns": [{"name": "a", "target": [1, 2], "predicted": [1]}]},
        {"columns": [{"name": "a", "residuals": {"edges": [0, 1, 2], "counts": [5]}}]},
        {"columns": [{"name": "a", "residuals": {"edges": [0, 2, 1], "counts": [5, 5]}}]},
        {"columns": [{"name": "a", "residuals": {"edges": [0, 1, 2], "counts": [0, 0]}}]},
    ],
)
def test_charts_of_points_that_nnrun_does_not_write_are_left_out(points: dict[str, Any]) -> None:
    assert draw_charts({"points": points}) == []


def test_each_of_several_outputs_has_its_own_part(tmp_path: Path) -> None:
    run = make_evaluated_run(tmp_path, {"digit": classifier(), "size": regressor()})

    found = section(page_of(run), "evaluation-test")

    assert [one.text for one in found.all("h3", "output")] == ["Output digit", "Output size"]
    assert found.all("table", "confusion")
    assert table_of(found, "Errors by predicted number")


def test_large_run_stays_a_small_page_that_is_written_in_a_moment(tmp_path: Path) -> None:
    judged = classifier(400, tuple(f"a rather long class name, number {index}" for index in range(300)))
    noise = np.random.default_rng(0).integers(0, 256, (400, 224, 224, 3), dtype=np.uint8)
    run = make_evaluated_run(tmp_path, {"out": judged}, {"out": samples_of(judged, noise, 255.0)})
    lines = [
        json.dumps(
            {"epoch": epoch, **{f"{part}{name}": 1 / epoch for part in ("", "val_") for name in "abcdef"}}
        )
        for epoch in range(1, 10_001)
    ]
    (run.path / "metrics.jsonl").write_text("\n".join(lines) + "\n")

    begun = time.perf_counter()
    write_report(run, tmp_path / "page.html")
    seconds = time.perf_counter() - begun

    assert 200_000 < (tmp_path / "page.html").stat().st_size < 1_000_000
    assert seconds < 3  # about 0.8
    panels = [
        json.loads(one.attributes["data-panel"] or "")
        for one in page_of(run).all("figure")
        if "data-panel" in one.attributes
    ]
    assert sum(len(values) for panel in panels for _, values in panel["curves"]) <= 1.2 * MOST_POINTS


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        (
            "evaluation/test/confusion.json",
            '{"class_names": ["a"], "counts": [[1, 2]]}',
            "confusion.json is damaged",
        ),
        (
            "evaluation/test/confusion.json",
            '{"class_names": ["a"], "counts": [[-1]]}',
            "confusion.json is damaged",
        ),
        ("evaluation/test/report.json", "[]", "report.json is damaged"),
        ("evaluation/test/samples.json", "{", "samples.json is damaged"),
        ("evaluation/test/points.json", "[" * 100_000, "points.json is damaged"),
        ("metrics.jsonl", "{}\n[]\n", "metrics.jsonl:2 is damaged"),
        ("run.json", "null", "run.json is damaged"),
    ],
)
def test_damaged_run_is_refused_with_the_file(file: str, content: str, message: str, tmp_path: Path) -> None:
    run = full_run(tmp_path)
    (run.path / file).write_text(content)

    with pytest.raises(RunError, match=re.escape(message)):
        render([run])


@pytest.mark.parametrize("name", ["evaluation/test/samples.json", "evaluation/test", "evaluation"])
def test_link_out_of_the_run_is_not_followed(name: str, tmp_path: Path) -> None:
    run = full_run(tmp_path)
    moved = (run.path / name).rename(tmp_path / "elsewhere")
    (run.path / name).symlink_to(moved)

    with pytest.raises(RunError, match="symbolic link"):
        render([run])


WRONG: list[Any] = [None, -1, "x", [[None]], {"points": [[2, 2]]}, float("nan"), 10**400]


@pytest.mark.parametrize("first", range(3))
@pytest.mark.parametrize("wrong", WRONG, ids=lambda wrong: repr(wrong)[:20])
def test_values_of_other_kinds_are_left_out(wrong: Any, first: int, tmp_path: Path) -> None:
    run = full_run(tmp_path)
    for name in ("samples", "points", "report", "regression"):
        path = run.path / f"evaluation/test/{name}.json"
        kept = json.loads(path.read_text()) if path.exists() else {"columns": [{}]}
        path.write_text(json.dumps(spoiled(kept, wrong, first)))

    page = page_of(run)

    assert section(page, "summary")


def spoiled(value: Any, wrong: Any, first: int) -> Any:
    """Every third value, of any depth, is another one."""
    if isinstance(value, dict):
        items = value.items()
        return {
            key: wrong if place % 3 == first else spoiled(item, wrong, first)
            for place, (key, item) in enumerate(items)
        }
    if isinstance(value, list):
        return [
            wrong if place % 3 == first else spoiled(item, wrong, first) for place, item in enumerate(value)
        ]
    return value


@pytest.mark.parametrize(
    ("weights", "shown"), [("best", "weights of epoch 2"), ("last", "with the kept weights")]
)
def test_epoch_of_the_tested_weights_is_said_where_it_is_known(
    weights: str, shown: str, tmp_path: Path
) -> None:
    run = make_run(tmp_path, test={"accuracy": 0.5})
    run.write_result((run.result() or {}) | {"model": {"weights": weights, "epoch": 2}})

    card = page_of(run).all("dl", "cards")[0].all("div")[0]

    assert card.all("small")[0].text == shown


def test_unfinished_run_says_so(tmp_path: Path) -> None:
    page = page_of(make_run(tmp_path, finished=False))

    assert "interrupted" in page.all("span", "badge")[0].text
    assert "nnrun resume xor-" in section(page, "summary").text


def test_run_without_anything_has_a_page(tmp_path: Path) -> None:
    run = make_run(tmp_path, losses=(0.5,), finished=False)
    (run.path / "metrics.jsonl").unlink()

    names = [one.attributes["id"] for one in page_of(run).all("section")]

    assert names == ["summary", "configuration", "environment"]


def test_comparison_sets_results_beside_the_settings_that_differ(tmp_path: Path) -> None:
    runs = [
        make_run(tmp_path, learning_rate=rate, losses=(0.9, low))
        for rate, low in ((0.1, 0.5), (0.01, 0.3), (1.0, 0.7))
    ]

    page = page_of(*runs)

    assert [row[1] for row in section(page, "runs").rows()[1:]] == [run.id for run in runs]
    found = section(page, "differences").all("table")[0]
    head, *body = found.rows()[1:]
    assert head == ["run", "loss", "val_loss", "best epoch", "epochs", "learning_rate"]
    assert [row[0] for row in body] == ["A", "B", "C"]
    assert [row[-1] for row in body] == ["0.1000", "0.0100", "1.0000"]
    assert [one.text for one in found.all("td", "best-of")] == ["0.3000"]
    curves = section(page, "curves")
    panel = next(one for one in curves.all("figure") if one.all("h3")[0].text == "val_loss")
    plain = json.loads(panel.attributes["data-panel"] or "")
    assert plain["curves"] == [[0, [0.9, 0.5]], [1, [0.9, 0.3]], [2, [0.9, 0.7]]]


def test_comparison_of_too_many_runs_is_refused(tmp_path: Path) -> None:
    run = make_run(tmp_path)

    with pytest.raises(RunError, match="expected 1 to 26 runs on a page, found 27"):
        render([run] * 27)


def test_page_needs_neither_matplotlib_nor_tensorflow() -> None:
    program = (
        "import sys, nnrun.report.html; "
        "print([m for m in ('matplotlib', 'tensorflow', 'keras', 'polars', 'PIL') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert done.stdout == "[]\n"
