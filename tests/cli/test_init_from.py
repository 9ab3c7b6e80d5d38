"""``init --from`` as users meet it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from nnrun.cli.app import app
from nnrun.spec.load import load_spec

TABLE = "id,size,town,price\n" + "".join(
    f"{row},{row % 17 + 0.5},{'Rome' if row % 3 else 'Oslo'},{row % 23 * 1000.5}\n" for row in range(60)
)


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with a table."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "houses.csv").write_text(TABLE)
    return tmp_path


def nnrun(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


def test_init_from_writes_a_specification_and_says_what_comes_next(here: Path) -> None:
    done = nnrun("init", "--from", "data/houses.csv", "--target", "price")

    assert done.exit_code == 0
    assert done.stdout == "next: nnrun train houses.yaml\n"
    assert sorted(path.name for path in here.glob("*.*")) == ["houses.yaml", "nnrun.schema.json"]
    rows = [line.split() for line in done.stderr.splitlines() if line.strip()]
    assert ["id", "0", "to", "59", "left", "out:", "it", "looks", "like", "an", "identifier"] in rows
    assert ["size", "number", "0.5", "to", "16.5", "standardize"] in rows
    assert ["town", "category", "Rome,", "Oslo", "3", "numbers", "of", "0", "or", "1"] in rows
    assert ["price", "number", "0", "to", "22011", "is", "predicted"] in rows
    assert rows[-1][:7] == ["houses.yaml:", "made", "for", "data/houses.csv", "(60", "rows,", "4"]


def test_init_from_begins_as_shipped_configurations_do(here: Path) -> None:
    nnrun("init", "--from", "data/houses.csv", "--target", "price")

    text = (here / "houses.yaml").read_text()
    assert text.startswith(
        "# nnrun train houses.yaml   predicts price\n"
        "# yaml-language-server: $schema=nnrun.schema.json\n"
        "# Made by `nnrun init` from houses.csv (60 rows, 4 columns). It trains as it is; every\n"
    )
    assert "path: data/houses.csv\n" in text
    assert load_spec(Path("houses.yaml")).spec.data.source.arguments["target"] == "price"


def test_init_from_passes_validation_without_a_hint() -> None:
    nnrun("init", "--from", "data/houses.csv", "--target", "price")

    done = nnrun("validate", "houses.yaml")

    assert (done.exit_code, done.stdout, done.stderr) == (0, "houses.yaml: valid\n", "")


def test_init_from_writes_where_it_is_told_to(here: Path) -> None:
    (here / "specs").mkdir()

    assert nnrun("init", "--from", "data/houses.csv", "--target", "price", "specs/first.yaml").exit_code == 0
    assert nnrun("init", "specs", "--from", "data/houses.csv", "--target", "price").exit_code == 0
    assert nnrun("init", "--from", "data/*.csv", "--target", "price").exit_code == 0

    assert (here / "specs" / "first.yaml").read_text().startswith("# nnrun train specs/first.yaml ")
    assert 'path: "../data/houses.csv"' in (here / "specs" / "houses.yaml").read_text()
    assert (here / "data.yaml").is_file()


def test_init_from_overwrites_only_by_force(here: Path) -> None:
    (here / "houses.yaml").write_text("mine")

    refused = nnrun("init", "--from", "data/houses.csv", "--target", "price")
    kept = (here / "houses.yaml").read_text()
    forced = nnrun("init", "--from", "data/houses.csv", "--target", "price", "--force")

    assert (refused.exit_code, kept, refused.stdout) == (2, "mine", "")
    assert refused.stderr == (
        "houses.yaml is there already; give another name, or --force to overwrite it\n"
        "1 problem. Nothing was written.\n"
    )
    assert forced.exit_code == 0
    assert load_spec(here / "houses.yaml").spec.name == "houses"


def test_init_from_without_a_target_lists_the_columns(here: Path) -> None:
    done = nnrun("init", "--from", "data/houses.csv")

    assert done.exit_code == 2
    assert done.stdout == ""
    assert ["town", "string", "Rome,", "Oslo"] in [line.split() for line in done.stderr.splitlines()]
    assert done.stderr.endswith(
        "which column of houses.csv is to be predicted? Say it with --target COLUMN; plausible: price, town, size\n"
        "1 problem. Nothing was written.\n"
    )
    assert not (here / "houses.yaml").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--target", "prize"], "--target: houses.csv has no column 'prize'; did you mean 'price'?"),
        (["a.yaml", "b.yaml", "--target", "price"], "expected one .yaml file to write, found a.yaml b.yaml"),
        (["data/more.csv", "--target", "price"], "expected one .yaml file to write, found data/more.csv"),
    ],
)
def test_init_from_explains_wrong_arguments(here: Path, arguments: list[str], message: str) -> None:
    done = nnrun("init", "--from", "data/houses.csv", *arguments)

    assert done.exit_code == 2
    assert done.stderr.startswith(message)
    assert list(here.glob("*.yaml")) == []


def test_init_takes_a_target_only_with_data() -> None:
    done = nnrun("init", "xor", "--target", "y")

    assert done.exit_code == 2
    assert done.stderr.startswith("--target names a column of your data; say where that is: --from FILE\n")


def test_init_from_says_as_json_what_it_found() -> None:
    done = nnrun("init", "--from", "data/houses.csv", "--target", "price", "--json")

    shown = json.loads(done.stdout)
    assert (shown["config"], shown["files"]) == ("houses.yaml", ["houses.yaml", "nnrun.schema.json"])
    assert [one["name"] for one in shown["found"]] == ["id", "size", "town", "price"]
    assert shown["found"][0]["becomes"] == "left out: it looks like an identifier"
    assert done.stderr == ""


def test_init_from_shows_names_of_strangers_as_text(here: Path) -> None:
    name = "[bold]\x1b[2J"
    (here / "data" / "odd.csv").write_text(TABLE.replace("size", name, 1))

    done = nnrun("init", "--from", "data/odd.csv", "--target", "price")

    assert done.exit_code == 0
    assert "[bold]\\x1b[2J" in done.stderr
    assert "\x1b" not in done.stderr + (here / "odd.yaml").read_text()


def test_init_from_shows_the_first_of_very_many_columns(here: Path) -> None:
    header = ",".join(f"c{index}" for index in range(100)) + ",y\n"
    rows = "".join(
        ",".join(f"{(row * 7 + column * 3) % 41}.5" for column in range(101)) + "\n" for row in range(60)
    )
    (here / "data" / "wide.csv").write_text(header + rows)

    done = nnrun("init", "--from", "data/wide.csv", "--target", "y")

    assert done.exit_code == 0
    assert "and 61 more\n" in done.stderr
    assert " c39 " in done.stderr
    assert " c40 " not in done.stderr


def test_init_from_data_that_cannot_be_learned_exits_3() -> None:
    Path("same.csv").write_text("x,y\n" + "1.5,a\n" * 30)

    done = nnrun("init", "--from", "same.csv", "--target", "y")

    assert done.exit_code == 3
    assert "the target 'y' has the same value in all rows ('a')" in done.stderr
    assert not Path("same.yaml").exists()


@pytest.mark.tensorflow
def test_init_from_and_train_follow_each_other() -> None:
    nnrun("init", "--from", "data/houses.csv", "--target", "price")

    done = nnrun("train", "houses.yaml", "training.epochs=2", "training.callbacks=[]")

    assert done.exit_code == 0, done.stderr
    assert "test: loss" in done.stdout
