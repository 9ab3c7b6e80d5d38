"""The notebook that comes with nnrun, run in a real kernel."""

from __future__ import annotations

import ast
import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest

NOTEBOOK = Path(__file__).parents[1] / "configs" / "notebooks" / "first_steps.ipynb"
PACKAGES = ("nbformat", "nbclient", "ipykernel")
needs_jupyter = pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in PACKAGES),
    reason=f"notebooks need packages that are not installed: pip install {' '.join(PACKAGES)}",
)


def execute(folder: Path, *, without: str = "") -> list[Any]:
    """Run the notebook in a folder.

    Args:
        folder: Where it works.
        without: The tag of cells that are left out.

    Returns:
        Its cells of code with their outputs.
    """
    import nbformat
    from nbclient import NotebookClient

    notebook = nbformat.read(NOTEBOOK, as_version=4)
    nbformat.validate(notebook)
    notebook.cells = [cell for cell in notebook.cells if without not in cell.metadata.get("tags", [])]
    NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(folder)}}).execute()
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def output_of(cells: list[Any], source: str, kind: str) -> str:
    """The last output of this kind under the first cell that has this in its source."""
    cell = next(cell for cell in cells if source in cell.source)
    return [str(output["data"][kind]) for output in cell.outputs if kind in output.get("data", {})][-1]


def test_notebook_is_stored_without_outputs() -> None:
    cells = json.loads(NOTEBOOK.read_text("utf-8"))["cells"]

    code = [cell for cell in cells if cell["cell_type"] == "code"]
    assert len(code) >= 8
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in code)


@needs_jupyter
@pytest.mark.filterwarnings("ignore")  # of Jupyter's own packages
@pytest.mark.tensorflow
def test_first_half_of_the_notebook_trains_xor_and_shows_it(tmp_path: Path) -> None:
    cells = execute(tmp_path, without="digits")

    (cell,) = (cell for cell in cells if "nnrun.train" in cell.source)
    assert len(cell.outputs) == 1  # however often it was drawn
    lines = output_of(cells, "nnrun.train", "text/plain").splitlines()
    assert lines[0] == "xor: xor, 4 training examples"
    assert any(line.startswith("epoch 300/300  loss ") for line in lines)
    assert any("• loss" in line for line in lines)
    assert len(lines) < 80
    assert output_of(cells, "plt.show", "image/png")
    said = ast.literal_eval(output_of(cells, "predict", "text/plain"))
    assert {row: round(value) for row, value in said.items()} == {(0, 0): 0, (0, 1): 1, (1, 0): 1, (1, 1): 0}
    (shown,) = (cell for cell in cells if cell.source == "xor")
    assert "<iframe srcdoc=" in shown.outputs[0]["data"]["text/html"]


@needs_jupyter
@pytest.mark.filterwarnings("ignore")  # of Jupyter's own packages
@pytest.mark.slow
@pytest.mark.tensorflow
def test_whole_notebook_trains_digits_too(tmp_path: Path) -> None:
    cells = execute(tmp_path)

    assert "'accuracy': 0.9" in output_of(cells, "digits.scores", "text/plain")
    assert "'8 units': {'loss': " in output_of(cells, "small", "text/plain")
    assert "<iframe srcdoc=" in output_of(cells, "best:accuracy", "text/html")
    assert len(list((tmp_path / "runs").glob("*/result.json"))) == 3
