"""Advice as a user meets it: beside ``valid``, before a training, and as mistakes where that is asked for."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from nnrun.cli.app import app

TEXT = """\
data: {source: celsius}
model:
  layers:
    - Dense: {units: 1}
training:
  loss: mse
  learning_rate: 1.0
  metrics: [accuracy]
  epochs: 2
"""
HINT = (
    "hint: spec.yaml:8:13  training.metrics[0]: accuracy counts answers that are exactly right, and a number is "
    "never hit exactly; use mean_absolute_error\n"
)
FRAME = "   7 │   learning_rate: 1.0\n > 8 │   metrics: [accuracy]\n     │             ^^^^^^^^\n"
PROGRAM = """
import sys
from nnrun.cli.app import app
try:
    app(sys.argv[1:])
finally:
    print("loaded:", *sorted(set(sys.modules) & {"tensorflow", "keras", "numpy", "polars", "matplotlib"}))
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, with a specification that needs advice and one that needs none."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "spec.yaml").write_text(TEXT, "utf-8")
    (tmp_path / "fine.yaml").write_text(TEXT.replace("accuracy", "mae"), "utf-8")
    return tmp_path


@pytest.mark.usefixtures("folder")
def test_validate_shows_hints_with_their_lines_beside_valid() -> None:
    done = CliRunner().invoke(app, ["validate", "spec.yaml", "fine.yaml"])

    assert done.exit_code == 0
    assert done.stdout == "spec.yaml: valid\nfine.yaml: valid\n"
    assert done.stderr == f"{HINT}{FRAME}1 hint on spec.yaml.\n"


@pytest.mark.usefixtures("folder")
def test_validate_strict_takes_hints_for_mistakes() -> None:
    done = CliRunner().invoke(app, ["validate", "--strict", "spec.yaml", "fine.yaml"])

    assert done.exit_code == 2
    assert done.stdout == "fine.yaml: valid\n"
    assert done.stderr == f"{HINT}{FRAME}1 hint on spec.yaml. --strict takes hints for mistakes.\n"


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("options", "is_valid", "code"), [([], True, 0), (["--strict"], False, 2)], ids=["plain", "strict"]
)
def test_validate_json_lists_hints(options: list[str], is_valid: bool, code: int) -> None:
    done = CliRunner().invoke(app, ["validate", "spec.yaml", "fine.yaml", "--json", *options])

    assert done.exit_code == code
    hint = HINT.removeprefix("hint: ").rstrip()
    assert [json.loads(line) for line in done.stdout.splitlines()] == [
        {"config": "spec.yaml", "valid": is_valid, "problems": [], "hints": [hint]},
        {"config": "fine.yaml", "valid": True, "problems": [], "hints": []},
    ]
    assert done.stderr == ""


def test_validate_of_mistakes_gives_no_hints(folder: Path) -> None:
    (folder / "bad.yaml").write_text(TEXT + "  batch: 3\n", "utf-8")

    done = CliRunner().invoke(app, ["validate", "bad.yaml"])

    assert done.exit_code == 2
    assert "hint" not in done.stderr


@pytest.mark.parametrize("name", ["spec.yaml", "fine.yaml"])
def test_validate_with_hints_loads_no_heavy_packages(name: str, folder: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, "validate", name], capture_output=True, text=True, cwd=folder
    )

    assert done.returncode == 0, done.stderr
    assert ("hint: " in done.stderr) == (name == "spec.yaml")
    assert done.stdout.splitlines()[-1] == "loaded:"


def test_train_strict_refuses_hints_and_leaves_no_run(folder: Path) -> None:
    done = CliRunner().invoke(app, ["train", "--strict", "spec.yaml"])

    assert done.exit_code == 2
    assert done.stdout == ""
    closing = "1 hint on spec.yaml. --strict takes hints for mistakes. Nothing was trained.\n"
    assert done.stderr == f"{HINT}{FRAME}{closing}"
    assert not (folder / "runs").exists()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_train_strict_refuses_a_pipe_that_it_cannot_read_twice(folder: Path) -> None:
    os.mkfifo(folder / "pipe.yaml")

    done = CliRunner().invoke(app, ["train", "--strict", "pipe.yaml"])

    assert done.exit_code == 2
    assert "--strict reads the specification twice; give a file, not a pipe" in done.stderr


@pytest.mark.tensorflow
def test_train_shows_hints_first_and_keeps_them_in_the_log(folder: Path) -> None:
    done = CliRunner().invoke(app, ["train", "spec.yaml"])

    assert done.exit_code == 0, done.output
    assert done.stderr.startswith(HINT)
    (log,) = (folder / "runs").glob("*/train.log")
    assert log.read_text("utf-8").startswith(HINT)


@pytest.mark.tensorflow
def test_train_quiet_hides_hints(folder: Path) -> None:
    done = CliRunner().invoke(app, ["train", "--quiet", "spec.yaml"])

    assert done.exit_code == 0, done.output
    assert "hint" not in done.output


@pytest.mark.tensorflow
@pytest.mark.usefixtures("folder")
def test_train_json_gives_hints_as_notes() -> None:
    done = CliRunner().invoke(app, ["train", "--json", "spec.yaml"])

    first = json.loads(done.stdout.splitlines()[0])
    assert first == {"event": "note", "message": HINT.rstrip()}


@pytest.mark.tensorflow
def test_train_strict_without_hints_trains(folder: Path) -> None:
    done = CliRunner().invoke(app, ["train", "--strict", "fine.yaml"])

    assert done.exit_code == 0, done.output
    assert "hint" not in done.output
