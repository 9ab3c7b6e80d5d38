"""Naming a run by what it is: ``latest~1``, ``best:accuracy``."""

from __future__ import annotations

from pathlib import Path

import pytest
from made_runs import make_run

from nnrun.errors import RunError
from nnrun.store.runs import find_run


def test_runs_are_counted_back_from_the_newest(tmp_path: Path) -> None:
    made = [make_run(tmp_path, name=name) for name in ("c", "a", "b")]

    names = ("latest", "latest~0", "latest~1", "latest~2")

    assert [find_run(name, tmp_path) for name in names] == [made[2], made[2], made[1], made[0]]


def test_run_before_the_first_one_is_told(tmp_path: Path) -> None:
    make_run(tmp_path), make_run(tmp_path)

    with pytest.raises(RunError, match=rf"no run 'latest~2'; {tmp_path} has 2, the first is latest~1"):
        find_run("latest~2", tmp_path)


@pytest.mark.parametrize("name", ["latest~", "latest~-1", "latest~x", "latest~1~1", "latest~9999999999"])
def test_word_that_only_looks_like_a_selector_is_no_run(name: str, tmp_path: Path) -> None:
    make_run(tmp_path)

    with pytest.raises(RunError, match="no run 'latest~"):
        find_run(name, tmp_path)


def test_best_run_has_the_best_test_score_of_all_that_are_finished(tmp_path: Path) -> None:
    good = make_run(tmp_path, test={"loss": 0.9, "accuracy": 0.9})
    middle = make_run(tmp_path, test={"loss": 0.1, "accuracy": 0.8})
    make_run(tmp_path, test={"loss": 0.0, "accuracy": 1.0}).remove_result()
    make_run(tmp_path, losses=(0.01,))  # not tested

    assert find_run("best:accuracy", tmp_path) == good
    assert find_run("best:loss", tmp_path) == middle


def test_best_run_has_the_best_epoch_where_none_was_tested(tmp_path: Path) -> None:
    made = [make_run(tmp_path, losses=(first, 0.8)) for first in (0.5, 0.3, 0.3, 0.4)]

    assert find_run("best:val_loss", tmp_path) == made[2]  # of equals the newest


def test_damaged_run_is_never_the_best(tmp_path: Path) -> None:
    good = make_run(tmp_path, losses=(0.5,))
    (make_run(tmp_path, losses=(0.1,)).path / "run.json").write_text("{")
    make_run(tmp_path, losses=("nan",))

    assert find_run("best:val_loss", tmp_path) == good


def test_metric_that_no_run_has_is_told_with_those_they_have(tmp_path: Path) -> None:
    make_run(tmp_path)

    with pytest.raises(RunError, match="no finished run has the metric 'acuracy'; they have loss, val_loss"):
        find_run("best:acuracy", tmp_path)
    with pytest.raises(RunError, match="there is no finished run in"):
        find_run("best:loss", tmp_path / "other")


def test_metric_of_which_nobody_knows_what_is_better_is_refused(tmp_path: Path) -> None:
    make_run(tmp_path, test={"false_positives": 3.0})

    with pytest.raises(
        RunError, match=r"whether more or less of 'false_positives' .*--sort=test\.false_positives"
    ):
        find_run("best:false_positives", tmp_path)
