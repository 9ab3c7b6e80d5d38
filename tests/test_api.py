"""nnrun from Python."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import nnrun
from nnrun.api import as_texts

CONFIGS = Path(__file__).parents[1] / "configs"


def test_import_takes_no_time_and_loads_nothing_heavy() -> None:
    heavy = ("numpy", "keras", "tensorflow", "pydantic", "rich", "polars", "matplotlib")
    program = f"import sys, nnrun; print([name for name in {heavy} if name in sys.modules])"

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert done.stdout == "[]\n"


def test_display_is_found_in_a_process_that_has_imported_nothing_else() -> None:
    program = "from nnrun import api; print(type(api._choose_display(quiet=True)).__name__)"

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert done.stdout == "Logged\n"


def test_overrides_are_written_as_on_the_command_line() -> None:
    given = {
        "training.epochs": 5,
        "training.optimizer": {"SGD": {"momentum": 0.9}},
        "training.shuffle": False,
    }

    assert as_texts(given) == [
        "training.epochs=5",
        'training.optimizer={"SGD": {"momentum": 0.9}}',
        "training.shuffle=false",
    ]
    assert as_texts({"training.callbacks": None}) == ["~training.callbacks"]


@pytest.mark.tensorflow
def test_trained_run_is_opened_and_looked_at(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = nnrun.train(CONFIGS / "tiny" / "digits_cnn.yaml", {"training.epochs": 2}, runs_dir=tmp_path)

    assert "epoch 2/2" in capsys.readouterr().err
    opened = nnrun.open_run("latest", runs_dir=tmp_path)
    assert repr(opened) == f"<nnrun run {run.id}: finished>"
    assert opened.config["training"]["epochs"] == 2
    assert opened.history["epoch"].tolist() == [1, 2]
    assert np.isfinite(opened.history["loss"]).all()
    assert set(opened.scores) == {"loss", "accuracy"}
    assert opened.model().count_params() > 0
    page = opened._repr_html_()
    assert page.startswith("<iframe srcdoc=")
    assert run.id in page


def test_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="'trian'"):
        nnrun.trian  # noqa: B018
