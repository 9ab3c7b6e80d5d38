"""A training that is killed goes on to the same bits; and the proof of it fails when anything is left out.

``pytest -m slow tests/test_verification.py`` kills at every step and at every kind of file operation, and prints how
many of how many were bit-identical, and how many of the planted mistakes were caught.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from nnrun.errors import NnrunError, ResourceError
from nnrun.training import checkpoint, loop, resumed
from nnrun.verification import OPERATIONS, Kill, spread, verify_resume

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


def kill(
    config: Path, kills: Callable[[int], Sequence[Kill]], *overrides: str
) -> list[tuple[Kill, tuple[str, ...]]]:
    return [(case.kill, case.differences) for case in verify_resume(config, overrides, kills=kills)]


def test_killed_trainings_go_on_to_the_same_bits(config: Path) -> None:
    found = kill(config, functools.partial(spread, len(OPERATIONS)))

    assert [(str(place), differences) for place, differences in found if differences] == []
    assert len(found) == len(OPERATIONS)


@pytest.mark.slow
def test_training_killed_anywhere_goes_on_to_the_same_bits(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = kill(config, lambda steps: [Kill(s + 1, before) for s in range(steps) for before in OPERATIONS])

    with capsys.disabled():
        same = sum(not differences for _, differences in found)
        print(f"\n{same} of {len(found)} killed and resumed trainings are bit-identical")
    assert [(str(place), differences) for place, differences in found if differences] == []
    assert len(found) >= 300


def forget_seeds(patch: pytest.MonkeyPatch) -> None:
    """Variables of seed generators are not restored."""
    assign = checkpoint._assign

    def without_seeds(wanted: dict[str, Any], arrays: Any, name: str) -> None:
        kept = {key: variable for key, variable in wanted.items() if "seed_generator" not in key}
        assign(kept, {key: array for key, array in arrays.items() if "seed_generator" not in key}, name)

    patch.setattr(checkpoint, "_assign", without_seeds)


def forget_group(group: str) -> Callable[[pytest.MonkeyPatch], None]:
    """All the variables of a group are not restored."""

    def forget(patch: pytest.MonkeyPatch) -> None:
        named = checkpoint._training_variables

        def without(model: Any) -> dict[str, Any]:
            return {key: variable for key, variable in named(model).items() if not key.startswith(group)}

        patch.setattr(checkpoint, "_training_variables", without)

    forget.__name__ = f"forget_{group}"
    return forget


def forget_callbacks(patch: pytest.MonkeyPatch) -> None:
    """Callbacks begin anew."""
    patch.setattr(resumed, "restore_callbacks", lambda *arguments: None)


def restore_before_the_callbacks_begin(patch: pytest.MonkeyPatch) -> None:
    """``on_train_begin`` resets what was restored."""
    run = loop.Training.run

    def early(self: loop.Training) -> loop.Ending:
        restore, self.restore = self.restore, lambda: None
        restore()
        return run(self)

    patch.setattr(loop.Training, "run", early)


def forget_the_sign(patch: pytest.MonkeyPatch) -> None:
    """``monitor_op`` is set again after ``min_delta`` was restored, which flips its sign."""
    restore = checkpoint.restore_callbacks

    def late(callbacks: list[Any], states: list[dict[str, Any]], arrays: Any, name: str) -> None:
        restore(callbacks, [{**state, "monitor_op_is_set": False} for state in states], arrays, name)
        for callback, state in zip(callbacks, states, strict=True):
            if state["monitor_op_is_set"]:
                callback._set_monitor_op()

    patch.setattr(resumed, "restore_callbacks", late)


def forget_the_step(patch: pytest.MonkeyPatch) -> None:
    """The epoch begins anew in the middle of it."""
    position = resumed.Resumed.position.fget  # type: ignore[attr-defined]

    def at_the_epoch(self: resumed.Resumed) -> loop.Position:
        found = position(self)
        return loop.Position(found.epoch, 0, found.best_epoch, found.best_value)

    patch.setattr(resumed.Resumed, "position", property(at_the_epoch))


def forget_the_best(patch: pytest.MonkeyPatch) -> None:
    """The best epoch's weights are lost."""
    patch.setattr(resumed.Resumed, "best", property(lambda self: None))


def forget_the_best_value(patch: pytest.MonkeyPatch) -> None:
    """The first epoch after a kill is taken for the best."""
    position = resumed.Resumed.position.fget  # type: ignore[attr-defined]

    def without_best(self: resumed.Resumed) -> loop.Position:
        found = position(self)
        return loop.Position(found.epoch, found.step)

    patch.setattr(resumed.Resumed, "position", property(without_best))


def keep_later_rows(patch: pytest.MonkeyPatch) -> None:
    """Rows that are newer than the checkpoint stay."""
    patch.setattr("nnrun.store.run.Run.cut_rows", lambda self, count: self.rows())


def shuffle_anew(patch: pytest.MonkeyPatch) -> None:
    """The order of the examples depends on the process."""
    order = loop.example_order

    def by_process(count: int, *, seed: int, epoch: int, shuffle: bool) -> Any:
        return order(count, seed=seed + os.getpid() % 1000, epoch=epoch, shuffle=shuffle)

    patch.setattr(loop, "example_order", by_process)


def reset_metrics_in_the_epoch(patch: pytest.MonkeyPatch) -> None:
    """Metrics begin anew in the middle of an epoch."""
    restore = resumed.Resumed.restore

    def without_metrics(self: resumed.Resumed, model: Any, callbacks: list[Any]) -> None:
        restore(self, model, callbacks)
        model.reset_metrics()

    patch.setattr(resumed.Resumed, "restore", without_metrics)


MIDDLE = Kill(22)
"""In the middle of the third of five epochs of nine steps; ReduceLROnPlateau waits and acts at its end."""

LATE = Kill(40)
"""In the last epoch."""

HARDLY = ("training.learning_rate=1e-7", "training.monitor=accuracy")
"""Nothing is learned, and the first epoch stays the best."""

PLANTED: list[tuple[Callable[[pytest.MonkeyPatch], None], Kill]] = [
    (forget_seeds, MIDDLE),
    (forget_group("optimizer"), MIDDLE),
    (forget_group("metrics"), MIDDLE),
    (forget_group("model"), MIDDLE),
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
def test_planted_mistake_is_caught(
    plant: Callable[[pytest.MonkeyPatch], None], place: Kill, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(monkeypatch)

    try:
        ((_, differences),) = kill(config, lambda steps: [place], *(HARDLY if place == LATE else ()))
    except NnrunError as error:
        assert not isinstance(error, ResourceError)  # it was never killed
        return  # it cannot even go on: caught

    assert differences
