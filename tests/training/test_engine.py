"""Compiled steps: every example counts, nothing is compiled twice, devices share a step."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nnrun.data.load import Examples
from nnrun.keras_backend import load_keras, start_session
from nnrun.training.engine import Engine
from nnrun.training.feed import Feed, index_matrix, make_feed
from nnrun.training.replicas import Replicas

pytestmark = pytest.mark.tensorflow

COUNT, BATCH = 23, 5


def examples(count: int = COUNT) -> Examples:
    random = np.random.default_rng(0)
    x = random.normal(size=(count, 6)).astype("float32")
    return Examples(x, (x[:, 0] > 0).astype("int32"))


def make_engine(*, jit_compile: bool = False, count: int = COUNT) -> tuple[Any, Engine, Feed]:
    """A small classifier with Dropout, its engine and its data."""
    keras = load_keras()
    start_session(3)
    layers = keras.layers
    model = keras.Sequential(
        [keras.Input((6,)), layers.Dense(5, "tanh"), layers.Dropout(0.5), layers.Dense(2, "softmax")]
    )
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"], jit_compile=jit_compile)
    feed = make_feed(examples(count), divisor=None, targets="indices", classes=2)
    engine = Engine(model)
    engine.build(feed, BATCH)
    return model, engine, feed


def matrix(count: int = COUNT, batch_size: int = BATCH) -> np.ndarray[Any, Any]:
    return index_matrix(np.arange(count, dtype=np.int32), batch_size)[0]


def count_traces(model: Any, name: str) -> list[int]:
    """Grows by one whenever a step is traced."""
    traces: list[int] = []
    step = getattr(model, name)

    def counting(data: Any) -> Any:
        traces.append(1)
        return step(data)

    setattr(model, name, counting)
    return traces


@pytest.mark.parametrize("jit_compile", [False, True], ids=["no_xla", "xla"])
@pytest.mark.parametrize("count", [COUNT, 20, 3])
def test_evaluation_counts_every_example_as_keras_does(count: int, jit_compile: bool) -> None:
    model, engine, feed = make_engine(jit_compile=jit_compile, count=count)
    data = examples(count)

    found = engine.evaluate(feed, BATCH)

    assert found == model.evaluate(data.x, data.y, batch_size=BATCH, verbose=0, return_dict=True)
    right = (model.predict(data.x, verbose=0).argmax(1) == data.y).mean()
    assert found["accuracy"] == pytest.approx(right, abs=1e-7)


@pytest.mark.parametrize("jit_compile", [False, True], ids=["no_xla", "xla"])
@pytest.mark.parametrize("count", [COUNT, 20, 3])
def test_prediction_covers_every_example_as_keras_does(count: int, jit_compile: bool) -> None:
    model, engine, feed = make_engine(jit_compile=jit_compile, count=count)

    (found,) = engine.predict(feed, BATCH)

    assert found.shape == (count, 2)
    assert np.array_equal(found, model.predict(examples(count).x, batch_size=BATCH, verbose=0))


def test_prediction_gives_each_output() -> None:
    keras = load_keras()
    start_session(0)
    x = keras.Input((6,))
    model = keras.Model(x, [keras.layers.Dense(2)(x), keras.layers.Reshape((3, 2))(x)])
    model.compile(loss="mse")
    feed = make_feed(examples(), divisor=None, targets="numbers", classes=None)

    first, second = Engine(model).predict(feed, BATCH)

    assert (first.shape, second.shape) == ((COUNT, 2), (COUNT, 3, 2))
    assert np.array_equal(second.reshape(COUNT, 6), examples().x)


def test_evaluation_changes_neither_weights_nor_seeds_nor_optimizer() -> None:
    model, engine, feed = make_engine()
    variables = [*model.variables, *model.optimizer.variables]
    before = [variable.numpy().copy() for variable in variables]

    engine.evaluate(feed, BATCH)
    engine.predict(feed, BATCH)

    assert all(np.array_equal(old, new.numpy()) for old, new in zip(before, variables, strict=True))


def test_training_steps_are_traced_once_for_any_chunk_and_batch_size() -> None:
    model, engine, feed = make_engine()
    traces = count_traces(model, "train_step")
    steps = engine.training(feed)
    steps(matrix(), 0, 2)
    first = len(traces)

    for chunk in [(2, 1), (0, 4), (3, 1)]:
        steps(matrix(), *chunk)
    steps(matrix(batch_size=7), 0, 3)

    assert first == len(traces) == 1
    assert int(model.optimizer.iterations) == 2 + 1 + 4 + 1 + 3


def test_evaluation_steps_are_traced_once_for_a_feed() -> None:
    model, engine, feed = make_engine()
    traces = count_traces(model, "test_step")

    found = [engine.evaluate(feed, batch_size) for batch_size in (BATCH, BATCH, 4)]

    assert len(traces) == 1
    assert found[0] == found[1]


def run_program(program: str, *arguments: str, **environment: str) -> Any:
    """What a Python program of its own prints as JSON."""
    variables = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[2]), str(Path(__file__).parent)]),
        **environment,
    }
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments], env=variables, capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout.splitlines()[-1])


XLA_PROGRAM = """
import json, sys
from pathlib import Path
from test_engine import make_engine, matrix
model, engine, feed = make_engine(jit_compile=True, count=64)
steps = engine.training(feed)
compiled = []
for chunk in [(0, 2), (2, 1), (0, 12), (5, 7), (11, 1)]:
    steps(matrix(64), *chunk)
    engine.wait()
    compiled.append(len({path.name.split(".")[0] for path in Path(sys.argv[1]).glob("*_run_*")}))
print(json.dumps([compiled, int(model.optimizer.iterations)]))
"""


def test_xla_compiles_nothing_anew_for_another_chunk(tmp_path: Path) -> None:
    flags = f"--xla_dump_to={tmp_path} --xla_dump_hlo_as_text"
    compiled, iterations = run_program(XLA_PROGRAM, str(tmp_path), XLA_FLAGS=flags)

    assert compiled[0] >= 1
    assert compiled == [compiled[0]] * 5
    assert iterations == 23


MIRRORED_PROGRAM = """
import json, sys
from nnrun.keras_backend import load_tensorflow
tf = load_tensorflow()
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
from nnrun.errors import ResourceError
from test_engine import shared_training
results = []
for devices in (1, 2):
    strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"][:devices])
    results.append([shared_training(strategy, count) for count in (24, 23, 17)])
try:
    shared_training(strategy, 1)
except ResourceError as error:
    results.append(str(error))
print(json.dumps(results))
"""


def shared_training(strategy: Any, count: int) -> list[dict[str, float]]:
    """Scores before and after an epoch of batches of eight, and the scores of the epoch."""
    keras = load_keras()
    start_session(3)
    with strategy.scope():
        model = keras.Sequential(
            [keras.Input((6,)), keras.layers.Dense(5, "tanh"), keras.layers.Dense(2, "softmax")]
        )
        model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"], jit_compile=False)
    feed = make_feed(examples(count), divisor=None, targets="indices", classes=2)
    engine = Engine(model, Replicas(strategy))
    engine.build(feed, 8)
    before = engine.evaluate(feed, 8)
    model.reset_metrics()
    engine.training(feed)(matrix(count, 8), 0, count // 8)
    return [before, engine.metrics(), engine.evaluate(feed, 8)]


def test_two_devices_give_the_metrics_of_one() -> None:
    one, two, refused = run_program(MIRRORED_PROGRAM)

    for alone, shared in zip(one, two, strict=True):
        for theirs, ours in zip(alone, shared, strict=True):
            assert ours == pytest.approx(theirs, abs=1e-6)
    assert refused == (
        "a batch of 1 cannot be shared by 2 devices; use a larger training.batch_size, or runtime.strategy=none"
    )
