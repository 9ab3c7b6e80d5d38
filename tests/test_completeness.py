"""Nothing of Keras's vocabulary is left out: every name is trained, saved and restored, or refused with a reason."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from completeness import Case, cases, counts, counts_table
from quiet import Quiet

from nnrun import experiment
from nnrun.errors import SpecError
from nnrun.model.summary import check_on_paper
from nnrun.spec import catalog
from nnrun.spec.catalog import KINDS, Kind
from nnrun.spec.load import load_spec
from nnrun.store.archive import read_archive, write_archive
from nnrun.training.checkpoint import assign_training, training_arrays
from nnrun.training.prepared import Prepared, prepare

HEAVY = (
    *("NeXt", "NASNetLarge", "Inception", "VGG", "152", "201", "169", "101"),
    *("B3", "B4", "B5", "B6", "B7", "V2L", "V2M", "V2S"),
)
"""Parts of the names of ready networks with tens of millions of parameters: the same code as their small kin."""

ALL = [case for kind in KINDS for case in cases(kind)]
USED = [case for case in ALL if case.spec is not None]


EVERY = 3
"""By default every third part is trained; ``pytest -m "slow or not slow" tests/test_completeness.py`` trains all."""


def quick(case: Case, place: int) -> bool:
    """Whether a case runs by default: no alias of another, and of the ready networks only the smallest."""
    part = catalog.find(case.kind, case.name)
    if catalog.is_application(case.name):
        return case.name == "MobileNetV2"
    return part is not None and part.name == case.name and place % EVERY == 0


def train_a_step(case: Case, folder: Path) -> Prepared:
    """Build what a case specifies and train it for one step."""
    path = folder / f"{case.name}.yaml"
    path.write_text(case.text, "utf-8")
    prepared = prepare(load_spec(path), lambda _: None)
    steps = prepared.engine.training(prepared.training_feed())
    prepared.model.reset_metrics()
    steps(np.arange(min(4, prepared.feed("train").count), dtype=np.int32)[np.newaxis], 0, 1)
    return prepared


def parameters(kind: Kind) -> list[Any]:
    """The cases of a kind; ready networks with tens of millions of parameters are left to their small kin."""
    found = [case for case in USED if case.kind == kind and not any(part in case.name for part in HEAVY)]
    return [
        pytest.param(case, id=f"{kind}-{case.name}", marks=() if quick(case, place) else pytest.mark.slow)
        for place, case in enumerate(found)
    ]


def check(case: Case, folder: Path) -> None:
    """Train, save, restore into a model that is built anew, and compare."""
    prepared = train_a_step(case, folder)
    scores = prepared.engine.metrics()
    assert all(np.isfinite(value) for value in scores.values()), scores
    arrays = training_arrays(prepared.model)
    write_archive(folder / "state.npz", {}, arrays)
    said = prepared.engine.predict(prepared.feed("train"), 4)

    again = prepare(load_spec(folder / f"{case.name}.yaml"), lambda _: None)
    assign_training(again.model, read_archive(folder / "state.npz")[1], "the saved state")

    for name, array in training_arrays(again.model).items():
        np.testing.assert_array_equal(array, arrays[name])
    for before, after in zip(said, again.engine.predict(again.feed("train"), 4), strict=True):
        np.testing.assert_array_equal(before, after)


@pytest.mark.tensorflow
@pytest.mark.parametrize("case", parameters("layer"))
def test_layer_is_trained_saved_and_restored(case: Case, tmp_path: Path) -> None:
    check(case, tmp_path)


@pytest.mark.tensorflow
@pytest.mark.parametrize(
    "case", [case for kind in KINDS if kind not in ("layer", "callback") for case in parameters(kind)]
)
def test_part_is_trained_saved_and_restored(case: Case, tmp_path: Path) -> None:
    check(case, tmp_path)


@pytest.mark.tensorflow
@pytest.mark.parametrize(
    "case", [case for case in USED if case.kind == "callback"], ids=lambda case: case.name
)
def test_callback_takes_part_in_a_training(case: Case, tmp_path: Path) -> None:
    path = tmp_path / "callback.yaml"
    path.write_text(case.text, "utf-8")

    run, ending = experiment.train(path, ["training.epochs=2"], display=Quiet(), runs_dir=tmp_path)

    assert ending.reason == "epochs"
    assert len(run.rows()) == 2
    if case.name == "CSVLogger":
        assert len((run.path / "log.csv").read_text("utf-8").splitlines()) == 3
    if case.name == "ModelCheckpoint":
        assert list(run.path.glob("best*"))


@pytest.mark.parametrize(
    "case", [case for case in ALL if case.spec is None], ids=lambda case: f"{case.kind}-{case.name}"
)
def test_refused_name_says_why_and_what_to_use(case: Case) -> None:
    assert case.refusal
    assert len(case.refusal.split()) >= 4
    assert catalog.find(case.kind, case.name) is None


@pytest.mark.slow
@pytest.mark.tensorflow
@pytest.mark.parametrize(
    "case", [case for case in USED if any(part in case.name for part in HEAVY)], ids=lambda c: c.name
)
def test_large_network_is_built_on_paper(case: Case, tmp_path: Path) -> None:
    path = tmp_path / "large.yaml"
    path.write_text(case.text, "utf-8")

    assert check_on_paper(load_spec(path)).count_params() > 4_000_000


@pytest.mark.parametrize("kind", KINDS)
def test_every_name_is_used_or_refused(kind: Kind) -> None:
    accounted = [case for case in ALL if case.kind == kind]

    assert [case.name for case in accounted if (case.spec is None) == (case.refusal is None)] == []
    assert {case.name for case in accounted if case.spec} == set(catalog.names(kind))


def test_plateau_beside_a_schedule_is_refused(tmp_path: Path) -> None:
    (case,) = (case for case in USED if case.name == "ReduceLROnPlateau")
    path = tmp_path / "plateau.yaml"
    path.write_text(case.text, "utf-8")
    schedule = "training.learning_rate={CosineDecay: {initial_learning_rate: 0.1, decay_steps: 10}}"

    with pytest.raises(SpecError, match="cannot reduce a learning rate that CosineDecay determines"):
        load_spec(path, [schedule])


def test_readme_counts_the_vocabulary(repository: Path) -> None:
    readme = (repository / "README.md").read_text("utf-8")
    shown = re.search(r"<!-- catalogue -->\n(.*?)\n<!-- /catalogue -->", readme, re.DOTALL)

    assert shown is not None
    assert shown[1] == counts_table()
    assert sum(parts for parts, _, _ in counts().values()) > 300
