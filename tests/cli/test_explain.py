"""``nnrun explain`` as a user meets it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from nnrun.cli.app import app

HEAVY = "[name for name in ('tensorflow', 'keras', 'numpy', 'matplotlib') if name in sys.modules]"


def explain(*arguments: str) -> str:
    done = CliRunner().invoke(app, ["explain", *arguments])
    assert done.exit_code == 0, done.output
    return done.stdout


def test_layer_is_explained_with_its_arguments() -> None:
    shown = explain("Dense")

    assert "output = activation(input x kernel + bias)" in shown
    assert "- Dense: {units: 64}" in shown
    assert "units  a whole number, required" in shown


def test_activation_has_a_curve() -> None:
    assert "relu(x) = max(x, 0)" in explain("relu")
    assert "••••" in explain("relu") or "****" in explain("relu")


def test_specification_is_explained() -> None:
    shown = explain("configs/mnist_512.yaml")

    assert "401,920 + 5,130 = 407,050 parameters" in shown
    assert "422 steps" in shown


def test_json_has_parts_and_sections() -> None:
    (part,) = json.loads(explain("Dense", "--json"))
    sections = json.loads(explain("configs/xor.yaml", "--json"))

    assert part["arguments"][0]["name"] == "units"
    assert list(sections)[:2] == ["data", "model"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["Dens"], "did you mean 'Dense'?"),
        (["relu", "--kind", "laier"], "did you mean 'layer'?"),
        (["Dense", "--plot", "x.png"], "has no curve"),
        (["relu", "training.epochs=3"], "changes belong to a specification"),
        (["nothing.yaml"], "nothing.yaml"),
        (["{a: 1, b: 2}"], "expected one name"),
        ([""], "expected a name"),
    ],
)
def test_mistake_is_explained_with_exit_code_two(arguments: list[str], words: str) -> None:
    done = CliRunner().invoke(app, ["explain", *arguments])

    assert done.exit_code == 2
    assert words in " ".join(done.output.split())


@pytest.mark.parametrize("what", ["Dense", "gelu", "configs/mnist.yaml", "configs/mnist_cnn.yaml"])
def test_explaining_loads_nothing_heavy(what: str, repository: Path) -> None:
    program = (
        "import sys\nfrom nnrun.cli.app import app\n"
        f"sys.argv = ['nnrun', 'explain', {what!r}]\n"
        f"try:\n    app()\nexcept SystemExit as end:\n    assert not end.code\nprint({HEAVY})"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=repository)

    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "[]"
