"""A training that is killed goes on to the same bits; and the proof of it fails when anything is left out.

``pytest -m slow tests/test_verification.py`` kills at every step and at every kind of file operation, and prints how
many of how many were bit-identical, and how many of the planted mistakes were caught.
"""

from __future__ import annotations

import functools
import os
from pathlib import Path

import pytest
from killing import (
    Plant,
    forget_callbacks,
    forget_metrics,
    forget_model,
    forget_optimizer,
    forget_seeds,
    forget_the_best,
    forget_the_best_value,
    forget_the_sign,
    forget_the_step,
    keep_later_rows,
    reset_metrics_in_the_epoch,
    restore_before_the_callbacks_begin,
    shuffle_anew,
    verify_apart,
)

from nnrun.verification import OPERATIONS, Kill, spread

pytestmark = [
    pytest.mark.tensorflow,
    pytest.mark.skipif(not hasattr(os, "fork"), reason="the trainings are started by fork"),
]

EVERYTHING = """
name: everything
seed: 3
data: {source: {digits: {test_split: 0.9}}}
model:
  layers:
    - Reshape: {target_shape: [8, 8, 1]}
    - RandomTranslation: {height_factor: 0.1, width_factor: 0.1}
    - GaussianNoise: {stddev: 0.1}
    - Flatten
    - Dense: {units: 16, activation: relu}
    - Dropout: {rate: 0.3}
    - BatchNormalization
    - Dense: {units: 10, activation: softmax}
training:
  loss: sparse_categorical_crossentropy
  optimizer: {Adam: {use_ema: true, ema_momentum: 0.9}}
  learning_rate: 0.01
  metrics: [accuracy]
  epochs: 5
  batch_size: 16
  validation_split: 0.2
  callbacks:
    - EarlyStopping: {monitor: val_loss, patience: 4, restore_best_weights: true}
    - ReduceLROnPlateau: {monitor: val_loss, patience: 2, min_delta: 10, factor: 0.5}
    - CSVLogger: {filename: log.csv}
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "everything.yaml"
    path.write_text(EVERYTHING)
    return path


def everywhere(steps: int) -> list[Kill]:
    return [Kill(step + 1, before) for step in range(steps) for before in OPERATIONS]


def once(place: Kill, steps: int) -> list[Kill]:
    return [place]


def test_killed_trainings_go_on_to_the_same_bits(config: Path) -> None:
    found = verify_apart(config, functools.partial(spread, len(OPERATIONS)))

    assert not isinstance(found, str), found
    assert [(str(place), differences) for place, differences in found if differences] == []
    assert len(found) == len(OPERATIONS)


@pytest.mark.parametrize(
    "precision", ["mixed_bfloat16", pytest.param("mixed_float16", marks=pytest.mark.slow)]
)
def test_killed_trainings_of_16_bits_go_on_to_the_same_bits(config: Path, precision: str) -> None:
    config.write_text(EVERYTHING + f"  precision: {precision}\n")
    found = verify_apart(config, functools.partial(spread, 2))

    assert not isinstance(found, str), found
    assert [(str(place), differences) for place, differences in found if differences] == []
    assert len(found) == 2


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["float32", "mixed_bfloat16"])
def test_training_killed_anywhere_goes_on_to_the_same_bits(
    config: Path, precision: str, capsys: pytest.CaptureFixture[str]
) -> None:
    config.write_text(EVERYTHING + f"  precision: {precision}\n")
    found = verify_apart(config, everywhere)

    assert not isinstance(found, str), found
    with capsys.disabled():
        same = sum(not differences for _, differences in found)
        print(f"\n{same} of {len(found)} killed and resumed trainings in {precision} are bit-identical")
    assert [(str(place), differences) for place, differences in found if differences] == []
    assert len(found) >= 300


MIDDLE = Kill(22)
"""In the middle of the third of five epochs of nine steps; ReduceLROnPlateau waits and acts at its end."""

LATE = Kill(40)
"""In the last epoch."""

HARDLY = ("training.learning_rate=1e-7", "training.monitor=accuracy")
"""Nothing is learned, and the first epoch stays the best."""

PLANTED: list[tuple[Plant, Kill]] = [
    (forget_seeds, MIDDLE),
    (forget_optimizer, MIDDLE),
    (forget_metrics, MIDDLE),
    (forget_model, MIDDLE),
    (forget_callbacks, MIDDLE),
    (restore_before_the_callbacks_begin, MIDDLE),
    (forget_the_sign, MIDDLE),
    (forget_the_step, MIDDLE),
    (forget_the_best, LATE),
    (forget_the_best_value, LATE),
    (keep_later_rows, Kill(36, "replace")),
    (shuffle_anew, MIDDLE),
    (reset_metrics_in_the_epoch, MIDDLE),
]
QUICK = (forget_seeds, restore_before_the_callbacks_begin)


@pytest.mark.parametrize(
    ("plant", "place"),
    [
        pytest.param(*one, id=one[0].__name__, marks=() if one[0] in QUICK else pytest.mark.slow)
        for one in PLANTED
    ],
)
def test_planted_mistake_is_caught(plant: Plant, place: Kill, config: Path) -> None:
    found = verify_apart(config, functools.partial(once, place), HARDLY if place == LATE else (), plant)

    if not isinstance(found, str):  # else it could not even go on: caught
        ((_, differences),) = found
        assert differences
