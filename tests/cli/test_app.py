"""The command line: exit codes, what goes where, and what users see when something is wrong."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from nnrun import errors
from nnrun.cli import app as cli

DIGITS = """data: {source: digits}
model:
  layers:
    - Flatten
    - Dense: {units: 10, activation: softmax}
training: {loss: sparse_categorical_crossentropy, metrics: [accuracy], epochs: 2, validation_split: 0.1}
"""


@pytest.fixture
def spec(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small specification in the working directory."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "spec.yaml"
    path.write_text(DIGITS)
    return path


def nnrun(*arguments: str, **options: object) -> subprocess.CompletedProcess[str]:
    """The real command in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "nnrun", *arguments], capture_output=True, text=True, **options
    )  # type: ignore[call-overload, no-any-return]


COMMANDS = sorted(c.name or c.callback.__name__ for c in cli.app.registered_commands if c.callback)


def test_commands_are_those_of_this_version() -> None:
    assert COMMANDS == [
        "bench",
        "compare",
        "config",
        "data",
        "doctor",
        "evaluate",
        "explain",
        "init",
        "launch",
        "ls",
        "note",
        "predict",
        "report",
        "resume",
        "rm",
        "schema",
        "show",
        "summary",
        "tag",
        "train",
        "validate",
        "verify-resume",
        "watch",
    ]


@pytest.mark.parametrize("command", COMMANDS)
def test_command_has_help_with_an_example(command: str) -> None:
    done = CliRunner().invoke(cli.app, [command, "--help"])

    assert done.exit_code == 0
    assert f"Example: nnrun {command} " in done.output


ERRORS = [
    kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.NnrunError)
]


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.SpecError([errors.Problem("wrong")], "x.yaml"), 2),
        (errors.DataError("no data"), 3),
        (errors.RunError("no run"), 4),
        (errors.ResourceError("no disk"), 5),
        (errors.DivergedError("NaN"), 6),
        (errors.RunInUseError("in use"), 7),
        (errors.ChangedError("changed"), 8),
    ],
    ids=lambda value: type(value).__name__,
)
def test_expected_error_becomes_its_exit_code(
    error: errors.NnrunError, code: int, spec: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*arguments: object) -> None:
        raise error

    monkeypatch.setattr("nnrun.spec.load.load_spec", fail)

    done = CliRunner().invoke(cli.app, ["config", str(spec)])

    assert done.exit_code == code
    assert str(error) in done.stderr
    assert "Traceback" not in done.output
    assert len(ERRORS) == 9  # the base, seven kinds and one of a kind


def test_bug_exits_70_and_leaves_its_traceback_in_a_file(spec: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: object) -> None:
        raise ZeroDivisionError("seven")

    monkeypatch.setattr("nnrun.spec.load.load_spec", fail)

    done = CliRunner().invoke(cli.app, ["config", str(spec)])

    assert done.exit_code == 70
    assert "This is a bug in nnrun" in done.stderr
    assert "ZeroDivisionError: seven" in done.stderr
    found = re.search(r"traceback is in (\S+);", done.stderr)
    assert found
    path = Path(found[1])
    assert "Traceback (most recent call last)" in path.read_text()
    path.unlink()


FRAME = """\
spec.yaml:5:15  model.layers[1].Dense.unit: unknown argument; did you mean 'units'?
   4 │     - Flatten
 > 5 │     - Dense: {unit: 10, activation: softmax}
     │               ^^^^
1 problem in spec.yaml. Nothing was trained.
"""


def test_mistake_is_shown_with_its_line(spec: Path) -> None:
    spec.write_text(DIGITS.replace("units: 10", "unit: 10"))

    done = CliRunner().invoke(cli.app, ["train", "spec.yaml"])

    assert done.exit_code == 2
    assert done.stdout == ""
    assert done.stderr == FRAME


def test_validate_reports_every_file(spec: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text(DIGITS.replace("softmax", "sofmax"))

    done = CliRunner().invoke(cli.app, ["validate", "spec.yaml", "bad.yaml", "none.yaml"])

    assert done.exit_code == 2
    assert done.stdout == "spec.yaml: valid\n"
    assert "no activation 'sofmax'; did you mean 'softmax'?" in done.stderr
    assert "none.yaml" in done.stderr


def test_validate_as_json_gives_a_line_a_file(spec: Path) -> None:
    spec.write_text(DIGITS.replace("softmax", "sofmax"))

    done = CliRunner().invoke(cli.app, ["validate", "spec.yaml", "--json"])

    assert done.exit_code == 2
    report = json.loads(done.stdout)
    assert report["valid"] is False
    assert report["problems"] == [
        "spec.yaml:5:38  model.layers[1].Dense.activation: no activation 'sofmax'; did you mean 'softmax'?"
    ]


def test_config_shows_defaults_and_where_values_come_from(spec: Path) -> None:
    plain = CliRunner().invoke(cli.app, ["config", "spec.yaml", "training.epochs=5"])
    origins = CliRunner().invoke(cli.app, ["config", "spec.yaml", "training.epochs=5", "--origin", "--json"])

    assert "epochs: 5" in plain.stdout
    assert "batch_size: 32" in plain.stdout
    found = json.loads(origins.stdout)
    assert found["training.epochs"] == "command line: training.epochs=5"
    assert found["training.batch_size"] == "default"
    assert found["training.validation_split"] == "spec.yaml:6"


@pytest.mark.tensorflow
def test_validate_with_build_reports_the_shape_at_its_line(spec: Path) -> None:
    spec.write_text(DIGITS.replace("- Flatten", "- LSTM: {units: 4}\n    - LSTM: {units: 4}"))

    done = CliRunner().invoke(cli.app, ["validate", "spec.yaml", "--build"])

    assert done.exit_code == 2
    assert (
        "spec.yaml:5:7  model.layers[1].LSTM: receives (batch, 4), wants (batch, steps, features)"
        in done.stderr
    )


@pytest.mark.tensorflow
def test_validate_with_build_holds_the_output_against_the_targets(spec: Path) -> None:
    spec.write_text(DIGITS.replace("    - Flatten\n", ""))

    done = CliRunner().invoke(cli.app, ["validate", "spec.yaml", "--build"])

    assert done.exit_code == 2
    assert (
        "spec.yaml:4:7  model.layers[0].Dense: gives (batch, 8, 10), but there is one target" in done.stderr
    )


@pytest.mark.tensorflow
def test_summary_as_json_counts_parameters(spec: Path) -> None:
    done = CliRunner().invoke(cli.app, ["summary", "spec.yaml", "--json"])

    assert done.exit_code == 0, done.stderr
    summary = json.loads(done.stdout)
    assert summary["parameters"] == 64 * 10 + 10
    assert [layer["output_shape"] for layer in summary["layers"]] == ["(batch, 64)", "(batch, 10)"]


@pytest.mark.tensorflow
def test_train_as_a_user_sees_it_has_no_noise(spec: Path, tmp_path: Path) -> None:
    done = nnrun("train", "spec.yaml", cwd=tmp_path)

    assert done.returncode == 0, done.stderr
    lines = done.stderr.splitlines()
    assert lines[0] == "spec: digits, 1,294 training / 144 validation / 359 test examples"
    assert lines[1].startswith("650 parameters, 41 steps of 32 an epoch, cpu, no XLA; run runs/spec-")
    assert lines[2].startswith("epoch 1/2  loss ")
    assert lines[3].startswith("epoch 2/2  loss ")
    assert len(lines) == 4
    closing = done.stdout.splitlines()
    assert [line.split(":")[0] for line in closing[:5]] == ["best", "test", "time", "run", "report"]
    (run,) = (tmp_path / "runs").glob("[!.]*")
    logged = (run / "train.log").read_text().splitlines()
    assert [without_time(line) for line in logged] == [without_time(line) for line in lines + closing]


def without_time(line: str) -> str:
    """A line without the time that is left, which the screen and the log tell a moment apart."""
    return re.sub(r"\S+ left", "left", line)


@pytest.mark.tensorflow
def test_train_as_json_gives_one_object_a_line(spec: Path, tmp_path: Path) -> None:
    done = nnrun("train", "spec.yaml", "--json", cwd=tmp_path)

    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert [event["event"] for event in events] == ["start", "epoch", "epoch", "result"]
    assert events[-1]["test"]["accuracy"] > 0.1
    assert done.stderr == ""


@pytest.mark.tensorflow
def test_quiet_train_prints_the_run_alone(spec: Path, tmp_path: Path) -> None:
    done = nnrun("train", "spec.yaml", "--quiet", cwd=tmp_path)

    (run,) = (tmp_path / "runs").glob("[!.]*")
    assert done.stdout == f"runs/{run.name}\n"
    assert done.stderr == ""


@pytest.mark.tensorflow
@pytest.mark.skipif(os.name == "nt", reason="signals are POSIX's")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_signal_during_training_keeps_everything(number: int, code: int, spec: Path, tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "nnrun", "train", "spec.yaml", "training.epochs=100000", "--json"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    while '"epoch"' not in process.stdout.readline():
        assert process.poll() is None
    process.send_signal(number)
    sent = time.monotonic()
    process.communicate(timeout=30)

    assert process.returncode == code
    assert time.monotonic() - sent < 10
    (run,) = (tmp_path / "runs").glob("[!.]*")
    assert {"metrics.jsonl", "model.keras", "checkpoints", "run.json"} <= {
        path.name for path in run.iterdir()
    }
    assert not (run / "result.json").exists()
    assert len((run / "metrics.jsonl").read_text().splitlines()) >= 1


@pytest.mark.tensorflow
@pytest.mark.skipif(os.name == "nt", reason="signals are POSIX's")
def test_signal_before_training_stops_at_once_and_leaves_no_run(spec: Path, tmp_path: Path) -> None:
    program = (
        "import signal, sys\n"
        "from nnrun import experiment\n"
        "experiment.rehearse = lambda loaded: signal.raise_signal(signal.SIGINT)\n"
        "from nnrun.cli.app import app\n"
        "app(sys.argv[1:])"
    )

    done = subprocess.run(
        [sys.executable, "-c", program, "train", "spec.yaml"], cwd=tmp_path, capture_output=True, text=True
    )

    assert done.returncode == 130
    assert "Traceback" not in done.stderr
    assert list((tmp_path / "runs").glob("[!.]*")) == []


@pytest.mark.parametrize("part", ["tset", "", "all"])
def test_unknown_part_is_a_usage_error(part: str, spec: Path) -> None:
    done = CliRunner().invoke(cli.app, ["evaluate", "latest", "--on", part])

    assert done.exit_code == 2
    assert "is not one of" in done.stderr


def test_unknown_command_is_a_usage_error() -> None:
    assert CliRunner().invoke(cli.app, ["trian"]).exit_code == 2


@pytest.mark.tensorflow
@pytest.mark.skipif(os.name == "nt", reason="pipes with names are POSIX's")
def test_predictions_can_go_to_a_pipe_that_stays_one(spec: Path, tmp_path: Path) -> None:
    assert CliRunner().invoke(cli.app, ["train", "spec.yaml", "-q"]).exit_code == 0
    os.mkfifo(tmp_path / "pipe")
    with subprocess.Popen(["cat", "pipe"], cwd=tmp_path, stdout=subprocess.PIPE, text=True) as reader:
        done = CliRunner().invoke(cli.app, ["predict", "latest", "--output", "pipe"])
        read, _ = reader.communicate(timeout=60)

    assert done.exit_code == 0, done.stderr
    assert read.splitlines()[0] == "example,target,predicted,probability,right"
    assert (tmp_path / "pipe").is_fifo()
