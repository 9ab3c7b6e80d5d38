"""Trainings that are killed and resumed in a process that has run nothing yet, and mistakes to plant there.

``verify_resume`` forks, and a process whose TensorFlow threads have worked cannot be forked: its children would wait
for threads that they do not have. The tests before it leave such a process, so each proof begins a new one.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from nnrun.errors import NnrunError, ResourceError
from nnrun.training import checkpoint, feed, loop, resumed
from nnrun.verification import Kill, verify_resume

Kills = Callable[[int], Sequence[Kill]]
Plant = Callable[[pytest.MonkeyPatch], None]


def verify_apart(
    config: Path, kills: Kills, overrides: Sequence[str] = (), plant: Plant | None = None
) -> list[tuple[Kill, tuple[str, ...]]] | str:
    """Prove a specification in a new process.

    Args:
        config: The specification.
        kills: Where to kill a training of so many steps.
        overrides: ``a.b=VALUE``.
        plant: A mistake to make there.

    Returns:
        Each kill with what differs after it; or why the training could not even go on.
    """
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_verify, (config, kills, tuple(overrides), plant))


def _verify(
    config: Path, kills: Kills, overrides: Sequence[str], plant: Plant | None
) -> list[tuple[Kill, tuple[str, ...]]] | str:
    with pytest.MonkeyPatch.context() as patch:
        if plant:
            plant(patch)
        try:
            return [(case.kill, case.differences) for case in verify_resume(config, overrides, kills=kills)]
        except ResourceError:
            raise  # it was never killed
        except NnrunError as error:
            return str(error)


def forget_seeds(patch: pytest.MonkeyPatch) -> None:
    """Variables of seed generators are not restored."""
    assign = checkpoint._assign

    def without_seeds(wanted: dict[str, Any], arrays: Any, name: str) -> None:
        kept = {key: variable for key, variable in wanted.items() if "seed_generator" not in key}
        assign(kept, {key: array for key, array in arrays.items() if "seed_generator" not in key}, name)

    patch.setattr(checkpoint, "_assign", without_seeds)


def _forget_group(patch: pytest.MonkeyPatch, group: str) -> None:
    """All the variables of a group are not restored."""
    named = checkpoint._training_variables

    def without(model: Any) -> dict[str, Any]:
        return {key: variable for key, variable in named(model).items() if not key.startswith(group)}

    patch.setattr(checkpoint, "_training_variables", without)


def forget_optimizer(patch: pytest.MonkeyPatch) -> None:
    """The optimizer begins anew."""
    _forget_group(patch, "optimizer")


def forget_metrics(patch: pytest.MonkeyPatch) -> None:
    """The metrics begin anew."""
    _forget_group(patch, "metrics")


def forget_model(patch: pytest.MonkeyPatch) -> None:
    """The model begins anew."""
    _forget_group(patch, "model")


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
    order = feed.example_order

    def by_process(count: int, *, seed: int, epoch: int, shuffle: bool) -> Any:
        return order(count, seed=seed + os.getpid() % 1000, epoch=epoch, shuffle=shuffle)

    patch.setattr(feed, "example_order", by_process)


def reset_metrics_in_the_epoch(patch: pytest.MonkeyPatch) -> None:
    """Metrics begin anew in the middle of an epoch."""
    restore = resumed.Resumed.restore

    def without_metrics(self: resumed.Resumed, model: Any, callbacks: list[Any]) -> None:
        restore(self, model, callbacks)
        model.reset_metrics()

    patch.setattr(resumed.Resumed, "restore", without_metrics)
