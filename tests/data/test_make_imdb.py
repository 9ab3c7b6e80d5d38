"""The script that makes imdb.npz from raw reviews."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nnrun.data.lookup import look_up
from nnrun.spec.schema import Choice

SCRIPT = Path(__file__).parents[1] / "make_imdb.py"


@pytest.fixture(scope="module")
def script() -> dict[str, Any]:
    return runpy.run_path(str(SCRIPT))


def test_split_words_cuts_at_punctuation_but_the_apostrophe(script: dict[str, Any]) -> None:
    words = script["split_words"]("It's GREAT,<br />really--great\tfun!")
    assert words == ["it's", "great", "br", "really", "great", "fun"]


def test_number_words_ranks_by_frequency_then_by_first_sight(script: dict[str, Any]) -> None:
    assert script["number_words"]([["b", "a"], ["c", "c", "a"]]) == {"a": 4, "c": 5, "b": 6}


def test_encode_marks_the_start_and_skips_words_never_trained_on(script: dict[str, Any]) -> None:
    assert script["encode"](["a", "new", "b"], {"a": 4, "b": 6}) == [1, 4, 6]


def test_made_file_is_read_as_imdb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    polars = pytest.importorskip("polars")
    table = polars.DataFrame({"text": ["good good film", "bad film", "film"], "label": ["pos", "neg", "neg"]})
    paths = [tmp_path / name for name in ("train.parquet", "test.parquet", "imdb.npz")]
    table.write_parquet(paths[0])
    table[:1].write_parquet(paths[1])
    monkeypatch.setattr(sys, "argv", [str(SCRIPT), *map(str, paths), "--length", "5"])
    runpy.run_path(str(SCRIPT), run_name="__main__")
    monkeypatch.setenv("NNRUN_DATA_DIR", str(tmp_path))
    dataset = look_up(Choice("imdb", {"maxlen": 4}), pytest.fail)
    rows = zip(np.asarray(dataset.train.x).tolist(), dataset.train.y.tolist(), strict=True)
    assert sorted(rows) == [([0, 0, 1, 4], 0), ([0, 1, 6, 4], 0), ([1, 5, 5, 4], 1)]
