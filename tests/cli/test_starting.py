"""``init`` and ``schema`` as users meet them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from nnrun.cli.app import app
from nnrun.spec.load import load_spec
from nnrun.spec.templates import list_templates


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def nnrun(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


def test_init_alone_lists_all_templates_with_what_they_reach() -> None:
    done = nnrun("init")

    shown = [line.split(maxsplit=1) for line in done.stdout.splitlines()]
    assert done.exit_code == 0
    assert shown == [[one.name, one.summary] for one in list_templates()]
    assert done.stderr == "Copy one of them: nnrun init TEMPLATE [FILE]\n"


def test_init_lists_as_json() -> None:
    done = nnrun("init", "--json")

    listed = json.loads(done.stdout)
    assert [one["template"] for one in listed] == [one.name for one in list_templates()]
    assert all(Path(one["path"]).is_file() and one["summary"] for one in listed)
    assert done.stderr == ""


def test_init_copies_a_template_and_the_schema(here: Path) -> None:
    done = nnrun("init", "tiny/moons")

    assert done.exit_code == 0
    assert sorted(path.name for path in here.iterdir()) == ["moons.yaml", "nnrun.schema.json"]
    assert done.stdout == (
        "moons.yaml: a copy of tiny/moons; above 90 % test accuracy, a second of training\n"
        "nnrun.schema.json: lets editors complete and check specifications\n"
        "next: nnrun train moons.yaml\n"
    )
    first, second = (here / "moons.yaml").read_text().splitlines()[:2]
    assert first == "# nnrun train moons.yaml   above 90 % test accuracy, a second of training"
    assert (here / second.partition("$schema=")[2]).is_file()
    assert load_spec(Path("moons.yaml")).spec.data.source.name == "moons"


def test_init_gives_the_copy_a_name_or_a_folder(here: Path) -> None:
    (here / "tries").mkdir()

    assert nnrun("init", "xor", "tries/mine.yaml").exit_code == 0
    assert nnrun("init", "xor", "tries").exit_code == 0

    assert sorted(path.name for path in (here / "tries").iterdir()) == [
        "mine.yaml",
        "nnrun.schema.json",
        "xor.yaml",
    ]
    assert (here / "tries" / "mine.yaml").read_text().startswith("# nnrun train tries/mine.yaml ")


def test_init_says_as_json_what_it_wrote() -> None:
    done = nnrun("init", "xor", "--json")

    assert json.loads(done.stdout) == {
        "template": "xor",
        "config": "xor.yaml",
        "files": ["xor.yaml", "nnrun.schema.json"],
    }


def test_init_overwrites_only_by_force(here: Path) -> None:
    (here / "xor.yaml").write_text("mine")

    refused = nnrun("init", "xor")
    kept = (here / "xor.yaml").read_text()
    forced = nnrun("init", "xor", "--force")

    assert (refused.exit_code, kept) == (2, "mine")
    assert refused.stderr == (
        "xor.yaml is there already; give another name, or --force to overwrite it\n"
        "1 problem. Nothing was written.\n"
    )
    assert not refused.stdout
    assert forced.exit_code == 0
    assert load_spec(here / "xor.yaml").spec.name == "xor"


def test_init_keeps_a_schema_that_is_there(here: Path) -> None:
    (here / "nnrun.schema.json").write_text("{}")

    done = nnrun("init", "xor", "--force")

    assert done.exit_code == 0
    assert (here / "nnrun.schema.json").read_text() == "{}"


def test_init_makes_no_folders(here: Path) -> None:
    done = nnrun("init", "xor", "new/xor.yaml")

    assert done.exit_code == 2
    assert done.stderr.startswith("there is no folder new; make it with: mkdir -p new\n")
    assert list(here.iterdir()) == []


def test_init_names_the_nearest_template(here: Path) -> None:
    done = nnrun("init", "mnist-cn")

    assert done.exit_code == 2
    assert done.stderr == (
        "no template 'mnist-cn'; did you mean 'mnist_cnn'?\n1 problem. Nothing was written.\n"
    )
    assert list(here.iterdir()) == []


def test_schema_is_printed_as_json() -> None:
    done = nnrun("schema")

    assert done.exit_code == 0
    assert "layer.Dense" in json.loads(done.stdout)["$defs"]


def test_schema_is_written_to_a_file(here: Path) -> None:
    done = nnrun("schema", "--output", "my.json")

    assert done.exit_code == 0
    assert (here / "my.json").read_text() == nnrun("schema").stdout
    assert done.stdout == (
        "my.json: written; a specification beside it finds it by the line "
        "# yaml-language-server: $schema=my.json\n"
    )


def test_schema_holds_the_parts_of_a_python_file(here: Path) -> None:
    (here / "parts.py").write_text("def bent(x):\n    'Bends.'\n    return x\n")

    with_code = json.loads(nnrun("schema", "--code", "parts.py").stdout)["$defs"]["activation"]
    without = json.loads(nnrun("schema").stdout)["$defs"]["activation"]

    assert "bent" in with_code["anyOf"][0]["enum"]
    assert "bent" not in without["anyOf"][0]["enum"]


def test_schema_that_cannot_be_written_exits_5() -> None:
    done = nnrun("schema", "--output", "nowhere/my.json")

    assert done.exit_code == 5
    assert "cannot write nowhere/my.json" in done.stderr
