"""Predictions on the screen, as JSON and in files."""

from __future__ import annotations

import csv
import json
import os
import stat
import threading
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from quiet import Quiet
from typer.testing import CliRunner, Result

from nnrun import experiment, inference
from nnrun.cli import answers
from nnrun.cli import app as cli
from nnrun.cli.answers import write_rows
from nnrun.cli.console import table
from nnrun.errors import ResourceError

pytestmark = pytest.mark.tensorflow

CLASSES = ["[/x]", "[red]b[/red]", 'a,"q"\nline', "\x1b[31mred", "ü [bold"]
SPEC = """
data: {source: {csv: {path: t.csv, target: y}}}
model: {layers: [{Dense: {units: 8, activation: relu}}, {Dense: {units: 5, activation: softmax}}]}
training: {loss: sparse_categorical_crossentropy, epochs: 30, learning_rate: 0.05}
seed: 1
"""
NEW = "b,extra,a\n" + "".join(f"{index},x,{index % 5}\n" for index in range(7))


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a run that has learned classes with hostile names."""
    folder = tmp_path_factory.mktemp("hostile")
    random = np.random.default_rng(0)
    labels = np.arange(200) % 5
    frame = pl.DataFrame(
        {
            "a": labels + random.normal(size=200) * 0.1,
            "b": random.normal(size=200),
            "y": [CLASSES[label] for label in labels],
        }
    )
    frame.write_csv(folder / "t.csv")
    (folder / "x.yaml").write_text(SPEC)
    experiment.train(folder / "x.yaml", display=Quiet(), runs_dir=folder / "runs")
    return folder


@pytest.fixture
def place(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NNRUN_RUNS_DIR", str(trained / "runs"))
    monkeypatch.setenv("COLUMNS", "300")
    (tmp_path / "new.csv").write_text(NEW)
    return tmp_path


def run(*arguments: str, command: str = "predict", stdin: Any = None) -> Result:
    return CliRunner().invoke(cli.app, [command, "latest", *arguments], input=stdin)


def rows_of(done: Result) -> list[dict[str, Any]]:
    assert done.exit_code == 0, done.output
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_predictions_as_json_are_one_row_a_line(place: Path) -> None:
    rows = rows_of(run("new.csv", "--json"))

    assert [row["predicted"] for row in rows] == [CLASSES[index % 5] for index in range(7)]
    for row in rows:
        chances = [row[f"P({name})"] for name in CLASSES]
        assert sum(chances) == pytest.approx(1, abs=1e-5)
        assert row["probability"] == max(chances) == row[f"P({row['predicted']})"]


def test_names_of_classes_are_shown_as_they_are(place: Path) -> None:
    done = run("new.csv")

    assert done.exit_code == 0, done.output
    lines = [line.split("  ")[0].strip() for line in done.stdout.splitlines()]
    shown = ["[/x]", "[red]b[/red]", 'a,"q"\\nline', "\\x1b[31mred", "ü [bold"]
    assert lines[3:10] == [shown[index % 5] for index in range(7)]
    assert "P([red]b[/red])" in done.stdout
    assert "\x1b" not in done.stdout


def test_scores_and_the_runs_own_examples_are_shown_as_they_are(place: Path, trained: Path) -> None:
    done = run(command="evaluate")
    assert done.exit_code == 0, done.output
    assert "[/x]" in done.stdout
    assert "\x1b" not in done.stdout
    own = run("--first", "40")
    assert own.exit_code == 0, own.output
    assert "[red]b[/red]" in own.stdout
    scored = run("--data", str(trained / "t.csv"), command="evaluate")
    assert scored.exit_code == 0, scored.output
    assert " on 200 examples of t.csv " in scored.stdout


def test_only_the_first_rows_are_shown(place: Path) -> None:
    done = run("new.csv", "--first", "3")

    assert len([line for line in done.stdout.splitlines() if line.strip()]) == 2 + 3


def read_back(path: Path) -> list[dict[str, Any]]:
    """The rows of a file of predictions."""
    if path.suffix == ".parquet":
        return pl.read_parquet(path).to_dicts()
    with path.open(newline="", encoding="utf-8") as file:
        if path.suffix in (".json", ".jsonl"):
            return [json.loads(line) for line in file]
        rows = list(csv.DictReader(file))
    return [{key: cell if key == "predicted" else float(cell) for key, cell in row.items()} for row in rows]


@pytest.mark.parametrize("suffix", [".csv", ".CSV", ".parquet", ".json", ".jsonl"])
def test_predictions_are_written_in_the_format_of_the_name(suffix: str, place: Path) -> None:
    expected = rows_of(run("new.csv", "--json"))

    done = run("new.csv", "--output", f"out{suffix}")

    assert done.exit_code == 0, done.output
    assert done.stdout == ""
    assert done.stderr == f"7 predictions in out{suffix}\n"
    assert read_back(place / f"out{suffix}") == expected
    assert sorted(one.name for one in place.iterdir()) == ["new.csv", f"out{suffix}"]


@pytest.mark.parametrize("suffix", [".csv", ".parquet", ".json"])
def test_chunks_are_written_one_after_the_other(
    suffix: str, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("new.csv", "new.csv", "-o", f"whole{suffix}")
    monkeypatch.setattr(inference, "CHUNK_ROWS", 1)
    (place / "long.csv").write_text(NEW + "".join(f"{index},x,{index % 5}\n" for index in range(93)))

    done = run("new.csv", "long.csv", "new.csv", "-o", f"out{suffix}")

    assert done.stderr == f"114 predictions in out{suffix}\n"
    found = read_back(place / f"out{suffix}")
    assert len(found) == 7 + 100 + 7
    assert found[:7] == read_back(place / f"whole{suffix}")[:7]
    assert [row["predicted"] for row in found[-7:]] == [CLASSES[index % 5] for index in range(7)]


def test_standard_input_is_read_as_a_file(place: Path) -> None:
    expected = rows_of(run("new.csv", "--json"))
    pl.read_csv(place / "new.csv").write_parquet(place / "new.parquet")

    assert rows_of(run("-", "--json", stdin=NEW)) == expected
    assert rows_of(run("new.csv", "-", "--json", stdin=NEW)) == expected * 2
    done = run("-", stdin="b\n1\n")
    assert done.exit_code == 3
    assert done.stderr == "error: standard input: there is no column 'a'; there are b\n"
    assert run("-", stdin="").stderr == "error: standard input is empty: there is not a single byte in it\n"


def test_existing_output_is_replaced_and_kept_where_something_fails(place: Path) -> None:
    (place / "out.csv").write_text("before")
    (place / "bad.csv").write_text(NEW + "1,x,nonsense\n")

    done = run("bad.csv", "-o", "out.csv")
    assert done.exit_code == 3
    assert done.stderr.startswith(f"error: {place}/bad.csv, row 8 (line 9), column 'a': expected a number")
    assert (place / "out.csv").read_text() == "before"

    assert run("new.csv", "-o", "out.csv").exit_code == 0
    assert (place / "out.csv").read_text().startswith("predicted,probability,")
    assert sorted(one.name for one in place.iterdir()) == ["bad.csv", "new.csv", "out.csv"]


def test_output_over_the_input_is_refused(place: Path) -> None:
    (place / "link.csv").symlink_to("new.csv")

    for name in ("new.csv", "./new.csv", "link.csv", str(place / "new.csv")):
        done = run("new.csv", "-o", name)
        assert done.exit_code == 2
        assert "is the file to predict from; give it another name" in done.stderr
    assert (place / "new.csv").read_text() == NEW


@pytest.mark.parametrize(
    ("output", "code", "expected"),
    [
        ("out.txt", 2, "--output out.txt: expected a name that ends in .csv, .parquet, .json, .jsonl"),
        ("out", 2, "--output out: expected a name that ends in"),
        ("no/out.csv", 5, "error: cannot write no/out.csv: No such file or directory"),
        ("folder.csv", 5, "error: cannot write folder.csv: Is a directory"),
    ],
)
def test_output_that_cannot_be_written_is_refused(output: str, code: int, expected: str, place: Path) -> None:
    (place / "folder.csv").mkdir()

    done = run("new.csv", "-o", output)

    assert done.exit_code == code
    assert done.stderr.startswith(expected)
    assert sorted(one.name for one in place.iterdir()) == ["folder.csv", "new.csv"]


def test_files_that_cannot_be_read_are_refused(place: Path) -> None:
    assert run("no.csv").stderr == f"error: {place}/no.csv does not exist; correct its path\n"
    assert run(str(place)).stderr.startswith(f"error: {place} is a folder; expected a file; write")
    (place / "x.yaml").write_text(SPEC)
    assert run("x.yaml").exit_code == 3


def test_pipe_is_written_in_place(place: Path) -> None:
    os.mkfifo(place / "pipe")
    found: list[str] = []
    reader = threading.Thread(target=lambda: found.append((place / "pipe").read_text()))
    reader.start()

    done = run("new.csv", "-o", "pipe")
    reader.join(10)

    assert done.exit_code == 0, done.output
    assert found[0].startswith("predicted,probability,")
    assert stat.S_ISFIFO((place / "pipe").stat().st_mode)


def test_nothing_is_written_through_a_planted_link(place: Path) -> None:
    (place / "precious").write_text("precious")
    (place / f".out.csv-{os.getpid()}").symlink_to("precious")

    done = run("new.csv", "-o", "out.csv")

    assert done.exit_code == 5
    assert (place / "precious").read_text() == "precious"


def test_rows_with_lists_are_written_as_text(tmp_path: Path) -> None:
    assert write_rows(tmp_path / "x.csv", [[{"target": [1.0, 2.0], "output": 0.5}]]) == 1
    assert (tmp_path / "x.csv").read_text() == 'target,output\n"[1.0, 2.0]",0.5\n'
    with pytest.raises(ResourceError, match="cannot write"):
        write_rows(tmp_path / "no" / "x.csv", [])


def test_many_columns_are_cut_on_the_screen_only(monkeypatch: pytest.MonkeyPatch) -> None:
    row = {f"c{index}": 0.5 for index in range(20)}
    made = answers.prediction_table([row])

    names = [str(column.header) for column in made.columns]
    assert names == [*(f"c{index}" for index in range(12)), "... 8 more"]


def test_table_reads_nothing_as_markup() -> None:
    made = table(("[/b]", "[red]x"), [("[/x]", "[link=x]y[/link]")])

    assert [str(column.header) for column in made.columns] == ["[/b]", "[red]x"]
    assert [str(cell) for column in made.columns for cell in column.cells] == ["[/x]", "[link=x]y[/link]"]
