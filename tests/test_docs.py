"""What the README says is so."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from nnrun.cli.app import app
from nnrun.spec.datasets import dataset_names
from nnrun.spec.load import load_spec

REPOSITORY = Path(__file__).parents[1]
README = (REPOSITORY / "README.md").read_text("utf-8")
COMMANDS = sorted(c.name or c.callback.__name__ for c in app.registered_commands if c.callback)


def blocks(language: str) -> list[str]:
    """The code blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("command", COMMANDS)
def test_readme_names_every_command(command: str) -> None:
    assert re.search(rf"^\| `nnrun {command} ", README, re.MULTILINE)


def test_readme_names_no_command_that_is_not_there() -> None:
    named = set(re.findall(r"`nnrun ([a-z][\w-]*)", README)) - {"COMMAND"}

    assert named <= set(COMMANDS)


@pytest.mark.parametrize("name", dataset_names())
def test_readme_names_every_data_source(name: str) -> None:
    assert f"`{name}`" in README.split("## Data")[1].split("## Speed")[0]


def test_readme_shows_a_valid_specification(tmp_path: Path) -> None:
    (shown,) = blocks("yaml")
    path = tmp_path / "mnist.yaml"
    path.write_text(shown)

    assert load_spec(path).spec == load_spec(REPOSITORY / "configs" / "mnist.yaml").spec


def test_readme_commands_refer_to_what_is_there() -> None:
    commands = [line for block in blocks("sh")[:2] for line in block.splitlines()]

    assert commands == [
        "pip install -e . && nnrun train configs/digits.yaml",
        "pip install -e '.[dev]' && pytest -n auto --dist loadfile",
    ]
    words = shlex.split(commands[0].split("&&")[1])
    assert words[:2] == ["nnrun", "train"]
    assert (REPOSITORY / words[2]).is_file()


@pytest.mark.tensorflow
def test_readme_goes_from_a_table_to_predictions(tmp_path: Path) -> None:
    (tmp_path / "configs").symlink_to(REPOSITORY / "configs")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"

    done = subprocess.run(
        f"set -e\n{blocks('sh')[2]}",
        shell=True,
        cwd=tmp_path,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
    )

    assert done.returncode == 0, done.stderr
    rows = (tmp_path / "answers.csv").read_text("utf-8").splitlines()
    assert rows[0] == "predicted,probability,P(cultivar_1),P(cultivar_2),P(cultivar_3)"
    table = (REPOSITORY / "configs" / "data" / "wine.csv").read_text("utf-8").splitlines()
    right = [line.startswith(row.split(",")[-1] + ",") for line, row in zip(rows, table, strict=True)]
    assert sum(right[1:]) / len(table[1:]) >= 0.93


def test_readme_links_lead_to_files() -> None:
    links = re.findall(r"\]\((?!https?:)([^)]+)\)", README)

    assert links
    assert [link for link in links if not (REPOSITORY / link).is_file()] == []


def test_readme_exit_codes_are_those_of_the_errors() -> None:
    from nnrun import errors

    codes = {
        kind.exit_code
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, errors.NnrunError) and kind is not errors.NnrunError
    }
    shown = README.split("Exit codes:")[1].split("\n\n")[0]

    assert codes | {0, 70, 130, 143} == {int(code) for code in re.findall(r"\b\d+\b", shown)}


def test_help_lists_every_command() -> None:
    done = CliRunner().invoke(app, ["--help"])

    assert done.exit_code == 0
    assert all(f"  {command} " in done.output for command in COMMANDS)


def test_continuous_integration_finds_the_test_command() -> None:
    script = (REPOSITORY / ".ci" / "run").read_text("utf-8")

    assert "pip install -e" in script
    assert re.search(r"^pip install -e '\.\[dev\]' && (pytest.*)$", README, re.MULTILINE)


def test_pre_commit_configuration_is_yaml() -> None:
    hooks = yaml.safe_load((REPOSITORY / ".pre-commit-config.yaml").read_text("utf-8"))["repos"][0]["hooks"]

    assert [hook["id"] for hook in hooks] == ["ruff-check", "ruff-format", "mypy"]
