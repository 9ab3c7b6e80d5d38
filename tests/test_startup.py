"""Light commands stay light: they load neither TensorFlow nor Keras nor NumPy."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = ("tensorflow", "keras", "numpy", "polars", "matplotlib")
PROGRAM = """
import sys
from nnrun.cli.app import app
try:
    app(sys.argv[1:])
except SystemExit as ended:
    code = ended.code or 0
print("\\nloaded:", *sorted(set(sys.modules) & set({heavy!r})))
sys.exit(code)
"""


def run_fresh(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    program = PROGRAM.format(heavy=HEAVY)
    return subprocess.run(
        [sys.executable, "-c", program, *arguments], capture_output=True, text=True, cwd=cwd
    )


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["--version"],
        ["train", "--help"],
        ["validate", "configs/mnist.yaml"],
        ["validate", "configs/mnist.yaml", "--json"],
        ["config", "configs/mnist.yaml", "training.epochs=3"],
        ["config", "configs/mnist.yaml", "--origin"],
    ],
    ids=" ".join,
)
def test_light_command_succeeds_without_heavy_packages(arguments: list[str], repository: Path) -> None:
    done = run_fresh(*arguments, cwd=repository)

    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "loaded:"
    assert done.stderr == ""


def test_validate_with_mistakes_exits_2_without_heavy_packages(tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text("data: {sourc: mnist}\n")

    done = run_fresh("validate", "bad.yaml", cwd=tmp_path)

    assert done.returncode == 2
    assert done.stdout.splitlines()[-1] == "loaded:"
    assert "bad.yaml:1:8  data.sourc: unknown key; did you mean 'source'?" in done.stderr
