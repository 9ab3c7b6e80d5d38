"""Epochs and callbacks as Keras's fit has them, however the steps are cut into chunks."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from nnrun.data.load import Examples
from nnrun.errors import DivergedError
from nnrun.keras_backend import load_keras, load_tensorflow, start_session
from nnrun.training import loop
from nnrun.training.engine import Engine, Seen
from nnrun.training.feed import Feed, make_feed
from nnrun.training.loop import HOOKED_STEPS, Ending, Plan, Position, Training
from nnrun.training.replicas import Replicas

pytestmark = pytest.mark.tensorflow

BATCH = 2


class Notes:
    """Remembers what the loop tells."""

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []
        self.best: list[int] = []
        self.steps: list[tuple[int, int, int]] = []
        self.stopped: list[tuple[int, int]] = []

    def on_steps(self, epoch: int, done: int, total: int) -> None:
        self.steps.append((epoch, done, total))

    def on_epoch(self, row: dict[str, Any], position: Position) -> None:
        self.rows.append(row)
        self.best.append(position.best_epoch)

    def on_stop(self, position: Position) -> None:
        self.stopped.append((position.epoch, position.step))


def data(count: int) -> Examples:
    x = np.random.default_rng(0).normal(size=(count, 3)).astype("float32")
    return Examples(x, (x[:, :1] * 2 + 1).astype("float32"))


def make_training(
    callbacks: Sequence[Any] = (),
    *,
    count: int = 9,
    epochs: int = 3,
    rate: Any = 0.1,
    monitor: str = "loss",
    validated: bool = False,
    interrupted: Callable[[], bool] = lambda: False,
) -> tuple[Training, Notes]:
    """A small regression with Dropout, not yet run."""
    keras = load_keras()
    start_session(1)
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dropout(0.2), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(rate), "mse", metrics=["mae"], jit_compile=False)
    feed = make_feed(data(count), divisor=None, targets="numbers", classes=None)
    engine = Engine(model)
    engine.build(feed, BATCH)
    notes = Notes()
    plan = Plan(epochs, BATCH, 0, shuffle=True, monitor=monitor)
    validation: Feed | None = feed if validated else None
    return (
        Training(model, engine, feed, validation, plan, list(callbacks), notes, interrupted=interrupted),
        notes,
    )


def train(callbacks: Sequence[Any] = (), **options: Any) -> tuple[Ending, Notes, Any]:
    training, notes = make_training(callbacks, **options)
    return training.run(), notes, training.model


def recorder(*hooks: str) -> Any:
    """A callback that writes down which hooks are called, with batch or epoch number and the names in the logs."""
    calls: list[Any] = []

    def hook(name: str) -> Callable[..., None]:
        def note(self: Any, *arguments: Any, **keywords: Any) -> None:
            *number, logs = [*arguments, *keywords.values()]
            calls.append((name, *number, sorted(logs or {})))

        return note

    kind = type("Recorder", (load_keras().callbacks.Callback,), {name: hook(name) for name in hooks})
    made = kind()
    made.calls = calls
    return made


OUTER = (
    "on_train_begin",
    "on_train_end",
    "on_epoch_begin",
    "on_epoch_end",
    "on_test_begin",
    "on_test_end",
)


def test_callbacks_are_called_in_the_order_of_keras() -> None:
    keras = load_keras()
    ours, theirs = recorder(*OUTER), recorder(*OUTER)
    _, _, model = train([ours], validated=True, epochs=2)
    examples = data(9)

    model.fit(
        examples.x,
        examples.y,
        batch_size=BATCH,
        epochs=2,
        validation_data=(examples.x, examples.y),
        callbacks=[theirs],
        verbose=0,
    )

    assert [call[0] for call in ours.calls] == [
        "on_train_begin",
        *["on_epoch_begin", "on_test_begin", "on_test_end", "on_epoch_end"] * 2,
        "on_train_end",
    ]
    assert ours.calls == theirs.calls
    assert isinstance(ours, keras.callbacks.Callback)


def test_callback_with_batch_hooks_gets_fixed_chunks_whatever_the_timing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    calls = []
    for seconds in (1e-9, 1e9):
        monkeypatch.setattr(loop, "CHUNK_SECONDS", seconds)
        hooked = recorder("on_train_batch_begin", "on_train_batch_end")
        train([hooked], count=2 * 70 + 1, epochs=2)
        calls.append(hooked.calls)

    starts = [0, HOOKED_STEPS, 2 * HOOKED_STEPS, 70]
    ends = [HOOKED_STEPS - 1, 2 * HOOKED_STEPS - 1, 69, 70]
    expected = [
        call
        for start, end in zip(starts, ends, strict=True)
        for call in (("on_train_batch_begin", start, []), ("on_train_batch_end", end, ["loss", "mae"]))
    ]
    assert HOOKED_STEPS == 32
    assert calls == [expected * 2] * 2


@pytest.mark.parametrize("hook", loop.BATCH_HOOKS)
def test_each_batch_hook_asks_for_fixed_chunks(hook: str) -> None:
    _, notes, _ = train([recorder(hook)], count=2 * 40, epochs=1)
    assert notes.steps == [(1, 32, 40), (1, 40, 40)]


@pytest.mark.parametrize("seconds", [1e-9, 1e-3, 1e9])
def test_chunks_of_any_size_give_the_same_bits(seconds: float, monkeypatch: pytest.MonkeyPatch) -> None:
    _, expected, plain = train([recorder("on_batch_end")], count=401, epochs=2, validated=True)
    monkeypatch.setattr(loop, "CHUNK_SECONDS", seconds)
    ending, notes, model = train(count=401, epochs=2, validated=True)

    def figures(row: dict[str, Any]) -> dict[str, Any]:
        return {key: row[key] for key in row if key not in ("seconds", "examples_per_second")}

    assert [figures(row) for row in notes.rows] == [figures(row) for row in expected.rows]
    for ours, theirs in zip(model.variables, plain.variables, strict=True):
        assert np.array_equal(ours.numpy(), theirs.numpy())
    assert (ending.reason, ending.position.epoch, ending.position.step) == ("epochs", 2, 0)
    sizes = [done for epoch, done, total in notes.steps if epoch == 2]
    assert sizes[-1] == 201
    assert len(sizes) == 201 if seconds == 1e-9 else len(sizes) < 201


def test_every_epoch_is_told_with_its_figures() -> None:
    _, notes, _ = train(validated=True, epochs=2)

    assert [list(row) for row in notes.rows] == [
        ["epoch", "seconds", "examples_per_second", "learning_rate", "loss", "mae", "val_loss", "val_mae"]
    ] * 2
    assert [row["epoch"] for row in notes.rows] == [1, 2]
    assert all(row["seconds"] > 0 and row["examples_per_second"] > 0 for row in notes.rows)
    assert notes.stopped == [(2, 0)]


def test_early_stopping_stops_and_restores_the_best_weights() -> None:
    keras = load_keras()
    kept: list[Any] = []
    stopping = keras.callbacks.EarlyStopping(
        monitor="loss", patience=1, min_delta=1e6, restore_best_weights=True
    )

    class Keep(keras.callbacks.Callback):  # type: ignore[misc, name-defined]
        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            kept.append(self.model.get_weights())

    ending, notes, model = train([stopping, Keep()], epochs=9)

    assert (ending.reason, ending.position.epoch, len(notes.rows)) == ("callback", 2, 2)
    assert all(np.array_equal(*pair) for pair in zip(model.get_weights(), kept[0], strict=True))
    assert not np.array_equal(kept[0][0], kept[1][0])


def test_stopping_within_an_epoch_ends_after_the_chunk() -> None:
    keras = load_keras()

    class Stop(keras.callbacks.Callback):  # type: ignore[misc, name-defined]
        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            self.model.stop_training = True

    ending, notes, model = train([Stop()], count=200)

    assert (ending.reason, len(notes.rows), notes.steps) == ("callback", 1, [(1, 32, 100)])
    assert int(model.optimizer.iterations) == 32


def test_reduced_learning_rate_is_recorded_from_the_next_epoch_on() -> None:
    plateau = load_keras().callbacks.ReduceLROnPlateau(
        monitor="loss", patience=1, factor=0.5, min_delta=1e6, min_lr=0
    )
    _, notes, _ = train([plateau], epochs=4, rate=0.125)

    assert [row["learning_rate"] for row in notes.rows] == [0.125, 0.125, 0.0625, 0.03125]


def test_scheduled_learning_rate_is_recorded() -> None:
    keras = load_keras()
    schedule = keras.optimizers.schedules.ExponentialDecay(0.5, decay_steps=5, decay_rate=0.5)
    _, notes, _ = train(epochs=3, rate=schedule)  # five steps in an epoch

    assert [row["learning_rate"] for row in notes.rows] == pytest.approx([0.25, 0.125, 0.0625])


def test_interruption_ends_after_the_chunk_that_is_under_way() -> None:
    asked = iter([False, False, True])
    hooked = recorder("on_epoch_end", "on_train_end", "on_train_batch_end")
    ending, notes, model = train([hooked], count=200, interrupted=lambda: next(asked))

    assert (ending.reason, ending.position.epoch, ending.position.step) == ("interrupted", 0, 64)
    assert notes.steps == [(1, 32, 100), (1, 64, 100)]
    assert (notes.rows, notes.stopped) == ([], [(0, 64)])
    assert int(model.optimizer.iterations) == 64
    assert [call[0] for call in hooked.calls] == ["on_train_batch_end"] * 2 + ["on_train_end"]


def test_divergence_names_value_epoch_and_learning_rate() -> None:
    training, notes = make_training(epochs=50, rate=1e9)
    with pytest.raises(DivergedError) as caught:
        training.run()

    epoch = len(notes.rows) + 1
    assert str(caught.value) in {
        f"loss is {value} in epoch {epoch} at a learning rate of 1e+09" for value in ("nan", "inf")
    }
    assert all(math.isfinite(row["loss"]) for row in notes.rows)


def test_weights_that_are_not_finite_are_a_divergence_before_the_loss_shows_it() -> None:
    training, notes = make_training(count=2, epochs=1, rate=3e38)  # one step: the loss is from before it
    with pytest.raises(DivergedError) as caught:
        training.run()

    assert str(caught.value) == (
        "the weight sequential/dense/bias is not finite in epoch 1 at a learning rate of 3e+38"
    )
    assert (notes.rows, training.position.best_epoch) == ([], 0)


class Script:
    """An engine whose epochs give the losses that a test wants; its steps do nothing."""

    def __init__(self, values: Sequence[float], name: str) -> None:
        self.replicas = Replicas(load_tensorflow().distribute.get_strategy())
        self._values = iter(values)
        self._name = name

    def training(self, feed: Feed) -> Callable[..., None]:
        return lambda order, first, count: None

    def wait(self) -> None: ...
    def reset_metrics(self) -> None: ...

    def look(self) -> Seen:
        return Seen({self._name: next(self._values)}, learning_rate=0.1, is_finite=True)


@pytest.mark.parametrize(
    ("monitor", "values", "best"),
    [
        ("loss", [3.0, 1.0, 2.0, 1.0], [1, 2, 2, 2]),
        ("mae", [3.0, 1.0, 2.0, 0.5], [1, 2, 2, 4]),
        ("accuracy", [0.5, 0.75, 0.25, 0.75], [1, 2, 2, 2]),
        ("val_accuracy", [0.5, 0.25, 0.75], [1, 1, 3]),
        ("cosine_similarity", [-1.0, 0.5, 0.25], [1, 2, 2]),
    ],
)
def test_best_epoch_is_the_first_with_the_best_value(
    monitor: str, values: list[float], best: list[int]
) -> None:
    training, notes = make_training(epochs=len(values), monitor=monitor)
    keras = load_keras()
    training.model.compile(
        "sgd", "mse", metrics=["mae", "accuracy", keras.metrics.CosineSimilarity()], jit_compile=False
    )
    training.model.train_on_batch(np.ones((1, 3), "float32"), np.ones((1, 1), "float32"))
    training.engine = Script(values, monitor)  # type: ignore[assignment]

    ending = training.run()

    assert notes.best == best
    assert ending.position.best_value == values[best[-1] - 1]


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_value_that_is_not_finite_never_becomes_the_best(value: float) -> None:
    training, notes = make_training(epochs=3)
    training.engine = Script([2.0, value, 1.0], "loss")  # type: ignore[assignment]
    with pytest.raises(DivergedError, match=rf"^loss is {value} in epoch 2 at a learning rate of 0\.1$"):
        training.run()

    assert notes.best == [1]
    assert (training.position.best_epoch, training.position.best_value) == (1, 2.0)
