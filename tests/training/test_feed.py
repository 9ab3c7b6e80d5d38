"""Order, steps and targets of the examples; division with NumPy's bits."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from nnrun.data.load import Examples
from nnrun.keras_backend import load_tensorflow
from nnrun.training.feed import Targets, example_order, index_matrix, make_feed, target_form

pytestmark = pytest.mark.tensorflow


def order(seed: int, epoch: int, count: int = 100) -> list[int]:
    return example_order(count, seed=seed, epoch=epoch, shuffle=True).tolist()


def test_order_is_a_function_of_seed_and_epoch_alone() -> None:
    first = order(7, 3)
    np.random.seed(99)
    order(1, 1)

    assert order(7, 3) == first


def test_order_is_the_documented_one() -> None:
    generator = np.random.Generator(np.random.Philox(key=(7, 3)))
    assert order(7, 3) == generator.permutation(100).tolist()


@pytest.mark.parametrize("count", [0, 1, 2, 1000])
def test_order_is_a_permutation(count: int) -> None:
    found = example_order(count, seed=4, epoch=2, shuffle=True)

    assert sorted(found.tolist()) == list(range(count))
    assert found.dtype == np.int32


def test_order_differs_between_epochs_and_seeds() -> None:
    found = [tuple(order(seed, epoch)) for seed in (0, 1, 2**32 - 1) for epoch in range(5)]
    assert len(set(found)) == len(found)


def test_order_without_shuffling_is_that_of_the_data() -> None:
    found = example_order(5, seed=4, epoch=2, shuffle=False)
    assert (found.tolist(), found.dtype) == ([0, 1, 2, 3, 4], np.int32)


@pytest.mark.parametrize(
    ("count", "batch_size", "full", "rest"),
    [
        (7, 3, [[0, 1, 2], [3, 4, 5]], [[6]]),
        (6, 3, [[0, 1, 2], [3, 4, 5]], []),
        (2, 3, [], [[0, 1]]),
        (3, 1, [[0], [1], [2]], []),
        (0, 3, [], []),
    ],
)
def test_index_matrix_holds_every_example_once_in_order(
    count: int, batch_size: int, full: list[list[int]], rest: list[list[int]]
) -> None:
    steps, last = index_matrix(np.arange(count, dtype=np.int32), batch_size)

    assert (steps.tolist(), last.tolist()) == (full, rest)
    assert steps.ndim == last.ndim == 2
    assert steps.dtype == last.dtype == np.int32


@pytest.mark.parametrize(
    ("count", "full", "rest"), [(7, [3], 4), (8, [3, 3], 2), (6, [3, 3], 0), (4, [], 4), (1, [], 1)]
)
def test_rest_that_is_too_small_joins_the_last_full_step(count: int, full: list[int], rest: int) -> None:
    steps, last = index_matrix(np.arange(count, dtype=np.int32), 3, least=2)

    assert ([len(step) for step in steps], last.size) == (full, rest)
    assert [*steps.ravel(), *last.ravel()] == list(range(count))


@pytest.mark.parametrize(
    ("loss", "classes", "outputs", "form"),
    [
        ("sparse_categorical_crossentropy", 10, 10, "indices"),
        ("SparseCategoricalCrossentropy", 10, 10, "indices"),
        ("categorical_crossentropy", 10, 10, "one_hot"),
        ("CategoricalFocalCrossentropy", 10, 10, "one_hot"),
        ("mse", 10, 10, "one_hot"),
        ("categorical_hinge", 3, 3, "one_hot"),
        ("binary_crossentropy", 2, 1, "indices"),
        ("binary_crossentropy", 2, 2, "one_hot"),
        ("mse", 10, 1, "indices"),
        ("mse", 1, 1, "indices"),
        ("mse", 10, None, "indices"),
        ("mse", None, 1, "numbers"),
        ("mse", None, None, "numbers"),
        ("sparse_categorical_crossentropy", None, 10, "numbers"),
    ],
)
def test_targets_take_the_form_that_the_loss_wants(
    loss: str, classes: int | None, outputs: int | None, form: Targets
) -> None:
    assert target_form(loss, classes, outputs) == form


@pytest.mark.parametrize("jit_compile", [False, True], ids=["no_xla", "xla"])
@pytest.mark.parametrize("divisor", [255.0, 16.0, 3.0])
def test_division_in_a_compiled_step_has_the_bits_of_numpy(divisor: float, jit_compile: bool) -> None:
    tf = load_tensorflow()
    x = np.arange(256, dtype="uint8").reshape(256, 1)
    feed = make_feed(Examples(x, np.zeros(256, "int32")), divisor=divisor, targets="indices", classes=2)

    @tf.function(jit_compile=jit_compile, input_signature=[tf.TensorSpec([None], tf.int32)])
    def scaled(rows: Any) -> Any:
        return feed.batch(rows)[0]

    found = scaled(tf.range(256)).numpy()

    expected = x.astype("float32") / np.float32(divisor)
    assert found.dtype == np.float32
    assert found.tobytes() == expected.tobytes()
    if divisor == 255:  # what a constant would be turned into rounds differently, so this test can fail
        assert (x.astype("float32") * np.float32(1 / 255)).tobytes() != expected.tobytes()


def test_batch_holds_the_rows_asked_for() -> None:
    tf = load_tensorflow()
    x = np.arange(12, dtype="float32").reshape(4, 3)
    feed = make_feed(Examples(x, np.array([0, 1, 2, 1], "int32")), divisor=None, targets="one_hot", classes=3)

    inputs, targets = feed.batch(tf.constant([3, 0]))

    assert feed.count == 4
    assert inputs.numpy().tolist() == [[9, 10, 11], [0, 1, 2]]
    assert targets.numpy().tolist() == [[0, 1, 0], [1, 0, 0]]
    assert targets.dtype == tf.float32


def test_pictures_lie_on_the_device_as_rows_and_come_as_pictures() -> None:
    x = np.arange(5 * 4 * 3, dtype="uint8").reshape(5, 4, 3)
    feed = make_feed(Examples(x, np.zeros(5, "int32")), divisor=2.0, targets="indices", classes=2)

    pictures, _ = feed.pick(np.array([4, 1], "int32"))

    assert feed.x.shape == (5, 12)
    assert pictures.numpy().tolist() == (x[[4, 1]] / 2).tolist()


def test_batch_of_several_inputs_keeps_their_names_and_dtypes() -> None:
    tf = load_tensorflow()
    x = {"words": np.arange(4, dtype="int32").reshape(4, 1), "age": np.ones((4, 1), "float32")}
    feed = make_feed(Examples(x, np.zeros(4, "float32")), divisor=None, targets="numbers", classes=None)

    inputs, targets = feed.batch(tf.constant([2]))

    assert {name: tensor.dtype for name, tensor in inputs.items()} == {"words": tf.int32, "age": tf.float32}
    assert (inputs["words"].numpy().tolist(), targets.numpy().tolist()) == ([[2]], [0])
