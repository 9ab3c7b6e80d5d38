"""``nnrun data`` on the screen and as JSON."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from nnrun.cli import app as cli
from nnrun.cli.data_display import bar, spark
from nnrun.data.inspect_views import Histogram

SPEC = """data: {{source: {{csv: {{path: {path}, target: {target}}}}}}}
model: {{layers: [{{Dense: {{units: 3, activation: softmax}}}}]}}
training: {{loss: sparse_categorical_crossentropy, validation_split: 0.1}}
"""


def run(*arguments: object) -> Result:
    return CliRunner().invoke(cli.app, ["data", *map(str, arguments)])


@pytest.fixture
def iris(tmp_path: Path, repository: Path) -> Path:
    path = tmp_path / "iris.yaml"
    path.write_text(SPEC.format(path=repository / "configs" / "data" / "iris.csv", target="species"))
    return path


def test_data_shows_parts_classes_columns_and_findings(iris: Path) -> None:
    done = run(iris)

    assert done.exit_code == 0, done.output
    lines = [" ".join(line.split()) for line in done.stdout.splitlines()]
    assert lines[:4] == [
        "data iris.csv, 150 examples",
        "parts train 108 · validation 12 · test 30",
        "input input: 4, float32 from 4 columns",
        "target species: 3 classes",
    ]
    assert "setosa 36 ██████████ 33.3 % 4 ██████████ 33.3 % 10 ██████████ 33.3 %" in lines
    assert any(line.startswith("sepal_length number 1 - 35 4.3 5.843 7.9 ") for line in lines)
    assert any(line.startswith("warning: examples stand twice within a part: ") for line in lines)
    assert lines[-1] == "1 warning"
    assert done.stderr == ""


def test_data_as_json_holds_all_of_it(iris: Path) -> None:
    done = run(iris, "--json")

    found = json.loads(done.stdout)
    assert found["parts"] == {"train": 108, "validation": 12, "test": 30}
    assert found["inputs"][0]["shape"] == [4]
    assert [column["name"] for column in found["columns"]] == [
        "sepal_length",
        "sepal_width",
        "petal_length",
        "petal_width",
    ]
    assert sum(found["columns"][0]["histogram"]["counts"]) == 150
    assert [finding["level"] for finding in found["findings"]] == ["warning"]
    assert done.stdout.count("\n") == 1


def test_data_strict_exits_3_on_warnings_only(iris: Path, tmp_path: Path) -> None:
    moons = tmp_path / "moons.yaml"
    moons.write_text(
        "data: {source: moons}\nmodel: {layers: [{Dense: {units: 2, activation: softmax}}]}\n"
        "training: {loss: sparse_categorical_crossentropy}\n"
    )

    assert run(iris, "--strict").exit_code == 3
    clean = run(moons, "--strict")
    assert clean.exit_code == 0
    assert "nothing wrong was found" in clean.stdout


def test_data_training_would_refuse_exits_3(tmp_path: Path) -> None:
    rows = "".join(f"{row % 17}.{row % 7},{'ab'[row % 2]}\n" for row in range(60))
    (tmp_path / "x.csv").write_text("size,kind\n" + rows + "inf,a\n")
    spec = tmp_path / "spec.yaml"
    spec.write_text(SPEC.format(path="x.csv", target="kind"))

    done = run(spec)

    assert done.exit_code == 3
    assert "error: infinite values: size: 1" in done.stdout


def test_data_override_changes_what_is_looked_at(iris: Path) -> None:
    done = run(iris, "training.validation_split=0", "data.source.csv.ignore=[petal_width]", "--json")

    found = json.loads(done.stdout)
    assert found["parts"] == {"train": 120, "test": 30}
    assert found["left_out"] == {"petal_width": "ignore says so"}


def test_data_shows_names_of_strangers_as_text(tmp_path: Path) -> None:
    kinds = ["[red]x[/red]", "$a_b$", "<b>猫</b>", "كلب\u202e"]
    rows = "".join(f"{row % 13}.{row % 7}{row},{kinds[row % 4]}\n" for row in range(80))
    (tmp_path / "x.csv").write_text("[bold]\u202esize,kind\n" + rows, encoding="utf-8")
    spec = tmp_path / "spec.yaml"
    spec.write_text(SPEC.format(path="x.csv", target="kind"))

    done = run(spec)

    assert done.exit_code == 0, done.output
    for text in ("[red]x[/red]", "$a_b$", "<b>猫</b>", "كلب\\u202e", "[bold]\\u202esize"):
        assert text in done.stdout
    assert "\u202e" not in done.stdout


def test_data_plots_writes_a_picture(iris: Path, tmp_path: Path) -> None:
    done = run(iris, "--plots", tmp_path / "deep" / "iris.png")

    assert done.exit_code == 0, done.output
    assert (tmp_path / "deep" / "iris.png").read_bytes().startswith(b"\x89PNG")
    assert "drawn: " in done.stderr


def test_data_plots_with_another_ending_exits_2(iris: Path, tmp_path: Path) -> None:
    done = run(iris, "--samples", tmp_path / "iris.gif")

    assert done.exit_code == 2
    assert "expected a file that ends in .png or .svg; found iris.gif" in done.stderr


def test_data_without_its_file_exits_2(tmp_path: Path) -> None:
    spec = tmp_path / "spec.yaml"
    spec.write_text(SPEC.format(path="nowhere.csv", target="kind"))

    assert run(spec).exit_code == 2


@pytest.mark.parametrize(
    ("fraction", "shown"),
    [(0, "          "), (1, "██████████"), (0.5, "█████     "), (0.51, "█████▏    "), (1e-9, "▏         ")],
)
def test_bar_has_ten_cells_and_shows_the_smallest_part(fraction: float, shown: str) -> None:
    assert bar(fraction) == shown


def test_spark_shows_empty_bins_as_gaps_and_single_values() -> None:
    assert spark(Histogram([0, 1, 500, 1000], 0, 4)) == " ▁▄█"
    assert spark(None) == ""
